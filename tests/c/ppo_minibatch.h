// ppo_minibatch.h - random minibatches for the tests of the discrete PPO loss. make_minibatch allocates everything that
// its args point to; free_minibatch frees it.
#ifndef PUFFERC_TESTS_PPO_MINIBATCH_H
#define PUFFERC_TESTS_PPO_MINIBATCH_H

#include <math.h>
#include <stdlib.h>

#include "kernels/ppo_loss.h"
#include "pufferc/rng.h"
#include "random_masks.h"

enum { PAD = 2 };  // logits, value and two unused columns share one matrix; so do the gradients

// A minibatch. args point into it.
typedef struct Minibatch {
  PfcPpoLossArgs args;
  int32_t counts[PFC_MAX_ACTION_DIMS];
  int32_t choices, width;
  float *outputs, *gradients, *old_logprobs, *advantages, *returns, *old_values, *ratio;
  int32_t* actions;
  uint32_t* mask;  // NULL = none
  uint8_t* alive;
} Minibatch;

static inline float* floats(PfcRng* rng, int64_t count, float low, float high) {
  float* x = malloc(sizeof *x * (size_t)count);
  for (int64_t i = 0; i < count; ++i) x[i] = pfc_rng_uniform(rng, low, high);
  return x;
}

static inline Minibatch* make_minibatch(int64_t rows, const int32_t* counts, int32_t dims, uint64_t seed) {
  Minibatch* m = calloc(1, sizeof *m);
  PfcRng rng;
  pfc_rng_seed(&rng, seed, 2);
  float uniform_logprob = 0.0f;
  for (int32_t d = 0; d < dims; ++d) {
    m->choices += m->counts[d] = counts[d];
    uniform_logprob -= logf((float)counts[d]);
  }
  m->width = m->choices + 1 + PAD;
  m->outputs = floats(&rng, rows * m->width, -1.0f, 1.0f);
  m->gradients = floats(&rng, rows * m->width, 7.0f, 7.0f);
  m->old_logprobs = floats(&rng, rows, uniform_logprob - 0.7f, uniform_logprob + 0.7f);
  m->advantages = floats(&rng, rows, -2.0f, 3.0f);
  m->returns = floats(&rng, rows, -2.0f, 2.0f);
  m->old_values = floats(&rng, rows, -1.0f, 1.0f);
  m->ratio = floats(&rng, rows, 7.0f, 7.0f);
  m->actions = malloc(sizeof(int32_t) * (size_t)(rows * dims));
  for (int64_t i = 0; i < rows * dims; ++i) m->actions[i] = (int32_t)pfc_rng_below(&rng, (uint32_t)counts[i % dims]);
  m->alive = malloc((size_t)rows);
  for (int64_t i = 0; i < rows; ++i) m->alive[i] = (uint8_t)pfc_rng_below(&rng, 4);  // 0 = dead
  m->args = (PfcPpoLossArgs){.batch = {.rows = rows,
                                       .action_dims = dims,
                                       .action_counts = m->counts,
                                       .actions = m->actions,
                                       .old_logprobs = m->old_logprobs,
                                       .advantages = m->advantages,
                                       .returns = m->returns,
                                       .old_values = m->old_values},
                             .settings = {.clip = 0.2f, .value_coef = 0.5f, .entropy_coef = 0.01f},
                             .outputs = {.logits = m->outputs,
                                         .logits_stride = m->width,
                                         .values = m->outputs + m->choices,
                                         .values_stride = m->width,
                                         .grad_logits = m->gradients,
                                         .grad_logits_stride = m->width,
                                         .grad_values = m->gradients + m->choices,
                                         .grad_values_stride = m->width,
                                         .ratio = m->ratio}};
  return m;
}

// Random masks in which the actions are legal. Old log-probabilities become 0 in forced rows.
static inline void set_masks(Minibatch* m, uint64_t seed) {
  const int32_t dims = m->args.batch.action_dims, words = (m->choices + 31) / 32;
  m->mask = random_masks(m->args.batch.rows, m->counts, dims, seed);
  m->args.batch.mask = m->mask, m->args.batch.mask_words = words;
  for (int64_t row = 0; row < m->args.batch.rows; ++row) {
    uint32_t* mask = m->mask + row * words;
    int32_t first = 0;
    for (int32_t d = 0; d < dims; ++d) {
      int32_t* action = &m->actions[row * dims + d];
      while (!is_legal(mask, first + *action)) *action = (*action + 1) % m->counts[d];
      first += m->counts[d];
    }
    if (is_forced(mask, m->counts, dims)) m->old_logprobs[row] = 0.0f;
  }
}

static inline bool row_is_forced(const Minibatch* m, int64_t row) {
  const PfcMinibatch* b = &m->args.batch;
  return b->mask && is_forced(b->mask + row * b->mask_words, m->counts, b->action_dims);
}

static inline void free_minibatch(Minibatch* m) {
  free(m->outputs), free(m->gradients), free(m->old_logprobs), free(m->advantages), free(m->returns);
  free(m->old_values), free(m->ratio), free(m->actions), free(m->mask), free(m->alive), free(m);
}

#endif  // PUFFERC_TESTS_PPO_MINIBATCH_H
