"""Mmo from Python: scripts and masks, a short training with masks, and the tables of its page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pufferc

PAGE = Path(__file__).parents[2] / "docs" / "games" / "mmo.md"
SMALL = {"size": 64, "players": 16, "creatures": 48}


def chosen(actions: Any, masks: Any, counts: list[int]) -> Any:
    """Whether each choice is legal, bool [rows, dimensions]."""
    first = np.cumsum([0, *counts[:-1]])
    return np.take_along_axis(masks, actions + first, axis=1)


def test_the_script_makes_legal_choices_only() -> None:
    envs = pufferc.make("mmo", num_games=2, num_threads=1, seed=1, masked=True, **SMALL)
    _, infos = envs.reset(seed=1)
    counts = [int(n) for n in envs.single_action_space.nvec]
    acts = set()
    for _ in range(400):
        actions = envs.script(0)
        assert chosen(actions, envs.action_masks(), counts).all()
        acts |= set(actions[:, 0].tolist())
        _, _, _, _, infos = envs.step(actions)
    assert "action_mask" in infos and len(acts) >= 8  # moves, attacks, use
    envs.close()


def test_a_mask_is_given_only_on_request() -> None:
    plain = pufferc.make("mmo", num_games=1, num_threads=1, **SMALL)
    assert plain.action_mask is None
    plain.reset(seed=1)
    plain.step(np.tile(np.array([5, 0, 0, 0]), (16, 1)))  # attacks in town count as rests
    plain.close()


@pytest.mark.parametrize("kind", ["mlp", "mingru"])
def test_a_short_training_changes_the_policy(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from pufferc.config import load_config, merge
    from pufferc.training.run import train

    config = merge(
        load_config("mmo"),
        {
            "env": {**SMALL, "masked": True, "max_steps": 100},
            "vec": {"num_envs": 32, "num_threads": 1},
            "policy": {"kind": kind, "hidden_size": 16},
            "train": {
                "total_steps": 32 * 16 * 4, "horizon": 16, "minibatch_size": 256, "threads": 1, "target_score": None,
                "checkpoint_interval_s": 0.0,
            },
        },
    )  # fmt: skip
    result = train(config, runs=tmp_path, quiet=True)
    assert result.steps == 32 * 16 * 4
    records = (next(tmp_path.glob("*/metrics.jsonl"))).read_text(encoding="utf-8").splitlines()
    assert len(records) == 4 and "nan" not in "".join(records).lower()


def test_the_page_tables_match_the_code() -> None:
    page, info = PAGE.read_text(encoding="utf-8"), pufferc.env_info("mmo")
    for param in info.params:
        assert f"| {param.name} | {param.default:g} | {param.min:g}..{param.max:g} | {param.help} |" in page, param.name
    for row in info.observation:
        values = "(2 vision + 1)^2" if row.name in ("ground", "who", "vigour") else str(row.count)
        assert f"| {row.name} | {values} | {row.low:g}..{row.high:g} | {row.help} |" in page, row.name
    listed = re.search(r"## Metrics\n\n(.*?)\n\n## ", page, re.S)
    assert listed is not None
    assert re.findall(r"^\| (\w+) \|", listed[1], re.M)[1:] == list(info.metrics)
