"""The parameters of a training run: one table of their types, defaults, ranges and help.

Flags, TOML files, checks, docs/settings.md and sweeps read this table. Words: a row is one agent, N = vec.num_envs
rows; a batch is what one update learns from, N x train.horizon steps; a step is one decision of one agent. Sizes may be
"auto"; `training.resolve` turns them into numbers.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pufferc import _core

Auto = Literal["auto"]
Value = int | float | bool


class ConfigError(ValueError):
    """A configuration that cannot work; the message names the field, what was expected and what came."""


@dataclass(frozen=True)
class Range:
    """Where a number must lie: [min, max], without the end where it is `above` or `below` instead. inf is outside."""

    min: float | None = None
    above: float | None = None
    max: float | None = None
    below: float | None = None

    def __contains__(self, value: float) -> bool:
        return (
            (isinstance(value, int) or math.isfinite(value))
            and (self.min is None or value >= self.min)
            and (self.above is None or value > self.above)
            and (self.max is None or value <= self.max)
            and (self.below is None or value < self.below)
        )

    def __str__(self) -> str:
        """What a value must be: "in [0, 1)", "at least 1", "greater than 0" or "finite"."""
        if self.max is not None or self.below is not None:
            low = f"({_short(self.above)}" if self.min is None else f"[{_short(self.min)}"
            return f"in {low}, {_short(self.below)})" if self.max is None else f"in {low}, {_short(self.max)}]"
        if self.min is not None:
            return f"at least {_short(self.min)}"
        return "finite" if self.above is None else f"greater than {_short(self.above)}"


def _short(number: float | None) -> str:
    return f"{number:g}" if isinstance(number, float) else str(number)


def param(default: Any, help: str, *, alias: str = "", **ends: float) -> Any:
    """A field of the table. `ends`: those of its Range; `alias`: a flag besides its own."""
    return field(default=default, metadata={"help": help, "range": Range(**ends), "alias": alias})


@dataclass(frozen=True)
class Parameter:
    """A row of the table. `field` is its name in Python, where `class` cannot be one."""

    section: str
    field: str
    type: Any
    default: Any
    range: Range
    help: str
    alias: str

    @property
    def name(self) -> str:
        """As in TOML files and flags."""
        return self.field.rstrip("_")

    @property
    def limits(self) -> str:
        """The range in words; "" where there is none."""
        return "" if self.range == Range() else str(self.range)


class Section:
    """What the sections of a configuration share: their values are checked against the table when one is made."""

    def __post_init__(self) -> None:
        for row in parameters(type(self)):
            where = f"{row.section}.{row.name}"
            value = fit(getattr(self, row.field), row.type, where)
            if isinstance(value, int | float) and not isinstance(value, bool) and value not in row.range:
                raise ConfigError(f"{where} must be {row.range}, got {value!r}")
            object.__setattr__(self, row.field, value)


_tables: dict[type, tuple[Parameter, ...]] = {}


def parameters(section: type[Any]) -> tuple[Parameter, ...]:
    """The table of a section, made once."""
    if section not in _tables:
        hints, name = get_type_hints(section), section.__name__.removesuffix("Config").lower()
        rows = dataclasses.fields(section)
        _tables[section] = tuple(Parameter(name, r.name, hints[r.name], r.default, **r.metadata) for r in rows)
    return _tables[section]


def fit(value: Any, hint: Any, where: str) -> Any:
    """`value` as the type `hint`; integers pass for floats, and whole floats such as 1e7 for integers."""
    options = list(get_args(hint)) if get_origin(hint) not in (None, Literal, tuple) else [hint]
    for option in options:
        if get_origin(option) is Literal:
            if value in get_args(option):
                return value
        elif get_origin(option) is tuple:
            if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
                return tuple(value)
        elif option is type(None):
            if value is None:
                return None
        elif option is float and isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
        elif option is int and isinstance(value, float) and value.is_integer():
            return int(value)
        elif isinstance(value, option) and not (option is int and isinstance(value, bool)):
            return value
    raise ConfigError(f"{where} must be {type_text(hint)}, got {value!r}")


def type_text(hint: Any) -> str:
    """A type in words, None left out."""
    if get_origin(hint) is Literal:
        return " or ".join(map(repr, get_args(hint)))
    if get_origin(hint) is tuple:
        return "a list of strings"
    if get_origin(hint) is not None:
        return " or ".join(type_text(option) for option in get_args(hint) if option is not type(None))
    return getattr(hint, "__name__", str(hint))


@dataclass(frozen=True)
class VecConfig(Section):
    """The pool: how many games run side by side, and what they read."""

    num_envs: int | Auto = param(
        "auto",
        "Agent rows N; a multiple of the agents of one game. auto: about 1024.",
        min=1,
        max=_core.MAX_ROWS,
    )
    num_threads: int | Auto = param(
        "auto",
        "Threads that step games, and of the kernels. auto: the cores available.",
        min=1,
        max=_core.MAX_THREADS,
    )
    data: str | None = param(
        None,
        "The file that the game reads, such as a map. In a TOML file its path counts from that file's folder.",
        alias="--data",
    )


@dataclass(frozen=True)
class PolicyConfig(Section):
    """The network."""

    kind: Literal["mlp", "mingru", "lstm"] = param(
        "mlp",
        "mlp has no memory; mingru and lstm have one layer of it after the hidden layers. mingru is the faster.",
    )
    class_: str | None = param(
        None,
        "A network of your own instead, as module:Class; modules are also found in the current directory.",
    )
    encoder: Literal["auto", "flat", "onehot", "conv"] = param(
        "auto",
        "What the first layer sees. flat: the numbers; onehot: for codes in bytes, a weight for each code of "
        "each cell; conv: convolutions over boards [height, width] of codes. auto: onehot for codes below 32,"
        " else flat.",
    )
    hidden_size: int = param(128, "Width of each hidden layer.", min=1, max=16_384)
    num_layers: int = param(1, "Hidden layers.", min=1, max=64)
    scaled_inputs: tuple[str, ...] = param(
        (),
        "Entries of the game's observation table that are mapped from their range to plus or minus input_scale.",
    )
    input_scale: float = param(
        1.0,
        "See scaled_inputs. Larger values make a finer control of these quantities quicker to learn.",
        above=0.0,
    )
    rest_scale: float = param(
        1.0,
        "All other entries are multiplied by this. Less than 1 keeps many flags from drowning a few measures.",
        above=0.0,
    )
    squash: bool = param(
        False,
        "Continuous actions: the game gets tanh of what is drawn, within its bounds, instead of it clamped to them.",
    )
    initial_log_std: float = param(
        0.0,
        "Continuous actions: logarithm of the standard deviation that a new network draws with.",
        min=-20.0,
        max=20.0,
    )


@dataclass(frozen=True)
class TrainConfig(Section):
    """How it learns."""

    total_steps: int = param(10_000_000, "Agent steps of the whole run; the learning rate anneals over them.", min=1)
    horizon: int = param(64, "Steps of each row per update.", min=1, max=2**20)
    minibatch_size: int | Auto = param(
        "auto",
        "Steps per gradient; divides num_envs * horizon. auto: the largest divisor up to 8192.",
        min=1,
    )
    epochs: int = param(2, "Passes over each batch.", min=1)
    optimizer: Literal["muon", "adam"] = param("muon", "Muon orthogonalises the updates of weight matrices.")
    learning_rate: float = param(0.05, "Peak rate. Around 0.05 for muon, 0.002 for adam.", above=0.0)
    schedule: Literal["constant", "linear", "cosine"] = param(
        "cosine",
        "From the peak rate at the start to final_learning_rate at total_steps.",
    )
    final_learning_rate: float = param(0.0, "As a share of learning_rate.", min=0.0, max=1.0)
    momentum: float = param(0.9, "Of muon; beta1 of adam.", min=0.0, below=1.0)
    beta2: float = param(0.999, "Of adam.", min=0.0, below=1.0)
    weight_decay: float = param(
        0.0,
        "Decoupled: each step shrinks weights by learning_rate * weight_decay. Muon decays matrices only.",
        min=0.0,
    )
    max_grad_norm: float = param(0.0, "Joint norm that gradients are scaled down to; 0 = off.", min=0.0)
    gamma: float = param(0.99, "Discount per step.", min=0.0, max=1.0)
    gae_lambda: float = param(0.95, "Of generalised advantage estimation.", min=0.0, max=1.0)
    clip: float = param(0.2, "Of the probability ratio.", above=0.0)
    value_coef: float = param(0.5, "Weight of the value loss.", min=0.0)
    value_clip: float = param(
        0.0,
        "Farthest that values move from those of the rollout before their loss is clipped; 0 = off.",
        min=0.0,
    )
    entropy_coef: float = param(0.01, "Weight of the entropy bonus.", min=0.0)
    reward_clamp: float = param(
        0.0,
        "Rewards are clamped to plus or minus this for learning; 0 = off. Scores are never clamped.",
        min=0.0,
    )
    normalize_observations: bool = param(
        False,
        "Each entry to mean 0 and standard deviation 1, by running statistics; times input_scale or rest_scale.",
    )
    normalize_rewards: bool = param(
        False,
        "Rewards are divided by the running standard deviation of the discounted return, before any clamp.",
    )
    normalize_advantages: bool = param(True, "Per minibatch, to mean 0 and standard deviation 1.")
    target_score: float | None = param(None, "End the run when the mean score of a separate evaluation reaches this.")
    target_episodes: int = param(1000, "Episodes of that evaluation.", min=1, max=10**8)
    seed: int = param(1, "Of weights, games, action draws and minibatch order.", min=0, max=2**63 - 1)
    device: str = param("auto", "auto: cuda where there is one, else cpu; or any name that torch knows.")
    threads: int | Auto = param("auto", "Threads of torch. auto: the cores available.", min=1, max=_core.MAX_THREADS)
    kernels: Literal["auto", "fused", "torch"] = param(
        "auto",
        "Sampling and loss: fused C kernels (CPU), or their plain torch twins. auto: fused on the CPU.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = param(
        "auto",
        "Of the hidden layers. auto: bfloat16 on a CPU that has instructions for it, else float32.",
    )
    checkpoint_interval_s: float = param(
        60.0,
        "Seconds between checkpoints; one is always made at the end. 0 = after every update.",
        min=0.0,
    )
    keep_checkpoints: int = param(5, "Newest checkpoints that are kept, the best one besides; 0 = all.", min=0)
    evaluation_interval_s: float = param(
        0.0,
        "Seconds between separate evaluations of target_episodes episodes, one at the end besides; 0 = none "
        "but those that may reach the target.",
        min=0.0,
    )
    loggers: tuple[str, ...] = param((), "Where a run is recorded besides its own directory: tensorboard, wandb.")


@dataclass(frozen=True)
class Config:
    """Everything that decides a run.

    `game` is a name, or the path of a shared object; files hold the name alone. `env` holds the game's parameters that
    differ from their defaults.
    """

    game: str
    env: Mapping[str, Value] = field(default_factory=dict)
    vec: VecConfig = field(default_factory=VecConfig)
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


SECTIONS: dict[str, type[Section]] = {"vec": VecConfig, "policy": PolicyConfig, "train": TrainConfig}
