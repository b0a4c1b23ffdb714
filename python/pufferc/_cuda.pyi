from typing import Any

runtime_version: int

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
