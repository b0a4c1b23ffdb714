"""Builds the network that a configuration selects for a game."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from pufferc.config import Config, PolicyConfig
from pufferc.envs.games import ObsInfo
from pufferc.envs.spaces import GameSpaces
from pufferc.policies.base import Policy
from pufferc.policies.distributions import make_head
from pufferc.policies.encoders import Encoder, Flat, OneHot, Sets, make_encoder
from pufferc.policies.fused import FusedLSTM, FusedMinGRU
from pufferc.policies.mlp import MLP, CodesMLP, FusedMLP, Network
from pufferc.policies.recurrent import LSTM, MinGRU
from pufferc.policies.user import make_own_policy

_KINDS: dict[str, type[Network]] = {"mlp": MLP, "mingru": MinGRU, "lstm": LSTM}
_FUSED: dict[tuple[str, type[Encoder]], type[Network]] = {
    ("mlp", Flat): FusedMLP,
    ("mlp", OneHot): CodesMLP,
    ("mlp", Sets): FusedMLP,
    ("mingru", Flat): FusedMinGRU,
    ("mingru", OneHot): FusedMinGRU,
    ("mingru", Sets): FusedMinGRU,
    ("lstm", Flat): FusedLSTM,
    ("lstm", OneHot): FusedLSTM,
    ("lstm", Sets): FusedLSTM,
}


def make_policy(
    config: Config, spaces: GameSpaces, dtype: torch.dtype, device: torch.device, seed: int, *, fused: bool = False
) -> Policy:
    """The network of a configuration for a game's spaces, with weights drawn from `seed` and hidden layers in `dtype`.

    `fused` runs its passes in C kernels where there are any; it needs device = cpu.
    Raises ConfigError for a custom class that violates the policy contract (docs/policies.md).
    """
    head = make_head(spaces.action_space, squash=config.policy.squash, initial_log_std=config.policy.initial_log_std)
    if config.policy.class_ is not None:
        return make_own_policy(config, spaces, head, device, seed)
    generator = torch.Generator().manual_seed(seed)
    encoder = make_encoder(config.policy, spaces, dtype=dtype, fused=fused, generator=generator)
    gain, shift = input_map(encoder.table, encoder.features, config.policy)
    if isinstance(encoder, Sets):
        _scale_entities(encoder, config.policy)
        gain[-encoder.table[-1].count :] = 1.0  # features of sets, whose inputs are scaled
    kind = _FUSED.get((config.policy.kind, type(encoder))) if fused else None
    if kind is CodesMLP and config.policy.num_layers > 1:
        kind = None  # the one-hot kernels have one hidden layer
    policy = (kind or _KINDS[config.policy.kind])(
        encoder.features,
        head.output_sizes,
        hidden_size=config.policy.hidden_size,
        num_layers=config.policy.num_layers,
        compute_dtype=dtype,
        encoder=encoder,
        input_gain=gain,
        input_shift=shift,
        generator=generator,
    )
    policy.head = head
    head.prepare(policy.output)
    return policy.to(device)


def _scale_entities(encoder: Sets, config: PolicyConfig) -> None:
    """Sets the map of an encoder's entities, which is the same for all values of a row."""
    rows = [replace(row, count=1) for row in encoder.entities]
    gain, shift = input_map(rows, len(rows), config)
    encoder.gain.copy_(gain)
    encoder.shift.copy_(shift)


def input_map(table: Sequence[ObsInfo], size: int, config: PolicyConfig) -> tuple[Tensor, Tensor]:
    """Initial gain and shift [size] of a network's features.

    They map the table entries in `config.scaled_inputs` from their range to +-input_scale and multiply the rest by
    rest_scale.
    """
    gain, shift, begin = input_scales(table, size, config), torch.zeros(size), 0
    for row in table:
        end = begin + row.count if row.count else size
        if row.name in config.scaled_inputs:
            half = 0.5 * (row.high - row.low)
            gain[begin:end] /= half
            shift[begin:end] = -config.input_scale * (row.low + half) / half
        begin = end
    return gain, shift


def input_scales(table: Sequence[ObsInfo], size: int, config: PolicyConfig) -> Tensor:
    """float32 [size]: input_scale for entries in `config.scaled_inputs`, rest_scale for all others."""
    scale, begin = torch.full((size,), config.rest_scale), 0
    for row in table:
        end = begin + row.count if row.count else size
        if row.name in config.scaled_inputs:
            scale[begin:end] = config.input_scale
        begin = end
    return scale
