"""A `python` whose processes are forked from a server that has imported torch, which saves 3 s per process.

Tests that don't depend on how a process starts can use it. The fixture `warm_python` of conftest.py is a folder with
the programs `python` and `pufferc`. Each sends its arguments, environment and standard streams to a server. The server
forks, and the child runs what python would have run: `-m MODULE`, `-c CODE` or a file.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import sys
from pathlib import Path
from typing import NoReturn

PRELOADED = ("numpy", "gymnasium", "torch", "safetensors.torch", "rich.console", "tyro", "pufferc")


def write_programs(folder: Path, address: Path) -> None:
    """Write the programs that call the server at `address`. They import only the standard library."""
    for name, words in (("python", []), ("pufferc", ["-m", "pufferc"])):
        program = folder / name
        program.write_text(
            f"#!{sys.executable} -IS\nimport sys\nsys.path.append({str(Path(__file__).parent)!r})\nimport warm\n"
            f"sys.exit(warm.request({str(address)!r}, [*{words!r}, *sys.argv[1:]]))\n"
        )
        program.chmod(0o755)


def request(address: str, words: list[str]) -> int:
    """Let the server run `words` with this process's streams, folder and environment. Returns the exit code.

    Signals that a test sends to this process are forwarded to the worker. If this process is killed, so is the worker.
    """
    early: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: early.append(number))
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        streams = inherited()
        socket.send_fds(server, [b"+"], streams)
        server.sendall(json.dumps([words, os.getcwd(), dict(os.environ), streams, cores()]).encode() + b"\n")
        for number in streams[3:]:
            os.close(number)
        with server.makefile() as answers:
            worker = int(answers.readline())
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, lambda number, frame: os.kill(worker, number))
            for number in early:
                os.kill(worker, number)
            status = int(answers.readline())
    if status < 0:  # the worker was killed by a signal
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


def inherited() -> list[int]:
    """The file descriptors that a child program would inherit."""
    found = [0, 1, 2]
    for number in sorted(int(name) for name in os.listdir("/dev/fd")):
        with contextlib.suppress(OSError):  # the descriptor of the listing itself is closed
            if number > 2 and os.get_inheritable(number):
                found.append(number)
    return found


def cores() -> list[int]:
    """The cores that this process may run on, or none if the system doesn't report them."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def serve(address: str) -> list[str]:
    """Serve requests until the process ends. Returns only in a child, with the words to run, after all setup."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no zombies
        while True:
            caller = listener.accept()[0]
            if os.fork() == 0:
                break
            caller.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    received = socket.recv_fds(caller, 1, 100)[1]
    with caller.makefile() as request:
        words, folder, environment, streams, allowed = json.loads(request.readline())
    worker = os.fork()
    if worker:
        for number in received:  # so that readers of the worker's streams see them close
            os.close(number)
        supervise(worker, caller)
    caller.close()
    copies = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 1000) for number in received]  # numbers that no stream uses
    for number in received:
        os.close(number)
    for copy, number in zip(copies, streams, strict=True):
        os.dup2(copy, number)
        os.close(copy)
    # The server's stream objects have the positions and buffers of its own files.
    by_line = os.isatty(1) or bool(environment.get("PYTHONUNBUFFERED"))
    sys.stdin = sys.__stdin__ = os.fdopen(0, closefd=False)
    sys.stdout = sys.__stdout__ = os.fdopen(1, "w", buffering=1 if by_line else -1, closefd=False)
    sys.stderr = sys.__stderr__ = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    os.chdir(folder)
    if allowed:
        os.sched_setaffinity(0, allowed)
    os.environ.clear()
    os.environ.update(environment)
    return list(words)


def supervise(worker: int, caller: socket.socket) -> NoReturn:
    """Send the caller the worker's process id and exit status. Kill the worker if the caller ends."""
    with contextlib.suppress(BrokenPipeError):
        caller.sendall(f"{worker}\n".encode())
    while not os.waitid(os.P_PID, worker, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        if select.select([caller], [], [], 0.02)[0]:  # the caller never sends again, so readable means closed
            os.kill(worker, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
    with contextlib.suppress(BrokenPipeError):
        caller.sendall(f"{status}\n".encode())
    os._exit(0)


def run(words: list[str], address: str) -> None:
    """Do what `python WORDS` does, as far as the tests need it."""
    import runpy
    import types
    import warnings

    sys.executable = str(Path(address).parent / "python")
    sys.orig_argv = [sys.executable, *words]
    while words[0] in ("-W", "-u"):  # torchrun starts its processes with -u
        if words[0] == "-u":
            sys.stdout.reconfigure(write_through=True)  # type: ignore[union-attr]
            words = words[1:]
        else:
            warnings.simplefilter(words[1])  # type: ignore[arg-type]
            words = words[2:]
    kind, rest = words[0], words[1:]
    added = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    sys.path[:1] = ["" if kind in ("-m", "-c") else os.path.dirname(kind), *added]
    if kind == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif kind == "-c":
        sys.argv = ["-c", *rest[1:]]
        sys.modules["__main__"] = types.ModuleType("__main__")
        exec(rest[0], sys.modules["__main__"].__dict__)
    else:
        sys.argv = words
        runpy.run_path(kind, run_name="__main__")


if __name__ == "__main__":
    import gc
    import importlib

    for module in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    gc.freeze()
    address = sys.argv[1]
    run(serve(address), address)
