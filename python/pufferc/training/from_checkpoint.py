"""Loads policies from checkpoints and evaluates them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

import torch

from pufferc.config import Config, ConfigError, SelfplayConfig, merge
from pufferc.envs.games import action_text, agents_per_game
from pufferc.envs.spaces import GameSpaces, game_spaces
from pufferc.policies import Policy, make_policy
from pufferc.runs.checkpoint import Checkpoint, CheckpointError, game_of
from pufferc.training.evaluate import Evaluation, EvaluationSettings, Side, World, evaluate, evaluate_versus
from pufferc.training.hardware import torch_settings
from pufferc.training.resolve import resolve


def checkpoint_config(
    checkpoint: Checkpoint,
    device: str | None = None,
    *,
    params: Mapping[str, Any] | None = None,
    data: str | os.PathLike[str] | None = None,
) -> Config:
    """The configuration of a checkpoint, with this machine's device.

    Game parameters `params` and the data file `data` override those of training.
    """
    config = merge(Config(game_of(checkpoint)), checkpoint.meta["config"], str(checkpoint.path))
    config = _with_params(config, params) if params else config
    train, vec = config.train, config.vec
    if data is not None:
        vec = dataclasses.replace(vec, data=os.path.abspath(os.path.expanduser(data)))
    precision = checkpoint.meta["precision"]
    return dataclasses.replace(
        config, vec=vec, train=dataclasses.replace(train, precision=precision, device=device or train.device)
    )


def _with_params(config: Config, params: Mapping[str, Any]) -> Config:
    """`config` with other game parameters. ConfigError if they change what the policy must produce."""
    changed = merge(config, {"env": dict(params)}, "params")
    before, after = (action_text(config.game, env) for env in (config.env, changed.env))
    if before != after:
        raise ConfigError(
            f"params: the policy's actions are {before}, but with these parameters the game takes {after}"
        )
    rows, agents = int(config.vec.num_envs), agents_per_game(config.game, changed.env)
    if rows % agents == 0:
        return changed
    rows = max(agents, rows - rows % agents)
    steps = max(config.train.total_steps, rows * config.train.horizon)
    return dataclasses.replace(
        changed,
        vec=dataclasses.replace(config.vec, num_envs=rows),
        train=dataclasses.replace(config.train, minibatch_size="auto", total_steps=steps),
    )


def load_weights(policy: Policy, checkpoint: Checkpoint) -> None:
    """Loads a checkpoint's weights into `policy`. CheckpointError if they belong to a different network."""
    own, found = policy.state_dict(), checkpoint.policy
    differences = [f"it has no {name}" for name in own if name not in found]
    differences += [f"it also has {name}" for name in found if name not in own]
    differences += [
        f"its {name} has shape {tuple(found[name].shape)}, not {tuple(own[name].shape)}"
        for name in own
        if name in found and own[name].shape != found[name].shape
    ]
    if differences:
        more = f" and {len(differences) - 3} more" if len(differences) > 3 else ""
        raise CheckpointError(
            f"checkpoint: {checkpoint.path} has a different network than this {type(policy).__name__}: "
            f"{'; '.join(differences[:3])}{more}"
        )
    policy.load_state_dict(found)


def load_policy(checkpoint: Checkpoint) -> tuple[Policy, GameSpaces, dict[str, float]]:
    """A checkpoint's network in float32 on the CPU, its game's spaces, and its non-default game parameters."""
    config = checkpoint_config(checkpoint, "cpu")
    params = {name: float(value) for name, value in config.env.items()}
    spaces = game_spaces(config.game, config.env)
    policy = make_policy(config, spaces, torch.float32, torch.device("cpu"), seed=0)
    load_weights(policy, checkpoint)
    return policy, spaces, params


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
    config = _resolved(checkpoint_config(checkpoint, device, params=params, data=data))
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
    config = _resolved(checkpoint_config(first, device, params=params, data=data))
    sides = (_side(first, config), _side(second, _in_world_of(config, second)))
    agents = agents_per_game(config.game, config.env)
    split = agents // 2 if split is None else split
    found = evaluate_versus(sides, split, _world(config), settings)
    return VersusResult(range(split), found[0]), VersusResult(range(split, agents), found[1])


def _resolved(config: Config) -> Config:
    """A resolved configuration without opponents, which belong to training. With other parameters there may be none."""
    return resolve(dataclasses.replace(config, selfplay=SelfplayConfig()))[0]


def _side(checkpoint: Checkpoint, config: Config) -> Side:
    """A checkpoint's policy for the spaces of a resolved configuration."""
    device, dtype, kernels = torch_settings(config)
    spaces = game_spaces(config.game, config.env)
    policy = make_policy(config, spaces, dtype, device, seed=0, fused=kernels.fused)
    load_weights(policy, checkpoint)
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
