// engine.js - runs one game in a WebAssembly module (csrc/web/web.h). Works in pages and under Node.
"use strict";

const ENGINE_PLAYERS = { random: 0, policy: 1, greedy: 2, script: 3 };
const ENGINE_VIEWS = {
  observations: 0, actions: 1, rewards: 2, terminated: 3, truncated: 4, alive: 5, actionMask: 6, forced: 7,
  episodeReturns: 8, episodeLengths: 9, episodeMetrics: 10, values: 11,
};
const ENGINE_SAME_STEP = 0; // PfcAutoreset
const ENGINE_DISABLED = 1;
const ENGINE_ARRAYS = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array, int8: Int8Array };

class Engine {
  // bytes: the module, a Uint8Array.
  static async load(bytes) {
    const { instance } = await WebAssembly.instantiate(bytes, {});
    return new Engine(instance.exports);
  }

  constructor(exports) {
    this.c = exports;
    this.kept = []; // memory that the module borrows until the next open
  }

  // Throws the module's message if a call failed.
  check(status) {
    if (status !== 0) throw new Error(this.text(this.c.web_error()));
  }

  text(address) {
    const bytes = new Uint8Array(this.c.memory.buffer);
    return new TextDecoder().decode(bytes.subarray(address, bytes.indexOf(0, address)));
  }

  // Copies bytes into the module and returns their address.
  put(bytes) {
    const address = this.c.web_alloc(bytes.length);
    if (!address) throw new Error("no memory left");
    new Uint8Array(this.c.memory.buffer, address, bytes.length).set(bytes);
    return address;
  }

  // params: numbers by name. data: the bytes of the file that the game reads, or null.
  open(games, seed, params, { autoreset = ENGINE_DISABLED, data = null } = {}) {
    this.c.web_clear();
    for (const address of this.kept.splice(0)) this.c.web_free(address);
    for (const [name, value] of Object.entries(params)) {
      this.kept.push(this.put(new TextEncoder().encode(name + "\0")));
      this.check(this.c.web_param(this.kept.at(-1), Number(value)));
    }
    if (data) {
      this.kept.push(this.put(data));
      this.c.web_data(this.kept.at(-1), data.length);
    }
    this.check(this.c.web_open(games, BigInt(seed), autoreset));
  }

  setPolicy(bytes) {
    const address = this.put(bytes);
    const status = this.c.web_policy(address, bytes.length);
    this.c.web_free(address);
    this.check(status);
  }

  reset(seed) {
    this.check(this.c.web_reset(BigInt(seed)));
  }

  restart() {
    this.check(this.c.web_restart());
  }

  // Fills the actions of all rows. player: a number of ENGINE_PLAYERS, plus the level for a script.
  act(player, seed) {
    this.check(this.c.web_act(player, BigInt(seed)));
  }

  step() {
    this.check(this.c.web_step());
  }

  run(player, seed, steps) {
    this.check(this.c.web_run(player, BigInt(seed), steps));
  }

  // A view of an array of the pool, valid until the module's memory grows: use it at once.
  view(name, count, dtype) {
    return new ENGINE_ARRAYS[dtype](this.c.memory.buffer, this.c.web_view(ENGINE_VIEWS[name]), count);
  }

  // Mean score and number of the episodes that ended since the last call.
  score() {
    const score = this.c.web_score();
    return { score, episodes: this.c.web_episodes() };
  }

  // Pixels [height, width, 4] of the first game.
  draw(width, height, agent) {
    const address = this.c.web_draw(width, height, agent);
    if (!address) throw new Error("the game cannot be drawn");
    return new Uint8ClampedArray(this.c.memory.buffer, address, width * height * 4);
  }

  aspect() {
    return this.c.web_aspect();
  }

  // The golden hash of a recorded trajectory, 16 digits. record: {games, steps, seed, params}, as in tests/golden.
  hash(record) {
    this.open(record.games, record.seed, record.params, { autoreset: ENGINE_SAME_STEP });
    return BigInt.asUintN(64, this.c.web_hash(record.steps)).toString(16).padStart(16, "0");
  }
}

// A line of tests/golden: version games steps seed hash [parameter=value ...].
function parseRecord(line) {
  const [version, games, steps, seed, hash, ...rest] = line.trim().split(/\s+/);
  const params = Object.fromEntries(rest.map((word) => word.split("=")));
  return { version: Number(version), games: Number(games), steps: Number(steps), seed, hash, params };
}

if (typeof module !== "undefined") module.exports = { Engine, ENGINE_PLAYERS, ENGINE_SAME_STEP, parseRecord };
