"""ops.advantage matches an independent float64 NumPy version for NumPy arrays, torch CPU tensors and CUDA tensors."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from pufferc import ops


def reference(batch: dict[str, Any], gamma: float, lam: float, rho_clip: float, c_clip: float) -> np.ndarray:
    """Advantages [T, N] in float64 from the definition, backwards in time."""
    rewards, values = batch["rewards"].astype(np.float64), batch["values"].astype(np.float64)
    terminated, truncated = batch["terminated"].astype(bool), batch["truncated"].astype(bool)
    after = values[1:].copy()
    if batch["final_values"] is not None:
        after = np.where(truncated, batch["final_values"].astype(np.float64), after)
    after = np.where(terminated, 0.0, after)
    ratio = np.ones_like(rewards) if batch["ratio"] is None else batch["ratio"].astype(np.float64)
    rho = ratio if batch["ratio"] is None else np.minimum(ratio, rho_clip)
    c = ratio if batch["ratio"] is None else np.minimum(ratio, c_clip)
    deltas = rho * (rewards + gamma * after - values[:-1])
    advantages, carried = np.zeros_like(rewards), np.zeros(rewards.shape[1])
    for t in range(len(rewards) - 1, -1, -1):
        going_on = ~(terminated[t] | truncated[t])
        carried = deltas[t] + gamma * lam * c[t] * np.where(going_on, carried, 0.0)
        advantages[t] = carried
    return advantages


def make_batch(
    rng: np.random.Generator, steps: int, rows: int, *, ends: float, final: bool = True, ratio: bool = False
) -> dict[str, Any]:
    """Random rollout. A fraction `ends` of all steps is terminated, and the same fraction is truncated."""
    shape = (steps, rows)
    truncated = rng.random(shape) < ends
    final_values = np.where(truncated, rng.normal(size=shape), np.nan).astype(np.float32)
    return {
        "rewards": rng.normal(size=shape).astype(np.float32),
        "values": rng.normal(size=(steps + 1, rows)).astype(np.float32),
        "terminated": rng.random(shape) < ends,
        "truncated": truncated,
        "final_values": final_values if final else None,
        "ratio": rng.lognormal(0.0, 0.5, shape).astype(np.float32) if ratio else None,
    }


def check(batch: dict[str, Any], **numbers: float) -> None:
    got = ops.advantage(**batch, **numbers)
    gamma, lam = np.float32(numbers["gamma"]), np.float32(numbers["gae_lambda"])
    clips = numbers.get("rho_clip", 1.0), numbers.get("c_clip", 1.0)
    expected = reference(batch, float(gamma), float(lam), *clips)
    assert got.dtype == np.float32 and got.shape == expected.shape
    scale = np.abs(expected).max() + 1.0
    np.testing.assert_allclose(got / scale, expected / scale, atol=2e-5)


sizes = st.one_of(
    st.tuples(st.integers(1, 4096), st.integers(1, 9)),
    st.tuples(st.integers(1, 9), st.integers(1, 32768)),
    st.tuples(st.integers(1, 200), st.integers(1, 600)),
    st.sampled_from([(1, 1), (4096, 3), (4095, 17), (1, 32768), (2, 32767), (64, 513), (33, 1024)]),
)
clips = st.sampled_from([0.0, 0.5, 1.0, 2.0, float("inf")])
shares = st.sampled_from([0.0, 0.01, 0.3, 1.0])


@settings(max_examples=150, deadline=None)
@given(
    size=sizes,
    seed=st.integers(0, 2**32),
    ends=shares,
    final=st.booleans(),
    ratio=st.booleans(),
    gamma=st.sampled_from([0.0, 0.9, 0.99, 1.0]),
    gae_lambda=st.sampled_from([0.0, 0.5, 0.95, 1.0]),
    rho_clip=clips,
    c_clip=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_agrees_with_float64(
    size: tuple[int, int], seed: int, ends: float, final: bool, ratio: bool, **numbers: float
) -> None:
    batch = make_batch(np.random.default_rng(seed), *size, ends=ends, final=final, ratio=ratio)
    check(batch, **numbers)


@pytest.mark.parametrize("size", [(64, 8192), (128, 4096), (1, 32768), (4096, 64)])
def test_result_does_not_depend_on_threads(size: tuple[int, int]) -> None:
    batch = make_batch(np.random.default_rng(0), *size, ends=0.05, ratio=True)
    before = ops.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 7):
            ops.set_num_threads(threads)
            results.append(ops.advantage(**batch, gamma=0.99, gae_lambda=0.95))
    finally:
        ops.set_num_threads(before)
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_calls_from_several_threads_at_once() -> None:
    batches = [make_batch(np.random.default_rng(i), 64, 1024, ends=0.05) for i in range(4)]
    expected = [ops.advantage(**batch, gamma=0.99, gae_lambda=0.95) for batch in batches]

    def compute(i: int) -> bool:
        return all(
            np.array_equal(ops.advantage(**batches[i], gamma=0.99, gae_lambda=0.95), expected[i]) for _ in range(50)
        )

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(compute, range(4)))


def test_uint8_flags_and_terminated_wins() -> None:
    rng = np.random.default_rng(0)
    batch = make_batch(rng, 5, 7, ends=0.5)
    expected = ops.advantage(**batch, gamma=0.9, gae_lambda=0.8)
    for flag in ("terminated", "truncated"):
        batch[flag] = batch[flag].astype(np.uint8) * 255
    np.testing.assert_array_equal(ops.advantage(**batch, gamma=0.9, gae_lambda=0.8), expected)
    both = batch["terminated"].astype(bool) & batch["truncated"].astype(bool)
    assert both.any()
    batch["truncated"] = np.where(both, 0, batch["truncated"]).astype(np.uint8)
    np.testing.assert_array_equal(ops.advantage(**batch, gamma=0.9, gae_lambda=0.8), expected)


def test_unused_nan_values_do_not_enter_the_advantages() -> None:
    """NaN in values after a termination, or in final values without truncation, must not affect the result."""
    batch = make_batch(np.random.default_rng(0), 3, 2, ends=0.0)
    batch["terminated"][0, 0] = True
    batch["values"][1, 0] = np.nan
    got = ops.advantage(**batch, gamma=0.9, gae_lambda=0.8)
    assert np.isfinite(got[0, 0]) and np.isnan(got[1, 0]) and np.isfinite(got[:, 1]).all()


def test_out_is_written_and_returned() -> None:
    batch = make_batch(np.random.default_rng(0), 4, 5, ends=0.1)
    out = np.empty((4, 5), np.float32)
    assert ops.advantage(**batch, gamma=0.9, gae_lambda=0.8, out=out) is out
    np.testing.assert_array_equal(out, ops.advantage(**batch, gamma=0.9, gae_lambda=0.8))


def test_torch_cpu_tensors_are_used_in_place() -> None:
    torch = pytest.importorskip("torch")
    batch = make_batch(np.random.default_rng(0), 16, 33, ends=0.1, ratio=True)
    tensors = {name: torch.from_numpy(array) for name, array in batch.items()}
    tensors["values"].requires_grad_()
    expected = ops.advantage(**batch, gamma=0.9, gae_lambda=0.8)
    got = ops.advantage(**tensors, gamma=0.9, gae_lambda=0.8)
    assert isinstance(got, torch.Tensor) and not got.requires_grad
    np.testing.assert_array_equal(got.numpy(), expected)
    out = torch.empty(16, 33)
    assert ops.advantage(**tensors, gamma=0.9, gae_lambda=0.8, out=out) is out
    np.testing.assert_array_equal(out.numpy(), expected)


def test_cuda_tensors() -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device, or a torch without CUDA")
    pytest.importorskip("pufferc._cuda", reason="built without CUDA kernels")
    rng = np.random.default_rng(0)
    for steps, rows in [(1, 1), (64, 8192), (129, 4097), (4096, 3)]:
        for ratio in (False, True):
            batch = make_batch(rng, steps, rows, ends=0.05, ratio=ratio)
            expected = ops.advantage(**batch, gamma=0.99, gae_lambda=0.95)
            tensors = {name: None if a is None else torch.from_numpy(a).cuda() for name, a in batch.items()}
            got = ops.advantage(**tensors, gamma=0.99, gae_lambda=0.95)
            assert got.device == tensors["rewards"].device
            np.testing.assert_allclose(got.cpu().numpy(), expected, rtol=1e-5, atol=1e-5)
            tensors["values"] = tensors["values"].cpu()
            with pytest.raises(TypeError, match="values"):
                ops.advantage(**tensors, gamma=0.99, gae_lambda=0.95)


def changed(**changes: Any) -> dict[str, Any]:
    """Arguments of a valid call, [3, 4], with some replaced."""
    call: dict[str, Any] = make_batch(np.random.default_rng(0), 3, 4, ends=0.1, ratio=True)
    call |= {"gamma": 0.9, "gae_lambda": 0.8, "out": np.full((3, 4), 5.0, np.float32)}
    return call | changes


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"rewards": np.zeros((3, 4))}, TypeError, "rewards must be float32, got float64"),
        ({"rewards": np.zeros(12, np.float32)}, ValueError, "rewards must have 2 dimensions"),
        ({"rewards": [[0.0]]}, TypeError, "rewards must be a NumPy array or a torch CPU tensor, got list"),
        ({"rewards": np.zeros((0, 4), np.float32)}, ValueError, "values must have shape|rewards"),
        ({"values": np.zeros((3, 4), np.float32)}, ValueError, r"values must have shape \(4, 4\), got \(3, 4\)"),
        ({"values": np.zeros((4, 8), np.float32)[:, ::2]}, ValueError, "values must be contiguous"),
        ({"values": None}, TypeError, "values must be a NumPy array"),
        ({"values": np.zeros((4, 4), ">f4")}, ValueError, "values must be contiguous .* native byte order"),
        ({"terminated": np.zeros((3, 4), np.int32)}, TypeError, "terminated must be bool or uint8, got int32"),
        ({"terminated": np.zeros((3, 4), np.int8)}, TypeError, "terminated must be bool or uint8"),
        ({"truncated": np.zeros((4, 3), bool)}, ValueError, "truncated must have shape"),
        ({"truncated": None}, TypeError, "truncated"),
        ({"final_values": np.zeros((3, 4), np.float16)}, TypeError, "final_values must be float32"),
        ({"ratio": np.zeros((3, 5), np.float32)}, ValueError, "ratio must have shape"),
        ({"ratio": 1.0}, TypeError, "ratio must be a NumPy array"),
        ({"out": np.zeros((3, 4))}, TypeError, "out must be float32"),
        ({"gamma": 1.5}, ValueError, r"gamma must be in \[0, 1\], got 1.5"),
        ({"gamma": -0.1}, ValueError, "gamma"),
        ({"gamma": float("nan")}, ValueError, "gamma"),
        ({"gamma": "0.9"}, TypeError, "gamma must be a number"),
        ({"gamma": None}, TypeError, "gamma must be a number"),
        ({"gae_lambda": 2}, ValueError, "gae_lambda"),
        ({"rho_clip": -1}, ValueError, "rho_clip"),
        ({"c_clip": float("nan")}, ValueError, "c_clip"),
    ],
)
def test_refuses_invalid_arguments(changes: dict[str, Any], error: Any, text: str) -> None:
    call = changed(**changes)
    with pytest.raises(error, match=text):
        ops.advantage(**call)
    assert "out" in changes or (call["out"] == 5.0).all()


def test_refuses_overlapping_and_read_only_outputs() -> None:
    memory = np.zeros((4, 4), np.float32)
    for call in (changed(values=memory, out=memory[:3]), changed(rewards=memory[:3], out=memory[1:])):
        with pytest.raises(ValueError, match="out is written to and must not overlap"):
            ops.advantage(**call)
    frozen = np.zeros((3, 4), np.float32)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="out is written to, but the array is read-only"):
        ops.advantage(**changed(out=frozen))


@pytest.mark.parametrize(("threads", "error"), [(0, ValueError), (257, ValueError), (1.5, TypeError), ("2", TypeError)])
def test_set_num_threads_refuses_invalid_counts(threads: Any, error: Any) -> None:
    with pytest.raises(error, match="num_threads"):
        ops.set_num_threads(threads)
