"""Muon and Adam match the definition, torch's Adam and the fused kernel, and their state can be saved."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from pufferc import ops  # noqa: E402
from pufferc.kernels import private  # noqa: E402
from pufferc.training.optimizers import Adam, FusedMuon, Muon, Optimizer, orthogonalize  # noqa: E402


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


@pytest.mark.parametrize("kind", [Muon, FusedMuon])
def test_muon_moves_matrices_by_an_orthogonal_step_and_vectors_by_plain_momentum(kind: type[Muon]) -> None:
    matrix = torch.nn.Parameter(torch.zeros(8, 4))
    vector = torch.nn.Parameter(torch.zeros(3))
    muon = kind([("matrix", matrix), ("vector", vector)], momentum=0.5)
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


@pytest.mark.parametrize("kind", [Muon, FusedMuon])
def test_muon_weight_decay_shrinks_matrices_only(kind: type[Muon]) -> None:
    matrix, vector = torch.nn.Parameter(torch.ones(2, 2)), torch.nn.Parameter(torch.ones(2))
    muon = kind([("matrix", matrix), ("vector", vector)], weight_decay=0.5)
    matrix.grad, vector.grad = torch.zeros(2, 2), torch.zeros(2)
    muon.step(0.1)
    torch.testing.assert_close(matrix.data, torch.full((2, 2), 0.95))
    torch.testing.assert_close(vector.data, torch.ones(2))


def test_adam_weight_decay_is_decoupled() -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    adam = Adam([("vector", parameter)], weight_decay=0.5)
    parameter.grad = torch.zeros(2)
    adam.step(0.1)
    torch.testing.assert_close(parameter.data, torch.full((2,), 0.95))


def parameters_of(*shapes: tuple[int, ...]) -> list[tuple[str, torch.nn.Parameter]]:
    generator = torch.Generator().manual_seed(7)
    return [(str(i), torch.nn.Parameter(torch.randn(shape, generator=generator))) for i, shape in enumerate(shapes)]


def take_steps(optimizer: Optimizer, named: list[tuple[str, torch.nn.Parameter]], steps: int) -> None:
    generator = torch.Generator().manual_seed(8)
    for _ in range(steps):
        for _, parameter in named:
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimizer.step(0.1)


@pytest.mark.parametrize("bfloat16", [False, True])
def test_the_fused_kernel_agrees_with_torch(bfloat16: bool) -> None:
    """Float32 agrees up to rounding, bfloat16 within 5 % of a step, which is the accuracy of its singular values."""
    shapes = ((128, 118), (4, 128), (128,), (), (6, 3, 2, 2), (1, 1), (70, 33))
    ours, theirs = parameters_of(*shapes), parameters_of(*shapes)
    fused = FusedMuon(ours, bfloat16=bfloat16, momentum=0.8, weight_decay=0.1)
    plain = Muon(theirs, momentum=0.8, weight_decay=0.1)
    take_steps(fused, ours, 3)
    take_steps(plain, theirs, 3)
    for (name, a), (_, b) in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=0.015 if bfloat16 and a.ndim > 1 else 1e-4, rtol=0)
        torch.testing.assert_close(fused.state()[f"momentum.{name}"], plain.state()[f"momentum.{name}"])


def test_fused_steps_are_bit_identical_for_any_threads_and_update_torch_versions() -> None:
    before, results = ops.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            ops.set_num_threads(threads)
            named = parameters_of((128, 118), (4, 128))
            version = named[0][1]._version
            take_steps(FusedMuon(named), named, 2)
            assert named[0][1]._version > version
            results.append([parameter for _, parameter in named])
    finally:
        ops.set_num_threads(before)
    assert all(torch.equal(a, b) for other in results[1:] for a, b in zip(results[0], other, strict=True))


def test_the_fused_kernel_refuses_invalid_arguments() -> None:
    kernel, w = private.Muon(bfloat16=False), torch.zeros(3, 4)
    settings = {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 0.0, "iterations": 5}
    with pytest.raises(ValueError, match="averages and grads must have one array for each of the 1 parameters"):
        kernel.step([w], [], [w], **settings)
    with pytest.raises(ValueError, match="parameters must be vectors or matrices"):
        kernel.step([torch.zeros(2, 2, 2)], [torch.zeros(2, 2, 2)], [torch.zeros(2, 2, 2)], **settings)
    with pytest.raises(ValueError, match="must not overlap"):
        kernel.step([w], [torch.zeros(3, 4)], [w], **settings)
    with pytest.raises(TypeError, match="grads must be float32"):
        kernel.step([w], [torch.zeros(3, 4)], [torch.zeros(3, 4, dtype=torch.float64)], **settings)
    with pytest.raises(ValueError, match="momentum must be in"):
        kernel.step([w], [torch.zeros(3, 4)], [torch.zeros(3, 4)], **{**settings, "momentum": float("nan")})
    kernel.step([torch.zeros(0, 4)], [torch.zeros(0, 4)], [torch.zeros(0, 4)], **settings)
    assert not FusedMuon.supports([torch.nn.Parameter(w.double())])
    assert not FusedMuon.supports([torch.nn.Parameter(torch.zeros(4, 3).t())])


def test_adam_matches_torch() -> None:
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


@pytest.mark.parametrize("kind", [Muon, FusedMuon, Adam])
def test_networks_see_that_a_step_changed_their_parameters(kind: type) -> None:
    named = parameters_of((6, 4), (6,))
    versions = [parameter._version for _, parameter in named]
    take_steps(kind(named), named, 1)
    assert all(parameter._version > before for (_, parameter), before in zip(named, versions, strict=True))


@pytest.mark.parametrize("kind", [Muon, FusedMuon, Adam])
def test_a_loaded_optimizer_state_continues_exactly(kind: type) -> None:
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
    for kind in (Muon, FusedMuon, Adam):
        with pytest.raises(ValueError, match="no gradient"):
            kind([("w", torch.nn.Parameter(torch.ones(2, 2)))]).step(0.1)
