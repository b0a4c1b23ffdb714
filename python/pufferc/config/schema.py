"""The parameters of a training run: one table of their types, defaults, ranges and help.

Flags, TOML files, checks, docs/settings.md and sweeps read this table. A row is one agent, and the pool has
N = vec.num_envs rows. A step is one decision of one agent. A batch holds the N x train.horizon steps of one update.
Sizes may be "auto"; `training.resolve` turns them into numbers.
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
    """An invalid configuration. The message names the field, what was expected and what it got."""


@dataclass(frozen=True)
class Range:
    """The interval [min, max] of a number. `above` and `below` are open ends. Infinity is always outside."""

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
        """The constraint in words: "in [0, 1)", "at least 1", "greater than 0" or "finite"."""
        if self.max is not None or self.below is not None:
            low = f"({_short(self.above)}" if self.min is None else f"[{_short(self.min)}"
            return f"in {low}, {_short(self.below)})" if self.max is None else f"in {low}, {_short(self.max)}]"
        if self.min is not None:
            return f"at least {_short(self.min)}"
        return "finite" if self.above is None else f"greater than {_short(self.above)}"


def _short(number: float | None) -> str:
    return f"{number:g}" if isinstance(number, float) else str(number)


def param(default: Any, help: str, *, alias: str = "", **ends: float) -> Any:
    """A field of the table. `ends` are passed to its Range; `alias` is a second flag."""
    return field(default=default, metadata={"help": help, "range": Range(**ends), "alias": alias})


@dataclass(frozen=True)
class Parameter:
    """A row of the table. `field` is its Python name: `class_`, because `class` is a keyword."""

    section: str
    field: str
    type: Any
    default: Any
    range: Range
    help: str
    alias: str

    @property
    def name(self) -> str:
        """The name in TOML files and flags."""
        return self.field.rstrip("_")

    @property
    def limits(self) -> str:
        """The range in words, or "" without one."""
        return "" if self.range == Range() else str(self.range)


class Section:
    """Base class of the sections. It checks all values against the table on construction."""

    def __post_init__(self) -> None:
        for row in parameters(type(self)):
            where = f"{row.section}.{row.name}"
            value = fit(getattr(self, row.field), row.type, where)
            if isinstance(value, int | float) and not isinstance(value, bool) and value not in row.range:
                raise ConfigError(f"{where} must be {row.range}, got {value!r}")
            object.__setattr__(self, row.field, value)


_tables: dict[type, tuple[Parameter, ...]] = {}


def parameters(section: type[Any]) -> tuple[Parameter, ...]:
    """The table of a section, cached."""
    if section not in _tables:
        hints, name = get_type_hints(section), section.__name__.removesuffix("Config").lower()
        rows = dataclasses.fields(section)
        _tables[section] = tuple(Parameter(name, r.name, hints[r.name], r.default, **r.metadata) for r in rows)
    return _tables[section]


def fit(value: Any, hint: Any, where: str) -> Any:
    """Converts `value` to the type `hint`. Accepts integers as floats and whole floats such as 1e7 as integers."""
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
    """A type in words, without None."""
    if get_origin(hint) is Literal:
        return " or ".join(map(repr, get_args(hint)))
    if get_origin(hint) is tuple:
        return "a list of strings"
    if get_origin(hint) is not None:
        return " or ".join(type_text(option) for option in get_args(hint) if option is not type(None))
    return getattr(hint, "__name__", str(hint))


@dataclass(frozen=True)
class VecConfig(Section):
    """The pool of games."""

    num_envs: int | Auto = param(
        "auto",
        "Number of agent rows N, a multiple of the agents per game. auto: about 1024.",
        min=1,
        max=_core.MAX_ROWS,
    )
    num_threads: int | Auto = param(
        "auto",
        "Threads that step games and run the kernels. auto: the available cores.",
        min=1,
        max=_core.MAX_THREADS,
    )
    data: str | None = param(
        None,
        "A file that the game reads, such as a map. A path in a TOML file is relative to that file.",
        alias="--data",
    )
    device: Literal["cpu", "cuda"] = param(
        "cpu",
        "Where games are stepped. cuda: on the GPU that trains (train.device), which has not been tried on a GPU yet.",
    )


@dataclass(frozen=True)
class PolicyConfig(Section):
    """The network."""

    kind: Literal["mlp", "mingru", "lstm"] = param(
        "mlp",
        "mlp has no memory; mingru and lstm add one recurrent layer after the hidden layers. mingru is faster.",
    )
    class_: str | None = param(
        None,
        "A custom network, as module:Class, in place of kind. Modules in the current directory are found too.",
    )
    encoder: Literal["auto", "flat", "onehot", "conv", "sets"] = param(
        "auto",
        "Input encoding. flat: the numbers as they are; onehot: byte codes, one weight per code and cell; "
        "conv: convolutions over boards, beside one-hot codes and numbers; sets: a small network shared by the "
        "entities of a row. auto: onehot for codes below 32, else flat.",
    )
    conv_channels: int = param(
        16, "Channels of the first convolution of encoder conv; the second has twice as many.", min=1, max=4096
    )
    set_size: int = param(32, "Features of each set of entities, encoder sets.", min=1, max=4096)
    hidden_size: int = param(128, "Width of each hidden layer.", min=1, max=16_384)
    num_layers: int = param(1, "Hidden layers.", min=1, max=64)
    scaled_inputs: tuple[str, ...] = param(
        (),
        "Entries of the observation table that are mapped from their range to [-input_scale, input_scale].",
    )
    input_scale: float = param(
        1.0,
        "See scaled_inputs. With larger values the network learns fine control of these quantities sooner.",
        above=0.0,
    )
    rest_scale: float = param(
        1.0,
        "Multiplies all other entries. Values below 1 keep many flags from swamping a few measurements.",
        above=0.0,
    )
    squash: bool = param(
        False,
        "Continuous actions: samples pass through tanh, scaled to the bounds, instead of being clamped to them.",
    )
    initial_log_std: float = param(
        0.0,
        "Continuous actions: log of the initial standard deviation.",
        min=-20.0,
        max=20.0,
    )


@dataclass(frozen=True)
class TrainConfig(Section):
    """PPO and its schedule."""

    total_steps: int = param(
        10_000_000,
        "Agent steps in the whole run, rounded down to whole batches; the learning rate is annealed over them.",
        min=1,
    )
    horizon: int = param(64, "Steps per row and update.", min=1, max=2**20)
    minibatch_size: int | Auto = param(
        "auto",
        "Steps per gradient; must divide num_envs * horizon. auto: the largest divisor up to 8192.",
        min=1,
    )
    epochs: int = param(2, "Passes over each batch per update.", min=1)
    optimizer: Literal["muon", "adam"] = param("muon", "Muon orthogonalises the updates of weight matrices.")
    learning_rate: float = param(0.05, "Peak rate. Around 0.05 for muon, 0.002 for adam.", above=0.0)
    schedule: Literal["constant", "linear", "cosine"] = param(
        "cosine",
        "How the rate falls from its peak at the start to final_learning_rate at total_steps.",
    )
    schedules: tuple[str, ...] = param(
        (),
        "Parameters of the game that change linearly from the first update to the last: env.NAME=FIRST:LAST. "
        "Evaluations use LAST.",
        alias="--schedule",
    )
    final_learning_rate: float = param(0.0, "Final rate as a fraction of learning_rate.", min=0.0, max=1.0)
    momentum: float = param(0.9, "Momentum of muon, beta1 of adam.", min=0.0, below=1.0)
    beta2: float = param(0.999, "beta2 of adam.", min=0.0, below=1.0)
    weight_decay: float = param(
        0.0,
        "Decoupled: each step shrinks weights by learning_rate * weight_decay. Muon decays matrices only.",
        min=0.0,
    )
    max_grad_norm: float = param(
        0.0, "Gradients with a larger global norm are scaled down to this norm; 0 = off.", min=0.0
    )
    gamma: float = param(0.99, "Discount per step.", min=0.0, max=1.0)
    gae_lambda: float = param(0.95, "Lambda of generalised advantage estimation.", min=0.0, max=1.0)
    clip: float = param(0.2, "PPO clip range of the probability ratio.", above=0.0)
    value_coef: float = param(0.5, "Weight of the value loss.", min=0.0)
    value_clip: float = param(
        0.0,
        "Clip range of a value's change from the rollout's value in the value loss; 0 = off.",
        min=0.0,
    )
    entropy_coef: float = param(0.01, "Weight of the entropy bonus.", min=0.0)
    bonus_coef: float = param(
        0.0,
        "Reward per step for observations that are as new as those of the run so far, by random network distillation; "
        "0 = off. See docs/training.md.",
        min=0.0,
    )
    reward_clamp: float = param(
        0.0,
        "Clamp rewards to [-reward_clamp, reward_clamp] for learning; 0 = off. Scores are never clamped.",
        min=0.0,
    )
    normalize_observations: bool = param(
        False,
        "Normalise entries to mean 0 and standard deviation 1 by running statistics, then apply the input scales.",
    )
    normalize_rewards: bool = param(
        False,
        "Divide rewards by the running standard deviation of the discounted return, before clamping.",
    )
    normalize_advantages: bool = param(
        True, "Normalise advantages to mean 0 and standard deviation 1 in each minibatch."
    )
    target_score: float | None | str = param(  # noqa: RUF036  a flag's "None" must not be taken for a string
        None,
        "End the run when the mean score of a separate evaluation reaches this. In self-play this is the mean of its "
        "points, 0 to 1, or those against one opponent: '0.9 vs script:1' or '0.6 vs pool'.",
    )
    target_episodes: int = param(1000, "Episodes per evaluation.", min=1, max=10**8)
    seed: int = param(
        1, "Seed of weights, games, action sampling and minibatch order.", alias="--seed", min=0, max=2**63 - 1
    )
    device: str = param("auto", "Any torch device. auto: cuda if available, else cpu.")
    threads: int | Auto = param("auto", "Threads of torch. auto: the available cores.", min=1, max=_core.MAX_THREADS)
    kernels: Literal["auto", "fused", "torch"] = param(
        "auto",
        "Sampling and loss: fused C kernels (CPU only) or plain torch versions. auto: fused on the CPU.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = param(
        "auto",
        "Precision of the hidden layers. auto: bfloat16 on a CPU with bfloat16 instructions, else float32.",
    )
    checkpoint_interval_s: float = param(
        60.0,
        "Seconds between checkpoints; 0 = after every update. The last update is always saved.",
        min=0.0,
    )
    keep_checkpoints: int = param(
        5, "Number of newest checkpoints to keep, in addition to the best one; 0 = all.", min=0
    )
    evaluation_interval_s: float = param(
        0.0,
        "Seconds between separate evaluations of target_episodes episodes, plus one at the end; 0 = only those "
        "that check target_score.",
        min=0.0,
    )
    loggers: tuple[str, ...] = param((), "Additional loggers: tensorboard, trackio, wandb.")


@dataclass(frozen=True)
class SelfplayConfig(Section):
    """Opponents during training, in games with teams; see docs/selfplay.md."""

    opponents: str = param(
        "self",
        "Who plays the other sides, separated by commas: self, pool (earlier copies of the policy), script:LEVEL (the "
        "game's built-in player). self alone = the policy plays all sides.",
    )
    mirror: float = param(
        0.6,
        "With self among the opponents, the share of games in which the policy plays all sides.",
        min=0.0,
        max=1.0,
    )
    pool_size: int = param(
        16, "Copies in the pool: the newest ones, and older ones ever further apart.", min=2, max=1024
    )
    pool_interval: int = param(50, "Updates between copies of the policy for the pool.", min=1)
    max_policies: int = param(
        4, "Copies that play at the same time, each of which costs a forward pass per step.", min=1, max=64
    )
    skip_forced: bool = param(
        False,
        "Steps with one legal choice, such as waiting for one's turn, are not learned from and get the value of what "
        "follows; policies without memory do not compute them.",
    )
    ladder: str = param(
        "scripts,pool",
        "What evaluations play, separated by commas: scripts (all levels of the game's script), script:LEVEL, pool "
        "(its three newest copies).",
    )
    floor: float = param(
        0.05,
        "An opponent is drawn with weight (1 - p)^2 + floor, where p is the policy's mean points against it.",
        above=0.0,
        max=1.0,
    )


@dataclass(frozen=True)
class Config:
    """The complete configuration of a run.

    `game` is a name or the path of a shared object; files store only the name. `env` holds the game parameters that
    differ from their defaults.
    """

    game: str
    env: Mapping[str, Value] = field(default_factory=dict)
    vec: VecConfig = field(default_factory=VecConfig)
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    selfplay: SelfplayConfig = field(default_factory=SelfplayConfig)


SECTIONS: dict[str, type[Section]] = {
    "vec": VecConfig,
    "policy": PolicyConfig,
    "train": TrainConfig,
    "selfplay": SelfplayConfig,
}


def _keywords() -> dict[str, tuple[str, str]]:
    """Section and name of each setting by its keyword in Python.

    The keyword is the name. A name that `train` has too gets its section in front: vec_device.
    """
    names = {section: [row.name for row in parameters(kind)] for section, kind in SECTIONS.items()}
    return {
        f"{section}_{name}" if section != "train" and name in names["train"] else name: (section, name)
        for section, own in names.items()
        for name in own
    }


SETTING_OF = _keywords()
