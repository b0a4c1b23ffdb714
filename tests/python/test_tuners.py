"""The benchmark of search methods: its table, and replayed sweeps."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("optuna")
pytest.importorskip("sklearn")
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def tuners(monkeypatch: Any) -> Any:
    if not (BENCHMARKS / "tuners.npz").is_file():
        pytest.skip("needs the repository's benchmarks")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import tuners

    yield tuners
    for name in ("tuners", "record_tuners"):
        sys.modules.pop(name, None)


def test_recorded_sweeps_are_replayed(tuners: Any) -> None:
    with np.load(BENCHMARKS / "tuners.npz") as table:
        game = tuners.Task("cartpole", table)
    assert len(game.places) >= 50 and (game.seconds > 0.0).all() and game.high > 400.0
    for method in tuners.METHODS:
        scores = tuners.sweep(game, method, 1, 15 * float(game.seconds.mean()))
        assert scores[0] == 0.0 and 0.0 < scores[-1] <= 1.05, method


def test_intervals_of_paired_differences(tuners: Any) -> None:
    assert tuners.interval(np.ones(9)) == (1.0, 1.0, 1.0)
    mean, low, high = tuners.interval(np.random.default_rng(1).normal(0.0, 1.0, 400))
    assert low < mean < high and abs(mean) < 0.15 and 0.15 < high - low < 0.25
