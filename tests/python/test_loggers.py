"""The output of a run: progress lines, metrics.jsonl, TensorBoard and W&B. No failing tool may stop a run."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from conftest import SMALL_BATCH as BATCH  # noqa: E402
from conftest import small_config  # noqa: E402
from pufferc.config import Config, ConfigError  # noqa: E402
from pufferc.loggers import Background, Progress, Silent, background  # noqa: E402
from pufferc.runs.checkpoint import list_checkpoints  # noqa: E402
from pufferc.runs.metrics import MetricsLog, last_line  # noqa: E402
from pufferc.runs.text import count, duration, short  # noqa: E402
from pufferc.training.run import Result, train  # noqa: E402
from pufferc.training.trainer import Trainer  # noqa: E402

UPDATES = 6


def small(**fields: Any) -> Config:
    return small_config(updates=UPDATES, policy={"hidden_size": 8}, keep_checkpoints=0, **fields)


def line(steps: int, **values: Any) -> dict[str, Any]:
    return {"steps": steps, "score": 1.5, "episodes": 100, "seconds_env": 0.01, "seconds_learn": 0.03, **values}


# ---- text, progress lines, metrics.jsonl -----------------------------------------------------------------


def test_short_numbers() -> None:
    assert [duration(s) for s in (-1.0, 8.4, 200, 7500)] == ["0s", "8s", "3m 20s", "2h 5m"]
    assert [count(n) for n in (950, 12_300, 4_560_000, 2e9)] == ["950", "12.3k", "4.56M", "2G"]
    assert [short(x) for x in (None, float("nan"), 863.9912)] == ["-", "-", "864"]


def test_progress_lines() -> None:
    out = io.StringIO()
    progress = Progress(1000, interval_s=0.0, stream=out)
    progress.start(0)
    progress.note(line(250))
    progress.note(line(500, score=float("nan"), episodes=0))
    progress.note(line(1000, score=3.0), last=True)
    progress.close()
    first, second, last = out.getvalue().splitlines()
    assert first.startswith(" 25%  250 steps") and "score 1.5" in first and "eta" in first
    assert first.endswith("[learn 75% env 25%]")
    assert "score 1.5" in second, "the last score is kept until an episode finishes"
    assert last.startswith("100%") and "score 3" in last and "eta" not in last


def test_progress_waits_between_lines_and_silent_shows_only_alerts() -> None:
    out = io.StringIO()
    progress = Progress(1000, interval_s=60.0, stream=out)
    progress.start(0)
    for steps in range(10, 500, 10):
        progress.note(line(steps))
    assert out.getvalue() == ""
    silent = Silent(1000, stream=out)
    silent.note(line(1000), last=True)
    silent.say("nothing")
    assert out.getvalue() == ""
    silent.alert("something broke")
    assert out.getvalue() == "something broke\n"


def test_a_message_during_a_message_is_written_after_it() -> None:
    """A signal handler can print while a line is being written."""

    class Interrupting(io.StringIO):
        def write(self, text: str) -> int:
            if text == "first":
                progress.say("second")
            return super().write(text)

    out = Interrupting()
    progress = Progress(1, stream=out)
    progress.say("first")
    assert out.getvalue() == "first\nsecond\n"


def test_a_closed_terminal_does_not_stop_a_run() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    progress = Progress(10, interval_s=0.0, stream=Gone())
    progress.say("hello")
    progress.note(line(5))
    progress.close()


def test_metrics_have_one_schema_and_resume_drops_later_lines(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    log = MetricsLog(path, ["update", "score"])
    for update in range(1, 6):
        log.write({"score": float("nan") if update == 2 else 1.0, "update": update})
    with pytest.raises(KeyError, match="loss"):
        log.write({"update": 6, "loss": 1.0})
    log.close()
    with path.open("a") as file:
        file.write('{"update": 6, "sco')
    assert last_line(path) == {"update": 5, "score": 1.0}
    MetricsLog(path, ["update", "score"], resume_update=3).close()
    kept = [json.loads(text) for text in path.read_text().splitlines()]
    assert kept == [{"update": 1, "score": 1.0}, {"update": 2, "score": None}, {"update": 3, "score": 1.0}]


def test_a_damaged_line_does_not_hide_the_others(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    lines = [json.dumps({"update": update}) for update in range(1, 7)]
    path.write_text("\n".join([*lines[:2], '{"update": 3, "x', *lines[3:]]) + "\n")
    MetricsLog(path, ["update"], resume_update=5).close()
    assert [json.loads(line)["update"] for line in path.read_text().splitlines()] == [1, 2, 4, 5]


def test_metrics_are_buffered_and_flushed_before_a_checkpoint(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "metrics.jsonl"
    log = MetricsLog(path, ["update"])
    for update in range(1, 101):
        log.write({"update": update})
    log.flush()
    assert last_line(path) == {"update": 100}
    log.close()
    updates: list[tuple[int, int]] = []
    save = Trainer.save

    def saving(trainer: Trainer, run: Path, extra: Any) -> Path:
        updates.append((trainer.update, (last_line(run / "metrics.jsonl") or {})["update"]))
        return save(trainer, run, extra)

    monkeypatch.setattr(Trainer, "save", saving)
    train(small(), runs=tmp_path, quiet=True)
    assert len(updates) >= UPDATES and all(saved == logged for saved, logged in updates)


def test_the_last_line_of_a_long_log(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps({"update": i}) + "\n" for i in range(5000)))
    assert last_line(path, tail_bytes=100) == {"update": 4999}
    path.write_text("")
    assert last_line(path) is None
    path.write_bytes(b"\xff\xfe not json\n[1]\n")
    assert last_line(path) is None


# ---- third-party tools --------------------------------------------------------------------------------


class Recorder:
    def __init__(self) -> None:
        self.lines: list[tuple[int, dict[str, float]]] = []
        self.threads: set[int] = set()
        self.closed = False

    def write(self, steps: int, values: Any) -> None:
        self.threads.add(threading.get_ident())
        self.lines.append((steps, dict(values)))

    def close(self) -> None:
        self.closed = True


def test_a_tool_gets_finite_numbers_in_its_own_thread() -> None:
    tool, alerts = Recorder(), list[str]()
    logger = Background("recorder", lambda: tool, alerts.append, interval_s=0.0)
    logger.write(line(10, loss=float("inf"), name="x", evaluation_score=None))
    logger.write(line(20, loss=0.5))
    logger.close()
    assert [steps for steps, _ in tool.lines] == [10, 20] and tool.closed and not alerts
    assert "loss" not in tool.lines[0][1] and tool.lines[1][1]["loss"] == 0.5
    assert threading.get_ident() not in tool.threads


def test_a_tool_gets_few_lines_but_every_evaluation_and_the_last() -> None:
    tool = Recorder()
    logger = Background("recorder", lambda: tool, print, interval_s=1000.0)
    for steps in range(1, 100):
        logger.write(line(steps, **({"evaluation_score": 7.0} if steps == 50 else {})), last=steps == 99)
    logger.close()
    assert [steps for steps, _ in tool.lines] == [1, 50, 99]


class Breaks(Recorder):
    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where
        if where == "open":
            raise PermissionError("no")

    def write(self, steps: int, values: Any) -> None:
        if self.where == "write":
            raise SystemExit("a tool may raise anything")
        super().write(steps, values)

    def close(self) -> None:
        if self.where == "close":
            raise ValueError("broken\nin two lines")


@pytest.mark.parametrize("where", ["open", "write", "close"])
def test_a_tool_that_fails_is_reported_once(where: str) -> None:
    alerts: list[str] = []
    logger = Background("breaks", lambda: Breaks(where), alerts.append, interval_s=0.0)
    for steps in range(1, 2000):
        logger.write(line(steps))
    logger.close()
    (alert,) = [text for text in alerts if "too slow" not in text]
    assert alert.startswith("warning: breaks failed") and "\n" not in alert


def test_a_slow_tool_is_abandoned() -> None:
    release, alerts, finished = threading.Event(), list[str](), threading.Event()

    class Slow(Recorder):
        def write(self, steps: int, values: Any) -> None:
            release.wait()

        def close(self) -> None:
            finished.set()

    logger = Background("slow", Slow, alerts.append, interval_s=0.0)
    for steps in range(1, 3000):
        logger.write(line(steps))
    logger.close(timeout_s=0.2)
    (alert,) = alerts
    assert "slow has not finished within 0.2 s" in alert
    assert not finished.is_set()  # close did not wait for it
    release.set()


@pytest.fixture
def tools(monkeypatch: Any) -> Iterator[Callable[[type], None]]:
    """Replaces the TensorBoard logger by a class of this module."""

    def put(kind: type) -> None:
        monkeypatch.setattr(background, "_tool", lambda name: kind)

    yield put


def test_a_run_continues_when_its_logger_fails(tmp_path: Path, capsys: Any, tools: Callable[[type], None]) -> None:
    pytest.importorskip("tensorboard")

    class Failing(Recorder):
        def __init__(self, opening: background.Opening) -> None:
            super().__init__()

        def write(self, steps: int, values: Any) -> None:
            raise RuntimeError("the disk is full")

        @staticmethod
        def check() -> None:
            pass

    tools(Failing)
    result = train(small(loggers=["tensorboard"]), runs=tmp_path, quiet=True)
    assert result.outcome == "complete"
    assert capsys.readouterr().err.count("tensorboard failed and will not log the rest of this run") == 1


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_a_logger_without_its_package_is_refused_before_anything_starts(
    name: str, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(background.importlib.util, "find_spec", lambda package: None)
    with pytest.raises(ConfigError, match=rf"pip install 'pufferc\[{name}\]'"):
        train(small(loggers=[name]), runs=tmp_path, quiet=True)
    assert not list(tmp_path.iterdir())


def test_an_unknown_logger_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown logger 'tensorbord'; did you mean 'tensorboard'"):
        train(small(loggers=["tensorbord"]), runs=tmp_path, quiet=True)
    assert not list(tmp_path.iterdir())


def resume_in_the_middle(result: Result) -> Result:
    """Simulates a kill after the fourth update, when the last checkpoint is from the second update."""
    path = result.run / "metrics.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:4]))
    return train(None, resume=list_checkpoints(result.run)[1], quiet=True)


def test_tensorboard_gets_the_settings_of_a_run(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    result = train(small(loggers=["tensorboard"], learning_rate=0.02), runs=tmp_path, quiet=True)
    events = EventAccumulator(str(result.run / "tensorboard"))
    events.Reload()
    contents = {
        tag: HParamsPluginData.FromString(content) for tag, content in events.PluginTagToContent("hparams").items()
    }
    settings = contents["_hparams_/session_start_info"].session_start_info.hparams
    assert settings["train.learning_rate"].number_value == 0.02 and settings["game"].string_value == "cartpole"
    assert settings["train.loggers"].string_value == "('tensorboard',)"
    named = [info.name.tag for info in contents["_hparams_/experiment"].experiment.metric_infos]
    assert "run/score" in named and set(named) & set(events.Tags()["scalars"])


def test_tensorboard_has_all_curves_after_a_resume(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    config = small(loggers=["tensorboard"], evaluation_interval_s=1e-9, target_episodes=32)
    result = train(config, runs=tmp_path, quiet=True)
    for _ in range(2):
        events = EventAccumulator(str(result.run / "tensorboard"))
        events.Reload()
        scores = events.Scalars("run/score")
        logged = [json.loads(text) for text in (result.run / "metrics.jsonl").read_text().splitlines()]
        assert [event.step for event in scores] == [entry["steps"] for entry in logged]
        assert [event.value for event in scores] == pytest.approx([entry["score"] for entry in logged])
        tags = set(events.Tags()["scalars"])
        assert {"evaluation/score", "seconds/learn", "run/entropy", "run/learning_rate"} <= tags
        result = resume_in_the_middle(result)


def test_wandb_offline_records_and_a_resumed_run_keeps_its_id(tmp_path: Path, monkeypatch: Any) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    config = small(loggers=["wandb"], evaluation_interval_s=1e-9, target_episodes=32)
    result = train(config, runs=tmp_path / "runs", quiet=True)
    first = wandb_steps(result.run)
    (name,) = json.loads((result.run / "wandb.json").read_text()).values()
    assert first == [update * BATCH for update in range(1, UPDATES + 1)]
    result = resume_in_the_middle(result)
    assert (result.run / "wandb.json").read_text() == json.dumps({"id": name}) + "\n"
    files = sorted(result.run.glob("wandb/offline-run-*/*.wandb"))
    assert len(files) == 2 and all(name in file.name for file in files)
    assert wandb_steps(result.run, skip=files[:1]) == [5 * BATCH, 6 * BATCH]


def test_trackio_records_on_this_machine_and_a_resumed_run_continues_there(tmp_path: Path) -> None:
    """In a process of its own, because Trackio reads its folder when it is imported."""
    pytest.importorskip("trackio")
    code = (
        "import sys; from pathlib import Path\n"
        "from test_loggers import small, resume_in_the_middle, train, trackio_steps\n"
        "config = small(loggers=['trackio'], evaluation_interval_s=1e-9, target_episodes=32)\n"
        "result = train(config, runs=Path(sys.argv[1]), quiet=True); first = trackio_steps(result.run)\n"
        "result = resume_in_the_middle(result); print([first, trackio_steps(result.run)])"
    )
    environment = {**os.environ, "TRACKIO_DIR": str(tmp_path / "trackio"), "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "runs")],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )
    steps = [update * BATCH for update in range(1, UPDATES + 1)]
    assert done.returncode == 0 and json.loads(done.stdout) == [steps, [*steps, *steps[4:]]], done


def trackio_steps(run: Path) -> list[int]:
    """Steps of the lines in Trackio's database."""
    from trackio.sqlite_storage import SQLiteStorage

    (name,) = json.loads((run / "trackio.json").read_text()).values()
    return [int(values["steps"]) for values in SQLiteStorage.get_logs("pufferc", name)]


def wandb_steps(run: Path, skip: Any = ()) -> list[int]:
    """Steps of the lines in W&B files."""
    import wandb
    from wandb.proto import wandb_internal_pb2

    wandb.teardown()  # stops the W&B service, which flushes the last lines to the file
    found = []
    for file in sorted(set(run.glob("wandb/offline-run-*/*.wandb")) - set(skip)):
        for data in leveldb_records(file.read_bytes()):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(data)
            for item in record.history.item:
                if "steps" in (item.key, *item.nested_key):
                    found.append(int(float(item.value_json)))
    return found


def leveldb_records(data: bytes) -> Iterator[bytes]:
    """Records of a LevelDB log. Fragments in 32 KiB blocks have checksum, length and kind."""
    place, whole = 7, b""  # after W&B's own header
    while place + 7 <= len(data):
        room = 32_768 - place % 32_768
        if room < 7:
            place += room
            continue
        length, kind = struct.unpack("<HB", data[place + 4 : place + 7])
        if kind == 0:
            return
        whole += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):
            yield whole
            whole = b""


def refuses(**_: Any) -> bool:
    raise PermissionError("the server is away")


@pytest.mark.parametrize(("login", "message"), [(lambda **_: False, "no API key"), (refuses, "the server is away")])
def test_wandb_without_a_key_or_server_is_refused_before_anything_starts(
    login: Any, message: str, tmp_path: Path, monkeypatch: Any
) -> None:
    wandb = pytest.importorskip("wandb")
    monkeypatch.setattr(wandb, "login", login)
    monkeypatch.setattr(wandb, "setup", lambda: SimpleNamespace(settings=SimpleNamespace(mode="online")))
    with pytest.raises(ConfigError, match=f"{message}.*WANDB_MODE=offline"):
        train(small(loggers=["wandb"]), runs=tmp_path, quiet=True)
    assert not list(tmp_path.iterdir())
