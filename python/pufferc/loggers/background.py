"""Other people's tools, each in a thread of its own: opening, writing and closing may take long, or fail.

What a tool raises is reported once, and from then on it is left alone; the run goes on. At the end of a run a tool
has `CLOSE_S` to finish; one that has not is reported and left behind: its thread does not keep the process.
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
_INTERVAL_S = 0.1  # between lines that are passed on
_WAITING = 1000  # lines that may wait for a slow tool; more are dropped


class Logger(Protocol):
    """A tool that records a run. All its methods are called by one thread, which also makes it."""

    def write(self, steps: int, values: Mapping[str, float]) -> None:
        """The numbers of one update, finite ones only; `steps` only ever grows."""

    def close(self) -> None:
        """The run is over."""


@dataclass(frozen=True)
class Opening:
    """What a tool learns when it is opened."""

    run: Path
    config: Config
    steps: int  # done before the first line that will come; 0 in a new run
    written: int  # steps of the last line that an interrupted run had written; lines up to there are known already


# By the name of the package that pip installs: module and class here. The class has a static check() besides.
TOOLS = {
    "tensorboard": ("pufferc.loggers.tensorboard", "TensorBoard"),
    "wandb": ("pufferc.loggers.wandb", "Wandb"),
}


def _tool(name: str) -> Any:
    module, kind = TOOLS[name]
    return getattr(importlib.import_module(module), kind)


def check_loggers(names: Sequence[str]) -> None:
    """ConfigError for a logger that is unknown, not installed or not ready; called before anything starts."""
    for name in names:
        if name not in TOOLS:
            raise ConfigError(f"train.loggers: unknown logger {name!r}{suggest(name, list(TOOLS))}")
        if importlib.util.find_spec(name) is None:
            raise ConfigError(f"train.loggers: {name} is not installed; install it with: pip install 'pufferc[{name}]'")
        _tool(name).check()


def open_loggers(names: Sequence[str], opening: Opening, alert: Callable[[str], None]) -> list[Background]:
    """The loggers of a run, being opened; `alert` is called with what goes wrong."""
    return [Background(name, partial(_tool(name), opening), alert) for name in dict.fromkeys(names)]


class Background:
    """One tool and its thread. `make` opens the tool, in that thread."""

    def __init__(
        self, name: str, make: Callable[[], Logger], alert: Callable[[str], None], *, interval_s: float = _INTERVAL_S
    ) -> None:
        self.name, self._make, self._alert, self._interval_s = name, make, alert, interval_s
        self._lines: queue.Queue[tuple[int, dict[str, float]] | None] = queue.Queue(_WAITING)
        self._passed_at = -1e9
        self._dropped = 0
        self._failed = False
        self._thread = threading.Thread(target=self._work, name=f"pufferc-{name}", daemon=True)
        self._thread.start()

    def write(self, line: Mapping[str, Any], *, last: bool = False) -> None:
        """Passes a line on, at most one per interval; those with an evaluation and the last one always."""
        now = time.perf_counter()
        if self._failed or not (last or "evaluation_score" in line or now - self._passed_at >= self._interval_s):
            return
        self._passed_at = now
        values = {key: float(value) for key, value in line.items() if _is_number(value)}
        try:
            self._lines.put_nowait((int(line["steps"]), values))
        except queue.Full:
            self._dropped += 1

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Lets the tool finish; says so if it does not within `timeout_s`."""
        end = time.perf_counter() + timeout_s
        try:
            self._lines.put(None, timeout=timeout_s)
            self._thread.join(max(0.0, end - time.perf_counter()))
        except queue.Full:
            pass
        if self._thread.is_alive():
            self._alert(f"warning: {self.name} has not finished within {timeout_s:g} s; it is left behind")
        elif self._dropped and not self._failed:
            self._alert(f"warning: {self.name} was too slow: {self._dropped} lines were not passed on to it")

    def _work(self) -> None:
        ended = False
        try:
            tool = self._make()
            while (item := self._lines.get()) is not None:
                tool.write(*item)
            ended = True
            tool.close()
        except BaseException as error:  # whatever a tool does, the run goes on
            self._failed = True
            said = " ".join(str(error).split()) or type(error).__name__
            self._alert(f"warning: {self.name} failed and gets no more of this run: {type(error).__name__}: {said}")
            while not ended:  # so that nobody waits for room
                ended = self._lines.get() is None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and value == value and abs(value) != float("inf")
