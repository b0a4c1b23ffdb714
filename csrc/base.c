// base.c - the last error, aligned memory, checksums and name suggestions. See base.h.
#include "base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Thread_local char last_error[512];

const char* pfc_last_error(void) { return last_error; }

PfcStatus pfc_fail(PfcStatus status, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(last_error, sizeof last_error, format, arguments);
  va_end(arguments);
  return status;
}

const char* pfc_version(void) { return PFC_VERSION; }

uint32_t pfc_abi_version(void) { return PFC_ABI_VERSION; }

void* pfc_alloc(uint64_t bytes) {
  if (bytes > SIZE_MAX - PFC_ALIGNMENT) return NULL;
  size_t rounded = ((size_t)bytes + PFC_ALIGNMENT) / PFC_ALIGNMENT * PFC_ALIGNMENT;
  void* memory = aligned_alloc(PFC_ALIGNMENT, rounded);
  if (memory) memset(memory, 0, rounded);
  return memory;
}

void pfc_free(void* memory) { free(memory); }

uint64_t pfc_physical_memory(void) {
  long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
  if (pages <= 0 || page_bytes <= 0) return UINT64_MAX;
  return (uint64_t)pages * (uint64_t)page_bytes;
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
