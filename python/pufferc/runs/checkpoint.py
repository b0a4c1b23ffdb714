"""Checkpoints: one directory each, written atomically even if the process is killed.

    <run>/checkpoints/step_000012345678/
        policy.safetensors    parameters and buffers of the network, enough to play
        trainer.safetensors   optimizer, random state, pool snapshot (uint8) and other state for resuming
        checkpoint.json       format, game and version, counters, configuration, and the files' hashes

A checkpoint is written under a temporary name. Its files and then the directory are synced, the directory is renamed,
and its parent is synced. A directory with a final name is therefore complete, and `latest` is the highest step.
Directories with other names are left over from a killed process; the next save removes them.

`best` is the checkpoint with the highest score. Each checkpoint stores its own score (see scores.py), from its
evaluation or else from the last training episodes, so a kill cannot make two files inconsistent.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from pufferc.envs.games import EnvInfo, Game, env_info
from pufferc.runs.directory import CHECKPOINT_PREFIX as _PREFIX
from pufferc.runs.directory import GROUP_SUFFIX, best_checkpoint, members
from pufferc.runs.directory import list_checkpoints as list_checkpoints

FORMAT = 1
_TEMPORARY = ".writing_"
_REMOVED = ".removing_"
_FILES = ("policy.safetensors", "trainer.safetensors")


class CheckpointError(ValueError):
    """A checkpoint is missing, damaged or from another game. The message names it and the reason."""


@dataclass(frozen=True)
class Checkpoint:
    """A loaded checkpoint. `meta` is the content of checkpoint.json.

    `game` is the caller's name or path of the game. The path in a checkpoint is never loaded, because a shared object
    is code that the user did not choose.
    """

    path: Path
    policy: dict[str, Tensor]
    trainer: dict[str, Tensor]
    meta: dict[str, Any]
    game: str | None = None


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def save_checkpoint(
    directory: Path, step: int, policy: Mapping[str, Tensor], trainer: Mapping[str, Tensor], meta: Mapping[str, Any]
) -> Path:
    """Writes directory/step_<step> atomically. An existing checkpoint of that step is identical and kept.

    `meta` must be serialisable as JSON. Raises OSError if writing fails; older checkpoints are not changed.
    """
    try:
        return _save_checkpoint(directory, step, policy, trainer, meta)
    except OSError as error:
        kept = "; earlier checkpoints of this run are untouched" if list_checkpoints(directory.parent) else ""
        raise OSError(error.errno, f"checkpoint: cannot write to {directory}: {error.strerror}{kept}") from None


def _save_checkpoint(
    directory: Path, step: int, policy: Mapping[str, Tensor], trainer: Mapping[str, Tensor], meta: Mapping[str, Any]
) -> Path:
    final = directory / f"{_PREFIX}{step:012d}"
    directory.mkdir(parents=True, exist_ok=True)
    for left_over in (*directory.glob(f"{_TEMPORARY}*"), *directory.glob(f"{_REMOVED}*")):
        shutil.rmtree(left_over, ignore_errors=True)
    if final.exists():
        return final
    temporary = directory / f"{_TEMPORARY}{step:012d}"
    temporary.mkdir()
    hashes = {}
    for name, tensors in zip(_FILES, (policy, trainer), strict=True):
        data = save({key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()})
        _write_synced(temporary / name, data)
        hashes[name] = hashlib.sha256(data).hexdigest()
    document = {"format": FORMAT, "step": step, "sha256": hashes, **meta}
    _write_synced(temporary / "checkpoint.json", (json.dumps(document, indent=1) + "\n").encode())
    _sync_directory(temporary)
    temporary.rename(final)
    _sync_directory(directory)
    return final


def load_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint directory; CheckpointError if it is missing or damaged."""
    meta_path = path / "checkpoint.json"
    if not meta_path.is_file():
        raise CheckpointError(f"checkpoint: {path} is not a checkpoint directory (it has no checkpoint.json)")
    loaded: list[dict[str, Tensor]] = []
    try:
        meta = json.loads(meta_path.read_bytes())
        if meta["format"] != FORMAT:
            raise CheckpointError(f"checkpoint: {path} has format {meta['format']}, expected {FORMAT}")
        for name in _FILES:
            data = (path / name).read_bytes()
            if hashlib.sha256(data).hexdigest() != meta["sha256"][name]:
                raise CheckpointError(f"checkpoint: {path / name} is damaged: its hash does not match")
            loaded.append(load(data))
    except CheckpointError:
        raise
    except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
        raise CheckpointError(f"checkpoint: {path} cannot be read: {error}") from None
    return Checkpoint(path, loaded[0], loaded[1], meta)


_FIELDS: dict[str, type | tuple[type, ...]] = {
    "game": str,
    "version": int,
    "update": int,
    "seconds": (int, float),
    "wall_seconds": (int, float),
    "config": dict,
    "precision": str,
}


def load_run_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint of a training run; CheckpointError if it is missing, damaged or of another kind."""
    checkpoint = load_checkpoint(path)
    for name, kind in _FIELDS.items():
        if not isinstance(checkpoint.meta.get(name), kind):
            raise CheckpointError(f"checkpoint: {path / 'checkpoint.json'} has no valid {name!r}; it is damaged")
    if checkpoint.meta["precision"] not in ("float32", "bfloat16"):
        raise CheckpointError(f"checkpoint: {path} has the unknown precision {checkpoint.meta['precision']!r}")
    origin = checkpoint.meta.get("module", {"path": "", "sha256": ""})
    if not isinstance(origin, dict) or not all(isinstance(origin.get(key), str) for key in ("path", "sha256")):
        raise CheckpointError(f"checkpoint: {path / 'checkpoint.json'} has no valid 'module'; it is damaged")
    return checkpoint


def load_game_checkpoint(path: Path, game: Game) -> Checkpoint:
    """Reads a checkpoint of a training run; CheckpointError if it is damaged or of another game."""
    return of_game(load_run_checkpoint(path), game)


@contextlib.contextmanager
def fitting(checkpoint: Checkpoint) -> Iterator[None]:
    """Turns errors about missing or mismatched tensors into CheckpointError while a checkpoint is applied."""
    try:
        yield
    except CheckpointError:
        raise
    except KeyError as error:
        raise CheckpointError(
            f"checkpoint: {checkpoint.path} has no {error}; it is damaged or from another run"
        ) from None
    except (RuntimeError, TypeError, ValueError, OverflowError) as error:
        raise CheckpointError(f"checkpoint: {checkpoint.path} does not fit: {error}") from None


def of_game(checkpoint: Checkpoint, game: Game) -> Checkpoint:
    """The checkpoint for use with `game`. CheckpointError if it is from another game."""
    info = env_info(game)
    game_name = checkpoint.meta.get("game")
    if game_name != info.name:
        raise CheckpointError(f"checkpoint: {checkpoint.path} is of {game_name}, not of {info.name}")
    return replace(checkpoint, game=info.path or info.name)


def game_of(checkpoint: Checkpoint) -> str:
    """The game of a checkpoint. CheckpointError for a loaded game whose path the caller did not give."""
    origin = checkpoint.meta.get("module")
    if checkpoint.game is None and origin is not None:
        raise CheckpointError(
            f"checkpoint: {checkpoint.path} is of {checkpoint.meta['game']}, a game that was loaded from "
            f"{origin['path']}; give the path of its shared object"
        )
    return checkpoint.game or str(checkpoint.meta["game"])


def module_of(info: EnvInfo) -> dict[str, Any]:
    """The entry of a checkpoint about a game's shared object, see `same_module`; empty for a built-in game."""
    return {"module": {"path": info.path, "sha256": info.sha256}} if info.path else {}


def same_module(checkpoint: Checkpoint, info: EnvInfo) -> bool:
    """Whether the game's shared object is the checkpoint's; True for built-in games."""
    origin = checkpoint.meta.get("module")
    return origin is None or origin["sha256"] == info.sha256


def games_key(rank: int, world: int, name: str) -> str:
    """Name in a checkpoint of a tensor of one process's games; `world` is the number of processes."""
    return name if world == 1 else f"rank{rank}.{name}"


def own_games(tensors: Mapping[str, Tensor], rank: int, world: int) -> dict[str, Tensor]:
    """The tensors of one process's games, by their own names, among all of a checkpoint's `trainer`."""
    prefix = games_key(rank, world, "")
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def prune_checkpoints(run: Path, keep: int) -> None:
    """Removes all but the newest `keep` checkpoints and the best one; `keep` 0 keeps all."""
    found = list_checkpoints(run)
    if keep < 1 or len(found) <= keep:
        return
    best = best_checkpoint(run)
    for path in found[:-keep]:
        if best is None or path != best[0]:
            removed = path.with_name(f"{_REMOVED}{path.name}")  # a partly removed checkpoint must not keep its name
            try:
                path.rename(removed)
            except OSError:
                continue  # the next save tries again
            shutil.rmtree(removed, ignore_errors=True)


def latest_run(runs: Path, game: Game) -> Path:
    """The newest run of a game that has a checkpoint; CheckpointError without one."""
    info = env_info(game)
    candidates = sorted(runs.glob(f"{info.name}-*"), reverse=True) if runs.is_dir() else []
    for run in (member for path in candidates for member in reversed(members(path))):
        if list_checkpoints(run):
            return run
    train = f"pufferc train {info.path or info.name}"
    raise CheckpointError(f"checkpoint: no run of {info.name} with a checkpoint in {runs}; make one: {train}")


def find_checkpoint(name: str, runs: Path, game: Game) -> Path:
    """The checkpoint that `name` selects.

    "latest" or "best": of the newest run of the game, or of all runs of the newest group of seeds. A directory of a
    run: its newest; the directory followed by /latest or /best: that of this run or group. Or a checkpoint's directory.
    """
    path, which = Path(name), "latest"
    if path.name in ("latest", "best") and not path.exists():
        which, path = path.name, path.parent
    if name in ("latest", "best"):
        path = latest_run(runs, game)
        if which == "best" and path.parent.name.endswith(GROUP_SUFFIX):
            path = path.parent
    elif (path / "checkpoint.json").is_file():
        return path
    found = [run for run in members(path) if list_checkpoints(run)]
    if not found:
        raise CheckpointError(f"checkpoint: {path} is neither a checkpoint nor a run that has one")
    if which == "latest":
        return list_checkpoints(found[-1])[-1]
    scored = [best for best in map(best_checkpoint, found) if best is not None]
    if not scored:
        raise CheckpointError(f"checkpoint: no checkpoint of {path} has a score: no episode had finished; use latest")
    return max(scored, key=lambda pair: pair[1].value)[0]
