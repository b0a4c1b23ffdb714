// metrics.c - means over finished episodes. pop adds the sums of the rows in order.
#include <string.h>

#include "pool/pool.h"

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
      if (pool->games.metric_counts[row] == 0) continue;
      *episodes += pool->games.metric_counts[row];
      for (int64_t c = 0; c < columns; ++c) values[c] += pool->games.metric_sums[row * columns + c];
      memset(pool->games.metric_sums + row * columns, 0, sizeof(double) * (size_t)columns);
      pool->games.metric_counts[row] = 0;
    }
    for (int64_t c = 0; c < columns && *episodes > 0; ++c) values[c] /= (double)*episodes;
  }
  pfc_pool_leave(pool);
  return status;
}
