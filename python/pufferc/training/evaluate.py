"""Evaluation of a policy, or of two in one world, separate from training, over the first k episodes of *each* row.

In many games bad episodes end early, so the first thousand finished episodes of a thousand rows underestimate a policy.
Means over a training window are biased in either direction. Here every row contributes its first ceil(episodes / rows)
episodes, however long they take. The agents of a game play until each of them has finished its episodes, so that none
of them meets agents that no policy moves.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import gymnasium.spaces as gs
import numpy as np
import torch
from numpy.typing import NDArray

from pufferc import errors
from pufferc.envs.games import Game, agents_per_game, env_info, pool_limit
from pufferc.envs.vector import VecEnv
from pufferc.kernels import public
from pufferc.kernels.backend import Kernels
from pufferc.policies import Policy, make_head, restart_rows

_MAX_ROWS = 1000
_MAX_EPISODES = 10**8  # results are kept in memory
_DRAW_STEP = 2**62  # first step number of evaluation draws, beyond all training steps


@dataclass(frozen=True)
class Evaluation:
    """Result over all counted episodes. `ci95` is the half width of the 95 % interval of the mean score.

    `unfinished` counts rows that did not finish their episodes within the step limit; the means exclude them.
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

    def as_dict(self) -> dict[str, Any]:
        """JSON values for --json; NaN (no episode finished) becomes None."""
        values = asdict(self)
        return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in values.items()}


@dataclass(frozen=True)
class World:
    """The games of an evaluation.

    Attributes:
        game: A name, a path, or an EnvInfo.
        params: Parameters of the game.
        num_threads: Threads that step games.
        data: Path of the game's data file, if it has one.
    """

    game: Game
    params: Mapping[str, Any]
    num_threads: int
    data: str | None = None


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
    max_steps: int = 100_000


@dataclass(frozen=True)
class Side:
    """A policy, which is not modified, and FUSED or TORCH of pufferc.kernels.backend for its draws."""

    policy: Policy
    kernels: Kernels


def choose_rows(game: Game, params: Mapping[str, Any], episodes: int) -> int:
    """Rows for an evaluation: up to 1000, no more than episodes, a multiple of the agents of one game.

    If the number of games per process is limited, it uses half of them, because the training pool is still open.
    """
    agents = agents_per_game(game, params)
    limit = pool_limit(game)
    max_rows = _MAX_ROWS if limit is None else min(_MAX_ROWS, limit * agents)
    return max(agents, min(episodes, max_rows) // agents * agents)


def evaluate(policy: Policy, kernels: Kernels, world: World, settings: EvaluationSettings) -> Evaluation:
    """Evaluates a policy that moves all agents of a world."""
    agents = agents_per_game(world.game, world.params)
    return _evaluate([Side(policy, kernels)], [agents], world, settings)[0]


def evaluate_versus(
    sides: tuple[Side, Side], split: int, world: World, settings: EvaluationSettings
) -> tuple[Evaluation, Evaluation]:
    """Evaluates two policies in one world.

    The first moves the first `split` agents of each game, the second the others. ValueError unless each policy has an
    agent.
    """
    agents = agents_per_game(world.game, world.params)
    if agents < 2:
        name = env_info(world.game).name
        raise ValueError(f"two policies need a game with at least two agents, {name} has one with these parameters")
    split = errors.integer("split", split, 1, agents - 1)
    first, second = _evaluate(sides, [split, agents - split], world, settings)
    return first, second


@torch.no_grad()
def _evaluate(
    sides: Sequence[Side], agents: Sequence[int], world: World, settings: EvaluationSettings
) -> list[Evaluation]:
    """One result for each side, which has this number of neighbouring agents in each game."""
    episodes = errors.integer("episodes", settings.episodes, 1, _MAX_EPISODES)
    began, total = time.perf_counter(), sum(agents)
    rows = choose_rows(world.game, world.params, math.ceil(episodes * total / min(agents)))
    games = rows // total
    quota = math.ceil(episodes / (games * min(agents)))
    threads = min(world.num_threads, rows)
    env = VecEnv(world.game, rows, num_threads=threads, seed=settings.seed, data=world.data, params=world.params)
    owners = np.tile(np.repeat(np.arange(len(sides)), agents), games)
    try:
        tally = _play([_Player(side, owners == i, i * rows) for i, side in enumerate(sides)], env, quota, settings)
    finally:
        env.close()
    seconds = time.perf_counter() - began
    return [_summary(tally, owners == i, seconds) for i in range(len(sides))]


class _Tally:
    """Episodes counted so far, at most `quota` of each row."""

    def __init__(self, rows: int, quota: int, names: list[str]) -> None:
        self.left = np.full(rows, quota)
        self.rows: list[NDArray[Any]] = []
        self.values: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
        self.steps = 0

    def count(self, ended: NDArray[np.bool_], episode: Mapping[str, NDArray[Any]]) -> bool:
        """Adds the episodes that ended in a step; True if a row reached its quota."""
        rows = np.flatnonzero(ended & (self.left > 0))
        self.rows.append(rows)
        for name, values in self.values.items():
            values.append(episode[name][rows].astype(np.float64))
        self.left[rows] -= 1
        return bool((self.left[rows] == 0).any())

    def unfinished(self, agents: int) -> NDArray[np.bool_]:
        """The rows [N] of games in which some agent has episodes left."""
        return np.repeat((self.left.reshape(-1, agents) > 0).any(1), agents)


class _FirstLegal:
    """Actions in games that are finished: the first legal choice in each dimension."""

    def __init__(self, env: VecEnv) -> None:
        self._env, self._counts = env, make_head(env.single_action_space).output_sizes
        words = 0 if env.action_mask is None else sum(self._counts)
        self._logits = np.zeros((env.num_envs, words), np.float32)  # equal: greedy takes the first legal choice

    def choose(self, actions: NDArray[Any]) -> None:
        """Writes the actions of every row."""
        mask, counts = self._env.action_mask, self._counts
        public.sample_actions(self._logits, counts, mask=mask, seed=0, step=0, greedy=True, actions=actions)


class _Player:
    """A side's rows that still play, and the state of its policy for them.

    `mask` [N]: the side's rows at the start. `first_row`: where its draws start, so that no two sides share them.
    """

    def __init__(self, side: Side, mask: NDArray[np.bool_], first_row: int) -> None:
        self.policy, self._kernels, self._first_row = side.policy, side.kernels, first_row
        self.rows = np.flatnonzero(mask)
        self._device = next(self.policy.parameters()).device
        self._state = self.policy.initial_state(self.rows.size, self._device)

    def act(self, env: VecEnv, observations: NDArray[Any], step: int, settings: EvaluationSettings) -> NDArray[Any]:
        """The actions of the rows."""
        head = self.policy.head or make_head(env.single_action_space)
        seen = observations if self.rows.size == env.num_envs else observations[self.rows]
        inputs = torch.from_numpy(seen).to(self._device, self.policy.input_dtype)
        outputs, self._state = self.policy.step(inputs, self._state)
        mask = None
        if env.action_mask is not None:
            mask = torch.from_numpy(env.action_mask[self.rows].view(np.int32)).to(self._device)
        options: dict[str, Any] = {"seed": settings.seed, "greedy": settings.greedy, "first_row": self._first_row}
        drawn = head.sample(self._kernels, outputs.contiguous(), mask=mask, step=_DRAW_STEP + step, **options)
        return head.env_actions(drawn).cpu().numpy()

    def restart(self, over: NDArray[np.bool_]) -> None:
        """Resets the state of the rows among `over` [N]."""
        if self.policy.recurrent and self.rows.size:
            self._state = restart_rows(self.policy, self._state, torch.from_numpy(over[self.rows]).to(self._device))

    def keep(self, needed: NDArray[np.bool_]) -> None:
        """Leaves out the rows that are not among `needed` [N]."""
        kept = needed[self.rows]
        # Each narrowing changes the network's batch size, so it happens rarely and in large steps.
        if kept.sum() <= 0.8 * self.rows.size:
            at = torch.from_numpy(np.flatnonzero(kept)).to(self._device)
            self.rows, self._state = self.rows[kept], tuple(part[at] for part in self._state)


def _play(players: Sequence[_Player], env: VecEnv, quota: int, settings: EvaluationSettings) -> _Tally:
    observations, _ = env.reset(seed=settings.seed)
    tally = _Tally(env.num_envs, quota, ["r", "l", *env.info.metrics])
    space, idle = env.single_action_space, _FirstLegal(env)
    actions = np.zeros((env.num_envs, *(space.shape or ())), np.float32 if isinstance(space, gs.Box) else np.int32)
    while any(player.rows.size for player in players) and tally.steps < settings.max_steps * quota:
        if env.action_mask is not None and sum(player.rows.size for player in players) < env.num_envs:
            idle.choose(actions)
        for player in players:
            if player.rows.size:
                actions[player.rows] = player.act(env, observations, tally.steps, settings)
        over = ~env.alive
        observations, infos = env._advance(actions)
        tally.steps += 1
        for player in players:
            player.restart(over | env.terminated | env.truncated)
        if infos and tally.count(env.terminated | env.truncated, infos["final_info"]["episode"]):
            needed = tally.unfinished(env.agents)
            for player in players:
                player.keep(needed)
    return tally


def _summary(tally: _Tally, side: NDArray[np.bool_], seconds: float) -> Evaluation:
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
