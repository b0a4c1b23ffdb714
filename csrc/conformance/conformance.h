// conformance.h - a game's contract, checked from outside: what `pufferc check` tells authors, and what our own tests
// hold every game to.
//
// The checks play the game with random actions and look: at observations, rewards, ends and metrics
// (stats.c); at what it reads and writes, by handing it memory that ends where its buffers end
// (guard.c); at masks and built-in players (choices.c); at tables that depend on parameters
// (tables.c); and at whether the same seed plays the same game, whatever the threads, the place in the
// batch, or a snapshot in between.
//
// A game with a mistake may crash or never return. Who wants to survive that calls pfc_check_game in a process of its
// own and reads the PfcTrace, in memory that both share, afterwards.
//
// Not part of the public API. One check at a time in a process: what is going on stands in a static variable, since a
// spec's functions carry no context.
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
  const char* code;           // which promise, as one word: "observation_range"
  const char* subject;        // the observation, metric or function it is about, "" if none
  int64_t game, agent, step;  // where it was first seen, -1 where that means nothing. Step 0 is the reset.
  uint64_t address;           // of a global variable, from the start of its shared object; else 0
  char seen[320];             // what was seen, as a sentence without its full stop
} PfcFinding;

// What the game is doing now. After a crash: how far it came, and where it reached.
typedef struct PfcTrace {
  char stage[24];     // "memory", "threads", ...
  char function[16];  // of the game, "" between calls
  int64_t game, agent, step;
  int64_t calls;    // of the game's functions so far; stands still when one does not return
  int32_t signal;   // that ended the process, 0 = none was seen
  int32_t done;     // 1: the checks came to their end
  char fault[192];  // what the signal was about: "wrote 4 bytes past the end of its observation"
} PfcTrace;

typedef struct PfcCheckDesc {
  const PfcEnvSpec* spec;
  const PfcParamValue* params;  // [num_params] overrides
  int32_t num_params;
  const void* data;       // [data_bytes] of a file for games that read one, or NULL
  uint64_t data_bytes;
  int32_t is_module;      // 1: the spec lies in a shared object of its own, whose variables are watched
  int32_t catch_signals;  // 1: note what a crash is about in the trace (not under sanitizers)
  PfcTrace* trace;        // written all the time; NULL = not wanted
  void (*report)(void* context, const PfcFinding* finding);
  void* context;
} PfcCheckDesc;

// Runs all checks; some seconds. PFC_INVALID with the last error where no pool of the game can be made.
PfcStatus pfc_check_game(const PfcCheckDesc* desc);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_CONFORMANCE_H
