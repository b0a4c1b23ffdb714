"""Runs each third-party tracker in its own thread, because opening, writing and closing may be slow or fail.

An exception of a tracker is reported once, and the run continues without it. At the end of a run a tracker has
`CLOSE_S` to finish. After that a warning is shown and its daemon thread is abandoned, so that the process can end.
"""

from __future__ import annotations

import importlib
import importlib.util
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from pufferc.config import Config, ConfigError, suggest

CLOSE_S = 15.0
_INTERVAL_S = 0.1  # between lines for a tracker
_MAX_WAITING = 1000  # lines in the queue of a slow tracker; more are dropped


class Logger(Protocol):
    """A tracker that records a run. One thread creates it and calls all its methods."""

    def write(self, steps: int, values: Mapping[str, float]) -> None:
        """The finite numbers of one update; `steps` only grows."""

    def close(self) -> None:
        """Called at the end of the run."""


@dataclass(frozen=True)
class Opening:
    """The arguments for opening a tracker."""

    run: Path
    config: Config
    steps: int  # done before the first line; 0 in a new run
    written: int  # steps of the last line that an interrupted run wrote; the tracker has all lines up to it


# Module and class by the name of the package to install. The class also has a static method check().
TOOLS = {
    "tensorboard": ("pufferc.loggers.tensorboard", "TensorBoard"),
    "trackio": ("pufferc.loggers.trackio", "Trackio"),
    "wandb": ("pufferc.loggers.wandb", "Wandb"),
}


def _tool(name: str) -> Any:
    module, kind = TOOLS[name]
    return getattr(importlib.import_module(module), kind)


def check_loggers(names: Sequence[str]) -> None:
    """ConfigError for a logger that is unknown, not installed or not ready; called before a run starts."""
    for name in names:
        if name not in TOOLS:
            raise ConfigError(f"train.loggers: unknown logger {name!r}{suggest(name, list(TOOLS))}")
        if importlib.util.find_spec(name) is None:
            raise ConfigError(f"train.loggers: {name} is not installed; install it with: pip install 'pufferc[{name}]'")
        _tool(name).check()


def open_loggers(names: Sequence[str], opening: Opening, alert: Callable[[str], None]) -> list[Background]:
    """Starts to open the loggers of a run; `alert` is called with problems."""
    return [Background(name, partial(_tool(name), opening), alert) for name in dict.fromkeys(names)]


class Background:
    """One tracker and its thread, in which `make` opens the tracker."""

    def __init__(
        self, name: str, make: Callable[[], Logger], alert: Callable[[str], None], *, interval_s: float = _INTERVAL_S
    ) -> None:
        self.name, self._make, self._alert, self._interval_s = name, make, alert, interval_s
        self._lines: queue.Queue[tuple[int, dict[str, float]] | None] = queue.Queue(_MAX_WAITING)
        self._queued_at = -1e9
        self._dropped = 0
        self._failed = False
        self._thread = threading.Thread(target=self._work, name=f"pufferc-{name}", daemon=True)
        self._thread.start()

    def write(self, line: Mapping[str, Any], *, last: bool = False) -> None:
        """Queues a line, at most one per interval, but always the last one and those with an evaluation."""
        now = time.perf_counter()
        if self._failed or not (last or "evaluation_score" in line or now - self._queued_at >= self._interval_s):
            return
        self._queued_at = now
        values = {key: float(value) for key, value in line.items() if _is_number(value)}
        try:
            self._lines.put_nowait((int(line["steps"]), values))
        except queue.Full:
            self._dropped += 1

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Lets the tracker finish; alerts if it does not within `timeout_s`."""
        end = time.perf_counter() + timeout_s
        try:
            self._lines.put(None, timeout=timeout_s)
            self._thread.join(max(0.0, end - time.perf_counter()))
        except queue.Full:
            pass
        if self._thread.is_alive():
            self._alert(f"warning: {self.name} has not finished within {timeout_s:g} s; its last lines may be lost")
        elif self._dropped and not self._failed:
            self._alert(f"warning: {self.name} was too slow: {self._dropped} lines were dropped")

    def _work(self) -> None:
        ended = False
        try:
            tool = self._make()
            while (item := self._lines.get()) is not None:
                tool.write(*item)
            ended = True
            tool.close()
        except BaseException as error:  # also SystemExit: a tracker must not end the run
            self._failed = True
            text = " ".join(str(error).split()) or type(error).__name__
            self._alert(
                f"warning: {self.name} failed and will not log the rest of this run: {type(error).__name__}: {text}"
            )
            while not ended:  # empties the queue, so that close does not wait for room
                ended = self._lines.get() is None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and value == value and abs(value) != float("inf")
