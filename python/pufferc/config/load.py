"""Reads, merges and writes configurations, and validates them before a run starts.

Layers, later ones win: the defaults of schema.py, the game's TOML in games/, a file given with --config, flags. All
sources have the same tables: [env] (the game's parameters), [vec], [policy], [train], [selfplay].
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
from typing import Any

from pufferc.config.schema import SECTIONS, Config, ConfigError, Value, fit, parameters
from pufferc.envs.games import EnvInfo, env_info, param_name

# tomllib is in the standard library since Python 3.11; tomli is its backport.
tomllib: Any = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
_ENV_TYPES: dict[str, type] = {"int": int, "float": float, "bool": bool}


def _packaged_stem(info: EnvInfo) -> Path:
    """Path of a game's packaged files without suffix: in games/, or beside mygame.so for a loaded game."""
    return Path(info.path).with_suffix("") if info.path else Path(__file__).parent / "games" / info.name


def packaged_config(info: EnvInfo) -> Path | None:
    """The TOML file of a game: in games/ for built-in games, mygame.toml beside mygame.so for loaded ones."""
    stem = _packaged_stem(info)
    path = stem.with_name(f"{stem.name}.toml")
    return path if path.is_file() else None


def packaged_variants(info: EnvInfo) -> dict[str, Path]:
    """The TOML files of a game's variants by name: GAME-NAME.toml beside the game's own file."""
    stem = _packaged_stem(info)
    found = sorted(stem.parent.glob(f"{glob.escape(stem.name)}-*.toml"))
    return {path.stem.removeprefix(f"{stem.name}-"): path for path in found}


def load_config(game: str | os.PathLike[str], path: Path | str | None = None) -> Config:
    """The configuration of a game: defaults, its packaged TOML if there is one, then the file at `path` if given.

    If there is no such file, `path` may name a variant of the game, such as "continuous".

    Raises ConfigError for unknown tables, unknown fields and invalid values, and ValueError for an unknown game.
    """
    config, info = Config(os.fspath(game)), env_info(game)
    for source in (packaged_config(info), None if path is None else _find_config(info, path)):
        if source is not None:
            config = merge(config, _with_absolute_data(read_toml(source), Path(source)), str(source))
    return config


def _with_absolute_data(tables: dict[str, Any], source: Path) -> dict[str, Any]:
    """The tables of a file. [vec] data is relative to the file's folder, or to the current one for a pipe."""
    vec = tables.get("vec")
    if not isinstance(vec, dict) or not isinstance(vec.get("data"), str):
        return tables
    folder = source.absolute().parent if source.is_file() else Path.cwd()
    return {**tables, "vec": {**vec, "data": str(folder / Path(vec["data"]).expanduser())}}


def _find_config(info: EnvInfo, path: Path | str) -> Path:
    """The file at `path`, or the file of the variant with this name."""
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
    except ValueError as error:  # TOML and UTF-8 errors
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
    fields = {row.name: row.field for row in parameters(type(section))}
    for key in table:
        if key not in fields:
            raise ConfigError(f"{source}: unknown field {name}.{key}{suggest(key, list(fields))}")
    try:
        return dataclasses.replace(section, **{fields[key]: value for key, value in table.items()})
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from None


def field_type(config: Config, key: str, source: str = "config") -> Any:
    """The type of one field such as "train.horizon" or "env.max_steps". ConfigError for an unknown field."""
    section, _, name = key.partition(".")
    if section == "env":
        kinds: dict[str, Any] = {row.name: _ENV_TYPES[row.type] for row in env_info(config.game).params}
    elif section in SECTIONS:
        kinds = {row.name: row.type for row in parameters(SECTIONS[section])}
    else:
        raise ConfigError(f"{source}: unknown table [{section}]{suggest(section, ['env', *SECTIONS])}")
    name = param_name(config.game, name) if section == "env" else name
    if name not in kinds:
        raise ConfigError(f"{source}: unknown field {key}{suggest(name, list(kinds))}")
    return kinds[name]


def setting(config: Config, key: str) -> Any:
    """The value of one field such as "train.horizon" or "env.max_steps". ConfigError for an unknown field."""
    field_type(config, key)
    section, _, name = key.partition(".")
    if section == "env":
        return config.env.get(name, next(row.default for row in env_info(config.game).params if row.name == name))
    return getattr(getattr(config, section), {row.name: row.field for row in parameters(SECTIONS[section])}[name])


def _checked_env(game: str, table: Mapping[str, Any], source: str) -> dict[str, Value]:
    params = {row.name: row for row in env_info(game).params}
    values: dict[str, Value] = {}
    for given, value in table.items():
        key = param_name(game, given)
        if key not in params:
            raise ConfigError(f"{source}: unknown parameter env.{key} of {game}{suggest(key, list(params))}")
        row = params[key]
        value = fit(value, _ENV_TYPES[row.type], f"{source}: env.{key}")
        if not row.min <= value <= row.max:
            raise ConfigError(f"{source}: env.{key} must be in [{row.min}, {row.max}], got {value!r}")
        values[key] = value
    return values


def suggest(name: str, known: Sequence[str]) -> str:
    """The end of an error message: the known name closest to `name`, or all known names."""
    close = get_close_matches(name, known, 1)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(sorted(known))}"


def as_tables(config: Config) -> dict[str, dict[str, Any]]:
    """The configuration as nested dictionaries of plain values, without None."""
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
