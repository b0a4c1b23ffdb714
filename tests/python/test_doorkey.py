"""Doorkey agrees with MiniGrid (Empty, DoorKey and Memory) step by step, in worlds that are copied from our games.

PUFFERC_TEST_PARITY=1 plays 200 worlds for 300 steps per task.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

import pufferc
from conftest import GAMES, MakePool
from outcomes import outcome_difference
from pufferc.parity import Agreement, MissingReference, Moment, lockstep, reference_package

LONG = os.environ.get("PUFFERC_TEST_PARITY") == "1"
pytestmark = pytest.mark.skipif("doorkey" not in GAMES, reason="built without doorkey")

SIDE, MARGIN = 27, 5  # of the square in which our rooms lie
WALL, CLOSED, LOCKED, FLOOR, GOAL, OPEN, YELLOW_KEY, GREEN_KEY, GREEN_BALL = range(1, 10)


class Room:
    """A task of MiniGrid in a copy of our room."""

    def __init__(self, task: int, size: int) -> None:
        envs = reference_package("minigrid.envs", "minigrid")
        self.things = reference_package("minigrid.core.world_object", "minigrid")
        self.env = [envs.EmptyEnv, envs.DoorKeyEnv, envs.MemoryEnv][task](size=size)
        self.env.reset(seed=0)

    def thing(self, code: int) -> Any:
        """An object of MiniGrid, None for an empty cell."""
        make = {
            WALL: lambda: self.things.Wall(),
            GOAL: lambda: self.things.Goal(),
            OPEN: lambda: self.things.Door("yellow", is_open=True),
            CLOSED: lambda: self.things.Door("yellow"),
            LOCKED: lambda: self.things.Door("yellow", is_locked=True),
            YELLOW_KEY: lambda: self.things.Key("yellow"),
            GREEN_KEY: lambda: self.things.Key("green"),
            GREEN_BALL: lambda: self.things.Ball("green"),
        }
        return make[code]() if code in make else None

    def copy(self, ours: Moment) -> None:
        cells = np.asarray(ours.state("cells")).reshape(SIDE, SIDE)[MARGIN:, MARGIN:]
        for y in range(self.env.height):
            for x in range(self.env.width):
                self.env.grid.set(x, y, self.thing(int(cells[y, x])))
        self.env.agent_pos = place(ours.state("at"))
        self.env.agent_dir = int(ours.state("heading"))
        self.env.carrying = self.thing(int(ours.state("hands")))
        self.env.step_count = int(ours.state("steps"))
        self.env.success_pos, self.env.failure_pos = place(ours.state("good")), place(ours.state("bad"))

    def step(self, actions: Any, _: Any) -> None:
        self.seen, self.reward, self.terminated, self.truncated, _ = self.env.step(int(actions[0]))

    def __str__(self) -> str:
        return f"{self.env.pprint_grid()}\ncarries {self.env.carrying}"


def place(cell: Any) -> tuple[int, int]:
    return int(cell) % SIDE - MARGIN, int(cell) // SIDE - MARGIN


def difference(ours: Moment, theirs: Room) -> str | None:
    if not np.array_equal(ours.observations[0], theirs.seen["image"]):
        return f"image, theirs\n{theirs.seen['image'].transpose(1, 0, 2)}"
    if int(ours.state("heading")) != theirs.seen["direction"]:
        return f"heading, theirs {theirs.seen['direction']}"
    return outcome_difference(ours, theirs, atol=1e-6)


def busy(envs: pufferc.VecEnv, rng: np.random.Generator) -> Any:
    """All seven actions. An agent before a key or a door mostly takes or opens it, so that doors are passed."""
    cells, at, heading = envs.state("cells"), envs.state("at"), envs.state("heading")
    ahead = cells[np.arange(envs.num_envs), at + np.array([1, SIDE, -1, -SIDE])[heading]]
    chosen = rng.choice(7, envs.num_envs, p=[0.15, 0.15, 0.4, 0.1, 0.05, 0.1, 0.05])
    useful = np.choose(ahead - 1, [0, 5, 5, 2, 2, 2, 3, 3, 3])
    return np.where(rng.random(envs.num_envs) < 0.6, useful, chosen).astype(np.int32)


# Task, size, whether the hallway's length is random, actions, and the least number of ends to be seen.
CASES: dict[str, tuple[int, int, bool, Any, int]] = {
    "empty room": (0, 8, False, None, 1),
    "door and key": (1, 8, False, busy, 3),
    "door and key, small": (1, 5, False, busy, 5),
    "door and key, random play": (1, 6, False, None, 0),
    "door and key, large": (1, 16, False, busy, 0),
    "memory": (2, 13, False, busy, 10),
    "memory, random length": (2, 17, True, busy, 10),
}


def play(task: int, size: int, random_length: bool, actions: Any) -> Agreement:
    worlds, steps = (200, 300) if LONG else (20, 150)
    return lockstep(
        pufferc.make(
            "doorkey", num_games=worlds, num_threads=1, autoreset="disabled", seed=2, task=task, size=size,
            random_length=random_length,
        ),
        [Room(task, size) for _ in range(worlds)],
        copy=lambda ours, theirs: theirs.copy(ours),
        compare=difference,
        actions=actions,
        steps=steps,
    )  # fmt: skip


@pytest.mark.parametrize("label", CASES)
def test_it_agrees_with_minigrid(label: str) -> None:
    *params, ends = CASES[label]
    try:
        agreement = play(*params)
    except MissingReference as error:
        pytest.skip(str(error))
    print(agreement)
    assert agreement.episodes >= ends


def test_a_size_that_the_task_cannot_have_is_refused(pool: MakePool) -> None:
    with pytest.raises(ValueError, match="size must be odd and at least 7 in task 2"):
        pool("doorkey", 2, task=2, size=8)


def test_rooms_grow_during_a_run(pool: MakePool) -> None:
    env = pool("doorkey", 4, seed=1, task=0, size=5)
    env.reset()
    env.set_param("size", 9)
    env.reset()
    assert (env.state("cells").reshape(4, SIDE, SIDE)[:, MARGIN + 7, MARGIN + 7] == GOAL).all()
