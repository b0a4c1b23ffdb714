// one_hot.h - a linear layer over the one-hot vectors of cells that hold small codes, such as the squares of a board.
//
// An observation is `cells` codes, one byte each. Each cell has its own number of codes: offsets int32[cells + 1]
// starts at 0, and the codes of cell i are 0 to offsets[i + 1] - offsets[i]. Code 0 has no entry in a one-hot vector
// (what it would add is in the biases): y = bias + the sum over cells whose code is not 0 of
// table[offsets[cell] + code - 1]. Boards are mostly empty, so this takes a few vector additions for each row instead
// of a product with all one-hot entries.
//
// codes uint8[rows, cells], table float32[E, width] with E = offsets[cells], bias float32[width], y float32[rows,
// width]; width is that of the layer's outputs. All memory is the caller's. Sums run over cells, and gradients over
// rows, in order, so results have the same bits for any number of workers. Internal: for the bindings and tests.
#ifndef PUFFERC_ONE_HOT_H
#define PUFFERC_ONE_HOT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/workers.h"
#include "pufferc/pufferc.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct PfcOneHot {
  const uint8_t* codes;
  const int32_t* offsets;  // never decreasing
  int64_t rows;
  int32_t cells, width;
} PfcOneHot;

// y as above, and max(y, 0) where `relu` is set. PFC_INVALID, y undefined, if a cell has no such code.
PfcStatus pfc_one_hot_forward(const PfcOneHot* batch, const float* table, const float* bias, bool relu, float* y,
                              PfcWorkers* workers);

// grad_table [E, width] and grad_bias [width] from grad_y [rows, width]. PFC_INVALID as above.
PfcStatus pfc_one_hot_backward(const PfcOneHot* batch, const float* grad_y, float* grad_table, float* grad_bias,
                               PfcWorkers* workers);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_ONE_HOT_H
