"""Kernels on CUDA tensors, and checks whether they can run. The module pufferc._cuda is loaded on first use."""

from __future__ import annotations

import functools
import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def _load() -> ModuleType:
    try:
        return importlib.import_module("pufferc._cuda")
    except ImportError as error:
        raise RuntimeError(f"CUDA kernels: {_why_not_loaded(error)}; move the tensors to the CPU") from error


def _why_not_loaded(error: ImportError) -> str:
    if isinstance(error, ModuleNotFoundError):
        return (
            "not built: pip builds them if the installed torch has CUDA and a CUDA compiler is found, or with "
            "--config-settings cmake.define.PUFFERC_CUDA=ON"
        )
    return f"built, but cannot be loaded: {error}"


def why_missing() -> str | None:
    """Why no tensor can use the kernels (not built, not loadable, or no device), or None."""
    try:
        cuda = importlib.import_module("pufferc._cuda")
    except ImportError as error:
        return _why_not_loaded(error)
    count, reason = cuda.devices()
    major, minor = cuda.runtime_version // 1000, cuda.runtime_version % 1000 // 10
    return None if count else f"built with CUDA {major}.{minor}; no device: {reason}"


def why_unusable(device: torch.device) -> str | None:
    """Why this CUDA device has to use torch operations instead of the kernels, or None.

    The module may lack machine code for a device, or the driver may be unable to compile its PTX; then every launch
    fails. The first call for each device tests one launch.
    """
    import torch

    return _why_unusable(torch.cuda.current_device() if device.index is None else device.index)


@functools.cache
def _why_unusable(index: int) -> str | None:
    import torch

    missing = why_missing()
    if missing is not None:
        return missing
    try:
        result = _probe(torch.device("cuda", index))
    except RuntimeError as error:
        return f"a test kernel failed: {str(error).splitlines()[0]}"
    return None if result == 1.0 else f"a test kernel returned {result:g} instead of 1"


def _probe(device: torch.device) -> float:
    """The advantage of one step with a reward of 1, computed on the device."""
    import torch

    reward, values = torch.ones(1, 1, device=device), torch.zeros(2, 1, device=device)
    flag = torch.zeros(1, 1, dtype=torch.bool, device=device)
    return advantage(reward, values, flag, flag, None, None, None, (0.0, 0.0, 1.0, 1.0)).item()


def advantage(
    rewards: Tensor,
    values: Any,
    terminated: Any,
    truncated: Any,
    final_values: Any,
    ratio: Any,
    out: Any,
    numbers: tuple[float, float, float, float],
) -> Tensor:
    """`pufferc.ops.advantage` on one device, on its current stream.

    numbers: gamma, gae_lambda, rho_clip, c_clip.
    """
    import torch

    module = _load()
    inputs = {
        "rewards": rewards,
        "values": values,
        "terminated": terminated,
        "truncated": truncated,
        "final_values": final_values,
        "ratio": ratio,
    }
    arrays = {name: t.detach() if isinstance(t, torch.Tensor) else t for name, t in inputs.items()}
    with torch.cuda.device(rewards.device):
        result: Tensor = torch.empty_like(arrays["rewards"]) if out is None else out
        stream = torch.cuda.current_stream().cuda_stream
        names = ("gamma", "gae_lambda", "rho_clip", "c_clip")
        module.advantage(**arrays, out=result, **dict(zip(names, numbers, strict=True)), stream=stream)
    return result


def scan(
    pre: Tensor,
    initial: Tensor,
    starts: Tensor | None,
    states: Tensor,
    grad_states: Tensor | None,
    grad_pre: Tensor | None,
    grad_initial: Tensor | None,
) -> None:
    """`_core.scan` on one device, on its current stream."""
    import torch

    module = _load()
    if not states.numel():
        if grad_initial is not None:
            grad_initial.zero_()
        return
    arrays = {"pre": pre, "initial": initial, "starts": starts, "states": states, "grad_states": grad_states}
    arrays |= {"grad_pre": grad_pre, "grad_initial": grad_initial}
    arrays = {name: None if tensor is None else tensor.detach() for name, tensor in arrays.items()}
    with torch.cuda.device(pre.device):
        stream = torch.cuda.current_stream().cuda_stream
        module.scan(**arrays, shape=tuple(states.shape), stream=stream)
