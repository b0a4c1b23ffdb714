"""`pufferc runs` and `pufferc compare`: every state of a run. Damaged runs must not crash them."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from conftest import SMALL_BATCH as BATCH  # noqa: E402
from conftest import small_config  # noqa: E402
from pufferc.commands.main import main  # noqa: E402
from pufferc.config import Config, ConfigError  # noqa: E402
from pufferc.runs.checkpoint import find_checkpoint, list_checkpoints, load_checkpoint, prune_checkpoints  # noqa: E402
from pufferc.runs.directory import best_checkpoint, locked, make_directory  # noqa: E402
from pufferc.runs.records import is_run, list_runs, read_run  # noqa: E402
from pufferc.runs.scores import Score, ScoreWindow  # noqa: E402
from pufferc.training import ppo  # noqa: E402
from pufferc.training.run import Result, train  # noqa: E402

UPDATES = 6


def small(game: str = "cartpole", **fields: Any) -> Config:
    return small_config(game, updates=UPDATES, policy={"hidden_size": 8}, **fields)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: Any) -> Path:
    """A folder with two cartpole runs that differ in seed and learning rate, and one squared run with evaluations."""
    folder: Path = tmp_path_factory.mktemp("trained")
    train(small(), runs=folder, quiet=True)
    train(small(seed=2, learning_rate=0.01), runs=folder, quiet=True)
    train(small("squared", evaluation_interval_s=1e-9, target_episodes=40), runs=folder, quiet=True)
    return folder


@pytest.fixture
def runs(trained: Path, tmp_path: Path) -> Path:
    """A copy of that folder that a test may damage."""
    shutil.copytree(trained, tmp_path / "runs")
    return tmp_path / "runs"


# ---- scores, best and old checkpoints --------------------------------------------------------------------


def test_the_window_is_the_last_hundred_episodes() -> None:
    window = ScoreWindow()
    assert window.score() is None
    window.add({"score": None, "episodes": 0})
    window.add({"score": float("nan"), "episodes": 3})
    assert window.score() is None
    window.add({"score": 0.0, "episodes": 60})
    assert window.score() is None, "the mean of few episodes says little"
    window.add({"score": 6.0, "episodes": 40})
    assert window.score() == Score(2.4, "training", 100)
    window.add({"score": 10.0, "episodes": 10})  # the first sixty are still in the window
    assert window.score() == Score(pytest.approx(340 / 110), "training", 110)
    restored = ScoreWindow(json.loads(json.dumps(window.state())))
    for each in (window, restored):
        each.add({"score": 1.0, "episodes": 90})
        assert each.score() == Score(pytest.approx(1.9), "training", 100)


@pytest.mark.parametrize("values", [None, 3, {}, {"value": "x"}, {"value": float("nan")}, {"value": None}])
def test_invalid_scores_are_none(values: Any) -> None:
    assert Score.from_dict(values) is None


def test_a_score_survives_json() -> None:
    for score in (Score(1.5, "evaluation", 40, 0.25), Score(-2.0, "training", 7)):
        assert Score.from_dict(json.loads(json.dumps(score.as_dict()))) == score


def scored(run: Path, step: int, score: float | None) -> Path:
    path = run / "checkpoints" / f"step_{step:012d}"
    path.mkdir(parents=True)
    value = None if score is None else {"value": score, "source": "training", "episodes": 100}
    (path / "checkpoint.json").write_text(json.dumps({"score": value}))
    return path


def test_the_best_checkpoint_is_the_newest_of_the_highest_and_is_kept(tmp_path: Path) -> None:
    run = tmp_path / "cartpole-20260101-000000"
    paths = [scored(run, step, score) for step, score in enumerate([None, 5.0, 9.0, 9.0, 2.0, None, 1.0, 3.0])]
    (paths[5] / "checkpoint.json").write_text("{ damaged")
    found = best_checkpoint(run)
    assert found == (paths[3], Score(9.0, "training", 100))
    assert find_checkpoint("best", tmp_path, "cartpole") == find_checkpoint(f"{run}/best", tmp_path, "x") == paths[3]
    assert find_checkpoint("latest", tmp_path, "cartpole") == find_checkpoint(f"{run}/latest", tmp_path, "x")
    prune_checkpoints(run, 0)
    assert list_checkpoints(run) == paths
    prune_checkpoints(run, 2)
    assert list_checkpoints(run) == [paths[3], *paths[6:]]
    prune_checkpoints(run, 100)
    assert len(list_checkpoints(run)) == 3


def test_the_best_of_a_group_is_the_best_of_all_its_seeds(tmp_path: Path) -> None:
    group = tmp_path / "cartpole-20260101-000000-seeds"
    paths = [scored(group / f"seed-{seed}", 7, score) for seed, score in ((1, 3.0), (2, 8.0), (10, 5.0))]
    assert find_checkpoint(f"{group}/best", tmp_path, "cartpole") == paths[1]
    assert find_checkpoint("best", tmp_path, "cartpole") == paths[1]
    assert find_checkpoint("latest", tmp_path, "cartpole") == paths[2]


def test_without_scores_there_is_no_best(tmp_path: Path) -> None:
    scored(tmp_path / "cartpole-20260101-000000", 1, None)
    with pytest.raises(ValueError, match="use latest"):
        find_checkpoint("best", tmp_path, "cartpole")


def test_a_run_keeps_few_checkpoints_and_its_best(tmp_path: Path) -> None:
    result = train(small(total_steps=20 * BATCH, keep_checkpoints=2), runs=tmp_path, quiet=True)
    kept = list_checkpoints(result.run)
    assert 2 <= len(kept) <= 3 and load_checkpoint(kept[-1]).meta["update"] == 20
    assert result.best_checkpoint in kept and result.best is not None and result.score is not None
    assert result.best.value >= result.score.value and result.best.source == "training"
    left = {path.name for path in (result.run / "checkpoints").iterdir()}
    assert left == {path.name for path in kept}


def test_a_kill_during_pruning_leaves_only_whole_checkpoints(tmp_path: Path, monkeypatch: Any) -> None:
    """At whatever point pruning is killed, every remaining checkpoint folder is a whole checkpoint."""
    result = train(small(keep_checkpoints=0), runs=tmp_path, quiet=True)

    def die(path: Path, **_: Any) -> None:
        (path / "policy.safetensors").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pufferc.runs.checkpoint.shutil.rmtree", die)
        with pytest.raises(KeyboardInterrupt):
            prune_checkpoints(result.run, 1)
    assert all(load_checkpoint(path) for path in list_checkpoints(result.run))


# ---- runs ------------------------------------------------------------------------------------------------


def shown(capsys: Any, *words: str) -> str:
    assert main(list(words)) == 0
    return str(capsys.readouterr().out)


def test_runs_are_listed(runs: Path, capsys: Any) -> None:
    text = shown(capsys, "runs", "--runs", str(runs))
    head, *rows = text.splitlines()
    assert head.split()[:4] == ["started", "game", "policy", "seed"]
    assert [row.split()[2] for row in rows[:3]] == ["cartpole", "cartpole", "squared"]
    assert "mlp 8" in rows[0] and "3.07k" in rows[0] and "complete" in rows[0] and "~" in rows[0]
    assert "+-" in rows[2] and "~" not in rows[2]
    assert len(shown(capsys, "runs", "cartpole", "--runs", str(runs)).splitlines()) == 4
    values = json.loads(shown(capsys, "runs", "squared", "--runs", str(runs), "--json"))
    assert [value["game"] for value in values] == ["squared"]
    assert values[0]["config"]["train"]["horizon"] == 16 and values[0]["score"]["source"] == "evaluation"
    assert values[0]["machine"]["torch"] == torch.__version__


def test_a_folder_without_runs_is_not_an_error(tmp_path: Path, capsys: Any) -> None:
    assert main(["runs", "--runs", str(tmp_path)]) == 0
    assert "no runs in" in capsys.readouterr().err
    assert main(["runs", "--runs", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert main(["runs", "--runs", str(tmp_path / "absent")]) == 2
    assert "there is no folder" in capsys.readouterr().err


def test_listing_runs_needs_no_torch(runs: Path) -> None:
    program = "import sys; sys.modules['torch'] = None; from pufferc.commands import main; sys.exit(main.main())"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    for words in (["runs", "--runs", str(runs)], ["compare", *map(str, sorted(runs.iterdir()))]):
        done = subprocess.run(
            [sys.executable, "-c", program, *words], capture_output=True, text=True, timeout=60, env=environment
        )
        assert done.returncode == 0 and "cartpole" in done.stdout, done.stderr


def test_the_states_of_a_run(tmp_path: Path, monkeypatch: Any) -> None:
    script = (
        "import sys\nfrom pufferc.commands.main import main\n"
        "sys.exit(main(['train', 'cartpole', '--runs', sys.argv[1], '--train.total-steps', '1000000000',"
        " '--train.target-score', 'None', '--train.checkpoint-interval-s', '0.2', '--train.keep-checkpoints', '0']))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        env=environment,
    ) as child:  # fmt: skip
        try:
            assert child.stderr is not None
            while "%" not in (seen := child.stderr.readline()):
                assert seen
            (path,) = tmp_path.iterdir()
            end = time.monotonic() + 60
            while not list_checkpoints(path):
                assert time.monotonic() < end
                time.sleep(0.05)
            running = read_run(path)
            assert running.state == "running" and running.steps and running.steps_per_second
            with pytest.raises(ConfigError, match=f"is being trained by process {child.pid}"):
                train(None, resume=list_checkpoints(path)[0], quiet=True)
        finally:
            child.send_signal(signal.SIGKILL)
    killed = read_run(path)
    assert killed.state == "killed" and killed.best is not None and killed.steps

    result = train(small(), runs=tmp_path / "2", quiet=True)
    assert read_run(result.run).state == "complete"
    result = train(small(target_score=1.0, target_episodes=40), runs=tmp_path / "3", quiet=True)
    run = read_run(result.run)
    assert run.state == "target" and run.score == result.score and run.score is not None
    assert run.score.source == "evaluation" and run.seconds == result.seconds

    def not_finite(*_: Any, **__: Any) -> None:
        raise ppo.NotFinite("loss is NaN")

    monkeypatch.setattr(ppo.Learner, "optimise", not_finite)
    with pytest.raises(ppo.NotFinite):
        train(small(), runs=tmp_path / "4", quiet=True)
    (path,) = (tmp_path / "4").iterdir()
    failed = read_run(path)
    assert failed.state == "failed" and failed.problem == "loss is NaN"


def test_a_resumed_run_has_no_result_until_it_ends(tmp_path: Path, monkeypatch: Any) -> None:
    result = train(small(keep_checkpoints=0), runs=tmp_path, quiet=True)
    states: list[str] = []
    original = ppo.advantages

    def watched(*arguments: Any, **options: Any) -> None:
        states.append(read_run(result.run).state)
        original(*arguments, **options)

    monkeypatch.setattr(ppo, "advantages", watched)
    train(None, resume=list_checkpoints(result.run)[3], quiet=True)
    assert states == ["running"] * 2 and read_run(result.run).state == "complete"


def damage_remove(path: Path) -> None:
    path.unlink()


def damage_truncate(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def damage_bytes(path: Path) -> None:
    path.write_bytes(bytes(range(128, 256)) * 10)


def damage_type(path: Path) -> None:
    path.write_text("[1, 2, 3]\n")


def damage_values(path: Path) -> None:
    path.write_text(re.sub(r"(: |= )[^,\[{\n]+", r'\1"odd"', path.read_text()))


def damage_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("name", ["config.toml", "machine.json", "metrics.jsonl", "result.json", "lock", "checkpoint"])
@pytest.mark.parametrize(
    "damage", [damage_remove, damage_truncate, damage_bytes, damage_type, damage_values, damage_directory]
)
def test_a_damaged_run_is_listed_and_compared(name: str, damage: Any, runs: Path, capsys: Any) -> None:
    first, *others = sorted(runs.iterdir())
    damage(next(first.glob("checkpoints/*/checkpoint.json")) if name == "checkpoint" else first / name)
    text = shown(capsys, "runs", "--runs", str(runs))
    assert first.name in text and others[0].name in text
    unreadable = damage in (damage_remove, damage_bytes, damage_type, damage_directory)
    if name in ("config.toml", "machine.json") and unreadable:
        assert "damaged" in text
    json.loads(shown(capsys, "runs", "--runs", str(runs), "--json"))
    assert "configuration" in shown(capsys, "compare", str(first), str(others[0]))


def test_an_empty_directory_is_a_damaged_run_and_other_files_are_not_runs(runs: Path) -> None:
    (runs / "breakout-20200101-000000").mkdir()
    (runs / "notes").mkdir()
    (runs / "breakout.gif").write_bytes(b"GIF")
    found = list_runs(runs)
    assert len(found) == 4 and (found[0].state, found[0].game, found[0].started) == (
        "damaged", "breakout", "2020-01-01T00:00:00",
    )  # fmt: skip
    assert not is_run(runs / "notes")


# ---- compare ---------------------------------------------------------------------------------------------


def test_compare_shows_differences_and_outcomes(runs: Path, capsys: Any) -> None:
    first, second, third = sorted(runs.iterdir())
    machine = json.loads((second / "machine.json").read_text())
    (second / "machine.json").write_text(json.dumps({**machine, "torch": "9.9", "cpu": None}))
    text = shown(capsys, "compare", str(first), second.name, "--runs", str(runs))
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line}
    assert rows["train.seed"] == ["train.seed", "1", "2"] and rows["train.learning_rate"][1:] == ["0.05", "0.01"]
    assert rows["torch"] == ["torch", torch.__version__, "9.9"] and "train.horizon" not in rows
    assert "standard deviation" not in text
    assert {"A", "B"} <= rows.keys() and "complete" in rows["A"]
    values = json.loads(shown(capsys, "compare", str(first), str(third), "--json"))
    assert values["config"]["game"] == ["cartpole", "squared"] and values["machine"] == {}
    assert [run["steps"] for run in values["runs"]] == [UPDATES * BATCH] * 2


def test_runs_that_differ_in_seeds_only_have_a_mean(tmp_path: Path, capsys: Any) -> None:
    results: list[Result] = [train(small(seed=seed), runs=tmp_path, quiet=True) for seed in (1, 2)]
    text = shown(capsys, "compare", *(str(result.run) for result in results))
    mean = sum(result.best.value for result in results if result.best) / 2
    assert f"seeds only: mean {mean:.2f}, standard deviation" in text and "machine and versions: no difference" in text


def test_compare_refuses_names_that_are_not_runs(runs: Path, capsys: Any) -> None:
    first = str(min(runs.iterdir()))
    for words, message in (
        ([first, "absent"], "absent is not a run"),
        ([first, str(runs)], "is not a run"),
        ([first], "at least two different runs, got 1"),
        ([first, first + "/"], "at least two different runs, got 1"),
    ):
        assert main(["compare", *words, "--runs", str(runs)]) == 2
        assert message in capsys.readouterr().err


def test_directories_get_free_names(tmp_path: Path) -> None:
    made = [make_directory(tmp_path, "cartpole") for _ in range(4)]
    assert len(set(made)) == 4 and all(path.is_dir() for path in made)


def test_a_run_is_trained_by_one_process_at_a_time(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(ConfigError, match=f"process {os.getpid()}"), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass
