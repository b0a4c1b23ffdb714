"""The dashboard on small emulated terminals and on a real pseudo-terminal: one panel at any width, and a clean exit."""

from __future__ import annotations

import errno
import io
import math
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

rich = pytest.importorskip("rich")
pytest.importorskip("torch")
pytest.importorskip("tyro")
pty = pytest.importorskip("pty")

from pufferc.loggers import Progress, dashboard  # noqa: E402
from pufferc.loggers.dashboard import Dashboard, Terminal, resident_bytes, usable  # noqa: E402
from pufferc.runs.scores import ScoreWindow  # noqa: E402

pytestmark = pytest.mark.usefixtures("warm_children")

LINE = {
    "update": 1, "steps": 500, "time_s": 1.0, "sps": 1e6, "learning_rate": 0.05, "policy_loss": -0.0123,
    "entropy": 1.07, "explained_variance": 0.9, "episodes": 150, "score": 12.5, "bricks": 31.0, "nothing": math.nan,
    "seconds_env": 0.1, "seconds_learn": 0.3,
}  # fmt: skip
METRICS = ["score", "bricks", "nothing"]


class Screen:
    """Emulates a terminal: text, line ends, cursor up and erase. Any other control sequence fails the test."""

    def __init__(self) -> None:
        self.lines: list[str] = [""]
        self.row = self.column = 0

    def feed(self, text: str) -> Screen:
        for piece in re.findall(r"\x1b\[[?0-9;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
            if piece == "\r":
                self.column = 0
            elif piece == "\n":
                self.row, self.column = self.row + 1, 0
                self.lines += [""] * (self.row + 1 - len(self.lines))
            elif piece.startswith("\x1b"):
                self._control(piece[2:-1], piece[-1])
            else:
                line = self.lines[self.row].ljust(self.column)
                self.lines[self.row] = line[: self.column] + piece + line[self.column + len(piece) :]
                self.column += len(piece)
        return self

    def _control(self, argument: str, name: str) -> None:
        if name == "A":
            self.row = max(0, self.row - int(argument or 1))
        elif name == "K" and argument == "2":
            self.lines[self.row] = ""
        elif name == "J" and argument == "2":
            self.lines, self.row, self.column = [""], 0, 0
        elif name == "H":
            self.row = self.column = 0
        else:
            assert name == "m", f"unexpected control sequence {argument}{name}"

    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.lines)


def board(width: int = 100, height: int = 40, **options: Any) -> tuple[Dashboard, io.StringIO, Terminal]:
    out = io.StringIO()
    console = Terminal(file=out, force_terminal=True, width=width, height=height, color_system=None, highlight=False)
    made = Dashboard(1000, title="breakout", subtitle="runs/x", metrics=METRICS, console=console, **options)
    return made, out, console


@pytest.mark.parametrize("width", [30, 60, 80, 100, 250])
def test_the_panel_fits_and_shows_everything(width: int) -> None:
    shown, out, _ = board(width, target=800.0, gpu_bytes=lambda: 2_000_000_000)
    shown.start(0)
    shown.note(LINE, last=True)
    shown.evaluated(13.0, "score 13")
    shown.note({**LINE, "steps": 1000}, last=True)
    shown.close()
    text = Screen().feed(out.getvalue()).text()
    assert text.count("╭") == text.count("╰") == 1
    assert max(map(len, text.splitlines())) <= min(width, 100)
    for word in ("100%", "steps 1k of 1k", "score 12.5", "13 at 500", "target 800", "memory", "gpu 2.0 GB", "bricks"):
        assert word in text, word
    assert "learn" in text and "75%" in text and "nothing" not in text and "runs/x" in text
    if width >= 60:
        assert "policy loss" in text and "-0.0123" in text and "learning rate" in text


@pytest.mark.parametrize("width", [60, 100])
def test_results_against_opponents_are_added_up(width: int) -> None:
    shown, out, _ = board(width, target="0.9 vs script:1")
    shown.start(0)
    for results in ({"script:1": [3, 1, 0], "step_000001500000": [5, 0, 5]}, {"script:1": [4, 0, 2]}, {}):
        shown.note({**LINE, "opponents": results, "versus_games": 9, "versus_points": 0.25}, last=True)
    shown.close()
    text = Screen().feed(out.getvalue()).text()
    for words in (("script:1", "7-1-2", "75%"), ("copy at 1.5M", "5-0-5", "50%"), ("target", "0.9 vs script:1")):
        assert any(all(word in line for word in words) for line in text.splitlines()), words
    assert "versus" not in text


def test_messages_scroll_above_the_panel() -> None:
    shown, out, _ = board()
    shown.start(0)
    for steps in range(100, 1000, 100):
        shown.note({**LINE, "steps": steps}, last=True)
        shown.say(f"message {steps} [not markup] " + "long " * 30)
    shown.close()
    text = Screen().feed(out.getvalue()).text()
    assert text.count("╭") == 1 and text.count("[not markup]") == 9
    assert text.index("message 900") < text.index("╭")


def test_a_narrower_terminal_is_redrawn() -> None:
    shown, out, console = board(100)
    shown.start(0)
    shown.note(LINE, last=True)
    before = len(out.getvalue())
    console._width = 60
    shown.note(LINE, last=True)
    assert "\x1b[2J" in out.getvalue()[before:]
    console._width = 120
    shown.note(LINE, last=True)
    shown.close()
    text = Screen().feed(out.getvalue()).text()
    assert text.count("╭") == 1 and out.getvalue().count("\x1b[2J") == 1


def test_a_short_terminal_shows_the_top_of_the_panel() -> None:
    shown, out, _ = board(100, 8)
    shown.start(0)
    shown.note(LINE, last=True)
    shown.note(LINE, last=True)
    assert len(Screen().feed(out.getvalue()).text().splitlines()) <= 8
    shown.close()


def test_messages_from_signal_handlers_wait_until_drawing_ends() -> None:
    shown, out, _ = board(gpu_bytes=lambda: shown.say("stopping") or 1)
    shown.start(0)
    shown.note(LINE, last=True)
    shown.close()
    text = Screen().feed(out.getvalue()).text()
    assert text.count("stopping") == 2 and text.count("╭") == 1


def test_a_closed_terminal_does_not_end_the_run() -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    shown, out, console = board()
    shown.start(0)
    console.file = Closed()
    shown.note(LINE, last=True)
    shown.say("saved")
    shown.note(LINE, last=True)
    shown.close()
    assert "breakout" in out.getvalue() and "saved" not in out.getvalue()


@pytest.mark.parametrize(("cost", "least", "most"), [(0.001, 280, 310), (0.02, 90, 100)])
def test_drawing_takes_a_bounded_share_of_time(cost: float, least: int, most: int, monkeypatch: Any) -> None:
    """A slow draw delays the next one, so that drawing takes only a small share of the time; but not over a second."""
    clock = [0.0]
    monkeypatch.setattr(dashboard.time, "perf_counter", lambda: clock[0])
    shown, _, _ = board()
    drawings = 0

    def refresh() -> None:
        nonlocal drawings
        drawings += 1
        clock[0] += cost

    monkeypatch.setattr(shown, "_refresh", refresh)
    shown.start(0)
    while clock[0] < 100.0:
        shown.note(LINE)
        clock[0] += 0.01
    shown.close()
    assert least <= drawings <= most


def test_the_panel_is_redrawn_during_a_long_update(monkeypatch: Any) -> None:
    monkeypatch.setattr(dashboard, "_MAX_INTERVAL_S", 0.05)
    shown, out, _ = board()
    shown.start(0)
    shown.note(LINE, last=True)
    before = len(out.getvalue())
    end = time.monotonic() + 10.0
    while len(out.getvalue()) == before and time.monotonic() < end:
        time.sleep(0.01)
    assert len(out.getvalue()) > before
    shown.close()
    closed = len(out.getvalue())
    time.sleep(0.2)
    assert len(out.getvalue()) == closed
    assert Screen().feed(out.getvalue()).text().count("╭") == 1


def test_narrow_terminals_show_progress_and_the_game_but_no_losses() -> None:
    for width, losses in ((30, False), (60, True)):
        shown, out, _ = board(width)
        shown.start(0)
        shown.note(LINE, last=True)
        shown.close()
        text = Screen().feed(out.getvalue()).text()
        assert ("policy loss" in text) is losses and "50%" in text and "bricks" in text and "learn" in text


def test_there_is_one_score(tmp_path: Path) -> None:
    """The panel, the lines and the checkpoints show the mean over the latest 100 episodes or more."""
    shown, out, _ = board()
    plain = io.StringIO()
    lines = Progress(1000, interval_s=0.0, stream=plain)
    for display in (shown, lines):
        display.window = ScoreWindow([(10.0, 60)])  # of a resumed run
        display.start(0)
        display.note({**LINE, "score": 20.0, "episodes": 30}, last=True)
        assert display.score is None
        display.note({**LINE, "score": 30.0, "episodes": 30}, last=True)
        assert display.score == 17.5
        display.close()
    text = Screen().feed(out.getvalue()).text()
    assert text.count("17.5") == 1 and not re.search(r"score\s+30", text)
    assert "score -" in plain.getvalue() and "score 17.5" in plain.getvalue()


@pytest.mark.parametrize(
    ("terminal", "tty", "encoding", "expected"),
    [
        ("xterm-256color", True, "utf-8", True),
        ("linux", True, "UTF-8", True),
        ("dumb", True, "utf-8", False),
        ("", True, "utf-8", False),
        ("xterm", False, "utf-8", False),
        ("xterm", True, "ascii", False),
    ],
)
def test_dashboard_support_depends_on_the_terminal(
    terminal: str, tty: bool, encoding: str, expected: bool, monkeypatch: Any
) -> None:
    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return tty

    stream = Stream()
    monkeypatch.setattr(Stream, "encoding", encoding, raising=False)
    monkeypatch.setenv("TERM", terminal)
    assert usable(stream) is expected


def test_memory_is_the_resident_size_of_this_process() -> None:
    assert 10_000_000 < resident_bytes() < 10**12


# ---- on a pseudo-terminal --------------------------------------------------------------------------------


def on_a_terminal(
    tmp_path: Path, words: list[str], act: Callable[[Any], None] | None = None, **variables: str
) -> tuple[int, str]:
    """Exit code and output of `pufferc train cartpole ...` on a terminal; `act` once progress shows."""
    parent, child = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "TERM": "xterm", **variables}
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        if name not in variables:
            environment.pop(name, None)
    sizes = ["--vec.num-envs", "32", "--vec.num-threads", "1", "--train.threads", "1", "--policy.hidden-size", "8"]
    command = [sys.executable, "-m", "pufferc", "train", "cartpole", "--runs", str(tmp_path), *sizes, *words]
    process = subprocess.Popen(
        command, stdout=child, stderr=child, stdin=child, env=environment, start_new_session=True
    )
    os.close(child)
    found, acted, end = b"", False, time.monotonic() + 180
    while time.monotonic() < end:
        ready, _, _ = select.select([parent], [], [], 0.05)
        if ready:
            try:
                data = os.read(parent, 65_536)
            except OSError:  # Linux raises this when the other side is closed
                break
            if not data:
                break
            found += data
        if act is not None and not acted and (b"elapsed" in found or b"eta" in found):
            acted = True
            act(process)
    try:
        code = process.wait(timeout=60)
    finally:
        process.kill()
        process.wait()
        os.close(parent)
    return code, found.decode()


SHORT = ["--train.total-steps", "16384", "--train.horizon", "16", "--train.minibatch-size", "128"]
LONG = ["--train.total-steps", "2_000_000_000", "--train.target-score", "None"]


def test_a_run_on_a_terminal_ends_with_one_panel_and_the_summary(tmp_path: Path) -> None:
    code, text = on_a_terminal(tmp_path, [*SHORT, "--train.target-score", "None"], COLUMNS="60", LINES="40")
    screen = Screen().feed(text).text()
    assert code == 0
    assert screen.count("╭") == 1 and "100%" in screen
    (closing,) = [line for line in screen.splitlines() if "complete: 16.4k steps in " in line]
    assert re.search(r"in \d+\.\d\d s, .*steps/s, score .* training episodes", closing)
    assert screen.count("complete") == 1
    assert max(len(line) for line in screen.splitlines() if "│" in line) <= 60


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_the_terminal_clean(tmp_path: Path, number: int) -> None:
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("this signal is ignored here, as a hangup is under nohup")
    code, text = on_a_terminal(tmp_path, LONG, lambda process: process.send_signal(number))
    screen = Screen().feed(text).text()
    assert code == 130
    assert screen.count("╭") == 1 and "stopping after this update" in screen and "interrupted:" in screen
    assert "\x1b[?" not in text, "no mode of the terminal was changed"


def test_a_kill_leaves_the_terminal_unchanged(tmp_path: Path) -> None:
    code, text = on_a_terminal(tmp_path, LONG, lambda process: process.kill())
    assert code == -signal.SIGKILL and "╭" in text
    assert "\x1b[?" not in text


@pytest.mark.parametrize(("words", "variables"), [(["--no-dashboard"], {}), ([], {"TERM": "dumb"}), (["--quiet"], {})])
def test_without_a_dashboard_there_are_no_control_sequences(
    tmp_path: Path, words: list[str], variables: dict[str, str]
) -> None:
    code, text = on_a_terminal(tmp_path, [*SHORT, "--train.target-score", "None", *words], **variables)
    assert code == 0 and "\x1b" not in text and "complete" in text


def test_no_color_disables_colors(tmp_path: Path) -> None:
    _, text = on_a_terminal(tmp_path, [*SHORT, "--train.target-score", "None"], NO_COLOR="1")
    styles = {part for sequence in re.findall(r"\x1b\[([0-9;]*)m", text) for part in sequence.split(";")}
    assert "╭" in text and styles <= {"", "0", "1", "2", "3"}
