// ppo_loss.c - see ppo_loss.h: checks, blocks for the workers, mean and deviation of advantages. ppo_discrete.c and
// gaussian.c process the rows.
#include "kernels/ppo_terms.h"

enum {
  PPO_MAX_BLOCKS = 64,          // bounds the partial sums, which are on the caller's stack
  PPO_MIN_ROWS = 8 * PFC_LANES  // of a block: about 3 us, several times the cost of scheduling it
};

// ---- checks ----------------------------------------------------------------------------------------

PfcStatus pfc_ppo_check_array(const char* name, const void* array) {
  return array ? PFC_OK : pfc_fail(PFC_INVALID, "%s: expected an array, got NULL", name);
}

PfcStatus pfc_ppo_check_stride(const char* name, int64_t stride, int64_t min) {
  if (stride >= min) return PFC_OK;
  return pfc_fail(PFC_INVALID, "%s: expected at least %lld elements from row to row, got %lld", name, (long long)min,
                  (long long)stride);
}

PfcStatus pfc_ppo_check_outputs(const PfcPpoOutputs* outputs, int64_t numbers) {
  PfcStatus status = pfc_ppo_check_array("logits", outputs->logits);
  if (!status) status = pfc_ppo_check_array("grad_logits", outputs->grad_logits);
  if (!status) status = pfc_ppo_check_stride("logits_stride", outputs->logits_stride, numbers);
  if (!status) status = pfc_ppo_check_stride("grad_logits_stride", outputs->grad_logits_stride, numbers);
  return status;
}

static PfcStatus check_arrays(const PfcPpoLossArgs* args) {
  const PfcMinibatch* batch = &args->batch;
  const struct {
    const char* name;
    const void* array;
  } needed[] = {{"values", args->outputs.values},      {"actions", batch->actions},
                {"old_logprobs", batch->old_logprobs}, {"advantages", batch->advantages},
                {"returns", batch->returns},           {"grad_values", args->outputs.grad_values}};
  PfcStatus status = PFC_OK;
  for (size_t i = 0; !status && i < sizeof needed / sizeof needed[0]; ++i)
    status = pfc_ppo_check_array(needed[i].name, needed[i].array);
  if (!status && args->settings.value_clip > 0.0f && !batch->old_values)
    return pfc_fail(PFC_INVALID, "old_values: expected an array because value_clip is %g, got NULL",
                    (double)args->settings.value_clip);
  return status;
}

static PfcStatus check_settings(const PfcPpoSettings* s) {
  if (!(s->clip > 0.0f)) return pfc_fail(PFC_INVALID, "clip: expected a number > 0, got %g", (double)s->clip);
  if (!(s->value_coef >= 0.0f && s->value_coef < PFC_INFINITY))
    return pfc_fail(PFC_INVALID, "value_coef: expected a finite number >= 0, got %g", (double)s->value_coef);
  if (!(pfc_absf(s->entropy_coef) < PFC_INFINITY))
    return pfc_fail(PFC_INVALID, "entropy_coef: expected a finite number, got %g", (double)s->entropy_coef);
  if (s->value_clip != s->value_clip)
    return pfc_fail(PFC_INVALID, "value_clip: expected a number, got %g", (double)s->value_clip);
  if (s->advantage_std < 0.0f)
    return pfc_fail(PFC_INVALID, "advantage_std: expected a number >= 0, got %g", (double)s->advantage_std);
  return PFC_OK;
}

static PfcStatus check_args(const PfcPpoLossArgs* args) {
  const int64_t rows = args->batch.rows;
  if (rows < 1 || rows > (int64_t)1 << 40)
    return pfc_fail(PFC_INVALID, "rows: expected 1 to 2^40, got %lld", (long long)rows);
  PfcStatus status = check_arrays(args);
  if (!status) status = pfc_ppo_check_stride("values_stride", args->outputs.values_stride, 1);
  if (!status) status = pfc_ppo_check_stride("grad_values_stride", args->outputs.grad_values_stride, 1);
  if (!status) status = check_settings(&args->settings);
  return status;
}

static int64_t count_alive(const uint8_t* alive, int64_t rows) {
  if (!alive) return rows;
  int64_t count = 0;
  for (int64_t i = 0; i < rows; ++i) count += alive[i] != 0;
  return count;
}

PfcStatus pfc_ppo_kernel(const PfcPpoLossArgs* args, PfcPpoKernel* kernel) {
  *kernel = (PfcPpoKernel){.args = args};
  PfcStatus status = check_args(args);
  if (!status) status = args->batch.action_counts ? pfc_ppo_discrete(kernel) : pfc_ppo_continuous(kernel);
  if (status) return status;
  kernel->count = count_alive(args->batch.alive, args->batch.rows);
  kernel->per_row = kernel->count > 0 ? (float)(1.0 / (double)kernel->count) : 0.0f;
  return PFC_OK;
}

// ---- blocks ----------------------------------------------------------------------------------------

typedef struct PpoJob {
  const PfcPpoKernel* kernel;
  char* scratch;  // [workers, scratch_bytes]
  int64_t block_rows;
  PfcPpoPartial partials[PPO_MAX_BLOCKS];
} PpoJob;

static void ppo_task(void* context, int32_t worker, int32_t block) {
  PpoJob* job = context;
  const PfcPpoKernel* kernel = job->kernel;
  const int64_t begin = block * job->block_rows, end = PFC_MIN(begin + job->block_rows, kernel->args->batch.rows);
  kernel->rows(kernel, job->scratch + (uint64_t)worker * kernel->scratch_bytes, begin, end, &job->partials[block]);
}

void pfc_ppo_add(PfcPpoPartial* sum, const PfcPpoPartial* block) {
  if (sum->first_bad_row < 0) sum->first_bad_row = block->first_bad_row;
  for (int32_t s = 0; s < PFC_PPO_SUMS; ++s) sum->sums[s] += block->sums[s];
}

PfcStatus pfc_ppo_finish(const PfcPpoKernel* kernel, const PfcPpoPartial* sum, PfcPpoLossStats* stats) {
  const PfcMinibatch* batch = &kernel->args->batch;
  const PfcPpoSettings* settings = &kernel->args->settings;
  if (sum->first_bad_row >= 0)
    return pfc_fail(PFC_INVALID, "actions[%lld]: an action is not in [0, action_counts of its dimension)%s",
                    (long long)sum->first_bad_row, batch->mask ? ", or is illegal by its mask" : "");
  const double* sums = sum->sums;
  const double rows = kernel->count > 0 ? (double)kernel->count : 1.0;
  stats->policy_loss = sums[PFC_PPO_POLICY] / rows;
  stats->value_loss = sums[PFC_PPO_VALUE] / rows;
  stats->entropy = sums[PFC_PPO_ENTROPY] / rows;
  stats->approx_kl = sums[PFC_PPO_KL] / rows;
  stats->old_approx_kl = sums[PFC_PPO_OLD_KL] / rows;
  stats->clip_fraction = sums[PFC_PPO_CLIPPED] / rows;
  stats->loss = stats->policy_loss + (double)settings->value_coef * stats->value_loss -
                (double)settings->entropy_coef * stats->entropy;
  stats->count = kernel->count;
  return PFC_OK;
}

PfcStatus pfc_ppo_loss(const PfcPpoLossArgs* args, PfcWorkers* workers, PfcPpoLossStats* stats) {
  PfcPpoKernel kernel;
  const PfcStatus status = pfc_ppo_kernel(args, &kernel);
  if (status) return status;
  const int64_t rows = args->batch.rows;
  PpoJob job = {.kernel = &kernel};
  job.scratch = pfc_alloc(kernel.scratch_bytes * (uint64_t)pfc_workers_count(workers));
  if (!job.scratch) return pfc_fail(PFC_NO_MEMORY, "there is not enough memory for the loss of these actions");
  const int64_t share = (rows + PPO_MAX_BLOCKS - 1) / PPO_MAX_BLOCKS;
  const int64_t whole = (share + PFC_LANES - 1) / PFC_LANES * PFC_LANES;
  job.block_rows = PFC_MAX(whole, (int64_t)PPO_MIN_ROWS);
  const int32_t blocks = (int32_t)((rows + job.block_rows - 1) / job.block_rows);
  pfc_parallel_for(workers, ppo_task, &job, blocks);
  pfc_free(job.scratch);
  PfcPpoPartial sum = {.first_bad_row = -1};
  for (int32_t b = 0; b < blocks; ++b) pfc_ppo_add(&sum, &job.partials[b]);
  return pfc_ppo_finish(&kernel, &sum, stats);
}

// ---- mean and deviation ----------------------------------------------------------------------------

// The sum of (x - mean)^power over alive entries, power 1 or 2; lane i takes the entries i, i + PFC_LANES, ...
PFC_MULTIVERSION static double moment(const float* x, const uint8_t* alive, int64_t rows, double mean, int power) {
  double sums[PFC_LANES] = {0}, sum = 0.0;
  for (int64_t row = 0; row < rows; row += PFC_LANES) {
    const int64_t count = PFC_MIN(rows - row, (int64_t)PFC_LANES);
    for (int64_t i = 0; i < count; ++i) {
      const double deviation = (double)x[row + i] - mean;
      const double term = power == 2 ? deviation * deviation : deviation;
      sums[i] += !alive || alive[row + i] ? term : 0.0;
    }
  }
  for (int32_t i = 0; i < PFC_LANES; ++i) sum += sums[i];
  return sum;
}

PfcStatus pfc_mean_std(const float* x, const uint8_t* alive, int64_t rows, double* mean, double* std) {
  if (!x) return pfc_fail(PFC_INVALID, "x: expected float32 [rows], got NULL");
  if (rows < 1) return pfc_fail(PFC_INVALID, "rows: expected at least 1, got %lld", (long long)rows);
  const int64_t count = count_alive(alive, rows);
  *mean = count > 0 ? moment(x, alive, rows, 0.0, 1) / (double)count : 0.0;
  *std = count > 1 ? __builtin_sqrt(moment(x, alive, rows, *mean, 2) / (double)(count - 1)) : 0.0;
  return PFC_OK;
}
