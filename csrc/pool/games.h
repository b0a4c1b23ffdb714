// games.h - the games of a pool: their sizes and their memory, all that a step needs. The CPU pool (pool.c) has one in
// memory of the host, the pool on a GPU (cuda/device_pool.cu) one in memory of the device.
//
// Compiles as C17 and as C++17. Shapes: G games, A agents per game, N = G * A rows, O observation bytes per row,
// W mask words per row, M game metrics.
#ifndef PUFFERC_POOL_GAMES_H
#define PUFFERC_POOL_GAMES_H

#include "pufferc/pufferc.h"

typedef struct PfcGames {
  int32_t num_games, agents;
  int32_t discrete, action_dims, num_choices, mask_words;  // mask_words = 0 in a game without masks
  int32_t num_metrics;
  int32_t has_respawn;         // each agent has its own episodes
  PfcAutoreset autoreset;
  uint32_t rng_offset;
  uint64_t state_bytes, state_stride, obs_bytes;
  void* params;
  const void* data;            // [data_bytes] borrowed, or NULL
  uint64_t data_bytes;

  unsigned char* states;       // [G, state_stride]
  unsigned char* observations[2];  // [N, O]
  unsigned char* final_observations;  // [N, O]
  void* actions;               // [N, action_dims] int32 or float32
  float* rewards;              // [N]
  uint8_t *terminated, *truncated, *alive;  // [N]
  uint32_t* action_mask;       // [N, W]
  uint8_t* forced;             // [N] in a masked game
  uint64_t* game_numbers;      // [G] numbers that select each game's random stream
  uint8_t* stopped;            // [N] how a row that waits for its reset ended, 0 = it runs; 0 with same-step autoreset
  float* running_returns;      // [N] of the unfinished episodes
  int32_t* running_lengths;    // [N]
  float* episode_returns;      // [N] of the episodes that just ended
  int32_t* episode_lengths;    // [N]
  float* episode_metrics;      // [N, M]
  double* metric_sums;         // [N, 2 + M] over episodes since the last pop
  int32_t* metric_counts;      // [N] episodes in them
} PfcGames;

// Divides one allocation into aligned pieces. If base is NULL, it only adds up the sizes.
typedef struct PfcArena {
  unsigned char* base;
  uint64_t used;
  bool overflow;
} PfcArena;

#ifdef __cplusplus
extern "C" {
#endif
void* pfc_carve(PfcArena* arena, int64_t count, uint64_t bytes_each);
// Places all arrays of the games, whose sizes are set.
void pfc_carve_games(PfcGames* games, PfcArena* arena);
PfcGames* pfc_pool_games(PfcPool* pool);
#ifdef __cplusplus
}
#endif

PFC_FN unsigned char* pfc_game_state(const PfcGames* g, int64_t game) {
  return g->states + (uint64_t)game * g->state_stride;
}

PFC_FN PfcRng* pfc_game_rng(const PfcGames* g, int64_t game) {
  return (PfcRng*)(pfc_game_state(g, game) + g->rng_offset);
}

PFC_FN void pfc_seed_game(const PfcGames* g, int64_t game, uint64_t seed) {
  pfc_rng_seed(pfc_game_rng(g, game), seed, g->game_numbers[game]);
}

// The first parameter of every game. INT32_MAX = no limit.
PFC_FN int32_t pfc_max_steps(const PfcGames* g) {
  const int32_t max_steps = *(const int32_t*)g->params;
  return max_steps > 0 ? max_steps : INT32_MAX;
}

// Whether choice k of all choices is legal. mask: the words of one row.
PFC_FN int pfc_mask_allows(const uint32_t* mask, int32_t k) { return (int)(mask[k / 32] >> (k % 32) & 1u); }

// Controls that are not finite are refused.
PFC_FN int pfc_is_finite(float x) { return (pfc_float_bits(x) & 0x7f800000u) != 0x7f800000u; }

#endif  // PUFFERC_POOL_GAMES_H
