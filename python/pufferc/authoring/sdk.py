"""Paths of the headers, libraries and CMake package in the installed package, for C and C++ programs.

    cc mine.c $(python -m pufferc --cflags --libs) -o mine
    cmake -Dpufferc_DIR=$(python -m pufferc --cmakedir) ...

Everything is inside the package, so a program finds the shared library there as long as the environment exists. To
distribute a program, copy the library next to it and link with -Wl,-rpath,'$ORIGIN'.
"""

from __future__ import annotations

import argparse
import importlib.util
import shlex
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

__all__ = ["cflags", "cmakedir", "includedir", "libdir", "library", "libs", "main", "sourcedir", "template"]


@lru_cache(maxsize=1)
def _root() -> Path:
    """The folder with include/ and lib/: the package itself, or where an editable install put the module."""
    core = importlib.util.find_spec("pufferc._core")
    places = [Path(__file__).parent, *([Path(core.origin).parent] if core and core.origin else [])]
    for place in places:
        if (place / "include" / "pufferc" / "pufferc.h").is_file():
            return place
    searched = " or ".join(str(place) for place in places)
    raise FileNotFoundError(f"no headers in {searched}: this build of pufferc was installed without them")


def includedir() -> Path:
    """Folder to search for <pufferc/pufferc.h>."""
    return _root() / "include"


def libdir() -> Path:
    """Folder of the shared and the static library."""
    return _root() / "lib"


def cmakedir() -> Path:
    """Folder of the CMake package, for pufferc_DIR."""
    return libdir() / "cmake" / "pufferc"


def library() -> Path:
    """The shared library. It exports the functions of the public headers."""
    return libdir() / ("libpufferc.dylib" if sys.platform == "darwin" else "libpufferc.so")


def template() -> Path:
    """The source of the game `template`, which `pufferc new` starts from."""
    return _root() / "templates" / "template.c"


def sourcedir() -> Path:
    """Folder of the C sources that `pufferc web` compiles."""
    return _root() / "csrc"


def cflags() -> list[str]:
    """Compiler flags: the include folder, and the flags that make trajectories the same everywhere.

    The flags are those that the library's own games were compiled with; the build writes them into pufferc.pc.
    """
    variables = (libdir() / "pkgconfig" / "pufferc.pc").read_text(encoding="utf-8").splitlines()
    (flags,) = (line.partition("=")[2] for line in variables if line.startswith("game_cflags="))
    return [f"-I{includedir()}", *shlex.split(flags)]


def libs() -> list[str]:
    """Linker flags for the shared library."""
    return [f"-L{libdir()}", f"-Wl,-rpath,{libdir()}", "-lpufferc"]


def main(arguments: Sequence[str]) -> int:
    """Prints each requested folder on a line, and all requested flags on one line; `arguments` as `--cflags --libs`."""
    parser = argparse.ArgumentParser("python -m pufferc", description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--cmakedir", action="store_true", help="folder of the CMake package")
    parser.add_argument("--includedir", action="store_true", help="folder of the headers")
    parser.add_argument("--cflags", action="store_true", help="compiler flags")
    parser.add_argument("--libs", action="store_true", help="linker flags for the shared library")
    options = parser.parse_args(list(arguments))
    if not any(vars(options).values()):
        parser.error("expected one of --cmakedir, --includedir, --cflags, --libs")
    if options.cmakedir:
        print(cmakedir())
    if options.includedir:
        print(includedir())
    if options.cflags or options.libs:
        print(shlex.join([*(cflags() if options.cflags else []), *(libs() if options.libs else [])]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
