/* golden.h - golden hashes for the consumer programs: FNV-1a over everything that 16 games return in 300 steps.
   Compiles as C and C++. When a game's version changes, its hash changes too; a program that fails prints the new one. */
#ifndef PUFFERC_TESTS_GOLDEN_H
#define PUFFERC_TESTS_GOLDEN_H

#include <stddef.h>
#include <stdint.h>

#define GOLDEN_GAMES 16
#define GOLDEN_STEPS 300
#define GOLDEN_SEED 7u
#define GOLDEN_BREAKOUT UINT64_C(0xfb0f66f318a337d7)
#define GOLDEN_SQUARED UINT64_C(0x951b4bff2c7cac69)
#define GOLDEN_START UINT64_C(0xcbf29ce484222325)

static inline uint64_t golden_add(uint64_t hash, const void* data, size_t bytes) {
  const unsigned char* at = (const unsigned char*)data;
  size_t i;
  for (i = 0; i < bytes; ++i) hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
  return hash;
}

/* The action of a row at step t, out of `choices`. */
static inline int32_t golden_action(int32_t t, int32_t row, int32_t choices) { return (t / 5 + 7 * row) % choices; }

#endif
