"""Generalised advantage estimation for 64 steps of 8192 rows, on existing CPU tensors.

Each library gets its own layout: [steps, rows] for pufferc and the torch loop, [rows, steps] for PufferLib, whose
kernel has one thread.
"""

from __future__ import annotations

from typing import Any

from race import Contender, Step

STEPS, ROWS = 64, 8192
GAMMA, GAE_LAMBDA = 0.99, 0.95


def _numbers(steps: int, rows: int, values: int) -> tuple[Any, Any, Any]:
    """Rewards [steps, rows], values [values, rows] and ends of episodes, one in fifty steps."""
    import torch

    generator = torch.Generator().manual_seed(1)
    ends = torch.rand(steps, rows, generator=generator) < 0.02
    return torch.randn(steps, rows, generator=generator), torch.randn(values, rows, generator=generator), ends


def pufferc_advantage(threads: int) -> Step:
    import torch

    from pufferc import ops

    ops.set_num_threads(threads)
    rewards, values, terminated = _numbers(STEPS, ROWS, STEPS + 1)
    truncated, out = torch.zeros_like(terminated), torch.empty_like(rewards)

    def step() -> int:
        ops.advantage(rewards, values, terminated, truncated, gamma=GAMMA, gae_lambda=GAE_LAMBDA, out=out)
        return 1

    return step


def torch_advantage(threads: int) -> Step:
    """The usual loop over time in torch."""
    import torch

    torch.set_num_threads(threads)
    rewards, values, terminated = _numbers(STEPS, ROWS, STEPS + 1)
    ended, out = terminated.float(), torch.empty_like(rewards)

    def step() -> int:
        carry = torch.zeros_like(rewards[0])
        for t in reversed(range(STEPS)):
            continues = 1.0 - ended[t]
            delta = rewards[t] + GAMMA * values[t + 1] * continues - values[t]
            out[t] = carry = delta + GAMMA * GAE_LAMBDA * continues * carry
        return 1

    return step


def puffer_advantage(threads: int) -> Step:
    import torch
    from pufferlib import _C  # noqa: F401  registers the operator

    rewards, values, terminated = (table.T.contiguous() for table in _numbers(STEPS, ROWS, STEPS))
    ended, ratios, out = terminated.float(), torch.ones_like(rewards), torch.zeros_like(rewards)

    def step() -> int:
        torch.ops.pufferlib.compute_puff_advantage(values, rewards, ended, ratios, out, GAMMA, GAE_LAMBDA, 1.0, 1.0)
        return 1

    return step


ADVANTAGES = (
    Contender("pufferc", "pufferc", pufferc_advantage),
    Contender("torch loop", "torch", torch_advantage),
    Contender("PufferLib", "pufferlib", puffer_advantage, "pip install pufferlib", note="with importance ratios"),
)
