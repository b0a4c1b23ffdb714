"""TensorBoard: event files in the run's directory; `tensorboard --logdir runs` shows all runs.

A resumed run adds a file that starts at its checkpoint. TensorBoard then hides what the interrupted run wrote after the
checkpoint, so steps do not go back.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from pufferc.config import Config, as_tables
from pufferc.loggers.background import Opening

_SCORES = ("run/score", "run/episode_return", "evaluation/score")
_GROUPS = {"evaluation_": "evaluation/", "seconds_": "seconds/"}


def tag(key: str) -> str:
    """The name of a curve; curves of one subject share a section."""
    for prefix, group in _GROUPS.items():
        if key.startswith(prefix):
            return group + key.removeprefix(prefix)
    return f"run/{key}"


def _hyperparameters(config: Config) -> list[Any]:
    """The settings of a run for the tab HPARAMS, beside the scores that the run writes later."""
    make = import_module("torch.utils.tensorboard.summary").hparams
    settings = {"game": config.game} | {
        f"{section}.{name}": value if isinstance(value, (bool, int, float, str)) else str(value)
        for section, table in as_tables(config).items()
        for name, value in table.items()
    }
    return list(make(settings, dict.fromkeys(_SCORES)))


class TensorBoard:
    """A `pufferc.loggers.Logger`."""

    def __init__(self, opening: Opening) -> None:
        writer = import_module("torch.utils.tensorboard").SummaryWriter
        purge = opening.steps + 1 if opening.steps else None
        self._writer = writer(str(opening.run / "tensorboard"), purge_step=purge)
        for summary in _hyperparameters(opening.config):
            self._writer.file_writer.add_summary(summary)

    def write(self, steps: int, values: Mapping[str, float]) -> None:
        for key, value in values.items():
            if key != "steps":
                self._writer.add_scalar(tag(key), value, steps)

    def close(self) -> None:
        self._writer.close()

    @staticmethod
    def check() -> None:
        """Nothing to check: the installed package is enough."""
