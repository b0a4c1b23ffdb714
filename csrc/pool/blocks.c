// blocks.c - see blocks.h.
#include "pool/blocks.h"

#include <string.h>

#include "pool/pool.h"

PfcStatus pfc_blocks_begin(PfcPool* pool) {
  PfcStatus status = pfc_pool_enter(pool);
  if (status) return status;
  status = pfc_pool_expect_idle(pool);
  if (!status) status = pfc_pool_expect_started(pool);
  if (!status && (pool->buffers.num_groups != 1 || pool->games.autoreset != PFC_AUTORESET_SAME_STEP))
    status = pfc_fail(PFC_INVALID, "pool: expected one group and same-step autoreset");
  if (status) pfc_pool_leave(pool);
  return status;
}

const void* pfc_blocks_step(PfcPool* pool, int32_t begin, int32_t end, const int32_t* actions, void* target) {
  const int64_t row_actions = pool->buffers.action_dims, first = (int64_t)begin * pool->buffers.agents;
  const int64_t rows = (int64_t)(end - begin) * pool->buffers.agents;
  memcpy((int32_t*)pool->games.actions + first * row_actions, actions, sizeof(int32_t) * (size_t)(rows * row_actions));
  unsigned char* to = target ? target : pool->games.observations[0];
  (void)pfc_pool_step_games(pool, begin, end, to);
  return to;
}

void pfc_blocks_finish(PfcPool* pool, void* target) {
  PfcGroup* group = &pool->groups[0];
  group->buffer = 0;
  group->target = target ? target : pool->games.observations[0];
  pool->buffers.observations = group->target;
  int32_t ended = 0;
  const PfcGames* g = &pool->games;
  for (int64_t row = 0; row < pool->buffers.rows; ++row) ended += g->terminated[row] | g->truncated[row];
  atomic_store_explicit(&group->ended, ended, memory_order_relaxed);
}

void pfc_blocks_end(PfcPool* pool) { pfc_pool_leave(pool); }
