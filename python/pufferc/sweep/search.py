"""Search methods: which values to try next.

    random    independent draws; a proposal depends only on the seed and its number
    grid      every combination once, in an order drawn by the seed, so that the first runs cover the space
    tpe       tree-structured Parzen estimators of Optuna: random draws, then values near the best ones

random and grid need only NumPy, and give the same proposals after an interruption. tpe proposes by the results so far,
so its proposals repeat only for the same seed and history, which is unlikely with several runs at a time.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from pufferc.config import ConfigError
from pufferc.errors import choice
from pufferc.sweep.objective import loss
from pufferc.sweep.space import Dimension, Space
from pufferc.sweep.trials import SEARCH, Trial

METHODS = ("random", "grid", "tpe")
_MAX_COMBINATIONS = 1_000_000
_MIN_DIFFERENT = 3  # different results, for importances
_FIRST_DRAWS = 10  # of tpe, before it estimates anything


class MissingPackage(ConfigError):
    """A package that a method needs is not installed; the message says how to get it."""


class Search(Protocol):
    """A search method. `total` is the number of proposals, None = unlimited."""

    total: int | None

    def propose(self, number: int) -> dict[str, Any]:
        """Values by key for configuration `number`, from 1 on."""

    def learn(self, trial: Trial) -> None:
        """Learns from an ended run of the search."""


def make_search(method: str, space: Space, objective: str, seed: int) -> Search:
    """The method of this name. ConfigError if it cannot search the space, MissingPackage without its package."""
    choice("method", method, METHODS)
    if method == "grid":
        return GridSearch(space, seed)
    return RandomSearch(space, seed) if method == "random" else ParzenSearch(space, objective, seed)


class RandomSearch:
    """Independent draws."""

    total: int | None = None

    def __init__(self, space: Space, seed: int) -> None:
        self._space, self._seed = space, seed

    def propose(self, number: int) -> dict[str, Any]:
        positions = np.random.default_rng([self._seed, number]).random(len(self._space))
        return {d.key: d.value(float(position)) for d, position in zip(self._space, positions, strict=True)}

    def learn(self, trial: Trial) -> None:
        """Nothing: draws are independent."""


class GridSearch:
    """Every combination once."""

    def __init__(self, space: Space, seed: int) -> None:
        self._axes: dict[str, Sequence[Any]] = {}
        for dimension in space:
            values = dimension.all_values()
            if values is None:
                raise ConfigError(
                    f"space: {dimension.key} is a range, and the method grid needs values to count: "
                    "grid:LOW:HIGH:COUNT, integer:LOW:HIGH or choice:A,B,C"
                )
            self._axes[dimension.key] = values
        self.total: int | None = math.prod(map(len, self._axes.values()))
        if self.total > _MAX_COMBINATIONS:
            raise ConfigError(f"space: a grid of {self.total} combinations is more than {_MAX_COMBINATIONS}")
        self._order = np.random.default_rng(seed).permutation(self.total)

    def propose(self, number: int) -> dict[str, Any]:
        place = int(self._order[number - 1])
        found = {}
        for key, values in self._axes.items():
            place, index = divmod(place, len(values))
            found[key] = values[index]
        return found

    def learn(self, trial: Trial) -> None:
        """Nothing: every combination is tried once."""


class ParzenSearch:
    """Optuna's TPE over positions of the space, so that our scales apply; runs are ordered by the objective."""

    total: int | None = None

    def __init__(self, space: Space, objective: str, seed: int) -> None:
        self._optuna = import_optuna("the method tpe")
        self._space, self._objective, self._seed = space, objective, seed
        self._distributions = {d.key: self._distribution(d) for d in space}
        self._study = self._optuna.create_study(direction="minimize", sampler=self._sampler(0))
        self._open: dict[int, Any] = {}

    def _distribution(self, dimension: Dimension) -> Any:
        distributions = self._optuna.distributions
        if dimension.values and dimension.ordered:
            return distributions.IntDistribution(0, len(dimension.values) - 1)
        if dimension.values:
            return distributions.CategoricalDistribution(list(range(len(dimension.values))))
        return distributions.FloatDistribution(0.0, math.nextafter(1.0, 0.0))

    def _sampler(self, number: int) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the experimental multivariate and constant_liar
            return self._optuna.samplers.TPESampler(
                seed=int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0]),
                n_startup_trials=_FIRST_DRAWS,
                multivariate=True,
                constant_liar=True,
            )

    def propose(self, number: int) -> dict[str, Any]:
        self._study.sampler = self._sampler(number)
        trial = self._open[number] = self._study.ask(self._distributions)
        return {d.key: d.values[trial.params[d.key]] if d.values else d.value(trial.params[d.key]) for d in self._space}

    def learn(self, trial: Trial) -> None:
        state = self._optuna.trial.TrialState
        stopped = trial.outcome == "stopped"
        asked = self._open.pop(trial.number, None)
        if asked is None:
            self._study.add_trial(self.frozen(trial))
            return
        for steps, score in trial.rungs:
            asked.report(-score, steps)
        if stopped:
            self._study.tell(asked, state=state.PRUNED)
        else:
            self._study.tell(asked, loss(self._objective, trial))

    def frozen(self, trial: Trial) -> Any:
        """A trial in Optuna's form."""
        state = self._optuna.trial.TrialState
        stopped = trial.outcome == "stopped"
        return self._optuna.trial.create_trial(
            state=state.PRUNED if stopped else state.COMPLETE,
            value=None if stopped else loss(self._objective, trial),
            params={d.key: self._place(d, trial.params) for d in self._space},
            distributions=self._distributions,
            intermediate_values={steps: -score for steps, score in trial.rungs},
        )

    @staticmethod
    def _place(dimension: Dimension, params: Mapping[str, Any]) -> float | int:
        position = dimension.position(params[dimension.key])
        return int(position * len(dimension.values)) if dimension.values else position


def _as_worst(trial: Trial) -> Trial:
    return dataclasses.replace(trial, outcome="failed", rungs=())


def import_optuna(what: str) -> Any:
    """Optuna without its log lines; MissingPackage names the command that installs it."""
    try:
        import optuna
    except ImportError:
        raise MissingPackage(f"{what} needs optuna; install it with: pip install 'pufferc[sweep]'") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def importances(method: str, space: Space, objective: str, trials: Sequence[Trial]) -> dict[str, float] | None:
    """The importance of each field for the better runs, by Optuna's PED-ANOVA; None without Optuna.

    Stopped and failed runs count as worse than all others. Also None where nothing honest can be said: too few runs, or
    all alike, or a method that tries little but what was good, so that fields which matter hardly vary.
    """
    search_runs = [trial for trial in trials if trial.phase == SEARCH]
    ended = [trial if trial.outcome in ("complete", "target") else _as_worst(trial) for trial in search_runs]
    different = len({loss(objective, trial) for trial in ended})
    if method == "tpe" or len(ended) < 4 * len(space) or different < _MIN_DIFFERENT or len(space) < 2:
        return None
    try:
        search = ParzenSearch(space, objective, 0)
    except MissingPackage:
        return None
    import optuna

    for trial in ended:
        search.learn(trial)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the experimental PED-ANOVA
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        found = optuna.importance.get_param_importances(search._study, evaluator=evaluator)
    return {key: float(share) for key, share in found.items() if math.isfinite(share)}
