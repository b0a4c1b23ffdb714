// metrics.c - statistics of finished episodes.
//
// Each row has its own sums. pop adds the rows in order, so the result does not depend on the order in which threads
// finish games.
#include <string.h>

#include "pool/pool.h"

void pfc_record_episode(PfcPool* pool, int32_t game, int64_t row) {
  const PfcEnvSpec* spec = pool->spec;
  const int32_t num_metrics = pool->buffers.num_metrics;
  float* metrics = pool->episode_metrics + row * num_metrics;
  memset(metrics, 0, sizeof(float) * (size_t)num_metrics);
  metrics[0] = pool->running_returns[row];
  spec->metrics_one(pfc_state_of(pool, game), pool->params, (int32_t)(row - (int64_t)game * pool->layout.agents),
                    metrics);
  pool->episode_returns[row] = pool->running_returns[row];
  pool->episode_lengths[row] = pool->running_lengths[row];
  double* sums = pool->metric_sums + row * (2 + num_metrics);
  sums[0] += (double)pool->episode_returns[row];
  sums[1] += pool->episode_lengths[row];
  for (int32_t i = 0; i < num_metrics; ++i) sums[2 + i] += (double)metrics[i];
  ++pool->metric_counts[row];
}

PfcStatus pfc_pool_pop_metrics(PfcPool* pool, int64_t* episodes, double* values) {
  PfcStatus status = pfc_pool_enter(pool);
  if (status) return status;
  status = pfc_pool_expect_idle(pool);
  if (!status && (!episodes || !values))
    status = pfc_fail(PFC_INVALID, "episodes, values: expected pointers, got NULL");
  if (!status) {
    const int64_t columns = 2 + pool->buffers.num_metrics, rows = pool->buffers.rows;
    *episodes = 0;
    memset(values, 0, sizeof(double) * (size_t)columns);
    for (int64_t row = 0; row < rows; ++row) {
      if (pool->metric_counts[row] == 0) continue;
      *episodes += pool->metric_counts[row];
      for (int64_t c = 0; c < columns; ++c) values[c] += pool->metric_sums[row * columns + c];
      memset(pool->metric_sums + row * columns, 0, sizeof(double) * (size_t)columns);
      pool->metric_counts[row] = 0;
    }
    for (int64_t c = 0; c < columns && *episodes > 0; ++c) values[c] /= (double)*episodes;
  }
  pfc_pool_leave(pool);
  return status;
}
