"""From other formats to ours.

JSON scenes of Waymo Open Motion, as GPUDrive, Nocturne and PufferDrive use them, and CommonRoad XML. The result is a
dictionary that `parse_scene` accepts and `json.dump` writes.
"""

from __future__ import annotations

import math
import os
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pufferc.authoring.roads.scene import FORMAT, VERSION, load_json

__all__ = ["convert"]

_JOIN_M, _JOIN_COS = 1.5, math.cos(math.radians(20.0))  # of the end of a lane and the start of its successor
_LEVEL_M = 4.0  # lanes that cross with more height between them are on different levels
_MPH = 0.44704
_WAYMO_COLORS = dict(enumerate("rygrygry", start=1))  # lights with arrows, plain ones, flashing ones


class _Source:
    """A file that is being converted; errors name it and the place in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fail(self, place: str, expected: str, value: Any) -> ValueError:
        return ValueError(f"{self.path}: {place}: expected {expected}, got {repr(value)[:60]}")

    def number(self, place: str, value: Any) -> float:
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            raise self.fail(place, "a number", value) from None
        if not math.isfinite(number):
            raise self.fail(place, "a finite number", value)
        return number

    def items(self, place: str, value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self.fail(place, "a list", value)
        return value

    def point(self, place: str, value: Any) -> tuple[float, float, float]:
        if not isinstance(value, dict):
            raise self.fail(place, "an object with x and y", value)
        return tuple(self.number(f"{place}.{k}", value.get(k, 0.0 if k == "z" else None)) for k in "xyz")  # type: ignore[return-value]


def _distinct(points: Sequence[tuple[float, ...]]) -> list[list[float]]:
    """X and y of the points, without repetitions."""
    rows: list[list[float]] = []
    for point in points:
        if not rows or math.hypot(point[0] - rows[-1][0], point[1] - rows[-1][1]) > 1e-6:
            rows.append([point[0], point[1]])
    return rows


def _way(points: list[list[float]], end: int) -> tuple[float, float]:
    a, b = (points[0], points[1]) if end == 0 else (points[-2], points[-1])
    length = math.hypot(b[0] - a[0], b[1] - a[1]) or 1.0
    return (b[0] - a[0]) / length, (b[1] - a[1]) / length


def _infer_successors(lanes: list[dict[str, Any]]) -> None:
    """Lanes that begin within 1.5 m and 20 degrees of where a lane ends; the nearest 4."""
    for lane in lanes:
        x, y = lane["points"][-1]
        way = _way(lane["points"], 1)
        found = []
        for other in lanes:
            start, ahead = other["points"][0], _way(other["points"], 0)
            distance = math.hypot(start[0] - x, start[1] - y)
            if other is not lane and distance <= _JOIN_M and way[0] * ahead[0] + way[1] * ahead[1] >= _JOIN_COS:
                found.append((distance, other["id"]))
        lane["next"] = [name for _, name in sorted(found)[:4]]


def _cross(a: list[list[float]], b: list[list[float]]) -> bool:
    p, q = np.array(a), np.array(b)
    if (p.min(axis=0) > q.max(axis=0)).any() or (q.min(axis=0) > p.max(axis=0)).any():
        return False
    d, g = np.diff(p, axis=0)[:, None], np.diff(q, axis=0)[None]
    s = q[None, :-1] - p[:-1, None]
    cross = d[..., 0] * g[..., 1] - d[..., 1] * g[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (s[..., 0] * g[..., 1] - s[..., 1] * g[..., 0]) / cross
        u = (s[..., 0] * d[..., 1] - s[..., 1] * d[..., 0]) / cross
    return bool(((t > 0.01) & (t < 0.99) & (u > 0.01) & (u < 0.99)).any())


def _mark_movements(lanes: list[dict[str, Any]]) -> None:
    """Lanes that cross others between their ends, and have lanes before and behind, are movements of a junction."""
    followed = {name for lane in lanes for name in lane["next"]}
    for i, lane in enumerate(lanes):
        for other in lanes[:i]:
            if not _cross(lane["points"], other["points"]):
                continue
            for one in (lane, other):
                if one["next"] and one["id"] in followed:
                    one["kind"] = "movement"


def _scene(lanes: list[dict[str, Any]], **rest: Any) -> dict[str, Any]:
    return {"format": FORMAT, "version": VERSION, "lanes": lanes, **rest}


# ---- Waymo Open Motion as JSON ------------------------------------------------------------------------------


def _waymo_kind(source: _Source, place: str, value: Any) -> str:
    """Type of a road element: a word, or a number of GPUDrive's."""
    names = {**dict.fromkeys((1, 2, 3), "lane"), **dict.fromkeys(range(5, 14), "road_line")}
    names |= {15: "road_edge", 16: "road_edge", 17: "stop_sign", 18: "crosswalk", 19: "speed_bump", 20: "driveway"}
    if isinstance(value, int) and not isinstance(value, bool):
        return names.get(value, "other")
    if not isinstance(value, str):
        raise source.fail(place, "a type", value)
    return value.lower()


def _waymo_roads(
    source: _Source, data: dict[str, Any]
) -> tuple[list[dict[str, Any]], list[Any], list[Any], list[float]]:
    lanes, edges, marks, heights = [], [], [], []
    for i, road in enumerate(source.items("roads", data.get("roads"))):
        place = f"roads[{i}]"
        if not isinstance(road, dict):
            raise source.fail(place, "an object", road)
        geometry = road.get("geometry", [])
        rows = geometry if isinstance(geometry, list) else [geometry]
        points3 = [source.point(f"{place}.geometry[{k}]", row) for k, row in enumerate(rows)]
        points = _distinct(points3)
        kind = _waymo_kind(source, f"{place}.type", road.get("type"))
        if len(points) < 2:
            continue
        if kind == "lane":
            limit = source.number(f"{place}.speed_limit", road.get("speed_limit", 30.0)) * _MPH
            name = str(road.get("id", f"road {i}"))
            lanes.append({"id": name, "points": points, "speed_limit": min(max(limit, 2.0), 60.0), "kind": "road"})
            heights.append(sum(p[2] for p in points3) / len(points3))
        elif kind == "road_edge":
            edges.append(points)
        elif kind == "road_line":
            marks.append({"kind": "divider", "points": points})
        elif kind == "crosswalk":
            marks.append({"kind": "crosswalk", "points": _crosswalk_axis(points)})
    if not lanes:
        raise source.fail("roads", "at least one lane", "none")
    return lanes, edges, marks, heights


def _crosswalk_axis(corners: list[list[float]]) -> list[list[float]]:
    """The middle line of a crosswalk's outline, along its longer side; it is where pedestrians walk."""
    if len(corners) < 4:
        return [corners[0], corners[-1]]
    mid = [[(a[0] + b[0]) / 2, (a[1] + b[1]) / 2] for a, b in zip(corners[:4], corners[1:4] + corners[:1], strict=True)]
    axes = [[mid[0], mid[2]], [mid[1], mid[3]]]
    return max(axes, key=lambda axis: math.hypot(axis[1][0] - axis[0][0], axis[1][1] - axis[0][1]))


def _waymo_tracks(source: _Source, data: dict[str, Any]) -> tuple[list[dict[str, Any]], list[float]]:
    kinds = {"vehicle": "car", "cyclist": "cyclist", "pedestrian": "pedestrian"}
    tracks, heights = [], []
    for i, item in enumerate(source.items("objects", data.get("objects", []))):
        place = f"objects[{i}]"
        kind = kinds.get(str(item.get("type", "")).lower()) if isinstance(item, dict) else None
        if kind is None:
            continue
        positions = source.items(f"{place}.position", item.get("position"))
        headings = source.items(f"{place}.heading", item.get("heading"))
        speeds = source.items(f"{place}.velocity", item.get("velocity"))
        valid = source.items(f"{place}.valid", item.get("valid"))
        if not len(positions) == len(headings) == len(speeds) == len(valid):
            raise source.fail(place, "as many positions, headings, velocities and valid flags", len(positions))
        poses: list[list[float] | None] = []
        for k, good in enumerate(valid):
            if not good:
                poses.append(None)
                continue
            x, y, z = source.point(f"{place}.position[{k}]", positions[k])
            vx, vy, _ = source.point(f"{place}.velocity[{k}]", speeds[k])
            heading = source.number(f"{place}.heading[{k}]", headings[k])
            heading = math.radians(heading) if abs(heading) > 2.0 * math.pi + 1e-3 else heading
            poses.append([x, y, heading, min(math.hypot(vx, vy), 100.0)])
            heights.append(z)
        first = next((k for k, pose in enumerate(poses) if pose is not None), None)
        if first is None:
            continue
        last = max(k for k, pose in enumerate(poses) if pose is not None)
        track: dict[str, Any] = {"kind": kind, "first": first, "poses": poses[first : last + 1]}
        for name, low, high in (("length", 0.1, 30.0), ("width", 0.1, 10.0)):
            size = source.number(f"{place}.{name}", item.get(name, 4.5 if name == "length" else 1.9))
            track[name] = min(max(size, low), high)
        goal = item.get("goalPosition")
        if goal is not None and kind == "car":
            track["goal"] = list(source.point(f"{place}.goalPosition", goal)[:2])
        tracks.append(track)
    return tracks, heights


def _waymo_signals(source: _Source, data: dict[str, Any], ids: set[str]) -> list[dict[str, Any]]:
    """States of lights: {lane: {"state": [colour per 0.1 s, numbers or words], "x", "y", ...}}."""
    signals = []
    lights = data.get("tl_states", {})
    if not isinstance(lights, dict):
        raise source.fail("tl_states", "an object", lights)
    for name, light in lights.items():
        states = light.get("state") if isinstance(light, dict) else None
        states = source.items(f"tl_states[{name!r}].state", states)
        letters = "".join(
            _WAYMO_COLORS.get(s, "g")
            if isinstance(s, int)
            else next((c for c in "gyr" if c == str(s)[:1].lower()), "g")
            for s in states
        )
        if name in ids and letters:
            signals.append({"lanes": [name], "colors": letters})
    return signals


def _keep_level(
    lanes: list[dict[str, Any]], heights: list[float], tracks: list[float], say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Where lanes cross at different heights, only the level that holds most recorded positions is kept."""
    levels: list[float] = []
    for i, lane in enumerate(lanes):
        for k in range(i):
            if abs(heights[i] - heights[k]) > _LEVEL_M and _cross(lane["points"], lanes[k]["points"]):
                levels += [heights[i], heights[k]]
    if not levels:
        return lanes
    main = max(levels, key=lambda z: (sum(abs(h - z) < _LEVEL_M / 2 for h in tracks), -z))
    kept = [lane for lane, z in zip(lanes, heights, strict=True) if abs(z - main) <= _LEVEL_M]
    say(f"lanes cross at different heights: kept {len(kept)} of {len(lanes)} lanes, at {main:.1f} m")
    return kept


def _from_waymo(source: _Source, say: Callable[[str], None]) -> dict[str, Any]:
    data = load_json(source.path)
    if not isinstance(data, dict) or "roads" not in data:
        raise source.fail("the file", 'an object with "roads"', data)
    lanes, edges, marks, heights = _waymo_roads(source, data)
    tracks, track_heights = _waymo_tracks(source, data)
    lanes = _keep_level(lanes, heights, track_heights, say)
    _infer_successors(lanes)
    _mark_movements(lanes)
    signals = _waymo_signals(source, data, {lane["id"] for lane in lanes})
    return _scene(lanes, edges=edges, marks=marks, signals=signals, tracks=tracks)


# ---- CommonRoad -----------------------------------------------------------------------------------------------


def _bound(source: _Source, place: str, node: ET.Element | None) -> list[list[float]]:
    if node is None:
        raise source.fail(place, "a bound", None)
    rows = []
    for k, point in enumerate(node.iter("point")):
        rows.append(tuple(source.number(f"{place}, point {k}, {name}", point.findtext(name)) for name in "xy"))
    if len(rows) < 2:
        raise source.fail(place, "at least two points", len(rows))
    return [list(row) for row in rows]


def _exact(node: ET.Element | None) -> str | None:
    return None if node is None else node.findtext("exact") or node.findtext("./intervalStart")


def _commonroad_lanelet(source: _Source, node: ET.Element) -> tuple[dict[str, Any], list[Any]]:
    name = node.get("id", "")
    left = _bound(source, f"lanelet {name}, leftBound", node.find("leftBound"))
    right = _bound(source, f"lanelet {name}, rightBound", node.find("rightBound"))
    if len(left) != len(right):
        raise source.fail(f"lanelet {name}", "bounds with the same number of points", (len(left), len(right)))
    middle = _distinct([((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in zip(left, right, strict=True)])
    width = float(np.mean([math.hypot(a[0] - b[0], a[1] - b[1]) for a, b in zip(left, right, strict=True)]))
    lane = {"id": name, "points": middle, "width": min(max(width, 1.0), 20.0), "kind": "road"}
    lane["next"] = [successor.get("ref", "") for successor in node.findall("successor")][:4]
    # A bound that no lanelet of either direction shares is an edge of the road.
    free = [line for side, line in (("Left", left), ("Right", right)) if node.find(f"adjacent{side}") is None]
    return lane, [_distinct([tuple(p) for p in line]) for line in free]


def _commonroad_signals(source: _Source, root: ET.Element, lanelets: list[ET.Element]) -> Iterator[dict[str, Any]]:
    colors = {"green": "green", "yellow": "yellow", "red": "red", "redYellow": "red", "inactive": "green"}
    for light in root.iter("trafficLight"):
        name = light.get("id", "")
        cycle = []
        for k, element in enumerate(light.iter("cycleElement")):
            ticks = source.number(f"trafficLight {name}, cycleElement {k}, duration", element.findtext("duration"))
            cycle.append([colors.get((element.findtext("color") or "").strip(), "green"), max(0.1, 0.1 * ticks)])
        lanes = [
            n
            for node in lanelets
            if any(r.get("ref") == name for r in node.findall("trafficLightRef"))
            for n in [s.get("ref", "") for s in node.findall("successor")]
        ]
        if cycle and lanes:
            offset = light.findtext(".//timeOffset")
            yield {
                "lanes": lanes,
                "cycle": cycle,
                "offset": 0.0 if offset is None else 0.1 * source.number(f"trafficLight {name}, timeOffset", offset),
            }


def _commonroad_pose(source: _Source, place: str, state: ET.Element) -> list[float]:
    point = state.find("./position/point")
    if point is None:
        raise source.fail(place, "a position that is a point", None)
    values = [source.number(f"{place}.{k}", point.findtext(k)) for k in "xy"]
    values.append(source.number(f"{place}.orientation", _exact(state.find("orientation")) or 0.0))
    return [*values, min(max(source.number(f"{place}.velocity", _exact(state.find("velocity")) or 0.0), 0.0), 100.0)]


def _commonroad_tracks(source: _Source, root: ET.Element) -> Iterator[dict[str, Any]]:
    kinds = {"bicycle": "cyclist", "pedestrian": "pedestrian"}
    for node in [*root.iter("dynamicObstacle"), *root.iter("obstacle")]:
        name = f"obstacle {node.get('id', '')}"
        initial, states = node.find("initialState"), [*node.iter("state")]
        if initial is None:
            continue
        track: dict[str, Any] = {"kind": kinds.get((node.findtext("type") or "").strip(), "car"), "first": 0}
        rectangle = node.find(".//shape/rectangle")
        for side, usual in (("length", 4.5), ("width", 1.9)):
            size = rectangle.findtext(side) if rectangle is not None else None
            track[side] = min(max(source.number(f"{name}, {side}", usual if size is None else size), 0.1), 10.0)
        track["poses"] = [
            _commonroad_pose(source, f"{name}, state {k}", state) for k, state in enumerate([initial, *states])
        ]
        yield track
    for node in root.iter("planningProblem"):
        name = f"planningProblem {node.get('id', '')}"
        initial = node.find("initialState")
        places = (node.find(f"./goalState/position/{tag}") for tag in ("/center", "point"))
        goal = next((place for place in places if place is not None), None)
        if initial is None:
            continue
        track = {"kind": "car", "first": 0, "poses": [_commonroad_pose(source, name, initial)]}
        if goal is not None:
            track["goal"] = [source.number(f"{name}, goal {k}", goal.findtext(k)) for k in "xy"]
        yield track


def _from_commonroad(source: _Source, say: Callable[[str], None]) -> dict[str, Any]:
    try:
        root = ET.parse(source.path).getroot()
    except ET.ParseError as error:
        raise ValueError(f"{source.path}: not an XML file: {error}") from None
    if root.tag != "commonRoad":
        raise source.fail("the root element", "commonRoad", root.tag)
    lanelets = root.findall("lanelet")
    pairs = [_commonroad_lanelet(source, node) for node in lanelets]
    if not pairs:
        raise source.fail("the file", "at least one lanelet", "none")
    lanes = [lane for lane, _ in pairs]
    known = {lane["id"] for lane in lanes}
    for lane in lanes:
        for name in lane["next"]:
            if name not in known:
                raise source.fail(f"lanelet {lane['id']}, successor", "the id of a lanelet", name)
    _mark_movements(lanes)
    signals = list(_commonroad_signals(source, root, lanelets))
    tracks = list(_commonroad_tracks(source, root))
    say(f"{len(lanes)} lanelets, {len(signals)} lights, {len(tracks)} tracks")
    return _scene(
        lanes,
        edges=[edge for _, edges in pairs for edge in edges if len(edge) > 1],
        marks=[],
        signals=signals,
        tracks=tracks,
    )


def convert(path: str | os.PathLike[str], say: Callable[[str], None] = print) -> dict[str, Any]:
    """The scene of a file in our text format. `say` gets notes about what was left out."""
    source = _Source(Path(path))
    suffix = source.path.suffix.lower()
    if suffix == ".json":
        return _from_waymo(source, say)
    if suffix == ".xml":
        return _from_commonroad(source, say)
    raise ValueError(f"{source.path}: expected a .json file (Waymo Open Motion) or an .xml file (CommonRoad)")
