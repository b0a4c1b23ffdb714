"""The oldest releases that pyproject.toml allows work with the wheel. python/constraints-min.txt lists them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from conftest import OFFLINE, ROOT

# Short tests that use each package.
TESTS = [
    "test_gymnasium.py",  # gymnasium, numpy
    "test_vector.py",
    "test_checkpoint.py",  # torch, safetensors
    "test_ppo.py",
    "test_cli.py",  # tyro, rich
    "test_dashboard.py::test_a_run_on_a_terminal_ends_with_one_panel_and_the_summary",
    "test_interop.py::test_sb3_gets_the_results_of_the_pool",
    "test_interop.py::test_sb3_attributes_and_methods_of_rows",
    "test_interop.py::test_pettingzoo_agents_do_not_respawn",
    "test_interop.py::test_pettingzoo_passes_its_own_tests",
    "test_record.py::test_gif_holds_every_picture",  # pillow
    "test_record.py::test_mp4_holds_every_picture",  # imageio-ffmpeg
    "test_plot.py::test_plot_draws_runs_in_different_colours",  # matplotlib
    "test_sweep_results.py",  # optuna, scikit-learn
    "test_loggers.py::test_tensorboard_has_all_curves_after_a_resume",
    "test_loggers.py::test_wandb_offline_records_and_a_resumed_run_keeps_its_id",
    "test_export.py::test_onnx",
]


def pinned() -> dict[str, str]:
    """Version of each package in constraints-min.txt."""
    text = (ROOT / "python" / "constraints-min.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w-]+)==([\d.]+)", text, re.MULTILINE))


def release(version: str) -> tuple[int, ...]:
    """The version as a tuple; 2.6.0 and 2.6 are equal."""
    return tuple(int(part) for part in re.sub(r"(\.0)+$", "", version).split("."))


def test_the_file_has_the_declared_minimums() -> None:
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    of_tests = ("dev", "interop-tests", "parity")
    extras = {name: needs for name, needs in project["optional-dependencies"].items() if name not in of_tests}
    declared: dict[str, tuple[int, ...]] = {}
    for requirement in [*project["dependencies"], *(need for needs in extras.values() for need in needs)]:
        match = re.match(r"([\w-]+)>=([\d.]+)", requirement)
        assert match, f"{requirement} declares no minimum"
        name, minimum = match[1], release(match[2])
        declared[name] = min(minimum, declared.get(name, minimum))
    assert {name: release(version) for name, version in pinned().items()} == declared


def test_the_listed_tests_exist() -> None:
    for file, _, name in (test.partition("::") for test in TESTS):
        text = (Path(__file__).parent / file).read_text(encoding="utf-8")
        assert f"def {name}(" in text if name else text, f"{file}::{name}"


def borrow(package: str, site_packages: Path) -> None:
    """Make a package of this environment available in the environment of `site_packages`."""
    found = distribution(package)
    for name in {file.parts[0] for file in found.files or [] if file.parts[0] not in ("..", "__pycache__")}:
        (site_packages / name).symlink_to(found.locate_file(name))


def install(python: Path, *words: str) -> None:
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-compile", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    if any(said in done.stderr for said in OFFLINE):
        pytest.skip("no package index to get the oldest releases from")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("PUFFERC_TEST_MINIMUMS"), reason="installs 30 packages: PUFFERC_TEST_MINIMUMS=1")
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="the oldest releases have no wheels for this Python")
def test_the_declared_minimums_work(wheel: Path, tmp_path: Path) -> None:
    """Uses this environment's torch, because the oldest is gigabytes. PUFFERC_MIN_TORCH=1 also installs the oldest."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True, timeout=60)
    python = tmp_path / "venv" / "bin" / "python"
    (site_packages,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    minimum = (ROOT / "python" / "constraints-min.txt").read_text(encoding="utf-8")
    extras = ["train", "render", "sweep", "tensorboard", "wandb", "sb3", "pettingzoo"]
    if not os.environ.get("PUFFERC_MIN_TORCH"):
        try:
            borrow("torch", site_packages)
        except PackageNotFoundError:
            pytest.skip("needs torch")
        minimum = re.sub(r"^torch==.*\n", "", minimum, flags=re.MULTILINE)
        extras.append("onnx")  # needs a newer torch than the others
    (tmp_path / "constraints.txt").write_text(minimum, encoding="utf-8")
    packages = [f"{wheel}[{','.join(extras)}]", "pytest==8.0.0", "hypothesis"]
    install(python, "-c", str(tmp_path / "constraints.txt"), *packages)
    names = [f"tests/python/{name}" for name in TESTS if "onnx" in extras or "onnx" not in name]
    # Old releases warn about later deprecations, which this project can't fix.
    options = ["-q", "-p", "no:cacheprovider", "-m", "not slow", "-o", "filterwarnings="]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PYTHONPATH"))}
    environment["PATH"] = f"{python.parent}{os.pathsep}{environment['PATH']}"
    command = [python, "-m", "pytest", *options, *names]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
