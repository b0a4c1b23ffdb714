"""Self-play without networks: the seat plan, results of games, the pool of opponents, and the settings."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from own_games import build_duel, needs_compiler
from pufferc.config import Config, ConfigError, merge
from pufferc.config.schema import SelfplayConfig
from pufferc.selfplay.seats import Choices, SeatPlan, hash64, points_of, script_id
from pufferc.selfplay.settings import Sides, Target, read_ladder, read_sides, read_target
from pufferc.training.resolve import resolve

torch = pytest.importorskip("torch")

from pufferc.runs.checkpoint import load_checkpoint  # noqa: E402
from pufferc.selfplay.opponents import Copy, Opponents, Record, thinned  # noqa: E402

TWO = np.array([0, 1], np.int32)
CHOICES = Choices(0.6, [1, 3, script_id(1)], [1.0, 2.0, 5.0])


def plan(numbers: Any, *, seed: int = 1, teams: Any = TWO, choices: Choices = CHOICES) -> SeatPlan:
    made = SeatPlan(np.array(teams, np.int32), np.array(numbers, np.uint64), seed)
    made.choices = choices
    made.start()
    return made


# ---- the plan ------------------------------------------------------------------------------------------


def test_the_hash_is_that_of_the_games() -> None:
    # The first output of SplitMix64 with seed 0, by its authors.
    assert hash64(np.zeros(1, np.uint64)).tolist() == [0xE220A8397B1DCDAF]


def test_games_are_shared_out_by_mirror_side_and_weight() -> None:
    made = plan(range(20_000))
    opponents = made.opponents(np.arange(20_000))
    versus = opponents != 0
    assert np.mean(~versus) == pytest.approx(0.6, abs=0.015)
    assert (made.games[~versus] == 0).all()
    assert np.mean(made.games[versus, 0] == 0) == pytest.approx(0.5, abs=0.02)  # the learner's side
    assert ((made.games[versus] == 0).sum(1) == 1).all()
    for policy_id, share in ((1, 1 / 8), (3, 2 / 8), (script_id(1), 5 / 8)):
        assert np.mean(opponents[versus] == policy_id) == pytest.approx(share, abs=0.02)


def test_an_opponent_has_the_seats_of_all_other_teams() -> None:
    made = plan(range(300), teams=[2, 0, 1, 0, 2, 1], choices=Choices(0.0, [2], [1.0]))
    sides = {tuple(row) for row in made.games.tolist()}
    assert sides == {(2, 0, 2, 0, 2, 2), (2, 2, 0, 2, 2, 0), (0, 2, 2, 2, 0, 2)}
    assert np.array_equal(made.own, made.policy_id == 0)


def test_a_plan_depends_on_seed_number_and_episode_only() -> None:
    whole, part = plan(range(64)), plan(range(16, 48))
    assert np.array_equal(whole.games[16:48], part.games)
    whole.advance(np.arange(64))
    for game in range(32):  # in another order
        part.advance(np.array([31 - game]))
    assert np.array_equal(whole.games[16:48], part.games)
    assert not np.array_equal(part.games, plan(range(16, 48)).games)
    assert not np.array_equal(whole.games, plan(range(64), seed=2).games)


def test_only_games_that_ended_get_another_plan() -> None:
    made = plan(range(500))
    before = made.games.copy()
    flags = np.zeros((500, 2), np.bool_)
    flags[::3] = True
    flags[1, 0] = True  # an agent's life, not the game
    ended = made.ended(flags.ravel())
    assert np.array_equal(ended, np.arange(0, 500, 3))
    assert made.advance(ended)
    changed = np.flatnonzero((before != made.games).any(1))
    assert changed.size > 20 and set(changed) <= set(ended)
    assert np.array_equal(made.episodes, (np.arange(500) % 3 == 0).astype(int))


@pytest.mark.parametrize("choices", [Choices(0.6), Choices(1.0, [1], [1.0])])
def test_the_learner_has_all_seats_without_opponents(choices: Choices) -> None:
    made = plan(range(50), choices=choices)
    assert made.own.all() and not made.advance(np.arange(50))


def test_a_restored_plan_continues() -> None:
    made, again = plan(range(40)), plan(range(40))
    made.advance(np.arange(0, 40, 2))
    again.restore(made.policy_id.copy(), made.episodes.copy())
    for each in (made, again):
        each.advance(np.arange(40))
    assert np.array_equal(made.policy_id, again.policy_id) and np.array_equal(made.own, again.own)


def test_the_higher_mean_score_wins() -> None:
    own = np.array([[True, False], [True, False], [True, False], [False, True]])
    two = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0], [0.0, 1.0]], np.float32)
    assert points_of(two, own).tolist() == [1.0, 0.5, 0.0, 1.0]
    three = np.array([[0.5, 0.75, 0.25], [0.25, 0.75, 0.25], [1.0, 0.75, 0.75]], np.float32)
    assert points_of(three, np.array([True, False, False])).tolist() == [0.5, 0.0, 1.0]
    assert np.isnan(points_of(np.array([[np.nan, 1.0]]), np.array([True, False]))).all()


# ---- the pool ------------------------------------------------------------------------------------------


def opponents(**settings: Any) -> Opponents:
    return Opponents(SelfplayConfig(**{"pool_interval": 10, **settings}), Sides(0.6, True, (1,)), seed=1)


def copy(update: int) -> Copy:
    return Copy(update, 100 * update, {"weight": torch.full((1,), float(update))})


def test_the_pool_keeps_the_newest_and_ever_older_copies() -> None:
    pool, updates = opponents(pool_size=16), list[int]()
    for update in range(10, 4000, 10):
        assert pool.enters(update) and not pool.enters(update + 1)
        pool.enter(copy(update))
        updates = [pool.copies[name].update for name in pool.pool]
        assert updates == sorted(updates) and len(updates) == min(16, update // 10)
        assert updates[-8:] == [update - 10 * age for age in range(7, -1, -1) if update > 10 * age]
        assert updates[0] == 10
    ages = [(4000 - update) / 10 for update in updates]
    ratios = [older / newer for older, newer in itertools.pairwise(ages[:9])]
    assert max(ratios) < 2.5 and min(ratios) > 1.1, ages


def test_thinning_drops_what_its_neighbours_represent_best() -> None:
    assert thinned([20, 19, 18, 4, 3, 2, 1], 6) == [0, 2, 3, 4, 5, 6]
    assert thinned([9, 3, 1], 2) == [0, 2]


def test_weak_opponents_are_drawn_rarely_and_never_not_at_all() -> None:
    pool = opponents(floor=0.05)
    pool.records["script:1"].add(wins=396, draws=0, losses=4)
    record = pool.records["script:1"]
    assert record.mean_points == pytest.approx((396 + 2) / 404)
    assert pool.weight("script:1") == pytest.approx((1 - 398 / 404) ** 2 + 0.05)
    record.add(wins=0, draws=0, losses=10_000)  # what was long ago does not count
    assert record.mean_points < 0.05 and (record.wins, record.draws, record.losses) == (396, 0, 10_004)
    assert pool.weight("script:1") > 0.9


def test_a_record_counts_draws_as_half() -> None:
    record = Record()
    assert record.mean_points == 0.5
    record.add(10, 80, 10)
    assert record.mean_points == 0.5
    record.add(100, 0, 0)
    assert record.mean_points == pytest.approx((110 + 40 + 2) / 204)


def test_a_slot_keeps_its_copy_while_it_plays() -> None:
    pool = opponents(max_policies=2)
    assert pool.choices() == Choices(0.6, [script_id(1)], [pool.weight("script:1")])
    for update in (10, 20):
        pool.enter(copy(update))
        changed = pool.fill_slots([0.0, 0.0])
    assert sorted(map(str, pool.slots)) == ["step_000000001000", "step_000000002000"]
    assert float(changed[1]["weight"]) == 20.0
    for name in pool.slots:
        pool.records[str(name)].add(10_000, 0, 0)  # always beaten, so others are drawn
    before = list(pool.slots)
    for update in range(30, 300, 10):
        pool.enter(copy(update))
        assert pool.fill_slots([3.0, 1.0]) == {}
        assert pool.slots == before and set(map(str, before)) <= set(pool.copies)
    # Those that should no longer play get no new games.
    assert set(pool.choices().ids) & {1, 2} == {k + 1 for k in (0, 1) if pool.slots[k] in pool.state()["wanted"]}
    changed = pool.fill_slots([0.0, 1.0])
    assert set(changed) == {0} and pool.slots[1] == before[1] and pool.slots[0] != before[0]
    assert pool.name_of(1) == pool.slots[0] and pool.name_of(script_id(1)) == "script:1"


def test_a_beaten_copy_is_chosen_less_often() -> None:
    chosen = 0
    for seed in range(300):
        pool = Opponents(SelfplayConfig(pool_interval=1, max_policies=1), Sides(0.5, True, ()), seed)
        pool.enter(copy(1))
        pool.records["step_000000000100"].add(wins=200, draws=0, losses=0)  # weight 0.05, against 0.3
        pool.enter(copy(2))
        chosen += pool.state()["wanted"] == ["step_000000000200"]
    assert chosen / 300 == pytest.approx(0.3 / 0.35, abs=0.06)


def test_files_hold_the_copies_of_this_run(tmp_path: Path) -> None:
    first, again = opponents(), opponents()
    for pool, weight in ((first, 1.0), (again, 2.0)):  # the second run resumed from before the copy was made
        pool.enter(Copy(10, 1000, {"weight": torch.full((1,), weight)}))
        pool.save(tmp_path, {"game": "pong"})
    path = tmp_path / "opponents" / "step_000000001000"
    found = load_checkpoint(path)
    assert float(found.policy["weight"]) == 2.0 and found.meta["update"] == 10 and found.meta["game"] == "pong"
    checkpoint = tmp_path / "checkpoints" / "step_000000002000" / "checkpoint.json"
    checkpoint.parent.mkdir(parents=True)
    for text, kept in (('{"selfplay": {"slots": ["step_000000001000", null]}}', True), ("{", True), ("{}", False)):
        checkpoint.write_text(text)
        opponents().clean(tmp_path)
        assert path.exists() == kept, text


# ---- settings ------------------------------------------------------------------------------------------


def config(game: Any = "pong", env: Any = None, target: Any = None, **selfplay: Any) -> Config:
    env, train = {"players": 2} if env is None else env, {"total_steps": 1024}
    train |= {} if target is None else {"target_score": target}
    tables = {"env": env, "vec": {"num_envs": 8}, "train": train, "selfplay": selfplay}
    return merge(Config(str(game)), tables)


def test_self_alone_is_no_self_play() -> None:
    assert read_sides(Config("cartpole")) is None
    assert read_sides(config(opponents="self", mirror=0.1)) is None


def test_opponents_are_words() -> None:
    assert read_sides(config(opponents="self,pool")) == Sides(0.6, True, ())
    assert read_sides(config(opponents=" pool ", mirror=0.7)) == Sides(0.0, True, ())


@needs_compiler
def test_scripts_are_opponents(tmp_path: Path) -> None:
    game = build_duel(tmp_path)
    assert read_sides(config(game, {}, opponents="self,script:1,script:0")) == Sides(0.6, False, (1, 0))
    with pytest.raises(ConfigError, match=r"selfplay\.opponents: there is no script:7 in duel, which has levels 0 to"):
        resolve(config(game, {}, opponents="self,script:7"))
    with pytest.raises(ConfigError, match=r"must be self for duel, which has no teams with these parameters"):
        resolve(config(game, {"sides": False}, opponents="pool"))


@needs_compiler
def test_a_target_may_name_an_opponent(tmp_path: Path) -> None:
    game = build_duel(tmp_path)
    assert read_target(config()) is None and read_target(config(target=3)) == Target(3.0)
    named = config(game, {}, target="0.75 vs script:1", opponents="self,pool", ladder="pool")
    target = read_target(named)
    assert target == Target(0.75, "script:1") and read_ladder(named) == ([1], True)
    assert target.is_reached(0.1, {"script:1": 0.75}) and not target.is_reached(0.9, {"script:1": 0.7, "pool": 1.0})
    assert not target.is_reached(0.9, {})  # not played yet
    assert read_ladder(config(game, {}, opponents="pool")) == ([0, 1], True)
    assert Target(0.8).is_reached(0.8, {}) and not Target(0.8).is_reached(float("nan"), {})
    assert read_target(config(target="0.6 vs pool", opponents="pool")) == Target(0.6, "pool")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"opponents": "self,pol"}, r"selfplay\.opponents must be words such as self,pool,script:1, got 'self,pol'"),
        ({"opponents": ""}, r"selfplay\.opponents must be words"),
        ({"opponents": "self,pool,self"}, r"must name each opponent once"),
        ({"opponents": "self,script:0"}, r"there is no script:0 in pong, which has no script"),
        ({"opponents": "self,script:x"}, r"there is no script:x in pong"),
        ({"opponents": "pool", "env": {"players": 1}}, r"must be self for pong, which has no teams"),
        ({"opponents": "pool", "max_policies": 8}, r"selfplay\.max_policies must be at most 7 with vec\.num_envs 8"),
        ({"pool_size": 1}, r"selfplay\.pool_size must be in \[2, 1024\], got 1"),
        ({"max_policies": 0}, r"selfplay\.max_policies must be in \[1, 64\], got 0"),
        ({"mirror": 1.5}, r"selfplay\.mirror must be in \[0, 1\], got 1\.5"),
        ({"floor": 0.0}, r"selfplay\.floor must be in \(0, 1\], got 0\.0"),
        ({"opponents": "pool", "ladder": "script:0"}, r"selfplay\.ladder: there is no script:0 in pong"),
        ({"opponents": "pool", "ladder": "copies"}, r"selfplay\.ladder must be words such as scripts,pool,script:1"),
        ({"target": "0.9 vs pool"}, r"train\.target_score names an opponent, which needs selfplay\.opponents other"),
        ({"target": "0.9 vs script:1", "opponents": "pool"}, r"train\.target_score: there is no script:1 in pong"),
        (
            {"target": "1.2 vs pool", "opponents": "pool"},
            r"train\.target_score must be a number, or points in",
        ),
        ({"target": "high", "opponents": "pool"}, r"train\.target_score must be a number.* got 'high'"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        resolve(config(**changes))
