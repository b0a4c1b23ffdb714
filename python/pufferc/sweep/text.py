"""A sweep's results as lines and tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pufferc.runs.records import score_text, table
from pufferc.runs.text import count, duration, short
from pufferc.sweep.objective import LABELS, Confirmed, confirmed, difference, higher_is_better, pareto, ranked, value
from pufferc.sweep.trials import BASE, CONFIRM, OUTCOMES, SEARCH, Trial

_TOP, _FRONT = 10, 12
_WORDS = {"complete": "complete", "target": "reached the target", "stopped": "stopped early", "failed": "failed"}
_WORDS |= {"lost": "lost", "running": "running"}


def value_text(value: Any) -> str:
    """A parameter's value."""
    return short(value) if isinstance(value, float) else str(value)


def result_text(trial: Trial) -> str:
    """How a run ended, in a few words."""
    if trial.outcome == "failed":
        return f"failed: {trial.error}"
    what = _WORDS[trial.outcome]
    return f"score {score_text(trial.score)}, {what} after {count(trial.steps)} steps, {trial.seconds:.2f} s"


def best_comment(objective: str, found: Confirmed | None, order: Sequence[Trial]) -> str:
    """The comment at the top of best.toml."""
    if found is None:
        return f"# Run {order[0].number} of a sweep: {result_text(order[0])}.\n# One seed; not confirmed.\n"
    base = "The configuration that the sweep varies; no run was better"
    what = base if found.number == BASE else f"Run {found.number}"
    seconds = sum(run.seconds for run in found.runs) / len(found.runs)
    seeds = ", ".join(str(run.seed) for run in found.runs)
    return (
        f"# {what}. With fresh seeds: mean {LABELS[objective]} {short(found.mean)}, spread {short(found.spread)},\n"
        f"# {seconds:.2f} s a run, seeds {seeds} ({len(found.values)} of {len(found.runs)} with a value).\n"
    )


def outcomes_text(trials: Sequence[Trial]) -> str:
    """Numbers of runs by outcome; failed ones are always included."""
    found = Counter(trial.outcome for trial in trials)
    return ", ".join(f"{found[name]} {_WORDS[name]}" for name in OUTCOMES if found[name] or name == "failed")


def headline(trials: Sequence[Trial]) -> str:
    """The progress of a sweep."""
    ended = [trial for trial in trials if trial.outcome != "running"]
    search = [trial for trial in ended if trial.phase == SEARCH]
    elapsed_s = max((trial.at_s for trial in ended), default=0.0)
    rate = f", {3600 * len(ended) / elapsed_s:.0f} an hour" if elapsed_s > 0.0 else ""
    again = f"; {len(ended) - len(search)} with fresh seeds" if len(ended) > len(search) else ""
    return f"{len(search)} runs ({outcomes_text(search)}){again}{rate}"


def _short_keys(keys: Sequence[str]) -> list[str]:
    """Keys without their table, where they stay unique."""
    names = [key.partition(".")[2] for key in keys]
    return [key if names.count(name) > 1 else name for key, name in zip(keys, names, strict=True)]


def _ranking(objective: str, trials: Sequence[Trial], keys: Sequence[str]) -> str:
    order = ranked(objective, trials)
    rows = [
        [str(trial.number), score_text(trial.score), count(trial.steps), f"{trial.seconds:.2f}s", trial.outcome]
        + [value_text(trial.params.get(key)) for key in keys]
        for trial in order[:_TOP]
    ]
    missed = sum(value(objective, trial) is None for trial in order)
    note = f"; {missed} of {len(order)} did not reach the target" if missed else ""
    title = f"best {len(rows)} of {len(order)} that finished, by {objective}, one seed each{note}"
    return f"{title}\n{table(['run', 'score', 'steps', 'time', 'outcome', *_short_keys(keys)], rows)}"


def _confirmation(objective: str, found: Sequence[Confirmed]) -> str:
    rows = []
    for candidate in found:
        seconds = [run.seconds for run in candidate.runs if run.outcome != "failed"]
        low_high = (min(candidate.values), max(candidate.values)) if candidate.values else (None, None)
        rows.append(
            [
                "base" if candidate.number == BASE else str(candidate.number),
                short(candidate.mean),
                short(candidate.spread),
                *map(short, low_high),
                f"{len(candidate.values)} of {len(candidate.runs)}",
                f"{sum(seconds) / len(seconds):.2f}s" if seconds else "-",
            ]
        )
    head = ["run", f"mean {objective}", "spread", "lowest", "highest", "seeds", "mean time"]
    title = "run again with fresh seeds, which the search has not seen (base: the configuration that the space varies)"
    return f"{title}\n{table(head, rows)}\n{verdict(objective, found)}"


def verdict(objective: str, found: Sequence[Confirmed]) -> str:
    """Whether the best configuration is better than the base configuration, given the spread of the seeds."""
    own = next((c for c in found if c.number == BASE), None)
    candidate = next((c for c in found if c.number != BASE), None)
    if own is None or candidate is None or candidate.mean is None:
        return "nothing to compare: no configuration has a value"
    if candidate.missing != own.missing or own.mean is None:
        better = "the base" if own.missing < candidate.missing else f"run {candidate.number}"
        return f"{better} has a value with more of the seeds"
    gain = difference(candidate, own)
    if gain is None:
        means = f"{short(candidate.mean)} and {short(own.mean)}"
        return f"run {candidate.number} against the base: {means}, too few seeds to judge"
    amount, error = gain
    sign = 1.0 if higher_is_better(objective) else -1.0
    if abs(amount) <= 2.0 * error or amount == 0.0:
        word = "no clear difference"
    else:
        word = "better" if sign * amount > 0.0 else "worse"
    return f"run {candidate.number} against the base: {amount:+.4g} +- {error:.2g} (standard error): {word}"


def _front(trials: Sequence[Trial]) -> str:
    front = pareto(trials)
    cells = [f"run {t.number} {t.seconds:.2f}s {score_text(t.score)}" for t in front]
    kept = cells if len(cells) <= _FRONT else [*cells[: _FRONT // 2], "...", *cells[-_FRONT // 2 :]]
    return f"score for time, none beaten in both: {'   '.join(kept)}"


def _shares(shares: Mapping[str, float]) -> str:
    found = sorted(shares.items(), key=lambda item: -item[1])
    return "what sets the better runs apart (PED-ANOVA): " + ", ".join(f"{key} {share:.0%}" for key, share in found)


def report_text(
    objective: str, trials: Sequence[Trial], keys: Sequence[str], seeds: int, shares: Mapping[str, float] | None
) -> str:
    """All results of a sweep so far. `seeds`: fresh ones per configuration."""
    elapsed = max((trial.at_s for trial in trials), default=0.0)
    parts = [f"{headline(trials)}, {duration(elapsed)}"]
    if not ranked(objective, trials):
        errors = Counter(trial.error for trial in trials if trial.error)
        parts += [f"no run finished with a score{''.join(f'{chr(10)}  {n} x {e}' for e, n in errors.most_common(3))}"]
        return "\n".join(parts)
    parts.append(_ranking(objective, trials, keys))
    parts.append(_front(trials))
    if shares:
        parts.append(_shares(shares))
    if any(trial.phase == CONFIRM for trial in trials):
        parts.append(_confirmation(objective, confirmed(objective, trials, seeds)))
    else:
        parts.append("not run again with fresh seeds: the best of many runs looks better than it is")
    return "\n\n".join(parts)
