"""Every pufferc command of docs/training.md runs as written, in the order in which a reader would type them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from test_readme import commands

pytest.importorskip("torch")
pytest.importorskip("tyro")


@pytest.mark.slow
def test_the_commands_of_the_guide_run(tmp_path: Path) -> None:
    for package in ("tensorboard", "wandb", "matplotlib"):
        pytest.importorskip(package)
    lines = [line for line in commands("docs/training.md") if line.startswith(("pufferc ", "for "))]
    assert len(lines) >= 10
    environment = {**os.environ, "WANDB_MODE": "offline"}
    for line in lines:
        command = re.sub(r"(^|do )pufferc ", rf'\1"{sys.executable}" -m pufferc ', line)  # by a shell: * and for
        done = subprocess.run(
            command, shell=True, capture_output=True, text=True, timeout=600, cwd=tmp_path, env=environment
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
