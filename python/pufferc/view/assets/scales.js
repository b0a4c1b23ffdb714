// Scales of axes: from values to [0, 1] and back, with ticks. Logarithmic for values over several magnitudes, by distance
// from 1 for fractions near 1 (discount factors), by position for choices.

const WIDE = 30; // max / min of a logarithmic axis
const MAX_NUMBERS = 6; // numbers with at most so many values, as for choices, get a tick each

function makeScale(values) {
  const known = values.filter((value) => value !== null && value !== undefined);
  if (!known.length || known.some((value) => typeof value !== "number")) return choiceScale(known);
  const [low, high] = extent(known);
  const kind = low > 0 && high / low > WIDE ? LOGARITHM : low > 0.5 && high < 1 && (1 - low) / (1 - high) > 4 ? FROM_ONE : LINEAR;
  const [from, to] = low === high ? [kind.to(low) - 0.5, kind.to(low) + 0.5] : [kind.to(low), kind.to(high)];
  const place = (value) => (typeof value === "number" ? (kind.to(value) - from) / (to - from) : NaN);
  const distinct = [...new Set(known)].sort((a, b) => a - b);
  const ticks = distinct.length <= MAX_NUMBERS ? distinct : kind.ticks(low, high);
  return {
    place, invert: (share) => kind.from(from + share * (to - from)), choices: null,
    ticks: ticks.map((value) => ({ at: place(value), text: short(value) })).filter(({ at }) => at >= -1e-9 && at <= 1 + 1e-9),
  };
}

function choiceScale(values) {
  const choices = [...new Set(values.map(asText))].sort();
  const places = new Map(choices.map((text, i) => [text, choices.length < 2 ? 0.5 : i / (choices.length - 1)]));
  return {
    place: (value) => (value === null || value === undefined ? NaN : places.get(asText(value)) ?? NaN), choices,
    ticks: choices.length > 30 ? [] : choices.map((text) => ({ at: places.get(text), text })),
  };
}

function niceTicks(low, high, count = 5) {
  const rough = (high - low) / count || 1, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; ++k) ticks.push(k * step);
  return ticks;
}

const LINEAR = { to: (v) => v, from: (u) => u, ticks: niceTicks };
const LOGARITHM = {
  to: Math.log10, from: (u) => 10 ** u,
  ticks(low, high) {
    const factors = high / low > 1e3 ? [1] : [1, 2, 5], found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); ++power) found.push(...factors.map((f) => f * 10 ** power));
    return found;
  },
};
const FROM_ONE = {
  to: (v) => -Math.log10(1 - v), from: (u) => 1 - 10 ** -u,
  ticks: () => [0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9999],
};

// A brush keeps the runs whose place on a scale is in [low, high]. It remembers values, since a scale may change.
function axisBrush(key, field, scale, low, high) {
  const tests = [axisTest(field, scale, low, high)];
  return { label: `${fieldLabel(field)} ${tests[0].text}`, accepts: (run) => tests[0].accepts(run), ranges: tests, key };
}

function axisTest(field, scale, low, high) {
  const get = (run) => fieldValue(run, field);
  if (scale.choices) {
    const kept = scale.choices.filter((text) => scale.place(text) >= low && scale.place(text) <= high);
    return { field, text: kept.join(", ") || "none", accepts: (run) => kept.includes(asText(get(run))), kept };
  }
  const [from, to] = [scale.invert(low), scale.invert(high)], slack = 1e-9 * Math.abs(to - from);
  const accepts = (run) => { const v = get(run); return typeof v === "number" && v >= from - slack && v <= to + slack; };
  return { field, text: `${short(from)} to ${short(to)}`, accepts, from, to };
}

// Where a remembered brush lies on the current scale.
function brushPlaces(test, scale) {
  if (scale.choices) {
    const places = (test.kept ?? []).map((text) => scale.place(text)).filter((at) => !Number.isNaN(at));
    return places.length ? [Math.min(...places) - 0.03, Math.max(...places) + 0.03] : [0, 0];
  }
  return test.kept ? [0, 0] : [scale.place(test.from), scale.place(test.to)];
}

// The scale of a field over the pool, made once.
function scaleOf(view, field) {
  if (!view.scales.has(field)) view.scales.set(field, makeScale(view.pool.map((run) => fieldValue(run, field))));
  return view.scales.get(field);
}

const OBJECTIVE = "(objective)"; // as a field: the value of the objective
const fieldValue = (run, field) => (field === OBJECTIVE ? objectiveOf(run, store.objective) : valueOf(run, field));
const fieldLabel = (field) => (field === OBJECTIVE ? store.objective.key : lastPart(field));
