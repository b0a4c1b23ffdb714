"""Matches: every pair of players plays, with sides exchanged.

A game has teams. In a match of a and b, one of them moves the teams 0, 2, ... and the other one the teams 1, 3, ...
Each game is played twice from the same seed, the second time with sides exchanged. A pair of such games is the unit of
statistics: neither the first move nor a lucky start can favour a player.

Points: the player whose rows have the higher mean score at the end of the game gets 1, the other one 0; equal means are
a draw, 0.5 for both. This is one rule for all games. In board games the score is 1, 0.5 or 0; in poker chips, in Pong
points; in Moba and Impulse 1 for a row of the winning team. Returns would not do, because they can hold rewards for
progress. A game cut short at max_steps counts by the score it had.

As in an evaluation, every pair of rows counts its first k games, so that short games do not count more than long ones.
Random draws depend on the seed, the seat and the step, not on who sits there. A player against itself therefore plays
the same game twice, and gets exactly half of the points.

Shapes: G games at once, A agents of a game, k games counted of each, n = G k pairs of games.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pufferc import errors
from pufferc.envs.games import env_info
from pufferc.envs.vector import VecEnv
from pufferc.selfplay import table
from pufferc.selfplay.players import Player
from pufferc.selfplay.seats import points_of
from pufferc.selfplay.table import Tally, World, choose_rows

_MAX_GAMES = 10**8  # results are kept in memory
_Z = 1.959964  # of a 95 % interval


@dataclass(frozen=True)
class Pairing:
    """The games of two players.

    Attributes:
        a, b: Their names.
        points: float64 [n, 2], points of a: in games in which a had the teams 0, 2, ..., and in the same games with
            sides exchanged.
        unfinished: Games beyond the step limit, and their partners. `points` does not have them.
        steps: Steps of the pool.
        seconds: Duration.
    """

    a: str
    b: str
    points: NDArray[np.float64]
    unfinished: int
    steps: int
    seconds: float

    @property
    def games(self) -> int:
        """Number of games that count."""
        return int(self.points.size)

    @property
    def wins(self) -> int:
        """Games that a won."""
        return int((self.points == 1.0).sum())

    @property
    def draws(self) -> int:
        """Drawn games."""
        return int((self.points == 0.5).sum())

    @property
    def losses(self) -> int:
        """Games that b won."""
        return int((self.points == 0.0).sum())

    @property
    def mean(self) -> float:
        """Mean points of a in a game; NaN without games."""
        return float(self.points.mean()) if self.games else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the mean, see `interval`."""
        return interval(self.points.mean(axis=1))

    def reversed(self) -> Pairing:
        """The same games in the view of b."""
        return Pairing(self.b, self.a, 1.0 - self.points[:, ::-1], self.unfinished, self.steps, self.seconds)

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        low, high = self.interval
        values = {"mean": self.mean, "low": low, "high": high}
        return {
            "a": self.a,
            "b": self.b,
            "games": self.games,
            "wins": self.wins,
            "draws": self.draws,
            "losses": self.losses,
            **{name: None if math.isnan(value) else value for name, value in values.items()},
            "unfinished": self.unfinished,
            "steps": self.steps,
            "seconds": self.seconds,
        }


def interval(points: NDArray[np.float64]) -> tuple[float, float]:
    """95 % interval of the mean of n independent numbers in [0, 1].

    This is Wilson's interval for a share of n games, with n replaced by the number of games of wins and losses whose
    mean has the variance that was found. Unlike mean +- 2 standard errors, it stays within [0, 1] and has a width if
    all games were won.
    """
    n = points.size
    if n == 0:
        return math.nan, math.nan
    mean = float(points.mean())
    spread = float(points.var(ddof=1)) if n > 1 else 0.25
    largest = mean * (1.0 - mean)  # variance if every point were 0 or 1
    if largest > 0.0 and spread == 0.0:
        return mean, mean
    z2 = _Z**2 / n * (spread / largest if largest > 0.0 else 1.0)
    centre, half = mean + 0.5 * z2, math.sqrt(z2 * largest + 0.25 * z2 * z2)
    # The limits with `mean` hold but for rounding.
    return max(0.0, min(mean, (centre - half) / (1.0 + z2))), min(1.0, max(mean, (centre + half) / (1.0 + z2)))


def play_pair(
    a: Player, b: Player, world: World, games: int, seed: int, *, max_steps: int = table.MAX_STEPS
) -> Pairing:
    """Plays a match of two players.

    Args:
        a: A player.
        b: Another player, or the same one.
        world: The games, with at least two teams.
        games: Games to play at least; rounded up so that all rows play equally many.
        seed: Seed of games and random draws.
        max_steps: Step limit of a game.

    Raises:
        ValueError: The game has no teams or its agents end one by one, or a player cannot play it.
    """
    check_players((a, b), world)
    began = time.perf_counter()
    half = -(-errors.integer("games", games, 1, _MAX_GAMES) // 2)
    agents = world.spaces().agents
    rows = choose_rows(world.game, world.params, half * agents)
    quota = -(-half * agents // rows)
    env = world.open(rows, seed)
    try:
        tallies = [_play_seats(players, env, quota, seed, max_steps) for players in ((a, b), (b, a))]
        points = [_points(tally, env) for tally in tallies]
    finally:
        env.close()
    pairs = np.stack([points[0], 1.0 - points[1]], axis=-1).reshape(-1, 2)
    whole = ~np.isnan(pairs).any(axis=1)
    return Pairing(
        a.name,
        b.name,
        pairs[whole],
        unfinished=2 * int((~whole).sum()),
        steps=sum(tally.steps for tally in tallies),
        seconds=time.perf_counter() - began,
    )


def check_players(players: Sequence[Player], world: World) -> None:
    """ValueError unless the world has teams and every player can play in it."""
    if world.spaces().teams < 2:
        raise ValueError(
            f"a match needs a game with at least two teams, {env_info(world.game).name} has none with these parameters"
        )
    for player in players:
        player.check(world)


def _sides(env: VecEnv) -> NDArray[np.intp]:
    """0 or 1 for each agent of a game: which of two players moves it."""
    assert env.teams is not None
    return np.asarray(env.teams, np.intp) % 2


def _play_seats(players: Sequence[Player], env: VecEnv, quota: int, seed: int, max_steps: int) -> Tally:
    """Plays with player i on side i."""
    side = np.tile(_sides(env), env.num_games)
    seats = [
        player.sit(env, np.flatnonzero(side == i), seed=seed, first_row=i * env.num_envs)
        for i, player in enumerate(players)
    ]
    return table.play(seats, env, quota, seed, max_steps)


def _points(tally: Tally, env: VecEnv) -> NDArray[np.float64]:
    """Points of side 0 in every game, [G, k]; NaN in games that did not finish."""
    shape = env.num_games, env.agents, tally.quota
    lengths = tally.by_row("l").reshape(shape)
    if not np.array_equal(lengths, np.broadcast_to(lengths[:, :1], shape), equal_nan=True):
        raise ValueError(f"a match needs games that end for all agents at once; those of {env.name} end one by one")
    scores = tally.by_row("score" if "score" in tally.values else "r").reshape(shape)
    return points_of(scores.transpose(0, 2, 1), _sides(env) == 0)


def play_all(
    players: Sequence[Player],
    world: World,
    games: int,
    seed: int,
    note: Callable[[Pairing], None] | None = None,
) -> list[Pairing]:
    """Plays a match of every two players, in the order of `itertools.combinations`; `note` is called after each.

    ValueError, before any game, for fewer than two players, for two with one name, and as in `play_pair`.
    """
    if len(players) < 2:
        raise ValueError(f"a match needs at least two players, got {len(players)}")
    names = [player.name for player in players]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"every player of a match needs a name of its own, but {name} is given twice")
    check_players(players, world)
    found = []
    for a, b in combinations(players, 2):
        found.append(play_pair(a, b, world, games, seed))
        if note is not None:
            note(found[-1])
    return found
