"""The fused MinGRU and its scan against the torch class and a float64 loop: outputs, gradients, states, resets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pufferc
from pufferc import ops

torch = pytest.importorskip("torch")

from pufferc.config import Config, merge  # noqa: E402
from pufferc.policies import FusedMinGRU, MinGRU, make_policy  # noqa: E402

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=GPU)]


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def loop(pre: torch.Tensor, h: torch.Tensor, starts: torch.Tensor | None) -> torch.Tensor:
    """The definition, step by step."""
    states = []
    for t in range(pre.shape[0]):
        if starts is not None:
            h = torch.where(starts[t].bool().unsqueeze(-1), torch.zeros_like(h), h)
        u, c = pre[t].chunk(2, -1)
        z = torch.sigmoid(u)
        h = (1 - z) * h + z * c
        states.append(h)
    return torch.stack(states)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("starts", ["nowhere", "everywhere", "some"])
@pytest.mark.parametrize("shape", [(1, 3, 5), (64, 20, 33), (7, 1, 1)])
def test_scan_is_the_loop(shape: tuple[int, int, int], starts: str, device: str) -> None:
    steps, rows, units = shape
    pre, h0 = (3 * randn(steps, rows, 2 * units)).to(device), randn(rows, units, seed=1).to(device)
    random = torch.rand(steps, rows, generator=torch.Generator().manual_seed(2)).to(device)
    begins = {"nowhere": None, "everywhere": random > -1.0, "some": (random < 0.2).to(torch.uint8)}[starts]
    grad = randn(*shape, seed=3).to(device)
    leaves = [x.double().requires_grad_() for x in (pre, h0)]
    expected = loop(*leaves, begins)
    expected.backward(grad.double())
    pre.requires_grad_(), h0.requires_grad_()
    states = ops.mingru_scan(pre, h0, begins)
    states.backward(grad)
    torch.testing.assert_close(states.double(), expected, atol=3e-6, rtol=0)
    torch.testing.assert_close(pre.grad.double(), leaves[0].grad, atol=1e-5, rtol=0)
    torch.testing.assert_close(h0.grad.double(), leaves[1].grad, atol=1e-5, rtol=0)


def test_scan_takes_strided_tensors_and_empty_ones() -> None:
    pre, h0 = randn(6, 10, 8)[:, ::2], randn(10, 4, seed=1)[::2]
    expected = loop(pre.double(), h0.double(), None)
    torch.testing.assert_close(ops.mingru_scan(pre, h0).double(), expected, atol=3e-6, rtol=0)
    assert ops.mingru_scan(torch.zeros(0, 2, 8), torch.zeros(2, 4)).shape == (0, 2, 4)
    assert ops.mingru_scan(torch.zeros(3, 0, 8), torch.zeros(0, 4)).shape == (3, 0, 4)


def test_scan_refuses_what_does_not_fit() -> None:
    pre, h0 = torch.zeros(3, 2, 8), torch.zeros(2, 4)
    with pytest.raises(TypeError, match="pre must be a torch tensor"):
        ops.mingru_scan(pre.numpy(), h0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"pre must have shape \(3, 2, 6\)"):
        ops.mingru_scan(torch.zeros(3, 2, 7), torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"initial must have shape \(2, 4\)"):
        ops.mingru_scan(pre, torch.zeros(2, 5))
    with pytest.raises(TypeError, match="float32"):
        ops.mingru_scan(pre.double(), h0)
    with pytest.raises(ValueError, match="starts must have shape"):
        ops.mingru_scan(pre, h0, torch.zeros(3, 3, dtype=torch.bool))
    with pytest.raises(ValueError, match="dimensions"):
        ops.mingru_scan(torch.zeros(2, 8), h0)


# ---- the network -----------------------------------------------------------------------------------------


def make(kind: type[MinGRU], dtype: object, layers: int = 2, inputs: int = 10) -> MinGRU:
    generator = torch.Generator().manual_seed(5)
    gain, shift = torch.rand(inputs, generator=generator) + 0.5, torch.randn(inputs, generator=generator)
    return kind(
        inputs, [3, 2], hidden_size=20, num_layers=layers, compute_dtype=dtype, input_gain=gain, input_shift=shift,
        generator=generator,
    )  # fmt: skip


def batch(steps: int, rows: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    starts = torch.rand(steps, rows, generator=torch.Generator().manual_seed(4)) < 0.1
    return randn(steps, rows, 10), 0.5 * randn(rows, 20, seed=1), starts, randn(steps, rows, 6, seed=2) / (steps * rows)


def results(policy: MinGRU, shape: tuple[int, int], *, fused: bool) -> dict[str, torch.Tensor]:
    """Outputs and gradients of a pass, and a step."""
    x, h, starts, grad = batch(*shape)
    if fused:
        outputs = policy.forward_for_training(x, (h,), starts).clone()
        policy.backward(grad)
    else:
        outputs = policy.forward(x, (h,), starts)
        outputs.backward(grad)
    step, (state,) = policy.step(x[0], (h,))
    found = {name: parameter.grad.clone() for name, parameter in policy.named_parameters()}
    return {**found, "outputs": outputs.detach(), "step": step, "state": state}


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("shape", [(1, 300), (33, 70)])
def test_float32_passes_agree_with_torch(shape: tuple[int, int], layers: int) -> None:
    found = results(make(FusedMinGRU, torch.float32, layers), shape, fused=True)
    expected = results(make(MinGRU, torch.float32, layers), shape, fused=False)
    for name, value in expected.items():
        assert (found[name] - value).abs().max() <= 2e-5 * value.abs().max(), name


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("shape", [(1, 300), (33, 70)])
def test_bfloat16_passes_are_as_near_to_float32_as_those_of_torch(shape: tuple[int, int], layers: int) -> None:
    found = results(make(FusedMinGRU, torch.bfloat16, layers), shape, fused=True)
    theirs = results(make(MinGRU, torch.bfloat16, layers), shape, fused=False)
    for name, exact in results(make(MinGRU, torch.float32, layers), shape, fused=False).items():
        ours, torchs = (torch.linalg.vector_norm(value - exact) for value in (found[name], theirs[name]))
        assert ours <= 1.5 * torchs + 0.005 * torch.linalg.vector_norm(exact), name


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_acting_makes_the_bits_of_training(dtype: torch.dtype) -> None:
    policy, (x, h, starts, _) = make(FusedMinGRU, dtype), batch(9, 150)
    outputs = policy.forward_for_training(x, (h,), starts).clone()
    for t in range(9):
        h = torch.where(starts[t].unsqueeze(-1), torch.zeros_like(h), h)
        before = h.clone()
        step, (h_next,) = policy.step(x[t], (h,))
        assert torch.equal(step, outputs[t]) and torch.equal(before, h)
        h = h_next


def test_a_part_of_a_rollout_is_read_where_it_lies() -> None:
    policy, (x, h, starts, grad) = make(FusedMinGRU, torch.bfloat16), batch(5, 64)
    x, part = x.bfloat16(), slice(16, 48)
    outputs = policy.forward_for_training(x[:, part], (h[part],), starts[:, part]).clone()
    policy.backward(grad[:, part])
    gradients = [parameter.grad.clone() for parameter in policy.parameters()]
    again = policy.forward_for_training(x[:, part].contiguous(), (h[part],), starts[:, part].contiguous())
    policy.backward(grad[:, part].contiguous())
    assert torch.equal(outputs, again)
    assert all(torch.equal(a, b.grad) for a, b in zip(gradients, policy.parameters(), strict=True))


def test_the_number_of_threads_changes_no_bit() -> None:
    policy, (x, h, starts, grad), before = make(FusedMinGRU, torch.bfloat16), batch(40, 100), ops.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3):
            ops.set_num_threads(threads)
            outputs = policy.forward_for_training(x, (h,), starts).clone()
            policy.backward(grad)
            results.append([outputs, *(parameter.grad.clone() for parameter in policy.parameters())])
    finally:
        ops.set_num_threads(before)
    assert all(torch.equal(a, b) for other in results[1:] for a, b in zip(results[0], other, strict=True))


def test_a_changed_weight_is_seen_and_sizes_may_change() -> None:
    policy, (x, h, _, _) = make(FusedMinGRU, torch.float32), batch(1, 9)
    before = policy.step(x[0], (h,))[0].clone()
    torch.testing.assert_close(policy.step(x[0, :4], (h[:4],))[0], before[:4])
    with torch.no_grad():
        policy.gate.bias += 1.0
    assert not torch.equal(before, policy.step(x[0], (h,))[0])


def test_the_kernel_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="widths"):
        ops.MinGru([3, 2], bfloat16=False)
    with pytest.raises(ValueError, match="widths"):
        ops.MinGru([], bfloat16=False)
    net, x, h = ops.MinGru([3, 4, 2], bfloat16=False), torch.zeros(5, 6, 3), torch.zeros(6, 4)
    outputs, after = torch.zeros(5, 6, 2), torch.zeros(6, 4)
    with pytest.raises(TypeError, match="float32"):
        net.forward(x.bfloat16(), h, None, outputs, after)
    with pytest.raises(ValueError, match="state"):
        net.forward(x, torch.zeros(5, 4), None, outputs, after)
    with pytest.raises(ValueError, match="next_state is written to and must not overlap state"):
        net.forward(x, h, None, outputs, h)
    with pytest.raises(ValueError, match="x must have neighbouring rows"):
        net.forward(torch.zeros(5, 12, 3)[:, ::2], h, None, outputs, after)
    with pytest.raises(TypeError, match="starts"):
        net.forward(x, h, torch.zeros(5, 6), outputs, after)
    with pytest.raises(ValueError, match="weights and biases must have one array for each of the 3 layers"):
        net.set_layers([torch.zeros(4, 3)], [torch.zeros(4)])
    shapes: list[tuple[int, int]] = [(4, 3), (8, 4), (2, 4)]
    grads: tuple[list[Any], list[Any]] = [np.zeros(s, np.float32) for s in shapes], [torch.zeros(s[0]) for s in shapes]
    with pytest.raises(ValueError, match="expected the 0 steps"):
        net.backward(x, h, None, outputs, *grads)


def test_training_takes_it_where_kernels_are_fused() -> None:
    env = pufferc.make("cartpole", 4, num_threads=1, seed=1)
    config = merge(Config("cartpole"), {"policy": {"kind": "mingru"}})
    kinds = [
        type(make_policy(config, env, torch.float32, torch.device("cpu"), 1, fused=fused)) for fused in (False, True)
    ]
    env.close()
    assert kinds == [MinGRU, FusedMinGRU]
