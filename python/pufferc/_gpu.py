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
            "this pufferc has no CUDA kernels (it was built without a CUDA compiler); move the tensors to the CPU"
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
