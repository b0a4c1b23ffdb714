"""A table: games whose rows are moved by one or more players, over the first k episodes of *each* row.

In many games bad episodes end early, so the first thousand finished episodes of a thousand rows underestimate a policy.
Means over a training window are biased in either direction. Here every row contributes its first k episodes, however
long they take. The agents of a game play until each of them has finished its episodes, so that none of them meets
agents that no player moves.

Shapes: N rows of the pool, O... = shape of one observation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium.spaces as gs
import numpy as np
import torch
from numpy.typing import NDArray

from pufferc.envs.games import Game, agents_per_game, pool_limit
from pufferc.envs.spaces import GameSpaces, game_spaces
from pufferc.envs.vector import VecEnv
from pufferc.kernels import public
from pufferc.policies import make_head

DRAW_STEP = 2**62  # number of the first step in random draws of players, beyond all training steps
MAX_STEPS = 100_000  # default limit of steps per row and episode
_MAX_ROWS = 1000


@dataclass(frozen=True)
class World:
    """The games of an evaluation or a match.

    Attributes:
        game: A name, a path, or an EnvInfo.
        params: Parameters of the game.
        num_threads: Threads that step games.
        data: Path of the game's data file, if it has one.
    """

    game: Game
    params: Mapping[str, Any]
    num_threads: int
    data: str | None = None

    def spaces(self) -> GameSpaces:
        """The spaces of a row. ValueError for parameters that do not fit."""
        return game_spaces(self.game, self.params)

    def open(self, rows: int, seed: int) -> VecEnv:
        """A pool of these games with this number of rows."""
        threads = min(self.num_threads, rows)
        return VecEnv(self.game, rows, num_threads=threads, seed=seed, data=self.data, params=self.params)


def choose_rows(game: Game, params: Mapping[str, Any], episodes: int) -> int:
    """Rows for an evaluation: up to 1000, no more than episodes, a multiple of the agents of one game.

    If the number of games per process is limited, it uses half of them, because the training pool is still open.
    """
    agents = agents_per_game(game, params)
    limit = pool_limit(game)
    max_rows = _MAX_ROWS if limit is None else min(_MAX_ROWS, limit * agents)
    return max(agents, min(episodes, max_rows) // agents * agents)


class Seat:
    """The rows that one player moves at a table, and what it remembers of them. Subclasses define `act`.

    Args:
        rows: Numbers of the rows in the pool, in ascending order.
    """

    def __init__(self, rows: NDArray[np.intp]) -> None:
        self.rows = rows

    def act(self, env: VecEnv, observations: NDArray[Any], step: int) -> NDArray[Any]:
        """The actions of the rows.

        Args:
            env: The pool, whose mask belongs to the observations.
            observations: [N, O...] of all rows of the pool.
            step: Number of this step, for random draws.
        """
        raise NotImplementedError

    def restart(self, over: NDArray[np.bool_]) -> None:
        """Forgets the past of the rows among `over` [N]."""

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Leaves out the rows that are not among `kept`, which has one entry for each row."""
        self.rows = self.rows[kept]


class Tally:
    """Episodes counted so far, at most `quota` of each row."""

    def __init__(self, rows: int, quota: int, names: list[str]) -> None:
        self.quota = quota
        self.left = np.full(rows, quota)
        self.rows: list[NDArray[Any]] = []
        self.values: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
        self.steps = 0

    def count(self, ended: NDArray[np.bool_], episode: Mapping[str, NDArray[Any]]) -> bool:
        """Adds the episodes that ended in a step; True if a row reached its quota."""
        rows = np.flatnonzero(ended & (self.left > 0))
        self.rows.append(rows)
        for name, values in self.values.items():
            values.append(episode[name][rows].astype(np.float64))
        self.left[rows] -= 1
        return bool((self.left[rows] == 0).any())

    def unfinished(self, agents: int) -> NDArray[np.bool_]:
        """The rows [N] of games in which some agent has episodes left."""
        return np.repeat((self.left.reshape(-1, agents) > 0).any(1), agents)

    def by_row(self, name: str) -> NDArray[np.float64]:
        """One value of every episode, [N, quota] in the order of a row's episodes; NaN where a row has not finished."""
        found = np.full((self.left.size, self.quota), np.nan)
        if self.rows:
            rows = np.concatenate(self.rows)
            order = np.argsort(rows, kind="stable")
            rows = rows[order]
            episode = np.arange(rows.size) - np.searchsorted(rows, rows)
            found[rows, episode] = np.concatenate(self.values[name])[order]
        return found


class _FirstLegal:
    """Actions in games that are finished: the first legal choice in each dimension."""

    def __init__(self, env: VecEnv) -> None:
        self._env, self._counts = env, make_head(env.single_action_space).output_sizes
        words = 0 if env.action_mask is None else sum(self._counts)
        self._logits = np.zeros((env.num_envs, words), np.float32)  # equal: greedy takes the first legal choice

    def choose(self, actions: NDArray[Any]) -> None:
        """Writes the actions of every row."""
        mask, counts = self._env.action_mask, self._counts
        public.sample_actions(self._logits, counts, mask=mask, seed=0, step=0, greedy=True, actions=actions)


def _narrow(seat: Seat, needed: NDArray[np.bool_]) -> None:
    """Leaves out the rows of a seat that are not among `needed` [N], if they are many."""
    kept = needed[seat.rows]
    # Each narrowing changes the batch size of a network, so it happens rarely and in large steps.
    if kept.sum() <= 0.8 * seat.rows.size:
        seat.keep(kept)


@torch.no_grad()
def play(seats: Sequence[Seat], env: VecEnv, quota: int, seed: int, max_steps: int = MAX_STEPS) -> Tally:
    """Plays until every row has finished `quota` episodes, or for quota times max_steps steps.

    The seats together hold every row of `env`, which is reset with `seed`.
    """
    observations, _ = env.reset(seed=seed)
    tally = Tally(env.num_envs, quota, ["r", "l", *env.info.metrics])
    space, idle = env.single_action_space, _FirstLegal(env)
    actions = np.zeros((env.num_envs, *(space.shape or ())), np.float32 if isinstance(space, gs.Box) else np.int32)
    while any(seat.rows.size for seat in seats) and tally.steps < max_steps * quota:
        if env.action_mask is not None and sum(seat.rows.size for seat in seats) < env.num_envs:
            idle.choose(actions)
        for seat in seats:
            if seat.rows.size:
                actions[seat.rows] = seat.act(env, observations, tally.steps)
        over = ~env.alive
        observations, infos = env._advance(actions)
        tally.steps += 1
        for seat in seats:
            seat.restart(over | env.terminated | env.truncated)
        if infos and tally.count(env.terminated | env.truncated, infos["final_info"]["episode"]):
            needed = tally.unfinished(env.agents)
            for seat in seats:
                _narrow(seat, needed)
    return tally
