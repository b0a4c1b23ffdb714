"""pufferc.make: pools for given arguments, and the information that the package has about its games."""

from __future__ import annotations

import resource
import sys
import weakref
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, VectorEnv

import pufferc
from conftest import GAMES, MakePool, needs_lander
from pufferc import _core
from pufferc.config import load_config
from pufferc.config.load import field_type
from pufferc.errors import available_cores


def test_list_envs_is_sorted_and_complete() -> None:
    assert pufferc.list_envs() == sorted(GAMES)
    assert {"breakout", "cartpole", "snake", "squared", "template"} <= set(GAMES)
    pufferc.list_envs().clear()
    assert pufferc.list_envs() == GAMES


def test_env_info(game: str) -> None:
    info = pufferc.env_info(game)
    assert info.name == game and info.id == f"pufferc/{info.title}-v{info.version}" and info.summary
    assert info.params[0].name == "max_steps"
    for param in info.params:
        assert param.min <= param.default <= param.max and param.help
        assert type(param.default).__name__ == type(param.min).__name__ == param.type
    assert info.observation and info.metrics[0] == "score" and info.agents >= 1


def test_repr_of_a_game_shows_numbers_as_written() -> None:
    for entry in _core.env_descriptions():
        info = pufferc.env_info(entry["name"])
        shown = [getattr(row, key) for row in info.params for key in ("default", "min", "max")]
        shown += [bound for row in info.observation for bound in (row.low, row.high)]
        exact = [row[key] for row in entry["params"] for key in ("default", "min", "max")]
        exact += [row[key] for row in entry["observation"] for key in ("low", "high")]
        for number, value in zip(shown, exact, strict=True):
            assert np.float32(number) == np.float32(value)
            assert not isinstance(number, float) or len(repr(number)) <= len(repr(value))
    ball_speed = next(row for row in pufferc.env_info("template").params if row.name == "ball_speed")
    assert (ball_speed.default, ball_speed.min) == (0.04, 0.001)


def test_repr_of_a_pool_shows_numbers_as_given(pool: MakePool) -> None:
    assert pool("template", ball_speed=0.1).params["ball_speed"] == 0.1
    with pytest.raises(ValueError, match=r"ball_speed: expected a value in \[0.001, 0.5\], got 0.7$"):
        pool("template", ball_speed=0.7)


def test_is_a_vector_env(game: str, pool: MakePool) -> None:
    env = pool(game)
    assert isinstance(env, VectorEnv) and isinstance(env, pufferc.VecEnv)
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert env.num_games == 1 and env.num_envs == env.agents == pufferc.env_info(game).agents
    assert env.unwrapped is env and not env.closed
    assert env.single_observation_space.dtype in (np.float32, np.uint8, np.int8, np.int32)


def test_spaces_follow_the_tables(pool: MakePool) -> None:
    squared = pool("squared", 8)
    assert squared.single_observation_space == gym.spaces.Box(0, 2, (121,), np.uint8)
    assert squared.single_action_space == gym.spaces.Discrete(5)
    assert squared.action_space == gym.spaces.MultiDiscrete([5] * 8)
    continuous = pool("cartpole", 2, continuous=True)
    assert continuous.single_action_space == gym.spaces.Box(-1, 1, (1,), np.float32)
    assert continuous.action_space.shape == (2, 1)


def test_num_envs_counts_rows(pool: MakePool) -> None:
    params = {"width": 40, "height": 30, "snakes": 4, "food": 20}
    env = pool("snake", 12, **params)
    assert (env.num_envs, env.num_games, env.agents) == (12, 3, 4)
    env = pool("snake", num_games=3, **params)
    assert (env.num_envs, env.num_games) == (12, 3)
    with pytest.raises(ValueError, match=r"multiple of the 4 agents .* got 10; 8 or 12"):
        pool("snake", 10, **params)
    with pytest.raises(ValueError, match=r"got 3; 4 would fit"):
        pool("snake", 3, **params)
    with pytest.raises(ValueError, match="num_envs or num_games, not both"):
        pool("snake", 12, num_games=3, **params)


@needs_lander
def test_too_many_games_in_one_process_is_an_error(pool: MakePool) -> None:
    limit = pufferc.env_info("lander").max_games
    assert limit is not None and pufferc.env_info("cartpole").max_games is None
    with pytest.raises(ValueError, match=rf"1 to {limit} games of lander, got {limit + 1}; .*PUFFERC_BOX2D_SOURCE"):
        pool("lander", limit + 1)
    for _ in range(2):  # closed pools release their worlds
        first, second = pool("lander", limit // 2), pool("lander", limit // 2)
        with pytest.raises(ValueError, match=r"lander could open only .*PUFFERC_BOX2D_SOURCE"):
            pool("lander", limit // 2 + 1)
        first.close()
        second.close()


def test_threads_default_to_cores_and_games() -> None:
    for games in (1, 2, 64):
        env = pufferc.make("cartpole", games)
        assert env.num_threads == min(available_cores(), games)
        env.close()


def test_params_take_effect(pool: MakePool) -> None:
    env = pool("breakout", 2, frames_per_step=2, max_steps=np.int32(11), continuous=True)
    expected = {param.name: param.default for param in pufferc.env_info("breakout").params}
    assert env.params == {**expected, "frames_per_step": 2, "max_steps": 11, "continuous": True}
    assert env.params["continuous"] is True and isinstance(env.params["frames_per_step"], int)
    assert pool("template", 2, ball_speed=0.25).params["ball_speed"] == 0.25


def test_repr_describes_the_pool(pool: MakePool) -> None:
    assert repr(pool("cartpole", 4)) == "VecEnv('cartpole', num_envs=4, num_threads=1)"


def test_many_pools_do_not_leak() -> None:
    """Each pool uses half a megabyte. The peak memory must not grow after the first few hundred pools."""

    def make_pools(count: int) -> int:
        for i in range(count):
            env = pufferc.make("breakout", 256, num_threads=1 + i % 2)
            env.reset()
            if i % 3 == 0:
                env.close()
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

    before = make_pools(300)
    assert make_pools(1500) - before < 50e6


def test_a_dropped_pool_is_freed_at_once() -> None:
    env = pufferc.make("cartpole", 2)
    env.reset()
    gone = weakref.ref(env)
    del env
    assert gone() is None


def test_the_former_name_of_a_parameter_is_read_from_files_only(tmp_path: Path) -> None:
    """`frameskip` is a keyword that libraries pass on their own, so `make` refuses it. Old files contain it."""
    for make in (pufferc.make, lambda *args, **kwargs: gym.make("pufferc/Breakout-v1", **kwargs)):
        with pytest.raises(TypeError, match=r"keyword argument 'frameskip'\. Did you mean 'frames_per_step'"):
            make("breakout", frameskip=1)
    with pytest.raises(TypeError, match=r"keyword argument 'frameskip'$"):
        pufferc.make("cartpole", frameskip=1)
    assert pufferc.make("breakout").params["frames_per_step"] == 4
    assert pufferc.make("breakout", params={"frameskip": 2}).params["frames_per_step"] == 2
    file = tmp_path / "old.toml"
    file.write_text("[env]\nframeskip = 3\n")
    assert load_config("breakout", file).env["frames_per_step"] == 3
    assert field_type(load_config("breakout"), "env.frameskip") is int
