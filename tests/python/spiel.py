"""OpenSpiel's games as references for `pufferc.parity.lockstep`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pufferc.parity import Moment, reference_package


class SpielGame:
    """A game of OpenSpiel in which players take turns, or one player acts.

    Args:
        game: Its name and parameters, "go(board_size=5)".
        players: Rows of one game of ours.
    """

    def __init__(self, game: str, players: int = 2) -> None:
        self.game = reference_package("pyspiel", "open-spiel").load_game(game)
        self.players = players
        self.state = self.game.new_initial_state()

    def __str__(self) -> str:
        return str(self.state)

    def restart(self, chances: Sequence[int] = ()) -> None:
        """Start an episode; chances: outcomes of its first chance nodes."""
        self.state = self.game.new_initial_state()
        self.apply_chances(chances)

    def apply_chances(self, outcomes: Sequence[int]) -> None:
        for outcome in outcomes:
            assert self.state.is_chance_node(), "the reference draws less often than our game"
            self.state.apply_action(int(outcome))
        assert not self.state.is_chance_node(), "the reference draws more often than our game"

    def step(self, actions: Any, draws: Sequence[int]) -> None:
        self.state.apply_action(int(actions[self.state.current_player()]))
        self.apply_chances(draws)

    def differs(self, ours: Moment, most: float = 1.0) -> str | None:
        """The first difference in end, rewards and legal choices. Our rewards are theirs / most."""
        over = self.state.is_terminal()
        if bool(ours.terminated.all()) != over or bool(ours.terminated.any()) != over:
            return f"terminated {ours.terminated}, theirs {over}"
        expected = np.array(self.state.returns(), np.float32) / most
        if not np.allclose(ours.rewards, expected, rtol=1e-6):
            return f"rewards {ours.rewards}, theirs {expected}"
        if over:
            return None
        legal = np.zeros_like(ours.legal)
        legal[:, 0] = np.arange(self.players) != self.state.current_player()  # whoever waits may choose 0
        legal[self.state.current_player(), self.state.legal_actions()] = True
        if not np.array_equal(legal, ours.legal):
            return f"legal choices {np.argwhere(ours.legal).tolist()}, theirs {np.argwhere(legal).tolist()}"
        return None
