// test_mingru.c - the recurrent network against plain loops in double precision: outputs, states, and gradients by
// finite differences; bfloat16 against float32; equal bits for every team and for acting and training; NaN; refusals.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"
#include "check.h"
#include "mingru.h"
#include "pufferc/rng.h"

enum { MAX_HIDDEN = 2, MAX_LAYERS = MAX_HIDDEN + 2 };

typedef struct Net {
  int32_t hidden, widths[MAX_HIDDEN + 2];
} Net;

// A network with a batch, and what the kernel makes of them.
typedef struct Case {
  Net net;
  int64_t steps, rows;
  float *weight[MAX_LAYERS], *bias[MAX_LAYERS], *grad_weight[MAX_LAYERS], *grad_bias[MAX_LAYERS];
  float *x, *state, *outputs, *next_state, *grad_outputs;
  uint16_t* x_bfloat16;
  uint8_t* starts;
} Case;

static int32_t units(const Net* net) { return net->widths[net->hidden]; }
static int32_t outs(const Net* net) { return net->widths[net->hidden + 1]; }
static int32_t layer_inputs(const Net* net, int32_t l) { return net->widths[l <= net->hidden ? l : net->hidden]; }
static int32_t layer_outputs(const Net* net, int32_t l) {
  return l < net->hidden ? net->widths[l + 1] : l == net->hidden ? 2 * units(net) : outs(net);
}

static float* random_floats(PfcRng* rng, int64_t count, float scale) {
  float* x = malloc(sizeof *x * (size_t)count);
  for (int64_t i = 0; i < count; ++i) x[i] = pfc_rng_uniform(rng, -scale, scale);
  return x;
}

// Inputs are eighths, which bfloat16 has exactly.
static Case make_case(const Net* net, int64_t steps, int64_t rows) {
  Case c = {.net = *net, .steps = steps, .rows = rows};
  PfcRng rng;
  pfc_rng_seed(&rng, 17, (uint64_t)(steps * 1000 + rows));
  for (int32_t l = 0; l < net->hidden + 2; ++l) {
    const int64_t in = layer_inputs(net, l), out = layer_outputs(net, l);
    c.weight[l] = random_floats(&rng, in * out, 1.5f / sqrtf((float)in)), c.bias[l] = random_floats(&rng, out, 0.3f);
    c.grad_weight[l] = random_floats(&rng, in * out, 1.0f), c.grad_bias[l] = random_floats(&rng, out, 1.0f);
  }
  const int64_t in = net->widths[0], count = steps * rows;
  c.x = random_floats(&rng, count * in, 8.0f), c.x_bfloat16 = malloc(2 * (size_t)(count * in));
  for (int64_t i = 0; i < count * in; ++i) {
    c.x[i] = rintf(c.x[i]) / 8.0f;
    uint32_t bits;
    memcpy(&bits, &c.x[i], 4);
    c.x_bfloat16[i] = (uint16_t)(bits >> 16);
  }
  c.state = random_floats(&rng, rows * units(net), 1.0f), c.next_state = random_floats(&rng, rows * units(net), 1.0f);
  c.outputs = random_floats(&rng, count * outs(net), 1.0f);
  c.grad_outputs = random_floats(&rng, count * outs(net), 1.0f / (float)count);
  c.starts = malloc((size_t)count);
  for (int64_t i = 0; i < count; ++i) c.starts[i] = pfc_rng_uniform(&rng, 0.0f, 1.0f) < 0.2f;
  return c;
}

static void free_case(Case* c) {
  for (int32_t l = 0; l < c->net.hidden + 2; ++l)
    free(c->weight[l]), free(c->bias[l]), free(c->grad_weight[l]), free(c->grad_bias[l]);
  free(c->x), free(c->x_bfloat16), free(c->state), free(c->next_state), free(c->outputs), free(c->grad_outputs);
  free(c->starts);
}

static PfcMinGruBatch batch_of(const Case* c, bool bfloat16) {
  return (PfcMinGruBatch){.steps = c->steps,
                          .rows = c->rows,
                          .x = bfloat16 ? (const void*)c->x_bfloat16 : c->x,
                          .x_step = c->rows * c->net.widths[0],
                          .starts = c->starts,
                          .state = c->state};
}

static PfcMinGru* make_network(const Case* c, const PfcMatmulKernels* kernels) {
  PfcMinGru* net;
  CHECK(pfc_mingru_create(kernels, c->net.widths, c->net.hidden, &net) == PFC_OK);
  for (int32_t l = 0; l < c->net.hidden + 2; ++l) pfc_mingru_set_layer(net, l, c->weight[l], c->bias[l]);
  return net;
}

static void run_network(Case* c, PfcMinGru* net, const PfcMatmulKernels* kernels, PfcTeam* team) {
  const PfcMinGruBatch batch = batch_of(c, kernels->bfloat16);
  CHECK(pfc_mingru_forward(net, &batch, true, c->outputs, c->next_state, team) == PFC_OK);
  CHECK(pfc_mingru_backward(net, &batch, c->grad_outputs, c->grad_weight, c->grad_bias, team) == PFC_OK);
}

static void run(Case* c, const PfcMatmulKernels* kernels, PfcTeam* team) {
  PfcMinGru* net = make_network(c, kernels);
  run_network(c, net, kernels, team);
  pfc_mingru_destroy(net);
}

// ---- the loops -----------------------------------------------------------------------------------------

static void apply(const Case* c, int32_t l, const double* x, double* y) {
  const int32_t in = layer_inputs(&c->net, l), out = layer_outputs(&c->net, l);
  for (int32_t j = 0; j < out; ++j) {
    y[j] = (double)c->bias[l][j];
    for (int32_t k = 0; k < in; ++k) y[j] += (double)c->weight[l][(int64_t)j * in + k] * x[k];
    if (l < c->net.hidden) y[j] = y[j] < 0 ? 0 : y[j];
  }
}

// Outputs [T, M, K] and states [M, H] after the last step, where they are wanted; the sum of outputs times
// grad_outputs.
static double reference(const Case* c, double* outputs, double* states) {
  const Net* net = &c->net;
  const int32_t h_size = units(net), k_size = outs(net);
  double loss = 0, x[256], y[256], pre[256], h[128], out[64];
  for (int64_t row = 0; row < c->rows; ++row) {
    for (int32_t i = 0; i < h_size; ++i) h[i] = (double)c->state[row * h_size + i];
    for (int64_t t = 0; t < c->steps; ++t) {
      const int64_t at = t * c->rows + row;
      if (c->starts[at]) memset(h, 0, sizeof h);
      for (int32_t i = 0; i < net->widths[0]; ++i) x[i] = (double)c->x[at * net->widths[0] + i];
      for (int32_t l = 0; l < net->hidden; ++l) {
        apply(c, l, x, y);
        memcpy(x, y, sizeof x);
      }
      apply(c, net->hidden, x, pre);
      for (int32_t i = 0; i < h_size; ++i) {
        const double z = 1.0 / (1.0 + exp(-pre[i]));
        h[i] = (1.0 - z) * h[i] + z * pre[h_size + i];
        x[i] += h[i];
      }
      apply(c, net->hidden + 1, x, out);
      for (int32_t k = 0; k < k_size; ++k) loss += out[k] * (double)c->grad_outputs[at * k_size + k];
      if (outputs) memcpy(outputs + at * k_size, out, sizeof *out * (size_t)k_size);
    }
    if (states) memcpy(states + row * h_size, h, sizeof *h * (size_t)h_size);
  }
  return loss;
}

// Whether all of got are within `tolerance` of the largest expected number.
static bool near(const float* got, const double* expected, int64_t count, double tolerance) {
  double largest = 0, error = 0;
  for (int64_t i = 0; i < count; ++i) {
    largest = fmax(largest, fabs(expected[i]));
    const double difference = fabs((double)got[i] - expected[i]);
    error = difference <= error ? error : difference;  // a NaN stays
  }
  return error <= tolerance * largest;
}

// d loss / d numbers by central differences, which are off where a hidden unit switches.
static void check_slopes(const Case* c, float* numbers, const float* gradient, int64_t count, double tolerance) {
  double* slopes = malloc(sizeof *slopes * (size_t)count);
  for (int64_t i = 0; i < count; ++i) {
    const float here = numbers[i], step = 0x1p-12f;
    numbers[i] = here + step;
    const double high = (double)numbers[i], above = reference(c, NULL, NULL);
    numbers[i] = here - step;
    slopes[i] = (above - reference(c, NULL, NULL)) / (high - (double)numbers[i]);
    numbers[i] = here;
  }
  CHECK(near(gradient, slopes, count, tolerance));
  free(slopes);
}

// ---- the tests -----------------------------------------------------------------------------------------

static void test_outputs(const PfcMatmulKernels* kernels, const Net* net, int64_t steps, int64_t rows) {
  Case c = make_case(net, steps, rows);
  const int64_t count = steps * rows * outs(net), states = rows * units(net);
  double *outputs = malloc(sizeof *outputs * (size_t)count), *after = malloc(sizeof *after * (size_t)states);
  run(&c, kernels, NULL);
  reference(&c, outputs, after);
  const double tolerance = kernels->bfloat16 ? 2e-2 : 1e-5;
  CHECK(near(c.outputs, outputs, count, tolerance));
  CHECK(near(c.next_state, after, states, tolerance));
  free(outputs), free(after), free_case(&c);
}

static void test_gradients(const PfcMatmulKernels* kernels, int64_t steps, int64_t rows, double tolerance) {
  const Net net = {2, {3, 5, 6, 2}};
  Case c = make_case(&net, steps, rows);
  run(&c, kernels, NULL);
  for (int32_t l = 0; l < net.hidden + 2; ++l) {
    check_slopes(&c, c.weight[l], c.grad_weight[l], layer_inputs(&net, l) * layer_outputs(&net, l), tolerance);
    check_slopes(&c, c.bias[l], c.grad_bias[l], layer_outputs(&net, l), tolerance);
  }
  free_case(&c);
}

// The same gradients as in float32, but for what bfloat16 rounds and the hidden units that switch by it.
static void test_bfloat16(const PfcMatmulKernels* kernels, const Net* net, int64_t steps, int64_t rows) {
  Case exact = make_case(net, steps, rows), rounded = make_case(net, steps, rows);
  run(&exact, pfc_matmul_kernels(false, 0), NULL);
  run(&rounded, kernels, NULL);
  for (int32_t l = 0; l < net->hidden + 2; ++l) {
    const int64_t count = layer_inputs(net, l) * layer_outputs(net, l);
    double* expected = malloc(sizeof *expected * (size_t)count);
    for (int64_t i = 0; i < count; ++i) expected[i] = (double)exact.grad_weight[l][i];
    CHECK(near(rounded.grad_weight[l], expected, count, 0.1));
    free(expected);
  }
  free_case(&exact), free_case(&rounded);
}

static bool same_results(const Case* a, const Case* b) {
  bool same = memcmp(a->outputs, b->outputs, 4 * (size_t)(a->steps * a->rows * outs(&a->net))) == 0 &&
              memcmp(a->next_state, b->next_state, 4 * (size_t)(a->rows * units(&a->net))) == 0;
  for (int32_t l = 0; l < a->net.hidden + 2; ++l) {
    const size_t in = (size_t)layer_inputs(&a->net, l), out = (size_t)layer_outputs(&a->net, l);
    same = same && memcmp(a->grad_weight[l], b->grad_weight[l], 4 * in * out) == 0;
    same = same && memcmp(a->grad_bias[l], b->grad_bias[l], 4 * out) == 0;
  }
  return same;
}

// A network that is used again, for more steps and rows and then for fewer, gives what a new one gives.
static void test_used_again(const PfcMatmulKernels* kernels, const Net* net) {
  static const int64_t sizes[][2] = {{3, 10}, {3, 10}, {19, 70}, {5, 200}, {2, 4}};
  PfcMinGru* network = NULL;
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; ++i) {
    Case c = make_case(net, sizes[i][0], sizes[i][1]), model = make_case(net, sizes[i][0], sizes[i][1]);
    if (!network) network = make_network(&c, kernels);
    for (int32_t l = 0; l < net->hidden + 2; ++l) pfc_mingru_set_layer(network, l, c.weight[l], c.bias[l]);
    run_network(&c, network, kernels, NULL);
    run(&model, kernels, NULL);
    CHECK(same_results(&c, &model));
    free_case(&c), free_case(&model);
  }
  pfc_mingru_destroy(network);
}

static void test_teams(const PfcMatmulKernels* kernels, const Net* net, int64_t steps, int64_t rows) {
  Case alone = make_case(net, steps, rows);
  run(&alone, kernels, NULL);
  for (int32_t threads = 2; threads <= 4; ++threads) {
    Case shared = make_case(net, steps, rows);
    PfcTeam* team = pfc_team_create(threads, 1);
    run(&shared, kernels, team);
    CHECK(same_results(&alone, &shared));
    pfc_team_destroy(team);
    free_case(&shared);
  }
  free_case(&alone);
}

// Step by step, for other rows beside it and with its state in place, the network makes the bits of one pass.
static void test_acting(const PfcMatmulKernels* kernels, const Net* net) {
  Case c = make_case(net, 6, 200);
  run(&c, kernels, NULL);
  PfcMinGru* network = make_network(&c, kernels);
  const int64_t part = 77, size = outs(net);
  float *outputs = malloc(4 * (size_t)(part * size)), *state = malloc(4 * (size_t)(part * units(net)));
  memcpy(state, c.state, 4 * (size_t)(part * units(net)));
  for (int64_t t = 0; t < c.steps; ++t) {
    PfcMinGruBatch batch = batch_of(&c, kernels->bfloat16);
    batch.x = (const char*)batch.x + t * batch.x_step * (kernels->bfloat16 ? 2 : 4);
    batch.starts += t * c.rows;
    batch.steps = 1, batch.rows = part, batch.state = state;
    CHECK(pfc_mingru_forward(network, &batch, false, outputs, state, NULL) == PFC_OK);
    CHECK(memcmp(outputs, c.outputs + t * c.rows * size, 4 * (size_t)(part * size)) == 0);
  }
  CHECK(memcmp(state, c.next_state, 4 * (size_t)(part * units(net))) == 0);
  pfc_mingru_destroy(network);
  free(outputs), free(state), free_case(&c);
}

// A NaN reaches the later outputs of its own row until an episode begins, and the gradients.
static void test_nan(const PfcMatmulKernels* kernels, const Net* net) {
  Case c = make_case(net, 4, 9);
  const int64_t row = 5, size = outs(net);
  const float nan = NAN;
  uint32_t bits;
  memcpy(&bits, &nan, 4);
  memset(c.starts, 0, (size_t)(c.steps * c.rows));
  c.starts[3 * c.rows + row] = 1;
  c.x[(c.rows + row) * net->widths[0]] = nan, c.x_bfloat16[(c.rows + row) * net->widths[0]] = (uint16_t)(bits >> 16);
  run(&c, kernels, NULL);
  for (int64_t i = 0; i < c.steps * c.rows; ++i)
    CHECK((isnan(c.outputs[i * size]) != 0) == (i % c.rows == row && (i / c.rows == 1 || i / c.rows == 2)));
  CHECK(isnan(c.grad_weight[net->hidden][0]));
  free_case(&c);
}

static void test_refusals(void) {
  const PfcMatmulKernels* kernels = pfc_matmul_kernels(false, 0);
  const int32_t good[] = {3, 4, 2}, bad[] = {3, 0, 2};
  PfcMinGru* net;
  CHECK(pfc_mingru_create(kernels, good, 0, &net) == PFC_INVALID && !net);
  CHECK(pfc_mingru_create(kernels, good, PFC_MINGRU_MAX_HIDDEN + 1, &net) == PFC_INVALID && !net);
  CHECK(pfc_mingru_create(kernels, bad, 1, &net) == PFC_INVALID && !net && strstr(pfc_last_error(), "widths[1]"));
  Case c = make_case(&(Net){1, {3, 4, 2}}, 4, 6);
  net = make_network(&c, kernels);
  PfcMinGruBatch batch = batch_of(&c, false);
  CHECK(pfc_mingru_backward(net, &batch, c.grad_outputs, c.grad_weight, c.grad_bias, NULL) == PFC_INVALID);
  CHECK(pfc_mingru_forward(net, &batch, true, c.outputs, c.next_state, NULL) == PFC_OK);
  batch.steps = 3;
  CHECK(pfc_mingru_backward(net, &batch, c.grad_outputs, c.grad_weight, c.grad_bias, NULL) == PFC_INVALID);
  batch.steps = 6, batch.rows = 4;
  CHECK(pfc_mingru_backward(net, &batch, c.grad_outputs, c.grad_weight, c.grad_bias, NULL) == PFC_INVALID);
  batch = batch_of(&c, false);
  CHECK(pfc_mingru_backward(net, &batch, c.grad_outputs, c.grad_weight, c.grad_bias, NULL) == PFC_OK);
  batch.rows = 0;
  CHECK(pfc_mingru_forward(net, &batch, true, c.outputs, c.next_state, NULL) == PFC_OK);
  batch = batch_of(&c, false);  // the latest pass has kept nothing
  CHECK(pfc_mingru_backward(net, &batch, c.grad_outputs, c.grad_weight, c.grad_bias, NULL) == PFC_INVALID);
  pfc_mingru_destroy(net);
  pfc_mingru_destroy(NULL);
  free_case(&c);
}

int main(void) {
  static const Net nets[] = {{1, {118, 128, 4}}, {2, {13, 40, 33, 5}}, {1, {1, 1, 1}}};
  for (int32_t bfloat16 = 0; bfloat16 <= 1; ++bfloat16)
    for (int32_t set = 0; pfc_matmul_kernels(bfloat16 != 0, set); ++set) {
      const PfcMatmulKernels* kernels = pfc_matmul_kernels(bfloat16 != 0, set);
      for (size_t n = 0; n < sizeof nets / sizeof nets[0]; ++n) {
        test_outputs(kernels, &nets[n], 1, 5);
        test_outputs(kernels, &nets[n], 33, 21);
        test_outputs(kernels, &nets[n], 3, 300);
        test_acting(kernels, &nets[n]);
        test_nan(kernels, &nets[n]);
        if (bfloat16) test_bfloat16(kernels, &nets[n], 19, 21);
      }
      if (!bfloat16) test_gradients(kernels, 21, 18, 1e-3);
      test_used_again(kernels, &nets[1]);
      test_teams(kernels, &nets[0], 13, 150);
      test_teams(kernels, &nets[1], 40, 17);
    }
  test_refusals();
  // Strips of more rows than a block has, whose gradients are added.
  test_gradients(pfc_matmul_kernels(false, 0), 2, 16 * 128 + 40, 2e-2);
  return check_report();
}
