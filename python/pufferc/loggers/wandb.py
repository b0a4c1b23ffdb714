"""Weights & Biases: one W&B run per run. Its own environment variables count: WANDB_MODE, WANDB_PROJECT, WANDB_ENTITY.

The W&B run's id is kept in wandb.json of the run's directory, so a resumed run goes on in the same one. Without a
network, WANDB_MODE=offline writes below the run's directory, for `wandb sync` later.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib import import_module

from pufferc.config import ConfigError, as_tables
from pufferc.files import parse_json, read_short
from pufferc.loggers.background import Opening

_ID_FILE = "wandb.json"


class Wandb:
    """A `pufferc.loggers.Logger`."""

    def __init__(self, opening: Opening) -> None:
        wandb = import_module("wandb")
        file = opening.run / _ID_FILE
        known = parse_json(read_short(file))["id"] if file.is_file() else None
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
        if steps > self._written:  # W&B cannot take back what the interrupted part of a run wrote: it was the same
            self._run.log(dict(values))

    def close(self) -> None:
        self._run.finish()

    @staticmethod
    def check() -> None:
        """ConfigError where W&B would ask for a key in the middle of a run, or its server does not take the key."""
        wandb = import_module("wandb")
        if wandb.setup().settings.mode not in ("online", "run", "shared"):
            return
        remedy = "set WANDB_MODE=offline to record without a network"
        try:
            ready = wandb.login(prompt=False)
        except Exception as error:  # of many classes, its own among them
            raise ConfigError(f"train.loggers: wandb cannot log in: {error}; {remedy}") from None
        if not ready:
            raise ConfigError(f"train.loggers: wandb has no API key; run `wandb login`, or {remedy}")
