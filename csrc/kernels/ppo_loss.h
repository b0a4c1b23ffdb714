// ppo_loss.h - the PPO loss of one minibatch and its gradient in one pass: what holds for every kind of action, and the
// loss of discrete and multi-discrete policies. That of continuous ones is in gaussian.h.
//
// B rows. All arrays belong to the caller and are borrowed for the call; outputs overlap no input. Matrices have a
// stride in elements from row to row, so the parameters of the distributions and the values may be columns of one
// [B, K + 1] output of a network, and the gradients likewise.
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
// Where two terms are equal both have the same gradient, except on a set of measure zero.
// Dead rows (alive = 0) count nowhere, get gradient 0, and may hold anything. NaN and infinity in an alive row go
// through to the loss and to that row's gradient; nothing hides them.
#ifndef PUFFERC_PPO_LOSS_H
#define PUFFERC_PPO_LOSS_H

#include <stdint.h>

#include "pufferc/pufferc.h"
#include "workers.h"

#ifdef __cplusplus
extern "C" {
#endif

// A minibatch without its actions and their distributions.
typedef struct PfcPpoBatch {
  int64_t rows;               // B >= 1
  const float* values;        // [B]
  int64_t values_stride;      // >= 1
  const float* old_logprobs;  // [B] from the rollout, summed over dimensions
  const float* advantages;    // [B]
  const float* returns;       // [B] value targets
  const float* old_values;    // [B]; may be NULL unless value_clip > 0
  const uint8_t* alive;       // [B] or NULL = all alive

  float advantage_mean;  // used if advantage_std > 0: A = (advantage - mean) / (std + 1e-8)
  float advantage_std;   // 0 = advantages are taken as they are
  float clip;            // > 0
  float value_coef;      // >= 0
  float entropy_coef;    // any finite number
  float value_clip;      // <= 0 = off

  float* grad_values;          // [B] out
  int64_t grad_values_stride;  // >= 1
  float* ratio;                // [B] out or NULL: r of each row, 1 where dead
} PfcPpoBatch;

// What one block of rows gives to the loss.
enum { PFC_PPO_POLICY, PFC_PPO_VALUE, PFC_PPO_ENTROPY, PFC_PPO_KL, PFC_PPO_OLD_KL, PFC_PPO_CLIPPED, PFC_PPO_SUMS };
typedef struct PfcPpoPartial {
  double sums[PFC_PPO_SUMS];
  int64_t first_bad_row;  // whose action is out of range; -1 = none
} PfcPpoPartial;

// Rows [begin, end) of a minibatch: writes their gradients and *partial. per_row is 1 / n.
typedef void (*PfcPpoRows)(const void* args, int64_t begin, int64_t end, float per_row, PfcPpoPartial* partial);

// The loss of a minibatch as a function of blocks of rows, whose arguments were checked. Borrows `args` and its batch.
typedef struct PfcPpoKernel {
  const PfcPpoBatch* batch;
  const void* args;
  PfcPpoRows rows;
} PfcPpoKernel;

typedef struct PfcPpoLossArgs {
  PfcPpoBatch batch;
  int32_t dims;                  // action dimensions, 1 to PFC_MAX_ACTION_DIMS
  const int32_t* action_counts;  // [dims], each >= 1; K = their sum, at most 1024
  const float* logits;           // [B, K]
  int64_t logits_stride;         // >= K
  const int32_t* actions;        // [B, dims], each in [0, count)
  float* grad_logits;            // [B, K] out
  int64_t grad_logits_stride;    // >= K
} PfcPpoLossArgs;

// Means over alive rows, all 0 where there is none.
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

// PFC_OK, or PFC_INVALID (pfc_last_error names the argument). An alive row whose action is out of range makes it
// PFC_INVALID as well and the error names the row; only then have outputs been written, and they mean nothing.
// Rows go over the workers in blocks; NULL = the calling thread alone. Sums are taken in double precision in an order that
// depends on B alone: the result has the same bits for any number of workers and instruction set.
PfcStatus pfc_ppo_kernel(const PfcPpoLossArgs* args, PfcPpoKernel* kernel);  // checks them
PfcStatus pfc_ppo_loss(const PfcPpoLossArgs* args, PfcWorkers* workers, PfcPpoLossStats* stats);

// Mean and sample standard deviation (divisor n - 1; 0 for fewer than two) of the alive entries of x [rows], for
// advantage_mean and advantage_std. Double precision, fixed order. alive may be NULL.
PfcStatus pfc_mean_std(const float* x, const uint8_t* alive, int64_t rows, double* mean, double* std);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_PPO_LOSS_H
