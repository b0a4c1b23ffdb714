"""Whatever is typed, the answer is an error that names the argument: for every kernel, and the engine's classes."""

from __future__ import annotations

import copy
import inspect
import os
import pickle
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

import pufferc
from conftest import MakePool
from pufferc import _core, ops
from pufferc.kernels import autograd, private
from pufferc.pictures import renderer

F32 = np.float32
T, N, LOGITS = 3, 4, 5
Call = tuple[Callable[..., Any], dict[str, Any]]


def zeros(*shape: int, dtype: Any = F32) -> np.ndarray[Any, Any]:
    return np.zeros(shape, dtype)


def tensor(*shape: int) -> torch.Tensor:
    return torch.zeros(shape)


def loss_arguments(kind: Callable[..., Any]) -> dict[str, Any]:
    names = ("values", "old_logprobs", "advantages", "returns", "old_values")
    numbers = {"clip": 0.2, "value_coef": 0.5, "entropy_coef": 0.0, "value_clip": 0.0, "normalize_advantages": False}
    arrays = {name: kind(N) for name in names}
    actions = {"actions": zeros(N, dtype=np.int32), "alive": zeros(N, dtype=bool), "action_counts": [LOGITS]}
    actions["mask"] = np.full((N, 1), 2**LOGITS - 1, np.int32)
    return {"logits": kind(N, LOGITS), **arrays, **actions, **numbers}


def network_calls(kind: type[private.Mlp | private.MinGru | private.Lstm]) -> dict[str, Call]:
    """The constructor and the methods of a kind of network."""
    own = {private.Mlp: [], private.MinGru: [(16, 8)], private.Lstm: [(32, 8), (32, 8)]}[kind]
    shapes = [(8, 5), *own, (3, 8)]
    weights, biases = [zeros(*shape) for shape in shapes], [zeros(shape[0]) for shape in shapes]
    grads = {"grad_weights": copy.deepcopy(weights), "grad_biases": copy.deepcopy(biases)}
    sizes = {"widths": [5, 8, 3], "bfloat16": False}
    net = kind(**sizes)
    states = [zeros(N, 8) for _ in range(2 if kind is private.Lstm else 1)]
    given: dict[str, Any] = {"x": tensor(N, 5)}
    results: dict[str, Any] = {"outputs": zeros(N, 3), "keep": True}
    if kind is not private.Mlp:
        given = {"x": tensor(T, N, 5), "state": states, "starts": zeros(T, N, dtype=bool)}
        results |= {"outputs": zeros(T, N, 3), "next_state": copy.deepcopy(states)}
        grads["grad_x"] = zeros(T, N, 5)
    net.forward(**given, **results)
    grad_outputs = np.ones_like(results["outputs"])
    name = kind.__name__
    return {
        name: (kind, sizes),
        f"{name}.set_layers": (net.set_layers, {"weights": weights, "biases": biases}),
        f"{name}.forward": (net.forward, {**given, **results}),
        f"{name}.backward": (net.backward, {**given, "grad_outputs": grad_outputs, **grads}),
    }


def mlp_calls() -> dict[str, Call]:
    """What a perceptron does beyond its passes, and the arrays that it takes for that."""
    net, arrays = private.Mlp([4, 8, 3], bfloat16=False), loss_arguments(zeros)
    coefficients = ("clip", "value_coef", "entropy_coef", "value_clip", "normalize_advantages")
    settings = {name: arrays.pop(name) for name in coefficients}
    for own in ("logits", "values"):
        del arrays[own]
    arrays |= {"action_counts": [2], "mask": np.full((N, 1), 3, np.int32)}
    batch = {"minibatch": private.Minibatch(**arrays), "settings": private.PpoSettings(**settings)}
    grads = {"grad_weights": [zeros(8, 4), zeros(3, 8)], "grad_biases": [zeros(8), zeros(3)]}
    passes = {"x": tensor(N, 4), "outputs": zeros(N, 3), "grad_outputs": zeros(N, 3)}
    env = pufferc.make("cartpole", N, num_threads=1, seed=1)
    env.reset(seed=1)
    written = {name: zeros(T, N) for name in ("logprobs", "rewards", "final_values")}
    written |= {name: zeros(T, N, dtype=bool) for name in ("terminated", "truncated")}
    written |= {"values": zeros(T + 1, N), "alive": zeros(T + 1, N, dtype=bool)}
    written |= {"observations": tensor(T + 1, N, 4), "actions": zeros(T, N, dtype=np.int32)}
    draw = {"env": env, "rollout": private.Rollout(**written), "seed": 1, "first_step": 2, "first_row": 0}
    return {
        "Minibatch": (private.Minibatch, arrays),
        "PpoSettings": (private.PpoSettings, settings),
        "Rollout": (private.Rollout, {**written, "mask": zeros(T, N, 1, dtype=np.int32)}),
        "Mlp.learn": (net.learn, {**batch, **passes, **grads}),
        "Mlp.rollout": (net.rollout, draw),
    }


def calls() -> dict[str, Call]:
    """Every public function and method of `ops`, with arguments that fit."""
    flags = {"terminated": zeros(T, N, dtype=bool), "truncated": zeros(T, N, dtype=np.uint8)}
    discounts = {"gamma": 0.9, "gae_lambda": 0.9, "rho_clip": 1.0, "c_clip": 1.0}
    returns = {"rewards": zeros(T, N), "values": zeros(T + 1, N), "final_values": zeros(T, N)}
    draw = {"logits": zeros(N, LOGITS), "action_counts": [LOGITS], "seed": 1, "step": 2, "first_row": 0}
    draw["mask"] = np.full((N, 1), 2**LOGITS - 1, np.int32)
    drawn = {"actions": zeros(N, dtype=np.int32), "logprobs": zeros(N), "entropy": zeros(N), "greedy": False}
    grads = {"grad_logits": zeros(N, LOGITS), "grad_values": zeros(N), "ratio": zeros(N)}
    codes = {"codes": zeros(N, 7, dtype=np.uint8), "most": 2}
    rates = {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 0.0, "iterations": 5}
    optimised = {name: [zeros(8, 5), zeros(8)] for name in ("parameters", "averages", "grads")}
    return {
        "advantage": (ops.advantage, {**returns, **flags, **discounts, "ratio": zeros(T, N), "out": zeros(T, N)}),
        "sample_actions": (ops.sample_actions, {**draw, **drawn}),
        "ppo_loss_grad": (private.ppo_loss_grad, {**loss_arguments(zeros), **grads}),
        "ppo_loss": (ops.ppo_loss, loss_arguments(tensor)),
        "mingru_scan": (
            autograd.mingru_scan,
            {"pre": tensor(T, N, 16), "h0": tensor(N, 8), "starts": tensor(T, N).bool()},
        ),
        "codes_forward": (
            private.codes_forward,
            {**codes, "table": zeros(14, 6), "bias": zeros(6), "y": zeros(N, 6), "relu": False},
        ),
        "codes_backward": (
            private.codes_backward,
            {**codes, "grad_y": zeros(N, 6), "grad_table": zeros(14, 6), "grad_bias": zeros(6)},
        ),
        "set_num_threads": (ops.set_num_threads, {"num_threads": ops.get_num_threads()}),
        **network_calls(private.Mlp),
        **mlp_calls(),
        **network_calls(private.MinGru),
        **network_calls(private.Lstm),
        "Muon": (private.Muon, {"bfloat16": False}),
        "Muon.step": (private.Muon(bfloat16=False).step, {**optimised, **rates}),
    }


def test_the_table_holds_every_public_name() -> None:
    named = set(ops.__all__) - {"PpoStats", "Recurrent", "get_num_threads"}
    for kind in (private.Mlp, private.MinGru, private.Lstm, private.Muon):
        named |= {f"{kind.__name__}.{name}" for name in dir(kind) if not name.startswith("_")}
    assert set(calls()) == named
    for name, (function, arguments) in calls().items():
        function(**arguments)
        known = set(inspect.signature(function).parameters) - {"options", "continuous_dims"}
        assert known <= set(arguments), name


class Hostile:
    """An object whose every conversion raises."""

    def refuse(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("not this way")

    __array__ = __index__ = __float__ = __bool__ = __len__ = __iter__ = __repr__ = detach = numpy = refuse


def strangers(array: Any) -> Iterator[tuple[str, Any]]:
    """Arrays and tensors of the same content that do not fit a place for `array`."""
    data = array.numpy() if isinstance(array, torch.Tensor) else array
    like = torch.from_numpy(data.copy())
    yield "a list", data.tolist()
    yield "no dimensions", np.array(data.reshape(-1)[0])
    yield "one dimension more", data[None]
    yield "another size", np.concatenate([data, data])
    yield "complex", data.astype(np.complex64)
    yield "objects", data.astype(object)
    yield "swapped bytes", data.astype(data.dtype.newbyteorder(">")) if data.itemsize > 1 else data.astype(">f4")
    yield "backwards", data[::-1]
    yield "of nothing", np.lib.stride_tricks.as_strided(data, data.shape, (0,) * data.ndim)
    yield "endless", np.lib.stride_tricks.as_strided(data, (2**40, *data.shape[1:]), (0, *data.strides[1:]))
    yield "records", zeros(*data.shape, dtype=[("a", "f4")])
    yield "half", like.half()
    yield "bfloat16", like.bfloat16()
    yield "meta", like.to("meta")
    yield "sparse", like.to_sparse()
    yield "quantised", torch.quantize_per_tensor(like.float(), 0.1, 0, torch.quint8)
    yield "negated", torch._neg_view(like.float())


def numbers() -> list[Any]:
    return [float("nan"), 10**400, -(2**70), "1", b"1", 1j, [1], np.zeros(3), torch.zeros(2), object(), Hostile()]


def variants(value: Any) -> Iterator[tuple[str, Any]]:
    yield from ((f"number {index}", number) for index, number in enumerate(numbers()))
    if isinstance(value, (np.ndarray, torch.Tensor)):
        yield from strangers(value)
    elif isinstance(value, list) and isinstance(value[0], int):
        yield from (("an entry", [value[0], odd]) for odd in [*numbers(), 0, 2**31, True])
        yield "too many", range(10**12)
    elif isinstance(value, list):
        yield from ((label, [odd, *value[1:]]) for label, odd in strangers(value[0]))
        yield "one missing", value[1:]
        yield "too many", range(10**12)


@pytest.mark.filterwarnings("ignore")  # of torch and NumPy about their own kinds of arrays
@pytest.mark.parametrize("name", calls())
def test_every_argument_is_checked_by_name(name: str) -> None:
    refused = 0
    for argument in calls()[name][1]:
        for label, odd in variants(calls()[name][1][argument]):
            function, arguments = calls()[name]
            try:
                function(**{**arguments, argument: odd})
            except (TypeError, ValueError, FloatingPointError) as error:
                refused += 1
                # Another size, or another list of sizes, may be right, and what stands beside it wrong.
                named = [argument, *arguments] if label == "another size" or isinstance(odd, list) else [argument]
                assert any(word in str(error) for word in named), f"{argument}, {label}: {error!r}"
                assert len(str(error)) < 500
    assert refused >= len(calls()[name][1])


@pytest.mark.parametrize("argument", [*inspect.signature(pufferc.make).parameters][:-1])
def test_make_checks_every_argument_by_name(argument: str) -> None:
    for odd in numbers():
        try:
            pufferc.make(**{"name": "cartpole", argument: odd}).close()
        except (TypeError, ValueError, OSError) as error:
            assert argument in str(error) or (argument == "params" and "parameter" in str(error)), repr(odd)


# ---- the classes of the engine ---------------------------------------------------------------------------


CLASSES = [kind for kind in vars(_core).values() if inspect.isclass(kind)]


@pytest.mark.parametrize("kind", CLASSES)
def test_no_instance_without_its_constructor(kind: Any) -> None:
    for make in (lambda: kind.__new__(kind), lambda: object.__new__(kind), lambda: kind.__new__(kind, "cartpole", 1)):
        with pytest.raises(TypeError, match="__new__"):
            make()
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("Child", (kind,), {})
    with pytest.raises(TypeError, match="immutable type"):
        kind.__init__ = None
    with pytest.raises(TypeError, match="onstructor"):
        kind(Hostile())


@pytest.mark.parametrize(
    "kind",
    [_core.Pool.__mro__[1], type(_core.advantage.__self__)],  # type: ignore[attr-defined]
    ids=["base", "function"],
)
def test_the_classes_behind_the_engine_make_no_instances(kind: Any) -> None:
    for make in (kind, lambda: kind.__new__(kind), lambda: object.__new__(kind), lambda: type("Child", (kind,), {})()):
        with pytest.raises(TypeError, match=r"cannot create|not safe|not an acceptable base type"):
            make()
    for changed in (kind, *([] if type(kind) is type else [type(kind)])):
        with pytest.raises(TypeError, match="immutable type"):
            changed.__new__ = None
    _core.advantage.__self__.__init__()  # type: ignore[attr-defined]


def test_objects_of_the_engine_stay_what_they_are(pool: MakePool) -> None:
    objects: list[Any] = [pool("cartpole")._pool, _core.Muon(False), _core.Mlp([2, 1], False)]
    for one, other in zip(objects, objects[1:] + objects[:1], strict=True):
        with pytest.raises(TypeError, match="mutable types"):
            one.__class__ = type(other)
        with pytest.raises(AttributeError):
            one.extra = 1
        for duplicate in (copy.copy, copy.deepcopy, *(lambda o, p=p: pickle.dumps(o, p) for p in range(6))):
            with pytest.raises(TypeError, match="cannot pickle or copy a pufferc"):
                duplicate(one)


# ---- memory that goes away ---------------------------------------------------------------------------------


class Borrowed:
    """What looks like a tensor, and has a new array whenever it is asked for one."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape, self.given = shape, weakref.WeakValueDictionary[int, Any]()

    def detach(self) -> Borrowed:
        return self

    def numpy(self) -> np.ndarray[Any, Any]:
        array = zeros(*self.shape)
        self.given[id(array)] = array
        return array


@pytest.mark.parametrize("groups", [1, 2])
def test_an_array_that_is_written_to_stays_until_it_is_written(pool: MakePool, groups: int) -> None:
    env = pool("cartpole", 4, groups=groups)
    env.reset()
    for group in range(groups):
        target = Borrowed((4 // groups, 4))
        env.send([0] * (4 // groups), group, observations=target)
        (array,) = target.given.values()
        assert env.recv(group)[0] is target and array.any()
        del array
        assert not target.given


def test_no_array_of_a_pool_owns_memory_that_the_pool_writes_to(pool: MakePool) -> None:
    env = pool("snake", num_games=2)
    observations = env.reset()[0]
    arrays = [value for value in vars(type(env._pool)).values() if isinstance(value, property)]
    found = [each.__get__(env._pool) for each in arrays]
    masks_and_teams = [array for array in found if array is None]
    assert len(found) == 12 and len(masks_and_teams) == 3
    for array in (observations, *(array for array in found if array is not None)):
        assert not array.flags.owndata  # NumPy frees what an array owns, in __setstate__ and resize
        array.__setstate__((1, (1,), np.dtype(np.int8), False, b"0"))
    for _ in range(10):
        env.step(np.zeros(env.num_envs, np.int32))
    env.reset(seed=1)


def test_a_name_that_is_cut_off_within_a_letter_is_shown() -> None:
    for letters in ("字" * 100, "a" + "字" * 100, "aa" + "字" * 100):
        with pytest.raises(ValueError, match="no parameter named"):
            pufferc.make("cartpole", params={letters: 1})


# ---- calls within calls, and in other processes ------------------------------------------------------------


def test_arguments_that_call_back_are_refused(pool: MakePool) -> None:
    env = pool("cartpole", 4, groups=2)
    env.reset()
    errors: list[str] = []

    class Actions:
        def __array__(self, *_: Any, **__: Any) -> np.ndarray[Any, Any]:
            for call in (env.close, env.reset, env.save, lambda: env.step([0] * 4), lambda: env.recv(0)):
                with pytest.raises(RuntimeError) as caught:
                    call()
                errors.append(str(caught.value))
            return np.zeros(4, np.int32)

    env.step(Actions())
    assert len(errors) == 5 and all("one call at a time" in error for error in errors)
    env.step([0] * 4)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_networks_work_in_a_child_that_was_forked_during_a_call() -> None:
    program = """
import os, signal, threading
import torch
from pufferc import ops
net = private.Mlp([64, 256, 256, 8], bfloat16=False)
x, y = torch.zeros(4096, 64), torch.zeros(4096, 8)
done = threading.Event()
def work():
    while not done.is_set():
        net.forward(x, y)
thread = threading.Thread(target=work, daemon=True)
thread.start()
for _ in range(20):
    child = os.fork()
    if child == 0:
        signal.alarm(100)
        net.forward(x[:4], torch.zeros(4, 8))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
done.set()
thread.join()  # calls of torch in such a thread abort while the interpreter ends
"""
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", program], timeout=120, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.skipif(renderer.why_missing("headless") is not None, reason="needs the drawing module")
def test_a_child_that_was_forked_during_a_picture_can_draw() -> None:
    program = """
import os, signal, threading, time
import pufferc
env = pufferc.make("cartpole", render_mode="rgb_array")
env.reset()
env.render()
def work():
    while True:
        env.render()
threading.Thread(target=work, daemon=True).start()
time.sleep(0.05)
for _ in range(60):
    child = os.fork()
    if child == 0:
        signal.alarm(100)
        own = pufferc.make("cartpole", num_threads=1, render_mode="rgb_array")
        own.reset()
        os._exit(0 if own.render().any() else 1)
    assert os.waitpid(child, 0)[1] == 0
"""
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", program], timeout=120, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize(
    "call",
    [
        "pool.step(actions)",
        "pufferc.ops.advantage(x, values, flags, flags, gamma=0.9, gae_lambda=0.9)",
        "net.forward(x, False, y)",
        "pool.render()",
    ],
)
def test_the_process_ends_well_while_daemon_threads_are_in_a_call(call: str) -> None:
    # Without torch, whose own calls abort a process that ends so.
    program = f"""
import threading, time
import numpy as np
import pufferc, pufferc.ops
pool = pufferc.make("cartpole", num_envs=4096, render_mode="rgb_array")
pool.reset(seed=1)
actions = np.zeros(4096, np.int64)
net = pufferc._core.Mlp([64, 256, 8], False)
x, y = np.zeros((4096, 64), np.float32), np.zeros((4096, 8), np.float32)
values, flags = np.zeros((4097, 64), np.float32), np.zeros((4096, 64), np.uint8)
def work():
    while True:
        {call}
class Last:
    def __del__(self, sleep=time.sleep):
        sleep(0.2)  # the interpreter is ending: the others now ask for its lock
last = Last()
{call}
threading.Thread(target=work, daemon=True).start()
time.sleep(0.05)
"""
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", program], timeout=120, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
