"""The interface of a pool for pictures, so that they do not depend on environment classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import gymnasium as gym

from pufferc import _core

__all__ = ["ObservationRow", "PoolView"]


class ObservationRow(Protocol):
    """`count` consecutive observation values in [low, high]."""

    @property
    def name(self) -> str: ...
    @property
    def count(self) -> int: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


class PoolView(Protocol):
    """A pool of num_games games, of `agents` rows each. `pufferc.VecEnv` is one."""

    @property
    def core(self) -> _core.Pool:
        """The compiled pool whose games are drawn."""

    @property
    def title(self) -> str:
        """The game's display name."""

    @property
    def num_games(self) -> int: ...
    @property
    def agents(self) -> int: ...
    @property
    def fps(self) -> float:
        """Steps per second for watching."""

    @property
    def single_action_space(self) -> gym.Space[Any]:
        """Of one row."""

    @property
    def observation_rows(self) -> Sequence[ObservationRow]: ...
