"""How CMake finds raylib, Box2D and uPlot: in user-named folders, missing libraries, and invalid sources."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pufferc import _core
from pufferc.view import uplot

ROOT = Path(__file__).parents[2]
CMAKE = shutil.which("cmake")
# CMake may search only the paths that a test names, not this machine.
NOTHING = {"PUFFERC_DOWNLOAD": "OFF", "PUFFERC_RAYLIB": "OFF", "PUFFERC_BOX2D": "OFF", "PUFFERC_CUDA": "OFF"}

pytestmark = pytest.mark.skipif(CMAKE is None or not shutil.which("cc"), reason="needs cmake and a C compiler")


def configure(
    build: Path, *, python: bool = False, cwd: Path = ROOT, env: dict[str, str] | None = None, **options: str | Path
) -> subprocess.CompletedProcess[str]:
    settings = {**NOTHING, "CMAKE_BUILD_TYPE": "Release", "PUFFERC_TESTS": "OFF", "PUFFERC_EXAMPLES": "OFF"}
    settings |= {"PUFFERC_BENCHMARKS": "OFF", **{name: str(value) for name, value in options.items()}}
    if python:
        pybind11 = pytest.importorskip("pybind11")
        settings |= {"PUFFERC_PYTHON": "ON", "pybind11_DIR": pybind11.get_cmake_dir()}
        settings |= {"Python_EXECUTABLE": sys.executable, "SKBUILD_SABI_COMPONENT": ""}
    command = [str(CMAKE), "-S", str(ROOT), "-B", str(build), *(f"-D{key}={value}" for key, value in settings.items())]
    # Sets PWD as a shell does. Removes the folders that the user's environment names for other builds.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PUFFERC_")}
    environment |= {"PWD": str(cwd), **(env or {})}
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=cwd, env=environment)


def words(done: subprocess.CompletedProcess[str]) -> str:
    """The output of CMake without line breaks."""
    return " ".join((done.stdout + done.stderr).split())


@pytest.fixture(scope="module")
def raylib_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with raylib's source: the copy of this checkout, or one fetched as in a build."""
    for folder in (ROOT / "third_party" / "raylib", *ROOT.glob("build/*/third_party/raylib")):
        if (folder / "src" / "raylib.h").is_file():
            return folder
    folder = tmp_path_factory.mktemp("fetched") / "raylib"
    script = ROOT / "third_party" / "fetch_raylib.sh"
    done = subprocess.run(["sh", script, folder], capture_output=True, text=True, timeout=400)
    if done.returncode:
        pytest.skip(f"raylib's source is not available here: {done.stderr.strip()}")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["PUFFERC_RAYLIB_SOURCE", "FETCHCONTENT_SOURCE_DIR_RAYLIB"])
def test_raylib_is_built_from_a_named_folder(variable: str, raylib_source: Path, tmp_path: Path) -> None:
    """The window module is built from the user's folder and can be loaded."""
    mine = tmp_path / "my raylib"
    shutil.copytree(raylib_source, mine)
    done = configure(tmp_path / "build", python=True, PUFFERC_RAYLIB="AUTO", **{variable: mine})
    assert done.returncode == 0, done.stderr
    if "does not compile with GLFW" in words(done):
        pytest.skip("the headers of X11 that GLFW needs are not installed")
    assert f"windows by raylib in {mine}" in words(done)
    command = [str(CMAKE), "--build", str(tmp_path / "build"), "--target", "pufferc_draw_window"]
    built = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stdout + built.stderr
    (module,) = (tmp_path / "build").rglob("pufferc_draw_window.so")
    _core.load_window_module(str(module))


@pytest.mark.parametrize("library", ["RAYLIB", "BOX2D"])
@pytest.mark.parametrize("variable", ["PUFFERC_{}_SOURCE", "FETCHCONTENT_SOURCE_DIR_{}"])
def test_a_folder_without_source_is_refused(library: str, variable: str, tmp_path: Path) -> None:
    name = {"RAYLIB": "raylib", "BOX2D": "Box2D"}[library]
    named = {variable.format(library): tmp_path / "empty", f"PUFFERC_{library}": "AUTO"}
    done = configure(tmp_path / "build", python=True, **named)
    assert done.returncode != 0
    assert f"no {name} source in {tmp_path / 'empty'}" in words(done)


def test_another_version_of_raylib_is_refused(tmp_path: Path) -> None:
    source = stub_raylib(tmp_path / "raylib", "5.5")
    done = configure(tmp_path / "build", PUFFERC_RAYLIB="AUTO", PUFFERC_RAYLIB_SOURCE=source)
    assert done.returncode != 0 and f"{source} is not raylib 6.0" in words(done)


def test_a_build_without_raylib_and_box2d_reports_both(tmp_path: Path) -> None:
    if (ROOT / "third_party" / "raylib").exists():
        pytest.skip("this checkout has raylib's source in third_party/raylib")
    done = configure(tmp_path / "build", python=True, PUFFERC_RAYLIB="AUTO", CMAKE_FIND_USE_CMAKE_SYSTEM_PATH="OFF")
    assert done.returncode == 0, done.stderr
    assert "built without windows" in words(done) and "PUFFERC_RAYLIB_SOURCE" in words(done)
    assert "built without impulse and lander" in words(done)


def test_a_missing_required_library_is_an_error(tmp_path: Path) -> None:
    if (ROOT / "third_party" / "raylib").exists():
        pytest.skip("this checkout has raylib's source in third_party/raylib")
    done = configure(tmp_path / "build", python=True, PUFFERC_RAYLIB="ON", CMAKE_FIND_USE_CMAKE_SYSTEM_PATH="OFF")
    assert done.returncode != 0 and "-DPUFFERC_RAYLIB_SOURCE=" in words(done)


def stub_raylib(folder: Path, version: str = "6.0") -> Path:
    """The files of a raylib source folder that CMake checks."""
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "raylib.h").write_text(f'#define RAYLIB_VERSION  "{version}"\n')
    for name in ("src/rcore.c", "LICENSE"):
        (folder / name).touch()
    return folder


def stub_glfw(prefix: Path, version: str = "3.3.8") -> Path:
    """A stand-in for an installed GLFW: a header, and the header of another version in raylib's source."""
    config = prefix / "lib" / "cmake" / "glfw3"
    headers = prefix / "include" / "GLFW"
    config.mkdir(parents=True)
    headers.mkdir(parents=True)
    (headers / "glfw3.h").write_text("#include <stddef.h>\ntypedef int InstalledGlfw;\n")
    (config / "glfw3Config.cmake").write_text(
        "add_library(glfw INTERFACE IMPORTED)\n"
        f'set_target_properties(glfw PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "{prefix / "include"}")\n'
    )
    (config / "glfw3ConfigVersion.cmake").write_text(
        f"set(PACKAGE_VERSION {version})\nset(PACKAGE_VERSION_COMPATIBLE TRUE)\n"
    )
    return config


def stub_raylib_with_glfw(folder: Path, code: str = "") -> Path:
    """raylib's source with a copy of GLFW that a build must not use."""
    source = stub_raylib(folder)
    for name in ("src/rglfw.c", "src/external/glfw/include/GLFW/glfw3.h", "src/external/glfw/src/init.c"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("#error this is raylib's own copy of GLFW\n")
    (source / "src" / "rcore.c").write_text(
        f"#ifdef PLATFORM_DESKTOP\n#include <GLFW/glfw3.h>\nInstalledGlfw window;\n{code}#endif\nint rcore;\n"
    )
    return source


@pytest.mark.parametrize("version", ["3.3.8", "3.4.0"])
def test_windows_use_the_installed_glfw(version: str, tmp_path: Path) -> None:
    """Without X11 headers raylib's copy of GLFW can't be built, so its header must not be used either."""
    source, glfw = stub_raylib_with_glfw(tmp_path / "my raylib"), stub_glfw(tmp_path / "glfw", version)
    build = tmp_path / "build"
    options = {"PUFFERC_RAYLIB_SOURCE": source, "glfw3_DIR": glfw, "CMAKE_DISABLE_FIND_PACKAGE_X11": "ON"}
    done = configure(build, PUFFERC_RAYLIB="ON", **options)
    assert done.returncode == 0, done.stderr
    command = [str(CMAKE), "--build", str(build), "--target", "pufferc_raylib"]
    built = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert built.returncode == 0, built.stdout + built.stderr


def test_a_window_that_does_not_compile_is_left_out(tmp_path: Path) -> None:
    """The compiler's output is reported. It is an error if windows were required."""
    source = stub_raylib_with_glfw(tmp_path / "raylib", "#error no windows today\n")
    options = {"PUFFERC_RAYLIB_SOURCE": source, "glfw3_DIR": stub_glfw(tmp_path / "glfw", "3.4.0")}
    options |= {"CMAKE_DISABLE_FIND_PACKAGE_X11": "ON"}
    done = configure(tmp_path / "build", PUFFERC_RAYLIB="AUTO", **options)
    assert done.returncode == 0, done.stderr
    assert "no windows: raylib" in words(done) and "no windows today" in words(done)
    command = [str(CMAKE), "--build", str(tmp_path / "build"), "--target"]
    built = subprocess.run([*command, "pufferc_draw"], capture_output=True, text=True, timeout=120)
    assert built.returncode == 0 and not list((tmp_path / "build").rglob("pufferc_draw_window.so")), built.stdout
    done = configure(tmp_path / "build", PUFFERC_RAYLIB="ON", **options)
    assert done.returncode != 0 and "PUFFERC_RAYLIB is ON, but there can be no windows" in words(done)


# ---- a release takes nothing from the machine and leaves nothing out --------------------------------------


def test_a_release_uses_the_bundled_glfw(tmp_path: Path) -> None:
    options = {"PUFFERC_RELEASE": "ON", "PUFFERC_RAYLIB": "ON", "glfw3_DIR": stub_glfw(tmp_path / "glfw")}
    done = configure(tmp_path / "build", PUFFERC_RAYLIB_SOURCE=stub_raylib(tmp_path / "raylib"), **options)
    assert done.returncode != 0 and "a release is built with raylib's own GLFW" in words(done)
    source = stub_raylib_with_glfw(tmp_path / "whole")
    done = configure(
        tmp_path / "whole build", PUFFERC_RAYLIB_SOURCE=source, CMAKE_DISABLE_FIND_PACKAGE_X11="ON", **options
    )
    assert done.returncode != 0 and "headers of X11 are missing" in words(done)


def test_a_release_ignores_an_installed_box2d(tmp_path: Path) -> None:
    """The Box2D of pyb2d3 allows only 128 games per process."""
    pytest.importorskip("pyb2d3")
    options = {"PUFFERC_BOX2D": "ON", "Python_EXECUTABLE": sys.executable}
    done = configure(tmp_path / "build", PUFFERC_RELEASE="ON", **options)
    assert done.returncode != 0 and "PUFFERC_BOX2D is ON, but Box2D 3.1 was not found" in words(done)


def test_the_release_command_requires_every_library(tmp_path: Path) -> None:
    """It fails if Box2D or raylib's bundled GLFW is unavailable, instead of building a wheel without them."""
    pytest.importorskip("scikit_build_core")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    command += [
        "--config-settings",
        f"build-dir={tmp_path / 'build'}",
        "--config-settings",
        "cmake.define.PUFFERC_DOWNLOAD=OFF",
        str(ROOT),
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PUFFERC_")}
    environment |= {"PUFFERC_RELEASE": "1"}
    for source, problem in (
        ({}, "PUFFERC_BOX2D is ON, but"),
        ({"PUFFERC_BOX2D_SOURCE": str(stub_box2d(tmp_path / "box2d", GUARDED))}, "PUFFERC_RAYLIB is ON, but"),
    ):
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment | source)
        assert done.returncode != 0 and problem in words(done), words(done)
    cache = (tmp_path / "build" / "CMakeCache.txt").read_text(encoding="utf-8")
    assert "PUFFERC_RELEASE:BOOL=ON" in cache and "PUFFERC_CUDA:STRING=OFF" in cache


# ---- uPlot, for the page of `pufferc view` ------------------------------------------------------------------


def stub_uplot(folder: Path, version: str = "1.6.32") -> Path:
    folder.mkdir()
    (folder / "uPlot.iife.min.js").write_text(f"/*! uPlot (v{version}) */\n")
    (folder / "uPlot.min.css").write_text("")
    (folder / "LICENSE").write_text("")
    return folder


def test_uplot_is_taken_from_a_named_folder_and_only_in_its_version(tmp_path: Path) -> None:
    done = configure(tmp_path / "build", python=True, PUFFERC_UPLOT_SOURCE=stub_uplot(tmp_path / "right"))
    assert done.returncode == 0 and f"charts by uPlot in {tmp_path / 'right'}" in words(done), words(done)
    done = configure(tmp_path / "build", python=True, PUFFERC_UPLOT_SOURCE=stub_uplot(tmp_path / "wrong", "1.5.0"))
    assert done.returncode != 0 and f"{tmp_path / 'wrong'} is not uPlot 1.6.32" in words(done)


def test_a_build_without_uplot_succeeds_unless_it_is_required(tmp_path: Path) -> None:
    done = configure(tmp_path / "build", python=True)
    assert done.returncode == 0 and "built without uPlot" in words(done), words(done)
    done = configure(tmp_path / "build", python=True, PUFFERC_UPLOT="ON")
    assert done.returncode != 0 and "PUFFERC_UPLOT is ON, but" in words(done)


def test_cmake_and_the_package_have_the_same_version_of_uplot() -> None:
    texts = [(ROOT / "third_party" / name).read_text(encoding="utf-8") for name in ("uplot.cmake", "README.md")]
    assert all(f"uPlot {uplot.VERSION}" in texts[0] and word in texts[1] for word in (uplot.VERSION, uplot.SHA256[:16]))
    assert f"v{uplot.VERSION}".replace(".", "\\\\.") in texts[0]


# ---- the CUDA module is built if required, or if the installed torch can use it ----------------------------


def stub_torch(folder: Path, cuda: str) -> Path:
    """A site-packages folder with the torch files that CMake reads."""
    (folder / "torch").mkdir(parents=True)
    (folder / "torch" / "__init__.py").write_text("raise RuntimeError('torch is not imported')\n")
    (folder / "torch" / "version.py").write_text(f"__version__ = '2.9.1'\ncuda: Optional[str] = {cuda}\nhip = None\n")
    return folder


@pytest.mark.parametrize(
    ("cuda", "choice", "said"),
    [
        ("None", "AUTO", "built without CUDA kernels (the installed torch is without CUDA"),
        ("'12.8'", "AUTO", "built without CUDA kernels (the installed torch has CUDA 12.8, but no CUDA compiler"),
        ("'12.8'", "OFF", "built without CUDA kernels (PUFFERC_CUDA is OFF"),
        ("None", "ON", "PUFFERC_CUDA is ON, but no CUDA compiler was found"),
    ],
)
def test_the_cuda_module_follows_the_installed_torch(cuda: str, choice: str, said: str, tmp_path: Path) -> None:
    """A stand-in for nvcc records whether CMake calls it."""
    calls, nvcc = tmp_path / "calls", tmp_path / "nvcc"
    nvcc.write_text(f"#!/bin/sh\necho call >>'{calls}'\nexit 1\n")
    nvcc.chmod(0o755)
    env = {"PYTHONPATH": str(stub_torch(tmp_path / "site", cuda)), "CUDACXX": str(nvcc)}
    done = configure(tmp_path / "build", python=True, env=env, PUFFERC_CUDA=choice)
    assert said in words(done) and (done.returncode == 0) == (choice != "ON"), words(done)
    assert calls.exists() == (choice == "ON" or (choice, cuda) == ("AUTO", "'12.8'"))


def test_torch_is_found_from_within_pips_build_environment(tmp_path: Path) -> None:
    """Build isolation hides installed packages from sys.path but not their folder. Without torch there is no output."""
    find = str(ROOT / "csrc" / "cuda" / "find_torch.py")
    run = [sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")]
    subprocess.run(run, check=True, timeout=120)
    python = str(tmp_path / "venv" / "bin" / "python")
    ask = "import sys, sysconfig, runpy; sys.path.remove(sysconfig.get_path('purelib')); runpy.run_path(sys.argv[1])"
    assert subprocess.run([python, "-c", ask, find], capture_output=True, text=True, check=True).stdout == ""
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    stub_torch(site, "'12.8'")
    assert subprocess.run([python, "-c", ask, find], capture_output=True, text=True, check=True).stdout == "12.8\n"


def test_an_incomplete_folder_is_refused(tmp_path: Path) -> None:
    (stub_raylib(tmp_path / "raylib") / "src" / "rcore.c").unlink()
    done = configure(tmp_path / "build", PUFFERC_RAYLIB="AUTO", PUFFERC_RAYLIB_SOURCE=tmp_path / "raylib")
    assert done.returncode != 0 and "there is no" in words(done) and "raylib/src/rcore.c" in words(done)


def test_library_folders_from_the_environment(tmp_path: Path) -> None:
    """Paths are relative to the user's shell. They also apply in a build folder that was configured without them."""
    first, second = stub_raylib(tmp_path / "first"), stub_raylib(tmp_path / "zwei ü")
    build = tmp_path / "build"
    done = configure(build, PUFFERC_RAYLIB="AUTO")
    assert done.returncode == 0, done.stderr
    for folder, name in ((first, "first"), (second, "zwei ü")):
        done = configure(build, PUFFERC_RAYLIB="AUTO", cwd=tmp_path, env={"PUFFERC_RAYLIB_SOURCE": name})
        assert done.returncode == 0 and f"windows by raylib in {folder}" in words(done), done.stderr
    done = configure(build, PUFFERC_RAYLIB="AUTO", cwd=tmp_path, env={"PUFFERC_RAYLIB_SOURCE": "nowhere"})
    assert done.returncode != 0 and f"no raylib source in {tmp_path / 'nowhere'}" in words(done)
    done = configure(build, PUFFERC_RAYLIB="OFF", cwd=tmp_path, env={"PUFFERC_RAYLIB_SOURCE": "nowhere"})
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("option", ["PUFFERC_RAYLIB", "PUFFERC_BOX2D", "PUFFERC_CUDA"])
def test_three_valued_options_are_validated(option: str, tmp_path: Path) -> None:
    done = configure(tmp_path / "wrong", **{option: "perhaps"})
    assert done.returncode != 0 and f"{option} must be AUTO, ON or OFF, got 'perhaps'" in words(done)


def test_a_lower_case_on_is_not_auto(tmp_path: Path) -> None:
    if (ROOT / "third_party" / "raylib").exists():
        pytest.skip("this checkout has raylib's source in third_party/raylib")
    done = configure(tmp_path / "build", PUFFERC_RAYLIB="yes", CMAKE_FIND_USE_CMAKE_SYSTEM_PATH="OFF")
    assert done.returncode != 0 and "PUFFERC_RAYLIB is ON, but" in words(done)


def test_a_failed_download_is_tried_again_later(tmp_path: Path) -> None:
    """The next configuration, which follows immediately, does not retry. A later one does."""
    git, calls = tmp_path / "git", tmp_path / "calls"
    script = f"[ $1 = init ] && echo call >>'{calls}'\necho 'fatal: no route to anywhere' >&2\nexit 1\n"
    git.write_text(f"#!/bin/sh\n{script}")
    git.chmod(0o755)
    options = {"PUFFERC_BOX2D": "AUTO", "PUFFERC_DOWNLOAD": "ON", "GIT_EXECUTABLE": git, "box2d_DIR": tmp_path}
    said = [words(configure(tmp_path / "build", **options)) for _ in range(2)]
    assert "Box2D was not downloaded: fatal: no route to anywhere" in said[0]
    assert "Box2D could not be downloaded" in said[1] and "-UPUFFERC_BOX2D_FAILED_AT" in said[1]
    assert calls.read_text().splitlines() == ["call"]
    words(configure(tmp_path / "build", **options, PUFFERC_BOX2D_FAILED_AT="1000"))
    assert calls.read_text().splitlines() == ["call", "call"]


# ---- Box2D from a source folder: a stand-in source reports its compile options --------------------------

GUARDED = "#ifndef B2_MAX_WORLDS\n#define B2_MAX_WORLDS 128\n#endif\n"


def stub_box2d(folder: Path, constants: str, version: str = "3.1.1") -> Path:
    for name, text in {
        "include/box2d/box2d.h": "#include <box2d/base.h>\n",
        "include/box2d/base.h": "#include <stdint.h>\nuint64_t b2GetTicks(void);\n",
        "src/constants.h": constants,
        "src/world.c": (
            '#include <box2d/box2d.h>\n#include "constants.h"\n#ifndef BOX2D_ENABLE_SIMD\n#error no SIMD\n#endif\n'
            "int b2_worlds[B2_MAX_WORLDS];\nuint64_t b2Now(void) { return b2GetTicks(); }\n"
        ),
        "src/timer.c": "#error stands in for the clock, which is ours\n",
        "test/test.c": "#error not ours to compile\n",
        "CMakeLists.txt": f"project(box2d\n\tVERSION {version}\n\tLANGUAGES C CXX\n)\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("constants", "worlds"),
    [(GUARDED, 16384), ("#define B2_MAX_WORLDS 64\n", 64), ("#\tdefine B2_MAX_WORLDS\t64 // worlds\n", 64)],
)
def test_box2d_from_a_source_folder(constants: str, worlds: int, tmp_path: Path) -> None:
    source, build = stub_box2d(tmp_path / "my box2d", constants), tmp_path / "build"
    done = configure(
        build,
        PUFFERC_BOX2D="ON",
        PUFFERC_BOX2D_SOURCE=source,
        CMAKE_EXPORT_COMPILE_COMMANDS="ON",
        CMAKE_C_FLAGS="-DUSERS_OWN",
        PUFFERC_INSTALL="OFF",
    )
    assert done.returncode == 0, done.stderr
    assert f"Box2D in {source}, {worlds} worlds" in words(done)
    built = subprocess.run(
        [str(CMAKE), "--build", str(build), "--target", "pufferc_box2d"], capture_output=True, text=True, timeout=120
    )
    assert built.returncode == 0, built.stdout + built.stderr
    commands = {entry["file"]: entry["command"] for entry in json.loads((build / "compile_commands.json").read_text())}
    assert {name for name in commands if "box2d" in name} == {
        str(source / "src" / "world.c"),
        str(ROOT / "third_party" / "box2d" / "clock.c"),
    }
    flags = commands[str(source / "src" / "world.c")].split()
    assert {"-DB2_MAX_WORLDS=16384", "-DBOX2D_ENABLE_SIMD", "-DNDEBUG", "-ffp-contract=off", "-fPIC"} <= set(flags)
    assert "-fvisibility=hidden" in flags and not any(flag.startswith(("-march", "-mavx")) for flag in flags)
    lander = commands[str(ROOT / "csrc" / "envs" / "lander.c")].split()
    assert f"-DPFC_BOX2D_MAX_WORLDS={worlds}" in lander
    if platform.machine() == "x86_64":  # the last flag wins, so a -march of the user does not enable fused products
        for command in (flags, lander):
            assert command.index("-DUSERS_OWN") < command.index("-mno-fma") and "-mno-avx512f" in command
    nm = shutil.which("nm")
    if nm is not None:
        (library,) = build.rglob("libpufferc_box2d.a")
        table = subprocess.run([nm, "-S", str(library)], capture_output=True, text=True, timeout=60).stdout
        sizes = {words[3]: int(words[1], 16) for words in map(str.split, table.splitlines()) if len(words) == 4}
        assert sizes["b2_worlds"] == 4 * worlds and "b2GetTicks" in sizes


@pytest.mark.parametrize("version", ["3.0.0", "3.2.0", "3.10.0", "2.4.1"])
def test_another_version_of_box2d_is_refused(version: str, tmp_path: Path) -> None:
    source = stub_box2d(tmp_path / "box2d", GUARDED, version)
    done = configure(tmp_path / "build", PUFFERC_BOX2D="AUTO", PUFFERC_BOX2D_SOURCE=source)
    assert done.returncode != 0 and f"{source} is Box2D {version}; pufferc needs 3.1" in words(done)


def test_a_box2d_that_hides_its_number_of_worlds_is_refused(tmp_path: Path) -> None:
    source = stub_box2d(tmp_path / "box2d", "enum { B2_MAX_WORLDS = 7 };\n")
    done = configure(tmp_path / "build", PUFFERC_BOX2D="AUTO", PUFFERC_BOX2D_SOURCE=source)
    assert done.returncode != 0 and "B2_MAX_WORLDS" in words(done)


def test_an_interrupted_download_is_discarded(tmp_path: Path) -> None:
    """Files of an interrupted build are removed. A build inside a git hook does not touch the hook's repository."""
    source, build, git = stub_box2d(tmp_path / "upstream", GUARDED), tmp_path / "build", tmp_path / "git"
    (build / "box2d.partial" / "include" / "box2d").mkdir(parents=True)
    (build / "box2d.partial" / "include" / "box2d" / "half").touch()
    git.write_text(
        "#!/bin/sh\n[ -z \"$GIT_DIR$GIT_WORK_TREE$GIT_INDEX_FILE\" ] || { echo 'wrong repository' >&2; exit 1; }\n"
        'case "$*" in init*) mkdir -p "$3" ;; *" checkout "*) '
        f'cp -r "{source}/." "$2" ;; esac\n'
    )
    git.chmod(0o755)
    hook = {"GIT_DIR": str(tmp_path / ".git"), "GIT_WORK_TREE": str(tmp_path), "GIT_INDEX_FILE": "index"}
    options = {"PUFFERC_BOX2D": "ON", "PUFFERC_DOWNLOAD": "ON", "GIT_EXECUTABLE": git, "PUFFERC_INSTALL": "OFF"}
    done = configure(build, env=hook, **options)
    assert done.returncode == 0, done.stderr
    assert f"Box2D in {build / 'box2d'}, 16384 worlds" in words(done)
    assert not (build / "box2d.partial").exists() and not (build / "box2d" / "include" / "box2d" / "half").exists()
    git.write_text("#!/bin/sh\nexit 1\n")  # git must not be called again
    assert configure(build, **options).returncode == 0


@pytest.mark.parametrize(
    ("apt_get", "reason"),
    [
        ('case "$*" in *" source "*) echo junk >raylib_6.0+ds.orig.tar.gz ;; esac', "did NOT match"),
        ("echo 'E: Failed to fetch http://m: no route'; echo 'E: Some files failed'; exit 100", "http://m: no route"),
        ("true", "no longer carries version"),
    ],
)
def test_a_failed_fetch_gives_the_reason_and_leaves_no_files(apt_get: str, reason: str, tmp_path: Path) -> None:
    programs, temporary, folder = tmp_path / "bin", tmp_path / "temporary", tmp_path / "new" / "raylib"
    temporary.mkdir()
    programs.mkdir()
    for name, text in {"git": "echo 'fatal: no route' >&2; exit 1", "apt-get": apt_get}.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "TMPDIR": str(temporary), "LC_ALL": "C"}
    command = ["sh", str(ROOT / "third_party" / "fetch_raylib.sh"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path, env=environment)
    assert done.returncode == 1 and "not from github: fatal: no route" in done.stderr
    assert not folder.parent.exists() and not list(temporary.iterdir())
    if "no Debian mirror" in done.stderr:
        pytest.skip("no Debian in the apt sources of this machine")
    assert reason in done.stderr
