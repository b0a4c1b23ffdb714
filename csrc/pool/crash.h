// crash.h - a message when a game's code ends the process, by a crash or by calling exit.
#ifndef PUFFERC_POOL_CRASH_H
#define PUFFERC_POOL_CRASH_H

#ifdef __cplusplus
extern "C" {
#endif

// Whether this thread runs a game's code: its step, reset, observe, mask or metrics. Written by step.c. Not in static
// TLS, which a program that loads large libraries may have used up. So the handler's read may allocate in a thread that
// never ran a game.
#ifndef __cplusplus
extern _Thread_local int pfc_in_game;
#endif
void pfc_enter_game(void);  // sets it

// From now on, if a game's code crashes or calls exit, writes `before`, the cause ("crashed with SIGSEGV") and `after`
// to standard error. A crash then takes its usual course. Exit, which is noticed on Linux only, ends the process with
// code 1, whatever the game passed. Texts are copied, and cut to 1000 bytes each. NULL, NULL: stop. Not thread-safe;
// handlers of signals are process-wide.
void pfc_watch_crashes(const char* before, const char* after);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_POOL_CRASH_H
