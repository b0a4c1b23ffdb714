"""Made-up runs and sweeps for the tests of `pufferc view`: the files of a run's directory, without training."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

KEYS = (
    *(
        "update",
        "steps",
        "time_s",
        "sps",
        "learning_rate",
        "policy_loss",
        "value_loss",
        "entropy",
        "approx_kl",
        "clip_fraction",
    ),
    *("explained_variance", "episodes", "episode_return", "score", "episode_length", "seconds_policy", "seconds_env"),
    *(
        "seconds_copy",
        "seconds_advantage",
        "seconds_learn",
        "evaluation_score",
        "evaluation_ci95",
        "evaluation_seconds",
    ),
)


def settings(number: int) -> dict[str, Any]:
    """Settings and the score and speed that follow from them, the same for the same number."""
    draw = random.Random(number)
    rate, gamma = 10 ** draw.uniform(-3, -0.7), 1 - 10 ** draw.uniform(-2.7, -1)
    size, optimizer = draw.choice([64, 128, 256]), draw.choice(["muon", "adam"])
    score = 400 * math.exp(-((math.log10(rate) + 1.8) ** 2)) + 60 * (optimizer == "muon") + draw.gauss(0, 15)
    return {
        "rate": rate,
        "gamma": gamma,
        "size": size,
        "optimizer": optimizer,
        "score": score,
        "speed": 4e7 / (size + 300),
    }


def lines(number: int, rows: int, first: int = 0) -> str:
    """`rows` lines of a metrics.jsonl. The first fifth has no finished episode; every hundredth has an evaluation."""
    chosen, draw = settings(number), random.Random(number)
    found = []
    for i in range(first, first + rows):
        share = (i + 1) / 2000
        score = chosen["score"] * (1 - math.exp(-5 * share)) + draw.gauss(0, 12)
        row: dict[str, Any] = dict.fromkeys(KEYS, round(draw.random() * share, 6))
        row |= {
            "update": i + 1,
            "steps": (i + 1) * 4096,
            "time_s": (i + 1) * 4096 / chosen["speed"],
            "sps": chosen["speed"],
            "score": score if i >= rows // 5 else None,
            "entropy": math.exp(-3 * share),
            "evaluation_score": score if i % 100 == 99 else None,
            "evaluation_ci95": None,
            "evaluation_seconds": None,
        }
        found.append(json.dumps(row) + "\n")
    return "".join(found)


def make_run(
    folder: Path,
    number: int,
    rows: int = 200,
    *,
    name: str | None = None,
    seed: int | None = None,
    game: str = "breakout",
    outcome: str | None = "complete",
    settings_of: int | None = None,
) -> Path:
    """A run's directory in `folder`; `outcome` None leaves out its result."""
    run = folder / (name or f"{game}-20260101-{number // 60 % 24:02d}{number % 60:02d}00-{number:04d}")
    run.mkdir(parents=True)
    chosen = settings(number if settings_of is None else settings_of)
    text = (
        f'game = "{game}"\n[env]\nbricks = 6\n[vec]\nnum_envs = 1024\n[policy]\nkind = "mlp"\n'
        f"hidden_size = {chosen['size']}\n[train]\nseed = {number if seed is None else seed}\n"
        f"learning_rate = {chosen['rate']}\n"
        f'gamma = {chosen["gamma"]}\noptimizer = "{chosen["optimizer"]}"\ntotal_steps = {rows * 4096}\n'
    )
    (run / "config.toml").write_text(text)
    started = f"2026-01-01T{number // 60 % 24:02d}:{number % 60:02d}:00+0000"
    machine = {"cpu": "a processor", "cores": 2, "pufferc": "0.1.0", "started": started}
    (run / "machine.json").write_text(json.dumps(machine))
    (run / "metrics.jsonl").write_text(lines(number, rows))
    if outcome is not None:
        steps, score = rows * 4096, {"value": chosen["score"], "source": "evaluation", "episodes": 100, "ci95": 4.2}
        result = {
            "outcome": outcome,
            "steps": steps,
            "seconds": steps / chosen["speed"],
            "steps_per_second": chosen["speed"],
            "score": score,
        }
        (run / "result.json").write_text(json.dumps(result))
    return run


def make_sweep(folder: Path, runs: int, rows: int = 100) -> Path:
    """A sweep's directory as `pufferc sweep` leaves it."""
    (folder / "curves").mkdir(parents=True)
    base = 'game = "breakout"\n[train]\nseed = 1\nlearning_rate = 0.01\ngamma = 0.99\noptimizer = "muon"\n'
    (folder / "base.toml").write_text(base)
    with (folder / "trials.jsonl").open("w") as file:
        for number in range(1, runs + 1):
            chosen = settings(number)
            score = {"value": chosen["score"], "source": "evaluation", "episodes": 100, "ci95": 5.0}
            params = {
                "train.learning_rate": chosen["rate"],
                "train.gamma": chosen["gamma"],
                "train.optimizer": chosen["optimizer"],
            }
            outcome = "stopped" if number % 5 == 0 else "complete"
            trial = {
                "number": number,
                "phase": "search",
                "seed": number,
                "params": params,
                "outcome": outcome,
                "score": score,
                "steps": rows * 4096,
                "seconds": rows * 4096 / chosen["speed"],
                "error": None,
                "run": None,
            }
            file.write(json.dumps(trial) + "\n")
            (folder / "curves" / f"{number}.jsonl").write_text(lines(number, rows))
    return folder
