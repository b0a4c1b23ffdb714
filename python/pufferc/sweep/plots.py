"""A sweep as a picture: best so far over time, score against cost, every field against the objective, importance.

Filled dots came to their end, rings were stopped early (at the score that they had then), crosses at the worse
edge have no value: failed, or the target not reached. The star is the configuration in best.toml.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pufferc.runs.curves import COLORS, make_figure, style_panel
from pufferc.sweep.objective import LABELS, higher_is_better, pareto, value
from pufferc.sweep.space import Dimension, Space
from pufferc.sweep.trials import ENDED, SEARCH, Trial

FILE = "report.png"
_ACROSS = 4
_ENDED, _STOPPED, _FAILED, _LINE, _STAR = COLORS[0], "#9aa0a6", COLORS[1], COLORS[2], COLORS[4]
_EDGE = 0.02  # position on an axis of runs without a value
_MAX_TICKS = 9
_LOGIT_TICKS = (0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9999)
_JITTER = 0.18  # of dots of one choice; choices are 1 apart


def draw_report(
    out: Path,
    objective: str,
    space: Space,
    trials: Sequence[Trial],
    chosen: int | None,
    shares: Mapping[str, float] | None,
) -> Path:
    """Draws the report into `out`, a PNG; `chosen` is the number of the best run.

    DrawingUnavailable without matplotlib, OSError if it cannot be written.
    """
    search = [trial for trial in trials if trial.phase == SEARCH and trial.outcome not in ("running", "lost")]
    panels = 2 + len(space) + bool(shares)
    across = min(_ACROSS, panels)
    down = -(-panels // across)
    figure = make_figure(across, down)
    axes = [figure.add_subplot(down, across, i + 1) for i in range(panels)]
    star = next((trial for trial in search if trial.number == chosen), None)
    _draw_history(axes[0], objective, search)
    _draw_cost(axes[1], search)
    for panel, dimension in zip(axes[2:], space, strict=False):
        _draw_field(panel, objective, dimension, search, star)
    if shares:
        _draw_shares(axes[-1], shares)
    known = [axis.get_legend_handles_labels() for axis in axes]
    legend = {label: handle for handles, labels in known for handle, label in zip(handles, labels, strict=True)}
    figure.legend(list(legend.values()), list(legend), loc="outside upper left", ncols=5, fontsize=9, frameon=False)
    figure.savefig(out)
    return out


def _height(objective: str, trial: Trial) -> float:
    """The position of a run's mark; NaN without a value, for a mark at the edge."""
    found = value(objective, trial)
    if found is None and higher_is_better(objective) and trial.outcome == "stopped" and trial.score:
        return trial.score.value
    return np.nan if found is None else found


def _scatter(axes: Any, objective: str, xs: Sequence[float], trials: Sequence[Trial]) -> None:
    """Every run's mark."""
    x = np.array(xs, np.float64)
    y = np.array([_height(objective, trial) for trial in trials])
    early = np.array([trial.outcome == "stopped" for trial in trials], bool)
    some = np.isfinite(y)
    ended, stopped, without = some & ~early, some & early, ~some
    axes.plot(x[ended], y[ended], "o", color=_ENDED, markersize=4, alpha=0.75, markeredgewidth=0, label="run")
    if stopped.any():
        axes.plot(
            x[stopped], y[stopped], "o", markersize=3.5, markerfacecolor="none", markeredgecolor=_STOPPED, alpha=0.8,
            label="stopped early",
        )  # fmt: skip
    if without.any():
        edge, place = axes.get_xaxis_transform(), _EDGE if higher_is_better(objective) else 1.0 - _EDGE
        axes.plot(
            x[without], np.full(without.sum(), place), "x", color=_FAILED, markersize=4, transform=edge,
            label="without a value", clip_on=False,
        )  # fmt: skip


def _numbers(axis: Any) -> None:
    from matplotlib.ticker import EngFormatter

    axis.set_major_formatter(EngFormatter(sep=""))


def _draw_history(axes: Any, objective: str, trials: Sequence[Trial]) -> None:
    _scatter(axes, objective, [trial.at_s for trial in trials], trials)
    found = [(trial.at_s, value(objective, trial)) for trial in trials]
    known = [(at, v) for at, v in found if v is not None]
    if known:
        sign = 1.0 if higher_is_better(objective) else -1.0
        record = sign * np.maximum.accumulate([sign * v for _, v in known])
        end = max(trial.at_s for trial in trials)
        x, y = [*(at for at, _ in known), end], [*record, record[-1]]
        axes.step(x, y, where="post", color=_LINE, linewidth=1.8, label="best so far (one seed each)")
    style_panel(axes, "Best so far", "seconds of the sweep", LABELS[objective])
    _numbers(axes.xaxis)
    _numbers(axes.yaxis)


def _draw_cost(axes: Any, trials: Sequence[Trial]) -> None:
    ended = [trial for trial in trials if trial.outcome in ENDED and trial.score]
    scores = [trial.score.value for trial in ended if trial.score]
    axes.plot(
        [trial.seconds for trial in ended], scores, "o", color=_ENDED, markersize=4, alpha=0.75, markeredgewidth=0
    )
    front = pareto(trials)
    if front:
        x, y = [trial.seconds for trial in front], [trial.score.value for trial in front if trial.score]
        axes.step(x, y, "-o", where="post", color=_LINE, linewidth=1.8, markersize=4.5)
    if len({trial.seconds for trial in ended}) > 1:
        _log_axis(axes, [trial.seconds for trial in ended])
    style_panel(axes, "Score for time: line = none beaten in both", "seconds of a run", "score")
    _numbers(axes.yaxis)


def _log_axis(axes: Any, values: Sequence[float]) -> None:
    """A logarithmic horizontal axis with readable numbers, also if it spans less than a factor of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    low, high = min(values), max(values)
    wide = high / low > 30.0
    axes.xaxis.set_major_locator(LogLocator(10.0, (1.0,) if wide else (1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda number, place: f"{number:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(low / (high / low) ** 0.04, high * (high / low) ** 0.04)


def _scale_axis(axes: Any, dimension: Dimension, values: Sequence[float]) -> None:
    """Sets the scale on which a field was drawn uniformly."""
    from matplotlib.ticker import NullLocator

    if dimension.logarithmic:
        _log_axis(axes, values)
    elif dimension.kind == "logit":
        axes.set_xscale("logit")
        ticks = [x for x in _LOGIT_TICKS if min(values) <= x <= max(values)]
        axes.set_xticks(ticks, [f"{x:g}" for x in ticks])
        axes.xaxis.set_minor_locator(NullLocator())


def _draw_field(axes: Any, objective: str, dimension: Dimension, trials: Sequence[Trial], chosen: Trial | None) -> None:
    key, jitter = dimension.key, np.random.default_rng(0)
    seen = [trial for trial in trials if key in trial.params]
    choices = [value for value in dimension.values if not dimension.ordered]
    if choices:
        names = [str(value) for value in choices]
        places = {name: float(i) for i, name in enumerate(names)}
        xs = [places.get(str(t.params[key]), -1.0) + jitter.uniform(-_JITTER, _JITTER) for t in seen]
        axes.set_xticks(range(len(names)), names)
    else:
        xs = [float(trial.params[key]) for trial in seen]
        if len(set(xs)) > 1:
            _scale_axis(axes, dimension, xs)
        every = dimension.all_values() or ()
        if 0 < len(every) <= _MAX_TICKS:
            axes.set_xticks(every, [f"{number:g}" for number in every], minor=False)
            axes.xaxis.minorticks_off()
    _scatter(axes, objective, xs, seen)
    if chosen is not None and chosen in seen and np.isfinite(_height(objective, chosen)):
        at = xs[seen.index(chosen)]
        axes.plot(
            [at], [_height(objective, chosen)], "*", color=_STAR, markersize=13, markeredgecolor="#222222",
            markeredgewidth=0.7, label="best.toml",
        )  # fmt: skip
    style_panel(axes, key, "", LABELS[objective])
    _numbers(axes.yaxis)


def _draw_shares(axes: Any, shares: Mapping[str, float]) -> None:
    order = sorted(shares.items(), key=lambda item: item[1])
    names = [key.partition(".")[2] for key, _ in order]
    axes.barh(names, [share for _, share in order], color=_ENDED, height=0.6)
    style_panel(axes, "What sets the better runs apart", "share (PED-ANOVA)", "")
    axes.grid(False, axis="y")
