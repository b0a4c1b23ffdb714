"""Compares search methods on a table of recorded runs: the score on fresh seeds against the seconds of a sweep.

    python benchmarks/tuners.py [--sweeps 50] [--budget 40] [--table benchmarks/tuners.npz]

record_tuners.py made the table. A replayed sweep asks a method for a configuration and takes the nearest one of the
table that it has not run yet, so a sweep takes seconds. A method sees the results of one seed; its best run so far
counts with the mean of the other seeds. The clock of a sweep has the recorded seconds of its runs and the measured
seconds of its proposals. All methods play the same sweeps: number i draws the seed of the runs, and that of the method.
A sweep ends after as many seconds as `--budget` runs of mean length take.

Printed for each task: the mean of that score, relative to the table's range, over the sweep's time; its difference from
random's and from tpe's with a paired bootstrap interval of 95 %; and the share of sweeps that beat random.

Besides our methods there is `protein`, the rule of PufferLib's tuner by its public description: candidates near the
Pareto front, of which the one with the highest predicted score, weighted by how near its predicted cost is to a target
drawn at random, is run next.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from record_tuners import POINTS, TASKS, positions, task

from pufferc.runs.scores import Score
from pufferc.sweep.cost import CostSampler, Points
from pufferc.sweep.plan import Settings
from pufferc.sweep.samplers import make_sampler
from pufferc.sweep.space import Space
from pufferc.sweep.trials import PURPOSE, RESULT, START

Floats = NDArray[np.float64]
METHODS = ("random", "tpe", "cost", "protein")
_GRID = 60  # points of time at which sweeps are compared


class Protein(CostSampler):
    """The same models with the rule of PufferLib's tuner."""

    def _candidates(self, points: Points, rng: np.random.Generator) -> Floats:
        ends = np.flatnonzero(points.ends & np.isfinite(points.seconds))
        order = ends[np.argsort(points.seconds[ends])]
        best = np.maximum.accumulate(points.utilities[order])
        front = order[points.utilities[order] >= best]
        near = points.places[rng.choice(front, 384)]
        return self._snapped(np.clip(near + rng.normal(0.0, 0.3, near.shape), 0.0, 1.0 - 1e-9))

    def rate(self, mean: Floats, std: Floats, incumbent: float, seconds: Floats, number: int) -> Floats:
        score = (mean - mean.min()) / max(np.ptp(mean), 1e-9)
        costs = np.log(seconds)
        cost = (costs - costs.min()) / max(np.ptp(costs), 1e-9)
        target = 1.25 * np.random.default_rng([self._seed, number, 1]).random()
        return np.asarray(score * (1.0 - np.abs(target - cost)))


class Task:
    """The recorded runs of one game that have all their seeds."""

    def __init__(self, game: str, table: Any) -> None:
        whole = np.flatnonzero((table[f"{game}/seconds"] > 0.0).all(axis=1))
        config, self.space = task(game)
        self.steps = config.train.total_steps
        places = positions(TASKS[game][0])[whole]
        self.params = [{d.key: d.value(float(x)) for d, x in zip(self.space, row, strict=True)} for row in places]
        self.places = np.array([[d.position(p[d.key]) for d in self.space] for p in self.params])
        self.scores = table[f"{game}/score"][whole].astype(float)
        self.seconds = table[f"{game}/seconds"][whole].astype(float)
        self.curves = table[f"{game}/curve"][whole].astype(float)
        self.low, self.high = float(np.nanmin(self.scores)), float(np.nanmax(np.nanmean(self.scores, axis=1)))


def sweep(game: Task, method: str, number: int, budget_s: float) -> Floats:
    """The score on fresh seeds, 0 to 1, at the _GRID times of one sweep; 0 before the first run has ended."""
    import optuna

    seed = int(np.random.default_rng(number).integers(game.scores.shape[1]))
    fresh = [other for other in range(game.scores.shape[1]) if other != seed]
    clock, left, best, scores = 0.0, np.ones(len(game.places), bool), -np.inf, np.zeros(_GRID)
    times = np.linspace(0.0, budget_s, _GRID + 1)[1:]
    study = optuna.create_study(direction="maximize")
    study.sampler = _sampler(method, game.space, number, game.steps, lambda: clock / budget_s)
    distributions: dict[str, BaseDistribution] = {d.name: d.distribution() for d in game.space}
    while left.any():
        began = time.process_time()
        trial = study.ask(distributions)
        proposal_s = time.process_time() - began
        place = np.array([d.position(d.from_optuna(trial.params[d.name])) for d in game.space])
        row = int(np.argmin(np.where(left, np.abs(game.places - place).sum(axis=1), np.inf)))
        left[row] = False
        clock += proposal_s + game.seconds[row, seed]
        if clock > budget_s:
            return scores
        score = game.scores[row, seed]
        _tell(study, trial, game, row, seed, proposal_s)
        if score > best:
            best = score
            found = np.nanmean(game.scores[row, fresh])
            scores[times >= clock] = (found - game.low) / (game.high - game.low)
    return scores


def _sampler(method: str, space: Space, seed: int, steps: int, progress: Callable[[], float]) -> Any:
    if method == "protein":
        return Protein(space, "score", seed, steps, progress)
    return make_sampler(Settings(method=method, seed=seed), space, steps, progress)


def _tell(study: Any, trial: Any, game: Task, row: int, seed: int, proposal_s: float) -> None:
    """Adds a recorded run to the study, as pufferc sweep records runs; at the place where it was run."""
    params = {d.name: d.to_optuna(game.params[row][d.key]) for d in game.space}
    score, seconds = float(game.scores[row, seed]), float(game.seconds[row, seed])
    share = np.arange(1, POINTS + 1) / POINTS
    curve = [
        [int(s * game.steps), float(t), float(v)]
        for s, (t, v) in zip(share[:-1], game.curves[row, seed], strict=False)
        if np.isfinite(v)
    ]
    known = np.isfinite(score)
    result = {
        "outcome": "complete" if known else "failed",
        "score": Score(score, "evaluation", 100).as_dict() if known else None,
        "steps": game.steps,
        "seconds": seconds,
        "curve": curve,
    }
    import optuna

    attributes = {
        PURPOSE: {"phase": "search", "number": 0},
        START: {"params": game.params[row], "proposal_s": proposal_s},
        RESULT: result,
    }
    state = optuna.trial.TrialState
    storage = study._storage
    for name, value in attributes.items():
        storage.set_trial_user_attr(trial._trial_id, name, value)
    for dimension in game.space:  # the table's values, in place of those that were proposed
        frozen = storage._get_trial(trial._trial_id)
        frozen.params[dimension.name] = params[dimension.name]
    study.tell(trial, score if known else None, state.COMPLETE if known else state.FAIL)


def interval(differences: Floats) -> tuple[float, float, float]:
    """Mean of paired differences, and its bootstrap interval of 95 %."""
    draws = np.random.default_rng(0).choice(differences, (4000, len(differences))).mean(axis=1)
    return float(differences.mean()), *map(float, np.quantile(draws, (0.025, 0.975)))


def compare(name: str, game: Task, sweeps: int, runs: float) -> None:
    """Replays and prints one task."""
    budget_s = runs * float(game.seconds.mean())
    print(f"\n{name}: {len(game.places)} configurations, sweeps of {budget_s:.0f} s ({runs:g} mean runs)")
    found = {m: np.array([sweep(game, m, i, budget_s) for i in range(sweeps)]) for m in METHODS}
    means = {method: scores.mean(axis=1) for method, scores in found.items()}
    quarters = [(_GRID - 1) * q // 4 for q in (1, 2, 3, 4)]
    head = f"{'method':10}{'mean':>8}  {'at 25 %':>8}{'50 %':>8}{'75 %':>8}{'100 %':>8}"
    print(f"{head}  {'against random':25}against tpe")
    for method, scores in found.items():
        lines = [f"{method:10}{means[method].mean():8.3f}  " + "".join(f"{scores[:, q].mean():8.3f}" for q in quarters)]
        for other in ("random", "tpe"):
            mean, low, high = interval(means[method] - means[other])
            lines.append(f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]" if method != other else " " * 23)
        wins = np.mean((means[method] > means["random"]) + 0.5 * (means[method] == means["random"]))
        print("  ".join(lines), f" beats random in {wins:.0%}" if method != "random" else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweeps", type=int, default=50)
    parser.add_argument("--budget", type=float, default=20.0, help="of a sweep, in runs of mean length")
    parser.add_argument("--table", type=Path, default=Path(__file__).with_name("tuners.npz"))
    options = parser.parse_args()
    with np.load(options.table) as table:
        for name in TASKS:
            compare(name, Task(name, table), options.sweeps, options.budget)


if __name__ == "__main__":
    main()
