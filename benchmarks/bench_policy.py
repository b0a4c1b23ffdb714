"""Compares the C library with torch: a Breakout policy (118-128-4), 4096 rows, one thread.

    python benchmarks/bench_policy.py

Prints the median and the best of 300 passes in milliseconds. The contenders alternate, so that load on the machine
affects all of them alike.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable

import numpy as np
import torch

import pufferc
from pufferc.authoring import sdk
from pufferc.policies import MLP, policy_file

ROWS, PASSES, WARM = 4096, 300, 20


def c_calls(policy: MLP, env: pufferc.VecEnv, observations: np.ndarray) -> dict[str, Callable[[], object]]:
    library = ctypes.CDLL(str(sdk.library()))
    library.pfc_policy_parse.restype = ctypes.c_void_p
    data = policy_file.describe_policy(policy, env.spaces, {}).to_bytes()
    handle = ctypes.c_void_p(library.pfc_policy_parse(data, ctypes.c_uint64(len(data)), None))
    outputs, actions = np.empty((ROWS, 4), np.float32), np.empty(ROWS, np.int32)
    draw = (ctypes.c_uint64 * 4)(0, 1, 2, 0)  # PfcPolicyDraw: sampled, seed 1, step 2, from row 0
    seen, out, chosen = (ctypes.c_void_p(array.ctypes.data) for array in (observations, outputs, actions))
    rows, keep = ctypes.c_int64(ROWS), (outputs, actions)
    return {
        "C forward": lambda: (library.pfc_policy_forward(handle, seen, rows, None, out), keep),
        "C act": lambda: (library.pfc_policy_act(handle, seen, rows, draw, None, chosen, None), keep),
    }


def torch_calls(policy: MLP, low: MLP, observations: np.ndarray) -> dict[str, Callable[[], object]]:
    seen = torch.from_numpy(observations)
    batch, rounded = seen.unsqueeze(0), seen.to(torch.bfloat16)
    return {
        "torch forward": lambda: policy(batch, (), None),
        "torch step": lambda: policy.step(seen, ()),
        "torch step, bfloat16": lambda: low.step(rounded, ()),
    }


@torch.no_grad()
def main() -> None:
    torch.set_num_threads(1)
    env = pufferc.make("breakout", ROWS, seed=1)
    env.reset(seed=1)
    for _ in range(50):
        observations = env.step(env.action_space.sample())[0]
    size = observations.shape[1]
    policy, low = (MLP(size, [3], compute_dtype=dtype) for dtype in (torch.float32, torch.bfloat16))
    calls = {**c_calls(policy, env, observations), **torch_calls(policy, low, observations)}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for i in range(WARM + PASSES):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if i >= WARM:
                times[name].append(1e3 * (time.perf_counter() - start))
    for name, found in times.items():
        print(f"{name:<22} median {np.median(found):.3f} ms   best {min(found):.3f} ms")


if __name__ == "__main__":
    main()
