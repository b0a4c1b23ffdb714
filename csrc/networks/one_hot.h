// one_hot.h - a linear layer over cells that hold small codes, such as the squares of a board.
//
// An observation is `cells` codes of 0 to `choices`, one byte each. The layer is that of their one-hot vectors, in
// which code 0 has no entry (what it would add is in the biases): y = bias + the sum over cells whose code is not 0 of
// table[cell, code - 1]. Boards are mostly empty, so this takes a few vector additions for each row instead of a
// product with all one-hot entries.
//
// codes uint8[rows, cells], table float32[cells * choices, width], bias float32[width], y float32[rows, width]; width
// is that of the layer's outputs. All memory is the caller's. Sums run over cells, and gradients over rows, in order,
// so results have the same bits for any number of workers. Internal: for the bindings and tests.
#ifndef PUFFERC_ONE_HOT_H
#define PUFFERC_ONE_HOT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/workers.h"
#include "pufferc/pufferc.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct PfcCodes {
  const uint8_t* codes;
  int64_t rows;
  int32_t cells, choices, width;
} PfcCodes;

// y as above, and max(y, 0) where `relu` is set. PFC_INVALID, y undefined, if some code is greater than `choices`.
PfcStatus pfc_codes_forward(const PfcCodes* batch, const float* table, const float* bias, bool relu, float* y,
                            PfcWorkers* workers);

// grad_table [cells * choices, width] and grad_bias [width] from grad_y [rows, width]. PFC_INVALID likewise.
PfcStatus pfc_codes_backward(const PfcCodes* batch, const float* grad_y, float* grad_table, float* grad_bias,
                             PfcWorkers* workers);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_ONE_HOT_H
