"""Rollouts and minibatches in one kernel each, where all of their parts are kernels: what ppo.py takes instead of loops
over steps, and instead of a pass forward, a loss and a pass backward.

Results are the same bit for bit, but for the values of last observations, which the loop over steps takes in torch, and
for the last digits of the losses' means.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium.vector import AutoresetMode

from pufferc.envs.vector import VecEnv
from pufferc.kernels import private
from pufferc.kernels.backend import FUSED
from pufferc.kernels.private import NotFinite
from pufferc.policies.base import Policy
from pufferc.policies.distributions import DiscreteHead, Head
from pufferc.policies.mlp import FusedMLP

if TYPE_CHECKING:
    from torch import Tensor

    from pufferc.config import TrainConfig
    from pufferc.training.ppo import Minibatch, Rollout

_MOST_AGENTS = 128  # of a game, whose rows stay together


def takes_rollout(env: VecEnv, policy: Policy, rollout: Rollout, kernels: Any) -> bool:
    """Whether `collect` can play this: a fused MLP with discrete actions on games with float32 observations."""
    return (
        kernels is FUSED
        and type(policy) is FusedMLP
        and type(env) is VecEnv
        and isinstance(rollout.head, DiscreteHead)
        and rollout.observations.dtype == policy.compute_dtype
        and env.single_observation_space.dtype == np.float32
        and env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
        and env.groups == len(rollout.blocks) == 1
        and env.agents <= _MOST_AGENTS
        and env.render_mode is None
    )


def collect(
    env: VecEnv, policy: Policy, rollout: Rollout, *, seed: int, first_step: int, seconds: dict[str, float]
) -> None:
    """Fills the rollout, whose rows 0 are set, as ppo.collect does. Raises NotFinite."""
    assert isinstance(policy, FusedMLP)
    began = time.perf_counter()
    if rollout.bound is None:
        rollout.bound = _bind(rollout)
    try:
        parts = policy.rollout(env, rollout.bound, seed=seed, first_step=first_step, first_row=rollout.blocks[0][1])
    except FloatingPointError as error:
        raise NotFinite(f"the policy's outputs are not finite: {error}") from None
    # Threads work on all parts at the same time: each gets its share of the time that passed.
    wall_s, total_s = time.perf_counter() - began, sum(parts)
    for name, part_s in zip(("policy", "env", "copy"), parts, strict=True):
        seconds[name] += wall_s * part_s / total_s


def _bind(rollout: Rollout) -> private.Rollout:
    """The rollout's arrays as the kernel takes them."""
    return private.Rollout(
        observations=rollout.observations.flatten(2),
        actions=rollout.actions,
        logprobs=rollout.logprobs,
        values=rollout.values,
        rewards=rollout.rewards,
        terminated=rollout.terminated,
        truncated=rollout.truncated,
        final_values=rollout.final_values,
        alive=rollout.alive,
        mask=rollout.mask,
    )


def takes_minibatches(policy: Policy, kernels: Any) -> bool:
    """Whether `learn` can take them: a fused MLP."""
    return kernels is FUSED and type(policy) is FusedMLP


def learn(
    policy: Policy, head: Head, minibatch: Minibatch, grad_outputs: Tensor, settings: TrainConfig
) -> private.PpoStats:
    """Sets .grad of the policy's parameters."""
    assert isinstance(policy, FusedMLP)
    batch = private.Minibatch(
        minibatch.actions,
        minibatch.logprobs,
        minibatch.advantages,
        minibatch.returns,
        **head.options,
        old_values=minibatch.values,
        alive=minibatch.alive,
        mask=minibatch.mask,
    )
    coefficients = private.PpoSettings(
        clip=settings.clip,
        value_coef=settings.value_coef,
        entropy_coef=settings.entropy_coef,
        value_clip=settings.value_clip,
        normalize_advantages=settings.normalize_advantages,
    )
    return policy.learn(minibatch.observations.flatten(0, 1), batch, coefficients, grad_outputs)
