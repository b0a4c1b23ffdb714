"""The machine that this process runs on, as runs, sweeps and `pufferc doctor` record it."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

from pufferc.errors import available_cores


def cpu_model() -> str:
    """Name of the processor as reported by the system."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith(("model name", "Model")):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def machine() -> dict[str, Any]:
    """Processor, cores this process may use, memory in GB, system and Python."""
    memory = Path("/proc/meminfo")
    kilobytes = int(memory.read_text().split()[1]) if memory.exists() else 0
    return {
        "cpu": cpu_model(),
        "cores": available_cores(),
        "memory_gb": round(kilobytes / 1e6, 1) or None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
