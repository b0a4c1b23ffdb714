// categorical.h - softmax distributions of many rows side by side: what sampling and the PPO loss share.
//
// A head is one discrete action dimension: `count` logits per row. PFC_LANES rows are taken together and transposed
// to [count][PFC_LANES], so every loop below runs over lanes and vectorises; rows never mix.
//
//   shifted_k = max(logit_k - max_j logit_j, -64)     weight_k = exp(shifted_k)     total = sum_k weight_k, k ascending
//   log p_k   = shifted_k - log total                 p_k = weight_k / total
//   entropy   = log total - (sum_k weight_k shifted_k) / total
//
// A logit of minus infinity is a masked choice. Its weight of 1.6e-28 is below what any uniform number of sample.h can
// hit, and so far above the subnormal numbers, which are slow, that products with it stay normal.
// A head with a NaN, a plus infinity or nothing but minus infinities is no distribution: `bad`, its numbers are NaN.
//
// Scratch memory belongs to the caller (its stack). Internal: for sample.c and ppo_loss.c alone.
#ifndef PUFFERC_CATEGORICAL_H
#define PUFFERC_CATEGORICAL_H

#include "base.h"
#include "kernels/lanes.h"

enum { PFC_SCRATCH_CHOICES = 1024 };  // of all heads of a row together; bounds the scratch memory to 256 KiB

#define PFC_MIN_SHIFTED (-64.0f)

// Scratch for the logits of PFC_LANES rows; a head has its own stretch of choices.
typedef struct PfcChoices {
  PfcLanes shifted[PFC_SCRATCH_CHOICES];
  PfcLanes weight[PFC_SCRATCH_CHOICES];
} PfcChoices;

// One head of PFC_LANES rows.
typedef struct PfcHead {
  PfcLanes *shifted, *weight;  // [count] each, inside a PfcChoices
  PfcLanes total, log_total, entropy;
  int32_t bad[PFC_LANES];  // 1 = no distribution
  int32_t count;
} PfcHead;

// Takes lanes [0, lanes) from logits[lane * stride + k]; the rest become zeros. The head's choices start at `first`.
PFC_ALWAYS_INLINE static void pfc_head_load(PfcHead* head, PfcChoices* choices, int32_t first, int32_t count,
                                            const float* logits, int64_t stride, int32_t lanes) {
  head->shifted = choices->shifted + first;
  head->weight = choices->weight + first;
  head->count = count;
  if (lanes < PFC_LANES) memset(head->shifted, 0, sizeof(PfcLanes) * (size_t)count);
  for (int32_t k = 0; k < count; ++k)
    for (int32_t i = 0; i < lanes; ++i) head->shifted[k][i] = logits[i * stride + k];
}

// The largest logit of each lane, and which lanes are bad.
PFC_ALWAYS_INLINE static void pfc_head_largest(PfcHead* head, float* restrict largest) {
  PfcLanes* restrict logits = head->shifted;
  int32_t* restrict bad = head->bad;
  for (int32_t i = 0; i < PFC_LANES; ++i) largest[i] = -PFC_INFINITY, bad[i] = 0;
  for (int32_t k = 0; k < head->count; ++k)
    for (int32_t i = 0; i < PFC_LANES; ++i) {
      bad[i] |= !(logits[k][i] < PFC_INFINITY);
      largest[i] = pfc_maxf(logits[k][i], largest[i]);
    }
  for (int32_t i = 0; i < PFC_LANES; ++i) bad[i] |= largest[i] == -PFC_INFINITY;
}

// From loaded logits to everything else in the struct.
PFC_ALWAYS_INLINE static void pfc_head_softmax(PfcHead* head) {
  PfcLanes* restrict shifted = head->shifted;
  PfcLanes* restrict weight = head->weight;
  PfcLanes largest, total, weighted;
  pfc_head_largest(head, largest);
  for (int32_t i = 0; i < PFC_LANES; ++i) total[i] = weighted[i] = 0.0f;
  for (int32_t k = 0; k < head->count; ++k)
    for (int32_t i = 0; i < PFC_LANES; ++i) {
      shifted[k][i] = pfc_maxf(shifted[k][i] - largest[i], PFC_MIN_SHIFTED);
      weight[k][i] = pfc_expf(shifted[k][i]);
      total[i] += weight[k][i];
      weighted[i] += weight[k][i] * shifted[k][i];
    }
  for (int32_t i = 0; i < PFC_LANES; ++i) {
    head->total[i] = head->bad[i] ? PFC_NAN : total[i];
    head->log_total[i] = head->bad[i] ? PFC_NAN : pfc_logf(total[i]);
    head->entropy[i] = head->log_total[i] - weighted[i] / total[i];
  }
}

// Adds log p of each lane's action to logprob. An action outside [0, count) counts as one of probability 1 / total.
PFC_ALWAYS_INLINE static void pfc_head_add_logprob(const PfcHead* head, const int32_t* restrict action,
                                                   float* restrict logprob) {
  PfcLanes* restrict shifted = head->shifted;
  PfcLanes chosen = {0};
  for (int32_t k = 0; k < head->count; ++k)
    for (int32_t i = 0; i < PFC_LANES; ++i) {
      const float here = shifted[k][i];  // read in any case: a conditional read would not vectorise
      chosen[i] = action[i] == k ? here : chosen[i];
    }
  for (int32_t i = 0; i < PFC_LANES; ++i) logprob[i] += chosen[i] - head->log_total[i];
}

// PFC_OK, or PFC_INVALID naming what of a set of heads does not fit. *choices = the sum of action_counts.
static inline PfcStatus pfc_check_heads(const int32_t* action_counts, int32_t dims, int32_t* choices) {
  if (!action_counts) return pfc_fail(PFC_INVALID, "action_counts: expected int32 [dims], got NULL");
  if (dims < 1 || dims > PFC_MAX_ACTION_DIMS)
    return pfc_fail(PFC_INVALID, "dims: expected 1 to %d action dimensions, got %d", PFC_MAX_ACTION_DIMS, dims);
  *choices = 0;
  for (int32_t d = 0; d < dims; ++d) {
    const int32_t left = PFC_SCRATCH_CHOICES - *choices;
    if (action_counts[d] < 1 || action_counts[d] > left)
      return pfc_fail(PFC_INVALID, "action_counts[%d]: expected 1 to %d choices (%d in all dimensions), got %d",
                      d, left, PFC_SCRATCH_CHOICES, action_counts[d]);
    *choices += action_counts[d];
  }
  return PFC_OK;
}

#endif  // PUFFERC_CATEGORICAL_H
