"""The PPO loss of a minibatch from keyword arguments."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from pufferc.kernels.private import Minibatch, PpoSettings


def ppo_loss_grad(
    kernels: Any, logits: Any, values: Any, *, grad_logits: Any, grad_values: Any, ratio: Any = None, **inputs: Any
) -> Any:
    """`kernels.ppo_loss_grad`; `inputs` are the fields of Minibatch and PpoSettings."""
    columns = {field.name: inputs.pop(field.name) for field in fields(Minibatch) if field.name in inputs}
    return kernels.ppo_loss_grad(
        logits,
        values,
        Minibatch(**columns),
        PpoSettings(**inputs),
        grad_logits=grad_logits,
        grad_values=grad_values,
        ratio=ratio,
    )
