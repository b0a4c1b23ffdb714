"""The runs in a folder, how they were trained and how they ended. Reads files only and needs no torch.

A run has one of these states: running; complete, target or interrupted (it ended normally); failed (an error, see
`problem`); killed (its process ended without a result); damaged (some files cannot be read; the others are shown).
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pufferc.config import ConfigError, read_toml
from pufferc.runs.directory import GROUP_SUFFIX, best_checkpoint, is_locked, members, policy_name
from pufferc.runs.metrics import last_line
from pufferc.runs.scores import Score
from pufferc.runs.text import count, duration

_FILES = ("config.toml", "machine.json", "metrics.jsonl", "checkpoints", "result.json", "lock")
_STAMP = re.compile(r"^(\w+)-(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)")
_ENDS = ("complete", "target", "interrupted", "failed")


@dataclass
class Run:
    """One run, read from its directory. Unknown values are None. Times are in seconds."""

    path: Path
    name: str
    state: str
    game: str | None = None
    started: str | None = None
    policy: str | None = None
    seed: int | None = None
    steps: int | None = None
    seconds: float | None = None
    steps_per_second: float | None = None
    score: Score | None = None  # at the end
    best: Score | None = None
    problem: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """JSON values for --json."""
        return {**dataclasses.asdict(self), "path": str(self.path)}


def is_run(path: Path) -> bool:
    """Whether a directory is a run, possibly damaged."""
    if not path.is_dir():
        return False
    group = path.name.endswith(GROUP_SUFFIX) and bool(members(path))
    return group or bool(_STAMP.match(path.name)) or any((path / name).exists() for name in _FILES)


def read_run(path: Path) -> Run:
    """Reads a run's directory. Does not raise: a run with unreadable files is `damaged`."""
    group = path.parent.name if path.parent.name.endswith(GROUP_SUFFIX) else None
    run = Run(path, f"{group}/{path.name}" if group else path.name, "killed")
    stamp = _STAMP.match(group or path.name)
    if stamp:
        run.game, run.started = stamp[1], "{}-{}-{}T{}:{}:{}".format(*stamp.groups()[1:])
    problems: list[str] = []
    _read_start(run, problems)
    _read_end(run, problems)
    try:
        best = best_checkpoint(path)
        run.best = best[1] if best else run.score
    except OSError as error:
        problems.append(str(error))
    if problems:
        run.state, run.problem = "damaged", "; ".join(problems)
    return run


def _read_start(run: Run, problems: list[str]) -> None:
    try:
        run.config = read_toml(run.path / "config.toml")
    except ConfigError as error:
        problems.append(str(error))
    run.machine = _read_json(run.path / "machine.json", problems)
    game, started = run.config.get("game"), run.machine.get("started")
    run.game = game if isinstance(game, str) else run.game
    run.started = started if isinstance(started, str) else run.started
    policy, train = run.config.get("policy"), run.config.get("train")
    run.policy = policy_name(policy) if isinstance(policy, dict) else None
    seed = train.get("seed") if isinstance(train, dict) else None
    run.seed = seed if isinstance(seed, int) else None


def _read_end(run: Run, problems: list[str]) -> None:
    """Reads the result; without one, reads the progress from the log."""
    running = is_locked(run.path)  # tested first: a run that ends writes its result and then releases the lock
    if (run.path / "result.json").exists():
        result = _read_json(run.path / "result.json", problems)
        run.state = result["outcome"] if result.get("outcome") in _ENDS else "damaged"
        run.score = Score.from_dict(result.get("score"))
        if run.state == "failed":
            run.problem = str(result.get("error", "no reason given"))
    elif running:
        result, run.state = {}, "running"
    else:
        result = {}
    if not isinstance(result.get("seconds"), (int, float)):
        result = _progress(run.path / "metrics.jsonl", problems)
    run.steps, run.seconds = _number(result.get("steps")), _number(result.get("seconds"))
    run.steps_per_second = _number(result.get("steps_per_second"))


def _progress(log: Path, problems: list[str]) -> dict[str, Any]:
    """Steps, seconds and speed at the last line of a log; seconds are those of collecting and learning."""
    if not log.is_file():
        return {}
    try:
        line = last_line(log) or {}
    except OSError as error:
        problems.append(str(error))
        return {}
    steps, seconds = _number(line.get("steps")), _number(line.get("time_s"))
    return {"steps": steps, "seconds": seconds, "steps_per_second": steps / seconds if steps and seconds else None}


def _read_json(path: Path, problems: list[str]) -> dict[str, Any]:
    try:
        values = json.loads(path.read_bytes())
        if isinstance(values, dict):
            return values
        problems.append(f"{path} does not hold a JSON object")
    except OSError as error:
        problems.append(f"cannot read {path}: {error.strerror}")
    except ValueError as error:
        problems.append(f"{path} is not valid JSON: {error}")
    return {}


def _number(value: Any) -> Any:
    return value if isinstance(value, (int, float)) and math.isfinite(value) and not isinstance(value, bool) else None


def list_runs(runs: Path, game: str | None = None) -> list[Run]:
    """The runs in a folder, groups of seeds resolved, oldest first; of one game only if `game` is given."""
    paths = [member for path in sorted(runs.iterdir()) if is_run(path) for member in members(path)]
    found = [read_run(path) for path in paths]
    return sorted((run for run in found if game in (None, run.game)), key=lambda run: (run.started or "")[:19])


# ---- printing --------------------------------------------------------------------------------------------


def score_text(score: Score | None) -> str:
    """A score in a table: with its interval from an evaluation, marked by "~" from training."""
    if score is None:
        return "-"
    if score.source == "training":
        return f"~{score.value:.2f}"
    return f"{score.value:.2f}" + (f" +- {score.ci95:.2f}" if score.ci95 is not None else "")


def row(run: Run) -> list[str]:
    """The cells of one run, in the order of HEAD."""
    return [
        (run.started or "-")[:16].replace("T", " "),
        run.game or "-",
        run.policy or "-",
        "-" if run.seed is None else str(run.seed),
        "-" if run.steps is None else count(run.steps),
        "-" if run.seconds is None else f"{run.seconds:.1f}s" if run.seconds < 60 else duration(run.seconds),
        "-" if run.steps_per_second is None else count(run.steps_per_second),
        score_text(run.best),
        run.state,
        run.name,
    ]


HEAD = ["started", "game", "policy", "seed", "steps", "time", "steps/s", "best score", "state", "run"]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with columns as wide as their contents, two spaces apart."""
    widths = [max(len(cells[i]) for cells in (head, *rows)) for i in range(len(head))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) for cells in (head, *rows))
    return "\n".join(line.rstrip() for line in lines)
