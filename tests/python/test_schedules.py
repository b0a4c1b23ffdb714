"""Parameters that change during training: their values, exact resume, and refused schedules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conftest import small_config
from pufferc.config import Config, ConfigError
from pufferc.training.resolve import resolve

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from pufferc.training.run import train  # noqa: E402
from pufferc.training.trainer import Trainer  # noqa: E402


def config_of(*schedules: str, game: str = "cartpole", updates: int = 6, **settings: Any) -> Config:
    return resolve(small_config(game, updates=updates, schedules=schedules, **settings))[0]


def weights(path: Path) -> Any:
    from safetensors.torch import load_file

    return load_file(path / "policy.safetensors")


def lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_values_go_from_the_first_to_the_last_update() -> None:
    trainer = Trainer(config_of("env.max_steps=10:20"))
    trainer.start()
    assert trainer.env.params["max_steps"] == 10
    found = []
    for _ in range(6):
        line = trainer.step()
        found.append(trainer.env.params["max_steps"])
        assert line["env.max_steps"] == found[-1]
    assert found == [10, 12, 14, 16, 18, 20]


def test_games_use_the_new_value() -> None:
    trainer = Trainer(config_of("env.max_steps=5:1"))
    trainer.start()
    lengths = [trainer.step()["episode_length"] for _ in range(6)]
    assert lengths[0] == 5.0 and lengths[-1] == 1.0


def test_the_configuration_has_the_last_values() -> None:
    assert config_of("env.max_steps=10:30").env["max_steps"] == 30
    once = config_of("env.max_steps=10:30")
    assert resolve(once)[0] == once


def test_a_run_with_a_schedule_resumes_bit_for_bit(tmp_path: Path) -> None:
    config = config_of("env.max_steps=10:30", keep_checkpoints=0)
    whole = train(config, runs=tmp_path / "whole", quiet=True)
    middle = sorted((whole.run / "checkpoints").iterdir())[2]
    expected, end = lines(whole.run), sorted((whole.run / "checkpoints").iterdir())[-1]
    final = weights(end)
    train(None, resume=middle, quiet=True)
    found = lines(whole.run)
    assert [line["env.max_steps"] for line in found] == [10, 14, 18, 22, 26, 30]
    assert [line["loss"] for line in found] == [line["loss"] for line in expected]
    assert all(torch.equal(value, final[name]) for name, value in weights(end).items())


def test_a_longer_run_stretches_the_rest_of_the_schedule(tmp_path: Path) -> None:
    config = config_of("env.max_steps=10:30", keep_checkpoints=0)
    first = train(config, runs=tmp_path, quiet=True)
    middle = sorted((first.run / "checkpoints").iterdir())[2]
    train(None, resume=middle, changes={"train.total_steps": 2 * config.train.total_steps}, quiet=True)
    values = [line["env.max_steps"] for line in lines(first.run)]
    assert len(values) == 12 and values[:3] == [10, 14, 18] and values[3] == 15 and values[-1] == 30


@pytest.mark.parametrize(
    ("schedules", "words"),
    [
        (("max_steps=1:2",), r"train\.schedules must be like env\.NAME=FIRST:LAST, got 'max_steps=1:2'"),
        (("env.max_steps=1",), r"train\.schedules must be like env\.NAME=FIRST:LAST"),
        (("env.max_steps=1:many",), r"train\.schedules: expected a number in 'env\.max_steps=1:many', got 'many'"),
        (("env.max_step=1:2",), r"unknown parameter env\.max_step of cartpole; did you mean 'max_steps'"),
        (("env.max_steps=-1:2",), r"env\.max_steps must be in \[0, \d+\], got -1"),
        (("env.max_steps=1:2.5",), r"env\.max_steps must be int, got 2\.5"),
        (("env.continuous=0:2",), r"env\.continuous must be bool"),
        (("env.max_steps=1:2", "env.max_steps=2:3"), r"env\.max_steps has two schedules"),
    ],
)
def test_wrong_schedules_are_refused(schedules: tuple[str, ...], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        config_of(*schedules)


def test_a_parameter_of_the_layout_is_refused_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"train\.schedules: env\.continuous: cannot change in a running pool"):
        train(config_of("env.continuous=0:1"), runs=tmp_path, quiet=True)
    assert not list(tmp_path.iterdir())
