"""The two implementations of sampling, advantages and loss: fused C kernels and plain torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from pufferc.kernels import private, public, reference
from pufferc.kernels.private import PpoStats


@dataclass(frozen=True)
class Kernels:
    """Three functions with the signatures of `pufferc.ops` and `private.ppo_loss_grad`.

    On a GPU the loss statistics are a tensor [8], so that the host does not wait for the device. `fused`: these are the
    C kernels, and networks use C kernels for their passes where one exists.
    """

    sample_actions: Callable[..., tuple[Any, Any]]
    advantage: Callable[..., Any]
    ppo_loss_grad: Callable[..., PpoStats | Tensor]
    fused: bool = False


FUSED = Kernels(public.sample_actions, public.advantage, private.ppo_loss_grad, fused=True)  # CPU
TORCH = Kernels(reference.sample_actions, reference.advantage, reference.ppo_loss_grad)  # any device
