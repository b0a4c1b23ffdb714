// test_gaussian_loss.c - the PPO loss of continuous actions matches its definition in double precision, and gradients
// match central differences; dead rows, NaN, extremes; the same bits for any number of workers and on every machine;
// invalid arguments.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/base.h"
#include "kernels/gaussian.h"
#include "loss_batch.h"

enum { MAX_WIDTH = 2 * PFC_MAX_ACTION_DIMS + 1 };

static const double kPi = 3.14159265358979323846;

static Minibatch* make_minibatch(int64_t rows, int32_t dims, uint64_t seed) {
  Minibatch* m = calloc(1, sizeof *m);
  PfcRng rng;
  pfc_rng_seed(&rng, seed, 2);
  m->numbers = 2 * dims;
  make_outputs(m, &rng, rows);
  m->controls = floats(&rng, rows * dims, -1.5f, 1.5f);
  make_columns(m, &rng, rows, -0.9f * (float)dims - 1.0f, -0.9f * (float)dims);
  finish_minibatch(m, &rng, rows, dims);
  return m;
}

// The terms of one row for outputs x [2 dims + 1]: means, log_stds, value.
static RowTerms row_terms(const Minibatch* m, int64_t row, const double* x) {
  const int32_t dims = m->args.batch.action_dims;
  double logprob = 0.0, entropy = 0.0;
  for (int32_t d = 0; d < dims; ++d) {
    const double log_std = x[dims + d], z = ((double)m->controls[row * dims + d] - x[d]) / exp(log_std);
    logprob += -0.5 * z * z - log_std - 0.5 * log(2.0 * kPi);
    entropy += log_std + 0.5 * log(2.0 * kPi * exp(1.0));
  }
  return terms_of(m, row, logprob, entropy, x[2 * dims]);
}

static double row_loss(const Minibatch* m, int64_t row, const double* x) { return loss_of(m, row_terms(m, row, x)); }

static int64_t alive_rows(const Minibatch* m) {
  int64_t n = 0;
  for (int64_t row = 0; row < m->args.batch.rows; ++row) n += is_alive(m, row);
  return n;
}

// Central differences, except very close to a kink of the loss.
static void check_gradient(const Minibatch* m, int64_t row, double per_row) {
  double x[MAX_WIDTH];
  const int32_t width = 2 * m->args.batch.action_dims + 1;
  for (int32_t k = 0; k < width; ++k) x[k] = m->outputs[row * m->width + k];
  const double step = 1e-6;
  for (int32_t k = 0; k < width; ++k) {
    const double here = x[k], middle = row_loss(m, row, x);
    x[k] = here + step;
    const double above = row_loss(m, row, x);
    x[k] = here - step;
    const double below = row_loss(m, row, x);
    x[k] = here;
    if (fabs((above - middle) - (middle - below)) > 1e-9) continue;
    const double slope = (above - below) / (2.0 * step) * per_row;
    CHECK(fabs(slope - (double)m->gradients[row * m->width + k]) < 1e-5 * (per_row + fabs(slope)));
  }
}

static void check_minibatch(Minibatch* m) {
  PfcPpoLossStats stats;
  CHECK(pfc_ppo_loss(&m->args, NULL, &stats) == PFC_OK);
  const int64_t n = alive_rows(m);
  RowTerms sums = {0};
  double kl = 0.0;
  for (int64_t row = 0; row < m->args.batch.rows; ++row) {
    const bool alive = is_alive(m, row);
    for (int32_t k = 0; k < m->width; ++k) {
      if (k > 2 * m->args.batch.action_dims)
        CHECK(m->gradients[row * m->width + k] == 7.0f);
      else if (!alive)
        CHECK(m->gradients[row * m->width + k] == 0.0f);
    }
    if (!alive) continue;
    double x[MAX_WIDTH];
    for (int32_t k = 0; k <= 2 * m->args.batch.action_dims; ++k) x[k] = m->outputs[row * m->width + k];
    const RowTerms terms = row_terms(m, row, x);
    sums.policy += terms.policy, sums.value += terms.value, sums.entropy += terms.entropy;
    sums.log_ratio += terms.log_ratio, kl += exp(terms.log_ratio) - 1.0 - terms.log_ratio;
    CHECK(fabs((double)m->ratio[row] / exp(terms.log_ratio) - 1.0) < 1e-4);
    check_gradient(m, row, 1.0 / (double)n);
  }
  const double count = (double)n;
  CHECK(stats.count == n && fabs(stats.policy_loss - sums.policy / count) < 1e-5);
  CHECK(fabs(stats.value_loss - sums.value / count) < 1e-5 && fabs(stats.entropy - sums.entropy / count) < 1e-5);
  CHECK(fabs(stats.old_approx_kl + sums.log_ratio / count) < 1e-5 && fabs(stats.approx_kl - kl / count) < 1e-4);
  const double expected = stats.policy_loss + 0.5 * stats.value_loss - 0.01 * stats.entropy;
  CHECK(fabs(stats.loss - expected) < 1e-7);
}

static void test_loss(void) {
  for (int masked = 0; masked <= 1; ++masked)
    for (int32_t dims = 1; dims <= 8; dims += dims < 3 ? 1 : 5)
      for (int64_t rows = 1; rows <= 901; rows += 300) {
        Minibatch* m = make_minibatch(rows, dims, (uint64_t)(rows + dims));
        if (masked) m->alive[0] = 1, m->args.batch.alive = m->alive;
        if (rows > 300) m->args.settings.value_clip = 0.3f;
        if (rows > 600) m->args.settings.advantage_mean = 0.4f, m->args.settings.advantage_std = 1.3f;
        check_minibatch(m);
        free_minibatch(m);
      }
}

static void test_workers(void) {
  PfcPpoLossStats without, with;
  Minibatch *a = make_minibatch(5000, 3, 8), *b = make_minibatch(5000, 3, 8);
  CHECK(pfc_ppo_loss(&a->args, NULL, &without) == PFC_OK);
  for (int32_t threads = 2; threads <= 7; threads += 5) {
    PfcWorkers* workers = pfc_workers_create(threads, 1);
    CHECK(pfc_ppo_loss(&b->args, workers, &with) == PFC_OK);
    CHECK(memcmp(&without, &with, sizeof without) == 0);
    CHECK(memcmp(a->gradients, b->gradients, sizeof(float) * 5000 * (size_t)a->width) == 0);
    pfc_workers_destroy(workers);
  }
  free_minibatch(a), free_minibatch(b);
}

// Dead rows may contain anything. Without alive rows all results are 0.
static void test_dead(void) {
  PfcPpoLossStats clean, dirty;
  Minibatch *a = make_minibatch(333, 2, 9), *b = make_minibatch(333, 2, 9);
  a->args.batch.alive = a->alive, b->args.batch.alive = b->alive;
  for (int64_t row = 0; row < 333; ++row) {
    if (b->alive[row]) continue;
    for (int32_t k = 0; k < b->width; ++k) b->outputs[row * b->width + k] = k % 2 ? NAN : INFINITY;
    b->controls[2 * row] = NAN, b->advantages[row] = INFINITY, b->returns[row] = NAN, b->old_logprobs[row] = -1e30f;
  }
  CHECK(pfc_ppo_loss(&a->args, NULL, &clean) == PFC_OK);
  CHECK(pfc_ppo_loss(&b->args, NULL, &dirty) == PFC_OK);
  CHECK(memcmp(&clean, &dirty, sizeof clean) == 0);
  CHECK(memcmp(a->gradients, b->gradients, sizeof(float) * 333 * (size_t)a->width) == 0);
  memset(b->alive, 0, 333);
  CHECK(pfc_ppo_loss(&b->args, NULL, &dirty) == PFC_OK && dirty.loss == 0.0 && dirty.count == 0);
  free_minibatch(a), free_minibatch(b);
}

// A NaN reaches the loss and the gradient of its own row only.
static void test_nan(void) {
  for (int kind = 0; kind < 10; ++kind) {
    PfcPpoLossStats stats;
    Minibatch* m = make_minibatch(70, 2, 9);
    float* output = m->outputs + 40 * m->width;
    float* const target[] = {output,          output + 1,           output + 2,         output + 3,      output + 2,
                             m->controls + 80, m->old_logprobs + 40, m->advantages + 40, m->controls + 81, output};
    *target[kind] = kind == 4 || kind == 8 ? INFINITY : kind == 9 ? -INFINITY : NAN;
    CHECK(pfc_ppo_loss(&m->args, NULL, &stats) == PFC_OK && isnan(stats.loss));
    for (int64_t row = 0; row < 70; ++row)
      for (int32_t k = 0; k < 4; ++k) CHECK(row == 40 || isfinite(m->gradients[row * m->width + k]));
    CHECK(isnan(m->gradients[40 * m->width]) && isnan(m->gradients[40 * m->width + 2]));
    free_minibatch(m);
  }
}

// Actions far from the mean, and log_std beyond its limits: gradients stay finite, and are 0 where log_std is clamped.
static void test_extremes(void) {
  PfcPpoLossStats stats;
  Minibatch* m = make_minibatch(40, 1, 10);
  for (int64_t row = 0; row < 40; ++row) {
    m->advantages[row] = fabsf(m->advantages[row]) + 0.1f;
    m->outputs[row * m->width] = row % 2 ? 1e6f : -3e38f;
    m->outputs[row * m->width + 1] = row % 4 < 2 ? -1e30f : row % 8 < 6 ? 25.0f : -PFC_MAX_LOG_STD;
  }
  CHECK(pfc_ppo_loss(&m->args, NULL, &stats) == PFC_OK && isfinite(stats.loss));
  for (int64_t row = 0; row < 40; ++row) {
    const float* gradient = m->gradients + row * m->width;
    CHECK(isfinite(gradient[0]) && isfinite(gradient[1]));
    CHECK((gradient[1] == 0.0f) == (row % 4 < 2 || row % 8 < 6));
  }
  free_minibatch(m);
}

// Every compiler, machine and instruction set must give the same bits.
static void test_golden(void) {
  PfcPpoLossStats stats;
  Minibatch* m = make_minibatch(1000, 3, 2024);
  m->args.batch.alive = m->alive, m->args.settings.value_clip = 0.3f;
  m->args.settings.advantage_mean = 0.4f, m->args.settings.advantage_std = 1.7f;
  CHECK(pfc_ppo_loss(&m->args, NULL, &stats) == PFC_OK);
  CHECK(pfc_checksum(m->gradients, sizeof(float) * 1000 * (uint64_t)m->width) == 0x6e10a1953dd47193ull);
  CHECK(pfc_checksum(&stats, sizeof stats) == 0x05285fd266365179ull);
  free_minibatch(m);
}

static void test_refused(void) {
  PfcPpoLossStats stats;
  Minibatch* m = make_minibatch(60, 2, 6);
#define REFUSED(field, value, name)                            \
  do {                                                         \
    PfcPpoLossArgs args = m->args;                             \
    args.field = (value);                                      \
    CHECK(pfc_ppo_loss(&args, NULL, &stats) == PFC_INVALID);   \
    CHECK(strncmp(pfc_last_error(), name, strlen(name)) == 0); \
  } while (0)
  REFUSED(batch.rows, 0, "rows:");
  REFUSED(batch.action_dims, 0, "dims:");
  REFUSED(outputs.logits, NULL, "logits:");
  REFUSED(batch.actions, NULL, "actions:");
  REFUSED(outputs.grad_logits, NULL, "grad_logits:");
  REFUSED(outputs.logits_stride, 3, "logits_stride:");
  REFUSED(outputs.grad_logits_stride, 3, "grad_logits_stride:");
  REFUSED(outputs.values_stride, 0, "values_stride:");
  REFUSED(batch.returns, NULL, "returns:");
  REFUSED(settings.clip, NAN, "clip:");
  const uint32_t mask[60] = {0};
  REFUSED(batch.mask, mask, "mask:");
#undef REFUSED
  for (int64_t i = 0; i < 60 * m->width; ++i) CHECK(m->gradients[i] == 7.0f);
  free_minibatch(m);
}

int main(void) {
  test_loss();
  test_workers();
  test_dead();
  test_nan();
  test_extremes();
  test_golden();
  test_refused();
  return check_report();
}
