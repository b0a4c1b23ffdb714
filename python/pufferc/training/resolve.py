"""Resolves auto sizes, rejects impossible ones, and warns of unsuitable ones.

batch = vec.num_envs x train.horizon steps; a run is total_steps // batch updates; an update is epochs x (batch //
minibatch_size) gradients. A minibatch of a recurrent policy consists of whole rows of horizon steps.
"""

from __future__ import annotations

import dataclasses
import math

from pufferc import _core
from pufferc.config import Config, ConfigError, PolicyConfig, suggest
from pufferc.envs.games import agents_per_game, env_info, pool_limit
from pufferc.envs.vector import available_cores
from pufferc.selfplay.settings import check_selfplay
from pufferc.training.schedules import with_last_values

_AUTO_ROWS = 1024  # enough for matrix products to run at speed, few enough for many updates
_AUTO_MINIBATCH = 8192
_FEW_UPDATES = 20


def resolve(config: Config, *, processes: int = 1, local_processes: int = 1) -> tuple[Config, list[str]]:
    """`config` with every "auto" size replaced by a number, and a list of warnings.

    Raises ConfigError for impossible sizes or values. `device`, `kernels` and `precision` are not changed: the trainer
    resolves them, because that needs torch. `processes` share the run, and `local_processes` of them share this
    machine's cores; thread counts are per process.
    """
    config = with_last_values(config)
    vec, train = config.vec, config.train
    agents = agents_per_game(config.game, config.env)
    limit = pool_limit(config.game)
    limit = None if limit is None else limit * processes
    games = max(1, math.ceil(_AUTO_ROWS / agents / processes)) * processes
    rows = vec.num_envs if vec.num_envs != "auto" else agents * (games if limit is None else min(games, limit))
    _check_inputs(config)
    _check_network(config.policy)
    if limit is not None and rows > limit * agents:
        raise ConfigError(
            f"vec.num_envs must be at most {limit * agents} for {config.game}, got {rows}: this build can have "
            f"{env_info(config.game).max_games} games of it in a process, and half of them are for evaluations"
        )
    if rows % agents:
        lower = rows - rows % agents
        near = f"{lower} or {lower + agents}" if lower else f"{agents}"
        raise ConfigError(
            f"vec.num_envs must be a multiple of the {agents} agents of one game of {config.game}, got {rows}; "
            f"{near} would fit"
        )
    check_selfplay(config, rows)
    batch = rows * train.horizon
    # A minibatch is a number of units: single steps, or whole rows for a recurrent policy.
    unit = train.horizon if is_recurrent(config.policy) else 1
    part = unit * processes
    cap = max(1, _AUTO_MINIBATCH // part)
    minibatch = train.minibatch_size if train.minibatch_size != "auto" else part * _largest_divisor(batch // part, cap)
    if minibatch > batch:
        # Valid but surely a mistake: one gradient cannot use more than the whole batch.
        over, minibatch = minibatch, batch
    else:
        over = 0
    if batch % minibatch or minibatch % unit:
        below = unit * _largest_divisor(batch // unit, max(1, minibatch // unit))
        above = unit * _smallest_divisor(batch // unit, minibatch // unit + 1)
        name = config.policy.class_ or config.policy.kind
        whole = f", in whole rows of {unit} steps since {name} has memory" if unit > 1 else ""
        raise ConfigError(
            f"train.minibatch_size must divide the batch of {batch} steps (vec.num_envs {rows} x train.horizon "
            f"{train.horizon}){whole}, got {minibatch}; {' or '.join(map(str, sorted({below, above})))} would fit"
        )
    if train.total_steps < batch:
        raise ConfigError(
            f"train.total_steps must be at least one batch of {batch} steps (vec.num_envs {rows} x train.horizon "
            f"{train.horizon}), got {train.total_steps}"
        )
    cores = max(1, available_cores() // local_processes)
    threads = min(cores, max(1, rows // agents // processes)) if vec.num_threads == "auto" else vec.num_threads
    resolved = dataclasses.replace(
        config,
        vec=dataclasses.replace(vec, num_envs=rows, num_threads=threads),
        train=dataclasses.replace(
            train, minibatch_size=minibatch, threads=cores if train.threads == "auto" else train.threads
        ),
    )
    found = _warnings(resolved, batch, minibatch, over)
    largest = max(int(resolved.train.threads), int(resolved.vec.num_threads))
    if local_processes > 1 and local_processes * largest > available_cores():
        found.append(
            f"{local_processes} processes with up to {largest} threads each share {available_cores()} cores and will "
            "wait for one another; fewer processes, or --train.threads 1 --vec.num-threads 1"
        )
    return resolved, found


def fit_minibatch(config: Config) -> Config:
    """`config` with the valid minibatch size that is closest, by ratio, to the given one.

    Raises ConfigError if another setting is invalid.
    """
    wanted = config.train.minibatch_size
    if wanted == "auto":
        return config
    sized, _ = resolve(dataclasses.replace(config, train=dataclasses.replace(config.train, minibatch_size="auto")))
    unit = config.train.horizon if is_recurrent(config.policy) else 1
    fitting = [unit * d for d in _divisors(int(sized.vec.num_envs) * config.train.horizon // unit)]
    nearest = min(fitting, key=lambda size: abs(math.log(size / wanted)))
    return dataclasses.replace(config, train=dataclasses.replace(config.train, minibatch_size=nearest))


def is_recurrent(policy: PolicyConfig) -> bool:
    """Whether the network is recurrent, so that minibatches need whole rows of a rollout."""
    if policy.class_ is not None:
        from pufferc.policies.user import load_class

        return bool(getattr(load_class(policy.class_), "recurrent", False))
    return policy.kind != "mlp"


def _check_network(policy: PolicyConfig) -> None:
    """ConfigError if a network, its gradients and its optimizer state need more memory than is free."""
    needed = 0 if policy.class_ else 16 * policy.num_layers * policy.hidden_size**2
    if needed > _core.memory_left():
        raise ConfigError(
            f"policy.hidden_size, policy.num_layers: a network of {policy.num_layers} layers of {policy.hidden_size} "
            f"takes {needed / 1e9:.0f} GB, but this machine has {_core.memory_left() / 1e9:.0f} GB free"
        )


def _check_inputs(config: Config) -> None:
    known = [row.name for row in env_info(config.game).observation]
    for name in config.policy.scaled_inputs:
        if name not in known:
            raise ConfigError(f"policy.scaled_inputs: {config.game} has no observation {name}{suggest(name, known)}")


def _warnings(config: Config, batch: int, minibatch: int, over: int) -> list[str]:
    train, found = config.train, []
    updates = train.total_steps // batch
    if over:
        found.append(
            f"train.minibatch_size {over} is larger than the batch of {batch} steps; each epoch is one gradient"
        )
    if updates < _FEW_UPDATES:
        found.append(
            f"the whole run is {updates} updates of {batch} steps: too few to learn much; raise train.total_steps or "
            "lower vec.num_envs or train.horizon"
        )
    elif updates * train.epochs * (batch // minibatch) < 10 * _FEW_UPDATES:
        found.append(
            f"the whole run takes {updates * train.epochs * (batch // minibatch)} gradients; a smaller "
            "train.minibatch_size takes more"
        )
    if minibatch < 64:
        found.append(f"train.minibatch_size {minibatch} is small: gradients are noisy and most time goes into overhead")
    if train.optimizer == "adam" and train.learning_rate > 0.02:
        found.append(f"train.learning_rate {train.learning_rate} is high for adam; around 0.002 is usual")
    if train.optimizer == "muon" and train.learning_rate < 0.001:
        found.append(f"train.learning_rate {train.learning_rate} is low for muon; around 0.05 is usual")
    return found


def _divisors(number: int) -> list[int]:
    small = [d for d in range(1, math.isqrt(number) + 1) if number % d == 0]
    return sorted({*small, *(number // d for d in small)})


def _largest_divisor(number: int, limit: int) -> int:
    return max(d for d in _divisors(number) if d <= limit)


def _smallest_divisor(number: int, at_least: int) -> int:
    return min(d for d in _divisors(number) if d >= at_least)
