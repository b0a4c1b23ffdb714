"""`pufferc sweep NAME`: reads the words of the command line, makes the sweep, prints and draws what it found."""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pufferc.commands.game_flags import split_game
from pufferc.commands.train_flags import parse_train
from pufferc.config import Config, ConfigError
from pufferc.envs.games import env_info
from pufferc.errors import available_cores
from pufferc.loggers import Progress, Silent
from pufferc.pictures.renderer import DrawingUnavailable
from pufferc.runs.directory import make_directory
from pufferc.sweep import objective as objectives
from pufferc.sweep import plots
from pufferc.sweep.plan import DEFAULT_RUNS, PRUNERS, Limits, Plan, Settings
from pufferc.sweep.runner import BEST_FILE, run_sweep
from pufferc.sweep.samplers import METHODS
from pufferc.sweep.space import make_space, read_space, read_words
from pufferc.sweep.study import JOURNAL, importances, journal_path, load_sweep
from pufferc.sweep.text import report_text
from pufferc.sweep.trials import ENDED, SEARCH, Trial

DEFAULT_SPACE = Path(__file__).parents[1] / "config" / "sweeps" / "default.toml"
_LIMITS = ("runs", "budget_s", "jobs", "timeout_s")  # of one process
_FIXED = ("method", "objective", "stop", "seed", "confirm_seeds", "opponent")  # of the sweep


def _parser() -> argparse.ArgumentParser:
    own, limits = Settings(), Limits()
    parser = argparse.ArgumentParser(
        "pufferc sweep",
        usage="pufferc sweep NAME [flags] [flags of pufferc train NAME]\n"
        "       pufferc sweep --resume DIR | --report DIR",
        description="Search for better settings with many runs; the best are run again with fresh seeds.",
        epilog="Flags such as --train.total-steps and --config set what does not vary: pufferc train NAME --help.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--sweep", type=Path, metavar="FILE", help="TOML file with the space; without it and --space, a packaged one")
    add("--space", action="append", default=[], metavar="KEY=KIND:...", help="a field to sweep, as often as wanted: "
        "train.learning_rate=log:1e-3:1e-1, train.horizon=choice:16,32,64")  # fmt: skip
    add("--method", metavar="METHOD", help=f"{', '.join(METHODS)} (default {own.method})")
    add("--objective", metavar="WHAT", help="score at the end (default), steps or time to train.target_score, or "
        "pareto: score and seconds")  # fmt: skip
    add("--opponent", metavar="WHO", help="in self-play: runs are compared by their points against it, as in script:1")
    add("--stop", metavar="RULE", help=f"early stopping of hopeless runs: {', '.join(PRUNERS)} (default {own.stop})")
    add("--seed", type=int, help=f"of the proposals (default {own.seed})")
    add("--runs", type=int, help=f"runs of the whole search (default {DEFAULT_RUNS}, or no limit with --budget)")
    add("--budget", type=float, dest="budget_s", metavar="SECONDS", help="of this process, confirmations included")
    add("--jobs", type=int, help="runs at once, one thread each (default: one per core)")
    add("--confirm", type=int, metavar="K", help=f"best configurations that get fresh seeds (default {own.confirm})")
    add("--confirm-seeds", type=int, metavar="S", help=f"so many each (default {own.confirm_seeds})")
    add("--timeout", type=float, dest="timeout_s", metavar="SECONDS",
        help=f"without progress, after which a run is stopped (default {limits.timeout_s:g})")  # fmt: skip
    add("--directory", type=Path, metavar="DIR", help="of the sweep, new or empty (default sweeps/NAME-TIME)")
    add("--storage", type=Path, metavar="FILE", help="journal, in a folder for this sweep alone; the same command on "
        "any machine that shares the file joins the sweep")  # fmt: skip
    add("--resume", type=Path, metavar="DIR", help="continue a sweep, or join it, as its journal says")
    add("--report", type=Path, metavar="DIR", help="print and plot the results of a sweep again")
    add("--quiet", action="store_true", help="no progress lines")
    add("--json", action="store_true", help="print the result as JSON")
    return parser


def _changes(options: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(options, name) for name in names if getattr(options, name) is not None}


def _base(game: str, words: list[str]) -> Config:
    """The configuration that the flags of `pufferc train` make."""
    parsed = parse_train(game, words, "sweep")
    given = {"--weights": parsed.weights, "--train.seeds": parsed.seeds}
    given["--parallel"] = None if parsed.parallel == 1 else parsed.parallel
    for flag, value in given.items():
        if value is not None:
            raise ConfigError(f"sweep: {flag} is a flag of pufferc train only, got {value!r}")
    config: Config = parsed.config
    return config


def _new_plan(game: str, options: argparse.Namespace, words: list[str]) -> Plan:
    base = _base(game, words)
    specifications = read_space(options.sweep) if options.sweep else {}
    specifications |= read_words(options.space)
    space = make_space(base, specifications or read_space(DEFAULT_SPACE))
    settings = _changes(options, (*_FIXED, "confirm"))
    if settings.get("objective") == objectives.TWO:
        settings.setdefault("stop", "none")
    return Plan(base, space, Settings(**settings))


def _limits(options: argparse.Namespace) -> Limits:
    limits = {"jobs": available_cores(), **_changes(options, _LIMITS)}
    if options.budget_s is not None:
        limits.setdefault("runs", None)
    found = Limits(**limits)
    found.check()
    return found


def _new_journal(game: str, options: argparse.Namespace) -> Path:
    """The journal of a new sweep, or of one to join."""
    if options.storage is not None:
        return _shared_journal(options.storage)
    directory: Path | None = options.directory
    if directory is None:
        return make_directory(Path("sweeps"), env_info(game).name) / JOURNAL
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise ConfigError(f"directory: {directory} is not empty; --resume {directory} continues a sweep")
    except OSError as error:
        raise ConfigError(f"directory: cannot make {directory}: {error.strerror}") from None
    return directory / JOURNAL


def _shared_journal(path: Path) -> Path:
    """The journal `path`, whose folder is the sweep's. ConfigError if the folder is that of something else."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() and any(not each.name.startswith(path.name) for each in path.parent.iterdir()):
            raise ConfigError(
                f"storage: {path.parent} has other files, and a sweep has its folder for itself; "
                f"give a file in a new one, such as {path.parent / 'sweep' / JOURNAL}"
            )
    except OSError as error:
        raise ConfigError(f"storage: cannot make {path.parent}: {error.strerror}") from None
    return path


def _report(journal: Path, as_json: bool) -> list[Trial]:
    """Prints and draws the results so far."""
    plan, trials = load_sweep(journal)
    directory, objective, seeds = journal.parent, plan.settings.objective, plan.settings.confirm_seeds
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the experimental PED-ANOVA
        shares = importances(plan, trials)
    order, found = objectives.ranked(objective, trials), objectives.best(objective, trials, seeds)
    number = found.number if found is not None else order[0].number if order else None
    if as_json:
        values = {
            "directory": str(directory),
            "objective": objective,
            "best": {"number": number, "confirmed": found is not None} if number is not None else None,
            "confirmed": [
                {"number": c.number, "mean": c.mean, "spread": c.spread, "values": c.values, "seeds": len(c.runs)}
                for c in objectives.confirmed(objective, trials, seeds)
            ],
            "pareto": [trial.number for trial in objectives.pareto(trials)],
            "importance": shares,
            "trials": [trial.as_dict() for trial in trials],
        }
        print(json.dumps(values, indent=1))
    else:
        print(report_text(objective, trials, [dimension.key for dimension in plan.space], seeds, shares))
    out = sys.stderr if as_json else sys.stdout
    if trials:
        try:
            path = plots.draw_report(directory / plots.FILE, objective, plan.space, trials, number, shares)
            print(f"\ndrawn: {path}", file=out)
        except DrawingUnavailable as error:
            print(f"\nnot drawn: {error}", file=out)
    if number is not None:
        print(f"pufferc train {plan.base.game} --config {directory / BEST_FILE}", file=out)
    return trials


def main(words: list[str]) -> int:
    """`pufferc sweep NAME [flags]`, `--resume DIR` or `--report DIR`. 0 done, 1 no run ended well, 130 interrupted."""
    game = None
    if words and not words[0].startswith("-"):
        game, words = split_game("sweep", words)
    options, rest = _parser().parse_known_args(words)
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise ConfigError("sweep: torchrun's processes share one run; a sweep starts its own processes, see --jobs")
    if options.resume is None and options.report is None:
        if game is None:
            split_game("sweep", words)
        if options.storage and options.directory:
            raise ConfigError(
                "sweep: give --storage or --directory, not both; the folder of --storage is the directory"
            )
        plan = _new_plan(str(game), options, rest)
        return _go(plan, options, None)
    directory = options.resume or options.report
    fixed = [name for name in _FIXED if getattr(options, name) is not None]
    fixed += [name for name in ("sweep", "space", "directory", "storage") if getattr(options, name)]
    if game or rest or fixed or (options.resume and options.report):
        what = game or (rest and rest[0]) or (f"--{fixed[0]}" if fixed else "--report with --resume")
        raise ConfigError(f"sweep: --resume and --report use the settings of the sweep; got {what} too")
    journal = journal_path(directory)
    if options.report:
        _report(journal, options.json)
        return 0
    plan = load_sweep(journal)[0]
    settings = replace(plan.settings, **_changes(options, ("confirm",)))
    return _go(replace(plan, settings=settings), options, journal)


def _go(plan: Plan, options: argparse.Namespace, journal: Path | None) -> int:
    """Makes a sweep, or works on the one in `journal`."""
    limits = _limits(options)
    found = plan.check(limits.jobs)
    new = journal is None
    if journal is None:
        journal = _new_journal(plan.base.game, options)
    progress = (Silent if options.quiet else Progress)(0)
    for warning in found:
        progress.say(f"warning: {warning}")
    limit = f"at most {limits.runs} runs" if limits.runs else "no limit of runs"
    progress.say(f"{'sweep' if new else 'continuing sweep'} {journal.parent}: {limit}, {limits.jobs} at a time")
    done = run_sweep(journal, plan, limits, progress)
    trials = _report(journal, options.json)
    if not done:
        print(f"interrupted; continue with: pufferc sweep --resume {journal.parent}", file=sys.stderr)
        return 130
    return 0 if any(trial.outcome in ENDED and trial.phase == SEARCH for trial in trials) else 1
