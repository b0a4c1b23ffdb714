"""The panel beside a game in a window: nothing overlaps, and everything is inside. Also the keys that control games."""

import gymnasium as gym
import numpy as np
import pytest

import pufferc
from own_games import build_duel, build_game, needs_compiler
from pufferc.pictures.panel import Seen, Split, bar_marks, keys_marks, seen_marks, split
from pufferc.pictures.window import HELP, KEYS
from pufferc.watch.play import Keyboard

SIZES = [(960, 668), (960, 578), (652, 748), (400, 900), (1600, 400), (320, 268), (200, 150), (16, 16), (4096, 4096)]
WORLDS = [(600.0, 400.0), (576.0, 330.0), (384.0, 434.0), (48.0, 39.24), (100.0, 1000.0)]


def box_of(mark):
    x, y, width, height, _, text = mark
    return (x, y, x + 0.6 * height * len(text), y + height) if text else (x, y, x + width, y + height)


def apart(a, b):
    return a[0] + a[2] <= b[0] or b[0] + b[2] <= a[0] or a[1] + a[3] <= b[1] or b[1] + b[3] <= a[1]


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("size", SIZES)
def test_a_window_is_split_into_separate_areas(size, world):
    for panel in (False, True):
        divided = split(size, world, panel)
        parts = [part for part in (divided.game, divided.panel, divided.bar) if part is not None]
        for x, y, width, height in parts:
            assert x >= 0 and y >= 0 and width > 0 and height > 0 and x + width <= size[0] and y + height <= size[1]
        pairs = [(a, b) for i, a in enumerate(parts) for b in parts[:i]]
        assert all(apart(a, b) for a, b in pairs) or divided.covers
        assert (divided.panel is not None) is panel
    assert not split((960, 668), world, True).covers


def played(name, games=2, **params):
    envs = pufferc.make(name, num_games=games, num_threads=1, seed=3, **params)
    envs.reset(seed=3)
    envs.action_space.seed(1)
    for _ in range(5):
        actions = envs.action_space.sample()
        observations, rewards, *_ = envs.step(actions)
    return envs, Seen(observations, actions, np.linspace(-1.0, 1.0, envs.num_envs, dtype=np.float32), rewards)


def texts(marks):
    return [mark[5] for mark in marks if mark[5]]


def check_inside(marks, rect):
    for mark in marks:
        left, top, right, bottom = box_of(mark)
        assert left >= rect[0] and top >= rect[1] and bottom <= rect[1] + rect[3] + 0.01, mark
        assert right <= rect[0] + rect[2], mark


def check_lines_are_apart(marks):
    boxes = [box_of(mark) for mark in marks if mark[5]]
    boxes = [(x, y, x2 - x, y2 - y) for x, y, x2, y2 in boxes]
    assert all(apart(a, b) for i, a in enumerate(boxes) for b in boxes[:i])


GAMES = [("cartpole", {}), ("breakout", {}), ("lander", {"continuous": 1}), ("pong", {"continuous": 1}), ("tmaze", {})]
GAMES += [("snake", {"width": 24, "height": 18, "snakes": 5, "food": 30}), ("squared", {}), ("lander", {})]


@pytest.mark.parametrize("size", [(960, 668), (652, 748), (300, 200), (500, 300)])
@pytest.mark.parametrize(("name", "params"), GAMES)
def test_the_observation_panel_fits(name, params, size):
    envs, seen = played(name, **params)
    divided = split(size, (600.0, 400.0), True)
    for row in (0, envs.num_envs - 1):
        marks = seen_marks(divided, envs, row, seen)
        check_inside(marks, divided.panel)
        check_lines_are_apart(marks)
        assert any(text.startswith("action") for text in texts(marks))


def test_every_observation_entry_is_shown():
    envs, seen = played("breakout")
    marks = seen_marks(split((960, 668), (576.0, 330.0), True), envs, 1, seen)
    said = texts(marks)
    assert "game 1" in said and "1.000" in said
    assert {entry.name for entry in envs.info.observation} <= set(said)
    cells = [mark for mark in marks if not mark[5] and mark[2] == mark[3]]
    assert len(cells) == 108, "one cell for each brick"
    assert len({mark[0] for mark in cells}) == 18 and len({mark[1] for mark in cells}) == 6, "as on the wall"


def test_a_map_has_the_rows_of_the_observation():
    envs, seen = played("snake", 1, width=24, height=18, snakes=5, food=30)
    marks = seen_marks(split((960, 748), (26.0, 21.8), True), envs, 3, seen)
    cells = [mark for mark in marks if not mark[5] and mark[2] == mark[3]]
    assert len(cells) == 121 and len({mark[0] for mark in cells}) == 11
    by_value = {}
    for mark, value in zip(cells, np.asarray(seen.observations[3]).reshape(-1), strict=True):
        by_value.setdefault(int(value), set()).add(mark[4])
    assert all(len(colors) == 1 for colors in by_value.values())
    assert len(set.union(*by_value.values())) == len(by_value) > 1
    assert "agent 3" in texts(marks)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_nan_and_infinity_are_shown(value):
    envs, seen = played("cartpole", 1)
    seen.observations = np.full_like(seen.observations, value)
    seen.values = np.full(1, value, np.float32)
    marks = seen_marks(split((960, 668), (600.0, 400.0), True), envs, 0, seen)
    assert np.isfinite([mark[:4] for mark in marks]).all()
    assert sum(any(word in text for word in ("nan", "inf", "e+30")) for text in texts(marks)) == 5


def test_a_panel_without_data_is_not_an_error():
    envs, _ = played("cartpole", 1)
    assert texts(seen_marks(split((960, 668), (600.0, 400.0), True), envs, 0, Seen())) == ["CartPole"]


@pytest.mark.parametrize("size", SIZES)
def test_help_and_bar_stay_inside(size):
    divided = split(size, (600.0, 400.0), True)
    assert isinstance(divided, Split)
    marks = keys_marks(divided, [("play", [("left a", "left engine")]), ("window", HELP)])
    if size[0] >= 320:
        check_inside(marks, divided.panel)
    if size == (960, 668):
        assert {line for pair in HELP for line in pair} <= set(texts(marks))
    bar = bar_marks(divided, ("h help", "space pause", "q close"), "paused  game 3")
    check_lines_are_apart(bar)
    if size[0] >= 200 and divided.bar:
        check_inside(bar, divided.bar)
        assert "paused  game 3" in texts(bar)


# ---- keys that play -------------------------------------------------------------------------------------


class Held:
    """A stand-in for a window with these keys held down."""

    def __init__(self, *names):
        self.names, self.pressed, self.env = names, [], 0

    def held(self, name):
        assert name in KEYS
        return name in self.names


def action_of(name, *keys, latest=0, **params):
    envs = pufferc.make(name, num_threads=1, **params)
    action = Keyboard(envs, Held(*keys)).action(np.array(latest))
    assert envs.single_action_space.contains(action.astype(envs.single_action_space.dtype))
    return action.tolist()


def test_arrow_keys_push_where_they_point():
    """Continuous actions have the documented signs. Pong's axis points down, and Lander has two engines."""
    assert action_of("pong", "up", continuous=1) == [-1.0] and action_of("pong", "down", continuous=1) == [1.0]
    assert action_of("breakout", "left", continuous=1) == [-1.0] and action_of("breakout", "d", continuous=1) == [1.0]
    assert action_of("lander", "up", continuous=1) == [1.0, 0.0]
    assert action_of("lander", "up", "left", continuous=1) == [1.0, -1.0]
    assert action_of("lander", "right", continuous=1) == [0.0, 1.0]
    assert action_of("lander", continuous=1) == [0.0, 0.0]
    assert action_of("cartpole", "left", "right", continuous=1) == [0.0]


def test_the_action_without_a_key():
    assert action_of("breakout", latest=2) == 0
    assert action_of("snake", latest=2) == 2, "a snake keeps its direction"
    assert action_of("cartpole", latest=0) == 1 and action_of("cartpole", latest=1) == 0


def is_discrete(name):
    return isinstance(pufferc.make(name, num_threads=1).single_action_space, gym.spaces.Discrete)


# In masked games not every choice is legal; see the test of several dimensions and masks below.
UNMASKED = [name for name in pufferc.list_envs() if is_discrete(name) and not pufferc.env_info(name).masked]


@pytest.mark.parametrize("name", UNMASKED)
def test_every_choice_has_a_key(name):
    envs = pufferc.make(name, num_threads=1)
    keyboard = Keyboard(envs, Held())
    assert keyboard.hints() and not keyboard.active()
    found = {action_of(name)}
    for keys, _ in keyboard.hints():
        found |= {action_of(name, key) for key in keys.split()}
    assert found == set(range(int(envs.single_action_space.n)))


@needs_compiler
def test_keys_of_a_game_with_several_dimensions_and_masks(tmp_path):
    """Each dimension has its keys. An illegal choice is replaced by the idle choice, or by the first legal choice."""
    envs = pufferc.make(build_duel(tmp_path), num_threads=1, seed=1)
    envs.reset()
    envs.set_state("turn", 1)
    envs.set_state("board", [[0, 1, 2] + [0] * 12])
    envs.set_state("held", [[1, 1, 0, 0, 0, 0]])
    window = Held("c", "0")
    keyboard = Keyboard(envs, window)
    assert window.taken == {KEYS[name] for name in ("space", "c", "s", "enter", "0")}
    assert keyboard.hints()[2] == ("s enter", "strike")
    window.env = 1
    assert keyboard.action(np.array([0, 0])).tolist() == [1, 0]
    window.names = ("enter", "0")
    assert keyboard.action(np.array([0, 0])).tolist() == [2, 0]
    window.names = ("space",)  # pass is illegal, and no key chooses a place, so the first legal place is used
    assert keyboard.action(np.array([0, 5])).tolist() == [1, 0]
    window.env = 0  # a player whose turn it is not
    assert keyboard.action(np.array([0, 5])).tolist() == [0, 33]
    window.pressed = [KEYS["s"], KEYS["c"]]
    window.env = 1
    assert keyboard.action(np.array([0, 5])).tolist() == [1, 0]  # the most recent key


@needs_compiler
def test_invalid_key_names_are_refused_and_invalid_choices_are_hidden(tmp_path):
    envs = pufferc.make(build_game(tmp_path, "catcher", ('"left a", "left"', '"lift a", "left"')), num_threads=1)
    with pytest.raises(ValueError, match="catcher: keys must be letters, digits or names such as left, got 'lift'"):
        Keyboard(envs, Held())
    envs = pufferc.make(build_game(tmp_path, "catcher", ('"left", 0, 1', '"left", 0, 3')), num_threads=1)
    assert Keyboard(envs, Held()).hints() == (("right d", "right"),)  # there is no choice 3


@needs_compiler
def test_a_game_without_keys_uses_the_digit_keys(tmp_path):
    change = (".keys = catcher_keys", ".keys = 0"), ("sizeof catcher_keys / sizeof catcher_keys[0]", "0")
    envs = pufferc.make(build_game(tmp_path, "catcher", *change), num_threads=1)
    assert Keyboard(envs, Held()).hints() == (("0", "action 0"), ("1", "action 1"), ("2", "action 2"))
    assert Keyboard(envs, Held("2")).action(np.array(0)) == 2
