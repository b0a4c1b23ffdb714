"""An optional reward for new observations: random network distillation (Burda et al. 2018, arXiv 1810.12894).

A network, the predictor, learns the outputs of a fixed random network on the observations of training. Its squared
error is small where the policy has been often and large where it has not. With `train.bonus_coef` c > 0 the reward of
each step becomes

    reward + c * error of the observation after the step / mean error over the run so far

so the bonus is about c per step at first, and fades as everything within reach becomes known. It is added after the
game's rewards were scaled and clamped, and is not part of scores. A step that ends an episode has no bonus, because the
rollout has no observation after it. Unlike the paper there is one value for the sum of both rewards.

Inputs are entries minus their mean, divided by their standard deviation, clamped to +-5. The first update has no bonus:
it collects the first statistics. The predictor learns from every fourth step of an update, with another offset in the
next update. That needs no random numbers, so a resumed run gives the same bits. With several processes all have the
same predictor and statistics.

Shapes: T horizon, N rows, S entries of an observation, B rows of any batch, F features.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from pufferc.training.distributed import Ranks
from pufferc.training.normalise import Moments
from pufferc.training.optimizers import Adam
from pufferc.training.rollout import Rollout

_ALONE = Ranks()
_HIDDEN, _FEATURES = 64, 32
_LIMIT = 5.0  # of the normalised inputs
_LEARNING_RATE = 1e-3
_EVERY = 4  # one step in so many trains the predictor
_CHUNK_ROWS = 2048


def _network(size: int, hidden: int, generator: torch.Generator) -> nn.Sequential:
    """Linear layers with ReLU between them and orthogonal weights: S inputs, F outputs."""
    sizes = [size, *[_HIDDEN] * hidden, _FEATURES]
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layer = nn.Linear(inputs, outputs)
        nn.init.orthogonal_(layer.weight, 2.0**0.5, generator=generator)
        nn.init.zeros_(layer.bias)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class Bonus:
    """The two networks and their statistics. `update` computes the bonus of a rollout, then learns from it."""

    def __init__(self, size: int, seed: int, device: torch.device) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.target = _network(size, 1, generator).requires_grad_(False).to(device)
        self.predictor = _network(size, 2, generator).to(device)
        self.optimizer = Adam(self.predictor.named_parameters())
        self.inputs, self.errors = Moments.prior(size), Moments.prior()
        self.updates, self._device = 0, device

    def update(self, rollout: Rollout, coef: float, ranks: Ranks = _ALONE) -> Tensor:
        """The bonus of each step, float32 [T, N]."""
        ended = rollout.terminated | rollout.truncated
        valid = rollout.alive[:-1] & rollout.alive[1:] & ~ended
        following = rollout.observations[1:].flatten(2)
        errors = self._errors(following) if self.updates else torch.zeros_like(rollout.rewards)
        if self.updates:
            self.errors.merge_all(Moments.of(errors[valid]) if valid.any() else Moments.none(), ranks)
        self._add_inputs(following, valid, ranks)
        self._learn(following[self.updates % _EVERY :: _EVERY], valid[self.updates % _EVERY :: _EVERY], ranks)
        self.updates += 1
        return errors * valid * (coef / max(float(self.errors.mean), 1e-12))

    def _normalised(self, rows: Tensor) -> Tensor:
        mean, variance = (part.to(self._device, torch.float32) for part in (self.inputs.mean, self.inputs.variance))
        return ((rows.float() - mean) * (variance + 1e-8).rsqrt()).clamp(-_LIMIT, _LIMIT)

    def _error(self, rows: Tensor) -> Tensor:
        """The predictor's mean squared error of each row [B]."""
        inputs = self._normalised(rows)
        difference: Tensor = self.predictor(inputs) - self.target(inputs)
        return difference.square().mean(-1)

    @torch.no_grad()
    def _errors(self, observations: Tensor) -> Tensor:
        parts = torch.split(observations.flatten(0, 1), _CHUNK_ROWS)
        return torch.cat([self._error(rows) for rows in parts]).view(observations.shape[:2])

    def _add_inputs(self, observations: Tensor, valid: Tensor, ranks: Ranks) -> None:
        seen = Moments.none(observations.shape[-1])
        for rows, kept in zip(observations, valid, strict=True):
            if kept.any():
                seen.merge(Moments.of(rows[kept].float()))
        self.inputs.merge_all(seen, ranks)

    @torch.enable_grad()
    def _learn(self, observations: Tensor, valid: Tensor, ranks: Ranks) -> None:
        """One pass over some steps. Dead rows have weight 0, so that every rank takes the same number of steps."""
        weights = torch.split(valid.flatten().float(), _CHUNK_ROWS)
        for rows, weight in zip(torch.split(observations.flatten(0, 1), _CHUNK_ROWS), weights, strict=True):
            self.predictor.zero_grad(set_to_none=True)
            loss = (self._error(rows) * weight).sum() / weight.sum().clamp(min=1.0)
            loss.backward()  # type: ignore[no-untyped-call]
            if ranks.world > 1:
                ranks.average(self.predictor.parameters(), loss.detach(), 1.0 / ranks.world)
            self.optimizer.step(_LEARNING_RATE)

    def state(self) -> dict[str, Tensor]:
        """The tensors of a checkpoint. The fixed network follows from the seed."""
        return {
            **{f"predictor.{name}": tensor for name, tensor in self.predictor.state_dict().items()},
            **{f"optimizer.{name}": tensor for name, tensor in self.optimizer.state().items()},
            **{f"inputs.{name}": tensor for name, tensor in self.inputs.state().items()},
            **{f"errors.{name}": tensor for name, tensor in self.errors.state().items()},
            "updates": torch.tensor(self.updates),
        }

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Loads a saved state."""

        def part(prefix: str) -> dict[str, Tensor]:
            return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}

        self.predictor.load_state_dict(part("predictor."))
        self.optimizer.load_state(part("optimizer."))
        self.inputs.load_state(part("inputs."))
        self.errors.load_state(part("errors."))
        self.updates = int(state["updates"])
