// test_minibatch.c - a minibatch in one call equals forward pass, loss and backward pass, bit for bit, for every
// instruction set, with and without workers and masks. Actions that are out of range or illegal are refused.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/base.h"
#include "pufferc/rng.h"
#include "training/minibatch.h"

enum { LAYERS = 3, INPUTS = 19, HIDDEN = 33, OUTPUTS = 6 };  // logits of 2 and 3 choices, and the value

static const int32_t widths[LAYERS + 1] = {INPUTS, HIDDEN, HIDDEN, OUTPUTS}, counts[2] = {2, 3};

typedef struct Case {
  PfcMlp* mlp;
  int64_t rows;
  void* x;
  int32_t* actions;
  uint32_t* mask;  // NULL = none
  float *logprobs, *advantages, *returns;
  float *outputs, *grad_outputs;
  float *grad_weights[LAYERS], *grad_biases[LAYERS];
} Case;

static float* random_floats(uint64_t seed, int64_t count, float scale) {
  float* x = malloc(sizeof *x * (size_t)count);
  PfcRng rng;
  pfc_rng_seed(&rng, seed, (uint64_t)count);
  for (int64_t i = 0; i < count; ++i) x[i] = pfc_rng_uniform(&rng, -scale, scale);
  return x;
}

static Case make_case(const PfcMatmulKernels* kernels, int64_t rows, bool masked) {
  Case c = {.rows = rows};
  CHECK(pfc_mlp_create(kernels, NULL, widths, LAYERS, &c.mlp) == PFC_OK);
  for (int32_t i = 0; i < LAYERS; ++i) {
    const int64_t size = (int64_t)widths[i] * widths[i + 1];
    float *weight = random_floats(1, size, 0.4f), *bias = random_floats(2, widths[i + 1], 0.4f);
    pfc_mlp_set_layer(c.mlp, i, weight, bias);
    free(weight), free(bias);
    c.grad_weights[i] = calloc((size_t)size, 4), c.grad_biases[i] = calloc((size_t)widths[i + 1], 4);
  }
  float* x = random_floats(3, rows * INPUTS, 1.0f);
  for (int64_t i = 0; kernels->bfloat16 && i < rows * INPUTS; ++i)
    ((uint16_t*)(void*)x)[i] =
        (uint16_t)(pfc_float_bits(x[i]) >> 16);  // in place: writes only values that have been read
  c.x = x;
  c.logprobs = random_floats(4, rows, 2.0f);
  c.advantages = random_floats(5, rows, 1.0f), c.returns = random_floats(6, rows, 1.0f);
  c.actions = malloc(2 * sizeof(int32_t) * (size_t)rows);
  for (int64_t i = 0; i < 2 * rows; ++i) c.actions[i] = (int32_t)(i % counts[i % 2]);
  c.mask = masked ? malloc(sizeof(uint32_t) * (size_t)rows) : NULL;
  for (int64_t i = 0; masked && i < rows; ++i)  // the actions are legal, other choices at random
    c.mask[i] = 1u << c.actions[2 * i] | 4u << c.actions[2 * i + 1] | ((uint32_t)(i * 7) & 31u);
  c.outputs = calloc((size_t)(rows * OUTPUTS), 4), c.grad_outputs = calloc((size_t)(rows * OUTPUTS), 4);
  return c;
}

static void free_case(Case* c) {
  for (int32_t i = 0; i < LAYERS; ++i) free(c->grad_weights[i]), free(c->grad_biases[i]);
  free(c->x), free(c->actions), free(c->mask), free(c->logprobs), free(c->advantages), free(c->returns);
  free(c->outputs), free(c->grad_outputs);
  pfc_mlp_destroy(c->mlp);
}

static PfcMinibatch minibatch(const Case* c) {
  return (PfcMinibatch){.rows = c->rows,
                        .action_dims = 2,
                        .action_counts = counts,
                        .actions = c->actions,
                        .mask = c->mask,
                        .mask_words = 1,
                        .old_logprobs = c->logprobs,
                        .advantages = c->advantages,
                        .returns = c->returns};
}

static const PfcPpoSettings settings = {.clip = 0.2f, .value_coef = 0.5f, .entropy_coef = 0.01f};

static PfcStatus learn(Case* c, PfcWorkers* workers, PfcPpoLossStats* stats) {
  const PfcLearn args = {.x = c->x,
                         .batch = minibatch(c),
                         .settings = settings,
                         .outputs = c->outputs,
                         .grad_outputs = c->grad_outputs,
                         .grad_weights = c->grad_weights,
                         .grad_biases = c->grad_biases};
  return pfc_learn(c->mlp, &args, workers, stats);
}

static PfcPpoLossStats by_parts(Case* c) {
  const PfcPpoLossArgs args = {.batch = minibatch(c),
                               .settings = settings,
                               .outputs = {.logits = c->outputs,
                                           .logits_stride = OUTPUTS,
                                           .values = c->outputs + OUTPUTS - 1,
                                           .values_stride = OUTPUTS,
                                           .grad_logits = c->grad_outputs,
                                           .grad_logits_stride = OUTPUTS,
                                           .grad_values = c->grad_outputs + OUTPUTS - 1,
                                           .grad_values_stride = OUTPUTS}};
  PfcPpoLossStats stats;
  CHECK(pfc_mlp_forward(c->mlp, c->x, c->rows, true, c->outputs, NULL) == PFC_OK);
  CHECK(pfc_ppo_loss(&args, NULL, &stats) == PFC_OK);
  CHECK(pfc_mlp_backward(c->mlp, c->x, c->rows, c->grad_outputs, c->grad_weights, c->grad_biases, NULL) == PFC_OK);
  return stats;
}

static void check_equal(const Case* a, const Case* b) {
  const size_t bytes = 4 * (size_t)a->rows * OUTPUTS;
  CHECK(memcmp(a->outputs, b->outputs, bytes) == 0);
  CHECK(memcmp(a->grad_outputs, b->grad_outputs, bytes) == 0);
  for (int32_t i = 0; i < LAYERS; ++i) {
    CHECK(memcmp(a->grad_weights[i], b->grad_weights[i], 4 * (size_t)widths[i] * (size_t)widths[i + 1]) == 0);
    CHECK(memcmp(a->grad_biases[i], b->grad_biases[i], 4 * (size_t)widths[i + 1]) == 0);
  }
}

static void test_equals_parts(const PfcMatmulKernels* kernels, int64_t rows, bool masked) {
  Case expected = make_case(kernels, rows, masked);
  const PfcPpoLossStats parts = by_parts(&expected);
  PfcPpoLossStats first = {0};
  const int32_t num_threads[] = {1, 2, 7};
  for (size_t i = 0; i < sizeof num_threads / sizeof *num_threads; ++i) {
    Case found = make_case(kernels, rows, masked);
    PfcWorkers* workers = pfc_workers_create(num_threads[i], 1);
    PfcPpoLossStats stats;
    CHECK(learn(&found, workers, &stats) == PFC_OK);
    check_equal(&expected, &found);
    CHECK(fabs(stats.loss - parts.loss) <= 1e-12 * (1.0 + fabs(parts.loss)) && stats.count == parts.count);
    if (i == 0) first = stats;
    CHECK(memcmp(&stats, &first, sizeof stats) == 0);
    pfc_workers_destroy(workers);
    free_case(&found);
  }
  free_case(&expected);
}

static void test_refused(void) {
  Case c = make_case(pfc_matmul_kernels(false, 0), 300, false);
  PfcPpoLossStats stats;
  c.actions[2 * 257 + 1] = 3;
  CHECK(learn(&c, NULL, &stats) == PFC_INVALID);
  CHECK(strstr(pfc_last_error(), "actions[257]") != NULL);
  c.rows = 0;
  CHECK(learn(&c, NULL, &stats) == PFC_INVALID);
  free_case(&c);
  c = make_case(pfc_matmul_kernels(false, 0), 300, true);
  c.mask[257] = 31u & ~(1u << c.actions[2 * 257]);
  CHECK(learn(&c, NULL, &stats) == PFC_INVALID);
  CHECK(strstr(pfc_last_error(), "actions[257]") && strstr(pfc_last_error(), "or is illegal by its mask"));
  free_case(&c);
}

int main(void) {
  const int64_t rows[] = {1, 130, 1100, 4099};
  for (int32_t bfloat16 = 0; bfloat16 < 2; ++bfloat16)
    for (int32_t i = 0; pfc_matmul_kernels(bfloat16, i); ++i)
      for (size_t r = 0; r < 2 * sizeof rows / sizeof *rows; ++r)
        test_equals_parts(pfc_matmul_kernels(bfloat16, i), rows[r / 2], r % 2);
  test_refused();
  return check_report();
}
