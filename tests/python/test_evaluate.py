"""Evaluation counts the first episodes of each row, as a plain loop does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pufferc
from conftest import needs_lander
from pufferc import ops
from pufferc.config import Config
from pufferc.envs.games import pool_limit

torch = pytest.importorskip("torch")

from pufferc.kernels.backend import FUSED  # noqa: E402
from pufferc.policies import Policy, make_policy  # noqa: E402
from pufferc.training.evaluate import (  # noqa: E402
    EvaluationSettings,
    Side,
    World,
    choose_rows,
    evaluate,
    evaluate_versus,
)


def policy_for(name: str, **params: Any) -> Policy:
    env = pufferc.make(name, choose_rows(name, params, 1), num_threads=1, seed=1, **params)
    policy = make_policy(Config(name), env.spaces, torch.float32, torch.device("cpu"), seed=3)
    env.close()
    return policy


def play(policy: Policy, name: str, episodes: int, **options: Any) -> Any:
    world = World(name, options.pop("params", {}), num_threads=1)
    return evaluate(policy, FUSED, world, EvaluationSettings(episodes, options.pop("seed", 11), **options))


class Fixed(Policy):
    """Strongly prefers one action, so that batch order and narrowing can't change the sampled actions."""

    input_dtype = torch.float32

    def __init__(self, choices: int, action: int) -> None:
        super().__init__()
        self.row = torch.nn.Parameter(torch.zeros(choices + 1))
        with torch.no_grad():
            self.row[action] = 80.0

    def forward(self, observations: torch.Tensor, state: Any, starts: Any) -> torch.Tensor:
        return self.row.expand(*observations.shape[:2], -1)


@pytest.mark.parametrize("episodes", [1, 30, 1500])
def test_an_evaluation_counts_the_first_episodes_of_every_row(episodes: int) -> None:
    found = play(Fixed(2, 1), "cartpole", episodes)
    rows = min(episodes, 1000)
    quota = -(-episodes // rows)
    env = pufferc.make("cartpole", rows, num_threads=1, seed=11)
    env.reset(seed=11)
    lengths: list[list[int]] = [[] for _ in range(rows)]
    while min(map(len, lengths)) < quota:
        _, _, terminated, truncated, infos = env.step(np.ones(rows, np.int32))
        for row in np.flatnonzero(terminated | truncated):
            lengths[row].append(int(infos["final_info"]["episode"]["l"][row]))
    expected = np.array([row[:quota] for row in lengths])
    assert found.episodes == rows * quota >= episodes and found.unfinished == 0
    assert found.episode_length == pytest.approx(expected.mean())
    assert found.score == pytest.approx(expected.mean())
    if episodes > 1:
        assert found.score_std == pytest.approx(expected.std(ddof=1))
        assert found.ci95 == pytest.approx(1.96 * found.score_std / np.sqrt(rows * quota))
        assert (found.score_min, found.score_max) == (expected.min(), expected.max())


def uniform(choices: int) -> Fixed:
    policy = Fixed(choices, 0)
    with torch.no_grad():
        policy.row.zero_()
    return policy


def test_rows_with_short_episodes_do_not_count_more_than_others() -> None:
    found = play(uniform(5), "squared", 2500)
    assert found.episodes == 3000 and found.unfinished == 0


def test_every_step_samples_with_a_different_step_number() -> None:
    seen = []

    class Spy:
        @staticmethod
        def sample_actions(*arguments: Any, **options: Any) -> Any:
            seen.append((options["seed"], options["step"]))
            return ops.sample_actions(*arguments, **options)

    evaluate(uniform(5), Spy, World("squared", {}, 1), EvaluationSettings(20, 11))  # type: ignore[arg-type]
    first = seen[0][1]
    assert seen == [(11, first + i) for i in range(len(seen))] and first > 2**60  # no step number of training


class Aging(Fixed):
    """Remembers how long it has played."""

    recurrent = True
    oldest = 0.0

    def initial_state(self, rows: int, device: torch.device) -> Any:
        return (torch.zeros(rows, 1),)

    def step(self, observations: torch.Tensor, state: Any) -> Any:
        ages = state[0] + 1.0
        self.oldest = max(self.oldest, float(ages.max()))
        return self.row.expand(observations.shape[0], -1).detach(), (ages,)


@pytest.mark.parametrize("max_steps", [5, 0])
def test_recurrent_state_is_reset_at_the_end_of_an_episode(max_steps: int) -> None:
    policy = Aging(2, 1)
    found = play(policy, "cartpole", 3000, params={"max_steps": max_steps})
    assert policy.oldest == found.score_max <= (5 if max_steps else 12)  # truncated, or the pole fell


def test_an_evaluation_repeats_and_its_seed_matters() -> None:
    policy = policy_for("breakout", balls=1)
    first, second = (play(policy, "breakout", 50, params={"balls": 1}) for _ in range(2))
    assert dict(first.as_dict(), seconds=0) == dict(second.as_dict(), seconds=0)
    other = play(policy, "breakout", 50, params={"balls": 1}, seed=12)
    assert other.episode_length != first.episode_length


def test_episodes_that_never_end_are_reported() -> None:
    found = play(Fixed(5, 0), "squared", 10, params={"max_steps": 0}, max_steps=50)
    assert (found.unfinished, found.episodes, found.steps) == (10, 0, 50)
    assert found.as_dict()["score"] is None


def test_greedy_takes_the_most_probable_action() -> None:
    policy = Fixed(5, 4)
    with torch.no_grad():
        policy.row.div_(800.0)  # nearly uniform
    found = play(policy, "squared", 200, greedy=True)
    assert found.episode_length == 6 or found.score > 0.0  # moves right and crosses the border
    assert found.episode_length <= 6
    assert play(policy, "squared", 200).episode_length > 6


def test_agents_with_separate_lives_are_counted_separately() -> None:
    params = {"width": 48, "height": 48, "snakes": 8, "food": 40}
    found = play(policy_for("snake", **params), "snake", 20, params=params)
    assert found.episodes >= 20 and found.unfinished == 0 and found.metrics["score"] >= 1.0


class Turning(Fixed):
    """Remembers its steps, and takes another action in each of them."""

    recurrent = True

    def __init__(self, first: int) -> None:
        super().__init__(4, 0)
        self.first = first

    def initial_state(self, rows: int, device: torch.device) -> Any:
        return (torch.full((rows, 1), self.first),)

    def step(self, observations: torch.Tensor, state: Any) -> Any:
        outputs = torch.nn.functional.one_hot(state[0][:, 0] % 4, 5) * 80.0
        return outputs, (state[0] + 1,)


SHARED = {"width": 16, "height": 16, "snakes": 4, "food": 20, "max_steps": 40}


@pytest.mark.parametrize("split", [1, 3])
def test_two_policies_share_each_game(split: int) -> None:
    """The first moves up, the second circles, against a plain loop; all snakes play until each has finished."""
    episodes = 300
    sides = (Side(Fixed(4, 0), FUSED), Side(Turning(1), FUSED))
    settings = EvaluationSettings(episodes, 11)
    found = evaluate_versus(sides, split, World("snake", SHARED, 1), settings)
    smaller = min(split, 4 - split)
    rows = choose_rows("snake", SHARED, episodes * 4 // smaller)
    quota = -(-episodes * 4 // (rows * smaller))
    env = pufferc.make("snake", rows, num_threads=1, seed=11, **SHARED)
    env.reset(seed=11)
    turning = np.arange(rows) % 4 >= split
    turns, left = np.ones(rows, np.int32), np.full(rows, quota)
    scores: list[list[float]] = [[] for _ in range(rows)]
    while (left > 0).any():
        ended = np.zeros(rows, bool)
        over = ~env.alive
        _, _, terminated, truncated, infos = env.step(np.where(turning, turns % 4, 0).astype(np.int32))
        ended = terminated | truncated
        turns = np.where(ended | over, 1, turns + 1)
        for row in np.flatnonzero(ended & (left > 0)):
            scores[row].append(float(infos["final_info"]["episode"]["score"][row]))
        left -= ended
    env.close()
    for evaluation, own in zip(found, (~turning, turning), strict=True):
        expected = np.concatenate([scores[row] for row in np.flatnonzero(own)])
        assert evaluation.episodes == expected.size >= episodes and evaluation.unfinished == 0
        assert evaluation.score == pytest.approx(expected.mean()) == pytest.approx(evaluation.metrics["score"])
    assert found[0].episode_length < found[1].episode_length


def test_sides_draw_separate_actions() -> None:
    seen = []

    class Spy:
        @staticmethod
        def sample_actions(*arguments: Any, **options: Any) -> Any:
            seen.append((options["step"], options["first_row"], arguments[0].shape[0]))
            return ops.sample_actions(*arguments, **options)

    side = Side(uniform(4), Spy)  # type: ignore[arg-type]
    evaluate_versus((side, side), 2, World("snake", SHARED, 1), EvaluationSettings(20, 11))
    draws = [(step, first + i) for step, first, rows in seen for i in range(rows)]
    assert len(draws) == len(set(draws)) > 1000


def test_a_split_needs_an_agent_on_each_side() -> None:
    sides = (Side(Fixed(4, 0), FUSED), Side(Fixed(4, 0), FUSED))
    for split in (0, 4):
        with pytest.raises(ValueError, match=rf"split must be in \[1, 3\], got {split}"):
            evaluate_versus(sides, split, World("snake", SHARED, 1), EvaluationSettings(20, 11))
    with pytest.raises(ValueError, match="at least two agents, squared has one with these parameters"):
        evaluate_versus(sides, 1, World("squared", {}, 1), EvaluationSettings(20, 11))


def test_zero_episodes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"episodes must be in \[1, 100000000\], got 0"):
        play(Fixed(2, 0), "cartpole", 0)


@needs_lander
def test_an_evaluation_pool_stays_within_the_pool_limit() -> None:
    limit = pool_limit("lander")
    assert limit is not None and choose_rows("lander", {}, 10**6) == min(limit, 1000)
    assert choose_rows("squared", {}, 10**6) == 1000
