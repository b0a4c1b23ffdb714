"""Gymnasium's wrappers for vector environments, around pools in both autoreset modes."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import gymnasium.wrappers.vector as wrappers
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import pufferc

Wrap = Callable[[Any], Any]


def _half(values: Any) -> Any:
    return values / 2


# These transform observations, so they need the last observation of an episode in the observations of a step.
OBSERVATIONS: dict[str, Wrap] = {
    "NormalizeObservation": wrappers.NormalizeObservation,
    "TransformObservation": lambda env: wrappers.TransformObservation(env, _half),
    "VectorizeTransformObservation": lambda env: wrappers.VectorizeTransformObservation(
        env, gym.wrappers.TransformObservation, func=_half, observation_space=env.single_observation_space
    ),
    "FlattenObservation": wrappers.FlattenObservation,
    "ReshapeObservation": lambda env: wrappers.ReshapeObservation(env, (*env.single_observation_space.shape, 1)),
    "RescaleObservation": lambda env: wrappers.RescaleObservation(env, np.float32(-2), np.float32(2)),
    "DtypeObservation": lambda env: wrappers.DtypeObservation(env, np.float64),
}
OTHERS: dict[str, Wrap] = {
    "TransformAction": lambda env: wrappers.TransformAction(env, lambda actions: actions),
    "VectorizeTransformAction": lambda env: wrappers.VectorizeTransformAction(
        env, gym.wrappers.TransformAction, func=lambda action: action, action_space=env.single_action_space
    ),
    "ClipAction": wrappers.ClipAction,
    "RescaleAction": lambda env: wrappers.RescaleAction(env, np.float32(-2), np.float32(2)),
    "TransformReward": lambda env: wrappers.TransformReward(env, _half),
    "VectorizeTransformReward": lambda env: wrappers.VectorizeTransformReward(
        env, gym.wrappers.TransformReward, func=_half
    ),
    "ClipReward": lambda env: wrappers.ClipReward(env, -0.5, 0.5),
    "NormalizeReward": wrappers.NormalizeReward,
    "RecordEpisodeStatistics": wrappers.RecordEpisodeStatistics,
    "DictInfoToList": wrappers.DictInfoToList,
}
CONVERSIONS = ("NumpyToTorch", "ArrayConversion")  # in front of other wrappers these give and take torch tensors


def _play(env: Any, tensors: bool = False) -> None:
    """Random play until at least one episode has ended in each row. Observations are in their space."""
    env.reset(seed=1)
    env.action_space.seed(1)
    ended = np.zeros(env.num_envs, bool)
    for _ in range(60):
        actions: Any = env.action_space.sample()
        if tensors:
            actions = importlib.import_module("torch").as_tensor(actions)
        observations, _, terminated, truncated, _ = env.step(actions)
        assert env.observation_space.contains(np.asarray(observations))
        ended |= np.asarray(terminated) | np.asarray(truncated)
    assert ended.all()
    env.close()


def _envs(mode: str, name: str = "") -> Any:
    game = "cartpole" if name in ("ClipAction", "RescaleAction") else "breakout"
    params: dict[str, Any] = {"continuous": True} if game == "cartpole" else {}
    return gym.make_vec(pufferc.env_info(game).id, 4, autoreset=mode, max_steps=20, **params)


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")  # Gymnasium compares float32 with float64's lowest
@pytest.mark.parametrize("name", [*OBSERVATIONS, *OTHERS])
def test_every_vector_wrapper_works_in_next_step_mode(name: str) -> None:
    _play({**OBSERVATIONS, **OTHERS}[name](_envs("next_step", name)))


@pytest.mark.parametrize("name", OTHERS)
def test_wrappers_of_actions_and_rewards_work_in_same_step_mode(name: str) -> None:
    _play(OTHERS[name](_envs("same_step", name)))


@pytest.mark.parametrize("name", OBSERVATIONS)
def test_gymnasium_refuses_wrappers_of_observations_in_same_step_mode(name: str) -> None:
    """If a new Gymnasium accepts one, the table in docs/interoperability.md changes."""
    with pytest.raises((ValueError, AssertionError), match="NEXT_STEP"):
        OBSERVATIONS[name](_envs("same_step"))


@pytest.mark.parametrize("mode", ["same_step", "next_step"])
@pytest.mark.parametrize("name", CONVERSIONS)
def test_conversions_to_torch(name: str, mode: str) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("array_api_compat")  # gymnasium[array-api]
    make: Any = getattr(wrappers, name)
    _play(make(_envs(mode), *((torch, np) if name == "ArrayConversion" else ())), tensors=True)


@pytest.mark.filterwarnings("ignore:.*same-step", "ignore::ResourceWarning", "ignore:.*unclosed")
@pytest.mark.parametrize("mode", ["same_step", "next_step"])
def test_record_video(mode: str, tmp_path: Path) -> None:
    pytest.importorskip("moviepy")
    envs = gym.make_vec("pufferc/Breakout-v1", 2, autoreset=mode, max_steps=9, render_mode="rgb_array")
    _play(wrappers.RecordVideo(envs, str(tmp_path / "films"), episode_trigger=lambda episode: episode == 0, fps=30))
    assert [file.stat().st_size > 0 for file in (tmp_path / "films").glob("*.mp4")] == [True]


def test_next_step_equals_gymnasiums_own_mode() -> None:
    """Rewards, flags and observations are those of SyncVectorEnv with next-step autoreset, for equal seeds."""
    ours = gym.make_vec("pufferc/CartPole-v1", 3, autoreset="next_step", max_steps=12)
    theirs = gym.make_vec(
        "pufferc/CartPole-v1",
        3,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": AutoresetMode.NEXT_STEP},
        max_steps=12,
    )
    assert ours.autoreset_mode is ours.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    np.testing.assert_array_equal(ours.reset(seed=[4, 5, 6])[0], theirs.reset(seed=[4, 5, 6])[0])
    rng, ends = np.random.default_rng(0), 0
    for _ in range(80):
        actions = rng.integers(0, 2, 3)
        (*mine, infos), (*other, other_infos) = ours.step(actions), theirs.step(actions)
        for our, their in zip(mine, other, strict=True):
            np.testing.assert_array_equal(our, their)
        assert ("final_info" in infos) == ("metrics" in other_infos) and "final_obs" not in infos
        if "final_info" in infos:
            ends += infos["_final_info"].sum()
            rows = infos["_final_info"]
            np.testing.assert_array_equal(rows, mine[2] | mine[3])
            for key in ("r", "l"):
                episode = infos["final_info"]["episode"]
                np.testing.assert_array_equal(episode[key][rows], other_infos["metrics"][key][rows])
    assert ends > 5


def test_next_step_ignores_actions_of_ended_rows() -> None:
    """An ended row has all choices, takes any number, and gets reward 0. Other rows are checked as always."""
    env = pufferc.make("cartpole", 2, autoreset="next_step", max_steps=3, seed=1)
    env.reset()
    env.step([0, 0])
    env.reset(options={"reset_mask": np.array([True, False])})
    env.step([0, 0])
    *_, truncated, _ = env.step([0, 1])
    np.testing.assert_array_equal(truncated, [False, True])
    assert env.action_masks()[1].all() and not env.alive[1]
    with pytest.raises(ValueError, match="row 0 is -1"):
        env.step([-1, 0])
    observations, rewards, terminated, truncated, _ = env.step([0, 99])
    assert rewards[1] == 0 and truncated[0] and not (terminated[1] or truncated[1]) and env.alive[1]
    assert (np.abs(observations[1]) <= 0.05).all()  # the first state of an episode


def test_the_environments_of_cleanrl() -> None:
    """The chain of its continuous programs: wrapped single environments in SyncVectorEnv, same-step."""

    def make() -> gym.Env[Any, Any]:
        env: Any = gym.make("pufferc/CartPoleContinuous-v1")
        env = gym.wrappers.FlattenObservation(env)
        env = gym.wrappers.RecordEpisodeStatistics(env)
        env = gym.wrappers.ClipAction(env)
        env = gym.wrappers.NormalizeObservation(env)
        env = gym.wrappers.TransformObservation(env, lambda values: np.clip(values, -10, 10), env.observation_space)
        env = gym.wrappers.NormalizeReward(env)
        return gym.wrappers.TransformReward(env, lambda reward: float(np.clip(reward, -10, 10)))

    envs = gym.vector.SyncVectorEnv([make] * 2, autoreset_mode=AutoresetMode.SAME_STEP)
    assert isinstance(envs.single_action_space, gym.spaces.Box)
    envs.reset(seed=1)
    lengths = []
    for _ in range(200):
        infos = envs.step(np.random.default_rng(1).normal(size=(2, 1)).astype(np.float32))[-1]
        if "final_info" in infos:
            over = infos["final_info"]["_episode"]
            lengths += infos["final_info"]["episode"]["l"][over].tolist()
    assert len(lengths) > 4 and min(lengths) >= 5


def test_single_wrappers_of_pictures() -> None:
    pytest.importorskip("PIL")
    env = gym.wrappers.AddRenderObservation(gym.make("pufferc/Breakout-v1", render_mode="rgb_array"))
    env = gym.wrappers.GrayscaleObservation(env)
    if importlib.util.find_spec("cv2"):
        env = gym.wrappers.ResizeObservation(env, (84, 84))
    first, _ = env.reset(seed=1)
    second, *_ = env.step(1)
    assert first.shape == env.observation_space.shape and first.dtype == np.uint8 and first.ndim == 2
    assert first.max() > 100 and (first != second).any()
    env.close()


def test_a_window_of_gymnasium(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    env = gym.wrappers.HumanRendering(gym.make("pufferc/Breakout-v1", render_mode="rgb_array"))
    env.reset(seed=1)
    env.step(0)
    env.close()
