"""The PTX of every game and kernel, as nvcc makes it with our flags. Nothing here needs a GPU.

Without fused multiply-add and approximations, device code has the CPU's bits. Kernels that the compiler has deleted
would pass that check, so they must read and write memory. Registers and stack are bounded for games that have to be
fast.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CUDA = ROOT / "csrc" / "cuda"
KERNELS = ("advantage", "scan")
LARGE = ("drive", "mmo", "moba")  # many seconds of the compiler's time each
GAMES = [
    path.stem
    for path in sorted((ROOT / "csrc" / "envs").glob("*.c"))
    if "box2d_world.h" not in path.read_text(encoding="utf-8")
]
# Limits per thread of the step kernel at compute capability 9.0, with some room: registers, stack in bytes.
BUDGETS = {"breakout": (80, 64), "cartpole": (80, 64), "pong": (80, 64), "snake": (80, 128), "g2048": (80, 64)}
BUDGETS |= {"connect4": (80, 64), "go": (80, 4096), "poker": (80, 64), "tmaze": (80, 64)}

pytestmark = pytest.mark.skipif(shutil.which("nvcc") is None, reason="needs nvcc")


def flags() -> list[str]:
    """The flags of csrc/cuda/flags.cmake."""
    found = re.search(r"set\(PUFFERC_CUDA_FLAGS (.*)\)", (CUDA / "flags.cmake").read_text(encoding="utf-8"))
    assert found
    return found[1].split()


def compile_device(source: Path, output: Path, *words: str) -> str:
    """Compiles for compute capability 9.0; returns what nvcc printed."""
    command = ["nvcc", "-std=c++17", "-O3", "-arch=sm_90", "-I", ROOT / "csrc", "-I", ROOT / "csrc" / "include"]
    done = subprocess.run(
        [str(word) for word in [*command, *words, source, "-o", output]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def game_unit(game: str, folder: Path) -> Path:
    """The translation unit that csrc/cuda/device_games.cmake makes for a game."""
    unit = folder / f"device_{game}.cu"
    unit.write_text(
        f'#define PFC_DEVICE_GAME {game}\n#define PFC_DEVICE_SOURCE "envs/{game}.c"\n#include "cuda/device_game.h"\n',
        encoding="utf-8",
    )
    return unit


def inexact(ptx: str) -> set[str]:
    """Floating-point instructions that other processors do not repeat bit for bit."""
    pattern = r"^\s*(?:@\S+\s+)?((?:fma|mad)\.[\w.]*f(?:32|64)|[\w.]+\.(?:ftz|approx|full)[\w.]*)"
    return set(re.findall(pattern, ptx, re.MULTILINE))


def bodies(ptx: str) -> dict[str, str]:
    """The instructions of each kernel, by the name in its source."""
    found = re.findall(r"\.entry (\w+)\(.*?^{(.*?)^}", ptx, re.MULTILINE | re.DOTALL)
    return {re.sub(r"^_Z.*?(\w+?_kernel)(?:E|I).*$", r"\1", name) + name: body for name, body in found}


def check_ptx(ptx: str, kernels: int) -> None:
    """Exact arithmetic, no calls that a device lacks, and `kernels` kernels that do something."""
    found = bodies(ptx)
    assert not inexact(ptx)
    assert not re.search(r"^\s*\.extern", ptx, re.MULTILINE), "a function of the host is called"
    assert "prototype" not in ptx, "a function is called by its address"
    assert len(found) == kernels
    for name, body in found.items():
        assert len(re.findall(r"^\s*(?:@\S+\s+)?ld\.(?!param)", body, re.MULTILINE)) >= 5, f"{name} reads nothing"
        assert len(re.findall(r"^\s*(?:@\S+\s+)?st\.(?!param)", body, re.MULTILINE)) >= 3, f"{name} writes nothing"


@pytest.mark.parametrize(
    "game", [pytest.param(game, marks=pytest.mark.slow if game in LARGE else ()) for game in GAMES]
)
def test_ptx_of_a_game(game: str, tmp_path: Path) -> None:
    printed = compile_device(game_unit(game, tmp_path), tmp_path / "game.ptx", "-ptx", *flags())
    assert "warning" not in printed  # such as a call of a host's function
    ptx = (tmp_path / "game.ptx").read_text(encoding="utf-8")
    check_ptx(ptx, kernels=2)
    assert "step_kernel" in ptx and "reset_kernel" in ptx


@pytest.mark.parametrize("kernel", KERNELS)
def test_ptx_of_a_kernel(kernel: str, tmp_path: Path) -> None:
    compile_device(CUDA / f"{kernel}.cu", tmp_path / "kernel.ptx", "-ptx", *flags())
    check_ptx((tmp_path / "kernel.ptx").read_text(encoding="utf-8"), kernels=4)


@pytest.mark.parametrize("game", BUDGETS)
def test_registers_and_stack(game: str, tmp_path: Path) -> None:
    registers, stack = BUDGETS[game]
    unit = game_unit(game, tmp_path)
    printed = compile_device(unit, tmp_path / "game.cubin", "-cubin", "-Xptxas", "-v", *flags())
    entry = re.search(r"entry function '\w*step_kernel\w*'.*?(\d+) bytes stack.*?Used (\d+) registers", printed, re.S)
    assert entry, printed
    assert int(entry[2]) <= registers and int(entry[1]) <= stack


def test_the_checks_find_what_they_look_for(tmp_path: Path) -> None:
    source = tmp_path / "bad.cu"
    source.write_text(
        "__global__ void fused_kernel(float* x, float a) { x[threadIdx.x] = x[threadIdx.x] * a + 1.0f; }\n"
        "__global__ void empty_kernel(float* x, float a) {}\n"
        "__global__ void quick_kernel(float* x, float a) { x[threadIdx.x] = __fdividef(x[threadIdx.x], a); }\n",
        encoding="utf-8",
    )
    compile_device(source, tmp_path / "bad.ptx", "-ptx")
    ptx = (tmp_path / "bad.ptx").read_text(encoding="utf-8")
    assert inexact(ptx) == {"fma.rn.f32", "div.approx.f32"}
    with pytest.raises(AssertionError, match="fma"):
        check_ptx(ptx, kernels=3)
    compile_device(source, tmp_path / "better.ptx", "-ptx", *flags())
    exact = (tmp_path / "better.ptx").read_text(encoding="utf-8").replace(".approx", ".rn")
    with pytest.raises(AssertionError, match="reads nothing"):
        check_ptx(exact, kernels=3)
