"""The sweep: proposes runs, gives them to workers, records the results, and confirms the best with fresh seeds.

trials.jsonl has every ended run. Runs that are interrupted with the sweep are not recorded; --resume repeats them.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pufferc.config import ConfigError, to_toml
from pufferc.loggers import Progress
from pufferc.runs.directory import locked
from pufferc.runs.text import duration
from pufferc.sweep.objective import best, confirmed, loss, ranked
from pufferc.sweep.plan import Plan
from pufferc.sweep.search import make_search
from pufferc.sweep.space import apply, used
from pufferc.sweep.stopping import Stopping, rungs
from pufferc.sweep.text import confirmed_text, headline, result_text
from pufferc.sweep.trials import BASE, CONFIRM, SEARCH, Trial, TrialFile, read_trials
from pufferc.sweep.workers import Event, Job, Workers
from pufferc.training.interrupt import Interrupt

BEST_FILE = "best.toml"
_END = object()
_MAX_ERRORS, _HOPELESS = 5, 20
_WAIT_S, _SHOW_S = 0.2, 5.0
_MAX_CONFIRM_SHARE = 0.5  # of the budget, reserved for confirmations
_STOPPING = "stopping; unfinished runs are discarded, --resume repeats them"


class Sweep:
    """One sweep in its directory; `go` searches and confirms."""

    def __init__(self, plan: Plan, directory: Path, progress: Progress) -> None:
        """Reads the trials in `directory`, which exists. OSError or ConfigError if it cannot be used."""
        self.plan, self.directory, self.progress = plan, directory, progress
        self.settings = plan.settings
        self.trials = read_trials(directory)
        self.search = make_search(self.settings.method, plan.space, self.settings.objective, self.settings.seed)
        self.stopping = Stopping(self.settings.stop)
        self.before_s = max((trial.at_s for trial in self.trials), default=0.0)
        self.began = self.shown_at = time.perf_counter()
        self.failed = 0
        past = [trial for trial in self.trials if trial.phase == SEARCH]
        for trial in past:
            self.search.learn(trial)
        self.stopping.restore(trial.rungs for trial in past)
        self.best_loss = min(
            (loss(self.settings.objective, t) for t in ranked(plan.settings.objective, past)), default=math.inf
        )
        (directory / "curves").mkdir(exist_ok=True)
        self.file = TrialFile(directory)

    def elapsed(self) -> float:
        """Seconds of the sweep, including earlier parts."""
        return self.before_s + time.perf_counter() - self.began

    def go(self) -> bool:
        """Searches, then confirms the best. True if the sweep is complete, False after Ctrl-C."""
        workers = Workers(self.settings.jobs, self.directory, self.settings.timeout_s)
        try:
            with Interrupt(self.progress.say, _STOPPING) as interrupt:
                self._drive(workers, self._search_jobs(), interrupt, self._search_is_over)
                if not interrupt.requested and self.settings.confirm:
                    self._drive(workers, self._confirm_jobs(), interrupt, lambda: None)
                return not interrupt.requested
        finally:
            workers.close()
            self.file.close()
            self._write_best()

    # ---- jobs ----

    def _search_jobs(self) -> Iterator[Job | None]:
        """Jobs of the search that have not ended yet, by number; None for one whose configuration is invalid."""
        done = {trial.number for trial in self.trials if trial.phase == SEARCH}
        limits = [limit for limit in (self.settings.runs, self.search.total) if limit is not None]
        for number in range(1, min(limits) + 1) if limits else itertools.count(1):
            if number not in done:
                yield self._job(number, SEARCH, self.search.propose(number), None)

    def _confirm_jobs(self) -> Iterator[Job | None]:
        """Jobs of the best configurations and the base configuration, each with the same fresh seeds."""
        order = ranked(self.settings.objective, self.trials)[: self.settings.confirm]
        done = {(trial.number, trial.seed) for trial in self.trials if trial.phase == CONFIRM}
        for confirmation in range(self.settings.confirm_seeds if order else 0):
            for number, params in [(BASE, {}), *((trial.number, trial.params) for trial in order)]:
                if (number, self.plan.seed(number, confirmation)) not in done:
                    yield self._job(number, CONFIRM, params, confirmation)

    def _job(self, number: int, phase: str, params: Mapping[str, Any], confirmation: int | None) -> Job | None:
        """A job for a worker; None if its configuration is invalid, which is recorded as its result."""
        seed = self.plan.seed(number, confirmation)
        try:
            config = apply(self.plan.base, params) if params else self.plan.base
        except ConfigError as error:
            self._add(Trial(number, phase, seed, params, "failed", error=str(error)))
            return None
        directory = None if confirmation is None else self._confirm_directory(number, confirmation)
        log = self.directory / "curves" / f"{number}.jsonl"
        if directory is None:
            log.unlink(missing_ok=True)
        return Job(
            number, phase, seed, used(config, params), self.plan.prepared(config, number, confirmation), log,
            tuple(rungs(self.settings.stop, self.plan.longest_steps)) if directory is None else (), directory,
        )  # fmt: skip

    def _confirm_directory(self, number: int, confirmation: int) -> Path:
        """The directory of a run with a fresh seed, without leftovers of an interrupted sweep."""
        name = "base" if number == BASE else f"run-{number}"
        path = self.directory / "confirm" / f"{name}-seeds" / f"seed-{self.plan.seed(number, confirmation)}"
        shutil.rmtree(path, ignore_errors=True)
        return path

    # ---- running them ----

    def _drive(
        self, workers: Workers, jobs: Iterator[Job | None], interrupt: Interrupt, over: Callable[[], str | None]
    ) -> None:
        """Runs all `jobs`. Stops early, and drops unfinished runs, when interrupted or when `over` gives a reason."""
        left = True
        while left or workers.busy():
            why = "interrupted" if interrupt.requested else over()
            if why is not None:
                dropped = workers.drop()
                self.progress.say(f"{why}; {dropped} unfinished run(s) discarded" if dropped else why)
                return
            for worker in workers.free():
                job = next(jobs, _END) if left else _END
                if isinstance(job, Job):
                    workers.give(worker, job)
                left = job is not _END
            for event in workers.wait(_WAIT_S) if workers.busy() else ():
                self._take(event)
            self._show(len(workers.busy()))

    def _take(self, event: Event) -> None:
        job, message = event.job, event.message
        if "rung" in message:
            event.worker.answer(self.stopping.keeps(int(message["rung"]), float(message["score"])))
            return
        trial = Trial(job.number, job.phase, job.seed, job.params, "failed", run=self._kept(job))
        if "error" in message:
            self._keep_traceback(job, message.get("traceback"))
            steps, seconds = int(message["steps"]), float(message["seconds"])
            self._add(dataclasses.replace(trial, steps=steps, seconds=seconds, error=str(message["error"])))
            return
        result = Trial.from_dict({**trial.as_dict(), **message["result"]})
        if result.score is None and result.outcome != "stopped":
            result = dataclasses.replace(result, outcome="failed", error="no episode ended in the evaluation")
        self._add(result)

    def _kept(self, job: Job) -> str | None:
        return str(job.directory.relative_to(self.directory)) if job.directory else None

    def _keep_traceback(self, job: Job, text: str | None) -> None:
        if text:
            with (self.directory / "errors.txt").open("a", encoding="utf-8") as file:
                file.write(f"run {job.number}, seed {job.seed}\n{text}\n")

    def _add(self, trial: Trial) -> None:
        """Records an ended run."""
        trial = dataclasses.replace(trial, at_s=self.elapsed())
        self.file.add(trial)
        self.trials.append(trial)
        objective = self.settings.objective
        if trial.outcome == "failed":
            self.failed += 1
            if self.failed <= _MAX_ERRORS:
                more = "; further errors are in trials.jsonl" if self.failed == _MAX_ERRORS else ""
                self.progress.alert(f"run {trial.number} failed: {trial.error}{more}")
        if trial.phase == CONFIRM:
            label = "the configuration as it is" if trial.number == BASE else f"run {trial.number}"
            self.progress.say(f"{duration(self.elapsed()):>7}  {label}, seed {trial.seed}: {result_text(trial)}")
            return
        self.search.learn(trial)
        if trial.outcome in ("complete", "target") and loss(objective, trial) < self.best_loss:
            self.best_loss = loss(objective, trial)
            self.progress.say(f"{duration(self.elapsed()):>7}  best so far: run {trial.number}, {result_text(trial)}")
            self._write_best()

    # ---- the end of the search ----

    def _search_is_over(self) -> str | None:
        """Why the search ends; None while it continues."""
        found = [trial for trial in self.trials if trial.phase == SEARCH]
        if len(found) >= _HOPELESS and all(trial.outcome == "failed" for trial in found):
            return f"all of the first {len(found)} runs failed"
        budget_s = self.settings.budget_s
        if budget_s is None or self.elapsed() + self._confirm_seconds() < budget_s:
            return None
        return f"the search ends, because its budget of {budget_s:g} s is used up"

    def _confirm_seconds(self) -> float:
        """Estimated seconds of the confirmations."""
        settings = self.settings
        order = ranked(settings.objective, self.trials)[: settings.confirm]
        if not order or settings.budget_s is None:
            return 0.0
        seconds = statistics.mean(trial.seconds for trial in order)
        waves = math.ceil((len(order) + 1) * settings.confirm_seeds / settings.jobs)
        return min(waves * seconds, _MAX_CONFIRM_SHARE * settings.budget_s)

    def _show(self, running: int) -> None:
        if time.perf_counter() - self.shown_at < _SHOW_S:
            return
        self.shown_at = time.perf_counter()
        self.progress.say(f"{duration(self.elapsed()):>7}  {headline(self.trials, self.elapsed())}; {running} running")

    def _write_best(self) -> None:
        found = best(self.settings.objective, self.trials)
        if found is None:
            return
        config = apply(self.plan.base, found.params)
        again = next((c for c in confirmed(self.settings.objective, self.trials) if c.number == found.number), None)
        text = f"# Run {found.number} of a sweep: {result_text(found)}.\n"
        if again is not None:
            text += f"# With fresh seeds: {confirmed_text(self.settings.objective, again)}.\n"
        temporary = self.directory / f".{BEST_FILE}.tmp"
        temporary.write_text(text + to_toml(config), encoding="utf-8")
        temporary.replace(self.directory / BEST_FILE)


def run_sweep(plan: Plan, directory: Path, progress: Progress) -> bool:
    """Makes a sweep in a directory that exists, or continues the one that is there.

    Returns True if the sweep is complete, False after Ctrl-C. Raises ConfigError or OSError if it cannot continue.
    """
    with locked(directory):
        plan.save(directory)
        return Sweep(plan, directory, progress).go()
