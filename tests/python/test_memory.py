"""The T-maze from Python: memoryless policies score at chance, and one bit of memory is enough to win."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

import pufferc

Array = NDArray[np.float32]


def mean_score(choose: Callable[[Array], NDArray[np.int32]], steps: int = 400, rows: int = 512) -> float:
    """Mean score of `choose`, which maps observations [N, 3] to actions [N]; about 10,000 episodes."""
    env = pufferc.make("tmaze", rows, seed=5, length=30, min_length=5)
    observations, _ = env.reset(seed=5)
    for _ in range(steps):
        observations = env.step(choose(observations))[0]
    metrics = env.pop_metrics()
    env.close()
    assert metrics["perf"] == pytest.approx((metrics["score"] + 1) / 2)
    return float(metrics["score"])


def test_no_memoryless_policy_scores_above_chance() -> None:
    """Tests all 64. The six observations are the two lamp sides at the start, in the corridor and at the junction."""
    for actions in itertools.product((0, 1), repeat=6):
        table = np.array(actions, np.int32)

        def mapped(o: Array, table: NDArray[np.int32] = table) -> NDArray[np.int32]:
            where = np.where(o[:, 1] > 0, 0, np.where(o[:, 2] > 0, 2, 1))
            return table[2 * where + (o[:, 0] > 0)]

        assert abs(mean_score(mapped)) < 0.05  # four standard errors


def test_one_bit_of_memory_always_wins() -> None:
    memory = np.zeros(512, np.int32)

    def remembered(o: Array) -> NDArray[np.int32]:
        memory[:] = np.where(o[:, 1] > 0, o[:, 0] > 0, memory)
        return memory.copy()

    assert mean_score(remembered) == 1.0


def test_a_shortest_corridor_above_the_longest_is_refused() -> None:
    with pytest.raises(ValueError, match="min_length must not be greater than length"):
        pufferc.make("tmaze", 2, length=5, min_length=6)


@pytest.mark.usefixtures("one_core")
@pytest.mark.slow
@pytest.mark.parametrize(("kind", "solved"), [("mlp", False), ("mingru", True), ("lstm", True)])
def test_only_recurrent_networks_learn_the_maze(kind: str, solved: bool, tmp_path: object) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    from pufferc.config import load_config, merge
    from pufferc.training.run import train

    config = merge(load_config("tmaze"), {"policy": {"kind": kind}, "train": {"total_steps": 999_424}})
    result = train(config, runs=str(tmp_path), quiet=True)
    assert result.evaluation is not None and result.evaluation.unfinished == 0
    if solved:
        assert result.outcome == "target" and result.evaluation.score >= 0.98
    else:
        assert abs(result.evaluation.score) < 0.13  # the expected score is 0; four standard errors
