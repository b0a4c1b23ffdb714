// base.c - the last error, aligned memory, checksums and name suggestions. See base.h.
#include "core/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MUCH_BYTES = 1 << 28 };  // from here on the system may promise memory that it does not have

static _Thread_local char last_error[512];
static _Thread_local PfcStatus last_status;

const char* pfc_last_error(void) { return last_error; }

PfcStatus pfc_last_status(void) { return last_status; }

PfcStatus pfc_fail(PfcStatus status, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(last_error, sizeof last_error, format, arguments);
  va_end(arguments);
  last_status = status;
  return status;
}

const char* pfc_version(void) { return PFC_VERSION; }

uint32_t pfc_abi_version(void) { return PFC_ABI_VERSION; }

void* pfc_alloc(uint64_t bytes) {
  if (bytes > SIZE_MAX - PFC_ALIGNMENT || (bytes > MUCH_BYTES && bytes > pfc_memory_left())) return NULL;
  size_t rounded = ((size_t)bytes + PFC_ALIGNMENT) / PFC_ALIGNMENT * PFC_ALIGNMENT;
  void* memory = aligned_alloc(PFC_ALIGNMENT, rounded);
  if (memory) memset(memory, 0, rounded);
  return memory;
}

void pfc_free(void* memory) { free(memory); }

// The number after `key` ("" = at the start) in a file of the system; `otherwise` where there is none.
static uint64_t system_number(const char* path, const char* key, uint64_t otherwise) {
  char text[4096];
  FILE* file = fopen(path, "r");
  if (!file) return otherwise;
  text[fread(text, 1, sizeof text - 1, file)] = 0;
  fclose(file);
  const char* at = strstr(text, key);
  unsigned long long number;
  return at && sscanf(at + strlen(key), "%llu", &number) == 1 ? number : otherwise;
}

static uint64_t physical_memory(void) {
  const long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
  return pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : UINT64_MAX;
}

// What a container may use (cgroup v2, then v1), less what this process has. UINT64_MAX outside of one.
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

uint64_t pfc_checksum(const void* data, uint64_t bytes) {
  const unsigned char* at = data;
  const uint64_t prime = 0x100000001b3ull;
  uint64_t hash = 0xcbf29ce484222325ull ^ bytes;
  for (; bytes >= 8; bytes -= 8, at += 8) {
    uint64_t word;
    memcpy(&word, at, 8);
    hash = (hash ^ word) * prime;
    hash ^= hash >> 32;  // words reach the low bits too, which a multiplication alone never does
  }
  for (; bytes > 0; --bytes, ++at) hash = (hash ^ *at) * prime;
  return hash;
}

// Edit distance (Levenshtein) of two short names; longer ones count as far.
static int32_t edit_distance(const char* a, const char* b) {
  enum { LONGEST = 64 };
  size_t n = strlen(a), m = strlen(b);
  if (n >= LONGEST || m >= LONGEST) return LONGEST;
  int32_t row[LONGEST + 1];
  for (size_t j = 0; j <= m; ++j) row[j] = (int32_t)j;
  for (size_t i = 1; i <= n; ++i) {
    int32_t diagonal = row[0];
    row[0] = (int32_t)i;
    for (size_t j = 1; j <= m; ++j) {
      int32_t above = row[j];
      int32_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      row[j] = PFC_MIN(replaced, PFC_MIN(above, row[j - 1]) + 1);
      diagonal = above;
    }
  }
  return row[m];
}

const char* pfc_nearest(const char* name, const char* const* names, int32_t count) {
  const char* best = NULL;
  const size_t length = PFC_MIN(strlen(name), 60);
  int32_t best_distance = (int32_t)length / 2 + 2;  // farther than this is another word
  for (int32_t i = 0; i < count; ++i) {
    int32_t distance = edit_distance(name, names[i]);
    if (distance < best_distance) best = names[i], best_distance = distance;
  }
  return best;
}
