"""Data-parallel training: several processes, one run. `torchrun --nproc-per-node=2 -m pufferc train breakout`.

Every process (rank) runs the same loop on its shard of the games and holds the whole network. For each minibatch one
all-reduce sums the gradients of all ranks, weighted by their number of alive rows, and every rank takes the same step;
see sharding.py. Only rank 0 logs, evaluates and writes. It broadcasts decisions that depend on its clock or evaluation,
so that all ranks stop at the same update.

There are two torch.distributed groups: one for CPU values with a long timeout, because ranks may wait while rank 0
evaluates, and one for gradients on GPUs. If a rank ends early, the others get LostRank: gloo detects a closed
connection immediately.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from pufferc.config import ConfigError

_CONNECT_TIMEOUT = timedelta(minutes=2)
_GRADIENT_TIMEOUT = timedelta(minutes=10)  # for collectives that all ranks reach soon
_WAIT_TIMEOUT = timedelta(days=1)  # for collectives that rank 0 may reach after an evaluation


class LostRank(RuntimeError):
    """Another process of the run ended or is unreachable."""


class Ranks:
    """The ranks of a run with a single process. `_Group` is the version for several."""

    rank, world, local_world = 0, 1, 1

    def use_device(self, device: torch.device) -> None:
        """Opens the group for gradients."""

    def share(self, value: Any) -> Any:
        """Rank 0's value on every rank. It must be JSON-serialisable."""
        return value

    def sums(self, values: Sequence[float]) -> list[float]:
        """Sums over all ranks, in double precision."""
        return list(values)

    def gather(self, own: Tensor) -> list[Tensor]:
        """The CPU tensors of all ranks, which have equal shapes, on rank 0; [] on other ranks."""
        return [own]

    def all_gather(self, own: Tensor) -> Tensor:
        """The CPU tensors of all ranks, stacked: [world, ...]."""
        return own.unsqueeze(0)

    def broadcast(self, tensors: Iterable[Tensor]) -> None:
        """Overwrites tensors on the run's device with those of rank 0."""

    def average(self, parameters: Iterable[nn.Parameter], stats: Tensor, weight: float) -> None:
        """Replaces every .grad and `stats` in place by their weighted sum over ranks, with one all-reduce."""


class _Group(Ranks):
    """Several processes, connected by torch.distributed."""

    def __init__(self, rank: int, world: int, local_world: int) -> None:
        self.rank, self.world, self.local_world = rank, world, local_world
        with self._contact():
            self._numbers = self._gradients = dist.new_group(backend="gloo", timeout=_WAIT_TIMEOUT)
        self.nccl = False

    @contextmanager
    def _contact(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise LostRank(
                f"rank {self.rank} of {self.world} lost its connection to the other processes: {reason}"
            ) from None

    def use_device(self, device: torch.device) -> None:
        self.nccl = device.type == "cuda"
        if self.nccl:
            with self._contact():
                self._gradients = dist.new_group(backend="nccl", timeout=_GRADIENT_TIMEOUT)

    def share(self, value: Any) -> Any:
        data = json.dumps(value).encode() if self.rank == 0 else b""
        length = torch.tensor(len(data))
        with self._contact():
            dist.broadcast(length, src=0, group=self._numbers)
            text = torch.zeros(int(length), dtype=torch.uint8)
            text[: len(data)] = torch.frombuffer(bytearray(data), dtype=torch.uint8) if data else 0
            dist.broadcast(text, src=0, group=self._numbers)
        return json.loads(bytes(text.numpy()))

    def sums(self, values: Sequence[float]) -> list[float]:
        total = torch.tensor(values, dtype=torch.float64)
        with self._contact():
            dist.all_reduce(total, group=self._numbers)
        return [float(value) for value in total]

    def gather(self, own: Tensor) -> list[Tensor]:
        parts = [torch.empty_like(own) for _ in range(self.world)] if self.rank == 0 else None
        with self._contact():
            dist.gather(own.contiguous(), parts, dst=0, group=self._numbers)
        return parts or []

    def all_gather(self, own: Tensor) -> Tensor:
        parts = [torch.empty_like(own) for _ in range(self.world)]
        with self._contact():
            dist.all_gather(parts, own, group=self._numbers)
        return torch.stack(parts)

    def broadcast(self, tensors: Iterable[Tensor]) -> None:
        with self._contact():
            for tensor in tensors:
                dist.broadcast(tensor.data, src=0, group=self._gradients)

    def average(self, parameters: Iterable[nn.Parameter], stats: Tensor, weight: float) -> None:
        tensors = [parameter.grad for parameter in parameters if parameter.grad is not None] + [stats]
        flat = torch.cat([tensor.flatten().float() for tensor in tensors]).mul_(weight)
        with self._contact():
            dist.all_reduce(flat, group=self._gradients)
        for tensor, part in zip(tensors, torch.split(flat, [tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))


# ---- a run of several processes --------------------------------------------------------------------------


def process_rank() -> int:
    """This process's rank from its environment; 0 for a single process."""
    found = _environment()
    return found[0] if found is not None else 0


def own_device(device: torch.device) -> torch.device:
    """The GPU of this process: with several processes, the one whose index is the local rank."""
    if device.type != "cuda" or device.index is not None or _environment() is None:
        return device
    index, there = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if index >= there:
        raise ConfigError(f"train.device: process {index} of this machine needs its own GPU, but there are {there}")
    torch.cuda.set_device(index)
    return torch.device("cuda", index)


def _environment() -> tuple[int, int, int] | None:
    """(rank, world size, local world size) as set by torchrun, or None. ConfigError for invalid values."""
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        return None
    numbers = []
    for name in ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        value = os.environ.get(name, os.environ["WORLD_SIZE"])
        if not value.isdecimal():
            raise ConfigError(f"environment variable {name} must be a whole number, got {value!r}; torchrun sets it")
        numbers.append(int(value))
    rank, world, local = numbers
    if not rank < world:
        raise ConfigError(f"environment variable RANK must be less than WORLD_SIZE {world}, got {rank}")
    return (rank, world, max(1, local)) if world > 1 else None


@contextmanager
def connect() -> Iterator[Ranks]:
    """The ranks that torchrun, or another launcher with its environment variables, started; or this process alone.

    A process group that the program has already initialised is used and not destroyed. LostRank gets a note about the
    last checkpoint.
    """
    environment, owned = _environment(), False
    if not dist.is_available() or (environment is None and not dist.is_initialized()):
        yield Ranks()
        return
    if not dist.is_initialized():
        _initialise()
        owned = True
    local = environment[2] if environment is not None else dist.get_world_size()
    group = _Group(dist.get_rank(), dist.get_world_size(), local)
    try:
        yield group
        group.sums([0.0])  # a barrier: a rank that exits breaks the others' pending reads
    except LostRank as error:
        owned &= not group.nccl  # destroying it would wait for lost ranks
        raise LostRank(f"{error}; the last checkpoint, if any, is kept") from None
    finally:
        if owned:
            with contextlib.suppress(RuntimeError):
                dist.destroy_process_group()  # at process exit its threads may abort the process


def _initialise() -> None:
    """Connects the processes through MASTER_ADDR and MASTER_PORT."""
    where = f"{os.environ.get('MASTER_ADDR', '')}:{os.environ.get('MASTER_PORT', '')}"
    try:
        dist.init_process_group("gloo", timeout=_CONNECT_TIMEOUT)
    except ValueError as error:
        raise ConfigError(f"the processes of this run cannot be connected: {error}") from None
    except RuntimeError as error:
        text = str(error)
        reason = "the port is in use by another program" if "EADDRINUSE" in text else text.splitlines()[0]
        raise ConfigError(
            f"MASTER_ADDR:MASTER_PORT {where}: the processes of this run cannot be connected: {reason}; "
            "torchrun --standalone finds a free port"
        ) from None
