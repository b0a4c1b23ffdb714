"""Gymnasium spaces of a pool, from the observation table and the action counts of its game."""

from __future__ import annotations

from typing import Any

import gymnasium.spaces as gs
import numpy as np
from numpy.typing import NDArray

from pufferc.envs.games import ObsInfo

__all__ = ["action_space", "choice_counts", "observation_space", "sample_legal", "sample_mask"]


def observation_space(table: tuple[ObsInfo, ...], shape: tuple[int, ...], dtype: np.dtype[Any]) -> gs.Box:
    """Box of `shape` whose bounds are those of a pool's observation table, value by value."""
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


def action_space(discrete: bool, dims: int, counts: tuple[int, ...]) -> gs.Discrete | gs.MultiDiscrete | gs.Box:
    """Discrete for one choice, MultiDiscrete for several, Box of [-1, 1] for continuous controls."""
    if not discrete:
        return gs.Box(-1.0, 1.0, (dims,), np.float32)
    if dims == 1:
        return gs.Discrete(counts[0])
    return gs.MultiDiscrete(list(counts))


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
