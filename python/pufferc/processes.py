"""Child processes that run a module of this package: group seeds, sweep workers, and games under `check`.

Parent and child exchange JSON objects over one socket. The parent never blocks on a single child: it waits for several
at once, interrupts or kills them, and reports why one ended. The child's standard output and error go to one file.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection, Pipe
from multiprocessing.connection import wait as wait_for_channels
from pathlib import Path
from typing import Any

__all__ = ["Child", "Parent", "wait"]


class Child:
    """`python -m module CHANNEL words...`, started in its own session so that Ctrl-C does not reach it."""

    def __init__(
        self, module: str, words: Sequence[str], output: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        """`environment` extends that of this process. The child has the import path of this process."""
        self.output = output
        self._channel, theirs = Pipe()
        inherited = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "PYTHONUNBUFFERED": "1"}
        with theirs, output.open("wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, str(theirs.fileno()), *words],
                stdin=subprocess.DEVNULL, stdout=file, stderr=file, pass_fds=[theirs.fileno()],
                env={**os.environ, **inherited, **(environment or {})}, start_new_session=True,
            )  # fmt: skip

    def send(self, message: Mapping[str, Any]) -> None:
        """Sends a message; does nothing if the child has ended. `gone` is valid after the next call of `messages`."""
        with contextlib.suppress(OSError):
            self._channel.send_bytes(json.dumps(message).encode())

    def messages(self) -> list[dict[str, Any]]:
        """Messages of the child since the last call. Does not wait."""
        found = []
        try:
            while not self._channel.closed and self._channel.poll():
                found.append(json.loads(self._channel.recv_bytes()))
        except (EOFError, OSError):
            self._channel.close()
        return found

    def hang_up(self) -> None:
        """Closes the channel. The child then behaves as if this process had ended."""
        self._channel.close()

    @property
    def gone(self) -> bool:
        """Whether the channel is closed and all messages were read. The channel closes when the child ends."""
        return self._channel.closed

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def code(self) -> int | None:
        """The exit code, or minus the number of the signal that ended the child; None while it runs."""
        return self._process.poll()

    def interrupt(self) -> None:
        """Sends SIGINT, as Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def stop(self, wait_s: float = 0.0) -> int:
        """Waits up to `wait_s` seconds for the child to exit, then kills it. Returns the exit code."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(wait_s)
        self._process.kill()
        return self._process.wait()

    def why_ended(self) -> str:
        """The signal that ended the child, else its last line of output, else its exit code."""
        code = self.code or 0
        if code < 0:
            return f"killed by signal {-code} ({signal_name(-code)})"
        lines = self.output.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else f"exit code {code}"


def signal_name(number: int) -> str:
    """The name of a signal, such as SIGKILL for 9."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def wait(children: Sequence[Child], seconds: float) -> None:
    """Waits until one of `children` sends a message or ends, for at most `seconds`."""
    channels = [child._channel for child in children if not child.gone]
    if channels:
        wait_for_channels(channels, seconds)
    else:
        time.sleep(seconds)


class Parent:
    """The child's end of the channel to its parent. `channel` is the child's first argument."""

    def __init__(self, channel: str) -> None:
        os.set_inheritable(int(channel), False)  # a program that the child starts must not keep the channel open
        self._channel = Connection(int(channel))
        self._lock = threading.RLock()  # messages come from several threads, and from a signal handler during `send`

    def send(self, message: Mapping[str, Any]) -> None:
        """Sends a message. Raises OSError if the parent is gone."""
        with self._lock:
            self._channel.send_bytes(json.dumps(message).encode())

    def receive(self) -> dict[str, Any] | None:
        """Waits for the next message; None if the parent is gone."""
        try:
            message: dict[str, Any] = json.loads(self._channel.recv_bytes())
        except (EOFError, OSError):
            return None
        return message
