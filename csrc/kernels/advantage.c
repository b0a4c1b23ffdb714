// advantage.c - see advantage.h.
//
// The batch is divided into blocks of columns. A block is processed row by row in reverse time order, so the values and
// advantages of the later row are still in the L1 cache when the earlier row needs them.
#include "kernels/advantage.h"

#include "core/base.h"
#include "kernels/advantage_step.h"

enum { ADVANTAGE_COLUMNS = 512 };  // 2 KiB per array and row: whole pages stream, and five rows fit the cache

static const float advantage_zeros[ADVANTAGE_COLUMNS];  // the advantage after the last step

// has_final and has_ratio are constants in every caller.
PFC_ALWAYS_INLINE static void advantage_columns(const PfcAdvantageArgs* args, int64_t begin, int64_t columns,
                                                int has_final, int has_ratio) {
  const PfcAdvantageArgs a = *args;  // a copy that no store can change
  const float* next = advantage_zeros;
  for (int64_t t = a.steps - 1; t >= 0; --t) {
    const int64_t at = t * a.rows + begin;
    float* const advantages = a.advantages + at;
    PFC_INDEPENDENT_LOOP_
    for (int64_t i = 0; i < columns; ++i)
      advantages[i] = pfc_advantage_entry(&a, at + i, next[i], has_final, has_ratio);
    next = advantages;
  }
}

PFC_MULTIVERSION static void advantage_block(const PfcAdvantageArgs* args, int64_t begin, int64_t columns) {
  if (args->final_values && args->ratio) advantage_columns(args, begin, columns, 1, 1);
  else if (args->final_values) advantage_columns(args, begin, columns, 1, 0);
  else if (args->ratio) advantage_columns(args, begin, columns, 0, 1);
  else advantage_columns(args, begin, columns, 0, 0);
}

static void advantage_task(void* context, int32_t worker, int32_t block) {
  (void)worker;
  const PfcAdvantageArgs* args = context;
  const int64_t begin = (int64_t)block * ADVANTAGE_COLUMNS;
  advantage_block(args, begin, PFC_MIN(args->rows - begin, (int64_t)ADVANTAGE_COLUMNS));
}

static PfcStatus advantage_check_number(const char* name, float value, float max, const char* range) {
  if (value >= 0.0f && value <= max) return PFC_OK;
  return pfc_fail(PFC_INVALID, "%s: expected a number in %s, got %g", name, range, (double)value);
}

PfcStatus pfc_advantage_check(const PfcAdvantageArgs* args) {
  const int64_t max_rows = (int64_t)1 << 36, max_values = (int64_t)1 << 48;
  if (args->steps < 1 || args->rows < 1 || args->rows > max_rows || args->steps > max_values / args->rows)
    return pfc_fail(PFC_INVALID, "rewards: expected [T, N], T >= 1, N from 1 to 2^36, T * N <= 2^48, got [%lld, %lld]",
                    (long long)args->steps, (long long)args->rows);
  const void* const needed[] = {args->rewards, args->values, args->terminated, args->truncated, args->advantages};
  const char* const names[] = {"rewards", "values", "terminated", "truncated", "advantages"};
  for (int i = 0; i < 5; ++i)
    if (!needed[i]) return pfc_fail(PFC_INVALID, "%s: expected an array, got NULL", names[i]);
  PfcStatus status = advantage_check_number("gamma", args->gamma, 1.0f, "[0, 1]");
  if (!status) status = advantage_check_number("gae_lambda", args->gae_lambda, 1.0f, "[0, 1]");
  if (!status) status = advantage_check_number("rho_clip", args->rho_clip, PFC_INFINITY, "[0, infinity]");
  if (!status) status = advantage_check_number("c_clip", args->c_clip, PFC_INFINITY, "[0, infinity]");
  return status;
}

PfcStatus pfc_advantage(const PfcAdvantageArgs* args, PfcWorkers* workers) {
  const PfcStatus status = pfc_advantage_check(args);
  if (status) return status;
  PfcAdvantageArgs copy = *args;
  const int64_t blocks = (args->rows + ADVANTAGE_COLUMNS - 1) / ADVANTAGE_COLUMNS;
  pfc_parallel_for(workers, advantage_task, &copy, (int32_t)blocks);
  return PFC_OK;
}
