"""Kernels on CUDA tensors. Imported only when a CUDA tensor arrives; loads the compiled module pufferc._cuda then."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


def _load() -> ModuleType:
    try:
        from pufferc import _cuda
    except ImportError as error:
        raise RuntimeError(
            "this pufferc has no CUDA kernels (pufferc doctor says how to get them); move the tensors to the CPU"
        ) from error
    return _cuda


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
    """`pufferc.ops.advantage` on one device, enqueued on its current stream.

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
    """`_core.scan` on one device, enqueued on its current stream."""
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
