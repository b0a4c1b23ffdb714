"""The optional parts of a game's contract through VecEnv and SingleEnv, with the test game tests/c/duel.c.

Duel: two players take turns on a 5 x 3 board; kind 0 pass, 1 claim, 2 strike; place 0 to 32, 33 nowhere. The player
whose turn it is not must choose pass and nowhere.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from pathlib import Path

import gymnasium
import numpy as np
import pytest

import pufferc
from conftest import MakePool
from own_games import build_duel, build_masked_catcher, needs_compiler
from pufferc.commands.main import main
from pufferc.envs import spaces
from pufferc.envs.single import SingleEnv
from pufferc.watch.players import RandomAgent, choose

pytestmark = needs_compiler
COUNTS = (3, 34)
MAP = b"DUEL" + bytes([5, 3, 7]) + bytes(15)  # 5 x 3 cells, 7 charges, no walls


@pytest.fixture(scope="module")
def duel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_duel(tmp_path_factory.mktemp("duel"))


@pytest.fixture
def map_file(tmp_path: Path) -> Path:
    path = tmp_path / "small.map"
    path.write_bytes(MAP)
    return path


def legal_by_words(env: pufferc.VecEnv) -> np.ndarray:
    """bool [N, K], unpacked from the mask words bit by bit."""
    return np.array([[word[k // 32] >> (k % 32) & 1 for k in range(sum(COUNTS))] for word in env.action_mask], bool)


def play(env: pufferc.VecEnv, steps: int, seed: int = 0) -> Iterator[tuple]:
    """Play random legal steps and yield the result of each."""
    generator = np.random.default_rng(seed)
    for _ in range(steps):
        yield env.step(spaces.sample_legal(env.single_action_space, env.action_masks(), generator))


# ---- descriptions of games ----------------------------------------------------------------------------------


def test_the_description_of_a_game(duel: Path) -> None:
    info = pufferc.env_info(duel)
    assert (info.masked, info.teams, info.levels, info.reads_data, info.fps, info.idle) == (True, 2, 2, True, 4.0, 0)
    assert info.fields[:2] == ("claims", "balance") and info.fields[-1] == "board"
    assert [(key.keys, key.help, key.dim, key.choice) for key in info.keys[:3]] == [
        (("space",), "pass", 0, 0),
        (("c",), "claim", 0, 1),
        (("s", "enter"), "strike", 0, 2),
    ]
    plain = pufferc.env_info("snake")
    assert (plain.masked, plain.teams, plain.levels, plain.reads_data, plain.fields) == (False, 0, 0, False, ())
    assert (plain.fps, plain.idle) == (12.0, "keep") and pufferc.env_info("cartpole").idle == "alternate"
    push = pufferc.env_info("cartpole").keys[0]
    assert (push.keys, push.choice, push.control, push.push) == (("left", "a"), 0, 0, -1.0)


def test_the_envs_command_shows_the_description(duel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["envs", str(duel)]) == 0
    text = capsys.readouterr().out
    for words in ("teams: 2", "sometimes illegal", "levels 0 to 1", "--data PATH", "claims, balance", "c claim"):
        assert words in text
    assert main(["envs", "snake"]) == 0
    text = capsys.readouterr().out
    assert "up w up; down s down" in text and "watch: 12" in text and "teams" not in text
    assert main(["envs", str(duel), "--json"]) == 0
    (info,) = json.loads(capsys.readouterr().out)
    assert info["masked"] and info["keys"][2]["keys"] == ["s", "enter"] and info["observation"][3]["each"] == 2


def test_observation_length_depends_on_parameters(duel: Path, pool: MakePool) -> None:
    rows = {row.name: row for row in pool(duel).observation_rows}
    assert (rows["board"].count, rows["board"].plane_height, rows["board"].plane_width) == (15, 3, 5)
    assert (rows["rivals"].count, rows["rivals"].each, rows["kind"].num_codes) == (2, 2, 3)
    env = pool(duel, walls=True, width=6, height=5, players=4, sight=3)
    rows = {row.name: row for row in env.observation_rows}
    assert (rows["board"].count, rows["board"].num_codes, rows["board"].high) == (30, 4, 3.0)
    assert (rows["board"].plane_height, rows["board"].plane_width) == (5, 6)
    assert (rows["rivals"].count, rows["rivals"].each) == (9, 3)
    space = env.single_observation_space
    assert space.shape == (42,) and (space.high[3:33] == 3).all() and (space.high[33:] == 30).all()
    blind = pool(duel, sight=0)
    assert blind.observation_rows[-1].count == 0 and blind.single_observation_space.shape == (18,)
    assert SingleEnv("breakout").observation_rows == pool("breakout").observation_rows


def test_teams(duel: Path, pool: MakePool) -> None:
    env = pool(duel, num_games=3, players=5)
    assert env.num_teams == 2 and env.teams is not None and env.teams.dtype == np.int32
    assert env.teams.tolist() == [0, 1, 0, 1, 0]
    for alone in (pool(duel, sides=False), pool("snake")):
        assert (alone.num_teams, alone.teams) == (0, None)


# ---- masks -----------------------------------------------------------------------------------------------------


def test_masks_are_the_unpacked_mask_words(duel: Path, pool: MakePool) -> None:
    env = pool(duel, num_games=5, players=3, max_steps=20)
    assert isinstance(env.single_action_space, gymnasium.spaces.MultiDiscrete)
    _, infos = env.reset(seed=1)
    assert env.action_mask is not None and env.forced is not None
    assert env.action_mask.shape == (15, 2) and env.action_mask.dtype == np.uint32
    words, forced = env.action_mask, env.forced
    seen = set()
    for observations, _, _, _, infos in play(env, 200):
        expected = legal_by_words(env)
        np.testing.assert_array_equal(infos["action_mask"], expected)
        np.testing.assert_array_equal(env.action_masks(), expected)
        assert infos["action_mask"].dtype == np.bool_ and infos["_action_mask"].all()
        np.testing.assert_array_equal(env.forced, env.alive & (expected.sum(1) == len(COUNTS)))
        assert expected[~env.alive].all()
        waits = env.alive & (observations[:, 0] == 0)  # not this row's turn
        np.testing.assert_array_equal(np.flatnonzero(expected[waits].any(0)), [0, 36])
        seen |= {*zip(env.forced.tolist(), env.alive.tolist(), strict=True)}
    assert words is env.action_mask and forced is env.forced  # views, made once
    assert seen == {(True, True), (False, True), (False, False)}


def test_masks_of_a_step_are_not_overwritten_by_the_next(duel: Path, pool: MakePool) -> None:
    env = pool(duel, num_games=2)
    kept = [env.reset()[1]["action_mask"], *(step[4]["action_mask"] for step in play(env, 6))]
    copies = [mask.copy() for mask in kept]
    assert any((mask != kept[0]).any() for mask in kept)
    list(play(env, 5))
    for mask, copy in zip(kept, copies, strict=True):
        np.testing.assert_array_equal(mask, copy)


def test_an_illegal_choice_is_refused_and_no_game_moves(duel: Path, pool: MakePool) -> None:
    env = pool(duel, num_games=4)
    env.reset(seed=2)
    before = env.save()
    actions = spaces.sample_legal(env.single_action_space, env.action_masks(), np.random.default_rng(0))
    wrong = actions.copy()
    row = int(np.flatnonzero(env.forced)[-1])
    wrong[row, 1] = 32
    with pytest.raises(ValueError, match=rf"row {row}, dimension 1: choice 32 is not legal now"):
        env.step(wrong)
    assert env.save() == before
    env.step(actions)
    free = pool(duel, masked=False)
    free.reset(seed=2)
    free.step(np.full((2, 2), [2, 32]))  # does nothing, but is not refused


def test_games_without_masks(duel: Path, pool: MakePool) -> None:
    for env, choices in ((pool("snake"), 4), (pool(duel, masked=False), 37)):
        assert env.action_mask is None and env.forced is None
        assert env.reset()[1] == {}
        assert env.action_masks().shape == (env.num_envs, choices) and env.action_masks().all()
        infos = env.step(np.zeros_like(env.action_space.sample()))[4]
        assert "action_mask" not in infos
    with pytest.raises(NotImplementedError, match="continuous actions"):
        pool("cartpole", continuous=True).action_masks()


def test_groups_get_the_masks_of_their_rows(duel: Path, pool: MakePool) -> None:
    env, whole = pool(duel, num_games=4, groups=2), pool(duel, num_games=4)
    env.reset(seed=3)
    whole.reset(seed=3)
    list(play(whole, 30))
    env.load(whole.save())
    actions = spaces.sample_legal(env.single_action_space, env.action_masks(), np.random.default_rng(1))
    expected = whole.step(actions)[4]
    env.send(actions[4:], 1)
    env.send(actions[:4], 0)
    infos = [env.recv(group)[4] for group in (0, 1)]
    np.testing.assert_array_equal(np.concatenate([info["action_mask"] for info in infos]), expected["action_mask"])
    assert [info["_action_mask"].tolist() for info in infos] == [[True] * 4] * 2


def test_masks_are_valid_at_episode_ends(duel: Path, pool: MakePool) -> None:
    """With same-step autoreset the mask belongs to the new episode. Otherwise every action of a dead row is legal."""
    env, still = pool(duel, max_steps=3), pool(duel, max_steps=3, autoreset="disabled")
    env.reset(seed=1)
    infos = [step[4] for step in play(env, 3)][-1]
    assert "final_info" in infos and infos["action_mask"].sum() < 37
    np.testing.assert_array_equal(infos["action_mask"], legal_by_words(env))
    still.reset(seed=1)
    infos = [step[4] for step in play(still, 3)][-1]
    assert infos["action_mask"].all() and not still.forced.any()
    still.step(np.full((2, 2), [2, 32]))
    _, infos = still.reset(options={"reset_mask": np.ones(2, bool)})
    assert not infos["action_mask"].all()


def test_training_steps_do_not_build_bool_masks(duel: Path, pool: MakePool, monkeypatch: pytest.MonkeyPatch) -> None:
    env, plain = pool(duel, max_steps=2), pool(duel, max_steps=2)
    env.reset(seed=1)
    plain.reset(seed=1)
    for t in range(2):
        actions = env.script(0, step=t)
        with monkeypatch.context() as patch:
            patch.setattr(np, "unpackbits", None)
            observations, infos = env._advance(actions)
        assert ("final_info" in infos) == (t == 1) and "action_mask" not in infos
        np.testing.assert_array_equal(observations, plain.step(actions)[0])
        np.testing.assert_array_equal(env.action_mask, plain.action_mask)


def test_spaces_sample_with_masks(duel: Path, pool: MakePool) -> None:
    env = pool(duel, num_games=3)
    _, infos = env.reset(seed=1)
    space = env.single_action_space
    actions = [space.sample(mask=spaces.sample_mask(space, mask)) for mask in infos["action_mask"]]
    env.step(np.array(actions))
    one = gymnasium.spaces.Discrete(5)
    mask = np.array([False, False, True, False, True])
    assert {int(one.sample(mask=spaces.sample_mask(one, mask))) for _ in range(50)} == {2, 4}
    with pytest.raises(TypeError, match="Discrete or MultiDiscrete"):
        spaces.sample_mask(gymnasium.spaces.Box(0, 1), mask)


def test_the_random_agent_plays_legal_actions(duel: Path, pool: MakePool) -> None:
    env, again = pool(duel, num_games=4), pool(duel, num_games=4)
    for each in (env, again):
        agent = RandomAgent(each, seed=3)
        observations, _ = each.reset(seed=1)
        for _ in range(50):
            observations = each.step(choose(agent, each, observations).actions)[0]
    assert env.save() == again.save()


def test_random_legal_actions_are_legal_and_uniform() -> None:
    space = gymnasium.spaces.MultiDiscrete([3, 34])
    masks = np.zeros((6000, 37), bool)
    masks[:, [0, 2, 3, 20, 36]] = True
    masks[::2, 0] = False
    actions = spaces.sample_legal(space, masks, np.random.default_rng(1))
    assert actions.dtype == np.int32 and (actions[::2, 0] == 2).all()
    counts = [np.bincount(actions[1::2, 0], minlength=3), np.bincount(actions[:, 1], minlength=34)]
    assert counts[0][1] == 0 and abs(counts[0][0] - 1500) < 150
    assert set(np.flatnonzero(counts[1])) == {0, 17, 33} and (abs(counts[1][[0, 17, 33]] - 2000) < 200).all()
    flat = spaces.sample_legal(gymnasium.spaces.Discrete(37), masks, np.random.default_rng(1))
    assert flat.shape == (6000,) and masks[np.arange(6000), flat].all()


def test_single_env_info_has_the_action_mask(tmp_path: Path) -> None:
    """info contains the action mask, and a Discrete space can sample with it. All other results match a pool."""
    env = SingleEnv(build_masked_catcher(tmp_path))
    _, info = env.reset(seed=1)
    assert info["action_mask"].tolist() == [True] * 3 and info["action_mask"].dtype == np.bool_
    observation = env.set_state("paddle_x", 0.04)
    assert observation[0] == env.state("paddle_x") == np.float32(0.04)
    *_, info = env.step(1)
    assert info == {"action_mask": info["action_mask"]} and info["action_mask"].tolist() == [True, False, True]
    np.testing.assert_array_equal(env.action_masks(), info["action_mask"])
    assert {int(env.action_space.sample(mask=info["action_mask"].view(np.int8))) for _ in range(40)} == {0, 2}
    with pytest.raises(ValueError, match="choice 1 is not legal now"):
        env.step(1)
    env.reset(seed=2)
    env.set_param("max_steps", 300)
    ended, steps = False, 0
    while not ended:
        _, _, terminated, truncated, info = env.step(env.script(0, step=steps))
        ended, steps = terminated or truncated, steps + 1
    assert truncated and steps == 300 and info["metrics"]["score"] > 5 and "action_mask" in info
    assert "metrics" not in env.reset()[1]


# ---- the built-in player ---------------------------------------------------------------------------------------


def test_the_built_in_player(duel: Path, pool: MakePool) -> None:
    env = pool(duel, num_games=8, num_threads=2)
    env.reset(seed=1)
    list(play(env, 20))
    before = env.save()
    actions = env.script(1, seed=5, step=9)
    assert actions.shape == (16, 2) and actions.dtype == np.int32
    for d, part in enumerate(np.split(env.action_masks(), [3], axis=1)):
        assert part[np.arange(16), actions[:, d]].all()
    assert env.save() == before
    np.testing.assert_array_equal(env.script(1, rows=[13, 2], seed=5, step=9), actions[[13, 2]])
    assert env.script(0, rows=[]).shape == (0, 2)
    turns = np.flatnonzero(~env.forced)
    assert (env.script(0, turns, seed=5, step=10) != env.script(0, turns, seed=5, step=9)).any()
    part = pool(duel, num_games=2, game_numbers=[6, 1])
    part.load(pool_of_part(env, part))
    np.testing.assert_array_equal(part.script(0, seed=5, step=9), env.script(0, [12, 13, 2, 3], seed=5, step=9))
    env.step(actions)


def pool_of_part(whole: pufferc.VecEnv, part: pufferc.VecEnv) -> bytes:
    """A snapshot for `part` with games 6 and 1 of `whole` as games 0 and 1, copied through the state fields."""
    part.reset(seed=1)
    for name in whole.info.fields:
        part.set_state(name, whole.state(name)[[6, 1]])
    return part.save()


def test_invalid_calls_of_the_built_in_player_are_refused(duel: Path, pool: MakePool) -> None:
    env = pool(duel)
    with pytest.raises(RuntimeError, match="reset the pool before"):
        env.script(0)
    env.reset()
    for call, kind, words in (
        (lambda: env.script(2), ValueError, "level: expected 0 to 1 for duel, got 2"),
        (lambda: env.script(-1), ValueError, "level must be"),
        (lambda: env.script(0, rows=[2]), ValueError, r"rows must be in \[0, 1\], got 2 to 2"),
        (lambda: env.script(0, rows=[0.5]), TypeError, "rows must be a sequence of integers"),
        (lambda: env.script(0, seed=-1), ValueError, "seed must be"),
        (lambda: env.script(0, step=2**64), ValueError, "step must be"),
    ):
        with pytest.raises(kind, match=words):
            call()
    other = pool("snake")
    other.reset()
    with pytest.raises(NotImplementedError, match="snake has no built-in player"):
        other.script(0)


# ---- state fields ----------------------------------------------------------------------------------------------


def test_state_fields_are_read_and_written(duel: Path, pool: MakePool) -> None:
    env = pool(duel, num_games=3)
    observations, _ = env.reset(seed=1)
    kinds = {name: env.state(name).dtype for name in env.info.fields}
    assert kinds["claims"] == np.uint64 and kinds["weight"] == np.float64 and kinds["last_place"] == np.int16
    assert env.state("turn").shape == (3,) and env.state("board").shape == (3, 15) and env.state("held").shape == (3, 6)
    board = env.state("board")
    np.testing.assert_array_equal(observations[::2, 3:18] == 1, board == 1)
    turn = env.state("turn")
    changed = env.set_state("turn", 1 - turn)
    np.testing.assert_array_equal(env.state("turn"), 1 - turn)
    np.testing.assert_array_equal(changed[:, 0], 1 - observations[:, 0])
    np.testing.assert_array_equal(env.forced, changed[:, 0] == 0)  # masks are recomputed
    env.set_state("charges", 0)
    assert not env.state("charges").any()
    env.set_state("heat", np.arange(3))
    np.testing.assert_array_equal(env.state("heat"), np.arange(3, dtype=np.float32))
    own = np.zeros_like(changed)
    assert env.set_state("strikes", [1, 2, 65535], observations=own) is own and own.any()
    assert env.state("strikes").tolist() == [1, 2, 65535]


def test_fields_that_depend_on_parameters(duel: Path, pool: MakePool) -> None:
    env = pool(duel, num_games=2, width=3, height=2)
    env.reset(seed=1)
    assert env.state("board").shape == env.state("stamps").shape == (2, 6)
    env.set_state("stamps", np.arange(12).reshape(2, 6))
    np.testing.assert_array_equal(env.state("stamps"), np.arange(12).reshape(2, 6))
    assert set(np.unique(env.state("board"))) <= {0, 1, 2}


def test_invalid_state_field_values_are_refused(duel: Path, pool: MakePool) -> None:
    env = pool(duel, num_games=2)
    env.reset()
    before = env.save()
    for call, kind, words in (
        (lambda: env.state("truns"), ValueError, 'no state field "truns"; did you mean "turn"'),
        (lambda: env.state(3), TypeError, "name must be a string"),
        (lambda: env.set_state("turn", [0, 1, 0]), ValueError, r"turn must have shape \(2,\)"),
        (lambda: env.set_state("out", 256), ValueError, "out must fit uint8, got 256"),
        (lambda: env.set_state("out", -1), ValueError, "out must fit uint8, got -1"),
        (lambda: env.set_state("turn", 0.5), TypeError, "turn must be int32, got float64"),
        (lambda: env.set_state("turn", "a"), TypeError, "turn must be int32"),
        (lambda: env.set_state("turn", 0, observations=env.rewards), TypeError, "observations must be int8"),
    ):
        with pytest.raises(kind, match=words):
            call()
    assert env.save() == before
    plain = pool("snake")
    plain.reset()
    with pytest.raises(NotImplementedError, match="snake has no state fields"):
        plain.state("board")


# ---- data ------------------------------------------------------------------------------------------------------


def test_a_game_reads_a_file(duel: Path, pool: MakePool, map_file: Path) -> None:
    env = pool(duel, num_games=2, data=map_file)
    observations, _ = env.reset(seed=1)
    assert (observations[:, 1] == 7).all() and env.data == str(map_file)
    assert (pool(duel, num_games=2).reset(seed=1)[0][:, 1] == 3).all()
    map_file.unlink()  # the file stays mapped
    list(play(env, 100))
    views = env.rewards
    env.close()
    del env
    gc.collect()
    assert views.shape == (4,)


def test_a_snapshot_loads_only_with_its_data_file(duel: Path, pool: MakePool, map_file: Path, tmp_path: Path) -> None:
    env = pool(duel, data=map_file)
    env.reset(seed=1)
    (tmp_path / "copy.map").write_bytes(MAP)
    pool(duel, data=tmp_path / "copy.map").load(env.save())
    (tmp_path / "other.map").write_bytes(MAP[:6] + bytes([8]) + MAP[7:])
    for other in (pool(duel, data=tmp_path / "other.map"), pool(duel)):
        with pytest.raises(ValueError, match="snapshot: the data of duel is different"):
            other.load(env.save())


def test_invalid_data_files_are_refused(duel: Path, map_file: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.map").touch()
    (tmp_path / "short.map").write_bytes(MAP[:-1])
    (tmp_path / "walls.map").write_bytes(MAP[:-1] + b"\1")
    for data, kind, words in (
        (tmp_path / "none.map", FileNotFoundError, "data: cannot read .*none.map: No such file or directory"),
        (tmp_path, IsADirectoryError, "data: cannot read .*: Is a directory"),
        (tmp_path / "empty.map", ValueError, "data: .*empty.map is empty"),
        (tmp_path / "short.map", ValueError, "data: expected a map of width x height cells"),
        (tmp_path / "walls.map", ValueError, "data: the map has walls; set the parameter walls"),
        (3, TypeError, "data must be the path of a file, got 3 of type int"),
        (b"a.map", TypeError, "data must be the path of a file, got b'a.map'"),
    ):
        with pytest.raises(kind, match=words):
            pufferc.make(duel, data=data)
    with pytest.raises(ValueError, match="data: breakout does not read data"):
        pufferc.make("breakout", data=map_file)


# ---- parameters of a running pool ------------------------------------------------------------------------------


def test_a_parameter_can_change_between_steps(duel: Path, pool: MakePool) -> None:
    env = pool(duel, num_games=4, decay=0.0)
    env.reset(seed=1)
    before = env.save()
    env.set_param("decay", 1)
    assert env.params["decay"] == 1.0
    held = env.state("held").sum()
    passes = np.tile(spaces.sample_legal(env.single_action_space, env.action_masks(), np.random.default_rng(0)), 1)
    env.step(passes)
    assert env.state("held").sum() <= held + 4
    with pytest.raises(ValueError, match=r"the parameters of .* are different"):
        env.load(before)
    env.set_param("decay", 0.0)
    env.load(before)
    breakout = pool("breakout")
    fps = breakout.metadata["render_fps"]
    breakout.set_param("frames_per_step", 2 * breakout.params["frames_per_step"])
    assert breakout.metadata["render_fps"] == fps / 2


def test_invalid_parameter_changes_are_refused(duel: Path, pool: MakePool) -> None:
    env = pool(duel)
    before = env.params
    for call, kind, words in (
        (lambda: env.set_param("players", 3), ValueError, "players: cannot change in a running pool"),
        (lambda: env.set_param("decay", 2), ValueError, r"decay: expected a value in \[0, 1\], got 2"),
        (lambda: env.set_param("dekay", 0), ValueError, 'did you mean "decay"'),
        (lambda: env.set_param("decay", "a"), TypeError, "parameter decay must be a number"),
        (lambda: env.set_param(3, 1), TypeError, "names of parameters must be strings"),
    ):
        with pytest.raises(kind, match=words):
            call()
    assert env.params == before
