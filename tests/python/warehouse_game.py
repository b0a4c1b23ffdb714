"""One game of the package rware, set to our states, for tests of parity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pufferc.parity import Moment, reference_package

SIZES = {"tiny": (1, 3), "small": (2, 3), "medium": (2, 5), "large": (3, 5)}  # shelf_rows, shelf_columns


class Warehouse:
    """A warehouse whose new requests are those that our game drew."""

    def __init__(self, size: str, agents: int) -> None:
        module = reference_package("rware", "rware")
        self.module = module.warehouse
        rows, columns = SIZES[size]
        self.stride = 3 * columns + 3
        self.game = self.module.Warehouse(
            columns, 8, rows, agents, 0, 1, agents, None, None, self.module.RewardType.INDIVIDUAL
        )
        self.game.reset(seed=1)
        self.tied, self.ties = False, 0

    def place(self, cell: int) -> tuple[int, int]:
        """(x, y) of a cell of our grid, which has an edge of one cell."""
        return int(cell) % self.stride - 1, int(cell) // self.stride - 1

    def shelf_at(self, cell: int) -> Any:
        return next(shelf for shelf in self.game.shelfs if (shelf.x, shelf.y) == self.place(cell))

    def copy(self, state: Callable[[str], Any]) -> None:
        """Take over the state of our game, read by the names of its members."""
        cells = state("shelf")
        for shelf, cell in zip(self.game.shelfs, np.flatnonzero(cells), strict=True):
            shelf.x, shelf.y = self.place(cell)
        for index, agent in enumerate(self.game.agents):
            cell = state("at")[index]
            agent.x, agent.y = self.place(cell)
            agent.dir = self.module.Direction(int(state("heading")[index]))
            agent.carrying_shelf = self.shelf_at(cell) if state("carrying")[index] else None
        self.game.request_queue = [self.shelf_at(cell) for cell in np.flatnonzero(cells == 2)]
        self.game._recalc_grid()

    def has_tie(self, actions: Any) -> bool:
        """Whether chains of equal length lead to one cell, which the reference decides by the order of a hash set."""
        agents = self.game.agents
        for agent, action in zip(agents, actions, strict=True):
            agent.req_action = self.module.Action(int(action))
        at = {(agent.x, agent.y): index for index, agent in enumerate(agents)}
        wants = [agent.req_location(self.game.grid_size) for agent in agents]
        wants = [(a.x, a.y) if self.is_blocked(a, want) else want for a, want in zip(agents, wants, strict=True)]
        behind, ends = [1] * len(agents), list(wants)
        for first in range(len(agents)):
            chain = [first]
            while (following := at.get(wants[chain[-1]])) is not None and following not in chain:
                chain.append(following)
            for length, index in enumerate(chain, 1):
                behind[index] = max(behind[index], length)
            ends[first] = wants[chain[-1]]
        free = [end not in at for end in ends]
        rivals = Counter(rival for rival, moves in zip(zip(wants, behind, strict=True), free, strict=True) if moves)
        return any(count > 1 for count in rivals.values())

    def is_blocked(self, agent: Any, want: tuple[int, int]) -> bool:
        standing = {(shelf.x, shelf.y) for shelf in self.game.shelfs}
        standing -= {(other.x, other.y) for other in self.game.agents if other.carrying_shelf}
        return bool(agent.carrying_shelf) and want in standing

    def step(self, actions: Any, draws: Sequence[Any]) -> None:
        """Play; `draws` are the cells of the shelves that our game requested in this step. A tie is not played."""
        self.tied = self.has_tie(actions)
        if self.tied:
            return
        self.draws = [self.place(cell) for cell in draws if cell]
        self.game._np_random = self
        self.observations, self.rewards, *_ = self.game.step([int(action) for action in actions])

    def choice(self, shelfs: Sequence[Any]) -> Any:
        """The shelf that our game requested, in place of a random one."""
        place = self.draws.pop(0)
        return next(shelf for shelf in shelfs if (shelf.x, shelf.y) == place)

    def differs(self, ours: Moment) -> str | None:
        """What differs after a step. After a tie our state is copied."""
        if self.tied:
            self.copy(ours.state)
            self.ties += 1
        elif self.draws:
            return f"requests that were not asked for: {self.draws}"
        elif not np.array_equal(ours.observations, self.observations):
            return f"observations, theirs {self.observations}"
        elif not np.array_equal(ours.rewards, self.rewards):
            return f"rewards, theirs {self.rewards}"
        return None

    def __str__(self) -> str:
        return "\n".join(f"({a.x}, {a.y}) {a.dir.name} carrying {a.carrying_shelf}" for a in self.game.agents)
