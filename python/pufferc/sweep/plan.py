"""The plan of a sweep: what varies around which configuration, by which method and objective.

The plan stands in the journal. Whoever joins or resumes the sweep must have the same one; limits and the number of jobs
are those of each process.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pufferc.config import Config, ConfigError, as_tables, merge
from pufferc.envs.games import env_info
from pufferc.errors import available_cores, choice, integer, real
from pufferc.runs.compare import flat
from pufferc.selfplay.settings import SCRIPT, read_ladder, read_sides
from pufferc.sweep.objective import OBJECTIVES, TWO
from pufferc.sweep.samplers import DEFAULT_METHOD, METHODS
from pufferc.sweep.space import Space, as_saved, from_saved
from pufferc.training.resolve import resolve

DEFAULT_RUNS = 100
PRUNERS = ("median", "hyperband", "none")
POINTS = 18  # of a learning curve: a 9th and a 3rd of the steps are among them, as hyperband needs
_CONFIRM_SEED = 10_000_000  # added to the configuration's seed: far from those of the search
_SEED_LIMIT = 2**62
_NEVER_S = 1e12  # between evaluations: one is made at the end
_LOCAL = ("device", "threads", "loggers")  # settings of [train] that may differ between the machines of a sweep


@dataclass(frozen=True)
class Limits:
    """What one process does. `runs` counts those of the whole study; None = no limit by it."""

    runs: int | None = DEFAULT_RUNS
    budget_s: float | None = None
    jobs: int = 1
    timeout_s: float = 300.0

    def check(self) -> None:
        """Raises ValueError or TypeError that names the wrong setting."""
        integer("jobs", self.jobs, 1, 1024)
        real("timeout", self.timeout_s, 1.0, math.inf)
        if self.runs is not None:
            integer("runs", self.runs, 1, 10**6)
        if self.budget_s is not None and not 0.0 < self.budget_s < math.inf:
            raise ConfigError(f"budget must be a number of seconds above 0, got {self.budget_s!r}")


@dataclass(frozen=True)
class Settings:
    """How a sweep searches; the same for every process of it."""

    method: str = DEFAULT_METHOD
    objective: str = "score"
    stop: str = "median"
    seed: int = 1
    confirm: int = 3
    confirm_seeds: int = 3
    opponent: str | None = None

    def check(self) -> None:
        """Raises ValueError or TypeError that names the wrong setting."""
        choice("method", self.method, METHODS)
        choice("objective", self.objective, OBJECTIVES)
        choice("stop", self.stop, PRUNERS)
        integer("seed", self.seed, 0, _SEED_LIMIT)
        integer("confirm", self.confirm, 0, 1000)
        integer("confirm_seeds", self.confirm_seeds, 1, 1000)
        if self.objective == TWO and self.stop != "none":
            raise ConfigError(f"stop must be none with the objective {TWO}: Optuna stops runs by one value only")


@dataclass(frozen=True)
class Plan:
    """A sweep of `space` around `base`, a configuration of which the space's fields, seeds and threads vary."""

    base: Config
    space: Space
    settings: Settings

    def check(self, jobs: int) -> list[str]:
        """Warnings for the user. ConfigError or ValueError for a plan that cannot work."""
        self.settings.check()
        self._check_selfplay()
        _, found = resolve(self.prepared(self.base, 1))
        if self.settings.objective in ("steps", "time") and self.base.train.target_score is None:
            raise ConfigError(
                f"objective: {self.settings.objective} needs a target, and the configuration has none; "
                "give --train.target-score"
            )
        integer("train.seed", self.base.train.seed, 0, _SEED_LIMIT)
        cores = available_cores()
        if jobs > cores:
            found.append(f"{jobs} jobs share {cores} core(s): runs take longer, and times compare badly")
        if any(dimension.key == "train.total_steps" for dimension in self.space):
            found.append("train.total_steps is swept: runs of different length are compared")
        return found

    def _check_selfplay(self) -> None:
        """In self-play, scores are points against one fixed opponent, since those against copies do not compare."""
        if read_sides(self.base) is None:
            if self.settings.opponent is not None:
                raise ConfigError(f"opponent is for self-play only, got {self.settings.opponent!r}")
        elif not (self.settings.opponent or "").startswith(SCRIPT):
            raise ConfigError(
                "opponent must be a level of the game's script, such as script:1: with self-play, runs are compared by "
                f"their points against it; got {self.settings.opponent!r}"
            )
        else:
            read_ladder(self._evaluated(self.base))

    @property
    def longest_steps(self) -> int:
        """Steps of the longest run; points of curves are shares of it."""
        swept = [d for d in self.space if d.key == "train.total_steps"]
        return int(swept[0].value(math.nextafter(1.0, 0.0))) if swept else self.base.train.total_steps

    def points(self) -> tuple[int, ...]:
        """The numbers of steps at which runs are compared."""
        return tuple(round(self.longest_steps * i / POINTS) for i in range(1, POINTS))

    def search_seed(self, index: int) -> int:
        """The seed of a run of the search: each has its own."""
        return self.base.train.seed + index

    def confirm_seed(self, confirmation: int) -> int:
        """The seed of a confirmation: all configurations share the same few, which the search does not use."""
        return self.base.train.seed + _CONFIRM_SEED + confirmation

    def _evaluated(self, config: Config) -> Config:
        if self.settings.opponent is None:
            return config
        return dataclasses.replace(config, selfplay=dataclasses.replace(config.selfplay, ladder=self.settings.opponent))

    def prepared(self, config: Config, seed: int) -> Config:
        """`config` as a worker trains it: with one thread, its seed, and the end that the objective needs."""
        fields: dict[str, Any] = {"seed": seed, "threads": 1, "loggers": ()}
        if self.settings.objective in ("score", TWO):
            fields |= {"target_score": None, "evaluation_interval_s": _NEVER_S}
        return dataclasses.replace(
            self._evaluated(config),
            vec=dataclasses.replace(config.vec, num_threads=1),
            train=dataclasses.replace(config.train, **fields),
        )

    def as_saved(self) -> dict[str, Any]:
        """JSON values for the journal; two plans are one sweep if these are equal."""
        info, tables = env_info(self.base.game), as_tables(self.base)
        train = {name: value for name, value in tables["train"].items() if name not in _LOCAL}
        vec = {name: value for name, value in tables.get("vec", {}).items() if name != "num_threads"}
        values = {
            "game": info.path or info.name,
            "config": {**tables, "train": train, "vec": vec},
            "space": as_saved(self.space),
            "settings": dataclasses.asdict(self.settings),
        }
        found: dict[str, Any] = json.loads(json.dumps(values))
        return found


def read_plan(values: Mapping[str, Any], where: str) -> Plan:
    """The inverse of `Plan.as_saved`. ConfigError for anything else."""
    try:
        game, tables = str(values["game"]), values["config"]
        space, settings = from_saved(values["space"]), Settings(**values["settings"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"storage: {where} has no plan of pufferc sweep of this version: {error!r}") from None
    tables = {name: table for name, table in tables.items() if name != "game"}
    return Plan(merge(Config(game), tables, where), space, settings)


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """What differs between two plans, one line each. Each process may confirm as many configurations as it likes."""
    mine, other = _lines(ours), _lines(theirs)
    keys = [key for key in dict.fromkeys([*mine, *other]) if key != "confirm" and mine.get(key) != other.get(key)]
    return [f"{key} is {other.get(key)!r} in the study, and {mine.get(key)!r} here" for key in keys]


def _lines(plan: Mapping[str, Any]) -> dict[str, Any]:
    space = {f"space {row['key']}": row for row in plan.get("space", ())}
    return {"game": plan.get("game")} | flat(plan.get("settings", {})) | flat(plan.get("config", {})) | space
