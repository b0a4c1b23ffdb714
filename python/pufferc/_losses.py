"""What the PPO loss by itself and within a network's pass share. Public in `pufferc.ops`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from pufferc import _errors


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


def action_kind(action_counts: Sequence[int], controls: int) -> tuple[list[int], int]:
    """Choices of each dimension, or the number of continuous ones: one of the two."""
    choices = _errors.sequence("action_counts", action_counts, "integers", 8)
    counts = [_errors.integer("action_counts", count, 1, 1024) for count in choices]
    controls = _errors.integer("controls", controls, 0, 8)
    if bool(counts) == bool(controls):
        raise ValueError(f"one of action_counts and controls must be given, got {counts} and {controls}")
    return counts, controls


def loss_options(
    clip: float, value_coef: float, entropy_coef: float, value_clip: float, normalize_advantages: bool
) -> tuple[float, float, float, float, bool]:
    """The same, checked. ValueError or TypeError naming what does not fit."""
    return (
        _errors.real("clip", clip, 0.0, math.inf),
        _errors.real("value_coef", value_coef, 0.0, math.inf),
        _errors.real("entropy_coef", entropy_coef, -math.inf, math.inf),
        _errors.real("value_clip", value_clip, -math.inf, math.inf),
        _errors.flag("normalize_advantages", normalize_advantages),
    )
