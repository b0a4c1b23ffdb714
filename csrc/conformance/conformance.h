// conformance.h - the checks of a game's contract, for `pufferc check` and for the tests of the built-in games.
//
// The checks play the game with random actions and examine observations, rewards, ends and metrics (stats.c); reads and
// writes, by buffers that end at forbidden memory (guard.c); masks and built-in players (choices.c); tables that depend
// on parameters (tables.c); and whether the same seed plays the same game with any number of threads, at any place in a
// batch and after a snapshot (compare.c).
//
// A game with a mistake may crash or never return. To survive that, call pfc_check_game in a process of its own, with
// its PfcTrace in memory that both processes share.
//
// Not part of the public API. One check at a time in a process: its state is static, since a spec's functions get no
// context.
#ifndef PUFFERC_CONFORMANCE_H
#define PUFFERC_CONFORMANCE_H

#include "pufferc/pufferc.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum PfcSeverity { PFC_NOTE = 0, PFC_WARNING = 1, PFC_ERROR = 2 } PfcSeverity;

// One thing that was found, reported once for each pair of code and subject.
typedef struct PfcFinding {
  PfcSeverity severity;
  const char* code;           // the broken rule as one word: "observation_range"
  const char* subject;        // the observation, metric or function it is about, "" if none
  int64_t game, agent, step;  // where it was first seen, -1 = does not apply. Step 0 is the reset.
  uint64_t address;           // of a global variable, from the start of its shared object; else 0
  char seen[320];             // what was observed, a sentence without its full stop
} PfcFinding;

// What the game is doing now, and after a crash, where it happened.
typedef struct PfcTrace {
  char stage[24];     // "memory", "threads", ...
  char function[16];  // of the game, "" between calls
  int64_t game, agent, step;
  int64_t calls;    // of the game's functions so far; stops growing when one does not return
  int32_t signal;   // that ended the process, 0 = none
  int32_t done;     // 1: all checks were made
  char fault[192];  // the cause of the signal: "wrote 4 bytes past the end of its observation"
} PfcTrace;

typedef struct PfcCheckDesc {
  const PfcEnvSpec* spec;
  const PfcParamValue* params;  // [num_params] overrides
  int32_t num_params;
  const void* data;       // [data_bytes] of a file for games that read one, or NULL
  uint64_t data_bytes;
  int32_t is_module;      // 1: the spec is in a shared object of its own, whose variables are watched
  int32_t catch_signals;  // 1: write the cause of a crash into the trace (not under sanitizers)
  PfcTrace* trace;        // updated at every call of the game; NULL = none
  void (*report)(void* context, const PfcFinding* finding);
  void* context;
} PfcCheckDesc;

// Runs all checks, which takes seconds. PFC_INVALID with the last error where no pool of the game can be made.
PfcStatus pfc_check_game(const PfcCheckDesc* desc);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_CONFORMANCE_H
