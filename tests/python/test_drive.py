"""Drive from Python: state fields, hits with any number of threads, the built-in player, the tables of its page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pufferc

PAGE = Path(__file__).parents[2] / "docs" / "games" / "drive.md"


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_a_body_put_in_the_way_is_seen_and_hit(threads: int) -> None:
    envs = pufferc.make("drive", num_games=9, num_threads=threads, agents=2, traffic=0, walkers=0)
    envs.reset(seed=2)
    x, y, away = envs.state("x"), envs.state("y"), envs.state("away")
    assert x.shape == (9, 2) and not away.any()
    near = np.arange(9) % 2 == 0
    x[near, 1], y[near, 1] = x[near, 0], y[near, 0]
    envs.set_state("x", x)
    envs.set_state("y", y)
    obs, _, terminated, _, _ = envs.step(np.tile(np.array([[2, 4]], np.int32), (18, 1)))
    assert (terminated.reshape(9, 2) == near[:, None]).all() and obs.shape == (18, 155)
    envs.close()


@pytest.mark.parametrize("continuous", [False, True])
def test_the_built_in_player_reaches_goals(continuous: bool) -> None:
    envs = pufferc.make("drive", num_games=32, num_threads=1, agents=1, traffic=0, walkers=0, continuous=continuous)
    envs.reset(seed=3)
    goals, ended = 0, 0
    for _ in range(500):
        _, rewards, terminated, truncated, _ = envs.step(envs.script(0))
        goals += int((rewards[terminated] > 0.5).sum())
        ended += int(terminated.sum() + truncated.sum())
    envs.close()
    assert ended > 200 and goals > 0.95 * ended


def test_the_page_tables_match_the_code() -> None:
    page, info = PAGE.read_text(encoding="utf-8"), pufferc.env_info("drive")
    for param in info.params:
        assert f"| {param.name} | {param.default:g} | {param.min:g}.." in page, param.name
        assert f" | {param.help} |" in page, param.name
    for row in info.observation:
        assert f"| {row.name} |" in page, row.name
    for metric in info.metrics:
        assert f"{metric}" in page, metric
