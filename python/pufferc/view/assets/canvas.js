// Canvases of the size of their elements, colours of the theme, and colours of lines and results.

// Safe for colour-blind readers (Okabe and Ito), with a variant for dark pages where needed.
const LINES = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a63d2", "#7f7f00", "#a65628", "#5c6b7a",
  "#e0407b", "#1b9e9e"];
const LINES_DARK = ["#4aa8e8", "#ff8a3d", "#2fc99a", "#e59cc4", "#f2bb3d", "#9ad4ff", "#b79bf0", "#c2c24a", "#d08a5f", "#a5b2c0",
  "#ff7fac", "#5bd0d0"];
const RAMP = [[68, 58, 131], [49, 104, 142], [33, 145, 140], [68, 190, 112], [220, 200, 40]];
const RAMP_DARK = [[118, 104, 190], [84, 146, 204], [58, 178, 172], [104, 208, 134], [246, 226, 84]];

const isDark = () => document.documentElement.dataset.theme === "dark";

function themeColour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// One of 32 colours, so that marks of one colour can be drawn together.
function rampColour(share) {
  const ramp = isDark() ? RAMP_DARK : RAMP;
  const at = Math.min(0.9999, Math.round(31 * Math.max(0, share)) / 31) * (ramp.length - 1), i = Math.floor(at), part = at - i;
  return `rgb(${ramp[i].map((from, k) => Math.round(from + part * (ramp[i + 1][k] - from))).join(",")})`;
}

// The colour of a curve: one of twelve, or by rank of the objective where there are more.
function lineColour(index, shown, run) {
  const palette = isDark() ? LINES_DARK : LINES;
  if (shown.length <= palette.length) return palette[index];
  const ranks = shown.map((other) => objectiveOf(other, store.objective)).filter((value) => value !== null);
  const own = objectiveOf(run, store.objective);
  const below = ranks.filter((value) => (store.objective.less ? value > own : value < own)).length;
  return own === null ? themeColour("--quiet") : rampColour(below / Math.max(1, ranks.length - 1));
}

// Colours by the value of the objective; the best are bright.
function objectiveColours(list) {
  const values = list.map((run) => objectiveOf(run, store.objective)).filter((value) => value !== null).sort((a, b) => a - b);
  const quiet = themeColour("--quiet");
  return (run) => {
    const value = objectiveOf(run, store.objective);
    if (value === null) return quiet;
    let low = 0, high = values.length;
    while (low < high) { const middle = (low + high) >> 1; if (values[middle] < value) low = middle + 1; else high = middle; }
    const share = low / Math.max(1, values.length - 1);
    return rampColour(store.objective.less ? 1 - share : share);
  };
}

// A context in CSS pixels with a cleared canvas.
function begin(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.font = "11.5px system-ui, sans-serif";
  return context;
}

function fitted(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  while (text.length > 1 && context.measureText(`${text}…`).width > width) text = text.slice(0, -1);
  return `${text}…`;
}

// Calls `move(from, to)` while a pointer is dragged on a canvas, and `click(at)` where it did not move.
function draggable(canvas, { start, move, click }) {
  let from = null, moved = false, box = null; // box: at the start, since the page above may grow while one drags
  const at = (event) => ({ x: event.clientX - box.left, y: event.clientY - box.top });
  canvas.addEventListener("pointerdown", (event) => {
    box = canvas.getBoundingClientRect();
    from = at(event);
    moved = false;
    if (start && !start(from)) { from = null; return; }
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!from) return;
    const to = at(event);
    moved ||= Math.hypot(to.x - from.x, to.y - from.y) > 4;
    if (moved) move(from, to);
  });
  canvas.addEventListener("pointerup", (event) => {
    if (from && !moved) click(at(event));
    from = null;
  });
  canvas.addEventListener("pointercancel", () => { from = null; });
}

const share = (value) => Math.min(1, Math.max(0, value));
