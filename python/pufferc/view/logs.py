"""The columns of a run's metrics.jsonl, read in parts as the file grows, and their form in the page.

A column is float64 [rows], NaN where a line has no number. A line that is cut off or damaged is left out and counted.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]


class Log:
    """A metrics.jsonl. `read` adds the lines written since the last call.

    A resumed run replaces the file. The columns then start again, and `generation` grows.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.columns: dict[str, Column] = {}
        self.rows, self.damaged, self.generation = 0, 0, 0
        self._offset, self._inode = 0, -1

    def read(self) -> None:
        """Reads new complete lines; a missing file has none. OSError if it cannot be read."""
        try:
            with self.path.open("rb") as file:
                self._read(file)
        except FileNotFoundError:
            return

    def _read(self, file: Any) -> None:
        stat = self.path.stat()
        if stat.st_ino != self._inode or stat.st_size < self._offset:
            replaced = self._inode >= 0
            self.columns, self.rows, self.damaged, self._offset, self._inode = {}, 0, 0, 0, stat.st_ino
            self.generation += replaced
        file.seek(self._offset)
        data = file.read()
        whole = data.rfind(b"\n") + 1  # the rest is still being written
        self._offset += whole
        self._add(_parse(data[:whole]))

    def _add(self, parsed: tuple[list[dict[str, Any]], int]) -> None:
        lines, damaged = parsed
        self.damaged += damaged
        if not lines:
            return
        keys = dict.fromkeys(key for line in lines for key in line) if _differ(lines) else lines[0]
        new = {key: _column([line.get(key) for line in lines]) for key in keys}
        empty = np.full(len(lines), np.nan)
        for key in {**self.columns, **new}:  # another version may log other keys
            before = self.columns.get(key, np.full(self.rows, np.nan))
            self.columns[key] = np.concatenate([before, new.get(key, empty)])
        self.rows += len(lines)


def _parse(data: bytes) -> tuple[list[dict[str, Any]], int]:
    """The objects in complete lines, and the number of other lines."""
    texts = [line for line in data.decode("utf-8", errors="replace").split("\n") if line.strip()]
    try:
        found = json.loads(f"[{','.join(texts)}]")  # one call for all lines takes half the time
        if len(found) != len(texts):
            raise ValueError
    except ValueError:
        found = [_object(text) for text in texts]
    lines = [line for line in found if isinstance(line, dict)]
    return lines, len(texts) - len(lines)


def _object(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _differ(lines: Sequence[Mapping[str, Any]]) -> bool:
    first = lines[0].keys()
    return any(line.keys() != first for line in lines)


def _column(values: list[Any]) -> Column:
    try:
        column = np.array(values, np.float64)  # None becomes NaN
        if column.ndim != 1:
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        column = np.array([float(value) if isinstance(value, (int, float)) else np.nan for value in values])
    column[~np.isfinite(column)] = np.nan
    return column


def averaged(columns: Mapping[str, Column], points: int) -> dict[str, Column]:
    """Columns of at most `points` rows: each the mean of the numbers in as many successive rows."""
    rows = next(iter(columns.values())).size if columns else 0
    if rows <= points:
        return dict(columns)
    starts = np.linspace(0, rows, points + 1)[:-1].astype(np.intp)
    found = {}
    for key, column in columns.items():
        valid = np.isfinite(column)
        total = np.add.reduceat(np.where(valid, column, 0.0), starts)
        count = np.add.reduceat(valid.astype(np.float64), starts)
        found[key] = np.divide(total, count, out=np.full(points, np.nan), where=count > 0)
    return found


def encoded(columns: Mapping[str, Column]) -> dict[str, str | float | None]:
    """Columns for the page: base64 of little-endian float32, one number if all are equal, None without a number."""
    found: dict[str, str | float | None] = {}
    for key, column in columns.items():
        numbers = column.astype("<f4")
        if not np.isfinite(numbers).any():
            found[key] = None
        elif (numbers == numbers[0]).all():
            found[key] = float(column[0])
        else:
            found[key] = base64.b64encode(numbers.tobytes()).decode()
    return found
