"""Games in shared objects, for `pufferc.make("./mygame.so")` and everything else that takes a game's name.

Loading a shared object runs its code, with all rights of this process. Load only what you built or trust.

A file is read when its path is used, and loaded from a private copy in memory. So it may be rebuilt or deleted at any
time: pools keep their code, and the next use of the path loads the new file. A module stays loaded while a description
or a pool of it exists. The system must find the libraries that it needs; $ORIGIN in its run path does not work for a
copy.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import struct
import tempfile
import threading
from pathlib import Path
from typing import Any

from pufferc import _core

__all__ = ["LoadedModule", "ModuleError", "is_path", "load", "sanitizers"]

_SUFFIXES = (".so", ".dylib")
# A shared object that was built with a sanitizer contains the name of this function.
_SANITIZERS = {"__asan_init": "AddressSanitizer", "__tsan_init": "ThreadSanitizer", "__msan_init": "MemorySanitizer"}


class ModuleError(ValueError):
    """A file cannot be loaded as a game. The message starts with its path."""


class LoadedModule:
    """A loaded game: the user's path, made absolute, the hash of the file's content, and the module for `_core`."""

    def __init__(self, path: Path, sha256: str, module: _core.Module) -> None:
        self.path, self.sha256, self.module = path, sha256, module
        self.info: Any = None  # its EnvInfo, set by games.py


_lock = threading.Lock()
_newest: dict[Path, LoadedModule] = {}  # the latest module of each file


def is_path(game: object) -> bool:
    """Whether `game` is the path of a shared object and not the name of a built-in game."""
    if isinstance(game, os.PathLike):
        return True
    return isinstance(game, str) and (os.sep in game or game.endswith(_SUFFIXES))


def load(path: str | os.PathLike[str]) -> LoadedModule:
    """The game in the shared object at `path`. Runs the file's code. Raises ModuleError.

    The same content at the same path is loaded once.
    """
    text = os.fspath(path)
    if not isinstance(text, str):
        raise TypeError(f"the path of a game must be a str or a Path of str, got {text!r}")
    place = Path(text).expanduser().absolute()
    data = _read(text, place)
    sha256 = hashlib.sha256(data).hexdigest()
    with _lock:
        known = _newest.get(place)
        if known is None or known.sha256 != sha256:
            _check_header(text, data)
            _require_sanitizers(text, data)
            known = _newest[place] = LoadedModule(place, sha256, _open(text, place, data))
        return known


def _read(text: str, place: Path) -> bytes:
    """The file's bytes."""
    if place.is_dir():
        raise ModuleError(f"{text}: is a directory, expected a shared object such as mygame.so")
    if place.suffix in (".c", ".h", ".cc", ".cpp"):
        raise ModuleError(f"{text}: is source code; build it first: pufferc build {text}")
    try:
        return place.read_bytes()
    except FileNotFoundError:
        source = place.with_suffix(".c")
        hint = f"; build it: pufferc build {Path(text).with_suffix('.c')}" if source.is_file() else ""
        raise ModuleError(f"{text}: no such file{hint}") from None
    except OSError as error:
        raise ModuleError(f"{text}: cannot be read: {error.strerror}") from None


def _check_header(text: str, data: bytes) -> None:
    """Refuses two kinds of ELF files for which the dynamic loader has no clear error.

    It crashes for a truncated file, and reports "no such file" for another processor's.
    """
    if len(data) < 64 or data[:4] != b"\x7fELF":
        return  # the loader has a clear message
    with open(str(_core.__file__), "rb") as file:
        own = file.read(64)
    if (data[4:6], data[18:20]) != (own[4:6], own[18:20]):  # bits, byte order, machine
        raise ModuleError(f"{text}: was built for another kind of processor than this Python")
    (table,), (entry, count) = struct.unpack_from("Q", data, 40), struct.unpack_from("HH", data, 58)
    if table + entry * count > len(data):  # the table of sections is the last part of a file
        raise ModuleError(f"{text}: is truncated: it has {len(data)} bytes, expected {table + entry * count}")


def _found_sanitizers(data: bytes) -> dict[str, str]:
    return {symbol: name for symbol, name in _SANITIZERS.items() if symbol.encode() in data}


def sanitizers(path: Path) -> list[str]:
    """Names of the sanitizers that a shared object was built with. Empty if it cannot be read."""
    try:
        return list(_found_sanitizers(path.read_bytes()).values())
    except OSError:
        return []


def _require_sanitizers(text: str, data: bytes) -> None:
    """Raises ModuleError if the sanitizers of a game are not loaded, since their start would end the process."""
    for symbol, name in _found_sanitizers(data).items():
        if not hasattr(ctypes.CDLL(None), symbol):
            raise ModuleError(
                f"{text}: was built with {name}, which must be loaded when the process starts. Check it with: "
                f"pufferc check {text}; run other commands under: ASAN_OPTIONS=detect_leaks=0 "
                'LD_PRELOAD="$(cc -print-file-name=libasan.so) $(cc -print-file-name=libstdc++.so.6)"'
            )


def _open(text: str, place: Path, data: bytes) -> _core.Module:
    """Loads a private copy of the file."""
    try:
        if hasattr(os, "memfd_create"):
            handle = os.memfd_create(place.name)
            with open(handle, "wb", closefd=False) as copy:
                copy.write(data)
            # The module owns the handle. While it is loaded, no other module may get its number and so the same name.
            return _core.Module(f"/proc/{os.getpid()}/fd/{handle}", text, handle)
        with tempfile.TemporaryDirectory(prefix="pufferc-") as folder:
            file = Path(folder) / place.name
            file.write_bytes(data)
            return _core.Module(str(file), text, -1)
    except OSError as error:
        raise ModuleError(f"{text}: cannot be copied into memory: {error.strerror}") from None
    except ValueError as error:
        raise ModuleError(str(error)) from None
