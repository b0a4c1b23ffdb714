"""Action heads: supported spaces, actions for games, state-independent log standard deviations, and training runs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import pufferc
from conftest import small_config
from pufferc.config import Config, ConfigError, TrainConfig, merge

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from pufferc.kernels.backend import FUSED, TORCH  # noqa: E402
from pufferc.policies import MLP, DiscreteHead, FusedMLP, GaussianHead, MinGRU, make_head, make_policy  # noqa: E402
from pufferc.training import ppo  # noqa: E402
from pufferc.training.evaluate import EvaluationSettings  # noqa: E402
from pufferc.training.from_checkpoint import play_checkpoint  # noqa: E402
from pufferc.training.optimizers import Adam, Muon  # noqa: E402
from pufferc.training.resolve import resolve  # noqa: E402
from pufferc.training.rollout import Rollout  # noqa: E402
from pufferc.training.run import train  # noqa: E402
from pufferc.training.trainer import Trainer  # noqa: E402

CPU = torch.device("cpu")
BOX = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)


# ---- spaces ------------------------------------------------------------------------------------------


def test_each_action_space_gets_its_head() -> None:
    one, several = make_head(gym.spaces.Discrete(4)), make_head(gym.spaces.MultiDiscrete([3, 2]))
    assert one.output_sizes == [4] and one.shape == () and one.dtype == torch.int32
    assert several.output_sizes == [3, 2] and several.shape == (2,)
    box = make_head(BOX)
    assert box.output_sizes == [2, 2] and box.shape == (2,) and box.dtype == torch.float32
    assert isinstance(one, DiscreteHead) and isinstance(box, GaussianHead)
    assert box.empty_actions(5, 3, CPU).shape == (5, 3, 2) and one.empty_actions(5, 3, CPU).shape == (5, 3)


@pytest.mark.parametrize(
    ("space", "squash", "text"),
    [
        (gym.spaces.Box(0, 255, (4,), np.uint8), False, "float Box actions, but this game has Box"),
        (gym.spaces.MultiBinary(3), False, "MultiBinary"),
        (gym.spaces.MultiDiscrete([[2, 2], [2, 2]]), False, "one-dimensional MultiDiscrete"),
        (gym.spaces.Box(-1.0, 1.0, (9,)), False, "1 to 8 numbers"),
        (gym.spaces.Box(-1.0, np.inf, (2,)), True, "finite bounds"),
        (gym.spaces.Discrete(3), True, "policy.squash needs continuous actions"),
    ],
)
def test_other_spaces_are_refused(space: Any, squash: bool, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make_head(space, squash=squash)


def test_games_get_actions_of_their_space() -> None:
    u = torch.tensor([[-3.0, -3.0, -3.0], [0.25, 0.25, 0.25], [9.0, 9.0, 9.0]])
    bounds = np.array([0.0, -np.inf, -np.inf], np.float32), np.array([2.0, np.inf, 1.0], np.float32)
    odd = make_head(gym.spaces.Box(*bounds))
    assert odd.env_actions(u).tolist() == [[0.0, -3.0, -3.0], [0.25, 0.25, 0.25], [2.0, 9.0, 1.0]]
    squashed = make_head(gym.spaces.Box(np.float32([0, -1]), np.float32([2, 1])), squash=True)
    got = squashed.env_actions(torch.tensor([[0.0, 0.5], [50.0, -50.0]]))
    torch.testing.assert_close(got, torch.tensor([[1.0, float(np.tanh(0.5))], [2.0, -1.0]]))
    matrix = make_head(gym.spaces.Box(-1.0, 1.0, (2, 3)))
    assert matrix.shape == (6,) and matrix.env_actions(torch.zeros(4, 6)).shape == (4, 2, 3)
    whole = torch.tensor([[1, 0]], dtype=torch.int32)
    assert make_head(gym.spaces.MultiDiscrete([3, 2])).env_actions(whole) is whole


@pytest.mark.parametrize("value", [21.0, float("nan")])
def test_the_initial_standard_deviation_is_validated(value: float) -> None:
    with pytest.raises(ConfigError, match=r"policy.initial_log_std must be in \[-20, 20\]"):
        merge(Config("cartpole"), {"policy": {"initial_log_std": value}})


# ---- state-independent log deviations ----------------------------------------------------------------


def make(
    kind: str = "mlp", rows: int = 8, horizon: int = 16, fused: bool = True, **policy: Any
) -> tuple[Any, Any, Any]:
    config = merge(Config("cartpole"), {"policy": {"kind": kind, "hidden_size": 16, **policy}})
    env = pufferc.make("cartpole", rows, num_threads=1, seed=1, continuous=True)
    network = make_policy(config, env.spaces, torch.float32, CPU, seed=1, fused=fused)
    rollout = Rollout.make(env, network, horizon, CPU)
    rollout.reset(env, network, 1)
    return env, network, rollout


def collect(env: Any, policy: Any, rollout: Any, first_step: int = 0, kernels: Any = FUSED) -> None:
    ppo.collect(env, policy, rollout, kernels, seed=3, first_step=first_step)
    ppo.advantages(rollout, kernels, TrainConfig(gamma=0.9, gae_lambda=0.9))


@pytest.mark.parametrize("kind", ["mlp", "mingru", "lstm"])
@pytest.mark.parametrize("optimizer", [Adam, Muon])
@pytest.mark.parametrize("kernels", [FUSED, TORCH])
def test_log_deviations_stay_independent_of_the_observation(kind: str, optimizer: Any, kernels: Any) -> None:
    env, policy, rollout = make(kind, fused=kernels is FUSED, initial_log_std=-0.5)
    assert isinstance(policy, {"mlp": FusedMLP if kernels is FUSED else MLP}.get(kind, object))
    outputs = policy(rollout.observations[-1:], rollout.next_state, None)
    assert (outputs[..., 1] == -0.5).all()
    settings = TrainConfig(minibatch_size=64, epochs=2, entropy_coef=0.5)
    steps = optimizer(policy.named_parameters(), weight_decay=0.1)
    for update in range(3):
        collect(env, policy, rollout, 16 * update, kernels)
        ppo.Learner(policy, steps, rollout, kernels, settings).optimise(0.01, torch.Generator().manual_seed(1))
    outputs = policy(rollout.observations[-1:], rollout.next_state, None)
    assert not policy.output.weight[1].any() and policy.output.weight[0].any()
    assert (outputs[..., 1] == policy.output.bias[1]).all()
    assert policy.output.bias[1] > -0.499  # the entropy bonus increased it


def test_the_rollout_stores_the_sample_and_the_game_gets_the_clipped_action() -> None:
    env, policy, rollout = make(rows=64, initial_log_std=1.0)
    twin = pufferc.make("cartpole", 64, num_threads=1, seed=1, continuous=True)
    twin.reset(seed=1)
    collect(env, policy, rollout)
    assert rollout.actions.shape == (16, 64, 1) and rollout.actions.abs().max() > 2.0
    for t in range(16):
        twin.step(np.clip(rollout.actions[t].numpy(), -1.0, 1.0))
        np.testing.assert_array_equal(twin.rewards, rollout.rewards[t].numpy())
        np.testing.assert_array_equal(twin.terminated, rollout.terminated[t].numpy())
        outputs = policy(rollout.observations[t : t + 1], (), None)[0].detach()
        density = torch.distributions.Normal(outputs[:, 0], outputs[:, 1].exp())
        torch.testing.assert_close(rollout.logprobs[t], density.log_prob(rollout.actions[t, :, 0]))


def test_the_game_gets_squashed_actions() -> None:
    env, policy, rollout = make(rows=8, squash=True, initial_log_std=1.0)
    seen: list[Any] = []
    inner = env._advance
    env._advance = lambda actions, *given: (seen.append(actions.numpy().copy()), inner(actions, *given))[1]
    collect(env, policy, rollout)
    np.testing.assert_allclose(np.stack(seen), np.tanh(rollout.actions.numpy()), atol=1e-6)


@pytest.mark.parametrize("kernels", [FUSED, TORCH])
def test_non_finite_outputs_stop_the_collection(kernels: Any) -> None:
    env, policy, rollout = make(fused=kernels is FUSED)
    with torch.no_grad():
        policy.output.bias[1] = float("inf")
    with pytest.raises(ppo.NotFinite, match="not finite"):
        collect(env, policy, rollout, kernels=kernels)


def test_fused_kernels_and_torch_train_the_same() -> None:
    results = []
    for kernels in (FUSED, TORCH):
        env, policy, rollout = make(rows=16, fused=kernels is FUSED)
        optimizer, generator = Adam(policy.named_parameters()), torch.Generator().manual_seed(1)
        collect(env, policy, rollout, kernels=kernels)
        settings = TrainConfig(minibatch_size=128, epochs=3)
        stats = ppo.Learner(policy, optimizer, rollout, kernels, settings).optimise(0.01, generator)
        results.append([torch.tensor(list(stats.values())), *(p.detach() for p in policy.parameters())])
    for ours, twin in zip(*results, strict=True):
        torch.testing.assert_close(ours, twin, atol=2e-4, rtol=2e-3)


# ---- whole trainings ---------------------------------------------------------------------------------


class Matching:
    """A pool with two action dimensions and episodes of 8 steps. Each action that equals its observation earns 1."""

    num_envs = 128
    spaces = SimpleNamespace(
        action_space=gym.spaces.MultiDiscrete([3, 2]),
        observation_space=gym.spaces.Box(0.0, 1.0, (5,), np.float32),
        mask_words=0,
    )

    def __init__(self) -> None:
        self.rng = np.random.default_rng(1)
        self.alive = np.ones(self.num_envs, bool)
        self.rewards = np.zeros(self.num_envs, np.float32)
        self.terminated, self.truncated = (np.zeros(self.num_envs, bool) for _ in range(2))
        self.age = 0

    def _observe(self, observations: Any) -> None:
        self.targets = self.rng.integers(0, [3, 2], (self.num_envs, 2))
        shown = np.concatenate([np.eye(3)[self.targets[:, 0]], np.eye(2)[self.targets[:, 1]]], 1)
        observations.copy_(torch.from_numpy(shown.astype(np.float32)))

    def reset(self, *, seed: int, observations: Any) -> None:
        self._observe(observations)

    def _advance(self, actions: Any, observations: Any) -> tuple[Any, Any]:
        drawn = np.asarray(actions)
        assert drawn.shape == (self.num_envs, 2) and drawn.dtype == np.int32
        assert ((drawn >= 0) & (drawn < [3, 2])).all()
        self.rewards[:] = (drawn == self.targets).sum(1)
        self.age += 1
        self.terminated[:] = self.age % 8 == 0
        self._observe(observations)
        return observations, self.terminated.any()


@pytest.mark.parametrize("kernels", [FUSED, TORCH])
def test_several_discrete_dimensions_are_learned_together(kernels: Any) -> None:
    env: Any = Matching()
    head = make_head(env.spaces.action_space)
    policy = (FusedMLP if kernels is FUSED else MLP)(5, head.output_sizes, hidden_size=16)
    rollout = Rollout.make(env, policy, 8, CPU)
    rollout.reset(env, policy, 1)
    assert rollout.actions.shape == (8, 128, 2)
    optimizer, generator = Adam(policy.named_parameters()), torch.Generator().manual_seed(1)
    settings = TrainConfig(minibatch_size=512, epochs=2, entropy_coef=0.001)
    scores = []
    for update in range(40):
        collect(env, policy, rollout, 8 * update, kernels)
        scores.append(float(rollout.rewards.mean()))
        ppo.Learner(policy, optimizer, rollout, kernels, settings).optimise(0.01, generator)
    assert scores[0] < 1.1 and scores[-1] > 1.9  # random play earns 1/3 + 1/2, the maximum is 2


def small(**policy: Any) -> Config:
    return small_config(env={"continuous": True}, updates=4, policy=policy, learning_rate=0.01)


@pytest.mark.parametrize("squash", [False, True])
def test_a_continuous_run_resumes_bit_for_bit_and_its_checkpoint_plays(tmp_path: Path, squash: bool) -> None:
    config, _ = resolve(small(squash=squash))

    def weights(trainer: Trainer) -> list[Any]:
        return [parameter.detach().clone() for parameter in trainer.policy.parameters()]

    whole = Trainer(config)
    whole.start()
    for _ in range(3):
        whole.step()
    from pufferc.runs.checkpoint import load_checkpoint

    path = whole.save(tmp_path / "run", {"wall_seconds": 0.0})
    again = Trainer(config)
    again.restore(load_checkpoint(path))
    for trainer in (whole, again):
        for _ in range(3):
            trainer.step()
    assert all(torch.equal(a, b) for a, b in zip(weights(whole), weights(again), strict=True))
    checkpoint = load_checkpoint(path)
    drawn, same, greedy = (
        play_checkpoint(checkpoint, EvaluationSettings(20, 1, greedy)) for greedy in (False, False, True)
    )
    assert drawn.score == same.score and drawn.episodes >= 20 and greedy.episodes >= 20
    assert greedy.score != drawn.score


def test_agents_play_continuous_policies(tmp_path: Path) -> None:
    from pufferc.policies.policy_file import describe_policy
    from pufferc.runs.checkpoint import list_checkpoints
    from pufferc.training.from_checkpoint import load_policy
    from pufferc.watch.players import CheckpointAgent

    result = train(small(), runs=tmp_path, quiet=True)
    path = list_checkpoints(result.run)[-1]
    observations = np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32)
    agent, greedy = CheckpointAgent(path), CheckpointAgent(path, greedy=True)
    chosen, means = agent.act(observations), greedy.act(observations)
    assert chosen.actions.shape == (6, 1) and np.abs(chosen.actions).max() <= 1.0
    assert chosen.values is not None and chosen.values.shape == (6,)
    assert not np.array_equal(chosen.actions, means.actions)
    np.testing.assert_array_equal(means.actions, greedy.act(observations).actions)
    from pufferc.runs.checkpoint import load_checkpoint

    assert describe_policy(*load_policy(load_checkpoint(path))).continuous_dims == 1


def test_recurrent_policies_take_continuous_actions() -> None:
    env, policy, rollout = make("mingru", rows=8, horizon=12)
    assert isinstance(policy, MinGRU)
    collect(env, policy, rollout)
    again = policy(rollout.observations[:-1], rollout.state, rollout.starts()).detach()
    density = torch.distributions.Normal(again[..., 0], again[..., 1].exp())
    torch.testing.assert_close(rollout.logprobs, density.log_prob(rollout.actions[..., 0]), atol=1e-5, rtol=1e-5)
