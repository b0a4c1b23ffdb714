"""The packaged configurations reach their documented scores. This takes minutes; run with -m slow."""

from __future__ import annotations

from pathlib import Path

import pytest

from pufferc.config import load_config

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from pufferc.training.run import train  # noqa: E402


@pytest.mark.usefixtures("one_core")
@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["squared", "cartpole", "breakout", "pong", "snake", "doorkey", "cartpole-continuous", "breakout-continuous"],
)
def test_the_packaged_configuration_reaches_its_target(name: str, tmp_path: Path) -> None:
    game, _, variant = name.partition("-")
    config = load_config(game, variant or None)
    assert config.train.target_score is not None
    result = train(config, runs=tmp_path, quiet=True)
    assert result.outcome == "target" and result.evaluation is not None
    assert result.evaluation.score >= config.train.target_score and result.evaluation.unfinished == 0
