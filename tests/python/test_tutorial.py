"""docs/your-first-game.md is correct: its commands run, its code compiles in the game, its output is real."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from own_games import needs_compiler

pytestmark = needs_compiler

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = (ROOT / "docs" / "your-first-game.md").read_text(encoding="utf-8")


def blocks():
    """(language, text) of each code block in order, without the indentation of lists."""
    found = re.findall(r"^( *)```(\w*)\n(.*?)^ *```$", TUTORIAL, re.DOTALL | re.MULTILINE)
    return [(kind, re.sub(rf"^{indent}", "", text, flags=re.MULTILINE)) for indent, kind, text in found]


def insert(source: Path, code: str) -> None:
    """Replace the definition in `source` that starts with the first line of `code`, up to its closing brace."""
    text, first = source.read_text(), code.split("\n", 1)[0]
    begin = text.index(first)
    end = re.compile(r"^\}.*$", re.MULTILINE).search(text, begin)
    assert end is not None
    source.write_text(text[:begin] + code.rstrip("\n") + text[end.end() :])


def run(line: str, folder: Path, tools: Path) -> str:
    """The output of a tutorial command. `pufferc` and `python` come from the folder `tools`."""
    environment = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        line, shell=True, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def run_page(folder: Path, tools: Path, wanted) -> list[tuple[str, str]]:
    """Follow the tutorial: put code into the game and run the `wanted` commands. Returns the output of each."""
    printed: list[tuple[str, str]] = []
    for kind, text in blocks():
        if kind == "c":
            insert(folder / "catcher.c", text)
        elif kind == "python":
            command = [tools / "python", "-c", text]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=True)
            printed.append((text, done.stdout))
        elif kind == "text":  # the part of the previous command's output that the page shows
            for line in text.splitlines():
                assert line in printed[-1][1], printed[-1]
        elif kind == "sh":
            printed += [(line, run(line, folder, tools)) for line in text.splitlines() if wanted(line)]
    return printed


def test_the_code_builds_and_the_checks_print_the_shown_output(warm_python, tmp_path):
    printed = run_page(tmp_path, warm_python, lambda line: not line.startswith(("pufferc train", "pufferc eval")))
    checks = [text for line, text in printed if line.startswith("pufferc check")]
    assert len(checks) == 3
    assert "passed (0 errors, 0 warnings)" in checks[0] and "passed (0 errors, 0 warnings)" in checks[2]
    assert "(1024, 5)" in printed[-2][1]


@pytest.mark.usefixtures("one_core")
@pytest.mark.slow
def test_the_whole_tutorial_runs_as_written(warm_python, tmp_path):
    pytest.importorskip("torch")
    printed = run_page(tmp_path, warm_python, lambda line: True)
    trained = [text for line, text in printed if line.startswith("pufferc train")]
    assert len(trained) == 2
    for text in trained:
        assert "target reached:" in text
    for name in ("catcher.gif", "wind.gif"):
        assert (tmp_path / name).read_bytes()[:6] == b"GIF89a"
    run("python -m pytest -q test_catcher.py -k contract", tmp_path, warm_python)
