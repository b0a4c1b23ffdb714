// uniform.h - counter-based random numbers for drawing actions. Nothing is stored between calls.
//
// (seed, step) identifies a draw and (row, dimension) a number in it. With pfc_hash64 of rng.h, modulo 2^64,
//   key  = pfc_hash64(pfc_hash64(seed) ^ (step * 0xd1342543de82ef95))
//   bits = pfc_hash64(key + (row * 8 + dimension) * 0x9e3779b97f4a7c15)
// which is element row * 8 + dimension of the SplitMix64 sequence (Steele, Lea, Flood 2014) that starts at key. Any 23
// neighbouring bits of it give a uniform number, exact in float32. Internal: for sample.c and gaussian.c.
#ifndef PUFFERC_UNIFORM_H
#define PUFFERC_UNIFORM_H

#include "pufferc/pufferc.h"
#include "pufferc/rng.h"

#define PFC_UNIFORM_GOLDEN 0x9e3779b97f4a7c15ull  // SplitMix64's increment: 2^64 over the golden ratio, odd

enum { PFC_UNIFORM_SHIFT = 41 };  // of the uppermost 23 bits

PFC_FN uint64_t pfc_draw_key(uint64_t seed, uint64_t step) {
  return pfc_hash64(pfc_hash64(seed) ^ (step * 0xd1342543de82ef95ull));
}

PFC_FN uint64_t pfc_draw_bits(uint64_t key, uint64_t row, uint64_t dim) {
  return pfc_hash64(key + (row * PFC_MAX_ACTION_DIMS + dim) * PFC_UNIFORM_GOLDEN);
}

// 23 random bits, from `shift` on, and a half: one of 2^23 equally spaced numbers in (0, 1), ends excluded.
PFC_FN float pfc_uniform_of(uint64_t bits, int32_t shift) {
  return ((float)(int32_t)((bits >> shift) & 0x7fffffu) + 0.5f) * (1.0f / 8388608.0f);
}

PFC_FN float pfc_uniform(uint64_t key, uint64_t row, uint64_t dim) {
  return pfc_uniform_of(pfc_draw_bits(key, row, dim), PFC_UNIFORM_SHIFT);
}

#endif  // PUFFERC_UNIFORM_H
