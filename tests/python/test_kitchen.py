"""Kitchen agrees with Overcooked step by step: state, rewards of both cooks, and Overcooked's 26 layers.

PUFFERC_TEST_PARITY=1 plays 20,000 joint actions in each kitchen. The reference is the package overcooked, a maintained
fork of Overcooked-AI.
"""

from __future__ import annotations

import itertools
import os
from typing import Any

import numpy as np
import pytest

import pufferc
from conftest import GAMES, MakePool
from pufferc.parity import Agreement, MissingReference, Moment, lockstep, reference_package

LONG = os.environ.get("PUFFERC_TEST_PARITY") == "1"
pytestmark = pytest.mark.skipif("kitchen" not in GAMES, reason="built without kitchen")

LAYOUTS = (
    "cramped_room",
    "asymmetric_advantages",
    "coordination_ring",
    "forced_coordination",
    "counter_circuit_o_1order",
)
UP, DOWN, RIGHT, LEFT, STAY, INTERACT = range(6)
FLOOR, COUNTER, POT, ONIONS, DISHES, SERVING = range(6)
ONION, DISH, SOUP, DONE = 1, 2, 3, 27
STEPS = 400


class Cooks:
    """Overcooked's kitchen of the same plan. It starts as ours does, so nothing needs to be copied but the start."""

    def __init__(self, layout: int, auto_cook: bool) -> None:
        package = reference_package("overcooked.mdp.overcooked_mdp", "overcooked")
        self.choices = reference_package("overcooked.mdp.actions", "overcooked").Action.INDEX_TO_ACTION
        self.mdp = package.OvercookedGridworld.from_layout_name(LAYOUTS[layout], old_dynamics=auto_cook)

    def copy(self, ours: Moment) -> None:
        assert ours.actions is None
        self.state = self.mdp.get_standard_start_state()

    def step(self, actions: Any, _: Any) -> None:
        chosen = [self.choices[int(action)] for action in actions]
        self.state, infos = self.mdp.get_state_transition(self.state, chosen)
        self.rewards = sum(infos["sparse_reward_by_agent"]) + np.array(infos["shaped_reward_by_agent"])

    def __str__(self) -> str:
        return self.mdp.state_string(self.state)


def layers(observation: Any, onions: Any, late: bool) -> Any:
    """Overcooked's layers [width, height, 26] from our observation and the onions [height, width] of soups in it."""
    terrain, content, cook = np.moveaxis(observation.astype(int), -1, 0)
    pot, cooking = terrain == POT, (content > 6) & (content <= DONE)
    in_hand = (content == SOUP) * onions
    planes = [
        (cook > 0) & (cook < 5),
        cook > 4,
        *(cook == 1 + facing for facing in (UP, DOWN, RIGHT, LEFT)),
        *(cook == 5 + facing for facing in (UP, DOWN, RIGHT, LEFT)),
        pot,
        terrain == COUNTER,
        terrain == ONIONS,
        np.zeros_like(pot),  # tomatoes
        terrain == DISHES,
        terrain == SERVING,
        np.where(pot & (content > 0) & ~cooking, content - 3, 0),
        np.zeros_like(pot),
        cooking * onions + in_hand,
        np.zeros_like(pot),
        np.where(cooking, DONE - content, 0),
        (content == DONE) | (content == SOUP),
        content == DISH,
        content == ONION,
        np.zeros_like(pot),
        np.full_like(pot, late),
    ]
    return np.stack(planes, -1).astype(int).transpose(1, 0, 2)


def difference(ours: Moment, theirs: Cooks) -> str | None:
    if not np.allclose(ours.rewards, theirs.rewards):
        return f"rewards, theirs {theirs.rewards}"
    if bool(ours.truncated.all()) != (theirs.state.timestep >= STEPS) or ours.terminated.any():
        return f"end, theirs after {theirs.state.timestep} steps"
    height, width = ours.observations.shape[1:3]
    onions = np.asarray(ours.state("onions"))[: height * width].astype(int)
    for at, _, holds, number in np.asarray(ours.state("cooks")).reshape(2, 4):
        onions[at] += number if holds == SOUP else 0
    expected = theirs.mdp.lossless_state_encoding(theirs.state, STEPS)
    for agent in range(2):
        found = layers(ours.observations[agent], onions.reshape(height, width), STEPS - theirs.state.timestep < 40)
        if not np.array_equal(found, expected[agent]):
            return f"layers {np.flatnonzero((found != expected[agent]).any((0, 1))).tolist()} of agent {agent}"
    return None


def ways(terrain: Any, target: int) -> Any:
    """For each floor cell [height * width] the move that leads to the target, or turns to it; -1 where none does."""
    width, steps = terrain.shape[1], [-terrain.shape[1], terrain.shape[1], 1, -1]
    kinds, found = terrain.ravel(), np.full(terrain.size, -1)
    reached = {at for at, kind in enumerate(kinds) if kind == target}
    while reached:
        fresh = set()
        for at, (move, step) in itertools.product(sorted(reached), enumerate(steps)):
            before = at - step
            beside = 0 <= before < kinds.size and abs(before % width - at % width) <= 1
            if beside and kinds[before] == FLOOR and found[before] < 0:
                found[before] = move
                fresh.add(before)
        reached = fresh
    return found


def busy(envs: pufferc.VecEnv, rng: np.random.Generator) -> Any:
    """Cooks that mostly do what comes next for a soup, and one step of four something random."""
    height, width = envs.single_observation_space.shape[:2]
    cells = envs.state("cells").reshape(envs.num_games, -1, 3)[:, : height * width].astype(int)
    cooks = envs.state("cooks").reshape(envs.num_games, 2, 4).astype(int)
    terrain = cells[0, :, 0].reshape(height, width)
    table = np.stack([ways(terrain, target) for target in range(6)])
    contents = np.where(cells[:, :, 0] == POT, cells[:, :, 1], 0)
    first = np.where((contents == 6).any(1), POT, np.where((contents > 6).any(1), DISHES, ONIONS))
    goal = np.choose(cooks[:, :, 2], [first[:, None], POT, POT, SERVING])
    move = table[goal, cooks[:, :, 0]]
    ahead = cooks[:, :, 0] + np.array([-width, width, 1, -1])[cooks[:, :, 1]]
    stands = (cooks[:, :, 1] == move) & (terrain.ravel()[ahead] != FLOOR)
    chosen = np.where(stands, INTERACT, move)
    random = (rng.random(chosen.shape) < 0.25) | (move < 0)
    return np.where(random, rng.integers(0, 6, chosen.shape), chosen).reshape(-1).astype(np.int32)


def play(layout: int, auto_cook: bool, actions: Any) -> Agreement:
    games = 10 if LONG else 4
    return lockstep(
        pufferc.make(
            "kitchen", num_games=games, num_threads=1, autoreset="disabled", seed=2, layout=layout, auto_cook=auto_cook
        ),
        [Cooks(layout, auto_cook) for _ in range(games)],
        copy=lambda ours, theirs: theirs.copy(ours),
        compare=difference,
        actions=actions,
        steps=2000 if LONG else STEPS,
    )


@pytest.mark.parametrize("auto_cook", [False, True])
@pytest.mark.parametrize("layout", range(5), ids=LAYOUTS)
def test_it_agrees_with_overcooked(layout: int, auto_cook: bool) -> None:
    try:
        agreements = [play(layout, auto_cook, actions) for actions in ([None, busy] if LONG else [busy])]
    except MissingReference as error:
        pytest.skip(str(error))
    for agreement in agreements:
        print(agreement)
        assert agreement.episodes >= 4


@pytest.mark.parametrize("layout", [0, 1, 2, 4])  # in 3 the cooks would have to pass things over counters
def test_busy_play_serves_soups_so_that_parity_sees_them(pool: MakePool, layout: int) -> None:
    env = pool("kitchen", num_games=10, seed=1, layout=layout, autoreset="disabled")
    env.reset()
    rng = np.random.default_rng(0)
    for _ in range(STEPS - 1):
        env.step(busy(env, rng))
    assert env.state("soups").sum() > 0


def test_shaping_fades_during_a_run(pool: MakePool) -> None:
    env = pool("kitchen", num_games=50, seed=1, autoreset="disabled", shaping=1.0)
    env.reset()
    rng, sums = np.random.default_rng(0), []
    for shaping in (1.0, 0.5, 0.0):
        env.set_param("shaping", shaping)
        seen = set()
        for _ in range(100):
            _, rewards, *_ = env.step(busy(env, rng))
            seen |= set(np.asarray(rewards).tolist())
        sums.append(seen - {0.0, 20.0})
    assert 3.0 in sums[0] and 1.5 in sums[1] and not sums[2]
