// scan.h - the states of minimal gated recurrent units over time, and the gradient; the formulas are in scan_step.h.
//
// Shapes: T steps, M rows, H units. Pre-activations float32 [T, M, 2 H]: u of all units, then their candidates c.
// States [T, M, H]. starts [T, M]: where nonzero, a new episode began and the state before that step counts as 0.
//
// Rows are independent; threads share them, so results have the same bits for any number of workers. NaN passes
// through. All memory is the caller's. Internal: for mingru.c, the bindings and tests.
#ifndef PUFFERC_SCAN_H
#define PUFFERC_SCAN_H

#include <stdint.h>

#include "core/workers.h"
#include "pufferc/pufferc.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct PfcScanArgs {
  int64_t steps, rows, units;
  const float* pre;          // [T, M, 2 H]
  const float* initial;      // [M, H], the states before step 0
  const uint8_t* starts;     // [T, M]; NULL = nowhere
  float* states;             // [T, M, H]; written by the scan, read by its gradient
  const float* grad_states;  // [T, M, H]; this and what follows: for the gradient only
  float* grad_pre;           // [T, M, 2 H]
  float* grad_initial;       // [M, H]
} PfcScanArgs;

// PFC_INVALID naming the size that is negative or too large. Pointers are not checked.
PfcStatus pfc_scan_check(const PfcScanArgs* args);

// The caller has checked the sizes with pfc_scan_check.
void pfc_scan(const PfcScanArgs* args, PfcWorkers* workers);
void pfc_scan_backward(const PfcScanArgs* args, PfcWorkers* workers);

// One step of some rows, for callers that compute pre-activations step by step. Strides are from row to row, in floats.
typedef struct PfcScanStep {
  int32_t rows, units;
  int64_t pre_stride, state_stride;
  const float *update, *candidate;  // u and c
  const float* previous;            // the states before the step
  const uint8_t* starts;            // [rows] or NULL
  float* states;
} PfcScanStep;

void pfc_scan_step(const PfcScanStep* step);

// carry [rows, units] with the states' stride: the gradient of the states, in from the next step, out for the previous
// one. The candidates of `step` are not read. grad_update and grad_candidate have the stride of pre-activations.
void pfc_scan_step_backward(const PfcScanStep* step, const float* grad_states, float* carry, float* grad_update,
                            float* grad_candidate);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_SCAN_H
