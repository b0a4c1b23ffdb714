// test_recurrent.c - recurrent networks against plain loops in double precision: outputs, states, and gradients by
// finite differences; bfloat16 against float32; equal bits for any number of workers and for acting and training; NaN;
// refusals.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/base.h"
#include "near.h"
#include "networks/recurrent.h"
#include "pufferc/rng.h"

enum { MAX_HIDDEN = 2, MAX_LAYERS = MAX_HIDDEN + 3 };

typedef struct Net {
  PfcRecurrentKind kind;
  int32_t hidden, widths[MAX_HIDDEN + 2];
} Net;

// A network, a batch, and the results of the kernel.
typedef struct Case {
  Net net;
  int64_t steps, rows;
  PfcRecurrentLayer layer[MAX_LAYERS], grad[MAX_LAYERS];
  float *x, *state[2], *outputs, *next_state[2], *grad_outputs, *grad_x;
  uint16_t* x_bfloat16;
  uint8_t* starts;
} Case;

static int32_t units(const Net* net) { return net->widths[net->hidden]; }
static int32_t outs(const Net* net) { return net->widths[net->hidden + 1]; }
static int32_t states_of(const Net* net) { return net->kind == PFC_RECURRENT_LSTM ? 2 : 1; }
static int32_t last_layer(const Net* net) { return net->hidden + states_of(net); }  // an LSTM has two layers of gates
static int32_t layer_inputs(const Net* net, int32_t l) { return net->widths[l < net->hidden ? l : net->hidden]; }
static int32_t layer_outputs(const Net* net, int32_t l) {
  if (l < net->hidden) return net->widths[l + 1];
  return l == last_layer(net) ? outs(net) : units(net) * (net->kind == PFC_RECURRENT_LSTM ? 4 : 2);
}

static float* random_floats(PfcRng* rng, int64_t count, float scale) {
  float* x = malloc(sizeof *x * (size_t)count);
  for (int64_t i = 0; i < count; ++i) x[i] = pfc_rng_uniform(rng, -scale, scale);
  return x;
}

// Inputs are multiples of 1/8, which are exact in bfloat16.
static Case make_case(const Net* net, int64_t steps, int64_t rows) {
  Case c = {.net = *net, .steps = steps, .rows = rows};
  PfcRng rng;
  pfc_rng_seed(&rng, 17, (uint64_t)(steps * 1000 + rows));
  for (int32_t l = 0; l <= last_layer(net); ++l) {
    const int64_t in = layer_inputs(net, l), out = layer_outputs(net, l);
    c.layer[l].weight = random_floats(&rng, in * out, 1.5f / sqrtf((float)in));
    c.layer[l].bias = random_floats(&rng, out, 0.3f);
    c.grad[l].weight = random_floats(&rng, in * out, 1.0f), c.grad[l].bias = random_floats(&rng, out, 1.0f);
  }
  const int64_t in = net->widths[0], count = steps * rows;
  c.x = random_floats(&rng, count * in, 8.0f), c.x_bfloat16 = malloc(2 * (size_t)(count * in));
  for (int64_t i = 0; i < count * in; ++i) {
    c.x[i] = rintf(c.x[i]) / 8.0f;
    uint32_t bits;
    memcpy(&bits, &c.x[i], 4);
    c.x_bfloat16[i] = (uint16_t)(bits >> 16);
  }
  for (int32_t i = 0; i < 2; ++i) {
    c.state[i] = random_floats(&rng, rows * units(net), 1.0f);
    c.next_state[i] = random_floats(&rng, rows * units(net), 1.0f);
  }
  c.outputs = random_floats(&rng, count * outs(net), 1.0f);
  c.grad_outputs = random_floats(&rng, count * outs(net), 1.0f / (float)count);
  c.grad_x = random_floats(&rng, count * in, 1.0f);
  c.starts = malloc((size_t)count);
  for (int64_t i = 0; i < count; ++i) c.starts[i] = pfc_rng_uniform(&rng, 0.0f, 1.0f) < 0.2f;
  return c;
}

static void free_case(Case* c) {
  for (int32_t l = 0; l <= last_layer(&c->net); ++l)
    free(c->layer[l].weight), free(c->layer[l].bias), free(c->grad[l].weight), free(c->grad[l].bias);
  for (int32_t i = 0; i < 2; ++i) free(c->state[i]), free(c->next_state[i]);
  free(c->x), free(c->x_bfloat16), free(c->outputs), free(c->grad_outputs), free(c->grad_x), free(c->starts);
}

static PfcRecurrentBatch batch_of(const Case* c, bool bfloat16) {
  return (PfcRecurrentBatch){.steps = c->steps,
                             .rows = c->rows,
                             .x = bfloat16 ? (const void*)c->x_bfloat16 : c->x,
                             .x_step = c->rows * c->net.widths[0],
                             .starts = c->starts,
                             .state = {c->state[0], c->state[1]}};
}

static PfcRecurrent* make_network(const Case* c, const PfcMatmulKernels* kernels) {
  PfcRecurrent* net;
  const PfcRecurrentShape shape = {c->net.kind, c->net.hidden, c->net.widths, NULL};
  CHECK(pfc_recurrent_create(kernels, &shape, &net) == PFC_OK);
  CHECK(pfc_recurrent_layers(net) == last_layer(&c->net) + 1 && pfc_recurrent_states(net) == states_of(&c->net));
  for (int32_t l = 0; l <= last_layer(&c->net); ++l) {
    int32_t outputs, inputs;
    pfc_recurrent_layer_shape(net, l, &outputs, &inputs);
    CHECK(outputs == layer_outputs(&c->net, l) && inputs == layer_inputs(&c->net, l));
  }
  pfc_recurrent_set_layers(net, c->layer);
  return net;
}

static void run_network(Case* c, PfcRecurrent* net, const PfcMatmulKernels* kernels, PfcWorkers* workers) {
  const PfcRecurrentBatch batch = batch_of(c, kernels->bfloat16);
  CHECK(pfc_recurrent_forward(net, &batch, true, c->outputs, c->next_state, workers) == PFC_OK);
  CHECK(pfc_recurrent_backward(net, &batch, c->grad_outputs, c->grad, c->grad_x, workers) == PFC_OK);
}

static void run(Case* c, const PfcMatmulKernels* kernels, PfcWorkers* workers) {
  PfcRecurrent* net = make_network(c, kernels);
  run_network(c, net, kernels, workers);
  pfc_recurrent_destroy(net);
}

// ---- reference -----------------------------------------------------------------------------------------

static void apply(const Case* c, int32_t l, const double* x, double* y) {
  const int32_t in = layer_inputs(&c->net, l), out = layer_outputs(&c->net, l);
  for (int32_t j = 0; j < out; ++j) {
    y[j] = (double)c->layer[l].bias[j];
    for (int32_t k = 0; k < in; ++k) y[j] += (double)c->layer[l].weight[(int64_t)j * in + k] * x[k];
    if (l < c->net.hidden) y[j] = y[j] < 0 ? 0 : y[j];
  }
}

static double sigmoid(double x) { return 1.0 / (1.0 + exp(-x)); }

// Applies the gates to x [H] and the state h, c [H]; x becomes the input of the output layer.
static void remember(const Case* c, double* x, double* h, double* cell) {
  const int32_t size = units(&c->net), gates = c->net.hidden;
  double pre[512], more[512];
  apply(c, gates, x, pre);
  if (c->net.kind == PFC_RECURRENT_LSTM) apply(c, gates + 1, h, more);
  for (int32_t i = 0; i < size; ++i) {
    if (c->net.kind == PFC_RECURRENT_LSTM) {
      double gate[4];
      for (int32_t k = 0; k < 4; ++k) gate[k] = pre[k * size + i] + more[k * size + i];
      cell[i] = sigmoid(gate[1]) * cell[i] + sigmoid(gate[0]) * tanh(gate[2]);
      x[i] = h[i] = sigmoid(gate[3]) * tanh(cell[i]);
    } else {
      const double z = sigmoid(pre[i]);
      h[i] = (1.0 - z) * h[i] + z * pre[size + i];
      x[i] += h[i];
    }
  }
}

// Computes outputs [T, M, K] and the last states [M, H] if wanted; returns the sum of outputs times grad_outputs.
static double reference(const Case* c, double* outputs, double* const* states) {
  const Net* net = &c->net;
  const int32_t size = units(net), k_size = outs(net);
  double loss = 0, x[256], y[256], state[2][128], out[64];
  for (int64_t row = 0; row < c->rows; ++row) {
    for (int32_t s = 0; s < 2; ++s)
      for (int32_t i = 0; i < size; ++i) state[s][i] = (double)c->state[s][row * size + i];
    for (int64_t t = 0; t < c->steps; ++t) {
      const int64_t at = t * c->rows + row;
      if (c->starts[at]) memset(state, 0, sizeof state);
      for (int32_t i = 0; i < net->widths[0]; ++i) x[i] = (double)c->x[at * net->widths[0] + i];
      for (int32_t l = 0; l < net->hidden; ++l) {
        apply(c, l, x, y);
        memcpy(x, y, sizeof x);
      }
      remember(c, x, state[0], state[1]);
      apply(c, last_layer(net), x, out);
      for (int32_t k = 0; k < k_size; ++k) loss += out[k] * (double)c->grad_outputs[at * k_size + k];
      if (outputs) memcpy(outputs + at * k_size, out, sizeof *out * (size_t)k_size);
    }
    for (int32_t s = 0; states && s < states_of(net); ++s)
      memcpy(states[s] + row * size, state[s], sizeof **state * (size_t)size);
  }
  return loss;
}

// d loss / d numbers by central differences. The step is small, because they are wrong where a hidden unit switches.
static void check_slopes(const Case* c, float* numbers, const float* gradient, int64_t count, double tolerance) {
  double* slopes = malloc(sizeof *slopes * (size_t)count);
  for (int64_t i = 0; i < count; ++i) {
    const float here = numbers[i], step = 0x1p-18f;
    numbers[i] = here + step;
    const double high = (double)numbers[i], above = reference(c, NULL, NULL);
    numbers[i] = here - step;
    slopes[i] = (above - reference(c, NULL, NULL)) / (high - (double)numbers[i]);
    numbers[i] = here;
  }
  CHECK(near(gradient, slopes, count, tolerance));
  free(slopes);
}

// ---- tests ---------------------------------------------------------------------------------------------

static void test_outputs(const PfcMatmulKernels* kernels, const Net* net, int64_t steps, int64_t rows) {
  Case c = make_case(net, steps, rows);
  const int64_t count = steps * rows * outs(net), states = rows * units(net);
  double* outputs = malloc(sizeof *outputs * (size_t)count);
  double* after[2] = {malloc(sizeof **after * (size_t)states), malloc(sizeof **after * (size_t)states)};
  run(&c, kernels, NULL);
  reference(&c, outputs, after);
  const double tolerance = kernels->bfloat16 ? 2e-2 : 1e-5;
  CHECK(near(c.outputs, outputs, count, tolerance));
  for (int32_t i = 0; i < states_of(net); ++i) CHECK(near(c.next_state[i], after[i], states, tolerance));
  free(outputs), free(after[0]), free(after[1]), free_case(&c);
}

static void test_gradients(const PfcMatmulKernels* kernels, const Net* net, int64_t steps, int64_t rows,
                           double tolerance) {
  Case c = make_case(net, steps, rows);
  run(&c, kernels, NULL);
  for (int32_t l = 0; l <= last_layer(net); ++l) {
    const int64_t in = layer_inputs(net, l), out = layer_outputs(net, l);
    check_slopes(&c, c.layer[l].weight, c.grad[l].weight, in * out, tolerance);
    check_slopes(&c, c.layer[l].bias, c.grad[l].bias, out, tolerance);
  }
  if (steps * rows < 500) check_slopes(&c, c.x, c.grad_x, steps * rows * net->widths[0], tolerance);
  free_case(&c);
}

static void check_like(const float* got, const float* expected, int64_t count, double tolerance) {
  double* wide = malloc(sizeof *wide * (size_t)count);
  for (int64_t i = 0; i < count; ++i) wide[i] = (double)expected[i];
  CHECK(near(got, wide, count, tolerance));
  free(wide);
}

// Gradients equal those in float32, except for rounding and for hidden units that switch because of it.
static void test_rounding(const PfcMatmulKernels* kernels, const Net* net, int64_t steps, int64_t rows) {
  const double tolerance = kernels->bfloat16 ? 0.15 : 1e-4;
  Case exact = make_case(net, steps, rows), rounded = make_case(net, steps, rows);
  run(&exact, pfc_matmul_kernels(false, 0), NULL);
  run(&rounded, kernels, NULL);
  for (int32_t l = 0; l <= last_layer(net); ++l)
    check_like(rounded.grad[l].weight, exact.grad[l].weight, layer_inputs(net, l) * layer_outputs(net, l), tolerance);
  free_case(&exact), free_case(&rounded);
}

static bool same_results(const Case* a, const Case* b) {
  const Net* net = &a->net;
  const size_t count = (size_t)(a->steps * a->rows);
  bool same = memcmp(a->outputs, b->outputs, 4 * count * (size_t)outs(net)) == 0 &&
              memcmp(a->grad_x, b->grad_x, 4 * count * (size_t)net->widths[0]) == 0;
  for (int32_t i = 0; i < states_of(net); ++i)
    same = same && memcmp(a->next_state[i], b->next_state[i], 4 * (size_t)(a->rows * units(net))) == 0;
  for (int32_t l = 0; l <= last_layer(net); ++l) {
    const size_t in = (size_t)layer_inputs(net, l), out = (size_t)layer_outputs(net, l);
    same = same && memcmp(a->grad[l].weight, b->grad[l].weight, 4 * in * out) == 0;
    same = same && memcmp(a->grad[l].bias, b->grad[l].bias, 4 * out) == 0;
  }
  return same;
}

// A network that is used again, with more steps and rows and then with fewer, gives the same results as a new one.
static void test_used_again(const PfcMatmulKernels* kernels, const Net* net) {
  static const int64_t sizes[][2] = {{3, 10}, {3, 10}, {19, 70}, {5, 200}, {2, 4}};
  PfcRecurrent* network = NULL;
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; ++i) {
    Case c = make_case(net, sizes[i][0], sizes[i][1]), model = make_case(net, sizes[i][0], sizes[i][1]);
    if (!network) network = make_network(&c, kernels);
    pfc_recurrent_set_layers(network, c.layer);
    run_network(&c, network, kernels, NULL);
    run(&model, kernels, NULL);
    CHECK(same_results(&c, &model));
    free_case(&c), free_case(&model);
  }
  pfc_recurrent_destroy(network);
}

static void test_workers(const PfcMatmulKernels* kernels, const Net* net, int64_t steps, int64_t rows) {
  Case alone = make_case(net, steps, rows);
  run(&alone, kernels, NULL);
  for (int32_t threads = 2; threads <= 4; ++threads) {
    Case shared = make_case(net, steps, rows);
    PfcWorkers* workers = pfc_workers_create(threads, 1);
    run(&shared, kernels, workers);
    CHECK(same_results(&alone, &shared));
    pfc_workers_destroy(workers);
    free_case(&shared);
  }
  free_case(&alone);
}

// Acting step by step, with other rows in the batch and the state in place, gives the bits of one training pass.
static void test_acting(const PfcMatmulKernels* kernels, const Net* net) {
  Case c = make_case(net, 6, 200);
  run(&c, kernels, NULL);
  PfcRecurrent* network = make_network(&c, kernels);
  const int64_t part = 77, size = outs(net);
  const size_t bytes = 4 * (size_t)(part * units(net));
  float *outputs = malloc(4 * (size_t)(part * size)), *state[2] = {malloc(bytes), malloc(bytes)};
  for (int32_t i = 0; i < 2; ++i) memcpy(state[i], c.state[i], bytes);
  for (int64_t t = 0; t < c.steps; ++t) {
    PfcRecurrentBatch batch = batch_of(&c, kernels->bfloat16);
    batch.x = (const char*)batch.x + t * batch.x_step * (kernels->bfloat16 ? 2 : 4);
    batch.starts += t * c.rows;
    batch.steps = 1, batch.rows = part, batch.state[0] = state[0], batch.state[1] = state[1];
    CHECK(pfc_recurrent_forward(network, &batch, false, outputs, state, NULL) == PFC_OK);
    CHECK(memcmp(outputs, c.outputs + t * c.rows * size, 4 * (size_t)(part * size)) == 0);
  }
  for (int32_t i = 0; i < states_of(net); ++i) CHECK(memcmp(state[i], c.next_state[i], bytes) == 0);
  pfc_recurrent_destroy(network);
  free(outputs), free(state[0]), free(state[1]), free_case(&c);
}

// A NaN reaches the later outputs of its own row until its next episode, and the gradients.
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
  CHECK(isnan(c.grad[net->hidden].weight[0]));
  free_case(&c);
}

// A NaN in a gate is not squashed to a number.
static void test_nan_gates(PfcRecurrentKind kind) {
  const Net net = {kind, 1, {3, 4, 2}};
  for (int32_t gate = 0; gate < layer_outputs(&net, 1); gate += units(&net)) {
    Case c = make_case(&net, 1, 1);
    c.layer[1].bias[gate] = NAN;
    run(&c, pfc_matmul_kernels(false, 0), NULL);
    CHECK(isnan(c.outputs[0]) && isnan(c.next_state[0][0]));
    free_case(&c);
  }
}

static void test_refusals(void) {
  const PfcMatmulKernels* kernels = pfc_matmul_kernels(false, 0);
  const int32_t good[] = {3, 4, 2}, bad[] = {3, 0, 2}, wide[] = {3, PFC_LINEAR_MAX_WIDTH / 2, 2};
  PfcRecurrent* net;
  const PfcSet pair = {1, 2, 2, 3};
  const PfcSetsShape sets = {3, 1, &pair};
  const PfcRecurrentShape refused[] = {{PFC_RECURRENT_LSTM, -1, good, NULL},
                                       {PFC_RECURRENT_LSTM, PFC_RECURRENT_MAX_HIDDEN + 1, good, NULL},
                                       {PFC_RECURRENT_LSTM, 1, bad, NULL},
                                       {PFC_RECURRENT_LSTM, 1, wide, NULL},
                                       {PFC_RECURRENT_LSTM, 0, good + 1, &sets},
                                       {PFC_RECURRENT_LSTM, 1, good, &sets}};
  static const char* const why[] = {"expected 2 to 18 of them, got 1",
                                    "expected 2 to 18 of them, got 19",
                                    "widths[1]: expected 1 to 4096, got 0",
                                    "widths[1]: expected 1 to 4096, got 8192",
                                    "expected a hidden layer for the sets",
                                    "widths[0]: expected the 4 outputs of the sets, got 3"};
  for (size_t i = 0; i < sizeof refused / sizeof *refused; ++i) {
    CHECK(pfc_recurrent_create(kernels, &refused[i], &net) == PFC_INVALID && !net);
    CHECK(strstr(pfc_last_error(), why[i]) != NULL);
  }
  Case c = make_case(&(Net){PFC_RECURRENT_MINGRU, 1, {3, 4, 2}}, 4, 6);
  net = make_network(&c, kernels);
  PfcRecurrentBatch batch = batch_of(&c, false);
  CHECK(pfc_recurrent_backward(net, &batch, c.grad_outputs, c.grad, NULL, NULL) == PFC_INVALID);
  CHECK(pfc_recurrent_forward(net, &batch, true, c.outputs, c.next_state, NULL) == PFC_OK);
  batch.steps = 3;
  CHECK(pfc_recurrent_backward(net, &batch, c.grad_outputs, c.grad, NULL, NULL) == PFC_INVALID);
  batch.steps = 6, batch.rows = 4;
  CHECK(pfc_recurrent_backward(net, &batch, c.grad_outputs, c.grad, NULL, NULL) == PFC_INVALID);
  batch = batch_of(&c, false);
  CHECK(pfc_recurrent_backward(net, &batch, c.grad_outputs, c.grad, NULL, NULL) == PFC_OK);
  batch.rows = 0;
  CHECK(pfc_recurrent_forward(net, &batch, true, c.outputs, c.next_state, NULL) == PFC_OK);
  batch = batch_of(&c, false);  // the latest pass kept no activations
  CHECK(pfc_recurrent_backward(net, &batch, c.grad_outputs, c.grad, NULL, NULL) == PFC_INVALID);
  pfc_recurrent_destroy(net);
  pfc_recurrent_destroy(NULL);
  free_case(&c);
}

static void test_kernels(const PfcMatmulKernels* kernels, const Net* net) {
  test_outputs(kernels, net, 1, 5);
  test_outputs(kernels, net, 33, 21);
  test_outputs(kernels, net, 3, 300);
  test_acting(kernels, net);
  test_nan(kernels, net);
  test_rounding(kernels, net, 19, 21);
  test_workers(kernels, net, 40, 17);
}

int main(void) {
  const PfcMatmulKernels* kernels;
  for (PfcRecurrentKind kind = PFC_RECURRENT_MINGRU; kind <= PFC_RECURRENT_LSTM; ++kind) {
    const Net nets[] = {{kind, 1, {50, 72, 4}}, {kind, 2, {13, 40, 33, 5}}, {kind, 0, {24, 3}}, {kind, 1, {1, 1, 1}}};
    const Net small = {kind, 2, {3, 5, 6, 2}}, direct = {kind, 0, {5, 3}}, tiny = {kind, 1, {2, 1, 1}};
    for (int32_t bfloat16 = 0; bfloat16 <= 1; ++bfloat16)
      for (int32_t set = 0; (kernels = pfc_matmul_kernels(bfloat16 != 0, set)) != NULL; ++set) {
        for (size_t n = 0; n < sizeof nets / sizeof *nets; ++n) test_kernels(kernels, &nets[n]);
        test_workers(kernels, &nets[0], 13, 150);
        test_used_again(kernels, &nets[1]);
      }
    test_gradients(pfc_matmul_kernels(false, 0), &small, 9, 18, 1e-3);
    test_gradients(pfc_matmul_kernels(false, 0), &direct, 9, 18, 1e-3);
    // More rows than a block has, so that gradients of several blocks are added.
    test_gradients(pfc_matmul_kernels(false, 0), &tiny, 2, 16 * 128 + 40, 2e-2);
    test_nan_gates(kind);
  }
  test_refusals();
  return check_report();
}
