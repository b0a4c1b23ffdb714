"""MountainCar, Pendulum and Acrobot match Gymnasium's from equal states and actions.

Our games compute in float32 and Gymnasium in float64, so states are copied again every 20 steps, and every 2 steps for
Acrobot, whose motion is chaotic. PUFFERC_TEST_PARITY=1 plays more games.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import pufferc
from conftest import GAMES
from pufferc.parity import Agreement, Moment, lockstep

LONG = os.environ.get("PUFFERC_TEST_PARITY") == "1"
Array = np.ndarray[Any, Any]


class Classic:
    """One of Gymnasium's games without its time limit. Its state is set from our fields.

    Args:
        name: Its id.
        fields: Ours that make its state, in its order.
        scale: Its action for a control of 1.
    """

    def __init__(self, name: str, fields: tuple[str, ...], scale: float = 1.0) -> None:
        self.env = gym.make(name, disable_env_checker=True).unwrapped
        self.env.reset(seed=0)
        self.fields, self.scale = fields, scale

    def copy(self, ours: Moment) -> None:
        self.env.state = np.concatenate([np.atleast_1d(ours.state(name)) for name in self.fields]).astype(np.float64)

    def step(self, actions: Array, _: Any) -> None:
        action = self.scale * actions.reshape(-1) if actions.dtype == np.float32 else int(actions[0])
        self.seen, self.reward, self.terminated, *_ = self.env.step(action)

    def __str__(self) -> str:
        return f"{self.env.state}"


def difference(ours: Moment, theirs: Classic) -> str | None:
    if not np.allclose(ours.observations[0], theirs.seen, atol=1e-4, rtol=1e-5):
        return f"observation {ours.observations[0]}, theirs {theirs.seen}"
    if abs(float(ours.rewards[0]) - float(theirs.reward)) > 1e-3:
        return f"reward, theirs {theirs.reward}"
    if bool(ours.terminated[0]) != bool(theirs.terminated):
        return f"terminated, theirs {theirs.terminated}"
    return None


def play(game: str, theirs: Callable[[], Classic], actions: Any, **params: Any) -> Agreement:
    games = 64 if LONG else 16
    return lockstep(
        pufferc.make(game, num_games=games, num_threads=1, autoreset="disabled", seed=2, **params),
        [theirs() for _ in range(games)],
        copy=lambda ours, reference: reference.copy(ours),
        compare=difference,
        actions=actions,
        steps=2000 if LONG else 700,
        copy_every=2 if game == "acrobot" else 20,
    )


def mountain_car() -> Classic:
    return Classic("MountainCar-v0", ("x", "velocity"))


def mountain_car_continuous() -> Classic:
    return Classic("MountainCarContinuous-v0", ("x", "velocity"))


def pendulum() -> Classic:
    return Classic("Pendulum-v1", ("angle", "velocity"), scale=2.0)


def acrobot() -> Classic:
    return Classic("Acrobot-v1", ("now",))


def half_random(pushes: Callable[[pufferc.VecEnv], Array], choices: int) -> Any:
    """Actions that pump energy into the motion, with random ones in every third step on average."""

    def choose(envs: pufferc.VecEnv, rng: np.random.Generator) -> Array:
        random = rng.integers(0, choices, envs.num_envs)
        return np.where(rng.random(envs.num_envs) < 1 / 3, random, pushes(envs)).astype(np.int32)

    return choose


def along(name: str, index: int | None = None) -> Callable[[pufferc.VecEnv], Array]:
    """Choice 2 while a velocity is positive, else 0."""

    def push(envs: pufferc.VecEnv) -> Array:
        speed = envs.state(name) if index is None else envs.state(name)[:, index]
        return np.where(speed > 0, 2, 0)

    return push


def driven(envs: pufferc.VecEnv, rng: np.random.Generator) -> Array:
    """Controls along the velocity, and random ones in between."""
    random = rng.uniform(-1, 1, (envs.num_envs, 1))
    pushes = np.sign(envs.state("velocity"))[:, None]
    return np.where(rng.random((envs.num_envs, 1)) < 1 / 3, random, pushes).astype(np.float32)


CASES = [
    pytest.param("mountain_car", mountain_car, None, {}, 16, id="mountain_car, random"),
    pytest.param("mountain_car", mountain_car, half_random(along("velocity"), 3), {}, 30, id="mountain_car, driven"),
    pytest.param(
        "mountain_car", mountain_car_continuous, driven, {"continuous": True, "max_steps": 999}, 10, id="continuous"
    ),
    pytest.param("pendulum", pendulum, None, {}, 16, id="pendulum, random"),
    pytest.param("pendulum", pendulum, driven, {}, 16, id="pendulum, driven"),
    pytest.param("acrobot", acrobot, None, {}, 16, id="acrobot, random"),
    pytest.param("acrobot", acrobot, half_random(along("now", 3), 3), {}, 30, id="acrobot, driven"),
]


@pytest.mark.parametrize(("game", "theirs", "actions", "params", "ends"), CASES)
def test_it_agrees_with_gymnasium(game: str, theirs: Any, actions: Any, params: dict[str, Any], ends: int) -> None:
    if game not in GAMES:
        pytest.skip(f"built without {game}")
    agreement = play(game, theirs, actions, **params)
    print(agreement)
    assert agreement.episodes >= ends


def test_five_torques_are_shares_of_the_control() -> None:
    if "pendulum" not in GAMES:
        pytest.skip("built without pendulum")
    games = 15
    choices = np.arange(games, dtype=np.int32) % 5
    discrete = pufferc.make("pendulum", num_games=games, seed=4, continuous=False)
    continuous = pufferc.make("pendulum", num_games=games, seed=4)
    for envs in (discrete, continuous):
        envs.reset(seed=4)
    for _ in range(20):
        seen, rewards, *_ = discrete.step(choices)
        theirs, expected, *_ = continuous.step(((choices - 2) / 2).astype(np.float32)[:, None])
        np.testing.assert_array_equal(seen, theirs)
        np.testing.assert_array_equal(rewards, expected)
