"""Pictures of one game, or of a grid of a pool's first k games, as arrays uint8 [H, W, 3].

The compiled core draws them without a display, a GPU or another library.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pufferc import _core, errors
from pufferc.pictures.pool_view import PoolView

__all__ = ["DrawingUnavailable", "Layout", "Renderer", "check_size", "grid_layout", "world_size"]

MIN_SIDE_PX, MAX_SIDE_PX = 16, 4096
DEFAULT_SIZE_PX = (640, 480)

# Pool (None = empty), game, cell x, y, width, height, and the agent that the picture follows.
Scene = tuple[_core.Pool | None, int, float, float, float, float, int]


class DrawingUnavailable(RuntimeError):
    """A picture, window or file cannot be made here. The message says what is missing and how to install it."""


def world_size(envs: PoolView) -> tuple[float, float]:
    """Width and height of the game's world in its own units. DrawingUnavailable if it has no drawing function."""
    try:
        return _core.world_size(envs.core, 0)
    except NotImplementedError as error:
        raise DrawingUnavailable(str(error)) from None


@dataclass(frozen=True)
class Layout:
    """The grid of a picture: `cells` are (x, y, width, height) in pixels, one per game.

    `empty` are the unused cells of the last row.
    """

    width: int
    height: int
    cells: tuple[tuple[float, float, float, float], ...]
    empty: tuple[tuple[float, float, float, float], ...] = ()


def check_size(size: tuple[int, int]) -> tuple[int, int]:
    """Validates the size of a picture. Raises TypeError or ValueError."""
    try:
        width, height = size
    except (TypeError, ValueError):
        raise TypeError(f"size must be (width, height) in pixels, got {size!r}") from None
    return (
        errors.integer("width", width, MIN_SIDE_PX, MAX_SIDE_PX),
        errors.integer("height", height, MIN_SIDE_PX, MAX_SIDE_PX),
    )


def grid_layout(count: int, world: tuple[float, float], box: tuple[int, int], *, exact: bool = False) -> Layout:
    """The layout that shows `count` worlds of equal size as large as possible.

    Args:
        count: Number of games.
        world: Width and height of a game's world in its own units.
        box: Maximum width and height of the picture in pixels.
        exact: The picture fills the box; else it is cropped to its contents, with even sides for video formats.
    """
    width, height, cells = _core.grid(count, world, box, exact)
    return Layout(width, height, tuple(cells[:count]), tuple(cells[count:]))


class Renderer:
    """Draws games of a pool into memory.

    Args:
        envs: The pool. Do not render between its send and recv, nor in two threads at once.
        games: Number of games to show in a grid, from the first one.
        size: (width, height) of the picture in pixels, both in [16, 4096]. Default: the largest size within 640 x 480
            with the game's aspect ratio and even sides.
    """

    def __init__(self, envs: PoolView, *, games: int = 1, size: tuple[int, int] | None = None) -> None:
        self._games, self._total = errors.integer("games", games, 1, envs.num_games), envs.num_games
        self._size = None if size is None else check_size(size)
        self._envs, self._picture = envs, _core.Picture()

    @cached_property
    def layout(self) -> Layout:
        """Size of every picture and the cells of its games.

        The pool must have been reset. Raises DrawingUnavailable if the game has no drawing function.
        """
        world = world_size(self._envs)
        return grid_layout(self._games, world, self._size or DEFAULT_SIZE_PX, exact=self._size is not None)

    def render(self, out: NDArray[np.uint8] | None = None, *, first: int = 0) -> NDArray[np.uint8]:
        """Draw the current state of the games.

        Args:
            out: uint8 [height, width, 3], contiguous, to write into; default: a new array.
            first: The first game shown; the others follow it.

        Returns:
            The picture uint8 [height, width, 3] in RGB, top row first. It is not reused.
        """
        layout = self.layout
        if out is None:
            out = np.empty((layout.height, layout.width, 3), np.uint8)
        first = errors.integer("first", first, 0, self._total - self._games)
        scenes: list[Scene] = [(self._envs.core, first + i, *cell, 0) for i, cell in enumerate(layout.cells)]
        scenes += [(None, 0, *cell, 0) for cell in layout.empty]
        self._picture.draw(layout.width, layout.height, _core.GRID_GAP_COLOR, scenes, [], out)
        return out
