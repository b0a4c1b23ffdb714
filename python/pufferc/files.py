"""Reading files that this process did not just write: by a killed process, damaged, or something else under the name.

A pipe or a device where a file should be would keep a reader waiting, or fill the memory; nesting and numbers without
end bring down parsers that take them. So what is read here is a file of a size that its kind may have, or an error.
"""

from __future__ import annotations

import contextlib
import errno
import json
import mmap
import os
import stat
from pathlib import Path
from typing import Any

from pufferc.errors import shown

_MOST_DIGITS = 25  # longer ones overflow somewhere later
_MUCH_BYTES = 1 << 20


def read_file(path: Path) -> bytes:
    """The bytes of a file; OSError for a pipe, a device or whatever else is none."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # without a wait for a pipe's other end
    with open(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a file", str(path))
        return file.read()


def read_short(path: Path, *, pipes: bool = False) -> bytes:
    """The same for what has at most 1 MiB; OSError for more. `pipes`: from a pipe as well, as shells make them."""
    if not pipes or path.is_file():
        return _at_most(read_file(path), path)
    with path.open("rb") as file:
        return _at_most(file.read(_MUCH_BYTES + 1), path)


def _at_most(data: bytes, path: Path) -> bytes:
    if len(data) > _MUCH_BYTES:
        raise OSError(errno.EFBIG, f"larger than {_MUCH_BYTES >> 20} MiB", str(path))
    return data


def map_file(argument: str, path: str | os.PathLike[str]) -> mmap.mmap:
    """A file's bytes as a read-only mapping, for files that may be large. The file must not be cut short meanwhile.

    `argument` is named in errors: TypeError for no path, ValueError for an empty file, or the OSError of the system.
    """
    text = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(text, str):
        raise TypeError(f"{argument} must be the path of a file, got {shown(path)} of type {type(path).__name__}")
    if "\0" in text:
        raise ValueError(f"{argument} must be the path of a file, got {shown(text)} with a null character")
    place = os.path.expanduser(text)
    try:
        handle = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb"):
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "it is a pipe or a device")
            if status.st_size > 0:
                return mmap.mmap(handle, 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise type(error)(f"{argument}: cannot read {place}: {error.strerror}") from None
    raise ValueError(f"{argument}: {place} is empty")


def check_target(path: Path) -> None:
    """OSError where a device or a pipe has the name of a file to be written: a finished file would take its place."""
    with contextlib.suppress(FileNotFoundError):
        if not (stat.S_ISREG(kind := path.stat().st_mode) or stat.S_ISDIR(kind)):
            raise OSError(errno.EINVAL, "a device or a pipe, expected a file", str(path))


def parse_json(text: str | bytes) -> Any:
    """What a JSON text holds; ValueError where it is none, or its nesting or a number has no reasonable end."""
    try:
        return json.loads(text, parse_int=_integer)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)
