"""Measures contenders in turn, each in a process of its own, and keeps the medians.

A contender is a name, the package it comes from and a function `make(threads)` that sets it up and returns `step()`,
which does some work and says how many units. While one runs the others are stopped (SIGSTOP), so that none takes time
from another; in each round all have their turn, so that the machine's drift hits all alike. With one thread, a process
and all it starts have one core. Needs POSIX signals.
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
    package: str  # distribution, for its version
    make: Callable[[int], Any]  # a function of a module, so that another process can import it
    install: str = ""  # what to type for it
    min_threads: int = 1  # it is left out of races with fewer
    max_threads: int = 256  # or with more
    note: str = ""  # what it does differently


@dataclass
class Figures:
    """What one contender reached: rates, or why there are none."""

    contender: Contender
    rates: list[float] = field(default_factory=list)
    reason: str = ""

    @property
    def median(self) -> float | None:
        return statistics.median(self.rates) if self.rates else None


def label(name: str, package: str, note: str) -> str:
    """Name, version where the package has one, and what it does differently."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        name += f" {importlib.metadata.version(package)}"
    return f"{name} ({note})" if note else name


def limit_threads(threads: int) -> None:
    """This process and its children on the first `threads` cores; before libraries with thread pools are imported."""
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
    """The other process: sets the contender up, then measures for as long as it is told, until it is killed."""
    os.setsid()  # a process group of its own, with all that the contender starts
    os.dup2(2, 1)  # what a library prints is no part of the table
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
    """The process of one contender, stopped except in its turn."""

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
            return f"gave no answer within {limit_s:.0f} s"
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
    """Medians of `rounds` turns of `seconds` each, after one turn that does not count."""
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
