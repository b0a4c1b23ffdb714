// categorical.h - softmax distributions of many rows side by side, for sampling and the PPO loss.
//
// A head is one discrete action dimension: `count` logits per row. PFC_LANES rows are processed together and transposed
// to [count][PFC_LANES], so every loop below runs over lanes and vectorises. Rows do not affect each other.
//
//   shifted_k = max(logit_k - max_j logit_j, -64)     weight_k = exp(shifted_k)     total = sum_k weight_k, k ascending
//   log p_k   = shifted_k - log total                 p_k = weight_k / total
//   entropy   = log total - (sum_k weight_k shifted_k) / total
//
// A mask says which choices are legal: bit k % 32 of word k / 32 of a row's words is choice k of the row, heads side by
// side. The logit of an illegal choice counts as minus infinity, even if it is NaN, and its weight is exactly 0. So p_k
// is 0, no uniform number selects it, and a head with one legal choice has log p = 0 and entropy 0.
//
// Without a mask a logit of minus infinity excludes a choice too. Its weight of 1.6e-28 is below what any uniform
// number of sample.h can hit, and so far above the subnormal numbers, which are slow, that products with it stay
// normal.
//
// A head with a NaN or plus infinity in a legal choice, or with minus infinity everywhere, is not a distribution. It is
// `bad`, and its numbers are NaN.
//
// Scratch memory belongs to the caller: up to 2 MiB for PFC_MAX_CHOICES, too much for a stack. Internal: for sample.c
// and ppo_discrete.c.
#ifndef PUFFERC_CATEGORICAL_H
#define PUFFERC_CATEGORICAL_H

#include "core/base.h"
#include "kernels/lanes.h"

#define PFC_MIN_SHIFTED (-64.0f)

// Scratch for the logits of PFC_LANES rows. Each head uses its own range of choices.
typedef struct PfcChoices {
  PfcLanes *shifted, *weight;  // [choices] each
} PfcChoices;

static inline uint64_t pfc_choices_bytes(int32_t choices) { return 2 * sizeof(PfcLanes) * (uint64_t)choices; }

// Uses pfc_choices_bytes(choices) bytes of scratch, aligned to PFC_ALIGNMENT.
static inline PfcChoices pfc_choices_at(void* scratch, int32_t choices) {
  return (PfcChoices){(PfcLanes*)scratch, (PfcLanes*)scratch + choices};
}

// The mask words of PFC_LANES rows.
typedef struct PfcMask {
  const uint32_t* words;  // of lane 0; NULL = every choice is legal
  int32_t stride;         // words from row to row
} PfcMask;

// One head of PFC_LANES rows.
typedef struct PfcHead {
  PfcLanes *shifted, *weight;  // [count] each, inside a PfcChoices
  PfcLanes total, log_total, entropy;
  int32_t bad[PFC_LANES];  // 1 = no distribution
  int32_t count;
} PfcHead;

// Loads lanes [0, lanes) from logits[lane * stride + k]; the rest become zeros. The head's choices start at `first`.
PFC_ALWAYS_INLINE static void pfc_head_load(PfcHead* head, const PfcChoices* choices, int32_t first, int32_t count,
                                            const float* logits, int64_t stride, int32_t lanes) {
  head->shifted = choices->shifted + first;
  head->weight = choices->weight + first;
  head->count = count;
  if (lanes < PFC_LANES) memset(head->shifted, 0, sizeof(PfcLanes) * (size_t)count);
  for (int32_t k = 0; k < count; ++k)
    for (int32_t i = 0; i < lanes; ++i) head->shifted[k][i] = logits[i * stride + k];
}

// Makes the illegal logits of lanes [0, lanes) minus infinity. The head's choices start at `first` of the row.
PFC_ALWAYS_INLINE static void pfc_head_mask(PfcHead* head, const PfcMask* mask, int32_t first, int32_t lanes) {
  PfcLanes* restrict logits = head->shifted;
  uint32_t words[PFC_LANES];
  for (int32_t i = 0; i < PFC_LANES; ++i) words[i] = UINT32_MAX;  // any value is fine for lanes without a row
  for (int32_t k = 0; k < head->count; ++k) {
    const int32_t bit = (first + k) % 32, word = (first + k) / 32;
    if (k == 0 || bit == 0)
      for (int32_t i = 0; i < lanes; ++i) words[i] = mask->words[(int64_t)i * mask->stride + word];
    for (int32_t i = 0; i < PFC_LANES; ++i) {
      const float here = logits[k][i];  // read in any case: a conditional read would not vectorise
      logits[k][i] = words[i] >> bit & 1u ? here : -PFC_INFINITY;
    }
  }
}

static inline bool pfc_is_legal(const uint32_t* words, int32_t choice) {
  return words[choice / 32] >> (choice % 32) & 1u;
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

// Computes the rest of the struct from loaded logits. Callers pass `masked` as a constant, so that games without masks
// have no overhead.
PFC_ALWAYS_INLINE static void pfc_head_softmax(PfcHead* head, bool masked) {
  PfcLanes* restrict shifted = head->shifted;
  PfcLanes* restrict weight = head->weight;
  PfcLanes largest, total, weighted;
  pfc_head_largest(head, largest);
  for (int32_t i = 0; i < PFC_LANES; ++i) total[i] = weighted[i] = 0.0f;
  for (int32_t k = 0; k < head->count; ++k)
    for (int32_t i = 0; i < PFC_LANES; ++i) {
      const float logit = shifted[k][i];
      shifted[k][i] = pfc_maxf(logit - largest[i], PFC_MIN_SHIFTED);
      const float power = pfc_expf(shifted[k][i]);
      weight[k][i] = masked && logit == -PFC_INFINITY ? 0.0f : power;
      total[i] += weight[k][i];
      weighted[i] += weight[k][i] * shifted[k][i];
    }
  for (int32_t i = 0; i < PFC_LANES; ++i) {
    head->total[i] = head->bad[i] ? PFC_NAN : total[i];
    head->log_total[i] = head->bad[i] ? PFC_NAN : pfc_logf(total[i]);
    head->entropy[i] = head->log_total[i] - weighted[i] / total[i];
  }
}

// Adds log p of each lane's action to logprob. An action outside [0, count) has probability 1 / total.
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

// Checks a set of heads. Sets *choices to the sum of action_counts. PFC_INVALID names the argument.
static inline PfcStatus pfc_check_heads(const int32_t* action_counts, int32_t dims, int32_t* choices) {
  if (!action_counts) return pfc_fail(PFC_INVALID, "action_counts: expected int32 [dims], got NULL");
  if (dims < 1 || dims > PFC_MAX_ACTION_DIMS)
    return pfc_fail(PFC_INVALID, "dims: expected 1 to %d action dimensions, got %d", PFC_MAX_ACTION_DIMS, dims);
  *choices = 0;
  for (int32_t d = 0; d < dims; ++d) {
    const int32_t left = PFC_MAX_CHOICES - *choices;
    if (action_counts[d] < 1 || action_counts[d] > left)
      return pfc_fail(PFC_INVALID, "action_counts[%d]: expected 1 to %d choices (%d in all dimensions), got %d", d,
                      left, PFC_MAX_CHOICES, action_counts[d]);
    *choices += action_counts[d];
  }
  return PFC_OK;
}

// PFC_INVALID if there is a mask but its rows do not have the number of words for `choices` bits.
static inline PfcStatus pfc_check_mask(const uint32_t* mask, int32_t mask_words, int32_t choices) {
  if (!mask || mask_words == (choices + 31) / 32) return PFC_OK;
  return pfc_fail(PFC_INVALID, "mask_words: expected %d for %d choices, got %d", (choices + 31) / 32, choices,
                  mask_words);
}

#endif  // PUFFERC_CATEGORICAL_H
