"""The opponents of a run: frozen copies of the learner, the game's script, and the results against each of them.

A copy is named as the checkpoint that would be saved at the same step, "step_000000131072". Its weights are in memory.
With each checkpoint of the run, new copies are written to its directory as checkpoints without the trainer's state:

    <run>/opponents/step_000000131072/

A checkpoint names the copies that it needs; copies that neither the run nor one of its checkpoints needs are removed.

At most `max_policies` copies play at a time, each in a slot; slot k has the policy id k + 1. Whenever a copy enters the
pool, those that should play are drawn again, by weight. A slot gets another copy when its last game has ended.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from pufferc.config.schema import SelfplayConfig
from pufferc.runs.checkpoint import load_checkpoint, save_checkpoint
from pufferc.runs.directory import CHECKPOINT_PREFIX, list_checkpoints
from pufferc.selfplay.seats import Choices, hash64, script_id, script_level, uniform
from pufferc.selfplay.settings import SCRIPT, Sides

_MEMORY_GAMES = 500.0  # the mean points are those of about this number of games
_PRIOR_GAMES = 4.0  # drawn games in place of results against a new opponent
_FOLDER = "opponents"

Weights = Mapping[str, Tensor]


@dataclass
class Record:
    """The learner's results against one opponent: counts of the whole run, and moving sums of games and points."""

    wins: int = 0
    draws: int = 0
    losses: int = 0
    games: float = 0.0
    points: float = 0.0

    def add(self, wins: int, draws: int, losses: int) -> None:
        """Adds the results of an update."""
        self.wins, self.draws, self.losses = self.wins + wins, self.draws + draws, self.losses + losses
        self.games, self.points = self.games + wins + draws + losses, self.points + wins + 0.5 * draws
        if self.games > _MEMORY_GAMES:
            self.points *= _MEMORY_GAMES / self.games
            self.games = _MEMORY_GAMES

    @property
    def mean_points(self) -> float:
        """The learner's mean points, 0 to 1: a win is 1, a draw 0.5."""
        return (self.points + 0.5 * _PRIOR_GAMES) / (self.games + _PRIOR_GAMES)


@dataclass(frozen=True)
class Copy:
    """A frozen copy of the learner, made after a number of updates."""

    update: int
    steps: int
    weights: Weights

    @property
    def name(self) -> str:
        return f"{CHECKPOINT_PREFIX}{self.steps:012d}"


def thinned(ages: Sequence[int], size: int) -> list[int]:
    """Which of at least `size` >= 2 ages to keep, as indices. `ages` are above 0 and in descending order.

    Keeps the oldest, and the newer half of `size`. Of the others it drops those whose neighbours' ages are the closest
    by ratio, so that ages grow by about a constant factor.
    """
    kept = list(range(len(ages)))
    while len(kept) > size:
        inner = range(1, len(kept) - size // 2)
        kept.pop(min(inner, key=lambda i: ages[kept[i - 1]] / ages[kept[i + 1]]))
    return kept


class Opponents:
    """The pool, its slots, and the results against all opponents.

    Args:
        settings: The run's settings.
        sides: Who plays the other sides.
        seed: The run's seed.
    """

    def __init__(self, settings: SelfplayConfig, sides: Sides, seed: int) -> None:
        self._settings, self._sides, self._seed = settings, sides, seed
        self.slots: list[str | None] = [None] * (settings.max_policies if sides.pool else 0)  # the copy in each slot
        self.pool: list[str] = []  # names, the oldest first
        self.copies: dict[str, Copy] = {}  # those in the pool or in a slot
        self.records = {f"{SCRIPT}{level}": Record() for level in sides.levels}
        self._wanted: list[str] = []  # that should play
        self._saved: set[str] = set()  # that this run has written or read

    # ---- the pool -----------------------------------------------------------------------------------------

    def enters(self, update: int) -> bool:
        """Whether the learner enters the pool after this number of updates."""
        return self._sides.pool and update % self._settings.pool_interval == 0

    def enter(self, copy: Copy) -> None:
        """Adds a copy to the pool, and draws those that should play."""
        self.copies[copy.name] = copy
        self.records[copy.name] = Record()
        self.pool.append(copy.name)
        ages = [1 + (copy.update - self.copies[name].update) // self._settings.pool_interval for name in self.pool]
        self.pool = [self.pool[i] for i in thinned(ages, self._settings.pool_size)]
        self._wanted = self._draw(copy.update)
        self._forget()

    def _draw(self, update: int) -> list[str]:
        """Up to max_policies copies, drawn by weight without replacement (Efraimidis and Spirakis 2006)."""
        key = hash64(np.array([self._seed], np.uint64)) ^ np.uint64(update)
        draws = [float(uniform(key, i)[0]) for i in range(len(self.pool))]
        order = [math.log(max(u, 1e-300)) / self.weight(name) for u, name in zip(draws, self.pool, strict=True)]
        chosen = sorted(range(len(order)), key=order.__getitem__)[-len(self.slots) :]
        return [self.pool[i] for i in sorted(chosen)]

    def _forget(self) -> None:
        """Drops copies that are neither in the pool nor in a slot, and their records."""
        for name in [name for name in self.copies if name not in self.pool and name not in self.slots]:
            del self.copies[name], self.records[name]

    @property
    def waiting(self) -> list[str]:
        """The copies that should play and have no slot yet, the oldest first."""
        return [name for name in self._wanted if name not in self.slots]

    def fill_slots(self, used: Sequence[float]) -> dict[int, Weights]:
        """Gives slots without games another copy where one waits. Returns the new weights by slot.

        Args:
            used: Games of the whole run in which each slot's copy plays now.
        """
        waiting, changed = self.waiting, dict[int, Weights]()
        for slot, name in enumerate(self.slots):
            if waiting and not used[slot] and name not in self._wanted:
                self.slots[slot] = waiting.pop()
                changed[slot] = self.copies[str(self.slots[slot])].weights
        self._forget()
        return changed

    # ---- results and choices ------------------------------------------------------------------------------

    def name_of(self, policy_id: int) -> str:
        """The name of the opponent that has this policy id now."""
        return f"{SCRIPT}{script_level(policy_id)}" if policy_id < 0 else str(self.slots[policy_id - 1])

    def weight(self, name: str) -> float:
        """How often an opponent is drawn, relative to others."""
        return (1.0 - self.records[name].mean_points) ** 2 + self._settings.floor

    def choices(self) -> Choices:
        """What the seat plan draws from."""
        ids = [slot + 1 for slot, name in enumerate(self.slots) if name in self._wanted]
        ids += [script_id(level) for level in self._sides.levels]
        return Choices(self._sides.mirror, ids, [self.weight(self.name_of(policy_id)) for policy_id in ids])

    # ---- files --------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """JSON values for a checkpoint."""
        return {
            "pool": self.pool,
            "slots": self.slots,
            "wanted": self._wanted,
            "records": {name: asdict(record) for name, record in self.records.items()},
        }

    def restore(self, state: Mapping[str, Any], run: Path) -> dict[int, Weights]:
        """Restores the state of a checkpoint of a run, and reads the copies. Returns the weights by slot."""
        self.pool, self.slots, self._wanted = list(state["pool"]), list(state["slots"]), list(state["wanted"])
        self.records = {name: Record(**values) for name, values in state["records"].items()}
        for name in sorted(_names(state)):
            checkpoint = load_checkpoint(run / _FOLDER / name)
            meta = checkpoint.meta
            self.copies[name] = Copy(int(meta["update"]), int(meta["step"]), checkpoint.policy)
        self._saved = set(self.copies)
        return {slot: self.copies[name].weights for slot, name in enumerate(self.slots) if name is not None}

    def save(self, run: Path, meta: Mapping[str, Any]) -> None:
        """Writes the copies that are not yet in the run's directory. `meta` is added to their JSON."""
        for name in [name for name in self.copies if name not in self._saved]:
            # A run that was resumed from an older checkpoint may find a copy with other weights.
            shutil.rmtree(run / _FOLDER / name, ignore_errors=True)
            copy = self.copies[name]
            save_checkpoint(run / _FOLDER, copy.steps, copy.weights, {}, {**meta, "update": copy.update})
            self._saved.add(name)

    def clean(self, run: Path) -> None:
        """Removes files of copies that neither this state nor a checkpoint of the run needs."""
        needed = {*self.copies}
        try:
            for path in list_checkpoints(run):
                needed.update(_names(json.loads((path / "checkpoint.json").read_bytes()).get("selfplay", {})))
        except (OSError, ValueError):
            return  # a damaged checkpoint may need any of them
        for path in (run / _FOLDER).glob(f"{CHECKPOINT_PREFIX}*"):
            if path.name not in needed:
                shutil.rmtree(path, ignore_errors=True)


def _names(state: Mapping[str, Any]) -> set[str]:
    """The copies that a saved state needs."""
    return {name for name in (*state.get("pool", ()), *state.get("slots", ())) if name is not None}
