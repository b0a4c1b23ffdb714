"""The file of maps that drive reads: its records as NumPy types, and a writer.

csrc/envs/drive.c documents what they mean.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CROSSING",
    "JUNCTION",
    "LANE",
    "MAGIC",
    "MOVEMENTS",
    "NONE",
    "POINT",
    "POSE",
    "ROUTE",
    "SEGMENT",
    "SIGNAL",
    "TOWN",
    "TRACK",
    "pack_map",
    "write_maps",
]

MAGIC, VERSION = b"PFCROADS", 1
NONE = 0xFFFF
MOVEMENTS = 16  # of a junction
ROUTE = 24  # lanes of a route

POINT = np.dtype([(name, "<f4") for name in ("x", "y", "cos", "sin", "left", "right")])
LANE = np.dtype(
    [("length", "<f4"), ("limit", "<f4"), ("stop", "<f4"), ("centre", "<f4"), ("crossing_place", "<f4", 2)]
    + [("crossing", "<u2", 2), ("first", "<u2"), ("count", "<u2"), ("next", "<u2", 4)]
    + [("junction", "<u2"), ("signal", "<u2"), ("merge", "<u2")]
    + [(name, "u1") for name in ("num_next", "kind", "bit", "turn", "wide", "portal")]
)
JUNCTION = np.dtype(
    [("movement", "<u2", MOVEMENTS), ("conflicts", "<u2", MOVEMENTS), ("num_movements", "<u2"), ("occupied", "<u2")]
)
SEGMENT = CROSSING = np.dtype([(name, "<f4") for name in ("x0", "y0", "x1", "y1")])
SIGNAL = np.dtype([(name, "<u2") for name in ("first", "count", "at", "left")])
TRACK = np.dtype(
    [(name, "<u2") for name in ("kind", "first_tick", "first", "count")]
    + [("length", "<f4"), ("width", "<f4"), ("lane", "<u2"), ("num_route", "<u2"), ("route", "<u2", ROUTE)]
    + [("along", "<f4"), ("goal", "<f4")]
)
POSE = np.dtype([(name, "<f4") for name in ("x", "y", "cos", "sin", "v")])
TOWN = np.dtype(
    [(f"num_{name}", "<i4") for name in ("points", "lanes", "roads", "junctions", "segments", "edges")]
    + [(f"num_{name}", "<i4") for name in ("signals", "phases", "crossings")]
    + [("columns", "<i4"), ("rows", "<i4"), ("num_entries", "<i4"), ("num_tracks", "<i4"), ("num_poses", "<i4")]
    + [(name, "<f4") for name in ("left", "bottom", "usable", "road")]
)
# The arrays of a map, in the order of the file.
_PARTS: dict[str, np.dtype[np.void] | str] = {
    "points": POINT, "lanes": LANE, "junctions": JUNCTION, "segments": SEGMENT, "crossings": CROSSING, "tracks": TRACK,
    "poses": POSE, "signals": SIGNAL, "phases": "<u2", "starts": "<u2", "entries": "<u2", "kinds": "u1",
}  # fmt: skip


def pack_map(town: Mapping[str, float], arrays: Mapping[str, NDArray[np.generic]]) -> bytes:
    """One map. `town` has num_roads, num_edges, columns, rows, left, bottom, usable and road."""
    head = np.zeros((), TOWN)
    for name, array in arrays.items():
        if f"num_{name}" in (TOWN.names or ()):
            head[f"num_{name}"] = len(array)
    for name, value in town.items():
        head[name] = value
    parts = [head.tobytes()]
    for name, dtype in _PARTS.items():
        data = np.ascontiguousarray(arrays[name], dtype).tobytes()
        parts.append(data + bytes(-len(data) % 8))
    return b"".join(parts)


def write_maps(path: str | os.PathLike[str], maps: Sequence[bytes]) -> None:
    """Writes a file of maps: a header, the offsets of the maps and of the end, the maps."""
    start = len(MAGIC) + 16
    offsets = [start + 8 * (len(maps) + 1)]
    for block in maps:
        offsets.append(offsets[-1] + len(block))
    body = struct.pack(f"<{len(offsets)}Q", *offsets) + b"".join(maps)
    header = MAGIC + struct.pack("<IIII", VERSION, len(maps), zlib.crc32(body), 0)
    target = Path(path)
    partial = target.with_name(f"{target.name}.partial")
    partial.write_bytes(header + body)
    os.replace(partial, target)
