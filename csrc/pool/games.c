// games.c - see games.h.
#include "pool/games.h"

#include "core/base.h"

void* pfc_carve(PfcArena* arena, int64_t count, uint64_t bytes_each) {
  uint64_t bytes, start = arena->used;
  if (__builtin_mul_overflow((uint64_t)count, bytes_each, &bytes) ||
      __builtin_add_overflow(start, bytes, &arena->used) ||
      __builtin_add_overflow(arena->used, PFC_ALIGNMENT - 1, &arena->used))
    arena->overflow = true;
  arena->used = arena->used / PFC_ALIGNMENT * PFC_ALIGNMENT;
  return arena->base && !arena->overflow ? arena->base + start : NULL;
}

void pfc_carve_games(PfcGames* g, PfcArena* arena) {
  const int64_t rows = (int64_t)g->num_games * g->agents;
  g->states = pfc_carve(arena, g->num_games, g->state_stride);
  g->observations[0] = pfc_carve(arena, rows, g->obs_bytes);
  g->observations[1] = pfc_carve(arena, rows, g->obs_bytes);
  g->final_observations = pfc_carve(arena, rows, g->obs_bytes);
  g->actions = pfc_carve(arena, rows * g->action_dims, sizeof(int32_t));
  g->rewards = pfc_carve(arena, rows, sizeof(float));
  g->terminated = pfc_carve(arena, rows, 1);
  g->truncated = pfc_carve(arena, rows, 1);
  g->alive = pfc_carve(arena, rows, 1);
  g->action_mask = pfc_carve(arena, rows * g->mask_words, sizeof(uint32_t));
  g->forced = pfc_carve(arena, g->mask_words ? rows : 0, 1);
  g->game_numbers = pfc_carve(arena, g->num_games, sizeof(uint64_t));
  g->stopped = pfc_carve(arena, rows, 1);
  g->running_returns = pfc_carve(arena, rows, sizeof(float));
  g->running_lengths = pfc_carve(arena, rows, sizeof(int32_t));
  g->episode_returns = pfc_carve(arena, rows, sizeof(float));
  g->episode_lengths = pfc_carve(arena, rows, sizeof(int32_t));
  g->episode_metrics = pfc_carve(arena, rows * g->num_metrics, sizeof(float));
  g->metric_sums = pfc_carve(arena, rows * (2 + g->num_metrics), sizeof(double));
  g->metric_counts = pfc_carve(arena, rows, sizeof(int32_t));
}
