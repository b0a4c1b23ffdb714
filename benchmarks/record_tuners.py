"""Records the table on which tuners.py compares methods of search: training runs at Sobol points of one space.

    python benchmarks/record_tuners.py [--out benchmarks/tuners.npz] [--minutes 40] [--jobs 2]

A table that is there already is completed. Each configuration is trained with three seeds. A row has the score of the
separate evaluation at the end, the seconds, and the learning curve at ten numbers of steps. Seconds are those of the
processor, so other load on the machine matters little. Points of the space are recorded in the order of the sequence,
so a table that ends early is a smaller one.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import qmc

from pufferc.config import Config, load_config
from pufferc.runs.scores import ScoreWindow
from pufferc.sweep.space import Space, apply, make_space

SPACE = {
    "train.learning_rate": "log:0.002:0.5",
    "train.gamma": "logit:0.9:0.998",
    "train.horizon": "grid:16:128:4:log",
    "train.epochs": "integer:1:5",
    "policy.hidden_size": "grid:32:256:4:log",
}
SEEDS, POINTS = 3, 10  # points of a curve, the last one before the evaluation
# Configurations and steps of a run. The committed table has the first 54 or 55 of each game.
TASKS = {"cartpole": (300, 524_288), "pong": (120, 1_048_576), "breakout": (120, 1_048_576)}
_EPISODES = 100


def task(game: str) -> tuple[Config, Space]:
    """The configuration that a task varies, and its space."""
    config = load_config(game)
    train = dataclasses.replace(
        config.train, total_steps=TASKS[game][1], target_score=None, target_episodes=_EPISODES, threads=1
    )
    config = dataclasses.replace(config, vec=dataclasses.replace(config.vec, num_envs=256, num_threads=1), train=train)
    return config, make_space(config, SPACE)


def positions(count: int) -> np.ndarray:
    """Sobol points [count, dimensions] in [0, 1)."""
    return qmc.Sobol(len(SPACE), seed=1).random(512)[:count]


def train(game: str, place: np.ndarray, seed: int) -> tuple[float, float, np.ndarray]:
    """Score, seconds and curve [POINTS, (seconds, score)] of one run; NaN where no score was known."""
    from pufferc.training.ppo import NotFinite
    from pufferc.training.resolve import resolve
    from pufferc.training.trainer import Trainer

    base, space = task(game)
    config = apply(base, {d.key: d.value(float(x)) for d, x in zip(space, place, strict=True)})
    config = dataclasses.replace(config, train=dataclasses.replace(config.train, seed=seed))
    began, curve, window = time.process_time(), np.full((POINTS, 2), np.nan), ScoreWindow()
    trainer = Trainer(resolve(config)[0])
    try:
        trainer.start()
        while trainer.update < trainer.updates:
            window.add(trainer.step())
            point = trainer.update * POINTS // trainer.updates - 1
            if point >= 0:
                score = window.score()
                curve[point] = time.process_time() - began, np.nan if score is None else score.value
        return trainer.evaluate().score, time.process_time() - began, curve
    except NotFinite:
        return np.nan, time.process_time() - began, curve
    finally:
        trainer.env.close()


def _job(job: tuple[str, int, int]) -> tuple[tuple[str, int, int], tuple[float, float, Any]]:
    game, number, seed = job
    return job, train(game, positions(number + 1)[number], 1 + seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("tuners.npz"))
    parser.add_argument("--minutes", type=float, default=40.0)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    end = time.monotonic() + 60.0 * options.minutes
    table = {}
    for game, (count, _) in TASKS.items():
        table[f"{game}/score"] = np.full((count, SEEDS), np.nan, np.float32)
        table[f"{game}/seconds"] = np.zeros((count, SEEDS), np.float32)  # 0: not recorded
        table[f"{game}/curve"] = np.full((count, SEEDS, POINTS, 2), np.nan, np.float32)
    if options.out.is_file():
        with np.load(options.out) as before:
            for name, values in before.items():
                table[name][: len(values)] = values
    jobs = [
        (game, number, seed)
        for number in range(max(count for count, _ in TASKS.values()))
        for game, (count, _) in TASKS.items()
        for seed in range(SEEDS)
        if number < count and not table[f"{game}/seconds"][number, seed] > 0.0
    ]
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(_job, job) for job in jobs[: 2 * options.jobs]}
        left = iter(jobs[2 * options.jobs :])
        for done in itertools.count(1):
            if not waiting:
                break
            future = next((f for f in waiting if f.done()), None) or _first(waiting)
            waiting.discard(future)
            (game, number, seed), (score, seconds, curve) = future.result()
            table[f"{game}/score"][number, seed] = score
            table[f"{game}/seconds"][number, seed] = seconds
            table[f"{game}/curve"][number, seed] = curve
            following = next(left, None) if time.monotonic() < end else None
            if following is not None:
                waiting.add(pool.submit(_job, following))
            if done % 50 == 0 or not waiting:
                print(done, game, number, f"{score:.1f} {seconds:.2f} s", flush=True)
                np.savez_compressed(options.out, **table)


def _first(waiting: set[Any]) -> Any:
    from concurrent.futures import FIRST_COMPLETED, wait

    return next(iter(wait(waiting, return_when=FIRST_COMPLETED).done))


if __name__ == "__main__":
    main()
