"""The space of a sweep: ranges, distributions, repeatable proposals, and errors that name the key."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pufferc.commands.sweep import DEFAULT_SPACE
from pufferc.config import Config, ConfigError, load_config
from pufferc.sweep.space import Dimension, Space, apply, as_saved, from_saved, make_space, read_space, read_words
from pufferc.training.resolve import resolve

BASE = load_config("cartpole")
POSITIONS = st.floats(0.0, 1.0, exclude_max=True)


def one(spec: Any, key: str = "train.learning_rate", config: Config = BASE) -> Dimension:
    (dimension,) = make_space(config, {key: spec})
    return dimension


@given(POSITIONS, st.floats(1e-6, 0.4), st.floats(1e-6, 0.4), st.sampled_from(["uniform", "log", "logit"]))
def test_values_are_within_their_range(position: float, low: float, width: float, kind: str) -> None:
    dimension = Dimension("train.clip", kind, low, low + width)
    value = dimension.value(position)
    assert isinstance(value, float) and low <= value <= low + width
    assert dimension.value(dimension.position(value)) == pytest.approx(value, rel=1e-4)
    assert dimension.value(0.0) == pytest.approx(low, rel=1e-5)


@given(POSITIONS, st.integers(1, 50), st.integers(1, 50), st.sampled_from(["uniform", "log"]))
def test_integer_dimensions_give_integers(position: float, low: int, width: int, kind: str) -> None:
    dimension = Dimension("train.horizon", kind, low, low + width, integral=True)
    value = dimension.value(position)
    assert isinstance(value, int) and low <= value <= low + width
    assert dimension.value(dimension.position(value)) == value


def test_each_dimension_has_its_distribution() -> None:
    """Deciles of 20,000 samples match the scale. Integers and choices are equally likely."""
    positions = np.random.default_rng(5).random(20_000)
    shares = np.linspace(0.1, 0.9, 9)
    scales = {
        "uniform:0.1:0.9": lambda x: (x - 0.1) / 0.8,
        "log:0.01:1": lambda x: np.log(x / 0.01) / np.log(100.0),
        "logit:0.1:0.9": lambda x: (np.log(x / (1 - x)) + np.log(9.0)) / (2 * np.log(9.0)),
    }
    for spec, place in scales.items():
        dimension = one(spec, "train.gae_lambda")
        values = np.array([dimension.value(position) for position in positions])
        np.testing.assert_allclose(place(np.quantile(values, shares)), shares, atol=0.015)
    for spec, key, count in (("integer:1:5", "train.epochs", 5), ("choice:16,32,64", "train.horizon", 3)):
        dimension = one(spec, key)
        _, found = np.unique([dimension.value(position) for position in positions], return_counts=True)
        assert len(found) == count and np.all(np.abs(found / 20_000 - 1 / count) < 0.02)


def test_specifications_are_parsed() -> None:
    assert one("log:1e-3:1e-1") == Dimension("train.learning_rate", "log", 1e-3, 1e-1)
    assert one("around:2").low == pytest.approx(0.025) and one("around:2").high == pytest.approx(0.1)
    assert one("grid:16:128:4:log", "train.horizon").values == (16, 32, 64, 128)
    assert one("grid:0.1:0.3:3", "train.clip").values == (0.1, 0.2, 0.3)
    assert one("choice:adam,muon", "train.optimizer").values == ("adam", "muon")
    assert one("choice:true,false", "train.normalize_rewards").values == (True, False)
    assert one([16, 32.0], "train.horizon").values == (16, 32)  # converted to the type of the setting
    assert one("log:16.5:64.9", "train.horizon") == Dimension("train.horizon", "log", 17.0, 64.0, True)
    assert one("integer:100:300", "env.max_steps").all_values() == range(100, 301)
    assert read_words(["train.learning-rate=log:1:2", "--vec.num-envs=choice:8,16"]) == {
        "train.learning_rate": "log:1:2",
        "vec.num_envs": "choice:8,16",
    }


@pytest.mark.parametrize(
    ("key", "spec", "message"),
    [
        ("train.learning_rat", "log:1:2", r"unknown field train\.learning_rat; did you mean 'learning_rate'"),
        ("trian.clip", "log:1:2", r"unknown table \[trian\]; did you mean 'train'"),
        ("learning_rate", "log:1:2", r"unknown table \[learning_rate\]"),
        ("env.max_step", "integer:1:2", r"unknown field env\.max_step; did you mean 'max_steps'"),
        ("train.clip", "normal:1:2", r"train\.clip must be a list, or one of .*got 'normal:1:2'"),
        ("train.clip", 0.5, r"train\.clip must be a list, or one of .*got 0\.5"),
        ("train.clip", "log:0.1", "LOW:HIGH with finite numbers, got 'log:0.1'"),
        ("train.clip", "uniform:0.1:nan", "finite numbers"),
        ("train.clip", "uniform:0.1:x", "finite numbers"),
        ("train.clip", "uniform:0.2:0.2", "LOW below HIGH"),
        ("train.clip", "log:0:1", "LOW above 0"),
        ("train.clip", "log:-1:1", "LOW above 0"),
        ("train.gamma", "logit:0.5:1", "within 0 and 1"),
        ("train.horizon", "uniform:16.2:16.9", "two whole numbers"),
        ("train.horizon", "integer:1.5:3", "whole numbers as ends"),
        ("train.horizon", "grid:1:3:9", "9 different values"),
        ("train.horizon", "grid:1:3:1", "whole COUNT in"),
        ("train.horizon", "grid:0:3:2:log", "above 0 for log"),
        ("train.horizon", [16], r"two or more different values, got \[16\]"),
        ("train.horizon", [16, 16.0], "two or more different values"),
        ("train.horizon", "choice:16,17.5", r"train\.horizon must be int, got 17\.5"),
        ("train.optimizer", "choice:adam,sgd", r"train\.optimizer must be 'muon' or 'adam', got 'sgd'"),
        ("train.normalize_rewards", "uniform:0:1", r"train\.normalize_rewards must be bool"),
        ("train.optimizer", "log:1:2", r"train\.optimizer must be 'muon' or 'adam'"),
        ("train.gamma", "uniform:0.5:1.5", r"train\.gamma = .*must be in \[0, 1\], got 1\.5"),
        ("train.learning_rate", "around:1", "FACTOR above 1"),
        ("train.value_clip", "around:2", "expected a number above 0"),
        ("train.optimizer", "around:2", "expected a number above 0"),
        ("env.max_steps", "integer:-1:10", r"env\.max_steps must be in \["),
        ("train.seed", "integer:1:9", "the sweep gives every run its own seed"),
        ("train.target_score", "uniform:1:9", "runs are compared by it"),
        ("vec.num_envs", "integer:-5:5", r"vec\.num_envs must be in \[1, \d+\], got -5"),
    ],
)
def test_invalid_sweep_entries_are_refused_by_name(key: str, spec: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_space(BASE, {key: spec})


def test_empty_spaces_and_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least one field"):
        make_space(BASE, {})
    for word in ("train.clip", "=log:1:2", "train.clip="):
        with pytest.raises(ConfigError, match="KEY=KIND"):
            read_words([word])
    path = tmp_path / "space.toml"
    path.write_text("learning_rate = 'log:1:2'\n")
    with pytest.raises(ConfigError, match=r"expected tables such as \[train\]"):
        read_space(path)
    path.write_text("[train")
    with pytest.raises(ConfigError, match="not valid TOML"):
        read_space(path)
    with pytest.raises(ConfigError, match="cannot read"):
        read_space(tmp_path / "none.toml")


def draws(space: Space, count: int) -> list[dict[str, Any]]:
    """Uniform draws from a space."""
    positions = np.random.default_rng(3).random((count, len(space)))
    return [{d.key: d.value(float(x)) for d, x in zip(space, row, strict=True)} for row in positions]


@pytest.mark.parametrize("game", ["breakout", "cartpole", "pong", "snake", "squared", "tmaze"])
def test_the_packaged_space_fits_every_game(game: str) -> None:
    """All 50 proposals are valid configurations, although sizes must divide each other."""
    config = load_config(game)
    for params in draws(make_space(config, read_space(DEFAULT_SPACE)), 50):
        resolve(apply(config, params))


@pytest.mark.parametrize(("game", "variant"), [("tmaze", "lstm"), ("cartpole", "continuous"), ("breakout", "mingru")])
def test_the_packaged_space_fits_variants(game: str, variant: str) -> None:
    config = load_config(game, variant)
    for params in draws(make_space(config, read_space(DEFAULT_SPACE)), 20):
        resolve(apply(config, params))


def test_values_survive_the_way_to_optuna_and_back() -> None:
    """Values are in Optuna's distribution, keep their scale there, and come back unchanged."""
    space = make_space(
        BASE,
        {
            "train.learning_rate": "log:1e-3:1e-1",
            "train.gamma": "logit:0.9:0.998",
            "train.clip": "uniform:0.1:0.5",
            "train.epochs": "integer:1:5",
            "train.horizon": "grid:16:128:4:log",
            "train.optimizer": ["muon", "adam"],
            "env.max_steps": "log:16:512",
            "train.normalize_rewards": [True, False],
        },
    )
    assert from_saved(as_saved(space)) == space
    names = [dimension.name for dimension in space]
    assert names[1] == "train.gamma (logit)" and names[4] == "train.horizon (index)" and names[0] == space[0].key
    for params in draws(space, 100):
        for dimension in space:
            value = params[dimension.key]
            found, distribution = dimension.to_optuna(value), dimension.distribution()
            assert distribution._contains(distribution.to_internal_repr(found))
            back = dimension.from_optuna(found)
            assert type(back) is type(value)
            assert back == value if not isinstance(value, float) else back == pytest.approx(value, rel=1e-5)
    for dimension in space:  # values of a base configuration may lie outside the space
        if dimension.ordered:
            low, high = dimension.to_optuna(1e-9), dimension.to_optuna(0.9999 if dimension.kind == "logit" else 1e9)
            distribution = dimension.distribution()
            assert distribution._contains(low) and distribution._contains(high) and low < high


def test_minibatch_sizes_become_the_nearest_divisor_of_the_batch() -> None:
    for wanted, expected in ((2000, 2048), (2800, 2048), (3000, 4096), (10**9, 8192), (1, 1)):
        config = apply(BASE, {"train.minibatch_size": wanted})  # a batch of 256 rows x 32 steps
        assert config.train.minibatch_size == expected
    assert math.log2(int(apply(BASE, {"train.horizon": 16}).train.minibatch_size)).is_integer()
