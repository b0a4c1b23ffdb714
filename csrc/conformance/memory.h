// memory.h - buffers between memory that nobody may touch, and what a crash says of them.
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

// With bytes no multiple of the alignment, up to alignment - 1 of those past the end can be touched all the same.
// false: no memory; pfc_area_free then takes back what there is.
bool pfc_area_make(PfcArea* area, const char* name, uint64_t bytes, uint64_t alignment, bool at_end);
void pfc_area_free(PfcArea* area);
// From now on nothing can be written to the area.
bool pfc_area_protect(PfcArea* area);
bool pfc_area_holds(const PfcArea* area, uint64_t address);

// The areas that a crash is explained with; they outlive the check.
void pfc_memory_watch(const PfcArea* areas, int count);

// From now on the trace says which signal ends the process and what it was about. The handler has a stack of its own,
// so that endless recursion is seen, too.
void pfc_memory_catch_signals(PfcTrace* trace);

#endif  // PUFFERC_CONFORMANCE_MEMORY_H
