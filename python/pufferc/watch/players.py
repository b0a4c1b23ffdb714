"""Players for watching, recording and interactive play: random actions, the policy of a checkpoint, or a player of a
match.

Shapes: N = num_envs rows of the pool, A action dimensions, W mask words per row.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pufferc import errors
from pufferc.envs.games import Game
from pufferc.envs.spaces import game_spaces, sample_legal
from pufferc.envs.vector import VecEnv

if TYPE_CHECKING:
    from pufferc.selfplay.players import Player

__all__ = ["Agent", "CheckpointAgent", "Choice", "PlayerAgent", "RandomAgent", "choose"]


class Choice(NamedTuple):
    """Actions [N] or [N, A] of one step, and value estimates float32 [N] if the agent has them."""

    actions: NDArray[Any]
    values: NDArray[np.float32] | None


class Agent(Protocol):
    """Chooses the actions of all rows."""

    def act(self, observations: NDArray[Any], action_mask: NDArray[np.uint32] | None = None) -> Choice:
        """The actions for observations [N, O...]; legal ones in a masked game with mask [N, W].

        Agents for games without masks may omit the second argument.
        """

    def restart(self, ended: NDArray[np.bool_]) -> None:
        """Forget the past of the rows [N] whose episode has ended, or that did not act."""


def choose(agent: Agent, envs: VecEnv, observations: NDArray[Any]) -> Choice:
    """An agent's choice for the current state of a pool."""
    if envs.action_mask is None:
        return agent.act(observations)
    return agent.act(observations, envs.action_mask)


class RandomAgent:
    """Uniformly random actions; legal ones in a masked game."""

    def __init__(self, envs: VecEnv, seed: int = 0) -> None:
        self._envs, self._space = envs, envs.action_space
        self._space.seed(errors.integer("seed", seed, 0, 2**63 - 1))
        self._generator = np.random.default_rng(seed)  # for legal actions

    def act(self, observations: NDArray[Any], action_mask: NDArray[np.uint32] | None = None) -> Choice:
        if action_mask is None:
            return Choice(np.asarray(self._space.sample()), None)
        masks = self._envs.action_masks()
        return Choice(sample_legal(self._envs.single_action_space, masks, self._generator), None)

    def restart(self, ended: NDArray[np.bool_]) -> None:
        pass


class PlayerAgent:
    """A player of a match, which moves all rows of a pool.

    Args:
        player: The player, see `pufferc.selfplay.players`.
        envs: The pool.
        seed: Seed of its random draws.
    """

    def __init__(self, player: Player, envs: VecEnv, seed: int = 0) -> None:
        self._envs, self._step = envs, 0
        self._seat = player.sit(envs, np.arange(envs.num_envs), seed=errors.seed("seed", seed), first_row=0)

    def act(self, observations: NDArray[Any], action_mask: NDArray[np.uint32] | None = None) -> Choice:
        actions = self._seat.act(self._envs, observations, self._step)
        self._step += 1
        return Choice(actions, None)

    def restart(self, ended: NDArray[np.bool_]) -> None:
        self._seat.restart(ended)


class CheckpointAgent:
    """The policy of a checkpoint, for any pool of its game. Needs pufferc[train].

    Args:
        path: The checkpoint's directory, as `pufferc.runs.checkpoint.find_checkpoint` finds it.
        greedy: Take the most probable action instead of sampling.
        seed: Seed of the sampling.
        game: The game; required if it was loaded from a shared object.
        params: Game parameters that override those of training.
        data: Path of a data file that overrides the one of training.

    Attributes:
        game, params, data: The game, its non-default parameters, and its data file, if any.
    """

    def __init__(
        self,
        path: Path,
        *,
        greedy: bool = False,
        seed: int = 0,
        game: Game | None = None,
        params: Mapping[str, Any] | None = None,
        data: str | os.PathLike[str] | None = None,
    ) -> None:
        from pufferc.policies import make_head, make_policy
        from pufferc.runs.checkpoint import load_game_checkpoint, load_run_checkpoint
        from pufferc.training.from_checkpoint import checkpoint_config, load_weights, without_opponents
        from pufferc.training.hardware import torch_settings

        checkpoint = load_run_checkpoint(path) if game is None else load_game_checkpoint(path, game)
        config = without_opponents(checkpoint_config(checkpoint, params=params, data=data))
        device, dtype, self._kernels = torch_settings(config)
        self.game: str = config.game
        self.params: dict[str, Any] = dict(config.env)
        self.data = config.vec.data
        spaces = game_spaces(config.game, config.env)
        self._policy = make_policy(config, spaces, dtype, device, seed=0)
        self._head = self._policy.head or make_head(spaces.action_space)
        load_weights(self._policy, checkpoint)
        self._device, self._greedy, self._seed, self._step = device, greedy, seed, 0
        self._state: Any = None

    def act(self, observations: NDArray[Any], action_mask: NDArray[np.uint32] | None = None) -> Choice:
        import torch

        rows = observations.shape[0]
        mask = None
        if action_mask is not None:
            mask = torch.from_numpy(np.ascontiguousarray(action_mask).view(np.int32)).to(self._device)
        with torch.no_grad():
            if self._state is None:
                self._state = self._policy.initial_state(rows, self._device)
            inputs = torch.from_numpy(observations).to(self._device, self._policy.input_dtype)
            outputs, self._state = self._policy.step(inputs, self._state)
            draw: dict[str, Any] = {"seed": self._seed, "step": self._step, "greedy": self._greedy}
            drawn = self._head.sample(self._kernels, outputs.contiguous(), mask=mask, **draw)
            actions = self._head.env_actions(drawn)
            values = outputs[:, -1].float().cpu().numpy().copy()
        self._step += 1
        return Choice(actions.cpu().numpy(), values)

    def restart(self, ended: NDArray[np.bool_]) -> None:
        import torch

        from pufferc.policies import restart_rows

        if not self._state or not ended.any():
            return
        self._state = restart_rows(self._policy, self._state, torch.from_numpy(ended).to(self._device))
