"""Optional normalisation of observations and rewards by running statistics.

Observations (`train.normalize_observations`): the network gets (x - mean) * gain for each entry x, with

    gain = min(1 / sqrt(variance + 1e-8), 10 / largest distance from the mean seen so far);  0 for constant entries

so all entries seen so far are within +-10. The bound replaces a clip and keeps the map linear: the built-in networks
hold it in the buffers input_gain and input_shift and fold it into their first layer. It costs nothing per row, and is
saved, exported and evaluated with the policy. A constant entry carries no information, so its gain is 0 until it
varies. The map changes once per update, after learning, so collecting and learning use the same map. Before the first
update one rollout is collected only for the statistics.

Returns (`train.normalize_rewards`): rewards are divided by sqrt(variance + 1e-8) of the discounted return
G = r + gamma G (1 - terminated) of each row, as in Gymnasium's NormalizeReward; G starts at 0 in every episode.

Statistics are float64, include only alive rows, and are merged by the parallel algorithm of Chan, Golub and LeVeque
(1979). They start at mean 0 and variance 1 with a weight of 1e-4 observations, as in Gymnasium. With several processes,
each merges the data of all ranks, so that all hold the same statistics.

Shapes: T horizon, N rows, S entries of an observation, B rows of any batch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from pufferc.config import ConfigError
from pufferc.kernels.private import NotFinite
from pufferc.policies import Flat, Network, Policy
from pufferc.training.distributed import Ranks
from pufferc.training.rollout import Rollout

_ALONE = Ranks()
_LIMIT = 10.0  # bound of the network's inputs
_EPSILON = 1e-8  # added to variances
_PRIOR_WEIGHT = 1e-4
_CHUNK_ROWS = 1024  # small enough for the cache


@dataclass
class Moments:
    """Count [], mean, biased variance, smallest and largest value [S...], all float64."""

    count: Tensor
    mean: Tensor
    variance: Tensor
    low: Tensor
    high: Tensor

    @staticmethod
    def prior(*shape: int) -> Moments:
        """The statistics before any data."""
        empty = torch.zeros(shape, dtype=torch.float64)
        count = torch.tensor(_PRIOR_WEIGHT, dtype=torch.float64)
        return Moments(count, empty, empty + 1.0, empty + torch.inf, empty - torch.inf)

    @staticmethod
    def none(*shape: int) -> Moments:
        """Of no rows at all."""
        moments = Moments.prior(*shape)
        moments.count = torch.zeros_like(moments.count)
        return moments

    @staticmethod
    def of(rows: Tensor) -> Moments:
        """Statistics of rows [B, S...] with B >= 1.

        Sums are over differences from the first row, which are small if the spread is. They are float32 unless rows are
        float64, so the relative error of variances is about B * 1e-7.
        """
        x = rows if rows.dtype == torch.float64 else rows.float()
        difference = x - x[0]
        parts = (x[0], difference.sum(0), difference.square().sum(0), x.amin(0), x.amax(0))
        first, total, squares, low, high = (part.double().cpu() for part in parts)
        offset = total / rows.shape[0]
        variance = (squares / rows.shape[0] - offset.square()).clamp(min=0.0)
        return Moments(torch.tensor(float(rows.shape[0]), dtype=torch.float64), first + offset, variance, low, high)

    def merge(self, other: Moments) -> None:
        """Merges other statistics into these."""
        if not other.count:
            return
        total = self.count + other.count
        delta, share = other.mean - self.mean, other.count / total
        self.mean = self.mean + delta * share
        within = self.variance * self.count + other.variance * other.count
        self.variance = (within + delta.square() * self.count * share) / total
        self.count = total
        self.low, self.high = torch.minimum(self.low, other.low), torch.maximum(self.high, other.high)

    def merge_all(self, own: Moments, ranks: Ranks) -> None:
        """Merges the statistics of every rank; `own` is this rank's part."""
        parts = torch.stack([own.count.expand_as(own.mean), own.mean, own.variance, own.low, own.high])
        for count, *others in ranks.all_gather(parts):
            self.merge(Moments(count.flatten()[0], *others))

    def state(self) -> dict[str, Tensor]:
        """The tensors for a checkpoint."""
        return dict(vars(self))

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Loads a saved state. ValueError if shapes differ."""
        for name, tensor in state.items():
            if getattr(self, name).shape != tensor.shape:
                expected = tuple(getattr(self, name).shape)
                raise ValueError(f"statistics: expected {name} of shape {expected}, got {tuple(tensor.shape)}")
            setattr(self, name, tensor.clone())


class ObservationNormaliser:
    """Sets input_gain and input_shift of a policy from the statistics of its observations; see the module.

    Args:
        policy: A built-in network with a Flat encoder. ConfigError for others.
        scale: float32 [S], multiplies the normalised entries.
    """

    def __init__(self, policy: Policy, scale: Tensor) -> None:
        if not isinstance(policy, Network) or not isinstance(policy.encoder, Flat):
            raise ConfigError(
                "train.normalize_observations needs one of the built-in networks, with policy.encoder flat, since it "
                f"sets the map of their inputs; got {type(policy).__name__}"
            )
        self._policy, self._scale = policy, scale.double().cpu()
        self.moments = Moments.prior(scale.numel())

    def update(self, rollout: Rollout, ranks: Ranks = _ALONE) -> None:
        """Adds the observations of the rollout's T steps on all ranks, and updates the map."""
        seen = Moments.none(self._scale.numel())
        observations, alive = rollout.observations[:-1].flatten(0, 1), rollout.alive[:-1].flatten()
        whole = bool(alive.all())
        for begin in range(0, observations.shape[0], _CHUNK_ROWS):
            rows = observations[begin : begin + _CHUNK_ROWS]
            rows = rows if whole else rows[alive[begin : begin + _CHUNK_ROWS]]
            if rows.shape[0]:
                seen.merge(Moments.of(rows.flatten(1)))
        self.moments.merge_all(seen, ranks)
        self.apply()

    def apply(self) -> None:
        """Writes the map to the policy."""
        moments = self.moments
        if not bool(moments.mean.isfinite().all()):
            raise NotFinite("the mean of the observations is not finite")
        reach = torch.maximum(moments.high - moments.mean, moments.mean - moments.low)
        gain = torch.minimum((moments.variance + _EPSILON).rsqrt(), _LIMIT / reach)
        gain = torch.where(moments.high > moments.low, gain, 0.0) * self._scale
        with torch.no_grad():
            self._policy.input_gain.copy_(gain)
            self._policy.input_shift.copy_(-moments.mean * gain)

    def state(self) -> dict[str, Tensor]:
        return self.moments.state()

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self.moments.load_state(state)


class RewardNormaliser:
    """Computes the factor for rewards; see the module.

    Args:
        rows: N.
        gamma: Discount per step.
    """

    def __init__(self, rows: int, gamma: float) -> None:
        self.gamma = gamma
        self.moments = Moments.prior()
        self.returns = torch.zeros(rows, dtype=torch.float64)  # G of unfinished episodes

    def update(self, rollout: Rollout, ranks: Ranks = _ALONE) -> float:
        """Adds the rewards of the rollout's T steps on all ranks. Returns the new factor for rewards."""
        rewards, alive = rollout.rewards.double().cpu(), rollout.alive[:-1].cpu()
        kept = self.gamma * (~rollout.terminated.cpu()).double()
        ended = (rollout.terminated | rollout.truncated).cpu()
        seen = torch.empty_like(rewards)
        for t in range(rewards.shape[0]):
            self.returns = torch.where(alive[t], self.returns * kept[t] + rewards[t], self.returns)
            seen[t] = self.returns
            self.returns = self.returns.masked_fill(ended[t], 0.0)
        self.moments.merge_all(Moments.of(seen[alive]) if alive.any() else Moments.none(), ranks)
        factor = float((self.moments.variance + _EPSILON).rsqrt())
        if not math.isfinite(factor):
            raise NotFinite("the variance of the returns is not finite")
        return factor

    def state(self) -> dict[str, Tensor]:
        """Excludes `returns`, which are saved with the games."""
        return self.moments.state()

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self.moments.load_state(state)


Normaliser = ObservationNormaliser | RewardNormaliser


def saved(parts: Mapping[str, Normaliser]) -> dict[str, Tensor]:
    """The state of all normalisers, for a checkpoint."""
    return {f"normalise.{name}.{key}": tensor for name, part in parts.items() for key, tensor in part.state().items()}


def restore(parts: Mapping[str, Normaliser], tensors: Mapping[str, Tensor]) -> None:
    """Restores all normalisers from the tensors of `saved`."""
    for name, part in parts.items():
        prefix = f"normalise.{name}."
        part.load_state({key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)})
