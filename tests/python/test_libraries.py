"""Programs with other libraries, where they are installed (pufferc[interop-tests]), and the page's table of them."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT

pytest.importorskip("torch")
_SPEC = importlib.util.spec_from_file_location("libraries_run", ROOT / "tests" / "libraries" / "run.py")
assert _SPEC is not None and _SPEC.loader is not None
runner: Any = importlib.util.module_from_spec(_SPEC)
sys.modules["libraries_run"] = runner
_SPEC.loader.exec_module(runner)

PROGRAMS = [library for library in runner.LIBRARIES if library.program.endswith(".py")]


def test_every_program_is_in_the_table() -> None:
    files = {file.name for file in (ROOT / "tests" / "libraries").glob("*.py")} - {"run.py"}
    assert files == {library.program for library in PROGRAMS}


@pytest.mark.slow
@pytest.mark.parametrize("library", PROGRAMS, ids=lambda library: library.name)
def test_a_library_runs(library: Any, tmp_path: Path) -> None:
    if runner.version_of(sys.executable, library.package) is None:
        pytest.skip(f"{library.package} is not installed")
    done = subprocess.run([sys.executable, *library.words()], cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-4000:]


def test_the_pages_table_has_every_library() -> None:
    """Versions are those of the last run of the script, which writes the table."""
    assert runner.PAGE.read_text().count(runner.BEGIN) == 1
    table = runner.PAGE.read_text().split(runner.BEGIN)[1].split(runner.END)[0].splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in table if row.startswith("|")][2:]
    found = {name: (works, how) for name, _, works, how in cells}
    for library in runner.LIBRARIES:
        assert found.get(library.name) == (library.works, library.how), library.name
