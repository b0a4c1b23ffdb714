// memory.h - buffers between inaccessible pages, and a description of the access that caused a crash.
#ifndef PUFFERC_CONFORMANCE_MEMORY_H
#define PUFFERC_CONFORMANCE_MEMORY_H

#include <stdbool.h>

#include "conformance/conformance.h"

// One buffer, at the start or the end of accessible pages that lie between inaccessible ones.
typedef struct PfcArea {
  const char* name;
  unsigned char* map;  // NULL = not created
  uint64_t map_bytes;
  unsigned char* data;
  uint64_t bytes;
  bool read_only;
} PfcArea;

// If `bytes` is not a multiple of the alignment, accesses up to alignment - 1 bytes past the end are not detected.
// Returns false if there is no memory; pfc_area_free then releases what was allocated.
bool pfc_area_make(PfcArea* area, const char* name, uint64_t bytes, uint64_t alignment, bool at_end);
void pfc_area_free(PfcArea* area);
// Makes the area read-only.
bool pfc_area_protect(PfcArea* area);
bool pfc_area_holds(const PfcArea* area, uint64_t address);

// Whether an address lies in memory that this process uses.
bool pfc_memory_in_use(uint64_t address);

// Sets the areas that describe the address of a crash. They must outlive the check.
void pfc_memory_watch(const PfcArea* areas, int count);

// Installs a handler that writes a fatal signal and its cause into the trace. The handler has its own stack, so that it
// also reports endless recursion.
void pfc_memory_catch_signals(PfcTrace* trace);

#endif  // PUFFERC_CONFORMANCE_MEMORY_H
