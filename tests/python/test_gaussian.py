"""Continuous actions in ops: samples and loss match torch.distributions in float64 and the reference. Errors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from losses import ppo_loss_grad
from pufferc import ops
from pufferc.kernels import private
from pufferc.kernels.backend import FUSED, TORCH

torch = pytest.importorskip("torch")

from pufferc.kernels import reference  # noqa: E402

CPU = torch.device("cpu")


def outputs_of(rows: int, dims: int, seed: int = 0, spread: float = 1.0) -> Any:
    """[rows, 2 dims + 1]: means, log standard deviations, values."""
    return spread * torch.randn(rows, 2 * dims + 1, generator=torch.Generator().manual_seed(seed))


def normal(outputs: Any, dims: int) -> Any:
    """The normal distribution that the outputs describe, in float64."""
    return torch.distributions.Normal(outputs[:, :dims].double(), outputs[:, dims : 2 * dims].double().exp())


# ---- sampling ----------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 200),
    dims=st.integers(1, 8),
    seed=st.integers(0, 2**64 - 1),
    step=st.integers(0, 2**64 - 1),
    first_row=st.integers(0, 10**6),
    greedy=st.booleans(),
)
def test_samples_follow_the_standard_normal_numbers(
    rows: int, dims: int, seed: int, step: int, first_row: int, greedy: bool
) -> None:
    outputs, entropy = outputs_of(rows, dims, rows), torch.empty(rows)
    draw: dict[str, Any] = {
        "continuous_dims": dims,
        "seed": seed,
        "step": step,
        "first_row": first_row,
        "greedy": greedy,
    }
    actions, logprobs = ops.sample_actions(outputs[:, :-1], **draw, entropy=entropy)
    distribution = normal(outputs, dims)
    numbers = 0.0 if greedy else reference.normals(seed, step, rows, dims, first_row=first_row, device=CPU).double()
    torch.testing.assert_close(
        actions.double(), distribution.mean + distribution.stddev * numbers, atol=2e-5, rtol=2e-6
    )
    torch.testing.assert_close(logprobs.double(), distribution.log_prob(actions).sum(1), atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(entropy.double(), distribution.entropy().sum(1), atol=1e-5, rtol=1e-5)
    twin = reference.sample_actions(outputs[:, :-1], **draw)
    torch.testing.assert_close(actions, twin[0], atol=2e-5, rtol=2e-6)
    torch.testing.assert_close(logprobs, twin[1], atol=1e-4, rtol=1e-5)


def test_samples_are_normally_distributed() -> None:
    outputs = np.tile(np.array([3.0, -1.0, math.log(0.5), math.log(2.0)], np.float32), (100_000, 1))
    actions, _ = ops.sample_actions(outputs, continuous_dims=2, seed=3, step=1)
    assert actions.shape == (100_000, 2) and actions.dtype == np.float32
    np.testing.assert_allclose(actions.mean(0), [3.0, -1.0], atol=0.03)
    np.testing.assert_allclose(actions.std(0), [0.5, 2.0], rtol=0.02)
    assert abs(np.corrcoef(actions.T)[0, 1]) < 0.02
    within = (np.abs(actions - [3.0, -1.0]) < [0.5, 2.0]).mean(0)
    np.testing.assert_allclose(within, 0.6827, atol=0.01)


def test_a_sample_depends_only_on_seed_step_and_row() -> None:
    outputs = outputs_of(9000, 2).numpy()[:, :-1]
    whole, _ = ops.sample_actions(outputs, continuous_dims=2, seed=1, step=2)
    part, _ = ops.sample_actions(outputs[4000:], continuous_dims=2, seed=1, step=2, first_row=4000)
    np.testing.assert_array_equal(whole[4000:], part)
    threads = ops.get_num_threads()
    try:
        ops.set_num_threads(3)
        np.testing.assert_array_equal(ops.sample_actions(outputs, continuous_dims=2, seed=1, step=2)[0], whole)
    finally:
        ops.set_num_threads(threads)
    for other in ({"seed": 2, "step": 2}, {"seed": 1, "step": 3}):
        assert not np.array_equal(ops.sample_actions(outputs, continuous_dims=2, **other)[0], whole)


@pytest.mark.parametrize("kernels", [FUSED, TORCH])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("column", [0, 3])
def test_rows_with_invalid_outputs_are_an_error(kernels: Any, bad: float, column: int) -> None:
    outputs = torch.zeros(8, 4)
    outputs[2, column] = bad
    with pytest.raises(FloatingPointError, match="NaN, infinity"):
        kernels.sample_actions(outputs, continuous_dims=2, seed=0, step=0)


@pytest.mark.parametrize("kernels", [FUSED, TORCH])
def test_extreme_standard_deviations_give_finite_actions(kernels: Any) -> None:
    outputs = torch.tensor([[1.0, -1e30], [1.0, 1e30], [-3e38, 20.0], [0.5, -20.0]])
    actions, logprobs = kernels.sample_actions(outputs, continuous_dims=1, seed=0, step=0)
    assert torch.isfinite(actions).all() and torch.isfinite(logprobs).all()
    assert float(actions[0, 0]) == 1.0 and float(actions[3, 0]) == 0.5


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"logits": np.zeros((4, 4))}, TypeError, "logits must be float32, got float64"),
        ({"logits": np.zeros((4, 3), np.float32)}, ValueError, r"logits must have shape \(4, 4\), got \(4, 3\)"),
        ({"continuous_dims": 9}, ValueError, "continuous_dims must be in"),
        ({"continuous_dims": -1}, ValueError, "continuous_dims must be in"),
        ({"continuous_dims": 1.5}, TypeError, "continuous_dims must be an integer"),
        ({"continuous_dims": 0}, ValueError, "one of action_counts and continuous_dims"),
        ({"action_counts": [2, 2]}, ValueError, "one of action_counts and continuous_dims"),
        ({"actions": np.zeros((4, 2), np.int32)}, TypeError, "actions must be float32"),
        ({"actions": np.zeros(4, np.float32)}, ValueError, "actions must have shape"),
        ({"entropy": np.zeros(3, np.float32)}, ValueError, "entropy must have shape"),
        ({"seed": -1}, ValueError, "seed must be in"),
    ],
)
def test_sampling_refuses_invalid_arguments(changes: dict[str, Any], error: Any, text: str) -> None:
    call: dict[str, Any] = {"logits": np.zeros((4, 4), np.float32), "continuous_dims": 2, "seed": 0, "step": 0}
    with pytest.raises(error, match=text):
        ops.sample_actions(**(call | changes))


# ---- loss --------------------------------------------------------------------------------------------


def make_batch(rows: int, dims: int, seed: int) -> dict[str, Any]:
    random = torch.Generator().manual_seed(seed)
    old = outputs_of(rows, dims, seed)
    actions, old_logprobs = ops.sample_actions(old[:, :-1], continuous_dims=dims, seed=seed, step=0)
    new = old + 0.2 * torch.randn(old.shape, generator=random)
    return {
        "logits": new[:, :-1],
        "values": new[:, -1],
        "actions": actions,
        "old_logprobs": old_logprobs,
        "advantages": torch.randn(rows, generator=random),
        "returns": torch.randn(rows, generator=random),
        "old_values": torch.randn(rows, generator=random),
        "alive": torch.rand(rows, generator=random) < 0.8,
    }


def plain_loss(batch: dict[str, Any], options: dict[str, Any], outputs: Any) -> Any:
    """The loss in float64 from its definition, for the outputs [B, 2 D + 1] of alive rows."""
    alive, dims = batch["alive"], options["continuous_dims"]
    b = {name: x[alive].double() for name, x in batch.items() if name not in ("alive", "logits", "values")}
    distribution = torch.distributions.Normal(outputs[:, :dims], outputs[:, dims:-1].exp())
    advantages, values, clip = b["advantages"], outputs[:, -1], options["clip"]
    if options["normalize_advantages"]:
        advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    ratio = (distribution.log_prob(b["actions"]).sum(1) - b["old_logprobs"]).exp()
    policy = torch.max(-advantages * ratio, -advantages * ratio.clamp(1 - clip, 1 + clip)).mean()
    value = (values - b["returns"]) ** 2 / 2
    if options["value_clip"] > 0:
        limit = options["value_clip"]
        near = b["old_values"] + (values - b["old_values"]).clamp(-limit, limit)
        value = torch.max(value, (near - b["returns"]) ** 2 / 2)
    entropy = distribution.entropy().sum(1).mean()
    return policy + options["value_coef"] * value.mean() - options["entropy_coef"] * entropy


@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(8, 700),
    dims=st.integers(1, 8),
    seed=st.integers(0, 10**6),
    value_clip=st.sampled_from([0.0, 0.3]),
    normalize=st.booleans(),
)
def test_loss_and_gradient_agree_with_autograd(
    rows: int, dims: int, seed: int, value_clip: float, normalize: bool
) -> None:
    batch = make_batch(rows, dims, seed)
    batch["alive"][:3] = True
    options = {
        "continuous_dims": dims, "clip": 0.2, "value_coef": 0.7, "entropy_coef": 0.01, "value_clip": value_clip,
        "normalize_advantages": normalize,
    }  # fmt: skip
    alive = batch["alive"]
    leaf = torch.cat([batch["logits"], batch["values"].unsqueeze(1)], 1)[alive].double().requires_grad_()
    loss = plain_loss(batch, options, leaf)
    loss.backward()
    for kernels in (FUSED, TORCH):
        grad = torch.full((rows, 2 * dims + 1), 7.0)
        stats = ppo_loss_grad(kernels, **batch, **options, grad_logits=grad[:, :-1], grad_values=grad[:, -1])
        assert stats.rows == int(alive.sum())
        np.testing.assert_allclose(stats.loss, loss.item(), rtol=2e-5, atol=2e-5)
        assert (grad[~alive] == 0.0).all()
        scale = float(leaf.grad.abs().max())
        torch.testing.assert_close(grad[alive].double(), leaf.grad, atol=3e-5 * scale, rtol=1e-4)


def test_the_gradient_passes_gradcheck() -> None:
    batch = make_batch(6, 2, 5)
    batch["alive"][:] = True
    options = {
        "continuous_dims": 2, "clip": 10.0, "value_coef": 0.7, "entropy_coef": 0.01, "value_clip": 0.0,
        "normalize_advantages": False,
    }  # fmt: skip
    leaf = torch.cat([batch["logits"], batch["values"].unsqueeze(1)], 1).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: plain_loss(batch, options, x), (leaf,))
    batch["logits"] = batch["logits"].clone().requires_grad_()
    fused, _ = ops.ppo_loss(**batch, **options)
    fused.backward()
    (grad,) = torch.autograd.grad(plain_loss(batch, options, leaf), leaf)
    torch.testing.assert_close(batch["logits"].grad.double(), grad[:, :-1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kernels", [FUSED, TORCH])
def test_values_in_dead_rows_do_not_matter(kernels: Any) -> None:
    results = []
    for garbage in (False, True):
        batch = make_batch(300, 3, 1)
        dead = ~batch["alive"]
        if garbage:
            for name in ("logits", "values", "actions", "old_logprobs", "advantages", "returns"):
                batch[name][dead] = math.nan
        grad = torch.empty(300, 7)
        stats = ppo_loss_grad(
            kernels, **batch, continuous_dims=3, clip=0.2, value_coef=0.5, entropy_coef=0.01, normalize_advantages=True,
            grad_logits=grad[:, :-1], grad_values=grad[:, -1],
        )  # fmt: skip
        results.append((stats, grad))
    assert results[0][0] == results[1][0]
    assert torch.equal(results[0][1], results[1][1])


@pytest.mark.parametrize("kernels", [FUSED, TORCH])
def test_clamped_log_deviations_get_no_gradient(kernels: Any) -> None:
    outputs = torch.tensor([[0.0, 25.0], [0.0, -25.0], [0.0, 1.0]])
    grad, values = torch.empty(3, 2), torch.zeros(3)
    ppo_loss_grad(
        kernels, outputs, values, actions=torch.zeros(3, 1), old_logprobs=torch.zeros(3), advantages=torch.ones(3),
        returns=values, continuous_dims=1, clip=100.0, value_coef=0.5, entropy_coef=0.1, grad_logits=grad,
        grad_values=torch.empty(3),
    )  # fmt: skip
    assert torch.isfinite(grad).all()
    assert grad[0, 1] == 0.0 and grad[1, 1] == 0.0 and grad[2, 1] != 0.0


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"actions": torch.zeros(4, 2, dtype=torch.int32)}, TypeError, "actions must be float32"),
        ({"actions": torch.zeros(4)}, ValueError, "actions must have shape"),
        ({"logits": torch.zeros(4, 2)}, ValueError, r"logits must have shape \(4, 4\)"),
        ({"action_counts": [2, 2]}, ValueError, "one of action_counts and continuous_dims"),
        ({"grad_logits": torch.zeros(4, 5)}, ValueError, "grad_logits must have shape"),
        ({"returns": None}, TypeError, "returns"),
        ({"clip": 0.0}, ValueError, "clip"),
    ],
)
def test_the_loss_refuses_invalid_arguments(changes: dict[str, Any], error: Any, text: str) -> None:
    columns = {name: torch.zeros(4) for name in ("values", "old_logprobs", "advantages", "returns")}
    call: dict[str, Any] = {
        **columns, "logits": torch.zeros(4, 4), "actions": torch.zeros(4, 2), "continuous_dims": 2, "clip": 0.2,
        "value_coef": 0.5, "entropy_coef": 0.01, "grad_logits": torch.zeros(4, 4), "grad_values": torch.zeros(4),
    }  # fmt: skip
    with pytest.raises(error, match=text):
        ppo_loss_grad(private, **(call | changes))
