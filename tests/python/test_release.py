"""Release builds are reproducible: two builds of the same sources in different folders give the same wheel."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from conftest import ROOT

# The settings of a release without optimisation, which takes minutes and adds no path, time or order to a file.
# PUFFERC_TEST_OPTIMISED=1 compares optimised wheels as they are released.
QUICK = [
    "cmake.build-type=Quick",
    "cmake.define.CMAKE_C_FLAGS_QUICK=-DNDEBUG",
    "cmake.define.CMAKE_CXX_FLAGS_QUICK=-DNDEBUG",
]


def copy_sources(folder: Path) -> Path:
    for name in ("csrc", "python", "third_party"):
        ignored = shutil.ignore_patterns("__pycache__", "*.so", "raylib")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("CMakeLists.txt", "LICENSE", "README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


def build(sources: Path, out: Path, cached: bool) -> Path:
    """Build with or without a compiler cache. The cache can hold objects from an earlier run of the test."""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_COMPILER_LAUNCHER")}
    environment |= {"SOURCE_DATE_EPOCH": "1700000000"}
    if cached and shutil.which("ccache"):
        environment |= {f"CMAKE_{language}_COMPILER_LAUNCHER": "ccache" for language in ("C", "CXX")}
        environment |= {"CCACHE_BASEDIR": str(sources), "CCACHE_NOHASHDIR": "1"}
    fetched = next(ROOT.glob("build/*/third_party/raylib/src/raylib.h"), None)
    if fetched:
        environment.setdefault("PUFFERC_RAYLIB_SOURCE", str(fetched.parents[1]))
    if charts := next(ROOT.glob("build/*/uplot/uPlot.iife.min.js"), None):
        environment.setdefault("PUFFERC_UPLOT_SOURCE", str(charts.parent))
    settings = ["cmake.define.PUFFERC_CUDA=OFF", "cmake.define.PUFFERC_DOWNLOAD=OFF"]
    if not os.environ.get("PUFFERC_TEST_OPTIMISED"):
        settings += QUICK
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    command += [word for setting in settings for word in ("--config-settings", setting)]
    done = subprocess.run(
        [*command, "-w", str(out), str(sources)], capture_output=True, text=True, timeout=900, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = out.glob("pufferc-*.whl")
    return wheel


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("PUFFERC_TEST_RELEASE"), reason="two whole builds: PUFFERC_TEST_RELEASE=1")
@pytest.mark.skipif(sys.platform != "linux", reason="as Linux links")
@pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("scikit_build_core", "pybind11")), reason="no build tools"
)
def test_two_builds_give_the_same_wheel(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "a folder" / "further down"
    wheels = [build(copy_sources(one / "sources"), one, cached=True)]
    wheels += [build(copy_sources(other / "sources"), other, cached=False)]
    members = []
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            members.append({name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()})
    assert sorted(members[0]) == sorted(members[1])
    assert [name for name in members[0] if members[0][name] != members[1][name]] == []
    assert wheels[0].read_bytes() == wheels[1].read_bytes()
