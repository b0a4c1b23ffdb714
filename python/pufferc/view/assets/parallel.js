// Parallel coordinates: an axis per setting that differs, then seconds and the objective. A line is a run.

const AXIS_PX = 92, PARALLEL_PX = 300, TOP_PX = 40, BOTTOM_PX = 16, MAX_AXES = 14, GRAB_PX = 24;
const parallel = { canvas: find("#parallel canvas"), axes: [], background: null, backgroundKey: "" }; // background: all lines, faint

function drawParallel(view) {
  const settings = view.ranked.slice(0, MAX_AXES).reverse(); // the most important last, next to the results
  const results = ["seconds", ...(store.objective.key === "score" ? [] : ["score"]), OBJECTIVE].filter((f) => f !== store.objective.key);
  const games = new Set(view.pool.map((run) => run.game)).size > 1 ? ["game"] : [];
  find("#parallel").hidden = view.pool.length < 2 || settings.length + games.length === 0;
  if (find("#parallel").hidden) return;
  const fields = [...games, ...settings, ...results];
  const width = Math.max(find("#parallel .scroll").clientWidth, fields.length * AXIS_PX);
  const context = begin(parallel.canvas, width, PARALLEL_PX);
  const gap = (width - 80) / Math.max(1, fields.length - 1);
  parallel.axes = fields.map((field, i) => ({ field, x: 40 + i * gap, scale: scaleOf(view, field) }));
  drawLines(context, view);
  parallel.axes.forEach((axis) => drawAxis(context, axis, gap));
}

const axisY = (place) => TOP_PX + (1 - place) * (PARALLEL_PX - TOP_PX - BOTTOM_PX);

function drawLines(context, view) {
  const key = [view.key, view.pool.length, context.canvas.width, parallel.axes.map(({ field }) => field)].join();
  if (parallel.backgroundKey !== key) { // a brush moves faster than all lines can be drawn
    parallel.background = document.createElement("canvas");
    const behind = begin(parallel.background, context.canvas.clientWidth, PARALLEL_PX);
    behind.strokeStyle = themeColour("--faint");
    behind.globalAlpha = 0.35;
    strokeRuns(behind, view.pool);
    parallel.backgroundKey = key;
  }
  context.drawImage(parallel.background, 0, 0, context.canvas.clientWidth, PARALLEL_PX);
  const byColour = new Map();
  for (const run of [...view.passing].sort(byObjective)) {
    const width = store.chosen.has(run.id) ? 2.6 : 1.2, colour = view.colour(run), key = `${width} ${colour}`;
    if (!byColour.has(key)) byColour.set(key, { width, colour, list: [] });
    byColour.get(key).list.push(run);
  }
  context.globalAlpha = view.kept.size > 200 ? 0.5 : 0.8;
  for (const { width, colour, list } of byColour.values()) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    strokeRuns(context, list);
  }
  context.globalAlpha = 1;
}

// One path for many runs, which is much faster than a path each.
function strokeRuns(context, list) {
  context.beginPath();
  for (const run of list) {
    let pen = false;
    for (const { x, field, scale } of parallel.axes) {
      const at = scale.place(fieldValue(run, field));
      if (Number.isNaN(at)) { pen = false; continue; }
      if (pen) context.lineTo(x, axisY(at)); else context.moveTo(x, axisY(at));
      pen = true;
    }
  }
  context.stroke();
}

// The best are drawn last, on top.
function byObjective(a, b) {
  const [p, q] = [objectiveOf(a, store.objective), objectiveOf(b, store.objective)];
  if (p === null || q === null) return (q === null) - (p === null);
  return store.objective.less ? q - p : p - q;
}

function drawAxis(context, { field, x, scale }, gap) {
  context.strokeStyle = themeColour("--quiet");
  context.lineWidth = 1;
  context.strokeRect(x, axisY(1), 0, axisY(0) - axisY(1));
  context.textAlign = "center";
  context.fillStyle = themeColour("--text");
  context.fillText(fitted(context, fieldLabel(field), Math.min(gap - 6, 2 * Math.min(x, 200))), x, 16);
  context.textAlign = "left";
  context.fillStyle = themeColour("--text");
  context.strokeStyle = themeColour("--panel");
  context.lineWidth = 3;
  let lastY = Infinity;
  for (const { at, text } of [...scale.ticks].sort((a, b) => a.at - b.at)) {
    if (lastY - axisY(at) < 13) continue;
    lastY = axisY(at);
    const shown = fitted(context, text, gap - 12);
    const left = x + 5 + context.measureText(shown).width > context.canvas.clientWidth ? x - 5 - context.measureText(shown).width : x + 5;
    context.strokeText(shown, left, lastY + 4);
    context.fillText(shown, left, lastY + 4);
  }
  const brush = store.brushes.get(`axis ${field}`);
  if (brush) drawBrush(context, x, brushPlaces(brush.ranges[0], scale));
}

function drawBrush(context, x, [low, high]) {
  const top = axisY(share(high)), height = Math.max(3, axisY(share(low)) - top);
  context.fillStyle = context.strokeStyle = themeColour("--accent");
  context.lineWidth = 1.5;
  context.globalAlpha = 0.25;
  context.fillRect(x - 7, top, 14, height);
  context.globalAlpha = 1;
  context.strokeRect(x - 7, top, 14, height);
}

function nearestAxis({ x }) {
  const [best] = [...parallel.axes].sort((a, b) => Math.abs(a.x - x) - Math.abs(b.x - x));
  return best && Math.abs(best.x - x) <= GRAB_PX ? best : null;
}

draggable(parallel.canvas, {
  start: (at) => nearestAxis(at) !== null,
  move(from, to) {
    const axis = nearestAxis(from);
    if (!axis) return;
    const place = (y) => share(1 - (y - TOP_PX) / (PARALLEL_PX - TOP_PX - BOTTOM_PX));
    const [low, high] = [place(from.y), place(to.y)].sort((a, b) => a - b), key = `axis ${axis.field}`;
    store.brushes.set(key, axisBrush(key, axis.field, axis.scale, low, high));
    changed();
  },
  click(at) {
    const axis = nearestAxis(at);
    if (axis && store.brushes.delete(`axis ${axis.field}`)) changed();
  },
});
addPanel("#parallel", drawParallel);
