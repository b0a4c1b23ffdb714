"""Boids from Python: the scripted player uses only observations, and training ignores caught boids."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pufferc

BASELINE = Path(__file__).parents[2] / "benchmarks" / "boids_baseline.py"


@pytest.fixture(scope="module")
def baseline() -> Any:
    spec = importlib.util.spec_from_file_location("boids_baseline", BASELINE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("params", [{}, {"walls": True, "neighbours": 5, "sight": 20.0}, {"predators": 3}])
def test_the_scripted_player_matches_the_benchmark_rules(baseline: Any, params: dict[str, Any]) -> None:
    """The benchmark computes the rules from observations only, so equal actions prove that the script does too."""
    levels = [(1.0, 0.6, 1.5, 3.0), (2.2, 0.52, 5.41, 4.1)]
    envs = pufferc.make("boids", num_games=3, num_threads=1, **params)
    seen, _ = envs.reset(seed=5)
    for step in range(300):
        level = step % 2
        actions = envs.script(level)
        if step % 10 == level:
            settings = np.broadcast_to(np.array(levels[level], np.float32), (envs.num_envs, 4))
            expected = baseline.rule_controls(seen, settings, params.get("sight", 12.0))
            near = np.abs(actions - expected).max(axis=1) < 1e-3
            # If the target is straight behind, rounding decides the direction of the turn.
            assert near[envs.alive].mean() > 0.995
        seen, *_ = envs.step(actions)
    envs.close()


@pytest.fixture
def hunted() -> Iterator[Any]:
    """A rollout in worlds with many predators, where some boids are caught, and a learner for it."""
    torch = pytest.importorskip("torch")
    from pufferc import ops
    from pufferc.config import Config, merge
    from pufferc.kernels.backend import FUSED
    from pufferc.policies import make_policy
    from pufferc.training.collectors import make_collector
    from pufferc.training.rollout import Rollout

    params = {"boids": 24, "width": 50, "height": 50, "predators": 8, "max_steps": 150}
    train = {"horizon": 200, "minibatch_size": 48 * 50, "epochs": 1, "optimizer": "adam", "device": "cpu"}
    config = merge(Config("boids", params), {"vec": {"num_envs": 48}, "policy": {"hidden_size": 32}, "train": train})
    before = ops.get_num_threads()
    ops.set_num_threads(1)
    env = pufferc.make("boids", 48, num_threads=1, seed=1, params=params)
    policy = make_policy(config, env.spaces, torch.float32, torch.device("cpu"), seed=1, fused=True)
    rollout = Rollout.make(env, policy, 200, torch.device("cpu"))
    rollout.reset(env, policy, 1)
    make_collector(env, policy, rollout, FUSED, 3).collect(0)
    make = lambda: make_policy(config, env.spaces, torch.float32, torch.device("cpu"), seed=1, fused=True)  # noqa: E731
    yield rollout, make, config, FUSED
    env.close()
    ops.set_num_threads(before)


def test_a_caught_boid_has_no_future_return(hunted: Any) -> None:
    rollout, _, _, kernels = hunted
    from pufferc.config import TrainConfig
    from pufferc.training import ppo

    rollout.values[~rollout.alive] = 50.0  # the network's values for dead rows are arbitrary
    rollout.final_values[~rollout.alive[:-1]] = 100.0
    ppo.advantages(rollout, kernels, TrainConfig(gamma=0.98, gae_lambda=0.95))
    acts, next_acts, ended = rollout.alive[:-1], rollout.alive[1:], rollout.truncated | rollout.terminated
    caught = acts & ~next_acts & ~ended
    assert int(caught.sum()) > 10 and int((~acts & ended).sum()) > 5
    assert (rollout.rewards[caught] == -5.0).all() and (rollout.rewards[~acts] == 0.0).all()
    # The target has no bootstrap: neither the value of a caught boid's observation nor the final value of its world.
    np.testing.assert_allclose(rollout.returns[caught], -5.0, atol=1e-4)


def test_caught_boids_are_absent_from_the_loss(hunted: Any) -> None:
    rollout, make, config, kernels = hunted
    import torch

    from pufferc.config import TrainConfig
    from pufferc.training import ppo
    from pufferc.training.optimizers import Adam

    ppo.advantages(rollout, kernels, TrainConfig(gamma=0.98, gae_lambda=0.95))
    absent = ~rollout.alive[:-1]
    weights = []
    for garbage in (0.0, 3.0):
        for part in (rollout.actions, rollout.logprobs, rollout.advantages, rollout.returns):
            part[absent] += garbage
        policy = make()
        generator = torch.Generator().manual_seed(1)
        parts = policy, Adam(policy.named_parameters()), rollout, kernels, config.train
        ppo.Learner(*parts).optimise(0.01, generator)
        weights.append([p.detach().clone() for p in policy.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*weights, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(weights[0], make().parameters(), strict=True))


def test_the_page_tables_match_the_code() -> None:
    page = (Path(__file__).parents[2] / "docs" / "games" / "boids.md").read_text(encoding="utf-8")
    info = pufferc.env_info("boids")
    for param in info.params:
        assert f"| {param.name} | {param.default:g} | {param.min:g}.." in page, param.name
        assert f" | {param.help} |" in page, param.name
    for row in info.observation:
        assert f"| {row.name} |" in page and f" | {row.low:g}..{row.high:g} | {row.help} |" in page, row.name
    for metric in info.metrics:
        assert metric in page, metric
