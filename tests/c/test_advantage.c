// test_advantage.c - advantages agree with a double-precision reference and have the same bits for any number of
// workers and on every machine; NaN; invalid arguments.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/base.h"
#include "kernels/advantage.h"

// A rollout with every kind of ending; args point into it.
typedef struct Rollout {
  PfcAdvantageArgs args;
  float *rewards, *values, *final_values, *ratio, *advantages;
  uint8_t *terminated, *truncated;
} Rollout;

static float* floats(PfcRng* rng, int64_t count, float low, float high) {
  float* x = malloc(sizeof *x * (size_t)count);
  for (int64_t i = 0; i < count; ++i) x[i] = pfc_rng_uniform(rng, low, high);
  return x;
}

static uint8_t* flags(PfcRng* rng, int64_t count, uint32_t one_in) {
  uint8_t* x = malloc((size_t)count);
  for (int64_t i = 0; i < count; ++i)
    x[i] = (uint8_t)(pfc_rng_below(rng, one_in) == 0 ? 1 + pfc_rng_below(rng, 255) : 0);
  return x;
}

static Rollout make_rollout(int64_t steps, int64_t rows, bool has_final, bool has_ratio, uint64_t seed) {
  PfcRng rng;
  pfc_rng_seed(&rng, seed, 0);
  const int64_t count = steps * rows;
  Rollout r = {.args = {.steps = steps, .rows = rows, .gamma = 0.97f, .gae_lambda = 0.9f}};
  r.args.rho_clip = 1.1f, r.args.c_clip = 0.95f;
  r.args.rewards = r.rewards = floats(&rng, count, -1.0f, 1.0f);
  r.args.values = r.values = floats(&rng, count + rows, -2.0f, 2.0f);
  r.args.terminated = r.terminated = flags(&rng, count, 7);
  r.args.truncated = r.truncated = flags(&rng, count, 5);
  r.args.final_values = r.final_values = has_final ? floats(&rng, count, -2.0f, 2.0f) : NULL;
  r.args.ratio = r.ratio = has_ratio ? floats(&rng, count, 0.3f, 1.8f) : NULL;
  r.args.advantages = r.advantages = floats(&rng, count, 9.0f, 9.0f);
  return r;
}

static void free_rollout(Rollout* r) {
  free(r->rewards), free(r->values), free(r->terminated), free(r->truncated);
  free(r->final_values), free(r->ratio), free(r->advantages);
}

// The definition, with branches and in double precision.
static double reference(const PfcAdvantageArgs* a, int64_t t, int64_t row, double next) {
  const int64_t at = t * a->rows + row;
  double after = a->values[at + a->rows];
  if (a->truncated[at] && a->final_values) after = a->final_values[at];
  if (a->terminated[at]) after = 0.0;
  double rho = 1.0, c = 1.0;
  if (a->ratio) rho = fmin(a->ratio[at], a->rho_clip), c = fmin(a->ratio[at], a->c_clip);
  const double delta = rho * (a->rewards[at] + (double)a->gamma * after - a->values[at]);
  if (a->terminated[at] || a->truncated[at]) return delta;
  return delta + (double)a->gamma * (double)a->gae_lambda * c * next;
}

static double largest_error(const PfcAdvantageArgs* a) {
  double largest = 0.0;
  for (int64_t row = 0; row < a->rows; ++row) {
    double next = 0.0;
    for (int64_t t = a->steps - 1; t >= 0; --t) {
      next = reference(a, t, row, next);
      const double error = fabs(next - (double)a->advantages[t * a->rows + row]);
      largest = error <= largest ? largest : error;  // keeps a NaN
    }
  }
  return largest;
}

static bool same_with_workers(const PfcAdvantageArgs* args, PfcWorkers* workers) {
  PfcAdvantageArgs other = *args;
  const size_t bytes = sizeof(float) * (size_t)(args->steps * args->rows);
  other.advantages = malloc(bytes);
  const bool same = pfc_advantage(&other, workers) == PFC_OK && memcmp(other.advantages, args->advantages, bytes) == 0;
  free(other.advantages);
  return same;
}

static void test_parity(PfcWorkers* const* workers, int num_workers) {
  static const int64_t steps[] = {1, 2, 7, 8, 9, 64, 131}, rows[] = {1, 2, 15, 16, 17, 511, 512, 513, 1600};
  for (int i = 0; i < 7; ++i)
    for (int j = 0; j < 9; ++j)
      for (int kind = 0; kind < 4; ++kind) {
        Rollout r = make_rollout(steps[i], rows[j], kind & 1, kind & 2, (uint64_t)(i * 100 + j * 10 + kind));
        CHECK(pfc_advantage(&r.args, NULL) == PFC_OK);
        CHECK(largest_error(&r.args) < 2e-5);
        for (int k = 0; k < num_workers; ++k) CHECK(same_with_workers(&r.args, workers[k]));
        free_rollout(&r);
      }
}

// NaN in numbers that must not be used changes nothing; NaN in used numbers shows in the result.
static void test_nan(void) {
  Rollout r = make_rollout(9, 40, true, true, 77);
  for (int64_t at = 0; at < 9 * 40; ++at) {
    if (r.terminated[at] || !r.truncated[at]) r.final_values[at] = NAN;
    if (r.terminated[at] || r.truncated[at]) {
      if (at >= 8 * 40) r.values[at + 40] = NAN;  // value after the last step; the next row uses the others
    }
  }
  CHECK(pfc_advantage(&r.args, NULL) == PFC_OK);
  CHECK(largest_error(&r.args) < 1e-5);

  memset(r.terminated, 0, 9 * 40), memset(r.truncated, 0, 9 * 40);
  r.terminated[4 * 40 + 3] = 1;
  r.rewards[6 * 40 + 3] = NAN;   // after the end of the episode: no effect on earlier steps
  r.ratio[2 * 40 + 5] = NAN;     // no end: reaches every earlier step
  r.values[9 * 40 + 6] = NAN;
  CHECK(pfc_advantage(&r.args, NULL) == PFC_OK);
  for (int64_t t = 0; t < 9; ++t) {
    CHECK(isnan(r.advantages[t * 40 + 3]) == (t == 5 || t == 6));
    CHECK(isnan(r.advantages[t * 40 + 5]) == (t <= 2));
    CHECK(isnan(r.advantages[t * 40 + 6]));
  }
  free_rollout(&r);
}

static void test_known(void) {
  const float rewards[] = {1, 2, 3}, values[] = {0.5f, 1, -1, 4}, final_values[] = {100, 8, 100};
  const uint8_t none[] = {0, 0, 0}, middle[] = {0, 1, 0}, last[] = {0, 0, 1};
  float a[3];
  PfcAdvantageArgs args = {.steps = 3, .rows = 1, .rewards = rewards, .values = values};
  args.terminated = last, args.truncated = middle, args.final_values = final_values;
  args.advantages = a, args.gamma = args.gae_lambda = 0.5f;
  CHECK(pfc_advantage(&args, NULL) == PFC_OK);
  CHECK(a[2] == 4.0f && a[1] == 5.0f && a[0] == 1.0f + 0.25f * 5.0f);
  args.final_values = NULL;
  CHECK(pfc_advantage(&args, NULL) == PFC_OK && a[1] == 0.5f);
  args.terminated = none, args.truncated = none;
  CHECK(pfc_advantage(&args, NULL) == PFC_OK && a[2] == 6.0f && a[1] == 0.5f + 0.25f * 6.0f);
  args.terminated = args.truncated = middle, args.final_values = final_values;  // terminated wins
  CHECK(pfc_advantage(&args, NULL) == PFC_OK && a[1] == 1.0f);
}

// Every compiler, machine and instruction set must give the same bits.
static void test_golden(void) {
  Rollout r = make_rollout(64, 1000, true, true, 2024);
  CHECK(pfc_advantage(&r.args, NULL) == PFC_OK);
  CHECK(pfc_checksum(r.advantages, 64 * 1000 * sizeof(float)) == 0xf409bc257e3758a8ull);
  free_rollout(&r);
}

static bool refused(PfcAdvantageArgs args, const char* name) {
  return pfc_advantage(&args, NULL) == PFC_INVALID && strncmp(pfc_last_error(), name, strlen(name)) == 0;
}

static void test_refused(void) {
  Rollout r = make_rollout(3, 5, false, false, 1);
#define REFUSED(field, wrong, name)       \
  do {                                    \
    PfcAdvantageArgs args = r.args;       \
    args.field = (wrong);                 \
    CHECK(refused(args, name ":"));       \
  } while (0)
  REFUSED(steps, 0, "rewards");
  REFUSED(rows, -1, "rewards");
  REFUSED(steps, INT64_MAX, "rewards");
  REFUSED(rows, INT64_MAX, "rewards");
  REFUSED(rewards, NULL, "rewards");
  REFUSED(values, NULL, "values");
  REFUSED(terminated, NULL, "terminated");
  REFUSED(truncated, NULL, "truncated");
  REFUSED(advantages, NULL, "advantages");
  REFUSED(gamma, 1.01f, "gamma");
  REFUSED(gamma, NAN, "gamma");
  REFUSED(gae_lambda, -0.1f, "gae_lambda");
  REFUSED(rho_clip, NAN, "rho_clip");
  REFUSED(c_clip, -1.0f, "c_clip");
#undef REFUSED
  for (int i = 0; i < 15; ++i) CHECK(r.advantages[i] == 9.0f);
  r.args.rho_clip = r.args.c_clip = INFINITY;
  CHECK(pfc_advantage(&r.args, NULL) == PFC_OK);
  free_rollout(&r);
}

int main(void) {
  PfcWorkers* workers[] = {pfc_workers_create(1, 1), pfc_workers_create(2, 1), pfc_workers_create(7, 1)};
  test_known();
  test_parity(workers, 3);
  test_nan();
  test_golden();
  test_refused();
  for (int i = 0; i < 3; ++i) pfc_workers_destroy(workers[i]);
  return check_report();
}
