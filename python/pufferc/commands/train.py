"""`pufferc train`: train a policy."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from pathlib import Path

from pufferc.commands.game_flags import split_game
from pufferc.commands.streams import fail
from pufferc.commands.train_flags import parse_train


def main(words: list[str]) -> int:
    """`pufferc train NAME [flags]`; the exit code."""
    if os.environ.get("WORLD_SIZE", "1") != "1":
        from pufferc.training.distributed import process_rank

        if process_rank():
            return _follow(words)
    game, words = split_game("train", words)
    options = parse_train(game, words)
    # torch is imported only after the flags are checked.
    from pufferc.runs.checkpoint import find_checkpoint, load_game_checkpoint
    from pufferc.training.distributed import LostRank
    from pufferc.training.ppo import NotFinite
    from pufferc.training.run import summary, train

    resume, weights = (
        find_checkpoint(name, options.runs, game) if name is not None else None
        for name in (options.resume, options.weights)
    )
    for path in (resume, weights):
        if path is not None:
            load_game_checkpoint(path, game)  # raises before the run starts if it is damaged
    if options.seeds is not None:
        return _train_seeds(options, weights)
    try:
        result = train(
            None if resume else options.config,
            runs=options.runs,
            resume=resume,
            weights=weights,
            quiet=options.quiet,
            dashboard=options.dashboard,
            game=game if resume else None,
        )
    except NotFinite as error:
        return fail(f"training stopped: {error}; the last checkpoint stands. A lower train.learning_rate may help", 1)
    except LostRank as error:
        return fail(f"training stopped: {error}", 1)
    if options.json:
        print(json.dumps(result.as_dict(), indent=1))
    else:
        print(summary(result))
    return 130 if result.outcome == "interrupted" else 0


def _follow(words: list[str]) -> int:
    """`train` in a process of torchrun other than the first one, which alone prints."""
    from pufferc.training.distributed import LostRank
    from pufferc.training.run import train

    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        parse_train(*split_game("train", words))  # exits for the same flags as the first process
    try:
        train()
    except LostRank as error:
        return fail(f"training stopped: {error}", 1)
    except Exception:
        return 1
    return 0


def _train_seeds(options: argparse.Namespace, weights: Path | None) -> int:
    from pufferc.training.seeds import exit_code, parse_seeds, summary, train_seeds

    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise ValueError("train.seeds: torchrun's processes share one run; train seeds without torchrun")
    if options.resume is not None:
        raise ValueError("train.seeds: a group cannot be resumed as a whole; resume its runs: --resume GROUP/seed-1")
    group = train_seeds(
        options.config,
        parse_seeds(options.seeds),
        runs=options.runs,
        parallel=options.parallel,
        weights=weights,
        quiet=options.quiet,
    )
    print(json.dumps(group, indent=1) if options.json else summary(group))
    return exit_code(group)
