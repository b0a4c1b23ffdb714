// How much of the objective's ranks each setting explains by itself: the correlation ratio, which is the share of the
// variance that lies between groups. A group is a choice, or one of several equally large ranges of a number, so that a
// setting with its best value in the middle counts too. Interactions are not seen.

const MIN_RUNS = 8, MAX_RANGES = 8;

function ranks(values) {
  const order = values.map((value, i) => [value, i]).sort((a, b) => a[0] - b[0]), found = new Float64Array(values.length);
  for (let i = 0; i < order.length;) {
    let j = i;
    while (j < order.length && order[j][0] === order[i][0]) ++j;
    for (let k = i; k < j; ++k) found[order[k][1]] = (i + j - 1) / 2; // equal values share their mean rank
    i = j;
  }
  return found;
}

const meanOf = (list) => list.reduce((a, b) => a + b, 0) / list.length;

// A group per value, or per range where there are more values than ranges.
function groupsOf(values) {
  const count = Math.max(2, Math.min(MAX_RANGES, Math.floor(values.length / 4)));
  if (values.some((value) => typeof value !== "number") || new Set(values).size <= count) return values.map(asText);
  return [...ranks(values)].map((rank) => Math.floor((rank * count) / values.length));
}

// Adjusted for the number of groups, so that many small ones do not look important by chance.
function correlationRatio(groups, y) {
  const squares = (list) => { const mean = meanOf(list); return list.reduce((sum, v) => sum + (v - mean) ** 2, 0); };
  const members = new Map();
  groups.forEach((group, i) => { if (members.has(group)) members.get(group).push(y[i]); else members.set(group, [y[i]]); });
  const within = [...members.values()].reduce((sum, list) => sum + squares(list), 0), total = squares(y);
  const free = y.length - members.size;
  return total && free > 0 ? Math.max(0, 1 - within / free / (total / (y.length - 1))) : 0;
}

// The share by setting, of those with enough runs.
function importances(list, settings) {
  const found = new Map();
  const ended = list.filter((run) => objectiveOf(run, store.objective) !== null);
  for (const key of settings) {
    const known = ended.filter((run) => run.config[key] !== null && run.config[key] !== undefined);
    const values = known.map((run) => run.config[key]);
    if (known.length < MIN_RUNS || new Set(values.map(asText)).size < 2) continue;
    const y = [...ranks(known.map((run) => objectiveOf(run, store.objective)))];
    found.set(key, correlationRatio(groupsOf(values), y));
  }
  return found;
}

// Settings, the most important first.
function rankedSettings(list, settings) {
  const shares = importances(list, settings);
  return [...settings].sort((a, b) => (shares.get(b) ?? -1) - (shares.get(a) ?? -1));
}

addPanel("#importance", (view) => {
  const shares = [...importances(view.passing, view.settings)].sort((a, b) => b[1] - a[1]).slice(0, 14);
  find("#importance").hidden = view.pool.length < MIN_RUNS || view.settings.length === 0;
  find("#importance .note").textContent = shares.length
    ? `Share of the variance of the ranks of ${store.objective.key} between the values (or ranges) of one setting: the adjusted ` +
      `correlation ratio, over ${view.passing.length} runs. Interactions are not seen.`
    : `This needs at least ${MIN_RUNS} ended runs with different settings.`;
  find("#importance .bars").replaceChildren(...shares.flatMap(([key, value]) => [
    element("span", { className: "name", title: key }, lastPart(key)),
    element("div", { className: "track" }, element("div", { className: "bar", "--share": value.toFixed(3) })),
    element("span", {}, value.toFixed(2)),
  ]));
});
