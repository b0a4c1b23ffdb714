"""The journal of a sweep: Optuna's storage in one file, which any number of processes and machines may share.

Optuna's locks are files beside it, which also work on network file systems. An append that was cut off, by a
kill or a full disk, is removed before the next one, so that it costs its own record only.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock, JournalFileSymlinkLock

from pufferc.config import ConfigError


class Journal(JournalFileBackend):
    """Optuna's file, without incomplete last lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._append_lock = JournalFileSymlinkLock(str(path))
        super().__init__(str(path), _Held())

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Appends whole lines or nothing. OSError if they cannot be written."""
        with _held(self._append_lock):
            whole = _drop_half_line(self._path)
            try:
                super().append_logs(logs)
            except OSError as error:
                with contextlib.suppress(OSError):
                    os.truncate(self._path, whole)
                raise OSError(error.errno, f"cannot write {self._path}: {error.strerror}") from None


class _Held(JournalFileSymlinkLock):
    """The lock of an append whose caller has the real one."""

    def __init__(self) -> None:
        super().__init__("")

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


@contextlib.contextmanager
def _held(lock: JournalFileSymlinkLock | JournalFileOpenLock) -> Iterator[None]:
    lock.acquire()
    try:
        yield
    finally:
        with contextlib.suppress(RuntimeError):  # another process took it, because this one seemed dead
            lock.release()


def claiming(path: Path) -> contextlib.AbstractContextManager[None]:
    """A lock for decisions that read the journal and write to it. That of a killed process is broken after 30 s."""
    return _held(JournalFileOpenLock(f"{path}.claim"))


def open_journal(path: Path) -> JournalStorage:
    """The storage in a file, which is made if there is none. ConfigError if it cannot be used or is no journal."""
    try:
        return JournalStorage(Journal(path))
    except OSError as error:
        raise ConfigError(f"storage: cannot use {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"storage: {path} is not a journal of Optuna, or is damaged: {error}") from None


def _drop_half_line(path: Path) -> int:
    """Removes an incomplete last line. Returns the size of the file."""
    with path.open("rb+") as file:
        end = position = file.seek(0, os.SEEK_END)
        while position > 0:
            start = max(0, position - 4096)
            file.seek(start)
            newline = file.read(position - start).rfind(b"\n")
            if newline >= 0:
                position = start + newline + 1
                break
            position = start
        if position < end:
            file.truncate(position)
    return position
