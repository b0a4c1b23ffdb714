"""Matches: sides exchanged, the same seeds, the first games of each pair of rows; players by name; the command."""

from __future__ import annotations

import json
import math
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pufferc
from conftest import ROOT
from own_games import build_duel, needs_compiler
from pufferc import _core
from pufferc.commands.main import main
from pufferc.config import Config, as_tables, merge
from test_readme import blocks

torch = pytest.importorskip("torch")

from pufferc.kernels.backend import FUSED  # noqa: E402
from pufferc.policies import Policy, make_policy  # noqa: E402
from pufferc.policies.policy_file import describe_policy  # noqa: E402
from pufferc.runs.checkpoint import save_checkpoint  # noqa: E402
from pufferc.selfplay import match  # noqa: E402
from pufferc.selfplay.match import Pairing, interval, play_all, play_pair  # noqa: E402
from pufferc.selfplay.players import (  # noqa: E402
    FilePlayer,
    Player,
    PolicyPlayer,
    ScriptPlayer,
    common_world,
    load_player,
)
from pufferc.selfplay.table import DRAW_STEP, World  # noqa: E402
from pufferc.training.evaluate import EvaluationSettings, evaluate_players  # noqa: E402

SHORT = {"players": 2, "points": 2, "max_steps": 400}  # games of Pong that can also end in a draw
PONG = World("pong", SHORT, num_threads=1)


class Fixed(Policy):
    """Draws each action with a fixed probability."""

    input_dtype = torch.float32

    def __init__(self, *chances: float) -> None:
        super().__init__()
        self.row = torch.nn.Parameter(torch.tensor([*np.log(chances), 0.0], dtype=torch.float32))

    def forward(self, observations: torch.Tensor, state: Any, starts: Any) -> torch.Tensor:
        return self.row.expand(*observations.shape[:2], -1)


class Follower(Fixed):
    """Moves the paddle to the height of the ball, with a memory of its steps."""

    recurrent = True

    def initial_state(self, rows: int, device: torch.device) -> Any:
        return (torch.zeros(rows, 1),)

    def step(self, observations: torch.Tensor, state: Any) -> Any:
        gap = observations[:, 3] - observations[:, 0]
        wanted = torch.where(gap.abs() < 0.02, 0, torch.where(gap < 0.0, 1, 2))
        outputs = torch.nn.functional.one_hot(wanted, 4) * 6.0
        return outputs.float(), (state[0] + 1.0,)


def network(name: str, params: Mapping[str, Any], seed: int, hidden: int = 16) -> tuple[Config, Policy]:
    config = merge(Config(name), {"env": dict(params), "policy": {"hidden_size": hidden}})
    spaces = World(name, params, 1).spaces()
    policy = make_policy(config, spaces, torch.float32, torch.device("cpu"), seed=seed)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.mul_(3.0)  # the head starts near zero
    return config, policy


def checkpoint(directory: Path, name: str, params: Mapping[str, Any], seed: int = 1) -> Path:
    """A checkpoint as training writes it."""
    config, policy = network(name, params, seed)
    meta = {
        "game": pufferc.env_info(name).name, "version": pufferc.env_info(name).version, "update": 1, "seconds": 1.0,
        "wall_seconds": 1.0, "config": as_tables(config), "precision": "float32",
    }  # fmt: skip
    return save_checkpoint(directory / "checkpoints", 1, policy.state_dict(), {}, meta)


def exported(path: Path, name: str, params: Mapping[str, Any], seed: int = 1) -> Path:
    policy = network(name, params, seed)[1]
    floats = {key: float(value) for key, value in params.items()}
    path.write_bytes(describe_policy(policy, World(name, params, 1).spaces(), floats).to_bytes())
    return path


FOLLOWER = PolicyPlayer("follower", Follower(1.0), FUSED)
RANDOM = PolicyPlayer("random", Fixed(0.2, 0.4, 0.4), FUSED)
LAZY = PolicyPlayer("lazy", Fixed(0.98, 0.01, 0.01), FUSED)


# ---- playing a pair --------------------------------------------------------------------------------------


def first_scores(quota: int, rows: int, moves: Any) -> np.ndarray[Any, Any]:
    """Scores [rows, quota] of the first games of each row, in a plain loop."""
    env = pufferc.make("pong", rows, num_threads=1, seed=5, **SHORT)
    observations, _ = env.reset(seed=5)
    scores: list[list[float]] = [[] for _ in range(rows)]
    while min(map(len, scores)) < quota:
        observations, _, terminated, truncated, infos = env.step(moves(observations))
        for row in np.flatnonzero(terminated | truncated):
            scores[row].append(float(infos["final_info"]["episode"]["score"][row]))
    env.close()
    return np.array([row[:quota] for row in scores])


@pytest.mark.parametrize(("games", "quota"), [(31, 1), (1200, 2)])
def test_a_match_counts_the_first_games_of_both_sides(games: int, quota: int) -> None:
    """Greedy players, so that a plain loop needs no random draws."""
    follower = PolicyPlayer("follower", Follower(1.0), FUSED, greedy=True)
    lazy = PolicyPlayer("lazy", Fixed(0.98, 0.01, 0.01), FUSED, greedy=True)
    found = play_pair(follower, lazy, PONG, games, seed=5)
    rows = 1000 if quota > 1 else 2 * -(-games // 2)

    def moves(side: int) -> Any:
        def choose(seen: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
            gap = seen[:, 3] - seen[:, 0]
            wanted = np.where(np.abs(gap) < 0.02, 0, np.where(gap < 0.0, 1, 2))
            return np.where(np.arange(rows) % 2 == side, wanted, 0).astype(np.int32)

        return choose

    expected = []
    for side in (0, 1):  # of the follower
        scores = first_scores(quota, rows, moves(side))
        own, other = scores[side::2], scores[1 - side :: 2]
        expected.append(0.5 + 0.5 * np.sign(own - other))
    assert np.array_equal(found.points, np.stack(expected, axis=-1).reshape(-1, 2))
    assert found.games == found.wins + found.draws + found.losses == quota * rows >= games
    assert found.wins > found.losses > 0 and found.unfinished == 0
    assert found.mean == pytest.approx((found.wins + 0.5 * found.draws) / found.games)


@pytest.mark.parametrize("player", [FOLLOWER, RANDOM], ids=["recurrent", "random"])
def test_a_player_gets_exactly_half_of_the_points_against_itself(player: Player) -> None:
    found = play_pair(player, player, PONG, 300, seed=2)
    assert np.array_equal(found.points.sum(axis=1), np.ones(len(found.points)))
    assert found.mean == 0.5 and found.interval == (0.5, 0.5)
    assert len(np.unique(found.points)) > 1  # and not because every game is a draw


def test_equal_players_get_about_half_of_the_points_with_other_draws() -> None:
    found = [play_pair(RANDOM, RANDOM, PONG, 512, seed=seed).points[:, 0] for seed in (1, 2)]
    assert not np.array_equal(*found)
    assert abs(np.concatenate(found).mean() - 0.5) < 0.1


def test_a_match_repeats_for_any_threads_and_mirrors_when_the_players_are_exchanged() -> None:
    found = play_pair(FOLLOWER, RANDOM, PONG, 200, seed=3)
    again = play_pair(FOLLOWER, RANDOM, World("pong", SHORT, num_threads=2), 200, seed=3)
    assert np.array_equal(found.points, again.points) and found.steps == again.steps
    other = play_pair(FOLLOWER, RANDOM, PONG, 200, seed=4)
    assert not np.array_equal(found.points, other.points)
    mirrored = play_pair(RANDOM, FOLLOWER, PONG, 200, seed=3)
    assert np.array_equal(mirrored.points, found.reversed().points)
    assert mirrored.wins == found.losses and mirrored.mean == pytest.approx(1.0 - found.mean)


def test_games_that_do_not_end_are_left_out_with_their_partners() -> None:
    world = World("pong", {**SHORT, "max_steps": 0, "points": 1}, num_threads=1)
    whole = play_pair(FOLLOWER, LAZY, world, 100, seed=1)
    cut = play_pair(FOLLOWER, LAZY, world, 100, seed=1, max_steps=60)
    assert whole.unfinished == 0 < cut.unfinished and cut.unfinished + cut.games == 100
    assert cut.steps <= 120 < whole.steps
    none = play_pair(FOLLOWER, FOLLOWER, world, 10, seed=1, max_steps=1)
    assert (none.games, none.unfinished) == (0, 10) and none.as_dict()["mean"] is None


def test_teams_of_several_rows_play_with_scripts() -> None:
    world = World("moba", {"max_steps": 200}, num_threads=2)
    found = play_pair(ScriptPlayer(1), ScriptPlayer(0), world, 8, seed=1)
    assert found.games == 8 and found.mean >= 0.5
    same = play_pair(ScriptPlayer(1), ScriptPlayer(1), world, 4, seed=1)
    assert np.array_equal(same.points.sum(axis=1), np.ones(2))


def test_stronger_scripts_of_connect4_win() -> None:
    world = World("connect4", {}, num_threads=2)
    levels = [ScriptPlayer(level) for level in (0, 1, 2)]
    pairings = {(p.a, p.b): p for p in play_all(levels, world, 200, seed=1)}
    assert pairings["script:0", "script:1"].mean < 0.2
    assert pairings["script:1", "script:2"].mean < 0.4
    assert all(p.draws + p.wins + p.losses == 200 for p in pairings.values())
    same = play_pair(levels[2], levels[2], world, 100, seed=1)
    assert same.mean == 0.5 and same.points.std() > 0.0


@needs_compiler
def test_scripts_of_a_loaded_game_of_turns(tmp_path: Path) -> None:
    """Four players in two teams, some of whom are out before the end."""
    world = World(build_duel(tmp_path), {"players": 4, "width": 6, "height": 5}, num_threads=1)
    found = play_pair(ScriptPlayer(1), ScriptPlayer(0), world, 300, seed=1)
    assert found.games == 300 and found.mean > 0.6
    same = play_pair(ScriptPlayer(0), ScriptPlayer(0), world, 100, seed=1)
    assert same.mean == 0.5 and same.points.std() > 0.0


@needs_compiler
def test_matches_need_teams_whose_games_end_together(tmp_path: Path) -> None:
    respawn = ".num_levels = 2, .respawn = duel_respawn, .respawn_from = duel_respawn_from,"
    lives = build_duel(tmp_path, (".num_levels = 2,", respawn))
    with pytest.raises(ValueError, match="games that end for all agents at once; those of duel end one by one"):
        play_pair(ScriptPlayer(1), ScriptPlayer(1), World(lives, {"lives": True, "players": 3}, 1), 60, seed=1)
    with pytest.raises(ValueError, match="needs a game with at least two teams, pong has none"):
        play_pair(RANDOM, LAZY, World("pong", {}, 1), 10, seed=1)
    with pytest.raises(ValueError, match=r"no script:9: pong has no script"):
        play_pair(RANDOM, ScriptPlayer(9), PONG, 10, seed=1)
    with pytest.raises(ValueError, match=r"games must be in \[1, 100000000\], got 0"):
        play_pair(RANDOM, LAZY, PONG, 0, seed=1)
    with pytest.raises(ValueError, match="at least two players, got 1"):
        play_all([RANDOM], PONG, 10, seed=1)
    with pytest.raises(ValueError, match="random is given twice"):
        play_all([RANDOM, LAZY, RANDOM], PONG, 10, seed=1)


def test_two_players_of_any_kind_can_be_evaluated() -> None:
    """What `pufferc eval --versus` reports, with the scores of the same games."""
    first, second = evaluate_players([FOLLOWER, RANDOM], 1, PONG, EvaluationSettings(100, seed=6))
    found = play_pair(FOLLOWER, RANDOM, PONG, 200, seed=6)
    assert first.episodes == second.episodes == 100 and first.score == pytest.approx(-second.score)
    assert (first.score > 0) == (found.points[:, 0].mean() > 0.5)


def test_an_evaluation_of_two_scripts_in_a_game_of_turns() -> None:
    weak, strong = evaluate_players(
        [ScriptPlayer(0), ScriptPlayer(2)], 1, World("connect4", {}, 1), EvaluationSettings(50, seed=1)
    )
    assert weak.metrics["first"] == 1.0 and strong.metrics["first"] == 0.0
    assert strong.score > 0.9 and weak.score == pytest.approx(1.0 - strong.score)


# ---- intervals -------------------------------------------------------------------------------------------


def test_an_interval_of_wins_and_losses_is_wilsons() -> None:
    for wins, n in ((0, 50), (7, 50), (25, 50), (50, 50)):
        low, high = interval(np.repeat([1.0, 0.0], [wins, n - wins]))
        p, z = wins / n, 1.959964
        ends = [  # the values whose distance from p is z standard errors
            (p + z * z / (2 * n) + sign * z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / (1 + z * z / n)
            for sign in (-1, 1)
        ]
        correction = n / (n - 1) if 0 < wins < n else 1.0  # of the variance of a sample
        assert (low, high) == pytest.approx(ends, abs=0.02 * correction) and low <= p <= high
    assert interval(np.full(10, 0.25)) == (0.25, 0.25)
    assert all(math.isnan(end) for end in interval(np.empty(0)))


@pytest.mark.parametrize("strength", [0.5, 0.9, 0.985])
def test_an_interval_covers_the_mean_in_95_percent(strength: float) -> None:
    generator = np.random.default_rng(1)
    covered = 0
    for _ in range(2000):
        first, other = (generator.random((2, 128)) < strength).astype(float)
        pairs = (first + np.where(generator.random(128) < 0.5, first, other)) / 2
        low, high = interval(pairs)
        covered += low <= strength <= high
    assert 0.92 < covered / 2000 < 0.98


# ---- players by name -------------------------------------------------------------------------------------


def test_players_are_found_by_name(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "pong-20260101-000000"
    step = checkpoint(run, "pong", SHORT)
    file = exported(tmp_path / "pong.pfc", "pong", SHORT)
    for text in (str(step), str(run), "latest"):
        player = load_player(text, "pong", runs=tmp_path / "runs")
        assert isinstance(player, PolicyPlayer) and player.name == text and player.trained is not None
        assert player.trained.params == SHORT
    played = load_player(str(file), "pong", greedy=True)
    assert isinstance(played, FilePlayer) and played.greedy
    assert isinstance(load_player("script:2", "moba"), ScriptPlayer)
    # The same weights play the same games, up to rounding.
    pairs = [play_pair(player, FOLLOWER, PONG, 40, seed=1) for player in (load_player(str(run), "pong"), played)]
    assert all(pairing.games == 40 for pairing in pairs)


def test_files_with_a_parameters_former_name_are_read(tmp_path: Path) -> None:
    """frames_per_step was called frameskip."""
    step = checkpoint(tmp_path / "run", "pong", {**SHORT, "frames_per_step": 2})
    document = step / "checkpoint.json"
    assert document.read_text().count("frames_per_step") == 1
    document.write_text(document.read_text().replace("frames_per_step", "frameskip"))
    file = exported(tmp_path / "pong.pfc", "pong", {**SHORT, "frameskip": 2})
    assert _core.Policy(str(file)).params["frameskip"] == 2
    for text in (str(step), str(file)):
        trained = load_player(text, "pong").trained
        assert trained is not None and trained.params == {**SHORT, "frames_per_step": 2}


@pytest.mark.parametrize("kind", ["mlp", "mingru", "lstm"])
def test_a_policy_file_acts_as_its_network(tmp_path: Path, kind: str) -> None:
    config = merge(Config("pong"), {"env": SHORT, "policy": {"hidden_size": 16, "kind": kind}})
    policy = make_policy(config, PONG.spaces(), torch.float32, torch.device("cpu"), seed=1)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.mul_(3.0)
    path = tmp_path / "policy.pfc"
    path.write_bytes(describe_policy(policy, PONG.spaces(), {k: float(v) for k, v in SHORT.items()}).to_bytes())
    env = PONG.open(64, seed=1)
    observations, _ = env.reset(seed=1)
    rows = np.arange(0, 64, 2)
    players = (PolicyPlayer("network", policy, FUSED), FilePlayer(path))
    seats = [player.sit(env, rows, seed=7, first_row=100) for player in players]
    equal, total = 0, 0
    for step in range(60):
        first, second = (seat.act(env, observations, step) for seat in seats)
        equal, total = equal + int((first == second).sum()), total + first.size
        actions = np.zeros(64, np.int32)
        actions[rows] = first
        observations, _, terminated, truncated, _ = env.step(actions)
        over = terminated | truncated
        if step == 30:
            over = np.arange(64) < 20  # forgets, as at an end
            for seat in seats:
                seat.keep(np.arange(seat.rows.size) % 3 > 0)
            rows = seats[0].rows
        for seat in seats:
            seat.restart(over)
    env.close()
    assert np.array_equal(seats[0].rows, seats[1].rows) and equal > 0.99 * total > 0


def test_a_policy_file_with_masks_makes_legal_choices(tmp_path: Path) -> None:
    file = exported(tmp_path / "connect4.pfc", "connect4", {})
    found = play_pair(FilePlayer(file), ScriptPlayer(0), World("connect4", {}, 1), 100, seed=1)
    assert found.games == 100


def test_a_policy_file_checks_its_arrays(tmp_path: Path) -> None:
    policy = FilePlayer(exported(tmp_path / "pong.pfc", "pong", SHORT)).policy
    draw = {"step": DRAW_STEP, "seed": 1, "first_row": 0, "greedy": False}
    state = np.zeros((3, 0), np.float32)
    assert policy.act(np.zeros((3, 8), np.float32), None, state, **draw).shape == (3,)
    with pytest.raises(ValueError, match="observations must have shape"):
        policy.act(np.zeros((3, 7), np.float32), None, state, **draw)
    with pytest.raises(TypeError, match="observations must be float32, got float64"):
        policy.act(np.zeros((3, 8)), None, state, **draw)
    with pytest.raises(ValueError, match="state must have shape"):
        policy.act(np.zeros((3, 8), np.float32), None, np.zeros((3, 1), np.float32), **draw)
    with pytest.raises(ValueError, match="outputs of 3 rows are not finite"):
        policy.act(np.full((3, 8), np.nan, np.float32), None, state, **draw)


def test_players_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    two = str(checkpoint(tmp_path / "two", "pong", SHORT))
    one = str(checkpoint(tmp_path / "one", "pong", {**SHORT, "players": 1}))
    other = str(checkpoint(tmp_path / "other", "cartpole", {}))
    longer = str(exported(tmp_path / "longer.pfc", "pong", {**SHORT, "points": 5}))
    controls = str(checkpoint(tmp_path / "controls", "pong", {**SHORT, "continuous": True}))
    for text, message in (
        ("nowhere", "nowhere is neither a checkpoint nor a run"),
        ("latest", "no run of pong with a checkpoint"),
        (other, "is of cartpole, not of pong"),
        (str(exported(tmp_path / "cartpole.pfc", "cartpole", {})), "is of cartpole version 1, not of pong version 1"),
        ("script:two", "script:LEVEL needs a number, got 'script:two'"),
        (__file__, "not a policy"),
    ):
        with pytest.raises(ValueError, match=message):
            load_player(text, "pong", runs=tmp_path)
    damaged = Path(two) / "policy.safetensors"
    content = damaged.read_bytes()
    damaged.write_bytes(content[:-4])
    with pytest.raises(ValueError, match="is damaged"):
        load_player(two, "pong")
    damaged.write_bytes(content)

    def world_of(*texts: str, **params: Any) -> World:
        players = [load_player(text, "pong") for text in texts]
        return common_world(players, "pong", params=params, data=None, num_threads=1)

    assert world_of(two, longer, points=7).params == {**SHORT, "points": 7}
    with pytest.raises(ValueError, match=r"longer.pfc was trained with points = 5, .* with 2; give --env.points"):
        world_of(two, longer)
    with pytest.raises(ValueError, match="was trained with players = 1"):
        world_of(two, one)
    with pytest.raises(ValueError, match=r"trained with actions Box.* parameters the game has actions Discrete"):
        world_of(two, controls, continuous=False)
    wide = load_player(str(exported(tmp_path / "moba.pfc", "moba", {"vision": 7})), "moba")
    with pytest.raises(ValueError, match=r"observations of shape \(528,\), uint8, but .* has .* shape \(416,\)"):
        wide.check(World("moba", {"vision": 6}, 1))
    with pytest.raises(ValueError, match="no script:0: pong has no script"):
        world_of(two, "script:0")
    file = Path(longer)
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(ValueError, match=r"longer\.pfc"):
        load_player(longer, "pong")


# ---- from C ----------------------------------------------------------------------------------------------


@needs_compiler
@pytest.mark.parametrize(("game", "params"), [("moba", {"max_steps": 60}), ("connect4", {})])
def test_the_example_in_c_plays_as_a_plain_loop(game: str, params: dict[str, Any], tmp_path: Path) -> None:
    file, program = exported(tmp_path / "policy.pfc", game, params), tmp_path / "match"
    ask = [sys.executable, "-m", "pufferc", "--cflags", "--libs"]
    flags = shlex.split(subprocess.run(ask, capture_output=True, text=True, check=True).stdout)
    source = ROOT / "examples" / "c" / "match.c"
    subprocess.run(["cc", "-O1", "-Wall", "-Wextra", "-Werror", source, *flags, "-o", program], check=True)
    done = subprocess.run([program, file, "0"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr

    numbers = np.repeat(np.arange(256), 2)
    env = pufferc.make(game, num_games=512, num_threads=2, seed=1, game_numbers=numbers, params=params)
    observations, _ = env.reset()
    assert env.teams is not None
    own = np.tile(env.teams % 2, 512) == np.repeat(np.arange(512) % 2, env.agents)
    policy, memory = FilePlayer(file).policy, np.zeros((env.num_envs, 0), np.float32)
    points = np.full(512, np.nan)
    for step in range(1000):
        mask = env.action_mask
        actions = policy.act(observations, mask, memory, step=step, seed=1, first_row=0, greedy=False)
        actions[~own] = env.script(0, np.flatnonzero(~own), seed=1, step=step)
        observations, _, terminated, truncated, infos = env.step(actions)
        ended = (terminated | truncated).reshape(512, -1)[:, 0] & np.isnan(points)
        if ended.any():
            scores = infos["final_info"]["episode"]["score"].reshape(512, -1)
            mine = own.reshape(512, -1)
            lead = np.where(mine, scores, 0).mean(1) - np.where(mine, 0, scores).mean(1)  # sides of equal size
            points[ended] = 0.5 + 0.5 * np.sign(lead[ended])
        if not np.isnan(points).any():
            break
    counts = [int((points == value).sum()) for value in (1.0, 0.5, 0.0)]
    assert done.stdout == (
        f"{game}: 512 games against level 0, {counts[0]} won, {counts[1]} drawn, {counts[2]} lost: mean points "
        f"{points.mean():.4f}\n"
    )
    bad = subprocess.run([program, file, "99"], capture_output=True, text=True)
    assert bad.returncode == 1 and "level: expected 0 to" in bad.stderr
    single = exported(tmp_path / "cartpole.pfc", "cartpole", {})
    bad = subprocess.run([program, single, "0"], capture_output=True, text=True)
    assert bad.returncode == 1 and bad.stderr == "the game has no teams with these parameters\n"
    bad = subprocess.run([program, source, "0"], capture_output=True, text=True)
    assert bad.returncode == 1 and "not a policy" in bad.stderr


# ---- the command -----------------------------------------------------------------------------------------


def test_the_command_prints_a_matrix_and_ratings(tmp_path: Path, capsys: Any) -> None:
    a, b = (str(checkpoint(tmp_path / name, "pong", SHORT, seed)) for name, seed in (("a", 1), ("b", 2)))
    c = str(exported(tmp_path / "c.pfc", "pong", SHORT, seed=3))
    words = ["match", a, b, c, "--games", "60"]
    assert main([*words, "--json", "--anchor", b]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["game"] == "pong" and [(p["a"], p["b"]) for p in found["pairs"]] == [(a, b), (a, c), (b, c)]
    assert all(p["games"] == 60 == p["wins"] + p["draws"] + p["losses"] for p in found["pairs"])
    assert all(0.0 <= p["low"] <= p["mean"] <= p["high"] <= 1.0 for p in found["pairs"])
    ratings = {player["name"]: player for player in found["ratings"]["players"]}
    assert list(ratings) == [a, b, c] and ratings[b]["rating"] == ratings[b]["low"] == ratings[b]["high"] == 0.0
    assert ratings[a]["low"] < ratings[a]["rating"] < ratings[a]["high"]
    assert main(["match", "pong", *words[1:], "--env.points", "1"]) == 0
    text = capsys.readouterr().out
    assert "Pong: mean points" in text and "largest misfit" in text and text.count("[") >= 6
    assert main([*words, "--json", "--anchor", b]) == 0
    again = json.loads(capsys.readouterr().out)
    for pairing in (*found["pairs"], *again["pairs"]):
        del pairing["seconds"]
    assert again == found


def test_the_snippet_of_the_page_runs(capsys: Any) -> None:
    (snippet,) = blocks("docs/match.md", "python")
    exec(compile(snippet, "docs/match.md", "exec"), {})
    mean, *rest = capsys.readouterr().out.split()
    assert 0.0 <= float(mean) <= 1.0 and len(rest) == 5


def test_eval_versus_takes_scripts_and_files(tmp_path: Path, capsys: Any) -> None:
    file = str(exported(tmp_path / "moba.pfc", "moba", {"max_steps": 60}))
    words = ["eval", "moba", "--versus", "script:1", file, "--episodes", "12", "--json"]
    assert main(words) == 0
    first, second = json.loads(capsys.readouterr().out)["versus"]
    assert (first["checkpoint"], second["checkpoint"]) == ("script:1", file)
    assert (first["agents"], second["agents"]) == ([0, 4], [5, 9]) and first["episodes"] >= 12
    assert first["episode_length"] == 60 and first["score"] == pytest.approx(1.0 - second["score"])
    run = str(checkpoint(tmp_path / "run", "moba", {"max_steps": 30}))
    assert main(["eval", "moba", "--versus", run, "script:0", "--episodes", "5"]) == 0
    assert f"agents 0 to 4 of each game: {run}" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main([*words, "--device", "cpu"])
    assert "--device is for policies of checkpoints" in capsys.readouterr().err


def test_the_command_refuses_before_it_plays(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match, "play_pair", None)
    monkeypatch.chdir(tmp_path)
    run = str(checkpoint(tmp_path / "a", "pong", SHORT))
    single = str(checkpoint(tmp_path / "b", "cartpole", {}))
    for words, message in (
        ([], "players come before flags"),
        (["script:0", "script:1"], "give the game first: pufferc match NAME script:0 script:1"),
        (["pongg", run], "did you mean 'pong'"),
        (["moba", "script:0"], "at least two players, got 1"),
        (["moba", "script:0", "script:0"], "script:0 is given twice"),
        (["moba", "script:0", "script:99"], "no script:99: moba has the levels 0 to"),
        (["moba", "script:0", run], "is of pong, not of moba"),
        ([run, run + "/", "--anchor", "me"], "--anchor must be one of the players"),
        (["cartpole", single, single + "/"], "needs a game with at least two teams, cartpole has none"),
        ([run, "runs/gone"], "neither a checkpoint nor a run"),
    ):
        assert main(["match", *words]) == 2, words
        assert message in capsys.readouterr().err, words
    assert main(["match", "--help"]) == 0
    assert "script:LEVEL" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["match", "moba", "script:0", "script:1", "--no-such-flag"])
    assert Pairing("a", "b", np.empty((0, 2)), 2, 1, 0.0).as_dict()["low"] is None
