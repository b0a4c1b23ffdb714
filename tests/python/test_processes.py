"""Child processes: messages in both directions, and the reports for each way in which a child can end."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pufferc.processes import Child, wait

HEAD = "import os, signal, sys, time\nfrom pufferc.processes import Parent\nparent = Parent(sys.argv[1])\n"
Start = Callable[..., Child]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts a child that runs the given lines. Children that still run after the test are killed."""
    monkeypatch.syspath_prepend(str(tmp_path))
    children: list[Child] = []

    def run(lines: str, *words: str) -> Child:
        name = f"child_{len(children)}"
        (tmp_path / f"{name}.py").write_text(HEAD + lines)
        children.append(Child(name, words, tmp_path / f"{name}.txt"))
        return children[-1]

    yield run
    for child in children:
        child.stop()


def everything(child: Child) -> list[dict[str, Any]]:
    """All messages until the child closes its end."""
    found: list[dict[str, Any]] = []
    while not child.gone:
        wait([child], 60.0)
        found += child.messages()
    return found


def test_messages_go_both_ways_and_prints_go_to_the_file(start: Start) -> None:
    child = start(
        "print('noise')\nwhile (m := parent.receive()) and m['n']: parent.send({'n': m['n'], 'w': sys.argv[2]})", "x"
    )
    for n in (1, 2, 0):
        child.send({"n": n})
    assert everything(child) == [{"n": 1, "w": "x"}, {"n": 2, "w": "x"}]
    assert child.stop(wait_s=60.0) == 0 and child.output.read_text() == "noise\n"


def test_messages_before_a_sudden_end_are_read(start: Start) -> None:
    child = start("for n in range(100): parent.send({'n': n})\nos.kill(os.getpid(), signal.SIGKILL)")
    assert child.stop(wait_s=60.0) == -9
    assert everything(child) == [{"n": n} for n in range(100)]


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "killed by signal 11 (SIGSEGV)"),
        ("print('before')\nraise ValueError('no such thing')", "ValueError: no such thing"),
        ("sys.exit(3)", "exit code 3"),
    ],
)
def test_the_reason_for_the_end_of_a_child_is_reported(lines: str, why: str, start: Start) -> None:
    child = start(lines)
    assert child.stop(wait_s=60.0) != 0
    assert child.why_ended() == why


def test_a_child_that_does_not_end_is_killed(start: Start) -> None:
    child = start("signal.signal(signal.SIGTERM, signal.SIG_IGN)\nparent.send({})\ntime.sleep(600)")
    wait([child], 60.0)
    assert child.messages() == [{}] and child.code is None
    assert child.stop(wait_s=0.05) == -9 and child.why_ended() == "killed by signal 9 (SIGKILL)"


def test_interrupt_reaches_the_child_but_ctrl_c_of_this_terminal_does_not(start: Start) -> None:
    child = start("try:\n  parent.send({})\n  time.sleep(600)\nexcept KeyboardInterrupt: sys.exit(130)")
    wait([child], 60.0)
    assert os.getsid(child.pid) != os.getsid(0)
    child.interrupt()
    assert child.stop(wait_s=60.0) == 130


def test_a_child_ends_when_its_parent_has_ended(start: Start) -> None:
    reader = start("sys.exit(7 if parent.receive() is None else 0)")
    writer = start("parent.receive()\ntry:\n  while True: parent.send({})\nexcept OSError: sys.exit(8)")
    for child in (reader, writer):
        child.hang_up()
        child.send({})  # has no effect
    assert (reader.stop(wait_s=60.0), writer.stop(wait_s=60.0)) == (7, 8)


def test_programs_that_a_child_starts_do_not_keep_the_channel_open(start: Start) -> None:
    child = start(
        "import subprocess\nparent.send({'pid': subprocess.Popen(['sleep', '600'], close_fds=False).pid})\nos._exit(0)"
    )
    (message,) = everything(child)
    os.kill(message["pid"], signal.SIGKILL)  # it was still running


def test_wait_returns_for_any_of_several_children(start: Start) -> None:
    silent, loud = start("parent.receive()"), start("parent.send({'here': 1})\nparent.receive()")
    wait([silent, loud], 60.0)
    assert (silent.messages(), loud.messages()) == ([], [{"here": 1}])
