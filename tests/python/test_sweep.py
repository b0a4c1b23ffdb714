"""Sweeps with real workers: their files, resuming, lost and hanging workers, Ctrl-C, bad input."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("tyro")

from pufferc.commands.main import main
from pufferc.config import load_config
from pufferc.runs.curves import read_metrics
from pufferc.runs.directory import members
from pufferc.runs.records import read_run
from pufferc.sweep.plan import load_plan
from pufferc.sweep.trials import read_trials
from pufferc.sweep.workers import Job, Worker, Workers
from test_readme import blocks, commands

pytestmark = pytest.mark.usefixtures("warm_children")

# A short cartpole: each run takes a few hundredths of a second.
SMALL = ["--env.max-steps", "20", "--vec.num-envs", "32", "--policy.hidden-size", "8", "--train.horizon", "16"]
SMALL += ["--train.minibatch-size", "128", "--train.total-steps", "5120", "--train.target-episodes", "32"]
SPACE = ["--space", "train.learning_rate=log:1e-3:1e-1", "--space", "train.epochs=integer:1:3"]


def sweep(directory: Path, *words: str) -> int:
    return main(["sweep", "cartpole", *SMALL, *SPACE, "--directory", str(directory), "--quiet", *words])


@pytest.fixture(scope="module")
def done(tmp_path_factory: Any) -> Path:
    """A sweep of five runs. The best is run again with two seeds, together with the base configuration."""
    directory: Path = tmp_path_factory.mktemp("sweep") / "whole"
    words = ("--runs", "5", "--jobs", "1", "--stop", "none", "--confirm", "1", "--confirm-seeds", "2", "--seed", "7")
    assert sweep(directory, *words) == 0
    return directory


def test_every_finished_run_is_recorded(done: Path) -> None:
    trials = read_trials(done)
    search = [trial for trial in trials if trial.phase == "search"]
    assert [trial.number for trial in search] == [1, 2, 3, 4, 5]
    for trial in search:
        assert trial.outcome == "complete" and trial.steps == 5120 and 0.0 < trial.seconds < trial.at_s
        assert trial.score is not None and trial.score.source == "evaluation" and 1.0 <= trial.score.value <= 20.0
        assert read_metrics(done / "curves" / f"{trial.number}.jsonl")["steps"][-1] == 5120
    again = {(trial.number, trial.seed) for trial in trials if trial.phase == "confirm"}
    best = max(search, key=lambda trial: trial.score.value if trial.score else math.nan)
    assert {number for number, _ in again} == {0, best.number} and len(again) == 4
    assert not {trial.seed for trial in search} & {seed for _, seed in again}


def test_the_best_trial_is_written_as_a_configuration_with_runs(done: Path, capsys: Any) -> None:
    trials = read_trials(done)
    best = next(trial for trial in trials if trial.phase == "confirm" and trial.number != 0)
    config = load_config("cartpole", done / "best.toml")
    assert config.train.learning_rate == best.params["train.learning_rate"]
    assert config.train.epochs == best.params["train.epochs"]
    assert config.env["max_steps"] == 20 and config.train.target_score == 475 and config.train.threads == "auto"
    for trial in trials:
        if trial.phase == "confirm":
            run = read_run(done / str(trial.run))
            assert run.state == "complete" and run.seed == trial.seed and run.score == trial.score
    assert len(members(done / "confirm" / "base-seeds")) == 2
    assert main(["compare", str(done / "confirm" / "base-seeds")]) == 0
    assert "the runs differ in their seeds only" in capsys.readouterr().out


def test_a_resumed_sweep_equals_an_uninterrupted_one(done: Path, tmp_path: Path) -> None:
    """Two runs, then half a line as after a kill, and then the remaining runs."""
    directory = tmp_path / "parts"
    assert sweep(directory, "--runs", "2", "--jobs", "1", "--stop", "none", "--confirm", "0", "--seed", "7") == 0
    with (directory / "trials.jsonl").open("ab") as file:
        file.write(b'{"number": 3, "phase": "sea')
    words = ["--runs", "5", "--confirm", "1", "--confirm-seeds", "2", "--quiet"]
    assert main(["sweep", "--resume", str(directory), *words]) == 0
    ours, whole = (
        [dataclasses.replace(trial, seconds=0.0, at_s=0.0) for trial in read_trials(path)] for path in (directory, done)
    )
    assert ours == whole  # proposals, seeds, scores to the last bit
    at_s = [trial.at_s for trial in read_trials(directory)]
    assert at_s == sorted(at_s)


def test_a_lost_worker_loses_one_run(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    """Run 2 is killed during training, run 3 hangs, and run 4's loss becomes NaN. Other runs are unaffected."""
    give, wait = Workers.give, Workers.wait
    struck: set[int] = set()

    def tampered_give(self: Workers, worker: Worker, job: Job) -> None:
        fields: dict[str, Any] = {2: {"total_steps": 10**9}, 3: {"total_steps": 10**9}, 4: {"learning_rate": 1e30}}
        train = dataclasses.replace(job.config.train, **fields.get(job.number, {}))
        give(self, worker, dataclasses.replace(job, config=dataclasses.replace(job.config, train=train)))

    def tampered_wait(self: Workers, seconds: float) -> Any:
        for worker in self.busy():
            job, child = worker.job, worker.child
            if job is None or child is None or not job.log.is_file() or not job.log.stat().st_size:
                continue
            if job.number in (2, 3) and job.number not in struck:
                struck.add(job.number)
                os.kill(child.pid, signal.SIGKILL if job.number == 2 else signal.SIGSTOP)
            if job.number == 3:
                worker.heard_at = -math.inf
        return wait(self, seconds)

    monkeypatch.setattr(Workers, "give", tampered_give)
    monkeypatch.setattr(Workers, "wait", tampered_wait)
    assert sweep(tmp_path / "s", "--runs", "5", "--jobs", "1", "--stop", "none", "--confirm", "0") == 0
    found = {trial.number: trial for trial in read_trials(tmp_path / "s")}
    assert [found[n].outcome for n in range(1, 6)] == ["complete", "failed", "failed", "failed", "complete"]
    assert found[2].error == "killed by signal 9 (SIGKILL)" and "without progress" in str(found[3].error)
    assert found[4].error == "the loss is nan"
    out, err = capsys.readouterr()
    assert "2 complete, 3 failed" in out and "run 2 failed: killed by signal 9" in err
    assert not list((tmp_path / "s").glob(".worker-*"))


def test_workers_do_not_outlive_the_sweep(tmp_path: Path) -> None:
    config = load_config("cartpole")
    train = dataclasses.replace(config.train, total_steps=10**10, target_score=None, threads=1)
    workers = Workers(1, tmp_path, 60.0)
    (worker,) = workers.free()
    workers.give(worker, Job(1, "search", 1, {}, dataclasses.replace(config, train=train), tmp_path / "log.jsonl"))
    end = time.monotonic() + 60
    while not (tmp_path / "log.jsonl").is_file() or not (tmp_path / "log.jsonl").stat().st_size:
        assert not workers.wait(0.05) and time.monotonic() < end
    assert worker.child is not None
    worker.child.hang_up()  # simulates the death of this process
    assert worker.child.stop(wait_s=60.0) == 1
    workers.close()


def test_ctrl_c_keeps_finished_runs(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    words = [*SMALL, *SPACE, "--runs", "100000", "--jobs", "1", "--stop", "none", "--directory", str(tmp_path / "s")]
    command = [sys.executable, "-m", "pufferc", "sweep", "cartpole", *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as child:
        end = time.monotonic() + 90
        while len(read_trials(tmp_path / "s")) < 2:
            assert time.monotonic() < end and child.poll() is None
            time.sleep(0.05)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert child.returncode == 130 and "Traceback" not in err, err
    assert "--resume" in err and "stopping" in err
    count = len(read_trials(tmp_path / "s"))
    assert f"{count} runs ({count} complete, 0 failed)" in out
    assert (tmp_path / "s" / "best.toml").is_file() and load_plan(tmp_path / "s", {}).settings.runs == 100_000


def test_bad_runs_are_stopped_and_counted(tmp_path: Path, capsys: Any) -> None:
    """Of twelve learning rates the first five finish. Later runs below the median of the earlier ones stop early."""
    words = [*SMALL, "--train.total-steps", "20480", "--train.gamma", "0.9", "--directory", str(tmp_path / "s")]
    space = ["--space", "train.learning_rate=grid:0.001:0.12:12"]
    assert main(["sweep", "cartpole", *words, *space, "--method", "grid", "--jobs", "1", "--confirm", "0"]) == 0
    trials = read_trials(tmp_path / "s")
    stopped = [trial for trial in trials if trial.outcome == "stopped"]
    assert len(trials) == 12 and 1 <= len(stopped) <= 7
    for trial in stopped:
        assert trial.steps < 20480 and len(trial.rungs) >= 1 and trial.score is not None
        assert trial.score.source == "training"
    assert f"{12 - len(stopped)} complete, {len(stopped)} stopped early, 0 failed" in capsys.readouterr().out


def test_a_sweep_of_failed_runs_reports_the_reason(tmp_path: Path, capsys: Any) -> None:
    """Each value is valid by itself, but no combination is. The sweep finds this without a worker."""
    space = ["--space", "vec.num_envs=choice:64,128", "--space", "train.horizon=choice:60,64"]
    words = [*SMALL, "--train.total-steps", "2048", *space, "--directory", str(tmp_path / "s"), "--json"]
    assert main(["sweep", "cartpole", *words, "--jobs", "1"]) == 1
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["best"] is None and all(trial["outcome"] == "failed" for trial in found["trials"])
    assert "all of the first 20 runs failed" in err and "train.total_steps must be at least one batch" in err
    assert err.count("failed: ") == 5
    assert main(["sweep", "--report", str(tmp_path / "s")]) == 0
    assert "no run finished" in capsys.readouterr().out and not (tmp_path / "s" / "best.toml").exists()


def test_workers_that_cannot_start_end_the_sweep(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert sweep(tmp_path / "s", "--runs", "3", "--jobs", "2") == 2
    assert "a worker cannot start: exit code 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--method", "bayes"], "method must be one of 'random', 'grid', 'tpe', got 'bayes'"),
        (["--objective", "fun"], "objective must be one of"),
        (["--stop", "never"], "stop must be one of"),
        (["--runs", "0"], "runs must be in"),
        (["--jobs", "0"], "jobs must be in"),
        (["--budget", "-1"], "budget must be a number of seconds above 0"),
        (["--budget", "nan"], "budget must be a number of seconds above 0"),
        (["--timeout", "0"], "timeout must be in"),
        (["--confirm", "-1"], "confirm must be in"),
        (["--confirm-seeds", "0"], "confirm_seeds must be in"),
        (["--seed", "-1"], "seed must be in"),
        (["--space", "train.clip=0.5"], "train.clip must be a list"),
        (["--sweep", "nowhere.toml"], "cannot read nowhere.toml"),
        (["--space", "train.clip=log:0.1:0.2", "--method", "grid"], "train.clip is a range"),
        (["--objective", "time", "--train.target-score", "None"], "objective: time needs a target"),
        (["--train.seeds", "1,2"], "--train.seeds is a flag of pufferc train only"),
        (["--weights", "best"], "--weights is a flag of pufferc train only"),
        (["--train.minibatch-size", "1001"], "train.minibatch_size must divide"),
    ],
)
def test_wrong_settings_make_no_directory(words: list[str], message: str, tmp_path: Path, capsys: Any) -> None:
    assert main(["sweep", "cartpole", "--directory", str(tmp_path / "s"), *words]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


def test_unusable_directories_are_refused(done: Path, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "file").write_text("x")
    for words, message in (
        (["cartpole", "--directory", str(done)], "is not empty; --resume"),
        (["cartpole", "--directory", str(tmp_path / "file")], "cannot make"),
        (["cartpole", "--directory", str(tmp_path / "file" / "s")], "cannot make"),
        (["--resume", str(tmp_path)], "no sweep in"),
        (["--report", str(tmp_path / "none")], "no sweep in"),
        (["--resume", str(done), "--seed", "3"], "got --seed too"),
        (["--report", str(done), "--train.gamma", "0.9"], "got --train.gamma too"),
        (["cartpole", "--resume", str(done)], "got cartpole too"),
        ([], "needs the name of a game"),
        (["cartpool"], "cartpole"),
    ):
        assert main(["sweep", *words]) == 2, words
        assert message in capsys.readouterr().err


@pytest.mark.usefixtures("one_core")
@pytest.mark.slow
def test_the_commands_of_the_page_run(tmp_path: Path) -> None:
    """Run the commands of the page with very short runs. DIR-TIME stands for the directory of the first command."""
    pytest.importorskip("matplotlib")
    pytest.importorskip("optuna")
    (space,) = blocks("docs/sweeps.md", "toml")
    (tmp_path / "space.toml").write_text(space, encoding="utf-8")
    lines = [line for line in commands("docs/sweeps.md") if line.startswith("pufferc ")]
    lines.insert(1, "pufferc sweep cartpole --sweep space.toml --method tpe --runs 12")
    assert len(lines) == 7
    short = ["--train.total-steps", "131072", "--train.target-episodes", "20"]
    fewer = ["--runs", "2", "--jobs", "1", "--confirm", "0", "--quiet"]
    for line in lines:
        made = min((tmp_path / "sweeps").glob("cartpole-*"), default=Path())
        words = line.replace("cartpole-20260131-120000", made.name).split()[1:]
        words += fewer if words[0] == "sweep" and words[1] != "--report" else []
        words += short if not words[1].startswith("--") else []
        done = subprocess.run(
            [sys.executable, "-m", "pufferc", *words], capture_output=True, text=True, timeout=120, cwd=tmp_path
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    assert len(list((tmp_path / "sweeps").glob("*/report.png"))) == 4
