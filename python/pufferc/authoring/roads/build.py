"""From a Scene to a map of drive: evenly spaced lane points, rooms, conflicts, signals, the grid, tracks with routes.

The middle of the map is subtracted in double precision, so that float32 keeps millimetres in national coordinates.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pufferc.authoring.roads.blocks import (
    CROSSING,
    JUNCTION,
    LANE,
    MOVEMENTS,
    NONE,
    POINT,
    POSE,
    ROUTE,
    SEGMENT,
    SIGNAL,
    TRACK,
    pack_map,
)  # fmt: skip
from pufferc.authoring.roads.scene import COLORS, LANE_KINDS, MARK_KINDS, TRACK_KINDS, Points, Scene

__all__ = ["build_map"]

_SPACING, _REACH, _CELL, _MARGIN, _CONFLICT = 2.5, 10.0, 8.0, 8.0, 2.6  # m, as in drive.c
_LIMIT = 65535  # what a uint16 counts
_PHASE_TICKS = 2**14 - 1
_BEFORE_END = 15.0  # lives begin at least so far before the end of a lane
_STOP_BEFORE_END = 1.0  # of lanes without a stop line of their own

Floats = NDArray[np.float64]


@dataclass
class _Path:
    """A lane's points, evenly spaced."""

    at: Floats  # [n, 2]
    way: Floats  # [n, 2] unit tangents
    length: float


def _resample(points: Points) -> _Path:
    steps = np.hypot(*np.diff(points, axis=0).T)
    points = points[np.concatenate([[True], steps > 1e-9])]
    at = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    length = max(float(at[-1]), 0.5)
    places = np.linspace(0.0, at[-1], max(1, round(length / _SPACING)) + 1)
    xy = np.stack([np.interp(places, at, points[:, k]) for k in range(2)], axis=1)
    ahead = np.diff(xy, axis=0)
    ahead /= np.maximum(np.hypot(*ahead.T), 1e-9)[:, None]
    way = np.concatenate([ahead[:1], ahead[1:] + ahead[:-1], ahead[-1:]])
    way /= np.maximum(np.hypot(*way.T), 1e-9)[:, None]
    return _Path(xy, way, length)


def _cut(line: Points) -> Floats:
    """A polyline as segments [n, 4] of less than 8 m."""
    rows = []
    for a, b in pairwise(line):
        parts = int(math.hypot(*(b - a)) / (_CELL - 0.01)) + 1
        for k in range(parts):
            rows.append(np.concatenate([a + (b - a) * (k / parts), a + (b - a) * ((k + 1) / parts)]))
    return np.array(rows, np.float64).reshape(-1, 4)


def _ray(xy: Floats, way: Floats, segments: Floats, reach: float) -> Floats:
    """How far a ray from each place gets before it meets a segment; at most `reach`."""
    room = np.full(len(xy), reach)
    if len(segments) == 0:
        return room
    g = segments[:, 2:] - segments[:, :2]
    for i, (place, d) in enumerate(zip(xy, way, strict=True)):
        s = segments[:, :2] - place
        near = (np.abs(s) < reach + _CELL).all(axis=1)
        cross = d[0] * g[near, 1] - d[1] * g[near, 0]
        with np.errstate(divide="ignore", invalid="ignore"):
            share = -(d[0] * s[near, 1] - d[1] * s[near, 0]) / cross
            t = (s[near, 0] * g[near, 1] - s[near, 1] * g[near, 0]) / cross
        hits = t[(share >= -1e-3) & (share <= 1.001) & (t >= 0.0)]
        if len(hits):
            room[i] = min(reach, float(hits.min()))
    return room


def _gap(a: Floats, b: Floats) -> float:
    """Least distance between two polylines, sampled at 0.5 m."""
    fine = [np.concatenate([np.linspace(p[i], p[i + 1], 6) for i in range(len(p) - 1)]) for p in (a, b)]
    return float(np.sqrt(((fine[0][:, None, :] - fine[1][None, :, :]) ** 2).sum(axis=2).min()))


def _crossing_place(path: _Path, line: Points) -> float | None:
    """Where a lane crosses a polyline, m from the lane's beginning."""
    spacing = path.length / (len(path.at) - 1)
    for i in range(len(path.at) - 1):
        p, d = path.at[i], path.at[i + 1] - path.at[i]
        for a, b in pairwise(line):
            g, s = b - a, a - p
            cross = d[0] * g[1] - d[1] * g[0]
            if abs(cross) < 1e-9:
                continue
            t, u = (s[0] * g[1] - s[1] * g[0]) / cross, (s[0] * d[1] - s[1] * d[0]) / cross
            if 0.0 <= t <= 1.0 and 0.0 <= u <= 1.0:
                return spacing * (i + float(t))
    return None


class _Builder:
    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.lanes = sorted(scene.lanes, key=lambda lane: lane.kind != "road")  # road lanes come first
        self.index = {lane.id: i for i, lane in enumerate(self.lanes)}
        every = np.concatenate([lane.points for lane in self.lanes] + scene.edges)
        self.middle = 0.5 * (every.min(axis=0) + every.max(axis=0))
        if float((every.max(axis=0) - every.min(axis=0)).max()) > 2e4:
            raise ValueError(f"{scene.name}: the map is larger than 20 km; cut it into parts")
        self.paths = [_resample(lane.points - self.middle) for lane in self.lanes]
        self.next = [[self.index[name] for name in lane.next] for lane in self.lanes]
        self.previous: list[list[int]] = [[] for _ in self.lanes]
        for i, following in enumerate(self.next):
            for k in following:
                self.previous[k].append(i)
        self.table = np.zeros(len(self.lanes), LANE)
        self.crossings: list[Floats] = []
        self.phases: list[int] = []

    def fail_if_many(self, name: str, count: int) -> None:
        if count > _LIMIT:
            raise ValueError(f"{self.scene.name}: {count} {name}, but a map holds at most {_LIMIT}; cut it into parts")

    def segments(self) -> tuple[Floats, NDArray[np.uint8]]:
        """Edges first, then marks."""
        groups = [(0, edge - self.middle) for edge in self.scene.edges]
        groups += [(1 + MARK_KINDS.index(mark.kind), mark.points - self.middle) for mark in self.scene.marks]
        rows = [(kind, _cut(line)) for kind, line in groups]
        found = np.concatenate([part for _, part in rows]) if rows else np.zeros((0, 4))
        kinds = np.concatenate([np.full(len(part), kind) for kind, part in rows]) if rows else np.zeros(0)
        if len(found) == 0:  # the grid needs something: the lanes' own extent
            every = np.concatenate([path.at for path in self.paths])
            found, kinds = _cut(np.stack([every.min(axis=0), every.max(axis=0)])), np.full(1, 2)
            kinds = np.full(len(found), 2)
        return found, kinds.astype(np.uint8)

    def lay_lanes(self, edges: Floats, centre: Floats) -> NDArray[np.void]:
        points = []
        first = 0
        for i, (lane, path) in enumerate(zip(self.lanes, self.paths, strict=True)):
            row = self.table[i]
            block = np.zeros(len(path.at), POINT)
            left = np.stack([-path.way[:, 1], path.way[:, 0]], axis=1)
            block["x"], block["y"] = path.at.T
            block["cos"], block["sin"] = path.way.T
            block["left"] = _ray(path.at, left, edges, _REACH)
            block["right"] = _ray(path.at, -left, edges, _REACH)
            half = len(path.at) // 2
            self.fail_if_many("lane points", first + len(block))
            row["length"], row["limit"], row["stop"] = path.length, lane.speed_limit, -1.0
            row["centre"] = _ray(path.at[half : half + 1], left[half : half + 1], centre, 1000.0)[0]
            row["first"], row["count"], row["kind"] = first, len(block), LANE_KINDS.index(lane.kind)
            row["num_next"] = len(self.next[i])
            row["next"][: len(self.next[i])] = self.next[i]
            row["junction"] = row["signal"] = row["merge"] = NONE
            row["crossing"] = NONE
            row["portal"] = lane.kind == "road" and not self.previous[i]
            if lane.kind != "road" and self.previous[i]:
                before = self.paths[self.previous[i][0]].way[-1]
                turn = math.atan2(
                    before[0] * path.way[-1][1] - before[1] * path.way[-1][0], float(before @ path.way[-1])
                )
                row["turn"] = 1 if turn > 0.5 else 2 if turn < -0.5 else 0
            points.append(block)
            first += len(block)
        return np.concatenate(points)

    def join_merges(self) -> None:
        """Two road lanes that end in the same lane."""
        for following in range(len(self.lanes)):
            ends = [i for i in self.previous[following] if self.lanes[i].kind == "road" and len(self.next[i]) == 1]
            if len(ends) == 2:
                self.table[ends[0]]["merge"], self.table[ends[1]]["merge"] = ends[1], ends[0]

    def junctions(self) -> NDArray[np.void]:
        """Movements that conflict, directly or through others, are one junction."""
        movements = [i for i, lane in enumerate(self.lanes) if lane.kind != "road"]
        boxes = {
            i: (self.paths[i].at.min(axis=0) - _CONFLICT, self.paths[i].at.max(axis=0) + _CONFLICT) for i in movements
        }
        pairs, group = [], {i: i for i in movements}

        def root(i: int) -> int:
            while group[i] != i:
                group[i] = group[group[i]]
                i = group[i]
            return i

        for n, a in enumerate(movements):
            for b in movements[:n]:
                if (boxes[a][0] > boxes[b][1]).any() or (boxes[b][0] > boxes[a][1]).any():
                    continue
                together = set(self.previous[a]) & set(self.previous[b])
                if together or b in self.next[a] or a in self.next[b]:
                    group[root(a)] = root(b)
                elif _gap(self.paths[a].at, self.paths[b].at) < _CONFLICT:
                    pairs.append((a, b))
                    group[root(a)] = root(b)
        members: dict[int, list[int]] = {}
        for i in movements:
            members.setdefault(root(i), []).append(i)
        table = np.zeros(len(members), JUNCTION)
        for j, lanes in enumerate(members.values()):
            if len(lanes) > MOVEMENTS:
                names = ", ".join(self.lanes[i].id for i in lanes[:4])
                raise ValueError(
                    f"{self.scene.name}: {len(lanes)} movements meet ({names}, ...), but a junction has at most "
                    f'{MOVEMENTS}; make some of them lanes of kind "road"'
                )
            table[j]["movement"][: len(lanes)], table[j]["num_movements"] = lanes, len(lanes)
            for bit, i in enumerate(lanes):
                self.table[i]["junction"], self.table[i]["bit"] = j, bit
        for a, b in pairs:
            row = table[self.table[a]["junction"]]
            row["conflicts"][self.table[a]["bit"]] |= 1 << int(self.table[b]["bit"])
            row["conflicts"][self.table[b]["bit"]] |= 1 << int(self.table[a]["bit"])
        self.stop_before(table)
        return table

    def stop_before(self, junctions: NDArray[np.void]) -> None:
        """Road lanes end at a stop line before a movement that conflicts with others."""
        for i, lane in enumerate(self.lanes):
            row = self.table[i]
            if lane.kind != "road" or len(self.next[i]) == 0:
                continue
            ahead = [self.table[k] for k in self.next[i] if self.table[k]["junction"] != NONE]
            if any(junctions[r["junction"]]["conflicts"][r["bit"]] for r in ahead):
                row["stop"] = max(0.0, float(row["length"]) - _STOP_BEFORE_END)

    def signals(self) -> NDArray[np.void]:
        table = np.zeros(len(self.scene.signals), SIGNAL)
        for n, signal in enumerate(self.scene.signals):
            first = len(self.phases)
            for color, seconds in signal.cycle:
                ticks = max(1, round(10.0 * seconds))
                while ticks > 0:
                    part = min(ticks, _PHASE_TICKS)
                    self.phases.append(4 * part + COLORS.index(color))
                    ticks -= part
            cycle = [phase >> 2 for phase in self.phases[first:]]
            passed, at = round(10.0 * signal.offset) % sum(cycle), 0
            while passed >= cycle[at]:
                passed -= cycle[at]
                at += 1
            table[n] = (first, len(cycle), at, cycle[at] - passed)
            for name in signal.lanes:
                i = self.index[name]
                self.table[i]["signal"] = n
                for before in self.previous[i]:
                    place = (
                        None if signal.stop is None else _crossing_place(self.paths[before], signal.stop - self.middle)
                    )
                    length = float(self.table[before]["length"])
                    self.table[before]["stop"] = (
                        max(0.0, length - _STOP_BEFORE_END) if place is None else min(place, length)
                    )
        self.fail_if_many("phases of signals", len(self.phases))
        return table

    def crosswalks(self) -> NDArray[np.void]:
        lines = [mark.points - self.middle for mark in self.scene.marks if mark.kind == "crosswalk"]
        table = np.zeros(len(lines), CROSSING)
        for n, line in enumerate(lines):
            table[n] = (*line[0], *line[-1])
            for i, path in enumerate(self.paths):
                place, row = _crossing_place(path, line), self.table[i]
                free = [k for k in range(2) if row["crossing"][k] == NONE]
                if place is not None and free:
                    row["crossing"][free[0]], row["crossing_place"][free[0]] = n, min(place, float(row["length"]))
        return table

    # ---- recorded tracks ---------------------------------------------------------------------------------

    def nearest_lane(self, place: Floats, heading: float | None) -> tuple[int, float] | None:
        """The lane within 4 m, and 60 degrees of the heading, whose middle is nearest, and the place on it."""
        best: tuple[float, int, float] | None = None
        for i, path in enumerate(self.paths):
            square = ((path.at - place) ** 2).sum(axis=1)
            k = int(square.argmin())
            if square[k] > 16.0 or (best is not None and square[k] >= best[0]):
                continue
            if heading is not None and float(path.way[k] @ (math.cos(heading), math.sin(heading))) < 0.5:
                continue
            best = (float(square[k]), i, path.length * k / (len(path.at) - 1))
        return None if best is None else best[1:]

    def route(self, start: tuple[int, float], goal: tuple[int, float]) -> tuple[list[int], float] | None:
        """The shortest route of at most 24 lanes, and its length from the start to the goal."""
        if start[0] == goal[0] and goal[1] > start[1]:
            return [start[0]], goal[1] - start[1]
        queue = [(self.paths[start[0]].length - start[1], [start[0]])]
        done: set[int] = set()
        while queue:
            length, lanes = heapq.heappop(queue)
            if lanes[-1] in done:
                continue
            done.add(lanes[-1])
            for following in self.next[lanes[-1]]:
                if following == goal[0]:
                    return [*lanes, following], length + goal[1]
                if len(lanes) + 1 < ROUTE:
                    heapq.heappush(queue, (length + self.paths[following].length, [*lanes, following]))
        return None

    def tracks(self) -> tuple[NDArray[np.void], NDArray[np.void]]:
        """Tracks of cars with a goal that lanes lead to come first: agents start from them."""
        rows: list[tuple[bool, Any]] = []
        poses: list[tuple[float, ...]] = []
        for track in self.scene.tracks:
            row = np.zeros((), TRACK)
            row["kind"], row["first_tick"] = TRACK_KINDS.index(track.kind), track.first
            row["first"], row["count"] = len(poses), len(track.poses)
            row["length"], row["width"] = track.length, track.width
            for pose in track.poses:
                if pose is None:
                    poses.append((0.0, 0.0, 0.0, 0.0, 0.0))
                else:
                    x, y = np.array(pose[:2]) - self.middle
                    poses.append((x, y, math.cos(pose[2]), math.sin(pose[2]), pose[3]))
            begin = track.poses[0]
            if track.kind == "car" and track.goal is not None and begin is not None and track.first == 0:
                here = self.nearest_lane(np.array(begin[:2]) - self.middle, begin[2])
                there = self.nearest_lane(np.array(track.goal) - self.middle, None)
                found = None if here is None or there is None else self.route(here, there)
                if here is not None and found is not None:
                    row["lane"], row["along"], row["goal"] = here[0], here[1], found[1]
                    row["num_route"] = len(found[0])
                    row["route"][: len(found[0])] = found[0]
            rows.append((int(row["num_route"]) == 0, row))
        self.fail_if_many("recorded poses", len(poses))
        ordered = [row for _, row in sorted(rows, key=lambda pair: pair[0])]
        return np.array(ordered, TRACK).reshape(-1), np.array(poses, POSE).reshape(-1)

    # ---- grid ----------------------------------------------------------------------------------------------

    def grid(self, segments: Floats) -> tuple[dict[str, float], NDArray[np.uint16], NDArray[np.uint16]]:
        """Bounds, and the segments that pass through each cell."""
        low = np.minimum(segments[:, :2], segments[:, 2:])
        high = np.maximum(segments[:, :2], segments[:, 2:])
        origin = low.min(axis=0) - _MARGIN
        size = ((high.max(axis=0) + _MARGIN - origin) / _CELL).astype(int) + 1
        self.fail_if_many("cells of 8 m", int(size[0] * size[1]))
        cells: list[list[int]] = [[] for _ in range(int(size[0] * size[1]))]
        half = 0.5 * _CELL + 1e-2  # more than float32 rounds in 20 km
        for i, (x0, y0, x1, y1) in enumerate(segments):
            begin = np.clip(((low[i] - 1e-2 - origin) / _CELL).astype(int), 0, size - 1)
            end = np.clip(((high[i] + 1e-2 - origin) / _CELL).astype(int), 0, size - 1)
            for row in range(begin[1], end[1] + 1):
                for column in range(begin[0], end[0] + 1):
                    c = origin + _CELL * (np.array([column, row]) + 0.5)
                    m, d = np.array([x0 + x1, y0 + y1]) / 2 - c, np.array([x1 - x0, y1 - y0])
                    if (np.abs(m) <= half + np.abs(d) / 2).all() and abs(d[0] * m[1] - d[1] * m[0]) <= half * np.abs(
                        d
                    ).sum():
                        cells[row * int(size[0]) + column].append(i)
        starts = np.concatenate([[0], np.cumsum([len(cell) for cell in cells])])
        self.fail_if_many("entries of cells", int(starts[-1]))
        town = {"columns": int(size[0]), "rows": int(size[1]), "left": float(origin[0]), "bottom": float(origin[1])}
        entries = np.array([i for cell in cells for i in cell], np.uint16)
        return town, starts.astype(np.uint16), entries


def build_map(scene: Scene) -> bytes:
    """The map of a Scene as drive reads it. ValueError names the scene and what does not fit."""
    b = _Builder(scene)
    segments, kinds = b.segments()
    b.fail_if_many("segments", len(segments))
    b.fail_if_many("lanes", len(b.lanes))
    town, starts, entries = b.grid(segments)
    points = b.lay_lanes(segments[kinds == 0], segments[kinds == 2])
    b.join_merges()
    junctions = b.junctions()
    signals = b.signals()
    crossings = b.crosswalks()
    tracks, poses = b.tracks()
    roads = [float(row["length"]) for row in b.table if row["kind"] == 0]
    town |= {"num_roads": len(roads), "num_edges": int((kinds == 0).sum())}
    town |= {"road": sum(roads), "usable": sum(max(length - _BEFORE_END, 0.0) for length in roads)}
    flat = np.zeros(len(segments), SEGMENT)
    for k, name in enumerate(("x0", "y0", "x1", "y1")):
        flat[name] = segments[:, k]
    arrays: dict[str, NDArray[Any]] = {
        "points": points, "lanes": b.table, "junctions": junctions, "segments": flat,
        "crossings": crossings, "tracks": tracks, "poses": poses, "signals": signals,
        "phases": np.array(b.phases, np.uint16), "starts": starts, "entries": entries, "kinds": kinds,
    }  # fmt: skip
    return pack_map(town, arrays)
