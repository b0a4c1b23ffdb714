// test_sets.c - networks with sets of entities against plain loops in double precision: outputs, and gradients of all
// parameters, for every instruction set; empty sets, absent entities, sets wider than a strip; the same bits for any
// number of workers and for one pass or two; NaN; recurrent networks; refusals.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/base.h"
#include "near.h"
#include "networks/mlp.h"
#include "networks/recurrent.h"
#include "pufferc/rng.h"

enum { MAX_SETS = 3, MAX_LAYERS = 2 * MAX_SETS + 2, HIDDEN = 24, OUTPUTS = 3, MOST = 512 };

typedef struct Shape {
  int32_t inputs, num_sets;
  PfcSet sets[MAX_SETS];
} Shape;

// An encoder, a hidden layer and an output layer; a batch; gradients of the kernel and of the loops.
typedef struct Case {
  PfcSetsShape sets;
  int32_t widths[3], layers;
  bool bfloat16;
  int64_t rows;
  int32_t outs[MAX_LAYERS], ins[MAX_LAYERS];
  float *weight[MAX_LAYERS], *bias[MAX_LAYERS], *grad_weight[MAX_LAYERS], *grad_bias[MAX_LAYERS];
  double *expected_weight[MAX_LAYERS], *expected_bias[MAX_LAYERS];
  float *x, *outputs, *grad_outputs;
  uint16_t* x_bfloat16;
  double* expected_outputs;
} Case;

static double rounded(const Case* c, double x) { return c->bfloat16 ? (double)nearest_bfloat16((float)x) : x; }

static float* random_floats(PfcRng* rng, int64_t count, float scale) {
  float* x = malloc(sizeof *x * (size_t)(count + 1));
  for (int64_t i = 0; i < count; ++i) x[i] = pfc_rng_uniform(rng, -scale, scale);
  return x;
}

static void set_input(Case* c, int64_t at, float x) {
  c->x[at] = c->bfloat16 ? nearest_bfloat16(x) : x;
  c->x_bfloat16[at] = (uint16_t)(pfc_float_bits(c->x[at]) >> 16);
}

static const void* inputs(const Case* c) { return c->bfloat16 ? (const void*)c->x_bfloat16 : (const void*)c->x; }

// Of each five rows one has no entities, one has all, the others some; absent ones have other values than the first,
// which must not matter.
static void draw_row(Case* c, PfcRng* rng, int64_t row) {
  const PfcSetsShape* sets = &c->sets;
  for (int32_t i = 0; i < sets->inputs; ++i) set_input(c, row * sets->inputs + i, pfc_rng_uniform(rng, -1.0f, 1.0f));
  for (int32_t s = 0; s < sets->num_sets; ++s)
    for (int32_t e = 0; e < sets->sets[s].count; e += sets->sets[s].each) {
      const bool present = row % 5 == 1 || (row % 5 != 0 && pfc_rng_below(rng, 2));
      const float absent = pfc_rng_below(rng, 2) ? -0.0f : 0.0f;
      set_input(c, row * sets->inputs + sets->sets[s].first + e, present ? 1.0f - 0.5f * (float)(e % 2) : absent);
    }
}

static void add_layer(Case* c, PfcRng* rng, int32_t outs, int32_t ins) {
  const int32_t l = c->layers++;
  const int64_t weights = (int64_t)outs * ins;
  c->outs[l] = outs, c->ins[l] = ins;
  c->weight[l] = random_floats(rng, weights, 1.5f / sqrtf((float)ins)), c->bias[l] = random_floats(rng, outs, 0.3f);
  c->grad_weight[l] = random_floats(rng, weights, 1.0f), c->grad_bias[l] = random_floats(rng, outs, 1.0f);
  c->expected_weight[l] = calloc((size_t)weights, sizeof(double));
  c->expected_bias[l] = calloc((size_t)outs, sizeof(double));
}

static Case* make_case(const Shape* shape, bool bfloat16, int64_t rows) {
  Case* c = calloc(1, sizeof *c);
  PfcRng rng;
  pfc_rng_seed(&rng, 7, (uint64_t)(rows + shape->inputs));
  c->sets = (PfcSetsShape){shape->inputs, shape->num_sets, shape->sets};
  c->bfloat16 = bfloat16, c->rows = rows;
  c->widths[0] = (int32_t)pfc_sets_outputs(&c->sets), c->widths[1] = HIDDEN, c->widths[2] = OUTPUTS;
  for (int32_t s = 0; s < shape->num_sets; ++s) {
    add_layer(c, &rng, shape->sets[s].width, shape->sets[s].each);
    add_layer(c, &rng, shape->sets[s].width, shape->sets[s].width);
  }
  add_layer(c, &rng, HIDDEN, c->widths[0]);
  add_layer(c, &rng, OUTPUTS, HIDDEN);
  c->x = random_floats(&rng, rows * shape->inputs, 1.0f);
  c->x_bfloat16 = malloc(2 * (size_t)(rows * shape->inputs + 1));
  for (int64_t row = 0; row < rows; ++row) draw_row(c, &rng, row);
  c->outputs = random_floats(&rng, rows * OUTPUTS, 1.0f);
  c->grad_outputs = random_floats(&rng, rows * OUTPUTS, 1.0f / (float)rows);
  c->expected_outputs = calloc((size_t)(rows * OUTPUTS), sizeof(double));
  return c;
}

static void free_case(Case* c) {
  for (int32_t l = 0; l < c->layers; ++l) {
    free(c->weight[l]), free(c->bias[l]), free(c->grad_weight[l]), free(c->grad_bias[l]);
    free(c->expected_weight[l]), free(c->expected_bias[l]);
  }
  free(c->x), free(c->x_bfloat16), free(c->outputs), free(c->grad_outputs), free(c->expected_outputs), free(c);
}

// ---- reference -----------------------------------------------------------------------------------------

// y <- layer l of x, with weights rounded as in the kernel. Those of the sets are not.
static void apply(const Case* c, int32_t l, const double* x, double* y) {
  for (int32_t j = 0; j < c->outs[l]; ++j) {
    y[j] = (double)c->bias[l][j];
    for (int32_t k = 0; k < c->ins[l]; ++k) {
      const double weight = (double)c->weight[l][(int64_t)j * c->ins[l] + k];
      y[j] += x[k] * (l == c->layers - 2 ? rounded(c, weight) : weight);
    }
  }
}

// Adds the gradient of layer l's output to those of its parameters, and writes that of its input.
static void apply_backward(Case* c, int32_t l, const double* x, const double* grad, double* grad_x) {
  memset(grad_x, 0, sizeof(double) * (size_t)c->ins[l]);
  for (int32_t j = 0; j < c->outs[l]; ++j) {
    c->expected_bias[l][j] += grad[j];
    for (int32_t k = 0; k < c->ins[l]; ++k) {
      c->expected_weight[l][(int64_t)j * c->ins[l] + k] += grad[j] * x[k];
      grad_x[k] += grad[j] * (double)c->weight[l][(int64_t)j * c->ins[l] + k];
    }
  }
}

// The first layer of the entity at x, after max(., 0).
static void embed(const Case* c, int32_t s, const float* x, double* values, double* hidden) {
  for (int32_t k = 0; k < c->ins[2 * s]; ++k) values[k] = (double)x[k];
  apply(c, 2 * s, values, hidden);
  for (int32_t j = 0; j < c->outs[2 * s]; ++j) hidden[j] = hidden[j] < 0 ? 0 : hidden[j];
}

// The features of set s of a row and their winners, -1 = none.
static void pool(const Case* c, int32_t s, const float* x, double* features, int32_t* winners) {
  const PfcSet* set = &c->sets.sets[s];
  double values[MOST], hidden[MOST], y[MOST];
  for (int32_t j = 0; j < set->width; ++j) features[j] = 0, winners[j] = -1;
  for (int32_t e = 0; e < set->count / set->each; ++e) {
    const float* entity = x + set->first + e * set->each;
    if (entity[0] == 0.0f) continue;
    embed(c, s, entity, values, hidden);
    apply(c, 2 * s + 1, hidden, y);
    for (int32_t j = 0; j < set->width; ++j)
      if (y[j] > features[j]) features[j] = y[j], winners[j] = e;
  }
}

static void pool_backward(Case* c, int32_t s, const float* x, const double* grad, const int32_t* winners) {
  const PfcSet* set = &c->sets.sets[s];
  double values[MOST], hidden[MOST], one[MOST], below[MOST], ignored[MOST];
  for (int32_t e = 0; e < set->count / set->each; ++e) {
    const float* entity = x + set->first + e * set->each;
    if (entity[0] == 0.0f) continue;
    for (int32_t j = 0; j < set->width; ++j) one[j] = winners[j] == e ? grad[j] : 0;
    embed(c, s, entity, values, hidden);
    apply_backward(c, 2 * s + 1, hidden, one, below);
    for (int32_t j = 0; j < set->width; ++j) below[j] = hidden[j] > 0 ? below[j] : 0;
    apply_backward(c, 2 * s, values, below, ignored);
  }
}

static void reference_row(Case* c, int64_t row) {
  double y[MOST], hidden[HIDDEN], grad[MOST], below[MOST];
  int32_t winners[MOST], count = 0;
  const float* x = c->x + row * c->sets.inputs;
  for (int32_t i = 0; i < c->sets.inputs; ++i) {
    bool plain = true;
    for (int32_t s = 0; s < c->sets.num_sets; ++s)
      plain = plain && (i < c->sets.sets[s].first || i >= c->sets.sets[s].first + c->sets.sets[s].count);
    if (plain) y[count++] = (double)x[i];
  }
  const int32_t plain = count, first = c->layers - 2;
  for (int32_t s = 0; s < c->sets.num_sets; ++s) {
    pool(c, s, x, y + count, winners + count);
    for (int32_t j = 0; j < c->sets.sets[s].width; ++j) y[count + j] = rounded(c, y[count + j]);
    count += c->sets.sets[s].width;
  }
  CHECK(count == c->widths[0]);
  apply(c, first, y, hidden);
  for (int32_t j = 0; j < HIDDEN; ++j) hidden[j] = rounded(c, hidden[j] < 0 ? 0 : hidden[j]);
  apply(c, first + 1, hidden, c->expected_outputs + row * OUTPUTS);
  for (int32_t j = 0; j < OUTPUTS; ++j) grad[j] = (double)c->grad_outputs[row * OUTPUTS + j];
  apply_backward(c, first + 1, hidden, grad, below);
  for (int32_t j = 0; j < HIDDEN; ++j) grad[j] = hidden[j] > 0 ? below[j] : 0;
  apply_backward(c, first, y, grad, below);
  count = plain;
  for (int32_t s = 0; s < c->sets.num_sets; ++s) {
    pool_backward(c, s, x, below + count, winners + count);
    count += c->sets.sets[s].width;
  }
}

// ---- the kernel ------------------------------------------------------------------------------------------

static PfcMlp* make_mlp(const Case* c, const PfcMatmulKernels* kernels) {
  PfcMlp* mlp;
  CHECK(pfc_mlp_create(kernels, &c->sets, c->widths, 2, &mlp) == PFC_OK);
  CHECK(pfc_mlp_layers(mlp) == c->layers && pfc_mlp_shape(mlp).inputs == c->sets.inputs);
  for (int32_t l = 0; l < c->layers; ++l) {
    int32_t outs, ins;
    pfc_mlp_layer_shape(mlp, l, &outs, &ins);
    CHECK(outs == c->outs[l] && ins == c->ins[l]);
    pfc_mlp_set_layer(mlp, l, c->weight[l], c->bias[l]);
  }
  return mlp;
}

static void run(Case* c, PfcMlp* mlp, PfcWorkers* workers) {
  CHECK(pfc_mlp_forward(mlp, inputs(c), c->rows, true, c->outputs, workers) == PFC_OK);
  CHECK(pfc_mlp_backward(mlp, inputs(c), c->rows, c->grad_outputs, c->grad_weight, c->grad_bias, workers) == PFC_OK);
}

static void check_equal(const Case* a, const Case* b) {
  CHECK(memcmp(a->outputs, b->outputs, 4 * (size_t)(a->rows * OUTPUTS)) == 0);
  for (int32_t l = 0; l < a->layers; ++l) {
    CHECK(memcmp(a->grad_weight[l], b->grad_weight[l], 4 * (size_t)a->outs[l] * (size_t)a->ins[l]) == 0);
    CHECK(memcmp(a->grad_bias[l], b->grad_bias[l], 4 * (size_t)a->outs[l]) == 0);
  }
}

// ---- tests ---------------------------------------------------------------------------------------------

static void test_against_loops(const PfcMatmulKernels* kernels, const Shape* shape, int64_t rows) {
  Case* c = make_case(shape, kernels->bfloat16, rows);
  for (int64_t row = 0; row < rows; ++row) reference_row(c, row);
  PfcMlp* mlp = make_mlp(c, kernels);
  run(c, mlp, NULL);
  // Gradients are rounded to bfloat16 too, but not in the loops.
  const double tolerance = kernels->bfloat16 ? 1e-2 : 2e-5;
  CHECK(near(c->outputs, c->expected_outputs, rows * OUTPUTS, tolerance));
  for (int32_t l = 0; l < c->layers; ++l) {
    CHECK(near(c->grad_weight[l], c->expected_weight[l], (int64_t)c->outs[l] * c->ins[l], tolerance));
    CHECK(near(c->grad_bias[l], c->expected_bias[l], c->outs[l], tolerance));
  }
  float* again = calloc((size_t)(rows * OUTPUTS), 4);
  CHECK(pfc_mlp_forward(mlp, inputs(c), rows, false, again, NULL) == PFC_OK);
  CHECK(memcmp(again, c->outputs, 4 * (size_t)(rows * OUTPUTS)) == 0);
  free(again);
  pfc_mlp_destroy(mlp);
  free_case(c);
}

typedef struct Given {
  const Case* c;
  float* grad;
} Given;

static void give_gradient(void* context, const PfcMlpBlock* block) {
  const Given* given = context;
  const size_t bytes = sizeof(float) * OUTPUTS * (size_t)(block->end - block->begin);
  memcpy(given->grad + block->begin * OUTPUTS, given->c->grad_outputs + block->begin * OUTPUTS, bytes);
}

// Separate passes and one pass, for several numbers of workers.
static void test_workers(const PfcMatmulKernels* kernels, const Shape* shape, int64_t rows) {
  Case *alone = make_case(shape, kernels->bfloat16, rows), *shared = make_case(shape, kernels->bfloat16, rows);
  PfcMlp *first = make_mlp(alone, kernels), *second = make_mlp(shared, kernels);
  run(alone, first, NULL);
  static const int32_t thread_counts[] = {1, 2, 7};
  for (int32_t i = 0; i < 3; ++i) {
    PfcWorkers* workers = pfc_workers_create(thread_counts[i], 1);
    run(shared, second, workers);
    check_equal(alone, shared);
    Given given = {alone, calloc((size_t)(rows * OUTPUTS), sizeof(float))};
    const PfcMlpLoss loss = {give_gradient, &given};
    CHECK(pfc_mlp_learn(second, inputs(shared), rows, &loss, shared->outputs, given.grad, shared->grad_weight,
                        shared->grad_bias, workers) == PFC_OK);
    check_equal(alone, shared);
    free(given.grad);
    pfc_workers_destroy(workers);
  }
  pfc_mlp_destroy(first), pfc_mlp_destroy(second);
  free_case(alone), free_case(shared);
}

// The other values of an absent entity have no effect, and neither has the order of entities.
static void test_invariance(const PfcMatmulKernels* kernels, const Shape* shape) {
  Case* c = make_case(shape, kernels->bfloat16, 40);
  PfcMlp* mlp = make_mlp(c, kernels);
  float before[40 * OUTPUTS];
  CHECK(pfc_mlp_forward(mlp, inputs(c), 40, false, before, NULL) == PFC_OK);
  const PfcSet* set = &shape->sets[0];
  for (int64_t row = 0; row < 40; ++row) {
    const int64_t at = row * shape->inputs + set->first;
    for (int32_t e = 0; e < set->count; e += set->each)
      for (int32_t k = 1; c->x[at + e] == 0.0f && k < set->each; ++k) set_input(c, at + e + k, 9.0f);
    for (int32_t k = 0; k < set->each; ++k) {
      const float swapped = c->x[at + k];
      set_input(c, at + k, c->x[at + set->count - set->each + k]);
      set_input(c, at + set->count - set->each + k, swapped);
    }
  }
  CHECK(pfc_mlp_forward(mlp, inputs(c), 40, false, c->outputs, NULL) == PFC_OK);
  CHECK(memcmp(before, c->outputs, sizeof before) == 0);
  pfc_mlp_destroy(mlp);
  free_case(c);
}

static void test_nan(const PfcMatmulKernels* kernels, const Shape* shape) {
  Case* c = make_case(shape, kernels->bfloat16, 8);
  const PfcSet* set = &shape->sets[0];
  const int64_t at = 6 * shape->inputs + set->first;  // row 6 has all entities
  c->x[at + set->each - 1] = NAN, c->x_bfloat16[at + set->each - 1] = 0x7fc0;
  PfcMlp* mlp = make_mlp(c, kernels);
  run(c, mlp, NULL);
  for (int32_t i = 0; i < 8 * OUTPUTS; ++i) CHECK((isnan(c->outputs[i]) != 0) == (i / OUTPUTS == 6));
  CHECK(isnan(c->grad_weight[0][set->each - 1]) && isnan(c->grad_weight[1][0]));
  pfc_mlp_destroy(mlp);
  free_case(c);
}

// ---- recurrent networks ------------------------------------------------------------------------------------

enum { STEPS = 9, STATES = PFC_RECURRENT_MAX_STATES };

typedef struct Memory {
  PfcRecurrent* net;
  int32_t layers;
  int64_t rows;
  int32_t outs[MAX_LAYERS + 2], ins[MAX_LAYERS + 2];
  PfcRecurrentLayer layer[MAX_LAYERS + 2], grad[MAX_LAYERS + 2];
  float *state, *next_state, *outputs;
} Memory;

static Memory make_memory(const Case* c, const PfcMatmulKernels* kernels, PfcRecurrentKind kind) {
  Memory m = {.rows = c->rows / STEPS};
  PfcRng rng;
  pfc_rng_seed(&rng, 3, 0);
  const PfcRecurrentShape shape = {kind, 1, c->widths, &c->sets};
  CHECK(pfc_recurrent_create(kernels, &shape, &m.net) == PFC_OK);
  m.layers = pfc_recurrent_layers(m.net);
  for (int32_t l = 0; l < m.layers; ++l) {
    pfc_recurrent_layer_shape(m.net, l, &m.outs[l], &m.ins[l]);
    CHECK(l > 2 * c->sets.num_sets || (m.outs[l] == c->outs[l] && m.ins[l] == c->ins[l]));
    const int64_t weights = (int64_t)m.outs[l] * m.ins[l];
    m.layer[l].weight = random_floats(&rng, weights, 1.5f / sqrtf((float)m.ins[l]));
    m.layer[l].bias = random_floats(&rng, m.outs[l], 0.3f);
    m.grad[l].weight = random_floats(&rng, weights, 1.0f), m.grad[l].bias = random_floats(&rng, m.outs[l], 1.0f);
  }
  pfc_recurrent_set_layers(m.net, m.layer);
  m.state = random_floats(&rng, STATES * m.rows * HIDDEN, 1.0f);
  m.next_state = random_floats(&rng, STATES * m.rows * HIDDEN, 1.0f);
  m.outputs = random_floats(&rng, c->rows * OUTPUTS, 1.0f);
  return m;
}

static void free_memory(Memory* m) {
  for (int32_t l = 0; l < m->layers; ++l) {
    free(m->layer[l].weight), free(m->layer[l].bias), free(m->grad[l].weight), free(m->grad[l].bias);
  }
  free(m->state), free(m->next_state), free(m->outputs);
  pfc_recurrent_destroy(m->net);
}

// The sum of outputs times c->grad_outputs, after a forward pass.
static double memory_loss(const Case* c, Memory* m, PfcWorkers* workers) {
  const int64_t size = m->rows * HIDDEN;
  const PfcRecurrentBatch batch = {.steps = STEPS,
                                   .rows = m->rows,
                                   .x = inputs(c),
                                   .x_step = m->rows * c->sets.inputs,
                                   .state = {m->state, m->state + size}};
  CHECK(pfc_recurrent_forward(m->net, &batch, true, m->outputs, (float*[]){m->next_state, m->next_state + size},
                              workers) == PFC_OK);
  double loss = 0;
  for (int64_t i = 0; i < STEPS * m->rows * OUTPUTS; ++i) loss += (double)m->outputs[i] * (double)c->grad_outputs[i];
  return loss;
}

static void memory_backward(const Case* c, Memory* m, PfcWorkers* workers) {
  const int64_t size = m->rows * HIDDEN;
  const PfcRecurrentBatch batch = {.steps = STEPS,
                                   .rows = m->rows,
                                   .x = inputs(c),
                                   .x_step = m->rows * c->sets.inputs,
                                   .state = {m->state, m->state + size}};
  CHECK(pfc_recurrent_backward(m->net, &batch, c->grad_outputs, m->grad, NULL, workers) == PFC_OK);
}

// Moves the weights of a layer along their gradient.
static void move(Memory* m, int32_t l, double by) {
  for (int64_t i = 0; i < (int64_t)m->outs[l] * m->ins[l]; ++i)
    m->layer[l].weight[i] += (float)(by * (double)m->grad[l].weight[i]);
  pfc_recurrent_set_layers(m->net, m->layer);
}

// The slope of the loss along the gradient of a layer's weights, by finite differences, is its squared length.
static void check_slope(const Case* c, Memory* m, int32_t l) {
  double square = 0;
  for (int64_t i = 0; i < (int64_t)m->outs[l] * m->ins[l]; ++i)
    square += (double)m->grad[l].weight[i] * (double)m->grad[l].weight[i];
  CHECK(square > 0);
  const double step = 1e-3 / sqrt(square);
  move(m, l, step);
  const double after = memory_loss(c, m, NULL);
  move(m, l, -2 * step);
  const double slope = (after - memory_loss(c, m, NULL)) / (2 * step);
  move(m, l, step);
  if (!CHECK(fabs(slope - square) < 0.02 * square))
    fprintf(stderr, "  layer %d: slope %g, gradient %g\n", l, slope, square);
}

static void test_memory(const Shape* shape, PfcRecurrentKind kind) {
  const PfcMatmulKernels* kernels = pfc_matmul_kernels(false, 0);
  Case* c = make_case(shape, false, STEPS * 23);
  Memory alone = make_memory(c, kernels, kind), shared = make_memory(c, kernels, kind);
  memory_loss(c, &alone, NULL);
  memory_backward(c, &alone, NULL);
  for (int32_t threads = 2; threads <= 7; threads += 5) {
    PfcWorkers* workers = pfc_workers_create(threads, 1);
    memory_loss(c, &shared, workers);
    memory_backward(c, &shared, workers);
    CHECK(memcmp(alone.outputs, shared.outputs, 4 * (size_t)(STEPS * alone.rows * OUTPUTS)) == 0);
    for (int32_t l = 0; l < alone.layers; ++l) {
      const size_t weights = (size_t)alone.outs[l] * (size_t)alone.ins[l];
      CHECK(memcmp(alone.grad[l].weight, shared.grad[l].weight, 4 * weights) == 0);
      CHECK(memcmp(alone.grad[l].bias, shared.grad[l].bias, 4 * (size_t)alone.outs[l]) == 0);
    }
    pfc_workers_destroy(workers);
  }
  for (int32_t l = 0; l < alone.layers; ++l) check_slope(c, &alone, l);
  free_memory(&alone), free_memory(&shared);
  free_case(c);
}

// ---- refusals ----------------------------------------------------------------------------------------------

static void refused(PfcSet first, PfcSet second, int32_t width, const char* why) {
  const PfcSet sets[] = {first, second};
  const PfcSetsShape shape = {20, 2, sets};
  const int32_t widths[] = {width, 8, 3};
  PfcMlp* mlp;
  CHECK(pfc_mlp_create(pfc_matmul_kernels(false, 0), &shape, widths, 2, &mlp) == PFC_INVALID && !mlp);
  if (!CHECK(strstr(pfc_last_error(), why))) fprintf(stderr, "  got %s\n", pfc_last_error());
}

static void test_refusals(void) {
  const PfcSet a = {2, 6, 3, 5}, b = {8, 12, 4, 7};
  refused(a, b, 13, "widths[0]: expected the 14 outputs of the sets, got 13");
  refused(b, a, 14, "sets[1]");
  refused(a, (PfcSet){7, 12, 4, 7}, 14, "sets[1]: expected entities");
  refused(a, (PfcSet){8, 16, 4, 7}, 14, "got values from 8, 16 of them, 4 in an entity, 7 features");
  refused((PfcSet){-1, 6, 3, 5}, b, 14, "sets[0]");
  refused((PfcSet){2, 5, 3, 5}, b, 14, "sets[0]");
  refused((PfcSet){2, 0, 3, 5}, b, 14, "sets[0]");
  refused((PfcSet){2, 6, 0, 5}, b, 14, "sets[0]");
  refused((PfcSet){2, 6, 3, 0}, b, 14, "sets[0]");
  refused((PfcSet){2, 6, 3, PFC_LINEAR_MAX_WIDTH + 1}, b, 14, "sets[0]");
}

int main(void) {
  static const Shape shapes[] = {
      {155, 1, {{65, 90, 9, 32}}},                          // a driver's neighbours
      {78, 3, {{0, 12, 4, 5}, {13, 14, 7, 40}, {60, 18, 6, 16}}},  // at both ends; plain values between
      {21, 2, {{1, 10, 10, 3}, {11, 9, 1, 195}}},           // one entity; entities of one value; wider than a strip
  };
  static const int64_t row_counts[] = {1, 6, 133, 300};
  for (int32_t bfloat16 = 0; bfloat16 <= 1; ++bfloat16)
    for (int32_t set = 0; pfc_matmul_kernels(bfloat16 != 0, set); ++set)
      for (size_t n = 0; n < sizeof shapes / sizeof shapes[0]; ++n) {
        const PfcMatmulKernels* kernels = pfc_matmul_kernels(bfloat16 != 0, set);
        for (size_t r = 0; r < sizeof row_counts / sizeof row_counts[0] - (n == 2); ++r)
          test_against_loops(kernels, &shapes[n], row_counts[r]);
        test_workers(kernels, &shapes[n], n == 2 ? 150 : 1100);
        test_invariance(kernels, &shapes[n]);
        if (shapes[n].sets[0].count > shapes[n].sets[0].each) test_nan(kernels, &shapes[n]);
      }
  for (size_t n = 0; n < sizeof shapes / sizeof shapes[0]; ++n) {
    test_memory(&shapes[n], PFC_RECURRENT_MINGRU);
    test_memory(&shapes[n], PFC_RECURRENT_LSTM);
  }
  test_refusals();
  return check_report();
}
