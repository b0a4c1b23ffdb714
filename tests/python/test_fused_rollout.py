"""A rollout in one kernel equals the loop over steps for every game, number of threads and precision."""

from __future__ import annotations

from typing import Any

import pytest

import pufferc
from pufferc import ops
from pufferc.config import Config
from pufferc.kernels import private
from pufferc.kernels.backend import FUSED

torch = pytest.importorskip("torch")

from pufferc.policies import make_policy  # noqa: E402
from pufferc.training import ppo  # noqa: E402
from pufferc.training.collectors import FusedCollector, LoopCollector, make_collector  # noqa: E402
from pufferc.training.rollout import Rollout  # noqa: E402

CPU = torch.device("cpu")
GAMES: list[tuple[str, int, dict[str, Any]]] = [
    ("breakout", 96, {"max_steps": 20}),
    ("cartpole", 37, {}),
    ("pong", 130, {"max_steps": 15}),
    ("tmaze", 64, {}),
]


@pytest.fixture(autouse=True)
def _threads() -> Any:
    before = ops.get_num_threads()
    yield
    ops.set_num_threads(before)


def play(
    name: str, rows: int, params: dict[str, Any], dtype: torch.dtype, *, horizons: int = 2, loop: bool = False
) -> Any:
    """Rollout, snapshot and metrics after a few rollouts of 24 steps, from the loop over steps or the kernel."""
    env = pufferc.make(name, rows, num_threads=1, seed=1, params=params)
    policy = make_policy(Config(name), env.spaces, dtype, CPU, seed=1, fused=True)
    with torch.no_grad():
        policy.output.weight.mul_(30.0)
    blocks = ((slice(0, env.num_envs), 7),)
    rollout = Rollout.make(env, policy, 24, CPU, blocks)
    rollout.reset(env, policy, 1)
    collector = make_collector(env, policy, rollout, FUSED, 3)
    assert type(collector) is FusedCollector
    if loop:
        collector = LoopCollector(env, policy, rollout, FUSED, 3)
    for i in range(horizons):
        assert all(value > 0.0 for value in collector.collect(24 * i).values())
    snapshot, metrics = env.save(), env.pop_metrics()
    env.close()
    return rollout, snapshot, metrics


ARRAYS = ("observations", "actions", "logprobs", "values", "rewards", "terminated", "truncated", "alive")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("name", "rows", "params"), GAMES)
def test_a_fused_rollout_equals_the_loop(name: str, rows: int, params: dict[str, Any], dtype: torch.dtype) -> None:
    ops.set_num_threads(1)
    expected, snapshot, metrics = play(name, rows, params, dtype, loop=True)
    assert expected.terminated.any() or expected.truncated.any()
    for threads in (1, 3):
        ops.set_num_threads(threads)
        found, own_snapshot, own_metrics = play(name, rows, params, dtype)
        for array in ARRAYS:
            assert torch.equal(getattr(found, array), getattr(expected, array)), array
        assert own_snapshot == snapshot and own_metrics == metrics
        tolerance = 1e-5 if dtype == torch.float32 else 0.05
        cut = expected.truncated
        torch.testing.assert_close(found.final_values[cut], expected.final_values[cut], rtol=tolerance, atol=tolerance)


def test_truncated_rows_bootstrap_from_their_last_observations() -> None:
    rollout, _, _ = play("breakout", 32, {"max_steps": 10}, torch.float32, horizons=1)
    # Episodes are truncated after ten steps. Their bootstrap value must come from the last observation, not from the
    # first observation of the new game.
    cut = rollout.truncated
    assert cut.any()
    assert (rollout.final_values[cut] != rollout.values[1:][cut]).all()
    assert (rollout.final_values[~cut] == 0.0).all()


def test_the_pool_can_be_stepped_after_a_rollout() -> None:
    """The pool returns the last observations of the rollout, and single steps continue the games."""
    env = pufferc.make("cartpole", 16, num_threads=1, seed=1)
    policy = make_policy(Config("cartpole"), env.spaces, torch.float32, CPU, seed=1, fused=True)
    rollout = Rollout.make(env, policy, 8, CPU)
    rollout.reset(env, policy, 1)
    FusedCollector(env, policy, rollout, 3).collect(0)
    twin = pufferc.make("cartpole", 16, num_threads=1, seed=1)
    twin.reset(seed=1)
    for t in range(8):
        twin.step(rollout.actions[t])
    actions = rollout.actions[0]
    assert (env.step(actions)[0] == twin.step(actions)[0]).all()
    env.close()
    twin.close()


def test_non_finite_outputs_stop_the_rollout() -> None:
    env = pufferc.make("cartpole", 16, num_threads=1, seed=1)
    policy = make_policy(Config("cartpole"), env.spaces, torch.float32, CPU, seed=1, fused=True)
    with torch.no_grad():
        policy.output.bias[0] = float("nan")
    rollout = Rollout.make(env, policy, 8, CPU)
    rollout.reset(env, policy, 1)
    with pytest.raises(ppo.NotFinite, match="16 of 16 rows"):
        FusedCollector(env, policy, rollout, 3).collect(0)
    env.close()


def arguments(rows: int = 4, size: int = 4, steps: int = 3) -> dict[str, Any]:
    floats = {name: torch.zeros(steps, rows) for name in ("logprobs", "rewards", "final_values")}
    flags = {name: torch.zeros(steps, rows, dtype=torch.bool) for name in ("terminated", "truncated")}
    return {
        "observations": torch.zeros(steps + 1, rows, size),
        "actions": torch.zeros(steps, rows, dtype=torch.int32),
        "values": torch.zeros(steps + 1, rows),
        "alive": torch.ones(steps + 1, rows, dtype=torch.bool),
        **floats,
        **flags,
    }


DRAW = {"seed": 1, "first_step": 0}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"observations": torch.zeros(3, 4, 4)}, ValueError, "observations"),
        ({"observations": torch.zeros(4, 4, 4, dtype=torch.float64)}, TypeError, "observations must be a dense torch"),
        ({"observations": torch.zeros(4, 4, 4, dtype=torch.bfloat16)}, TypeError, "observations must be float32"),
        ({"observations": torch.zeros(4, 4, 5)}, ValueError, "4 values per observation, as in the network, got 5"),
        ({"actions": torch.zeros(3, 4, dtype=torch.int64)}, TypeError, "actions"),
        ({"actions": torch.zeros(3, 4, 2, dtype=torch.int32)}, ValueError, "1 action dimensions, as in the pool"),
        ({"alive": torch.ones(3, 4, dtype=torch.bool)}, ValueError, "alive"),
        ({"terminated": torch.zeros(3, 4)}, TypeError, "terminated"),
        ({"rewards": torch.zeros(0, 4)}, ValueError, "observations"),
        ({"rewards": torch.zeros(3)}, ValueError, "rewards must have 2 dimensions"),
        (
            {"mask": torch.zeros(3, 4, 1, dtype=torch.int32)},
            ValueError,
            "mask: expected 0 words .* for this pool, got 1",
        ),
        ({"mask": torch.zeros(3, 4, 1)}, TypeError, "mask must be uint32 or int32"),
    ],
)
def test_refuses_invalid_arguments(change: dict[str, Any], error: type[Exception], message: str) -> None:
    env = pufferc.make("cartpole", 4, num_threads=1, seed=1)
    env.reset(seed=1)
    mlp = private.Mlp([4, 8, 3], bfloat16=False)
    mlp.rollout(env, private.Rollout(**arguments()), **DRAW)
    with pytest.raises(error, match=message):
        mlp.rollout(env, private.Rollout(**(arguments() | change)), **DRAW)
    with pytest.raises(ValueError, match="rollout: expected 4 rows, as in the pool, got 5"):
        mlp.rollout(env, private.Rollout(**arguments(rows=5)), **DRAW)
    with pytest.raises(ValueError, match="seed"):
        mlp.rollout(env, private.Rollout(**arguments()), **{**DRAW, "seed": -1})
    env.close()


def test_refuses_unsupported_pools_and_networks() -> None:
    mlp, arrays = private.Mlp([4, 8, 3], bfloat16=False), private.Rollout(**arguments())
    env = pufferc.make("cartpole", 4, num_threads=1, seed=1)
    with pytest.raises(RuntimeError, match="reset the pool"):
        mlp.rollout(env, arrays, **DRAW)
    env.reset(seed=1)
    with pytest.raises(ValueError, match="expected 4 inputs and 3 outputs"):
        private.Mlp([4, 8, 5], bfloat16=False).rollout(env, arrays, **DRAW)
    env.close()
    with pytest.raises(RuntimeError, match="closed"):
        mlp.rollout(env, arrays, **DRAW)
    grouped = pufferc.make("cartpole", 4, num_threads=1, seed=1, groups=2)
    grouped.reset(seed=1)
    with pytest.raises(ValueError, match="one group"):
        mlp.rollout(grouped, arrays, **DRAW)
    grouped.close()
    with pytest.raises(TypeError, match="env must be a VecEnv, got object"):
        mlp.rollout(object(), arrays, **DRAW)  # type: ignore[arg-type]
