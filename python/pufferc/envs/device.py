"""DeviceVecEnv: a pool whose games are stepped by a GPU, for `pufferc.make(..., device="cuda")`.

Every array is a torch tensor in the memory of the device, so it has `__cuda_array_interface__` and DLPack too. Reset
and step enqueue work on torch's current stream and return at once. Shapes: N rows, O... observation, as in `VecEnv`.

A pool on the CPU of the same game, the twin, checks arguments and describes the game.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium.vector import VectorEnv

from pufferc import errors
from pufferc.files import map_file

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from pufferc.envs.vector import VecEnv

__all__ = ["DeviceVecEnv"]


def _load() -> ModuleType:
    try:
        return importlib.import_module("pufferc._cuda")
    except ImportError as error:
        raise RuntimeError(f"device: games on a GPU need pufferc's CUDA module: {error}") from error


class _Memory:
    """An array of the pool, for torch. It keeps the pool alive."""

    def __init__(self, pool: Any, address: int, typestr: str, shape: tuple[int, ...], memory: str) -> None:
        self.pool = pool
        interface = {"data": (address, False), "typestr": typestr, "shape": shape, "version": 3}
        setattr(self, "__array_interface__" if memory == "cpu" else "__cuda_array_interface__", interface)


class DeviceVecEnv(VectorEnv[Any, Any, Any]):
    """A pool of games on a GPU, from `pufferc.make(name, ..., device="cuda")`. The arguments are those of `VecEnv`.

    What differs from `VecEnv`:

    - Actions and results are torch tensors on the device. A step never waits for it, so infos are empty: read
      `final_observations`, `episode_returns`, `episode_lengths` and `episode_metrics` in rows that ended.
    - Illegal actions cannot be refused before the games move. They are replaced, and the next `pop_metrics`, `save` or
      `check_actions` raises ValueError.
    - Observations alternate between two tensors. There are no groups, pictures, scripts and state fields; `download`
      returns a `VecEnv` on the CPU with the same games, which has them.

    Attributes:
        device: The `torch.device`.
        observations, final_observations: [N, O...].
        rewards: float32 [N]. terminated, truncated, alive: bool [N].
        action_mask, forced: int32 [N, ceil(K / 32)], bool [N] in a masked game, else None.
        episode_returns, episode_lengths: float32 and int32 [N]. episode_metrics: float32 [N, M].
        num_envs, num_games, agents, num_teams, teams, info, spaces, name, version, params, fps, observation_rows: As in
            `VecEnv`.

    Raises:
        RuntimeError: The CUDA module or a device is missing, or the game has no device code.
        MemoryError: The device is too small for the games and their stacks.
        ValueError, TypeError: An argument is wrong or has no meaning on a GPU.
    """

    def __init__(self, twin: VecEnv, device: str | torch.device) -> None:
        """Make the pool. `twin` is a pool on the CPU with the same arguments, which then belongs to this one."""
        import torch

        module = _load()
        self.device = _device(device, module)
        arguments = twin._arguments
        for name, plain in (("groups", 1), ("copy", False), ("render_mode", None)):
            if arguments[name] != plain:
                raise ValueError(f"{name} must be {plain!r} for games on a GPU, got {arguments[name]!r}")
        if twin.name not in module.device_games or not isinstance(twin.info.engine, str):
            raise RuntimeError(f"{twin.name} has no device code; these games have: {', '.join(module.device_games)}")
        self.twin, self.metadata = twin, twin.metadata
        self.info, self.spaces, self.name, self.version = twin.info, twin.spaces, twin.name, twin.version
        self.num_games, self.agents, self.num_envs = twin.num_games, twin.agents, twin.num_envs
        self.num_teams, self.teams, self.observation_rows = twin.num_teams, twin.teams, twin.observation_rows
        self.params, self.fps, self.autoreset_mode = twin.params, twin.fps, twin.autoreset_mode
        self.single_observation_space = twin.single_observation_space
        self.single_action_space = twin.single_action_space
        self.observation_space, self.action_space = twin.observation_space, twin.action_space
        self._torch, self._discrete = torch, bool(twin.spaces.action_counts)
        numbers = arguments["game_numbers"]
        with self._current():
            self._pool = module.DevicePool(
                env=twin.info.engine,
                num_games=self.num_games,
                autoreset=list(_AUTORESETS).index(arguments["autoreset"]),
                seed=twin.np_random_seed,
                params=list(twin.params.items()),
                game_numbers=None if numbers is None else [int(number) for number in numbers],
                data=None if twin.data is None else map_file("data", twin.data),
            )
            self._hold(module.memory)

    def _hold(self, memory: str) -> None:
        """The pool's arrays as tensors, and a second one for observations."""
        pool = self._pool
        arrays = {name: _Memory(pool, at, kind, shape, memory) for name, (at, kind, shape) in pool.arrays().items()}
        if memory == "cpu":
            tensors = {name: self._torch.from_numpy(np.asarray(array)) for name, array in arrays.items()}
        else:
            tensors = {name: self._torch.as_tensor(array, device=self.device) for name, array in arrays.items()}
        self.observations: Tensor = tensors["observations"]
        self.final_observations: Tensor = tensors["final_observations"]
        self.rewards: Tensor = tensors["rewards"]
        self.terminated: Tensor = tensors["terminated"]
        self.truncated: Tensor = tensors["truncated"]
        self.alive: Tensor = tensors["alive"]
        self.action_mask: Tensor | None = tensors.get("action_mask")
        self.forced: Tensor | None = tensors.get("forced")
        self.episode_returns: Tensor = tensors["episode_returns"]
        self.episode_lengths: Tensor = tensors["episode_lengths"]
        self.episode_metrics: Tensor = tensors["episode_metrics"]
        self._buffers = (self.observations, self._torch.empty_like(self.observations))
        self._other = self._buffers[1]

    def _current(self) -> AbstractContextManager[Any]:
        """Makes the device current."""
        on_gpu = self.device.type == "cuda"
        return self._torch.cuda.device(self.device) if on_gpu else contextlib.nullcontext()

    def _stream(self) -> int:
        on_gpu = self.device.type == "cuda"
        return int(self._torch.cuda.current_stream(self.device).cuda_stream) if on_gpu else 0

    def _checked(self, name: str, tensor: Any, dtypes: tuple[torch.dtype, ...], shape: tuple[int, ...]) -> Tensor:
        """A tensor on the device of one of these types and of this shape, contiguous."""
        if not isinstance(tensor, self._torch.Tensor) or tensor.device != self.device:
            got = tensor.device if isinstance(tensor, self._torch.Tensor) else type(tensor).__name__
            raise TypeError(f"{name} must be a tensor on {self.device}, got {got}")
        if tensor.dtype not in dtypes:
            raise TypeError(f"{name} must be {' or '.join(str(dtype) for dtype in dtypes)}, got {tensor.dtype}")
        if tuple(tensor.shape) != shape:
            raise ValueError(f"{name} must have shape {shape}, got {tuple(tensor.shape)}")
        return tensor.contiguous()

    def _target(self, observations: Any) -> Tensor:
        """Where the next observations go: the caller's tensor, or the one of the two that is not in use."""
        if observations is None:
            return self._other
        like = self.observations
        target = self._checked("observations", observations, (like.dtype,), tuple(like.shape))
        if target.data_ptr() != observations.data_ptr():
            raise ValueError("observations must be contiguous")
        return target

    def _taken(self, target: Tensor, given: bool) -> Tensor:
        if not given:
            self.observations, self._other = target, self.observations
        return target

    # ---- stepping -----------------------------------------------------------------------------------

    def reset(
        self, *, seed: Any = None, options: dict[str, Any] | None = None, observations: Any = None
    ) -> tuple[Tensor, dict[str, Any]]:
        """As `VecEnv.reset`. `seed`: an integer or None. options["reset_mask"] is a bool tensor [N] on the device."""
        number = None if seed is None else errors.seed("seed", seed)
        mask, target = self._reset_mask(options), self._target(observations)
        with self._current():
            self._pool.reset(
                seed=number, seeds=0, mask=0 if mask is None else mask.data_ptr(),
                observations=target.data_ptr(), stream=self._stream(),
            )  # fmt: skip
        return self._taken(target, observations is not None), {}

    def _reset_mask(self, options: dict[str, Any] | None) -> Tensor | None:
        if not options:
            return None
        if not isinstance(options, Mapping):
            raise TypeError(f"options must be a dict, got {options!r} of type {type(options).__name__}")
        for key in options:
            if key != "reset_mask":
                errors.unknown("reset option", str(key), ["reset_mask"])
        return self._checked("options['reset_mask']", options["reset_mask"], (self._torch.bool,), (self.num_envs,))

    def step(self, actions: Any, *, observations: Any = None) -> tuple[Tensor, Tensor, Tensor, Tensor, dict[str, Any]]:
        """As `VecEnv.step`, with tensors on the device: int32 or int64, or float32 in a continuous game."""
        torch = self._torch
        dtypes = (torch.int32, torch.int64) if self._discrete else (torch.float32,)
        taken, target = self._checked("actions", actions, dtypes, self._action_shape()), self._target(observations)
        with self._current():
            self._pool.step(taken.data_ptr(), taken.dtype == torch.int64, target.data_ptr(), self._stream())
        out = self._taken(target, observations is not None)
        return out, self.rewards, self.terminated, self.truncated, {}

    def _action_shape(self) -> tuple[int, ...]:
        return (self.num_envs, *(self.single_action_space.shape or ()))

    # ---- calls that wait for the device -------------------------------------------------------------

    def check_actions(self) -> None:
        """Raise ValueError if an action since the last check was illegal and was replaced."""
        with self._current():
            self._pool.check_actions(self._stream())

    def pop_metrics(self) -> dict[str, float]:
        """As `VecEnv.pop_metrics`."""
        self.check_actions()
        with self._current():
            episodes, values = self._pool.pop_metrics(self._stream())
        names = ("episode_return", "episode_length", *self.info.metrics)
        if episodes == 0:
            values = [float("nan")] * len(names)
        return {"episodes": episodes, **dict(zip(names, values, strict=True))}

    def set_param(self, name: str, value: float) -> None:
        """As `VecEnv.set_param`."""
        self.twin.set_param(name, value)
        self.params = self.twin.params
        with self._current():
            self._pool.set_param(name, float(value), self._stream())

    def save(self) -> bytes:
        """As `VecEnv.save`; a `VecEnv` loads it too."""
        self.check_actions()
        with self._current():
            return bytes(self._pool.save(self._stream()))

    def load(self, snapshot: bytes, *, observations: Any = None) -> Tensor:
        """As `VecEnv.load`; takes a snapshot of a `VecEnv` too."""
        given = None if observations is None else self._target(observations)
        self.twin.load(snapshot)  # refuses what does not fit, before the device changes
        with self._current():
            self._pool.load(bytes(snapshot), self._stream())
        self.observations, self._other = self._buffers  # the pool writes the first one
        return self.observations if given is None else given.copy_(self.observations)

    def download(self) -> VecEnv:
        """The games on the CPU: a `VecEnv` with their states, for pictures, scripts and state fields.

        It belongs to this pool, and the next call overwrites it.
        """
        self.twin.load(self.save())
        return self.twin

    def close_extras(self, **kwargs: Any) -> None:
        """End the twin. The tensors stay valid."""
        self.twin.close()

    def __repr__(self) -> str:
        return f"DeviceVecEnv({self.name!r}, num_envs={self.num_envs}, device={str(self.device)!r})"


_AUTORESETS = ("same_step", "disabled", "next_step")  # by their numbers in pufferc.h


def _device(device: str | torch.device, module: ModuleType) -> torch.device:
    """The device with its index; in a test build the CPU. RuntimeError if it cannot be used."""
    import torch

    try:
        found = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device must be 'cpu', 'cuda' or 'cuda:0', got {device!r}") from error
    if found.type != "cuda":
        raise ValueError(f"device must be 'cpu', 'cuda' or 'cuda:0', got {device!r}")
    count, why = module.devices()
    if not count:
        raise RuntimeError(f"device: no CUDA device: {why}")
    if module.memory == "cpu":
        return torch.device("cpu")
    return torch.device("cuda", torch.cuda.current_device() if found.index is None else found.index)
