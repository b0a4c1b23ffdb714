"""The flags --trust and --policy.class: permission to import the custom network that a checkpoint names."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path


def add_trust_flags(parser: argparse.ArgumentParser) -> None:
    """Adds both flags."""
    parser.add_argument("--trust", action="store_true", help="import the custom network that a checkpoint names")
    parser.add_argument(
        "--policy.class", dest="policy_class", metavar="MODULE:CLASS", help="import this custom network of a checkpoint"
    )


def allow_imports(trust: bool, policy_class: str | None, checkpoints: Iterable[Path]) -> None:
    """Imports what the flags allow. ConfigError if it cannot be imported."""
    from pufferc.policies.saved import import_class
    from pufferc.policies.user import load_class
    from pufferc.runs.checkpoint import load_run_checkpoint

    if policy_class is not None:
        load_class(policy_class)
    for path in checkpoints if trust else ():
        import_class(load_run_checkpoint(path))
