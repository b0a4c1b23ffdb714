"""Invalid arguments to pools raise errors that name the argument and the expected value, and have no effect."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np
import pytest

import pufferc
from conftest import MakePool


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (("brekout",), ValueError, "did you mean 'breakout'"),
        (("",), ValueError, "no game named ''"),
        (("nothing like it at all",), ValueError, "known: acrobot, boids"),
        ((None,), TypeError, "name must be a string"),
        ((b"breakout",), TypeError, "name must be a string"),
        (("cartpole", 0), ValueError, "num_envs must be in"),
        (("cartpole", -1), ValueError, "num_envs must be in"),
        (("cartpole", 2**31), ValueError, "num_envs must be in"),
        (("cartpole", 1.5), TypeError, "num_envs must be an integer"),
        (("cartpole", "8"), TypeError, "num_envs must be an integer"),
        (("cartpole", True), TypeError, "num_envs must be an integer"),
        (("cartpole", 2**28 + 1), ValueError, r"num_envs must be in \[1, 268435456\], got 268435457"),
        (("snake", 2**28 + 256), ValueError, r"num_envs must be in \[1, 268435456\], got 268435712"),
    ],
)
def test_make_refuses_invalid_names_and_sizes(arguments: tuple[Any, ...], error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        pufferc.make(*arguments)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"num_games": 0}, ValueError, "num_games must be in"),
        ({"num_games": None, "num_threads": 0}, ValueError, r"num_threads must be in \[1, 256\], got 0"),
        ({"num_threads": 257}, ValueError, "num_threads"),
        ({"num_threads": 2.0}, TypeError, "num_threads must be an integer"),
        ({"seed": -1}, ValueError, "seed must be in"),
        ({"seed": 2**64}, ValueError, "seed must be in"),
        ({"seed": 1.0}, TypeError, "seed must be an integer"),
        ({"seed": "1"}, TypeError, "seed must be an integer"),
        ({"groups": 0}, ValueError, "groups must be in"),
        ({"groups": 2}, ValueError, "groups must be in"),
        ({"num_games": 4, "groups": 3}, ValueError, "groups must divide the 4 games of this pool, got 3"),
        ({"num_games": 1024, "groups": 512}, ValueError, r"groups must be in \[1, 256\], got 512"),
        ({"num_games": 2**28 + 1}, ValueError, r"num_games must be in \[1, 268435456\], got 268435457"),
        ({"autoreset": "same"}, ValueError, "autoreset must be one of"),
        ({"game_numbers": 5}, TypeError, "game_numbers must be a sequence of integers, got 5 of type int"),
        ({"game_numbers": [1, 2]}, ValueError, "game_numbers must be 1, one per game, got 2"),
        ({"game_numbers": [-1]}, ValueError, "game_numbers must be in"),
        ({"game_numbers": [0.5]}, TypeError, "game_numbers must be an integer"),
        (
            {"max_step": 3},
            TypeError,
            r"make\(\) got an unexpected keyword argument 'max_step'\. Did you mean 'max_steps'",
        ),
        ({"num_env": 3}, TypeError, "unexpected keyword argument 'num_env'. Did you mean 'num_envs'"),
        ({"wind": 3}, TypeError, "unexpected keyword argument 'wind'$"),
        ({"params": {"max_step": 3}}, ValueError, 'did you mean "max_steps"'),
        ({"nonsense_entirely": 3}, TypeError, "nonsense_entirely"),
        ({"max_steps": -1}, ValueError, "max_steps: expected a value in"),
        ({"max_steps": 1.5}, ValueError, "max_steps: expected a whole number"),
        ({"max_steps": float("nan")}, ValueError, "max_steps"),
        ({"max_steps": float("inf")}, ValueError, "max_steps"),
        ({"max_steps": "5"}, TypeError, "parameter max_steps must be a number"),
        ({"max_steps": None}, TypeError, "parameter max_steps must be a number"),
        ({"max_steps": [5]}, TypeError, "parameter max_steps must be a number"),
        ({"continuous": 2}, ValueError, "continuous: expected"),
    ],
)
def test_make_refuses_invalid_options(options: dict[str, Any], error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        pufferc.make("cartpole", **options)


@pytest.mark.parametrize("argument", ["num_envs", "num_games"])
def test_pools_larger_than_memory_are_refused_by_argument_name(argument: str) -> None:
    too_wide = {"width": 4096, "height": 4096}
    with pytest.raises(MemoryError, match=rf"{argument}: 1048576 games of snake need .* GB, but this machine has"):
        pufferc.make("snake", **{argument: 2**28 if argument == "num_envs" else 2**20}, **too_wide)  # type: ignore[arg-type]


def test_limits_hold_before_memory_is_touched() -> None:
    max_games = 2**28 // 256  # snake has 256 agents
    with pytest.raises(ValueError, match=rf"num_games must be in \[1, {max_games}\], got {max_games + 1}"):
        pufferc.make("snake", num_games=max_games + 1)


def test_env_info_refuses_invalid_arguments() -> None:
    with pytest.raises(ValueError, match="did you mean 'snake'"):
        pufferc.env_info("snak")
    with pytest.raises(TypeError, match="name must be a string"):
        pufferc.env_info(3)  # type: ignore[arg-type]


# ---- actions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("actions", "error", "text"),
    [
        ([0, 1, 2, 0], ValueError, r"row 2 is 2, expected an integer in \[0, 2\)"),
        ([0, -1, 0, 0], ValueError, "row 1 is -1"),
        (np.array([0, 2**40, 0, 0]), ValueError, f"row 1 is {2**40}"),
        ([0, 1, 0], ValueError, r"actions must have shape \(4,\), got \(3,\)"),
        ([[0], [1], [0], [1]], ValueError, r"got \(4, 1\)"),
        ([], ValueError, "shape"),
        (1, ValueError, r"got \(\)"),
        (np.zeros((4, 0), int), ValueError, "shape"),
        (np.zeros(4), TypeError, "integers .* got float64"),
        (np.zeros(4, np.bool_), TypeError, "integers .* got bool"),
        (np.array(["a"] * 4), TypeError, "integers"),
        (None, (TypeError, ValueError), "actions"),
        ([[0, 1], [0]], ValueError, "actions cannot be read as an array"),
    ],
)
def test_step_refuses_invalid_actions(actions: Any, error: Any, text: str, pool: MakePool) -> None:
    env = pool("cartpole", 4)
    shown = env.reset()[0].copy()
    before = env.save()
    for attempt in (env.step, env.send):
        with pytest.raises(error, match=text):
            attempt(actions)
    assert env.save() == before
    np.testing.assert_array_equal(env.load(before), shown)


class Interrupted(Exception):
    """What a signal handler may raise while arguments are read."""


class InterruptedArray:
    def __array__(self, *_: Any, **__: Any) -> Any:
        raise Interrupted


class InterruptedTensor:
    def detach(self) -> Any:
        raise Interrupted

    def numpy(self) -> Any:
        raise AssertionError("detach comes first")


def test_errors_of_signal_handlers_pass_through(pool: MakePool) -> None:
    env = pool("cartpole", 4)
    env.reset()
    before = env.save()
    for actions in (InterruptedArray(), InterruptedTensor()):
        with pytest.raises(Interrupted):
            env.step(actions)
    with pytest.raises(Interrupted):
        env.step([0, 1, 0, 1], observations=InterruptedTensor())
    assert env.save() == before


@pytest.mark.parametrize(
    ("actions", "error", "text"),
    [
        ([[0.0], [np.nan]], ValueError, "row 1, dimension 0 is nan"),
        ([[np.inf], [0.0]], ValueError, "row 0, dimension 0 is inf"),
        (np.array([[0], [-np.inf]], np.float32), ValueError, "row 1"),
        ([0.0, 0.0], ValueError, r"\(2, 1\), got \(2,\)"),
        ([[0], [1]], TypeError, "floats .* got int64"),
        (np.zeros((2, 1), np.bool_), TypeError, "floats"),
    ],
)
def test_step_refuses_invalid_continuous_actions(actions: Any, error: Any, text: str, pool: MakePool) -> None:
    env = pool("cartpole", 2, continuous=True)
    env.reset()
    before = env.save()
    with pytest.raises(error, match=text):
        env.step(actions)
    assert env.save() == before


# ---- the caller's arrays -------------------------------------------------------------------------------


def read_only(shape: tuple[int, ...]) -> np.ndarray:
    array = np.zeros(shape, np.float32)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("make_array", "error", "text"),
    [
        (lambda: np.zeros((4, 4)), TypeError, "observations must be float32, got float64"),
        (lambda: np.zeros((4, 4), ">f4"), (TypeError, ValueError), "observations"),
        (lambda: np.zeros((4, 3), np.float32), ValueError, r"shape \(4, 4\), got \(4, 3\)"),
        (lambda: np.zeros(16, np.float32), ValueError, "shape"),
        (lambda: np.zeros((4, 8), np.float32)[:, ::2], ValueError, "contiguous"),
        (lambda: np.zeros((4, 4), np.float32).T, ValueError, "contiguous"),
        (lambda: np.zeros((8, 4), np.float32)[::-2], ValueError, "contiguous"),
        (lambda: read_only((4, 4)), ValueError, "read-only"),
        (lambda: [[0.0] * 4] * 4, TypeError, "NumPy array or a torch CPU tensor, got list"),
    ],
)
def test_observation_arrays_are_validated(make_array: Any, error: Any, text: str, pool: MakePool) -> None:
    env = pool("cartpole", 4)
    env.reset()
    before = env.save()
    array = make_array()
    attempts = [
        lambda: env.step([0] * 4, observations=array),
        lambda: env.reset(observations=array),
        lambda: env.send([0] * 4, observations=array),
        lambda: env.load(before, observations=array),
    ]
    for attempt in attempts:
        with pytest.raises(error, match=text):
            attempt()
    assert env.save() == before


def test_observations_must_not_be_a_buffer_of_the_pool(pool: MakePool) -> None:
    env = pool("cartpole", 4, groups=2)
    first = env.reset()[0]
    second = env.step([0] * 4)[0]
    for own in (first, second, env.final_observations):
        with pytest.raises(ValueError, match="observations overlaps memory that this pool"):
            env.step([0] * 4, observations=own)
    shared = np.zeros((3, 4), np.float32)
    env.send([0, 0], 0, observations=shared[:2])
    with pytest.raises(ValueError, match="overlaps"):
        env.send([0, 0], 1, observations=shared[1:])
    env.recv(0)
    env.send([0, 0], 1, observations=shared[1:])
    env.recv(1)


# ---- reset ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seed", "error", "text"),
    [
        (-1, ValueError, "seed must be in"),
        (2**64, ValueError, "seed must be in"),
        (1.5, TypeError, "seed must be an integer"),
        (True, TypeError, "seed must be an integer"),
        ("12", TypeError, "seed must be an integer"),
        ([1, 2], ValueError, "3, one per game, got 2"),
        ([], ValueError, "3, one per game, got 0"),
        ([1, 2, -3], ValueError, "seed must be in"),
        ([1, 2, "3"], TypeError, "seed must be an integer"),
        ({"seed": 1}, TypeError, "seed must be an integer"),
        (np.array([1.0, 2.0, 3.0]), TypeError, "seed must be an integer"),
    ],
)
def test_reset_refuses_invalid_seeds(seed: Any, error: Any, text: str, pool: MakePool) -> None:
    env = pool("cartpole", 3)
    env.reset()
    before = env.save()
    with pytest.raises(error, match=text):
        env.reset(seed=seed)
    assert env.save() == before


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"reset_masks": np.ones(3, bool)}, ValueError, "did you mean 'reset_mask'"),
        ({"reset_mask": [True, False, True]}, TypeError, "must be a bool array, got list"),
        ({"reset_mask": np.ones(3)}, TypeError, "must be a bool array, got float64"),
        ({"reset_mask": np.ones(2, bool)}, ValueError, r"shape \(3,\), got \(2,\)"),
        ({"reset_mask": np.zeros(3, bool)}, ValueError, "at least one row"),
    ],
)
def test_reset_refuses_invalid_options(options: Any, error: Any, text: str, pool: MakePool) -> None:
    env = pool("cartpole", 3)
    env.reset()
    with pytest.raises(error, match=text):
        env.reset(options=options)


def test_the_first_reset_refuses_a_mask(pool: MakePool) -> None:
    with pytest.raises(RuntimeError, match="first reset"):
        pool("cartpole", 3).reset(options={"reset_mask": np.array([True, False, True])})


# ---- order, closing, other threads and processes ---------------------------------------------------------


def test_calls_in_the_wrong_order_are_refused(pool: MakePool) -> None:
    env = pool("cartpole", 4, groups=2)
    for attempt in (lambda: env.step([0] * 4), lambda: env.send([0] * 2), env.save):
        with pytest.raises(RuntimeError, match="reset"):
            attempt()
    env.reset()
    with pytest.raises(RuntimeError, match="not sent"):
        env.recv(0)
    env.send([0, 0], 0)
    for attempt in (lambda: env.send([0, 0], 0), lambda: env.step([0] * 4), env.reset, env.save, env.pop_metrics):
        with pytest.raises(RuntimeError, match="sent"):
            attempt()
    for group in (-1, 2):
        with pytest.raises(ValueError, match="group must be in"):
            env.recv(group)
    with pytest.raises(TypeError, match="group must be an integer"):
        env.send([0, 0], 0.0)  # type: ignore[arg-type]
    env.recv(0)
    env.step([0] * 4)


def test_closed_pools_refuse_calls(pool: MakePool) -> None:
    env = pool("cartpole", 2, groups=2, num_threads=2)
    observations = env.reset()[0]
    env.send([0], 1)
    env.close()
    env.close()
    assert env.closed
    snapshot = b""
    attempts = [
        env.reset,
        lambda: env.step([0, 0]),
        lambda: env.send([0], 0),
        lambda: env.recv(1),
        env.save,
        lambda: env.load(snapshot),
        env.pop_metrics,
    ]
    for attempt in attempts:
        with pytest.raises(RuntimeError, match="closed"):
            attempt()
    assert observations.shape == (2, 4) and env.rewards.shape == (2,)


def test_two_threads_in_one_pool_get_errors_not_crashes(pool: MakePool) -> None:
    env = pool("breakout", 2048, num_threads=2)
    env.reset()
    actions = np.zeros(2048, np.int32)
    outcomes: set[str] = set()
    end = time.monotonic() + 60.0

    def step_repeatedly() -> None:
        while len(outcomes) < 2 and time.monotonic() < end:
            for _ in range(100):
                try:
                    env.step(actions)
                    outcomes.add("stepped")
                except RuntimeError as error:
                    outcomes.add(str(error))

    threads = [threading.Thread(target=step_repeatedly) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (refused,) = outcomes - {"stepped"}
    assert "stepped" in outcomes and "another thread" in refused


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_child_gets_an_error() -> None:
    program = """
import os, sys, numpy as np, pufferc
from pufferc import ops
zeros, flags = np.zeros((65, 4096), np.float32), np.zeros((64, 4096), bool)
def advantage():
    return ops.advantage(zeros[:64] + 1, zeros, flags, flags, gamma=0.5, gae_lambda=1.0)[0, 0]
ops.set_num_threads(2)
expected = advantage()
env = pufferc.make("cartpole", 64, num_threads=2, groups=2, seed=1)
env.reset()
env.send([0] * 32, 0)
child = os.fork()
if child == 0:
    for call in (lambda: env.step([0] * 64), lambda: env.recv(0), env.reset, env.save):
        try:
            call()
            os._exit(1)
        except RuntimeError as error:
            if "process" not in str(error):
                os._exit(2)
    own = pufferc.make("cartpole", 64, num_threads=2, seed=1)
    own.reset()
    own.step([0] * 64)
    del env, own
    sys.exit(0 if advantage() == expected > 1.9 else 3)
_, status = os.waitpid(child, 0)
env.recv(0)
env.step([1] * 64)
assert advantage() == expected
sys.exit(os.waitstatus_to_exitcode(status))
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], timeout=60, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("call", ["pool.step(actions)", "advantage(rewards, values, flags, flags, **discounts)"])
def test_a_process_can_exit_while_a_daemon_thread_is_in_a_call(call: str) -> None:
    """This happens if a notebook is closed during training."""
    program = f"""
import threading, time
import numpy as np
import pufferc
from pufferc.ops import advantage
pool = pufferc.make("cartpole", num_envs=4096)
pool.reset(seed=1)
actions = np.zeros(4096, np.int64)
rewards, values, flags = np.zeros((4096, 64), np.float32), np.zeros((4097, 64), np.float32), np.zeros((4096, 64), bool)
discounts = {{"gamma": 0.9, "gae_lambda": 0.9}}
def work():
    while True:
        {call}
class Last:
    def __del__(self, sleep=time.sleep):
        sleep(0.2)  # the interpreter is ending: the thread now asks for its lock
last = Last()
{call}
threading.Thread(target=work, daemon=True).start()
time.sleep(0.05)
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], timeout=120, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_render_without_a_mode_explains_render_mode(pool: MakePool) -> None:
    with pytest.raises(RuntimeError, match="pass render_mode='rgb_array' or 'human' to make"):
        pool("cartpole").render()


@pytest.mark.parametrize("params", [["width"], [], "width", 3])
def test_parameters_must_be_a_mapping(params: object) -> None:
    with pytest.raises(TypeError, match="params must be a mapping of names to numbers, got"):
        pufferc.VecEnv("squared", 4, params=params)  # type: ignore[arg-type]
