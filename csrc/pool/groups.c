// groups.c - reset and step of the whole pool, send and recv of one group. The games of a group are divided into blocks
// for the worker threads. A call for the whole pool runs every group.
#include "pool/pool.h"

// ---- jobs --------------------------------------------------------------------------------------------

static void run_block(void* context, int32_t worker, int32_t block) {
  (void)worker;
  PfcGroup* group = context;
  PfcPool* pool = group->pool;
  const int32_t begin = group->begin + block * pool->games_per_block;
  const int32_t end = PFC_MIN(begin + pool->games_per_block, group->end);
  if (group->job == PFC_JOB_STEP) {
    const int32_t ended = pfc_pool_step_games(pool, begin, end, group->target);
    if (ended) atomic_fetch_add_explicit(&group->ended, ended, memory_order_relaxed);
    return;
  }
  if (group->job == PFC_JOB_RESET)
    for (int32_t game = begin; game < end; ++game) pfc_pool_reset_game(pool, game, pool->reset_desc);
  pfc_pool_observe_games(pool, begin, end, group->target);
}

// observations: row 0 of the group, or NULL for the group's next buffer.
static void start_group(PfcPool* pool, int32_t index, PfcJob job, void* observations) {
  PfcGroup* group = &pool->groups[index];
  const uint64_t offset = (uint64_t)group->begin * (uint64_t)pool->layout.agents * pool->buffers.obs_bytes;
  group->job = job;
  if (job != PFC_JOB_OBSERVE) group->ended = 0;  // observing again keeps the count of the latest step
  if (observations) {
    // The loops index from row 0 of the batch, which may be before the caller's array. They do not access that part.
    group->target = (unsigned char*)((uintptr_t)observations - (uintptr_t)offset);
  } else {
    group->buffer ^= 1;
    group->target = pool->games.observations[group->buffer];
  }
  pfc_workers_start(pool->workers, index, run_block, group, group->num_blocks);
}

static void finish_group(PfcPool* pool, int32_t index) { pfc_workers_finish(pool->workers, index); }

void pfc_pool_run(PfcPool* pool, PfcJob job, void* observations) {
  const int32_t groups = pool->buffers.num_groups;
  const uint64_t row_bytes = pool->buffers.obs_bytes;
  for (int32_t g = 0; g < groups; ++g) {
    PfcGroup* group = &pool->groups[g];
    group->buffer = pool->groups[0].buffer ^ (g > 0);  // all groups write the same buffer
    const uint64_t offset = (uint64_t)group->begin * (uint64_t)pool->layout.agents * row_bytes;
    start_group(pool, g, job, observations ? (unsigned char*)observations + offset : NULL);
  }
  for (int32_t g = 0; g < groups; ++g) finish_group(pool, g);
  pool->buffers.observations = pool->groups[0].target;
}

// ---- calls -------------------------------------------------------------------------------------------

static PfcStatus check_mask(const PfcPool* pool, const uint8_t* mask) {
  if (!pool->was_reset) return pfc_fail(PFC_STATE, "mask: the first reset of a pool must reset every game");
  if (pool->spec->respawn) return PFC_OK;
  const int32_t agents = pool->layout.agents;
  for (int32_t row = 0; row < pool->buffers.rows; ++row)
    if ((mask[row] != 0) != (mask[row / agents * agents] != 0))
      return pfc_fail(PFC_INVALID, "mask: rows %d and %d belong to one game and must be reset together", row,
                      row / agents * agents);
  return PFC_OK;
}

PfcStatus pfc_pool_reset(PfcPool* pool, const PfcResetDesc* desc) {
  static const PfcResetDesc everything = {0};
  PfcStatus status = pfc_pool_enter(pool);
  if (status) return status;
  if (!desc) desc = &everything;
  status = pfc_pool_expect_idle(pool);
  if (!status && desc->mask) status = check_mask(pool, desc->mask);
  if (!status) {
    pool->reset_desc = desc;
    pfc_pool_run(pool, PFC_JOB_RESET, desc->observations);
    pool->reset_desc = NULL;
    pool->was_reset = true;
  }
  pfc_pool_leave(pool);
  return status;
}

PfcStatus pfc_pool_step(PfcPool* pool, const void* actions, PfcDtype dtype, void* observations) {
  PfcStatus status = pfc_pool_enter(pool);
  if (status) return status;
  status = pfc_pool_expect_started(pool);
  if (!status) status = pfc_pool_expect_idle(pool);
  if (!status) status = pfc_copy_actions(pool, 0, pool->buffers.rows, actions, dtype);
  if (!status) pfc_pool_run(pool, PFC_JOB_STEP, observations);
  pfc_pool_leave(pool);
  return status;
}

static PfcStatus check_group(const PfcPool* pool, int32_t group) {
  if (group >= 0 && group < pool->buffers.num_groups) return PFC_OK;
  return pfc_fail(PFC_INVALID, "group: expected 0 to %d, got %d", pool->buffers.num_groups - 1, group);
}

PfcStatus pfc_pool_send(PfcPool* pool, int32_t group, const void* actions, PfcDtype dtype, void* observations) {
  PfcStatus status = pfc_pool_enter(pool);
  if (status) return status;
  status = pfc_pool_expect_started(pool);
  if (!status) status = check_group(pool, group);
  if (!status && pool->groups[group].sent)
    status = pfc_fail(PFC_STATE, "group %d was sent already; call recv first", group);
  const int32_t rows = pool->buffers.rows / pool->buffers.num_groups;
  if (!status) status = pfc_copy_actions(pool, (int64_t)group * rows, rows, actions, dtype);
  if (!status) {
    start_group(pool, group, PFC_JOB_STEP, observations);
    pool->groups[group].sent = true;
  }
  pfc_pool_leave(pool);
  return status;
}

PfcStatus pfc_pool_recv(PfcPool* pool, int32_t group) {
  PfcStatus status = pfc_pool_enter(pool);
  if (status) return status;
  status = check_group(pool, group);
  if (!status && !pool->groups[group].sent)
    status = pfc_fail(PFC_STATE, "group %d was not sent; call send first", group);
  if (!status) {
    finish_group(pool, group);
    pool->groups[group].sent = false;
  }
  pfc_pool_leave(pool);
  return status;
}

const void* pfc_pool_group_observations(const PfcPool* pool, int32_t group) {
  if (!pool || check_group(pool, group)) return NULL;
  const PfcGroup* g = &pool->groups[group];
  if (!g->target) return NULL;
  const uint64_t offset = (uint64_t)g->begin * (uint64_t)pool->layout.agents * pool->buffers.obs_bytes;
  return (const void*)((uintptr_t)g->target + (uintptr_t)offset);
}

int32_t pfc_pool_ended(const PfcPool* pool, int32_t group) {
  int32_t ended = 0;
  for (int32_t g = 0; pool && g < pool->buffers.num_groups; ++g)
    if (group == -1 || group == g) ended += atomic_load_explicit(&pool->groups[g].ended, memory_order_relaxed);
  return ended;
}
