"""The text format of roads: JSON with "format": "pufferc-road". This module checks it and makes a Scene of it.

Lengths are in m, angles in rad, times in s; x east, y north. An error names the file, the place in it, what was
expected and what came.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "COLORS",
    "FORMAT",
    "LANE_KINDS",
    "MARK_KINDS",
    "TRACK_KINDS",
    "VERSION",
    "Lane",
    "Mark",
    "Scene",
    "Signal",
    "Track",
    "load_json",
    "parse_scene",
]

FORMAT, VERSION = "pufferc-road", 1
LANE_KINDS = ("road", "movement", "ring")
MARK_KINDS = ("divider", "centre", "stop", "crosswalk")
TRACK_KINDS = ("car", "cyclist", "pedestrian")
COLORS = ("green", "yellow", "red")
_FARTHEST = 1e7  # m from the origin; national coordinates are below this

Points = NDArray[np.float64]


@dataclass
class Lane:
    """The middle of a lane, and the lanes that follow it."""

    id: str
    points: Points
    speed_limit: float = 13.9
    width: float = 3.5
    next: list[str] = field(default_factory=list)
    kind: str = "road"


@dataclass
class Mark:
    """A line on the road."""

    kind: str
    points: Points


@dataclass
class Signal:
    """A light: the movements that it rules, and its cycle."""

    lanes: list[str]
    cycle: list[tuple[str, float]]  # colour and seconds
    offset: float = 0.0  # s into the cycle at the start
    stop: Points | None = None


@dataclass
class Track:
    """A recorded body."""

    kind: str
    length: float
    width: float
    first: int  # tick of 0.1 s
    poses: list[tuple[float, float, float, float] | None]  # x, y, heading, speed
    goal: tuple[float, float] | None = None


@dataclass
class Scene:
    """What a file of our format holds."""

    name: str
    lanes: list[Lane] = field(default_factory=list)
    edges: list[Points] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)
    tracks: list[Track] = field(default_factory=list)


def load_json(path: str | os.PathLike[str]) -> Any:
    """The contents of a JSON file; ValueError with the file's name if it is not JSON."""
    place = Path(path)
    try:
        return json.loads(place.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{place}: not a JSON file: {error}") from None


class _Reader:
    """Takes values out of parsed JSON; `where` is the place that errors name."""

    def __init__(self, where: str) -> None:
        self.where = where

    def fail(self, place: str, expected: str, value: Any) -> ValueError:
        shown = repr(value)
        return ValueError(f"{self.where}: {place}: expected {expected}, got {shown[:60]}")

    def number(self, place: str, value: Any, low: float, high: float) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise self.fail(place, "a finite number", value)
        if not low <= value <= high:
            raise self.fail(place, f"a number in [{low:g}, {high:g}]", value)
        return float(value)

    def word(self, place: str, value: Any, words: Sequence[str]) -> str:
        if not isinstance(value, str) or value not in words:
            raise self.fail(place, " or ".join(words), value)
        return value

    def items(self, place: str, value: Any, least: int = 0) -> list[Any]:
        if not isinstance(value, list) or len(value) < least:
            raise self.fail(place, f"a list of at least {least}" if least else "a list", value)
        return value

    def object(self, place: str, value: Any, known: Sequence[str]) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise self.fail(place, "an object", value)
        for key in value:
            if key not in known:
                raise self.fail(place, "no other keys than " + ", ".join(known), key)
        return value

    def points(self, place: str, value: Any, least: int = 2) -> Points:
        rows = []
        for i, row in enumerate(self.items(place, value, least)):
            pair = self.items(f"{place}[{i}]", row)
            if len(pair) != 2:
                raise self.fail(f"{place}[{i}]", "[x, y]", row)
            rows.append([self.number(f"{place}[{i}][{k}]", pair[k], -_FARTHEST, _FARTHEST) for k in range(2)])
        points = np.array(rows, np.float64)
        if not (np.abs(np.diff(points, axis=0)).sum(axis=1) > 0).any():
            raise self.fail(place, "at least two different points", value)
        return points


def _lane(r: _Reader, place: str, value: Any) -> Lane:
    row = r.object(place, value, ("id", "points", "width", "speed_limit", "next", "kind"))
    if not isinstance(row.get("id"), str) or not row["id"]:
        raise r.fail(f"{place}.id", "a name", row.get("id"))
    following = r.items(f"{place}.next", row.get("next", []))
    for i, name in enumerate(following):
        if not isinstance(name, str):
            raise r.fail(f"{place}.next[{i}]", "the id of a lane", name)
    return Lane(
        row["id"],
        r.points(f"{place}.points", row.get("points")),
        r.number(f"{place}.speed_limit", row.get("speed_limit", 13.9), 0.1, 100.0),
        r.number(f"{place}.width", row.get("width", 3.5), 1.0, 20.0),
        list(following),
        r.word(f"{place}.kind", row.get("kind", "road"), LANE_KINDS),
    )


def _recorded(r: _Reader, place: str, value: Any) -> list[tuple[str, float]]:
    """Colours recorded every 0.1 s as a cycle that ends with its last colour."""
    letters = {name[0]: name for name in COLORS}
    if not isinstance(value, str) or not value or set(value) - set(letters):
        raise r.fail(place, "letters g, y and r, one per 0.1 s", value)
    cycle: list[tuple[str, float]] = []
    for letter in value:
        if cycle and cycle[-1][0] == letters[letter]:
            cycle[-1] = (cycle[-1][0], cycle[-1][1] + 0.1)
        else:
            cycle.append((letters[letter], 0.1))
    return cycle


def _signal(r: _Reader, place: str, value: Any) -> Signal:
    row = r.object(place, value, ("lanes", "stop", "cycle", "offset", "colors"))
    lanes = r.items(f"{place}.lanes", row.get("lanes"), 1)
    if ("cycle" in row) == ("colors" in row):
        raise r.fail(place, "either cycle or colors", value)
    if "colors" in row:
        cycle = _recorded(r, f"{place}.colors", row["colors"])
    else:
        cycle = []
        for i, phase in enumerate(r.items(f"{place}.cycle", row["cycle"], 1)):
            pair = r.items(f"{place}.cycle[{i}]", phase)
            if len(pair) != 2:
                raise r.fail(f"{place}.cycle[{i}]", "[colour, seconds]", phase)
            seconds = r.number(f"{place}.cycle[{i}][1]", pair[1], 0.1, 1600.0)
            cycle.append((r.word(f"{place}.cycle[{i}][0]", pair[0], COLORS), seconds))
    stop = r.points(f"{place}.stop", row["stop"]) if row.get("stop") is not None else None
    return Signal(list(lanes), cycle, r.number(f"{place}.offset", row.get("offset", 0.0), 0.0, 1e6), stop)


def _track(r: _Reader, place: str, value: Any) -> Track:
    row = r.object(place, value, ("kind", "length", "width", "first", "poses", "goal"))
    poses: list[tuple[float, float, float, float] | None] = []
    for i, pose in enumerate(r.items(f"{place}.poses", row.get("poses"), 1)):
        if pose is None:
            poses.append(None)
            continue
        four = r.items(f"{place}.poses[{i}]", pose)
        if len(four) != 4:
            raise r.fail(f"{place}.poses[{i}]", "[x, y, heading, speed] or null", pose)
        x, y = (r.number(f"{place}.poses[{i}][{k}]", four[k], -_FARTHEST, _FARTHEST) for k in range(2))
        heading = r.number(f"{place}.poses[{i}][2]", four[2], -1e4, 1e4)
        poses.append((x, y, heading, r.number(f"{place}.poses[{i}][3]", four[3], 0.0, 100.0)))
    goal = None
    if row.get("goal") is not None:
        pair = r.items(f"{place}.goal", row["goal"])
        if len(pair) != 2:
            raise r.fail(f"{place}.goal", "[x, y]", row["goal"])
        goal = tuple(r.number(f"{place}.goal[{k}]", pair[k], -_FARTHEST, _FARTHEST) for k in range(2))
    return Track(
        r.word(f"{place}.kind", row.get("kind", "car"), TRACK_KINDS),
        r.number(f"{place}.length", row.get("length", 4.5), 0.1, 30.0),
        r.number(f"{place}.width", row.get("width", 1.9), 0.1, 10.0),
        int(r.number(f"{place}.first", row.get("first", 0), 0, 65535)),
        poses,
        goal,  # type: ignore[arg-type]
    )


def _check_ids(r: _Reader, scene: Scene) -> None:
    known = set()
    for i, lane in enumerate(scene.lanes):
        if lane.id in known:
            raise r.fail(f"lanes[{i}].id", "an id that no other lane has", lane.id)
        known.add(lane.id)
    for i, lane in enumerate(scene.lanes):
        for k, name in enumerate(lane.next):
            if name not in known:
                raise r.fail(f"lanes[{i}].next[{k}]", "the id of a lane", name)
        if len(lane.next) > 4:
            raise r.fail(f"lanes[{i}].next", "at most 4 lanes", lane.next)
    for i, signal in enumerate(scene.signals):
        for k, name in enumerate(signal.lanes):
            if not isinstance(name, str) or name not in known:
                raise r.fail(f"signals[{i}].lanes[{k}]", "the id of a lane", name)


def parse_scene(name: str, value: Any) -> Scene:
    """The Scene of a parsed file of our format. `name` is the file's, for errors."""
    r = _Reader(name)
    row = r.object("the file", value, ("format", "version", "lanes", "edges", "marks", "signals", "tracks"))
    if row.get("format") != FORMAT:
        raise r.fail("format", f'"{FORMAT}" (see pufferc roads convert)', row.get("format"))
    if row.get("version") != VERSION or isinstance(row.get("version"), bool):
        raise r.fail("version", str(VERSION), row.get("version"))
    scene = Scene(name)
    scene.lanes = [_lane(r, f"lanes[{i}]", lane) for i, lane in enumerate(r.items("lanes", row.get("lanes"), 1))]
    scene.edges = [r.points(f"edges[{i}]", edge) for i, edge in enumerate(r.items("edges", row.get("edges", [])))]
    for i, mark in enumerate(r.items("marks", row.get("marks", []))):
        entry = r.object(f"marks[{i}]", mark, ("kind", "points"))
        kind = r.word(f"marks[{i}].kind", entry.get("kind"), MARK_KINDS)
        scene.marks.append(Mark(kind, r.points(f"marks[{i}].points", entry.get("points"))))
    scene.signals = [_signal(r, f"signals[{i}]", s) for i, s in enumerate(r.items("signals", row.get("signals", [])))]
    scene.tracks = [_track(r, f"tracks[{i}]", t) for i, t in enumerate(r.items("tracks", row.get("tracks", [])))]
    _check_ids(r, scene)
    if not any(lane.kind == "road" for lane in scene.lanes):
        raise r.fail("lanes", 'at least one lane of kind "road", where lives begin', "none")
    return scene
