"""The flags of `pufferc train` and `pufferc sweep`, made from the configuration's fields and the game's parameters."""

from __future__ import annotations

import argparse
import dataclasses
import os
from pathlib import Path
from typing import Annotated, Any

import tyro

from pufferc.config import PolicyConfig, TrainConfig, VecConfig, load_config, merge
from pufferc.envs.games import env_info


def _split_config(words: list[str]) -> tuple[str | None, list[str]]:
    """--config FILE is read before the other flags, since it sets their defaults."""
    kept, path, i = [], None, 0
    while i < len(words):
        if words[i] == "--config" and i + 1 < len(words):
            path, i = words[i + 1], i + 2
        elif words[i].startswith("--config="):
            path, i = words[i].partition("=")[2], i + 1
        else:
            kept.append(words[i])
            i += 1
    return path, kept


def parse_train(game: str, words: list[str], command: str = "train") -> Any:
    """Flags of `pufferc train GAME` as an object with config, runs, resume, weights, quiet and json.

    The flags --env.* are made from the game's own parameter table.
    """
    path, words = _split_config(words)
    config = load_config(game, path)
    kinds: dict[str, type] = {"int": int, "float": float, "bool": bool}
    env_fields = [
        (
            row.name,
            Annotated[kinds[row.type], tyro.conf.arg(help=f"{row.help} [{row.min}, {row.max}]")],
            dataclasses.field(default=config.env.get(row.name, row.default)),
        )
        for row in env_info(game).params
    ]
    env_type = dataclasses.make_dataclass("Env", env_fields, frozen=True)

    # A field of Python cannot be called "class", a flag can.
    own = Annotated[str | None, tyro.conf.arg(name="class", help="A network of your own, as module:Class.")]
    policy_type = dataclasses.make_dataclass("Policy", [("class_", own)], bases=(PolicyConfig,), frozen=True)
    data = Annotated[str | None, tyro.conf.arg(aliases=["--data"], help="The file that the game reads, such as a map.")]
    vec_type = dataclasses.make_dataclass("Vec", [("data", data)], bases=(VecConfig,), frozen=True)

    def flag(kind: Any, text: str, default: Any, name: str | None = None) -> tuple[Any, Any]:
        return Annotated[kind, tyro.conf.arg(help=text, name=name)], dataclasses.field(default=default)

    fields: list[tuple[str, Any, Any]] = [
        ("env", Annotated[env_type, tyro.conf.arg(help="")], dataclasses.field(default_factory=env_type)),
        ("vec", vec_type, dataclasses.field(default=vec_type(**vars(config.vec)))),
        ("policy", policy_type, dataclasses.field(default=policy_type(**vars(config.policy)))),
        ("train", TrainConfig, dataclasses.field(default=config.train)),
        (
            "config",
            *flag(str | None, "TOML file over the game's own configuration, or a variant's name: continuous.", path),
        ),
        ("runs", *flag(Path, "Folder for the run's directory.", Path("runs"))),
        (
            "resume",
            *flag(str | None, "Go on with: latest, a run, or a checkpoint. Its own configuration counts.", None),
        ),
        ("weights", *flag(str | None, "Start from the weights of: latest, best, a run, or a checkpoint.", None)),
        (
            "seeds",
            *flag(str | None, "Several seeds instead of one, a run each: 1,2,3 or 1-5.", None, name="train.seeds"),
        ),
        ("parallel", *flag(int, "Runs at once with train.seeds; they share the cores.", 1)),
        ("quiet", *flag(bool, "No progress lines.", False)),
        ("dashboard", *flag(bool, "A dashboard instead of progress lines, where the terminal can show one.", True)),
        ("json", *flag(bool, "Print the result as JSON.", False)),
    ]
    arguments = dataclasses.make_dataclass("Arguments", fields, frozen=True)
    parsed: Any = tyro.cli(
        arguments, prog=f"pufferc {command} {game}", description=f"Train a policy for {game}.", args=words
    )
    chosen = dataclasses.asdict(parsed.env)
    defaults = {row.name: row.default for row in env_info(game).params}
    tables = {"env": {key: value for key, value in chosen.items() if value != defaults[key] or key in config.env}}
    vec = VecConfig(**vars(parsed.vec))
    if vec.data is not None:
        vec = dataclasses.replace(vec, data=os.path.abspath(os.path.expanduser(vec.data)))
    final = dataclasses.replace(
        merge(config, tables, "flags"), vec=vec, policy=PolicyConfig(**vars(parsed.policy)), train=parsed.train
    )
    return argparse.Namespace(
        config=final,
        runs=parsed.runs,
        resume=parsed.resume,
        weights=parsed.weights,
        seeds=parsed.seeds,
        parallel=parsed.parallel,
        quiet=parsed.quiet,
        dashboard=parsed.dashboard,
        json=parsed.json,
    )
