"""The games that are built in: what they are called, their parameters and tables, and their Gymnasium ids."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from pufferc import _core
from pufferc._errors import unknown

__all__ = ["EnvInfo", "ObsInfo", "ParamInfo", "env_info", "list_envs", "register_gymnasium"]


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
    """`count` consecutive values of a game's observation, all in [low, high]; count 0 = all that remain."""

    name: str
    count: int
    low: float
    high: float
    help: str


@dataclass(frozen=True)
class EnvInfo:
    """A built-in game as its source describes it.

    `agents` is the number of rows of one game with default parameters. `id` is the Gymnasium id. `max_games` is how
    many games all pools of a process can have together, None = no limit. `can_save` is False for games that own
    something outside their state: `VecEnv.save` and `load` refuse them.
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


def _param_info(row: dict[str, Any]) -> ParamInfo:
    convert = {"int": int, "float": float, "bool": bool}[row["type"]]
    values = {key: convert(row[key]) for key in ("default", "min", "max")}
    return ParamInfo(name=row["name"], type=row["type"], help=row["help"], **values)


@lru_cache(maxsize=1)
def _all_envs() -> dict[str, EnvInfo]:
    envs = {}
    for entry in _core.env_descriptions():
        envs[entry["name"]] = EnvInfo(
            name=entry["name"],
            id=f"pufferc/{entry['title']}-v{entry['version']}",
            title=entry["title"],
            summary=entry["summary"],
            version=entry["version"],
            agents=_core.agents_per_game(entry["name"], {}),
            max_games=entry["max_games"],
            can_save=entry["can_save"],
            params=tuple(_param_info(row) for row in entry["params"]),
            observation=tuple(ObsInfo(**row) for row in entry["observation"]),
            metrics=tuple(entry["metrics"]),
        )
    return envs


def list_envs() -> list[str]:
    """Names of the built-in games, in ascending order: what `pufferc.make` takes."""
    return list(_all_envs())


def env_info(name: str) -> EnvInfo:
    """Description of one game. Raises ValueError for an unknown name, with the nearest one suggested."""
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, got {type(name).__name__}")
    envs = _all_envs()
    if name not in envs:
        unknown("game", name, list(envs))
    return envs[name]


def pool_limit(name: str) -> int | None:
    """Most games of a pool that leaves room for another one beside it: evaluation beside training. None = no limit."""
    most = env_info(name).max_games
    return None if most is None else max(1, most // 2)


def register_gymnasium() -> None:
    """Register every game as pufferc/Title-vN for `gymnasium.make` and `gymnasium.make_vec`.

    Done once by `import pufferc`. Games with several agents have the vector face only.
    """
    import gymnasium

    for info in _all_envs().values():
        if info.id in gymnasium.registry:
            continue
        gymnasium.register(
            id=info.id,
            entry_point="pufferc.single:SingleEnv" if info.agents == 1 else None,
            vector_entry_point="pufferc.vector:make_gymnasium_vector",
            kwargs={"name": info.name},
        )
