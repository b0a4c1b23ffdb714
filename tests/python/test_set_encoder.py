"""The encoder of sets of entities: features, kernels against torch, absent entities, scaling, rollouts, runs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import pufferc
from pufferc import ops
from pufferc.config import Config, ConfigError, PolicyConfig, TrainConfig, VecConfig
from pufferc.envs.games import ObsInfo
from pufferc.kernels import private
from pufferc.kernels.backend import FUSED

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from pufferc.policies import (  # noqa: E402
    LSTM,
    MLP,
    FusedLSTM,
    FusedMinGRU,
    FusedMLP,
    MinGRU,
    Network,
    Sets,
    make_policy,
)
from pufferc.policies.encoders import make_encoder  # noqa: E402
from pufferc.training.collectors import FusedCollector, LoopCollector, make_collector  # noqa: E402
from pufferc.training.rollout import Rollout  # noqa: E402

CPU = torch.device("cpu")
TABLE = (
    ObsInfo("own", 3, -1, 1, ""),
    ObsInfo("cars", 12, -1, 3, "", each=4),
    ObsInfo("time", 1, 0, 1, ""),
    ObsInfo("walls", 15, -1, 1, "", each=3),
    ObsInfo("rest", 0, -1, 1, ""),
)
SIZE = 33  # "rest" has 2 values
PLAIN = [0, 1, 2, 15, 31, 32]
PLACES = {"cars": (3, 4, 3), "walls": (16, 3, 5)}  # first value, values of an entity, entities


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = ops.get_num_threads()
    yield
    ops.set_num_threads(before)


def spaces_of(size: int, *rows: ObsInfo, dtype: type = np.float32) -> Any:
    """Spaces of a game with this observation table."""
    low, high = min(row.low for row in rows), max(row.high for row in rows)
    return SimpleNamespace(
        observation_space=gym.spaces.Box(low, high, (size,), dtype),
        observation_rows=rows,
        action_space=gym.spaces.Discrete(4),
    )


def encoder_of(table: tuple[ObsInfo, ...] = TABLE, size: int = SIZE, width: int = 8) -> Sets:
    config = PolicyConfig(encoder="sets", set_size=width)
    generator = torch.Generator().manual_seed(1)
    made = make_encoder(config, spaces_of(size, *table), dtype=torch.float32, fused=True, generator=generator)
    assert isinstance(made, Sets)
    return made


def draw(*shape: int) -> torch.Tensor:
    """Observations [..., SIZE]. Every fifth row has no entities; of the others, half are present."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(*shape, SIZE, generator=generator)
    present = torch.rand(*shape, 8, generator=generator) < 0.5
    present.view(-1, 8)[::5] = False
    for i, at in enumerate([3, 7, 11, 16, 19, 22, 25, 28]):
        x[..., at] = present[..., i].float()
    return x


def randomise(network: Network) -> None:
    """Larger biases and outputs than a new network has, so that every parameter matters."""
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)


def make(kind: type[Network], layers: int = 1, dtype: torch.dtype = torch.float32) -> Any:
    """A network over TABLE whose input maps are not trivial."""
    name = kind.__name__.removeprefix("Fused").lower()
    config = PolicyConfig(
        kind=name,  # type: ignore[arg-type]
        encoder="sets", set_size=8, hidden_size=24, num_layers=layers, rest_scale=1.5,
        scaled_inputs=("cars", "time"), input_scale=2.0,
    )  # fmt: skip
    fused, spaces = kind.__name__.startswith("Fused"), spaces_of(SIZE, *TABLE)
    network = make_policy(Config("breakout", policy=config), spaces, dtype, CPU, seed=4, fused=fused)
    assert type(network) is kind
    randomise(network)
    return network


def expected_features(encoder: Sets, x: torch.Tensor) -> torch.Tensor:
    """The features of one observation [SIZE], entity by entity."""
    parts = [x[PLAIN]]
    layers = encoder.layers()
    for i, (first, each, entities) in enumerate(PLACES.values()):
        found = []
        for e in range(entities):
            entity = x[first + e * each : first + (e + 1) * each]
            if entity[0] != 0:
                found.append(layers[2 * i + 1](torch.relu(layers[2 * i](entity * encoder.gain[i] + encoder.shift[i]))))
        parts.append(torch.relu(torch.stack(found)).amax(0) if found else torch.zeros(8))
    return torch.cat(parts)


def test_features_are_maxima_over_present_entities() -> None:
    network, x = make(MLP), draw(4, 10)
    encoder = network.encoder
    assert encoder.features == len(PLAIN) + 16
    assert encoder.shape == private.SetsShape(33, (private.EntitySet(3, 12, 4, 8), private.EntitySet(16, 15, 3, 8)))
    expected = torch.stack([expected_features(encoder, row) for row in x.flatten(0, 1)]).view(4, 10, -1)
    torch.testing.assert_close(encoder(x), expected, atol=1e-5, rtol=1e-5)
    assert (encoder(x)[0, 0, len(PLAIN) :] == 0).all() and (encoder(x)[0, 1, len(PLAIN) :] > 0).any()


def test_only_present_entities_matter_and_not_their_order() -> None:
    for kind in (MLP, FusedMLP):
        network, x = make(kind), draw(1, 30)
        before = network.step(x[0], ())[0].clone()
        changed = x.clone()
        absent = changed[..., 3:15].view(30, 3, 4)[..., 0] == 0
        changed[..., 3:15].view(30, 3, 4)[..., 1:][absent] = 7.0
        changed[..., 3:15] = changed[..., 3:15].view(1, 30, 3, 4).flip(2).flatten(2)
        torch.testing.assert_close(network.step(changed[0], ())[0], before, atol=1e-6, rtol=1e-6)
        changed[..., 3:15].view(30, 3, 4)[..., 1:] += 1.0
        assert (network.step(changed[0], ())[0] - before).abs().max() > 1e-2


def test_named_rows_are_scaled() -> None:
    """cars are in [-1, 3] and mapped to +-2, as time is; the other values are multiplied by 1.5, features by 1."""
    network = make(MLP)
    assert network.encoder.gain.tolist() == [1.0, 1.5] and network.encoder.shift.tolist() == [-1.0, 0.0]
    assert network.input_gain.tolist() == [1.5, 1.5, 1.5, 4.0, 1.5, 1.5, *[1.0] * 16]
    assert network.input_shift.tolist() == [0.0, 0.0, 0.0, -2.0, *[0.0] * 18]


PAIRS = [(FusedMLP, MLP), (FusedMinGRU, MinGRU), (FusedLSTM, LSTM)]


def results(network: Any, steps: int, rows: int) -> dict[str, torch.Tensor]:
    """Outputs and gradients of a training pass, and the outputs of one step."""
    generator = torch.Generator().manual_seed(5)
    x, starts = draw(steps, rows), torch.rand(steps, rows, generator=generator) < 0.1
    state = tuple(torch.randn(part.shape, generator=generator) for part in network.initial_state(rows, CPU))
    given = x.to(network.compute_dtype)
    outputs = network.forward_for_training(given, state, starts if state else None).clone()
    network.backward(torch.randn(outputs.shape, generator=generator) / (steps * rows))
    found = {name: parameter.grad.clone() for name, parameter in network.named_parameters()}
    return {**found, "outputs": outputs, "step": network.step(given[0], state)[0].clone()}


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("shape", [(1, 300), (17, 70)])
@pytest.mark.parametrize(("fused", "plain"), PAIRS)
def test_float32_kernels_agree_with_torch(fused: Any, plain: Any, shape: tuple[int, int], layers: int) -> None:
    found, expected = results(make(fused, layers), *shape), results(make(plain, layers), *shape)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert value.abs().max() > 0, name
        assert (found[name] - value).abs().max() <= 3e-5 * value.abs().max(), name


@pytest.mark.parametrize(("fused", "plain"), PAIRS)
def test_bfloat16_kernels_are_as_close_to_float32_as_torch(fused: Any, plain: Any) -> None:
    found, theirs = (results(make(kind, dtype=torch.bfloat16), 9, 70) for kind in (fused, plain))
    for name, exact in results(make(plain), 9, 70).items():
        ours, torchs = (torch.linalg.vector_norm(value - exact) for value in (found[name], theirs[name]))
        assert ours <= 1.5 * torchs + 0.01 * torch.linalg.vector_norm(exact), name


@pytest.mark.parametrize("fused", [FusedMLP, FusedMinGRU, FusedLSTM])
def test_results_have_the_same_bits_for_any_number_of_threads(fused: Any) -> None:
    ops.set_num_threads(1)
    expected = results(make(fused), 16, 320)
    for threads in (2, 7):
        ops.set_num_threads(threads)
        found = results(make(fused), 16, 320)
        assert all(torch.equal(found[name], value) for name, value in expected.items())


@pytest.mark.parametrize("name", ["hidden.0.weight", "encoder.networks.0.weight", "encoder.networks.3.bias"])
def test_acting_uses_a_changed_weight(name: str) -> None:
    network, plain, x = make(FusedMLP), make(MLP), draw(1, 20)
    before = network.step(x[0], ())[0].clone()
    for each in (network, plain):
        with torch.no_grad():
            dict(each.named_parameters())[name].mul_(2.0)
    after = network.step(x[0], ())[0]
    torch.testing.assert_close(after, plain.step(x[0], ())[0], atol=1e-5, rtol=1e-4)
    assert (after - before).abs().max() > 1e-3


def test_a_set_without_entities_has_no_network() -> None:
    """The count of a last row may be 0, as that of the road of a game that does not show it."""
    table = (ObsInfo("own", 3, -1, 1, ""), ObsInfo("cars", 8, -1, 1, "", each=4), ObsInfo("road", 0, -1, 1, "", each=6))
    encoder = encoder_of(table, 11)
    assert len(encoder.shape.sets) == 1 and encoder.features == 3 + 8
    assert len(encoder_of(table, 23).shape.sets) == 2
    with pytest.raises(ConfigError, match="'sets' takes observations with rows of entities, this game has none"):
        encoder_of(TABLE[:1], 3)


def test_the_kernel_refuses_invalid_sets() -> None:
    def mlp(*sets: tuple[int, int, int, int], width: int = 13, inputs: int = 20) -> None:
        shape = private.SetsShape(inputs, tuple(private.EntitySet(*each) for each in sets))
        private.Mlp([width, 8, 3], bfloat16=False, sets=shape)

    mlp((2, 6, 3, 5), (8, 12, 4, 6))
    with pytest.raises(ValueError, match=r"widths\[0\]: expected the 13 outputs of the sets, got 14"):
        mlp((2, 6, 3, 5), (8, 12, 4, 6), width=14)
    with pytest.raises(ValueError, match=r"sets\[1\]: expected entities of 1 to 16384 values"):
        mlp((2, 6, 3, 5), (7, 12, 4, 6))
    with pytest.raises(ValueError, match=r"sets\[0\].* got values from 2, 7 of them, 3 in an entity, 5 features"):
        mlp((2, 7, 3, 5))
    with pytest.raises(ValueError, match=r"sets must be in \[0, 2147483647\], got -2"):
        mlp((-2, 6, 3, 5))
    shape = private.SetsShape(6, (private.EntitySet(0, 6, 3, 5),))
    net, x = private.MinGru([5, 4, 2], bfloat16=False, sets=shape), torch.zeros(2, 3, 6)
    weights = [torch.zeros(5, 3), torch.zeros(5, 5), torch.zeros(4, 5), torch.zeros(8, 4), torch.zeros(2, 4)]
    biases = [torch.zeros(weight.shape[0]) for weight in weights]
    state, outputs = (torch.zeros(3, 4),), torch.zeros(2, 3, 2)
    net.forward(x, state, None, outputs, (torch.zeros(3, 4),), keep=True)
    with pytest.raises(ValueError, match="x must have shape"):
        net.forward(torch.zeros(2, 3, 5), state, None, outputs, (torch.zeros(3, 4),))
    with pytest.raises(ValueError, match="grad_x must be None for a network with sets"):
        net.backward(x, state, None, outputs, weights, biases, torch.zeros(2, 3, 6))
    with pytest.raises(ValueError, match="hidden layer"):
        private.MinGru([5, 2], bfloat16=False, sets=shape)


def test_a_fused_rollout_equals_the_loop() -> None:
    """The pole's three last values as entities of one value, which are absent where they are 0."""
    env = pufferc.make("cartpole", 40, num_threads=1, seed=1)
    table = (ObsInfo("x", 1, -5, 5, ""), ObsInfo("rest", 3, -5, 5, "", each=1))
    rollouts = []
    for threads in (0, 1, 3):  # 0 = the loop
        ops.set_num_threads(max(threads, 1))
        encoder = Sets(table, 8, dtype=torch.float32, generator=torch.Generator().manual_seed(1))
        generator = torch.Generator().manual_seed(2)
        policy = FusedMLP(encoder.features, [2], hidden_size=16, encoder=encoder, generator=generator)
        policy.head = make_policy(Config("cartpole"), env.spaces, torch.float32, CPU, seed=1).head
        with torch.no_grad():
            policy.output.weight.mul_(30.0)
        rollout = Rollout.make(env, policy, 24, CPU)
        rollout.reset(env, policy, 1)
        collector = make_collector(env, policy, rollout, FUSED, 3)
        assert type(collector) is FusedCollector
        (collector if threads else LoopCollector(env, policy, rollout, FUSED, 3)).collect(0)
        rollouts.append(rollout)
    for found in rollouts[1:]:
        for array in ("observations", "actions", "logprobs", "values", "rewards"):
            assert torch.equal(getattr(found, array), getattr(rollouts[0], array)), array
    env.close()


@pytest.mark.parametrize("kind", ["mlp", "mingru", "lstm"])
def test_runs_are_saved_resumed_and_evaluated(kind: str, tmp_path: Path) -> None:
    from pufferc.runs.checkpoint import find_checkpoint, load_checkpoint
    from pufferc.training.evaluate import EvaluationSettings
    from pufferc.training.from_checkpoint import play_checkpoint
    from pufferc.training.run import train

    config = Config(
        "boids",
        env={"boids": 8, "width": 40, "height": 30, "max_steps": 50, "obstacles": 1},
        vec=VecConfig(16, 1),
        policy=PolicyConfig(kind=kind, encoder="sets", set_size=8, hidden_size=16),
        train=TrainConfig(total_steps=512, horizon=16, minibatch_size=128, threads=1),
    )
    result = train(config, runs=tmp_path, quiet=True)
    path = find_checkpoint(str(result.run), tmp_path, "boids")
    checkpoint = load_checkpoint(path)
    assert any(name.startswith("encoder.networks.") for name in checkpoint.policy)
    played = [play_checkpoint(checkpoint, EvaluationSettings(16, 3)) for _ in range(2)]
    assert played[0].episodes >= 16 and played[0].score == played[1].score
    assert math.isfinite(played[0].score)
