"""A fused minibatch pass gives bit-identical gradients to a forward pass, the loss and a backward pass."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

import pufferc
from masks import words_of
from pufferc import ops
from pufferc.config import Config, TrainConfig
from pufferc.kernels import private
from pufferc.kernels.backend import FUSED, TORCH

torch = pytest.importorskip("torch")

from pufferc.policies import make_policy  # noqa: E402
from pufferc.training import ppo  # noqa: E402
from pufferc.training.learners import FusedLearner, learner_class  # noqa: E402
from pufferc.training.optimizers import FusedMuon  # noqa: E402
from pufferc.training.rollout import Rollout  # noqa: E402

SIZE, HIDDEN = 21, 40
CPU = torch.device("cpu")
SETTINGS = {"clip": 0.2, "value_coef": 0.7, "entropy_coef": 0.03}


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = ops.get_num_threads()
    yield
    ops.set_num_threads(before)


def masks_with(actions: Any, counts: list[int], draw: Any) -> Any:
    """Random mask words int32 [B, W] in which the actions [B, D] are legal."""
    parts = []
    for d, count in enumerate(counts):
        legal = torch.rand(actions.shape[0], count, generator=draw) < 0.4
        parts.append(legal.scatter_(1, actions[:, d : d + 1].long(), True))
    return words_of(torch.cat(parts, 1))


def take_rows(settings: dict[str, Any]) -> dict[str, Any]:
    """Removes optional columns of a minibatch from the settings of a loss and returns them."""
    return {name: settings.pop(name) for name in ("old_values", "alive", "mask") if name in settings}


class Case:
    """A network with two hidden layers, and a minibatch with the action space of `counts` or `continuous`."""

    def __init__(self, rows: int, counts: list[int], continuous: int, bfloat16: bool, seed: int = 1) -> None:
        draw = torch.Generator().manual_seed(seed)
        self.outputs = 1 + (2 * continuous or sum(counts))
        self.kind: dict[str, Any] = {"continuous_dims": continuous} if continuous else {"action_counts": counts}
        widths = [SIZE, HIDDEN, HIDDEN, self.outputs]
        self.weights = [torch.randn(b, a, generator=draw) * 0.3 for a, b in pairwise(widths)]
        self.biases = [torch.randn(b, generator=draw) * 0.3 for b in widths[1:]]
        self.mlp = private.Mlp(widths, bfloat16=bfloat16)
        self.mlp.set_layers(self.weights, self.biases)
        self.x = torch.randn(rows, SIZE, generator=draw).to(torch.bfloat16 if bfloat16 else torch.float32)
        if continuous:
            self.actions = torch.randn(rows, continuous, generator=draw)
        else:
            columns = [torch.randint(0, count, (rows,), generator=draw) for count in counts]
            self.actions = (torch.stack(columns, 1) if len(counts) > 1 else columns[0]).to(torch.int32)
        self.logprobs = -torch.rand(rows, generator=draw) * 2.0
        self.advantages, self.returns = (torch.randn(rows, generator=draw) for _ in range(2))
        self.old_values = torch.randn(rows, generator=draw)
        self.alive = torch.rand(rows, generator=draw) < 0.8
        self.mask = None if continuous else masks_with(self.actions.view(rows, -1), counts, draw)

    def minibatch(self, rows: dict[str, Any]) -> private.Minibatch:
        columns = self.actions, self.logprobs, self.advantages, self.returns
        return private.Minibatch(*columns, **self.kind, **rows)

    def empty(self) -> tuple[Any, Any, list[Any], list[Any]]:
        rows = self.x.shape[0]
        outputs, grad = torch.zeros(rows, self.outputs), torch.zeros(rows, self.outputs)
        return outputs, grad, [torch.zeros_like(w) for w in self.weights], [torch.zeros_like(b) for b in self.biases]

    def by_parts(self, **settings: Any) -> tuple[list[Any], Any]:
        outputs, grad, weights, biases = self.empty()
        self.mlp.forward(self.x, outputs, keep=True)
        rows = take_rows(settings)
        stats = private.ppo_loss_grad(
            outputs[:, :-1],
            outputs[:, -1],
            self.minibatch(rows),
            private.PpoSettings(**settings),
            grad_logits=grad[:, :-1],
            grad_values=grad[:, -1],
        )
        self.mlp.backward(self.x, grad, weights, biases)
        return [outputs, grad, *weights, *biases], stats

    def at_once(self, **settings: Any) -> tuple[list[Any], Any]:
        outputs, grad, weights, biases = self.empty()
        rows = take_rows(settings)
        stats = self.mlp.learn(
            self.x,
            self.minibatch(rows),
            private.PpoSettings(**settings),
            outputs=outputs,
            grad_outputs=grad,
            grad_weights=weights,
            grad_biases=biases,
        )
        return [outputs, grad, *weights, *biases], stats


@pytest.mark.parametrize("bfloat16", [False, True])
@pytest.mark.parametrize(("counts", "continuous"), [([3], 0), ([2, 4, 3], 0), ([], 2)])
@pytest.mark.parametrize("rows", [1, 63, 700, 4099])
def test_fused_gradients_equal_the_three_calls(rows: int, counts: list[int], continuous: int, bfloat16: bool) -> None:
    case = Case(rows, counts, continuous, bfloat16)
    more: list[dict[str, Any]] = [
        {},
        {"normalize_advantages": True, "alive": case.alive},
        {"value_clip": 0.1, "old_values": case.old_values},
        {"mask": case.mask},
    ]
    for options in more:
        expected, expected_stats = case.by_parts(**SETTINGS, **options)
        for threads in (1, 3):
            ops.set_num_threads(threads)
            found, stats = case.at_once(**SETTINGS, **options)
            assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
            assert stats == pytest.approx(expected_stats, rel=1e-12, abs=1e-12)
            again, again_stats = case.at_once(**SETTINGS, **options)
            assert again_stats == stats and all(torch.equal(a, b) for a, b in zip(again, found, strict=True))


def test_accepts_the_maximum_number_of_choices() -> None:
    case = Case(33, [4000, 4192], 0, False)
    for options in ({}, {"mask": case.mask}):
        expected, expected_stats = case.by_parts(**SETTINGS, **options)
        found, stats = case.at_once(**SETTINGS, **options)
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
        assert stats == pytest.approx(expected_stats, rel=1e-12)
    assert 0.0 < stats.entropy < 2.0 * math.log(4192)
    with pytest.raises(ValueError, match=r"action_counts\[1\]: expected 1 to 4192 choices"):
        ops.sample_actions(torch.zeros(1, 8193), [4000, 4193], seed=0, step=0)


def test_a_fused_pass_discards_earlier_activations() -> None:
    case = Case(300, [3], 0, False)
    outputs, grad, weights, biases = case.empty()
    case.mlp.forward(case.x, outputs, keep=True)
    case.at_once(**SETTINGS)
    with pytest.raises(ValueError, match="rows"):
        case.mlp.backward(case.x, grad, weights, biases)


def test_nan_inputs_give_a_nan_loss() -> None:
    case = Case(300, [3], 0, True)
    case.x[17, 3] = float("nan")
    assert case.at_once(**SETTINGS)[1].loss != case.at_once(**SETTINGS)[1].loss


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"actions": torch.full((8,), 3, dtype=torch.int32)}, ValueError, r"actions\[0\]"),
        ({"actions": torch.zeros(8)}, TypeError, "actions"),
        ({"logprobs": torch.zeros(7)}, ValueError, "old_logprobs"),
        ({"x": torch.zeros(8, SIZE + 1)}, ValueError, "x must"),
        ({"x": torch.zeros(0, SIZE)}, ValueError, "x must have shape"),
        (
            {"actions": torch.zeros(8, 1, dtype=torch.int32)},
            ValueError,
            r"actions must have shape \(8,\), got \(8, 1\)",
        ),
        ({"kind": {"action_counts": [4]}}, ValueError, "this network has 4"),
        ({"kind": {"continuous_dims": 2}, "actions": torch.zeros(8, 2)}, ValueError, "this network has 4"),
        ({"kind": {}}, ValueError, "one of action_counts and continuous_dims"),
    ],
)
def test_refuses_invalid_arguments(change: dict[str, Any], error: type[Exception], message: str) -> None:
    case = Case(8, [3], 0, False)
    vars(case).update(change)
    with pytest.raises(error, match=message):
        case.at_once(**SETTINGS)


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        (torch.zeros(8, 1), TypeError, "mask must be uint32 or int32, got float32"),
        (torch.zeros(8, 2, dtype=torch.int32), ValueError, r"mask must have shape \(8, 1\), got \(8, 2\)"),
        (torch.zeros(8, dtype=torch.int32), ValueError, r"mask must have shape \(8, 1\)"),
        (torch.zeros(8, 1, dtype=torch.int32), ValueError, r"actions\[0\]: .* or is illegal by its mask"),
    ],
)
def test_refuses_masks_of_the_wrong_shape_or_type(mask: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Case(8, [3], 0, False).at_once(**SETTINGS, mask=mask)
    with pytest.raises(ValueError, match="mask: expected None for continuous actions"):
        Case(8, [], 1, False).at_once(**SETTINGS, mask=mask)


def test_refuses_numbers_out_of_range() -> None:
    case = Case(8, [3], 0, False)
    with pytest.raises(ValueError, match="clip"):
        case.at_once(**{**SETTINGS, "clip": 0.0})
    with pytest.raises(ValueError, match="old_values"):
        case.at_once(**SETTINGS, value_clip=0.1)


def learned(game: str, settings: TrainConfig, kind: type[ppo.Learner]) -> list[Any]:
    """Parameters after two updates."""
    env = pufferc.make(game, 64, num_threads=1, seed=1)
    policy = make_policy(Config(game), env.spaces, torch.bfloat16, CPU, seed=1, fused=True)
    optimizer = FusedMuon(policy.named_parameters(), bfloat16=True)
    rollout, generator = Rollout.make(env, policy, 16, CPU), torch.Generator().manual_seed(1)
    rollout.reset(env, policy, 1)
    learner = kind(policy, optimizer, rollout, FUSED, settings)
    assert learner_class(policy, FUSED) is FusedLearner and learner_class(policy, TORCH) is ppo.Learner
    for update in range(2):
        ppo.collect(env, policy, rollout, FUSED, seed=3, first_step=16 * update)
        ppo.advantages(rollout, FUSED, TrainConfig(gamma=0.98, gae_lambda=0.95))
        learner.optimise(0.02, generator)
    env.close()
    return [parameter.detach().clone() for parameter in policy.parameters()]


@pytest.mark.parametrize("game", ["breakout", "cartpole"])
def test_the_fused_learner_learns_the_same_weights_as_the_three_calls(game: str) -> None:
    settings = TrainConfig(minibatch_size=256, epochs=2)
    found, expected = (learned(game, settings, kind) for kind in (FusedLearner, ppo.Learner))
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
