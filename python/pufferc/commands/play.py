"""`pufferc play`: play a game by hand, alone or against a policy or a script, or watch a policy, in a window."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pufferc import errors
from pufferc.commands.game_flags import add_game_flags, read_game_flags, split_game
from pufferc.commands.trust import add_trust_flags, allow_imports
from pufferc.pictures.window import HELP
from pufferc.watch.play import play
from pufferc.watch.players import CheckpointAgent

if TYPE_CHECKING:
    from pufferc.selfplay.players import Player


def main(words: Sequence[str]) -> int:
    """`pufferc play NAME [--checkpoint PATH] [--opponent PLAYER] [--seed N] [--fps N] [--env.NAME VALUE ...] ...`."""
    game, rest = split_game("play", words)
    parser = argparse.ArgumentParser(
        f"pufferc play {game}",
        description="Play a game by hand, with the keys that it names; with --checkpoint the policy plays, and you "
        "take over while you hold a key. In a game of turns you play against the policy. --opponent plays the other "
        "side, and --checkpoint then plays yours.",
        epilog="keys in the window:\n" + "\n".join(f"  {keys:<8}{meaning}" for keys, meaning in HELP),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--checkpoint", help="latest, a run's directory or a checkpoint's")
    parser.add_argument(
        "--opponent", metavar="PLAYER", help="who plays the other agents: script:LEVEL, or as for `pufferc match`"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder that latest looks in")
    parser.add_argument("--greedy", action="store_true", help="the most probable action instead of a drawn one")
    parser.add_argument("--seed", type=int, help="of the game")
    parser.add_argument("--fps", type=float, help="steps per second")
    parser.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="as --env.NAME VALUE")
    add_trust_flags(parser)
    add_game_flags(parser, game)
    options = parser.parse_args(rest)
    params = {**errors.named_numbers("--param", options.param), **read_game_flags(options)}
    data: str | None = options.data
    agent: CheckpointAgent | None = None
    if options.trust or options.policy_class is not None:
        from pufferc.runs.checkpoint import find_checkpoint

        names = [name for name in (options.checkpoint, options.opponent) if name is not None]
        runs = [name for name in names if not name.startswith("script:") and not Path(name).is_file()]
        places = [find_checkpoint(name, options.runs, game) for name in runs]
        allow_imports(options.trust, options.policy_class, places)
    if options.checkpoint is not None:
        from pufferc.runs.checkpoint import find_checkpoint

        path = find_checkpoint(options.checkpoint, options.runs, game)
        agent = CheckpointAgent(path, greedy=options.greedy, game=game, params=params, data=data)
        params, data = agent.params, agent.data
    opponent: Player | None = None
    if options.opponent is not None:
        from pufferc.selfplay.players import common_world, load_player
        from pufferc.selfplay.table import World

        opponent = load_player(options.opponent, game, runs=options.runs, greedy=options.greedy)
        if agent is not None:
            opponent.check(World(game, params, num_threads=1))
        else:
            world = common_world([opponent], game, params=params, data=data, num_threads=1)
            params, data = dict(world.params), world.data
    scores = play(game, agent=agent, opponent=opponent, params=params, data=data, seed=options.seed, fps=options.fps)
    if scores:
        print(f"{len(scores)} episodes, mean score {np.mean(scores):.4g}, best {max(scores):g}")
    return 0
