"""MinGRU with all of a pass, scan included, in one kernel on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pufferc import ops
from pufferc.policies.base import State
from pufferc.policies.mlp import FusedNetwork
from pufferc.policies.recurrent import MinGRU


class FusedMinGRU(FusedNetwork, MinGRU):
    """The MinGRU as one kernel.

    It differs from the plain one by rounding alone: in bfloat16, what the output layer sees is rounded like every other
    activation. States are float32 in both. Acting and training make the same bits.
    """

    def __init__(self, observation_size: int, action_counts: Sequence[int], **options: Any) -> None:
        super().__init__(observation_size, action_counts, **options)
        self._kernel: ops.MinGru = ops.MinGru(self._widths, bfloat16=self.compute_dtype == torch.bfloat16)
        self._trained: tuple[Tensor, Tensor, Tensor | None] | None = None  # the pass that backward follows

    def _kernel_layers(self) -> list[nn.Linear]:
        *hidden, output = self._layers()
        return [*hidden, self.gate, output]

    @torch.no_grad()
    def step(self, observations: Tensor, state: State) -> tuple[Tensor, State]:
        x, h = self._inputs(observations.unsqueeze(0)), state[0].contiguous()
        outputs, h_next = self._output_buffer("step", *x.shape[:2]), torch.empty_like(h)
        self._update_kernel()
        self._kernel.forward(x, h, None, outputs, h_next)
        return outputs[0], (h_next,)

    @torch.no_grad()
    def forward_for_training(self, observations: Tensor, state: State, starts: Tensor | None) -> Tensor:
        x, h = self._inputs(observations), state[0].contiguous()
        starts = None if starts is None else starts.contiguous()
        outputs = self._output_buffer("train", *x.shape[:2])
        self._update_kernel()
        self._kernel.forward(x, h, starts, outputs, torch.empty_like(h), keep=True)
        self._trained = x, h, starts
        return outputs

    @torch.no_grad()
    def backward(self, grad_outputs: Tensor) -> None:
        if self._trained is None:
            raise RuntimeError("backward follows forward_for_training")
        self._kernel.backward(*self._trained, grad_outputs.contiguous(), *self._gradients())
        self._unfold(self._layers()[0])

    def _inputs(self, observations: Tensor) -> Tensor:
        """Observations [T, M, O] in compute_dtype, where they lie if the kernel can read them there."""
        x = observations.flatten(2).to(self.compute_dtype)
        return x if x.stride()[1:] == (x.shape[2], 1) else x.contiguous()
