"""Which settings may differ from the run's own when it is resumed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pufferc.config import Config, ConfigError, merge, setting
from pufferc.runs.checkpoint import Checkpoint
from pufferc.training.from_checkpoint import checkpoint_config

# They do not change what earlier updates have computed. More total_steps stretch the schedule of the learning rate.
CHANGEABLE = (
    *("train.total_steps", "train.target_score", "train.target_episodes", "train.evaluation_interval_s"),
    *("train.checkpoint_interval_s", "train.keep_checkpoints", "train.loggers", "train.threads", "vec.num_threads"),
)


def resumed_config(checkpoint: Checkpoint, changes: Mapping[str, Any]) -> Config:
    """The configuration of a checkpoint's run with `changes`, such as {"train.total_steps": 10_000_000}.

    A change to the value that the run has already is none. ConfigError for other settings than CHANGEABLE, and for
    fewer steps than the run has done.
    """
    config = changed = checkpoint_config(checkpoint)
    for key, value in changes.items():
        section, _, name = key.partition(".")
        changed = merge(changed, {section: {name: value}}, "resume")
    values = {key: (setting(config, key), setting(changed, key)) for key in changes}
    fixed = [f"{key} is {a}, got {b}" for key, (a, b) in values.items() if a != b and key not in CHANGEABLE]
    if fixed:
        raise ConfigError(
            f"resume: a resumed run keeps its settings: {'; '.join(fixed)}. Only these may change: "
            f"{', '.join(CHANGEABLE)}. To start a new run from its weights: --weights {checkpoint.path}"
        )
    done, total = int(checkpoint.meta.get("step", 0)), changed.train.total_steps
    if "train.total_steps" in changes and total < done:
        raise ConfigError(f"resume: train.total_steps must be at least the {done} steps of the checkpoint, got {total}")
    return changed
