"""Mask helpers for tests: random mask words, conversions, and a game with masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pufferc.authoring.build import build


def words_of(legal: Any) -> Any:
    """Pack bool [N, K] into words [N, ceil(K / 32)]: uint32 for an array, int32 for a torch tensor."""
    array = np.asarray(legal)
    bits = np.zeros((array.shape[0], -(-array.shape[1] // 32) * 32), np.uint8)
    bits[:, : array.shape[1]] = array
    words = np.packbits(bits, axis=1, bitorder="little").view("<u4").astype(np.uint32)
    if array is legal:
        return words
    import torch

    return torch.from_numpy(words.view(np.int32))


def random_legal(rows: int, counts: list[int], seed: int) -> np.ndarray[Any, Any]:
    """bool [N, K] with a legal choice in every dimension: all in row 0, exactly one in row 1 and every eighth row."""
    rng = np.random.default_rng(seed)
    share = rng.random(rows)
    share[0], share[1::8] = 1.0, 0.0
    parts = []
    for count in counts:
        legal = rng.random((rows, count)) < share[:, None]
        legal[np.arange(rows), rng.integers(0, count, rows)] = True
        parts.append(legal)
    return np.concatenate(parts, axis=1)


def are_legal(legal: np.ndarray[Any, Any], actions: Any, counts: list[int]) -> bool:
    """Whether all actions [N] or [N, D] are among the legal ones, bool [N, K]."""
    chosen = np.asarray(actions).reshape(len(legal), -1) + np.cumsum([0, *counts[:-1]])
    return bool(np.take_along_axis(legal, chosen, axis=1).all())


def build_lock(folder: Path, *changes: tuple[str, str]) -> Path:
    """Compile the test game lock.c with text replaced. A policy can learn it only with the masks."""
    text = (Path(__file__).parents[1] / "c" / "lock.c").read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    source = folder / "lock.c"
    source.write_text(text)
    return build(source)


LOCK_OF_CODES = (("typedef float", "typedef uint8_t"), ("PFC_FLOAT32", "PFC_UINT8"), ("{6}", "{2, 3}"))
"""Source changes that turn the observations of lock.c into a board of bytes."""
