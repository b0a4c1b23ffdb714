// metrics.c - counts the values that a game's metrics function writes.
#include <string.h>

#include "conformance/run.h"

enum { ROOM = 2 * PFC_MAX_METRICS };

// One more than the index of the last value that differs from the fill, after two calls with different fills.
static int32_t count_written(const PfcPool* pool) {
  int32_t written = 0;
  for (int fill = 0x5a; fill <= 0x5b; ++fill) {
    float values[ROOM];
    unsigned char untouched[sizeof(float)];
    memset(values, fill, sizeof values);
    memset(untouched, fill, sizeof untouched);
    pool->spec->metrics_one(pfc_game_state(&pool->games, 0), pool->games.params, 0, values);
    for (int32_t i = written; i < ROOM; ++i)
      if (memcmp(&values[i], untouched, sizeof untouched) != 0) written = i + 1;
  }
  return PFC_MIN(written, PFC_MAX_METRICS);
}

int32_t pfc_count_metrics(const PfcCheckDesc* desc) {
  const PfcPoolDesc wanted = {.spec = desc->spec,
                              .num_games = 1,
                              .seed = 1,
                              .params = desc->params,
                              .num_params = desc->num_params,
                              .data = desc->data,
                              .data_bytes = desc->data_bytes};
  PfcPlayer p = pfc_player_open(&wanted);
  if (!p.pool) return -1;
  (void)pfc_pool_reset(p.pool, NULL);
  fill_actions(p.b, 77, 1, p.actions);
  (void)pfc_pool_step(p.pool, p.actions, action_dtype(p.b), NULL);
  const int32_t written = count_written(p.pool);
  pfc_player_close(&p);
  return written;
}
