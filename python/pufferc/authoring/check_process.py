"""The child process in which `pufferc check` plays a game, and its parent.

The child, `python -m pufferc.authoring.check_process CHANNEL ...`, loads the game, plays it and sends each finding. It
records what the game is doing in a file that both processes have mapped (PfcTrace of csrc/conformance/conformance.h).
After a crash the trace says where it happened. The parent never loads the game.
"""

from __future__ import annotations

import json
import mmap
import os
import re
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pufferc import _core
from pufferc.authoring.build import compiler
from pufferc.envs import game_library
from pufferc.envs.game_library import ModuleError
from pufferc.files import map_file
from pufferc.processes import Child, Parent, signal_name, wait

__all__ = ["Limits", "Played", "play_in_process"]

_POLL_S = 0.05
_MAX_OUTPUT_BYTES = 16_000_000  # of the child; later writes fail
_SHOWN_LINES = {"sanitizer": 12, "output": 3}  # of the child's output
_PAST_METRICS = re.compile(r"(?:wrote|reached) (\d+) bytes past the end of its metrics, which has (\d+) bytes")
_METRIC_BYTES = 4
_SANITIZER = re.compile(r"ERROR: \w+Sanitizer|: runtime error: ")


@dataclass(frozen=True)
class Limits:
    """Seconds for one call of the game, and for the whole check."""

    hang_s: float
    whole_s: float


@dataclass
class Played:
    """Findings as keyword arguments of `Finding`, and for each the address of its variable, or 0."""

    findings: list[dict[str, Any]] = field(default_factory=list)
    addresses: list[int] = field(default_factory=list)
    can_save: bool = True
    error: str | None = None  # the game could not be loaded, or a parameter does not fit

    def add(self, severity: str, code: str, seen: str, *, address: int = 0, **place: Any) -> None:
        """Adds a finding; a place that does not apply is -1 or None."""
        where = {name: None if value == -1 else value for name, value in place.items()}
        self.findings.append({"severity": severity, "code": code, "seen": seen, **where})
        self.addresses.append(address)


def play_in_process(
    game: str,
    params: Mapping[str, float],
    data: str | os.PathLike[str] | None,
    folder: Path,
    limits: Limits,
) -> Played:
    """Checks the game in a child process. Raises ModuleError or ValueError if the child cannot load it."""
    if data is not None:
        map_file("data", data).close()  # raises for a bad path
    trace = folder / "trace"
    trace.write_bytes(bytes(_core.trace_bytes()))
    words = [game, json.dumps(dict(params)), "" if data is None else os.fspath(data), str(trace)]
    words.append(str(_MAX_OUTPUT_BYTES))
    child = Child("pufferc.authoring.check_process", words, folder / "output", _environment(game))
    played = Played()
    try:
        late = _follow(child, played, trace, limits)
    finally:
        child.stop()
    if played.error is not None:
        raise ModuleError(played.error) if game_library.is_path(game) else ValueError(played.error)
    text = child.output.read_text(errors="replace")
    _conclude(played, _core.read_trace(trace.read_bytes()), child.code or 0, late, text)
    return played


def _follow(child: Child, played: Played, trace: Path, limits: Limits) -> str | None:
    """Receives findings until the child ends. Returns what took too long, or None."""
    began = since = time.monotonic()
    calls = 0
    while True:
        over = child.code is not None
        for message in child.messages():
            _take(message, played)
        if over:
            return None
        wait([child], _POLL_S)
        state, now = _core.read_trace(trace.read_bytes()), time.monotonic()
        crashing = bool(state["signal"])  # writing a core file may take long
        if crashing or state["calls"] != calls:
            calls, since = state["calls"], now
        elif now - since > (limits.hang_s if state["function"] else 4 * limits.hang_s):
            return _doing(state) if state["stage"] else "while it was loaded: a constructor of the shared object"
        if now - began > limits.whole_s:
            return f"within {limits.whole_s:g} s, the time for all checks"


def _take(message: dict[str, Any], played: Played) -> None:
    if "error" in message:
        played.error = message["error"]
    elif "can_save" in message:
        played.can_save = message["can_save"]
    else:
        played.add(**message)


# ---- how it ended ---------------------------------------------------------------------------------------------


def _place(state: Mapping[str, Any]) -> dict[str, Any]:
    """Game, agent and step of the current call; empty between two calls."""
    if not state["function"]:
        return {}
    return {name: state[name] for name in ("game", "agent", "step")} | {"subject": state["function"]}


def _doing(state: Mapping[str, Any]) -> str:
    if state["function"]:
        return f"in {state['function']}"
    return f"while several threads stepped it or between two calls (stage: {state['stage'] or 'start'})"


def _conclude(played: Played, state: Mapping[str, Any], code: int, late: str | None, text: str) -> None:
    """Adds findings about how the child ended and what the game printed."""
    doing, place = _doing(state), _place(state)
    report = _SANITIZER.search(text)
    if report:
        start = text.rfind("\n", 0, report.start()) + 1
        played.add("error", "sanitizer", f"{doing}: {_excerpt('sanitizer', text[start:])}", **place)
    elif late is not None:
        played.add("error", "hang", f"the game did not return {late}", **place)
    elif code < 0 and (past := _PAST_METRICS.match(state["fault"])):
        listed = int(past[2]) // _METRIC_BYTES
        seen = f"metrics wrote value {listed + int(past[1]) // _METRIC_BYTES + 1}, but .metrics lists {listed} names"
        played.add("error", "metric_unlisted", seen, **place)
    elif code < 0:
        fault = f": it {state['fault']}" if state["fault"] else ""
        played.add("error", "crash", f"the game crashed with {signal_name(-code)} {doing}{fault}", **place)
    elif not state["done"]:
        if code == 70:
            raise RuntimeError(f"pufferc check itself failed:\n{text}")
        played.add("error", "exit", f"the game ended the process with exit code {code}, {doing}", **place)
    elif text.strip():
        played.add("warning", "output", f"the game wrote to the terminal: {_excerpt('output', text)}")


def _excerpt(kind: str, text: str) -> str:
    """The first lines of a text."""
    lines = [line.rstrip() for line in text.strip().splitlines() if line.strip(" =")]
    kept = lines[: _SHOWN_LINES[kind]]
    return "\n    ".join(kept) + ("\n    ..." if len(lines) > len(kept) else "")


# ---- sanitizers ------------------------------------------------------------------------------------------------


def _environment(game: str) -> dict[str, str]:
    """Variables to add to the child's environment; the runtime of AddressSanitizer must be loaded before the game."""
    environment = {"PYTHONSAFEPATH": "1", "PYTHONFAULTHANDLER": ""}
    if game_library.is_path(game) and "AddressSanitizer" in game_library.sanitizers(Path(game)):
        # Without libstdc++ AddressSanitizer aborts at the first C++ exception, such as one about a parameter.
        environment["LD_PRELOAD"] = f"{_runtime('libasan.so')} {_runtime('libstdc++.so.6')}"
        environment["ASAN_OPTIONS"] = "detect_leaks=0:detect_stack_use_after_return=1:allocator_may_return_null=1"
        environment["UBSAN_OPTIONS"] = "print_stacktrace=1"
    return environment


def _runtime(library: str) -> str:
    """Path of a library of the compiler."""
    words = [*compiler(), f"-print-file-name={library}"]
    path = subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
    if not os.path.isabs(path):
        raise ModuleError(f"the compiler {words[0]} has no {library}; use gcc for the checks with sanitizers")
    return os.path.realpath(path)


# ---- the child --------------------------------------------------------------------------------------------------


def _end_with_parent(parent: Parent) -> None:
    """Ends this process when the parent is gone. The game runs without Python's lock, so this thread always gets it."""
    while parent.receive() is not None:
        pass
    os._exit(1)


def _child(channel: str, game: str, params: str, data: str, trace: str, max_output_bytes: str) -> int:
    parent = Parent(channel)
    threading.Thread(target=_end_with_parent, args=[parent], daemon=True).start()
    # Python ignores SIGXFSZ, so that writes beyond the limit fail and the game goes on.
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(max_output_bytes), int(max_output_bytes)))
    import pufferc

    with open(trace, "r+b") as file:
        memory = mmap.mmap(file.fileno(), 0)
    try:
        info = pufferc.env_info(game)
        parent.send({"can_save": info.can_save})
        values = json.loads(params)
        _core.game_layout(info.engine, values)
        sanitized = "LD_PRELOAD" in os.environ and "ASAN_OPTIONS" in os.environ
        file_bytes = map_file("data", data) if data else None
        _core.check_game(info.engine, values, file_bytes, memory, not sanitized, parent.send)
    except ValueError as error:
        parent.send({"error": str(error)})
        return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(_child(*sys.argv[1:]))
    except Exception:
        import traceback

        traceback.print_exc()
        sys.exit(70)
