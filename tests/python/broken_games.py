"""Mistakes in games as changes to the source of a new game, with the findings that `pufferc check` must report.

This file holds data only. A change is a pair of source text and replacement. Expected texts are regular expressions.
"""

from __future__ import annotations

OBSERVE = "obs->ball_x = s->ball_x;"
FALL = "s->ball_y += p->ball_speed;"
CATCH = "s->catches += 1;"
BEGIN = "s->paddle_x = 0.5f;"
STATE = "  int32_t catches;\n"
HEADERS = '#include "pufferc/env.h"\n'


DRAW = "static void catcher_draw("
RECORD = '.title = "Catcher"'


def part(member, function):
    """Adds an optional part of the contract to a new game: a function before draw and its entry in the spec."""
    return [(DRAW, function + "\n" + DRAW), (RECORD, f"{RECORD}, {member}")]


def mask(body):
    head = "PFC_FN void catcher_mask(const void* state, const void* params, int32_t agent, uint8_t* legal)"
    head += " {\n  Catcher* s = (Catcher*)state; (void)s, (void)params, (void)agent;\n  "
    return part(".mask = catcher_mask", head + body + "\n}")


def script(body):
    head = "static void catcher_script(const void* state, const void* params, int32_t agent, int32_t level,"
    head += " PfcRng* rng, int32_t* choices, float* controls) {\n"
    head += "  Catcher* s = (Catcher*)state;\n"
    head += "  (void)s, (void)params, (void)agent, (void)level, (void)rng, (void)controls;\n  "
    return part(".script = catcher_script, .num_levels = 2", head + body + "\n}")


def reads_file(body):
    """A game that reads a 16-byte file, with `body` in reset_from."""
    function = (
        "static const char* catcher_check_data(const void* params, const void* data, uint64_t data_bytes) {\n"
        "  (void)params, (void)data;\n"
        '  return data_bytes == 16 ? NULL : "expected 16 bytes";\n}\n'
        "PFC_FN void catcher_reset_from(void* state, const void* params, const void* data, uint64_t data_bytes) {\n"
        "  Catcher* s = (Catcher*)state; (void)data_bytes;\n"
        f"  catcher_reset(s, (const CatcherParams*)params);\n  {body}\n}}"
    )
    return part(".check_data = catcher_check_data, .reset_from = catcher_reset_from", function)


def include(*names):
    return (HEADERS, HEADERS + "".join(f"#include <{name}>\n" for name in names))


# Mistakes that do not hide each other. Each game is checked once, and its findings must match these patterns.
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
            "observation_zero": "observations were 0",
            "reward_zero": "every reward of [0-9]+ steps was 0",
            "episode_endless": r"no episode ended in [0-9]+ steps of random play, and max_steps is 0",
            "seed_without_effect": "two different seeds gave identical games",
            "action_without_effect": "every choice in dimension 0",
        },
    ),
    "numbers": (
        [
            ("io.rewards[0] = -1.0f;", "io.rewards[0] = -5000.0f;"),
            ("io.rewards[0] = 1.0f;", "io.rewards[0] = s->catches > 1 ? __builtin_inff() : 1.0f;"),
            ("values[1] = (float)s->catches / (float)CATCHER_MAX_CATCHES;", "values[1] = 3.0f;"),
            ("values[0] = (float)s->catches;", 'values[0] = __builtin_nanf("");'),
            ("obs->ball_x = s->ball_x;", "obs->ball_x = 900.0f * s->ball_x;"),
            ('PFC_OBS("ball_x", 1, 0, 1,', 'PFC_OBS("ball_x", 1, 0, 1000,'),
            ("io.actions[0] == 2", "io.actions[0] == 3"),
            ("io.terminated[0] = 1;\n    return;", "io.terminated[0] = 2;\n    return;"),
        ],
        {
            "reward_not_finite": "a reward was infinite",
            "reward_large": "the largest reward had the absolute value 5000",
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
            "seed_repeats": "two games with the same seed and actions differed: ",
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
            "draw_order": "begin exactly once at its start and end exactly once at its end",
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
            "draw_not_finite": "not finite",
            "seed_repeats": "differed: the reward was",
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
            "state_address": "the state holds an address at byte ",
            "rng_overwritten": "reset overwrote s->rng",
            "draw_nothing": "draw drew no shapes",
            "episode_short": "episodes ended with its first step",
        },
    ),
    "inputs": (
        [
            include("fenv.h"),
            ("#include <fenv.h>\n", "#include <fenv.h>\n#include <stdint.h>\n"),
            (BEGIN, BEGIN + " ((CatcherParams*)(uintptr_t)p)->ball_speed = 0.03f;"),
            (FALL, FALL + " if (s->catches == 1) ((int32_t*)(uintptr_t)io.actions)[0] = 2;"),
            (CATCH, CATCH + " fesetround(FE_UPWARD);"),
        ],
        {
            "params_written": "reset changed the parameters",
            "actions_written": "step changed io.actions or io.controls",
            "float_mode": "step left another floating-point mode",
        },
    ),
    "a dead agent": (
        [(FALL, FALL + " io.alive[0] = 0;")],
        {"agent_never_alive": "agent 0 was not alive after any of [0-9]+ steps"},
    ),
    "two agents": (
        [
            (".sizes = {.action_counts", ".sizes = {.agents = 2, .action_counts"),
        ],
        {
            "agent_twin": "agents 0 and 1 always had the same observation",
            "agent_reward_zero": "every reward of agent 1 was 0",
            "agent_without_effect": "the actions of agent 1 changed nothing",
        },
    ),
    "masks": (
        [
            *mask(
                "s->ball_y += 0.0001f; static int looks; legal[0] = 3; legal[1] = ++looks % 2; legal[2] = 1;"
                " if (s->catches == 1) legal[0] = legal[1] = legal[2] = 0;"
            ),
        ],
        {
            "looking_changes_state": "mask changed the state at byte ",
            "mask_value": r"mask wrote 3 to legal\[0\], expected 0 or 1",
            "mask_empty": "mask allowed no choice in dimension 0",
            "mask_unrepeatable": "two calls of mask on the same state gave different masks",
        },
    ),
    "built-in player": (
        [
            *mask("legal[0] = 1; legal[1] = s->paddle_x > 0; legal[2] = s->paddle_x < 1;"),
            *script(
                "static int32_t calls;\n"
                "  if (level == 1 && ++calls % 2 == 0) choices[0] = 3; else if (level == 1) choices[0] = 1;\n"
                "  if (level == 0 && s->ball_y > 0.5f) choices[0] = 2;"
            ),
        ],
        {
            "script_illegal": "script level [01] chose [12] in dimension 0, which is not legal",
            "script_range": "script level 1 chose 3 in dimension 0, expected 0 to 2",
            "script_unwritten": "script level 0 did not write its action in dimension 0",
            "script_unrepeatable": "script level 1 acted differently in the same state with the same generator",
        },
    ),
    "state fields": (
        part(
            ".fields = catcher_fields, .num_fields = 1",
            'static const PfcField catcher_fields[] = {{"catches", PFC_INT64, 4, 16}};',
        ),
        {"field_range": "state field catches has 4 values of 8 bytes at byte 16, but the state has 32 bytes"},
    ),
    "sides": (
        [
            *part(
                ".team = catcher_team",
                "static int32_t catcher_team(const void* params, int32_t agent) { (void)params; return agent + 1; }",
            ),
            (".sizes = {", ".sizes = {.teams = 1, "),
        ],
        {"team_range": "catcher: agent 0 is in team 1, expected 0 to 0"},
    ),
    "observation table": (
        part(
            ".fill_rows = catcher_fill_rows",
            "static void catcher_fill_rows(const void* params, PfcObsRow* rows) {\n"
            "  rows[1].count = ((const CatcherParams*)params)->max_steps == 0 ? 2 : 1;\n}",
        ),
        {"observation_table": "with max_steps = 0: catcher: the observation table has 5 values, but the observation h"},
    ),
    "codes": (
        [('PFC_OBS("ball_y", 1, 0, 1,', 'PFC_OBS_CODES("ball_y", 1, 2,')],
        {"observation_code": r"observation ball_y was 0\.\d+; its table says codes 0 to 1"},
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
        "metric_unlisted",
        r"^metrics wrote value 3, but .metrics lists 2 names$",
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
        "the game did not return in step",
    ),
    "beyond the mask": (
        mask("legal[0] = legal[1] = legal[2] = legal[3] = 1;"),
        "crash",
        "SIGSEGV in mask: it wrote 0 bytes past the end of its mask, which has 3 bytes",
    ),
    "a level that crashes": (
        script("choices[0] = 0; if (level == 1) choices[1] = 0;"),
        "crash",
        "SIGSEGV in script level 1: it wrote 0 bytes past the end of its choices, which has 4 bytes",
    ),
    "exit": (
        (CATCH, "__builtin_exit(3);"),
        "exit",
        "ended the process with exit code 3, in step",
    ),
}

# Data outside the state, and a state that the pool does not clear because the game has open and close.
OPENED = (
    ('.title = "Catcher"', '.title = "Catcher", .open = catcher_open, .close = catcher_close'),
    (
        "static void catcher_draw",
        "static bool catcher_open(void* s, const void* p) { return s != p; }\n"
        "static void catcher_close(void* s) { (void)s; }\nstatic void catcher_draw",
    ),
)
ELSEWHERE = {
    "script_changes_game": (
        [
            *OPENED,
            *script("choices[0] = 0; if (s->ball_y > 0.5f) s->ball_x = 0.5f;"),
        ],
        "a game in which the built-in player was called differed from one in which it was not",
    ),
    "observation_unrepeatable": (
        [(OBSERVE, "static int looks; obs->ball_x = (float)(looks++ % 2);")],
        "two calls of observe on the same state gave different values of ball_x",
    ),
    "reset_clears": ([*OPENED], "a game that was reset with a seed differed from a new one with that seed"),
    "position": (
        [*OPENED, (BEGIN, BEGIN + " s->catches = 0;"), (FALL, FALL + " if (io.actions[1] == 2) s->ball_x = 0;")],
        "a game in a batch differed from the same game by itself",
    ),
    "threads": (
        [
            include("unistd.h", "sys/syscall.h"),
            (  # the first thread sleeps sometimes, so that other threads also run on a single core
                FALL,
                FALL + " static int calls; if (syscall(SYS_gettid) != getpid()) s->ball_x = 0;"
                " else if (++calls % 512 == 0) usleep(100);",
            ),
        ],
        "games with four threads differed from games with one: ",
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
        "a game that was saved and loaded differed from one that was not",
    ),
}
