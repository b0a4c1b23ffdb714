"""The games in Gymnasium: registration, make, make_vec, check_env and wrappers."""

from __future__ import annotations

import gc
import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, VectorEnv

import pufferc
from conftest import GAMES, random_actions
from pufferc.config import load_config

# Gymnasium's checks sample actions without masks. test_contract.py tests single environments of masked games.
OUR_SPECS = [spec for key, spec in gym.registry.items() if key.startswith("pufferc/")]
CONTINUOUS = [spec.kwargs["name"] for spec in OUR_SPECS if spec.kwargs.get("continuous")]
ONE_AGENT = [name for name in GAMES if pufferc.env_info(name).agents == 1 and not pufferc.env_info(name).masked]


@pytest.mark.filterwarnings("ignore:.*value is -?infinity")  # CartPole's velocities, as in Gymnasium's own
@pytest.mark.parametrize("name", ONE_AGENT)
def test_check_env_passes(name: str) -> None:
    env = gym.make(pufferc.env_info(name).id)
    check_env(env.unwrapped, skip_render_check=True)


@pytest.mark.parametrize("name", ONE_AGENT)
def test_make_plays_the_same_games_as_the_pool(name: str) -> None:
    """The single and the vector environment agree in every episode for equal seeds and actions."""
    env = gym.make(pufferc.env_info(name).id, max_steps=30)
    pool = pufferc.make(name, num_games=1, max_steps=30)
    observation, info = env.reset(seed=3)
    first, _ = pool.reset(seed=3)
    np.testing.assert_array_equal(observation, first[0])
    assert info == {}
    env.action_space.seed(0)
    ends = 0
    for _ in range(100):
        action = env.action_space.sample()
        observation, reward, terminated, truncated, info = env.step(action)
        vector, rewards, terminations, truncations, infos = pool.step(np.asarray(action)[None])
        assert type(reward) is float and type(terminated) is type(truncated) is bool
        assert (reward, terminated, truncated) == (rewards[0], terminations[0], truncations[0])
        if terminated or truncated:
            ends += 1
            np.testing.assert_array_equal(observation, infos["final_obs"][0])
            stats = infos["final_info"]["episode"]
            assert info["metrics"] == {key: value[0] for key, value in stats.items() if not key.startswith("_")}
            observation, _ = env.reset()
        else:
            assert info == {} == infos
        np.testing.assert_array_equal(observation, vector[0])
    assert ends > 0
    env.close()
    pool.close()
    with pytest.raises(RuntimeError, match="closed"):
        env.unwrapped.step(env.action_space.sample())


def test_games_of_several_agents_say_what_to_use() -> None:
    words = "256 agents in one game here; use pufferc.make or gymnasium.make_vec, or pufferc.interop.pettingzoo"
    with pytest.raises(ValueError, match=words):
        gym.make("pufferc/Snake-v1")
    env = gym.make("pufferc/Snake-v1", snakes=1)
    check_env(env.unwrapped, skip_render_check=True)
    assert env.reset(seed=1)[0].shape == env.observation_space.shape


def test_specs_have_the_limits_of_the_games() -> None:
    """The limit of an id is the game's own. The threshold is the target of its configuration."""
    for spec in OUR_SPECS:
        info = pufferc.env_info(spec.kwargs["name"])
        default = next(row.default for row in info.params if row.name == "max_steps")
        assert spec.max_episode_steps == (default or None)
        target = load_config(info.name).train.target_score
        assert spec.reward_threshold in (None, target)
    assert gym.spec("pufferc/CartPole-v1").reward_threshold == 475
    assert gym.spec("pufferc/Snake-v1").reward_threshold is None
    assert gym.make("pufferc/CartPole-v1").spec.max_episode_steps == 500  # type: ignore[union-attr]
    assert gym.make_vec("pufferc/CartPole-v1", 2).params["max_steps"] == 500


def test_a_longer_limit_needs_both_arguments() -> None:
    def length(**limits: int) -> int:
        env = gym.make("pufferc/Squared-v1", **limits)
        env.reset(seed=1)
        steps, over = 0, False
        while not over:
            *_, terminated, truncated, _ = env.step(0)
            steps, over = steps + 1, terminated or truncated
        env.reset()
        return steps

    assert length() == 33 and length(max_steps=20) == length(max_episode_steps=20) == 20
    assert length(max_steps=70, max_episode_steps=70) == length(max_steps=70, max_episode_steps=-1) == 70
    for limits in ({"max_steps": 70}, {"max_steps": 0}):
        with pytest.warns(UserWarning, match="ended an episode after 33 steps, though max_steps is"):
            assert length(**limits) == 33


@pytest.mark.parametrize("name", [name for name in ONE_AGENT if name in CONTINUOUS])
def test_continuous_variants_have_ids(name: str) -> None:
    info = pufferc.env_info(name)
    variant = f"pufferc/{info.title}Continuous-v{info.version}"
    for env in (gym.make(variant), gym.make_vec(variant, 2), pufferc.make(variant, 2)):
        space = env.single_action_space if isinstance(env, VectorEnv) else env.action_space
        assert isinstance(space, gym.spaces.Box)
        env.reset(seed=1)
        env.step(env.action_space.sample())
    with pytest.raises(ValueError, match=f"is {name} with continuous=True; give the name '{name}'"):
        pufferc.env_info(variant)


def test_ids_are_names_of_games() -> None:
    for text in ("pufferc/Breakout-v1", "pufferc:pufferc/Breakout-v1"):
        assert pufferc.make(text, 2).name == pufferc.env_info(text).name == "breakout"
    with pytest.raises(ValueError, match=r"no game named 'pufferc/Brekout-v1'; did you mean 'pufferc/Breakout-v1'"):
        pufferc.make("pufferc/Brekout-v1")
    with pytest.raises(ValueError, match=r"pufferc/mine-v1.so: no such file"):
        pufferc.make("pufferc/mine-v1.so")


@pytest.mark.parametrize("mode", ["sync", "vector_entry_point"])
def test_lists_of_pictures(mode: str) -> None:
    """render gives each row's pictures since its last call, as Gymnasium's RenderCollection does."""
    envs = gym.make_vec("pufferc/Breakout-v1", 2, vectorization_mode=mode, render_mode="rgb_array_list")
    envs.reset(seed=1)
    for _ in range(3):
        envs.step(np.array([1, 2]))
    rows = envs.render()
    assert isinstance(rows, tuple) and [len(row) for row in rows] == [4, 4]
    assert rows[0][0].dtype == np.uint8 and (rows[0][0] != rows[0][3]).any() and (rows[0][3] != rows[1][3]).any()
    assert [len(row) for row in envs.render()] == [0, 0]
    envs.step(np.array([1, 2]))
    envs.reset(seed=1)
    again = envs.render()
    assert len(again[1]) == 1
    np.testing.assert_array_equal(again[1][0], rows[1][0])
    grid = pufferc.make("breakout", 2, render_mode="rgb_array_list", render_games=2)
    grid.reset()
    grid.step([0, 0])
    assert [picture.ndim for picture in grid.render()] == [3, 3]


def test_an_old_gymnasium_is_named() -> None:
    program = "import gymnasium; gymnasium.__version__ = '1.0.0a2'; import pufferc"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "ImportError: pufferc needs gymnasium 1.1 or later, got 1.0.0a2" in done.stderr


def test_environments_of_other_processes() -> None:
    envs = gym.make_vec("pufferc/CartPole-v1", 2, vectorization_mode="async")
    envs.reset(seed=1)
    assert envs.step(envs.action_space.sample())[0].shape == (2, 4)
    envs.close()


@pytest.mark.parametrize("name", GAMES)
def test_make_vec_returns_copies(name: str) -> None:
    info = pufferc.env_info(name)
    env = gym.make_vec(info.id, num_envs=2 * info.agents)
    assert isinstance(env, pufferc.VecEnv)
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert env.spec is not None and env.spec.id == info.id
    assert env.num_envs == 2 * info.agents
    first, _ = env.reset(seed=1)
    second, rewards, *_ = env.step(random_actions(env, np.random.default_rng(1)))
    assert first.base is second.base is rewards.base is None
    env.close()


def test_a_pool_that_is_in_use_outlives_its_vec_env(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gymnasium before 1.3 closes every garbage-collected VectorEnv, and fails if its constructor raised an error."""
    monkeypatch.setattr(VectorEnv, "__del__", lambda env: None if env.closed else env.close(), raising=False)
    env = pufferc.make("cartpole", 2)
    env.reset(seed=1)
    pool = env._pool  # a Renderer keeps this reference
    del env
    gc.collect()
    assert pool.step(np.array([0, 1]), None)[0].shape == (2, 4)
    with pytest.raises(ValueError, match="num_threads"):
        pufferc.make("cartpole", 2, num_threads=0)
    gc.collect()


def test_make_vec_passes_parameters() -> None:
    env = gym.make_vec(cartpole_id(), 4, max_steps=9)
    assert env.params["max_steps"] == 9
    env = gym.make_vec(cartpole_id(), 4, max_episode_steps=8, num_threads=1)
    assert env.params["max_steps"] == 8
    with pytest.raises(
        ValueError, match="render_mode must be one of 'human', 'rgb_array', 'rgb_array_list', got 'ansi'"
    ):
        gym.make_vec(cartpole_id(), 4, render_mode="ansi")
    with pytest.raises(TypeError, match="Did you mean 'max_steps'"):
        gym.make_vec(cartpole_id(), 4, max_stepz=9)


def cartpole_id() -> str:
    return pufferc.env_info("cartpole").id


def test_module_prefix_registers() -> None:
    program = """
import sys
import gymnasium
assert "pufferc" not in sys.modules
env = gymnasium.make_vec("pufferc:pufferc/Breakout-v1", num_envs=8)
assert env.reset(seed=1)[0].shape[0] == 8
assert gymnasium.make("pufferc:pufferc/Breakout-v1").reset(seed=1)[0].ndim == 1
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_importing_twice_registers_once(recwarn: pytest.WarningsRecorder) -> None:
    from pufferc.envs.games import register_gymnasium

    register_gymnasium()
    assert not recwarn.list
    assert {pufferc.env_info(name).id for name in GAMES} <= {spec.id for spec in OUR_SPECS}
    assert len([key for key in gym.registry if key.startswith("pufferc/")]) == len(OUR_SPECS)


def test_statistics_match_the_gymnasium_wrapper() -> None:
    """Before 1.4 the wrapper treats the first step of every later episode of a row as an autoreset and ignores it."""
    left_out = 0 if tuple(map(int, gym.__version__.split(".")[:2])) >= (1, 4) else 1
    episodes = np.zeros(8, int)
    env = gym.wrappers.vector.RecordEpisodeStatistics(gym.make_vec(cartpole_id(), num_envs=8))
    env.reset(seed=1)
    env.action_space.seed(0)
    for _ in range(100):
        *_, infos = env.step(env.action_space.sample())
        if infos:
            mask, ours = infos["_final_info"], infos["final_info"]["episode"]
            np.testing.assert_array_equal(infos["_episode"], mask)
            missing = left_out * (episodes > 0)[mask]  # each step of CartPole pays 1
            np.testing.assert_allclose(infos["episode"]["r"][mask] + missing, ours["r"][mask])
            np.testing.assert_array_equal(infos["episode"]["l"][mask] + missing, ours["l"][mask])
            episodes += mask
    assert episodes.min() > 0 and episodes.sum() > 16


def test_results_match_gymnasiums_vector_env() -> None:
    """final_obs and infos match those of SyncVectorEnv in same-step mode."""
    ours = gym.make_vec(cartpole_id(), num_envs=3, max_steps=12)
    theirs = gym.vector.SyncVectorEnv(
        [lambda: gym.make(cartpole_id(), max_steps=12)] * 3, autoreset_mode=AutoresetMode.SAME_STEP
    )
    seeds = [4, 5, 6]
    np.testing.assert_array_equal(ours.reset(seed=seeds)[0], theirs.reset(seed=seeds)[0])
    rng, ends = np.random.default_rng(0), 0
    for _ in range(60):
        actions = rng.integers(0, 2, 3)
        (*our_step, our_infos), (*their_step, their_infos) = ours.step(actions), theirs.step(actions)
        for mine, other in zip(our_step, their_step, strict=True):
            np.testing.assert_array_equal(mine, other)
        assert set(our_infos) == set(their_infos)
        if their_infos:
            np.testing.assert_array_equal(our_infos["_final_obs"], their_infos["_final_obs"])
            mine, other = our_infos["final_info"], their_infos["final_info"]
            # The single environment leaves the key "episode" to Gymnasium's RecordEpisodeStatistics.
            assert set(mine) == {"episode", "_episode"} and set(other) == {"metrics", "_metrics"}
            assert set(mine["episode"]) == set(other["metrics"])
            for i in np.flatnonzero(our_infos["_final_obs"]):
                ends += 1
                np.testing.assert_array_equal(our_infos["final_obs"][i], their_infos["final_obs"][i])
                for key in ("r", "l", "score"):
                    assert mine["episode"][key][i] == other["metrics"][key][i]
    assert ends > 5


@pytest.mark.filterwarnings("ignore:.*render_mode")
def test_single_env_refuses_invalid_arguments() -> None:
    env = gym.make(cartpole_id())
    with pytest.raises(ValueError, match="no reset option named 'reset_mask'"):
        env.reset(options={"reset_mask": np.array([True])})
    env.reset(seed=1)
    with pytest.raises(ValueError, match="row 0 is 7"):
        env.unwrapped.step(7)
    with pytest.raises(TypeError, match="integers"):
        env.unwrapped.step(0.5)
    with pytest.raises(ValueError, match="render_mode must be one of 'human', 'rgb_array', got 'ansi'"):
        gym.make(cartpole_id(), render_mode="ansi", disable_env_checker=True)
    with pytest.raises(TypeError, match="Did you mean 'max_steps'"):
        gym.make(cartpole_id(), max_step=4)


def test_single_games_work_under_record_episode_statistics() -> None:
    env = gym.wrappers.RecordEpisodeStatistics(gym.make("pufferc/Squared-v1"))
    env.reset(seed=1)
    info: dict = {}
    while not info:
        *_, info = env.step(0)
    assert info["episode"]["l"] == info["metrics"]["l"]
    assert info["episode"]["r"] == pytest.approx(info["metrics"]["r"])
