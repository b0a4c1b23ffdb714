// Learning curves by uPlot: a chart per metric, a line per shown run, or a mean and its range per group of seeds.

const CHART_PX = 240, MAX_PLACES = 900;
const AXES = { steps: "steps", time_s: "seconds", update: "updates" };
const FIRST = ["score", "episode_return", "entropy", "approx_kl", "sps", "episode_length"]; // shown at first: four of these
const charts = { plots: [], shape: "", later: 0 };

// All metrics that the runs log, in the order of their logs. One without numbers has an empty chart.
function metricsOf(list) {
  const found = new Set();
  for (const run of list) {
    const curves = page.live ? loaded.get(run.id) : page.curves[run.id];
    if (curves) Object.keys(curves.columns).forEach((key) => found.add(key));
  }
  return [...found].filter((key) => !(key in AXES));
}

function drawCurves(view) {
  clearTimeout(charts.later); // a brush moves faster than charts can be made
  charts.later = setTimeout(() => drawCharts(view), charts.plots.length ? 60 : 0);
}

function drawCharts(view) {
  const waits = view.shown.filter((run) => curvesOf(run) === null).length;
  const lists = view.shown.filter((run) => loaded.has(run.id));
  const known = metricsOf(page.live ? lists : runs);
  if (!store.metrics.length) store.metrics = FIRST.filter((key) => known.includes(key)).slice(0, 4);
  drawMetrics(known);
  const series = store.band ? seedGroups(lists, view) : lists.map((run) => ({ label: run.name, runs: [run], colour: store.colours.get(run.id) }));
  charts.plots.forEach((plot) => plot.destroy());
  const metrics = store.metrics.filter((key) => known.includes(key));
  const places = placesOf(series);
  const boxes = metrics.map((key) => element("div", { className: "chart" }, element("h3", {}, key.replaceAll("_", " "))));
  find("#charts").replaceChildren(...boxes);
  charts.plots = places ? metrics.map((key, i) => makeChart(boxes[i], key, places, series)) : [];
  drawLegend(view, series, waits);
}

function drawMetrics(known) {
  const chips = known.map((key) => {
    const on = store.metrics.includes(key);
    const chip = element("button", { type: "button", ariaPressed: String(on) }, key);
    chip.addEventListener("click", () => {
      store.metrics = on ? store.metrics.filter((other) => other !== key) : [...store.metrics, key];
      changed();
    });
    return chip;
  });
  find("#metrics .chips").replaceChildren(...chips);
  find("#metrics summary").textContent = `Metrics: ${store.metrics.length} of ${known.length}`;
}

// Runs that differ only in their seeds, of all that pass, by the groups of the shown ones.
function seedGroups(list, view) {
  const groups = new Map();
  for (const run of list) groups.set(run.settings, { runs: [], colour: store.colours.get(run.id), label: run.group ?? run.name });
  for (const run of view.passing) if (groups.has(run.settings) && curvesOf(run)) groups.get(run.settings).runs.push(run);
  const all = [...groups.values()];
  all.forEach((group, i) => {
    group.label = `${group.label} (${group.runs.length} seed${group.runs.length > 1 ? "s" : ""})`;
    group.colour = lineColour(i, all, group.runs[0]);
  });
  return all;
}

// The places along the horizontal axis at which curves are sampled; null without curves.
function placesOf(series) {
  const [low, high] = store.zoom ?? series.flatMap(({ runs: list }) => list).reduce(
    ([from, to], run) => extent(curvesOf(run).columns[store.x] ?? [], from, to), [Infinity, -Infinity]);
  if (!(high >= low)) return null;
  const start = store.zoom || low > 0.2 * high ? low : Math.min(0, low);
  const count = Math.max(50, Math.min(MAX_PLACES, find("#charts").clientWidth));
  return Array.from({ length: count }, (_, i) => start + ((high - start || 1) * i) / (count - 1));
}

function sampledRun(run, key, places) {
  const { columns, n } = curvesOf(run);
  if (!columns[key] || !columns[store.x]) return new Array(places.length).fill(null);
  return sampled(columns[store.x], smoothed(columns[key], Math.round((store.smoothing / 100) * n)), places);
}

// Mean, lowest and highest of several runs where all of them have a value.
function spread(lists) {
  const mean = [], low = [], high = [];
  for (let k = 0; k < lists[0].length; ++k) {
    const values = lists.map((list) => list[k]);
    const whole = !values.includes(null);
    mean.push(whole ? values.reduce((a, b) => a + b, 0) / values.length : null);
    low.push(whole ? Math.min(...values) : null);
    high.push(whole ? Math.max(...values) : null);
  }
  return [mean, low, high];
}

function makeChart(box, key, places, series) {
  const data = [places], lines = [{}], bands = [];
  const positive = (list) => (store.logarithmic ? list.map((v) => (v !== null && v > 0 ? v : null)) : list);
  for (const one of series) {
    const sampledRuns = one.runs.map((run) => positive(sampledRun(run, key, places)));
    const line = { label: one.label, stroke: one.colour, width: series.length > 24 ? 1 : 1.6, points: LONELY };
    if (sampledRuns.length === 1) { data.push(sampledRuns[0]); lines.push(line); continue; }
    const [mean, low, high] = spread(sampledRuns), first = lines.length;
    data.push(mean, high, low);
    lines.push(line, { ...line, width: 0, points: { show: false } }, { ...line, width: 0, points: { show: false } });
    bands.push({ series: [first + 1, first + 2], fill: `${one.colour}2e` });
  }
  const tip = element("div", { className: "tip", hidden: true });
  const axis = { stroke: themeColour("--quiet"), grid: { stroke: themeColour("--grid"), width: 1 }, ticks: { stroke: themeColour("--grid") },
    font: "11.5px system-ui, sans-serif", values: (_, ticks) => ticks.map((v) => (v === null ? "" : short(v))) };
  const options = {
    width: box.clientWidth || 400, height: CHART_PX, legend: { show: false }, series: lines, bands, focus: { alpha: 0.25 },
    scales: { x: { time: false }, y: { distr: store.logarithmic ? 3 : 1 } },
    axes: [{ ...axis, label: AXES[store.x], labelSize: 18, labelFont: axis.font, size: 34 }, { ...axis, size: 54 }],
    cursor: { sync: { key: "curves" }, focus: { prox: 28 }, drag: { x: true, y: false, setScale: false }, points: { size: 6 } },
    hooks: { setSelect: [zoomIn], setCursor: [(plot) => showTip(plot, tip, lines, places)], setSeries: [(plot, i) => { plot.nearest = i; }] },
  };
  const plot = new uPlot(options, data, box);
  plot.over.append(tip);
  plot.over.addEventListener("dblclick", () => { store.zoom = null; changed(); });
  plot.over.addEventListener("mouseleave", () => { tip.hidden = true; });
  return plot;
}

// Values with a gap on both sides get a point, since a line would not show them.
const LONELY = {
  show: true, size: 4,
  filter: (plot, i) => plot.data[i].map((v, k, list) => (v != null && list[k - 1] == null && list[k + 1] == null ? k : -1)).filter((k) => k >= 0),
};

function zoomIn(plot) {
  if (plot.select.width < 6) return;
  store.zoom = [plot.posToVal(plot.select.left, "x"), plot.posToVal(plot.select.left + plot.select.width, "x")];
  changed();
}

function showTip(plot, tip, lines, places) {
  const { left, top, idx } = plot.cursor, near = plot.nearest;
  const value = near && idx !== null ? plot.data[near][idx] : null;
  tip.hidden = value === null || value === undefined || left < 0;
  if (tip.hidden) return;
  tip.textContent = `${lines[near].label}: ${short(value)} at ${short(places[idx])}`;
  const width = plot.over.clientWidth;
  tip.style.left = left < width / 2 ? `${left + 12}px` : "auto";
  tip.style.right = left < width / 2 ? "auto" : `${width - left + 12}px`;
  tip.style.top = `${Math.max(0, top - 28)}px`;
}

function drawLegend(view, series, waits) {
  const chosen = view.chosen.length ? "the chosen runs" : "the first runs of the table";
  const what = store.band ? `${series.length} groups of seeds` : `${series.length} of ${view.passing.length} runs`;
  const notes = [`${what}: ${chosen}. Drag to zoom, double click to see all.`];
  const rows = view.shown.filter((run) => !page.live && run.rows > page.curves[run.id].n);
  if (rows.length) {
    const { rows: all, id } = rows[0], n = page.curves[id].n;
    notes.push(`Curves here have ${n} points, each a mean of updates (${all} in ${rows[0].name}); pufferc view --serve has every update.`);
  }
  const damaged = view.shown.reduce((sum, run) => sum + run.damaged, 0);
  if (damaged) notes.push(`${damaged} damaged lines in the logs are left out.`);
  if (waits) notes.push(`Loading ${waits} curves.`);
  find("#curves-note").textContent = notes.join(" ");
  find("#legend").replaceChildren(...series.slice(0, LINES.length).map(({ label, colour }) =>
    element("span", {}, element("span", { className: "swatch", "--swatch": colour }), label)));
}

function drawSwitch() {
  find("#x").replaceChildren(...Object.entries(AXES).map(([key, label]) => {
    const button = element("button", { type: "button", ariaPressed: String(store.x === key) }, label);
    button.addEventListener("click", () => { store.x = key; store.zoom = null; drawSwitch(); changed(); });
    return button;
  }));
}

function setUpCurves() {
  drawSwitch();
  const smoothing = find("#smoothing"), shown = find("#shown");
  smoothing.value = store.smoothing;
  smoothing.title = "Running mean over this share of a curve";
  smoothing.addEventListener("input", () => { store.smoothing = Number(smoothing.value); changed(); });
  shown.append(...[6, 12, 50, 200].map((count) => element("option", { value: count, selected: count === store.shown }, `up to ${count}`)));
  shown.addEventListener("change", () => { store.shown = Number(shown.value); changed(); });
  for (const name of ["band", "logarithmic"]) {
    find(`#${name}`).addEventListener("change", (event) => { store[name] = event.target.checked; changed(); });
  }
  addPanel("#curves", drawCurves);
}
