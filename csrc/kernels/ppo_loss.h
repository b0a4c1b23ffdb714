// ppo_loss.h - the PPO loss of one minibatch and its gradient in one pass, for discrete and continuous actions.
//
// B rows. All arrays belong to the caller and are borrowed for the call; outputs overlap no input. Matrices have a
// stride in elements from row to row, so the parameters of the distributions and the values may be columns of one
// [B, K + 1] output of a network. The same holds for the gradients.
//
// Per alive row, with log p the log-probability of the row's actions summed over dimensions, A the advantage
// (normalised if advantage_std > 0), v the value, R the value target, v_old the value during the rollout:
//
//   log r   = log p - old_logprob
//   policy  = max(-A r, -A clamp(r, 1 - clip, 1 + clip))   Schulman et al. 2017, "Proximal Policy Optimization", eq. 7
//   value   = (v - R)^2 / 2; with value_clip > 0 the larger of that and
//             (v_old + clamp(v - v_old, -value_clip, value_clip) - R)^2 / 2
//   entropy = the sum of the dimensions' entropies, nats
//   loss    = mean(policy) + value_coef mean(value) - entropy_coef mean(entropy)
//
// and the gradient of the loss, with n alive rows and g = -A r where the unclipped term is the larger or equal, else 0:
//
//   d loss / d log p = g / n
//   d loss / d v     = value_coef (v - R) / n;  0 where the clipped value term is the larger
//
// Discrete policies: logits are float32 [B, K], K = sum(action_counts), the heads of a row side by side; log p, p and
// entropy are those of categorical.h, and
//
//   d loss / d logit_k = (g ([k = action] - p_k) + entropy_coef p_k (log p_k + entropy of the head)) / n
//
// Illegal choices have p_k = 0 and gradient 0. A forced row, with one legal choice in every dimension, has log p = 0,
// entropy 0, and gradient 0 but for its value; its ratio is 1 since its log-probability was 0 in the rollout too.
// Continuous policies: K = 2 D, see gaussian.h.
//
// Where two terms are equal, both have the same gradient, except on a set of measure zero. Dead rows (alive = 0) are
// excluded from all means, get gradient 0, and may hold anything. NaN and infinity in an alive row reach the loss and
// that row's gradient, except in logits of illegal choices.
#ifndef PUFFERC_PPO_LOSS_H
#define PUFFERC_PPO_LOSS_H

#include <stdint.h>

#include "core/workers.h"
#include "pufferc/pufferc.h"

#ifdef __cplusplus
extern "C" {
#endif

// B rows of a rollout, the inputs of the loss. D action dimensions, K choices in all dimensions. All arrays belong to
// the caller, are contiguous and borrowed.
typedef struct PfcMinibatch {
  int64_t rows;                  // B >= 1
  int32_t action_dims;           // D, 1 to PFC_MAX_ACTION_DIMS
  const int32_t* action_counts;  // [D] choices, each >= 1, at most PFC_MAX_CHOICES together; NULL = continuous actions
  const void* actions;           // [B, D] as drawn: int32, each in [0, count) and legal, or float32
  const uint32_t* mask;          // [B, mask_words] the choices that were legal, see categorical.h; NULL = all
  int32_t mask_words;            // ceil(K / 32) if there is a mask
  const float* old_logprobs;     // [B] from the rollout, summed over dimensions; 0 in forced rows
  const float* advantages;       // [B]
  const float* returns;          // [B] value targets
  const float* old_values;       // [B] or NULL; needed by clipped value losses
  const uint8_t* alive;          // [B] or NULL = all alive
} PfcMinibatch;

typedef struct PfcPpoSettings {
  float clip;            // > 0
  float value_coef;      // >= 0
  float entropy_coef;    // any finite number
  float value_clip;      // <= 0 = off
  float advantage_mean;  // used if advantage_std > 0: A = (advantage - mean) / (std + 1e-8)
  float advantage_std;   // 0 = advantages are not normalised
} PfcPpoSettings;

// A network's outputs for the minibatch, and the memory for their gradients.
typedef struct PfcPpoOutputs {
  const float* logits;         // [B, K]; of continuous actions the means, then the log standard deviations
  int64_t logits_stride;       // >= K
  const float* values;         // [B]
  int64_t values_stride;       // >= 1
  float* grad_logits;          // [B, K] out
  int64_t grad_logits_stride;  // >= K
  float* grad_values;          // [B] out
  int64_t grad_values_stride;  // >= 1
  float* ratio;                // [B] out or NULL: r of each row, 1 where dead
} PfcPpoOutputs;

typedef struct PfcPpoLossArgs {
  PfcMinibatch batch;
  PfcPpoSettings settings;
  PfcPpoOutputs outputs;
} PfcPpoLossArgs;

// Means over alive rows, all 0 if there are none.
typedef struct PfcPpoLossStats {
  double loss;
  double policy_loss;
  double value_loss;     // before value_coef
  double entropy;        // nats
  double approx_kl;      // mean(r - 1 - log r), Schulman 2020, "Approximating KL Divergence": k3
  double old_approx_kl;  // mean(-log r): k1, unbiased, may be negative
  double clip_fraction;  // share of rows with |r - 1| > clip
  int64_t count;         // alive rows
} PfcPpoLossStats;

// Returns PFC_OK, PFC_NO_MEMORY, or PFC_INVALID (pfc_last_error names the argument). If an action of an alive row is
// out of range or illegal, the error names the row, and the outputs have been written but are meaningless. Other errors
// write nothing. Workers take blocks of rows; if workers is NULL, the calling thread does all the work. Sums have
// double precision and an order that depends on B only, so the result has the same bits for any number of workers and
// instruction set.
PfcStatus pfc_ppo_loss(const PfcPpoLossArgs* args, PfcWorkers* workers, PfcPpoLossStats* stats);

// Mean and sample standard deviation (divisor n - 1; 0 for fewer than two) of the alive entries of x [rows], for
// advantage_mean and advantage_std. Double precision, fixed order. alive may be NULL.
PfcStatus pfc_mean_std(const float* x, const uint8_t* alive, int64_t rows, double* mean, double* std);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_PPO_LOSS_H
