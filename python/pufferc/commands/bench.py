"""`pufferc bench`: agent steps per second of a game only, with a policy's inference, and with training.

Each figure is the median of several runs in one process, with the game's training configuration. Compare figures of one
call only: machines differ, and the speed of one machine varies.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import pufferc
from pufferc import _core
from pufferc.envs.spaces import sample_legal
from pufferc.runs.machine import machine

__all__ = ["bench_game", "main"]

_ACTION_SETS = 16  # batches of actions, drawn before the timing
_ENV_ROWS = 4096  # rows for the measurement of the game only


def _median_rate(step: Callable[[], tuple[int, float]], seconds: float, runs: int) -> float:
    """Median over runs of agent steps per second; `step` returns its number of steps and their seconds."""
    step()  # warm up
    rates = []
    for _ in range(runs):
        steps, elapsed = 0, 0.0
        while elapsed < seconds / runs:
            done, took = step()
            steps, elapsed = steps + done, elapsed + took
        rates.append(steps / elapsed)
    return statistics.median(rates)


def _timed(work: Callable[[], int]) -> Callable[[], tuple[int, float]]:
    """`work` in the form that `_median_rate` takes."""

    def step() -> tuple[int, float]:
        began = time.perf_counter()
        return work(), time.perf_counter() - began

    return step


def bench_env(name: str, num_threads: int, seconds: float, runs: int, data: str | None = None) -> float:
    """Agent steps per second of `VecEnv.step` with random actions, about 4096 rows. Drawing them is not timed."""
    agents = pufferc.make(name, num_games=1, num_threads=1).num_envs
    games = min(max(1, _ENV_ROWS // agents), pufferc.env_info(name).max_games or _ENV_ROWS)
    envs = pufferc.make(name, num_games=games, num_threads=num_threads, seed=1, data=data)
    envs.reset(seed=1)
    envs.action_space.seed(1)
    generator = np.random.default_rng(1)
    actions = [np.asarray(envs.action_space.sample()) for _ in range(_ACTION_SETS)]
    actions = [batch.astype(np.int32 if batch.dtype.kind == "i" else np.float32) for batch in actions]

    def step() -> int:
        for batch in actions:
            envs.step(batch)
        return _ACTION_SETS * envs.num_envs

    def step_legally() -> tuple[int, float]:
        legal = sample_legal(envs.single_action_space, envs.action_masks(), generator)
        began = time.perf_counter()
        envs._advance(legal)
        return envs.num_envs, time.perf_counter() - began

    try:
        return _median_rate(_timed(step) if envs.action_mask is None else step_legally, seconds, runs)
    finally:
        envs.close()


def _bench_trainer(
    name: str, num_threads: int, seconds: float, runs: int, data: str | None = None
) -> tuple[float, float]:
    """Agent steps per second of collecting a rollout, and of whole updates."""
    import dataclasses

    from pufferc.config import load_config
    from pufferc.training.resolve import resolve
    from pufferc.training.trainer import Trainer

    config = load_config(name)
    vec = dataclasses.replace(config.vec, num_threads=num_threads, data=data or config.vec.data)
    train = dataclasses.replace(config.train, threads=num_threads, schedule="constant")
    config, _ = resolve(dataclasses.replace(config, vec=vec, train=train))
    trainer = Trainer(config)
    trainer.start()

    def infer() -> int:
        trainer.collector.collect(0)
        return trainer.batch

    def learn() -> int:
        trainer.step()
        return trainer.batch

    try:
        return _median_rate(_timed(infer), seconds, runs), _median_rate(_timed(learn), seconds, runs)
    finally:
        trainer.env.close()


def bench_game(name: str, num_threads: int, seconds: float, runs: int, data: str | None = None) -> dict[str, Any]:
    """The three figures of one game, in agent steps per second; None where its actions cannot be trained yet."""
    figures: dict[str, Any] = {"game": name, "env": bench_env(name, num_threads, seconds, runs, data)}
    try:
        figures["inference"], figures["training"] = _bench_trainer(name, num_threads, seconds, runs, data)
    except ValueError as error:
        figures |= {"inference": None, "training": None, "reason": str(error)}
    return figures


def main(arguments: Sequence[str]) -> int:
    """Print the figures; `arguments` are those after `pufferc bench`."""
    parser = argparse.ArgumentParser(prog="pufferc bench", description=__doc__)
    parser.add_argument("games", nargs="*", metavar="NAME", help="names or paths of games; none = all built-in ones")
    parser.add_argument("--threads", type=int, default=0, help="threads of games and of training; 0 = all cores")
    parser.add_argument("--seconds", type=float, default=3.0, help="time for each figure")
    parser.add_argument("--runs", type=int, default=5, help="runs per median")
    parser.add_argument("--data", metavar="PATH", help="a file that the game reads; needs the name of one game")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(list(arguments))
    if not 0 < options.seconds < math.inf or options.runs < 1 or not 0 <= options.threads <= _core.MAX_THREADS:
        parser.error(f"--seconds must be above 0 and finite, --runs at least 1, --threads in [0, {_core.MAX_THREADS}]")
    if options.data is not None and len(options.games) != 1:
        parser.error("--data needs the name of one game")
    import torch

    games = options.games or pufferc.list_envs()
    for name in games:
        pufferc.env_info(name)
    facts = machine() | {"pufferc": pufferc.__version__, "numpy": np.__version__, "torch": torch.__version__}
    threads = options.threads or int(facts["cores"])
    if not options.json:
        print(f"{facts['cpu']}, {threads} of {facts['cores']} cores, python {facts['python']}, torch {facts['torch']}")
        print(f"{'M agent steps/s':<16}{'env only':>10}{'+ inference':>13}{'+ training':>12}")
    results = []
    for name in games:
        figures = bench_game(name, threads, options.seconds, options.runs, options.data)
        results.append(figures)
        if not options.json:
            cells = [
                f"{figures[part] / 1e6:.2f}" if figures[part] else "-" for part in ("env", "inference", "training")
            ]
            print(f"{name:<16}{cells[0]:>10}{cells[1]:>13}{cells[2]:>12}", flush=True)
    if options.json:
        json.dump({"machine": facts | {"threads": threads}, "results": results}, sys.stdout, indent=2)
        print()
    return 0
