"""Pictures of games: golden pictures, colours and orientation, grids, bad input.

To rewrite the golden pictures, run PUFFERC_WRITE_GOLDEN=1 pytest tests/python/test_render.py
"""

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import pufferc
from pufferc import _core
from pufferc.envs.spaces import sample_legal
from pufferc.pictures import renderer as render
from pufferc.pictures.panel import Seen, seen_marks, split
from pufferc.pictures.pool_view import PoolView
from pufferc.pictures.renderer import Renderer, grid_layout

GOLDEN = Path(__file__).parents[1] / "golden" / "pictures"
SIZE = (320, 240)
PARAMS = {"snake": {"width": 24, "height": 18, "snakes": 5, "food": 30}}


def played(name, steps=40, games=1):
    """A pool after some steps of fixed pseudo-random play. The final frame is the same on every machine."""
    envs = pufferc.make(name, num_games=games, num_threads=1, seed=7, **PARAMS.get(name, {}))
    envs.reset(seed=7)
    rng, space = np.random.Generator(np.random.PCG64(7)), envs.single_action_space
    for _ in range(steps):
        if envs.action_mask is not None:
            actions = sample_legal(space, envs.action_masks(), rng)
        elif hasattr(space, "n"):
            actions = rng.integers(space.n, size=envs.num_envs, dtype=np.int32)
        elif hasattr(space, "nvec"):
            actions = rng.integers(space.nvec, size=(envs.num_envs, len(space.nvec)))
        else:
            actions = rng.uniform(-1, 1, (envs.num_envs, *space.shape)).astype(np.float32)
        envs.step(actions)
    return envs


def frame(scenes=(), marks=(), size=(64, 48), background=0x000000FF):
    out = np.zeros((size[1], size[0], 3), np.uint8)
    _core.Picture().draw(*size, background, [(*scene, 0)[:7] for scene in scenes], list(marks), out)
    return out


def near(picture, other):
    """Equal up to rounding, which depends on the position of a shape in the picture and affects a few pixels."""
    return (np.abs(picture.astype(int) - other.astype(int)) > 2).mean() < 0.0003


@pytest.mark.parametrize("steps", [0, 40])
@pytest.mark.parametrize("name", pufferc.list_envs())
def test_golden_picture(name, steps):
    image = pytest.importorskip("PIL.Image")
    picture = Renderer(played(name, steps), size=SIZE).render()
    path = GOLDEN / f"{name}-{steps}.png"
    if os.environ.get("PUFFERC_WRITE_GOLDEN"):
        image.fromarray(picture).quantize(128, dither=image.Dither.NONE).save(path, optimize=True)
    assert path.exists(), f"no golden picture of {name}; look at it, then write it with PUFFERC_WRITE_GOLDEN=1"
    golden = np.asarray(image.open(path).convert("RGB")).astype(int)
    difference = np.abs(picture.astype(int) - golden).max(axis=2)
    assert difference.mean() < 2.0 and (difference > 48).mean() < 0.002


@pytest.mark.parametrize("name", pufferc.list_envs())
def test_every_step_changes_the_picture(name):
    pictures = [Renderer(played(name, steps), size=SIZE).render() for steps in range(4)]
    for earlier, later in pairwise(pictures):
        assert (earlier.astype(int) - later > 40).any()


def test_displayed_numbers_change_with_the_steps():
    corners = {}
    for seed in (1, 2):
        envs = pufferc.make("cartpole", num_threads=1, seed=seed)
        envs.reset(seed=seed)
        for steps in range(1, 5):
            envs.step([steps % 2])
            corner = Renderer(envs, size=(600, 400)).render()[:70, :200].tobytes()
            assert corners.setdefault(steps, corner) == corner
    assert len(set(corners.values())) == 4


def test_a_picture_follows_one_agent():
    envs = pufferc.make("snake", num_games=1, num_threads=1, seed=3)
    envs.reset(seed=3)
    scene = (envs._pool, 0, 0.0, 0.0, 640.0, 480.0)
    first, second = (frame([(*scene, agent)], size=(640, 480)) for agent in (0, 1))
    assert (np.abs(first.astype(int) - second).max(axis=2) > 40).mean() > 0.002
    assert (frame([(*scene, 0)], size=(640, 480)) == first).all()
    for agent in (-1, envs.num_envs):
        with pytest.raises(ValueError, match="agent: expected 0 to 255"):
            frame([(*scene, agent)])


def test_large_boards_show_large_cells():
    whole = render.world_size(played("snake", 0))
    assert whole[0] == 26.0  # including the wall
    part = pufferc.make("snake", num_games=1, num_threads=1, seed=1)
    part.reset(seed=1)
    assert render.world_size(part)[0] == 48.0


@pytest.mark.parametrize("name", pufferc.list_envs())
def test_drawing_is_repeatable_and_changes_nothing(name):
    envs = played(name)
    can_save = pufferc.env_info(name).can_save
    before = envs.save() if can_save else b""
    renderer = Renderer(envs)
    first = renderer.render()
    assert (renderer.render() == first).all()
    assert not can_save or envs.save() == before
    assert first.std() > 2.0, "the picture is one colour"


def test_top_is_up_and_red_is_red():
    picture = frame(marks=[(0.0, 0.0, 20.0, 10.0, 0xFF2000FF, ""), (44.0, 38.0, 20.0, 10.0, 0x0020FFFF, "")])
    assert tuple(picture[5, 10]) == (255, 32, 0)
    assert tuple(picture[43, 54]) == (0, 32, 255)
    assert not picture[:10, 30:].any() and not picture[38:, :30].any()


def test_edges_are_blended_by_pixel_coverage():
    picture = frame(marks=[(10.25, 10.0, 20.5, 20.0, 0xFFFFFFFF, "")])[20]
    assert picture[9, 0] == 0 and abs(int(picture[10, 0]) - 191) <= 2 and picture[11, 0] == 255
    assert picture[29, 0] == 255 and abs(int(picture[30, 0]) - 191) <= 2 and picture[31, 0] == 0


def test_circles_are_round_and_smooth():
    envs = played("template", 12)
    picture = Renderer(envs, size=(440, 400)).render().astype(int)
    background = picture[1, 1]
    shape = np.abs(picture[80:360] - background).sum(axis=2)  # the ball, and the faint line below it
    rows, columns = np.nonzero(shape > 200)
    assert abs(np.ptp(rows) - np.ptp(columns)) <= 1
    levels = np.unique(shape[rows.min() - 1 : rows.max() + 2, columns.min() - 1 : columns.max() + 2])
    assert levels.size > 12, "edges are not anti-aliased"


def test_text_is_drawn_at_its_position():
    picture = frame(marks=[(10.0, 12.0, 0.0, 20.0, 0xFFFFFFFF, "48")])
    rows, columns = np.nonzero(picture[:, :, 0] > 128)
    assert rows.min() >= 12 and rows.max() <= 32 and columns.min() >= 10 and columns.max() <= 34
    assert np.ptp(rows) >= 12 and np.ptp(columns) >= 16


def test_every_character_draws_and_differs():
    seen = {}
    for code in range(33, 127):
        picture = frame(marks=[(10.0, 10.0, 0.0, 30.0, 0xFFFFFFFF, chr(code))])
        assert (picture > 128).any(), chr(code)
        assert picture.tobytes() not in seen, (chr(code), seen.get(picture.tobytes()))
        seen[picture.tobytes()] = chr(code)
    box = frame(marks=[(10.0, 10.0, 0.0, 30.0, 0xFFFFFFFF, "é")])
    assert (box == frame(marks=[(10.0, 10.0, 0.0, 30.0, 0xFFFFFFFF, "🐡")])).all() and (box > 128).any()


@pytest.mark.parametrize("size", [7.0, 11.0, 30.0])
def test_digits_differ_at_every_size(size):
    """The most similar letters also differ at sizes at which letters are drawn."""
    texts = [*"0123456789", *("aeocsgq" if size >= 9.0 else "")]
    pictures = [frame(marks=[(10.0, 10.0, 0.0, size, 0xFFFFFFFF, text)]).astype(int) for text in texts]
    for i, one in enumerate(pictures):
        assert one.max() > 128, texts[i]
        for other in pictures[:i]:
            assert (np.abs(one - other).max(axis=2) > 96).sum() >= 2, texts[i]


def test_a_game_stays_in_its_cell():
    envs = played("breakout")
    inside = frame([(envs._pool, 0, 0.0, 0.0, 96.0, 56.0)], size=(96, 56))
    for x, y in ((20, 10), (100, 10), (20, 130), (100, 130)):
        picture = frame([(envs._pool, 0, float(x), float(y), 96.0, 56.0)], size=(220, 200), background=0xFF00FFFF)
        assert near(picture[y : y + 56, x : x + 96], inside)
        outside = np.ones(picture.shape[:2], bool)
        outside[y : y + 56, x : x + 96] = False
        assert (picture[outside] == (255, 0, 255)).all()


@pytest.mark.parametrize("games", [2, 3, 5, 8])
def test_grid_shows_each_game(games):
    envs = played("cartpole", 12, games=8)
    renderer = Renderer(envs, games=games)
    picture, layout = renderer.render(), renderer.layout
    assert picture.shape == (layout.height, layout.width, 3) and layout.width % 2 == 0 and layout.height % 2 == 0
    assert layout.width <= 640 and layout.height <= 480 and len(layout.cells) == games
    seen = set()
    for game, (x, y, width, height) in enumerate(np.array(layout.cells, int)):
        part = picture[y : y + height, x : x + width]
        alone = frame([(envs._pool, game, 0.0, 0.0, float(width), float(height))], size=(width, height))
        assert near(part, alone)
        seen.add(part.tobytes())
    assert len(seen) == games


@pytest.mark.parametrize(("games", "empty"), [(3, 1), (5, 1), (9, 0), (16, 0)])
def test_cells_without_a_game_have_the_background_colour(games, empty):
    renderer = Renderer(played("cartpole", 3, games=games), games=games, size=(640, 480))
    picture, layout = renderer.render(), renderer.layout
    assert len(layout.empty) == empty
    for x, y, width, height in np.array(layout.empty, int).reshape(-1, 4):
        assert (picture[y : y + height, x : x + width] == (0x0B, 0x0D, 0x13)).all()


def test_the_default_size_has_the_aspect_ratio_of_the_game():
    layout = Renderer(played("breakout", 1)).layout
    assert layout.width == 640 and abs(layout.width / layout.height - 576 / 330) < 0.02
    assert grid_layout(1, (100.0, 1000.0), (640, 480)).height == 480


def test_render_into_the_callers_array():
    renderer = Renderer(played("squared"))
    out = np.zeros((renderer.layout.height, renderer.layout.width, 3), np.uint8)
    assert renderer.render(out) is out and out.any()
    with pytest.raises(ValueError, match="shape"):
        renderer.render(np.zeros((10, 10, 3), np.uint8))
    with pytest.raises(TypeError, match="uint8"):
        renderer.render(np.zeros((renderer.layout.height, renderer.layout.width, 3), np.float32))
    out.setflags(write=False)
    with pytest.raises(ValueError, match="read-only"):
        renderer.render(out)


@pytest.mark.parametrize("size", [(15, 100), (100, 15), (4097, 100), (100, 10**9), (-5, 100), (0, 0)])
def test_absurd_sizes_are_refused(size):
    with pytest.raises(ValueError, match=r"(width|height) must be in \[16, 4096\]"):
        Renderer(played("squared", 0), size=size)
    with pytest.raises(
        (ValueError, TypeError), match=r"_px: expected 16 to 4096 pixels|incompatible function arguments"
    ):
        _core.Picture().draw(*size, 0, [], [], None)


@pytest.mark.parametrize("size", ["640x480", 640, (640,), (640.5, 480), (1, 2, 3), ("a", "b")])
def test_sizes_of_other_types_are_refused(size):
    with pytest.raises(TypeError, match=r"size|width"):
        Renderer(played("squared", 0), size=size)


def test_largest_size_works():
    assert Renderer(played("squared"), size=(4096, 4096)).render().any()


def test_invalid_game_numbers_are_refused():
    envs = played("squared", 0, games=3)
    for games in (0, 4, -1):
        with pytest.raises(ValueError, match="games"):
            Renderer(envs, games=games)
    with pytest.raises(ValueError, match="do not fit"):
        Renderer(played("squared", 0, games=1000), games=1000, size=(64, 64)).render()
    with pytest.raises(ValueError):
        frame([(envs._pool, 3, 0.0, 0.0, 64.0, 48.0)])


def test_closed_and_unreset_pools_are_refused():
    envs = pufferc.make("squared", seed=1)
    with pytest.raises(RuntimeError, match="reset"):
        Renderer(envs).render()
    envs.reset()
    renderer = Renderer(envs)
    assert renderer.render().any()
    envs.close()
    with pytest.raises(RuntimeError, match="clos"):
        renderer.render()


@pytest.mark.parametrize("pool", [None, 3, object(), np.zeros(3)])
def test_objects_that_are_not_pools_are_refused(pool):
    with pytest.raises(TypeError, match="Pool"):
        _core.world_size(pool, 0)
    if pool is not None:  # None means an empty cell
        with pytest.raises(TypeError, match="Pool"):
            frame([(pool, 0, 0.0, 0.0, 64.0, 48.0)])


@pytest.mark.parametrize(
    "cell", [(np.nan, 0, 64, 48), (0, 0, np.inf, 48), (0, 0, -5, -5), (1e30, 1e30, 1e30, 1e30), (0, 0, 0, 0)]
)
def test_invalid_cell_rectangles_are_harmless(cell):
    envs = played("breakout")
    frame([(envs._pool, 0, *map(float, cell))], marks=[(np.nan, 1e30, np.inf, -1.0, 0xFFFFFFFF, "text")])
    assert Renderer(envs).render().any()


def test_threads_can_draw_concurrently():
    from concurrent.futures import ThreadPoolExecutor

    renderers = [Renderer(played(name), size=(960, 720)) for name in ("breakout", "squared", "cartpole", "pong")]
    expected = [r.render() for r in renderers]
    with ThreadPoolExecutor(4) as threads:
        pictures = list(threads.map(lambda r: [r.render() for _ in range(30)], renderers))
    for own, alone in zip(pictures, expected, strict=True):
        assert all((picture == alone).all() for picture in own)


def test_a_pool_that_another_thread_draws_is_busy():
    """A pool accepts one call at a time. Concurrent draws with one Renderer give whole pictures and don't crash."""
    from concurrent.futures import ThreadPoolExecutor

    renderer = Renderer(played("breakout"), size=(960, 720))
    expected = renderer.render()

    def draw(_):
        try:
            return (renderer.render() == expected).all()
        except RuntimeError as error:
            return "one call at a time" in str(error)

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(draw, range(200)))


def test_a_frame_can_be_drawn_after_a_failed_one():
    envs, picture = played("breakout"), _core.Picture()
    out = np.zeros((48, 64, 3), np.uint8)
    with pytest.raises(ValueError, match="game: expected 0 to 0, got 7"):
        picture.draw(64, 48, 0, [(envs.core, 7, 0.0, 0.0, 64.0, 48.0, 0)], [], out)
    picture.draw(64, 48, 0x204060FF, [], [], out)
    assert (out == (0x20, 0x40, 0x60)).all()


def test_a_pool_view_is_enough_to_draw():
    from types import SimpleNamespace

    envs = played("snake")
    members = [name for name in vars(PoolView) if isinstance(vars(PoolView)[name], property)]
    view = SimpleNamespace(**{name: getattr(envs, name) for name in members})
    assert (Renderer(view).render() == Renderer(envs).render()).all()
    seen = Seen(np.zeros((envs.num_envs, *envs.single_observation_space.shape)), np.zeros(envs.num_envs, int))
    divided = split((900, 700), (1.0, 1.0), True)
    assert seen_marks(divided, view, 0, seen) == seen_marks(divided, envs, 0, seen)
