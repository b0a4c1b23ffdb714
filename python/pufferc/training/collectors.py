"""Rollout collection: step by step, or in one C call. The trainer chooses once; gpu.py has the collector for GPUs."""

from __future__ import annotations

import time
from typing import Protocol

import numpy as np
from gymnasium.vector import AutoresetMode

from pufferc.envs.vector import VecEnv
from pufferc.kernels import private
from pufferc.kernels.backend import Kernels
from pufferc.policies import DiscreteHead, FusedMLP, Policy
from pufferc.training import ppo
from pufferc.training.rollout import Rollout

_MAX_AGENTS = 128  # per game: the kernel does not split a game's rows


class Collector(Protocol):
    """Fills rollouts."""

    def collect(self, first_step: int) -> dict[str, float]:
        """As `ppo.collect`."""


class LoopCollector:
    """`ppo.collect`, for any policy and any game."""

    def __init__(self, env: VecEnv, policy: Policy, rollout: Rollout, kernels: Kernels, seed: int) -> None:
        self.env, self.policy, self.rollout, self.kernels, self.seed = env, policy, rollout, kernels, seed

    def collect(self, first_step: int) -> dict[str, float]:
        env, policy, rollout, kernels = self.env, self.policy, self.rollout, self.kernels
        return ppo.collect(env, policy, rollout, kernels, seed=self.seed, first_step=first_step)


class FusedCollector:
    """A rollout of a FusedMLP in one C call.

    Bit-equal to `ppo.collect`, except for the values of final observations, which `ppo.collect` computes in torch.
    """

    def __init__(self, env: VecEnv, policy: FusedMLP, rollout: Rollout, seed: int) -> None:
        self.env, self.policy, self.rollout, self.seed = env, policy, rollout, seed
        self.arrays = private.Rollout(
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

    @staticmethod
    def supports(env: VecEnv, policy: FusedMLP, rollout: Rollout) -> bool:
        """Whether the kernel supports this: discrete actions, float32 observations, and one block of rows."""
        return (
            type(env) is VecEnv
            and isinstance(rollout.head, DiscreteHead)
            and rollout.observations.dtype == policy.compute_dtype
            and env.single_observation_space.dtype == np.float32
            and env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
            and env.groups == len(rollout.blocks) == 1
            and env.agents <= _MAX_AGENTS
            and env.render_mode is None
        )

    def collect(self, first_step: int) -> dict[str, float]:
        rollout, began = self.rollout, time.perf_counter()
        rollout.begin()
        numbers = {"seed": self.seed, "first_step": first_step, "first_row": rollout.blocks[0][1]}
        try:
            parts = self.policy.rollout(self.env, self.arrays, **numbers)
        except FloatingPointError as error:
            raise ppo.NotFinite(f"the policy's outputs are not finite: {error}") from None
        # The seconds are summed over threads; scale them to wall-clock time.
        wall_s, total_s = time.perf_counter() - began, sum(parts)
        return {name: wall_s * part / total_s for name, part in zip(("policy", "env", "copy"), parts, strict=True)}


def make_collector(env: VecEnv, policy: Policy, rollout: Rollout, kernels: Kernels, seed: int) -> Collector:
    """The fastest collector for a policy on the CPU."""
    if kernels.fused and type(policy) is FusedMLP and FusedCollector.supports(env, policy, rollout):
        return FusedCollector(env, policy, rollout, seed)
    return LoopCollector(env, policy, rollout, kernels, seed)
