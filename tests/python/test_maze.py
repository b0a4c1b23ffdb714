"""Maze shows how far a policy generalises: levels of training and levels that it has never met."""

from __future__ import annotations

from pathlib import Path

import pytest

import pufferc

pytest.importorskip("torch")
pytest.importorskip("safetensors")


def scores(levels: int, runs: Path) -> tuple[float, float]:
    """The share of solved mazes after a short training on so many levels: on these levels, and on unseen ones."""
    params = {"side": 9, "levels": levels}
    result = pufferc.train("maze", params=params, runs=runs, seed=1, total_steps=1_000_000, quiet=True)
    unseen = {"first_level": 1_000_000, "levels": 0}
    found = [pufferc.evaluate("maze", result.run, episodes=800, params=played) for played in (None, unseen)]
    return found[0].score, found[1].score


@pytest.mark.slow
def test_few_levels_are_learned_by_heart_and_many_generalise(tmp_path: Path) -> None:
    few, many = scores(20, tmp_path / "few"), scores(5000, tmp_path / "many")
    assert few[0] - few[1] > 0.15, few
    assert many[0] - many[1] < 0.08, many
    assert many[1] > few[1] + 0.08, (few, many)
