"""`pufferc envs`: the games, with their parameters."""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import Any

import pufferc


def main(words: list[str]) -> int:
    """`pufferc envs [NAME ...] [--json]`."""
    parser = argparse.ArgumentParser("pufferc envs", description="The games, with their parameters.")
    parser.add_argument("name", nargs="*", help="only these games, or the paths of shared objects")
    parser.add_argument("--json", action="store_true", help="as JSON")
    options = parser.parse_args(words)
    found = [pufferc.env_info(name) for name in options.name or pufferc.list_envs()]
    if options.json:
        print(json.dumps([dataclasses.asdict(info) for info in found], indent=1))
        return 0
    for info in found:
        print(f"{info.name}  {info.id}: {info.summary}")
        for row in info.params:
            print(f"    {row.name:<14} {row.default!r:<8} {row.help}  [{row.min}, {row.max}]")
        if options.name:
            for what, text in _facts(info):
                print(f"  {what}: {text}")
    return 0


def _facts(info: Any) -> list[tuple[str, str]]:
    """The facts that `pufferc envs NAME` shows besides the parameters, without empty entries."""
    keys = [f"{' '.join(key.keys)} {key.help}" for key in info.keys]
    masked = info.masked or any(row.name == "masked" for row in info.params)
    facts = [
        ("agents", str(info.agents) if info.agents > 1 else ""),
        ("teams", str(info.teams) if info.teams else ""),
        ("masks", "some choices are sometimes illegal" if masked else ""),
        ("built-in player", f"levels 0 to {info.levels - 1}" if info.levels else ""),
        ("data", "reads a file, --data PATH" if info.reads_data else ""),
        ("state fields", ", ".join(info.fields)),
        ("keys", "; ".join(keys)),
        ("steps per second to watch", f"{info.fps:g}"),
    ]
    return [fact for fact in facts if fact[1]]
