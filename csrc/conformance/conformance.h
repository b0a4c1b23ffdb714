// conformance.h - the checks of a game's contract, for `pufferc check` and for the tests of the built-in games.
//
// The checks play the game with random actions. They examine observations, rewards, ends and metrics (stats.c), reads
// and writes outside of buffers (guard.c), agents that do not matter (agents.c), masks and built-in players
// (choices.c), tables that depend on parameters (tables.c), and whether the same seed gives the same game with any
// number of threads, at any index of a batch and after a snapshot (compare.c).
//
// A game with a mistake may crash or never return. To survive that, call pfc_check_game in a child process and put its
// PfcTrace into shared memory.
//
// Not part of the public API. A process runs one check at a time: the state is static, since a spec's functions get no
// context.
#ifndef PUFFERC_CONFORMANCE_H
#define PUFFERC_CONFORMANCE_H

#include "pufferc/pufferc.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum PfcSeverity { PFC_NOTE = 0, PFC_WARNING = 1, PFC_ERROR = 2 } PfcSeverity;

// One finding. Findings with the same code and subject are reported once.
typedef struct PfcFinding {
  PfcSeverity severity;
  const char* code;           // the broken rule as one word: "observation_range"
  const char* subject;        // the observation, metric or function, "" if none
  int64_t game, agent, step;  // where it was first seen, -1 = does not apply. Step 0 is the reset.
  uint64_t address;           // of a global variable, from the start of its shared object; else 0
  char seen[320];             // what was observed, a sentence without a full stop
} PfcFinding;

// What the game is doing now, and after a crash, where it happened.
typedef struct PfcTrace {
  char stage[24];     // "memory", "threads", ...
  char function[16];  // of the game, "" between calls
  int64_t game, agent, step;
  int64_t calls;    // of the game's functions so far; stops growing if one does not return
  int32_t signal;   // the signal that ended the process, 0 = none
  int32_t done;     // 1 = all checks have run
  char fault[192];  // cause of the signal: "wrote 4 bytes past the end of its observation"
} PfcTrace;

typedef struct PfcCheckDesc {
  const PfcEnvSpec* spec;
  const PfcParamValue* params;  // [num_params] overrides
  int32_t num_params;
  const void* data;       // [data_bytes] contents of a data file, or NULL
  uint64_t data_bytes;
  int32_t is_module;      // 1 = the spec is in a shared object of its own; changes of its variables are reported
  int32_t catch_signals;  // 1 = write the cause of a crash into the trace (not under sanitizers)
  PfcTrace* trace;        // updated at every call of the game, or NULL
  void (*report)(void* context, const PfcFinding* finding);
  void* context;
} PfcCheckDesc;

// Runs all checks, which takes seconds. PFC_INVALID, with pfc_last_error, if no pool of the game can be created.
PfcStatus pfc_check_game(const PfcCheckDesc* desc);

// Number of values that the game's metrics function writes after one step of random play, which may be more than its
// names. PFC_MAX_METRICS at most are counted and PFC_MAX_METRICS more are survived. -1 if no pool can be created.
int32_t pfc_count_metrics(const PfcCheckDesc* desc);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_CONFORMANCE_H
