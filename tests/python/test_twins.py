"""`pufferc.ops` and `pufferc.reference` are twins with equal samples, losses, gradients and advantages."""

from __future__ import annotations

from typing import Any

import pytest

from losses import ppo_loss_grad
from masks import are_legal, random_legal, words_of
from pufferc import ops

torch = pytest.importorskip("torch")

from pufferc.kernels import reference  # noqa: E402
from pufferc.kernels.backend import FUSED, TORCH  # noqa: E402

CPU = torch.device("cpu")


@pytest.mark.parametrize("counts", [[3], [2, 5, 1]])
@pytest.mark.parametrize("greedy", [False, True])
def test_sampling_twins_draw_the_same(counts: list[int], greedy: bool) -> None:
    logits = torch.randn(5000, sum(counts) + 1, generator=torch.Generator().manual_seed(1))[:, :-1]
    entropies = [torch.empty(5000), torch.empty(5000)]
    results = [
        kernels.sample_actions(logits, counts, seed=2**63 + 5, step=9, first_row=17, greedy=greedy, entropy=entropy)
        for kernels, entropy in zip((FUSED, TORCH), entropies, strict=True)
    ]
    (a, logp), (b, logp_twin) = results
    assert a.shape == b.shape and a.dtype == b.dtype == torch.int32
    same = (a == b).view(5000, -1).all(1)
    assert same.float().mean() > 0.999  # a difference of one bit in exp can move a boundary
    torch.testing.assert_close(logp[same], logp_twin[same], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(entropies[0], entropies[1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("counts", [[3], [3, 34], [40, 1, 60]])
@pytest.mark.parametrize("greedy", [False, True])
def test_masked_sampling_twins_draw_the_same(counts: list[int], greedy: bool) -> None:
    logits = 3.0 * torch.randn(5000, sum(counts), generator=torch.Generator().manual_seed(1))
    legal = random_legal(5000, counts, seed=2)
    logits[~torch.from_numpy(legal)] *= 1e20  # large logits of illegal choices must have no effect
    mask = words_of(torch.from_numpy(legal))
    results = []
    for kernels, words in ((FUSED, mask), (TORCH, mask), (TORCH, mask.view(torch.uint32))):
        entropy = torch.empty(5000)
        drawn = kernels.sample_actions(logits, counts, mask=words, seed=5, step=9, greedy=greedy, entropy=entropy)
        assert are_legal(legal, drawn[0], counts)
        results.append((*drawn, entropy))
    for actions, logprobs, entropy in results[1:]:
        same = (actions == results[0][0]).view(5000, -1).all(1)
        assert same.float().mean() > 0.999
        torch.testing.assert_close(logprobs[same], results[0][1][same], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(entropy, results[0][2], atol=1e-5, rtol=1e-4)
        forced = torch.from_numpy(legal.sum(1) == len(counts))
        assert (logprobs[forced] == 0.0).all() and (entropy[forced] == 0.0).all()


def test_the_reference_draws_the_last_legal_choice_where_rounding_leaves_none() -> None:
    legal = torch.tensor([[False, True, True, False, False]])
    head = torch.where(legal, torch.tensor([0.0, -1.0, 0.0, 3.0, 3.0]), -torch.inf)
    assert reference._inverted(head, torch.tensor([1.0]), legal).item() == 2
    assert reference._inverted(head, torch.tensor([0.0]), legal).item() == 1


@pytest.mark.parametrize("kernels", [FUSED, TORCH])
def test_both_twins_refuse_rows_without_a_legal_choice(kernels: Any) -> None:
    mask = torch.tensor([[31], [31 ^ 24]], dtype=torch.int32)
    with pytest.raises(FloatingPointError, match="no choice that can be drawn"):
        kernels.sample_actions(torch.zeros(2, 5), [3, 2], mask=mask, seed=0, step=0)


@pytest.mark.parametrize("value_clip", [0.0, 0.2])
@pytest.mark.parametrize("some_dead", [False, True])
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_loss_twins_agree(value_clip: float, some_dead: bool, normalize: bool, masked: bool) -> None:
    generator = torch.Generator().manual_seed(4)
    counts, rows = [3, 2], 700
    outputs = torch.randn(rows, 6, generator=generator)
    columns = [torch.randn(rows, generator=generator) for _ in range(4)]
    actions = torch.stack([torch.randint(0, n, (rows,), generator=generator) for n in counts], 1).int()
    alive = torch.rand(rows, generator=generator) < 0.7 if some_dead else None
    mask = None
    if masked:
        legal = torch.from_numpy(random_legal(rows, counts, seed=6))
        legal.scatter_(1, actions.long() + torch.tensor([0, 3]), True)
        if alive is not None:
            legal[~alive] = False
        mask = words_of(legal)
    results = []
    for kernels in (FUSED, TORCH):
        grad, ratio = torch.full((rows, 6), 7.0), torch.full((rows,), 7.0)
        stats = ppo_loss_grad(
            kernels, outputs[:, :5], outputs[:, 5], actions=actions, old_logprobs=columns[0] - 2.0,
            advantages=columns[1], returns=columns[2], action_counts=counts, clip=0.2, value_coef=0.7,
            entropy_coef=0.01, value_clip=value_clip, normalize_advantages=normalize, old_values=columns[3],
            alive=alive, mask=mask, ratio=ratio, grad_logits=grad[:, :5], grad_values=grad[:, 5],
        )  # fmt: skip
        results.append((torch.tensor(stats, dtype=torch.float64), grad, ratio))
    for ours, twin in zip(*results, strict=True):
        torch.testing.assert_close(ours, twin, atol=2e-5, rtol=2e-4)


def test_advantage_twins_agree() -> None:
    generator = torch.Generator().manual_seed(5)
    rewards, ratio = torch.randn(33, 21, generator=generator), torch.rand(33, 21, generator=generator) * 2
    values, final = torch.randn(34, 21, generator=generator), torch.randn(33, 21, generator=generator)
    ended = [torch.rand(33, 21, generator=generator) < 0.1 for _ in range(2)]
    for options in ({}, {"ratio": ratio, "rho_clip": 0.9, "c_clip": 0.8}):
        ours, twin = (
            kernels.advantage(rewards, values, *ended, final, gamma=0.97, gae_lambda=0.9, **options)
            for kernels in (FUSED, TORCH)
        )
        torch.testing.assert_close(ours, twin, atol=1e-5, rtol=1e-4)


def test_uniform_numbers_match_the_kernel() -> None:
    # With two equally likely choices the kernel takes the second one exactly if u >= 1/2.
    actions, _ = ops.sample_actions(torch.zeros(4000, 2), [2], seed=12, step=34)
    u = reference.uniforms(12, 34, 4000, 1, device=CPU)[:, 0]
    assert torch.equal(actions == 1, u >= 0.5)
    assert u.min() > 0.0 and u.max() < 1.0
