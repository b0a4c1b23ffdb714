"""The device training path matches the CPU training path. Tests run on the CPU, and on a GPU if there is one."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import pufferc
from conftest import small_config
from masks import are_legal, build_lock
from own_games import needs_compiler
from pufferc.config import Config, TrainConfig, load_config

torch = pytest.importorskip("torch")

from pufferc import ops  # noqa: E402
from pufferc.kernels import reference  # noqa: E402
from pufferc.kernels.backend import TORCH  # noqa: E402
from pufferc.policies import make_policy  # noqa: E402
from pufferc.training import ppo  # noqa: E402
from pufferc.training.gpu import DeviceCollector, DeviceLearner, device_kernels  # noqa: E402
from pufferc.training.graphs import Recorded, Recorder  # noqa: E402
from pufferc.training.optimizers import Adam, Muon  # noqa: E402
from pufferc.training.rollout import Rollout  # noqa: E402

CPU = torch.device("cpu")
ROWS, HORIZON = 8, 12
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def config_of(game: str, kind: str = "mlp", **train: Any) -> Config:
    return small_config(game, policy={"kind": kind}, **{"minibatch_size": 48, "epochs": 2, **train})


class Side:
    """One of two runs that must give the same results: pool, policy, optimizer and rollout."""

    def __init__(self, config: Config, device: torch.device, groups: int = 1, **params: Any) -> None:
        self.config, self.device = config, device
        self.env = pufferc.make(config.game, ROWS, num_threads=2, seed=1, groups=groups, **params)
        self.policy = make_policy(config, self.env.spaces, torch.float32, device, seed=1)
        kind = Adam if config.train.optimizer == "adam" else Muon
        self.optimizer = kind(self.policy.named_parameters())
        self.rollout = Rollout.make(self.env, self.policy, HORIZON, device)
        if groups > 1 and self.rollout.staging is None:  # simulates a host-device boundary on the CPU
            self.rollout.staging = torch.zeros_like(self.rollout.observations[0])
        self.rollout.reset(self.env, self.policy, 1)
        self.generator = torch.Generator().manual_seed(1)
        self.recorder = Recorder(device, self.policy, enabled=device.type == "cuda")
        self.collector = None
        if self.rollout.staging is not None:
            self.collector = DeviceCollector(self.env, self.policy, self.rollout, 3, self.recorder)
        parts = self.policy, self.optimizer, self.rollout
        self.learner = DeviceLearner(self.recorder, *parts, device_kernels(device), config.train)
        self.plain_learner = ppo.Learner(*parts, TORCH, config.train)

    def plain(self, update: int) -> dict[str, float]:
        step = update * HORIZON
        ppo.collect(self.env, self.policy, self.rollout, TORCH, seed=3, first_step=step)
        self.estimate(TORCH)
        return self.plain_learner.optimise(0.01, self.generator)

    def device_path(self, update: int) -> dict[str, float]:
        assert self.collector is not None
        self.collector.collect(update * HORIZON)
        self.estimate(device_kernels(self.device))
        return self.learner.optimise(0.01, self.generator)

    def estimate(self, kernels: Any) -> None:
        ppo.advantages(self.rollout, kernels, TrainConfig(gamma=0.97, gae_lambda=0.9))

    def close(self) -> None:
        self.env.close()


CASES = [
    ("cartpole", "mlp", {"optimizer": "muon"}, {"max_steps": 7}),
    ("cartpole", "mingru", {"optimizer": "adam", "max_grad_norm": 0.3}, {"max_steps": 5}),
    ("cartpole", "lstm", {"optimizer": "muon", "value_clip": 0.2}, {"max_steps": 5}),
    ("cartpole", "mlp", {"optimizer": "adam", "normalize_advantages": False}, {"max_steps": 7, "continuous": True}),
    ("breakout", "mlp", {"optimizer": "muon"}, {}),
]


def assert_alike(ours: Side, theirs: Side, stats: list[dict[str, float]], tolerance: float) -> None:
    for name in ("observations", "actions", "rewards", "terminated", "truncated", "alive", "logprobs", "values"):
        a, b = getattr(ours.rollout, name).cpu(), getattr(theirs.rollout, name).cpu()
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance, msg=name)
    cut = theirs.rollout.truncated.cpu()
    a, b = (side.rollout.final_values.cpu()[cut] for side in (ours, theirs))
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)
    for part, other in zip(ours.rollout.next_state, theirs.rollout.next_state, strict=True):
        torch.testing.assert_close(part.cpu(), other.cpu(), rtol=tolerance, atol=tolerance)
    for (name, p), q in zip(ours.policy.named_parameters(), theirs.policy.parameters(), strict=True):
        torch.testing.assert_close(p.cpu(), q.cpu(), rtol=10 * tolerance, atol=10 * tolerance, msg=name)
    for key, value in stats[1].items():
        assert stats[0][key] == pytest.approx(value, rel=1e-3, abs=1e-4, nan_ok=True), key


@pytest.mark.parametrize(("game", "kind", "train", "params"), CASES)
@pytest.mark.parametrize("groups", [2, 4])
def test_the_device_path_learns_the_same_weights_as_the_cpu_path(
    game: str, kind: str, train: dict[str, Any], params: dict[str, Any], groups: int
) -> None:
    config = config_of(game, kind, **train)
    ours, theirs = Side(config, CPU, groups, **params), Side(config, CPU, **params)
    try:
        for update in range(3):
            stats = [ours.device_path(update), theirs.plain(update)]
            assert_alike(ours, theirs, stats, 1e-4)
        if params.get("max_steps"):
            assert theirs.rollout.truncated.any()  # so the comparison covers final values
    finally:
        ours.close()
        theirs.close()


@needs_compiler
@pytest.mark.parametrize("kind", ["mlp", "mingru"])
def test_the_device_path_samples_and_learns_with_masks(kind: str, tmp_path: Path) -> None:
    config = config_of(str(build_lock(tmp_path)), kind)
    params = {"max_steps": 7, "leave": 5}
    ours, theirs = Side(config, CPU, 2, **params), Side(config, CPU, **params)
    try:
        for update in range(3):
            stats = [ours.device_path(update), theirs.plain(update)]
            assert_alike(ours, theirs, stats, 1e-4)
            assert torch.equal(ours.rollout.mask, theirs.rollout.mask)
        legal = reference.legal_choices(ours.rollout.mask, 37).flatten(0, 1).numpy()
        assert are_legal(legal, ours.rollout.actions.flatten(0, 1), [3, 34]) and not legal.all()
    finally:
        ours.close()
        theirs.close()


def test_a_shard_samples_with_its_global_row_numbers() -> None:
    config = config_of("cartpole")
    whole, part = Side(config, CPU, 2), Side(config, CPU, 2)
    part.rollout.blocks = ((slice(0, 2), 4), (slice(2, 8), 20))
    part.collector = DeviceCollector(part.env, part.policy, part.rollout, 3, part.recorder)
    for side in (whole, part):
        assert side.collector is not None
        side.collector.collect(5)
    numbers = [4, 5, *range(20, 26)]
    outputs = part.policy(part.rollout.observations[:1], (), None)[0].detach()
    expected = [
        ops.sample_actions(outputs[i : i + 1, :-1].contiguous(), [2], seed=3, step=5, first_row=number)[0].item()
        for i, number in enumerate(numbers)
    ]
    assert part.rollout.actions[0].tolist() == expected
    whole.close()
    part.close()


def test_non_finite_outputs_and_losses_stop_the_update() -> None:
    side = Side(config_of("cartpole"), CPU, 2)
    assert side.collector is not None
    side.collector.collect(0)
    side.estimate(TORCH)
    side.rollout.returns[3, 3] = float("nan")
    with pytest.raises(ppo.NotFinite, match="loss"):
        side.learner.optimise(0.01, side.generator)
    assert all(bool(torch.isfinite(parameter).all()) for parameter in side.policy.parameters())
    with torch.no_grad():
        next(side.policy.parameters()).fill_(float("nan"))
    with pytest.raises(ppo.NotFinite, match="outputs"):
        side.collector.collect(HORIZON)
    side.close()


def test_dead_rows_do_not_affect_the_update() -> None:
    config = config_of("cartpole", optimizer="adam")
    results = []
    for garbage in (False, True):
        side = Side(config, CPU, 2)
        assert side.collector is not None
        side.collector.collect(0)
        side.rollout.alive[4:9, 2:5] = False
        side.estimate(TORCH)
        if garbage:
            dead = ~side.rollout.alive[:-1]
            side.rollout.returns[dead], side.rollout.logprobs[dead] = float("inf"), 50.0
            side.rollout.advantages[dead] = float("nan")
        side.learner.optimise(0.01, side.generator)
        results.append([parameter.detach().clone() for parameter in side.policy.parameters()])
        side.close()
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_each_process_uses_a_different_gpu(monkeypatch: Any) -> None:
    from pufferc.config import ConfigError
    from pufferc.training.distributed import own_device

    chosen: list[int] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    assert own_device(torch.device("cuda")) == torch.device("cuda")
    for name, value in {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    assert own_device(torch.device("cuda")) == torch.device("cuda", 1) and chosen == [1]
    assert own_device(torch.device("cuda", 0)) == torch.device("cuda", 0)
    assert own_device(CPU) == CPU
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(ConfigError, match="process 2 of this machine needs its own GPU, but there are 2"):
        own_device(torch.device("cuda"))


@pytest.mark.parametrize("kind", [Muon, Adam])
def test_a_learning_rate_tensor_gives_the_same_step_as_a_float(kind: Any) -> None:
    generator = torch.Generator().manual_seed(1)
    sides = []
    for rate in (0.03, torch.tensor(0.03)):
        layer = torch.nn.Linear(6, 4)
        torch.nn.init.orthogonal_(layer.weight, generator=generator.manual_seed(1))
        torch.nn.init.zeros_(layer.bias)
        optimizer = kind(layer.named_parameters(), weight_decay=0.1)
        for step in range(4):
            for parameter in layer.parameters():
                parameter.grad = torch.randn(parameter.shape, generator=generator.manual_seed(step))
            optimizer.step(rate)
        sides.append([*layer.parameters(), *optimizer.state().values()])
    for a, b in zip(*sides, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_sampling_reads_the_seed_and_step_from_tensors() -> None:
    logits = torch.randn(40, 5, generator=torch.Generator().manual_seed(1))
    step, numbers = torch.tensor(9), torch.arange(17, 57)
    for options in ({"action_counts": [3, 2]}, {"continuous_dims": 2}):
        outputs = logits[:, :4] if "continuous_dims" in options else logits
        a, b = (
            reference.draw_actions(outputs, **options, seed=2**63 + 5, step=s, first_row=r)
            for s, r in ((9, 17), (step, numbers))
        )
        assert torch.equal(a[0], b[0]) and torch.equal(a[1], b[1])


# ---- graph capture -----------------------------------------------------------------------------------


class Cuda:
    """Stands in for torch.cuda during graph capture: the current device, the active capture, and replays."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.current: Any = torch.device("cuda", 0)
        self.recording: Any = None  # device and error mode of the active capture
        self.replays = 0
        for name in ("CUDAGraph", "Stream", "device", "graph"):
            monkeypatch.setattr(torch.cuda, name, getattr(self, name))

    def CUDAGraph(self) -> Any:
        def replay() -> None:
            self.replays += 1

        return SimpleNamespace(replay=replay)

    def Stream(self, device: Any = None) -> Any:
        return SimpleNamespace(device=device or self.current)

    @contextlib.contextmanager
    def device(self, device: Any) -> Iterator[None]:
        before, self.current = self.current, device
        yield
        self.current = before

    @contextlib.contextmanager
    def graph(self, graph: Any, *, stream: Any = None, capture_error_mode: str = "global") -> Iterator[None]:
        device = stream.device if stream else torch.device("cuda", 0)  # torch's default is a stream of device 0
        with self.device(device):
            self.recording = (device, capture_error_mode)
            yield
            self.recording = None


def ready(recorder: Recorder, body: Callable[[], None]) -> Recorded:
    """A function whose next call captures a graph."""
    function = recorder.record(body)
    function._calls = 100  # warmed up
    return function


def test_a_failed_graph_capture_is_reported_once_and_training_continues(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    recorder = Recorder(CPU, torch.nn.Linear(1, 1), say=said.append)
    assert not recorder.enabled  # a CPU has no graphs to capture
    recorder.enabled, calls = True, []
    functions = [ready(recorder, lambda i=i: calls.append(i)) for i in range(2)]  # type: ignore[misc]

    def refuse(graph: Any, **_: Any) -> Any:
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    Cuda(monkeypatch)
    monkeypatch.setattr(torch.cuda, "graph", refuse)
    for _ in range(3):
        for function in functions:
            function()
    assert calls == [0, 1] * 3
    assert said == [
        "warning: CUDA graphs are off, training continues without them: "
        "operation not permitted when stream is capturing"
    ]


def test_a_replayed_graph_marks_parameters_as_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, calls = torch.nn.Linear(1, 1), []
    recorder = Recorder(CPU, layer)
    recorder.enabled = True
    function = ready(recorder, lambda: calls.append(layer.weight._version))
    cuda = Cuda(monkeypatch)
    before = layer.weight._version
    for _ in range(4):
        function()
    assert len(calls) == 1 and calls[0] > before and layer.weight._version > calls[0]
    assert cuda.replays == 4


@pytest.mark.parametrize("index", [0, 1])
def test_graphs_are_captured_on_the_device_of_the_recorder(index: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error mode lets other threads call CUDA during the capture."""
    cuda, device, seen = Cuda(monkeypatch), torch.device("cuda", index), []
    recorder = Recorder(device, torch.nn.Linear(1, 1))
    ready(recorder, lambda: seen.append((cuda.recording, cuda.current)))()
    assert seen == [((device, "thread_local"), device)]
    assert cuda.current == torch.device("cuda", 0) and cuda.replays == 1


# ---- on a GPU ----------------------------------------------------------------------------------------


@needs_gpu
@pytest.mark.parametrize(("game", "kind", "train", "params"), CASES)
@pytest.mark.parametrize("graphs", [False, True])
def test_a_gpu_learns_the_same_weights_as_the_cpu(
    game: str, kind: str, train: dict[str, Any], params: dict[str, Any], graphs: bool
) -> None:
    config = config_of(game, kind, **train)
    ours, theirs = Side(config, torch.device("cuda"), 2, **params), Side(config, CPU, **params)
    ours.recorder.enabled = graphs
    try:
        # Enough for warm-up, capture and replays. After more updates, rounding would lead to different actions.
        for update in range(3):
            stats = [ours.device_path(update), theirs.plain(update)]
            assert_alike(ours, theirs, stats, 1e-3)
        assert ours.recorder.enabled == graphs  # no capture failed
    finally:
        ours.close()
        theirs.close()


@needs_gpu
@pytest.mark.slow
def test_a_gpu_trains(tmp_path: Any) -> None:
    from pufferc.training.run import train

    config = load_config("cartpole")
    settings = dataclasses.replace(config.train, device="cuda")
    result = train(dataclasses.replace(config, train=settings), runs=tmp_path, quiet=True)
    assert result.outcome == "target"
