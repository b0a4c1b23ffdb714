"""Masks from the pool to training, evaluation and checkpoints, for every kind of policy, on the test game lock.c."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pufferc
from masks import LOCK_OF_CODES, are_legal, build_lock
from own_games import needs_compiler
from pufferc import ops
from pufferc.config import Config, TrainConfig, merge

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from pufferc.kernels import reference  # noqa: E402
from pufferc.kernels.backend import FUSED, TORCH  # noqa: E402
from pufferc.policies import make_policy  # noqa: E402
from pufferc.runs.checkpoint import list_checkpoints, load_checkpoint  # noqa: E402
from pufferc.training import ppo  # noqa: E402
from pufferc.training.collectors import FusedCollector, LoopCollector, make_collector  # noqa: E402
from pufferc.training.evaluate import EvaluationSettings, World, evaluate  # noqa: E402
from pufferc.training.rollout import Rollout, minibatches  # noqa: E402
from pufferc.training.run import train  # noqa: E402
from pufferc.watch.players import CheckpointAgent  # noqa: E402

pytestmark = needs_compiler
CPU = torch.device("cpu")
COUNTS, ROWS, HORIZON = [3, 34], 48, 24


@pytest.fixture(scope="module")
def lock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_lock(tmp_path_factory.mktemp("lock"))


@pytest.fixture(scope="module")
def lock_of_codes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_lock(tmp_path_factory.mktemp("codes"), *LOCK_OF_CODES)


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = ops.get_num_threads()
    ops.set_num_threads(1)
    yield
    ops.set_num_threads(before)


def legal_of(rollout: Any) -> np.ndarray[Any, Any]:
    """bool [T * N, K]."""
    return np.asarray(reference.legal_choices(rollout.mask, sum(COUNTS)).flatten(0, 1))


def config_of(game: Path, **tables: Any) -> Config:
    policy = {"hidden_size": 32, **tables.pop("policy", {})}
    sizes = {"total_steps": 6 * ROWS * HORIZON, "horizon": HORIZON, "minibatch_size": ROWS * HORIZON // 4}
    small = {"threads": 1, "checkpoint_interval_s": 0.0, "device": "cpu", **sizes, **tables.pop("train", {})}
    vec = {"num_envs": ROWS, "num_threads": 1}
    params = {"max_steps": 9, "leave": 6, "jam": 0.05, **tables.pop("env", {})}
    return merge(Config(str(game), params), {"vec": vec, "policy": policy, "train": small})


# ---- rollouts ----------------------------------------------------------------------------------------------


def collect(
    game: Path, kind: str, kernels: Any, dtype: torch.dtype, *, blocks: Any = None, loop: bool = False
) -> tuple[Any, Any]:
    """Rollout and policy after two rollouts, with a loop over steps or with the fastest collector."""
    config = config_of(game, policy={"kind": kind})
    env = pufferc.make(config.game, ROWS, num_threads=1, seed=1, params=config.env)
    policy = make_policy(config, env.spaces, dtype, CPU, seed=1, fused=kernels is FUSED)
    with torch.no_grad():
        policy.output.weight.mul_(30.0)
    rollout = Rollout.make(env, policy, HORIZON, CPU, blocks)
    rollout.reset(env, policy, 1)
    collector = make_collector(env, policy, rollout, kernels, 3)
    fused = kernels is FUSED and kind == "mlp" and blocks is None
    assert type(collector) is (FusedCollector if fused else LoopCollector)
    if loop:
        collector = LoopCollector(env, policy, rollout, kernels, 3)
    for i in range(2):
        collector.collect(HORIZON * i)
    env.close()
    return rollout, policy


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_fused_rollout_with_masks_equals_the_loop(lock: Path, dtype: torch.dtype) -> None:
    expected, _ = collect(lock, "mlp", FUSED, dtype, loop=True)
    for threads in (1, 3):
        ops.set_num_threads(threads)
        found, _ = collect(lock, "mlp", FUSED, dtype)
        for name in ("observations", "actions", "logprobs", "values", "rewards", "terminated", "alive", "mask"):
            assert torch.equal(getattr(found, name), getattr(expected, name)), name


@pytest.mark.parametrize("kind", ["mlp", "mingru", "lstm"])
@pytest.mark.parametrize("kernels", [FUSED, TORCH])
def test_actions_match_the_stored_masks(lock: Path, kind: str, kernels: Any) -> None:
    rollout, policy = collect(lock, kind, kernels, torch.float32)
    legal, actions = legal_of(rollout), rollout.actions.flatten(0, 1)
    assert are_legal(legal, actions, COUNTS)
    alive = np.asarray(rollout.alive[:-1].flatten())
    forced = legal.sum(1) == 2
    assert forced.any() and (~alive).any() and legal[~alive].all()
    logprobs = np.asarray(rollout.logprobs.flatten())
    assert (logprobs[forced] == 0.0).all() and (logprobs[~forced] < 0.0).all()
    # Rows whose turn it is not also act, so their recurrent state covers every observation.
    outputs = policy(rollout.observations[:-1], rollout.state, rollout.starts() if policy.recurrent else None)
    values = outputs[..., -1].detach()
    torch.testing.assert_close(
        values[rollout.alive[:-1]], rollout.values[:-1][rollout.alive[:-1]], rtol=1e-4, atol=1e-4
    )


def test_shards_sample_with_the_masks_of_their_rows(lock: Path) -> None:
    blocks = ((slice(0, 20), 0), (slice(20, ROWS), 20))
    whole, _ = collect(lock, "mlp", FUSED, torch.float32)
    parts, _ = collect(lock, "mlp", FUSED, torch.float32, blocks=blocks)
    assert torch.equal(whole.actions, parts.actions) and torch.equal(whole.mask, parts.mask)


def test_games_without_masks_store_none(lock: Path) -> None:
    config = config_of(lock, env={"masked": False})
    env = pufferc.make(config.game, 8, num_threads=1, seed=1, params=config.env)
    policy = make_policy(config, env.spaces, torch.float32, CPU, seed=1, fused=True)
    rollout = Rollout.make(env, policy, 4, CPU)
    assert env.action_mask is None and rollout.mask is None
    assert next(minibatches(policy, rollout, 8, [0])).mask is None
    env.close()


@pytest.mark.parametrize("kind", ["mlp", "mingru"])
def test_minibatches_carry_the_masks_of_their_rows(lock: Path, kind: str) -> None:
    rollout, policy = collect(lock, kind, FUSED, torch.float32)
    ppo.advantages(rollout, FUSED, TrainConfig(gamma=0.9, gae_lambda=0.9))
    size = ROWS * HORIZON // 4
    seen = 0
    for minibatch in minibatches(policy, rollout, size, [2, 0, 3, 1]):
        legal = np.asarray(reference.legal_choices(minibatch.mask, sum(COUNTS)))
        assert minibatch.mask.shape == (size, 2) and are_legal(legal, minibatch.actions, COUNTS)
        seen += int((legal.sum(1) == 2).sum())
    assert seen == int((legal_of(rollout).sum(1) == 2).sum())


# ---- whole runs --------------------------------------------------------------------------------------------

USER_POLICIES = """
import torch
from pufferc.policies import Policy

class Plain(torch.nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(6, 32), torch.nn.ReLU(), torch.nn.Linear(32, spec.outputs)
        )

    def forward(self, observations):
        return self.layers(observations)

class Leaky(Policy):
    recurrent = True

    def __init__(self, spec):
        super().__init__()
        self.input, self.output = torch.nn.Linear(6, 32), torch.nn.Linear(32, spec.outputs)

    def initial_state(self, rows, device):
        return (torch.zeros(rows, 32, device=device),)

    def forward(self, observations, state, starts):
        h, outputs = state[0], []
        for t in range(observations.shape[0]):
            if starts is not None:
                h = torch.where(starts[t].bool().unsqueeze(-1), torch.zeros_like(h), h)
            h = 0.5 * h + torch.tanh(self.input(observations[t]))
            outputs.append(self.output(h))
        return torch.stack(outputs)

    def step(self, observations, state):
        h = 0.5 * state[0] + torch.tanh(self.input(observations))
        return self.output(h), (h,)
"""

KINDS: dict[str, dict[str, Any]] = {
    "mlp": {},
    "mingru": {"kind": "mingru"},
    "lstm": {"kind": "lstm"},
    "onehot": {"encoder": "onehot"},
    "onehot mingru": {"encoder": "onehot", "kind": "mingru"},
    "conv": {"encoder": "conv"},
    "conv lstm": {"encoder": "conv", "kind": "lstm"},
    "user": {"class": "masked_user_policies:Plain"},
    "user with memory": {"class": "masked_user_policies:Leaky"},
}


@pytest.mark.parametrize("kernels", ["fused", "torch"])
@pytest.mark.parametrize("kind", KINDS)
def test_runs_resume_and_evaluate_for_every_kind_of_policy(
    kind: str, kernels: str, lock: Path, lock_of_codes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "masked_user_policies.py").write_text(USER_POLICIES)
    monkeypatch.syspath_prepend(str(tmp_path))
    game = lock_of_codes if "encoder" in KINDS[kind] else lock
    config = config_of(game, policy=KINDS[kind], train={"kernels": kernels})
    whole = train(config, runs=tmp_path, quiet=True)
    first, *later = list_checkpoints(whole.run)
    expected = load_checkpoint(later[-1])
    assert all(torch.isfinite(tensor).all() for tensor in expected.policy.values())
    for path in later:
        shutil.rmtree(path)
    resumed = train(None, resume=first, runs=tmp_path, quiet=True, game=str(game))
    found = load_checkpoint(list_checkpoints(resumed.run)[-1])
    for a, b in ((expected.policy, found.policy), (expected.trainer, found.trainer)):
        assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
    agent = CheckpointAgent(list_checkpoints(resumed.run)[-1], seed=1, game=str(game))
    env = pufferc.make(str(game), ROWS, num_threads=1, seed=1, params=config.env)
    observations, _ = env.reset()
    for _ in range(30):
        absent = ~env.alive
        actions = agent.act(observations, env.action_mask).actions
        observations, _, terminated, truncated, _ = env.step(actions)  # raises an error for illegal actions
        agent.restart(terminated | truncated | absent)
    env.close()


@pytest.mark.parametrize("kind", ["mlp", "mingru"])
def test_a_masked_game_is_learned(lock: Path, kind: str, tmp_path: Path) -> None:
    """An episode has ten turns. Random legal choices score 4.2 of 10."""
    train_table = {"total_steps": 120 * ROWS * HORIZON, "target_score": 9.8, "target_episodes": 96, "epochs": 2}
    config = config_of(lock, policy={"kind": kind}, train=train_table, env={"max_steps": 20, "leave": 0, "jam": 0.0})
    result = train(config, runs=tmp_path, quiet=True)
    assert result.evaluation is not None and result.evaluation.score > 9.5


PLANES = (
    ("typedef float", "typedef uint8_t"),
    ("PFC_FLOAT32", "PFC_UINT8"),
    ('PFC_OBS("digit", LOCK_DIGITS, 0, 1,', 'PFC_OBS_PLANE("digit", LOCK_DIGITS, 2, 1, 3,'),
    ('PFC_OBS("keys", 2, 0, 1,', 'PFC_OBS_CODES("keys", 2, 2,'),
)


@pytest.mark.parametrize("kind", ["mlp", "mingru"])
def test_a_game_of_planes_codes_and_numbers_is_learned_with_convolutions(kind: str, tmp_path: Path) -> None:
    train_table = {"total_steps": 120 * ROWS * HORIZON, "target_score": 9.8, "target_episodes": 96, "epochs": 2}
    config = config_of(
        build_lock(tmp_path, *PLANES),
        policy={"kind": kind, "encoder": "conv", "conv_channels": 8},
        train=train_table,
        env={"max_steps": 20, "leave": 0, "jam": 0.0},
    )
    result = train(config, runs=tmp_path, quiet=True)
    assert result.evaluation is not None and result.evaluation.score > 9.5


def random_policy(game: Path, params: dict[str, Any], kind: str = "mlp") -> tuple[Any, Config]:
    config = config_of(game, policy={"kind": kind}, env=params)
    env = pufferc.make(config.game, 2, num_threads=1, seed=1, params=config.env)
    policy = make_policy(config, env.spaces, torch.float32, CPU, seed=1)
    env.close()
    return policy, config


@pytest.mark.parametrize("kind", ["mlp", "lstm"])
@pytest.mark.parametrize("greedy", [False, True])
def test_evaluation_plays_legally_after_some_rows_finish(lock: Path, kind: str, greedy: bool) -> None:
    """Games end at different times, so rows that have finished their episodes keep playing with the others."""
    policy, config = random_policy(lock, {"max_steps": 40, "leave": 0, "jam": 0.1}, kind)
    world = World(config.game, config.env, num_threads=1)
    found = evaluate(policy, FUSED, world, EvaluationSettings(60, 1, greedy, max_steps=1000))
    assert found.episodes == 60 and found.unfinished == 0 and found.steps > found.episode_length
    if not greedy:
        assert found.episode_return / found.episode_length * 2 == pytest.approx(5 / 12, abs=0.06)
    twin = evaluate(policy, TORCH, world, EvaluationSettings(60, 1, greedy))
    assert twin.score == pytest.approx(found.score, abs=0.3)
