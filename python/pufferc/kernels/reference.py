"""Plain torch versions of the training kernels, with the same signatures, for any device.

The fused kernels are tested against them, GPUs use them, and --train.kernels torch selects them for comparison. Shapes
as in `pufferc.ops`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from pufferc.kernels.private import Minibatch, PpoSettings, PpoStats

_GOLDEN = 0x9E3779B97F4A7C15


def _signed(value: int) -> int:
    """`value` modulo 2^64 as a signed integer, because torch lacks uint64 arithmetic."""
    value &= 2**64 - 1
    return value - 2**64 if value >= 2**63 else value


def _shift_right(x: Tensor, bits: int) -> Tensor:
    """Logical shift of int64."""
    return torch.bitwise_and(x >> bits, 2 ** (64 - bits) - 1)


def _hash64(x: Tensor) -> Tensor:
    """SplitMix64's output function (Steele, Lea, Flood 2014) modulo 2^64, as in csrc/include/pufferc/rng.h."""
    x = x + _signed(_GOLDEN)
    x = (x ^ _shift_right(x, 30)) * _signed(0xBF58476D1CE4E5B9)
    x = (x ^ _shift_right(x, 27)) * _signed(0x94D049BB133111EB)
    return x ^ _shift_right(x, 31)


Number = int | Tensor
"""An integer, or an int64 tensor on the device, which a CUDA graph reads at each replay."""


def _random_bits(seed: int, step: Number, rows: int, dims: int, first_row: Number, device: torch.device) -> Tensor:
    """int64 [rows, dims]: the random bits of the draw (seed, step); see csrc/kernels/uniform.h.

    `first_row` may also be a tensor of row numbers, int64 [rows].
    """
    mixed = step * _signed(0xD1342543DE82EF95) if isinstance(step, Tensor) else _signed(step * 0xD1342543DE82EF95)
    key = _hash64(_hash64(torch.full((), _signed(seed), dtype=torch.int64, device=device)) ^ mixed)
    row = first_row if isinstance(first_row, Tensor) else torch.arange(first_row, first_row + rows, device=device)
    counter = row.unsqueeze(1) * 8 + torch.arange(dims, device=device)
    return _hash64(key + counter * _signed(_GOLDEN))


def _uniform_of(bits: Tensor, shift: int) -> Tensor:
    """float32 in (0, 1) from the 23 bits that start at `shift`."""
    return (torch.bitwise_and(_shift_right(bits, shift), 2**23 - 1).to(torch.float32) + 0.5) * 2.0**-23


def uniforms(seed: int, step: Number, rows: int, dims: int, *, first_row: Number = 0, device: torch.device) -> Tensor:
    """float32 [rows, dims]: the uniform numbers in (0, 1) for discrete actions of the draw (seed, step)."""
    return _uniform_of(_random_bits(seed, step, rows, dims, first_row, device), 41)


def normals(seed: int, step: Number, rows: int, dims: int, *, first_row: Number = 0, device: torch.device) -> Tensor:
    """float32 [rows, dims]: the normal numbers for continuous actions of the draw (seed, step); see gaussian.h."""
    bits = _random_bits(seed, step, rows, dims, first_row, device)
    radius = (-2.0 * _uniform_of(bits, 41).log()).sqrt()
    return radius * (2.0 * math.pi * _uniform_of(bits, 18)).cos()


def legal_choices(mask: Tensor, choices: int) -> Tensor:
    """Bool [..., K] from mask words uint32 or int32 [..., W]; see `pufferc.ops`."""
    bits = torch.arange(32, dtype=torch.int32, device=mask.device)
    return ((mask.view(torch.int32).unsqueeze(-1) >> bits) & 1).bool().flatten(-2)[..., :choices]


def _masked(logits: Tensor, legal: Tensor | None) -> Tensor:
    """Logits with minus infinity for illegal choices."""
    return logits if legal is None else torch.where(legal, logits, -math.inf)


def sample_actions(
    logits: Tensor,
    action_counts: Sequence[int] = (),
    *,
    continuous_dims: int = 0,
    mask: Tensor | None = None,
    seed: int,
    step: Number,
    first_row: Number = 0,
    greedy: bool = False,
    actions: Tensor | None = None,
    logprobs: Tensor | None = None,
    entropy: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Twin of `pufferc.ops.sample_actions`: the same actions from the same random numbers."""
    kind: dict[str, Any] = {"action_counts": action_counts, "continuous_dims": continuous_dims, "mask": mask}
    if not drawable(logits, **kind):
        raise FloatingPointError("logits: rows hold NaN, infinity or no choice that can be drawn")
    numbers: dict[str, Any] = {"seed": seed, "step": step, "first_row": first_row}
    into: dict[str, Any] = {"actions": actions, "logprobs": logprobs, "entropy": entropy}
    return draw_actions(logits, greedy=greedy, **kind, **numbers, **into)


def drawable(
    logits: Tensor, action_counts: Sequence[int] = (), *, continuous_dims: int = 0, mask: Tensor | None = None
) -> Tensor:
    """Bool [], whether actions can be drawn in all rows."""
    if continuous_dims:
        return torch.isfinite(logits).all()
    logits = _masked(logits, None if mask is None else legal_choices(mask, logits.shape[-1]))
    heads = torch.split(logits, list(action_counts), dim=-1)
    return torch.isfinite(torch.stack([head.logsumexp(-1) for head in heads])).all()


def draw_actions(
    logits: Tensor,
    action_counts: Sequence[int] = (),
    *,
    continuous_dims: int = 0,
    mask: Tensor | None = None,
    seed: int,
    step: Number,
    first_row: Number = 0,
    greedy: bool = False,
    actions: Tensor | None = None,
    logprobs: Tensor | None = None,
    entropy: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """`sample_actions` without its NaN check, which would wait for the device. Actions of NaN rows are arbitrary."""
    rows, dims = logits.shape[0], continuous_dims or len(action_counts)
    if continuous_dims:
        mean, log_std = _gaussian(logits, continuous_dims)
        numbers = normals(seed, step, rows, dims, first_row=first_row, device=logits.device)
        drawn = mean.clone() if greedy else mean + log_std.exp() * numbers
    else:
        u = uniforms(seed, step, rows, dims, first_row=first_row, device=logits.device)
        legal = None if mask is None else legal_choices(mask, logits.shape[-1])
        logits, counts = _masked(logits, legal), list(action_counts)
        parts = [None] * dims if legal is None else torch.split(legal, counts, dim=-1)
        heads = zip(torch.split(logits, counts, dim=-1), parts, strict=True)
        choices = [
            head.argmax(-1) if greedy else _inverted(head, u[:, d], part) for d, (head, part) in enumerate(heads)
        ]
        drawn = torch.stack(choices, dim=-1).to(torch.int32)
    total, spread = _logprob_entropy(logits, drawn, action_counts, continuous_dims)
    chosen = drawn[:, 0] if dims == 1 and not continuous_dims else drawn
    actions = chosen if actions is None else actions.copy_(chosen)
    logprobs = total if logprobs is None else logprobs.copy_(total)
    if entropy is not None:
        entropy.copy_(spread)
    return actions, logprobs


def _inverted(head: Tensor, u: Tensor, legal: Tensor | None) -> Tensor:
    """The choices of one head [N, K] by inverse transform sampling with uniform numbers u [N]."""
    cumulative = (head - head.amax(-1, keepdim=True)).exp().cumsum(-1)
    threshold = u.unsqueeze(-1) * cumulative[:, -1:]
    if legal is None:
        return (threshold >= cumulative[:, :-1]).sum(-1)
    # On a GPU, cumsum adds in a different order, so rounding can select an illegal choice that adds nothing.
    selected = legal & (threshold < cumulative)
    last = head.shape[-1] - 1 - legal.flip(-1).int().argmax(-1)
    return torch.where(selected.any(-1), selected.int().argmax(-1), last)


def advantage(
    rewards: Tensor,
    values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    final_values: Tensor | None = None,
    *,
    gamma: float,
    gae_lambda: float,
    ratio: Tensor | None = None,
    rho_clip: float = 1.0,
    c_clip: float = 1.0,
    out: Tensor | None = None,
) -> Tensor:
    """Torch version of `pufferc.ops.advantage`: the recurrence, one step of all rows at a time."""
    result = torch.empty_like(rewards) if out is None else out
    final = values[1:] if final_values is None else final_values
    following = torch.zeros_like(rewards[0])
    for t in reversed(range(rewards.shape[0])):
        ended = terminated[t].bool() | truncated[t].bool()
        next_value = torch.where(truncated[t].bool(), final[t], values[t + 1])
        next_value = torch.where(terminated[t].bool(), torch.zeros_like(next_value), next_value)
        rho = 1.0 if ratio is None else ratio[t].clamp(max=rho_clip)
        c = 1.0 if ratio is None else ratio[t].clamp(max=c_clip)
        delta = rho * (rewards[t] + gamma * next_value - values[t])
        following = delta + gamma * gae_lambda * c * torch.where(ended, torch.zeros_like(following), following)
        result[t] = following
    return result


def ppo_loss_grad(
    logits: Tensor, values: Tensor, minibatch: Minibatch, settings: PpoSettings, **gradients: Any
) -> PpoStats:
    """Torch version of `private.ppo_loss_grad`, by autograd."""
    *means, rows = ppo_loss_grad_on_device(logits, values, minibatch, settings, **gradients).tolist()
    return PpoStats._make([*means, int(rows)])


def ppo_loss_grad_on_device(
    logits: Tensor,
    values: Tensor,
    minibatch: Minibatch,
    settings: PpoSettings,
    *,
    grad_logits: Tensor,
    grad_values: Tensor,
    ratio: Tensor | None = None,
) -> Tensor:
    """`ppo_loss_grad` that does not wait for the device: it returns the statistics as a tensor [8]."""
    stats, *gradients, r = ppo_loss_tensors(logits, values, minibatch, settings)
    grad_logits.copy_(gradients[0])
    grad_values.copy_(gradients[1])
    if ratio is not None:
        ratio.copy_(r)
    return stats


def ppo_loss_tensors(
    logits: Tensor, values: Tensor, minibatch: Minibatch, settings: PpoSettings
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Statistics float32 [8] in the order of PpoStats, gradients of logits and values, and ratios, all on the device.

    No shape depends on data and nothing waits for the device, so a CUDA graph can capture it.
    """
    b, clip = minibatch, settings.clip
    acts = None if b.alive is None else b.alive.bool()

    def acting(x: Tensor) -> Tensor:
        """`x` with zeros in dead rows, which may hold NaN."""
        return x if acts is None else torch.where(acts.view(-1, *[1] * (x.ndim - 1)), x, torch.zeros_like(x))

    def mean(x: Tensor) -> Tensor:
        return x.mean() if acts is None else acting(x).sum() / acts.sum().clamp(min=1)

    with torch.enable_grad():
        z, v = acting(logits.detach()).requires_grad_(), acting(values.detach()).requires_grad_()
        legal = None if b.mask is None else legal_choices(b.mask, z.shape[-1])
        if legal is not None and acts is not None:
            legal = legal | ~acts.unsqueeze(-1)
        drawn = acting(b.actions.view(b.actions.shape[0], -1))
        logp, entropy = _logprob_entropy(_masked(z, legal), drawn, b.action_counts, b.continuous_dims)
        a = acting(b.advantages)
        if settings.normalize_advantages and a.numel() > 1:
            centre = mean(a)
            std = a.std() if acts is None else _std_where(a - centre, acts)
            a = torch.where(std > 0.0, (a - centre) / (std + 1e-8), a)
        log_ratio = logp - acting(b.old_logprobs)
        r = log_ratio.exp()
        policy_loss = mean(torch.maximum(-a * r, -a * r.clamp(1.0 - clip, 1.0 + clip)))
        old_values = None if b.old_values is None else acting(b.old_values)
        errors = _value_errors(v, acting(b.returns), old_values, settings.value_clip)
        value_loss, bonus = 0.5 * mean(errors), mean(entropy)
        loss = policy_loss + settings.value_coef * value_loss - settings.entropy_coef * bonus
        grad_z, grad_v = torch.autograd.grad(loss, (z, v))
    log_ratio, r = log_ratio.detach(), r.detach()
    clipped = mean(((r - 1.0).abs() > clip).float())
    rows = torch.full_like(clipped, values.shape[0]) if acts is None else acts.sum().to(clipped.dtype)
    means = (loss, policy_loss, value_loss, bonus, mean(r - 1.0 - log_ratio), mean(-log_ratio), clipped, rows)
    ratio = r if acts is None else torch.where(acts, r, torch.ones_like(r))
    return torch.stack([value.detach() for value in means]), grad_z, grad_v, ratio


def _std_where(deviations: Tensor, acts: Tensor) -> Tensor:
    """Sample standard deviation of the entries where `acts` is True, 0 for fewer than two."""
    squares = torch.where(acts, deviations, torch.zeros_like(deviations)).square().sum()
    return (squares / (acts.sum() - 1).clamp(min=1)).sqrt()


def _logprob_entropy(
    logits: Tensor, actions: Tensor, action_counts: Sequence[int], continuous_dims: int
) -> tuple[Tensor, Tensor]:
    """Log-probability of actions [B, D] and entropy in nats, both [B] and summed over dimensions."""
    if continuous_dims:
        mean, log_std = _gaussian(logits, continuous_dims)
        z = ((actions - mean) * (-log_std).exp()).clamp(-1e9, 1e9)
        half_log = 0.5 * math.log(2.0 * math.pi)
        return (-0.5 * z.square() - log_std - half_log).sum(-1), (log_std + half_log + 0.5).sum(-1)
    total, entropy = logits.new_zeros(logits.shape[0]), logits.new_zeros(logits.shape[0])
    for d, head in enumerate(torch.split(logits, list(action_counts), dim=-1)):
        logp = head.log_softmax(-1)
        logp = torch.where(torch.isneginf(logp), -1e4, logp)  # excluded choices: 0 log 0 = 0
        total = total + logp.gather(-1, actions[:, d : d + 1].long()).squeeze(-1)
        entropy = entropy - (logp.exp() * logp).sum(-1)
    return total, entropy


def _gaussian(outputs: Tensor, dims: int) -> tuple[Tensor, Tensor]:
    """Means and log standard deviations [B, D] within the limits of gaussian.h; NaN where one is infinite."""
    outputs = torch.where(torch.isinf(outputs), math.nan, outputs)
    return outputs[:, :dims], outputs[:, dims:].clamp(-20.0, 20.0)


def _value_errors(values: Tensor, returns: Tensor, old_values: Tensor | None, value_clip: float) -> Tensor:
    loss = (values - returns).square()
    if value_clip > 0.0 and old_values is not None:
        clipped = old_values + (values - old_values).clamp(-value_clip, value_clip)
        loss = torch.maximum(loss, (clipped - returns).square())
    return loss


def restarting(starts: Tensor | None, steps: int) -> list[Tensor | None]:
    """For each step of starts [T, M], the rows that begin an episode, bool [M, 1], or None for no rows."""
    if starts is None:
        return [None] * steps
    masks = starts.bool().unsqueeze(-1)
    if starts.device.type != "cpu":
        return list(masks.unbind())  # testing which are empty would wait for the device
    return [mask if some else None for mask, some in zip(masks.unbind(), starts.any(-1).tolist(), strict=True)]


class _MinGRUScan(torch.autograd.Function):
    """`mingru_scan` with an explicit backward recurrence: an autograd graph of T steps costs several times as much.

    All work on a step is done while its data is in the cache.
    """

    @staticmethod
    def forward(ctx: Any, pre: Tensor, h0: Tensor, starts: Tensor | None) -> Tensor:
        restarts, before = restarting(starts, pre.shape[0]), h0
        z, h = pre.new_empty(pre.shape[0], *h0.shape), pre.new_empty(pre.shape[0], *h0.shape)
        for t, mask in enumerate(restarts):
            if mask is not None:
                before = before.masked_fill(mask, 0.0)
            gate, candidate = pre[t].chunk(2, -1)
            before = torch.lerp(before, candidate, z[t].copy_(gate).sigmoid_(), out=h[t])
        ctx.save_for_backward(pre, z, h0, h)
        ctx.restarts = restarts
        return h

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_h: Tensor) -> tuple[Tensor, Tensor, None]:
        pre, z, h0, h = ctx.saved_tensors
        grad_pre, carried = torch.empty_like(pre), torch.zeros_like(h0)
        for t in range(pre.shape[0] - 1, -1, -1):
            mask, before = ctx.restarts[t], h[t - 1] if t else h0
            if mask is not None:
                before = before.masked_fill(mask, 0.0)
            grad_gate, grad_candidate = grad_pre[t].chunk(2, -1)
            grad = carried + grad_h[t]
            torch.mul(grad, z[t], out=grad_candidate)
            carried = grad - grad_candidate  # grad (1 - z)
            torch.sub(pre[t].chunk(2, -1)[1], before, out=grad_gate).mul_(z[t]).mul_(carried)
            if mask is not None:
                carried.masked_fill_(mask, 0.0)
        return grad_pre, carried, None


def mingru_scan(pre: Tensor, h0: Tensor, starts: Tensor | None = None) -> Tensor:
    """The states of a minimal gated recurrent unit (Feng et al. 2024), h[t] = (1 - z) h[t - 1] + z c.

    Args:
        pre: [T, M, 2 H]: the gates before their sigmoid, u with z = sigmoid(u), then the candidates c.
        h0: [M, H], the state before step 0.
        starts: [T, M], nonzero where an episode begins: h[t - 1] is 0 there. None = nowhere.

    Returns:
        h [T, M, H], differentiable with respect to pre and h0.
    """
    h: Tensor = _MinGRUScan.apply(pre, h0, starts)  # type: ignore[no-untyped-call]
    return h
