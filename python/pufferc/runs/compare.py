"""Differences of runs: configuration, versions and machine."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pufferc.runs.directory import members
from pufferc.runs.records import Run, is_run, read_run, table

_ABSENT = "-"


def find_runs(names: Sequence[str], runs: Path) -> list[Run]:
    """Runs by directory, or by name within `runs`; a group means all its runs. ValueError for other names."""
    paths: list[Path] = []
    for name in names:
        path = Path(name) if Path(name).is_dir() else runs / name
        if not is_run(path) or not members(path):
            raise ValueError(f"compare: {name} is not a run: neither a run's directory nor a name in {runs}")
        paths += members(path)
    unique = list(dict.fromkeys(path.resolve() for path in paths))
    if len(unique) < 2:
        raise ValueError(f"compare: expected at least two different runs, got {len(unique)}")
    return [read_run(path) for path in dict.fromkeys(paths)]


def flat(tables: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as one, with keys joined by dots: train.seed."""
    values: dict[str, Any] = {}
    for key, value in tables.items():
        values |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return values


def differences(tables: Sequence[Mapping[str, Any]], ignore: Sequence[str] = ()) -> dict[str, list[Any]]:
    """Keys whose values differ, with the value of each table; None where a table lacks the key."""
    flattened = [flat(values) for values in tables]
    keys = dict.fromkeys(key for values in flattened for key in values if key not in ignore)
    found = {key: [values.get(key) for values in flattened] for key in keys}
    return {key: values for key, values in found.items() if any(value != values[0] for value in values)}


def spread_text(runs: Sequence[Run]) -> str | None:
    """Mean and standard deviation of the scores, if the runs differ in their seeds only."""
    scores = [run.best.value for run in runs if run.best is not None]
    seeds_only = differences([run.config for run in runs]).keys() <= {"train.seed"}
    if not seeds_only or len(scores) < 2:
        return None
    return f"the runs differ in their seeds only: mean {statistics.mean(scores):.2f}, standard deviation " + (
        f"{statistics.stdev(scores):.2f} over {len(scores)} runs"
    )


def _text(value: Any) -> str:
    return _ABSENT if value is None else value if isinstance(value, str) else json.dumps(value, default=str)


def section(title: str, found: Mapping[str, Sequence[Any]], letters: Sequence[str]) -> str:
    """What differs in one respect, as text: a line per key with the value of each run."""
    if not found:
        return f"{title}: no difference"
    rows = [[key, *map(_text, values)] for key, values in found.items()]
    return table([title, *letters], rows)
