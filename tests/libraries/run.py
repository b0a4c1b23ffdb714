"""Runs every library of docs/interoperability.md on this package, and writes the page's table.

    python tests/libraries/run.py                   # those that are installed; prints the table
    python tests/libraries/run.py --only TorchRL
    python tests/libraries/run.py --install         # all, each in a temporary environment
    python tests/libraries/run.py --install --write # and writes the table into the page

A row is in the table only if its program ended without an error. Programs are files of this folder or of tests/python.
CleanRL is not a package: name a copy of its repository with --cleanrl FOLDER. Without it, its row on the page is kept.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
PAGE = ROOT / "docs" / "interoperability.md"
BEGIN, END = "<!-- table of tests/libraries/run.py -->", "<!-- end of the table -->"
HEAD = "| library | version | what works | how |\n|---|---|---|---|\n"


@dataclass(frozen=True)
class Library:
    """A row of the table."""

    name: str
    package: str  # that has the version
    works: str
    how: str
    program: str  # a file of this folder, or words for pytest
    install: tuple[str, ...] = ()  # requirements beside pufferc[train,render,sb3,pettingzoo]

    def words(self) -> list[str]:
        """The command after `python`."""
        if self.program.endswith(".py"):
            return [str(FOLDER / self.program)]
        tests, *more = self.program.split()
        return ["-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/python/{tests}.py", *more]

    def row(self, version: str) -> str:
        """The library's line of the table."""
        return f"| {self.name} | {version} | {self.works} | {self.how} |\n"


TESTS = ("pytest>=8", "hypothesis")
LIBRARIES = (
    Library(
        "Gymnasium", "gymnasium", "`make`, `make_vec` (also sync and async), `check_env`", "by id", "test_gymnasium",
        TESTS,
    ),
    Library(
        "Gymnasium's vector wrappers", "gymnasium", "all; those of observations need next-step autoreset",
        '`make_vec(id, n, autoreset="next_step")`', "test_wrappers", (*TESTS, "moviepy", "array-api-compat"),
    ),
    Library(
        "Gymnasium's single wrappers", "gymnasium", "all but those for Atari and JAX", "around `gymnasium.make(id)`",
        "test_single_wrappers", (*TESTS, "opencv-python-headless", "array-api-compat"),
    ),
    Library(
        "PettingZoo", "pettingzoo", "parallel and AEC, its API tests and seed test", "`parallel_env`, `aec_env`",
        "test_interop -k pettingzoo", (*TESTS, "pygame-ce"),
    ),
    Library(
        "SuperSuit", "supersuit", "`concat_vec_envs_v1` into Stable-Baselines3, `frame_stack_v1`",
        "`black_death_v3(parallel_env(...))` first", "supersuit_sb3.py", ("supersuit",),
    ),
    Library(
        "Stable-Baselines3", "stable-baselines3", "PPO, and its interface of vector environments", "`make_sb3`",
        "test_interop -k sb3", (*TESTS, "sb3-contrib"),
    ),
    Library(
        "sb3-contrib", "sb3-contrib", "MaskablePPO on masked games", "`make_sb3`", "test_interop -k contrib",
        (*TESTS, "sb3-contrib"),
    ),
    Library(
        "TorchRL", "torchrl", "`GymEnv`, `GymWrapper`, `SerialEnv`, `ParallelEnv`, collectors, `check_env_specs`",
        '`GymEnv(id)`, or `GymWrapper(make_vec(...))` with "same_step" or "disabled"', "torchrl_envs.py", ("torchrl",),
    ),
    Library(
        "Tianshou", "tianshou", "its vector environments, PPO", "`DummyVectorEnv([lambda: gym.make(id)] * n)`",
        "tianshou_ppo.py", ("tianshou",),
    ),
    Library(
        "RLlib", "ray", "PPO, with and without processes", "by id with the prefix `pufferc:`, or `register_env`",
        "rllib_ppo.py", ("ray[rllib]",),
    ),
    Library(
        "skrl", "skrl", "PPO, single, vector and PettingZoo environments", "`wrap_env(...)`", "skrl_ppo.py", ("skrl",)
    ),
    Library("rl_games", "rl_games", "PPO", "the class below", "rl_games_ppo.py", ("rl_games",)),
    Library(
        "ONNX Runtime", "onnxruntime", "exported policies, also with memory", "`pufferc export NAME --onnx`",
        "test_export -k onnx", (*TESTS, "onnxruntime", "onnx", "onnxscript"),
    ),
    Library(
        "safetensors", "safetensors", "weights of checkpoints", "`load_file(CHECKPOINT / \"policy.safetensors\")`",
        "test_checkpoint -k safetensors", TESTS,
    ),
    Library(
        "TensorBoard", "tensorboard", "curves and settings of runs", "`--train.loggers tensorboard`",
        "test_loggers -k tensorboard", (*TESTS, "tensorboard"),
    ),
)  # fmt: skip
CLEANRL = Library(
    "CleanRL", "", "ppo, dqn, pqn, ppo_continuous_action, sac_continuous_action",
    "`--env-id pufferc:pufferc/CartPole-v1`, with the lines below", "", ("stable-baselines3", "tensorboard", "tyro"),
)  # fmt: skip


def python_of(library: Library, install: bool, wheel: str, folder: str) -> str:
    """The interpreter to use: this one, or that of a new environment with the library."""
    if not install:
        return sys.executable
    python = f"{folder}/bin/python"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    extras = f"{wheel}[train,render,sb3,pettingzoo]"
    subprocess.run([python, "-m", "pip", "install", "-q", extras, *library.install], check=True)
    return python


def run(python: str, words: list[str]) -> bool:
    """Runs a program in an empty folder, a file of tests in the repository."""
    with tempfile.TemporaryDirectory() as folder:
        tests = words[0] == "-m"
        done = subprocess.run([python, *words], cwd=ROOT if tests else folder, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout[-3000:], done.stderr[-3000:], sep="\n")
    return done.returncode == 0


def version_of(python: str, package: str) -> str | None:
    """The installed version of a package; None without it."""
    program = f"from importlib.metadata import version; print(version({package!r}))"
    done = subprocess.run([python, "-c", program], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def clean_rl(python: str, folder: Path) -> bool:
    """Runs the programs of a copy of CleanRL. Those that learn from a replay buffer get a few thousand random steps."""
    for name in CLEANRL.works.split(", "):
        game = "CartPoleContinuous" if "continuous" in name else "CartPole"
        words = [str(folder / "cleanrl" / f"{name}.py"), "--env-id", f"pufferc:pufferc/{game}-v1"]
        if name.startswith(("dqn", "sac")):
            words += ["--learning-starts", "4000"]
        if not run(python, [*words, "--total-timesteps", "6000"]):
            print(f"CleanRL: {name} FAILED")
            return False
    return True


def version_of_clean_rl(folder: Path) -> str:
    """The version that its pyproject.toml names."""
    found = re.search(r'^version = "(.*)"', (folder / "pyproject.toml").read_text(), re.MULTILINE)
    return found.group(1) if found else "unknown"


def kept_row(name: str) -> str:
    """The page's row of a library that is not run."""
    return "".join(line for line in PAGE.read_text().splitlines(True) if line.startswith(f"| {name} |"))


def main() -> int:
    """Returns 1 if a library failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", help="the name of a library; may be repeated")
    parser.add_argument("--install", action="store_true", help="install each library into a temporary environment")
    parser.add_argument("--wheel", default=str(ROOT), help="the package to install; default: this repository")
    parser.add_argument("--write", action="store_true", help="write the table into docs/interoperability.md")
    parser.add_argument("--cleanrl", type=Path, help="a copy of CleanRL's repository")
    options = parser.parse_args()
    rows, failed = "", False
    for library in LIBRARIES:
        if options.only and library.name not in options.only:
            continue
        with tempfile.TemporaryDirectory() as folder:
            python = python_of(library, options.install, options.wheel, folder)
            version = version_of(python, library.package)
            if version is None:
                print(f"{library.name}: not installed")
                continue
            start = time.monotonic()
            works = run(python, library.words())
            print(f"{library.name} {version}: {'works' if works else 'FAILED'} in {time.monotonic() - start:.0f} s")
            failed |= not works
            rows += library.row(version) if works else ""
    if options.cleanrl:
        with tempfile.TemporaryDirectory() as folder:
            works = clean_rl(python_of(CLEANRL, options.install, options.wheel, folder), options.cleanrl.resolve())
            failed |= not works
            rows += CLEANRL.row(version_of_clean_rl(options.cleanrl)) if works else ""
    else:
        rows += kept_row(CLEANRL.name)
    print(HEAD + rows)
    if options.write and not failed:
        before, rest = PAGE.read_text().split(BEGIN)
        PAGE.write_text(before + BEGIN + "\n" + HEAD + rows + END + rest.split(END)[1])
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
