"""CUDA graphs: functions whose kernels are recorded once and replayed.

The update of a small network is a few hundred kernels of a few microseconds each, and every launch takes as long. A
recorded function reads and writes fixed tensors. It must not wait for the device, and no shape may depend on data. On
the CPU the function is called directly.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn

_WARM_UP = 3  # calls before recording, in which libraries choose kernels and allocate memory


class Recorder:
    """Makes recorded functions for one device. If a recording fails, it warns once and calls functions directly."""

    def __init__(
        self,
        device: torch.device,
        module: nn.Module,
        *,
        enabled: bool = True,
        say: Callable[[str], None] | None = None,
    ) -> None:
        """`module` owns the parameters that the functions change; its caches depend on the parameters' versions."""
        self.device, self.enabled = device, enabled and device.type == "cuda"
        self._parameters: Iterable[Tensor] = list(module.parameters())
        self._say = say or (lambda text: print(text, file=sys.stderr))

    def record(self, body: Callable[[], None]) -> Recorded:
        """Wraps `body`, which is recorded after some calls."""
        return Recorded(self, body)

    def touch(self) -> None:
        """Marks the parameters as changed, because torch does not notice that a replay changes them."""
        for parameter in self._parameters:
            torch.autograd.graph.increment_version(parameter)

    def give_up(self, error: Exception) -> None:
        """Turns recording off after a failure."""
        self.enabled = False
        self._say(f"warning: CUDA graphs are off, training continues without them: {str(error).splitlines()[0]}")


class Recorded:
    """A function of fixed tensors; see the module."""

    def __init__(self, recorder: Recorder, body: Callable[[], None]) -> None:
        self._recorder, self._body, self._calls = recorder, body, 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self) -> None:
        """Enqueues the work on the current stream."""
        if self._graph is not None:
            self._graph.replay()
        elif not self._recorder.enabled:
            self._body()
        elif self._calls < _WARM_UP:
            self._warm_up()
        else:
            self._record()

    def _warm_up(self) -> None:
        """A call on a side stream, as in a recording."""
        self._calls += 1
        current = torch.cuda.current_stream(self._recorder.device)
        side = torch.cuda.Stream(self._recorder.device)  # type: ignore[no-untyped-call]
        side.wait_stream(current)
        with torch.cuda.stream(side):
            self._body()
        current.wait_stream(side)

    def _record(self) -> None:
        """Records the work, which does not execute it, then replays it."""
        graph = torch.cuda.CUDAGraph()
        self._recorder.touch()
        try:
            with self._capture(graph):
                self._body()
        except RuntimeError as error:
            self._recorder.give_up(error)
            self._body()
            return
        self._recorder.touch()
        self._graph = graph
        graph.replay()

    @contextlib.contextmanager
    def _capture(self, graph: torch.cuda.CUDAGraph) -> Iterator[None]:
        """Captures work that is enqueued inside, on the recorder's device.

        Torch's default capture stream belongs to the device that was current at the first capture; on another device
        the graph would be empty. Thread-local mode: CUDA calls of other threads, such as NCCL's watchdog, do not end
        the capture.
        """
        device = self._recorder.device
        with torch.cuda.device(device):
            stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                yield
