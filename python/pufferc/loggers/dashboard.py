"""The dashboard: one panel at the bottom of a terminal, redrawn in place; messages scroll above it.

    ╭─ breakout · mlp 128 x 1 · seed 1 ──────────────────────────────────╮
    │ ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╺━━━━━━━━━━━━━━━ 73 % │
    │ steps 7.3M of 10M    speed 812k/s    elapsed 9s    eta 3s           │
    │ time               losses               game                        │
    ...

It only writes lines and moves the cursor up. It uses no alternate screen, hidden cursor or raw mode, so nothing must
be restored when a run is killed. The training thread draws it after an update, rarely enough to stay below `_SHARE` of
the run's time, but once a second at least. During longer updates a thread of its own draws it.
"""

from __future__ import annotations

import math
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.filesize import decimal
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pufferc.loggers.lines import Progress, Rate, parts
from pufferc.runs.directory import CHECKPOINT_PREFIX
from pufferc.runs.text import count, duration, short

_SHARE = 0.003  # limit of drawing, as a share of the run's time
_INTERVAL_S = 0.25
_MAX_INTERVAL_S = 1.0  # also if drawing takes a larger share, or an update takes longer
_MAX_WIDTH = 100  # columns
_BAR = 6  # max length of a bar for a share of time, in characters
_FIXED = ("update", "steps", "time_s", "sps", "learning_rate")
_EVALUATION, _VERSUS = "evaluation_", "versus_"
_MAX_OPPONENTS = 8

Row = tuple[str, ...]


def usable(stream: TextIO) -> bool:
    """Whether the stream is a terminal that can move its cursor and show the characters."""
    terminal = os.environ.get("TERM", "")
    encoding = (getattr(stream, "encoding", None) or "").lower().replace("-", "")
    return stream.isatty() and terminal not in ("", "dumb", "unknown") and encoding.startswith("utf")


def resident_bytes() -> int:
    """Memory of this process in RAM, or its peak on systems that report only that."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


class Terminal(Console):
    """A console that never hides the cursor, so that a killed process cannot leave it hidden."""

    def show_cursor(self, show: bool = True) -> bool:
        return False


class Dashboard(Progress):
    """The panel. `metrics` are the keys of the game's metrics; `gpu_bytes` returns the memory used on a GPU."""

    def __init__(
        self,
        total_steps: int,
        *,
        title: str = "",
        subtitle: str = "",
        metrics: Sequence[str] = (),
        target: float | str | None = None,
        gpu_bytes: Callable[[], int] | None = None,
        stream: TextIO | None = None,
        console: Console | None = None,
    ) -> None:
        super().__init__(total_steps, stream=stream)
        self._console = Terminal(file=self._stream, highlight=False) if console is None else console
        self._title, self._subtitle, self._target = title, subtitle, target
        self._metrics, self._gpu_bytes = list(metrics), gpu_bytes
        self._began = time.perf_counter()
        self._drawn_at, self._wait_s = -math.inf, _INTERVAL_S
        self._speed, self._shares, self._measured = 0.0, dict[str, float](), Rate()
        self._values: dict[str, float] = {}  # of the newest line that had them
        self._opponents: dict[str, list[int]] = {}  # wins, draws, losses so far, the latest opponent last
        self._steps = 0
        self._best: tuple[float, int] | None = None
        self._live: Live | None = None
        self._gone = False  # the terminal was closed
        self._drawn_columns = self._drawn_lines = 0
        self._lock = threading.RLock()  # a signal handler may call `say` in the thread that draws
        self._closing = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="pufferc-dashboard", daemon=True)

    def start(self, steps: int) -> None:
        self._steps = steps
        self._began = time.perf_counter()
        self._measured.start(steps)
        self._draw()
        self._ticker.start()

    def _tick(self) -> None:
        """Redraws once a second, unless updates do."""
        while not self._closing.wait(_MAX_INTERVAL_S / 4):
            with self._lock:
                if not self._closing.is_set() and time.perf_counter() - self._drawn_at >= _MAX_INTERVAL_S:
                    self._draw()

    def note(self, line: Mapping[str, Any], *, last: bool = False) -> None:
        with self._lock:
            self._note(line, last)

    def say(self, text: str) -> None:
        with self._lock:
            super().say(text)

    def _note(self, line: Mapping[str, Any], last: bool) -> None:
        self._measured.add(parts(line))
        self.window.add(line)
        self._steps = int(line["steps"])
        for key, value in line.items():
            if isinstance(value, (int, float)) and math.isfinite(value):
                self._values[key] = value
        for name, results in line.get("opponents", {}).items():
            before = self._opponents.pop(name, [0, 0, 0])
            self._opponents[name] = [a + b for a, b in zip(before, results, strict=True)]
        if last or time.perf_counter() - self._drawn_at >= self._wait_s:
            self._speed, self._shares = self._measured.read(self._steps)
            self._draw()

    def evaluated(self, score: float, text: str) -> None:
        if math.isfinite(score) and (self._best is None or score > self._best[0]):
            self._best = (score, self._steps)
        super().evaluated(score, text)

    def close(self) -> None:
        self._closing.set()
        if self._ticker.is_alive():
            self._ticker.join()
        live, self._live = self._live, None
        if live is not None:
            self._try(live.stop)
        super().close()

    def _write(self, text: str) -> None:
        self._try(lambda: self._console.print(text, markup=False, soft_wrap=True))

    def _try(self, write: Callable[[], None]) -> None:
        """Writes unless the terminal is gone: the end of a connection must not end the run."""
        if self._gone:
            return
        try:
            write()
        except OSError:
            self._gone, self._live = True, None

    # ---- drawing -----------------------------------------------------------------------------------------

    def _draw(self) -> None:
        """Redraws the panel; messages of signal handlers wait until it is done."""
        if self._writing:
            return
        began = time.perf_counter()
        self._writing = True
        try:
            self._try(self._refresh)
        finally:
            self._writing = False
        self._drawn_at = time.perf_counter()
        self._wait_s = min(max(_INTERVAL_S, (self._drawn_at - began) / _SHARE), _MAX_INTERVAL_S)
        if self._waiting:
            self.say(self._waiting.pop(0))

    def _refresh(self) -> None:
        columns, lines = self._console.size
        if self._live is not None and (columns < self._drawn_columns or lines < self._drawn_lines):
            # A smaller terminal has wrapped or scrolled the panel, so moving up would miss it. Clear the screen.
            self._live.stop()
            self._console.clear()
            self._live = None
        self._drawn_columns, self._drawn_lines = min(columns, _MAX_WIDTH), lines
        panel = self.panel(self._drawn_columns)
        if self._live is None:
            self._live = Live(panel, console=self._console, auto_refresh=False, vertical_overflow="crop")
            self._live.start(refresh=True)
        else:
            self._live.update(panel, refresh=True)

    def panel(self, width: int) -> RenderableType:
        """The panel, `width` columns including borders."""
        columns = 3 if width >= 80 else 2 if width >= 48 else 1
        score = "score" if "score" in self._metrics else "episode_return"  # shown above, over more episodes
        tables = [
            self._table("time", self._time_rows()),
            *([self._table("losses", self._value_rows(self._loss_keys()))] if columns > 1 else []),
            self._table("game", self._value_rows(key for key in self._metrics if key != score)),
            *([self._table("against", self._opponent_rows())] if self._opponents else []),
        ]
        grid = Table.grid(expand=True, padding=(0, 1))
        for _ in range(columns):
            grid.add_column()
        for first in range(0, len(tables), columns):
            grid.add_row(*tables[first : first + columns])
        return Panel(
            Group(self._bar(), self._facts(), Text(), grid),
            title=Text(self._title, overflow="ellipsis", no_wrap=True),
            subtitle=Text(self._subtitle, style="dim", overflow="ellipsis", no_wrap=True),
            title_align="left",
            subtitle_align="left",
            border_style="dim",
            width=width,
        )

    def _bar(self) -> RenderableType:
        grid = Table.grid(expand=True, padding=(0, 1))
        grid.add_column(ratio=1)
        grid.add_column(justify="right", no_wrap=True)
        grid.add_row(ProgressBar(total=max(1, self.total), completed=self._steps), f"{self._steps / self.total:.0%}")
        return grid

    def _facts(self) -> RenderableType:
        """The most important numbers, side by side if there is room."""
        eta = duration((self.total - self._steps) / self._speed) if self._speed > 0.0 else "-"
        target = self._target
        best = f"{short(self._best[0])} at {count(self._best[1])}" if self._best else "-"
        facts = [
            ("steps", f"{count(self._steps)} of {count(self.total)}"),
            ("speed", f"{count(self._speed)}/s"),
            ("elapsed", duration(time.perf_counter() - self._began)),
            ("eta", eta),
            ("score", short(self.score)),
            ("best evaluation", best),
            *([] if target is None else [("target", target if isinstance(target, str) else short(target))]),
            ("memory", decimal(resident_bytes())),
            *([("gpu", decimal(self._gpu_bytes()))] if self._gpu_bytes is not None else []),
        ]
        return Columns([Text.assemble((f"{name} ", "dim"), (value, "bold")) for name, value in facts], padding=(0, 3))

    def _loss_keys(self) -> list[str]:
        known, others = {*_FIXED[:-1], *self._metrics}, ("seconds_", _EVALUATION, _VERSUS)
        return [key for key in self._values if key not in known and not key.startswith(others)]

    def _time_rows(self) -> Iterable[Row]:
        for name, share in self._shares.items():
            yield name, "━" * round(share * _BAR), f"{share:.0%}"

    def _opponent_rows(self) -> Iterable[Row]:
        """Wins, draws and losses against the latest opponents, and mean points."""
        for name, (wins, draws, losses) in list(self._opponents.items())[-_MAX_OPPONENTS:]:
            steps = name.removeprefix(CHECKPOINT_PREFIX)
            shown = f"copy at {count(int(steps))}" if steps != name else name
            yield shown, f"{wins}-{draws}-{losses}", f"{(wins + 0.5 * draws) / (wins + draws + losses):.0%}"

    def _value_rows(self, keys: Iterable[str]) -> Iterable[Row]:
        for key in keys:
            if key in self._values:
                yield key.replace("_", " "), short(self._values[key])

    @staticmethod
    def _table(title: str, rows: Iterable[Row]) -> Table:
        table = Table.grid(padding=(0, 1))
        table.title, table.title_justify, table.title_style = title, "left", "bold"
        for row in rows:
            while len(table.columns) < len(row):
                number = len(table.columns) == len(row) - 1
                table.add_column(
                    justify="right" if number else "left",
                    style="" if number else "cyan" if table.columns and len(row) == 3 else "dim",
                    no_wrap=True,
                    overflow="ellipsis",
                )
            table.add_row(*row)
        return table
