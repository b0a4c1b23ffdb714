"""How CMake finds raylib and Box2D: in folders that the user names, nowhere, and what is not what it should be."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pufferc import _core

ROOT = Path(__file__).parents[2]
CMAKE = shutil.which("cmake")
# Nothing is searched for on this machine but what a test names.
NOTHING = {"PUFFERC_DOWNLOAD": "OFF", "PUFFERC_RAYLIB": "OFF", "PUFFERC_BOX2D": "OFF", "PUFFERC_CUDA": "OFF"}

pytestmark = pytest.mark.skipif(CMAKE is None or not shutil.which("cc"), reason="needs cmake and a C compiler")


def configure(build: Path, *, python: bool = False, **options: str | Path) -> subprocess.CompletedProcess[str]:
    settings = {**NOTHING, "CMAKE_BUILD_TYPE": "Release", "PUFFERC_TESTS": "OFF", "PUFFERC_EXAMPLES": "OFF"}
    settings |= {"PUFFERC_BENCHMARKS": "OFF", **{name: str(value) for name, value in options.items()}}
    if python:
        pybind11 = pytest.importorskip("pybind11")
        settings |= {"PUFFERC_PYTHON": "ON", "pybind11_DIR": pybind11.get_cmake_dir()}
        settings |= {"Python_EXECUTABLE": sys.executable, "SKBUILD_SABI_COMPONENT": ""}
    command = [str(CMAKE), "-S", str(ROOT), "-B", str(build), *(f"-D{key}={value}" for key, value in settings.items())]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def words(done: subprocess.CompletedProcess[str]) -> str:
    """All that CMake said, without its line breaks."""
    return " ".join((done.stdout + done.stderr).split())


@pytest.fixture(scope="module")
def raylib_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with raylib's source: one that this checkout has, else fetched as the build does it."""
    for folder in (ROOT / "third_party" / "raylib", *ROOT.glob("build/*/third_party/raylib")):
        if (folder / "src" / "raylib.h").is_file():
            return folder
    folder = tmp_path_factory.mktemp("fetched") / "raylib"
    script = ROOT / "third_party" / "fetch_raylib.sh"
    done = subprocess.run(["sh", script, folder], capture_output=True, text=True, timeout=400)
    if done.returncode:
        pytest.skip(f"raylib's source cannot be had here: {done.stderr.strip()}")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["PUFFERC_RAYLIB_SOURCE", "FETCHCONTENT_SOURCE_DIR_RAYLIB"])
def test_raylib_from_a_named_folder(variable: str, raylib_source: Path, tmp_path: Path) -> None:
    """The drawing module that is built from the user's folder draws."""
    mine = tmp_path / "my raylib"
    shutil.copytree(raylib_source, mine)
    done = configure(tmp_path / "build", python=True, PUFFERC_RAYLIB="ON", **{variable: mine})
    assert done.returncode == 0, done.stderr
    assert f"pictures by raylib in {mine}" in words(done)
    command = [str(CMAKE), "--build", str(tmp_path / "build"), "--target", "pufferc_draw_headless"]
    built = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stdout + built.stderr
    (module,) = (tmp_path / "build").rglob("pufferc_draw_headless.so")
    picture = np.zeros((48, 64, 3), np.uint8)
    drawing = _core.DrawModule(str(module))
    drawing.open(64, 48, "")
    drawing.frame(64, 48, 0x204060FF, [], [], picture)
    assert (picture == (0x20, 0x40, 0x60)).all()


@pytest.mark.parametrize("library", ["RAYLIB", "BOX2D"])
@pytest.mark.parametrize("variable", ["PUFFERC_{}_SOURCE", "FETCHCONTENT_SOURCE_DIR_{}"])
def test_a_folder_without_source_is_refused(library: str, variable: str, tmp_path: Path) -> None:
    name = {"RAYLIB": "raylib", "BOX2D": "Box2D"}[library]
    named = {variable.format(library): tmp_path / "empty", f"PUFFERC_{library}": "AUTO"}
    done = configure(tmp_path / "build", python=True, **named)
    assert done.returncode != 0
    assert f"no {name} source in {tmp_path / 'empty'}" in words(done)


def test_another_version_of_raylib_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "raylib"
    (source / "src").mkdir(parents=True)
    (source / "src" / "raylib.h").write_text('#define RAYLIB_VERSION  "5.5"\n')
    done = configure(tmp_path / "build", python=True, PUFFERC_RAYLIB="AUTO", PUFFERC_RAYLIB_SOURCE=source)
    assert done.returncode != 0 and f"{source} is not raylib 6.0" in words(done)


def test_without_either_it_builds_and_says_what_is_missing(tmp_path: Path) -> None:
    if (ROOT / "third_party" / "raylib").exists():
        pytest.skip("this checkout has raylib's source in third_party/raylib")
    done = configure(tmp_path / "build", python=True, PUFFERC_RAYLIB="AUTO", CMAKE_FIND_USE_CMAKE_SYSTEM_PATH="OFF")
    assert done.returncode == 0, done.stderr
    assert "built without pictures" in words(done) and "PUFFERC_RAYLIB_SOURCE" in words(done)
    assert "built without lander" in words(done)


def test_what_must_be_there_and_is_not_is_an_error(tmp_path: Path) -> None:
    if (ROOT / "third_party" / "raylib").exists():
        pytest.skip("this checkout has raylib's source in third_party/raylib")
    done = configure(tmp_path / "build", python=True, PUFFERC_RAYLIB="ON", CMAKE_FIND_USE_CMAKE_SYSTEM_PATH="OFF")
    assert done.returncode != 0 and "-DPUFFERC_RAYLIB_SOURCE=" in words(done)
