// test_rollout.c - a rollout in one call equals forward pass, sampling and pool step by step: for any number of
// workers, odd numbers of rows, several agents per game, masks, and truncated episodes; invalid arguments.
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/base.h"
#include "kernels/sample.h"
#include "networks/matmul.h"
#include "pufferc/rng.h"
#include "training/rollout.h"

enum { STEPS = 30, HIDDEN = 40 };

extern const PfcEnvSpec pfc_env_lock;  // see lock.c

// A pool, a network for it, and the arrays of a rollout.
typedef struct Side {
  PfcPool* pool;
  const PfcBuffers* buffers;
  PfcMlp* mlp;
  PfcRollout rollout;
  int64_t rows, inputs, outputs;
} Side;

static float* random_floats(int64_t count, float scale) {
  float* x = malloc(sizeof *x * (size_t)count);
  PfcRng rng;
  pfc_rng_seed(&rng, 5, (uint64_t)count);
  for (int64_t i = 0; i < count; ++i) x[i] = pfc_rng_uniform(&rng, -scale, scale);
  return x;
}

static void make_network(Side* side) {
  const int32_t widths[3] = {(int32_t)side->inputs, HIDDEN, (int32_t)side->outputs};
  CHECK(pfc_mlp_create(pfc_matmul_kernels(false, 0), NULL, widths, 2, &side->mlp) == PFC_OK);
  for (int32_t i = 0; i < 2; ++i) {
    float *weight = random_floats((int64_t)widths[i] * widths[i + 1], 0.5f), *bias = random_floats(widths[i + 1], 0.5f);
    pfc_mlp_set_layer(side->mlp, i, weight, bias);
    free(weight), free(bias);
  }
}

static Side make_side(const char* game, int32_t games, int32_t max_steps) {
  const PfcParamValue params[] = {{"max_steps", max_steps}};
  const bool masked = strcmp(game, "lock") == 0;
  const PfcPoolDesc desc = {.env = masked ? NULL : game,
                            .spec = masked ? &pfc_env_lock : NULL,
                            .num_games = games,
                            .seed = 3,
                            .params = params,
                            .num_params = 1};
  Side side = {.pool = pfc_pool_create(&desc)};
  side.buffers = pfc_pool_buffers(side.pool);
  side.rows = side.buffers->rows, side.inputs = 1, side.outputs = 1;
  for (int32_t i = 0; i < side.buffers->obs_dims; ++i) side.inputs *= side.buffers->obs_shape[i];
  for (int32_t d = 0; d < side.buffers->action_dims; ++d) side.outputs += side.buffers->action_counts[d];
  make_network(&side);
  const size_t cells = (size_t)(STEPS * side.rows), more = (size_t)((STEPS + 1) * side.rows);
  side.rollout = (PfcRollout){.steps = STEPS,
                              .observations = calloc(more * (size_t)side.inputs, 4),
                              .actions = calloc(cells * (size_t)side.buffers->action_dims, 4),
                              .mask = masked ? calloc(cells * (size_t)side.buffers->mask_words, 4) : NULL,
                              .mask_words = side.buffers->mask_words,
                              .logprobs = calloc(cells, 4),
                              .rewards = calloc(cells, 4),
                              .values = calloc(more, 4),
                              .final_values = calloc(cells, 4),
                              .terminated = calloc(cells, 1),
                              .truncated = calloc(cells, 1),
                              .alive = calloc(more, 1),
                              .seed = 9,
                              .first_step = 70,
                              .first_row = 11};
  const PfcResetDesc reset = {.observations = side.rollout.observations};
  CHECK(pfc_pool_reset(side.pool, &reset) == PFC_OK);
  memcpy(side.rollout.alive, side.buffers->alive, (size_t)side.rows);
  return side;
}

static void free_side(Side* side) {
  const PfcRollout* r = &side->rollout;
  free(r->observations), free(r->actions), free(r->logprobs), free(r->rewards), free(r->values);
  free(r->final_values), free(r->terminated), free(r->truncated), free(r->alive), free(r->mask);
  pfc_mlp_destroy(side->mlp);
  pfc_pool_destroy(side->pool);
}

// ---- step by step --------------------------------------------------------------------------------------

static void reference_values(Side* side, const float* x, float* outputs, int64_t rows, float* values) {
  CHECK(pfc_mlp_forward(side->mlp, x, rows, false, outputs, NULL) == PFC_OK);
  for (int64_t i = 0; i < rows; ++i) values[i] = outputs[(i + 1) * side->outputs - 1];
}

static void reference_step(Side* side, int64_t t, float* outputs) {
  const PfcRollout* r = &side->rollout;
  const PfcBuffers* b = side->buffers;
  const int64_t rows = side->rows, at = t * rows;
  float* seen = (float*)r->observations + at * side->inputs;
  int32_t* actions = r->actions + at * b->action_dims;
  reference_values(side, seen, outputs, rows, r->values + at);
  uint32_t* mask = r->mask ? r->mask + at * r->mask_words : NULL;
  if (mask) memcpy(mask, b->action_mask, sizeof *mask * (size_t)(rows * r->mask_words));
  const PfcSampleArgs draw = {.rows = rows,
                              .dims = b->action_dims,
                              .action_counts = b->action_counts,
                              .logits = outputs,
                              .logits_stride = side->outputs,
                              .mask = mask,
                              .mask_words = r->mask_words,
                              .seed = r->seed,
                              .step = r->first_step + (uint64_t)t,
                              .first_row = r->first_row,
                              .actions = actions,
                              .logprobs = r->logprobs + at};
  CHECK(pfc_sample(&draw, NULL, NULL) == PFC_OK);
  CHECK(pfc_pool_step(side->pool, actions, PFC_INT32, seen + rows * side->inputs) == PFC_OK);
  memcpy(r->rewards + at, b->rewards, sizeof(float) * (size_t)rows);
  memcpy(r->terminated + at, b->terminated, (size_t)rows);
  memcpy(r->truncated + at, b->truncated, (size_t)rows);
  memcpy(r->alive + at + rows, b->alive, (size_t)rows);
  for (int64_t i = 0; i < rows; ++i)
    if (b->truncated[i])
      reference_values(side, (const float*)b->final_observations + i * side->inputs, outputs, 1,
                       r->final_values + at + i);
}

static void play_by_steps(Side* side) {
  float* outputs = malloc(sizeof(float) * (size_t)(side->rows * side->outputs));
  for (int64_t t = 0; t < STEPS; ++t) reference_step(side, t, outputs);
  const float* last = (const float*)side->rollout.observations + STEPS * side->rows * side->inputs;
  reference_values(side, last, outputs, side->rows, side->rollout.values + STEPS * side->rows);
  free(outputs);
}

// ---- tests ---------------------------------------------------------------------------------------------

static void check_equal(const Side* a, const Side* b) {
  const size_t cells = (size_t)(STEPS * a->rows), more = cells + (size_t)a->rows;
  const PfcRollout *x = &a->rollout, *y = &b->rollout;
  CHECK(memcmp(x->observations, y->observations, 4 * more * (size_t)a->inputs) == 0);
  CHECK(memcmp(x->actions, y->actions, 4 * cells * (size_t)a->buffers->action_dims) == 0);
  if (x->mask) CHECK(memcmp(x->mask, y->mask, 4 * cells * (size_t)x->mask_words) == 0);
  CHECK(memcmp(x->logprobs, y->logprobs, 4 * cells) == 0);
  CHECK(memcmp(x->rewards, y->rewards, 4 * cells) == 0);
  CHECK(memcmp(x->values, y->values, 4 * more) == 0);
  CHECK(memcmp(x->final_values, y->final_values, 4 * cells) == 0);
  CHECK(memcmp(x->terminated, y->terminated, cells) == 0);
  CHECK(memcmp(x->truncated, y->truncated, cells) == 0);
  CHECK(memcmp(x->alive, y->alive, more) == 0);
  CHECK(memcmp(a->buffers->observations, b->buffers->observations, 4 * (size_t)(a->rows * a->inputs)) == 0);
  CHECK(pfc_pool_ended(a->pool, -1) == pfc_pool_ended(b->pool, -1));
}

static void test_equals_steps(const char* game, int32_t games, int32_t max_steps) {
  Side expected = make_side(game, games, max_steps);
  play_by_steps(&expected);
  const int32_t num_threads[] = {1, 2, 7};
  for (size_t i = 0; i < sizeof num_threads / sizeof *num_threads; ++i) {
    Side found = make_side(game, games, max_steps);
    PfcWorkers* workers = pfc_workers_create(num_threads[i], 1);
    PfcRolloutReport report;
    CHECK(pfc_rollout(found.pool, found.mlp, &found.rollout, workers, &report) == PFC_OK);
    CHECK(report.bad_rows == 0 && report.policy_s > 0 && report.env_s > 0 && report.copy_s > 0);
    check_equal(&expected, &found);
    pfc_workers_destroy(workers);
    free_side(&found);
  }
  free_side(&expected);
}

// Every second row waits for its turn, so it is forced and has log-probability 0. The pool refuses illegal actions, so
// the step-by-step version shows that actions are legal.
static void test_forced_rows(void) {
  Side side = make_side("lock", 20, 1000);
  PfcRolloutReport report;
  CHECK(pfc_rollout(side.pool, side.mlp, &side.rollout, NULL, &report) == PFC_OK);
  int64_t forced = 0;
  for (int64_t i = 0; i < STEPS * side.rows; ++i) {
    const uint32_t* mask = side.rollout.mask + 2 * i;
    const bool waits = mask[0] == (1u | 8u) && mask[1] == 0;
    forced += waits;
    CHECK((side.rollout.logprobs[i] == 0.0f) == waits);
    if (waits) CHECK(side.rollout.actions[2 * i] == 0 && side.rollout.actions[2 * i + 1] == 0);
  }
  CHECK(forced == STEPS * side.rows / 2);
  free_side(&side);
}

static void test_bad_outputs(void) {
  Side side = make_side("cartpole", 9, 500);
  const float bias[HIDDEN] = {0};
  float* weight = random_floats(HIDDEN * side.inputs, 1.0f);
  weight[0] = PFC_INFINITY - PFC_INFINITY;
  pfc_mlp_set_layer(side.mlp, 0, weight, bias);
  PfcRolloutReport report;
  CHECK(pfc_rollout(side.pool, side.mlp, &side.rollout, NULL, &report) == PFC_OK);
  CHECK(report.bad_rows == 9);
  free(weight);
  free_side(&side);
}

static void test_refused(void) {
  Side side = make_side("cartpole", 4, 500), other = make_side("breakout", 4, 500);
  PfcRolloutReport report;
  PfcRollout none = side.rollout;
  none.steps = 0;
  CHECK(pfc_rollout(side.pool, side.mlp, &none, NULL, &report) == PFC_INVALID);
  CHECK(pfc_rollout(side.pool, other.mlp, &side.rollout, NULL, &report) == PFC_INVALID);
  CHECK(pfc_rollout(NULL, side.mlp, &side.rollout, NULL, &report) == PFC_INVALID);
  const PfcPoolDesc desc = {.env = "cartpole", .num_games = 4, .num_groups = 2};
  PfcPool* pool = pfc_pool_create(&desc);
  CHECK(pfc_rollout(pool, side.mlp, &side.rollout, NULL, &report) == PFC_STATE);
  CHECK(pfc_pool_reset(pool, NULL) == PFC_OK);
  CHECK(pfc_rollout(pool, side.mlp, &side.rollout, NULL, &report) == PFC_INVALID);
  pfc_pool_destroy(pool);
  uint32_t mask[STEPS * 4];
  PfcRollout masked = side.rollout;
  masked.mask = mask, masked.mask_words = 1;
  CHECK(pfc_rollout(side.pool, side.mlp, &masked, NULL, &report) == PFC_INVALID);
  CHECK(strstr(pfc_last_error(), "mask: expected 0 words") != NULL);
  Side lock = make_side("lock", 2, 20);
  masked = lock.rollout;
  masked.mask = NULL;
  CHECK(pfc_rollout(lock.pool, lock.mlp, &masked, NULL, &report) == PFC_INVALID);
  CHECK(strstr(pfc_last_error(), "mask: expected 2 words in a row for this pool, got 0") != NULL);
  free_side(&lock);
  CHECK(pfc_rollout(side.pool, side.mlp, &side.rollout, NULL, &report) == PFC_OK);
  free_side(&side), free_side(&other);
}

int main(void) {
  test_equals_steps("breakout", 150, 17);
  test_equals_steps("cartpole", 5, 12);
  test_equals_steps("pong", 33, 1000);
  test_equals_steps("lock", 70, 11);
  test_forced_rows();
  test_bad_outputs();
  test_refused();
  return check_report();
}
