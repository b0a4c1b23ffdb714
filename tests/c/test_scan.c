// test_scan.c - the scan of minimal gated recurrent units against a loop in double precision, gradients against finite
// differences; episode starts anywhere, odd sizes, extreme gates, NaN, the same bits for any number of workers.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/base.h"
#include "networks/scan.h"
#include "pufferc/rng.h"

typedef struct Case {
  int64_t steps, rows, units;
  float *pre, *initial, *states, *grad_states, *grad_pre, *grad_initial;
  uint8_t* starts;
} Case;

static float* random_floats(PfcRng* rng, int64_t count, float scale) {
  float* x = malloc(sizeof *x * (size_t)count + 4);
  for (int64_t i = 0; i < count; ++i) x[i] = pfc_rng_uniform(rng, -scale, scale);
  return x;
}

// starts: every `period` steps on average; 0 = none.
static Case make_case(int64_t steps, int64_t rows, int64_t units, int32_t period) {
  PfcRng rng;
  pfc_rng_seed(&rng, 3, (uint64_t)(steps * 100 + period));
  const int64_t states = steps * rows * units;
  Case c = {.steps = steps, .rows = rows, .units = units};
  c.pre = random_floats(&rng, 2 * states, 4.0f), c.initial = random_floats(&rng, rows * units, 2.0f);
  c.states = random_floats(&rng, states, 1.0f), c.grad_states = random_floats(&rng, states, 1.0f);
  c.grad_pre = random_floats(&rng, 2 * states, 1.0f), c.grad_initial = random_floats(&rng, rows * units, 1.0f);
  c.starts = period ? malloc((size_t)(steps * rows)) : NULL;
  for (int64_t i = 0; period && i < steps * rows; ++i)
    c.starts[i] = pfc_rng_uniform(&rng, 0.0f, 1.0f) * (float)period <= 1.0f;
  return c;
}

static void free_case(Case* c) {
  free(c->pre), free(c->initial), free(c->states), free(c->grad_states), free(c->grad_pre), free(c->grad_initial);
  free(c->starts);
}

static PfcScanArgs args_of(const Case* c) {
  return (PfcScanArgs){.steps = c->steps,
                       .rows = c->rows,
                       .units = c->units,
                       .pre = c->pre,
                       .initial = c->initial,
                       .starts = c->starts,
                       .states = c->states,
                       .grad_states = c->grad_states,
                       .grad_pre = c->grad_pre,
                       .grad_initial = c->grad_initial};
}

// States of one unit of one row by the definition; `loss` is the sum of grad_states times states.
static double reference_unit(const Case* c, int64_t row, int64_t unit, const double* pre, double initial,
                             double* states) {
  double h = initial, loss = 0;
  for (int64_t t = 0; t < c->steps; ++t) {
    if (c->starts && c->starts[t * c->rows + row]) h = 0;
    const double z = 1.0 / (1.0 + exp(-pre[2 * t]));
    h = (1.0 - z) * h + z * pre[2 * t + 1];
    if (states) states[t] = h;
    loss += h * (double)c->grad_states[(t * c->rows + row) * c->units + unit];
  }
  return loss;
}

static void check_unit(const Case* c, int64_t row, int64_t unit) {
  double *pre = malloc(sizeof *pre * 2 * (size_t)c->steps), *states = malloc(sizeof *states * (size_t)c->steps);
  const double initial = (double)c->initial[row * c->units + unit], step = 1e-5;
  for (int64_t t = 0; t < c->steps; ++t) {
    const float* from = c->pre + (t * c->rows + row) * 2 * c->units + unit;
    pre[2 * t] = (double)from[0], pre[2 * t + 1] = (double)from[c->units];
  }
  reference_unit(c, row, unit, pre, initial, states);
  for (int64_t t = 0; t < c->steps; ++t)
    CHECK(fabs((double)c->states[(t * c->rows + row) * c->units + unit] - states[t]) < 4e-6);
  for (int64_t i = 0; i < 2 * c->steps; ++i) {
    const double here = pre[i];
    pre[i] = here + step;
    double slope = reference_unit(c, row, unit, pre, initial, NULL);
    pre[i] = here - step;
    slope = (slope - reference_unit(c, row, unit, pre, initial, NULL)) / (2 * step);
    pre[i] = here;
    const float got = c->grad_pre[((i / 2) * c->rows + row) * 2 * c->units + (i % 2) * c->units + unit];
    CHECK(fabs((double)got - slope) < 2e-5);
  }
  const double slope = (reference_unit(c, row, unit, pre, initial + step, NULL) -
                        reference_unit(c, row, unit, pre, initial - step, NULL)) /
                       (2 * step);
  CHECK(fabs((double)c->grad_initial[row * c->units + unit] - slope) < 2e-5);
  free(pre), free(states);
}

static void test_against_loops(int64_t steps, int64_t rows, int64_t units, int32_t period) {
  Case c = make_case(steps, rows, units, period);
  const PfcScanArgs args = args_of(&c);
  CHECK(pfc_scan_check(&args) == PFC_OK);
  pfc_scan(&args, NULL);
  pfc_scan_backward(&args, NULL);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t unit = 0; unit < units; ++unit) check_unit(&c, row, unit);
  free_case(&c);
}

static void test_workers(void) {
  Case alone = make_case(9, 131, 17, 4);
  PfcScanArgs args = args_of(&alone);
  pfc_scan(&args, NULL);
  pfc_scan_backward(&args, NULL);
  const size_t states = (size_t)(alone.steps * alone.rows * alone.units), rows = (size_t)(alone.rows * alone.units);
  for (int32_t threads = 2; threads <= 4; ++threads) {
    Case shared = make_case(9, 131, 17, 4);
    PfcWorkers* workers = pfc_workers_create(threads, 1);
    args = args_of(&shared);
    pfc_scan(&args, workers);
    pfc_scan_backward(&args, workers);
    CHECK(memcmp(alone.states, shared.states, 4 * states) == 0);
    CHECK(memcmp(alone.grad_pre, shared.grad_pre, 8 * states) == 0);
    CHECK(memcmp(alone.grad_initial, shared.grad_initial, 4 * rows) == 0);
    pfc_workers_destroy(workers);
    free_case(&shared);
  }
  free_case(&alone);
}

// Fully open and closed gates: states are exact and gradients finite. NaN stays in its own unit and does not pass the
// start of an episode.
static void test_extremes(void) {
  Case c = make_case(4, 1, 3, 0);
  uint8_t starts[] = {0, 0, 1, 0};
  for (int64_t t = 0; t < c.steps; ++t) c.pre[t * 6] = 1e30f, c.pre[t * 6 + 1] = -1e30f;
  c.pre[2] = NAN;
  PfcScanArgs args = args_of(&c);
  args.starts = starts;
  pfc_scan(&args, NULL);
  pfc_scan_backward(&args, NULL);
  for (int64_t t = 0; t < c.steps; ++t) {
    CHECK(c.states[t * 3] == c.pre[t * 6 + 3]);
    CHECK(fabsf(c.states[t * 3 + 1] - (t < 2 ? c.initial[1] : 0.0f)) < 1e-30f);
    CHECK((isnan(c.states[t * 3 + 2]) != 0) == (t < 2));
    CHECK(fabsf(c.grad_pre[t * 6]) < 1e-30f && fabsf(c.grad_pre[t * 6 + 1]) < 1e-30f);
  }
  CHECK(isnan(c.grad_pre[2]) && !isnan(c.grad_pre[3 * 6 + 2]));
  free_case(&c);
}

// A nearly open gate keeps a small part of the old state with full precision.
static void test_digits(void) {
  float pre[] = {30.0f, 0.0f}, initial = 3.0f, state = 0.0f;
  const PfcScanArgs args = {.steps = 1, .rows = 1, .units = 1, .pre = pre, .initial = &initial, .states = &state};
  pfc_scan(&args, NULL);
  CHECK(fabs((double)state / (3.0 * exp(-30.0)) - 1.0) < 1e-5);
}

static void test_refusals(void) {
  PfcScanArgs args = {.steps = -1, .rows = 2, .units = 3};
  CHECK(pfc_scan_check(&args) == PFC_INVALID && strstr(pfc_last_error(), "steps"));
  args = (PfcScanArgs){.steps = INT32_MAX, .rows = 1 << 20, .units = 1 << 20};
  CHECK(pfc_scan_check(&args) == PFC_INVALID && strstr(pfc_last_error(), "units"));
  args = (PfcScanArgs){.steps = 0, .rows = 0, .units = 0};
  CHECK(pfc_scan_check(&args) == PFC_OK);
  pfc_scan(&args, NULL);
}

int main(void) {
  for (int32_t period = 0; period <= 3; ++period) {
    test_against_loops(1, 5, 7, period);
    test_against_loops(2, 1, 1, period);
    test_against_loops(17, 19, 33, period);
    test_against_loops(64, 2, 128, period);
  }
  test_workers();
  test_extremes();
  test_digits();
  test_refusals();
  return check_report();
}
