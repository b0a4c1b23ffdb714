"""Games of one's own for tests: made by `pufferc new`, changed a little, and compiled."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pufferc import newgame
from pufferc.build import build

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc) on this machine")


def write_game(folder: Path, name: str = "catcher", *changes: tuple[str, str]) -> Path:
    """The source of a new game with words of it replaced; each must be there."""
    source = newgame.new_game(name, folder, force=True)[0]
    text = source.read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    source.write_text(text)
    return source


def build_game(folder: Path, name: str = "catcher", *changes: tuple[str, str]) -> Path:
    """The same, compiled."""
    return build(write_game(folder, name, *changes))
