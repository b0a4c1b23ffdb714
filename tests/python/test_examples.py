"""The C++ example with many Breakout games, built against the installed package. It draws to a file or a window."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import pufferc
from pufferc.authoring import sdk
from pufferc.pictures import renderer

SOURCE = Path(__file__).parents[2] / "examples" / "cpp" / "many_breakouts.cpp"
CXX = next((name for name in (os.environ.get("CXX"), "c++", "g++", "clang++") if name and shutil.which(name)), None)
BAR_PX = 30  # height of the text bar below the games

pytestmark = [
    pytest.mark.skipif(CXX is None, reason="no C++ compiler"),
]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("example") / "many_breakouts"
    flags = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", *sdk.cflags(), *sdk.libs()]
    done = subprocess.run([str(CXX), str(SOURCE), *flags, "-o", str(path)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return path


def run(program: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(program), *words], capture_output=True, text=True, timeout=60)


def picture(program: Path, path: Path, *words: str) -> NDArray[np.uint8]:
    done = run(program, "--picture", str(path), *words)
    assert done.returncode == 0, done.stderr
    magic, size, _, data = path.read_bytes().split(b"\n", 3)
    width, height = (int(word) for word in size.split())
    assert magic == b"P6"
    return np.frombuffer(data, np.uint8).reshape(height, width, 3)


def test_the_picture_matches_the_python_renderer(program: Path, tmp_path: Path) -> None:
    """The picture shows the first game before its first step as Renderer draws it, with the text bar below."""
    shown = picture(program, tmp_path / "a.ppm", "--games", "1", "--steps", "0", "--seed", "3", "--size", "576x360")
    envs = pufferc.make("breakout", num_threads=1)
    envs.reset(seed=3)
    expected = renderer.Renderer(envs, size=(576, 360 - BAR_PX)).render()
    assert np.abs(shown[:-BAR_PX].astype(int) - expected).max() <= 2
    assert len(np.unique(shown[-BAR_PX:].reshape(-1, 3), axis=0)) > 4  # text with soft edges


def test_games_advance_and_are_repeatable(program: Path, tmp_path: Path) -> None:
    words = ("--games", "16", "--size", "640x430")
    first, later, again = (
        picture(program, tmp_path / f"{steps}.ppm", *words, "--steps", str(steps)) for steps in (0, 60, 60)
    )
    assert (first != later).any() and (later == again).all()
    bricks = (np.abs(later.astype(int) - (0xE5, 0x48, 0x4D)) <= 2).all(axis=2)  # the colour of the first row
    columns = np.flatnonzero(bricks.any(axis=0))
    assert columns.min() < 10 and columns.max() > 630  # the games span the full width
    assert len(np.flatnonzero(np.diff(bricks.any(axis=1).astype(int)) == 1)) == 4  # four rows of games


def test_bad_input_is_refused_with_a_message(program: Path, tmp_path: Path) -> None:
    for words, code, message in (
        (["--games", "145"], 2, "--games: expected a whole number from 1 to 144, got 145"),
        (["--size", "10x10"], 2, "--size: expected a whole number from 320 to 4096, got 10"),
        (["--steps"], 2, "--steps: expected a value"),
        (["--what", "1"], 2, "unknown option --what 1"),
        ([str(SOURCE)], 1, "many_breakouts.cpp: not a policy"),
        (["--steps", "0", "--picture", str(tmp_path / "none" / "a.ppm")], 1, "cannot be written"),
    ):
        done = run(program, *words)
        assert (done.returncode, done.stdout) == (code, "") and message in done.stderr, (words, done)


def test_window(program: Path, display: str) -> None:
    """Screenshots show moving games. Keys pause them, change their speed and number, control one game, and quit."""
    pytest.importorskip("PIL")
    from PIL import ImageGrab

    def screen() -> NDArray[np.uint8]:
        return np.asarray(ImageGrab.grab(xdisplay=display).convert("RGB"))

    def press(*keys: str) -> None:
        subprocess.run(["xdotool", "key", "--delay", "30", *keys], env=environment, check=True, timeout=60)

    def until(what: str, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 60.0
        while not condition():
            assert process.poll() is None and time.monotonic() < end, f"never: {what}"
            time.sleep(0.05)

    def different() -> int:
        return len({(time.sleep(0.1), screen().tobytes())[1] for _ in range(6)})

    def ball() -> bool:
        return bool((np.abs(screen().astype(int) - (0xF7, 0xC8, 0x73)) <= 3).all(axis=2).any())

    environment = {**os.environ, "DISPLAY": display}
    command = [str(program), "--size", "640x430", "--games", "9"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            until("a window", lambda: bool(screen().any()))
            press("h", "4")
            until("games that move", lambda: different() > 3)  # the keys change two pictures
            press("space")
            until("a pause", lambda: different() == 1)
            one = screen()
            press("n")
            until("one step", lambda: bool((screen() != one).any()))
            until("a ball", ball)
            press("equal", "Left", "m", "q")
            output, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0 and output.startswith("25 games   speed x2") and "PAUSED" in output
