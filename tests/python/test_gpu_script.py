"""tests/gpu/run.sh without a GPU: help, refusals, its table, and its parts on the host stand-in of tests/cuda."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tests" / "gpu" / "run.sh"
BUILD = ROOT / "build" / "dev"
sys.path.insert(0, str(SCRIPT.parent))

from report import tabulate  # noqa: E402

SHAPE = {"part": "advantage", "steps": 128, "rows": 8192, "bytes": 15e6, "us": 6.0, "limit_us": 3.4}


def run(*words: object, path: str | None = None) -> subprocess.CompletedProcess[str]:
    env = os.environ | ({} if path is None else {"PATH": path})
    return subprocess.run(
        [str(w) for w in ("bash", SCRIPT, *words)], capture_output=True, text=True, env=env, check=False
    )


def test_help_and_bad_options() -> None:
    shown = run("--help")
    assert shown.returncode == 0 and "--host BUILD" in shown.stdout and "set -uo" not in shown.stdout
    for words in (["--speed"], ["--out"]):
        refused = run(*words)
        assert refused.returncode == 2 and words[0] in refused.stderr


def test_a_machine_without_a_gpu_is_refused(tmp_path: Path) -> None:
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\nexit 9\n", encoding="utf-8")
    (tmp_path / "nvidia-smi").chmod(0o755)
    refused = run("--out", tmp_path / "out", path=f"{tmp_path}:{os.environ['PATH']}")
    assert refused.returncode == 2 and "no GPU" in refused.stderr and not (tmp_path / "out").exists()
    missing = run("--host", tmp_path, "--out", tmp_path / "out")
    assert missing.returncode == 2 and "has no host_bench" in missing.stderr


@pytest.mark.skipif(not (BUILD / "tests" / "gpu" / "host_bench").is_file(), reason="needs build/dev")
def test_the_parts_on_the_host_stand_in(tmp_path: Path) -> None:
    done = run("--host", BUILD, "--out", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    parts = [line["part"] for line in lines]
    assert parts.count("advantage") == 40 and "copy" in parts
    hashed = {line["game"] for line in lines if line["part"] == "hash"}
    assert hashed == {line["game"] for line in lines if line["part"] == "envs"} and "breakout" in hashed
    assert "met" in (tmp_path / "table.txt").read_text(encoding="utf-8")
    assert "none (host stand-in)" in done.stdout


# ---- the table -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "good", "shown"),
    [
        (SHAPE, True, "<= 6.5 us"),
        (SHAPE | {"us": 7.0}, False, "MISSED"),
        (SHAPE | {"rows": 9000, "us": 70.0}, True, "5% of a copy"),
        (SHAPE | {"rows": 900000, "bytes": 2e8, "us": 50.0, "limit_us": 40.0}, False, ">= 85%"),
        ({"part": "envs", "game": "breakout", "games": 9, "steps_per_s": 1.5e9}, True, "1500.0 M"),
        ({"part": "envs", "game": "breakout", "games": 9, "steps_per_s": 0.5e9}, False, "MISSED"),
        ({"part": "envs", "game": "snake", "games": 9, "steps_per_s": 5.0}, True, "9 games"),
        ({"part": "envs", "game": "moba", "left_out": "too large"}, True, "left out: too large"),
        ({"part": "hash", "game": "pong", "got": "1", "expected": "1"}, True, "1 of 1 equal"),
        ({"part": "hash", "game": "pong", "got": "1", "expected": "2"}, False, "not pong"),
        ({"part": "speed", "what": "training", "steps_per_s": 61e6}, True, ">= 60 M"),
        ({"part": "solve", "seed": 1, "seconds": 0.9, "outcome": "target", "score": 850.0}, True, "0.90 s, target"),
        ({"part": "solve", "seed": 1, "seconds": 9.0, "outcome": "complete", "score": 700.0}, False, "MISSED"),
        ({"part": "step", "name": "games", "state": "failed", "seconds": 3}, False, "failed, 3 s"),
    ],
)
def test_a_line_of_the_table(line: dict[str, Any], good: bool, shown: str) -> None:
    table = tabulate([line])
    assert table.good is good and shown in table.text()


def test_times_on_this_processor_have_no_targets() -> None:
    assert tabulate([SHAPE | {"us": 1e6}], timed=False).good
    assert not tabulate([{"part": "step", "name": "games", "state": "failed", "seconds": 3}], timed=False).good
