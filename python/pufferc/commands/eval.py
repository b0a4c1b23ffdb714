"""`pufferc eval`: play a trained policy and report its mean score."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pufferc.commands.game_flags import add_game_flags, read_game_flags, split_game


def main(words: list[str]) -> int:
    """`pufferc eval NAME [--checkpoint RUN] [--episodes N] [--record FILE] ...`."""
    game, words = split_game("eval", words)
    parser = argparse.ArgumentParser(
        f"pufferc eval {game}",
        description="Play a trained policy and report the mean score over the first episodes of every row. By "
        "default the game has the parameters and the file of the training.",
    )
    parser.add_argument("--checkpoint", default="latest", help="latest, best, a run (or RUN/best), or a checkpoint")
    parser.add_argument("--episodes", type=int, default=1000, help="minimum number of episodes (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of games and action draws (default %(default)s)")
    parser.add_argument("--greedy", action="store_true", help="the most probable action instead of a drawn one")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder that latest looks in")
    parser.add_argument("--record", metavar="FILE", help="also record one game to a .gif, .mp4 or .png")
    parser.add_argument("--record-steps", type=int, default=600, help="steps recorded at most (default %(default)s)")
    parser.add_argument("--device", help="cpu, cuda, ...; default as trained")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    add_game_flags(parser, game)
    options = parser.parse_args(words)
    params = read_game_flags(options)

    # torch is imported only after the flags are checked.
    from pufferc.runs.checkpoint import find_checkpoint, load_game_checkpoint
    from pufferc.training.from_checkpoint import play_checkpoint
    from pufferc.training.run import describe

    checkpoint = load_game_checkpoint(find_checkpoint(options.checkpoint, options.runs, game), game)
    write_recording = None if options.record is None else _recording(game, checkpoint.path, options)
    found = play_checkpoint(
        checkpoint,
        episodes=options.episodes,
        seed=options.seed,
        greedy=options.greedy,
        device=options.device,
        params=params,
        data=options.data,
    )
    if options.json:
        print(json.dumps({"checkpoint": str(checkpoint.path), **found.as_dict()}, indent=1))
    else:
        print(f"{checkpoint.path}\n{describe(found)}")
        for name, value in found.metrics.items():
            print(f"  {name:<16} {value:.4g}")
    if write_recording is not None:
        sys.stdout.flush()
        path = write_recording()
        print(f"recorded {path}", file=sys.stderr if options.json else sys.stdout)
    return 0


def _recording(game: str, checkpoint: Path, options: argparse.Namespace) -> Callable[[], Path]:
    """A function that records one game of a checkpoint's policy. Raises now what would make it fail later."""
    from pufferc.watch.players import CheckpointAgent
    from pufferc.watch.recording import check_recording, record

    params = read_game_flags(options)
    agent = CheckpointAgent(
        checkpoint, greedy=options.greedy, seed=options.seed, game=game, params=params, data=options.data
    )
    check_recording(options.record, game, agent.params, data=agent.data, max_steps=options.record_steps)
    return partial(
        record,
        options.record,
        game,
        agent=agent,
        params=agent.params,
        data=agent.data,
        max_steps=options.record_steps,
        seed=options.seed,
    )
