"""`pufferc build`: compile a game."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pufferc.authoring.build import BuildError, compile_game


def main(words: Sequence[str]) -> int:
    """`pufferc build FILE.c [--out FILE.so] [--debug] [--cc COMPILER]`; 1 when the source does not compile."""
    parser = argparse.ArgumentParser("pufferc build", description="Compile a game's source into a shared object.")
    parser.add_argument("source", type=Path, metavar="FILE.c", help="the game")
    parser.add_argument(
        "--out", type=Path, metavar="FILE.so", help="the file to write; default: FILE.so beside the source"
    )
    parser.add_argument("--debug", action="store_true", help="with AddressSanitizer and UBSan, as FILE.debug.so")
    parser.add_argument("--cc", help="the compiler; default $CC, else cc")
    options = parser.parse_args(list(words))
    try:
        target, warnings = compile_game(options.source, options.out, options.debug, options.cc, show=True)
    except BuildError as error:
        print(f"pufferc: {error}", file=sys.stderr)
        return 1
    if warnings:
        print(warnings, end="", file=sys.stderr)
    path = target if os.sep in str(target) else f"./{target}"
    use = f"pufferc check {path}" if options.debug else f"pufferc check {path}, then pufferc train {path}"
    print(f"built {path}; next: {use}")
    return 0
