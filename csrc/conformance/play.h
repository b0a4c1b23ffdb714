// play.h - random play for checks and tests: deterministic actions (legal ones in a masked game), values of
// observations, and hashes of results.
//
// Header-only. Buffers belong to the pool, actions to the caller.
#ifndef PUFFERC_PLAY_H
#define PUFFERC_PLAY_H

#include <stdbool.h>
#include <string.h>

#include "pufferc/pufferc.h"

// ---- deterministic actions ------------------------------------------------------------------------------

// The action of one dimension of one row at step t. It depends on these numbers only, not on the order of sends. Each
// row repeats an action for a few steps, which reaches more states than a new choice in every step.
static inline uint64_t action_noise(uint64_t seed, int64_t row, int32_t dim, int64_t t) {
  const uint64_t own = pfc_hash64(seed ^ pfc_hash64((uint64_t)row * 8 + (uint64_t)dim));
  const int64_t hold = 1 + (int64_t)(own % 6);
  return pfc_hash64(own ^ (uint64_t)(t / hold));
}

// Whether choice k of all K choices is legal for a row now. Without masks every choice is legal.
static inline bool choice_is_legal(const PfcBuffers* b, int64_t row, int32_t k) {
  return b->mask_words == 0 || (b->action_mask[row * b->mask_words + k / 32] >> (k % 32) & 1u);
}

// Index, among all K choices, of the first choice of a dimension.
static inline int32_t first_choice_of(const PfcBuffers* b, int32_t dim) {
  int32_t first = 0;
  for (int32_t d = 0; d < dim; ++d) first += b->action_counts[d];
  return first;
}

// Legal choice number noise % legal count of one dimension, which is choice noise % count in a game without masks.
static inline int32_t random_choice(const PfcBuffers* b, int64_t row, int32_t dim, uint64_t noise) {
  const int32_t first = first_choice_of(b, dim), count = b->action_counts[dim];
  int32_t legal = b->mask_words == 0 ? count : 0;
  for (int32_t k = 0; b->mask_words && k < count; ++k) legal += choice_is_legal(b, row, first + k);
  int64_t left = legal ? (int64_t)(noise % (uint64_t)legal) : 0;
  if (legal == count || legal == 0) return (int32_t)left;
  int32_t choice = 0;
  for (; !choice_is_legal(b, row, first + choice) || left > 0; ++choice)
    left -= choice_is_legal(b, row, first + choice);
  return choice;
}

// Fills rows [begin, end) of actions [rows, action_dims], int32 or float32. Some controls lie outside [-1, 1]: the pool
// clamps them. The masks of these rows must not be written meanwhile.
static inline void fill_row_actions(const PfcBuffers* b, uint64_t seed, int64_t t, int64_t begin, int64_t end,
                                    void* actions) {
  for (int64_t row = begin; row < end; ++row) {
    for (int32_t dim = 0; dim < b->action_dims; ++dim) {
      const uint64_t noise = action_noise(seed, row, dim, t);
      const int64_t at = row * b->action_dims + dim;
      if (b->discrete) ((int32_t*)actions)[at] = random_choice(b, row, dim, noise >> 32);
      else ((float*)actions)[at] = (float)(noise >> 40) * (2.5f / 16777216.0f) - 1.25f;
    }
  }
}

static inline void fill_actions(const PfcBuffers* b, uint64_t seed, int64_t t, void* actions) {
  fill_row_actions(b, seed, t, 0, b->rows, actions);
}

static inline PfcDtype action_dtype(const PfcBuffers* b) { return b->discrete ? PFC_INT32 : PFC_FLOAT32; }

// ---- results ---------------------------------------------------------------------------------------------

static inline uint64_t obs_total_bytes(const PfcBuffers* b) { return (uint64_t)b->rows * b->obs_bytes; }
static inline bool row_ended(const PfcBuffers* b, int64_t row) { return b->terminated[row] || b->truncated[row]; }
static inline const unsigned char* obs_row(const void* observations, const PfcBuffers* b, int64_t row) {
  return (const unsigned char*)observations + (uint64_t)row * b->obs_bytes;
}

static inline double obs_value(PfcDtype dtype, const unsigned char* obs, int64_t i) {
  float f;
  int32_t n;
  switch (dtype) {
    case PFC_FLOAT32: memcpy(&f, obs + 4 * i, 4); return (double)f;
    case PFC_INT32: memcpy(&n, obs + 4 * i, 4); return n;
    case PFC_INT8: return ((const int8_t*)obs)[i];
    default: return obs[i];
  }
}

static inline int64_t obs_values(const PfcBuffers* b) {
  int64_t values = 1;
  for (int32_t i = 0; i < b->obs_dims; ++i) values *= b->obs_shape[i];
  return values;
}

// Name of the entry that holds value `index`. `rows` is the pool's table, in which every count is filled in.
static inline const char* obs_entry_name(const PfcObsRow* rows, int32_t num_rows, int64_t index) {
  int64_t end = 0;
  for (int32_t r = 0; r < num_rows; ++r) {
    end += rows[r].count;
    if (index < end) return rows[r].name;
  }
  return "";
}

static inline uint64_t hash_bytes(uint64_t hash, const void* data, uint64_t bytes) {
  const unsigned char* at = (const unsigned char*)data;
  for (; bytes >= 8; bytes -= 8, at += 8) {
    uint64_t word;
    memcpy(&word, at, 8);
    hash = (hash ^ word) * 0x9fb21c651e98df25ull;
    hash ^= hash >> 29;
  }
  for (; bytes > 0; --bytes, ++at) hash = (hash ^ *at) * 0x100000001b3ull;
  return hash;
}

#endif  // PUFFERC_PLAY_H
