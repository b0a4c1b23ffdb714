"""Early stopping of bad runs, by the mean score of training's last episodes at fixed numbers of steps (rungs).

    median    a run stops that is below the median of all that came as far, once five of them have; at a fifth of
              the steps and every tenth after it
    asha      a run continues if it is in the upper third of those that have reached the rung; at a 9th and a 3rd of the
              steps. It spends most on the best, and may stop one that learns late (Li et al., 2020)
    none

Training scores are used only here; the results of a sweep are those of separate evaluations.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

RULES = ("median", "asha", "none")
_MEDIAN_SHARES = tuple(share / 10 for share in range(2, 10))
_MEDIAN_MIN = 5
_REDUCTION = 3
_ASHA_SHARES = (1 / 9, 1 / 3)


def rungs(rule: str, total_steps: int) -> list[int]:
    """Steps at which runs are compared; the same for all runs of a sweep."""
    shares: Sequence[float] = {"median": _MEDIAN_SHARES, "asha": _ASHA_SHARES, "none": ()}[rule]
    return [round(share * total_steps) for share in shares]


class Stopping:
    """The scores of all runs at each rung."""

    def __init__(self, rule: str) -> None:
        self.rule = rule
        self._scores: dict[int, list[float]] = {}

    def restore(self, runs: Iterable[Sequence[tuple[int, float]]]) -> None:
        """Adds the scores of runs of an earlier part of the sweep."""
        for reports in runs:
            for rung, score in reports:
                self._scores.setdefault(rung, []).append(score)

    def keeps(self, rung: int, score: float) -> bool:
        """Whether a run with `score` at a rung continues."""
        scores = self._scores.setdefault(rung, [])
        scores.append(score)
        if self.rule == "median":
            return len(scores) <= _MEDIAN_MIN or score >= statistics.median(scores)
        if self.rule == "asha":
            return len(scores) < _REDUCTION or score >= sorted(scores, reverse=True)[len(scores) // _REDUCTION - 1]
        return True
