// recurrent.h - a network with memory for training: hidden layers, one layer of recurrent units, outputs.
//
//   x = hidden layers of the observation, each max(weight y + bias, 0); the observation itself where there are none
//
// With sets of entities, the hidden layers take the outputs of the encoder in sets.h, whose layers come first in all
// lists of layers.
//
//   minimal gated recurrent units     u, c = gate x + bias;  h_t by the scan of scan.h;  outputs of x + h_t
//   LSTM                              gates = input x + bias + recurrent h_{t-1} + bias;  h_t by lstm_step.h;
//                                     outputs of h_t
//
// Shapes: T steps, M rows, O inputs, H hidden units, K outputs. Products are taken and summed as in mlp.h. The
// inputs of the recurrent layer and of the output layer are rounded like any activation; states and all else that
// passes from step to step are float32. NaN passes through.
//
// Rows are cut into at most 16 chunks, in a way that depends on their number alone, and threads take chunks through all
// steps. Gradients are summed per chunk and the chunks are added in order, so results have the same bits for any number
// of workers. An output does not depend on which steps and rows are computed with it: acting and training give the same
// bits.
//
// A network owns packed copies of its weights, what pfc_recurrent_backward needs, and scratch memory, all of which grow
// to the largest batch and workers that were used. One call at a time. Internal: for the bindings and tests.
#ifndef PUFFERC_RECURRENT_H
#define PUFFERC_RECURRENT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/workers.h"
#include "networks/sets.h"
#include "pufferc/pufferc.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { PFC_RECURRENT_MAX_HIDDEN = 16, PFC_RECURRENT_MAX_STATES = 2 };

typedef enum PfcRecurrentKind { PFC_RECURRENT_MINGRU, PFC_RECURRENT_LSTM } PfcRecurrentKind;

typedef struct PfcRecurrent PfcRecurrent;

typedef struct PfcRecurrentBatch {
  int64_t steps, rows;
  const void* x;  // of the kernels' kind: [M, O] for each step, `x_step` elements from step to step
  int64_t x_step;
  const uint8_t* starts;  // [T, M], nonzero where an episode starts: the state before counts as 0. NULL = nowhere
  const float* state[PFC_RECURRENT_MAX_STATES];  // [M, H] each, before step 0: h, and the cells c of an LSTM
} PfcRecurrentBatch;

// Parameters or gradients of one layer: weight [outputs, inputs], bias [outputs].
typedef struct PfcRecurrentLayer {
  float *weight, *bias;
} PfcRecurrentLayer;

// widths [hidden + 2]: inputs, the hidden layers, of which the last is H, and outputs; without hidden layers inputs
// are H.
typedef struct PfcRecurrentShape {
  PfcRecurrentKind kind;
  int32_t hidden;
  const int32_t* widths;
  const PfcSetsShape* sets;  // NULL = none. With sets, widths[0] must be the encoder's outputs, and hidden at least 1
} PfcRecurrentShape;

// All weights start as zeros. *network is NULL unless the result is PFC_OK.
PfcStatus pfc_recurrent_create(const PfcMatmulKernels* kernels, const PfcRecurrentShape* shape, PfcRecurrent** network);
void pfc_recurrent_destroy(PfcRecurrent* network);  // NULL is allowed

// Arrays of a state: 1, or 2 of an LSTM.
int32_t pfc_recurrent_states(const PfcRecurrent* network);

// Layers are those of the sets, the hidden ones in order, those of the gates and that of the outputs. Gates are
// [2 H, H], u first; of an LSTM two layers [4 H, H], of x and of the h before, gates in the order i, f, g, o.
int32_t pfc_recurrent_layers(const PfcRecurrent* network);
void pfc_recurrent_layer_shape(const PfcRecurrent* network, int32_t layer, int32_t* outputs, int32_t* inputs);

// Copies the parameters of all layers.
void pfc_recurrent_set_layers(PfcRecurrent* network, const PfcRecurrentLayer* layers);

// outputs [T, M, K] and next_state, [M, H] each, after the last step; it may be the batch's state itself. `keep` stores
// what pfc_recurrent_backward needs.
PfcStatus pfc_recurrent_forward(PfcRecurrent* network, const PfcRecurrentBatch* batch, bool keep, float* outputs,
                                float* const* next_state, PfcWorkers* workers);

// From grad_outputs [T, M, K] to the gradients of all layers, and of x [T, M, O] where grad_x is not NULL, which needs
// a network without sets. The batch is that of the last forward with `keep`, and no weight has changed since.
PfcStatus pfc_recurrent_backward(PfcRecurrent* network, const PfcRecurrentBatch* batch, const float* grad_outputs,
                                 const PfcRecurrentLayer* gradients, float* grad_x, PfcWorkers* workers);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_RECURRENT_H
