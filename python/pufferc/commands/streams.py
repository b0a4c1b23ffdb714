"""Standard streams of the command line: closed ones, readers that have gone, and full disks."""

from __future__ import annotations

import contextlib
import os
import sys


def prepare() -> None:
    """Opens /dev/null for each standard stream that is closed, as it may be under cron.

    Otherwise the next file that is opened, maybe one of a run, would get the stream's number and receive what libraries
    print.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # the lowest free number is this stream's
            setattr(sys, name, open(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))  # noqa: SIM115


def fail(message: str, code: int) -> int:
    """Prints why a command ends; returns `code`, its exit code."""
    with contextlib.suppress(OSError):  # the terminal may be closed
        print(f"pufferc: {message}", file=sys.stderr)
    return code


def finish(code: int) -> int:
    """Flushes stdout; returns the exit code of a command that ends with `code`. A full disk is an error."""
    try:
        sys.stdout.flush()
    except OSError as error:
        # Python flushes again at its end, which must not fail with a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            fail(f"cannot write to standard output: {error.strerror}", 1)
        return code or 1
    return code
