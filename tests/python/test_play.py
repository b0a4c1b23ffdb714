"""Playing by hand without a window: whose turn it is, keys, opponents. test_window.py presses real keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pufferc
from own_games import build_duel, needs_compiler
from pufferc.commands import play as command
from pufferc.commands.main import main
from pufferc.pictures.window import KEYS
from pufferc.watch import play as module
from pufferc.watch.players import Choice
from pufferc.watch.pointer import Pointer


class FakeViewer:
    """A window whose person presses the next key whenever the game waits, and closes it after the last one."""

    keys: Iterator[str]
    made: list[FakeViewer]

    def __init__(self, envs: pufferc.VecEnv, *, fps: float | None = None, paused: bool = False) -> None:
        self.envs, self.env, self.closed, self.player = envs, 0, False, ""
        self.pressed: list[int] = []
        self.clicked: tuple[float, float] | None = None
        self.taken: set[int] = set()
        self.hints: Sequence[Any] = ()
        self.notes: list[str] = []
        self.steps: list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]] = []  # actions; rows forced before them
        self.forced: np.ndarray[Any, Any] | None = None
        self.waits, self.latest = 0, None
        self.made.append(self)

    def __enter__(self) -> FakeViewer:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, seen: Any) -> bool:
        self.pressed, self.clicked = [], None
        if seen.actions is not None and seen is not self.latest and self.forced is not None:
            self.steps.append((np.array(seen.actions), self.forced))
        self.latest = seen
        self.forced = None if self.envs.forced is None else self.envs.forced.copy()
        return not self.closed

    def wait(self, until: Callable[[], bool], seen: Any) -> bool:
        self.waits += 1
        while not until():
            key = next(self.keys, None)
            if key is None:
                self.closed = True
                return False
            if "," in key:
                x, y = key.split(",")
                self.clicked = float(x), float(y)
            elif key in ("[", "]"):
                self.env = (self.env + 1) % self.envs.num_envs
            else:
                self.pressed.append(KEYS[key])
        return True

    def linger(self, seconds: float, seen: Any) -> bool:
        return True

    def note(self, text: str) -> None:
        self.notes.append(text)

    def held(self, key: str) -> bool:
        return False


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeViewer]:
    """Play a game with these keys; the window after that."""
    monkeypatch.setattr(module, "Viewer", FakeViewer)

    def run(game: Any, keys: str, **options: Any) -> FakeViewer:
        FakeViewer.keys, FakeViewer.made = iter(keys.split()), []
        module.play(game, seed=1, **options)
        return FakeViewer.made[0]

    return run


def test_a_game_of_turns_waits_for_the_person(window: Callable[..., FakeViewer]) -> None:
    pytest.importorskip("torch")
    from pufferc.selfplay.players import ScriptPlayer

    shown = window("connect4", "x 4 4 1", opponent=ScriptPlayer(2))  # x is no key of the game
    assert shown.waits == 4  # three moves, then the window is closed
    moves = [int(actions[0]) for actions, forced in shown.steps if not forced[0]]
    replies = [int(actions[1]) for actions, forced in shown.steps if not forced[1]]
    assert moves == [3, 3, 0] and len(replies) == 3
    assert all(actions[forced].tolist() == [0] for actions, forced in shown.steps)
    envs = pufferc.make("connect4", seed=1)
    envs.reset()
    for step, (actions, _) in enumerate(shown.steps):
        assert actions[1] == envs.script(2, [1], seed=0, step=2**62 + step)[0]
        envs.step(actions)


def test_an_illegal_key_is_explained_and_a_key_gets_another_agent(window: Callable[..., FakeViewer]) -> None:
    """The agent fills column 3 together with the person, and then plays in the first one."""

    class Third:
        def act(self, observations: Any, action_mask: Any) -> Choice:
            return Choice(np.where(action_mask[:, 0] >> 2 & 1, 2, 0).astype(np.int32), None)

        def restart(self, ended: Any) -> None:
            pass

    shown = window("connect4", "3 3 3 3 5 ] 6 6", agent=Third())
    assert [note for note in shown.notes if "allowed" in note] == ["column 3: not allowed now"]
    movers = [int(np.flatnonzero(~forced)[0]) for _, forced in shown.steps]
    moves = [int(actions[mover]) for (actions, _), mover in zip(shown.steps, movers, strict=True)]
    # After the key ] the person has the second side, and the agent the first one.
    assert movers == [0, 1] * 6 + [0] and moves == [2, 2, 2, 2, 2, 2, 4, 0, 0, 5, 0, 5, 0]


def test_a_click_chooses_where_the_stone_will_be(window: Callable[..., FakeViewer]) -> None:
    """Clicks in the picture's margin and below the next stone of a column mean nothing."""

    def cell(column: int, row: int) -> str:
        return f"{(30 + 60 * (column + 0.5)) / 480},{(88 + 60 * (row + 0.5)) / 480}"

    class First:
        def act(self, observations: Any, action_mask: Any) -> Choice:
            return Choice(np.zeros(len(observations), np.int32), None)

        def restart(self, ended: Any) -> None:
            pass

    clicks = [cell(6, 5), "0.01,0.01", cell(0, 5), cell(0, 4), cell(3, 5)]
    shown = window("connect4", " ".join(clicks), agent=First())
    assert [int(actions[0]) for actions, forced in shown.steps if not forced[0]] == [6, 0, 3]


def test_every_point_of_a_go_board_can_be_clicked_and_passing_too() -> None:
    envs = pufferc.make("go", num_games=1, num_threads=1, seed=1, autoreset="disabled", size=7)
    envs.reset()
    pointer = Pointer(envs)
    pitch = (480 - 24) / 7
    for ply in range(4):
        row = ply % 2
        legal = envs.action_masks()[row]
        for point in range(49):
            x, y = 12 + pitch * (point % 7 + 0.5), 72 + pitch * (point // 7 + 0.5)
            chosen = pointer.choice(row, (x / 480, y / 540))
            assert chosen == (point if legal[point] else None), point
        assert pointer.choice(row, ((150 if row == 0 else 376) / 480, 36 / 540)) == 49  # "taken, passed"
        actions = np.zeros(2, np.int32)
        actions[1 - row] = envs.action_masks()[1 - row].argmax()
        actions[row] = 8 + 10 * ply
        envs.step(actions)


@needs_compiler
def test_a_checkpoint_is_the_opponent_in_a_game_of_turns(window: Callable[..., FakeViewer], tmp_path: Path) -> None:
    """Without turns it plays for the person while no key is down."""

    class First:
        """Makes the first legal choice of duel's 3 and 34, or choice 1 without masks; counts its steps."""

        steps = 0

        def act(self, observations: Any, action_mask: Any = None) -> Choice:
            self.steps += 1
            if action_mask is None:
                return Choice(np.ones(len(observations), np.int32), None)
            legal = np.unpackbits(action_mask.view(np.uint8), axis=1, bitorder="little")
            return Choice(np.stack([legal[:, :3].argmax(1), legal[:, 3:37].argmax(1)], 1).astype(np.int32), None)

        def restart(self, ended: Any) -> None:
            pass

    agent = First()
    shown = window(build_duel(tmp_path), "c c c", agent=agent, params={"decay": 0.0})
    own = [actions[0] for actions, forced in shown.steps if not forced[0]]
    assert len(own) == 3 and all(action[0] == 1 for action in own)
    assert any(not forced[1] for _, forced in shown.steps) and agent.steps == len(shown.steps)
    agent.steps = 0
    shown = window("pong", "", agent=agent, params={"players": 2}, steps=20)
    assert shown.waits == 0 and agent.steps >= 20


def test_a_policy_can_play_for_the_person_against_an_opponent(window: Callable[..., FakeViewer]) -> None:
    pytest.importorskip("torch")
    from pufferc.selfplay.players import ScriptPlayer

    class Sixth:
        def act(self, observations: Any, action_mask: Any) -> Choice:
            return Choice(np.where(action_mask[:, 0] >> 5 & 1, 5, 0).astype(np.int32), None)

        def restart(self, ended: Any) -> None:
            pass

    shown = window("connect4", "", agent=Sixth(), opponent=ScriptPlayer(0), steps=7)
    assert shown.waits == 0
    assert [int(actions[0]) for actions, forced in shown.steps if not forced[0]][:3] == [5, 5, 5]


def test_the_command_finds_the_opponent_and_its_world(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any
) -> None:
    pytest.importorskip("torch")
    from test_match import SHORT, checkpoint, exported

    called: dict[str, Any] = {}

    def fake(game: str, **options: Any) -> list[float]:
        called.update(options)
        return []

    monkeypatch.setattr(command, "play", fake)
    assert main(["play", "moba", "--opponent", "script:1", "--env.max-steps", "50"]) == 0
    assert called["opponent"].name == "script:1" and called["params"] == {"max_steps": 50} and called["agent"] is None
    file = str(exported(tmp_path / "pong.pfc", "pong", SHORT))
    assert main(["play", "pong", "--opponent", file]) == 0
    assert called["opponent"].name == file and called["params"] == SHORT
    run = str(checkpoint(tmp_path / "run", "pong", {**SHORT, "points": 3}))
    assert main(["play", "pong", "--opponent", file, "--checkpoint", run]) == 0
    assert called["agent"].params == called["params"] == {**SHORT, "points": 3}
    for words, message in (
        (["pong", "--env.players", "2", "--opponent", "script:0"], "no script:0: pong has no script"),
        (["moba", "--opponent", file], "is of pong version 1, not of moba"),
        (["pong", "--opponent", "nowhere"], "neither a checkpoint nor a run"),
    ):
        assert main(["play", *words]) == 2
        assert message in capsys.readouterr().err
