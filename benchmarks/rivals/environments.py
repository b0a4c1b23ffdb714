"""Steps per second of environments from Python: takes prepared random actions, returns observations, rewards and ends.

CartPole: the rules of Gymnasium's CartPole-v1, 4096 games. Breakout: bricks, paddle and ball in C, 4 frames per step,
observations of 118 numbers; ours and PufferLib's have the same rules except for corner cases.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from race import Contender, Step

ROWS = 4096
SCAN = 64  # steps in one call of gymnax
PUFFERLIB = "pip install pufferlib"


def actions(choices: int, dtype: type) -> itertools.cycle:
    """Batches of actions [ROWS], cycled."""
    rng = np.random.default_rng(1)
    return itertools.cycle([rng.integers(0, choices, ROWS).astype(dtype) for _ in range(16)])


def _stepping(envs: Any, choices: int) -> Step:
    """A function that steps an environment of ROWS rows with int32 actions."""
    envs.reset(seed=1)
    batches = actions(choices, np.int32)

    def step() -> int:
        envs.step(next(batches))
        return ROWS

    return step


def _pufferc(game: str, choices: int, threads: int) -> Step:
    import pufferc

    envs = pufferc.make(game, num_envs=ROWS, num_threads=threads, seed=1)
    return _stepping(envs, choices)


def pufferc_cartpole(threads: int) -> Step:
    return _pufferc("cartpole", 2, threads)


def pufferc_breakout(threads: int) -> Step:
    return _pufferc("breakout", 3, threads)


def gymnasium_cartpole(threads: int) -> Step:
    import gymnasium

    envs = gymnasium.make_vec("CartPole-v1", num_envs=ROWS, vectorization_mode="vector_entry_point")
    envs.reset(seed=1)
    batches = actions(2, np.int64)

    def step() -> int:
        envs.step(next(batches))
        return ROWS

    return step


def envpool_cartpole(threads: int) -> Step:
    import envpool

    pool = envpool.make_gymnasium("CartPole-v1", num_envs=ROWS, num_threads=threads, seed=1)
    pool.reset()
    batches = actions(2, np.int32)

    def step() -> int:
        pool.step(next(batches))
        return ROWS

    return step


def gymnax_cartpole(threads: int) -> Step:
    """gymnax as intended: a compiled scan over time without Python between steps; keeps all observations."""
    import gymnax
    import jax

    env, params = gymnax.make("CartPole-v1")
    key = jax.random.key(1)
    _, state = jax.vmap(env.reset, in_axes=(0, None))(jax.random.split(key, ROWS), params)
    rows = jax.random.randint(key, (SCAN, ROWS), 0, 2)

    def advance(carry, action):
        key, state = carry
        key, use = jax.random.split(key)
        found = jax.vmap(env.step, in_axes=(0, 0, 0, None))(jax.random.split(use, ROWS), state, action, params)
        return (key, found[1]), (found[0], *found[2:5])

    scan = jax.jit(lambda carry, rows: jax.lax.scan(advance, carry, rows))
    carry = (key, state)

    def step() -> int:
        nonlocal carry
        carry, rollout = scan(carry, rows)
        jax.block_until_ready(rollout)
        return SCAN * ROWS

    return step


def _puffer(creator: type, choices: int, processes: int) -> Step:
    """PufferLib's own vectorisation in `processes` processes; 0 = in this one."""
    import pufferlib.vector as vector

    if processes:
        shares = {"num_envs": processes, "num_workers": processes, "env_kwargs": {"num_envs": ROWS // processes}}
        envs = vector.make(creator, backend=vector.Multiprocessing, **shares)
    else:
        envs = vector.make(creator, backend=vector.Serial, num_envs=1, env_kwargs={"num_envs": ROWS})
    return _stepping(envs, choices)


def puffer_cartpole(threads: int) -> Step:
    from pufferlib.ocean.cartpole.cartpole import Cartpole

    return _puffer(Cartpole, 2, 0)


def puffer_cartpole_processes(threads: int) -> Step:
    from pufferlib.ocean.cartpole.cartpole import Cartpole

    return _puffer(Cartpole, 2, threads)


def puffer_breakout(threads: int) -> Step:
    from pufferlib.ocean.breakout.breakout import Breakout

    return _puffer(Breakout, 3, 0)


def puffer_breakout_processes(threads: int) -> Step:
    from pufferlib.ocean.breakout.breakout import Breakout

    return _puffer(Breakout, 3, threads)


CARTPOLE = (
    Contender("pufferc", "pufferc", pufferc_cartpole),
    Contender("EnvPool", "envpool", envpool_cartpole, "pip install envpool"),
    Contender("Gymnasium", "gymnasium", gymnasium_cartpole, max_threads=1, note="vectorised NumPy"),
    Contender("gymnax", "gymnax", gymnax_cartpole, "pip install gymnax six", note=f"{SCAN} steps a call, compiled"),
    Contender("PufferLib", "pufferlib", puffer_cartpole, PUFFERLIB, note="one process, ends episodes at 200"),
    Contender("PufferLib", "pufferlib", puffer_cartpole_processes, PUFFERLIB, min_threads=2, note="processes"),
)
BREAKOUT = (
    Contender("pufferc", "pufferc", pufferc_breakout),
    Contender("PufferLib", "pufferlib", puffer_breakout, PUFFERLIB, note="one process"),
    Contender("PufferLib", "pufferlib", puffer_breakout_processes, PUFFERLIB, min_threads=2, note="processes"),
)
