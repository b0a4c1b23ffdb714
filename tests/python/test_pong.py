"""Pong from Python: scores, match results, and that observed velocities match observed positions."""

from __future__ import annotations

import numpy as np
import pytest

import pufferc


def test_the_score_of_a_match_is_its_point_difference() -> None:
    env = pufferc.make("pong", 64, seed=3, points=5)
    env.reset(seed=3)
    rng = np.random.default_rng(1)
    returns = np.zeros(64)
    matches = 0
    for _ in range(600):
        _, rewards, terminated, _, infos = env.step(rng.integers(3, size=64, dtype=np.int32))
        returns += rewards
        for row in np.flatnonzero(terminated):
            episode = {name: values[row] for name, values in infos["final_info"]["episode"].items()}
            assert episode["score"] == returns[row] == episode["points"] - episode["bot_points"]
            assert max(episode["points"], episode["bot_points"]) == 5
            assert episode["perf"] == pytest.approx((episode["score"] + 5) / 10)
            returns[row] = 0.0
            matches += 1
    env.close()
    assert matches > 64


def test_the_ball_moves_by_its_velocity() -> None:
    """Without a bounce, a step moves the ball by 4 frames of its velocity. Most steps have no bounce."""
    env = pufferc.make("pong", 256, seed=4)
    before, _ = env.reset(seed=4)
    straight = 0
    for _ in range(50):
        before = before.copy()
        after = env.step(np.zeros(256, np.int32))[0]
        free = (after[:, 4:6] == before[:, 4:6]).all(1)
        moved = (after[:, 2:4] - before[:, 2:4]) * (480, 320)
        np.testing.assert_allclose(moved[free], (4 * before[:, 4:6] * (8, 6))[free], atol=1e-3)
        straight += int(free.sum())
        before = after
    env.close()
    assert straight > 0.8 * 50 * 256


def predictor_actions(seen: np.ndarray) -> np.ndarray:
    """Actions of a player that hits the ball with the end of its paddle that deflects it away from the other."""
    paddle, other, x, y = seen[:, 0] * 320, seen[:, 1] * 320, seen[:, 2] * 480, seen[:, 3] * 320
    vx, vy = seen[:, 4] * 8, seen[:, 5] * 6
    frames = np.where(vx > 0, (451 - x) / np.maximum(vx, 1), 0)
    path = (y + vy * frames - 5) % 620  # reflect at the walls
    aim = np.where(path > 310, 620 - path, path) + 5
    aim = np.where(vx > 0, aim - np.where(other < 160, 1, -1) * 26, y)
    return np.where(aim < paddle - 6, 1, np.where(aim > paddle + 6, 2, 0)).astype(np.int32)


def test_a_player_that_predicts_the_ball_beats_the_bot() -> None:
    env = pufferc.make("pong", 32, seed=5, points=7)
    seen, _ = env.reset(seed=5)
    for _ in range(1500):
        seen = env.step(predictor_actions(seen))[0]
    metrics = env.pop_metrics()
    env.close()
    assert metrics["episodes"] > 32 and metrics["score"] > 4


@pytest.mark.parametrize("skilled", [0, 1])
def test_the_same_player_wins_on_either_side_of_two_agents(skilled: int) -> None:
    """The other side follows the ball. Both see themselves on the right."""
    env = pufferc.make("pong", num_games=16, seed=6, points=5, players=2)
    assert (env.agents, env.num_teams, env.teams.tolist()) == (2, 2, [0, 1])
    seen, _ = env.reset(seed=6)
    scores = []
    for _ in range(1200):
        actions = np.where(seen[:, 3] < seen[:, 0] - 0.02, 1, np.where(seen[:, 3] > seen[:, 0] + 0.02, 2, 0))
        actions = actions.astype(np.int32)
        actions[skilled::2] = predictor_actions(seen)[skilled::2]
        seen, rewards, terminated, _, infos = env.step(actions)
        assert (rewards[::2] == -rewards[1::2]).all() and (terminated[::2] == terminated[1::2]).all()
        if terminated.any():
            scores += infos["final_info"]["episode"]["score"][skilled::2][terminated[skilled::2]].tolist()
    env.close()
    assert len(scores) > 16 and np.mean(scores) > 2
