"""The layers of the package: each part imports only from parts below it, and there are no import cycles."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import pufferc

ROOT = Path(pufferc.__file__).parent
# Top-level folders and modules from top to bottom. A part may import from itself and from the parts after it.
PARTS = (
    *(
        "__main__",
        "commands",
        "api",
        "sweep",
        "view",
        "web",
        "watch",
        "parity",
        "training",
        "selfplay",
        "authoring",
        "policies",
    ),
    *("loggers", "runs", "kernels", "config", "envs", "pictures", "processes", "files", "errors", "_core", "_cuda"),
)
ALIASES = {"ops": "kernels.public", "interop": "envs"}  # public aliases of modules in other parts
MAX_PARTS = 20  # without the aliases, __init__, __main__ and the compiled modules


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in ROOT.rglob("*.py")}


def imports_of(path: Path) -> set[str]:
    """Modules of the package that a file imports, including imports in functions but not under TYPE_CHECKING."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "pufferc":
            base = node.module.partition(".")[2] if node.module else ""
            for item in node.names:
                inner = f"{base}.{item.name}".strip(".")
                found.add(inner if inner in MODULES or not base else base)
        elif isinstance(node, ast.Import):
            found |= {item.name.partition(".")[2] for item in node.names if item.name.startswith("pufferc.")}
    return found


IMPORTS = {name: imports_of(path) for name, path in MODULES.items()}


@pytest.mark.parametrize("name", sorted(set(MODULES) - {""}))
def test_parts_import_downwards(name: str) -> None:
    part = name.partition(".")[0]
    if part in ALIASES:
        assert all(found.startswith(ALIASES[part]) for found in IMPORTS[name])
        return
    below = {other: PARTS.index(other.partition(".")[0]) for other in IMPORTS[name] if other.partition(".")[0] in PARTS}
    assert {other for other, level in below.items() if level < PARTS.index(part)} == set()


def test_there_are_no_import_cycles() -> None:
    left = {name: found & set(MODULES) - {name} for name, found in IMPORTS.items()}
    while free := {name for name, found in left.items() if not found & left.keys()}:
        left = {name: found for name, found in left.items() if name not in free}
    assert left == {}


def test_the_number_of_parts_is_limited() -> None:
    parts = {name.partition(".")[0] for name in MODULES} - {"", "__main__"} - ALIASES.keys()
    assert len(parts) <= MAX_PARTS
    assert parts <= set(PARTS)


# ---- the C sources ---------------------------------------------------------------------------------------


CSRC = Path(__file__).parents[2] / "csrc"
# The other folders that each folder may include, as CONTRIBUTING.md documents. Its own and public headers are allowed.
C_FOLDERS: dict[str, set[str]] = {
    "include": set(),
    "envs": set(),
    "core": set(),
    "games": {"core"},
    "networks": {"core"},
    "pool": {"core", "games"},
    "draw": {"core"},
    "kernels": {"core", "networks"},
    "training": {"core", "kernels", "networks", "pool"},
    "policy": {"core", "kernels", "networks"},
    "conformance": {"core", "games", "pool", "draw"},
    "web": {"core", "pool", "draw", "conformance"},
    "cuda": {"core", "pool", "kernels", "networks", "bindings"},
    "bindings": {"core", "games", "pool", "draw", "kernels", "networks", "training", "conformance"},
}


@pytest.mark.parametrize("folder", C_FOLDERS)
def test_c_folders_include_downwards(folder: str) -> None:
    files = [path for path in (CSRC / folder).rglob("*") if path.suffix in {".c", ".h", ".cpp", ".hpp", ".cu"}]
    found = {name for path in files for name in re.findall(r'#include "(\w+)/', path.read_text(encoding="utf-8"))}
    assert files and found <= C_FOLDERS[folder] | {folder, "pufferc"}


def test_every_c_folder_is_in_the_table() -> None:
    assert {path.name for path in CSRC.iterdir() if path.is_dir()} - {"cmake"} == set(C_FOLDERS)
