// advantage.h - advantages of a rollout on the CPU: the loop over advantage_step.h, and the oracle of the CUDA kernel.
//
// Shapes are row-major and contiguous, T steps by N agent rows; row t holds the results of the action of step t.
// All arrays belong to the caller and are only borrowed for the call. `advantages` overlaps no input.
#ifndef PUFFERC_ADVANTAGE_H
#define PUFFERC_ADVANTAGE_H

#include <stdint.h>

#include "core/workers.h"
#include "pufferc/pufferc.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct PfcAdvantageArgs {
  int64_t steps;               // T >= 1
  int64_t rows;                // N, 1 to 2^36; T * N up to 2^48
  const float* rewards;        // [T, N]
  const float* values;         // [T + 1, N]; the last row is the value of the observation after the last step
  const uint8_t* terminated;   // [T, N]; 0 = no, anything else = yes; wins where truncated is also set
  const uint8_t* truncated;    // [T, N]
  // [T, N] or NULL: the value of the last observation of a truncated episode; other entries are not used and may hold
  // anything. NULL uses values[t + 1] instead, which is right only if the environment was not reset within the step
  // that truncated it: with same-step autoreset values[t + 1] already belongs to the next episode.
  const float* final_values;
  const float* ratio;          // [T, N] >= 0 or NULL: new over old probability of the action; NULL = plain GAE
  float* advantages;           // [T, N] out
  float gamma;                 // discount per step, [0, 1]
  float gae_lambda;            // [0, 1]
  float rho_clip;              // >= 0, infinity = never clip; both are unused without ratio
  float c_clip;
} PfcAdvantageArgs;

// Returns PFC_OK, or PFC_INVALID (pfc_last_error names the argument) with nothing written. Workers take blocks of
// columns; if workers is NULL, the calling thread does all the work. The result has the same bits for any number
// of workers and instruction set.
PfcStatus pfc_advantage(const PfcAdvantageArgs* args, PfcWorkers* workers);

// The checks of pfc_advantage (sizes, missing arrays, numbers), for callers with another implementation.
PfcStatus pfc_advantage_check(const PfcAdvantageArgs* args);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_ADVANTAGE_H
