"""One training run from start to end: directory, loop, log, checkpoints, evaluation, interruption, resumption.

    runs/breakout-20260131-120000/
        config.toml      the configuration with every "auto" resolved; feeds --config
        machine.json     versions and machine
        metrics.jsonl    one line per update
        checkpoints/     see checkpoint.py

The algorithm is in ppo.py; nothing here is about learning.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch

import pufferc
from pufferc.checkpoint import load_checkpoint, load_game_checkpoint, same_module
from pufferc.config import Config, ConfigError, to_toml
from pufferc.doctor import machine
from pufferc.evaluate import Evaluation
from pufferc.loggers import MetricsLog, Progress, Silent, count, duration, plain
from pufferc.registration import Game
from pufferc.sizes import resolve
from pufferc.trainer import Trainer, checkpoint_config, load_weights

_EVALUATION_SHARE = 0.1  # of a run's time that evaluations before its end may take


@dataclass(frozen=True)
class Result:
    """How a run ended: "complete", "target" (score reached) or "interrupted"."""

    run: Path
    outcome: str
    steps: int
    seconds: float  # from the call of `train` to the end of the last evaluation, resumed time included
    steps_per_second: float  # of collecting and learning, evaluations and checkpoints left out
    evaluation: Evaluation | None
    target_seconds: float | None  # when the target was reached and confirmed


class _Interrupt:
    """Turns the first Ctrl-C or SIGTERM into a flag that the loop looks at after each update; the next one is real."""

    def __init__(self) -> None:
        self.requested = False
        self._old: dict[int, Any] = {}

    def __enter__(self) -> _Interrupt:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._old[number] = signal.signal(number, self._request)
        return self

    def _request(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        print("\nstopping after this update, with a checkpoint; once more to stop at once", file=sys.stderr)
        signal.signal(number, self._old[number] or signal.SIG_DFL)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)


def train(
    config: Config | None = None,
    *,
    runs: Path | str = "runs",
    resume: Path | str | None = None,
    weights: Path | str | None = None,
    quiet: bool = False,
    game: Game | None = None,
) -> Result:
    """Trains until total_steps, the target score, or an interruption; always leaves a checkpoint of where it stopped.

    Args:
        config: What to train; None with `resume`, which takes the saved one.
        runs: Folder that a new run's directory is made in.
        resume: Checkpoint directory to go on from, in its own run.
        weights: Checkpoint directory whose weights a new run starts with.
        quiet: No progress lines.
        game: With `resume`, the game: needed where it was loaded from a shared object.

    Raises:
        ConfigError, CheckpointError: Nothing was started.
        ppo.NotFinite: The loss became NaN; the last checkpoint stands.
    """
    began = time.perf_counter()
    checkpoint = None
    if resume is not None:
        checkpoint = load_checkpoint(Path(resume)) if game is None else load_game_checkpoint(Path(resume), game)
    if checkpoint is not None:
        config = checkpoint_config(checkpoint)
    if config is None:
        raise ConfigError("config: expected a Config, or resume=<checkpoint>")
    config, warnings = resolve(config)
    progress = (Silent if quiet else Progress)(config.train.total_steps)
    for warning in warnings:
        progress.say(f"warning: {warning}")
    trainer = Trainer(config)
    if checkpoint is not None:
        run = checkpoint.path.parent.parent
        trainer.restore(checkpoint)
        if not trainer.env.info.can_save or not same_module(checkpoint, trainer.env.info):
            reason = "cannot be saved" if not trainer.env.info.can_save else "were built anew since the checkpoint"
            progress.say(
                f"warning: games of {trainer.env.name} {reason}: they begin anew, so this run will not equal one "
                "that was never interrupted"
            )
    else:
        if weights is not None:
            load_weights(trainer.policy, load_checkpoint(Path(weights)))
        run = _make_run(Path(runs), config, trainer.env.name)
        trainer.start()
    progress.say(f"{'resuming' if checkpoint else 'run'} {run}")
    log = MetricsLog(
        run / "metrics.jsonl", trainer.log_keys(), resume_update=trainer.update if checkpoint is not None else None
    )
    before = float(checkpoint.meta["wall_seconds"]) if checkpoint is not None else 0.0
    try:
        with _Interrupt() as interrupt:
            return _Loop(trainer, run, log, progress, interrupt, began - before).go()
    finally:
        log.close()
        trainer.env.close()


def _make_run(runs: Path, config: Config, name: str) -> Path:
    """A new directory runs/<game>-<time>, with the configuration and the machine written in it."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for attempt in range(1000):
        run = runs / (f"{name}-{stamp}" if attempt == 0 else f"{name}-{stamp}-{attempt:03d}")
        try:
            run.mkdir(parents=True)
            break
        except FileExistsError:
            continue
        except OSError as error:
            raise ConfigError(f"runs: cannot make {run}: {error.strerror}") from None
    else:
        raise ConfigError(f"runs: no free name for a run in {runs}")
    (run / "config.toml").write_text(to_toml(config), encoding="utf-8")
    (run / "machine.json").write_text(json.dumps(run_facts(), indent=1) + "\n", encoding="utf-8")
    return run


def run_facts() -> dict[str, Any]:
    """Versions and machine, as far as they may decide speed or results."""
    return {
        **machine(),
        "pufferc": pufferc.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "cuda": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
    }


class _Loop:
    """The loop around `Trainer.step`: when to log, evaluate, save and stop."""

    def __init__(
        self, trainer: Trainer, run: Path, log: MetricsLog, progress: Progress, interrupt: _Interrupt, began: float
    ) -> None:
        self.trainer, self.run, self.log, self.progress = trainer, run, log, progress
        self.interrupt, self.began = interrupt, began
        self.evaluation: Evaluation | None = None
        self.evaluation_s = 0.0
        self.saved_at = time.perf_counter()
        self.target = trainer.config.train.target_score

    def elapsed(self) -> float:
        """Wall-clock seconds of the run, earlier parts of a resumed run included."""
        return time.perf_counter() - self.began

    def go(self) -> Result:
        trainer, outcome = self.trainer, "complete"
        self.progress.start(trainer.steps)
        reached: float | None = None
        while trainer.update < trainer.updates:
            line = trainer.step()
            final = trainer.update == trainer.updates
            if self.target is not None and (final or self._promising(line)):
                reached = self._evaluate(line)
            self.log.write(line)
            parts = {key.removeprefix("seconds_"): line[key] for key in line if key.startswith("seconds_")}
            self.progress.note(trainer.steps, plain(line.get("score", line["episode_return"])), parts, last=final)
            if reached is not None:
                outcome = "target"
                break
            if self.interrupt.requested:
                outcome = "interrupted"
                break
            if time.perf_counter() - self.saved_at >= trainer.config.train.checkpoint_interval_s:
                self._save()
        return self._end(outcome, reached)

    def _promising(self, line: Mapping[str, Any]) -> bool:
        """Whether an evaluation may well reach the target, and has not cost too much yet.

        Training means lag behind a policy that improves, since episodes began with an older one: few are vain.
        """
        score = line.get("score", line["episode_return"])
        spent = self.evaluation_s + (self.evaluation.seconds if self.evaluation else 0.0)  # and once more
        return bool(score >= self.target) and spent <= _EVALUATION_SHARE * self.elapsed()

    def _evaluate(self, line: dict[str, Any]) -> float | None:
        """Evaluates, adds the result to the log's line; the time if the target is reached."""
        found = self.evaluation = self.trainer.evaluate()
        self.evaluation_s += found.seconds
        line |= {
            "evaluation_score": found.score,
            "evaluation_ci95": found.ci95,
            "evaluation_seconds": found.seconds,
        }
        self.progress.say(f"      evaluation: {describe(found)}")
        done = self.target is not None and found.unfinished == 0 and found.score >= self.target
        return self.elapsed() if done else None

    def _save(self) -> None:
        found = self.evaluation
        extra = {"wall_seconds": self.elapsed(), "evaluation": found.as_dict() if found else None}
        self.trainer.save(self.run, extra)
        self.saved_at = time.perf_counter()

    def _end(self, outcome: str, reached: float | None) -> Result:
        self._save()
        trainer = self.trainer
        speed = trainer.steps / trainer.seconds if trainer.seconds else 0.0
        return Result(self.run, outcome, trainer.steps, self.elapsed(), speed, self.evaluation, reached)


def describe(found: Evaluation) -> str:
    """An evaluation in one line."""
    late = f", {found.unfinished} rows unfinished" if found.unfinished else ""
    return (
        f"score {found.score:.2f} +- {found.ci95:.2f} (95 %; spread {found.score_std:.1f}, {found.score_min:g} to "
        f"{found.score_max:g}) over {found.episodes} episodes of {found.episode_length:.0f} steps, "
        f"{found.seconds:.1f} s{late}"
    )


def summary(result: Result) -> str:
    """How a run ended, in one or two lines."""
    text = (
        f"{result.outcome}: {count(result.steps)} steps in {duration(result.seconds)} ({result.seconds:.2f} s), "
        f"{count(result.steps_per_second)} steps/s; {result.run}"
    )
    if result.target_seconds is not None and result.evaluation is not None:
        text += f"\ntarget reached after {result.target_seconds:.2f} s: {describe(result.evaluation)}"
    elif result.evaluation is not None:
        text += f"\ntarget not reached: {describe(result.evaluation)}"
    return text
