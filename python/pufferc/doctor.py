"""`pufferc doctor`: what was built, what is installed, and what of it can be used on this machine."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["main", "report"]

_PACKAGES = ("numpy", "gymnasium", "torch", "safetensors", "rich", "tyro")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def cpu_model() -> str:
    """Name of the processor as the system gives it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith(("model name", "Model")):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def machine() -> dict[str, Any]:
    """Processor, cores this process may use, memory in GB, system and Python."""
    from pufferc._errors import available_cores

    memory = Path("/proc/meminfo")
    kilobytes = int(memory.read_text().split()[1]) if memory.exists() else 0
    return {
        "cpu": cpu_model(),
        "cores": available_cores(),
        "memory_gb": round(kilobytes / 1e6, 1) or None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _cuda_module() -> str:
    """Whether pufferc's CUDA kernels were built and see a device, or why not."""
    try:
        cuda = importlib.import_module("pufferc._cuda")
    except ModuleNotFoundError:
        return "not built: no CUDA compiler was found when this package was built"
    except ImportError as error:
        return f"built, but cannot be loaded: {error}"
    count, reason = cuda.devices()
    return f"built; {count} device(s)" if count else f"built; no device: {reason}"


def _torch_cuda() -> str:
    try:
        import torch
    except ImportError:
        return "torch is not installed: pip install 'pufferc[train]'"
    if torch.cuda.is_available():
        return f"yes: {torch.cuda.get_device_name()}"
    if torch.version.cuda is None:
        return "no: this torch was built for CPUs"
    return f"no: torch was built for CUDA {torch.version.cuda}, but sees no device or driver"


def report() -> dict[str, dict[str, Any]]:
    """Sections of facts, each a dict of names and values that JSON can hold."""
    import pufferc
    from pufferc import _core
    from pufferc.render import why_missing

    return {
        "pufferc": {
            "version": pufferc.__version__,
            "module": str(_core.__file__),
            "games": ", ".join(pufferc.list_envs()),
            "limited games": ", ".join(
                f"{info.name} ({info.max_games} in a process)"
                for info in map(pufferc.env_info, pufferc.list_envs())
                if info.max_games is not None
            )
            or "none",
        },
        "machine": machine(),
        "packages": {name: _version(name) or "not installed" for name in _PACKAGES},
        "pictures": {kind: why_missing(kind) or "available" for kind in ("headless", "window")},
        "cuda": {"kernels": _cuda_module(), "torch sees a GPU": _torch_cuda()},
    }


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
    for section, entries in facts.items():
        print(section)
        for name, value in entries.items():
            print(f"  {name:<18} {value}")
    return 0
