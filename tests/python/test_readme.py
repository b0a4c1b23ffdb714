"""Every command of README and CONTRIBUTING works as written. Commands that would run this test must only exist."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def blocks(document: str, language: str) -> list[str]:
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands(document: str) -> list[str]:
    lines = [line.split("#")[0].strip() for block in blocks(document, "sh") for line in block.splitlines()]
    return [line for line in lines if line]


def test_the_python_example_runs(tmp_path: Path) -> None:
    (example,) = blocks("README.md", "python")
    done = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "score" in done.stdout


@pytest.mark.usefixtures("warm_children", "one_core")
@pytest.mark.slow
def test_the_command_lines_run(tmp_path: Path) -> None:
    """Run the commands in document order, as a reader would type them."""
    lines = [line for line in commands("README.md") if line.startswith("pufferc ")]
    assert len(lines) >= 4
    for line in lines:
        words = [sys.executable, "-m", *line.split()]
        done = subprocess.run(words, capture_output=True, text=True, timeout=1200, cwd=tmp_path)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


def test_the_make_targets_exist() -> None:
    targets = [line.split()[1] for document in ("README.md", "CONTRIBUTING.md") for line in commands(document)]
    for line in commands("README.md") + commands("CONTRIBUTING.md"):
        if line.startswith("make "):
            done = subprocess.run(
                ["make", "--dry-run", line.split()[1]], capture_output=True, text=True, timeout=60, cwd=ROOT
            )
            assert done.returncode == 0, f"{line}\n{done.stderr}"
    assert {"train", "test", "dev"} <= set(targets)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cmake") is None or shutil.which("cc") is None, reason="needs cmake and a C compiler")
def test_the_steps_for_a_new_game_in_contributing_work(tmp_path: Path) -> None:
    """Run the two commands that turn template.c into a new game in a copy of the sources, and build it."""
    shutil.copytree(ROOT / "csrc", tmp_path / "csrc")
    shutil.copytree(ROOT / "third_party", tmp_path / "third_party", ignore=shutil.ignore_patterns("raylib"))
    shutil.copy(ROOT / "CMakeLists.txt", tmp_path)
    edits = [line for line in commands("CONTRIBUTING.md") if line.startswith("sed ")]
    assert len(edits) == 2
    for line in edits:
        subprocess.run(line, shell=True, check=True, cwd=tmp_path, timeout=60)
    options = [f"-DPUFFERC_{part}=OFF" for part in ("TESTS", "BENCHMARKS", "EXAMPLES", "RAYLIB", "BOX2D")]
    environment = {**os.environ, "CCACHE_BASEDIR": str(tmp_path), "CCACHE_NOHASHDIR": "1", "CMAKE_BUILD_TYPE": "Debug"}
    for words in (["-B", "build", *options], ["--build", "build", "--target", "pufferc_core", "--parallel", "2"]):
        subprocess.run(["cmake", *words], check=True, cwd=tmp_path, capture_output=True, timeout=600, env=environment)
    assert "PFC_GAME(catcher)" in (tmp_path / "build" / "csrc" / "games.inc").read_text()
