// test_mlp.c - the multi-layer perceptron against plain loops in double precision: outputs and gradients for every
// instruction set and odd sizes; the same bits for any number of workers; NaN propagates; invalid arguments.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/base.h"
#include "near.h"
#include "networks/mlp.h"
#include "pufferc/rng.h"

enum { MAX_LAYERS = 3 };

typedef struct Net {
  int32_t layers, widths[MAX_LAYERS + 1];
} Net;

// A network, a batch, and gradients of the kernel and of the loops.
typedef struct Case {
  Net net;
  bool bfloat16;
  int64_t rows;
  float *weight[MAX_LAYERS], *bias[MAX_LAYERS], *grad_weight[MAX_LAYERS], *grad_bias[MAX_LAYERS];
  double *expected_weight[MAX_LAYERS], *expected_bias[MAX_LAYERS];
  float *x, *outputs, *grad_outputs;
  uint16_t* x_bfloat16;
  double* expected_outputs;
} Case;

static double rounded(const Case* c, double x) { return c->bfloat16 ? (double)nearest_bfloat16((float)x) : x; }

static float* random_floats(PfcRng* rng, int64_t count, float scale) {
  float* x = malloc(sizeof *x * (size_t)count);
  for (int64_t i = 0; i < count; ++i) x[i] = pfc_rng_uniform(rng, -scale, scale);
  return x;
}

static void set_input(Case* c, int64_t at, float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  c->x[at] = x;
  c->x_bfloat16[at] = (uint16_t)(bits >> 16);
}

static const void* inputs(const Case* c) { return c->bfloat16 ? (const void*)c->x_bfloat16 : (const void*)c->x; }

static Case* make_case(const Net* net, bool bfloat16, int64_t rows) {
  Case* c = calloc(1, sizeof *c);
  PfcRng rng;
  pfc_rng_seed(&rng, 11, (uint64_t)rows);
  *c = (Case){.net = *net, .bfloat16 = bfloat16, .rows = rows};
  for (int32_t l = 0; l < net->layers; ++l) {
    const int64_t in = net->widths[l], out = net->widths[l + 1];
    c->weight[l] = random_floats(&rng, in * out, 1.5f / sqrtf((float)in));
    c->bias[l] = random_floats(&rng, out, 0.3f);
    c->grad_weight[l] = random_floats(&rng, in * out, 1.0f);
    c->grad_bias[l] = random_floats(&rng, out, 1.0f);
    c->expected_weight[l] = calloc((size_t)(in * out), sizeof(double));
    c->expected_bias[l] = calloc((size_t)out, sizeof(double));
  }
  const int64_t in = net->widths[0], out = net->widths[net->layers];
  c->x = random_floats(&rng, rows * in, 1.0f);
  c->x_bfloat16 = malloc(2 * (size_t)(rows * in));
  for (int64_t i = 0; i < rows * in; ++i) set_input(c, i, bfloat16 ? nearest_bfloat16(c->x[i]) : c->x[i]);
  c->outputs = random_floats(&rng, rows * out, 1.0f);
  c->grad_outputs = random_floats(&rng, rows * out, 1.0f / (float)rows);
  c->expected_outputs = calloc((size_t)(rows * out), sizeof(double));
  return c;
}

static void free_case(Case* c) {
  for (int32_t l = 0; l < c->net.layers; ++l) {
    free(c->weight[l]), free(c->bias[l]), free(c->grad_weight[l]), free(c->grad_bias[l]);
    free(c->expected_weight[l]), free(c->expected_bias[l]);
  }
  free(c->x), free(c->x_bfloat16), free(c->outputs), free(c->grad_outputs), free(c->expected_outputs), free(c);
}

// ---- reference -----------------------------------------------------------------------------------------

// Outputs and gradients of one row, rounded where the kernel stores bfloat16.
static void reference_row(Case* c, int64_t row) {
  const Net* net = &c->net;
  double y[MAX_LAYERS + 1][320], grad[320], below[320];
  for (int32_t k = 0; k < net->widths[0]; ++k) y[0][k] = (double)c->x[row * net->widths[0] + k];
  for (int32_t l = 0; l < net->layers; ++l)
    for (int32_t j = 0; j < net->widths[l + 1]; ++j) {
      double sum = (double)c->bias[l][j];
      for (int32_t k = 0; k < net->widths[l]; ++k) {
        const double weight = (double)c->weight[l][(int64_t)j * net->widths[l] + k];
        sum += y[l][k] * (l + 1 == net->layers ? weight : rounded(c, weight));
      }
      y[l + 1][j] = l + 1 == net->layers ? sum : rounded(c, sum < 0 ? 0 : sum);
    }
  const int32_t outs = net->widths[net->layers];
  memcpy(c->expected_outputs + row * outs, y[net->layers], sizeof(double) * (size_t)outs);
  for (int32_t j = 0; j < outs; ++j) grad[j] = (double)c->grad_outputs[row * outs + j];
  for (int32_t l = net->layers - 1; l >= 0; --l) {
    memset(below, 0, sizeof below);
    for (int32_t j = 0; j < net->widths[l + 1]; ++j) {
      const double g = rounded(c, grad[j]);
      c->expected_bias[l][j] += grad[j];
      for (int32_t k = 0; k < net->widths[l]; ++k) {
        c->expected_weight[l][(int64_t)j * net->widths[l] + k] += g * y[l][k];
        below[k] += g * rounded(c, (double)c->weight[l][(int64_t)j * net->widths[l] + k]);
      }
    }
    for (int32_t k = 0; k < net->widths[l]; ++k) grad[k] = y[l][k] > 0 ? below[k] : 0;
  }
}

static PfcMlp* make_mlp(const Case* c, const PfcMatmulKernels* kernels) {
  PfcMlp* mlp;
  CHECK(pfc_mlp_create(kernels, NULL, c->net.widths, c->net.layers, &mlp) == PFC_OK);
  for (int32_t l = 0; l < c->net.layers; ++l) pfc_mlp_set_layer(mlp, l, c->weight[l], c->bias[l]);
  return mlp;
}

static void run(Case* c, PfcMlp* mlp, PfcWorkers* workers) {
  CHECK(pfc_mlp_forward(mlp, inputs(c), c->rows, true, c->outputs, workers) == PFC_OK);
  CHECK(pfc_mlp_backward(mlp, inputs(c), c->rows, c->grad_outputs, c->grad_weight, c->grad_bias, workers) == PFC_OK);
}

// ---- tests ---------------------------------------------------------------------------------------------

static void test_against_loops(const PfcMatmulKernels* kernels, const Net* net, int64_t rows) {
  Case* c = make_case(net, kernels->bfloat16, rows);
  for (int64_t row = 0; row < rows; ++row) reference_row(c, row);
  PfcMlp* mlp = make_mlp(c, kernels);
  run(c, mlp, NULL);
  // A sum close to the midpoint of two bfloat16 numbers may round the other way.
  const double tolerance = kernels->bfloat16 ? 8e-3 : 2e-5;
  CHECK(near(c->outputs, c->expected_outputs, rows * net->widths[net->layers], tolerance));
  for (int32_t l = 0; l < net->layers; ++l) {
    const int64_t outs = net->widths[l + 1];
    CHECK(near(c->grad_weight[l], c->expected_weight[l], outs * net->widths[l], tolerance));
    CHECK(near(c->grad_bias[l], c->expected_bias[l], outs, tolerance));
  }
  // With a single layer, only the remainders of the split weights are rounded.
  if (net->layers == 1) CHECK(near(c->outputs, c->expected_outputs, rows * net->widths[1], 1e-4));
  // A forward pass for acting gives the same outputs and keeps the activations of the last training pass.
  float* again = calloc((size_t)(rows * net->widths[net->layers]), 4);
  CHECK(pfc_mlp_forward(mlp, inputs(c), rows, false, again, NULL) == PFC_OK);
  CHECK(memcmp(again, c->outputs, 4 * (size_t)(rows * net->widths[net->layers])) == 0);
  free(again);
  pfc_mlp_destroy(mlp);
  free_case(c);
}

static void test_workers(const PfcMatmulKernels* kernels, const Net* net, int64_t rows) {
  Case *alone = make_case(net, kernels->bfloat16, rows), *shared = make_case(net, kernels->bfloat16, rows);
  PfcMlp *first = make_mlp(alone, kernels), *second = make_mlp(shared, kernels);
  run(alone, first, NULL);
  for (int32_t threads = 2; threads <= 5; ++threads) {
    PfcWorkers* workers = pfc_workers_create(threads, 1);
    run(shared, second, workers);
    CHECK(memcmp(alone->outputs, shared->outputs, 4 * (size_t)(rows * net->widths[net->layers])) == 0);
    for (int32_t l = 0; l < net->layers; ++l) {
      const size_t outs = (size_t)net->widths[l + 1], ins = (size_t)net->widths[l];
      CHECK(memcmp(alone->grad_weight[l], shared->grad_weight[l], 4 * outs * ins) == 0);
      CHECK(memcmp(alone->grad_bias[l], shared->grad_bias[l], 4 * outs) == 0);
    }
    pfc_workers_destroy(workers);
  }
  pfc_mlp_destroy(first), pfc_mlp_destroy(second);
  free_case(alone), free_case(shared);
}

// A network that is used again, with more rows and then with fewer, gives the same results as a new one.
static void test_used_again(const PfcMatmulKernels* kernels, const Net* net) {
  static const int64_t rows[] = {3, 70, 700, 5};
  PfcMlp* mlp = NULL;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; ++i) {
    Case *c = make_case(net, kernels->bfloat16, rows[i]), *model = make_case(net, kernels->bfloat16, rows[i]);
    if (!mlp) mlp = make_mlp(c, kernels);
    for (int32_t l = 0; l < net->layers; ++l) pfc_mlp_set_layer(mlp, l, c->weight[l], c->bias[l]);
    PfcMlp* fresh = make_mlp(model, kernels);
    run(c, mlp, NULL), run(model, fresh, NULL);
    CHECK(memcmp(c->outputs, model->outputs, 4 * (size_t)(rows[i] * net->widths[net->layers])) == 0);
    for (int32_t l = 0; l < net->layers; ++l)
      CHECK(memcmp(c->grad_weight[l], model->grad_weight[l], 4 * (size_t)(net->widths[l + 1] * net->widths[l])) == 0);
    pfc_mlp_destroy(fresh);
    free_case(c), free_case(model);
  }
  pfc_mlp_destroy(mlp);
}

static void test_nan(const PfcMatmulKernels* kernels, const Net* net) {
  Case* c = make_case(net, kernels->bfloat16, 7);
  set_input(c, 3 * net->widths[0] + net->widths[0] - 1, NAN);
  PfcMlp* mlp = make_mlp(c, kernels);
  run(c, mlp, NULL);
  const int32_t outs = net->widths[net->layers];
  for (int32_t i = 0; i < 7 * outs; ++i) CHECK((isnan(c->outputs[i]) != 0) == (i / outs == 3));
  CHECK(net->layers == 1 || isnan(c->grad_weight[net->layers - 1][0]));
  CHECK(isnan(c->grad_weight[0][net->widths[0] - 1]));
  pfc_mlp_destroy(mlp);
  free_case(c);
}

static void test_refusals(void) {
  const PfcMatmulKernels* kernels = pfc_matmul_kernels(false, 0);
  const int32_t good[] = {3, 4, 2}, bad[] = {3, 0, 2};
  PfcMlp* mlp;
  CHECK(pfc_mlp_create(kernels, NULL, good, 0, &mlp) == PFC_INVALID && !mlp);
  CHECK(pfc_mlp_create(kernels, NULL, good, PFC_MLP_MAX_LAYERS + 1, &mlp) == PFC_INVALID && !mlp);
  CHECK(pfc_mlp_create(kernels, NULL, bad, 2, &mlp) == PFC_INVALID && !mlp && strstr(pfc_last_error(), "widths[1]"));
  Case* c = make_case(&(Net){2, {3, 4, 2}}, false, 6);
  mlp = make_mlp(c, kernels);
  CHECK(pfc_mlp_backward(mlp, c->x, 6, c->grad_outputs, c->grad_weight, c->grad_bias, NULL) == PFC_INVALID);
  CHECK(pfc_mlp_forward(mlp, c->x, 6, true, c->outputs, NULL) == PFC_OK);
  CHECK(pfc_mlp_backward(mlp, c->x, 5, c->grad_outputs, c->grad_weight, c->grad_bias, NULL) == PFC_INVALID);
  CHECK(pfc_mlp_backward(mlp, c->x, 6, c->grad_outputs, c->grad_weight, c->grad_bias, NULL) == PFC_OK);
  CHECK(pfc_mlp_forward(mlp, c->x, 0, true, c->outputs, NULL) == PFC_OK);  // an acting pass keeps no activations
  CHECK(pfc_mlp_backward(mlp, c->x, 6, c->grad_outputs, c->grad_weight, c->grad_bias, NULL) == PFC_INVALID);
  pfc_mlp_destroy(mlp);
  pfc_mlp_destroy(NULL);
  free_case(c);
}

int main(void) {
  static const Net nets[] = {
      {2, {118, 128, 4}}, {2, {4, 128, 3}}, {1, {7, 5}}, {3, {13, 65, 17, 9}}, {3, {1, 1, 300, 1}}, {2, {33, 80, 100}},
  };
  static const int64_t row_counts[] = {1, 2, 63, 200, 1031};
  for (int32_t bfloat16 = 0; bfloat16 <= 1; ++bfloat16)
    for (int32_t set = 0; pfc_matmul_kernels(bfloat16 != 0, set); ++set)
      for (size_t n = 0; n < sizeof nets / sizeof nets[0]; ++n) {
        const PfcMatmulKernels* kernels = pfc_matmul_kernels(bfloat16 != 0, set);
        for (size_t r = 0; r < sizeof row_counts / sizeof row_counts[0]; ++r)
          test_against_loops(kernels, &nets[n], row_counts[r]);
        test_used_again(kernels, &nets[n]);
        test_workers(kernels, &nets[n], 1777);
        test_nan(kernels, &nets[n]);
      }
  test_refusals();
  return check_report();
}
