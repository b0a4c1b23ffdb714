"""Interoperability: the adapters for Stable-Baselines3 and PettingZoo, a one-file PPO, and the documentation page."""

from __future__ import annotations

import runpy
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pufferc
from conftest import random_actions
from own_games import build_duel, build_masked_catcher, needs_compiler
from pufferc.envs import spaces
from test_readme import ROOT, blocks, commands

PAGE = "docs/interoperability.md"
SCRIPT = ROOT / "examples" / "python" / "ppo_single_file.py"


# ---- Stable-Baselines3 ---------------------------------------------------------------------------------


@pytest.fixture
def make_sb3() -> Any:
    """The Stable-Baselines3 adapter. Skips if Stable-Baselines3 is not installed."""
    pytest.importorskip("stable_baselines3")
    from pufferc.interop.sb3 import make_sb3

    return make_sb3


def test_sb3_gets_the_results_of_the_pool(game: str, make_sb3: Any) -> None:
    """Rewards, episode ends, final observations and statistics match a pool with the same seed."""
    adapted = make_sb3(game, num_games=4, num_threads=1, seed=3, max_steps=12)
    plain = pufferc.make(game, num_games=4, num_threads=1, seed=3, max_steps=12, copy=True)
    np.testing.assert_array_equal(adapted.reset(), plain.reset()[0])
    rng, truncations = np.random.default_rng(1), 0
    for _ in range(30):
        actions = random_actions(plain, rng)
        observations, rewards, dones, infos = adapted.step(actions)
        expected, expected_rewards, terminated, truncated, ended = plain.step(actions)
        np.testing.assert_array_equal(observations, expected)
        np.testing.assert_array_equal(rewards, expected_rewards)
        np.testing.assert_array_equal(dones, terminated | truncated)
        assert len(infos) == plain.num_envs
        for row in range(plain.num_envs):
            assert bool(infos[row]) == dones[row]
            if not dones[row]:
                continue
            truncations += truncated[row]
            assert infos[row]["TimeLimit.truncated"] is bool(truncated[row])
            np.testing.assert_array_equal(infos[row]["terminal_observation"], ended["final_obs"][row])
            stats = {key: values[row] for key, values in ended["final_info"]["episode"].items() if key[0] != "_"}
            reported = dict(infos[row]["episode"])
            assert reported.pop("t") >= 0 and reported == stats
    assert truncations or game == "poker", "all but poker's games last 12 steps"
    adapted.close()
    plain.close()


def test_sb3_arrays_are_copies(make_sb3: Any) -> None:
    envs = make_sb3("cartpole", 3, seed=1)
    first = envs.reset()
    kept = [first, *envs.step(np.zeros(3, int))[:3]]
    copies = [array.copy() for array in kept]
    for _ in range(30):
        envs.step(np.ones(3, int))
    for array, copy in zip(kept, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_sb3_seeds_are_repeatable(make_sb3: Any) -> None:
    envs = make_sb3("cartpole", 4)
    assert envs.seed(7) == [7] * 4
    first, second = envs.reset(), envs.reset()
    envs.seed(7)
    np.testing.assert_array_equal(envs.reset(), first)
    assert (first != second).any()
    assert len(set(envs.seed())) == 1


def test_sb3_attributes_and_methods_of_rows(make_sb3: Any) -> None:
    from stable_baselines3.common.monitor import Monitor
    from stable_baselines3.common.vec_env import VecTransposeImage

    envs = make_sb3("cartpole", 4, max_steps=77)
    assert envs.get_attr("max_steps") == [77] * 4 and envs.get_attr("name", [0, 2]) == ["cartpole"] * 2
    assert envs.get_attr("action_space", 1) == [envs.action_space] and not envs.has_attr("nothing")
    envs.set_attr("level", 5, [1, 2])
    assert envs.get_attr("level") == [None, 5, 5, None]
    assert envs.env_is_wrapped(Monitor) == [True] * 4 and envs.env_is_wrapped(VecTransposeImage, 0) == [False]
    envs.reset()
    assert envs.env_method("pop_metrics", indices=[3])[0]["episodes"] == 0
    for call, word in (
        (lambda: envs.set_attr("max_steps", 3), "max_steps cannot be set"),
        (lambda: envs.set_attr("num_envs", 3), "num_envs cannot be set"),
        (lambda: envs.env_method("reset"), "reset cannot be called for single rows"),
        (lambda: envs.get_attr("name", [4]), "indices must be in"),
        (lambda: envs.step(np.full(4, 9)), "9"),
        (lambda: envs.render("human"), "render_mode"),
        (lambda: (envs.set_options({"a": 1}), envs.reset()), "no reset options"),
    ):
        with pytest.raises(ValueError, match=word):
            call()
    with pytest.raises(RuntimeError, match="step_wait"):
        envs.step_wait()
    envs.close()
    with pytest.raises(RuntimeError, match="closed"):
        envs.step(np.zeros(4, int))


def test_sb3_refuses_other_environments(make_sb3: Any) -> None:
    from pufferc.interop.sb3 import Sb3VecEnv

    with pytest.raises(TypeError, match=r"pufferc\.VecEnv"):
        Sb3VecEnv(3)
    with pytest.raises(ValueError, match="same_step"):
        make_sb3("cartpole", 2, autoreset="disabled")


def test_sb3_rendering(make_sb3: Any) -> None:
    envs = make_sb3("breakout", 4, render_mode="rgb_array", render_games=4)
    envs.reset()
    picture = envs.render()
    assert picture.ndim == 3 and picture.dtype == np.uint8 and picture.std() > 0
    np.testing.assert_array_equal(envs.get_images()[0], envs.render("rgb_array"))
    each = make_sb3("breakout", 4, render_mode="rgb_array", render_games=None)
    each.reset()
    wide, tall = each.render().shape[:2]
    assert [image.shape for image in each.get_images()] == [(wide // 2, tall // 2, 3)] * 4


@pytest.mark.slow
def test_sb3_learns_cartpole(make_sb3: Any) -> None:
    """PPO of Stable-Baselines3 improves from about 20 steps to more than 150 in its own evaluation."""
    from stable_baselines3 import PPO
    from stable_baselines3.common.evaluation import evaluate_policy

    envs = make_sb3("cartpole", 32, seed=1)
    options = {"n_steps": 64, "batch_size": 512, "n_epochs": 8, "learning_rate": 2e-3, "gamma": 0.98}
    model = PPO("MlpPolicy", envs, seed=1, device="cpu", **options)
    before, _ = evaluate_policy(model, envs, 32, deterministic=False)
    model.learn(40_000)
    after, _ = evaluate_policy(model, envs, 32)
    assert before < 60 and after > 150, (before, after)
    assert np.mean([info["r"] for info in model.ep_info_buffer]) > 100


@needs_compiler
def test_sb3_action_masks_match_the_rows(make_sb3: Any, tmp_path: Path) -> None:
    adapted, plain = (make(build_duel(tmp_path), num_games=3, seed=3) for make in (make_sb3, pufferc.make))
    adapted.reset()
    plain.reset()
    generator = np.random.default_rng(1)
    for _ in range(20):
        masks = adapted.action_masks()
        np.testing.assert_array_equal(masks, plain.action_masks())
        np.testing.assert_array_equal(np.stack(adapted.env_method("action_masks")), masks)
        np.testing.assert_array_equal(adapted.env_method("action_masks", indices=[4])[0], masks[4])
        actions = spaces.sample_legal(plain.single_action_space, masks, generator)
        dones, infos = adapted.step(actions)[2:]
        plain.step(actions)
        assert [bool(info) for info in infos] == dones.tolist()
    with pytest.raises(ValueError, match="set_state cannot be called for single rows"):
        adapted.env_method("set_state", "turn", 0)


@needs_compiler
@pytest.mark.parametrize("game", ["duel", "catcher"])
def test_sb3_contrib_learns_games_with_masks(game: str, make_sb3: Any, tmp_path: Path) -> None:
    """An illegal choice would end the training with an error."""
    contrib = pytest.importorskip("sb3_contrib")
    build = {"duel": build_duel, "catcher": build_masked_catcher}[game]
    envs = make_sb3(build(tmp_path), num_games=4, seed=1)
    if game == "catcher":
        envs.env.set_param("ball_speed", 0.2)
    model = contrib.MaskablePPO("MlpPolicy", envs, n_steps=32, batch_size=64, n_epochs=2, seed=1, device="cpu")
    model.learn(512)
    assert model.num_timesteps >= 512 and len(model.ep_info_buffer) > 0
    masks = envs.action_masks()
    actions, _ = model.predict(envs.reset(), action_masks=envs.action_masks())
    for d, part in enumerate(np.split(envs.action_masks(), [3], axis=1) if game == "duel" else [envs.action_masks()]):
        assert part[np.arange(envs.num_envs), np.atleast_2d(actions.T)[d]].all()
    assert game == "catcher" or not masks.all()


# ---- PettingZoo -----------------------------------------------------------------------------------------

TURNS = ("connect4", "go", "poker")
BOARD = {"width": 20, "height": 12, "snakes": 6, "food": 20}


@pytest.fixture
def parallel_env() -> Any:
    """The PettingZoo adapter. Skips if PettingZoo is not installed."""
    pytest.importorskip("pettingzoo")
    from pufferc.envs.pettingzoo import parallel_env

    return parallel_env


@pytest.fixture(scope="module")
def pettingzoo_tests() -> Any:
    """The module pettingzoo.test. Its import raises warnings about its own package."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return pytest.importorskip("pettingzoo.test")


def test_pettingzoo_passes_its_own_tests(game: str, parallel_env: Any, pettingzoo_tests: Any) -> None:
    params = BOARD if game == "snake" else {}
    pettingzoo_tests.parallel_api_test(parallel_env(game, **params), num_cycles=300)
    if game not in TURNS:  # this test of PettingZoo makes illegal choices
        pettingzoo_tests.parallel_seed_test(lambda: parallel_env(game, **params))
    pettingzoo_tests.parallel_api_test(parallel_env(game, max_steps=5, **params), num_cycles=300)


def test_pettingzoo_turn_based_wrapper(parallel_env: Any, pettingzoo_tests: Any) -> None:
    from pettingzoo.utils import parallel_to_aec

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PettingZoo's test warns about observation spaces whose bounds are all equal
        pettingzoo_tests.api_test(parallel_to_aec(parallel_env("snake", **BOARD)), num_cycles=200)


def test_pettingzoo_agents_do_not_respawn(parallel_env: Any) -> None:
    """Until the first death the game equals a pool with respawn. Dead agents leave `agents` and the board."""
    env = parallel_env("snake", **BOARD)
    pool = pufferc.make("snake", num_games=1, copy=True, **BOARD)
    observations, _ = env.reset(seed=5)
    np.testing.assert_array_equal(np.stack(list(observations.values())), pool.reset(seed=5)[0])
    rng, everyone, deaths = np.random.default_rng(1), list(env.possible_agents), 0
    while env.agents:
        live = list(env.agents)
        actions = {agent: rng.integers(4) for agent in live}
        observations, rewards, terminations, truncations, infos = env.step(actions)
        if not deaths:
            expected = pool.step([actions[agent] for agent in everyone])
            np.testing.assert_array_equal([rewards[agent] for agent in everyone], expected[1])
            np.testing.assert_array_equal([terminations[agent] for agent in everyone], expected[2])
        dead = [agent for agent in live if terminations[agent]]
        assert list(observations) == live and env.agents == [agent for agent in live if agent not in dead]
        assert not any(truncations.values())
        for agent in live:
            assert bool(infos[agent]) == (agent in dead)
        for agent in dead:
            metrics = infos[agent]["metrics"]
            assert rewards[agent] == -1 and metrics["score"] >= 1 and metrics["l"] == metrics["life"] >= 1
        deaths += len(dead)
    assert deaths == len(everyone) and env.step({}) == ({}, {}, {}, {}, {})
    assert env.reset()[1].keys() == set(everyone)
    env.close()


@needs_compiler
def test_pettingzoo_masks_are_in_the_observations(parallel_env: Any, pettingzoo_tests: Any, tmp_path: Path) -> None:
    env = parallel_env(build_duel(tmp_path), players=3, max_steps=40)
    pool = pufferc.make(tmp_path / "duel.so", players=3, max_steps=40, autoreset="disabled")
    assert env.possible_agents == ["duel_0", "duel_1", "duel_2"] and env.metadata["name"] == "pufferc_duel_v1"
    seen, _ = env.reset(seed=5)
    expected = pool.reset(seed=5)[0]
    generator = np.random.default_rng(1)
    while True:
        for agent, observation in seen.items():
            row = int(agent[-1])
            assert env.observation_space(agent).contains(observation)
            np.testing.assert_array_equal(observation["observation"], expected[row])
            np.testing.assert_array_equal(observation["action_mask"], pool.action_masks()[row])
        if not env.agents:
            break
        actions = spaces.sample_legal(pool.single_action_space, pool.action_masks(), generator)
        live = list(env.agents)
        seen, *_, infos = env.step({agent: actions[int(agent[-1])] for agent in live})
        expected = pool.step(actions)[0]
        assert list(seen) == live
    assert "metrics" in infos[live[0]]
    one = parallel_env(build_masked_catcher(tmp_path), max_steps=50)
    pettingzoo_tests.parallel_api_test(one, num_cycles=100)
    seen, _ = one.reset(seed=1)
    assert one.action_space("catcher_0").sample(seen["catcher_0"]["action_mask"]) in (0, 1, 2)


@pytest.fixture
def aec_env() -> Any:
    """The turn-based PettingZoo adapter. Skips if PettingZoo is not installed."""
    pytest.importorskip("pettingzoo")
    from pufferc.interop.pettingzoo import aec_env

    return aec_env


@pytest.mark.parametrize("game", TURNS)
def test_pettingzoo_games_of_turns_pass_its_own_test(game: str, aec_env: Any, pettingzoo_tests: Any) -> None:
    for params in ({}, {"max_steps": 3}):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", message="Observation space for each agent probably should be")  # masked
            warnings.filterwarnings("ignore", message="Observation is not a NumPy array")
            warnings.filterwarnings("ignore", message=r"Action mask numpy array is all zeros")  # of ended agents
            warnings.filterwarnings("ignore", message="Observation numpy array is all zeros")  # an empty board
            warnings.filterwarnings("ignore", message="We recommend agents to be named")  # connect4_0 has a digit
            pettingzoo_tests.api_test(aec_env(game, **params), num_cycles=200)


@needs_compiler
def test_pettingzoo_games_of_turns_equal_the_pool(aec_env: Any, tmp_path: Path) -> None:
    """Three players; a player without cells is out. Waiting agents see a mask of zeros."""
    env = aec_env(build_duel(tmp_path), players=3, max_steps=40, decay=0.0)
    pool = pufferc.make(tmp_path / "duel.so", players=3, max_steps=40, decay=0.0, autoreset="disabled")
    generator = np.random.default_rng(1)
    for seed in (5, 6):
        env.reset(seed=seed)
        observations, infos = pool.reset(seed=seed)
        returns, collected = np.zeros(3), dict.fromkeys(env.agents, 0.0)
        while not pool.terminated.any() and not pool.truncated.any():
            actions = spaces.sample_legal(pool.single_action_space, pool.action_masks(), generator)
            assert pool.forced is not None
            if not (pool.alive & ~pool.forced).any():  # nobody has a choice: the adapter has made this step already
                observations, rewards, _, _, infos = pool.step(actions)
                returns += rewards
                continue
            (row,) = np.flatnonzero(pool.alive & ~pool.forced)
            assert env.agent_selection == f"duel_{row}"
            for agent in env.agents:
                seen = env.observe(agent)
                assert env.observation_space(agent).contains(seen)
                np.testing.assert_array_equal(seen["observation"], observations[int(agent[-1])])
                np.testing.assert_array_equal(seen["action_mask"], infos["action_mask"][row] * (agent[-1] == str(row)))
            collected[env.agent_selection] += env.last()[1]
            env.step(actions[row])
            observations, rewards, _, _, infos = pool.step(actions)
            returns += rewards
        ended = list(env.agents)
        for agent in ended:
            assert env.agent_selection == agent
            _, reward, terminated, truncated, info = env.last()
            collected[agent] += reward
            assert terminated == pool.terminated[int(agent[-1])] and truncated == pool.truncated[int(agent[-1])]
            assert info["metrics"]["r"] == pytest.approx(returns[int(agent[-1])], abs=1e-5)
            with pytest.raises(ValueError, match="only valid action is None"):
                env.step(actions[0])
            env.step(None)
        assert ended == env.possible_agents and not env.agents
        assert list(collected.values()) == pytest.approx(returns, abs=1e-5)


@needs_compiler
def test_pettingzoo_games_of_turns_refuse_bad_choices(aec_env: Any, tmp_path: Path) -> None:
    env = aec_env(build_duel(tmp_path))
    env.reset(seed=1)
    agent, before = env.agent_selection, env.observe(env.agent_selection)
    legal = before["action_mask"]
    illegal = 3 + int(np.flatnonzero(legal[3:] == 0)[0])
    bad = [(0, "must be in"), ([0, 1.5], "must be in"), ([0, 99], "99"), ([1, illegal - 3], "illegal|legal")]
    for action, word in bad:
        with pytest.raises(ValueError, match=word):
            env.step(np.array(action))
    assert env.agent_selection == agent
    np.testing.assert_array_equal(env.observe(agent)["observation"], before["observation"])
    with pytest.raises(ValueError, match="pong has no turns, its agents act at the same time; use parallel_env"):
        aec_env("pong", players=2)
    with pytest.raises(ValueError, match="moba has no turns"):
        aec_env("moba", masked=True).reset(seed=1)


def test_pettingzoo_refuses_bad_actions(parallel_env: Any) -> None:
    env = parallel_env("snake", **BOARD)
    env.reset(seed=1)
    good = dict.fromkeys(env.agents, 0)
    for actions, word in (
        ({}, "snake_0"),
        ({**good, "snake_9": 0}, r"not in play: \['snake_9'\]"),
        ({**good, "snake_1": 4}, "4"),
        ({**good, "snake_1": 1.5}, "snake_1"),
        ({**good, "snake_1": [1, 2]}, "snake_1"),
    ):
        with pytest.raises(ValueError, match=word):
            env.step(actions)
    env.step(good)
    assert len(env.agents) == 6
    continuous = parallel_env("cartpole", continuous=True)
    continuous.reset(seed=1)
    continuous.step({"cartpole_0": np.array([0.5], np.float32)})


# ---- the page and the script -----------------------------------------------------------------------------


@pytest.mark.usefixtures("warm_children")
@pytest.mark.parametrize("number", range(7))
def test_snippets_of_the_page(number: int, tmp_path: Path) -> None:
    for package in ("stable_baselines3", "sb3_contrib", "pettingzoo"):
        pytest.importorskip(package)
    snippets = blocks(PAGE, "python")
    assert len(snippets) == 7
    if "rl_games" in snippets[number]:
        pytest.importorskip("rl_games")
    done = subprocess.run(
        [sys.executable, "-c", snippets[number]], capture_output=True, text=True, timeout=120, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("warm_children")
def test_commands_of_the_page() -> None:
    """Run the one-file PPO as documented, on our environment and on Gymnasium's."""
    pytest.importorskip("torch")
    lines = commands(PAGE)
    assert len(lines) == 2
    for line in lines:
        words = [sys.executable, *line.split()[1:]]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, cwd=ROOT)
        assert done.returncode == 0 and "mean return" in done.stdout, done.stderr


def test_one_file_ppo_distinguishes_truncation_from_termination() -> None:
    """Advantages of a fixed rollout: a truncated episode bootstraps from its final value, a terminated one does not."""
    torch = pytest.importorskip("torch")
    script = runpy.run_path(str(SCRIPT))
    config = script["Config"](horizon=2, num_envs=3, gamma=0.5, gae_lambda=1.0)
    rollout = script["Rollout"](config, (1,))
    rollout.rewards[:], rollout.values[:] = 1.0, 4.0
    rollout.ended[0] = torch.tensor([0.0, 1.0, 1.0])  # running, terminated, truncated
    rollout.bootstrap[0] = torch.tensor([0.0, 0.0, 8.0])
    agent = type("Agent", (), {"value": staticmethod(lambda rows: torch.full((3,), 6.0))})
    found = script["advantages"](config, agent, rollout, torch.zeros(3, 1))
    last = 1 + 0.5 * 6 - 4
    expected = [[1 + 0.5 * 4 - 4 + 0.5 * last, 1 - 4, 1 + 0.5 * 8 - 4], [last] * 3]
    np.testing.assert_allclose(found.numpy(), expected)


@pytest.mark.slow
def test_one_file_ppo_learns() -> None:
    pytest.importorskip("torch")
    script = runpy.run_path(str(SCRIPT))
    assert script["train"](script["Config"](total_steps=40_000)) > 150


@pytest.mark.usefixtures("warm_children")
@pytest.mark.parametrize(("module", "package"), [("sb3", "stable_baselines3"), ("pettingzoo", "pettingzoo")])
def test_a_missing_package_is_named(module: str, package: str) -> None:
    program = f"import sys; sys.modules['{package}'] = None; import pufferc.interop.{module}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and f"pip install 'pufferc[{module}]'" in done.stderr
