"""Choices by mouse in games of turns: a click means the choice that would change the picture there.

A game draws its state, but it does not tell where on the picture a choice is. So each legal choice is tried in a copy
of the game. The pixels that only this choice changes are its place: where the stone would appear, or the word "passed".
"""

from __future__ import annotations

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from pufferc.envs.vector import VecEnv
from pufferc.pictures.renderer import Renderer

_REACH = 0.015  # how far a click may miss, as a share of the picture's larger side; lines of Go 19 x 19 are 0.044 apart


class Pointer:
    """Finds the choice that a click means.

    Args:
        envs: A pool of one masked game with one action dimension, whose state can be saved.
    """

    def __init__(self, envs: VecEnv) -> None:
        self._envs = envs
        self._trial = VecEnv(
            envs.info, num_games=1, num_threads=1, seed=0, autoreset="disabled", data=envs.data, params=envs.params
        )
        self._renderer = Renderer(self._trial)
        self._state = b""
        self._places: dict[int, NDArray[np.intp]] = {}  # of each legal choice: [pixels, 2], row and column

    @staticmethod
    def fits(envs: VecEnv) -> bool:
        """Whether a pool is of the kind that a pointer needs."""
        discrete = isinstance(envs.single_action_space, gym.spaces.Discrete)
        return discrete and envs.action_mask is not None and envs.info.can_save and envs.num_games == 1

    def choice(self, row: int, click: tuple[float, float]) -> int | None:
        """The legal choice of a row that a click at these fractions of the picture means; None if it hits none."""
        state = self._envs.save()
        if state != self._state:
            self._places, self._state = self._find_places(row, state), state
        layout = self._renderer.layout
        at = np.array([click[1] * layout.height, click[0] * layout.width])
        away = {choice: float(np.abs(pixels - at).max(axis=1).min()) for choice, pixels in self._places.items()}
        if not away or min(away.values()) > _REACH * max(layout.width, layout.height):
            return None
        return min(away, key=lambda choice: away[choice])

    def _find_places(self, row: int, state: bytes) -> dict[int, NDArray[np.intp]]:
        masks = self._envs.action_masks()
        legal = [int(choice) for choice in np.flatnonzero(masks[row])]
        actions = masks.argmax(axis=1).astype(np.int32)  # the only choice of the rows that wait
        self._trial.load(state)
        before, changed = self._renderer.render(), []
        for choice in legal:
            self._trial.load(state)
            actions[row] = choice
            self._trial.step(actions)
            changed.append((self._renderer.render() != before).any(axis=2))
        only = np.sum(changed, axis=0) == 1
        places = {choice: np.argwhere(pixels & only) for choice, pixels in zip(legal, changed, strict=True)}
        return {choice: pixels for choice, pixels in places.items() if len(pixels)}
