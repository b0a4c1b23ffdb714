"""`pufferc.train` and `pufferc.evaluate`: what `pufferc train` and `pufferc eval` do, from Python.

Everything but the arguments' types is imported when one of them is called, because `import pufferc` needs no torch.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pufferc.envs.games import Game
    from pufferc.training.evaluate import Evaluation
    from pufferc.training.loop import Result

__all__ = ["evaluate", "train"]


def train(
    game: str | os.PathLike[str],
    *,
    params: Mapping[str, Any] | None = None,
    config: str | os.PathLike[str] | None = None,
    runs: str | os.PathLike[str] = "runs",
    resume: str | os.PathLike[str] | None = None,
    weights: str | os.PathLike[str] | None = None,
    trust: bool = False,
    quiet: bool = False,
    **settings: Any,
) -> Result:
    """Trains a policy, as `pufferc train` does, with the game's own configuration. Needs pufferc[train].

        result = pufferc.train("cartpole", seed=1, total_steps=500_000)
        print(result.score, result.run)

    Args:
        game: A name of `list_envs()`, or the path of a shared object.
        params: Parameters of the game that differ from their defaults.
        config: A TOML file over the game's own configuration, or a variant's name such as "continuous".
        runs: The folder for the run's directory.
        resume: Continue this run: "latest", a run's directory or a checkpoint's. Few settings may change then.
        weights: Start from these weights, named as for `resume`, or "best".
        trust: With `resume`: import the custom network that the checkpoint names.
        quiet: Print no progress lines. They go to stderr, in a notebook to the cell's output.
        **settings: The settings of docs/settings.md by their last name: seed, total_steps, num_envs, hidden_size, ...
            train.device is device, vec.device is vec_device.

    Returns:
        How the run ended: run (its directory), outcome ("complete", "target" or "interrupted"), steps, seconds, score,
        best_checkpoint and others. Ctrl-C, once, ends a run with a checkpoint and outcome "interrupted".

    Raises:
        ImportError: A package of pufferc[train] is missing.
        TypeError: An unknown setting.
        ValueError: An invalid value; ConfigError and CheckpointError are ValueErrors. Nothing was started.
        ArithmeticError: The game or the training gave a number that is not finite; the last checkpoint remains.
    """
    with _Extra("train"):
        from pufferc.config import ConfigError, load_config, merge
        from pufferc.training.run import train as run
    tables = _tables(settings)
    if params is not None:
        tables["env"] = dict(params)
    if resume is None:
        made = merge(load_config(game, None if config is None else os.fspath(config)), tables, "train")
        start = None if weights is None else _checkpoint(weights, runs, game)
        return run(made, runs=Path(runs), weights=start, quiet=quiet)
    if config is not None or weights is not None:
        name = "config" if weights is None else "weights"
        raise ConfigError(f"{name}: is for a new run; resume continues a run with its own settings and weights")
    start = _checkpoint(resume, runs, game, trust)
    changes = {f"{section}.{name}": value for section, table in tables.items() for name, value in table.items()}
    return run(resume=start, changes=changes, quiet=quiet, game=os.fspath(game))


def evaluate(
    game: str | os.PathLike[str],
    checkpoint: str | os.PathLike[str] = "latest",
    *,
    episodes: int = 1000,
    seed: int = 0,
    greedy: bool = False,
    params: Mapping[str, Any] | None = None,
    data: str | os.PathLike[str] | None = None,
    device: str | None = None,
    runs: str | os.PathLike[str] = "runs",
    record: str | os.PathLike[str] | None = None,
    record_steps: int = 600,
    trust: bool = False,
) -> Evaluation:
    """Plays a trained policy, as `pufferc eval` does. Needs pufferc[train].

        found = pufferc.evaluate("cartpole", result.run, episodes=100, record="cartpole.gif")
        print(found.score, found.ci95)

    Args:
        game: A name of `list_envs()`, or the path of a shared object.
        checkpoint: "latest", "best", a run's directory (or RUN/best), or a checkpoint's.
        episodes: At least this many are counted, the same number from every row.
        seed: Seed of games and action draws.
        greedy: Take the most probable action instead of a drawn one.
        params: Game parameters that differ from those of training.
        data: The file that the game reads, in place of that of training.
        device: A torch device; default: as trained.
        runs: The folder that "latest" and "best" look in.
        record: Also record one game to this .gif, .mp4 or .png. Needs pufferc[render].
        record_steps: Steps to record, at most.
        trust: Import the custom network that the checkpoint names, which runs the code of its module.

    Returns:
        The means over the counted episodes: score, ci95 (half width of its 95 % interval), episode_length, metrics and
        others.

    Raises:
        ImportError: A package of pufferc[train] is missing.
        ValueError: An invalid value; CheckpointError, which is a ValueError: no such checkpoint, or a damaged one.
        OSError: `record` cannot be written.
    """
    with _Extra("evaluate"):
        from pufferc.runs.checkpoint import load_game_checkpoint
        from pufferc.training.evaluate import EvaluationSettings
        from pufferc.training.from_checkpoint import play_checkpoint
        from pufferc.watch.players import CheckpointAgent
        from pufferc.watch.recording import check_recording
        from pufferc.watch.recording import record as film
    path = _checkpoint(checkpoint, runs, game, trust)
    agent: CheckpointAgent | None = None
    if record is not None:
        agent = CheckpointAgent(path, greedy=greedy, seed=seed, game=game, params=params, data=data)
        check_recording(record, game, agent.params, data=agent.data, max_steps=record_steps)
    settings = EvaluationSettings(episodes, seed, greedy)
    found = play_checkpoint(load_game_checkpoint(path, game), settings, device=device, params=params, data=data)
    if record is not None and agent is not None:
        film(record, game, agent=agent, params=agent.params, data=agent.data, max_steps=record_steps, seed=seed)
    return found


class _Extra:
    """Turns the error about a missing package into one that says how to install it."""

    def __init__(self, function: str) -> None:
        self.function = function

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: Any) -> None:
        if isinstance(error, ModuleNotFoundError) and not (error.name or "").startswith("pufferc"):
            text = f"pufferc.{self.function} needs {error.name}; install it with: pip install 'pufferc[train]'"
            raise ModuleNotFoundError(text, name=error.name) from None


def _checkpoint(name: str | os.PathLike[str], runs: str | os.PathLike[str], game: Game, trust: bool = False) -> Path:
    from pufferc.policies.saved import import_class
    from pufferc.runs.checkpoint import find_checkpoint, load_run_checkpoint

    path = find_checkpoint(os.fspath(name), Path(runs), game)
    if trust:
        import_class(load_run_checkpoint(path))
    return path


def _tables(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The settings by section. TypeError for an unknown one."""
    from pufferc.config import SETTING_OF

    tables: dict[str, dict[str, Any]] = {}
    for name, value in settings.items():
        if name.rstrip("_") not in SETTING_OF:
            close = get_close_matches(name, SETTING_OF, 1)
            hint = f"; did you mean {close[0]!r}?" if close else "; docs/settings.md lists all settings"
            raise TypeError(f"train() got an unexpected keyword argument {name!r}{hint}")
        section, field = SETTING_OF[name.rstrip("_")]
        tables.setdefault(section, {})[field] = value
    return tables
