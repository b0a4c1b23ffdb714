"""Training kernels: advantages, action sampling, and the PPO loss.

Arrays are NumPy arrays or torch CPU tensors, used in place, never copied or cast. Results have the type of
the first argument. Importing this module does not import torch. A call uses `get_num_threads()` threads.

Shapes: T steps, N agent rows, B rows of a minibatch, D action dimensions, K parameters ("logits") of a row's action
distribution. Discrete actions (`action_counts`) are int32 [N] if D is 1, as environments expect, else [N, D]; K =
sum(action_counts). Continuous actions (`continuous_dims` = D) are float32 [N, D] from independent Gaussians; K = 2 D,
the D means and then the D log standard deviations.

A mask says which discrete choices are legal: uint32 [N, W], or the same bits as int32, with W = ceil(K / 32). Bit
k % 32 of word k // 32 is choice k, with dimensions concatenated, as in `VecEnv.action_mask`. An illegal choice has
logit minus infinity: it is never drawn, gets gradient 0, and does not enter the entropy. If only one choice is legal in
every dimension, log-probability and entropy are 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from pufferc import _core, errors
from pufferc.kernels.private import Minibatch, PpoSettings, PpoStats, action_kind
from pufferc.kernels.tensors import array_shape, check_tensor, empty_like, is_tensor

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["PpoStats", "advantage", "get_num_threads", "ppo_loss", "sample_actions", "set_num_threads"]

_core.set_num_threads(min(errors.available_cores(), _core.MAX_THREADS))


def get_num_threads() -> int:
    """Threads that a call uses, including the caller's. Default: the cores that this process may use."""
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
    """Advantages of a rollout by generalised advantage estimation, with V-trace clipping if `ratio` is given.

    With v' = 0 where terminated, else final_values[t] where truncated, else values[t + 1]::

        delta = rho * (rewards[t] + gamma * v' - values[t])
        A[t]  = delta + gamma * gae_lambda * c * A[t + 1] * (1 - ended)
        rho   = min(ratio, rho_clip), c = min(ratio, c_clip); both 1 without ratio

    Args:
        rewards: float32 [T, N]; row t is the result of the action of step t.
        values: float32 [T + 1, N].
        terminated: bool or uint8 [T, N]; takes precedence over truncated.
        truncated: bool or uint8 [T, N].
        final_values: float32 [T, N], value of the final observation of truncated episodes; other entries are
            ignored. None = values[t + 1], which is wrong with same-step autoreset.
        gamma: Discount per step, [0, 1].
        gae_lambda: [0, 1].
        ratio: float32 [T, N] >= 0, probability of the action now divided by its probability when taken.
        rho_clip: At least 0, infinity allowed.
        c_clip: As rho_clip.
        out: float32 [T, N] to write into; must not overlap an input.

    Returns:
        float32 [T, N]: `out`, or a new array of the type of `rewards`.

    Raises:
        TypeError, ValueError: An argument is invalid; nothing was written.
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
    """Sample actions from a policy's logits.

    The random number of a draw depends only on (seed, step, row, dimension), not on batch size, threads or earlier
    calls.

    Args:
        logits: float32 [N, K]; may be columns of a wider matrix. Discrete: the D heads concatenated; -inf excludes a
            choice. Continuous: means, then log standard deviations, which are clamped to +-20.
        action_counts: Choices of each dimension, for discrete actions.
        continuous_dims: D, for continuous actions, which are unbounded.
        mask: Words of the legal choices [N, W]; None = all are legal.
        seed: Integer in [0, 2**64).
        step: Integer in [0, 2**64); use each only once per seed.
        first_row: Number of row 0 in the random draws, to sample a part of a batch.
        greedy: Take the most probable action (the first one of a tie), or the means, instead of sampling.
        actions: int32 [N] (D = 1) or [N, D], or float32 [N, D], to write into; None makes a new one.
        logprobs: float32 [N] to write into: log-probability or log-density, summed over D; None makes a new one.
        entropy: float32 [N] to write into, in nats; None = not computed.

    Returns:
        actions and logprobs. No gradient flows through them.

    Raises:
        FloatingPointError: Rows hold NaN or infinity, or a dimension has no choice with nonzero probability. Those rows
            get action 0 or, with a mask, the first legal choice.
        TypeError, ValueError: An argument is invalid; nothing was written.
    """
    rows = array_shape("logits", logits, 2)[0]
    counts, dims = action_kind(action_counts, continuous_dims)
    if dims and mask is not None:
        raise ValueError("mask: expected None for continuous actions, got an array")
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
    """The PPO loss of one minibatch as a differentiable scalar tensor, and statistics. Torch CPU tensors only.

    Args:
        logits: float32 [B, K]; may be columns of a wider matrix, such as the [B, K + 1] output of a network.
        values: float32 [B], any stride: outputs[:, K].
        actions: int32 [B] (D = 1) or [B, D], or float32 [B, D], as sampled.
        old_logprobs: float32 [B] from the rollout, summed over dimensions.
        advantages: float32 [B].
        returns: float32 [B], value targets.
        options: By name:
            action_counts or continuous_dims: The action space, as in `sample_actions`.
            clip: Policy clip, > 0.
            value_coef: Weight of the value loss, >= 0; the value loss is (v - return)^2 / 2.
            entropy_coef: Weight of the entropy bonus.
            value_clip: > 0 clips the change of the value from old_values. Default: 0.
            normalize_advantages: Use (A - mean) / (std + 1e-8), with statistics of the alive rows. Default: False.
            old_values: float32 [B] from the rollout; required with value_clip.
            alive: bool or uint8 [B]; rows with 0 are excluded from all means and get gradient 0.
            mask: Words of the legal choices [B, W]; None = all are legal.
            ratio: float32 [B] out: new / old probability; 1 where only one choice was legal in every dimension.

    Raises:
        TypeError, ValueError: An argument is invalid, or an action is out of range or illegal.
    """
    from pufferc.kernels.autograd import PpoLoss

    check_tensor("logits", logits, 2, "float32")
    check_tensor("values", values, 1, "float32")
    ratio = options.pop("ratio", None)
    columns = {field.name: options.pop(field.name) for field in fields(Minibatch) if field.name in options}
    minibatch = Minibatch(actions, old_logprobs, advantages, returns, **columns)
    settings = PpoSettings(**options)
    result: tuple[Tensor, PpoStats] = PpoLoss.apply(logits, values, minibatch, settings, ratio)  # type: ignore[no-untyped-call]
    return result
