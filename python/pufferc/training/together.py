"""How the processes of one run work together: rank 0 leads, the others do what it tells. See distributed.py."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from pufferc.training.distributed import LostRank, Ranks, connect
from pufferc.training.trainer import Trainer

Result = TypeVar("Result")


def together(lead: Callable[[Ranks], Result]) -> Result:
    """`lead` on rank 0 of the processes of this run, with the others following. Returns its result on every one."""
    with connect() as ranks:
        if ranks.rank:
            result: Result = _follow(ranks)
            return result
        try:
            result = lead(ranks)
        except Exception as error:
            if not isinstance(error, LostRank):
                with contextlib.suppress(LostRank):
                    ranks.end(error)
            raise
        ranks.end(result)
        return result


def _follow(ranks: Ranks) -> Any:
    """What a rank other than 0 does: its part of what rank 0 tells, until the run's end. Returns rank 0's result.

    It leaves Ctrl-C and SIGTERM, which torchrun passes on to every rank, to rank 0.
    """
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
    trainer: Trainer | None = None
    try:
        while True:
            word, arguments = ranks.listen()
            if word == "make":
                trainer = Trainer(arguments[0], ranks)
            elif word == "end":
                (result,) = arguments
                if isinstance(result, Exception):
                    raise result
                return result
            else:
                getattr(trainer, word)(*arguments)
    finally:
        if trainer is not None:
            trainer.env.close()
