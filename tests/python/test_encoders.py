"""Encoders of integer observations: parity with torch's one_hot, gradients, bad codes, automatic choice, recurrent
networks, checkpoints and evaluations."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import pufferc
from pufferc.config import Config, ConfigError, PolicyConfig, TrainConfig, VecConfig
from pufferc.envs.games import ObsInfo
from pufferc.kernels import private

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from pufferc.policies import (  # noqa: E402
    MLP,
    CodesMLP,
    Conv,
    Encoder,
    Flat,
    FusedMLP,
    Network,
    OneHot,
    input_map,
    make_policy,
)
from pufferc.policies.encoders import make_encoder  # noqa: E402

CPU = torch.device("cpu")
SNAKE = {"width": 24, "height": 18, "snakes": 8, "food": 60}


def codes(*shape: int, max_code: int = 5, dtype: torch.dtype = torch.int8) -> torch.Tensor:
    """Random codes, half of them 0."""
    generator = torch.Generator().manual_seed(3)
    drawn = torch.randint(1, max_code + 1, shape, generator=generator)
    return torch.where(torch.rand(shape, generator=generator) < 0.5, 0, drawn).to(dtype)


def spaces_of(shape: tuple[int, ...], dtype: type, *rows: ObsInfo) -> Any:
    """Spaces of a game with this observation table."""
    low, high = min(row.low for row in rows), max(row.high for row in rows)
    return SimpleNamespace(observation_space=gym.spaces.Box(low, high, shape, dtype), observation_rows=rows)


def coded(name: str, count: int, num_codes: int, height: int = 0, width: int = 0) -> ObsInfo:
    """A row of codes, or planes of codes."""
    return ObsInfo(name, count, 0, num_codes - 1, "", 0, num_codes, height, width)


def encoder_of(spaces: Any, kind: Any = "auto", *, fused: bool = False, channels: int = 16) -> Encoder:
    config = PolicyConfig(encoder=kind, conv_channels=channels)
    generator = torch.Generator().manual_seed(1)
    return make_encoder(config, spaces, dtype=torch.float32, fused=fused, generator=generator)


def policy(encoder: str, kind: str = "mlp", layers: int = 1, fused: bool = True, precision: str = "float32") -> Network:
    env = pufferc.make("snake", 8, **SNAKE)
    config = Config(
        "snake", policy=PolicyConfig(kind=kind, encoder=encoder, hidden_size=24, num_layers=layers, rest_scale=1.5)
    )
    made = make_policy(config, env.spaces, getattr(torch, precision), CPU, seed=4, fused=fused)
    env.close()
    return made


def reference(network: Network, x: torch.Tensor) -> torch.Tensor:
    """Outputs of an MLP over codes, with torch's one_hot without the entry of code 0."""
    y = torch.nn.functional.one_hot(x.long(), 6)[..., 1:].flatten(2).float() * network.input_gain
    for layer in network.hidden:
        y = torch.relu(layer(y))
    return network.output(y)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
def test_outputs_and_gradients_match_torch(fused: bool, layers: int) -> None:
    network, x = policy("onehot", layers=layers, fused=fused), codes(3, 40, 11, 11)
    assert type(network) is (CodesMLP if fused and layers == 1 else MLP)
    grad = torch.randn(3, 40, 5, generator=torch.Generator().manual_seed(5))
    expected = reference(network, x)
    expected.backward(grad)
    wanted = {name: parameter.grad.clone() for name, parameter in network.named_parameters()}
    torch.testing.assert_close(network(x, (), None), expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(network.step(x[0], ())[0], expected[0], atol=1e-5, rtol=1e-4)
    trained = network.forward_for_training(x, (), None)
    torch.testing.assert_close(trained, expected.detach(), atol=1e-5, rtol=1e-4)
    network.backward(grad)
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(parameter.grad, wanted[name], atol=1e-4, rtol=1e-3)


def test_acting_uses_a_changed_weight() -> None:
    network, x = policy("onehot"), codes(1, 8, 11, 11)
    before = network.step(x[0], ())[0].clone()
    with torch.no_grad():
        network.hidden[0].weight.mul_(2.0)
    after = network.step(x[0], ())[0]
    torch.testing.assert_close(after, reference(network, x)[0].detach(), atol=1e-5, rtol=1e-4)
    assert (after - before).abs().max() > 1e-4


@pytest.mark.parametrize("bad", [6, 127, -1])
def test_codes_above_the_largest_are_refused(bad: int) -> None:
    network, x = policy("onehot"), torch.zeros(1, 4, 11, 11, dtype=torch.int8)
    x[0, 2, 1, 3] = bad
    with pytest.raises(ValueError, match=f"expected 0 to 5, got {bad % 256} in row 2, cell 14"):
        network.step(x[0], ())


def test_the_kernel_refuses_invalid_arguments() -> None:
    cells, y = np.zeros((4, 6), np.uint8), np.zeros((4, 3), np.float32)
    table, bias = np.zeros((12, 3), np.float32), np.zeros(3, np.float32)
    offsets = np.arange(0, 13, 2, np.int32)
    private.one_hot_forward(cells, offsets, table, bias, y)
    with pytest.raises(ValueError, match="table"):
        private.one_hot_forward(cells, offsets, table[:6], bias, y)
    with pytest.raises(TypeError, match="codes must be bool or uint8"):
        private.one_hot_forward(cells.astype(np.int8), offsets, table, bias, y)
    with pytest.raises(ValueError, match="offsets must have shape"):
        private.one_hot_forward(cells, offsets[:6], table, bias, y)
    with pytest.raises(TypeError, match="offsets must be int32"):
        private.one_hot_forward(cells, offsets.astype(np.int64), table, bias, y)
    with pytest.raises(ValueError, match="offsets must start at 0, got 1"):
        private.one_hot_forward(cells, offsets + np.int32(1), table, bias, y)
    for cell, wrong, entries in ((5, 1, -7), (5, 300, 292), (2, 0, -2)):
        spoilt = offsets.copy()
        spoilt[cell] = wrong
        with pytest.raises(ValueError, match=f"each cell 1 to 255 entries, got {entries} in cell"):
            private.one_hot_forward(cells, spoilt, table, bias, y)
    with pytest.raises(ValueError, match="grad_y"):
        private.one_hot_backward(cells, offsets, table[:4], table, bias)
    with pytest.raises(ValueError, match="offsets must give 1 to"):
        private.one_hot_forward(
            np.zeros((4, 0), np.uint8), np.zeros(1, np.int32), np.zeros((0, 3), np.float32), bias, y
        )


ROWS_OF_CODES = (coded("hp", 1, 5), coded("ground", 6, 9), coded("idle", 2, 1), coded("who", 0, 3))


def draw_codes(rows: tuple[ObsInfo, ...], size: int, *shape: int) -> torch.Tensor:
    """Random codes uint8 [..., size], those of each row below its number of codes."""
    counts = [row.num_codes for row in rows for _ in range(row.count)]
    counts += [rows[-1].num_codes] * (size - len(counts))
    drawn = torch.rand(*shape, size, generator=torch.Generator().manual_seed(2)) * torch.tensor(counts)
    return drawn.to(torch.uint8)


@pytest.mark.parametrize("fused", [False, True])
def test_rows_have_their_own_number_of_codes(fused: bool) -> None:
    """Features are one-hot vectors of different lengths, side by side; a row of one code has one unused entry."""
    spaces = spaces_of((14,), np.uint8, *ROWS_OF_CODES)
    encoder = encoder_of(spaces, fused=fused)
    assert isinstance(encoder, OneHot) and encoder.features == 4 + 6 * 8 + 2 + 5 * 2
    x = draw_codes(ROWS_OF_CODES, 14, 3, 50)
    assert x.amax((0, 1)).tolist() == [4, *[8] * 6, 0, 0, *[2] * 5]
    most = [row.max_code for row in encoder.rows for _ in range(row.count)]
    parts = [torch.nn.functional.one_hot(x[..., i].long(), code + 1)[..., 1:] for i, code in enumerate(most)]
    expected = torch.cat(parts, -1)
    assert torch.equal(encoder(x).long(), expected)
    network = (CodesMLP if fused else MLP)(encoder.features, [4], hidden_size=24, encoder=encoder)
    plain = MLP(encoder.features, [4], hidden_size=24)
    plain.load_state_dict(network.state_dict())
    grad = torch.randn(3, 50, 5, generator=torch.Generator().manual_seed(5))
    outputs = [network.forward_for_training(x, (), None), plain.forward_for_training(expected.float(), (), None)]
    torch.testing.assert_close(*outputs, atol=1e-5, rtol=1e-4)
    network.backward(grad)
    plain.backward(grad)
    for a, b in zip(network.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, atol=1e-4, rtol=1e-3)
    if fused:
        x[1, 7, 12] = 3
        with pytest.raises(ValueError, match="expected 0 to 2, got 3 in row 57, cell 12"):
            network.forward_for_training(x, (), None)


def test_convolutions_have_one_input_plane_per_code() -> None:
    network, x = policy("conv", fused=False), codes(2, 10, 11, 11)
    assert isinstance(network.encoder, Conv) and network.encoder.features == 32 * 6 * 6
    planes = torch.nn.functional.one_hot(x.flatten(0, 1).long(), 6)[..., 1:].permute(0, 3, 1, 2).float()
    y = torch.relu(network.encoder.second(torch.relu(network.encoder.planes(planes)))).flatten(1) * network.input_gain
    expected = network.output(torch.relu(network.hidden[0](y))).view(2, 10, 5)
    torch.testing.assert_close(network(x, (), None), expected, atol=1e-5, rtol=1e-4)
    network.forward_for_training(x, (), None)
    network.backward(torch.ones(2, 10, 5))
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.encoder.parameters())


def test_shifting_a_board_by_two_cells_shifts_its_features() -> None:
    encoder = encoder_of(spaces_of((12, 12), np.uint8, ObsInfo("cell", 0, 0, 3, "")), "conv")
    board = torch.zeros(1, 1, 12, 12, dtype=torch.uint8)
    board[0, 0, 4:7, 4:7] = codes(3, 3, max_code=3, dtype=torch.uint8)
    moved = torch.roll(board, (2, 2), (2, 3))
    here, there = (encoder(x).view(32, 6, 6) for x in (board, moved))
    torch.testing.assert_close(torch.roll(here, (1, 1), (1, 2)), there)


def height_of(count: int, low: float, high: float) -> ObsInfo:
    """A plane of numbers, 4 x 5."""
    return ObsInfo("height", count, low, high, "", plane_height=4, plane_width=5)


MIXED_ROWS = (
    ObsInfo("speed", 2, -1, 1, ""),
    coded("ground", 40, 4, 4, 5),  # two planes
    coded("weapon", 3, 6),
    height_of(20, 0, 2),
    coded("who", 20, 3, 4, 5),
    ObsInfo("turn", 0, -1, 1, ""),
)


def draw_mixed() -> torch.Tensor:
    """Observations [3, 30, 86] of MIXED_ROWS."""
    parts = [torch.randn(3, 30, 2, generator=torch.Generator().manual_seed(1))]
    parts += [draw_codes((row,), row.count, 3, 30).float() for row in MIXED_ROWS[1:3]]
    parts += [torch.rand(3, 30, 20, generator=torch.Generator().manual_seed(2))]
    return torch.cat([*parts, draw_codes((MIXED_ROWS[4],), 20, 3, 30).float(), parts[0][..., :1]], -1)


def mixed_features(encoder: Conv, x: torch.Tensor) -> torch.Tensor:
    """What the encoder of MIXED_ROWS computes, from its own convolutions."""
    one_hot = torch.nn.functional.one_hot
    speed, first, second, weapon, height, who, turn = x.split([2, 20, 20, 3, 20, 20, 1], -1)
    planes = [one_hot(plane.long(), 4)[..., 1:].float() for plane in (first, second)]
    planes += [height.unsqueeze(-1), one_hot(who.long(), 3)[..., 1:].float()]
    image = torch.cat(planes, -1).flatten(0, 1).view(-1, 4, 5, 9).permute(0, 3, 1, 2)
    y = torch.relu(encoder.second(torch.relu(encoder.planes(image)))).flatten(1).view(3, 30, -1)
    return torch.cat([y, one_hot(weapon.long(), 6)[..., 1:].float().flatten(2), speed, turn], -1)


def test_convolutions_take_codes_and_numbers_beside_the_planes() -> None:
    encoder = encoder_of(spaces_of((86,), np.float32, *MIXED_ROWS), "conv", channels=8)
    assert isinstance(encoder, Conv) and encoder.features == 16 * 2 * 3 + 3 * 5 + 3
    network, x = MLP(encoder.features, [4], hidden_size=24, encoder=encoder), draw_mixed()
    expected = network.output(torch.relu(network.hidden[0](mixed_features(encoder, x))))
    grad = torch.randn(expected.shape, generator=torch.Generator().manual_seed(5))
    wanted = torch.autograd.grad(expected, list(network.parameters()), grad)
    torch.testing.assert_close(network.forward_for_training(x, (), None), expected.detach(), atol=1e-5, rtol=1e-4)
    network.backward(grad)
    for parameter, gradient in zip(network.parameters(), wanted, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, atol=1e-4, rtol=1e-3)
        assert gradient.abs().sum() > 0


def test_numbers_beside_the_planes_are_scaled_by_name() -> None:
    encoder = encoder_of(spaces_of((86,), np.float32, *MIXED_ROWS), "conv", channels=8)
    config = PolicyConfig(scaled_inputs=("turn",), input_scale=3.0, rest_scale=0.5)
    gain, shift = input_map(encoder.table, encoder.features, config)
    assert gain.tolist() == [0.5] * (encoder.features - 1) + [3.0] and not shift.any()


def test_planes_of_different_sizes_are_refused() -> None:
    rows = (*MIXED_ROWS[:-1], coded("map", 6, 3, 2, 3))
    with pytest.raises(ConfigError, match="takes planes of one size, this game has 2 x 3 and 4 x 5"):
        encoder_of(spaces_of((91,), np.float32, *rows), "conv")


def test_auto_is_one_hot_for_small_codes_in_bytes() -> None:
    def kind(low: float, high: float, dtype: type, encoder: str = "auto", shape: tuple[int, ...] = (4, 5)) -> type:
        spaces = spaces_of(shape, dtype, ObsInfo("cell", 0, low, high, ""))
        return type(encoder_of(spaces, encoder))

    assert kind(0, 5, np.int8) is OneHot and kind(0, 31, np.uint8) is OneHot
    assert kind(0, 32, np.uint8) is Flat and kind(0, 32, np.uint8, "onehot") is OneHot
    assert kind(-1, 5, np.int8) is Flat and kind(0, 5, np.int32) is Flat and kind(0, 1, np.float32) is Flat
    assert kind(0, 5, np.int8, "flat") is Flat and kind(0, 5, np.int8, "conv") is Conv
    for low, dtype, encoder in ((0, np.float32, "onehot"), (-1, np.int8, "onehot"), (0, np.int32, "conv")):
        with pytest.raises(ConfigError, match=f"policy.encoder: '{encoder}' takes observations of codes from 0"):
            kind(low, 5, dtype, encoder)
    with pytest.raises(ConfigError, match="takes boards"):
        kind(0, 5, np.uint8, "conv", (20,))


def test_auto_chooses_the_encoder_of_each_game() -> None:
    for name, expected in (("breakout", FusedMLP), ("squared", CodesMLP), ("tmaze", FusedMLP), ("pong", FusedMLP)):
        env = pufferc.make(name, 4)
        assert type(make_policy(Config(name), env.spaces, torch.float32, CPU, 1, fused=True)) is expected
        env.close()


@pytest.mark.parametrize("kind", ["mingru", "lstm"])
@pytest.mark.parametrize("encoder", ["onehot", "conv"])
def test_recurrent_networks_accept_integer_codes(kind: str, encoder: str) -> None:
    fused, plain = policy(encoder, kind, fused=True), policy(encoder, kind, fused=False)
    x, starts = codes(6, 8, 11, 11), torch.zeros(6, 8, dtype=torch.bool)
    grad = torch.randn(6, 8, 5, generator=torch.Generator().manual_seed(5))
    gradients = []
    for network in (fused, plain):
        state = network.initial_state(8, CPU)
        outputs = network.forward_for_training(x, state, starts)
        network.backward(grad)
        gradients.append([outputs, *(p.grad.clone() for p in network.parameters())])
        step, _ = network.step(x[0], state)
        torch.testing.assert_close(step, outputs[0], atol=1e-5, rtol=1e-4)
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(("encoder", "kind"), [("onehot", "mlp"), ("onehot", "mingru"), ("conv", "mlp")])
def test_runs_are_saved_resumed_and_evaluated(encoder: str, kind: str, tmp_path: Path) -> None:
    from pufferc.runs.checkpoint import find_checkpoint, load_checkpoint
    from pufferc.training.evaluate import EvaluationSettings
    from pufferc.training.from_checkpoint import play_checkpoint
    from pufferc.training.run import train

    config = Config(
        "snake",
        env={**SNAKE, "max_steps": 50},
        vec=VecConfig(16, 1),
        policy=PolicyConfig(kind=kind, encoder=encoder, hidden_size=16),
        train=TrainConfig(total_steps=512, horizon=16, minibatch_size=128, threads=1),
    )
    result = train(config, runs=tmp_path, quiet=True)
    path = find_checkpoint(str(result.run), tmp_path, "snake")
    played = [play_checkpoint(load_checkpoint(path), EvaluationSettings(16, 3)) for _ in range(2)]
    assert played[0].episodes >= 16 and played[0].score == played[1].score
