"""The mini games agree with MinAtar step by step. PUFFERC_TEST_PARITY=1 plays 100,000 steps of each game.

A reference draws from a copy of our game's generator, in the same order, so both play freely from the start of an
episode to its end. Sticky actions are off: MinAtar has them outside of its rules.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import pufferc
from conftest import GAMES
from pufferc.parity import Agreement, MissingReference, Moment, lockstep, reference_package

LONG = os.environ.get("PUFFERC_TEST_PARITY") == "1"
LIMIT = 2501  # of freeway, which MinAtar calls terminal


class Pcg:
    """Our generator (pufferc/rng.h) with the methods of numpy's RandomState that MinAtar calls."""

    def __init__(self, state: int, increment: int) -> None:
        self.state, self.increment = state, increment

    def bits(self) -> int:
        old = self.state
        self.state = (old * 6364136223846793005 + self.increment) % 2**64
        mixed, turn = ((old >> 18 ^ old) >> 27) % 2**32, old >> 59
        return (mixed >> turn | mixed << (-turn % 32)) % 2**32

    def below(self, bound: int) -> int:
        product = self.bits() * bound
        while product % 2**32 < -bound % 2**32 % bound:
            product = self.bits() * bound
        return product >> 32

    def rand(self, size: int | None = None) -> Any:
        return (self.bits() >> 8) / 2**24 if size is None else np.array([self.rand() for _ in range(size)])

    def randint(self, low: int, high: int | None = None, size: int | None = None) -> Any:
        if high is None:
            low, high = 0, low
        if size is not None:
            return np.array([self.randint(low, high) for _ in range(size)])
        return low + self.below(high - low)


class Mini:
    """A game of MinAtar whose fields are set from ours at the start of an episode."""

    def __init__(self, name: str, copy: Callable[[Any, Moment], None]) -> None:
        reference_package("minatar", "minatar")
        self.env = reference_package(f"minatar.environments.{name}", "minatar").Env(True)
        self.copy_fields = copy

    def copy(self, ours: Moment) -> None:
        self.env.reset()
        self.env.random = Pcg(*map(int, ours.state("rng")))
        self.copy_fields(self.env, ours)

    def step(self, actions: Any, _: Any) -> None:
        self.reward, self.terminal = self.env.act(int(actions[0]))

    def __str__(self) -> str:
        return "\n".join(f"{name} = {value}" for name, value in vars(self.env).items() if name != "channels")


def difference(ours: Moment, theirs: Mini) -> str | None:
    if float(ours.rewards[0]) != theirs.reward:
        return f"reward, theirs {theirs.reward}"
    if ours.ended != theirs.terminal:
        return f"end, theirs {theirs.terminal}"
    planes = theirs.env.state().transpose(2, 0, 1)
    if not np.array_equal(ours.observations[0], planes):
        return f"planes {np.flatnonzero((ours.observations[0] != planes).any((1, 2))).tolist()}"
    return None


def copy_asterix(env: Any, ours: Moment) -> None:
    env.player_x, env.player_y = int(ours.state("x")), int(ours.state("y"))


def copy_breakout(env: Any, ours: Moment) -> None:
    env.ball_x = env.last_x = int(ours.state("x"))
    env.ball_dir = 2 if ours.state("dx") > 0 else 3


def copy_freeway(env: Any, ours: Moment) -> None:
    cars = np.asarray(ours.state("cars")).reshape(8, 4).tolist()
    env.cars = [[x, lane + 1, timer, time * way] for lane, (x, timer, time, way) in enumerate(cars)]


def copy_nothing(env: Any, ours: Moment) -> None:
    pass


@dataclass(frozen=True)
class Case:
    """How to play a game: MinAtar's name of it, what to copy, actions, and the least number of ends to be seen."""

    name: str
    copy: Callable[[Any, Moment], None]
    actions: Callable[[pufferc.VecEnv, np.random.Generator], Any] | None
    ends: int


def chase_the_ball(envs: pufferc.VecEnv, rng: np.random.Generator) -> Any:
    """Left or right towards the ball, and a random action in one step of ten."""
    ahead = np.sign(envs.state("x") + envs.state("dx") - envs.state("paddle"))
    chosen = np.choose(ahead + 1, [1, 0, 3])
    return np.where(rng.random(envs.num_envs) < 0.1, rng.integers(0, 6, envs.num_envs), chosen).astype(np.int32)


def mostly_up(envs: pufferc.VecEnv, rng: np.random.Generator) -> Any:
    return rng.choice(6, envs.num_envs, p=[0.1, 0.05, 0.6, 0.05, 0.15, 0.05]).astype(np.int32)


def mostly_down(envs: pufferc.VecEnv, rng: np.random.Generator) -> Any:
    """Stays below the surface unless divers are aboard, and shoots."""
    weights = np.where(envs.state("crew") > 0, 0.35, 0.05)
    weights = np.where(envs.state("y") == 1, np.where(envs.state("crew") > 0, 0.1, 0.0), weights)
    up = rng.random(envs.num_envs) < weights
    return np.where(up, 2, rng.choice([1, 3, 4, 5, 0], envs.num_envs, p=[0.2, 0.2, 0.2, 0.3, 0.1])).astype(np.int32)


def shooting(envs: pufferc.VecEnv, rng: np.random.Generator) -> Any:
    return rng.choice(6, envs.num_envs, p=[0.1, 0.25, 0.0, 0.25, 0.0, 0.4]).astype(np.int32)


CASES = {
    "mini_asterix": Case("asterix", copy_asterix, None, 100),
    "mini_breakout": Case("breakout", copy_breakout, chase_the_ball, 60),
    "mini_freeway": Case("freeway", copy_freeway, mostly_up, 8),
    "mini_invaders": Case("space_invaders", copy_nothing, shooting, 100),
    "mini_seaquest": Case("seaquest", copy_nothing, mostly_down, 60),
}


def play(game: str, case: Case) -> Agreement:
    games = 8 if game == "mini_freeway" else 20
    params = {"max_steps": LIMIT if game == "mini_freeway" else 0}
    steps = 100_000 // games if LONG else max(1000, LIMIT * (game == "mini_freeway"))
    return lockstep(
        pufferc.make(game, num_games=games, num_threads=1, autoreset="disabled", seed=9, sticky=0.0, **params),
        [Mini(case.name, case.copy) for _ in range(games)],
        copy=lambda ours, theirs: theirs.copy(ours),
        compare=difference,
        actions=case.actions,
        steps=steps,
    )


@pytest.mark.parametrize("game", CASES)
def test_it_agrees_with_minatar(game: str) -> None:
    if game not in GAMES:
        pytest.skip(f"built without {game}")
    try:
        agreement = play(game, CASES[game])
    except MissingReference as error:
        pytest.skip(str(error))
    print(agreement)
    assert agreement.episodes >= CASES[game].ends


def test_divers_are_worth_the_oxygen_and_make_seaquest_faster() -> None:
    """Random play hardly ever has six divers, so crews are given to both games."""
    if "mini_seaquest" not in GAMES:
        pytest.skip("built without mini_seaquest")
    try:
        theirs = [Mini("seaquest", copy_nothing) for _ in range(20)]
    except MissingReference as error:
        pytest.skip(str(error))
    ours = pufferc.make(
        "mini_seaquest", num_games=20, num_threads=1, autoreset="disabled", seed=11, sticky=0.0, max_steps=0
    )
    largest, ramps = 0.0, 0

    def give_crews(envs: pufferc.VecEnv, rng: np.random.Generator) -> Any:
        nonlocal largest, ramps
        largest, ramps = max(largest, float(envs.rewards.max())), max(ramps, int(envs.state("ramps").max()))
        crews = np.where(rng.random(20) < 0.3, rng.choice([-1, 1, 5, 6, 6], 20), envs.state("crew")).astype(np.int32)
        envs.set_state("crew", crews)
        for reference, crew in zip(theirs, crews, strict=True):
            reference.env.diver_count = int(crew)
        up = rng.random(20) < 0.3
        return np.where(up, 2, rng.choice([1, 3, 4, 5], 20)).astype(np.int32)

    lockstep(ours, theirs, lambda moment, reference: reference.copy(moment), difference, give_crews, 1000)
    assert largest >= 9 and ramps >= 5


# MinAtar 1.0.15 with sticky actions and random play: means of the return and of the steps. Their standard errors are
# below 0.05 and 2 %.
RANDOM_PLAY = {
    "mini_asterix": (0.50, 71.6),
    "mini_breakout": (0.51, 11.3),
    "mini_freeway": (0.13, 2501.0),
    "mini_seaquest": (0.09, 30.1),
    "mini_invaders": (2.87, 51.7),
}


@pytest.mark.parametrize("game", RANDOM_PLAY)
def test_random_play_scores_as_in_minatar(game: str) -> None:
    if game not in GAMES:
        pytest.skip(f"built without {game}")
    envs = pufferc.make(game, num_envs=512, seed=3)
    envs.reset(seed=3)
    rng = np.random.default_rng(1)
    for _ in range(2600):
        envs.step(rng.integers(0, 6, 512, dtype=np.int32))
    metrics = envs.pop_metrics()
    score, length = RANDOM_PLAY[game]
    assert abs(metrics["score"] - score) < 0.1 and abs(metrics["episode_length"] / length - 1) < 0.04, metrics


def test_an_action_is_repeated_with_the_chance_of_sticky() -> None:
    if "mini_freeway" not in GAMES:
        pytest.skip("built without mini_freeway")
    envs = pufferc.make("mini_breakout", num_envs=2000, seed=5, sticky=0.25, autoreset="disabled")
    envs.reset(seed=5)
    envs.step(np.full(2000, 1, np.int32))
    after_first = envs.state("paddle").copy()
    envs.step(np.full(2000, 3, np.int32))
    moved = envs.state("paddle") - after_first
    np.testing.assert_allclose((after_first == 3).mean(), 0.75, atol=0.03)  # the action before the first is none
    expected = (after_first == 3) * 1.0
    np.testing.assert_allclose((moved == -1).sum() / expected.sum(), 0.25, atol=0.03)
