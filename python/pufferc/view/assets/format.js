// Elements of the page, and numbers as short texts. Text from runs enters the page as text nodes only, never as HTML.

function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("--")) node.style.setProperty(name, value);
    else if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

const find = (selector) => document.querySelector(selector);

function trimmed(text) {
  return text.includes(".") && !text.includes("e") ? text.replace(/\.?0+$/, "") : text;
}

// A measurement in four digits: 0.00123, 12.5, 3.46M.
function short(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (typeof value !== "number") return typeof value === "string" ? value : JSON.stringify(value);
  const size = Math.abs(value);
  for (const [limit, unit] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e4, "k"]]) {
    if (size >= limit && size < 1e15) return trimmed((value / (unit === "k" ? 1e3 : limit)).toPrecision(3)) + unit;
  }
  if (size !== 0 && (size < 1e-4 || size >= 1e15)) return value.toExponential(2);
  return Number.isInteger(value) ? String(value) : trimmed(value.toPrecision(4));
}

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 60) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${whole % 60}s`;
  return `${Math.floor(whole / 3600)}h ${Math.floor((whole % 3600) / 60)}m`;
}

const moment = (started) => (started ? started.slice(0, 16).replace("T", " ") : "–");

// "train.learning_rate" as "learning_rate".
const lastPart = (key) => key.slice(key.lastIndexOf(".") + 1);
