"""Ctrl-C while the command line imports what it needs: the process ends at once, without a traceback.

Importing NumPy, Gymnasium and torch takes seconds. A KeyboardInterrupt in the midst of it surfaces wherever it struck,
often as another error, and there is nothing yet that would need tidying up.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path


def load_core() -> None:
    """Imports pufferc._core; says what is wrong where there is none, as in the source folder."""
    try:
        importlib.import_module("pufferc._core")
    except ModuleNotFoundError as error:
        if error.name != "pufferc._core":
            raise
        folder, version = Path(__file__).parent, ".".join(map(str, sys.version_info[:2]))
        raise ImportError(
            f"{folder} has no compiled module for Python {version}: it is the source, or was installed for another "
            "Python. Install pufferc (pip install . in its source), and start Python in another folder",
            name="pufferc._core",
        ) from None


def _is_command_line() -> bool:
    """Whether this is `pufferc ...`, `python -m pufferc ...` or one of its seeds, and no program that imports it."""
    ours = {("-m", "pufferc"), ("-m", "pufferc.seeds")}
    return Path(sys.argv[0]).name == "pufferc" or any(pair in ours for pair in pairwise(sys.orig_argv))


@contextlib.contextmanager
def quiet_interrupt() -> Iterator[None]:
    """In the process of the command line: Ctrl-C within ends it with code 130. Elsewhere: nothing."""
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not ours or threading.current_thread() is not threading.main_thread() or not _is_command_line():
        yield
        return
    signal.signal(signal.SIGINT, lambda number, frame: os._exit(130))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
