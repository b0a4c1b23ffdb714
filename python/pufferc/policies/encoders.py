"""Input encoders: an observation as plain numbers, one-hot codes, or convolutional features.

Boards such as Snake's are arrays of small codes (0 empty, 1 food, 2 corpse, ...) whose order has no meaning. `OneHot`
has a separate weight for each code of each cell; `Conv` shares the weights of a code across the board. Code 0 has no
entry in either, because the biases cover it.

Shapes: T steps, M rows, B = T M, F features, H hidden units. Observations are [T, M, ...] as stored in rollouts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor, nn

from pufferc.config import ConfigError
from pufferc.envs.spaces import GameSpaces
from pufferc.kernels import private

MAX_AUTO_CODES = 32  # per cell; policy.encoder auto uses one-hot up to here
_CHANNELS = (16, 32)  # output channels of the two convolutions


class Encoder(nn.Module):
    """Base class; the defaults pass observations through unchanged.

    Attributes:
        features: F.
        codes: whether observations are bytes, which rollouts store without a cast.
    """

    codes = False

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features

    def forward(self, observations: Tensor) -> Tensor:
        """Features [T, M, F] for observations [T, M, ...], in any dtype."""
        return observations.flatten(2)

    def linear(self, observations: Tensor, weight: Tensor, bias: Tensor, dtype: torch.dtype) -> Tensor:
        """The linear layer [T, M, H] of the features, in `dtype`. weight: [H, F], bias: [H]."""
        return nn.functional.linear(self(observations).to(dtype), weight.to(dtype), bias.to(dtype))


class Flat(Encoder):
    """The numbers of an observation."""


class OneHot(Encoder):
    """Each cell's code as a vector of which one entry is 1, or none for code 0.

    Cells may have different numbers of codes. F is the sum of the cells' largest codes, cell by cell. With `fused`, a
    CPU kernel computes the product with the weights by adding the columns of the nonzero cells. It rejects codes above
    the largest of their cell; the torch version ignores them.
    """

    codes = True
    offsets: Tensor  # int32 [cells + 1]: where the entries of each cell start
    _entry_cells: Tensor  # int64 [F]
    _entry_codes: Tensor  # uint8 [F]

    def __init__(self, max_codes: Sequence[int], *, fused: bool = False) -> None:
        """Observations of len(max_codes) cells; cell i holds codes of 0 to max_codes[i], 1 to 255."""
        super().__init__(sum(max_codes))
        counts, self._fused = torch.tensor(max_codes), fused
        ends = counts.cumsum(0)
        cells = torch.repeat_interleave(torch.arange(len(counts)), counts)
        codes = torch.arange(self.features) - (ends - counts)[cells] + 1
        offsets = nn.functional.pad(ends, (1, 0)).int()
        for name, tensor in (("offsets", offsets), ("_entry_cells", cells), ("_entry_codes", codes.byte())):
            self.register_buffer(name, tensor, persistent=False)

    @property
    def max_codes(self) -> list[int]:
        """The largest code of each cell."""
        return cast(list[int], self.offsets.diff().tolist())

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
    """Two 3 x 3 convolutions with ReLU over the one-hot planes of a board; the second has stride 2.

    The first layer embeds the codes, with separate weights for each of the nine positions around a cell.
    """

    codes = True

    def __init__(
        self, shape: tuple[int, int], max_code: int, *, dtype: torch.dtype, generator: torch.Generator | None
    ) -> None:
        """Boards of `shape` (height, width) with codes of 0 to `max_code`; products in `dtype`."""
        half = [(side + 1) // 2 for side in shape]
        super().__init__(_CHANNELS[1] * half[0] * half[1])
        self.max_code, self._dtype = max_code, dtype
        self.planes = nn.Conv2d(max_code, _CHANNELS[0], 3, padding=1)
        self.second = nn.Conv2d(*_CHANNELS, 3, padding=1, stride=2)
        with torch.no_grad():
            for layer in (self.planes, self.second):
                nn.init.orthogonal_(layer.weight, math.sqrt(2.0), generator=generator)
                cast(Tensor, layer.bias).zero_()

    def forward(self, observations: Tensor) -> Tensor:
        x = _one_hot(observations.flatten(0, 1), self.max_code).to(self._dtype).permute(0, 3, 1, 2)
        for layer in (self.planes, self.second):
            bias = cast(Tensor, layer.bias).to(x.dtype)
            x = torch.relu(nn.functional.conv2d(x, layer.weight.to(x.dtype), bias, layer.stride, layer.padding))
        return x.flatten(1).view(*observations.shape[:2], -1)


def _one_hot(codes: Tensor, max_code: int) -> Tensor:
    """One-hot bools [..., C] for codes [...]; all False for code 0 and for codes above C."""
    return codes.unsqueeze(-1) == torch.arange(1, max_code + 1, dtype=codes.dtype, device=codes.device)


def make_encoder(
    kind: Literal["auto", "flat", "onehot", "conv"],
    spaces: GameSpaces,
    *,
    dtype: torch.dtype,
    fused: bool,
    generator: torch.Generator | None,
) -> Encoder:
    """The encoder that `policy.encoder` selects for a game.

    auto is onehot for byte codes below MAX_AUTO_CODES, else flat. ConfigError if the observations do not fit.
    """
    space, shape = spaces.observation_space, spaces.observation_space.shape
    max_codes = _max_codes(spaces)
    if kind == "flat" or (kind == "auto" and (max_codes is None or max(max_codes) >= MAX_AUTO_CODES)):
        return Flat(math.prod(shape))
    if max_codes is None:
        raise ConfigError(
            f"policy.encoder: {kind!r} takes observations of codes from 0 in bytes, this game has {space}; use 'flat'"
        )
    if kind != "conv":
        return OneHot(max_codes, fused=fused)
    if len(shape) != 2:
        raise ConfigError(f"policy.encoder: 'conv' takes boards [height, width], this game has {space}; use 'onehot'")
    return Conv((shape[0], shape[1]), max(max_codes), dtype=dtype, generator=generator)


def _max_codes(spaces: GameSpaces) -> list[int] | None:
    """The largest code of each value of an 8-bit observation, None for observations that are not codes from 0.

    Rows without a number of codes have the largest code of the whole table.
    """
    space, table = spaces.observation_space, spaces.observation_rows
    if space.dtype not in (np.dtype(np.int8), np.dtype(np.uint8)):
        return None
    if any(row.low != 0 and row.num_codes == 0 for row in table):
        return None
    largest = max((int(row.high) for row in table), default=0)
    codes: list[int] = []
    for row in table:
        count = row.count or math.prod(space.shape) - len(codes)
        codes += [max(row.num_codes - 1, 1) if row.num_codes else largest] * count
    return codes if max(codes, default=0) >= 1 else None
