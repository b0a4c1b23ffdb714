"""Gymnasium's wrappers for single environments, each around a game. test_wrappers.py has those for vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import wrappers

import pufferc  # noqa: F401  (registers the ids)

Wrap = Callable[[Any], Any]

PLAIN: dict[str, Wrap] = {
    "DelayObservation": lambda env: wrappers.DelayObservation(env, 2),
    "DtypeObservation": lambda env: wrappers.DtypeObservation(env, np.float64),
    "DiscretizeObservation": lambda env: wrappers.DiscretizeObservation(env, 3, multidiscrete=True),
    "FlattenObservation": wrappers.FlattenObservation,
    "FrameStackObservation": lambda env: wrappers.FrameStackObservation(env, 4),
    "TransformObservation": lambda env: wrappers.TransformObservation(
        env, lambda values: values // 2, env.observation_space
    ),
    "MaxAndSkipObservation": lambda env: wrappers.MaxAndSkipObservation(env, 2),
    "NormalizeObservation": wrappers.NormalizeObservation,
    "ReshapeObservation": lambda env: wrappers.ReshapeObservation(env, (*env.observation_space.shape, 1)),
    "RescaleObservation": lambda env: wrappers.RescaleObservation(env, np.float32(-2), np.float32(2)),
    "TimeAwareObservation": wrappers.TimeAwareObservation,
    "FilterObservation": lambda env: wrappers.FilterObservation(wrappers.TimeAwareObservation(env, False), ["time"]),
    "TransformAction": lambda env: wrappers.TransformAction(env, lambda action: action, env.action_space),
    "StickyAction": lambda env: wrappers.StickyAction(env, 0.5),
    "RepeatAction": lambda env: wrappers.RepeatAction(env, 2),
    "ClipReward": lambda env: wrappers.ClipReward(env, -0.5, 0.5),
    "TransformReward": lambda env: wrappers.TransformReward(env, lambda reward: reward / 2),
    "NormalizeReward": wrappers.NormalizeReward,
    "TimeLimit": lambda env: wrappers.TimeLimit(env, 5),
    "Autoreset": wrappers.Autoreset,
    "PassiveEnvChecker": wrappers.PassiveEnvChecker,
    "OrderEnforcing": wrappers.OrderEnforcing,
    "RecordEpisodeStatistics": wrappers.RecordEpisodeStatistics,
}
ACTIONS: dict[str, Wrap] = {
    "ClipAction": wrappers.ClipAction,
    "DiscretizeAction": lambda env: wrappers.DiscretizeAction(env, 5),
    "RescaleAction": lambda env: wrappers.RescaleAction(env, np.float32(-2), np.float32(2)),
}
PICTURES: dict[str, Wrap] = {
    "AddRenderObservation": wrappers.AddRenderObservation,
    "GrayscaleObservation": lambda env: wrappers.GrayscaleObservation(wrappers.AddRenderObservation(env)),
    "ResizeObservation": lambda env: wrappers.ResizeObservation(wrappers.AddRenderObservation(env), (84, 84)),
    "AddWhiteNoise": lambda env: wrappers.AddWhiteNoise(env, 0.1),
    "ObstructView": lambda env: wrappers.ObstructView(env, 0.1, 4),
    "RenderCollection": wrappers.RenderCollection,
}
CONVERSIONS = ("NumpyToTorch", "ArrayConversion")  # these give and take torch tensors
# RecordVideo: test_record.py. HumanRendering: test_wrappers.py. The others need the Arcade Learning Environment or JAX.
ELSEWHERE = {"vector", "RecordVideo", "HumanRendering", "AtariPreprocessing", "JaxToNumpy", "JaxToTorch"}


def _play(env: Any, steps: int = 60) -> None:
    """Random play through several episodes. Observations are in the space that the wrapper declares."""
    observation, _ = env.reset(seed=1)
    env.action_space.seed(1)
    ends = 0
    for _ in range(steps):
        assert env.observation_space.contains(observation), observation
        observation, reward, terminated, truncated, _ = env.step(env.action_space.sample())
        assert np.isfinite(float(reward))
        if terminated or truncated:
            ends += 1
            if not isinstance(env, wrappers.Autoreset):
                observation, _ = env.reset()
    assert ends > 1


def _wrapped(table: dict[str, Wrap], name: str, env: Any) -> Any:
    if not hasattr(wrappers, name):
        pytest.skip(f"Gymnasium {gym.__version__} has no {name}")
    return table[name](env)


@pytest.mark.parametrize("name", PLAIN)
def test_wrappers_of_observations_and_rewards(name: str) -> None:
    game = "Breakout" if name == "RescaleObservation" else "Squared"  # Squared's are codes: uint8
    _play(_wrapped(PLAIN, name, gym.make(f"pufferc/{game}-v1", max_steps=9)))


@pytest.mark.filterwarnings("ignore:.*value is -?infinity")  # CartPole's velocities, as in Gymnasium's own
@pytest.mark.parametrize("name", ACTIONS)
def test_wrappers_of_actions(name: str) -> None:
    _play(_wrapped(ACTIONS, name, gym.make("pufferc/CartPoleContinuous-v1", max_steps=9)))


@pytest.mark.parametrize("name", PICTURES)
def test_wrappers_of_pictures(name: str) -> None:
    if name == "ResizeObservation":
        pytest.importorskip("cv2")
    env = _wrapped(PICTURES, name, gym.make("pufferc/Squared-v1", max_steps=9, render_mode="rgb_array"))
    _play(env, 30)
    assert np.asarray(env.render()).dtype == np.uint8
    env.close()


@pytest.mark.parametrize("name", CONVERSIONS)
def test_conversions_to_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("array_api_compat")  # gymnasium[array-api]
    env: Any = getattr(wrappers, name)(
        gym.make("pufferc/Squared-v1"), *((np, torch) if name == "ArrayConversion" else ())
    )
    observation, _ = env.reset(seed=1)
    stepped, reward, terminated, *_ = env.step(torch.tensor(1))
    assert isinstance(observation, torch.Tensor) and stepped.shape == observation.shape
    assert float(reward) <= 1 and not terminated


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_no_wrapper_is_missing() -> None:
    """A wrapper that a new Gymnasium adds needs a line here."""
    assert set(wrappers.__all__) <= PLAIN.keys() | ACTIONS.keys() | PICTURES.keys() | {*CONVERSIONS} | ELSEWHERE
