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

from pufferc import _core, errors
from pufferc.kernels.private import PpoStats, action_kind
from pufferc.kernels.tensors import array_shape, check_tensor, empty_like, is_tensor

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["PpoStats", "advantage", "get_num_threads", "ppo_loss", "sample_actions", "set_num_threads"]

_core.set_num_threads(min(errors.available_cores(), _core.MAX_THREADS))


def get_num_threads() -> int:
    """Threads that a call uses, the caller's included. At first: the cores this process may run on."""
    return _core.get_num_threads()


def set_num_threads(num_threads: int) -> None:
    """Set the number of threads, 1 to 256. No result depends on it."""
    _core.set_num_threads(errors.integer("num_threads", num_threads, 1, _core.MAX_THREADS))


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
        c_clip: As rho_clip.
        out: float32 [T, N] to write into; overlaps no input.

    Returns:
        float32 [T, N]: `out`, or a new array of the kind of `rewards`.

    Raises:
        TypeError, ValueError: Something does not fit; nothing was written.
    """
    numbers = (
        errors.real("gamma", gamma, 0.0, 1.0),
        errors.real("gae_lambda", gae_lambda, 0.0, 1.0),
        errors.real("rho_clip", rho_clip, 0.0, math.inf),
        errors.real("c_clip", c_clip, 0.0, math.inf),
    )
    shape = array_shape("rewards", rewards, 2)
    if is_tensor(rewards) and rewards.is_cuda:
        from pufferc.kernels import cuda

        return cuda.advantage(rewards, values, terminated, truncated, final_values, ratio, out, numbers)
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
    seed, step = errors.seed("seed", seed), errors.seed("step", step)
    first_row = errors.seed("first_row", first_row)
    greedy = errors.flag("greedy", greedy)
    if dims:
        bad = _core.gaussian_sample(logits, dims, seed, step, first_row, greedy, actions, logprobs, entropy)
    else:
        bad = _core.sample(logits, counts, mask, seed, step, first_row, greedy, actions, logprobs, entropy)
    if bad:
        raise FloatingPointError(f"logits: {bad} of {rows} rows hold NaN, infinity or no choice that can be drawn")
    return actions, logprobs


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
    from pufferc.kernels.autograd import PpoLoss

    check_tensor("logits", logits, 2, "float32")
    check_tensor("values", values, 1, "float32")
    batch = (actions, old_logprobs, advantages, returns)
    result: tuple[Tensor, PpoStats] = PpoLoss.apply(logits, values, batch, options)  # type: ignore[no-untyped-call]
    return result
