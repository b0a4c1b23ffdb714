"""A window that shows one game of a pool, with pause, single step, speed control and a panel for observations.

A bar is below the game; a key opens a panel beside it (`pufferc.pictures.panel`). A window shows the same picture as
`pufferc.pictures.renderer.Renderer`. It needs a display and the module pufferc_draw_window.so beside the compiled core,
which is built if raylib and GLFW are found, and loaded for the first window. A process can have one window at a time
and must use it from the thread that opened it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pufferc import _core, errors
from pufferc.pictures.panel import BACKGROUND, BAR_PX, Mark, Seen, bar_marks, keys_marks, row_name, seen_marks, split
from pufferc.pictures.pool_view import PoolView
from pufferc.pictures.renderer import DrawingUnavailable, Scene, check_size, world_size

__all__ = ["HELP", "KEYS", "Seen", "Viewer", "has_windows", "why_no_windows"]

# Names of keys and their raylib numbers; letters and digits have their ASCII codes.
KEYS = {
    "space": 32, "-": 45, ".": 46, "=": 61, "[": 91, "]": 93, "escape": 256, "enter": 257, "tab": 258, "right": 262,
    "left": 263, "down": 264, "up": 265, "pageup": 266, "pagedown": 267, "keypad-": 333, "keypad+": 334,
    **{c.lower(): ord(c) for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"},
}  # fmt: skip

HELP = (
    ("space", "pause, resume"),
    ("n", "one step; hold for more"),
    ("+ -", "faster, slower"),
    ("f", "full speed"),
    ("[ ]", "another game or agent"),
    ("o", "observations and actions"),
    ("h", "this help"),
    ("q esc", "close"),
)

_BAR = (  # most important first
    ("h", "help"), ("space", "pause"), ("n", "step"), ("+ -", "speed"), ("o", "agent"), ("q", "close"),
)  # fmt: skip
_SHOWN_AS = {"+": "=", "esc": "escape"}  # displayed names that differ from KEYS
_SPARE = {"space": "p", "q": "esc"}  # alternatives for keys that a game uses itself
_SPEEDS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
_REFRESH_S = 1.0 / 60.0
_CATCH_UP_S = 0.05  # maximum delay that later steps make up for
_NOTE_S = 2.0
_REPEAT_S = 0.4, 0.1  # key repeat: first delay, then interval
_NOT_BUILT = (
    "no windows: pufferc was built without raylib 6.0 or without GLFW (Debian: apt-get install libglfw3-dev). "
    "Fetch raylib's source with third_party/fetch_raylib.sh, or set PUFFERC_RAYLIB_SOURCE=FOLDER; then build pufferc "
    "again"
)


def _module_path() -> Path:
    return Path(_core.__file__).with_name("pufferc_draw_window.so")


def has_windows() -> bool:
    """Whether the window module was built. Does not load it."""
    return _module_path().exists()


def why_no_windows() -> str | None:
    """Why this build cannot open windows, or None. Loads the window module but opens no window."""
    if not has_windows():
        return _NOT_BUILT
    try:
        _core.load_window_module(str(_module_path()))
    except ImportError as error:
        return f"no windows: {error}"
    return None


def _open(size: tuple[int, int], title: str) -> _core.Window:
    if (reason := why_no_windows()) is not None:
        raise DrawingUnavailable(reason)
    try:
        return _core.Window(*size, title, str(_module_path()))
    except RuntimeError as error:
        raise DrawingUnavailable(str(error)) from None


class Viewer:
    """Opens the window. Call `show` after every reset and step; it returns when the next step is due.

    Args:
        envs: The pool, which must have been reset.
        fps: Steps per second at speed 1, in [0.1, 1000]. Default: the game's fps.
        size: (width, height) of the window in pixels, both in [16, 4096]. Default: at most 960 x 720 for the game, in
            its aspect ratio, plus the bar.
        paused: Start paused.

    Attributes:
        closed: The window was closed by the user or by `close`. `show` then returns immediately.
        env: The pool row whose game and panel are shown. With several agents in one game, the picture follows this
            one.
        pressed: Keys pressed since the last `show` returned, as numbers of `KEYS`.
        clicked: The latest left click in the game's picture since the last `show` returned, as fractions of its width
            and height; None = no click.
        hints: (keys, meaning) of the caller's keys, which the help shows first.
        taken: The caller's keys, as numbers of `KEYS`. The window ignores them, except that escape always closes it.
        player: Name of the player for the bar; may be empty.

    Raises:
        ValueError, TypeError: fps or size is invalid.
        DrawingUnavailable: No window module, no display, or another window is open; the message says which.
    """

    def __init__(
        self, envs: PoolView, *, fps: float | None = None, size: tuple[int, int] | None = None, paused: bool = False
    ) -> None:
        self._fps = envs.fps if fps is None else errors.real("fps", fps, 0.1, 1000.0)
        self._envs = envs
        self._world = world = world_size(envs)
        scale = min(960.0 / world[0], 720.0 / world[1])
        fitting = max(320, round(scale * world[0])), max(240, round(scale * world[1])) + round(BAR_PX)
        self._size = fitting if size is None else check_size(size)
        self._window = _open(self._size, f"pufferc: {envs.title}")
        self.closed, self.env = False, 0
        self.pressed: list[int] = []
        self.clicked: tuple[float, float] | None = None
        self.paused, self.fast, self.overlay, self.help = paused, False, False, False
        self._speed = _SPEEDS.index(1.0)
        self._due = time.perf_counter()
        self._drawn_at, self._draw_s = 0.0, 0.0  # start and duration of the latest frame
        self._note, self._note_until = "", 0.0
        self._stepped_at, self._holding = 0.0, False  # when "n" last counted as pressed, and whether it is still held
        self.hints: tuple[tuple[str, str], ...] = ()
        self.taken: set[int] = set()
        self.player = ""

    @property
    def speed(self) -> float:
        """Speed as a multiple of fps."""
        return _SPEEDS[self._speed]

    def show(self, seen: Seen | None = None) -> bool:
        """Show the games and wait until the next step is due. False if the window is closed."""
        self.pressed, self.clicked = [], None
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

    def wait(self, until: Callable[[], bool], seen: Seen | None = None) -> bool:
        """Show the games until a condition is true. False if the window is closed.

        `pressed` and `clicked` collect input, also that of the last `show`, for the condition to read. The next step is
        due one period after the wait.
        """
        while not self.closed and not until():
            self._refresh(seen)
            time.sleep(max(0.0, _REFRESH_S - self._draw_s))
        self._due = time.perf_counter()
        return not self.closed

    def linger(self, seconds: float, seen: Seen | None = None) -> bool:
        """Show the games for `seconds` at speed 1, but not in fast-forward or pause. False if it is closed."""
        until = time.perf_counter() + seconds / self.speed
        while not (self.closed or self.fast or self.paused) and time.perf_counter() < until:
            self._refresh(seen)
            time.sleep(max(0.0, min(_REFRESH_S - self._draw_s, until - time.perf_counter())))
        self._due = time.perf_counter()
        return not self.closed

    def _hurried(self, period: float) -> bool:
        """Whether steps are faster than the screen's refresh rate, so that some are not drawn."""
        return self.fast or period < 0.99 * _REFRESH_S

    def _left(self) -> float:
        """Seconds until the next step is due."""
        return self._due - time.perf_counter()

    def _time_to_draw(self) -> bool:
        """Whether there is time to draw again, for keys and notes, before the next step."""
        return time.perf_counter() - self._drawn_at >= _REFRESH_S and self._left() > 2.0 * self._draw_s

    def note(self, text: str) -> None:
        """Show a line of text for two seconds."""
        self._note, self._note_until = text, time.perf_counter() + _NOTE_S

    def held(self, key: str) -> bool:
        """Whether a key is down, by its name in `KEYS`."""
        return not self.closed and self._window.key_down(KEYS[key])

    def picture(self, seen: Seen | None = None) -> NDArray[np.uint8]:
        """The window's contents, uint8 [H, W, 3]. Raises RuntimeError if it is closed."""
        if self.closed:
            raise RuntimeError("the window is closed")
        out = np.empty((self._size[1], self._size[0], 3), np.uint8)
        self._draw(seen, out)
        return out

    def close(self) -> None:
        """Close the window. May be called more than once."""
        if not self.closed:
            self._window.close()
            self.closed = True

    def __enter__(self) -> Viewer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- keys and drawing -----------------------------------------------------------------------------

    def _refresh(self, seen: Seen | None) -> bool:
        """Draw, then read keys. True if the user requested a single step."""
        if self.closed:
            return False
        began = time.perf_counter()
        self._draw(seen, None)
        self._drawn_at = began
        self._draw_s = time.perf_counter() - began
        closing, self._size, keys, click = self._window.poll()
        self.pressed += keys
        if click is not None:
            self.clicked = self._in_game(click) or self.clicked
        step = False
        for key in keys:
            step = self._handle(key) or step
        step = step or self._held_step()
        if closing:
            self.close()
        return step

    def _in_game(self, click: tuple[float, float]) -> tuple[float, float] | None:
        """A position in the window as fractions of the game's picture; None outside."""
        left, top, width, height = split(self._size, self._world, self.help or self.overlay).game
        scale = min(width / self._world[0], height / self._world[1])
        across, down = scale * self._world[0], scale * self._world[1]
        x = (click[0] - left - 0.5 * (width - across)) / across
        y = (click[1] - top - 0.5 * (height - down)) / down
        return (x, y) if 0.0 <= x <= 1.0 and 0.0 <= y <= 1.0 else None

    def _handle(self, key: int) -> bool:
        """Handle a key. True for a single step."""
        if key in self.taken and key != KEYS["escape"]:
            return False
        if key in (KEYS["escape"], KEYS["q"]):
            self.close()
        elif key in (KEYS["space"], KEYS["p"]):
            self.paused = not self.paused
        elif key == KEYS["n"]:
            self.paused, self._holding = True, False
            self._stepped_at = time.perf_counter()
            return True
        elif key in (KEYS["="], KEYS["keypad+"]):
            self._speed = min(self._speed + 1, len(_SPEEDS) - 1)
        elif key in (KEYS["-"], KEYS["keypad-"]):
            self._speed = max(self._speed - 1, 0)
        elif key == KEYS["f"]:
            self.fast = not self.fast
        elif key in (KEYS["["], KEYS["pageup"], KEYS["]"], KEYS["pagedown"]):
            forward = key in (KEYS["]"], KEYS["pagedown"])
            self.env = (self.env + (1 if forward else -1)) % (self._envs.num_games * self._envs.agents)
        elif key == KEYS["o"]:
            self.overlay, self.help = self.help or not self.overlay, False
        elif key == KEYS["h"]:
            self.help = not self.help
        return False

    def _held_step(self) -> bool:
        """Whether "n" has been held long enough to repeat."""
        if not self.paused or KEYS["n"] in self.taken or not self.held("n"):
            return False
        if time.perf_counter() - self._stepped_at < _REPEAT_S[self._holding]:
            return False
        self._stepped_at, self._holding = time.perf_counter(), True
        return True

    def _draw(self, seen: Seen | None, out: NDArray[np.uint8] | None) -> None:
        width, height = self._size
        panel = self.help or self.overlay
        divided = split(self._size, self._world, panel)
        marks: list[Mark] = []
        if self.help:
            marks = keys_marks(divided, [("play", self.hints), ("window", self._window_keys())])
        elif self.overlay:
            marks = seen_marks(divided, self._envs, self.env, seen or Seen())
        marks += bar_marks(divided, self._bar_hints(), self._status())
        game, agent = divmod(self.env, self._envs.agents)
        scenes: list[Scene] = [(self._envs.core, game, *divided.game, agent)]
        self._window.draw(width, height, BACKGROUND, scenes, marks, out)

    def _own(self, keys: str) -> str:
        """The window keys among `keys` that the game does not use, or their alternatives."""
        words = [word if self._is_free(word) else _SPARE.get(word, "") for word in keys.split()]
        return " ".join(dict.fromkeys(word for word in words if word and self._is_free(word)))

    def _is_free(self, word: str) -> bool:
        return word == "esc" or KEYS[_SHOWN_AS.get(word, word)] not in self.taken

    def _window_keys(self) -> list[tuple[str, str]]:
        lines = [(self._own(keys), meaning) for keys, meaning in HELP]
        return [(keys, meaning) for keys, meaning in lines if keys]

    def _bar_hints(self) -> list[str]:
        keys = " ".join(keys.split(" ")[0] for keys, _ in self.hints)
        hints = [f"{own} {meaning}" for words, meaning in _BAR if (own := self._own(words))]
        return [*hints[:1], *([f"{keys} play"] if keys else []), *hints[1:]]

    def _status(self) -> str:
        parts = ["paused"] if self.paused else ["fast-forward"] if self.fast else []
        if self.speed != 1.0:
            parts.append(f"speed x{self.speed:g}")
        parts += [part for part in (row_name(self._envs, self.env), self.player) if part]
        if time.perf_counter() < self._note_until:
            parts.append(self._note)
        return "  ".join(parts)
