"""Array and tensor arguments of `pufferc.ops`. torch is looked up in sys.modules, not imported."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np


def is_tensor(array: Any) -> bool:
    """Whether `array` is a torch tensor."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(array, torch.Tensor)


def empty_like(kind: Any, shape: tuple[int, ...], dtype: type) -> Any:
    """A new array, torch or NumPy like `kind`."""
    array: np.ndarray[Any, Any] = np.empty(shape, dtype)
    return sys.modules["torch"].from_numpy(array) if is_tensor(kind) else array


def array_shape(name: str, array: Any, dims: int) -> tuple[int, ...]:
    """Shape of an array or tensor with `dims` dimensions. TypeError or ValueError for anything else."""
    try:
        shape = array.shape
    except Exception:  # nested tensors have no shape, and a property may raise anything
        shape = None
    if not isinstance(shape, tuple):
        raise TypeError(f"{name} must be a NumPy array or a torch CPU tensor, got {type(array).__name__}")
    if len(shape) != dims:
        raise ValueError(f"{name} must have {dims} dimensions, got shape {tuple(shape)}")
    return tuple(shape)


def check_tensor(name: str, tensor: Any, dims: int, *dtypes: str) -> None:
    """Checks for a dense tensor of one of `dtypes`, such as "float32", on the CPU or a GPU. Raises TypeError."""
    expected = f"{name} must be a dense torch tensor of {' or '.join(dtypes)} on the CPU or a GPU"
    if not is_tensor(tensor):
        raise TypeError(f"{expected}, got {type(tensor).__name__}")
    dtype, layout, device = str(tensor.dtype).removeprefix("torch."), str(tensor.layout), tensor.device.type
    lazy = tensor.is_nested or tensor.is_neg()  # its memory differs from its values
    if dtype not in dtypes or layout != "torch.strided" or device not in ("cpu", "cuda") or lazy:
        kind = " nested or negated" if lazy else ""
        raise TypeError(f"{expected}, got a{kind} tensor of {dtype}, layout {layout}, on {device}")
    array_shape(name, tensor, dims)
