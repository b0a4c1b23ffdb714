"""`pufferc runs`: lists runs."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from pufferc.runs.records import HEAD, list_runs, row, table


def main(words: list[str]) -> int:
    """`pufferc runs [GAME] [--runs DIR] [--json]`."""
    parser = argparse.ArgumentParser("pufferc runs", description="List runs, their settings and their results.")
    parser.add_argument("game", nargs="?", help="only runs of this game")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder to look in (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="as JSON, with the whole configuration")
    options = parser.parse_args(words)
    if not options.runs.is_dir():
        raise ValueError(f"runs: there is no folder {options.runs}; pufferc train creates it, or pass --runs FOLDER")
    found = list_runs(options.runs, options.game)
    if options.json:
        print(json.dumps([run.as_dict() for run in found], indent=1, default=str))  # TOML has dates, JSON does not
        return 0
    if not found:
        print(f"no runs{f' of {options.game}' if options.game else ''} in {options.runs}", file=sys.stderr)
        return 0
    print(table(HEAD, [row(run) for run in found]))
    if any(run.best is not None and run.best.source == "training" for run in found):
        print("~ mean of training's last episodes, where no evaluation was made")
    for run in found:
        if run.problem is not None:
            print(f"{run.name}: {run.problem}")
    return 0
