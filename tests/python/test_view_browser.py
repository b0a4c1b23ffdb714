"""The page of `pufferc view` in a real browser: Chromium without a window, driven by Playwright.

PUFFERC_TEST_SHOTS=FOLDER saves pictures of the page there.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from pufferc.view import server, uplot, write_page  # noqa: E402
from view_runs import KEYS, lines, make_run, make_sweep, settings  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WAIT_MS = 60_000
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.filterwarnings("default::pytest.PytestUnraisableExceptionWarning"),  # of Playwright's event loop
]
OpenPage = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    try:
        uplot.find()
    except OSError as error:
        pytest.skip(str(error))
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[OpenPage]:
    """Opens a page and waits for its curves. The test fails if the page reports an error or needs another host."""
    problems: list[str] = []
    contexts = []

    def opened(address: str, width: int = 1280, height: int = 900, scheme: str = "light", curves: bool = True) -> Any:
        size = {"width": width, "height": height}
        context = browser.new_context(viewport=size, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("console", lambda message: problems.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: problems.append(f"dialog: {dialog.message}"))
        page.on("requestfailed", lambda request: problems.append(f"failed: {request.url}"))
        page.goto(address)
        if curves:
            page.locator(".uplot").first.wait_for()
        return page

    yield opened
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a page of a sweep with 60 runs, ten runs, a group of three seeds and a name with markup."""
    folder = tmp_path_factory.mktemp("view")
    make_sweep(folder / "sweeps" / "search", 60)
    for number in range(10):
        make_run(folder / "runs", number, 100)
    group = folder / "runs" / "breakout-20260102-000000-seeds"
    for seed in (1, 2, 3):
        make_run(group, 50 + seed, 100, name=f"seed-{seed}", seed=seed, settings_of=7)
    evil = make_run(folder / "runs", 11, 30, name="pong-20260101-000000-<img src=x onerror=alert(1)>", game="pong")
    result = {"outcome": "failed", "steps": 5, "error": "<script>alert(2)</script>"}
    (evil / "result.json").write_text(json.dumps(result))
    (evil / "film.png").write_bytes(PNG)
    return write_page([folder / "runs", folder / "sweeps"], folder / "view.html").as_uri()


PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0000003010100c9fe92ef00000000"
    "49454e44ae426082"
)
RUNS = 60 + 10 + 3 + 1


def shot(page: Any, name: str) -> None:
    if folder := os.environ.get("PUFFERC_TEST_SHOTS"):
        for y in range(0, int(page.evaluate("document.documentElement.scrollHeight")), 600):  # draws all sections
            page.evaluate(f"scrollTo(0, {y})")
            settle(page)
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def settle(page: Any) -> None:
    """Waits until the page has drawn what it was told."""
    frames = "requestAnimationFrame(() => requestAnimationFrame(done))"
    page.evaluate(f"new Promise(done => setTimeout(() => {frames}, 120))")


def names(page: Any) -> list[str]:
    return page.locator("#rows tbody td.name").all_inner_texts()  # type: ignore[no-any-return]


def count(page: Any) -> int:
    settle(page)
    return int(page.locator("#count").inner_text().split(" of ")[0])


def drag(page: Any, canvas: str, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drags between two places of a canvas, in pixels; negative ones are from its right or lower edge."""
    place = page.locator(canvas)
    place.scroll_into_view_if_needed()
    settle(page)
    box = place.bounding_box()
    for step, (x, y) in enumerate((start, end)):
        to = (box["x"] + x + (box["width"] if x < 0 else 0), box["y"] + y + (box["height"] if y < 0 else 0))
        page.mouse.move(*to, steps=1 if step == 0 else 6)
        (page.mouse.down, page.mouse.up)[step]()
    settle(page)


def test_the_page_loads_with_every_run_and_every_metric(visit: OpenPage, written: str) -> None:
    page = visit(written)
    assert count(page) == RUNS
    best = max(range(1, 61), key=lambda number: settings(number)["score"])
    assert names(page)[0] == f"search/{best}"
    page.locator("#metrics summary").click()
    assert page.locator("#metrics .chips button").all_inner_texts() == [
        key for key in KEYS if key not in ("update", "steps", "time_s")
    ]
    assert page.locator("#charts .uplot canvas").count() == 4
    shot(page, "light")


def test_a_metric_without_numbers_has_an_empty_chart(visit: OpenPage, written: str) -> None:
    page = visit(written)
    page.locator("#metrics summary").click()
    page.get_by_role("button", name="evaluation_ci95", exact=True).click()
    page.locator("#charts h3", has_text="evaluation ci95").wait_for()
    assert page.locator("#charts .uplot").count() == 5


def test_columns_sort_both_ways_and_runs_without_a_value_come_last(visit: OpenPage, written: str) -> None:
    page = visit(written)
    page.locator("#rows th button", has_text="score").click()
    settle(page)
    assert page.locator('#rows th[aria-sort="ascending"]').inner_text() == "score ↑"
    texts = page.locator("#rows tbody tr[data-run] td:nth-child(5)").all_inner_texts()
    values = [float(text.split(" ")[0]) for text in texts]
    assert len(values) > 5 and values == sorted(values)
    page.locator("#rows").evaluate("box => { box.scrollTop = box.scrollHeight; }")
    settle(page)
    assert names(page)[-1].startswith("pong-")


def test_the_filter_takes_words_and_comparisons(visit: OpenPage, written: str) -> None:
    page = visit(written)
    trials = [settings(number) for number in range(1, 61)]
    for text, expected in (
        ("search", 60),
        ("search score>300", sum(trial["score"] > 300 for trial in trials)),
        (
            "search learning_rate<0.01 optimizer=adam",
            sum(t["rate"] < 0.01 and t["optimizer"] == "adam" for t in trials),
        ),
        ("game=pong", 1),
        ("nothing-has-this", 0),
    ):
        page.locator("#query").fill(text)
        assert count(page) == expected, text
    page.locator("#query").fill("speling>3")
    settle(page)
    assert page.locator("#complaint").inner_text() == "No run has a field speling"


def test_a_brush_on_an_axis_filters_all_panels(visit: OpenPage, written: str) -> None:
    page = visit(written)
    page.locator("#query").fill("search")
    settle(page)
    before = page.locator("#importance .note").inner_text()
    drag(page, "#parallel canvas", (-40, 30), (-40, 120))  # the upper part of the last axis, the score
    kept = count(page)
    scores = sorted((settings(number)["score"] for number in range(1, 61)), reverse=True)
    assert 0 < kept < 60 and page.locator("#brushes button").count() == 1
    page.evaluate("scrollTo(0, 0)")
    settle(page)
    page.locator("#rows").evaluate("box => { box.scrollTop = box.scrollHeight; }")
    settle(page)
    last = int(names(page)[-1].split("/")[1])
    assert settings(last)["score"] == pytest.approx(scores[kept - 1])
    page.locator("#importance").scroll_into_view_if_needed()
    settle(page)
    assert f"over {kept} runs" in page.locator("#importance .note").inner_text() != before
    shot(page, "brushed")
    page.locator("#brushes button").click()
    assert count(page) == 60


def test_a_rectangle_in_a_scatter_plot_filters_and_a_click_removes_it(visit: OpenPage, written: str) -> None:
    page = visit(written)
    drag(page, "#cost canvas", (52, 6), (-14, 120))
    kept = count(page)
    assert 0 < kept < RUNS - 1
    box = page.locator("#cost canvas").bounding_box()
    page.mouse.click(box["x"] + 20, box["y"] + box["height"] - 4)
    assert count(page) == RUNS
    drag(page, "#fields canvas >> nth=0", (52, 6), (-14, 60))
    assert 0 < count(page) < RUNS - 1


def test_importance_names_the_setting_that_matters(visit: OpenPage, written: str) -> None:
    """The score has its peak in the middle of the learning rate, so that a rank correlation would miss it."""
    page = visit(written)
    page.locator("#query").fill("search")
    page.locator("#importance").scroll_into_view_if_needed()
    settle(page)
    assert page.locator("#importance .name").all_inner_texts()[0] == "learning_rate"
    shares = [float(text) for text in page.locator("#importance .bars > span:not(.name)").all_inner_texts()]
    assert shares[0] > 0.5 > shares[1]


def test_chosen_runs_have_the_curves_and_their_differences(visit: OpenPage, written: str) -> None:
    page = visit(written)
    chosen = names(page)[1:3]
    for index in (1, 2):
        page.locator("#rows tbody tr[data-run]").nth(index).locator("td").nth(3).click()
        settle(page)
    page.locator("#curves-note", has_text="2 of").wait_for()
    assert page.locator("#legend").inner_text().split() == chosen
    page.locator("#differences").scroll_into_view_if_needed()
    settle(page)
    assert [text.strip() for text in page.locator("#differences thead th").all_inner_texts()] == ["", *chosen]
    assert "train.learning_rate" in page.locator("#differences tbody").inner_text()
    page.locator("#unchoose").click()
    settle(page)
    assert page.locator("#differences").is_hidden()


def test_seeds_are_one_curve_with_its_range(visit: OpenPage, written: str) -> None:
    page = visit(written)
    page.locator("#query").fill("seeds")
    settle(page)
    assert count(page) == 3
    page.locator("#band").check()
    page.locator("#legend", has_text="(3 seeds)").wait_for()
    assert page.locator("#legend > span").count() == 1
    shot(page, "seeds")


def test_the_axis_changes_and_a_drag_zooms(visit: OpenPage, written: str) -> None:
    page = visit(written)
    page.locator("#x button", has_text="seconds").click()
    settle(page)
    assert page.locator('#x button[aria-pressed="true"]').inner_text() == "seconds"
    page.locator("#logarithmic").check()
    page.locator("#shown").select_option("50")
    page.locator("#smoothing").fill("20")
    settle(page)
    page.locator("#charts .uplot").nth(3).wait_for()
    drag(page, "#charts .u-over >> nth=0", (60, 40), (140, 60))
    assert page.locator("#charts .uplot").count() == 4


def test_markup_in_a_name_is_shown_as_text_and_a_film_plays(visit: OpenPage, written: str) -> None:
    page = visit(written)
    page.locator("#query").fill("game=pong")
    page.locator("#rows td.name button").nth(1).wait_for(state="hidden")  # the filter has been applied
    page.locator("#rows td.name button").click()
    page.locator("#details h2", has_text="<img src=x onerror=alert(1)>").wait_for()
    assert page.locator("#details pre").inner_text() == "<script>alert(2)</script>"
    assert page.locator('img[src="x"]').count() == 0
    film = page.locator("#details img.film")
    film.wait_for()
    page.wait_for_function("document.querySelector('img.film').naturalWidth === 1")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_the_page_without_sideways_scrolling(visit: OpenPage, written: str, scheme: str) -> None:
    page = visit(written, width=390, height=844, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    shot(page, f"phone-{scheme}")


def test_the_theme_follows_the_system_and_the_button(visit: OpenPage, written: str) -> None:
    page = visit(written, scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    shot(page, "dark")
    page.locator("#theme").click()
    settle(page)
    assert page.evaluate(background) != dark


def test_runs_without_anything_to_draw_are_shown(visit: OpenPage, tmp_path: Path) -> None:
    """A single run that has just started, and a damaged one."""
    make_run(tmp_path / "runs", 1, 0, outcome=None)
    (tmp_path / "runs" / "pong-20250101-000000").mkdir()
    page = visit(write_page([tmp_path / "runs"], tmp_path / "view.html").as_uri(), curves=False)
    assert count(page) == 2


def test_a_served_page_follows_a_run(visit: OpenPage, tmp_path: Path) -> None:
    run = make_run(tmp_path, 1, 20, outcome=None)
    with server._Server([tmp_path], 0) as serving:
        thread = threading.Thread(target=serving.serve_forever, daemon=True)
        thread.start()
        page = visit(serving.url)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url.removeprefix(serving.url)))
        with (run / "metrics.jsonl").open("a") as file:
            file.write(lines(1, 30, first=20))
        page.locator("#rows td", has_text="205k").wait_for()  # 50 updates of 4,096 steps
        page.wait_for_timeout(2500)
        curves = [path for path in asked if path.startswith("curves")]
        assert curves[0] == "curves?run=0&from=20&generation=0"
        assert all("from=50&" in path for path in curves[1:]), curves
        make_run(tmp_path, 2, 10)
        page.locator("#count", has_text="2 of 2 runs").wait_for()
        assert page.locator("#status").inner_text() == "live"
        shot(page, "live")
        page.close()
        serving.shutdown()
        thread.join()
