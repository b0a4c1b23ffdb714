"""Exported policies: the C library must match torch and this package's sampling on files made by `pufferc export`."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pufferc
from masks import build_lock
from own_games import build_duel, needs_compiler
from pufferc.authoring import sdk

torch = pytest.importorskip("torch")

from pufferc.commands import export  # noqa: E402
from pufferc.config import Config, PolicyConfig, as_tables  # noqa: E402
from pufferc.policies import (  # noqa: E402
    Network,
    make_policy,
    policy_file,
    restart_rows,
)
from pufferc.runs.checkpoint import load_checkpoint, save_checkpoint  # noqa: E402
from pufferc.training import from_checkpoint  # noqa: E402


class Draw(ctypes.Structure):
    """PfcPolicyDraw."""

    _fields_ = (
        ("greedy", ctypes.c_int32),
        ("seed", ctypes.c_uint64),
        ("step", ctypes.c_uint64),
        ("first_row", ctypes.c_uint64),
    )


class CPolicy:
    """A policy in the C library; what it returns is NumPy."""

    def __init__(self, data: bytes, outputs: int, dims: int = 1) -> None:
        self.c = ctypes.CDLL(str(sdk.library()))
        self.c.pfc_policy_parse.restype = ctypes.c_void_p
        self.c.pfc_last_error.restype = ctypes.c_char_p
        self.outputs, self.dims = outputs, dims
        self.handle = ctypes.c_void_p(self.c.pfc_policy_parse(data, ctypes.c_uint64(len(data)), b"exported"))
        if not self.handle:
            raise ValueError(self.c.pfc_last_error().decode())

    def forward(
        self, observations: np.ndarray[Any, Any], state: np.ndarray[Any, Any] | None = None
    ) -> np.ndarray[Any, Any]:
        """Outputs float32 [rows, K + 1]; the state float32 [rows, S] is replaced."""
        out = np.empty((len(observations), self.outputs), np.float32)
        rows = ctypes.c_int64(len(observations))
        assert self.c.pfc_policy_forward(self.handle, at(observations), rows, at(state), at(out)) == 0
        return out

    def act(
        self,
        observations: np.ndarray[Any, Any],
        draw: Draw,
        state: np.ndarray[Any, Any] | None = None,
        dtype: type[Any] = np.int32,
        mask: np.ndarray[Any, Any] | None = None,
    ) -> np.ndarray[Any, Any]:
        """Actions [rows, dims], int32 or for continuous actions float32; mask uint32 [rows, W]."""
        out = np.empty((len(observations), self.dims), dtype)
        rows, rest = ctypes.c_int64(len(observations)), (ctypes.byref(draw), at(state), at(out), None)
        if mask is None:
            status = self.c.pfc_policy_act(self.handle, at(observations), rows, *rest)
        else:
            status = self.c.pfc_policy_act_masked(self.handle, at(observations), at(mask), rows, *rest)
        if status:
            raise ValueError(self.c.pfc_last_error().decode())
        return out

    def restart(self, ended: np.ndarray[Any, Any], state: np.ndarray[Any, Any]) -> None:
        """Reset the state of the rows whose episode ended; `ended` is bool [rows]."""
        none, rows = np.zeros(len(ended), np.uint8), ctypes.c_int64(len(ended))
        assert self.c.pfc_policy_restart(self.handle, rows, at(ended.astype(np.uint8)), at(none), at(state)) == 0

    def close(self) -> None:
        """Free the policy."""
        self.c.pfc_policy_destroy(self.handle)


def at(array: np.ndarray[Any, Any] | None) -> ctypes.c_void_p:
    """Pointer to the data of an array, or NULL."""
    return ctypes.c_void_p(None if array is None else array.ctypes.data)


def states(env: pufferc.VecEnv, steps: int = 60) -> np.ndarray[Any, Any]:
    """Observations from random play."""
    env.action_space.seed(1)
    env.reset(seed=1)
    for _ in range(steps):
        observations = env.step(env.action_space.sample())[0]
    return np.ascontiguousarray(observations).copy()


@pytest.fixture(params=["breakout", "cartpole", "squared", "snake"])
def env(request: pytest.FixtureRequest) -> Iterator[pufferc.VecEnv]:
    """A pool of about 500 rows."""
    made = pufferc.make(request.param, 512, seed=1)
    yield made
    made.close()


def random_policy(env: pufferc.VecEnv, seed: int, config: PolicyConfig | None = None) -> Network:
    whole = Config(env.name, policy=config or PolicyConfig())
    policy = make_policy(whole, env.spaces, torch.float32, torch.device("cpu"), seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in policy.parameters():  # the head starts near zero; make every logit count
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.05)
    return policy


@pytest.mark.parametrize("seed", range(3))
def test_c_outputs_match_torch(env: pufferc.VecEnv, seed: int) -> None:
    config = PolicyConfig(hidden_size=[128, 33, 200][seed], num_layers=seed + 1)
    policy, observations = random_policy(env, seed, config), states(env)
    with torch.no_grad():
        expected = policy(torch.from_numpy(observations).unsqueeze(0), (), None).squeeze(0).numpy()
    exported = CPolicy(policy_file.describe_policy(policy, env.spaces, {}).to_bytes(), expected.shape[1])
    tolerance = 1e-5 * max(1, abs(expected).max())
    np.testing.assert_allclose(exported.forward(observations), expected, rtol=0, atol=tolerance)
    exported.close()


@pytest.mark.parametrize("kind", ["mingru", "lstm"])
@pytest.mark.parametrize("seed", range(2))
def test_c_recurrent_state_matches_torch(env: pufferc.VecEnv, kind: str, seed: int) -> None:
    """Compare outputs and states of C and torch over 40 steps of random play, with resets at episode ends."""
    policy = random_policy(env, seed, PolicyConfig(kind=kind, hidden_size=[128, 33][seed], num_layers=seed + 1))
    data = policy_file.describe_policy(policy, env.spaces, {})
    exported = CPolicy(data.to_bytes(), data.outputs)
    expected_state = policy.initial_state(env.num_envs, torch.device("cpu"))
    state = np.zeros((env.num_envs, sum(part.shape[1] for part in expected_state)), np.float32)
    env.action_space.seed(seed)
    observations, _ = env.reset(seed=seed)
    ends = 0
    for _ in range(40):
        with torch.no_grad():
            expected, expected_state = policy.step(torch.from_numpy(observations), expected_state)
        tolerance = 1e-5 * max(1.0, float(expected.abs().max()))
        outputs = exported.forward(np.ascontiguousarray(observations), state)
        np.testing.assert_allclose(outputs, expected.numpy(), rtol=0, atol=tolerance)
        remembered = torch.cat(expected_state, 1).numpy()
        np.testing.assert_allclose(state, remembered, rtol=0, atol=1e-5 * max(1.0, abs(remembered).max()))
        observations, _, terminated, truncated, _ = env.step(env.action_space.sample())
        ended = terminated | truncated
        ends += int(ended.sum())
        expected_state = restart_rows(policy, expected_state, torch.from_numpy(ended))
        exported.restart(ended, state)
    assert ends or env.name in ("breakout",)
    exported.close()


@needs_compiler
@pytest.mark.parametrize("kind", ["mlp", "mingru", "lstm"])
def test_c_codes_by_row_match_torch(kind: str, tmp_path: Path) -> None:
    """Rows of duel with a number of codes have 3, the others have the 31 of the largest value."""
    env = pufferc.make(str(build_duel(tmp_path)), 64, seed=1)
    policy = random_policy(env, 1, PolicyConfig(kind=kind, encoder="onehot", hidden_size=33))
    data = policy_file.describe_policy(policy, env.spaces, {})
    rows = data.layers[0]
    assert isinstance(rows, policy_file.CodeRows) and {row.max_code for row in rows.rows} == {2, 30}
    exported = CPolicy(data.to_bytes(), data.outputs)
    space = env.single_observation_space
    observations = np.random.default_rng(1).integers(0, 4, (64, *space.shape)).astype(space.dtype)
    state = policy.initial_state(64, torch.device("cpu"))
    remembered = np.zeros((64, sum(part.shape[1] for part in state)), np.float32)
    with torch.no_grad():
        expected = policy.step(torch.from_numpy(observations), state)[0].numpy()
    tolerance = 1e-5 * max(1, abs(expected).max())
    np.testing.assert_allclose(exported.forward(observations, remembered), expected, rtol=0, atol=tolerance)
    exported.close()
    env.close()


def compare_steps(policy: Any, data: Any, observations: Any) -> None:
    """Outputs and states of C and torch over three steps."""
    exported = CPolicy(data.to_bytes(), data.outputs)
    state = policy.initial_state(len(observations), torch.device("cpu"))
    remembered = np.zeros((len(observations), sum(part.shape[1] for part in state)), np.float32)
    for _ in range(3):
        with torch.no_grad():
            expected, state = policy.step(torch.from_numpy(observations), state)
        found = exported.forward(observations, remembered)
        np.testing.assert_allclose(found, expected.numpy(), rtol=0, atol=1e-5 * max(1.0, float(expected.abs().max())))
        observations = np.roll(observations, 1, axis=0)
    exported.close()


def compare_convolutions(env: pufferc.VecEnv, observations: np.ndarray[Any, Any], config: PolicyConfig) -> None:
    """Outputs and states of C and torch over three steps."""
    policy = random_policy(env, 1, config)
    data = policy_file.describe_policy(policy, env.spaces, {})
    assert isinstance(data.layers[1], policy_file.Conv) and isinstance(data.layers[2], policy_file.Conv)
    compare_steps(policy, data, observations)


@pytest.mark.parametrize("kind", ["mlp", "mingru", "lstm"])
@pytest.mark.parametrize("vision", [3, 5])
def test_c_convolutions_over_a_board_match_torch(kind: str, vision: int) -> None:
    env = pufferc.make("snake", 64, seed=1, width=40, height=40, snakes=8, food=200, vision=vision)
    compare_convolutions(env, states(env), PolicyConfig(kind=kind, encoder="conv", hidden_size=33))
    env.close()


@needs_compiler
@pytest.mark.parametrize("kind", ["mlp", "mingru", "lstm"])
def test_c_convolutions_beside_codes_and_numbers_match_torch(kind: str, tmp_path: Path) -> None:
    """An observation of duel has a plane, a code and numbers."""
    env = pufferc.make(str(build_duel(tmp_path)), 64, seed=1)
    space = env.single_observation_space
    observations = np.random.default_rng(1).integers(0, 4, (64, *space.shape)).astype(space.dtype)
    compare_convolutions(env, observations, PolicyConfig(kind=kind, encoder="conv", conv_channels=5, hidden_size=33))
    env.close()


@pytest.mark.parametrize("kind", ["mlp", "mingru", "lstm"])
@pytest.mark.parametrize("scaled", [(), ("neighbours", "speed")])
def test_c_sets_match_torch(kind: str, scaled: tuple[str, ...]) -> None:
    """Outputs and states over three steps of boids, of which some see fewer neighbours than others."""
    env = pufferc.make("boids", 256, seed=1)
    observations = states(env)
    config = PolicyConfig(kind=kind, encoder="sets", set_size=9, hidden_size=33, scaled_inputs=scaled, input_scale=2.0)
    policy = random_policy(env, 1, config)
    data = policy_file.describe_policy(policy, env.spaces, {})
    assert isinstance(data.layers[0], policy_file.Sets) and [group.each for group in data.layers[0].sets] == [4, 5]
    seen = (observations[:, 17:].reshape(256, 7, 5)[..., 0] != 0).sum(1)
    assert seen.min() < seen.max()
    compare_steps(policy, data, observations)
    env.close()


@pytest.mark.parametrize("squash", [False, True])
def test_c_continuous_actions_match_python(squash: bool) -> None:
    """A random network with three continuous actions. C returns the kernels' sample, clipped or squashed to [-1, 1]."""
    rng = np.random.default_rng(2)
    weight, bias = rng.normal(size=(7, 5)).astype(np.float32), rng.normal(size=7).astype(np.float32)
    layers = [policy_file.Linear(weight, bias, relu=False)]
    data = policy_file.PolicyFile("mine", 1, "float32", (5,), (), layers, continuous_dims=3, squash=squash)
    assert data.outputs == 7
    exported = CPolicy(data.to_bytes(), 7, 3)
    observations = rng.normal(size=(40, 5)).astype(np.float32)
    outputs = exported.forward(observations)
    np.testing.assert_allclose(outputs, observations @ weight.T + bias, atol=1e-5)
    for greedy in (False, True):
        drawn, _ = pufferc.ops.sample_actions(outputs[:, :6].copy(), continuous_dims=3, seed=5, step=6, greedy=greedy)
        expected = np.tanh(drawn) if squash else np.clip(drawn, -1, 1)
        actions = exported.act(observations, Draw(greedy, 5, 6, 0), dtype=np.float32)
        np.testing.assert_allclose(actions, expected, atol=1e-6)
    assert (np.abs(drawn) > 1).any()
    exported.close()


def test_c_samples_match_python(env: pufferc.VecEnv) -> None:
    """Equal logits give equal actions, because random numbers depend only on seed, step and row."""
    policy, observations = random_policy(env, 3), states(env)
    data = policy_file.describe_policy(policy, env.spaces, {})
    exported = CPolicy(data.to_bytes(), data.outputs, len(data.action_counts))
    logits = np.ascontiguousarray(exported.forward(observations)[:, :-1])
    for greedy in (False, True):
        expected, _ = pufferc.ops.sample_actions(logits, data.action_counts, seed=5, step=6, greedy=greedy)
        actions = exported.act(observations, Draw(greedy, 5, 6, 0))
        np.testing.assert_array_equal(actions.reshape(expected.shape), expected)
        half = exported.act(observations[100:].copy(), Draw(greedy, 5, 6, 100))
        np.testing.assert_array_equal(half, actions[100:])
    exported.close()


@needs_compiler
@pytest.mark.parametrize("kind", ["mlp", "mingru", "lstm"])
def test_c_masked_samples_match_python(kind: str, tmp_path: Path) -> None:
    """A policy plays a game with masks in C. Equal logits and masks give the actions that Python gives."""
    game = build_lock(tmp_path)
    env = pufferc.make(str(game), 200, seed=1)
    whole = Config(str(game), policy=PolicyConfig(kind=kind, hidden_size=16))
    policy = make_policy(whole, env.spaces, torch.float32, torch.device("cpu"), 1)
    data = policy_file.describe_policy(policy, env.spaces, {})
    assert data.masked and data.to_bytes()[160] == 1
    exported = CPolicy(data.to_bytes(), data.outputs, 2)
    state = np.zeros((200, {"mlp": 0, "mingru": 16, "lstm": 32}[kind]), np.float32)
    observations, _ = env.reset()
    for step in range(60):
        seen, mask, before = observations.copy(), env.action_mask, state.copy()
        assert mask is not None
        with pytest.raises(ValueError, match="was trained with masks; call pfc_policy_act_masked"):
            exported.act(seen, Draw(0, 5, step, 0), state.copy())
        for greedy in (1, 0):
            state[:] = before
            logits = np.ascontiguousarray(exported.forward(seen, before.copy())[:, :-1])
            expected, _ = pufferc.ops.sample_actions(logits, [3, 34], mask=mask, seed=5, step=step, greedy=bool(greedy))
            actions = exported.act(seen, Draw(greedy, 5, step, 0), state, mask=mask)
            np.testing.assert_array_equal(actions, expected)
        observations, _, terminated, truncated, _ = env.step(actions)  # raises an error for illegal actions
        exported.restart(terminated | truncated, state)
    exported.close()
    env.close()


def test_c_episodes_match_python() -> None:
    """With equal seeds every row's score is equal, except if a sample falls on a boundary (about one in a million)."""
    env = pufferc.make("breakout", 256, seed=4)
    policy = random_policy(env, 4)
    exported = CPolicy(policy_file.describe_policy(policy, env.spaces, {}).to_bytes(), 4)
    scores = []
    for play in ("python", "c"):
        observations, _ = env.reset(seed=4)
        env.pop_metrics()
        for t in range(400):
            if play == "c":
                actions = exported.act(observations, Draw(0, 9, t, 0))[:, 0]
            else:
                outputs, _ = policy.step(torch.from_numpy(observations), ())
                actions = pufferc.ops.sample_actions(outputs[:, :-1], [3], seed=9, step=t)[0].numpy()
            observations = env.step(actions)[0]
        scores.append(env.pop_metrics()["score"])
    assert scores[0] > 0 and scores[1] == pytest.approx(scores[0], rel=0.02)
    exported.close()
    env.close()


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A run of squared with one checkpoint of an untrained network."""
    env = pufferc.make("squared", 4, seed=1, max_steps=20)
    config = Config("squared", env={"max_steps": 20})
    policy = make_policy(config, env.spaces, torch.float32, torch.device("cpu"), seed=1)
    meta = {"game": "squared", "version": env.version, "config": as_tables(config), "precision": "float32"}
    env.close()
    return save_checkpoint(tmp_path / "runs" / "squared-1" / "checkpoints", 5, policy.state_dict(), {}, meta)


def test_export_into_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"cannot write .*x\.pfc: there is no folder .*absent"):
        export.main(["squared", "--out", str(tmp_path / "absent" / "x.pfc")])


def test_the_export_command(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "policy.pfc"
    assert export.main(["squared", "--runs", str(tmp_path / "runs"), "--out", str(out)]) == 0
    assert str(out) in capsys.readouterr().out
    policy, spaces, params = from_checkpoint.load_policy(load_checkpoint(checkpoint))
    assert params == {"max_steps": 20.0}
    assert out.read_bytes() == policy_file.describe_policy(policy, spaces, params).to_bytes()
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["policy.pfc"]
    exported = CPolicy(out.read_bytes(), 6)
    env = pufferc.make("squared", 1, seed=1)
    assert exported.forward(states(env)).shape == (1, 6)
    exported.close()
    env.close()


def test_onnx(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "policy.onnx"
    words = ["squared", "--runs", str(tmp_path / "runs"), "--out", str(out), "--onnx"]
    try:
        import onnx.reference
        import onnxscript  # noqa: F401
    except ImportError:
        with pytest.raises(ValueError, match="pip install onnx"):
            export.main(words)
        return
    export.main(words)
    policy, spaces, params = from_checkpoint.load_policy(load_checkpoint(checkpoint))
    env = pufferc.make("squared", 1, seed=1)
    observations = np.concatenate([states(env, steps) for steps in range(1, 8)])
    expected = policy(torch.from_numpy(observations).unsqueeze(0), (), None).squeeze(0).detach().numpy()
    logits, value = onnx.reference.ReferenceEvaluator(str(out)).run(["logits", "value"], {"observations": observations})
    np.testing.assert_allclose(np.column_stack([logits, value]), expected, atol=1e-5)
    metadata = {entry.key: entry.value for entry in onnx.load(out).metadata_props}
    assert metadata["producer"] == "pufferc" and metadata["game"] == "squared"
    described = {key: json.loads(text) for key, text in metadata.items() if key not in ("producer", "game")}
    assert described == {
        "game_version": spaces.version, "params": params, "obs_dtype": str(observations.dtype),
        "obs_shape": [*observations.shape[1:]],
        "action_counts": [5], "continuous_dims": 0, "squash": False, "masked": False,
    }  # fmt: skip
    env.close()


def test_onnx_of_continuous_policies(tmp_path: Path) -> None:
    """Played by ONNX Runtime, where it is installed, else by the reference of the package onnx."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    out, env = tmp_path / "policy.onnx", pufferc.make("pufferc/CartPoleContinuous-v1", 5, seed=1)
    policy = random_policy(env, 3, PolicyConfig(hidden_size=16))
    policy_file.export_onnx(policy, env.spaces, out, {"continuous": 1.0})
    observations, names = states(env, 3), ["mean", "log_std", "value"]
    try:
        import onnxruntime

        player = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
        assert [node.name for node in player.get_outputs()] == names
    except ImportError:
        player = pytest.importorskip("onnx.reference").ReferenceEvaluator(str(out))
    mean, log_std, value = player.run(names, {"observations": observations})
    expected = policy(torch.from_numpy(observations).unsqueeze(0), (), None).squeeze(0).detach().numpy()
    assert mean.shape == log_std.shape == (5, 1) and value.shape == (5,)
    np.testing.assert_allclose(np.column_stack([mean, log_std, value]), expected, atol=1e-5)
    metadata = {entry.key: entry.value for entry in onnx.load(out).metadata_props}
    assert json.loads(metadata["params"]) == {"continuous": 1.0} and metadata["continuous_dims"] == "1"
    env.close()


@pytest.mark.parametrize("kind", ["mingru", "lstm"])
def test_onnx_of_recurrent_policies(kind: str, tmp_path: Path) -> None:
    """The state is an input and an output. Three steps use a different number of rows than the export."""
    reference = pytest.importorskip("onnx.reference")
    pytest.importorskip("onnxscript")
    env = pufferc.make("cartpole", 5, seed=1)
    policy = random_policy(env, 3, PolicyConfig(kind=kind, hidden_size=16))
    policy_file.export_onnx(policy, env.spaces, tmp_path / "policy.onnx")
    player = reference.ReferenceEvaluator(str(tmp_path / "policy.onnx"))
    expected_state = policy.initial_state(5, torch.device("cpu"))
    state = [part.numpy() for part in expected_state]
    for step in range(3):
        observations = states(env, step + 1)
        expected, expected_state = policy.step(torch.from_numpy(observations), expected_state)
        inputs = {"observations": observations, **{f"state_{i}": part for i, part in enumerate(state)}}
        logits, value, *state = player.run(None, inputs)
        np.testing.assert_allclose(np.column_stack([logits, value]), expected.numpy(), atol=1e-5)
        for ours, theirs in zip(state, expected_state, strict=True):
            np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-5)
    env.close()


def test_unsupported_policies_and_invalid_files_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    weight, bias = np.zeros((4, 5), np.float32), np.zeros(4, np.float32)

    def data(**changes: Any) -> bytes:
        layer = policy_file.Linear(weight, bias, relu=False)
        fields = {"game": "mine", "game_version": 1, "obs_dtype": "float32", "obs_shape": (5,), "action_counts": (3,)}
        return policy_file.PolicyFile(**{**fields, "layers": [layer], **changes}).to_bytes()

    CPolicy(data(), 4).close()
    for changes, word in (
        ({"obs_shape": (6,)}, "weight must have shape"),
        ({"action_counts": (4,)}, "must have 5 outputs"),
        ({"action_counts": ()}, "action_counts"),
        ({"continuous_dims": 1}, "without action_counts beside them"),
        ({"continuous_dims": 9, "action_counts": ()}, "continuous_dims must be 0 to 8"),
        ({"continuous_dims": 1, "action_counts": (), "masked": True}, "masked must be False"),
        ({"continuous_dims": 2, "action_counts": ()}, "must have 5 outputs"),
        ({"layers": [policy_file.MinGRU(weight, bias)]}, r"weight must have shape \(4, 5\)|outputs"),
        ({"layers": [policy_file.LSTM(weight, bias)]}, r"weight must have shape \(4, 6\)"),
        ({"layers": [policy_file.CodeRows([policy_file.CodeRow(4, 2, 0, 2)])]}, "the rows must have 5 values, got 4"),
        ({"layers": [policy_file.Conv(np.zeros((2, 3, 3, 3), "f4"), bias[:2], 1, 2, 1)]}, "cover at most 5 inputs"),
        ({"layers": [policy_file.Conv(np.zeros((2, 2, 3, 1), "f4"), bias[:2], 1, 2, 1)]}, "weight must have shape"),
        ({"layers": [policy_file.Sets([policy_file.EntitySet(0, 4, 2, 3)], [])]}, r"shapes \[\(3, 2\), \(3, 3\)\]"),
        ({"obs_dtype": "float64"}, "float64"),
        ({"game": "m" * 64}, "63 bytes"),
        ({"params": {"": 1.0}}, "parameter"),
    ):
        with pytest.raises(ValueError, match=word):
            data(**changes)
    with pytest.raises(ValueError, match="not finite"):
        CPolicy(data(layers=[policy_file.Linear(weight + np.nan, bias, relu=False)]), 4)
    with pytest.raises(ValueError, match="of squared, not of cartpole"):
        export.main(["cartpole", "--checkpoint", str(checkpoint), "--out", str(tmp_path / "x")])
    with pytest.raises(ValueError, match="no run of squared"):
        export.main(["squared", "--runs", str(tmp_path / "nowhere")])
    assert not list(tmp_path.glob("x*"))


def test_any_changed_byte_is_detected() -> None:
    layer = policy_file.Linear(np.ones((3, 2), np.float32), np.ones(3, np.float32), relu=False)
    data = policy_file.PolicyFile("mine", 1, "float32", (2,), (2,), [layer]).to_bytes()
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1 << (at % 8)
        with pytest.raises(ValueError, match="exported: "):
            CPolicy(bytes(changed), 3)
