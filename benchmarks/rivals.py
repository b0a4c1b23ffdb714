"""pufferc beside named rivals on the same work, in one run: medians of alternating runs, and their ratio.

    python benchmarks/rivals.py            # needs pufferc[train]; rivals that are not installed are left out
    pip install envpool                    # to have it in the table

CartPole: 4096 environments, random actions drawn beforehand, one thread where a rival lets itself be told so.
Advantages: generalised advantage estimation of 64 steps by 8192 rows.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import gymnasium
import numpy as np
import torch

import pufferc
from pufferc.doctor import machine

ROUNDS = 7
ROWS = 4096


def rate(step: Callable[[], None], work: int, seconds: float = 0.3) -> float:
    """Units of work per second over about `seconds`."""
    count, began = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds:
        step()
        count += 1
    return count * work / elapsed


def alternate(contenders: dict[str, Callable[[], None]], work: int) -> dict[str, float]:
    """Median rate of each, measured in turn so that the machine's drift hits all alike."""
    for step in contenders.values():
        step()
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, step in contenders.items():
            rates[name].append(rate(step, work))
    return {name: statistics.median(values) for name, values in rates.items()}


def cartpole_contenders() -> dict[str, Callable[[], None]]:
    rng = np.random.default_rng(1)
    actions = rng.integers(0, 2, (16, ROWS))
    turn = iter(range(10**12))
    ours = pufferc.make("cartpole", num_envs=ROWS, num_threads=1, seed=1)
    ours.reset(seed=1)
    narrow = actions.astype(np.int32)
    theirs = gymnasium.make_vec("CartPole-v1", num_envs=ROWS, vectorization_mode="vector_entry_point")
    theirs.reset(seed=1)
    contenders: dict[str, Callable[[], None]] = {
        "pufferc": lambda: void(ours.step(narrow[next(turn) % 16])),
        "gymnasium (NumPy, vectorised)": lambda: void(theirs.step(actions[next(turn) % 16])),
    }
    try:
        import envpool
    except ImportError:
        return contenders
    pool = envpool.make_gymnasium("CartPole-v1", num_envs=ROWS, num_threads=1)
    pool.reset()
    contenders["envpool"] = lambda: void(pool.step(actions[next(turn) % 16].astype(np.int32)))
    return contenders


def void(_: object) -> None:
    """Forget a result."""


def torch_advantage(
    rewards: torch.Tensor, values: torch.Tensor, ended: torch.Tensor, gamma: float, gae_lambda: float
) -> torch.Tensor:
    """The loop over time that most trainers have."""
    result, carry = torch.empty_like(rewards), torch.zeros_like(rewards[0])
    for t in reversed(range(rewards.shape[0])):
        going = 1.0 - ended[t]
        delta = rewards[t] + gamma * values[t + 1] * going - values[t]
        result[t] = carry = delta + gamma * gae_lambda * going * carry
    return result


def advantage_contenders(steps: int, rows: int) -> dict[str, Callable[[], None]]:
    generator = torch.Generator().manual_seed(1)
    rewards = torch.randn(steps, rows, generator=generator)
    values = torch.randn(steps + 1, rows, generator=generator)
    terminated = torch.rand(steps, rows, generator=generator) < 0.02
    truncated = torch.zeros_like(terminated)
    ended, out = terminated.float(), torch.empty_like(rewards)
    numbers = {"gamma": 0.99, "gae_lambda": 0.95}
    return {
        "pufferc": lambda: void(pufferc.ops.advantage(rewards, values, terminated, truncated, out=out, **numbers)),
        "torch loop": lambda: void(torch_advantage(rewards, values, ended, 0.99, 0.95)),
    }


def show(title: str, unit: str, scale: float, rates: dict[str, float]) -> None:
    print(f"\n{title}")
    for name, value in rates.items():
        print(f"  {name:<32}{value / scale:10.2f} {unit:<22}{rates['pufferc'] / value:8.1f} x")


def main() -> None:
    facts = machine()
    print(f"{facts['cpu']}, {facts['cores']} cores, python {facts['python']}, torch {torch.__version__}")
    title = f"CartPole, {ROWS} environments, one thread, from Python"
    show(title, "M agent steps/s", 1e6, alternate(cartpole_contenders(), ROWS))
    for steps, rows in ((64, 8192), (128, 4096)):
        title = f"advantages [{steps}, {rows}], {facts['cores']} threads"
        show(title, "per ms", 1e3, alternate(advantage_contenders(steps, rows), 1))


if __name__ == "__main__":
    main()
