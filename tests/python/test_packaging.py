"""The installed package: its imports, import time and files."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

import pufferc

ROOT = Path(__file__).parents[2]


def run(program: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60
    ).stdout


def test_import_does_not_need_torch() -> None:
    """Kernels on NumPy arrays and steps also work if torch can't be imported."""
    run("""
import sys
sys.modules["torch"] = None
import numpy as np, pufferc, pufferc.ops
env = pufferc.make("cartpole", 2)
env.reset()
env.step([0, 1])
flags = np.zeros((1, 2), bool)
zeros = np.zeros((2, 2), np.float32)
pufferc.ops.advantage(zeros[:1], zeros, flags, flags, gamma=0.9, gae_lambda=0.9)
""")
    assert "torch" not in run("import sys, pufferc, pufferc.ops; print(*sys.modules)").split()


def test_import_loads_few_modules() -> None:
    """Import stays fast: it loads only NumPy, Gymnasium and their dependencies, and the modules of the pool."""
    loaded = set(run("import sys, pufferc; print(*sys.modules)").split())
    packages = {name.partition(".")[0] for name in loaded if not name.startswith("_")} - set(sys.stdlib_module_names)
    # Some Python distributions have a sitecustomize module.
    needed = {
        "sitecustomize",
        "numpy",
        "gymnasium",
        "farama_notifications",
        "typing_extensions",
        "cloudpickle",
        "cython_runtime",
    }
    assert packages - needed == {"pufferc"}
    assert not loaded & {"asyncio", "unittest", "pufferc.config", "pufferc.commands.main"}


def test_versions_agree() -> None:
    assert pufferc.__version__ == importlib.metadata.version("pufferc")


def test_the_package_is_typed_and_includes_its_stubs() -> None:
    package = Path(pufferc.__file__).parent
    for name in ("py.typed", "_core.pyi", "_cuda.pyi"):
        assert (package / name).is_file()


def test_the_package_installs_only_its_own_files() -> None:
    files = importlib.metadata.files("pufferc") or []
    assert files
    if any("editable" in str(file) for file in files):
        pytest.skip("an editable install lists no files")
    names = [str(file) for file in files]
    for_pages = "pufferc/csrc/"  # what `pufferc web` compiles
    sources = [name for name in names if Path(name).suffix in (".c", ".cpp", ".cu", ".o")]
    rest = [name for name in sources if not name.startswith(for_pages)]
    assert rest == ["pufferc/templates/template.c"]  # the template of `pufferc new`
    headers = [name for name in names if Path(name).suffix in (".h", ".hpp") and not name.startswith(for_pages)]
    assert all(name.startswith("pufferc/include/pufferc/") for name in headers)
    foreign = ("test", "third_party", "raylib", "box2d", "pybind11")
    metadata = ("pufferc-", "pufferc/lib/libpufferc_box2d.")  # licences, and a dependency of the static library
    own = [name for name in names if not name.startswith(metadata)]
    assert not [name for name in own if any(word in name.lower() for word in foreign)]


def binaries() -> list[Path]:
    """The package's shared objects."""
    package = Path(pufferc._core.__file__).parent
    return sorted([*package.glob("*.so"), *package.glob("lib/*.so")])


def test_licences_of_linked_libraries_are_included() -> None:
    """The metadata names every licence and contains its text."""
    own = importlib.metadata.metadata("pufferc")
    assert own["License-Expression"] == "MIT AND Zlib AND BSD-3-Clause"
    distribution = importlib.metadata.distribution("pufferc")
    texts = {
        Path(name).stem: distribution.read_text(f"licenses/{name}") or "" for name in own.get_all("License-File") or []
    }
    holders = {
        "LICENSE": "MIT License",
        "README": "What the licences in this folder cover",
        "box2d": "Erin Catto",
        "glfw": "Camilla",
        "khronos": "Khronos",
        "pybind11": "Wenzel Jakob",
        "raylib": "Ramon Santamaria",
        "uplot": "Leon Sorokin",
    }
    assert set(texts) == set(holders)
    for name, holder in holders.items():
        assert holder in texts[name], name
        assert name in ("LICENSE", "README") or f"\n{name}.txt" in texts["README"], name
    if importlib.util.find_spec("pufferc._cuda"):
        nvidia = distribution.read_text("licenses/third_party/licenses/nvidia.txt")
        assert nvidia and "NVIDIA" in nvidia


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("nm"), reason="needs Linux and nm")
def test_binaries_export_only_their_own_symbols() -> None:
    """Exported raylib or Box2D symbols would clash with another copy in the process, as in the C library."""
    assert binaries()
    for path in binaries():
        table = subprocess.run(
            ["nm", "-D", "--defined-only", path], capture_output=True, text=True, timeout=60, check=True
        )
        symbols = {line.split()[-1].split("@")[0] for line in table.stdout.splitlines()}
        symbols -= {"_edata", "_end", "__bss_start", "_init", "_fini"}
        symbols = {name for name in symbols if not name.startswith("_Z")}  # weak symbols of the C++ library
        if path.name == "pufferc_draw_window.so":
            assert symbols == {"pfc_window_module"}, path
        elif path.name.startswith("libpufferc."):
            assert "pfc_pool_create" in symbols and all(name.startswith("pfc_") for name in symbols), path
        else:
            assert symbols == {f"PyInit_{path.name.partition('.')[0]}"}, path


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("readelf"), reason="needs Linux and readelf")
def test_binaries_have_no_build_folder_in_their_rpath() -> None:
    system = ("libc.so", "libm.so", "libstdc++.so", "libgcc_s.so", "ld-linux", "libpthread.so", "libdl.so", "librt.so")
    for path in binaries():
        table = subprocess.run(["readelf", "-dW", path], capture_output=True, text=True, timeout=60, check=True).stdout
        assert "RPATH" not in table and "RUNPATH" not in table, path
        needed = [line.partition("[")[2].rstrip("]") for line in table.splitlines() if "(NEEDED)" in line]
        windows = ("libglfw", "libX", "libGL", "libraylib") if path.name == "pufferc_draw_window.so" else ()
        assert all(name.startswith((*system, *windows)) for name in needed), (path, needed)


def test_make_installs_the_build_requirements() -> None:
    """The Makefile builds without pip's build isolation, so it lists the build requirements again."""
    tomllib = pytest.importorskip("tomllib")
    with open(ROOT / "pyproject.toml", "rb") as file:
        requires = tomllib.load(file)["build-system"]["requires"]
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [name for name in requires if f"'{name}'" not in text and f'"{name}"' not in text] == []


def test_sdist_holds_every_source_and_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("build")
    git = shutil.which("git")
    tracked = (
        git
        and subprocess.run(
            [git, "-C", ROOT, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True, timeout=60
        ).stdout
    )
    if not tracked:
        pytest.skip("no git checkout to compare with")
    here = ["--no-isolation"] if importlib.util.find_spec("scikit_build_core") else []
    command = [sys.executable, "-m", "build", "--sdist", "-o", str(tmp_path), *here, str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if "No matching distribution" in done.stdout + done.stderr:
        pytest.skip("no package index to get the build tools from")
    assert done.returncode == 0, done.stdout + done.stderr
    (archive,) = tmp_path.glob("pufferc-*.tar.gz")
    with tarfile.open(archive) as tar:
        names = {member.name.partition("/")[2] for member in tar.getmembers() if member.isfile()} - {"PKG-INFO"}
    files = set(tracked.splitlines())
    needed = {name for name in files if name.startswith(("csrc/", "python/", "third_party/"))}
    needed |= {"CMakeLists.txt", "LICENSE", "README.md", "pyproject.toml"}
    assert not needed - names, needed - names
    assert all("/" not in name for name in names - needed), names - needed  # only top-level files
    assert archive.stat().st_size < 2_000_000


def test_everything_public_has_a_docstring() -> None:
    for module in (pufferc, pufferc.ops):
        assert module.__doc__
        for name in module.__all__:
            if not name.startswith("_"):
                assert getattr(module, name).__doc__, f"{module.__name__}.{name}"
