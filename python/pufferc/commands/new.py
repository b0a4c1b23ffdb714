"""`pufferc new`: start a game."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from pufferc.authoring.new import new_game


def main(words: Sequence[str]) -> int:
    """`pufferc new NAME [--dir FOLDER] [--force]`."""
    parser = argparse.ArgumentParser("pufferc new", description="Start a game: source, configuration, test.")
    parser.add_argument("name", metavar="NAME", help="lower-case letters, digits and _")
    parser.add_argument("--dir", default=".", metavar="FOLDER", help="folder to write to; default: the current one")
    parser.add_argument("--force", action="store_true", help="overwrite files that exist")
    options = parser.parse_args(list(words))
    try:
        files = new_game(options.name, options.dir, force=options.force)
    except FileExistsError as error:
        print(f"pufferc: {error}", file=sys.stderr)
        return 1
    source = files[0]
    module = source.with_suffix(".so")
    print("wrote " + ", ".join(str(path) for path in files))
    print(f"next: pufferc build {source}, then pufferc train {module if os.sep in str(module) else f'./{module}'}")
    return 0
