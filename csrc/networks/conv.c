// conv.c - see conv.h. The cells around several outputs are copied side by side, and a matrix product does the rest.
#include "networks/conv.h"

#include <string.h>

#include "core/base.h"

enum {
  CONV_SIDE = 3,
  CONV_PATCHES = 48,  // that one product takes: a multiple of every tile's rows, small enough for the cache
  CONV_LINE = PFC_ALIGNMENT / sizeof(float)
};

static int32_t conv_out_side(int32_t side, int32_t stride) { return (side + stride - 1) / stride; }

static int32_t conv_patch(const PfcConvShape* shape) { return CONV_SIDE * CONV_SIDE * shape->channels; }

int64_t pfc_conv_inputs(const PfcConvShape* shape) {
  return (int64_t)shape->height * shape->width * shape->channels;
}

int64_t pfc_conv_outputs(const PfcConvShape* shape) {
  return (int64_t)conv_out_side(shape->height, shape->stride) * conv_out_side(shape->width, shape->stride) *
         shape->filters;
}

bool pfc_conv_init(PfcConv* conv, const PfcLinearInferKernels* kernels, const PfcConvShape* shape, const float* weight,
                   const float* bias) {
  *conv = (PfcConv){.shape = *shape,
                    .out_height = conv_out_side(shape->height, shape->stride),
                    .out_width = conv_out_side(shape->width, shape->stride)};
  return pfc_linear_infer_init(&conv->linear, kernels, conv_patch(shape), shape->filters, weight, bias, true);
}

void pfc_conv_free(PfcConv* conv) { pfc_linear_infer_free(&conv->linear); }

// Floats of the patches, in whole cache lines so that the products behind them are aligned.
static uint64_t conv_patches_size(const PfcConv* conv) {
  const uint64_t size = (uint64_t)CONV_PATCHES * (uint64_t)conv_patch(&conv->shape);
  return (size + CONV_LINE - 1) / CONV_LINE * CONV_LINE;
}

uint64_t pfc_conv_scratch(const PfcConv* conv) {
  return conv_patches_size(conv) + (uint64_t)CONV_PATCHES * (uint64_t)conv->linear.padded;
}

// The cells around output (i, j), zeros outside the image.
static void conv_copy_patch(const PfcConvShape* shape, const float* x, int32_t i, int32_t j, float* patch) {
  const int64_t channels = shape->channels, row_size = CONV_SIDE * channels;
  const int64_t left = (int64_t)j * shape->stride - 1;
  const int64_t first = PFC_MAX(left, (int64_t)0), end = PFC_MIN(left + CONV_SIDE, (int64_t)shape->width);
  for (int32_t a = 0; a < CONV_SIDE; ++a, patch += row_size) {
    const int64_t row = (int64_t)i * shape->stride + a - 1;
    const bool inside = row >= 0 && row < shape->height;
    if (!inside || end - first < CONV_SIDE) memset(patch, 0, sizeof(float) * (size_t)row_size);
    if (inside)
      memcpy(patch + (first - left) * channels, x + (row * shape->width + first) * channels,
             sizeof(float) * (size_t)((end - first) * channels));
  }
}

void pfc_conv_forward(const PfcConv* conv, const float* x, float* scratch, float* y) {
  const PfcConvShape* shape = &conv->shape;
  const int64_t patch = conv_patch(shape), filters = shape->filters, padded = conv->linear.padded;
  const int32_t outputs = conv->out_height * conv->out_width;
  float *patches = scratch, *products = scratch + conv_patches_size(conv);
  for (int32_t begin = 0; begin < outputs; begin += CONV_PATCHES) {
    const int32_t count = PFC_MIN(outputs - begin, (int32_t)CONV_PATCHES);
    for (int32_t k = 0; k < count; ++k) {
      const int32_t i = (begin + k) / conv->out_width, j = (begin + k) % conv->out_width;
      conv_copy_patch(shape, x, i, j, patches + k * patch);
    }
    pfc_linear_infer_forward(&conv->linear, patches, patch, count, products);
    for (int64_t k = 0; k < count; ++k)
      memcpy(y + (begin + k) * filters, products + k * padded, sizeof(float) * (size_t)filters);
  }
}
