// conv.h - a 3 x 3 convolution with ReLU over images, for inference.
//
// An image is float32[height][width][channels]. Around it lies a border of zeros, one cell wide. The filter at output
// (i, j) sees the 3 x 3 cells around image cell (i * stride, j * stride):
//
//   y[i][j][f] = max(0, bias[f] + sum over a, b, c of weight[f][a][b][c] * x[i*stride + a - 1][j*stride + b - 1][c])
//
// y is float32[out_height][out_width][filters], with sides divided by the stride and rounded up. A convolution owns its
// weights and does not change after pfc_conv_init. Training uses torch. Internal: for policy/ and its tests.
#ifndef PUFFERC_CONV_H
#define PUFFERC_CONV_H

#include <stdbool.h>
#include <stdint.h>

#include "networks/linear_infer.h"

typedef struct PfcConvShape {
  int32_t height, width, channels, filters, stride;  // all at least 1
} PfcConvShape;

typedef struct PfcConv {
  PfcConvShape shape;
  int32_t out_height, out_width;
  PfcLinearInfer linear;  // of the 3 x 3 cells around an output
} PfcConv;

// Numbers of an image and of its result.
int64_t pfc_conv_inputs(const PfcConvShape* shape);
int64_t pfc_conv_outputs(const PfcConvShape* shape);

// weight [filters, 3, 3, channels], bias [filters], both copied. False if there is no memory.
bool pfc_conv_init(PfcConv* conv, const PfcLinearInferKernels* kernels, const PfcConvShape* shape, const float* weight,
                   const float* bias);
void pfc_conv_free(PfcConv* conv);

// Floats of the scratch memory that pfc_conv_forward needs, 64-byte aligned.
uint64_t pfc_conv_scratch(const PfcConv* conv);

// One image x to y.
void pfc_conv_forward(const PfcConv* conv, const float* x, float* scratch, float* y);

#endif  // PUFFERC_CONV_H
