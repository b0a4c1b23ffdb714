"""The order of runs by objective, and the Pareto front of score and cost.

    score    the separate evaluation at the end of a fixed budget of steps; higher is better
    steps    agent steps until the separate evaluation reached train.target_score; fewer is better
    time     wall-clock seconds until then; less is better
    pareto   score and seconds of the run, two objectives; where one order is needed, by the score

Runs that missed the target come after all that reached it, by their score; then stopped ones; failed ones come last.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pufferc.sweep.trials import CONFIRM, ENDED, SEARCH, Trial

TWO = "pareto"
OBJECTIVES = ("score", "steps", "time", TWO)
LABELS = {"score": "score", "steps": "steps to target", "time": "seconds to target", TWO: "score"}
_MISSED, _WORST = 1e12, 1e15  # losses above any number of steps or seconds


def higher_is_better(objective: str) -> bool:
    """Whether more of the objective's value is better."""
    return objective in ("score", TWO)


def value(objective: str, trial: Trial) -> float | None:
    """The objective of a run; None if it was stopped, failed or missed the target."""
    if higher_is_better(objective):
        return trial.score.value if trial.outcome in ENDED and trial.score else None
    if trial.outcome != "target":
        return None
    return float(trial.steps) if objective == "steps" else trial.seconds


def loss(objective: str, trial: Trial) -> float:
    """A number that is lower for better runs, for runs that were not stopped; samplers use its order only."""
    found = value(objective, trial)
    if found is not None:
        return -found if higher_is_better(objective) else found
    if trial.outcome == "complete" and trial.score is not None:
        shortfall = -trial.score.value / (1.0 + abs(trial.score.value))  # in (-1, 1)
        return _MISSED * (2.0 + shortfall)
    return _WORST


def ranked(objective: str, trials: Iterable[Trial]) -> list[Trial]:
    """The complete runs of the search, best first; equal runs are ordered by cost."""
    ended = [trial for trial in trials if trial.phase == SEARCH and trial.outcome in ENDED]
    return sorted(ended, key=lambda trial: (loss(objective, trial), trial.seconds, trial.number))


def pareto(trials: Iterable[Trial]) -> list[Trial]:
    """Complete runs that no other run beats in score at equal or lower cost; cheapest first."""
    ended = [trial for trial in trials if trial.phase == SEARCH and trial.outcome in ENDED]
    front: list[Trial] = []
    for trial in sorted(ended, key=lambda t: (t.seconds, -(t.score.value if t.score else 0.0))):
        if trial.score and (not front or front[-1].score is None or trial.score.value > front[-1].score.value):
            front.append(trial)
    return front


@dataclass(frozen=True)
class Confirmed:
    """One configuration with fresh seeds. `mean` and `spread` are over the runs that have a value.

    It is `complete` with as many ended runs as the sweep asks for.
    """

    number: int
    runs: tuple[Trial, ...]
    values: tuple[float, ...]
    complete: bool

    @property
    def mean(self) -> float | None:
        return statistics.mean(self.values) if self.values else None

    @property
    def spread(self) -> float | None:
        """Standard deviation between seeds; None for fewer than two."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    @property
    def missing(self) -> int:
        """Runs without a value: failed, or the target not reached."""
        return len(self.runs) - len(self.values)


def confirmed(objective: str, trials: Sequence[Trial], seeds: int) -> list[Confirmed]:
    """The configurations with fresh seeds, best first; those with fewer than `seeds` runs or values come last."""
    groups: dict[int, list[Trial]] = {}
    for trial in trials:
        if trial.phase == CONFIRM and trial.outcome not in ("lost", "running"):
            groups.setdefault(trial.number, []).append(trial)
    found = []
    for number, runs in groups.items():
        values = (value(objective, run) for run in runs)
        found.append(Confirmed(number, tuple(runs), tuple(v for v in values if v is not None), len(runs) >= seeds))
    sign = -1.0 if higher_is_better(objective) else 1.0
    return sorted(found, key=lambda c: (not c.complete, c.missing, c.mean is None, sign * (c.mean or 0.0), c.number))


def best(objective: str, trials: Sequence[Trial], seeds: int) -> Confirmed | None:
    """The configuration with the best mean over fresh seeds, which may be the base; None before any is confirmed."""
    found = confirmed(objective, trials, seeds)
    return found[0] if found and found[0].complete and found[0].values else None


def difference(better: Confirmed, other: Confirmed) -> tuple[float, float] | None:
    """Difference of two means and its standard error; None with fewer than two seeds each."""
    if better.mean is None or other.mean is None or better.spread is None or other.spread is None:
        return None
    variance = better.spread**2 / len(better.values) + other.spread**2 / len(other.values)
    return better.mean - other.mean, variance**0.5
