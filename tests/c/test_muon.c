// test_muon.c - Muon against plain loops in double precision, for every instruction set and odd shapes; the same bits
// for any number of workers; NaN propagates; invalid sizes.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/base.h"
#include "kernels/muon.h"
#include "pufferc/rng.h"

enum { STEPS = 3, ITERATIONS = 5 };

typedef struct Case {
  int64_t rows, columns, size;
  float *parameter, *average, *grads;  // grads [STEPS, size]
} Case;

static Case make_case(int64_t rows, int64_t columns) {
  Case c = {.rows = rows, .columns = columns, .size = rows * (columns ? columns : 1)};
  c.parameter = calloc((size_t)c.size, 4), c.average = calloc((size_t)c.size, 4);
  c.grads = calloc((size_t)(STEPS * c.size), 4);
  PfcRng rng;
  pfc_rng_seed(&rng, 5, (uint64_t)(rows * 1000 + columns));
  for (int64_t i = 0; i < c.size; ++i) c.parameter[i] = pfc_rng_uniform(&rng, -1.0f, 1.0f);
  for (int64_t i = 0; i < STEPS * c.size; ++i) c.grads[i] = pfc_rng_uniform(&rng, -1e-3f, 2e-3f);
  return c;
}

static void free_case(Case* c) { free(c->parameter), free(c->average), free(c->grads); }

static PfcMuonStep step_of(Case* c, int32_t step) {
  return (PfcMuonStep){.rows = c->rows,
                       .columns = c->columns,
                       .parameter = c->parameter,
                       .average = c->average,
                       .grad = c->grads + step * c->size,
                       .learning_rate = 0.1f,
                       .momentum = 0.9f,
                       .weight_decay = 0.02f,
                       .iterations = ITERATIONS};
}

// ---- reference -----------------------------------------------------------------------------------------

// x [rows, columns] <- a x + (b g + c g g) x, where g = x x'
static void iterate(double* x, int64_t rows, int64_t columns) {
  double *gram = calloc((size_t)(rows * rows), sizeof *gram), *square = calloc((size_t)(rows * rows), sizeof *square);
  double* next = calloc((size_t)(rows * columns), sizeof *next);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < rows; ++j)
      for (int64_t k = 0; k < columns; ++k) gram[i * rows + j] += x[i * columns + k] * x[j * columns + k];
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < rows; ++j)
      for (int64_t k = 0; k < rows; ++k) square[i * rows + j] += gram[i * rows + k] * gram[k * rows + j];
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) {
      next[i * columns + j] = 3.4445 * x[i * columns + j];
      for (int64_t k = 0; k < rows; ++k)
        next[i * columns + j] += (-4.7750 * gram[i * rows + k] + 2.0315 * square[i * rows + k]) * x[k * columns + j];
    }
  memcpy(x, next, sizeof *x * (size_t)(rows * columns));
  free(gram), free(square), free(next);
}

static void reference_step(const Case* c, int32_t step, double* parameter, double* average) {
  double *update = calloc((size_t)c->size, sizeof *update), norm = 0;
  for (int64_t i = 0; i < c->size; ++i) {
    const double grad = (double)c->grads[step * c->size + i];
    average[i] = 0.9 * average[i] + grad;
    update[i] = grad + 0.9 * average[i];
    norm += update[i] * update[i];
  }
  for (int64_t i = 0; c->columns && i < c->size; ++i) update[i] /= sqrt(norm);
  for (int32_t i = 0; c->columns && i < ITERATIONS; ++i) iterate(update, c->rows, c->columns);
  const double rate = c->columns ? 0.1 * sqrt(fmax(1.0, (double)c->rows / (double)c->columns)) : 0.1;
  for (int64_t i = 0; i < c->size; ++i)
    parameter[i] = (c->columns ? 1.0 - 0.1 * 0.02 : 1.0) * parameter[i] - rate * update[i];
  free(update);
}

// ---- tests ---------------------------------------------------------------------------------------------

// Largest error of the parameters' changes, relative to the largest change.
static double error_of(const Case* c, const float* before, const double* expected) {
  double largest = 0, error = 0;
  for (int64_t i = 0; i < c->size; ++i) {
    const double difference = fabs((double)c->parameter[i] - expected[i]);
    largest = fmax(largest, fabs(expected[i] - (double)before[i]));
    error = difference <= error ? error : difference;  // keeps a NaN
  }
  return error / largest;
}

static void test_against_loops(const PfcMatmulKernels* kernels, int64_t rows, int64_t columns) {
  Case c = make_case(rows, columns);
  const size_t size = (size_t)c.size;
  float* before = malloc(4 * size);
  double *parameter = calloc(size, sizeof *parameter), *average = calloc(size, sizeof *average);
  memcpy(before, c.parameter, 4 * size);
  for (size_t i = 0; i < size; ++i) parameter[i] = (double)c.parameter[i];
  PfcMuon* muon;
  CHECK(pfc_muon_create(kernels, &muon) == PFC_OK);
  for (int32_t step = 0; step < STEPS; ++step) {
    const PfcMuonStep args = step_of(&c, step);
    CHECK(pfc_muon_step(muon, &args, NULL) == PFC_OK);
    reference_step(&c, step, parameter, average);
  }
  // Newton-Schulz enlarges small singular values, and with them the rounding errors of bfloat16.
  CHECK(error_of(&c, before, parameter) < (kernels->bfloat16 && columns ? 5e-2 : 2e-4));
  for (size_t i = 0; i < size; ++i) CHECK(fabs((double)c.average[i] - average[i]) < 1e-8);
  pfc_muon_destroy(muon);
  free(before), free(parameter), free(average), free_case(&c);
}

static void test_workers(const PfcMatmulKernels* kernels, int64_t rows, int64_t columns) {
  Case serial = make_case(rows, columns);
  PfcMuon* muon;
  CHECK(pfc_muon_create(kernels, &muon) == PFC_OK);
  PfcMuonStep args = step_of(&serial, 0);
  CHECK(pfc_muon_step(muon, &args, NULL) == PFC_OK);
  for (int32_t threads = 2; threads <= 4; ++threads) {
    Case shared = make_case(rows, columns);
    PfcWorkers* workers = pfc_workers_create(threads, 1);
    args = step_of(&shared, 0);
    CHECK(pfc_muon_step(muon, &args, workers) == PFC_OK);
    CHECK(memcmp(serial.parameter, shared.parameter, 4 * (size_t)serial.size) == 0);
    pfc_workers_destroy(workers);
    free_case(&shared);
  }
  pfc_muon_destroy(muon);
  free_case(&serial);
}

// One optimizer for matrices of different sizes gives the same results as a new one for each.
static void test_sizes_in_turn(const PfcMatmulKernels* kernels) {
  static const int64_t shapes[][2] = {{9, 30}, {70, 65}, {130, 40}, {3, 5}, {50, 51}};
  PfcMuon* muon;
  CHECK(pfc_muon_create(kernels, &muon) == PFC_OK);
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; ++i) {
    Case used = make_case(shapes[i][0], shapes[i][1]), fresh = make_case(shapes[i][0], shapes[i][1]);
    PfcMuon* own;
    CHECK(pfc_muon_create(kernels, &own) == PFC_OK);
    PfcMuonStep args = step_of(&used, 0), model = step_of(&fresh, 0);
    CHECK(pfc_muon_step(muon, &args, NULL) == PFC_OK && pfc_muon_step(own, &model, NULL) == PFC_OK);
    CHECK(memcmp(used.parameter, fresh.parameter, 4 * (size_t)used.size) == 0);
    args = step_of(&used, 1), model = step_of(&fresh, 1);
    model.iterations = ITERATIONS - 1;
    CHECK(pfc_muon_step(muon, &args, NULL) == PFC_OK && pfc_muon_step(own, &model, NULL) == PFC_OK);
    CHECK(memcmp(used.parameter, fresh.parameter, 4 * (size_t)used.size) != 0);
    pfc_muon_destroy(own);
    free_case(&used), free_case(&fresh);
  }
  pfc_muon_destroy(muon);
}

// One NaN in a gradient reaches the whole matrix; a gradient of zeros changes nothing.
static void test_special_gradients(const PfcMatmulKernels* kernels) {
  Case c = make_case(9, 20);
  PfcMuon* muon;
  CHECK(pfc_muon_create(kernels, &muon) == PFC_OK);
  PfcMuonStep args = step_of(&c, 0);
  args.weight_decay = 0.0f;
  memset(c.grads, 0, 4 * (size_t)c.size);
  const float before = c.parameter[17];
  CHECK(pfc_muon_step(muon, &args, NULL) == PFC_OK);
  CHECK(c.parameter[17] == before);
  c.grads[3] = NAN;
  CHECK(pfc_muon_step(muon, &args, NULL) == PFC_OK);
  for (int64_t i = 0; i < c.size; ++i) CHECK(isnan(c.parameter[i]));
  pfc_muon_destroy(muon);
  free_case(&c);
}

static void test_refusals(void) {
  PfcMuon* muon;
  CHECK(pfc_muon_create(pfc_matmul_kernels(false, 0), &muon) == PFC_OK);
  PfcMuonStep args = {.rows = PFC_MUON_MAX_SIDE + 1, .columns = PFC_MUON_MAX_SIDE + 1};
  CHECK(pfc_muon_step(muon, &args, NULL) == PFC_INVALID && strstr(pfc_last_error(), "16384"));
  args.rows = 0;
  CHECK(pfc_muon_step(muon, &args, NULL) == PFC_INVALID);
  pfc_muon_destroy(muon);
  pfc_muon_destroy(NULL);
}

int main(void) {
  static const int64_t shapes[][2] = {{128, 118}, {4, 128}, {65, 3}, {1, 7},    {7, 1},
                                      {1, 1},     {50, 51}, {33, 0}, {256, 128}};
  for (int32_t bfloat16 = 0; bfloat16 <= 1; ++bfloat16)
    for (int32_t set = 0; pfc_matmul_kernels(bfloat16 != 0, set); ++set) {
      const PfcMatmulKernels* kernels = pfc_matmul_kernels(bfloat16 != 0, set);
      for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; ++i)
        test_against_loops(kernels, shapes[i][0], shapes[i][1]);
      test_workers(kernels, 128, 118);
      test_workers(kernels, 31, 100);
      test_sizes_in_turn(kernels);
      test_special_gradients(kernels);
    }
  test_refusals();
  return check_report();
}
