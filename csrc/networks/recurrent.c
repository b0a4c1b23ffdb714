// recurrent.c - see recurrent.h. The units themselves are in mingru.c and lstm.c.
#include <string.h>

#include "core/base.h"
#include "networks/elements.h"
#include "networks/recurrent_pass.h"
#include "pufferc/env.h"

// ---- making and destroying -----------------------------------------------------------------------------

static bool recurrent_make_layer(PfcRecurrent* net, int32_t index, int32_t inputs, int32_t outputs) {
  PfcLinearTrain* layer = &net->layer[index];
  const bool made =
      pfc_linear_train_init(layer, net->kernels, inputs, outputs, index == pfc_recurrent_output_index(net));
  net->gradient_at[index] = net->gradient_size;
  net->gradient_size += layer->gradient_size;
  net->widest = PFC_MAX(net->widest, PFC_MAX(layer->padded_inputs, layer->columns));
  return made;
}

static bool recurrent_make_layers(PfcRecurrent* net, const int32_t* widths) {
  const int32_t hidden = net->hidden, units = widths[hidden], gates = net->cell->gates * units;
  net->units = units, net->padded = pfc_padded(units), net->gate_stride = pfc_padded(gates);
  for (int32_t i = 0; i < hidden; ++i)
    if (!recurrent_make_layer(net, i, widths[i], widths[i + 1])) return false;
  for (int32_t i = 0; i < net->cell->layers; ++i)
    if (!recurrent_make_layer(net, hidden + i, units, gates)) return false;
  return recurrent_make_layer(net, pfc_recurrent_output_index(net), units, widths[hidden + 1]);
}

static bool recurrent_make_sets(PfcRecurrent* net, const PfcRecurrentShape* shape) {
  net->inputs = shape->sets ? shape->sets->inputs : shape->widths[0];
  const bool made = !shape->sets || pfc_sets_init(&net->sets, net->kernels->bfloat16, shape->sets);
  net->gradient_size += net->sets.gradient_size;
  return made;
}

static PfcStatus recurrent_check_sets(const PfcRecurrentShape* shape) {
  if (!shape->sets) return PFC_OK;
  if (shape->hidden < 1) return pfc_fail(PFC_INVALID, "widths: expected a hidden layer for the sets, got none");
  return pfc_sets_check(shape->sets, shape->widths[0]);
}

PfcStatus pfc_recurrent_create(const PfcMatmulKernels* kernels, const PfcRecurrentShape* shape,
                               PfcRecurrent** network) {
  const int32_t hidden = shape->hidden, *widths = shape->widths;
  *network = NULL;
  if (hidden < 0 || hidden > PFC_RECURRENT_MAX_HIDDEN)
    return pfc_fail(PFC_INVALID, "widths: expected 2 to %d of them, got %d", PFC_RECURRENT_MAX_HIDDEN + 2, hidden + 2);
  const RecurrentCell* cell = shape->kind == PFC_RECURRENT_LSTM ? &pfc_recurrent_lstm : &pfc_recurrent_mingru;
  for (int32_t i = 0; i < hidden + 2; ++i) {
    const int32_t max_width = i == hidden ? PFC_LINEAR_MAX_WIDTH / cell->gates : PFC_LINEAR_MAX_WIDTH;
    if (widths[i] < 1 || widths[i] > max_width)
      return pfc_fail(PFC_INVALID, "widths[%d]: expected 1 to %d, got %d", i, max_width, widths[i]);
  }
  const PfcStatus status = recurrent_check_sets(shape);
  if (status) return status;
  PfcRecurrent* made = pfc_alloc(sizeof *made);
  if (made) made->kernels = kernels, made->cell = cell, made->hidden = hidden;
  if (!made || !recurrent_make_layers(made, widths) || !recurrent_make_sets(made, shape)) {
    pfc_recurrent_destroy(made);
    return pfc_fail(PFC_NO_MEMORY, "there is not enough memory for the network");
  }
  *network = made;
  return PFC_OK;
}

void pfc_recurrent_destroy(PfcRecurrent* net) {
  if (!net) return;
  pfc_sets_free(&net->sets);
  for (int32_t i = 0; i < RECURRENT_MAX_LAYERS; ++i) pfc_linear_train_free(&net->layer[i]);
  for (int32_t i = 0; i <= net->hidden; ++i) pfc_free(net->activations[i]);
  for (int32_t i = 0; i < net->workers; ++i) pfc_free(net->scratch[i].memory);
  pfc_free(net->set_features);
  pfc_free(net->set_winners);
  pfc_free(net->gates);
  pfc_free(net->states);
  pfc_free(net->gradients);
  pfc_free(net);
}

// Memory for a scratch matrix of that width, taken from *memory.
static void* recurrent_take(char** memory, int32_t width) {
  void* taken = *memory;
  *memory += 4 * (int64_t)RECURRENT_BLOCK_ROWS * width;
  return taken;
}

static bool recurrent_make_scratch(const PfcRecurrent* net, RecurrentScratch* scratch) {
  const int32_t widest = net->widest, padded = net->padded, states = net->cell->states;
  const uint64_t width =
      5 * (uint64_t)widest + (uint64_t)net->gate_stride + 2 * (uint64_t)(1 + states) * (uint64_t)padded;
  const uint64_t sets_bytes = pfc_sets_scratch_bytes(&net->sets, RECURRENT_BLOCK_ROWS);
  char* memory = scratch->memory = pfc_alloc(4 * RECURRENT_BLOCK_ROWS * width + sets_bytes);
  if (!memory) return false;
  scratch->inputs = recurrent_take(&memory, widest);
  scratch->a = recurrent_take(&memory, widest);
  scratch->b = recurrent_take(&memory, widest);
  scratch->pairs = recurrent_take(&memory, widest);
  scratch->sums = recurrent_take(&memory, widest);
  scratch->gates = recurrent_take(&memory, net->gate_stride);
  scratch->states = recurrent_take(&memory, padded);
  scratch->before = recurrent_take(&memory, padded);
  for (int32_t i = 0; i < states; ++i) {
    scratch->carry[i] = recurrent_take(&memory, padded);
    scratch->initial[i] = recurrent_take(&memory, padded);
  }
  pfc_sets_scratch_place(&net->sets, RECURRENT_BLOCK_ROWS, memory, &scratch->sets);
  return true;
}

// Replaces *memory by room for `rows` rows.
static bool recurrent_renew(void** memory, uint64_t row_bytes, int64_t rows) {
  pfc_free(*memory);
  *memory = pfc_alloc(row_bytes * (uint64_t)rows);
  return *memory != NULL;
}

static bool recurrent_renew_floats(float** memory, int32_t width, int64_t rows) {
  void* renewed = *memory;
  const bool made = recurrent_renew(&renewed, 4 * (uint64_t)width, rows);
  *memory = renewed;
  return made;
}

static bool recurrent_renew_winners(PfcRecurrent* net, int64_t rows) {
  void* renewed = net->set_winners;
  const bool made = recurrent_renew(&renewed, sizeof *net->set_winners * (uint64_t)net->sets.features, rows);
  net->set_winners = renewed;
  return made;
}

// Elements of a kept activation.
static int32_t recurrent_kept_width(const PfcRecurrent* net, int32_t layer) {
  return layer < net->hidden ? net->layer[layer].padded_outputs : net->padded;
}

// Makes the memory of kept activations for `rows` steps times rows.
static bool recurrent_make_kept(PfcRecurrent* net, int64_t rows) {
  bool made = recurrent_renew_floats(&net->gates, net->gate_stride, rows);
  made = recurrent_renew_floats(&net->states, net->padded, rows) && made;
  made = recurrent_renew_floats(&net->set_features, net->sets.features, rows) && made;
  made = recurrent_renew_winners(net, rows) && made;
  for (int32_t i = 0; i <= net->hidden; ++i) {
    const uint64_t row_bytes = pfc_linear_train_row_bytes(net->kernels, recurrent_kept_width(net, i));
    made = recurrent_renew(&net->activations[i], row_bytes, rows) && made;
  }
  net->kept_steps = net->kept_rows = 0;
  net->capacity = made ? rows : 0;
  return made;
}

// Memory for a pass by `workers` threads that keeps `kept_rows` steps times rows.
static PfcStatus recurrent_grow(PfcRecurrent* net, int32_t workers, int64_t kept_rows) {
  bool made = true;
  for (; made && net->workers < workers; net->workers += made)
    made = recurrent_make_scratch(net, &net->scratch[net->workers]);
  if (made && kept_rows > net->capacity) made = recurrent_make_kept(net, kept_rows);
  return made ? PFC_OK : pfc_fail(PFC_NO_MEMORY, "there is not enough memory for a batch of this network");
}

int32_t pfc_recurrent_states(const PfcRecurrent* net) { return net->cell->states; }

// Layers of the sets, which come first in all lists.
static int32_t recurrent_set_layers(const PfcRecurrent* net) { return 2 * net->sets.num_sets; }

int32_t pfc_recurrent_layers(const PfcRecurrent* net) {
  return recurrent_set_layers(net) + pfc_recurrent_output_index(net) + 1;
}

void pfc_recurrent_layer_shape(const PfcRecurrent* net, int32_t index, int32_t* outputs, int32_t* inputs) {
  const int32_t first = recurrent_set_layers(net);
  if (index < first)
    pfc_sets_layer_shape(&net->sets, index, outputs, inputs);
  else
    *outputs = net->layer[index - first].outputs, *inputs = net->layer[index - first].inputs;
}

// The gates add the biases of the first gate layer alone, so it gets the sum.
void pfc_recurrent_set_layers(PfcRecurrent* net, const PfcRecurrentLayer* layers) {
  const int32_t first = recurrent_set_layers(net);
  for (int32_t i = 0; i < first; ++i) pfc_sets_set_layer(&net->sets, i, layers[i].weight, layers[i].bias);
  layers += first;
  for (int32_t i = 0; i <= pfc_recurrent_output_index(net); ++i)
    pfc_linear_train_set(&net->layer[i], layers[i].weight, layers[i].bias);
  PfcLinearTrain* gates = &net->layer[net->hidden];
  for (int32_t i = 1; i < net->cell->layers; ++i)
    for (int32_t k = 0; k < gates->outputs; ++k) gates->bias[k] += gates[i].bias[k];
}

// ---- passes --------------------------------------------------------------------------------------------

static void recurrent_chunk(const RecurrentPass* pass, RecurrentScratch* scratch, int32_t chunk) {
  const int64_t begin = chunk * pass->chunk_rows, end = PFC_MIN(begin + pass->chunk_rows, pass->batch->rows);
  float* gradients = NULL;
  if (pass->grad_outputs) {
    gradients = pass->net->gradients + chunk * pass->net->gradient_size;
    memset(gradients, 0, sizeof(float) * (size_t)pass->net->gradient_size);
  }
  for (int64_t first = begin; first < end; first += RECURRENT_BLOCK_ROWS)
    pass->strip(pass, scratch, first, (int32_t)PFC_MIN(end - first, (int64_t)RECURRENT_BLOCK_ROWS), gradients);
}

static void recurrent_task(void* context, int32_t worker, int32_t chunk) {
  const RecurrentPass* pass = context;
  recurrent_chunk(pass, &pass->net->scratch[worker], chunk);
}

PfcStatus pfc_recurrent_run(RecurrentPass* pass, PfcWorkers* workers) {
  const int64_t rows = pass->batch->rows, share = (rows + RECURRENT_MAX_CHUNKS - 1) / RECURRENT_MAX_CHUNKS;
  pass->chunk_rows = PFC_MAX(share, (int64_t)RECURRENT_MIN_CHUNK_ROWS);
  pass->chunks = (int32_t)((rows + pass->chunk_rows - 1) / pass->chunk_rows);
  const int64_t kept_rows = pass->keep ? pass->batch->steps * rows : 0;
  const PfcStatus status = recurrent_grow(pass->net, pfc_workers_count(workers), kept_rows);
  if (status) return status;
  pfc_parallel_for(workers, recurrent_task, pass, pass->chunks);
  return PFC_OK;
}

RecurrentBlock pfc_recurrent_block(const RecurrentPass* pass, int64_t first, int32_t count, int64_t step) {
  const int64_t steps = RECURRENT_BLOCK_ROWS / count, left = pass->batch->steps - step;
  return (RecurrentBlock){.first = first,
                          .step = step,
                          .count = count,
                          .steps = (int32_t)PFC_MIN(steps, left),
                          .kept = first * pass->batch->steps + step * count};
}

void* pfc_recurrent_kept(const PfcRecurrent* net, int32_t layer, int64_t row) {
  const uint64_t row_bytes = pfc_linear_train_row_bytes(net->kernels, recurrent_kept_width(net, layer));
  return (char*)net->activations[layer] + row_bytes * (uint64_t)row;
}

// The observations of step t of a block.
static PfcSetsRows recurrent_rows(const RecurrentPass* pass, const RecurrentBlock* block, int32_t t) {
  const PfcRecurrentBatch* batch = pass->batch;
  const int64_t inputs = pass->net->inputs, at = (block->step + t) * batch->x_step + block->first * inputs;
  const uint64_t bytes = pfc_linear_train_row_bytes(pass->net->kernels, 1);
  return (PfcSetsRows){.x = (const char*)batch->x + bytes * (uint64_t)at,
                       .stride = inputs,
                       .first = t * block->count,
                       .rows = block->count};
}

// Scratch memory of the sets, with the kept features and winners of a block where they are kept.
static PfcSetsScratch recurrent_sets(const RecurrentPass* pass, const RecurrentScratch* scratch,
                                     const RecurrentBlock* block) {
  const PfcRecurrent* net = pass->net;
  const int64_t at = block->kept * net->sets.features;
  PfcSetsScratch sets = scratch->sets;
  if (pass->keep || pass->grad_outputs) sets.best = net->set_features + at, sets.winners = net->set_winners + at;
  return sets;
}

// scratch->inputs <- the inputs of the first layer in a block, as elements.
static void recurrent_load_inputs(const RecurrentPass* pass, RecurrentScratch* scratch, const RecurrentBlock* block) {
  const PfcRecurrent* net = pass->net;
  const PfcLinearTrain* layer = &net->layer[0];
  const uint64_t row_bytes = pfc_linear_train_row_bytes(net->kernels, layer->padded_inputs);
  const PfcSetsScratch sets = recurrent_sets(pass, scratch, block);
  for (int32_t t = 0; t < block->steps; ++t) {
    const PfcSetsRows rows = recurrent_rows(pass, block, t);
    char* to = (char*)scratch->inputs + row_bytes * (uint64_t)rows.first;
    if (net->sets.num_sets && pass->grad_outputs)
      pfc_sets_write(&net->sets, &sets, &rows, to);
    else if (net->sets.num_sets)
      pfc_sets_forward(&net->sets, &sets, &rows, to);
    else
      pfc_elements_pad(rows.x, rows.rows, layer->inputs, net->kernels->bfloat16, to);
  }
}

const void* pfc_recurrent_layer_input(const RecurrentPass* pass, RecurrentScratch* scratch, const RecurrentBlock* block,
                                      int32_t layer) {
  if (layer > 0) return pfc_recurrent_kept(pass->net, layer - 1, block->kept);
  recurrent_load_inputs(pass, scratch, block);
  return scratch->inputs;
}

void pfc_recurrent_load_states(const PfcRecurrent* net, const float* const* from, int64_t first, int32_t count,
                               float* const* to) {
  for (int32_t i = 0; i < net->cell->states; ++i)
    pfc_elements_round(from[i] + first * net->units, net->units, count, net->units, false, false, to[i]);
}

const uint8_t* pfc_recurrent_starts(const RecurrentPass* pass, const RecurrentBlock* block, int32_t t) {
  const uint8_t* starts = pass->batch->starts;
  return starts ? starts + (block->step + t) * pass->batch->rows + block->first : NULL;
}

// ---- forward -------------------------------------------------------------------------------------------

// Runs the hidden layers of a block. Returns the last one, kept or in scratch memory.
static const void* recurrent_encode(const RecurrentPass* pass, RecurrentScratch* scratch, const RecurrentBlock* block) {
  const PfcRecurrent* net = pass->net;
  void *x = scratch->inputs, *spare = scratch->a;
  recurrent_load_inputs(pass, scratch, block);
  for (int32_t i = 0; i < net->hidden; ++i) {
    const PfcLinearTrain* layer = &net->layer[i];
    const int32_t rows = block->steps * block->count;
    void* y = pass->keep ? pfc_recurrent_kept(net, i, block->kept) : spare;
    pfc_linear_train_forward(layer, pfc_linear_train_padded(layer, x), rows, false, scratch->sums);
    pfc_elements_round(scratch->sums, layer->columns, rows, layer->outputs, true, net->kernels->bfloat16, y);
    spare = x == spare ? scratch->inputs : x;
    x = y;
  }
  return x;
}

static void recurrent_write_outputs(const RecurrentPass* pass, const float* sums, const RecurrentBlock* block) {
  const PfcLinearTrain* layer = &pass->net->layer[pfc_recurrent_output_index(pass->net)];
  for (int32_t t = 0; t < block->steps; ++t) {
    const int64_t at = (block->step + t) * pass->batch->rows + block->first;
    pfc_linear_train_outputs(layer, sums + (int64_t)t * block->count * layer->columns, block->count,
                             pass->outputs + at * layer->outputs);
  }
}

static void recurrent_forward_block(const RecurrentPass* pass, RecurrentScratch* scratch, const RecurrentBlock* block) {
  const PfcRecurrent* net = pass->net;
  const int32_t rows = block->steps * block->count;
  float* gates = pass->keep ? net->gates + block->kept * net->gate_stride : scratch->gates;
  float* states = pass->keep ? net->states + block->kept * net->padded : scratch->states;
  void* seen = pass->keep ? pfc_recurrent_kept(net, net->hidden, block->kept) : scratch->b;
  const void* x = recurrent_encode(pass, scratch, block);
  const PfcLinearTrain *gate_layer = pfc_recurrent_gate_layer(net),
                       *output = &net->layer[pfc_recurrent_output_index(net)];
  pfc_linear_train_forward(gate_layer, pfc_linear_train_padded(gate_layer, x), rows, false, gates);
  net->cell->forward(pass, scratch, block, x, gates, states, seen);
  pfc_linear_train_forward(output, pfc_linear_train_padded(output, seen), rows, false, scratch->sums);
  recurrent_write_outputs(pass, scratch->sums, block);
}

static void recurrent_forward_strip(const RecurrentPass* pass, RecurrentScratch* scratch, int64_t first, int32_t count,
                                    float* gradients) {
  (void)gradients;
  const PfcRecurrent* net = pass->net;
  pfc_recurrent_load_states(net, pass->batch->state, first, count, scratch->carry);
  for (int64_t step = 0; step < pass->batch->steps; step += RECURRENT_BLOCK_ROWS / count) {
    const RecurrentBlock block = pfc_recurrent_block(pass, first, count, step);
    recurrent_forward_block(pass, scratch, &block);
  }
  for (int32_t i = 0; i < net->cell->states; ++i)
    for (int64_t row = 0; row < count; ++row)
      memcpy(pass->next_state[i] + (first + row) * net->units, scratch->carry[i] + row * net->padded,
             sizeof(float) * (size_t)net->units);
}

PfcStatus pfc_recurrent_forward(PfcRecurrent* net, const PfcRecurrentBatch* batch, bool keep, float* outputs,
                                float* const* next_state, PfcWorkers* workers) {
  if (keep) net->kept_steps = net->kept_rows = 0;
  if (batch->rows == 0) return PFC_OK;
  RecurrentPass pass = {.net = net,
                        .batch = batch,
                        .keep = keep,
                        .outputs = outputs,
                        .next_state = next_state,
                        .strip = recurrent_forward_strip};
  const PfcStatus status = pfc_recurrent_run(&pass, workers);
  if (!status && keep) net->kept_steps = batch->steps, net->kept_rows = batch->rows;
  return status;
}

// ---- backward ------------------------------------------------------------------------------------------
//
// A strip goes through its blocks from the last to the first.

static int64_t recurrent_sets_gradient_at(const PfcRecurrent* net) {
  return net->gradient_size - net->sets.gradient_size;
}

static float* recurrent_gradient(const RecurrentPass* pass, int32_t index, float* gradients) {
  return gradients + pass->net->gradient_at[index];
}

// elements <- the gradients of a block's outputs; bias += their sum.
static void recurrent_load_gradients(const RecurrentPass* pass, const RecurrentBlock* block, float* bias,
                                     void* elements) {
  const PfcRecurrent* net = pass->net;
  const PfcLinearTrain* layer = &net->layer[pfc_recurrent_output_index(net)];
  const uint64_t row_bytes = pfc_linear_train_row_bytes(net->kernels, layer->padded_outputs);
  for (int32_t t = 0; t < block->steps; ++t) {
    const float* grad = pass->grad_outputs + ((block->step + t) * pass->batch->rows + block->first) * layer->outputs;
    pfc_elements_round(grad, layer->outputs, block->count, layer->outputs, false, net->kernels->bfloat16,
                       (char*)elements + row_bytes * (uint64_t)(t * block->count));
    pfc_elements_add_rows(grad, layer->outputs, block->count, layer->outputs, bias);
  }
}

// scratch->sums <- the gradient of the input of the output layer.
static void recurrent_output_backward(const RecurrentPass* pass, RecurrentScratch* scratch, const RecurrentBlock* block,
                                      float* gradients) {
  const PfcRecurrent* net = pass->net;
  const int32_t rows = block->steps * block->count, index = pfc_recurrent_output_index(net);
  const PfcLinearTrain* layer = &net->layer[index];
  float* gradient = recurrent_gradient(pass, index, gradients);
  recurrent_load_gradients(pass, block, pfc_linear_train_bias(layer, gradient), scratch->a);
  const void* seen = pfc_recurrent_kept(net, net->hidden, block->kept);
  pfc_linear_train_weight_gradient(layer, pfc_linear_train_padded(layer, seen), scratch->a, rows, scratch->pairs,
                                   gradient);
  pfc_linear_train_input_gradient(layer, scratch->a, rows, 0, false, scratch->sums);
}

void pfc_recurrent_take_gate_gradient(const RecurrentPass* pass, RecurrentScratch* scratch, const RecurrentBlock* block,
                                      int32_t t, float* bias) {
  const PfcRecurrent* net = pass->net;
  const int32_t width = pfc_recurrent_gate_layer(net)->outputs, stride = net->gate_stride;
  const uint64_t row_bytes = pfc_linear_train_row_bytes(net->kernels, stride);
  pfc_elements_add_rows(scratch->gates, stride, block->count, width, bias);
  pfc_elements_round(scratch->gates, stride, block->count, width, false, net->kernels->bfloat16,
                     (char*)scratch->a + row_bytes * (uint64_t)(t * block->count));
}

// Goes back through the units and the gate layers: scratch->sums becomes the gradient of x.
static void recurrent_cell_backward(const RecurrentPass* pass, RecurrentScratch* scratch, const RecurrentBlock* block,
                                    float* gradients) {
  const PfcRecurrent* net = pass->net;
  const PfcLinearTrain* layer = pfc_recurrent_gate_layer(net);
  const int32_t rows = block->steps * block->count;
  float* gradient = recurrent_gradient(pass, net->hidden, gradients);
  net->cell->backward(pass, scratch, block, pfc_linear_train_bias(layer, gradient));
  const void* x = pfc_recurrent_layer_input(pass, scratch, block, net->hidden);
  pfc_linear_train_weight_gradient(layer, pfc_linear_train_padded(layer, x), scratch->a, rows, scratch->pairs,
                                   gradient);
  for (int32_t i = 1; i < net->cell->layers; ++i)
    pfc_linear_train_weight_gradient(&layer[i], pfc_linear_train_padded(&layer[i], scratch->before), scratch->a, rows,
                                     scratch->pairs, recurrent_gradient(pass, net->hidden + i, gradients));
  if (net->hidden || pass->grad_x)
    pfc_linear_train_input_gradient(layer, scratch->a, rows, 0, net->cell->residual, scratch->sums);
}

// Goes back through the hidden layers, from the gradient of the last in scratch->sums to that of the inputs if it is
// asked for.
static void recurrent_hidden_backward(const RecurrentPass* pass, RecurrentScratch* scratch, const RecurrentBlock* block,
                                      float* gradients) {
  const PfcRecurrent* net = pass->net;
  const int32_t rows = block->steps * block->count;
  for (int32_t i = net->hidden - 1; i >= 0; --i) {
    const PfcLinearTrain* layer = &net->layer[i];
    float* gradient = recurrent_gradient(pass, i, gradients);
    pfc_elements_mask(scratch->sums, pfc_recurrent_kept(net, i, block->kept), rows, layer->padded_outputs,
                      net->kernels->bfloat16, pfc_linear_train_bias(layer, gradient), scratch->a);
    const void* x = pfc_recurrent_layer_input(pass, scratch, block, i);
    pfc_linear_train_weight_gradient(layer, pfc_linear_train_padded(layer, x), scratch->a, rows, scratch->pairs,
                                     gradient);
    const int32_t first_input = i == 0 ? net->sets.plain : 0;
    if (i || pass->grad_x || net->sets.num_sets)
      pfc_linear_train_input_gradient(layer, scratch->a, rows, first_input, false, scratch->sums);
  }
}

// Goes back through the sets, from the gradient of their outputs in scratch->sums.
static void recurrent_sets_backward(const RecurrentPass* pass, RecurrentScratch* scratch, const RecurrentBlock* block,
                                    float* gradients) {
  const PfcRecurrent* net = pass->net;
  const PfcSetsScratch sets = recurrent_sets(pass, scratch, block);
  float* gradient = gradients + recurrent_sets_gradient_at(net);
  for (int32_t t = 0; t < block->steps; ++t) {
    const PfcSetsRows rows = recurrent_rows(pass, block, t);
    const float* grad = scratch->sums + (int64_t)rows.first * net->layer[0].padded_inputs;
    pfc_sets_backward(&net->sets, &sets, &rows, grad, gradient);
  }
}

static void recurrent_write_input_gradient(const RecurrentPass* pass, const float* sums, const RecurrentBlock* block) {
  const PfcLinearTrain* layer = &pass->net->layer[0];
  for (int64_t t = 0; t < block->steps; ++t)
    for (int64_t row = 0; row < block->count; ++row, sums += layer->padded_inputs) {
      const int64_t at = (block->step + t) * pass->batch->rows + block->first + row;
      memcpy(pass->grad_x + at * layer->inputs, sums, sizeof(float) * (size_t)layer->inputs);
    }
}

static void recurrent_backward_strip(const RecurrentPass* pass, RecurrentScratch* scratch, int64_t first, int32_t count,
                                     float* gradients) {
  const PfcRecurrent* net = pass->net;
  const int64_t block_steps = RECURRENT_BLOCK_ROWS / count;
  const int64_t blocks = (pass->batch->steps + block_steps - 1) / block_steps;
  pfc_recurrent_load_states(net, pass->batch->state, first, count, scratch->initial);
  for (int32_t i = 0; i < net->cell->states; ++i)
    memset(scratch->carry[i], 0, sizeof(float) * (size_t)count * (size_t)net->padded);
  for (int64_t i = blocks - 1; i >= 0; --i) {
    const RecurrentBlock block = pfc_recurrent_block(pass, first, count, i * block_steps);
    recurrent_output_backward(pass, scratch, &block, gradients);
    recurrent_cell_backward(pass, scratch, &block, gradients);
    recurrent_hidden_backward(pass, scratch, &block, gradients);
    if (net->sets.num_sets) recurrent_sets_backward(pass, scratch, &block, gradients);
    if (pass->grad_x) recurrent_write_input_gradient(pass, scratch->sums, &block);
  }
}

// gradients <- the sums over chunks. Both gate layers have the same gradient of their biases.
static void recurrent_sum_gradients(const RecurrentPass* pass, const PfcRecurrentLayer* gradients) {
  const PfcRecurrent* net = pass->net;
  const int32_t first = recurrent_set_layers(net);
  for (int32_t i = 0; i < first; ++i)
    pfc_sets_sum_gradients(&net->sets, i, net->gradients + recurrent_sets_gradient_at(net), net->gradient_size,
                           pass->chunks, gradients[i].weight, gradients[i].bias);
  gradients += first;
  for (int32_t i = 0; i <= pfc_recurrent_output_index(net); ++i)
    pfc_linear_train_sum_gradients(&net->layer[i], net->gradients + net->gradient_at[i], net->gradient_size,
                                   pass->chunks, gradients[i].weight, gradients[i].bias);
  const PfcLinearTrain* gates = pfc_recurrent_gate_layer(net);
  for (int32_t i = 1; i < net->cell->layers; ++i)
    memcpy(gradients[net->hidden + i].bias, gradients[net->hidden].bias, sizeof(float) * (size_t)gates->outputs);
}

PfcStatus pfc_recurrent_backward(PfcRecurrent* net, const PfcRecurrentBatch* batch, const float* grad_outputs,
                                 const PfcRecurrentLayer* gradients, float* grad_x, PfcWorkers* workers) {
  if (batch->rows < 1 || batch->rows != net->kept_rows || batch->steps != net->kept_steps)
    return pfc_fail(PFC_INVALID,
                    "x: expected the %lld steps and %lld rows of the forward pass that kept them, got %lld "
                    "and %lld",
                    (long long)net->kept_steps, (long long)net->kept_rows, (long long)batch->steps,
                    (long long)batch->rows);
  PFC_ASSERT(!grad_x || !net->sets.num_sets);
  if (!net->gradients) net->gradients = pfc_alloc(sizeof(float) * RECURRENT_MAX_CHUNKS * (uint64_t)net->gradient_size);
  if (!net->gradients) return pfc_fail(PFC_NO_MEMORY, "there is not enough memory for the gradients of this network");
  RecurrentPass pass = {
      .net = net, .batch = batch, .grad_outputs = grad_outputs, .grad_x = grad_x, .strip = recurrent_backward_strip};
  const PfcStatus status = pfc_recurrent_run(&pass, workers);
  if (!status) recurrent_sum_gradients(&pass, gradients);
  return status;
}
