"""Work on a GPU that is given in one piece: functions whose kernels are recorded once as a CUDA graph and replayed.

A small network's update is some hundred kernels of a few microseconds each, and launching one costs as much. A recorded
function reads and writes tensors that stay where they are; it must not wait for the device, nor take a shape from data.
Where there is no GPU it is simply called.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn

_WARM_UP = 3  # calls before the recording: libraries choose kernels and take their memory in them


class Recorder:
    """Makes recorded functions for one device. A recording that fails is said once; the function is called as it is."""

    def __init__(
        self,
        device: torch.device,
        module: nn.Module,
        *,
        enabled: bool = True,
        say: Callable[[str], None] | None = None,
    ) -> None:
        """`module`: whose parameters the functions use; what it caches by their versions is recomputed."""
        self.device, self.enabled = device, enabled and device.type == "cuda"
        self._parameters: Iterable[Tensor] = list(module.parameters())
        self._say = say or (lambda text: print(text, file=sys.stderr))

    def record(self, body: Callable[[], None]) -> Recorded:
        """The function `body`, to be recorded after some calls."""
        return Recorded(self, body)

    def touch(self) -> None:
        """Marks the parameters as changed, since a replay changes them behind torch's back."""
        for parameter in self._parameters:
            torch.autograd.graph.increment_version(parameter)

    def give_up(self, error: Exception) -> None:
        """After a recording that failed."""
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
        """A call on a stream of its own, as recordings are made."""
        self._calls += 1
        current = torch.cuda.current_stream(self._recorder.device)
        side = torch.cuda.Stream(self._recorder.device)  # type: ignore[no-untyped-call]
        side.wait_stream(current)
        with torch.cuda.stream(side):
            self._body()
        current.wait_stream(side)

    def _record(self) -> None:
        """Records the work, which does not do it, and does it by a replay."""
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
        """What is enqueued inside on the recorder's device goes into the graph.

        Torch's own stream for recordings belongs to the device that was current at the first of them, and on another
        device the graph would stay empty. Thread-local: what other threads ask of CUDA meanwhile, such as the watchdog
        of NCCL, does not end the recording.
        """
        device = self._recorder.device
        with torch.cuda.device(device):
            stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                yield
