"""Cost of a step of a game as WebAssembly, compared with the native library, in one run.

    python benchmarks/bench_web.py [GAME ...] [--games 1] [--repeats 7]

Both sides make the same steps: legal random actions (csrc/conformance/play.h), then a step of the pool, on one thread.
The native side is the installed library, with its clones for wide vectors. Repeats alternate. Prints the medians, in
nanoseconds per agent step, and their ratio.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pufferc.authoring import sdk
from pufferc.envs.games import agents_per_game
from pufferc.web.module import build_core, build_module, find_tools, game_source

ENGINE = sdk.sourcedir().parent / "web" / "page" / "engine.js"
GAMES = ("breakout", "cartpole", "pong", "snake", "connect4", "g2048", "go", "drive")
SECONDS = 0.3  # of a repeat
NODE = """
const fs = require("fs");
const { Engine } = require(process.argv[1]);
const [modulePath, games] = process.argv.slice(2);
Engine.load(fs.readFileSync(modulePath)).then((engine) => {
  engine.open(Number(games), 1, {}, { autoreset: 0 });
  engine.reset(1);
  require("readline").createInterface({ input: process.stdin }).on("line", (steps) => {
    const start = process.hrtime.bigint();
    engine.run(0, 1, Number(steps));
    console.log(Number(process.hrtime.bigint() - start) / 1e9);
  });
});
"""


NATIVE = """
#include <stdlib.h>
#include "conformance/play.h"
static PfcPool* pool;
static void* actions;
static int64_t t;
int bench_open(const char* game, int32_t games) {
  const PfcPoolDesc desc = {.env = game, .num_games = games, .seed = 1};
  pool = pfc_pool_create(&desc);
  if (!pool) return 1;
  const PfcBuffers* b = pfc_pool_buffers(pool);
  actions = malloc((size_t)b->rows * (size_t)b->action_dims * 4);
  return !actions || pfc_pool_reset(pool, NULL);
}
int bench_run(int32_t steps) {
  const PfcBuffers* b = pfc_pool_buffers(pool);
  for (; steps > 0; --steps) {
    fill_actions(b, 1, t++, actions);
    if (pfc_pool_step(pool, actions, action_dtype(b), NULL)) return 1;
  }
  return 0;
}
"""


class Native:
    """A pool of the installed library."""

    def __init__(self, game: str, games: int, folder: Path) -> None:
        source, out = folder / "native.c", folder / "native.so"
        source.write_text(NATIVE)
        flags = ["-O2", "-shared", "-fPIC", *sdk.cflags(), f"-I{sdk.sourcedir()}"]
        subprocess.run(["cc", *flags, str(source), *sdk.libs(), "-o", str(out)], check=True)
        library = ctypes.CDLL(str(out))
        assert library.bench_open(game.encode(), games) == 0
        self.run = library.bench_run

    def seconds(self, steps: int) -> float:
        """Time of `steps` steps of all games."""
        start = time.perf_counter()
        assert self.run(steps) == 0
        return time.perf_counter() - start


class Wasm:
    """The module in a Node process."""

    def __init__(self, module: Path, games: int) -> None:
        command = [str(shutil.which("node")), "-e", NODE, str(ENGINE), str(module), str(games)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def seconds(self, steps: int) -> float:
        """Time of `steps` steps of all games, measured inside Node."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        return float(json.loads(self.process.stdout.readline()))


def compare(game: str, games: int, repeats: int, module: Path, folder: Path) -> tuple[float, float]:
    """Median nanoseconds per agent step, native and WebAssembly."""
    sides = (Native(game, games, folder), Wasm(module, games))
    rows = games * agents_per_game(game, {})
    steps = 20
    while sides[0].seconds(steps) < SECONDS:
        steps *= 2
    sides[1].seconds(steps)  # lets the engine compile
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for side, found in zip(sides, times, strict=True):
            found.append(side.seconds(steps) / steps / rows * 1e9)
    sides[1].process.terminate()
    sides[1].process.wait()
    return statistics.median(times[0]), statistics.median(times[1])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", default=GAMES, metavar="GAME")
    parser.add_argument("--games", type=int, default=1, help="games in the pool; default 1, as in a page")
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    tools = find_tools()
    print(f"{'game':<12}{'native ns':>12}{'wasm ns':>12}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as name:
        core = build_core(tools, Path(name))
        for game in options.names:
            folder = Path(name) / game  # a library of its own for each game
            folder.mkdir()
            module = build_module(tools, game_source(game), core, folder / "game.wasm")
            native, wasm = compare(game, options.games, options.repeats, module, folder)
            print(f"{game:<12}{native:>12.1f}{wasm:>12.1f}{wasm / native:>8.2f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
