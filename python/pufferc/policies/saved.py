"""The policies of checkpoints."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Mapping
from typing import Any

import torch

from pufferc.config import Config, ConfigError, merge
from pufferc.envs.games import action_text, agents_per_game
from pufferc.envs.spaces import GameSpaces, game_spaces
from pufferc.policies.base import Policy
from pufferc.policies.make import make_policy
from pufferc.policies.user import load_class
from pufferc.runs.checkpoint import Checkpoint, CheckpointError, game_of


def checkpoint_config(
    checkpoint: Checkpoint,
    device: str | None = None,
    *,
    params: Mapping[str, Any] | None = None,
    data: str | os.PathLike[str] | None = None,
) -> Config:
    """The configuration of a checkpoint, with this machine's device.

    Game parameters `params` and the data file `data` override those of training. CheckpointError if the policy would
    import a module that the user has not asked for, see `import_class`.
    """
    config = merge(Config(game_of(checkpoint)), checkpoint.meta["config"], str(checkpoint.path))
    _expect_known(config.policy.class_, checkpoint)
    config = _with_params(config, params) if params else config
    train, vec = config.train, config.vec
    if data is not None:
        vec = dataclasses.replace(vec, data=os.path.abspath(os.path.expanduser(data)))
    precision = checkpoint.meta["precision"]
    return dataclasses.replace(
        config, vec=vec, train=dataclasses.replace(train, precision=precision, device=device or train.device)
    )


def _expect_known(name: str | None, checkpoint: Checkpoint) -> None:
    """CheckpointError if the network "module:Class" is in a module that was not imported yet.

    A checkpoint is data that may come from anybody; importing a module runs its code.
    """
    module = "pufferc" if name is None else name.partition(":")[0]
    if module.partition(".")[0] == "pufferc" or module in sys.modules:
        return
    raise CheckpointError(
        f"checkpoint: {checkpoint.path} names the custom network {name}; using it runs the code of {module}. "
        f"If you trust it: --trust or --policy.class {name}; in Python trust=True, or import {module} first"
    )


def import_class(checkpoint: Checkpoint) -> None:
    """Imports the custom network that a checkpoint names, if any, which runs the code of its module.

    ConfigError if it cannot be imported.
    """
    name = checkpoint.meta["config"].get("policy", {}).get("class")
    if name is not None:
        load_class(str(name))


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


def load_policy(checkpoint: Checkpoint, *, fused: bool = False) -> tuple[Policy, GameSpaces, dict[str, float]]:
    """A checkpoint's network in float32 on the CPU, its game's spaces, and its non-default game parameters.

    `fused` as for `make_policy`.
    """
    config = checkpoint_config(checkpoint, "cpu")
    params = {name: float(value) for name, value in config.env.items()}
    spaces = game_spaces(config.game, config.env)
    policy = make_policy(config, spaces, torch.float32, torch.device("cpu"), seed=0, fused=fused)
    load_weights(policy, checkpoint)
    return policy, spaces, params
