"""Games agree step by step with reference packages (pufferc[parity]), and the harness finds differences.

A game whose package is not installed is skipped with the package's name. PUFFERC_TEST_PARITY=1 plays many more games.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import pufferc
from chess_game import ChessGame
from conftest import GAMES, MakePool
from pufferc.envs.spaces import sample_legal
from pufferc.parity import Agreement, Difference, Draws, MissingReference, Moment, lockstep, reference_package
from spiel import SpielGame
from tetris_model import Tetris
from warehouse_game import SIZES, Warehouse

LONG = os.environ.get("PUFFERC_TEST_PARITY") == "1"


# ---- the games -----------------------------------------------------------------------------------------------


def connect4_difference(ours: Moment, theirs: SpielGame) -> str | None:
    if found := theirs.differs(ours):
        return found
    for agent in range(2):
        planes = np.asarray(theirs.state.observation_tensor(agent)).reshape(3, 6, 7)[:, ::-1]  # from the top
        board = ours.observations[agent]
        own, other = (board == 1, board >= 2) if agent == 0 else (board >= 2, board == 1)
        if not np.array_equal(planes, [own, other, board == 0]):
            return f"board of agent {agent}"
    return None


def connect4() -> Agreement:
    games = 100
    return lockstep(
        pufferc.make("connect4", num_games=games, num_threads=1, autoreset="disabled", seed=3),
        [SpielGame("connect_four") for _ in range(games)],
        copy=lambda _, theirs: theirs.restart(),
        compare=connect4_difference,
        actions=None,
        steps=2200 if LONG else 88,
    )


class Spiel2048(SpielGame):
    """OpenSpiel's 2048, whose chance nodes get our new tiles. The draws are our board's exponents."""

    def __init__(self) -> None:
        super().__init__("2048(max_tile=131072)", players=1)

    @property
    def exponents(self) -> Any:
        values = np.asarray(self.state.observation_tensor(0), np.int64)
        return np.where(values > 0, np.log2(np.maximum(values, 1)).round(), 0).astype(np.int64)

    def copy(self, ours: Moment) -> None:
        tiles = enumerate(ours.state("board"))
        self.restart([2 * cell + exponent - 1 for cell, exponent in tiles if exponent])

    def changes(self, move: int) -> bool:
        after = self.state.clone()
        after.apply_action(move)
        return after.observation_tensor(0) != self.state.observation_tensor(0)

    def step(self, actions: Any, draws: Sequence[int]) -> None:
        self.state.apply_action(int(actions[0]))
        cell = int(np.flatnonzero(self.exponents != np.asarray(draws))[0])
        self.apply_chances([2 * cell + int(draws[cell]) - 1])


def g2048_difference(ours: Moment, theirs: Spiel2048) -> str | None:
    """Legal is what changes the reference's board. Its own list (2.0.2) lacks moves that only merge tiles which were
    merged in the move before, in one position of twenty.
    """
    if not np.array_equal(ours.observations[0].ravel(), theirs.exponents):
        return "board"
    if ours.state("score") != theirs.state.returns()[0]:
        return f"score, theirs {theirs.state.returns()}"
    if bool(ours.terminated[0]) != theirs.state.is_terminal():
        return "end"
    if not ours.ended and [theirs.changes(move) for move in range(4)] != ours.legal[0].tolist():
        return f"legal moves {ours.legal[0]}"
    return None


def g2048() -> Agreement:
    games = 20
    return lockstep(
        pufferc.make("g2048", num_games=games, num_threads=1, autoreset="disabled", seed=5),
        [Spiel2048() for _ in range(games)],
        copy=lambda ours, theirs: theirs.copy(ours),
        compare=g2048_difference,
        actions=None,
        steps=6000 if LONG else 250,
        draws=lambda ours: ours.state("board"),
    )


class SpielPoker(SpielGame):
    """Kuhn's or Leduc poker with our cards. The draw is the open card, which only Leduc poker has."""

    def __init__(self, variant: int) -> None:
        super().__init__(("kuhn_poker", "leduc_poker")[variant])
        self.most = (2.0, 13.0)[variant]

    def step(self, actions: Any, draws: Sequence[int]) -> None:
        self.state.apply_action(int(actions[self.state.current_player()]))
        if self.state.is_chance_node():
            self.apply_chances(draws)


def poker_difference(ours: Moment, theirs: SpielPoker) -> str | None:
    for agent in range(2):
        if not np.array_equal(ours.observations[agent], theirs.state.information_state_tensor(agent)):
            return f"observation of agent {agent}: {theirs.state.information_state_tensor(agent)}"
    return theirs.differs(ours, theirs.most)


def poker(variant: int) -> Agreement:
    games = 100
    return lockstep(
        pufferc.make("poker", num_games=games, num_threads=1, autoreset="disabled", seed=6, variant=variant),
        [SpielPoker(variant) for _ in range(games)],
        copy=lambda ours, theirs: theirs.restart(ours.state("card")),
        compare=poker_difference,
        actions=None,
        steps=1000 if LONG else 40,
        draws=lambda ours: [ours.state("open")],
    )


def go_difference(ours: Moment, theirs: SpielGame) -> str | None:
    size = ours.observations.shape[2]
    black, white, empty = np.asarray(theirs.state.observation_tensor(0)).reshape(4, size, size)[:3]
    board = ours.state("color")[: (size + 1) * (size + 1)].reshape(size + 1, size + 1)[1:, :size]  # without the edges
    if not np.array_equal([board == 1, board == 2, board == 0], [black, white, empty]):
        return "board"
    return theirs.differs(ours)


def go(size: int, games: int, steps: int) -> Agreement:
    return lockstep(
        pufferc.make("go", num_games=games, num_threads=1, autoreset="disabled", seed=8, size=size, superko=False),
        [SpielGame(f"go(board_size={size},komi=7.5)") for _ in range(games)],
        copy=lambda _, theirs: theirs.restart(),
        compare=go_difference,
        actions=None,
        steps=steps,
    )


def chess() -> Agreement:
    games = 20
    return lockstep(
        pufferc.make("chess", num_games=games, num_threads=1, autoreset="disabled", seed=12, max_steps=0),
        [ChessGame() for _ in range(games)],
        copy=lambda _, theirs: theirs.restart(),
        compare=lambda ours, theirs: theirs.differs(ours),
        actions=None,
        steps=12_000 if LONG else 500,
    )


def tetris_difference(ours: Moment, theirs: Tetris) -> str | None:
    if bool(ours.terminated[0]) != theirs.over:
        return "end"
    if not np.array_equal(ours.observations[0], theirs.observation()):
        return f"observation, theirs {theirs.observation()}"
    if (ours.state("lines"), ours.state("score")) != (theirs.lines, theirs.score):
        return f"lines or score, theirs {theirs.lines}, {theirs.score}"
    if abs(float(ours.rewards[0]) - theirs.reward) > 1e-6:
        return f"reward, theirs {theirs.reward}"
    if not ours.ended and not np.array_equal(ours.legal[0], theirs.legal()):
        return f"legal choices, theirs {theirs.legal()}"
    return None


def tetris_choices(envs: pufferc.VecEnv, generator: np.random.Generator) -> Any:
    """Random legal choices, few of them hard drops: half of the games last until garbage rises."""
    drop = generator.random(envs.num_envs) < 0.03
    chosen = sample_legal(envs.single_action_space, envs.action_masks() & (np.arange(7) != 5), generator)
    return np.where(drop, 5, chosen)


def tetris() -> Agreement:
    games = 50
    return lockstep(
        pufferc.make("tetris", num_games=games, num_threads=1, autoreset="disabled", seed=9, masked=True, shaping=True),
        [Tetris() for _ in range(games)],
        copy=lambda ours, theirs: theirs.restart(ours.state("bag"), True),
        compare=tetris_difference,
        actions=tetris_choices,
        steps=20_000 if LONG else 1000,
        draws=lambda ours: [ours.state("bag"), [ours.state("rows")[19] >> (3 + x) & 1 for x in range(10)]],
    )


def warehouse_pool(size: str, agents: int, games: int) -> pufferc.VecEnv:
    rows, columns = SIZES[size]
    return pufferc.make(
        "rware",
        num_games=games,
        num_threads=1,
        autoreset="disabled",
        seed=11,
        agents=agents,
        shelf_rows=rows,
        shelf_columns=columns,
    )


def rware(size: str, agents: int, steps: int) -> Agreement:
    theirs = [Warehouse(size, agents) for _ in range(2)]
    agreement = lockstep(
        warehouse_pool(size, agents, 2),
        theirs,
        copy=lambda ours, warehouse: warehouse.copy(ours.state),
        compare=lambda ours, warehouse: warehouse.differs(ours),
        actions=lambda envs, random: random.choice(5, envs.num_envs, p=[0.05, 0.55, 0.12, 0.12, 0.16]),
        steps=steps,
        draws=lambda ours: ours.state("drawn"),
    )
    return with_ties(agreement, theirs)


def with_ties(agreement: Agreement, theirs: Sequence[Warehouse]) -> Agreement:
    """The agreement, where steps with ties count as copies."""
    ties = sum(warehouse.ties for warehouse in theirs)
    return dataclasses.replace(agreement, steps=agreement.steps - ties, copies=ties)


def rware_jams(jams: int) -> Agreement:
    """8 agents within 4 x 3 cells, most of them on their way forwards: chains, rings, swaps and blocks."""
    games, agents, stride = 20, 8, 12
    theirs = [Warehouse("tiny", agents) for _ in range(games)]
    block = np.array([stride * y + x for y in range(3) for x in range(4)])

    def jam(envs: pufferc.VecEnv, random: np.random.Generator) -> Any:
        corner = stride * random.integers(1, 10, (games, 1)) + random.integers(1, 8, (games, 1))
        at = np.array([random.choice(block, agents, replace=False) for _ in range(games)]) + corner
        state = {name: np.zeros_like(envs.state(name)) for name in ("at", "robot", "carrying", "heading")}
        envs.reset()
        state["shelf"] = envs.state("shelf")
        np.put_along_axis(state["robot"], at, np.arange(1, agents + 1, dtype=np.uint8)[None], axis=1)
        state["at"][:, :agents] = at
        state["heading"][:, :agents] = random.integers(0, 4, at.shape)
        has_shelf = np.take_along_axis(state["shelf"], at, axis=1) > 0
        state["carrying"][:, :agents] = has_shelf & (random.random(at.shape) < 0.5)
        for name, values in state.items():
            envs.set_state(name, values)
        for game, warehouse in enumerate(theirs):
            warehouse.copy(lambda name, game=game: state[name][game])  # type: ignore[misc]
        return np.where(random.random(envs.num_envs) < 0.9, 1, 0)

    agreement = lockstep(
        warehouse_pool("tiny", agents, games),
        theirs,
        copy=lambda ours, warehouse: warehouse.copy(ours.state),
        compare=lambda ours, warehouse: warehouse.differs(ours),
        actions=jam,
        steps=jams // games,
        draws=lambda ours: ours.state("drawn"),
    )
    return with_ties(agreement, theirs)


@dataclass(frozen=True)
class Parity:
    """A game that has a reference, the least number of ends to be seen, and how to play."""

    game: str
    episodes: int
    play: Callable[[], Agreement]


PARITY = {
    "chess": Parity("chess", 500 if LONG else 10, chess),
    "connect4": Parity("connect4", 300, connect4),
    "g2048": Parity("g2048", 20, g2048),
    "poker, Kuhn's": Parity("poker", 1200, lambda: poker(0)),
    "poker, Leduc": Parity("poker", 600, lambda: poker(1)),
    "go, 5 x 5": Parity("go", 100, lambda: go(5, 20, 12_500 if LONG else 250)),
    "go, 9 x 9": Parity("go", 8, lambda: go(9, 8, 30_000 if LONG else 170)),
    "rware, tiny, 2 agents": Parity("rware", 2, lambda: rware("tiny", 2, 10_000 if LONG else 500)),
    "rware, small, 4 agents": Parity("rware", 2, lambda: rware("small", 4, 10_000 if LONG else 500)),
    "rware, tiny, 8 agents": Parity("rware", 2, lambda: rware("tiny", 8, 10_000 if LONG else 500)),
    "rware, traffic jams": Parity("rware", 0, lambda: rware_jams(2000)),
    "tetris": Parity("tetris", 50, tetris),
    "go, 19 x 19": Parity("go", 1, lambda: go(19, 1, 50_000 if LONG else 723)),
}


@pytest.mark.parametrize("label", PARITY)
def test_a_game_agrees_with_its_reference(label: str) -> None:
    parity = PARITY[label]
    if parity.game not in GAMES:
        pytest.skip(f"built without {parity.game}")
    try:
        agreement = parity.play()
    except MissingReference as error:
        pytest.skip(str(error))
    print(agreement)
    assert agreement.episodes >= parity.episodes


def histories(state: Any, chances: tuple[int, ...] = (), choices: tuple[int, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """(cards dealt, choices, chips won) of every history of a poker game."""
    if state.is_terminal():
        yield chances, choices, state.returns()
        return
    for action in state.legal_actions():
        way = ((*chances, action), choices) if state.is_chance_node() else (chances, (*choices, action))
        yield from histories(state.child(action), *way)


@pytest.mark.parametrize(("variant", "count"), [(0, 30), (1, 5520)])
def test_every_history_of_poker_is_paid_as_in_the_reference(variant: int, count: int, pool: MakePool) -> None:
    if "poker" not in GAMES:
        pytest.skip("built without poker")
    spiel = pytest.importorskip("pyspiel", reason="open-spiel is not installed")
    found = list(histories(spiel.load_game(("kuhn_poker", "leduc_poker")[variant]).new_initial_state()))
    assert len(found) == count
    env = pool("poker", num_games=count, variant=variant, autoreset="disabled")
    env.reset()
    env.set_state("card", [cards[:2] for cards, _, _ in found])
    spare = [next(card for card in range(6) if card not in cards) for cards, _, _ in found]
    env.set_state("open", [(*cards, other)[2] for (cards, _, _), other in zip(found, spare, strict=True)])
    paid = np.zeros((count, 2), np.float32)
    for step in range(max(len(choices) for _, choices, _ in found)):
        masks = env.action_masks()
        actions = masks.argmax(axis=1)  # of rows that wait, and of games that are over
        turns = env.state("turn")
        for game, (_, choices, _) in enumerate(found):
            if step < len(choices):
                row = 2 * game + int(turns[game])
                assert masks[row, choices[step]]
                actions[row] = choices[step]
        env.step(actions)
        ending = np.array([step + 1 == len(choices) for _, choices, _ in found])
        over = env.terminated.reshape(count, 2)
        np.testing.assert_array_equal(over[ending], True)
        paid[ending] = env.rewards.reshape(count, 2)[ending]
    np.testing.assert_allclose(paid * (2, 13)[variant], [chips for _, _, chips in found], rtol=1e-6)


# ---- the harness ----------------------------------------------------------------------------------------------


class Count:
    """A reference that counts steps and keeps the latest actions and draws."""

    def __init__(self) -> None:
        self.steps, self.copied, self.draws = 0, 0, []

    def step(self, actions: Any, draws: Sequence[Any]) -> None:
        self.steps += 1
        self.actions, self.draws = actions, draws

    def __str__(self) -> str:
        return f"counted {self.steps}"


def start(ours: Moment, theirs: Count) -> None:
    theirs.steps = int(ours.step) if ours.actions is not None else 0
    theirs.copied += 1


def count_pool(pool: MakePool, **params: Any) -> pufferc.VecEnv:
    return pool("tmaze", 3, autoreset="disabled", seed=1, length=9, min_length=4, **params)


def test_lockstep_plays_whole_episodes_and_copies_at_their_starts(pool: MakePool) -> None:
    theirs = [Count() for _ in range(3)]
    lengths = []

    def compare(ours: Moment, counter: Count) -> str | None:
        assert ours.actions is not None and np.array_equal(ours.actions, counter.actions)
        if ours.ended:
            lengths.append(counter.steps)
            assert ours.observations[0, 2] == 1.0 and ours.rewards[0] in (-1.0, 1.0)  # final: at the junction
        return None

    agreement = lockstep(count_pool(pool), theirs, start, compare, None, 60)
    assert (agreement.steps, agreement.episodes, agreement.copies) == (180, len(lengths), 0)
    assert set(lengths) == {5, 6, 7, 8, 9, 10} and sum(counter.copied for counter in theirs) == 3 + len(lengths)
    assert str(agreement) == f"tmaze: 180 steps and {len(lengths)} ends agree; 0 copies between"


def test_lockstep_copies_at_chosen_steps_and_passes_draws(pool: MakePool) -> None:
    theirs, seen = [Count() for _ in range(3)], []
    envs = count_pool(pool)

    def compare(ours: Moment, counter: Count) -> str | None:
        seen.append((counter.draws, ours.game))
        return None

    agreement = lockstep(
        envs,
        theirs,
        start,
        compare,
        lambda e, _: np.zeros(e.num_envs, np.int32),
        4,
        draws=lambda m: [m.game, 7],
        copy_every=2,
    )
    assert agreement.copies == 6 and agreement.episodes == 0
    assert all(draws == [game, 7] for draws, game in seen)


def test_the_first_difference_is_reported_with_both_states(pool: MakePool) -> None:
    def compare(ours: Moment, counter: Count) -> str | None:
        return "seven" if counter.steps == 4 and ours.game == 1 else None

    with pytest.raises(Difference, match=r"tmaze, game 1, step 3: seven(?s:.)*their state:\n  counted 4") as raised:
        lockstep(count_pool(pool), [Count() for _ in range(3)], start, compare, None, 60)
    assert raised.value.steps == 3 * 3 + 1


def test_draws_replace_a_random_source() -> None:
    source = Draws()
    source.feed([3, 0.25])
    assert (source.integers(10), source.left, source.random(size=None), source.left) == (3, 1, 0.25, 0)
    with pytest.raises(RuntimeError, match=r"called choice\(\) once more than our game drew"):
        source.choice([1, 2])


def test_wrong_arguments_are_refused(pool: MakePool) -> None:
    def same(*_: Any) -> None:
        return None

    with pytest.raises(ValueError, match="autoreset='disabled'"):
        lockstep(pool("tmaze", 2), [Count(), Count()], same, same, None, 1)
    with pytest.raises(ValueError, match="theirs must be 3 references, one for each game, got 2"):
        lockstep(count_pool(pool), [Count(), Count()], same, same, None, 1)
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        lockstep(count_pool(pool), [Count() for _ in range(3)], same, same, None, 0)
    with pytest.raises(MissingReference, match="no-such-package is not installed: pip install 'pufferc"):
        reference_package("no_such_module", "no-such-package")
