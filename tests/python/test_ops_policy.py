"""ops.sample_actions and ops.ppo_loss match plain torch and NumPy, and refuse invalid arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from losses import ppo_loss_grad
from masks import are_legal, random_legal, words_of
from pufferc import ops
from pufferc.kernels import private

torch = pytest.importorskip("torch")


# ---- sampling ----------------------------------------------------------------------------------------


def test_frequencies_follow_the_probabilities() -> None:
    logits = np.tile(np.array([0.0, 1.0, -1.0, -np.inf, 0.5, 0.5], np.float32), (40_000, 1))
    actions, logprobs = ops.sample_actions(logits, [4, 2], seed=3, step=1)
    assert actions.shape == (40_000, 2) and actions.dtype == np.int32
    weights = np.exp([0.0, 1.0, -1.0, -np.inf])
    probabilities = weights / weights.sum()
    counts = np.bincount(actions[:, 0], minlength=4) / len(actions)
    np.testing.assert_allclose(counts, probabilities, atol=0.01)
    assert counts[3] == 0
    np.testing.assert_allclose(actions[:, 1].mean(), 0.5, atol=0.01)
    np.testing.assert_allclose(logprobs, np.log(probabilities[actions[:, 0]]) + np.log(0.5), atol=1e-5)


def test_a_sample_depends_only_on_seed_step_and_row() -> None:
    logits = np.random.default_rng(0).normal(size=(9000, 5)).astype(np.float32)
    whole, _ = ops.sample_actions(logits, [5], seed=1, step=2)
    part, _ = ops.sample_actions(logits[4000:], [5], seed=1, step=2, first_row=4000)
    np.testing.assert_array_equal(whole[4000:], part)
    assert whole.shape == (9000,)
    for other in ({"seed": 2, "step": 2}, {"seed": 1, "step": 3}):
        assert not np.array_equal(ops.sample_actions(logits, [5], **other)[0], whole)


def test_greedy_entropy_and_columns_of_a_wider_matrix() -> None:
    outputs = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
    logits = outputs[:, :3]
    entropy = torch.empty(300)
    actions, logprobs = ops.sample_actions(logits, [3], seed=0, step=0, greedy=True, entropy=entropy)
    assert isinstance(actions, torch.Tensor) and torch.equal(actions.long(), logits.argmax(1))
    expected = torch.distributions.Categorical(logits=logits)
    torch.testing.assert_close(logprobs, expected.log_prob(actions))
    torch.testing.assert_close(entropy, expected.entropy())
    given = torch.empty(300, dtype=torch.int32), torch.empty(300)
    out = ops.sample_actions(logits, [3], seed=0, step=0, actions=given[0], logprobs=given[1])
    assert out[0] is given[0] and out[1] is given[1]


MASKED_COUNTS = [[3], [3, 34], [32, 32, 1], [2, 2, 3, 3, 4, 4, 5, 128], [8192]]


@pytest.mark.parametrize("counts", MASKED_COUNTS, ids=str)
@pytest.mark.parametrize("greedy", [False, True])
def test_masked_draws_are_legal_and_have_the_probabilities_of_legal_choices(counts: list[int], greedy: bool) -> None:
    rows = 20_000 if sum(counts) < 100 else 1000 if sum(counts) < 1000 else 50
    legal = random_legal(rows, counts, seed=rows)
    logits = np.random.default_rng(1).normal(size=(rows, sum(counts)), scale=3.0).astype(np.float32)
    entropy = np.empty(rows, np.float32)
    for mask in (words_of(legal), words_of(legal).view(np.int32)):
        actions, logprobs = ops.sample_actions(
            logits, counts, mask=mask, seed=1, step=2, greedy=greedy, entropy=entropy
        )
        assert are_legal(legal, actions, counts)
    masked = torch.from_numpy(np.where(legal, logits, -np.inf).astype(np.float64)).split(counts, 1)
    heads = [torch.distributions.Categorical(logits=head) for head in masked]
    chosen = torch.from_numpy(actions.reshape(rows, -1)).T
    expected = sum(head.log_prob(a) for head, a in zip(heads, chosen, strict=True))
    torch.testing.assert_close(torch.from_numpy(logprobs).double(), expected, rtol=1e-5, atol=2e-5)
    probabilities = [head.probs for head in heads]
    spread = sum(-(p * p.clamp(min=1e-300).log()).sum(1) for p in probabilities)
    torch.testing.assert_close(torch.from_numpy(entropy).double(), spread, rtol=1e-5, atol=2e-5)
    forced = legal.sum(1) == len(counts)
    assert forced.any() and (logprobs[forced] == 0.0).all() and (entropy[forced] == 0.0).all()
    if greedy:
        for head, a in zip(masked, chosen, strict=True):
            assert torch.equal(head.argmax(1), a.long())


def test_masked_frequencies_match_the_legal_choices() -> None:
    rows, counts = 60_000, [40]
    legal = np.zeros((rows, 40), np.bool_)
    legal[:, [0, 31, 32, 39]] = True
    logits = np.tile(np.linspace(-1.0, 1.0, 40, dtype=np.float32), (rows, 1))
    actions, _ = ops.sample_actions(logits, counts, mask=words_of(legal), seed=3, step=1)
    weights = np.exp(logits[0, [0, 31, 32, 39]])
    shares = np.bincount(actions, minlength=40)[[0, 31, 32, 39]] / rows
    np.testing.assert_allclose(shares, weights / weights.sum(), atol=0.01)


def test_full_masks_give_bit_identical_results() -> None:
    logits = np.random.default_rng(2).normal(size=(3000, 39)).astype(np.float32)
    results = []
    for mask in (None, np.full((3000, 2), 2**32 - 1, np.uint32)):
        entropy = np.empty(3000, np.float32)
        drawn = ops.sample_actions(logits, [3, 34, 2], mask=mask, seed=1, step=2, entropy=entropy)
        results.append((*drawn, entropy))
    for plain, full in zip(*results, strict=True):
        np.testing.assert_array_equal(plain, full)


def test_rows_without_a_legal_choice_are_counted() -> None:
    legal = np.ones((8, 5), np.bool_)
    legal[2, 3:] = False
    legal[4, :2] = False
    logits = np.zeros((8, 5), np.float32)
    logits[4, :2] = np.nan  # logits of illegal choices
    actions = np.full((8, 2), 7, np.int32)
    with pytest.raises(FloatingPointError, match="1 of 8 rows"):
        ops.sample_actions(logits, [3, 2], mask=words_of(legal), seed=0, step=0, actions=actions)
    assert actions[2].tolist() == [0, 0] and actions[4, 0] == 2


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_rows_with_invalid_logits_are_counted(bad: float) -> None:
    logits = np.zeros((8, 3), np.float32)
    logits[2, 1] = bad
    logits[5] = -np.inf
    with pytest.raises(FloatingPointError, match="2 of 8 rows"):
        ops.sample_actions(logits, [3], seed=0, step=0)


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"logits": np.zeros((4, 3))}, TypeError, "logits must be float32, got float64"),
        ({"logits": np.zeros(3, np.float32)}, ValueError, "logits must have 2 dimensions"),
        ({"logits": np.zeros((4, 4), np.float32)}, ValueError, r"logits must have shape \(4, 3\), got \(4, 4\)"),
        ({"logits": np.zeros((0, 3), np.float32)}, ValueError, "rows"),
        ({"logits": np.zeros((3, 4), np.float32).T}, ValueError, "logits must be aligned, with neighbouring columns"),
        ({"logits": np.zeros((4, 3), np.float32)[::-1]}, ValueError, "ascending"),
        ({"logits": None}, TypeError, "logits must be a NumPy array"),
        ({"action_counts": []}, ValueError, "logits|action_counts"),
        ({"action_counts": [0, 3]}, ValueError, "action_counts must be in"),
        ({"action_counts": [8193]}, ValueError, "action_counts must be in"),
        ({"action_counts": [1.5]}, TypeError, "action_counts must be an integer"),
        ({"action_counts": [1] * 9, "logits": np.zeros((4, 9), np.float32)}, ValueError, "dim|action"),
        ({"seed": -1}, ValueError, "seed must be in"),
        ({"step": 2**64}, ValueError, "step must be in"),
        ({"first_row": 0.5}, TypeError, "first_row must be an integer"),
        ({"actions": np.zeros(4, np.int64)}, TypeError, "actions must be int32"),
        ({"actions": np.zeros((4, 1), np.int32)}, ValueError, "actions must have shape"),
        ({"logprobs": np.zeros(5, np.float32)}, ValueError, "logprobs must have shape"),
        ({"entropy": np.zeros(4)}, TypeError, "entropy must be float32"),
        ({"mask": np.ones((4, 3), np.bool_)}, TypeError, "mask must be uint32 or int32, got bool"),
        ({"mask": np.ones((4, 2), np.uint32)}, ValueError, r"mask must have shape \(4, 1\), got \(4, 2\)"),
        ({"mask": np.ones((8, 1), np.uint32)[::2]}, ValueError, "mask must be contiguous"),
        (
            {"action_counts": [], "continuous_dims": 1, "mask": np.ones((4, 1), np.uint32)},
            ValueError,
            "mask: expected None for continuous actions",
        ),
    ],
)
def test_sampling_refuses_invalid_arguments(changes: dict[str, Any], error: Any, text: str) -> None:
    call: dict[str, Any] = {"logits": np.zeros((4, 3), np.float32), "action_counts": [3], "seed": 0, "step": 0}
    with pytest.raises(error, match=text):
        ops.sample_actions(**(call | changes))


# ---- loss --------------------------------------------------------------------------------------------


def make_batch(rows: int, counts: list[int], seed: int = 0) -> dict[str, Any]:
    random = torch.Generator().manual_seed(seed)
    old = torch.randn(rows, sum(counts), generator=random)
    actions, old_logprobs = ops.sample_actions(old, counts, seed=seed, step=0)
    return {
        "logits": old + 0.3 * torch.randn(old.shape, generator=random),
        "values": torch.randn(rows, generator=random),
        "actions": actions,
        "old_logprobs": old_logprobs,
        "advantages": torch.randn(rows, generator=random),
        "returns": torch.randn(rows, generator=random),
        "old_values": torch.randn(rows, generator=random),
        "alive": torch.rand(rows, generator=random) < 0.8,
    }


def plain_loss(batch: dict[str, Any], options: dict[str, Any]) -> tuple[Any, Any]:
    """The loss in float64 torch, from its definition; (loss, ratio of the alive rows)."""
    alive = batch["alive"] if batch["alive"] is not None else torch.ones(len(batch["values"]), dtype=torch.bool)
    b = {name: x[alive].double() for name, x in batch.items() if name not in ("actions", "alive")}
    actions = batch["actions"][alive].long().reshape(len(b["values"]), -1)
    heads = [torch.distributions.Categorical(logits=h) for h in b["logits"].split(options["action_counts"], 1)]
    logprob = sum(head.log_prob(a) for head, a in zip(heads, actions.T, strict=True))
    entropy = sum(head.entropy() for head in heads)
    advantages = b["advantages"]
    if options["normalize_advantages"]:
        advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    ratio = (logprob - b["old_logprobs"]).exp()
    clip, value_clip = options["clip"], options["value_clip"]
    policy = torch.max(-advantages * ratio, -advantages * ratio.clamp(1 - clip, 1 + clip)).mean()
    value = (b["values"] - b["returns"]) ** 2 / 2
    if value_clip > 0:
        near = b["old_values"] + (b["values"] - b["old_values"]).clamp(-value_clip, value_clip)
        value = torch.max(value, (near - b["returns"]) ** 2 / 2)
    loss = policy + options["value_coef"] * value.mean() - options["entropy_coef"] * entropy.mean()
    return loss, ratio


@pytest.mark.parametrize("counts", [[3], [2], [5, 3, 2]])
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("value_clip", [0.0, 0.3])
@pytest.mark.parametrize("rows", [1000, 20_000])
def test_loss_and_gradient_agree_with_autograd(
    counts: list[int], normalize: bool, value_clip: float, rows: int
) -> None:
    batch = make_batch(rows, counts)
    options = {
        "action_counts": counts,
        "clip": 0.2,
        "value_coef": 0.7,
        "entropy_coef": 0.01,
        "value_clip": value_clip,
        "normalize_advantages": normalize,
    }
    leaf = torch.cat([batch["logits"], batch["values"][:, None]], 1).requires_grad_()
    choices = sum(counts)
    batch |= {"logits": leaf[:, :choices], "values": leaf[:, choices]}
    expected, ratio = plain_loss(batch, options)
    (expected * 3).backward()
    expected_grad, leaf.grad = leaf.grad.clone(), None
    given_ratio = torch.empty(rows)
    loss, stats = ops.ppo_loss(**batch, **options, ratio=given_ratio)
    (loss * 3).backward()
    assert loss.item() == pytest.approx(expected.item(), abs=1e-5)
    torch.testing.assert_close(leaf.grad, expected_grad, atol=1e-8, rtol=2e-3)
    torch.testing.assert_close(given_ratio[batch["alive"]], ratio.float(), rtol=1e-4, atol=1e-5)
    assert stats.rows == int(batch["alive"].sum())
    assert stats.clip_fraction == pytest.approx(((ratio - 1).abs() > 0.2).double().mean().item(), abs=2e-3)
    assert stats.old_approx_kl == pytest.approx(-ratio.log().mean().item(), abs=1e-5)


@pytest.mark.parametrize("counts", [[4], [3, 34], [40, 2]], ids=str)
def test_masked_loss_and_gradient_agree_with_autograd(counts: list[int]) -> None:
    rows = 4000
    batch, legal = make_batch(rows, counts), random_legal(rows, counts, seed=3)
    mask = words_of(torch.from_numpy(legal))
    old = torch.randn(rows, sum(counts), generator=torch.Generator().manual_seed(4))
    batch["actions"], batch["old_logprobs"] = ops.sample_actions(old, counts, mask=mask, seed=5, step=6)
    options: dict[str, Any] = {"action_counts": counts, "clip": 0.2, "value_coef": 0.7, "entropy_coef": 0.05}
    leaf = torch.cat([batch["logits"], batch["values"][:, None]], 1).requires_grad_()
    logits = torch.where(torch.from_numpy(legal), leaf[:, :-1], -1e30)
    plain = {**options, "value_clip": 0.0, "normalize_advantages": True}
    expected, ratio = plain_loss(batch | {"logits": logits, "values": leaf[:, -1]}, plain)
    expected.backward()
    expected_grad, leaf.grad = leaf.grad.clone(), None
    found_ratio = torch.empty(rows)
    batch |= {"logits": leaf[:, :-1], "values": leaf[:, -1]}
    loss, stats = ops.ppo_loss(**batch, **options, normalize_advantages=True, mask=mask, ratio=found_ratio)
    loss.backward()
    assert loss.item() == pytest.approx(expected.item(), abs=1e-5)
    assert stats.rows == int(batch["alive"].sum())
    torch.testing.assert_close(leaf.grad, expected_grad, atol=1e-8, rtol=2e-3)
    torch.testing.assert_close(found_ratio[batch["alive"]], ratio.float(), rtol=1e-4, atol=1e-5)
    forced = torch.from_numpy(legal.sum(1) == len(counts))
    assert (leaf.grad[:, :-1][~torch.from_numpy(legal)] == 0.0).all()
    assert (leaf.grad[forced, :-1] == 0.0).all() and (found_ratio[forced] == 1.0).all()
    assert (leaf.grad[forced & batch["alive"], -1] != 0.0).all()


def test_gradient_goes_into_columns_and_numpy_works() -> None:
    batch = make_batch(500, [4])
    options: dict[str, Any] = {"action_counts": [4], "clip": 0.2, "value_coef": 0.5, "entropy_coef": 0.0}
    grad = np.full((500, 6), 7.0, np.float32)
    arrays = {name: tensor.numpy() for name, tensor in batch.items()}
    stats = ppo_loss_grad(private, **arrays, **options, grad_logits=grad[:, :4], grad_values=grad[:, 4])
    assert (grad[:, 5] == 7.0).all() and (grad[~arrays["alive"], :5] == 0.0).all()
    leaf = batch["logits"].clone().requires_grad_()
    loss, same = ops.ppo_loss(**(batch | {"logits": leaf}), **options)
    loss.backward()
    assert same == stats
    np.testing.assert_array_equal(leaf.grad.numpy(), grad[:, :4])


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"logits": torch.zeros(4, 3).double()}, TypeError, "logits must be float32, got float64"),
        ({"values": torch.zeros(4, 1)}, ValueError, r"values must have shape \(4,\)"),
        ({"actions": torch.zeros(4, dtype=torch.int64)}, TypeError, "actions must be int32, got int64"),
        ({"actions": torch.full((4,), 3, dtype=torch.int32)}, ValueError, r"actions\[0\]: an action is not in"),
        ({"actions": torch.full((4,), -1, dtype=torch.int32)}, ValueError, r"actions\[0\]: an action is not in"),
        ({"old_logprobs": torch.zeros(5)}, ValueError, "old_logprobs must have shape"),
        ({"advantages": None}, TypeError, "advantages"),
        ({"returns": torch.zeros(8)[::2]}, ValueError, "returns must be contiguous"),
        ({"alive": torch.zeros(4)}, TypeError, "alive must be bool or uint8"),
        ({"value_clip": 0.2}, ValueError, "old_values"),
        ({"clip": 0.0}, ValueError, "clip"),
        ({"clip": float("nan")}, ValueError, "clip"),
        ({"value_coef": -1.0}, ValueError, "value_coef"),
        ({"entropy_coef": float("inf")}, ValueError, "entropy_coef"),
        ({"entropy_coef": "0.1"}, TypeError, "entropy_coef must be a number"),
        ({"action_counts": [2]}, ValueError, "logits must have shape"),
        ({"grad_logits": torch.zeros(4, 4)}, ValueError, "grad_logits must have shape"),
        ({"grad_values": torch.zeros(1).expand(4)}, ValueError, "grad_values"),
    ],
)
def test_the_loss_refuses_invalid_arguments(changes: dict[str, Any], error: Any, text: str) -> None:
    call: dict[str, Any] = {
        "logits": torch.zeros(4, 3),
        "values": torch.zeros(4),
        "actions": torch.zeros(4, dtype=torch.int32),
        "old_logprobs": torch.zeros(4),
        "advantages": torch.zeros(4),
        "returns": torch.zeros(4),
        "action_counts": [3],
        "clip": 0.2,
        "value_coef": 0.5,
        "entropy_coef": 0.01,
        "grad_logits": torch.zeros(4, 3),
        "grad_values": torch.zeros(4),
    }
    with pytest.raises(error, match=text):
        ppo_loss_grad(private, **(call | changes))


def test_the_loss_refuses_outputs_that_overlap_inputs() -> None:
    batch = make_batch(4, [3])
    options: dict[str, Any] = {"action_counts": [3], "clip": 0.2, "value_coef": 0.5, "entropy_coef": 0.0}
    with pytest.raises(ValueError, match="grad_logits is written to and must not overlap logits"):
        ppo_loss_grad(private, **batch, **options, grad_logits=batch["logits"], grad_values=torch.zeros(4))
    with pytest.raises(TypeError, match="logits must be a dense torch tensor"):
        ops.ppo_loss(**{name: x.numpy() for name, x in batch.items()}, **options)
