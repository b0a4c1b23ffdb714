"""Learners for the CPU: separate forward pass, loss and backward pass, or all in one C call."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pufferc.kernels.backend import Kernels
from pufferc.policies import FusedMLP
from pufferc.training.ppo import Learner
from pufferc.training.rollout import Minibatch


class FusedLearner(Learner):
    """A minibatch of a FusedMLP in one C call. Gradients are bit-equal to separate calls; losses differ by rounding."""

    policy: FusedMLP

    def gradient(self, minibatch: Minibatch) -> Tensor:
        observations = minibatch.observations.flatten(0, 1)
        grad_outputs = self.grad_outputs[: observations.shape[0]]
        stats = self.policy.learn(observations, self.loss_inputs(minibatch), self.loss_settings, grad_outputs)
        self.rollout.head.constrain(self.policy.distribution_layer)
        return torch.tensor(stats, dtype=torch.float64)


def learner_class(policy: Any, kernels: Kernels) -> type[Learner]:
    """The fastest learner for a policy on the CPU."""
    return FusedLearner if kernels.fused and type(policy) is FusedMLP else Learner
