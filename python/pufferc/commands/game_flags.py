"""Flags of commands that play one game: its name, its parameters as --env.NAME VALUE, and its file as --data PATH.

The flags look like those of `pufferc train`, which has another parser.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from pufferc.envs.games import env_info, list_envs

_PREFIX = "env."


ANY_GAME = "NAME"  # stands for the game in the help of all games


def split_game(command: str, words: Sequence[str]) -> tuple[str, list[str]]:
    """The game's name, which is the first word, and the other words. ValueError if it is missing or unknown.

    For --help without a game the name is ANY_GAME, and --help is the only word.
    """
    if words and words[0] in ("-h", "--help"):
        return ANY_GAME, ["--help"]
    if not words or words[0].startswith("-"):
        raise ValueError(
            f"pufferc {command} needs the name of a game first, one of: {games_text()}; or a path such as ./mygame.so"
        )
    env_info(words[0])
    return words[0], list(words[1:])


def games_text() -> str:
    """The names of the built-in games."""
    return ", ".join(list_envs())


def add_game_flags(parser: argparse.ArgumentParser, game: str) -> None:
    """Adds --data and one flag for each parameter of the game. A flag that is not given has no value."""
    parser.add_argument("--data", metavar="PATH", help="the file that the game reads, such as a map")
    if game == ANY_GAME:
        text = f"`{parser.prog} --help` with one of the games {games_text()} lists them as --env.NAME VALUE"
        parser.add_argument_group("parameters of the game", text)
        return
    group = parser.add_argument_group("parameters of the game")
    for row in env_info(game).params:
        flags = [f"--{_PREFIX}{row.name.replace('_', '-')}"]
        flags += [f"--{_PREFIX}{row.name}"] if "_" in row.name else []
        text = f"{row.help} [{row.min}, {row.max}]".replace("%", "%%")
        options: dict[str, Any] = {"dest": _PREFIX + row.name, "default": argparse.SUPPRESS}
        if row.type != "bool":
            kind = int if row.type == "int" else float
            group.add_argument(*flags, type=kind, metavar=row.type.upper(), help=text, **options)
            continue
        group.add_argument(*flags, action="store_true", help=text, **options)
        opposite = [flag.replace(_PREFIX, f"{_PREFIX}no-", 1) for flag in flags]
        group.add_argument(*opposite, action="store_false", help=argparse.SUPPRESS, **options)


def read_game_flags(options: argparse.Namespace) -> dict[str, Any]:
    """The given parameters by name."""
    return {name.removeprefix(_PREFIX): value for name, value in vars(options).items() if name.startswith(_PREFIX)}
