"""Plays the same policy in the Lander and in Gymnasium's LunarLander-v3 and compares the results.

    python benchmarks/lander_crosscheck.py [--checkpoint RUN | --theirs FILE] [--episodes 200] [--continuous] [--wind]
    python benchmarks/lander_crosscheck.py --theirs FILE --train STEPS

The default pilot is Gymnasium's heuristic controller. --checkpoint uses a policy trained on the Lander; --theirs one
that Stable-Baselines3 trained on Gymnasium's game, and --train trains it first and saves it as FILE. The two games use
different versions of Box2D, so single episodes differ, but the statistics must agree. Exit status 1 if they do not: for
the heuristic, mean returns that differ by more than four standard errors plus 10; for a policy, a mean below 150 in the
game that it was not trained on. Needs the built package, `pip install "gymnasium[box2d]"` and, for --theirs,
`pip install stable-baselines3`.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.box2d.lunar_lander import heuristic
from numpy.typing import NDArray

import pufferc

GAMES = 20  # played side by side
Pilot = Callable[[NDArray[np.float32]], NDArray[Any]]
Step = Callable[[NDArray[Any]], Any]
Episodes = list[tuple[float, int, bool]]  # return, length, landed


def heuristic_pilot(continuous: bool) -> Pilot:
    class Described:
        """The attributes that the heuristic reads from its environment."""

    described: Any = Described()
    described.unwrapped = described
    described.continuous = continuous
    kind = np.float32 if continuous else np.int32

    def act(observations: NDArray[np.float32]) -> NDArray[Any]:
        return np.asarray([heuristic(described, row) for row in observations], kind)

    return act


def checkpoint_pilot(name: str) -> Pilot:
    from pufferc.runs.checkpoint import find_checkpoint
    from pufferc.watch.players import CheckpointAgent

    agent = CheckpointAgent(find_checkpoint(name, Path("runs"), "lander"))
    return lambda observations: agent.act(observations).actions


def their_pilot(path: Path, steps: int | None, args: argparse.Namespace) -> Pilot:
    """A policy of Stable-Baselines3. If `steps` is given, trains it on Gymnasium's game first."""
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env

    torch.set_num_threads(1)  # more threads slow down a network this small
    if steps is not None:
        options = {"continuous": args.continuous, "enable_wind": args.wind}
        env = make_vec_env("LunarLander-v3", 16, seed=args.seed, env_kwargs=options)
        settings = {"n_steps": 1024, "batch_size": 64, "n_epochs": 4, "gamma": 0.999, "gae_lambda": 0.98}
        learner = PPO("MlpPolicy", env, ent_coef=0.01, seed=args.seed, device="cpu", **settings)
        learner.learn(steps)
        learner.save(path)
    trained = PPO.load(path, device="cpu")
    return lambda observations: trained.predict(observations)[0]


def play(step: Step, observations: NDArray[np.float32], pilot: Pilot, episodes: int) -> Episodes:
    """Plays the same number of episodes in each row. `step` returns observations, rewards, terminated and truncated."""
    rows = observations.shape[0]
    quota = math.ceil(episodes / rows)
    done: list[Episodes] = [[] for _ in range(rows)]
    returns, lengths = np.zeros(rows), np.zeros(rows, int)
    while any(len(row) < quota for row in done):
        observations, rewards, terminated, truncated = step(pilot(observations))
        returns += rewards
        lengths += 1
        for row in np.flatnonzero(terminated | truncated):
            if len(done[row]) < quota:
                landed = bool(terminated[row] and rewards[row] == 100)
                done[row].append((float(returns[row]), int(lengths[row]), landed))
            returns[row], lengths[row] = 0.0, 0
    return [episode for row in done for episode in row]


def play_ours(pilot: Pilot, args: argparse.Namespace) -> Episodes:
    env = pufferc.make("lander", GAMES, seed=args.seed, copy=True, continuous=args.continuous, enable_wind=args.wind)
    first, _ = env.reset()
    episodes = play(lambda actions: env.step(actions)[:4], first, pilot, args.episodes)
    env.close()
    return episodes


def play_theirs(pilot: Pilot, args: argparse.Namespace) -> Episodes:
    env = gym.make_vec(
        "LunarLander-v3",
        num_envs=GAMES,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": gym.vector.AutoresetMode.SAME_STEP},
        continuous=args.continuous,
        enable_wind=args.wind,
    )
    first, _ = env.reset(seed=args.seed)
    episodes = play(lambda actions: env.step(actions)[:4], first, pilot, args.episodes)
    env.close()
    return episodes


def report(name: str, episodes: Episodes) -> tuple[float, float]:
    """Prints a line; returns the mean return and its standard error."""
    returns, lengths, landed = (np.asarray(values, float) for values in zip(*episodes, strict=True))
    error = returns.std() / math.sqrt(len(returns))
    print(
        f"{name:10s} {len(returns)} episodes  return {returns.mean():6.1f} +- {error:.1f}"
        f"  median {np.median(returns):6.1f}  length {lengths.mean():5.0f}  landed {landed.mean():4.0%}"
    )
    return float(returns.mean()), float(error)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoint", help="a run, a checkpoint, or latest; default: the heuristic controller")
    parser.add_argument("--theirs", type=Path, metavar="FILE", help="a policy that Stable-Baselines3 saved")
    parser.add_argument("--train", type=int, metavar="STEPS", help="train the policy --theirs first")
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--continuous", action="store_true")
    parser.add_argument("--wind", action="store_true")
    args = parser.parse_args()
    if args.train is not None and args.theirs is None:
        parser.error("--train needs --theirs FILE, the file to save the policy to")
    if args.theirs is not None:
        pilot = their_pilot(args.theirs, args.train, args)
    else:
        pilot = checkpoint_pilot(args.checkpoint) if args.checkpoint else heuristic_pilot(args.continuous)
    ours, our_error = report("pufferc", play_ours(pilot, args))
    theirs, their_error = report("Gymnasium", play_theirs(pilot, args))
    if args.theirs:
        return int(ours < 150.0)
    if args.checkpoint:
        return int(theirs < 150.0)
    return int(abs(ours - theirs) > 4.0 * math.hypot(our_error, their_error) + 10.0)


if __name__ == "__main__":
    raise SystemExit(main())
