"""Ctrl-C sets a flag that a loop tests, so that the loop can save before it stops. Needs no torch."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

_STOPPING = "stopping after this update, with a checkpoint; press Ctrl-C again to stop at once"


class Interrupt:
    """Turns the first SIGINT, SIGTERM or SIGHUP into the flag `requested`; the next one has its usual effect."""

    def __init__(self, say: Callable[[str], None], text: str = _STOPPING) -> None:
        """`say` is called with `text` at the first signal."""
        self.requested = False
        self._say, self._text = say, text
        self._old: dict[int, Any] = {}

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                if signal.getsignal(number) != signal.SIG_IGN or number == signal.SIGINT:
                    self._old[number] = signal.signal(number, self._request)
        return self

    def _request(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        signal.signal(number, self._old[number] or signal.SIG_DFL)
        self._say(f"\n{self._text}")

    def __exit__(self, *_: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)
