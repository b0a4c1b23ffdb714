"""The plan of a sweep: sweep.json and base.toml in its directory, which --resume and --report read.

The space and the other settings that determine the runs are fixed when a sweep starts; the limits and the number of
jobs may change when it is resumed.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pufferc.config import Config, ConfigError, merge, read_toml, to_toml
from pufferc.envs.games import env_info
from pufferc.errors import available_cores, choice, integer, real
from pufferc.runs.directory import write_json
from pufferc.runs.machine import machine
from pufferc.sweep.objective import OBJECTIVES
from pufferc.sweep.search import METHODS, make_search
from pufferc.sweep.space import Space, as_saved, from_saved
from pufferc.sweep.stopping import RULES
from pufferc.training.resolve import resolve

FILE, BASE_FILE = "sweep.json", "base.toml"
DEFAULT_RUNS = 100
_CONFIRM_SEED = 10_000_000  # added to the configuration's seed: far from those of the search
_SEED_LIMIT = 2**62
_NEVER_S = 1e12  # between evaluations: one is made at the end


@dataclass(frozen=True)
class Settings:
    """How a sweep searches. `runs` and `budget_s` None = no limit by it."""

    method: str = "random"
    objective: str = "score"
    stop: str = "median"
    seed: int = 1
    runs: int | None = DEFAULT_RUNS
    budget_s: float | None = None
    jobs: int = 1
    confirm: int = 3
    confirm_seeds: int = 3
    timeout_s: float = 300.0

    def check(self) -> None:
        """Raises ValueError or TypeError that names the wrong setting."""
        choice("method", self.method, METHODS)
        choice("objective", self.objective, OBJECTIVES)
        choice("stop", self.stop, RULES)
        integer("seed", self.seed, 0, _SEED_LIMIT)
        integer("jobs", self.jobs, 1, 1024)
        integer("confirm", self.confirm, 0, 1000)
        integer("confirm_seeds", self.confirm_seeds, 1, 1000)
        real("timeout", self.timeout_s, 1.0, math.inf)
        if self.runs is not None:
            integer("runs", self.runs, 1, 10**6)
        if self.budget_s is not None and not 0.0 < self.budget_s < math.inf:
            raise ConfigError(f"budget must be a number of seconds above 0, got {self.budget_s!r}")


@dataclass(frozen=True)
class Plan:
    """A sweep of `space` around `base`, a configuration of which the space's fields, seeds and threads vary."""

    base: Config
    space: Space
    settings: Settings

    def check(self) -> list[str]:
        """Warnings for the user. ConfigError or ValueError for a plan that cannot work."""
        self.settings.check()
        make_search(self.settings.method, self.space, self.settings.objective, self.settings.seed)
        _, found = resolve(self.prepared(self.base, 0, 0))
        if self.settings.objective != "score" and self.base.train.target_score is None:
            raise ConfigError(
                f"objective: {self.settings.objective} needs a target, and the configuration has none; "
                "give --train.target-score"
            )
        integer("train.seed", self.base.train.seed, 0, _SEED_LIMIT)
        cores = available_cores()
        if self.settings.jobs > cores:
            found.append(f"{self.settings.jobs} jobs share {cores} core(s): runs take longer, and times compare badly")
        if any(dimension.key == "train.total_steps" for dimension in self.space):
            found.append("train.total_steps is swept: runs of different length are compared")
        return found

    @property
    def longest_steps(self) -> int:
        """Steps of the longest run; rungs are shares of it."""
        swept = [d for d in self.space if d.key == "train.total_steps"]
        return int(swept[0].value(math.nextafter(1.0, 0.0))) if swept else self.base.train.total_steps

    def seed(self, number: int, confirmation: int | None = None) -> int:
        """The seed of a run: each configuration of the search has its own; confirmations share the same few."""
        offset = number if confirmation is None else _CONFIRM_SEED + confirmation
        return self.base.train.seed + offset

    def prepared(self, config: Config, number: int, confirmation: int | None) -> Config:
        """`config` as a worker trains it: with one thread, its seed, and the end that the objective needs."""
        fields: dict[str, Any] = {"seed": self.seed(number, confirmation), "threads": 1, "loggers": ()}
        if self.settings.objective == "score":
            fields |= {"target_score": None, "evaluation_interval_s": _NEVER_S}
        return dataclasses.replace(
            config,
            vec=dataclasses.replace(config.vec, num_threads=1),
            train=dataclasses.replace(config.train, **fields),
        )

    def save(self, directory: Path) -> None:
        """Writes sweep.json and base.toml."""
        info = env_info(self.base.game)
        (directory / BASE_FILE).write_text(to_toml(self.base), encoding="utf-8")
        values = {
            "game": info.path or info.name,
            "settings": dataclasses.asdict(self.settings),
            "space": as_saved(self.space),
            "machine": machine(),
        }
        write_json(directory / FILE, values)


def load_plan(directory: Path, changes: Mapping[str, Any]) -> Plan:
    """The plan in a sweep's directory, with some settings changed. ConfigError if there is none."""
    path = directory / FILE
    try:
        values = json.loads(path.read_bytes())
        game, space = str(values["game"]), from_saved(values["space"])
        settings = Settings(**{**values["settings"], **changes})
    except OSError as error:
        raise ConfigError(f"sweep: no sweep in {directory}: cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"sweep: {path} is damaged: {type(error).__name__}: {error}") from None
    base = merge(Config(game), read_toml(directory / BASE_FILE), str(directory / BASE_FILE))
    return Plan(base, space, settings)
