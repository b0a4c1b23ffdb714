"""Compares pufferc with other libraries on the same work in one run: medians and ratios.

    python benchmarks/rivals                          # needs pufferc[train]; lists rivals that are not installed
    python benchmarks/rivals cartpole --threads 1     # part of the work, on one core
    python benchmarks/rivals train-breakout --seeds 1 --limit-s 60

Rivals: pip install envpool gymnax six stable-baselines3 pufferlib (preferably in a separate virtual environment).
Compare figures of one call only, never of two calls or two machines.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
from collections.abc import Sequence

import advantages
import environments
import training
from race import Figures, label, race

RACES = {
    "cartpole": (f"CartPole, {environments.ROWS} games, from Python", environments.CARTPOLE, 1e6, "M steps/s"),
    "breakout": (f"Breakout, {environments.ROWS} games, from Python", environments.BREAKOUT, 1e6, "M steps/s"),
    "advantages": (f"advantages [{advantages.STEPS}, {advantages.ROWS}]", advantages.ADVANTAGES, 1e3, "per ms"),
}
TRAININGS = {
    "train-cartpole": ("PPO, CartPole to 475", training.CARTPOLE),
    "train-breakout": ("PPO, Breakout, 128 wide", training.BREAKOUT),
}
HEAD = "| work | cores | library | figure | pufferc is |\n|---|---|---|---|---|"


def available_cores() -> int:
    from pufferc.errors import available_cores as count

    return count()


def times(ratio: float, what: str = "as fast") -> str:
    return f"{ratio:.1f} x {what}"


def race_rows(title: str, threads: int, found: list[Figures], scale: float, unit: str) -> list[str]:
    ours, rows = found[0].median, []
    for figures in found:
        library = label(figures.contender.name, figures.contender.package, figures.contender.note)
        if figures.median is None:
            rows.append(f"| {title} | {threads} | {library} | {figures.reason} | |")
            continue
        ratio = times(ours / figures.median) if ours and figures is not found[0] else ""
        rows.append(f"| {title} | {threads} | {library} | {figures.median / scale:.3g} {unit} | {ratio} |")
    return rows


def training_figure(outcomes: list[training.Outcome]) -> str:
    """Seconds to the target per seed, "-" if it was not reached or there is none; then the median speed."""
    speed = statistics.median(outcome.steps_per_second for outcome in outcomes)
    ends = [f"{outcome.seconds:.1f} s" if outcome.seconds is not None else "-" for outcome in outcomes]
    return f"{', '.join(ends)}; {speed / 1e3:.3g} k steps/s"


def training_ratio(ours: list[training.Outcome], theirs: list[training.Outcome]) -> str:
    """Compares median times to the target, or median speeds if a target was not reached."""
    if not ours:
        return ""
    seconds = [[outcome.seconds for outcome in each if outcome.seconds is not None] for each in (ours, theirs)]
    if (len(seconds[0]), len(seconds[1])) == (len(ours), len(theirs)):
        return times(statistics.median(seconds[1]) / statistics.median(seconds[0]), "sooner")
    speeds = [statistics.median(outcome.steps_per_second for outcome in each) for each in (ours, theirs)]
    return times(speeds[0] / speeds[1], "the steps/s")


def training_rows(title: str, threads: int, found: list[training.Trainings]) -> list[str]:
    rows = []
    for one in found:
        library = label(one.trainer.name, one.trainer.package, one.trainer.note)
        if not one.outcomes:
            rows.append(f"| {title} | {threads} | {library} | {one.reason} | |")
            continue
        ratio = training_ratio(found[0].outcomes, one.outcomes) if one is not found[0] else ""
        rows.append(f"| {title} | {threads} | {library} | {training_figure(one.outcomes)} | {ratio} |")
    return rows


def parse(words: Sequence[str]) -> argparse.Namespace:
    names = [*RACES, *TRAININGS]
    parser = argparse.ArgumentParser(prog="python benchmarks/rivals", description=__doc__.partition("\n")[0])
    parser.add_argument("work", nargs="*", metavar="WORK", help=f"some of {', '.join(names)}; none = all")
    parser.add_argument("--threads", type=int, nargs="+", help="numbers of cores to use (default: 1 and all)")
    parser.add_argument("--rounds", type=int, default=7, help="number of turns; the result is their median")
    parser.add_argument("--seconds", type=float, default=0.3, help="length of a turn")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="seeds of training runs")
    parser.add_argument("--limit-s", type=float, default=20.0, help="time limit of a training run without a target")
    options = parser.parse_args(list(words))
    if unknown := [name for name in options.work if name not in names]:
        parser.error(f"{unknown[0]!r} is not among {', '.join(names)}")
    cores = available_cores()
    options.threads = options.threads or sorted({1, cores})
    if min(options.rounds, *options.threads) < 1 or max(options.threads) > cores or options.seconds <= 0:
        parser.error(f"--rounds must be at least 1, --threads in [1, {cores}], --seconds above 0")
    return options


def main(words: Sequence[str]) -> int:
    options = parse(words)
    from pufferc.runs.machine import cpu_model

    print(f"{cpu_model()}, {available_cores()} cores, {platform.system()}, Python {platform.python_version()}\n")
    print(HEAD, flush=True)
    for name, (title, contenders, scale, unit) in RACES.items():
        for threads in options.threads if name in (options.work or RACES) else []:
            found = race(contenders, threads, options.rounds, options.seconds)
            print("\n".join(race_rows(title, threads, found, scale, unit)), flush=True)
    for name, (title, trainers) in TRAININGS.items():
        if name in (options.work or TRAININGS):
            threads = max(options.threads)
            results = training.compete(trainers, threads, options.seeds, options.limit_s)
            print("\n".join(training_rows(title, threads, results)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
