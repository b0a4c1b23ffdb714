// base.h - shared by all parts of the library: assertions, the last error, aligned memory.
#ifndef PUFFERC_BASE_H
#define PUFFERC_BASE_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "pufferc/pufferc.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PFC_ALIGNMENT 64  // a cache line, and the widest vector

// Programmer errors only; users' errors are reported by pfc_fail.
#define PFC_ASSERT(condition) assert(condition)

#define PFC_MIN(a, b) ((a) < (b) ? (a) : (b))
#define PFC_MAX(a, b) ((a) > (b) ? (a) : (b))

// Sets this thread's last error (printf style) and returns `status`.
PfcStatus pfc_fail(PfcStatus status, const char* format, ...) __attribute__((format(printf, 2, 3)));

// Zeroed, PFC_ALIGNMENT-aligned memory. NULL if it does not fit into the memory that is left, even if the system would
// overcommit. The pointer is valid for 0 bytes.
void* pfc_alloc(uint64_t bytes);
void pfc_free(void* memory);  // NULL is allowed

// Bytes that this process can still allocate on this machine or in its container; UINT64_MAX = unknown.
uint64_t pfc_memory_left(void);

// 64-bit FNV-1a over 8-byte words (the tail byte by byte): detects damage, not forgery.
uint64_t pfc_checksum(const void* data, uint64_t bytes);

// The entry of names[count] with the smallest edit distance to `name`, or NULL if all are too different.
const char* pfc_nearest(const char* name, const char* const* names, int32_t count);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_BASE_H
