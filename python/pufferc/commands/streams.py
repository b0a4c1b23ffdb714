"""Standard streams of the command line: closed ones, ones that nobody reads, and ones that lack letters."""

from __future__ import annotations

import contextlib
import os
import sys


def prepare() -> None:
    """Makes every stream one that can be written to.

    What was closed leads nowhere. Otherwise the next file that is opened, maybe one of a run, would get its number and
    with it what libraries print. Letters that a stream's encoding lacks are written as escapes.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for the rest of the process
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def fail(message: str, code: int) -> int:
    """Says why a command ends; returns `code`, its exit code."""
    with contextlib.suppress(OSError, ValueError):  # nobody is left to tell
        print(f"pufferc: {message}", file=sys.stderr)
    return code


def finish(code: int) -> int:
    """Writes what waits in stdout; the exit code of a command that ends with `code`. Not silent about a full disk."""
    try:
        sys.stdout.flush()
    except OSError as error:
        # Python flushes again when it ends, and would complain in its own way.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            fail(f"cannot write to standard output: {error.strerror}", 1)
        return code or 1
    except ValueError:  # closed by somebody
        pass
    return code
