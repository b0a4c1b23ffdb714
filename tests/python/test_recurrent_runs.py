"""Whole runs of recurrent policies: resume, play and evaluation. Also minibatch sizes that keep rows whole."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import SMALL_BATCH as BATCH
from conftest import small_config
from pufferc.config import Config, ConfigError, merge
from pufferc.training.resolve import resolve

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from pufferc.runs.checkpoint import CheckpointError, list_checkpoints, load_checkpoint  # noqa: E402
from pufferc.training.evaluate import EvaluationSettings  # noqa: E402
from pufferc.training.from_checkpoint import play_checkpoint  # noqa: E402
from pufferc.training.run import train  # noqa: E402

UPDATES = 4


def small(kind: str, **fields: Any) -> Config:
    return small_config(updates=UPDATES, policy={"kind": kind}, **fields)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", ["mingru", "lstm"])
def test_a_resumed_run_is_bit_identical(kind: str, precision: str, tmp_path: Path) -> None:
    whole = train(small(kind, precision=precision), runs=tmp_path, quiet=True)
    first, *later = list_checkpoints(whole.run)
    expected = load_checkpoint(later[-1])
    for path in later:
        shutil.rmtree(path)
    resumed = train(None, resume=first, runs=tmp_path, quiet=True)
    found = load_checkpoint(list_checkpoints(resumed.run)[-1])
    assert resumed.steps == UPDATES * BATCH and "state.0" in found.trainer
    for a, b in ((expected.policy, found.policy), (expected.trainer, found.trainer)):
        assert a.keys() == b.keys()
        assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("kind", ["mingru", "lstm"])
def test_playing_a_checkpoint_gives_the_scores_of_the_run(kind: str, tmp_path: Path) -> None:
    result = train(small(kind, target_score=1000.0, target_episodes=40), runs=tmp_path, quiet=True)
    other = train(small(kind, seed=2), runs=tmp_path, quiet=True)
    assert result.evaluation is not None and result.evaluation.episodes == 40
    checkpoint = load_checkpoint(list_checkpoints(result.run)[-1])
    played = play_checkpoint(checkpoint, EvaluationSettings(40, 1 + 1_000_003))
    assert played.score == result.evaluation.score and played.episode_length == result.evaluation.episode_length
    weights = load_checkpoint(list_checkpoints(other.run)[-1]).policy["output.weight"]
    assert not torch.equal(weights, checkpoint.policy["output.weight"])


def test_an_agent_clears_its_state_at_the_end_of_an_episode(tmp_path: Path) -> None:
    from pufferc.watch.players import CheckpointAgent

    result = train(small("mingru"), runs=tmp_path, quiet=True)
    path = list_checkpoints(result.run)[-1]
    agent, fresh = (CheckpointAgent(path, greedy=True) for _ in range(2))
    observations = np.random.default_rng(1).normal(size=(6, 3, 4)).astype(np.float32)
    for seen in observations[:-1]:
        agent.act(seen)
    agent.restart(np.array([False, True, False]))
    values, like = agent.act(observations[-1]).values, fresh.act(observations[-1]).values
    assert values is not None and like is not None
    assert values[1] == like[1] and values[0] != like[0] and values[2] != like[2]


def test_minibatches_are_whole_rows() -> None:
    config, _ = resolve(small("lstm", minibatch_size="auto", horizon=24, total_steps=10**6))
    assert config.train.minibatch_size == 32 * 24
    wide = dataclasses.replace(config, vec=dataclasses.replace(config.vec, num_envs=1000))
    config, _ = resolve(merge(wide, {"train": {"minibatch_size": "auto"}}))
    assert config.train.minibatch_size == 250 * 24  # the most rows that divide 1000 and are within 8192 steps
    with pytest.raises(ConfigError, match=r"whole rows of 16 steps since mingru has memory, got 8; 16 would fit"):
        resolve(small("mingru", minibatch_size=8))
    with pytest.raises(ConfigError, match="got 72; 64 or 128 would fit"):
        resolve(small("mingru", minibatch_size=72))
    resolve(small("mlp", minibatch_size=8))


def test_weights_of_another_kind_are_refused(tmp_path: Path) -> None:
    result = train(small("mingru"), runs=tmp_path, quiet=True)
    with pytest.raises(CheckpointError, match="different network"):
        train(small("lstm"), runs=tmp_path, quiet=True, weights=list_checkpoints(result.run)[-1])
    with pytest.raises(ConfigError, match=r"policy\.kind must be 'mlp' or 'mingru' or 'lstm', got 'gru'"):
        small("gru")
