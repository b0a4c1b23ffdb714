"""The seat plan: which policy plays which rows of the training games.

A policy id is 0 for the learner, 1 to P for the frozen networks in use, and -1 - level for the game's script. A row
keeps its id until its game ends, that is, until all rows of the game end in the same step. The plan of a game's next
episode depends only on the seed, the number of the game in the whole run, the number of the episode, and the choices
that are valid at that time. It does not depend on threads or processes, so a run repeats and resumes exactly.

In a share `mirror` of the games the learner has all seats. In the others it has the seats of one team, drawn
uniformly; one opponent, drawn by weight, has those of all other teams.

Shapes: G games, A agents of a game, N = G * A rows, g games that ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEARNER = 0
Ids = NDArray[np.int32]
Games = NDArray[np.intp]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_STREAM = np.uint64(0xD1342543DE82EF95)  # odd, as in pfc_rng_seed
_SEED = 0x73656174  # keeps the plan's draws apart from those of games with the same seed


def script_id(level: int) -> int:
    """The policy id of a level of the game's script."""
    return -1 - level


def script_level(policy_id: int) -> int:
    """The level of the game's script with this policy id."""
    return -1 - policy_id


def hash64(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """pfc_hash64 of rng.h, element by element."""
    x = x + _GOLDEN
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = x ^ (x >> np.uint64(31))
    return mixed


def uniform(keys: NDArray[np.uint64], draw: int) -> NDArray[np.float64]:
    """Number `draw` of the uniform draws in [0, 1) that belong to each key."""
    bits = hash64(keys + np.uint64(draw)) >> np.uint64(11)
    numbers: NDArray[np.float64] = bits.astype(np.float64) * 2.0**-53
    return numbers


@dataclass(frozen=True)
class Choices:
    """What the plan of a game is drawn from.

    Attributes:
        mirror: Share of games in which the learner has all seats.
        ids: The opponents' policy ids. Without any, the learner has all seats.
        weights: Their weights, above 0, not normalised.
    """

    mirror: float
    ids: Sequence[int] = ()
    weights: Sequence[float] = ()


class SeatPlan:
    """The policy id of every row.

    Args:
        teams: int32 [A], the team of each agent of a game, 0 to at least 1.
        numbers: uint64 [G], the number of each game in the whole run.
        seed: The run's seed.
    """

    def __init__(self, teams: Ids, numbers: NDArray[np.uint64], seed: int) -> None:
        self.teams, self.num_teams = teams, int(teams.max()) + 1
        root = hash64(np.array([seed ^ _SEED], np.uint64))
        self._keys = hash64(root ^ (numbers * _STREAM))
        self.policy_id: Ids = np.zeros(numbers.size * teams.size, np.int32)  # [N]
        self.episodes = np.zeros(numbers.size, np.int64)  # [G], number of the current episode
        self.own = np.ones(self.policy_id.size, np.bool_)  # [N], the learner's rows
        self.choices = Choices(1.0)

    @property
    def games(self) -> Ids:
        """The policy ids as [G, A], a view."""
        return self.policy_id.reshape(-1, self.teams.size)

    def start(self) -> None:
        """Draws the first episode of every game."""
        self.episodes[:] = 0
        self._draw(np.arange(self.episodes.size))

    def restore(self, policy_id: Ids, episodes: NDArray[np.int64]) -> None:
        """Continues from saved arrays."""
        self.policy_id[:], self.episodes[:] = policy_id, episodes
        self.own = self.policy_id == LEARNER

    def ended(self, flags: NDArray[np.bool_]) -> Games:
        """The games [g] all of whose rows are among `flags` [N], those that ended in a step."""
        return np.flatnonzero(flags.reshape(-1, self.teams.size).all(1))

    def advance(self, games: Games) -> bool:
        """Draws the next episode of games [g]. Returns whether any row changed hands."""
        self.episodes[games] += 1
        before = self.games[games]
        self._draw(games)
        return not np.array_equal(before, self.games[games])

    def opponents(self, games: Games) -> Ids:
        """The opponent's policy id in each of games [g], 0 where the learner has all seats."""
        ids = self.games[games]
        found: Ids = ids.min(1) + ids.max(1)  # a game has one opponent, so one of the two is 0
        return found

    def _draw(self, games: Games) -> None:
        choices = self.choices
        if choices.mirror >= 1.0 or not choices.ids:
            self.games[games] = LEARNER
        else:
            self.games[games] = self._drawn(games)
        self.own = self.policy_id == LEARNER

    def _drawn(self, games: Games) -> Ids:
        """The policy ids [g, A] of the current episodes of games [g]."""
        choices = self.choices
        keys = hash64(self._keys[games] ^ (self.episodes[games].astype(np.uint64) * _STREAM))
        mirrored = uniform(keys, 0) < choices.mirror
        side = (uniform(keys, 1) * self.num_teams).astype(np.int32)
        bounds = np.cumsum(choices.weights)
        at = np.searchsorted(bounds, uniform(keys, 2) * bounds[-1], side="right")
        opponent = np.asarray(choices.ids, np.int32)[np.minimum(at, len(choices.ids) - 1)]
        own = mirrored[:, None] | (self.teams[None, :] == side[:, None])
        ids: Ids = np.where(own, np.int32(LEARNER), opponent[:, None])
        return ids


def points_of(scores: NDArray[np.floating], own: NDArray[np.bool_]) -> NDArray[np.float64]:
    """A player's points in each of g games: 1, or 0, if its agents have the higher, or lower, mean score; else 0.5.

    Args:
        scores: [..., A], the metric score of every agent; NaN gives NaN.
        own: bool, broadcast to [..., A], the player's agents.
    """
    own = np.broadcast_to(own, scores.shape)
    counts = own.sum(-1)
    sums = [np.where(part, scores, 0.0).sum(-1, dtype=np.float64) for part in (own, ~own)]
    # Each sum times the other side's agents: equal means stay equal, because float64 holds these products exactly.
    found: NDArray[np.float64] = 0.5 + 0.5 * np.sign(sums[0] * (scores.shape[-1] - counts) - sums[1] * counts)
    return found
