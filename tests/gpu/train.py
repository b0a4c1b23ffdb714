"""Training on a GPU, as lines of JSON, for run.sh.

    python tests/gpu/train.py solve [--seeds 1 2 3]      seconds of whole processes that train Breakout to its target
    python tests/gpu/train.py speed [--steps 20000000]   steps/s of games with inference, and of training

A run ends when the mean score of 1,000 separate episodes reaches the target of Breakout's configuration, 821 of 864.
Each is a process of its own, so that start-up counts. Games are on the device; --games cpu keeps them on the CPU.
Further words are passed to `pufferc train`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

GAME = "breakout"


def show(part: str, **fields: Any) -> None:
    print(json.dumps({"part": part} | fields), flush=True)


def train(options: argparse.Namespace, seed: int, *words: str) -> dict[str, Any]:
    """Trains in a process of its own; returns its result.json and the seconds that the process took."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pufferc", "train", GAME, "--runs", folder]
        command += ["--train.device", options.device, "--vec.device", options.games]
        command += ["--train.seed", str(seed), *words, *options.words]
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        process_s = time.perf_counter() - began
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
        (file,) = Path(folder).glob("*/result.json")
        result: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return result | {"process_s": process_s}


def inference(options: argparse.Namespace) -> float:
    """Steps per second of rollouts with the game's own network, which is not trained: as a trainer collects them."""
    import torch

    from pufferc.config import load_config, merge
    from pufferc.training.resolve import resolve
    from pufferc.training.trainer import Trainer

    tables = {"train": {"device": options.device}, "vec": {"device": options.games, "num_envs": options.rows}}
    config = merge(load_config(GAME), {**tables, "train": {**tables["train"], "total_steps": 2**40}}, "train.py")
    trainer = Trainer(resolve(config)[0])
    trainer.start()
    horizon, calls, began = config.train.horizon, 0, 0.0
    for update in range(6, 10**9):
        if update == 10:  # the first calls choose kernels and record a graph
            began = time.perf_counter()
        trainer.collector.collect(update * horizon)
        if update >= 10:
            calls += 1
            if time.perf_counter() - began > options.seconds:
                break
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return calls * horizon * trainer.env.num_envs / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("part", choices=("solve", "speed"))
    parser.add_argument("--device", default="cuda", help="cpu tests this script")
    parser.add_argument("--games", default="cuda", help="cpu keeps the games on the CPU")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--steps", type=int, default=20_000_000, help="of the run that measures training")
    parser.add_argument("--rows", type=int, default=16384, help="games of the measurement of inference")
    parser.add_argument("--seconds", type=float, default=1.0, help="of the measurement of inference")
    options, words = parser.parse_known_args()
    options.words = words
    if options.part == "speed":
        show("speed", games=options.games, what="with inference", steps_per_s=inference(options))
        result = train(options, 1, "--train.total-steps", str(options.steps))
        show("speed", games=options.games, what="training", steps_per_s=result["steps_per_second"])
        return
    for seed in options.seeds:
        result = train(options, seed)
        score = (result["score"] or {}).get("mean")
        show(
            "solve", games=options.games, seed=seed, seconds=result["process_s"], outcome=result["outcome"], score=score
        )


if __name__ == "__main__":
    main()
