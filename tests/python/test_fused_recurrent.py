"""The MinGRU and LSTM kernels match the torch classes: outputs, gradients, states, resets, one-hot codes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pufferc
from pufferc import ops
from pufferc.kernels import private

torch = pytest.importorskip("torch")

from pufferc.config import Config, merge  # noqa: E402
from pufferc.policies import LSTM, FusedLSTM, FusedMinGRU, MinGRU, OneHot, make_policy  # noqa: E402

PAIRS = [(FusedMinGRU, MinGRU), (FusedLSTM, LSTM)]
FUSED = [FusedMinGRU, FusedLSTM]
CPU = torch.device("cpu")
CELLS, MOST = 30, 4  # size of the boards and the largest code
MAX_CODES = [1 + cell % MOST for cell in range(CELLS)]


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def make(kind: type[Any], dtype: object, layers: int = 2, *, codes: bool = False) -> Any:
    generator = torch.Generator().manual_seed(5)
    size = sum(MAX_CODES) if codes else 10
    gain, shift = torch.rand(size, generator=generator) + 0.5, torch.randn(size, generator=generator)
    fused = kind in FUSED
    return kind(
        size, [3, 2], hidden_size=20, num_layers=layers, compute_dtype=dtype, input_gain=gain,
        input_shift=torch.zeros(size) if codes else shift, generator=generator,
        encoder=OneHot(MAX_CODES, fused=fused) if codes else None,
    )  # fmt: skip


def batch(kind: type[Any], steps: int, rows: int, *, codes: bool = False) -> tuple[Any, ...]:
    """Observations, state, starts, and the gradient of the outputs."""
    generator = torch.Generator().manual_seed(4)
    starts = torch.rand(steps, rows, generator=generator) < 0.1
    x = randn(steps, rows, 10)
    if codes:
        x = torch.randint(0, 60, (steps, rows, CELLS), generator=generator, dtype=torch.uint8)
        x = (x % (torch.tensor(MAX_CODES) + 1)).to(torch.uint8).view(steps, rows, 5, CELLS // 5)
    state = tuple(0.5 * randn(rows, 20, seed=i) for i in range(1, 2 + issubclass(kind, LSTM)))
    return x, state, starts, randn(steps, rows, 6, seed=3) / (steps * rows)


def results(policy: Any, shape: tuple[int, int], *, codes: bool = False) -> dict[str, torch.Tensor]:
    """Outputs and gradients of a training pass, and the results of one step."""
    x, state, starts, grad = batch(type(policy), *shape, codes=codes)
    if type(policy) in FUSED:
        outputs = policy.forward_for_training(x, state, starts).clone()
        policy.backward(grad)
    else:
        outputs = policy.forward(x, state, starts)
        outputs.backward(grad)
    step, after = policy.step(x[0], state)
    found = {name: parameter.grad.clone() for name, parameter in policy.named_parameters()}
    return {**found, "outputs": outputs.detach(), "step": step, **{f"state {i}": part for i, part in enumerate(after)}}


@pytest.mark.parametrize("codes", [False, True])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("shape", [(1, 300), (33, 70)])
@pytest.mark.parametrize(("fused", "plain"), PAIRS)
def test_float32_passes_agree_with_torch(fused: Any, plain: Any, shape: Any, layers: int, codes: bool) -> None:
    found = results(make(fused, torch.float32, layers, codes=codes), shape, codes=codes)
    expected = results(make(plain, torch.float32, layers, codes=codes), shape, codes=codes)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert (found[name] - value).abs().max() <= 2e-5 * value.abs().max(), name


@pytest.mark.parametrize("codes", [False, True])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("shape", [(1, 300), (33, 70)])
@pytest.mark.parametrize(("fused", "plain"), PAIRS)
def test_bfloat16_passes_are_as_close_to_float32_as_torch(
    fused: Any, plain: Any, shape: Any, layers: int, codes: bool
) -> None:
    found = results(make(fused, torch.bfloat16, layers, codes=codes), shape, codes=codes)
    theirs = results(make(plain, torch.bfloat16, layers, codes=codes), shape, codes=codes)
    for name, exact in results(make(plain, torch.float32, layers, codes=codes), shape, codes=codes).items():
        ours, torchs = (torch.linalg.vector_norm(value - exact) for value in (found[name], theirs[name]))
        assert ours <= 1.5 * torchs + 0.005 * torch.linalg.vector_norm(exact), name


def test_an_lstm_without_resets_matches_torch() -> None:
    """States and gradients match torch.nn.LSTM with the same parameters in float32."""
    policy, steps, rows = make(FusedLSTM, torch.float32), 17, 40
    x, (h, c), _, grad = batch(FusedLSTM, steps, rows)
    theirs = torch.nn.LSTM(20, 20)
    theirs.load_state_dict({f"{name}_l0": value for name, value in policy.lstm.state_dict().items()})
    outputs = policy.forward_for_training(x, (h, c), None).clone()
    policy.backward(grad)
    y, _ = theirs(policy.encode(x).detach(), (h.unsqueeze(0), c.unsqueeze(0)))
    expected = torch.nn.functional.linear(y, policy.output.weight.detach(), policy.output.bias.detach())
    expected.backward(grad)
    torch.testing.assert_close(outputs, expected.detach(), atol=1e-5, rtol=1e-5)
    for name, parameter in policy.lstm.named_parameters():
        torch.testing.assert_close(parameter.grad, getattr(theirs, f"{name}_l0").grad, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("codes", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", FUSED)
def test_acting_and_training_give_bit_identical_outputs(kind: Any, dtype: torch.dtype, codes: bool) -> None:
    policy, (x, state, starts, _) = make(kind, dtype, codes=codes), batch(kind, 9, 150, codes=codes)
    outputs = policy.forward_for_training(x, state, starts).clone()
    for t in range(9):
        state = tuple(torch.where(starts[t].unsqueeze(-1), torch.zeros_like(part), part) for part in state)
        before = [part.clone() for part in state]
        step, after = policy.step(x[t], state)
        assert torch.equal(step, outputs[t]) and all(map(torch.equal, before, state))
        state = after


@pytest.mark.parametrize("codes", [False, True])
@pytest.mark.parametrize("kind", FUSED)
def test_a_slice_of_a_rollout_is_read_in_place(kind: Any, codes: bool) -> None:
    policy, (x, state, starts, grad) = make(kind, torch.bfloat16, codes=codes), batch(kind, 5, 64, codes=codes)
    x, part = x if codes else x.bfloat16(), slice(16, 48)
    state = tuple(each[part] for each in state)
    outputs = policy.forward_for_training(x[:, part], state, starts[:, part]).clone()
    policy.backward(grad[:, part])
    gradients = [parameter.grad.clone() for parameter in policy.parameters()]
    again = policy.forward_for_training(x[:, part].contiguous(), state, starts[:, part].contiguous())
    policy.backward(grad[:, part].contiguous())
    assert torch.equal(outputs, again)
    assert all(torch.equal(a, b.grad) for a, b in zip(gradients, policy.parameters(), strict=True))


@pytest.mark.parametrize("codes", [False, True])
@pytest.mark.parametrize("kind", FUSED)
def test_results_are_bit_identical_for_any_number_of_threads(kind: Any, codes: bool) -> None:
    policy, before = make(kind, torch.bfloat16, codes=codes), ops.get_num_threads()
    x, state, starts, grad = batch(kind, 40, 100, codes=codes)
    results = []
    try:
        for threads in (1, 2, 3):
            ops.set_num_threads(threads)
            outputs = policy.forward_for_training(x, state, starts).clone()
            policy.backward(grad)
            results.append([outputs, *(parameter.grad.clone() for parameter in policy.parameters())])
    finally:
        ops.set_num_threads(before)
    assert all(torch.equal(a, b) for other in results[1:] for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize("kind", FUSED)
def test_changed_weights_and_batch_sizes_take_effect(kind: Any) -> None:
    for name, _ in make(kind, torch.float32).named_parameters():
        policy, (x, state, _, _) = make(kind, torch.float32), batch(kind, 1, 9)
        before = policy.step(x[0], state)[0].clone()
        some = policy.step(x[0, :4], tuple(part[:4] for part in state))[0]
        torch.testing.assert_close(some, before[:4])
        with torch.no_grad():
            policy.get_parameter(name).add_(0.1)
        assert not torch.equal(before, policy.step(x[0], state)[0]), name


def test_codes_above_the_largest_are_refused() -> None:
    policy, (x, state, _, _) = make(FusedLSTM, torch.float32, codes=True), batch(FusedLSTM, 1, 9, codes=True)
    x[0, 3, 0, 2] = MAX_CODES[2] + 1
    with pytest.raises(ValueError, match="codes: expected 0 to 3, got 4 in row 3, cell 2"):
        policy.step(x[0], state)


def test_backward_requires_a_forward_pass() -> None:
    with pytest.raises(RuntimeError, match="backward follows forward_for_training"):
        make(FusedLSTM, torch.float32).backward(torch.zeros(1, 1, 6))


@pytest.mark.parametrize(("kind", "states", "gates"), [(private.MinGru, 1, [2]), (private.Lstm, 2, [4, 4])])
def test_the_kernel_refuses_invalid_arguments(kind: Any, states: int, gates: list[int]) -> None:
    with pytest.raises(ValueError, match="widths"):
        kind([3], bfloat16=False)
    with pytest.raises(ValueError, match="widths"):
        kind([], bfloat16=False)
    net, x, state = kind([3, 4, 2], bfloat16=False), torch.zeros(5, 6, 3), [torch.zeros(6, 4) for _ in range(states)]
    outputs, after = torch.zeros(5, 6, 2), [torch.zeros(6, 4) for _ in range(states)]
    with pytest.raises(TypeError, match="float32"):
        net.forward(x.bfloat16(), state, None, outputs, after)
    with pytest.raises(ValueError, match="state"):
        net.forward(x, [torch.zeros(5, 4)] * states, None, outputs, after)
    with pytest.raises(ValueError, match=f"^state must have {states} array"):
        net.forward(x, [*state, state[0]], None, outputs, after)
    with pytest.raises(ValueError, match=f"next_state must have {states} array"):
        net.forward(x, state, None, outputs, [])
    with pytest.raises(ValueError, match="next_state is written to and must not overlap state"):
        net.forward(x, state, None, outputs, state)
    with pytest.raises(ValueError, match="x must be aligned, with neighbouring rows"):
        net.forward(torch.zeros(5, 12, 3)[:, ::2], state, None, outputs, after)
    with pytest.raises(TypeError, match="starts"):
        net.forward(x, state, torch.zeros(5, 6), outputs, after)
    count = 2 + len(gates)
    with pytest.raises(ValueError, match=f"weights and biases must have one array for each of the {count} layers"):
        net.set_layers([torch.zeros(4, 3)], [torch.zeros(4)])
    shapes = [(4, 3), *((4 * gate, 4) for gate in gates), (2, 4)]
    grads: tuple[list[Any], list[Any]] = [np.zeros(s, np.float32) for s in shapes], [torch.zeros(s[0]) for s in shapes]
    with pytest.raises(ValueError, match="expected the 0 steps"):
        net.backward(x, state, None, outputs, *grads)
    net.forward(x, state, None, outputs, after, keep=True)
    with pytest.raises(ValueError, match="grad_x must have shape"):
        net.backward(x, state, None, outputs, *grads, torch.zeros(5, 6, 4))
    with pytest.raises(ValueError, match="grad_x is written to and must not overlap x"):
        net.backward(x, state, None, outputs, *grads, x)


@pytest.mark.parametrize("game", ["cartpole", "snake"])
@pytest.mark.parametrize(("fused", "plain"), PAIRS)
def test_training_uses_the_fused_class_with_fused_kernels(fused: Any, plain: Any, game: str) -> None:
    env = pufferc.make(game, num_games=1, num_threads=1, seed=1)
    config = merge(Config(game), {"policy": {"kind": plain.__name__.lower()}})
    kinds = [type(make_policy(config, env.spaces, torch.float32, CPU, 1, fused=fused)) for fused in (False, True)]
    conv = merge(config, {"policy": {"encoder": "conv"}})
    if game == "snake":
        kinds.append(type(make_policy(conv, env.spaces, torch.float32, CPU, 1, fused=True)))
    env.close()
    assert kinds == [plain, fused, plain][: len(kinds)]
