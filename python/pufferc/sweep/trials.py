"""The runs of a sweep, as its journal has them.

    sweeps/breakout-20260131-120000/
        study.journal    Optuna's journal: the plan and every run; all that --resume needs
        trials.jsonl     a copy of the ended runs, one line each, for other programs; the sweep does not read it
        curves/7.jsonl   the log of run 7, one line per update; `pufferc plot` takes it
        confirm/         runs with fresh seeds, in directories like those of `pufferc train`
        base.toml        the configuration that the space varies
        best.toml        the best configuration so far
        report.png       see plots.py
        errors.txt       tracebacks of runs that failed, if any
        workers/         a file per process that takes part, to see which ones have ended

A run in the journal has three attributes: `purpose` when it is planned, `start` and `result`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pufferc.config import ConfigError
from pufferc.runs.scores import Score

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

COPY = "trials.jsonl"
SEARCH, CONFIRM = "search", "confirm"
ENDED = ("complete", "target")
OUTCOMES = (*ENDED, "stopped", "failed", "lost", "running")
BASE = -1  # the number of the configuration that the space varies
PURPOSE, START, RESULT = "purpose", "start", "result"  # user attributes


@dataclass(frozen=True)
class Trial:
    """One run.

    `outcome`: complete, target (score reached), stopped (hopeless, by the pruner), failed, lost (interrupted with its
    worker; it does not count) or running. `score` is that of the separate evaluation at the end; of a stopped run, the
    mean of training's last episodes.
    """

    number: int  # of the configuration: that of its run in the search, or BASE
    phase: str  # search or confirm
    seed: int
    params: Mapping[str, Any]
    outcome: str
    score: Score | None = None
    steps: int = 0
    seconds: float = 0.0  # of the run; to the target, if it was reached
    curve: tuple[tuple[int, float, float], ...] = ()  # steps, seconds, training's score
    at_s: float = 0.0  # when it ended, in seconds since the first run began
    error: str | None = None
    run: str | None = None  # its directory, if it has one
    proposal_s: float = 0.0  # of the search method, to propose it
    index: int = 0  # of the run in the study

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "score": self.score.as_dict() if self.score else None}


def read_result(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a Trial from what a worker, or the journal, says about a run's end."""
    fields = {name: values[name] for name in ("outcome", "steps", "seconds", "error", "run") if name in values}
    curve = tuple((int(steps), float(seconds), float(score)) for steps, seconds, score in values.get("curve") or ())
    return {**fields, "score": Score.from_dict(values.get("score")), "curve": curve}


def read_trial(found: FrozenTrial, began: datetime | None) -> Trial | None:
    """A run of the study whose first run began at `began`; None for one that no process has started yet."""
    purpose, start = found.user_attrs.get(PURPOSE), found.user_attrs.get(START, {})
    if purpose is None or found.state.name == "WAITING":
        return None
    lost = {"outcome": "lost"}
    result = found.user_attrs.get(RESULT, lost) if found.state.is_finished() else {"outcome": "running"}
    ended = found.datetime_complete
    return Trial(
        found.number if purpose["phase"] == SEARCH else int(purpose["number"]), purpose["phase"],
        int(start.get("seed", 0)), start.get("params", {}), **read_result(result),
        at_s=(ended - began).total_seconds() if ended and began else 0.0,
        proposal_s=float(start.get("proposal_s", 0.0)), index=found.number,
    )  # fmt: skip


def read_trials(found: Sequence[FrozenTrial]) -> list[Trial]:
    """All started runs, in the order of their ends; running ones come last. ConfigError for others than ours."""
    began = min((trial.datetime_start for trial in found if trial.datetime_start), default=None)
    try:
        trials = [trial for each in found if (trial := read_trial(each, began)) is not None]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"storage: a run of the study is not one of pufferc sweep: {error!r}") from None
    return sorted(trials, key=lambda trial: (trial.outcome == "running", trial.at_s, trial.index))
