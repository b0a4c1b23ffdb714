"""Action distributions: discrete and multi-discrete choices, and Gaussians for continuous actions.

A head defines the width of the outputs, the stored form of an action, the sampling, and the action that the game gets.
Shapes: N rows, D action dimensions, K outputs not counting the value.

    discrete      K = sum(action_counts) logits; int32 [N] or [N, D], passed to the game as they are
    continuous    K = 2 D, the D means and then the D log standard deviations; Gaussian samples u, float32 [N, D].
                  The game gets u clamped to its bounds or, with `squash`, tanh(u) scaled to the bounds. Rollouts store
                  u and its log-probability: the map has no parameters, so ratios do not depend on it.

In the built-in networks the log standard deviations do not depend on the observation. Their rows of the output weights
stay zero, so the biases are the log standard deviations. A custom policy may make them depend on the observation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn

_MAX_DIMENSIONS = 8  # limit of the kernels for continuous actions


class Head:
    """Base class of both kinds.

    Attributes:
        output_sizes: widths of the parts of the outputs; their sum is K.
        options: keyword arguments that select the kind in the kernels of `pufferc.ops`.
        dtype, shape: the stored action of one row.
    """

    output_sizes: list[int]
    options: dict[str, Any]
    dtype: torch.dtype
    shape: tuple[int, ...]

    def empty_actions(self, steps: int, rows: int, device: torch.device) -> Tensor:
        """Zeros [T, N] or [T, N, D] that `sample` writes into."""
        return torch.zeros(steps, rows, *self.shape, dtype=self.dtype, device=device)

    def sample(
        self,
        kernels: Any,
        outputs: Tensor,
        *,
        mask: Tensor | None = None,
        seed: int,
        step: int | Tensor,
        first_row: int | Tensor = 0,
        greedy: bool = False,
        **into: Tensor,
    ) -> Tensor:
        """Samples actions from outputs float32 [N, K + 1], or takes the most probable ones with `greedy`.

        `mask`: words of the legal choices, int32 [N, W], see `pufferc.ops`; None = all are legal. `into` may hold
        `actions` and `logprobs` to write into. Raises FloatingPointError if outputs are not finite.
        """
        actions: Tensor = kernels.sample_actions(
            outputs[:, :-1], **self.options, mask=mask, seed=seed, step=step, first_row=first_row, greedy=greedy, **into
        )[0]
        return actions

    def env_actions(self, actions: Tensor) -> Tensor:
        """The actions that the games get."""
        return actions

    def move(self, device: torch.device) -> None:
        """Moves the tensors of `env_actions` to a device."""

    def prepare(self, output: nn.Linear) -> None:
        """Initialises the output layer of a built-in network."""

    def constrain(self, output: nn.Linear | None) -> None:
        """Adjusts the gradients of the output layer before the optimizer step. None = a custom network."""


class DiscreteHead(Head):
    """A softmax over the choices of each action dimension."""

    def __init__(self, action_counts: Sequence[int]) -> None:
        self.output_sizes = [int(count) for count in action_counts]
        self.options = {"action_counts": self.output_sizes}
        self.dtype = torch.int32
        self.shape = (len(self.output_sizes),) if len(self.output_sizes) > 1 else ()


class GaussianHead(Head):
    """Independent Gaussians, one for each element of a Box.

    Args:
        low: Lower bounds, float32 in the shape of the space, D numbers; -inf = unbounded.
        high: Upper bounds; inf = unbounded.
        squash: The game gets tanh(u) scaled to the bounds, which must be finite, instead of clamped u.
        initial_log_std: Log standard deviation of a new network.
    """

    def __init__(self, low: Tensor, high: Tensor, *, squash: bool = False, initial_log_std: float = 0.0) -> None:
        dims = low.numel()
        if not 1 <= dims <= _MAX_DIMENSIONS:
            raise ValueError(f"continuous actions must have 1 to {_MAX_DIMENSIONS} numbers, but this game has {dims}")
        if squash and not (torch.isfinite(low).all() and torch.isfinite(high).all()):
            raise ValueError("policy.squash needs actions with finite bounds, those of this game are not")
        self.low, self.high = low.float(), high.float()
        self.squash, self.initial_log_std = squash, initial_log_std
        self.output_sizes, self.options = [dims, dims], {"continuous_dims": dims}
        self.dtype, self.shape = torch.float32, (dims,)

    def env_actions(self, actions: Tensor) -> Tensor:
        """float32 [N, ...] in the shape of the space."""
        u = actions.reshape(-1, *self.low.shape)
        low, high = self.low.to(u.device), self.high.to(u.device)
        if self.squash:
            half = 0.5 * (high - low)
            u = (low + half) + half * u.tanh()
        return torch.minimum(torch.maximum(u, low), high)

    def move(self, device: torch.device) -> None:
        self.low, self.high = self.low.to(device), self.high.to(device)

    def prepare(self, output: nn.Linear) -> None:
        dims = self.shape[0]
        with torch.no_grad():
            output.weight[dims : 2 * dims] = 0.0
            output.bias[dims : 2 * dims] = self.initial_log_std

    def constrain(self, output: nn.Linear | None) -> None:
        dims = self.shape[0]
        if output is not None and output.weight.grad is not None:
            output.weight.grad[dims : 2 * dims] = 0.0


def make_head(space: gym.Space[Any], *, squash: bool = False, initial_log_std: float = 0.0) -> Head:
    """The head for an action space: Discrete, MultiDiscrete, or a Box of floats. ValueError for others."""
    if squash and not isinstance(space, gym.spaces.Box):
        raise ValueError(f"policy.squash needs continuous actions, but this game has {space}")
    if isinstance(space, gym.spaces.Discrete):
        return DiscreteHead([int(space.n)])
    if isinstance(space, gym.spaces.MultiDiscrete) and space.nvec.ndim == 1:
        return DiscreteHead([int(n) for n in space.nvec])
    if isinstance(space, gym.spaces.Box) and np.issubdtype(space.dtype, np.floating):
        low, high = (torch.from_numpy(np.asarray(bound, np.float32)) for bound in (space.low, space.high))
        return GaussianHead(low, high, squash=squash, initial_log_std=initial_log_std)
    raise ValueError(
        f"the trainer supports Discrete, one-dimensional MultiDiscrete and float Box actions, but this game has {space}"
    )


def standard_deviations(output: nn.Linear | None, head: Head) -> list[float]:
    """The standard deviations, from the biases of `output`; [] for discrete actions or a custom network."""
    if output is None or not isinstance(head, GaussianHead):
        return []
    dims = head.shape[0]
    return [math.exp(value) for value in output.bias[dims : 2 * dims].tolist()]
