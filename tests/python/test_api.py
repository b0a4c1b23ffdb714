"""`pufferc.train` and `pufferc.evaluate`, and the notebook that uses them."""

from __future__ import annotations

import base64
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pufferc
from pufferc.config import SETTING_OF, TrainConfig, load_config
from pufferc.config.schema import SECTIONS, parameters

pytest.importorskip("torch")

from pufferc.runs.checkpoint import list_checkpoints

NOTEBOOK = Path(__file__).parents[2] / "examples" / "python" / "train_and_watch.ipynb"
SMALL: dict[str, Any] = {
    "num_envs": 32,
    "num_threads": 1,
    "threads": 1,
    "hidden_size": 8,
    "total_steps": 4096,
    "horizon": 16,
    "minibatch_size": 128,
    "target_score": None,
    "keep_checkpoints": 0,
    "checkpoint_interval_s": 0.0,
}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Any:
    runs = tmp_path_factory.mktemp("runs")
    return pufferc.train("cartpole", params={"max_steps": 100}, runs=runs, quiet=True, seed=3, **SMALL)


def test_train_returns_how_the_run_ended(result: Any, capsys: Any) -> None:
    assert result.outcome == "complete" and result.steps == 4096 and result.run.name.startswith("cartpole-")
    text = (result.run / "config.toml").read_text()
    assert "seed = 3" in text and "hidden_size = 8" in text and "max_steps = 100" in text
    assert "Traceback" not in capsys.readouterr().err


def test_a_game_has_its_own_configuration(tmp_path: Path) -> None:
    made = pufferc.train("breakout", runs=tmp_path, quiet=True, **SMALL)
    own, plain = load_config("breakout", made.run / "config.toml").train, TrainConfig()
    packaged = load_config("breakout").train
    assert (own.gamma, own.learning_rate) == (packaged.gamma, packaged.learning_rate)
    assert (own.gamma, own.learning_rate) != (plain.gamma, plain.learning_rate)


def test_progress_is_plain_lines(tmp_path: Path, capsys: Any) -> None:
    pufferc.train("squared", runs=tmp_path, **SMALL)
    captured = capsys.readouterr()
    assert "steps/s" not in captured.out and "100%" in captured.err and "\x1b" not in captured.err


def test_evaluate_equals_the_command(result: Any, capsys: Any) -> None:
    from pufferc.commands.main import main

    found = pufferc.evaluate("cartpole", result.run, episodes=64, seed=5)
    assert found.episodes == 64 and found.episode_length <= 100
    words = ["eval", "cartpole", "--checkpoint", str(result.run), "--episodes", "64", "--seed", "5", "--json"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["score"] == found.score
    assert pufferc.evaluate("cartpole", runs=result.run.parent, episodes=64, seed=5).score == found.score
    assert pufferc.evaluate("cartpole", result.run, episodes=64, params={"max_steps": 5}).episode_length <= 5


def test_evaluate_records_a_film(result: Any, tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    pufferc.evaluate("cartpole", result.run, episodes=8, record=tmp_path / "film.gif", record_steps=5)
    assert (tmp_path / "film.gif").read_bytes()[:4] == b"GIF8"
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        pufferc.evaluate("cartpole", result.run, record=tmp_path / "absent" / "film.gif")


def test_a_run_is_resumed_and_its_weights_start_another(result: Any, tmp_path: Path) -> None:
    first = list_checkpoints(result.run)[0]
    resumed = pufferc.train("cartpole", resume=first, quiet=True, total_steps=4608)
    assert resumed.run == result.run and resumed.steps == 4608
    other = pufferc.train("cartpole", weights=result.run, runs=tmp_path, quiet=True, **SMALL)
    assert other.run.parent == tmp_path
    for keywords in ({"learning_rate": 0.5}, {"weights": first}, {"config": "x.toml"}, {"params": {"max_steps": 7}}):
        with pytest.raises(ValueError, match=next(iter(keywords)) if "params" not in keywords else "max_steps"):
            pufferc.train("cartpole", resume=first, quiet=True, **keywords)


def test_unknown_settings_are_type_errors() -> None:
    with pytest.raises(TypeError, match=r"train\(\) got an unexpected keyword argument 'total_step'; did you mean"):
        pufferc.train("cartpole", total_step=3)
    with pytest.raises(ValueError, match=r"train: train\.gamma must be in \[0, 1\], got 2"):
        pufferc.train("cartpole", gamma=2)


def test_settings_and_arguments_have_different_names() -> None:
    settings = [(section, row.name) for section, kind in SECTIONS.items() for row in parameters(kind)]
    assert sorted(settings) == sorted(SETTING_OF.values())
    assert not set(inspect.signature(pufferc.train).parameters) & set(SETTING_OF)
    assert SETTING_OF["device"] == ("train", "device") and SETTING_OF["vec_device"] == ("vec", "device")


def test_a_missing_package_is_named_with_how_to_install_it(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('No module named torch', name='torch')\n")
    code = "import pufferc\ntry: pufferc.train('cartpole')\nexcept ImportError as error: print(error)\n"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "pufferc.train needs torch; install it with: pip install 'pufferc[train]'\n"


def test_the_example_of_the_training_page_runs(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    page = (NOTEBOOK.parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    exec(example, {})
    assert "complete" in capsys.readouterr().out


# ---- the notebook -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("one_core")
def test_the_notebook_trains_plots_and_shows_a_film(tmp_path: Path) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip("matplotlib")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}
    text = "".join(output.get("text", "") for found in outputs.values() for output in found)
    assert "/s  score" in text and " after " in text and "\x1b" not in text, "progress is plain lines"
    assert not [output for found in outputs.values() for output in found if output.get("name") == "stderr"]
    pictures = {name: found[-1].data for name, found in outputs.items() if found and "data" in found[-1]}
    assert base64.b64decode(pictures["compare"]["image/png"])[:4] == b"\x89PNG"
    assert base64.b64decode(pictures["film"]["image/gif"])[:4] == b"GIF8"
