"""Recurrent networks: MinGRU and LSTM in plain torch; fused.py has the kernel versions.

Both have one recurrent layer between the hidden layers and the output. One matrix product computes everything that does
not depend on the past for all T steps. Only the recurrence runs step by step; its gradient is an explicit backward
recurrence instead of an autograd graph. Shapes: T steps, M rows, H hidden units.

    x = hidden layers of the observation                                              [T, M, H]

    MinGRU (Feng et al. 2024, "Were RNNs All We Needed?", with a residual connection)
        u, c = W x + b;  z = sigmoid(u);  h' = (1 - z) h + z c;  output of x + h'     state h [M, H]
    LSTM (Hochreiter and Schmidhuber 1997; gates i, f, g, o as torch.nn.LSTMCell has them)
        c' = f c + i g;  h' = o tanh(c');  output of h'                               state h, c [M, H]

The state is zero at the start of an episode. States, and all sums over time, are float32 whatever the product dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pufferc.kernels import autograd, cuda, reference
from pufferc.policies.base import State
from pufferc.policies.mlp import Network

_LONGEST_MEMORY = 64.0  # steps; time scale of a new network's slowest units


class RecurrentNetwork(Network):
    """Base class of MinGRU and LSTM: `forward` and `step` in terms of `remember`."""

    recurrent = True

    def remember(self, x: Tensor, state: State, starts: Tensor | None) -> tuple[Tensor, State]:
        """Inputs of the output layer, float32 [T, M, H], from the hidden layer x [T, M, H], and the final state."""
        raise NotImplementedError

    def forward(self, observations: Tensor, state: State, starts: Tensor | None) -> Tensor:
        y, _ = self.remember(self.encode(observations), state, starts)
        return nn.functional.linear(y, self.output.weight, self.output.bias)

    @torch.no_grad()
    def step(self, observations: Tensor, state: State) -> tuple[Tensor, State]:
        y, state = self.remember(self.encode(observations.unsqueeze(0)), state, None)
        return nn.functional.linear(y[0], self.output.weight, self.output.bias), state

    def _product(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """W x + bias in float32, multiplied in compute_dtype."""
        return nn.functional.linear(x, weight.to(x.dtype)).to(bias.dtype).add_(bias)


def time_scales(size: int, generator: torch.Generator | None) -> Tensor:
    """Initial time scales [size] of the units in steps, log-uniform from 2 to _LONGEST_MEMORY.

    After Tallec and Ollivier 2018, "Can recurrent neural networks warp time?": a unit that forgets within two steps
    gets no gradient from what happened fifty steps ago.
    """
    exponents = torch.rand(size, generator=generator)
    return 2.0 * (0.5 * _LONGEST_MEMORY) ** exponents


class MinGRU(RecurrentNetwork):
    """See the module. Adds to the MLP's parameters: gate.weight [2 H, H] and gate.bias, u first, then c."""

    def __init__(self, observation_size: int, action_counts: Sequence[int], **options: Any) -> None:
        super().__init__(observation_size, action_counts, **options)
        size = self.output.in_features
        self.gate = nn.Linear(size, 2 * size)
        generator = options.get("generator")
        with torch.no_grad():
            for part in self.gate.weight.chunk(2):
                nn.init.orthogonal_(part, generator=generator)
            self.gate.bias.zero_()
            # z = 1 / steps
            self.gate.bias[:size] = -(time_scales(size, generator) - 1.0).log()

    def initial_state(self, rows: int, device: torch.device) -> State:
        return (torch.zeros(rows, self.output.in_features, device=device),)

    def remember(self, x: Tensor, state: State, starts: Tensor | None) -> tuple[Tensor, State]:
        pre = self._product(x, self.gate.weight, self.gate.bias)
        h = _scan_for(pre)(pre, state[0], starts)
        return x + h, (h[-1],)


def _scan_for(pre: Tensor) -> Callable[[Tensor, Tensor, Tensor | None], Tensor]:
    """The CUDA kernel if `pre` is on a GPU that can run it, else plain torch."""
    compiled = pre.is_cuda and pre.dtype == torch.float32 and cuda.why_unusable(pre.device) is None
    return autograd.mingru_scan if compiled else reference.mingru_scan


class LSTM(RecurrentNetwork):
    """See the module. Adds to the MLP's parameters: lstm.weight_ih, lstm.weight_hh [4 H, H] and their biases."""

    def __init__(self, observation_size: int, action_counts: Sequence[int], **options: Any) -> None:
        super().__init__(observation_size, action_counts, **options)
        size = self.output.in_features
        self.lstm = nn.LSTMCell(size, size)
        generator = options.get("generator")
        with torch.no_grad():
            for weight in (self.lstm.weight_ih, self.lstm.weight_hh):
                for part in weight.chunk(4):
                    nn.init.orthogonal_(part, generator=generator)
            self.lstm.bias_ih.zero_()
            self.lstm.bias_hh.zero_()
            # f = 1 - 1 / steps
            self.lstm.bias_ih[size : 2 * size] = (time_scales(size, generator) - 1.0).log()

    def initial_state(self, rows: int, device: torch.device) -> State:
        size = self.output.in_features
        return (torch.zeros(rows, size, device=device), torch.zeros(rows, size, device=device))

    def remember(self, x: Tensor, state: State, starts: Tensor | None) -> tuple[Tensor, State]:
        cell = self.lstm
        pre = self._product(x, cell.weight_ih, cell.bias_ih + cell.bias_hh)
        h0, c0 = state
        h, c = lstm_scan(pre, cell.weight_hh, h0, c0, starts, product_dtype=x.dtype)
        return h, (h[-1], c[-1])


class _LSTMScan(torch.autograd.Function):
    """`lstm_scan`. All work on a step is done while its data is in the cache; the weight gradient is one product over
    all T steps.
    """

    @staticmethod
    def forward(
        ctx: Any, pre: Tensor, weight: Tensor, h0: Tensor, c0: Tensor, starts: Tensor | None, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        back, restarts = weight.to(dtype).t(), reference.restarting(starts, pre.shape[0])
        gates = torch.empty_like(pre, memory_format=torch.contiguous_format)
        h, c = h0.new_empty(pre.shape[0], *h0.shape), c0.new_empty(pre.shape[0], *c0.shape)
        squashed = torch.empty_like(c)  # tanh(c)
        h_before, c_before = h0, c0
        for t, mask in enumerate(restarts):
            if mask is not None:
                h_before, c_before = h_before.masked_fill(mask, 0.0), c_before.masked_fill(mask, 0.0)
            torch.add(pre[t], torch.mm(h_before.to(dtype), back).to(pre.dtype), out=gates[t])
            i, f, g, o = gates[t].chunk(4, -1)
            g.mul_(2.0)
            gates[t].sigmoid_()
            g.mul_(2.0).sub_(1.0)  # tanh(x) = 2 sigmoid(2 x) - 1
            torch.mul(f, c_before, out=c[t]).addcmul_(i, g)
            torch.mul(c[t], 2.0, out=squashed[t]).sigmoid_().mul_(2.0).sub_(1.0)
            torch.mul(o, squashed[t], out=h[t])
            h_before, c_before = h[t], c[t]
        ctx.save_for_backward(gates, weight, h0, c0, h, c, squashed)
        ctx.restarts, ctx.dtype = restarts, dtype
        return h, c

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_h: Tensor, grad_c: Tensor) -> tuple[Tensor | None, ...]:
        gates, weight, h0, c0, h, c, squashed = ctx.saved_tensors
        low, grad_gates = weight.to(ctx.dtype), torch.empty_like(gates)
        dh, dc = torch.zeros_like(h0), torch.zeros_like(c0)
        h_before = torch.cat([h0.unsqueeze(0), h[:-1]])
        for t in range(gates.shape[0] - 1, -1, -1):
            mask = ctx.restarts[t]
            c_before = c[t - 1] if t else c0
            if mask is not None:
                h_before[t].masked_fill_(mask, 0.0)
                c_before = c_before.masked_fill(mask, 0.0)
            dh, dc = dh + grad_h[t], dc + grad_c[t]
            _lstm_step_backward(gates[t], c_before, squashed[t], dh, dc, grad_gates[t])
            dh = torch.mm(grad_gates[t].to(ctx.dtype), low).to(weight.dtype)
            if mask is not None:
                dh, dc = dh.masked_fill_(mask, 0.0), dc.masked_fill_(mask, 0.0)
        grad_weight = torch.mm(grad_gates.flatten(0, 1).to(ctx.dtype).t(), h_before.flatten(0, 1).to(ctx.dtype))
        return grad_gates, grad_weight.to(weight.dtype), dh, dc, None, None


def _lstm_step_backward(
    gates: Tensor, c_before: Tensor, squashed: Tensor, dh: Tensor, dc: Tensor, grad_gates: Tensor
) -> None:
    """Backward of one step: fills grad_gates [M, 4 H] from dh and dc, and updates dc [M, H] to the previous cell's."""
    i, f, g, o = gates.chunk(4, -1)
    slope = torch.addcmul(gates, gates, gates, value=-1.0)  # of sigmoids, s (1 - s)
    slope_i, slope_f, _, slope_o = slope.chunk(4, -1)
    grad_i, grad_f, grad_g, grad_o = grad_gates.chunk(4, -1)
    torch.mul(dh, squashed, out=grad_o).mul_(slope_o)
    through = dh * o
    dc.add_(through).addcmul_(through.mul_(squashed), squashed, value=-1.0)
    torch.mul(dc, g, out=grad_i).mul_(slope_i)
    torch.mul(dc, c_before, out=grad_f).mul_(slope_f)
    torch.mul(dc, i, out=grad_g).addcmul_(grad_g * g, g, value=-1.0)
    dc.mul_(f)


def lstm_scan(
    pre: Tensor,
    weight: Tensor,
    h0: Tensor,
    c0: Tensor,
    starts: Tensor | None = None,
    *,
    product_dtype: torch.dtype | None = None,
) -> tuple[Tensor, Tensor]:
    """The states of an LSTM, given the products with its inputs.

    Args:
        pre: [T, M, 4 H]: W_ih x + b_ih + b_hh, gates i, f, g, o in this order.
        weight: W_hh [4 H, H].
        h0: [M, H], the output before step 0.
        c0: [M, H], the cell before step 0.
        starts: [T, M], nonzero where an episode begins: h and c are 0 before that step. None = nowhere.
        product_dtype: dtype of the product W_hh h; None = dtype of weight.

    Returns:
        h and c [T, M, H], differentiable with respect to pre, weight, h0 and c0.
    """
    h, c = _LSTMScan.apply(pre, weight, h0, c0, starts, product_dtype or weight.dtype)  # type: ignore[no-untyped-call]
    return h, c
