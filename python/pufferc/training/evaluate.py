"""Evaluation of a policy, or of two in one world, separate from training.

Every row contributes its first ceil(episodes / rows) episodes, see `pufferc.selfplay.table`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pufferc import errors
from pufferc.envs.games import agents_per_game, env_info
from pufferc.kernels.backend import Kernels
from pufferc.policies import Policy
from pufferc.selfplay import table
from pufferc.selfplay.players import Player, PolicyPlayer
from pufferc.selfplay.table import Tally
from pufferc.selfplay.table import World as World
from pufferc.selfplay.table import choose_rows as choose_rows

_MAX_EPISODES = 10**8  # results are kept in memory


@dataclass(frozen=True)
class Evaluation:
    """Result over all counted episodes. `ci95` is the half width of the 95 % interval of the mean score.

    `unfinished` counts rows that did not finish their episodes within the step limit; the means exclude them. `versus`:
    in self-play the mean points by opponent, see ladder.py; otherwise empty.
    """

    episodes: int
    score: float
    score_std: float
    ci95: float
    score_min: float
    score_max: float
    episode_return: float
    episode_length: float
    metrics: dict[str, float]
    unfinished: int
    steps: int
    seconds: float
    versus: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """JSON values for --json; NaN (no episode finished) becomes None."""
        values = asdict(self)
        return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in values.items()}


@dataclass(frozen=True)
class EvaluationSettings:
    """What an evaluation counts, and how actions are chosen.

    Attributes:
        episodes: At least this many are counted of each policy, the same number from every row.
        seed: Seed of games and sampling.
        greedy: Take the most probable action instead of sampling.
        max_steps: Step limit per row and episode; rows beyond it count as unfinished.
    """

    episodes: int
    seed: int
    greedy: bool = False
    max_steps: int = table.MAX_STEPS


@dataclass(frozen=True)
class Side:
    """A policy, which is not modified, and FUSED or TORCH of pufferc.kernels.backend for its draws."""

    policy: Policy
    kernels: Kernels


def evaluate(policy: Policy, kernels: Kernels, world: World, settings: EvaluationSettings) -> Evaluation:
    """Evaluates a policy that moves all agents of a world."""
    agents = agents_per_game(world.game, world.params)
    return _evaluate(_players([Side(policy, kernels)], settings), [agents], world, settings)[0]


def evaluate_versus(
    sides: tuple[Side, Side], split: int, world: World, settings: EvaluationSettings
) -> tuple[Evaluation, Evaluation]:
    """Evaluates two policies in one world.

    The first moves the first `split` agents of each game, the second the others. ValueError unless each policy has an
    agent.
    """
    return evaluate_players(_players(sides, settings), split, world, settings)


def evaluate_players(
    players: Sequence[Player], split: int, world: World, settings: EvaluationSettings
) -> tuple[Evaluation, Evaluation]:
    """`evaluate_versus` for any two players. `settings.greedy` has no effect on them."""
    agents = agents_per_game(world.game, world.params)
    if agents < 2:
        name = env_info(world.game).name
        raise ValueError(f"two policies need a game with at least two agents, {name} has one with these parameters")
    split = errors.integer("split", split, 1, agents - 1)
    for player in players:
        player.check(world)
    first, second = _evaluate(players, [split, agents - split], world, settings)
    return first, second


def _players(sides: Sequence[Side], settings: EvaluationSettings) -> list[Player]:
    return [PolicyPlayer("policy", side.policy, side.kernels, settings.greedy) for side in sides]


def _evaluate(
    players: Sequence[Player], agents: Sequence[int], world: World, settings: EvaluationSettings
) -> list[Evaluation]:
    """One result for each player, which has this number of neighbouring agents in each game."""
    episodes = errors.integer("episodes", settings.episodes, 1, _MAX_EPISODES)
    began, total = time.perf_counter(), sum(agents)
    rows = choose_rows(world.game, world.params, math.ceil(episodes * total / min(agents)))
    games = rows // total
    quota = math.ceil(episodes / (games * min(agents)))
    env = world.open(rows, settings.seed)
    owners = np.tile(np.repeat(np.arange(len(players)), agents), games)
    try:
        # No two players share random draws.
        seats = [
            player.sit(env, np.flatnonzero(owners == i), seed=settings.seed, first_row=i * rows)
            for i, player in enumerate(players)
        ]
        tally = table.play(seats, env, quota, settings.seed, settings.max_steps)
    finally:
        env.close()
    seconds = time.perf_counter() - began
    return [_summary(tally, owners == i, seconds) for i in range(len(players))]


def _summary(tally: Tally, side: NDArray[np.bool_], seconds: float) -> Evaluation:
    """The result over the rows of a side, bool [N]."""
    own = side[np.concatenate(tally.rows)] if tally.rows else np.empty(0, bool)
    values = {name: np.concatenate(parts)[own] if parts else np.empty(0) for name, parts in tally.values.items()}
    scores = values.get("score", values["r"])
    episodes = scores.size
    spread = float(scores.std(ddof=1)) if episodes > 1 else math.nan

    def mean(name: str) -> float:
        return float(values[name].mean()) if episodes else math.nan

    return Evaluation(
        episodes=episodes,
        score=float(scores.mean()) if episodes else math.nan,
        score_std=spread,
        ci95=1.96 * spread / math.sqrt(episodes) if episodes > 1 else math.nan,
        score_min=float(scores.min()) if episodes else math.nan,
        score_max=float(scores.max()) if episodes else math.nan,
        episode_return=mean("r"),
        episode_length=mean("l"),
        metrics={name: mean(name) for name in values if name not in ("r", "l")},
        unfinished=int((tally.left[side] > 0).sum()),
        steps=tally.steps,
        seconds=seconds,
    )
