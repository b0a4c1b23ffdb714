"""Parameters of the game that change during training, such as `train.schedules` env.shaping=1:0.

The values are set between updates, linear in the number of updates: the first update has the first value, the last one
has the last value. Whole numbers are rounded. Everything else that plays the game (evaluations, the saved
configuration) has the last value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pufferc.config import Config, ConfigError, merge
from pufferc.config.schema import Value
from pufferc.envs.device import DeviceVecEnv
from pufferc.envs.games import env_info
from pufferc.envs.vector import VecEnv


@dataclass(frozen=True)
class Schedule:
    """One parameter's way from `first` to `last`."""

    name: str
    first: Value
    last: Value

    def at(self, done: float) -> Value:
        """The value after the part `done` of the run, 0 to 1."""
        value = self.first + (self.last - self.first) * done
        return value if isinstance(self.first, float) else math.floor(value + 0.5)


def read_schedules(config: Config) -> tuple[Schedule, ...]:
    """The schedules of a configuration. ConfigError for unknown parameters and values out of range."""
    found: dict[str, Schedule] = {}
    for text in config.train.schedules:
        match = re.fullmatch(r"env\.([\w-]+)=([^:]+):([^:]+)", text)
        if match is None:
            raise ConfigError(f"train.schedules must be like env.NAME=FIRST:LAST, got {text!r}")
        (name, first), (_, last) = (_value(config, match[1].replace("-", "_"), match[part], text) for part in (2, 3))
        if name in found:
            raise ConfigError(f"train.schedules: env.{name} has two schedules")
        found[name] = Schedule(name, first, last)
    return tuple(found.values())


def _value(config: Config, name: str, word: str, text: str) -> tuple[str, Value]:
    """The parameter's current name and a value of its type."""
    try:
        number: Value = float(word)
    except ValueError:
        raise ConfigError(f"train.schedules: expected a number in {text!r}, got {word!r}") from None
    kinds = {row.name: row.type for row in env_info(config.game).params}
    if kinds.get(name) == "bool" and number in (0.0, 1.0):
        number = bool(number)
    bare = Config(config.game)
    ((name, number),) = merge(bare, {"env": {name: number}}, "train.schedules").env.items()
    return name, number


def with_last_values(config: Config) -> Config:
    """`config` with the last value of every scheduled parameter as the game's parameter."""
    last = {schedule.name: schedule.last for schedule in read_schedules(config)}
    return merge(config, {"env": last}, "train.schedules") if last else config


class ScheduledParams:
    """Sets the scheduled parameters of a pool. ConfigError for parameters that cannot change in a running pool."""

    def __init__(self, config: Config, env: VecEnv | DeviceVecEnv) -> None:
        self._schedules, self._env = read_schedules(config), env
        self.values: dict[str, Value] = {}  # the current ones
        for done in (1.0, 0.0):
            try:
                self.apply(done)
            except ValueError as error:
                raise ConfigError(f"train.schedules: env.{error}") from None

    def apply(self, done: float) -> None:
        """Sets the values after the part `done` of the run."""
        self.load({schedule.name: schedule.at(done) for schedule in self._schedules})

    def load(self, values: Mapping[str, Value]) -> None:
        """Sets the values that a checkpoint was saved with. A snapshot of the games needs them before it loads."""
        for name, value in values.items():
            self._env.set_param(name, value)
        self.values = dict(values)
