"""Random sequences of pool calls: allowed calls work, and others are refused without effect."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import pufferc

GAMES, GROUPS = 4, 2
groups = st.integers(0, GROUPS - 1)


class Life(RuleBasedStateMachine):
    """Two pools of one game. The second loads the snapshots of the first."""

    def __init__(self) -> None:
        super().__init__()
        self.envs = [pufferc.make("breakout", GAMES, num_threads=n, groups=GROUPS, seed=7) for n in (1, 2)]
        self.env = self.envs[0]
        self.started = self.closed = False
        self.sent: set[int] = set()
        self.seen: np.ndarray[Any, Any] | None = None  # a view that must stay readable
        self.snapshot: bytes | None = None

    def teardown(self) -> None:
        for env in self.envs:
            env.close()

    def call(self, allowed: bool, function: Any) -> Any:
        """Make a call that must succeed if `allowed` and must be refused otherwise."""
        if allowed:
            return function()
        with pytest.raises(RuntimeError, match=r"closed|reset|sent"):
            function()
        return None

    @property
    def idle(self) -> bool:
        return not self.closed and not self.sent

    @rule(seed=st.none() | st.integers(0, 2**64 - 1) | st.lists(st.none() | st.integers(0, 9), min_size=4, max_size=4))
    def reset(self, seed: Any) -> None:
        result = self.call(self.idle, lambda: self.env.reset(seed=seed))
        if result is not None:
            self.started, self.seen = True, result[0]

    @rule(rows=st.lists(st.booleans(), min_size=4, max_size=4).filter(any))
    def reset_some(self, rows: list[bool]) -> None:
        self.call(self.idle and self.started, lambda: self.env.reset(options={"reset_mask": np.array(rows)}))

    @rule(actions=st.lists(st.integers(0, 2), min_size=4, max_size=4))
    def step(self, actions: list[int]) -> None:
        result = self.call(self.idle and self.started, lambda: self.env.step(actions))
        if result is not None:
            self.seen = result[0]

    @rule(bad=st.sampled_from([[0] * 3, [9] * 4, [-1] * 4, [0.5] * 4, None, [[0]] * 4]))
    def step_with_wrong_actions(self, bad: Any) -> None:
        before = self.env.save() if self.idle and self.started else None
        with pytest.raises((ValueError, TypeError, RuntimeError)):
            self.env.step(bad)
        if before is not None:
            assert self.env.save() == before

    @rule(group=groups, own=st.booleans())
    def send(self, group: int, own: bool) -> None:
        target = np.empty((2, *self.env.single_observation_space.shape), np.float32) if own else None
        allowed = not self.closed and self.started and group not in self.sent
        self.call(allowed, lambda: self.env.send([1, 2], group, observations=target))
        if allowed:
            self.sent.add(group)

    @rule(group=groups)
    def recv(self, group: int) -> None:
        allowed = not self.closed and group in self.sent
        self.call(allowed, lambda: self.env.recv(group))
        self.sent -= {group} if allowed else set()

    @rule()
    def save(self) -> None:
        self.snapshot = self.call(self.idle and self.started, self.env.save) or self.snapshot

    @precondition(lambda self: self.snapshot is not None)
    @rule(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
    def load_damaged(self, where: float, bit: int) -> None:
        damaged = bytearray(self.snapshot or b"")
        damaged[int(where * len(damaged))] ^= 1 << bit
        with pytest.raises((ValueError, RuntimeError)):
            self.env.load(bytes(damaged))

    @precondition(lambda self: self.snapshot is not None)
    @rule()
    def load_into_both_and_step(self) -> None:
        assert self.snapshot is not None
        snapshot = self.snapshot
        if self.call(self.idle, lambda: self.env.load(snapshot)) is None:
            return
        np.testing.assert_array_equal(self.env.load(snapshot), self.envs[1].load(snapshot))
        for one, other in zip(self.env.step([1] * 4)[:4], self.envs[1].step([1] * 4)[:4], strict=True):
            np.testing.assert_array_equal(one, other)

    @rule()
    def pop_metrics(self) -> None:
        self.call(self.idle, self.env.pop_metrics)

    @precondition(lambda self: self.started)
    @rule()
    def close(self) -> None:
        self.env.close()
        self.closed = True
        self.sent.clear()

    @invariant()
    def views_are_readable(self) -> None:
        assert self.env.rewards.shape == (GAMES,)
        assert self.seen is None or self.seen.sum() == self.seen.sum()


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=40, stateful_step_count=30, deadline=None, derandomize=True, database=None)
