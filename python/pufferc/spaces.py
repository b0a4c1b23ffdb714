"""Gymnasium spaces of a pool, from the observation table and the action counts of its game."""

from __future__ import annotations

from typing import Any

import gymnasium.spaces as gs
import numpy as np
from numpy.typing import NDArray

from pufferc.registration import ObsInfo

__all__ = ["action_space", "observation_space"]


def observation_space(table: tuple[ObsInfo, ...], shape: tuple[int, ...], dtype: np.dtype[Any]) -> gs.Box:
    """Box of `shape` whose bounds are those of the game's observation table, value by value."""
    size = int(np.prod(shape))
    low: NDArray[Any] = np.empty(size, dtype)
    high: NDArray[Any] = np.empty(size, dtype)
    start = 0
    for row in table:
        stop = start + row.count if row.count else size
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
