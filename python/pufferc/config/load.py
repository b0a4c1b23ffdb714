"""Reads, merges and writes configurations. Everything is checked before a run starts.

Layers, later ones win: the defaults of schema.py, the game's TOML in games/, a file given with --config, flags. All
sources have the same tables: [env] (the game's parameters), [vec], [policy], [train].
"""

from __future__ import annotations

import dataclasses
import glob
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pufferc.config.schema import SECTIONS, Config, ConfigError, Value
from pufferc.envs.games import EnvInfo, env_info

# Part of Python from 3.11 on; before that, its origin.
tomllib: Any = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")


def _packaged_stem(info: EnvInfo) -> Path:
    """Where a game's packaged files are, without their ends: in games/, or beside mygame.so for one's own game."""
    return Path(info.path).with_suffix("") if info.path else Path(__file__).parent / "games" / info.name


def packaged_config(info: EnvInfo) -> Path | None:
    """The TOML file that comes with a game: in games/ for built-in ones, mygame.toml beside mygame.so for others."""
    stem = _packaged_stem(info)
    path = stem.with_name(f"{stem.name}.toml")
    return path if path.is_file() else None


def packaged_variants(info: EnvInfo) -> dict[str, Path]:
    """The TOML files of a game's variants by their names: GAME-NAME.toml beside that of the game itself."""
    stem = _packaged_stem(info)
    found = sorted(stem.parent.glob(f"{glob.escape(stem.name)}-*.toml"))
    return {path.stem.removeprefix(f"{stem.name}-"): path for path in found}


def load_config(game: str | os.PathLike[str], path: Path | str | None = None) -> Config:
    """The configuration of a game: defaults, its packaged TOML if there is one, then the file at `path` if given.

    Where there is no such file, `path` may be the name of a variant that comes with the game, such as "continuous".

    Raises ConfigError for unknown tables, fields and values that do not fit, ValueError for an unknown game.
    """
    config, info = Config(os.fspath(game)), env_info(game)
    for source in (packaged_config(info), None if path is None else _find_config(info, path)):
        if source is not None:
            config = merge(config, _with_absolute_data(read_toml(source), Path(source)), str(source))
    return config


def _with_absolute_data(tables: dict[str, Any], source: Path) -> dict[str, Any]:
    """The tables of a file, with the path in [vec] data seen from the file's folder, or from here if it is a pipe."""
    vec = tables.get("vec")
    if not isinstance(vec, dict) or not isinstance(vec.get("data"), str):
        return tables
    folder = source.absolute().parent if source.is_file() else Path.cwd()
    return {**tables, "vec": {**vec, "data": str(folder / Path(vec["data"]).expanduser())}}


def _find_config(info: EnvInfo, path: Path | str) -> Path:
    """The file at `path`, or that of the variant of this name."""
    variants = packaged_variants(info)
    if Path(path).exists() or (str(path) not in variants and len(Path(path).parts) > 1):
        return Path(path)
    if str(path) not in variants:
        known = ", ".join(variants) or "none"
        raise ConfigError(
            f"config: cannot read {str(path)!r}: there is no such file, and no variant of {info.name} of this name; "
            f"its variants: {known}"
        )
    return variants[str(path)]


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file; ConfigError if it cannot be read or parsed."""
    try:
        tables: dict[str, Any] = tomllib.loads(path.read_bytes().decode())
        return tables
    except OSError as error:
        raise ConfigError(f"config: cannot read {path}: {error.strerror}") from None
    except ValueError as error:  # of TOML and of UTF-8
        raise ConfigError(f"config: {path} is not valid TOML: {error}") from None


def merge(config: Config, tables: Mapping[str, Any], source: str = "config") -> Config:
    """`config` with the fields of `tables` replaced; `source` is named in errors."""
    tables = dict(tables)
    name = env_info(config.game).name
    game = tables.pop("game", name)
    if game != name:
        raise ConfigError(f"{source}: this is a configuration of {game!r}, expected one of {name!r}")
    changes: dict[str, Any] = {}
    for name, table in tables.items():
        if name not in ("env", *SECTIONS):
            raise ConfigError(f"{source}: unknown table [{name}]{suggest(name, ['env', *SECTIONS])}")
        if not isinstance(table, Mapping):
            raise ConfigError(f"{source}: [{name}] must be a table, got {table!r}")
        if name == "env":
            changes["env"] = {**config.env, **_checked_env(config.game, table, source)}
        else:
            changes[name] = _merge_section(getattr(config, name), name, table, source)
    return dataclasses.replace(config, **changes)


def _merge_section(section: Any, name: str, table: Mapping[str, Any], source: str) -> Any:
    hints = get_type_hints(type(section))
    fields = {hint.rstrip("_"): hint for hint in hints}  # "class" is no name in Python
    values = {}
    for key, value in table.items():
        if key not in fields:
            raise ConfigError(f"{source}: unknown field {name}.{key}{suggest(key, list(fields))}")
        values[fields[key]] = _fit(value, hints[fields[key]], f"{source}: {name}.{key}")
    return dataclasses.replace(section, **values)


def field_type(config: Config, key: str, source: str = "config") -> Any:
    """The type of one field such as "train.horizon" or "env.max_steps". ConfigError for one that there is not."""
    section, _, name = key.partition(".")
    if section not in ("env", *SECTIONS):
        raise ConfigError(f"{source}: unknown table [{section}]{suggest(section, ['env', *SECTIONS])}")
    if section == "env":
        kinds: dict[str, Any] = {"int": int, "float": float, "bool": bool}
        hints = {row.name: kinds[row.type] for row in env_info(config.game).params}
    else:
        hints = {field.rstrip("_"): hint for field, hint in get_type_hints(SECTIONS[section]).items()}
    if name not in hints:
        raise ConfigError(f"{source}: unknown field {key}{suggest(name, list(hints))}")
    return hints[name]


def _checked_env(game: str, table: Mapping[str, Any], source: str) -> dict[str, Value]:
    params = {row.name: row for row in env_info(game).params}
    values: dict[str, Value] = {}
    for key, value in table.items():
        if key not in params:
            raise ConfigError(f"{source}: unknown parameter env.{key} of {game}{suggest(key, list(params))}")
        row = params[key]
        value = _fit(value, {"int": int, "float": float, "bool": bool}[row.type], f"{source}: env.{key}")
        if not row.min <= value <= row.max:
            raise ConfigError(f"{source}: env.{key} must be in [{row.min}, {row.max}], got {value!r}")
        values[key] = value
    return values


def suggest(name: str, known: Sequence[str]) -> str:
    """The end of an error message: the known name nearest to a wrong one, or all of them."""
    close = get_close_matches(name, known, 1)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(sorted(known))}"


def _fit(value: Any, hint: Any, where: str) -> Any:
    """`value` as the type `hint`; integers pass for floats, and whole floats such as 1e7 for integers."""
    options = list(get_args(hint)) if get_origin(hint) not in (None, Literal, tuple) else [hint]
    for option in options:
        if get_origin(option) is Literal:
            if value in get_args(option):
                return value
        elif get_origin(option) is tuple:
            if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
                return tuple(value)
        elif option is type(None):
            if value is None:
                return None
        elif option is float and isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
        elif option is int and isinstance(value, float) and value.is_integer():
            return int(value)
        elif isinstance(value, option) and not (option is int and isinstance(value, bool)):
            return value
    names = " or ".join(
        " or ".join(map(repr, get_args(o)))
        if get_origin(o) is Literal
        else "a list of strings"
        if get_origin(o) is tuple
        else getattr(o, "__name__", str(o))
        for o in options
        if o is not type(None)
    )
    raise ConfigError(f"{where} must be {names}, got {value!r}")


def as_tables(config: Config) -> dict[str, dict[str, Any]]:
    """The configuration as nested dictionaries of plain values, None left out."""
    tables: dict[str, dict[str, Any]] = {"env": dict(config.env)}
    for name in SECTIONS:
        fields = dataclasses.asdict(getattr(config, name))
        tables[name] = {key.rstrip("_"): value for key, value in fields.items() if value is not None}
    return tables


def to_toml(config: Config) -> str:
    """The configuration as TOML that `load_config(game, path)` reads back."""

    def literal(value: Any) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, tuple):
            return "[" + ", ".join(map(literal, value)) + "]"
        if isinstance(value, str):
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return repr(value)

    def lines() -> Iterator[str]:
        yield f"game = {literal(env_info(config.game).name)}"
        for name, table in as_tables(config).items():
            yield f"\n[{name}]"
            yield from (f"{key} = {literal(value)}" for key, value in table.items())

    return "\n".join(lines()) + "\n"
