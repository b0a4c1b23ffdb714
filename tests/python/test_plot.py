"""Plots of runs: reading metrics, drawing and errors."""

import json
import sys

import numpy as np
import pytest

from pufferc.commands.plot import main as plot_main
from pufferc.pictures.renderer import DrawingUnavailable
from pufferc.runs.curves import plot, read_metrics


def write_run(folder, updates=50, config=None, **columns):
    folder.mkdir()
    if config is not None:
        (folder / "config.toml").write_text(config)
    with (folder / "metrics.jsonl").open("w") as file:
        for i in range(updates):
            row = {"update": i, "steps": 1000 * i, "time_s": 0.1 * i, "sps": 1e6, "score": None if i < 3 else float(i)}
            file.write(json.dumps({**row, **{key: value(i) for key, value in columns.items()}}) + "\n")
    return folder


def test_metrics_are_read_as_columns(tmp_path):
    run = write_run(tmp_path / "run", 10, value_loss=lambda i: 1.0 / (i + 1), name=lambda i: "text")
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"update": 10, "ste')
    columns = read_metrics(run)
    assert columns["steps"].tolist() == [1000.0 * i for i in range(10)]
    assert np.isnan(columns["score"][:3]).all() and columns["score"][3] == 3.0
    assert columns["value_loss"][4] == 0.2 and "name" not in columns
    assert read_metrics(run / "metrics.jsonl").keys() == columns.keys()


def test_plot_draws_runs_in_different_colours(tmp_path):
    pytest.importorskip("matplotlib")
    image = pytest.importorskip("PIL.Image")
    runs = [
        write_run(tmp_path / "a", value_loss=lambda i: 1 / (i + 1), evaluation_score=lambda i: 40 if i == 49 else None),
        write_run(tmp_path / "b", policy_loss=lambda i: -0.01),
    ]
    path = plot(runs, tmp_path / "out.png")
    picture = np.asarray(image.open(path).convert("RGB")).astype(int)
    for color in ((0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)):
        assert (np.abs(picture - color).max(axis=2) < 8).sum() > 100
    single = plot(runs[:1], tmp_path / "one.png", x="time_s")
    assert single.stat().st_size > 5000


@pytest.fixture
def figures(monkeypatch):
    """The figures that are made."""
    figure = pytest.importorskip("matplotlib.figure")
    made, init = [], figure.Figure.__init__

    def spy(self, *args, **kwargs):
        made.append(self)
        init(self, *args, **kwargs)

    monkeypatch.setattr(figure.Figure, "__init__", spy)
    return made


def labels_of(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def config(game="pong", seed=1, rate=0.05, **env):
    lines = [f'game = "{game}"', "[env]", *(f"{key} = {value}" for key, value in env.items())]
    return "\n".join([*lines, "[train]", f"seed = {seed}", f"learning_rate = {rate}", ""])


def test_labels_are_what_differs(tmp_path, figures):
    runs = [write_run(tmp_path / f"a{i}", config=config(rate=rate, seed=i)) for i, rate in enumerate((0.1, 0.2))]
    plot(runs, tmp_path / "a.png")
    assert labels_of(figures.pop()) == ["seed 0, learning_rate 0.1", "seed 1, learning_rate 0.2"]
    plot([runs[0], write_run(tmp_path / "b", config=config(rate=0.1, seed=0, walls=2))], tmp_path / "b.png")
    assert labels_of(figures.pop()) == ["walls none", "walls 2"]
    plot([runs[0], write_run(tmp_path / "same", config=config(rate=0.1, seed=0))], tmp_path / "c.png")
    assert labels_of(figures.pop()) == ["a0", "same"], "nothing differs"
    many = config(rate=0.1, seed=0, one=1, two=2, three=3, four=4, five=5)
    plot([runs[0], write_run(tmp_path / "many", config=many)], tmp_path / "d.png")
    assert labels_of(figures.pop()) == ["a0", "many"], "too much differs"
    for name, rate in (("x-seeds", 0.1), ("y-seeds", 0.3)):
        (tmp_path / name).mkdir()
        for seed in (1, 2):
            write_run(tmp_path / name / f"seed-{seed}", config=config(rate=rate, seed=seed))
    plot([tmp_path / "x-seeds", tmp_path / "y-seeds"], tmp_path / "e.png")
    assert labels_of(figures.pop()) == ["learning_rate 0.1 (2 seeds)", "learning_rate 0.3 (2 seeds)"]


def test_each_game_has_a_row_of_panels(tmp_path, figures):
    runs = [
        write_run(tmp_path / "a", config=config("pong", rate=0.1), episode_length=lambda i: i),
        write_run(tmp_path / "b", config=config("snake"), value_loss=lambda i: i, policy_loss=lambda i: i),
        write_run(tmp_path / "c", config=config("pong", rate=0.2), entropy=lambda i: i),
    ]
    plot(runs, tmp_path / "games.png")
    parts = figures[0].subfigs
    assert [part.legends[0].get_title().get_text() for part in parts] == ["pong", "snake"]
    assert [labels_of(part) for part in parts] == [["learning_rate 0.1", "learning_rate 0.2"], ["b"]]
    assert [[axes.get_title("left") for axes in part.axes] for part in parts] == [
        ["Score of finished episodes", "Speed", "Length of finished episodes", "Entropy of the policy"],
        ["Score of finished episodes", "Speed", "Policy loss", "Value loss"],
    ]
    for part in parts:
        title = part.legends[0].get_window_extent()
        assert all(axes.get_window_extent().y1 < title.y0 for axes in part.axes), "the legend covers no panel"


def test_runs_without_an_update_are_left_out(tmp_path, figures):
    """So that `pufferc plot runs/*` works although one of the runs failed at once."""
    runs = [write_run(tmp_path / name, updates) for name, updates in (("a", 50), ("failed", 0), ("b", 50))]
    plot(runs, tmp_path / "out.png")
    assert labels_of(figures[0]) == ["a", "b"]
    with pytest.raises(ValueError, match=r"failed/metrics\.jsonl has no updates yet"):
        plot(runs[1:2], tmp_path / "out.png")


def test_many_runs_have_different_lines(tmp_path, figures):
    """Lines also differ if there are more runs than colours. A run of one update is a dot."""
    runs = [write_run(tmp_path / f"run-{i:02d}", updates=5 + i) for i in range(35)]
    plot(runs, tmp_path / "many.png")
    (many,) = figures
    looks = {(str(line.get_color()), line.get_linestyle()) for line in many.axes[1].lines}
    assert len(looks) == len(runs) and len(many.legends[0].get_texts()) == len(runs)
    assert len({axes.get_xlim() for axes in many.axes}) == 1 and many.axes[0].get_position().height > 0.2
    figures.clear()
    plot([write_run(tmp_path / "short", updates=1)], tmp_path / "short.png")
    assert any(line.get_marker() == "o" for line in figures[0].axes[0].lines)


def test_seeds_of_a_group_are_one_curve_in_a_band(tmp_path):
    image = pytest.importorskip("PIL.Image")
    pytest.importorskip("matplotlib")
    group = tmp_path / "game-1-seeds"
    group.mkdir()
    runs = [write_run(group / f"seed-{seed}", value_loss=lambda i, seed=seed: seed + i / 50) for seed in (1, 2, 3)]
    together = np.asarray(image.open(plot([group], tmp_path / "group.png")).convert("RGB")).astype(int)
    one_by_one = np.asarray(image.open(plot(runs, tmp_path / "runs.png")).convert("RGB"))
    assert (together == one_by_one).all()
    band = np.array([0xFF, 0xFF, 0xFF]) * 0.82 + 0.18 * np.array([0x00, 0x72, 0xB2])
    assert (np.abs(together - band).max(axis=2) < 3).sum() > 5000
    assert not (np.abs(together - (0xD5, 0x5E, 0x00)).max(axis=2) < 8).any(), "a second colour"


def test_plot_command_prints_the_path(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    assert plot_main([str(write_run(tmp_path / "a")), "--out", str(tmp_path / "x.png")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "x.png")


def test_plot_refuses_folders_that_are_not_runs(tmp_path):
    with pytest.raises(ValueError, match="at least one"):
        plot([])
    with pytest.raises(FileNotFoundError, match=r"metrics\.jsonl"):
        plot([tmp_path], tmp_path / "out.png")
    run = write_run(tmp_path / "run")
    with pytest.raises(ValueError, match=r"\.png"):
        plot([run], tmp_path / "out.pdf")
    with pytest.raises(FileNotFoundError, match=r"cannot write .*absent/out\.png: there is no folder .*absent"):
        plot([run], tmp_path / "absent" / "out.png")
    with pytest.raises(ValueError, match="column 'setps'"):
        plot([run], tmp_path / "out.png", x="setps")
    (run / "metrics.jsonl").write_text("")
    with pytest.raises(ValueError, match="no update"):
        plot([run], tmp_path / "out.png")
    (run / "metrics.jsonl").write_text('{"update": 1}\nnonsense\n{"update": 2}\n')
    with pytest.raises(ValueError, match="line 2"):
        plot([run], tmp_path / "out.png")
    (run / "metrics.jsonl").write_text("[1, 2]\n{}\n")
    with pytest.raises(ValueError, match="line 1"):
        plot([run], tmp_path / "out.png")


def test_plot_without_matplotlib_names_the_missing_package(tmp_path, monkeypatch):
    run = write_run(tmp_path / "run")
    for name in [*(key for key in sys.modules if key.startswith("matplotlib")), "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(DrawingUnavailable, match="matplotlib"):
        plot([run], tmp_path / "out.png")
