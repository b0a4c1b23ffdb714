"""Gymnasium's entry points: `SingleEnv`, one game of one agent, and pools for `gymnasium.make_vec`.

A SingleEnv is a pool of one game with autoreset disabled. Returned arrays are copies.
"""

from __future__ import annotations

import os
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from pufferc import errors
from pufferc.envs.games import Game, check_keywords, find_game
from pufferc.envs.vector import VecEnv
from pufferc.pictures.panel import Seen
from pufferc.pictures.screen import Screen
from pufferc.pictures.window import has_windows

__all__ = ["SingleEnv"]


class SingleEnv(gym.Env[NDArray[Any], Any]):
    """One game of one agent. After an episode ended, call reset before the next step.

    Args:
        name: One of `pufferc.list_envs()`, or the path of a shared object with a game; of one agent.
        render_mode: None, "rgb_array" (render returns a picture uint8 [H, W, 3]) or "human" (a window).
        data: Path of the file that the game reads, see `pufferc.make`.
        **params: Parameters of the game, see `pufferc.env_info(name).params`.

    Attributes:
        info: Description of the game.
        observation_rows: The observation table for these parameters.
    """

    metadata: dict[str, Any] = {"render_modes": ["human", "rgb_array"], "render_fps": 30}  # noqa: RUF012

    def __init__(
        self,
        name: Game,
        render_mode: str | None = None,
        *,
        data: str | os.PathLike[str] | None = None,
        **params: Any,
    ) -> None:
        """Make the game. Raises ValueError or TypeError for wrong arguments."""
        check_keywords("make", find_game(name)[0], params, ("render_mode", "data"))
        if render_mode is not None:
            errors.choice("render_mode", render_mode, self.metadata["render_modes"])
        self.render_mode = render_mode
        self._screen: Screen | None = None
        self._seen: Seen | None = None
        self._vector = VecEnv(
            name, num_games=1, num_threads=1, copy=True, autoreset="disabled", data=data, params=params
        )
        if self._vector.agents != 1:
            raise ValueError(
                f"{self._vector.name} has {self._vector.agents} agents in one game here; use pufferc.make or "
                "gymnasium.make_vec, or pufferc.interop.pettingzoo.parallel_env for one game"
            )
        self.info, self.observation_rows = self._vector.info, self._vector.observation_rows
        self.observation_space = self._vector.single_observation_space
        self.action_space = self._vector.single_action_space
        self._started = False
        self._steps = 0  # of the unfinished episode
        modes = [*(["human"] if has_windows() else []), "rgb_array"]
        self.metadata = {"render_modes": modes, "render_fps": self._vector.fps}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        """Start a new episode; the same seed gives the same episode. There are no options.

        Returns the observation and info, which is empty except for "action_mask" in a masked game, see `step`.
        """
        for key in options or {}:
            errors.unknown("reset option", str(key), [])
        self._warn_of_time_limit()
        super().reset(seed=seed)
        if seed is None and not self._started:
            seed = int(self.np_random.integers(2**63))
        observations, infos = self._vector.reset(seed=seed)
        self._started, self._steps = True, 0
        if self.render_mode == "human":
            self._show(Seen(observations))
        return observations[0], _own_mask(infos)

    def _warn_of_time_limit(self) -> None:
        """Warns if the episode that a reset ends was cut at the limit of its id, where max_steps is larger."""
        registered = gym.registry.get(self.spec.id) if self.spec is not None and self._steps else None
        limit, own = registered and registered.max_episode_steps, self._vector.params.get("max_steps", 0)
        if limit == self._steps and not 0 < own <= limit:
            gym.logger.warn(
                f"gymnasium.make ended an episode after {limit} steps, though max_steps is {own}; pass "
                f"max_episode_steps={own or -1} to it too"
            )

    def step(self, action: Any) -> tuple[NDArray[Any], float, bool, bool, dict[str, Any]]:
        """Step once: observation, reward, terminated, truncated, info.

        info has "metrics" when the episode has ended: {"r", "l" and the game's metrics}. The key "episode" is left to
        Gymnasium's RecordEpisodeStatistics, which refuses an env that uses it. In a masked game info always has
        "action_mask", bool [K]: which choices are legal in the next action.
        """
        observations, rewards, terminated, truncated, infos = self._vector.step(np.asarray(action)[None])
        info = _own_mask(infos)
        self._steps += 1
        if "final_info" in infos:
            self._steps = 0
            stats = infos["final_info"]["episode"]
            info["metrics"] = {key: values[0].item() for key, values in stats.items() if not key.startswith("_")}
        if self.render_mode == "human":
            self._show(Seen(observations, np.asarray(action)[None], None, rewards))
        return observations[0], float(rewards[0]), bool(terminated[0]), bool(truncated[0]), info

    def __getstate__(self) -> dict[str, Any]:
        """For pickling and copying: all but the window. See `VecEnv.__reduce__`."""
        return {**self.__dict__, "_screen": None, "_seen": None}

    def action_masks(self) -> NDArray[np.bool_]:
        """Which choices are legal in the next action, bool [K]. All are, in a game without masks."""
        masks: NDArray[np.bool_] = self._vector.action_masks()[0]
        return masks

    def script(self, level: int, *, seed: int = 0, step: int = 0) -> Any:
        """The action of the game's built-in player, see `VecEnv.script`."""
        return self._vector.script(level, seed=seed, step=step)[0]

    def state(self, name: str) -> Any:
        """A state member: one value or an array [count]. See `VecEnv.state`."""
        return self._vector.state(name)[0]

    def set_state(self, name: str, values: Any) -> NDArray[Any]:
        """Write a state member; return the new observation. See `VecEnv.set_state`."""
        observation: NDArray[Any] = self._vector.set_state(name, values)[0]
        return observation

    def set_param(self, name: str, value: float) -> None:
        """Change a parameter between steps. See `VecEnv.set_param`."""
        self._vector.set_param(name, value)

    def _show(self, seen: Seen) -> None:
        """Shows the game in the window, which can also show what the agent sees and did."""
        self._seen = seen
        self.render()

    def render(self) -> NDArray[np.uint8] | None:
        """The game as a picture uint8 [H, W, 3]; None with a window, which also shows every step without this call.

        Raises pufferc.pictures.renderer.DrawingUnavailable if a window is not possible or the game has no picture.
        """
        if self.render_mode is None:
            gym.logger.warn("render() does nothing without a render_mode; pass render_mode to make")
            return None
        if self._screen is None:
            self._screen = Screen(self._vector, self.render_mode)
        return self._screen.show(self._seen)

    def close(self) -> None:
        """End the game and close its window. Stepping after it raises RuntimeError."""
        if self._screen is not None:
            self._screen.close()
        self._vector.close()


def _own_mask(infos: dict[str, Any]) -> dict[str, Any]:
    """The mask of the pool's only row."""
    return {"action_mask": infos["action_mask"][0]} if "action_mask" in infos else {}


def make_gymnasium_vector(name: Game, num_envs: int = 1, *, copy: bool = True, **kwargs: Any) -> VecEnv:
    """Entry point of `gymnasium.make_vec`: like `make`, with copies of arrays and a picture for each row."""
    kwargs.setdefault("render_games", None)
    if (limit := kwargs.pop("max_episode_steps", None)) is not None:
        kwargs.setdefault("max_steps", limit)
    return VecEnv(name, num_envs, copy=copy, **kwargs)
