"""metrics.jsonl: one JSON object per update.

The schema is fixed when a run starts: every line has every key, in the same order. A key without a finite value in an
update (no episode finished, no evaluation) is null.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pufferc.runs.text import plain

_INTERVAL_S = 0.25  # between writes


class MetricsLog:
    """Appends lines to metrics.jsonl. A resumed run first drops the lines after its checkpoint.

    Lines are buffered, which costs a third of writing each one. Call `flush` before saving a checkpoint.
    """

    def __init__(self, path: Path, keys: Sequence[str], *, resume_update: int | None = None) -> None:
        self.keys = list(keys)
        self._known = frozenset(keys)
        self._waiting: list[Mapping[str, Any]] = []
        self._written_at = -math.inf
        if resume_update is not None and path.is_file():
            _keep_updates(path, resume_update)
        self._file = path.open("a", encoding="utf-8")

    def write(self, values: Mapping[str, Any]) -> None:
        """Adds a line; the caller must not change `values` afterwards. KeyError for keys outside the schema."""
        if not values.keys() <= self._known:
            raise KeyError(f"not in the schema of metrics.jsonl: {sorted(values.keys() - self._known)}")
        self._waiting.append(values)
        if time.perf_counter() - self._written_at >= _INTERVAL_S:
            self.flush()

    def flush(self) -> None:
        """Writes the buffered lines."""
        lines, self._waiting = self._waiting, []
        for values in lines:
            self._file.write(json.dumps({key: plain(values.get(key)) for key in self.keys}) + "\n")
        self._file.flush()
        self._written_at = time.perf_counter()

    def close(self) -> None:
        self.flush()
        self._file.close()


def _keep_updates(path: Path, last: int) -> None:
    """Rewrites a log with the complete lines up to update `last`."""
    kept = []
    for line in path.read_bytes().decode("utf-8", errors="replace").splitlines():
        try:
            if json.loads(line)["update"] <= last:
                kept.append(line + "\n")
        except (ValueError, KeyError, TypeError):
            continue  # cut off by a kill, or damaged
    temporary = path.with_suffix(".tmp")
    temporary.write_text("".join(kept), encoding="utf-8")
    temporary.replace(path)


def last_line(path: Path, *, tail_bytes: int = 65_536) -> dict[str, Any] | None:
    """The last complete line of a log, read from its end, or None. OSError if it cannot be read."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - tail_bytes))
        lines = file.read().decode("utf-8", errors="replace").splitlines()
    for text in reversed(lines):
        try:
            line = json.loads(text)
        except ValueError:
            continue  # cut off: being written, or the start of the tail
        if isinstance(line, dict):
            return line
    return None
