"""Moba from Python: masks and forced rows, scripts, state fields, teams, and the tables of its page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pufferc

PAGE = Path(__file__).parents[2] / "docs" / "games" / "moba.md"
OFF_THE_MAP = 192


def test_masks_and_forced_rows_follow_the_state() -> None:
    envs = pufferc.make("moba", num_games=2, num_threads=1, seed=4, masked=True)
    _, infos = envs.reset(seed=4)
    dead_rows = 0
    for step in range(700):
        legal = infos["action_mask"]
        assert legal.shape == (20, 17) and legal[:, [0, 9, 14]].all()
        dead = envs.state("x")[:, :10].reshape(-1) == OFF_THE_MAP
        assert (envs.forced[dead]).all() and envs.alive.all()
        assert (legal[dead].sum(axis=1) == 3).all()
        dead_rows += int(dead.sum())
        _, _, _, _, infos = envs.step(envs.script(1 + step % 3, step=step))
    assert dead_rows > 0
    illegal = np.zeros((20, 3), np.int64)
    illegal[:, 1] = 1  # no hero has a target for an attack in every row
    with pytest.raises(ValueError, match="is not legal now"):
        envs.step(illegal)
    envs.close()


def test_teams_and_opponents() -> None:
    envs = pufferc.make("moba", num_games=2, num_threads=1)
    assert envs.num_teams == 2 and envs.teams.tolist() == 5 * [0] + 5 * [1]
    assert not pufferc.env_info("moba").masked or envs.action_masks().all()
    envs.close()
    envs = pufferc.make("moba", num_games=2, num_threads=1, opponent=3)
    assert envs.num_envs == 10 and envs.num_teams == 1
    envs.close()


def test_both_teams_start_with_the_same_view() -> None:
    envs = pufferc.make("moba", num_games=3, num_threads=1, seed=2)
    observations, _ = envs.reset(seed=2)
    rows = observations.reshape(3, 2, 5, -1)
    assert (rows[:, 0] == rows[:, 1]).all()
    envs.close()


def test_state_can_be_read_and_written() -> None:
    envs = pufferc.make("moba", num_games=1, num_threads=1, seed=2)
    before, _ = envs.reset(seed=2)
    level = envs.state("level")
    assert level.shape == (1, 10) and (level == 1).all() and envs.state("tick").item() == 0
    level[0, 3] = 7
    after = envs.set_state("level", level)
    assert after[3, 1] == 7 and before[3, 1] == 1
    envs.close()


def test_the_page_tables_match_the_code() -> None:
    page, info = PAGE.read_text(encoding="utf-8"), pufferc.env_info("moba")
    for param in info.params:
        assert f"| {param.name} | {param.default:g} | {param.min:g}.." in page, param.name
        assert f" | {param.help} |" in page, param.name
    for row in info.observation:
        assert f"| {row.name} |" in page and f" | 0..{row.high:g} | {row.help} |" in page, row.name
    for metric in info.metrics:
        assert f"{metric}" in page, metric
