// recurrent_backward.c - see recurrent.h: the backward pass. A strip goes through its blocks from the last to the
// first.
#include <string.h>

#include "core/base.h"
#include "networks/elements.h"
#include "networks/recurrent_pass.h"

static float* recurrent_gradient(const RecurrentPass* pass, int32_t index, float* gradients) {
  return gradients + pass->net->gradient_at[index];
}

// elements <- the gradients of a block's outputs, whose bias they are added to.
static void recurrent_load_gradients(const RecurrentPass* pass, const RecurrentBlock* block, float* bias,
                                     void* elements) {
  const PfcRecurrent* net = pass->net;
  const PfcDense* layer = &net->layer[pfc_recurrent_output_index(net)];
  const uint64_t row_bytes = pfc_dense_row_bytes(net->kernels, layer->padded_outputs);
  for (int32_t t = 0; t < block->steps; ++t) {
    const float* grad = pass->grad_outputs + ((block->step + t) * pass->batch->rows + block->first) * layer->outputs;
    pfc_elements_round(grad, layer->outputs, block->count, layer->outputs, false, net->kernels->bfloat16,
                       (char*)elements + row_bytes * (uint64_t)(t * block->count));
    pfc_elements_add_rows(grad, layer->outputs, block->count, layer->outputs, bias);
  }
}

// scratch->sums <- the gradient of what the output layer sees.
static void recurrent_output_backward(const RecurrentPass* pass, RecurrentScratch* scratch, const RecurrentBlock* block,
                                      float* gradients) {
  const PfcRecurrent* net = pass->net;
  const int32_t rows = block->steps * block->count, index = pfc_recurrent_output_index(net);
  const PfcDense* layer = &net->layer[index];
  float* gradient = recurrent_gradient(pass, index, gradients);
  recurrent_load_gradients(pass, block, pfc_dense_bias(layer, gradient), scratch->a);
  const void* seen = pfc_recurrent_kept(net, net->hidden, block->kept);
  pfc_dense_weight_gradient(layer, pfc_dense_padded(layer, seen), scratch->a, rows, scratch->pairs, gradient);
  pfc_dense_input_gradient(layer, scratch->a, rows, false, scratch->sums);
}

void pfc_recurrent_take_gate_gradient(const RecurrentPass* pass, RecurrentScratch* scratch, const RecurrentBlock* block,
                                      int32_t t, float* bias) {
  const PfcRecurrent* net = pass->net;
  const int32_t width = pfc_recurrent_gate_layer(net)->outputs, stride = net->gate_stride;
  const uint64_t row_bytes = pfc_dense_row_bytes(net->kernels, stride);
  pfc_elements_add_rows(scratch->gates, stride, block->count, width, bias);
  pfc_elements_round(scratch->gates, stride, block->count, width, false, net->kernels->bfloat16,
                     (char*)scratch->a + row_bytes * (uint64_t)(t * block->count));
}

// Through the units and the layers of their gates: scratch->sums goes to the gradient of x.
static void recurrent_cell_backward(const RecurrentPass* pass, RecurrentScratch* scratch, const RecurrentBlock* block,
                                    float* gradients) {
  const PfcRecurrent* net = pass->net;
  const PfcDense* layer = pfc_recurrent_gate_layer(net);
  const int32_t rows = block->steps * block->count;
  float* gradient = recurrent_gradient(pass, net->hidden, gradients);
  net->cell->backward(pass, scratch, block, pfc_dense_bias(layer, gradient));
  const void* x = pfc_recurrent_layer_input(pass, scratch, block, net->hidden);
  pfc_dense_weight_gradient(layer, pfc_dense_padded(layer, x), scratch->a, rows, scratch->pairs, gradient);
  for (int32_t i = 1; i < net->cell->layers; ++i)
    pfc_dense_weight_gradient(&layer[i], pfc_dense_padded(&layer[i], scratch->before), scratch->a, rows, scratch->pairs,
                              recurrent_gradient(pass, net->hidden + i, gradients));
  if (net->hidden || pass->grad_x)
    pfc_dense_input_gradient(layer, scratch->a, rows, net->cell->residual, scratch->sums);
}

// Through the hidden layers, from the gradient of the last in scratch->sums to that of the inputs where it is wanted.
static void recurrent_hidden_backward(const RecurrentPass* pass, RecurrentScratch* scratch, const RecurrentBlock* block,
                                      float* gradients) {
  const PfcRecurrent* net = pass->net;
  const int32_t rows = block->steps * block->count;
  for (int32_t i = net->hidden - 1; i >= 0; --i) {
    const PfcDense* layer = &net->layer[i];
    float* gradient = recurrent_gradient(pass, i, gradients);
    pfc_elements_mask(scratch->sums, pfc_recurrent_kept(net, i, block->kept), rows, layer->padded_outputs,
                      net->kernels->bfloat16, pfc_dense_bias(layer, gradient), scratch->a);
    const void* x = pfc_recurrent_layer_input(pass, scratch, block, i);
    pfc_dense_weight_gradient(layer, pfc_dense_padded(layer, x), scratch->a, rows, scratch->pairs, gradient);
    if (i || pass->grad_x) pfc_dense_input_gradient(layer, scratch->a, rows, false, scratch->sums);
  }
}

static void recurrent_write_input_gradient(const RecurrentPass* pass, const float* sums, const RecurrentBlock* block) {
  const PfcDense* layer = &pass->net->layer[0];
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
    if (pass->grad_x) recurrent_write_input_gradient(pass, scratch->sums, &block);
  }
}

// gradients <- the sums of what the chunks have. Layers of the same gates have the same gradient of their biases.
static void recurrent_sum_gradients(const RecurrentPass* pass, const PfcRecurrentLayer* gradients) {
  const PfcRecurrent* net = pass->net;
  for (int32_t i = 0; i < pfc_recurrent_layers(net); ++i)
    pfc_dense_sum_gradients(&net->layer[i], net->gradients + net->gradient_at[i], net->gradient_size, pass->chunks,
                            gradients[i].weight, gradients[i].bias);
  const PfcDense* gates = pfc_recurrent_gate_layer(net);
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
  if (!net->gradients) net->gradients = pfc_alloc(sizeof(float) * RECURRENT_MAX_CHUNKS * (uint64_t)net->gradient_size);
  if (!net->gradients) return pfc_fail(PFC_NO_MEMORY, "there is not enough memory for the gradients of this network");
  RecurrentPass pass = {
      .net = net, .batch = batch, .grad_outputs = grad_outputs, .grad_x = grad_x, .strip = recurrent_backward_strip};
  const PfcStatus status = pfc_recurrent_run(&pass, workers);
  if (!status) recurrent_sum_gradients(&pass, gradients);
  return status;
}
