"""The two implementations of what the trainer does with a policy's outputs: fused C kernels, and plain torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pufferc.kernels import private, public, reference
from pufferc.kernels.private import PpoStats


@dataclass(frozen=True)
class Kernels:
    """Three functions with the signatures of `pufferc.ops` and, for the loss, of `private.ppo_loss_grad`."""

    sample_actions: Callable[..., tuple[Any, Any]]
    advantage: Callable[..., Any]
    ppo_loss_grad: Callable[..., PpoStats]


FUSED = Kernels(public.sample_actions, public.advantage, private.ppo_loss_grad)  # CPU
TORCH = Kernels(reference.sample_actions, reference.advantage, reference.ppo_loss_grad)  # any device
