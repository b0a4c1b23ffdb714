"""Plain progress lines, for pipes, log files and terminals that cannot do more; and the interface of all displays.

A display hears of every update (`note`), of every evaluation (`evaluated`) and of what else there is to say (`say`).
`say` may be called by any thread, and by a signal handler in the middle of a line.
"""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

from pufferc.runs.text import count, duration, short

SECONDS = "seconds_"  # starts the keys of a line that say where the time went


def parts(line: Mapping[str, Any]) -> dict[str, float]:
    """Seconds of one update by what they were spent on."""
    return {key.removeprefix(SECONDS): value for key, value in line.items() if key.startswith(SECONDS)}


class Rate:
    """Steps per second since it was last read, and where the time went since."""

    def __init__(self) -> None:
        self._steps: int | None = None
        self._at = 0.0
        self._seconds: dict[str, float] = {}

    def start(self, steps: int) -> None:
        """Says how many steps were done before the first update that `add` will hear of."""
        self._steps, self._at = steps, time.perf_counter()

    def add(self, seconds: Mapping[str, float]) -> float:
        """Takes in one update; returns the wall-clock seconds since the last reading."""
        for name, value in seconds.items():
            self._seconds[name] = self._seconds.get(name, 0.0) + value
        return time.perf_counter() - self._at

    def read(self, steps: int) -> tuple[float, dict[str, float]]:
        """Steps per second, and shares of the time by descending size; then begins anew."""
        now = time.perf_counter()
        elapsed = now - self._at
        rate = (steps - (self._steps or 0)) / elapsed if elapsed > 0.0 else 0.0
        whole = sum(self._seconds.values()) or 1.0
        shares = {name: value / whole for name, value in sorted(self._seconds.items(), key=lambda item: -item[1])}
        self._steps, self._at, self._seconds = steps, now, {}
        return rate, shares


class Progress:
    """A line every `interval_s` seconds: how far, how fast, how good, how long still, and where the time went."""

    def __init__(self, total_steps: int, *, interval_s: float = 2.0, stream: TextIO | None = None) -> None:
        self.total = total_steps
        self.score: float | None = None
        self._interval_s = interval_s
        self._stream = sys.stderr if stream is None else stream
        self._rate = Rate()
        self._writing = False
        self._waiting: list[str] = []

    def start(self, steps: int) -> None:
        """The run begins, with so many steps already done."""
        self._rate.start(steps)

    def note(self, line: Mapping[str, Any], *, last: bool = False) -> None:
        """Takes in the line of one update; prints if it is time to."""
        seconds = parts(line)
        score = line.get("score", line.get("episode_return"))
        if score is not None and math.isfinite(score):  # no episode finished: the last one stands
            self.score = score
        elapsed = self._rate.add(seconds)
        if last or elapsed >= self._interval_s:
            self._show(int(line["steps"]), last)

    def _show(self, steps: int, last: bool) -> None:
        rate, shares = self._rate.read(steps)
        eta = (self.total - steps) / rate if rate > 0.0 else math.inf
        self.say(
            f"{steps / self.total:4.0%}  {count(steps)} steps  {count(rate)}/s  score {short(self.score)}  "
            f"{f'eta {duration(eta)}' if math.isfinite(eta) and not last else ''}  "
            f"[{' '.join(f'{name} {share:.0%}' for name, share in shares.items())}]"
        )

    def evaluated(self, score: float, text: str) -> None:
        """An evaluation was made; `text` is its result in one line."""
        self.say(f"      evaluation: {text}")

    def say(self, text: str) -> None:
        """Shows one message. While another is being written (by this thread: a signal came), it waits for its end."""
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
        with contextlib.suppress(OSError, ValueError):  # the terminal was closed: nobody is left to tell
            print(text, file=self._stream, flush=True)

    def alert(self, text: str) -> None:
        """A message that is shown even where progress is not."""
        self.say(text)

    def close(self) -> None:
        """The run is over, well or not; the terminal is left as it was found."""
        while self._waiting:  # said by another thread in the moment when the last message was written
            self._write(self._waiting.pop(0))


class Silent(Progress):
    """Says nothing but alerts."""

    def say(self, text: str) -> None:
        pass

    def alert(self, text: str) -> None:
        super().say(text)
