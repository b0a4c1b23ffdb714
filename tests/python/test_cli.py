"""The command line: output, exit codes, wrong usage and standard streams."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pufferc
from pufferc.commands.main import main
from pufferc.commands.train_flags import parse_train

TINY = [
    *("--vec.num-envs", "32", "--vec.num-threads", "1", "--policy.hidden-size", "8"),
    *("--train.total-steps", "4096", "--train.horizon", "16", "--train.minibatch-size", "128"),
    *("--train.target-score", "None", "--quiet"),
]


def test_help_and_usage(capsys: Any) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for command in ("envs", "train", "eval", "bench", "doctor"):
        assert command in text
    assert main([]) == 2
    assert main(["trian"]) == 2
    assert "did you mean 'train'" in capsys.readouterr().err
    assert main(["version"]) == 0 and pufferc.__version__ in capsys.readouterr().out


def test_a_deleted_folder_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    program = "import os, sys; os.rmdir(os.getcwd()); from pufferc.commands.main import main; sys.exit(main())"
    words = [sys.executable, "-c", program, "train", "squared"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (2, "pufferc: the current folder was deleted; change to one that exists\n")


def test_envs_lists_games_and_parameters(capsys: Any) -> None:
    assert main(["envs"]) == 0
    text = capsys.readouterr().out
    for name in pufferc.list_envs():
        assert name in text
    assert "frames_per_step" in text
    assert main(["envs", "snake", "--json"]) == 0
    (info,) = json.loads(capsys.readouterr().out)
    assert info["name"] == "snake" and any(row["name"] == "vision" for row in info["params"])
    assert main(["envs", "snek"]) == 2
    assert "snake" in capsys.readouterr().err


def test_train_help_lists_every_flag_with_its_default(capsys: Any) -> None:
    pytest.importorskip("tyro")
    with pytest.raises(SystemExit) as stop:
        main(["train", "breakout", "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for flag in (
        "--env.frames-per-step",
        "--vec.num-envs",
        "--policy.hidden-size",
        "--train.learning-rate",
        "--resume",
    ):
        assert flag in text
    assert "frames of 1/60 s per step" in text and "Passes over each batch" in text


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        ("train", ["--train.learning-rate", "--policy.hidden-size", "--resume", "breakout", "(default: 0.05)"]),
        ("eval", ["--episodes", "--record", "--env.NAME", "breakout"]),
        ("play", ["--opponent", "breakout"]),
        ("sweep", ["--space"]),
        ("bench", ["--seconds"]),
    ],
)
def test_help_needs_no_game(command: str, flags: list[str], capsys: Any) -> None:
    pytest.importorskip("tyro")
    texts = []
    for words in ([command, "--help"], ["help", command]):
        with pytest.raises(SystemExit) as stop:
            main(words)
        assert stop.value.code == 0
        texts.append(capsys.readouterr().out)
        assert [flag for flag in flags if flag not in texts[-1]] == []
    assert texts[0] == texts[1]


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("tr", "train"),
        ("train brea", "breakout"),
        ("eval brea", "breakout"),
        ("train breakout --env.frames", "--env.frames-per-step"),
        ("runs --js", "--json"),
    ],
)
def test_bash_completes_commands_games_and_flags(line: str, expected: str, tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("tyro")
    assert main(["completion", "bash"]) == 0
    script = tmp_path / "completion"
    command = f'pufferc() {{ "{sys.executable}" -m pufferc "$@"; }}\n'
    complete = f"COMP_WORDS=(pufferc {line}); COMP_CWORD={len(line.split())}; _pufferc; echo ${{COMPREPLY[@]}}\n"
    script.write_text(capsys.readouterr().out + command + complete)
    done = subprocess.run(["bash", script], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == [expected] and not done.stderr


@pytest.mark.parametrize("columns", [1, 5, 80])
def test_help_ends_on_a_terminal_of_any_width(columns: int, monkeypatch: Any, capsys: Any) -> None:
    pytest.importorskip("tyro")
    monkeypatch.setenv("COLUMNS", str(columns))
    with pytest.raises(SystemExit):
        main(["train", "cartpole", "--help"])
    assert "--vec.num-envs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("word", "number"), [("1e6", 10**6), ("1M", 10**6), ("2.5k", 2500), ("3_000_000", 3 * 10**6), ("1.5e3", 1500)]
)
def test_large_numbers_have_short_forms(word: str, number: int) -> None:
    pytest.importorskip("tyro")
    for words in (["--train.total-steps", word], [f"--train.total-steps={word}"]):
        assert parse_train("cartpole", words).config.train.total_steps == number


def test_numbers_without_a_short_form_stay(capsys: Any) -> None:
    pytest.importorskip("tyro")
    config = parse_train("cartpole", ["--train.learning-rate", "1e-3", "--train.clip", "0.25", "--seed", "7"]).config
    assert (config.train.learning_rate, config.train.clip, config.train.seed) == (0.001, 0.25, 7)
    with pytest.raises(SystemExit):
        parse_train("cartpole", ["--train.total-steps", "1.5"])
    assert "1.5" in capsys.readouterr().err


def test_flags_override_files_and_files_override_packaged_values(tmp_path: Path) -> None:
    pytest.importorskip("tyro")
    file = tmp_path / "c.toml"
    file.write_text("[train]\nclip = 0.33\nhorizon = 8\n[env]\nballs = 3\n")
    words = [
        f"--config={file}",
        "--train.horizon",
        "24",
        "--env.frames-per-step",
        "2",
        "--train.minibatch-size",
        "auto",
    ]
    config = parse_train("breakout", words).config
    packaged = parse_train("breakout", []).config
    assert (config.train.clip, config.train.horizon, config.train.minibatch_size) == (0.33, 24, "auto")
    assert config.env == {"balls": 3, "frames_per_step": 2}
    assert config.train.learning_rate == packaged.train.learning_rate and packaged.env == {}


def test_train_then_eval_then_resume(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("tyro")
    runs = str(tmp_path / "runs")
    assert main(["train", "cartpole", "--runs", runs, "--json", *TINY]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["outcome"], result["steps"]) == ("complete", 4096)
    assert main(["eval", "cartpole", "--runs", runs, "--episodes", "40", "--json"]) == 0
    latest = json.loads(capsys.readouterr().out)
    assert latest["episodes"] == 40 and latest["checkpoint"].startswith(result["run"])
    assert main(["eval", "cartpole", "--checkpoint", result["run"], "--episodes", "40", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["score"] == latest["score"]
    assert main(["eval", "cartpole", "--runs", runs, "--episodes", "40"]) == 0
    assert "score" in capsys.readouterr().out
    assert main(["train", "cartpole", "--runs", runs, "--resume", "latest", "--quiet"]) == 0
    assert "complete" in capsys.readouterr().out
    for flag in ("--resume", "--weights"):
        assert main(["train", "squared", "--runs", runs, flag, result["run"], "--quiet"]) == 2
        assert "is of cartpole, not of squared" in capsys.readouterr().err


SMALL_SNAKE = [
    "--env.width",
    "16",
    "--env.height",
    "16",
    "--env.snakes",
    "4",
    "--env.food",
    "20",
    "--env.max-steps",
    "30",
]


def test_resume_refuses_other_flags_by_name(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    runs = ["--runs", str(tmp_path / "runs")]
    assert main(["train", "squared", *TINY, *runs]) == 0
    resume = ["train", "squared", "--resume", "latest", "--quiet", *runs]
    monkeypatch.chdir(tmp_path)
    Path("own.toml").write_text("[train]\ngamma = 0.9\n")
    for flags, name in (
        (["--train.learning-rate", "0.5"], "train.learning_rate is"),
        (["--train.no-normalize-advantages"], "train.normalize_advantages is True, got False"),
        (["--seed=9"], "train.seed is 1, got 9"),
        (["--env.max-steps", "7"], "env.max_steps is"),
        (["--config", "own.toml"], "--config is for a new run"),
        (["--weights", "latest"], "--weights is for a new run"),
    ):
        assert main([*resume, *flags]) == 2
        assert name in capsys.readouterr().err
    assert main([*resume, "--json", "--seed", "1", "--train.total-steps", "8k"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 7680


def test_eval_versus_plays_two_runs_in_one_world(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("tyro")
    tiny = [
        "--vec.num-envs",
        "16",
        "--train.horizon",
        "16",
        "--train.total-steps",
        "1024",
        "--policy.hidden-size",
        "16",
        "--quiet",
    ]
    tiny += ["--train.target-score", "None"]
    runs = {name: str(tmp_path / name) for name in ("a", "b", "far")}
    for name, others in (("a", []), ("b", ["--policy.kind", "mingru"]), ("far", ["--env.vision", "4"])):
        assert main(["train", "snake", "--runs", runs[name], *SMALL_SNAKE, *tiny, *others]) == 0
    (a,), (b,), (far,) = (list(Path(folder).iterdir()) for folder in runs.values())
    capsys.readouterr()
    versus = ["eval", "snake", "--versus", str(a), str(b), "--episodes", "30"]
    assert main([*versus, "--split", "1", "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)["versus"]
    assert (first["agents"], second["agents"]) == ([0, 0], [1, 3])
    assert first["checkpoint"].startswith(str(a)) and second["checkpoint"].startswith(str(b))
    assert first["episodes"] >= 30 and second["episodes"] == 3 * first["episodes"]
    assert main(versus) == 0
    lines = capsys.readouterr().out
    assert f"agents 0 to 1 of each game: {a}" in lines and f"agents 2 to 3 of each game: {b}" in lines
    for words, message in (
        (["--split", "4"], "split must be in [1, 3], got 4"),
        (["--env.snakes", "1"], "at least two agents, snake has one with these parameters"),
        (["--env.vision", "4"], f"{a}"),
    ):
        assert main([*versus, *words]) == 2
        assert message in capsys.readouterr().err
    assert main(["eval", "snake", "--versus", str(a), str(far)]) == 2
    assert "far" in (error := capsys.readouterr().err) and "was trained with the observation space" in error
    for words, message in (
        (["--versus", "latest", "best", "--checkpoint", "latest"], "--checkpoint is for one policy"),
        (["--versus", "latest", "best", "--record", "x.gif"], "--record is for one policy"),
        (["--split", "2"], "--split needs --versus"),
        (["--versus", "latest"], "expected 2 arguments"),
    ):
        with pytest.raises(SystemExit):
            main(["eval", "snake", *words])
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("module", ["tyro", "torch", "safetensors"])
def test_ctrl_c_while_something_is_imported_ends_quietly(module: str, tmp_path: Path) -> None:
    """A stand-in for a required package imports slowly. Ctrl-C arrives during its import."""
    pytest.importorskip(module)
    (tmp_path / f"{module}.py").write_text(
        "import os, signal, time\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
        "try:\n    time.sleep(20)\n"
        "except KeyboardInterrupt:\n    raise ImportError('as extension modules do')\n"
    )
    path = os.pathsep.join([str(tmp_path), *(entry for entry in sys.path if entry)])
    done = subprocess.run(
        [sys.executable, "-m", "pufferc", "train", "squared", "--runs", str(tmp_path / "runs"), "--quiet"],
        capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": path}, cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stderr, done.stdout) == (130, "", "")


def test_impossible_recordings_are_refused_before_the_evaluation(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("tyro")
    pytest.importorskip("PIL")
    runs = str(tmp_path / "runs")
    assert main(["train", "cartpole", "--runs", runs, "--quiet", *TINY]) == 0
    capsys.readouterr()
    gif = str(tmp_path / "out.gif")
    for words, message in (
        (["--record", "out.avi"], "must end in one of .gif, .mp4, .png, got 'out.avi'"),
        (["--record", ""], "must end in one of .gif, .mp4, .png, got ''"),
        (["--record", str(tmp_path / "nowhere" / "out.gif")], "there is no folder"),
        (["--record", gif, "--record-steps", "0"], "max_steps must be in [1, 100000], got 0"),
    ):
        assert main(["eval", "cartpole", "--runs", runs, *words]) == 2
        captured = capsys.readouterr()
        assert message in captured.err and captured.out == ""
    words = ["--runs", runs, "--episodes", "4", "--record", gif, "--record-steps", "9"]
    assert main(["eval", "cartpole", *words]) == 0
    assert capsys.readouterr().out.endswith(f"recorded {gif}\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.gif", "runs"]


def test_damaged_checkpoints_are_errors_that_name_them(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("tyro")
    runs = str(tmp_path / "runs")
    assert main(["train", "cartpole", "--runs", runs, "--quiet", *TINY]) == 0
    meta = next(tmp_path.glob("runs/*/checkpoints/*/checkpoint.json"))
    whole = meta.read_bytes()
    values = json.loads(whole)
    may_be_null = ("evaluation", "score", "window")
    nulled = [json.dumps({**values, key: None}).encode() for key in values if key not in may_be_null]
    broken = [bytes(range(128, 200)), *nulled]
    capsys.readouterr()
    for content in broken:
        meta.write_bytes(content)
        for words in (["eval", "cartpole"], ["train", "cartpole", "--resume", "latest"]):
            if content == broken[0] or json.loads(content)["step"] is not None:
                assert main([*words, "--runs", runs]) == 2, content
                assert str(meta.parent) in capsys.readouterr().err


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with one checkpoint."""
    pytest.importorskip("tyro")
    runs = tmp_path_factory.mktemp("made") / "runs"
    assert main(["train", "cartpole", "--runs", str(runs), *TINY]) == 0
    return next(runs.iterdir())


def resave(run: Path, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Change tensors of a run's last checkpoint and update their hash, as another package version might write them."""
    from safetensors.torch import load, save

    checkpoint = max((run / "checkpoints").iterdir())
    tensors = load((checkpoint / name).read_bytes())
    change(tensors)
    data = save(tensors)
    (checkpoint / name).write_bytes(data)
    meta = json.loads((checkpoint / "checkpoint.json").read_text())
    meta["sha256"][name] = hashlib.sha256(data).hexdigest()
    (checkpoint / "checkpoint.json").write_text(json.dumps(meta))


MISFITS: dict[str, Callable[[Path], None]] = {
    "no random state": lambda run: resave(run, "trainer.safetensors", lambda t: t.pop("generator")),
    "other rows": lambda run: resave(run, "trainer.safetensors", lambda t: t.update(alive=t["alive"][:3].clone())),
    "no weights": lambda run: resave(run, "policy.safetensors", lambda t: t.clear()),
}


@pytest.mark.parametrize("misfit", MISFITS)
def test_a_mismatched_checkpoint_is_refused_by_name(misfit: str, run: Path, tmp_path: Path, capsys: Any) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "runs" / run.name))
    MISFITS[misfit](copy)
    assert main(["train", "cartpole", "--resume", str(copy), "--quiet"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("pufferc: checkpoint: ") and str(copy) in said


def test_a_policy_with_nan_outputs_is_an_error(run: Path, tmp_path: Path, capsys: Any) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "runs" / run.name))
    resave(copy, "policy.safetensors", lambda t: [tensor.fill_(float("nan")) for tensor in t.values()])
    assert main(["eval", "cartpole", "--checkpoint", str(copy), "--episodes", "4"]) == 2
    assert "pufferc: logits" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train"], "name of a game"),
        (["train", "braekout"], "breakout"),
        (["train", "squared", "--config", "absent.toml"], "cannot read 'absent.toml'"),
        (["train", "squared", "--train.minibatch-size", "1001", "--quiet"], "train.minibatch_size must divide"),
        (["train", "squared", "--env.max-steps", "-4", "--quiet"], "env.max_steps"),
        (["train", "squared", "--train.threads", "100000", "--quiet"], "train.threads must be in [1, "),
        (["train", "squared", "--vec.num-threads", "1000", "--quiet"], "vec.num_threads must be in [1, "),
        (
            ["train", "squared", "--policy.hidden-size", "1000000000", "--quiet"],
            "policy.hidden_size must be in [1, 16384]",
        ),
        (["train", "squared", "--resume", "latest"], "no run of squared"),
        (["eval", "squared"], "no run of squared"),
        (["eval", "squared", "--checkpoint", "nowhere"], "neither a checkpoint nor a run"),
    ],
)
def test_wrong_usage_is_an_error_with_a_reason(
    words: list[str], message: str, capsys: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    pytest.importorskip("tyro")
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    captured = capsys.readouterr()
    assert message in captured.err and "Traceback" not in captured.err
    assert not list(tmp_path.iterdir())


def test_unknown_flags_are_refused(capsys: Any) -> None:
    pytest.importorskip("tyro")
    with pytest.raises(SystemExit) as stop:
        main(["train", "squared", "--train.learning-rat", "3"])
    assert stop.value.code == 2


def test_a_missing_package_is_named_with_how_to_install_it(tmp_path: Path) -> None:
    (tmp_path / "tyro.py").write_text("raise ModuleNotFoundError('No module named tyro', name='tyro')\n")
    path = os.pathsep.join([str(tmp_path), *(entry for entry in sys.path if entry)])
    done = subprocess.run(
        [sys.executable, "-m", "pufferc", "train", "squared"],
        capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": path}, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1 and "pip install 'pufferc[train]'" in done.stderr


# ---- standard streams ------------------------------------------------------------------------------------


def command(words: str, redirection: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m pufferc` in a shell, with the buffered output that users have."""
    line = f'exec "$0" -m pufferc {words} {redirection}'
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    return subprocess.run(
        ["sh", "-c", line, sys.executable], capture_output=True, text=True, timeout=60, env=environment
    )


@pytest.mark.parametrize("words", ["version", "doctor", "nonsense"])
def test_commands_work_with_closed_streams(words: str) -> None:
    done = command(words, "<&- >&- 2>&-")
    assert done.returncode == (2 if words == "nonsense" else 0)


def test_opened_files_do_not_reuse_the_descriptors_of_closed_streams(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pufferc.commands import streams; streams.prepare(); "
        "file = open(sys.argv[1], 'w'); print('lost'); sys.exit(0 if file.fileno() > 2 else 1)"
    )
    line = f'exec "$0" -c "{program}" {tmp_path / "file"} <&- >&- 2>&-'
    assert subprocess.run(["sh", "-c", line, sys.executable], timeout=60).returncode == 0
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="needs /dev/full")
def test_a_full_disk_is_an_error() -> None:
    done = command("version", "> /dev/full")
    assert done.returncode == 1
    assert done.stderr == "pufferc: cannot write to standard output: No space left on device\n"


def test_a_closed_output_pipe_prints_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    words = [sys.executable, "-m", "pufferc", "envs", "--json"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    done = subprocess.run(words, stdout=write, stderr=subprocess.PIPE, text=True, timeout=60, env=environment)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")
