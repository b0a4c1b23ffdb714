"""The flags of `pufferc train` and `pufferc sweep`, made from the configuration's fields and the game's parameters."""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
import shutil
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import tyro

from pufferc.commands.game_flags import ANY_GAME, games_text
from pufferc.config import Config, load_config, merge, setting
from pufferc.config.schema import SECTIONS, Section, parameters
from pufferc.envs.games import env_info

_MIN_COLUMNS = 40


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


def _whole_numbers(words: list[str]) -> list[str]:
    """Values of the flags --SECTION.NAME that are written as 1e6, 1M or 20k, as digits."""
    found, sections = list(words), tuple(f"--{name}." for name in ("env", *SECTIONS))
    for i, word in enumerate(words):
        flag, equals, value = word.partition("=")
        if flag.startswith(sections) and equals:
            found[i] = f"{flag}={_digits(value)}"
        elif i and words[i - 1].startswith(sections) and "=" not in words[i - 1]:
            found[i] = _digits(word)
    return found


def _digits(word: str) -> str:
    match = re.fullmatch(r"(\d[\d_]*(?:\.\d+)?(?:[eE]\+?\d+)?)([kKMG]?)", word)
    if match is None or match[0].isdecimal():
        return word
    number = Decimal(match[1]) * {"": 1, "K": 1000, "M": 10**6, "G": 10**9}[match[2].upper()]
    return str(int(number)) if number == int(number) and (match[2] or "e" in word.lower()) else word


def _section_flags(section: Section) -> tuple[Any, Any]:
    """Type and default of the flags of one section, made from its table."""
    fields = []
    for row in parameters(type(section)):
        limits = f" {row.limits[:1].upper()}{row.limits[1:]}." if row.limits else ""
        options = tyro.conf.arg(
            name=row.name if row.name != row.field else None,
            help=row.help + limits,
            aliases=[row.alias] if row.alias else None,
        )
        default = dataclasses.field(default=getattr(section, row.field))
        fields.append((row.field, Annotated[row.type, options], default))
    named = {"__doc__": type(section).__doc__}
    kind = dataclasses.make_dataclass(type(section).__name__, fields, frozen=True, namespace=named)
    return kind, dataclasses.field(default=kind())


def parse_train(game: str, words: list[str], command: str = "train") -> Any:
    """Flags of `pufferc train GAME` as an object with config, given, runs, resume, weights, quiet and others.

    `given` has the settings that flags set, such as {"train.horizon": 64}.

    The flags --env.* are made from the game's own parameter table. ANY_GAME has none, and the defaults of any game.
    """
    path, words = _split_config(words)
    words = _whole_numbers(words)
    if {"-h", "--help"} & set(words) and shutil.get_terminal_size().columns < _MIN_COLUMNS:
        os.environ["COLUMNS"] = str(_MIN_COLUMNS)  # on a narrower terminal the help would never end
    config = Config(game) if game == ANY_GAME else load_config(game, path)
    table = () if game == ANY_GAME else env_info(game).params
    kinds: dict[str, type] = {"int": int, "float": float, "bool": bool}
    env_fields = [
        (
            row.name,
            Annotated[kinds[row.type], tyro.conf.arg(help=f"{row.help} [{row.min}, {row.max}]")],
            dataclasses.field(default=config.env.get(row.name, row.default)),
        )
        for row in table
    ]
    env_type = dataclasses.make_dataclass("Env", env_fields, frozen=True)

    def flag(kind: Any, text: str, default: Any, name: str | None = None) -> tuple[Any, Any]:
        return Annotated[kind, tyro.conf.arg(help=text, name=name)], dataclasses.field(default=default)

    fields: list[tuple[str, Any, Any]] = [
        *(
            [("env", Annotated[env_type, tyro.conf.arg(help="")], dataclasses.field(default_factory=env_type))]
            if table
            else []
        ),
        *((name, *_section_flags(getattr(config, name))) for name in SECTIONS),
        (
            "config",
            *flag(str | None, "TOML file over the game's own configuration, or a variant's name: continuous.", path),
        ),
        ("runs", *flag(Path, "Folder for the run's directory.", Path("runs"))),
        (
            "resume",
            *flag(
                str | None,
                "Continue: latest, a run, or a checkpoint, with its settings; some may change.",
                None,
            ),
        ),
        ("weights", *flag(str | None, "Start from the weights of: latest, best, a run, or a checkpoint.", None)),
        (
            "seeds",
            *flag(str | None, "Several seeds instead of one, a run each: 1,2,3 or 1-5.", None, name="train.seeds"),
        ),
        ("parallel", *flag(int, "Runs at once with train.seeds; they share the cores.", 1)),
        *(
            [("view", *flag(bool, "Show the runs in a browser while training; see pufferc view.", False))]
            if command == "train"
            else []
        ),
        ("quiet", *flag(bool, "No progress lines.", False)),
        ("dashboard", *flag(bool, "A dashboard instead of progress lines, where the terminal can show one.", True)),
        ("trust", *flag(bool, "With --resume: import the custom network that the checkpoint names.", False)),
        ("json", *flag(bool, "Print the result as JSON.", False)),
    ]
    arguments = dataclasses.make_dataclass("Arguments", fields, frozen=True)
    about = f"Train a policy for {game}."
    if game == ANY_GAME:
        about = (
            f"Train a policy. The games: {games_text()}; or a path such as ./mygame.so. Defaults are those of a game "
            f"without a configuration of its own; pufferc {command} GAME --help lists its defaults and its parameters."
        )
    given = _given(words, [row.name for row in table])
    parsed: Any = tyro.cli(arguments, prog=f"pufferc {command} {game}", description=about, args=words)
    chosen = dataclasses.asdict(parsed.env) if table else {}
    defaults = {row.name: row.default for row in table}
    tables = {"env": {key: value for key, value in chosen.items() if value != defaults[key] or key in config.env}}
    sections: dict[str, Any] = {name: kind(**vars(getattr(parsed, name))) for name, kind in SECTIONS.items()}
    if (data := sections["vec"].data) is not None:
        sections["vec"] = dataclasses.replace(sections["vec"], data=os.path.abspath(os.path.expanduser(data)))
    final = dataclasses.replace(merge(config, tables, "flags"), **sections)
    others = {name: value for name, value in vars(parsed).items() if name not in ("env", *SECTIONS)}
    set_by_flags = {key: setting(final, key) for key in given}
    return argparse.Namespace(**{**others, "config": final, "config_file": path, "given": set_by_flags})


def _given(words: list[str], env: Iterable[str]) -> set[str]:
    """The settings whose flags are among the words, such as "train.horizon"."""
    names = {f"env.{name}": f"env.{name}" for name in env}
    for kind in SECTIONS.values():
        for row in parameters(kind):
            names |= {key: f"{row.section}.{row.name}" for key in (f"{row.section}.{row.name}", row.alias[2:]) if key}
    flags = {word.partition("=")[0][2:].replace("-", "_").replace(".no_", ".", 1) for word in words if word[:2] == "--"}
    return {names[flag] for flag in flags & names.keys()}
