"""Configuration: precedence of layers, errors, resolved sizes, and TOML round trips."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest

import pufferc
from conftest import GAMES, ROOT, needs_lander
from pufferc.config import Config, ConfigError, PolicyConfig, TrainConfig, VecConfig, load_config, merge, to_toml
from pufferc.config.schema import SECTIONS, parameters
from pufferc.envs.games import pool_limit
from pufferc.training.resolve import resolve

SETTINGS = ROOT / "docs" / "settings.md"


def base(**train: Any) -> Config:
    tables = {"vec": {"num_envs": 64, "num_threads": 1}, "train": {"total_steps": 100_000, "horizon": 32, **train}}
    return merge(Config("squared"), tables)


@pytest.mark.parametrize(
    "path", sorted((Path(pufferc.__file__).parent / "config" / "games").glob("*.toml")), ids=lambda p: p.stem
)
def test_packaged_configs_resolve_without_warnings(path: Path) -> None:
    game, _, variant = path.stem.partition("-")
    if game not in GAMES:
        pytest.skip(f"built without {game}")
    config, warnings = resolve(load_config(game, variant or None))
    assert config.game == game and warnings == []


@pytest.mark.parametrize("name", GAMES)
def test_every_game_trains_without_warnings(name: str) -> None:
    assert resolve(load_config(name))[1] == []


def test_a_file_with_the_name_of_a_variant_takes_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    variant = load_config("cartpole", "continuous")
    assert variant.env == {"continuous": True} and variant.train.target_score == 475
    with pytest.raises(ConfigError, match=r"cannot read 'continous': there is no such file.*variants: continuous"):
        load_config("cartpole", "continous")
    with pytest.raises(ConfigError, match=r"no variant of squared of this name; its variants: none"):
        load_config("squared", "continuous")
    with pytest.raises(ConfigError, match=r"cannot read .*folder.none.toml"):
        load_config("cartpole", tmp_path / "folder" / "none.toml")
    Path("continuous").write_text("[train]\nclip = 0.7\n")
    assert load_config("cartpole", "continuous").train.clip == 0.7


def test_files_override_packaged_values_and_survive_a_toml_round_trip(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[train]\ntotal_steps = 1e6\nclip = 1\n[env]\nmax_steps = 20\n")
    config = load_config("squared", file)
    assert (config.train.total_steps, config.train.clip, config.env) == (1_000_000, 1.0, {"max_steps": 20})
    assert config.train.gamma == load_config("squared").train.gamma
    again = tmp_path / "again.toml"
    again.write_text(to_toml(config))
    assert load_config("squared", again) == config
    breakout = load_config("breakout")
    again.write_text(to_toml(breakout))
    assert merge(Config("breakout"), {}, "x") != breakout and load_config("breakout", again) == breakout


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"trian": {}}, ["trian", "did you mean 'train'"]),
        ({"train": {"learning_rat": 1.0}}, ["train.learning_rat", "did you mean 'learning_rate'"]),
        ({"train": {"horizon": 1.5}}, ["train.horizon", "int", "1.5"]),
        ({"train": {"horizon": True}}, ["train.horizon", "True"]),
        ({"train": {"optimizer": "sgd"}}, ["train.optimizer", "muon", "sgd"]),
        ({"train": 3}, ["[train]", "table"]),
        ({"policy": {"scaled_inputs": "cell"}}, ["policy.scaled_inputs", "list of strings"]),
        ({"env": {"max_step": 3}}, ["env.max_step", "max_steps"]),
        ({"env": {"max_steps": -1}}, ["env.max_steps", "-1"]),
        ({"env": {"max_steps": "many"}}, ["env.max_steps", "many"]),
        ({"game": "cartpole"}, ["cartpole", "squared"]),
    ],
)
def test_invalid_values_are_refused_by_name(tables: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        merge(Config("squared"), tables, "file.toml")
    for word in ["file.toml", *words]:
        assert word in str(error.value)


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        load_config("squared", tmp_path / "absent.toml")
    (tmp_path / "bad.toml").write_text("[train\n")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_config("squared", tmp_path / "bad.toml")
    with pytest.raises(ValueError, match="squared"):
        load_config("squarred")


def test_auto_sizes_resolve_to_compatible_numbers() -> None:
    config, warnings = resolve(merge(Config("squared"), {"train": {"horizon": 48}}))
    assert isinstance(config.vec.num_envs, int) and isinstance(config.vec.num_threads, int)
    assert isinstance(config.train.minibatch_size, int)
    assert config.vec.num_envs * 48 % config.train.minibatch_size == 0
    assert config.train.minibatch_size <= 8192
    assert all("whole number" in warning for warning in warnings)
    assert resolve(config) == (config, warnings)
    snake, _ = resolve(merge(Config("snake"), {"env": {"snakes": 96}, "train": {"horizon": 64}}))
    assert int(snake.vec.num_envs) % 96 == 0


@pytest.mark.parametrize(
    ("train", "words"),
    [
        ({"minibatch_size": 1000}, ["train.minibatch_size", "2048", "1024"]),
        ({"total_steps": 100}, ["train.total_steps", "2048"]),
        ({"horizon": 0}, ["train.horizon"]),
        ({"epochs": -1}, ["train.epochs"]),
        ({"gamma": 1.5}, ["train.gamma", "1.5"]),
        ({"gamma": float("nan")}, ["train.gamma", "nan"]),
        ({"clip": 0.0}, ["train.clip"]),
        ({"learning_rate": float("inf")}, ["train.learning_rate"]),
        ({"momentum": 1.0}, ["train.momentum"]),
        ({"seed": -1}, ["train.seed"]),
        ({"target_score": float("nan")}, ["train.target_score"]),
    ],
)
def test_impossible_sizes_are_refused(train: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        resolve(base(**train))
    for word in words:
        assert word in str(error.value)


@needs_lander
def test_auto_num_envs_leaves_room_for_the_evaluation_pool() -> None:
    limit = pool_limit("lander")
    assert limit is not None and pool_limit("squared") is None
    config, _ = resolve(merge(Config("lander"), {"train": {"horizon": 64}}))
    assert config.vec.num_envs == min(limit, 1024)
    with pytest.raises(ConfigError, match=rf"num_envs must be at most {limit} for lander, got {limit + 1}"):
        resolve(merge(Config("lander"), {"vec": {"num_envs": limit + 1}}))


def test_rows_must_be_a_multiple_of_the_agents_per_game() -> None:
    with pytest.raises(
        ConfigError, match=r"vec\.num_envs must be a multiple of the 256 agents .* 256 or 512 would fit"
    ):
        resolve(merge(Config("snake"), {"vec": {"num_envs": 300}}))
    with pytest.raises(ConfigError, match=r"scaled_inputs.*did you mean 'ball_x'"):
        resolve(merge(Config("breakout"), {"policy": {"scaled_inputs": ["bal_x"]}}))


@pytest.mark.parametrize(
    ("train", "word"),
    [
        ({"total_steps": 5 * 2048}, "5 updates"),
        ({"minibatch_size": 4096}, "larger than the batch"),
        ({"minibatch_size": 32}, "small"),
        ({"optimizer": "adam", "learning_rate": 0.1}, "high for adam"),
        ({"learning_rate": 0.0001}, "low for muon"),
        ({"total_steps": 2048 * 30, "epochs": 1, "minibatch_size": 2048}, "30 gradients"),
    ],
)
def test_inefficient_sizes_give_a_warning(train: dict[str, Any], word: str) -> None:
    _, warnings = resolve(base(**train))
    assert any(word in warning for warning in warnings), warnings


def test_steps_are_rounded_to_whole_batches_without_a_warning() -> None:
    resolved, warnings = resolve(base(total_steps=100 * 2048 + 1))
    assert warnings == resolve(base(total_steps=100 * 2048))[1] == [] and resolved.train.total_steps == 100 * 2048 + 1


@pytest.mark.parametrize(
    ("section", "fields", "words"),
    [
        (TrainConfig, {"gamma": 1.5}, r"train\.gamma must be in \[0, 1\], got 1\.5"),
        (TrainConfig, {"momentum": 1.0}, r"train\.momentum must be in \[0, 1\), got 1\.0"),
        (TrainConfig, {"clip": 0.0}, r"train\.clip must be greater than 0, got 0\.0"),
        (TrainConfig, {"epochs": 0}, r"train\.epochs must be at least 1, got 0"),
        (TrainConfig, {"target_score": float("nan")}, r"train\.target_score must be finite, got nan"),
        (TrainConfig, {"seed": 2**63}, r"train\.seed must be in \[0, 9223372036854775807\]"),
        (TrainConfig, {"optimizer": "sgd"}, r"train\.optimizer must be 'muon' or 'adam', got 'sgd'"),
        (PolicyConfig, {"class_": 3}, r"policy\.class must be str, got 3"),
        (VecConfig, {"num_envs": "many"}, r"vec\.num_envs must be int or 'auto', got 'many'"),
    ],
)
def test_config_sections_reject_values_that_the_table_rejects(section: Any, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        section(**fields)
    table = {key.rstrip("_"): value for key, value in fields.items()}
    with pytest.raises(ConfigError, match=rf"^mine\.toml: {words}"):
        merge(Config("squared"), {section.__name__.removesuffix("Config").lower(): table}, "mine.toml")


def settings_page() -> str:
    """The content of docs/settings.md, generated from the table."""
    page = ["# Settings", "", "Every setting of a run, as a flag. TOML files have the same names, in tables."]
    page += ["A game's own file may change defaults; `pufferc train NAME --help` shows them."]
    for kind in SECTIONS.values():
        rows = parameters(kind)
        page += ["", f"## {rows[0].section}", "", "| flag | default | values | |", "|---|---|---|---|"]
        for row in rows:
            flag = f"--{row.section}.{row.name.replace('_', '-')}"
            default = "" if row.default in (None, ()) else f"`{row.default}`"
            choices = ", ".join(f"`{word}`" for word in get_args(row.type)) if get_origin(row.type) is Literal else ""
            page.append(f"| `{flag}` | {default} | {choices or row.limits} | {row.help} |")
    return "\n".join(page) + "\n"


def test_the_settings_page_matches_the_table() -> None:
    """To rewrite the page, run `python tests/python/test_config.py`."""
    assert SETTINGS.read_text() == settings_page()


def test_configs_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        base().train.clip = 1.0  # type: ignore[misc]


if __name__ == "__main__":
    SETTINGS.write_text(settings_page())
