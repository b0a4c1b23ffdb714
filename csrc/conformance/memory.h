// memory.h - buffers between forbidden pages, and which of them a crash has hit.
#ifndef PUFFERC_CONFORMANCE_MEMORY_H
#define PUFFERC_CONFORMANCE_MEMORY_H

#include <stdbool.h>

#include "conformance/conformance.h"

// One buffer: forbidden pages, readable ones with the buffer at their start or end, forbidden pages.
typedef struct PfcArea {
  const char* name;
  unsigned char* map;  // NULL: not made
  uint64_t map_bytes;
  unsigned char* data;
  uint64_t bytes;
  bool read_only;
} PfcArea;

// Where `bytes` is not a multiple of the alignment, up to alignment - 1 bytes past the end can be touched unnoticed.
// false: no memory; pfc_area_free then releases what was made.
bool pfc_area_make(PfcArea* area, const char* name, uint64_t bytes, uint64_t alignment, bool at_end);
void pfc_area_free(PfcArea* area);
// Makes the area read-only.
bool pfc_area_protect(PfcArea* area);
bool pfc_area_holds(const PfcArea* area, uint64_t address);

// The areas by which a crash is explained; they outlive the check.
void pfc_memory_watch(const PfcArea* areas, int count);

// From now on a signal that ends the process is written into the trace with its cause. The handler has a stack of its
// own, so that endless recursion is reported too.
void pfc_memory_catch_signals(PfcTrace* trace);

#endif  // PUFFERC_CONFORMANCE_MEMORY_H
