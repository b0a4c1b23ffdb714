"""Groups of seeds: results equal to single runs, failures, Ctrl-C, mean and spread."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("tyro")

from conftest import small_config  # noqa: E402
from pufferc.commands.main import main  # noqa: E402
from pufferc.config import Config, ConfigError, merge  # noqa: E402
from pufferc.runs.checkpoint import find_checkpoint, list_checkpoints, load_checkpoint  # noqa: E402
from pufferc.runs.records import list_runs  # noqa: E402
from pufferc.training import seeds as seeds_module  # noqa: E402
from pufferc.training.run import train  # noqa: E402
from pufferc.training.seeds import exit_code, parse_seeds, split_cores, summary, train_seeds  # noqa: E402

pytestmark = pytest.mark.usefixtures("warm_children")
PYTHON = sys.executable  # starts without warm.py


def small(**fields: Any) -> Config:
    config = small_config(policy={"hidden_size": 8}, **{"threads": "auto", "checkpoint_interval_s": 60.0, **fields})
    return merge(config, {"vec": {"num_threads": "auto"}})


def test_seed_lists_are_parsed() -> None:
    assert parse_seeds("1,2,3") == [1, 2, 3] and parse_seeds("7") == [7]
    assert parse_seeds("1-3, 8") == [1, 2, 3, 8]
    for text in ("", "1,", "a", "1,1", "1-3,2", "3-1", "-1", "1.5", "0-99999999999"):
        with pytest.raises(ConfigError, match=r"train\.seeds"):
            parse_seeds(text)


@pytest.mark.parametrize(
    ("cores", "parallel", "given", "expected"),
    [
        (8, 1, "auto", (1, 8, 8)),
        (8, 3, "auto", (3, 2, 2)),
        (2, 2, "auto", (2, 1, 1)),
        (2, 5, "auto", (2, 1, 1)),
        (64, 1, "auto", (1, 64, 32)),  # at most one thread per game
        (8, 4, 4, (2, 4, 4)),
        (1, 2, 4, (1, 4, 4)),
    ],
)
def test_cores_are_divided_without_overlap(
    cores: int, parallel: int, given: Any, expected: tuple[int, ...], monkeypatch: Any
) -> None:
    for module in ("pufferc.training.seeds", "pufferc.training.resolve"):
        monkeypatch.setattr(f"{module}.available_cores", lambda: cores)
    config = merge(small(threads=given), {"vec": {"num_threads": given}})
    config, together, notes = split_cores(config, parallel, 10)
    assert (together, config.train.threads, config.vec.num_threads) == expected
    assert bool(notes) == (together < parallel)
    with pytest.raises(ConfigError, match="parallel must be at least 1"):
        split_cores(config, 0, 1)


@pytest.fixture(scope="module")
def group(tmp_path_factory: Any) -> dict[str, Any]:
    """Two parallel seeds with one thread each, even if this machine has only one core."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seeds_module, "available_cores", lambda: 2)
        return train_seeds(small(), [3, 5], runs=tmp_path_factory.mktemp("seeds"), parallel=2, quiet=True)


def test_a_seed_in_a_group_gives_the_same_result_as_a_single_run(group: dict[str, Any], tmp_path: Path) -> None:
    assert [run["outcome"] for run in group["runs"]] == ["complete", "complete"] and exit_code(group) == 0
    for run in group["runs"]:
        single = train(
            merge(small(seed=run["seed"], threads=1), {"vec": {"num_threads": 1}}), runs=tmp_path, quiet=True
        )
        ours, other = (load_checkpoint(list_checkpoints(path)[-1]) for path in (Path(run["run"]), single.run))
        assert all(torch.equal(tensor, other.policy[name]) for name, tensor in ours.policy.items())
        assert ours.trainer.keys() == other.trainer.keys()
        assert all(torch.equal(tensor, other.trainer[name]) for name, tensor in ours.trainer.items())


def test_mean_and_spread_match_the_runs(group: dict[str, Any]) -> None:
    path = Path(group["group"])
    scores = [json.loads((path / f"seed-{seed}" / "result.json").read_text())["score"]["value"] for seed in (3, 5)]
    assert group["mean"] == pytest.approx(statistics.mean(scores))
    assert group["spread"] == pytest.approx(statistics.stdev(scores))
    assert (group["lowest"], group["highest"]) == (min(scores), max(scores))
    saved = json.loads((path / "group.json").read_text())
    assert {**saved, "seconds": 0} == {**group, "seconds": 0}
    text = summary(group)
    assert f"mean score {group['mean']:.2f} +- {group['spread']:.2f}" in text and "2 of 2 seeds" in text


def test_a_group_is_listed_among_runs(group: dict[str, Any]) -> None:
    path = Path(group["group"])
    found = sorted((run.seed, run.name) for run in list_runs(path.parent))  # either seed may start first
    assert found == [(3, f"{path.name}/seed-3"), (5, f"{path.name}/seed-5")]
    assert find_checkpoint("latest", path.parent, "cartpole").parent.parent == path / "seed-5"
    best = max(group["runs"], key=lambda run: run["best"]["value"])
    for name in ("best", f"{path}/best"):
        assert find_checkpoint(name, path.parent, "cartpole").parent.parent == Path(best["run"])


def test_a_failed_seed_does_not_stop_the_others(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    """One seed has an unusable run directory, and another is killed from outside."""
    original = seeds_module.Member.start

    def start(member: Any, config: Config, weights: Path | None) -> None:
        if member.seed == 2:
            config = merge(config, {"train": {"total_steps": 10**9}})
        original(member, config, weights)
        if member.seed == 1:
            (member.run / "config.toml").write_text("[train]\nhorizon = 'x'\n")
        if member.seed == 2:
            member.child.stop()

    monkeypatch.setattr(seeds_module.Member, "start", start)
    monkeypatch.setattr(sys, "executable", PYTHON)
    group = train_seeds(small(), [1, 2, 3], runs=tmp_path)
    outcomes = {run["seed"]: run for run in group["runs"]}
    assert [outcomes[seed]["outcome"] for seed in (1, 2, 3)] == ["failed", "failed", "complete"]
    assert "Error" in outcomes[1]["error"] and outcomes[2]["error"] == "killed by signal 9 (SIGKILL)"
    assert (group["scores"], group["spread"], exit_code(group)) == (1, None, 1)
    assert "seed 2: failed: killed by signal 9" in capsys.readouterr().err
    assert "1 of 3 seeds" in summary(group)


LONG = ["--train.total-steps", "1_000_000_000", "--train.target-score", "None", "--train.threads", "1"]


def started(tmp_path: Path, *words: str) -> subprocess.Popen[str]:
    """Start `pufferc train cartpole --train.seeds 1,2,3` and wait until its first seed has trained for a while."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-m", "pufferc", "train", "cartpole", "--runs", str(tmp_path), *LONG, *words]
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )
    end = time.monotonic() + 180
    while not any(log.stat().st_size for log in tmp_path.glob("*/seed-1/metrics.jsonl")):
        if time.monotonic() > end or child.poll() is not None:
            child.kill()
            pytest.fail(f"training did not start: {child.communicate()}")
        time.sleep(0.05)
    return child


def test_ctrl_c_stops_all_with_checkpoints(tmp_path: Path) -> None:
    with started(tmp_path, "--train.seeds", "1,2,3", "--json") as child:
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=120)
    assert child.returncode == 130, err
    group = json.loads(out)
    assert [run["outcome"] for run in group["runs"]] == ["interrupted", "not started", "not started"]
    assert "Traceback" not in err
    assert list_checkpoints(Path(group["runs"][0]["run"]))


def test_ctrl_c_before_a_seed_starts_training(tmp_path: Path, monkeypatch: Any) -> None:
    original = seeds_module.Member.start

    def start(member: Any, config: Config, weights: Path | None) -> None:
        original(member, config, weights)
        os.kill(os.getpid(), signal.SIGINT)  # its process is starting or importing

    monkeypatch.setattr(seeds_module.Member, "start", start)
    group = train_seeds(small(), [1, 2], runs=tmp_path, quiet=True)
    assert [run["outcome"] for run in group["runs"]] == ["interrupted", "not started"]
    assert exit_code(group) == 130 and "Traceback" not in str(group)


def test_seeds_do_not_outlive_the_process_that_started_them(tmp_path: Path) -> None:
    with started(tmp_path, "--train.seeds", "1,2") as child:
        child.send_signal(signal.SIGKILL)
    end = time.monotonic() + 180
    while (run := list_runs(tmp_path)[0]).state == "running":
        assert time.monotonic() < end
        time.sleep(0.1)
    assert run.state == "interrupted" and list_checkpoints(run.path)


def test_wrong_settings_make_no_directory(tmp_path: Path, capsys: Any) -> None:
    for words, message in (
        (["--train.seeds", "1,x"], "train.seeds must be seeds such as"),
        (["--train.seeds", "1,2", "--parallel", "0"], "parallel must be at least 1"),
        (["--train.seeds", "1,2", "--train.minibatch-size", "1001"], "train.minibatch_size must divide"),
        (["--train.seeds", str(2**70)], "train.seed must be in"),
        (["--train.seeds", "1,2", "--train.loggers", "paper"], "unknown logger 'paper'"),
    ):
        assert main(["train", "cartpole", "--runs", str(tmp_path), *words]) == 2
        assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    with pytest.raises(ConfigError, match="different integers"):
        train_seeds(small(), [1, 1], runs=tmp_path)
