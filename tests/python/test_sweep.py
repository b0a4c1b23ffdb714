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
optuna = pytest.importorskip("optuna")
pytest.importorskip("sklearn")

# ruff: noqa: E402
from pufferc.commands.main import main
from pufferc.config import load_config
from pufferc.runs.curves import read_metrics
from pufferc.runs.directory import members
from pufferc.runs.records import read_run
from pufferc.sweep.study import Claim, Purpose, load_sweep
from pufferc.sweep.trials import BASE, Trial
from pufferc.sweep.workers import Job, Worker, Workers
from test_readme import blocks, commands

pytestmark = pytest.mark.usefixtures("warm_children")

# A short cartpole: each run takes a few hundredths of a second.
SMALL = ["--env.max-steps", "20", "--vec.num-envs", "32", "--policy.hidden-size", "8", "--train.horizon", "16"]
SMALL += ["--train.minibatch-size", "128", "--train.total-steps", "5120", "--train.target-episodes", "32"]
SPACE = ["--space", "train.learning_rate=log:1e-3:1e-1", "--space", "train.epochs=integer:1:3"]


def sweep(directory: Path, *words: str) -> int:
    return main(["sweep", "cartpole", *SMALL, *SPACE, "--directory", str(directory), "--quiet", *words])


def read(directory: Path) -> list[Trial]:
    return load_sweep(directory)[1]


def started(directory: Path, *words: str) -> subprocess.Popen[str]:
    """A process of the sweep in a directory, with its own workers."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-m", "pufferc", "sweep", "cartpole", *SMALL, *SPACE, "--jobs", "1", "--stop", "none"]
    return subprocess.Popen(
        [*command, "--storage", str(directory / "study.journal"), *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True,
    )  # fmt: skip


def wait_for(directory: Path, count: int, *processes: subprocess.Popen[str]) -> None:
    """Waits until so many runs of a sweep have ended."""
    end = time.monotonic() + 120
    while True:
        if (directory / "trials.jsonl").is_file() and len(read_lines(directory)) >= count:
            return
        assert time.monotonic() < end and all(process.poll() is None for process in processes)
        time.sleep(0.05)


def read_lines(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / "trials.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def done(tmp_path_factory: Any) -> Path:
    """A sweep of five runs. The best is run again with two seeds, and the base configuration before all."""
    directory: Path = tmp_path_factory.mktemp("sweep") / "whole"
    words = ("--runs", "5", "--jobs", "1", "--stop", "none", "--confirm", "1", "--confirm-seeds", "2", "--seed", "7")
    assert sweep(directory, *words, "--method", "random") == 0
    return directory


def test_every_finished_run_is_recorded(done: Path) -> None:
    trials = read(done)
    search = [trial for trial in trials if trial.phase == "search"]
    assert len(search) == 5 and len({trial.seed for trial in search}) == 5
    for trial in search:
        assert trial.outcome == "complete" and trial.steps == 5120 and 0.0 < trial.seconds < trial.at_s
        assert trial.score is not None and trial.score.source == "evaluation" and 1.0 <= trial.score.value <= 20.0
        assert read_metrics(done / "curves" / f"{trial.index}.jsonl")["steps"][-1] == 5120
        assert len(trial.curve) > 5 and all(1.0 <= score <= 20.0 for _, _, score in trial.curve)
        assert [point[:2] for point in trial.curve] == sorted(point[:2] for point in trial.curve)
    again = {(trial.number, trial.seed) for trial in trials if trial.phase == "confirm"}
    best = max(search, key=lambda trial: trial.score.value if trial.score else math.nan)
    assert {number for number, _ in again} >= {BASE, best.number}
    assert sum(number == best.number for number, _ in again) == sum(number == BASE for number, _ in again) == 2
    assert not {trial.seed for trial in search} & {seed for _, seed in again}
    assert [line["index"] for line in read_lines(done)] == [trial.index for trial in trials]


def test_the_best_mean_is_written_as_a_configuration_with_runs(done: Path, capsys: Any) -> None:
    trials = read(done)
    means: dict[int, list[float]] = {}
    for trial in trials:
        if trial.phase == "confirm":
            means.setdefault(trial.number, []).append(trial.score.value if trial.score else math.nan)
    best = max((number for number in means if len(means[number]) == 2), key=lambda number: sum(means[number]))
    params = next((trial.params for trial in trials if trial.index == best), {})
    config = load_config("cartpole", done / "best.toml")
    assert config.train.learning_rate == params.get("train.learning_rate", 0.05)
    assert config.train.epochs == params.get("train.epochs", 4)
    assert config.env["max_steps"] == 20 and config.train.target_score == 475 and config.train.threads == "auto"
    text = (done / "best.toml").read_text()
    assert all(word in text for word in ("mean score", "spread", "s a run", "seeds 10000001, 10000002"))
    for trial in trials:
        if trial.phase == "confirm":
            run = read_run(done / str(trial.run))
            assert run.state == "complete" and run.seed == trial.seed and run.score == trial.score
    assert len(members(done / "confirm" / "base-seeds")) == 2
    assert main(["compare", str(done / "confirm" / "base-seeds")]) == 0
    assert "the runs differ in their seeds only" in capsys.readouterr().out


def test_a_sweep_is_resumed_by_its_journal_alone(done: Path, tmp_path: Path) -> None:
    """Two runs, then a journal with half a line as after a kill and nothing else, and then the remaining runs."""
    directory = tmp_path / "parts"
    words = ("--jobs", "1", "--stop", "none", "--confirm", "1", "--confirm-seeds", "2", "--seed", "7")
    assert sweep(directory, "--runs", "2", *words, "--method", "random") == 0
    other = tmp_path / "journal only"
    other.mkdir()
    (other / "study.journal").write_bytes((directory / "study.journal").read_bytes() + b'{"op_code": 4, "stu')
    assert main(["sweep", "--resume", str(other), "--runs", "5", "--jobs", "1", "--quiet"]) == 0
    ours, whole = (
        {(trial.seed, tuple(trial.params.items()), trial.score) for trial in read(path) if trial.phase == "search"}
        for path in (other, done)
    )
    assert len(ours) == 5 and (other / "best.toml").is_file()
    # Proposals and seeds depend on the run's number in the journal, and scores are the same to the last bit.
    assert len(ours & whole) >= 2


def test_processes_share_a_sweep(tmp_path: Path) -> None:
    """Three processes work on one sweep. One is killed, one gets Ctrl-C, and the third does all that is left."""
    words = ("--runs", "12", "--confirm", "1", "--confirm-seeds", "1")
    with started(tmp_path / "s", *words) as first, started(tmp_path / "s", *words) as second:
        try:
            wait_for(tmp_path / "s", 2, first, second)
            first.send_signal(signal.SIGKILL)
            second.send_signal(signal.SIGINT)
            _, err = second.communicate(timeout=200)  # a killed process may leave a lock, which is broken after 30 s
            assert second.returncode == 130 and "Traceback" not in err and "--resume" in err, err
            first.communicate(timeout=60)
        finally:
            first.kill()
            second.kill()
    with started(tmp_path / "s", *words) as third:
        out, err = third.communicate(timeout=300)
    assert third.returncode == 0, err
    trials = [trial for trial in read(tmp_path / "s") if trial.outcome == "complete"]
    search = [trial for trial in trials if trial.phase == "search"]
    assert 11 <= len(search) <= 12  # the killed process's run counts until it is noticed
    assert len({trial.seed for trial in search}) == len(search)
    assert (tmp_path / "s" / "best.toml").is_file() and "with fresh seeds" in out


def test_a_lost_worker_loses_one_run(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    """Run 2 is killed during training, run 3 hangs, and run 4's loss becomes NaN. Other runs are unaffected."""
    give, wait = Workers.give, Workers.wait
    struck: set[int] = set()

    def tampered_give(self: Workers, worker: Worker, job: Job) -> None:
        fields: dict[str, Any] = {2: {"total_steps": 10**9}, 3: {"total_steps": 10**9}, 4: {"learning_rate": 1e30}}
        train = dataclasses.replace(job.config.train, **fields.get(job.claim.trial.number, {}))
        give(self, worker, dataclasses.replace(job, config=dataclasses.replace(job.config, train=train)))

    def tampered_wait(self: Workers, seconds: float) -> Any:
        for worker in self.busy():
            job, child = worker.job, worker.child
            if job is None or child is None or not job.log.is_file() or not job.log.stat().st_size:
                continue
            number = job.claim.trial.number
            if number in (2, 3) and number not in struck:
                struck.add(number)
                os.kill(child.pid, signal.SIGKILL if number == 2 else signal.SIGSTOP)
            if number == 3:
                worker.heard_at = -math.inf
        return wait(self, seconds)

    monkeypatch.setattr(Workers, "give", tampered_give)
    monkeypatch.setattr(Workers, "wait", tampered_wait)
    assert sweep(tmp_path / "s", "--runs", "6", "--jobs", "1", "--stop", "none", "--confirm", "0") == 0
    found = {trial.number: trial for trial in read(tmp_path / "s")}
    assert [found[n].outcome for n in range(1, 6)] == ["complete", "failed", "failed", "failed", "complete"]
    assert found[2].error == "killed by signal 9 (SIGKILL)" and "without progress" in str(found[3].error)
    assert found[4].error == "the loss is nan"
    out, err = capsys.readouterr()
    assert "3 complete, 3 failed" in out and "run 2 failed: killed by signal 9" in err
    assert not list((tmp_path / "s" / "workers").iterdir())


def test_workers_do_not_outlive_the_sweep(tmp_path: Path) -> None:
    config = load_config("cartpole")
    train = dataclasses.replace(config.train, total_steps=10**10, target_score=None, threads=1)
    workers = Workers(1, tmp_path / "w", 60.0)
    (worker,) = workers.free()
    claim = Claim(optuna.create_study().ask(), Purpose("search"), {}, 1, 0.0)
    workers.give(worker, Job(claim, dataclasses.replace(config, train=train), tmp_path / "log.jsonl"))
    end = time.monotonic() + 60
    while not (tmp_path / "log.jsonl").is_file() or not (tmp_path / "log.jsonl").stat().st_size:
        assert not workers.wait(0.05) and time.monotonic() < end
    assert worker.child is not None
    worker.child.hang_up()  # simulates the death of this process
    assert worker.child.stop(wait_s=60.0) == 1
    workers.close()


def test_ctrl_c_keeps_finished_runs(tmp_path: Path) -> None:
    with started(tmp_path / "s", "--runs", "100000", "--confirm", "0") as child:
        wait_for(tmp_path / "s", 2, child)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert child.returncode == 130 and "Traceback" not in err, err
    assert "--resume" in err and "stopping" in err
    trials = read(tmp_path / "s")
    count = sum(trial.outcome == "complete" for trial in trials)
    assert count >= 2 and f"{count} complete" in out and all(t.outcome in ("complete", "lost") for t in trials)
    assert "not confirmed" in (tmp_path / "s" / "best.toml").read_text()


def test_bad_runs_are_stopped_and_counted(tmp_path: Path, capsys: Any) -> None:
    """The first five runs finish. Later runs below the median of the earlier ones stop early."""
    words = [*SMALL, "--train.total-steps", "20480", "--train.gamma", "0.9", "--directory", str(tmp_path / "s")]
    space = ["--space", "train.learning_rate=log:0.001:0.12", "--method", "random"]
    assert main(["sweep", "cartpole", *words, *space, "--runs", "14", "--jobs", "1", "--confirm", "0"]) == 0
    trials = read(tmp_path / "s")
    stopped = [trial for trial in trials if trial.outcome == "stopped"]
    assert len(trials) == 14 and 1 <= len(stopped) <= 9
    for trial in stopped:
        assert trial.steps < 20480 and len(trial.curve) >= 1 and trial.score is not None
        assert trial.score.source == "training"
    assert f"{14 - len(stopped)} complete, {len(stopped)} stopped early, 0 failed" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ["--objective", "pareto", "--method", "cost"],
        ["--objective", "time", "--train.target-score", "12", "--method", "cost", "--stop", "hyperband"],
        ["--objective", "steps", "--train.target-score", "12"],
    ],
)
def test_other_objectives_are_searched(words: list[str], tmp_path: Path, capsys: Any) -> None:
    assert sweep(tmp_path / "s", "--runs", "14", "--jobs", "1", "--confirm", "1", "--confirm-seeds", "1", *words) == 0
    assert main(["sweep", "--report", str(tmp_path / "s"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out.partition('{\n "directory"')[2].join(['{\n "directory"', ""]))
    assert found["best"]["confirmed"] and found["objective"] == words[1]
    assert len([trial for trial in found["trials"] if trial["phase"] == "search"]) == 14
    if words[1] == "pareto":
        front = [trial for trial in found["trials"] if trial["index"] in found["pareto"]]
        assert front and max(trial["score"]["value"] for trial in front) == max(
            trial["score"]["value"] for trial in found["trials"] if trial["phase"] == "search"
        )


def test_self_play_is_compared_by_points_against_a_fixed_opponent(tmp_path: Path, capsys: Any) -> None:
    words = ["connect4", "--vec.num-envs", "32", "--train.horizon", "16", "--train.minibatch-size", "256"]
    words += ["--train.total-steps", "2048", "--train.target-episodes", "32", "--selfplay.opponents", "self,pool"]
    words += ["--policy.hidden-size", "16", *SPACE, "--runs", "2", "--jobs", "1", "--confirm", "0", "--quiet"]
    assert main(["sweep", *words, "--directory", str(tmp_path / "no")]) == 2
    assert "opponent must be a level of the game's script, such as script:1" in capsys.readouterr().err
    assert main(["sweep", *words, "--opponent", "script:99", "--directory", str(tmp_path / "no")]) == 2
    assert "there is no script:99" in capsys.readouterr().err and not (tmp_path / "no").exists()
    assert main(["sweep", *words, "--opponent", "script:0", "--directory", str(tmp_path / "s")]) == 0
    for trial in read(tmp_path / "s"):
        assert trial.score is not None and 0.0 <= trial.score.value <= 1.0 and trial.score.source == "evaluation"


def test_a_sweep_of_failed_runs_reports_the_reason(tmp_path: Path, capsys: Any) -> None:
    """Each value is valid by itself, but no combination is. The sweep finds this without a worker."""
    space = ["--space", "vec.num_envs=choice:64,128", "--space", "train.horizon=choice:60,64"]
    words = [*SMALL, "--train.total-steps", "2048", *space, "--directory", str(tmp_path / "s"), "--json"]
    assert main(["sweep", "cartpole", *words, "--jobs", "1", "--confirm", "0"]) == 1
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
        (["--method", "bayes"], "method must be one of 'random', 'tpe', 'cost', got 'bayes'"),
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
        (["--objective", "pareto", "--stop", "median"], "stop must be none with the objective pareto"),
        (["--opponent", "script:0"], "opponent is for self-play only"),
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
    (tmp_path / "file").write_text("x\ny\n")
    for words, message in (
        (["cartpole", "--directory", str(done)], "is not empty; --resume"),
        (["cartpole", "--directory", str(tmp_path / "file")], "cannot make"),
        (["cartpole", "--directory", str(tmp_path / "file" / "s")], "cannot make"),
        (["--resume", str(tmp_path)], "no sweep in"),
        (["--report", str(tmp_path / "none")], "no sweep in"),
        (["--resume", str(done), "--seed", "3"], "got --seed too"),
        (["--report", str(done), "--train.gamma", "0.9"], "got --train.gamma too"),
        (["cartpole", "--resume", str(done)], "got cartpole too"),
        (["cartpole", "--storage", str(tmp_path / "new.journal")], "has other files"),
        (["cartpole", "--storage", str(tmp_path / "file" / "j")], "cannot make"),
        (["cartpole", "--storage", str(done / "study.journal")], "is another sweep: "),
        (["--resume", str(tmp_path / "file")], "is not a journal of Optuna"),
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


def adapted(recipe: str, folder: Path) -> str:
    """A recipe of the page with `folder` as shared folder, and very short runs of cartpole."""
    words = " ".join([*SMALL, *SPACE, "--confirm", "0", "--stop", "none", "--quiet"])
    for old, new in (
        ("/shared", str(folder)),
        (" pong ", " cartpole "),
        ("--runs 500", "--runs 6"),
        ("--quiet", words),
    ):
        recipe = recipe.replace(old, new)
    return recipe


def check_shared(folder: Path) -> None:
    """Checks that processes made six runs together."""
    trials = [trial for trial in read(folder) if trial.phase == "search"]
    assert len(trials) == 6 and all(trial.outcome == "complete" for trial in trials)
    assert len({trial.seed for trial in trials}) == len(trials) and not list((folder / "workers").iterdir())


def with_programs(folder: Path, warm: Path, **programs: str) -> dict[str, str]:
    """An environment with these programs, by name and shell script."""
    for name, script in programs.items():
        (folder / name).write_text(f"#!/bin/bash\n{script}\n")
        (folder / name).chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{warm}:{os.environ['PATH']}"}


def test_the_recipe_for_ssh(tmp_path: Path, warm_python: Path) -> None:
    """A stand-in for ssh runs the command on this machine."""
    recipe, _ = blocks("docs/sweeps.md", "bash")
    shared = tmp_path / "shared"
    shared.mkdir()
    environment = with_programs(tmp_path, warm_python, ssh='echo "$1" >> "$HOSTS"; bash -c "$2"')
    environment["HOSTS"] = str(tmp_path / "hosts")
    script = adapted(recipe, shared).replace("node1 node2 node3", "node1 node2")
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    assert sorted((tmp_path / "hosts").read_text().split()) == ["node1", "node2"]
    check_shared(shared / "pong")
    assert "6 complete" in done.stdout


def test_the_recipe_for_slurm(tmp_path: Path, warm_python: Path) -> None:
    """Two tasks of the array, with the variables that Slurm sets, and a stand-in for srun."""
    _, recipe = blocks("docs/sweeps.md", "bash")
    assert recipe.startswith("#!/bin/bash\n#SBATCH --array=")
    environment = with_programs(tmp_path, warm_python, srun='exec "$@"')
    environment |= {"SLURM_SUBMIT_DIR": str(tmp_path / "submitted"), "SLURM_CPUS_PER_TASK": "1"}
    script = adapted(recipe, tmp_path)
    tasks = [
        subprocess.Popen(["bash", "-c", script], env={**environment, "SLURM_ARRAY_TASK_ID": str(i)}, cwd=tmp_path)
        for i in range(2)
    ]
    assert [task.wait(timeout=300) for task in tasks] == [0, 0]
    check_shared(tmp_path / "submitted" / "pong")


def test_the_recipe_for_kubernetes(tmp_path: Path, warm_python: Path) -> None:
    """The manifest is a Job whose pods share a volume. Two of its containers' commands run here."""
    yaml = pytest.importorskip("yaml")
    (recipe,) = blocks("docs/sweeps.md", "yaml")
    job = yaml.safe_load(recipe)
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    assert job["spec"]["completions"] == job["spec"]["parallelism"] > 1
    pod = job["spec"]["template"]["spec"]
    (container,), (volume,) = pod["containers"], pod["volumes"]
    (mount,) = container["volumeMounts"]
    assert volume["name"] == mount["name"] and volume["persistentVolumeClaim"]["claimName"]
    assert mount["mountPath"] == "/shared" and all(isinstance(word, str) for word in container["args"])
    words = adapted(" ".join(container["args"]), tmp_path).replace("--jobs 4", "--jobs 1").split()
    environment = with_programs(tmp_path, warm_python)
    pods = [subprocess.Popen(words, env=environment, cwd=tmp_path) for _ in range(2)]
    assert [each.wait(timeout=300) for each in pods] == [0, 0]
    check_shared(tmp_path / "pong")
