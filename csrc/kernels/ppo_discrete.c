// ppo_discrete.c - see ppo_loss.h: log-probability, entropy and gradient of the logits of discrete policies.
#include "kernels/categorical.h"
#include "kernels/ppo_terms.h"

// PFC_LANES rows of the minibatch.
typedef struct LossLanes {
  PfcPpoLanes shared;
  int32_t actions[PFC_MAX_ACTION_DIMS][PFC_LANES];
  PfcHead heads[PFC_MAX_ACTION_DIMS];
} LossLanes;

PFC_ALWAYS_INLINE static void loss_load(LossLanes* l, const PfcPpoLossArgs* args, int64_t row, int32_t count) {
  const int32_t* actions = args->batch.actions;
  const int32_t dims = args->batch.action_dims;
  pfc_ppo_load(&l->shared, args, row, count);
  if (count < PFC_LANES)
    memset(l->actions, 0, sizeof l->actions);  // so that lanes without a row do not read stale bytes
  for (int32_t d = 0; d < dims; ++d)
    for (int32_t i = 0; i < count; ++i) l->actions[d][i] = actions[(row + i) * dims + d];
}

// Whether the mask of a row excludes one of its actions, which are in range.
static bool loss_has_illegal(const LossLanes* l, const PfcMinibatch* batch, int32_t lane) {
  const uint32_t* mask = batch->mask + (l->shared.row + lane) * batch->mask_words;
  int32_t first = 0;
  for (int32_t d = 0; d < batch->action_dims; ++d) {
    if (!pfc_is_legal(mask, first + l->actions[d][lane])) return true;
    first += batch->action_counts[d];
  }
  return false;
}

// The first alive row with an action that is out of range or illegal; -1 = none.
PFC_ALWAYS_INLINE static int64_t loss_first_bad_row(const LossLanes* l, const PfcMinibatch* batch, bool masked) {
  int32_t bad[PFC_LANES] = {0}, any = 0;
  for (int32_t d = 0; d < batch->action_dims; ++d)
    for (int32_t i = 0; i < PFC_LANES; ++i)
      bad[i] |= l->shared.alive[i] & ((uint32_t)l->actions[d][i] >= (uint32_t)batch->action_counts[d]);
  for (int32_t i = 0; masked && i < PFC_LANES; ++i)
    if (l->shared.alive[i] && !bad[i]) bad[i] = loss_has_illegal(l, batch, i);
  for (int32_t i = 0; i < PFC_LANES; ++i) any |= bad[i];
  if (any)
    for (int32_t i = 0; i < PFC_LANES; ++i)
      if (bad[i]) return l->shared.row + i;
  return -1;
}

PFC_ALWAYS_INLINE static void loss_distributions(LossLanes* l, const PfcPpoLossArgs* args, const PfcChoices* choices,
                                                 bool masked) {
  const PfcMinibatch* batch = &args->batch;
  const int64_t stride = args->outputs.logits_stride;
  const float* logits = args->outputs.logits + l->shared.row * stride;
  const PfcMask mask = {masked ? batch->mask + l->shared.row * batch->mask_words : NULL, batch->mask_words};
  int32_t first = 0;
  for (int32_t i = 0; i < PFC_LANES; ++i) l->shared.logprob[i] = l->shared.entropy[i] = 0.0f;
  for (int32_t d = 0; d < batch->action_dims; ++d) {
    PfcHead* head = &l->heads[d];
    pfc_head_load(head, choices, first, batch->action_counts[d], logits + first, stride, l->shared.count);
    if (masked) pfc_head_mask(head, &mask, first, l->shared.count);
    pfc_head_softmax(head, masked);
    pfc_head_add_logprob(head, l->actions[d], l->shared.logprob);
    for (int32_t i = 0; i < PFC_LANES; ++i) l->shared.entropy[i] += head->entropy[i];
    first += batch->action_counts[d];
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
  const int64_t stride = args->outputs.grad_logits_stride;
  const float bonus = args->settings.entropy_coef * per_row;
  float* out = args->outputs.grad_logits + shared->row * stride;
  for (int32_t d = 0; d < args->batch.action_dims; ++d) {
    PfcHead* head = &l->heads[d];
    loss_head_gradient(head, l->actions[d], shared->policy_gradient, shared->alive, bonus);
    for (int32_t i = 0; i < shared->count; ++i)
      for (int32_t k = 0; k < head->count; ++k) out[i * stride + k] = head->weight[k][i];
    out += head->count;
  }
  pfc_ppo_store(shared, &args->outputs);
}

PFC_ALWAYS_INLINE static void loss_block(const PfcPpoKernel* kernel, const PfcChoices* choices, int64_t begin,
                                         int64_t end, PfcPpoPartial* partial, bool masked) {
  const PfcPpoLossArgs* args = kernel->args;
  LossLanes l = {0};
  double sums[PFC_PPO_SUMS][PFC_LANES] = {{0}};
  partial->first_bad_row = -1;
  for (int64_t row = begin; row < end; row += PFC_LANES) {
    loss_load(&l, args, row, (int32_t)PFC_MIN(end - row, (int64_t)PFC_LANES));
    if (partial->first_bad_row < 0) partial->first_bad_row = loss_first_bad_row(&l, &args->batch, masked);
    loss_distributions(&l, args, choices, masked);
    pfc_ppo_policy(&l.shared, &args->settings, kernel->per_row, sums);
    pfc_ppo_value(&l.shared, &args->settings, kernel->per_row, sums[PFC_PPO_VALUE]);
    loss_store(&l, args, kernel->per_row);
  }
  pfc_ppo_sum(sums, partial);
}

// The number of choices in all dimensions.
static int32_t loss_choices(const PfcMinibatch* batch) {
  int32_t choices = 0;
  for (int32_t d = 0; d < batch->action_dims; ++d) choices += batch->action_counts[d];
  return choices;
}

PFC_MULTIVERSION static void loss_rows(const PfcPpoKernel* kernel, void* scratch, int64_t begin, int64_t end,
                                       PfcPpoPartial* partial) {
  const PfcChoices choices = pfc_choices_at(scratch, loss_choices(&kernel->args->batch));
  if (kernel->args->batch.mask)
    loss_block(kernel, &choices, begin, end, partial, true);
  else
    loss_block(kernel, &choices, begin, end, partial, false);
}

static void loss_any_rows(const PfcPpoKernel* kernel, void* scratch, int64_t begin, int64_t end,
                          PfcPpoPartial* partial) {
  loss_rows(kernel, scratch, begin, end, partial);
}

PfcStatus pfc_ppo_discrete(PfcPpoKernel* kernel) {
  const PfcMinibatch* batch = &kernel->args->batch;
  int32_t choices = 0;
  PfcStatus status = pfc_check_heads(batch->action_counts, batch->action_dims, &choices);
  if (!status) status = pfc_ppo_check_outputs(&kernel->args->outputs, choices);
  if (!status) status = pfc_check_mask(batch->mask, batch->mask_words, choices);
  kernel->rows = loss_any_rows;
  kernel->scratch_bytes = pfc_choices_bytes(choices);
  return status;
}
