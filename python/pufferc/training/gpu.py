"""Training on a GPU: collect and optimise as in ppo.py, but the host does not wait idly for the device.

Games run on the CPU in two groups: while one steps, the policy computes the actions of the other. Transfers use pinned
memory, and uploads a separate stream. The policy step and the minibatch update are functions of fixed tensors that
never read data on the host, so that they can be captured as CUDA graphs (graphs.py). Random draws, shapes, order and
formulas are those of ppo.py. On the CPU, without streams and graphs, the results are too.

Shapes: T horizon, N rows, n rows of one group, M rows of a minibatch, K outputs not counting the value.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from pufferc.envs.vector import Array, VecEnv
from pufferc.kernels import cuda, public, reference
from pufferc.kernels.backend import Kernels
from pufferc.kernels.private import PpoStats
from pufferc.policies import Policy, restart_rows
from pufferc.training import ppo
from pufferc.training.graphs import Recorder
from pufferc.training.rollout import Minibatch, Rollout, mask_words

_UNCHECKED = SimpleNamespace(sample_actions=reference.draw_actions)


def device_kernels(device: torch.device) -> Kernels:
    """The torch kernels, with the CUDA advantage kernel on a GPU that can run it."""
    compiled = device.type == "cuda" and cuda.why_unusable(device) is None
    return Kernels(
        sample_actions=reference.sample_actions,
        advantage=public.advantage if compiled else reference.advantage,
        ppo_loss_grad=reference.ppo_loss_grad_on_device,
    )


class _Uploads:
    """A second stream for copies to the device. Does nothing on the CPU."""

    def __init__(self, device: torch.device) -> None:
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]

    def section(self) -> AbstractContextManager[None]:
        """Work enqueued inside runs on the upload stream, after the work already in the current stream."""
        return contextlib.nullcontext() if self.stream is None else self._section(self.stream)

    @contextlib.contextmanager
    def _section(self, stream: torch.cuda.Stream) -> Iterator[None]:
        stream.wait_stream(torch.cuda.current_stream(stream.device))
        with torch.cuda.stream(stream):
            yield

    def arrive(self) -> None:
        """Makes the current stream wait for all uploads so far."""
        if self.stream is not None:
            torch.cuda.current_stream(self.stream.device).wait_stream(self.stream)


class _Record:
    """Flags and rewards of T steps on the host, uploaded together because the device needs them only at the end."""

    def __init__(self, rollout: Rollout, pinned: bool) -> None:
        names = ("rewards", "terminated", "truncated", "alive")
        self._tensors = {
            name: torch.zeros_like(getattr(rollout, name), device="cpu", pin_memory=pinned) for name in names
        }
        self.rewards, self.terminated, self.truncated, self.alive = (t.numpy() for t in self._tensors.values())

    def upload(self, rollout: Rollout) -> None:
        for name, tensor in self._tensors.items():
            getattr(rollout, name).copy_(tensor, non_blocking=True)


class _Group:
    """The rows of one group of games: their transfer buffers and policy step."""

    def __init__(
        self, index: int, env: VecEnv, policy: Policy, rollout: Rollout, seed: int, recorder: Recorder
    ) -> None:
        rows = env.num_envs // env.groups
        self.index, self.rows, self.seed = index, slice(index * rows, (index + 1) * rows), seed
        self.policy, self.rollout, self.device = policy, rollout, recorder.device
        self.pinned = pinned = self.device.type == "cuda"
        assert rollout.staging is not None
        like = rollout.staging[self.rows]
        self.host_observations, self.host_final = (torch.zeros_like(like, pin_memory=pinned) for _ in range(2))
        self.host_ended = torch.zeros(rows, dtype=torch.bool, pin_memory=pinned)
        masked = None if rollout.mask is None else rollout.mask[0, self.rows]
        self.host_mask = None if masked is None else torch.zeros_like(masked, device="cpu", pin_memory=pinned)
        # Inputs and outputs of the recorded functions.
        self.observations, self.final = (torch.zeros_like(rollout.observations[0, self.rows]) for _ in range(2))
        self.state = tuple(part[self.rows].clone() for part in rollout.next_state)
        self.mask = None if masked is None else torch.zeros_like(masked)
        self.step = torch.zeros((), dtype=torch.int64, device=self.device)
        numbers = [torch.arange(first, first + part.stop - part.start) for part, first in rollout.blocks]
        self.row_numbers = torch.cat(numbers)[self.rows].to(self.device)
        self.actions = torch.zeros_like(rollout.actions[0, self.rows])
        self.logprobs, self.values, self.final_values = (torch.zeros(rows, device=self.device) for _ in range(3))
        self.good = torch.ones((), dtype=torch.bool, device=self.device)
        self.env_actions = rollout.head.env_actions(self.actions).clone()
        self.host_actions = torch.zeros_like(self.env_actions, device="cpu", pin_memory=pinned)
        self.act, self.value_final = recorder.record(self._act), recorder.record(self._value_final)
        self.value_next = recorder.record(self._value_next)

    # ---- recorded: nothing here waits for the device ------------------------------------------------

    def _outputs(self, observations: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The policy's step. Networks without memory use `forward`, which keeps no buffers between calls."""
        if self.policy.recurrent:
            return self.policy.step(observations, self.state)
        return self.policy(observations.unsqueeze(0), (), None).squeeze(0), ()

    def _act(self) -> None:
        outputs, state = self._outputs(self.observations)
        head = self.rollout.head
        self.good.logical_and_(reference.drawable(outputs[:, :-1], **head.options, mask=self.mask))
        head.sample(
            _UNCHECKED,
            outputs,
            mask=self.mask,
            seed=self.seed,
            step=self.step,
            first_row=self.row_numbers,
            actions=self.actions,
            logprobs=self.logprobs,
        )
        self.values.copy_(outputs[:, -1])
        self.env_actions.copy_(head.env_actions(self.actions))
        for kept, new in zip(self.state, state, strict=True):
            kept.copy_(new)
        self.step.add_(1)

    def _value_final(self) -> None:
        """Values of the final observations with the current state; only those of truncated rows are used."""
        self.final_values.copy_(self._outputs(self.final)[0][:, -1])

    def _value_next(self) -> None:
        """Values of the next rollout's first observations; the state does not change."""
        self.values.copy_(self._outputs(self.observations)[0][:, -1])

    # ---- one step -------------------------------------------------------------------------------------

    def begin(self, first_step: int) -> None:
        """Loads the state at the start of the rollout."""
        self.step.fill_(first_step)
        self.good.fill_(True)
        for kept, part in zip(self.state, self.rollout.state, strict=True):
            kept.copy_(part[self.rows])

    def choose(self, env: VecEnv, t: int) -> None:
        """Computes the actions of step t from the rollout's observations and the pool's masks, and downloads them."""
        rollout = self.rollout
        self.observations.copy_(rollout.observations[t, self.rows])
        if self.mask is not None and self.host_mask is not None and rollout.mask is not None:
            self.host_mask.copy_(mask_words(env)[self.rows])
            self.mask.copy_(self.host_mask, non_blocking=self.pinned)
            rollout.mask[t, self.rows].copy_(self.mask)
        self.act()
        self.host_actions.copy_(self.env_actions, non_blocking=self.pinned)
        rollout.actions[t, self.rows].copy_(self.actions)
        rollout.logprobs[t, self.rows].copy_(self.logprobs)
        rollout.values[t, self.rows].copy_(self.values)
        if self.pinned:
            torch.cuda.current_stream(self.device).synchronize()  # also waits for uploads from the host's buffers

    def take(self, env: VecEnv, record: _Record, t: int, uploads: _Uploads) -> None:
        """Stores the results of step t: observations, values of truncated episodes, and reset states of new ones."""
        rollout, rows = self.rollout, self.rows
        record.rewards[t, rows] = env.rewards[rows]
        record.terminated[t, rows], record.truncated[t, rows] = env.terminated[rows], env.truncated[rows]
        record.alive[t + 1, rows] = env.alive[rows]
        cut = bool(env.truncated[rows].any())
        with uploads.section():
            rollout.observations[t + 1, rows].copy_(self.host_observations, non_blocking=True)
            if cut:
                self.host_final.numpy()[...] = env.final_observations[rows]
                self.final.copy_(self.host_final, non_blocking=True)
        uploads.arrive()
        if cut:
            self.value_final()
            rollout.final_values[t, rows].copy_(self.final_values)
        if self.state:
            self._restart(env.terminated[rows] | env.truncated[rows] | ~record.alive[t, rows])

    def _restart(self, ended: Array) -> None:
        if not ended.any():
            return
        self.host_ended.numpy()[...] = ended
        fresh = restart_rows(self.policy, self.state, self.host_ended.to(self.device, non_blocking=True))
        for kept, new in zip(self.state, fresh, strict=True):
            kept.copy_(new)

    def finish(self) -> None:
        """Computes the values of row T."""
        self.observations.copy_(self.rollout.observations[-1, self.rows])
        self.value_next()
        self.rollout.values[-1, self.rows].copy_(self.values)


class DeviceCollector:
    """`ppo.collect` for a rollout on a GPU."""

    def __init__(self, env: VecEnv, policy: Policy, rollout: Rollout, seed: int, recorder: Recorder) -> None:
        self.env, self.rollout = env, rollout
        rollout.head.move(recorder.device)  # a graph cannot capture a copy from the host
        self.groups = [_Group(i, env, policy, rollout, seed, recorder) for i in range(env.groups)]
        self.uploads = _Uploads(recorder.device)
        self.record = _Record(rollout, recorder.device.type == "cuda")

    @torch.no_grad()
    def collect(self, first_step: int) -> dict[str, float]:
        """As `ppo.collect`, but the seconds of "env" are the time that the policy waited for games."""
        rollout, record, now = self.rollout, self.record, time.perf_counter
        seconds = dict.fromkeys(("policy", "env", "copy"), 0.0)
        rollout.begin()
        record.alive[0] = self.env.alive
        for group in self.groups:
            group.begin(first_step)
            self._send(group, 0, seconds)
        for t in range(len(rollout.steps)):
            for group in self.groups:
                began = now()
                self.env._pool.recv(group.index)  # builds no infos
                received = now()
                group.take(self.env, record, t, self.uploads)
                seconds["env"] += received - began
                seconds["copy"] += now() - received
                if t + 1 < len(rollout.steps):
                    self._send(group, t + 1, seconds)
        self._finish()
        return seconds

    def _send(self, group: _Group, t: int, seconds: dict[str, float]) -> None:
        began = time.perf_counter()
        group.choose(self.env, t)
        seconds["policy"] += time.perf_counter() - began
        self.env.send(group.host_actions, group.index, observations=group.host_observations)

    def _finish(self) -> None:
        for group in self.groups:
            group.finish()
        self.record.upload(self.rollout)
        parts = zip(*(group.state for group in self.groups), strict=True)
        self.rollout.next_state = tuple(torch.cat(part) for part in parts)
        if not all(bool(group.good) for group in self.groups):
            raise ppo.NotFinite("the policy's outputs are not finite")


class DeviceLearner(ppo.Learner):
    """`ppo.Learner` on a GPU: a minibatch is copied to fixed tensors, and the rest is a recorded function.

    Nothing waits for the device during an update, so a loss that is not finite is detected at the end of the update;
    its gradients are skipped.
    """

    some_dead = True  # a graph needs the same tensors in every minibatch

    def __init__(self, recorder: Recorder, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.recorder = recorder
        self.parameters = list(self.policy.parameters())
        self.gradients = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.rate = torch.zeros((), device=recorder.device)
        self.stats = torch.zeros(len(PpoStats._fields), device=recorder.device)
        self.minibatch: Minibatch | None = None
        self.recorded_gradient, self.recorded_apply = recorder.record(self._gradient), recorder.record(self._apply)

    # ---- recorded: nothing here waits for the device ------------------------------------------------

    def _gradient(self) -> None:
        assert self.minibatch is not None
        self.stats.copy_(super().gradient(self.minibatch))
        finite = torch.isfinite(self.stats[0])
        for parameter, kept in zip(self.parameters, self.gradients, strict=True):
            if parameter.grad is None:
                kept.zero_()
            else:
                kept.copy_(torch.where(finite, parameter.grad, torch.zeros_like(kept)))
            parameter.grad = kept

    def _apply(self) -> None:
        if self.settings.max_grad_norm:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.settings.max_grad_norm)
        self.optimizer.step(self.rate)

    # ---- the update -----------------------------------------------------------------------------------

    def optimise(self, learning_rate: float, generator: torch.Generator) -> dict[str, float]:
        """As `ppo.Learner.optimise`, but raises NotFinite after the update."""
        self.rate.fill_(learning_rate)
        try:
            return super().optimise(learning_rate, generator)
        finally:
            if self.recorder.enabled:
                self.recorder.touch()

    def gradient(self, minibatch: Minibatch) -> Tensor:
        self._fill(minibatch)
        self.recorded_gradient()
        return self.stats

    def apply(self, stats: Tensor, learning_rate: float) -> None:
        """Takes an optimizer step with the rate that `optimise` has set."""
        self.recorded_apply()

    def _fill(self, minibatch: Minibatch) -> None:
        """Copies a minibatch to the tensors that the recorded functions read."""
        if self.minibatch is None:
            cloned: dict[str, Any] = {name: _clone(part) for name, part in minibatch._asdict().items()}
            self.minibatch = Minibatch(**cloned)
            return
        for kept, part in zip(self.minibatch, minibatch, strict=True):
            for into, new in zip(_tensors(kept), _tensors(part), strict=True):
                into.copy_(new)


def _tensors(part: Tensor | tuple[Tensor, ...] | None) -> tuple[Tensor, ...]:
    return () if part is None else part if isinstance(part, tuple) else (part,)


def _clone(part: Tensor | tuple[Tensor, ...] | None) -> Tensor | tuple[Tensor, ...] | None:
    if part is None:
        return None
    return tuple(tensor.clone() for tensor in part) if isinstance(part, tuple) else part.clone()
