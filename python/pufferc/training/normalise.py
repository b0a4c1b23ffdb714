"""Running statistics of observations and returns, as options of a training run.

Observations (`train.normalize_observations`): each entry x of an observation is seen as (x - mean) * gain with

    gain = min(1 / sqrt(variance + 1e-8), 10 / largest distance from the mean seen so far);  0 while it never varied

so nothing that has been seen leaves +-10. That bound takes the place of a clip: the map is linear and lives in the
buffers input_gain and input_shift of our own networks, which fold it into their first layer. It costs nothing per row,
is saved, exported and evaluated with the policy, and changes only in `update`. What has never varied
carries no information; it is let in when it does. The map changes once per update, after learning, so a rollout and
what is learned from it see the same one. Before the first update a rollout is played for the statistics alone.

Returns (`train.normalize_rewards`): rewards are divided by sqrt(variance + 1e-8) of the discounted return
G = r + gamma G (1 - terminated) of each row, as in Gymnasium's NormalizeReward; G starts at 0 in every episode.

All statistics are float64, of rows that act alone, and merged by the parallel algorithm of Chan, Golub and LeVeque
(1979). They begin at mean 0 and variance 1 with the weight of 1e-4 observations, as Gymnasium's do. Of several
processes each merges what all have seen, so that all have the same.

Shapes: T horizon, N rows, S entries of an observation, B rows of any batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from pufferc.config import ConfigError
from pufferc.policies import Flat, Network, Policy
from pufferc.training.distributed import Ranks
from pufferc.training.rollout import Rollout

_ALONE = Ranks()
_LIMIT = 10.0  # of what the network sees
_EPSILON = 1e-8  # added to variances
_PRIOR_WEIGHT = 1e-4
_CHUNK_ROWS = 1024  # few enough to stay in the cache


@dataclass
class Moments:
    """Count [], mean, variance, smallest and largest [S...] of what was seen, all float64. No variance is unbiased."""

    count: Tensor
    mean: Tensor
    variance: Tensor
    low: Tensor
    high: Tensor

    @staticmethod
    def prior(*shape: int) -> Moments:
        """Before anything was seen."""
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
        """Of rows [B, S...] with B >= 1.

        Sums are of differences from the first row, which are small where the spread is, in float32 unless rows are
        float64: variances are good to about B * 1e-7 of themselves.
        """
        x = rows if rows.dtype == torch.float64 else rows.float()
        difference = x - x[0]
        parts = (x[0], difference.sum(0), difference.square().sum(0), x.amin(0), x.amax(0))
        first, total, squares, low, high = (part.double().cpu() for part in parts)
        offset = total / rows.shape[0]
        variance = (squares / rows.shape[0] - offset.square()).clamp(min=0.0)
        return Moments(torch.tensor(float(rows.shape[0]), dtype=torch.float64), first + offset, variance, low, high)

    def merge(self, other: Moments) -> None:
        """Takes in what others have seen."""
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
        """Takes in what every process of a run has seen, this one's part being `own`."""
        parts = torch.stack([own.count.expand_as(own.mean), own.mean, own.variance, own.low, own.high])
        for count, *others in ranks.all_gather(parts):
            self.merge(Moments(count.flatten()[0], *others))

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint keeps."""
        return dict(vars(self))

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Takes a saved state. ValueError if shapes do not fit."""
        for name, tensor in state.items():
            if getattr(self, name).shape != tensor.shape:
                expected = tuple(getattr(self, name).shape)
                raise ValueError(f"statistics: expected {name} of shape {expected}, got {tuple(tensor.shape)}")
            setattr(self, name, tensor.clone())


class ObservationNormaliser:
    """Keeps input_gain and input_shift of a policy at what its observations ask for; see the module.

    Args:
        policy: One of our own networks, whose encoder is Flat. ConfigError for others.
        scale: float32 [S] that what the network sees is multiplied by in the end.
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
        """Takes in the observations of the rollout's T steps, in all ranks, and renews the map."""
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
        """Writes the map of the present statistics to the policy."""
        moments = self.moments
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
    """The factor for rewards; see the module.

    Args:
        rows: N.
        gamma: Discount per step.
    """

    def __init__(self, rows: int, gamma: float) -> None:
        self.gamma = gamma
        self.moments = Moments.prior()
        self.returns = torch.zeros(rows, dtype=torch.float64)  # G of episodes under way

    def update(self, rollout: Rollout, ranks: Ranks = _ALONE) -> float:
        """Takes in the rewards of the rollout's T steps, in all ranks; what to multiply rewards by from now on."""
        rewards, alive = rollout.rewards.double().cpu(), rollout.alive[:-1].cpu()
        kept = self.gamma * (~rollout.terminated.cpu()).double()
        ended = (rollout.terminated | rollout.truncated).cpu()
        seen = torch.empty_like(rewards)
        for t in range(rewards.shape[0]):
            self.returns = torch.where(alive[t], self.returns * kept[t] + rewards[t], self.returns)
            seen[t] = self.returns
            self.returns = self.returns.masked_fill(ended[t], 0.0)
        self.moments.merge_all(Moments.of(seen[alive]) if alive.any() else Moments.none(), ranks)
        return float((self.moments.variance + _EPSILON).rsqrt())

    def state(self) -> dict[str, Tensor]:
        """Without `returns`, which belong to the games."""
        return self.moments.state()

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self.moments.load_state(state)


Normaliser = ObservationNormaliser | RewardNormaliser


def saved(parts: Mapping[str, Normaliser]) -> dict[str, Tensor]:
    """The state of all normalisers, for a checkpoint."""
    return {f"normalise.{name}.{key}": tensor for name, part in parts.items() for key, tensor in part.state().items()}


def restore(parts: Mapping[str, Normaliser], tensors: Mapping[str, Tensor]) -> None:
    """Gives all normalisers what `saved` has put among a checkpoint's tensors."""
    for name, part in parts.items():
        prefix = f"normalise.{name}."
        part.load_state({key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)})
