"""The method `cost`: proposes what promises the most improvement per second.

A Gaussian process (Matern 5/2, learned noise) predicts the score from the place in the space and the length of a run; a
linear model predicts the logarithm of a run's seconds. Points of learning curves teach both, as results of shorter and
cheaper runs. A proposal maximises expected improvement / seconds ** e, where e falls from 1 to 0 as the search comes to
its end: cheap runs first, the best ones last. Every third proposal explores where the process knows least. The time of
proposals counts: a model is fitted only if all proposals stay below 3 % of the runs' seconds, else the next Sobol point
is taken.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from pufferc.config import ConfigError
from pufferc.sweep.objective import TWO, loss, value
from pufferc.sweep.space import Space
from pufferc.sweep.trials import ENDED, Trial, read_trials

Floats = NDArray[np.float64]

SHARE = 0.03  # of the runs' seconds, at most, for proposals
MAX_POINTS = 300  # in the fit
_FIRST = 10  # Sobol points
_UNIFORM, _NEAR, _TOP = 256, 128, 5  # candidates: Sobol points, and points near the best runs
_NEAR_STD = 0.12
_CURVE = (0.25, 0.5, 0.75)  # shares of a run whose scores are used
_REFIT_GROWTH = 1.3  # in points, until the kernel's parameters are learned again
_LEARNING = 40.0  # time to learn the kernel's parameters, in predictions with known ones
_SOBOL_POINTS = 4096


@dataclass(frozen=True)
class Points:
    """Observations: places [n, dimensions], lengths of runs [n] in (0, 1], utilities [n] with NaN where unknown,
    seconds [n] with NaN where unknown, and whether each is the end of a run [n].
    """

    places: Floats
    lengths: Floats
    utilities: Floats
    seconds: Floats
    ends: NDArray[np.bool_]


class CostSampler(BaseSampler):
    """An Optuna sampler for the runs of a sweep, whose seconds and curves it reads from their attributes."""

    def __init__(
        self, space: Space, objective: str, seed: int, longest_steps: int, progress: Callable[[], float]
    ) -> None:
        """`progress`: the share of the search that is done. ConfigError without scikit-learn."""
        try:
            from scipy.stats import qmc
            from sklearn.gaussian_process import GaussianProcessRegressor  # noqa: F401
        except ImportError:
            raise ConfigError(
                "the method cost needs scikit-learn; install it with: pip install 'pufferc[sweep]'"
            ) from None
        self._space, self._objective, self._seed = space, objective, seed
        self._steps, self._progress = longest_steps, progress
        self._counts = np.array([len(d.all_values() or ()) for d in space])
        self._sobol = self._snapped(qmc.Sobol(len(space), seed=seed).random(_SOBOL_POINTS))
        self._random = RandomSampler(seed)
        self._kernel: Any = None
        self._fitted_points = 0
        self._unit_s = 1e-7  # of a prediction, per squared number of points

    # ---- Optuna's interface ----

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {dimension.name: dimension.distribution() for dimension in self._space}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        place = self.propose(read_trials(study.get_trials(deepcopy=False)), trial.number)
        return {d.name: d.to_optuna(d.value(float(x))) for d, x in zip(self._space, place, strict=True)}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._random.sample_independent(study, trial, param_name, param_distribution)

    # ---- proposals ----

    def propose(self, trials: Sequence[Trial], number: int) -> Floats:
        """The place [dimensions] of run `number`."""
        rng = np.random.default_rng([self._seed, number])
        ended = [trial for trial in trials if trial.outcome not in ("running", "lost") and trial.params]
        allowed = SHARE * sum(t.seconds for t in ended) - sum(t.proposal_s for t in trials)
        known = [trial for trial in ended if trial.outcome in ENDED]
        size = min(MAX_POINTS, len(ended) * (1 + len(_CURVE)))
        if len(known) < _FIRST or self._unit_s * max(size, 100) ** 2 > allowed:
            return np.asarray(self._sobol[number % _SOBOL_POINTS])
        began = time.process_time()
        points = self._points(ended, [t for t in trials if t.outcome == "running" and t.params], rng)
        learn = (
            self._kernel is None or len(points.places) >= _REFIT_GROWTH * self._fitted_points
        ) and self._unit_s * _LEARNING * size**2 < max(allowed, 0.0)
        place = self._best_place(points, number, rng, learn)
        if not learn:
            self._unit_s = (time.process_time() - began) / max(len(points.places), 100) ** 2
        return place

    def _best_place(self, points: Points, number: int, rng: np.random.Generator, learn: bool) -> Floats:
        if not np.isfinite(points.utilities).any():
            return np.asarray(self._sobol[number % _SOBOL_POINTS])
        model = self._fit(points, learn)
        candidates = self._candidates(points, rng)
        lengths = self._lengths(candidates)
        mean, std = model.predict(self._inputs(candidates, lengths), return_std=True)
        ends = points.ends & np.isfinite(points.utilities)
        incumbent = float(model.predict(self._inputs(points.places[ends], points.lengths[ends])).max())
        seconds = self._seconds(points, candidates, lengths)
        return np.asarray(candidates[int(np.argmax(self.rate(mean, std, incumbent, seconds, number)))])

    def rate(self, mean: Floats, std: Floats, incumbent: float, seconds: Floats, number: int) -> Floats:
        """How much each candidate is worth: [candidates], from means and standard deviations of utility."""
        exponent = 1.0 - min(max(self._progress(), 0.0), 1.0)
        if number % 3 == 2:
            return np.asarray((mean + 2.0 * std - mean.min()) / seconds ** (0.5 * exponent))
        return expected_improvement(mean, std, incumbent) / seconds**exponent

    def _candidates(self, points: Points, rng: np.random.Generator) -> Floats:
        """Places to choose from: [candidates, dimensions]."""
        start = int(rng.integers(0, _SOBOL_POINTS - _UNIFORM))
        order = np.argsort(-np.where(points.ends, np.nan_to_num(points.utilities, nan=-np.inf), -np.inf))[:_TOP]
        near = points.places[order][rng.integers(0, len(order), _NEAR)]
        changed = rng.random(near.shape) < 0.6
        near = near + changed * rng.normal(0.0, _NEAR_STD, near.shape)
        near = np.where(changed & (rng.random(near.shape) < 0.1), rng.random(near.shape), near)
        return np.concatenate([self._sobol[start : start + _UNIFORM], self._snapped(np.clip(near, 0.0, 1.0 - 1e-9))])

    def _snapped(self, places: Floats) -> Floats:
        """Places in the middle of their values, for fields with few values."""
        counts = np.where(self._counts > 0, self._counts, 1)
        return np.where(self._counts > 0, (np.floor(places * counts) + 0.5) / counts, places)

    def _lengths(self, places: Floats) -> Floats:
        """The share of the longest run that each candidate trains."""
        for i, dimension in enumerate(self._space):
            if dimension.key == "train.total_steps":
                return np.array([dimension.value(float(x)) for x in places[:, i]]) / self._steps
        return np.ones(len(places))

    # ---- observations ----

    def _points(self, ended: Sequence[Trial], running: Sequence[Trial], rng: np.random.Generator) -> Points:
        rows: list[tuple[Floats, float, float, float, bool]] = []
        weight = float(rng.random())
        for trial in ended:
            place = self._place(trial)
            if trial.outcome in ENDED:
                utility = self._utility(trial, weight)
                rows.append((place, self._length(place), utility, trial.seconds, True))
            elif trial.outcome == "failed":
                rows.append((place, self._length(place), -np.inf, np.nan, True))
            rows += self._curve_rows(place, trial)
        rows += [(self._place(trial), self._length(self._place(trial)), np.nan, np.nan, False) for trial in running]
        rows = self._chosen(rows, rng)
        places, lengths, utilities, seconds, ends = zip(*rows, strict=True)
        return Points(
            np.array(places), np.array(lengths), _normal_scores(np.array(utilities)), np.array(seconds), np.array(ends)
        )

    def _chosen(self, rows: list[Any], rng: np.random.Generator) -> list[Any]:
        """At most MAX_POINTS rows: ends before points of curves, the best ones and a random part of the others."""
        if len(rows) <= MAX_POINTS:
            return rows
        ends = sorted((row for row in rows if row[4]), key=lambda row: -row[2])
        others = [row for row in rows if not row[4]]
        kept, rest = ends[: MAX_POINTS // 3], ends[MAX_POINTS // 3 :] or []
        for pool in (rest, others):
            count = min(len(pool), MAX_POINTS - len(kept))
            kept += [pool[int(i)] for i in rng.permutation(len(pool))[:count]]
        return kept

    def _curve_rows(self, place: Floats, trial: Trial) -> list[tuple[Floats, float, float, float, bool]]:
        """Points of a run's curve. Their scores say nothing about seconds or steps to a target."""
        scored = self._objective == "score"
        wanted = {min(trial.curve, key=lambda p: abs(p[0] - share * self._steps)) for share in _CURVE if trial.curve}
        return [
            (place, self._share(steps), score if scored else np.nan, seconds, False) for steps, seconds, score in wanted
        ]

    def _length(self, place: Floats) -> float:
        return float(self._lengths(place[None])[0])

    def _share(self, steps: int) -> float:
        return min(max(steps / self._steps, 1e-3), 1.0)

    def _place(self, trial: Trial) -> Floats:
        return np.array([d.position(trial.params[d.key]) for d in self._space])

    def _utility(self, trial: Trial, weight: float) -> float:
        """What is maximised. For two objectives a mixture, with another weight for each proposal."""
        if self._objective == TWO:
            assert trial.score is not None
            return weight * trial.score.value - (1.0 - weight) * abs(trial.score.value) * math.log(trial.seconds)
        found = value(self._objective, trial)
        if self._objective == "score":
            return -np.inf if found is None else found
        return -math.log(loss(self._objective, trial))

    # ---- models ----

    def _inputs(self, places: Floats, lengths: Floats) -> Floats:
        """What the models see: [n, columns], with one column per value of a choice."""
        columns = []
        for i, dimension in enumerate(self._space):
            if dimension.ordered:
                columns.append(places[:, i])
            else:
                index = np.floor(places[:, i] * len(dimension.values))
                columns += [0.7 * (index == value) for value in range(len(dimension.values))]
        return np.stack([*columns, 0.25 * np.log2(lengths)], axis=1).astype(np.float64)

    def _fit(self, points: Points, learn: bool) -> Any:
        """The process for utilities. With `learn`, its kernel's parameters are learned first."""
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

        inputs, targets = self._inputs(points.places, points.lengths), points.utilities
        if self._kernel is None:
            scales = np.full(inputs.shape[1], 0.5)
            self._kernel = ConstantKernel(1.0, (0.1, 10.0)) * Matern(scales, (0.05, 20.0), nu=2.5) + WhiteKernel(
                0.1, (1e-3, 1.0)
            )
        targets = np.nan_to_num(targets)  # of running ones: the mean, so that the same place is not proposed again
        used = np.isfinite(points.utilities) | (~points.ends & ~np.isfinite(points.seconds))
        model = GaussianProcessRegressor(self._kernel, optimizer="fmin_l_bfgs_b" if learn else None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about parameters at their bounds
            model.fit(inputs[used], targets[used])
        if learn:
            self._kernel, self._fitted_points = model.kernel_, len(points.places)
        return model

    def _seconds(self, points: Points, candidates: Floats, lengths: Floats) -> Floats:
        """Predicted seconds of candidates, by a ridge regression of their logarithm with squares."""
        known = np.isfinite(points.seconds) & (points.seconds > 0.0)
        if known.sum() < 3:
            return np.ones(len(candidates))
        inputs, logs = _squares(self._inputs(points.places, points.lengths)[known]), np.log(points.seconds[known])
        middle, mean = inputs.mean(axis=0), logs.mean()
        centred = inputs - middle
        gram = centred.T @ centred + 0.1 * np.eye(inputs.shape[1])
        slopes = np.linalg.solve(gram, centred.T @ (logs - mean))
        predicted = mean + (_squares(self._inputs(candidates, lengths)) - middle) @ slopes
        return np.asarray(np.exp(np.clip(predicted, logs.min() - 1.0, logs.max() + 1.0)))


def expected_improvement(mean: Floats, std: Floats, incumbent: float) -> Floats:
    """Expected improvement over `incumbent` of normal predictions: [n]."""
    from scipy.special import ndtr

    std = np.maximum(std, 1e-9)
    z = (mean - incumbent) / std
    return np.asarray((mean - incumbent) * ndtr(z) + std * np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)) + 1e-12


def _normal_scores(values: Floats) -> Floats:
    """Values as quantiles of a normal distribution by their ranks, so that outliers do not matter; NaN stays."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    found = np.full(len(values), np.nan)
    known = ~np.isnan(values)
    if known.any():
        found[known] = ndtri(rankdata(values[known]) / (known.sum() + 1.0))
    return found


def _squares(inputs: Floats) -> Floats:
    return np.concatenate([inputs, inputs**2], axis=1)
