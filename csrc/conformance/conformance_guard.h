// conformance_guard.h - a game's spec wrapped so that every call of the game is watched: where it is noted in the
// trace, and, where asked for, every buffer the game gets ends (or begins) at memory that nobody may touch.
//
// The wrapped spec is a spec like any other; a pool that runs it behaves as it does with the game itself. One at a
// time, in a single-threaded pool. The guard owns its memory until pfc_guard_close.
#ifndef PUFFERC_CONFORMANCE_GUARD_H
#define PUFFERC_CONFORMANCE_GUARD_H

#include "conformance/conformance.h"

typedef enum PfcGuardMode {
  PFC_GUARD_NONE,  // calls are only traced: games that own something outside their state cannot be moved
  PFC_GUARD_END,   // buffers end at forbidden memory
  PFC_GUARD_BEGIN  // buffers begin at it
} PfcGuardMode;

// The wrapped spec, NULL when there is no memory. params: [num_params] overrides, as the pools will get them.
const PfcEnvSpec* pfc_guard_open(const PfcCheckDesc* desc, PfcGuardMode mode);
void pfc_guard_close(void);

// What the wrapper found goes to report, with what is only known to the caller: the step.
void pfc_guard_report_to(void (*report)(const PfcFinding*));
void pfc_guard_set_step(const char* stage, int64_t step);

// The pool that runs the wrapped spec, from which game numbers are known; NULL before it is destroyed.
void pfc_guard_attach(PfcPool* pool);

// Whether a word of a game's state is an address: inside the guard's memory for states.
bool pfc_guard_owns(uint64_t address);

#endif  // PUFFERC_CONFORMANCE_GUARD_H
