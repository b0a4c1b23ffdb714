// ppo_loss.c - see ppo_loss.h. PFC_LANES rows at a time; loops run over lanes.
//
// Rows are cut into blocks whose size depends on B alone. Each block sums its statistics per lane in double precision,
// then over lanes in order; the blocks' sums are added in order at the end.
#include "ppo_loss.h"

#include "base.h"
#include "categorical.h"

enum {
  LOSS_MAX_BLOCKS = 64,   // bounds the partial sums, which live on the caller's stack
  LOSS_MIN_ROWS = 8 * PFC_LANES  // of a block: some 3 us, a few times what handing it over costs
};

enum { LOSS_POLICY, LOSS_VALUE, LOSS_ENTROPY, LOSS_KL, LOSS_OLD_KL, LOSS_CLIPPED, LOSS_SUMS };

typedef struct LossPartial {
  double sums[LOSS_SUMS];
  int64_t first_bad_row;  // whose action is out of range; -1 = none
} LossPartial;

typedef struct LossJob {
  PfcPpoLossArgs args;
  int64_t count;  // alive rows
  int64_t block_rows;
  LossPartial partials[LOSS_MAX_BLOCKS];
} LossJob;

// PFC_LANES rows of the minibatch. Lanes past the end of the block are dead rows of zeros.
typedef struct LossLanes {
  int64_t row;    // of lane 0
  int32_t count;  // lanes in use
  int32_t alive[PFC_LANES];
  int32_t actions[PFC_MAX_ACTION_DIMS][PFC_LANES];
  PfcHead heads[PFC_MAX_ACTION_DIMS];
  PfcLanes old_logprob, advantage, value, target, old_value;
  PfcLanes logprob, entropy;
  PfcLanes policy_gradient;  // d loss / d log p of the row's actions
  PfcLanes value_gradient;
  PfcLanes ratio;
} LossLanes;

// Unlike pfc_clampf this keeps a NaN.
PFC_FN float loss_clamp(float x, float low, float high) {
  const float below = x > high ? high : x;
  return x < low ? low : below;
}

// ---- reading ---------------------------------------------------------------------------------------

PFC_ALWAYS_INLINE static void loss_copy(float* lanes, const float* from, int64_t stride, int32_t count) {
  for (int32_t i = 0; i < count; ++i) lanes[i] = from[i * stride];
}

PFC_ALWAYS_INLINE static void loss_load(LossLanes* l, const PfcPpoLossArgs* args, int64_t row, int32_t count) {
  if (count < PFC_LANES) memset(l, 0, sizeof *l);
  l->row = row;
  l->count = count;
  for (int32_t i = 0; i < count; ++i) l->alive[i] = args->alive ? args->alive[row + i] != 0 : 1;
  for (int32_t d = 0; d < args->dims; ++d)
    for (int32_t i = 0; i < count; ++i) l->actions[d][i] = args->actions[(row + i) * args->dims + d];
  loss_copy(l->old_logprob, args->old_logprobs + row, 1, count);
  loss_copy(l->advantage, args->advantages + row, 1, count);
  loss_copy(l->target, args->returns + row, 1, count);
  loss_copy(l->value, args->values + row * args->values_stride, args->values_stride, count);
  if (args->value_clip > 0.0f) loss_copy(l->old_value, args->old_values + row, 1, count);
}

// -1, or the first alive row with an action that its head does not have.
PFC_ALWAYS_INLINE static int64_t loss_first_bad_row(const LossLanes* l, const PfcPpoLossArgs* args) {
  int32_t bad[PFC_LANES] = {0}, any = 0;
  for (int32_t d = 0; d < args->dims; ++d)
    for (int32_t i = 0; i < PFC_LANES; ++i)
      bad[i] |= l->alive[i] & ((uint32_t)l->actions[d][i] >= (uint32_t)args->action_counts[d]);
  for (int32_t i = 0; i < PFC_LANES; ++i) any |= bad[i];
  if (any)
    for (int32_t i = 0; i < PFC_LANES; ++i)
      if (bad[i]) return l->row + i;
  return -1;
}

// ---- the loss --------------------------------------------------------------------------------------

PFC_ALWAYS_INLINE static void loss_distributions(LossLanes* l, const PfcPpoLossArgs* args, PfcChoices* choices) {
  const float* logits = args->logits + l->row * args->logits_stride;
  int32_t first = 0;
  for (int32_t i = 0; i < PFC_LANES; ++i) l->logprob[i] = l->entropy[i] = 0.0f;
  for (int32_t d = 0; d < args->dims; ++d) {
    PfcHead* head = &l->heads[d];
    pfc_head_load(head, choices, first, args->action_counts[d], logits + first, args->logits_stride, l->count);
    pfc_head_softmax(head);
    pfc_head_add_logprob(head, l->actions[d], l->logprob);
    for (int32_t i = 0; i < PFC_LANES; ++i) l->entropy[i] += head->entropy[i];
    first += args->action_counts[d];
  }
}

PFC_ALWAYS_INLINE static void loss_policy(LossLanes* restrict l, const PfcPpoLossArgs* args, float per_row,
                                          double (*restrict sums)[PFC_LANES]) {
  const bool normalise = args->advantage_std != 0.0f;
  const float mean = normalise ? args->advantage_mean : 0.0f;
  const float scale = normalise ? 1.0f / (args->advantage_std + 1e-8f) : 1.0f;
  const float low = 1.0f - args->clip, high = 1.0f + args->clip;
  for (int32_t i = 0; i < PFC_LANES; ++i) {
    const int alive = l->alive[i];
    const float advantage = (l->advantage[i] - mean) * scale;
    const float log_ratio = l->logprob[i] - l->old_logprob[i];
    const float power = pfc_expf(log_ratio);
    const float ratio = log_ratio == log_ratio ? power : log_ratio;  // keeps a NaN
    const float plain = -advantage * ratio;
    const float clipped = -advantage * loss_clamp(ratio, low, high);
    const float gradient = clipped > plain ? 0.0f : plain;
    l->ratio[i] = alive ? ratio : 1.0f;
    l->policy_gradient[i] = gradient * per_row;
    sums[LOSS_POLICY][i] += (double)(alive ? (clipped > plain ? clipped : plain) : 0.0f);
    sums[LOSS_ENTROPY][i] += (double)(alive ? l->entropy[i] : 0.0f);
    sums[LOSS_KL][i] += (double)(alive ? (ratio - 1.0f) - log_ratio : 0.0f);
    sums[LOSS_OLD_KL][i] += (double)(alive ? -log_ratio : 0.0f);
    sums[LOSS_CLIPPED][i] += (double)(alive && pfc_absf(ratio - 1.0f) > args->clip ? 1.0f : 0.0f);
  }
}

PFC_ALWAYS_INLINE static void loss_value(LossLanes* restrict l, const PfcPpoLossArgs* args, float per_row,
                                         double* restrict sum) {
  const float clip = args->value_clip, coef = args->value_coef * per_row;
  const bool clipping = clip > 0.0f;
  for (int32_t i = 0; i < PFC_LANES; ++i) {
    const float error = l->value[i] - l->target[i];
    const float move = l->value[i] - l->old_value[i];
    const float clipped_move = loss_clamp(move, -clip, clip);
    const float clipped_error = (l->old_value[i] + clipped_move) - l->target[i];
    const float plain = error * error, clipped = clipped_error * clipped_error;
    const float larger = (clipping & !(clipped <= plain)) ? clipped : plain;  // a NaN in old_value counts as the larger
    // Inside the range both terms are equal but for rounding, and so are their gradients.
    const bool flat = clipping & (clipped > plain) & (clipped_move != move);
    const float gradient = flat ? 0.0f : error;
    l->value_gradient[i] = l->alive[i] ? coef * gradient : 0.0f;
    sum[i] += (double)(l->alive[i] ? 0.5f * larger : 0.0f);
  }
}

// ---- the gradient ----------------------------------------------------------------------------------

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
  float* out = args->grad_logits + l->row * args->grad_logits_stride;
  for (int32_t d = 0; d < args->dims; ++d) {
    PfcHead* head = &l->heads[d];
    loss_head_gradient(head, l->actions[d], l->policy_gradient, l->alive, args->entropy_coef * per_row);
    for (int32_t i = 0; i < l->count; ++i)
      for (int32_t k = 0; k < head->count; ++k) out[i * args->grad_logits_stride + k] = head->weight[k][i];
    out += head->count;
  }
  out = args->grad_values + l->row * args->grad_values_stride;
  for (int32_t i = 0; i < l->count; ++i) out[i * args->grad_values_stride] = l->value_gradient[i];
  if (args->ratio) memcpy(args->ratio + l->row, l->ratio, sizeof(float) * (size_t)l->count);
}

// ---- blocks ----------------------------------------------------------------------------------------

PFC_MULTIVERSION static void loss_rows(const PfcPpoLossArgs* args, int64_t begin, int64_t end, float per_row,
                                       LossPartial* partial) {
  PfcChoices choices;
  LossLanes l = {0};
  double sums[LOSS_SUMS][PFC_LANES] = {{0}};
  partial->first_bad_row = -1;
  for (int64_t row = begin; row < end; row += PFC_LANES) {
    loss_load(&l, args, row, (int32_t)PFC_MIN(end - row, (int64_t)PFC_LANES));
    if (partial->first_bad_row < 0) partial->first_bad_row = loss_first_bad_row(&l, args);
    loss_distributions(&l, args, &choices);
    loss_policy(&l, args, per_row, sums);
    loss_value(&l, args, per_row, sums[LOSS_VALUE]);
    loss_store(&l, args, per_row);
  }
  for (int32_t s = 0; s < LOSS_SUMS; ++s) {
    partial->sums[s] = 0.0;
    for (int32_t i = 0; i < PFC_LANES; ++i) partial->sums[s] += sums[s][i];
  }
}

static void loss_task(void* context, int32_t block) {
  LossJob* job = context;
  const int64_t begin = block * job->block_rows, end = PFC_MIN(begin + job->block_rows, job->args.rows);
  const float per_row = job->count > 0 ? (float)(1.0 / (double)job->count) : 0.0f;
  loss_rows(&job->args, begin, end, per_row, &job->partials[block]);
}

// ---- the call --------------------------------------------------------------------------------------

static PfcStatus loss_check_arrays(const PfcPpoLossArgs* args) {
  const struct {
    const char* name;
    const void* array;
  } needed[] = {{"logits", args->logits},           {"values", args->values},
                {"actions", args->actions},         {"old_logprobs", args->old_logprobs},
                {"advantages", args->advantages},   {"returns", args->returns},
                {"grad_logits", args->grad_logits}, {"grad_values", args->grad_values}};
  for (size_t i = 0; i < sizeof needed / sizeof needed[0]; ++i)
    if (!needed[i].array) return pfc_fail(PFC_INVALID, "%s: expected an array, got NULL", needed[i].name);
  if (args->value_clip > 0.0f && !args->old_values)
    return pfc_fail(PFC_INVALID, "old_values: expected an array because value_clip is %g, got NULL",
                    (double)args->value_clip);
  return PFC_OK;
}

static PfcStatus loss_check_strides(const PfcPpoLossArgs* args, int32_t choices) {
  const struct {
    const char* name;
    int64_t stride, least;
  } strides[] = {{"logits_stride", args->logits_stride, choices},
                 {"grad_logits_stride", args->grad_logits_stride, choices},
                 {"values_stride", args->values_stride, 1},
                 {"grad_values_stride", args->grad_values_stride, 1}};
  for (size_t i = 0; i < sizeof strides / sizeof strides[0]; ++i)
    if (strides[i].stride < strides[i].least)
      return pfc_fail(PFC_INVALID, "%s: expected at least %lld elements from row to row, got %lld", strides[i].name,
                      (long long)strides[i].least, (long long)strides[i].stride);
  return PFC_OK;
}

static PfcStatus loss_check_numbers(const PfcPpoLossArgs* args) {
  if (!(args->clip > 0.0f)) return pfc_fail(PFC_INVALID, "clip: expected a number > 0, got %g", (double)args->clip);
  if (!(args->value_coef >= 0.0f && args->value_coef < PFC_INFINITY))
    return pfc_fail(PFC_INVALID, "value_coef: expected a finite number >= 0, got %g", (double)args->value_coef);
  if (!(pfc_absf(args->entropy_coef) < PFC_INFINITY))
    return pfc_fail(PFC_INVALID, "entropy_coef: expected a finite number, got %g", (double)args->entropy_coef);
  if (args->value_clip != args->value_clip)
    return pfc_fail(PFC_INVALID, "value_clip: expected a number, got %g", (double)args->value_clip);
  if (args->advantage_std < 0.0f)
    return pfc_fail(PFC_INVALID, "advantage_std: expected a number >= 0, got %g", (double)args->advantage_std);
  return PFC_OK;
}

static PfcStatus loss_check(const PfcPpoLossArgs* args) {
  int32_t choices = 0;
  if (args->rows < 1 || args->rows > (int64_t)1 << 40)
    return pfc_fail(PFC_INVALID, "rows: expected 1 to 2^40, got %lld", (long long)args->rows);
  PfcStatus status = pfc_check_heads(args->action_counts, args->dims, &choices);
  if (!status) status = loss_check_arrays(args);
  if (!status) status = loss_check_strides(args, choices);
  if (!status) status = loss_check_numbers(args);
  return status;
}

static int64_t loss_count(const uint8_t* alive, int64_t rows) {
  int64_t count = 0;
  for (int64_t i = 0; i < rows; ++i) count += alive[i] != 0;
  return count;
}

// Adds up the blocks. PFC_INVALID if a row's action was out of range.
static PfcStatus loss_reduce(const LossJob* job, int32_t blocks, PfcPpoLossStats* stats) {
  double sums[LOSS_SUMS] = {0};
  for (int32_t b = 0; b < blocks; ++b) {
    const LossPartial* partial = &job->partials[b];
    if (partial->first_bad_row >= 0)
      return pfc_fail(PFC_INVALID, "actions[%lld]: an action is not in [0, action_counts of its dimension)",
                      (long long)partial->first_bad_row);
    for (int32_t s = 0; s < LOSS_SUMS; ++s) sums[s] += partial->sums[s];
  }
  const double count = job->count > 0 ? (double)job->count : 1.0;
  const PfcPpoLossArgs* args = &job->args;
  stats->policy_loss = sums[LOSS_POLICY] / count;
  stats->value_loss = sums[LOSS_VALUE] / count;
  stats->entropy = sums[LOSS_ENTROPY] / count;
  stats->approx_kl = sums[LOSS_KL] / count;
  stats->old_approx_kl = sums[LOSS_OLD_KL] / count;
  stats->clip_fraction = sums[LOSS_CLIPPED] / count;
  stats->loss = stats->policy_loss + (double)args->value_coef * stats->value_loss -
                (double)args->entropy_coef * stats->entropy;
  stats->count = job->count;
  return PFC_OK;
}

PfcStatus pfc_ppo_loss(const PfcPpoLossArgs* args, PfcTeam* team, PfcPpoLossStats* stats) {
  const PfcStatus status = loss_check(args);
  if (status) return status;
  LossJob job = {.args = *args};
  job.count = args->alive ? loss_count(args->alive, args->rows) : args->rows;
  const int64_t share = (args->rows + LOSS_MAX_BLOCKS - 1) / LOSS_MAX_BLOCKS;
  const int64_t whole = (share + PFC_LANES - 1) / PFC_LANES * PFC_LANES;
  job.block_rows = PFC_MAX(whole, (int64_t)LOSS_MIN_ROWS);
  const int32_t blocks = (int32_t)((args->rows + job.block_rows - 1) / job.block_rows);
  pfc_team_run(team, loss_task, &job, blocks);
  return loss_reduce(&job, blocks, stats);
}

// ---- mean and deviation ----------------------------------------------------------------------------

// The sum of (x - mean)^power over alive entries, power 1 or 2; lane i takes the entries i, i + PFC_LANES, ...
PFC_MULTIVERSION static double loss_moment(const float* x, const uint8_t* alive, int64_t rows, double mean, int power) {
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
  const int64_t count = alive ? loss_count(alive, rows) : rows;
  *mean = count > 0 ? loss_moment(x, alive, rows, 0.0, 1) / (double)count : 0.0;
  *std = count > 1 ? __builtin_sqrt(loss_moment(x, alive, rows, *mean, 2) / (double)(count - 1)) : 0.0;
  return PFC_OK;
}
