"""Impulse from Python: spaces, scripts and teams. Only builds with Box2D have it."""

from __future__ import annotations

import numpy as np
import pytest

import pufferc

pytestmark = pytest.mark.skipif("impulse" not in pufferc.list_envs(), reason="built without Box2D")


def win_rate(level: int | None, bot: int, games: int = 32) -> float:
    """Share of first episodes that a script wins against a bot; None: random choices."""
    envs = pufferc.make("impulse", num_games=games, num_threads=1, seed=4, bot=bot)
    envs.reset(seed=4)
    rng = np.random.Generator(np.random.PCG64(4))
    won = np.full(games, np.nan)
    while np.isnan(won).any():
        space = envs.single_action_space
        actions = rng.integers(space.nvec, size=(games, 5)) if level is None else envs.script(level)
        _, rewards, terminated, truncated, _ = envs.step(actions)
        ended = np.isnan(won) & (terminated | truncated)
        won[ended] = rewards[ended] > 0.5  # the reward of a win is 1
    envs.close()
    return float(won.mean())


def test_scripts_play_through_the_choices_of_agents() -> None:
    assert win_rate(3, bot=1) > 0.55
    assert win_rate(None, bot=2) < 0.1


@pytest.mark.parametrize(
    ("params", "teams"),
    [
        ({"drones": 4, "learners": 4, "teams": 2}, [0, 1, 0, 1]),
        ({"drones": 2, "learners": 2}, [0, 1]),
        ({"drones": 3, "learners": 2}, [0, 1]),  # the third is a bot
    ],
)
def test_agents_that_fight_each_other_are_on_different_sides(params: dict[str, int], teams: list[int]) -> None:
    envs = pufferc.make("impulse", num_games=1, **params)
    assert envs.num_teams == 2
    assert envs.teams is not None
    assert envs.teams.tolist() == teams
    envs.close()


def test_one_agent_has_no_side() -> None:
    envs = pufferc.make("impulse", num_games=1)
    assert envs.num_teams == 0
    envs.close()


def test_entities_are_sets_and_controls_are_seven() -> None:
    envs = pufferc.make("impulse", num_games=2, continuous=True)
    observations, _ = envs.reset(seed=1)
    assert envs.single_action_space.shape == (7,)
    assert observations.shape == (2, 286)
    assert np.abs(observations).max() <= 1.0
    rows = {row.name: (row.count, row.each) for row in envs.observation_rows}
    assert rows == {
        "own": (19, 0),
        "weapon": (7, 0),
        "walls": (48, 0),
        "drones": (48, 16),
        "shots": (108, 9),
        "pickups": (24, 8),
        "floating": (32, 8),
    }
    envs.close()


def test_a_game_cannot_be_saved() -> None:
    envs = pufferc.make("impulse", num_games=1)
    envs.reset(seed=1)
    with pytest.raises(NotImplementedError, match="impulse cannot be saved or loaded"):
        envs.save()
    envs.close()
