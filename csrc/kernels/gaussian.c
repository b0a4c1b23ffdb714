// gaussian.c - see gaussian.h. PFC_LANES rows at a time; loops run over lanes.
#include "kernels/gaussian.h"

#include "kernels/lanes.h"
#include "kernels/ppo_terms.h"
#include "kernels/uniform.h"

enum { GAUSSIAN_BLOCK_ROWS = 512 };  // of one sampling task: about 3 us, several times the cost of scheduling it

#define HALF_LOG_TWO_PI 0.918938533204672742f
#define HALF_LOG_TWO_PI_E 1.418938533204672742f

// One dimension of PFC_LANES rows. Where a mean or log_std is NaN or infinite, both are NaN.
typedef struct Normal {
  PfcLanes mean, log_std;     // log_std clamped
  PfcLanes precision;         // exp(-log_std)
  int32_t inside[PFC_LANES];  // 1 = the clamp has changed nothing
  int32_t bad[PFC_LANES];
} Normal;

// Takes dimension d of lanes [0, lanes) from outputs[lane * stride]; the rest are standard normal.
PFC_ALWAYS_INLINE static void normal_load(Normal* normal, const float* outputs, int64_t stride, int32_t dims, int32_t d,
                                          int32_t lanes) {
  if (lanes < PFC_LANES) memset(normal, 0, sizeof *normal);
  for (int32_t i = 0; i < lanes; ++i) normal->mean[i] = outputs[i * stride + d];
  for (int32_t i = 0; i < lanes; ++i) normal->log_std[i] = outputs[i * stride + dims + d];
  for (int32_t i = 0; i < PFC_LANES; ++i) {
    const float mean = normal->mean[i], log_std = normal->log_std[i];
    const float clamped = pfc_clampf(log_std, -PFC_MAX_LOG_STD, PFC_MAX_LOG_STD);
    const int32_t finite = (int32_t)(pfc_absf(mean) < PFC_INFINITY) & (int32_t)(pfc_absf(log_std) < PFC_INFINITY);
    normal->bad[i] = !finite;
    normal->inside[i] = clamped == log_std;
    normal->mean[i] = finite ? mean : PFC_NAN;
    normal->log_std[i] = finite ? clamped : PFC_NAN;
    normal->precision[i] = pfc_expf(-clamped);
  }
}

// Deviations of the actions from their means; an infinite action gives NaN.
PFC_ALWAYS_INLINE static void normal_deviation(const Normal* normal, const float* restrict action, float* restrict z) {
  for (int32_t i = 0; i < PFC_LANES; ++i) {
    const float distance = (action[i] - normal->mean[i]) * normal->precision[i];
    const float near = pfc_clamp_or_nan(distance, -PFC_MAX_DEVIATIONS, PFC_MAX_DEVIATIONS);
    z[i] = pfc_absf(action[i]) < PFC_INFINITY ? near : PFC_NAN;
  }
}

PFC_ALWAYS_INLINE static void normal_add_logprob(const Normal* normal, const float* restrict z, float* restrict logprob,
                                                 float* restrict entropy) {
  for (int32_t i = 0; i < PFC_LANES; ++i) {
    logprob[i] += -0.5f * (z[i] * z[i]) - normal->log_std[i] - HALF_LOG_TWO_PI;
    entropy[i] += normal->log_std[i] + HALF_LOG_TWO_PI_E;
  }
}

// ---- the draw --------------------------------------------------------------------------------------

PFC_ALWAYS_INLINE static void normal_draw(const Normal* normal, uint64_t key, uint64_t row, uint64_t dim,
                                          float* restrict action) {
  for (int32_t i = 0; i < PFC_LANES; ++i) {
    const uint64_t bits = pfc_draw_bits(key, row + (uint64_t)i, dim);
    const float a = pfc_uniform_of(bits, PFC_UNIFORM_SHIFT), b = pfc_uniform_of(bits, PFC_UNIFORM_SHIFT - 23);
    const float radius = pfc_sqrtf(pfc_maxf(-2.0f * pfc_logf(a), 0.0f));
    const float number = radius * pfc_cosf(2.0f * PFC_PI * b);
    action[i] = normal->mean[i] + pfc_expf(normal->log_std[i]) * number;
  }
}

// Rows [row, row + count), count <= PFC_LANES. Returns how many are bad.
PFC_ALWAYS_INLINE static int32_t sample_lanes(const PfcGaussianSampleArgs* args, uint64_t key, int64_t row,
                                              int32_t count) {
  PfcLanes logprob = {0}, entropy = {0}, actions[PFC_MAX_ACTION_DIMS], z;
  int32_t bad[PFC_LANES] = {0};
  const float* outputs = args->outputs + row * args->outputs_stride;
  for (int32_t d = 0; d < args->dims; ++d) {
    Normal normal;
    normal_load(&normal, outputs, args->outputs_stride, args->dims, d, count);
    if (args->greedy)
      memcpy(actions[d], normal.mean, sizeof normal.mean);
    else
      normal_draw(&normal, key, args->first_row + (uint64_t)row, (uint64_t)d, actions[d]);
    normal_deviation(&normal, actions[d], z);
    normal_add_logprob(&normal, z, logprob, entropy);
    for (int32_t i = 0; i < PFC_LANES; ++i) bad[i] |= normal.bad[i];
  }
  for (int32_t d = 0; d < args->dims; ++d)
    for (int32_t i = 0; i < count; ++i) args->actions[(row + i) * args->dims + d] = bad[i] ? 0.0f : actions[d][i];
  if (args->logprobs) memcpy(args->logprobs + row, logprob, sizeof(float) * (size_t)count);
  if (args->entropy) memcpy(args->entropy + row, entropy, sizeof(float) * (size_t)count);
  int32_t bad_rows = 0;
  for (int32_t i = 0; i < count; ++i) bad_rows += bad[i];
  return bad_rows;
}

PFC_MULTIVERSION static int64_t sample_rows(const PfcGaussianSampleArgs* args, int64_t begin, int64_t end) {
  const uint64_t key = pfc_draw_key(args->seed, args->step);
  int64_t bad_rows = 0;
  for (int64_t row = begin; row < end; row += PFC_LANES)
    bad_rows += sample_lanes(args, key, row, (int32_t)PFC_MIN(end - row, (int64_t)PFC_LANES));
  return bad_rows;
}

typedef struct SampleJob {
  PfcGaussianSampleArgs args;
  _Alignas(8) int64_t bad;  // added to by every task; 32-bit processors would align it by 4
} SampleJob;

static void sample_task(void* context, int32_t worker, int32_t block) {
  (void)worker;
  SampleJob* job = context;
  const int64_t begin = (int64_t)block * GAUSSIAN_BLOCK_ROWS;
  const int64_t bad = sample_rows(&job->args, begin, PFC_MIN(begin + GAUSSIAN_BLOCK_ROWS, job->args.rows));
  if (bad) __atomic_fetch_add(&job->bad, bad, __ATOMIC_RELAXED);
}

static PfcStatus check_dims(int32_t dims) {
  if (dims >= 1 && dims <= PFC_MAX_ACTION_DIMS) return PFC_OK;
  return pfc_fail(PFC_INVALID, "dims: expected 1 to %d action dimensions, got %d", PFC_MAX_ACTION_DIMS, dims);
}

PfcStatus pfc_gaussian_sample(const PfcGaussianSampleArgs* args, PfcWorkers* workers, int64_t* bad_rows) {
  PfcStatus status = check_dims(args->dims);
  if (!status && (args->rows < 1 || args->rows > (int64_t)INT32_MAX * GAUSSIAN_BLOCK_ROWS))
    status = pfc_fail(PFC_INVALID, "rows: expected 1 to 2^40 - 512, got %lld", (long long)args->rows);
  if (!status) status = pfc_ppo_check_array("outputs", args->outputs);
  if (!status) status = pfc_ppo_check_array("actions", args->actions);
  if (!status) status = pfc_ppo_check_stride("outputs_stride", args->outputs_stride, 2 * args->dims);
  if (status) return status;
  SampleJob job = {.args = *args};
  pfc_parallel_for(workers, sample_task, &job, (int32_t)((args->rows + GAUSSIAN_BLOCK_ROWS - 1) / GAUSSIAN_BLOCK_ROWS));
  if (bad_rows) *bad_rows = job.bad;
  return PFC_OK;
}

// ---- the loss --------------------------------------------------------------------------------------

// PFC_LANES rows of the minibatch.
typedef struct LossLanes {
  PfcPpoLanes shared;
  Normal normals[PFC_MAX_ACTION_DIMS];
  PfcLanes z[PFC_MAX_ACTION_DIMS];
} LossLanes;

PFC_ALWAYS_INLINE static void loss_distributions(LossLanes* l, const PfcPpoLossArgs* args) {
  const int32_t dims = args->batch.action_dims;
  const int64_t stride = args->outputs.logits_stride;
  const float* outputs = args->outputs.logits + l->shared.row * stride;
  const float* actions = (const float*)args->batch.actions + l->shared.row * dims;
  for (int32_t i = 0; i < PFC_LANES; ++i) l->shared.logprob[i] = l->shared.entropy[i] = 0.0f;
  for (int32_t d = 0; d < dims; ++d) {
    PfcLanes action = {0};
    for (int32_t i = 0; i < l->shared.count; ++i) action[i] = actions[i * dims + d];
    normal_load(&l->normals[d], outputs, stride, dims, d, l->shared.count);
    normal_deviation(&l->normals[d], action, l->z[d]);
    normal_add_logprob(&l->normals[d], l->z[d], l->shared.logprob, l->shared.entropy);
  }
}

PFC_ALWAYS_INLINE static void loss_store(const LossLanes* l, const PfcPpoLossArgs* args, float per_row) {
  const PfcPpoLanes* shared = &l->shared;
  const int32_t dims = args->batch.action_dims;
  const int64_t stride = args->outputs.grad_logits_stride;
  const float bonus = args->settings.entropy_coef * per_row;
  for (int32_t d = 0; d < dims; ++d) {
    const Normal* normal = &l->normals[d];
    PfcLanes mean_gradient, log_std_gradient;
    for (int32_t i = 0; i < PFC_LANES; ++i) {
      const float z = l->z[d][i], along_mean = shared->policy_gradient[i] * (z * normal->precision[i]);
      const float along_log_std = shared->policy_gradient[i] * (z * z - 1.0f) - bonus;
      // A bad row's NaN must not be lost in the 0 of the clamp.
      mean_gradient[i] = shared->alive[i] ? along_mean : 0.0f;
      log_std_gradient[i] = shared->alive[i] & (normal->inside[i] | normal->bad[i]) ? along_log_std : 0.0f;
    }
    float* out = args->outputs.grad_logits + shared->row * stride + d;
    for (int32_t i = 0; i < shared->count; ++i) out[i * stride] = mean_gradient[i];
    for (int32_t i = 0; i < shared->count; ++i) out[i * stride + dims] = log_std_gradient[i];
  }
  pfc_ppo_store(shared, &args->outputs);
}

PFC_MULTIVERSION static void loss_block(const PfcPpoKernel* kernel, int64_t begin, int64_t end,
                                        PfcPpoPartial* partial) {
  const PfcPpoLossArgs* args = kernel->args;
  LossLanes l = {0};
  double sums[PFC_PPO_SUMS][PFC_LANES] = {{0}};
  partial->first_bad_row = -1;
  for (int64_t row = begin; row < end; row += PFC_LANES) {
    pfc_ppo_load(&l.shared, args, row, (int32_t)PFC_MIN(end - row, (int64_t)PFC_LANES));
    loss_distributions(&l, args);
    pfc_ppo_policy(&l.shared, &args->settings, kernel->per_row, sums);
    pfc_ppo_value(&l.shared, &args->settings, kernel->per_row, sums[PFC_PPO_VALUE]);
    loss_store(&l, args, kernel->per_row);
  }
  pfc_ppo_sum(sums, partial);
}

static void loss_rows(const PfcPpoKernel* kernel, void* scratch, int64_t begin, int64_t end, PfcPpoPartial* partial) {
  (void)scratch;
  loss_block(kernel, begin, end, partial);
}

PfcStatus pfc_ppo_continuous(PfcPpoKernel* kernel) {
  const PfcMinibatch* batch = &kernel->args->batch;
  PfcStatus status = check_dims(batch->action_dims);
  if (!status && batch->mask)
    status = pfc_fail(PFC_INVALID, "mask: expected NULL for continuous actions, got an array");
  if (!status) status = pfc_ppo_check_outputs(&kernel->args->outputs, 2 * batch->action_dims);
  kernel->rows = loss_rows;
  return status;
}
