"""The scan of MinGRU against a float64 loop: states, gradients, resets."""

from __future__ import annotations

import pytest

from pufferc.kernels import autograd

torch = pytest.importorskip("torch")

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
def test_the_scan_equals_the_loop(shape: tuple[int, int, int], starts: str, device: str) -> None:
    steps, rows, units = shape
    pre, h0 = (3 * randn(steps, rows, 2 * units)).to(device), randn(rows, units, seed=1).to(device)
    random = torch.rand(steps, rows, generator=torch.Generator().manual_seed(2)).to(device)
    begins = {"nowhere": None, "everywhere": random > -1.0, "some": (random < 0.2).to(torch.uint8)}[starts]
    grad = randn(*shape, seed=3).to(device)
    leaves = [x.double().requires_grad_() for x in (pre, h0)]
    expected = loop(*leaves, begins)
    expected.backward(grad.double())
    pre.requires_grad_(), h0.requires_grad_()
    states = autograd.mingru_scan(pre, h0, begins)
    states.backward(grad)
    torch.testing.assert_close(states.double(), expected, atol=3e-6, rtol=0)
    torch.testing.assert_close(pre.grad.double(), leaves[0].grad, atol=1e-5, rtol=0)
    torch.testing.assert_close(h0.grad.double(), leaves[1].grad, atol=1e-5, rtol=0)


def test_scan_accepts_strided_and_empty_tensors() -> None:
    pre, h0 = randn(6, 10, 8)[:, ::2], randn(10, 4, seed=1)[::2]
    expected = loop(pre.double(), h0.double(), None)
    torch.testing.assert_close(autograd.mingru_scan(pre, h0).double(), expected, atol=3e-6, rtol=0)
    assert autograd.mingru_scan(torch.zeros(0, 2, 8), torch.zeros(2, 4)).shape == (0, 2, 4)
    assert autograd.mingru_scan(torch.zeros(3, 0, 8), torch.zeros(0, 4)).shape == (3, 0, 4)


def test_scan_refuses_invalid_arguments() -> None:
    pre, h0 = torch.zeros(3, 2, 8), torch.zeros(2, 4)
    with pytest.raises(TypeError, match="pre must be a dense torch tensor"):
        autograd.mingru_scan(pre.numpy(), h0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"pre must have shape \(3, 2, 6\)"):
        autograd.mingru_scan(torch.zeros(3, 2, 7), torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"h0 must have shape \(2, 4\)"):
        autograd.mingru_scan(pre, torch.zeros(2, 5))
    with pytest.raises(TypeError, match="float32"):
        autograd.mingru_scan(pre.double(), h0)
    with pytest.raises(ValueError, match="starts must have shape"):
        autograd.mingru_scan(pre, h0, torch.zeros(3, 3, dtype=torch.bool))
    with pytest.raises(ValueError, match="dimensions"):
        autograd.mingru_scan(torch.zeros(2, 8), h0)
