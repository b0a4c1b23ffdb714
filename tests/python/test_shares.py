"""The rows and games of each process in a run. Together they equal those of one process, or the plan is not exact."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from pufferc.config import Config, ConfigError

torch = pytest.importorskip("torch")

from pufferc.training import sharding  # noqa: E402
from pufferc.training.resolve import resolve  # noqa: E402


@pytest.mark.parametrize(
    ("sizes", "text"),
    [
        ({"rows": 6, "world": 4}, "vec.num_envs must be a multiple of 4 .* 4 processes .* 4 or 8 would fit"),
        ({"rows": 2, "world": 4}, "got 2; 4 would fit"),
        ({"rows": 8, "world": 2, "agents": 8}, "multiple of 16"),
        ({"minibatch": 33}, "train.minibatch_size must be a multiple of 2"),
        ({"minibatch": 16, "recurrent": True}, "multiple of 32 .* in whole rows of 16 steps"),
    ],
)
def test_impossible_shards_are_refused(sizes: dict[str, Any], text: str) -> None:
    whole = {"rows": 64, "agents": 1, "horizon": 16, "minibatch": 128, "recurrent": False, "world": 2, **sizes}
    with pytest.raises(ConfigError, match=text):
        sharding.plan_share(0, whole.pop("world"), **whole)


@pytest.mark.parametrize("world", [1, 2, 4])
@pytest.mark.parametrize("recurrent", [False, True])
def test_shards_partition_the_rows_of_each_minibatch(world: int, recurrent: bool) -> None:
    horizon, rows, minibatch, agents = 8, 64, 128, 2
    steps = np.arange(horizon)[:, None] * rows + np.arange(rows)
    expected = steps.reshape(-1, minibatch)
    if recurrent:
        expected = np.stack([part.ravel() for part in np.split(steps, rows * horizon // minibatch, axis=1)])
    found: list[list[int]] = [[] for _ in expected]
    for rank in range(world):
        share = sharding.plan_share(
            rank, world, rows=rows, agents=agents, horizon=horizon, minibatch=minibatch, recurrent=recurrent
        )
        assert share.exact and share.rows == rows // world
        numbers = np.concatenate([np.arange(first, first + part.stop - part.start) for part, first in share.blocks])
        games = share.game_numbers(agents)
        assert (list(range(share.rows // agents)) if games is None else games) == (numbers[::agents] // agents).tolist()
        own, size = steps[:, numbers], minibatch // world
        local = own.reshape(-1, size)
        if recurrent:
            local = np.stack([part.ravel() for part in np.split(own, rows * horizon // minibatch, axis=1)])
        for i, part in enumerate(local):
            found[i] += part.tolist()
    assert [sorted(part) for part in found] == [sorted(part) for part in expected.tolist()]


def test_shards_that_differ_from_one_process_are_not_exact() -> None:
    options = {"rows": 64, "agents": 1, "horizon": 16}
    assert not sharding.plan_share(0, 2, **options, minibatch=32, recurrent=False).exact
    assert not sharding.plan_share(1, 2, **{**options, "agents": 4}, minibatch=64, recurrent=True).exact


def test_sizes_resolve_for_several_processes() -> None:
    config, _ = resolve(Config("breakout"), processes=3, local_processes=3)
    assert config.vec.num_envs == 1026 and int(config.train.minibatch_size) % 3 == 0
    cores = len(os.sched_getaffinity(0))
    _, warnings = resolve(Config("breakout"), processes=2 * cores, local_processes=2 * cores)
    assert any(f"{2 * cores} processes with up to 1 threads each share {cores} cores" in text for text in warnings)
