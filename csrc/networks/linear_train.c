// linear_train.c - see linear_train.h. elements.h has rows and their pairs, matmul.h the products.
#include "networks/linear_train.h"

#include <string.h>

#include "core/base.h"
#include "networks/elements.h"
#include "pufferc/env.h"

// Atoms along `count` elements.
static int32_t linear_steps(const PfcLinearTrain* layer, int32_t count) {
  return layer->kernels->bfloat16 ? (count + 1) / 2 : count;
}

uint64_t pfc_linear_train_row_bytes(const PfcMatmulKernels* kernels, int32_t padded) {
  return (kernels->bfloat16 ? 2 : 4) * (uint64_t)padded;
}

bool pfc_linear_train_init(PfcLinearTrain* layer, const PfcMatmulKernels* kernels, int32_t inputs, int32_t outputs,
                           bool remainders) {
  PfcLinearTrain made = {.kernels = kernels, .inputs = inputs, .outputs = outputs};
  made.padded_inputs = pfc_padded(inputs), made.padded_outputs = pfc_padded(outputs);
  made.remainders = remainders && kernels->bfloat16;
  made.columns = pfc_padded(made.remainders ? 2 * outputs : outputs);
  made.gradient_size = (int64_t)outputs * made.padded_inputs + made.padded_outputs;
  made.forward = pfc_alloc(4 * (uint64_t)linear_steps(&made, made.padded_inputs) * (uint64_t)made.columns);
  made.backward = pfc_alloc(4 * (uint64_t)linear_steps(&made, made.padded_outputs) * (uint64_t)made.padded_inputs);
  made.bias = pfc_alloc(4 * (uint64_t)made.columns);
  *layer = made;
  return made.forward && made.backward && made.bias;
}

void pfc_linear_train_free(PfcLinearTrain* layer) {
  pfc_free(layer->forward);
  pfc_free(layer->backward);
  pfc_free(layer->bias);
}

void pfc_linear_train_set(PfcLinearTrain* layer, const float* weight, const float* bias) {
  const bool bfloat16 = layer->kernels->bfloat16;
  const int32_t steps = linear_steps(layer, layer->padded_inputs), at_once = bfloat16 ? 2 : 1;
  uint32_t rows[PFC_LINEAR_MAX_WIDTH];
  memcpy(layer->bias, bias, 4 * (size_t)layer->outputs);
  for (int32_t j = 0; j < layer->outputs; j += at_once) {
    const int32_t count = PFC_MIN(at_once, layer->outputs - j);
    pfc_elements_round(weight + (int64_t)j * layer->inputs, layer->inputs, count, layer->inputs, false, bfloat16, rows);
    for (int32_t r = 0; r < count; ++r)
      for (int64_t k = 0; k < steps; ++k) layer->forward[k * layer->columns + j + r] = rows[r * steps + k];
    uint32_t* back = layer->backward + (int64_t)(j / at_once) * layer->padded_inputs;
    if (bfloat16)
      pfc_elements_pair(rows, layer->padded_inputs, count, layer->padded_inputs, back);
    else
      memcpy(back, rows, 4 * (size_t)layer->padded_inputs);
  }
  for (int32_t j = 0; layer->remainders && j < layer->outputs; ++j) {
    pfc_elements_remainder(weight + (int64_t)j * layer->inputs, layer->inputs, rows);
    for (int64_t k = 0; k < steps; ++k) layer->forward[k * layer->columns + layer->outputs + j] = rows[k];
  }
}

PfcLinearTrainRows pfc_linear_train_padded(const PfcLinearTrain* layer, const void* elements) {
  return (PfcLinearTrainRows){elements, layer->padded_inputs};
}

bool pfc_linear_train_takes_plain(const PfcLinearTrain* layer) {
  return layer->kernels->bfloat16 && layer->inputs % 2 == 0;
}

void pfc_linear_train_forward(const PfcLinearTrain* layer, PfcLinearTrainRows x, int32_t rows, bool add, float* sums) {
  pfc_matmul(layer->kernels, &(PfcMatmul){.a = x.elements,
                                          .a_row = layer->kernels->bfloat16 ? x.stride / 2 : x.stride,
                                          .a_step = 1,
                                          .b = layer->forward,
                                          .b_step = layer->columns,
                                          .c = sums,
                                          .c_row = layer->columns,
                                          .start = add ? sums : layer->bias,
                                          .start_row = add ? layer->columns : 0,
                                          .rows = rows,
                                          .columns = layer->columns,
                                          .steps = linear_steps(layer, layer->inputs)});
}

void pfc_linear_train_outputs(const PfcLinearTrain* layer, const float* sums, int32_t rows, float* outputs) {
  for (int32_t r = 0; r < rows; ++r, sums += layer->columns, outputs += layer->outputs)
    for (int32_t k = 0; k < layer->outputs; ++k)
      outputs[k] = layer->remainders ? sums[k] + sums[layer->outputs + k] : sums[k];
}

void pfc_linear_train_weight_gradient(const PfcLinearTrain* layer, PfcLinearTrainRows x, const void* grad, int32_t rows,
                                      uint32_t* pairs, float* gradient) {
  const void* right = x.elements;
  if (layer->kernels->bfloat16) {
    uint32_t* grad_pairs = pairs + (int64_t)((rows + 1) / 2) * layer->padded_inputs;
    pfc_elements_pair(x.elements, x.stride, rows, layer->inputs, pairs);
    pfc_elements_pair(grad, layer->padded_outputs, rows, layer->padded_outputs, grad_pairs);
    right = pairs, grad = grad_pairs;
  }
  pfc_matmul(layer->kernels, &(PfcMatmul){.a = grad,
                                          .a_row = 1,
                                          .a_step = layer->padded_outputs,
                                          .b = right,
                                          .b_step = layer->padded_inputs,
                                          .c = gradient,
                                          .c_row = layer->padded_inputs,
                                          .start = gradient,
                                          .start_row = layer->padded_inputs,
                                          .rows = layer->outputs,
                                          .columns = layer->padded_inputs,
                                          .steps = linear_steps(layer, rows)});
}

void pfc_linear_train_input_gradient(const PfcLinearTrain* layer, const void* grad, int32_t rows, int32_t first,
                                     bool add, float* sums) {
  first -= first % PFC_MATMUL_PAD;
  pfc_matmul(layer->kernels, &(PfcMatmul){.a = grad,
                                          .a_row = linear_steps(layer, layer->padded_outputs),
                                          .a_step = 1,
                                          .b = layer->backward + first,
                                          .b_step = layer->padded_inputs,
                                          .c = sums + first,
                                          .c_row = layer->padded_inputs,
                                          .start = add ? sums + first : NULL,
                                          .start_row = layer->padded_inputs,
                                          .rows = rows,
                                          .columns = layer->padded_inputs - first,
                                          .steps = linear_steps(layer, layer->outputs)});
}

// to [size] <- the sum of `count` such vectors.
PFC_MULTIVERSION static void linear_sum(const float* from, int64_t stride, int32_t count, int32_t size,
                                        float* restrict to) {
  const float* restrict x = from;
  memcpy(to, x, sizeof(float) * (size_t)size);
  for (int32_t i = 1; i < count; ++i) {
    x += stride;
    for (int32_t k = 0; k < size; ++k) to[k] += x[k];
  }
}

void pfc_linear_train_sum_gradients(const PfcLinearTrain* layer, const float* gradients, int64_t stride, int32_t count,
                                    float* grad_weight, float* grad_bias) {
  for (int64_t j = 0; j < layer->outputs; ++j)
    linear_sum(gradients + j * layer->padded_inputs, stride, count, layer->inputs, grad_weight + j * layer->inputs);
  linear_sum(gradients + (int64_t)layer->outputs * layer->padded_inputs, stride, count, layer->outputs, grad_bias);
}
