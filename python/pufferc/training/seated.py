"""Collecting rollouts in self-play: the learner, frozen copies of it, and scripts play in the same games.

Each policy makes one forward pass per step over its rows; selfplay/seats.py decides which these are. All other parts
of training see rows of others as dead: they are excluded from the loss, from advantages and from all statistics. A
row's state belongs to the policy that plays it, and is reset when its game ends.

Shapes: N rows.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pufferc.config import Config
from pufferc.envs.vector import VecEnv
from pufferc.kernels.backend import Kernels
from pufferc.policies import Policy, State, make_head, restart_rows
from pufferc.selfplay.opponents import Copy, Opponents
from pufferc.selfplay.seats import LEARNER, SeatPlan, points_of, script_id, script_level
from pufferc.selfplay.settings import Sides
from pufferc.training import ppo
from pufferc.training.distributed import Ranks
from pufferc.training.rollout import Rollout, mask_words

Array = NDArray[Any]
_NO_CHOICE = np.int32(2**30)  # in place of the policy id of rows that no policy computes
LOG_KEYS = ("opponents", "versus_games", "versus_points")


class Seats:
    """Who plays which rows, and what the learner achieves against whom. A run has one.

    Args:
        config: The run's configuration.
        sides: Who plays the other sides.
        env: The games, which have teams.
        networks: The learner, and with a pool max_policies networks like it for copies.
        numbers: The number in the run of each game; None = 0, 1, 2, ...
        ranks: The processes of the run.
    """

    def __init__(
        self,
        config: Config,
        sides: Sides,
        env: VecEnv,
        networks: Sequence[Policy],
        numbers: Sequence[int] | None,
        ranks: Ranks,
    ) -> None:
        assert env.teams is not None
        learner = networks[0]
        self.env, self.learner, self.ranks = env, learner, ranks
        forced = env.forced if config.selfplay.skip_forced else None
        self._forced = None if learner.recurrent else forced  # [N], the rows that no policy computes now
        self.alone = sides.mirror >= 1.0 and forced is None  # the learner has all seats, and learns from all rows
        self.opponents = Opponents(config.selfplay, sides, config.train.seed)
        games = np.arange(env.num_games) if numbers is None else np.array(numbers)
        self.plan = SeatPlan(env.teams, games.astype(np.uint64), config.train.seed)
        self.networks = dict(enumerate(networks))  # by policy id
        self._device = next(learner.parameters()).device
        self._others = sorted(map(script_id, sides.levels)) + list(range(1, len(networks)))  # all other policy ids
        self._results = np.zeros((len(self._others), 3), np.int64)  # of an update: won, drawn, lost
        self._sums = np.zeros(2 + len(env.info.metrics))
        self._episodes = 0
        self._whole = True  # the learner computes all rows
        self._groups: list[tuple[Policy, Tensor]] = []
        self._scripts: list[tuple[int, Array]] = []
        columns = sum((learner.head or make_head(env.single_action_space)).output_sizes) + 1
        self._outputs = torch.zeros(env.num_envs, columns, device=self._device)
        self.plan.choices = self.opponents.choices()

    # ---- in a rollout -------------------------------------------------------------------------------------

    @property
    def own(self) -> NDArray[np.bool_]:
        """Bool [N], the learner's rows."""
        return self.plan.own

    def start(self, rollout: Rollout) -> None:
        """Draws the plan of new games."""
        self.plan.start()
        self._seat(rollout)

    def _seat(self, rollout: Rollout) -> None:
        self._group_rows()
        rollout.alive[-1] &= torch.from_numpy(self.own).to(self._device)

    def _group_rows(self) -> None:
        """Lists the rows of each network and of each level of the script."""
        ids = self.plan.policy_id
        self._whole = self._forced is None and bool(self.own.all())
        if self._forced is not None:
            ids = np.where(self._forced, _NO_CHOICE, ids)
        rows = {number: np.flatnonzero(ids == number) for number in (LEARNER, *self._others)}
        self._groups = [
            (network, torch.from_numpy(rows[number]).to(self._device))
            for number, network in self.networks.items()
            if rows[number].size
        ]
        self._scripts = [(script_level(n), rows[n]) for n in self._others if n < LEARNER and rows[n].size]

    def forward(self, observations: Tensor, state: State) -> tuple[Tensor, State]:
        """`Policy.step` of the policy of each row. Outputs of scripts' rows are finite and have no meaning."""
        if self._forced is not None:
            self._group_rows()
        if self._whole:
            return self.learner.step(observations, state)
        after = tuple(part.clone() for part in state)
        for network, rows in self._groups:
            outputs, new = network.step(observations[rows], tuple(part[rows] for part in state))
            self._outputs.index_copy_(0, rows, outputs)
            for whole, part in zip(after, new, strict=True):
                whole.index_copy_(0, rows, part)
        return self._outputs, after

    def add_scripts(self, actions: Tensor, seed: int, step: int) -> None:
        """Writes the actions of the rows that scripts play, into actions of all rows for the games."""
        for level, rows in self._scripts:
            chosen = self.env.script(level, rows, seed=seed, step=step)
            actions[torch.from_numpy(rows)] = torch.from_numpy(chosen).view(rows.size, *actions.shape[1:])

    def restart(self, state: State, ended: Tensor) -> State:
        """The state with the rows in `ended` (bool [N]) reset to the initial state of their policies."""
        if not state:
            return state
        if self._whole:
            return restart_rows(self.learner, state, ended)
        after = tuple(part.clone() for part in state)
        for network, rows in self._groups:
            fresh = restart_rows(network, tuple(part[rows] for part in state), ended[rows])
            for whole, part in zip(after, fresh, strict=True):
                whole.index_copy_(0, rows, part)
        return after

    def take_results(self, episode: Mapping[str, Array]) -> None:
        """Counts what ended in a step, and draws the next episodes of games that ended.

        Args:
            episode: Statistics by row, [N] each, as in the infos of `VecEnv.step`.
        """
        flags = self.env.terminated | self.env.truncated
        rows = np.flatnonzero(flags & self.own)
        names = ("r", "l", *self.env.info.metrics)
        self._sums += [episode[name][rows].sum(dtype=np.float64) for name in names]
        self._episodes += rows.size
        games = self.plan.ended(flags)
        opponents = self.plan.opponents(games)
        met = np.flatnonzero(opponents)
        if met.size:
            self._count(games[met], opponents[met], episode[self.env.info.metrics[0]])
        if self.plan.advance(games):
            self._group_rows()

    def _count(self, games: Array, opponents: Array, scores: Array) -> None:
        """Counts the results of games against these opponents."""
        own = self.own.reshape(self.plan.games.shape)[games]
        found = 2.0 - 2.0 * points_of(scores.reshape(self.plan.games.shape)[games], own)
        np.add.at(self._results, (np.searchsorted(self._others, opponents), found.astype(np.intp)), 1)

    def pop_metrics(self) -> dict[str, float]:
        """`VecEnv.pop_metrics` over the learner's rows."""
        whole = self.env.pop_metrics()
        if self.alone:
            return whole
        count, sums = self._episodes, self._sums
        self._episodes, self._sums = 0, np.zeros_like(sums)
        means = sums / count if count else np.full_like(sums, np.nan)
        names = ("episode_return", "episode_length", *self.env.info.metrics)
        return {"episodes": count, **dict(zip(names, means.tolist(), strict=True))}

    def clear(self) -> None:
        """Forgets results that were not part of training."""
        self.pop_metrics()
        self._results[:] = 0

    # ---- between rollouts ---------------------------------------------------------------------------------

    def finish_update(self, update: int, steps: int) -> dict[str, Any]:
        """Takes the results of an update, lets the learner enter the pool when it is time, and changes the choices.

        Returns entries of the log line, see LOG_KEYS: results by opponent as [wins, draws, losses]; the number of games
        against others, and the learner's mean points in them.
        """
        opponents, line = self.opponents, self._take_counts()
        if opponents.enters(update):
            weights = {name: tensor.detach().cpu().clone() for name, tensor in self.learner.state_dict().items()}
            opponents.enter(Copy(update, steps, weights))
        if opponents.waiting:
            used = np.bincount(self.plan.games.max(1).clip(min=0), minlength=len(opponents.slots) + 1)
            self._load(opponents.fill_slots(self.ranks.sums(used[1:].tolist())))
        self.plan.choices = opponents.choices()
        return line

    def _take_counts(self) -> dict[str, Any]:
        counts = np.array(self.ranks.sums(self._results.ravel().tolist())).reshape(-1, 3).astype(int)
        self._results[:] = 0
        found = {}
        for number, row in zip(self._others, counts.tolist(), strict=True):
            if any(row):
                name = self.opponents.name_of(number)
                self.opponents.records[name].add(*row)
                found[name] = row
        games = int(counts.sum())
        points = (counts[:, 0].sum() + 0.5 * counts[:, 1].sum()) / games if games else np.nan
        return dict(zip(LOG_KEYS, (found, games, float(points)), strict=True))

    def _load(self, weights: Mapping[int, Mapping[str, Tensor]]) -> None:
        for slot, tensors in weights.items():
            self.networks[slot + 1].load_state_dict(tensors)

    # ---- checkpoints --------------------------------------------------------------------------------------

    def tensors(self) -> dict[str, Tensor]:
        """The state of this process's games."""
        return {
            "seats": torch.from_numpy(self.plan.policy_id.copy()),
            "episodes": torch.from_numpy(self.plan.episodes.copy()),
        }

    def restore_opponents(self, meta: Mapping[str, Any], run: Path) -> None:
        """Restores the opponents of a checkpoint of a run."""
        self._load(self.opponents.restore(meta["selfplay"], run))
        self.plan.choices = self.opponents.choices()

    def restore_games(self, tensors: Mapping[str, Tensor], rollout: Rollout) -> None:
        """Restores the plan from what `tensors` returned."""
        self.plan.restore(tensors["seats"].numpy(), tensors["episodes"].numpy())
        self._seat(rollout)


class SeatedCollector:
    """`ppo.collect` with a seat plan."""

    def __init__(self, env: VecEnv, rollout: Rollout, kernels: Kernels, seed: int, seats: Seats) -> None:
        self.env, self.rollout, self.kernels, self.seed, self.seats = env, rollout, kernels, seed, seats
        rollout.head.move(rollout.values.device)

    @torch.no_grad()
    def collect(self, first_step: int) -> dict[str, float]:
        """As `ppo.collect`."""
        env, rollout, seats, now = self.env, self.rollout, self.seats, time.perf_counter
        rollout.begin()
        state, seconds = rollout.state, dict.fromkeys(("policy", "env", "copy"), 0.0)
        for t, step in enumerate(rollout.steps):
            began = now()
            outputs, state = seats.forward(step.observations, state)
            if step.mask is not None:
                step.mask.copy_(mask_words(env))
            if rollout.forced is not None:
                rollout.forced[t].copy_(torch.from_numpy(env.forced))
            ppo.sample(self.kernels, outputs.contiguous(), rollout, step, (self.seed, first_step + t))
            actions = rollout.head.env_actions(step.actions).cpu()
            seats.add_scripts(actions, self.seed, first_step + t)
            sampled = now()
            target = step.next_observations if rollout.staging is None else rollout.staging
            dead = ~env.alive
            infos = env._advance(actions, target)[1]
            stepped = now()
            if rollout.staging is not None:
                step.next_observations.copy_(target)
            step.rewards.copy_(torch.from_numpy(env.rewards))
            step.terminated.copy_(torch.from_numpy(env.terminated))
            step.truncated.copy_(torch.from_numpy(env.truncated))
            if infos:
                ppo.bootstrap(env, seats.learner, rollout.final_values[t], state, seats.own)
                seats.take_results(infos["final_info"]["episode"])
            step.next_alive.copy_(torch.from_numpy(env.alive & seats.own))
            if state and (infos or dead.any()):
                over = torch.from_numpy(env.terminated | env.truncated | dead)
                state = seats.restart(state, over.to(step.rewards.device))
            copied = now()
            seconds["policy"] += sampled - began
            seconds["env"] += stepped - sampled
            seconds["copy"] += copied - stepped
        rollout.next_state = state
        if rollout.forced is not None:
            rollout.forced[-1].copy_(torch.from_numpy(env.forced))
        rollout.values[-1].copy_(seats.forward(rollout.observations[-1], state)[0][:, -1])
        return seconds
