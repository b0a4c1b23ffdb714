"""Measures contenders in turn, each in its own process, and keeps the medians.

A contender is a name, its package, and a function `make(threads)` that sets it up and returns `step()`, which does some
work and returns the number of units. While one runs, the others are stopped (SIGSTOP), so they use no CPU time. All
take a turn in each round, so drift of the machine affects all equally. With one thread, a process and its children run
on one core. Needs POSIX signals.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import multiprocessing
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

Step = Callable[[], int]
START_S = 120.0  # time to import, compile and warm up


@dataclass(frozen=True)
class Contender:
    name: str
    package: str  # name of the distribution, to look up its version
    make: Callable[[int], Any]  # a module-level function, so that another process can import it
    install: str = ""  # how to install it
    min_threads: int = 1  # skipped in races with fewer threads
    max_threads: int = 256  # or with more threads
    note: str = ""  # differences from the others


@dataclass
class Figures:
    """Results of one contender: rates, or the reason why there are none."""

    contender: Contender
    rates: list[float] = field(default_factory=list)
    reason: str = ""

    @property
    def median(self) -> float | None:
        return statistics.median(self.rates) if self.rates else None


def label(name: str, package: str, note: str) -> str:
    """Name, version if the package has one, and differences from the others."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        name += f" {importlib.metadata.version(package)}"
    return f"{name} ({note})" if note else name


def limit_threads(threads: int) -> None:
    """Limits this process and its children to the first `threads` cores. Call it before importing thread pools."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))


def _rate(step: Step, seconds: float) -> float:
    """Units of work per second over about `seconds`."""
    count, began = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds:
        count += step()
    return count / elapsed


def _serve(pipe: Connection, contender: Contender, threads: int) -> None:
    """Runs in the contender's process: sets it up, then measures on request until the process is killed."""
    os.setsid()  # its own process group, so that signals reach the contender's children too
    os.dup2(2, 1)  # keeps output of libraries out of the table
    limit_threads(threads)
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(EOFError):
        os.chdir(folder)
        try:
            step = contender.make(threads)
            step()
        except ImportError as error:
            pipe.send(f"not installed ({error.name}): {contender.install}")
            return
        except Exception as error:
            pipe.send(f"{type(error).__name__}: {error}")
            return
        pipe.send("")
        while True:
            pipe.send(_rate(step, pipe.recv()))


class _Lane:
    """The process of one contender. It is stopped except during its turn."""

    def __init__(self, contender: Contender, threads: int) -> None:
        self.figures = Figures(contender)
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, contender, threads), daemon=False)
        self.process.start()
        theirs.close()
        self.figures.reason = str(self._answer(START_S))
        self._signal(signal.SIGSTOP)

    def _answer(self, limit_s: float) -> Any:
        if not self.pipe.poll(limit_s):
            return f"did not answer within {limit_s:.0f} s"
        try:
            return self.pipe.recv()
        except EOFError:
            return "its process ended"

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid or 0, number)

    def turn(self, seconds: float, keep: bool) -> None:
        if self.figures.reason:
            return
        self._signal(signal.SIGCONT)
        self.pipe.send(seconds)
        found = self._answer(seconds + START_S)
        self._signal(signal.SIGSTOP)
        if isinstance(found, str):
            self.figures.reason = found
        elif keep:
            self.figures.rates.append(found)

    def end(self) -> None:
        self._signal(signal.SIGKILL)
        self.process.join()


def race(contenders: Sequence[Contender], threads: int, rounds: int, seconds: float) -> list[Figures]:
    """Medians over `rounds` turns of `seconds` each, after one warm-up turn."""
    lanes: list[_Lane] = []
    try:
        for contender in contenders:
            if contender.min_threads <= threads <= contender.max_threads:
                lanes.append(_Lane(contender, threads))
        for turn in range(rounds + 1):
            for lane in lanes:
                lane.turn(seconds, keep=turn > 0)
    finally:
        for lane in lanes:
            lane.end()
    return [lane.figures for lane in lanes]
