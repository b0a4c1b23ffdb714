"""The state of a run between updates: pool, policy, optimizer, rollout, and random state.

The algorithm is in ppo.py, directories and logs in run.py, evaluations and interruptions in loop.py.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pufferc.config import Config, ConfigError, as_tables
from pufferc.envs.device import DeviceVecEnv
from pufferc.envs.spaces import GameSpaces, game_spaces
from pufferc.envs.vector import VecEnv
from pufferc.kernels import public
from pufferc.kernels.private import PpoStats
from pufferc.policies import Policy, input_scales, make_policy
from pufferc.policies.base import set_torch_threads
from pufferc.runs.checkpoint import (
    Checkpoint,
    fitting,
    games_key,
    module_of,
    own_games,
    same_module,
    save_checkpoint,
)
from pufferc.selfplay.settings import Sides, read_sides
from pufferc.training import faults, normalise, ppo
from pufferc.training.bonus import Bonus
from pufferc.training.collectors import Collector, make_collector
from pufferc.training.device_games import GamesCollector
from pufferc.training.distributed import Ranks
from pufferc.training.evaluate import Evaluation, EvaluationSettings, World, evaluate
from pufferc.training.from_checkpoint import load_weights
from pufferc.training.gpu import DeviceCollector, DeviceLearner
from pufferc.training.graphs import Recorder
from pufferc.training.hardware import check_memory, torch_settings
from pufferc.training.ladder import Ladder
from pufferc.training.learners import learner_class
from pufferc.training.optimizers import Adam, FusedMuon, Muon, Optimizer
from pufferc.training.rollout import Rollout
from pufferc.training.schedules import ScheduledParams
from pufferc.training.seated import LOG_KEYS, SeatedCollector, Seats
from pufferc.training.sharding import Share, plan_share

_SINGLE = Ranks()
_FIRST_STATISTICS_STEP = 2**61  # first step number of the statistics rollout, beyond all training steps
_EVALUATION_SEED = 1_000_003  # added to the run's seed, so that evaluation games differ from training games


class Trainer:
    """The state of a run between updates, which a checkpoint saves."""

    def __init__(self, config: Config, ranks: Ranks = _SINGLE) -> None:
        """`config` must be resolved. Call `start` or `restore` next.

        Every rank makes a trainer from the same configuration and calls the same methods.
        """
        self.config, self.ranks, train = config, ranks, config.train
        self.device, self.dtype, self.kernels = torch_settings(config)
        ranks.use_device(self.device)
        public.set_num_threads(int(train.threads))
        self.spaces, fused = game_spaces(config.game, config.env), self.kernels.fused
        spaces = self.spaces
        sides = read_sides(config)
        self.policy = self._new_network()
        self.share = share = _share(config, ranks, spaces.agents, self.policy.recurrent)
        check_memory(share.rows * ranks.local_world, train.horizon, spaces, self.dtype)
        set_torch_threads(self.policy, int(train.threads))
        self.optimizer = make_optimizer(config, self.policy, self.dtype, fused=fused)
        self.env = self._make_env(sides)
        self.scheduled = ScheduledParams(config, self.env)
        skip = sides is not None and config.selfplay.skip_forced
        self.rollout = Rollout.make(self.env, self.policy, train.horizon, self.device, share.blocks, skip_forced=skip)
        self.seats = None if sides is None else self._make_seats(sides)
        self.ladder: Ladder | None = None  # made by the first evaluation in self-play
        self.collector, self.learner = self._make_parts()
        self.generator = torch.Generator().manual_seed(train.seed)
        self.observation_normaliser, self.reward_normaliser = make_normalisers(
            config, spaces, self.policy, rows=share.rows
        )
        entries = math.prod(spaces.observation_space.shape)
        self.bonus = Bonus(entries, train.seed, self.device) if train.bonus_coef else None
        self.batch = int(config.vec.num_envs) * train.horizon
        self.updates = train.total_steps // self.batch
        self.update = 0
        self.seconds = 0.0  # training time, including the time before a resume

    def _make_env(self, sides: Sides | None) -> VecEnv | DeviceVecEnv:
        """The games of this rank."""
        config, agents, rows = self.config, self.spaces.agents, self.share.rows
        on_cpu = config.vec.device == "cpu"
        halves = on_cpu and self.device.type != "cpu" and sides is None and rows // agents % 2 == 0
        if not on_cpu and sides is not None:
            raise ConfigError("vec.device: games of self-play are stepped on the CPU; use --vec.device cpu")
        try:
            env: VecEnv | DeviceVecEnv = VecEnv(
                config.game,
                rows,
                num_threads=min(int(config.vec.num_threads), rows),
                seed=config.train.seed,
                groups=2 if halves else 1,
                params=config.env,
                data=config.vec.data,
                game_numbers=self.share.game_numbers(agents),
                device="cpu" if on_cpu else str(self.device) if self.device.type == "cuda" else "cuda",
            )
        except RuntimeError as error:
            raise ConfigError(f"vec.device: {error}") from None
        if isinstance(env, DeviceVecEnv) and env.device != self.device:
            raise ConfigError(f"vec.device: games on a GPU need train.device cuda, got {self.device}")
        return env

    def _new_network(self) -> Policy:
        """The network of this run with its first weights."""
        seed, fused = self.config.train.seed, self.kernels.fused
        return make_policy(self.config, self.spaces, self.dtype, self.device, seed, fused=fused)

    def _make_seats(self, sides: Sides) -> Seats:
        """The seats of self-play."""
        copies = (self._new_network() for _ in range(self.config.selfplay.max_policies if sides.pool else 0))
        numbers = self.share.game_numbers(self.spaces.agents)
        assert isinstance(self.env, VecEnv)  # see _make_env
        return Seats(self.config, sides, self.env, [self.policy, *copies], numbers, self.ranks)

    def _make_parts(self) -> tuple[Collector, ppo.Learner]:
        """Chooses the collector and the learner of this run."""
        env, policy, rollout, kernels, train = self.env, self.policy, self.rollout, self.kernels, self.config.train
        parts = policy, self.optimizer, rollout, kernels, train, self.ranks
        if isinstance(env, DeviceVecEnv):
            recorder = Recorder(self.device, policy)
            collector = GamesCollector(env, policy, rollout, train.seed, recorder)
            on_gpu = self.device.type == "cuda"
            return collector, DeviceLearner(recorder, *parts) if on_gpu else learner_class(policy, kernels)(*parts)
        seats = self.seats
        seated = None if seats is None or seats.alone else SeatedCollector(env, rollout, kernels, train.seed, seats)
        if self.device.type == "cpu":
            learner = learner_class(policy, kernels)(*parts)
            learner.compact = seats is not None and not seats.alone
            return seated or make_collector(env, policy, rollout, kernels, train.seed), learner
        recorder = Recorder(self.device, policy)
        return seated or DeviceCollector(env, policy, rollout, train.seed, recorder), DeviceLearner(recorder, *parts)

    @property
    def steps(self) -> int:
        return self.update * self.batch

    def start(self) -> None:
        """Starts with new games and rank 0's weights."""
        self._new_games()
        self._equal_weights()
        if self.observation_normaliser is not None:
            self._first_statistics(self.observation_normaliser)

    def _new_games(self) -> None:
        self.rollout.reset(self.env, self.policy, self.config.train.seed)
        if self.seats is not None:
            self.seats.start(self.rollout)

    def _first_statistics(self, normaliser: normalise.ObservationNormaliser) -> None:
        """Collects a rollout only for observation statistics, then resets the games."""
        with self._blaming():
            self.collector.collect(_FIRST_STATISTICS_STEP)
            normaliser.update(self.rollout, self.ranks)
        self.env.pop_metrics()
        if self.seats is not None:
            self.seats.clear()
        self._new_games()

    def normalisers(self) -> dict[str, normalise.Normaliser]:
        """The configured normalisers, by their name in checkpoints."""
        parts = {"observations": self.observation_normaliser, "rewards": self.reward_normaliser}
        return {name: part for name, part in parts.items() if part is not None}

    def _equal_weights(self) -> None:
        self.ranks.broadcast([*self.policy.parameters(), *self.policy.buffers()])

    def learning_rate(self) -> float:
        """The rate of the next update: the schedule at the fraction of completed updates."""
        train, done = self.config.train, self.update / self.updates
        shape = {"constant": 1.0, "linear": 1.0 - done, "cosine": 0.5 + 0.5 * math.cos(math.pi * done)}[train.schedule]
        return train.learning_rate * (train.final_learning_rate + (1.0 - train.final_learning_rate) * shape)

    @contextlib.contextmanager
    def _blaming(self) -> Iterator[None]:
        """Turns NotFinite into GameNotFinite if the game gave the numbers of this update."""
        try:
            yield
        except ppo.NotFinite:
            faults.check_game(self.env, self.rollout, self.update * self.config.train.horizon)
            raise

    def step(self) -> dict[str, Any]:
        """One update. Returns its log line, combined over all ranks.

        Raises ppo.NotFinite, or faults.GameNotFinite if the game's numbers were not finite.
        """
        with self._blaming():
            return self._step()

    def _step(self) -> dict[str, Any]:
        train, rate, now = self.config.train, self.learning_rate(), time.perf_counter
        rollout, began = self.rollout, now()
        self.scheduled.apply(self.update / max(1, self.updates - 1))
        seconds = self.collector.collect(self.update * train.horizon)
        collected = now()
        factor = self.reward_normaliser.update(rollout, self.ranks) if self.reward_normaliser is not None else 1.0
        bonus = self.bonus.update(rollout, train.bonus_coef, self.ranks) if self.bonus is not None else None
        ppo.advantages(rollout, self.kernels, train, factor, bonus)
        estimated = now()
        losses = self.learner.optimise(rate, self.generator)
        if self.observation_normaliser is not None:
            self.observation_normaliser.update(rollout, self.ranks)
        self.update += 1
        versus = {} if self.seats is None else self.seats.finish_update(self.update, self.steps)
        ended = now()
        self.seconds += ended - began
        seconds |= {"advantage": estimated - collected, "learn": ended - estimated}
        return {
            "update": self.update,
            "steps": self.steps,
            "time_s": self.seconds,
            "sps": self.batch / (ended - began),
            "learning_rate": rate,
            **{f"env.{name}": float(value) for name, value in self.scheduled.values.items()},
            **losses,
            **({} if bonus is None else {"bonus": float(bonus.mean())}),
            **self._metrics(),
            **versus,
            **{f"seconds_{part}": value for part, value in seconds.items()},
        }

    def _metrics(self) -> dict[str, float]:
        """Means over the finished episodes of all ranks."""
        own = (self.env if self.seats is None else self.seats).pop_metrics()
        if self.ranks.world == 1:
            return own
        count = own.pop("episodes")
        total, *sums = self.ranks.sums([count, *(value * count if count else 0.0 for value in own.values())])
        means = (value / total if total else math.nan for value in sums)
        return {"episodes": int(total), **dict(zip(own, means, strict=True))}

    def log_keys(self) -> list[str]:
        """The schema of metrics.jsonl."""
        losses = [name for name in PpoStats._fields if name != "rows"]
        parts = ("policy", "env", "copy", "advantage", "learn")
        return [
            *("update", "steps", "time_s", "sps", "learning_rate"),
            *(f"env.{name}" for name in self.scheduled.values),
            *losses,
            "explained_variance",
            *(() if self.bonus is None else ("bonus",)),
            *self.env.pop_metrics(),
            *(() if self.seats is None else LOG_KEYS),
            *(f"seconds_{part}" for part in parts),
            *("evaluation_score", "evaluation_ci95", "evaluation_seconds"),
            *(() if self.seats is None else ("evaluation_versus",)),
        ]

    def evaluate(self) -> Evaluation:
        """A separate evaluation on rank 0, with separate games and random draws. Every rank gets the result."""
        found, seed = None, self.config.train.seed + _EVALUATION_SEED
        if self.ranks.rank == 0 and self.seats is not None:
            pool = self.seats.opponents.pool
            self.ladder = self.ladder or Ladder(self.config, self._world(), self.kernels, self._new_network)
            found = self.ladder.evaluate(self.policy, [self.seats.opponents.copies[name] for name in pool], seed)
        elif self.ranks.rank == 0:
            settings = EvaluationSettings(self.config.train.target_episodes, seed)
            found = evaluate(self.policy, self.kernels, self._world(), settings)
        return Evaluation(**self.ranks.share(dataclasses.asdict(found) if found is not None else None))

    def _world(self) -> World:
        # env.info is the loaded code, even if its file has changed since.
        return World(self.env.info, self.config.env, int(self.config.train.threads), self.config.vec.data)

    def save(self, run: Path, extra: Mapping[str, Any]) -> Path | None:
        """Rank 0 writes a checkpoint of all ranks and gets its path. `extra` is added to its JSON."""
        games = self._gather_games()
        if self.ranks.rank != 0:
            return None
        meta = {**self._meta(), **extra}
        if self.seats is not None:
            self.seats.opponents.save(run, meta)
            meta["selfplay"] = self.seats.opponents.state()
        path = self._write(run, games, meta)
        if self.seats is not None:
            self.seats.opponents.clean(run)
        return path

    def _gather_games(self) -> dict[str, Tensor]:
        """The game snapshots and policy states of all ranks, on rank 0."""
        own = {f"state.{i}": tensor.cpu() for i, tensor in enumerate(self.rollout.next_state)}
        own["alive"] = self.rollout.alive[-1].cpu()
        if self.env.info.can_save:
            own["pool"] = torch.from_numpy(np.frombuffer(bytearray(self.env.save()), np.uint8))
        if self.reward_normaliser is not None:
            own["returns"] = self.reward_normaliser.returns
        if self.seats is not None:
            own |= self.seats.tensors()
        return {
            games_key(rank, self.ranks.world, name): part
            for name, tensor in own.items()
            for rank, part in enumerate(self.ranks.gather(tensor))
        }

    def _meta(self) -> dict[str, Any]:
        """The JSON of a checkpoint."""
        return {
            "game": self.env.name,
            "version": self.env.version,
            **module_of(self.env.info),
            "update": self.update,
            "seconds": self.seconds,
            "config": as_tables(self.config),
            **({"scheduled": self.scheduled.values} if self.scheduled.values else {}),
            "precision": str(self.dtype).removeprefix("torch."),
            **({"processes": self.ranks.world} if self.ranks.world > 1 else {}),
        }

    def _write(self, run: Path, games: Mapping[str, Tensor], meta: Mapping[str, Any]) -> Path:
        tensors = {f"optimizer.{name}": tensor for name, tensor in self.optimizer.state().items()}
        tensors |= {"generator": self.generator.get_state(), **games}
        tensors |= normalise.saved(self.normalisers())
        if self.bonus is not None:
            tensors |= {f"bonus.{name}": tensor for name, tensor in self.bonus.state().items()}
        # Tied parameters share memory, which the file format does not allow.
        weights = {name: tensor.clone() for name, tensor in self.policy.state_dict().items()}
        return save_checkpoint(run / "checkpoints", self.steps, weights, tensors, meta)

    def restore(self, checkpoint: Checkpoint) -> str | None:
        """Resumes exactly from the checkpoint. If it has to start new games, returns the reason."""
        with fitting(checkpoint):
            why = self._restore(checkpoint)
        self._equal_weights()
        return why

    def _restore(self, checkpoint: Checkpoint) -> str | None:
        trainer, info = checkpoint.trainer, self.env.info
        load_weights(self.policy, checkpoint)
        prefix = "optimizer."
        self.optimizer.load_state(
            {name[len(prefix) :]: tensor for name, tensor in trainer.items() if name.startswith(prefix)}
        )
        self.generator.set_state(trainer["generator"])
        normalise.restore(self.normalisers(), trainer)
        if self.bonus is not None:
            saved = {name[6:]: tensor for name, tensor in trainer.items() if name.startswith("bonus.")}
            self.bonus.load_state(saved)
        self.update, self.seconds = int(checkpoint.meta["update"]), float(checkpoint.meta["seconds"])
        games = own_games(trainer, self.ranks.rank, self.ranks.world)
        if self.seats is not None:
            self.seats.restore_opponents(checkpoint.meta, checkpoint.path.parent.parent)
        why = None
        if not info.can_save:
            why = f"games of {info.name} cannot be saved"
        elif not same_module(checkpoint, info):
            why = f"{info.name} was rebuilt after the checkpoint was saved"
        elif (saved_by := int(checkpoint.meta.get("processes", 1))) != self.ranks.world:
            count = f"{saved_by} process{'es' * (saved_by > 1)}"
            why = f"the checkpoint was saved by {count}, but this run has {self.ranks.world}"
        if why is not None:
            self._new_games()
            return why
        self.scheduled.load(checkpoint.meta.get("scheduled", {}))
        last = self.rollout.observations[-1]
        target = last if self.rollout.staging is None else self.rollout.staging
        self.env.load(games["pool"].numpy().tobytes(), observations=target)
        if target is not last:
            last.copy_(target)
        self.rollout.alive[-1].copy_(games["alive"])
        if self.seats is not None:
            self.seats.restore_games(games, self.rollout)
        expected = {f"state.{i}": tensor for i, tensor in enumerate(self.rollout.next_state)}
        found = {name: tensor for name, tensor in games.items() if name.startswith("state.")}
        shapes = [{name: tuple(tensor.shape) for name, tensor in state.items()} for state in (expected, found)]
        if shapes[0] != shapes[1]:
            raise ValueError(f"its state has the shapes {shapes[1]}, but this policy expects {shapes[0]}")
        self.rollout.next_state = tuple(found[name].to(self.device) for name in expected)
        if self.reward_normaliser is not None:
            self.reward_normaliser.returns = games["returns"].clone()
        return None


def _share(config: Config, ranks: Ranks, agents: int, recurrent: bool) -> Share:
    return plan_share(
        ranks.rank,
        ranks.world,
        rows=int(config.vec.num_envs),
        agents=agents,
        horizon=config.train.horizon,
        minibatch=int(config.train.minibatch_size),
        recurrent=recurrent,
    )


def make_normalisers(
    config: Config, spaces: GameSpaces, policy: Policy, *, rows: int
) -> tuple[normalise.ObservationNormaliser | None, normalise.RewardNormaliser | None]:
    """The normalisers of observations and rewards, each None unless configured."""
    train, size = config.train, math.prod(spaces.observation_space.shape)
    observations = rewards = None
    if train.normalize_observations:
        scales = input_scales(spaces.observation_rows, size, config.policy)
        observations = normalise.ObservationNormaliser(policy, scales)
    if train.normalize_rewards:
        rewards = normalise.RewardNormaliser(rows, train.gamma)
    return observations, rewards


def make_optimizer(config: Config, policy: Policy, dtype: torch.dtype, *, fused: bool) -> Optimizer:
    """The configured optimizer over all parameters of a policy.

    `fused` uses the C kernel if it supports the parameters, with matrix products in `dtype`.
    """
    train = config.train
    parameters = [(name, parameter) for name, parameter in policy.named_parameters() if parameter.requires_grad]
    if train.optimizer == "muon":
        momentum, decay = train.momentum, train.weight_decay
        if fused and FusedMuon.supports([parameter for _, parameter in parameters]):
            bfloat16 = dtype == torch.bfloat16
            return FusedMuon(parameters, bfloat16=bfloat16, momentum=momentum, weight_decay=decay)
        return Muon(parameters, momentum=momentum, weight_decay=decay)
    return Adam(parameters, beta1=train.momentum, beta2=train.beta2, weight_decay=train.weight_decay)
