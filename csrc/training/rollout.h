// rollout.h - T steps of a pool and a multi-layer perceptron in one call.
//
// Shapes: N rows of the pool, D action dimensions, O values of an observation, W mask words of a row. All arrays belong
// to the caller, are contiguous and borrowed for the call, and do not overlap those of the pool. Row t holds the
// observation of step t and the results of its actions. Row T holds the first observation of the next rollout.
//
// Each thread runs a block of neighbouring games through all steps and never waits for another thread. Rows do not
// depend on each other: results have the same bits as single steps of pfc_mlp_forward, pfc_sample and pfc_pool_step,
// for any number of workers. Internal: for the bindings and tests.
#ifndef PUFFERC_ROLLOUT_H
#define PUFFERC_ROLLOUT_H

#include <stdint.h>

#include "core/workers.h"
#include "networks/mlp.h"
#include "pufferc/pufferc.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct PfcRollout {
  int64_t steps;                    // T >= 1
  void* observations;               // [T + 1, N, O] elements in the network's type; row 0 in, the rest out
  int32_t* actions;                 // [T, N, D] out
  uint32_t* mask;                   // [T, N, W] out, the masks of the actions; NULL in a game without masks
  int32_t mask_words;               // W of the pool, 0 without masks
  float *logprobs, *rewards;        // [T, N] out; log-probabilities are summed over D
  float* values;                    // [T + 1, N] out
  float* final_values;              // [T, N] value of the last observation where truncated; elsewhere unchanged
  uint8_t *terminated, *truncated;  // [T, N] out
  uint8_t* alive;                   // [T + 1, N]; row 0 in, the rest out
  uint64_t seed, first_step;        // step t draws like pfc_sample with (seed, first_step + t)
  uint64_t first_row;               // number of row 0 in the draws
} PfcRollout;

// Results of a rollout other than its arrays.
typedef struct PfcRolloutReport {
  int64_t bad_rows;  // rows without a valid distribution; a block stops at its first step with such rows; 0 = none
  double policy_s, env_s, copy_s;  // thread seconds in the network and sampling, in the games, and in the rest
} PfcRolloutReport;

// Fails with PFC_INVALID, PFC_STATE or PFC_NO_MEMORY before any game moves. The pool needs one group, discrete actions,
// float32 observations and same-step autoreset. The network's inputs are the pool's observations, its outputs the
// logits of all action dimensions and then the value. The rollout needs masks if the pool has them. If workers is NULL,
// the calling thread does all the work; the pool's own threads are not used.
PfcStatus pfc_rollout(PfcPool* pool, PfcMlp* mlp, const PfcRollout* rollout, PfcWorkers* workers,
                      PfcRolloutReport* report);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_ROLLOUT_H
