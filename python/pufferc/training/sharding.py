"""Splits the rows and minibatches of a run between several processes (ranks); see distributed.py.

Shards are chosen so that the ranks' minibatches together equal those of one process: the same games with the same
random streams, the same draws, and the same order. Results then differ only by rounding.

The run has N rows, N / world per rank; a minibatch of M steps has M / world per rank.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pufferc.config import ConfigError
from pufferc.training.distributed import Ranks

INEXACT = (
    "these processes use other minibatches than one process would, so results will differ; for equal results make "
    "train.minibatch_size a multiple of vec.num_envs, or with memory a multiple of train.horizon x processes x agents"
)


@dataclass(frozen=True)
class Share:
    """The rows of one rank, as blocks of rows that are contiguous in the whole run.

    blocks: (rows here, number of the first one in the run), ascending.
    exact: the ranks' minibatches together equal those of one process.
    """

    rows: int
    blocks: tuple[tuple[slice, int], ...]
    exact: bool = True

    def game_numbers(self, agents: int) -> list[int] | None:
        """The number in the run of each game of this rank; None for 0, 1, 2, ..."""
        if self.blocks == ((slice(0, self.rows), 0),):
            return None
        return [
            number
            for part, first in self.blocks
            for number in range(first // agents, (first + part.stop - part.start) // agents)
        ]


def plan_share(
    rank: int, world: int, *, rows: int, agents: int, horizon: int, minibatch: int, recurrent: bool
) -> Share:
    """The shard of `rank`, an equal part of `rows`. ConfigError if an equal split is impossible.

    A feed-forward minibatch whose size is a multiple of `rows` holds some steps of all rows, so any equal split of the
    rows splits it equally. A recurrent minibatch is a block of columns, and each rank takes a part of every block.
    """
    if rows % (world * agents):
        unit = world * agents
        near = f"{rows // unit * unit} or {rows // unit * unit + unit}" if rows >= unit else str(unit)
        raise ConfigError(
            f"vec.num_envs must be a multiple of {unit} to be shared by {world} processes "
            f"({agents} rows to a game), got {rows}; {near} would fit"
        )
    multiple = world * (horizon if recurrent else 1)
    if minibatch % multiple:
        raise ConfigError(
            f"train.minibatch_size must be a multiple of {multiple} to be shared by {world} processes"
            f"{f' in whole rows of {horizon} steps' if recurrent else ''}, got {minibatch}"
        )
    own = rows // world
    whole = ((slice(0, own), rank * own),)
    if not recurrent:
        return Share(own, whole, exact=world == 1 or minibatch % rows == 0)
    width = minibatch // horizon
    part = width // world
    if world == 1 or part % agents:
        return Share(own, whole, exact=world == 1)
    return Share(own, tuple((slice(i * part, (i + 1) * part), i * width + rank * part) for i in range(rows // width)))


@dataclass
class SharedMinibatches:
    """Statistics of n minibatches over all ranks."""

    mean: Tensor  # float32 [n], of the advantages of alive rows
    std: Tensor  # float32 [n]; 0 = advantages are not normalised
    weight: list[float]  # fraction of the alive rows on this rank

    def normalize(self, index: int, advantages: Tensor) -> Tensor:
        """Normalises to mean 0 and standard deviation 1 over all ranks, by the formula of csrc/kernels/ppo_loss.h."""
        if float(self.std[index]) == 0.0:
            return advantages
        return (advantages - self.mean[index]) * (1.0 / (self.std[index] + 1e-8))


Sample = tuple[Tensor, Tensor | None]  # values, and a mask of those that count; None = all


def share_minibatches(ranks: Ranks, advantages: Sequence[Sample], *, normalize: bool) -> SharedMinibatches:
    """The statistics of each minibatch, from this rank's advantages and alive masks.

    normalize: Whether advantages will be normalised.
    """
    own = [values.numel() if mask is None else int(mask.sum()) for values, mask in advantages]
    count, mean, std = moments(ranks, advantages)
    weight = [mine / max(1.0, every) for mine, every in zip(own, count.tolist(), strict=True)]
    return SharedMinibatches(mean.float(), std.float() if normalize else torch.zeros_like(mean), weight)


def moments(ranks: Ranks, samples: Sequence[Sample]) -> tuple[Tensor, Tensor, Tensor]:
    """Count, mean and sample standard deviation of each sample over all ranks: float64 [len(samples)] each.

    The deviation of fewer than two values is 0.
    """
    parts = ranks.all_gather(torch.stack([own_moments(*sample) for sample in samples]))
    count = parts[:, :, 0].sum(0)
    mean = (parts[:, :, 0] * parts[:, :, 1]).sum(0) / count.clamp(min=1.0)
    squares = (parts[:, :, 2] + parts[:, :, 0] * (parts[:, :, 1] - mean).square()).sum(0)  # Chan et al. 1979
    return count, mean, (squares / (count - 1.0).clamp(min=1.0)).sqrt()


def own_moments(values: Tensor, mask: Tensor | None) -> Tensor:
    """Count, mean and sum of squared deviations of this rank's part, float64 [3] on the CPU."""
    x = (values if mask is None else values[mask]).double()
    if x.numel() == 0:
        return torch.zeros(3, dtype=torch.float64)
    mean = x.mean()
    return torch.stack([mean.new_tensor(x.numel()), mean, (x - mean).square().sum()]).cpu()
