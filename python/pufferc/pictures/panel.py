"""Layout of a window around the game: a panel with observations and actions or with the keys, and a bar below.

This module only computes positions. A `Mark` is a rectangle, or a line of text if its text is not empty, for
`pufferc._core.Picture.draw`. The panel covers the game only if the window is too small for both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from pufferc.pictures.pool_view import PoolView

__all__ = ["BACKGROUND", "BAR_PX", "Mark", "Rect", "Seen", "Split", "bar_marks", "keys_marks", "seen_marks", "split"]

Mark = tuple[float, float, float, float, int, str]  # x, y, width, height, 0xRRGGBBAA, text; height is the text size
Rect = tuple[float, float, float, float]  # x, y, width, height in pixels

BACKGROUND = 0x181B24FF
BAR_PX = 28.0
PANEL_PX = 300.0
_COVER = 0x181B24E6
_INK, _DIM, _MARK, _TRACK = 0xE8EBF2FF, 0x8A93A8FF, 0xF2B134FF, 0x323A4DFF
_LOW, _DARK, _NONE = 0x3FB6D3FF, 0x262B38FF, 0xE5484DFF  # map cells: negative, 0, NaN
_TEXT_PX, _LINE_PX, _PAD_PX = 14.0, 20.0, 14.0
_CHARACTER_PX = 0.6 * _TEXT_PX
_METER_PX = 56.0
_MIN_GAME_PX = 160.0  # minimum longer side of the game beside a panel
_MIN_BAR_HEIGHT_PX = 160.0
_CELL_PX = (3.0, 12.0)  # smallest and largest side of a map cell
_GAP_PX = 8.0  # below a map
_LISTED = 4  # an entry with up to this many values is text, else a map


@dataclass
class Seen:
    """Contents of the panel for all N rows of the pool; None omits a line."""

    observations: NDArray[Any] | None = None  # [N, O...]
    actions: NDArray[Any] | None = None  # [N] or [N, A]
    values: NDArray[np.float32] | None = None  # [N]
    rewards: NDArray[np.float32] | None = None  # [N]


@dataclass(frozen=True)
class Split:
    """The parts of a window. `covers`: the panel covers the game, because there is no room beside it."""

    game: Rect
    panel: Rect | None
    bar: Rect | None
    covers: bool = False


def split(size: tuple[int, int], world: tuple[float, float], panel: bool) -> Split:
    """Divides a window.

    Args:
        size: (width, height) of the window in pixels.
        world: (width, height) of the game in its own units.
        panel: Reserve a panel, at the right or below, whichever leaves more room for the game.
    """
    width, height = float(size[0]), float(size[1])
    bar = (0.0, height - BAR_PX, width, BAR_PX) if height >= _MIN_BAR_HEIGHT_PX else None
    height -= BAR_PX if bar else 0.0
    if not panel:
        return Split((0.0, 0.0, width, height), None, bar)
    tall = min(height, math.floor(width * world[1] / world[0]))  # the game's height with the panel below
    below = min(max(height - tall, 11.0 * _LINE_PX), height - 1.0)
    beside_scale = min((width - PANEL_PX) / world[0], height / world[1])
    below_scale = min(width / world[0], (height - below) / world[1])
    if max(beside_scale, below_scale) * max(world) < _MIN_GAME_PX:
        return Split((0.0, 0.0, width, height), (0.0, 0.0, min(PANEL_PX, width), height), bar, covers=True)
    if beside_scale >= below_scale:
        return Split((0.0, 0.0, width - PANEL_PX, height), (width - PANEL_PX, 0.0, PANEL_PX, height), bar)
    return Split((0.0, 0.0, width, height - below), (0.0, height - below, width, below), bar)


# ---- the panel --------------------------------------------------------------------------------------------


class _Column:
    """Lays out lines from top to bottom in as many columns as fit. Lines that do not fit are omitted."""

    def __init__(self, rect: Rect) -> None:
        self._left, self._top = rect[0] + _PAD_PX, rect[1] + _PAD_PX
        self._right, self._bottom = rect[0] + rect[2], rect[1] + rect[3] - 0.5 * _PAD_PX
        self.wide = min(PANEL_PX, rect[2]) - 2.0 * _PAD_PX
        self._x, self._y = self._left, self._top
        self.marks: list[Mark] = []

    def room(self, height: float) -> tuple[float, float] | None:
        """Reserves this height. Returns the upper left corner, or None if there is no room."""
        if self._y + height > self._bottom and not self._next_column():
            self._y = self._bottom  # later lines must not fill this gap, which would be out of order
        if self._y + height > self._bottom:
            return None
        corner = self._x, self._y
        self._y += height
        return corner

    def _next_column(self) -> bool:
        """Moves to the next column; False if there is none."""
        if self._x + 2.0 * (self.wide + _PAD_PX) > self._right:
            return False
        self._x, self._y = self._x + self.wide + 2.0 * _PAD_PX, self._top
        return True

    @property
    def left_px(self) -> float:
        """The rest of this column."""
        return self._bottom - self._y

    def space(self, height: float) -> None:
        if self._y > self._top:
            self._y += height

    def line(self, left: str, right: str, color: int, meter: float | None = None) -> None:
        """Text at the left and right. `meter`: a position in [0, 1] on a scale behind the text."""
        at = self.room(_LINE_PX)
        if at is None:
            return
        end = at[0] + self.wide - (0.0 if meter is None else _METER_PX + 10.0)
        start = end - _CHARACTER_PX * len(right)
        fitting = max(1, int((start - at[0]) / _CHARACTER_PX)) if right else len(left)
        self.marks.append((at[0], at[1], 0.0, _TEXT_PX, _DIM if right else color, left[:fitting]))
        if right:
            self.marks.append((start, at[1], 0.0, _TEXT_PX, color, right))
        if meter is not None:
            x, y = end + 10.0, at[1] + 0.5 * _TEXT_PX - 3.0
            self.marks.append((x, y + 1.0, _METER_PX, 4.0, _TRACK, ""))
            self.marks.append((x + meter * (_METER_PX - 6.0), y - 1.0, 6.0, 8.0, _MARK, ""))

    def map(self, values: NDArray[Any], columns: int, low: float, high: float) -> None:
        """One coloured cell for each value, in row order."""
        rows = -(-values.size // columns)
        best = min(_CELL_PX[1], math.floor(self.wide / columns))
        side = min(best, math.floor((self.left_px - _GAP_PX) / rows))
        if side < best and self._next_column():
            side = min(best, math.floor((self.left_px - _GAP_PX) / rows))
        at = self.room(rows * side + _GAP_PX) if side >= _CELL_PX[0] else None
        if at is None:
            return
        gap = 1.0 if side >= 5.0 else 0.0
        for i, value in enumerate(values):
            x, y = at[0] + side * (i % columns), at[1] + side * (i // columns)
            self.marks.append((x, y, side - gap, side - gap, _shade(float(value), low, high), ""))


def _shade(value: float, low: float, high: float) -> int:
    """A colour from dark to gold; for a signed range, from blue through dark to gold."""
    if not math.isfinite(value):
        return _NONE
    signed = low < 0.0 < high
    largest = max(-low, high) if signed else high - low
    share = (value if signed else value - low) / largest if largest > 0.0 else 0.0
    end, share = (_MARK if share >= 0.0 else _LOW), min(1.0, abs(share))
    color = 0xFF
    for shift in (8, 16, 24):
        color |= int((1.0 - share) * (_DARK >> shift & 255) + share * (end >> shift & 255)) << shift
    return color


def _number(value: Any) -> str:
    """At most eight characters, with a fixed number of decimals so that text does not jump between steps."""
    if isinstance(value, (float, np.floating)):
        return f"{value:.3f}" if abs(value) < 1000.0 else f"{value:.3g}"
    return str(int(value))


def _place(value: float, low: float, high: float) -> float | None:
    if not (math.isfinite(value) and math.isfinite(low) and math.isfinite(high) and low < high):
        return None
    return min(1.0, max(0.0, (value - low) / (high - low)))


def _columns(count: int, last: int | None) -> int:
    """Columns of a map: the observation's last dimension, else a divisor of count, else as many as fit."""
    limit = int((PANEL_PX - 2.0 * _PAD_PX) / _CELL_PX[1])
    if last is not None:
        return last
    return next((n for n in range(min(limit, count), limit // 2 - 1, -1) if count % n == 0), min(limit, count))


def _add_entry(column: _Column, name: str, values: NDArray[Any], low: float, high: float, last: int | None) -> None:
    """One entry of the observation table, as text or as a map."""
    if values.size == 1:
        column.line(name, _number(values[0]), _INK, _place(float(values[0]), low, high))
    elif values.size <= _LISTED and values.size:
        column.line(name, " ".join(_number(v) for v in values), _INK)
    elif values.size:
        column.line(name, f"{values.size} in {_number(values.min())} to {_number(values.max())}", _INK)
        column.map(values, _columns(values.size, last), low, high)


def _add_action(column: _Column, space: gym.Space[Any], action: NDArray[Any]) -> None:
    if isinstance(space, gym.spaces.Box):
        for i, value in enumerate(action[:8]):
            name = "action" if action.size == 1 else f"action {i}"
            column.line(name, _number(value), _INK, _place(float(value), -1.0, 1.0))
        return
    counts = space.nvec if isinstance(space, gym.spaces.MultiDiscrete) else [getattr(space, "n", 0)]
    for i, (value, count) in enumerate(zip(action[:8], counts, strict=False)):
        name = "action" if action.size == 1 else f"action {i}"
        column.line(name, str(int(value)), _INK, _place(float(value), 0.0, float(count) - 1.0))


def _add_observation(column: _Column, envs: PoolView, observation: NDArray[Any]) -> None:
    flat, start = observation.reshape(-1), 0
    table = envs.observation_rows
    last = observation.shape[-1] if observation.ndim > 1 and len(table) == 1 else None
    for entry in table:
        stop = start + entry.count
        _add_entry(column, entry.name, flat[start:stop], float(entry.low), float(entry.high), last)
        start = stop


def row_name(envs: PoolView, row: int) -> str:
    """The displayed name of a row: its game, its agent, or both; empty for a single game with a single agent."""
    game, agent = divmod(row, envs.agents)
    names = [f"game {game}"] if envs.num_games > 1 else []
    return " ".join(names + ([f"agent {agent}"] if envs.agents > 1 else []))


def _cover(divided: Split, used: _Column) -> list[Mark]:
    """The background of a panel that covers the game."""
    assert divided.panel is not None
    x, y, width, height = divided.panel
    if not divided.covers or not used.marks:
        return []
    return [(x, y, width, height - max(0.0, used.left_px), _COVER, "")]


def seen_marks(divided: Split, envs: PoolView, row: int, seen: Seen) -> list[Mark]:
    """The panel for one row of the pool: action, value and reward, then each entry of the observation."""
    assert divided.panel is not None
    column = _Column(divided.panel)
    column.line(row_name(envs, row) or envs.title, "", _MARK)
    if seen.actions is not None:
        _add_action(column, envs.single_action_space, np.atleast_1d(seen.actions[row]))
    for name, part in (("value", seen.values), ("reward", seen.rewards)):
        if part is not None:
            column.line(name, _number(part[row]), _INK)
    if seen.observations is not None:
        column.space(0.5 * _LINE_PX)
        column.line("observation", "", _MARK)
        _add_observation(column, envs, np.asarray(seen.observations[row]))
    return _cover(divided, column) + column.marks


def keys_marks(divided: Split, blocks: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> list[Mark]:
    """The panel with the keys: blocks of a heading and (keys, effect)."""
    assert divided.panel is not None
    column = _Column(divided.panel)
    for heading, lines in blocks:
        if lines:
            column.space(0.5 * _LINE_PX)
            column.line(heading, "", _MARK)
        wide = max((len(keys) for keys, _ in lines), default=0) + 2
        fitting = max(0, int(column.wide / _CHARACTER_PX) - wide)
        for keys, meaning in lines:
            at = column.room(_LINE_PX)
            if at is not None:
                column.marks.append((at[0], at[1], 0.0, _TEXT_PX, _INK, keys))
                column.marks.append((at[0] + _CHARACTER_PX * wide, at[1], 0.0, _TEXT_PX, _DIM, meaning[:fitting]))
    return _cover(divided, column) + column.marks


def bar_marks(divided: Split, hints: Sequence[str], state: str) -> list[Mark]:
    """The bar: the hints that fit, from the left, and the state at the right."""
    if divided.bar is None:
        return []
    x, y, width, height = divided.bar
    top, left = y + 0.5 * (height - _TEXT_PX) + 1.0, x + _PAD_PX
    end = x + width - _PAD_PX - _CHARACTER_PX * len(state)
    marks: list[Mark] = [(max(end, left), top, 0.0, _TEXT_PX, _MARK, state)] if state else []
    for hint in hints:
        long = _CHARACTER_PX * len(hint)
        if left + long > end - 2.0 * _CHARACTER_PX:
            break
        marks.append((left, top, 0.0, _TEXT_PX, _DIM, hint))
        left += long + 2.5 * _CHARACTER_PX
    return marks
