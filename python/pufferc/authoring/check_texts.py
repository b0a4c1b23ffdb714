"""What `pufferc check` says about each finding besides what was seen: why it matters, and what to change."""

from __future__ import annotations

__all__ = ["IMPORTS", "TEXTS"]

# Code of a finding: (why it matters, what to change).
TEXTS: dict[str, tuple[str, str]] = {
    # ---- memory
    "crash": (
        "A game that crashes ends the whole training run.",
        "Look at every index and pointer in that function. `pufferc check --debug` names the line in the source.",
    ),
    "hang": (
        "A step has to end, or training stands still for ever.",
        "Look at the loops in that function, above all `while`: each needs a bound that it surely reaches.",
    ),
    "exit": (
        "A game runs inside somebody's program and must not end it.",
        "Take out calls of exit and abort. A game cannot fail: end the episode by io.terminated[0] = 1.",
    ),
    "sanitizer": (
        "This is undefined behaviour: it may work today and crash, or compute something else, tomorrow.",
        "The line number above is in your source; change what that line reads, writes or computes.",
    ),
    "state_address": (
        "States are moved, saved and copied as bytes; an address in them then points to another game, or nowhere.",
        "Keep an index in the state instead of a pointer. Constant tables belong outside of it, as PFC_TABLE.",
    ),
    "global_variable": (
        "All games share such a variable, on all threads at once: results depend on chance.",
        "Move it into the state struct. A table that never changes is declared `static const`.",
    ),
    "looking_changes_state": (
        "observe, mask, metrics, draw and script only look. How often they are called depends on who watches, and so "
        "would the game.",
        "Change the state in step or reset only; if one of them needs a random number, draw it there and keep it. "
        "script draws from the generator that it is given.",
    ),
    "data_address": (
        "The file lies at another address in the next process, so that a resumed run would read what is not there.",
        "Copy what the game needs into the state, or keep an index. Step and observe never see the data.",
    ),
    "data_missing": (
        "reset_from and respawn_from were not called.",
        "Give the file as well: pufferc check GAME --data PATH.",
    ),
    "rng_overwritten": (
        "Without it all games play the same, whatever their seeds.",
        "Do not clear the whole state in reset (memset, *s = ...): everything but rng is zero there already.",
    ),
    "flag_value": (
        "Flags are 0 or 1; anything else is counted wrongly.",
        "Assign 1, or a comparison such as s->lives == 0.",
    ),
    # ---- observations
    "observation_range": (
        "The table is what users and networks rely on: scaling and Gymnasium's spaces are made from it.",
        "Widen the range in the observation table, or clamp the value in observe: pfc_clampf(value, low, high).",
    ),
    "observation_code": (
        "Encoders look codes up in a table: another number reaches into what belongs to other values.",
        "Write whole numbers from 0 to num_codes - 1, or raise num_codes in the observation table.",
    ),
    "observation_table": (
        "Encoders read the observation by this table, so no pool is made without a sound one.",
        "Look at layout and fill_rows: the counts of all rows add up to the observation's size, for all parameters.",
    ),
    "observation_not_finite": (
        "One such number makes every weight of the network NaN: training is lost from there on.",
        "Look for divisions by zero, square roots of negative numbers, and speeds that grow without bound.",
    ),
    "observation_unwritten": (
        "What stands there is what another game left behind.",
        "Assign every member of the observation struct in observe, on every path through it.",
    ),
    "observation_unrepeatable": (
        "The same state has to look the same, or nothing can be repeated.",
        "observe must depend on the state alone: look for variables without a value, globals, random numbers.",
    ),
    "observation_zero": (
        "An agent that sees nothing cannot learn.",
        "Assign the members of the observation struct in observe: obs->... = ...",
    ),
    "observation_constant": (
        "A value that never changes tells the agent nothing; often its assignment was forgotten.",
        "Assign it in observe; or take it out, unless it only changes in situations that random play never reaches.",
    ),
    "observation_large": (
        "Networks learn best from values of about -1 to 1, and hardly from very large ones.",
        "Divide it by its usual size in observe, and change its range in the table.",
    ),
    # ---- masks, built-in players, sides, state fields
    "mask_empty": (
        "An agent that may do nothing cannot act at all.",
        "Set at least one byte of each dimension to 1. An agent that waits for its turn has one legal choice in each.",
    ),
    "mask_value": (
        "A byte of a mask is 0 or 1; of anything else only the lowest bit counts.",
        "Assign 1, or a comparison such as s->board[cell] == 0; there are as many bytes as choices in all dimensions.",
    ),
    "mask_unrepeatable": (
        "The same state has to allow the same choices, or actions that were legal are refused.",
        "mask must depend on the state alone: look for variables without a value, globals, random numbers.",
    ),
    "script_illegal": (
        "The pool refuses such a move, and the match ends there.",
        "Look at what mask allows before choosing; a player may call the game's own mask function.",
    ),
    "script_range": (
        "The pool refuses such an action, and the match ends there.",
        "Choices count from 0 and controls lie in [-1, 1]. Write choices in a discrete game and controls in a "
        "continuous one.",
    ),
    "script_unwritten": (
        "What stands there is what another row left behind.",
        "Write all dimensions of the action, on every path through script.",
    ),
    "script_unrepeatable": (
        "Matches against a built-in player could not be repeated.",
        "Draw from the generator that script is given; use no other one and no variable outside.",
    ),
    "script_changes_game": (
        "Whether a built-in player is asked must make no difference to the game.",
        "script only looks: keep nothing, in the state or outside, and draw from the generator that it is given.",
    ),
    "team_range": (
        "Matches and ratings go by sides.",
        "team answers 0 to teams - 1 for every agent, for all parameters; or set sizes.teams in layout.",
    ),
    "field_range": (
        "Tests would read and write what belongs to another game.",
        "Compute offset and count from the parameters in field, as layout computes the size of the state.",
    ),
    # ---- rewards, ends, metrics
    "reward_not_finite": (
        "One such reward makes every weight of the network NaN.",
        "Look for divisions by zero in what is assigned to io.rewards.",
    ),
    "reward_zero": (
        "Without rewards there is nothing to learn from. Random play found none; a new policy plays at random, too.",
        "Assign io.rewards[0] in step; or reward small steps in the right direction, too.",
    ),
    "reward_large": (
        "Values of states grow with the rewards, and large ones are learnt slowly and unsteadily.",
        "Scale rewards so that one of usual size is about 1. Numbers to show to people belong into metrics.",
    ),
    "episode_endless": (
        "Scores are those of finished episodes: there would be none, and no fresh starts either.",
        "Set io.terminated[0] = 1 where the game is over, or give max_steps a default above 0.",
    ),
    "episode_short": (
        "There is nothing to decide in an episode of one step. Often a condition is missing before the end.",
        "Look at what sets io.terminated in step: it should be 1 only when the game is over.",
    ),
    "episode_truncated": (
        "That is fine for tasks without an end. Otherwise the rules never set io.terminated.",
        "If there are ways to win or lose, set io.terminated[0] = 1 there.",
    ),
    "metric_not_finite": (
        "It makes the mean over all episodes useless.",
        "Look for divisions by zero in metrics; an episode may be one step long.",
    ),
    "perf_range": (
        "perf is the share of the best possible result: 0 is nothing, 1 is perfect.",
        "Divide by the highest possible score; or call the metric something else.",
    ),
    # ---- repeatability
    "seed_repeats": (
        "The same seed has to give the same game, bit for bit: else no result can be repeated and no run resumed.",
        "Random numbers come from s->rng only. Give every local variable a value; use no clock and no variable "
        "outside the state.",
    ),
    "reset_clears": (
        "What is left of earlier episodes makes a game depend on its past.",
        "Keep everything in the state struct: all of it but rng is zero when reset is called.",
    ),
    "position": (
        "A game has to play the same alone and among thousands.",
        "Use nothing but the arguments: no variable outside the state, and only indices below the number of agents.",
    ),
    "threads": (
        "Games are stepped by several threads at once; the result must not depend on how many.",
        "Use no variable outside the state, also no `static` one inside a function.",
    ),
    "snapshot": (
        "A resumed run would go on differently from one that was never interrupted.",
        "Everything that decides about the future belongs into the state struct.",
    ),
    "seed_without_effect": (
        "A policy may then learn one game by heart instead of how to play.",
        "Draw something in reset, a starting place say: pfc_rng_uniform(&s->rng, low, high).",
    ),
    "action_without_effect": (
        "An agent whose actions change nothing cannot learn.",
        "Read io.actions (or io.controls) in step, and compare with the right numbers: choices count from 0.",
    ),
    "action_twice": (
        "Two choices that mean the same make learning slower; often one of them was forgotten.",
        "Look at the comparisons with io.actions in step; choices count from 0. Or lower the number in action_counts.",
    ),
    # ---- pictures
    "draw_order": (
        "Without begin there is no picture, without end it is never shown.",
        "Call d->begin once at the start of draw, and d->end once at its end, on every path.",
    ),
    "draw_not_finite": (
        "Such a shape is not drawn, or fills the screen.",
        "Look for divisions by zero in draw; widths, heights and radii are never negative.",
    ),
    "draw_nothing": (
        "play and record would show an empty picture.",
        "Draw at least one shape between d->begin and d->end.",
    ),
    # ---- what the file uses
    "import_random": (
        "They are shared by all games and threads, so that no game can be repeated.",
        "Draw from the game's own generator: pfc_rng_below(&s->rng, 6), pfc_rng_uniform(&s->rng, -1, 1), ...",
    ),
    "import_clock": (
        "A game that looks at the clock plays differently on a faster machine.",
        "Count steps in the state instead.",
    ),
    "import_memory": (
        "Memory outside the state is not saved, not copied, and slow.",
        "Put an array of fixed size into the state; sizes that depend on parameters: see layout in pufferc/env.h.",
    ),
    "import_exit": (
        "A game runs inside somebody's program and must not end it.",
        "End the episode instead: io.terminated[0] = 1.",
    ),
    "import_files": (
        "Thousands of games a second would read or write.",
        "Take it out of the game; for looking at something while you write it, a debugger or --debug is better.",
    ),
    "import_math": (
        "Their last bits differ between systems, so that a game plays differently elsewhere.",
        "pufferc/fmath.h has pfc_sinf, pfc_cosf, pfc_expf and others that are the same everywhere.",
    ),
    "output": (
        "Output slows a game down a thousandfold, and nobody reads it.",
        "Take the printing out.",
    ),
    "speed": ("", ""),
}

_SEPARATE = {
    "import_random": "rand srand random srandom rand_r drand48 lrand48 mrand48 srand48 arc4random getrandom getentropy",
    "import_clock": "time clock gettimeofday clock_gettime localtime gmtime nanosleep usleep sleep",
    "import_memory": "malloc calloc realloc free posix_memalign aligned_alloc strdup mmap",
    "import_exit": "exit _exit _Exit quick_exit abort __assert_fail kill raise",
    "import_files": "printf puts putchar fprintf fputs fwrite fopen fclose fread fgets scanf open read write perror "
    "__printf_chk __fprintf_chk getenv system popen",
    "import_math": "sin cos tan asin acos atan atan2 sinh cosh tanh exp exp2 expm1 log log2 log10 log1p pow cbrt hypot",
}
# Names of the C library: the finding that their use is.
IMPORTS: dict[str, str] = {name: code for code, names in _SEPARATE.items() for name in names.split()}
IMPORTS |= {f"{name}f": code for name, code in IMPORTS.items() if code == "import_math"}
