"""`pufferc check`: every mistake is found and named, sound games are sound, and no game ends the command."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from own_games import needs_compiler, write_game
from pufferc import build as building
from pufferc.check import check
from pufferc.check_texts import IMPORTS, TEXTS
from pufferc.cli import main
from pufferc.modules import ModuleError

pytestmark = needs_compiler

OBSERVE = "obs->ball_x = s->ball_x;"
FALL = "s->ball_y += p->ball_speed;"
CATCH = "s->catches += 1;"
BEGIN = "s->paddle_x = 0.5f;"
STATE = "  int32_t catches;\n"
HEADERS = '#include "pufferc/env.h"\n'


def compile_game(folder, *changes):
    """A new game with words of it replaced, compiled without warnings; a dict of header lines may stand before them."""
    source = write_game(folder, "catcher", *changes)
    module = source.with_suffix(".so")
    command = [word for word in building.command(source, module) if not word.startswith("-W") or word.startswith("-Wl")]
    subprocess.run([*command, "-w"], check=True)
    return module


def include(*names):
    return (HEADERS, HEADERS + "".join(f"#include <{name}>\n" for name in names))


# Mistakes that can be made together: each game is checked once, and every finding must be there with these words.
MISTAKES = {
    "observations": (
        [
            (OBSERVE, ""),
            ("obs->paddle_x = s->paddle_x;", "obs->paddle_x = 1.5f * s->paddle_x;"),
            ("obs->ball_y = s->ball_y;", "obs->ball_y = 0.5f;"),
            (
                "(float)s->catches / (float)CATCHER_MAX_CATCHES;\n}",
                "s->catches > 0 ? 0.0f / (float)(s->catches - s->catches) : 0;\n}",
            ),
        ],
        {
            "observation_unwritten": r"observe did not write value 1, part of ball_x",
            "observation_range": r"observation paddle_x was 1\.\d+; its table says \[0, 1\]",
            "observation_not_finite": r"observation caught was NaN",
            "observation_constant": r"observation ball_y never changed: it was always 0.5",
        },
    ),
    "nothing to learn": (
        [
            ("obs->paddle_x = s->paddle_x;", "obs->paddle_x = obs->ball_x = obs->ball_y = obs->caught = 0;"),
            (OBSERVE, ""),
            ("obs->ball_y = s->ball_y;", ""),
            ("obs->caught = (float)s->catches / (float)CATCHER_MAX_CATCHES;", ""),
            ("io.rewards[0] = -1.0f;", ""),
            ("io.rewards[0] = 1.0f;", ""),
            ("io.terminated[0] = 1;\n    return;", "catcher_drop_ball(s);\n    return;"),
            ("5000, 0, PFC", "0, 0, PFC"),
            ("if (s->catches == CATCHER_MAX_CATCHES) io.terminated[0] = 1;\n  else ", ""),
        ],
        {
            "observation_zero": "every observation was all zeros",
            "reward_zero": "every reward of [0-9]+ steps was 0",
            "episode_endless": r"no episode ended in [0-9]+ steps of random play, and max_steps is 0",
            "seed_without_effect": "two different seeds played the same games",
            "action_without_effect": "whatever is chosen in dimension 0",
        },
    ),
    "numbers": (
        [
            ("io.rewards[0] = -1.0f;", "io.rewards[0] = -5000.0f;"),
            ("io.rewards[0] = 1.0f;", "io.rewards[0] = s->catches > 1 ? __builtin_inff() : 1.0f;"),
            ("values[1] = (float)s->catches / (float)CATCHER_MAX_CATCHES;", "values[1] = 3.0f;"),
            ("values[0] = (float)s->catches;", 'values[0] = __builtin_nanf("");'),
            ("obs->ball_x = s->ball_x;", "obs->ball_x = 900.0f * s->ball_x;"),
            ('{"ball_x", 1, 0, 1,', '{"ball_x", 1, 0, 1000,'),
            ("io.actions[0] == 2", "io.actions[0] == 3"),
            ("io.terminated[0] = 1;\n    return;", "io.terminated[0] = 2;\n    return;"),
        ],
        {
            "reward_not_finite": "a reward was infinite",
            "reward_large": "a reward of size 5000",
            "metric_not_finite": "metric score was NaN",
            "perf_range": "metric perf was 3, expected 0 to 1",
            "observation_large": r"observation ball_x reached 89\d|observation ball_x reached 9",
            "action_twice": "choices 0 and 2 in dimension 0",
            "flag_value": r"step wrote 2 to io.terminated\[0\]",
        },
    ),
    "chance": (
        [
            include("stdlib.h", "stdio.h", "time.h", "math.h"),
            (FALL, FALL + " static int steps_so_far; steps_so_far++; if (rand() % 50 == 0) s->ball_x = 0.5f;"),
            (
                CATCH,
                CATCH + ' printf("caught one\\n"); { void* volatile block = malloc(3 + time(0) % 2); free(block); }'
                " if (s->catches > 1000) exit(1);",
            ),
            ("pfc_absf(s->ball_x - s->paddle_x)", "fabsf(sinf(s->ball_x - s->paddle_x))"),
        ],
        {
            "seed_repeats": "two games with the same seed and actions went different ways: ",
            "global_variable": "the global or static variable steps_so_far changed",
            "import_random": "calls rand",
            "import_clock": "calls time",
            "import_memory": "calls free, malloc",
            "import_exit": "calls exit",
            "import_files": "calls ",
            "import_math": "calls sinf",
            "output": "wrote to the terminal: caught one",
        },
    ),
    "pictures and looks": (
        [
            ("d->end(d->context);", ""),
            (
                "(void)p, (void)agent;\n  obs->paddle_x",
                "(void)p, (void)agent;\n  (void)pfc_rng_u32((PfcRng*)&s->rng);\n  obs->paddle_x",
            ),
            ("values[0] = (float)s->catches;", "values[0] = (float)s->catches; ((Catcher*)s)->catches = 0;"),
        ],
        {
            "draw_order": "begin first, once, and end last, once",
            "looking_changes_state": "observe changed the state: it drew a random number",
        },
    ),
    "pictures and ends": (
        [
            include("stdlib.h"),
            ("d->circle(d->context, ball_x", "d->circle(d->context, left / (s->paddle_x - s->paddle_x)"),
            ("io.rewards[0] = 1.0f;", "io.rewards[0] = (float)(rand() % 2);"),
            ("io.terminated[0] = 1;\n    return;", "io.terminated[0] = 1;\n    s->ball_y = 2.0f;\n    return;"),
        ],
        {
            "draw_not_finite": "not a number",
            "seed_repeats": "went different ways: the reward was",
            "observation_range": r"observation ball_y was 2; its table says \[0, 1\]",
        },
    ),
    "state": (
        [
            (STATE, STATE + "  struct Catcher* self;\n  float own_x[2];\n"),
            (BEGIN, BEGIN + " s->self = s;"),
            (
                "catcher_reset(Catcher* s, const CatcherParams* p) {\n",
                "catcher_reset(Catcher* s, const CatcherParams* p) {\n  __builtin_memset(s, 0, sizeof *s);\n",
            ),
            (
                "static void catcher_draw(const Catcher* s, const CatcherParams* p, const PfcDraw* d) {\n",
                "static void catcher_draw(const Catcher* s, const CatcherParams* p, const PfcDraw* d) {\n"
                "  d->begin(d->context, 9, 9, pfc_rgb(0)); d->end(d->context); return;\n",
            ),
            (FALL, "io.terminated[0] = 1; " + FALL),
        ],
        {
            "state_address": "the state holds an address, at its byte ",
            "rng_overwritten": "reset wrote over s->rng",
            "draw_nothing": "draw drew nothing",
            "episode_short": "episodes ended with its first step",
        },
    ),
    "past": (
        [
            include(),
            ("PFC_FN void catcher_drop_ball", "static int games_so_far;\nPFC_FN void catcher_drop_ball"),
            (BEGIN, BEGIN + " s->catches = games_so_far++ < 60 ? 0 : 1;"),
        ],
        {"global_variable": "variable games_so_far changed"},
    ),
    "no end": (
        [
            ("io.terminated[0] = 1;\n    return;", "catcher_drop_ball(s);\n    return;"),
            ("5000, 0, PFC", "500, 0, PFC"),
            ("if (s->catches == CATCHER_MAX_CATCHES) io.terminated[0] = 1;\n  else ", "s->catches %= 100;\n  "),
        ],
        {"episode_truncated": "none ended by the rules"},
    ),
}


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


CRASHES = {
    "past the end of the observation": (
        (OBSERVE, OBSERVE + " (&obs->paddle_x)[4] = 1.0f;"),
        "crash",
        r"crashed with SIGSEGV in observe: it wrote 0 bytes past the end of its observation, which has 16 bytes",
    ),
    "before the rewards": (
        ("io.rewards[0] = -1.0f;", "io.rewards[-1] = -1.0f;"),
        "crash",
        r"SIGSEGV in step: it wrote 4 bytes before the start of its rewards",
    ),
    "past the state": (
        (FALL, FALL + " ((volatile unsigned char*)s)[sizeof *s + 100] = 1;"),
        "crash",
        r"SIGSEGV in step: it wrote 100 bytes past the end of its state",
    ),
    "reading other agents' actions": (
        ("io.actions[0] == 1", "io.actions[1] == 1"),
        "crash",
        r"SIGSEGV in step: it read 0 bytes past the end of its actions",
    ),
    "metrics that are not there": (
        ("values[0] = (float)s->catches;", "values[2] = 1;"),
        "crash",
        r"SIGSEGV in metrics: it wrote 0 bytes past the end of its metrics",
    ),
    "a NULL pointer": (
        (BEGIN, "*(volatile int*)0 = 1;"),
        "crash",
        r"SIGSEGV in reset: it wrote through a NULL pointer",
    ),
    "division by zero": (
        (CATCH, CATCH + " { volatile int zero = 0; s->catches /= zero; }"),
        "crash",
        r"SIGFPE in step: it divided an integer by zero",
    ),
    "endless recursion": (
        (
            "PFC_FN void catcher_drop_ball(Catcher* s) {\n",
            "int deeper(volatile int* n) {\n"
            "  volatile int here[64]; here[*n % 64] = *n; return deeper(here) + here[3];\n}\n"
            "PFC_FN void catcher_drop_ball(Catcher* s) {\n  volatile int n = 3; s->catches += deeper(&n);\n",
        ),
        "crash",
        r"SIGSEGV in reset: it ran out of stack",
    ),
    "a loop without an end": (
        (CATCH, 'while (s->catches >= 0) __asm__ volatile("");'),
        "hang",
        "the game did not come back in step",
    ),
    "exit": (
        (CATCH, "__builtin_exit(3);"),
        "exit",
        "ended the process with exit code 3, in step",
    ),
}


@pytest.mark.parametrize("name", CRASHES)
def test_crashes_and_hangs_are_findings(tmp_path, name):
    change, code, words = CRASHES[name]
    report = check(compile_game(tmp_path, change), hang_s=1.0)
    finding = next((finding for finding in report.findings if finding.code == code), None)
    assert finding is not None and not report.ok, str(report)
    assert re.search(words, finding.seen), finding.seen
    assert finding.game is not None and finding.step is not None


# What a game keeps outside its state, and a state that is not cleared since the game owns something (open and close).
OPENED = (
    ('.title = "Catcher"', '.title = "Catcher", .open = catcher_open, .close = catcher_close'),
    (
        "static void catcher_draw",
        "static bool catcher_open(void* s, const void* p) { return s != p; }\n"
        "static void catcher_close(void* s) { (void)s; }\nstatic void catcher_draw",
    ),
)
ELSEWHERE = {
    "observation_unrepeatable": (
        [(OBSERVE, "static int looks; obs->ball_x = (float)(looks++ % 2);")],
        "two looks at the same state gave different values of ball_x",
    ),
    "reset_clears": ([*OPENED], "a game that was reset with a seed and a new one with that seed went different ways"),
    "position": (
        [*OPENED, (BEGIN, BEGIN + " s->catches = 0;"), (FALL, FALL + " if (io.actions[1] == 2) s->ball_x = 0;")],
        "a game went another way among others than alone",
    ),
    "threads": (
        [include("unistd.h", "sys/syscall.h"), (FALL, FALL + " if (syscall(SYS_gettid) != getpid()) s->ball_x = 0;")],
        "games went another way with four threads than with one: ",
    ),
    "snapshot": (
        [
            (STATE, STATE + "  int32_t falls;\n"),
            (
                "PFC_FN void catcher_drop_ball",
                "static struct { const void* of; int count; } table[1 << 12];\n"
                "#define SLOT(s) table[((uintptr_t)(s) / sizeof *(s)) % (1 << 12)]\nPFC_FN void catcher_drop_ball",
            ),
            (BEGIN, BEGIN + " SLOT(s).of = s; SLOT(s).count = 0;"),
            (FALL, FALL + " if (SLOT(s).of == s) s->paddle_x = (float)(++SLOT(s).count % 13) / 13.0f;"),
        ],
        "a game that was saved and loaded went another way than without",
    ),
}


@pytest.mark.parametrize("code", ELSEWHERE)
def test_what_depends_on_more_than_the_game(tmp_path, code):
    changes, words = ELSEWHERE[code]
    report = check(compile_game(tmp_path, *changes))
    finding = next((finding for finding in report.findings if finding.code == code), None)
    assert finding is not None and words in finding.seen, str(report)


def test_all_built_in_games_are_sound(game):
    report = check(game)
    assert report.ok, str(report)


def test_a_new_game_is_sound_without_warnings(tmp_path):
    report = check(write_game(tmp_path))  # of its source
    assert report.ok and not report.count("warning"), str(report)
    assert {finding.code for finding in report.findings} == {"speed"}


def test_parameters_count(tmp_path):
    assert {finding.code for finding in check("squared", params={"max_steps": 3}).findings} >= {"speed"}
    with pytest.raises(ValueError, match="ball_sped"):
        check("template", params={"ball_sped": 1})


def test_debug_names_the_line(tmp_path):
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


def test_the_command(tmp_path, capsys):
    good, bad = tmp_path / "good", tmp_path / "bad"
    module = compile_game(good)
    assert main(["check", str(module), "--strict"]) == 0
    assert "catcher.so: sound (0 errors, 0 warnings)" in capsys.readouterr().out
    module = compile_game(bad, ("io.actions[0] == 2", "io.actions[0] == 3"))
    assert main(["check", str(module)]) == 0
    assert "sound, with warnings (0 errors, 1 warnings)" in capsys.readouterr().out
    assert main(["check", str(module), "--strict", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] and {"action_twice", "speed"} <= {finding["code"] for finding in found["findings"]}
    assert main(["check", str(tmp_path / "none.so")]) == 2
    assert "none.so: no such file" in capsys.readouterr().err
    (tmp_path / "broken.c").write_text("int x = ;")
    assert main(["check", str(tmp_path / "broken.c")]) == 1
    assert "broken.c" in capsys.readouterr().err
    assert main(["check", "squared", "--debug"]) == 2
    assert "is built in" in capsys.readouterr().err


def test_a_game_that_crashes_while_it_is_loaded_is_a_finding(tmp_path):
    module = compile_game(
        tmp_path, (HEADERS, HEADERS + "__attribute__((constructor)) static void boom(void) { __builtin_trap(); }\n")
    )
    (finding,) = (finding for finding in check(module).findings if finding.severity == "error")
    assert finding.code == "crash" and "SIGILL" in finding.seen


def test_no_game_at_all(tmp_path):
    (tmp_path / "x.so").write_bytes(b"\x7fELF" + bytes(100))
    with pytest.raises(ModuleError):
        check(tmp_path / "x.so")


def test_every_finding_has_its_words():
    assert set(IMPORTS.values()) <= set(TEXTS)
    for code, (why, fix) in TEXTS.items():
        assert code == "speed" or (why.endswith(".") and fix.endswith("."))
    tested = {code for _, expected in MISTAKES.values() for code in expected} | {
        code for _, code, _ in CRASHES.values()
    }
    assert set(TEXTS) - tested - set(ELSEWHERE) == {"speed", "sanitizer"}
