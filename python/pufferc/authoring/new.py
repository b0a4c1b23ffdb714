"""`pufferc new mygame`: writes the files of a new game.

mygame.c is the whole game: the built-in game `template`, a catcher, under the new name. mygame.toml is the training
configuration, found beside mygame.so. test_mygame.py builds the game, checks its contract and tests one rule.
"""

from __future__ import annotations

import keyword
import os
import re
from pathlib import Path

from pufferc.authoring import sdk
from pufferc.envs.games import list_envs

__all__ = ["new_game"]

_MAX_LETTERS = 31  # of a name, as in the registry
# Keywords of C and C++ that are not keywords of Python.
_C_WORDS = re.compile(
    "alignas|alignof|auto|bool|case|catch|char|class|const|constexpr|default|delete|do|double|enum|explicit|export|extern|"
    "false|float|friend|goto|inline|int|long|main|mutable|namespace|new|noexcept|nullptr|operator|private|protected|"
    "public|register|restrict|short|signed|sizeof|static|struct|switch|template|this|throw|true|typedef|typename|union|"
    "unsigned|using|virtual|void|volatile"
)

_HEAD = """// NAME.c - describe the game in one line. One agent.
//
// Created by `pufferc new NAME`. Until you change it, you slide a paddle to catch falling balls.
//
//   pufferc build NAME.c         makes NAME.so
//   pufferc check ./NAME.so      finds mistakes and explains them
//   pufferc train ./NAME.so      trains a policy, with NAME.toml
//
// Every function below is called by the pool; what the pool takes care of (seeds, episode counts, time
// limits, resets, threads) is listed at the top of pufferc/env.h.
"""

_TOML = """# NAME.toml: how `pufferc train ./NAME.so` trains. Every field: pufferc train ./NAME.so --help
game = "NAME"

[vec]
num_envs = 512  # games side by side

[train]
total_steps = 5_000_000
horizon = 64  # steps of each game per update
learning_rate = 0.05
gamma = 0.97  # rewards of about the next 1 / (1 - gamma) steps count
# The run ends early when the mean score of an evaluation reaches this.
target_score = 90.0
target_episodes = 500
"""

_TEST = '''"""Tests of NAME; run them with: pytest test_NAME.py"""

from pathlib import Path

import numpy as np
import pufferc
import pytest
from pufferc.authoring.build import build
from pufferc.authoring.check import check


@pytest.fixture(scope="session")
def game(tmp_path_factory):
    """NAME.c, built."""
    source = Path(__file__).with_name("NAME.c")
    return build(source, tmp_path_factory.mktemp("build") / "NAME.so")


def test_it_keeps_its_contract(game):
    report = check(game)
    assert report.ok, str(report)


def test_following_the_ball_catches_it(game):
    envs = pufferc.make(game, num_envs=64, seed=1)
    observations, _ = envs.reset()
    for _ in range(300):
        paddle, ball = observations[:, 0], observations[:, 1]
        actions = np.where(ball < paddle - 0.03, 1, np.where(ball > paddle + 0.03, 2, 0))
        observations, rewards, terminated, _, _ = envs.step(actions)
        assert not terminated.any()
        assert (rewards >= 0).all()
'''


def _check_name(name: str) -> None:
    """Raises ValueError with the reason where a game cannot have this name."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        rule = "a lower-case letter followed by lower-case letters, digits and _"
        raise ValueError(f"name: expected {rule}, got {name!r}")
    if len(name) > _MAX_LETTERS:
        raise ValueError(f"name: expected at most {_MAX_LETTERS} letters, got {len(name)}")
    if keyword.iskeyword(name) or _C_WORDS.fullmatch(name):
        raise ValueError(f"name: {name} is a keyword of C or Python; choose another name")
    if name == "pfc" or name.startswith("pfc_"):
        raise ValueError(f"name: names that begin with pfc_ are reserved for pufferc, got {name!r}")
    if name in list_envs():
        raise ValueError(f"name: {name} is a built-in game; choose another name")


def _source(name: str) -> str:
    """The template under the new name: functions mygame_, types MyGame, constants MYGAME_."""
    text = sdk.template().read_text(encoding="utf-8")
    body = text[text.index("#include") :]
    title = "".join(part.capitalize() for part in name.split("_"))
    words = {"template": name, "Template": title, "TEMPLATE": name.upper()}
    body = re.sub("template|Template|TEMPLATE", lambda match: words[match[0]], body)
    body = body.replace("catch falling balls; the starting point for a new game", "catch falling balls")
    return _HEAD.replace("NAME", name) + _align(body)


def _align(text: str) -> str:
    """Aligns line continuations in one column, after names have changed their length."""
    lines = text.split("\n")
    parts = [line[:-1].rstrip() for line in lines if line.endswith("\\")]
    width = max(map(len, parts), default=0) + 2
    return "\n".join(f"{line[:-1].rstrip():<{width}}\\" if line.endswith("\\") else line for line in lines)


def new_game(name: str, folder: str | os.PathLike[str] = ".", *, force: bool = False) -> list[Path]:
    """Writes the three files of a new game into `folder`, which is made if necessary.

    Returns their paths. Raises ValueError for a name that cannot be used, and FileExistsError where one of the files
    exists, unless `force`; then nothing was written.
    """
    _check_name(name)
    place = Path(folder)
    files = {
        place / f"{name}.c": _source(name),
        place / f"{name}.toml": _TOML.replace("NAME", name),
        place / f"test_{name}.py": _TEST.replace("NAME", name),
    }
    there = [str(path) for path in files if path.exists()]
    if there and not force:
        raise FileExistsError(f"{', '.join(there)} exists already; nothing was written (--force overwrites)")
    place.mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
    return list(files)
