"""Mistakes of a game that training would not survive: NaN and infinity, told from those of learning; and metrics."""

from __future__ import annotations

import math

from torch import Tensor

from pufferc import _core
from pufferc.config import Config
from pufferc.envs.device import DeviceVecEnv
from pufferc.envs.game_library import ModuleError
from pufferc.envs.games import env_info
from pufferc.envs.vector import VecEnv
from pufferc.files import map_file
from pufferc.training.ppo import NotFinite
from pufferc.training.rollout import Rollout


class GameNotFinite(NotFinite):
    """A game gave a reward or an observation that is not finite. The message names the game, row and step."""


def check_game(env: VecEnv | DeviceVecEnv, rollout: Rollout, first_step: int) -> None:
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


def check_metrics(config: Config) -> None:
    """ModuleError if a loaded game writes more metrics than it lists, which would overwrite other memory."""
    info = env_info(config.game)
    if not info.path:
        return
    data = None if config.vec.data is None else map_file("data", config.vec.data)
    written = _core.count_metrics(info.engine, {name: float(value) for name, value in config.env.items()}, data)
    if written > len(info.metrics):
        raise ModuleError(
            f"{info.path}: metrics writes {written} values, but .metrics lists {len(info.metrics)} names: "
            f"{', '.join(info.metrics)}"
        )


def _reward_fault(rollout: Rollout) -> tuple[str, int, int] | None:
    found = _first(rollout.rewards)
    if found is None:
        return None
    t, row = found
    return f"the reward {_name(rollout.rewards[t, row])}", t + 1, row


def _observation_fault(env: VecEnv | DeviceVecEnv, rollout: Rollout) -> tuple[str, int, int] | None:
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


def _entry(env: VecEnv | DeviceVecEnv, index: int) -> str:
    """The name of the entry of the observation table that has value `index`."""
    end = 0
    for row in env.spaces.observation_rows:
        end += row.count
        if index < end:
            return str(row.name)
    return str(index)
