"""Run directories: their names, files, locks and checkpoints. Needs no torch.

    runs/breakout-20260131-120000/
        config.toml      the configuration with every "auto" resolved; feeds --config
        machine.json     versions and machine, and when it was started
        metrics.jsonl    one line per update
        checkpoints/     see checkpoint.py
        result.json      how it ended; absent while it runs or after a kill
        lock             held by the process that trains the run
        tensorboard/, trackio.json, wandb/, wandb.json    with these loggers
        film.mp4, .gif or .png    shown by `pufferc view`, if the user records one here

A group of seeds is a directory runs/breakout-20260131-120000-seeds/ with runs seed-1/, seed-2/ ... and group.json.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pufferc.config import Config, ConfigError, to_toml
from pufferc.runs.scores import Score

CHECKPOINT_PREFIX = "step_"
GROUP_SUFFIX = "-seeds"
_LOCK_TRIES, _LOCK_WAIT_S = 20, 0.05  # `pufferc runs` holds the lock briefly to test it


def make_directory(runs: Path, game: str, suffix: str = "") -> Path:
    """Makes a new directory runs/<game>-<time>; ConfigError if that fails."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for attempt in range(1000):
        run = runs / f"{game}-{stamp}{f'-{attempt:03d}' if attempt else ''}{suffix}"
        try:
            run.mkdir(parents=True)
            return run
        except FileExistsError:
            continue
        except OSError as error:
            raise ConfigError(f"runs: cannot make {run}: {error.strerror}") from None
    raise ConfigError(f"runs: no free name for a run in {runs}")


def write_start(run: Path, config: Config, facts: dict[str, Any]) -> None:
    """Writes config.toml and machine.json of a new run."""
    write_config(run, config)
    write_json(run / "machine.json", {**facts, "started": time.strftime("%Y-%m-%dT%H:%M:%S%z")})


def write_config(run: Path, config: Config) -> None:
    """Writes config.toml."""
    (run / "config.toml").write_text(to_toml(config), encoding="utf-8")


def write_json(path: Path, values: Any) -> None:
    """Writes a file atomically: a process that is killed leaves the old file or the new one. OSError names the file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        temporary.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise OSError(error.errno, f"cannot write {path}: {error.strerror}") from None


@contextlib.contextmanager
def locked(run: Path) -> Iterator[None]:
    """Holds a run's lock; ConfigError if another process trains it. Does nothing on file systems without locks."""
    with (run / "lock").open("a+", encoding="utf-8") as file:
        for attempt in range(_LOCK_TRIES):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if attempt == _LOCK_TRIES - 1:
                    file.seek(0)
                    raise ConfigError(f"run: {run} is being trained by {file.read().strip()}") from None
                time.sleep(_LOCK_WAIT_S)
            except OSError:
                break
        file.truncate(0)
        file.write(f"process {os.getpid()} on {platform.node()}\n")
        file.flush()
        yield


def is_locked(run: Path) -> bool:
    """Whether a process trains this run now."""
    try:
        with (run / "lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def members(path: Path) -> list[Path]:
    """The runs of a group by seed; [path] if it is not a group."""
    if not path.name.endswith(GROUP_SUFFIX):
        return [path]
    found = [run for run in path.glob("seed-*") if run.is_dir() and run.name[5:].isdigit()]
    return sorted(found, key=lambda run: int(run.name[5:]))


def policy_name(table: Mapping[str, Any]) -> str:
    """A short name for the [policy] table of a configuration: "mlp 128", "mingru 64 x 2", or the user's class."""
    own = table.get("class") or table.get("class_")  # its names in TOML and in Python
    if own:
        return str(own).rpartition(":")[2]
    layers = table.get("num_layers", 1)
    return f"{table.get('kind', 'mlp')} {table.get('hidden_size', '?')}{f' x {layers}' if layers != 1 else ''}"


# ---- checkpoints -----------------------------------------------------------------------------------------


def list_checkpoints(run: Path) -> list[Path]:
    """Complete checkpoints of a run, oldest first."""
    found = (run / "checkpoints").glob(f"{CHECKPOINT_PREFIX}*")
    return sorted(path for path in found if (path / "checkpoint.json").is_file())


def checkpoint_score(checkpoint: Path) -> Score | None:
    """The score that a checkpoint was saved with; None without one, or if it cannot be read."""
    try:
        meta = json.loads((checkpoint / "checkpoint.json").read_bytes())
    except (OSError, ValueError):
        return None
    return Score.from_dict(meta.get("score")) if isinstance(meta, dict) else None


def best_checkpoint(run: Path) -> tuple[Path, Score] | None:
    """The checkpoint with the highest score, the newest of equals; None without scores."""
    found: tuple[Path, Score] | None = None
    for path in list_checkpoints(run):
        score = checkpoint_score(path)
        if score is not None and (found is None or score.value >= found[1].value):
            found = (path, score)
    return found
