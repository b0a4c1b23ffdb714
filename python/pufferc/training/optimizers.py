"""Optimizers: Muon and Adam. Each step takes the learning rate as an argument.

Their state is a flat dictionary of tensors, so that a checkpoint can hold it.

Muon (Jordan 2024) replaces the momentum update of each weight matrix by the nearest matrix whose singular values are
all one. Five Newton-Schulz iterations of an odd polynomial approximate it without a singular value decomposition.
Parameters that are not matrices take plain momentum steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from pufferc.kernels import private

# Coefficients (a, b, c) of x -> a x + b x^3 + c x^5, from Jordan's Muon. They maximise the slope at zero; singular
# values end up in about [0.7, 1.2], which is close enough for an update direction.
_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


class Optimizer(Protocol):
    """The trainer's interface to an optimizer."""

    def step(self, learning_rate: float | Tensor) -> None:
        """Updates every parameter from its .grad, which must be set. A tensor [] as rate is read on the device."""

    def state(self) -> dict[str, Tensor]:
        """The tensors for a checkpoint, as live references."""

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Loads a saved state. ValueError if names or shapes differ."""


def _gradients(parameters: Mapping[str, nn.Parameter]) -> list[Tensor]:
    found = []
    for name, parameter in parameters.items():
        if parameter.grad is None:
            raise ValueError(f"parameter {name} has no gradient")
        found.append(parameter.grad)
    return found


def _mark_changed(parameters: Iterable[nn.Parameter]) -> None:
    """Increments the parameters' versions, because torch does not notice changes by kernels."""
    for parameter in parameters:
        torch.autograd.graph.increment_version(parameter)


def _copy_state(own: Mapping[str, Tensor], saved: Mapping[str, Tensor]) -> None:
    """Copies a saved state into an optimizer's tensors. ValueError if names or shapes differ."""
    if own.keys() != saved.keys():
        difference = sorted(own.keys() ^ saved.keys())
        raise ValueError(f"optimizer state: expected the tensors {sorted(own)}, differs in {difference}")
    for name, tensor in own.items():
        if tensor.shape != saved[name].shape:
            raise ValueError(
                f"optimizer state: expected {name} of shape {tuple(tensor.shape)}, got {tuple(saved[name].shape)}"
            )
        tensor.copy_(saved[name])


def _descend(parameter: Tensor, update: Tensor, rate: float | Tensor) -> None:
    """Subtracts rate * update from a parameter."""
    if isinstance(rate, Tensor):
        parameter.sub_(update * rate)
    else:
        parameter.add_(update, alpha=-rate)


class Muon:
    """Muon with Nesterov momentum; see the module. Weight decay is decoupled and applies to matrices only."""

    def __init__(
        self,
        named_parameters: Iterable[tuple[str, nn.Parameter]],
        *,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        iterations: int = 5,
    ) -> None:
        self.parameters = dict(named_parameters)
        self.averages = {  # keys as in checkpoints
            f"momentum.{name}": torch.zeros_like(parameter, requires_grad=False)
            for name, parameter in self.parameters.items()
        }
        self.momentum, self.weight_decay, self.iterations = momentum, weight_decay, iterations

    def state(self) -> dict[str, Tensor]:
        return dict(self.averages)

    @torch.no_grad()
    def load_state(self, state: Mapping[str, Tensor]) -> None:
        _copy_state(self.averages, state)

    @torch.no_grad()
    def step(self, learning_rate: float | Tensor) -> None:
        parts = self.parameters.values(), self.averages.values(), _gradients(self.parameters)
        for parameter, average, grad in zip(*parts, strict=True):
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
    """Muon with each step in one CPU kernel and the same state.

    Weight matrices are orthogonalised in bfloat16 if `bfloat16` is set, else in float32. Results differ from Muon's by
    rounding and do not depend on the number of threads.
    """

    def __init__(
        self, named_parameters: Iterable[tuple[str, nn.Parameter]], *, bfloat16: bool = False, **options: Any
    ) -> None:
        super().__init__(named_parameters, **options)
        self._kernel = private.Muon(bfloat16=bfloat16)

    @staticmethod
    def supports(parameters: Iterable[nn.Parameter]) -> bool:
        """Whether the kernel can update these parameters in place."""
        return all(p.device.type == "cpu" and p.dtype == torch.float32 and p.is_contiguous() for p in parameters)

    @torch.no_grad()
    def step(self, learning_rate: float | Tensor) -> None:
        self._kernel.step(
            [_flat(parameter.detach()) for parameter in self.parameters.values()],
            [_flat(average) for average in self.averages.values()],
            [_flat(gradient.contiguous()) for gradient in _gradients(self.parameters)],
            learning_rate=float(learning_rate),
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            iterations=self.iterations,
        )
        _mark_changed(self.parameters.values())


def _flat(tensor: Tensor) -> Tensor:
    """The tensor's memory as a vector, or as Muon's matrix if it has two or more dimensions."""
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


class Adam:
    """torch's AdamW (Kingma and Ba 2015, with decoupled weight decay), fused where torch supports it."""

    def __init__(
        self,
        named_parameters: Iterable[tuple[str, nn.Parameter]],
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-5,
        weight_decay: float = 0.0,
    ) -> None:
        self.parameters = dict(named_parameters)
        every = list(self.parameters.values())
        device = every[0].device
        on_gpu, fused = device.type == "cuda", device.type in ("cpu", "cuda")
        options: dict[str, Any] = {"betas": (beta1, beta2), "eps": epsilon, "weight_decay": weight_decay}
        # capturable: a CUDA graph can capture the step
        self.adam = torch.optim.AdamW(every, 0.0, **options, fused=fused, foreach=False, capturable=on_gpu)
        for parameter in every:  # AdamW creates it in its first step; a checkpoint may come earlier
            self.adam.state[parameter] = {
                "step": torch.zeros((), device=device),
                "exp_avg": torch.zeros_like(parameter, requires_grad=False),
                "exp_avg_sq": torch.zeros_like(parameter, requires_grad=False),
            }

    def step(self, learning_rate: float | Tensor) -> None:
        _gradients(self.parameters)  # AdamW would skip parameters without a gradient
        self.adam.param_groups[0]["lr"] = learning_rate
        self.adam.step()
        _mark_changed(self.parameters.values())

    def state(self) -> dict[str, Tensor]:
        parts = {"mean": "exp_avg", "square": "exp_avg_sq"}
        averages = {
            f"{kind}.{name}": self.adam.state[parameter][key]
            for kind, key in parts.items()
            for name, parameter in self.parameters.items()
        }
        return {**averages, "steps": self.adam.state[next(iter(self.parameters.values()))]["step"]}

    @torch.no_grad()
    def load_state(self, state: Mapping[str, Tensor]) -> None:
        _copy_state(self.state(), state)
        for parameter in self.parameters.values():
            self.adam.state[parameter]["step"].copy_(state["steps"])
