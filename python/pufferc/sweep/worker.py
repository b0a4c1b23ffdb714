"""The process that trains runs of a sweep, one after another: python -m pufferc.sweep.worker CHANNEL.

Torch is imported once, before the first run. A run that fails is reported, and the process takes the next one; if the
sweep is gone, the process ends.

The worker sends {"ready": true} once, {"steps": n} to show progress, {"point": steps, "score": x}, which waits for
{"go": true or false}, and at a run's end {"result": {...}} or {"error": text, "traceback": text, "steps": n}. It is
sent runs, as `Job.message` makes them, and the answers at points.
"""

from __future__ import annotations

import math
import os
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pufferc.config import Config, ConfigError, merge
from pufferc.loggers import Silent
from pufferc.processes import Parent
from pufferc.runs.metrics import MetricsLog
from pufferc.training.interrupt import Interrupt
from pufferc.training.loop import Loop, Outputs, Result
from pufferc.training.ppo import NotFinite
from pufferc.training.resolve import resolve
from pufferc.training.run import train
from pufferc.training.trainer import Trainer

_SIGN_S = 1.0  # between signs of life


class _Sweep:
    """The sweep as a run sees it: takes the run's progress, and decides whether the run continues."""

    def __init__(self, parent: Parent) -> None:
        self._parent = parent
        self._said_at = -math.inf
        self.steps = 0

    def hear(self, steps: int) -> None:
        """Shows progress from time to time."""
        self.steps = steps
        if time.monotonic() - self._said_at >= _SIGN_S:
            self._said_at = time.monotonic()
            self.tell({"steps": steps})

    def tell(self, message: Mapping[str, Any]) -> None:
        try:
            self._parent.send(message)
        except OSError:
            os._exit(1)  # the sweep has ended

    def ask(self, message: Mapping[str, Any]) -> bool:
        """Whether a run continues from a point of its curve."""
        self.tell(message)
        answer = self._parent.receive()
        if answer is None:
            os._exit(1)
        return bool(answer["go"])


class _SweepLoop(Loop):
    """A run without checkpoints that stops when the sweep says so."""

    def __init__(self, trainer: Trainer, log: MetricsLog, sweep: _Sweep, job: Mapping[str, Any], began: float) -> None:
        silent, interrupt = Silent(trainer.config.train.total_steps), Interrupt(lambda text: None)
        super().__init__(trainer, Outputs(Path(os.devnull), silent, log), interrupt, began)
        # Training scores of self-play do not compare runs.
        self._sweep, self._points = sweep, list(job["points"]) if trainer.seats is None else []
        self._watched = bool(job["watched"])
        self.curve: list[tuple[int, float, float]] = []

    def _decide(self, line: Mapping[str, Any]) -> list[bool]:
        stop, evaluate, save = super()._decide(line)
        steps, last = int(line["steps"]), self.trainer.update == self.trainer.updates
        self._sweep.hear(steps)
        while self._points and steps >= self._points[0] and not last and not stop:
            point, score = self._points.pop(0), self.window.score()
            if score is None:
                continue  # no episode has ended yet, so there is nothing to compare
            self.curve.append((point, self.elapsed(), score.value))
            stop = self._watched and not self._sweep.ask({"point": point, "score": score.value})
        return [stop, evaluate, save]

    def _save(self) -> None:
        assert self.outputs.log is not None
        self.outputs.log.flush()


class _Signs(Silent):
    """The display of a run that keeps checkpoints."""

    def __init__(self, total_steps: int, sweep: _Sweep) -> None:
        super().__init__(total_steps)
        self._sweep = sweep

    def note(self, line: Mapping[str, Any], *, last: bool = False) -> None:
        self._sweep.hear(int(line["steps"]))


def _search_run(config: Config, job: Mapping[str, Any], sweep: _Sweep) -> tuple[Result, list[tuple[int, float, float]]]:
    began = time.perf_counter()
    trainer = Trainer(resolve(config)[0])
    try:
        trainer.start()
        log = MetricsLog(Path(job["log"]), trainer.log_keys())
        try:
            loop = _SweepLoop(trainer, log, sweep, job, began)
            return loop.go(), loop.curve
        finally:
            log.close()
    finally:
        trainer.env.close()


def _run(job: Mapping[str, Any], sweep: _Sweep) -> dict[str, Any]:
    config = merge(Config(job["game"]), job["config"], "sweep")
    if job["directory"] is None:
        result, curve = _search_run(config, job, sweep)
    else:
        directory, curve = Path(job["directory"]), []
        directory.mkdir(parents=True)
        result = train(config, directory=directory, display=_Signs(config.train.total_steps, sweep))
    score = result.score.as_dict() if result.score else None
    return {
        "outcome": "stopped" if result.outcome == "interrupted" else result.outcome,
        "steps": result.steps,
        "seconds": result.seconds if result.target_seconds is None else result.target_seconds,
        "score": score,
        "curve": curve,
    }


def _answer(job: Mapping[str, Any], sweep: _Sweep) -> dict[str, Any]:
    began, sweep.steps = time.perf_counter(), 0
    try:
        return {"result": _run(job, sweep)}
    except (ConfigError, NotFinite) as error:
        text, trace = str(error), None
    except Exception as error:
        text, trace = f"{type(error).__name__}: {error}", traceback.format_exc()
    return {"error": text, "traceback": trace, "steps": sweep.steps, "seconds": time.perf_counter() - began}


def main(words: list[str]) -> int:
    """Trains what the sweep sends, until the sweep is gone."""
    parent = Parent(words[0])
    sweep = _Sweep(parent)
    sweep.tell({"ready": True})
    while (job := parent.receive()) is not None:
        sweep.tell(_answer(job, sweep))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
