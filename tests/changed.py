"""Prints what `make check` runs for the files that differ from a commit: "c" for the C tests, and Python test files.

A C source, a header or a CMake file selects the C tests. Any file NAME.* selects tests/python/test_NAME*.py. A module
without such a test file selects the test files that import it. If there are none, it selects the tests of the modules
that import it. A documentation page selects the document tests, and packaging files select the packaging tests.
Standard error lists the tests that each file selects.

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
    """Files that differ from the merge base with `commit`, including untracked files."""
    (base,) = git("merge-base", "HEAD", commit)
    names = git("diff", "--name-only", base) + git("ls-files", "--others", "--exclude-standard")
    return {ROOT / name for name in names if (ROOT / name).is_file()}


def importers(name: str, files: Iterable[Path]) -> list[Path]:
    """The `files` that import the module `name` from anywhere in the package."""
    words = re.compile(rf"(from|import) pufferc\.([\w.]+\.)?{name}\b|from pufferc[\w.]* import [^#\n]*\b{name}\b")
    return [path for path in files if words.search(path.read_text(encoding="utf-8"))]


def tests_of(path: Path, seen: set[Path]) -> set[Path]:
    """Test files that belong to a file; `seen` prevents endless recursion when modules import each other."""
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
        selected = {str(test.relative_to(ROOT)) for test in tests_of(path, set())} | ({"c"} if needs_c(path) else set())
        print(f"check: {path.relative_to(ROOT)}: {' '.join(sorted(selected)) or 'nothing'}", file=sys.stderr)
        wanted |= selected
    print(*sorted(wanted))


if __name__ == "__main__":
    main()
