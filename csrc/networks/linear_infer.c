// linear_infer.c - see linear_infer.h. A tile keeps rows x vectors of sums in registers while it walks once along the
// inputs.
//
// This file is compiled with -ffp-contract=fast: products and sums are fused where the processor can. Games
// may not do that; matrix products get their speed from it.
#include "networks/linear_infer.h"

#include <string.h>

#include "core/base.h"

#if defined(__clang__)
#define LINEAR_UNROLL _Pragma("clang loop unroll(full)")
#else
#define LINEAR_UNROLL _Pragma("GCC unroll 16")
#endif

// A tile of ROWS x VECTORS vectors of LANES floats. Rows past `count` repeat the last one and are not stored, so every
// loop has a constant length and the sums stay in registers. NaN passes through the maximum, as it does in training.
#define LINEAR_DEFINE_TILE(name, TARGET, LANES, VECTORS, ROWS)                                                       \
  typedef float name##_floats __attribute__((vector_size(4 * (LANES)), may_alias));                                  \
  typedef int32_t name##_ints __attribute__((vector_size(4 * (LANES)), may_alias));                                  \
  TARGET static void name(const float* const* rows, int32_t count, const float* panel, int32_t inputs, bool relu,    \
                          float* out, int64_t stride) {                                                              \
    const name##_floats* weights = (const name##_floats*)(const void*)panel;                                         \
    name##_floats sum[ROWS][VECTORS];                                                                                \
    const float* x[ROWS];                                                                                            \
    LINEAR_UNROLL for (int32_t r = 0; r < (ROWS); ++r) {                                                             \
      x[r] = rows[r];                                                                                                \
      LINEAR_UNROLL for (int32_t v = 0; v < (VECTORS); ++v) sum[r][v] = weights[v];                                  \
    }                                                                                                                \
    for (int64_t k = 0; k < inputs; ++k) {                                                                           \
      weights += (VECTORS);                                                                                          \
      LINEAR_UNROLL for (int32_t r = 0; r < (ROWS); ++r) {                                                           \
        LINEAR_UNROLL for (int32_t v = 0; v < (VECTORS); ++v) sum[r][v] += weights[v] * x[r][k];                     \
      }                                                                                                              \
    }                                                                                                                \
    LINEAR_UNROLL for (int32_t r = 0; r < (ROWS); ++r) {                                                             \
      LINEAR_UNROLL for (int32_t v = 0; v < (VECTORS); ++v) {                                                        \
        const name##_ints positive = ~(sum[r][v] < 0.0f);                                                            \
        if (relu) sum[r][v] = (name##_floats)((name##_ints)sum[r][v] & positive);                                    \
        if (r < count) ((name##_floats*)(void*)(out + r * stride))[v] = sum[r][v];                                   \
      }                                                                                                              \
    }                                                                                                                \
  }

#define LINEAR_BASELINE
LINEAR_DEFINE_TILE(linear_wide_baseline, LINEAR_BASELINE, 4, 2, 6)
LINEAR_DEFINE_TILE(linear_thin_baseline, LINEAR_BASELINE, 4, 1, 12)
static const PfcLinearInferKernels linear_baseline = {"baseline",          4, 8, 12, 6, linear_thin_baseline,
                                                      linear_wide_baseline};

#if defined(__x86_64__)
#define LINEAR_AVX2 __attribute__((target("avx2,fma")))
#define LINEAR_AVX512 __attribute__((target("avx512f,fma")))
LINEAR_DEFINE_TILE(linear_wide_avx2, LINEAR_AVX2, 8, 2, 6)
LINEAR_DEFINE_TILE(linear_thin_avx2, LINEAR_AVX2, 8, 1, 12)
LINEAR_DEFINE_TILE(linear_wide_avx512, LINEAR_AVX512, 16, 4, 6)
LINEAR_DEFINE_TILE(linear_thin_avx512, LINEAR_AVX512, 16, 1, 12)
static const PfcLinearInferKernels linear_avx2 = {"avx2", 8, 16, 12, 6, linear_thin_avx2, linear_wide_avx2};
static const PfcLinearInferKernels linear_avx512 = {"avx512f", 16, 64, 12, 6, linear_thin_avx512, linear_wide_avx512};
#endif

const PfcLinearInferKernels* pfc_linear_infer_kernels(int32_t index) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && index-- == 0) return &linear_avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && index-- == 0) return &linear_avx2;
#endif
  return index == 0 ? &linear_baseline : NULL;
}

static int32_t linear_panel_width(const PfcLinearInfer* layer, int32_t first) {
  const PfcLinearInferKernels* kernels = layer->kernels;
  return layer->outputs - first >= kernels->wide ? kernels->wide : kernels->lanes;
}

// Copies the outputs [first, first + width) to a panel, whose padding is zeros.
static void linear_pack_panel(const PfcLinearInfer* layer, int32_t first, int32_t width, const float* weight,
                              const float* bias, float* panel) {
  const int32_t count = PFC_MIN(width, layer->outputs - first);
  memcpy(panel, bias + first, sizeof(float) * (size_t)count);
  for (int32_t j = 0; j < count; ++j)
    for (int64_t k = 0; k < layer->inputs; ++k)
      panel[(k + 1) * width + j] = weight[(int64_t)(first + j) * layer->inputs + k];
}

bool pfc_linear_infer_init(PfcLinearInfer* layer, const PfcLinearInferKernels* kernels, int32_t inputs, int32_t outputs,
                           const float* weight, const float* bias, bool relu) {
  const int32_t padded = (outputs + kernels->lanes - 1) / kernels->lanes * kernels->lanes;
  *layer = (PfcLinearInfer){.kernels = kernels, .inputs = inputs, .outputs = outputs, .padded = padded, .relu = relu};
  layer->panels = pfc_alloc(sizeof(float) * (uint64_t)padded * ((uint64_t)inputs + 1));
  if (layer->panels && weight) pfc_linear_infer_set(layer, weight, bias);
  return layer->panels != NULL;
}

// The panel of the outputs from `first` on.
static float* linear_panel(const PfcLinearInfer* layer, int32_t first) {
  return layer->panels + (int64_t)first * ((int64_t)layer->inputs + 1);
}

void pfc_linear_infer_set(PfcLinearInfer* layer, const float* weight, const float* bias) {
  for (int32_t first = 0; first < layer->outputs;) {
    const int32_t width = linear_panel_width(layer, first);
    linear_pack_panel(layer, first, width, weight, bias, linear_panel(layer, first));
    first += width;
  }
}

void pfc_linear_infer_free(PfcLinearInfer* layer) {
  pfc_free(layer->panels);
  layer->panels = NULL;
}

// A panel, and the kernel for it.
typedef struct LinearPanel {
  const float* data;
  int32_t width, rows;  // outputs, and rows that a call of `tile` computes
  PfcLinearInferTile tile;
} LinearPanel;

static LinearPanel linear_panel_at(const PfcLinearInfer* layer, int32_t first) {
  const PfcLinearInferKernels* kernels = layer->kernels;
  const int32_t width = linear_panel_width(layer, first);
  const bool wide = width == kernels->wide;
  return (LinearPanel){.data = linear_panel(layer, first),
                       .width = width,
                       .rows = wide ? kernels->wide_rows : kernels->thin_rows,
                       .tile = wide ? kernels->wide_tile : kernels->thin_tile};
}

void pfc_linear_infer_forward(const PfcLinearInfer* layer, const float* x, int64_t stride, int32_t rows, float* out) {
  for (int32_t first = 0; first < layer->outputs;) {
    const LinearPanel panel = linear_panel_at(layer, first);
    for (int32_t row = 0; row < rows; row += panel.rows) {
      const float* at[PFC_LINEAR_INFER_ROWS];
      const int32_t count = PFC_MIN(panel.rows, rows - row);
      for (int32_t r = 0; r < panel.rows; ++r) at[r] = x + (row + PFC_MIN(r, count - 1)) * stride;
      panel.tile(at, count, panel.data, layer->inputs, layer->relu, out + (int64_t)row * layer->padded + first,
                 layer->padded);
    }
    first += panel.width;
  }
}

void pfc_linear_infer_rows(const PfcLinearInfer* layer, const float* const* x, int32_t count, float* out) {
  for (int32_t first = 0; first < layer->outputs;) {
    const LinearPanel panel = linear_panel_at(layer, first);
    for (int32_t row = 0; row < count; row += panel.rows)
      panel.tile(x + row, PFC_MIN(panel.rows, count - row), panel.data, layer->inputs, layer->relu,
                 out + (int64_t)row * layer->padded + first, layer->padded);
    first += panel.width;
  }
}
