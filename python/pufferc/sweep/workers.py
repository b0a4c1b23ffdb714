"""The processes that train a sweep's runs: started once, given runs, watched, and replaced when they die or hang.

A process that is lost costs the run that it trained and no other. None of them hears of Ctrl-C.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pufferc.config import Config, ConfigError, as_tables
from pufferc.sweep.channel import Channel
from pufferc.training.seeds import child_environment, exit_reason

_STARTS = 3  # that may fail in a row, of one worker
_LAST_MOMENT_S = 2.0  # between a process's last word and its end


@dataclass(frozen=True)
class Job:
    """One run to make. `rungs`: see stopping.py; `directory`: that of a run that keeps checkpoints, None for others."""

    number: int
    phase: str
    seed: int
    params: Mapping[str, Any]
    config: Config
    log: Path
    rungs: tuple[int, ...] = ()
    directory: Path | None = None

    def message(self) -> dict[str, Any]:
        """What a worker is sent."""
        return {
            "game": self.config.game,
            "config": as_tables(self.config),
            "log": str(self.log),
            "rungs": self.rungs,
            "directory": str(self.directory) if self.directory else None,
        }


@dataclass(frozen=True)
class Event:
    """Something that a job's worker said: at a rung, or at the end ("result" or "error")."""

    worker: Worker
    job: Job
    message: Mapping[str, Any]


@dataclass(eq=False)
class Worker:
    """One place for a process. `job` is what it trains; `ready` whether torch is imported."""

    errors: Path
    process: subprocess.Popen[bytes] | None = None
    channel: Channel | None = None
    job: Job | None = None
    ready: bool = False
    failed_starts: int = 0
    heard_at: float = field(default_factory=time.monotonic)
    began_at: float = 0.0

    def answer(self, go: bool) -> None:
        """Tells a run that waits at a rung whether to go on."""
        self.send({"go": go})

    def send(self, message: Mapping[str, Any]) -> None:
        self.heard_at = time.monotonic()
        if self.channel is not None:
            with contextlib.suppress(OSError):  # it died just now, which its end of file will tell
                self.channel.send(message)


class Workers:
    """Up to `count` processes. `timeout_s`: without a sign of life for so long, a process is given up."""

    def __init__(self, count: int, directory: Path, timeout_s: float) -> None:
        """Starts nothing yet. Their standard error goes to files in `directory`, which exists."""
        self._timeout_s = timeout_s
        self._selector = selectors.DefaultSelector()
        self._workers = [Worker(directory / f".worker-{i}.txt") for i in range(count)]

    def free(self) -> list[Worker]:
        """Those without a job, ready ones first; some may have no process yet."""
        return sorted((w for w in self._workers if w.job is None), key=lambda worker: not worker.ready)

    def busy(self) -> list[Worker]:
        return [worker for worker in self._workers if worker.job is not None]

    def give(self, worker: Worker, job: Job) -> None:
        """Starts a job; the process first if there is none."""
        worker.job, worker.began_at = job, time.monotonic()
        if worker.process is None:
            self._start(worker)
        worker.send(job.message())  # read once torch is imported

    def _start(self, worker: Worker) -> None:
        ours, theirs = socket.socketpair()
        words = [sys.executable, "-m", "pufferc.sweep.worker", str(theirs.fileno())]
        with theirs, worker.errors.open("wb") as errors:
            worker.process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, env=child_environment(),
                pass_fds=[theirs.fileno()], start_new_session=True,
            )  # fmt: skip
        worker.channel, worker.ready, worker.heard_at = Channel(ours), False, time.monotonic()
        self._selector.register(ours, selectors.EVENT_READ, worker)

    def wait(self, seconds: float) -> list[Event]:
        """What was said, at most `seconds` later. ConfigError where processes cannot be started at all."""
        events: list[Event] = []
        for key, _ in self._selector.select(seconds):
            worker: Worker = key.data
            messages = worker.channel.read() if worker.channel else None
            worker.heard_at = time.monotonic()
            if messages is None:
                events += self._lost(worker, None)
                continue
            events += self._heard(worker, messages)
        for worker in self.busy():
            if time.monotonic() - worker.heard_at > self._timeout_s:
                events += self._lost(worker, f"no sign of life for {self._timeout_s:g} s: given up")
        return events

    def _heard(self, worker: Worker, messages: list[dict[str, Any]]) -> list[Event]:
        events = []
        for message in messages:
            if "ready" in message:
                worker.ready, worker.failed_starts, worker.began_at = True, 0, time.monotonic()
            elif worker.job is not None and not message.keys().isdisjoint(("rung", "result", "error")):
                events.append(Event(worker, worker.job, message))
                worker.job = worker.job if "rung" in message else None
        return events

    def _lost(self, worker: Worker, why: str | None) -> list[Event]:
        """Ends what is left of a process; what became of its job. One that was not ready may try again."""
        ready, job = worker.ready, worker.job
        code = self._end(worker, at_once=why is not None)
        why = why or exit_reason(code, worker.errors)
        if not ready:
            worker.failed_starts += 1
            if worker.failed_starts >= _STARTS:
                raise ConfigError(f"sweep: a worker cannot start: {why}")
            if job is not None:
                self.give(worker, job)
            return []
        worker.job = None
        message = {"error": why, "steps": 0, "seconds": time.monotonic() - worker.began_at}
        return [] if job is None else [Event(worker, job, message)]

    def _end(self, worker: Worker, *, at_once: bool) -> int:
        """The exit code of a process, which is killed if it does not end by itself in a moment."""
        if worker.channel is not None:
            self._selector.unregister(worker.channel.end)
            worker.channel.close()
        code = 0
        if worker.process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.process.wait(0.0 if at_once else _LAST_MOMENT_S)
            if worker.process.poll() is None:
                worker.process.kill()
            code = worker.process.wait()
        worker.process, worker.channel, worker.ready = None, None, False
        return code

    def drop(self) -> int:
        """Ends the processes that train something; how many did."""
        busy = self.busy()
        for worker in busy:
            self._end(worker, at_once=True)
            worker.job = None
        return len(busy)

    def close(self) -> None:
        """Ends all processes and what they train."""
        for worker in self._workers:
            if worker.process is not None:
                worker.process.kill()
        for worker in self._workers:
            self._end(worker, at_once=True)
            worker.job = None
            worker.errors.unlink(missing_ok=True)
        self._selector.close()
