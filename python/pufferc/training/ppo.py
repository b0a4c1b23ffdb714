"""Proximal policy optimization (Schulman et al. 2017) in three verbs: collect, advantages, optimise.

    rollout = Rollout.make(env, policy, horizon, device)
    rollout.reset(env, policy, seed)
    for update in range(updates):
        collect(env, policy, rollout, kernels, seed=seed, first_step=update * horizon)
        advantages(rollout, kernels, gamma=..., gae_lambda=...)
        stats = optimise(policy, optimizer, rollout, kernels, settings, learning_rate, generator)

Shapes: T horizon, N agent rows, O... one observation, D action dimensions, K logits, W words of a row's mask (in games
with masks, see `pufferc.ops`), M rows of a minibatch. Row t of the rollout holds what the policy saw at step t, what it
did, and what that caused; row T holds the observation, value and alive flags that the next rollout begins with.
Everything is allocated once, by `Rollout.make`, and belongs to it.

`kernels` is `pufferc.ops` (fused, CPU) or `pufferc.reference` (the same functions in plain torch, any device).
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pufferc.config import TrainConfig
from pufferc.envs.vector import VecEnv
from pufferc.kernels import private
from pufferc.kernels.backend import Kernels
from pufferc.kernels.private import NotFinite as NotFinite
from pufferc.kernels.public import PpoStats
from pufferc.policies import Head, Policy, State, make_head, restart_rows
from pufferc.training import collectors
from pufferc.training.distributed import Ranks
from pufferc.training.optimizers import Optimizer, clip_gradients
from pufferc.training.sharding import SharedMinibatches

Array = NDArray[Any]
Blocks = Sequence[tuple[slice, int]]  # rows, and the number of the first of them in the run
_ALONE = Ranks()


class _Row(NamedTuple):
    """Views of step t, made once: slicing a tensor costs more than copying a row of flags."""

    observations: Tensor
    next_observations: Tensor
    actions: Tensor
    logprobs: Tensor
    values: Tensor
    rewards: Tensor
    terminated: Tensor
    truncated: Tensor
    alive: Tensor
    next_alive: Tensor
    mask: Tensor | None


@dataclass
class Rollout:
    """T steps of N rows; see the module."""

    observations: Tensor  # [T + 1, N, O...] of the policy's input dtype
    actions: Tensor  # as the policy's head draws them: int32 [T, N] or [T, N, D], or float32 [T, N, D]
    logprobs: Tensor  # float32 [T, N]
    values: Tensor  # float32 [T + 1, N]
    rewards: Tensor  # float32 [T, N], as the game gave them; `advantages` may clamp
    terminated: Tensor  # bool [T, N]
    truncated: Tensor  # bool [T, N]
    final_values: Tensor  # float32 [T, N], value of the last observation where truncated
    alive: Tensor  # bool [T + 1, N]: the row acts at step t
    mask: Tensor | None  # int32 [T, N, W]: words of the legal choices at step t, the bits of env.action_mask
    advantages: Tensor  # float32 [T, N]
    returns: Tensor  # float32 [T, N]
    head: Head
    state: State  # of the policy at step 0
    next_state: State  # at step T
    staging: Tensor | None  # [N, O...] host memory that games write to where they cannot write into the rollout
    rows: list[_Row]
    blocks: Blocks
    bound: private.Rollout | None = None  # these arrays as kernels take them; set by collectors.py

    @staticmethod
    def make(env: VecEnv, policy: Policy, horizon: int, device: torch.device, blocks: Blocks | None = None) -> Rollout:
        """`blocks` number the rows for the draw of actions where this is a part of a larger run; see distributed.py."""
        head, rows = policy.head or make_head(env.single_action_space), env.num_envs
        space = env.single_observation_space
        if space.shape is None or space.dtype is None:
            raise ValueError(f"the trainer takes observations that are arrays, this game has {space}")
        game_dtype = torch.from_numpy(np.empty(0, space.dtype)).dtype
        dtype = policy.input_dtype or game_dtype

        def empty(steps: int, kind: torch.dtype = torch.float32, *shape: int) -> Tensor:
            return torch.zeros(steps, rows, *shape, dtype=kind, device=device)

        staged = dtype != game_dtype or device.type != "cpu"
        staging = torch.zeros(rows, *space.shape, dtype=game_dtype, pin_memory=device.type == "cuda")
        state = policy.initial_state(rows, device)
        words = 0 if env.action_mask is None else env.action_mask.shape[1]
        rollout = Rollout(
            observations=empty(horizon + 1, dtype, *space.shape),
            actions=head.empty_actions(horizon, rows, device),
            logprobs=empty(horizon),
            values=empty(horizon + 1),
            rewards=empty(horizon),
            terminated=empty(horizon, torch.bool),
            truncated=empty(horizon, torch.bool),
            final_values=empty(horizon),
            alive=empty(horizon + 1, torch.bool),
            mask=empty(horizon, torch.int32, words) if words else None,
            advantages=empty(horizon),
            returns=empty(horizon),
            head=head,
            state=state,
            next_state=state,
            staging=staging if staged else None,
            rows=[],
            blocks=blocks or ((slice(0, rows), 0),),
        )
        rollout.rows = [rollout._row(t) for t in range(horizon)]
        return rollout

    def _row(self, t: int) -> _Row:
        return _Row(
            self.observations[t],
            self.observations[t + 1],
            self.actions[t],
            self.logprobs[t],
            self.values[t],
            self.rewards[t],
            self.terminated[t],
            self.truncated[t],
            self.alive[t],
            self.alive[t + 1],
            None if self.mask is None else self.mask[t],
        )

    def reset(self, env: VecEnv, policy: Policy, seed: int) -> None:
        """Start every game anew; the next `collect` begins there."""
        last = self.observations[-1]
        if self.staging is None:
            env.reset(seed=seed, observations=last)
        else:
            env.reset(seed=seed, observations=self.staging)
            last.copy_(self.staging)
        self.alive[-1].copy_(torch.from_numpy(env.alive))
        self.next_state = policy.initial_state(env.num_envs, last.device)

    def starts(self) -> Tensor:
        """Where a new episode began, bool [T, N]; row 0 is False, since its state is given.

        What a row saw while it did not act is no part of an episode.
        """
        began = torch.zeros_like(self.terminated)
        torch.logical_or(self.terminated[:-1], self.truncated[:-1], out=began[1:])
        began[1:] |= ~self.alive[:-2]
        return began


@torch.no_grad()
def collect(
    env: VecEnv,
    policy: Policy,
    rollout: Rollout,
    kernels: Kernels,
    *,
    seed: int,
    first_step: int,
    seconds: dict[str, float],
) -> None:
    """Fills the rollout: T steps of every row with the policy's own actions.

    `seed` and `first_step` + t name the random numbers of the draw, so a run repeats bit for bit. Wall-clock time is
    added to seconds["policy"], ["env"] and ["copy"].
    """
    rollout.observations[0].copy_(rollout.observations[-1])
    rollout.alive[0].copy_(rollout.alive[-1])
    rollout.state = state = rollout.next_state
    now = time.perf_counter
    if collectors.takes_rollout(env, policy, rollout, kernels):
        return collectors.collect(env, policy, rollout, seed=seed, first_step=first_step, seconds=seconds)
    for t, row in enumerate(rollout.rows):
        began = now()
        outputs, state = policy.step(row.observations, state)
        outputs = outputs.contiguous()
        if row.mask is not None:
            row.mask.copy_(mask_words(env))
        _sample(kernels, outputs, rollout, row, seed, first_step + t)
        sampled = now()
        target = row.next_observations if rollout.staging is None else rollout.staging
        absent = not env.alive.all()
        ended = bool(env._advance(rollout.head.env_actions(row.actions).cpu(), target)[1])
        stepped = now()
        if rollout.staging is not None:
            row.next_observations.copy_(target)
        row.rewards.copy_(torch.from_numpy(env.rewards))
        row.terminated.copy_(torch.from_numpy(env.terminated))
        row.truncated.copy_(torch.from_numpy(env.truncated))
        row.next_alive.copy_(torch.from_numpy(env.alive))
        if ended:
            _bootstrap(env, policy, rollout.final_values[t], state)
        if policy.recurrent and (ended or absent):
            state = restart_rows(policy, state, row.terminated | row.truncated | ~row.alive)
        copied = now()
        seconds["policy"] += sampled - began
        seconds["env"] += stepped - sampled
        seconds["copy"] += copied - stepped
    rollout.next_state = state
    outputs, _ = policy.step(rollout.observations[-1], state)
    rollout.values[-1].copy_(outputs[:, -1])


def mask_words(env: VecEnv) -> Tensor:
    """The pool's action_mask of the moment as torch computes with it, int32 [N, W] in the same memory."""
    assert env.action_mask is not None
    return torch.from_numpy(env.action_mask.view(np.int32))


def _sample(kernels: Kernels, outputs: Tensor, rollout: Rollout, row: _Row, seed: int, step: int) -> None:
    try:
        for part, first_row in rollout.blocks:
            rollout.head.sample(
                kernels,
                outputs[part],
                mask=None if row.mask is None else row.mask[part],
                seed=seed,
                step=step,
                first_row=first_row,
                actions=row.actions[part],
                logprobs=row.logprobs[part],
            )
    except FloatingPointError as error:
        raise NotFinite(f"the policy's outputs are not finite: {error}") from None
    row.values.copy_(outputs[:, -1])


def _bootstrap(env: VecEnv, policy: Policy, final_values: Tensor, state: State) -> None:
    """Values of the last observations of rows that were truncated in this step, with the state of this moment."""
    cut = np.flatnonzero(env.truncated)
    if cut.size == 0:
        return
    index = torch.from_numpy(cut).to(final_values.device)
    last = torch.from_numpy(env.final_observations[cut]).to(final_values.device, policy.input_dtype)
    outputs = policy(last.unsqueeze(0), tuple(part[index] for part in state), None)
    final_values[index] = outputs[0, :, -1]


@torch.no_grad()
def advantages(
    rollout: Rollout,
    kernels: Kernels,
    *,
    gamma: float,
    gae_lambda: float,
    reward_factor: float = 1.0,
    reward_clamp: float = 0.0,
) -> None:
    """Fills advantages and returns. The horizon's end bootstraps from values[T], a truncation from final_values.

    Rewards are multiplied by `reward_factor`, then clamped to +-`reward_clamp` unless that is 0.
    """
    rewards = rollout.rewards if reward_factor == 1.0 else rollout.rewards * reward_factor
    rewards = rewards.clamp(-reward_clamp, reward_clamp) if reward_clamp else rewards
    if not rollout.alive.all():
        # No row learns the value of a state in which it does not act; where an episode is cut short, that of its last.
        rollout.values.mul_(rollout.alive)
        rollout.final_values.mul_(rollout.alive[:-1])
    kernels.advantage(
        rewards,
        rollout.values,
        rollout.terminated,
        rollout.truncated,
        rollout.final_values,
        gamma=gamma,
        gae_lambda=gae_lambda,
        out=rollout.advantages,
    )
    torch.add(rollout.advantages, rollout.values[:-1], out=rollout.returns)


class Minibatch(NamedTuple):
    """M rows of a rollout, as views of it where they are neighbours."""

    observations: Tensor  # [S, M / S, O...]: S = 1 step for feed-forward policies, T for recurrent ones
    state: State
    starts: Tensor | None
    actions: Tensor  # [M] or [M, D], and so on
    logprobs: Tensor
    values: Tensor
    advantages: Tensor
    returns: Tensor
    alive: Tensor | None = None  # None = all rows
    mask: Tensor | None = None  # int32 [M, W]; None in a game without masks


def minibatches(
    policy: Policy, rollout: Rollout, size: int, order: list[int], *, some_dead: bool | None = None
) -> Iterator[Minibatch]:
    """The minibatches of one epoch. `some_dead`: whether they say which rows are alive; None = where some are not.

    Feed-forward: neighbouring rows of the flattened rollout, so nothing is copied; with M >= N that is some steps of
    every game, which learns as well as a shuffle of single steps. Recurrent: whole columns.
    """
    steps = rollout.rewards.shape[0]
    some_dead = not bool(rollout.alive.all()) if some_dead is None else some_dead
    whole = {
        "actions": rollout.actions,
        "logprobs": rollout.logprobs,
        "values": rollout.values[:-1],
        "advantages": rollout.advantages,
        "returns": rollout.returns,
    }
    if some_dead:
        whole["alive"] = rollout.alive[:-1]
    if rollout.mask is not None:
        whole["mask"] = rollout.mask
    if policy.recurrent:
        starts, width = rollout.starts(), size // steps
        for i in order:
            part = slice(i * width, (i + 1) * width)
            columns = {name: column[:, part].flatten(0, 1) for name, column in whole.items()}
            state = tuple(tensor[part] for tensor in rollout.state)
            yield Minibatch(rollout.observations[:-1, part], state, starts[:, part], **columns)
    else:
        observations = rollout.observations[:-1].flatten(0, 1)
        flat = {name: column.flatten(0, 1) for name, column in whole.items()}
        for i in order:
            part = slice(i * size, (i + 1) * size)
            columns = {name: column[part] for name, column in flat.items()}
            yield Minibatch(observations[part].unsqueeze(0), (), None, **columns)


@torch.no_grad()
def optimise(
    policy: Policy,
    optimizer: Optimizer,
    rollout: Rollout,
    kernels: Kernels,
    settings: TrainConfig,
    learning_rate: float,
    generator: torch.Generator,
    ranks: Ranks = _ALONE,
) -> dict[str, float]:
    """`settings.epochs` passes over the rollout in minibatches of `settings.minibatch_size`.

    Returns the losses' means over all minibatches. Raises NotFinite before a gradient that is not finite is applied.
    With several `ranks` each takes its part of every minibatch.
    """
    size, batch = int(settings.minibatch_size) // ranks.world, rollout.rewards.numel()
    shared = share_minibatches(policy, rollout, size, settings, ranks) if ranks.world > 1 else None
    if shared is not None:
        settings = dataclasses.replace(settings, normalize_advantages=False)  # done here, over all ranks
    grad_outputs = rollout.values.new_empty(size, sum(rollout.head.output_sizes) + 1)
    totals, gradients = np.zeros(len(PpoStats._fields)), 0
    for _ in range(settings.epochs):
        order = torch.randperm(batch // size, generator=generator).tolist()
        for index, minibatch in zip(order, minibatches(policy, rollout, size, order), strict=True):
            if shared is not None:
                minibatch = minibatch._replace(advantages=shared.normalize(index, minibatch.advantages))
            stats = _gradient(policy, kernels, minibatch, rollout.head, settings, grad_outputs)
            rollout.head.constrain(policy.distribution_layer)
            if shared is not None:
                stats = PpoStats._make(ranks.average(policy, stats, shared.weight[index]))
            if not math.isfinite(stats.loss):
                raise NotFinite(f"the loss is {stats.loss}")
            if settings.max_grad_norm:
                clip_gradients(policy.parameters(), settings.max_grad_norm)
            optimizer.step(learning_rate)
            totals += stats
            gradients += 1
    means = dict(zip(PpoStats._fields, (totals / gradients).tolist(), strict=True))
    del means["rows"]
    return {**means, "explained_variance": explained_variance(rollout, ranks)}


def share_minibatches(
    policy: Policy, rollout: Rollout, size: int, settings: TrainConfig, ranks: Ranks
) -> SharedMinibatches:
    """What all ranks together hold of each minibatch."""
    order = list(range(rollout.rewards.numel() // size))
    advantages = [(minibatch.advantages, minibatch.alive) for minibatch in minibatches(policy, rollout, size, order)]
    return ranks.minibatches(advantages, normalize=settings.normalize_advantages)


def _gradient(
    policy: Policy, kernels: Kernels, minibatch: Minibatch, head: Head, settings: TrainConfig, grad_outputs: Tensor
) -> PpoStats:
    """Sets .grad of the policy's parameters; grad_outputs [M, K + 1] is memory for the outputs' own."""
    if collectors.takes_minibatches(policy, kernels):
        return collectors.learn(policy, head, minibatch, grad_outputs, settings)
    outputs = policy.forward_for_training(minibatch.observations, minibatch.state, minibatch.starts)
    columns = (minibatch.actions, minibatch.logprobs, minibatch.advantages, minibatch.returns)
    options = loss_settings(minibatch, settings)
    stats = head.loss(kernels, outputs.flatten(0, 1).contiguous(), grad_outputs, *columns, **options)
    policy.backward(grad_outputs.view_as(outputs))
    return stats


def loss_settings(minibatch: Minibatch, settings: TrainConfig) -> dict[str, Any]:
    """What the loss takes by name."""
    return {
        "clip": settings.clip,
        "value_coef": settings.value_coef,
        "entropy_coef": settings.entropy_coef,
        "value_clip": settings.value_clip,
        "normalize_advantages": settings.normalize_advantages,
        "old_values": minibatch.values if settings.value_clip else None,
        "alive": minibatch.alive,
        "mask": minibatch.mask,
    }


def explained_variance(rollout: Rollout, ranks: Ranks) -> float:
    """Share of the returns' variance that the rollout's values predicted; 1 is perfect, 0 no better than a constant."""
    alive, every = rollout.alive[:-1], bool(rollout.alive[:-1].all())  # picking rows costs more than all of the rest
    returns, residuals = (x.flatten() if every else x[alive] for x in (rollout.returns, rollout.advantages))
    if ranks.world > 1:
        variance, left = ranks.moments([(returns, None), (residuals, None)])[2].square().tolist()
    else:
        variance, left = (float(values.var()) if values.numel() > 1 else 0.0 for values in (returns, residuals))
    return 1.0 - left / variance if variance > 0.0 else math.nan
