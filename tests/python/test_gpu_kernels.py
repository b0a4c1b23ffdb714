"""Selection of pufferc's kernels or torch's operations for a GPU, and the arguments of the compiled module.

The tests need no GPU. A stand-in for the module runs the CPU kernels on CPU tensors.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pufferc import _core
from pufferc.commands import doctor
from pufferc.kernels import cuda

torch = pytest.importorskip("torch")

from pufferc import ops  # noqa: E402
from pufferc.kernels import autograd, reference  # noqa: E402
from pufferc.policies import MinGRU, recurrent  # noqa: E402
from pufferc.training.gpu import device_kernels  # noqa: E402

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)
STREAM = 17

Install = Callable[..., None]


def advantage(*, stream: int, **arguments: Any) -> None:
    assert stream == STREAM
    names = ("rewards", "values", "terminated", "truncated", "final_values")
    names += ("gamma", "gae_lambda", "ratio", "rho_clip", "c_clip", "out")
    assert set(arguments) == set(names)
    _core.advantage(*(arguments[name] for name in names))


def scan(*, shape: tuple[int, ...], stream: int, **arrays: Any) -> None:
    assert stream == STREAM and shape == tuple(arrays["states"].shape)
    names = ("pre", "initial", "starts", "states", "grad_states", "grad_pre", "grad_initial")
    assert set(arrays) == set(names)
    _core.scan(*(arrays[name] for name in names))


def refuse(**_: Any) -> None:
    raise RuntimeError("advantage: the kernel was not launched: cudaErrorNoKernelImageForDevice: no kernel image")


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Replace pufferc._cuda by a module with one device, or by None."""
    probe = cuda._probe
    monkeypatch.setattr(cuda, "_probe", lambda device: probe(CPU))
    monkeypatch.setattr(torch.cuda, "device", lambda device: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: SimpleNamespace(cuda_stream=STREAM))

    def put(**parts: Any) -> None:
        usual = {"runtime_version": 13010, "devices": lambda: (1, ""), "advantage": advantage, "scan": scan}
        monkeypatch.setitem(sys.modules, "pufferc._cuda", SimpleNamespace(**usual | parts))  # type: ignore[arg-type]
        cuda._why_unusable.cache_clear()

    cuda._why_unusable.cache_clear()
    yield put
    cuda._why_unusable.cache_clear()


def test_a_device_that_runs_a_kernel_uses_kernels(install: Install) -> None:
    install()
    assert cuda.why_missing() is None and cuda.why_unusable(CUDA) is None
    for device in (CUDA, torch.device("cuda")):
        assert device_kernels(device).advantage is ops.advantage
    assert device_kernels(CPU).advantage is reference.advantage


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"devices": lambda: (0, "driver version is insufficient")}, "built with CUDA 13.1; no device: driver version"),
        ({"advantage": refuse}, "a test kernel failed: advantage: the kernel was not launched: cudaErrorNoKernelImage"),
        ({"advantage": lambda **arrays: arrays["out"].fill_(3.0)}, "a test kernel returned 3 instead of 1"),
    ],
)
def test_a_device_that_runs_no_kernel_uses_torch(install: Install, parts: dict[str, Any], reason: str) -> None:
    install(**parts)
    why = cuda.why_unusable(CUDA)
    assert why is not None and why.startswith(reason)
    assert device_kernels(CUDA).advantage is reference.advantage


def test_a_missing_cuda_module_is_not_an_error(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pufferc._cuda", None)  # type: ignore[arg-type]
    assert device_kernels(CUDA).advantage is reference.advantage
    assert doctor.report()["cuda"]["kernels"] == cuda.why_missing()
    assert str(cuda.why_missing()).startswith("not built: pip builds them")
    with pytest.raises(RuntimeError, match=r"CUDA kernels: not built: .*; move the tensors to the CPU"):
        cuda.scan(*[torch.zeros(1, 1, 1)] * 4, None, None, None)

    def broken(name: str) -> Any:
        raise ImportError("undefined symbol: cudaLaunchKernel")

    monkeypatch.setattr(importlib, "import_module", broken)
    cuda._why_unusable.cache_clear()
    assert cuda.why_unusable(CUDA) == "built, but cannot be loaded: undefined symbol: cudaLaunchKernel"


def test_each_device_is_tried_once(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install()
    tried: list[Any] = []

    def try_it(device: Any) -> float:
        tried.append(device)
        if device.index == 1:
            raise RuntimeError("no kernel image\nand more")
        return 1.0

    monkeypatch.setattr(cuda, "_probe", try_it)
    devices = [torch.device("cuda", index) for index in (0, 1, 0, 1)] + [torch.device("cuda")]
    reasons = [cuda.why_unusable(device) for device in devices]
    failed = "a test kernel failed: no kernel image"
    assert reasons == [None, failed, None, failed, None]
    assert tried == devices[:2]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert doctor.report()["cuda"]["kernels"] == (
        "built; 1 device(s); cuda:1 uses torch instead: a test kernel failed: no kernel image"
    )


# ---- arguments of the module -----------------------------------------------------------------------------


def test_advantages_are_computed_by_the_module(install: Install) -> None:
    install()
    generator = torch.Generator().manual_seed(1)
    rewards, values, ratio = (torch.rand(rows, 3, generator=generator) for rows in (5, 6, 5))
    flags = [torch.rand(5, 3, generator=generator) < 0.3 for _ in range(2)]
    numbers = (0.9, 0.8, 1.1, 0.7)
    names = ("gamma", "gae_lambda", "rho_clip", "c_clip")
    for final_values, weights in ((None, None), (rewards + 1.0, ratio)):
        got = cuda.advantage(rewards, values.requires_grad_(), *flags, final_values, weights, None, numbers)
        expected = ops.advantage(
            rewards, values, *flags, final_values, ratio=weights, **dict(zip(names, numbers, strict=True))
        )
        np.testing.assert_array_equal(got.numpy(), expected.numpy())


@pytest.mark.parametrize("has_starts", [False, True])
def test_the_scan_is_computed_by_the_module(
    install: Install, has_starts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gradient is also computed by the module, for gradients of any strides."""
    from pufferc.kernels import autograd as _autograd

    install()
    monkeypatch.setattr(_autograd, "_scan", lambda pre, *rest: cuda.scan(*(pre, *rest, None, None, None)[:7]))
    generator = torch.Generator().manual_seed(2)
    starts = torch.rand(3, 7, generator=generator).t() < 0.4 if has_starts else None
    results = []
    for function in (autograd.mingru_scan, reference.mingru_scan):
        generator.manual_seed(3)
        pre = torch.randn(3, 7, 10, generator=generator).transpose(0, 1).requires_grad_()
        h0 = torch.randn(3, 5, generator=generator, requires_grad=True)
        states = function(pre, h0, starts)
        states.backward(torch.randn(3, 7, 5, generator=generator).transpose(0, 1))
        results.append((states, pre.grad, h0.grad))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


# ---- MinGRU ------------------------------------------------------------------------------------------------


def on_gpu(dtype: Any = torch.float32) -> Any:
    """A stand-in for a tensor that reports a GPU as its device."""
    return SimpleNamespace(is_cuda=True, dtype=dtype, device=CUDA)


def test_mingru_uses_the_scan_kernel_on_a_supported_gpu(install: Install) -> None:
    install()
    assert recurrent._scan_for(on_gpu()) is autograd.mingru_scan
    assert recurrent._scan_for(on_gpu(torch.float64)) is reference.mingru_scan
    assert recurrent._scan_for(torch.zeros(1)) is reference.mingru_scan
    install(advantage=refuse)
    assert recurrent._scan_for(on_gpu()) is reference.mingru_scan


def test_mingru_learns_the_same_with_the_kernel_and_with_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for chosen in (autograd.mingru_scan, reference.mingru_scan):
        monkeypatch.setattr(recurrent, "_scan_for", lambda pre, chosen=chosen: chosen)
        generator = torch.Generator().manual_seed(4)
        policy = MinGRU(6, [3], hidden_size=8, generator=generator)
        observations = torch.randn(9, 4, 6, generator=generator)
        state, starts = (torch.randn(4, 8, generator=generator),), torch.rand(9, 4, generator=generator) < 0.3
        outputs, after = policy.step(observations[0], state)
        trained = policy.forward_for_training(observations, state, starts)
        policy.backward(torch.ones_like(trained))
        results.append([outputs, *after, trained, *(parameter.grad for parameter in policy.parameters())])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
