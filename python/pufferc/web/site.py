"""Writes the folder of a page: index.html, page.css, engine.js, page.js, and game.js with the game and its policy.

Browsers let a page that was opened from disk read no other files than scripts and styles, so game.js holds the module
and the policy file as base64.
"""

from __future__ import annotations

import base64
import html
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from pufferc.envs.games import Game
from pufferc.envs.spaces import choice_counts
from pufferc.envs.vector import VecEnv
from pufferc.web.module import build_core, build_module, find_tools, needs_box2d

__all__ = ["Page", "describe", "write_page"]

_TEMPLATE = Path(__file__).parent / "page"
_COPIED = ("page.css", "engine.js", "page.js")


@dataclass(frozen=True)
class Page:
    """A written page: its first file, and the bytes of the module without the policy, and of the policy."""

    index: Path
    module_bytes: int
    policy_bytes: int


def describe(game: Game, params: Mapping[str, Any], data: str | None) -> dict[str, Any]:
    """What the page's script knows about a game with these parameters, as JSON values."""
    envs = VecEnv(game, num_games=1, num_threads=1, data=data, params=dict(params))
    try:
        info, space = envs.info, envs.single_action_space
        continuous = isinstance(space, gym.spaces.Box)
        counts = [] if continuous else [int(count) for count in choice_counts(space)]
        return {
            "name": info.name,
            "title": info.title,
            "summary": info.summary,
            "version": info.version,
            "rows": envs.num_envs,
            "continuous": continuous,
            "counts": counts,
            "dims": int(np.prod(space.shape or ())) if continuous else len(counts),
            "masked": envs.action_mask is not None,
            "dtype": str(envs.single_observation_space.dtype),
            "size": int(np.prod(envs.single_observation_space.shape or (1,))),
            "observation": [asdict(row) for row in envs.observation_rows],
            "metrics": list(info.metrics),
            "keys": [asdict(key) for key in info.keys],
            "idle": info.idle,
            "levels": info.levels,
            "fps": info.fps / float(envs.params.get("frames_per_step", 1)),
            "params": {name: float(value) for name, value in params.items()},
        }
    finally:
        envs.close()


def _text(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode("ascii")


def write_page(
    game: Game,
    source: Path,
    out: Path,
    *,
    params: Mapping[str, Any],
    policy: bytes | None = None,
    data: str | None = None,
) -> Page:
    """Builds the game and writes its page.

    Args:
        game: The game: a name, or the path of a shared object that was made from `source`.
        source: The game's C source.
        out: The folder; it is created, and files of an earlier page are replaced.
        params: Parameters of the game.
        policy: A policy file (`pufferc export`) that was trained with these parameters.
        data: Path of the file that the game reads.

    Raises:
        BuildError: There is no compiler for WebAssembly, or it failed.
        ValueError: The game cannot run in a page.
    """
    if needs_box2d(source):
        raise ValueError(f"{source.stem}: games on Box2D run on CPUs only, not in a page")
    about = describe(game, params, data)
    with tempfile.TemporaryDirectory(prefix="pufferc-web-") as folder:
        tools = find_tools()
        module = build_module(tools, source, build_core(tools, Path(folder)), Path(folder) / "game.wasm").read_bytes()
    files = {"module": module, "policy": policy, "data": None if data is None else Path(data).read_bytes()}
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**about, **{name: _text(content) for name, content in files.items()}})
    (out / "game.js").write_text(f"const PUFFERC_GAME = {text};\n", encoding="utf-8")
    for name in _COPIED:
        shutil.copyfile(_TEMPLATE / name, out / name)
    index = (_TEMPLATE / "index.html").read_text(encoding="utf-8").replace("TITLE", html.escape(str(about["title"])))
    (out / "index.html").write_text(index, encoding="utf-8")
    return Page(out / "index.html", len(module), len(policy or b""))
