"""What a run carries from update to update: pool, policy, optimizer, rollout, and random state.

The algorithm is in ppo.py; directories, logs and interruptions are in train.py.
"""

from __future__ import annotations

import dataclasses
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pufferc import normalise, ops, ppo, reference
from pufferc.checkpoint import Checkpoint, CheckpointError, game_of, module_of, same_module, save_checkpoint
from pufferc.config import Config, ConfigError, as_tables, merge
from pufferc.evaluate import Evaluation, evaluate
from pufferc.optim import Adam, FusedMuon, Muon, Optimizer
from pufferc.policies import Policy, input_scales, make_policy
from pufferc.sizes import resolve
from pufferc.vector import VecEnv

_FIRST_STATISTICS_STEP = 2**61  # of draws in the rollout for statistics alone, far from those of training
_EVALUATION_SEED = 1_000_003  # added to the run's seed: never the games that the run trains on


def torch_settings(config: Config) -> tuple[torch.device, torch.dtype, ppo.Kernels]:
    """Device, dtype of the hidden layers, and kernels that a configuration means on this machine.

    Raises ConfigError for a device that is not there and for kernels that do not run on it.
    """
    train = config.train
    name = train.device if train.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"train.device: {name!r} cannot be used: {str(error).splitlines()[0]}") from None
    if train.kernels == "fused" and device.type != "cpu":
        raise ConfigError(f"train.kernels: fused kernels run on the CPU, train.device is {name!r}; use torch or auto")
    fused = train.kernels != "torch" and device.type == "cpu"
    precision = train.precision
    if precision == "auto":
        precision = "bfloat16" if device.type == "cpu" and _has_bfloat16() else "float32"
    return device, getattr(torch, precision), ops if fused else reference


def _has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware; without it, it is slower than float32."""
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(probe and probe())


def _check_memory(rows: int, horizon: int, env: VecEnv, dtype: torch.dtype) -> None:
    """ConfigError where the observations of one rollout alone exceed this machine's memory."""
    values = math.prod(env.single_observation_space.shape or ())
    needed = (horizon + 1) * rows * values * dtype.itemsize
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory:
        raise ConfigError(
            f"vec.num_envs, train.horizon: a rollout of {rows} rows x {horizon} steps takes {needed / 1e9:.0f} GB, "
            f"this machine has {memory / 1e9:.0f} GB"
        )


class Trainer:
    """Everything that a run carries from update to update, and a checkpoint holds."""

    def __init__(self, config: Config) -> None:
        """`config` is resolved. Nothing has been stepped yet; `start` or `restore` comes next."""
        self.config, train = config, config.train
        self.device, self.dtype, self.kernels = torch_settings(config)
        fused = self.kernels is ops
        ops.set_num_threads(int(train.threads))
        rows, threads = int(config.vec.num_envs), int(config.vec.num_threads)
        self.env = VecEnv(config.game, rows, num_threads=threads, seed=train.seed, params=config.env)
        self.policy: Policy = make_policy(config, self.env, self.dtype, self.device, train.seed, fused=fused)
        # What torch has left to do beside fused kernels is small; its threads would only disturb theirs.
        torch.set_num_threads(1 if fused and self.policy.fused else int(train.threads))
        self.optimizer = make_optimizer(config, self.policy, self.dtype, fused=fused)
        _check_memory(rows, train.horizon, self.env, self.dtype)
        self.rollout = ppo.Rollout.make(self.env, self.policy, train.horizon, self.device)
        self.generator = torch.Generator().manual_seed(train.seed)
        self.observation_normaliser, self.reward_normaliser = make_normalisers(config, self.env, self.policy)
        self.batch = rows * train.horizon
        self.updates = train.total_steps // self.batch
        self.update = 0
        self.seconds = 0.0  # of training so far, parts before a resumption included

    @property
    def steps(self) -> int:
        return self.update * self.batch

    def start(self) -> None:
        train = self.config.train
        self.rollout.reset(self.env, self.policy, train.seed)
        if self.observation_normaliser is not None:
            seconds = dict.fromkeys(("policy", "env", "copy"), 0.0)
            first_step = _FIRST_STATISTICS_STEP
            ppo.collect(
                self.env,
                self.policy,
                self.rollout,
                self.kernels,
                seed=train.seed,
                first_step=first_step,
                seconds=seconds,
            )
            self.observation_normaliser.update(self.rollout)
            self.env.pop_metrics()
            self.rollout.reset(self.env, self.policy, train.seed)

    def normalisers(self) -> dict[str, normalise.Normaliser]:
        """Those that the configuration asks for, by the name that checkpoints know them by."""
        parts = {"observations": self.observation_normaliser, "rewards": self.reward_normaliser}
        return {name: part for name, part in parts.items() if part is not None}

    def learning_rate(self) -> float:
        """Of the coming update: the schedule at the share of updates that are done."""
        train, done = self.config.train, self.update / self.updates
        shape = {"constant": 1.0, "linear": 1.0 - done, "cosine": 0.5 + 0.5 * math.cos(math.pi * done)}[train.schedule]
        return train.learning_rate * (train.final_learning_rate + (1.0 - train.final_learning_rate) * shape)

    def step(self) -> dict[str, Any]:
        """One update; returns its line of the log. Raises ppo.NotFinite."""
        train, rate, now = self.config.train, self.learning_rate(), time.perf_counter
        seconds = dict.fromkeys(("policy", "env", "copy"), 0.0)
        began = now()
        first_step = self.update * train.horizon
        ppo.collect(
            self.env, self.policy, self.rollout, self.kernels, seed=train.seed, first_step=first_step, seconds=seconds
        )
        collected = now()
        factor = self.reward_normaliser.update(self.rollout) if self.reward_normaliser is not None else 1.0
        ppo.advantages(
            self.rollout,
            self.kernels,
            gamma=train.gamma,
            gae_lambda=train.gae_lambda,
            reward_factor=factor,
            reward_clamp=train.reward_clamp,
        )
        estimated = now()
        losses = ppo.optimise(self.policy, self.optimizer, self.rollout, self.kernels, train, rate, self.generator)
        if self.observation_normaliser is not None:
            self.observation_normaliser.update(self.rollout)
        ended = now()
        self.update += 1
        self.seconds += ended - began
        seconds |= {"advantage": estimated - collected, "learn": ended - estimated}
        return {
            "update": self.update,
            "steps": self.steps,
            "time_s": self.seconds,
            "sps": self.batch / (ended - began),
            "learning_rate": rate,
            **losses,
            **self.env.pop_metrics(),
            **{f"seconds_{part}": value for part, value in seconds.items()},
        }

    def log_keys(self) -> list[str]:
        """The schema of metrics.jsonl."""
        losses = [name for name in ops.PpoStats._fields if name != "rows"]
        parts = ("policy", "env", "copy", "advantage", "learn")
        return [
            *("update", "steps", "time_s", "sps", "learning_rate"),
            *losses,
            "explained_variance",
            *self.env.pop_metrics(),
            *(f"seconds_{part}" for part in parts),
            *("evaluation_score", "evaluation_ci95", "evaluation_seconds"),
        ]

    def evaluate(self) -> Evaluation:
        """A separate evaluation with games and draws of its own."""
        config = self.config
        return evaluate(
            self.policy,
            self.kernels,
            self.env.info,  # the code that it trains on, whatever has become of its file
            config.env,
            episodes=config.train.target_episodes,
            seed=config.train.seed + _EVALUATION_SEED,
            num_threads=int(config.train.threads),
        )

    def save(self, run: Path, extra: Mapping[str, Any]) -> Path:
        """Writes a checkpoint; `extra` joins its JSON."""
        tensors = {f"optimizer.{name}": tensor for name, tensor in self.optimizer.state().items()}
        tensors["generator"] = self.generator.get_state()
        if self.env.info.can_save:
            tensors["pool"] = torch.from_numpy(np.frombuffer(bytearray(self.env.save()), np.uint8))
        tensors |= {f"state.{i}": tensor for i, tensor in enumerate(self.rollout.next_state)}
        tensors["alive"] = self.rollout.alive[-1]
        tensors |= normalise.saved(self.normalisers())
        meta = {
            "game": self.env.name,
            "version": self.env.version,
            **module_of(self.env.info),
            "update": self.update,
            "seconds": self.seconds,
            "config": as_tables(self.config),
            "precision": str(self.dtype).removeprefix("torch."),
            **extra,
        }
        # Parameters that a network uses twice share their memory, which the file format refuses.
        weights = {name: tensor.clone() for name, tensor in self.policy.state_dict().items()}
        return save_checkpoint(run / "checkpoints", self.steps, weights, tensors, meta)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Goes on exactly where the checkpoint was made; games that cannot be saved, or were rebuilt, begin anew."""
        trainer = checkpoint.trainer
        load_weights(self.policy, checkpoint)
        prefix = "optimizer."
        self.optimizer.load_state(
            {name[len(prefix) :]: tensor for name, tensor in trainer.items() if name.startswith(prefix)}
        )
        self.generator.set_state(trainer["generator"])
        normalise.restore(self.normalisers(), trainer)
        self.update, self.seconds = int(checkpoint.meta["update"]), float(checkpoint.meta["seconds"])
        if "pool" not in trainer or not same_module(checkpoint, self.env.info):
            self.start()
            return
        last = self.rollout.observations[-1]
        target = last if self.rollout.staging is None else self.rollout.staging
        self.env.load(trainer["pool"].numpy().tobytes(), observations=target)
        if target is not last:
            last.copy_(target)
        self.rollout.alive[-1].copy_(trainer["alive"])
        expected = {f"state.{i}": tensor for i, tensor in enumerate(self.rollout.next_state)}
        found = {name: tensor for name, tensor in trainer.items() if name.startswith("state.")}
        shapes = [{name: tuple(tensor.shape) for name, tensor in state.items()} for state in (expected, found)]
        if shapes[0] != shapes[1]:
            raise CheckpointError(
                f"checkpoint: {checkpoint.path} holds a state of {shapes[1]}, this policy's is {shapes[0]}"
            )
        self.rollout.next_state = tuple(found[name].to(self.device) for name in expected)


def make_normalisers(
    config: Config, env: VecEnv, policy: Policy
) -> tuple[normalise.ObservationNormaliser | None, normalise.RewardNormaliser | None]:
    """Those of observations and of rewards, each None unless the configuration asks for it."""
    train, size = config.train, math.prod(env.single_observation_space.shape or ())
    observations = rewards = None
    if train.normalize_observations:
        scales = input_scales(env.info.observation, size, config.policy)
        observations = normalise.ObservationNormaliser(policy, scales)
    if train.normalize_rewards:
        rewards = normalise.RewardNormaliser(env.num_envs, train.gamma)
    return observations, rewards


def make_optimizer(config: Config, policy: Policy, dtype: torch.dtype, *, fused: bool) -> Optimizer:
    """The optimizer that a configuration names, over all parameters of a policy.

    `fused` takes its kernel where that can work on the parameters, with matrix products in `dtype`.
    """
    train = config.train
    parameters = [(name, parameter) for name, parameter in policy.named_parameters() if parameter.requires_grad]
    if train.optimizer == "muon":
        momentum, decay = train.momentum, train.weight_decay
        if fused and FusedMuon.takes([parameter for _, parameter in parameters]):
            bfloat16 = dtype == torch.bfloat16
            return FusedMuon(parameters, bfloat16=bfloat16, momentum=momentum, weight_decay=decay)
        return Muon(parameters, momentum=momentum, weight_decay=decay)
    return Adam(parameters, beta1=train.momentum, beta2=train.beta2, weight_decay=train.weight_decay)


def load_weights(policy: Policy, checkpoint: Checkpoint) -> None:
    """The network's weights; CheckpointError if they are those of another network."""
    own, found = policy.state_dict(), checkpoint.policy
    differences = [f"it has no {name}" for name in own if name not in found]
    differences += [f"it has {name} besides" for name in found if name not in own]
    differences += [
        f"its {name} has shape {tuple(found[name].shape)}, not {tuple(own[name].shape)}"
        for name in own
        if name in found and own[name].shape != found[name].shape
    ]
    if differences:
        more = f" and {len(differences) - 3} more" if len(differences) > 3 else ""
        raise CheckpointError(
            f"checkpoint: {checkpoint.path} holds another network than this {type(policy).__name__}: "
            f"{'; '.join(differences[:3])}{more}"
        )
    policy.load_state_dict(found)


def checkpoint_config(checkpoint: Checkpoint, device: str | None = None) -> Config:
    """The configuration that a checkpoint was made with, on this machine's device."""
    config = merge(Config(game_of(checkpoint)), checkpoint.meta["config"], str(checkpoint.path))
    precision = checkpoint.meta["precision"]
    return dataclasses.replace(
        config, train=dataclasses.replace(config.train, precision=precision, device=device or config.train.device)
    )


def play_checkpoint(
    checkpoint: Checkpoint, *, episodes: int, seed: int, greedy: bool = False, device: str | None = None
) -> Evaluation:
    """Evaluates the policy of a checkpoint on its own game with its own parameters."""
    config, _ = resolve(checkpoint_config(checkpoint, device))
    chosen, dtype, kernels = torch_settings(config)
    env = VecEnv(config.game, int(config.vec.num_envs), num_threads=1, seed=0, params=config.env)
    try:
        policy = make_policy(config, env, dtype, chosen, seed=0, fused=kernels is ops)
    finally:
        env.close()
    load_weights(policy, checkpoint)
    threads = int(config.train.threads)
    return evaluate(
        policy, kernels, config.game, config.env, episodes=episodes, seed=seed, num_threads=threads, greedy=greedy
    )
