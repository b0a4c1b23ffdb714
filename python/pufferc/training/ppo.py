"""Proximal policy optimization (Schulman et al. 2017): collect, advantages, optimise.

    rollout = Rollout.make(env, policy, horizon, device)
    rollout.reset(env, policy, seed)
    learner = Learner(policy, optimizer, rollout, kernels, settings)
    for update in range(updates):
        collect(env, policy, rollout, kernels, seed=seed, first_step=update * horizon)
        advantages(rollout, kernels, settings)
        losses = learner.optimise(learning_rate, generator)

`kernels` is TORCH or FUSED of pufferc.kernels.backend. TORCH (--train.kernels torch) runs only this file.
FUSED replaces parts of it by C kernels, see collectors.py and learners.py. Shapes are those of rollout.py.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pufferc.config import TrainConfig
from pufferc.envs.vector import VecEnv
from pufferc.kernels import private
from pufferc.kernels.backend import Kernels
from pufferc.kernels.private import NotFinite as NotFinite
from pufferc.kernels.private import PpoStats
from pufferc.policies import Policy, State, restart_rows
from pufferc.training.distributed import Ranks
from pufferc.training.optimizers import Optimizer
from pufferc.training.rollout import Minibatch, Rollout, Step, mask_words, minibatches
from pufferc.training.sharding import SharedMinibatches, moments, share_minibatches

_SINGLE = Ranks()


# ---- collect -----------------------------------------------------------------------------------------------


@torch.no_grad()
def collect(
    env: VecEnv, policy: Policy, rollout: Rollout, kernels: Kernels, *, seed: int, first_step: int
) -> dict[str, float]:
    """Fills the rollout with T steps of every row under the policy.

    `seed` and `first_step` + t determine the random numbers of step t, so a run is reproducible bit for bit. Returns
    the seconds spent in "policy", "env" and "copy".
    """
    rollout.begin()
    state, now = rollout.state, time.perf_counter
    seconds = dict.fromkeys(("policy", "env", "copy"), 0.0)
    for t, step in enumerate(rollout.steps):
        began = now()
        outputs, state = policy.step(step.observations, state)
        outputs = outputs.contiguous()
        if step.mask is not None:
            step.mask.copy_(mask_words(env))
        sample(kernels, outputs, rollout, step, (seed, first_step + t))
        sampled = now()
        target = step.next_observations if rollout.staging is None else rollout.staging
        absent = not env.alive.all()
        ended = bool(env._advance(rollout.head.env_actions(step.actions).cpu(), target)[1])
        stepped = now()
        if rollout.staging is not None:
            step.next_observations.copy_(target)
        step.rewards.copy_(torch.from_numpy(env.rewards))
        step.terminated.copy_(torch.from_numpy(env.terminated))
        step.truncated.copy_(torch.from_numpy(env.truncated))
        step.next_alive.copy_(torch.from_numpy(env.alive))
        if ended:
            bootstrap(env, policy, rollout.final_values[t], state)
        if policy.recurrent and (ended or absent):
            state = restart_rows(policy, state, step.terminated | step.truncated | ~step.alive)
        copied = now()
        seconds["policy"] += sampled - began
        seconds["env"] += stepped - sampled
        seconds["copy"] += copied - stepped
    rollout.next_state = state
    outputs, _ = policy.step(rollout.observations[-1], state)
    rollout.values[-1].copy_(outputs[:, -1])
    return seconds


def sample(kernels: Kernels, outputs: Tensor, rollout: Rollout, step: Step, draw: tuple[int, int]) -> None:
    """Samples the actions of a step. `draw` is (seed, number of the step in the run)."""
    try:
        for part, first_row in rollout.blocks:
            rollout.head.sample(
                kernels,
                outputs[part],
                mask=None if step.mask is None else step.mask[part],
                seed=draw[0],
                step=draw[1],
                first_row=first_row,
                actions=step.actions[part],
                logprobs=step.logprobs[part],
            )
    except FloatingPointError as error:
        raise NotFinite(f"the policy's outputs are not finite: {error}") from None
    step.values.copy_(outputs[:, -1])


def bootstrap(
    env: VecEnv, policy: Policy, final_values: Tensor, state: State, own: NDArray[np.bool_] | None = None
) -> None:
    """Values of the final observations of rows truncated in this step, with the current state.

    `own` [N]: the policy's rows; None = all.
    """
    cut = np.flatnonzero(env.truncated if own is None else env.truncated & own)
    if cut.size == 0:
        return
    index = torch.from_numpy(cut).to(final_values.device)
    last = torch.from_numpy(env.final_observations[cut]).to(final_values.device, policy.input_dtype)
    outputs = policy(last.unsqueeze(0), tuple(part[index] for part in state), None)
    final_values[index] = outputs[0, :, -1]


# ---- advantages --------------------------------------------------------------------------------------------


@torch.no_grad()
def advantages(
    rollout: Rollout,
    kernels: Kernels,
    settings: TrainConfig,
    reward_factor: float = 1.0,
    bonus: Tensor | None = None,
) -> None:
    """Fills advantages and returns. The horizon's end bootstraps from values[T], a truncation from final_values.

    Rewards are multiplied by `reward_factor`, then clamped to +-settings.reward_clamp unless that is 0. `bonus`,
    float32 [T, N], is added to the result.
    """
    rewards, clamp = rollout.rewards if reward_factor == 1.0 else rollout.rewards * reward_factor, settings.reward_clamp
    rewards = rewards.clamp(-clamp, clamp) if clamp else rewards
    rewards = rewards if bonus is None else rewards + bonus
    if not rollout.alive.all():
        # Dead rows must not enter the value targets, neither at a step nor where an episode was truncated.
        rollout.values.mul_(rollout.alive)
        rollout.final_values.mul_(rollout.alive[:-1])
    truncated = rollout.truncated if rollout.forced is None else _skip_forced(rollout, rewards, settings.gamma)
    kernels.advantage(
        rewards,
        rollout.values,
        rollout.terminated,
        truncated,
        rollout.final_values,
        gamma=settings.gamma,
        gae_lambda=settings.gae_lambda,
        out=rollout.advantages,
    )
    torch.add(rollout.advantages, rollout.values[:-1], out=rollout.returns)


def _skip_forced(rollout: Rollout, rewards: Tensor, gamma: float) -> Tensor:
    """Prepares the advantages of a rollout whose forced steps are not learned from. Returns the truncated flags to use.

    A forced step gets the value reward + gamma * (value of the next step), so its own term is 0, and the advantage of
    the step before it counts all rewards up to the next free step. If that is not in the rollout, or the episode is
    truncated before it, its value is not known: then the last free step is treated as truncated with advantage 0, and
    is not learned from either.
    """
    forced, values, terminated = rollout.forced, rollout.values, rollout.terminated
    assert forced is not None
    known = torch.empty_like(rollout.terminated)  # of the value after the step
    after = ~forced[-1]
    for t in reversed(range(len(rollout.steps))):
        known[t] = terminated[t] | (after & ~rollout.truncated[t])
        carried = rewards[t] + gamma * values[t + 1] * ~terminated[t]
        torch.where(forced[t], carried, values[t], out=values[t])
        after = known[t] | ~forced[t]
    rollout.learned = rollout.alive[:-1] & ~forced[:-1] & known
    cut = ~known & ~forced[:-1]
    rollout.final_values.copy_(torch.where(cut, (values[:-1] - rewards) / max(gamma, 1e-6), rollout.final_values))
    return rollout.truncated | cut


# ---- optimise ----------------------------------------------------------------------------------------------


class Learner:
    """`optimise` loops over epochs and minibatches; it calls `gradient` and `apply` for each minibatch.

    Subclasses in learners.py and gpu.py compute a minibatch differently. Every rank of a run processes its shard of
    every minibatch, and all ranks apply the same gradient.
    """

    some_dead: bool | None = None  # see `minibatches`
    compact = False  # see `minibatches`

    def __init__(
        self,
        policy: Policy,
        optimizer: Optimizer,
        rollout: Rollout,
        kernels: Kernels,
        settings: TrainConfig,
        ranks: Ranks = _SINGLE,
    ) -> None:
        self.policy, self.optimizer, self.rollout, self.kernels = policy, optimizer, rollout, kernels
        self.settings, self.ranks = settings, ranks
        self.size = int(settings.minibatch_size) // ranks.world
        self.loss_settings = private.PpoSettings(
            clip=settings.clip,
            value_coef=settings.value_coef,
            entropy_coef=settings.entropy_coef,
            value_clip=settings.value_clip,
            normalize_advantages=settings.normalize_advantages and ranks.world == 1,  # else `optimise` normalises
        )
        self.grad_outputs = rollout.values.new_empty(self.size, sum(rollout.head.output_sizes) + 1)  # [M, K + 1]

    @torch.no_grad()
    def optimise(self, learning_rate: float, generator: torch.Generator) -> dict[str, float]:
        """Learns from the rollout. Returns the mean losses over all minibatches. Raises NotFinite."""
        count = self.rollout.rewards.numel() // self.size
        shared = self._share(count) if self.ranks.world > 1 else None
        total = torch.zeros(())
        for _ in range(self.settings.epochs):
            order = torch.randperm(count, generator=generator).tolist()
            for index, minibatch in zip(order, self._minibatches(order), strict=True):
                if shared is not None:
                    minibatch = minibatch._replace(advantages=shared.normalize(index, minibatch.advantages))
                stats = self.gradient(minibatch)
                if shared is not None:
                    self.ranks.average(self.policy.parameters(), stats, shared.weight[index])
                self.apply(stats, learning_rate)
                total = stats + total
        means = dict(zip(PpoStats._fields, (total / (self.settings.epochs * count)).tolist(), strict=True))
        if not math.isfinite(means["loss"]):
            raise NotFinite(f"the loss is {means['loss']}")
        del means["rows"]
        return {**means, "explained_variance": explained_variance(self.rollout, self.ranks)}

    def gradient(self, minibatch: Minibatch) -> Tensor:
        """Sets .grad of the policy's parameters. Returns PpoStats as a tensor [8]."""
        policy = self.policy
        outputs = policy.forward_for_training(minibatch.observations, minibatch.state, minibatch.starts)
        flat = outputs.flatten(0, 1).contiguous()
        grad_outputs = self.grad_outputs[: flat.shape[0]]
        stats = self.kernels.ppo_loss_grad(
            flat[:, :-1],
            flat[:, -1],
            self.loss_inputs(minibatch),
            self.loss_settings,
            grad_logits=grad_outputs[:, :-1],
            grad_values=grad_outputs[:, -1],
        )
        policy.backward(grad_outputs.view_as(outputs))
        self.rollout.head.constrain(policy.distribution_layer)
        return stats if isinstance(stats, Tensor) else torch.tensor(stats, dtype=torch.float64)

    def loss_inputs(self, minibatch: Minibatch) -> private.Minibatch:
        """The inputs of the loss, other than the network's outputs."""
        return private.Minibatch(
            minibatch.actions,
            minibatch.logprobs,
            minibatch.advantages,
            minibatch.returns,
            **self.rollout.head.options,
            old_values=minibatch.values,
            alive=minibatch.alive,
            mask=minibatch.mask,
        )

    def apply(self, stats: Tensor, learning_rate: float) -> None:
        """Takes an optimizer step. Raises NotFinite instead of applying a gradient that is not finite."""
        loss = float(stats[0])
        if not math.isfinite(loss):
            raise NotFinite(f"the loss is {loss}")
        if self.settings.max_grad_norm:
            torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.settings.max_grad_norm)
        self.optimizer.step(learning_rate)

    def _minibatches(self, order: list[int]) -> Iterator[Minibatch]:
        parts = self.policy, self.rollout, self.size, order
        return minibatches(*parts, some_dead=self.some_dead, compact=self.compact)

    def _share(self, count: int) -> SharedMinibatches:
        """Statistics of each minibatch over all ranks."""
        advantages = [(minibatch.advantages, minibatch.alive) for minibatch in self._minibatches(list(range(count)))]
        return share_minibatches(self.ranks, advantages, normalize=self.settings.normalize_advantages)


def explained_variance(rollout: Rollout, ranks: Ranks) -> float:
    """Fraction of the returns' variance that the values explain; 1 is perfect, 0 is no better than a constant."""
    alive = rollout.alive[:-1] if rollout.learned is None else rollout.learned
    every = bool(alive.all())  # indexing costs more than everything else here
    returns, residuals = (x.flatten() if every else x[alive] for x in (rollout.returns, rollout.advantages))
    if ranks.world > 1:
        variance, left = moments(ranks, [(returns, None), (residuals, None)])[2].square().tolist()
    else:
        variance, left = (float(values.var()) if values.numel() > 1 else 0.0 for values in (returns, residuals))
    return 1.0 - left / variance if variance > 0.0 else math.nan
