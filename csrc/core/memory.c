// memory.c - aligned memory, and how much of it is left.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base.h"

enum { LARGE_BYTES = 1 << 28 };  // larger requests are compared with the memory left, because the system overcommits

void* pfc_alloc(uint64_t bytes) {
  if (bytes > SIZE_MAX - PFC_ALIGNMENT || (bytes > LARGE_BYTES && bytes > pfc_memory_left())) return NULL;
  size_t rounded = ((size_t)bytes + PFC_ALIGNMENT) / PFC_ALIGNMENT * PFC_ALIGNMENT;
  void* memory = aligned_alloc(PFC_ALIGNMENT, rounded);
  if (memory) memset(memory, 0, rounded);
  return memory;
}

void pfc_free(void* memory) { free(memory); }

// The number after `key` ("" = at the start) in a system file, or `fallback` if there is none.
static uint64_t system_number(const char* path, const char* key, uint64_t fallback) {
  char text[4096];
  FILE* file = fopen(path, "r");
  if (!file) return fallback;
  text[fread(text, 1, sizeof text - 1, file)] = 0;
  fclose(file);
  const char* at = strstr(text, key);
  unsigned long long number;
  return at && sscanf(at + strlen(key), "%llu", &number) == 1 ? number : fallback;
}

static uint64_t physical_memory(void) {
  const long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
  return pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : UINT64_MAX;
}

// Memory that the container may still use: the limit of cgroup v2 or v1 minus the memory of this process. UINT64_MAX
// outside of a container.
static uint64_t container_memory(void) {
  uint64_t limit = system_number("/sys/fs/cgroup/memory.max", "", UINT64_MAX);
  limit = PFC_MIN(limit, system_number("/sys/fs/cgroup/memory/memory.limit_in_bytes", "", UINT64_MAX));
  if (limit >= INT64_MAX) return UINT64_MAX;
  const uint64_t used = system_number("/proc/self/status", "VmRSS:", 0) * 1024;
  return limit > used ? limit - used : 0;
}

uint64_t pfc_memory_left(void) {
  const uint64_t available_kb = system_number("/proc/meminfo", "MemAvailable:", 0);
  const uint64_t swap_kb = system_number("/proc/meminfo", "SwapFree:", 0);
  const uint64_t machine = available_kb ? (available_kb + swap_kb) * 1024 : physical_memory();
  return PFC_MIN(machine, container_memory());
}
