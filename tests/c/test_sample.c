// test_sample.c - drawn actions against a plain double-precision softmax and their probabilities, the uniform numbers,
// equal draws however a batch is cut and on every machine, masked choices, damaged rows, and refused arguments.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"
#include "check.h"
#include "kernels/sample.h"

enum { MAX_CHOICES = 1024 };

typedef struct Batch {
  PfcSampleArgs args;
  int32_t counts[PFC_MAX_ACTION_DIMS];
  int32_t choices;
  float *logits, *logprobs, *entropy;
  int32_t* actions;
} Batch;

// args.action_counts is set by draw(), because a Batch is returned by value.
static Batch make_batch(int64_t rows, const int32_t* counts, int32_t dims, int32_t padding, float spread,
                        uint64_t seed) {
  Batch b = {.args = {.rows = rows, .dims = dims, .seed = seed, .step = 5}};
  for (int32_t d = 0; d < dims; ++d) b.choices += b.counts[d] = counts[d];
  const int64_t stride = b.choices + padding;
  PfcRng rng;
  pfc_rng_seed(&rng, seed, 1);
  b.logits = malloc(sizeof(float) * (size_t)(rows * stride));
  for (int64_t i = 0; i < rows * stride; ++i)
    b.logits[i] = i % stride < b.choices ? pfc_rng_uniform(&rng, -spread, spread) : NAN;
  b.args.logits = b.logits, b.args.logits_stride = stride;
  b.args.actions = b.actions = malloc(sizeof(int32_t) * (size_t)(rows * dims));
  b.args.logprobs = b.logprobs = malloc(sizeof(float) * (size_t)rows);
  b.args.entropy = b.entropy = malloc(sizeof(float) * (size_t)rows);
  return b;
}

static void free_batch(Batch* b) { free(b->logits), free(b->actions), free(b->logprobs), free(b->entropy); }

static int64_t draw(Batch* b, PfcWorkers* workers) {
  int64_t bad_rows = -1;
  b->args.action_counts = b->counts;
  CHECK(pfc_sample(&b->args, workers, &bad_rows) == PFC_OK);
  return bad_rows;
}

// Probabilities of one head in double precision.
static void softmax(const float* logits, int32_t count, double* p) {
  double largest = -INFINITY, total = 0.0;
  for (int32_t k = 0; k < count; ++k) largest = fmax(largest, logits[k]);
  for (int32_t k = 0; k < count; ++k) total += p[k] = exp(logits[k] - largest);
  for (int32_t k = 0; k < count; ++k) p[k] /= total;
}

// The action is the one that u selects, up to rounding at the boundaries of its interval.
static bool selects(const double* p, int32_t count, int32_t action, double u) {
  double below = 0.0;
  for (int32_t k = 0; k < action; ++k) below += p[k];
  const double tolerance = 2e-6;
  return action >= 0 && action < count && u >= below - tolerance && u <= below + p[action] + tolerance;
}

static void check_row(const Batch* b, int64_t row, const float* uniforms) {
  double p[MAX_CHOICES], logprob = 0.0, entropy = 0.0;
  const float* logits = b->logits + row * b->args.logits_stride;
  bool fits = true;
  for (int32_t d = 0; d < b->args.dims; ++d) {
    const int32_t count = b->counts[d], action = b->actions[row * b->args.dims + d];
    softmax(logits, count, p);
    if (b->args.greedy)
      for (int32_t k = 0; k < count; ++k) fits &= k < action ? logits[k] < logits[action] : logits[k] <= logits[action];
    else
      fits &= selects(p, count, action, (double)uniforms[row * b->args.dims + d]);
    if (!CHECK(fits)) return;
    logprob += log(p[action]);
    for (int32_t k = 0; k < count; ++k) entropy -= p[k] > 0.0 ? p[k] * log(p[k]) : 0.0;
    logits += count;
  }
  CHECK(fabs(logprob - (double)b->logprobs[row]) < 2e-6 * (1.0 + fabs(logprob)));
  CHECK(fabs(entropy - (double)b->entropy[row]) < 3e-6 * (1.0 + entropy));
}

static void test_rows(const int32_t* counts, int32_t dims, int64_t rows, int32_t padding, float spread, int greedy) {
  Batch b = make_batch(rows, counts, dims, padding, spread, (uint64_t)(rows + dims));
  float* uniforms = malloc(sizeof(float) * (size_t)(rows * dims));
  b.args.first_row = 1000, b.args.greedy = greedy;
  CHECK(pfc_sample_uniforms(b.args.seed, b.args.step, 1000, rows, dims, uniforms) == PFC_OK);
  CHECK(draw(&b, NULL) == 0);
  for (int64_t row = 0; row < rows; ++row) check_row(&b, row, uniforms);
  free(uniforms), free_batch(&b);
}

static void test_parity(void) {
  static const int32_t one[] = {1}, three[] = {3}, four[] = {4}, many[] = {18}, all[] = {1024};
  static const int32_t several[] = {3, 1, 5, 2}, eight[] = {2, 2, 3, 3, 4, 4, 5, 128};
  for (int greedy = 0; greedy <= 1; ++greedy) {
    test_rows(one, 1, 33, 0, 3.0f, greedy);
    test_rows(three, 1, 1, 0, 3.0f, greedy);
    test_rows(three, 1, 1027, 1, 3.0f, greedy);
    test_rows(four, 1, 31, 7, 20.0f, greedy);
    test_rows(many, 1, 512, 0, 2.0f, greedy);
    test_rows(all, 1, 65, 3, 1.0f, greedy);
    test_rows(several, 4, 515, 1, 3.0f, greedy);
    test_rows(eight, 8, 64, 0, 3.0f, greedy);
  }
}

// Pearson's statistic of one distribution over many draws: 3 degrees of freedom, 27.9 is exceeded once in 250,000.
static void test_frequencies(void) {
  enum { ROWS = 1 << 17, COUNT = 4 };
  const int32_t counts[] = {COUNT};
  Batch b = make_batch(ROWS, counts, 1, 0, 1.0f, 11);
  const float logits[COUNT] = {0.3f, -1.0f, 1.2f, -2.0f};
  for (int64_t row = 0; row < ROWS; ++row) memcpy(b.logits + row * COUNT, logits, sizeof logits);
  CHECK(draw(&b, NULL) == 0);
  double p[COUNT], seen[COUNT] = {0}, statistic = 0.0;
  softmax(logits, COUNT, p);
  for (int64_t row = 0; row < ROWS; ++row) seen[b.actions[row]] += 1.0;
  for (int k = 0; k < COUNT; ++k) statistic += (seen[k] - ROWS * p[k]) * (seen[k] - ROWS * p[k]) / (ROWS * p[k]);
  CHECK(statistic < 27.9);
  free_batch(&b);
}

static void test_uniforms(void) {
  enum { ROWS = 4096, DIMS = 3 };
  static float u[ROWS * DIMS], part[DIMS], other[ROWS * DIMS];
  double sum = 0.0, squares = 0.0, neighbours = 0.0;
  CHECK(pfc_sample_uniforms(1, 2, 0, ROWS, DIMS, u) == PFC_OK);
  for (int i = 0; i < ROWS * DIMS; ++i) {
    CHECK(u[i] > 0.0f && u[i] < 1.0f);
    sum += u[i], squares += (u[i] - 0.5) * (u[i] - 0.5);
    if (i > 0) neighbours += (u[i] - 0.5) * (u[i - 1] - 0.5);
  }
  const double n = ROWS * DIMS;  // each bound is five standard deviations
  CHECK(fabs(sum / n - 0.5) < 5.0 * sqrt(1.0 / 12.0 / n));
  CHECK(fabs(squares / n - 1.0 / 12.0) < 5.0 * sqrt(1.0 / 180.0 / n));
  CHECK(fabs(neighbours / n) < 5.0 / 12.0 / sqrt(n));
  CHECK(pfc_sample_uniforms(1, 2, 77, 1, DIMS, part) == PFC_OK && memcmp(part, u + 77 * DIMS, sizeof part) == 0);
  CHECK(pfc_sample_uniforms(1, 3, 0, ROWS, DIMS, other) == PFC_OK && memcmp(other, u, sizeof u) != 0);
  CHECK(pfc_sample_uniforms(2, 2, 0, ROWS, DIMS, other) == PFC_OK && memcmp(other, u, sizeof u) != 0);
  // Numbers worked out from the formula in sample.h with integer arithmetic of another language.
  CHECK(u[0] == 4318201.0f / 16777216.0f && u[1] == 8702885.0f / 16777216.0f);
  CHECK(u[77 * DIMS + 2] == 13986833.0f / 16777216.0f);
}

// However the batch is cut and whoever works on it, a row draws the same.
static void test_same_draws(void) {
  const int32_t counts[] = {4, 3};
  Batch whole = make_batch(1500, counts, 2, 0, 2.0f, 3);
  CHECK(draw(&whole, NULL) == 0);
  for (int32_t threads = 1; threads <= 7; threads += 3) {
    PfcWorkers* workers = pfc_workers_create(threads, 1);
    Batch same = make_batch(1500, counts, 2, 0, 2.0f, 3);
    CHECK(draw(&same, workers) == 0);
    CHECK(memcmp(same.actions, whole.actions, sizeof(int32_t) * 3000) == 0);
    CHECK(memcmp(same.logprobs, whole.logprobs, sizeof(float) * 1500) == 0);
    CHECK(memcmp(same.entropy, whole.entropy, sizeof(float) * 1500) == 0);
    free_batch(&same), pfc_workers_destroy(workers);
  }
  Batch part = make_batch(1500, counts, 2, 0, 2.0f, 3);
  part.args.rows = 700, part.args.first_row = 123;
  part.args.logits += 123 * 7;
  CHECK(draw(&part, NULL) == 0);
  CHECK(memcmp(part.actions, whole.actions + 123 * 2, sizeof(int32_t) * 1400) == 0);
  CHECK(memcmp(part.logprobs, whole.logprobs + 123, sizeof(float) * 700) == 0);
  part.args.logprobs = part.args.entropy = NULL;
  CHECK(draw(&part, NULL) == 0 && memcmp(part.actions, whole.actions + 246, sizeof(int32_t) * 1400) == 0);
  part.args.step += 1;
  CHECK(draw(&part, NULL) == 0 && memcmp(part.actions, whole.actions + 246, sizeof(int32_t) * 1400) != 0);
  free_batch(&part), free_batch(&whole);
}

static void test_masked(void) {
  enum { ROWS = 1 << 16, COUNT = 6 };
  const int32_t counts[] = {COUNT};
  Batch b = make_batch(ROWS, counts, 1, 0, 4.0f, 21);
  for (int64_t row = 0; row < ROWS; ++row)
    for (int k = 0; k < COUNT; ++k)
      if ((row % 63 + 1) >> k & 1) b.logits[row * COUNT + k] = -INFINITY;  // every mask but "none" and "all"
  for (b.args.greedy = 0; b.args.greedy <= 1; ++b.args.greedy) {
    CHECK(draw(&b, NULL) == ROWS / 63);
    for (int64_t row = 0; row < ROWS; ++row) {
      if (row % 63 == 62) continue;  // all masked, see test_damaged
      CHECK(b.logits[row * COUNT + b.actions[row]] > -INFINITY);
      CHECK(isfinite(b.logprobs[row]) && b.logprobs[row] <= 1e-6f && isfinite(b.entropy[row]));
    }
  }
  free_batch(&b);
}

static void test_damaged(void) {
  const int32_t counts[] = {3, 2};
  for (int greedy = 0; greedy <= 1; ++greedy) {
    Batch b = make_batch(700, counts, 2, 0, 2.0f, 4);
    b.args.greedy = greedy;
    b.logits[10 * 5 + 0] = NAN;
    b.logits[11 * 5 + 4] = NAN;
    b.logits[12 * 5 + 2] = INFINITY;
    b.logits[650 * 5 + 3] = b.logits[650 * 5 + 4] = -INFINITY;
    b.logits[13 * 5 + 1] = -INFINITY;  // one masked choice is no damage
    b.logits[14 * 5 + 1] = 3e38f, b.logits[14 * 5 + 0] = -3e38f;
    CHECK(draw(&b, NULL) == 4);
    for (int64_t row = 0; row < 700; ++row) {
      const bool damaged = (row >= 10 && row <= 12) || row == 650;
      CHECK(b.actions[row * 2] >= 0 && b.actions[row * 2] < (damaged ? 1 : 3));
      CHECK(b.actions[row * 2 + 1] >= 0 && b.actions[row * 2 + 1] < (damaged ? 1 : 2));
      CHECK(isnan(b.logprobs[row]) == damaged && isnan(b.entropy[row]) == damaged);
    }
    CHECK(b.actions[14 * 2] == 1 && b.logprobs[14] > -20.0f);
    free_batch(&b);
  }
}

// One result for every compiler, machine and instruction set.
static void test_golden(void) {
  const int32_t counts[] = {4, 18, 3};
  Batch b = make_batch(1000, counts, 3, 0, 3.0f, 2024);
  CHECK(draw(&b, NULL) == 0);
  CHECK(pfc_checksum(b.actions, 3000 * sizeof(int32_t)) == 0x994215e906269121ull);
  CHECK(pfc_checksum(b.logprobs, 1000 * sizeof(float)) == 0x6747fa4e536598c9ull);
  CHECK(pfc_checksum(b.entropy, 1000 * sizeof(float)) == 0x0810c0e7246551cfull);
  free_batch(&b);
}

static bool refused(const PfcSampleArgs* args, const char* name) {
  return pfc_sample(args, NULL, NULL) == PFC_INVALID && strncmp(pfc_last_error(), name, strlen(name)) == 0;
}

static void test_refused(void) {
  const int32_t counts[] = {3, 2}, wrong[] = {3, 0}, large[] = {1000, 25};
  Batch b = make_batch(4, counts, 2, 0, 1.0f, 1);
  b.args.action_counts = counts;
#define REFUSED(field, value, name)   \
  do {                                \
    PfcSampleArgs args = b.args;      \
    args.field = (value);             \
    CHECK(refused(&args, name));      \
  } while (0)
  REFUSED(rows, 0, "rows:");
  REFUSED(rows, INT64_MAX, "rows:");
  REFUSED(dims, 0, "dims:");
  REFUSED(dims, 9, "dims:");
  REFUSED(action_counts, NULL, "action_counts:");
  REFUSED(action_counts, wrong, "action_counts[1]:");
  REFUSED(action_counts, large, "action_counts[1]:");
  REFUSED(logits, NULL, "logits:");
  REFUSED(logits_stride, 4, "logits_stride:");
  REFUSED(actions, NULL, "actions:");
#undef REFUSED
  float u[4];
  CHECK(pfc_sample_uniforms(0, 0, 0, 0, 1, u) == PFC_INVALID);
  CHECK(pfc_sample_uniforms(0, 0, 0, 1, 9, u) == PFC_INVALID);
  CHECK(pfc_sample_uniforms(0, 0, 0, 1, 1, NULL) == PFC_INVALID);
  free_batch(&b);
}

int main(void) {
  test_uniforms();
  test_parity();
  test_frequencies();
  test_same_draws();
  test_masked();
  test_damaged();
  test_golden();
  test_refused();
  return check_report();
}
