"""Plain progress lines, for pipes, log files and simple terminals; and the interface of all displays.

A display is called with every update (`note`), every evaluation (`evaluated`) and other messages (`say`). `say` may be
called by any thread, and by a signal handler while a line is being written.
"""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

from pufferc.runs.scores import ScoreWindow
from pufferc.runs.text import count, duration, short

SECONDS = "seconds_"  # prefix of the keys that hold durations


def parts(line: Mapping[str, Any]) -> dict[str, float]:
    """Seconds of one update by activity."""
    return {key.removeprefix(SECONDS): value for key, value in line.items() if key.startswith(SECONDS)}


class Rate:
    """Steps per second, and the shares of activities, since the last reading."""

    def __init__(self) -> None:
        self._steps: int | None = None
        self._at = 0.0
        self._seconds: dict[str, float] = {}

    def start(self, steps: int) -> None:
        """`steps` were done before the first update that `add` will get."""
        self._steps, self._at = steps, time.perf_counter()

    def add(self, seconds: Mapping[str, float]) -> float:
        """Adds one update; returns the wall-clock seconds since the last reading."""
        for name, value in seconds.items():
            self._seconds[name] = self._seconds.get(name, 0.0) + value
        return time.perf_counter() - self._at

    def read(self, steps: int) -> tuple[float, dict[str, float]]:
        """Steps per second, and shares of the time in descending order; then starts over."""
        now = time.perf_counter()
        elapsed = now - self._at
        rate = (steps - (self._steps or 0)) / elapsed if elapsed > 0.0 else 0.0
        whole = sum(self._seconds.values()) or 1.0
        shares = {name: value / whole for name, value in sorted(self._seconds.items(), key=lambda item: -item[1])}
        self._steps, self._at, self._seconds = steps, now, {}
        return rate, shares


class Progress:
    """A line every `interval_s` seconds: progress, speed, score, remaining time, and where the time was spent."""

    def __init__(self, total_steps: int, *, interval_s: float = 2.0, stream: TextIO | None = None) -> None:
        self.total = total_steps
        self.window = ScoreWindow()  # the scores before the first update, of a resumed run
        self._interval_s = interval_s
        self._stream = sys.stderr if stream is None else stream
        self._rate = Rate()
        self._writing = False
        self._waiting: list[str] = []

    def start(self, steps: int) -> None:
        """Called at the start of the run, with `steps` already done."""
        self._rate.start(steps)

    def note(self, line: Mapping[str, Any], *, last: bool = False) -> None:
        """Records the line of one update. Prints a line if the interval is over."""
        self.window.add(line)
        elapsed = self._rate.add(parts(line))
        if last or elapsed >= self._interval_s:
            self._show(int(line["steps"]), last)

    @property
    def score(self) -> float | None:
        """The mean score of the latest episodes, as checkpoints get it; None before there are enough."""
        found = self.window.score()
        return None if found is None else found.value

    def _show(self, steps: int, last: bool) -> None:
        rate, shares = self._rate.read(steps)
        eta = (self.total - steps) / rate if rate > 0.0 else math.inf
        self.say(
            f"{steps / self.total:4.0%}  {count(steps)} steps  {count(rate)}/s  score {short(self.score)}  "
            f"{f'eta {duration(eta)}' if math.isfinite(eta) and not last else ''}  "
            f"[{' '.join(f'{name} {share:.0%}' for name, share in shares.items())}]"
        )

    def evaluated(self, score: float, text: str) -> None:
        """Shows an evaluation; `text` is its result in one line."""
        self.say(f"      evaluation: {text}")

    def say(self, text: str) -> None:
        """Shows one message. A signal handler's message during another one is queued until that one is written."""
        self._waiting.append(text)
        if self._writing:
            return
        self._writing = True
        try:
            while self._waiting:
                self._write(self._waiting.pop(0))
        finally:
            self._writing = False

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # the terminal was closed
            print(text, file=self._stream, flush=True)

    def alert(self, text: str) -> None:
        """A message that is shown even without progress lines."""
        self.say(text)

    def close(self) -> None:
        """Called at the end of the run, also after an error."""
        while self._waiting:  # queued by another thread while the last message was written
            self._write(self._waiting.pop(0))


class Silent(Progress):
    """Shows alerts only."""

    def say(self, text: str) -> None:
        pass

    def alert(self, text: str) -> None:
        super().say(text)
