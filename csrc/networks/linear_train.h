// linear_train.h - one fully connected layer of a network in training: y = weight x + bias, and the gradients of its
// parameters.
//
// Rows are elements as in elements.h: x [rows, padded_inputs], gradients of y [rows, padded_outputs]. Sums are float32.
// Products are taken in bfloat16 or float32, whichever the kernels are for; rounding to bfloat16 is to nearest even. A
// layer made with remainders has weights with twice the digits of bfloat16: a rounded part and its rounded remainder.
// Weights are packed twice, since y sums over inputs and the gradient of x over outputs.
//
// A layer owns its packed weights; only pfc_linear_train_set changes them. linear_infer.h has the layer of exported
// policies, which is float32 only and packed once. Internal: for mlp.c and recurrent.c.
#ifndef PUFFERC_LINEAR_TRAIN_H
#define PUFFERC_LINEAR_TRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "networks/matmul.h"

enum { PFC_LINEAR_MAX_WIDTH = 16384 };

typedef struct PfcLinearTrain {
  const PfcMatmulKernels* kernels;
  int32_t inputs, outputs, padded_inputs, padded_outputs;
  int32_t columns;  // floats of a row that pfc_linear_train_forward writes: padded_outputs, or more with remainders
  bool remainders;        // columns [outputs, 2 outputs) have what rounding took from the weights of the first ones
  int64_t gradient_size;  // floats of its gradients: weight [outputs, padded_inputs], then bias [padded_outputs]
  uint32_t* forward;      // atoms [input steps, columns]
  uint32_t* backward;     // atoms [output steps, padded_inputs]
  float* bias;            // [columns]
} PfcLinearTrain;

// inputs and outputs are 1 to PFC_LINEAR_MAX_WIDTH; all weights start as zeros. False when there is no memory; the
// layer is to be freed then as well.
bool pfc_linear_train_init(PfcLinearTrain* layer, const PfcMatmulKernels* kernels, int32_t inputs, int32_t outputs,
                           bool remainders);
void pfc_linear_train_free(PfcLinearTrain* layer);

// Copies weight [outputs, inputs] and bias [outputs].
void pfc_linear_train_set(PfcLinearTrain* layer, const float* weight, const float* bias);

// Bytes of a row of elements with `padded` entries.
uint64_t pfc_linear_train_row_bytes(const PfcMatmulKernels* kernels, int32_t padded);

// Rows of x: elements, `stride` of them from row to row. Without padding their stride is the number of inputs, which
// fits where pfc_linear_train_takes_plain says so: rows start at atoms, and memory past a row is not read.
typedef struct PfcLinearTrainRows {
  const void* elements;
  int64_t stride;
} PfcLinearTrainRows;

PfcLinearTrainRows pfc_linear_train_padded(const PfcLinearTrain* layer, const void* elements);
bool pfc_linear_train_takes_plain(const PfcLinearTrain* layer);

// sums [rows, columns] <- weight x + bias; where `add` is set, weight x on top of what they were.
void pfc_linear_train_forward(const PfcLinearTrain* layer, PfcLinearTrainRows x, int32_t rows, bool add, float* sums);
// outputs [rows, outputs] <- those sums without padding, remainders added.
void pfc_linear_train_outputs(const PfcLinearTrain* layer, const float* sums, int32_t rows, float* outputs);

// The bias in a layer's gradients.
static inline float* pfc_linear_train_bias(const PfcLinearTrain* layer, float* gradient) {
  return gradient + (int64_t)layer->outputs * layer->padded_inputs;
}

// gradient of the weight += sum over rows of grad (of y) times x. pairs: scratch for two matrices of that many rows.
void pfc_linear_train_weight_gradient(const PfcLinearTrain* layer, PfcLinearTrainRows x, const void* grad, int32_t rows,
                                      uint32_t* pairs, float* gradient);
// sums [rows, padded_inputs] <- grad (of y) times weight, on top of what they were where `add` is set. Only inputs from
// `first` on are needed.
void pfc_linear_train_input_gradient(const PfcLinearTrain* layer, const void* grad, int32_t rows, int32_t first,
                                     bool add, float* sums);

// grad_weight [outputs, inputs] and grad_bias [outputs] <- the sum, in order, of `count` gradients of this layer that
// lie `stride` floats apart.
void pfc_linear_train_sum_gradients(const PfcLinearTrain* layer, const float* gradients, int64_t stride, int32_t count,
                                    float* grad_weight, float* grad_bias);

#endif  // PUFFERC_LINEAR_TRAIN_H
