// linear_infer.h - fully connected layers for inference: y = weight x + bias for a block of rows, optionally max(y, 0).
//
// Weights are kept in panels of neighbouring outputs, so that the innermost loop reads one vector after the other and
// every vector serves several rows. Panels are `wide` outputs as long as there are that many left, then `lanes`; the
// last is filled up with zeros. A panel is its biases followed by inputs x width weights:
//
//   bias[width], then for k = 0 .. inputs - 1: weight[output 0 .. width - 1][k]
//
// A layer owns its panels; only pfc_linear_infer_set changes them. linear_train.h has the layers of networks in
// training. Internal: for policy/, conv.c, sets.c and tests.
#ifndef PUFFERC_LINEAR_INFER_H
#define PUFFERC_LINEAR_INFER_H

#include <stdbool.h>
#include <stdint.h>

// One panel times up to as many rows as the kernel takes: out[r * stride .. + width - 1] for r < count.
typedef void (*PfcLinearInferTile)(const float* const* rows, int32_t count, const float* panel, int32_t inputs,
                                   bool relu, float* out, int64_t stride);

// The tiles of one instruction set.
typedef struct PfcLinearInferKernels {
  const char* name;
  int32_t lanes, wide;           // widths of a thin and of a wide panel
  int32_t thin_rows, wide_rows;  // rows of their tiles
  PfcLinearInferTile thin_tile, wide_tile;
} PfcLinearInferKernels;

typedef struct PfcLinearInfer {
  const PfcLinearInferKernels* kernels;
  int32_t inputs, outputs;
  int32_t padded;  // outputs rounded up to whole panels: what forward writes per row
  bool relu;
  float* panels;   // owned
} PfcLinearInfer;

// Instruction set `index` of those this processor has, the widest first; NULL past the last.
const PfcLinearInferKernels* pfc_linear_infer_kernels(int32_t index);

enum { PFC_LINEAR_INFER_ROWS = 12 };  // a multiple of every tile's rows

// weight [outputs, inputs], bias [outputs], both copied, or both NULL = zeros; inputs and outputs >= 1. False when
// there is no memory.
bool pfc_linear_infer_init(PfcLinearInfer* layer, const PfcLinearInferKernels* kernels, int32_t inputs, int32_t outputs,
                           const float* weight, const float* bias, bool relu);
void pfc_linear_infer_free(PfcLinearInfer* layer);

// Copies weight [outputs, inputs] and bias [outputs].
void pfc_linear_infer_set(PfcLinearInfer* layer, const float* weight, const float* bias);

// out [rows, padded], 64-byte aligned, from x: row r begins at x + r * stride and has `inputs` numbers.
void pfc_linear_infer_forward(const PfcLinearInfer* layer, const float* x, int64_t stride, int32_t rows, float* out);

// The same for rows anywhere: x [count rounded up to a multiple of PFC_LINEAR_INFER_ROWS], those from `count` on repeat
// some row.
void pfc_linear_infer_rows(const PfcLinearInfer* layer, const float* const* x, int32_t count, float* out);

#endif  // PUFFERC_LINEAR_INFER_H
