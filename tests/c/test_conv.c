// test_conv.c - convolutions for inference against plain loops in double precision, with every instruction set of this
// processor: odd sizes, strides, borders, ReLU, NaN.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/base.h"
#include "networks/conv.h"
#include "pufferc/rng.h"

static float* random_floats(PfcRng* rng, int64_t count) {
  float* x = pfc_alloc(sizeof *x * (uint64_t)count);
  for (int64_t i = 0; i < count; ++i) x[i] = pfc_rng_uniform(rng, -1.0f, 1.0f);
  return x;
}

static double reference(const PfcConvShape* s, const float* weight, float bias, const float* x, int32_t i, int32_t j) {
  double sum = (double)bias;
  for (int32_t a = 0; a < 3; ++a)
    for (int32_t b = 0; b < 3; ++b) {
      const int32_t row = i * s->stride + a - 1, column = j * s->stride + b - 1;
      if (row < 0 || row >= s->height || column < 0 || column >= s->width) continue;
      for (int32_t c = 0; c < s->channels; ++c)
        sum += (double)weight[(a * 3 + b) * s->channels + c] *
               (double)x[((int64_t)row * s->width + column) * s->channels + c];
    }
  return sum < 0 ? 0 : sum;
}

static void check_outputs(const PfcConvShape* s, const float* weight, const float* bias, const float* x,
                          const float* y) {
  const int32_t height = (s->height + s->stride - 1) / s->stride, width = (s->width + s->stride - 1) / s->stride;
  CHECK(pfc_conv_outputs(s) == (int64_t)height * width * s->filters);
  double error = 0;
  for (int32_t i = 0; i < height; ++i)
    for (int32_t j = 0; j < width; ++j)
      for (int32_t f = 0; f < s->filters; ++f) {
        const double expected = reference(s, weight + (int64_t)f * 9 * s->channels, bias[f], x, i, j);
        error = fmax(error, fabs((double)y[((int64_t)i * width + j) * s->filters + f] - expected));
      }
  CHECK(error < 1e-4);
}

static void test_against_loops(PfcConvShape s) {
  PfcRng rng;
  pfc_rng_seed(&rng, (uint64_t)(s.height * 100 + s.channels), (uint64_t)s.filters);
  float* weight = random_floats(&rng, 9 * (int64_t)s.channels * s.filters);
  float* bias = random_floats(&rng, s.filters);
  float* x = random_floats(&rng, pfc_conv_inputs(&s));
  float* y = random_floats(&rng, pfc_conv_outputs(&s));
  const PfcLinearInferKernels* kernels;
  for (int32_t k = 0; (kernels = pfc_linear_infer_kernels(k)) != NULL; ++k) {
    PfcConv conv;
    if (!CHECK(pfc_conv_init(&conv, kernels, &s, weight, bias))) return;
    float* scratch = pfc_alloc(sizeof(float) * pfc_conv_scratch(&conv));
    memset(scratch, 0xff, sizeof(float) * pfc_conv_scratch(&conv));  // NaN
    memset(y, 0xff, sizeof(float) * (size_t)pfc_conv_outputs(&s));
    pfc_conv_forward(&conv, x, scratch, y);
    check_outputs(&s, weight, bias, x, y);
    pfc_free(scratch);
    pfc_conv_free(&conv);
  }
  pfc_free(weight), pfc_free(bias), pfc_free(x), pfc_free(y);
}

// A cell that is NaN reaches the outputs that see it and no others.
static void test_nan_reaches_its_neighbours(void) {
  const PfcConvShape s = {5, 6, 2, 3, 1};
  float weight[3 * 9 * 2], bias[3] = {0}, x[5 * 6 * 2] = {0}, y[5 * 6 * 3];
  for (size_t i = 0; i < sizeof weight / sizeof weight[0]; ++i) weight[i] = 1.0f;
  x[(1 * 6 + 4) * 2 + 1] = NAN;
  PfcConv conv;
  if (!CHECK(pfc_conv_init(&conv, pfc_linear_infer_kernels(0), &s, weight, bias))) return;
  float* scratch = pfc_alloc(sizeof(float) * pfc_conv_scratch(&conv));
  pfc_conv_forward(&conv, x, scratch, y);
  for (int32_t i = 0; i < 5; ++i)
    for (int32_t j = 0; j < 6; ++j)
      for (int32_t f = 0; f < 3; ++f) {
        const float value = y[(i * 6 + j) * 3 + f];
        CHECK(i <= 2 && j >= 3 ? isnan(value) : value == 0.0f);
      }
  pfc_free(scratch);
  pfc_conv_free(&conv);
}

int main(void) {
  test_against_loops((PfcConvShape){1, 1, 1, 1, 1});
  test_against_loops((PfcConvShape){1, 9, 3, 16, 2});
  test_against_loops((PfcConvShape){2, 1, 5, 17, 1});
  test_against_loops((PfcConvShape){11, 11, 77, 16, 1});
  test_against_loops((PfcConvShape){11, 11, 16, 32, 2});
  test_against_loops((PfcConvShape){8, 6, 2, 70, 2});
  test_against_loops((PfcConvShape){7, 10, 1, 3, 4});
  test_nan_reaches_its_neighbours();
  return check_report();
}
