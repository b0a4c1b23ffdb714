"""Running statistics: equality with Gymnasium's, dead rows, the input map of the network, and exact resume."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from gymnasium.wrappers.utils import RunningMeanStd

import pufferc
from conftest import small_config
from pufferc.config import Config, ConfigError, TrainConfig

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from pufferc.kernels.backend import FUSED, TORCH  # noqa: E402
from pufferc.policies import MLP, FusedMLP, Policy, make_policy  # noqa: E402
from pufferc.policies.policy_file import _layers_of  # noqa: E402
from pufferc.runs.checkpoint import load_checkpoint  # noqa: E402
from pufferc.training import ppo  # noqa: E402
from pufferc.training.collectors import LoopCollector  # noqa: E402
from pufferc.training.evaluate import EvaluationSettings  # noqa: E402
from pufferc.training.from_checkpoint import load_policy, play_checkpoint  # noqa: E402
from pufferc.training.normalise import Moments, ObservationNormaliser, RewardNormaliser  # noqa: E402
from pufferc.training.resolve import resolve  # noqa: E402
from pufferc.training.rollout import Rollout  # noqa: E402
from pufferc.training.trainer import Trainer  # noqa: E402

CPU = torch.device("cpu")
KINDS = ["mlp", "mingru", "lstm"]


def rollout_of(observations: Any, alive: Any | None = None) -> Any:
    """The part of a rollout that the normalisers read: observations [T + 1, N, S]. They don't read row T yet."""
    steps, rows = observations.shape[0] - 1, observations.shape[1]
    alive = torch.ones(steps + 1, rows, dtype=torch.bool) if alive is None else alive
    return SimpleNamespace(observations=observations, alive=alive)


def random_rollouts(count: int, seed: int = 1) -> list[Any]:
    """Entries of different scales: near 1000, tiny, a rare flag, and a constant."""
    random = torch.Generator().manual_seed(seed)
    made = []
    for _ in range(count):
        x = torch.randn(33, 50, 5, generator=random)
        x[..., 1] = 1000.0 + 3.0 * x[..., 1]
        x[..., 2] *= 1e-3
        x[..., 3] = (x[..., 3] > 2.5).float()
        x[..., 4] = 7.0
        made.append(x)
    return made


# ---- observations ------------------------------------------------------------------------------------


def test_statistics_match_gymnasium() -> None:
    normaliser, theirs = ObservationNormaliser(MLP(5, [2]), torch.ones(5)), RunningMeanStd(shape=(5,))
    for x in random_rollouts(4):
        normaliser.update(rollout_of(x))
        for step in x[:-1].double().numpy():
            theirs.update(step)
    ours = normaliser.moments
    np.testing.assert_allclose(ours.count.item(), theirs.count)
    np.testing.assert_allclose(ours.mean.numpy(), theirs.mean, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(ours.variance.numpy(), theirs.var, rtol=2e-5, atol=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8"])
def test_dead_rows_do_not_enter_the_statistics(dtype: str) -> None:
    x = (random_rollouts(1)[0] * 5.0).clamp(-100, 100).to(getattr(torch, dtype))
    alive = torch.rand(33, 50, generator=torch.Generator().manual_seed(3)) < 0.6
    alive[4] = False
    garbage = x.clone()
    garbage[~alive] = 99 if dtype == "int8" else float("nan")
    clean, dirty = (ObservationNormaliser(MLP(5, [2]), torch.ones(5)) for _ in range(2))
    clean.update(rollout_of(x, alive))
    dirty.update(rollout_of(garbage, alive))
    assert all(torch.equal(a, b) for a, b in zip(clean.state().values(), dirty.state().values(), strict=True))
    seen = x[:-1][alive[:-1]].double().numpy()
    assert clean.moments.count.item() == pytest.approx(len(seen), abs=1e-3)
    np.testing.assert_allclose(clean.moments.mean.numpy(), seen.mean(0), rtol=1e-5, atol=1e-5)
    before = clean.state()
    clean.update(rollout_of(x, torch.zeros(33, 50, dtype=torch.bool)))
    assert all(torch.equal(a, b) for a, b in zip(before.values(), clean.state().values(), strict=True))


def test_the_input_map_normalises_and_clamps() -> None:
    policy, scale = MLP(5, [2]), torch.tensor([1.0, 1.0, 1.0, 1.0, 1.0])
    normaliser = ObservationNormaliser(policy, scale)
    rollouts = random_rollouts(3)
    for x in rollouts:
        normaliser.update(rollout_of(x))
    seen = torch.cat([x[:-1].flatten(0, 1) for x in rollouts]) * policy.input_gain + policy.input_shift
    torch.testing.assert_close(seen[:, :3].mean(0), torch.zeros(3), atol=2e-3, rtol=0)
    torch.testing.assert_close(seen[:, :3].std(0), torch.ones(3), atol=0.02, rtol=0)
    assert seen.abs().max() <= 10.01 and seen[:, 3].max() > 9.9  # the flag is rarer than one in a hundred
    assert (seen[:, 4] == 0.0).all() and policy.input_gain[4] == 0.0  # a constant entry is mapped to 0
    doubled = MLP(5, [2])
    other = ObservationNormaliser(doubled, 2.0 * scale)
    other.load_state(normaliser.state())
    other.apply()
    torch.testing.assert_close(doubled.input_gain, 2.0 * policy.input_gain)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fused", [False, True])
def test_every_pass_uses_a_new_input_map_at_once(kind: str, fused: bool) -> None:
    env = pufferc.make("cartpole", 4, num_threads=1, seed=1)
    config = small_config(policy={"kind": kind})
    policy = make_policy(config, env.spaces, torch.float32, CPU, seed=1, fused=fused)
    x, state = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(1)), policy.initial_state(4, CPU)
    policy.step(x[0], state)
    policy.forward_for_training(x, state, None)
    normaliser = ObservationNormaliser(policy, torch.ones(4))
    normaliser.update(rollout_of(5.0 + 3.0 * torch.randn(40, 4, 4, generator=torch.Generator().manual_seed(2))))
    expected = policy(x, state, None).detach()
    torch.testing.assert_close(policy.step(x[0], state)[0], expected[0], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(policy.forward_for_training(x, state, None), expected, atol=1e-5, rtol=1e-4)


def test_other_networks_are_refused_by_name() -> None:
    class Mine(Policy):
        """Has no input map."""

    with pytest.raises(ConfigError, match=r"train.normalize_observations needs one of the built-in networks.*Mine"):
        ObservationNormaliser(Mine(), torch.ones(3))


# ---- rewards -----------------------------------------------------------------------------------------


def test_scaled_rewards_match_gymnasium() -> None:
    """The same rewards through Gymnasium's NormalizeReward in the same autoreset mode."""
    import gymnasium as gym

    if tuple(map(int, gym.__version__.split(".")[:2])) < (1, 4):
        pytest.skip("before 1.4 Gymnasium's wrapper carries a return over the end of an episode")

    from gymnasium.vector import AutoresetMode
    from gymnasium.wrappers.vector import NormalizeReward

    steps, rows = 120, 16
    random = np.random.default_rng(1)
    rewards = random.normal(0.3, 4.0, (steps, rows)).astype(np.float32)
    ended = random.random((2, steps, rows)) < 0.05

    class Played(gym.vector.VectorEnv[Any, Any, Any]):
        """Returns the recorded rewards and episode ends."""

        num_envs = rows
        metadata: ClassVar[dict[str, Any]] = {"autoreset_mode": AutoresetMode.SAME_STEP}
        single_observation_space = gym.spaces.Box(-1.0, 1.0, (1,))
        single_action_space = gym.spaces.Discrete(2)
        observation_space = gym.spaces.Box(-1.0, 1.0, (rows, 1))
        action_space = gym.spaces.MultiDiscrete([2] * rows)
        t = 0

        def reset(self, *, seed: Any = None, options: Any = None) -> Any:
            return np.zeros((rows, 1), np.float32), {}

        def step(self, actions: Any) -> Any:
            self.t += 1
            at = self.t - 1
            return np.zeros((rows, 1), np.float32), rewards[at], ended[0, at], ended[1, at], {}

    theirs = NormalizeReward(Played(), gamma=0.97)
    theirs.reset()
    for _ in range(steps):
        theirs.step(np.zeros(rows, int))
    ours = RewardNormaliser(rows, 0.97)
    for part in np.split(np.arange(steps), 4):
        columns = [torch.from_numpy(x[part]) for x in (rewards, ended[0], ended[1])]
        names = ("rewards", "terminated", "truncated")
        alive = torch.ones(len(part) + 1, rows, dtype=torch.bool)
        factor = ours.update(SimpleNamespace(**dict(zip(names, columns, strict=True)), alive=alive))  # type: ignore[arg-type]
    np.testing.assert_allclose(ours.moments.variance.item(), theirs.return_rms.var, rtol=2e-6)
    np.testing.assert_allclose(ours.moments.mean.item(), theirs.return_rms.mean, rtol=2e-6)
    np.testing.assert_allclose(factor, 1.0 / np.sqrt(theirs.return_rms.var + 1e-8), rtol=2e-6)
    np.testing.assert_allclose(ours.returns.numpy(), theirs.accumulated_reward, rtol=1e-5, atol=1e-5)


def test_rewards_of_dead_rows_are_ignored() -> None:
    random = torch.Generator().manual_seed(1)
    rewards, alive = torch.randn(20, 6, generator=random), torch.rand(21, 6, generator=random) < 0.7
    ended = torch.zeros(20, 6, dtype=torch.bool)
    results = []
    for garbage in (0.0, float("nan"), 1e30):
        given = torch.where(alive[:-1], rewards, torch.tensor(garbage))
        normaliser = RewardNormaliser(6, 0.9)
        part: Any = SimpleNamespace(rewards=given, terminated=ended, truncated=ended, alive=alive)
        results.append((normaliser.update(part), normaliser.moments.count.item()))
    assert results[0] == results[1] == results[2]
    assert results[0][1] == pytest.approx(int(alive[:-1].sum()), abs=1e-3)


def test_rewards_are_scaled_before_they_are_clamped() -> None:
    env = pufferc.make("cartpole", 4, num_threads=1, seed=1)
    policy = make_policy(Config("cartpole"), env.spaces, torch.float32, CPU, seed=1)
    rollout = Rollout.make(env, policy, 4, CPU)
    rollout.rewards[:] = torch.tensor([1.0, 8.0, -8.0, 0.0])
    for kernels in (FUSED, TORCH):
        ppo.advantages(rollout, kernels, TrainConfig(gamma=0.0, gae_lambda=0.0, reward_clamp=1.0), 0.25)
        assert rollout.returns[0].tolist() == [0.25, 1.0, -1.0, 0.0]
        assert rollout.rewards[0].tolist() == [1.0, 8.0, -8.0, 0.0]


# ---- runs --------------------------------------------------------------------------------------------


def trainer_of(**tables: Any) -> Trainer:
    """A trainer that normalises observations and rewards; `tables` are arguments of `small_config`."""
    tables = {"normalize_observations": True, "normalize_rewards": True, "learning_rate": 0.01, "env": {}, **tables}
    return Trainer(resolve(small_config(updates=8, **tables))[0])


def tensors_of(trainer: Trainer) -> list[Any]:
    statistics = [tensor.clone() for part in trainer.normalisers().values() for tensor in part.state().values()]
    return [*(tensor.clone() for tensor in trainer.policy.state_dict().values()), *statistics]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("kernels", ["fused", "torch"])
def test_a_normalised_run_resumes_bit_for_bit(tmp_path: Path, kind: str, kernels: str) -> None:
    settings: dict[str, Any] = {"policy": {"kind": kind}, "kernels": kernels, "env": {"continuous": True}}
    whole = trainer_of(**settings)
    whole.start()
    for _ in range(3):
        whole.step()
    path = whole.save(tmp_path / "run", {"wall_seconds": 0.0})
    again = trainer_of(**settings)
    again.restore(load_checkpoint(path))
    assert all(torch.equal(a, b) for a, b in zip(tensors_of(whole), tensors_of(again), strict=True))
    for trainer in (whole, again):
        for _ in range(3):
            trainer.step()
    assert all(torch.equal(a, b) for a, b in zip(tensors_of(whole), tensors_of(again), strict=True))
    assert not whole.policy.output.weight[1].any()  # type: ignore[union-attr,index]


def test_the_first_rollout_is_normalised_without_changing_its_games() -> None:
    trainer, plain = trainer_of(), trainer_of(normalize_observations=False)
    trainer.start()
    plain.start()
    assert torch.equal(trainer.rollout.observations[-1], plain.rollout.observations[-1])
    assert trainer.observation_normaliser is not None and plain.observation_normaliser is None
    assert trainer.observation_normaliser.moments.count == pytest.approx(512, abs=1)
    assert trainer.env.pop_metrics()["episodes"] == 0
    assert not torch.equal(trainer.policy.input_gain, torch.ones(4))
    trainer.step()
    assert trainer.observation_normaliser.moments.count == pytest.approx(1024, abs=1)


def test_evaluation_and_export_use_the_current_input_map(tmp_path: Path) -> None:
    trainer = trainer_of(env={"continuous": False})
    trainer.start()
    for _ in range(4):
        trainer.step()
    before = tensors_of(trainer)
    found = trainer.evaluate()
    assert all(torch.equal(a, b) for a, b in zip(before, tensors_of(trainer), strict=True))
    checkpoint = load_checkpoint(trainer.save(tmp_path / "run", {"wall_seconds": 0.0}))
    first, second = (play_checkpoint(checkpoint, EvaluationSettings(10, 3)).score for _ in range(2))
    assert first == second
    policy, _, _ = load_policy(checkpoint)
    assert isinstance(policy, MLP) and isinstance(trainer.policy, FusedMLP) and found.episodes >= 1
    torch.testing.assert_close(policy.input_gain, trainer.policy.input_gain)
    x = trainer.env.reset(seed=1)[0]
    y = torch.from_numpy(x)
    for layer in _layers_of(policy):
        y = y @ torch.from_numpy(layer.weight).T + torch.from_numpy(layer.bias)
        y = y.relu() if layer.relu else y
    torch.testing.assert_close(y, policy(torch.from_numpy(x).unsqueeze(0), (), None)[0].detach(), atol=1e-5, rtol=1e-4)


def test_configured_scales_multiply_the_normalised_inputs() -> None:
    trainer = trainer_of(policy={"scaled_inputs": ["angle"], "input_scale": 3.0, "rest_scale": 0.5})
    trainer.start()
    moments = trainer.observation_normaliser.moments  # type: ignore[union-attr]
    expected = moments.variance.rsqrt() * torch.tensor([0.5, 0.5, 3.0, 0.5])
    torch.testing.assert_close(trainer.policy.input_gain.double(), expected, rtol=1e-3, atol=1e-6)


def test_dead_rows_do_not_affect_a_whole_run(monkeypatch: pytest.MonkeyPatch) -> None:
    inner, results = ppo.collect, []
    for garbage in (0.0, 100.0):

        def collect(env: Any, policy: Any, rollout: Any, *rest: Any, garbage: float = garbage, **options: Any) -> Any:
            seconds = inner(env, policy, rollout, *rest, **options)
            rollout.alive[3:9, 2:5], rollout.terminated[2, 2:5] = False, True
            dead = ~rollout.alive[:-1]
            rollout.rewards[dead], rollout.observations[:-1][dead] = garbage, garbage
            return seconds

        monkeypatch.setattr(ppo, "collect", collect)
        trainer = trainer_of()
        trainer.collector = LoopCollector(trainer.env, trainer.policy, trainer.rollout, trainer.kernels, 1)
        trainer.start()
        lines = [trainer.step() for _ in range(3)]
        results.append([*tensors_of(trainer), torch.tensor([line["loss"] for line in lines])])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_a_state_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected mean of shape \(4,\), got \(5,\)"):
        Moments.prior(4).load_state(Moments.prior(5).state())
