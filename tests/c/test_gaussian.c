// test_gaussian.c - continuous actions: against Box-Muller in double precision and the normal distribution; the same
// draws for any split of a batch and on every machine; rows with NaN, extremes, invalid arguments.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/base.h"
#include "kernels/gaussian.h"
#include "kernels/uniform.h"

static const double kPi = 3.14159265358979323846;

static float* floats(PfcRng* rng, int64_t count, float low, float high) {
  float* x = malloc(sizeof *x * (size_t)count);
  for (int64_t i = 0; i < count; ++i) x[i] = pfc_rng_uniform(rng, low, high);
  return x;
}

typedef struct Batch {
  PfcGaussianSampleArgs args;
  float *outputs, *actions, *logprobs, *entropy;
} Batch;

static Batch make_batch(int64_t rows, int32_t dims, int32_t padding, uint64_t seed) {
  const int64_t stride = 2 * dims + padding;
  PfcRng rng;
  pfc_rng_seed(&rng, seed, 1);
  Batch b = {.outputs = floats(&rng, rows * stride, -2.0f, 2.0f)};
  b.actions = floats(&rng, rows * dims, 7.0f, 7.0f);
  b.logprobs = floats(&rng, rows, 7.0f, 7.0f);
  b.entropy = floats(&rng, rows, 7.0f, 7.0f);
  b.args = (PfcGaussianSampleArgs){.rows = rows,
                                   .dims = dims,
                                   .outputs = b.outputs,
                                   .outputs_stride = stride,
                                   .seed = seed,
                                   .step = 5,
                                   .actions = b.actions,
                                   .logprobs = b.logprobs,
                                   .entropy = b.entropy};
  return b;
}

static void free_batch(Batch* b) { free(b->outputs), free(b->actions), free(b->logprobs), free(b->entropy); }

static int64_t draw(const Batch* b, PfcWorkers* workers) {
  int64_t bad_rows = -1;
  CHECK(pfc_gaussian_sample(&b->args, workers, &bad_rows) == PFC_OK);
  return bad_rows;
}

static double normal_number(uint64_t seed, uint64_t step, uint64_t row, uint64_t dim) {
  const uint64_t bits = pfc_draw_bits(pfc_draw_key(seed, step), row, dim);
  const double a = ((double)(bits >> 41) + 0.5) / 8388608.0, b = ((double)(bits >> 18 & 0x7fffff) + 0.5) / 8388608.0;
  return sqrt(-2.0 * log(a)) * cos(2.0 * kPi * b);
}

static void check_row(const Batch* b, int64_t row) {
  const PfcGaussianSampleArgs* a = &b->args;
  const float* outputs = b->outputs + row * a->outputs_stride;
  double logprob = 0.0, entropy = 0.0;
  for (int32_t d = 0; d < a->dims; ++d) {
    const double mean = outputs[d], log_std = outputs[a->dims + d], std = exp(log_std);
    const double number = a->greedy ? 0.0 : normal_number(a->seed, a->step, a->first_row + (uint64_t)row, (uint64_t)d);
    const double action = (double)b->actions[row * a->dims + d], z = (action - mean) / std;
    CHECK(fabs(action - (mean + std * number)) < 4e-6 * (1.0 + std));
    logprob += -0.5 * z * z - log_std - 0.5 * log(2.0 * kPi);
    entropy += log_std + 0.5 * log(2.0 * kPi * exp(1.0));
  }
  CHECK(fabs(logprob - (double)b->logprobs[row]) < 2e-5 * (1.0 + fabs(logprob)));
  CHECK(fabs(entropy - (double)b->entropy[row]) < 2e-6 * (1.0 + fabs(entropy)));
}

static void test_draws(void) {
  const struct {
    int64_t rows;
    int32_t dims, padding;
  } cases[] = {{1, 1, 0}, {33, 1, 1}, {1027, 2, 1}, {64, 8, 3}, {515, 3, 0}};
  for (size_t c = 0; c < sizeof cases / sizeof cases[0]; ++c)
    for (int greedy = 0; greedy <= 1; ++greedy) {
      Batch b = make_batch(cases[c].rows, cases[c].dims, cases[c].padding, c);
      b.args.greedy = greedy, b.args.first_row = 1000;
      CHECK(draw(&b, NULL) == 0);
      for (int64_t row = 0; row < b.args.rows; ++row) check_row(&b, row);
      free_batch(&b);
    }
}

static int compare(const void* a, const void* b) {
  const float x = *(const float*)a, y = *(const float*)b;
  return (x > y) - (x < y);
}

// Kolmogorov-Smirnov distance from the normal distribution, four moments, and correlation of neighbours. Each bound is
// exceeded about once in a million seeds; the seed is fixed.
static void test_distribution(void) {
  enum { ROWS = 1 << 16, DIMS = 2, COUNT = ROWS * DIMS };
  Batch b = make_batch(ROWS, DIMS, 0, 17);
  memset(b.outputs, 0, sizeof(float) * ROWS * 2 * DIMS);
  CHECK(draw(&b, NULL) == 0);
  double sum = 0, squares = 0, cubes = 0, fourths = 0, dimensions = 0, rows = 0, distance = 0;
  for (int i = 0; i < COUNT; ++i) {
    const double x = b.actions[i];
    sum += x, squares += x * x, cubes += x * x * x, fourths += x * x * x * x;
    if (i % 2) dimensions += x * (double)b.actions[i - 1];
    if (i >= 2) rows += x * (double)b.actions[i - 2];
  }
  const double n = COUNT, root = sqrt(n);
  CHECK(fabs(sum / n) < 5.0 / root && fabs(squares / n - 1.0) < 5.0 * sqrt(2.0) / root);
  CHECK(fabs(cubes / n) < 5.0 * sqrt(15.0) / root && fabs(fourths / n - 3.0) < 5.0 * sqrt(96.0) / root);
  CHECK(fabs(dimensions / (n / 2.0)) < 5.0 / sqrt(n / 2.0) && fabs(rows / n) < 5.0 / root);
  qsort(b.actions, COUNT, sizeof(float), compare);
  for (int i = 0; i < COUNT; ++i) {
    const double below = 0.5 * erfc(-(double)b.actions[i] / sqrt(2.0));
    distance = fmax(distance, fmax(below - i / n, (i + 1) / n - below));
  }
  CHECK(distance < 2.7 / root);
  free_batch(&b);
}

// A row draws the same numbers for any split of the batch and any number of workers.
static void test_same_draws(void) {
  Batch whole = make_batch(1500, 2, 0, 3);
  CHECK(draw(&whole, NULL) == 0);
  for (int32_t threads = 1; threads <= 7; threads += 3) {
    PfcWorkers* workers = pfc_workers_create(threads, 1);
    Batch same = make_batch(1500, 2, 0, 3);
    CHECK(draw(&same, workers) == 0);
    CHECK(memcmp(same.actions, whole.actions, sizeof(float) * 3000) == 0);
    CHECK(memcmp(same.logprobs, whole.logprobs, sizeof(float) * 1500) == 0);
    CHECK(memcmp(same.entropy, whole.entropy, sizeof(float) * 1500) == 0);
    free_batch(&same), pfc_workers_destroy(workers);
  }
  Batch part = make_batch(1500, 2, 0, 3);
  part.args.rows = 700, part.args.first_row = 123, part.args.outputs += 123 * 4;
  part.args.entropy = NULL;
  CHECK(draw(&part, NULL) == 0);
  CHECK(memcmp(part.actions, whole.actions + 123 * 2, sizeof(float) * 1400) == 0);
  CHECK(memcmp(part.logprobs, whole.logprobs + 123, sizeof(float) * 700) == 0);
  CHECK(part.actions[1400] == 7.0f && part.entropy[0] == 7.0f);
  part.args.step += 1, part.args.logprobs = NULL;
  CHECK(draw(&part, NULL) == 0 && memcmp(part.actions, whole.actions + 246, sizeof(float) * 1400) != 0);
  free_batch(&part), free_batch(&whole);
}

static void test_damaged_rows(void) {
  const float damage[] = {NAN, INFINITY, -INFINITY};
  for (int greedy = 0; greedy <= 1; ++greedy)
    for (int kind = 0; kind < 3; ++kind) {
      Batch b = make_batch(700, 2, 1, 4);
      b.args.greedy = greedy;
      for (int32_t k = 0; k < 4; ++k) b.outputs[(10 + k) * 5 + k] = damage[kind];
      b.outputs[650 * 5 + 2] = damage[kind], b.outputs[650 * 5 + 0] = damage[kind];
      b.outputs[651 * 5 + 4] = damage[kind];  // the padding
      CHECK(draw(&b, NULL) == 5);
      for (int64_t row = 0; row < 700; ++row) {
        const bool damaged = (row >= 10 && row <= 13) || row == 650;
        CHECK(isnan(b.logprobs[row]) == damaged && isnan(b.entropy[row]) == damaged);
        CHECK((b.actions[row * 2] == 0.0f && b.actions[row * 2 + 1] == 0.0f) == damaged);
      }
      free_batch(&b);
    }
}

// log_std is clamped to its limits; the largest floats stay finite.
static void test_extreme_draws(void) {
  Batch b = make_batch(4, 1, 0, 5);
  const float outputs[] = {1.0f, -PFC_MAX_LOG_STD, 1.0f, -3e38f, 3.4e38f, PFC_MAX_LOG_STD, 3.4e38f, 1e30f};
  memcpy(b.outputs, outputs, sizeof outputs);
  CHECK(draw(&b, NULL) == 0);
  CHECK(b.actions[0] == 1.0f && b.actions[1] == 1.0f && b.entropy[0] == b.entropy[1]);
  for (int row = 0; row < 4; ++row) CHECK(isfinite(b.actions[row]) && isfinite(b.logprobs[row]));
  CHECK(b.entropy[2] == b.entropy[3] && b.entropy[2] > 21.0f);
  free_batch(&b);
}

// Every compiler, machine and instruction set must give the same bits.
static void test_golden(void) {
  Batch b = make_batch(1000, 3, 0, 2024);
  CHECK(draw(&b, NULL) == 0);
  CHECK(pfc_checksum(b.actions, 3000 * sizeof(float)) == 0x045f7193e5a090a1ull);
  CHECK(pfc_checksum(b.logprobs, 1000 * sizeof(float)) == 0xe6dd028041446115ull);
  free_batch(&b);
}

static void test_refused(void) {
  Batch b = make_batch(4, 2, 0, 1);
#define REFUSED(field, value, name)                               \
  do {                                                            \
    PfcGaussianSampleArgs args = b.args;                          \
    args.field = (value);                                         \
    CHECK(pfc_gaussian_sample(&args, NULL, NULL) == PFC_INVALID); \
    CHECK(strncmp(pfc_last_error(), name, strlen(name)) == 0);    \
  } while (0)
  REFUSED(rows, 0, "rows:");
  REFUSED(rows, INT64_MAX, "rows:");
  REFUSED(dims, 0, "dims:");
  REFUSED(dims, 9, "dims:");
  REFUSED(outputs, NULL, "outputs:");
  REFUSED(outputs_stride, 3, "outputs_stride:");
  REFUSED(actions, NULL, "actions:");
#undef REFUSED
  free_batch(&b);
}

int main(void) {
  test_draws();
  test_distribution();
  test_same_draws();
  test_damaged_rows();
  test_extreme_draws();
  test_golden();
  test_refused();
  return check_report();
}
