"""Games, built in or in shared objects: names, parameters, tables and Gymnasium ids.

Functions that take a game take its name, the path of a shared object ("./mygame.so" or a Path; see game_library.py), or
an EnvInfo. The file is read again at each use of its path; an EnvInfo refers to the code that was loaded when it was
made.
"""

from __future__ import annotations

import keyword
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from pufferc import _core
from pufferc.envs import game_library
from pufferc.envs.game_library import LoadedModule, ModuleError
from pufferc.errors import unknown

__all__ = [
    "EnvInfo",
    "Game",
    "KeyInfo",
    "ObsInfo",
    "ParamInfo",
    "agents_per_game",
    "env_info",
    "list_envs",
    "register_gymnasium",
]

_NAMESPACE = "pufferc/"  # of Gymnasium ids

# The mean return at which a game counts as solved, where return and score are the same: the game's target_score.
_REWARD_THRESHOLDS = {
    "breakout": 821.0, "cartpole": 475.0, "lander": 200.0, "pong": 18.0, "squared": 0.99, "tmaze": 0.98,
}  # fmt: skip

# Arguments of pufferc.make. A game's parameters are keywords of the same call, so they need other names.
MAKE_ARGUMENTS = {"name", "num_envs", "num_games", "num_threads", "seed", "groups", "copy", "autoreset", "params"}
MAKE_ARGUMENTS |= {"render_mode", "render_games", "game_numbers", "data", "device"}


@dataclass(frozen=True)
class ParamInfo:
    """One parameter of a game. `default`, `min` and `max` have the parameter's own Python type."""

    name: str
    type: Literal["int", "float", "bool"]
    default: int | float | bool
    min: int | float | bool
    max: int | float | bool
    help: str


@dataclass(frozen=True)
class ObsInfo:
    """`count` consecutive values of an observation, all in [low, high].

    count 0 in the last row of `EnvInfo.observation` means all remaining values. The other members are 0 for plain
    numbers. each > 0: the row lists count / each entities of that many values; the first value of an absent entity is
    0. num_codes > 0: the values are codes 0 to num_codes - 1. plane_height, plane_width > 0: the row holds planes of a
    board of that size, row by row.
    """

    name: str
    count: int
    low: float
    high: float
    help: str
    each: int = 0
    num_codes: int = 0
    plane_height: int = 0
    plane_width: int = 0


@dataclass(frozen=True)
class KeyInfo:
    """Key bindings for play by hand.

    In a discrete game the keys make `choice` in dimension `dim`; in a continuous game each key adds `push` to control
    number `control` while it is down.
    """

    keys: tuple[str, ...]
    help: str
    dim: int
    choice: int
    control: int
    push: float


@dataclass(frozen=True)
class EnvInfo:
    """A game as its source describes it.

    Attributes:
        id: The Gymnasium id. A loaded game must be registered first, see `register_gymnasium`.
        agents: Rows of one game with default parameters. `masked` and `teams` are for default parameters too.
        max_games: Limit of games in all pools of a process together; None = no limit.
        can_save: False for games that own something outside their state: `VecEnv.save`, `load` and `set_state`
            refuse them.
        observation: The observation table with default parameters; `VecEnv.observation_rows` is that of a pool.
        masked: Some choices are sometimes illegal.
        teams: Number of teams; 0 = no teams.
        levels: Levels of the built-in player, see `VecEnv.script`; 0 = no such player.
        reads_data: `make` takes data=PATH.
        fields: Names of the state members that `VecEnv.state` reads.
        fps: Steps per second for display, divided by the parameter frames_per_step if there is one.
        keys: Key bindings; empty = digits, or the arrow keys in a continuous game.
        idle: The choice without a key: a number, "keep" the last one, or "alternate" 0 and 1.
        path, sha256: File of a loaded game and its hash; None for built-in games.
    """

    name: str
    id: str
    title: str
    summary: str
    version: int
    agents: int
    max_games: int | None
    can_save: bool
    params: tuple[ParamInfo, ...]
    observation: tuple[ObsInfo, ...]
    metrics: tuple[str, ...]
    masked: bool
    teams: int
    levels: int
    reads_data: bool
    fields: tuple[str, ...]
    fps: float
    keys: tuple[KeyInfo, ...]
    idle: int | Literal["keep", "alternate"]
    path: str | None = None
    sha256: str | None = None

    _loaded: ClassVar[LoadedModule | None] = None  # the code of a loaded game; set for each such object

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled by name or path. ValueError when it is loaded again if the file at the path has changed."""
        return _same_info, (self.path or self.name, self.sha256)

    def __deepcopy__(self, memo: dict[int, Any]) -> EnvInfo:
        return self  # it never changes

    @property
    def engine(self) -> str | _core.Module:
        """The game for functions of `pufferc._core`."""
        return self.name if self._loaded is None else self._loaded.module


Game = str | os.PathLike[str] | EnvInfo


def _shortest(value: float) -> float:
    """The number with the fewest digits that rounds to the same float32, the type of parameters in games."""
    return float(str(np.float32(value)))


def param_value(kind: str, value: float) -> int | float | bool:
    """Converts the engine's value of a parameter to the Python type of its kind."""
    convert: dict[str, Callable[[float], int | float | bool]] = {"int": int, "float": _shortest, "bool": bool}
    return convert[kind](value)


def _param_info(row: dict[str, Any]) -> ParamInfo:
    values = {key: param_value(row["type"], row[key]) for key in ("default", "min", "max")}
    return ParamInfo(name=row["name"], type=row["type"], help=row["help"], **values)


def obs_info(row: dict[str, Any]) -> ObsInfo:
    """A row of an observation table, as the engine describes it."""
    return ObsInfo(**{**row, "low": _shortest(row["low"]), "high": _shortest(row["high"])})


def _key_info(key: dict[str, Any]) -> KeyInfo:
    return KeyInfo(**{**key, "keys": tuple(key["keys"].split()), "push": _shortest(key["push"])})


_IDLE: dict[int, Literal["keep", "alternate"]] = {_core.IDLE_KEEP: "keep", _core.IDLE_ALTERNATE: "alternate"}


def _make_info(entry: dict[str, Any], engine: str | _core.Module, **origin: str) -> EnvInfo:
    layout = _core.game_layout(engine, {})
    return EnvInfo(
        name=entry["name"],
        id=f"{_NAMESPACE}{entry['title']}-v{entry['version']}",
        title=entry["title"],
        summary=entry["summary"],
        version=entry["version"],
        agents=layout["agents"],
        masked=layout["masked"],
        teams=layout["teams"],
        max_games=entry["max_games"],
        can_save=entry["can_save"],
        params=tuple(_param_info(row) for row in entry["params"]),
        observation=tuple(obs_info(row) for row in entry["observation"]),
        metrics=tuple(entry["metrics"]),
        levels=entry["levels"],
        reads_data=entry["reads_data"],
        fields=tuple(entry["fields"]),
        fps=_shortest(entry["fps"]),
        keys=tuple(_key_info(key) for key in entry["keys"]),
        idle=_IDLE.get(entry["idle"], entry["idle"]),
        **origin,
    )


@lru_cache(maxsize=1)
def _all_envs() -> dict[str, EnvInfo]:
    return {entry["name"]: _make_info(entry, entry["name"]) for entry in _core.env_descriptions()}


def _module_info(loaded: LoadedModule) -> EnvInfo:
    """Made once for each module. Raises ModuleError if sizes are inconsistent or a name cannot be used."""
    if isinstance(loaded.info, EnvInfo):
        return loaded.info
    try:
        info = _make_info(loaded.module.description(), loaded.module, path=str(loaded.path), sha256=loaded.sha256)
    except (ValueError, MemoryError) as error:
        raise ModuleError(f"{loaded.path}: {error}") from None
    for row in info.params:
        if row.name in MAKE_ARGUMENTS or keyword.iskeyword(row.name):
            owner = "Python" if keyword.iskeyword(row.name) else "pufferc.make"
            raise ModuleError(f"{loaded.path}: rename the parameter {row.name}, because {owner} uses that name")
    object.__setattr__(info, "_loaded", loaded)
    loaded.info = info
    return info


def list_envs() -> list[str]:
    """Names of the built-in games, in ascending order."""
    return list(_all_envs())


def env_info(game: Game) -> EnvInfo:
    """Description of one game.

    Args:
        game: Name or Gymnasium id of a built-in game; path of a shared object, whose code is run; or an EnvInfo, which
            is returned.

    Raises:
        ValueError: Unknown name, with the nearest one suggested; or ModuleError, a file that cannot be loaded.
    """
    if isinstance(game, EnvInfo):
        return game
    if not isinstance(game, (str, os.PathLike)):
        raise TypeError(f"name must be a string or the path of a shared object, got {type(game).__name__}")
    if _is_id(game):
        info, params = find_game(game)
        for name, value in params.items():
            raise ValueError(
                f"{game} is {info.name} with {name}={value}; give the name {info.name!r} and {name}={value}"
            )
        return info
    if game_library.is_path(game):
        return _module_info(game_library.load(game))
    envs = _all_envs()
    if game not in envs:
        if Path(f"{game}.so").is_file():
            raise ValueError(f"no built-in game named {str(game)!r}; use './{game}.so' for the one in this folder")
        if game in _core.games_left_out():
            raise ValueError(f"this build does not have {game}: {_core.games_left_out()[str(game)]}")
        unknown("game", str(game), list(envs))
    return envs[str(game)]


def param_name(game: Game, name: str) -> str:
    """The current name of a game's parameter. `name` may be a former one, as in old files; an unknown name is kept."""
    return _core.param_name(env_info(game).engine, name) or name


def check_keywords(function: str, game: Game, given: Iterable[str], own: Iterable[str]) -> None:
    """TypeError, in Python's words, for a keyword that is neither a parameter of the game nor among `own`."""
    params = [row.name for row in env_info(game).params]
    for name in given:
        if name in params:
            continue
        current = param_name(game, name)  # another name if the parameter was renamed
        near = [current] if current in params else get_close_matches(name, [*params, *own], n=1)
        hint = f". Did you mean {near[0]!r}?" if near else ""
        raise TypeError(f"{function}() got an unexpected keyword argument {name!r}{hint}")


def _same_info(game: str, sha256: str | None) -> EnvInfo:
    """The description that was pickled. ValueError if the file of a loaded game is another one now."""
    info = env_info(game)
    if info.sha256 != sha256:
        raise ValueError(f"{game}: the file has changed since it was pickled")
    return info


def _is_id(game: Game) -> bool:
    """Whether `game` is a Gymnasium id such as pufferc/Breakout-v1, and not a path."""
    return isinstance(game, str) and re.fullmatch(f"(pufferc:)?{_NAMESPACE}.*-v[0-9]+", game) is not None


def find_game(game: Game) -> tuple[EnvInfo, Mapping[str, bool]]:
    """A game and the parameters that its name stands for: those of an id such as pufferc/CartPoleContinuous-v1.

    Raises like `env_info`.
    """
    if not _is_id(game):
        return env_info(game), {}
    game = str(game).removeprefix("pufferc:")
    ids = {variant.id: variant for info in _all_envs().values() for variant in _variants(info)}
    if game not in ids:
        unknown("game", game, sorted(ids))
    return ids[game].info, ids[game].params


@dataclass(frozen=True)
class _Variant:
    """A Gymnasium id and what it stands for."""

    id: str
    info: EnvInfo
    params: Mapping[str, bool]


def _variants(info: EnvInfo) -> list[_Variant]:
    """The game's own id, and that of its continuous variant if it has one beside discrete actions."""
    found = [_Variant(info.id, info, {})]
    if any(row.name == "continuous" and row.type == "bool" and not row.default for row in info.params):
        name = f"{_NAMESPACE}{info.title}Continuous-v{info.version}"
        found.append(_Variant(name, info, {"continuous": True}))
    return found


def game_layout(game: Game, params: Mapping[str, float]) -> dict[str, Any]:
    """Sizes and tables of a game with these parameters. Raises ValueError for parameters that do not fit."""
    return _core.game_layout(env_info(game).engine, {name: float(value) for name, value in params.items()})


def agents_per_game(game: Game, params: Mapping[str, float]) -> int:
    """Rows of one game with these parameters. Raises like `game_layout`."""
    return int(game_layout(game, params)["agents"])


def action_text(game: Game, params: Mapping[str, float]) -> str:
    """A description of the actions: "choices of 3, 34" or "2 controls". Raises like `game_layout`."""
    layout = game_layout(game, params)
    if layout["continuous_dims"]:
        return f"{layout['continuous_dims']} controls"
    return f"choices of {', '.join(map(str, layout['action_counts']))}"


def pool_limit(game: Game) -> int | None:
    """Limit of games in a pool that leaves room for a second pool, for evaluation during training. None = no limit."""
    limit = env_info(game).max_games
    return None if limit is None else max(1, limit // 2)


def register_gymnasium(*games: Game) -> None:
    """Register games as pufferc/Title-vN for `gymnasium.make` and `gymnasium.make_vec`.

    A game with a parameter `continuous` that is off by default also gets pufferc/TitleContinuous-vN. Without arguments
    it registers the built-in games, as `import pufferc` does. ValueError if a game has the id of a built-in game.
    """
    import gymnasium

    built_in = {variant.id for info in _all_envs().values() for variant in _variants(info)}
    for variant in (variant for game in games or _all_envs() for variant in _variants(env_info(game))):
        info = variant.info
        if variant.id in gymnasium.registry:
            if info.path is None:
                continue
            if variant.id in built_in:
                raise ValueError(f"{info.path}: its id {variant.id} belongs to a built-in game; change its .title")
            del gymnasium.registry[variant.id]
        limit = next((int(row.default) for row in info.params if row.name == "max_steps"), 0)
        gymnasium.register(
            id=variant.id,
            entry_point="pufferc.envs.single:SingleEnv",
            vector_entry_point="pufferc.envs.single:make_gymnasium_vector",
            max_episode_steps=limit or None,
            reward_threshold=_REWARD_THRESHOLDS.get(info.name) if info.path is None else None,
            kwargs={"name": info.path or info.name, **variant.params},
        )
