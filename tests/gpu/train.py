"""Training on a GPU, as lines of JSON, for run.sh.

    python tests/gpu/train.py solve [--seeds 1 2 3]      seconds of whole processes that train Breakout to its target
    python tests/gpu/train.py speed [--steps 20000000]   steps/s of training

A run ends when the mean score of 1,000 separate episodes reaches the target of Breakout's configuration, 821 of 864.
Each is a process of its own, so that start-up counts. Further words are passed to `pufferc train`.
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


def train(device: str, seed: int, *words: str) -> dict[str, Any]:
    """Trains in a process of its own; returns its result.json and the seconds that the process took."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pufferc", "train", GAME, "--runs", folder]
        command += ["--train.device", device, "--train.seed", str(seed), *words]
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        process_s = time.perf_counter() - began
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
        (file,) = Path(folder).glob("*/result.json")
        result: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return result | {"process_s": process_s}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("part", choices=("solve", "speed"))
    parser.add_argument("--device", default="cuda", help="cpu tests this script")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--steps", type=int, default=20_000_000, help="of the run that measures speed")
    options, words = parser.parse_known_args()
    if options.part == "speed":
        result = train(options.device, 1, "--train.total-steps", str(options.steps), *words)
        show("speed", what="training", steps_per_s=result["steps_per_second"])
        return
    for seed in options.seeds:
        result = train(options.device, seed, *words)
        score = (result["score"] or {}).get("mean")
        show("solve", seed=seed, seconds=result["process_s"], outcome=result["outcome"], score=score)


if __name__ == "__main__":
    main()
