"""Numbers as short texts, and as JSON values."""

from __future__ import annotations

import math
from typing import Any


def plain(value: Any) -> Any:
    """A value for JSON: numbers that are not finite become null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def duration(seconds: float) -> str:
    """Seconds as 8s, 3m 20s or 2h 5m."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60}s"
    return f"{whole // 3600}h {whole % 3600 // 60}m"


def count(number: float) -> str:
    """A count in three digits: 950, 12.3k, 4.56M."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= limit:
            return f"{number / limit:.3g}{unit}"
    return f"{number:.0f}"


def short(value: float | None) -> str:
    """A measurement in four digits; "-" for None."""
    return "-" if value is None or not math.isfinite(value) else f"{value:.4g}"
