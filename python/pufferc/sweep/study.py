"""The study of a sweep: runs are planned, started and ended in a journal that any number of processes may share.

A process that takes part has a file in workers/, which it touches every few seconds. If a file stops changing, or is
gone, the others mark the runs of its process as lost. They judge by their own clock, so clocks may differ.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
import time
import uuid
import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.study import StudyDirection
from optuna.trial import TrialState

from pufferc.config import ConfigError, as_tables
from pufferc.runs.compare import flat
from pufferc.runs.text import plain
from pufferc.sweep.journal import claiming, open_journal
from pufferc.sweep.objective import TWO, higher_is_better, loss
from pufferc.sweep.plan import POINTS, Plan, differences, read_plan
from pufferc.sweep.samplers import Progress, make_sampler
from pufferc.sweep.trials import (
    BASE,
    CONFIRM,
    COPY,
    ENDED,
    PURPOSE,
    RESULT,
    SEARCH,
    START,
    Trial,
    read_result,
    read_trials,
)

NAME, PLAN = "sweep", "plan"
JOURNAL = "study.journal"
_BEAT_S, _DEAD_S = 5.0, 60.0


def journal_path(path: Path) -> Path:
    """The journal of a sweep's directory, or `path` itself if it is a file. ConfigError if there is none."""
    found = path / JOURNAL if path.is_dir() else path
    if not found.is_file():
        raise ConfigError(f"sweep: no sweep in {path}: there is no {found}")
    return found


def load_study(path: Path) -> optuna.Study:
    """The study in a journal. ConfigError if there is none."""
    try:
        return optuna.load_study(study_name=NAME, storage=open_journal(path))
    except KeyError:
        raise ConfigError(f"storage: {path} has no study of pufferc sweep") from None


def load_sweep(path: Path) -> tuple[Plan, list[Trial]]:
    """Plan and runs of the sweep in a directory or journal."""
    study = load_study(journal_path(path))
    return read_plan(study.user_attrs.get(PLAN, {}), str(path)), read_trials(study.get_trials(deepcopy=False))


@dataclass(frozen=True)
class Purpose:
    """Why a run is made: for the search, or to confirm a configuration with the fresh seed number `confirmation`."""

    phase: str
    number: int = BASE
    confirmation: int = 0
    params: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        return {"phase": self.phase, "number": self.number, "confirmation": self.confirmation}


@dataclass(frozen=True)
class Claim:
    """A run that this process has started."""

    trial: optuna.Trial
    purpose: Purpose
    params: dict[str, Any]
    seed: int
    proposal_s: float


class Study:
    """The study as one process sees it, which takes part until `close`."""

    def __init__(self, path: Path, plan: Plan, progress: Progress) -> None:
        """Joins the study in the journal `path`, or makes it. ConfigError if it is the study of another plan."""
        self.path, self.plan = path, plan
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        two = plan.settings.objective == TWO
        storage = open_journal(path)
        saved = plan.as_saved()
        with claiming(path):
            self.study = optuna.create_study(
                storage=storage, study_name=NAME, load_if_exists=True,
                sampler=make_sampler(plan.settings, plan.space, plan.longest_steps, progress), pruner=_pruner(plan),
                directions=[_direction(plan.settings.objective), *([StudyDirection.MINIMIZE] if two else [])],
            )  # fmt: skip
            theirs = self.study.user_attrs.get(PLAN)
            if theirs is None:
                self.study.set_user_attr(PLAN, saved)
            elif found := differences(saved, theirs):
                raise ConfigError(f"storage: {path} is another sweep: {'; '.join(found[:3])}")
        self.me = f"{platform.node()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._workers = path.parent / "workers"
        self._workers.mkdir(exist_ok=True)
        self._beaten_at = -_BEAT_S
        self._seen: dict[str, tuple[float, float]] = {}  # worker: time of its file, when we first saw that
        self.beat()

    def beat(self) -> None:
        """Shows that this process is alive."""
        if time.monotonic() - self._beaten_at >= _BEAT_S:
            self._beaten_at = time.monotonic()
            (self._workers / self.me).write_text(f"{time.time()}\n", encoding="utf-8")

    def close(self) -> None:
        """Leaves the study. Runs of this process that have not ended are lost."""
        with contextlib.suppress(OSError):
            (self._workers / self.me).unlink(missing_ok=True)

    def claiming(self) -> AbstractContextManager[None]:
        """Holds the lock under which processes plan runs."""
        return claiming(self.path)

    def trials(self) -> list[Trial]:
        """All started runs; running ones come last."""
        return read_trials(self.study.get_trials(deepcopy=False))

    def planned(self) -> int:
        """Runs that a process had planned, and not begun when it ended."""
        return len(self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))

    def begin(self, purpose: Purpose | None) -> optuna.Trial:
        """Starts a run, under the lock `claiming`: for `purpose`, or for None one that an ended process had planned."""
        if purpose is not None:
            self._plan_run(purpose)
        return self.study.ask()

    def _plan_run(self, purpose: Purpose) -> None:
        fixed = {}
        if purpose.phase == CONFIRM:
            values = self._base_values() if purpose.number == BASE else purpose.params or {}
            fixed = {d.name: d.to_optuna(values[d.key]) for d in self.plan.space}
        self.study.enqueue_trial(fixed, user_attrs={PURPOSE: {**purpose.as_dict(), "params": purpose.params}})

    def _base_values(self) -> dict[str, Any]:
        """The base configuration's values, where the space has them; else those of its middle."""
        values = flat(as_tables(self.plan.base))
        found = {}
        for dimension in self.plan.space:
            value = values.get(dimension.key)
            try:
                dimension.to_optuna(value)
            except (ValueError, TypeError):
                value = dimension.value(0.5)
            found[dimension.key] = value
        return found

    def propose(self, trial: optuna.Trial) -> Claim:
        """The values of a run that has begun; the method proposes those of the search."""
        began = time.process_time()
        params = {d.key: d.from_optuna(d.suggest(trial)) for d in self.plan.space}
        seconds = time.process_time() - began
        purpose = Purpose(**trial.user_attrs[PURPOSE])
        if purpose.phase == SEARCH:
            return Claim(trial, purpose, params, self.plan.search_seed(trial.number), seconds)
        seed = self.plan.confirm_seed(purpose.confirmation)
        return Claim(trial, purpose, dict(purpose.params or {}), seed, 0.0)

    def start(self, claim: Claim, params: Mapping[str, Any]) -> None:
        """Records that this process makes the run, with these values of the fields."""
        values = {"worker": self.me, "seed": claim.seed, "params": params, "proposal_s": claim.proposal_s}
        claim.trial.set_user_attr(START, {key: plain(value) for key, value in values.items()})

    def keeps(self, claim: Claim, steps: int, score: float) -> bool:
        """Reports a point of a run's curve. Whether the run continues."""
        claim.trial.report(score if higher_is_better(self.plan.settings.objective) else -score, steps)
        return not claim.trial.should_prune()

    def end(self, claim: Claim, result: Mapping[str, Any]) -> Trial | None:
        """Records a run's end. None if another process has marked it as lost, because this one seemed dead.

        Args:
            claim: The run.
            result: What its worker says: outcome, score, steps, seconds, curve, error, run.
        """
        number = claim.trial.number
        trial = Trial(number, claim.purpose.phase, claim.seed, claim.params, **read_result(result))
        try:
            claim.trial.set_user_attr(RESULT, {key: plain(value) for key, value in result.items()})
            self.study.tell(claim.trial, *self._told(trial))
        except (RuntimeError, ValueError):
            return None
        found = next(each for each in self.trials() if each.index == number)
        with self.claiming(), (self.path.parent / COPY).open("a", encoding="utf-8") as file:
            file.write(json.dumps({key: plain(value) for key, value in found.as_dict().items()}) + "\n")
        return found

    def _told(self, trial: Trial) -> tuple[float | list[float] | None, TrialState]:
        """What Optuna is told: values and state."""
        if trial.outcome in ENDED:
            if self.plan.settings.objective == TWO:
                assert trial.score is not None
                return [trial.score.value, trial.seconds], TrialState.COMPLETE
            found = loss(self.plan.settings.objective, trial)
            return -found if higher_is_better(self.plan.settings.objective) else found, TrialState.COMPLETE
        # For the samplers, a pruned trial without reports is worse than all others, and a failed one has not happened.
        avoided = trial.outcome == "stopped" or (trial.outcome == "failed" and self.plan.settings.objective != TWO)
        return None, TrialState.PRUNED if avoided else TrialState.FAIL

    def lose(self, number: int, why: str) -> None:
        """Marks a run as lost: it is no result, and another run takes its place."""
        with contextlib.suppress(RuntimeError, ValueError):
            trial = self.study.get_trials(deepcopy=False)[number]
            self.study._storage.set_trial_user_attr(trial._trial_id, RESULT, {"outcome": "lost", "error": why})
            self.study.tell(number, state=TrialState.FAIL)

    def lose_dead(self) -> list[int]:
        """Marks the runs of dead processes as lost, under the lock `claiming`. Returns their numbers."""
        lost = []
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            worker = str(trial.user_attrs.get(START, {}).get("worker", f"starter of {trial.number}"))
            if worker != self.me and self._is_dead(worker):
                self.lose(trial.number, "its worker has ended")
                lost.append(trial.number)
        return lost

    def _is_dead(self, worker: str) -> bool:
        try:
            changed = (self._workers / worker).stat().st_mtime
        except FileNotFoundError:
            if not worker.startswith("starter of"):
                return True
            changed = 0.0
        before, since = self._seen.get(worker, (None, 0.0))
        if before != changed:
            self._seen[worker] = (changed, time.monotonic())
            return False
        return time.monotonic() - since > _DEAD_S


def _direction(objective: str) -> StudyDirection:
    return StudyDirection.MAXIMIZE if higher_is_better(objective) else StudyDirection.MINIMIZE


def _pruner(plan: Plan) -> optuna.pruners.BasePruner:
    """Optuna's pruner for the curves of a sweep."""
    points = plan.points()
    if plan.settings.stop == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=points[POINTS // 6 - 1])
    if plan.settings.stop == "hyperband":
        return optuna.pruners.HyperbandPruner(points[1], plan.longest_steps, reduction_factor=3)
    return optuna.pruners.NopPruner()


_MIN_DIFFERENT = 3  # different results, for importances


def importances(plan: Plan, trials: Sequence[Trial]) -> dict[str, float] | None:
    """The importance of each field for the better runs, by Optuna's PED-ANOVA.

    Stopped and failed runs count as worse than all others. None where nothing honest can be said: too few runs, or all
    alike, or a method that tries little but what was good, so that fields which matter hardly vary.
    """
    objective, space = plan.settings.objective, plan.space
    ended = [t for t in trials if t.phase == SEARCH and t.outcome not in ("running", "lost")]
    losses = [loss(objective, t if t.outcome in ENDED else replace(t, outcome="failed")) for t in ended]
    if plan.settings.method != "random" or len(ended) < 4 * len(space) or len(space) < 2:
        return None
    if len(set(losses)) < _MIN_DIFFERENT:
        return None
    study = optuna.create_study()
    distributions = {dimension.name: dimension.distribution() for dimension in space}
    for trial, found in zip(ended, losses, strict=True):
        params = {d.name: d.to_optuna(trial.params[d.key]) for d in space}
        study.add_trial(optuna.trial.create_trial(value=found, params=params, distributions=distributions))
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    names = {dimension.name: dimension.key for dimension in space}
    return {names[name]: float(share) for name, share in shares.items() if math.isfinite(share)}
