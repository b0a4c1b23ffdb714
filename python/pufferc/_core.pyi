import mmap
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_Scenes = list[tuple[Pool | None, int, float, float, float, float, int]]
_Marks = list[tuple[float, float, float, float, int, str]]
_Frame = NDArray[np.uint8] | None

__version__: str
MAX_ROWS: int
MAX_THREADS: int
MAX_GROUPS: int
MAX_CHOICES: int
IDLE_KEEP: int
AUTORESET_SAME_STEP: int
AUTORESET_DISABLED: int
AUTORESET_NEXT_STEP: int
IDLE_ALTERNATE: int

def memory_left() -> int: ...
def env_descriptions() -> list[dict[str, Any]]: ...
def games_left_out() -> dict[str, str]: ...
def game_layout(env: str | Module, params: dict[str, float]) -> dict[str, Any]: ...

class Module:
    def __init__(self, file: str, shown: str, fd: int) -> None: ...
    def description(self) -> dict[str, Any]: ...

def check_game(
    env: str | Module,
    params: dict[str, float],
    data: bytes | mmap.mmap | None,
    trace: bytearray | mmap.mmap,
    catch_signals: bool,
    report: Callable[[dict[str, Any]], None],
) -> None: ...
def param_name(env: str | Module, name: str) -> str | None: ...
def watch_crashes(before: str, after: str) -> None: ...
def stop_watching_crashes() -> None: ...
def count_metrics(env: str | Module, params: dict[str, float], data: bytes | mmap.mmap | None) -> int: ...
def trace_bytes() -> int: ...
def read_trace(data: bytes) -> dict[str, Any]: ...

class Pool:
    def __init__(
        self,
        env: str | Module,
        num_games: int,
        num_threads: int,
        num_groups: int,
        autoreset: int,
        seed: int,
        params: dict[str, float],
        game_numbers: NDArray[np.uint64] | None = None,
        data: bytes | mmap.mmap | None = None,
    ) -> None: ...
    def reset(
        self,
        seed: int | None,
        seeds: NDArray[np.uint64] | None,
        mask: NDArray[np.bool_] | None,
        observations: Any,
    ) -> NDArray[Any]: ...
    def step(self, actions: Any, observations: Any, /) -> tuple[NDArray[Any], bool]: ...
    def send(self, actions: Any, group: int, observations: Any, /) -> None: ...
    def recv(self, group: int, /) -> tuple[NDArray[Any], bool]: ...
    def pop_metrics(self) -> tuple[int, tuple[float, ...]]: ...
    def save(self) -> bytes: ...
    def load(self, snapshot: bytes, observations: Any, /) -> NDArray[Any]: ...
    def script(self, level: int, rows: NDArray[np.int32] | None, seed: int, step: int) -> NDArray[Any]: ...
    def field(self, name: str, /) -> tuple[np.dtype[Any], tuple[int, ...]]: ...
    def get_field(self, name: str, /) -> NDArray[Any]: ...
    def set_field(self, name: str, values: NDArray[Any], observations: Any, /) -> NDArray[Any]: ...
    def set_param(self, name: str, value: float, /) -> None: ...
    def params(self) -> tuple[float, ...]: ...
    def close(self) -> None: ...
    @property
    def rewards(self) -> NDArray[np.float32]: ...
    @property
    def terminated(self) -> NDArray[np.bool_]: ...
    @property
    def truncated(self) -> NDArray[np.bool_]: ...
    @property
    def alive(self) -> NDArray[np.bool_]: ...
    @property
    def action_mask(self) -> NDArray[np.uint32] | None: ...
    @property
    def forced(self) -> NDArray[np.bool_] | None: ...
    @property
    def final_observations(self) -> NDArray[Any]: ...
    @property
    def ended(self) -> NDArray[np.bool_]: ...
    @property
    def episode_returns(self) -> NDArray[np.float32]: ...
    @property
    def episode_lengths(self) -> NDArray[np.int32]: ...
    @property
    def episode_metrics(self) -> NDArray[np.float32]: ...
    @property
    def teams(self) -> NDArray[np.int32] | None: ...

class Minibatch:
    def __init__(
        self,
        *,
        actions: Any,
        old_logprobs: Any,
        advantages: Any,
        returns: Any,
        action_counts: list[int],
        continuous_dims: int,
        old_values: Any,
        alive: Any,
        mask: Any,
    ) -> None: ...

class PpoSettings:
    def __init__(
        self, *, clip: float, value_coef: float, entropy_coef: float, value_clip: float, normalize: bool
    ) -> None: ...

class Rollout:
    def __init__(
        self,
        *,
        observations: Any,
        actions: Any,
        logprobs: Any,
        values: Any,
        rewards: Any,
        terminated: Any,
        truncated: Any,
        final_values: Any,
        alive: Any,
        mask: Any,
    ) -> None: ...

class Mlp:
    def __init__(
        self, widths: list[int], bfloat16: bool, inputs: int, sets: list[tuple[int, int, int, int]]
    ) -> None: ...
    def set_layers(self, weights: list[Any], biases: list[Any], /) -> None: ...
    def forward(self, x: Any, keep: bool, outputs: Any, /) -> None: ...
    def backward(self, x: Any, grad_outputs: Any, grad_weights: list[Any], grad_biases: list[Any], /) -> None: ...
    def learn(
        self,
        x: Any,
        minibatch: Minibatch,
        settings: PpoSettings,
        outputs: Any,
        grad_outputs: Any,
        grad_weights: list[Any],
        grad_biases: list[Any],
        /,
    ) -> tuple[float, float, float, float, float, float, float, int]: ...
    def rollout(
        self, pool: Pool, rollout: Rollout, seed: int, first_step: int, first_row: int, /
    ) -> tuple[int, float, float, float]: ...

def one_hot_forward(codes: Any, offsets: Any, table: Any, bias: Any, relu: bool, y: Any, /) -> None: ...
def one_hot_backward(codes: Any, offsets: Any, grad_y: Any, grad_table: Any, grad_bias: Any, /) -> None: ...

class Recurrent:
    def set_layers(self, weights: list[Any], biases: list[Any], /) -> None: ...
    def forward(
        self,
        x: Any,
        state: list[Any],
        starts: Any,
        keep: bool,
        outputs: Any,
        next_state: list[Any],
        /,
    ) -> None: ...
    def backward(
        self,
        x: Any,
        state: list[Any],
        starts: Any,
        grad_outputs: Any,
        grad_weights: list[Any],
        grad_biases: list[Any],
        grad_x: Any,
        /,
    ) -> None: ...

class MinGru(Recurrent):
    def __init__(
        self, widths: list[int], bfloat16: bool, inputs: int, sets: list[tuple[int, int, int, int]]
    ) -> None: ...

class Lstm(Recurrent):
    def __init__(
        self, widths: list[int], bfloat16: bool, inputs: int, sets: list[tuple[int, int, int, int]]
    ) -> None: ...

def scan(
    pre: Any,
    initial: Any,
    starts: Any,
    states: Any,
    grad_states: Any,
    grad_pre: Any,
    grad_initial: Any,
    /,
) -> None: ...

class Muon:
    def __init__(self, bfloat16: bool) -> None: ...
    def step(
        self,
        parameters: list[Any],
        averages: list[Any],
        grads: list[Any],
        learning_rate: float,
        momentum: float,
        weight_decay: float,
        iterations: int,
        /,
    ) -> None: ...

def set_num_threads(threads: int, /) -> None: ...
def get_num_threads() -> int: ...
def advantage(
    rewards: Any,
    values: Any,
    terminated: Any,
    truncated: Any,
    final_values: Any,
    gamma: float,
    gae_lambda: float,
    ratio: Any,
    rho_clip: float,
    c_clip: float,
    out: Any,
    /,
) -> None: ...
def sample(
    logits: Any,
    counts: list[int],
    mask: Any,
    seed: int,
    step: int,
    first_row: int,
    greedy: bool,
    actions: Any,
    logprobs: Any,
    entropy: Any,
    /,
) -> int: ...
def gaussian_sample(
    logits: Any,
    continuous_dims: int,
    seed: int,
    step: int,
    first_row: int,
    greedy: bool,
    actions: Any,
    logprobs: Any,
    entropy: Any,
    /,
) -> int: ...
def ppo_loss(
    minibatch: Minibatch,
    settings: PpoSettings,
    logits: Any,
    values: Any,
    grad_logits: Any,
    grad_values: Any,
    ratio: Any,
    /,
) -> tuple[float, float, float, float, float, float, float, int]: ...

GRID_GAP_COLOR: int

def grid(
    count: int, world: tuple[float, float], box: tuple[int, int], exact: bool
) -> tuple[int, int, list[tuple[float, float, float, float]]]: ...
def world_size(pool: Pool, game: int) -> tuple[float, float]: ...
def load_window_module(path: str) -> None: ...

class Picture:
    def __init__(self) -> None: ...
    def draw(self, width: int, height: int, background: int, scenes: _Scenes, marks: _Marks, out: _Frame) -> None: ...

class Window:
    def __init__(self, width: int, height: int, title: str, module: str) -> None: ...
    def draw(self, width: int, height: int, background: int, scenes: _Scenes, marks: _Marks, out: _Frame) -> None: ...
    def poll(self) -> tuple[bool, tuple[int, int], list[int], tuple[float, float] | None]: ...
    def key_down(self, key: int) -> bool: ...
    def close(self) -> None: ...

class Policy:
    game: str
    game_version: int
    state_size: int
    params: dict[str, float]

    def __init__(self, path: str) -> None: ...
    def act(
        self, observations: Any, mask: Any, state: Any, step: int, seed: int, first_row: int, greedy: bool
    ) -> NDArray[Any]: ...
