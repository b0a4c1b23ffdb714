// mingru_backward.c - see mingru.h: the backward pass. A strip goes through its blocks from the last to the first.
#include <string.h>

#include "base.h"
#include "elements.h"
#include "mingru_pass.h"
#include "pufferc/env.h"

// elements <- the gradients of a block's outputs, whose bias they are added to.
static void mingru_load_gradients(const MinGruPass* pass, const MinGruBlock* block, float* bias, void* elements) {
  const PfcMinGru* net = pass->net;
  const PfcDense* layer = &net->layer[net->hidden + 2];
  const uint64_t row_bytes = pfc_dense_row_bytes(net->kernels, layer->padded_outputs);
  for (int32_t t = 0; t < block->steps; ++t) {
    const float* grad = pass->grad_outputs + ((block->step + t) * pass->batch->rows + block->first) * layer->outputs;
    pfc_elements_round(grad, layer->outputs, block->count, layer->outputs, false, net->kernels->bfloat16,
                       (char*)elements + row_bytes * (uint64_t)(t * block->count));
    pfc_elements_add_rows(grad, layer->outputs, block->count, layer->outputs, bias);
  }
}

// scratch->update and ->candidate <- the gradients of u and c, from those of x + h in scratch->sums. scratch->carry
// goes from what later blocks hand back to what this one does.
static void mingru_scan_backward(const MinGruPass* pass, MinGruScratch* scratch, const MinGruBlock* block) {
  const PfcMinGru* net = pass->net;
  const int64_t strip = (int64_t)block->count * net->padded;
  const float* update = net->updates + block->kept * net->padded;
  float* states = net->states + block->kept * net->padded;
  const float* before = block->step ? states - strip : scratch->initial;
  for (int32_t t = block->steps - 1; t >= 0; --t) {
    const PfcScanStep step = pfc_mingru_scan_step(pass, block, t, update, update, states, before);
    pfc_scan_step_backward(&step, scratch->sums + t * strip, scratch->carry, scratch->update + t * strip,
                           scratch->candidate + t * strip);
  }
}

// Through one of the two gate layers: its own gradients, and scratch->sums += those of x.
static void mingru_gate_backward(const MinGruPass* pass, MinGruScratch* scratch, int32_t index, const void* x,
                                 const float* grad, int32_t rows, float* gradients) {
  const PfcMinGru* net = pass->net;
  const PfcDense* layer = &net->layer[index];
  float* gradient = gradients + net->gradient_at[index];
  pfc_elements_add_rows(grad, net->padded, rows, net->units, pfc_dense_bias(layer, gradient));
  pfc_elements_round(grad, net->padded, rows, net->units, false, net->kernels->bfloat16, scratch->a);
  pfc_dense_weight_gradient(layer, x, scratch->a, rows, scratch->pairs, gradient);
  pfc_dense_input_gradient(layer, scratch->a, rows, true, scratch->sums);
}

// Through the hidden layers, from the gradient of the last in scratch->sums.
static void mingru_hidden_backward(const MinGruPass* pass, MinGruScratch* scratch, const MinGruBlock* block,
                                   float* gradients) {
  const PfcMinGru* net = pass->net;
  const int32_t rows = block->steps * block->count;
  for (int32_t i = net->hidden - 1; i >= 0; --i) {
    const PfcDense* layer = &net->layer[i];
    float* gradient = gradients + net->gradient_at[i];
    const void* x = i ? pfc_mingru_kept(net, i - 1, block->kept) : scratch->inputs;
    pfc_elements_mask(scratch->sums, pfc_mingru_kept(net, i, block->kept), rows, layer->padded_outputs,
                      net->kernels->bfloat16, pfc_dense_bias(layer, gradient), scratch->a);
    if (i == 0) pfc_mingru_load_inputs(pass, block, scratch->inputs);
    pfc_dense_weight_gradient(layer, x, scratch->a, rows, scratch->pairs, gradient);
    if (i) pfc_dense_input_gradient(layer, scratch->a, rows, false, scratch->sums);
  }
}

static void mingru_backward_block(const MinGruPass* pass, MinGruScratch* scratch, const MinGruBlock* block,
                                  float* gradients) {
  const PfcMinGru* net = pass->net;
  const int32_t rows = block->steps * block->count, last = net->hidden + 2;
  const PfcDense* layer = &net->layer[last];
  const void* x = pfc_mingru_kept(net, net->hidden - 1, block->kept);
  float* gradient = gradients + net->gradient_at[last];
  mingru_load_gradients(pass, block, pfc_dense_bias(layer, gradient), scratch->a);
  pfc_elements_add(x, net->states + block->kept * net->padded, rows, net->padded, net->kernels->bfloat16, scratch->b);
  pfc_dense_weight_gradient(layer, scratch->b, scratch->a, rows, scratch->pairs, gradient);
  pfc_dense_input_gradient(layer, scratch->a, rows, false, scratch->sums);
  mingru_scan_backward(pass, scratch, block);
  mingru_gate_backward(pass, scratch, net->hidden, x, scratch->update, rows, gradients);
  mingru_gate_backward(pass, scratch, net->hidden + 1, x, scratch->candidate, rows, gradients);
  mingru_hidden_backward(pass, scratch, block, gradients);
}

static void mingru_backward_strip(const MinGruPass* pass, MinGruScratch* scratch, int64_t first, int32_t count,
                                  float* gradients) {
  const PfcMinGru* net = pass->net;
  const int64_t block_steps = MINGRU_BLOCK_ROWS / count, blocks = (pass->batch->steps + block_steps - 1) / block_steps;
  pfc_mingru_load_states(net, pass->batch->state, first, count, scratch->initial);
  memset(scratch->carry, 0, sizeof(float) * (size_t)count * (size_t)net->padded);
  for (int64_t i = blocks - 1; i >= 0; --i) {
    const MinGruBlock block = pfc_mingru_block(pass, first, count, i * block_steps);
    mingru_backward_block(pass, scratch, &block, gradients);
  }
}

// grad_weight and grad_bias <- the sum of what the chunks have of layer `index`.
static void mingru_sum_gradients(const MinGruPass* pass, int32_t index, float* grad_weight, float* grad_bias) {
  const PfcMinGru* net = pass->net;
  pfc_dense_sum_gradients(&net->layer[index], net->gradients + net->gradient_at[index], net->gradient_size,
                          pass->chunks, grad_weight, grad_bias);
}

PfcStatus pfc_mingru_backward(PfcMinGru* net, const PfcMinGruBatch* batch, const float* grad_outputs,
                              float* const* grad_weights, float* const* grad_biases, PfcTeam* team) {
  if (batch->rows < 1 || batch->rows != net->kept_rows || batch->steps != net->kept_steps)
    return pfc_fail(PFC_INVALID,
                    "x: expected the %lld steps and %lld rows of the forward pass that kept them, got %lld "
                    "and %lld",
                    (long long)net->kept_steps, (long long)net->kept_rows, (long long)batch->steps,
                    (long long)batch->rows);
  if (!net->gradients) net->gradients = pfc_alloc(sizeof(float) * MINGRU_MAX_CHUNKS * (uint64_t)net->gradient_size);
  if (!net->gradients) return pfc_fail(PFC_NO_MEMORY, "there is not enough memory for the gradients of this network");
  MinGruPass pass = {.net = net, .batch = batch, .grad_outputs = grad_outputs, .strip = mingru_backward_strip};
  const PfcStatus status = pfc_mingru_run(&pass, team);
  if (status) return status;
  const int32_t gate = net->hidden;
  const int64_t units = net->units;
  for (int32_t i = 0; i <= gate; ++i) mingru_sum_gradients(&pass, i, grad_weights[i], grad_biases[i]);
  mingru_sum_gradients(&pass, gate + 1, grad_weights[gate] + units * units, grad_biases[gate] + units);
  mingru_sum_gradients(&pass, gate + 2, grad_weights[gate + 1], grad_biases[gate + 1]);
  return PFC_OK;
}
