"""Ratings: one number per player, from the points of all pairs.

The model is that of Bradley and Terry (1952), with a draw as half a win: a player that is rated r above another one is
expected to get 1 / (1 + 10^(-r / 400)) points in a game, as in Elo's scale. The ratings are those of maximum
likelihood, found by Newton's method. One named player is fixed at 0. Each pair also counts one virtual pair of drawn
games, so that a player who won every game has a finite rating.

Intervals are from a Bayesian bootstrap (Rubin 1981): pairs of games, the independent units of a match, get random
weights, and the model is fitted again. The virtual pair becomes a win and a loss with random weights, so that intervals
have a width where every game was won.

A model of one number cannot describe players that beat each other in a circle. The largest misfit shows how far the
points of a pair are from what the ratings say.

Shapes: P players, B bootstrap samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pufferc.selfplay.match import Pairing

Array = NDArray[np.float64]

_ELO = 400.0 / np.log(10.0)  # rating points per unit of log odds
_SAMPLES = 1000
_VIRTUAL = 1.0  # pairs of games; smaller ones make ratings less biased but the intervals of perfect scores too wide
_MAX_STEP = 1.0  # of Newton's method, in log odds; far from the maximum its steps are too long
_MAX_ITERATIONS = 200
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Rating:
    """A player's rating and its 95 % interval, relative to the player at 0."""

    name: str
    rating: float
    low: float
    high: float


@dataclass(frozen=True)
class Misfit:
    """The pair whose points are farthest from what the ratings say.

    Attributes:
        a, b: The players.
        points: Mean points of a.
        expected: What the ratings say.
        outside: `expected` is outside the 95 % interval of the points.
    """

    a: str
    b: str
    points: float
    expected: float
    outside: bool


@dataclass(frozen=True)
class Ratings:
    """Result of `rate`: the players in the order of their names as given, the player at 0, and the largest misfit."""

    players: list[Rating]
    anchor: str
    misfit: Misfit

    def ranked(self) -> list[Rating]:
        """The players, best first."""
        return sorted(self.players, key=lambda player: -player.rating)

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "anchor": self.anchor,
            "players": [vars(player) for player in self.players],
            "misfit": vars(self.misfit),
        }


def rate(
    names: Sequence[str], pairings: Sequence[Pairing], anchor: str, seed: int = 0, samples: int = _SAMPLES
) -> Ratings:
    """Rates players.

    Args:
        names: The players.
        pairings: Results of pairs; they must connect all players. Pairs without games are ignored.
        anchor: The player that is fixed at 0.
        seed: Seed of the bootstrap.
        samples: Number of bootstrap samples B.

    Raises:
        ValueError: `anchor` is not a player, or players are not connected with it by games.
    """
    if anchor not in names:
        raise ValueError(f"anchor must be one of the players {', '.join(names)}, got {anchor!r}")
    number = {name: i for i, name in enumerate(names)}
    played = [pairing for pairing in pairings if pairing.games]
    pairs = np.array([(number[pairing.a], number[pairing.b]) for pairing in played], np.intp).reshape(-1, 2)
    _check_connected(names, pairs, number[anchor])
    weights = np.array([len(pairing.points) + _VIRTUAL for pairing in played])
    means = np.array([pairing.points.mean(axis=1).sum() + 0.5 * _VIRTUAL for pairing in played]) / weights
    found = fit(len(names), pairs, means[None], weights, number[anchor])[0]
    generator = np.random.default_rng(seed)
    resampled = np.stack([_resample(pairing.points.mean(axis=1), samples, generator) for pairing in played], axis=1)
    spread = fit(len(names), pairs, resampled, weights, number[anchor])
    low, high = np.percentile(spread, [2.5, 97.5], axis=0)
    players = [Rating(*values) for values in zip(names, *(_elo(v) for v in (found, low, high)), strict=True)]
    return Ratings(players, anchor, _largest_misfit(played, pairs, found))


def _elo(log_odds: Array) -> list[float]:
    return [float(value) for value in _ELO * log_odds]


def expected_points(difference: float) -> float:
    """Points in a game of a player who is rated `difference` above the other one."""
    return float(_share(np.asarray(difference / _ELO)))


def _share(log_odds: Array) -> Array:
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * log_odds))  # 1 / (1 + exp(-x)) without overflow


def _check_connected(names: Sequence[str], pairs: NDArray[np.intp], anchor: int) -> None:
    reached = {anchor}
    for _ in names:
        reached |= {int(i) for pair in pairs for i in pair if reached & set(map(int, pair))}
    apart = [name for i, name in enumerate(names) if i not in reached]
    if apart:
        raise ValueError(f"ratings need games that connect all players; {names[anchor]} has none with {apart[0]}")


def _resample(points: Array, samples: int, generator: np.random.Generator) -> Array:
    """Means [B] of points [n], each with random weights, and of the virtual pair."""
    values, counts = np.unique(points, return_counts=True)
    # The sum of c independent weights from the exponential distribution is from the gamma distribution of shape c.
    shapes = np.concatenate([counts, [0.5 * _VIRTUAL, 0.5 * _VIRTUAL]])
    weights = generator.gamma(shapes, size=(samples, values.size + 2))
    return np.asarray(weights @ np.concatenate([values, [0.0, 1.0]]) / weights.sum(axis=1))


def fit(players: int, pairs: NDArray[np.intp], means: Array, weights: Array, anchor: int) -> Array:
    """Ratings [B, P] of maximum likelihood, in log odds, with that of `anchor` at 0.

    Args:
        players: P.
        pairs: [M, 2], the two players of each pair.
        means: [B, M], mean points of the first of the two, strictly between 0 and 1.
        weights: [M], number of games of each pair, in any unit.
        anchor: Number of the player at 0.
    """
    design = np.zeros((pairs.shape[0], players))  # row m: rating differences of pair m
    design[np.arange(len(pairs)), pairs[:, 0]], design[np.arange(len(pairs)), pairs[:, 1]] = 1.0, -1.0
    design = np.delete(design, anchor, axis=1)
    ratings = np.zeros((means.shape[0], players - 1))
    for _ in range(_MAX_ITERATIONS):
        share = _share(ratings @ design.T)
        gradient = (weights * (means - share)) @ design
        curvature = np.einsum("bm,mi,mj->bij", weights * share * (1.0 - share), design, design)
        step = np.linalg.solve(curvature, gradient[..., None])[..., 0]
        largest = np.abs(step).max(axis=1, keepdims=True)
        ratings += step * np.minimum(1.0, _MAX_STEP / np.maximum(largest, _MAX_STEP))
        if largest.max() < _TOLERANCE:
            break
    return np.insert(ratings, anchor, 0.0, axis=1)


def _largest_misfit(played: Sequence[Pairing], pairs: NDArray[np.intp], ratings: Array) -> Misfit:
    expected = _share(ratings[pairs[:, 0]] - ratings[pairs[:, 1]])
    at = int(np.argmax([abs(pairing.mean - share) for pairing, share in zip(played, expected, strict=True)]))
    pairing, share = played[at], float(expected[at])
    low, high = pairing.interval
    return Misfit(pairing.a, pairing.b, pairing.mean, share, not low <= share <= high)
