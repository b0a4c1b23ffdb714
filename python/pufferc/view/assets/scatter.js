// Scatter plots: score against seconds with the Pareto front, and each setting against the objective.

const PLOT = { left: 48, right: 12, top: 10, bottom: 30 }, COST_PX = 300, SMALL_PX = 190, MAX_PLOTS = 30, NEAR_PX = 10;

class Scatter {
  // `key` names the plot's brush.
  constructor(canvas, key, height) {
    Object.assign(this, { canvas, key, height, tip: element("div", { className: "tip", hidden: true }) });
    canvas.parentElement.style.position = "relative";
    canvas.after(this.tip);
    draggable(canvas, { move: (from, to) => this.brush(from, to), click: (at) => this.click(at) });
    canvas.addEventListener("pointermove", (event) => this.hover(event));
    canvas.addEventListener("pointerleave", () => { this.tip.hidden = true; });
  }

  draw(view, xField, yField, front = null) {
    Object.assign(this, { xField, yField, width: this.canvas.parentElement.clientWidth - this.padding(), view });
    this.x = scaleOf(view, xField);
    this.y = scaleOf(view, yField);
    const context = begin(this.canvas, this.width, this.height), { colour } = view, faint = themeColour("--faint");
    this.drawGrid(context);
    this.points = view.pool.map((run) => ({ run, ...this.at(run) })).filter(({ x, y }) => !Number.isNaN(x + y));
    const byColour = new Map([[faint, []]]); // drawn first, behind the others
    for (const point of this.points) {
      const key = view.kept.has(point.run) ? colour(point.run) : faint;
      if (byColour.has(key)) byColour.get(key).push(point); else byColour.set(key, [point]);
    }
    for (const [fill, points] of byColour) {
      context.fillStyle = fill;
      context.globalAlpha = fill === faint ? 0.5 : 0.85;
      context.beginPath();
      for (const { x, y } of points) { context.moveTo(x + 3.2, y); context.arc(x, y, 3.2, 0, 2 * Math.PI); }
      context.fill();
    }
    context.globalAlpha = 1;
    for (const { run, x, y } of this.points) {
      if (!store.chosen.has(run.id)) continue;
      context.fillStyle = store.colours.get(run.id) ?? faint;
      context.strokeStyle = themeColour("--text");
      context.lineWidth = 1.5;
      context.beginPath();
      context.arc(x, y, 5.5, 0, 2 * Math.PI);
      context.fill();
      context.stroke();
    }
    if (front) this.drawFront(context, front);
    this.drawBrush(context);
  }

  padding() {
    const style = getComputedStyle(this.canvas.parentElement);
    return parseFloat(style.paddingLeft) + parseFloat(style.paddingRight);
  }

  // A run's place; runs of one choice are spread a little, by their number.
  at(run) {
    const jitter = this.x.choices ? 14 * (((run.id * 0.618034) % 1) - 0.5) : 0;
    return { x: this.toX(this.x.place(fieldValue(run, this.xField))) + jitter, y: this.toY(this.y.place(fieldValue(run, this.yField))) };
  }

  toX(place) { return PLOT.left + 8 + place * (this.width - PLOT.left - PLOT.right - 16); }
  toY(place) { return this.height - PLOT.bottom - 6 - place * (this.height - PLOT.top - PLOT.bottom - 12); }
  fromX(x) { return (x - PLOT.left - 8) / (this.width - PLOT.left - PLOT.right - 16); }
  fromY(y) { return (this.height - PLOT.bottom - 6 - y) / (this.height - PLOT.top - PLOT.bottom - 12); }

  drawGrid(context) {
    context.strokeStyle = themeColour("--grid");
    context.fillStyle = themeColour("--quiet");
    context.lineWidth = 1;
    const bottom = this.height - PLOT.bottom;
    let lastX = -Infinity;
    for (const { at, text } of this.x.ticks) {
      const x = this.toX(at), shown = fitted(context, text, 80), half = context.measureText(shown).width / 2;
      context.strokeRect(x, PLOT.top, 0, bottom - PLOT.top);
      if (x - half < lastX + 6) continue;
      lastX = x + half;
      context.textAlign = "center";
      context.fillText(shown, Math.min(x, this.width - half), bottom + 14);
    }
    context.textAlign = "right";
    let lastY = Infinity;
    for (const { at, text } of this.y.ticks) {
      const y = this.toY(at);
      context.strokeRect(PLOT.left, y, this.width - PLOT.left - PLOT.right, 0);
      if (lastY - y < 13) continue;
      lastY = y;
      context.fillText(fitted(context, text, PLOT.left - 8), PLOT.left - 6, y + 4);
    }
    context.textAlign = "left";
    context.fillText(fieldLabel(this.yField), 4, 10);
    context.textAlign = "right";
    context.fillText(fieldLabel(this.xField), this.width - PLOT.right, this.height - 3);
  }

  drawFront(context, front) {
    context.strokeStyle = themeColour("--accent");
    context.lineWidth = 1.8;
    context.beginPath();
    front.forEach((run, i) => {
      const { x, y } = this.at(run);
      if (i === 0) context.moveTo(x, y);
      else { context.lineTo(x, this.at(front[i - 1]).y); context.lineTo(x, y); }
    });
    context.stroke();
    for (const run of front) {
      const { x, y } = this.at(run);
      context.beginPath();
      context.arc(x, y, 5, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  drawBrush(context) {
    const brush = store.brushes.get(this.key);
    if (!brush) return;
    const [left, right] = brushPlaces(brush.ranges[0], this.x).map((place) => this.toX(place));
    const [bottom, top] = brushPlaces(brush.ranges[1], this.y).map((place) => this.toY(place));
    context.strokeStyle = context.fillStyle = themeColour("--accent");
    context.globalAlpha = 0.12;
    context.fillRect(left, top, right - left, bottom - top);
    context.globalAlpha = 1;
    context.lineWidth = 1.2;
    context.strokeRect(left, top, right - left, bottom - top);
  }

  brush(from, to) {
    const [left, right] = [this.fromX(from.x), this.fromX(to.x)].sort((a, b) => a - b);
    const [low, high] = [this.fromY(from.y), this.fromY(to.y)].sort((a, b) => a - b);
    const ranges = [axisTest(this.xField, this.x, left, right), axisTest(this.yField, this.y, low, high)];
    const accepts = (run) => ranges.every((range) => range.accepts(run));
    store.brushes.set(this.key, { key: this.key, ranges, accepts, label: `${fieldLabel(this.yField)} against ${fieldLabel(this.xField)}` });
    changed();
  }

  nearest({ x, y }) {
    let best = null, least = NEAR_PX;
    for (const point of this.points ?? []) {
      const distance = Math.hypot(point.x - x, point.y - y);
      if (distance < least && this.view.kept.has(point.run)) { best = point; least = distance; }
    }
    return best;
  }

  // On a run: chooses it. Elsewhere: removes the brush.
  click(at) {
    const point = this.nearest(at);
    if (!point) { if (store.brushes.delete(this.key)) changed(); return; }
    if (!store.chosen.delete(point.run.id)) store.chosen.add(point.run.id);
    changed();
  }

  hover(event) {
    const box = this.canvas.getBoundingClientRect(), point = this.nearest({ x: event.clientX - box.left, y: event.clientY - box.top });
    this.tip.hidden = point === null;
    if (!point) return;
    const { run } = point, value = (field) => `${fieldLabel(field)} ${asText(fieldValue(run, field))}`;
    this.tip.textContent = `${run.name}: ${value(this.yField)}, ${value(this.xField)}`;
    const left = this.canvas.offsetLeft + point.x;
    this.tip.style.left = `${Math.max(4, Math.min(left + 10, this.canvas.offsetLeft + this.width - 180))}px`;
    this.tip.style.top = `${this.canvas.offsetTop + point.y + 10}px`;
  }
}

// Runs that no other beats in both: more score in no more seconds.
function paretoFront(list) {
  const known = list.filter((run) => valueOf(run, "score") !== null && run.seconds != null && ["complete", "target"].includes(run.state));
  known.sort((a, b) => a.seconds - b.seconds || valueOf(b, "score") - valueOf(a, "score"));
  let best = -Infinity;
  return known.filter((run) => { const better = valueOf(run, "score") > best; if (better) best = valueOf(run, "score"); return better; });
}

const cost = new Scatter(find("#cost canvas"), "cost", COST_PX);
const fieldPlots = new Map(); // by field

addPanel("#cost", (view) => {
  find("#cost").hidden = view.pool.length < 2;
  if (view.pool.length >= 2) cost.draw(view, "seconds", "score", paretoFront(view.passing));
});

addPanel("#fields", (view) => {
  const settings = view.ranked.slice(0, MAX_PLOTS);
  find("#fields").hidden = view.pool.length < 2 || settings.length === 0;
  if (find("#fields").hidden) return;
  for (const field of settings) {
    if (fieldPlots.has(field)) continue;
    const canvas = element("canvas", { role: "img", "aria-label": `${field} against the objective` });
    const box = element("div", { className: "plot" }, element("h3", { title: field }, field), canvas);
    fieldPlots.set(field, { box, plot: new Scatter(canvas, `field ${field}`, SMALL_PX) });
  }
  const boxes = settings.map((field) => fieldPlots.get(field).box), grid = find("#fields .small");
  if (boxes.length !== grid.children.length || boxes.some((box, i) => grid.children[i] !== box)) grid.replaceChildren(...boxes);
  for (const field of settings) fieldPlots.get(field).plot.draw(view, field, OBJECTIVE);
});
