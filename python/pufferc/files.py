"""Files that users name: read-only mappings of large ones, and folders of those to write."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

__all__ = ["expect_folder", "map_file"]


def map_file(argument: str, path: str | os.PathLike[str]) -> mmap.mmap:
    """A file's bytes as a read-only mapping. The file must not be truncated while it is mapped.

    Errors name `argument`: TypeError if it is not a path, ValueError for an empty file, or the system's OSError.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"{argument} must be the path of a file, got {path!r} of type {type(path).__name__}")
    place = Path(path).expanduser()
    try:
        with place.open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise ValueError(f"{argument}: {place} is empty")
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise type(error)(f"{argument}: cannot read {place}: {error.strerror}") from None


def expect_folder(path: Path, action: str = "write") -> None:
    """FileNotFoundError unless the folder of a file exists that `action` will make."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot {action} {path}: there is no folder {path.parent}")
