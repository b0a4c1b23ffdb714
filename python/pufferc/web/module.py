"""Builds a game as a WebAssembly module: its unmodified source, the pool, pictures and policies (csrc/web/web.h).

The compiler is Zig's from the package ziglang, or else clang with wasm-ld. No C library and no Emscripten is needed:
csrc/web/libc has what the sources use.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pufferc.authoring import sdk
from pufferc.authoring.build import BuildError

__all__ = ["Tools", "build_core", "build_module", "find_tools", "game_source", "needs_box2d"]

# The parts of the library that a module contains, below csrc/.
_CORE = [
    "core/checksum",
    "core/error",
    "core/suggest",
    "draw/font",
    "draw/grid",
    "draw/picture",
    "draw/raster",
    "draw/shapes",
    "games/layout",
    "games/params",
    "games/validate",
    "kernels/gaussian",
    "kernels/ppo_loss",
    "kernels/sample",
    "networks/conv",
    "networks/elements",
    "networks/linear_infer",
    "networks/linear_train",
    "networks/matmul",
    "networks/sets",
    "policy/policy",
    "policy/policy_file",
    "policy/policy_forward",
    "pool/actions",
    "pool/games",
    "pool/groups",
    "pool/guard",
    "pool/metrics",
    "pool/pool",
    "pool/script",
    "pool/snapshot",
    "pool/step",
    "web/system",
    "web/web",
]
_LIBC = ["web/libc/libc", "web/libc/text"]  # written without the functions that they define

# One thread: thread-local variables are ordinary ones.
_FLAGS = ["-std=gnu17", "-nostdlibinc", "-DNDEBUG", "-D_Thread_local=", "-D__thread=", "-ffunction-sections"]
_FLAGS += ["-fdata-sections", "-fvisibility=hidden", '-DPFC_VERSION="web"']
_SMALL, _FAST = ("-Os", "-fno-inline-functions"), ("-O2",)
_LINK = ["--no-entry", "--gc-sections", "--strip-all", "--stack-first", "-z", "stack-size=1048576"]
_TIMEOUT_S = 300  # clang 14 does not finish some games


@dataclass(frozen=True)
class Tools:
    """Words of the commands that compile and link, and what they are."""

    compiler: tuple[str, ...]
    linker: tuple[str, ...]
    name: str


def find_tools() -> Tools:
    """The tools on this machine. BuildError if there are none."""
    if importlib.util.find_spec("ziglang"):
        zig = (sys.executable, "-m", "ziglang")
        processor = "-mcpu=generic+simd128+bulk_memory+nontrapping_fptoint+sign_ext"
        target = ("-target", "wasm32-freestanding", processor, "-fno-sanitize=undefined")
        return Tools((*zig, "cc", *target), (*zig, "wasm-ld"), "ziglang")
    clang, linker = shutil.which("clang"), shutil.which("wasm-ld")
    if clang and linker:
        features = ("-msimd128", "-mbulk-memory", "-mnontrapping-fptoint", "-msign-ext")
        return Tools((clang, "--target=wasm32", *features), (linker,), "clang")
    raise BuildError(
        "no compiler for WebAssembly on this machine; install one: pip install ziglang, or apt-get install clang lld"
    )


def _run(command: list[str], source: Path) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise BuildError(
            f"{source}: the compiler did not finish in {_TIMEOUT_S} s; pip install ziglang has a newer one"
        ) from None
    if done.returncode != 0:
        raise BuildError(f"{source}: the compiler failed:\n{done.stderr.rstrip()}")


def _compile(tools: Tools, source: Path, out: Path, *flags: str) -> Path:
    csrc = sdk.sourcedir()
    places = [f"-I{sdk.includedir()}", f"-I{csrc}", "-isystem", str(csrc / "web" / "libc")]
    portable = [flag for flag in sdk.cflags() if flag.startswith("-f")]  # without those of this machine's processor
    _run([*tools.compiler, *_FLAGS, *flags, *portable, *places, "-c", str(source), "-o", str(out)], source)
    return out


def build_core(tools: Tools, folder: Path) -> list[Path]:
    """Compiles everything but the game into object files in `folder`; modules of several games can share them."""
    csrc = sdk.sourcedir()
    jobs = [(part, *_SMALL) for part in _CORE] + [(part, *_SMALL, "-fno-builtin") for part in _LIBC]

    def compile_part(job: tuple[str, ...]) -> Path:
        part, *flags = job
        return _compile(tools, csrc / f"{part}.c", folder / f"{part.replace('/', '-')}.o", *flags)

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        return list(pool.map(compile_part, jobs))


def build_module(tools: Tools, source: Path, core: list[Path], out: Path) -> Path:
    """Compiles a game's source and links it with the parts from `build_core`. Raises BuildError."""
    game = _compile(tools, source, out.with_suffix(".o"), *_FAST)
    _run([*tools.linker, *_LINK, *map(str, core), str(game), "-o", str(out)], source)
    game.unlink()
    return out


def game_source(name: str) -> Path:
    """The source of a built-in game."""
    return sdk.sourcedir() / "envs" / f"{name}.c"


def needs_box2d(source: Path) -> bool:
    """Whether a game uses Box2D, which is not built for WebAssembly."""
    return "box2d" in source.read_text(encoding="utf-8")
