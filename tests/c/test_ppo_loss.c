// test_ppo_loss.c - the fused loss matches its definition in double precision, and gradients match central differences;
// dead rows, NaN; the same bits for any number of workers and on every machine; invalid arguments.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/base.h"
#include "loss_batch.h"
#include "random_masks.h"

// ---- random minibatches ----------------------------------------------------------------------------------

static Minibatch* make_minibatch(int64_t rows, const int32_t* counts, int32_t dims, uint64_t seed) {
  Minibatch* m = calloc(1, sizeof *m);
  PfcRng rng;
  pfc_rng_seed(&rng, seed, 2);
  float uniform_logprob = 0.0f;
  for (int32_t d = 0; d < dims; ++d) {
    m->numbers += m->counts[d] = counts[d];
    uniform_logprob -= logf((float)counts[d]);
  }
  make_outputs(m, &rng, rows);
  make_columns(m, &rng, rows, uniform_logprob - 0.7f, uniform_logprob + 0.7f);
  m->actions = malloc(sizeof(int32_t) * (size_t)(rows * dims));
  for (int64_t i = 0; i < rows * dims; ++i) m->actions[i] = (int32_t)pfc_rng_below(&rng, (uint32_t)counts[i % dims]);
  finish_minibatch(m, &rng, rows, dims);
  return m;
}

// Random masks in which the actions are legal. Old log-probabilities become 0 in forced rows.
static void set_masks(Minibatch* m, uint64_t seed) {
  const int32_t dims = m->args.batch.action_dims, words = (m->numbers + 31) / 32;
  m->mask = random_masks(m->args.batch.rows, m->counts, dims, seed);
  m->args.batch.mask = m->mask, m->args.batch.mask_words = words;
  for (int64_t row = 0; row < m->args.batch.rows; ++row) {
    uint32_t* mask = m->mask + row * words;
    int32_t first = 0;
    for (int32_t d = 0; d < dims; ++d) {
      int32_t* action = &m->actions[row * dims + d];
      while (!is_legal(mask, first + *action)) *action = (*action + 1) % m->counts[d];
      first += m->counts[d];
    }
    if (is_forced(mask, m->counts, dims)) m->old_logprobs[row] = 0.0f;
  }
}

static bool row_is_forced(const Minibatch* m, int64_t row) {
  const PfcMinibatch* b = &m->args.batch;
  return b->mask && is_forced(b->mask + row * b->mask_words, m->counts, b->action_dims);
}

// ---- reference ---------------------------------------------------------------------------------------

static double head_terms(const double* logits, int32_t count, int32_t action, double* entropy) {
  double largest = -INFINITY, total = 0.0;
  for (int32_t k = 0; k < count; ++k) largest = fmax(largest, logits[k]);
  for (int32_t k = 0; k < count; ++k) total += exp(logits[k] - largest);
  for (int32_t k = 0; k < count; ++k) {
    const double log_p = logits[k] - largest - log(total);
    if (logits[k] > -INFINITY) *entropy -= exp(log_p) * log_p;
  }
  return logits[action] - largest - log(total);
}

// The terms of one row for outputs x [K + 1]: logits, then value.
static RowTerms row_terms(const Minibatch* m, int64_t row, const double* x) {
  const int32_t dims = m->args.batch.action_dims;
  double logprob = 0.0, entropy = 0.0;
  int32_t first = 0;
  for (int32_t d = 0; d < dims; ++d) {
    logprob += head_terms(x + first, m->counts[d], m->actions[row * dims + d], &entropy);
    first += m->counts[d];
  }
  return terms_of(m, row, logprob, entropy, x[m->numbers]);
}

static double row_loss(const Minibatch* m, int64_t row, const double* x) { return loss_of(m, row_terms(m, row, x)); }

static bool choice_is_legal(const Minibatch* m, int64_t row, int32_t k) {
  return k == m->numbers || !m->args.batch.mask || is_legal(m->args.batch.mask + row * m->args.batch.mask_words, k);
}

static void row_outputs(const Minibatch* m, int64_t row, double* x) {
  for (int32_t k = 0; k <= m->numbers; ++k)
    x[k] = choice_is_legal(m, row, k) ? (double)m->outputs[row * m->width + k] : -INFINITY;
}

static PfcPpoLossStats reference_stats(const Minibatch* m) {
  PfcPpoLossStats s = {0};
  double* x = malloc(sizeof(double) * (size_t)(m->numbers + 1));
  for (int64_t row = 0; row < m->args.batch.rows; ++row) {
    if (!is_alive(m, row)) continue;
    row_outputs(m, row, x);
    const RowTerms terms = row_terms(m, row, x);
    const double ratio = exp(terms.log_ratio);
    s.policy_loss += terms.policy, s.value_loss += terms.value, s.entropy += terms.entropy;
    s.approx_kl += ratio - 1.0 - terms.log_ratio, s.old_approx_kl -= terms.log_ratio;
    s.clip_fraction += fabs(ratio - 1.0) > (double)m->args.settings.clip;
    s.loss += row_loss(m, row, x);
    s.count += 1;
  }
  const double n = s.count ? (double)s.count : 1.0;
  s.policy_loss /= n, s.value_loss /= n, s.entropy /= n, s.approx_kl /= n, s.old_approx_kl /= n;
  s.clip_fraction /= n, s.loss /= n;
  free(x);
  return s;
}

static bool near(double a, double b, double tolerance) { return fabs(a - b) <= tolerance * (1.0 + fabs(b)); }

static void check_stats(const Minibatch* m, const PfcPpoLossStats* s) {
  const PfcPpoLossStats r = reference_stats(m);
  CHECK(near(s->loss, r.loss, 2e-6));
  CHECK(near(s->policy_loss, r.policy_loss, 2e-6));
  CHECK(near(s->value_loss, r.value_loss, 2e-6));
  CHECK(near(s->entropy, r.entropy, 2e-6));
  CHECK(near(s->approx_kl, r.approx_kl, 2e-6));
  CHECK(near(s->old_approx_kl, r.old_approx_kl, 2e-6));
  CHECK(near(s->clip_fraction, r.clip_fraction, 1e-12));
  CHECK(s->count == r.count);
}

// Central difference of the row's loss along output k. Near a kink the one-sided slopes differ; there the gradient must
// equal one of them.
static bool gradient_fits(const Minibatch* m, int64_t row, double* x, int32_t k, double gradient, double rows) {
  const double step = 1e-5, at = x[k], here = row_loss(m, row, x);
  x[k] = at + step;
  const double right = (row_loss(m, row, x) - here) / step;
  x[k] = at - step;
  const double left = (here - row_loss(m, row, x)) / step;
  x[k] = at;
  const double given = gradient * rows, tolerance = 2e-5 * (1.0 + fabs(left));
  if (fabs(right - left) > 1e-3) return fabs(given - left) < 1e-3 || fabs(given - right) < 1e-3;
  return fabs(given - 0.5 * (left + right)) < tolerance;
}

static void check_gradients(const Minibatch* m, int64_t count) {
  double* x = malloc(sizeof(double) * (size_t)(m->numbers + 1));
  for (int64_t row = 0; row < m->args.batch.rows; ++row) {
    const float* gradient = m->gradients + row * m->width;
    row_outputs(m, row, x);
    for (int32_t k = 0; k <= m->numbers; ++k) {
      const bool nothing = row_is_forced(m, row) && k < m->numbers;
      if (!is_alive(m, row) || !choice_is_legal(m, row, k) || nothing)
        CHECK(gradient[k] == 0.0f);
      else
        CHECK(gradient_fits(m, row, x, k, (double)gradient[k], (double)count));
    }
    if (row_is_forced(m, row)) CHECK(m->ratio[row] == 1.0f);
    for (int32_t k = m->numbers + 1; k < m->width; ++k) CHECK(gradient[k] == 7.0f);
    const double ratio = is_alive(m, row) ? exp(row_terms(m, row, x).log_ratio) : 1.0;
    CHECK(near((double)m->ratio[row], ratio, 2e-6));
  }
  free(x);
}

// ---- tests ---------------------------------------------------------------------------------------------

static void check_minibatch(Minibatch* m) {
  PfcPpoLossStats stats;
  if (!CHECK(pfc_ppo_loss(&m->args, NULL, &stats) == PFC_OK)) return;
  check_stats(m, &stats);
  check_gradients(m, stats.count);
}

static void test_parity(void) {
  static const int32_t counts[][4] = {{3}, {18}, {1}, {4, 1, 5, 2}, {3, 34}, {700, 324}};
  static const int32_t dims[] = {1, 1, 1, 4, 2, 2};
  static const int64_t rows[] = {1, 31, 32, 257, 700};
  for (int i = 0; i < 6; ++i)
    for (int j = 0; j < (i == 5 ? 1 : 5); ++j)  // finite differences over 1024 choices are slow
      for (int kind = 0; kind < 16; ++kind) {
        Minibatch* m = make_minibatch(rows[j], counts[i], dims[i], (uint64_t)(i * 100 + j * 10 + kind));
        if (kind & 1) m->args.batch.alive = m->alive;
        if (kind & 2)
          m->args.settings.value_clip = 0.3f;
        else m->args.batch.old_values = NULL;
        if (kind & 4)
          m->args.settings.advantage_mean = 0.4f, m->args.settings.advantage_std = 1.7f,
          m->args.settings.entropy_coef = 0.3f;
        if (kind & 8) set_masks(m, (uint64_t)kind);
        check_minibatch(m);
        free_minibatch(m);
      }
}

static bool same_results(Minibatch* m, const Minibatch* other, PfcWorkers* workers, const PfcPpoLossStats* expected) {
  PfcPpoLossStats stats;
  const size_t rows = (size_t)m->args.batch.rows, bytes = sizeof(float) * rows * (size_t)m->width;
  return pfc_ppo_loss(&m->args, workers, &stats) == PFC_OK && memcmp(&stats, expected, sizeof stats) == 0 &&
         memcmp(m->gradients, other->gradients, bytes) == 0 &&
         memcmp(m->ratio, other->ratio, sizeof(float) * rows) == 0;
}

static void test_workers(void) {
  static const int64_t rows[] = {100, 5000, 40001};
  const int32_t counts[] = {4, 3};
  for (int i = 0; i < 3; ++i) {
    PfcPpoLossStats expected;
    Minibatch* serial = make_minibatch(rows[i], counts, 2, 5);
    CHECK(pfc_ppo_loss(&serial->args, NULL, &expected) == PFC_OK);
    check_stats(serial, &expected);
    for (int32_t threads = 1; threads <= 7; threads += 3) {
      PfcWorkers* workers = pfc_workers_create(threads, 1);
      Minibatch* m = make_minibatch(rows[i], counts, 2, 5);
      CHECK(same_results(m, serial, workers, &expected));
      free_minibatch(m), pfc_workers_destroy(workers);
    }
    free_minibatch(serial);
  }
}

// Masks that allow all choices change no bit.
static void test_full_masks(void) {
  const int32_t counts[] = {3, 34, 2};
  PfcPpoLossStats expected;
  Minibatch *plain = make_minibatch(1500, counts, 3, 21), *full = make_minibatch(1500, counts, 3, 21);
  set_masks(full, 1);
  memcpy(full->actions, plain->actions, sizeof(int32_t) * 3 * 1500);
  memcpy(full->old_logprobs, plain->old_logprobs, sizeof(float) * 1500);
  memset(full->mask, 0xff, sizeof(uint32_t) * 2 * 1500);
  CHECK(pfc_ppo_loss(&plain->args, NULL, &expected) == PFC_OK);
  CHECK(same_results(full, plain, NULL, &expected));
  free_minibatch(plain), free_minibatch(full);
}

// The result does not depend on the logits of illegal choices or on the number of workers.
static void test_masked_bits(void) {
  const int32_t counts[] = {3, 34};
  const float wild[] = {NAN, INFINITY, 1e30f, -INFINITY};
  PfcPpoLossStats expected;
  Minibatch *a = make_minibatch(5000, counts, 2, 22), *b = make_minibatch(5000, counts, 2, 22);
  set_masks(a, 2), set_masks(b, 2);
  for (int64_t row = 0; row < 5000; ++row)
    for (int32_t k = 0; k < 37; ++k)
      if (!choice_is_legal(b, row, k)) b->outputs[row * b->width + k] = wild[k % 4];
  CHECK(pfc_ppo_loss(&a->args, NULL, &expected) == PFC_OK);
  for (int32_t threads = 1; threads <= 7; threads += 3) {
    PfcWorkers* workers = pfc_workers_create(threads, 1);
    CHECK(same_results(b, a, workers, &expected));
    pfc_workers_destroy(workers);
  }
  free_minibatch(a), free_minibatch(b);
}

// With the max number of choices, the statistics match the reference and some gradients match finite differences.
static void test_max_choices(void) {
  const int32_t counts[] = {4000, 4192};
  PfcPpoLossStats stats;
  Minibatch* m = make_minibatch(9, counts, 2, 23);
  m->args.settings.entropy_coef = 0.3f;
  set_masks(m, 3);
  CHECK(pfc_ppo_loss(&m->args, NULL, &stats) == PFC_OK);
  check_stats(m, &stats);
  double* x = malloc(sizeof(double) * (size_t)(m->numbers + 1));
  for (int64_t row = 0; row < 9; ++row) {
    row_outputs(m, row, x);
    for (int32_t k = (int32_t)row; k < m->numbers; k += 97) {
      const double gradient = (double)m->gradients[row * m->width + k];
      if (choice_is_legal(m, row, k))
        CHECK(gradient_fits(m, row, x, k, gradient, 9.0));
      else
        CHECK(gradient == 0.0);
    }
  }
  free(x), free_minibatch(m);
}

// Dead rows may contain anything, even actions out of range. All rows of a minibatch may be dead.
static void test_dead(void) {
  const int32_t counts[] = {4};
  PfcPpoLossStats stats, clean;
  Minibatch* m = make_minibatch(300, counts, 1, 8);
  m->args.batch.alive = m->alive, m->args.settings.value_clip = 0.3f, m->args.settings.advantage_mean = 0.1f,
  m->args.settings.advantage_std = 2.0f;
  CHECK(pfc_ppo_loss(&m->args, NULL, &clean) == PFC_OK);
  for (int64_t row = 0; row < 300; ++row)
    if (!m->alive[row]) {
      for (int32_t k = 0; k < m->width; ++k) m->outputs[row * m->width + k] = NAN;
      m->old_logprobs[row] = m->advantages[row] = m->returns[row] = m->old_values[row] = NAN;
      m->actions[row] = -5;
    }
  CHECK(pfc_ppo_loss(&m->args, NULL, &stats) == PFC_OK && memcmp(&stats, &clean, sizeof stats) == 0);
  for (int64_t row = 0; row < 300; ++row)
    for (int32_t k = 0; k <= m->numbers; ++k)
      CHECK(m->alive[row] ? isfinite(m->gradients[row * m->width + k]) : m->gradients[row * m->width + k] == 0.0f);
  memset(m->alive, 0, 300);
  CHECK(pfc_ppo_loss(&m->args, NULL, &stats) == PFC_OK && stats.count == 0 && stats.loss == 0.0);
  for (int64_t row = 0; row < 300; ++row) CHECK(m->gradients[row * m->width] == 0.0f && m->ratio[row] == 1.0f);
  free_minibatch(m);
}

// A NaN in any used number reaches the loss and the gradient of its own row only.
static void test_nan(void) {
  const int32_t counts[] = {4, 2};
  for (int kind = 0; kind < 8; ++kind) {
    PfcPpoLossStats stats;
    Minibatch* m = make_minibatch(70, counts, 2, 9);
    m->args.settings.value_clip = 0.3f;
    float* const target[] = {m->outputs + 40 * m->width + 1, m->outputs + 40 * m->width + m->numbers,
                             m->old_logprobs + 40,           m->advantages + 40,
                             m->returns + 40,                m->old_values + 40,
                             m->outputs + 40 * m->width + 5, m->outputs + 40 * m->width};
    *target[kind] = kind == 7 ? INFINITY : NAN;
    CHECK(pfc_ppo_loss(&m->args, NULL, &stats) == PFC_OK && isnan(stats.loss));
    for (int64_t row = 0; row < 70; ++row)
      for (int32_t k = 0; k <= m->numbers; ++k)
        if (row != 40) CHECK(isfinite(m->gradients[row * m->width + k]));
    const bool is_value = kind == 1 || kind == 4 || kind == 5;
    if (!is_value) CHECK(isnan(m->gradients[40 * m->width]));
    if (kind == 1 || kind == 4) CHECK(isnan(m->gradients[40 * m->width + m->numbers]));
    free_minibatch(m);
  }
}

// Logits of minus infinity exclude choices. Large logits and ratios stay finite.
static void test_extremes(void) {
  const int32_t counts[] = {4};
  PfcPpoLossStats stats;
  Minibatch* m = make_minibatch(40, counts, 1, 10);
  for (int64_t row = 0; row < 40; ++row) {
    float* logits = m->outputs + row * m->width;
    const int32_t other = (m->actions[row] + 1) % 4;
    logits[other] = row % 2 ? -INFINITY : logits[other] - 300.0f;
  }
  m->outputs[3 * m->width + m->actions[3]] += 1000.0f;
  m->outputs[4 * m->width + m->actions[4]] -= 1000.0f;
  m->old_logprobs[5] = -80.0f;
  CHECK(pfc_ppo_loss(&m->args, NULL, &stats) == PFC_OK && isfinite(stats.loss));
  for (int64_t row = 0; row < 40; ++row) {
    const float* gradient = m->gradients + row * m->width;
    float sum = 0.0f, size = 0.0f;
    for (int32_t k = 0; k < 4; ++k) sum += gradient[k], size += fabsf(gradient[k]);
    CHECK(isfinite(size) && fabsf(sum) <= 1e-6f * (1e-3f + size));  // a softmax is invariant to a common shift
    CHECK(fabsf(gradient[(m->actions[row] + 1) % 4]) <= 1e-20f * (1.0f + size));
  }
  free_minibatch(m);
}

// A value within the clip range has the gradient of the plain error, however the clipped error rounds.
static void test_value_inside_clip(void) {
  enum { ROWS = 64 };
  const int32_t counts[] = {2};
  PfcPpoLossStats stats;
  Minibatch* m = make_minibatch(ROWS, counts, 1, 11);
  m->args.settings.value_clip = 1.0f;
  for (int64_t row = 0; row < ROWS; ++row) {
    float* value = &m->outputs[row * m->width + m->numbers];
    *value *= 0.1f, m->old_values[row] *= 0.37f;
  }
  CHECK(pfc_ppo_loss(&m->args, NULL, &stats) == PFC_OK);
  for (int64_t row = 0; row < ROWS; ++row) {
    const float error = m->outputs[row * m->width + m->numbers] - m->returns[row];
    CHECK(m->gradients[row * m->width + m->numbers] == 0.5f / ROWS * error);
  }
  free_minibatch(m);
}

// 1e-8 is added to the deviation.
static void test_small_deviation(void) {
  const int32_t counts[] = {2};
  PfcPpoLossStats plain, scaled;
  Minibatch* m = make_minibatch(100, counts, 1, 12);
  CHECK(pfc_ppo_loss(&m->args, NULL, &plain) == PFC_OK);
  m->args.settings.advantage_std = 3e-8f;
  CHECK(pfc_ppo_loss(&m->args, NULL, &scaled) == PFC_OK);
  CHECK(near(scaled.policy_loss * 4e-8, plain.policy_loss, 1e-5));
  free_minibatch(m);
}

static void test_mean_std(void) {
  enum { COUNT = 10007 };
  PfcRng rng;
  pfc_rng_seed(&rng, 3, 3);
  float* x = floats(&rng, COUNT, 99.0f, 101.0f);
  uint8_t* alive = malloc(COUNT);
  double n = 0, sum = 0, squares = 0, mean, std;
  for (int i = 0; i < COUNT; ++i) alive[i] = (uint8_t)(i % 3 ? 2 : 0);
  for (int i = 0; i < COUNT; ++i)
    if (alive[i]) n += 1, sum += x[i];
    else x[i] = NAN;
  for (int i = 0; i < COUNT; ++i)
    if (alive[i]) squares += (x[i] - sum / n) * (x[i] - sum / n);
  CHECK(pfc_mean_std(x, alive, COUNT, &mean, &std) == PFC_OK);
  CHECK(fabs(mean - sum / n) < 1e-10 && fabs(std - sqrt(squares / (n - 1))) < 1e-10);
  CHECK(pfc_mean_std(x + 1, NULL, 1, &mean, &std) == PFC_OK && mean == (double)x[1] && std == 0.0);
  CHECK(pfc_mean_std(x, NULL, 2, &mean, &std) == PFC_OK && isnan(mean));
  memset(alive, 0, COUNT);
  CHECK(pfc_mean_std(x, alive, COUNT, &mean, &std) == PFC_OK && mean == 0.0 && std == 0.0);
  CHECK(pfc_mean_std(NULL, NULL, 1, &mean, &std) == PFC_INVALID);
  CHECK(pfc_mean_std(x, NULL, 0, &mean, &std) == PFC_INVALID);
  free(x), free(alive);
}

// Every compiler, machine and instruction set must give the same bits.
static void test_golden(void) {
  const int32_t counts[] = {4, 18, 3};
  PfcPpoLossStats stats;
  Minibatch* m = make_minibatch(1000, counts, 3, 2024);
  m->args.batch.alive = m->alive, m->args.settings.value_clip = 0.3f, m->args.settings.advantage_mean = 0.4f,
  m->args.settings.advantage_std = 1.7f;
  memset(m->old_logprobs, 0xc0, sizeof(float) * 1000);  // about -6.0: near the policy, and without libm
  CHECK(pfc_ppo_loss(&m->args, NULL, &stats) == PFC_OK);
  CHECK(pfc_checksum(m->gradients, sizeof(float) * 1000 * (uint64_t)m->width) == 0xc795abb206d0c7ebull);
  CHECK(pfc_checksum(&stats, sizeof stats) == 0x4769e9d9cd9cd1f2ull);
  free_minibatch(m);
}

static bool refused(const PfcPpoLossArgs* args, const char* name) {
  PfcPpoLossStats stats;
  return pfc_ppo_loss(args, NULL, &stats) == PFC_INVALID && strncmp(pfc_last_error(), name, strlen(name)) == 0;
}

static void test_refused(void) {
  const int32_t counts[] = {4, 3}, wrong[] = {4, -1};
  Minibatch* m = make_minibatch(600, counts, 2, 6);
#define REFUSED(field, value, name)  \
  do {                               \
    PfcPpoLossArgs args = m->args;   \
    args.field = (value);            \
    CHECK(refused(&args, name));     \
  } while (0)
  REFUSED(batch.rows, 0, "rows:");
  REFUSED(batch.rows, INT64_MAX, "rows:");
  REFUSED(batch.action_dims, 9, "dims:");
  REFUSED(batch.action_counts, wrong, "action_counts[1]:");
  REFUSED(outputs.logits, NULL, "logits:");
  REFUSED(batch.actions, NULL, "actions:");
  REFUSED(batch.advantages, NULL, "advantages:");
  REFUSED(batch.returns, NULL, "returns:");
  REFUSED(outputs.grad_values, NULL, "grad_values:");
  REFUSED(outputs.logits_stride, 6, "logits_stride:");
  REFUSED(outputs.grad_logits_stride, 6, "grad_logits_stride:");
  REFUSED(outputs.values_stride, 0, "values_stride:");
  REFUSED(outputs.grad_values_stride, -1, "grad_values_stride:");
  REFUSED(settings.clip, 0.0f, "clip:");
  REFUSED(settings.clip, NAN, "clip:");
  REFUSED(settings.value_coef, -1.0f, "value_coef:");
  REFUSED(settings.value_coef, INFINITY, "value_coef:");
  REFUSED(settings.entropy_coef, INFINITY, "entropy_coef:");
  REFUSED(settings.value_clip, NAN, "value_clip:");
  REFUSED(settings.advantage_std, -1.0f, "advantage_std:");
#undef REFUSED
  for (int64_t i = 0; i < 600 * m->width; ++i) CHECK(m->gradients[i] == 7.0f);
  m->args.batch.old_values = NULL, m->args.settings.value_clip = 0.1f;
  CHECK(refused(&m->args, "old_values:"));
  m->args.settings.value_clip = 0.0f;
  m->actions[2 * 599 + 1] = 3, m->actions[2 * 555] = -1;
  CHECK(refused(&m->args, "actions[555]:"));
  m->actions[2 * 555] = 0;
  CHECK(refused(&m->args, "actions[599]:"));
  m->actions[0] = 4;
  CHECK(refused(&m->args, "actions[0]:"));
  memset(m->alive, 2, 600);  // any byte but 0
  m->args.batch.alive = m->alive;
  CHECK(refused(&m->args, "actions[0]:"));
  free_minibatch(m);
  m = make_minibatch(600, counts, 2, 6);
  set_masks(m, 5);
  m->args.batch.mask_words = 2;
  CHECK(refused(&m->args, "mask_words: expected 1 for 7 choices, got 2"));
  m->args.batch.mask_words = 1;
  m->mask[599] = 0x7fu & ~(1u << (4 + m->actions[2 * 599 + 1]));
  CHECK(refused(&m->args, "actions[599]:") && strstr(pfc_last_error(), "or is illegal by its mask"));
  m->alive[599] = 0, m->args.batch.alive = m->alive;
  PfcPpoLossStats stats;
  CHECK(pfc_ppo_loss(&m->args, NULL, &stats) == PFC_OK);
  free_minibatch(m);
}

int main(void) {
  test_parity();
  test_workers();
  test_full_masks();
  test_masked_bits();
  test_max_choices();
  test_dead();
  test_nan();
  test_extremes();
  test_value_inside_clip();
  test_small_deviation();
  test_mean_std();
  test_golden();
  test_refused();
  return check_report();
}
