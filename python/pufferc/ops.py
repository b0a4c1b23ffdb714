"""Kernels of training: advantages, drawing actions, the PPO loss with its gradient, networks and their optimizer.

Arrays are NumPy arrays or torch CPU tensors, used where they lie and never copied or cast; results are of the kind of
the first argument. Importing this module does not import torch. A call uses `get_num_threads()` threads.

Shapes: T steps, N agent rows, B rows of a minibatch, D action dimensions, K parameters of a row's distribution, called
its logits. Discrete actions (`action_counts`) have K = sum(action_counts) of them and are int32 [N] where D is 1, as
environments take them, else [N, D]. Continuous actions (`continuous_dims` = D) are drawn from Gaussians of independent
dimensions and are float32 [N, D]; K = 2 D, the D means and then the D logarithms of the standard deviations.

A mask says which discrete choices are legal: uint32 [N, W], or the same bits as int32, with W = ceil(K / 32). Bit
k % 32 of word k / 32 is choice k, dimensions side by side, as in `VecEnv.action_mask`. The logit of an illegal choice
counts as minus infinity: it is never drawn and gets gradient 0, and entropy is that of the legal choices. Where one
choice is legal in every dimension, the log-probability and the entropy are 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pufferc import _core, _errors
from pufferc._losses import Minibatch, PpoSettings, PpoStats, action_kind
from pufferc._networks import Lstm, MinGru, Mlp, Muon, Recurrent, Rollout
from pufferc._tensors import array_shape, check_tensor, empty_like, is_tensor

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "Lstm",
    "MinGru",
    "Minibatch",
    "Mlp",
    "Muon",
    "PpoSettings",
    "PpoStats",
    "Recurrent",
    "Rollout",
    "advantage",
    "codes_backward",
    "codes_forward",
    "get_num_threads",
    "mingru_scan",
    "ppo_loss",
    "ppo_loss_grad",
    "sample_actions",
    "set_num_threads",
]

_core.set_num_threads(min(_errors.available_cores(), _core.MAX_THREADS))


def get_num_threads() -> int:
    """Threads that a call uses, the caller's included. At first: the cores this process may run on."""
    return _core.get_num_threads()


def set_num_threads(num_threads: int) -> None:
    """Set the number of threads, 1 to 256. No result depends on it."""
    _core.set_num_threads(_errors.integer("num_threads", num_threads, 1, _core.MAX_THREADS))


def advantage(
    rewards: Any,
    values: Any,
    terminated: Any,
    truncated: Any,
    final_values: Any = None,
    *,
    gamma: float,
    gae_lambda: float,
    ratio: Any = None,
    rho_clip: float = 1.0,
    c_clip: float = 1.0,
    out: Any = None,
) -> Any:
    """Advantages of a rollout: generalised advantage estimation, with V-trace clipping where `ratio` is given.

    With v' = 0 where terminated, else final_values[t] where truncated, else values[t + 1]::

        delta = rho * (rewards[t] + gamma * v' - values[t])
        A[t]  = delta + gamma * gae_lambda * c * A[t + 1] * (1 - ended)
        rho   = min(ratio, rho_clip), c = min(ratio, c_clip); both 1 without ratio

    Args:
        rewards: float32 [T, N]; row t holds what the action of step t caused.
        values: float32 [T + 1, N].
        terminated: bool or uint8 [T, N]; wins where truncated is set as well.
        truncated: bool or uint8 [T, N].
        final_values: float32 [T, N], value of the last observation of truncated episodes; other entries are not
            used. None takes values[t + 1], which is right only without same-step autoreset.
        gamma: Discount per step, [0, 1].
        gae_lambda: [0, 1].
        ratio: float32 [T, N] >= 0, probability of the action now over that when it was taken.
        rho_clip: At least 0, infinity allowed.
        c_clip: Likewise.
        out: float32 [T, N] to write into; overlaps no input.

    Returns:
        float32 [T, N]: `out`, or a new array of the kind of `rewards`.

    Raises:
        TypeError, ValueError: Something does not fit; nothing was written.
    """
    numbers = (
        _errors.real("gamma", gamma, 0.0, 1.0),
        _errors.real("gae_lambda", gae_lambda, 0.0, 1.0),
        _errors.real("rho_clip", rho_clip, 0.0, math.inf),
        _errors.real("c_clip", c_clip, 0.0, math.inf),
    )
    shape = array_shape("rewards", rewards, 2)
    if is_tensor(rewards) and rewards.is_cuda:
        from pufferc import _gpu

        return _gpu.advantage(rewards, values, terminated, truncated, final_values, ratio, out, numbers)
    if out is None:
        out = empty_like(rewards, tuple(shape), np.float32)
    gamma, gae_lambda, rho_clip, c_clip = numbers
    _core.advantage(
        rewards, values, terminated, truncated, final_values, gamma, gae_lambda, ratio, rho_clip, c_clip, out
    )
    return out


def sample_actions(
    logits: Any,
    action_counts: Sequence[int] = (),
    *,
    continuous_dims: int = 0,
    mask: Any = None,
    seed: int,
    step: int,
    first_row: int = 0,
    greedy: bool = False,
    actions: Any = None,
    logprobs: Any = None,
    entropy: Any = None,
) -> tuple[Any, Any]:
    """Draw actions from a policy's logits.

    The random number behind a draw depends on (seed, step, row, dimension) alone: not on batch size, threads or
    earlier calls.

    Args:
        logits: float32 [N, K]; may be columns of a wider matrix. Discrete: the D heads side by side, -inf excludes a
            choice. Continuous: means, then log standard deviations, which beyond +-20 count as +-20.
        action_counts: Choices of each dimension, for discrete actions.
        continuous_dims: D, for continuous actions; they have no bounds.
        mask: Words of the legal choices [N, W]; None = all are legal.
        seed: Integer in [0, 2**64).
        step: Integer in [0, 2**64) that is not used twice with this seed.
        first_row: Number of row 0 in the draw, for a part of a batch.
        greedy: True takes the most probable action, the first of equals; of continuous ones the means.
        actions: int32 [N] (D = 1) or [N, D], or float32 [N, D], to write into; None makes a new one.
        logprobs: float32 [N] to write into, log-probability or density of the actions, summed over D; None makes a
            new one.
        entropy: float32 [N] to write into, nats; None computes none.

    Returns:
        actions and logprobs. No gradient flows through them.

    Raises:
        FloatingPointError: Rows hold NaN or infinity, or a dimension without a choice that can be drawn; they got
            action 0, or with a mask the first legal choice.
        TypeError, ValueError: Something does not fit; nothing was written.
    """
    rows = array_shape("logits", logits, 2)[0]
    counts, dims = action_kind(action_counts, continuous_dims)
    if dims and mask is not None:
        raise ValueError("mask: continuous actions have none, got an array")
    if actions is None:
        shape = (rows, dims) if dims else (rows,) if len(counts) == 1 else (rows, len(counts))
        actions = empty_like(logits, shape, np.float32 if dims else np.int32)
    if logprobs is None:
        logprobs = empty_like(logits, (rows,), np.float32)
    seed, step = _errors.seed("seed", seed), _errors.seed("step", step)
    first_row = _errors.seed("first_row", first_row)
    greedy = _errors.flag("greedy", greedy)
    if dims:
        bad = _core.gaussian_sample(logits, dims, seed, step, first_row, greedy, actions, logprobs, entropy)
    else:
        bad = _core.sample(logits, counts, mask, seed, step, first_row, greedy, actions, logprobs, entropy)
    if bad:
        raise FloatingPointError(f"logits: {bad} of {rows} rows hold NaN, infinity or no choice that can be drawn")
    return actions, logprobs


def ppo_loss_grad(
    logits: Any,
    values: Any,
    actions: Any,
    old_logprobs: Any,
    advantages: Any,
    returns: Any,
    *,
    action_counts: Sequence[int] = (),
    continuous_dims: int = 0,
    clip: float,
    value_coef: float,
    entropy_coef: float,
    grad_logits: Any,
    grad_values: Any,
    value_clip: float = 0.0,
    normalize_advantages: bool = False,
    old_values: Any = None,
    alive: Any = None,
    mask: Any = None,
    ratio: Any = None,
) -> PpoStats:
    """PPO loss of one minibatch and its gradient, written into the caller's arrays, in one pass.

    Args:
        logits: float32 [B, K]; may be columns of a wider matrix, such as the [B, K + 1] output of a network.
        values: float32 [B], any stride: outputs[:, K].
        actions: See `Minibatch`, as for old_logprobs, advantages, returns, old_values, alive and mask.
        old_logprobs: float32 [B].
        advantages: float32 [B].
        returns: float32 [B].
        action_counts: Choices of each dimension, for discrete actions.
        continuous_dims: D, for continuous actions.
        clip: See `PpoSettings`, as for value_coef, entropy_coef, value_clip and normalize_advantages.
        value_coef: Weight of the value loss.
        entropy_coef: Weight of the entropy bonus.
        grad_logits: float32 [B, K] out; likewise columns of a wider matrix.
        grad_values: float32 [B] out.
        value_clip: > 0 clips the value's move from old_values.
        normalize_advantages: Over the alive rows.
        old_values: float32 [B].
        alive: bool or uint8 [B].
        mask: Words of the legal choices [B, W]; None = all are legal.
        ratio: float32 [B] out: probability now over then; 1 where one choice was legal in every dimension.

    Raises:
        TypeError, ValueError: Something does not fit, or an action is out of range or illegal.
    """
    minibatch = Minibatch(
        actions,
        old_logprobs,
        advantages,
        returns,
        action_counts=action_counts,
        continuous_dims=continuous_dims,
        old_values=old_values,
        alive=alive,
        mask=mask,
    )
    settings = PpoSettings(
        clip=clip,
        value_coef=value_coef,
        entropy_coef=entropy_coef,
        value_clip=value_clip,
        normalize_advantages=normalize_advantages,
    )
    return PpoStats(*_core.ppo_loss(minibatch._core, settings._core, logits, values, grad_logits, grad_values, ratio))


def ppo_loss(
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    old_logprobs: Tensor,
    advantages: Tensor,
    returns: Tensor,
    **options: Any,
) -> tuple[Tensor, PpoStats]:
    """`ppo_loss_grad` for autograd: the loss as a scalar tensor whose backward hands the gradient on.

    Arguments and `options` as for `ppo_loss_grad`, without grad_logits and grad_values. Torch CPU tensors only.
    """
    from pufferc._autograd import PpoLoss

    check_tensor("logits", logits, 2, "float32")
    check_tensor("values", values, 1, "float32")
    batch = (actions, old_logprobs, advantages, returns)
    result: tuple[Tensor, PpoStats] = PpoLoss.apply(logits, values, batch, options)  # type: ignore[no-untyped-call]
    return result


def mingru_scan(pre: Tensor, h0: Tensor, starts: Tensor | None = None) -> Tensor:
    """The states of a minimal gated recurrent unit, h[t] = (1 - z) h[t - 1] + z c; as `reference.mingru_scan`.

    Args:
        pre: float32 [T, M, 2 H]: u with z = sigmoid(u), then the candidates c.
        h0: float32 [M, H], the state before step 0.
        starts: bool or uint8 [T, M]: h[t - 1] counts as 0 where one is set. None = nowhere.

    Returns:
        h [T, M, H], differentiable with respect to pre and h0. Torch tensors only, on the CPU or on one GPU.
    """
    from pufferc._autograd import MinGruScan

    check_tensor("pre", pre, 3, "float32")
    check_tensor("h0", h0, 2, "float32")
    if starts is not None:
        check_tensor("starts", starts, 2, "bool", "uint8")
    result: Tensor = MinGruScan.apply(pre, h0, starts)  # type: ignore[no-untyped-call]
    return result


def codes_forward(codes: Any, table: Any, bias: Any, y: Any, *, most: int, relu: bool = False) -> None:
    """Writes y [B, H], a linear layer of one-hot vectors: bias plus table[cell * most + code - 1] of cells not 0.

    Args:
        codes: uint8 [B, cells], each 0 to `most`. ValueError where one is greater.
        table: float32 [cells * most, H].
        bias: float32 [H].
        y: float32 [B, H].
        most: The largest code, 1 to 255.
        relu: Negative results become 0.
    """
    _core.codes_forward(codes, _errors.integer("most", most, 1, 255), table, bias, _errors.flag("relu", relu), y)


def codes_backward(codes: Any, grad_y: Any, grad_table: Any, grad_bias: Any, *, most: int) -> None:
    """Writes the gradients of codes_forward's table and bias, given that of its y without relu; shapes as there."""
    _core.codes_backward(codes, _errors.integer("most", most, 1, 255), grad_y, grad_table, grad_bias)
