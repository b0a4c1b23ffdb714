// ppo_loss.c - see ppo_loss.h: the distributions of discrete policies. The rest of the loss is in ppo_terms.h.
#include "kernels/ppo_loss.h"

#include "kernels/categorical.h"
#include "kernels/ppo_terms.h"

// PFC_LANES rows of the minibatch.
typedef struct LossLanes {
  PfcPpoLanes shared;
  int32_t actions[PFC_MAX_ACTION_DIMS][PFC_LANES];
  PfcHead heads[PFC_MAX_ACTION_DIMS];
} LossLanes;

PFC_ALWAYS_INLINE static void loss_load(LossLanes* l, const PfcPpoLossArgs* args, int64_t row, int32_t count) {
  pfc_ppo_load(&l->shared, &args->batch, row, count);
  if (count < PFC_LANES) memset(l->actions, 0, sizeof l->actions);  // lanes without a row read no stale bytes
  for (int32_t d = 0; d < args->dims; ++d)
    for (int32_t i = 0; i < count; ++i) l->actions[d][i] = args->actions[(row + i) * args->dims + d];
}

// -1, or the first alive row with an action that its head does not have.
PFC_ALWAYS_INLINE static int64_t loss_first_bad_row(const LossLanes* l, const PfcPpoLossArgs* args) {
  int32_t bad[PFC_LANES] = {0}, any = 0;
  for (int32_t d = 0; d < args->dims; ++d)
    for (int32_t i = 0; i < PFC_LANES; ++i)
      bad[i] |= l->shared.alive[i] & ((uint32_t)l->actions[d][i] >= (uint32_t)args->action_counts[d]);
  for (int32_t i = 0; i < PFC_LANES; ++i) any |= bad[i];
  if (any)
    for (int32_t i = 0; i < PFC_LANES; ++i)
      if (bad[i]) return l->shared.row + i;
  return -1;
}

PFC_ALWAYS_INLINE static void loss_distributions(LossLanes* l, const PfcPpoLossArgs* args, PfcChoices* choices) {
  const float* logits = args->logits + l->shared.row * args->logits_stride;
  int32_t first = 0;
  for (int32_t i = 0; i < PFC_LANES; ++i) l->shared.logprob[i] = l->shared.entropy[i] = 0.0f;
  for (int32_t d = 0; d < args->dims; ++d) {
    PfcHead* head = &l->heads[d];
    pfc_head_load(head, choices, first, args->action_counts[d], logits + first, args->logits_stride, l->shared.count);
    pfc_head_softmax(head);
    pfc_head_add_logprob(head, l->actions[d], l->shared.logprob);
    for (int32_t i = 0; i < PFC_LANES; ++i) l->shared.entropy[i] += head->entropy[i];
    first += args->action_counts[d];
  }
}

// Turns a head's weights into d loss / d logit.
PFC_ALWAYS_INLINE static void loss_head_gradient(PfcHead* head, const int32_t* restrict action,
                                                 const float* restrict policy_gradient, const int32_t* restrict alive,
                                                 float entropy_coef) {
  PfcLanes* restrict shifted = head->shifted;
  PfcLanes* restrict weight = head->weight;
  PfcLanes per_total, offset;
  for (int32_t i = 0; i < PFC_LANES; ++i) {
    per_total[i] = 1.0f / head->total[i];
    offset[i] = head->entropy[i] - head->log_total[i];
  }
  for (int32_t k = 0; k < head->count; ++k)
    for (int32_t i = 0; i < PFC_LANES; ++i) {
      const float p = weight[k][i] * per_total[i];
      const float chosen = action[i] == k ? 1.0f : 0.0f;
      const float gradient = policy_gradient[i] * (chosen - p) + entropy_coef * (p * (shifted[k][i] + offset[i]));
      weight[k][i] = alive[i] ? gradient : 0.0f;
    }
}

PFC_ALWAYS_INLINE static void loss_store(LossLanes* l, const PfcPpoLossArgs* args, float per_row) {
  const PfcPpoLanes* shared = &l->shared;
  float* out = args->grad_logits + shared->row * args->grad_logits_stride;
  for (int32_t d = 0; d < args->dims; ++d) {
    PfcHead* head = &l->heads[d];
    loss_head_gradient(head, l->actions[d], shared->policy_gradient, shared->alive, args->batch.entropy_coef * per_row);
    for (int32_t i = 0; i < shared->count; ++i)
      for (int32_t k = 0; k < head->count; ++k) out[i * args->grad_logits_stride + k] = head->weight[k][i];
    out += head->count;
  }
  pfc_ppo_store(shared, &args->batch);
}

PFC_MULTIVERSION static void loss_block(const PfcPpoLossArgs* args, int64_t begin, int64_t end, float per_row,
                                        PfcPpoPartial* partial) {
  PfcChoices choices;
  LossLanes l = {0};
  double sums[PFC_PPO_SUMS][PFC_LANES] = {{0}};
  partial->first_bad_row = -1;
  for (int64_t row = begin; row < end; row += PFC_LANES) {
    loss_load(&l, args, row, (int32_t)PFC_MIN(end - row, (int64_t)PFC_LANES));
    if (partial->first_bad_row < 0) partial->first_bad_row = loss_first_bad_row(&l, args);
    loss_distributions(&l, args, &choices);
    pfc_ppo_policy(&l.shared, &args->batch, per_row, sums);
    pfc_ppo_value(&l.shared, &args->batch, per_row, sums[PFC_PPO_VALUE]);
    loss_store(&l, args, per_row);
  }
  pfc_ppo_sum(sums, partial);
}

static void loss_rows(const void* args, int64_t begin, int64_t end, float per_row, PfcPpoPartial* partial) {
  loss_block(args, begin, end, per_row, partial);
}

PfcStatus pfc_ppo_kernel(const PfcPpoLossArgs* args, PfcPpoKernel* kernel) {
  int32_t choices = 0;
  PfcStatus status = pfc_check_heads(args->action_counts, args->dims, &choices);
  if (!status) status = pfc_ppo_check(&args->batch);
  if (!status) status = pfc_ppo_check_array("logits", args->logits);
  if (!status) status = pfc_ppo_check_array("actions", args->actions);
  if (!status) status = pfc_ppo_check_array("grad_logits", args->grad_logits);
  if (!status) status = pfc_ppo_check_stride("logits_stride", args->logits_stride, choices);
  if (!status) status = pfc_ppo_check_stride("grad_logits_stride", args->grad_logits_stride, choices);
  *kernel = (PfcPpoKernel){.batch = &args->batch, .args = args, .rows = loss_rows};
  return status;
}

PfcStatus pfc_ppo_loss(const PfcPpoLossArgs* args, PfcWorkers* workers, PfcPpoLossStats* stats) {
  PfcPpoKernel kernel;
  const PfcStatus status = pfc_ppo_kernel(args, &kernel);
  return status ? status : pfc_ppo_run(&kernel, workers, stats);
}
