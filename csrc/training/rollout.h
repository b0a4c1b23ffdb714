// rollout.h - T steps of a pool and a multi-layer perceptron in one call.
//
// Shapes: N rows of the pool, D action dimensions, O numbers of an observation, W mask words of a row. All arrays are
// the caller's, contiguous, borrowed for the call, and overlap none of the pool's. Row t holds the
// observation of step t and the results of its actions, row T the observation that the next rollout starts with.
//
// Threads take blocks of neighbouring games through all steps and never wait for one another. Rows do not depend on
// their neighbours: results have the same bits as steps one by one, by pfc_mlp_forward, pfc_sample and pfc_pool_step,
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
  void* observations;               // elements as the network takes them [T + 1, N, O]; row 0 is given, the rest out
  int32_t* actions;                 // [T, N, D] out
  uint32_t* mask;                   // [T, N, W] out: what the actions were drawn with; NULL in a game without masks
  int32_t mask_words;               // W of the pool, 0 without masks
  float *logprobs, *rewards;        // [T, N] out; log-probabilities are summed over D
  float* values;                    // [T + 1, N] out
  float* final_values;              // [T, N] value of the last observation where truncated; elsewhere as it was
  uint8_t *terminated, *truncated;  // [T, N] out
  uint8_t* alive;                   // [T + 1, N]; row 0 is given, the rest out
  uint64_t seed, first_step;        // step t draws as pfc_sample does by (seed, first_step + t)
  uint64_t first_row;               // number of row 0 in the draws
} PfcRollout;

// Results of a rollout other than its arrays.
typedef struct PfcRolloutReport {
  int64_t bad_rows;  // without a distribution in the first bad step of a block, which stops there; 0 = none
  double policy_s, env_s, copy_s;  // seconds that threads spent in the network and the draws, the games, the rest
} PfcRolloutReport;

// PFC_OK, or PFC_INVALID, PFC_STATE or PFC_NO_MEMORY with nothing moved. The pool needs one group, discrete actions,
// float32 observations and same-step autoreset. The network takes the pool's observations and gives the logits of all
// action dimensions, then the value. The rollout has masks if the pool has. workers: NULL = the calling thread alone;
// the pool's own threads are not used.
PfcStatus pfc_rollout(PfcPool* pool, PfcMlp* mlp, const PfcRollout* rollout, PfcWorkers* workers, PfcRolloutReport* report);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_ROLLOUT_H
