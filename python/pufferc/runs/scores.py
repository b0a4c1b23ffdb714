"""Scores of a policy: from an evaluation, or else from the last episodes of training."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pufferc.training.evaluate import Evaluation

WINDOW_EPISODES = 100


@dataclass(frozen=True)
class Score:
    """A mean score over `episodes` episodes. `ci95` is the half width of its 95 % interval, None where unknown."""

    value: float
    source: Literal["evaluation", "training"]
    episodes: int
    ci95: float | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_dict(values: object) -> Score | None:
        """The inverse of as_dict; None for anything else."""
        if not isinstance(values, Mapping) or not _is_finite(values.get("value")):
            return None
        ci95, episodes = values.get("ci95"), values.get("episodes")
        return Score(
            float(values["value"]),
            "evaluation" if values.get("source") == "evaluation" else "training",
            episodes if isinstance(episodes, int) else 0,
            float(ci95) if ci95 is not None and _is_finite(ci95) else None,
        )


def evaluation_score(found: Evaluation) -> Score | None:
    """The score of an evaluation; None if no episode finished."""
    if not math.isfinite(found.score):
        return None
    return Score(found.score, "evaluation", found.episodes, found.ci95 if math.isfinite(found.ci95) else None)


class ScoreWindow:
    """The mean score of the last updates of training that together have WINDOW_EPISODES episodes.

    It lags behind an improving policy, because episodes began with an older one. `state`: that of an earlier window.
    """

    def __init__(self, state: Sequence[tuple[float, int]] = ()) -> None:
        self._updates = deque((float(score), int(episodes)) for score, episodes in state)
        self._episodes = sum(episodes for _, episodes in self._updates)

    def state(self) -> list[tuple[float, int]]:
        """The mean score and the number of episodes of each update, as JSON values for a checkpoint."""
        return list(self._updates)

    def add(self, line: Mapping[str, Any]) -> None:
        """Adds the line of one update."""
        score, episodes = line.get("score", line.get("episode_return")), int(line.get("episodes") or 0)
        if episodes < 1 or not _is_finite(score):
            return
        self._updates.append((float(score or 0.0), episodes))
        self._episodes += episodes
        while self._episodes - self._updates[0][1] >= WINDOW_EPISODES:
            self._episodes -= self._updates.popleft()[1]

    def score(self) -> Score | None:
        """None until WINDOW_EPISODES episodes have finished: the mean of a few would often be the best of a run."""
        if self._episodes < WINDOW_EPISODES:
            return None
        total = math.fsum(score * episodes for score, episodes in self._updates)
        return Score(total / self._episodes, "training", self._episodes)


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
