"""Training in self-play: each row is played by its policy, others' rows are not learned from, runs resume exactly."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import SMALL_BATCH, small_config
from own_games import build_duel, needs_compiler
from pufferc.config import Config, TrainConfig, merge

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from pufferc.kernels.backend import FUSED  # noqa: E402
from pufferc.runs.checkpoint import (  # noqa: E402
    CheckpointError,
    list_checkpoints,
    load_checkpoint,
    load_game_checkpoint,
)
from pufferc.training.evaluate import EvaluationSettings  # noqa: E402
from pufferc.training.from_checkpoint import play_checkpoint  # noqa: E402
from pufferc.training.ppo import advantages, collect  # noqa: E402
from pufferc.training.resolve import resolve  # noqa: E402
from pufferc.training.rollout import Rollout  # noqa: E402
from pufferc.training.run import Result, train  # noqa: E402
from pufferc.training.trainer import Trainer  # noqa: E402
from pufferc.watch.players import CheckpointAgent  # noqa: E402

pytestmark = needs_compiler

QUICK = {"keep_checkpoints": 0, "target_episodes": 20}
ALL = {"opponents": "self,pool,script:1", "mirror": 0.4, "pool_interval": 1, "max_policies": 3, "pool_size": 4}


@pytest.fixture(scope="module")
def duel(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A game of two teams with masks, turns, agents that are out while their game continues, and a script."""
    return str(build_duel(tmp_path_factory.mktemp("duel")))


@pytest.fixture
def make() -> Iterator[Callable[..., Trainer]]:
    made: list[Trainer] = []

    def trainer(config: Config) -> Trainer:
        made.append(Trainer(resolve(config)[0]))
        made[-1].start()
        return made[-1]

    yield trainer
    for each in made:
        each.env.close()


def small(
    game: str, *, kind: str = "mlp", selfplay: Any = None, env: Any = None, updates: int = 6, **fields: Any
) -> Config:
    env = {"max_steps": 20, "players": 4} if env is None else env
    config = small_config(game, updates=updates, env=env, policy={"kind": kind}, **QUICK, **fields)
    return merge(config, {"selfplay": ALL if selfplay is None else selfplay})


def tensors(path: Path) -> dict[str, Any]:
    loaded = load_checkpoint(path)
    return {**loaded.policy, **loaded.trainer}


def assert_equal(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (result.run / "metrics.jsonl").read_text().splitlines()]


# ---- rollouts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mlp", "mingru", "lstm"])
@pytest.mark.parametrize("kernels", ["fused", "torch"])
def test_every_row_is_played_by_its_policy_with_its_own_memory(
    duel: str, make: Callable[..., Trainer], kind: str, kernels: str
) -> None:
    trainer = make(small(duel, kind=kind, kernels=kernels, precision="float32"))
    seats = trainer.seats
    assert seats is not None
    for _ in range(3):
        trainer.step()
    assert sum(name is not None for name in seats.opponents.slots) == 3
    seen: list[Any] = []
    original, rollout = seats.forward, trainer.rollout

    def forward(observations: Any, state: Any) -> Any:
        outputs, after = original(observations, state)
        ids = np.where(trainer.env.alive, seats.plan.policy_id, 9)
        seen.append((ids, observations.clone(), outputs.clone()))
        return outputs, after

    seats.forward = forward  # type: ignore[method-assign]
    trainer.collector.collect(3 * 16)
    state = {number: network.initial_state(32, torch.device("cpu")) for number, network in seats.networks.items()}
    for kept in state.values():
        for part, start in zip(kept, rollout.state, strict=True):
            part.copy_(start)
    assert len(seen) == 17
    for t, (ids, observations, outputs) in enumerate(seen):
        for number, network in seats.networks.items():
            expected, after = network.step(observations, state[number])
            rows = torch.from_numpy(ids == number)
            torch.testing.assert_close(outputs[rows], expected[rows], rtol=1e-5, atol=1e-5)
            if t < 16:
                ended = rollout.terminated[t] | rollout.truncated[t]
                fresh = network.initial_state(32, torch.device("cpu"))
                state[number] = tuple(
                    torch.where(ended[:, None], new, part) for new, part in zip(fresh, after, strict=True)
                )
    found = {int(number) for each in seen for number in each[0]}
    assert 0 in found and len(found & {1, 2, 3}) >= 2


def test_scripts_play_their_rows(duel: str, make: Callable[..., Trainer]) -> None:
    trainer = make(small(duel, selfplay={"opponents": "script:1"}, env={"max_steps": 20}))
    seats = trainer.seats
    assert seats is not None
    step, original = 0, trainer.env._advance

    def advance(actions: Any, observations: Any = None) -> Any:
        nonlocal step
        scripted = np.flatnonzero(seats.plan.policy_id == -2)
        assert scripted.size == 16  # one of two sides in every game
        expected = trainer.env.script(1, scripted, seed=1, step=step)
        assert np.array_equal(actions[scripted], expected)
        step += 1
        return original(actions, observations)

    trainer.env._advance = advance  # type: ignore[method-assign]
    trainer.collector.collect(0)
    assert step == 16


def test_seats_change_only_when_a_game_ends(duel: str, make: Callable[..., Trainer]) -> None:
    trainer = make(small(duel))
    seats, rollout = trainer.seats, trainer.rollout
    assert seats is not None
    changes = 0
    for _ in range(5):
        trainer.step()
        own = rollout.alive.numpy()
        ended = (rollout.terminated | rollout.truncated).numpy()
        for t in range(16):
            changed = own[t] != own[t + 1]
            assert (~changed | ended[t] | ~own[t + 1]).all()  # an agent may be out while its game continues
            changes += int((changed & ended[t]).sum())
    assert changes > 20


@pytest.mark.parametrize("kind", ["mlp", "mingru"])
@pytest.mark.parametrize("shares", [{"mirror": 1.0, "pool_interval": 1}, {"mirror": 0.5, "pool_interval": 1000}])
def test_without_opponents_in_play_a_rollout_is_that_of_ppo(
    duel: str, make: Callable[..., Trainer], kind: str, shares: dict[str, Any]
) -> None:
    selfplay = {"opponents": "self,pool", **shares}
    seated, plain = make(small(duel, kind=kind, selfplay=selfplay)), make(small(duel, kind=kind, selfplay={}))
    assert seated.seats is not None and plain.seats is None
    seated.learner.compact = False  # copying alive rows changes the order of sums
    for _ in range(3):
        one, other = seated.step(), plain.step()
        assert one["score"] == pytest.approx(other["score"], nan_ok=True) and one["loss"] == other["loss"]
    assert_equal(seated.policy.state_dict(), plain.policy.state_dict())
    collect(plain.env, plain.policy, plain.rollout, plain.kernels, seed=1, first_step=48)
    seated.collector.collect(48)
    for name in ("observations", "actions", "logprobs", "values", "rewards", "alive"):
        assert torch.equal(getattr(seated.rollout, name), getattr(plain.rollout, name)), name


# ---- learning ------------------------------------------------------------------------------------------


def _spoil_others(trainer: Trainer) -> None:
    """Lets the next rollout hold nonsense where others play."""
    seats, rollout, own = trainer.seats, trainer.rollout, list[Any]()
    assert seats is not None
    forward, collect = seats.forward, trainer.collector.collect

    def record(observations: Any, state: Any) -> Any:
        own.append(torch.from_numpy(seats.own.copy()))
        return forward(observations, state)

    def spoil(first_step: int) -> Any:
        seconds, others = collect(first_step), ~torch.stack(own)
        assert 100 < int(others.sum()) < 400
        for name, value in (("rewards", 1e6), ("logprobs", -3.0), ("values", 7.0), ("final_values", 1e5)):
            tensor = getattr(rollout, name)
            tensor[others[: tensor.shape[0]]] = value
        rollout.observations[:-1][others[:-1]] = 5
        return seconds

    seats.forward, trainer.collector.collect = record, spoil  # type: ignore[method-assign]


@pytest.mark.parametrize("kind", ["mlp", "mingru"])
def test_rows_of_others_teach_nothing(duel: str, make: Callable[..., Trainer], kind: str) -> None:
    """Whatever others saw, did and got, the update has the same bits."""
    fields = {"normalize_observations": True, "normalize_rewards": True, "kernels": "torch", "precision": "float32"}
    policies = []
    for spoil in (False, True):
        trainer = make(merge(small(duel, kind=kind, **fields), {"policy": {"encoder": "flat"}}))
        for _ in range(2):
            trainer.step()
        if spoil:
            _spoil_others(trainer)
        line = trainer.step()
        assert np.isfinite(line["loss"])
        policies.append({**trainer.policy.state_dict(), **vars(trainer.reward_normaliser.moments)})  # type: ignore[union-attr]
    assert_equal(*policies)


def test_scores_are_those_of_the_learner(duel: str, make: Callable[..., Trainer]) -> None:
    trainer = make(small(duel, selfplay={"opponents": "script:1"}, env={"max_steps": 20}, updates=12))
    seats = trainer.seats
    assert seats is not None
    episodes, total = 0, 0.0
    original = seats.take_results

    def take(episode: Any) -> None:
        nonlocal episodes, total
        own = seats.plan.own & (trainer.env.terminated | trainer.env.truncated)
        episodes, total = episodes + int(own.sum()), total + float(episode["score"][own].sum())
        original(episode)

    seats.take_results = take  # type: ignore[method-assign]
    lines = [trainer.step() for _ in range(8)]
    assert sum(line["episodes"] for line in lines) == episodes > 50
    summed = sum(line["episodes"] * line["score"] for line in lines if line["episodes"])
    assert summed == pytest.approx(total)
    # One row a game, and each game has a result.
    assert sum(line["versus_games"] for line in lines) == episodes
    counts = np.array([line["opponents"].get("script:1", [0, 0, 0]) for line in lines])
    record = seats.opponents.records["script:1"]
    assert counts.sum(0).tolist() == [record.wins, record.draws, record.losses]
    for line, (wins, draws, losses) in zip(lines, counts, strict=True):
        if games := wins + draws + losses:
            assert line["versus_points"] == pytest.approx((wins + draws / 2) / games)


# ---- forced steps --------------------------------------------------------------------------------------

SKIP = {"opponents": "self,script:1", "mirror": 0.5, "skip_forced": True}


def free_steps(terminated: Any, forced: Any) -> Rollout:
    """A rollout [T, N] of noise with these ends and forced steps [T + 1, N]."""
    steps, rows = terminated.shape
    draw = torch.Generator().manual_seed(3)
    flags, noise = torch.zeros(steps, rows, dtype=torch.bool), torch.empty(0)
    rollout = Rollout(
        observations=noise, actions=noise, logprobs=noise, mask=None, head=None, state=(), next_state=(), staging=None,  # type: ignore[arg-type]
        values=torch.randn(steps + 1, rows, generator=draw), rewards=torch.randn(steps, rows, generator=draw),
        terminated=terminated, truncated=flags, final_values=torch.zeros(steps, rows),
        alive=torch.ones(steps + 1, rows, dtype=torch.bool), forced=forced, learned=None,
        advantages=torch.zeros(steps, rows), returns=torch.zeros(steps, rows), steps=[None] * steps, blocks=(),  # type: ignore[list-item]
    )  # fmt: skip
    return rollout


def test_advantages_carry_over_forced_steps() -> None:
    """At lambda 1 they are those of the plain form, which does not depend on values in between."""
    draw = torch.Generator().manual_seed(5)
    terminated = torch.rand(12, 50, generator=draw) < 0.1
    forced = torch.rand(13, 50, generator=draw) < 0.5
    forced[-1] = False
    settings = TrainConfig(gamma=0.9, gae_lambda=1.0)
    plain, skipping = free_steps(terminated, None), free_steps(terminated, forced)
    for rollout in (plain, skipping):
        advantages(rollout, FUSED, settings)
    free = ~forced[:-1]
    assert skipping.learned is not None and torch.equal(skipping.learned, free)
    torch.testing.assert_close(skipping.advantages[free], plain.advantages[free], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(skipping.returns[free], plain.returns[free], rtol=1e-4, atol=1e-4)


def test_a_step_whose_value_is_beyond_the_rollout_is_not_learned_from() -> None:
    forced = torch.zeros(7, 3, dtype=torch.bool)
    forced[1::2, 0] = True  # free: 0, 2, 4 and row 6, which gives the value after step 4
    forced[4:, 1] = True  # free: 0 to 3; what follows step 3 is not known
    forced[4:, 2] = True  # as before, but the episode ends at step 5
    terminated = torch.zeros(6, 3, dtype=torch.bool)
    terminated[5, 2] = True
    rollout, settings = free_steps(terminated, forced), TrainConfig(gamma=0.9, gae_lambda=0.8)
    values, rewards = rollout.values.clone(), rollout.rewards
    advantages(rollout, FUSED, settings)
    assert rollout.learned is not None
    assert rollout.learned.int().T.tolist() == [[1, 0, 1, 0, 1, 0], [1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 0, 0]]
    last = rewards[4] + 0.9 * rewards[5] + 0.81 * values[6] - values[4]
    torch.testing.assert_close(rollout.advantages[4, 0], last[0])
    torch.testing.assert_close(rollout.advantages[2, 1], (rewards[2] + 0.9 * values[3] - values[2])[1])
    whole = (rewards[3] + 0.9 * rewards[4] + 0.81 * rewards[5] - values[3])[2]
    torch.testing.assert_close(rollout.advantages[3, 2], whole)


@pytest.mark.parametrize("kind", ["mlp", "mingru"])
def test_policies_without_memory_do_not_compute_forced_rows(duel: str, make: Callable[..., Trainer], kind: str) -> None:
    trainer = make(small(duel, kind=kind, selfplay=SKIP))
    rollout, seats, env, seen = trainer.rollout, trainer.seats, trainer.env, list[int]()
    expected: list[int] = []
    assert seats is not None and rollout.forced is not None and not seats.alone
    step = trainer.policy.step

    def count(observations: Any, state: Any) -> Any:
        seen.append(observations.shape[0])
        expected.append(int((seats.own & ~env.forced if kind == "mlp" else seats.own).sum()))
        return step(observations, state)

    trainer.policy.step = count  # type: ignore[method-assign]
    trainer.collector.collect(0)
    assert int((rollout.alive & ~rollout.forced).sum()) < 0.6 * int(rollout.alive.sum())
    assert len(seen) == 17 and seen == expected
    assert (rollout.logprobs[rollout.forced[:-1]] == 0.0).all()
    line = trainer.step()
    assert np.isfinite(line["loss"])
    assert rollout.learned is not None and not (rollout.learned & rollout.forced[:-1]).any()


# ---- runs ----------------------------------------------------------------------------------------------


def run(path: Path, config: Config | None = None, **options: Any) -> Result:
    return train(config, runs=path, quiet=True, **options)


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("kind", ["mlp", "mingru", "lstm"])
def test_a_resumed_run_is_bit_identical(duel: str, tmp_path: Path, kind: str, skip: bool) -> None:
    config = small(duel, kind=kind, selfplay={**ALL, "skip_forced": skip})
    whole = run(tmp_path / "whole", config)
    pool = load_checkpoint(list_checkpoints(whole.run)[-1]).meta["selfplay"]
    assert len(pool["pool"]) == 4 and all(pool["slots"])
    for at in (0, 3):
        again = run(tmp_path / str(at), config)
        for path in list_checkpoints(again.run)[at + 1 :]:
            shutil.rmtree(path)
        resumed = run(tmp_path, None, resume=list_checkpoints(again.run)[at], game=duel)
        paths = [list_checkpoints(each.run)[-1] for each in (whole, resumed)]
        assert_equal(*map(tensors, paths))
        assert load_checkpoint(paths[0]).meta["selfplay"] == load_checkpoint(paths[1]).meta["selfplay"]
        assert [line["opponents"] for line in lines(whole)] == [line["opponents"] for line in lines(resumed)]
        for name in pool["pool"]:
            assert_equal(*(load_checkpoint(each.run / "opponents" / name).policy for each in (whole, resumed)))


@pytest.mark.parametrize("threads", [2, 7])
def test_results_do_not_depend_on_threads(duel: str, tmp_path: Path, threads: int) -> None:
    one = run(tmp_path / "1", small(duel))
    more = run(tmp_path / "n", merge(small(duel), {"vec": {"num_threads": threads}}))
    paths = [list_checkpoints(each.run)[-1] for each in (one, more)]
    assert_equal(*map(tensors, paths))
    assert [line["opponents"] for line in lines(one)] == [line["opponents"] for line in lines(more)]


def test_copies_are_checkpoints_and_go_when_no_checkpoint_needs_them(duel: str, tmp_path: Path) -> None:
    config = merge(small(duel, updates=12), {"train": {"keep_checkpoints": 2}})
    result = run(tmp_path, config)
    kept, needed = list_checkpoints(result.run), set[str]()
    assert len(kept) in (2, 3)  # the newest two, and the best
    for path in kept:
        state = load_checkpoint(path).meta["selfplay"]
        needed |= {*state["pool"], *state["slots"]} - {None}
    found = {path.name for path in (result.run / "opponents").iterdir()}
    assert needed <= found and len(found) < 12
    assert {f"step_{update * SMALL_BATCH:012d}" for update in (1, 11, 12)} <= found
    name = max(needed)
    assert_equal(load_checkpoint(result.run / "opponents" / name).policy, load_checkpoint(kept[-1]).policy)
    assert load_checkpoint(result.run / "opponents" / name).meta["update"] == 12
    # A run whose copies are gone cannot be resumed.
    shutil.rmtree(result.run / "opponents" / name)
    with pytest.raises(CheckpointError, match=rf"{name} is not a checkpoint directory"):
        run(tmp_path, None, resume=kept[-1], game=duel)


def test_a_run_without_opponents_has_no_trace_of_self_play(duel: str, tmp_path: Path) -> None:
    result = run(tmp_path, small(duel, selfplay={}, updates=2))
    assert not (result.run / "opponents").exists()
    last = load_checkpoint(list_checkpoints(result.run)[-1])
    assert "selfplay" not in last.meta and "seats" not in last.trainer
    assert not {"opponents", "versus_games"} & set(lines(result)[0])


# ---- evaluation ----------------------------------------------------------------------------------------


def test_evaluations_play_the_script_and_the_newest_copies(duel: str, tmp_path: Path) -> None:
    selfplay = {**ALL, "pool_interval": 1, "ladder": "scripts,pool"}
    config = small(duel, selfplay=selfplay, evaluation_interval_s=1e-3)
    result = run(tmp_path, config)
    log = lines(result)
    found = log[-1]["evaluation_versus"]
    pool = load_checkpoint(list_checkpoints(result.run)[-1]).meta["selfplay"]["pool"]
    assert set(found) == {"script:0", "script:1", "pool", *pool[-3:]}
    # The newest copy is the policy itself, so it gets exactly half of the points.
    assert found[pool[-1]] == 0.5
    played = [found[name] for name in ("script:0", "script:1", *pool[-3:])]
    assert log[-1]["evaluation_score"] == pytest.approx(np.mean(played))
    assert found["pool"] == pytest.approx(np.mean(played[2:]))
    assert result.evaluation is not None and result.evaluation.episodes >= 20
    assert result.score is not None and result.score.value == log[-1]["evaluation_score"]
    best = max(line["evaluation_score"] for line in log)
    assert result.best is not None and result.best.value == best


def test_a_run_ends_when_its_target_against_an_opponent_is_reached(duel: str, tmp_path: Path) -> None:
    result = run(tmp_path, small(duel, updates=40, target_score="0.01 vs script:0"))
    assert result.outcome == "target" and result.steps < 40 * SMALL_BATCH
    assert result.as_dict()["target_score"] == "0.01 vs script:0"
    checkpoint = load_game_checkpoint(list_checkpoints(result.run)[-1], duel)
    alone = play_checkpoint(checkpoint, EvaluationSettings(20, seed=1), params={"sides": False})  # no teams, no target
    assert alone.episodes >= 20 and not alone.versus
    agent = CheckpointAgent(list_checkpoints(result.run)[-1], game=duel, params={"sides": False})
    assert not agent.params["sides"]
    missed = run(tmp_path, small(duel, updates=2, target_score="1.0 vs script:1"))
    assert missed.outcome == "complete" and missed.evaluation is not None
    assert missed.evaluation.versus["script:1"] < 1.0


def test_checkpoints_without_an_evaluation_have_no_score(duel: str, tmp_path: Path) -> None:
    """The training score of self-play would outdo scores of evaluations, or the other way round."""
    result = run(tmp_path, small(duel, evaluation_interval_s=1e6))
    scores = [load_checkpoint(path).meta["score"] for path in list_checkpoints(result.run)]
    assert scores[-1] is not None and scores[-1]["source"] == "evaluation"
    assert all(score is None or score["source"] == "evaluation" for score in scores)
