// mingru.h - a network with memory for training: hidden layers, a minimal gated recurrent unit with a residual,
// outputs.
//
//   x = hidden layers of the observation, each max(weight y + bias, 0)
//   u, c = gate x + bias;  h_t by the scan of scan.h;  outputs = weight (x + h_t) + bias
//
// Shapes: T steps, M rows, O inputs, H hidden units, K outputs. Products are taken and summed as in mlp.h, x + h is
// rounded like any activation; states and all else of the scan are float32. NaN passes through.
//
// Rows are cut into at most 16 chunks, by their number alone, and threads take chunks through all steps; gradients are
// summed per chunk and the chunks in order, so all results have the same bits for every team. An output does not
// depend on the steps and rows that are computed beside it: acting and training make the same bits.
//
// A network owns packed copies of its weights, what pfc_mingru_backward needs, and scratch memory, all of which grow to
// the largest batch and team that were used. One call at a time. Internal: for the bindings and tests.
#ifndef PUFFERC_MINGRU_H
#define PUFFERC_MINGRU_H

#include <stdbool.h>
#include <stdint.h>

#include "dense.h"
#include "pufferc/pufferc.h"
#include "threads.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { PFC_MINGRU_MAX_HIDDEN = 16 };

typedef struct PfcMinGru PfcMinGru;

typedef struct PfcMinGruBatch {
  int64_t steps, rows;
  const void* x;  // of the kernels' kind: [M, O] for each step, `x_step` elements from step to step
  int64_t x_step;
  const uint8_t* starts;  // [T, M], nonzero where an episode begins: the state before counts as 0. NULL = nowhere
  const float* state;     // [M, H], before step 0
} PfcMinGruBatch;

// widths [hidden + 2]: inputs, the hidden layers, of which the last is H, and outputs. All weights begin as zeros.
// *network is NULL unless the result is PFC_OK.
PfcStatus pfc_mingru_create(const PfcMatmulKernels* kernels, const int32_t* widths, int32_t hidden,
                            PfcMinGru** network);
void pfc_mingru_destroy(PfcMinGru* network);  // NULL is allowed

// Copies the parameters of one layer: the hidden ones [outputs, inputs] in order, then the gate [2 H, H], u first, then
// the outputs [K, H]; biases likewise.
void pfc_mingru_set_layer(PfcMinGru* network, int32_t layer, const float* weight, const float* bias);

// outputs [T, M, K] and next_state [M, H], after the last step; it may be batch->state itself. `keep` stores what
// pfc_mingru_backward needs.
PfcStatus pfc_mingru_forward(PfcMinGru* network, const PfcMinGruBatch* batch, bool keep, float* outputs,
                             float* next_state, PfcTeam* team);

// From grad_outputs [T, M, K] to the gradients of all layers, shaped as in pfc_mingru_set_layer. The batch is that of
// the last forward that kept what it needs, and no weight has changed since.
PfcStatus pfc_mingru_backward(PfcMinGru* network, const PfcMinGruBatch* batch, const float* grad_outputs,
                              float* const* grad_weights, float* const* grad_biases, PfcTeam* team);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_MINGRU_H
