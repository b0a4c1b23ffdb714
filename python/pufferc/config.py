"""Configuration of a training run: typed, frozen, and checked before anything starts.

Layers, later ones win: the defaults below, the game's TOML in configs/, a file given with --config, flags. All
sources have the same tables: [env] (the game's parameters), [vec], [policy], [train]. Sizes may be "auto"; `resolve` of
sizes.py turns them into numbers.

Words: a row is one agent, N = vec.num_envs rows; a batch is what one update learns from, N x train.horizon steps; a
step is one decision of one agent.
"""

from __future__ import annotations

import dataclasses
import glob
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pufferc._files import read_short
from pufferc.registration import EnvInfo, env_info

# Part of Python from 3.11 on; before that, its origin.
tomllib: Any = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")

Auto = Literal["auto"]
Value = int | float | bool


class ConfigError(ValueError):
    """A configuration that cannot work; the message names the field, what was expected and what came."""


@dataclass(frozen=True)
class VecConfig:
    """The pool: how many games run side by side, and what they read."""

    num_envs: int | Auto = "auto"
    """Agent rows N; a multiple of the agents of one game. auto: about 1024."""
    num_threads: int | Auto = "auto"
    """Threads that step games, and of the kernels. auto: the cores available."""
    data: str | None = None
    """The file that the game reads, such as a map. In a TOML file its path counts from that file's folder."""


@dataclass(frozen=True)
class PolicyConfig:
    """The network."""

    kind: Literal["mlp", "mingru", "lstm"] = "mlp"
    """mlp has no memory; mingru and lstm have one layer of it after the hidden layers. mingru is the faster."""
    class_: str | None = None
    """A network of your own instead, as module:Class; modules are also found in the current directory."""
    encoder: Literal["auto", "flat", "onehot", "conv"] = "auto"
    """What the first layer sees. flat: the numbers; onehot: for codes in bytes, a weight for each code of each cell;
    conv: convolutions over boards [height, width] of codes. auto: onehot for codes below 32, else flat."""
    hidden_size: int = 128
    """Width of each hidden layer."""
    num_layers: int = 1
    """Hidden layers."""
    scaled_inputs: tuple[str, ...] = ()
    """Entries of the game's observation table that are mapped from their range to plus or minus input_scale."""
    input_scale: float = 1.0
    """See scaled_inputs. Larger values make a finer control of these quantities quicker to learn."""
    rest_scale: float = 1.0
    """All other entries are multiplied by this. Less than 1 keeps many flags from drowning a few measures."""
    squash: bool = False
    """Continuous actions: the game gets tanh of what is drawn, within its bounds, instead of it clamped to them."""
    initial_log_std: float = 0.0
    """Continuous actions: logarithm of the standard deviation that a new network draws with."""


@dataclass(frozen=True)
class TrainConfig:
    """How it learns."""

    total_steps: int = 10_000_000
    """Agent steps of the whole run; the learning rate anneals over them."""
    horizon: int = 64
    """Steps of each row per update."""
    minibatch_size: int | Auto = "auto"
    """Steps per gradient; divides num_envs * horizon. auto: the largest divisor up to 8192."""
    epochs: int = 2
    """Passes over each batch."""
    optimizer: Literal["muon", "adam"] = "muon"
    """Muon orthogonalises the updates of weight matrices."""
    learning_rate: float = 0.05
    """Peak rate. Around 0.05 for muon, 0.002 for adam."""
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    """From the peak rate at the start to final_learning_rate at total_steps."""
    final_learning_rate: float = 0.0
    """As a share of learning_rate, [0, 1]."""
    momentum: float = 0.9
    """Of muon; beta1 of adam. [0, 1)"""
    beta2: float = 0.999
    """Of adam, [0, 1)."""
    weight_decay: float = 0.0
    """Decoupled: each step shrinks weights by learning_rate * weight_decay. Muon decays matrices only."""
    max_grad_norm: float = 0.0
    """Joint norm that gradients are scaled down to; 0 = off."""
    gamma: float = 0.99
    """Discount per step, [0, 1]."""
    gae_lambda: float = 0.95
    """Of generalised advantage estimation, [0, 1]."""
    clip: float = 0.2
    """Of the probability ratio, > 0."""
    value_coef: float = 0.5
    """Weight of the value loss."""
    value_clip: float = 0.0
    """Farthest that values move from those of the rollout before their loss is clipped; 0 = off."""
    entropy_coef: float = 0.01
    """Weight of the entropy bonus."""
    reward_clamp: float = 0.0
    """Rewards are clamped to plus or minus this for learning; 0 = off. Scores are never clamped."""
    normalize_observations: bool = False
    """Each entry to mean 0 and standard deviation 1, by running statistics; times input_scale or rest_scale."""
    normalize_rewards: bool = False
    """Rewards are divided by the running standard deviation of the discounted return, before any clamp."""
    normalize_advantages: bool = True
    """Per minibatch, to mean 0 and standard deviation 1."""
    target_score: float | None = None
    """End the run when the mean score of a separate evaluation reaches this."""
    target_episodes: int = 1000
    """Episodes of that evaluation."""
    seed: int = 1
    """Of weights, games, action draws and minibatch order."""
    device: str = "auto"
    """auto: cuda where there is one, else cpu; or any name that torch knows."""
    threads: int | Auto = "auto"
    """Threads of torch. auto: the cores available."""
    kernels: Literal["auto", "fused", "torch"] = "auto"
    """Sampling and loss: fused C kernels (CPU), or their plain torch twins. auto: fused on the CPU."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the hidden layers. auto: bfloat16 on a CPU that has instructions for it, else float32."""
    checkpoint_interval_s: float = 60.0
    """Seconds between checkpoints; one is always made at the end. 0 = after every update."""
    keep_checkpoints: int = 5
    """Newest checkpoints that are kept, the best one besides; 0 = all."""
    evaluation_interval_s: float = 0.0
    """Seconds between separate evaluations of target_episodes episodes, one at the end besides; 0 = none but those that
    may reach the target."""
    loggers: tuple[str, ...] = ()
    """Where a run is recorded besides its own directory: tensorboard, wandb."""


@dataclass(frozen=True)
class Config:
    """Everything that decides a run.

    `game` is a name, or the path of a shared object; files hold the name alone. `env` holds the game's parameters that
    differ from their defaults.
    """

    game: str
    env: Mapping[str, Value] = field(default_factory=dict)
    vec: VecConfig = field(default_factory=VecConfig)
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


_SECTIONS: dict[str, type] = {"vec": VecConfig, "policy": PolicyConfig, "train": TrainConfig}


# ---- reading and writing -----------------------------------------------------------------------------


def _packaged_stem(info: EnvInfo) -> Path:
    """Where a game's packaged files are, without their ends: in configs/, or beside mygame.so for one's own game."""
    return Path(info.path).with_suffix("") if info.path else Path(__file__).parent / "configs" / info.name


def packaged_config(info: EnvInfo) -> Path | None:
    """The TOML file that comes with a game: in configs/ for built-in ones, mygame.toml beside mygame.so for others."""
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
            config = merge(config, _with_absolute_data(read_toml(source, pipes=True), Path(source)), str(source))
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


def read_toml(path: Path, *, pipes: bool = False) -> dict[str, Any]:
    """The tables of a TOML file; ConfigError if it cannot be read or parsed. `pipes`: the file may be a pipe."""
    try:
        tables: dict[str, Any] = tomllib.loads(read_short(path, pipes=pipes).decode())
        return tables
    except OSError as error:
        raise ConfigError(f"config: cannot read {path}: {error.strerror}") from None
    except RecursionError:
        raise ConfigError(f"config: {path} is not valid TOML: it is nested too deeply") from None
    except ValueError as error:  # of TOML, of UTF-8, and of numbers that are too long
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
        if name not in ("env", *_SECTIONS):
            raise ConfigError(f"{source}: unknown table [{name}]{suggest(name, ['env', *_SECTIONS])}")
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
    if section not in ("env", *_SECTIONS):
        raise ConfigError(f"{source}: unknown table [{section}]{suggest(section, ['env', *_SECTIONS])}")
    if section == "env":
        kinds: dict[str, Any] = {"int": int, "float": float, "bool": bool}
        hints = {row.name: kinds[row.type] for row in env_info(config.game).params}
    else:
        hints = {field.rstrip("_"): hint for field, hint in get_type_hints(_SECTIONS[section]).items()}
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
    for name in _SECTIONS:
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
