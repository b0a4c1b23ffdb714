"""`pufferc check` finds and explains every mistake, reports none in correct games, and survives crashing games."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from broken_games import CATCH, CRASHES, ELSEWHERE, HEADERS, MISTAKES, STATE, include, reads_file
from own_games import needs_compiler, write_game
from pufferc.authoring import build as building
from pufferc.authoring import check_process
from pufferc.authoring.check import check
from pufferc.authoring.check_texts import IMPORTS, TEXTS
from pufferc.commands.main import main
from pufferc.envs.game_library import ModuleError

pytestmark = needs_compiler


def compile_game(folder, *changes):
    """Compile a new game with source text replaced and warnings off."""
    source = write_game(folder, "catcher", *changes)
    module = source.with_suffix(".so")
    command = [word for word in building.command(source, module) if not word.startswith("-W") or word.startswith("-Wl")]
    subprocess.run([*command, "-w", "-O1"], check=True)  # takes half as long as -O3
    return module


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_found_and_explained(tmp_path, name):
    changes, expected = MISTAKES[name]
    report = check(compile_game(tmp_path, *changes))
    found = {}
    for finding in report.findings:
        found.setdefault(finding.code, finding)
    assert set(expected) <= set(found), str(report)
    for code, words in expected.items():
        assert re.search(words, found[code].seen), found[code].seen
        assert found[code].why in str(report) and found[code].fix in str(report)


@pytest.mark.parametrize("name", CRASHES)
def test_crashes_and_hangs_are_reported_as_findings(tmp_path, name):
    changes, code, words = CRASHES[name]
    changes = changes if isinstance(changes, list) else [changes]
    report = check(compile_game(tmp_path, *changes), hang_s=2.0 if code == "hang" else 60.0)
    finding = next((finding for finding in report.findings if finding.code == code), None)
    assert finding is not None and not report.ok, str(report)
    assert re.search(words, finding.seen), finding.seen
    assert finding.game is not None and finding.step is not None


@pytest.mark.parametrize("code", ELSEWHERE)
def test_games_that_depend_on_more_than_their_state_are_reported(tmp_path, code):
    changes, words = ELSEWHERE[code]
    report = check(compile_game(tmp_path, *changes))
    finding = next((finding for finding in report.findings if finding.code == code), None)
    assert finding is not None and words in finding.seen, str(report)


def test_the_compiler_warns_of_a_step_that_writes_to_its_parameters(tmp_path):
    """`check` sees such a write in every function but step and observe, whose loops pass a copy."""
    write = " ((CatcherParams*)p)->ball_speed = 0.03f;"
    source = write_game(tmp_path, "catcher", (CATCH, CATCH + write))
    _, warnings = building.compile_game(source, None, False, None, show=False)
    assert "const" in warnings and "-Wcast-qual" in warnings, warnings


def test_a_constructor_that_does_not_return_is_a_hang(tmp_path):
    waiting = '__attribute__((constructor)) static void wait_long(void) { for (;;) __asm__ volatile(""); }\n'
    report = check(compile_game(tmp_path, (HEADERS, HEADERS + waiting)), hang_s=1.0)
    (finding,) = [finding for finding in report.findings if finding.code == "hang"]
    assert finding.seen == "the game did not return while it was loaded: a constructor of the shared object"


def test_all_checks_together_have_a_time_limit(tmp_path):
    report = check(compile_game(tmp_path), limit_s=0.05)
    (finding,) = [finding for finding in report.findings if finding.code == "hang"]
    assert finding.seen == "the game did not return within 0.05 s, the time for all checks"


def test_the_output_of_a_game_is_capped(tmp_path, monkeypatch):
    monkeypatch.setattr(check_process, "_MAX_OUTPUT_BYTES", 200_000)
    game = compile_game(tmp_path, include("stdio.h"), (CATCH, CATCH + ' printf("%4000d\\n", s->catches);'))
    played = check_process.play_in_process(str(game), {}, None, tmp_path, check_process.Limits(60.0, 600.0))
    assert (tmp_path / "output").stat().st_size == 200_000
    assert [finding["code"] for finding in played.findings if finding["severity"] != "note"] == ["output"]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds children in /proc")
def test_the_child_ends_with_its_parent(tmp_path):
    game = compile_game(tmp_path, (CATCH, 'while (s->catches >= 0) __asm__ volatile("");'))
    parent = subprocess.Popen([sys.executable, "-m", "pufferc", "check", str(game)], stdout=subprocess.DEVNULL)
    try:
        assert wait_until(lambda: checking_children(parent.pid) != [])
        (child,) = checking_children(parent.pid)
        time.sleep(1.0)  # it is in the loop now, or will be
    finally:
        parent.kill()
        parent.wait()
    assert wait_until(lambda: not is_running(child))


def wait_until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def checking_children(pid):
    """The children that play a game; `nm` is another one."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        try:
            found += [child] if "check_process" in Path(f"/proc/{child}/cmdline").read_text() else []
        except OSError:  # it has ended
            continue
    return found


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def codes_of(report):
    return {finding.code for finding in report.findings}


def test_games_that_read_a_file(tmp_path, capsys):
    data, short = tmp_path / "map", tmp_path / "short"
    data.write_bytes(bytes(range(16)))
    short.write_bytes(bytes(15))
    sound = compile_game(tmp_path, *reads_file("s->paddle_x = (float)((const uint8_t*)data)[8] / 16.0f;"))
    assert codes_of(check(sound, data=data)) == {"speed"}
    assert codes_of(check(sound)) == {"speed", "data_missing"}
    with pytest.raises(ValueError, match="data: expected 16 bytes"):
        check(sound, data=short)
    with pytest.raises(FileNotFoundError, match="data: cannot read"):
        check(sound, data=tmp_path / "none")
    with pytest.raises(ValueError, match="data: squared does not read data"):
        check("squared", data=data)
    assert main(["check", str(sound), "--data", str(data), "--strict"]) == 0
    assert "catcher.so: passed" in capsys.readouterr().out
    keeps = reads_file("s->kept = (uint64_t)(uintptr_t)data + 2;")
    report = check(compile_game(tmp_path, *keeps, (STATE, STATE + "  uint64_t kept;\n")), data=data)
    kept = next(finding for finding in report.findings if finding.code == "data_address")
    assert "reset_from stored an address of the data at byte 32 of the state" in kept.seen
    writes = reads_file("((volatile uint8_t*)(uintptr_t)data)[3] = 1;")
    report = check(compile_game(tmp_path, *writes), data=data)
    crash = next(finding for finding in report.findings if finding.code == "crash")
    assert "in reset_from: it wrote byte 3 of its data, which is read-only" in crash.seen


def test_all_built_in_games_pass(game):
    report = check(game)
    assert report.ok, str(report)


def test_a_new_game_passes_without_warnings(tmp_path):
    report = check(write_game(tmp_path))  # the source file, not a built module
    assert report.ok and not report.count("warning"), str(report)
    assert {finding.code for finding in report.findings} == {"speed"}


def test_checks_use_the_given_parameters(tmp_path):
    assert {finding.code for finding in check("squared", params={"max_steps": 3}).findings} >= {"speed"}
    with pytest.raises(ValueError, match="ball_sped"):
        check("template", params={"ball_sped": 1})


def test_debug_reports_the_source_line(tmp_path):
    source = write_game(
        tmp_path,
        "catcher",
        (
            "PFC_FN void catcher_drop_ball(Catcher* s) {\n",
            "PFC_FN void catcher_drop_ball(Catcher* s) {\n  float far[4];"
            " far[s->catches + 3] = 1; s->ball_y = far[3];\n",
        ),
    )
    try:
        building.build(source, tmp_path / "debug.so", debug=True)
    except building.BuildError as error:
        pytest.skip(f"no sanitizers: {error}")
    line = next(i for i, text in enumerate(source.read_text().splitlines(), 1) if "far[4]" in text)
    for given, debug in ((source, True), (tmp_path / "debug.so", False)):
        report = check(given, debug=debug)
        finding = next((finding for finding in report.findings if finding.code == "sanitizer"), None)
        assert finding is not None, str(report)
        assert f"catcher.c:{line}" in finding.seen and "in step" in finding.seen
    sound = check(write_game(tmp_path), debug=True)
    assert sound.ok, str(sound)
    with pytest.raises(ValueError, match="ball_sped"):
        check(write_game(tmp_path), debug=True, params={"ball_sped": 1})


def test_check_command_exit_codes_and_json(tmp_path, capsys):
    good, bad = tmp_path / "good", tmp_path / "bad"
    module = compile_game(good)
    assert main(["check", str(module), "--strict"]) == 0
    assert "catcher.so: passed (0 errors, 0 warnings)" in capsys.readouterr().out
    module = compile_game(bad, ("io.actions[0] == 2", "io.actions[0] == 3"))
    assert main(["check", str(module)]) == 0
    assert "passed with warnings (0 errors, 1 warnings)" in capsys.readouterr().out
    assert main(["check", str(module), "--strict", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] and {"action_twice", "speed"} <= {finding["code"] for finding in found["findings"]}
    assert main(["check", str(tmp_path / "none.so")]) == 2
    assert "none.so: no such file" in capsys.readouterr().err
    (tmp_path / "broken.c").write_text("int x = ;")
    assert main(["check", str(tmp_path / "broken.c")]) == 1
    assert "broken.c" in capsys.readouterr().err
    assert main(["check", "squared", "--debug"]) == 2
    assert "is a built-in game" in capsys.readouterr().err


def test_a_crash_during_loading_is_reported_as_a_finding(tmp_path):
    module = compile_game(
        tmp_path, (HEADERS, HEADERS + "__attribute__((constructor)) static void boom(void) { __builtin_trap(); }\n")
    )
    (finding,) = (finding for finding in check(module).findings if finding.severity == "error")
    assert finding.code == "crash" and "SIGILL" in finding.seen


def test_without_nm_a_note_lists_the_skipped_checks(tmp_path, monkeypatch):
    module = compile_game(tmp_path, ("s->catches += 1;", "s->catches += 1; if (s->catches > 1000) __builtin_abort();"))
    assert "import_exit" in codes_of(check(module))
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, *rest: None if name == "nm" else which(name, *rest))
    report = check(module)
    assert report.ok and codes_of(report) == {"nm_missing", "speed"}
    assert "apt-get install binutils" in str(report)


def test_a_file_that_is_not_a_game_is_rejected(tmp_path):
    (tmp_path / "x.so").write_bytes(b"\x7fELF" + bytes(100))
    with pytest.raises(ModuleError):
        check(tmp_path / "x.so")


def test_every_finding_has_a_text_and_a_test():
    assert set(IMPORTS.values()) <= set(TEXTS)
    for code, (why, fix) in TEXTS.items():
        assert code == "speed" or (why.endswith(".") and fix.endswith("."))
    tested = {code for _, expected in MISTAKES.values() for code in expected} | {
        code for _, code, _ in CRASHES.values()
    }
    assert set(TEXTS) - tested - set(ELSEWHERE) == {"speed", "sanitizer", "data_address", "data_missing", "nm_missing"}
