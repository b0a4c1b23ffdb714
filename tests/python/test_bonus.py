"""The reward for new observations: it falls with practice, leaves out episode ends, resumes exactly, and helps."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conftest import small_config
from pufferc.config import TrainConfig, merge
from pufferc.envs.games import list_envs
from pufferc.training.resolve import resolve

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from pufferc.kernels.backend import TORCH  # noqa: E402
from pufferc.runs.checkpoint import load_checkpoint  # noqa: E402
from pufferc.training import ppo  # noqa: E402
from pufferc.training.bonus import Bonus  # noqa: E402
from pufferc.training.trainer import Trainer  # noqa: E402

CPU = torch.device("cpu")


def rollout_of(observations: Any) -> Any:
    """The part of a rollout that a bonus reads: observations [T + 1, N, S]."""
    steps, rows = observations.shape[0] - 1, observations.shape[1]
    flags = torch.zeros(steps, rows, dtype=torch.bool)
    return SimpleNamespace(
        observations=observations,
        terminated=flags,
        truncated=flags.clone(),
        alive=torch.ones(steps + 1, rows, dtype=torch.bool),
        rewards=torch.zeros(steps, rows),
    )


def trained(updates: int = 60) -> tuple[Bonus, torch.Generator]:
    """A bonus that has seen observations of entries near 0 for some updates."""
    bonus, random = Bonus(4, 1, CPU), torch.Generator().manual_seed(1)
    for _ in range(updates):
        bonus.update(rollout_of(torch.randn(33, 64, 4, generator=random)), 1.0)
    return bonus, random


def test_new_observations_have_a_larger_bonus_than_known_ones() -> None:
    bonus, random = trained()
    observations = torch.randn(33, 64, 4, generator=random)
    observations[:, 0] += 4.0
    found = bonus.update(rollout_of(observations), 1.0)
    assert found[:, 0].mean() > 5.0 * found[:, 1:].mean()
    assert found[:, 1:].mean() < 0.5  # 1 is the mean of the run


def test_steps_without_a_following_observation_have_no_bonus() -> None:
    bonus, random = trained(3)
    rollout = rollout_of(torch.randn(33, 64, 4, generator=random))
    rollout.terminated[3, 5] = rollout.truncated[4, 6] = True
    rollout.alive[7, 8] = False
    found = bonus.update(rollout, 2.0)
    absent = found == 0.0
    assert absent[3, 5] and absent[4, 6] and absent[6, 8] and absent[7, 8] and int(absent.sum()) == 4


def test_dead_rows_do_not_change_what_is_learned() -> None:
    states = []
    for value in (0.0, 1e6):
        bonus, random = Bonus(4, 1, CPU), torch.Generator().manual_seed(1)
        for _ in range(5):
            rollout = rollout_of(torch.randn(33, 64, 4, generator=random))
            rollout.alive[:, 9] = False
            rollout.observations[:, 9] = value
            bonus.update(rollout, 1.0)
        states.append(bonus.state())
    assert all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())


def test_the_bonus_is_added_to_clamped_rewards() -> None:
    trainer = Trainer(resolve(small_config())[0])
    trainer.start()
    trainer.collector.collect(0)
    rollout, settings = trainer.rollout, TrainConfig(reward_clamp=0.5, gamma=0.0)
    bonus = torch.full_like(rollout.rewards, 3.0)
    ppo.advantages(rollout, TORCH, settings, 1.0, bonus)
    assert torch.allclose(rollout.returns, torch.full_like(bonus, 3.5))


@pytest.mark.parametrize(("game", "kind"), [("cartpole", "mlp"), ("tmaze", "mingru"), ("snake", "mlp")])
def test_a_run_with_a_bonus_resumes_bit_for_bit(tmp_path: Path, game: str, kind: str) -> None:
    env = {"snakes": 32, "width": 40, "height": 30, "food": 50} if game == "snake" else {}
    config = resolve(small_config(game, env=env, policy={"kind": kind}, bonus_coef=0.1))[0]
    whole, again = Trainer(config), Trainer(config)
    whole.start()
    for _ in range(3):
        line = whole.step()
    assert line["bonus"] > 0.0 and set(line) <= set(whole.log_keys())
    again.restore(load_checkpoint(whole.save(tmp_path / "run", {"wall_seconds": 0.0})))
    lines = [[trainer.step() for _ in range(3)] for trainer in (whole, again)]
    assert [line["loss"] for line in lines[0]] == [line["loss"] for line in lines[1]]
    assert [line["bonus"] for line in lines[0]] == [line["bonus"] for line in lines[1]]
    assert whole.bonus is not None and again.bonus is not None
    found = again.bonus.state()
    assert all(torch.equal(tensor, found[name]) for name, tensor in whole.bonus.state().items())


@pytest.mark.skipif("mountain_car" not in list_envs(), reason="needs -DPUFFERC_EXPERIMENTAL=ON")
def test_a_bonus_finds_the_goal_of_mountain_car() -> None:
    """Nothing tells of the goal before it is reached, which random actions do once in 49,000 steps."""
    counts = []  # updates in which an episode ended at the goal
    for coef in (0.0, 0.5):
        network = {"hidden_size": 64, "scaled_inputs": ["velocity"], "input_scale": 15.0}
        schedule = {"gamma": 0.999, "gae_lambda": 0.98, "learning_rate": 0.03, "minibatch_size": 512}
        config = small_config("mountain_car", updates=300, env={"max_steps": 1000}, policy=network, **schedule)
        trainer = Trainer(resolve(merge(config, {"train": {"bonus_coef": coef, "horizon": 64}}))[0])
        trainer.start()
        found = [trainer.step() for _ in range(70)]
        counts.append(sum(line["episodes"] > 0 and line["perf"] > 0.0 for line in found))
    assert counts[1] >= 3 + 2 * counts[0], counts
