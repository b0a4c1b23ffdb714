"""Games as WebAssembly modules: golden hashes under Node, and pages in a browser without a window."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pufferc
from pufferc.authoring.build import BuildError
from pufferc.commands.main import main
from pufferc.web import module

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "everywhere"))
from places import GOLDEN, play_module  # noqa: E402

NODE = shutil.which("node")
CHROMIUM = shutil.which("chromium")
GAMES = [name for name in pufferc.list_envs() if not module.needs_box2d(module.game_source(name))]
MAX_BYTES = 210_000  # of the largest module, drive
MAX_SMALL_BYTES = 100_000  # of most games; bigger are those with much code of their own
BIG = {
    "acrobot", "boids", "chess", "doorkey", "drive", "drone", "go", "kitchen", "mini_seaquest", "mmo", "moba", "pong",
    "snake", "tetris",
}  # fmt: skip


def tools_or_skip() -> module.Tools:
    try:
        return module.find_tools()
    except BuildError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The objects that all modules share."""
    return module.build_core(tools_or_skip(), tmp_path_factory.mktemp("core"))


@pytest.mark.skipif(NODE is None, reason="needs Node")
@pytest.mark.parametrize("game", GAMES)
def test_the_module_gives_the_golden_hashes(game: str, core: list[Path], tmp_path: Path) -> None:
    made = module.build_module(tools_or_skip(), module.game_source(game), core, tmp_path / f"{game}.wasm")
    assert made.stat().st_size <= (MAX_BYTES if game in BIG else MAX_SMALL_BYTES)
    hashes = play_module(str(NODE), made, game, pufferc.env_info(game).version)[game]
    assert hashes and all(got == expected for got, expected in hashes)


# ---- pages ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A Chromium without a window."""
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if CHROMIUM is None:
        pytest.skip("needs chromium")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


def open_page(browser: Any, index: Path) -> Any:
    """The page, opened from disk. Fails on errors of its script."""
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(index.as_uri())
    page.wait_for_function("window.pufferc && window.pufferc.frames > 0")
    assert not errors
    return page


@pytest.fixture(scope="module")
def breakout_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tools_or_skip()
    out = tmp_path_factory.mktemp("page")
    assert main(["web", "breakout", "--out", str(out)]) == 0
    return out / "index.html"


def test_the_page_gives_the_golden_hash(browser: Any, breakout_page: Path) -> None:
    page = open_page(browser, breakout_page)
    lines = [line for line in (GOLDEN / "breakout.txt").read_text().splitlines() if line and line[0] != "#"]
    version = pufferc.env_info("breakout").version
    script = """async (lines) => {
        const engine = await Engine.load(bytesOf(game.module));
        return lines.map(parseRecord).map((record) => [record.version, engine.hash(record), record.hash]);
    }"""
    played = [(got, expected) for number, got, expected in page.evaluate(script, lines) if number == version]
    assert played and all(got == expected for got, expected in played)
    page.close()


def paddle_x(page: Any) -> float:
    return float(page.evaluate("pufferc.engine.view('observations', game.size, game.dtype)[0]"))


def test_keys_move_the_paddle(browser: Any, breakout_page: Path) -> None:
    page = open_page(browser, breakout_page)
    start = paddle_x(page)
    page.keyboard.down("ArrowRight")
    page.wait_for_function(f"pufferc.engine.view('observations', game.size, game.dtype)[0] > {start + 0.1}")
    page.keyboard.up("ArrowRight")
    page.locator("#pad button").first.dispatch_event("pointerdown")
    page.wait_for_function(f"pufferc.engine.view('observations', game.size, game.dtype)[0] < {start}")
    page.close()


def test_pause_step_and_reset_with_a_seed(browser: Any, breakout_page: Path) -> None:
    page = open_page(browser, breakout_page)
    page.click("#pause")
    page.fill("#seed", "7")
    page.click("#reset button")
    page.click("#step")
    page.click("#step")
    assert page.evaluate("[pufferc.seed, pufferc.steps, pufferc.paused]") == [7, 2, True]
    page.wait_for_function("document.getElementById('steps').textContent === '2'")
    page.close()


def test_the_page_fits_a_phone(browser: Any, breakout_page: Path) -> None:
    page = open_page(browser, breakout_page)
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("document.getElementById('screen').getBoundingClientRect().width <= 390")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()


def test_a_game_of_turns_waits_for_the_person(browser: Any, tmp_path: Path) -> None:
    tools_or_skip()
    assert main(["web", "connect4", "--out", str(tmp_path / "page")]) == 0
    page = open_page(browser, tmp_path / "page" / "index.html")
    page.select_option("#speed", "16")
    page.wait_for_function("document.getElementById('note').textContent === 'your turn'")
    assert page.evaluate("pufferc.steps") == 0
    page.keyboard.press("4")
    page.wait_for_function("pufferc.steps === 2 && pufferc.isThinking()")  # one's own stone, and the script's
    page.close()


@pytest.mark.slow
def test_the_policy_reaches_its_score_in_the_page(browser: Any, one_core: None, tmp_path: Path) -> None:
    tools_or_skip()
    runs = ["--runs", str(tmp_path / "runs")]
    assert main(["train", "squared", "--train.seed", "1", *runs]) == 0
    assert main(["web", "squared", "--checkpoint", "latest", "--out", str(tmp_path / "page"), *runs]) == 0
    page = open_page(browser, tmp_path / "page" / "index.html")
    assert page.evaluate("pufferc.player === ENGINE_PLAYERS.policy")
    script = """() => {
        const { engine } = pufferc;
        pufferc.pause(true);
        engine.open(64, 5, game.params, { autoreset: ENGINE_SAME_STEP });
        engine.reset(5);
        engine.run(ENGINE_PLAYERS.policy, 5, 400);
        return engine.score();
    }"""
    result = page.evaluate(script)
    assert result["episodes"] > 100 and result["score"] > 0.95
    page.close()


# ---- games of one's own, and errors ----------------------------------------------------------------------


def test_a_game_of_ones_own_becomes_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools_or_skip()
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(module.game_source("template"), "mygame.c")
    assert main(["web", "./mygame.c", "--out", "page"]) == 0
    names = {path.name for path in Path("page").iterdir()}
    assert names == {"index.html", "page.css", "engine.js", "page.js", "game.js"}


def test_a_missing_compiler_is_an_error_that_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["web", "squared", "--out", str(tmp_path / "page")]) == 1
    assert "pip install ziglang" in capsys.readouterr().err
    assert not (tmp_path / "page").exists()
