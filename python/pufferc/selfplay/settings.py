"""The opponents that a configuration names, checked against its game. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from pufferc.config import Config, ConfigError
from pufferc.envs.games import env_info
from pufferc.envs.spaces import game_spaces

SCRIPT = "script:"
_WHERE = "selfplay.opponents"


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


def read_sides(config: Config) -> Sides | None:
    """Who plays the other sides; None if the learner always plays all of them, which is no self-play.

    ConfigError for opponents that do not exist and for games without teams.
    """
    words = [word.strip() for word in config.selfplay.opponents.split(",")]
    for word in words:
        if word not in ("self", "pool") and not word.startswith(SCRIPT):
            raise ConfigError(f"{_WHERE} must be words such as self,pool,script:1, got {config.selfplay.opponents!r}")
    if len(set(words)) != len(words):
        raise ConfigError(f"{_WHERE} must name each opponent once, got {config.selfplay.opponents!r}")
    if words == ["self"]:
        return None
    _check_teams(config)
    levels = tuple(_level(config, word) for word in words if word.startswith(SCRIPT))
    return Sides(config.selfplay.mirror if "self" in words else 0.0, "pool" in words, levels)


def check_rows(config: Config, rows: int) -> None:
    """ConfigError if there are more policies at a time than rows."""
    sides = read_sides(config)
    if sides is not None and sides.pool and 1 + config.selfplay.max_policies > rows:
        raise ConfigError(
            f"selfplay.max_policies must be at most {max(1, rows - 1)} with vec.num_envs {rows}, so that every policy "
            f"can have a row, got {config.selfplay.max_policies}"
        )


def _check_teams(config: Config) -> None:
    teams = game_spaces(config.game, config.env).teams
    if teams < 2:
        raise ConfigError(
            f"{_WHERE} must be self for {env_info(config.game).name}, which has {teams or 'no'} "
            f"team{'s' * (teams != 1)} with these parameters, got {config.selfplay.opponents!r}"
        )


def _level(config: Config, word: str) -> int:
    info, text = env_info(config.game), word.removeprefix(SCRIPT)
    if not text.isdecimal() or int(text) >= info.levels:
        known = f"levels 0 to {info.levels - 1}" if info.levels else "no script"
        raise ConfigError(f"{_WHERE}: there is no {word} in {info.name}, which has {known}")
    return int(text)
