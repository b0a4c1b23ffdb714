"""`pufferc view`: a page of runs and sweeps."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from pufferc.view import serve, write_page

_USUAL = ("runs", "sweeps")


def main(words: Sequence[str]) -> int:
    """`pufferc view [FOLDER...] [--out FILE | --serve [--port N] [--no-open]]`."""
    about = "Runs and sweeps as one HTML page: table, learning curves, settings against results."
    parser = argparse.ArgumentParser("pufferc view", description=about)
    folder_help = "a run, a sweep, or a folder with some (default: runs and sweeps, where they exist)"
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help=folder_help)
    parser.add_argument("--out", type=Path, default=Path("view.html"), help="the page to write (default %(default)s)")
    parser.add_argument("--serve", action="store_true", help="serve the page on this machine and update it")
    parser.add_argument("--port", type=int, default=0, help="with --serve: the port (default: a free one)")
    parser.add_argument("--no-open", action="store_true", help="with --serve: open no browser")
    options = parser.parse_args(list(words))
    folders = options.folders or [Path(name) for name in _USUAL if Path(name).is_dir()]
    if not folders:
        raise ValueError("view: there is no folder runs or sweeps here; pass FOLDER")
    if not 0 <= options.port <= 65535:
        raise ValueError(f"port must be in [0, 65535], got {options.port}")
    if options.serve:
        serve(folders, options.port, open_page=not options.no_open)
    else:
        print(write_page(folders, options.out))
    return 0
