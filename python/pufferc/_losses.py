"""What the PPO loss by itself and within a network's pass share. Public in `pufferc.ops`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from pufferc import _core, _errors


class NotFinite(ArithmeticError):
    """The loss or the policy's outputs became NaN or infinite; parameters are those of the last good gradient."""


class PpoStats(NamedTuple):
    """Means over the alive rows of one minibatch."""

    loss: float
    policy_loss: float
    value_loss: float  # before value_coef
    entropy: float  # nats
    approx_kl: float  # mean(r - 1 - log r)
    old_approx_kl: float  # mean(-log r)
    clip_fraction: float  # share of rows with |r - 1| > clip
    rows: int  # alive ones


def action_kind(action_counts: Sequence[int], continuous_dims: int) -> tuple[list[int], int]:
    """Choices of each dimension, or the number of continuous ones: one of the two."""
    choices = _errors.sequence("action_counts", action_counts, "integers", 8)
    counts = [_errors.integer("action_counts", count, 1, _core.MAX_CHOICES) for count in choices]
    continuous_dims = _errors.integer("continuous_dims", continuous_dims, 0, 8)
    if bool(counts) == bool(continuous_dims):
        raise ValueError(f"one of action_counts and continuous_dims must be given, got {counts} and {continuous_dims}")
    return counts, continuous_dims


def bound(name: str, value: Any, kind: type[Any]) -> Any:
    """What the kernels take of an object that holds checked arrays or numbers. TypeError for anything else."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be a pufferc.ops.{kind.__name__}, got {type(value).__name__}")
    return value._core


class Minibatch:
    """B rows of a rollout as losses read them: arrays that are checked here, once, and borrowed as long as this lives.

    Args:
        actions: int32 [B] (D = 1) or [B, D], or float32 [B, D], as they were drawn.
        old_logprobs: float32 [B] of the rollout, summed over dimensions.
        advantages: float32 [B].
        returns: float32 [B], targets of the value.
        action_counts: Choices of each dimension, for discrete actions.
        continuous_dims: D, for continuous actions.
        old_values: float32 [B] of the rollout; needed with value_clip.
        alive: bool or uint8 [B], 0 = the row counts nowhere and gets gradient 0.
        mask: Words of the legal choices [B, W], see `pufferc.ops`; None = all are legal.

    Raises:
        TypeError, ValueError: Something does not fit.
    """

    def __init__(
        self,
        actions: Any,
        old_logprobs: Any,
        advantages: Any,
        returns: Any,
        *,
        action_counts: Sequence[int] = (),
        continuous_dims: int = 0,
        old_values: Any = None,
        alive: Any = None,
        mask: Any = None,
    ) -> None:
        counts, continuous_dims = action_kind(action_counts, continuous_dims)
        self._core = _core.Minibatch(
            actions=actions,
            old_logprobs=old_logprobs,
            advantages=advantages,
            returns=returns,
            action_counts=counts,
            continuous_dims=continuous_dims,
            old_values=old_values,
            alive=alive,
            mask=mask,
        )


class PpoSettings:
    """Coefficients of the PPO loss, checked.

    Args:
        clip: Policy clip, > 0.
        value_coef: Weight of the value loss, >= 0; the value loss is (v - return)^2 / 2.
        entropy_coef: Weight of the entropy bonus.
        value_clip: > 0 clips the value's move from old_values.
        normalize_advantages: True takes (A - mean) / (std + 1e-8) over the alive rows.
    """

    def __init__(
        self,
        *,
        clip: float,
        value_coef: float,
        entropy_coef: float,
        value_clip: float = 0.0,
        normalize_advantages: bool = False,
    ) -> None:
        self._core = _core.PpoSettings(
            clip=_errors.real("clip", clip, 0.0, math.inf),
            value_coef=_errors.real("value_coef", value_coef, 0.0, math.inf),
            entropy_coef=_errors.real("entropy_coef", entropy_coef, -math.inf, math.inf),
            value_clip=_errors.real("value_clip", value_clip, -math.inf, math.inf),
            normalize=_errors.flag("normalize_advantages", normalize_advantages),
        )
