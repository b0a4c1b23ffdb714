"""The layers common to all built-in networks, and the multi-layer perceptron in torch and in CPU kernels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from pufferc.kernels import private
from pufferc.policies.base import Policy, State
from pufferc.policies.encoders import Encoder, Flat, OneHot, Sets

if TYPE_CHECKING:
    from pufferc.envs.vector import VecEnv


class Network(Policy):
    """An encoder, hidden layers of equal width with ReLU, and one output layer for logits and value.

    The default encoder passes the observations through as `observation_size` features. Subclasses define what is
    between the hidden layers and the output. Hidden layers multiply in `compute_dtype` (bfloat16 is twice as fast on
    processors that support it); parameters, the output layer and gradients are always float32.

    The first layer sees features as feature * input_gain + input_shift. The map is folded into that layer's
    weights and gradients, so it costs nothing per row. Both are buffers, saved with the parameters.
    """

    input_gain: Tensor  # [F]
    input_shift: Tensor  # [F]

    def __init__(
        self,
        observation_size: int,
        action_counts: Sequence[int],
        *,
        hidden_size: int = 128,
        num_layers: int = 1,
        compute_dtype: torch.dtype = torch.float32,
        encoder: Encoder | None = None,
        input_gain: Tensor | None = None,
        input_shift: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder or Flat(observation_size)
        self.compute_dtype = compute_dtype
        self.input_dtype = None if self.encoder.codes else compute_dtype
        self.register_buffer("input_gain", torch.ones(observation_size) if input_gain is None else input_gain)
        self.register_buffer("input_shift", torch.zeros(observation_size) if input_shift is None else input_shift)
        sizes = [observation_size, *[hidden_size] * num_layers]
        self.hidden = nn.ModuleList([nn.Linear(sizes[i], sizes[i + 1]) for i in range(num_layers)])
        self.output = nn.Linear(hidden_size, sum(action_counts) + 1)
        self._linear = [*self._hidden_layers(), self.output]  # cached: every minibatch reads it several times
        self._initialise(generator)

    @property
    def distribution_layer(self) -> nn.Linear:
        return self.output

    def _initialise(self, generator: torch.Generator | None) -> None:
        with torch.no_grad():
            for layer in self._layers():
                nn.init.orthogonal_(layer.weight, math.sqrt(2.0), generator=generator)
                layer.bias.zero_()
            self.output.weight[:-1] *= 0.01 / math.sqrt(2.0)  # start near the uniform policy
            self.output.weight[-1] *= 1.0 / math.sqrt(2.0)

    def _hidden_layers(self) -> list[nn.Linear]:
        return [module for module in self.hidden if isinstance(module, nn.Linear)]

    def _layers(self) -> list[nn.Linear]:
        return self._linear

    def linear_layers(self) -> list[tuple[Tensor, Tensor]]:
        """Weight and bias of every hidden layer and of the output, with the input map folded in."""
        return [self._folded(i, layer) for i, layer in enumerate(self._layers()[:-1])] + [
            (self.output.weight, self.output.bias)
        ]

    def encode(self, observations: Tensor) -> Tensor:
        """The last hidden layer [T, M, H] in compute_dtype for observations [T, M, ...]."""
        first, *others = self._layers()[:-1]
        x = torch.relu(self.encoder.linear(observations, *self._folded(0, first), self.compute_dtype))
        for layer in others:
            x = torch.relu(nn.functional.linear(x, layer.weight.to(x.dtype), layer.bias.to(x.dtype)))
        return x

    def _folded(self, index: int, layer: nn.Linear) -> tuple[Tensor, Tensor]:
        """Weight and bias of hidden layer `index`; the input map is folded into the first."""
        if index:
            return layer.weight, layer.bias
        return layer.weight * self.input_gain, layer.bias + layer.weight @ self.input_shift

    def _parameter_versions(self, layers: Sequence[tuple[Tensor, Tensor]]) -> tuple[int, ...]:
        """Changes whenever one of these weights and biases, or the input map, is written to."""
        maps = [self.encoder.gain, self.encoder.shift] if isinstance(self.encoder, Sets) else []
        tensors = [self.input_gain, self.input_shift, *maps, *(parameter for layer in layers for parameter in layer)]
        return tuple(tensor._version for tensor in tensors)

    def _unfold(self, first: nn.Linear) -> None:
        """Converts the gradients of the folded weights to those of the first layer, and of the encoder's layers."""
        assert first.weight.grad is not None and first.bias.grad is not None
        first.weight.grad.mul_(self.input_gain).addr_(first.bias.grad, self.input_shift)
        if isinstance(self.encoder, Sets):
            self.encoder.unfold()


class MLP(Network):
    """Hidden layers and the output layer only."""

    def forward(self, observations: Tensor, state: State, starts: Tensor | None) -> Tensor:
        return nn.functional.linear(self.encode(observations).float(), self.output.weight, self.output.bias)


class CodesLayer:
    """The first hidden layer of a network over one-hot codes, on the CPU and without autograd.

    It uses private.one_hot_forward, always in float32: the kernel has no products that bfloat16 would speed up.
    """

    def __init__(self, network: Network) -> None:
        assert isinstance(network.encoder, OneHot)
        self._network, self._offsets = network, network.encoder.offsets
        self._hidden: dict[str, Tensor] = {}  # [at least B, H] of the latest step and the latest training pass
        self._table, self._bias = torch.empty(0), torch.empty(0)
        self._versions: tuple[int, ...] = ()
        self._codes = torch.empty(0)

    def forward(self, use: str, observations: Tensor) -> Tensor:
        """float32 [B, H] after ReLU for observations [B, ...]; the next pass of the same `use` overwrites it."""
        network, first = self._network, self._first()
        codes = observations.flatten(1).contiguous().view(torch.uint8)
        kept = self._hidden.get(use)
        if kept is None or kept.shape[0] < codes.shape[0]:  # larger ones are reused, since allocating costs much
            kept = self._hidden[use] = torch.empty(codes.shape[0], first.out_features)
        hidden = kept[: codes.shape[0]]
        versions = network._parameter_versions([(first.weight, first.bias)])
        if self._versions != versions:
            weight, self._bias = network._folded(0, first)
            self._table, self._versions = weight.t().contiguous(), versions
        private.one_hot_forward(codes, self._offsets, self._table, self._bias, hidden, relu=True)
        if use == "train":
            self._codes = codes
        return hidden

    def backward(self, grad: Tensor) -> None:
        """Sets .grad from d loss / d output [B, H] of the latest training pass. Overwrites `grad`."""
        torch.ops.aten.threshold_backward(grad, self._hidden["train"][: grad.shape[0]], 0, grad_input=grad)
        table, first = torch.empty_like(self._table), self._first()
        first.bias.grad = torch.empty_like(first.bias)
        private.one_hot_backward(self._codes, self._offsets, grad, table, first.bias.grad)
        first.weight.grad = table.t().contiguous()
        self._network._unfold(first)

    def _first(self) -> nn.Linear:
        return self._network._layers()[0]


class CodesMLP(MLP):
    """An MLP with one hidden layer over one-hot codes, on the CPU and without autograd."""

    fused = True  # waiting torch threads would take the cores from those of the one-hot kernel

    def __init__(self, observation_size: int, action_counts: Sequence[int], **options: Any) -> None:
        super().__init__(observation_size, action_counts, **options)
        assert len(self.hidden) == 1
        self._codes_layer = CodesLayer(self)
        self._trained, self._grad = torch.empty(0), torch.empty(0, 0)

    @torch.no_grad()
    def step(self, observations: Tensor, state: State) -> tuple[Tensor, State]:
        return self._output_of(self._codes_layer.forward("step", observations)), state

    @torch.no_grad()
    def forward_for_training(self, observations: Tensor, state: State, starts: Tensor | None) -> Tensor:
        self._trained = self._codes_layer.forward("train", observations.flatten(0, 1))
        return self._output_of(self._trained).view(*observations.shape[:2], -1)

    def _output_of(self, hidden: Tensor) -> Tensor:
        # Thin products are several times faster with the long side in the columns.
        return torch.mm(self.output.weight, hidden.t()).t().add(self.output.bias)

    @torch.no_grad()
    def backward(self, grad_outputs: Tensor) -> None:
        hidden, grad = self._trained, grad_outputs.reshape(-1, grad_outputs.shape[-1])
        self.output.bias.grad = grad.sum(0)
        self.output.weight.grad = torch.mm(grad.t(), hidden)
        if self._grad.shape[0] < hidden.shape[0]:
            self._grad = torch.empty_like(hidden)  # reused: allocating it takes three times as long as the product
        self._codes_layer.backward(torch.mm(grad, self.output.weight, out=self._grad[: hidden.shape[0]]))


class FusedNetwork(Network):
    """Base class of networks whose passes are one CPU kernel each.

    Only acting and training passes differ. Parameters, `forward` and checkpoints are those of the torch network.
    """

    fused = True
    _kernel: private.Mlp | private.Recurrent

    def __init__(self, observation_size: int, action_counts: Sequence[int], **options: Any) -> None:
        super().__init__(observation_size, action_counts, **options)
        layers = self._layers()
        self._widths = [layer.in_features for layer in layers] + [layers[-1].out_features]
        self._sets = self.encoder.shape if isinstance(self.encoder, Sets) else None
        self._kernel_versions: tuple[int, ...] = ()
        self._outputs: dict[str, Tensor] = {}

    def _kernel_layers(self) -> list[tuple[Tensor, Tensor]]:
        """Weights and biases of the layers in the kernel's order."""
        encoder = self.encoder.layers() if isinstance(self.encoder, Sets) else []
        return [(layer.weight, layer.bias) for layer in [*encoder, *self._layers()]]

    def _output_buffer(self, use: str, *shape: int) -> Tensor:
        """A reused output buffer. Acting and training have separate buffers."""
        outputs = self._outputs.get(use)
        if outputs is None or outputs.shape[:-1] != shape:
            outputs = self._outputs[use] = torch.empty(*shape, self.output.out_features)
        return outputs

    def _update_kernel(self) -> None:
        """Copies the parameters to the kernel if one has changed."""
        layers, first = self._kernel_layers(), self._layers()[0]
        versions = self._parameter_versions(layers)
        if versions != self._kernel_versions:
            layers = [self._folded(0, first) if pair[0] is first.weight else pair for pair in layers]
            if isinstance(self.encoder, Sets):
                folded = self.encoder.folded_layers()
                layers[: len(folded)] = folded
            self._kernel.set_layers([weight.detach() for weight, _ in layers], [bias.detach() for _, bias in layers])
            self._kernel_versions = versions

    def _gradients(self) -> tuple[list[Tensor | None], list[Tensor | None]]:
        """Gradient buffers of the kernel's weights and biases, which alias the parameters' .grad."""
        for parameter in self.parameters():
            if parameter.grad is None:
                parameter.grad = torch.empty_like(parameter)
        layers = self._kernel_layers()
        return [weight.grad for weight, _ in layers], [bias.grad for _, bias in layers]


class FusedMLP(FusedNetwork, MLP):
    """The MLP with each pass in one CPU kernel."""

    def __init__(self, observation_size: int, action_counts: Sequence[int], **options: Any) -> None:
        super().__init__(observation_size, action_counts, **options)
        self._kernel: private.Mlp = private.Mlp(
            self._widths, bfloat16=self.compute_dtype == torch.bfloat16, sets=self._sets
        )
        self._inputs = torch.empty(0)  # inputs of the latest forward_for_training

    @torch.no_grad()
    def step(self, observations: Tensor, state: State) -> tuple[Tensor, State]:
        return self._fused_pass("step", observations.reshape(observations.shape[0], -1)), state

    @torch.no_grad()
    def forward_for_training(self, observations: Tensor, state: State, starts: Tensor | None) -> Tensor:
        steps, rows = observations.shape[:2]
        return self._fused_pass("train", observations.reshape(steps * rows, -1)).view(steps, rows, -1)

    @torch.no_grad()
    def learn(
        self, x: Tensor, minibatch: private.Minibatch, settings: private.PpoSettings, grad_outputs: Tensor
    ) -> private.PpoStats:
        """Sets .grad of every parameter from a minibatch of observations x [B, O...]; see private.Mlp.learn."""
        x = x.reshape(x.shape[0], -1).to(self.compute_dtype).contiguous()
        weights, biases = self._gradients()
        outputs = self._output_buffer("train", x.shape[0])
        self._update_kernel()
        gradients: dict[str, Any] = {"grad_outputs": grad_outputs, "grad_weights": weights, "grad_biases": biases}
        stats = self._kernel.learn(x, minibatch, settings, outputs=outputs, **gradients)
        self._unfold(self._layers()[0])
        return stats

    @torch.no_grad()
    def rollout(self, env: VecEnv, rollout: private.Rollout, **numbers: int) -> tuple[float, float, float]:
        """Collects a rollout in one kernel call; see private.Mlp.rollout."""
        self._update_kernel()
        return self._kernel.rollout(env, rollout, **numbers)

    def _fused_pass(self, use: str, x: Tensor) -> Tensor:
        x, outputs = x.to(self.compute_dtype).contiguous(), self._output_buffer(use, x.shape[0])
        self._update_kernel()
        self._kernel.forward(x, outputs, keep=use == "train")
        if use == "train":
            self._inputs = x
        return outputs

    @torch.no_grad()
    def backward(self, grad_outputs: Tensor) -> None:
        grad_outputs = grad_outputs.reshape(-1, grad_outputs.shape[-1]).contiguous()
        self._kernel.backward(self._inputs, grad_outputs, *self._gradients())
        self._unfold(self._layers()[0])
