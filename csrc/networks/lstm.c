// lstm.c - LSTM units for recurrent.c; the formulas are in lstm_step.h. States are h and the cells c. The
// cells are kept, and the gates after their sigmoid or tanh.
#include <stdbool.h>
#include <string.h>

#include "networks/elements.h"
#include "networks/lstm_step.h"
#include "networks/recurrent_pass.h"
#include "pufferc/env.h"

// Some rows at one step. Gates i, f, g, o of a row are `units` neighbours each.
typedef struct LstmStep {
  int32_t rows, units;
  int64_t gate_stride, state_stride;
  float* gates;
  const float* previous;  // the cells before the step
  const uint8_t* starts;  // [rows] or NULL
  float* cells;
} LstmStep;

static LstmStep lstm_step(const RecurrentPass* pass, const RecurrentBlock* block, int32_t t, float* gates, float* cells,
                          const float* before) {
  const PfcRecurrent* net = pass->net;
  const int64_t strip = (int64_t)block->count * net->padded;
  return (LstmStep){.rows = block->count,
                    .units = net->units,
                    .gate_stride = net->gate_stride,
                    .state_stride = net->padded,
                    .gates = gates + (int64_t)t * block->count * net->gate_stride,
                    .previous = t ? cells + (t - 1) * strip : before,
                    .starts = pfc_recurrent_starts(pass, block, t),
                    .cells = cells + t * strip};
}

// scratch->before <- the previous h of step t as elements, 0 where an episode starts. `before`: its elements, which the
// previous step wrote; NULL = h is rounded.
static void lstm_load_before(const RecurrentPass* pass, RecurrentScratch* scratch, const RecurrentBlock* block,
                             int32_t t, const void* before, const float* h) {
  const PfcRecurrent* net = pass->net;
  const uint64_t row_bytes = pfc_linear_train_row_bytes(net->kernels, net->padded);
  const uint8_t* starts = pfc_recurrent_starts(pass, block, t);
  char* to = (char*)scratch->before + row_bytes * (uint64_t)(t * block->count);
  if (before)
    memcpy(to, before, row_bytes * (uint64_t)block->count);
  else
    pfc_elements_round(h, net->padded, block->count, net->units, false, net->kernels->bfloat16, to);
  for (int32_t row = 0; starts && row < block->count; ++row)
    if (starts[row]) memset(to + row_bytes * (uint64_t)row, 0, row_bytes);
}

// ---- forward -------------------------------------------------------------------------------------------

// The cell before the step counts as 0 where `started`.
PFC_ALWAYS_INLINE static void lstm_row(float* gates, const float* previous, bool started, int32_t units, float* cells,
                                       float* outputs) {
  float* restrict in = gates, * restrict forget = gates + units;
  float* restrict candidate = forget + units, * restrict out = candidate + units;
  const float* restrict before = previous;
  float* restrict c = cells, * restrict h = outputs;
  PFC_INDEPENDENT_LOOP_ for (int32_t i = 0; i < units; ++i) {
    const PfcLstmGates made = pfc_lstm_gates(in[i], forget[i], candidate[i], out[i]);
    const float cell = pfc_lstm_next_cell(made, started ? 0.0f : before[i]);
    in[i] = made.in, forget[i] = made.forget, candidate[i] = made.candidate, out[i] = made.out;
    c[i] = cell;
    h[i] = pfc_lstm_output(made, cell);
  }
}

PFC_MULTIVERSION static void lstm_rows(const LstmStep* step, float* outputs) {
  for (int64_t row = 0; row < step->rows; ++row) {
    const int64_t state = row * step->state_stride;
    lstm_row(step->gates + row * step->gate_stride, step->previous + state, step->starts && step->starts[row],
             step->units, step->cells + state, outputs + state);
  }
}

static void lstm_forward(const RecurrentPass* pass, RecurrentScratch* scratch, const RecurrentBlock* block,
                         const void* x, float* gates, float* states, void* seen) {
  (void)x;
  const PfcRecurrent* net = pass->net;
  const PfcLinearTrain* layer = pfc_recurrent_gate_layer(net) + 1;
  const uint64_t step_bytes = pfc_linear_train_row_bytes(net->kernels, net->padded) * (uint64_t)block->count;
  float *h = scratch->carry[0], *c = scratch->carry[1];
  char* to = seen;
  LstmStep step = {0};
  for (int32_t t = 0; t < block->steps; ++t, to += step_bytes) {
    step = lstm_step(pass, block, t, gates, states, c);
    lstm_load_before(pass, scratch, block, t, t ? to - step_bytes : NULL, h);
    pfc_linear_train_forward(layer, pfc_linear_train_padded(layer, (char*)scratch->before + step_bytes * (uint64_t)t),
                             block->count, true, step.gates);
    lstm_rows(&step, h);
    pfc_elements_round(h, net->padded, block->count, net->units, false, net->kernels->bfloat16, to);
  }
  memcpy(c, step.cells, sizeof(float) * (size_t)block->count * (size_t)net->padded);
}

// ---- backward ------------------------------------------------------------------------------------------

// later_cells: the gradient of the cells, in from the next step, out for the previous one; 0 where `started`.
PFC_ALWAYS_INLINE static void lstm_row_backward(const float* gates, const float* cells, const float* previous,
                                                bool started, int32_t units, const float* grad_outputs,
                                                const float* later_outputs, float* later_cells, float* grad_gates) {
  const float* restrict in = gates, * restrict forget = gates + units;
  const float* restrict candidate = forget + units, * restrict out = candidate + units;
  const float* restrict c = cells, * restrict before = previous;
  const float* restrict grad = grad_outputs, * restrict later = later_outputs;
  float* restrict dc = later_cells, * restrict d_in = grad_gates, * restrict d_forget = grad_gates + units;
  float* restrict d_candidate = d_forget + units, * restrict d_out = d_candidate + units;
  PFC_INDEPENDENT_LOOP_ for (int32_t i = 0; i < units; ++i) {
    const PfcLstmGates made = {in[i], forget[i], candidate[i], out[i]};
    const PfcLstmGradient g = pfc_lstm_gradient(made, c[i], started ? 0.0f : before[i], grad[i] + later[i], dc[i]);
    d_in[i] = g.gates.in, d_forget[i] = g.gates.forget, d_candidate[i] = g.gates.candidate, d_out[i] = g.gates.out;
    dc[i] = started ? 0.0f : g.before;
  }
}

PFC_MULTIVERSION static void lstm_rows_backward(const LstmStep* step, const float* grad_outputs,
                                                const float* later_outputs, float* later_cells, float* grad_gates) {
  for (int64_t row = 0; row < step->rows; ++row) {
    const int64_t gate = row * step->gate_stride, state = row * step->state_stride;
    lstm_row_backward(step->gates + gate, step->cells + state, step->previous + state,
                      step->starts && step->starts[row], step->units, grad_outputs + state, later_outputs + state,
                      later_cells + state, grad_gates + gate);
  }
}

// scratch->carry[0] <- the gradient of the previous h, from the gradient of the gates of step t.
static void lstm_hand_back(const RecurrentPass* pass, RecurrentScratch* scratch, const RecurrentBlock* block,
                           int32_t t) {
  const PfcRecurrent* net = pass->net;
  const uint64_t row_bytes = pfc_linear_train_row_bytes(net->kernels, net->gate_stride);
  const uint8_t* starts = pfc_recurrent_starts(pass, block, t);
  float* carry = scratch->carry[0];
  pfc_linear_train_input_gradient(pfc_recurrent_gate_layer(net) + 1,
                                  (char*)scratch->a + row_bytes * (uint64_t)(t * block->count), block->count, 0,
                                  false, carry);
  for (int64_t row = 0; starts && row < block->count; ++row)
    if (starts[row]) memset(carry + row * net->padded, 0, sizeof(float) * (size_t)net->padded);
}

static void lstm_backward(const RecurrentPass* pass, RecurrentScratch* scratch, const RecurrentBlock* block,
                          float* bias) {
  const PfcRecurrent* net = pass->net;
  const int64_t strip = (int64_t)block->count * net->padded;
  float *gates = net->gates + block->kept * net->gate_stride, *cells = net->states + block->kept * net->padded;
  const float* before = block->step ? cells - strip : scratch->initial[1];
  for (int32_t t = block->steps - 1; t >= 0; --t) {
    const LstmStep step = lstm_step(pass, block, t, gates, cells, before);
    lstm_rows_backward(&step, scratch->sums + t * strip, scratch->carry[0], scratch->carry[1], scratch->gates);
    pfc_recurrent_take_gate_gradient(pass, scratch, block, t, bias);
    lstm_hand_back(pass, scratch, block, t);
    const int64_t row = block->kept + (t - 1) * (int64_t)block->count;
    const bool first = block->step + t == 0;
    lstm_load_before(pass, scratch, block, t, first ? NULL : pfc_recurrent_kept(net, net->hidden, row),
                     scratch->initial[0]);
  }
}

const RecurrentCell pfc_recurrent_lstm = {
    .gates = 4, .layers = 2, .states = 2, .residual = false, .forward = lstm_forward, .backward = lstm_backward};
