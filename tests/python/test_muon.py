"""Muon and Adam: against the definition, torch's own Adam, and what they save."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from pufferc.optim import Adam, Muon, clip_gradients, orthogonalize  # noqa: E402


@pytest.mark.parametrize("shape", [(4, 128), (128, 4), (64, 118), (32, 32)])
def test_orthogonalize_brings_singular_values_near_one(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    values = torch.linalg.svdvals(orthogonalize(matrix))
    large = torch.linalg.svdvals(matrix) > 0.1 * torch.linalg.matrix_norm(matrix, 2)
    assert values.max() < 1.3 and values[large].min() > 0.5


def test_orthogonalize_keeps_the_singular_directions() -> None:
    matrix = torch.randn(6, 10, generator=torch.Generator().manual_seed(2))
    u, _, vt = torch.linalg.svd(matrix, full_matrices=False)
    projected = u.t() @ orthogonalize(matrix) @ vt.t()
    torch.testing.assert_close(projected, torch.diag(projected.diagonal()), atol=1e-4, rtol=0)


def test_orthogonalize_of_zero_is_zero() -> None:
    assert not orthogonalize(torch.zeros(3, 5)).any()


def test_muon_moves_matrices_by_an_orthogonal_step_and_vectors_by_plain_momentum() -> None:
    matrix = torch.nn.Parameter(torch.zeros(8, 4))
    vector = torch.nn.Parameter(torch.zeros(3))
    muon = Muon([("matrix", matrix), ("vector", vector)], momentum=0.5)
    matrix.grad = torch.randn(8, 4, generator=torch.Generator().manual_seed(3))
    vector.grad = torch.tensor([1.0, 2.0, 3.0])
    muon.step(0.1)
    # Nesterov: grad + momentum * average, and the average is the gradient itself in the first step.
    torch.testing.assert_close(vector.data, -0.1 * 1.5 * vector.grad)
    values = torch.linalg.svdvals(matrix.data) / (0.1 * 2.0**0.5)
    assert values.max() < 1.3 and values.min() > 0.5
    vector.grad = torch.zeros(3)
    matrix.grad = torch.zeros(8, 4)
    before = vector.detach().clone()
    muon.step(0.1)
    torch.testing.assert_close(vector.data, before - 0.1 * 0.5 * 0.5 * torch.tensor([1.0, 2.0, 3.0]))


def test_muon_weight_decay_shrinks_matrices_only() -> None:
    matrix, vector = torch.nn.Parameter(torch.ones(2, 2)), torch.nn.Parameter(torch.ones(2))
    muon = Muon([("matrix", matrix), ("vector", vector)], weight_decay=0.5)
    matrix.grad, vector.grad = torch.zeros(2, 2), torch.zeros(2)
    muon.step(0.1)
    torch.testing.assert_close(matrix.data, torch.full((2, 2), 0.95))
    torch.testing.assert_close(vector.data, torch.ones(2))


def test_adam_is_adam() -> None:
    generator = torch.Generator().manual_seed(4)
    ours = torch.nn.Parameter(torch.randn(5, 3, generator=generator))
    theirs = torch.nn.Parameter(ours.detach().clone())
    adam = Adam([("w", ours)], beta1=0.8, beta2=0.95, epsilon=1e-5)
    reference = torch.optim.Adam([theirs], lr=0.01, betas=(0.8, 0.95), eps=1e-5)
    for _ in range(5):
        ours.grad = torch.randn(5, 3, generator=generator)
        theirs.grad = ours.grad.clone()
        adam.step(0.01)
        reference.step()
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("kind", [Muon, Adam])
def test_a_saved_state_continues_exactly(kind: type) -> None:
    def run(steps: int, optimizer: object, parameter: torch.nn.Parameter, offset: int = 0) -> None:
        for i in range(steps):
            parameter.grad = torch.randn(4, 3, generator=torch.Generator().manual_seed(offset + i))
            optimizer.step(0.05)  # type: ignore[attr-defined]

    whole, first = torch.nn.Parameter(torch.ones(4, 3)), torch.nn.Parameter(torch.ones(4, 3))
    run(6, kind([("w", whole)]), whole)
    optimizer = kind([("w", first)])
    run(3, optimizer, first)
    saved = {name: tensor.clone() for name, tensor in optimizer.state().items()}
    second = torch.nn.Parameter(first.detach().clone())
    resumed = kind([("w", second)])
    resumed.load_state(saved)
    run(3, resumed, second, offset=3)
    assert torch.equal(whole, second)


def test_a_foreign_state_is_refused() -> None:
    muon = Muon([("w", torch.nn.Parameter(torch.ones(4, 3)))])
    with pytest.raises(ValueError, match=r"momentum\.w"):
        muon.load_state({"momentum.v": torch.ones(4, 3)})
    with pytest.raises(ValueError, match="shape"):
        muon.load_state({"momentum.w": torch.ones(3, 4)})


def test_a_missing_gradient_is_named() -> None:
    for kind in (Muon, Adam):
        with pytest.raises(ValueError, match="no gradient"):
            kind([("w", torch.nn.Parameter(torch.ones(2, 2)))]).step(0.1)


def test_clip_gradients_scales_to_the_norm() -> None:
    parameter = torch.nn.Parameter(torch.zeros(2))
    parameter.grad = torch.tensor([3.0, 4.0])
    assert clip_gradients([parameter], 1.0) == pytest.approx(5.0)
    torch.testing.assert_close(parameter.grad, torch.tensor([0.6, 0.8]), atol=1e-5, rtol=0)
