"""Rollouts and their minibatches.

Shapes: T horizon, N agent rows, O... one observation, D action dimensions, W words of a row's mask (in games with
masks, see `pufferc.ops`), M rows of a minibatch. Row t of a rollout holds the observation, action and result of step t.
Row T holds the observation, value and alive flags at the start of the next rollout.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pufferc.envs.device import DeviceVecEnv
from pufferc.envs.vector import VecEnv
from pufferc.policies import Head, Policy, State, make_head

_COMPACT_SHARE = 0.9  # of alive rows, above which copying them costs more than the dead ones

Blocks = Sequence[tuple[slice, int]]  # rows, and the number of the first one in the run


class Step(NamedTuple):
    """Views of step t, cached because slicing a tensor costs more than copying a row of flags."""

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
    """T steps of N rows. `make` allocates everything once."""

    observations: Tensor  # [T + 1, N, O...] in the policy's input dtype
    actions: Tensor  # as the policy's head samples them: int32 [T, N] or [T, N, D], or float32 [T, N, D]
    logprobs: Tensor  # float32 [T, N]
    values: Tensor  # float32 [T + 1, N]
    rewards: Tensor  # float32 [T, N] from the game; `ppo.advantages` may scale and clamp them
    terminated: Tensor  # bool [T, N]
    truncated: Tensor  # bool [T, N]
    final_values: Tensor  # float32 [T, N], value of the final observation where truncated
    alive: Tensor  # bool [T + 1, N]: the row acts at step t
    mask: Tensor | None  # int32 [T, N, W]: words of the legal choices at step t, the bits of env.action_mask
    forced: Tensor | None  # bool [T + 1, N]: the row has one legal choice; None = such steps are not skipped
    learned: Tensor | None  # bool [T, N]: the step is learned from; None = where alive. Set by `ppo.advantages`
    advantages: Tensor  # float32 [T, N]
    returns: Tensor  # float32 [T, N]
    head: Head
    state: State  # the policy's state before step 0
    next_state: State  # the policy's state before step T
    staging: Tensor | None  # [N, O...] buffer beside the games, if they cannot write directly into the rollout
    steps: list[Step]
    blocks: Blocks

    @staticmethod
    def make(
        env: VecEnv | DeviceVecEnv,
        policy: Policy,
        horizon: int,
        device: torch.device,
        blocks: Blocks | None = None,
        *,
        skip_forced: bool = False,
    ) -> Rollout:
        """`blocks` number the rows for action sampling if this is a shard of a larger run; see sharding.py."""
        head, rows = policy.head or make_head(env.spaces.action_space), env.num_envs
        space, words = env.spaces.observation_space, env.spaces.mask_words
        game_dtype = torch.from_numpy(np.empty(0, space.dtype)).dtype
        dtype = policy.input_dtype or game_dtype

        def empty(steps: int, kind: torch.dtype = torch.float32, *shape: int) -> Tensor:
            return torch.zeros(steps, rows, *shape, dtype=kind, device=device)

        home = env.device if isinstance(env, DeviceVecEnv) else torch.device("cpu")  # where the games live
        staged = dtype != game_dtype or device != home
        pinned = device.type == "cuda" and home.type == "cpu"
        staging = torch.zeros(rows, *space.shape, dtype=game_dtype, pin_memory=pinned, device=home)
        state = policy.initial_state(rows, device)
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
            forced=empty(horizon + 1, torch.bool) if skip_forced and words else None,
            learned=None,
            advantages=empty(horizon),
            returns=empty(horizon),
            head=head,
            state=state,
            next_state=state,
            staging=staging if staged else None,
            steps=[],
            blocks=blocks or ((slice(0, rows), 0),),
        )
        rollout.steps = [rollout._step(t) for t in range(horizon)]
        return rollout

    def _step(self, t: int) -> Step:
        return Step(
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

    def reset(self, env: VecEnv | DeviceVecEnv, policy: Policy, seed: int) -> None:
        """Resets every game; the next rollout starts there."""
        last = self.observations[-1]
        if self.staging is None:
            env.reset(seed=seed, observations=last)
        else:
            env.reset(seed=seed, observations=self.staging)
            last.copy_(self.staging)
        self.alive[-1].copy_(torch.as_tensor(env.alive))
        self.next_state = policy.initial_state(env.num_envs, last.device)

    def begin(self) -> None:
        """Moves the end of the last rollout, row T, to row 0 of the next one."""
        self.observations[0].copy_(self.observations[-1])
        self.alive[0].copy_(self.alive[-1])
        self.state = self.next_state

    def starts(self) -> Tensor:
        """Where an episode begins, bool [T, N]. Row 0 is False, because its state is given.

        Dead rows restart too: their observations are not part of an episode.
        """
        began = torch.zeros_like(self.terminated)
        torch.logical_or(self.terminated[:-1], self.truncated[:-1], out=began[1:])
        began[1:] |= ~self.alive[:-2]
        return began


def mask_words(env: VecEnv) -> Tensor:
    """The pool's current action_mask as an int32 [N, W] tensor in the same memory."""
    assert env.action_mask is not None
    return torch.from_numpy(env.action_mask.view(np.int32))


class Minibatch(NamedTuple):
    """M rows of a rollout; views if the rows are contiguous."""

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
    policy: Policy,
    rollout: Rollout,
    size: int,
    order: list[int],
    *,
    some_dead: bool | None = None,
    compact: bool = False,
) -> Iterator[Minibatch]:
    """The minibatches of one epoch. `some_dead`: whether they have `alive`; None = only if there are dead rows.

    `compact`: for feed-forward policies, copies of the alive rows in place of `alive`, unless almost all are alive.

    Feed-forward: contiguous rows of the flattened rollout, so nothing is copied. With M >= N these are some steps of
    every game, which learns as well as a shuffle of single steps. Recurrent: whole columns.
    """
    steps = rollout.rewards.shape[0]
    alive = rollout.alive[:-1] if rollout.learned is None else rollout.learned
    if some_dead is None:
        some_dead = not bool((rollout.alive if rollout.learned is None else alive).all())
    whole = {
        "actions": rollout.actions,
        "logprobs": rollout.logprobs,
        "values": rollout.values[:-1],
        "advantages": rollout.advantages,
        "returns": rollout.returns,
    }
    if some_dead:
        whole["alive"] = alive
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
            columns, seen = {name: column[part] for name, column in flat.items()}, observations[part]
            if compact and some_dead:
                columns, seen = _compacted(columns, seen)
            yield Minibatch(seen.unsqueeze(0), (), None, **columns)


def _compacted(columns: dict[str, Tensor], observations: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """The alive rows of columns and observations [M, ...]. All rows if copying would not pay, or if none is alive."""
    rows = columns["alive"].nonzero().squeeze(1)
    if not 0 < rows.numel() <= _COMPACT_SHARE * observations.shape[0]:
        return columns, observations
    return {name: column[rows] for name, column in columns.items() if name != "alive"}, observations[rows]
