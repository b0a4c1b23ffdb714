"""MinGRU and LSTM match plain float64 loops, torch's LSTM, and their own single steps. Also resets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pufferc
from pufferc.config import Config, TrainConfig, merge

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from pufferc.kernels.backend import FUSED  # noqa: E402
from pufferc.kernels.reference import mingru_scan  # noqa: E402
from pufferc.policies import LSTM, MinGRU, make_policy, restart_rows  # noqa: E402
from pufferc.policies.recurrent import RecurrentNetwork, lstm_scan  # noqa: E402
from pufferc.training import ppo  # noqa: E402
from pufferc.training.optimizers import Muon  # noqa: E402
from pufferc.training.rollout import Rollout  # noqa: E402

CPU = torch.device("cpu")
KINDS = [MinGRU, LSTM]
STEPS, ROWS, INPUTS = 12, 5, 7

Twin = Callable[[RecurrentNetwork, torch.Tensor, tuple[torch.Tensor, ...], torch.Tensor], torch.Tensor]


def make(kind: type[RecurrentNetwork], dtype: Any = torch.float32, hidden: int = 8) -> RecurrentNetwork:
    generator = torch.Generator().manual_seed(5)
    gain, shift = torch.rand(INPUTS, generator=generator) + 0.5, torch.randn(INPUTS, generator=generator)
    return kind(
        INPUTS, [3, 2], hidden_size=hidden, num_layers=2, compute_dtype=dtype, input_gain=gain, input_shift=shift,
        generator=generator,
    )  # fmt: skip


def sequence(seed: int, steps: int = STEPS, rows: int = ROWS) -> tuple[torch.Tensor, torch.Tensor]:
    """Observations and episode starts. Each row has several episodes."""
    generator = torch.Generator().manual_seed(seed)
    observations = torch.randn(steps, rows, INPUTS, generator=generator)
    return observations, torch.rand(steps, rows, generator=generator) < 0.25


def random_state(policy: RecurrentNetwork, rows: int, seed: int = 9) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(part.shape, generator=generator) for part in policy.initial_state(rows, CPU))


def twin(policy: RecurrentNetwork, parameters: dict[str, torch.Tensor], x: Any, state: Any, starts: Any) -> Any:
    """The network from the documented formulas, step by step, in float64."""
    x = x * policy.input_gain.double() + policy.input_shift.double()
    for i in range(len(policy.hidden)):
        x = torch.relu(x @ parameters[f"hidden.{i}.weight"].T + parameters[f"hidden.{i}.bias"])
    state, seen = [part.double() for part in state], []
    size = x.shape[-1]
    for t in range(x.shape[0]):
        fresh = (~starts[t]).double().unsqueeze(1)
        state = [part * fresh for part in state]
        if isinstance(policy, MinGRU):
            pre = x[t] @ parameters["gate.weight"].T + parameters["gate.bias"]
            z = torch.sigmoid(pre[:, :size])
            state = [(1.0 - z) * state[0] + z * pre[:, size:]]
            seen.append(x[t] + state[0])
        else:
            h, c = state
            pre = x[t] @ parameters["lstm.weight_ih"].T + parameters["lstm.bias_ih"]
            pre = pre + h @ parameters["lstm.weight_hh"].T + parameters["lstm.bias_hh"]
            i, f, g, o = pre.split(size, dim=1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            state = [torch.sigmoid(o) * torch.tanh(c), c]
            seen.append(state[0])
    return torch.stack(seen) @ parameters["output.weight"].T + parameters["output.bias"]


def by_steps(policy: RecurrentNetwork, observations: Any, state: Any, starts: Any) -> tuple[Any, Any]:
    """Outputs and last state, computed step by step as in a rollout."""
    outputs = []
    for t in range(observations.shape[0]):
        state = restart_rows(policy, state, starts[t])
        output, state = policy.step(observations[t], state)
        outputs.append(output)
    return torch.stack(outputs), state


# ---- the networks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_and_gradients_match_a_float64_loop(kind: type[RecurrentNetwork]) -> None:
    policy, (observations, starts) = make(kind), sequence(1)
    state = random_state(policy, ROWS)
    doubles = {name: p.detach().double().requires_grad_() for name, p in policy.named_parameters()}
    expected = twin(policy, doubles, observations.double(), state, starts)
    grad = torch.randn(expected.shape, generator=torch.Generator().manual_seed(2)) / STEPS
    expected.backward(grad.double())
    outputs = policy.forward_for_training(observations, state, starts)
    assert outputs.dtype == torch.float32 and not outputs.requires_grad
    torch.testing.assert_close(outputs.double(), expected.detach(), atol=1e-5, rtol=1e-4)
    policy.backward(grad)
    for name, parameter in policy.named_parameters():
        torch.testing.assert_close(
            parameter.grad.double(), doubles[name].grad, atol=2e-5, rtol=1e-4, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.parametrize("starts", [None, "some", "all"])
def test_scans_pass_gradcheck(starts: str | None) -> None:
    generator = torch.Generator().manual_seed(3)

    def leaf(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)

    some = torch.rand(5, 3, generator=generator) < 0.4
    begins = {None: None, "some": some, "all": torch.ones_like(some)}[starts]
    assert torch.autograd.gradcheck(lambda pre, h: mingru_scan(pre, h, begins), (leaf(5, 3, 8), leaf(3, 4)))
    assert torch.autograd.gradcheck(
        lambda *inputs: lstm_scan(*inputs, begins), (leaf(5, 3, 16), leaf(16, 4), leaf(3, 4), leaf(3, 4))
    )


def test_an_lstm_without_resets_matches_torch() -> None:
    policy, (observations, _) = make(LSTM), sequence(4)
    theirs, size = torch.nn.LSTM(8, 8), 8
    theirs.load_state_dict({f"{name}_l0": value for name, value in policy.lstm.state_dict().items()})
    h0, c0 = random_state(policy, ROWS)
    x = policy.encode(observations).detach()
    y, (h, c) = theirs(x, (h0.unsqueeze(0), c0.unsqueeze(0)))
    ours, (h_ours, c_ours) = policy.remember(x, (h0, c0), None)
    assert y.shape == (STEPS, ROWS, size)
    for a, b in ((ours, y), (h_ours, h[0]), (c_ours, c[0])):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-5)
    grad = torch.randn(y.shape, generator=torch.Generator().manual_seed(5))
    y.backward(grad)
    ours.backward(grad)
    for name, parameter in policy.lstm.named_parameters():
        torch.testing.assert_close(parameter.grad, getattr(theirs, f"{name}_l0").grad, atol=1e-5, rtol=1e-4)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(KINDS), st.integers(1, 20), st.integers(1, 6), st.integers(1, 17), st.integers(0, 10**6))
def test_rollout_and_training_outputs_agree(kind: Any, steps: int, rows: int, hidden: int, seed: int) -> None:
    """Within 1e-5, because a matrix product over T * M rows may sum in another order than one over M rows."""
    policy, (observations, starts) = make(kind, hidden=hidden), sequence(seed, steps, rows)
    state = random_state(policy, rows, seed)
    outputs, last = by_steps(policy, observations, state, starts)
    with torch.no_grad():
        whole = policy(observations, state, starts)
        _, end = policy.remember(policy.encode(observations), state, starts)
    torch.testing.assert_close(outputs, whole, atol=1e-5, rtol=1e-5)
    for a, b in zip(last, end, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_both_forms_agree_in_bfloat16(kind: type[RecurrentNetwork]) -> None:
    """Within 2 %: only matrix products are rounded to 8 bits. States and their sums stay float32."""
    policy, exact, (observations, starts) = make(kind, torch.bfloat16), make(kind), sequence(6)
    state = random_state(policy, ROWS)
    outputs, last = by_steps(policy, observations, state, starts)
    assert all(part.dtype == torch.float32 for part in last)
    with torch.no_grad():
        whole, wanted = policy(observations, state, starts), exact(observations, state, starts)
    torch.testing.assert_close(outputs, whole, atol=0.02, rtol=0.02)
    torch.testing.assert_close(whole, wanted, atol=0.05, rtol=0.05)


# ---- resets ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_reset_row_is_bit_identical_to_a_new_row(kind: type[RecurrentNetwork]) -> None:
    policy, (observations, _) = make(kind), sequence(7)
    state = random_state(policy, ROWS)
    ended = torch.tensor([False, True, False, True, False])
    after = restart_rows(policy, state, ended)
    fresh = policy.initial_state(ROWS, CPU)
    for old, new, zero in zip(state, after, fresh, strict=True):
        assert torch.equal(new[ended], zero[ended]) and torch.equal(new[~ended], old[~ended])
    outputs, _ = policy.step(observations[0], after)
    for mask, like in ((ended, fresh), (~ended, state)):
        assert torch.equal(outputs[mask], policy.step(observations[0], like)[0][mask])


@pytest.mark.parametrize("scan", ["mingru", "lstm"])
def test_a_reset_clears_one_row_and_no_others(scan: str) -> None:
    generator = torch.Generator().manual_seed(8)
    weight = torch.randn(32, 8, generator=generator)

    def states(pre: torch.Tensor, h0: torch.Tensor, starts: torch.Tensor | None) -> torch.Tensor:
        if scan == "mingru":
            return mingru_scan(pre, h0, starts)
        return torch.cat(lstm_scan(pre, weight, h0, 2.0 * h0, starts), -1)

    pre = torch.randn(STEPS, ROWS, 16 if scan == "mingru" else 32, generator=generator)
    h0 = torch.randn(ROWS, 8, generator=generator)
    starts = torch.zeros(STEPS, ROWS, dtype=torch.bool)
    starts[4, 2] = starts[0, 3] = True
    with_resets, without = states(pre, h0, starts), states(pre, h0, None)
    assert torch.equal(with_resets[4:, 2], states(pre[4:], torch.zeros_like(h0), None)[:, 2])
    assert torch.equal(with_resets[:4, 2], without[:4, 2])
    assert torch.equal(with_resets[:, 3], states(pre, torch.zeros_like(h0), None)[:, 3])
    assert torch.equal(with_resets[:, [0, 1, 4]], without[:, [0, 1, 4]])
    assert not torch.equal(with_resets[4:, 2], without[4:, 2])


@pytest.mark.parametrize("kind", ["mingru", "lstm"])
def test_truncated_rows_bootstrap_with_their_state_at_truncation(kind: str) -> None:
    """All values of three rollouts, including final values of truncated episodes, match whole episodes in float64."""
    env = pufferc.make("cartpole", 4, num_threads=1, seed=1, max_steps=5)
    config = merge(Config("cartpole"), {"policy": {"kind": kind, "hidden_size": 8}})
    policy: Any = make_policy(config, env.spaces, torch.float32, CPU, seed=1)
    rollout = Rollout.make(env, policy, 12, CPU)
    rollout.reset(env, policy, 1)
    copy = pufferc.make("cartpole", 4, num_threads=1, seed=1, max_steps=5)
    copy.reset(seed=1)
    doubles = {name: p.detach().double() for name, p in policy.named_parameters()}

    def last_value(history: list[torch.Tensor]) -> torch.Tensor:
        x = torch.stack(history).double().unsqueeze(1)
        state = policy.initial_state(1, CPU)
        return twin(policy, doubles, x, state, torch.zeros(len(history), 1, dtype=torch.bool))[-1, 0, -1].float()

    episodes: list[list[torch.Tensor]] = [[] for _ in range(4)]
    cut = 0
    for part in range(3):
        ppo.collect(env, policy, rollout, FUSED, seed=3, first_step=12 * part)
        for t in range(12):
            copy.step(rollout.actions[t].numpy())
            for row in range(4):
                episodes[row].append(rollout.observations[t, row].clone())
                torch.testing.assert_close(rollout.values[t, row], last_value(episodes[row]), atol=1e-5, rtol=1e-4)
                if rollout.truncated[t, row]:
                    last = torch.from_numpy(copy.final_observations[row].copy())
                    expected = last_value([*episodes[row], last])
                    torch.testing.assert_close(rollout.final_values[t, row], expected, atol=1e-5, rtol=1e-4)
                    cut += 1
                if rollout.truncated[t, row] or rollout.terminated[t, row]:
                    episodes[row] = []
        for row in range(4):
            expected = last_value([*episodes[row], rollout.observations[12, row]])
            torch.testing.assert_close(rollout.values[12, row], expected, atol=1e-5, rtol=1e-4)
    assert cut >= 10


def test_dead_rows_restart_with_a_cleared_state() -> None:
    """Observations of a dead row don't enter its state in the next episode, neither in a rollout nor in training."""
    env = pufferc.make("cartpole", 6, num_threads=1, seed=1)
    config = merge(Config("cartpole"), {"policy": {"kind": "mingru", "hidden_size": 8}})
    policy = make_policy(config, env.spaces, torch.float32, CPU, seed=1)
    rollout = Rollout.make(env, policy, 16, CPU)
    rollout.reset(env, policy, 1)

    class Pool:
        """A pool in which row 2 is dead in steps 3 to 5."""

        def __init__(self) -> None:
            self.steps, self.alive = 0, np.ones(6, bool)

        def __getattr__(self, name: str) -> Any:
            return getattr(env, name)

        def _advance(self, actions: Any, *given: Any) -> Any:
            result = env._advance(actions, *given)
            self.steps += 1
            self.alive[2] = not 3 <= self.steps <= 5
            return result

    pool: Any = Pool()
    ppo.collect(pool, policy, rollout, FUSED, seed=3, first_step=0)
    assert (~rollout.alive[:, 2]).nonzero().flatten().tolist() == [3, 4, 5]
    starts = rollout.starts()
    assert starts[:, 2].nonzero().flatten().tolist()[:3] == [4, 5, 6]
    assert not starts[:8, [0, 1, 3]].any()
    with torch.no_grad():
        fresh = policy(rollout.observations[6:8], policy.initial_state(6, CPU), None)[:, 2, -1]
        again = policy(rollout.observations[:-1], rollout.state, starts)[..., -1]
    torch.testing.assert_close(rollout.values[6:8, 2], fresh)
    torch.testing.assert_close(rollout.values[:-1], again)


@pytest.mark.parametrize("kind", ["mingru", "lstm"])
def test_dead_rows_do_not_affect_statistics_or_loss(kind: str) -> None:
    """Garbage in dead rows, including observations, must not change a bit of the updated weights."""
    env = pufferc.make("cartpole", 8, num_threads=1, seed=1)
    config = merge(Config("cartpole"), {"policy": {"kind": kind, "hidden_size": 8}})
    settings = TrainConfig(minibatch_size=64, epochs=2, learning_rate=0.1)

    def update(garbage: bool) -> tuple[list[torch.Tensor], dict[str, float]]:
        policy = make_policy(config, env.spaces, torch.float32, CPU, seed=1)
        rollout = Rollout.make(env, policy, 16, CPU)
        rollout.reset(env, policy, 1)
        ppo.collect(env, policy, rollout, FUSED, seed=3, first_step=0)
        rollout.alive[4:9, 2:5] = False
        rollout.rewards[4:9, 2:5] = 0.0
        ppo.advantages(rollout, FUSED, TrainConfig(gamma=0.9, gae_lambda=0.9))
        dead = ~rollout.alive[:-1]
        if garbage:
            rollout.returns[dead], rollout.advantages[dead], rollout.logprobs[dead] = 1e6, -1e6, 50.0
            rollout.observations[:-1][dead] = 1e3
        optimizer = Muon(policy.named_parameters())
        stats = ppo.Learner(policy, optimizer, rollout, FUSED, settings).optimise(0.1, torch.Generator().manual_seed(1))
        return [parameter.detach().clone() for parameter in policy.parameters()], stats

    (clean, stats), (dirty, dirty_stats) = update(False), update(True)
    assert all(torch.equal(a, b) for a, b in zip(clean, dirty, strict=True))
    assert stats == dirty_stats


@pytest.mark.parametrize("kind", ["mingru", "lstm"])
def test_each_snake_has_its_own_recurrent_state(kind: str) -> None:
    """Snakes of one game die at different times. Values must match a float64 run over the current life."""
    env = pufferc.make("snake", num_games=2, num_threads=1, seed=1, snakes=3, width=8, height=8, food=4)
    config = merge(Config("snake"), {"policy": {"kind": kind, "hidden_size": 8, "encoder": "flat"}})
    policy: Any = make_policy(config, env.spaces, torch.float32, CPU, seed=1)
    rollout = Rollout.make(env, policy, 24, CPU)
    rollout.reset(env, policy, 1)
    doubles = {name: p.detach().double() for name, p in policy.named_parameters()}
    lives: list[list[torch.Tensor]] = [[] for _ in range(env.num_envs)]
    died = 0
    for part in range(2):
        ppo.collect(env, policy, rollout, FUSED, seed=3, first_step=24 * part)
        for t in range(24):
            for row, life in enumerate(lives):
                life.append(rollout.observations[t, row].flatten().clone())
                x = torch.stack(life).double().unsqueeze(1)
                nowhere = torch.zeros(len(life), 1, dtype=torch.bool)
                value = twin(policy, doubles, x, policy.initial_state(1, CPU), nowhere)[-1, 0, -1].float()
                torch.testing.assert_close(rollout.values[t, row], value, atol=1e-5, rtol=1e-4)
                if rollout.terminated[t, row]:
                    life.clear()
                    died += 1
        assert int(rollout.terminated.any(1).sum()) > int(rollout.terminated.all(1).sum())
    assert died >= 10
