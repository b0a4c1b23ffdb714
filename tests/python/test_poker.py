"""The tool that measures how far a poker policy is from equilibrium (benchmarks/poker_exploitability.py)."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import numpy as np
import pytest

from conftest import ROOT

pytest.importorskip("pyspiel", reason="open-spiel is not installed")


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tool", ROOT / "benchmarks" / "poker_exploitability.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("variant", "states", "expected"), [(0, 12, 0.4583), (1, 936, 2.3736)])
def test_uniform_play(variant: int, states: int, expected: float, tool: ModuleType) -> None:
    game = tool.Game(variant)
    assert len(game.names) == states
    assert game.exploitability(game.table(tool.uniform)) == pytest.approx(expected, abs=1e-3)


def test_an_equilibrium_and_mixtures(tool: ModuleType) -> None:
    """Mixtures of equilibria are equilibria if they weigh each policy by the chance that it gets to a state."""

    def equilibrium(alpha: float) -> dict[str, np.ndarray]:
        bets = {"0": alpha, "1": 0.0, "2": 3 * alpha, "0pb": 0.0, "1pb": alpha + 1 / 3, "2pb": 1.0}
        bets |= {"0p": 1 / 3, "1p": 0.0, "2p": 1.0, "0b": 0.0, "1b": 1 / 3, "2b": 1.0}
        return {name: np.array([1 - bets[name], bets[name]]) for name in game.names}

    game = tool.Game(0)
    tables = [equilibrium(alpha) for alpha in (0.0, 0.1, 1 / 3)]
    for table in (*tables, game.mixture(tables)):
        assert game.exploitability(table) == pytest.approx(0.0, abs=1e-9)
    pure = [dict.fromkeys(game.names, np.eye(2)[choice]) for choice in range(2)]
    mixed = game.mixture([*pure, pure[0]])
    np.testing.assert_allclose(mixed["1"], [2 / 3, 1 / 3])
    np.testing.assert_allclose(mixed["1pb"], [1.0, 0.0])  # only who passes gets here
