"""Shared fixtures and helpers: small pools of every game, random actions, a hash of pool results, and a wheel."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pufferc
import warm
from pufferc.config import Config, merge
from pufferc.envs.spaces import sample_legal
from pufferc.pictures import window

ROOT = Path(__file__).resolve().parents[2]
# Test files of 5 s or more, longest first. They start first, so that no worker runs a long file at the end.
LONGEST_FILES = (
    "test_check", "test_distributed", "test_masked_policies", "test_record", "test_export", "test_third_party",
    "test_consumers", "test_documents", "test_dashboard", "test_seeds", "test_sweep", "test_interop", "test_modules",
    "test_view_browser", "test_device", "test_seated", "test_view", "test_api", "test_mini_games", "test_recall",
    "test_classic_control", "test_sweep_results", "test_kitchen", "test_doorkey", "test_ptx",
)  # fmt: skip
# The same for files with slow tests, each of which a worker takes on its own.
LONGEST_SLOW = ("test_consumers", "test_tutorial", "test_training_guide", "test_sweep", "test_train_learns")
# pip prints one of these when it can't reach a package index.
OFFLINE = ("No matching distribution", "Could not find a version", "Connection", "Temporary failure in name resolution")

GAMES = pufferc.list_envs()
SAVED = [name for name in GAMES if pufferc.env_info(name).can_save]
needs_lander = pytest.mark.skipif("lander" not in GAMES, reason="built without Box2D")

SMALL_BATCH = 32 * 16  # rows times horizon of `small_config`

MakePool = Callable[..., pufferc.VecEnv]


def small_config(
    game: str = "cartpole",
    *,
    updates: int = 6,
    env: Mapping[str, Any] | None = None,
    policy: Mapping[str, Any] | None = None,
    **train: Any,
) -> Config:
    """A one-second run on one thread: 32 rows, episodes of 20 steps, hidden size 16, a checkpoint per update."""
    tables = {
        "env": {"max_steps": 20} if env is None else env,
        "vec": {"num_envs": 32, "num_threads": 1},
        "policy": {"hidden_size": 16, **(policy or {})},
        "train": {
            "total_steps": updates * SMALL_BATCH, "horizon": 16, "minibatch_size": 128, "threads": 1,
            "checkpoint_interval_s": 0.0, **train,
        },
    }  # fmt: skip
    return merge(Config(game), tables)


def pytest_configure() -> None:
    """Restore Ctrl-C for child processes. A process that a shell starts in the background ignores SIGINT."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if "PYTEST_XDIST_WORKER" in os.environ:  # idle OpenMP threads would spin on the cores of the other worker
        os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(tryfirst=True)  # pytest-xdist appends groups to test ids in its own hook
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Group quick tests by file, so that module fixtures run once. Slow tests share no fixtures and need no group.

    Long files and slow tests take turns at the start: slow tests often wait for a child or the network.
    """

    spread = config.pluginmanager.hasplugin("xdist")

    def place(item: pytest.Item) -> int:
        slow = item.get_closest_marker("slow") is not None
        if spread and not slow:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
        order = LONGEST_SLOW if slow else LONGEST_FILES
        return order.index(item.path.stem) if item.path.stem in order else len(order)

    items.sort(key=place)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of these sources: PUFFERC_WHEEL if set, else one build that all pytest-xdist workers share."""
    if given := os.environ.get("PUFFERC_WHEEL"):
        assert Path(given).is_file(), f"PUFFERC_WHEEL: {given} does not exist"
        return Path(given)
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / "wheel"
    with open(shared / "wheel.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not list(folder.glob("pufferc-*.whl")):
            build_wheel(folder)
    (built,) = folder.glob("pufferc-*.whl")
    return built


def build_wheel(folder: Path) -> None:
    """Build the wheel without CUDA. This is fast with a compiler cache or after an earlier build."""
    environment = {**os.environ, "CCACHE_BASEDIR": str(ROOT), "CCACHE_NOHASHDIR": "1"}
    if shutil.which("ccache"):
        environment |= {"CMAKE_C_COMPILER_LAUNCHER": "ccache", "CMAKE_CXX_COMPILER_LAUNCHER": "ccache"}
    fetched = next(ROOT.glob("build/*/third_party/raylib/src/raylib.h"), None)
    if fetched:
        environment.setdefault("PUFFERC_RAYLIB_SOURCE", str(fetched.parents[1]))
    here = all(importlib.util.find_spec(name) for name in ("scikit_build_core", "pybind11"))
    options = [
        "--config-settings",
        f"build-dir={ROOT / 'build' / 'wheel-test'}",
        "--config-settings",
        "cmake.define.PUFFERC_CUDA=OFF",
    ]
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", *(["--no-build-isolation"] if here else [])]
    done = subprocess.run(
        [*command, *options, "-w", str(folder), str(ROOT)], capture_output=True, text=True, timeout=600, env=environment
    )
    if any(words in done.stderr for words in OFFLINE):
        pytest.skip("no package index to get the build tools from")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def warm_python() -> Iterator[Path]:
    """A folder with `python` and `pufferc` programs that share one import of torch; see warm.py."""
    with tempfile.TemporaryDirectory(prefix="pufferc-") as name:
        folder, address = Path(name), Path(name) / "socket"
        warm.write_programs(folder, address)
        # A separate folder, because the first entry of sys.path must not be the folder of the tests.
        server = subprocess.Popen([sys.executable, warm.__file__, address], start_new_session=True, cwd=folder)
        while not address.exists():
            assert server.poll() is None, "the server of warm.py ended"
            time.sleep(0.05)
        yield folder
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


@pytest.fixture
def one_core() -> Iterator[None]:
    """Limit this process and its children to one core, so that each training uses one thread.

    Two parallel trainings with two threads each spend most of their time waiting for each other.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    os.sched_setaffinity(0, {sorted(allowed)[worker % len(allowed)]})
    yield
    os.sched_setaffinity(0, allowed)


@pytest.fixture(scope="module")
def warm_children(warm_python: Path) -> Iterator[None]:
    """Use the programs of warm.py for processes that a test or the package starts as sys.executable."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", str(warm_python / "python"))
        yield


@pytest.fixture(params=GAMES)
def game(request: pytest.FixtureRequest) -> str:
    """Name of each built-in game in turn."""
    return str(request.param)


@pytest.fixture
def pool() -> Iterator[MakePool]:
    """`pufferc.make` with few threads. Its pools are closed after the test."""
    made: list[pufferc.VecEnv] = []

    def make(name: str, num_envs: int | None = None, **options: Any) -> pufferc.VecEnv:
        options.setdefault("seed", 1)
        options.setdefault("num_threads", 1)
        made.append(pufferc.make(name, num_envs, **options))
        return made[-1]

    yield make
    for env in made:
        env.close()


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """Name of a virtual display, shared by the tests of a module."""
    if window.why_no_windows() is not None or not shutil.which("Xvfb") or not shutil.which("xdotool"):
        pytest.skip("needs the window module, Xvfb and xdotool")
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x900x24", "-nolisten", "tcp", "-noreset"]
    with subprocess.Popen(command, pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        os.close(write)
        with os.fdopen(read) as pipe:
            number = pipe.readline().strip()
        if not number:
            pytest.skip("Xvfb does not start here")
        yield f":{number}"
        server.terminate()


def random_actions(env: pufferc.VecEnv, rng: np.random.Generator, rows: int | None = None) -> np.ndarray:
    """Legal actions for the first `rows` rows (all of them by default), as int32 or float32."""
    rows = env.num_envs if rows is None else rows
    space = env.single_action_space
    if env.action_mask is not None:
        return sample_legal(space, env.action_masks()[:rows], rng)
    if hasattr(space, "nvec"):
        return rng.integers(0, space.nvec, (rows, len(space.nvec))).astype(np.int32)
    if hasattr(space, "n"):
        return rng.integers(0, space.n, rows).astype(np.int32)
    return rng.uniform(-1, 1, (rows, *space.shape)).astype(np.float32)


class Record:
    """A running hash of the results of a pool."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()

    def add(self, *arrays: np.ndarray) -> None:
        """Add arrays, with their shapes and dtypes."""
        for array in arrays:
            self.hash.update(f"{array.dtype}{array.shape}".encode())
            self.hash.update(np.ascontiguousarray(array).tobytes())

    def add_step(self, env: pufferc.VecEnv, step: tuple[Any, ...]) -> None:
        """Add the results of one step, with final observations and statistics only for rows whose episode ended."""
        observations, rewards, terminated, truncated, infos = step
        self.add(observations, rewards, terminated, truncated)
        if "final_info" in infos:
            mask = infos["_final_info"]
            self.add(mask, infos["final_obs"][mask])
            episode = infos["final_info"]["episode"]
            self.add(*(values[mask] for key, values in sorted(episode.items()) if not key.startswith("_")))

    def digest(self) -> str:
        """The hash so far."""
        return self.hash.hexdigest()
