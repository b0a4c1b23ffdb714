"""Plays every recorded trajectory in every place that this machine has, and prints a table: game x place.

    cmake --preset clang && cmake --build build/clang --target everywhere      also native, aarch64
    cmake --preset dev && cmake --build build/dev --target everywhere everywhere_device
    python tests/everywhere/places.py [--write docs/everywhere.md]

A place is a build of play.c or play_device.cpp in tests/everywhere, or WebAssembly modules under Node. --write puts the
table between the marks of a page. Exit code 1 if a hash differs from its record.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from pufferc.authoring.build import BuildError
from pufferc.envs.games import env_info
from pufferc.web.module import Tools, build_core, build_module, find_tools, game_source, needs_box2d

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"
ENGINE = ROOT / "python" / "pufferc" / "web" / "page" / "engine.js"
# Preset, program, its name in the table, and the words before the program.
BUILDS = (
    ("dev", "everywhere", "x86-64, gcc", ()),
    ("clang", "everywhere", "x86-64, clang", ()),
    ("native", "everywhere", "x86-64, gcc -march=native", ()),
    ("aarch64", "everywhere", "ARM64 (emulated)", ("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu")),
    ("dev", "everywhere_device", "device code (host stand-in)", ()),
)
MARKS = ("<!-- places: begin -->", "<!-- places: end -->")

Hashes = dict[str, list[tuple[str, str]]]  # of each game: (got, expected) for each record


def read_hashes(lines: Iterable[str]) -> Hashes:
    """The output of play.c or play.js."""
    found: Hashes = {}
    for game, _, got, _, expected in (line.split() for line in lines):
        found.setdefault(game, []).append((got, expected))
    return found


def play_build(preset: str, name: str, before: tuple[str, ...]) -> Hashes | None:
    """The hashes of a build, or None if it does not exist or cannot run here."""
    program = ROOT / "build" / preset / "tests" / "everywhere" / name
    if not program.is_file() or (before and not shutil.which(before[0])):
        return None
    done = subprocess.run([*before, str(program), str(GOLDEN)], capture_output=True, text=True, check=False)
    return read_hashes(done.stdout.splitlines())


def play_module(node: str, module: Path, game: str, version: int) -> Hashes:
    """The hashes of a game's WebAssembly module."""
    command = [node, Path(__file__).with_name("play.js"), ENGINE, module, game, version, GOLDEN / f"{game}.txt"]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{game}: {done.stderr}")
    return read_hashes(done.stdout.splitlines())


def play_modules(tools: Tools, node: str, games: Iterable[str]) -> Hashes:
    """The hashes of all games but those on Box2D."""
    found: Hashes = {}
    with tempfile.TemporaryDirectory() as folder:
        core = build_core(tools, Path(folder))
        for game in (game for game in games if not needs_box2d(game_source(game))):
            module = build_module(tools, game_source(game), core, Path(folder) / f"{game}.wasm")
            print(f"{game}: {module.stat().st_size / 1000:.0f} kB", file=sys.stderr)
            found |= play_module(node, module, game, env_info(game).version)
    return found


def play_everywhere() -> dict[str, Hashes]:
    """The hashes of every place that this machine has; prints the names of the others."""
    places: dict[str, Hashes] = {}
    for preset, program, name, before in BUILDS:
        hashes = play_build(preset, program, before)
        if hashes is None:
            print(f"left out: {name}; it needs build/{preset}, {program} {' '.join(before[:1])}", file=sys.stderr)
        else:
            places[name] = hashes
    try:
        tools, node = find_tools(), shutil.which("node")
        if node is None:
            raise BuildError("Node is not installed")
        games = sorted(set().union(*places.values()))
        places["WebAssembly (Node)"] = play_modules(tools, node, games)
    except BuildError as error:
        print(f"left out: WebAssembly; {error}", file=sys.stderr)
    return places


def table(places: dict[str, Hashes]) -> str:
    """Markdown: the number of equal hashes of each game in each place, or what differs."""
    lines = [f"| game | {' | '.join(places)} |", f"|---|{'---|' * len(places)}"]
    for game in sorted(set().union(*places.values())):
        cells = []
        for hashes in places.values():
            pairs = hashes.get(game, [])
            equal = sum(got == expected for got, expected in pairs)
            cells.append("-" if not pairs else f"{equal} equal" if equal == len(pairs) else f"{equal} of {len(pairs)}")
        lines.append(f"| {game} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    """Plays, prints and writes the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", type=Path, metavar="PAGE.md", help="replace the table in this page")
    options = parser.parse_args()
    places = play_everywhere()
    text = table(places)
    print(text)
    if options.write:
        page = options.write.read_text(encoding="utf-8")
        before, after = page.partition(MARKS[0])[0], page.partition(MARKS[1])[2]
        options.write.write_text(f"{before}{MARKS[0]}\n{text}\n{MARKS[1]}{after}", encoding="utf-8")
    pairs = [pair for hashes in places.values() for found in hashes.values() for pair in found]
    return 0 if pairs and all(got == expected for got, expected in pairs) else 1


if __name__ == "__main__":
    sys.exit(main())
