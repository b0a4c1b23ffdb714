"""The opponents that a configuration names, checked against its game. Needs no torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pufferc.config import Config, ConfigError
from pufferc.envs.games import env_info
from pufferc.envs.spaces import game_spaces

SELF, POOL, SCRIPT, _SCRIPTS = "self", "pool", "script:", "scripts"
_OPPONENTS, _LADDER, _TARGET = "selfplay.opponents", "selfplay.ladder", "train.target_score"


@dataclass(frozen=True)
class Sides:
    """Who plays the other sides.

    Attributes:
        mirror: Share of games in which the learner plays all sides.
        pool: Earlier copies of the learner play.
        levels: Levels of the game's script that play.
    """

    mirror: float
    pool: bool
    levels: tuple[int, ...]


@dataclass(frozen=True)
class Target:
    """The score that ends a run; with an opponent, the points against it."""

    score: float
    opponent: str | None = None

    def is_reached(self, score: float, versus: Mapping[str, float]) -> bool:
        """Whether an evaluation with this score, and these points by opponent, reaches it."""
        return bool((score if self.opponent is None else versus.get(self.opponent, -1.0)) >= self.score)

    def __str__(self) -> str:
        return f"{self.score:g}" if self.opponent is None else f"{self.score:g} vs {self.opponent}"


def read_sides(config: Config) -> Sides | None:
    """Who plays the other sides; None if the learner always plays all of them, which is no self-play.

    ConfigError for opponents that do not exist and for games without teams.
    """
    words = _words(_OPPONENTS, config.selfplay.opponents, (SELF, POOL))
    if words == [SELF]:
        return None
    _check_teams(config)
    levels = tuple(_level(_OPPONENTS, config, word) for word in words if word.startswith(SCRIPT))
    return Sides(config.selfplay.mirror if SELF in words else 0.0, POOL in words, levels)


def read_ladder(config: Config) -> tuple[list[int], bool]:
    """The levels of the script that evaluations play, in ascending order, and whether they play the pool.

    ConfigError for opponents that do not exist.
    """
    words = _words(_LADDER, config.selfplay.ladder, (_SCRIPTS, POOL))
    target = read_target(config)
    if target is not None and target.opponent is not None:
        words.append(target.opponent)
    levels = {_level(_LADDER, config, word) for word in words if word.startswith(SCRIPT)}
    if _SCRIPTS in words:
        levels.update(range(env_info(config.game).levels))
    return sorted(levels), POOL in words


def read_target(config: Config) -> Target | None:
    """The target of a run, if it has one. ConfigError if it names an opponent that does not exist."""
    value = config.train.target_score
    if value is None or isinstance(value, float):
        return None if value is None else Target(value)
    found = re.fullmatch(r"(\d*\.?\d+) vs (\S+)", value)
    if found is None or not 0.0 < float(found[1]) <= 1.0 or not (found[2] == POOL or found[2].startswith(SCRIPT)):
        raise ConfigError(
            f"{_TARGET} must be a number, or points in (0, 1] against one opponent, such as '0.9 vs script:1', "
            f"got {value!r}"
        )
    sides = read_sides(config)
    if sides is None:
        raise ConfigError(f"{_TARGET} names an opponent, which needs {_OPPONENTS} other than self, got {value!r}")
    if found[2] == POOL:
        if not sides.pool:
            raise ConfigError(f"{_TARGET} names the pool, which is not among {_OPPONENTS}, got {value!r}")
    else:
        _level(_TARGET, config, found[2])
    return Target(float(found[1]), found[2])


def check_selfplay(config: Config, rows: int) -> None:
    """ConfigError for impossible settings of self-play, and for more policies at a time than rows."""
    read_target(config)
    sides = read_sides(config)
    if sides is None:
        return
    read_ladder(config)
    if sides.pool and 1 + config.selfplay.max_policies > rows:
        raise ConfigError(
            f"selfplay.max_policies must be at most {max(1, rows - 1)} with vec.num_envs {rows}, so that every policy "
            f"can have a row, got {config.selfplay.max_policies}"
        )


def _words(where: str, text: str, known: tuple[str, str]) -> list[str]:
    """The words of a setting: known ones and scripts, each once."""
    words = [word.strip() for word in text.split(",")]
    if not all(word in known or word.startswith(SCRIPT) for word in words):
        raise ConfigError(f"{where} must be words such as {known[0]},{known[1]},script:1, got {text!r}")
    if len(set(words)) != len(words):
        raise ConfigError(f"{where} must name each opponent once, got {text!r}")
    return words


def _check_teams(config: Config) -> None:
    teams = game_spaces(config.game, config.env).teams
    if teams < 2:
        raise ConfigError(
            f"{_OPPONENTS} must be self for {env_info(config.game).name}, which has {teams or 'no'} "
            f"team{'s' * (teams != 1)} with these parameters, got {config.selfplay.opponents!r}"
        )


def _level(where: str, config: Config, word: str) -> int:
    info, text = env_info(config.game), word.removeprefix(SCRIPT)
    if not text.isdecimal() or int(text) >= info.levels:
        known = f"levels 0 to {info.levels - 1}" if info.levels else "no script"
        raise ConfigError(f"{where}: there is no {word} in {info.name}, which has {known}")
    return int(text)
