// guard.h - a game's spec wrapped so that every call of the game is watched: where it is noted in the
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

// What the game does is noted in the check's trace from now on.
void pfc_guard_begin(const PfcCheckDesc* desc);
// The wrapped spec, NULL when there is no memory. params: [num_params] overrides, as the pools will get them.
const PfcEnvSpec* pfc_guard_open(const PfcCheckDesc* desc, PfcGuardMode mode);
void pfc_guard_close(void);

// The first `bytes` bytes of the check's data, for pools that are made from now on: read-only, between forbidden memory.
// false: no memory. Given out by pfc_guard_data until then as a whole; NULL where the check has none.
bool pfc_guard_cut_data(uint64_t bytes);
const void* pfc_guard_data(uint64_t* bytes);

// What the wrapper found goes to report, with what is only known to the caller: the step.
void pfc_guard_report_to(void (*report)(const PfcFinding*));
void pfc_guard_set_step(const char* stage, int64_t step);

// The pool that runs the wrapped spec, from which game numbers are known; NULL before it is destroyed.
void pfc_guard_attach(PfcPool* pool);

// A call of one of the game's functions, noted in the trace.
void pfc_guard_enter(const char* function, int64_t game, int64_t agent);
void pfc_guard_leave(void);

// Whether a word of a game's state is an address: inside the guard's memory for states.
bool pfc_guard_owns(uint64_t address);

#endif  // PUFFERC_CONFORMANCE_GUARD_H
