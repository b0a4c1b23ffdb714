"""Input encoders: an observation as plain numbers, one-hot codes, convolutional features, or features of sets.

Boards such as Snake's are arrays of small codes (0 empty, 1 food, 2 corpse, ...) whose order has no meaning. `OneHot`
has a separate weight for each code of each cell; `Conv` shares the weights of a code across the board, and takes other
values beside it. Code 0 has no entry in either, because the biases cover it. `Sets` shares the weights of a set of
entities, such as the cars that a driver sees, among all of them.

Shapes: T steps, M rows, B = T M, F features, H hidden units. Observations are [T, M, ...] as stored in rollouts.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn

from pufferc.config import ConfigError, PolicyConfig
from pufferc.envs.games import ObsInfo
from pufferc.envs.spaces import GameSpaces
from pufferc.kernels import private

MAX_AUTO_CODES = 32  # per cell; policy.encoder auto uses one-hot up to here


class Encoder(nn.Module):
    """Base class; the defaults pass observations through unchanged.

    Attributes:
        features: F.
        table: rows that describe the features, for scaling; () = none is a plain number.
        codes: whether observations hold codes, so that rollouts store them without a cast.
    """

    codes = False

    def __init__(self, features: int, table: tuple[ObsInfo, ...] = ()) -> None:
        super().__init__()
        self.features, self.table = features, table

    def forward(self, observations: Tensor) -> Tensor:
        """Features [T, M, F] for observations [T, M, ...], in any dtype."""
        return observations.flatten(2)

    def linear(self, observations: Tensor, weight: Tensor, bias: Tensor, dtype: torch.dtype) -> Tensor:
        """The linear layer [T, M, H] of the features, in `dtype`. weight: [H, F], bias: [H]."""
        return nn.functional.linear(self(observations).to(dtype), weight.to(dtype), bias.to(dtype))


class Flat(Encoder):
    """The numbers of an observation."""


@dataclass(frozen=True)
class CodeRow:
    """`count` neighbouring values of an observation. Value i has the entries from first + i * step on.

    They are a one-hot vector of the codes 1 to `max_code`, or the value itself where `max_code` is 0.
    """

    count: int
    max_code: int
    first: int
    step: int

    @property
    def outputs(self) -> int:
        """Number of entries."""
        return self.count * max(self.max_code, 1)


def _entries(rows: Sequence[CodeRow]) -> tuple[Tensor, Tensor]:
    """The value of each entry, int64 [E], and its code, int32 [E], 0 for a plain value."""
    size, begin = sum(row.outputs for row in rows), 0
    values, codes = torch.empty(size, dtype=torch.int64), torch.zeros(size, dtype=torch.int32)
    for row in rows:
        own = torch.arange(row.count).unsqueeze(1)
        at = row.first + own * row.step + torch.arange(max(row.max_code, 1))
        values[at] = (begin + own).expand_as(at)
        if row.max_code:
            codes[at] = torch.arange(1, row.max_code + 1, dtype=torch.int32).expand_as(at)
        begin += row.count
    return values, codes


class OneHot(Encoder):
    """Each cell's code as a vector of which one entry is 1, or none for code 0.

    Cells may have different numbers of codes. F is the sum of the cells' largest codes, cell by cell. With `fused`, a
    CPU kernel computes the product with the weights by adding the columns of the nonzero cells. It rejects codes above
    the largest of their cell; the torch version ignores them.
    """

    codes = True
    offsets: Tensor  # int32 [cells + 1]: where the entries of each cell start
    _entry_cells: Tensor  # int64 [F]
    _entry_codes: Tensor  # int32 [F]

    def __init__(self, max_codes: Sequence[int], *, fused: bool = False) -> None:
        """Observations of len(max_codes) cells; cell i holds codes of 0 to max_codes[i], 1 to 255."""
        super().__init__(sum(max_codes))
        self.rows, first = [], 0
        for max_code, equal in itertools.groupby(max_codes):
            self.rows.append(CodeRow(len(list(equal)), max_code, first, max_code))
            first += self.rows[-1].outputs
        self._fused = fused
        offsets = torch.tensor([0, *itertools.accumulate(max_codes)], dtype=torch.int32)
        cells, codes = _entries(self.rows)
        for name, tensor in (("offsets", offsets), ("_entry_cells", cells), ("_entry_codes", codes)):
            self.register_buffer(name, tensor, persistent=False)

    def forward(self, observations: Tensor) -> Tensor:
        cells = observations.flatten(2)
        return cells.index_select(2, self._entry_cells) == self._entry_codes.to(cells.dtype)

    def linear(self, observations: Tensor, weight: Tensor, bias: Tensor, dtype: torch.dtype) -> Tensor:
        if not self._fused:
            return super().linear(observations, weight, bias, dtype)
        codes = observations.flatten(2).contiguous().view(torch.uint8)
        y = _CodesLinear.apply(codes.flatten(0, 1), weight, bias, self.offsets)  # type: ignore[no-untyped-call]
        return cast(Tensor, y).view(*codes.shape[:2], -1).to(dtype)


class _CodesLinear(torch.autograd.Function):
    """The layer of private.one_hot_forward: codes uint8 [B, cells], weight [H, F], bias [H] to y [B, H]."""

    @staticmethod
    def forward(ctx: Any, codes: Tensor, weight: Tensor, bias: Tensor, offsets: Tensor) -> Tensor:
        y = weight.new_empty(codes.shape[0], weight.shape[0])
        table = weight.detach().t().contiguous()
        private.one_hot_forward(codes, offsets, table, bias.detach().contiguous(), y)
        ctx.save_for_backward(codes, offsets)
        ctx.entries = weight.shape[1]
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor, Tensor, None]:
        codes, offsets = ctx.saved_tensors
        table, bias = grad.new_empty(ctx.entries, grad.shape[1]), grad.new_empty(grad.shape[1])
        private.one_hot_backward(codes, offsets, grad.contiguous(), table, bias)
        return None, table.t(), bias, None


class Conv(Encoder):
    """Convolutions over the planes of an observation, beside one-hot codes and plain numbers of its other values.

    Two 3 x 3 convolutions with ReLU; the second has stride 2 and twice as many channels. The first one's input has a
    channel for each code of each plane but code 0, and one for a plane of numbers. It embeds the codes, with separate
    weights for each of the nine positions around a cell. Features: those of the second convolution, channel by channel,
    then what lies beside the planes.
    """

    codes = True
    _entry_values: Tensor  # int64 [E]: the value of each entry, see `_entries`
    _entry_codes: Tensor  # int32 [E]
    _plain: Tensor  # bool [E]

    def __init__(
        self,
        rows: Sequence[CodeRow],
        image: tuple[int, int, int],
        channels: int,
        *,
        dtype: torch.dtype,
        table: tuple[ObsInfo, ...] = (),
        generator: torch.Generator | None,
    ) -> None:
        """Products are in `dtype`.

        `rows` write an image (height, width, channels), row by row with the channels of a cell side by side, and what
        follows it. `channels`: those of the first convolution. `table` names the plain features, see Encoder.
        """
        height, width, depth = image
        size, entries = height * width * depth, sum(row.outputs for row in rows)
        half = (height + 1) // 2 * ((width + 1) // 2)
        super().__init__(2 * channels * half + entries - size, table)
        self.rows, self.image, self._dtype = tuple(rows), image, dtype
        values, codes = _entries(rows)
        for name, tensor in (("_entry_values", values), ("_entry_codes", codes), ("_plain", codes == 0)):
            self.register_buffer(name, tensor, persistent=False)
        self._any_plain = bool((codes == 0).any())
        self.planes = nn.Conv2d(depth, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, 2 * channels, 3, padding=1, stride=2)
        with torch.no_grad():
            for layer in self.layers():
                nn.init.orthogonal_(layer.weight, math.sqrt(2.0), generator=generator)
                cast(Tensor, layer.bias).zero_()

    def layers(self) -> tuple[nn.Conv2d, nn.Conv2d]:
        """Both convolutions."""
        return self.planes, self.second

    def forward(self, observations: Tensor) -> Tensor:
        (height, width, depth), entries = self.image, self._expand(observations.flatten(2).flatten(0, 1))
        size = height * width * depth
        x = entries[:, :size].view(-1, height, width, depth).permute(0, 3, 1, 2)
        for layer in self.layers():
            bias = cast(Tensor, layer.bias).to(x.dtype)
            x = torch.relu(nn.functional.conv2d(x, layer.weight.to(x.dtype), bias, layer.stride, layer.padding))
        features = x.flatten(1) if entries.shape[1] == size else torch.cat([x.flatten(1), entries[:, size:]], 1)
        return features.view(*observations.shape[:2], -1)

    def _expand(self, values: Tensor) -> Tensor:
        """Entries [B, E] of values [B, S]: whether a value has the entry's code, or the value itself."""
        picked = values.index_select(1, self._entry_values)
        coded = (picked == self._entry_codes.to(values.dtype)).to(self._dtype)
        return torch.where(self._plain, picked.to(self._dtype), coded) if self._any_plain else coded


class Sets(Encoder):
    """A small network for the entities of each set, and the maximum of its features over the entities.

    A set is a row of the observation table with `each`. An entity whose first value is 0 is absent. The features of a
    set are max(0, max over present entities x of B max(0, A x + a) + b), 0 if none is present. They follow the values
    outside of sets. The fused networks run this encoder inside their kernels (csrc/networks/sets.h).

    Attributes:
        shape: The sets of an observation.
        entities: Their rows of the observation table.
    """

    gain: Tensor  # [sets]; A sees value * gain + shift, which is folded into A and a
    shift: Tensor  # [sets]
    _plain: Tensor  # int64: the values outside of sets

    def __init__(
        self, table: Sequence[ObsInfo], width: int, *, dtype: torch.dtype, generator: torch.Generator | None
    ) -> None:
        """`table`: all rows of the observation, with their counts. `width`: features of a set. Products in `dtype`."""
        begins = list(itertools.accumulate((row.count for row in table), initial=0))
        places = list(zip(begins, table, strict=False))
        sets = [private.EntitySet(at, row.count, row.each, width) for at, row in places if _is_set(row)]
        plain = [at + i for at, row in places if not _is_set(row) for i in range(row.count)]
        shape = private.SetsShape(begins[-1], tuple(sets))
        numbers = (row for row in table if not _is_set(row) and row.count)
        super().__init__(shape.outputs, (*numbers, ObsInfo("", width * len(sets), 0, 1, "")))
        self.shape, self._dtype = shape, dtype
        self.entities = tuple(row for row in table if _is_set(row))
        self.register_buffer("_plain", torch.tensor(plain, dtype=torch.int64), persistent=False)
        self.register_buffer("gain", torch.ones(len(sets)))
        self.register_buffer("shift", torch.zeros(len(sets)))
        self.networks = nn.ModuleList([nn.Linear(size, width) for each in sets for size in (each.each, width)])
        with torch.no_grad():
            for layer in self.layers():
                nn.init.orthogonal_(layer.weight, math.sqrt(2.0), generator=generator)
                layer.bias.zero_()

    def layers(self) -> list[nn.Linear]:
        """A and a, B and b of each set."""
        return [module for module in self.networks if isinstance(module, nn.Linear)]

    def folded_layers(self) -> list[tuple[Tensor, Tensor]]:
        """Weight and bias of each layer, with gain and shift folded in."""
        pairs: list[tuple[Tensor, Tensor]] = [(layer.weight, layer.bias) for layer in self.layers()]
        for i, (gain, shift) in enumerate(zip(self.gain, self.shift, strict=True)):
            weight, bias = pairs[2 * i]
            pairs[2 * i] = weight * gain, bias + weight.sum(1) * shift
        return pairs

    def unfold(self) -> None:
        """Converts the gradients of the folded weights to those of the layers."""
        for layer, gain, shift in zip(self.layers()[::2], self.gain, self.shift, strict=True):
            assert layer.weight.grad is not None and layer.bias.grad is not None
            layer.weight.grad.mul_(gain).add_((layer.bias.grad * shift).unsqueeze(1))

    def forward(self, observations: Tensor) -> Tensor:
        values = observations.flatten(2).flatten(0, 1).to(self._dtype)
        layers = [(weight.to(self._dtype), bias.to(self._dtype)) for weight, bias in self.folded_layers()]
        parts = [values.index_select(1, self._plain)]
        for i, place in enumerate(self.shape.sets):
            rows = values[:, place.first : place.first + place.count].view(-1, place.count // place.each, place.each)
            hidden = torch.relu(nn.functional.linear(rows, *layers[2 * i]))
            absent = rows[..., :1] == 0
            found = nn.functional.linear(hidden, *layers[2 * i + 1]).masked_fill(absent, -math.inf)
            parts.append(torch.relu(found.amax(1)))
        return torch.cat(parts, 1).view(*observations.shape[:2], -1)


def _is_set(row: ObsInfo) -> bool:
    return row.each > 0 and row.count > 0


def make_encoder(
    policy: PolicyConfig,
    spaces: GameSpaces,
    *,
    dtype: torch.dtype,
    fused: bool,
    generator: torch.Generator | None,
) -> Encoder:
    """The encoder that `policy.encoder` selects for a game.

    auto is onehot for byte codes below MAX_AUTO_CODES, else flat. ConfigError if the observations do not fit.
    """
    space, kind = spaces.observation_space, policy.encoder
    rows = _whole_rows(spaces)
    if kind == "sets":
        if not any(_is_set(row) for row in rows):
            raise ConfigError("policy.encoder: 'sets' takes observations with rows of entities, this game has none")
        return Sets(rows, policy.set_size, dtype=dtype, generator=generator)
    if kind == "conv" and any(row.plane_height for row in rows):
        return _make_conv(rows, policy.conv_channels, dtype, generator)
    max_codes = _max_codes(space, rows)
    if kind == "flat" or (kind == "auto" and (max_codes is None or max(max_codes) >= MAX_AUTO_CODES)):
        return Flat(math.prod(space.shape), rows)
    if max_codes is None:
        raise ConfigError(
            f"policy.encoder: {kind!r} takes observations of codes from 0 in bytes, this game has {space}; use 'flat'"
        )
    if kind != "conv":
        return OneHot(max_codes, fused=fused)
    if len(space.shape) != 2:
        raise ConfigError(f"policy.encoder: 'conv' takes boards [height, width], this game has {space}; use 'onehot'")
    height, width = space.shape
    board = ObsInfo("", len(max_codes), 0, max(max_codes), "", 0, max(max_codes) + 1, height, width)
    return _make_conv((board,), policy.conv_channels, dtype, generator)


def _whole_rows(spaces: GameSpaces) -> tuple[ObsInfo, ...]:
    """The observation table with the count of its last row filled in."""
    *others, last = spaces.observation_rows
    rest = math.prod(spaces.observation_space.shape) - sum(row.count for row in others)
    return (*others, replace(last, count=rest))


def _max_codes(space: gym.Space[Any], table: Sequence[ObsInfo]) -> list[int] | None:
    """The largest code of each value of an 8-bit observation, None for observations that are not codes from 0.

    Rows without a number of codes have the largest code of the whole table.
    """
    if space.dtype not in (np.dtype(np.int8), np.dtype(np.uint8)):
        return None
    if any(row.low != 0 and row.num_codes == 0 for row in table):
        return None
    largest = max(int(row.high) for row in table)
    codes = [_max_code(row) or largest for row in table for _ in range(row.count)]
    return codes if max(codes) >= 1 else None


def _max_code(row: ObsInfo) -> int:
    """The largest code of a row, 0 for a row without codes. A row whose only code is 0 has one unused entry."""
    return max(row.num_codes - 1, 1) if row.num_codes else 0


def _make_conv(table: Sequence[ObsInfo], channels: int, dtype: torch.dtype, generator: torch.Generator | None) -> Conv:
    """The encoder of an observation with planes: an image, then the codes and then the numbers of the other rows."""
    sizes = {(row.plane_height, row.plane_width) for row in table if row.plane_height}
    if len(sizes) > 1:
        found = " and ".join(f"{height} x {width}" for height, width in sorted(sizes))
        raise ConfigError(f"policy.encoder: 'conv' takes planes of one size, this game has {found}; use 'onehot'")
    ((height, width),) = sizes
    cells = height * width
    depth = sum(row.count // cells * max(_max_code(row), 1) for row in table if row.plane_height)
    coded = [row for row in table if row.num_codes and not row.plane_height]
    plain = [row for row in table if not row.num_codes and not row.plane_height]
    channel, code = 0, cells * depth
    number = code + sum(row.count * _max_code(row) for row in coded)
    features = 2 * channels * ((height + 1) // 2) * ((width + 1) // 2) + number - code
    rows = []
    for row in table:
        most = _max_code(row)
        if row.plane_height:
            for _ in range(row.count // cells):
                rows.append(CodeRow(cells, most, channel, depth))
                channel += max(most, 1)
        elif most:
            rows.append(CodeRow(row.count, most, code, most))
            code += rows[-1].outputs
        else:
            rows.append(CodeRow(row.count, 0, number, 1))
            number += row.count
    names = (ObsInfo("", features, 0, 1, ""), *plain) if plain else ()
    return Conv(rows, (height, width, depth), channels, dtype=dtype, table=names, generator=generator)
