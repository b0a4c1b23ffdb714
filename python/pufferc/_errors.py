"""Checks of arguments that several modules share. Every message names the argument, what was expected and what came."""

from __future__ import annotations

import operator
import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

import numpy as np

_SEED_LIMIT = 2**64


def available_cores() -> int:
    """Number of cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def integer(name: str, value: Any, low: int, high: int | None = None) -> int:
    """Return `value` as an int in [low, high], from anything that is an integer but a bool."""
    if isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r} of type {type(value).__name__}") from None
    if number < low or (high is not None and number > high):
        expected = f"at least {low}" if high is None else f"in [{low}, {high}]"
        raise ValueError(f"{name} must be {expected}, got {number}")
    return number


def seed(name: str, value: Any) -> int:
    """Return `value` as a seed, an integer in [0, 2**64)."""
    return integer(name, value, 0, _SEED_LIMIT - 1)


def real(name: str, value: Any, low: float, high: float) -> float:
    """Return `value` as a float in [low, high]; NaN is refused."""
    if isinstance(value, str) or not hasattr(value, "__float__"):
        raise TypeError(f"{name} must be a number, got {value!r} of type {type(value).__name__}")
    try:
        number = float(value)
    except OverflowError:
        number = float("inf") if value > 0 else float("-inf")
    if not low <= number <= high:
        raise ValueError(f"{name} must be in [{low:g}, {high:g}], got {number:g}")
    return number


def game_params(params: Mapping[str, Any]) -> dict[str, float]:
    """Return a game's parameters as floats; ints, floats and bools are taken."""
    if not isinstance(params, Mapping):
        raise TypeError(f"params must be a mapping of names to numbers, got {type(params).__name__}")
    checked: dict[str, float] = {}
    for name, value in params.items():
        if not isinstance(name, str):
            raise TypeError(f"names of parameters must be strings, got {name!r}")
        if not name.isidentifier():
            raise ValueError(f"no parameter named {name!r}")
        if isinstance(value, str) or not hasattr(value, "__float__") or np.ndim(value):
            raise TypeError(f"parameter {name} must be a number, got {value!r} of type {type(value).__name__}")
        try:
            checked[name] = float(value)
        except OverflowError:
            raise ValueError(f"parameter {name} is out of range: {value!r}") from None
    return checked


def named_numbers(flag: str, words: Sequence[str]) -> dict[str, float]:
    """NAME=VALUE words of a command line as a dict; true and false are numbers, too."""
    params = {}
    for word in words:
        name, equals, value = word.partition("=")
        try:
            params[name] = float({"true": "1", "false": "0"}.get(value.lower(), value))
        except ValueError:
            equals = ""
        if not equals:
            raise ValueError(f"{flag} must be NAME=VALUE with a number, got {word!r}")
    return params


def unknown(what: str, given: str, known: list[str]) -> NoReturn:
    """Raise ValueError for a name that is not among `known`, with the nearest one suggested."""
    near = get_close_matches(given, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"no {what} named {given!r}{hint} (known: {', '.join(known)})")
