"""The parameters of a training run: typed, frozen, with their defaults and help.

Words: a row is one agent, N = vec.num_envs rows; a batch is what one update learns from, N x train.horizon steps; a
step is one decision of one agent. Sizes may be "auto"; `training.resolve` turns them into numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Auto = Literal["auto"]
Value = int | float | bool


class ConfigError(ValueError):
    """A configuration that cannot work; the message names the field, what was expected and what came."""


@dataclass(frozen=True)
class VecConfig:
    """The pool: how many games run side by side, and what they read."""

    num_envs: int | Auto = "auto"
    """Agent rows N; a multiple of the agents of one game. auto: about 1024."""
    num_threads: int | Auto = "auto"
    """Threads that step games, and of the kernels. auto: the cores available."""
    data: str | None = None
    """The file that the game reads, such as a map. In a TOML file its path counts from that file's folder."""


@dataclass(frozen=True)
class PolicyConfig:
    """The network."""

    kind: Literal["mlp", "mingru", "lstm"] = "mlp"
    """mlp has no memory; mingru and lstm have one layer of it after the hidden layers. mingru is the faster."""
    class_: str | None = None
    """A network of your own instead, as module:Class; modules are also found in the current directory."""
    encoder: Literal["auto", "flat", "onehot", "conv"] = "auto"
    """What the first layer sees. flat: the numbers; onehot: for codes in bytes, a weight for each code of each cell;
    conv: convolutions over boards [height, width] of codes. auto: onehot for codes below 32, else flat."""
    hidden_size: int = 128
    """Width of each hidden layer."""
    num_layers: int = 1
    """Hidden layers."""
    scaled_inputs: tuple[str, ...] = ()
    """Entries of the game's observation table that are mapped from their range to plus or minus input_scale."""
    input_scale: float = 1.0
    """See scaled_inputs. Larger values make a finer control of these quantities quicker to learn."""
    rest_scale: float = 1.0
    """All other entries are multiplied by this. Less than 1 keeps many flags from drowning a few measures."""
    squash: bool = False
    """Continuous actions: the game gets tanh of what is drawn, within its bounds, instead of it clamped to them."""
    initial_log_std: float = 0.0
    """Continuous actions: logarithm of the standard deviation that a new network draws with."""


@dataclass(frozen=True)
class TrainConfig:
    """How it learns."""

    total_steps: int = 10_000_000
    """Agent steps of the whole run; the learning rate anneals over them."""
    horizon: int = 64
    """Steps of each row per update."""
    minibatch_size: int | Auto = "auto"
    """Steps per gradient; divides num_envs * horizon. auto: the largest divisor up to 8192."""
    epochs: int = 2
    """Passes over each batch."""
    optimizer: Literal["muon", "adam"] = "muon"
    """Muon orthogonalises the updates of weight matrices."""
    learning_rate: float = 0.05
    """Peak rate. Around 0.05 for muon, 0.002 for adam."""
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    """From the peak rate at the start to final_learning_rate at total_steps."""
    final_learning_rate: float = 0.0
    """As a share of learning_rate, [0, 1]."""
    momentum: float = 0.9
    """Of muon; beta1 of adam. [0, 1)"""
    beta2: float = 0.999
    """Of adam, [0, 1)."""
    weight_decay: float = 0.0
    """Decoupled: each step shrinks weights by learning_rate * weight_decay. Muon decays matrices only."""
    max_grad_norm: float = 0.0
    """Joint norm that gradients are scaled down to; 0 = off."""
    gamma: float = 0.99
    """Discount per step, [0, 1]."""
    gae_lambda: float = 0.95
    """Of generalised advantage estimation, [0, 1]."""
    clip: float = 0.2
    """Of the probability ratio, > 0."""
    value_coef: float = 0.5
    """Weight of the value loss."""
    value_clip: float = 0.0
    """Farthest that values move from those of the rollout before their loss is clipped; 0 = off."""
    entropy_coef: float = 0.01
    """Weight of the entropy bonus."""
    reward_clamp: float = 0.0
    """Rewards are clamped to plus or minus this for learning; 0 = off. Scores are never clamped."""
    normalize_observations: bool = False
    """Each entry to mean 0 and standard deviation 1, by running statistics; times input_scale or rest_scale."""
    normalize_rewards: bool = False
    """Rewards are divided by the running standard deviation of the discounted return, before any clamp."""
    normalize_advantages: bool = True
    """Per minibatch, to mean 0 and standard deviation 1."""
    target_score: float | None = None
    """End the run when the mean score of a separate evaluation reaches this."""
    target_episodes: int = 1000
    """Episodes of that evaluation."""
    seed: int = 1
    """Of weights, games, action draws and minibatch order."""
    device: str = "auto"
    """auto: cuda where there is one, else cpu; or any name that torch knows."""
    threads: int | Auto = "auto"
    """Threads of torch. auto: the cores available."""
    kernels: Literal["auto", "fused", "torch"] = "auto"
    """Sampling and loss: fused C kernels (CPU), or their plain torch twins. auto: fused on the CPU."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the hidden layers. auto: bfloat16 on a CPU that has instructions for it, else float32."""
    checkpoint_interval_s: float = 60.0
    """Seconds between checkpoints; one is always made at the end. 0 = after every update."""
    keep_checkpoints: int = 5
    """Newest checkpoints that are kept, the best one besides; 0 = all."""
    evaluation_interval_s: float = 0.0
    """Seconds between separate evaluations of target_episodes episodes, one at the end besides; 0 = none but those that
    may reach the target."""
    loggers: tuple[str, ...] = ()
    """Where a run is recorded besides its own directory: tensorboard, wandb."""


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


SECTIONS: dict[str, type] = {"vec": VecConfig, "policy": PolicyConfig, "train": TrainConfig}
