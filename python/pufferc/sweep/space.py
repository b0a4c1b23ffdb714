"""The space of a sweep: which fields of a configuration vary, and how.

A dimension maps positions in [0, 1) to values of one field, so that our sampler need not know scales and types:

    uniform:LOW:HIGH        uniform
    log:LOW:HIGH            log-uniform; LOW > 0
    logit:LOW:HIGH          uniform in log(x / (1 - x)), for values near 0 or 1 such as gamma; 0 < LOW, HIGH < 1
    around:FACTOR           log-uniform from the configuration's value / FACTOR to the value x FACTOR
    integer:LOW:HIGH        whole numbers, both ends included
    grid:LOW:HIGH:COUNT     COUNT numbers at equal distances; grid:LOW:HIGH:COUNT:log at equal ratios
    choice:A,B,C            one of these, without an order

Integer fields get whole numbers from every kind. A space is checked against the types and ranges of the configuration
before any run starts.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pufferc.config import Config, ConfigError, as_tables, field_type, merge, read_toml, suggest
from pufferc.runs.compare import flat
from pufferc.training.resolve import fit_minibatch, resolve

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.distributions import BaseDistribution

KINDS = ("uniform", "log", "logit", "around", "integer", "grid", "choice")
_SCALES = ("uniform", "log", "logit")
_DIGITS = 6  # of proposed numbers: exact enough for any setting, and readable
_MAX_VALUES = 100_000  # of an enumerated dimension
_GIVEN = {  # fields that cannot be swept, and why
    "train.seed": "the sweep gives every run its own seed",
    "train.target_score": "runs are compared by it",
    "train.target_episodes": "runs are compared by it",
    "train.loggers": "it does not change what is learned",
}


@dataclass(frozen=True)
class Dimension:
    """One field that varies. `values` is empty for a range, else all values; `ordered`: their order has a meaning."""

    key: str
    kind: str
    low: float = 0.0
    high: float = 0.0
    integral: bool = False
    values: tuple[Any, ...] = ()
    ordered: bool = True

    def value(self, position: float) -> Any:
        """The value at a position in [0, 1)."""
        if self.values:
            return self.values[min(int(position * len(self.values)), len(self.values) - 1)]
        if self.integral and self.kind == "uniform":
            return int(self.low) + min(int(position * (self.high - self.low + 1)), int(self.high - self.low))
        low, high = self._scaled(self.low), self._scaled(self.high)
        number = self._unscaled(low + position * (high - low))
        number = round(number) if self.integral else float(f"{number:.{_DIGITS}g}")
        return type(number)(min(max(number, self.low), self.high))

    def position(self, value: Any) -> float:
        """The position of a value, or of the nearest number that the space can propose."""
        if self.values:
            if value in self.values or not isinstance(value, (int, float)):
                index = self.values.index(value)
            else:
                index = min(range(len(self.values)), key=lambda i: abs(self.values[i] - value))
            return (index + 0.5) / len(self.values)
        number = min(max(float(value), self.low), self.high)
        if self.integral and self.kind == "uniform":
            return (number - self.low + 0.5) / (self.high - self.low + 1)
        low, high = self._scaled(self.low), self._scaled(self.high)
        return min((self._scaled(number) - low) / (high - low), math.nextafter(1.0, 0.0))

    def all_values(self) -> Sequence[Any] | None:
        """Every value, in order; None for a range of real numbers."""
        if self.values:
            return self.values
        return range(int(self.low), int(self.high) + 1) if self.integral and self.kind == "uniform" else None

    @property
    def logarithmic(self) -> bool:
        """Whether to plot its values on a logarithmic axis."""
        if self.values and self.ordered:
            return self.kind == "grid-log"
        return self.kind == "log"

    @property
    def name(self) -> str:
        """The name of Optuna's parameter: the key, and how its values differ from those of the field."""
        return self.key + (" (index)" if self.values and self.ordered else " (logit)" if self.kind == "logit" else "")

    def distribution(self) -> BaseDistribution:
        """Optuna's distribution: values on scales that Optuna knows, indices of a grid, or logits."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if self.values and self.ordered:
            return IntDistribution(0, len(self.values) - 1)
        if self.values:
            return CategoricalDistribution([str(value) for value in self.values])
        if self.integral:
            return IntDistribution(int(self.low), int(self.high), log=self.kind == "log")
        if self.kind == "logit":
            return FloatDistribution(self._scaled(self.low), self._scaled(self.high))
        return FloatDistribution(self.low, self.high, log=self.kind == "log")

    def suggest(self, trial: Trial) -> Any:
        """The value of Optuna's parameter that a trial gets."""
        found: Any = self.distribution()
        if self.values and not self.ordered:
            return trial.suggest_categorical(self.name, found.choices)
        if self.values or self.integral:
            return trial.suggest_int(self.name, found.low, found.high, log=found.log)
        return trial.suggest_float(self.name, found.low, found.high, log=found.log)

    def from_optuna(self, parameter: Any) -> Any:
        """The value of the field for a value of Optuna's parameter."""
        if self.values:
            return self.values[parameter if self.ordered else [str(v) for v in self.values].index(parameter)]
        number = self._unscaled(parameter) if self.kind == "logit" else parameter
        return number if self.integral else min(max(float(f"{number:.{_DIGITS}g}"), self.low), self.high)

    def to_optuna(self, value: Any) -> Any:
        """The inverse, for the nearest value that the space can propose."""
        if self.values:
            index = int(self.position(value) * len(self.values))
            return index if self.ordered else str(self.values[index])
        number = min(max(value, self.low), self.high)
        if self.kind == "logit":
            return min(max(self._scaled(number), self._scaled(self.low)), self._scaled(self.high))
        return int(number) if self.integral else float(number)

    def _scaled(self, number: float) -> float:
        if self.kind == "log":
            return math.log(number)
        return math.log(number / (1.0 - number)) if self.kind == "logit" else number

    def _unscaled(self, number: float) -> float:
        if self.kind == "log":
            return math.exp(number)
        return 1.0 / (1.0 + math.exp(-number)) if self.kind == "logit" else number


Space = tuple[Dimension, ...]


# ---- reading -----------------------------------------------------------------------------------------------


def read_space(path: Path) -> dict[str, Any]:
    """Unchecked keys and specifications of a TOML file with tables like those of a configuration."""
    tables = read_toml(path)
    for name, table in tables.items():
        if not isinstance(table, Mapping) and "." not in name:
            raise ConfigError(f"{path}: expected tables such as [train] with fields to sweep, got {name} = {table!r}")
    return {key.replace("-", "_"): spec for key, spec in flat(tables).items()}


def read_words(words: Sequence[str]) -> dict[str, Any]:
    """The same from KEY=SPECIFICATION words of a command line."""
    specifications = {}
    for word in words:
        key, equals, spec = word.partition("=")
        if not equals or not key.strip() or not spec.strip():
            raise ConfigError(f"space must be KEY=KIND:..., such as train.learning_rate=log:1e-3:1e-1, got {word!r}")
        specifications[key.strip().lstrip("-").replace("-", "_")] = spec.strip()
    return specifications


def make_space(config: Config, specifications: Mapping[str, Any]) -> Space:
    """The space of `specifications` around `config`. ConfigError names the key of a wrong one."""
    if not specifications:
        raise ConfigError("space: expected at least one field to sweep, got none")
    space = tuple(_make_dimension(config, key, spec) for key, spec in specifications.items())
    for dimension in space:
        _check_ends(config, dimension)
    return space


def _make_dimension(config: Config, key: str, spec: Any) -> Dimension:
    where = f"space: {key}"
    if key in _GIVEN:
        raise ConfigError(f"{where} cannot be swept: {_GIVEN[key]}")
    hint = field_type(config, key, "space")
    options = get_args(hint) or (hint,)
    integral = int in options and float not in options
    if isinstance(spec, Sequence) and not isinstance(spec, str):
        return _choice(config, key, spec)
    kind, _, rest = str(spec).partition(":")
    if not isinstance(spec, str) or kind not in KINDS:
        hint = suggest(kind, KINDS) if isinstance(spec, str) else ""
        raise ConfigError(
            f"{where} must be a list, or one of {', '.join(f'{k}:...' for k in KINDS)}, got {spec!r}{hint}"
        )
    if kind == "choice":
        return _choice(config, key, [_plain(word.strip()) for word in rest.split(",")])
    words = rest.split(":")
    if kind == "grid":
        return _grid(where, key, words, integral)
    if kind == "around":
        kind, words = "log", _around(config, key, words, spec)
    numbers = _numbers(where, words, 2, f"{kind}:LOW:HIGH", spec)
    low, high = numbers
    if kind == "integer":
        if low != int(low) or high != int(high):
            raise ConfigError(f"{where} must have whole numbers as ends, got {spec!r}")
        kind, integral = "uniform", True
    if not low < high:
        raise ConfigError(f"{where} must have LOW below HIGH, got {spec!r}")
    if kind == "log" and low <= 0.0:
        raise ConfigError(f"{where} must have LOW above 0 for log, got {spec!r}")
    if kind == "logit" and not (low > 0.0 and high < 1.0):
        raise ConfigError(f"{where} must lie within 0 and 1, without them, for logit, got {spec!r}")
    if integral and math.floor(high) <= math.ceil(low):
        raise ConfigError(f"{where} must hold at least two whole numbers, got {spec!r}")
    low, high = (math.ceil(low), math.floor(high)) if integral else (low, high)
    return Dimension(key, kind, float(low), float(high), integral)


def _numbers(where: str, words: Sequence[str], count: int, form: str, spec: Any) -> list[float]:
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        numbers = []
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise ConfigError(f"{where} must be {form} with finite numbers, got {spec!r}")
    return numbers


def _around(config: Config, key: str, words: Sequence[str], spec: Any) -> list[str]:
    where = f"space: {key}"
    (factor,) = _numbers(where, words, 1, "around:FACTOR", spec)
    centre = flat(as_tables(config)).get(key)
    if factor <= 1.0:
        raise ConfigError(f"{where} must have a FACTOR above 1, got {spec!r}")
    if isinstance(centre, bool) or not isinstance(centre, (int, float)) or centre <= 0:
        raise ConfigError(
            f"{where} cannot be swept {spec}: the configuration has {centre!r}, expected a number above 0; "
            "use log:LOW:HIGH"
        )
    return [repr(centre / factor), repr(centre * factor)]


def _grid(where: str, key: str, words: Sequence[str], integral: bool) -> Dimension:
    spec, logarithmic = "grid:" + ":".join(words), words[-1] == "log"
    form = "grid:LOW:HIGH:COUNT or grid:LOW:HIGH:COUNT:log"
    low, high, count = _numbers(where, words[:-1] if logarithmic else words, 3, form, spec)
    if count != int(count) or not 2 <= count <= _MAX_VALUES:
        raise ConfigError(f"{where} must have a whole COUNT in [2, {_MAX_VALUES}], got {spec!r}")
    if not low < high or (logarithmic and low <= 0.0):
        raise ConfigError(f"{where} must have LOW below HIGH{', and above 0 for log' * logarithmic}, got {spec!r}")
    shares = [i / (int(count) - 1) for i in range(int(count))]
    raw = [low * (high / low) ** share if logarithmic else low + share * (high - low) for share in shares]
    values = tuple(dict.fromkeys(round(x) if integral else float(f"{x:.{_DIGITS}g}") for x in raw))
    if len(values) != count:
        raise ConfigError(f"{where} must have {int(count)} different values, got {spec!r} with {len(values)}")
    return Dimension(key, "grid-log" if logarithmic else "grid", values=values)


def _plain(word: str) -> Any:
    """A word of a command line as a TOML value."""
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(word, word)


def _choice(config: Config, key: str, values: Sequence[Any]) -> Dimension:
    found = [used(_with(config, {key: value}, "space"), {key: value})[key] for value in values]
    different = [value for i, value in enumerate(found) if value not in found[:i]]
    if len(found) < 2 or len(different) != len(found):
        raise ConfigError(f"space: {key} must be two or more different values, got {list(values)!r}")
    return Dimension(key, "choice", values=tuple(found), ordered=False)


# ---- configurations ----------------------------------------------------------------------------------------


def _with(config: Config, params: Mapping[str, Any], source: str) -> Config:
    tables: dict[str, dict[str, Any]] = {}
    for key, value in params.items():
        section, _, name = key.partition(".")
        tables.setdefault(section, {})[name] = value
    return merge(config, tables, source)


def apply(config: Config, params: Mapping[str, Any]) -> Config:
    """`config` with the values of one proposal; the minibatch size becomes the nearest that its batch allows.

    Raises ConfigError for values that do not fit together.
    """
    return fit_minibatch(_with(config, params, "sweep"))


def used(config: Config, params: Mapping[str, Any]) -> dict[str, Any]:
    """The values of `params` as `apply` has set them in `config`."""
    values = flat(as_tables(config))
    return {key: list(value) if isinstance(value := values.get(key), tuple) else value for key in params}


def _check_ends(config: Config, dimension: Dimension) -> None:
    """Checks the ends of a range or all values of a choice, each with the other fields unchanged."""
    values = dimension.values or tuple(dimension.value(position) for position in (0.0, 0.3, 1.0))
    for value in itertools.islice(values, 1000):
        try:
            resolve(apply(config, {dimension.key: value}))
        except ConfigError as error:
            raise ConfigError(f"space: {dimension.key} = {value!r} cannot work: {error}") from None


def as_saved(space: Space) -> list[dict[str, Any]]:
    """Plain values from which `from_saved` makes the same space."""
    return [dataclasses.asdict(dimension) for dimension in space]


def from_saved(rows: Sequence[Mapping[str, Any]]) -> Space:
    """The inverse of `as_saved`. TypeError or KeyError for anything else."""
    return tuple(Dimension(**{**row, "values": tuple(row["values"])}) for row in rows)
