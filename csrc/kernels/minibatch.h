// minibatch.h - B rows of a rollout, as the losses read them: the one struct that C, the bindings and Python share.
//
// Shapes: B rows, D action dimensions, K choices of all dimensions together. All arrays are the caller's, contiguous
// and borrowed.
#ifndef PUFFERC_MINIBATCH_H
#define PUFFERC_MINIBATCH_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct PfcMinibatch {
  int64_t rows;                  // B >= 1
  int32_t action_dims;           // D, 1 to PFC_MAX_ACTION_DIMS
  const int32_t* action_counts;  // [D] choices, each >= 1, at most PFC_MAX_CHOICES together; NULL = continuous actions
  const void* actions;           // [B, D] as drawn: int32, each in [0, count) and legal, or float32
  const uint32_t* mask;          // [B, mask_words] the choices that were legal, see categorical.h; NULL = all
  int32_t mask_words;            // ceil(K / 32) where there is a mask
  const float* old_logprobs;     // [B] from the rollout, summed over dimensions; 0 where a mask left nothing to decide
  const float* advantages;       // [B]
  const float* returns;          // [B] value targets
  const float* old_values;       // [B] or NULL; needed by clipped value losses
  const uint8_t* alive;          // [B] or NULL = all alive
} PfcMinibatch;

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_MINIBATCH_H
