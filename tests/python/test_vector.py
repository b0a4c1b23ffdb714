"""Every registered game conforms to the contract through VecEnv: results, autoreset, seeds, masks, snapshots."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pytest

import pufferc
from conftest import SAVED, MakePool, Record, needs_lander, random_actions

SHORT = {"max_steps": 7}  # episodes end often


def run(env: pufferc.VecEnv, steps: int, seed: int = 0, record: Record | None = None) -> str:
    """Step with random actions. Returns the hash of all results."""
    rng = np.random.default_rng(seed)
    record = record or Record()
    for _ in range(steps):
        record.add_step(env, env.step(random_actions(env, rng)))
    return record.digest()


def without_masks(infos: dict[str, Any]) -> dict[str, Any]:
    """The infos that do not depend on whether a game has masks; test_contract.py tests masks."""
    return {key: value for key, value in infos.items() if key not in ("action_mask", "_action_mask")}


def joined_stats(parts: list[tuple]) -> dict[str, np.ndarray]:
    """Concatenated episode statistics of all groups, with zeros for groups without ended episodes."""
    episodes = [part[4]["final_info"]["episode"] if without_masks(part[4]) else None for part in parts]
    some = next(episode for episode in episodes if episode is not None)
    keys = [key for key in some if not key.startswith("_")]
    return {key: np.concatenate([np.zeros_like(some[key]) if e is None else e[key] for e in episodes]) for key in keys}


def run_groups(env: pufferc.VecEnv, steps: int) -> str:
    """Like `run`, but with send and recv interleaved over the groups."""
    rng = np.random.default_rng(0)
    record = Record()
    rows = env.num_envs // env.groups
    for _ in range(steps):
        actions = random_actions(env, rng)
        parts = []
        for group in range(env.groups):
            env.send(actions[group * rows : (group + 1) * rows], group)
        for group in reversed(range(env.groups)):
            parts.insert(0, env.recv(group))
        joined = [np.concatenate([part[i] for part in parts]) for i in range(4)]
        infos = {}
        if any(without_masks(part[4]) for part in parts):
            mask = joined[2] | joined[3]
            infos = {"_final_info": mask, "final_info": {"episode": joined_stats(parts)}}
            infos["final_obs"] = env.final_observations
        record.add_step(env, (*joined, infos))
    return record.digest()


# ---- shapes, dtypes, bounds --------------------------------------------------------------------------


def test_results_match_the_spaces(game: str, pool: MakePool) -> None:
    env = pool(game, num_games=3)
    rows, space = env.num_envs, env.single_observation_space
    rng = np.random.default_rng(0)
    observations, infos = env.reset()
    assert without_masks(infos) == {}
    assert env.observation_space.shape == (rows, *space.shape)
    assert env.action_space.contains(np.asarray(random_actions(env, rng), env.action_space.dtype))
    for _ in range(400):
        assert observations.shape == (rows, *space.shape) and observations.dtype == space.dtype
        assert (observations >= space.low).all() and (observations <= space.high).all()
        observations, rewards, terminated, truncated, infos = env.step(random_actions(env, rng))
        infos = without_masks(infos)
        assert rewards.shape == (rows,) and rewards.dtype == np.float32 and np.isfinite(rewards).all()
        for flags in (terminated, truncated, env.alive):
            assert flags.shape == (rows,) and flags.dtype == np.bool_
        assert not (terminated & truncated).any()
        ended = terminated | truncated
        assert bool(infos) == bool(ended.any())
        if infos:
            final = infos["final_obs"]
            assert final.shape == observations.shape and final.dtype == observations.dtype
            assert (final[ended] >= space.low).all() and (final[ended] <= space.high).all()
            np.testing.assert_array_equal(infos["_final_obs"], ended)


def test_infos_have_the_layout_of_gymnasium(game: str, pool: MakePool) -> None:
    env = pool(game, num_games=2, **SHORT)
    env.reset()
    rng = np.random.default_rng(0)
    for _ in range(20):
        infos = without_masks(env.step(random_actions(env, rng))[4])
        if infos:
            break
    assert set(infos) == {"final_obs", "_final_obs", "final_info", "_final_info"}
    assert set(infos["final_info"]) == {"episode", "_episode"}
    episode, metrics = infos["final_info"]["episode"], pufferc.env_info(game).metrics
    assert set(episode) == {prefix + key for key in ("r", "l", *metrics) for prefix in ("", "_")}
    assert metrics[0] == "score"
    for key in ("r", "l", *metrics):
        assert episode[key].shape == (env.num_envs,)
        np.testing.assert_array_equal(episode["_" + key], infos["_final_info"])


def test_statistics_match_the_rewards(game: str, pool: MakePool) -> None:
    env = pool(game, num_games=3, max_steps=9)
    env.reset()
    rng = np.random.default_rng(3)
    returns, lengths = np.zeros(env.num_envs), np.zeros(env.num_envs, int)
    sums, lasting, episodes = 0.0, 0, 0
    for _ in range(60):
        _, rewards, terminated, truncated, infos = env.step(random_actions(env, rng))
        returns += rewards
        lengths += 1
        ended = terminated | truncated
        if without_masks(infos):
            stats = infos["final_info"]["episode"]
            np.testing.assert_allclose(stats["r"][ended], returns[ended], atol=1e-4)
            np.testing.assert_array_equal(stats["l"][ended], lengths[ended])
            assert (lengths[ended] <= 9).all()
            sums, lasting, episodes = (
                sums + returns[ended].sum(),
                lasting + lengths[ended].sum(),
                episodes + ended.sum(),
            )
        returns[ended] = lengths[ended] = 0
    metrics = env.pop_metrics()
    assert episodes > 0 and metrics["episodes"] == episodes
    assert metrics["episode_return"] == pytest.approx(sums / episodes, abs=1e-4)
    assert metrics["episode_length"] == pytest.approx(lasting / episodes)
    again = env.pop_metrics()
    assert list(again) == list(metrics) and again["episodes"] == 0 and np.isnan(again["episode_return"])


def test_max_steps_truncates(game: str, pool: MakePool) -> None:
    env = pool(game, num_games=2, max_steps=1)
    env.reset()
    _, _, terminated, truncated, _ = env.step(random_actions(env, np.random.default_rng(0)))
    np.testing.assert_array_equal(truncated, ~terminated)


# ---- autoreset ---------------------------------------------------------------------------------------


def test_same_step_equals_resetting_by_hand(game: str, pool: MakePool) -> None:
    """Final observations and new episodes of an autoreset pool match a pool that is reset with masks."""
    automatic = pool(game, num_games=4, **SHORT)
    if pufferc.env_info(game).agents > 1:
        pytest.skip("agents with separate lives, see tests/c/test_autoreset.c")
    manual = pool(game, num_games=4, autoreset="disabled", **SHORT)
    assert manual.metadata["autoreset_mode"] != automatic.metadata["autoreset_mode"]
    np.testing.assert_array_equal(automatic.reset()[0], manual.reset()[0])
    rng, ends = np.random.default_rng(0), 0
    for _ in range(60):
        actions = random_actions(automatic, rng)
        observations, *rest, infos = automatic.step(actions)
        by_hand, *rest_by_hand, infos_by_hand = manual.step(actions)
        for ours, theirs in zip(rest, rest_by_hand, strict=True):
            np.testing.assert_array_equal(ours, theirs)
        ended = rest[1] | rest[2]
        if ended.any():
            ends += 1
            assert "final_obs" not in infos_by_hand
            np.testing.assert_array_equal(infos["final_obs"][ended], by_hand[ended])
            np.testing.assert_array_equal(manual.alive, ~ended)
            by_hand, _ = manual.reset(options={"reset_mask": ended.copy()})
        np.testing.assert_array_equal(observations, by_hand)
    assert ends > 3


def test_disabled_autoreset_does_not_move_ended_games(pool: MakePool) -> None:
    env = pool("cartpole", 2, autoreset="disabled", max_steps=3)
    env.reset()
    for _ in range(3):
        last, _, _, truncated, _ = env.step([0, 1])
    assert truncated.all() and not env.alive.any()
    still, rewards, _, truncated, _ = env.step([1, 0])
    assert truncated.all() and not rewards.any()
    np.testing.assert_array_equal(last, still)


# ---- repeatability -----------------------------------------------------------------------------------


def test_threads_and_groups_do_not_matter(game: str, pool: MakePool) -> None:
    digests = set()
    for threads in (1, 2, 7):
        env = pool(game, num_games=6, num_threads=threads, **SHORT)
        env.reset(seed=5)
        digests.add(run(env, 40))
        for groups in (1, 2, 3):
            env = pool(game, num_games=6, num_threads=threads, groups=groups, **SHORT)
            env.reset(seed=5)
            digests.add(run_groups(env, 40))
    assert len(digests) == 1


@pytest.mark.parametrize("groups", [1, 2])
def test_an_output_array_is_kept_alive_until_recv(groups: int, pool: MakePool) -> None:
    env = pool("cartpole", 4, groups=groups)
    env.reset()
    for group in range(groups):
        array = np.zeros((4 // groups, 4), np.float32)
        kept = weakref.ref(array)
        env.send([0] * (4 // groups), group, observations=array)
        del array
        assert kept() is not None
        out = env.recv(group)[0]
        assert out is kept() and out.any()
        del out
        assert kept() is None


def test_a_seed_repeats_and_no_seed_continues_the_stream(game: str, pool: MakePool) -> None:
    env, other = pool(game, num_games=3, seed=4), pool(game, num_games=3, seed=99)
    first = env.reset()[0].copy()
    np.testing.assert_array_equal(other.reset(seed=4)[0], first)
    digest = run(env, 20)
    assert run(other, 20) == digest
    later = env.reset()[0].copy()
    np.testing.assert_array_equal(other.reset()[0], later)
    assert env.np_random_seed == other.np_random_seed == 4
    np.testing.assert_array_equal(env.reset(seed=4)[0], first)
    assert run(env, 20) == digest


def test_a_game_plays_the_same_in_a_smaller_pool(game: str, pool: MakePool) -> None:
    whole, part = pool(game, num_games=4, seed=4), pool(game, num_games=2, seed=4, game_numbers=[3, 1])
    rows = np.concatenate([np.arange(i * whole.agents, (i + 1) * whole.agents) for i in (3, 1)])
    rng = np.random.default_rng(1)
    for seed in (None, 9):
        np.testing.assert_array_equal(part.reset(seed=seed)[0], whole.reset(seed=seed)[0][rows])
        for _ in range(50):
            actions = random_actions(whole, rng)
            ours, theirs = part.step(actions[rows]), whole.step(actions)
            for a, b in zip(ours[:4], theirs[:4], strict=True):
                np.testing.assert_array_equal(a, b[rows])


def test_unseeded_pools_differ_and_report_their_seed(pool: MakePool) -> None:
    one, two = pool("cartpole", 4, seed=None), pool("cartpole", 4, seed=None)
    first = one.reset()[0].copy()
    assert not np.array_equal(first, two.reset()[0])
    np.testing.assert_array_equal(two.reset(seed=one.np_random_seed)[0], first)


def test_list_of_seeds_belongs_to_games(game: str, pool: MakePool) -> None:
    env = pool(game, num_games=3)
    rows = env.agents
    seeds = [11, 2**64 - 1, 0]
    first = env.reset(seed=seeds)[0].copy()
    turned = env.reset(seed=np.array(seeds[::-1], np.uint64))[0].copy()
    np.testing.assert_array_equal(turned[:rows], first[2 * rows :])
    np.testing.assert_array_equal(turned[2 * rows :], first[:rows])
    mixed = env.reset(seed=[11, None, 0])[0]
    np.testing.assert_array_equal(mixed[:rows], first[:rows])
    np.testing.assert_array_equal(mixed[2 * rows :], first[2 * rows :])


def test_list_of_seeds_with_none_works_on_a_new_pool(pool: MakePool) -> None:
    env, plain = pool("cartpole", 3), pool("cartpole", 3)
    expected = plain.reset()[0].copy()
    seeded = plain.reset(seed=[5, 5, 5])[0]
    expected[1] = seeded[1]
    np.testing.assert_array_equal(env.reset(seed=[None, 5, None])[0], expected)


def test_reset_mask_does_not_change_other_rows(game: str, pool: MakePool) -> None:
    env = pool(game, num_games=4)
    env.reset()
    run(env, 5)
    observations = env.step(random_actions(env, np.random.default_rng(1)))[0].copy()
    mask = np.zeros(env.num_envs, np.bool_)
    mask[env.agents : 2 * env.agents] = True
    after, infos = env.reset(options={"reset_mask": mask}, seed=[3, 3, 3, 3])
    assert without_masks(infos) == {}
    np.testing.assert_array_equal(after[~mask], observations[~mask])
    fresh = pool(game, num_games=4).reset(seed=[3, 3, 3, 3])[0]
    np.testing.assert_array_equal(after[mask], fresh[mask])


# ---- snapshots ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("game", SAVED)
def test_a_loaded_snapshot_continues_identically(game: str, pool: MakePool) -> None:
    env = pool(game, num_games=4, num_threads=2, **SHORT)
    env.reset()
    run(env, 10)
    env.pop_metrics()
    snapshot = env.save()
    assert isinstance(snapshot, bytes)
    digest, metrics = run(env, 20, seed=8), env.pop_metrics()
    other = pool(game, num_games=4, groups=2, seed=77, **SHORT)
    for again in (env, other):
        again.load(snapshot)
        assert run(again, 20, seed=8) == digest
        assert again.pop_metrics() == metrics


@pytest.mark.parametrize("game", SAVED)
def test_load_shows_the_restored_games(game: str, pool: MakePool) -> None:
    env = pool(game, num_games=2)
    env.reset()
    shown = env.step(random_actions(env, np.random.default_rng(0)))[0].copy()
    snapshot = env.save()
    run(env, 3)
    given = np.empty_like(shown)
    assert env.load(snapshot, observations=given) is given
    np.testing.assert_array_equal(given, shown)
    np.testing.assert_array_equal(env.load(bytearray(snapshot)), shown)


def test_foreign_and_damaged_snapshots_are_refused(pool: MakePool) -> None:
    env = pool("cartpole", 2)
    env.reset()
    snapshot = env.save()
    for other in (pool("squared", 2), pool("cartpole", 3), pool("cartpole", 2, max_steps=3)):
        with pytest.raises(ValueError, match="snapshot"):
            other.load(snapshot)
    damaged = bytearray(snapshot)
    damaged[-3] ^= 1
    for bad in (bytes(damaged), snapshot[:-1], snapshot + b"x", b"", b"x" * len(snapshot)):
        with pytest.raises(ValueError, match="snapshot"):
            env.load(bad)
    with pytest.raises(TypeError, match="snapshot must be bytes"):
        env.load("text")  # type: ignore[arg-type]
    assert env.save() == snapshot


@needs_lander
def test_games_with_resources_cannot_be_saved(pool: MakePool) -> None:
    env = pool("lander", 2)
    env.reset()
    assert not pufferc.env_info("lander").can_save
    with pytest.raises(NotImplementedError, match="lander cannot be saved or loaded"):
        env.save()
    with pytest.raises(NotImplementedError, match="lander"):
        env.load(b"snapshot")
