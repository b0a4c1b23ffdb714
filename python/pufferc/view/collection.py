"""The runs in folders, as the page gets them; finds out what changed since an earlier look.

A folder may be a run, a group of seeds, a sweep, or contain any of these, at most four levels down.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pufferc.runs.compare import flat
from pufferc.runs.directory import GROUP_SUFFIX, members
from pufferc.runs.records import Run, is_run, read_run
from pufferc.view import sweeps
from pufferc.view.logs import Log

_DEPTH = 4  # levels below a named folder that are searched
_FILMS = (".mp4", ".webm", ".gif", ".png")  # of a run's film, the best first


@dataclass
class Entry:
    """One run of the page, by its number there. `version`: the collection's when it last changed."""

    number: int
    run: Run
    log: Log
    sweep: str | None
    signature: Any
    version: int
    film: Path | None = None

    def record(self) -> dict[str, Any]:
        """The values of the page, as JSON has them."""
        run = self.run
        score = run.score or run.best
        group = run.path.parent.name if run.path.parent.name.endswith(GROUP_SUFFIX) else None
        return {
            "id": self.number, "name": run.name, "path": str(run.path), "game": run.game, "state": run.state,
            "started": run.started, "policy": run.policy, "seed": run.seed, "steps": run.steps, "seconds": run.seconds,
            "sps": run.steps_per_second, "problem": run.problem, "sweep": self.sweep, "group": group,
            "score": score.as_dict() if score else None, "best": run.best.as_dict() if run.best else None,
            "config": flat(run.config), "machine": flat(run.machine),
            "film": self.film.name if self.film else None, "rows": self.log.rows, "damaged": self.log.damaged,
        }  # fmt: skip


@dataclass
class Collection:
    """The runs in `folders`. FileNotFoundError if one of these is missing."""

    folders: Sequence[Path]
    entries: list[Entry] = field(default_factory=list)
    version: int = 0

    def __post_init__(self) -> None:
        self._known: dict[Path, Entry] = {}
        self._sweeps: dict[Path, Any] = {}
        for folder in self.folders:
            if not folder.is_dir():
                raise FileNotFoundError(f"view: there is no folder {folder}")

    def refresh(self) -> None:
        """Looks for new and changed runs. Those whose folders were deleted stay."""
        self.version += 1
        for folder in self.folders:
            for path, sweep in _find(folder, _DEPTH):
                if sweep == path:
                    self._read_sweep(path)
                else:
                    self._read_run(path, sweep)

    def _read_run(self, path: Path, sweep: Path | None) -> None:
        entry, signature = self._known.get(path), _signature(path)
        if entry is not None and entry.signature == signature and entry.run.state != "running":
            return
        run = read_run(path)
        if entry is None or (entry.signature, entry.run.state) != (signature, run.state):
            self._put(path, run, path / "metrics.jsonl", sweep, signature)

    def _read_sweep(self, folder: Path) -> None:
        signature = sweeps.changed_at(folder)
        if self._sweeps.get(folder) != signature:
            self._sweeps[folder] = signature
            for run, log in sweeps.trials(folder):
                entry = self._known.get(run.path)
                if entry is None or entry.run != run:
                    self._put(run.path, run, log, folder, None)

    def _put(self, path: Path, run: Run, log: Path, sweep: Path | None, signature: Any) -> None:
        entry = self._known.get(path)
        if entry is None:
            entry = Entry(len(self.entries), run, Log(log), sweep.name if sweep else None, signature, self.version)
            self._known[path] = entry
            self.entries.append(entry)
        entry.run, entry.signature, entry.version, entry.film = run, signature, self.version, _film(path)


def _find(folder: Path, depth: int, sweep: Path | None = None) -> Iterator[tuple[Path, Path | None]]:
    """The runs in a folder, each with the sweep that it belongs to; a sweep itself comes with its own path."""
    if sweeps.is_sweep(folder):
        sweep = folder
        yield folder, folder
    elif is_run(folder):
        yield from ((path, sweep) for path in members(folder))
        return
    if depth:
        try:
            inner = sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())
        except OSError:
            return  # not readable, or deleted meanwhile
        for path in inner:
            if not path.name.startswith("."):
                yield from _find(path, depth - 1, sweep)


def _signature(path: Path) -> tuple[tuple[int, int] | None, ...]:
    """Changes whenever a file of a run that the page shows changes."""
    return tuple(_stamp(path / name) for name in ("config.toml", "result.json", "metrics.jsonl", "checkpoints", "."))


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size


def _film(path: Path) -> Path | None:
    """A run's film: the newest file of the best format in its directory."""
    try:
        files = [file for file in path.iterdir() if file.suffix.lower() in _FILMS and not file.name.startswith(".")]
        order = {file: (_FILMS.index(file.suffix.lower()), -file.stat().st_mtime_ns) for file in files}
    except OSError:
        return None
    return min(files, key=order.__getitem__, default=None)


def as_json(value: Any) -> str:
    """JSON that is safe inside an element of HTML: "<" is written as an escape, so no name can end the element.

    Infinities and NaN, which configurations of TOML may contain and JSON does not know, become null.
    """
    text = json.dumps(_finite(value), separators=(",", ":"), default=str, allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, (list, tuple)) else value
