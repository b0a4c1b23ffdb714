"""Sums over the processes of one machine through shared memory: the all-reduce of small gradients on CPUs.

gloo hands every message to a thread that sleeps, and waking it takes longer than the sum. Here each process writes its
numbers into memory that all have mapped, counts its turn up, and looks until the others have counted theirs.

Memory: one file of a memory file system, unlinked as soon as all have mapped it; it lives until the last process ends.
    uint64 [world, 8]            the turn of each process, a cache line each
    float32 [2, world, count]    its numbers, in the odd turns and in the even ones
A process that begins turn t + 2, and so overwrites those of turn t, has seen all others begin turn t + 1, for which
they have read turn t to its end. Each holds a lock on a byte of the file, which the system takes back when it ends.

x86-64 only: there, stores become visible in program order, so who sees a turn sees the numbers written before it.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import platform
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

_FOLDER = Path("/dev/shm")
_LINE_BYTES = 64
_SPIN_S = 0.002  # of looking without a pause but for other threads and processes; then there are pauses
_PAUSE_S = 50e-6
_LOOK_S = 0.5  # between looks whether the others live


class PeerLost(RuntimeError):
    """Another process ended or does not answer."""


def available() -> bool:
    """Whether processes of this machine can exchange so."""
    return platform.machine() in ("x86_64", "AMD64") and os.access(_FOLDER, os.W_OK)


def create(world: int, count: int) -> str:
    """Path of a new file for `world` processes with `count` numbers each. OSError where there is no room for it."""
    handle, path = tempfile.mkstemp(prefix="pufferc-", dir=_FOLDER)
    try:
        os.posix_fallocate(handle, 0, world * (_LINE_BYTES + 8 * count))
    except OSError:
        os.unlink(path)
        raise
    finally:
        os.close(handle)
    return path


class Exchange:
    """One process's end of it."""

    def __init__(self, path: str, rank: int, world: int, count: int, timeout_s: float) -> None:
        """OSError where the file cannot be mapped. All processes have to be here before the first sum."""
        self._rank, self._others, self._timeout_s = rank, [r for r in range(world) if r != rank], timeout_s
        self._file = open(path, "r+b", buffering=0)  # noqa: SIM115 - the lock lasts as long as it is open
        fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, rank)
        self._map = mmap.mmap(self._file.fileno(), world * (_LINE_BYTES + 8 * count))
        self._turns = np.frombuffer(self._map, np.uint64, world * _LINE_BYTES // 8)[:: _LINE_BYTES // 8]
        numbers = torch.frombuffer(self._map, dtype=torch.float32, offset=world * _LINE_BYTES)
        self._slots = numbers.view(2, world, count)
        self._turn = 0

    def sum(self, flat: Tensor) -> None:
        """Replaces float32 [count] by the sum over all processes, the same bits for each. PeerLost if one is gone."""
        self._turn += 1
        parts = self._slots[self._turn % 2]
        parts[self._rank].copy_(flat)
        self._turns[self._rank] = self._turn
        for other in self._others:
            self._wait(other)
        torch.add(parts[0], parts[1], out=flat)
        for part in parts[2:]:
            flat.add_(part)

    def _wait(self, other: int) -> None:
        began = looked = time.perf_counter()
        while self._turns[other] < self._turn:
            now = time.perf_counter()
            time.sleep(0.0 if now - began < _SPIN_S else _PAUSE_S)
            if now - looked > _LOOK_S:
                looked = now
                if self._ended(other) and self._turns[other] < self._turn:  # it may have counted before it ended
                    raise PeerLost(f"rank {other} ended")
                if now - began > self._timeout_s:
                    raise PeerLost(f"rank {other} does not answer for {self._timeout_s:.0f} s")

    def _ended(self, other: int) -> bool:
        """Whether a process's lock is free."""
        with contextlib.suppress(OSError):
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, other)
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, other)
            return True
        return False
