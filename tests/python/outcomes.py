"""The outcome of a step, for parity tests of games with one agent."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from pufferc.parity import Moment


class Outcome(Protocol):
    """What a reference says of its last step. One that sets both flags means that the episode ended by its rules."""

    reward: float
    terminated: bool
    truncated: bool


def outcome_difference(ours: Moment, theirs: Outcome, atol: float) -> str | None:
    """How reward or flags differ; None if they agree."""
    if not np.isclose(ours.rewards[0], theirs.reward, atol=atol):
        return f"reward, theirs {theirs.reward}"
    if bool(ours.terminated[0]) != theirs.terminated:
        return f"terminated, theirs {theirs.terminated}"
    if bool(ours.truncated[0]) != (theirs.truncated and not theirs.terminated):
        return f"truncated, theirs {theirs.truncated}"
    return None
