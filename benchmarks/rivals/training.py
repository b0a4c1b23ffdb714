"""PPO training from scratch, each library with its recommended settings.

CartPole trains until 100 separate episodes have a mean of 475: ours with `pufferc train cartpole`, Stable-Baselines3
with the settings of its zoo. Breakout has a network of one layer of 128. Ours runs `pufferc train breakout` until 1,000
episodes have a mean of 821. PufferLib's trainer runs for `limit_s` with its own configuration except for LSTM, device
and number of processes. That configuration was tuned with the LSTM, so only the speed is compared; PufferLib makes one
pass over each batch, ours two. Times exclude imports, and the rivals' evaluations.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from race import limit_threads


@dataclass
class Outcome:
    """One training run: seconds to the target (None: not reached, or no target) and agent steps per second."""

    seconds: float | None = None
    steps_per_second: float = 0.0


@dataclass(frozen=True)
class Trainer:
    name: str
    package: str
    train: Callable[[int, int, float], Outcome]  # seed, threads, limit in seconds
    install: str = ""
    note: str = ""


@dataclass
class Trainings:
    """Results of one trainer for all seeds, or the reason why there are none."""

    trainer: Trainer
    outcomes: list[Outcome] = field(default_factory=list)
    reason: str = ""


def _pufferc(game: str, seed: int) -> Outcome:
    from pufferc.commands.main import main

    if main(["train", game, "--train.seed", str(seed), "--quiet"]) != 0:
        raise RuntimeError(f"pufferc train {game} failed")
    (result,) = (json.loads(path.read_text()) for path in Path("runs").glob("*/result.json"))
    return Outcome(result["target_seconds"], result["steps_per_second"])


def pufferc_cartpole(seed: int, threads: int, limit_s: float) -> Outcome:
    return _pufferc("cartpole", seed)


def pufferc_breakout(seed: int, threads: int, limit_s: float) -> Outcome:
    return _pufferc("breakout", seed)


def sb3_cartpole(seed: int, threads: int, limit_s: float) -> Outcome:
    """RL Baselines3 Zoo's settings. Evaluates, off the clock, once the last 20 training episodes reach the target."""
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.evaluation import evaluate_policy

    torch.set_num_threads(1)  # two threads are slower with a network this small
    outcome, others, off = Outcome(), make_vec_env("CartPole-v1", 8, seed=1000 + seed), 0.0

    class Watch(BaseCallback):
        def _on_step(self) -> bool:
            return outcome.seconds is None

        def _on_rollout_end(self) -> None:
            nonlocal off
            recent = [episode["r"] for episode in self.model.ep_info_buffer][-20:]
            if len(recent) == 20 and np.mean(recent) >= 475:
                now = time.perf_counter()
                if evaluate_policy(self.model, others, 100)[0] >= 475:
                    outcome.seconds = now - began - off
                off += time.perf_counter() - now

    began = time.perf_counter()
    model = PPO(
        "MlpPolicy", make_vec_env("CartPole-v1", 8, seed=seed), n_steps=32, batch_size=256, n_epochs=20, gamma=0.98,
        gae_lambda=0.8, ent_coef=0.0, learning_rate=lambda left: 1e-3 * left, clip_range=lambda left: 0.2 * left,
        seed=seed, device="cpu",
    )  # fmt: skip
    model.learn(100_000, callback=Watch())
    outcome.steps_per_second = model.num_timesteps / (time.perf_counter() - began - off)
    return outcome


def puffer_breakout(seed: int, threads: int, limit_s: float) -> Outcome:
    """1024 games per process. The first update is not counted, because it touches memory for the first time."""
    from pufferlib import pufferl

    backend = ["--vec.backend", "Serial"] if threads == 1 else ["--vec.num-workers", str(threads)]
    words = ["--rnn-name", "None", "--train.device", "cpu", "--vec.num-envs", str(threads), "--train.seed", str(seed)]
    sys.argv = ["puffer", *words, *backend]
    config: Any = pufferl.load_config("puffer_breakout")
    config |= {"rnn_name": None}
    settings = config["train"] | {"env": "puffer_breakout", "use_rnn": False}
    pufferl.PuffeRL.print_dashboard = lambda *_, **__: None
    envs = pufferl.load_env("puffer_breakout", config)
    trainer = pufferl.PuffeRL(settings, envs, pufferl.load_policy(config, envs))
    first, began, took = 0, time.perf_counter(), 0.0
    while took < limit_s:
        trainer.evaluate()
        trainer.train()
        if not first:
            first, began = trainer.global_step, time.perf_counter()
        took = time.perf_counter() - began
    trainer.utilization.stop()
    envs.close()
    return Outcome(None, (trainer.global_step - first) / took)


def _serve(pipe: Connection, trainer: Trainer, seed: int, threads: int, limit_s: float) -> None:
    os.dup2(2, 1)  # keeps output of libraries out of the table
    limit_threads(threads)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            pipe.send(trainer.train(seed, threads, limit_s))
        except ImportError as error:
            pipe.send(f"not installed ({error.name}): {trainer.install}")
        except Exception as error:
            pipe.send(f"{type(error).__name__}: {error}")


def compete(trainers: tuple[Trainer, ...], threads: int, seeds: list[int], limit_s: float) -> list[Trainings]:
    """Runs every trainer with every seed, in turn, each run in its own process."""
    found = [Trainings(trainer) for trainer in trainers]
    context = multiprocessing.get_context("spawn")
    for seed in seeds:
        for one in found:
            if one.reason:
                continue
            pipe, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, one.trainer, seed, threads, limit_s))
            process.start()
            theirs.close()
            try:
                answer = pipe.recv()
            except EOFError:
                answer = "its process ended"
            process.join()
            if isinstance(answer, Outcome):
                one.outcomes.append(answer)
            else:
                one.reason = answer
    return found


CARTPOLE = (
    Trainer("pufferc", "pufferc", pufferc_cartpole),
    Trainer("Stable-Baselines3", "stable_baselines3", sb3_cartpole, "pip install stable-baselines3", "8 environments"),
)
BREAKOUT = (
    Trainer("pufferc", "pufferc", pufferc_breakout),
    Trainer("PufferLib", "pufferlib", puffer_breakout, "pip install pufferlib"),
)
