"""The interface between the trainer and a network.

`Policy` is small so that any torch module can be trained. Shapes: T steps, M agent rows (all N rows of the pool, or
those of a minibatch), K parameters of a row's action distribution: sum(action_counts) logits, or means and log
standard deviations, see distributions.py. A network returns one float32 tensor [..., K + 1] with the value estimate in
the last column. One matrix product computes both, and the sampling and loss kernels read the columns in place.

A policy with memory sets `recurrent`. Its state is a tuple of tensors [M, ...]. The trainer gets the first state from
`initial_state`, passes it through `step`, stores the state at the start of each rollout, and passes that to `forward`
together with `starts`. `starts` marks the steps at which an episode begins; there, `forward` must reset the state to
`initial_state`.

Feed-forward policies have the empty tuple as state and get minibatches of unordered rows (T = 1). Recurrent policies
get whole segments of consecutive steps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pufferc.policies.distributions import Head

State = tuple[Tensor, ...]


class Policy(nn.Module):
    """Base class with the defaults of a feed-forward policy; subclasses define `forward`.

    Attributes:
        input_dtype: dtype in which the trainer stores and passes observations; None = the game's dtype.
        recurrent: whether minibatches consist of whole segments.
        head: maps outputs to actions. make_policy sets it; None = the default for the game's action space.
        fused: whether its passes run in kernels that have their own threads, so torch needs few.
    """

    input_dtype: torch.dtype | None = None
    recurrent: bool = False
    head: Head | None = None
    fused: bool = False
    _recorded: Tensor

    @property
    def distribution_layer(self) -> nn.Linear | None:
        """The output layer whose biases are the log standard deviations of continuous actions, or None."""
        return None

    def initial_state(self, rows: int, device: torch.device) -> State:
        """State of `rows` agents at the start of an episode: tensors [rows, ...], or () without memory."""
        return ()

    def forward(self, observations: Tensor, state: State, starts: Tensor | None) -> Tensor:
        """Outputs float32 [T, M, K + 1] for observations [T, M, ...].

        `state` is the state before the first step; `starts` [T, M] is nonzero where an episode begins, None = nowhere.
        """
        raise NotImplementedError

    def step(self, observations: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: outputs float32 [M, K + 1] for observations [M, ...], and the new state.

        The trainer calls it without gradients; the next call may overwrite the outputs. Recurrent policies override it.
        """
        return self.forward(observations.unsqueeze(0), state, None).squeeze(0), state

    def forward_for_training(self, observations: Tensor, state: State, starts: Tensor | None) -> Tensor:
        """`forward` that saves the inputs of `backward`. The outputs [T, M, K + 1] are detached."""
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
    """The state with the rows in `ended` (bool [N]) reset to the initial state."""
    if not state:
        return state
    fresh = policy.initial_state(ended.shape[0], ended.device)
    return tuple(
        torch.where(ended.view(-1, *[1] * (old.ndim - 1)), new, old) for new, old in zip(fresh, state, strict=True)
    )


def set_torch_threads(policy: Policy, count: int) -> None:
    """Gives torch `count` threads, or one if the policy's passes run in kernels that have their own.

    Torch has little to do then, and its threads would take the cores while they wait for each other.
    """
    torch.set_num_threads(1 if policy.fused else count)
