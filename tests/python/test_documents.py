"""Documentation pages are consistent: links resolve, flags exist, and the commands of some pages run as written."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from test_readme import ROOT, blocks, commands

PAGES = ["README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]
OURS = ("--train.", "--policy.", "--vec.", "--env.", "--selfplay.")


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_links_point_to_existing_files(page: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)", text(page)):
        if "://" not in target:
            assert (ROOT / page).parent.joinpath(target).exists(), f"{page}: {target}"


def test_pages_name_flags_that_exist(warm_python: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("tyro")
    named = {flag for page in PAGES for flag in re.findall(r"(?<![\w-])--[a-z]+\.[a-z-]+", text(page))}
    command = [warm_python / "pufferc", "train", "cartpole", "--help"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60)
    known = set(re.findall(r"--[a-z]+\.[a-z-]+", found.stdout))
    missing = {flag for flag in named if flag.startswith(OURS)} - known
    assert len(known) > 40 and len(named) > 10 and not missing, missing


def test_the_example_configuration_on_the_page_is_valid(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("tyro")
    from pufferc.commands.train_flags import parse_train
    from pufferc.config import load_config

    (example,) = blocks("docs/training.md", "toml")
    (tmp_path / "my.toml").write_text(example, encoding="utf-8")
    config, packaged = parse_train("cartpole", ["--config", str(tmp_path / "my.toml")]).config, load_config("cartpole")
    assert config.env["max_steps"] == 200 and config.train.learning_rate == 0.03 != packaged.train.learning_rate
    assert config.train.gamma == packaged.train.gamma  # other values come from the packaged file of the game


def test_every_page_is_in_the_index() -> None:
    for page in PAGES:
        if page.startswith("docs/") and page != "docs/README.md":
            assert f"({page.removeprefix('docs/')})" in text("docs/README.md"), page


@pytest.mark.usefixtures("one_core")
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None or shutil.which("c++") is None, reason="needs a C and C++ compiler")
def test_the_page_on_embedding_runs(warm_python: Path, tmp_path: Path) -> None:
    """Run the commands of the page in order, in a folder with the two examples that it compiles."""
    pytest.importorskip("torch")
    pytest.importorskip("tyro")
    for example in ("c/random_play.c", "cpp/play_policy.cpp"):
        shutil.copy(ROOT / "examples" / example, tmp_path)
    environment = {**os.environ, "PATH": f"{warm_python}{os.pathsep}{os.environ['PATH']}"}
    lines = commands("docs/embedding.md")
    assert len(lines) >= 5
    for line in lines:
        done = subprocess.run(
            line, shell=True, capture_output=True, text=True, timeout=120, cwd=tmp_path, env=environment
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    assert float(re.search(r"mean score ([\d.]+)", done.stdout)[1]) > 400.0, done.stdout


_LOADS = """#include <pufferc/pufferc.h>
#include <stdio.h>

int main(void) {
  %s
  if (!pool) return fprintf(stderr, "%%s\\n", pfc_last_error()), 1;
  printf("%%s, %%d rows\\n", game->name, (int)pfc_pool_buffers(pool)->rows);
  pfc_pool_destroy(pool);
  return 0;
}
"""


@pytest.mark.usefixtures("one_core")
@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_a_program_loads_a_game_as_the_page_on_embedding_says(warm_python: Path, tmp_path: Path) -> None:
    (snippet,) = blocks("docs/embedding.md", "c")
    (tmp_path / "host.c").write_text(_LOADS % snippet, encoding="utf-8")
    environment = {**os.environ, "PATH": f"{warm_python}{os.pathsep}{os.environ['PATH']}"}

    def run(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            line, shell=True, capture_output=True, text=True, timeout=120, cwd=tmp_path, env=environment
        )

    for line in (
        "pufferc new mygame",
        "pufferc build mygame.c",
        "cc -O2 -Wall -Werror host.c $(python -m pufferc --cflags --libs) -o host",
    ):
        done = run(line)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    done = run("./host")
    assert (done.returncode, done.stdout) == (0, "mygame, 1024 rows\n"), done.stderr
    (tmp_path / "mygame.so").unlink()
    done = run("./host")
    assert done.returncode == 1 and "./mygame.so" in done.stderr


def test_comparison_libraries_are_measured_or_named(warm_python: Path) -> None:
    """A very short benchmark prints a rate for pufferc, and for each other library a rate or an install command."""
    pytest.importorskip("torch")
    command = [warm_python / "python", ROOT / "benchmarks" / "rivals", "advantages", "breakout"]
    options = ["--threads", "1", "--rounds", "1", "--seconds", "0.01"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines() if line[:1] == "|"]
    figures = {(row[0].split()[0], row[2].split()[0]): row[3] for row in rows[2:]}
    assert float(figures["Breakout,", "pufferc"].removesuffix(" M steps/s")) > 0
    assert float(figures["advantages", "torch"].removesuffix(" per ms")) > 0
    assert re.search(r"steps/s$|pip install pufferlib", figures["Breakout,", "PufferLib"])
    done = subprocess.run([*command, "--threads", "0"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "--threads in [1, " in done.stderr


def test_the_page_on_pictures_runs(warm_python: Path, tmp_path: Path) -> None:
    """After a short training, run the commands of the page and then its snippet."""
    for package in ("torch", "tyro", "PIL", "matplotlib"):
        pytest.importorskip(package)
    lines = [line for line in commands("docs/pictures.md") if line.startswith("pufferc ")]
    training = "pufferc train cartpole --train.total-steps 70000 --train.target-score None"
    assert len(lines) == 2
    for line in [training, *lines]:
        command = f"{warm_python}/{line}"  # a shell expands runs/*
        done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=120, cwd=tmp_path)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    assert (tmp_path / "cartpole.gif").stat().st_size > 1000 and (tmp_path / "curves.png").stat().st_size > 10_000
    (snippet,) = blocks("docs/pictures.md", "python")
    command = [warm_python / "python", "-c", snippet]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
