"""Whatever stands under a file's name, and wherever output goes: an error that names it, never a crash or a wait."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pufferc.commands.main import main
from pufferc.config import ConfigError, read_toml
from pufferc.files import check_target, parse_json, read_file, read_short

needs_fifo = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
DEEP = "[" * 100_000


# ---- reading -------------------------------------------------------------------------------------------------


@needs_fifo
def test_only_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "loop", "zero", ".", "absent"):
        with pytest.raises(OSError, match=name):
            read_file(tmp_path / name)
    (tmp_path / "long").write_bytes(b"0" * ((1 << 20) + 1))
    with pytest.raises(OSError, match=r"larger than 1 MiB.*long"):
        read_short(tmp_path / "long")
    assert len(read_file(tmp_path / "long")) == (1 << 20) + 1


@pytest.mark.parametrize("text", [DEEP, '{"a":' * 100_000, "1" * 400, "-" + "1" * 5000, "", "\0", b"\xff", "{}x"])
def test_texts_that_are_no_json(text: str | bytes) -> None:
    with pytest.raises(ValueError):
        parse_json(text)


@pytest.mark.parametrize("text", [f"a = {DEEP}", f"a = {'9' * 5000}", "a = \xff", "= 1", "a = 1\na = 2"])
def test_configurations_that_are_no_toml(text: str, tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text(text, encoding="latin-1")
    with pytest.raises(ConfigError, match=r"config: .*c\.toml is not valid TOML"):
        read_toml(file)


@needs_fifo
def test_a_configuration_may_come_from_a_pipe_but_not_without_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("[train]\nseed = 3\n",))
    writer.start()
    assert read_toml(pipe, pipes=True) == {"train": {"seed": 3}}
    writer.join()
    with pytest.raises(ConfigError, match="larger than 1 MiB"):
        read_toml(Path("/dev/zero"), pipes=True)


# ---- run directories -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one update."""
    pytest.importorskip("torch")
    runs = tmp_path_factory.mktemp("made") / "runs"
    sizes = ["--vec.num-envs", "16", "--train.horizon", "8", "--train.total-steps", "128", "--policy.hidden-size", "8"]
    learning = ["--train.minibatch-size", "auto", "--train.target-score", "None"]
    assert main(["train", "squared", *sizes, *learning, "--runs", str(runs), "--quiet"]) == 0
    return next(runs.iterdir())


def rewrite(file: Path, **values: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def replaced_by_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


Damage = Callable[[Path], object]
DAMAGES: dict[str, Damage] = {
    "pipe for configuration": lambda run: replaced_by_pipe(run / "config.toml"),
    "pipe for machine": lambda run: replaced_by_pipe(run / "machine.json"),
    "pipe for lock": lambda run: [replaced_by_pipe(run / "lock"), (run / "result.json").unlink()],
    "pipe for result": lambda run: replaced_by_pipe(run / "result.json"),
    "deep": lambda run: (run / "machine.json").write_text(DEEP),
    "huge number": lambda run: rewrite(run / "result.json", score={"value": 10**400}, seconds=10**400),
    "no number": lambda run: rewrite(run / "result.json", seconds=float("inf"), steps=float("nan")),
    "date": lambda run: (run / "config.toml").write_text("[train]\nseed = 1979-05-27\n"),
    "list for log": lambda run: (run / "metrics.jsonl").write_text('{"steps": []}\n[]\n' + DEEP),
}


@needs_fifo
@pytest.mark.parametrize("damage", DAMAGES)
def test_runs_and_compare_show_damaged_runs(damage: str, run: Path, tmp_path: Path, capsys: Any) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "runs" / run.name))
    DAMAGES[damage](copy)
    for words in (["runs", "--runs", str(copy.parent)], ["compare", str(copy), str(run)]):
        assert main(words) == 0, capsys.readouterr().err
        assert run.name in capsys.readouterr().out
        assert main([*words, "--json"]) == 0, capsys.readouterr().err
        json.loads(capsys.readouterr().out)


def resave(run: Path, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes tensors of a run's checkpoint, hash and all."""
    from safetensors.torch import load, save

    (checkpoint,) = (run / "checkpoints").iterdir()
    tensors = load((checkpoint / name).read_bytes())
    change(tensors)
    data = save(tensors)
    (checkpoint / name).write_bytes(data)
    hashes = json.loads((checkpoint / "checkpoint.json").read_text())["sha256"]
    rewrite(checkpoint / "checkpoint.json", sha256={**hashes, name: hashlib.sha256(data).hexdigest()})


def rewrite_checkpoint(run: Path, **values: Any) -> None:
    (checkpoint,) = (run / "checkpoints").iterdir()
    rewrite(checkpoint / "checkpoint.json", **values)


MISFITS: dict[str, Damage] = {
    "no random state": lambda run: resave(run, "trainer.safetensors", lambda t: t.pop("generator")),
    "another random state": lambda run: resave(
        run, "trainer.safetensors", lambda t: t.update(generator=t["alive"].clone())
    ),
    "no games": lambda run: resave(run, "trainer.safetensors", lambda t: t.update(pool=t["pool"][:100].clone())),
    "other rows": lambda run: resave(run, "trainer.safetensors", lambda t: t.update(alive=t["alive"][:3].clone())),
    "no weights": lambda run: resave(run, "policy.safetensors", lambda t: t.clear()),
    "deep": lambda run: [next((run / "checkpoints").iterdir()).joinpath("checkpoint.json").write_text(DEEP)],
    "module": lambda run: rewrite_checkpoint(run, module=[]),
    "no configuration": lambda run: rewrite_checkpoint(run, config=None),
    "pipe for log": lambda run: replaced_by_pipe(run / "metrics.jsonl"),
}


@needs_fifo
@pytest.mark.parametrize("misfit", MISFITS)
def test_a_checkpoint_that_does_not_fit_is_refused_by_name(misfit: str, run: Path, tmp_path: Path, capsys: Any) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "runs" / run.name))
    MISFITS[misfit](copy)
    assert main(["train", "squared", "--resume", str(copy), "--quiet"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("pufferc: ") and str(copy) in said


def test_a_damaged_line_costs_no_other(tmp_path: Path) -> None:
    from pufferc.runs.metrics import MetricsLog

    log = tmp_path / "metrics.jsonl"
    lines = [json.dumps({"update": update}) for update in range(1, 7)]
    log.write_text("\n".join([*lines[:2], '{"update": 3, "x', *lines[3:]]) + "\n")
    MetricsLog(log, ["update"], resume_update=5).close()
    assert [json.loads(line)["update"] for line in log.read_text().splitlines()] == [1, 2, 4, 5]


def test_numbers_that_no_policy_may_give_are_an_error(run: Path, tmp_path: Path, capsys: Any) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "runs" / run.name))
    resave(copy, "policy.safetensors", lambda t: [tensor.fill_(float("nan")) for tensor in t.values()])
    assert main(["eval", "squared", "--checkpoint", str(copy), "--episodes", "4"]) == 2
    assert "pufferc: logits" in capsys.readouterr().err


# ---- writing -------------------------------------------------------------------------------------------------


@needs_fifo
def test_a_pipe_or_a_device_is_never_replaced_by_a_file(run: Path, tmp_path: Path, capsys: Any) -> None:
    for name in ("policy.pfc", "film.png"):
        os.mkfifo(tmp_path / name)
    assert main(["export", "squared", "--checkpoint", str(run), "--out", str(tmp_path / "policy.pfc")]) == 2
    assert "a device or a pipe, expected a file" in capsys.readouterr().err
    words = ["eval", "squared", "--checkpoint", str(run), "--episodes", "4", "--record", str(tmp_path / "film.png")]
    assert main(words) in (1, 2)  # 1: built without pictures
    for name in ("policy.pfc", "film.png"):
        assert stat.S_ISFIFO((tmp_path / name).stat().st_mode)
    check_target(tmp_path / "absent")
    assert sorted(os.listdir(tmp_path)) == ["film.png", "policy.pfc"]


def command(words: str, redirection: str) -> subprocess.CompletedProcess[str]:
    line = f'exec "$0" -m pufferc {words} {redirection}'
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    return subprocess.run(
        ["sh", "-c", line, sys.executable], capture_output=True, text=True, timeout=60, env=environment
    )


@pytest.mark.parametrize("words", ["version", "doctor", "nonsense"])
def test_commands_without_standard_streams(words: str) -> None:
    done = command(words, "<&- >&- 2>&-")
    assert done.returncode == (2 if words == "nonsense" else 0)


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="needs /dev/full")
def test_an_output_that_takes_nothing_is_an_error() -> None:
    done = command("version", "> /dev/full")
    assert done.returncode == 1
    assert done.stderr == "pufferc: cannot write to standard output: No space left on device\n"


def test_a_reader_that_leaves_is_no_error_to_talk_about() -> None:
    read, write = os.pipe()
    os.close(read)
    words = [sys.executable, "-m", "pufferc", "envs", "--json"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    done = subprocess.run(words, stdout=write, stderr=subprocess.PIPE, text=True, timeout=60, env=environment)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")
