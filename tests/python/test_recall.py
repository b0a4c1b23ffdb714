"""Recall agrees with three tasks of POPGym (RepeatPrevious, Autoencode, Concentration) on the same cards.

PUFFERC_TEST_PARITY=1 plays more steps.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

import pufferc
from conftest import GAMES, MakePool
from outcomes import outcome_difference
from pufferc.parity import Agreement, MissingReference, Moment, lockstep, reference_package

LONG = os.environ.get("PUFFERC_TEST_PARITY") == "1"
pytestmark = pytest.mark.skipif("recall" not in GAMES, reason="built without recall")


class Cards:
    """A task of POPGym that plays with our cards."""

    def __init__(self, module: str, name: str, **params: Any) -> None:
        self.env = getattr(reference_package(f"popgym.envs.{module}", "popgym"), name)(**params)
        self.deals_from_the_end = name != "Concentration"

    def copy(self, ours: Moment) -> None:
        self.env.reset(seed=0)
        deck = self.env.deck
        cards = np.asarray(ours.state("cards"))[: deck.num_cards].astype(np.int64)
        deck.idx = cards[::-1].copy() if self.deals_from_the_end else cards
        if self.deals_from_the_end:
            player = next(iter(deck.hands))
            deck.hands[player] = [int(cards[0])]
        else:
            self.env.state = self.env.deck_idx_type[deck.idx].copy()

    def step(self, actions: Any, _: Any) -> None:
        self.seen, self.reward, self.terminated, self.truncated, _ = self.env.step(int(actions[0]))

    def __str__(self) -> str:
        return f"{self.seen}, {self.env.deck.hands}"


def codes(theirs: Cards) -> Any:
    """Their observation in our codes: theirs of a card that is face down is the largest."""
    if theirs.deals_from_the_end:
        return np.atleast_1d(theirs.seen)
    return np.where(theirs.seen == theirs.env.facedown_card, 0, theirs.seen + 1)


def difference(ours: Moment, theirs: Cards) -> str | None:
    if not np.array_equal(ours.observations[0], codes(theirs)):
        return f"observation {ours.observations[0]}, theirs {codes(theirs)}"
    return outcome_difference(ours, theirs, atol=1e-7)


def mostly_right(envs: pufferc.VecEnv, rng: np.random.Generator) -> Any:
    """Pairs: a random card that is down, and three times of four one of the same colour, so that games are solved."""
    cards, up, turned = envs.state("cards")[:, :52], envs.state("up")[:, :52], envs.state("turned")
    chosen = np.zeros(envs.num_envs, np.int32)
    for game in range(envs.num_envs):
        down = np.flatnonzero(up[game] == 0)
        first = int(turned[game])
        if first >= 0:
            same = [card for card in down if card != first and cards[game, card] % 2 == cards[game, first] % 2]
            down = same if same and rng.random() < 0.9 else range(52)
        chosen[game] = rng.choice(down)
    return chosen


CASES: dict[str, tuple[dict[str, Any], tuple[str, str, dict[str, Any]], Any]] = {
    "repeat": ({}, ("repeat_previous", "RepeatPrevious", {"num_decks": 1, "k": 4}), None),
    "repeat 32": ({"back": 32, "decks": 2}, ("repeat_previous", "RepeatPrevious", {"num_decks": 2, "k": 32}), None),
    "backwards": ({"task": 1}, ("autoencode", "Autoencode", {"num_decks": 1}), None),
    "backwards 3": ({"task": 1, "decks": 3}, ("autoencode", "Autoencode", {"num_decks": 3}), None),
    "pairs": ({"task": 2}, ("concentration", "Concentration", {"num_decks": 1, "deck_type": "colors"}), None),
    "pairs, solved": (
        {"task": 2},
        ("concentration", "Concentration", {"num_decks": 1, "deck_type": "colors"}),
        mostly_right,
    ),
    "pairs of ranks": (
        {"task": 2, "ranks": True, "decks": 2},
        ("concentration", "Concentration", {"num_decks": 2, "deck_type": "ranks"}),
        None,
    ),
}


def play(params: dict[str, Any], reference: tuple[str, str, dict[str, Any]], actions: Any) -> Agreement:
    module, name, arguments = reference
    games = 20
    return lockstep(
        pufferc.make("recall", num_games=games, num_threads=1, autoreset="disabled", seed=4, **params),
        [Cards(module, name, **arguments) for _ in range(games)],
        copy=lambda ours, theirs: theirs.copy(ours),
        compare=difference,
        actions=actions,
        steps=5000 if LONG else 630,
    )


@pytest.mark.parametrize("label", CASES)
def test_it_agrees_with_popgym(label: str) -> None:
    try:
        agreement = play(*CASES[label])
    except MissingReference as error:
        pytest.skip(str(error))
    print(agreement)
    assert agreement.episodes >= 20


def test_a_perfect_memory_has_the_best_score(pool: MakePool) -> None:
    env = pool("recall", 16, seed=6, task=1, decks=2)
    seen, _ = env.reset()
    watched: list[Any] = []
    for step in range(2 * 104 - 1):
        watched.append(seen[:, 1].copy())
        seen, *_ = env.step(watched[2 * 103 - step].astype(np.int32) if step >= 103 else np.zeros(16, np.int32))
    metrics = env.pop_metrics()
    assert metrics["episodes"] == 16 and metrics["episode_length"] == 207
    assert metrics["score"] == pytest.approx(1.0, abs=1e-5) and metrics["perf"] == pytest.approx(1.0, abs=1e-5)


def test_cards_are_shuffled_evenly(pool: MakePool) -> None:
    env = pool("recall", 5200, seed=8)
    env.reset()
    cards = env.state("cards")[:, :52]
    assert (np.sort(cards, axis=1) == np.arange(52)).all()
    counts = np.stack([np.bincount(cards[:, place], minlength=52) for place in range(52)])  # 100 expected in each
    assert abs(((counts - 100) ** 2 / 100).sum() / 51**2 - 1) < 0.1
