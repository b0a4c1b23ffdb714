"""Weights & Biases: one W&B run per run. It reads WANDB_MODE, WANDB_PROJECT and WANDB_ENTITY.

The id of the W&B run is in wandb.json of the run's directory, so a resumed run continues the same one. Without a
network, WANDB_MODE=offline writes below the run's directory, for `wandb sync` later.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib import import_module

from pufferc.config import ConfigError, as_tables
from pufferc.loggers.background import Opening

_ID_FILE = "wandb.json"


class Wandb:
    """A `pufferc.loggers.Logger`."""

    def __init__(self, opening: Opening) -> None:
        wandb = import_module("wandb")
        file = opening.run / _ID_FILE
        known = json.loads(file.read_bytes())["id"] if file.is_file() else None
        self._written = opening.written if known else -1
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "pufferc"),
            name=opening.run.name,
            id=known,
            resume="allow",
            dir=str(opening.run),
            config={"game": opening.config.game, **as_tables(opening.config)},
            reinit="create_new",
            settings=wandb.Settings(silent=True, console="off"),
        )
        file.write_text(json.dumps({"id": self._run.id}) + "\n", encoding="utf-8")
        self._run.define_metric("*", step_metric="steps")

    def write(self, steps: int, values: Mapping[str, float]) -> None:
        if steps > self._written:  # W&B has the lines of the interrupted part already, and cannot overwrite them
            self._run.log(dict(values))

    def close(self) -> None:
        self._run.finish()

    @staticmethod
    def check() -> None:
        """ConfigError if W&B would prompt for a key during a run, or its server refuses the key."""
        wandb = import_module("wandb")
        if wandb.setup().settings.mode not in ("online", "run", "shared"):
            return
        remedy = "set WANDB_MODE=offline to record without a network"
        try:
            ready = wandb.login(prompt=False)
        except Exception as error:  # W&B raises many classes
            raise ConfigError(f"train.loggers: wandb cannot log in: {error}; {remedy}") from None
        if not ready:
            raise ConfigError(f"train.loggers: wandb has no API key; run `wandb login`, or {remedy}")
