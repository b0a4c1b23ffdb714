"""A window that shows one game of a pool, with pause, single step, speed and a look into what the agent sees and does.

Drawing needs the module pufferc_draw_window (see `pufferc.render`) and a display. A process has one window at a time,
and uses it from the thread that opened it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pufferc import _errors
from pufferc.render import (
    DrawingUnavailable,
    Renderer,
    check_size,
    drawing_module,
    frames_per_second,
    world_size,
)
from pufferc.vector import VecEnv

__all__ = ["HELP", "KEYS", "Screen", "Seen", "Viewer"]

# Names of keys, as raylib numbers them; letters and digits are their own ASCII codes.
KEYS = {
    "space": 32, "-": 45, ".": 46, "=": 61, "[": 91, "]": 93, "escape": 256, "enter": 257, "tab": 258, "right": 262,
    "left": 263, "down": 264, "up": 265, "keypad-": 333, "keypad+": 334,
    **{c.lower(): ord(c) for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"},
}  # fmt: skip

HELP = (
    "space   pause, go on",
    "n       one step, then pause",
    "+ -     faster, slower",
    "f       fast-forward",
    "[ ]     another game",
    "o       what the agent sees",
    "h       this help",
    "q esc   close",
)

_BACKGROUND = 0x0E1015FF
_PANEL = 0x0B0D12EC
_TEXT, _DIM, _MARK = 0xE8EAF0FF, 0x9AA3B5FF, 0xF2B134FF
_TEXT_PX = 15.0
_SPEEDS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
_REFRESH_S = 1.0 / 60.0
_CATCH_UP_S = 0.05  # of lateness that the next steps make up for
_MAX_LINES = 24
_NOTE_S = 2.0


@dataclass
class Seen:
    """What the overlay shows, for all N rows of the pool; None leaves a line out."""

    observations: NDArray[Any] | None = None  # [N, O...]
    actions: NDArray[Any] | None = None  # [N] or [N, A]
    values: NDArray[np.float32] | None = None  # [N]
    rewards: NDArray[np.float32] | None = None  # [N]


def _number(value: Any) -> str:
    return f"{float(value):.3g}" if isinstance(value, (float, np.floating)) else str(int(value))


def _values_text(values: NDArray[Any]) -> str:
    if values.size <= 4:
        return " ".join(_number(v) for v in values)
    return f"{values.size} values in [{_number(values.min())}, {_number(values.max())}]"


class Viewer:
    """Opens the window. Call `show` after every reset and step; it returns when the next step is due.

    Args:
        envs: The pool; it must have been reset before the first `show`.
        fps: Steps per second at speed 1, in [0.1, 1000]. Default: as the game is meant to look.
        size: (width, height) of the window in pixels, both in [16, 4096]. Default: 960 x 720 at most, in the game's
            proportions.
        paused: Begin paused.

    Attributes:
        closed: The window was closed, by the user or `close`. From then on `show` returns at once.
        game: The game that is shown; its first row is the overlay's.
        pressed: Keys pressed since the last `show` returned, as numbers of `KEYS`.
        hints: Lines that the help shows first, on what the user's own keys do.
        player: Who plays, for the line of state; empty: not said.

    Raises:
        ValueError, TypeError: fps or size does not fit.
        DrawingUnavailable: No window module, no display, or another window is open; the message says which.
    """

    def __init__(
        self, envs: VecEnv, *, fps: float | None = None, size: tuple[int, int] | None = None, paused: bool = False
    ) -> None:
        self._fps = frames_per_second(envs) if fps is None else _errors.real("fps", fps, 0.1, 1000.0)
        self._envs, self._pool = envs, envs._pool
        self._table = envs.info.observation
        self._module = drawing_module("window")
        world = world_size(self._pool)
        scale = min(960.0 / world[0], 720.0 / world[1])
        fitting = max(320, round(scale * world[0])), max(240, round(scale * world[1]))
        self._size = fitting if size is None else check_size(size)
        try:
            self._module.open(*self._size, f"pufferc: {envs.name}")
        except RuntimeError as error:
            raise DrawingUnavailable(f"no window: {error}") from None
        self.closed, self.game = False, 0
        self.pressed: list[int] = []
        self.paused, self.fast, self.overlay, self.help = paused, False, False, False
        self._speed = _SPEEDS.index(1.0)
        self._due = time.perf_counter()
        self._drawn_at, self._draw_s = 0.0, 0.0  # when the latest frame was begun, how long it took
        self._note, self._note_until = "", 0.0
        self.hints: tuple[str, ...] = ()
        self.player = ""

    @property
    def speed(self) -> float:
        """Steps per second as a multiple of the game's own."""
        return _SPEEDS[self._speed]

    def show(self, seen: Seen | None = None) -> bool:
        """Show the games as they are; wait until the next step is due. False when the window is closed."""
        self.pressed = []
        now = time.perf_counter()
        period = 1.0 / (self._fps * self.speed)
        if not self._hurried(period) or now - self._drawn_at >= _REFRESH_S:
            self._refresh(seen)
        self._due = max(self._due + period, now - _CATCH_UP_S)
        stepping = False
        while not self.closed and not stepping and (self.paused or not (self.fast or self._left() <= 0.0)):
            time.sleep(max(0.0, min(self._left(), _REFRESH_S)) if not self.paused else _REFRESH_S)
            if self.paused or self._time_to_draw():
                stepping = self._refresh(seen)
        if self.paused:
            self._due = time.perf_counter()
        return not self.closed

    def _hurried(self, period: float) -> bool:
        """Whether steps come faster than a screen shows them; then not each one is drawn."""
        return self.fast or period < 0.99 * _REFRESH_S

    def _left(self) -> float:
        """Seconds until the next step is due."""
        return self._due - time.perf_counter()

    def _time_to_draw(self) -> bool:
        """Whether to draw once more, for keys and notes, before the next step; not where that would make it late."""
        return time.perf_counter() - self._drawn_at >= _REFRESH_S and self._left() > 2.0 * self._draw_s

    def note(self, text: str) -> None:
        """Show a line of text for two seconds."""
        self._note, self._note_until = text, time.perf_counter() + _NOTE_S

    def held(self, key: str) -> bool:
        """Whether a key is down, by its name in `KEYS`."""
        return not self.closed and self._module.key_down(KEYS[key])

    def picture(self, seen: Seen | None = None) -> NDArray[np.uint8]:
        """What the window shows, uint8 [H, W, 3]. Raises RuntimeError when it is closed."""
        if self.closed:
            raise RuntimeError("the window is closed")
        out = np.empty((self._size[1], self._size[0], 3), np.uint8)
        self._draw(seen, out)
        return out

    def close(self) -> None:
        """Close the window; allowed more than once."""
        if not self.closed:
            self._module.close()
            self.closed = True

    def __enter__(self) -> Viewer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- keys and drawing -----------------------------------------------------------------------------

    def _refresh(self, seen: Seen | None) -> bool:
        """Draw, then take in keys; True if the user asked for a single step."""
        if self.closed:
            return False
        began = time.perf_counter()
        self._draw(seen, None)
        self._drawn_at = began
        self._draw_s = time.perf_counter() - began
        closing, self._size, keys = self._module.poll()
        self.pressed += keys
        step = False
        for key in keys:
            step = self._handle(key) or step
        if closing:
            self.close()
        return step

    def _handle(self, key: int) -> bool:
        """Do what a key asks for; True for a single step."""
        if key in (KEYS["escape"], KEYS["q"]):
            self.close()
        elif key == KEYS["space"]:
            self.paused = not self.paused
        elif key == KEYS["n"]:
            self.paused = True
            return True
        elif key in (KEYS["="], KEYS["keypad+"]):
            self._speed = min(self._speed + 1, len(_SPEEDS) - 1)
        elif key in (KEYS["-"], KEYS["keypad-"]):
            self._speed = max(self._speed - 1, 0)
        elif key == KEYS["f"]:
            self.fast = not self.fast
        elif key in (KEYS["["], KEYS["]"]):
            self.game = (self.game + (1 if key == KEYS["]"] else -1)) % self._envs.num_games
        elif key == KEYS["o"]:
            self.overlay = not self.overlay
        elif key == KEYS["h"]:
            self.help = not self.help
        return False

    def _draw(self, seen: Seen | None, out: NDArray[np.uint8] | None) -> None:
        width, height = self._size
        marks: list[tuple[float, float, float, float, int, str]] = []
        lines = self._lines(seen or Seen()) if self.overlay else []
        help_lines = [(line, _MARK) for line in self.hints] + [(line, _TEXT) for line in HELP] if self.help else []
        if help_lines and len(lines) + len(help_lines) + 2 > height / (1.4 * _TEXT_PX):
            lines = []  # no room for both
        if lines:
            marks += self._panel(8.0, 8.0, lines)
        if help_lines:
            top = height - 8.0 - 1.4 * _TEXT_PX * (len(help_lines) + 0.6)
            marks += self._panel(8.0, max(8.0, top), help_lines)
        status = self._status()
        if status:
            wide = 0.6 * _TEXT_PX * len(status)
            marks += self._panel(max(8.0, width - wide - 28.0), height - 8.0 - 1.4 * _TEXT_PX * 1.6, [(status, _MARK)])
        scene = (self._pool, self.game, 0.0, 0.0, float(width), float(height))
        self._module.frame(width, height, _BACKGROUND, [scene], marks, out)

    def _status(self) -> str:
        parts = ["paused"] if self.paused else ["fast-forward"] if self.fast else []
        if self.speed != 1.0:
            parts.append(f"speed x{self.speed:g}")
        if self._envs.num_games > 1:
            parts.append(f"game {self.game}")
        if self.player:
            parts.append(self.player)
        if time.perf_counter() < self._note_until:
            parts.append(self._note)
        return "  ".join(parts)

    def _panel(
        self, x: float, y: float, lines: list[tuple[str, int]]
    ) -> list[tuple[float, float, float, float, int, str]]:
        step = 1.4 * _TEXT_PX
        wide = 0.6 * _TEXT_PX * max(len(text) for text, _ in lines) + 20.0
        marks = [(x, y, wide, step * (len(lines) + 0.6), _PANEL, "")]
        marks += [(x + 10.0, y + step * (i + 0.5), 0.0, _TEXT_PX, color, text) for i, (text, color) in enumerate(lines)]
        return marks

    def _lines(self, seen: Seen) -> list[tuple[str, int]]:
        row = self.game * self._envs.agents
        wide = max(12, *(len(entry.name) + 1 for entry in self._table))
        lines = [(f"row {row}", _MARK)]
        for name, part in (("action", seen.actions), ("value", seen.values), ("reward", seen.rewards)):
            if part is not None:
                lines.append((f"{name:<{wide}} {_values_text(np.atleast_1d(part[row]))}", _TEXT))
        if seen.observations is not None:
            flat = np.asarray(seen.observations[row]).reshape(-1)
            start = 0
            for entry in self._table:
                stop = start + entry.count if entry.count else flat.size
                lines.append((f"{entry.name:<{wide}} {_values_text(flat[start:stop])}", _DIM))
                start = stop
        return lines[:_MAX_LINES]


class Screen:
    """What `render_mode` asks for: pictures ("rgb_array") or a window ("human"), made when first shown.

    Args:
        envs: The pool.
        mode: "rgb_array" or "human".
        games: How many games one picture shows, in a grid. A window shows one, and keys choose which.
    """

    MODES = ("human", "rgb_array")

    def __init__(self, envs: VecEnv, mode: str, games: int = 1) -> None:
        self._envs, self._mode = envs, _errors.choice("render_mode", mode, self.MODES)
        self._games = _errors.integer("render_games", games, 1, envs.num_games)
        self._renderer: Renderer | None = None
        self._viewer: Viewer | None = None

    def show(self, seen: Seen | None = None) -> NDArray[np.uint8] | None:
        """The picture uint8 [H, W, 3]; or None, after the window has shown it and the next step is due.

        Once its user has closed the window, nothing is shown any more.
        """
        if self._mode == "rgb_array":
            self._renderer = self._renderer or Renderer(self._envs, games=self._games)
            return self._renderer.render()
        self._viewer = self._viewer or Viewer(self._envs)
        self._viewer.show(seen)
        return None

    def each(self) -> tuple[NDArray[np.uint8], ...]:
        """A picture uint8 [H, W, 3] for each row of the pool; rows of one game share theirs."""
        renderer = self._renderer = self._renderer or Renderer(self._envs)
        pictures = [renderer.render(first=game) for game in range(self._envs.num_games)]
        return tuple(picture for picture in pictures for _ in range(self._envs.agents))

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._viewer is not None:
            self._viewer.close()
