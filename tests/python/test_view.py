"""`pufferc view` without a browser: what is read from folders, what a page contains, and what the server sends."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import ROOT
from pufferc.commands import main as command
from pufferc.processes import Child
from pufferc.view import server, uplot, write_page
from pufferc.view.collection import Collection, as_json
from pufferc.view.logs import Log, averaged, encoded
from view_runs import KEYS, lines, make_run, make_sweep, settings


@pytest.fixture(autouse=True)
def charts(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands in for uPlot where it is neither installed nor can be downloaded; these tests draw nothing."""
    try:
        uplot.find()
    except OSError:
        folder = tmp_path_factory.mktemp("charts")
        for name in uplot.FILES:
            (folder / name).write_text("")
        monkeypatch.setattr(uplot, "find", lambda: folder)


def data_of(page: Path) -> dict[str, Any]:
    """The data inside a page."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text(encoding="utf-8"))
    assert found
    return json.loads(found[1])  # type: ignore[no-any-return]


def decoded(column: Any, rows: int) -> np.ndarray[Any, Any]:
    if isinstance(column, str):
        return np.frombuffer(base64.b64decode(column), "<f4")
    return np.full(rows, np.nan if column is None else column, np.float32)


# ---- logs ------------------------------------------------------------------------------------------------


def test_a_log_is_read_in_parts_and_an_incomplete_line_later(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    log = Log(path)
    log.read()
    assert log.rows == 0
    text = lines(1, 10)
    cut = text.rindex("update") + 3
    path.write_text(text[:cut])
    log.read()
    assert log.rows == 9
    with path.open("a") as file:
        file.write(text[cut:])
    log.read()
    assert log.rows == 10 and log.damaged == 0
    assert list(log.columns) == list(KEYS)
    assert log.columns["update"].tolist() == list(range(1, 11))
    assert np.isnan(log.columns["score"][:2]).all() and np.isfinite(log.columns["score"][2:]).all()


def test_damaged_lines_and_other_keys_hide_no_other_number(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(
        b'{"a": 1}\nnot json\n[3]\n\xff\xfe\n{"a": NaN, "b": 2, "text": "x", "flag": true}\n{"b": 1e999, "a": 3}\n'
    )
    log = Log(path)
    log.read()
    assert (log.rows, log.damaged) == (3, 3)
    np.testing.assert_array_equal(log.columns["a"], [1, np.nan, 3])
    np.testing.assert_array_equal(log.columns["b"], [np.nan, 2, np.nan])
    assert np.isnan(log.columns["text"]).all()


def test_a_resumed_run_starts_its_columns_again(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(lines(1, 10))
    log = Log(path)
    log.read()
    other = tmp_path / "new"
    other.write_text(lines(1, 4))
    other.replace(path)
    log.read()
    assert (log.rows, log.generation, log.columns["update"].tolist()) == (4, 1, [1, 2, 3, 4])


def test_fewer_points_are_means_of_their_rows_without_gaps_becoming_numbers() -> None:
    columns = {"x": np.arange(10.0), "y": np.array([np.nan] * 4 + [1, np.nan, 3, 5, 7, 9.0])}
    found = averaged(columns, 5)
    np.testing.assert_array_equal(found["x"], [0.5, 2.5, 4.5, 6.5, 8.5])
    np.testing.assert_array_equal(found["y"], [np.nan, np.nan, 1, 4, 8])
    np.testing.assert_array_equal(averaged(columns, 10)["y"], columns["y"])
    packed = encoded({**columns, "same": np.full(3, 2.5), "none": np.full(3, np.nan)})
    assert packed["same"] == 2.5 and packed["none"] is None
    np.testing.assert_array_equal(decoded(packed["y"], 10), columns["y"])


# ---- folders ---------------------------------------------------------------------------------------------


def test_runs_groups_and_sweeps_are_found_below_a_folder(tmp_path: Path) -> None:
    make_run(tmp_path / "runs", 1, 20)
    for seed in (1, 2):
        make_run(tmp_path / "runs" / "breakout-20260101-000000-seeds", 7, 20, name=f"seed-{seed}", seed=seed)
    sweep = make_sweep(tmp_path / "sweeps" / "one", 6)
    make_run(sweep / "confirm" / "run-3-seeds", 3, 20, name="seed-9")
    with (sweep / "trials.jsonl").open("a") as file:
        file.write('[1]\n{"number": 1e999}\n{"number": 9, "steps": 3, "seconds": "2"}\n')
        file.write('{"number": 10, "params": {"game.x": 1}}\n{"number": 8, "params"')
    (sweep / "machine.json").write_text('{"cpu": "one", "cores": 2}')
    collection = Collection([tmp_path])
    collection.refresh()
    found = {entry.run.name: entry.record() for entry in collection.entries}
    assert len(found) == len(collection.entries) == 1 + 2 + 6 + 1
    trial = found["one/4"]
    assert trial["sweep"] == "one" and trial["config"]["train.learning_rate"] == settings(4)["rate"]
    assert (
        trial["score"]["value"] == settings(4)["score"] and trial["state"] == "complete" and trial["game"] == "breakout"
    )
    assert trial["machine"]["cpu"] == "one"
    assert found["one/5"]["state"] == "stopped"
    assert found["run-3-seeds/seed-9"]["sweep"] == "one"
    assert found["breakout-20260101-000000-seeds/seed-2"]["seed"] == 2


def test_unreadable_runs_are_shown_with_their_problem(tmp_path: Path) -> None:
    run = make_run(tmp_path, 1, 5, outcome=None)
    (run / "config.toml").write_text("[train\n")
    bare = tmp_path / "pong-20250101-000000"
    bare.mkdir()
    page = write_page([tmp_path], tmp_path / "view.html")
    states = {record["game"]: (record["state"], bool(record["problem"])) for record in data_of(page)["runs"]}
    assert states == {"breakout": ("damaged", True), "pong": ("damaged", True)}


def test_values_that_json_does_not_know_are_left_empty(tmp_path: Path) -> None:
    run = make_run(tmp_path, 1, 5)
    (run / "config.toml").write_text('game = "breakout"\n[train]\nclip = inf\n')
    (run / "machine.json").write_text('{"memory_gb": Infinity}')
    common = data_of(write_page([tmp_path], tmp_path / "view.html"))["common"]
    assert common["config"]["train.clip"] is None and common["machine"]["memory_gb"] is None


def test_only_changed_runs_come_with_a_change(tmp_path: Path) -> None:
    run = make_run(tmp_path, 1, 5, outcome=None)
    make_run(tmp_path, 2, 5)
    collection = Collection([tmp_path])
    collection.refresh()
    version = collection.version
    collection.refresh()
    assert [entry.run.name for entry in collection.entries if entry.version > version] == []
    with (run / "metrics.jsonl").open("a") as file:
        file.write(lines(1, 1, first=5))
    collection.refresh()
    assert [entry.run.path for entry in collection.entries if entry.version > version] == [run]
    assert collection.entries[0].run.steps == 6 * 4096


# ---- the page --------------------------------------------------------------------------------------------


def test_a_page_has_every_metric_and_a_null_for_one_without_numbers(tmp_path: Path) -> None:
    make_run(tmp_path, 1, 50)
    page = write_page([tmp_path], tmp_path / "view.html")
    (curves,) = data_of(page)["curves"]
    assert list(curves["columns"]) == list(KEYS) and curves["n"] == 50
    assert curves["columns"]["evaluation_score"] is None
    assert np.isnan(decoded(curves["columns"]["score"], 50)[:10]).all()


def test_markup_in_names_is_only_text_and_the_page_loads_nothing(tmp_path: Path) -> None:
    evil = "</script><img src=x onerror=alert(1)><!--"
    run = make_run(tmp_path / "runs", 1, 5, name="breakout-20260101-000000-&<b>x")
    (run / "machine.json").write_text(json.dumps({"cpu": evil}))
    page = write_page([tmp_path / "runs"], tmp_path / "view.html")
    text = page.read_text(encoding="utf-8")
    assert evil not in text and "<img src=x" not in text and "<b>x" not in text
    (record,) = data_of(page)["runs"]
    assert record["name"].endswith("&<b>x") and data_of(page)["common"]["machine"]["cpu"] == evil
    assert "default-src &#x27;none&#x27;" in text and not re.search(r"""(src|href)=["']?(https?:)?//""", text)
    assert json.loads(as_json({"</script>": "\u2028"})) == {"</script>": "\u2028"} and "<" not in as_json("</script>")


def test_settings_that_all_runs_share_are_written_once(tmp_path: Path) -> None:
    for number in range(3):
        make_run(tmp_path, number, 5)
    data = data_of(write_page([tmp_path], tmp_path / "view.html"))
    assert data["common"]["config"]["vec.num_envs"] == 1024
    assert all(
        "vec.num_envs" not in record["config"] and "train.learning_rate" in record["config"] for record in data["runs"]
    )


def test_a_film_is_inside_the_page_if_it_is_small(tmp_path: Path) -> None:
    run = make_run(tmp_path, 1, 5)
    (run / "film.gif").write_bytes(b"GIF89a")
    data = data_of(write_page([tmp_path], tmp_path / "view.html"))
    assert data["runs"][0]["film"] == "film.gif" and data["films"] == {"0": "data:image/gif;base64,R0lGODlh"}
    (run / "film.gif").write_bytes(b"GIF89a" + bytes(2_000_000))
    assert data_of(write_page([tmp_path], tmp_path / "view.html"))["films"] == {}


def test_wrong_arguments_are_refused_and_an_old_page_stays(tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "view.html"
    out.write_text("old")
    (tmp_path / "empty").mkdir()
    run = make_run(tmp_path / "runs", 1, 5)
    for words, message in (
        ([str(tmp_path / "nowhere")], "there is no folder"),
        ([str(tmp_path / "empty")], "there are no runs in"),
        ([str(run), "--out", str(tmp_path / "no" / "view.html")], "there is no folder"),
        ([str(run), "--serve", "--port", "70000"], "port must be in"),
    ):
        assert command.main(["view", "--out", str(out), *words]) == 2
        assert message in capsys.readouterr().err
    assert out.read_text() == "old"
    assert command.main(["view", str(run), "--out", str(out)]) == 0
    assert out.read_text() != "old"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_leaves_the_old_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, out = make_run(tmp_path / "runs", 1, 5), tmp_path / "view.html"
    out.write_text("old")
    out.with_name(".view.html.part").symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"cannot write .*view.html: No space left on device"):
        write_page([run], out)
    assert out.read_text() == "old" and not out.with_name(".view.html.part").is_symlink()


def test_a_missing_library_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(uplot, "__file__", str(tmp_path / "pufferc" / "view" / "uplot.py"))
    monkeypatch.setattr(uplot.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(OSError, match=r"without uPlot .* npm is not installed\. Install npm and try again, or"):
        uplot.read()


def test_an_archive_with_another_hash_is_refused(tmp_path: Path) -> None:
    """`npm` is a program that writes something else."""
    npm = tmp_path / "npm"
    npm.write_text(f"#!/bin/sh\necho junk > uplot-{uplot.VERSION}.tgz\n")
    npm.chmod(0o755)
    program = [sys.executable, str(ROOT / "python" / "pufferc" / "view" / "uplot.py"), str(tmp_path / "uplot")]
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(program, capture_output=True, text=True, env=environment)
    assert done.returncode == 1 and "does not have the expected hash" in done.stderr
    assert not (tmp_path / "uplot").exists()


# ---- the server ------------------------------------------------------------------------------------------


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[tuple[Path, server._Server]]:
    """A folder with two runs, the first without a result, and its server."""
    folder = tmp_path / "runs"
    make_run(folder, 1, 20, outcome=None)
    make_run(folder, 2, 20)
    with server._Server([folder], 0) as found:
        thread = threading.Thread(target=found.serve_forever, daemon=True)
        thread.start()
        yield folder, found
        found.shutdown()
        thread.join()


def get(found: server._Server, path: str, host: str | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", found.server_address[1], timeout=20)
    try:
        connection.request("GET", path, headers={"Host": host} if host else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_the_server_sends_only_new_lines(serving: tuple[Path, server._Server]) -> None:
    folder, found = serving
    whole = json.loads(get(found, "/curves?run=0&from=0&generation=0")[1])
    assert (whole["first"], whole["n"]) == (0, 20)
    with next(folder.glob("*-0001")).joinpath("metrics.jsonl").open("a") as file:
        file.write(lines(1, 3, first=20) + '{"update": 24, ')
    added = json.loads(get(found, "/curves?run=0&from=20&generation=0")[1])
    assert (added["first"], added["n"]) == (20, 3)
    np.testing.assert_array_equal(decoded(added["columns"]["update"], 3), [21, 22, 23])
    assert json.loads(get(found, "/curves?run=0&from=23&generation=0")[1])["n"] == 0
    assert json.loads(get(found, "/curves?run=0&from=23&generation=9")[1])["n"] == 23


def test_the_server_sends_changed_and_new_runs(serving: tuple[Path, server._Server]) -> None:
    folder, found = serving
    version = json.loads(get(found, "/changes?since=0")[1])["version"]
    make_run(folder, 3, 5, game="pong")
    found._refreshed_at = -1e9
    changes = json.loads(get(found, f"/changes?since={version}")[1])
    assert [(record["id"], record["game"]) for record in changes["runs"]] == [(2, "pong")]
    assert changes["version"] > version


def test_the_server_answers_only_its_own_page(serving: tuple[Path, server._Server]) -> None:
    """A page elsewhere could give its own name the address 127.0.0.1."""
    _, found = serving
    assert found.server_address[0] == "127.0.0.1"
    assert get(found, "/changes?since=0", host="evil.example")[0] == 403
    for path in (
        "/nothing",
        "/curves?run=99&from=0&generation=0",
        "/curves?run=-1&from=0&generation=0",
        "/film/0",
        "/film/x",
        "/film/-1",
        "/changes",
        "/changes?since=x",
        "/../etc/passwd",
    ):
        assert get(found, path)[0] == 404, path


def test_a_port_in_use_is_refused(serving: tuple[Path, server._Server]) -> None:
    folder, found = serving
    with pytest.raises(OSError, match="cannot listen on port"):
        server._Server([folder], found.server_address[1])


def test_a_training_shows_its_runs_from_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path / "runs", 1, 5)
    monkeypatch.setenv("BROWSER", "true")  # the program that does nothing
    with server.open_live(tmp_path / "runs") as address:
        port = int(address.rsplit(":", 1)[1].strip("/"))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", "/changes?since=0")
        assert len(json.loads(connection.getresponse().read())["runs"]) == 1
        connection.close()
    with pytest.raises(OSError):
        http.client.HTTPConnection("127.0.0.1", port, timeout=2).connect()
    with pytest.raises(OSError, match="there is no folder"), server.open_live(tmp_path / "nowhere"):
        pass


def test_train_shows_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    monkeypatch.setenv("BROWSER", "true")
    words = [
        "train",
        "cartpole",
        "--runs",
        str(tmp_path / "runs"),
        "--train.total-steps",
        "20k",
        "--quiet",
        "--view",
        "--json",
    ]
    assert command.main(words) == 0
    out, err = capsys.readouterr()
    assert "view: http://127.0.0.1:" in err and json.loads(out)["outcome"] == "complete"


def test_the_server_of_a_training_ends_with_its_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path, 1, 5)
    monkeypatch.setenv("BROWSER", "true")
    child = Child(server.__name__, [str(tmp_path)], tmp_path / "output")
    try:
        while not child.messages() and not child.gone:
            server.wait([child], 1.0)
        child.hang_up()
        assert child._process.wait(20) == 0
    finally:
        child.stop()


@pytest.mark.skipif(not shutil.which("npm"), reason="npm is not installed")
def test_the_installed_library_is_the_pinned_version() -> None:
    try:
        script, style = uplot.read()
    except OSError as error:
        pytest.skip(str(error))
    assert f"(v{uplot.VERSION})" in script and "Leon Sorokin" in script and ".uplot" in style
