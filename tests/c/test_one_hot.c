// test_one_hot.c - the layer over one-hot codes against plain loops over explicit one-hot vectors in double precision:
// outputs and gradients for odd sizes, cells with different numbers of codes, the same bits for any number of workers,
// codes that are too large.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "networks/one_hot.h"
#include "pufferc/rng.h"

typedef struct Case {
  PfcOneHot b;
  uint8_t* codes;
  int32_t* offsets;
  float *table, *bias, *y, *grad_y, *grad_table, *grad_bias;
} Case;

static float* random_floats(PfcRng* rng, int64_t count) {
  float* x = malloc(sizeof *x * (size_t)(count + 1));
  for (int64_t i = 0; i < count; ++i) x[i] = pfc_rng_uniform(rng, -1.0f, 1.0f);
  return x;
}

enum { MIXED = 0, MOST_CODES = 256 };

// The largest code of a cell; of all cells if num_codes is not MIXED.
static int32_t max_code(int32_t cell, int32_t num_codes) {
  static const int32_t mixed[] = {1, 31, 4, 2, MOST_CODES - 1};
  return num_codes == MIXED ? mixed[cell % 5] : num_codes - 1;
}

// `density` % of the cells have a code other than 0.
static Case make_case(int64_t rows, int32_t cells, int32_t num_codes, int32_t width, uint32_t density) {
  PfcRng rng;
  pfc_rng_seed(&rng, (uint64_t)(rows * 1000 + cells), (uint64_t)width);
  Case c = {0};
  c.offsets = malloc(sizeof *c.offsets * (size_t)(cells + 1));
  c.offsets[0] = 0;
  for (int32_t i = 0; i < cells; ++i) c.offsets[i + 1] = c.offsets[i] + max_code(i, num_codes);
  c.codes = malloc((size_t)(rows * cells + 1));
  for (int64_t i = 0; i < rows * cells; ++i) {
    const uint32_t largest = (uint32_t)max_code((int32_t)(i % cells), num_codes);
    c.codes[i] = pfc_rng_below(&rng, 100) < density ? (uint8_t)(1 + pfc_rng_below(&rng, largest)) : 0;
  }
  c.b = (PfcOneHot){.codes = c.codes, .offsets = c.offsets, .rows = rows, .cells = cells, .width = width};
  const int64_t entries = c.offsets[cells];
  c.table = random_floats(&rng, entries * width), c.bias = random_floats(&rng, width);
  c.grad_y = random_floats(&rng, rows * width);
  c.y = random_floats(&rng, rows * width);  // must be overwritten, like the gradients
  c.grad_table = random_floats(&rng, entries * width), c.grad_bias = random_floats(&rng, width);
  return c;
}

static void free_case(Case* c) {
  free(c->codes), free(c->offsets), free(c->table), free(c->bias), free(c->y);
  free(c->grad_y), free(c->grad_table), free(c->grad_bias);
}

static int64_t entries_of(const Case* c) { return c->b.offsets[c->b.cells]; }

static double one_hot(const Case* c, int64_t row, int64_t entry) {
  int32_t cell = 0;
  while (c->offsets[cell + 1] <= entry) ++cell;
  return c->codes[row * c->b.cells + cell] == 1 + entry - c->offsets[cell] ? 1.0 : 0.0;
}

static void check_forward(const Case* c, bool relu) {
  const int64_t entries = entries_of(c);
  for (int64_t row = 0; row < c->b.rows; ++row)
    for (int64_t j = 0; j < c->b.width; ++j) {
      double y = (double)c->bias[j];
      for (int64_t e = 0; e < entries; ++e) y += one_hot(c, row, e) * (double)c->table[e * c->b.width + j];
      if (relu && y < 0.0) y = 0.0;
      CHECK(fabs((double)c->y[row * c->b.width + j] - y) < 1e-4);
    }
}

static void check_backward(const Case* c) {
  const int64_t entries = entries_of(c);
  for (int64_t j = 0; j < c->b.width; ++j) {
    double bias = 0.0;
    for (int64_t row = 0; row < c->b.rows; ++row) bias += (double)c->grad_y[row * c->b.width + j];
    CHECK(fabs((double)c->grad_bias[j] - bias) < 1e-3);
    for (int64_t e = 0; e < entries; ++e) {
      double sum = 0.0;
      for (int64_t row = 0; row < c->b.rows; ++row) sum += one_hot(c, row, e) * (double)c->grad_y[row * c->b.width + j];
      CHECK(fabs((double)c->grad_table[e * c->b.width + j] - sum) < 1e-3);
    }
  }
}

static void test_against_loops(int64_t rows, int32_t cells, int32_t num_codes, int32_t width, uint32_t density) {
  Case c = make_case(rows, cells, num_codes, width, density);
  for (int relu = 0; relu <= 1; ++relu) {
    CHECK(pfc_one_hot_forward(&c.b, c.table, c.bias, relu != 0, c.y, NULL) == PFC_OK);
    check_forward(&c, relu != 0);
  }
  CHECK(pfc_one_hot_backward(&c.b, c.grad_y, c.grad_table, c.grad_bias, NULL) == PFC_OK);
  check_backward(&c);
  free_case(&c);
}

static void test_any_workers_give_the_same_bits(int32_t num_codes, int32_t width) {
  Case one = make_case(300, 121, num_codes, width, 20), many = make_case(300, 121, num_codes, width, 20);
  const size_t table_bytes = sizeof(float) * (size_t)(entries_of(&one) * width);
  const size_t row_bytes = sizeof(float) * (size_t)width;
  CHECK(pfc_one_hot_forward(&one.b, one.table, one.bias, true, one.y, NULL) == PFC_OK);
  CHECK(pfc_one_hot_backward(&one.b, one.grad_y, one.grad_table, one.grad_bias, NULL) == PFC_OK);
  for (int32_t threads = 1; threads <= 7; ++threads) {
    PfcWorkers* workers = pfc_workers_create(threads, 1);
    memset(many.y, 0xff, 300 * row_bytes);
    memset(many.grad_table, 0xff, table_bytes);
    memset(many.grad_bias, 0xff, row_bytes);
    CHECK(pfc_one_hot_forward(&many.b, many.table, many.bias, true, many.y, workers) == PFC_OK);
    CHECK(pfc_one_hot_backward(&many.b, many.grad_y, many.grad_table, many.grad_bias, workers) == PFC_OK);
    CHECK(memcmp(one.y, many.y, 300 * row_bytes) == 0);
    CHECK(memcmp(one.grad_table, many.grad_table, table_bytes) == 0);
    CHECK(memcmp(one.grad_bias, many.grad_bias, row_bytes) == 0);
    pfc_workers_destroy(workers);
  }
  free_case(&one), free_case(&many);
}

static void test_codes_that_are_too_large(void) {
  Case c = make_case(70, 12, 4, 16, 50);
  c.codes[65 * 12 + 7] = 4;
  CHECK(pfc_one_hot_forward(&c.b, c.table, c.bias, false, c.y, NULL) == PFC_INVALID);
  CHECK(strstr(pfc_last_error(), "expected 0 to 3, got 4 in row 65, cell 7") != NULL);
  CHECK(pfc_one_hot_backward(&c.b, c.grad_y, c.grad_table, c.grad_bias, NULL) == PFC_INVALID);
  c.codes[65 * 12 + 7] = 255;  // -1 in an int8
  CHECK(pfc_one_hot_forward(&c.b, c.table, c.bias, false, c.y, NULL) == PFC_INVALID);
  free_case(&c);
  c = make_case(4, 10, MIXED, 16, 50);  // the largest code of cell 7 is 4, that of the next cell 2
  memset(c.codes, 0, 40);
  c.codes[2 * 10 + 7] = 4, c.codes[2 * 10 + 8] = 2;
  CHECK(pfc_one_hot_forward(&c.b, c.table, c.bias, false, c.y, NULL) == PFC_OK);
  c.codes[2 * 10 + 8] = 3;
  CHECK(pfc_one_hot_forward(&c.b, c.table, c.bias, false, c.y, NULL) == PFC_INVALID);
  CHECK(strstr(pfc_last_error(), "expected 0 to 2, got 3 in row 2, cell 8") != NULL);
  CHECK(pfc_one_hot_backward(&c.b, c.grad_y, c.grad_table, c.grad_bias, NULL) == PFC_INVALID);
  free_case(&c);
}

static void test_nan_passes_through(void) {
  Case c = make_case(3, 8, 3, 20, 0);
  c.codes[8 + 5] = 1;
  for (int32_t j = 0; j < 20; ++j) c.table[(5 * 2) * 20 + j] = NAN;
  CHECK(pfc_one_hot_forward(&c.b, c.table, c.bias, true, c.y, NULL) == PFC_OK);
  for (int32_t j = 0; j < 20; ++j) CHECK(!isnan(c.y[j]) && isnan(c.y[20 + j]) && !isnan(c.y[40 + j]));
  free_case(&c);
}

int main(void) {
  test_against_loops(1, 1, 2, 1, 100);
  test_against_loops(5, 7, 4, 17, 50);
  test_against_loops(130, 9, 3, 64, 30);
  test_against_loops(65, 121, 6, 72, 10);
  test_against_loops(3, 600, 3, 130, 100);  // more codes per row than the kernel adds at once
  test_against_loops(40, 121, 6, 33, 0);
  test_against_loops(70, 23, MIXED, 72, 60);
  test_against_loops(1, 5, MIXED, 16, 100);
  Case none = make_case(0, 4, 3, 8, 50);
  CHECK(pfc_one_hot_forward(&none.b, none.table, none.bias, false, none.y, NULL) == PFC_OK);
  CHECK(pfc_one_hot_backward(&none.b, none.grad_y, none.grad_table, none.grad_bias, NULL) == PFC_OK);
  for (int32_t i = 0; i < 4 * 2 * 8; ++i) CHECK(none.grad_table[i] == 0.0f);
  free_case(&none);
  test_any_workers_give_the_same_bits(6, 128);
  test_any_workers_give_the_same_bits(MIXED, 128);
  test_any_workers_give_the_same_bits(6, 97);  // a prime, so slices have different widths
  test_codes_that_are_too_large();
  test_nan_passes_through();
  return check_report();
}
