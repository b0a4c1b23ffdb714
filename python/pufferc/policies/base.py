"""What the trainer asks of a network.

The interface, `Policy`, is small so that any torch module can be trained. Shapes: T steps, M agent rows (all N of the
pool, or the part that a minibatch holds), K numbers that describe a row's distribution of actions: sum(action_counts)
logits, or means and log standard deviations, see distributions.py. A network returns them and its value estimate side
by side, as one float32 tensor [..., K + 1] with the value in the last column: one matrix product makes both, and the
sampling and loss kernels read the columns where they lie.

A policy with memory sets `recurrent` and keeps one tuple of tensors [M, ...] as its state. The trainer starts it with
`initial_state`, hands it through `step`, stores the one that a rollout began with, and gives it back to `forward`
together with `starts`, which marks the steps at which a new episode began and the state has to be set to that of
`initial_state`.

Feed-forward policies, whose state is the empty tuple, get minibatches of rows that need not be neighbours (T = 1);
recurrent ones whole segments of neighbouring steps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pufferc.policies.distributions import Head

State = tuple[Tensor, ...]


class Policy(nn.Module):
    """Base class with the defaults of a feed-forward policy; subclasses define `forward`.

    Attributes:
        input_dtype: dtype in which the trainer keeps observations and passes them in; None = as the game makes them.
        recurrent: whether minibatches are made of whole segments.
        head: what turns outputs into actions; make_policy sets it, None = what the game's action space asks for.
        fused: whether its passes run in kernels with threads of their own, and torch has little left to do.
    """

    input_dtype: torch.dtype | None = None
    recurrent: bool = False
    head: Head | None = None
    fused: bool = False
    _recorded: Tensor

    @property
    def distribution_layer(self) -> nn.Linear | None:
        """The output layer whose biases are the log standard deviations of continuous actions; None = none is."""
        return None

    def initial_state(self, rows: int, device: torch.device) -> State:
        """State of `rows` agents at the start of an episode: tensors [rows, ...], or () without memory."""
        return ()

    def forward(self, observations: Tensor, state: State, starts: Tensor | None) -> Tensor:
        """Outputs float32 [T, M, K + 1] of observations [T, M, ...].

        `state` is that of the first step; `starts` [T, M] is nonzero where an episode began, None = nowhere.
        """
        raise NotImplementedError

    def step(self, observations: Tensor, state: State) -> tuple[Tensor, State]:
        """One step of acting: outputs float32 [M, K + 1] of observations [M, ...], and the new state.

        The trainer calls it without gradients; the next call may overwrite the outputs. Recurrent policies override it.
        """
        return self.forward(observations.unsqueeze(0), state, None).squeeze(0), state

    def forward_for_training(self, observations: Tensor, state: State, starts: Tensor | None) -> Tensor:
        """`forward`, keeping what `backward` needs; the outputs [T, M, K + 1] carry no graph."""
        with torch.enable_grad():
            self._recorded = self.forward(observations, state, starts)
        return self._recorded.detach()

    def backward(self, grad_outputs: Tensor) -> None:
        """Sets .grad of every parameter from d loss / d outputs [T, M, K + 1] of the last forward_for_training."""
        for parameter in self.parameters():
            parameter.grad = None
        torch.autograd.backward([self._recorded], [grad_outputs])
        del self._recorded


def restart_rows(policy: Policy, state: State, ended: Tensor) -> State:
    """The state with the rows whose episode ended (bool [N]) set back to the start."""
    if not state:
        return state
    fresh = policy.initial_state(ended.shape[0], ended.device)
    return tuple(
        torch.where(ended.view(-1, *[1] * (old.ndim - 1)), new, old) for new, old in zip(fresh, state, strict=True)
    )
