"""Drive from Python: state fields, the built-in player."""

from __future__ import annotations

import numpy as np
import pytest

import pufferc

pytestmark = pytest.mark.skipif("drive" not in pufferc.list_envs(), reason="an experimental game")


def test_a_body_put_in_the_way_is_seen_and_hit() -> None:
    envs = pufferc.make("drive", num_games=1, num_threads=1, agents=2, traffic=0, walkers=0)
    envs.reset(seed=2)
    x, y, away = envs.state("x"), envs.state("y"), envs.state("away")
    assert x.shape == (1, 2) and not away.any()
    x[0, 1], y[0, 1] = x[0, 0], y[0, 0]
    envs.set_state("x", x)
    envs.set_state("y", y)
    obs, _, terminated, _, _ = envs.step(np.tile(np.array([[2, 4]], np.int32), (2, 1)))
    assert terminated.all() and obs.shape == (2, 155)
    envs.close()


@pytest.mark.parametrize("continuous", [False, True])
def test_the_built_in_player_reaches_goals(continuous: bool) -> None:
    envs = pufferc.make("drive", num_games=8, num_threads=1, agents=1, traffic=0, walkers=0, continuous=continuous)
    envs.reset(seed=3)
    goals, ended = 0, 0
    for _ in range(500):
        _, rewards, terminated, truncated, _ = envs.step(envs.script(0))
        goals += int((rewards[terminated] > 0.5).sum())
        ended += int(terminated.sum() + truncated.sum())
    envs.close()
    assert ended > 20 and goals > 0.95 * ended
