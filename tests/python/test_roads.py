"""Roads from files: the text format, the builder and the converters, and drive on the maps they make."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pufferc
from pufferc.authoring.roads import blocks
from pufferc.authoring.roads.build import build_map
from pufferc.authoring.roads.convert import convert
from pufferc.authoring.roads.scene import parse_scene
from pufferc.commands import roads


def cross(middle: tuple[float, float] = (0.0, 0.0)) -> dict[str, Any]:
    """Two one-way streets that cross, each with a lane in, a movement and a lane out; edges beside them; a light."""
    mx, my = middle
    lanes, edges = [], []
    for name, (dx, dy) in {"east": (1.0, 0.0), "north": (0.0, 1.0)}.items():
        at = [[mx + dx * d, my + dy * d] for d in (-60.0, -8.0, 8.0, 60.0)]
        for part, kind, follows in (("in", "road", "over"), ("over", "movement", "out"), ("out", "road", None)):
            k = ("in", "over", "out").index(part)
            following = [f"{name} {follows}"] if follows else []
            lanes.append(
                {"id": f"{name} {part}", "points": at[k : k + 2], "next": following, "kind": kind, "speed_limit": 10.0}
            )
        for side in (-3.0, 3.0):
            for a, b in ((-60.0, -3.0), (3.0, 60.0)):
                edges.append([[mx + dx * d - dy * side, my + dy * d + dx * side] for d in (a, b)])
    signals = [{"lanes": ["east over"], "cycle": [["green", 5.0], ["yellow", 2.0], ["red", 6.0]], "offset": 1.0}]
    return {"format": "pufferc-road", "version": 1, "lanes": lanes, "edges": edges, "signals": signals}


def unpack(data: bytes) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The table of contents and the arrays of one map."""
    town = np.frombuffer(data, blocks.TOWN, 1)[0]
    counts = {
        name: int(town[f"num_{name}"]) for name in ("points", "lanes", "junctions", "segments", "crossings", "tracks")
    }
    counts |= {name: int(town[f"num_{name}"]) for name in ("poses", "signals", "phases")}
    counts |= {"starts": int(town["columns"] * town["rows"]) + 1, "entries": int(town["num_entries"])}
    counts["kinds"] = counts["segments"]
    arrays, at = {}, blocks.TOWN.itemsize
    for name, dtype in blocks._PARTS.items():
        arrays[name] = np.frombuffer(data, dtype, counts[name], at)
        at += -(-arrays[name].nbytes // 8) * 8
    assert at == len(data)
    return town, arrays


def test_a_cross_has_evenly_spaced_lanes_conflicts_and_a_signal() -> None:
    town, arrays = unpack(build_map(parse_scene("cross", cross())))
    lanes, points = arrays["lanes"], arrays["points"]
    assert town["num_roads"] == 4 and town["num_junctions"] == 1 and abs(town["road"] - 4 * 52.0) < 1e-3
    for lane in lanes:
        part = points[lane["first"] : lane["first"] + lane["count"]]
        steps = np.hypot(np.diff(part["x"]), np.diff(part["y"]))
        assert np.allclose(steps, lane["length"] / (lane["count"] - 1), atol=1e-4) and abs(steps[0] - 2.5) < 0.2
        assert np.allclose(np.hypot(part["cos"], part["sin"]), 1.0, atol=1e-6)
    straight = points[lanes[0]["first"] + 2]
    assert abs(straight["left"] - 3.0) < 1e-3 and abs(straight["right"] - 3.0) < 1e-3
    junction = arrays["junctions"][0]
    assert junction["num_movements"] == 2 and list(junction["conflicts"][:2]) == [2, 1]
    east = next(lane for lane in lanes if lane["kind"] == 1 and lane["signal"] == 0)
    over = [lane.tobytes() for lane in lanes].index(east.tobytes())
    before = next(lane for lane in lanes if over in lane["next"][: lane["num_next"]])
    assert abs(before["stop"] - 51.0) < 1e-3
    assert [(int(p) >> 2, int(p) & 3) for p in arrays["phases"]] == [(50, 0), (20, 1), (60, 2)]
    assert tuple(arrays["signals"][0]) == (0, 3, 0, 40)


def test_national_coordinates_keep_their_precision() -> None:
    near, far = (
        unpack(build_map(parse_scene("cross", cross(middle))))[1]["points"] for middle in ((0.0, 0.0), (4.5e6, 5.3e6))
    )
    assert np.allclose(near["x"], far["x"], atol=1e-3) and np.allclose(near["y"], far["y"], atol=1e-3)


def test_every_cell_lists_the_segments_that_pass_through_it() -> None:
    town, arrays = unpack(build_map(parse_scene("cross", cross())))
    assert (np.diff(arrays["kinds"].astype(int)) >= 0).all() or (arrays["kinds"][: town["num_edges"]] == 0).all()
    for i, s in enumerate(arrays["segments"]):
        assert math.hypot(s["x1"] - s["x0"], s["y1"] - s["y0"]) < 8.0
        for t in np.linspace(0.0, 1.0, 50):
            column = int((s["x0"] + t * (s["x1"] - s["x0"]) - town["left"]) / 8.0)
            row = int((s["y0"] + t * (s["y1"] - s["y0"]) - town["bottom"]) / 8.0)
            cell = row * int(town["columns"]) + column
            assert i in arrays["entries"][arrays["starts"][cell] : arrays["starts"][cell + 1]]


def damage(path: str, value: Any) -> dict[str, Any]:
    """The cross with the value at a place such as lanes.0.points.1.0 replaced."""
    scene = copy.deepcopy(cross())
    *way, last = path.split(".")
    at: Any = scene
    for step in way:
        at = at[int(step)] if isinstance(at, list) else at[step]
    at[int(last) if isinstance(at, list) else last] = value
    return scene


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("format", "other", 'format: expected "pufferc-road"'),
        ("version", 2, "version: expected 1, got 2"),
        ("lanes", [], "lanes: expected a list of at least 1, got []"),
        ("lanes.0.points.1.0", float("nan"), "lanes[0].points[1][0]: expected a finite number, got nan"),
        ("lanes.2.points.0", [1.0], "lanes[2].points[0]: expected [x, y], got [1.0]"),
        ("lanes.1.next.0", "nowhere", "lanes[1].next[0]: expected the id of a lane, got 'nowhere'"),
        ("lanes.1.id", "east in", "lanes[1].id: expected an id that no other lane has"),
        ("lanes.0.kind", "canal", "lanes[0].kind: expected road or movement or ring, got 'canal'"),
        ("lanes.0.speed_limit", 1e9, "lanes[0].speed_limit: expected a number in [0.1, 100]"),
        ("lanes.0.points", [[1.0, 1.0], [1.0, 1.0]], "lanes[0].points: expected at least two different points"),
        ("signals.0.lanes.0", "x", "signals[0].lanes[0]: expected the id of a lane, got 'x'"),
        ("signals.0.cycle.1.1", -1.0, "signals[0].cycle[1][1]: expected a number in [0.1, 1600]"),
        ("edges.0.0.1", "7", "edges[0][0][1]: expected a finite number, got '7'"),
        ("lanes.0.colour", "red", "lanes[0]: expected no other keys than"),
    ],
)
def test_bad_scenes_are_refused_by_name_and_place(path: str, value: Any, words: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_scene("town.json", damage(path, value))
    assert str(caught.value).startswith("town.json: ") and words in str(caught.value)


def build_file(tmp_path: Path, *scenes: dict[str, Any]) -> Path:
    paths = []
    for i, scene in enumerate(scenes):
        paths.append(tmp_path / f"scene{i}.json")
        paths[-1].write_text(json.dumps(scene))
    target = tmp_path / "maps.pfroad"
    assert roads.main(["build", *map(str, paths), "-o", str(target)]) == 0
    return target


def test_the_autopilot_drives_on_a_map(tmp_path: Path) -> None:
    path = build_file(tmp_path, cross((4.5e6, 5.3e6)))
    envs = pufferc.make(
        "drive",
        num_games=2,
        num_threads=1,
        data=path,
        agents=3,
        traffic=0,
        walkers=0,
        autopilot=True,
        route_min=40.0,
        route_max=60.0,
    )
    envs.reset(seed=1)
    actions = np.zeros((envs.num_envs, 2), np.int32)
    ended, returns = 0, []
    for _ in range(600):
        _, rewards, terminated, truncated, _ = envs.step(actions)
        ended += int(terminated.sum() + truncated.sum())
        returns += list(rewards[terminated])
    envs.close()
    assert ended > 20 and np.mean(np.array(returns) > 0.5) > 0.95  # nearly all lives end at a goal


def test_a_map_that_is_too_large_names_the_value_to_set(tmp_path: Path) -> None:
    scene = cross()
    for i in range(40):
        y = 100.0 + 10.0 * i
        scene["lanes"].append({"id": f"long {i}", "points": [[0.0, y], [250.0, y]]})
    path = build_file(tmp_path, scene)
    with pytest.raises(ValueError, match=r"lane points, but only 2560 fit; set map_points to \d+"):
        pufferc.make("drive", num_games=1, data=path)


# ---- converters ------------------------------------------------------------------------------------------


def waymo() -> dict[str, Any]:
    def line(*points: tuple[float, ...]) -> list[dict[str, float]]:
        return [{"x": p[0], "y": p[1], "z": p[2] if len(p) > 2 else 0.0} for p in points]

    tracks = {
        "position": line((-50, 0), (-49, 0)),
        "heading": [0.0, 0.0],
        "velocity": line((10, 0), (10, 0)),
        "valid": [True, True],
    }
    return {
        "roads": [
            {"id": 1, "type": "lane", "geometry": line((-60, 0), (0, 0)), "speed_limit": 30},
            {"id": 2, "type": "lane", "geometry": line((0.5, 0.2), (60, 1))},
            {"id": 3, "type": "lane", "geometry": line((30, -40, 9), (30, 40, 9))},
            {"type": "road_edge", "geometry": line((-60, 4), (60, 4))},
            {"type": "crosswalk", "geometry": line((10, -4), (12, -4), (12, 4), (10, 4))},
        ],
        "objects": [{"type": "vehicle", "length": 4.6, "width": 1.9, "goalPosition": {"x": 40, "y": 0.5}, **tracks}],
        "tl_states": {"2": {"state": [4, 4, 6]}},
    }


def test_waymo_json_gets_successors_levels_and_tracks(tmp_path: Path) -> None:
    path = tmp_path / "scene.json"
    path.write_text(json.dumps(waymo()))
    notes: list[str] = []
    scene = convert(path, notes.append)
    lanes = {lane["id"]: lane for lane in scene["lanes"]}
    assert set(lanes) == {"1", "2"} and "different heights" in notes[0]  # the bridge has no recorded car
    assert lanes["1"]["next"] == ["2"] and lanes["2"]["next"] == [] and abs(lanes["1"]["speed_limit"] - 13.4) < 0.1
    assert scene["signals"] == [{"lanes": ["2"], "colors": "rrg"}]
    assert scene["marks"] == [{"kind": "crosswalk", "points": [[11.0, -4.0], [11.0, 4.0]]}]
    _, arrays = unpack(build_map(parse_scene("x", scene)))
    track = arrays["tracks"][0]
    assert list(track["route"][: track["num_route"]]) == [0, 1] and track["along"] == pytest.approx(10.0, abs=1.3)
    assert track["goal"] == pytest.approx(90.0, abs=3.0) and arrays["poses"]["v"][0] == 10.0


COMMONROAD = """<commonRoad>
 <lanelet id="1"><leftBound><point><x>0</x><y>2</y></point><point><x>50</x><y>2</y></point></leftBound>
  <rightBound><point><x>0</x><y>-2</y></point><point><x>50</x><y>-2</y></point></rightBound>
  <successor ref="2"/><trafficLightRef ref="9"/></lanelet>
 <lanelet id="2"><leftBound><point><x>50</x><y>2</y></point><point><x>99</x><y>2</y></point></leftBound>
  <rightBound><point><x>50</x><y>-2</y></point><point><x>99</x><y>-2</y></point></rightBound></lanelet>
 <trafficLight id="9"><cycle><cycleElement><duration>30</duration><color>red</color></cycleElement>
  <cycleElement><duration>50</duration><color>green</color></cycleElement></cycle></trafficLight>
 <planningProblem id="7"><initialState><position><point><x>5</x><y>0</y></point></position>
  <orientation><exact>0</exact></orientation><velocity><exact>8</exact></velocity></initialState>
  <goalState><position><point><x>80</x><y>0</y></point></position></goalState></planningProblem>
</commonRoad>"""


def test_commonroad_xml(tmp_path: Path) -> None:
    path = tmp_path / "scene.xml"
    path.write_text(COMMONROAD)
    scene = convert(path, lambda _: None)
    assert [lane["next"] for lane in scene["lanes"]] == [["2"], []] and scene["lanes"][0]["width"] == 4.0
    assert scene["signals"] == [{"lanes": ["2"], "cycle": [["red", 3.0], ["green", 5.0]], "offset": 0.0}]
    assert scene["tracks"][0]["goal"] == [80.0, 0.0] and scene["tracks"][0]["poses"] == [[5.0, 0.0, 0.0, 8.0]]
    _, arrays = unpack(build_map(parse_scene("x", scene)))
    assert arrays["tracks"][0]["num_route"] == 2 and arrays["lanes"][0]["stop"] == pytest.approx(49.0)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.json", "{", "not a JSON file"),
        ("a.json", '{"roads": []}', "roads: expected at least one lane"),
        (
            "a.json",
            '{"roads": [{"type": "lane", "geometry": [{"x": NaN, "y": 0}]}]}',
            "roads[0].geometry[0].x: expected a finite number",
        ),
        ("a.xml", "<x/>", "expected commonRoad, got 'x'"),
        (
            "a.xml",
            COMMONROAD.replace('ref="2"', 'ref="5"', 1),
            "lanelet 1, successor: expected the id of a lanelet, got '5'",
        ),
        ("a.txt", "", "expected a .json file"),
    ],
)
def test_converters_refuse_bad_files_by_name_and_place(tmp_path: Path, name: str, text: str, words: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ValueError) as caught:
        convert(path, lambda _: None)
    assert str(path) in str(caught.value) and words in str(caught.value)


def test_convert_writes_a_file_that_build_reads(tmp_path: Path) -> None:
    path = tmp_path / "scene.json"
    path.write_text(json.dumps(waymo()))
    assert roads.main(["convert", str(path)]) == 0
    assert roads.main(["build", str(tmp_path / "scene.road.json"), "-o", str(tmp_path / "maps.pfroad")]) == 0
    data = (tmp_path / "maps.pfroad").read_bytes()
    assert data.startswith(blocks.MAGIC)
