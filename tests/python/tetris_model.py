"""A plain model of Tetris, written from the rules alone: lists of lists, and pieces as drawings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

WIDTH, HEIGHT = 10, 20
KINDS = ["X/X/X/X", "XX/XX", "X./XX/.X", ".X/XX/X.", "X./XX/X.", "X./X./XX", ".X/.X/XX"]
NONE, LEFT, RIGHT, TURN, SOFT, HARD, HOLD = range(7)


def drawing(kind: int, turn: int) -> list[tuple[int, int]]:
    """(row, column) of the four cells of a piece within its box."""
    rows = KINDS[kind - 1].split("/")
    for _ in range(turn):
        rows = ["".join(column) for column in zip(*reversed(rows), strict=True)]
    return [(y, x) for y, row in enumerate(rows) for x, cell in enumerate(row) if cell == "X"]


class Tetris:
    """One game. Bags and garbage rows are given with each step: they are the only random parts."""

    def restart(self, bag: Sequence[int], shaping: bool) -> None:
        self.well = [[0] * WIDTH for _ in range(HEIGHT)]
        self.shaping = shaping
        self.queue = [int(kind) for kind in bag]
        self.held = self.lines = self.score = self.steps = 0
        self.may_hold, self.over, self.rise_at = True, False, 500
        self.bag: Sequence[int] = []
        self.appear(self.queue.pop(0))

    @property
    def level(self) -> int:
        return 1 + self.lines // 10

    def cells(self, turn: int, x: int, y: int) -> list[tuple[int, int]]:
        return [(y + row, x + column) for row, column in drawing(self.kind, turn)]

    def fits(self, turn: int, x: int, y: int) -> bool:
        return all(0 <= c < WIDTH and 0 <= r < HEIGHT and not self.well[r][c] for r, c in self.cells(turn, x, y))

    def appear(self, kind: int) -> None:
        self.kind, self.turn, self.x, self.y, self.waited = kind, 0, 5, 0, 0
        if not self.fits(0, 5, 0):
            self.over = True
        if len(self.queue) < 2:  # both previews must be known
            self.queue += [int(k) for k in self.bag]

    def place(self) -> None:
        for r, c in self.cells(self.turn, self.x, self.y):
            self.well[r][c] = 1
        rest = [row for row in self.well if not all(row)]
        gone = HEIGHT - len(rest)
        self.well = [[0] * WIDTH for _ in range(gone)] + rest
        self.lines += gone
        self.score += (0, 100, 300, 500, 1000)[gone]
        self.reward += (0.0, 0.1, 0.3, 0.5, 1.0)[gone]
        self.may_hold = True
        self.appear(self.queue.pop(0))

    def turns(self) -> bool:
        return self.kind != 2 and self.fits((self.turn + 1) % 4, self.x, self.y)

    def legal(self) -> list[bool]:
        """Choices that would do something, and the one that does nothing."""
        left, right = self.fits(self.turn, self.x - 1, self.y), self.fits(self.turn, self.x + 1, self.y)
        return [True, left, right, self.turns(), self.fits(self.turn, self.x, self.y + 1), True, self.may_hold]

    def choose(self, choice: int) -> None:
        if not self.legal()[choice]:
            return
        if choice in (LEFT, RIGHT):
            self.x += 1 if choice == RIGHT else -1
        elif choice == TURN:
            self.turn = (self.turn + 1) % 4
            self.reward += 0.01 * self.shaping
        elif choice == SOFT:
            self.y += 1
            self.score += 1
        elif choice == HARD:
            while self.fits(self.turn, self.x, self.y + 1):
                self.y += 1
                self.score += 2
                self.reward += 0.02 * self.shaping
            self.place()
        elif choice == HOLD:
            self.may_hold = False
            kind, self.held = self.held, self.kind
            self.appear(kind if kind else self.queue.pop(0))

    def fall(self) -> None:
        self.waited += 1
        if self.waited < max(3, 6 - self.level // 4):
            return
        if self.fits(self.turn, self.x, self.y + 1):
            self.y, self.waited = self.y + 1, 0
        else:
            self.place()

    def rise(self, garbage: Sequence[int]) -> None:
        if self.steps < self.rise_at:
            return
        if any(self.well[0]):
            self.over = True
            return
        assert len(garbage) - sum(garbage) == min(5, max(1, self.level // 8))
        self.well = [*self.well[1:], [int(cell) for cell in garbage]]
        self.rise_at = self.steps + max(40, math.floor(100 - 7 * math.sqrt(self.level)))
        self.y = max(0, self.y - 1)
        self.over = not self.fits(self.turn, self.x, self.y)

    def step(self, actions: Any, draws: Sequence[Any]) -> None:
        """Play a choice; `draws` are our latest bag and the lowest row of our well."""
        self.bag, garbage = draws
        self.steps, self.reward = self.steps + 1, 0.0
        self.choose(int(actions[0]))
        if not self.over:
            self.fall()
        if not self.over:
            self.rise(garbage)

    def observation(self) -> Any:
        """What the agent sees."""
        board = np.array(self.well)
        for r, c in self.cells(self.turn, self.x, self.y):
            board[r, c] = 2
        rest = [self.kind, *self.queue[:2], self.held, self.may_hold, self.waited, min(31, self.level)]
        return np.concatenate([board.ravel(), rest])

    def __str__(self) -> str:
        rows = ["".join(".#o"[cell] for cell in row) for row in self.observation()[:200].reshape(20, 10)]
        return "\n".join([*rows, f"kind {self.kind}, queue {self.queue}, held {self.held}, waited {self.waited}"])
