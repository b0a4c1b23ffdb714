"""The installed package as C and C++ programs use it: consumer projects and examples are built against it."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from conftest import OFFLINE, ROOT
from pufferc.authoring import sdk
from pufferc.pictures import window

CONSUMER = ROOT / "tests" / "consumer"
ROTOR = ROOT / "tests" / "c" / "rotor.c"
CC = next((name for name in (os.environ.get("CC"), "cc", "gcc", "clang") if name and shutil.which(name)), None)
CXX = next((name for name in (os.environ.get("CXX"), "c++", "g++", "clang++") if name and shutil.which(name)), None)

needs_compiler = pytest.mark.skipif(CC is None or CXX is None, reason="no C and C++ compiler")


def run(*command: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300, cwd=cwd)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def clean_environment(folder: Path, wheel: Path) -> Path:
    """The interpreter of a new virtual environment with the wheel and its dependencies."""
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if any(words in done.stderr for words in OFFLINE):
        pytest.skip("no package index to get numpy and gymnasium from")
    assert done.returncode == 0, done.stderr
    return python


def ask(*flags: str) -> str:
    return run(sys.executable, "-m", "pufferc", *flags).strip()


def test_sdk_paths_are_inside_the_package() -> None:
    assert Path(ask("--includedir"), "pufferc", "pufferc.hpp").is_file()
    assert Path(ask("--cmakedir"), "pufferc-config.cmake").is_file()
    assert ask("--cmakedir", "--includedir").splitlines() == [str(sdk.cmakedir()), str(sdk.includedir())]
    flags = shlex.split(ask("--cflags", "--libs"))
    assert f"-I{sdk.includedir()}" in flags and "-ffp-contract=off" in flags and "-lpufferc" in flags
    assert sorted(path.name for path in sdk.libdir().glob("libpufferc.*")) == ["libpufferc.a", sdk.library().name]
    done = subprocess.run([sys.executable, "-m", "pufferc.authoring.sdk"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "--cmakedir" in done.stderr


def test_editable_installs_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An editable install has its Python files in the source tree and its headers beside the compiled module."""
    (tmp_path / "sources").mkdir()
    headers = tmp_path / "installed" / "include" / "pufferc"
    monkeypatch.setattr(sdk, "__file__", str(tmp_path / "sources" / "sdk.py"))
    core = importlib.machinery.ModuleSpec("pufferc._core", None, origin=str(tmp_path / "installed" / "_core.so"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: core if name == "pufferc._core" else None)
    sdk._root.cache_clear()
    with pytest.raises(FileNotFoundError, match=r"no headers in .*sources or .*installed"):
        sdk.includedir()
    headers.mkdir(parents=True)
    (headers / "pufferc.h").touch()
    try:
        assert sdk.includedir() == headers.parent
        assert sdk.cmakedir() == tmp_path / "installed" / "lib" / "cmake" / "pufferc"
    finally:
        sdk._root.cache_clear()


def test_other_builds_find_the_cmake_package() -> None:
    """scikit-build-core passes the folder of this entry point to find_package as pufferc_ROOT."""
    (entry,) = (point for point in entry_points(group="cmake.root") if point.name == "pufferc")
    assert entry.value == "pufferc"
    assert (sdk.cmakedir().parents[2] / "__init__.py").is_file() or "site-packages" in str(sdk.cmakedir())


@needs_compiler
@pytest.mark.parametrize("project", ["c", "cpp"])
def test_consumer_project(project: str, tmp_path: Path) -> None:
    """The project uses find_package, links both libraries, and compares golden hashes."""
    cmake = shutil.which("cmake")
    if cmake is None:
        pytest.skip("no cmake")
    definitions = [f"-DPROJECT={project}", f"-DWORK={tmp_path}", f"-DPREFIX={sdk.cmakedir().parents[2]}"]
    run(cmake, *definitions, "-P", CONSUMER / "build.cmake")


@needs_compiler
def test_one_compiler_command(tmp_path: Path) -> None:
    """The printed flags are enough. The program also finds the library in its own folder."""
    flags = shlex.split(ask("--cflags", "--libs"))
    source = CONSUMER / "c" / "main.c"
    assert CC is not None
    run(CC, "-std=c11", f"-I{CONSUMER}", source, *flags, "-o", tmp_path / "program")
    assert "games" in run(tmp_path / "program")
    shutil.copy(sdk.library(), tmp_path)
    compile_flags = [f"-I{CONSUMER}", f"-I{sdk.includedir()}", f"-L{tmp_path}"]
    run(CC, "-std=c11", *compile_flags, source, "-lpufferc", "-Wl,-rpath,$ORIGIN", "-o", tmp_path / "moved")
    (tmp_path / "away").mkdir()
    for name in ("moved", sdk.library().name):
        shutil.move(tmp_path / name, tmp_path / "away" / name)
    assert "games" in run(tmp_path / "away" / "moved")


@needs_compiler
@pytest.mark.skipif(platform.machine() != "x86_64" or sys.platform != "linux", reason="looks at x86-64 instructions")
@pytest.mark.skipif(not shutil.which("objdump"), reason="no objdump")
def test_a_user_game_has_no_fused_multiply_add(tmp_path: Path) -> None:
    """No -march flag of the author may enable fused operations. GCC 12 can fuse despite -ffp-contract=off."""
    for name, command in {
        "flags": [CC, "-O3", "-mavx512f", "-mfma", "-shared", "-fPIC", ROTOR, *shlex.split(ask("--cflags")), "-o"],
        "build": [sys.executable, "-m", "pufferc", "build", ROTOR, "--cc", f"{CC} -mavx512f -mfma", "--out"],
    }.items():
        module = tmp_path / f"{name}.so"
        run(*map(str, command), module)
        code = run("objdump", "-d", module)
        assert "mulps" in code and not re.search(r"\tvfn?m(add|sub)", code), name


@needs_compiler
def test_examples_in_cpp(tmp_path: Path) -> None:
    assert CXX is not None
    flags = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", *shlex.split(ask("--cflags", "--libs"))]
    for name in ("speed", "play_policy"):
        run(CXX, ROOT / "examples" / "cpp" / f"{name}.cpp", *flags, "-o", tmp_path / name)
    assert "million agent steps per second" in run(tmp_path / "speed", "squared", "64")


@needs_compiler
@pytest.mark.slow
def test_the_wheel_works_in_a_clean_environment(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With only numpy and gymnasium installed, the wheel works, and a C project can use its CMake package."""
    cmake = shutil.which("cmake")
    if cmake is None:
        pytest.skip("no cmake")
    python = clean_environment(tmp_path / "clean", wheel)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    cmakedir = run(python, "-m", "pufferc", "--cmakedir").strip()
    assert Path(cmakedir).is_relative_to(tmp_path / "clean")
    packages = run(python, "-c", "import importlib.metadata as m; print(*(d.name.lower() for d in m.distributions()))")
    assert {"pufferc", "numpy", "gymnasium"} <= set(packages.split()) and "torch" not in packages
    project, build = CONSUMER / "c", tmp_path / "project"
    run(cmake, "-S", project, "-B", build, f"-Dpufferc_DIR={cmakedir}", "-DCMAKE_BUILD_TYPE=Release")
    run(cmake, "--build", build)
    tested = run("ctest", "--test-dir", build, "--output-on-failure")
    assert "100% tests passed" in tested and ("window" in tested) == (window.why_no_windows() is None)
    shape = run(python, "-c", "import pufferc; print(pufferc.make('cartpole', 2).reset()[0].shape)")
    assert shape == "(2, 4)\n"
