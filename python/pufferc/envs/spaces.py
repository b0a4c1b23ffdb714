"""Gymnasium spaces of a game, from its observation table and its action counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium.spaces as gs
import numpy as np
from numpy.typing import NDArray

from pufferc.envs.games import Game, ObsInfo, env_info, game_layout, obs_info

__all__ = ["GameSpaces", "choice_counts", "game_spaces", "sample_legal", "sample_mask"]


@dataclass(frozen=True)
class GameSpaces:
    """Spaces of one row of a game, for given parameters.

    Attributes:
        name, version: The game.
        agents: Rows of one game.
        teams: Number of teams; 0 = none.
        observation_space: Box.
        observation_rows: The observation table: what the values of an observation mean.
        action_space: Discrete, MultiDiscrete, or a Box of [-1, 1] for continuous controls.
        action_counts: Choices of each dimension; empty for continuous controls.
        masked: Some choices are sometimes illegal.
    """

    name: str
    version: int
    agents: int
    teams: int
    observation_space: gs.Box
    observation_rows: tuple[ObsInfo, ...]
    action_space: gs.Discrete | gs.MultiDiscrete | gs.Box
    action_counts: tuple[int, ...]
    masked: bool

    @property
    def mask_words(self) -> int:
        """uint32 words of a row's action mask; 0 in a game without masks."""
        return -(-sum(self.action_counts) // 32) if self.masked else 0


def game_spaces(game: Game, params: Mapping[str, float]) -> GameSpaces:
    """The spaces of a game with these parameters; no pool is made. ValueError for parameters that do not fit."""
    info, layout = env_info(game), game_layout(game, params)
    rows = tuple(obs_info(row) for row in layout["observation"])
    return GameSpaces(
        name=info.name,
        version=info.version,
        agents=layout["agents"],
        teams=layout["teams"],
        observation_space=_observation_space(rows, layout["observation_shape"], layout["observation_dtype"]),
        observation_rows=rows,
        action_space=_action_space(layout["action_counts"], layout["continuous_dims"]),
        action_counts=layout["action_counts"],
        masked=layout["masked"],
    )


def _observation_space(table: tuple[ObsInfo, ...], shape: tuple[int, ...], dtype: np.dtype[Any]) -> gs.Box:
    """Box of `shape` whose bounds are those of an observation table, value by value."""
    size = int(np.prod(shape))
    low: NDArray[Any] = np.empty(size, dtype)
    high: NDArray[Any] = np.empty(size, dtype)
    start = 0
    for row in table:
        stop = start + row.count
        low[start:stop] = row.low
        high[start:stop] = row.high
        start = stop
    return gs.Box(low.reshape(shape), high.reshape(shape), dtype=dtype.type)


def _action_space(counts: tuple[int, ...], continuous_dims: int) -> gs.Discrete | gs.MultiDiscrete | gs.Box:
    if continuous_dims:
        return gs.Box(-1.0, 1.0, (continuous_dims,), np.float32)
    return gs.Discrete(counts[0]) if len(counts) == 1 else gs.MultiDiscrete(list(counts))


def choice_counts(space: gs.Space[Any]) -> tuple[int, ...]:
    """Choices of each dimension of a single action space. TypeError for a continuous one."""
    if isinstance(space, gs.Discrete):
        return (int(space.n),)
    if isinstance(space, gs.MultiDiscrete):
        return tuple(int(count) for count in space.nvec)
    raise TypeError(f"space must be Discrete or MultiDiscrete, got {space}")


def sample_mask(space: gs.Space[Any], mask: NDArray[np.bool_]) -> Any:
    """The mask bool [K] of one row as `space.sample(mask=...)` takes it: int8, or a tuple for MultiDiscrete."""
    parts = np.split(mask.view(np.int8), np.cumsum(choice_counts(space))[:-1])
    return parts[0] if isinstance(space, gs.Discrete) else tuple(parts)


def sample_legal(space: gs.Space[Any], masks: NDArray[np.bool_], generator: np.random.Generator) -> NDArray[np.int32]:
    """Random legal actions of many rows.

    Args:
        space: The single action space, Discrete or MultiDiscrete.
        masks: bool [N, K]: True = legal; at least one in each dimension.
        generator: Source of random numbers.

    Returns:
        int32 [N] for Discrete, [N, D] for MultiDiscrete. Each legal choice of a dimension is equally likely.
    """
    counts = choice_counts(space)
    actions = np.empty((len(masks), len(counts)), np.int32)
    for d, part in enumerate(np.split(masks, np.cumsum(counts)[:-1], axis=1)):
        order = np.cumsum(part, axis=1)  # number of legal choices up to here
        number = generator.integers(0, order[:, -1])
        actions[:, d] = (order > number[:, None]).argmax(axis=1)
    return actions[:, 0] if isinstance(space, gs.Discrete) else actions
