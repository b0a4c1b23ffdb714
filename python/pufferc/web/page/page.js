// page.js - the page of one game: draws it, plays it by hand or by a policy, shows what the agent observes.
"use strict";

const SPEEDS = [0.25, 0.5, 1, 2, 4, 8, 16];
const MAX_SIDE_PX = 1600; // of the picture; larger screens scale it
const STEP_BUDGET_MS = 12; // of a frame
const END_MS = 800; // how long the end of an episode is shown
const NOTE_MS = 1600;
const KEY_NAMES = { " ": "space", arrowleft: "left", arrowright: "right", arrowup: "up", arrowdown: "down" };
const KEY_LABELS = { left: "←", right: "→", up: "↑", down: "↓", space: "␣", enter: "⏎" };
const HUMAN = -1; // a player beside those of the engine

const game = PUFFERC_GAME;
const $ = (id) => document.getElementById(id);

function bytesOf(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

function shortNumber(x) {
  return Number.isInteger(x) ? String(x) : x.toFixed(Math.abs(x) < 10 ? 2 : 1);
}

// ---- keys ----------------------------------------------------------------------------------------------

// Digits select choices, and arrows move controls, in a game without keys of its own.
function defaultKeys() {
  const bind = (keys, help, rest) => ({ keys, help, dim: 0, choice: 0, control: 0, push: 0, ...rest });
  if (!game.continuous) {
    const count = Math.min(10, game.counts[0]);
    return Array.from({ length: count }, (_, n) => bind([String(n)], `action ${n}`, { choice: n }));
  }
  const pairs = [["left", "right"], ["down", "up"]].slice(0, game.dims);
  return pairs.flatMap(([less, more], control) => [
    bind([less], "less", { control, push: -1 }), bind([more], "more", { control, push: 1 }),
  ]);
}

function gameKeys() {
  const fits = (key) => game.continuous ? key.push !== 0 && key.control < game.dims : key.choice < (game.counts[key.dim] ?? 0);
  const keys = game.keys.filter(fits);
  return keys.length ? keys : defaultKeys();
}

// Which of the game's keys are down, and which were pressed since the last step.
class Keys {
  constructor(bindings) {
    this.bindings = bindings;
    this.down = new Set(); // names
    this.pressed = [];
  }

  takes(name) {
    return this.bindings.some((key) => key.keys.includes(name));
  }

  press(name) {
    if (!this.down.has(name)) this.pressed.push(name);
    this.down.add(name);
  }

  release(name) {
    this.down.delete(name);
  }

  counts(key) {
    return key.keys.some((name) => this.down.has(name) || this.pressed.includes(name));
  }

  active() {
    return this.bindings.some((key) => this.counts(key));
  }
}

// ---- the player's actions --------------------------------------------------------------------------------

// Whether a row may make choice k of all choices.
function isLegal(engine, row, k) {
  if (!game.masked) return true;
  const words = Math.ceil(game.counts.reduce((sum, count) => sum + count, 0) / 32);
  const mask = engine.view("actionMask", game.rows * words, "int32");
  return ((mask[row * words + (k >> 5)] >>> (k & 31)) & 1) === 1;
}

// The choice in one dimension: the latest pressed key, a key that is down, or else the game's choice without a key.
// An illegal choice is replaced by the next one in this order.
function choiceOf(engine, keys, row, dim, before) {
  const count = game.counts[dim];
  const first = game.counts.slice(0, dim).reduce((sum, each) => sum + each, 0);
  const own = keys.bindings.filter((key) => key.dim === dim);
  const idle = game.idle === "keep" ? before : game.idle === "alternate" ? 1 - Math.min(before, 1) : game.idle;
  const wanted = [];
  for (const name of [...keys.pressed].reverse())
    wanted.push(...own.filter((key) => key.keys.includes(name)).map((key) => key.choice));
  wanted.push(...own.filter((key) => keys.counts(key)).map((key) => key.choice));
  wanted.push(own.length ? Math.min(idle, count - 1) : 0);
  for (let k = 0; k < count; ++k) wanted.push(k);
  return wanted.find((k) => isLegal(engine, row, first + k)) ?? 0;
}

// Writes the person's action of a row into the engine's actions. before: the row's previous action.
function writeAction(engine, keys, row, before) {
  const actions = engine.view("actions", game.rows * game.dims, game.continuous ? "float32" : "int32");
  for (let dim = 0; dim < game.dims; ++dim) {
    const at = row * game.dims + dim;
    if (!game.continuous) {
      actions[at] = choiceOf(engine, keys, row, dim, before[dim]);
      continue;
    }
    const pushes = keys.bindings.filter((key) => key.control === dim && keys.counts(key)).map((key) => key.push);
    actions[at] = pushes.reduce((sum, push) => sum + push, 0);
  }
}

// ---- the observation panel ---------------------------------------------------------------------------------

// One row of the table: numbers where they are few, else a strip or planes of colours from low to high.
class ObservationRow {
  constructor(row, first) {
    Object.assign(this, row, { first });
    this.element = document.createElement("div");
    this.element.className = "row";
    this.element.title = `${row.help} [${shortNumber(row.low)}, ${shortNumber(row.high)}]`;
    const name = document.createElement("span");
    name.textContent = row.name;
    this.content = document.createElement(row.count <= 4 ? "b" : "canvas");
    this.element.append(name, this.content);
    if (row.count > 4) this.size();
  }

  size() {
    const planes = this.plane_width > 0;
    this.columns = planes ? this.plane_width : Math.min(this.count, this.each > 1 ? this.each * Math.max(1, Math.floor(48 / this.each)) : 48);
    this.content.width = this.columns;
    this.content.height = Math.ceil(this.count / this.columns);
    this.content.style.height = planes ? "auto" : `${Math.max(12, this.content.height * 6)}px`;
  }

  show(values) {
    const own = values.subarray(this.first, this.first + this.count);
    if (this.count <= 4) {
      this.content.textContent = Array.from(own, shortNumber).join("  ");
      return;
    }
    const context = this.content.getContext("2d");
    const image = context.createImageData(this.content.width, this.content.height);
    const span = this.high - this.low || 1;
    own.forEach((value, i) => image.data.set(heat((value - this.low) / span, this.low < 0), 4 * i));
    context.putImageData(image, 0, 0);
  }
}

// A colour for x in [0, 1]. Two-sided rows are orange below the middle and blue above it.
function heat(x, twoSided) {
  if (!twoSided) return [63, 182, 211, Math.round(255 * Math.min(1, Math.max(0, x)))];
  const side = Math.min(1, Math.max(-1, 2 * x - 1));
  const [r, g, b] = side < 0 ? [242, 121, 59] : [63, 182, 211];
  return [r, g, b, Math.round(255 * Math.abs(side))];
}

class ObservationPanel {
  constructor(element) {
    let first = 0;
    this.rows = game.observation.map((row) => {
      const made = new ObservationRow(row, first);
      first += row.count;
      return made;
    });
    element.append(...this.rows.map((row) => row.element));
  }

  show(engine, agent) {
    const values = engine.view("observations", game.rows * game.size, game.dtype);
    const own = values.subarray(agent * game.size, (agent + 1) * game.size);
    for (const row of this.rows) row.show(own);
  }
}

// ---- the page ------------------------------------------------------------------------------------------------

class Page {
  constructor(engine) {
    this.engine = engine;
    this.keys = new Keys(gameKeys());
    this.panel = new ObservationPanel($("rows"));
    this.canvas = $("screen");
    this.context = this.canvas.getContext("2d");
    this.agent = 0;
    this.player = game.policy ? ENGINE_PLAYERS.policy : HUMAN;
    this.speed = 1;
    this.paused = false;
    this.due = 0; // steps
    this.frames = 0;
    this.episodes = 0;
    this.best = null;
    this.wait = 0; // time until which the end of an episode is shown
    this.ended = false;
    this.turns = false;
  }

  start() {
    this.engine.open(1, 1, game.params, { data: game.data ? bytesOf(game.data) : null });
    if (game.policy) this.engine.setPolicy(bytesOf(game.policy));
    this.build();
    this.reset(1);
    this.turns = this.findTurns();
    this.resize();
    this.last = performance.now();
    requestAnimationFrame((now) => this.frame(now));
  }

  // In a game of turns all agents but one wait at the start.
  findTurns() {
    if (!game.masked || game.rows < 2) return false;
    return this.engine.view("forced", game.rows, "uint8").reduce((free, forced) => free + (forced ? 0 : 1), 0) === 1;
  }

  reset(seed) {
    this.seed = seed;
    this.engine.reset(seed);
    this.steps = 0;
    this.return = 0;
    this.ended = false;
    this.wait = 0;
    this.dirty = true;
  }

  // Who plays the rows that the person does not.
  others() {
    if (this.player !== HUMAN) return this.player;
    if (game.policy) return ENGINE_PLAYERS.policy;
    return game.levels ? ENGINE_PLAYERS.script + game.levels - 1 : ENGINE_PLAYERS.random;
  }

  byHand() {
    return this.player === HUMAN || (this.keys.active() && !this.turns);
  }

  // In a game of turns the game waits until the person presses a key with a legal choice.
  isThinking() {
    if (!this.turns || this.player !== HUMAN || this.engine.view("forced", game.rows, "uint8")[this.agent]) return false;
    const legal = (key) => isLegal(this.engine, this.agent, key.choice);
    return !this.keys.bindings.some((key) => legal(key) && key.keys.some((name) => this.keys.pressed.includes(name)));
  }

  step() {
    const { engine, agent } = this;
    if (this.ended) {
      engine.restart();
      this.ended = false;
      this.steps = 0;
      this.return = 0;
      return;
    }
    if (this.isThinking()) {
      this.keys.pressed.length = 0;
      this.note("your turn");
      return;
    }
    const kind = game.continuous ? "float32" : "int32";
    const before = Array.from(engine.view("actions", game.rows * game.dims, kind).subarray(agent * game.dims, (agent + 1) * game.dims));
    engine.act(this.others(), this.seed);
    if (this.byHand()) writeAction(engine, this.keys, agent, before);
    this.keys.pressed.length = 0;
    engine.step();
    this.steps += 1;
    this.return += engine.view("rewards", game.rows, "float32")[agent];
    this.noteEnds();
  }

  noteEnds() {
    const { engine } = this;
    const flags = ["terminated", "truncated"].map((name) => engine.view(name, game.rows, "uint8"));
    const ended = Array.from(flags[0], (flag, row) => flag || flags[1][row]);
    if (!ended.some(Boolean)) return;
    this.ended = true;
    if (!ended[this.agent]) return;
    const count = game.metrics.length;
    const score = count
      ? engine.view("episodeMetrics", game.rows * count, "float32")[this.agent * count]
      : engine.view("episodeReturns", game.rows, "float32")[this.agent];
    this.episodes += 1;
    this.best = this.best === null ? score : Math.max(this.best, score);
    $("score").textContent = shortNumber(score);
    $("best").textContent = shortNumber(this.best);
    $("episodes").textContent = String(this.episodes);
    this.note(`score ${shortNumber(score)}`);
    if (this.speed < 8) this.wait = performance.now() + END_MS;
  }

  frame(now) {
    const started = performance.now();
    const fps = game.fps * this.speed;
    if (!this.paused && now >= this.wait) this.due += Math.min(0.25, (now - this.last) / 1000) * fps;
    this.last = now;
    for (; this.due >= 1; this.due -= 1) {
      this.step();
      this.dirty = true;
      if (this.wait > now || performance.now() - started > STEP_BUDGET_MS) this.due = 1;
    }
    if (this.dirty) this.draw();
    if (this.noteUntil && now > this.noteUntil) $("note").classList.remove("shown");
    requestAnimationFrame((next) => this.frame(next));
  }

  draw() {
    const { width, height } = this.canvas;
    const pixels = this.engine.draw(width, height, this.agent);
    this.context.putImageData(new ImageData(pixels, width, height), 0, 0);
    $("return").textContent = shortNumber(this.return);
    $("steps").textContent = String(this.steps);
    if (this.others() === ENGINE_PLAYERS.policy || this.others() === ENGINE_PLAYERS.greedy)
      $("value").textContent = shortNumber(this.engine.view("values", game.rows, "float32")[this.agent]);
    if ($("observation").open) this.panel.show(this.engine, this.agent);
    for (const [i, button] of [...$("pad").children].entries())
      button.classList.toggle("down", this.keys.counts(this.keys.bindings[i]));
    this.frames += 1;
    this.dirty = false;
  }

  resize() {
    const aspect = this.engine.aspect() || 4 / 3;
    const room = this.canvas.parentElement.clientWidth;
    const width = Math.min(room, Math.max(240, (window.innerHeight - 300) * aspect));
    const scale = Math.min(window.devicePixelRatio || 1, MAX_SIDE_PX / Math.max(width, width / aspect));
    this.canvas.width = Math.max(16, Math.round(width * scale));
    this.canvas.height = Math.max(16, Math.round((width / aspect) * scale));
    this.canvas.style.width = `${width}px`;
    this.dirty = true;
  }

  note(text) {
    $("note").textContent = text;
    $("note").classList.add("shown");
    this.noteUntil = performance.now() + NOTE_MS;
  }

  // ---- controls -----------------------------------------------------------------------------------------

  build() {
    $("summary").textContent = game.summary;
    if (game.metrics.length) $("score-name").textContent = `Last ${game.metrics[0]}`;
    $("about").textContent =
      `${game.title} v${game.version}, run by the game's own C code as WebAssembly: the same results, bit for bit, as outside the browser.`;
    this.buildSelects();
    this.buildPad();
    $("pause").onclick = () => this.pause(!this.paused);
    $("step").onclick = () => { this.pause(true); this.step(); this.dirty = true; };
    $("reset").onsubmit = (event) => { event.preventDefault(); this.reset(Number($("seed").value) || 0); };
    $("agents").hidden = game.rows < 2;
    $("previous").onclick = () => this.follow(this.agent - 1);
    $("next").onclick = () => this.follow(this.agent + 1);
    $("observation").ontoggle = () => { this.dirty = true; };
    $("theme").onclick = () => document.documentElement.classList.toggle("light");
    this.follow(0);
    window.addEventListener("resize", () => this.resize());
    window.addEventListener("keydown", (event) => this.onKey(event, true));
    window.addEventListener("keyup", (event) => this.onKey(event, false));
    window.addEventListener("blur", () => this.keys.down.clear());
  }

  buildSelects() {
    const players = [[HUMAN, "you"]];
    if (game.policy) players.push([ENGINE_PLAYERS.policy, "policy"], [ENGINE_PLAYERS.greedy, "policy, most probable"]);
    for (let level = 0; level < game.levels; ++level) players.push([ENGINE_PLAYERS.script + level, `script ${level}`]);
    players.push([ENGINE_PLAYERS.random, "random"]);
    $("player").append(...players.map(([value, text]) => new Option(text, value, false, value === this.player)));
    $("player").onchange = () => { this.player = Number($("player").value); $("player").blur(); };
    $("speed").append(...SPEEDS.map((speed) => new Option(`${speed}×`, speed, false, speed === 1)));
    $("speed").onchange = () => { this.speed = Number($("speed").value); $("speed").blur(); };
  }

  buildPad() {
    for (const key of this.keys.bindings) {
      const button = document.createElement("button");
      const cap = document.createElement("kbd");
      button.type = "button";
      cap.textContent = KEY_LABELS[key.keys[0]] ?? key.keys[0].toUpperCase();
      button.append(cap, key.help);
      button.onpointerdown = (event) => { event.preventDefault(); this.keys.press(key.keys[0]); this.dirty = true; };
      button.onpointerup = button.onpointerleave = button.onpointercancel = () => { this.keys.release(key.keys[0]); this.dirty = true; };
      $("pad").append(button);
    }
  }

  pause(paused) {
    this.paused = paused;
    $("pause").textContent = paused ? "Play" : "Pause";
  }

  follow(agent) {
    this.agent = (agent + game.rows) % game.rows;
    $("agent").textContent = `agent ${this.agent + 1} of ${game.rows}`;
    this.return = 0;
    this.dirty = true;
  }

  onKey(event, down) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select")) return;
    const lower = event.key.toLowerCase();
    const name = KEY_NAMES[lower] ?? lower;
    if (this.keys.takes(name)) {
      if (down) this.keys.press(name);
      else this.keys.release(name);
      this.dirty = true;
      event.preventDefault();
    } else if (down && (name === "p" || name === "space") && !event.target.matches("button, summary")) {
      this.pause(!this.paused);
      event.preventDefault();
    }
  }
}

async function main() {
  if (matchMedia("(prefers-color-scheme: light)").matches) document.documentElement.classList.add("light");
  window.pufferc = new Page(await Engine.load(bytesOf(game.module)));
  window.pufferc.start();
}

main().catch((error) => {
  $("note").textContent = `This browser cannot run the game: ${error.message}`;
  $("note").classList.add("shown");
  throw error;
});
