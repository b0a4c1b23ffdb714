"""Plots learning curves (score, speed and losses) of one or more runs from metrics.jsonl into one PNG.

Runs of one game share their panels; each further game has a row of its own, with the first four panels.

The seeds of a group (runs/NAME-seeds/seed-*) are one curve, their mean, in a band from the lowest seed to the highest.
Needs matplotlib, which pufferc[render] installs, and no display.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pufferc.config import ConfigError, read_toml
from pufferc.files import expect_folder
from pufferc.pictures.renderer import DrawingUnavailable
from pufferc.runs.compare import differences, flat
from pufferc.runs.directory import GROUP_SUFFIX, members

__all__ = ["COLORS", "make_figure", "plot", "read_metrics", "style_panel"]

Curve = NDArray[np.float64]
Table = dict[str, Curve]  # the columns of one run

# Panels: title, unit of the vertical axis, and keys of metrics.jsonl, of which the first one found is drawn.
_PANELS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Score of finished episodes", "score", ("score",)),
    ("Speed", "agent steps per second", ("sps",)),
    ("Length of finished episodes", "steps", ("episode_length",)),
    ("Policy loss", "loss", ("policy_loss",)),
    ("Value loss", "loss", ("value_loss",)),
    ("Entropy of the policy", "nats", ("entropy",)),
    ("Approximate KL divergence", "nats", ("approx_kl", "kl")),
    ("Explained variance of values", "share", ("explained_variance",)),
)
_X_LABELS = {"steps": "agent steps", "time_s": "seconds", "update": "update"}
# Okabe and Ito's palette, which is safe for colour-blind readers. More series differ by line style.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#3c3c3c")
_STYLES = ("-", "--", ":", "-.")
_LEGEND_CHARACTERS = 50  # of the legend's text, as wide as one panel
_ACROSS = 4  # panels side by side
_LABEL_SETTINGS = 4  # different settings that a label names at most; with more it is the run's folder
_LABEL_CHARACTERS = 24  # of a value in a label
_GRID_POINTS = 400  # of the mean over seeds


class NoUpdates(ValueError):
    """A run has not logged an update: it has just begun, or it failed before the first one."""


def read_metrics(run: str | os.PathLike[str]) -> dict[str, Curve]:
    """The columns of a run's metrics.jsonl: float64 [updates] by key, NaN where a line has no number.

    `run` is a run's directory or the file itself. An incomplete last line of a running process is ignored.

    Raises:
        FileNotFoundError: There is no such file.
        NoUpdates: The file holds no update.
        ValueError: A line is not a JSON object.
    """
    path = Path(run)
    path = path / "metrics.jsonl" if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(f"no run in {run}: there is no {path}")
    rows: list[dict[str, Any]] = []
    lines = path.read_bytes().decode("utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
        except ValueError:
            if number == len(lines):
                break
            raise ValueError(f"{path}, line {number}: not JSON") from None
        if not isinstance(row, dict):
            raise ValueError(f"{path}, line {number}: not a JSON object")
        rows.append(row)
    if not rows:
        raise NoUpdates(f"{path} has no updates yet")
    numbers = {key for row in rows for key, value in row.items() if isinstance(value, (int, float))}
    return {
        key: np.array([float(row[key]) if isinstance(row.get(key), (int, float)) else np.nan for row in rows])
        for key in rows[0]
        if key in numbers
    }


def _smooth(curve: Curve, window: int) -> Curve:
    """Running mean over `window` updates, without NaN."""
    valid = np.isfinite(curve)
    kernel = np.ones(window)
    total = np.convolve(np.where(valid, curve, 0.0), kernel, "full")[: curve.size]
    count = np.convolve(valid.astype(np.float64), kernel, "full")[: curve.size]
    mean: Curve = np.full(curve.size, np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean


def _curve(table: Table, key: str, x: str) -> tuple[Curve, Curve] | None:
    """Places and smoothed values of one run's curve; None without values."""
    if key not in table or x not in table:
        return None
    curve = _smooth(table[key], max(1, table[key].size // 50))
    valid = np.isfinite(curve) & np.isfinite(table[x])
    return (table[x][valid], curve[valid]) if valid.any() else None


def _across_seeds(curves: Sequence[tuple[Curve, Curve]]) -> tuple[Curve, Curve]:
    """Places, and the values [runs, places] of all curves there, NaN before a curve begins and after it ends."""
    places = np.linspace(min(at[0] for at, _ in curves), max(at[-1] for at, _ in curves), _GRID_POINTS)
    return places, np.stack([np.interp(places, at, values, np.nan, np.nan) for at, values in curves])


def _draw_series(axes: Any, key: str, x: str, name: str, tables: Sequence[Table], detail: bool, **line: Any) -> None:
    """One run, thin as logged and thick as a running mean; or the mean of several in the band of all of them.

    The mean ends with the shortest run; longer runs continue as thin lines. Without `detail` only the running mean of a
    run is drawn.
    """
    curves = [curve for curve in (_curve(table, key, x) for table in tables) if curve is not None]
    if not curves:
        return
    if len(tables) == 1:
        marker = "o" if curves[0][0].size == 1 else None  # a line with one point is invisible
        if detail:
            axes.plot(tables[0][x], tables[0][key], color=line["color"], alpha=0.25, linewidth=0.7)
        axes.plot(*curves[0], linewidth=1.8 if detail else 1.1, label=name, marker=marker, **line)
        return
    places, values = _across_seeds(curves)
    shared = np.isfinite(values).all(axis=0)
    low, high = values[:, shared].min(axis=0), values[:, shared].max(axis=0)
    axes.fill_between(places[shared], low, high, color=line["color"], alpha=0.18, linewidth=0)
    for run in values:  # a mean over only the remaining runs would mislead
        axes.plot(places, np.where(shared, np.nan, run), color=line["color"], alpha=0.6, linewidth=0.9)
    label = f"{name} ({len(tables)} seeds)"
    axes.plot(places[shared], values[:, shared].mean(axis=0), linewidth=1.8, label=label, **line)


def _draw_evaluations(axes: Any, x: str, tables: Sequence[Table], color: str) -> None:
    for table in tables:
        if x in table and "evaluation_score" in table:
            found = np.isfinite(table["evaluation_score"])
            places, scores = table[x][found], table["evaluation_score"][found]
            axes.plot(places, scores, "o", color=color, markersize=4.5, markeredgecolor="white", markeredgewidth=0.8)


def style_panel(axes: Any, title: str, x_label: str, y_label: str) -> None:
    """The common style of panels: titles, a light grid, no frame."""
    axes.set_title(title, fontsize=10, loc="left", fontweight="bold", color="#222222")
    axes.set_ylabel(y_label, fontsize=8, color="#444444")
    axes.set_xlabel(x_label, fontsize=8, color="#444444")
    axes.grid(True, color="#e5e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8, colors="#444444")


def make_figure(across: int, down: int, legend_rows: int = 1) -> Any:
    """A figure without a window, sized for the panels and the legend. DrawingUnavailable without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise DrawingUnavailable("a plot needs matplotlib; install it with: pip install 'pufferc[render]'") from None
    figure = Figure(figsize=(3.9 * across, 2.9 * down + 0.3 + 0.2 * legend_rows), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _line_style(number: int, count: int) -> tuple[Any, str]:
    """Colour and line style of one of `count` series; all differ."""
    if count <= len(COLORS) * len(_STYLES):
        return COLORS[number % len(COLORS)], _STYLES[number // len(COLORS)]
    from matplotlib import colormaps

    return colormaps["viridis"](0.95 * number / (count - 1)), _STYLES[number % len(_STYLES)]


def _draw_panel(axes: Any, panel: tuple[str, str, str], x: str, series: dict[str, list[Table]]) -> None:
    from matplotlib.ticker import EngFormatter, MaxNLocator

    title, unit, key = panel
    detail = len(series) <= len(COLORS)
    for i, (name, tables) in enumerate(series.items()):
        color, style = _line_style(i, len(series))
        _draw_series(axes, key, x, name, tables, detail, color=color, linestyle=style)
        if key == "score":
            _draw_evaluations(axes, x, tables, color)
    style_panel(axes, title, _X_LABELS.get(x, x), unit)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    if key == "sps":
        axes.yaxis.set_major_formatter(EngFormatter(sep=""))
        axes.set_ylim(bottom=0)
    axes.margins(x=0.02)
    ends = [float(np.nanmax(table[x], initial=0.0)) for found in series.values() for table in found if x in table]
    if x in _X_LABELS and max(ends) > 0.0:  # the same axis in all panels, even if a curve stops early
        axes.set_xlim(0.0, 1.02 * max(ends))


@dataclass
class _Series:
    """One run, or the runs of a group of seeds: its folder, game and configuration."""

    folder: Path
    tables: list[Table]
    game: str = ""
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def is_group(self) -> bool:
        return self.folder.name.endswith(GROUP_SUFFIX)

    def __post_init__(self) -> None:
        first = next(iter(members(self.folder)), self.folder)
        with contextlib.suppress(ConfigError):  # a plot needs the metrics only
            self.config = flat(read_toml(first / "config.toml"))
            self.game = str(self.config.pop("game", ""))


def _read_series(runs: Sequence[str | os.PathLike[str]]) -> list[_Series]:
    """The runs that have updates; all runs of one group of seeds are one series."""
    groups: dict[Path, list[Table]] = {}
    empty = None
    for run in map(Path, runs):
        for member in members(run) or [run]:
            folder = member.parent if member.name == "metrics.jsonl" else member
            seed = folder.parent.name.endswith(GROUP_SUFFIX)
            try:
                groups.setdefault(folder.parent if seed else folder, []).append(read_metrics(member))
            except NoUpdates as error:
                empty = error
    found = [_Series(folder, tables) for folder, tables in groups.items() if tables]
    if empty and not found:
        raise empty
    return found


def _label(names: Mapping[str, Sequence[Any]], index: int) -> str:
    """The settings of one series that differ between several: "learning_rate 0.01, seed 2"."""
    return ", ".join(f"{key.rpartition('.')[2]} {_short(values[index])}" for key, values in names.items())


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= _LABEL_CHARACTERS else f"{text[: _LABEL_CHARACTERS - 3]}..."


def _labelled(series: Sequence[_Series]) -> dict[str, list[Table]]:
    """The tables of series of one game by a unique label: what differs between them, or their folders."""
    ignored = ["train.seed"] if any(one.is_group for one in series) else []
    found = differences([one.config for one in series], ignored)
    labels = [_label(found, i) for i in range(len(series))]
    if not 0 < len(found) <= _LABEL_SETTINGS or len(set(labels)) < len(labels):
        labels = [one.folder.name for one in series]
    if len(set(labels)) < len(labels):
        labels = [str(one.folder) for one in series]
    return {label: one.tables for label, one in zip(labels, series, strict=True)}


def _panels(series: Iterable[list[Table]]) -> list[tuple[str, str, str]]:
    """Title, unit and key of the panels that have something to show."""
    present = {key for tables in series for table in tables for key, curve in table.items() if np.isfinite(curve).any()}
    shown = [(title, unit, [key for key in keys if key in present]) for title, unit, keys in _PANELS]
    return [(title, unit, keys[0]) for title, unit, keys in shown if keys]


def _legend_rows(labels: Iterable[str], across: int) -> tuple[int, int]:
    """Columns and rows of the legend above `across` panels."""
    texts = list(labels)
    columns = max(1, int(_LEGEND_CHARACTERS * across / (max(map(len, texts)) + 16)))
    return columns, -(-len(texts) // columns)


def _draw_game(
    figure: Any,
    series: dict[str, list[Table]],
    panels: Sequence[tuple[str, str, str]],
    x: str,
    title: str | None = None,
) -> None:
    """The panels of one game and their legend, into a figure or a part of it."""
    across = min(_ACROSS, max(len(panels), 1))
    for i, panel in enumerate(panels):
        _draw_panel(figure.add_subplot(max(1, -(-len(panels) // across)), across, i + 1), panel, x, series)
    if panels:
        columns, _ = _legend_rows(series, across)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        legend = figure.legend(
            handles, labels, loc="outside upper left", ncols=columns, fontsize=9, frameon=False, title=title
        )
        legend.set_alignment("left")
        legend.get_title().set(fontsize=12, fontweight="bold")


def plot(runs: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str] = "plot.png", *, x: str = "steps") -> Path:
    """Draw the learning curves of runs into one PNG, thin as logged and thick as running means; dots are evaluations.

    The seeds of a group are one curve, their mean, in a band from the lowest to the highest. Runs of several games have
    a row of panels per game. A curve's label is what differs between the runs of its game.

    Args:
        runs: Directories of runs or of groups of seeds, or metrics.jsonl files; each run or group one colour.
        out: The PNG to write.
        x: Column for the horizontal axis: "steps", "time_s" or "update".

    Raises:
        FileNotFoundError, ValueError: See `read_metrics`; or no run has a column `x`, or there are no runs.
        NoUpdates: None of the runs has an update. Some without one are left out.
        DrawingUnavailable: matplotlib is missing.
        OSError: `out` cannot be written.
    """
    if not runs:
        raise ValueError("give at least one run to plot")
    out = Path(out)
    if out.suffix.lower() != ".png":
        raise ValueError(f"a plot must end in .png, got {str(out)!r}")
    expect_folder(out)
    series = _read_series(runs)
    every = [table for one in series for table in one.tables]
    if not any(x in table for table in every):
        known = sorted({key for table in every for key in table})
        raise ValueError(f"no run has a column {x!r} (known: {', '.join(known)})")
    names = list(dict.fromkeys(one.game for one in series))
    games = {game: _labelled([one for one in series if one.game == game]) for game in names}
    panels = {game: _panels(found.values()) for game, found in games.items()}
    if len(games) == 1:
        ((game, found),) = games.items()
        across = min(_ACROSS, max(len(panels[game]), 1))
        figure = make_figure(across, max(1, -(-len(panels[game]) // across)), _legend_rows(found, across)[1])
        _draw_game(figure, found, panels[game], x)
    else:
        rows = [_legend_rows(found, _ACROSS)[1] for found in games.values()]
        figure = make_figure(_ACROSS, len(games), sum(rows) + 2 * len(games))
        for (game, found), part in zip(games.items(), figure.subfigures(len(games), 1), strict=True):
            _draw_game(part, found, panels[game][:_ACROSS], x, game or "unknown game")
    figure.savefig(out)
    return out
