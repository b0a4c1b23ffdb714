"""`make(..., device="cuda")` without a GPU: with the CUDA module of the host stand-in (tests/cuda).

The games, the pool and the bindings are those of a GPU, the memory is the host's. Tensors are torch CPU tensors.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import pufferc
from conftest import small_config
from pufferc.envs.device import DeviceVecEnv

pybind11 = pytest.importorskip("pybind11")
torch = pytest.importorskip("torch")

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = Path(pufferc.__file__).parent / "lib" / "libpufferc.a"
GAMES = ("breakout", "connect4", "snake")
FLAGS = ["-std=c++17", "-O1", "-fPIC", "-fvisibility=hidden", "-ffp-contract=off"]

pytestmark = pytest.mark.skipif(
    shutil.which("g++") is None or not LIBRARY.is_file(), reason="needs g++ and the installed libpufferc.a"
)


def compile_unit(source: Path, folder: Path) -> Path:
    output = folder / f"{source.stem}.o"
    includes = [ROOT / "tests" / "cuda", folder, ROOT / "csrc", ROOT / "csrc" / "include", pybind11.get_include()]
    words = [f"-I{path}" for path in [*includes, sysconfig.get_path("include")]]
    compiler = ["ccache", "g++"] if shutil.which("ccache") else ["g++"]
    command = [*compiler, *FLAGS, *words, "-x", "c++", "-c", str(source), "-o", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return output


@pytest.fixture(scope="module")
def host_cuda(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """pufferc._cuda with device code of some games, for this processor."""
    folder = tmp_path_factory.mktemp("host_cuda")
    cuda, host = ROOT / "csrc" / "cuda", ROOT / "tests" / "cuda"
    units = [cuda / "device_pool.cu", cuda / "device_pool_module.cpp", host / "host_module.cpp"]
    units.append(host / "host_device.cpp")
    for game in GAMES:
        units.append(folder / f"device_{game}.cu")
        names = f'#define PFC_DEVICE_GAME {game}\n#define PFC_DEVICE_SOURCE "envs/{game}.c"\n'
        units[-1].write_text(names + '#include "cuda/device_game.h"\n')
    (folder / "device_games.inc").write_text("".join(f"PFC_GAME({game})\n" for game in GAMES))
    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(lambda unit: compile_unit(unit, folder), units))
    output = folder / f"_cuda{sysconfig.get_config_var('EXT_SUFFIX')}"
    box2d = [str(path) for path in LIBRARY.parent.glob("libpufferc_box2d.a")]
    command = ["g++", "-shared", *map(str, objects), str(LIBRARY), *box2d, "-lm", "-lpthread", "-ldl"]
    done = subprocess.run([*command, "-o", str(output)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    spec = importlib.util.spec_from_file_location("pufferc._cuda", output)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def installed(host_cuda: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pufferc._cuda", host_cuda)


def make_pair(game: str, **keywords: Any) -> tuple[pufferc.VecEnv, DeviceVecEnv]:
    cpu = pufferc.make(game, **keywords)
    device: Any = pufferc.make(game, device="cuda", **keywords)
    assert type(device) is DeviceVecEnv
    return cpu, device


def same(array: Any, tensor: Any) -> bool:
    return np.array_equal(np.asarray(array).view(np.uint8), tensor.numpy().view(np.uint8))


def check_results(cpu: pufferc.VecEnv, device: DeviceVecEnv) -> int:
    """Compares what a step wrote; returns the number of rows that ended."""
    for name in ("rewards", "terminated", "truncated", "alive"):
        assert same(getattr(cpu, name), getattr(device, name)), name
    assert (cpu.action_mask is None) == (device.action_mask is None)
    if cpu.action_mask is not None:
        assert same(cpu.action_mask, device.action_mask) and same(cpu.forced, device.forced)
    ended = cpu.terminated | cpu.truncated
    assert same(cpu.final_observations[ended], device.final_observations[torch.from_numpy(ended)])
    return int(ended.sum())


def legal_actions(cpu: pufferc.VecEnv, rng: np.random.Generator) -> Any:
    """int64 [N]: random legal choices."""
    return np.where(cpu.action_masks(), rng.random((cpu.num_envs, cpu._num_choices)), -1.0).argmax(axis=1)


@pytest.mark.parametrize("autoreset", ["same_step", "next_step", "disabled"])
@pytest.mark.parametrize(("game", "params"), [("breakout", {"max_steps": 40}), ("connect4", {}), ("snake", {})])
def test_results_equal_the_cpu(game: str, params: dict[str, Any], autoreset: str) -> None:
    cpu, device = make_pair(game, num_games=4, seed=5, autoreset=autoreset, params=params)
    rng, ended = np.random.default_rng(1), 0
    assert same(cpu.reset()[0], device.reset()[0])
    for t in range(90):
        actions = legal_actions(cpu, rng)
        wide = torch.from_numpy(actions)
        observations = cpu.step(actions)[0]
        assert same(observations, device.step(wide if t % 2 else wide.int())[0])
        ended += check_results(cpu, device)
    assert ended > 0 or game == "snake"
    assert cpu.save() == device.save()
    assert repr(cpu.pop_metrics()) == repr(device.pop_metrics())
    assert device.pop_metrics()["episodes"] == 0


def test_observations_alternate_or_go_to_the_callers_tensor() -> None:
    _, device = make_pair("breakout", num_envs=3, seed=1)
    first, _ = device.reset()
    kept = first.clone()
    actions, own = torch.ones(3, dtype=torch.int64), torch.zeros_like(first)
    second = device.step(actions)[0]
    assert torch.equal(first, kept) and second.data_ptr() != first.data_ptr()
    third = device.step(actions, observations=own)[0]
    assert third is own and torch.equal(device.observations, second) and own.any()
    assert device.step(actions)[0].data_ptr() == first.data_ptr()


def test_resets_by_seed_and_mask() -> None:
    cpu, device = make_pair("breakout", num_envs=6, seed=1)
    mask = np.array([True, False, True, False, False, True])
    actions = np.ones(6, np.int64)
    for number, chosen in ((None, None), (9, None), (None, mask), (3, mask)):
        options = None if chosen is None else {"reset_mask": chosen}
        there = None if chosen is None else {"reset_mask": torch.from_numpy(chosen)}
        assert same(cpu.reset(seed=number, options=options)[0], device.reset(seed=number, options=there)[0])
        assert same(cpu.step(actions)[0], device.step(torch.from_numpy(actions))[0])


def test_snapshots_move_between_cpu_and_device() -> None:
    cpu, device = make_pair("connect4", num_envs=8, seed=2)
    rng = np.random.default_rng(3)
    cpu.reset()
    for _ in range(5):
        cpu.step(legal_actions(cpu, rng))
    assert same(cpu.load(cpu.save()), device.load(cpu.save()))
    actions = legal_actions(cpu, rng)
    assert same(cpu.step(actions)[0], device.step(torch.from_numpy(actions))[0])
    assert np.array_equal(device.download().script(1, seed=4), cpu.script(1, seed=4))
    with pytest.raises(ValueError, match="damaged"):
        device.load(cpu.save()[:-1] + b"x")


def test_parameters_change_between_steps() -> None:
    _, device = make_pair("breakout", num_envs=2, seed=2)
    device.reset()
    device.set_param("max_steps", 2)
    for _ in range(2):
        truncated = device.step(torch.zeros(2, dtype=torch.int32))[3]
    assert truncated.all() and device.params["max_steps"] == 2
    with pytest.raises(ValueError, match="continuous"):
        device.set_param("continuous", 1)


def test_illegal_actions_are_reported_later() -> None:
    _, device = make_pair("breakout", num_envs=4, seed=2)
    device.reset()
    device.step(torch.tensor([0, 1, 7, -2]))
    with pytest.raises(ValueError, match="row 2 had a choice"):
        device.pop_metrics()
    device.check_actions()  # reported once


@pytest.mark.parametrize(
    ("actions", "error", "message"),
    [
        (np.zeros(4, np.int64), TypeError, "must be a tensor on cpu, got ndarray"),
        (torch.zeros(4), TypeError, "torch.int32 or torch.int64, got torch.float32"),
        (torch.zeros(3, dtype=torch.int64), ValueError, r"shape \(4,\), got \(3,\)"),
    ],
)
def test_wrong_actions_are_refused(actions: Any, error: type[Exception], message: str) -> None:
    _, device = make_pair("breakout", num_envs=4, seed=2)
    device.reset()
    with pytest.raises(error, match=message):
        device.step(actions)


def test_what_a_gpu_cannot_do_is_refused(monkeypatch: pytest.MonkeyPatch, host_cuda: ModuleType) -> None:
    for words, error, message in (
        ({"device": "tpu"}, ValueError, "device must be"),
        ({"device": "cuda", "groups": 2, "num_envs": 4}, ValueError, "groups must be 1"),
        ({"device": "cuda", "copy": True}, ValueError, "copy must be False"),
        ({"device": "cuda", "render_mode": "rgb_array"}, ValueError, "render_mode must be None"),
    ):
        with pytest.raises(error, match=message):
            pufferc.make("breakout", **words)
    with pytest.raises(RuntimeError, match="squared has no device code; these games have: breakout"):
        pufferc.make("squared", device="cuda")
    _, device = make_pair("breakout", num_envs=2)
    with pytest.raises(RuntimeError, match="reset the pool"):
        device.step(torch.zeros(2, dtype=torch.int64))
    monkeypatch.setattr(host_cuda, "devices", lambda: (0, "no driver"))
    with pytest.raises(RuntimeError, match="no CUDA device: no driver"):
        pufferc.make("breakout", device="cuda:0")
    monkeypatch.setitem(sys.modules, "pufferc._cuda", None)
    with pytest.raises(RuntimeError, match="CUDA module"):
        pufferc.make("breakout", device="cuda")


def test_the_cpu_is_the_default() -> None:
    assert type(pufferc.make("breakout", device="cpu")) is pufferc.VecEnv
    assert type(pufferc.make("breakout")) is pufferc.VecEnv


# ---- training --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("game", "kind", "params"),
    [
        ("breakout", "mlp", {"max_steps": 9}),
        ("breakout", "mingru", {"max_steps": 5}),
        ("breakout", "mlp", {"continuous": True, "max_steps": 9}),
        ("connect4", "mlp", {}),
        ("snake", "mlp", {}),
    ],
)
def test_rollouts_equal_those_of_games_on_the_cpu(game: str, kind: str, params: dict[str, Any]) -> None:
    from pufferc.kernels.backend import TORCH
    from pufferc.policies import make_policy
    from pufferc.training import ppo
    from pufferc.training.device_games import GamesCollector
    from pufferc.training.graphs import Recorder
    from pufferc.training.rollout import Rollout

    cpu, device = make_pair(game, num_games=4, seed=1, params=params)
    config, here = small_config(game, policy={"kind": kind}), torch.device("cpu")
    policies = [make_policy(config, cpu.spaces, torch.float32, here, seed=1) for _ in range(2)]
    ours, theirs = (Rollout.make(e, p, 12, here) for e, p in zip((device, cpu), policies, strict=True))
    for rollout, env, policy in zip((ours, theirs), (device, cpu), policies, strict=True):
        rollout.reset(env, policy, 1)
    collector = GamesCollector(device, policies[0], ours, 3, Recorder(here, policies[0], enabled=False))
    for update in range(3):
        collector.collect(12 * update)
        ppo.collect(cpu, policies[1], theirs, TORCH, seed=3, first_step=12 * update)
        for name in ("observations", "actions", "rewards", "terminated", "truncated", "alive", "mask", "logprobs"):
            mine, other = getattr(ours, name), getattr(theirs, name)
            assert (mine is None) == (other is None)
            if mine is not None:
                torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-5, msg=name)
        torch.testing.assert_close(ours.values, theirs.values, rtol=1e-5, atol=1e-5)
        cut = theirs.truncated
        torch.testing.assert_close(ours.final_values[cut], theirs.final_values[cut], rtol=1e-5, atol=1e-5)
        for part, other in zip(ours.next_state, theirs.next_state, strict=True):
            torch.testing.assert_close(part, other, rtol=1e-5, atol=1e-5)
    assert game == "snake" or bool((theirs.truncated | theirs.terminated).any())


def trainer_on(device: str, **train: Any) -> Any:
    from pufferc.training.resolve import resolve
    from pufferc.training.trainer import Trainer

    config = small_config("breakout", env={"max_steps": 20}, device="cpu", kernels="torch", **train)
    config = dataclasses.replace(config, vec=dataclasses.replace(config.vec, device=device))
    trainer = Trainer(resolve(config)[0])
    trainer.start()
    return trainer


def test_training_equals_that_with_games_on_the_cpu(tmp_path: Path) -> None:
    from pufferc.runs.checkpoint import load_checkpoint

    ours, theirs = trainer_on("cuda"), trainer_on("cpu")
    assert type(ours.env) is DeviceVecEnv and type(theirs.env) is pufferc.VecEnv
    for _ in range(3):
        lines = [trainer.step() for trainer in (ours, theirs)]
        assert lines[0]["episodes"] == lines[1]["episodes"]
        assert lines[0]["policy_loss"] == pytest.approx(lines[1]["policy_loss"], rel=1e-3, abs=1e-5)
    for mine, other in zip(ours.policy.parameters(), theirs.policy.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-4)
    resumed, path = trainer_on("cuda"), ours.save(tmp_path, {})
    assert resumed.restore(load_checkpoint(path)) is None
    assert resumed.step()["policy_loss"] == ours.step()["policy_loss"]
    assert torch.equal(resumed.rollout.observations, ours.rollout.observations)


def test_games_on_a_gpu_need_training_on_a_gpu(monkeypatch: pytest.MonkeyPatch, host_cuda: ModuleType) -> None:
    from pufferc.config import ConfigError

    monkeypatch.setattr(host_cuda, "devices", lambda: (0, "no driver"))
    with pytest.raises(ConfigError, match=r"vec\.device: .*no CUDA device"):
        trainer_on("cuda")
