"""Ctrl-C while the command line imports what it needs: the process ends at once, without a traceback.

Importing NumPy, Gymnasium and torch takes seconds. A KeyboardInterrupt in the midst of it surfaces wherever it struck,
often as another error, and there is nothing yet that would need tidying up.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path


def _is_command_line() -> bool:
    """Whether this process is `pufferc ...` or `python -m pufferc ...`, and no program that imports the package."""
    words = sys.orig_argv
    return Path(sys.argv[0]).name == "pufferc" or any(pair == ("-m", "pufferc") for pair in pairwise(words))


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
