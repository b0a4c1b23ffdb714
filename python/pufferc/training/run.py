"""One training run from start to end: directory, log, displays, loggers, interruption and resumption.

runs/directory.py describes the run directory, loop.py has the loop, and ppo.py the algorithm.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

import pufferc
from pufferc import _core
from pufferc.config import Config, ConfigError
from pufferc.envs.games import Game, env_info
from pufferc.loggers import Progress, Silent, check_loggers, open_loggers
from pufferc.loggers.background import Opening
from pufferc.runs.checkpoint import Checkpoint, load_checkpoint, load_game_checkpoint, load_run_checkpoint
from pufferc.runs.directory import locked, make_directory, policy_name, write_config, write_json, write_start
from pufferc.runs.machine import machine
from pufferc.runs.metrics import MetricsLog, last_line
from pufferc.runs.scores import Score, ScoreWindow
from pufferc.runs.text import count, duration
from pufferc.training.distributed import connect
from pufferc.training.faults import check_metrics
from pufferc.training.from_checkpoint import load_weights
from pufferc.training.interrupt import Interrupt
from pufferc.training.loop import Loop, Outputs, Result, describe
from pufferc.training.resolve import resolve
from pufferc.training.resume import resumed_config
from pufferc.training.sharding import INEXACT
from pufferc.training.trainer import Trainer

__all__ = ["Result", "describe", "run_facts", "summary", "train"]


def train(
    config: Config | None = None,
    *,
    runs: Path | str = "runs",
    directory: Path | str | None = None,
    resume: Path | str | None = None,
    weights: Path | str | None = None,
    changes: Mapping[str, Any] | None = None,
    quiet: bool = False,
    dashboard: bool = False,
    display: Progress | None = None,
    game: Game | None = None,
) -> Result:
    """Trains until total_steps, the target score, or an interruption, and saves a checkpoint at the end.

    Args:
        config: The configuration; None with `resume`, which uses the saved one.
        runs: Folder for the new run's directory.
        directory: Existing directory for the new run, in place of a new one in `runs`. It must not hold a run.
        resume: Checkpoint directory to resume; its run continues.
        weights: Checkpoint directory with the initial weights of a new run.
        changes: With `resume`: settings that change, such as {"train.total_steps": 10_000_000}; see resume.py.
        quiet: No progress lines.
        dashboard: Show a dashboard instead of progress lines if the terminal supports it.
        display: Receives the output instead of a terminal.
        game: The game, with `resume`; required if it was loaded from a shared object.

    Under torchrun all processes call this with the same arguments and take part in one run, see distributed.py. They
    get the same result, except for fields that only rank 0 has. Rank 0 writes; every rank reads the checkpoint of
    `resume` or `weights`.

    Raises:
        ConfigError, CheckpointError: Invalid arguments; nothing was started.
        ppo.NotFinite: The loss became NaN; the last checkpoint remains. Its subclass faults.GameNotFinite: because of a
            number of the game.
        distributed.LostRank: Another process of the run ended; the last checkpoint remains.
    """
    began = time.perf_counter()
    with connect() as ranks, ExitStack() as stack:
        checkpoint = _load(resume, game)
        config = config if checkpoint is None else resumed_config(checkpoint, changes or {})
        if config is None:
            raise ConfigError("config: expected a Config, or resume=<checkpoint>")
        config, warnings = resolve(config, processes=ranks.world, local_processes=ranks.local_world)
        check_loggers(config.train.loggers)
        stack.callback(_core.stop_watching_crashes)
        _watch_crashes(config.game)
        check_metrics(config)
        trainer = Trainer(config, ranks)
        stack.callback(trainer.env.close)
        if weights is not None and checkpoint is None:
            load_weights(trainer.policy, load_checkpoint(Path(weights)))
        run = _open_directory(trainer, checkpoint, Path(runs), directory, stack)
        _watch_crashes(config.game, run)
        warnings += _begin(trainer, checkpoint)
        if ranks.rank == 0:
            progress = display or _display(trainer, run, quiet, dashboard)
        else:
            progress = Silent(config.train.total_steps)
        stack.callback(progress.close)
        for warning in warnings:
            progress.say(f"warning: {warning}")
        progress.say(f"{'resuming' if checkpoint else 'run'} {run}")
        return _run(trainer, run, checkpoint, progress, began, stack)


def _load(resume: Path | str | None, game: Game | None) -> Checkpoint | None:
    if resume is None:
        return None
    return load_run_checkpoint(Path(resume)) if game is None else load_game_checkpoint(Path(resume), game)


def _open_directory(
    trainer: Trainer, checkpoint: Checkpoint | None, runs: Path, directory: Path | str | None, stack: ExitStack
) -> Path:
    """The run's directory, which rank 0 locks and initialises."""
    run = None
    if trainer.ranks.rank == 0:
        if checkpoint is not None:
            run = checkpoint.path.parent.parent
        else:
            run = make_directory(runs, trainer.env.name) if directory is None else Path(directory)
        stack.enter_context(locked(run))
        if checkpoint is None:
            write_start(run, trainer.config, run_facts())
        else:
            write_config(run, trainer.config)  # some settings may have changed
    return Path(trainer.ranks.share(str(run)))


def _watch_crashes(game: str, run: Path | None = None) -> None:
    """A crash of the game's code then says so, and how to find the mistake."""
    info = env_info(game)
    name = info.path or info.name
    advice = (
        f"pufferc check --debug {name}" if info.path else f"pufferc check {name}, and report it: {name} is built in"
    )
    kept = "" if run is None else f"; the checkpoints in {run} are kept"
    before = f"\npufferc: training stopped: the code of the game {name} "
    _core.watch_crashes(before, f"{kept}. To find the mistake: {advice}\n")


def _begin(trainer: Trainer, checkpoint: Checkpoint | None) -> list[str]:
    """Starts or resumes training. Returns warnings."""
    warnings = [] if trainer.share.exact else [INEXACT]
    if checkpoint is None:
        trainer.start()
    elif (why := trainer.restore(checkpoint)) is not None:
        warnings.append(f"{why}; games restart, so results will differ from an uninterrupted run")
    return warnings


def _run(
    trainer: Trainer, run: Path, checkpoint: Checkpoint | None, progress: Progress, began: float, stack: ExitStack
) -> Result:
    """Opens the outputs, runs the loop and writes result.json. `stack` closes the outputs."""
    lead, result_file = trainer.ranks.rank == 0, run / "result.json"
    outputs = _open_outputs(trainer, run, checkpoint, progress, stack) if lead else Outputs(run, progress)
    meta = checkpoint.meta if checkpoint is not None else {}
    before, window = float(meta.get("wall_seconds", 0.0)), ScoreWindow(meta.get("window") or ())
    try:
        with Interrupt(progress.say) as interrupt:
            result = Loop(trainer, outputs, interrupt, began - before, window).go()
    except BaseException as error:
        outcome = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        text = str(error) or type(error).__name__
        if lead:
            with suppress(OSError):  # the disk may be full, which may be the error itself
                write_json(result_file, {"run": str(run), "outcome": outcome, "steps": trainer.steps, "error": text})
        raise
    if lead:
        write_json(result_file, result.as_dict())
    return result


def _open_outputs(
    trainer: Trainer, run: Path, checkpoint: Checkpoint | None, progress: Progress, stack: ExitStack
) -> Outputs:
    (run / "result.json").unlink(missing_ok=True)
    metrics_file = run / "metrics.jsonl"
    written = (last_line(metrics_file) or {}).get("steps") if checkpoint is not None and metrics_file.is_file() else 0
    log = MetricsLog(metrics_file, trainer.log_keys(), resume_update=trainer.update if checkpoint is not None else None)
    stack.callback(log.close)
    opening = Opening(run, trainer.config, trainer.steps, written if isinstance(written, int) else 0)
    loggers = open_loggers(trainer.config.train.loggers, opening, progress.alert)
    for logger in loggers:
        stack.callback(logger.close)
    return Outputs(run, progress, log, loggers)


def _display(trainer: Trainer, run: Path, quiet: bool, dashboard: bool) -> Progress:
    """The run's display: none, a dashboard if the terminal supports it, or plain lines."""
    config = trainer.config
    if quiet:
        return Silent(config.train.total_steps)
    if dashboard:
        from pufferc.loggers.dashboard import Dashboard, usable

        if usable(sys.stderr):
            policy, cuda = config.policy, trainer.device.type == "cuda"
            return Dashboard(
                config.train.total_steps,
                title=f"{trainer.env.name} · {policy_name(vars(policy))} · seed {config.train.seed}",
                subtitle=str(run),
                metrics=list(trainer.env.pop_metrics()),
                target=config.train.target_score,
                gpu_bytes=(lambda: torch.cuda.memory_allocated(trainer.device)) if cuda else None,
            )
    # Notebooks show stderr as if it were an error.
    return Progress(config.train.total_steps, stream=sys.stdout if _in_notebook() else None)


def _in_notebook() -> bool:
    """Whether this process is a notebook's kernel. Programs that only import ipykernel are not."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def run_facts() -> dict[str, Any]:
    """Versions and machine data that may affect speed or results."""
    return {
        **machine(),
        "pufferc": pufferc.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "cuda": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
    }


def summary(result: Result) -> str:
    """How a run ended, in one line."""
    ended = {"target": "target reached", "complete": "complete", "interrupted": "interrupted"}[result.outcome]
    if result.outcome == "complete" and result.target_score is not None:
        ended = "complete, target not reached"
    time_text = f"{result.seconds:.2f} s" if result.seconds < 60.0 else duration(result.seconds)
    score = "" if result.score is None else f", {_score_text(result.score)}"
    speed = f"{count(result.steps_per_second)} steps/s"
    return f"{ended}: {count(result.steps)} steps in {time_text}, {speed}{score}; {result.run}"


def _score_text(score: Score) -> str:
    if score.source == "training":
        return f"score {score.value:.2f} over the last {score.episodes} training episodes"
    spread = "" if score.ci95 is None else f" +- {score.ci95:.2f}"
    return f"score {score.value:.2f}{spread} over {score.episodes} evaluation episodes"
