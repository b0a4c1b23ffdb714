"""The command line: pufferc envs | train | eval | match | export | play | runs | compare | view | ...

A command imports its modules when it runs, so that `pufferc envs` works without torch. A command that needs packages of
the [train] extra says so when they are missing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module

import pufferc
from pufferc.commands import streams
from pufferc.commands.streams import fail
from pufferc.pictures.renderer import DrawingUnavailable

COMMANDS = (
    *("envs", "train", "eval", "match", "export", "play", "runs", "compare", "view", "sweep", "plot", "bench"),
    *("doctor", "new", "build", "check", "web", "roads", "completion"),
)
_EXTRA = {"torch", "safetensors", "tyro", "tomli"}

_USAGE = """usage: pufferc COMMAND ...

commands:
  envs                    the games: names, sizes, parameters
  train NAME [flags]      train a policy;  pufferc train --help  lists every flag
  eval NAME [flags]       play a trained policy;  pufferc eval NAME --checkpoint latest --episodes 1000
  match PLAYER PLAYER...  every pair of policies and scripts plays;  pufferc match connect4 latest script:2
  export NAME [flags]     a trained policy as one file for C and C++, or ONNX
  play NAME [flags]       play yourself, or watch a policy, in a window
  runs [NAME]             list runs and their results
  compare RUN RUN...      differences of runs, and their results
  view [FOLDER...]        runs and sweeps as one HTML page;  --serve  shows them live
  sweep NAME [flags]      search for better settings with many short runs
  plot RUN...             learning curves of runs as a PNG
  bench [NAME ...]        speed of games and training on this machine
  doctor                  what is installed and built, and why something is missing
  new NAME                a new game: source, configuration and test to start from
  build FILE.c            compile a game;  other commands take it as ./NAME.so
  check ./NAME.so         find mistakes in a game and explain them
  web GAME | FILE.c       a page that plays the game, and a policy, in a browser
  roads convert | build   real roads for the game drive
  completion bash | zsh   completion of commands, games and flags in your shell
  version                 help COMMAND: its flags

In Python: import pufferc; pufferc.make("breakout", num_envs=1024)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; the exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    streams.prepare()
    try:
        code = _run(list(sys.argv[1:] if arguments is None else arguments))
    except SystemExit as end:  # of a parser
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else fail(str(end.code), 2)
        raise SystemExit(streams.finish(code)) from None
    return streams.finish(code)


def _run(words: list[str]) -> int:
    if words[:1] == ["help"] and len(words) > 1:
        words = [*words[1:], "--help"]
    if not words or words[0] in ("-h", "--help", "help"):
        print(_USAGE, end="")
        return 0 if words else 2
    command, rest = words[0], words[1:]
    if command in ("version", "--version"):
        print(f"pufferc {pufferc.__version__}")
        return 0
    if command not in COMMANDS:
        close = get_close_matches(command, COMMANDS, 1)
        return fail(f"unknown command {command!r}" + (f"; did you mean {close[0]!r}?" if close else ""), 2)
    try:
        os.getcwd()
    except FileNotFoundError:  # torch's libraries end the process there while they load
        return fail("the current folder was deleted; change to one that exists", 2)
    try:
        return int(import_module(f"pufferc.commands.{command}").main(rest) or 0)
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] not in _EXTRA:
            raise
        return fail(f"pufferc {command} needs {error.name}; install it with: pip install 'pufferc[train]'", 1)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1
    except DrawingUnavailable as error:
        return fail(str(error), 1)
    except (ValueError, TypeError, ArithmeticError, MemoryError, OSError) as error:
        return fail(str(error) or type(error).__name__, 2)
