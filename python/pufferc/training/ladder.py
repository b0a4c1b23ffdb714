"""Evaluation in self-play: matches of the policy against the game's script and the newest copies in its pool.

The score of the policy against itself says nothing, so the score of such an evaluation is the mean of its points
against these opponents, 0 to 1. `train.target_score` may name one of them: "0.9 vs script:1".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import chain

import numpy as np

from pufferc.config import Config
from pufferc.kernels.backend import Kernels
from pufferc.policies import Policy
from pufferc.selfplay.match import Pairing, play_pair
from pufferc.selfplay.opponents import Copy
from pufferc.selfplay.players import Player, PolicyPlayer, ScriptPlayer
from pufferc.selfplay.settings import POOL, SCRIPT, read_ladder, read_target
from pufferc.selfplay.table import World
from pufferc.training.evaluate import Evaluation

_COPIES = 3  # newest ones that an evaluation plays


class Ladder:
    """The opponents of a run's evaluations.

    Args:
        config: The run's configuration.
        world: The games.
        kernels: FUSED or TORCH of pufferc.kernels.backend, for draws.
        make_network: Makes a network like the policy, for copies.
    """

    def __init__(self, config: Config, world: World, kernels: Kernels, make_network: Callable[[], Policy]) -> None:
        self._world, self._kernels, self._make_network = world, kernels, make_network
        self._levels, self._plays_pool = read_ladder(config)
        self._games, self._target = config.train.target_episodes, read_target(config)
        self._network: Policy | None = None

    def evaluate(self, policy: Policy, copies: Sequence[Copy], seed: int) -> Evaluation:
        """Plays train.target_episodes games, shared equally by the opponents. The target's opponent gets as many alone.

        Args:
            policy: The policy, which is not modified.
            copies: Those in the pool, the oldest first.
            seed: Seed of games and random draws.
        """
        learner = PolicyPlayer("policy", policy, self._kernels)
        newest = copies[-_COPIES:] if self._plays_pool else ()
        equal = math.ceil(self._games / max(1, len(self._levels) + len(newest)))
        shares = {f"{SCRIPT}{level}": equal for level in self._levels} | {copy.name: equal for copy in newest}
        if self._target is not None and self._target.opponent in shares:
            shares[self._target.opponent] = self._games
        elif self._target is not None and self._target.opponent == POOL:
            shares |= {copy.name: math.ceil(self._games / len(newest)) for copy in newest}
        players = chain(map(ScriptPlayer, self._levels), map(self._copy_player, newest))
        found = {player.name: play_pair(learner, player, self._world, shares[player.name], seed) for player in players}
        versus = {name: pairing.mean for name, pairing in found.items()}
        if means := [versus[copy.name] for copy in copies if copy.name in versus]:
            versus[POOL] = float(np.mean(means))
        return _summary(list(found.values()), versus)

    def _copy_player(self, copy: Copy) -> Player:
        """The player of a copy, valid until the next call."""
        if self._network is None:
            self._network = self._make_network()
        self._network.load_state_dict(copy.weights)
        return PolicyPlayer(copy.name, self._network, self._kernels)


def _summary(pairings: Sequence[Pairing], versus: dict[str, float]) -> Evaluation:
    """The mean over opponents, whatever the number of their games."""
    games = [pairing.points.mean(axis=1) for pairing in pairings if pairing.games]
    every = np.concatenate([pairing.points.ravel() for pairing in pairings]) if games else np.empty(0)
    error = math.sqrt(sum(float(each.var(ddof=1)) / each.size for each in games if each.size > 1))
    return Evaluation(
        episodes=int(every.size),
        score=float(np.mean([each.mean() for each in games])) if games else math.nan,
        score_std=float(every.std(ddof=1)) if every.size > 1 else math.nan,
        ci95=1.96 * error / len(games) if games else math.nan,
        score_min=float(every.min()) if games else math.nan,
        score_max=float(every.max()) if games else math.nan,
        episode_return=math.nan,
        episode_length=math.nan,
        metrics={},
        unfinished=sum(pairing.unfinished for pairing in pairings),
        steps=sum(pairing.steps for pairing in pairings),
        seconds=sum(pairing.seconds for pairing in pairings),
        versus=versus,
    )
