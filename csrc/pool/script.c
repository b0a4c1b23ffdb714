// script.c - actions of a game's built-in player, for any rows of a pool.
#include <string.h>

#include "pool/pool.h"

enum { ROWS_PER_TASK = 64 };

typedef struct ScriptJob {
  const PfcPool* pool;
  const PfcScriptDesc* desc;
} ScriptJob;

// The generator of one row in one call. It depends only on seed, step, and the number of the row in all games of the
// run.
static PfcRng script_rng(const PfcPool* pool, const PfcScriptDesc* desc, int32_t game, int32_t agent) {
  PfcRng rng;
  const uint64_t row = pool->games.game_numbers[game] * (uint64_t)pool->layout.agents + (uint64_t)agent;
  pfc_rng_seed(&rng, pfc_hash64(desc->seed) ^ (desc->step * 0xd1342543de82ef95ull), row);
  return rng;
}

static void script_task(void* context, int32_t worker, int32_t block) {
  (void)worker;
  const ScriptJob* job = context;
  const PfcScriptDesc* desc = job->desc;
  const PfcPool* pool = job->pool;
  const int64_t begin = (int64_t)block * ROWS_PER_TASK, end = PFC_MIN(begin + ROWS_PER_TASK, (int64_t)desc->num_rows);
  for (int64_t i = begin; i < end; ++i) {
    const int32_t row = desc->rows ? desc->rows[i] : (int32_t)i;
    const int32_t game = row / pool->layout.agents, agent = row % pool->layout.agents;
    const int64_t at = i * pool->buffers.action_dims;
    if (!pool->games.alive[row]) {
      memset((int32_t*)desc->actions + at, 0, sizeof(int32_t) * (size_t)pool->buffers.action_dims);
      continue;
    }
    PfcRng rng = script_rng(pool, desc, game, agent);
    int32_t* choices = pool->buffers.discrete ? (int32_t*)desc->actions + at : NULL;
    float* controls = pool->buffers.discrete ? NULL : (float*)desc->actions + at;
    const void* state = pfc_game_state(&pool->games, game);
    pool->spec->script(state, pool->games.params, agent, desc->level, &rng, choices, controls);
  }
}

static PfcStatus check_script(const PfcPool* pool, const PfcScriptDesc* desc) {
  const PfcEnvSpec* spec = pool->spec;
  const int32_t rows = pool->buffers.rows;
  if (!desc || !desc->actions) return pfc_fail(PFC_INVALID, "desc: expected a PfcScriptDesc with actions, got NULL");
  if (!spec->script) return pfc_fail(PFC_UNSUPPORTED, "%s has no built-in player", spec->name);
  if (desc->level < 0 || desc->level >= spec->num_levels)
    return pfc_fail(PFC_INVALID, "level: expected 0 to %d for %s, got %d", spec->num_levels - 1, spec->name,
                    desc->level);
  if (desc->num_rows < 0 || (!desc->rows && desc->num_rows != rows))
    return pfc_fail(PFC_INVALID, "num_rows: expected %d without a list of rows, got %d", rows, desc->num_rows);
  for (int32_t i = 0; desc->rows && i < desc->num_rows; ++i)
    if (desc->rows[i] < 0 || desc->rows[i] >= rows)
      return pfc_fail(PFC_INVALID, "rows[%d]: expected 0 to %d, got %d", i, rows - 1, desc->rows[i]);
  return pool->was_reset ? PFC_OK : pfc_fail(PFC_STATE, "reset the pool before using its built-in player");
}

PfcStatus pfc_pool_script(PfcPool* pool, const PfcScriptDesc* desc) {
  PfcStatus status = pfc_pool_enter(pool);
  if (status) return status;
  status = pfc_pool_expect_idle(pool);
  if (!status) status = check_script(pool, desc);
  if (!status) {
    ScriptJob job = {pool, desc};
    const int64_t tasks = ((int64_t)desc->num_rows + ROWS_PER_TASK - 1) / ROWS_PER_TASK;
    pfc_parallel_for(pool->workers, script_task, &job, (int32_t)tasks);
  }
  pfc_pool_leave(pool);
  return status;
}
