"""One process of a sweep: starts runs, gives them to its workers, records the results, writes the best configuration.

Any number of such processes may work on one study. What is next to do is decided under the journal's lock: a challenger
of the best mean gets a fresh seed before the search goes on, see confirm.py.
"""

from __future__ import annotations

import math
import shutil
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pufferc.config import Config, ConfigError, to_toml
from pufferc.loggers import Progress
from pufferc.runs.directory import write_json
from pufferc.runs.machine import machine
from pufferc.runs.text import duration
from pufferc.sweep.confirm import next_confirmation
from pufferc.sweep.objective import best, loss, ranked
from pufferc.sweep.plan import Limits, Plan
from pufferc.sweep.space import apply, used
from pufferc.sweep.study import Claim, Purpose, Study
from pufferc.sweep.text import best_comment, headline, result_text
from pufferc.sweep.trials import BASE, CONFIRM, ENDED, SEARCH, Trial
from pufferc.sweep.workers import Event, Job, Workers
from pufferc.training.interrupt import Interrupt

BEST_FILE, BASE_FILE, MACHINE_FILE = "best.toml", "base.toml", "machine.json"
_MAX_ERRORS, _HOPELESS = 5, 20
_WAIT_S, _SHOW_S = 0.2, 5.0
_MAX_CONFIRM_SHARE = 1 / 3  # of the budget, kept for confirmations
_STOPPING = "stopping; unfinished runs are discarded, --resume continues"


class Sweep:
    """One process of the sweep in a directory; `go` works until there is nothing left to start."""

    def __init__(self, journal: Path, plan: Plan, limits: Limits, progress: Progress) -> None:
        """Joins the study in `journal`, or makes it. OSError or ConfigError if it cannot be used."""
        self.plan, self.limits, self.progress, self.directory = plan, limits, progress, journal.parent
        self.settings = plan.settings
        self.began = self.shown_at = time.perf_counter()
        self.study = Study(journal, plan, self._share_done)
        self.trials = self.study.trials()
        self.failed = 0
        (self.directory / "curves").mkdir(exist_ok=True)
        self._write(BASE_FILE, to_toml(plan.base))
        if not (self.directory / MACHINE_FILE).exists():
            write_json(self.directory / MACHINE_FILE, machine())

    def elapsed(self) -> float:
        """Seconds of this process."""
        return time.perf_counter() - self.began

    def _share_done(self) -> float:
        """The share of the search that is done, by the runs and by the time."""
        runs = self._counted() / self.limits.runs if self.limits.runs else 0.0
        return max(runs, self.elapsed() / self.limits.budget_s if self.limits.budget_s else 0.0)

    def _counted(self) -> int:
        return sum(trial.phase == SEARCH and trial.outcome != "lost" for trial in self.trials)

    def go(self) -> bool:
        """Searches and confirms. True if there is nothing left to do, False after Ctrl-C."""
        workers = Workers(self.limits.jobs, self.directory / "workers" / self.study.me, self.limits.timeout_s)
        try:
            with Interrupt(self.progress.say, _STOPPING) as interrupt:
                self._drive(workers, interrupt)
                return not interrupt.requested
        finally:
            for job in workers.drop():
                self.study.lose(job.claim.trial.number, "the sweep was interrupted")
            workers.close()
            self.study.close()
            self._write_best()

    def _drive(self, workers: Workers, interrupt: Interrupt) -> None:
        """Works until nothing is left. Stops early, and drops unfinished runs, when interrupted or out of time."""
        while True:
            why = "interrupted" if interrupt.requested else self._why_over()
            if why is not None:
                dropped = len(workers.busy())
                self.progress.say(f"{why}; {dropped} unfinished run(s) discarded" if dropped else why)
                return
            for worker in workers.free():
                job = self._next_job()
                if job is None:
                    break
                workers.give(worker, job)
            if not workers.busy():
                if (why := self._why_over()) is not None:
                    self.progress.say(why)
                return
            for event in workers.wait(_WAIT_S):
                self._take(event)
            self.study.beat()
            self._show(len(workers.busy()))

    # ---- what to do next ----

    def _next_job(self) -> Job | None:
        """The next run; None if there is nothing to start now. Configurations that cannot work are failed runs."""
        while not self._hopeless():
            with self.study.claiming():
                for number in self.study.lose_dead():
                    self.progress.say(f"run {number} is lost: its worker has ended")
                self.trials = self.study.trials()
                planned = self.study.planned()
                purpose = None if planned else self._next_purpose()
                if purpose is None and not planned:
                    return None
                trial = self.study.begin(purpose)
            job = self._job(self.study.propose(trial))
            if job is not None:
                return job
        return None

    def _next_purpose(self) -> Purpose | None:
        searching = not self._search_is_over()
        found = next_confirmation(self.settings, self.trials, final=not searching)
        return found or (Purpose(SEARCH) if searching else None)

    def _search_is_over(self) -> bool:
        if self.limits.runs is not None and self._counted() >= self.limits.runs:
            return True
        budget_s = self.limits.budget_s
        return budget_s is not None and self.elapsed() + self._confirm_seconds() >= budget_s

    def _confirm_seconds(self) -> float:
        """Estimated seconds of the confirmations at the end."""
        settings = self.settings
        order = ranked(settings.objective, self.trials)[: settings.confirm]
        if not order or self.limits.budget_s is None:
            return 0.0
        waves = math.ceil(len(order) * settings.confirm_seeds / self.limits.jobs)
        seconds = waves * statistics.mean(trial.seconds for trial in order)
        return min(seconds, _MAX_CONFIRM_SHARE * self.limits.budget_s)

    def _hopeless(self) -> bool:
        found = [trial for trial in self.trials if trial.phase == SEARCH and trial.outcome not in ("running", "lost")]
        return len(found) >= _HOPELESS and all(trial.outcome == "failed" for trial in found)

    def _why_over(self) -> str | None:
        """Why this process ends at once; None while it continues."""
        if self._hopeless():
            return f"all of the first {_HOPELESS} runs failed"
        budget_s = self.limits.budget_s
        if budget_s is not None and self.elapsed() >= budget_s:
            return f"the budget of {budget_s:g} s is used up"
        return None

    def _job(self, claim: Claim) -> Job | None:
        """A job for a worker; None if its configuration is invalid, which is recorded as its result."""
        try:
            config = apply(self.plan.base, claim.params) if claim.params else self.plan.base
        except ConfigError as error:
            self.study.start(claim, claim.params)
            self._end(claim, {"outcome": "failed", "error": str(error)})
            return None
        self.study.start(claim, used(config, claim.params))
        return self._made(claim, self.plan.prepared(config, claim.seed))

    def _made(self, claim: Claim, config: Config) -> Job:
        log = self.directory / "curves" / f"{claim.trial.number}.jsonl"
        if claim.purpose.phase == CONFIRM:
            return Job(claim, config, log, directory=self._confirm_directory(claim))
        log.unlink(missing_ok=True)
        return Job(claim, config, log, self.plan.points(), watched=self.settings.stop != "none")

    def _confirm_directory(self, claim: Claim) -> Path:
        """The directory of a run with a fresh seed, without leftovers of a lost one."""
        name = "base" if claim.purpose.number == BASE else f"run-{claim.purpose.number}"
        path = self.directory / "confirm" / f"{name}-seeds" / f"seed-{claim.seed}"
        shutil.rmtree(path, ignore_errors=True)
        return path

    # ---- results ----

    def _take(self, event: Event) -> None:
        job, message = event.job, event.message
        if "point" in message:
            event.worker.answer(self.study.keeps(job.claim, int(message["point"]), float(message["score"])))
            return
        run = str(job.directory.relative_to(self.directory)) if job.directory else None
        if "error" in message:
            self._keep_traceback(job, message.get("traceback"))
            ended = {"outcome": "failed", "error": message["error"]}
            self._end(job.claim, {**ended, "steps": message["steps"], "seconds": message["seconds"], "run": run})
            return
        result = {**message["result"], "run": run}
        if result["score"] is None and result["outcome"] != "stopped":
            result |= {"outcome": "failed", "error": "no episode ended in the evaluation"}
        self._end(job.claim, result)

    def _keep_traceback(self, job: Job, text: str | None) -> None:
        if text:
            with (self.directory / "errors.txt").open("a", encoding="utf-8") as file:
                file.write(f"run {job.claim.trial.number}, seed {job.claim.seed}\n{text}\n")

    def _end(self, claim: Claim, result: Mapping[str, Any]) -> None:
        """Records an ended run, and says what is new."""
        trial = self.study.end(claim, result)
        if trial is None:
            self.progress.say(f"run {claim.trial.number} was marked as lost by another process; its result is dropped")
            return
        before, self.trials = self.trials, self.study.trials()
        clock = f"{duration(self.elapsed()):>7}"
        if trial.outcome == "failed":
            self.failed += 1
            if self.failed <= _MAX_ERRORS:
                more = "; further errors are in the journal" if self.failed == _MAX_ERRORS else ""
                self.progress.alert(f"run {trial.index} failed: {trial.error}{more}")
        if trial.phase == CONFIRM:
            label = "the configuration as it is" if trial.number == BASE else f"run {trial.number}"
            self.progress.say(f"{clock}  {label}, seed {trial.seed}: {result_text(trial)}")
            self._write_best()
        elif trial.outcome in ENDED and self._leads(trial, before):
            self.progress.say(f"{clock}  best of one seed so far: run {trial.number}, {result_text(trial)}")
            self._write_best()

    def _leads(self, trial: Trial, before: Sequence[Trial]) -> bool:
        objective = self.settings.objective
        order = ranked(objective, before)
        return not order or loss(objective, trial) < loss(objective, order[0])

    def _show(self, running: int) -> None:
        if time.perf_counter() - self.shown_at < _SHOW_S:
            return
        self.shown_at = time.perf_counter()
        self.progress.say(f"{duration(self.elapsed()):>7}  {headline(self.trials)}; {running} running here")

    def _write_best(self) -> None:
        """Writes best.toml: of the best mean over fresh seeds, or else of the best run, which the file says."""
        trials, settings = self.study.trials(), self.settings
        found = best(settings.objective, trials, settings.confirm_seeds)
        if found is not None:
            params = next((t.params for t in trials if t.phase == SEARCH and t.number == found.number), {})
        else:
            order = ranked(settings.objective, trials)
            if not order:
                return
            params = order[0].params
        config = apply(self.plan.base, params) if params else self.plan.base
        text = best_comment(settings.objective, found, ranked(settings.objective, trials))
        self._write(BEST_FILE, text + to_toml(config))

    def _write(self, name: str, text: str) -> None:
        """Writes a file atomically: readers find the old one or the new one."""
        temporary = self.directory / f".{name}.{self.study.me}.tmp"
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(self.directory / name)


def run_sweep(journal: Path, plan: Plan, limits: Limits, progress: Progress) -> bool:
    """Works on the study in `journal`, which is made if there is none.

    Returns True if nothing is left to do, False after Ctrl-C. Raises ConfigError or OSError if it cannot continue.
    """
    return Sweep(journal, plan, limits, progress).go()
