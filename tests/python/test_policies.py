"""The fused passes of the MLP match its forward pass with autograd. Also its input map."""

from __future__ import annotations

import pytest

import pufferc
from pufferc import ops
from pufferc.config import Config, PolicyConfig
from pufferc.envs.spaces import game_spaces
from pufferc.kernels import private

torch = pytest.importorskip("torch")

from pufferc.policies import MLP, FusedMLP, Policy, input_map, make_policy  # noqa: E402


def make(dtype: object, layers: int = 2, kind: type[MLP] = MLP) -> MLP:
    generator = torch.Generator().manual_seed(5)
    gain, shift = torch.rand(10, generator=generator) + 0.5, torch.randn(10, generator=generator)
    return kind(
        10, [3, 2], hidden_size=16, num_layers=layers, compute_dtype=dtype, input_gain=gain, input_shift=shift,
        generator=generator,
    )  # fmt: skip


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", [MLP, FusedMLP])
def test_passes_agree_with_autograd(dtype: torch.dtype, layers: int, kind: type[MLP]) -> None:
    policy = make(dtype, layers, kind)
    x = torch.randn(2, 64, 10, generator=torch.Generator().manual_seed(6))
    tolerance = {"atol": 1e-5, "rtol": 1e-4} if dtype == torch.float32 else {"atol": 0.05, "rtol": 0.05}
    grad = torch.randn(2, 64, 6, generator=torch.Generator().manual_seed(7)) / 128
    expected = policy.forward(x, (), None)
    expected.backward(grad)
    wanted = {name: parameter.grad.clone() for name, parameter in policy.named_parameters()}
    fast = policy.forward_for_training(x, (), None)
    torch.testing.assert_close(fast, expected.detach(), **tolerance)
    policy.backward(grad)
    for name, parameter in policy.named_parameters():
        torch.testing.assert_close(parameter.grad, wanted[name], **tolerance, msg=lambda m, n=name: f"{n}: {m}")
    step, state = policy.step(x[0], ())
    assert state == ()
    torch.testing.assert_close(step, expected[0].detach(), **tolerance)


def test_default_passes_are_autograd() -> None:
    class Plain(Policy):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, 3)

        def forward(self, observations: torch.Tensor, state: object, starts: object) -> torch.Tensor:
            return self.layer(observations)

    policy, x = Plain(), torch.randn(1, 7, 4, generator=torch.Generator().manual_seed(8))
    grad = torch.randn(1, 7, 3, generator=torch.Generator().manual_seed(9))
    with torch.no_grad():
        outputs = policy.forward_for_training(x, (), None)
        assert not outputs.requires_grad
        policy.backward(grad)
    torch.testing.assert_close(policy.layer.weight.grad, grad[0].t() @ x[0])
    torch.testing.assert_close(policy.step(x[0], ())[0], outputs[0])


@pytest.mark.parametrize("kind", [MLP, FusedMLP])
def test_passes_use_a_changed_weight(kind: type[MLP]) -> None:
    policy, x = make(torch.bfloat16, kind=kind), torch.ones(4, 10)
    before = policy.step(x, ())[0].clone()
    with torch.no_grad():
        policy.hidden[0].weight.mul_(2.0)
    assert not torch.equal(before, policy.step(x, ())[0])


@pytest.mark.parametrize("kind", [MLP, FusedMLP])
def test_batch_sizes_can_change_between_passes(kind: type[MLP]) -> None:
    policy = make(torch.float32, kind=kind)
    x = torch.randn(9, 10, generator=torch.Generator().manual_seed(1))
    whole = policy.step(x, ())[0].clone()
    torch.testing.assert_close(policy.step(x[:4], ())[0], whole[:4])
    torch.testing.assert_close(policy.step(x, ())[0], whole)


def test_fused_passes_are_bit_identical_for_any_number_of_threads() -> None:
    policy, before = make(torch.bfloat16, kind=FusedMLP), ops.get_num_threads()
    x = torch.randn(1, 4000, 10, generator=torch.Generator().manual_seed(3)).bfloat16()
    grad = torch.randn(1, 4000, 6, generator=torch.Generator().manual_seed(4))
    results = []
    try:
        for threads in (1, 2, 3):
            ops.set_num_threads(threads)
            outputs = policy.forward_for_training(x, (), None).clone()
            policy.backward(grad)
            results.append([outputs, *(parameter.grad.clone() for parameter in policy.parameters())])
    finally:
        ops.set_num_threads(before)
    assert all(torch.equal(a, b) for other in results[1:] for a, b in zip(results[0], other, strict=True))


def test_fused_networks_refuse_invalid_arguments() -> None:
    with pytest.raises(ValueError, match="widths"):
        private.Mlp([3], bfloat16=False)
    net, x, outputs = private.Mlp([3, 4, 2], bfloat16=False), torch.zeros(5, 3), torch.zeros(5, 2)
    with pytest.raises(TypeError, match="float32"):
        net.forward(x.bfloat16(), outputs)
    with pytest.raises(ValueError, match="outputs"):
        net.forward(x, torch.zeros(5, 3))
    with pytest.raises(ValueError, match="weights and biases"):
        net.set_layers([torch.zeros(4, 3)], [torch.zeros(4)])
    weights, biases = [torch.zeros(4, 3), torch.zeros(2, 4)], [torch.zeros(4), torch.zeros(2)]
    with pytest.raises(ValueError, match="rows: expected the 0"):
        net.backward(x, outputs, weights, biases)


def test_input_map_scales_ranges_to_plus_minus_scale() -> None:
    info = pufferc.env_info("breakout")
    config = PolicyConfig(scaled_inputs=("ball_x", "ball_vx"), input_scale=2.0, rest_scale=0.5)
    gain, shift = input_map(info.observation, 118, config)
    names = [row.name for row in info.observation for _ in range(row.count)]
    x, vx = names.index("ball_x"), names.index("ball_vx")
    assert (gain[x], shift[x]) == (4.0, -2.0)  # [0, 1] to [-2, 2]
    assert (gain[vx], shift[vx]) == (2.0, 0.0)  # [-1, 1] to [-2, 2]
    assert (gain[-1], shift[-1]) == (0.5, 0.0)


def test_weights_depend_only_on_the_seed() -> None:
    cpu, spaces = torch.device("cpu"), game_spaces("squared", {})
    a, b, c = (make_policy(Config("squared"), spaces, torch.float32, cpu, seed) for seed in (1, 1, 2))
    assert torch.equal(a.output.weight, b.output.weight)
    assert not torch.equal(a.output.weight, c.output.weight)
