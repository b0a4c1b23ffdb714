"""MinGRU and LSTM with each pass, recurrence included, in one CPU kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from pufferc.kernels import private
from pufferc.policies.base import State
from pufferc.policies.encoders import OneHot
from pufferc.policies.mlp import CodesLayer, FusedNetwork
from pufferc.policies.recurrent import LSTM, MinGRU, RecurrentNetwork


class FusedRecurrent(FusedNetwork, RecurrentNetwork):
    """A recurrent network in one kernel. With one-hot codes the first hidden layer has a separate kernel.

    Results differ from the torch version only by rounding: in bfloat16, the inputs of the output layer are rounded like
    all other activations, and the one-hot layer is not. States are float32 in both. Acting and training are bit-equal.
    """

    _kernel: private.Recurrent
    _kernel_class: type[private.MinGru | private.Lstm]

    def __init__(self, observation_size: int, action_counts: Sequence[int], **options: Any) -> None:
        super().__init__(observation_size, action_counts, **options)
        self._codes_layer = CodesLayer(self) if isinstance(self.encoder, OneHot) else None
        widths = self._widths[1:] if self._codes_layer else self._widths
        bfloat16 = self.compute_dtype == torch.bfloat16
        self._kernel = self._kernel_class(widths, bfloat16=bfloat16, sets=self._sets)
        self._trained: tuple[Tensor, State, Tensor | None] | None = None  # inputs of the latest forward_for_training
        self._grad_hidden = torch.empty(0)  # d loss / d output of the one-hot layer

    def _memory_layers(self) -> list[tuple[Tensor, Tensor]]:
        """Weights and biases of the layers between the hidden layers and the output."""
        raise NotImplementedError

    def _kernel_layers(self) -> list[tuple[Tensor, Tensor]]:
        *hidden, output = super()._kernel_layers()
        return [*hidden[1 if self._codes_layer else 0 :], *self._memory_layers(), output]

    @torch.no_grad()
    def step(self, observations: Tensor, state: State) -> tuple[Tensor, State]:
        x, state = self._inputs("step", observations.unsqueeze(0)), tuple(part.contiguous() for part in state)
        outputs, next_state = self._output_buffer("step", *x.shape[:2]), tuple(map(torch.empty_like, state))
        self._update_kernel()
        self._kernel.forward(x, state, None, outputs, next_state)
        return outputs[0], next_state

    @torch.no_grad()
    def forward_for_training(self, observations: Tensor, state: State, starts: Tensor | None) -> Tensor:
        x, state = self._inputs("train", observations), tuple(part.contiguous() for part in state)
        starts = None if starts is None else starts.contiguous()
        outputs = self._output_buffer("train", *x.shape[:2])
        self._update_kernel()
        self._kernel.forward(x, state, starts, outputs, tuple(map(torch.empty_like, state)), keep=True)
        self._trained = x, state, starts
        return outputs

    @torch.no_grad()
    def backward(self, grad_outputs: Tensor) -> None:
        if self._trained is None:
            raise RuntimeError("backward follows forward_for_training")
        grad_outputs, gradients = grad_outputs.contiguous(), self._gradients()
        if self._codes_layer is None:
            self._kernel.backward(*self._trained, grad_outputs, *gradients)
            self._unfold(self._layers()[0])
        else:
            x = self._trained[0]
            if self._grad_hidden.shape != x.shape:
                self._grad_hidden = torch.empty(x.shape)
            self._kernel.backward(*self._trained, grad_outputs, *gradients, grad_x=self._grad_hidden)
            self._codes_layer.backward(self._grad_hidden.flatten(0, 1))

    def _inputs(self, use: str, observations: Tensor) -> Tensor:
        """The kernel's inputs in compute_dtype: observations [T, M, ...], or the output of the one-hot layer."""
        if self._codes_layer is not None:
            hidden = self._codes_layer.forward(use, observations.flatten(0, 1))
            return hidden.view(*observations.shape[:2], -1).to(self.compute_dtype)
        x = observations.flatten(2).to(self.compute_dtype)
        return x if x.stride()[1:] == (x.shape[2], 1) else x.contiguous()


class FusedMinGRU(FusedRecurrent, MinGRU):
    """The MinGRU as one kernel."""

    _kernel_class = private.MinGru

    def _memory_layers(self) -> list[tuple[Tensor, Tensor]]:
        return [(self.gate.weight, self.gate.bias)]


class FusedLSTM(FusedRecurrent, LSTM):
    """The LSTM as one kernel."""

    _kernel_class = private.Lstm

    def _memory_layers(self) -> list[tuple[Tensor, Tensor]]:
        cell = self.lstm
        return [(cell.weight_ih, cell.bias_ih), (cell.weight_hh, cell.bias_hh)]
