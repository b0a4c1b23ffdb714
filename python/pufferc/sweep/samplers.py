"""Search methods: Optuna's samplers and ours.

    random    independent draws
    tpe       tree-structured Parzen estimators: random draws, then values near the best ones
    cost      expected improvement per second, see cost.py

Draws depend on the sweep's seed and the number of the run, so that processes which share a study draw different values,
and the first runs of a repeated sweep are the same.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from pufferc.sweep.cost import CostSampler
from pufferc.sweep.space import Space

if TYPE_CHECKING:
    from pufferc.sweep.plan import Settings

METHODS = ("random", "tpe", "cost")
DEFAULT_METHOD = "tpe"
_FIRST_DRAWS = 10  # of tpe, before it estimates anything

Progress = Callable[[], float]  # the share of the search that is done, 0 to 1


def make_sampler(settings: Settings, space: Space, longest_steps: int, progress: Progress) -> BaseSampler:
    """The sampler of a sweep."""
    if settings.method == "cost":
        return CostSampler(space, settings.objective, settings.seed, longest_steps, progress)
    return SeededByNumber(_tpe if settings.method == "tpe" else RandomSampler, settings.seed)


def _tpe(seed: int) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # multivariate and constant_liar
        return TPESampler(seed=seed, n_startup_trials=_FIRST_DRAWS, multivariate=True, constant_liar=True)


class SeededByNumber(BaseSampler):
    """Another sampler, seeded anew for each run."""

    def __init__(self, make: Callable[[int], BaseSampler], seed: int) -> None:
        self._make, self._seed = make, seed
        self._number, self._inner = -1, make(0)

    def _sampler(self, trial: FrozenTrial) -> BaseSampler:
        if trial.number != self._number:
            self._number = trial.number
            self._inner = self._make(int(np.random.SeedSequence([self._seed, trial.number]).generate_state(1)[0]))
        return self._inner

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._sampler(trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._sampler(trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._sampler(trial).sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        self._sampler(trial).after_trial(study, trial, state, values)
