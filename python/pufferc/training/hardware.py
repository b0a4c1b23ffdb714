"""Resolves device, precision and kernels on this machine, and checks that the rollout fits in memory."""

from __future__ import annotations

import math

import torch

from pufferc import _core
from pufferc.config import Config, ConfigError
from pufferc.envs.spaces import GameSpaces
from pufferc.kernels.backend import FUSED, TORCH, Kernels
from pufferc.training.distributed import own_device
from pufferc.training.gpu import device_kernels


def torch_settings(config: Config) -> tuple[torch.device, torch.dtype, Kernels]:
    """Device, dtype of the hidden layers, and kernels of a configuration on this machine.

    Raises ConfigError for an unavailable device and for kernels that do not run on it.
    """
    train = config.train
    name = train.device if train.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = own_device(torch.device(name))
        torch.zeros(1, device=device).item()  # fails for "meta", which has no data
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"train.device: {name!r} cannot be used: {str(error).splitlines()[0]}") from None
    if train.kernels == "fused" and device.type != "cpu":
        raise ConfigError(
            f"train.kernels: fused kernels run only on the CPU, but train.device is {name!r}; use torch or auto"
        )
    cpu_kernels = TORCH if train.kernels == "torch" else FUSED
    kernels = cpu_kernels if device.type == "cpu" else device_kernels(device)
    precision = train.precision
    if precision == "auto":
        precision = "bfloat16" if _has_bfloat16(device) else "float32"
    return device, getattr(torch, precision), kernels


def _has_bfloat16(device: torch.device) -> bool:
    """Whether this CPU or GPU multiplies bfloat16 in hardware; otherwise it is slower than float32."""
    if device.type != "cpu":
        return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(probe and probe())


def check_memory(rows: int, horizon: int, spaces: GameSpaces, dtype: torch.dtype) -> None:
    """ConfigError if the observations and masks of one rollout need more memory than this machine has free."""
    values = math.prod(spaces.observation_space.shape)
    needed = (horizon + 1) * rows * (values * dtype.itemsize + 4 * spaces.mask_words)
    memory = _core.memory_left()
    if needed > memory:
        raise ConfigError(
            f"vec.num_envs, train.horizon: a rollout of {rows} rows x {horizon} steps takes {needed / 1e9:.0f} GB, "
            f"but this machine has {memory / 1e9:.0f} GB free"
        )
