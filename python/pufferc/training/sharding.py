"""How the rows and minibatches of a run are shared by several processes, or ranks; see distributed.py.

Shares are cut so that the ranks' minibatches together are those of one process: the same games with the same random
streams, the same draws, the same order. Results then differ by rounding only.

N rows in the whole run, N / world of them with each rank; a minibatch of M steps is M / world with each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pufferc.config import ConfigError
from pufferc.training.distributed import Ranks

INEXACT = (
    "the minibatches of these processes are not those of one process, whose results will differ; for equal ones make "
    "train.minibatch_size a multiple of vec.num_envs, or with memory a multiple of train.horizon x processes x agents"
)


@dataclass(frozen=True)
class Share:
    """The rows of one rank, as blocks of rows that are neighbours in the whole run too.

    blocks: (rows here, number of the first one in the run), ascending.
    exact: the ranks' minibatches together are those of one process.
    """

    rows: int
    blocks: tuple[tuple[slice, int], ...]
    exact: bool = True

    def game_numbers(self, agents: int) -> list[int] | None:
        """The number of each game here in the run; None where that is 0, 1, 2, ..."""
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
    """The share of `rank`, an equal part of `rows`. ConfigError where they cannot be shared.

    A minibatch of a feed-forward policy that is a multiple of `rows` is some steps of all rows, so any equal share of
    the rows makes an equal share of it. One of a recurrent policy is a block of columns, of which each rank takes its
    part.
    """
    if rows % (world * agents):
        unit = world * agents
        near = f"{rows // unit * unit} or {rows // unit * unit + unit}" if rows >= unit else str(unit)
        raise ConfigError(
            f"vec.num_envs must be a multiple of {unit} to be shared by {world} processes "
            f"({agents} rows to a game), got {rows}; {near} would fit"
        )
    least = world * (horizon if recurrent else 1)
    if minibatch % least:
        raise ConfigError(
            f"train.minibatch_size must be a multiple of {least} to be shared by {world} processes"
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
    """What all ranks together hold of each of n minibatches."""

    mean: Tensor  # float32 [n] of the advantages of rows that act
    std: Tensor  # float32 [n]; 0: advantages stay as they are
    weight: list[float]  # the part of these rows that this rank holds

    def normalize(self, index: int, advantages: Tensor) -> Tensor:
        """To mean 0 and standard deviation 1 over all ranks, with the formula of csrc/kernels/ppo_loss.h."""
        if float(self.std[index]) == 0.0:
            return advantages
        return (advantages - self.mean[index]) * (1.0 / (self.std[index] + 1e-8))


Sample = tuple[Tensor, Tensor | None]  # values, and where they count; None = everywhere


def share_minibatches(ranks: Ranks, advantages: Sequence[Sample], *, normalize: bool) -> SharedMinibatches:
    """What all ranks hold of each minibatch, from this rank's advantages and where its rows act.

    normalize: Whether advantages will be normalised.
    """
    own = [values.numel() if mask is None else int(mask.sum()) for values, mask in advantages]
    count, mean, std = moments(ranks, advantages)
    weight = [mine / max(1.0, every) for mine, every in zip(own, count.tolist(), strict=True)]
    return SharedMinibatches(mean.float(), std.float() if normalize else torch.zeros_like(mean), weight)


def moments(ranks: Ranks, samples: Sequence[Sample]) -> tuple[Tensor, Tensor, Tensor]:
    """Count, mean and sample standard deviation of each sample over all ranks: float64 [len(samples)] each.

    For fewer than two values the deviation is 0.
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
