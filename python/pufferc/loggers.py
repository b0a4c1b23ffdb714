"""What a run says: metrics.jsonl, one JSON object per update, and plain progress lines.

The schema is fixed when a run starts: every line has every key, in the same order; what has no value in an update (no
episode finished, no evaluation made, not a finite number) is null.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO


class MetricsLog:
    """Appends lines to metrics.jsonl. A resumed run drops the lines after its checkpoint first, so none is double."""

    def __init__(self, path: Path, keys: Sequence[str], *, resume_update: int | None = None) -> None:
        self.keys = list(keys)
        if resume_update is not None and path.is_file():
            _keep_updates(path, resume_update)
        self._file = path.open("a", encoding="utf-8")

    def write(self, values: Mapping[str, Any]) -> None:
        """One line. KeyError for a key that is not in the schema; missing ones are null."""
        unknown = values.keys() - set(self.keys)
        if unknown:
            raise KeyError(f"not in the schema of metrics.jsonl: {sorted(unknown)}")
        self._file.write(json.dumps({key: plain(values.get(key)) for key in self.keys}) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def _keep_updates(path: Path, last: int) -> None:
    """Rewrites a log with the complete lines up to update `last`."""
    kept = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            if json.loads(line)["update"] <= last:
                kept.append(line + "\n")
        except (json.JSONDecodeError, KeyError, TypeError):
            break  # the line that a killed process was writing
    temporary = path.with_suffix(".tmp")
    temporary.write_text("".join(kept), encoding="utf-8")
    temporary.replace(path)


def plain(value: Any) -> Any:
    """A value as JSON has it: numbers that are not finite become null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def duration(seconds: float) -> str:
    """Seconds as people say them: 8s, 3m 20s, 2h 5m."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60}s"
    return f"{whole // 3600}h {whole % 3600 // 60}m"


def count(number: float) -> str:
    """A count in three digits: 950, 12.3k, 4.56M."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= limit:
            return f"{number / limit:.3g}{unit}"
    return f"{number:.0f}"


class Progress:
    """A line every `interval_s` seconds: how far, how fast, how good, how long still, and where the time went."""

    def __init__(self, total_steps: int, *, interval_s: float = 2.0, stream: TextIO | None = None) -> None:
        self._total, self._interval_s = total_steps, interval_s
        self._stream = sys.stderr if stream is None else stream
        self._shown_at = time.perf_counter()
        self._shown_steps: int | None = None
        self._start = 0
        self._seconds: dict[str, float] = {}
        self._score: float | None = None

    def start(self, steps: int) -> None:
        """Says how many steps were done before the first update that `note` will hear of."""
        self._start = steps

    def note(self, steps: int, score: float | None, seconds: Mapping[str, float], *, last: bool = False) -> None:
        """Takes in one update; prints if it is time to. `score` None: no episode finished, the last one stands."""
        for name, value in seconds.items():
            self._seconds[name] = self._seconds.get(name, 0.0) + value
        self._score = self._score if score is None or not math.isfinite(score) else score
        now = time.perf_counter()
        if self._shown_steps is None:
            self._shown_steps = self._start
            self._shown_at = now - sum(seconds.values())
        elapsed = now - self._shown_at
        if not last and elapsed < self._interval_s:
            return
        rate = (steps - self._shown_steps) / elapsed if elapsed > 0.0 else 0.0
        eta = (self._total - steps) / rate if rate > 0.0 else math.inf
        shares = sorted(self._seconds.items(), key=lambda item: -item[1])
        whole = sum(self._seconds.values()) or 1.0
        self.say(
            f"{steps / self._total:4.0%}  {count(steps)} steps  {count(rate)}/s  "
            f"score {'-' if self._score is None else f'{self._score:.4g}'}  "
            f"{f'eta {duration(eta)}' if math.isfinite(eta) and not last else ''}  "
            f"[{' '.join(f'{name} {value / whole:.0%}' for name, value in shares)}]"
        )
        self._shown_at, self._shown_steps, self._seconds = now, steps, {}

    def say(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


class Silent(Progress):
    """Says nothing."""

    def say(self, text: str) -> None:
        pass
