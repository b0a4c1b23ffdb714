"""`pufferc export`: a trained policy as one file for C and C++, or ONNX."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from pufferc.commands.trust import add_trust_flags, allow_imports
from pufferc.files import expect_folder
from pufferc.policies.policy_file import describe_policy, export_onnx
from pufferc.training.from_checkpoint import load_policy


def main(arguments: Sequence[str]) -> int:
    """Exports a policy; `arguments` are those after `pufferc export`."""
    parser = argparse.ArgumentParser("pufferc export", description="Write a trained policy for use without Python.")
    parser.add_argument("name", help="the game, or the path of its shared object")
    parser.add_argument("--checkpoint", default="latest", help="latest, a run's directory or a checkpoint's")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder that latest looks in")
    parser.add_argument("--out", type=Path, help="the file to write; default NAME.pfc, or NAME.onnx")
    parser.add_argument("--onnx", action="store_true", help="write ONNX (needs the packages onnx and onnxscript)")
    add_trust_flags(parser)
    options = parser.parse_args(list(arguments))

    import pufferc
    from pufferc.runs.checkpoint import find_checkpoint, fitting, load_checkpoint, of_game

    name = pufferc.env_info(options.name).name
    out = options.out or Path(name + (".onnx" if options.onnx else ".pfc"))
    expect_folder(out)
    path = find_checkpoint(options.checkpoint, options.runs, options.name)
    allow_imports(options.trust, options.policy_class, [path])
    checkpoint = of_game(load_checkpoint(path), options.name)
    with fitting(checkpoint):
        policy, spaces, params = load_policy(checkpoint)
    if options.onnx:
        export_onnx(policy, spaces, out, params)
    else:
        describe_policy(policy, spaces, params).write(out)
    print(f"{out}: {name}, {out.stat().st_size} bytes, from {checkpoint.path}")
    return 0
