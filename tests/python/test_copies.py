"""Pickling and copying: environments in every interface, before and after the first step."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import pufferc
from conftest import SAVED, MakePool, random_actions
from own_games import build_masked_catcher, needs_compiler

COPIES: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda env: pickle.loads(pickle.dumps(env)),
    "deepcopy": copy.deepcopy,
}


def _same_future(env: pufferc.VecEnv, other: pufferc.VecEnv, steps: int = 40) -> None:
    """Both give the same results for the same actions."""
    rng = np.random.default_rng(1)
    for _ in range(steps):
        actions = random_actions(env, rng)
        (*results, infos), (*expected, expected_infos) = other.step(actions), env.step(actions)
        for result, wanted in zip(results, expected, strict=True):
            np.testing.assert_array_equal(result, wanted)
        assert infos.keys() == expected_infos.keys()


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("name", SAVED)
def test_a_pool_and_its_copy_have_the_same_future(name: str, way: str, pool: MakePool) -> None:
    env = pool(name, num_games=4, seed=3, max_steps=25, copy=True)
    rng = np.random.default_rng(2)
    fresh = COPIES[way](env)
    np.testing.assert_array_equal(fresh.reset()[0], env.reset()[0])
    _same_future(env, fresh)
    for _ in range(10):
        env.step(random_actions(env, rng))
    _same_future(env, COPIES[way](env))


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_has_the_arguments(way: str, pool: MakePool) -> None:
    env = pool(
        "breakout", 6, num_threads=2, groups=2, autoreset="next_step", seed=5, game_numbers=[9, 8, 7, 6, 5, 4],
        render_mode="rgb_array", render_games=3, balls=3,
    )  # fmt: skip
    env.reset(seed=11)
    env.set_param("frames_per_step", 2)
    env.action_space.seed(3)
    env.action_space.sample()
    other = COPIES[way](env)
    for attribute in ("num_envs", "num_threads", "groups", "autoreset_mode", "params", "np_random_seed", "render_mode"):
        assert getattr(other, attribute) == getattr(env, attribute), attribute
    np.testing.assert_array_equal(other.action_space.sample(), env.action_space.sample())
    np.testing.assert_array_equal(other.render(), env.render())
    env.action_space.seed(1)
    assert other.action_space is not env.action_space and other.single_action_space == env.single_action_space
    np.testing.assert_array_equal(other.reset(seed=4)[0], env.reset(seed=4)[0])


def test_copies_are_independent(pool: MakePool) -> None:
    env = pool("cartpole", 2, copy=True)
    env.reset(seed=1)
    other = copy.copy(env)
    other.step([0, 0])
    env.close()
    other.step([1, 1])
    with pytest.raises(RuntimeError, match="closed"):
        copy.copy(env)


def test_a_pool_that_is_stepping_is_not_copied(pool: MakePool) -> None:
    env = pool("cartpole", 4, groups=2)
    env.reset(seed=1)
    env.send([0, 0], 1)
    with pytest.raises(RuntimeError, match="recv"):
        pickle.dumps(env)
    env.recv(1)
    pickle.dumps(env)


@pytest.mark.skipif(len(SAVED) == len(pufferc.list_envs()), reason="every game of this build can be saved")
def test_games_that_cannot_be_saved_are_copied_before_the_first_reset(pool: MakePool) -> None:
    name = next(name for name in pufferc.list_envs() if name not in SAVED)
    env = pool(name, 1, seed=1, copy=True)
    other = copy.deepcopy(env)
    np.testing.assert_array_equal(env.reset()[0], other.reset()[0])
    with pytest.raises(NotImplementedError, match="cannot be saved"):
        copy.deepcopy(env)


@pytest.mark.parametrize("way", COPIES)
def test_single_environments(way: str) -> None:
    env = gym.make("pufferc/CartPole-v1", max_steps=30, render_mode="rgb_array")
    env.reset(seed=1)
    env.render()
    for _ in range(5):
        env.step(1)
    other = COPIES[way](env)
    assert other.spec == env.spec
    np.testing.assert_array_equal(other.render(), env.render())
    for _ in range(3):
        for action in (0, 1):
            result, expected = other.step(action), env.step(action)
            np.testing.assert_array_equal(result[0], expected[0])
            assert result[1:] == expected[1:]
    env.close()
    np.testing.assert_array_equal(other.reset(seed=4)[0], gym.make("pufferc/CartPole-v1").reset(seed=4)[0])


@pytest.mark.parametrize("way", COPIES)
def test_parallel_environments(way: str) -> None:
    pytest.importorskip("pettingzoo")
    from pufferc.interop.pettingzoo import parallel_env

    env = parallel_env("snake", width=20, height=12, snakes=4, food=20)
    fresh = COPIES[way](env)
    assert fresh.possible_agents == env.possible_agents and fresh.reset(seed=1)[0].keys() == env.reset(seed=1)[0].keys()
    env.step(dict.fromkeys(env.agents, 0))
    other = COPIES[way](env)
    rng = np.random.default_rng(1)
    while env.agents:
        actions = {agent: rng.integers(4) for agent in env.agents}
        result, expected = other.step(actions), env.step(actions)
        assert result[1:] == expected[1:] and other.agents == env.agents
        for agent, observation in expected[0].items():
            np.testing.assert_array_equal(result[0][agent], observation)


@needs_compiler
def test_a_loaded_game_is_pickled_by_its_path(tmp_path: Path) -> None:
    file = build_masked_catcher(tmp_path)
    env = pufferc.make(file, 2, seed=1, copy=True)
    env.reset()
    data = pickle.dumps(env)
    _same_future(env, pickle.loads(data))
    info = pufferc.env_info(file)
    assert pickle.loads(pickle.dumps(info)) is copy.deepcopy(info) is info
    Path(file).write_bytes(Path(file).read_bytes() + b"\0")
    with pytest.raises(ValueError, match="the file has changed since it was pickled"):
        pickle.loads(data)
