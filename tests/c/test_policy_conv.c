// test_policy_conv.c - policies with a convolution: outputs against plain loops, inputs that pass through beside the
// image, and files with an invalid layer of this kind.
#include "check.h"
#include "policy_writer.h"

enum {
  HEIGHT = 3, WIDTH = 4, CHANNELS = 2, STRIDE = 2, FILTERS = 5, BESIDE = 3,
  IMAGE = HEIGHT * WIDTH * CHANNELS, INPUTS = IMAGE + BESIDE,
  OUT_HEIGHT = 2, OUT_WIDTH = 2, FEATURES = OUT_HEIGHT * OUT_WIDTH * FILTERS + BESIDE,
  WEIGHTS = FILTERS * 9 * CHANNELS, OUTPUTS = 4, ROWS = 150
};

// The fields of the layer's head and its shape; a test may spoil each.
typedef struct Layer {
  uint32_t filters, outputs, height, width, channels, stride;
  uint64_t bytes;
} Layer;

static const Layer sound = {FILTERS, FEATURES, HEIGHT, WIDTH, CHANNELS, STRIDE, 16 + (WEIGHTS + FILTERS + 1) / 2 * 8};

// Copies the numbers of the convolution and of the linear layer behind it.
static File write_conv(const Layer* layer, float* filters, float* linear) {
  const Net head = {"mine", PFC_FLOAT32, 1, {3}, 0, 0, 0, {INPUTS}, {0}, 0};
  File file = write_policy(&head, 1);
  const uint32_t layers = 2;
  memcpy(file.data + 12, &layers, sizeof layers);
  put_u32(&file, 6), put_u32(&file, layer->filters), put_u32(&file, INPUTS), put_u32(&file, layer->outputs);
  put_u64(&file, layer->bytes);
  put_u32(&file, layer->height), put_u32(&file, layer->width), put_u32(&file, layer->channels);
  put_u32(&file, layer->stride);
  PfcRng rng;
  pfc_rng_seed(&rng, 5, 0);
  uint64_t start = file.bytes;
  put_random(&file, &rng, WEIGHTS + FILTERS, -0.4f, 0.4f);
  if (filters) memcpy(filters, file.data + start, sizeof(float) * (WEIGHTS + FILTERS));
  pad8(&file);
  start = file.bytes + 24;
  const Net last = {"mine", PFC_FLOAT32, 1, {3}, 0, 0, 1, {FEATURES, OUTPUTS}, {0}, 0};
  put_layer(&file, &rng, &last, 0);
  if (linear) memcpy(linear, file.data + start, sizeof(float) * (FEATURES + 1) * OUTPUTS);
  seal(&file);
  return file;
}

static double feature(const float* filters, const float* x, int i, int j, int f) {
  double sum = (double)filters[WEIGHTS + f];
  for (int a = 0; a < 3; ++a)
    for (int b = 0; b < 3; ++b) {
      const int row = i * STRIDE + a - 1, column = j * STRIDE + b - 1;
      if (row < 0 || row >= HEIGHT || column < 0 || column >= WIDTH) continue;
      for (int c = 0; c < CHANNELS; ++c)
        sum += (double)filters[((f * 3 + a) * 3 + b) * CHANNELS + c] * (double)x[(row * WIDTH + column) * CHANNELS + c];
    }
  return fmax(sum, 0);
}

static void check_row(const float* filters, const float* linear, const float* x, const float* outputs) {
  double features[FEATURES];
  for (int i = 0; i < OUT_HEIGHT; ++i)
    for (int j = 0; j < OUT_WIDTH; ++j)
      for (int f = 0; f < FILTERS; ++f) features[(i * OUT_WIDTH + j) * FILTERS + f] = feature(filters, x, i, j, f);
  for (int k = 0; k < BESIDE; ++k) features[FEATURES - BESIDE + k] = (double)x[IMAGE + k];
  for (int o = 0; o < OUTPUTS; ++o) {
    double y = (double)linear[FEATURES * OUTPUTS + o];
    for (int k = 0; k < FEATURES; ++k) y += features[k] * (double)linear[o * FEATURES + k];
    CHECK(fabs((double)outputs[o] - y) < 1e-5);
  }
}

static void test_outputs(void) {
  static float x[ROWS][INPUTS], outputs[ROWS][OUTPUTS];
  float filters[WEIGHTS + FILTERS], linear[(FEATURES + 1) * OUTPUTS];
  File file = write_conv(&sound, filters, linear);
  PfcPolicy* policy = pfc_policy_parse(file.data, file.bytes, NULL);
  if (!CHECK(policy != NULL)) return;
  CHECK(pfc_policy_info(policy)->num_weights == WEIGHTS + FILTERS + (FEATURES + 1) * OUTPUTS);
  PfcRng rng;
  pfc_rng_seed(&rng, 6, 0);
  for (int i = 0; i < ROWS * INPUTS; ++i) (&x[0][0])[i] = pfc_rng_uniform(&rng, -1.0f, 1.0f);
  CHECK(pfc_policy_forward(policy, x, ROWS, NULL, &outputs[0][0]) == PFC_OK);
  for (int row = 0; row < ROWS; ++row) check_row(filters, linear, x[row], outputs[row]);
  pfc_policy_destroy(policy);
  file_free(&file);
}

static void test_refused(Layer layer, const char* why) {
  File file = write_conv(&layer, NULL, NULL);
  check_first_layer_refused(file, why);
}

int main(void) {
  Layer l = sound;
  test_outputs();
  l.height = 0, test_refused(l, "number 0 of its shape (height, width, channels, stride) is 0"), l = sound;
  l.width = 65537, test_refused(l, "number 1 of its shape"), l = sound;
  l.width = 65536, l.height = 65536, test_refused(l, "number 0 of its shape"), l = sound;
  l.channels = 3, test_refused(l, "number 2 of its shape"), l = sound;
  l.stride = 0, test_refused(l, "number 3 of its shape"), l = sound;
  l.stride = 1, test_refused(l, "the number of outputs is 23, expected 63"), l = sound;
  l.filters = 0, test_refused(l, "the number of filters is 0"), l = sound;
  l.filters = 6, test_refused(l, "the number of outputs is 23, expected 27"), l = sound;
  l.outputs = 24, test_refused(l, "the number of outputs is 24, expected 23"), l = sound;
  l.bytes += 8, test_refused(l, "the size in bytes"), l = sound;
  return check_report();
}
