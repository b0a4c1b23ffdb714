"""`pufferc check`: finds mistakes in a game."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from pufferc import errors
from pufferc.authoring.build import BuildError
from pufferc.authoring.check import check


def main(words: Sequence[str]) -> int:
    """`pufferc check GAME [--param NAME=VALUE] [--data PATH] [--debug] [--strict] [--json]`; 1 if anything is wrong."""
    parser = argparse.ArgumentParser(
        "pufferc check",
        description="Find mistakes in a game and explain them. Plays the game at random for some seconds.",
    )
    parser.add_argument("game", metavar="GAME", help="./mygame.so, mygame.c (built first), or a built-in game's name")
    parser.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the game")
    parser.add_argument("--data", metavar="PATH", help="a file that the game reads, such as a map")
    parser.add_argument("--debug", action="store_true", help="build with sanitizers first: findings name the line")
    parser.add_argument("--strict", action="store_true", help="warnings count as errors")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(list(words))
    try:
        params = errors.named_numbers("--param", options.param)
        report = check(options.game, params=params, data=options.data, debug=options.debug)
    except BuildError as error:
        print(f"pufferc: {error}", file=sys.stderr)
        return 1
    print(json.dumps(report.as_dict(), indent=1) if options.json else report)
    return 0 if report.ok and not (options.strict and report.count("warning")) else 1
