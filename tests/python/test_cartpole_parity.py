"""CartPole matches Gymnasium's CartPole-v1 within 1e-4 from equal states and actions.

Our game computes in float32 and Gymnasium in float64. An upright pole multiplies any difference by e about every 12
steps, so long episodes copy the state again every 50 steps.
"""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

from conftest import MakePool


@pytest.mark.parametrize("policy", ["random", "balance"])
def test_trajectories_match_gymnasium(policy: str, pool: MakePool) -> None:
    games = 16
    env = pool("cartpole", games, seed=7, autoreset="disabled")
    observations, _ = env.reset()
    assert (np.abs(observations) <= 0.05).all()
    reference = [gym.make("CartPole-v1") for _ in range(games)]
    for i, theirs in enumerate(reference):
        theirs.reset(seed=0)
        theirs.unwrapped.state = observations[i].astype(np.float64)
    rng = np.random.default_rng(1)
    running, longest = np.ones(games, bool), 0
    for step in range(1, 501):
        # Balancing reaches the time limit; random actions let poles fall.
        if step % 50 == 0:
            for theirs, state in zip(reference, observations, strict=True):
                theirs.unwrapped.state = state.astype(np.float64)
        balanced = (observations[:, 2] + 0.5 * observations[:, 3] + 0.1 * observations[:, 1] > 0).astype(np.int64)
        actions = balanced if policy == "balance" else rng.integers(0, 2, games)
        observations, rewards, terminated, truncated, _ = env.step(actions)
        for i in np.flatnonzero(running):
            state, reward, *flags, _ = reference[i].step(int(actions[i]))
            np.testing.assert_allclose(observations[i], state, atol=1e-4)
            assert rewards[i] == reward
            assert [terminated[i], truncated[i]] == flags
            if any(flags):
                running[i], longest = False, step
        if not running.any():
            break
    assert not running.any()
    assert longest == 500 if policy == "balance" else longest > 20
