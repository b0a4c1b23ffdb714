// elements.c - see elements.h. Plain loops over a row, which compilers vectorise for each instruction set.
#include "elements.h"

#include <string.h>

#include "base.h"
#include "matmul.h"
#include "pufferc/env.h"

// To the nearest bfloat16, ties to even; a NaN stays one.
PFC_ALWAYS_INLINE static uint16_t bfloat16_of(float x) {
  const uint32_t bits = pfc_float_bits(x), rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  return (uint16_t)(x == x ? rounded : (bits >> 16) | 0x40u);
}

int32_t pfc_padded(int32_t width) { return (width + PFC_MATMUL_PAD - 1) / PFC_MATMUL_PAD * PFC_MATMUL_PAD; }

PFC_ALWAYS_INLINE static float relu_if(float x, bool relu) { return (relu & (x < 0.0f)) ? 0.0f : x; }

PFC_MULTIVERSION static void round_to_bfloat16(const float* from, int64_t stride, int32_t rows, int32_t width,
                                               bool relu, int32_t padded, uint16_t* to) {
  for (int64_t row = 0; row < rows; ++row, from += stride, to += padded) {
    const float* restrict x = from;
    uint16_t* restrict y = to;
    for (int32_t i = 0; i < width; ++i) y[i] = bfloat16_of(relu_if(x[i], relu));
    for (int32_t i = width; i < padded; ++i) y[i] = 0;
  }
}

PFC_MULTIVERSION static void round_to_float(const float* from, int64_t stride, int32_t rows, int32_t width, bool relu,
                                            int32_t padded, float* to) {
  for (int64_t row = 0; row < rows; ++row, from += stride, to += padded) {
    const float* restrict x = from;
    float* restrict y = to;
    for (int32_t i = 0; i < width; ++i) y[i] = relu_if(x[i], relu);
    for (int32_t i = width; i < padded; ++i) y[i] = 0.0f;
  }
}

void pfc_elements_round(const float* from, int64_t stride, int32_t rows, int32_t width, bool relu, bool bfloat16,
                        void* to) {
  if (bfloat16)
    round_to_bfloat16(from, stride, rows, width, relu, pfc_padded(width), to);
  else
    round_to_float(from, stride, rows, width, relu, pfc_padded(width), to);
}

void pfc_elements_remainder(const float* from, int32_t width, void* to) {
  uint16_t* y = to;
  for (int32_t i = 0; i < width; ++i) y[i] = bfloat16_of(from[i] - pfc_bits_float((uint32_t)bfloat16_of(from[i]) << 16));
  for (int32_t i = width; i < pfc_padded(width); ++i) y[i] = 0;
}

void pfc_elements_pad(const void* from, int32_t rows, int32_t width, bool bfloat16, void* to) {
  const size_t size = bfloat16 ? 2 : 4, bytes = size * (size_t)width, padded = size * (size_t)pfc_padded(width);
  const char* x = from;
  char* y = to;
  for (int32_t row = 0; row < rows; ++row, x += bytes, y += padded) {
    memcpy(y, x, bytes);
    memset(y + bytes, 0, padded - bytes);
  }
}

// A NaN among the maxima hands its gradient on, as it does in torch.
PFC_MULTIVERSION static void mask_bfloat16(const float* gradient, const uint16_t* maxima, int32_t rows, int32_t padded,
                                           float* restrict sums, uint16_t* to) {
  for (int64_t row = 0; row < rows; ++row, gradient += padded, maxima += padded, to += padded) {
    const float* restrict g = gradient;
    const uint16_t* restrict h = maxima;
    uint16_t* restrict y = to;
    for (int32_t i = 0; i < padded; ++i) {
      const float passed = pfc_bits_float((uint32_t)h[i] << 16) <= 0.0f ? 0.0f : g[i];
      sums[i] += passed;
      y[i] = bfloat16_of(passed);
    }
  }
}

PFC_MULTIVERSION static void mask_float(const float* gradient, const float* maxima, int32_t rows, int32_t padded,
                                        float* restrict sums, float* to) {
  for (int64_t row = 0; row < rows; ++row, gradient += padded, maxima += padded, to += padded) {
    const float* restrict g = gradient;
    const float* restrict h = maxima;
    float* restrict y = to;
    for (int32_t i = 0; i < padded; ++i) {
      const float passed = h[i] <= 0.0f ? 0.0f : g[i];
      sums[i] += passed;
      y[i] = passed;
    }
  }
}

void pfc_elements_mask(const float* gradient, const void* maxima, int32_t rows, int32_t padded, bool bfloat16,
                       float* sums, void* to) {
  if (bfloat16)
    mask_bfloat16(gradient, maxima, rows, padded, sums, to);
  else
    mask_float(gradient, maxima, rows, padded, sums, to);
}

PFC_MULTIVERSION static void pair_rows(const uint16_t* from, int32_t rows, int32_t padded, uint32_t* to) {
  for (int32_t row = 0; row < rows; row += 2, from += 2 * (int64_t)padded, to += padded) {
    const uint16_t *restrict first = from, *restrict second = from + padded;
    uint32_t* restrict y = to;
    if (row + 1 < rows)
      for (int32_t i = 0; i < padded; ++i) y[i] = first[i] | (uint32_t)second[i] << 16;
    else
      for (int32_t i = 0; i < padded; ++i) y[i] = first[i];
  }
}

void pfc_elements_pair(const void* from, int32_t rows, int32_t padded, void* to) { pair_rows(from, rows, padded, to); }

PFC_MULTIVERSION static void add_rows(const float* from, int64_t stride, int32_t rows, int32_t width,
                                      float* restrict sums) {
  for (int32_t row = 0; row < rows; ++row, from += stride) {
    const float* restrict x = from;
    for (int32_t i = 0; i < width; ++i) sums[i] += x[i];
  }
}

void pfc_elements_add_rows(const float* from, int64_t stride, int32_t rows, int32_t width, float* sums) {
  add_rows(from, stride, rows, width, sums);
}

PFC_MULTIVERSION static void add_bfloat16(const uint16_t* restrict x, const float* restrict floats, int64_t count,
                                          uint16_t* restrict to) {
  for (int64_t i = 0; i < count; ++i) to[i] = bfloat16_of(pfc_bits_float((uint32_t)x[i] << 16) + floats[i]);
}

PFC_MULTIVERSION static void add_float(const float* restrict x, const float* restrict floats, int64_t count,
                                       float* restrict to) {
  for (int64_t i = 0; i < count; ++i) to[i] = x[i] + floats[i];
}

void pfc_elements_add(const void* x, const float* floats, int32_t rows, int32_t padded, bool bfloat16, void* to) {
  const int64_t count = (int64_t)rows * padded;
  if (bfloat16)
    add_bfloat16(x, floats, count, to);
  else
    add_float(x, floats, count, to);
}
