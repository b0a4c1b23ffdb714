"""The runs of a sweep as the page shows them. Only this module knows the files in a sweep's folder.

    trials.jsonl     a line per ended run: number, params, seed, outcome, score, steps, seconds, error, run
    base.toml        the configuration that the sweep varies; without it, best.toml with each run's own settings
    machine.json     the machine of the worker that started the sweep
    curves/7.jsonl   the log of run 7
    confirm/         directories of runs with fresh seeds, found like any others

Lines of trials.jsonl that are cut off or not of a run are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pufferc.config import ConfigError, read_toml
from pufferc.runs.directory import policy_name
from pufferc.runs.records import Run
from pufferc.runs.scores import Score

TRIALS, CONFIGURATIONS, MACHINE = "trials.jsonl", ("base.toml", "best.toml"), "machine.json"


def is_sweep(folder: Path) -> bool:
    """Whether a folder is a sweep's."""
    return (folder / TRIALS).is_file()


def changed_at(folder: Path) -> tuple[int, int]:
    """Changes whenever `trials` would find other runs."""
    try:
        stat = (folder / TRIALS).stat()
    except OSError:
        return (0, 0)
    return (stat.st_mtime_ns, stat.st_size)


def trials(folder: Path) -> Iterator[tuple[Run, Path]]:
    """The runs of the search with the paths of their logs."""
    try:
        lines = (folder / TRIALS).read_bytes().decode("utf-8", errors="replace").split("\n")[:-1]
    except OSError:
        return
    base, machine = _base(folder), _machine(folder)
    for line in lines:
        try:
            values = json.loads(line)
            number, directory = int(values["number"]), values.get("run")
            run = _run(folder, number, values, base, machine)
        except (ValueError, KeyError, TypeError, OverflowError):
            continue
        if directory is None:  # one with a directory is found by it
            yield run, folder / "curves" / f"{number}.jsonl"


def _base(folder: Path) -> dict[str, Any]:
    for name in CONFIGURATIONS:
        try:
            return read_toml(folder / name)
        except ConfigError:
            continue
    return {}


def _machine(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / MACHINE).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _run(folder: Path, number: int, values: Mapping[str, Any], base: Mapping[str, Any], machine: dict[str, Any]) -> Run:
    params, seed = values.get("params"), values.get("seed")
    config = _configured(base, params if isinstance(params, dict) else {}, seed)
    steps, seconds, policy = values.get("steps"), values.get("seconds"), config.get("policy")
    score = Score.from_dict(values.get("score"))
    return Run(
        folder / "curves" / str(number), f"{folder.name}/{number}", str(values.get("outcome", "damaged")),
        game=str(config.get("game", "")) or None, policy=policy_name(policy) if isinstance(policy, dict) else None,
        seed=seed if isinstance(seed, int) else None, steps=steps if isinstance(steps, int) else None,
        seconds=seconds, steps_per_second=steps / seconds if steps and seconds else None, score=score, best=score,
        problem=values.get("error"), config=config, machine=machine,
    )  # fmt: skip


def _configured(base: Mapping[str, Any], params: Mapping[str, Any], seed: Any) -> dict[str, Any]:
    """The base configuration with a trial's settings."""
    config = {key: dict(value) if isinstance(value, dict) else value for key, value in base.items()}
    for key, value in {**params, "train.seed": seed}.items():
        section, _, name = key.partition(".")
        config.setdefault(section, {})[name] = value
    return config
