"""The `render_mode` of an environment: pictures or a window."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pufferc import errors
from pufferc.pictures.panel import Seen
from pufferc.pictures.pool_view import PoolView
from pufferc.pictures.renderer import Renderer
from pufferc.pictures.window import Viewer

__all__ = ["Screen"]


class Screen:
    """Shows pictures ("rgb_array") or a window ("human"), created on first use.

    Args:
        envs: The pool.
        mode: "rgb_array" or "human".
        games: Number of games in the grid of a picture. A window shows one game, selected by keys.
    """

    MODES = ("human", "rgb_array")

    def __init__(self, envs: PoolView, mode: str, games: int = 1) -> None:
        self._envs, self._mode = envs, errors.choice("render_mode", mode, self.MODES)
        self._games = errors.integer("render_games", games, 1, envs.num_games)
        self._renderer: Renderer | None = None
        self._viewer: Viewer | None = None

    def show(self, seen: Seen | None = None) -> NDArray[np.uint8] | None:
        """Returns the picture uint8 [H, W, 3]. In window mode, shows it, waits for the next step, and returns None.

        Does nothing after the user has closed the window.
        """
        if self._mode == "rgb_array":
            self._renderer = self._renderer or Renderer(self._envs, games=self._games)
            return self._renderer.render()
        self._viewer = self._viewer or Viewer(self._envs)
        self._viewer.show(seen)
        return None

    def each(self) -> tuple[NDArray[np.uint8], ...]:
        """A picture uint8 [H, W, 3] for each row of the pool; rows of one game share a picture."""
        renderer = self._renderer = self._renderer or Renderer(self._envs)
        pictures = [renderer.render(first=game) for game in range(self._envs.num_games)]
        return tuple(picture for picture in pictures for _ in range(self._envs.agents))

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._viewer is not None:
            self._viewer.close()
