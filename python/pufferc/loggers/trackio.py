"""Trackio: one Trackio run per run, on this machine. It reads TRACKIO_DIR, TRACKIO_PROJECT and those of its servers.

The name of the Trackio run is in trackio.json of the run's directory, so a resumed run continues the same one.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping
from importlib import import_module

from pufferc.config import as_tables
from pufferc.loggers.background import Opening
from pufferc.runs.compare import flat
from pufferc.runs.directory import GROUP_SUFFIX

_NAME_FILE = "trackio.json"


class Trackio:
    """A `pufferc.loggers.Logger`."""

    def __init__(self, opening: Opening) -> None:
        trackio = import_module("trackio")
        file = opening.run / _NAME_FILE
        known = json.loads(file.read_bytes())["name"] if file.is_file() else None
        self._written = opening.written if known else -1
        parent = opening.run.parent.name
        name = known or (f"{parent}/{opening.run.name}" if parent.endswith(GROUP_SUFFIX) else opening.run.name)
        with contextlib.redirect_stdout(sys.stderr):  # Trackio prints hints, and standard output is for results
            self._run = trackio.init(
                project=os.environ.get("TRACKIO_PROJECT", "pufferc"),
                name=name,
                group=parent if parent.endswith(GROUP_SUFFIX) else None,
                config={"game": opening.config.game, **flat(as_tables(opening.config))},
                resume="allow" if known else "never",
                embed=False,
                auto_log_cpu=False,
                auto_log_gpu=False,
            )
        file.write_text(json.dumps({"name": self._run.name}) + "\n", encoding="utf-8")

    def write(self, steps: int, values: Mapping[str, float]) -> None:
        if steps > self._written:  # Trackio has the lines of the interrupted part already
            self._run.log(dict(values), step=steps)

    def close(self) -> None:
        with contextlib.redirect_stdout(sys.stderr):
            self._run.finish()

    @staticmethod
    def check() -> None:
        """Nothing to check: it records on this machine."""
