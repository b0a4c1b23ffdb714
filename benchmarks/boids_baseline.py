"""Compares hand-written and trained players of Boids: the best settings of the three classic rules on held-out worlds.

    python benchmarks/boids_baseline.py [--settings 200] [--worlds 64] [--policy CHECKPOINT ...] [--set NAME=VALUE ...]

The rules are those of the game's script, computed from observations only: separation, alignment and cohesion (Reynolds
1987), and avoidance of obstacles and predators. Random settings of their four weights play the same search worlds; the
best quarter plays more of them, and the best ones by reward and by perf are kept. Then all players play the same
held-out worlds, with seeds that the search did not use. `--settings 0` skips the search; `--rules A,C,S,O` adds a
setting. Results are means over worlds with the half width of their 95 % interval. Needs the built package, and
pufferc[train] for policies.

Shapes: N rows, K neighbours; a setting is (align, cohere, separate, obstacles).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import pufferc

Floats = NDArray[np.float32]
Results = dict[str, NDArray[np.float64]]

SPEED_LOW, SPEED_RANGE = 0.2, 0.4  # u/step
THRUST, TURN = 0.05, 0.2  # max change of speed in a step, u/step; max turn, rad
SPACE = 3.0  # personal space, u
PLAIN = 17  # values of an observation before the neighbours
HIGHEST = np.array([6.0, 3.0, 6.0, 6.0])  # random settings are uniform in [0, HIGHEST]
SEARCH_SEED, HELD_OUT_SEED = 1_000_003, 2_000_003
SHOWN = ("perf", "polarisation", "local_polarisation", "largest", "milling", "crowded", "alone", "hits", "caught")


def unit_sum(offsets: Floats, lengths: Floats, weights: Floats) -> Floats:
    """Sum over entities of unit offset times weight: [N, K, 2], [N, K], [N, K] -> [N, 2]."""
    scale = np.divide(weights, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    return np.einsum("nk,nkd->nd", scale, offsets)


def rule_controls(seen: Floats, settings: Floats, sight: float) -> Floats:
    """Turn and thrust [N, 2] of the three rules for observations [N, 17 + 5 K] and settings [N, 4]."""
    align, cohere, separate, obstacles = settings.T[:, :, None]
    others = seen[:, PLAIN:].reshape(len(seen), -1, 5)
    surfaces = seen[:, 4:12].reshape(len(seen), 2, 4)
    present = (others[:, :, 2:4] != 0).any(axis=2)
    share = 1.0 / np.maximum(present.sum(axis=1, keepdims=True), 1)
    offsets = others[:, :, :2] * sight
    distances = np.linalg.norm(offsets, axis=2)
    mean = offsets.sum(axis=1) * share

    want = np.array([1.0, 0.0], np.float32) + align * others[:, :, 2:4].sum(axis=1) * share + cohere * mean / sight
    want -= separate * unit_sum(offsets, distances, present * np.maximum(1 - distances / SPACE, 0))
    gaps = surfaces[:, :, 2] * sight
    to_surface = np.linalg.norm(surfaces[:, :, :2], axis=2)
    want -= obstacles * unit_sum(surfaces[:, :, :2], to_surface, surfaces[:, :, 3] * np.maximum(1 - gaps / 6, 0))
    hunter, distance = seen[:, 12:14], np.linalg.norm(seen[:, 12:14], axis=1)
    near = (distance > 0) & (distance <= 0.5)  # 10 of 20 u
    want[near] -= 3 * hunter[near] / distance[near, None]

    turn = np.arctan2(want[:, 1], want[:, 0]) / TURN
    speed = 0.45 + 0.15 * np.clip(2 * mean[:, 0] / sight, -1, 1)
    thrust = (speed - SPEED_LOW - SPEED_RANGE * seen[:, 0]) / THRUST
    return np.clip(np.stack([turn, thrust], axis=1), -1, 1).astype(np.float32)


Act = Callable[[pufferc.VecEnv, Floats, int], Any]


def by_rules(settings: Floats, sight: float) -> Act:
    """A player that follows the rules; settings [N, 4], or [4] for all rows."""
    return lambda envs, seen, step: rule_controls(seen, np.broadcast_to(settings, (len(seen), 4)), sight)


def by_script(level: int) -> Act:
    return lambda envs, seen, step: envs.script(level)


def at_random(envs: pufferc.VecEnv, seen: Floats, step: int) -> Any:
    return np.random.default_rng(step).uniform(-1, 1, (envs.num_envs, 2)).astype(np.float32)


def by_policy(path: Path, greedy: bool, params: dict[str, Any]) -> Act:
    from pufferc.runs.checkpoint import find_checkpoint
    from pufferc.watch.players import CheckpointAgent

    agent = CheckpointAgent(find_checkpoint(str(path), path.parent, "boids"), greedy=greedy, params=params)
    return lambda envs, seen, step: agent.act(seen).actions


def play(act: Act, seeds: list[int], params: dict[str, Any]) -> Results:
    """Plays one episode in the world of each seed: reward per step and metrics, float64 [worlds] each."""
    worlds = len(seeds)
    envs = pufferc.make("boids", num_games=worlds, num_threads=2, **params)
    seen, _ = envs.reset(seed=seeds)
    done = np.zeros(worlds, bool)
    results = {name: np.full(worlds, np.nan) for name in ("reward", *envs.info.metrics)}
    step = 0
    while not done.all():
        seen, _, terminated, truncated, infos = envs.step(act(envs, seen, step))
        step += 1
        new = (terminated | truncated).reshape(worlds, -1)[:, 0] & ~done
        if not new.any():
            continue
        episode = infos["final_info"]["episode"]
        for name, values in results.items():
            per_row = episode["r"] / step if name == "reward" else episode[name]
            values[new] = per_row.reshape(worlds, -1).mean(axis=1)[new]
        done |= new
    envs.close()
    return results


def search(settings: int, worlds: int, params: dict[str, Any], sight: float) -> dict[str, Floats]:
    """Best random settings by reward and by perf. All play some worlds, the best quarter four times as many."""
    candidates = (np.random.default_rng(SEARCH_SEED).random((settings, 4)) * HIGHEST).astype(np.float32)
    first, best = scores_of(candidates, worlds, params, sight), {}
    for name in ("reward", "perf"):
        left = candidates[np.argsort(-first[name])[: max(1, settings // 4)]]
        scores = scores_of(left, 4 * worlds, params, sight)[name]
        best[name] = left[scores.argmax()]
        print(
            f"best of {settings} by {name}: {', '.join(f'{x:.2f}' for x in best[name])}  ({scores.max():.3f})",
            flush=True,
        )
    return best


def scores_of(settings: Floats, worlds: int, params: dict[str, Any], sight: float) -> Results:
    """Mean results of settings [S, 4] in the same worlds: [S] each."""
    agents = int(params.get("boids", 64))
    act = by_rules(np.repeat(settings, agents, axis=0), sight)
    totals = [play(act, [SEARCH_SEED + world] * len(settings), params) for world in range(worlds)]
    return {name: np.mean([t[name] for t in totals], axis=0) for name in totals[0]}


def show(label: str, results: Results) -> None:
    worlds = len(results["reward"])

    def figure(name: str) -> str:
        values = results[name]
        half = 1.96 * values.std(ddof=1) / worlds**0.5 if worlds > 1 else float("nan")
        return f"{values.mean():8.3f} +- {half:5.3f}"

    print(f"{label:28s} reward {figure('reward')}   perf {figure('perf')}")
    rest = "  ".join(f"{name} {results[name].mean():.3f}" for name in SHOWN[1:])
    print(f"{'':28s} {rest}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--settings", type=int, default=200, help="number of random settings; 0 = no search")
    parser.add_argument("--search-worlds", type=int, default=4, help="number of worlds that each setting plays first")
    parser.add_argument("--worlds", type=int, default=64, help="number of held-out worlds")
    parser.add_argument("--rules", action="append", default=[], metavar="A,C,S,O", help="adds a setting of the rules")
    parser.add_argument("--policy", action="append", default=[], type=Path, help="a checkpoint or run directory")
    parser.add_argument("--greedy", action="store_true", help="use the policy's mean action instead of a sample")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the game")
    given = parser.parse_args()
    params: dict[str, Any] = {}
    for word in given.set:
        name, _, value = word.partition("=")
        params[name] = float(value) if "." in value else int(value)
    sight = float(params.get("sight", 12))

    players: dict[str, Act] = {"random": at_random, "script 0": by_script(0), "script 1": by_script(1)}
    if given.settings:
        for name, setting in search(given.settings, given.search_worlds, params, sight).items():
            players[f"best rules by {name}"] = by_rules(setting, sight)
    for word in given.rules:
        players[f"rules {word}"] = by_rules(np.array([float(x) for x in word.split(",")], np.float32), sight)
    for path in given.policy:
        players[str(path)[-28:]] = by_policy(path, given.greedy, params)
    held_out = [HELD_OUT_SEED + world for world in range(given.worlds)]
    for label, act in players.items():
        show(label, play(act, held_out, params))


if __name__ == "__main__":
    main()
