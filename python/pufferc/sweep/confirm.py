"""Which configuration is run again with a fresh seed, and when.

The best of many runs looks better than it is, so only means over fresh seeds count. The base configuration is the first
to be confirmed. During the search, a run that beats the best mean so far challenges it: its configuration is run with
one fresh seed after the other, and dropped after one that is worse than every one of the best. When the search is over,
the best few configurations get the rest of their seeds.
"""

from __future__ import annotations

from collections.abc import Sequence

from pufferc.sweep.objective import TWO, Confirmed, best, higher_is_better, pareto, ranked, value
from pufferc.sweep.plan import Settings
from pufferc.sweep.study import Purpose
from pufferc.sweep.trials import BASE, CONFIRM, Trial


def next_confirmation(settings: Settings, trials: Sequence[Trial], *, final: bool) -> Purpose | None:
    """The next run with a fresh seed, if one is due. `final`: the search is over."""
    if settings.confirm == 0:
        return None
    taken = _taken(trials)
    if len(taken.get(BASE, ())) < settings.confirm_seeds:
        return Purpose(CONFIRM, BASE, len(taken.get(BASE, ())))
    objective, champion = settings.objective, best(settings.objective, trials, settings.confirm_seeds)
    for trial in _candidates(settings, trials):
        runs = taken.get(trial.number, [])
        if len(runs) >= settings.confirm_seeds:
            continue
        if not final and champion is not None and _dropped(objective, champion, runs):
            continue
        if not final and (champion is None or not _challenges(objective, champion, trial)):
            return None
        if not final and runs and runs[-1].outcome == "running":
            continue
        return Purpose(CONFIRM, trial.number, len(runs), trial.params)
    return None


def _taken(trials: Sequence[Trial]) -> dict[int, list[Trial]]:
    """Confirmations by configuration, without lost ones, in the order of their starts."""
    found: dict[int, list[Trial]] = {}
    for trial in sorted(trials, key=lambda trial: trial.index):
        if trial.phase == CONFIRM and trial.outcome != "lost":
            found.setdefault(trial.number, []).append(trial)
    return found


def _candidates(settings: Settings, trials: Sequence[Trial]) -> list[Trial]:
    """The configurations that are worth fresh seeds, best first."""
    if settings.objective == TWO:
        front = pareto(trials)[::-1]  # the highest score first
        step = max(1, -(-len(front) // settings.confirm))
        return front[::step]
    return ranked(settings.objective, trials)[: settings.confirm]


def _better(objective: str, one: float, other: float) -> bool:
    return one > other if higher_is_better(objective) else one < other


def _challenges(objective: str, champion: Confirmed, trial: Trial) -> bool:
    """Whether a run of the search beats the best mean so far."""
    found = value(objective, trial)
    assert champion.mean is not None
    return objective != TWO and found is not None and _better(objective, found, champion.mean)


def _dropped(objective: str, champion: Confirmed, runs: Sequence[Trial]) -> bool:
    """Whether a fresh seed of a challenger was worse than every one of the champion, or missed the target."""
    ended = [value(objective, run) for run in runs if run.outcome != "running"]
    return any(found is None or all(_better(objective, theirs, found) for theirs in champion.values) for found in ended)
