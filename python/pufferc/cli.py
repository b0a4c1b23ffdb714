"""The command line: pufferc envs | train | eval | export | play | runs | compare | sweep | plot | bench | doctor.

Only what a command needs is imported, when it is needed: `pufferc envs` works without torch, and a command that wants
the packages of the [train] extra says so when they are missing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pufferc import _streams
from pufferc._startup import quiet_interrupt
from pufferc._streams import fail as _fail
from pufferc.game_flags import add_game_flags, read_game_flags, split_game

_EXTRA = {"torch", "safetensors", "tyro", "tomli"}

_USAGE = """usage: pufferc COMMAND ...

commands:
  envs                    the games: names, sizes, parameters
  train NAME [flags]      train a policy;  pufferc train NAME --help  lists every flag
  eval NAME [flags]       play a trained policy;  pufferc eval NAME --checkpoint latest --episodes 1000
  export NAME [flags]     a trained policy as one file for C and C++, or ONNX
  play NAME [flags]       play yourself, or watch a policy, in a window
  runs [NAME]             what was trained, and how it ended
  compare RUN RUN...      in what runs differ, and how each ended
  sweep NAME [flags]      search for better settings with many short runs
  plot RUN...             learning curves of runs as a picture
  bench [NAME ...]        speed of games and training on this machine
  doctor                  what is installed and built, and what is not and why
  new NAME                a game of your own: source, configuration and test to start from
  build FILE.c            compile a game;  the others take it as ./NAME.so
  check ./NAME.so         look for mistakes in a game, and explain them
  version

In Python: import pufferc; pufferc.make("breakout", num_envs=1024)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; the exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    _streams.prepare()
    try:
        code = _run(list(sys.argv[1:] if arguments is None else arguments))
    except SystemExit as end:  # of a parser
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else _fail(str(end.code), 2)
        raise SystemExit(_streams.finish(code)) from None
    return _streams.finish(code)


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(_USAGE, end="")
        return 0 if words else 2
    command, rest = words[0], words[1:]
    commands: dict[str, Callable[[list[str]], int]] = {
        "envs": _envs,
        "train": _train,
        "eval": _eval,
        "export": _module("export"),
        "play": _module("play"),
        "plot": _module("plot"),
        "runs": _module("runs"),
        "compare": _module("compare"),
        "sweep": _module("sweep.command"),
        "bench": _module("bench"),
        "doctor": _module("doctor"),
        "new": _module("newgame"),
        "build": _module("build"),
        "check": _module("check"),
        "version": _version,
        "--version": _version,
    }
    if command not in commands:
        from difflib import get_close_matches

        close = get_close_matches(command, commands, 1)
        return _fail(f"unknown command {command!r}" + (f"; did you mean {close[0]!r}?" if close else ""), 2)
    try:
        return commands[command](rest)
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] not in _EXTRA:
            raise
        return _fail(f"pufferc {command} needs {error.name}; install it with: pip install 'pufferc[train]'", 1)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1
    except RuntimeError as error:
        from pufferc.render import DrawingUnavailable

        if not isinstance(error, DrawingUnavailable):
            raise
        return _fail(str(error), 1)
    except (ValueError, TypeError, ArithmeticError, MemoryError, OSError) as error:
        return _fail(str(error) or type(error).__name__, 2)


def _version(words: list[str]) -> int:
    import pufferc

    print(f"pufferc {pufferc.__version__}")
    return 0


def _module(name: str) -> Callable[[list[str]], int]:
    """A command whose module has main(words); imported when it is called."""

    def run(words: list[str]) -> int:
        from importlib import import_module

        with quiet_interrupt():
            module = import_module(f"pufferc.{name}")
        return int(module.main(words) or 0)

    return run


# ---- envs ------------------------------------------------------------------------------------------------


def _envs(words: list[str]) -> int:
    import pufferc

    parser = argparse.ArgumentParser("pufferc envs", description="The games, with their parameters.")
    parser.add_argument("name", nargs="*", help="only these games, or the paths of shared objects")
    parser.add_argument("--json", action="store_true", help="as JSON")
    options = parser.parse_args(words)
    found = [pufferc.env_info(name) for name in options.name or pufferc.list_envs()]
    if options.json:
        import dataclasses

        print(json.dumps([dataclasses.asdict(info) for info in found], indent=1))
        return 0
    for info in found:
        print(f"{info.name}  {info.id}: {info.summary}")
        for row in info.params:
            print(f"    {row.name:<14} {row.default!r:<8} {row.help}  [{row.min}, {row.max}]")
        if options.name:
            for what, text in _facts(info):
                print(f"  {what}: {text}")
    return 0


def _facts(info: Any) -> list[tuple[str, str]]:
    """What `pufferc envs NAME` tells of a game besides its parameters, as far as it has it."""
    keys = [f"{' '.join(key.keys)} {key.help}" for key in info.keys]
    masked = info.masked or any(row.name == "masked" for row in info.params)
    facts = [
        ("agents", str(info.agents) if info.agents > 1 else ""),
        ("teams", str(info.teams) if info.teams else ""),
        ("masks", "some choices are illegal at times" if masked else ""),
        ("built-in player", f"levels 0 to {info.levels - 1}" if info.levels else ""),
        ("data", "reads a file, --data PATH" if info.reads_data else ""),
        ("state fields", ", ".join(info.fields)),
        ("keys", "; ".join(keys)),
        ("steps a second to watch", f"{info.fps:g}"),
    ]
    return [fact for fact in facts if fact[1]]


# ---- train -----------------------------------------------------------------------------------------------


def _split_config(words: list[str]) -> tuple[str | None, list[str]]:
    """--config FILE is read before the other flags, since it sets their defaults."""
    kept, path, i = [], None, 0
    while i < len(words):
        if words[i] == "--config" and i + 1 < len(words):
            path, i = words[i + 1], i + 2
        elif words[i].startswith("--config="):
            path, i = words[i].partition("=")[2], i + 1
        else:
            kept.append(words[i])
            i += 1
    return path, kept


def parse_train(game: str, words: list[str], command: str = "train") -> Any:
    """Flags of `pufferc train GAME` as an object with config, runs, resume, weights, quiet and json.

    The flags --env.* are made from the game's own parameter table.
    """
    import dataclasses
    from typing import Annotated

    with quiet_interrupt():
        import tyro

    from pufferc.config import PolicyConfig, TrainConfig, VecConfig, load_config, merge
    from pufferc.registration import env_info

    path, words = _split_config(words)
    config = load_config(game, path)
    kinds: dict[str, type] = {"int": int, "float": float, "bool": bool}
    env_fields = [
        (
            row.name,
            Annotated[kinds[row.type], tyro.conf.arg(help=f"{row.help} [{row.min}, {row.max}]")],
            dataclasses.field(default=config.env.get(row.name, row.default)),
        )
        for row in env_info(game).params
    ]
    env_type = dataclasses.make_dataclass("Env", env_fields, frozen=True)

    # A field of Python cannot be called "class", a flag can.
    own = Annotated[str | None, tyro.conf.arg(name="class", help="A network of your own, as module:Class.")]
    policy_type = dataclasses.make_dataclass("Policy", [("class_", own)], bases=(PolicyConfig,), frozen=True)
    data = Annotated[str | None, tyro.conf.arg(aliases=["--data"], help="The file that the game reads, such as a map.")]
    vec_type = dataclasses.make_dataclass("Vec", [("data", data)], bases=(VecConfig,), frozen=True)

    def flag(kind: Any, text: str, default: Any, name: str | None = None) -> tuple[Any, Any]:
        return Annotated[kind, tyro.conf.arg(help=text, name=name)], dataclasses.field(default=default)

    fields: list[tuple[str, Any, Any]] = [
        ("env", Annotated[env_type, tyro.conf.arg(help="")], dataclasses.field(default_factory=env_type)),
        ("vec", vec_type, dataclasses.field(default=vec_type(**vars(config.vec)))),
        ("policy", policy_type, dataclasses.field(default=policy_type(**vars(config.policy)))),
        ("train", TrainConfig, dataclasses.field(default=config.train)),
        (
            "config",
            *flag(str | None, "TOML file over the game's own configuration, or a variant's name: continuous.", path),
        ),
        ("runs", *flag(Path, "Folder for the run's directory.", Path("runs"))),
        (
            "resume",
            *flag(str | None, "Go on with: latest, a run, or a checkpoint. Its own configuration counts.", None),
        ),
        ("weights", *flag(str | None, "Start from the weights of: latest, best, a run, or a checkpoint.", None)),
        (
            "seeds",
            *flag(str | None, "Several seeds instead of one, a run each: 1,2,3 or 1-5.", None, name="train.seeds"),
        ),
        ("parallel", *flag(int, "Runs at once with train.seeds; they share the cores.", 1)),
        ("quiet", *flag(bool, "No progress lines.", False)),
        ("dashboard", *flag(bool, "A dashboard instead of progress lines, where the terminal can show one.", True)),
        ("json", *flag(bool, "Print the result as JSON.", False)),
    ]
    arguments = dataclasses.make_dataclass("Arguments", fields, frozen=True)
    parsed: Any = tyro.cli(
        arguments, prog=f"pufferc {command} {game}", description=f"Train a policy for {game}.", args=words
    )
    chosen = dataclasses.asdict(parsed.env)
    defaults = {row.name: row.default for row in env_info(game).params}
    tables = {"env": {key: value for key, value in chosen.items() if value != defaults[key] or key in config.env}}
    vec = VecConfig(**vars(parsed.vec))
    if vec.data is not None:
        vec = dataclasses.replace(vec, data=os.path.abspath(os.path.expanduser(vec.data)))
    final = dataclasses.replace(
        merge(config, tables, "flags"), vec=vec, policy=PolicyConfig(**vars(parsed.policy)), train=parsed.train
    )
    return argparse.Namespace(
        config=final,
        runs=parsed.runs,
        resume=parsed.resume,
        weights=parsed.weights,
        seeds=parsed.seeds,
        parallel=parsed.parallel,
        quiet=parsed.quiet,
        dashboard=parsed.dashboard,
        json=parsed.json,
    )


def _train(words: list[str]) -> int:
    if os.environ.get("WORLD_SIZE", "1") != "1":
        from pufferc.distributed import process_rank

        if process_rank():
            return _follow(words)
    game, words = split_game("train", words)
    options = parse_train(game, words)
    with quiet_interrupt():
        from pufferc.checkpoint import find_checkpoint, load_game_checkpoint
        from pufferc.distributed import LostRank
        from pufferc.ppo import NotFinite
        from pufferc.train import summary, train

    resume, weights = (
        find_checkpoint(name, options.runs, game) if name is not None else None
        for name in (options.resume, options.weights)
    )
    for path in (resume, weights):
        if path is not None:
            load_game_checkpoint(path, game)  # refuses what is damaged or of another game before anything starts
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
        return _fail(f"training stopped: {error}; the last checkpoint stands. A lower train.learning_rate may help", 1)
    except LostRank as error:
        return _fail(f"training stopped: {error}", 1)
    if options.json:
        print(json.dumps(result.as_dict(), indent=1))
    else:
        print(summary(result))
    return 130 if result.outcome == "interrupted" else 0


def _follow(words: list[str]) -> int:
    """`train` in a process that torchrun started as another than the first one, which does all the talking."""
    from pufferc.distributed import LostRank
    from pufferc.train import train

    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        parse_train(*split_game("train", words))  # leaves where the first process does
    try:
        train()
    except LostRank as error:
        return _fail(f"training stopped: {error}", 1)
    except Exception:
        return 1
    return 0


def _train_seeds(options: argparse.Namespace, weights: Path | None) -> int:
    from pufferc.seeds import exit_code, parse_seeds, summary, train_seeds

    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise ValueError("train.seeds: torchrun's processes make one run together; leave it out for seeds")
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


# ---- eval ------------------------------------------------------------------------------------------------


def _eval(words: list[str]) -> int:
    game, words = split_game("eval", words)
    parser = argparse.ArgumentParser(
        f"pufferc eval {game}",
        description="Play a trained policy and report the mean score over the first episodes of every row. The game's "
        "parameters and file are those of the training unless given.",
    )
    parser.add_argument("--checkpoint", default="latest", help="latest, best, a run (or RUN/best), or a checkpoint")
    parser.add_argument("--episodes", type=int, default=1000, help="at least this many (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of games and action draws (default %(default)s)")
    parser.add_argument("--greedy", action="store_true", help="the most probable action instead of a drawn one")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder that latest looks in")
    parser.add_argument("--record", metavar="FILE", help="also write what is seen to a .gif, .mp4 or .png")
    parser.add_argument("--record-steps", type=int, default=600, help="steps recorded at most (default %(default)s)")
    parser.add_argument("--device", help="cpu, cuda, ...; default as trained")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    add_game_flags(parser, game)
    options = parser.parse_args(words)
    params = read_game_flags(options)

    with quiet_interrupt():
        from pufferc.checkpoint import find_checkpoint, load_game_checkpoint
        from pufferc.train import describe
        from pufferc.trainer import play_checkpoint

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
    """A function that writes one game of a checkpoint's policy to a picture file. What cannot work is refused now."""
    from functools import partial

    from pufferc.agents import CheckpointAgent
    from pufferc.record import check_recording, record

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
