"""The library cross-compiles for other systems and processors. The results are not run."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "csrc"
CMAKE = shutil.which("cmake")
RISCV = shutil.which("riscv64-linux-gnu-gcc")
AARCH64 = shutil.which("aarch64-linux-gnu-gcc")
OFF = {f"PUFFERC_{part}": "OFF" for part in ("EXAMPLES", "BENCHMARKS", "RAYLIB", "BOX2D", "DOWNLOAD", "CUDA")}

needs_zig = pytest.mark.skipif(
    CMAKE is None or not importlib.util.find_spec("ziglang"), reason="needs cmake, and ziglang for its compilers"
)


def run(*command: str | Path) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def tool(folder: Path, name: str, *arguments: str) -> Path:
    """A wrapper script for a zig subcommand, because CMake needs a single program."""
    script = folder / name
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ziglang {name} {" ".join(arguments)} "$@"\n')
    script.chmod(0o755)
    return script


@needs_zig
@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "system", "processor"),
    [("aarch64-macos", "Darwin", "arm64"), ("x86-linux-gnu", "Linux", "i686")],
)
def test_the_library_compiles_for(target: str, system: str, processor: str, tmp_path: Path) -> None:
    """Warnings are errors. Compiles all C code of the Python module: the library and the checks of games."""
    settings = {
        "CMAKE_SYSTEM_NAME": system,
        "CMAKE_SYSTEM_PROCESSOR": processor,
        "CMAKE_C_COMPILER": tool(tmp_path, "cc", "-target", target),
        "CMAKE_AR": tool(tmp_path, "ar"),
        "CMAKE_RANLIB": tool(tmp_path, "ranlib"),
        "CMAKE_BUILD_TYPE": "Debug",  # quicker; the warnings are the same
        "PUFFERC_WARNINGS_AS_ERRORS": "ON",
        "PUFFERC_TESTS": "OFF",
        **OFF,
    }
    run(str(CMAKE), "-S", ROOT, "-B", tmp_path / "build", *(f"-D{name}={value}" for name, value in settings.items()))
    run(str(CMAKE), "--build", tmp_path / "build", "--parallel", "2", "--target", "pufferc_core", "pufferc_conformance")
    assert list((tmp_path / "build").rglob("libpufferc.a"))


@pytest.mark.skipif(AARCH64 is None or CMAKE is None, reason="no compiler for aarch64 (Debian: gcc-aarch64-linux-gnu)")
def test_the_c_tests_compile_for_aarch64(tmp_path: Path) -> None:
    """Compiles the three tests that can crash GCC 12 at the optimisation level of a release."""
    settings = {"CMAKE_SYSTEM_NAME": "Linux", "CMAKE_SYSTEM_PROCESSOR": "aarch64", "CMAKE_C_COMPILER": AARCH64}
    settings |= {"CMAKE_BUILD_TYPE": "Release", "CMAKE_EXPORT_COMPILE_COMMANDS": "ON", **OFF}
    run(str(CMAKE), "-S", ROOT, "-B", tmp_path / "build", *(f"-D{name}={value}" for name, value in settings.items()))
    commands = json.loads((tmp_path / "build" / "compile_commands.json").read_text(encoding="utf-8"))
    found = 0
    for entry in commands:
        if Path(entry["file"]).name in ("test_policy.c", "test_policy_memory.c", "test_sample.c"):
            words = shlex.split(entry["command"])
            run(*words[: words.index("-o")], "-o", tmp_path / "object.o", "-c", entry["file"])
            found += 1
    assert found == 3


@needs_zig
def test_floats_in_wider_registers_are_refused(tmp_path: Path) -> None:
    """32-bit x86 without SSE2 uses wider registers, so every trajectory would differ."""
    command = [sys.executable, "-m", "ziglang", "cc", "-target", "x86-linux-gnu", "-mcpu=i586", "-std=gnu17", "-c"]
    command += [f"-I{SOURCES / 'include'}", str(SOURCES / "envs" / "template.c"), "-o", str(tmp_path / "template.o")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode != 0 and "-msse2 -mfpmath=sse" in done.stderr


def test_no_one_byte_atomics_are_used() -> None:
    """GCC 12 for RISC-V calls libatomic for one-byte atomics, and the build doesn't link libatomic."""
    files = [path for path in SOURCES.rglob("*.[ch]*") if path.suffix in (".c", ".h", ".cpp", ".hpp")]
    one_byte = re.compile(r"\batomic_(bool|flag|u?char)\b|_Atomic[ (]*(bool|_Bool|u?int8_t|(un)?signed char|char)\b")
    found = [path.name for path in files if one_byte.search(path.read_text(encoding="utf-8"))]
    assert len(files) > 50 and not found


@pytest.mark.skipif(RISCV is None, reason="no compiler for RISC-V (Debian: gcc-riscv64-linux-gnu)")
def test_riscv_needs_no_libatomic(tmp_path: Path) -> None:
    for name in ("pool/groups.c", "pool/guard.c", "core/workers.c", "networks/one_hot.c"):
        command = [str(RISCV), "-std=gnu17", "-O2", f"-I{SOURCES}", f"-I{SOURCES / 'include'}", "-c"]
        run(*command, SOURCES / name, "-o", tmp_path / "object.o")
        symbols = run("riscv64-linux-gnu-nm", "--undefined-only", tmp_path / "object.o")
        assert "__atomic_" not in symbols, name
