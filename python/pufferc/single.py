"""SingleEnv: one game of one agent as a `gymnasium.Env`, for `gymnasium.make`.

A pool of one game with autoreset disabled. Arrays that are returned belong to the caller.
"""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from pufferc import _errors
from pufferc.vector import VecEnv

__all__ = ["SingleEnv"]


class SingleEnv(gym.Env[NDArray[Any], Any]):
    """One game of one agent. After an episode ended, call reset before the next step.

    Args:
        name: One of `pufferc.list_envs()` with one agent.
        render_mode: None.
        **params: Parameters of the game, see `pufferc.env_info(name).params`.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}  # type: ignore[misc]

    def __init__(self, name: str, render_mode: str | None = None, **params: Any) -> None:
        """Make the game. Raises ValueError or TypeError for what does not fit."""
        if render_mode is not None:
            raise ValueError(f"render_mode must be None, got {render_mode!r}")
        self._vector = VecEnv(name, num_games=1, num_threads=1, copy=True, autoreset="disabled", params=params)
        if self._vector.agents != 1:
            raise ValueError(
                f"{name} has {self._vector.agents} agents in one game; use pufferc.make or gymnasium.make_vec"
            )
        self.observation_space = self._vector.single_observation_space
        self.action_space = self._vector.single_action_space
        self._started = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        """Start a new episode; the same seed gives the same one. No options are known."""
        for key in options or {}:
            _errors.unknown("reset option", str(key), [])
        super().reset(seed=seed)
        if seed is None and not self._started:
            seed = int(self.np_random.integers(2**63))
        observations, _ = self._vector.reset(seed=seed)
        self._started = True
        return observations[0], {}

    def step(self, action: Any) -> tuple[NDArray[Any], float, bool, bool, dict[str, Any]]:
        """Step once: observation, reward, terminated, truncated, info.

        info is empty until the episode ends, then {"episode": {"r", "l" and the game's metrics}}.
        """
        observations, rewards, terminated, truncated, infos = self._vector.step(np.asarray(action)[None])
        info: dict[str, Any] = {}
        if infos:
            stats = infos["final_info"]["episode"]
            info["episode"] = {key: values[0].item() for key, values in stats.items() if not key.startswith("_")}
        return observations[0], float(rewards[0]), bool(terminated[0]), bool(truncated[0]), info

    def close(self) -> None:
        """End the game. Stepping after it raises RuntimeError."""
        self._vector.close()
