"""The flags --env.NAME and --data of train, eval, play and bench: their effect, and the errors for invalid values."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from own_games import build_duel, needs_compiler
from pufferc.commands.game_flags import add_game_flags, read_game_flags
from pufferc.commands.main import main
from pufferc.commands.train_flags import parse_train
from test_cli import TINY

MAP = b"DUEL" + bytes([5, 3, 7]) + bytes(15)  # 5 x 3 cells, 7 charges, no walls


@pytest.fixture(scope="module")
def duel(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(build_duel(tmp_path_factory.mktemp("duel")))


@pytest.fixture
def small_map(tmp_path: Path) -> Path:
    path = tmp_path / "small.map"
    path.write_bytes(MAP)
    return path


def read(game: str, *words: str) -> tuple[dict[str, Any], str | None]:
    parser = argparse.ArgumentParser()
    add_game_flags(parser, game)
    options = parser.parse_args(words)
    return read_game_flags(options), options.data


def test_flags_are_read_as_by_train() -> None:
    words = ["--env.max-steps", "7", "--env.continuous"]
    assert read("cartpole", *words) == ({"max_steps": 7, "continuous": True}, None)
    assert read("cartpole", "--env.max_steps=7", "--env.no-continuous", "--data", "x")[0] == {
        "max_steps": 7,
        "continuous": False,
    }
    assert read("template", "--env.ball-speed", "0.25")[0] == {"ball_speed": 0.25}
    assert read("breakout") == ({}, None)
    pytest.importorskip("tyro")
    assert parse_train("cartpole", words).config.env == {"max_steps": 7, "continuous": True}


def test_the_help_lists_every_parameter(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("eval", "play"):
        with pytest.raises(SystemExit) as stop:
            main([command, "snake", "--help"])
        assert stop.value.code == 0
        text = capsys.readouterr().out
        assert "--data PATH" in text and "--env.max-steps" in text and "--env.snakes" in text


@pytest.mark.parametrize("command", ["eval", "play"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--env.max-steps", "many"], "invalid int value: 'many'"),
        (["--env.nothing", "1"], "unrecognized arguments: --env.nothing"),
    ],
)
def test_invalid_flags_are_errors(
    command: str, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "cartpole", *words])
    assert stop.value.code == 2 and said in capsys.readouterr().err


def test_play_sets_parameters_and_data(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr("pufferc.commands.play.play", lambda game, **given: calls.append({"game": game, **given}) or [])
    assert main(["play", "snake", "--env.width", "30", "--param", "height=20", "--data", "m", "--seed", "3"]) == 0
    (call,) = calls
    assert call["params"] == {"width": 30, "height": 20.0} and (call["game"], call["data"]) == ("snake", "m")
    assert main(["play", "snake", "--param", "width=20", "--env.width", "30"]) == 0
    assert calls[1]["params"] == {"width": 30}  # --env.width overrides --param
    assert main(["play"]) == 2 and "needs the name of a game first" in capsys.readouterr().err
    assert main(["play", "snake", "--param", "width"]) == 2 and "NAME=VALUE" in capsys.readouterr().err


def test_eval_plays_with_other_parameters(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tyro")
    runs = ["--runs", str(tmp_path / "runs")]
    assert main(["train", "cartpole", *runs, "--quiet", "--env.max-steps", "30", *TINY]) == 0
    lengths = {}
    for words in ([], ["--env.max-steps", "5"], ["--env.max-steps", "0"]):
        capsys.readouterr()
        assert main(["eval", "cartpole", *runs, "--episodes", "64", "--json", *words]) == 0
        lengths[tuple(words)] = json.loads(capsys.readouterr().out)["episode_length"]
    assert lengths["--env.max-steps", "5"] == 5 < lengths[()] <= 30
    assert lengths["--env.max-steps", "0"] > lengths[()]
    from pufferc.watch import recording

    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(recording, "record", lambda path, game, **given: calls.append(given) or Path(path))
    monkeypatch.setattr(recording, "check_recording", lambda path, game, params, **_: calls.append({"params": params}))
    flags = ["--record", str(tmp_path / "out.gif"), "--episodes", "8", "--env.max-steps", "5"]
    assert main(["eval", "cartpole", *runs, *flags]) == 0
    assert [call["params"] for call in calls] == [{"max_steps": 5}] * 2
    capsys.readouterr()
    assert main(["eval", "cartpole", *runs, "--env.continuous"]) == 2
    said = "params: the policy's actions are choices of 2, but with these parameters the game takes 1 controls"
    assert said in capsys.readouterr().err
    assert main(["eval", "cartpole", *runs, "--env.max-steps", "-1"]) == 2
    assert "env.max_steps must be in [0, 1000000000], got -1" in capsys.readouterr().err


@needs_compiler
def test_a_run_remembers_the_data_file_of_its_game(
    tmp_path: Path, duel: str, small_map: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tyro")
    monkeypatch.chdir(tmp_path)
    runs = ["--runs", str(tmp_path / "runs")]
    flags = [*TINY, "--env.no-masked", "--env.max-steps", "20"]
    assert main(["train", duel, *runs, "--data", "small.map", "--json", *flags]) == 0
    run = Path(json.loads(capsys.readouterr().out)["run"])
    assert f'data = "{small_map}"' in (run / "config.toml").read_text()
    monkeypatch.chdir("/")  # the path is absolute
    assert main(["eval", duel, *runs, "--episodes", "40", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert main(["train", duel, *runs, "--resume", "latest", "--quiet"]) == 0
    other = tmp_path / "other.map"
    other.write_bytes(MAP[:6] + b"\0" + MAP[7:])  # no charges
    capsys.readouterr()
    assert main(["eval", duel, *runs, "--episodes", "40", "--json", "--data", str(other)]) == 0
    assert json.loads(capsys.readouterr().out)["score"] != result["score"]
    small_map.unlink()
    assert main(["eval", duel, *runs]) == 2
    assert f"data: cannot read {small_map}: No such file or directory" in capsys.readouterr().err
    assert main(["train", "cartpole", *runs, "--data", str(other), "--quiet", *TINY]) == 2
    assert "data: cartpole does not read data" in capsys.readouterr().err


@needs_compiler
def test_data_paths_in_a_configuration_are_relative_to_its_folder(tmp_path: Path, duel: str) -> None:
    pytest.importorskip("tyro")
    file = tmp_path / "sub" / "with_map.toml"
    file.parent.mkdir()
    file.write_text('[vec]\ndata = "maps/small.map"\n')
    assert parse_train(duel, ["--config", str(file)]).config.vec.data == str(file.parent / "maps" / "small.map")
    chosen = parse_train(duel, ["--config", str(file), "--vec.data", "/else.map"]).config.vec.data
    assert chosen == "/else.map" and parse_train(duel, ["--data", "/else.map"]).config.vec.data == chosen


@needs_compiler
def test_bench_reads_the_data_file(duel: str, small_map: Path, capsys: Any) -> None:
    from pufferc.commands import bench

    assert bench.bench_env(duel, 1, 0.05, 2, str(small_map)) > 0
    with pytest.raises(ValueError, match="data: breakout does not read data"):
        bench.bench_env("breakout", 1, 0.05, 2, str(small_map))
    with pytest.raises(SystemExit):
        main(["bench", "--data", str(small_map)])
    assert "--data needs the name of one game" in capsys.readouterr().err
