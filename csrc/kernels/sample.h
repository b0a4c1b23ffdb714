// sample.h - draws discrete actions from a policy's logits; log-probabilities and entropies.
//
// logits are float32 [N, K], K = sum(action_counts), the heads of a row side by side. Rows are
// `logits_stride` elements apart, so logits may be columns of a wider matrix. All arrays belong to the caller and are
// borrowed for the call; outputs overlap no input.
//
// The draw. One uniform number u per (row, dimension), then inversion of the cumulative distribution: with
//   w_k = exp(logit_k - max logit)   and   s_k = w_0 + ... + w_k (float32, k ascending),
// the action is the number of k in [0, count - 2] with u * s_last >= s_k. Another implementation with the same u draws
// the same actions, except if a difference in the last bit of exp moves a boundary across u (about once in a million).
// Illegal choices, those whose bit of the mask is 0, are never drawn; nor are choices with a logit of minus infinity as
// long as there is another one. categorical.h has the mask's layout.
//
// The uniform numbers (the uppermost 23 bits, see uniform.h) depend only on (seed, step, row, dimension), not on batch
// size, order, threads or earlier calls.
#ifndef PUFFERC_SAMPLE_H
#define PUFFERC_SAMPLE_H

#include <stdint.h>

#include "core/workers.h"
#include "pufferc/pufferc.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct PfcSampleArgs {
  int64_t rows;                  // N >= 1
  int32_t dims;                  // action dimensions, 1 to PFC_MAX_ACTION_DIMS
  const int32_t* action_counts;  // [dims], each >= 1; K = their sum, at most PFC_MAX_CHOICES
  const float* logits;           // [N, K]
  int64_t logits_stride;         // elements from row to row, >= K
  const uint32_t* mask;          // [N, mask_words] legal choices, or NULL = all
  int32_t mask_words;            // ceil(K / 32) if there is a mask
  uint64_t seed, step;           // identify the draw, see above; use each step once
  uint64_t first_row;            // number of row 0 in the draw, for a part of a larger batch
  int32_t greedy;                // 1 = the most probable action, the first of equals; seed and step are unused
  int32_t* actions;              // [N, dims] out
  float* logprobs;               // [N] out or NULL: log-probability of the drawn actions, summed over dims
  float* entropy;                // [N] out or NULL: entropy in nats of the legal choices, summed over dims
  void* scratch;  // pfc_sample_scratch_bytes for each worker, aligned to 64 bytes; NULL = the call allocates
} PfcSampleArgs;

// Bytes that one worker needs for heads of these sizes.
uint64_t pfc_sample_scratch_bytes(const int32_t* action_counts, int32_t dims);

// PFC_OK, or PFC_INVALID (pfc_last_error names the argument) or PFC_NO_MEMORY with nothing written.
// *bad_rows is the number of rows with a NaN or plus infinity in a legal choice, or a head with minus infinity
// everywhere; may be NULL. These rows get the first legal choice in every dimension (0 if there is none), and NaN as
// logprob and entropy; training must stop. Workers take blocks of rows; if workers is NULL, the calling thread does all
// the work. The results have the same bits for any number of workers and instruction set.
PfcStatus pfc_sample(const PfcSampleArgs* args, PfcWorkers* workers, int64_t* bad_rows);

// The uniform numbers that pfc_sample uses: uniforms [rows, dims] float32, out, for rows first_row, first_row + 1, ...
PfcStatus pfc_sample_uniforms(uint64_t seed, uint64_t step, uint64_t first_row, int64_t rows, int32_t dims,
                              float* uniforms);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_SAMPLE_H
