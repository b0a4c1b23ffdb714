"""The three functions of PPO: the records of collect, bootstrap values, and the rows that count in the loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pufferc
from pufferc import ops
from pufferc.config import Config, TrainConfig, merge
from pufferc.kernels import private
from pufferc.kernels.backend import FUSED, TORCH

torch = pytest.importorskip("torch")

from pufferc.policies import Policy, State, make_policy  # noqa: E402
from pufferc.training import ppo  # noqa: E402
from pufferc.training.distributed import Ranks  # noqa: E402
from pufferc.training.optimizers import Adam, Muon  # noqa: E402
from pufferc.training.rollout import Rollout, minibatches  # noqa: E402

CPU = torch.device("cpu")


class Recurrent(Policy):
    """Its value is the number of steps since the episode began, so a misplaced state changes the value."""

    recurrent = True
    input_dtype = torch.float32

    def __init__(self, choices: int) -> None:
        super().__init__()
        self.choices = choices
        self.scale = torch.nn.Parameter(torch.ones(()))

    def initial_state(self, rows: int, device: torch.device) -> State:
        return (torch.zeros(rows, 1, device=device),)

    def step(self, observations: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        counted = (state[0] + 1.0,)
        logits = torch.zeros(observations.shape[0], self.choices)
        return torch.cat([logits, self.scale * counted[0]], dim=1), counted

    def forward(self, observations: torch.Tensor, state: State, starts: torch.Tensor | None) -> torch.Tensor:
        outputs = []
        for t in range(observations.shape[0]):
            if starts is not None:
                state = (torch.where(starts[t].unsqueeze(1), torch.zeros_like(state[0]), state[0]),)
            one, state = self.step(observations[t], state)
            outputs.append(one)
        return torch.stack(outputs)


def make(name: str, rows: int, horizon: int, policy: Policy | None = None, **params: Any) -> tuple[Any, Policy, Any]:
    env = pufferc.make(name, rows, num_threads=1, seed=1, **params)
    if policy is None:
        policy = make_policy(Config(name), env.spaces, torch.float32, CPU, seed=1)
    rollout = Rollout.make(env, policy, horizon, CPU)
    rollout.reset(env, policy, 1)
    return env, policy, rollout


def collect(env: Any, policy: Policy, rollout: Any, first_step: int = 0, kernels: Any = FUSED) -> dict[str, float]:
    return ppo.collect(env, policy, rollout, kernels, seed=3, first_step=first_step)


def learn(policy: Policy, optimizer: Any, rollout: Any, kernels: Any, settings: TrainConfig) -> dict[str, float]:
    generator = torch.Generator().manual_seed(1)
    return ppo.Learner(policy, optimizer, rollout, kernels, settings).optimise(0.1, generator)


@pytest.mark.parametrize("name", ["squared", "cartpole", "breakout"])
def test_collect_records_the_results_of_an_identical_pool(name: str) -> None:
    env, policy, rollout = make(name, 6, 40)
    twin = pufferc.make(name, 6, num_threads=1, seed=1)
    observations = twin.reset(seed=1)[0].copy()
    for part in range(2):
        assert all(value > 0.0 for value in collect(env, policy, rollout, 40 * part).values())
        for t in range(40):
            np.testing.assert_array_equal(rollout.observations[t].numpy(), observations.astype(np.float32))
            outputs = policy(rollout.observations[t : t + 1], (), None)[0].detach()
            torch.testing.assert_close(rollout.values[t], outputs[:, -1])
            logp = outputs[:, :-1].log_softmax(-1).gather(1, rollout.actions[t].long().unsqueeze(1))[:, 0]
            torch.testing.assert_close(rollout.logprobs[t], logp)
            step = twin.step(rollout.actions[t].numpy())
            observations = step[0].copy()
            for ours, theirs in zip((rollout.rewards, rollout.terminated, rollout.truncated), step[1:4], strict=True):
                np.testing.assert_array_equal(ours[t].numpy(), theirs)
        last = policy(rollout.observations[40:], (), None)[0, :, -1].detach()
        torch.testing.assert_close(rollout.values[40], last)


def test_a_truncated_row_bootstraps_from_its_last_observation() -> None:
    env, policy, rollout = make("cartpole", 4, 12, max_steps=5)
    twin = pufferc.make("cartpole", 4, num_threads=1, seed=1, max_steps=5)
    twin.reset(seed=1)
    collect(env, policy, rollout)
    cut = 0
    for t in range(12):
        twin.step(rollout.actions[t].numpy())
        for row in np.flatnonzero(twin.truncated):
            value = policy(torch.from_numpy(twin.final_observations[row]).view(1, 1, -1), (), None)[0, 0, -1]
            torch.testing.assert_close(rollout.final_values[t, row], value.detach())
            cut += 1
    assert cut >= 4
    ppo.advantages(rollout, FUSED, TrainConfig(gamma=0.9, gae_lambda=0.0))
    following = torch.where(rollout.truncated, rollout.final_values, rollout.values[1:]) * ~rollout.terminated
    torch.testing.assert_close(rollout.advantages, rollout.rewards + 0.9 * following - rollout.values[:-1])
    torch.testing.assert_close(rollout.returns, rollout.advantages + rollout.values[:-1])


def test_recurrent_state_is_kept_between_steps_and_reset_at_episode_ends() -> None:
    env, policy, rollout = make("cartpole", 4, 12, Recurrent(2), max_steps=5)
    ages = torch.zeros(4)
    for part in range(3):
        collect(env, policy, rollout, 12 * part)
        for t in range(12):
            ages += 1
            torch.testing.assert_close(rollout.values[t], ages)
            ended = rollout.terminated[t] | rollout.truncated[t]
            # The state before the step has counted `ages` steps. The last observation adds one.
            cut = rollout.truncated[t]
            torch.testing.assert_close(rollout.final_values[t][cut], ages[cut] + 1)
            ages[ended] = 0.0
        again = policy(rollout.observations[:-1], rollout.state, rollout.starts())[..., -1].detach()
        torch.testing.assert_close(again, rollout.values[:-1])


def test_a_reset_clears_the_recurrent_state() -> None:
    env, policy, rollout = make("cartpole", 4, 12, Recurrent(2))
    collect(env, policy, rollout)
    values = rollout.values.clone()
    rollout.reset(env, policy, 1)
    collect(env, policy, rollout)
    assert torch.equal(rollout.values, values)


def test_optimise_trains_recurrent_policies_on_whole_columns() -> None:
    env, policy, rollout = make("cartpole", 8, 12, Recurrent(2), max_steps=5)
    collect(env, policy, rollout)
    ppo.advantages(rollout, FUSED, TrainConfig(gamma=0.9, gae_lambda=0.9))
    settings = TrainConfig(minibatch_size=24, epochs=1, clip=0.2)
    seen = []
    inner = policy.forward_for_training

    def spy(observations: Any, state: State, starts: Any) -> Any:
        outputs = inner(observations, state, starts)
        seen.append((observations.clone(), outputs[..., -1].clone()))
        return outputs

    policy.forward_for_training = spy  # type: ignore[method-assign]
    optimizer = Adam(policy.named_parameters())
    ppo.Learner(policy, optimizer, rollout, FUSED, settings).optimise(0.0, torch.Generator().manual_seed(1))
    assert len(seen) == 4
    columns = sorted(
        i for i in range(8) for o, _ in seen if any(torch.equal(o[:, j], rollout.observations[:-1, i]) for j in (0, 1))
    )
    assert columns == list(range(8))
    for observations, values in seen:
        first = next(i for i in range(8) if torch.equal(rollout.observations[:-1, i], observations[:, 0]))
        torch.testing.assert_close(values, rollout.values[:-1, first : first + 2])


@pytest.mark.parametrize("policy", [None, Recurrent(2)])
def test_minibatch_columns_refer_to_the_same_steps(policy: Policy | None) -> None:
    steps, rows, size = 6, 8, 12
    _, policy, rollout = make("cartpole", rows, steps, policy)
    number = torch.arange((steps + 1) * rows).view(steps + 1, rows)  # index of each entry of the rollout
    rollout.observations.copy_(number.unsqueeze(2).expand_as(rollout.observations))
    rollout.values.copy_(number + 1000)
    rollout.alive.copy_(number % 3 > 0)
    for i, tensor in enumerate((rollout.actions, rollout.logprobs, rollout.advantages, rollout.returns)):
        tensor.copy_(number[:-1] + 1000 * (i + 2))
    rollout.terminated.copy_(number[:-1] % 5 == 0)
    if policy.recurrent:
        rollout.state = (number[:1].T.float(),)
    starts, found = rollout.starts().flatten(), []
    for batch in minibatches(policy, rollout, size, [2, 0, 3, 1]):
        at = batch.returns.long() - 5000
        found.append(at)
        assert torch.equal(batch.observations.flatten(0, 1)[:, 0], at.float())
        assert batch.alive is not None and torch.equal(batch.alive, at % 3 > 0)
        columns = (batch.values, batch.actions, batch.logprobs, batch.advantages)
        assert all(torch.equal(column.long(), at + 1000 * (i + 1)) for i, column in enumerate(columns))
        if policy.recurrent:
            assert batch.observations.shape[:2] == (steps, size // steps)
            assert batch.starts is not None and torch.equal(batch.starts.flatten(), starts[at])
            assert torch.equal(batch.state[0][:, 0].long(), at[: size // steps])
    assert torch.equal(torch.cat(found).sort()[0], number[:-1].flatten())


def test_dead_rows_do_not_affect_values_or_loss() -> None:
    env, policy, rollout = make("cartpole", 8, 16)
    collect(env, policy, rollout)
    rollout.alive[4:9, 2:5] = False
    rollout.rewards[4:9, 2:5] = 0.0
    ppo.advantages(rollout, FUSED, TrainConfig(gamma=0.9, gae_lambda=0.9))
    assert not rollout.values[4:9, 2:5].any()
    settings = TrainConfig(minibatch_size=128, epochs=1, clip=0.2, learning_rate=0.1)

    def weights(garbage: bool) -> list[Any]:
        fresh = make_policy(Config("cartpole"), env.spaces, torch.float32, CPU, seed=1)
        dead = ~rollout.alive[:-1]
        if garbage:
            rollout.returns[dead], rollout.advantages[dead], rollout.logprobs[dead] = 1e6, -1e6, 50.0
        stats = learn(fresh, Adam(fresh.named_parameters()), rollout, FUSED, settings)
        return [*(parameter.detach().clone() for parameter in fresh.parameters()), stats["loss"]]

    for clean, dirty in zip(weights(False), weights(True), strict=True):
        assert torch.equal(torch.as_tensor(clean), torch.as_tensor(dirty))


def test_samples_depend_on_the_seed_and_the_step_of_the_run() -> None:
    env, policy, rollout = make("cartpole", 4, 3)
    seen = []

    class Spy:
        @staticmethod
        def sample_actions(*arguments: Any, **options: Any) -> Any:
            seen.append((options["seed"], options["step"], options["first_row"]))
            return ops.sample_actions(*arguments, **options)

    collect(env, policy, rollout, 0, Spy)
    collect(env, policy, rollout, 30, Spy)
    assert seen == [(3, step, 0) for step in (0, 1, 2, 30, 31, 32)]


@pytest.mark.parametrize("kernels", [FUSED, TORCH])
def test_one_update_improves_the_objective(kernels: Any) -> None:
    env, policy, rollout = make("cartpole", 32, 16)
    collect(env, policy, rollout, kernels=kernels)
    ppo.advantages(rollout, kernels, TrainConfig(gamma=0.9, gae_lambda=0.9, reward_clamp=0.5))
    assert rollout.rewards.max() == 1.0  # rewards are clamped only for learning, not in the rollout
    settings = TrainConfig(minibatch_size=128, epochs=6, clip=0.2, entropy_coef=0.0)
    generator = torch.Generator().manual_seed(1)
    optimizer = Muon(policy.named_parameters())
    first = ppo.Learner(policy, optimizer, rollout, kernels, settings).optimise(0.01, generator)
    second = ppo.Learner(policy, optimizer, rollout, kernels, settings).optimise(0.01, generator)
    assert second["policy_loss"] < first["policy_loss"] < 0.0
    assert second["value_loss"] < first["value_loss"]


def test_collect_and_optimise_are_bit_for_bit_repeatable() -> None:
    def run() -> list[Any]:
        env, policy, rollout = make("breakout", 16, 8)
        optimizer, generator = Muon(policy.named_parameters()), torch.Generator().manual_seed(1)
        for update in range(3):
            collect(env, policy, rollout, 8 * update)
            ppo.advantages(rollout, FUSED, TrainConfig(gamma=0.9, gae_lambda=0.9))
            ppo.Learner(policy, optimizer, rollout, FUSED, TrainConfig(minibatch_size=32)).optimise(0.05, generator)
        return [parameter.detach().clone() for parameter in policy.parameters()]

    assert all(torch.equal(a, b) for a, b in zip(run(), run(), strict=True))


def test_non_finite_losses_are_not_applied() -> None:
    env, policy, rollout = make("cartpole", 8, 16)
    collect(env, policy, rollout)
    ppo.advantages(rollout, FUSED, TrainConfig(gamma=0.9, gae_lambda=0.9))
    rollout.returns[3, 3] = float("nan")
    before = [parameter.detach().clone() for parameter in policy.parameters()]
    settings = TrainConfig(minibatch_size=128, epochs=1)
    with pytest.raises(ppo.NotFinite, match="loss"):
        learn(policy, Adam(policy.named_parameters()), rollout, FUSED, settings)
    assert all(torch.equal(a, b) for a, b in zip(before, policy.parameters(), strict=True))


@pytest.mark.parametrize("kernels", [FUSED, TORCH])
def test_non_finite_outputs_stop_the_collection(kernels: Any) -> None:
    env, policy, rollout = make("cartpole", 8, 4)
    with torch.no_grad():
        next(policy.parameters()).fill_(float("nan"))
    with pytest.raises(ppo.NotFinite, match="not finite"):
        collect(env, policy, rollout, kernels=kernels)


def test_settings_reach_the_loss() -> None:
    fields = {"value_clip": 0.1, "clip": 0.3, "normalize_advantages": False, "value_coef": 0.7}
    config = merge(Config("cartpole"), {"train": fields})
    env, policy, rollout = make("cartpole", 8, 16)
    collect(env, policy, rollout)
    seen: list[tuple[private.Minibatch, private.PpoSettings]] = []

    class Spy:
        advantage = staticmethod(ops.advantage)
        sample_actions = staticmethod(ops.sample_actions)

        @staticmethod
        def ppo_loss_grad(*inputs: Any, **gradients: Any) -> Any:
            seen.append(inputs[2:])
            return private.ppo_loss_grad(*inputs, **gradients)

    import dataclasses

    settings = dataclasses.replace(config.train, minibatch_size=128)
    learn(policy, Adam(policy.named_parameters()), rollout, Spy, settings)
    minibatch, coefficients = seen[-1]
    assert coefficients == private.PpoSettings(clip=0.3, value_coef=0.7, entropy_coef=0.01, value_clip=0.1)
    assert minibatch.alive is None
    assert torch.equal(minibatch.old_values, rollout.values[:-1].flatten())


def test_explained_variance_is_the_share_that_values_predicted() -> None:
    rollout = make("cartpole", 8, 16)[2]
    rollout.alive.fill_(True)
    rollout.returns.copy_(torch.randn(16, 8, generator=torch.Generator().manual_seed(1)))
    for left, expected in ((0.0, 1.0), (0.5, 0.75), (1.0, 0.0), (2.0, -3.0)):
        rollout.advantages.copy_(left * rollout.returns + 5.0)  # returns minus values
        assert ppo.explained_variance(rollout, Ranks()) == pytest.approx(expected, abs=1e-5)
    rollout.returns.fill_(3.0)
    assert np.isnan(ppo.explained_variance(rollout, Ranks()))


class Still:
    """An optimizer that changes nothing and records the norm of each gradient."""

    def __init__(self, policy: Policy) -> None:
        self.policy, self.norms = policy, list[float]()

    def step(self, learning_rate: Any) -> None:
        parts = [parameter.grad.square().sum() for parameter in self.policy.parameters() if parameter.grad is not None]
        self.norms.append(float(torch.stack(parts).sum().sqrt()))

    def state(self) -> dict[str, Any]:
        return {}

    def load_state(self, state: Any) -> None: ...


def test_gradients_are_clipped_and_statistics_are_means() -> None:
    env, policy, rollout = make("cartpole", 8, 16)
    collect(env, policy, rollout)
    ppo.advantages(rollout, FUSED, TrainConfig(gamma=0.9, gae_lambda=0.9))

    def optimise(**fields: Any) -> tuple[list[float], dict[str, float]]:
        optimizer = Still(policy)
        settings = TrainConfig(minibatch_size=32, **fields)
        return optimizer.norms, learn(policy, optimizer, rollout, FUSED, settings)

    norms, stats = optimise(epochs=1)
    clipped, again = optimise(epochs=3, max_grad_norm=0.01)
    assert len(norms) == 4 and min(norms) > 0.02
    assert len(clipped) == 12 and clipped == pytest.approx([0.01] * 12, rel=1e-3)
    assert again == pytest.approx(stats)  # the weights didn't change, so every epoch has the same statistics


def test_each_epoch_shuffles_the_minibatches(monkeypatch: Any) -> None:
    env, policy, rollout = make("cartpole", 8, 16)
    collect(env, policy, rollout)
    orders, original = [], minibatches

    def spy(policy: Policy, rollout: Any, size: int, order: list[int], **options: Any) -> Any:
        orders.append(order)
        return original(policy, rollout, size, order, **options)

    monkeypatch.setattr(ppo, "minibatches", spy)
    settings = TrainConfig(minibatch_size=16, epochs=5)
    for _ in range(2):
        learn(policy, Still(policy), rollout, FUSED, settings)
    assert all(sorted(order) == list(range(8)) for order in orders)
    assert len({tuple(order) for order in orders[:5]}) == 5 and orders[:5] == orders[5:]
