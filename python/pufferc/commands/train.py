"""`pufferc train`: train a policy."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from pufferc.commands.game_flags import split_game
from pufferc.commands.streams import fail
from pufferc.commands.train_flags import parse_train
from pufferc.commands.trust import allow_imports


def main(words: list[str]) -> int:
    """`pufferc train NAME [flags]`; the exit code."""
    lead = _is_first_process()
    game, words = split_game("train", words)
    options = parse_train(game, words)
    # torch is imported only after the flags are checked.
    from pufferc.runs.checkpoint import find_checkpoint, load_game_checkpoint

    if options.resume is not None and (options.config_file or options.weights):
        flag = "config" if options.config_file else "weights"
        raise ValueError(f"--{flag} is for a new run; --resume continues a run with its own settings and weights")
    resume, weights = (
        find_checkpoint(name, options.runs, game) if name is not None else None
        for name in (options.resume, options.weights)
    )
    if resume is not None:
        allow_imports(options.trust, options.given.get("policy.class"), [resume])
    for path in (resume, weights):
        if path is not None:
            load_game_checkpoint(path, game)  # raises before the run starts if it is damaged
    with _view(options.runs) if options.view and lead else nullcontext():
        return _train_seeds(options, weights) if options.seeds is not None else _train(options, game, resume, weights)


@contextmanager
def _view(runs: Path) -> Iterator[None]:
    """Shows the folder of the runs in a browser while the block trains."""
    from pufferc.view import open_live

    runs.mkdir(parents=True, exist_ok=True)
    with open_live(runs) as address:
        print(f"view: {address}  (ends with the training; pufferc view {runs} shows it later)", file=sys.stderr)
        yield


def _train(options: argparse.Namespace, game: str, resume: Path | None, weights: Path | None) -> int:
    """Trains one run; the exit code."""
    from pufferc.training.distributed import LostRank
    from pufferc.training.faults import GameNotFinite
    from pufferc.training.ppo import NotFinite
    from pufferc.training.run import summary, train

    lead = _is_first_process()
    try:
        result = train(
            None if resume else options.config,
            runs=options.runs,
            resume=resume,
            weights=weights,
            changes=options.given if resume else None,
            quiet=options.quiet,
            dashboard=options.dashboard,
            game=game if resume else None,
        )
    except NotFinite as error:
        advice = "" if isinstance(error, GameNotFinite) else ". A lower train.learning_rate may help"
        return fail(f"training stopped: {error}; the last checkpoint is kept{advice}", 1)
    except LostRank as error:
        return fail(f"training stopped: {error}", 1)
    if lead:
        print(json.dumps(result.as_dict(), indent=1) if options.json else summary(result))
    return 130 if result.outcome == "interrupted" else 0


def _is_first_process() -> bool:
    """Whether this is the only process of the run, or the one that torchrun started as rank 0."""
    if os.environ.get("WORLD_SIZE", "1") == "1":
        return True
    from pufferc.training.distributed import process_rank

    return process_rank() == 0


def _train_seeds(options: argparse.Namespace, weights: Path | None) -> int:
    from pufferc.training.seeds import exit_code, parse_seeds, summary, train_seeds

    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise ValueError("train.seeds: cannot be used under torchrun, whose processes share one run")
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
