"""Tells a game's NaN or infinity from one of learning."""

from __future__ import annotations

import math

from torch import Tensor

from pufferc.envs.vector import VecEnv
from pufferc.training.ppo import NotFinite
from pufferc.training.rollout import Rollout


class GameNotFinite(NotFinite):
    """A game gave a reward or an observation that is not finite. The message names the game, row and step."""


def check_game(env: VecEnv, rollout: Rollout, first_step: int) -> None:
    """Raises GameNotFinite if the rollout, whose first step is number `first_step` of the run, has such a number."""
    fault = _reward_fault(rollout) or _observation_fault(env, rollout)
    if fault is None:
        return
    what, t, row = fault
    info, agents = env.info, env.agents
    raise GameNotFinite(
        f"the game {info.path or info.name} gave {what} to row {row} (game {row // agents}, agent {row % agents}) at "
        f"step {first_step + t} of the run. This is a mistake in the game, not in the learning; to find it: pufferc "
        f"check {info.path or info.name}"
    )


def _reward_fault(rollout: Rollout) -> tuple[str, int, int] | None:
    found = _first(rollout.rewards)
    if found is None:
        return None
    t, row = found
    return f"the reward {_name(rollout.rewards[t, row])}", t + 1, row


def _observation_fault(env: VecEnv, rollout: Rollout) -> tuple[str, int, int] | None:
    """The first bad observation: of row t after step t, row 0 being that of the start."""
    if not rollout.observations.is_floating_point():
        return None
    found = _first(rollout.observations.flatten(2))
    if found is not None:
        t, row = found
        values = rollout.observations[t, row].flatten()
        at = int((~values.isfinite()).nonzero()[0])
        return f"the observation {_entry(env, at)} = {_name(values[at])}", t, row
    final = _first(rollout.final_values.unsqueeze(-1)) if bool(rollout.values.isfinite().all()) else None
    return None if final is None else ("a final observation that is not finite", final[0] + 1, final[1])


def _first(values: Tensor) -> tuple[int, int] | None:
    """Step and row of the first value [T, N] or [T, N, S] that is not finite."""
    bad = ~values.isfinite()
    bad = bad.any(2) if bad.ndim == 3 else bad
    if not bool(bad.any()):
        return None
    t, row = bad.nonzero()[0].tolist()
    return t, row


def _name(value: Tensor) -> str:
    return "NaN" if math.isnan(float(value)) else "infinity" if float(value) > 0 else "-infinity"


def _entry(env: VecEnv, index: int) -> str:
    """The name of the entry of the observation table that has value `index`."""
    end = 0
    for row in env.spaces.observation_rows:
        end += row.count
        if index < end:
            return str(row.name)
    return str(index)
