"""Every pufferc command of docs/training.md runs as written, in document order."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from test_readme import commands

pytest.importorskip("torch")
pytest.importorskip("tyro")


@pytest.mark.usefixtures("one_core")
@pytest.mark.slow
def test_the_commands_of_the_guide_run(warm_python: Path, tmp_path: Path) -> None:
    for package in ("tensorboard", "wandb", "matplotlib"):
        pytest.importorskip(package)
    lines = [line for line in commands("docs/training.md") if line.startswith(("pufferc ", "for "))]
    assert len(lines) >= 10
    environment = {**os.environ, "WANDB_MODE": "offline", "PATH": f"{warm_python}{os.pathsep}{os.environ['PATH']}"}
    for line in lines:  # a shell handles `*` and `for`
        done = subprocess.run(
            line, shell=True, capture_output=True, text=True, timeout=600, cwd=tmp_path, env=environment
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
