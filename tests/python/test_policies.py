"""The MLP's passes without autograd against its own forward with autograd, and the map of its inputs."""

from __future__ import annotations

import pytest

import pufferc
from pufferc.config import PolicyConfig

torch = pytest.importorskip("torch")

from pufferc.policies import MLP, Policy, input_map, make_policy  # noqa: E402


def make(dtype: object, layers: int = 2) -> MLP:
    generator = torch.Generator().manual_seed(5)
    gain, shift = torch.rand(10, generator=generator) + 0.5, torch.randn(10, generator=generator)
    return MLP(
        10, [3, 2], hidden_size=16, num_layers=layers, compute_dtype=dtype, input_gain=gain, input_shift=shift,
        generator=generator,
    )  # fmt: skip


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_passes_agree_with_autograd(dtype: torch.dtype, layers: int) -> None:
    policy = make(dtype, layers)
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


def test_a_changed_weight_is_seen() -> None:
    policy, x = make(torch.bfloat16), torch.ones(4, 10)
    before = policy.step(x, ())[0].clone()
    with torch.no_grad():
        policy.hidden[0].weight.mul_(2.0)
    assert not torch.equal(before, policy.step(x, ())[0])


def test_batch_sizes_may_change() -> None:
    policy = make(torch.float32)
    x = torch.randn(9, 10, generator=torch.Generator().manual_seed(1))
    whole = policy.step(x, ())[0].clone()
    torch.testing.assert_close(policy.step(x[:4], ())[0], whole[:4])
    torch.testing.assert_close(policy.step(x, ())[0], whole)


def test_input_map_takes_ranges_to_plus_minus_scale() -> None:
    info = pufferc.env_info("breakout")
    config = PolicyConfig(scaled_inputs=("ball_x", "ball_vx"), input_scale=2.0, rest_scale=0.5)
    gain, shift = input_map(info.observation, 118, config)
    names = [row.name for row in info.observation for _ in range(row.count)]
    x, vx = names.index("ball_x"), names.index("ball_vx")
    assert (gain[x], shift[x]) == (4.0, -2.0)  # [0, 1] to [-2, 2]
    assert (gain[vx], shift[vx]) == (2.0, 0.0)  # [-1, 1] likewise
    assert (gain[-1], shift[-1]) == (0.5, 0.0)


def test_weights_depend_on_the_seed_alone() -> None:
    from pufferc.config import Config

    env = pufferc.make("squared", 4, num_threads=1, seed=1)
    a, b, c = (make_policy(Config("squared"), env, torch.float32, torch.device("cpu"), seed) for seed in (1, 1, 2))
    env.close()
    assert torch.equal(a.output.weight, b.output.weight)
    assert not torch.equal(a.output.weight, c.output.weight)
