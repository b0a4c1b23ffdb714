"""`pufferc plot`: learning curves of runs as a picture."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from pufferc.runs.curves import plot


def main(words: Sequence[str]) -> int:
    """`pufferc plot RUN... [--out FILE] [--x COLUMN]`."""
    parser = argparse.ArgumentParser("pufferc plot", description="Plot score, speed and losses of runs as a PNG.")
    runs_help = "a run's directory, that of a group of seeds, or a metrics.jsonl"
    parser.add_argument("runs", nargs="+", metavar="RUN", help=runs_help)
    parser.add_argument("--out", default="plot.png", help="the picture to write (default %(default)s)")
    parser.add_argument("--x", default="steps", help="horizontal axis: steps, time_s or update (default %(default)s)")
    options = parser.parse_args(list(words))
    print(plot(options.runs, options.out, x=options.x))
    return 0
