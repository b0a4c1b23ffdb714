"""What an environment's `render_mode` shows: pictures or a window."""

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
    """What `render_mode` asks for: pictures ("rgb_array") or a window ("human"), made when first shown.

    Args:
        envs: The pool.
        mode: "rgb_array" or "human".
        games: How many games one picture shows, in a grid. A window shows one, and keys choose which.
    """

    MODES = ("human", "rgb_array")

    def __init__(self, envs: PoolView, mode: str, games: int = 1) -> None:
        self._envs, self._mode = envs, errors.choice("render_mode", mode, self.MODES)
        self._games = errors.integer("render_games", games, 1, envs.num_games)
        self._renderer: Renderer | None = None
        self._viewer: Viewer | None = None

    def show(self, seen: Seen | None = None) -> NDArray[np.uint8] | None:
        """The picture uint8 [H, W, 3]; or None, after the window has shown it and the next step is due.

        Once its user has closed the window, nothing is shown any more.
        """
        if self._mode == "rgb_array":
            self._renderer = self._renderer or Renderer(self._envs, games=self._games)
            return self._renderer.render()
        self._viewer = self._viewer or Viewer(self._envs)
        self._viewer.show(seen)
        return None

    def each(self) -> tuple[NDArray[np.uint8], ...]:
        """A picture uint8 [H, W, 3] for each row of the pool; rows of one game share theirs."""
        renderer = self._renderer = self._renderer or Renderer(self._envs)
        pictures = [renderer.render(first=game) for game in range(self._envs.num_games)]
        return tuple(picture for picture in pictures for _ in range(self._envs.agents))

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._viewer is not None:
            self._viewer.close()
