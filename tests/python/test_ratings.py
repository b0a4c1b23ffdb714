"""Ratings: known strengths are found, with intervals that hold, and circles show."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from pufferc.selfplay.match import Pairing
from pufferc.selfplay.ratings import expected_points, rate

LADDER = {"a": 0.0, "b": 120.0, "c": 210.0, "d": 400.0, "e": 480.0, "f": 800.0}


def pairing(a: str, b: str, points: Any) -> Pairing:
    return Pairing(a, b, np.asarray(points, np.float64).reshape(-1, 2), 0, 1, 0.0)


def won(a: str, b: str, wins: int, losses: int) -> Pairing:
    return pairing(a, b, np.repeat([1.0, 0.0], [2 * wins, 2 * losses]))


def planted(ladder: dict[str, float], pairs: int, generator: np.random.Generator) -> list[Pairing]:
    """Matches of players of known strength, with draws, and with games of a pair that resemble each other."""
    found = []
    for a, b in combinations(ladder, 2):
        share = expected_points(ladder[a] - ladder[b])
        draws = 0.4 * min(share, 1.0 - share)
        first, second = generator.random((2, pairs))
        luck = np.stack([first, np.where(generator.random(pairs) < 0.3, first, second)], axis=1)
        win = share - 0.5 * draws
        found.append(pairing(a, b, np.where(luck < win, 1.0, np.where(luck < win + draws, 0.5, 0.0))))
    return found


def test_a_planted_ladder_is_found() -> None:
    """The order is right, and in 19 of 20 repetitions the interval of a player holds its strength.

    Over 250 repetitions 95.0 % of the intervals held it. Those of one repetition resemble each other, because all are
    relative to one player, so in 40 repetitions the share varies by 3 %.
    """
    generator = np.random.default_rng(14)
    names, inside, ordered = list(LADDER), dict.fromkeys(LADDER, 0), 0
    for repetition in range(40):
        found = rate(names, planted(LADDER, 256, generator), "a", seed=repetition, samples=400)
        for player in found.players:
            inside[player.name] += player.low <= LADDER[player.name] <= player.high
        ordered += [player.name for player in found.ranked()] == names[::-1]
    assert ordered == 40 and inside.pop("a") == 40
    assert 0.90 <= sum(inside.values()) / (40 * len(inside)) <= 0.99, inside


def test_two_players_have_the_rating_of_their_points() -> None:
    found = rate(["x", "y"], [won("x", "y", 3 * 2000, 2000)], "y")
    assert found.players[0].rating == pytest.approx(400 * np.log10(3), abs=0.1)
    assert found.players[1].rating == found.players[1].low == found.players[1].high == 0.0
    assert found.players[0].low < found.players[0].rating < found.players[0].high
    assert found.misfit.points == pytest.approx(found.misfit.expected, abs=1e-3) and not found.misfit.outside
    assert expected_points(400.0) == pytest.approx(10 / 11) and expected_points(0.0) == 0.5


def test_the_anchor_only_shifts_ratings() -> None:
    pairings = planted(LADDER, 100, np.random.default_rng(3))
    low, high = (rate(list(LADDER), pairings, name) for name in ("a", "f"))
    shift = low.players[-1].rating
    assert high.players[-1].rating == 0.0 and high.anchor == "f"
    assert [p.rating for p in high.players] == pytest.approx([p.rating - shift for p in low.players], abs=1e-4)
    exchanged = rate(list(LADDER), [p.reversed() for p in pairings], "a")
    assert [p.rating for p in exchanged.players] == pytest.approx([p.rating for p in low.players], abs=1e-4)


def test_a_player_who_wins_every_game_has_a_finite_rating() -> None:
    found = rate(["best", "worst"], [won("best", "worst", 100, 0)], "worst").players[0]
    assert 500.0 < found.rating < 1500.0 and found.low < found.rating < found.high < 5000.0
    more = rate(["best", "worst"], [won("best", "worst", 1000, 0)], "worst").players[0]
    assert more.rating > found.rating and more.low > found.low


def test_more_games_give_narrower_intervals() -> None:
    widths = []
    for pairs in (50, 800):
        player = rate(["x", "y"], [won("x", "y", pairs * 6 // 10, pairs * 4 // 10)], "y").players[0]
        widths.append(player.high - player.low)
    assert 3.0 < widths[0] / widths[1] < 5.0  # a sixteenth of the games


def test_a_circle_shows_as_a_misfit() -> None:
    circle = [won("rock", "scissors", 90, 10), won("scissors", "paper", 85, 15), won("paper", "rock", 90, 10)]
    found = rate(["rock", "scissors", "paper"], circle, "rock")
    assert max(abs(player.rating) for player in found.players) < 40.0
    assert found.misfit.outside and found.misfit.points == 0.9 and abs(found.misfit.expected - 0.5) < 0.1
    ladder = rate(list(LADDER), planted(LADDER, 4000, np.random.default_rng(5)), "a").misfit
    assert abs(ladder.points - ladder.expected) < 0.03


def test_ratings_repeat_and_their_seed_moves_only_intervals() -> None:
    pairings = planted(LADDER, 100, np.random.default_rng(3))
    first, again, other = (rate(list(LADDER), pairings, "a", seed) for seed in (1, 1, 2))
    assert first == again and first != other
    assert [p.rating for p in first.players] == [p.rating for p in other.players]
    assert first.as_dict()["players"][0] == {"name": "a", "rating": 0.0, "low": 0.0, "high": 0.0}


def test_ratings_need_games_that_connect_the_players() -> None:
    pairings = [won("a", "b", 5, 5), won("c", "d", 5, 5), pairing("b", "c", [])]
    with pytest.raises(ValueError, match="connect all players; a has none with c"):
        rate(list("abcd"), pairings, "a")
    with pytest.raises(ValueError, match="anchor must be one of the players a, b, got 'z'"):
        rate(["a", "b"], pairings[:1], "z")
