// guard.h - wraps a game's spec. Every call of the game is recorded in the trace. In two of the modes every buffer that
// the game gets ends or starts at inaccessible memory.
//
// A pool behaves the same with the wrapped spec and with the game itself. There is one guard at a time, for
// single-threaded pools. It owns its memory until pfc_guard_close.
#ifndef PUFFERC_CONFORMANCE_GUARD_H
#define PUFFERC_CONFORMANCE_GUARD_H

#include "conformance/conformance.h"

typedef enum PfcGuardMode {
  PFC_GUARD_NONE,  // calls are only recorded, for games that own objects outside their state and cannot be moved
  PFC_GUARD_END,   // buffers end at inaccessible memory
  PFC_GUARD_BEGIN  // buffers start after inaccessible memory
} PfcGuardMode;

// Selects the check's trace, in which calls are recorded.
void pfc_guard_begin(const PfcCheckDesc* desc);
// Returns the wrapped spec, or NULL without memory.
const PfcEnvSpec* pfc_guard_open(const PfcCheckDesc* desc, PfcGuardMode mode);
void pfc_guard_close(void);

// Truncates the check's data to its first `bytes` bytes for the next pools. The bytes are read-only and next to
// inaccessible memory. Returns false without memory. pfc_guard_data returns the data, or NULL if the check has none.
bool pfc_guard_truncate_data(uint64_t bytes);
const void* pfc_guard_data(uint64_t* bytes);

// Set the callback for findings, and the stage and step that are recorded with them.
void pfc_guard_report_to(void (*report)(const PfcFinding*));
void pfc_guard_set_step(const char* stage, int64_t step);

// Sets the pool that runs the wrapped spec, to find the index of a game. Pass NULL before the pool is destroyed.
void pfc_guard_attach(PfcPool* pool);

// Record the start and the end of a call of one of the game's functions.
void pfc_guard_enter(const char* function, int64_t game, int64_t agent);
void pfc_guard_leave(void);

// Whether a word of a game's state is an address in the guard's copy of the state.
bool pfc_guard_owns(uint64_t address);

#endif  // PUFFERC_CONFORMANCE_GUARD_H
