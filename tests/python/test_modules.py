"""Games in shared objects load, play and train like built-in games and can be rebuilt. Other files are refused."""

from __future__ import annotations

import inspect
import json
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest

import pufferc
from own_games import build_game, needs_compiler, write_game
from pufferc.authoring import build as building
from pufferc.authoring import new as newgame
from pufferc.commands.main import main
from pufferc.config import load_config
from pufferc.envs.game_library import ModuleError
from pufferc.envs.games import MAKE_ARGUMENTS
from pufferc.envs.single import SingleEnv
from pufferc.training.resolve import resolve

pytestmark = needs_compiler


@pytest.fixture(scope="module")
def catcher(tmp_path_factory):
    """./catcher.so: the template under another name."""
    return build_game(tmp_path_factory.mktemp("catcher"))


def play(envs, steps=200):
    """All results of a pool for fixed actions."""
    observations, _ = envs.reset(seed=3)
    seen = [observations.copy()]
    for t in range(steps):
        observations, rewards, terminated, _, _ = envs.step(np.full(envs.num_envs, t % 3))
        seen += [observations.copy(), rewards.copy(), terminated.copy()]
    return np.concatenate([part.ravel().astype(np.float64) for part in seen])


# ---- loading ------------------------------------------------------------------------------------------------


def test_a_loaded_game_plays_like_the_built_in_one(catcher):
    assert np.array_equal(play(pufferc.make(catcher, 32)), play(pufferc.make("template", 32)))


@pytest.mark.parametrize("kind", [str, Path, pufferc.env_info])
def test_a_game_is_named_by_a_path_or_a_description(catcher, kind):
    envs = pufferc.make(kind(catcher), 4, ball_speed=0.1)
    assert envs.name == "catcher" and envs.params["ball_speed"] == pytest.approx(0.1)
    assert envs.info.path == str(catcher) and len(envs.info.sha256) == 64


def test_a_relative_path_starts_at_the_working_directory(catcher, monkeypatch):
    monkeypatch.chdir(catcher.parent)
    assert pufferc.env_info("./catcher.so") is pufferc.env_info("catcher.so") is pufferc.env_info(catcher)


def test_a_bare_file_name_gets_a_hint_to_use_a_path(catcher, monkeypatch):
    monkeypatch.chdir(catcher.parent)
    with pytest.raises(ValueError, match=r"no built-in game named 'catcher'; use './catcher.so' for the one"):
        pufferc.make("catcher")


def test_single_env_and_gymnasium(catcher):
    observation, _ = SingleEnv(catcher).reset(seed=1)
    pufferc.register_gymnasium(catcher)
    try:
        env = gymnasium.make("pufferc/Catcher-v1")
        assert np.array_equal(env.reset(seed=1)[0], observation)
        assert gymnasium.make_vec("pufferc/Catcher-v1", num_envs=3).num_envs == 3
        env.close()
    finally:
        del gymnasium.registry["pufferc/Catcher-v1"]


def test_the_name_of_a_built_in_game_is_allowed_but_not_its_gymnasium_id(tmp_path):
    module = build_game(
        tmp_path,
        "catcher",
        (
            "PFC_DEFINE_ENV(catcher",
            "#define breakout_reset catcher_reset\n"
            "#define breakout_step catcher_step\n#define breakout_observe catcher_observe\n"
            "#define breakout_metrics catcher_metrics\n#define breakout_draw catcher_draw\n"
            "#define breakout_param_table_ catcher_param_table_\nPFC_DEFINE_ENV(breakout",
        ),
        ('.title = "Catcher"', '.title = "Breakout"'),
    )
    assert pufferc.make(module).single_observation_space.shape == (4,)
    assert pufferc.make("breakout").single_observation_space.shape != (4,)
    with pytest.raises(ValueError, match="its id pufferc/Breakout-v1 belongs to a built-in game"):
        pufferc.register_gymnasium(module)


def test_a_rebuilt_game_is_loaded_again_and_pools_keep_theirs(tmp_path):
    module = build_game(tmp_path)
    old_info, old = pufferc.env_info(module), pufferc.make(module, 8)
    before = play(old)
    build_game(tmp_path, "catcher", ("io.rewards[0] = 1.0f", "io.rewards[0] = 7.0f"), (".version = 1", ".version = 2"))
    new = pufferc.make(module, 8)
    assert (old.version, new.version) == (1, 2)
    assert np.array_equal(play(old), before) and not np.array_equal(play(new), before)
    assert pufferc.make(old_info, 8).version == 1  # a description refers to the loaded code
    module.write_bytes(b"")  # pools keep working after the file is overwritten
    assert np.array_equal(play(old), before)
    module.unlink()
    views = old.rewards
    old.close()
    del old, new, old_info
    assert views.shape == (8,)


def test_a_new_process_loads_the_new_file(tmp_path):
    module = build_game(tmp_path, "catcher", (".version = 1", ".version = 5"))
    code = f"import pufferc; print(pufferc.make({str(module)!r}).version)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "5\n"


# ---- files that are not games -------------------------------------------------------------------------------


def refusal(path):
    """The error message for a path. It starts with the path."""
    with pytest.raises(ModuleError) as caught:
        pufferc.make(path)
    message = str(caught.value)
    assert message.startswith(str(path)), message
    return message[len(str(path)) + 2 :]


def test_files_that_are_not_shared_objects_are_refused(tmp_path, catcher):
    assert refusal(tmp_path / "none.so") == "no such file"
    assert refusal(tmp_path).startswith("is a directory")
    source = write_game(tmp_path, "unbuilt")
    assert "pufferc build" in refusal(source)
    assert "pufferc build" in refusal(source.with_suffix(".so"))
    for name, data, words in (
        ("empty.so", b"", "cannot be loaded: file too short"),
        ("text.so", b"#!/bin/sh\necho hello\n" * 9, "cannot be loaded: invalid ELF header"),
        ("short.so", catcher.read_bytes()[:3000], "is truncated: it has 3000 bytes"),
        ("head.so", catcher.read_bytes()[:70], "is truncated: it has 70 bytes"),
    ):
        (tmp_path / name).write_bytes(data)
        assert words in refusal(tmp_path / name)
    with pytest.raises(TypeError, match="name must be a string or the path"):
        pufferc.make(3)


def test_foreign_object_files_and_programs_are_refused(tmp_path, catcher):
    data = bytearray(catcher.read_bytes())
    data[18:20] = struct.pack("<H", 183 if data[18] != 183 else 62)
    (tmp_path / "arm.so").write_bytes(data)
    assert refusal(tmp_path / "arm.so") == "was built for another kind of processor than this Python"
    source = tmp_path / "empty.c"
    source.write_text("int main(void) { return 0; }\n")
    for flags in (["-c"], [], ["-no-pie"]):
        subprocess.run(["cc", str(source), *flags, "-o", str(tmp_path / "x.so")], check=True)
        assert refusal(tmp_path / "x.so").startswith("cannot be loaded: ")


def compile_c(folder, text, *flags):
    """Compile any C source into a shared object without the checks of `pufferc build`."""
    (folder / "x.c").write_text(text)
    words = ["cc", "-shared", "-fPIC", f"-I{building.sdk.includedir()}", str(folder / "x.c"), *flags]
    subprocess.run([*words, "-o", str(folder / "x.so")], check=True)
    return folder / "x.so"


def test_shared_objects_that_are_not_games_are_refused(tmp_path):
    assert "pfc_env_module" in refusal(compile_c(tmp_path, "int x;"))
    text = "int nowhere(void); int f(void) { return nowhere(); }"
    assert "undefined symbol: nowhere" in refusal(compile_c(tmp_path, text))
    for abi in (1, 77):
        message = refusal(compile_c(tmp_path, f"const unsigned pfc_env_module[2] = {{{abi}, 8}};"))
        assert f"built for ABI {abi}, but this library has ABI 2; build the game again" in message
    assert "bytes, got 8; build the game again" in refusal(
        compile_c(tmp_path, "const unsigned pfc_env_module[2] = {2, 8};")
    )


SPOILED = [
    ('.name = "Bad Name"', "lower-case identifier"),
    (".version = 0", "version is 0"),
    (".step_range = 0", "function of the spec is NULL"),
    (".num_obs_rows = 3", "observation table has 3 values, but the observation has 4"),
    (".sizes = {.action_counts = {3}, .continuous_dims = 2}", "either action_counts or continuous_dims"),
    (".sizes = {.agents = -4, .action_counts = {3}}", "-4 agents"),
    ('.metrics = {"score", "score"}', "two metrics are named score"),
    (".spec_bytes = 16", "bytes, got 16; build the game again"),
    (".abi_version = 9", "built for ABI 9"),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("field, words", SPOILED)
def test_inconsistent_specs_are_refused_with_the_reason(tmp_path, field, words):
    source = write_game(tmp_path, "catcher", ('.metrics = {"score", "perf"}', '.metrics = {"score", "perf"}, ' + field))
    module = compile_c(tmp_path, source.read_text(), "-w")
    assert words in refusal(module)


def test_a_parameter_with_a_reserved_name_is_refused(tmp_path):
    parameters = inspect.signature(pufferc.make).parameters.values()
    assert {row.name for row in parameters if row.kind is not row.VAR_KEYWORD} == MAKE_ARGUMENTS
    module = build_game(tmp_path, "catcher", ("float, ball_speed", 'float, seed, 1, 0, 2, "") X(float, ball_speed'))
    with pytest.raises(ModuleError, match=r"catcher.so: rename the parameter seed, because pufferc.make uses"):
        pufferc.make(module)


def test_a_sanitizer_build_is_refused_without_aborting_the_process(tmp_path):
    source = write_game(tmp_path)
    try:
        module = building.build(source, debug=True)
    except building.BuildError as error:
        pytest.skip(f"no sanitizers: {error}")
    assert module.name == "catcher.debug.so"
    message = refusal(module)
    assert "AddressSanitizer" in message and "pufferc check" in message and "LD_PRELOAD" in message


# ---- new and build --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, words",
    [
        ("9lives", "lower-case letter"),
        ("Catcher", "lower-case letter"),
        ("my-game", "lower-case letter"),
        ("", "lower-case letter"),
        ("../evil", "lower-case letter"),
        ("a" * 32, "at most 31"),
        ("while", "keyword"),
        ("struct", "keyword"),
        ("breakout", "built-in game"),
        ("pfc_game", "reserved for pufferc"),
    ],
)
def test_invalid_names_of_new_games_are_refused(tmp_path, name, words):
    with pytest.raises(ValueError, match=words):
        newgame.new_game(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_new_never_overwrites(tmp_path, capsys):
    assert main(["new", "two_words", "--dir", str(tmp_path / "sub")]) == 0
    source = tmp_path / "sub" / "two_words.c"
    text = source.read_text()
    assert "typedef struct TwoWords {" in text and "TWO_WORDS_PARAMS" in text and "template" not in text.lower()
    source.write_text("mine")
    (tmp_path / "sub" / "two_words.toml").unlink()
    assert main(["new", "two_words", "--dir", str(tmp_path / "sub")]) == 1
    assert "two_words.c" in capsys.readouterr().err
    assert source.read_text() == "mine" and not (tmp_path / "sub" / "two_words.toml").exists()
    assert main(["new", "two_words", "--dir", str(tmp_path / "sub"), "--force"]) == 0
    assert source.read_text() == text


def test_build_prints_its_command_and_the_compiler_output(tmp_path, capsys):
    source = write_game(tmp_path)
    assert main(["build", str(source)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("cc -O3") and "-ffp-contract=off" in out and "catcher.so" in out and not err
    module = source.with_suffix(".so")
    good = module.read_bytes()
    source.write_text(source.read_text().replace("s->catches += 1;", "s->catchs += 1;"))
    assert main(["build", str(source)]) == 1
    assert "catchs" in capsys.readouterr().err
    assert module.read_bytes() == good
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["catcher.c", "catcher.so", "catcher.toml", "test_catcher.py"]


def test_a_new_game_trains_without_warnings(catcher):
    assert resolve(load_config(catcher))[1] == []


@pytest.mark.parametrize("given", ["catcher", "catcher.so", "catcher.toml"])
def test_build_offers_the_source_beside_another_name(given, tmp_path, monkeypatch, capsys):
    write_game(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["build", given]) == 1
    assert f"{given}: " in (message := capsys.readouterr().err) and message.endswith("did you mean catcher.c?\n")


def test_build_errors(tmp_path, monkeypatch):
    for given, words in ((tmp_path / "no.c", "no such file"), (tmp_path, "is not a file")):
        with pytest.raises(building.BuildError, match=words):
            building.build(given)
    source = write_game(tmp_path, "catcher", ("s->catches += 1;", "{ void helper(void); helper(); }"))
    with pytest.raises(building.BuildError, match="helper"):
        building.build(source)
    with pytest.raises(building.BuildError, match="no compiler 'nocc'"):
        building.build(source, cc="nocc")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(building.BuildError, match="install one"):
        building.build(source)


def test_one_compiler_command_is_the_whole_build(tmp_path):
    write_game(tmp_path)
    shell = f"cc -O3 -shared -fPIC catcher.c $({sys.executable} -m pufferc --cflags) -o catcher.so"
    subprocess.run(shell, shell=True, cwd=tmp_path, check=True)
    assert np.array_equal(play(pufferc.make(tmp_path / "catcher.so", 16)), play(pufferc.make("template", 16)))


# ---- training -------------------------------------------------------------------------------------------------


def test_train_eval_resume_export_and_record(tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch")
    from pufferc.runs.checkpoint import CheckpointError, find_checkpoint, load_checkpoint
    from pufferc.training.run import train

    monkeypatch.chdir(tmp_path)
    build_game(tmp_path)
    steps = ["--train.total-steps", "65536", "--quiet", "--json"]
    assert main(["train", "./catcher.so", *steps]) == 0
    run = Path(json.loads(capsys.readouterr().out)["run"])
    assert run.parent == Path("runs") and run.name.startswith("catcher-")
    config = (run / "config.toml").read_text()
    assert 'game = "catcher"' in config and "num_envs = 512" in config
    checkpoint = load_checkpoint(find_checkpoint("latest", Path("runs"), "./catcher.so"))
    info = pufferc.env_info("./catcher.so")
    assert checkpoint.meta["module"] == {"path": str(tmp_path / "catcher.so"), "sha256": info.sha256}
    assert main(["eval", "./catcher.so", "--checkpoint", "latest", "--episodes", "20", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["episodes"] >= 20
    assert main(["export", "./catcher.so"]) == 0 and Path("catcher.pfc").is_file()
    assert main(["train", "./catcher.so", "--config", str(run / "config.toml"), *steps]) == 0
    capsys.readouterr()
    with pytest.raises(CheckpointError, match="give the path of its shared object"):
        train(resume=checkpoint.path)  # a checkpoint may not choose which code runs
    assert main(["eval", "template", "--checkpoint", str(run)]) == 2
    assert "is of catcher, not of template" in capsys.readouterr().err
    moved = shutil.move("catcher.so", "elsewhere.so")
    assert train(resume=checkpoint.path, game=f"./{moved}", quiet=True).outcome == "complete"
    build_game(tmp_path, "catcher", ("0.2f", "0.25f"))
    assert main(["train", "./catcher.so", "--resume", str(run), "--json"]) == 0
    assert "was rebuilt" in capsys.readouterr().err


def test_the_configuration_beside_a_game(catcher, tmp_path):
    pytest.importorskip("torch")
    from pufferc.config import ConfigError, load_config, to_toml

    config = load_config(catcher)
    assert config.game == str(catcher) and config.vec.num_envs == 512
    (tmp_path / "other.toml").write_text('game = "snake"\n')
    with pytest.raises(ConfigError, match="'snake', expected one of 'catcher'"):
        load_config(catcher, tmp_path / "other.toml")
    (tmp_path / "same.toml").write_text(to_toml(config))
    assert load_config(catcher, tmp_path / "same.toml") == config


def test_envs_lists_a_loaded_game(catcher, capsys):
    assert main(["envs", str(catcher), "--json"]) == 0
    (info,) = json.loads(capsys.readouterr().out)
    assert info["name"] == "catcher" and info["path"] == str(catcher) and info["params"][1]["name"] == "ball_speed"
