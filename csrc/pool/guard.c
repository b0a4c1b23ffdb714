// guard.c - checks that a pool gets one call at a time, from the process that created it, in the right order, and none
// after it was closed.
#include "pool/pool.h"

PfcStatus pfc_pool_enter(PfcPool* pool) {
  if (!pool) return pfc_fail(PFC_INVALID, "pool: expected a pool, got NULL");
  if (pool->generation != pfc_process_generation())
    return pfc_fail(PFC_FORKED, "this pool belongs to the process that created it; create a new pool after fork");
  if (atomic_exchange_explicit(&pool->busy, 1, memory_order_acquire))
    return pfc_fail(PFC_BUSY, "another thread is using this pool; a pool takes one call at a time");
  if (!pool->closed) return PFC_OK;
  pfc_pool_leave(pool);
  return pfc_fail(PFC_CLOSED, "this pool is closed");
}

void pfc_pool_leave(PfcPool* pool) { atomic_store_explicit(&pool->busy, 0, memory_order_release); }

PfcStatus pfc_pool_expect_idle(const PfcPool* pool) {
  for (int32_t g = 0; g < pool->buffers.num_groups; ++g)
    if (pool->groups[g].sent) return pfc_fail(PFC_STATE, "group %d was sent and not received; call recv first", g);
  return PFC_OK;
}

PfcStatus pfc_pool_expect_started(const PfcPool* pool) {
  return pool->was_reset ? PFC_OK : pfc_fail(PFC_STATE, "reset the pool before its first step");
}
