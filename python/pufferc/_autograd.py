"""The fused PPO loss as a torch autograd function. Imported only where torch is in use."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pufferc import ops


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
