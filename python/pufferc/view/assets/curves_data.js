// Curves of runs: decoded from the page or fetched from the server, smoothed, and sampled to a number of places.

const loaded = new Map(); // curves by run: {n, generation, columns: {key: Float32Array}}
const SPARSE = 0.5; // a column with fewer numbers than this share of the rows is joined across its gaps

function decode(column, n) {
  if (typeof column !== "string") return new Float32Array(n).fill(column === null ? NaN : column);
  const text = atob(column);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; ++i) bytes[i] = text.charCodeAt(i);
  return new Float32Array(bytes.buffer);
}

function decodeAll({ n, columns }) {
  return Object.fromEntries(Object.entries(columns).map(([key, column]) => [key, decode(column, n)]));
}

// The curves of a run; null while they come from the server.
function curvesOf(run) {
  if (!loaded.has(run.id)) {
    if (page.live) {
      requestCurves(run);
      return null;
    }
    const packed = page.curves[run.id];
    loaded.set(run.id, { n: packed.n, generation: 0, columns: decodeAll(packed) });
  }
  return loaded.get(run.id);
}

// Adds rows that the server sent to those that are known.
function appendCurves(run, sent) {
  const known = loaded.get(run.id);
  const columns = decodeAll(sent);
  if (known === undefined || sent.first === 0 || sent.generation !== known.generation) {
    loaded.set(run.id, { n: sent.n, generation: sent.generation, columns });
    return;
  }
  for (const key of new Set([...Object.keys(known.columns), ...Object.keys(columns)])) {
    const whole = new Float32Array(known.n + sent.n).fill(NaN);
    if (known.columns[key]) whole.set(known.columns[key]);
    if (columns[key]) whole.set(columns[key], known.n);
    known.columns[key] = whole;
  }
  known.n += sent.n;
}

// The mean of the last `window` rows that have a number. A row without one keeps none.
function smoothed(values, window) {
  if (window <= 1) return values;
  const found = new Float32Array(values.length);
  let sum = 0, count = 0;
  for (let i = 0; i < values.length; ++i) {
    if (!Number.isNaN(values[i])) { sum += values[i]; count += 1; }
    const old = i >= window ? values[i - window] : NaN;
    if (!Number.isNaN(old)) { sum -= old; count -= 1; }
    found[i] = Number.isNaN(values[i]) ? NaN : sum / count;
  }
  return found;
}

function isSparse(values) {
  let count = 0;
  for (const value of values) count += !Number.isNaN(value);
  return count < SPARSE * values.length;
}

// Values at `places.length` equal steps: the mean of the rows nearest to a place where there are several, else on the line
// between neighbouring rows, null in a gap.
function sampled(xs, ys, places) {
  const count = places.length, low = places[0], step = (places[count - 1] - low) / (count - 1) || 1;
  const sums = new Float64Array(count), counts = new Uint32Array(count), found = new Array(count).fill(null);
  const joins = isSparse(ys);
  let before = -1;
  for (let i = 0; i < xs.length; ++i) {
    if (Number.isNaN(xs[i]) || Number.isNaN(ys[i])) {
      if (!joins) before = -1;
      continue;
    }
    const place = Math.round((xs[i] - low) / step);
    if (place >= 0 && place < count) { sums[place] += ys[i]; counts[place] += 1; }
    if (before >= 0 && xs[i] > xs[before]) {
      const slope = (ys[i] - ys[before]) / (xs[i] - xs[before]);
      const first = Math.max(0, Math.ceil((xs[before] - low) / step)), last = Math.min(count - 1, Math.floor((xs[i] - low) / step));
      for (let k = first; k <= last; ++k) found[k] = ys[before] + slope * (places[k] - xs[before]);
    }
    before = i;
  }
  for (let k = 0; k < count; ++k) if (counts[k] > 1 || (counts[k] && found[k] === null)) found[k] = sums[k] / counts[k];
  return found;
}

function extent(list, low = Infinity, high = -Infinity) {
  for (const value of list) if (value !== null && !Number.isNaN(value)) { low = Math.min(low, value); high = Math.max(high, value); }
  return [low, high];
}
