// test_policy_sets.c - policies with sets of entities: outputs against plain loops, absent entities and empty sets,
// sets behind codes by row, and files with an invalid layer of this kind.
#include "check.h"
#include "policy_writer.h"

enum {
  INPUTS = 30, SETS = 2, OUTPUTS = 4, ROWS = 150,
  PLAIN = 30 - 12 - 10, FEATURES = PLAIN + 5 + 40,
  NUMBERS = 5 * (3 + 1 + 5 + 1) + 40 * (2 + 1 + 40 + 1)
};

typedef struct Set {
  uint32_t first, count, each, width;
} Set;

// The fields of the layer's head and its sets; a test may spoil each.
typedef struct Layer {
  uint32_t sets, outputs;
  Set set[SETS];
  uint64_t bytes;
} Layer;

static const Layer sound = {SETS, FEATURES, {{4, 12, 3, 5}, {18, 10, 2, 40}}, 16 * SETS + (NUMBERS + 1) / 2 * 8};

static void add_layers(File* file, uint32_t more) {
  uint32_t layers;
  memcpy(&layers, file->data + 12, sizeof layers);
  layers += more;
  memcpy(file->data + 12, &layers, sizeof layers);
}

// Copies the numbers of the sets and of the linear layer behind them. With `codes`, a layer before them takes every
// value as it is.
static File write_sets(const Layer* layer, bool codes, float* numbers, float* linear) {
  const Net head = {"mine", PFC_FLOAT32, 1, {3}, 0, 0, 0, {INPUTS}, {0}, 0};
  File file = write_policy(&head, 1);
  add_layers(&file, codes ? 3 : 2);
  if (codes) {
    put_u32(&file, 8), put_u32(&file, 1), put_u32(&file, INPUTS), put_u32(&file, INPUTS), put_u64(&file, 16);
    put_u32(&file, INPUTS), put_u32(&file, 0), put_u32(&file, 0), put_u32(&file, 1);
  }
  put_u32(&file, 7), put_u32(&file, layer->sets), put_u32(&file, INPUTS), put_u32(&file, layer->outputs);
  put_u64(&file, layer->bytes);
  put(&file, layer->set, sizeof layer->set);
  PfcRng rng;
  pfc_rng_seed(&rng, 5, 0);
  uint64_t start = file.bytes;
  put_random(&file, &rng, NUMBERS, -0.4f, 0.4f);
  if (numbers) memcpy(numbers, file.data + start, sizeof(float) * NUMBERS);
  pad8(&file);
  start = file.bytes + 24;
  const Net last = {"mine", PFC_FLOAT32, 1, {3}, 0, 0, 1, {FEATURES, OUTPUTS}, {0}, 0};
  put_layer(&file, &rng, &last, 0);
  if (linear) memcpy(linear, file.data + start, sizeof(float) * (FEATURES + 1) * OUTPUTS);
  seal(&file);
  return file;
}

// weight [outs, ins] and then the biases.
static void apply(const float* numbers, uint32_t outs, uint32_t ins, const double* x, double* y) {
  for (uint32_t j = 0; j < outs; ++j) {
    y[j] = (double)numbers[outs * ins + j];
    for (uint32_t k = 0; k < ins; ++k) y[j] += (double)numbers[j * ins + k] * x[k];
  }
}

// The features of a set. Returns the numbers of the next one.
static const float* pool(const Set* set, const float* numbers, const float* x, double* features) {
  const float* second = numbers + set->width * (set->each + 1);
  for (uint32_t j = 0; j < set->width; ++j) features[j] = 0;
  for (uint32_t e = 0; e < set->count; e += set->each) {
    double values[3], hidden[40], y[40];
    if (x[set->first + e] == 0.0f) continue;
    for (uint32_t k = 0; k < set->each; ++k) values[k] = (double)x[set->first + e + k];
    apply(numbers, set->width, set->each, values, hidden);
    for (uint32_t j = 0; j < set->width; ++j) hidden[j] = fmax(hidden[j], 0);
    apply(second, set->width, set->width, hidden, y);
    for (uint32_t j = 0; j < set->width; ++j) features[j] = fmax(features[j], y[j]);
  }
  return second + set->width * (set->width + 1);
}

static void check_row(const float* numbers, const float* linear, const float* x, const float* outputs) {
  double features[FEATURES], y[OUTPUTS];
  int32_t count = 0;
  for (int32_t i = 0; i < INPUTS; ++i)
    if (i < 4 || (i >= 16 && i < 18) || i >= 28) features[count++] = (double)x[i];
  CHECK(count == PLAIN);
  numbers = pool(&sound.set[0], numbers, x, features + PLAIN);
  pool(&sound.set[1], numbers, x, features + PLAIN + 5);
  apply(linear, OUTPUTS, FEATURES, features, y);
  for (int32_t o = 0; o < OUTPUTS; ++o) CHECK(fabs((double)outputs[o] - y[o]) < 1e-5);
}

static void test_outputs(bool codes) {
  static float x[ROWS][INPUTS], outputs[ROWS][OUTPUTS], one[OUTPUTS];
  static float numbers[NUMBERS], linear[(FEATURES + 1) * OUTPUTS];
  File file = write_sets(&sound, codes, numbers, linear);
  PfcPolicy* policy = pfc_policy_parse(file.data, file.bytes, NULL);
  if (!CHECK(policy != NULL)) return;
  CHECK(pfc_policy_info(policy)->num_weights == NUMBERS + (FEATURES + 1) * OUTPUTS);
  PfcRng rng;
  pfc_rng_seed(&rng, 6, 0);
  for (int i = 0; i < ROWS * INPUTS; ++i) (&x[0][0])[i] = pfc_rng_uniform(&rng, -1.0f, 1.0f);
  for (int row = 0; row < ROWS; ++row)
    for (uint32_t s = 0; s < SETS; ++s)
      for (uint32_t e = 0; e < sound.set[s].count; e += sound.set[s].each)
        if (row % 4 == 0 || pfc_rng_below(&rng, 2)) x[row][sound.set[s].first + e] = 0.0f;
  CHECK(pfc_policy_forward(policy, x, ROWS, NULL, &outputs[0][0]) == PFC_OK);
  for (int row = 0; row < ROWS; ++row) check_row(numbers, linear, x[row], outputs[row]);
  CHECK(pfc_policy_forward(policy, x[7], 1, NULL, one) == PFC_OK && memcmp(one, outputs[7], sizeof one) == 0);
  pfc_policy_destroy(policy);
  file_free(&file);
}

static void test_refused(Layer layer, const char* why) {
  File file = write_sets(&layer, false, NULL, NULL);
  check_first_layer_refused(file, why);
}

int main(void) {
  Layer l = sound;
  test_outputs(false);
  test_outputs(true);
  l.sets = 0, test_refused(l, "the number of sets is 0"), l = sound;
  l.sets = INPUTS + 1, test_refused(l, "the number of sets is 31"), l = sound;
  l.set[0].first = UINT32_MAX, test_refused(l, "set 0 (first -1, count 12, each 3, width 5)"), l = sound;
  l.set[0].first = 7, test_refused(l, "set 1"), l = sound;  // overlap
  l.set[1].first = 21, test_refused(l, "ends beyond the 30 inputs"), l = sound;
  l.set[1].first = INT32_MAX, test_refused(l, "set 1"), l = sound;
  l.set[0].count = 11, test_refused(l, "set 0"), l = sound;
  l.set[0].count = 0, test_refused(l, "set 0"), l = sound;
  l.set[0].each = 0, test_refused(l, "set 0"), l = sound;
  l.set[1].width = 0, test_refused(l, "set 1"), l = sound;
  l.set[1].width = 16385, test_refused(l, "width 16385"), l = sound;
  l.set[1].width = 41, test_refused(l, "the number of outputs is 53, expected 54"), l = sound;
  l.outputs = FEATURES - 1, test_refused(l, "the number of outputs is 52, expected 53"), l = sound;
  l.bytes += 8, test_refused(l, "the size in bytes"), l = sound;
  return check_report();
}
