"""metrics.jsonl: one JSON object per update.

The schema is fixed when a run starts: every line has every key, in the same order; what has no value in an update (no
episode finished, no evaluation made, not a finite number) is null.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pufferc.files import check_target, parse_json, read_file
from pufferc.runs.text import plain

_INTERVAL_S = 0.25  # between writes


class MetricsLog:
    """Appends lines to metrics.jsonl. A resumed run drops the lines after its checkpoint first, so none is double.

    Lines are written several at a time, which costs a third of writing each; `flush` before a checkpoint is saved.
    """

    def __init__(self, path: Path, keys: Sequence[str], *, resume_update: int | None = None) -> None:
        self.keys = list(keys)
        self._known = frozenset(keys)
        self._waiting: list[Mapping[str, Any]] = []
        self._written_at = -math.inf
        if resume_update is not None and path.is_file():
            _keep_updates(path, resume_update)
        check_target(path)
        self._file = path.open("a", encoding="utf-8")

    def write(self, values: Mapping[str, Any]) -> None:
        """One line, not changed afterwards. KeyError for a key that is not in the schema; missing ones are null."""
        if not values.keys() <= self._known:
            raise KeyError(f"not in the schema of metrics.jsonl: {sorted(values.keys() - self._known)}")
        self._waiting.append(values)
        if time.perf_counter() - self._written_at >= _INTERVAL_S:
            self.flush()

    def flush(self) -> None:
        """Writes the lines that wait."""
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
    for line in read_file(path).decode("utf-8", errors="replace").splitlines():
        try:
            if parse_json(line)["update"] <= last:
                kept.append(line + "\n")
        except (ValueError, KeyError, TypeError):
            continue  # what a killed process was writing, or a line that was damaged
    temporary = path.with_suffix(".tmp")
    temporary.write_text("".join(kept), encoding="utf-8")
    temporary.replace(path)


def last_line(path: Path, *, tail_bytes: int = 65_536) -> dict[str, Any] | None:
    """The last complete line of a log, read from its end; None if there is none. OSError if it cannot be read."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - tail_bytes))
        lines = file.read().decode("utf-8", errors="replace").splitlines()
    for text in reversed(lines):
        try:
            line = parse_json(text)
        except ValueError:
            continue  # cut off: being written, or the start of the tail
        if isinstance(line, dict):
            return line
    return None
