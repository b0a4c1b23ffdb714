"""`pufferc sweep NAME`: reads the words of the command line, makes the sweep, prints and draws what it found."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
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
from pufferc.sweep.plan import DEFAULT_RUNS, Plan, Settings, load_plan
from pufferc.sweep.runner import BEST_FILE, run_sweep
from pufferc.sweep.search import METHODS, importances
from pufferc.sweep.space import make_space, read_space, read_words
from pufferc.sweep.stopping import RULES
from pufferc.sweep.text import report_text
from pufferc.sweep.trials import Trial, read_trials

DEFAULT_SPACE = Path(__file__).parents[1] / "config" / "sweeps" / "default.toml"
_CHANGEABLE = ("runs", "budget_s", "jobs", "confirm", "confirm_seeds", "timeout_s")  # when a sweep is resumed
_FIXED = ("method", "objective", "stop", "seed")


def _parser() -> argparse.ArgumentParser:
    own = Settings()
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
    add("--method", metavar="METHOD", help=f"{', '.join(METHODS)} (default {own.method}); tpe needs pufferc[sweep]")
    add("--objective", metavar="WHAT", help="score at the end (default), or steps or time to train.target_score")
    add("--stop", metavar="RULE", help=f"early stopping of hopeless runs: {', '.join(RULES)} (default {own.stop})")
    add("--seed", type=int, help=f"of the proposals (default {own.seed})")
    add("--runs", type=int, help=f"runs of the search (default {DEFAULT_RUNS}, or no limit with --budget)")
    add("--budget", type=float, dest="budget_s", metavar="SECONDS", help="of the whole sweep")
    add("--jobs", type=int, help="runs at once, one thread each (default: one per core)")
    add("--confirm", type=int, metavar="K", help=f"configurations that are run again (default {own.confirm})")
    add("--confirm-seeds", type=int, metavar="S", help=f"with so many seeds each (default {own.confirm_seeds})")
    add("--timeout", type=float, dest="timeout_s", metavar="SECONDS",
        help=f"without progress, after which a run is stopped (default {own.timeout_s:g})")  # fmt: skip
    add("--directory", type=Path, metavar="DIR", help="of the sweep, new or empty (default sweeps/NAME-TIME)")
    add("--resume", type=Path, metavar="DIR", help="continue a sweep; limits, --jobs and --confirm may change")
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
    settings = {"jobs": available_cores(), **_changes(options, _CHANGEABLE + _FIXED)}
    if options.budget_s is not None:
        settings.setdefault("runs", None)
    return Plan(base, space, Settings(**settings))


def _new_directory(game: str, directory: Path | None) -> Path:
    if directory is None:
        return make_directory(Path("sweeps"), env_info(game).name)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise ConfigError(f"directory: {directory} is not empty; --resume {directory} continues a sweep")
    except OSError as error:
        raise ConfigError(f"directory: cannot make {directory}: {error.strerror}") from None
    return directory


def _report(directory: Path, plan: Plan, as_json: bool) -> list[Trial]:
    """Prints and draws the results so far."""
    trials = read_trials(directory)
    objective = plan.settings.objective
    shares = importances(plan.settings.method, plan.space, objective, trials)
    chosen = objectives.best(objective, trials)
    if as_json:
        values = {
            "directory": str(directory),
            "objective": objective,
            "best": chosen.as_dict() if chosen else None,
            "confirmed": [
                {"number": c.number, "mean": c.mean, "spread": c.spread, "values": c.values, "seeds": len(c.runs)}
                for c in objectives.confirmed(objective, trials)
            ],
            "pareto": [trial.number for trial in objectives.pareto(trials)],
            "importance": shares,
            "trials": [trial.as_dict() for trial in trials],
        }
        print(json.dumps(values, indent=1))
    else:
        print(report_text(objective, trials, [dimension.key for dimension in plan.space], shares))
    out = sys.stderr if as_json else sys.stdout
    if trials:
        try:
            path = plots.draw_report(directory / plots.FILE, objective, plan.space, trials, shares)
            print(f"\ndrawn: {path}", file=out)
        except DrawingUnavailable as error:
            print(f"\nnot drawn: {error}", file=out)
    if chosen is not None:
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
    progress = (Silent if options.quiet else Progress)(0)
    if options.resume is None and options.report is None:
        if game is None:
            split_game("sweep", words)
        return _go(_new_plan(str(game), options, rest), options, progress, None)
    directory = options.resume or options.report
    fixed = [name for name in _FIXED if getattr(options, name) is not None]
    fixed += [name for name in ("sweep", "space", "directory") if getattr(options, name)]
    if game or rest or fixed or (options.resume and options.report):
        what = game or (rest and rest[0]) or (f"--{fixed[0]}" if fixed else "--report with --resume")
        raise ConfigError(f"sweep: --resume and --report use the settings of the sweep; got {what} too")
    if options.report:
        plan = load_plan(directory, {})
        return 0 if _report(directory, plan, options.json) else 1
    return _go(load_plan(directory, _changes(options, _CHANGEABLE)), options, progress, directory)


def _go(plan: Plan, options: argparse.Namespace, progress: Progress, directory: Path | None) -> int:
    """Makes a sweep, or continues the one in `directory`."""
    warnings = plan.check()
    new = directory is None
    if directory is None:
        directory = _new_directory(plan.base.game, options.directory)
    for warning in warnings:
        progress.say(f"warning: {warning}")
    limit = f"at most {plan.settings.runs} runs" if plan.settings.runs else "no limit of runs"
    progress.say(f"{'sweep' if new else 'continuing sweep'} {directory}: {limit}, {plan.settings.jobs} at a time")
    done = run_sweep(plan, directory, progress)
    trials = _report(directory, plan, options.json)
    if not done:
        print(f"interrupted; continue with: pufferc sweep --resume {directory}", file=sys.stderr)
        return 130
    return 0 if any(trial.outcome in ("complete", "target") for trial in trials) else 1
