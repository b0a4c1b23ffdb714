// matmul.h - matrix products C = start + A B of small matrices in float32 or bfloat16, always summed in float32.
//
// The unit of A and B is an atom of 32 bits: one float, or two bfloat16 that are neighbours along the summed dimension,
// the first in the low half. So one description fits both: atoms of A lie at a + row * a_row + step * a_step, and row
// `step` of B is `columns` neighbouring atoms at b + step * b_step. Strides count atoms; either stride of A may be 1,
// which is how a transposed matrix is multiplied where it lies.
//
// Every sum runs over steps in order in every tile, so an entry of C does not depend on the rows and columns that are
// computed with it. Instruction sets may differ in the last bits. Subnormal numbers may count as
// zero in bfloat16; NaN and infinity pass through. Internal: for the networks and their tests.
#ifndef PUFFERC_MATMUL_H
#define PUFFERC_MATMUL_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PFC_MATMUL_PAD = 16 };  // columns are a multiple of it: whole vectors in every instruction set

typedef struct PfcMatmul {
  const void* a;  // atoms
  int64_t a_row, a_step;
  const void* b;  // atoms, [steps, columns]
  int64_t b_step;
  float* c;  // [rows, columns], overlaps neither A nor B
  int64_t c_row;
  const float* start;  // what the sums start from; NULL = 0. May be c, which adds to it
  int64_t start_row;   // 0 = one row of numbers for all, such as biases
  int32_t rows, columns, steps;
} PfcMatmul;

// A tile: the rows [row, row + tile_rows) and the columns of its width from `column` on.
typedef void (*PfcMatmulTile)(const PfcMatmul* product, int32_t row, int32_t column);

// The tiles of one instruction set for one kind of atom.
typedef struct PfcMatmulKernels {
  const char* name;
  bool bfloat16;
  int32_t lanes, wide;           // widths of a thin and of a wide tile
  int32_t thin_rows, wide_rows;
  PfcMatmulTile thin_tile, wide_tile;
} PfcMatmulKernels;

// Number `index` of the kernels that this processor has for a kind of atom, the fastest first; NULL past the last.
const PfcMatmulKernels* pfc_matmul_kernels(bool bfloat16, int32_t index);

void pfc_matmul(const PfcMatmulKernels* kernels, const PfcMatmul* product);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_MATMUL_H
