"""The processes that train a sweep's runs: started once, given runs, watched, and replaced when they die or hang.

A lost process fails the run that it trained and no other. Ctrl-C does not reach the processes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pufferc.config import Config, ConfigError, as_tables
from pufferc.processes import Child, wait
from pufferc.sweep.study import Claim

_MAX_STARTS = 3  # failed starts of one worker in a row
_EXIT_S = 2.0  # between the end of a process's channel and its exit


@dataclass(frozen=True)
class Job:
    """One run to train. `directory`: of a run with checkpoints, else None.

    Its worker keeps the training score at the numbers of steps in `points`; if `watched`, it asks there whether to
    continue.
    """

    claim: Claim
    config: Config
    log: Path
    points: tuple[int, ...] = ()
    watched: bool = False
    directory: Path | None = None

    def message(self) -> dict[str, Any]:
        """The job as it is sent to a worker."""
        return {
            "game": self.config.game,
            "config": as_tables(self.config),
            "log": str(self.log),
            "points": self.points,
            "watched": self.watched,
            "directory": str(self.directory) if self.directory else None,
        }


@dataclass(frozen=True)
class Event:
    """A message of a job's worker: at a point of the curve, or at the end ("result" or "error")."""

    worker: Worker
    job: Job
    message: Mapping[str, Any]


@dataclass(eq=False)
class Worker:
    """A process that is replaced when it ends. `job` is what it trains; `ready`: it has imported torch."""

    output: Path
    child: Child | None = None
    job: Job | None = None
    ready: bool = False
    failed_starts: int = 0
    heard_at: float = field(default_factory=time.monotonic)
    began_at: float = 0.0

    def answer(self, go: bool) -> None:
        """Tells a run that waits at a point whether to continue."""
        self.send({"go": go})

    def send(self, message: Mapping[str, Any]) -> None:
        self.heard_at = time.monotonic()
        if self.child is not None:
            self.child.send(message)


class Workers:
    """Up to `count` processes. A process without progress for `timeout_s` is killed."""

    def __init__(self, count: int, outputs: Path, timeout_s: float) -> None:
        """Starts nothing yet. Their output goes to files whose names begin with `outputs`."""
        self._timeout_s = timeout_s
        self._workers = [Worker(outputs.with_name(f"{outputs.name}-{i}.txt")) for i in range(count)]

    def free(self) -> list[Worker]:
        """Workers without a job, ready ones first; some may have no process yet."""
        return sorted((w for w in self._workers if w.job is None), key=lambda worker: not worker.ready)

    def busy(self) -> list[Worker]:
        return [worker for worker in self._workers if worker.job is not None]

    def give(self, worker: Worker, job: Job) -> None:
        """Starts a job; the process first if there is none."""
        worker.job, worker.began_at = job, time.monotonic()
        if worker.child is None:
            worker.child = Child("pufferc.sweep.worker", [], worker.output)
            worker.ready, worker.heard_at = False, time.monotonic()
        worker.send(job.message())  # read once torch is imported

    def wait(self, seconds: float) -> list[Event]:
        """Waits at most `seconds` for messages. ConfigError if processes cannot be started."""
        events: list[Event] = []
        wait([worker.child for worker in self._workers if worker.child is not None], seconds)
        for worker in self._workers:
            if worker.child is None:
                continue
            messages = worker.child.messages()
            if messages:
                worker.heard_at = time.monotonic()
                events += self._heard(worker, messages)
            if worker.child.gone:
                events += self._lost(worker, None)
        for worker in self.busy():
            if time.monotonic() - worker.heard_at > self._timeout_s:
                events += self._lost(worker, f"stopped after {self._timeout_s:g} s without progress")
        return events

    def _heard(self, worker: Worker, messages: list[dict[str, Any]]) -> list[Event]:
        events = []
        for message in messages:
            if "ready" in message:
                worker.ready, worker.failed_starts, worker.began_at = True, 0, time.monotonic()
            elif worker.job is not None and not message.keys().isdisjoint(("point", "result", "error")):
                events.append(Event(worker, worker.job, message))
                worker.job = worker.job if "point" in message else None
        return events

    def _lost(self, worker: Worker, why: str | None) -> list[Event]:
        """Ends what is left of a process. Returns the failure of its job; one that was not ready is started again."""
        ready, job, child = worker.ready, worker.job, worker.child
        self._end(worker, _EXIT_S if why is None else 0.0)
        why = why or (child.why_ended() if child is not None else "")
        if not ready:
            worker.failed_starts += 1
            if worker.failed_starts >= _MAX_STARTS:
                raise ConfigError(f"sweep: a worker cannot start: {why}")
            if job is not None:
                self.give(worker, job)
            return []
        worker.job = None
        message = {"error": why, "steps": 0, "seconds": time.monotonic() - worker.began_at}
        return [] if job is None else [Event(worker, job, message)]

    def _end(self, worker: Worker, wait_s: float = 0.0) -> None:
        """Kills a process that does not end by itself within `wait_s`."""
        if worker.child is not None:
            worker.child.stop(wait_s)
        worker.child, worker.ready = None, False

    def drop(self) -> list[Job]:
        """Kills the processes that train something; their jobs."""
        dropped = []
        for worker in self.busy():
            self._end(worker)
            dropped += [worker.job] if worker.job is not None else []
            worker.job = None
        return dropped

    def close(self) -> None:
        """Kills all processes."""
        for worker in self._workers:
            self._end(worker)
            worker.job = None
            worker.output.unlink(missing_ok=True)
