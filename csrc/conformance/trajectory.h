// trajectory.h - the hash of everything that some games return when they play with deterministic actions. Golden hashes
// are such hashes: tests/golden records them, and every place that runs games must reproduce them.
#ifndef PUFFERC_TRAJECTORY_H
#define PUFFERC_TRAJECTORY_H

#include "conformance/play.h"

enum { TRAJECTORY_ACTION_SEED = 77 };

// Hashes everything that a step returned for one game, in a masked game the masks too. observations: batch row 0.
// Frozen games (autoreset disabled) keep their flags, but final observations and episode statistics of their last step
// are no longer valid.
static inline uint64_t hash_game(uint64_t hash, const PfcBuffers* b, const void* observations, int32_t game) {
  const int64_t first = (int64_t)game * b->agents;
  const uint64_t rows = (uint64_t)b->agents;
  hash = hash_bytes(hash, obs_row(observations, b, first), rows * b->obs_bytes);
  hash = hash_bytes(hash, b->rewards + first, rows * sizeof(float));
  hash = hash_bytes(hash, b->terminated + first, rows);
  hash = hash_bytes(hash, b->truncated + first, rows);
  hash = hash_bytes(hash, b->alive + first, rows);
  if (b->mask_words > 0)
    hash = hash_bytes(hash, b->action_mask + first * b->mask_words, rows * (uint64_t)b->mask_words * sizeof(uint32_t));
  for (int64_t row = first; row < first + b->agents; ++row) {
    if (!row_ended(b, row) || !b->alive[row]) continue;
    hash = hash_bytes(hash, obs_row(b->final_observations, b, row), b->obs_bytes);
    hash = hash_bytes(hash, b->episode_returns + row, sizeof(float));
    hash = hash_bytes(hash, b->episode_lengths + row, sizeof(int32_t));
    hash = hash_bytes(hash, b->episode_metrics + row * b->num_metrics, sizeof(float) * (uint64_t)b->num_metrics);
  }
  return hash;
}

// Combines one running hash per game, so that the order of groups does not matter.
static inline uint64_t combine_hashes(const uint64_t* hashes, int32_t count) {
  return hash_bytes(0x243f6a8885a308d3ull, hashes, sizeof(uint64_t) * (uint64_t)count);
}

// Plays `steps` steps of a new pool of one group, from its first reset on, and writes the hash. Scratch memory of the
// caller: actions [rows, action_dims] of 4 bytes each, hashes [num_games].
static inline PfcStatus hash_trajectory(PfcPool* pool, int32_t steps, void* actions, uint64_t* hashes, uint64_t* hash) {
  const PfcBuffers* b = pfc_pool_buffers(pool);
  PfcStatus status = pfc_pool_reset(pool, NULL);
  for (int32_t game = 0; game < b->num_games; ++game)
    hashes[game] = hash_game((uint64_t)game, b, b->observations, game);
  for (int32_t t = 0; t < steps && !status; ++t) {
    fill_actions(b, TRAJECTORY_ACTION_SEED, t, actions);
    status = pfc_pool_step(pool, actions, action_dtype(b), NULL);
    for (int32_t game = 0; game < b->num_games; ++game)
      hashes[game] = hash_game(hashes[game], b, b->observations, game);
  }
  *hash = combine_hashes(hashes, b->num_games);
  return status;
}

#endif  // PUFFERC_TRAJECTORY_H
