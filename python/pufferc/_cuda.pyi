import mmap
from typing import Any, Literal

runtime_version: int
memory: Literal["cuda", "cpu"]  # where device memory is; "cpu" in a test build
device_games: list[str]  # that DevicePool can run

# Addresses are those of device memory that the caller has checked; 0 = none. stream: the handle of a CUDA stream.
class DevicePool:
    def __init__(
        self,
        *,
        env: str,
        num_games: int,
        autoreset: int,
        seed: int,
        params: list[tuple[str, float]],
        game_numbers: list[int] | None,
        data: bytes | mmap.mmap | None,
    ) -> None: ...
    def reset(self, *, seed: int | None, seeds: int, mask: int, observations: int, stream: int) -> None: ...
    def step(self, actions: int, wide: bool, observations: int, stream: int) -> None: ...
    def check_actions(self, stream: int) -> None: ...
    def pop_metrics(self, stream: int) -> tuple[int, list[float]]: ...
    def set_param(self, name: str, value: float, stream: int) -> None: ...
    def save(self, stream: int) -> bytes: ...
    def load(self, snapshot: bytes, stream: int) -> None: ...
    def arrays(self) -> dict[str, tuple[int, str, tuple[int, ...]]]: ...

def devices() -> tuple[int, str]: ...
def advantage(
    *,
    rewards: Any,
    values: Any,
    terminated: Any,
    truncated: Any,
    final_values: Any,
    ratio: Any,
    out: Any,
    gamma: float,
    gae_lambda: float,
    rho_clip: float,
    c_clip: float,
    stream: int,
) -> None: ...
def scan(
    *,
    pre: Any,
    initial: Any,
    starts: Any,
    states: Any,
    grad_states: Any,
    grad_pre: Any,
    grad_initial: Any,
    shape: tuple[int, ...],
    stream: int,
) -> None: ...
