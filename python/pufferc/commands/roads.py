"""`pufferc roads`: real roads for the game drive."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from pufferc.authoring.roads.blocks import write_maps
from pufferc.authoring.roads.build import build_map
from pufferc.authoring.roads.convert import convert
from pufferc.authoring.roads.scene import load_json, parse_scene


def _convert(options: argparse.Namespace) -> int:
    scene = convert(options.source)
    parse_scene(str(options.source), scene)  # what we write must be readable
    target = options.out or options.source.with_suffix(".road.json")
    if target.resolve() == options.source.resolve():
        raise ValueError(f"--out must be another file than {options.source}")
    target.write_text(json.dumps(scene), encoding="utf-8")
    print(f"wrote {target}: {len(scene['lanes'])} lanes, {len(scene['tracks'])} tracks")
    return 0


def _build(options: argparse.Namespace) -> int:
    maps = [build_map(parse_scene(str(path), load_json(path))) for path in options.scenes]
    write_maps(options.out, maps)
    size = options.out.stat().st_size
    print(f"wrote {options.out}: {len(maps)} maps, {size} bytes; use it with --data {options.out}")
    return 0


def main(words: Sequence[str]) -> int:
    """`pufferc roads convert FILE [--out FILE.json]` and `pufferc roads build FILE.json... -o FILE.pfroad`."""
    parser = argparse.ArgumentParser("pufferc roads", description="Real roads for the game drive.")
    actions = parser.add_subparsers(dest="action", required=True, metavar="convert | build")
    one = actions.add_parser("convert", help="Waymo Open Motion (.json) or CommonRoad (.xml) to our text format")
    one.add_argument("source", type=Path, metavar="FILE")
    one.add_argument("--out", "-o", type=Path, metavar="FILE.json", help="default FILE.road.json beside the source")
    one.set_defaults(run=_convert)
    many = actions.add_parser("build", help="files of our text format to one file of maps")
    many.add_argument("scenes", type=Path, nargs="+", metavar="FILE.json")
    many.add_argument("--out", "-o", type=Path, required=True, metavar="FILE.pfroad")
    many.set_defaults(run=_build)
    options = parser.parse_args(list(words))
    return int(options.run(options))
