"""A pool of games as a Stable-Baselines3 VecEnv, for all algorithms of that library.

    from stable_baselines3 import PPO
    from pufferc.interop.sb3 import make_sb3

    PPO("MlpPolicy", make_sb3("cartpole", 64, seed=1)).learn(100_000)

MaskablePPO of sb3-contrib learns masked games:

    from sb3_contrib import MaskablePPO

    MaskablePPO("MlpPolicy", make_sb3("./mygame.so", 64, seed=1)).learn(100_000)

Shapes: N = num_envs rows of the pool, each an environment of Stable-Baselines3; K choices of an action. Returned arrays
are copies. Episode statistics have the layout of its Monitor, so they are logged without a wrapper.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from pufferc import errors
from pufferc.envs.vector import VecEnv, make

try:
    from stable_baselines3.common import monitor, vec_env
except ImportError as error:
    raise ImportError(
        "pufferc.interop.sb3 needs Stable-Baselines3; install it with: pip install 'pufferc[sb3]'", name=error.name
    ) from error

__all__ = ["Sb3VecEnv", "make_sb3"]

_ONE_POOL = "all rows share one pool"
_MOVES_GAMES = ("close", "load", "recv", "reset", "send", "set_state", "step")


def make_sb3(name: str, num_envs: int | None = None, **options: Any) -> Sb3VecEnv:
    """`pufferc.make` with the same arguments, for Stable-Baselines3."""
    return Sb3VecEnv(make(name, num_envs, **options))


class Sb3VecEnv(vec_env.VecEnv):
    """A VecEnv of this package with the VecEnv interface of Stable-Baselines3.

    If an episode ended, `infos[row]` holds "terminal_observation", "TimeLimit.truncated" and "episode" with "r"
    (return), "l" (length), "t" (seconds since the adapter was created) and the game's metrics.

    Args:
        env: The pool, with same-step autoreset. It belongs to the adapter, which closes it.
    """

    def __init__(self, env: VecEnv) -> None:
        if not isinstance(env, VecEnv):
            raise TypeError(f"env must be a pufferc.VecEnv, as pufferc.make returns it, got {type(env).__name__}")
        if env.autoreset_mode is not AutoresetMode.SAME_STEP:
            raise ValueError("env must be made with autoreset='same_step': Stable-Baselines3 never resets single rows")
        self.env = env
        self._attributes: dict[str, list[Any]] = {}
        self._next_seed: int | None = None
        self._actions: NDArray[Any] | None = None
        self._start_s = time.perf_counter()
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)
        self.metadata = dict(env.metadata)

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """The pool's seed from the next reset on; None draws one. Returns it once per row."""
        if seed is None:
            seed = int(np.random.default_rng().integers(2**63))
        self._next_seed = errors.seed("seed", seed)
        return [self._next_seed] * self.num_envs

    def reset(self) -> NDArray[Any]:
        """Start new episodes in all rows; observations [N, O...]."""
        if any(self._options):
            raise ValueError(f"set_options: a game has no reset options, got {next(filter(None, self._options))}")
        observations, _ = self.env.reset(seed=self._next_seed)
        self._next_seed, self._actions = None, None
        copied: NDArray[Any] = observations.copy()
        return copied

    def step_async(self, actions: NDArray[Any]) -> None:
        """Keep the actions [N] or [N, dims] for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> tuple[NDArray[Any], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Step: observations [N, O...], rewards float32 [N], dones bool [N] and one dictionary per row."""
        if self._actions is None:
            raise RuntimeError("step_wait() without step_async(actions) before it")
        actions, self._actions = self._actions, None
        observations, rewards, terminated, truncated, ended = self.env.step(actions)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        dones = terminated | truncated
        if "final_info" in ended:
            self._describe_ends(infos, np.flatnonzero(dones), ended)
        return observations.copy(), rewards.copy(), dones, infos

    def _describe_ends(self, infos: list[dict[str, Any]], rows: NDArray[np.intp], ended: dict[str, Any]) -> None:
        """Fill the infos of the rows whose episode ended, from the dictionary that VecEnv.step returned."""
        seconds = round(time.perf_counter() - self._start_s, 6)
        stats = ended["final_info"]["episode"]
        columns = {key: values[rows].tolist() for key, values in stats.items() if not key.startswith("_")}
        final, truncated = ended["final_obs"][rows], self.env.truncated[rows].tolist()
        for i, row in enumerate(rows.tolist()):
            infos[row] = {
                "terminal_observation": final[i],
                "TimeLimit.truncated": truncated[i],
                "episode": {"t": seconds, **{key: values[i] for key, values in columns.items()}},
            }

    def action_masks(self) -> NDArray[np.bool_]:
        """Which choices are legal in the next action, bool [N, K]. MaskablePPO calls this."""
        return self.env.action_masks()

    def close(self) -> None:
        """Close the pool."""
        self.env.close()

    # ---- interface for single rows, which are not separate environments here ----------------------

    def _rows(self, indices: vec_env.base_vec_env.VecEnvIndices) -> list[int]:
        rows = [int(row) for row in self._get_indices(indices)]
        for row in rows:
            errors.integer("indices", row, -self.num_envs, self.num_envs - 1)
        return rows

    def get_attr(self, attr_name: str, indices: vec_env.base_vec_env.VecEnvIndices = None) -> list[Any]:
        """An attribute of the pool, a parameter of its game, or what `set_attr` stored, once per row."""
        rows = self._rows(indices)
        if attr_name in self._attributes:
            return [self._attributes[attr_name][row] for row in rows]
        single = {"observation_space": "single_observation_space", "action_space": "single_action_space"}
        if attr_name in self.env.params:
            return [self.env.params[attr_name]] * len(rows)
        return [getattr(self.env, single.get(attr_name, attr_name))] * len(rows)

    def set_attr(self, attr_name: str, value: Any, indices: vec_env.base_vec_env.VecEnvIndices = None) -> None:
        """Store a value that `get_attr` returns; the games do not see it. ValueError for attributes of the pool."""
        if attr_name in self.env.params or hasattr(self.env, attr_name):
            raise ValueError(f"{attr_name} cannot be set: {_ONE_POOL}, which is fixed when the pool is created")
        stored = self._attributes.setdefault(attr_name, [None] * self.num_envs)
        for row in self._rows(indices):
            stored[row] = value

    def env_method(
        self,
        method_name: str,
        *method_args: Any,
        indices: vec_env.base_vec_env.VecEnvIndices = None,
        **method_kwargs: Any,
    ) -> list[Any]:
        """Call a method of the pool once; its result once per row. ValueError for methods that move all games.

        action_masks returns each row's mask.
        """
        if method_name in _MOVES_GAMES:
            raise ValueError(f"{method_name} cannot be called for single rows: {_ONE_POOL}")
        if method_name == "action_masks":
            return list(self.env.action_masks()[self._rows(indices)])
        result = getattr(self.env, method_name)(*method_args, **method_kwargs)
        return [result] * len(self._rows(indices))

    def env_is_wrapped(
        self, wrapper_class: type[gym.Wrapper[Any, Any, Any, Any]], indices: vec_env.base_vec_env.VecEnvIndices = None
    ) -> list[bool]:
        """True for Monitor, because the infos have its statistics; there are no other wrappers."""
        return [issubclass(wrapper_class, monitor.Monitor)] * len(self._rows(indices))

    def get_images(self) -> list[NDArray[np.uint8] | None]:
        """The picture of the first `render_games` games, as one; with render_games=None one for each row."""
        pictures = self.env.render()
        return list(pictures) if isinstance(pictures, tuple) else [pictures]

    def render(self, mode: str | None = None) -> NDArray[np.uint8] | None:
        """One picture of what `get_images` returns, uint8 [H, W, 3], or None if a window shows it.

        `mode` is the one given to `make_sb3`.
        """
        if mode is not None and mode != self.render_mode:
            raise ValueError(f"mode must be the render_mode of the pool, {self.render_mode!r}, got {mode!r}")
        images = self.get_images()
        if len(images) == 1:
            return images[0]
        return vec_env.base_vec_env.tile_images([image for image in images if image is not None])
