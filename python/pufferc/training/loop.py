"""The loop around `Trainer.step`: when to log, evaluate, save and stop.

Nothing here affects learning: logs and evaluations use none of the run's random numbers. Every rank of a run executes
the same loop; only rank 0's `Outputs` has files and displays. Times are wall-clock seconds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pufferc.loggers import Background, Progress
from pufferc.runs.checkpoint import prune_checkpoints
from pufferc.runs.directory import best_checkpoint
from pufferc.runs.metrics import MetricsLog
from pufferc.runs.scores import Score, ScoreWindow, evaluation_score
from pufferc.selfplay.settings import Target, read_target
from pufferc.training.evaluate import Evaluation
from pufferc.training.interrupt import Interrupt
from pufferc.training.trainer import Trainer

_EVALUATION_SHARE = 0.1  # maximum fraction of a run's time for evaluations before its end


@dataclass(frozen=True)
class Result:
    """How a run ended: "complete", "target" (score reached) or "interrupted"."""

    run: Path
    outcome: str
    steps: int
    seconds: float  # from the call of `train` to the end of the last evaluation, resumed time included
    steps_per_second: float  # of collecting and learning, without evaluations and checkpoints
    evaluation: Evaluation | None
    target_seconds: float | None  # when the target was reached and confirmed
    score: Score | None = None  # of the final policy
    best: Score | None = None  # of the best checkpoint; rank 0 only
    best_checkpoint: Path | None = None
    target_score: float | str | None = None
    logging_seconds: float = 0.0  # spent on metrics.jsonl, the display and loggers, in the training thread

    def as_dict(self) -> dict[str, Any]:
        """JSON values for --json and result.json."""

        def value(item: Any) -> Any:
            if isinstance(item, (Evaluation, Score)):
                return item.as_dict()
            return str(item) if isinstance(item, Path) else item

        return {name: value(item) for name, item in vars(self).items()}


@dataclass(frozen=True)
class Outputs:
    """Files and displays of a run. `run` is the directory on rank 0; other ranks write nothing."""

    run: Path
    progress: Progress
    log: MetricsLog | None = None
    loggers: Sequence[Background] = ()


class Loop:
    """Trains until total_steps, the target or an interruption.

    `began` is the start time, shifted by resumed time; `window` has the scores before a resume.
    """

    def __init__(
        self,
        trainer: Trainer,
        outputs: Outputs,
        interrupt: Interrupt,
        began: float,
        window: ScoreWindow | None = None,
    ) -> None:
        self.trainer, self.outputs, self.interrupt, self.began = trainer, outputs, interrupt, began
        self.evaluation: Evaluation | None = None
        self.evaluated_update = -1
        self.evaluation_s = self.logging_s = 0.0
        self.saved_at = self.evaluated_at = time.perf_counter()
        self.target = read_target(trainer.config)
        self.window = window or ScoreWindow()

    def elapsed(self) -> float:
        """Wall-clock seconds of the run, including the earlier parts of a resumed run."""
        return time.perf_counter() - self.began

    def go(self) -> Result:
        trainer, outcome = self.trainer, "complete"
        self.outputs.progress.window = ScoreWindow(self.window.state())
        self.outputs.progress.start(trainer.steps)
        reached: float | None = None
        while trainer.update < trainer.updates:
            line = trainer.step()
            self.window.add(line)
            stop, evaluate, save = self._decide(line)
            if evaluate:
                reached = self._evaluate(line)
            self._record(line, stop or reached is not None or trainer.update == trainer.updates)
            if reached is not None:
                outcome = "target"
                break
            if stop:
                outcome = "interrupted"
                break
            if save:
                self._save()
        return self._end(outcome, reached)

    def _decide(self, line: Mapping[str, Any]) -> list[bool]:
        """Whether to stop, to evaluate and to save, from an interruption on any rank and rank 0's clock."""
        lead = self.trainer.ranks.rank == 0
        save = time.perf_counter() - self.saved_at >= self.trainer.config.train.checkpoint_interval_s
        own = [self.interrupt.requested, lead and self._evaluation_is_due(line, save), lead and save]
        return [count > 0 for count in self.trainer.ranks.sums(own)]

    def _record(self, line: dict[str, Any], last: bool) -> None:
        began = time.perf_counter()
        if self.outputs.log is not None:
            self.outputs.log.write(line)
        for logger in self.outputs.loggers:
            logger.write(line, last=last)
        self.outputs.progress.note(line, last=last)
        self.logging_s += time.perf_counter() - began

    def _evaluation_is_due(self, line: Mapping[str, Any], save: bool) -> bool:
        final, interval_s = self.trainer.update == self.trainer.updates, self.trainer.config.train.evaluation_interval_s
        if interval_s > 0.0 and (final or time.perf_counter() - self.evaluated_at >= interval_s):
            return True
        if self.trainer.seats is not None:
            # Training scores say nothing here, so checkpoints get the score of an evaluation.
            return (final or save or self.target is not None) and self._affordable()
        return self.target is not None and (final or (self._promising(line, self.target) and self._affordable()))

    @staticmethod
    def _promising(line: Mapping[str, Any], target: Target) -> bool:
        """Whether an evaluation is likely to reach the target.

        Training means lag behind an improving policy, because episodes began with an older one, so few evaluations
        miss.
        """
        return bool(line.get("score", line["episode_return"]) >= target.score)

    def _affordable(self) -> bool:
        """Whether another evaluation stays within the time limit for them."""
        spent = self.evaluation_s + (self.evaluation.seconds if self.evaluation else 0.0)  # plus the next one
        return spent <= _EVALUATION_SHARE * self.elapsed()

    def _evaluate(self, line: dict[str, Any]) -> float | None:
        """Evaluates and adds the result to the log line. Returns the time if the target is reached."""
        found = self.evaluation = self.trainer.evaluate()
        self.evaluated_update, self.evaluated_at = self.trainer.update, time.perf_counter()
        self.evaluation_s += found.seconds
        line |= {
            "evaluation_score": found.score,
            "evaluation_ci95": found.ci95,
            "evaluation_seconds": found.seconds,
            **({"evaluation_versus": found.versus} if found.versus else {}),
        }
        self.outputs.progress.evaluated(found.score, describe(found))
        done = self.target is not None and self.target.is_reached(found.score, found.versus) and found.unfinished == 0
        return self.elapsed() if done else None

    def _score(self) -> Score | None:
        """The score of the current policy."""
        if self.evaluation is not None and self.evaluated_update == self.trainer.update:
            return evaluation_score(self.evaluation)
        return None if self.trainer.seats is not None else self.window.score()

    def _save(self) -> None:
        found, score = self.evaluation, self._score()
        extra = {
            "wall_seconds": self.elapsed(),
            "evaluation": found.as_dict() if found else None,
            "score": score.as_dict() if score else None,
            "window": self.window.state(),
        }
        run, lead = self.outputs.run, self.trainer.ranks.rank == 0
        if lead and not run.is_dir():
            run = run.with_name(f"{run.name}-rescued")
        if self.outputs.log is not None:
            self.outputs.log.flush()
        path = self.trainer.save(run, extra)
        if run != self.outputs.run:
            raise FileNotFoundError(
                f"{self.outputs.run} was removed or moved while it was being trained; the checkpoint is {path}"
            )
        if lead:
            prune_checkpoints(self.outputs.run, self.trainer.config.train.keep_checkpoints)
        self.saved_at = time.perf_counter()

    def _end(self, outcome: str, reached: float | None) -> Result:
        self._save()
        trainer = self.trainer
        speed = trainer.steps / trainer.seconds if trainer.seconds else 0.0
        lead = trainer.ranks.rank == 0
        path, best = (best_checkpoint(self.outputs.run) if lead else None) or (None, None)
        return Result(
            self.outputs.run, outcome, trainer.steps, self.elapsed(), speed, self.evaluation, reached,
            self._score(), best, path, trainer.config.train.target_score, self.logging_s,
        )  # fmt: skip


def describe(found: Evaluation) -> str:
    """An evaluation in one line."""
    late = f", {found.unfinished} rows unfinished" if found.unfinished else ""
    if found.versus:
        each = ", ".join(f"{name} {points:.3f}" for name, points in found.versus.items())
        return (
            f"points {found.score:.3f} +- {found.ci95:.3f} (95 %) over {found.episodes} games: {each}; "
            f"{found.seconds:.1f} s{late}"
        )
    return (
        f"score {found.score:.2f} +- {found.ci95:.2f} (95 %; spread {found.score_std:.1f}, {found.score_min:g} to "
        f"{found.score_max:g}) over {found.episodes} episodes of {found.episode_length:.0f} steps, "
        f"{found.seconds:.1f} s{late}"
    )
