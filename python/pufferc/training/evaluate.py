"""Evaluation of a policy, separate from training, over the first k episodes of *each* row.

In many games bad episodes end early, so the first thousand finished episodes of a thousand rows underestimate a policy.
Means over a training window are biased in either direction. Here every row contributes its first ceil(episodes / rows)
episodes, however long they take.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pufferc import errors
from pufferc.envs.games import Game, agents_per_game, pool_limit
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


def choose_rows(game: Game, params: Mapping[str, Any], episodes: int) -> int:
    """Rows for an evaluation: up to 1000, no more than episodes, a multiple of the agents of one game.

    If the number of games per process is limited, it uses half of them, because the training pool is still open.
    """
    agents = agents_per_game(game, params)
    limit = pool_limit(game)
    max_rows = _MAX_ROWS if limit is None else min(_MAX_ROWS, limit * agents)
    return max(agents, min(episodes, max_rows) // agents * agents)


@torch.no_grad()
def evaluate(
    policy: Policy,
    kernels: Kernels,
    game: Game,
    params: Mapping[str, Any],
    *,
    episodes: int,
    seed: int,
    num_threads: int,
    data: str | None = None,
    greedy: bool = False,
    max_steps: int = 100_000,
) -> Evaluation:
    """Evaluates a policy in at least `episodes` episodes.

    Args:
        policy: The network; not modified.
        kernels: FUSED or TORCH of pufferc.kernels.backend.
        game: A name, a path, or an EnvInfo.
        params: Parameters of the game.
        episodes: At least this many are counted, the same number from every row.
        seed: Seed of games and sampling.
        num_threads: Threads that step games.
        data: Path of the game's data file, if it has one.
        greedy: Take the most probable action instead of sampling.
        max_steps: Step limit per row and episode; rows beyond it count as unfinished.
    """
    episodes = errors.integer("episodes", episodes, 1, _MAX_EPISODES)
    began = time.perf_counter()
    rows = choose_rows(game, params, episodes)
    quota = math.ceil(episodes / rows)
    env = VecEnv(game, rows, num_threads=min(num_threads, rows), seed=seed, data=data, params=params)
    try:
        tally = _play(policy, kernels, env, quota, seed, greedy, max_steps * quota)
    finally:
        env.close()
    return _summary(tally, time.perf_counter() - began)


class _Tally:
    """Episodes counted so far, at most `quota` of each row."""

    def __init__(self, rows: int, quota: int, names: list[str]) -> None:
        self.left = np.full(rows, quota)
        self.values: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
        self.steps = 0

    def count(self, ended: NDArray[np.bool_], episode: Mapping[str, NDArray[Any]]) -> bool:
        """Adds the episodes that ended in a step; True if a row reached its quota."""
        rows = np.flatnonzero(ended & (self.left > 0))
        for name, values in self.values.items():
            values.append(episode[name][rows].astype(np.float64))
        self.left[rows] -= 1
        return bool((self.left[rows] == 0).any())


class _FirstLegal:
    """Actions of rows that have reached their quota: the first legal choice in each dimension."""

    def __init__(self, env: VecEnv) -> None:
        self._env, self._counts = env, make_head(env.single_action_space).output_sizes
        words = 0 if env.action_mask is None else sum(self._counts)
        self._logits = np.zeros((env.num_envs, words), np.float32)  # equal: greedy takes the first legal choice

    def choose(self, actions: NDArray[Any]) -> None:
        """Writes the actions of every row."""
        mask, counts = self._env.action_mask, self._counts
        public.sample_actions(self._logits, counts, mask=mask, seed=0, step=0, greedy=True, actions=actions)


def _play(policy: Policy, kernels: Kernels, env: VecEnv, quota: int, seed: int, greedy: bool, limit: int) -> _Tally:
    head = policy.head or make_head(env.single_action_space)
    device = next(policy.parameters()).device
    observations, _ = env.reset(seed=seed)
    tally = _Tally(env.num_envs, quota, ["r", "l", *env.info.metrics])
    playing = np.arange(env.num_envs)  # rows below their quota; only these go through the network
    space = env.single_action_space
    actions = np.zeros((env.num_envs, *(space.shape or ())), np.int32 if head.dtype == torch.int32 else np.float32)
    state = policy.initial_state(env.num_envs, device)
    idle = _FirstLegal(env)
    while playing.size and tally.steps < limit:
        seen = observations if playing.size == env.num_envs else observations[playing]
        inputs = torch.from_numpy(seen).to(device, policy.input_dtype)
        outputs, state = policy.step(inputs, state)
        mask = None
        if env.action_mask is not None:
            mask = torch.from_numpy(env.action_mask[playing].view(np.int32)).to(device)
            if playing.size < env.num_envs:
                idle.choose(actions)
        step = _DRAW_STEP + tally.steps
        drawn = head.sample(kernels, outputs.contiguous(), mask=mask, seed=seed, step=step, greedy=greedy)
        actions[playing] = head.env_actions(drawn).cpu().numpy()
        over = ~env.alive
        observations, infos = env._advance(actions)
        tally.steps += 1
        if policy.recurrent:
            over |= env.terminated | env.truncated
            state = restart_rows(policy, state, torch.from_numpy(over[playing]).to(device))
        if infos:
            ended = env.terminated | env.truncated
            if tally.count(ended, infos["final_info"]["episode"]):
                needed = tally.left[playing] > 0
                # Each narrowing changes the network's batch size, so it happens rarely and in large steps.
                if needed.sum() <= 0.8 * playing.size:
                    keep = torch.from_numpy(np.flatnonzero(needed)).to(device)
                    playing, state = playing[needed], tuple(part[keep] for part in state)
    return tally


def _summary(tally: _Tally, seconds: float) -> Evaluation:
    values = {name: np.concatenate(parts) if parts else np.empty(0) for name, parts in tally.values.items()}
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
        unfinished=int((tally.left > 0).sum()),
        steps=tally.steps,
        seconds=seconds,
    )
