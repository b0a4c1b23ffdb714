"""Learning curves: score, speed and losses of one or more runs, from their metrics.jsonl to one PNG.

Needs matplotlib, which comes with pufferc[render]. Nothing is shown on a screen.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pufferc.render import DrawingUnavailable

__all__ = ["main", "plot", "read_metrics"]

Curve = NDArray[np.float64]

# One panel each: title, and the keys of metrics.jsonl whose curves it may hold; what a run lacks is left out.
_PANELS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("score of the episodes that ended", ("score",)),
    ("steps per second", ("sps",)),
    ("length of the episodes that ended, steps", ("episode_length",)),
    ("policy loss", ("policy_loss",)),
    ("value loss", ("value_loss",)),
    ("entropy", ("entropy",)),
    ("approximate KL divergence", ("approx_kl", "kl")),
    ("explained variance of the values", ("explained_variance",)),
)
_COLORS = ("#2f7ed8", "#e4572e", "#2e9e6b", "#8e5bd0", "#c79a0a", "#d0487e", "#3aa5b5", "#6b7280")


def read_metrics(run: str | os.PathLike[str]) -> dict[str, Curve]:
    """The columns of a run's metrics.jsonl: float64 [updates] by key, NaN where a line has null.

    `run` is a run's directory or the file itself. A last line that is cut off, by a run still going on, is left out.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds no update, or a line that is not a JSON object.
    """
    path = Path(run)
    path = path / "metrics.jsonl" if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(f"no run in {run}: there is no {path}")
    rows: list[dict[str, Any]] = []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            if number == len(lines):
                break
            raise ValueError(f"{path}, line {number}: not JSON") from None
        if not isinstance(row, dict):
            raise ValueError(f"{path}, line {number}: not a JSON object")
        rows.append(row)
    if not rows:
        raise ValueError(f"{path} holds no update yet")
    numbers = {key for row in rows for key, value in row.items() if isinstance(value, (int, float))}
    return {
        key: np.array([np.nan if row.get(key) is None else float(row[key]) for row in rows])
        for key in rows[0]
        if key in numbers
    }


def _smooth(curve: Curve, window: int) -> Curve:
    """Running mean over `window` updates, NaN left out."""
    valid = np.isfinite(curve)
    kernel = np.ones(window)
    total = np.convolve(np.where(valid, curve, 0.0), kernel, "full")[: curve.size]
    count = np.convolve(valid.astype(np.float64), kernel, "full")[: curve.size]
    mean: Curve = np.full(curve.size, np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean


def _draw(axes: Any, key: str, x: str, runs: dict[str, dict[str, Curve]]) -> None:
    for color, (name, columns) in zip(_COLORS * len(runs), runs.items(), strict=False):
        if key in columns and x in columns:
            curve = columns[key]
            axes.plot(columns[x], curve, color=color, alpha=0.25, linewidth=0.8)
            axes.plot(columns[x], _smooth(curve, max(1, curve.size // 50)), color=color, linewidth=1.8, label=name)
        if key == "score" and x in columns and "evaluation_score" in columns:
            found = np.isfinite(columns["evaluation_score"])
            axes.plot(
                columns[x][found],
                columns["evaluation_score"][found],
                "o",
                color=color,
                markersize=4,
                markeredgecolor="white",
            )
    axes.grid(True, color="#e5e7eb", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.01)


def _names(runs: Sequence[str | os.PathLike[str]]) -> list[str]:
    """A short name for each run, no two alike."""
    short = [Path(run).name if Path(run).name != "metrics.jsonl" else Path(run).parent.name for run in runs]
    return [str(run) if short.count(name) > 1 else name for run, name in zip(runs, short, strict=True)]


def plot(runs: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str] = "plot.png", *, x: str = "steps") -> Path:
    """Draw the learning curves of runs into one PNG, thin as logged and thick as running means; dots are evaluations.

    Args:
        runs: Directories of runs, or metrics.jsonl files; each run one colour.
        out: The PNG to write.
        x: Column for the horizontal axis: "steps", "time_s" or "update".

    Raises:
        FileNotFoundError, ValueError: See `read_metrics`; or no run has a column `x`, or there are no runs.
        DrawingUnavailable: matplotlib is missing.
        OSError: `out` cannot be written.
    """
    if not runs:
        raise ValueError("give at least one run to plot")
    out = Path(out)
    if out.suffix.lower() != ".png":
        raise ValueError(f"a plot must end in .png, got {str(out)!r}")
    columns = dict(zip(_names(runs), [read_metrics(run) for run in runs], strict=True))
    if not any(x in table for table in columns.values()):
        known = sorted({key for table in columns.values() for key in table})
        raise ValueError(f"no run has a column {x!r} (known: {', '.join(known)})")
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise DrawingUnavailable("a plot needs matplotlib; install it with: pip install 'pufferc[render]'") from None
    present = {key for table in columns.values() for key, curve in table.items() if np.isfinite(curve).any()}
    panels = [(title, next(key for key in keys if key in present)) for title, keys in _PANELS if present & set(keys)]
    across = min(4, len(panels))
    down = -(-len(panels) // across) if across else 1
    figure = Figure(figsize=(4.2 * max(across, 1), 3.0 * down), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    for i, (title, key) in enumerate(panels):
        axes = figure.add_subplot(down, across, i + 1)
        _draw(axes, key, x, columns)
        axes.set_title(title, fontsize=10, loc="left")
        if i >= len(panels) - across:
            axes.set_xlabel({"steps": "agent steps", "time_s": "seconds", "update": "update"}.get(x, x), fontsize=9)
        axes.tick_params(labelsize=8)
        if i == 0 and len(columns) > 1:
            axes.legend(fontsize=7, frameon=False)
    if len(columns) == 1:
        figure.suptitle(next(iter(columns)), fontsize=11, x=0.01, ha="left")
    figure.savefig(out)
    return out


def main(words: Sequence[str]) -> int:
    """`pufferc plot RUN... [--out FILE] [--x COLUMN]`."""
    parser = argparse.ArgumentParser("pufferc plot", description="Draw score, speed and losses of runs into a PNG.")
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a run's directory, or its metrics.jsonl")
    parser.add_argument("--out", default="plot.png", help="the picture to write (default %(default)s)")
    parser.add_argument("--x", default="steps", help="horizontal axis: steps, time_s or update (default %(default)s)")
    options = parser.parse_args(list(words))
    print(plot(options.runs, options.out, x=options.x))
    return 0
