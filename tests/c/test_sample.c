// test_sample.c - sampled actions: against a softmax in double precision; the uniform numbers; the same draws for any
// split of a batch and on every machine; masks and excluded choices; rows with NaN; invalid arguments.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/base.h"
#include "kernels/sample.h"
#include "random_masks.h"

typedef struct Batch {
  PfcSampleArgs args;
  int32_t counts[PFC_MAX_ACTION_DIMS];
  int32_t choices;
  float *logits, *logprobs, *entropy;
  int32_t* actions;
  uint32_t* mask;  // NULL = none
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

static void set_masks(Batch* b, uint64_t seed) {
  b->mask = random_masks(b->args.rows, b->counts, b->args.dims, seed);
  b->args.mask = b->mask, b->args.mask_words = (b->choices + 31) / 32;
}

static const uint32_t* mask_of(const Batch* b, int64_t row) { return b->args.mask + row * b->args.mask_words; }

static void free_batch(Batch* b) {
  free(b->logits), free(b->actions), free(b->logprobs), free(b->entropy), free(b->mask);
}

static int64_t draw(Batch* b, PfcWorkers* workers) {
  int64_t bad_rows = -1;
  b->args.action_counts = b->counts;
  CHECK(pfc_sample(&b->args, workers, &bad_rows) == PFC_OK);
  return bad_rows;
}

// Probabilities of one action dimension in double precision.
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

// The logits of one dimension of a row; minus infinity for illegal choices.
static void head_logits(const Batch* b, int64_t row, int32_t first, int32_t count, float* logits) {
  for (int32_t k = 0; k < count; ++k) {
    const bool legal = !b->args.mask || is_legal(mask_of(b, row), first + k);
    logits[k] = legal ? b->logits[row * b->args.logits_stride + first + k] : -INFINITY;
  }
}

static void check_row(const Batch* b, int64_t row, const float* uniforms) {
  static double p[PFC_MAX_CHOICES];
  static float logits[PFC_MAX_CHOICES];
  double logprob = 0.0, entropy = 0.0;
  bool fits = true;
  int32_t first = 0;
  for (int32_t d = 0; d < b->args.dims; ++d) {
    const int32_t count = b->counts[d], action = b->actions[row * b->args.dims + d];
    head_logits(b, row, first, count, logits);
    softmax(logits, count, p);
    fits &= logits[action] > -INFINITY;
    if (b->args.greedy)
      for (int32_t k = 0; k < count; ++k) fits &= k < action ? logits[k] < logits[action] : logits[k] <= logits[action];
    else
      fits &= selects(p, count, action, (double)uniforms[row * b->args.dims + d]);
    if (!CHECK(fits)) return;
    logprob += log(p[action]);
    for (int32_t k = 0; k < count; ++k) entropy -= p[k] > 0.0 ? p[k] * log(p[k]) : 0.0;
    first += count;
  }
  const double choices = b->choices;  // rounding errors add up over the choices
  CHECK(fabs(logprob - (double)b->logprobs[row]) < (2e-6 + 1e-9 * choices) * (1.0 + fabs(logprob)));
  CHECK(fabs(entropy - (double)b->entropy[row]) < (3e-6 + 1e-9 * choices) * (1.0 + entropy));
  if (b->args.mask && is_forced(mask_of(b, row), b->counts, b->args.dims))
    CHECK(b->logprobs[row] == 0.0f && b->entropy[row] == 0.0f);
}

// Options of test_rows.
typedef struct Draw {
  int32_t padding, greedy, masked;
  float spread;
} Draw;

static void test_rows(const int32_t* counts, int32_t dims, int64_t rows, const Draw* how) {
  Batch b = make_batch(rows, counts, dims, how->padding, how->spread, (uint64_t)(rows + dims));
  float* uniforms = malloc(sizeof(float) * (size_t)(rows * dims));
  b.args.first_row = 1000, b.args.greedy = how->greedy;
  if (how->masked) set_masks(&b, (uint64_t)rows);
  CHECK(pfc_sample_uniforms(b.args.seed, b.args.step, 1000, rows, dims, uniforms) == PFC_OK);
  CHECK(draw(&b, NULL) == 0);
  for (int64_t row = 0; row < rows; ++row) check_row(&b, row, uniforms);
  free(uniforms), free_batch(&b);
}

static void test_parity(void) {
  static const int32_t one[] = {1}, three[] = {3}, four[] = {4}, many[] = {18}, large[] = {1024}, all[] = {8192};
  static const int32_t several[] = {3, 1, 5, 2}, eight[] = {2, 2, 3, 3, 4, 4, 5, 128}, halves[] = {4096, 4096};
  static const int32_t across[] = {3, 34}, words[] = {32, 32, 1};
  for (int32_t i = 0; i < 4; ++i) {
    const Draw plain = {0, i % 2, i / 2, 3.0f}, padded = {1, i % 2, i / 2, 3.0f}, far = {7, i % 2, i / 2, 20.0f};
    test_rows(one, 1, 33, &plain);
    test_rows(three, 1, 1, &plain);
    test_rows(three, 1, 1027, &padded);
    test_rows(four, 1, 31, &far);
    test_rows(many, 1, 512, &plain);
    test_rows(large, 1, 65, &padded);
    test_rows(several, 4, 515, &padded);
    test_rows(eight, 8, 64, &plain);
    test_rows(across, 2, 700, &padded);
    test_rows(words, 3, 200, &plain);
    test_rows(all, 1, 40, &plain);
    test_rows(halves, 2, 20, &padded);
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
  // Expected numbers, computed from the formula in sample.h by a program in another language.
  CHECK(u[0] == 4318201.0f / 16777216.0f && u[1] == 8702885.0f / 16777216.0f);
  CHECK(u[77 * DIMS + 2] == 13986833.0f / 16777216.0f);
}

// A row draws the same numbers for any split of the batch and any number of workers.
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

// Logits of minus infinity exclude choices without a mask.
static void test_excluded(void) {
  enum { ROWS = 1 << 16, COUNT = 6 };
  const int32_t counts[] = {COUNT};
  Batch b = make_batch(ROWS, counts, 1, 0, 4.0f, 21);
  for (int64_t row = 0; row < ROWS; ++row)
    for (int k = 0; k < COUNT; ++k)
      if ((row % 63 + 1) >> k & 1)
        b.logits[row * COUNT + k] = -INFINITY;  // every subset but the empty and the full one
  for (b.args.greedy = 0; b.args.greedy <= 1; ++b.args.greedy) {
    CHECK(draw(&b, NULL) == ROWS / 63);
    for (int64_t row = 0; row < ROWS; ++row) {
      if (row % 63 == 62) continue;  // all choices excluded, see test_damaged
      CHECK(b.logits[row * COUNT + b.actions[row]] > -INFINITY);
      CHECK(isfinite(b.logprobs[row]) && b.logprobs[row] <= 1e-6f && isfinite(b.entropy[row]));
    }
  }
  free_batch(&b);
}

static bool equal_draws(const Batch* a, const Batch* b) {
  const size_t rows = (size_t)a->args.rows;
  return memcmp(a->actions, b->actions, sizeof(int32_t) * rows * (size_t)a->args.dims) == 0 &&
         memcmp(a->logprobs, b->logprobs, sizeof(float) * rows) == 0 &&
         memcmp(a->entropy, b->entropy, sizeof(float) * rows) == 0;
}

// Masks that allow all choices change no bit, whatever the bits after the last choice are.
static void test_full_masks(void) {
  const int32_t counts[] = {3, 34, 2};
  for (int greedy = 0; greedy <= 1; ++greedy) {
    Batch plain = make_batch(3000, counts, 3, 1, 4.0f, 17), full = make_batch(3000, counts, 3, 1, 4.0f, 17);
    set_masks(&full, 1);
    memset(full.mask, 0xff, sizeof(uint32_t) * 3000 * 2);
    plain.args.greedy = full.args.greedy = greedy;
    CHECK(draw(&plain, NULL) == 0 && draw(&full, NULL) == 0 && equal_draws(&plain, &full));
    for (int64_t i = 1; i < 2 * 3000; i += 2) full.mask[i] = 0x7f;
    CHECK(draw(&full, NULL) == 0 && equal_draws(&plain, &full));
    free_batch(&plain), free_batch(&full);
  }
}

// The result does not depend on the logits of illegal choices, not even NaN and infinity.
static void test_illegal_logits(void) {
  const int32_t counts[] = {3, 34};
  Batch a = make_batch(2000, counts, 2, 0, 4.0f, 18), b = make_batch(2000, counts, 2, 0, 4.0f, 18);
  set_masks(&a, 2), set_masks(&b, 2);
  const float wild[] = {NAN, INFINITY, 1e30f, -INFINITY};
  for (int64_t i = 0; i < 2000 * 37; ++i)
    if (!is_legal(mask_of(&b, i / 37), (int32_t)(i % 37))) b.logits[i] = wild[i % 4];
  CHECK(draw(&a, NULL) == 0 && draw(&b, NULL) == 0 && equal_draws(&a, &b));
  free_batch(&a), free_batch(&b);
}

static int64_t count_illegal(const Batch* b) {
  int64_t illegal = 0;
  for (int64_t row = 0; row < b->args.rows; ++row) {
    int32_t first = 0;
    for (int32_t d = 0; d < b->args.dims; ++d) {
      illegal += !is_legal(mask_of(b, row), first + b->actions[row * b->args.dims + d]);
      first += b->counts[d];
    }
  }
  return illegal;
}

// Four million draws, with many and few legal choices, with flat and steep logits: none is illegal. The same bits for
// any number of workers.
static void test_millions(void) {
  enum { ROWS = 1 << 18 };
  const int32_t counts[] = {3, 34};
  PfcWorkers* workers[] = {pfc_workers_create(2, 1), pfc_workers_create(7, 1)};
  Batch whole = make_batch(ROWS, counts, 2, 1, 8.0f, 5), parts = make_batch(ROWS, counts, 2, 1, 8.0f, 5);
  set_masks(&whole, 3), set_masks(&parts, 3);
  for (uint64_t step = 0; step < 8; ++step) {
    whole.args.step = parts.args.step = step;
    CHECK(draw(&whole, NULL) == 0 && count_illegal(&whole) == 0);
    CHECK(draw(&parts, workers[step % 2]) == 0 && equal_draws(&whole, &parts));
  }
  free_batch(&whole), free_batch(&parts);
  pfc_workers_destroy(workers[0]), pfc_workers_destroy(workers[1]);
}

// The caller's scratch memory gives the same draws.
static void test_scratch(void) {
  const int32_t counts[] = {5, 40};
  Batch own = make_batch(900, counts, 2, 0, 3.0f, 6), given = make_batch(900, counts, 2, 0, 3.0f, 6);
  const uint64_t bytes = pfc_sample_scratch_bytes(counts, 2);
  PfcWorkers* workers = pfc_workers_create(3, 1);
  given.args.scratch = pfc_alloc(3 * bytes);
  CHECK(draw(&own, NULL) == 0 && draw(&given, workers) == 0 && equal_draws(&own, &given));
  pfc_free(given.args.scratch);
  pfc_workers_destroy(workers);
  free_batch(&own), free_batch(&given);
}

// Rows without a distribution get the first legal choices.
static void test_damaged_masked(void) {
  const int32_t counts[] = {2, 40};
  Batch b = make_batch(40, counts, 2, 0, 2.0f, 7);
  set_masks(&b, 4);
  memset(b.mask, 0, sizeof(uint32_t) * 2 * 40);
  for (int64_t row = 0; row < 40; ++row) b.mask[2 * row] = 2u, b.mask[2 * row + 1] = 0x300;  // 1; 38 and 39
  b.logits[3 * 42 + 1] = NAN;
  b.logits[4 * 42 + 41] = INFINITY;
  b.logits[5 * 42 + 40] = b.logits[5 * 42 + 41] = -INFINITY;
  b.mask[2 * 6] = 0, b.mask[2 * 7 + 1] = 0;
  b.logits[8 * 42] = NAN;  // illegal
  CHECK(draw(&b, NULL) == 5);
  for (int64_t row = 0; row < 40; ++row) {
    const bool bad = row >= 3 && row <= 7;
    CHECK(b.actions[2 * row] == (row == 6 ? 0 : 1));
    if (bad) CHECK(b.actions[2 * row + 1] == (row == 7 ? 0 : 38));
    CHECK(isnan(b.logprobs[row]) == bad && isnan(b.entropy[row]) == bad);
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
    b.logits[13 * 5 + 1] = -INFINITY;  // one excluded choice is valid
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

// Every compiler, machine and instruction set must give the same bits.
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
  const int32_t counts[] = {3, 2}, wrong[] = {3, 0}, large[] = {8000, 193};
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
  const uint32_t mask[8] = {0};
  b.args.mask = mask;
  REFUSED(mask_words, 0, "mask_words: expected 1 for 5 choices");
  REFUSED(mask_words, 2, "mask_words: expected 1 for 5 choices");
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
  test_excluded();
  test_full_masks();
  test_illegal_logits();
  test_millions();
  test_scratch();
  test_damaged_masked();
  test_damaged();
  test_golden();
  test_refused();
  return check_report();
}
