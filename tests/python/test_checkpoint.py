"""A checkpoint is complete or absent, even if the process is killed while it writes one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from pufferc.runs.checkpoint import (  # noqa: E402
    CheckpointError,
    find_checkpoint,
    list_checkpoints,
    load_checkpoint,
    save_checkpoint,
)


def save(directory: Path, step: int) -> Path:
    return save_checkpoint(
        directory, step, {"w": torch.full((3,), float(step))}, {"n": torch.arange(step)}, {"game": "g"}
    )


def test_a_saved_checkpoint_loads_unchanged(tmp_path: Path) -> None:
    loaded = load_checkpoint(save(tmp_path / "checkpoints", 7))
    assert torch.equal(loaded.policy["w"], torch.full((3,), 7.0))
    assert torch.equal(loaded.trainer["n"], torch.arange(7))
    assert (loaded.meta["game"], loaded.meta["step"]) == ("g", 7)


def test_safetensors_reads_the_weights(tmp_path: Path) -> None:
    """Without pufferc: the policy's file holds its weights by name."""
    from safetensors import safe_open
    from safetensors.torch import load_file

    file = save(tmp_path / "checkpoints", 7) / "policy.safetensors"
    weights = load_file(file)
    assert list(weights) == ["w"] and torch.equal(weights["w"], torch.full((3,), 7.0))
    with safe_open(file, framework="np") as opened:
        assert list(opened.keys()) == ["w"]


class Killed(BaseException):
    """The code under test does not catch this, so the files on disk are the same as after kill -9."""


def test_a_kill_during_a_save_keeps_the_previous_checkpoint(tmp_path: Path, monkeypatch: Any) -> None:
    points = [(os, "fsync"), (Path, "rename"), (Path, "mkdir"), (Path, "open"), (os, "open")]
    deaths = 0
    for module, name in points:
        for after in (False,) if name == "open" else (False, True):
            for nth in range(8):
                run = tmp_path / f"{module.__name__}-{name}-{after}-{nth}"
                save(run / "checkpoints", 1)
                with monkeypatch.context() as patch:
                    patch.setattr(module, name, dying(getattr(module, name), nth, after))
                    try:
                        save(run / "checkpoints", 2)
                    except Killed:
                        deaths += 1
                found = [load_checkpoint(path).meta["step"] for path in list_checkpoints(run)]
                assert found in ([1], [1, 2])
                save(run / "checkpoints", 3)
                assert load_checkpoint(list_checkpoints(run)[-1]).meta["step"] == 3
                assert all(path.name.startswith("step_") for path in (run / "checkpoints").iterdir())
    assert deaths >= 15


def dying(function: Callable[..., Any], nth: int, after: bool) -> Callable[..., Any]:
    calls = 0

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls - 1 == nth and not after:
            raise Killed
        result = function(*args, **kwargs)
        if calls - 1 == nth:
            raise Killed
        return result

    return wrapper


@pytest.mark.usefixtures("warm_children")
def test_kill_9_during_saves_leaves_a_valid_checkpoint(tmp_path: Path) -> None:
    script = (
        "import sys, torch\nfrom pathlib import Path\nfrom pufferc.runs.checkpoint import save_checkpoint\n"
        "for step in range(1, 100000):\n"
        "    w = torch.full((200_000,), float(step))\n"
        "    save_checkpoint(Path(sys.argv[1]) / 'checkpoints', step, {'w': w}, {'w': w}, {'game': 'g'})\n"
        "    print(step, flush=True)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment
    ) as child:
        assert child.stdout is not None
        printed = [int(child.stdout.readline()) for _ in range(3)]
        time.sleep(0.003)
        child.send_signal(signal.SIGKILL)
        printed += [int(line) for line in child.stdout.read().split()]
    found = list_checkpoints(tmp_path)
    assert len(found) >= printed[-1]
    for path in found:
        loaded = load_checkpoint(path)
        assert torch.equal(loaded.policy["w"], torch.full((200_000,), float(loaded.meta["step"])))


def test_latest_is_the_newest_run_with_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no run of squared"):
        find_checkpoint("latest", tmp_path, "squared")
    save(tmp_path / "squared-20260101-000000" / "checkpoints", 5)
    last = save(tmp_path / "squared-20260102-000000" / "checkpoints", 3)
    save(tmp_path / "squared-20260102-000000" / "checkpoints", 2)
    (tmp_path / "squared-20260103-000000" / "checkpoints").mkdir(parents=True)
    save(tmp_path / "other-20260104-000000" / "checkpoints", 9)
    assert find_checkpoint("latest", tmp_path, "squared") == last
    assert find_checkpoint(str(last), tmp_path, "squared") == last
    assert find_checkpoint(str(last.parent.parent), tmp_path, "squared") == last
    with pytest.raises(CheckpointError, match="neither a checkpoint nor a run"):
        find_checkpoint(str(tmp_path / "absent"), tmp_path, "squared")


def damage_size(path: Path) -> None:
    file = path / "trainer.safetensors"
    file.write_bytes(file.read_bytes()[:-1])


def damage_bytes(path: Path) -> None:
    file = path / "policy.safetensors"
    file.write_bytes(b"\xff" * file.stat().st_size)


def damage_a_bit(path: Path) -> None:
    file = path / "trainer.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1  # a bit of a tensor's number
    file.write_bytes(data)


def damage_json(path: Path) -> None:
    (path / "checkpoint.json").write_text("{")


def damage_format(path: Path) -> None:
    file = path / "checkpoint.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": 99}))


def remove_file(path: Path) -> None:
    (path / "policy.safetensors").unlink()


def remove_json(path: Path) -> None:
    (path / "checkpoint.json").unlink()


HARMS = [damage_size, damage_bytes, damage_a_bit, damage_json, damage_format, remove_file, remove_json]


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    path = save(tmp_path / "checkpoints", 4)
    harm(path)
    with pytest.raises(CheckpointError, match="checkpoint: "):
        load_checkpoint(path)
