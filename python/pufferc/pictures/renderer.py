"""Pictures of games: one game, or a grid of the first k games of a pool, as an array uint8 [H, W, 3].

Drawing needs the module pufferc_draw_headless, which lies beside the compiled core where raylib was found when the
package was built. It is loaded by the first picture; it needs no display, no GPU and no OpenGL. Importing pufferc or
stepping games never touches it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pufferc import _core, errors

if TYPE_CHECKING:
    from pufferc.envs.vector import VecEnv

__all__ = [
    "DrawingUnavailable",
    "Layout",
    "Renderer",
    "drawing_module",
    "grid_layout",
    "why_missing",
    "world_size",
]

MIN_SIDE_PX, MAX_SIDE_PX = 16, 4096
DEFAULT_SIZE_PX = (640, 480)
_NO_RAYLIB = (
    "pufferc was built without raylib 6.0. third_party/fetch_raylib.sh fetches its source, "
    "PUFFERC_RAYLIB_SOURCE=FOLDER names one; then build pufferc again"
)
_NO_GLFW = "pufferc was built without GLFW (Debian: apt-get install libglfw3-dev); then build pufferc again"

# A game of a pool, or nothing, in a cell x, y, width, height; of a game of several agents, whom to follow.
Scene = tuple[_core.Pool | None, int, float, float, float, float, int]


class DrawingUnavailable(RuntimeError):
    """Pictures or windows cannot be had here; the message says what is missing and how to get it."""


def _module_path(kind: str) -> Path:
    return Path(_core.__file__).with_name(f"pufferc_draw_{kind}.so")


def why_missing(kind: str) -> str | None:
    """Why pictures ("headless") or windows ("window") cannot be had, None where they can. Loads the module to see."""
    try:
        drawing_module(kind)
    except DrawingUnavailable as error:
        return str(error)
    return None


def can_draw(kind: str) -> bool:
    """Whether "headless" pictures or a "window" were built in; loads nothing."""
    return _module_path(kind).exists()


@lru_cache(maxsize=2)
def drawing_module(kind: str) -> _core.DrawModule:
    """The drawing module "headless" or "window", loaded once per process. Raises DrawingUnavailable."""
    path, what = _module_path(kind), {"headless": "pictures", "window": "windows"}[kind]
    if not path.exists():
        found_raylib = kind == "window" and can_draw("headless")
        raise DrawingUnavailable(f"no {what}: {_NO_GLFW if found_raylib else _NO_RAYLIB}")
    try:
        module = _core.DrawModule(str(path))
    except ImportError as error:
        raise DrawingUnavailable(f"no {what}: {error}") from None
    if kind == "headless":
        module.open(*DEFAULT_SIZE_PX, "")
    return module


def world_size(pool: _core.Pool) -> tuple[float, float]:
    """Width and height of the game's world in its own units. Raises DrawingUnavailable if it does not draw itself."""
    try:
        return _core.world_size(pool, 0)
    except NotImplementedError as error:
        raise DrawingUnavailable(str(error)) from None


@dataclass(frozen=True)
class Layout:
    """Where games go in a picture: `cells` are (x, y, width, height) in pixels, one per game.

    `empty` are those of the last row that no game is in.
    """

    width: int
    height: int
    cells: tuple[tuple[float, float, float, float], ...]
    empty: tuple[tuple[float, float, float, float], ...] = ()


def check_size(size: tuple[int, int]) -> tuple[int, int]:
    try:
        width, height = size
    except (TypeError, ValueError):
        raise TypeError(f"size must be (width, height) in pixels, got {size!r}") from None
    return (
        errors.integer("width", width, MIN_SIDE_PX, MAX_SIDE_PX),
        errors.integer("height", height, MIN_SIDE_PX, MAX_SIDE_PX),
    )


def grid_layout(count: int, world: tuple[float, float], box: tuple[int, int], *, exact: bool = False) -> Layout:
    """The layout that shows `count` worlds of one size largest.

    Args:
        count: Number of games.
        world: Width and height of a game's world in its own units.
        box: Width and height that the picture must not exceed, in pixels.
        exact: The picture fills the box; else it is cut to its contents, with even sides, as video formats like them.
    """
    width, height, cells = _core.grid(count, world, box, exact)
    return Layout(width, height, tuple(cells[:count]), tuple(cells[count:]))


class Renderer:
    """Draws games of a pool into memory.

    Args:
        envs: The pool. Not between its send and recv, and not in two threads at once.
        games: How many of its games to show, the first ones, in a grid.
        size: (width, height) of the picture in pixels, both in [16, 4096]. Default: as large as fits 640 x 480 with the
            game's own proportions and even sides.

    Raises:
        DrawingUnavailable: This build has no drawing module.
    """

    def __init__(self, envs: VecEnv, *, games: int = 1, size: tuple[int, int] | None = None) -> None:
        self._games, self._total = errors.integer("games", games, 1, envs.num_games), envs.num_games
        self._size = None if size is None else check_size(size)
        self._module = drawing_module("headless")
        self._pool = envs._pool

    @cached_property
    def layout(self) -> Layout:
        """Size of every picture and where the games go in it. The pool must have been reset."""
        world = world_size(self._pool)
        return grid_layout(self._games, world, self._size or DEFAULT_SIZE_PX, exact=self._size is not None)

    def render(self, out: NDArray[np.uint8] | None = None, *, first: int = 0) -> NDArray[np.uint8]:
        """Draw the games as they are now.

        Args:
            out: uint8 [height, width, 3], contiguous, to write into; default: a new array.
            first: The first game shown; the others follow it.

        Returns:
            The picture uint8 [height, width, 3], red, green, blue, top row first. It belongs to the caller.
        """
        layout = self.layout
        if out is None:
            out = np.empty((layout.height, layout.width, 3), np.uint8)
        first = errors.integer("first", first, 0, self._total - self._games)
        scenes: list[Scene] = [(self._pool, first + i, *cell, 0) for i, cell in enumerate(layout.cells)]
        scenes += [(None, 0, *cell, 0) for cell in layout.empty]
        self._module.frame(layout.width, layout.height, _core.GRID_GAP_COLOR, scenes, [], out)
        return out
