"""Texts of `pufferc check`: why each finding matters, and what to change."""

from __future__ import annotations

__all__ = ["IMPORTS", "TEXTS"]

# Code of a finding: (why it matters, what to change).
TEXTS: dict[str, tuple[str, str]] = {
    # ---- memory
    "crash": (
        "A game that crashes ends the whole training run.",
        "Check every index and pointer in that function. `pufferc check --debug` names the line in the source.",
    ),
    "hang": (
        "A step that never returns stops the training.",
        "Check the loops in that function, `while` loops first. Each must end.",
    ),
    "exit": (
        "A game runs inside another program and must not end it.",
        "Remove calls of exit and abort. A step cannot fail: end the episode with io.terminated[0] = 1.",
    ),
    "sanitizer": (
        "This is undefined behaviour. It may seem to work now, and crash or give other results later.",
        "The line number above is in your source; change what that line reads, writes or computes.",
    ),
    "state_address": (
        "States are moved, saved and copied as bytes. An address in a state then points elsewhere.",
        "Store an index in the state instead of a pointer. Constant tables belong outside the state, as PFC_TABLE.",
    ),
    "global_variable": (
        "All games on all threads share such a variable, so results depend on the timing of threads.",
        "Move it into the state struct. A table that never changes is declared `static const`.",
    ),
    "looking_changes_state": (
        "observe, mask, metrics, draw and script must not change the state. How often they are called depends on what "
        "the user displays, and the game must not depend on that.",
        "Change the state in step or reset only. If one of them needs a random number, draw it there and store it. "
        "script draws from its argument rng.",
    ),
    "data_address": (
        "The file has another address in the next process, so a resumed run would read from a wrong address.",
        "Copy what the game needs into the state, or store an index. Step and observe do not get the data.",
    ),
    "data_missing": (
        "reset_from and respawn_from were not called.",
        "Give the file as well: pufferc check GAME --data PATH.",
    ),
    "rng_overwritten": (
        "Without its generator every game is the same, for any seed.",
        "Do not clear the whole state in reset (memset, *s = ...): everything except rng is zero already.",
    ),
    "flag_value": (
        "Flags are 0 or 1; anything else is counted wrongly.",
        "Assign 1, or a comparison such as s->lives == 0.",
    ),
    "params_written": (
        "All games of a pool share the parameters, so one game then changes the others.",
        "Copy the value into the state in reset, and change it there.",
    ),
    "actions_written": (
        "The actions belong to the caller, who may read them again: training would learn from what the game wrote.",
        "Copy the action into a local variable, and do not cast const away.",
    ),
    "float_mode": (
        "The mode stays in the thread, so later results of other games and of the network change.",
        "Do not call fesetround or set flush-to-zero; or restore the mode before the function returns.",
    ),
    # ---- agents
    "agent_never_alive": (
        "Steps of an agent that is not alive are not learned from. If that is every agent, nothing is learned.",
        "io.alive is 1 after reset. Check where step sets it to 0: it should be 0 only after the agent has died.",
    ),
    "agent_reward_zero": (
        "An agent without rewards adds nothing to learning.",
        "Assign io.rewards[agent] in step, with the index of every agent.",
    ),
    "agent_twin": (
        "A policy cannot tell these agents apart, so they act alike.",
        "Use the argument agent in observe; add what differs, such as the agent's own position.",
    ),
    "agent_without_effect": (
        "Training then learns from actions that mean nothing.",
        "Read io.actions + agent * (number of dimensions), or io.controls, for every agent in step.",
    ),
    # ---- observations
    "observation_range": (
        "Input scaling and Gymnasium's spaces use the ranges in the table.",
        "Widen the range in the observation table, or clamp the value in observe: pfc_clampf(value, low, high).",
    ),
    "observation_code": (
        "Encoders look codes up in a table; another number selects the entry of another value.",
        "Write whole numbers from 0 to num_codes - 1, or raise num_codes in the observation table.",
    ),
    "observation_table": (
        "Encoders read observations by this table, so a pool cannot be created with an invalid one.",
        "Check layout and fill_rows: the counts of all rows must add up to the size of the observation.",
    ),
    "observation_not_finite": (
        "One such number makes every weight of the network NaN, and the training is lost.",
        "Look for divisions by zero, square roots of negative numbers, and speeds that grow without bound.",
    ),
    "observation_unwritten": (
        "The value is then left over from another game.",
        "Assign every member of the observation struct in observe, on every path through it.",
    ),
    "observation_unrepeatable": (
        "The same state must give the same observation, or no run can be repeated.",
        "observe must depend on the state only. Look for uninitialised variables, globals and random numbers.",
    ),
    "observation_zero": (
        "An agent that sees nothing cannot learn.",
        "Assign the members of the observation struct in observe: obs->... = ...",
    ),
    "observation_constant": (
        "A value that never changes is useless to the agent. Often its assignment is missing.",
        "Assign it in observe, or remove it, unless it changes only in situations that random play does not reach.",
    ),
    "observation_large": (
        "Networks learn best from values of about -1 to 1, and badly from very large ones.",
        "Divide it by its usual size in observe, and change its range in the table.",
    ),
    # ---- masks, built-in players, teams, state fields
    "mask_empty": (
        "An agent without a legal choice cannot act.",
        "Set at least one byte of each dimension to 1. An agent that waits for its turn has one legal choice in each.",
    ),
    "mask_value": (
        "A byte of a mask is 0 or 1; only its lowest bit is read.",
        "Assign 1, or a comparison such as s->board[cell] == 0; there are as many bytes as choices in all dimensions.",
    ),
    "mask_unrepeatable": (
        "The same state must allow the same choices, or legal actions are refused.",
        "mask must depend on the state only. Look for uninitialised variables, globals and random numbers.",
    ),
    "script_illegal": (
        "The pool refuses such a move, which ends the match.",
        "Choose among what mask allows; script may call the game's mask function.",
    ),
    "script_range": (
        "The pool refuses such an action, which ends the match.",
        "Choices are numbered from 0, and controls lie in [-1, 1]. Write choices in a discrete game and controls in a "
        "continuous one.",
    ),
    "script_unwritten": (
        "The value is then left over from another row.",
        "Write all dimensions of the action, on every path through script.",
    ),
    "script_unrepeatable": (
        "Matches against a built-in player would not be repeatable.",
        "Draw from script's argument rng only, and use no variable outside the state.",
    ),
    "script_changes_game": (
        "A call of a built-in player must not change the game.",
        "Store nothing in script, in the state or outside it, and draw from its argument rng only.",
    ),
    "team_range": (
        "Matches and ratings are between teams.",
        "team must return 0 to teams - 1 for every agent and all parameters; or set sizes.teams in layout.",
    ),
    "field_range": (
        "Tests would read and write the memory of another game.",
        "Compute offset and count from the parameters in field, as layout computes the size of the state.",
    ),
    # ---- rewards, ends, metrics
    "reward_not_finite": (
        "One such reward makes every weight of the network NaN.",
        "Look for divisions by zero in what is assigned to io.rewards.",
    ),
    "reward_zero": (
        "Without rewards nothing can be learned. Random play found none, and a new policy plays at random.",
        "Assign io.rewards[0] in step, or also reward small steps in the right direction.",
    ),
    "reward_large": (
        "Values grow with the rewards, and training on large values is slow and unstable.",
        "Scale rewards so that a typical one is about 1. Scores to display belong in metrics.",
    ),
    "episode_endless": (
        "Scores come from finished episodes. Without an end there are no scores and no new episodes.",
        "Set io.terminated[0] = 1 where the game is over, or give max_steps a default above 0.",
    ),
    "episode_short": (
        "An episode of one step needs no decisions. Often a condition is missing where io.terminated is set.",
        "Check where step sets io.terminated: it should be 1 only when the game is over.",
    ),
    "episode_truncated": (
        "This is right for tasks without an end. In other games the rules should set io.terminated.",
        "If there are ways to win or lose, set io.terminated[0] = 1 there.",
    ),
    "metric_unlisted": (
        "The pool stores one value per name; one more overwrites other memory. Training refuses such a game.",
        "Add a name to .metrics for every value that metrics writes.",
    ),
    "metric_not_finite": (
        "The mean over all episodes is then not finite either.",
        "Look for divisions by zero in metrics; an episode may be one step long.",
    ),
    "perf_range": (
        "perf is the fraction of the best possible result, from 0 to 1.",
        "Divide by the highest possible score, or rename the metric.",
    ),
    # ---- repeatability
    "seed_repeats": (
        "The same seed must give the same game, bit for bit; otherwise no result can be repeated and no run resumed.",
        "Random numbers come from s->rng only. Give every local variable a value; use no clock and no variable "
        "outside the state.",
    ),
    "reset_clears": (
        "Leftovers of earlier episodes change later ones.",
        "Keep everything in the state struct: all of it except rng is zero when reset is called.",
    ),
    "position": (
        "A game must give the same results by itself and in a batch of thousands.",
        "Use only the arguments, no variables outside the state, and only indices below the number of agents.",
    ),
    "threads": (
        "Several threads step games at once; the result must not depend on their number.",
        "Use no variables outside the state, including `static` variables in functions.",
    ),
    "snapshot": (
        "A resumed run would differ from one that was never interrupted.",
        "Everything that affects later steps belongs in the state struct.",
    ),
    "seed_without_effect": (
        "A policy may then memorise one game instead of learning to play.",
        "Draw something in reset, such as a starting position: pfc_rng_uniform(&s->rng, low, high).",
    ),
    "action_without_effect": (
        "An agent whose actions change nothing cannot learn.",
        "Read io.actions (or io.controls) in step, and compare with the right numbers; choices are numbered from 0.",
    ),
    "action_twice": (
        "Two choices with the same effect slow down learning. Often the code for one of them is missing.",
        "Check the comparisons with io.actions in step; choices are numbered from 0. Or reduce action_counts.",
    ),
    # ---- pictures
    "draw_order": (
        "Without begin there is no picture. Without end it is not shown.",
        "Call d->begin once at the start of draw, and d->end once at its end, on every path.",
    ),
    "draw_not_finite": (
        "Such a shape is not drawn, or covers the whole picture.",
        "Look for divisions by zero in draw; widths, heights and radii are never negative.",
    ),
    "draw_nothing": (
        "play and record would show an empty picture.",
        "Draw at least one shape between d->begin and d->end.",
    ),
    # ---- functions that the game calls
    "import_random": (
        "All games and threads share the state of these functions, so no game can be repeated.",
        "Draw from the game's generator: pfc_rng_below(&s->rng, 6), pfc_rng_uniform(&s->rng, -1, 1), ...",
    ),
    "import_clock": (
        "A game that reads the clock plays differently on a faster machine.",
        "Count steps in the state instead.",
    ),
    "import_memory": (
        "Memory outside the state is not saved and not copied, and allocation is slow.",
        "Put an array of fixed size into the state; for sizes that depend on parameters, see layout in pufferc/env.h.",
    ),
    "import_exit": (
        "A game runs inside another program and must not end it.",
        "End the episode instead: io.terminated[0] = 1.",
    ),
    "import_files": (
        "Thousands of games would read or write in every step.",
        "Remove it from the game. Use a debugger or --debug to examine values during development.",
    ),
    "import_math": (
        "The last bits of their results differ between systems, so a game would too.",
        "pufferc/fmath.h has pfc_sinf, pfc_cosf, pfc_expf and others that give the same bits everywhere.",
    ),
    "output": (
        "Output slows a game down a thousandfold.",
        "Remove the printing.",
    ),
    "nm_missing": (
        "nm lists the functions that the game calls, and the names of its variables.",
        "Install binutils, for example: apt-get install binutils.",
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
# The finding for each function of the C library.
IMPORTS: dict[str, str] = {name: code for code, names in _SEPARATE.items() for name in names.split()}
IMPORTS |= {f"{name}f": code for name, code in IMPORTS.items() if code == "import_math"}
