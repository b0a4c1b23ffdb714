"""What Gymnasium's own tests ask of every environment, asked of each id of ours. test_gymnasium.py has the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv

import pufferc

CARTPOLE = "pufferc/CartPole-v1"
IDS = [key for key in gym.registry if key.startswith("pufferc/")]


def _agents(key: str) -> int:
    return pufferc.env_info(gym.spec(key).kwargs["name"]).agents


ONE_AGENT = [key for key in IDS if _agents(key) == 1]
BOXES = [key for key in ONE_AGENT if isinstance(gym.make(key).action_space, gym.spaces.Box)]


@pytest.mark.parametrize("key", IDS)
def test_a_spec_makes_the_environment_again(key: str) -> None:
    """Also after it was written as JSON."""
    rows = 2 * _agents(key)
    spec = gym.make_vec(key, rows, autoreset="next_step").spec
    assert spec is not None and EnvSpec.from_json(spec.to_json()) == spec
    envs: Any = gym.make_vec(spec)
    assert (envs.num_envs, envs.autoreset_mode, envs.spec) == (rows, AutoresetMode.NEXT_STEP, spec)
    if key in ONE_AGENT:
        single = gym.make(key).spec
        assert single is not None and EnvSpec.from_json(single.to_json()) == single
        assert gym.make(single).spec == single


@pytest.mark.parametrize("mode", ["rgb_array", "rgb_array_list"])
@pytest.mark.parametrize("key", ONE_AGENT)
def test_pictures_of_a_new_environment(key: str, mode: str) -> None:
    env = gym.make(key, render_mode=mode)
    env.reset(seed=1)
    rendered: Any = env.render()
    (picture,) = rendered if mode == "rgb_array_list" else [rendered]
    assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3
    env.close()


@pytest.mark.parametrize("key", [key for key in ONE_AGENT if key not in BOXES])
def test_actions_outside_a_discrete_space_are_refused(key: str) -> None:
    env = gym.make(key)
    env.reset(seed=1)
    space: Any = env.action_space
    count = space.nvec if isinstance(space, gym.spaces.MultiDiscrete) else space.n
    with pytest.raises(ValueError, match="row 0"):
        env.step(count)


@pytest.mark.parametrize("key", BOXES)
def test_actions_outside_a_box_act_as_its_bound(key: str) -> None:
    inside, outside = gym.make(key), gym.make(key)
    inside.reset(seed=42)
    outside.reset(seed=42)
    space: Any = inside.action_space
    for bound, change in ((space.high, 100), (space.low, -100)):
        np.testing.assert_array_equal(inside.step(bound)[0], outside.step(bound + np.float32(change))[0])


def _makers(rows: int) -> list[Callable[[], Any]]:
    return [lambda: gym.make(CARTPOLE)] * rows


@pytest.mark.parametrize("shared_memory", [True, False])
@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_processes_give_the_results_of_one(mode: AutoresetMode, shared_memory: bool) -> None:
    several = AsyncVectorEnv(_makers(3), shared_memory=shared_memory, autoreset_mode=mode)
    one = SyncVectorEnv(_makers(3), autoreset_mode=mode)
    assert data_equivalence(several.reset(seed=4), one.reset(seed=4))
    assert several.np_random_seed == one.np_random_seed == (4, 5, 6)
    several.action_space.seed(1)
    for _ in range(60):
        actions = several.action_space.sample()
        assert data_equivalence(several.step(actions), one.step(actions))
    several.close()


@pytest.mark.parametrize("kind", ["pool", "sync"])
def test_a_mask_resets_some_rows(kind: str) -> None:
    envs: VectorEnv[Any, Any, Any] = (
        gym.make_vec(CARTPOLE, 3, autoreset="disabled")
        if kind == "pool"
        else SyncVectorEnv(_makers(3), autoreset_mode=AutoresetMode.DISABLED)
    )
    first, _ = envs.reset(seed=[0, 1, 2])
    first = first.copy()
    stepped, *_ = envs.step(np.array([0, 1, 0]))
    again, _ = envs.reset(seed=[0, 1, 0], options={"reset_mask": np.array([True, True, False])})
    np.testing.assert_array_equal(again[:2], first[:2])
    np.testing.assert_array_equal(again[2], stepped[2])
