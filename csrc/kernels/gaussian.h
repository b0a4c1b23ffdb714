// gaussian.h - draws continuous actions from diagonal Gaussians; the formulas of their PPO loss.
//
// A row's distribution has D independent dimensions. `outputs` are float32 [N, 2 D], the D means and then the D
// logarithms of the standard deviations; rows are `outputs_stride` elements apart, so they may be columns of a
// wider matrix. All arrays belong to the caller and are borrowed for the call; outputs overlap no input.
//
//   s       = clamp(log_std, -PFC_MAX_LOG_STD, PFC_MAX_LOG_STD)
//   z_d     = (u_d - mean_d) exp(-s_d), at most PFC_MAX_DEVIATIONS in size
//   log p   = sum_d (-z_d^2 / 2 - s_d - log(2 pi) / 2)
//   entropy = sum_d (s_d + log(2 pi e) / 2)
//
// u is the drawn action without bounds. The game gets a function of u, such as clamp(u, -1, 1) or tanh(u); log p and
// entropy are those of u. Ratios of probabilities are the same either way, since the function has no parameters.
//
// The draw. u_d = mean_d + exp(s_d) n_d with the normal number (Box and Muller 1958)
//   n = sqrt(-2 log a) cos(2 pi b)
// of two uniform numbers: a from the uppermost 23 bits and b from the next 23 bits of uniform.h for (seed, step, row,
// dimension). It does not depend on batch size, order, threads or earlier calls; |n| < 5.8.
//
// The loss is that of ppo_loss.h, where actions are u and logits the outputs. With g and n as there, and with
// d / d log_std = 0 where the clamp changes log_std:
//
//   d loss / d mean_d    = g z_d exp(-s_d) / n
//   d loss / d log_std_d = (g (z_d^2 - 1) - entropy_coef) / n
#ifndef PUFFERC_GAUSSIAN_H
#define PUFFERC_GAUSSIAN_H

#include <stdint.h>

#include "core/workers.h"
#include "pufferc/pufferc.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PFC_MAX_LOG_STD 20.0f    // deviations of 2e-9 to 5e8: wider than any action needs, narrow enough for finite z^2
#define PFC_MAX_DEVIATIONS 1e9f  // keeps gradients finite where a mean is far from an action

typedef struct PfcGaussianSampleArgs {
  int64_t rows;            // N >= 1
  int32_t dims;            // D, 1 to PFC_MAX_ACTION_DIMS
  const float* outputs;    // [N, 2 D]
  int64_t outputs_stride;  // elements from row to row, >= 2 D
  uint64_t seed, step;     // identify the draw; use each step once
  uint64_t first_row;      // number of row 0 in the draw, for a part of a larger batch
  int32_t greedy;          // 1 = the means; seed and step are unused
  float* actions;          // [N, D] out: u
  float* logprobs;         // [N] out or NULL: log p of the drawn actions
  float* entropy;          // [N] out or NULL: in nats
} PfcGaussianSampleArgs;

// PFC_OK, or PFC_INVALID (pfc_last_error names the argument) with nothing written.
// *bad_rows is the number of rows with a NaN or an infinity; may be NULL. These rows get action 0 in every dimension,
// and NaN as logprob and entropy; training must stop. Workers take blocks of rows; if workers is NULL, the calling
// thread does all the work. The results have the same bits for any number of workers and instruction set.
PfcStatus pfc_gaussian_sample(const PfcGaussianSampleArgs* args, PfcWorkers* workers, int64_t* bad_rows);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_GAUSSIAN_H
