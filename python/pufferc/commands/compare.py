"""`pufferc compare`: shows how runs differ."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pufferc.runs.compare import differences, find_runs, section, spread_text
from pufferc.runs.records import HEAD, row, score_text, table


def main(words: list[str]) -> int:
    """`pufferc compare RUN RUN... [--runs DIR] [--json]`."""
    parser = argparse.ArgumentParser("pufferc compare", description="Differences of runs, and how each ended.")
    parser.add_argument("run", nargs="+", help="directories of runs or groups of seeds, or their names in --runs")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder for names (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="as JSON")
    options = parser.parse_args(words)
    runs = find_runs(options.run, options.runs)
    config = differences([run.config for run in runs])
    machine = differences([run.machine for run in runs], ignore=("started",))
    if options.json:
        found = {"config": config, "machine": machine, "runs": [run.as_dict() for run in runs]}
        print(json.dumps(found, indent=1, default=str))  # TOML has dates, JSON does not
        return 0
    letters = [chr(ord("A") + i) if i < 26 else str(i) for i in range(len(runs))]
    head = ["", *HEAD[:1], *HEAD[4:7], "score at the end", *HEAD[7:]]
    rows = []
    for letter, run in zip(letters, runs, strict=True):
        cells = row(run)
        rows.append([letter, cells[0], *cells[4:7], score_text(run.score), *cells[7:]])
    print(table(head, rows))
    print(f"\n{section('configuration', config, letters)}\n\n{section('machine and versions', machine, letters)}")
    spread = spread_text(runs)
    if spread is not None:
        print(f"\n{spread}")
    for letter, run in zip(letters, runs, strict=True):
        if run.problem is not None:
            print(f"{letter}: {run.problem}")
    return 0
