// random_masks.h - random mask words for the tests of kernels: every dimension of a row has a legal choice.
#ifndef PUFFERC_TESTS_RANDOM_MASKS_H
#define PUFFERC_TESTS_RANDOM_MASKS_H

#include <stdbool.h>
#include <stdlib.h>

#include "pufferc/rng.h"

static inline bool is_legal(const uint32_t* mask, int32_t choice) { return mask[choice / 32] >> (choice % 32) & 1u; }

// [rows, ceil(K / 32)]; the caller frees it. Row 0 allows all choices, row 1 and every eighth row one in each
// dimension, the others a random number of them.
static inline uint32_t* random_masks(int64_t rows, const int32_t* counts, int32_t dims, uint64_t seed) {
  int32_t choices = 0;
  for (int32_t d = 0; d < dims; ++d) choices += counts[d];
  const int64_t words = (choices + 31) / 32;
  uint32_t* mask = calloc((size_t)(rows * words), sizeof *mask);
  PfcRng rng;
  pfc_rng_seed(&rng, seed, 31);
  for (int64_t row = 0; row < rows; ++row) {
    const float share = row == 0 ? 1.0f : row % 8 == 1 ? 0.0f : pfc_rng_float(&rng);
    int32_t first = 0;
    for (int32_t d = 0; d < dims; ++d) {
      const int32_t sure = first + (int32_t)pfc_rng_below(&rng, (uint32_t)counts[d]);
      for (int32_t k = first; k < first + counts[d]; ++k)
        if (k == sure || pfc_rng_float(&rng) < share) mask[row * words + k / 32] |= 1u << (k % 32);
      first += counts[d];
    }
  }
  return mask;
}

// True if the row's mask allows one choice in every dimension.
static inline bool is_forced(const uint32_t* mask, const int32_t* counts, int32_t dims) {
  int32_t choices = 0, legal = 0;
  for (int32_t d = 0; d < dims; ++d) choices += counts[d];
  for (int32_t k = 0; k < choices; ++k) legal += is_legal(mask, k);
  return legal == dims;
}

#endif  // PUFFERC_TESTS_RANDOM_MASKS_H
