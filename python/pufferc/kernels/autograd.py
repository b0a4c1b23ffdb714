"""Kernels as torch autograd functions. Imported only when torch is in use."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pufferc import _core
from pufferc.kernels.private import Minibatch, PpoSettings, PpoStats, ppo_loss_grad
from pufferc.kernels.tensors import check_tensor


class PpoLoss(torch.autograd.Function):
    """Scalar loss of logits [B, K] and values [B]. Forward computes the gradient too; backward scales it."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, values: Tensor, minibatch: Minibatch, settings: PpoSettings, ratio: Any
    ) -> tuple[Tensor, PpoStats]:
        grads = torch.empty(logits.shape), torch.empty(values.shape)
        stats = ppo_loss_grad(
            logits, values, minibatch, settings, grad_logits=grads[0], grad_values=grads[1], ratio=ratio
        )
        ctx.save_for_backward(*grads)
        return torch.tensor(stats.loss), stats

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_loss: Tensor, _: Any) -> tuple[Tensor | None, ...]:
        grad_logits, grad_values = ctx.saved_tensors
        return grad_logits * grad_loss, grad_values * grad_loss, None, None, None


class MinGruScan(torch.autograd.Function):
    """`mingru_scan`."""

    @staticmethod
    def forward(ctx: Any, pre: Tensor, h0: Tensor, starts: Tensor | None) -> Tensor:
        pre, h0 = pre.contiguous(), h0.contiguous()
        starts = None if starts is None else starts.contiguous()
        states = pre.new_empty(*pre.shape[:-1], pre.shape[-1] // 2)
        _scan(pre, h0, starts, states)
        ctx.save_for_backward(pre, h0, states)
        ctx.starts = starts
        return states

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_states: Tensor) -> tuple[Tensor, Tensor, None]:
        pre, h0, states = ctx.saved_tensors
        grads = torch.empty_like(pre), torch.empty_like(h0)
        _scan(pre, h0, ctx.starts, states, grad_states.contiguous(), *grads)
        return *grads, None


def mingru_scan(pre: Tensor, h0: Tensor, starts: Tensor | None = None) -> Tensor:
    """The states of a minimal gated recurrent unit, h[t] = (1 - z) h[t - 1] + z c; as `reference.mingru_scan`.

    Args:
        pre: float32 [T, M, 2 H]: u with z = sigmoid(u), then the candidates c.
        h0: float32 [M, H], the state before step 0.
        starts: bool or uint8 [T, M]: h[t - 1] is 0 where `starts` is set. None = nowhere.

    Returns:
        h [T, M, H], differentiable with respect to pre and h0. Torch tensors only, on the CPU or on one GPU.
    """
    check_tensor("pre", pre, 3, "float32")
    check_tensor("h0", h0, 2, "float32")
    if starts is not None:
        check_tensor("starts", starts, 2, "bool", "uint8")
    result: Tensor = MinGruScan.apply(pre, h0, starts)  # type: ignore[no-untyped-call]
    return result


def _scan(pre: Tensor, *rest: Tensor | None) -> None:
    """`_core.scan` on the tensors' device."""
    arrays: tuple[Any, ...] = (pre, *rest, None, None, None)[:7]  # a forward pass has no gradients
    if pre.is_cuda:
        from pufferc.kernels import cuda

        cuda.scan(*arrays)
    else:
        _core.scan(*arrays)
