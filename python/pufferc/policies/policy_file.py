"""`pufferc export`: writes a trained policy as one file for C and C++ programs, or as ONNX.

The header policy.h (`python -m pufferc --includedir`) documents the format; `PolicyFile` holds the contents. The input
map of the built-in networks is folded into the first layer, so it costs nothing at run time. Weights are float32,
whatever the training precision was.

ONNX files have named outputs: logits, or mean and log_std, then value. Their metadata describe the game. A policy with
memory has its state as additional inputs, and the state after the step as additional outputs. The state is zero where
an episode begins.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import struct
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pufferc.kernels.private import EntitySet, SetsShape
from pufferc.policies.encoders import CodeRow

if TYPE_CHECKING:
    from pufferc.envs.spaces import GameSpaces
    from pufferc.policies import Conv as ConvEncoder
    from pufferc.policies import Network, Policy

__all__ = [
    "LSTM",
    "CodeRow",
    "CodeRows",
    "Conv",
    "EntitySet",
    "Linear",
    "MinGRU",
    "PolicyFile",
    "Sets",
    "describe_policy",
    "export_onnx",
]

Array = NDArray[np.float32]

_MAGIC = b"PFCPOL\r\n"
_VERSION = 2
_MAX_ACTION_DIMS = 8
_MAX_OBS_DIMS = 3
_DTYPES = {"float32": 0, "int32": 1, "uint8": 2, "int8": 3}
_MASK = 2**64 - 1


@dataclass(frozen=True)
class CodeRows:
    """The first layer of a network over codes: the rows hold all values of an observation in order."""

    rows: Sequence[CodeRow]


@dataclass(frozen=True)
class Conv:
    """A 3 x 3 convolution with ReLU over the image [height, width, channels] that the inputs begin with.

    The outputs are [rows, columns, filters], then the other inputs. weight: float32 [filters, 3, 3, channels], bias:
    float32 [filters]. The border is zero; rows and columns are those of the image divided by the stride, rounded up.
    """

    weight: Array
    bias: Array
    height: int
    width: int
    stride: int

    def image(self) -> int:
        """Number of inputs that are the image."""
        return self.height * self.width * int(self.weight.shape[3])

    def outputs(self) -> int:
        """Number of outputs that are the result."""
        return -(-self.height // self.stride) * -(-self.width // self.stride) * int(self.weight.shape[0])


@dataclass(frozen=True)
class Sets:
    """The maximum of each feature over the entities of a set, for each of the sets among the inputs.

    The outputs are the inputs outside of the sets, then the features of the sets. layers: weight and bias, float32, of
    both layers of each set: [width, each] and [width], then [width, width] and [width].
    """

    sets: Sequence[EntitySet]
    layers: Sequence[tuple[Array, Array]]


@dataclass(frozen=True)
class Linear:
    """y = weight x + bias, with relu max(y, 0). weight: float32 [outputs, inputs], bias: float32 [outputs]."""

    weight: Array
    bias: Array
    relu: bool

    def parts(self) -> tuple[int, int, int]:
        """Kind in the file; rows of the weight per output; state columns per output that extend the inputs."""
        return 2, 1, 0


@dataclass(frozen=True)
class MinGRU:
    """y = x + h with h = (1 - z) h + z c, z = sigmoid(u); u, c = weight x + bias. weight: float32 [2 H, H]."""

    weight: Array
    bias: Array

    def parts(self) -> tuple[int, int, int]:
        """As in `Linear`."""
        return 4, 2, 0


@dataclass(frozen=True)
class LSTM:
    """Gates i, f, g, o = weight [x, h] + bias, as torch.nn.LSTMCell has them. weight: float32 [4 H, inputs + H]."""

    weight: Array
    bias: Array

    def parts(self) -> tuple[int, int, int]:
        """As in `Linear`."""
        return 5, 4, 1


Layer = CodeRows | Conv | Sets | Linear | MinGRU | LSTM


@dataclass(frozen=True)
class PolicyFile:
    """Contents of a policy file. Actions are discrete, or continuous in [-1, 1] if `continuous_dims` is not 0.

    The last layer is a Linear without relu. Its outputs are sum(action_counts) logits, or `continuous_dims` means and
    as many log standard deviations, followed by the value.
    """

    game: str
    game_version: int
    obs_dtype: str  # float32, int32, uint8 or int8
    obs_shape: tuple[int, ...]
    action_counts: tuple[int, ...]  # () with continuous_dims
    layers: Sequence[Layer]
    params: Mapping[str, float] = field(default_factory=dict)  # game parameters that differ from their defaults
    continuous_dims: int = 0
    squash: bool = False  # continuous actions are tanh of the sample, not clamped
    masked: bool = False  # the game has action masks

    def to_bytes(self) -> bytes:
        """The file. ValueError if the contents do not fit the format; the loader checks the rest."""
        body = self._head() + b"".join(self._layers())
        head = _MAGIC + struct.pack("<IIQQ", _VERSION, len(self.layers), 32 + len(body), checksum(body))
        return head + body

    def write(self, path: Path) -> None:
        """Writes the file under a temporary name and renames it, so that no reader sees a partial file."""
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            temporary.write_bytes(self.to_bytes())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    def _head(self) -> bytes:
        if self.obs_dtype not in _DTYPES:
            raise ValueError(f"obs_dtype must be one of {', '.join(_DTYPES)}, got {self.obs_dtype!r}")
        shape = _padded("obs_shape", self.obs_shape, _MAX_OBS_DIMS)
        continuous = self.continuous_dims
        if not 0 <= continuous <= _MAX_ACTION_DIMS or (continuous and self.action_counts):
            raise ValueError(
                f"continuous_dims must be 0 to {_MAX_ACTION_DIMS}, without action_counts beside them, got {continuous}"
            )
        if continuous and self.masked:
            raise ValueError("masked must be False for continuous actions, which have no masks")
        counts = [0] * _MAX_ACTION_DIMS
        if not continuous:
            counts = _padded("action_counts", self.action_counts, _MAX_ACTION_DIMS)
        kind, dims = (1 + self.squash, continuous) if continuous else (0, len(self.action_counts))
        head = _name("game", self.game, 64) + struct.pack("<iI3i", self.game_version, _DTYPES[self.obs_dtype], *shape)
        head += struct.pack("<Ii8iIII", kind, dims, *counts, len(self.params), self.masked, 0)
        for name, value in self.params.items():
            head += _name("a parameter", name, 32) + struct.pack("<d", float(value))
        return head

    def _layers(self) -> list[bytes]:
        layers, width = [], math.prod(self.obs_shape)
        for index, layer in enumerate(self.layers):
            packed, width = _pack(index, layer, width)
            layers.append(packed)
        if width != self.outputs:
            raise ValueError(f"the last layer must have {self.outputs} outputs, got {width}")
        return layers

    @property
    def outputs(self) -> int:
        """Outputs of the network, K + 1."""
        return (2 * self.continuous_dims or sum(self.action_counts)) + 1


def _padded(name: str, values: Sequence[int], dims: int) -> list[int]:
    if not 1 <= len(values) <= dims:
        raise ValueError(f"{name} must have 1 to {dims} entries, got {tuple(values)}")
    return [*values, *[0] * (dims - len(values))]


def _name(what: str, name: str, size: int) -> bytes:
    data = name.encode()
    if not 0 < len(data) < size:
        raise ValueError(f"the name of {what} must have 1 to {size - 1} bytes, got {name!r}")
    return data.ljust(size, b"\0")


def _pack(index: int, layer: Layer, inputs: int) -> tuple[bytes, int]:
    """The bytes of a layer and the number of its outputs."""
    if isinstance(layer, CodeRows):
        values, outputs = sum(row.count for row in layer.rows), sum(row.outputs for row in layer.rows)
        if values != inputs:
            raise ValueError(f"layer {index}: the rows must have {inputs} values, got {values}")
        data = b"".join(struct.pack("<4I", row.count, row.max_code, row.first, row.step) for row in layer.rows)
        return _layer(8, len(layer.rows), inputs, outputs, data), outputs
    if isinstance(layer, Conv):
        filters, *sides, channels = layer.weight.shape
        if sides != [3, 3] or layer.bias.shape != (filters,) or layer.image() > inputs:
            raise ValueError(
                f"layer {index}: weight must have shape (filters, 3, 3, channels) and cover at most {inputs} inputs, "
                f"got {layer.weight.shape} on {layer.height} x {layer.width}"
            )
        shape, outputs = (layer.height, layer.width, channels, layer.stride), layer.outputs() + inputs - layer.image()
        data = struct.pack("<4I", *shape) + _floats(layer.weight) + _floats(layer.bias)
        return _layer(6, filters, inputs, outputs, data), outputs
    if isinstance(layer, Sets):
        return _pack_sets(index, layer, inputs)
    kind, rows, joined = layer.parts()
    outputs = layer.bias.shape[0] // rows
    expected = (outputs * rows, inputs + outputs * joined)
    if layer.weight.shape != expected:
        raise ValueError(f"layer {index}: weight must have shape {expected}, got {layer.weight.shape}")
    relu = isinstance(layer, Linear) and layer.relu
    return _layer(kind, int(relu), inputs, outputs, _floats(layer.weight) + _floats(layer.bias)), outputs


def _pack_sets(index: int, layer: Sets, inputs: int) -> tuple[bytes, int]:
    shapes = [shape for group in layer.sets for shape in ((group.width, group.each), (group.width, group.width))]
    found = [weight.shape for weight, bias in layer.layers if bias.shape == weight.shape[:1]]
    if found != shapes:
        raise ValueError(f"layer {index}: the layers of the sets must have weights of shapes {shapes}, got {found}")
    outputs = SetsShape(inputs, tuple(layer.sets)).outputs
    data = b"".join(struct.pack("<4I", each.first, each.count, each.each, each.width) for each in layer.sets)
    data += b"".join(_floats(weight) + _floats(bias) for weight, bias in layer.layers)
    return _layer(7, len(layer.sets), inputs, outputs, data), outputs


def _floats(numbers: NDArray[Any]) -> bytes:
    return np.ascontiguousarray(numbers, "<f4").tobytes()


def _layer(kind: int, option: int, inputs: int, outputs: int, data: bytes) -> bytes:
    data += bytes(-len(data) % 8)
    return struct.pack("<IIIIQ", kind, option, inputs, outputs, len(data)) + data


def checksum(data: bytes) -> int:
    """The 64-bit checksum of policy.h over `data`, whose length is a multiple of 8."""
    value = 0xCBF29CE484222325 ^ len(data)
    for word in np.frombuffer(data, "<u8").tolist():
        value = ((value ^ word) * 0x100000001B3) & _MASK
        value ^= value >> 32
    return value


# ---- from a network ----------------------------------------------------------------------------------------


def describe_policy(policy: Policy, spaces: GameSpaces, params: Mapping[str, float]) -> PolicyFile:
    """The file of a network for a game. TypeError for custom networks, which the format cannot represent."""
    from pufferc.policies import GaussianHead, Network, make_head

    if not isinstance(policy, Network):
        raise TypeError(f"policy must be an MLP, MinGRU or LSTM, got {type(policy).__name__}; --onnx takes any network")
    head = policy.head or make_head(spaces.action_space)
    continuous = isinstance(head, GaussianHead)
    return PolicyFile(
        game=spaces.name,
        game_version=spaces.version,
        obs_dtype=str(spaces.observation_space.dtype),
        obs_shape=spaces.observation_space.shape,
        action_counts=() if continuous else tuple(head.output_sizes),
        params=params,
        layers=_layers_of(policy),
        continuous_dims=head.shape[0] if continuous else 0,
        squash=isinstance(head, GaussianHead) and head.squash,
        masked=spaces.masked,
    )


def _layers_of(policy: Network) -> list[Layer]:
    import torch

    from pufferc import policies

    def array(tensor: torch.Tensor) -> Array:
        return tensor.detach().float().cpu().numpy()

    encoder, pairs = policy.encoder, [(array(weight), array(bias)) for weight, bias in policy.linear_layers()]
    start: list[Layer] = []
    if isinstance(encoder, policies.OneHot):
        start = [CodeRows(encoder.rows)]
    elif isinstance(encoder, policies.Conv):
        convolutions = _convolutions(encoder)
        start = [CodeRows(encoder.rows), *convolutions]
        pairs[0] = _reordered(pairs[0][0], convolutions[-1]), pairs[0][1]
    elif isinstance(encoder, policies.Sets):
        layers = [(array(weight), array(bias)) for weight, bias in encoder.folded_layers()]
        start = [Sets(encoder.shape.sets, layers)]
    *hidden, output = [Linear(weight, bias, relu=i + 1 < len(pairs)) for i, (weight, bias) in enumerate(pairs)]
    if type(policy) is policies.MLP:  # a subclass may compute something else
        return [*start, *hidden, output]
    if type(policy) is policies.MinGRU:
        return [*start, *hidden, MinGRU(array(policy.gate.weight), array(policy.gate.bias)), output]
    if type(policy) is policies.LSTM:
        cell = policy.lstm
        weight = torch.cat([cell.weight_ih, cell.weight_hh], 1)
        return [*start, *hidden, LSTM(array(weight), array(cell.bias_ih + cell.bias_hh)), output]
    raise TypeError(f"policy must be an MLP, MinGRU or LSTM, got {type(policy).__name__}; --onnx takes any network")


def _convolutions(encoder: ConvEncoder) -> list[Conv]:
    """The layers of an encoder, with the channels of a cell side by side."""
    height, width, _ = encoder.image
    layers = []
    for layer in encoder.layers():
        assert layer.bias is not None
        weight = layer.weight.detach().float().permute(0, 2, 3, 1).cpu().numpy()
        layers.append(Conv(weight, layer.bias.detach().float().cpu().numpy(), height, width, int(layer.stride[0])))
        height, width = -(-height // layers[-1].stride), -(-width // layers[-1].stride)
    return layers


def _reordered(weight: Array, last: Conv) -> Array:
    """`weight` for features [rows, columns, filters] of a convolution in place of [filters, rows, columns]."""
    filters, size = last.weight.shape[0], last.outputs()
    image = weight[:, :size].reshape(len(weight), filters, size // filters)
    return np.concatenate([image.transpose(0, 2, 1).reshape(len(weight), size), weight[:, size:]], axis=1)


def export_onnx(policy: Policy, spaces: GameSpaces, path: Path, params: Mapping[str, float] | None = None) -> None:
    """Writes the network as ONNX: observations [rows, O...] of the game's dtype -> the outputs, float32.

    The outputs are logits [rows, K], all dimensions of an action side by side, or mean and log_std [rows, D]; then
    value [rows]. A policy with memory also has the inputs state_0, state_1, ... [rows, H] and the outputs new_state_0,
    ... The file's metadata describe the game, see `_onnx_metadata`; `params` are its parameters that differ from their
    defaults. Raises ValueError with the names of missing packages that torch's exporter needs.
    """
    import torch

    from pufferc.policies import GaussianHead, make_head

    missing = [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(f"--onnx needs {' and '.join(missing)}; install with: pip install onnx onnxscript")
    head = getattr(policy, "head", None) or make_head(spaces.action_space)
    gaussian = isinstance(head, GaussianHead)
    sizes = [*head.output_sizes, 1] if gaussian else [sum(head.output_sizes), 1]

    class Player(torch.nn.Module):
        """One step, with the signature of the ONNX model."""

        def __init__(self) -> None:
            super().__init__()
            self.policy = policy

        def forward(self, observations: torch.Tensor, *state: torch.Tensor) -> tuple[torch.Tensor, ...]:
            new_state: tuple[torch.Tensor, ...] = ()
            if state:
                outputs, new_state = self.policy.step(observations, state)
            else:
                outputs = self.policy(observations.unsqueeze(0), (), None).squeeze(0)
            *actions, value = torch.split(outputs, sizes, -1)
            return *actions, value.squeeze(-1), *new_state

    space = spaces.observation_space
    example = torch.from_numpy(np.zeros((2, *space.shape), space.dtype))
    state = policy.initial_state(2, torch.device("cpu"))
    rows = {0: torch.export.Dim("rows")}
    names = [f"state_{i}" for i in range(len(state))]
    actions = ["mean", "log_std"] if gaussian else ["logits"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings about the exporter itself, which a user cannot act on
        torch.onnx.export(
            Player().eval(),
            (example, *state),
            str(path),
            input_names=["observations", *names],
            output_names=[*actions, "value", *(f"new_{name}" for name in names)],
            dynamic_shapes=(rows, tuple(rows for _ in state)) if state else (rows,),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    squash = isinstance(head, GaussianHead) and head.squash
    _write_onnx_metadata(path, _onnx_metadata(spaces, squash, params or {}))


def _onnx_metadata(spaces: GameSpaces, squash: bool, params: Mapping[str, float]) -> dict[str, str]:
    """What a program needs to play the game with the network; lists and objects are JSON.

    `action_counts` are the choices of each dimension, the order of the logits. `continuous_dims` is D, 0 for a discrete
    game; its actions are clamped to [-1, 1] or, with `squash`, tanh of the sample.
    """
    continuous = 0 if spaces.action_counts else int(np.prod(spaces.action_space.shape or (1,)))
    values = {
        "game_version": spaces.version,
        "params": dict(params),
        "obs_dtype": str(spaces.observation_space.dtype),
        "obs_shape": list(spaces.observation_space.shape),
        "action_counts": list(spaces.action_counts),
        "continuous_dims": continuous,
        "squash": squash,
        "masked": spaces.masked,
    }
    return {"producer": "pufferc", "game": spaces.name, **{key: json.dumps(value) for key, value in values.items()}}


def _write_onnx_metadata(path: Path, metadata: dict[str, str]) -> None:
    import onnx

    model = onnx.load(path)
    onnx.helper.set_model_props(model, metadata)
    onnx.save(model, path)
