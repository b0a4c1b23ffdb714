// elements.c - see elements.h. Plain loops over a row, which compilers vectorise for each instruction set. Processors
// that multiply bfloat16 can also round to it, sixteen numbers at once, in a quarter of the time.
#include "networks/elements.h"

#include <string.h>

#include "core/base.h"
#include "networks/matmul.h"
#include "pufferc/env.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// ---- rounding by the processor -------------------------------------------------------------------------

// Same results as the loops below, except that subnormal numbers become 0, as they do in products.
#if defined(__x86_64__)
#define ELEMENTS_AVX512BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))

static bool rounds_bfloat16(void) {
  return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl");
}

// Mask of the sixteen numbers from `first` on that lie before `width`.
ELEMENTS_AVX512BF16 static __mmask16 lanes_before(int32_t width, int32_t first) {
  const int32_t left = width - first;
  return (__mmask16)(left >= 16 ? 0xffff : left <= 0 ? 0 : (1 << left) - 1);
}

ELEMENTS_AVX512BF16 static __m512 floats_of(const uint16_t* bfloat16) {
  const __m256i halves = _mm256_loadu_si256((const __m256i*)(const void*)bfloat16);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}

ELEMENTS_AVX512BF16 static void store_rounded(uint16_t* to, __m512 x) {
  _mm256_storeu_si256((__m256i*)(void*)to, (__m256i)_mm512_cvtneps_pbh(x));
}

ELEMENTS_AVX512BF16 static void round_avx512bf16(const float* from, int64_t stride, int32_t rows, int32_t width,
                                                 bool relu, int32_t padded, uint16_t* to) {
  for (int64_t row = 0; row < rows; ++row, from += stride, to += padded)
    for (int32_t i = 0; i < padded; i += 16) {
      const __m512 x = _mm512_maskz_loadu_ps(lanes_before(width, i), from + i);
      const __mmask16 negative = relu ? _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ) : (__mmask16)0;
      store_rounded(to + i, _mm512_maskz_mov_ps((__mmask16)~negative, x));
    }
}

ELEMENTS_AVX512BF16 static void pack_avx512bf16(const float* from, int64_t count, uint16_t* to) {
  for (int64_t i = 0; i < count; i += 16) {
    const __mmask16 inside = lanes_before((int32_t)PFC_MIN(count - i, (int64_t)16), 0);
    const __m512 x = _mm512_maskz_loadu_ps(inside, from + i);
    _mm256_mask_storeu_epi16(to + i, inside, (__m256i)_mm512_cvtneps_pbh(x));
  }
}

ELEMENTS_AVX512BF16 static void mask_avx512bf16(const float* gradient, const uint16_t* maxima, int32_t rows,
                                                int32_t padded, float* sums, uint16_t* to) {
  for (int32_t i = 0; i < padded; i += 16) {
    __m512 sum = _mm512_loadu_ps(sums + i);
    for (int64_t row = 0, at = i; row < rows; ++row, at += padded) {
      // Not less or equal: true of a NaN.
      const __mmask16 passes = _mm512_cmp_ps_mask(floats_of(maxima + at), _mm512_setzero_ps(), _CMP_NLE_UQ);
      const __m512 passed = _mm512_maskz_loadu_ps(passes, gradient + at);
      sum = _mm512_add_ps(sum, passed);
      store_rounded(to + at, passed);
    }
    _mm512_storeu_ps(sums + i, sum);
  }
}

// Sixteen atoms of two rows; `inside`: which columns there are.
ELEMENTS_AVX512BF16 static __m512i pair_of(const uint16_t* first, const uint16_t* second, __mmask16 inside) {
  const __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(inside, first));
  const __m512i high = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(inside, second));
  return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}

ELEMENTS_AVX512BF16 static void pair_avx512bf16(const uint16_t* from, int64_t stride, int32_t rows, int32_t width,
                                                int32_t padded, uint32_t* to) {
  for (int32_t row = 0; row < rows; row += 2, from += 2 * stride, to += padded) {
    const uint16_t* second = row + 1 < rows ? from + stride : from;
    for (int32_t i = 0; i < padded; i += 16) {
      __m512i pair = pair_of(from + i, second + i, lanes_before(width, i));
      if (row + 1 == rows) pair = _mm512_and_si512(pair, _mm512_set1_epi32(0xffff));
      _mm512_storeu_si512(to + i, pair);
    }
  }
}

ELEMENTS_AVX512BF16 static void add_avx512bf16(const uint16_t* x, const float* floats, int64_t count, uint16_t* to) {
  for (int64_t i = 0; i < count; i += 16)
    store_rounded(to + i, _mm512_add_ps(floats_of(x + i), _mm512_loadu_ps(floats + i)));
}
#else
static bool rounds_bfloat16(void) { return false; }
static void round_avx512bf16(const float* from, int64_t stride, int32_t rows, int32_t width, bool relu, int32_t padded,
                             uint16_t* to) {
  (void)from, (void)stride, (void)rows, (void)width, (void)relu, (void)padded, (void)to;
}
static void pack_avx512bf16(const float* from, int64_t count, uint16_t* to) { (void)from, (void)count, (void)to; }
static void mask_avx512bf16(const float* gradient, const uint16_t* maxima, int32_t rows, int32_t padded, float* sums,
                            uint16_t* to) {
  (void)gradient, (void)maxima, (void)rows, (void)padded, (void)sums, (void)to;
}
static void pair_avx512bf16(const uint16_t* from, int64_t stride, int32_t rows, int32_t width, int32_t padded,
                            uint32_t* to) {
  (void)from, (void)stride, (void)rows, (void)width, (void)padded, (void)to;
}
static void add_avx512bf16(const uint16_t* x, const float* floats, int64_t count, uint16_t* to) {
  (void)x, (void)floats, (void)count, (void)to;
}
#endif

// ---- rounding by arithmetic ----------------------------------------------------------------------------

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
  if (bfloat16 && rounds_bfloat16())
    round_avx512bf16(from, stride, rows, width, relu, pfc_padded(width), to);
  else if (bfloat16)
    round_to_bfloat16(from, stride, rows, width, relu, pfc_padded(width), to);
  else
    round_to_float(from, stride, rows, width, relu, pfc_padded(width), to);
}

PFC_MULTIVERSION static void pack_bfloat16(const float* restrict from, int64_t count, uint16_t* restrict to) {
  for (int64_t i = 0; i < count; ++i) to[i] = bfloat16_of(from[i]);
}

void pfc_elements_pack(const float* from, int64_t count, void* to) {
  if (rounds_bfloat16())
    pack_avx512bf16(from, count, to);
  else
    pack_bfloat16(from, count, to);
}

void pfc_elements_remainder(const float* from, int32_t width, void* to) {
  uint16_t* y = to;
  for (int32_t i = 0; i < width; ++i)
    y[i] = bfloat16_of(from[i] - pfc_bits_float((uint32_t)bfloat16_of(from[i]) << 16));
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

// A NaN among the maxima passes its gradient on, as in torch.
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
  if (bfloat16 && rounds_bfloat16())
    mask_avx512bf16(gradient, maxima, rows, padded, sums, to);
  else if (bfloat16)
    mask_bfloat16(gradient, maxima, rows, padded, sums, to);
  else
    mask_float(gradient, maxima, rows, padded, sums, to);
}

PFC_MULTIVERSION static void pair_rows(const uint16_t* from, int64_t stride, int32_t rows, int32_t width,
                                       int32_t padded, uint32_t* to) {
  for (int32_t row = 0; row < rows; row += 2, from += 2 * stride, to += padded) {
    const uint16_t *restrict first = from, *restrict second = from + stride;
    uint32_t* restrict y = to;
    if (row + 1 < rows)
      for (int32_t i = 0; i < width; ++i) y[i] = first[i] | (uint32_t)second[i] << 16;
    else
      for (int32_t i = 0; i < width; ++i) y[i] = first[i];
    for (int32_t i = width; i < padded; ++i) y[i] = 0;
  }
}

void pfc_elements_pair(const void* from, int64_t stride, int32_t rows, int32_t width, void* to) {
  if (rounds_bfloat16())
    pair_avx512bf16(from, stride, rows, width, pfc_padded(width), to);
  else
    pair_rows(from, stride, rows, width, pfc_padded(width), to);
}

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
  if (bfloat16 && rounds_bfloat16())
    add_avx512bf16(x, floats, count, to);
  else if (bfloat16)
    add_bfloat16(x, floats, count, to);
  else
    add_float(x, floats, count, to);
}
