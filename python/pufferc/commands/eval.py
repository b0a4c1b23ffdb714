"""`pufferc eval`: play a trained policy, or two players in one world, and report the mean score of each."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pufferc.commands.game_flags import add_game_flags, read_game_flags, split_game
from pufferc.commands.trust import add_trust_flags, allow_imports
from pufferc.errors import available_cores

if TYPE_CHECKING:
    from pufferc.training.evaluate import Evaluation
    from pufferc.training.from_checkpoint import VersusResult


def main(words: list[str]) -> int:
    """`pufferc eval NAME [--checkpoint RUN | --versus RUN RUN] [--episodes N] [--record FILE] ...`."""
    game, words = split_game("eval", words)
    options = _parse(game, words)
    params = read_game_flags(options)

    # torch is imported only after the flags are checked.
    from pufferc.runs.checkpoint import find_checkpoint, load_game_checkpoint
    from pufferc.training.evaluate import EvaluationSettings
    from pufferc.training.from_checkpoint import play_checkpoint, play_versus

    names = options.versus or [options.checkpoint or "latest"]
    paths = [find_checkpoint(name, options.runs, game) for name in names if not (options.versus and _is_player(name))]
    allow_imports(options.trust, options.policy_class, paths)
    if options.versus and any(_is_player(name) for name in options.versus):
        _versus_players(game, options, params)
        return 0
    checkpoints = [load_game_checkpoint(path, game) for path in paths]
    settings = EvaluationSettings(options.episodes, options.seed, options.greedy)
    flags: dict[str, Any] = {"device": options.device, "params": params, "data": options.data}
    if options.versus:
        first, second = checkpoints
        _report_versus(
            [str(path) for path in paths],
            play_versus((first, second), settings, split=options.split, **flags),
            options.json,
        )
        return 0
    (checkpoint,) = checkpoints
    write_recording = None if options.record is None else _recording(game, checkpoint.path, options)
    found = play_checkpoint(checkpoint, settings, **flags)
    if options.json:
        print(json.dumps({"checkpoint": str(checkpoint.path), **found.as_dict()}, indent=1))
    else:
        print(checkpoint.path)
        _print(found)
    if write_recording is not None:
        sys.stdout.flush()
        path = write_recording()
        print(f"recorded {path}", file=sys.stderr if options.json else sys.stdout)
    return 0


def _parse(game: str, words: list[str]) -> argparse.Namespace:
    """The flags. Exits for combinations that have no meaning."""
    parser = argparse.ArgumentParser(
        f"pufferc eval {game}",
        description="Play a trained policy, or two in one world, and report the mean score over the first episodes of "
        "every row. By default the game has the parameters and the file of the (first) training.",
    )
    parser.add_argument("--checkpoint", help="latest (default), best, a run (or RUN/best), or a checkpoint")
    parser.add_argument(
        "--versus",
        nargs=2,
        metavar=("A", "B"),
        help="two policies that share each game, named as for --checkpoint: A moves the first agents, B the others; "
        "also script:LEVEL and files of pufferc export",
    )
    parser.add_argument("--split", type=int, metavar="K", help="agents of each game that A moves (default half)")
    parser.add_argument(
        "--episodes", type=int, default=1000, help="minimum number of episodes of each policy (default %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of games and action draws (default %(default)s)")
    parser.add_argument("--greedy", action="store_true", help="the most probable action instead of a drawn one")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder that latest looks in")
    parser.add_argument("--record", metavar="FILE", help="also record one game to a .gif, .mp4 or .png")
    parser.add_argument("--record-steps", type=int, default=600, help="steps recorded at most (default %(default)s)")
    parser.add_argument("--device", help="cpu, cuda, ...; default as trained")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    add_trust_flags(parser)
    add_game_flags(parser, game)
    options = parser.parse_args(words)
    for name, given in (("--checkpoint", options.checkpoint), ("--record", options.record)):
        if options.versus and given is not None:
            parser.error(f"{name} is for one policy, --versus plays two")
    if options.split is not None and not options.versus:
        parser.error("--split needs --versus A B")
    if options.device is not None and any(_is_player(name) for name in options.versus or []):
        parser.error("--device is for policies of checkpoints; scripts and files of pufferc export run on the CPU")
    return options


def _is_player(name: str) -> bool:
    """Whether a name is a script or a file, and not a checkpoint."""
    return name.startswith("script:") or Path(name).is_file()


def _versus_players(game: str, options: argparse.Namespace, params: dict[str, Any]) -> None:
    """Plays two players, at least one of which is a script or a file, and prints the result of each."""
    from pufferc.envs.games import agents_per_game
    from pufferc.selfplay.players import common_world, load_player
    from pufferc.training.evaluate import EvaluationSettings, evaluate_players
    from pufferc.training.from_checkpoint import VersusResult

    players = [load_player(name, game, runs=options.runs, greedy=options.greedy) for name in options.versus]
    world = common_world(players, game, params=params, data=options.data, num_threads=available_cores())
    agents = agents_per_game(world.game, world.params)
    split = agents // 2 if options.split is None else options.split
    settings = EvaluationSettings(options.episodes, options.seed, options.greedy)
    first, second = evaluate_players(players, split, world, settings)
    results = [VersusResult(range(split), first), VersusResult(range(split, agents), second)]
    _report_versus(options.versus, results, options.json)


def _report_versus(names: Sequence[str], found: Sequence[VersusResult], as_json: bool) -> None:
    """Prints the result of each policy."""
    sides = list(zip(names, found, strict=True))
    if as_json:
        results = [
            {"checkpoint": name, "agents": [result.agents[0], result.agents[-1]], **result.evaluation.as_dict()}
            for name, result in sides
        ]
        print(json.dumps({"versus": results}, indent=1))
        return
    for name, result in sides:
        print(f"agents {result.agents[0]} to {result.agents[-1]} of each game: {name}")
        _print(result.evaluation)


def _print(found: Evaluation) -> None:
    from pufferc.training.run import describe

    print(describe(found))
    for name, value in found.metrics.items():
        print(f"  {name:<16} {value:.4g}")


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
