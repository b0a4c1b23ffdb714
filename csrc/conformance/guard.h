// guard.h - a game's spec wrapped so that every call of the game is watched: it is noted in the trace and, by mode,
// every buffer that the game gets ends or starts at forbidden memory.
//
// A pool that runs the wrapped spec behaves as it does with the game itself. One at a time, in a single-threaded pool.
// The guard owns its memory until pfc_guard_close.
#ifndef PUFFERC_CONFORMANCE_GUARD_H
#define PUFFERC_CONFORMANCE_GUARD_H

#include "conformance/conformance.h"

typedef enum PfcGuardMode {
  PFC_GUARD_NONE,  // calls are only traced, for games that own objects outside their state and cannot be moved
  PFC_GUARD_END,   // buffers end at forbidden memory
  PFC_GUARD_BEGIN  // buffers start after it
} PfcGuardMode;

// From now on the game's calls are noted in the check's trace.
void pfc_guard_begin(const PfcCheckDesc* desc);
// The wrapped spec, NULL when there is no memory. params: [num_params] overrides, as the pools will get them.
const PfcEnvSpec* pfc_guard_open(const PfcCheckDesc* desc, PfcGuardMode mode);
void pfc_guard_close(void);

// Cuts the check's data to its first `bytes` bytes for pools that are made from now on; they are read-only, between
// forbidden memory. false: no memory. pfc_guard_data gives the data, at first whole; NULL where the check has none.
bool pfc_guard_cut_data(uint64_t bytes);
const void* pfc_guard_data(uint64_t* bytes);

// Where the wrapper reports findings, and the step that it reports them for.
void pfc_guard_report_to(void (*report)(const PfcFinding*));
void pfc_guard_set_step(const char* stage, int64_t step);

// The pool that runs the wrapped spec and gives the game numbers; NULL before it is destroyed.
void pfc_guard_attach(PfcPool* pool);

// A call of one of the game's functions, noted in the trace.
void pfc_guard_enter(const char* function, int64_t game, int64_t agent);
void pfc_guard_leave(void);

// Whether a word of a game's state is an address: inside the guard's memory for states.
bool pfc_guard_owns(uint64_t address);

#endif  // PUFFERC_CONFORMANCE_GUARD_H
