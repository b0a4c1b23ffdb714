"""Optimizers: Muon and Adam, with the learning rate given at each step.

Both keep their state as a flat dictionary of tensors, so that a checkpoint can hold it, and update parameters in place
without allocating more than the update itself.

Muon (Jordan 2024): momentum, then each weight matrix's update is replaced by the nearest matrix whose singular values
are all one. That is found by a Newton-Schulz iteration: five matrix products of odd polynomials instead of a singular
value decomposition. Parameters that are not matrices take plain momentum steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from pufferc.kernels import private

# Coefficients (a, b, c) of x -> a x + b x^3 + c x^5, from Jordan's Muon: chosen for steep growth at zero; singular
# values end within about 0.7 to 1.2, which is close enough for the direction of an update.
_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


class Optimizer(Protocol):
    """What the trainer needs of an optimizer."""

    def step(self, learning_rate: float | Tensor) -> None:
        """Updates every parameter from its .grad (which must be set). A tensor [] is read by the device alone."""

    def state(self) -> dict[str, Tensor]:
        """The tensors that a checkpoint keeps: live references, not copies."""

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Copies a saved state in. ValueError if names or shapes do not fit."""


class _MomentumState:
    """Parameters with their running averages, saved as "<kind>.<parameter name>"."""

    def __init__(self, named_parameters: Iterable[tuple[str, nn.Parameter]], kinds: tuple[str, ...]) -> None:
        self.parameters = dict(named_parameters)
        self.averages = {
            f"{kind}.{name}": torch.zeros_like(parameter, requires_grad=False)
            for kind in kinds
            for name, parameter in self.parameters.items()
        }

    def state(self) -> dict[str, Tensor]:
        return dict(self.averages)

    @torch.no_grad()
    def load_state(self, state: Mapping[str, Tensor]) -> None:
        own = self.state()
        if own.keys() != state.keys():
            difference = sorted(own.keys() ^ state.keys())
            raise ValueError(f"optimizer state: expected the tensors {sorted(own)}, differs in {difference}")
        for name, tensor in own.items():
            if tensor.shape != state[name].shape:
                raise ValueError(
                    f"optimizer state: expected {name} of shape {tuple(tensor.shape)}, got {tuple(state[name].shape)}"
                )
            tensor.copy_(state[name])


def _descend(parameter: Tensor, update: Tensor, rate: float | Tensor) -> None:
    """Moves a parameter by minus rate times update."""
    if isinstance(rate, Tensor):
        parameter.sub_(update * rate)
    else:
        parameter.add_(update, alpha=-rate)


class Muon(_MomentumState):
    """Muon with Nesterov momentum; see the module. Weight decay is decoupled and applies to matrices only."""

    def __init__(
        self,
        named_parameters: Iterable[tuple[str, nn.Parameter]],
        *,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        iterations: int = 5,
    ) -> None:
        super().__init__(named_parameters, ("momentum",))
        self.momentum, self.weight_decay, self.iterations = momentum, weight_decay, iterations

    @torch.no_grad()
    def step(self, learning_rate: float | Tensor) -> None:
        for name, parameter in self.parameters.items():
            grad, average = parameter.grad, self.averages[f"momentum.{name}"]
            if grad is None:
                raise ValueError(f"parameter {name} has no gradient")
            average.mul_(self.momentum).add_(grad)
            update = grad.add(average, alpha=self.momentum)
            if update.ndim >= 2:
                rows = update.shape[0]
                update = orthogonalize(update.view(rows, -1), self.iterations).view_as(parameter)
                if self.weight_decay:
                    parameter.mul_(1.0 - learning_rate * self.weight_decay)
                _descend(parameter, update, learning_rate * math.sqrt(max(1.0, rows / (update.numel() / rows))))
            else:
                _descend(parameter, update, learning_rate)


class FusedMuon(Muon):
    """The same optimizer with each step in one kernel, on the CPU; its state is that of Muon.

    Weight matrices are orthogonalised in bfloat16 where `bfloat16` is set, else in float32. Results differ from Muon's
    by rounding, and not with the number of threads.
    """

    def __init__(
        self, named_parameters: Iterable[tuple[str, nn.Parameter]], *, bfloat16: bool = False, **options: Any
    ) -> None:
        super().__init__(named_parameters, **options)
        self._kernel = private.Muon(bfloat16=bfloat16)

    @staticmethod
    def takes(parameters: Iterable[nn.Parameter]) -> bool:
        """Whether the kernel can work on these parameters where they lie."""
        return all(p.device.type == "cpu" and p.dtype == torch.float32 and p.is_contiguous() for p in parameters)

    @torch.no_grad()
    def step(self, learning_rate: float | Tensor) -> None:
        self._kernel.step(
            [_flat(parameter.detach()) for parameter in self.parameters.values()],
            [_flat(average) for average in self.averages.values()],
            [_flat(grad) for grad in self._gradients()],
            learning_rate=float(learning_rate),
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            iterations=self.iterations,
        )
        for parameter in self.parameters.values():
            torch.autograd.graph.increment_version(parameter)

    def _gradients(self) -> Iterator[Tensor]:
        for name, parameter in self.parameters.items():
            if parameter.grad is None:
                raise ValueError(f"parameter {name} has no gradient")
            yield parameter.grad.contiguous()


def _flat(tensor: Tensor) -> Tensor:
    """The tensor's memory as a vector or, from two dimensions on, as Muon's matrix."""
    return tensor.view(tensor.shape[0], -1) if tensor.ndim > 1 else tensor.view(-1)


def orthogonalize(matrix: Tensor, iterations: int = 5) -> Tensor:
    """A matrix [m, n] near the closest one with orthonormal rows (m <= n) or columns: singular values near one."""
    a, b, c = _NEWTON_SCHULZ
    wide = matrix.shape[0] <= matrix.shape[1]
    x = matrix if wide else matrix.t()
    x = x / (x.norm() + 1e-12)
    for _ in range(iterations):
        gram = torch.mm(x, x.t())
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x if wide else x.t()


class Adam(_MomentumState):
    """Adam (Kingma and Ba 2015) with decoupled weight decay."""

    def __init__(
        self,
        named_parameters: Iterable[tuple[str, nn.Parameter]],
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-5,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(named_parameters, ("mean", "square"))
        self.beta1, self.beta2, self.epsilon, self.weight_decay = beta1, beta2, epsilon, weight_decay
        devices = {parameter.device for parameter in self.parameters.values()}
        self.steps = torch.zeros((), dtype=torch.int64, device=next(iter(devices), None))

    def state(self) -> dict[str, Tensor]:
        return {**self.averages, "steps": self.steps}

    @torch.no_grad()
    def step(self, learning_rate: float | Tensor) -> None:
        self.steps += 1
        scale, square_scale = self._scales(learning_rate)
        for name, parameter in self.parameters.items():
            grad, mean, square = parameter.grad, self.averages[f"mean.{name}"], self.averages[f"square.{name}"]
            if grad is None:
                raise ValueError(f"parameter {name} has no gradient")
            mean.lerp_(grad, 1.0 - self.beta1)
            square.mul_(self.beta2).addcmul_(grad, grad, value=1.0 - self.beta2)
            if self.weight_decay:
                parameter.mul_(1.0 - learning_rate * self.weight_decay)
            divisor = square.sqrt().mul_(square_scale).add_(self.epsilon)
            if isinstance(scale, Tensor):
                parameter.sub_(mean / divisor * scale)
            else:
                parameter.addcdiv_(mean, divisor, value=-scale)

    def _scales(self, learning_rate: float | Tensor) -> tuple[float | Tensor, float | Tensor]:
        """Rate and factor of the root, which make up for averages that began at zero."""
        if isinstance(learning_rate, Tensor):
            shares = [1.0 - torch.pow(beta, self.steps.double()) for beta in (self.beta1, self.beta2)]
            return (learning_rate / shares[0]).float(), shares[1].rsqrt().float()
        steps = int(self.steps)
        return learning_rate / (1.0 - self.beta1**steps), 1.0 / math.sqrt(1.0 - self.beta2**steps)


def clip_gradients(parameters: Iterable[nn.Parameter], max_norm: float) -> float:
    """Scales all gradients so that their joint norm is at most max_norm; returns the norm before."""
    return float(torch.nn.utils.clip_grad_norm_(parameters, max_norm))
