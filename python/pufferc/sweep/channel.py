"""Messages between a sweep and its workers: one JSON object per line, over a socket that both own one end of.

From a worker: {"ready": true} once; {"steps": n} as a sign of life; {"rung": steps, "score": x}, which waits
for {"go": true or false}; at a run's end {"result": {...}} or {"error": text, "traceback": text, "steps": n}.
To a worker: a run, as `Job.message` makes it, and the answers at rungs. An end of file means that the other is gone.
"""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Mapping
from typing import Any


class Channel:
    """One end. `read` never waits for more than one piece of data; `receive` waits for a message."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self._data = b""

    def send(self, message: Mapping[str, Any]) -> None:
        """Raises OSError if the other end is gone."""
        self.end.sendall(json.dumps(message).encode() + b"\n")

    def read(self) -> list[dict[str, Any]] | None:
        """The messages that the next piece of data completes; None if the other end is gone."""
        try:
            data = self.end.recv(65_536)
        except OSError:
            return None
        if not data:
            return None
        *lines, self._data = (self._data + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def receive(self) -> dict[str, Any] | None:
        """The next message; None if the other end is gone."""
        while True:
            messages = self.read()
            if messages is None:
                return None
            if messages:
                return messages[0]  # nobody sends a second one before the first is answered

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.end.close()
