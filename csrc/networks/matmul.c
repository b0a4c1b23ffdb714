// matmul.c - see matmul.h. A tile keeps rows x vectors of sums in registers while it walks once along the steps.
//
// This file is compiled with -ffp-contract=fast: products and sums are fused where the processor can. Games
// may not do that; matrix products get their speed from it.
#include "networks/matmul.h"

#include <stddef.h>

#include "core/base.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__clang__)
#define MATMUL_UNROLL _Pragma("clang loop unroll(full)")
#else
#define MATMUL_UNROLL _Pragma("GCC unroll 16")
#endif

// How an atom a is multiplied with a vector b of atoms and added to a vector of sums. The types are the tile's own.
#define MATMUL_FLOAT(sum, a, b) sum += (floats)(b) * (floats)(a)
// The halves of an atom as floats: a bfloat16 is the upper half of one.
#define MATMUL_HALVES(sum, a, b)                                           \
  do {                                                                     \
    sum += (floats)((b) << 16) * (floats)((a) << 16);                      \
    sum += (floats)((b) & 0xffff0000u) * (floats)((a) & 0xffff0000u);      \
  } while (0)
#define MATMUL_BFLOAT16(sum, a, b) sum = (floats)_mm512_dpbf16_ps((__m512)sum, (__m512bh)(b), (__m512bh)(a))

// A tile of ROWS x VECTORS vectors of LANES sums. Rows past the product's last one repeat it and are not stored, so
// every loop has a constant length and the sums stay in registers.
#define MATMUL_DEFINE_TILE(name, TARGET, MULTIPLY_ADD, LANES, VECTORS, ROWS)                               \
  TARGET static void name(const PfcMatmul* p, int32_t row, int32_t column) {                               \
    typedef float floats __attribute__((vector_size(4 * (LANES))));                                        \
    typedef uint32_t atoms __attribute__((vector_size(4 * (LANES))));                                      \
    typedef floats floats_at __attribute__((aligned(4), may_alias)); /* as they lie in memory */           \
    typedef atoms atoms_at __attribute__((aligned(4), may_alias));                                         \
    typedef uint32_t atom __attribute__((may_alias));                                                      \
    const int32_t count = PFC_MIN((ROWS), p->rows - row);                                                  \
    const atom* a[ROWS];                                                                                   \
    const atom* b = (const atom*)p->b + column;                                                            \
    floats sum[ROWS][VECTORS];                                                                             \
    MATMUL_UNROLL for (int32_t r = 0; r < (ROWS); ++r) {                                                   \
      const int64_t at = row + PFC_MIN(r, count - 1);                                                      \
      a[r] = (const atom*)p->a + at * p->a_row;                                                            \
      MATMUL_UNROLL for (int32_t v = 0; v < (VECTORS); ++v) {                                              \
        sum[r][v] = (floats){0};                                                                           \
        if (p->start) sum[r][v] = *(const floats_at*)(p->start + at * p->start_row + column + v * (LANES)); \
      }                                                                                                    \
    }                                                                                                      \
    for (int64_t step = 0, at = 0; step < p->steps; ++step, at += p->a_step, b += p->b_step) {             \
      atoms right[VECTORS];                                                                                \
      MATMUL_UNROLL for (int32_t v = 0; v < (VECTORS); ++v) right[v] = *(const atoms_at*)(b + v * (LANES)); \
      MATMUL_UNROLL for (int32_t r = 0; r < (ROWS); ++r) {                                                 \
        const atoms left = (atoms){0} + a[r][at];                                                          \
        MATMUL_UNROLL for (int32_t v = 0; v < (VECTORS); ++v) { MULTIPLY_ADD(sum[r][v], left, right[v]); } \
      }                                                                                                    \
    }                                                                                                      \
    MATMUL_UNROLL for (int32_t r = 0; r < (ROWS); ++r) {                                                   \
      floats_at* c = (floats_at*)(p->c + (int64_t)(row + r) * p->c_row + column);                          \
      MATMUL_UNROLL for (int32_t v = 0; v < (VECTORS); ++v)                                                \
        if (r < count) c[v] = sum[r][v];                                                                   \
    }                                                                                                      \
  }

#define MATMUL_BASELINE
MATMUL_DEFINE_TILE(matmul_wide_baseline, MATMUL_BASELINE, MATMUL_FLOAT, 4, 2, 4)
MATMUL_DEFINE_TILE(matmul_thin_baseline, MATMUL_BASELINE, MATMUL_FLOAT, 4, 1, 8)
MATMUL_DEFINE_TILE(matmul_wide_halves, MATMUL_BASELINE, MATMUL_HALVES, 4, 2, 3)
MATMUL_DEFINE_TILE(matmul_thin_halves, MATMUL_BASELINE, MATMUL_HALVES, 4, 1, 6)
static const PfcMatmulKernels matmul_baseline[] = {
    {"baseline", false, 4, 8, 8, 4, matmul_thin_baseline, matmul_wide_baseline},
    {"baseline bfloat16", true, 4, 8, 6, 3, matmul_thin_halves, matmul_wide_halves},
};

#if defined(__x86_64__)
#define MATMUL_AVX2 __attribute__((target("avx2,fma")))
#define MATMUL_AVX512 __attribute__((target("avx512f,fma")))
#define MATMUL_AVX512BF16 __attribute__((target("avx512f,avx512bf16,fma")))
MATMUL_DEFINE_TILE(matmul_wide_avx2, MATMUL_AVX2, MATMUL_FLOAT, 8, 2, 6)
MATMUL_DEFINE_TILE(matmul_thin_avx2, MATMUL_AVX2, MATMUL_FLOAT, 8, 1, 8)
MATMUL_DEFINE_TILE(matmul_wide_halves_avx2, MATMUL_AVX2, MATMUL_HALVES, 8, 2, 4)
MATMUL_DEFINE_TILE(matmul_thin_halves_avx2, MATMUL_AVX2, MATMUL_HALVES, 8, 1, 8)
MATMUL_DEFINE_TILE(matmul_wide_avx512, MATMUL_AVX512, MATMUL_FLOAT, 16, 4, 6)
MATMUL_DEFINE_TILE(matmul_thin_avx512, MATMUL_AVX512, MATMUL_FLOAT, 16, 1, 12)
MATMUL_DEFINE_TILE(matmul_wide_bfloat16, MATMUL_AVX512BF16, MATMUL_BFLOAT16, 16, 4, 4)
MATMUL_DEFINE_TILE(matmul_thin_bfloat16, MATMUL_AVX512BF16, MATMUL_BFLOAT16, 16, 1, 12)
static const PfcMatmulKernels matmul_avx2[] = {
    {"avx2", false, 8, 16, 8, 6, matmul_thin_avx2, matmul_wide_avx2},
    {"avx2 bfloat16", true, 8, 16, 8, 4, matmul_thin_halves_avx2, matmul_wide_halves_avx2},
};
static const PfcMatmulKernels matmul_avx512[] = {
    {"avx512f", false, 16, 64, 12, 6, matmul_thin_avx512, matmul_wide_avx512},
    {"avx512_bf16", true, 16, 64, 12, 4, matmul_thin_bfloat16, matmul_wide_bfloat16},
};
#endif

const PfcMatmulKernels* pfc_matmul_kernels(bool bfloat16, int32_t index) {
#if defined(__x86_64__)
  const bool avx512 = __builtin_cpu_supports("avx512f") && (!bfloat16 || __builtin_cpu_supports("avx512bf16"));
  if (avx512 && index-- == 0) return &matmul_avx512[bfloat16];
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && index-- == 0) return &matmul_avx2[bfloat16];
#endif
  return index == 0 ? &matmul_baseline[bfloat16] : NULL;
}

void pfc_matmul(const PfcMatmulKernels* kernels, const PfcMatmul* product) {
  PFC_ASSERT(product->columns % PFC_MATMUL_PAD == 0);
  for (int32_t column = 0; column < product->columns;) {
    const bool wide = product->columns - column >= kernels->wide;
    const int32_t tile_rows = wide ? kernels->wide_rows : kernels->thin_rows;
    const PfcMatmulTile tile = wide ? kernels->wide_tile : kernels->thin_tile;
    for (int32_t row = 0; row < product->rows; row += tile_rows) tile(product, row, column);
    column += wide ? kernels->wide : kernels->lanes;
  }
}
