// elements.h - rows of bfloat16 or float32 as the matrix products of matmul.h take them.
//
// A matrix of elements is [rows, padded] with padded a multiple of PFC_MATMUL_PAD, so a row is padded atoms in float32
// and half as many in bfloat16; entries from `width` on are zeros. Its pairs are what a sum over rows takes: in
// bfloat16 the atoms [rows / 2, padded] of two rows each, in float32 the matrix itself. All memory is the caller's.
#ifndef PUFFERC_ELEMENTS_H
#define PUFFERC_ELEMENTS_H

#include <stdbool.h>
#include <stdint.h>

// Number of elements that a row of `width` has with its padding.
int32_t pfc_padded(int32_t width);

// to <- from, floats [rows, width] with `stride` from row to row; negative ones become 0 where relu is set.
void pfc_elements_round(const float* from, int64_t stride, int32_t rows, int32_t width, bool relu, bool bfloat16,
                        void* to);

// to <- what rounding to bfloat16 loses of floats [width], itself as bfloat16 elements.
void pfc_elements_remainder(const float* from, int32_t width, void* to);

// to [count] <- floats [count], rounded to bfloat16; nothing is padded.
void pfc_elements_pack(const float* from, int64_t count, void* to);

// to <- from, elements [rows, width] without padding.
void pfc_elements_pad(const void* from, int32_t rows, int32_t width, bool bfloat16, void* to);

// Passes a gradient [rows, padded] back through max(y, 0), given the maxima as elements: to <- rounded result,
// sums [padded] += its columns before rounding.
void pfc_elements_mask(const float* gradient, const void* maxima, int32_t rows, int32_t padded, bool bfloat16,
                       float* sums, void* to);

// sums [width] += the rows of floats [rows, width] with `stride` from row to row.
void pfc_elements_add_rows(const float* from, int64_t stride, int32_t rows, int32_t width, float* sums);

// to <- x + floats [rows, padded], x and the sum as elements.
void pfc_elements_add(const void* x, const float* floats, int32_t rows, int32_t padded, bool bfloat16, void* to);

// to <- pairs of the bfloat16 elements [rows, width] with `stride` from row to row; what is padding, and a missing last
// row, counts as zeros.
void pfc_elements_pair(const void* from, int64_t stride, int32_t rows, int32_t width, void* to);

#endif  // PUFFERC_ELEMENTS_H
