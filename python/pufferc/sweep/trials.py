"""The results of a sweep: trials, and the file that holds them.

    sweeps/breakout-20260131-120000/
        sweep.json       the plan: space, method, objective, limits, machine
        base.toml        the configuration that the space varies
        trials.jsonl     one line per ended run, in the order of their ends
        curves/7.jsonl   the log of run 7, one line per update; `pufferc plot` takes it
        confirm/         runs with fresh seeds, in directories like those of `pufferc train`
        best.toml        the best configuration so far
        report.png       see plots.py
        errors.txt       tracebacks of runs that failed, if any

A line of trials.jsonl is synced before the next run is counted, so a killed sweep loses no ended run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from pufferc.config import ConfigError
from pufferc.runs.scores import Score
from pufferc.runs.text import plain

FILE = "trials.jsonl"
SEARCH, CONFIRM = "search", "confirm"
OUTCOMES = ("complete", "target", "stopped", "failed")
BASE = 0  # the number of the configuration that the space varies, when it is run again beside the best


@dataclass(frozen=True)
class Trial:
    """One run that ended: complete, target (score reached), stopped (hopeless, see stopping.py) or failed.

    `score` is that of the separate evaluation at the end; of a stopped run, the mean of training's last episodes.
    """

    number: int  # of the configuration, from 1; BASE for the one that the space varies
    phase: str  # search or confirm
    seed: int
    params: Mapping[str, Any]
    outcome: str
    steps: int = 0
    seconds: float = 0.0  # wall clock, evaluations included
    score: Score | None = None
    rungs: Sequence[tuple[int, float]] = field(default_factory=tuple)  # training's score after so many steps
    at_s: float = 0.0  # when it ended, in seconds of the sweep
    error: str | None = None
    run: str | None = None  # its directory, if it has one

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "score": self.score.as_dict() if self.score else None}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Trial:
        """The inverse of as_dict, without unknown keys; KeyError, TypeError or ValueError for anything else."""
        known = {name: values[name] for name in (f.name for f in fields(Trial)) if name in values}
        if known["outcome"] not in OUTCOMES or known["phase"] not in (SEARCH, CONFIRM):
            raise ValueError(f"outcome {known['outcome']!r} in phase {known['phase']!r}")
        known |= {"number": int(known["number"]), "seconds": float(known["seconds"]), "steps": int(known["steps"])}
        known["params"] = dict(known["params"])
        known["score"] = Score.from_dict(known.get("score"))
        known["rungs"] = tuple((int(steps), float(score)) for steps, score in known.get("rungs", ()))
        return Trial(**known)


class TrialFile:
    """Appends to trials.jsonl; each line is on the disk when `add` returns."""

    def __init__(self, directory: Path) -> None:
        """Removes an incomplete last line, left by a killed process. OSError if that fails."""
        path = directory / FILE
        self._file = path.open("ab")
        whole = path.read_bytes().rfind(b"\n") + 1
        if whole < path.stat().st_size:
            self._file.truncate(whole)

    def add(self, trial: Trial) -> None:
        values = {key: plain(value) for key, value in trial.as_dict().items()}
        self._file.write(json.dumps(values).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def read_trials(directory: Path) -> list[Trial]:
    """The trials of a sweep, without an incomplete last line. ConfigError for invalid lines."""
    path = directory / FILE
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigError(f"sweep: cannot read {path}: {error.strerror}") from None
    trials = []
    for number, line in enumerate(lines[:-1], 1):  # the last element is empty or an incomplete line
        try:
            trials.append(Trial.from_dict(json.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(f"sweep: {path}, line {number} is not a trial: {error}") from None
    return trials
