"""`pufferc web`: a game, and a trained policy, as a page for browsers."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from pufferc import errors
from pufferc.authoring.build import BuildError, build
from pufferc.commands.game_flags import add_game_flags, read_game_flags, split_game
from pufferc.commands.streams import fail
from pufferc.commands.trust import add_trust_flags, allow_imports
from pufferc.envs.games import env_info
from pufferc.web.module import game_source
from pufferc.web.site import write_page


def _policy_of(options: argparse.Namespace, game: str) -> tuple[bytes, dict[str, float]]:
    """The policy file of the checkpoint, and the game's parameters that it was trained with."""
    from pufferc.policies.policy_file import describe_policy
    from pufferc.runs.checkpoint import find_checkpoint, fitting, load_checkpoint, of_game
    from pufferc.training.from_checkpoint import load_policy

    path = find_checkpoint(options.checkpoint, options.runs, game)
    allow_imports(options.trust, options.policy_class, [path])
    checkpoint = of_game(load_checkpoint(path), game)
    with fitting(checkpoint):
        policy, spaces, params = load_policy(checkpoint)
    return describe_policy(policy, spaces, params).to_bytes(), params


def main(words: Sequence[str]) -> int:
    """`pufferc web GAME [--checkpoint PATH] [--out FOLDER] [--env.NAME VALUE ...]`; 1 if a source does not compile."""
    try:
        return _write(words)
    except BuildError as error:
        return fail(str(error), 1)


def _write(words: Sequence[str]) -> int:
    words = list(words)
    own = Path(words[0]) if words and words[0].endswith((".c", ".so")) else None
    if own is not None:  # a game of one's own: its shared object describes it, and its source is built again
        library = build(own.with_suffix(".c"))
        words[0] = str(library) if library.is_absolute() else f"./{library}"
    game, rest = split_game("web", words)
    parser = argparse.ArgumentParser(
        f"pufferc web {game}",
        description="Write a folder with a page that plays the game in a browser: by hand, by the policy, or both. "
        "GAME may be a source of your own, ./mygame.c.",
    )
    parser.add_argument("--checkpoint", help="latest, a run's directory or a checkpoint's; default: no policy")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder that latest looks in")
    parser.add_argument("--out", type=Path, default=Path("page"), help="the folder to write; default: page")
    parser.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="as --env.NAME VALUE")
    add_trust_flags(parser)
    add_game_flags(parser, game)
    options = parser.parse_args(rest)
    params = {**errors.named_numbers("--param", options.param), **read_game_flags(options)}
    policy = None
    if options.checkpoint is not None:
        policy, trained = _policy_of(options, game)
        params = {**trained, **params}
    elif any(row.name == "frames_per_step" for row in env_info(game).params):
        params.setdefault("frames_per_step", 1)  # for a smooth picture, as in `pufferc play`
    source = own.with_suffix(".c") if own is not None else game_source(game)
    page = write_page(game, source, options.out, params=params, policy=policy, data=options.data)
    sizes = f"{page.module_bytes / 1000:.0f} kB of WebAssembly"
    print(f"{page.index}: {sizes}{f', {page.policy_bytes / 1000:.0f} kB of policy' if policy else ''}")
    return 0
