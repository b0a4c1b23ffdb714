"""The process that `pufferc check` plays a game in, from both sides.

The child (`python -m pufferc.check_process`) loads the game, plays it, and writes each finding as a line of JSON into
a pipe. What the game is doing stands in a file that both have mapped, PfcTrace of csrc/conformance/conformance.h: after
a crash it says where. The parent never loads the game.
"""

from __future__ import annotations

import json
import mmap
import os
import re
import signal
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
from pufferc.files import map_file, read_file

__all__ = ["Played", "play_in_process"]

_POLL_S = 0.05
_SHOWN_LINES = {"sanitizer": 12, "output": 3}  # of what was written to the terminal
_SANITIZER = re.compile(r"ERROR: \w+Sanitizer|: runtime error: ")


@dataclass
class Played:
    """Findings as keyword arguments of `Finding`, and the address of the variable each is about (or 0)."""

    findings: list[dict[str, Any]] = field(default_factory=list)
    addresses: list[int] = field(default_factory=list)
    can_save: bool = True
    error: str | None = None  # the game could not be loaded, or a parameter does not fit

    def add(self, severity: str, code: str, seen: str, *, address: int = 0, **place: Any) -> None:
        """One more finding; places that mean nothing are -1 or None."""
        where = {name: None if value == -1 else value for name, value in place.items()}
        self.findings.append({"severity": severity, "code": code, "seen": seen, **where})
        self.addresses.append(address)


def play_in_process(
    game: str, params: Mapping[str, float], data: str | os.PathLike[str] | None, folder: Path, hang_s: float
) -> Played:
    """Has a child check the game. Raises ModuleError or ValueError where the child could not begin."""
    if data is not None:
        map_file("data", data).close()  # a bad path is an error here, where it was given
    trace, output = folder / "trace", folder / "output"
    trace.write_bytes(bytes(_core.trace_bytes()))
    read_end, write_end = os.pipe()
    with output.open("wb") as file:
        command = [
            sys.executable,
            "-m",
            "pufferc.authoring.check_process",
            game,
            json.dumps(dict(params)),
            "" if data is None else os.fspath(data),
            str(trace),
            str(write_end),
        ]
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, pass_fds=[write_end], env=_environment(game)
        )
    os.close(write_end)
    lines: list[str] = []
    reader = threading.Thread(target=_read_lines, args=(read_end, lines), daemon=True)
    reader.start()
    try:
        hung = _wait(child, trace, hang_s)
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
        reader.join(5.0)
    played = _collect(lines)
    state = _core.read_trace(trace.read_bytes())
    text = output.read_text(errors="replace")
    if played.error is not None:
        raise ModuleError(played.error) if game_library.is_path(game) else ValueError(played.error)
    _conclude(played, state, child.returncode, hung, text)
    return played


def _read_lines(read_end: int, lines: list[str]) -> None:
    with open(read_end, encoding="utf-8", errors="replace") as pipe:
        lines.extend(pipe)


def _wait(child: subprocess.Popen[bytes], trace: Path, hang_s: float) -> bool:
    """Until the child has ended; True if it had to be ended because one call of the game took longer than `hang_s`."""
    calls, since = -1, time.monotonic()
    while True:
        try:
            child.wait(_POLL_S)
            return False
        except subprocess.TimeoutExpired:
            state = _core.read_trace(trace.read_bytes())
        now = time.monotonic()
        crashing = bool(state["signal"])  # it may take long to write a core file
        if crashing or state["calls"] != calls or not (state["function"] or state["stage"]):
            calls, since = state["calls"], now
        elif now - since > (hang_s if state["function"] else 4 * hang_s):
            child.kill()
            return True


def _collect(lines: list[str]) -> Played:
    played = Played()
    for line in lines:
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue  # cut off by the end of the process
        if "error" in entry:
            played.error = entry["error"]
        elif "can_save" in entry:
            played.can_save = entry["can_save"]
        else:
            played.add(**entry)
    return played


# ---- how it ended ---------------------------------------------------------------------------------------------


def _place(state: Mapping[str, Any]) -> dict[str, Any]:
    """Where the game was; between two calls of it that means nothing."""
    if not state["function"]:
        return {}
    return {name: state[name] for name in ("game", "agent", "step")} | {"subject": state["function"]}


def _doing(state: Mapping[str, Any]) -> str:
    if state["function"]:
        return f"in {state['function']}"
    return f"while it was played by several threads, or between two calls ({state['stage'] or 'at the start'})"


def _conclude(played: Played, state: Mapping[str, Any], code: int, hung: bool, text: str) -> None:
    """Adds what the end of the child says about the game, and what the game wrote."""
    doing, place = _doing(state), _place(state)
    complaint = _SANITIZER.search(text)
    if complaint:
        start = text.rfind("\n", 0, complaint.start()) + 1
        played.add("error", "sanitizer", f"{doing}: {_excerpt('sanitizer', text[start:])}", **place)
    elif hung:
        played.add("error", "hang", f"the game did not come back {doing}", **place)
    elif code < 0:
        fault = f": it {state['fault']}" if state["fault"] else ""
        played.add("error", "crash", f"the game crashed with {_signal_name(-code)} {doing}{fault}", **place)
    elif not state["done"]:
        if code == 70:
            raise RuntimeError(f"pufferc check failed in itself:\n{text}")
        played.add("error", "exit", f"the game ended the process with exit code {code}, {doing}", **place)
    elif text.strip():
        played.add("warning", "output", f"the game wrote to the terminal: {_excerpt('output', text)}")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _excerpt(kind: str, text: str) -> str:
    """The first lines of a text."""
    lines = [line.rstrip() for line in text.strip().splitlines() if line.strip(" =")]
    kept = lines[: _SHOWN_LINES[kind]]
    return "\n    ".join(kept) + ("\n    ..." if len(lines) > len(kept) else "")


# ---- sanitizers ------------------------------------------------------------------------------------------------


def _environment(game: str) -> dict[str, str]:
    """The child's environment; a game with AddressSanitizer finds its runtime loaded first."""
    environment = {**os.environ, "PYTHONSAFEPATH": "1", "PYTHONFAULTHANDLER": ""}
    if not game_library.is_path(game):
        return environment
    try:
        names = game_library.sanitizers(read_file(Path(game)))
    except OSError:
        return environment
    if "AddressSanitizer" in names:
        environment["LD_PRELOAD"] = _runtime("libasan.so")
        environment["ASAN_OPTIONS"] = "detect_leaks=0:detect_stack_use_after_return=1:allocator_may_return_null=1"
        environment["UBSAN_OPTIONS"] = "print_stacktrace=1"
    return environment


def _runtime(library: str) -> str:
    """Path of the compiler's own library."""
    words = [*compiler(), f"-print-file-name={library}"]
    path = subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
    if not os.path.isabs(path):
        raise ModuleError(f"the compiler {words[0]} has no {library}; use gcc for the checks with sanitizers")
    return os.path.realpath(path)


# ---- the child --------------------------------------------------------------------------------------------------


def _child(game: str, params: str, data: str, trace: str, write_end: str) -> int:
    import pufferc

    def send(entry: Mapping[str, Any]) -> None:
        os.write(int(write_end), (json.dumps(entry) + "\n").encode())

    with open(trace, "r+b") as file:
        memory = mmap.mmap(file.fileno(), 0)
    try:
        info = pufferc.env_info(game)
        send({"can_save": info.can_save})
        values = json.loads(params)
        _core.game_layout(info.engine, values)
        sanitized = "LD_PRELOAD" in os.environ and "ASAN_OPTIONS" in os.environ
        file_bytes = map_file("data", data) if data else None
        _core.check_game(info.engine, values, file_bytes, memory, not sanitized, send)
    except ValueError as error:
        send({"error": str(error)})
        return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(_child(*sys.argv[1:]))
    except Exception:
        import traceback

        traceback.print_exc()
        sys.exit(70)
