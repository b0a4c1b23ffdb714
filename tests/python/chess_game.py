"""One game of the package chess, for tests of parity. Moves are translated by the numbering that the game documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pufferc.parity import Moment, reference_package

QUEEN_STEPS = [(-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1)]  # (down, right), clockwise from up
KNIGHT_STEPS = [(-2, 1), (-1, 2), (1, 2), (2, 1), (2, -1), (1, -2), (-1, -2), (-2, -1)]


class ChessGame:
    """A board of the package, which ends a game by our rules on draws."""

    def __init__(self) -> None:
        self.chess = reference_package("chess", "chess")
        self.board = self.chess.Board()

    def restart(self) -> None:
        self.board = self.chess.Board()

    def __str__(self) -> str:
        return f"{self.board.fen()}\n{self.board}"

    def place(self, square: int, white: bool) -> tuple[int, int]:
        """(row, column) of a square of the package, seen by one side; row 0 is the farthest."""
        rank, file = self.chess.square_rank(square), self.chess.square_file(square)
        return (7 - rank if white else rank), file

    def choice(self, move: Any) -> int:
        """Our number of a move."""
        white = self.board.turn
        (row, column), (to_row, to_column) = (self.place(s, white) for s in (move.from_square, move.to_square))
        down, right = to_row - row, to_column - column
        if move.promotion in (self.chess.KNIGHT, self.chess.BISHOP, self.chess.ROOK):
            kind = 64 + 3 * (move.promotion - self.chess.KNIGHT) + right + 1
        elif (down, right) in KNIGHT_STEPS:
            kind = 56 + KNIGHT_STEPS.index((down, right))
        else:
            distance = max(abs(down), abs(right))
            kind = 7 * QUEEN_STEPS.index((down // distance, right // distance)) + distance - 1
        return 73 * (8 * row + column) + kind

    def moves(self) -> dict[int, Any]:
        """Legal moves by our numbers."""
        return {self.choice(move): move for move in self.board.legal_moves}

    def step(self, actions: Any, draws: Sequence[Any]) -> None:
        self.board.push(self.moves()[int(actions[0 if self.board.turn else 1])])

    def result(self) -> list[float] | None:
        """Rewards of white and black at the end of a game, None before it."""
        board = self.board
        if board.is_checkmate():
            return [-1.0, 1.0] if board.turn else [1.0, -1.0]
        quiet = board.halfmove_clock >= 100
        drawn = board.is_stalemate() or board.is_insufficient_material() or quiet or board.is_repetition(3)
        return [0.0, 0.0] if drawn else None

    def observation(self, white: bool) -> Any:
        """What one side sees, [9, 8]."""
        board, seen = self.board, np.zeros((9, 8), np.uint8)
        for square, piece in board.piece_map().items():
            code = piece.piece_type + (0 if piece.color == white else 6)
            if board.clean_castling_rights() & self.chess.BB_SQUARES[square]:
                code = 13 if piece.color == white else 14
            seen[self.place(square, white)] = code
        if board.turn == white and board.has_legal_en_passant():
            row, column = self.place(board.ep_square, white)
            seen[row + 1, column] = 15
        earlier = next(count for count in (2, 1, 0) if board.is_repetition(count + 1))
        check = board.turn == white and board.is_check()
        seen[8, :4] = [1 if white else 2, earlier, board.halfmove_clock // 10, check]
        return seen

    def differs(self, ours: Moment) -> str | None:
        """The first difference after a ply."""
        result = self.result()
        if bool(ours.terminated.all()) != (result is not None):
            return f"terminated {ours.terminated}, theirs {result}"
        if not np.array_equal(ours.rewards, result or [0.0, 0.0]):
            return f"rewards, theirs {result}"
        for agent, white in enumerate((True, False)):
            if not np.array_equal(ours.observations[agent], self.observation(white)):
                return f"observation of agent {agent}, theirs\n{self.observation(white)}"
        if result is not None:
            return None
        legal = np.zeros_like(ours.legal)
        mover = 0 if self.board.turn else 1
        legal[1 - mover, 0] = True
        legal[mover, list(self.moves())] = True
        return None if np.array_equal(legal, ours.legal) else f"legal choices, theirs {sorted(self.moves())}"
