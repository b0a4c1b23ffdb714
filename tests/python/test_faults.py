"""Mistakes of a game that end its training: numbers that are not finite, crashes, and calls of exit."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pufferc
from own_games import build_game, needs_compiler

pytest.importorskip("torch")

from pufferc.training.faults import GameNotFinite
from pufferc.training.ppo import NotFinite

pytestmark = needs_compiler

CATCH = "io.rewards[0] = 1.0f;"
SMALL: dict[str, Any] = {
    "num_envs": 32,
    "num_threads": 1,
    "threads": 1,
    "total_steps": 500_000,
    "horizon": 64,
    "target_score": None,
}


@pytest.mark.parametrize("settings", [{}, {"kernels": "torch"}, {"normalize_rewards": True}, {"kind": "mingru"}])
@pytest.mark.parametrize(("value", "name"), [('__builtin_nanf("")', "NaN"), ("-__builtin_inff()", "-infinity")])
def test_a_reward_that_is_not_finite(value: str, name: str, settings: dict[str, Any], tmp_path: Path) -> None:
    game = build_game(tmp_path, "catcher", (CATCH, f"io.rewards[0] = s->catches > 2 ? {value} : 1.0f;"))
    with pytest.raises(GameNotFinite) as error:
        pufferc.train(game, runs=tmp_path, quiet=True, **SMALL, **settings)
    found = re.search(
        rf"{game} gave the reward {name} to row (\d+) \(game \1, agent 0\) at step (\d+)", str(error.value)
    )
    assert found is not None, error.value
    assert "mistake in the game" in str(error.value) and f"pufferc check {game}" in str(error.value)
    row, step = map(int, found.groups())
    assert row < 32 and step > 50, "a ball falls for 20 steps or more, and it takes three"


@pytest.mark.parametrize("settings", [{}, {"kernels": "torch"}, {"normalize_observations": True}, {"kind": "lstm"}])
def test_an_observation_that_is_not_finite(settings: dict[str, Any], tmp_path: Path) -> None:
    change = ("obs->ball_x = s->ball_x;", 'obs->ball_x = s->catches > 2 ? __builtin_nanf("") : s->ball_x;')
    game = build_game(tmp_path, "catcher", change)
    with pytest.raises(GameNotFinite, match=r"gave the observation ball_x = NaN to row \d+ \(game \d+, agent 0\)"):
        pufferc.train(game, runs=tmp_path, quiet=True, **SMALL, **settings)


def test_learning_that_diverges_does_not_blame_the_game(tmp_path: Path) -> None:
    with pytest.raises(NotFinite) as error:
        pufferc.train("squared", runs=tmp_path, quiet=True, **SMALL, optimizer="adam", learning_rate=1e38)
    assert not isinstance(error.value, GameNotFinite) and "game" not in str(error.value)


def test_metrics_without_a_name_are_refused_before_training(tmp_path: Path) -> None:
    game = build_game(tmp_path, "catcher", ('.metrics = {"score", "perf"}', '.metrics = {"score"}'))
    with pytest.raises(ValueError, match=r"catcher\.so: metrics writes 2 values, but \.metrics lists 1 names: score$"):
        pufferc.train(game, runs=tmp_path / "runs", quiet=True, **SMALL)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("statement", "cause", "code"),
    [
        ("*(volatile int*)0 = 1;", "crashed with SIGSEGV", -signal.SIGSEGV),
        ("__builtin_abort();", "crashed with SIGABRT", -signal.SIGABRT),
        ("__builtin_exit(0);", "called exit", 1),
    ],
)
@pytest.mark.usefixtures("warm_children")
def test_a_game_that_ends_the_process_is_named(statement: str, cause: str, code: int, tmp_path: Path) -> None:
    game = build_game(tmp_path, "catcher", (CATCH, f"{CATCH} if (s->catches > 2) {statement}"))
    words = [sys.executable, "-m", "pufferc", "train", str(game), "--vec.num-threads", "2", "--runs", "runs", "--quiet"]
    environment = {**os.environ, "PYTHONFAULTHANDLER": ""}
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100)
    (run,) = (tmp_path / "runs").iterdir()
    assert done.returncode == code
    assert done.stderr == (
        f"\npufferc: training stopped: the code of the game {game} {cause}; "
        f"the checkpoints in runs/{run.name} are kept. To find the mistake: pufferc check --debug {game}\n"
    )


def test_signals_have_their_handlers_again_after_training(tmp_path: Path) -> None:
    code = (
        "import os, signal, pufferc\n"
        f"pufferc.train('squared', runs={str(tmp_path)!r}, quiet=True, total_steps=65536, target_score=None)\n"
        "os.kill(os.getpid(), signal.SIGSEGV)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert done.returncode == -signal.SIGSEGV and "the game" not in done.stderr
