// ppo_terms.h - the parts of the PPO loss that discrete and continuous policies share.
//
// The formulas are in ppo_loss.h. A kernel processes PFC_LANES rows at a time; loops run over lanes. It loads the
// shared part (pfc_ppo_load), sets `logprob` and `entropy` from its distributions, lets pfc_ppo_policy and
// pfc_ppo_value add to the sums, and turns `policy_gradient` into the gradient of its own parameters. Rows are divided
// into blocks whose size depends on B only. Each block sums its statistics per lane in double precision, then over
// lanes in order; the blocks' sums are added in order at the end. Internal: for ppo_loss.c, ppo_discrete.c, gaussian.c
// and training/minibatch.c.
#ifndef PUFFERC_PPO_TERMS_H
#define PUFFERC_PPO_TERMS_H

#include "core/base.h"
#include "kernels/lanes.h"
#include "kernels/ppo_loss.h"

// The contribution of one block of rows to the loss.
enum { PFC_PPO_POLICY, PFC_PPO_VALUE, PFC_PPO_ENTROPY, PFC_PPO_KL, PFC_PPO_OLD_KL, PFC_PPO_CLIPPED, PFC_PPO_SUMS };
typedef struct PfcPpoPartial {
  double sums[PFC_PPO_SUMS];
  int64_t first_bad_row;  // the first row with an action out of range or illegal; -1 = none
} PfcPpoPartial;

// The loss of a minibatch, whose arguments were checked, as a function of blocks of rows. Borrows `args`.
typedef struct PfcPpoKernel {
  const PfcPpoLossArgs* args;
  int64_t count;           // n, alive rows
  float per_row;           // 1 / n
  uint64_t scratch_bytes;  // that a worker needs, aligned to PFC_ALIGNMENT
  // Rows [begin, end): writes their gradients and *partial.
  void (*rows)(const struct PfcPpoKernel* kernel, void* scratch, int64_t begin, int64_t end, PfcPpoPartial* partial);
} PfcPpoKernel;

// Check the arguments of their kind of action, and set scratch_bytes and rows.
PfcStatus pfc_ppo_discrete(PfcPpoKernel* kernel);    // ppo_discrete.c
PfcStatus pfc_ppo_continuous(PfcPpoKernel* kernel);  // gaussian.c

// Checks the arguments and sets up the kernel. PFC_INVALID names the argument.
PfcStatus pfc_ppo_kernel(const PfcPpoLossArgs* args, PfcPpoKernel* kernel);

// PFC_INVALID for a missing array or a stride that is too small; the message names it.
PfcStatus pfc_ppo_check_array(const char* name, const void* array);
PfcStatus pfc_ppo_check_stride(const char* name, int64_t stride, int64_t min);
// The same for the parameters of the distributions, K numbers in a row, and their gradient.
PfcStatus pfc_ppo_check_outputs(const PfcPpoOutputs* outputs, int64_t numbers);

// Adds the contribution of a block. Blocks are added in order.
void pfc_ppo_add(PfcPpoPartial* sum, const PfcPpoPartial* block);
// Computes the statistics. PFC_INVALID if a row's action was out of range or illegal.
PfcStatus pfc_ppo_finish(const PfcPpoKernel* kernel, const PfcPpoPartial* sum, PfcPpoLossStats* stats);

// PFC_LANES rows of the minibatch. Lanes past the end of the block are dead rows of zeros.
typedef struct PfcPpoLanes {
  int64_t row;    // of lane 0
  int32_t count;  // lanes in use
  int32_t alive[PFC_LANES];
  PfcLanes old_logprob, advantage, value, target, old_value;
  PfcLanes logprob, entropy;
  PfcLanes policy_gradient;  // d loss / d log p of the row's actions
  PfcLanes value_gradient;
  PfcLanes ratio;
} PfcPpoLanes;

PFC_ALWAYS_INLINE static void pfc_ppo_copy(float* lanes, const float* from, int64_t stride, int32_t count) {
  for (int32_t i = 0; i < count; ++i) lanes[i] = from[i * stride];
}

PFC_ALWAYS_INLINE static void pfc_ppo_load(PfcPpoLanes* l, const PfcPpoLossArgs* args, int64_t row, int32_t count) {
  const PfcMinibatch* batch = &args->batch;
  if (count < PFC_LANES) memset(l, 0, sizeof *l);
  l->row = row;
  l->count = count;
  for (int32_t i = 0; i < count; ++i) l->alive[i] = batch->alive ? batch->alive[row + i] != 0 : 1;
  pfc_ppo_copy(l->old_logprob, batch->old_logprobs + row, 1, count);
  pfc_ppo_copy(l->advantage, batch->advantages + row, 1, count);
  pfc_ppo_copy(l->target, batch->returns + row, 1, count);
  pfc_ppo_copy(l->value, args->outputs.values + row * args->outputs.values_stride, args->outputs.values_stride, count);
  if (args->settings.value_clip > 0.0f) pfc_ppo_copy(l->old_value, batch->old_values + row, 1, count);
}

// Computes the policy's gradient and ratio from logprob. Adds to all sums but that of the value loss.
PFC_ALWAYS_INLINE static void pfc_ppo_policy(PfcPpoLanes* restrict l, const PfcPpoSettings* settings, float per_row,
                                             double (*restrict sums)[PFC_LANES]) {
  const bool normalise = settings->advantage_std != 0.0f;
  const float mean = normalise ? settings->advantage_mean : 0.0f;
  const float scale = normalise ? 1.0f / (settings->advantage_std + 1e-8f) : 1.0f;
  const float low = 1.0f - settings->clip, high = 1.0f + settings->clip;
  for (int32_t i = 0; i < PFC_LANES; ++i) {
    const int alive = l->alive[i];
    const float advantage = (l->advantage[i] - mean) * scale;
    const float log_ratio = l->logprob[i] - l->old_logprob[i];
    const float power = pfc_expf(log_ratio);
    const float ratio = log_ratio == log_ratio ? power : log_ratio;  // keeps a NaN
    const float plain = -advantage * ratio;
    const float clipped = -advantage * pfc_clamp_or_nan(ratio, low, high);
    const float gradient = clipped > plain ? 0.0f : plain;
    l->ratio[i] = alive ? ratio : 1.0f;
    l->policy_gradient[i] = gradient * per_row;
    sums[PFC_PPO_POLICY][i] += (double)(alive ? (clipped > plain ? clipped : plain) : 0.0f);
    sums[PFC_PPO_ENTROPY][i] += (double)(alive ? l->entropy[i] : 0.0f);
    sums[PFC_PPO_KL][i] += (double)(alive ? (ratio - 1.0f) - log_ratio : 0.0f);
    sums[PFC_PPO_OLD_KL][i] += (double)(alive ? -log_ratio : 0.0f);
    sums[PFC_PPO_CLIPPED][i] += (double)(alive && pfc_absf(ratio - 1.0f) > settings->clip ? 1.0f : 0.0f);
  }
}

// Computes the value's gradient from value, target and old_value.
PFC_ALWAYS_INLINE static void pfc_ppo_value(PfcPpoLanes* restrict l, const PfcPpoSettings* settings, float per_row,
                                            double* restrict sum) {
  const float clip = settings->value_clip, coef = settings->value_coef * per_row;
  const bool clipping = clip > 0.0f;
  for (int32_t i = 0; i < PFC_LANES; ++i) {
    const float error = l->value[i] - l->target[i];
    const float move = l->value[i] - l->old_value[i];
    const float clipped_move = pfc_clamp_or_nan(move, -clip, clip);
    const float clipped_error = (l->old_value[i] + clipped_move) - l->target[i];
    const float plain = error * error, clipped = clipped_error * clipped_error;
    const float larger = (clipping & !(clipped <= plain)) ? clipped : plain;  // a NaN in old_value counts as the larger
    // Inside the range both terms are equal except for rounding, and so are their gradients.
    const bool flat = clipping & (clipped > plain) & (clipped_move != move);
    const float gradient = flat ? 0.0f : error;
    l->value_gradient[i] = l->alive[i] ? coef * gradient : 0.0f;
    sum[i] += (double)(l->alive[i] ? 0.5f * larger : 0.0f);
  }
}

// Writes the gradient of the value, and the ratio if `outputs` has an array for it.
PFC_ALWAYS_INLINE static void pfc_ppo_store(const PfcPpoLanes* l, const PfcPpoOutputs* outputs) {
  float* out = outputs->grad_values + l->row * outputs->grad_values_stride;
  for (int32_t i = 0; i < l->count; ++i) out[i * outputs->grad_values_stride] = l->value_gradient[i];
  if (outputs->ratio) memcpy(outputs->ratio + l->row, l->ratio, sizeof(float) * (size_t)l->count);
}

// Adds up the lanes of a block.
PFC_ALWAYS_INLINE static void pfc_ppo_sum(double (*sums)[PFC_LANES], PfcPpoPartial* partial) {
  for (int32_t s = 0; s < PFC_PPO_SUMS; ++s) {
    partial->sums[s] = 0.0;
    for (int32_t i = 0; i < PFC_LANES; ++i) partial->sums[s] += sums[s][i];
  }
}

#endif  // PUFFERC_PPO_TERMS_H
