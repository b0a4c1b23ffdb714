"""Shared checks of arguments. A message names the argument, what was expected and what came."""

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


def _wrong_type(name: str, expected: str, value: Any) -> TypeError:
    return TypeError(f"{name} must be {expected}, got {value!r} of type {type(value).__name__}")


def integer(name: str, value: Any, low: int, high: int | None = None) -> int:
    """Return `value` as an int in [low, high]. Any integer type is accepted, bool is not."""
    if isinstance(value, bool):
        raise _wrong_type(name, "an integer", value)
    try:
        number = operator.index(value)
    except TypeError:
        raise _wrong_type(name, "an integer", value) from None
    if number < low or (high is not None and number > high):
        expected = f"at least {low}" if high is None else f"in [{low}, {high}]"
        raise ValueError(f"{name} must be {expected}, got {number}")
    return number


def seed(name: str, value: Any) -> int:
    """Return `value` as a seed, an integer in [0, 2**64)."""
    return integer(name, value, 0, _SEED_LIMIT - 1)


def _float(name: str, value: Any) -> float:
    if isinstance(value, (str, bytes)):  # float would parse them
        raise _wrong_type(name, "a number", value)
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise _wrong_type(name, "a number", value) from None


def real(name: str, value: Any, low: float, high: float) -> float:
    """Return `value` as a float in [low, high]; NaN is refused."""
    number = _float(name, value)
    if not low <= number <= high:
        raise ValueError(f"{name} must be in [{low:g}, {high:g}], got {number:g}")
    return number


def choice(name: str, value: Any, options: Sequence[str]) -> str:
    """Return `value`, which is one of the strings `options`."""
    if isinstance(value, str) and value in options:
        return value
    raise ValueError(f"{name} must be one of {', '.join(map(repr, options))}, got {value!r}")


def text(name: str, value: Any) -> str:
    """Return `value`, a string."""
    if isinstance(value, str):
        return value
    raise _wrong_type(name, "a string", value)


def flag(name: str, value: Any) -> bool:
    """Return `value`, a bool or an integer, as a bool."""
    if isinstance(value, (bool, int, np.bool_)):
        return bool(value)
    raise _wrong_type(name, "true or false", value)


def sequence(name: str, value: Any, entries: str, max_entries: int) -> Sequence[Any]:
    """Return `value`, a sequence or an array of one or more dimensions, of at most `max_entries` entries."""
    if isinstance(value, (str, bytes)) or not (isinstance(value, Sequence) or getattr(value, "ndim", None)):
        raise _wrong_type(name, f"a sequence of {entries}", value)
    if len(value) > max_entries:
        raise ValueError(f"{name} must have at most {max_entries} {entries}, got {len(value)}")
    return value  # type: ignore[no-any-return]


def game_params(params: Mapping[str, Any]) -> dict[str, float]:
    """Return a game's parameters as floats; ints, floats and bools are accepted."""
    if not isinstance(params, Mapping):
        raise TypeError(f"params must be a mapping of names to numbers, got {type(params).__name__}")
    checked: dict[str, float] = {}
    for name, value in params.items():
        if not isinstance(name, str):
            raise TypeError(f"names of parameters must be strings, got {name!r}")
        checked[name] = _float(f"parameter {name}", value)
    return checked


def named_numbers(flag: str, words: Sequence[str]) -> dict[str, float]:
    """NAME=VALUE words of a command line as a dict; true and false are 1 and 0."""
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
    """Raise ValueError for a name that is not among `known`, and suggest the nearest one."""
    near = get_close_matches(given, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"no {what} named {given!r}{hint} (known: {', '.join(known)})")
