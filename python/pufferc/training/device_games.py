"""Collects a rollout of games that live on the same device as the policy: nothing leaves the device, nothing waits.

Random draws, order and formulas are those of ppo.py, so the results are too. All T steps are one recorded function
(graphs.py) of fixed tensors.

Shapes: T horizon, N rows, O... observation.
"""

from __future__ import annotations

import time
from types import SimpleNamespace

import torch
from torch import Tensor

from pufferc.envs.device import DeviceVecEnv
from pufferc.kernels import reference
from pufferc.policies import Policy, restart_rows
from pufferc.training import ppo
from pufferc.training.graphs import Recorder
from pufferc.training.rollout import Rollout

_UNCHECKED = SimpleNamespace(sample_actions=reference.draw_actions)


class GamesCollector:
    """`ppo.collect` for a `DeviceVecEnv`."""

    def __init__(self, env: DeviceVecEnv, policy: Policy, rollout: Rollout, seed: int, recorder: Recorder) -> None:
        self.env, self.policy, self.rollout, self.seed = env, policy, rollout, seed
        device, steps = env.device, len(rollout.steps)
        rollout.head.move(device)  # a graph cannot capture a copy from the host
        # Inputs and outputs of the recorded function, beside the rollout.
        self.state = tuple(part.clone() for part in rollout.next_state)
        self.step = torch.zeros((), dtype=torch.int64, device=device)
        self.good = torch.ones((), dtype=torch.bool, device=device)
        numbers = [torch.arange(first, first + part.stop - part.start) for part, first in rollout.blocks]
        self.row_numbers = torch.cat(numbers).to(device)
        # A feed-forward policy values the last observations of truncated episodes after the rollout, all at once.
        last = torch.zeros_like(env.final_observations).expand(steps, *env.final_observations.shape)
        self.last = None if policy.recurrent else last.clone()
        self.run = recorder.record(self._collect)

    @torch.no_grad()
    def collect(self, first_step: int) -> dict[str, float]:
        """As `ppo.collect`. The time of games and policy cannot be told apart; it is the policy's."""
        rollout, began = self.rollout, time.perf_counter()
        rollout.begin()
        self.step.fill_(first_step)
        self.good.fill_(True)
        for kept, part in zip(self.state, rollout.state, strict=True):
            kept.copy_(part)
        self.run()
        rollout.next_state = tuple(part.clone() for part in self.state)
        self._value_truncated()
        if not bool(self.good):
            raise ppo.NotFinite("the policy's outputs are not finite")
        return {"policy": time.perf_counter() - began, "env": 0.0, "copy": 0.0}

    # ---- recorded: nothing here waits for the device --------------------------------------------------

    def _outputs(self, observations: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The policy's step. Networks without memory use `forward`, which keeps no buffers between calls."""
        if self.policy.recurrent:
            return self.policy.step(observations, self.state)
        return self.policy(observations.unsqueeze(0), (), None).squeeze(0), ()

    def _collect(self) -> None:
        rollout = self.rollout
        for t in range(len(rollout.steps)):
            self._act(t)
            self._move(t)
        rollout.values[-1].copy_(self._outputs(rollout.observations[-1])[0][:, -1])

    def _act(self, t: int) -> None:
        """Samples the actions of step t."""
        rollout, head = self.rollout, self.rollout.head
        outputs, state = self._outputs(rollout.observations[t])
        mask = None if rollout.mask is None else rollout.mask[t]
        if mask is not None and self.env.action_mask is not None:
            mask.copy_(self.env.action_mask)
        self.good.logical_and_(reference.drawable(outputs[:, :-1], **head.options, mask=mask))
        head.sample(
            _UNCHECKED,
            outputs,
            mask=mask,
            seed=self.seed,
            step=self.step,
            first_row=self.row_numbers,
            actions=rollout.actions[t],
            logprobs=rollout.logprobs[t],
        )
        rollout.values[t].copy_(outputs[:, -1])
        self._keep(state)
        self.step.add_(1)

    def _move(self, t: int) -> None:
        """Steps the games and stores the results."""
        env, rollout = self.env, self.rollout
        target = rollout.observations[t + 1] if rollout.staging is None else rollout.staging
        env.step(rollout.head.env_actions(rollout.actions[t]), observations=target)
        if rollout.staging is not None:
            rollout.observations[t + 1].copy_(target)
        rollout.rewards[t].copy_(env.rewards)
        rollout.terminated[t].copy_(env.terminated)
        rollout.truncated[t].copy_(env.truncated)
        rollout.alive[t + 1].copy_(env.alive)
        if self.last is not None:
            self.last[t].copy_(env.final_observations)
            return
        last = env.final_observations.to(rollout.observations.dtype)
        rollout.final_values[t].copy_(self._outputs(last)[0][:, -1])
        ended = rollout.terminated[t] | rollout.truncated[t] | ~rollout.alive[t]
        self._keep(restart_rows(self.policy, self.state, ended))

    def _keep(self, state: tuple[Tensor, ...]) -> None:
        for kept, new in zip(self.state, state, strict=True):
            kept.copy_(new)

    # ---- after the rollout ------------------------------------------------------------------------------

    def _value_truncated(self) -> None:
        """Values of the final observations of rows that were truncated. Waits once."""
        rollout = self.rollout
        if self.last is None:
            return
        cut = rollout.truncated.nonzero(as_tuple=True)
        if len(cut[0]) == 0:
            return
        last = self.last[cut].to(rollout.observations.dtype)
        rollout.final_values[cut] = self.policy(last.unsqueeze(0), (), None)[0, :, -1].float()
