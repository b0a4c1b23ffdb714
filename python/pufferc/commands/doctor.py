"""`pufferc doctor`: what was built, what is installed, and what works on this machine."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import socket
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

from pufferc.runs.machine import machine

__all__ = ["main", "report"]

_EXTRAS = {
    "train": ("torch", "safetensors", "rich", "tyro"),
    "render": ("pillow", "imageio-ffmpeg", "matplotlib"),
}
_MORE_WORLDS = "; builds with PUFFERC_BOX2D_SOURCE=FOLDER have 16384"
_NAME_WIDTH = 18


def _version(package: str, extra: str | None) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed: pip install " + (package if extra is None else f"'pufferc[{extra}]'")


def _packages() -> dict[str, str]:
    found = {name: _version(name, None) for name in ("numpy", "gymnasium")}
    return found | {name: _version(name, extra) for extra, names in _EXTRAS.items() for name in names}


def _cuda_module() -> str:
    """Whether pufferc's CUDA kernels were built and see a device, or why not; and devices that they do not support."""
    from pufferc.kernels import cuda

    missing = cuda.why_missing()
    if missing is not None:
        return missing
    count, _ = importlib.import_module("pufferc._cuda").devices()
    return "; ".join([f"built; {count} device(s)", *_left_to_torch()])


def _left_to_torch() -> list[str]:
    """Devices that torch supports and pufferc's kernels do not, with the reason."""
    from pufferc.kernels import cuda

    try:
        import torch
    except (ImportError, OSError):
        return []  # reported elsewhere
    reasons = {i: cuda.why_unusable(torch.device("cuda", i)) for i in range(torch.cuda.device_count())}
    return [f"cuda:{i} uses torch instead: {reason}" for i, reason in reasons.items() if reason is not None]


def _torch_cuda() -> str:
    try:
        import torch
    except ImportError as error:
        if error.name == "torch":
            return "torch is not installed: pip install 'pufferc[train]'"
        return f"torch is installed, but cannot be imported: {error}"
    except OSError as error:
        return f"torch is installed, but cannot be imported: {error}"
    if torch.cuda.is_available():
        return f"yes: {torch.cuda.get_device_name()}"
    if torch.version.cuda is None:
        return "no: this torch was built for CPUs"
    return f"no: torch was built for CUDA {torch.version.cuda}, but sees no device or driver"


def _games() -> dict[str, str]:
    """Built-in games, their limits, and games that this build lacks with the remedy."""
    import pufferc
    from pufferc import _core

    limits = {info.name: info.max_games for info in map(pufferc.env_info, pufferc.list_envs())}
    return (
        {"built in": ", ".join(limits)}
        | {
            f"limit of {name}": f"{limit} games in a process{_MORE_WORLDS if limit < 16384 else ''}"
            for name, limit in limits.items()
            if limit
        }
        | {name: f"missing: {why}" for name, why in _core.games_left_out().items()}
    )


def _no_display() -> str | None:
    """Why no window can open here, or None if one can or the answer is unknown."""
    display = os.environ.get("DISPLAY")
    if sys.platform == "darwin":
        return None
    if not display:
        return "there is no display here: DISPLAY is not set"
    local = re.fullmatch(r"(?:unix)?:(\d+)(?:\.\d+)?", display)
    if local is None:
        return None
    for name in ("\0", ""):  # X servers listen at an abstract name, a file, or both
        with socket.socket(socket.AF_UNIX) as server, contextlib.suppress(OSError):
            server.connect(f"{name}/tmp/.X11-unix/X{local[1]}")
            return None
    return f"no X server answers at DISPLAY={display}"


def _pictures() -> dict[str, str]:
    """What can show pictures: windows, and the packages that write files."""
    from pufferc.pictures.window import why_no_windows
    from pufferc.watch.video_writers import why_no_mp4

    window = why_no_windows()
    no_display = _no_display()
    if window is None and no_display is not None:
        window = f"built, but {no_display}"
    pillow = importlib.util.find_spec("PIL") is not None
    return {
        "window": window or "available",
        "GIF, PNG": "available" if pillow else "pillow is not installed: pip install 'pufferc[render]'",
        "MP4": why_no_mp4() or "available",
    }


def report() -> dict[str, dict[str, Any]]:
    """Sections of facts, each a dict of names and JSON values."""
    import pufferc
    from pufferc import _core

    return {
        "pufferc": {"version": pufferc.__version__, "module": str(_core.__file__)},
        "games": _games(),
        "machine": machine(),
        "packages": _packages(),
        "pictures": _pictures(),
        "cuda": {"kernels": _cuda_module(), "torch sees a GPU": _torch_cuda()},
    }


def _lines(facts: dict[str, dict[str, Any]], columns: int | None) -> list[str]:
    """The report as text, with values in one column; `columns` = None does not wrap lines."""
    indent = " " * (_NAME_WIDTH + 3)
    lines = []
    for section, entries in facts.items():
        lines.append(section)
        for name, value in entries.items():
            first = f"  {name:<{_NAME_WIDTH}} "
            if columns is None:
                lines.append(f"{first}{value}")
                continue
            lines += textwrap.wrap(
                str(value),
                columns,
                initial_indent=first,
                subsequent_indent=indent,
                break_long_words=False,
                break_on_hyphens=False,
            )
    return lines


def main(arguments: Sequence[str]) -> int:
    """Print the report; `arguments` are those after `pufferc doctor`."""
    parser = argparse.ArgumentParser(prog="pufferc doctor", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(list(arguments))
    facts = report()
    if options.json:
        json.dump(facts, sys.stdout, indent=2)
        print()
        return 0
    columns = max(2 * _NAME_WIDTH + 20, shutil.get_terminal_size().columns) if sys.stdout.isatty() else None
    print(*_lines(facts, columns), sep="\n")
    return 0
