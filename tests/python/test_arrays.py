"""Arrays and tensors that a VecEnv returns and accepts: ownership, lifetime, and equivalent types."""

from __future__ import annotations

import gc

import numpy as np
import pytest

import pufferc
from conftest import MakePool, Record, random_actions


def test_observations_alternate_between_two_buffers(game: str, pool: MakePool) -> None:
    env = pool(game, num_games=2)
    rng = np.random.default_rng(0)
    now = env.reset()[0]
    for _ in range(6):
        kept = now.copy()
        new = env.step(random_actions(env, rng))[0]
        assert not np.shares_memory(now, new)
        np.testing.assert_array_equal(now, kept)
        now = new
    assert env.reset()[0] is not env.reset()[0]


def test_copies_belong_to_the_caller(pool: MakePool) -> None:
    env = pool("cartpole", 4, copy=True, max_steps=2)
    first = env.reset()[0]
    results = [env.step([0, 1, 0, 1]) for _ in range(4)]
    arrays = [first, *(array for step in results for array in step[:4])]
    for infos in (step[4] for step in results if step[4]):
        stats = infos["final_info"]["episode"]
        arrays += [infos["final_obs"], infos["_final_obs"], *(stats[key] for key in ("r", "l", "score"))]
    for i, one in enumerate(arrays):
        assert one.base is None
        assert not any(np.shares_memory(one, other) for other in arrays[:i])


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_recv_returns_the_array_given_to_send(kind: str, pool: MakePool) -> None:
    env = pool("cartpole", 4, copy=True)
    env.reset()
    mine = np.zeros((4, 4), np.float32)
    given = mine if kind == "numpy" else pytest.importorskip("torch").from_numpy(mine)
    env.send([0, 1, 0, 1], observations=given)
    assert env.recv()[0] is given and mine.any()
    env.send([0, 1, 0, 1])
    assert env.recv()[0].base is None


def test_views_outlive_the_pool(game: str) -> None:
    env = pufferc.make(game, num_games=2, seed=1, num_threads=2)
    observations = env.reset()[0]
    observations, rewards, terminated, *_ = env.step(random_actions(env, np.random.default_rng(0)))
    kept = [array.copy() for array in (observations, rewards, terminated, env.final_observations)]
    views = [observations, rewards, terminated, env.final_observations]
    env.close()
    for view, copy in zip(views, kept, strict=True):
        np.testing.assert_array_equal(view, copy)
    del env, observations, rewards, terminated
    gc.collect()
    for view, copy in zip(views, kept, strict=True):
        np.testing.assert_array_equal(view, copy)
        view[:] = 0  # the memory is still valid


def test_pool_dropped_between_send_and_recv() -> None:
    for _ in range(50):
        env = pufferc.make("breakout", 512, seed=1, num_threads=2, groups=2)
        env.reset()
        env.send(
            np.zeros(256, np.int32), 0, observations=np.empty((256, *env.single_observation_space.shape), np.float32)
        )
        del env
    gc.collect()


def test_writes_into_the_callers_array(game: str, pool: MakePool) -> None:
    env, plain = pool(game, num_games=4), pool(game, num_games=4)
    space = env.single_observation_space
    rollout = np.empty((6, env.num_envs, *space.shape), space.dtype)
    assert env.reset(observations=rollout[0])[0] is not None
    plain.reset()
    rng = np.random.default_rng(0)
    for t in range(1, 6):
        actions = random_actions(env, rng)
        row = rollout[t]
        assert env.step(actions, observations=row)[0] is row
        np.testing.assert_array_equal(plain.step(actions)[0], row)


def test_groups_write_into_the_callers_arrays(pool: MakePool) -> None:
    env, plain = pool("cartpole", 6, groups=2, num_threads=2), pool("cartpole", 6)
    env.reset()
    plain.reset()
    whole = np.empty((6, 4), np.float32)
    for _ in range(5):
        for group in (0, 1):
            env.send(np.ones(3, np.int64), group, observations=whole[group * 3 : group * 3 + 3])
        assert env.recv(1)[0].base is whole and env.recv(0)[0].base is whole
        np.testing.assert_array_equal(plain.step(np.ones(6, int))[0], whole)


def test_torch_tensors(pool: MakePool) -> None:
    torch = pytest.importorskip("torch")
    env, plain = pool("cartpole", 4), pool("cartpole", 4)
    out = torch.empty(4, 4)
    assert env.reset(observations=out)[0] is out
    plain.reset()
    for dtype in (torch.int32, torch.int64, torch.uint8):
        actions = torch.tensor([0, 1, 1, 0], dtype=dtype)
        assert env.step(actions, observations=out)[0] is out
        np.testing.assert_array_equal(plain.step(actions.numpy())[0], out.numpy())
    continuous = pool("cartpole", 4, continuous=True)
    continuous.reset()
    continuous.step(torch.zeros(4, 1, dtype=torch.float64))
    with pytest.raises(ValueError, match="shape"):
        continuous.step(torch.zeros(4))


def test_equivalent_action_types_give_the_same_step(pool: MakePool) -> None:
    kinds = [
        np.int8,
        np.int16,
        np.int32,
        np.int64,
        np.uint8,
        np.uint16,
        np.uint32,
        np.uint64,
        ">i4",
        ">i8",
        list,
        "gaps",
    ]
    digests = set()
    for kind in kinds:
        env = pool("cartpole", 4)
        env.reset()
        record = Record()
        for t in range(20):
            wide = np.array([t % 2, 1, 0, 1, 1, 1, 0, t % 3 == 0])
            actions = wide[::2].tolist() if kind is list else wide[::2] if kind == "gaps" else wide[::2].astype(kind)
            record.add_step(env, env.step(actions))
        digests.add(record.digest())
    assert len(digests) == 1


def test_equivalent_continuous_action_types_give_the_same_step(pool: MakePool) -> None:
    digests = set()
    for kind in ("float32", "float64", "float16", ">f4", "list", "gaps", "huge"):
        env = pool("cartpole", 2, continuous=True)
        env.reset()
        record = Record()
        for t in range(20):
            wide = np.array([[t / 32, 9.0], [1.0, 9.0]])
            if kind == "huge":
                wide[1] = 1e300
            actions = wide[:, :1]
            if kind == "list":
                actions = actions.tolist()
            elif kind not in ("gaps", "huge"):
                actions = np.ascontiguousarray(actions).astype(kind)
            record.add_step(env, env.step(actions))
        digests.add(record.digest())
    assert len(digests) == 1
