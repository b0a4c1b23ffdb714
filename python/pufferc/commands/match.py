"""`pufferc match`: plays every pair of players against each other and rates them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from pufferc.commands.game_flags import add_game_flags, read_game_flags
from pufferc.commands.trust import add_trust_flags, allow_imports
from pufferc.envs.games import env_info, list_envs
from pufferc.errors import available_cores
from pufferc.runs.records import table

if TYPE_CHECKING:
    from pufferc.selfplay.match import Pairing
    from pufferc.selfplay.ratings import Ratings

_USAGE = "pufferc match [NAME] PLAYER PLAYER ... [flags]"
_DESCRIPTION = """\
Play every pair of players with sides exchanged, and rate the players.

A player is latest, best, a run (or RUN/best), a checkpoint, a file of pufferc export, or script:LEVEL. NAME is the
game; it may be left out if one of the players is a run, a checkpoint or a file. The game has the parameters of the
players' training."""


def main(words: list[str]) -> int:
    """`pufferc match [NAME] PLAYER PLAYER ... [--games N] [--anchor PLAYER] [--json] ...`."""
    if words and words[0] in ("-h", "--help"):
        print(f"usage: {_USAGE}\n\n{_DESCRIPTION}\n\nflags: pufferc match NAME --help")
        return 0
    first = list(takewhile(lambda word: not word.startswith("-"), words))
    game, texts = _split(first)
    options = _parse(game, words[len(first) :])
    params = read_game_flags(options)

    # torch is imported only after the flags are checked.
    from pufferc.runs.checkpoint import find_checkpoint
    from pufferc.selfplay.match import play_all
    from pufferc.selfplay.players import common_world, load_player
    from pufferc.selfplay.ratings import rate

    texts_of_runs = [text for text in texts if not text.startswith("script:") and not Path(text).is_file()]
    paths = [find_checkpoint(text, options.runs, game) for text in texts_of_runs] if options.trust else []
    allow_imports(options.trust, options.policy_class, paths)
    players = [load_player(text, game, runs=options.runs, greedy=options.greedy) for text in texts]
    anchor = texts[0] if options.anchor is None and texts else options.anchor
    if options.anchor is not None and anchor not in texts:
        raise ValueError(f"--anchor must be one of the players {', '.join(texts)}, got {anchor}")
    world = common_world(players, game, params=params, data=options.data, num_threads=available_cores())
    pairings = play_all(players, world, options.games, options.seed, note=None if options.json else _note)
    ratings = rate(texts, pairings, anchor, options.seed)
    if options.json:
        found = {"game": env_info(game).name, "pairs": [pairing.as_dict() for pairing in pairings]}
        print(json.dumps({**found, "ratings": ratings.as_dict()}, indent=1))
        return 0
    print(describe(env_info(game).title, texts, pairings, ratings))
    return 0


def _split(words: Sequence[str]) -> tuple[str, list[str]]:
    """The game and the players' names. ValueError if the game is missing or unknown."""
    if words and _names_a_game(words[0]):
        return words[0], list(words[1:])
    if not words:
        raise ValueError(f"usage: {_USAGE}; players come before flags")
    from pufferc.selfplay.players import game_of_player

    games = [game for word in words if (game := game_of_player(word)) is not None]
    if not games:
        raise ValueError(
            f"give the game first: pufferc match NAME {' '.join(words)}; games: {', '.join(list_envs())}; "
            "or a path such as ./mygame.so"
        )
    return games[0], list(words)


def _names_a_game(word: str) -> bool:
    """Whether a word is a game and not a player. ValueError for a word that is neither."""
    if word.endswith(".so"):
        return True
    if word in list_envs() or not (word.startswith("script:") or word in ("latest", "best") or _is_place(word)):
        env_info(word)
        return True
    return False


def _is_place(word: str) -> bool:
    return "/" in word or Path(word).exists()


def _parse(game: str, words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "pufferc match",
        usage=_USAGE,
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--games", type=int, default=512, help="minimum number of games per pair (default %(default)s)")
    parser.add_argument("--anchor", metavar="PLAYER", help="the player whose rating is 0 (default: the first one)")
    parser.add_argument("--seed", type=int, default=0, help="of games and action draws (default %(default)s)")
    parser.add_argument("--greedy", action="store_true", help="the most probable action instead of a drawn one")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder that latest looks in")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    add_trust_flags(parser)
    add_game_flags(parser, game)
    return parser.parse_args(words)


def _note(pairing: Pairing) -> None:
    print(f"{pairing.a} - {pairing.b}: {pairing.games} games in {pairing.seconds:.1f} s", file=sys.stderr)


def describe(title: str, names: Sequence[str], pairings: Sequence[Pairing], ratings: Ratings) -> str:
    """The result for people: the matrix of mean points, the ratings, and the largest misfit."""
    games = max(pairing.games for pairing in pairings)
    numbers = [str(i + 1) for i in range(len(names))]
    cells = {(p.a, p.b): _points_text(p) for pairing in pairings for p in (pairing, pairing.reversed())}
    rows = [
        [number, name, *(cells.get((name, other), ".") for other in names)]
        for number, name in zip(numbers, names, strict=True)
    ]
    rated = [
        [player.name, "0", "fixed"]
        if player.name == ratings.anchor
        else [player.name, f"{player.rating:+.0f}", f"{player.low:+.0f} to {player.high:+.0f}"]
        for player in ratings.ranked()
    ]
    parts = [
        f"{title}: mean points of the player on the left, {games} games per pair, 95 % intervals",
        table(["", "", *numbers], rows),
        "",
        table(["ratings", "", "95 % interval"], rated),
    ]
    if len(names) > 2:  # one number describes any one pair
        parts += ["", _misfit_text(ratings)]
    left_out = sum(pairing.unfinished for pairing in pairings)
    if left_out:
        parts.append(f"{left_out} games are not counted: they, or the same games with sides exchanged, did not end")
    return "\n".join(parts)


def _points_text(pairing: Pairing) -> str:
    low, high = pairing.interval
    return f"{pairing.mean:.3f} [{low:.2f}, {high:.2f}]" if pairing.games else "no games"


def _misfit_text(ratings: Ratings) -> str:
    misfit = ratings.misfit
    text = (
        f"largest misfit: {misfit.a} got {misfit.points:.3f} points against {misfit.b}, the ratings say "
        f"{misfit.expected:.3f}"
    )
    return text + (", outside the interval: read the matrix" if misfit.outside else "")
