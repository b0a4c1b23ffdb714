// play.h - what checks and tests share to play a game without a player: deterministic random actions, values of
// observations, and hashes of what came back.
//
// Header-only. Buffers belong to the pool, actions to the caller.
#ifndef PUFFERC_PLAY_H
#define PUFFERC_PLAY_H

#include <stdbool.h>
#include <string.h>

#include "pufferc/pufferc.h"

// ---- deterministic actions ------------------------------------------------------------------------------

// The action of one dimension of one row at step t: a function of these numbers alone, so that any order of
// sends sees the same actions. Each row holds an action for some steps, which carries it further than
// a new choice every step would.
static inline uint64_t action_noise(uint64_t seed, int64_t row, int32_t dim, int64_t t) {
  const uint64_t own = pfc_hash64(seed ^ pfc_hash64((uint64_t)row * 8 + (uint64_t)dim));
  const int64_t hold = 1 + (int64_t)(own % 6);
  return pfc_hash64(own ^ (uint64_t)(t / hold));
}

// Fills [rows, action_dims] of int32 or float32. Some controls lie outside [-1, 1]: the pool clamps them.
static inline void fill_actions(const PfcBuffers* b, uint64_t seed, int64_t t, void* actions) {
  for (int64_t row = 0; row < b->rows; ++row) {
    for (int32_t dim = 0; dim < b->action_dims; ++dim) {
      const uint64_t noise = action_noise(seed, row, dim, t);
      const int64_t at = row * b->action_dims + dim;
      if (b->discrete) ((int32_t*)actions)[at] = (int32_t)((noise >> 32) % (uint64_t)b->action_counts[dim]);
      else ((float*)actions)[at] = (float)(noise >> 40) * (2.5f / 16777216.0f) - 1.25f;
    }
  }
}

static inline PfcDtype action_dtype(const PfcBuffers* b) { return b->discrete ? PFC_INT32 : PFC_FLOAT32; }

// ---- what came back --------------------------------------------------------------------------------------

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

// Name of the observation table's entry that holds value `index`.
static inline const char* obs_entry_name(const PfcEnvSpec* spec, int64_t index) {
  int64_t end = 0;
  for (int32_t r = 0; r < spec->num_obs_rows; ++r) {
    end += spec->obs_rows[r].count;
    if (index < end || spec->obs_rows[r].count == 0) return spec->obs_rows[r].name;
  }
  return "";
}

static inline uint64_t hash_bytes(uint64_t hash, const void* data, uint64_t bytes) {
  const unsigned char* at = data;
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
