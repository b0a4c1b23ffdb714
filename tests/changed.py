"""Prints what `make check` runs for the files that differ from a commit: "c" for the C tests, and Python test files.

A C source, a header or a CMake file asks for the C tests. Any file NAME.* asks for tests/python/test_NAME*.py. A module
without such a file asks for the test files that import it or, where none does, for what the modules that import it ask.
A page asks for the tests of documents, what packages are made from for those of packaging. standard error says which
file asks for what.

    python tests/changed.py [COMMIT]      default: main
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests" / "python"
PACKAGE = ROOT / "python" / "pufferc"
PACKAGED = {"pyproject.toml", "Makefile", "CMakeLists.txt", "constraints.txt", "constraints-min.txt"}


def git(*words: str) -> list[str]:
    return subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True, check=True).stdout.splitlines()


def changed(commit: str) -> set[Path]:
    """Files of this checkout that differ from where its branch left that of `commit`, those not yet added included."""
    (base,) = git("merge-base", "HEAD", commit)
    names = git("diff", "--name-only", base) + git("ls-files", "--others", "--exclude-standard")
    return {ROOT / name for name in names if (ROOT / name).is_file()}


def importers(name: str, files: Iterable[Path]) -> list[Path]:
    """Those of `files` that import the module `name` of the package, wherever in the package it lies."""
    words = re.compile(rf"(from|import) pufferc\.([\w.]+\.)?{name}\b|from pufferc[\w.]* import [^#\n]*\b{name}\b")
    return [path for path in files if words.search(path.read_text(encoding="utf-8"))]


def tests_of(path: Path, seen: set[Path]) -> set[Path]:
    """Test files that belong to a file; `seen` keeps modules that import each other from asking without end."""
    name = (path.parent.name if path.stem == "__init__" else path.stem).lstrip("_")
    if path.parent == TESTS and name.startswith("test_"):
        return {path}
    if path.suffix == ".md":
        name = "documents"
    if path.name in PACKAGED:
        name = "packaging"
    named = set(TESTS.glob(f"test_{name}.py")) | set(TESTS.glob(f"test_{name}_*.py"))
    if named or not path.is_relative_to(PACKAGE) or path.suffix != ".py" or path in seen:
        return named
    if found := importers(path.stem, TESTS.glob("test_*.py")):
        return set(found)
    modules = importers(path.stem, PACKAGE.rglob("*.py"))
    return set().union(*(tests_of(module, seen | {path}) for module in modules))


def needs_c(path: Path) -> bool:
    return path.suffix in {".c", ".h", ".hpp", ".cpp", ".cmake"} or path.name == "CMakeLists.txt"


def main() -> None:
    wanted: set[str] = set()
    for path in sorted(changed(sys.argv[1] if len(sys.argv) > 1 else "main")):
        asked = {str(test.relative_to(ROOT)) for test in tests_of(path, set())} | ({"c"} if needs_c(path) else set())
        print(f"check: {path.relative_to(ROOT)}: {' '.join(sorted(asked)) or 'nothing'}", file=sys.stderr)
        wanted |= asked
    print(*sorted(wanted))


if __name__ == "__main__":
    main()
