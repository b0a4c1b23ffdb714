"""Data-parallel training: several processes, one run. `torchrun --nproc-per-node=2 -m pufferc train breakout`.

Every process, a rank, steps its share of the games and holds the whole network. Rank 0 leads: it alone reads the
command line, logs, evaluates and writes, and tells the others what to do next; they write nothing. At each minibatch
the gradients of all ranks are summed in one all-reduce of a flat buffer, each weighted by the rows that act in it, and
every rank takes the same step. Shares are cut so that the ranks' minibatches together are those of one process: the
same games with the same random streams, the same draws, the same order. Results then differ by rounding only.

Two groups of torch.distributed: control, on the CPU, where waiting is no mistake (rank 0 evaluates, say), and data, for
gradients, where it is one after `_DATA_TIMEOUT`. On the CPUs of one machine gradients go through shared memory instead,
see exchange.py. The others notice at once when a rank dies: they stop, and the first of them saves what it knows (see
`Ranks.rescue`).
"""

from __future__ import annotations

import contextlib
import os
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from pufferc.config import ConfigError
from pufferc.training import exchange
from pufferc.training.exchange import Exchange
from pufferc.training.sharding import SharedMinibatches

_CONNECT_TIMEOUT = timedelta(minutes=2)
_DATA_TIMEOUT = timedelta(minutes=10)  # of a collective that all ranks are on their way to
_CONTROL_TIMEOUT = timedelta(days=1)  # of one before which rank 0 may evaluate for long


class LostRank(RuntimeError):
    """Another process of the run ended or cannot be reached; the message says what was saved."""


class Ranks:
    """The processes of a run: this one alone. `_Group` is several."""

    rank, world, local_world = 0, 1, 1
    rescue: Callable[[], Any] | None = None  # saves a checkpoint without the help of others; set by the trainer

    @contextmanager
    def leading(self, word: str, *arguments: Any) -> Iterator[None]:
        """Rank 0: the others call this method of their trainer too, while rank 0 does its own part inside."""
        yield

    def listen(self) -> tuple[str, tuple[Any, ...]]:
        """Other ranks: what rank 0 tells next, a word and its arguments."""
        raise RuntimeError("a process by itself has no other to listen to")

    def end(self, result: Any) -> None:
        """Rank 0: the others leave the run with this result, or raise it if it is an error."""

    @contextmanager
    def agreement(self) -> Iterator[None]:
        """What is done inside succeeds on every rank, or an error is raised on every rank."""
        yield

    def use_device(self, device: torch.device) -> None:
        """Opens the group for gradients."""

    def broadcast(self, tensors: Iterable[Tensor]) -> None:
        """Makes tensors equal to those of rank 0."""

    def gather(self, value: Any) -> list[Any]:
        """The values of all ranks at rank 0; [] elsewhere."""
        return [value]

    def sums(self, values: Sequence[float]) -> list[float]:
        """Sums over all ranks, in double precision."""
        return list(values)

    def moments(self, samples: Sequence[tuple[Tensor, Tensor | None]]) -> tuple[Tensor, Tensor, Tensor]:
        """Count, mean and sample standard deviation of each sample over all ranks: float64 [len(samples)] each.

        A sample is its values and where they count (None: everywhere). For fewer than two values the deviation is 0.
        """
        own = torch.stack([_moments(*sample) for sample in samples])
        parts = self.all_gather(own)
        count = parts[:, :, 0].sum(0)
        mean = (parts[:, :, 0] * parts[:, :, 1]).sum(0) / count.clamp(min=1.0)
        squares = (parts[:, :, 2] + parts[:, :, 0] * (parts[:, :, 1] - mean).square()).sum(0)  # Chan et al. 1979
        return count, mean, (squares / (count - 1.0).clamp(min=1.0)).sqrt()

    def minibatches(self, advantages: Sequence[tuple[Tensor, Tensor | None]], *, normalize: bool) -> SharedMinibatches:
        """Of each minibatch: this rank's advantages and where rows act. `normalize`: whether they will be."""
        own = [values.numel() if mask is None else int(mask.sum()) for values, mask in advantages]
        count, mean, std = self.moments(advantages)
        weight = [mine / max(1.0, all_) for mine, all_ in zip(own, count.tolist(), strict=True)]
        return SharedMinibatches(mean.float(), std.float() if normalize else torch.zeros_like(mean), weight)

    def all_gather(self, own: Tensor) -> Tensor:
        """The tensors of all ranks, [world, ...], on the CPU."""
        return own.unsqueeze(0)

    def average(self, policy: nn.Module, numbers: Sequence[float], weight: float) -> list[float]:
        """Replaces every .grad, and returns `numbers`, by the sum over ranks of weight times it."""
        return list(numbers)


def _moments(values: Tensor, mask: Tensor | None) -> Tensor:
    """Count, mean and sum of squared deviations, float64 [3] on the CPU."""
    x = (values if mask is None else values[mask]).double()
    if x.numel() == 0:
        return torch.zeros(3, dtype=torch.float64)
    mean = x.mean()
    return torch.stack([mean.new_tensor(x.numel()), mean, (x - mean).square().sum()]).cpu()


class _Group(Ranks):
    """Several processes that torch.distributed connects."""

    def __init__(self, rank: int, world: int, local_world: int) -> None:
        self.rank, self.world, self.local_world = rank, world, local_world
        with self._contact():
            self._control = dist.new_group(backend="gloo", timeout=_CONTROL_TIMEOUT)
        self.nccl = False
        self._leading = False  # an error now would find the others amid their part
        self._data: Any = None
        self._flat: Tensor | None = None
        self._exchange: Exchange | None = None
        self._exchange_wanted = True
        self._views: list[Tensor] = []

    @contextmanager
    def _contact(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise LostRank(
                f"rank {self.rank} of {self.world} lost contact with the others: {str(error).splitlines()[0]}"
            ) from None

    # ---- control ------------------------------------------------------------------------------------

    def _share(self, value: Any) -> Any:
        """The value of rank 0, on every rank."""
        box = [value]
        with self._contact():
            dist.broadcast_object_list(box, src=0, group=self._control)
        return box[0]

    @contextmanager
    def leading(self, word: str, *arguments: Any) -> Iterator[None]:
        if self.rank == 0:
            self._share((word, arguments))
            self._leading = True
        yield
        self._leading = False

    def end(self, result: Any) -> None:
        if self._leading:
            return  # they notice when this process ends
        self._share(("end", (_portable(result, 0) if isinstance(result, Exception) else result,)))
        self._part()

    def close(self) -> None:
        """Lets the connections go; left to the end of the process, their threads may abort it."""
        with contextlib.suppress(RuntimeError):
            dist.destroy_process_group()

    def _part(self) -> None:
        """Before ranks may end: rank 0, last of all, since one that ends fails what others still read from it."""
        self.gather(None)

    def listen(self) -> tuple[str, tuple[Any, ...]]:
        said: tuple[str, tuple[Any, ...]] = self._share(None)
        if said[0] == "end":
            self._part()
        return said

    @contextmanager
    def agreement(self) -> Iterator[None]:
        own: Exception | None = None
        try:
            yield
        except LostRank:
            raise
        except Exception as error:
            own = error
        with self._contact():
            failed = torch.tensor([own is not None], dtype=torch.int32)
            dist.all_reduce(failed, op=dist.ReduceOp.MAX, group=self._control)
            if not failed.item():
                return
            errors: list[Any] = [None] * self.world
            dist.all_gather_object(errors, None if own is None else _portable(own, self.rank), group=self._control)
        self._part()
        raise own if own is not None else next(error for error in errors if error is not None)

    def gather(self, value: Any) -> list[Any]:
        box: list[Any] | None = [None] * self.world if self.rank == 0 else None
        with self._contact():
            dist.gather_object(value, box, dst=0, group=self._control)
        return box or []

    def sums(self, values: Sequence[float]) -> list[float]:
        total = torch.tensor(values, dtype=torch.float64)
        with self._contact():
            dist.all_reduce(total, group=self._control)
        return [float(value) for value in total]

    def all_gather(self, own: Tensor) -> Tensor:
        parts = [torch.empty_like(own) for _ in range(self.world)]
        with self._contact():
            dist.all_gather(parts, own, group=self._control)
        return torch.stack(parts)

    # ---- data ---------------------------------------------------------------------------------------

    def use_device(self, device: torch.device) -> None:
        self.nccl = device.type == "cuda"
        backend = "nccl" if self.nccl else "gloo"
        with self._contact():
            self._data = dist.new_group(backend=backend, timeout=_DATA_TIMEOUT)

    def broadcast(self, tensors: Iterable[Tensor]) -> None:
        with self._contact():
            for tensor in tensors:
                dist.broadcast(tensor.data, src=0, group=self._data)

    def average(self, policy: nn.Module, numbers: Sequence[float], weight: float) -> list[float]:
        parameters = list(policy.parameters())
        if self._flat is None:
            sizes = [parameter.numel() for parameter in parameters]
            self._flat = torch.zeros(sum(sizes) + len(numbers), device=parameters[0].device)
            parts = torch.split(self._flat[: sum(sizes)], sizes)
            self._views = [part.view_as(parameter) for part, parameter in zip(parts, parameters, strict=True)]
        for parameter, view in zip(parameters, self._views, strict=True):
            if parameter.grad is None:
                view.zero_()
            elif parameter.grad is not view:
                view.copy_(parameter.grad)
            parameter.grad = view
        tail = self._flat[self._flat.numel() - len(numbers) :]
        tail.copy_(torch.tensor(numbers))
        self._flat.mul_(weight)
        self._sum(self._flat)
        return [float(value) for value in tail]

    def _sum(self, flat: Tensor) -> None:
        """All-reduce in place."""
        if self._exchange is None and self._exchange_wanted:
            self._exchange_wanted = False
            self._exchange = self._make_exchange(flat)
        with self._contact():
            if self._exchange is not None:
                self._exchange.sum(flat)
            else:
                dist.all_reduce(flat, group=self._data)

    def _make_exchange(self, flat: Tensor) -> Exchange | None:
        """Shared memory between CPUs of one machine; None where that cannot be had on every rank."""
        if flat.device.type != "cpu" or self.local_world != self.world:
            return None
        path, made = None, None
        if self.rank == 0 and exchange.available():
            with contextlib.suppress(OSError):
                path = exchange.create(self.world, flat.numel())
        path = self._share(path)
        if path is not None:
            with contextlib.suppress(OSError):
                made = Exchange(path, self.rank, self.world, flat.numel(), _DATA_TIMEOUT.total_seconds())
        complete = self.sums([made is not None])[0] == self.world
        if self.rank == 0 and path is not None:
            os.unlink(path)
        return made if complete else None

    # ---- the end ------------------------------------------------------------------------------------

    def first_survivor(self) -> bool:
        """True on one of the ranks that are left. torchrun keeps the store; else it is rank 0's and ends with it."""
        address, port = os.environ.get("MASTER_ADDR", ""), os.environ.get("MASTER_PORT", "")
        attempt = os.environ.get("TORCHELASTIC_RUN_ID", "") + os.environ.get("TORCHELASTIC_RESTART_COUNT", "")
        try:
            five_s = timedelta(seconds=5)
            store = dist.TCPStore(address, int(port), is_master=False, timeout=five_s)  # type: ignore[attr-defined]
            return bool(store.add(f"pufferc/{attempt}/survivor", 1) == 1)
        except (RuntimeError, ValueError):
            return self.rank <= 1


def _portable(error: Exception, rank: int) -> Exception:
    """The error as other ranks raise it."""
    text = f"rank {rank}: {error}"
    try:
        copy = type(error)(text)
        pickle.loads(pickle.dumps(copy))
        return copy
    except Exception:
        return RuntimeError(f"{text} ({type(error).__name__})")


# ---- a run of several processes --------------------------------------------------------------------------


def process_rank() -> int:
    """The rank that this process's environment gives it; 0 where it is not one of several."""
    found = _environment()
    return found[0] if found is not None else 0


def own_device(device: torch.device) -> torch.device:
    """The GPU of this process where each of several has one of its own: the one of its number on this machine."""
    if device.type != "cuda" or device.index is not None or _environment() is None:
        return device
    index, there = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if index >= there:
        raise ConfigError(f"train.device: process {index} of this machine needs a GPU of its own, there are {there}")
    torch.cuda.set_device(index)
    return torch.device("cuda", index)


def _environment() -> tuple[int, int, int] | None:
    """Rank, processes, and processes on this machine, as torchrun sets them; None without. ConfigError for nonsense."""
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
    """The processes that torchrun (or whoever set its environment variables) started, or this one alone.

    A group that the program has initialised already is used and left as it is. Leaving the block tells the other ranks
    to end. LostRank that passes through says whether a checkpoint was saved.
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
    except LostRank as error:
        owned &= not group.nccl  # which would wait for ranks that are gone
        raise LostRank(f"{error}; {_rescue(group)}") from None
    finally:
        if owned:
            group.close()


def _initialise() -> None:
    """Connects the processes by the environment's address and port."""
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


def _rescue(group: _Group) -> str:
    """Saves a checkpoint on one of the ranks that are left; what to say of it."""
    if group.rescue is None:
        return "nothing was trained yet"
    if not group.first_survivor():
        return "another rank saves a checkpoint"
    try:
        return f"saved {group.rescue()}"
    except OSError as error:
        return f"no checkpoint could be saved: {error}"
