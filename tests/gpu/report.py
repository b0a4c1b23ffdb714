"""Turns the lines of JSON of run.sh into one table, with the target of each figure.

    python3 tests/gpu/report.py RESULTS.jsonl [--json RESULTS.json] [--no-targets]

Needs no package. Exit code 1 if a target was missed, a hash differs or a part failed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

Line = dict[str, Any]
LARGE_BYTES = 100e6  # from here on the advantage kernel should come near the bandwidth of a copy
MIN_FRACTION = 0.85
# Times to stay below, by (steps, rows).
PUBLISHED_US = {(8, 32768): 7.1, (128, 8192): 6.5}


class Table:
    """Rows of text: what, result, target, whether it was met. `timed`: times have targets."""

    def __init__(self, timed: bool) -> None:
        self.rows: list[tuple[str, str, str, str]] = []
        self.timed, self.good = timed, True

    def add_timed(self, what: str, result: str, target: str, met: bool) -> None:
        """A row whose target depends on the machine."""
        self.add(what, result, *((target, met) if self.timed else ()))

    def add(self, what: str, result: str, target: str = "", met: bool | None = None) -> None:
        self.rows.append((what, result, target, "" if met is None else "met" if met else "MISSED"))
        self.good = self.good and met is not False

    def text(self) -> str:
        rows = [("what", "result", "target", ""), *self.rows]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        )


def add_machine(table: Table, line: Line) -> None:
    table.add("GPU", f"{line['gpu']}, driver {line['driver']}, CUDA {line['cuda']}")


def add_step(table: Table, line: Line) -> None:
    """A part of run.sh: done, failed, or left out with a reason."""
    state = line["state"]
    table.add(line["name"], f"{state}, {line['seconds']} s", "done", {"done": True, "failed": False}.get(state))


def add_hashes(table: Table, lines: list[Line]) -> None:
    games: dict[str, list[bool]] = {}
    for line in lines:
        games.setdefault(line["game"], []).append(line["got"] == line["expected"])
    wrong = sorted(game for game, equal in games.items() if not all(equal))
    result = f"{sum(map(sum, games.values()))} of {len(lines)} equal, {len(games)} games"
    table.add("golden hashes on the device", result + "".join(f", not {game}" for game in wrong), "all", not wrong)


def add_advantages(table: Table, lines: list[Line]) -> None:
    table.add("advantage, shapes", str(len(lines)))
    for line in lines:
        us, limit = line["us"], line["limit_us"]
        shape = (line["steps"], line["rows"])
        large, published = line["bytes"] >= LARGE_BYTES, PUBLISHED_US.get(shape)
        name = f"advantage {shape[0]} x {shape[1]}"
        result = f"{us:.1f} us, {limit / us:.0%} of a copy's bandwidth"
        if published:
            table.add_timed(name, result, f"<= {published} us", us <= published)
        elif large:
            table.add_timed(name, result, f">= {MIN_FRACTION:.0%}", limit / us >= MIN_FRACTION)
        else:
            table.add(name, result)


def add_game(table: Table, line: Line) -> None:
    if "left_out" in line:
        table.add(f"{line['game']} alone", f"left out: {line['left_out']}")
        return
    name, rate = f"{line['game']} alone", line["steps_per_s"]
    result = f"{rate / 1e6:.1f} M steps/s, {line['games']} games"
    if line["game"] == "breakout":
        table.add_timed(name, result, ">= 1000 M", rate >= 1e9)
    else:
        table.add(name, result)


def add_speed(table: Table, line: Line) -> None:
    name, rate = f"breakout, {line['what']}", line["steps_per_s"]
    result = f"{rate / 1e6:.1f} M steps/s"
    if line["what"] == "training":
        table.add_timed(name, result, ">= 60 M", rate >= 60e6)
    else:
        table.add(name, result)


def add_solved(table: Table, lines: list[Line]) -> None:
    seconds = [line["seconds"] for line in lines]
    for line in lines:
        reached = line["outcome"] == "target"
        result = f"{line['seconds']:.2f} s, {line['outcome']}, score {line['score']}"
        table.add(f"breakout to 821, whole process, seed {line['seed']}", result, "target", reached)
    table.add("breakout to 821, median", f"{statistics.median(seconds):.2f} s")


def tabulate(lines: list[Line], timed: bool = True) -> Table:
    """The table of all lines, in the order of the parts."""
    table = Table(timed)
    parts: dict[str, list[Line]] = {}
    for line in lines:
        parts.setdefault(line["part"], []).append(line)
    for name, add in (("machine", add_machine), ("step", add_step)):
        for line in parts.get(name, []):
            add(table, line)
    if hashes := parts.get("hash"):
        add_hashes(table, hashes)
    for line in parts.get("copy", []):
        table.add("copy on the device", f"{line['bytes_per_s'] / 1e9:.0f} GB/s read and written")
    if advantages := parts.get("advantage"):
        add_advantages(table, advantages)
    for name, add in (("envs", add_game), ("speed", add_speed)):
        for line in parts.get(name, []):
            add(table, line)
    if solved := parts.get("solve"):
        add_solved(table, solved)
    return table


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all lines as one JSON array")
    parser.add_argument("--no-targets", action="store_true", help="times need not reach targets")
    options = parser.parse_args()
    text = options.results.read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    if options.json:
        options.json.write_text(json.dumps(lines, indent=1) + "\n", encoding="utf-8")
    table = tabulate(lines, not options.no_targets)
    print(table.text())
    return 0 if table.good and lines else 1


if __name__ == "__main__":
    sys.exit(main())
