"""Evaluates policies of checkpoints."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

from pufferc.config import Config, ConfigError, SelfplayConfig
from pufferc.envs.games import agents_per_game
from pufferc.envs.spaces import game_spaces
from pufferc.policies import make_policy
from pufferc.policies.base import set_torch_threads
from pufferc.policies.saved import checkpoint_config as checkpoint_config
from pufferc.policies.saved import load_policy as load_policy
from pufferc.policies.saved import load_weights as load_weights
from pufferc.runs.checkpoint import Checkpoint
from pufferc.training.evaluate import Evaluation, EvaluationSettings, Side, World, evaluate, evaluate_versus
from pufferc.training.hardware import torch_settings
from pufferc.training.resolve import resolve


def play_checkpoint(
    checkpoint: Checkpoint,
    settings: EvaluationSettings,
    *,
    device: str | None = None,
    params: Mapping[str, Any] | None = None,
    data: str | os.PathLike[str] | None = None,
) -> Evaluation:
    """Evaluates a checkpoint's policy on its game, with the parameters and data file of training.

    `params` and `data` override them.
    """
    config = without_opponents(checkpoint_config(checkpoint, device, params=params, data=data))
    side = _side(checkpoint, config)
    return evaluate(side.policy, side.kernels, _world(config), settings)


@dataclasses.dataclass(frozen=True)
class VersusResult:
    """The agents of each game that one of two policies moved, and the evaluation over them."""

    agents: range
    evaluation: Evaluation


def play_versus(
    checkpoints: tuple[Checkpoint, Checkpoint],
    settings: EvaluationSettings,
    *,
    split: int | None = None,
    device: str | None = None,
    params: Mapping[str, Any] | None = None,
    data: str | os.PathLike[str] | None = None,
) -> tuple[VersusResult, VersusResult]:
    """Evaluates the policies of two checkpoints in one world.

    The first policy moves the first `split` agents of each game (None = half of them), the second one the others. The
    world has the parameters and the data file of the first one's training; `params` and `data` override them.
    ConfigError if the second one needs another world.
    """
    first, second = checkpoints
    config = without_opponents(checkpoint_config(first, device, params=params, data=data))
    sides = (_side(first, config), _side(second, _in_world_of(config, second)))
    agents = agents_per_game(config.game, config.env)
    split = agents // 2 if split is None else split
    found = evaluate_versus(sides, split, _world(config), settings)
    return VersusResult(range(split), found[0]), VersusResult(range(split, agents), found[1])


def without_opponents(config: Config) -> Config:
    """A resolved configuration without opponents, which belong to training. Other parameters may leave no sides."""
    train = dataclasses.replace(config.train, target_score=None)
    return resolve(dataclasses.replace(config, selfplay=SelfplayConfig(), train=train))[0]


def _side(checkpoint: Checkpoint, config: Config) -> Side:
    """A checkpoint's policy for the spaces of a resolved configuration."""
    device, dtype, kernels = torch_settings(config)
    spaces = game_spaces(config.game, config.env)
    policy = make_policy(config, spaces, dtype, device, seed=0, fused=kernels.fused)
    load_weights(policy, checkpoint)
    set_torch_threads(policy, int(config.train.threads))
    return Side(policy, kernels)


def _world(config: Config) -> World:
    return World(config.game, config.env, int(config.train.threads), config.vec.data)


def _in_world_of(config: Config, checkpoint: Checkpoint) -> Config:
    """`config` with a checkpoint's network. ConfigError if that network was trained on other spaces."""
    own = checkpoint_config(checkpoint)
    trained, found = (game_spaces(each.game, each.env) for each in (own, config))
    for what in ("observation_space", "action_space"):
        expected, got = getattr(trained, what), getattr(found, what)
        if expected != got:
            raise ConfigError(
                f"versus: {checkpoint.path} was trained with the {what.replace('_', ' ')} {expected}, that of the "
                f"first policy's world is {got}; give the parameters of a world for both"
            )
    train = dataclasses.replace(config.train, precision=own.train.precision)
    return dataclasses.replace(config, policy=own.policy, train=train)
