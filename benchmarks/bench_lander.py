"""Compares agent steps per second of the Lander and of Gymnasium's LunarLander-v3 in one run.

    python benchmarks/bench_lander.py [--games 128] [--threads 2] [--seconds 3]

Both play uniformly random actions, resets included. Gymnasium's games run in this process (SyncVectorEnv), and again in
as many worker processes (AsyncVectorEnv) as ours has threads. Prints the median of five alternating rounds, so that a
busy moment of the machine affects all alike. Needs the built package and `pip install "gymnasium[box2d]"`.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import gymnasium as gym
import numpy as np

import pufferc

ROUNDS = 5


def rate(step: Callable[[], None], rows: int, seconds: float) -> float:
    """Agent steps per second of `step`, which steps `rows` agents, measured over about `seconds`."""
    start = time.perf_counter()
    steps = 0
    while (elapsed := time.perf_counter() - start) < seconds:
        step()
        steps += rows
    return steps / elapsed


def ours(games: int, threads: int) -> Callable[[], None]:
    env = pufferc.make("lander", games, num_threads=threads, seed=1)
    env.reset()
    sets = np.random.default_rng(1).integers(0, 4, (64, games)).astype(np.int32)
    turn = iter(range(1 << 62))

    def step() -> None:
        for _ in range(16):
            env.step(sets[next(turn) % 64])

    return step


def theirs(games: int, asynchronous: bool) -> Callable[[], None]:
    kind = "async" if asynchronous else "sync"
    env = gym.make_vec("LunarLander-v3", num_envs=games, vectorization_mode=kind)
    env.reset(seed=1)
    generator = np.random.default_rng(1)

    def step() -> None:
        env.step(generator.integers(0, 4, games))

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--games", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3.0)
    args = parser.parse_args()
    # One worker process per game would measure the scheduler, so Gymnasium gets one per thread of ours.
    contenders = {
        "pufferc lander": (ours(args.games, args.threads), 16 * args.games),
        "Gymnasium, one process": (theirs(args.games, False), args.games),
        f"Gymnasium, {args.threads} processes": (theirs(args.threads, True), args.threads),
    }
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, (step, rows) in contenders.items():
            rates[name].append(rate(step, rows, args.seconds / ROUNDS))
    for name, values in rates.items():
        spread = f"({min(values):,.0f} to {max(values):,.0f})"
        print(f"{name:28s} {statistics.median(values):12,.0f} agent steps/s  {spread}")
    medians = {name: statistics.median(values) for name, values in rates.items()}
    best = max(value for name, value in medians.items() if name.startswith("Gymnasium"))
    print(f"ratio to the faster one: {medians['pufferc lander'] / best:.0f}")


if __name__ == "__main__":
    main()
