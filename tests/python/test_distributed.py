"""Runs with several processes give the results of one process, have one writer, and leave a usable checkpoint."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from masks import build_lock
from own_games import build_duel, needs_compiler
from pufferc.config import ConfigError, load_config, merge

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
if not torch.distributed.is_available():
    pytest.skip("torch was built without torch.distributed", allow_module_level=True)

from pufferc.runs.checkpoint import list_checkpoints, load_checkpoint  # noqa: E402
from pufferc.training.distributed import Ranks, connect, process_rank  # noqa: E402
from pufferc.training.run import train  # noqa: E402
from pufferc.training.sharding import moments, own_moments  # noqa: E402

pytestmark = pytest.mark.usefixtures("warm_children")

UPDATES = 4


def small(name: str = "breakout", kind: str = "mlp", **fields: Any) -> dict[str, Any]:
    return {
        "vec": {"num_envs": 32, "num_threads": 1},
        "policy": {"kind": kind, "hidden_size": 16},
        "train": {
            "total_steps": UPDATES * 32 * 16, "horizon": 16, "minibatch_size": 128, "threads": 1,
            "precision": "float32", "target_score": None, "checkpoint_interval_s": 1e6, **fields,
        },
    }  # fmt: skip


def environment(**extra: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("TORCHELASTIC", "MASTER_"))}
    return {**kept, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "OMP_NUM_THREADS": "1", **extra}


_held: list[socket.socket] = []


@pytest.fixture(autouse=True)
def _ports_of_one_test() -> Iterator[None]:
    yield
    while _held:
        _held.pop().close()


def free_port() -> str:
    """A port reserved for this test. It stays bound here so that no other test gets it, but a run can listen on it."""
    _held.append(socket.socket())
    _held[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _held[-1].bind(("127.0.0.1", 0))
    return str(_held[-1].getsockname()[1])


def start(arguments: list[str], world: int = 2, port: str | None = None, code: str | None = None) -> list[Any]:
    """Start the processes of a run with torchrun's environment but without torchrun. Rank 0 is first."""
    port = free_port() if port is None else port
    command = [sys.executable, *(["-c", code] if code else ["-m", "pufferc"]), *arguments]
    return [
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=environment(
                RANK=str(rank), WORLD_SIZE=str(world), LOCAL_RANK=str(rank), LOCAL_WORLD_SIZE=str(world),
                MASTER_ADDR="127.0.0.1", MASTER_PORT=port,
            ),
        )
        for rank in range(world)
    ]  # fmt: skip


def finish(processes: list[Any], timeout_s: float = 240.0) -> list[tuple[int, str, str]]:
    """Exit code and output of each process. Processes that exceed the timeout are killed."""
    end, said = time.monotonic() + timeout_s, []
    for process in processes:
        try:
            said.append(process.communicate(timeout=max(0.1, end - time.monotonic())))
        except subprocess.TimeoutExpired:
            process.kill()
            said.append(process.communicate())
    return [(process.returncode, out, err) for process, (out, err) in zip(processes, said, strict=True)]


def write(tmp_path: Path, game: str, tables: dict[str, Any]) -> list[str]:
    """Write a configuration file and return the arguments for `pufferc train`."""
    from pufferc.config import to_toml

    path = tmp_path / f"{Path(game).stem}.toml"
    path.write_text(to_toml(merge(load_config(game), tables)))
    return ["train", game, "--config", str(path)]


def last(run: Path) -> Any:
    return load_checkpoint(list_checkpoints(run)[-1])


def only_run(runs: Path) -> Path:
    (run,) = runs.iterdir()
    return run


# ---- equal to one process ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("game", "kind", "fields"),
    [
        ("breakout", "mlp", {"max_grad_norm": 0.5, "value_clip": 0.2}),
        ("cartpole", "mingru", {"optimizer": "adam", "learning_rate": 0.003}),
        ("snake", "mlp", {"normalize_advantages": False}),
        pytest.param("lock", "mlp", {}, marks=needs_compiler),  # with masks
        pytest.param("lock", "mingru", {}, marks=needs_compiler),
    ],
)
def test_two_processes_learn_the_same_weights_as_one(
    tmp_path: Path, game: str, kind: str, fields: dict[str, Any]
) -> None:
    tables = small(game, kind, **fields)
    if game == "snake":
        tables["env"] = {"snakes": 4, "width": 40, "height": 30, "food": 40}  # each process has two blocks of games
    if game == "lock":
        tables["env"] = {"leave": 12, "jam": 0.02}
        game = str(build_lock(tmp_path))
    words = write(tmp_path, game, tables)
    done = finish(start([*words, "--runs", str(tmp_path / "two"), "--json"]))
    assert [code for code, _, _ in done] == [0, 0], done
    assert "warning: the minibatches" not in done[0][2]
    assert done[1][1] == done[1][2] == ""  # only rank 0 prints
    assert json.loads(done[0][1])["steps"] == UPDATES * 32 * 16
    alone = train(load_config(game, tmp_path / f"{Path(game).stem}.toml"), runs=tmp_path / "one", quiet=True).run
    two = only_run(tmp_path / "two")
    for name, tensor in last(alone).policy.items():
        # Gradients are summed in another order. The difference of about 1e-7 grows over a few dozen optimizer steps.
        torch.testing.assert_close(last(two).policy[name], tensor, rtol=2e-4, atol=2e-5, msg=name)
    logs = [[json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()] for run in (alone, two)]
    for ours, theirs in zip(*logs, strict=True):
        assert ours["episodes"] == theirs["episodes"]
        for key in set(ours) - {"time_s", "sps", "evaluation_seconds"}:
            if not key.startswith("seconds") and ours[key] is not None:
                assert theirs[key] == pytest.approx(ours[key], rel=1e-3, abs=1e-4), key


@needs_compiler
def test_two_processes_seat_opponents_as_one_does(tmp_path: Path) -> None:
    game, saving = str(build_duel(tmp_path)), {"checkpoint_interval_s": 0.0, "keep_checkpoints": 0}
    tables = small(game, "mingru", total_steps=6 * 32 * 16, target_episodes=20, **saving)
    tables["env"] = {"max_steps": 20}
    tables["selfplay"] = {"opponents": "self,pool,script:1", "mirror": 0.4, "pool_interval": 1, "max_policies": 2}
    words = write(tmp_path, game, tables)
    done = finish(start([*words, "--runs", str(tmp_path / "two")]))
    assert [code for code, _, _ in done] == [0, 0], done
    alone = train(load_config(game, tmp_path / "duel.toml"), runs=tmp_path / "one", quiet=True).run
    runs = (alone, only_run(tmp_path / "two"))
    logs = [[json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()] for run in runs]
    # Rounding differs, so actions do after a while; the plan depends on results from then on.
    for ours, theirs in zip(*(log[:4] for log in logs), strict=True):
        assert ours["opponents"] == theirs["opponents"] and ours["score"] == pytest.approx(theirs["score"])
    assert sum(line["versus_games"] for line in logs[0][:4]) > 20
    whole = last(runs[1])
    for rank in range(2):
        assert whole.trainer[f"rank{rank}.seats"].shape == (16,)
    for path in list_checkpoints(runs[1])[2:]:
        shutil.rmtree(path)
    done = finish(start([*words[:2], "--resume", str(list_checkpoints(runs[1])[1])]))
    assert [code for code, _, _ in done] == [0, 0], done
    again = last(runs[1])
    assert whole.meta["selfplay"] == again.meta["selfplay"]
    for one, other in ((whole.policy, again.policy), (whole.trainer, again.trainer)):
        assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_resumed_run_of_two_is_bit_identical(tmp_path: Path) -> None:
    words = write(tmp_path, "cartpole", small("cartpole", "mingru", checkpoint_interval_s=0.0, keep_checkpoints=100))
    done = finish(start([*words, "--runs", str(tmp_path / "runs")]))
    assert [code for code, _, _ in done] == [0, 0], done
    run = only_run(tmp_path / "runs")
    paths = list_checkpoints(run)
    whole = load_checkpoint(paths[-1])
    assert whole.meta["processes"] == 2 and {"rank0.pool", "rank1.pool", "rank1.state.0"} <= set(whole.trainer)
    for path in paths[2:]:
        for file in path.iterdir():
            file.unlink()
        path.rmdir()
    done = finish(start([*words[:2], "--resume", str(paths[1])]))
    assert [code for code, _, _ in done] == [0, 0], done
    again = load_checkpoint(list_checkpoints(run)[-1])
    for one, other in ((whole.policy, again.policy), (whole.trainer, again.trainer)):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)
    # A different number of processes continues with the weights and warns that the games are reset.
    for path in list_checkpoints(run)[2:]:
        for file in path.iterdir():
            file.unlink()
        path.rmdir()
    alone = subprocess.run(
        [sys.executable, "-m", "pufferc", *words[:2], "--resume", str(paths[1])],
        env=environment(), capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert alone.returncode == 0, alone.stderr
    assert "the checkpoint was saved by 2 processes, but this run has 1; games restart" in alone.stderr
    assert last(run).meta["update"] == UPDATES


# ---- end of a run --------------------------------------------------------------------------------------

ENDLESS = small("breakout", total_steps=10**9)


def wait_for(path: Path, lines: int, processes: list[Any]) -> None:
    """Wait until a run in `path` has logged this many lines."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and all(process.poll() is None for process in processes):
        logs = list(path.glob("*/metrics.jsonl"))
        if logs and len(logs[0].read_text().splitlines()) >= lines:
            return
        time.sleep(0.05)
    pytest.fail(f"no log: {finish(processes, 1.0)}")


@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_process_ends_the_other_and_keeps_the_last_checkpoint(tmp_path: Path, victim: int) -> None:
    words = write(tmp_path, "breakout", small("breakout", total_steps=10**9, checkpoint_interval_s=0.0))
    processes = start([*words, "--runs", str(tmp_path / "runs")])
    wait_for(tmp_path / "runs", 3, processes)
    processes[victim].send_signal(signal.SIGKILL)
    code, _, said = finish(processes)[1 - victim]
    run = only_run(tmp_path / "runs")
    path = list_checkpoints(run)[-1]
    assert code == 1
    assert f"rank {1 - victim} of 2 lost its connection to the other processes" in said and "last checkpoint" in said
    update = load_checkpoint(path).meta["update"]
    assert update >= 2
    if victim == 1:
        assert json.loads((run / "result.json").read_text())["outcome"] == "failed"
        return
    resumed = start([*words[:2], "--resume", str(path)])
    wait_for(tmp_path / "runs", update + 2, resumed)
    for process in resumed:
        process.send_signal(signal.SIGTERM)
    done = finish(resumed)
    assert [code for code, _, _ in done] == [130, 130]
    assert "warning" not in done[0][2]  # the checkpoint has the games of both
    assert last(run).meta["update"] > update


def test_a_signal_to_one_process_stops_both_after_the_same_update(tmp_path: Path) -> None:
    processes = start([*write(tmp_path, "breakout", ENDLESS), "--runs", str(tmp_path / "runs")])
    wait_for(tmp_path / "runs", 3, processes)
    processes[1].send_signal(signal.SIGTERM)
    done = finish(processes)
    assert [code for code, _, _ in done] == [130, 130], done
    run = only_run(tmp_path / "runs")
    assert last(run).meta["update"] == len((run / "metrics.jsonl").read_text().splitlines())
    assert {"rank0.pool", "rank1.pool"} <= set(last(run).trainer)


def test_an_evaluation_that_reaches_the_target_ends_both(tmp_path: Path) -> None:
    words = write(tmp_path, "cartpole", small("cartpole", target_score=1.0, target_episodes=20))
    program = "import sys\nfrom pufferc.config import load_config\nfrom pufferc.training.run import train\n"
    program += "result = train(load_config('cartpole', sys.argv[4]), runs=sys.argv[6], quiet=True)\n"
    program += "print(result.outcome, result.steps, result.evaluation.score, result.evaluation.metrics, result.run)"
    done = finish(start([*words, "--runs", str(tmp_path / "runs")], code=program))
    assert [code for code, _, _ in done] == [0, 0], done
    assert done[0][1].startswith("target 512 ") and done[0][1] == done[1][1]


def test_torchrun_trains_and_forwards_ctrl_c(tmp_path: Path) -> None:
    words = write(tmp_path, "breakout", ENDLESS)
    process = subprocess.Popen(
        [
            sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
            "-m", "pufferc", *words, "--runs", str(tmp_path / "runs"),
        ],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment(PYTHON_EXEC=sys.executable),
    )  # fmt: skip
    wait_for(tmp_path / "runs", 2, [process])
    process.send_signal(signal.SIGINT)
    ((_, out, err),) = finish([process])
    run = only_run(tmp_path / "runs")
    assert "interrupted" in out, err
    checkpoint = last(run)
    assert checkpoint.meta["update"] == len((run / "metrics.jsonl").read_text().splitlines())
    assert {"rank0.pool", "rank1.pool"} <= set(checkpoint.trainer)


# ---- invalid settings ----------------------------------------------------------------------------------


def test_a_port_in_use_is_an_error_that_names_it(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        processes = start(write(tmp_path, "breakout", small()), port=port)
        try:
            _, err = processes[0].communicate(timeout=180)
        finally:
            for process in processes:
                process.kill()
                process.communicate()
    assert processes[0].returncode == 2
    assert f"127.0.0.1:{port}" in err and "in use" in err


def test_sizes_that_cannot_be_shared_are_refused(tmp_path: Path) -> None:
    tables = small()
    tables["vec"]["num_envs"], tables["train"]["minibatch_size"] = 31, 31
    done = finish(start(write(tmp_path, "breakout", tables)))
    assert [code for code, _, _ in done] == [2, 2]
    assert "vec.num_envs must be a multiple of 2 to be shared by 2 processes" in done[0][2]


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({"RANK": "one", "WORLD_SIZE": "2"}, "RANK must be a whole number, got 'one'"),
        ({"RANK": "2", "WORLD_SIZE": "2"}, "RANK must be less than WORLD_SIZE 2, got 2"),
    ],
)
def test_invalid_rank_variables_are_refused(variables: dict[str, str], text: str, monkeypatch: Any) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=text):
        process_rank()


def test_a_single_process_has_no_process_group(monkeypatch: Any) -> None:
    for environment_of_one in ({}, {"RANK": "0", "WORLD_SIZE": "1"}):
        for name, value in environment_of_one.items():
            monkeypatch.setenv(name, value)
        with connect() as ranks:
            assert type(ranks) is Ranks and (ranks.rank, ranks.world) == (0, 1)


def test_combined_shard_moments_equal_the_moments_of_all_rows() -> None:
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(1000, generator=generator) * 3 + 100
    mask = torch.rand(1000, generator=generator) < 0.3
    parts = [slice(0, 600), slice(600, 1000)]

    class Parts(Ranks):
        world = 2

        def all_gather(self, own: torch.Tensor) -> torch.Tensor:
            return torch.stack([torch.stack([own_moments(values[p], m) for m in (None, mask[p])]) for p in parts])

    count, mean, std = moments(Parts(), [(values[parts[0]], None), (values[parts[0]], mask[parts[0]])])
    for i, whole in enumerate((values.double(), values[mask].double())):
        assert count[i] == whole.numel()
        torch.testing.assert_close(mean[i], whole.mean())
        torch.testing.assert_close(std[i], whole.std())
    empty = moments(Ranks(), [(values[:5], torch.zeros(5, dtype=torch.bool)), (values[:1], None)])
    assert empty[0].tolist() == [0.0, 1.0] and empty[2].tolist() == [0.0, 0.0]
