"""Kernels as torch autograd functions. Imported only where torch is in use."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pufferc import _core, ops


class PpoLoss(torch.autograd.Function):
    """Scalar loss of logits [B, K] and values [B]; the gradient is computed with it and scaled in backward."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, values: Tensor, batch: tuple[Tensor, ...], options: dict[str, Any]
    ) -> tuple[Tensor, ops.PpoStats]:
        """Compute loss and gradient at once."""
        grad_logits, grad_values = torch.empty(logits.shape), torch.empty(values.shape)
        stats = ops.ppo_loss_grad(logits, values, *batch, grad_logits=grad_logits, grad_values=grad_values, **options)
        ctx.save_for_backward(grad_logits, grad_values)
        return torch.tensor(stats.loss), stats

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_loss: Tensor, _: Any) -> tuple[Tensor, Tensor, None, None]:
        """Scale the gradient."""
        grad_logits, grad_values = ctx.saved_tensors
        return grad_logits * grad_loss, grad_values * grad_loss, None, None


class MinGruScan(torch.autograd.Function):
    """`ops.mingru_scan`."""

    @staticmethod
    def forward(ctx: Any, pre: Tensor, h0: Tensor, starts: Tensor | None) -> Tensor:
        """The states."""
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
        """The gradients of pre and h0."""
        pre, h0, states = ctx.saved_tensors
        grads = torch.empty_like(pre), torch.empty_like(h0)
        _scan(pre, h0, ctx.starts, states, grad_states.contiguous(), *grads)
        return *grads, None


def _scan(pre: Tensor, *rest: Tensor | None) -> None:
    """`_core.scan` where the tensors are."""
    arrays: tuple[Any, ...] = (pre, *rest, None, None, None)[:7]  # without gradients where they are not given
    if pre.is_cuda:
        from pufferc import _gpu

        _gpu.scan(*arrays)
    else:
        _core.scan(*arrays)
