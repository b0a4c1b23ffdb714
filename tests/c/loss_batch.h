// loss_batch.h - random minibatches for the tests of the PPO loss, and the part of its definition that does not depend
// on the distribution of actions, in double precision.
//
// Header-only. B rows; K parameters of a row's distribution, the value and two unused columns share one matrix
// [B, width], and so do the gradients. Unwritten results are 7.
#ifndef PUFFERC_TESTS_LOSS_BATCH_H
#define PUFFERC_TESTS_LOSS_BATCH_H

#include <math.h>
#include <stdlib.h>

#include "kernels/ppo_loss.h"
#include "pufferc/rng.h"

enum { PAD = 2 };

typedef struct Minibatch {
  PfcPpoLossArgs args;  // points into the members below; batch.alive and batch.mask are NULL until a test sets them
  int32_t counts[PFC_MAX_ACTION_DIMS];
  int32_t numbers, width;  // K, K + 1 + PAD
  float *outputs, *gradients, *old_logprobs, *advantages, *returns, *old_values, *ratio;
  int32_t* actions;  // discrete
  float* controls;   // continuous
  uint32_t* mask;
  uint8_t* alive;
} Minibatch;

static inline float* floats(PfcRng* rng, int64_t count, float low, float high) {
  float* x = malloc(sizeof *x * (size_t)count);
  for (int64_t i = 0; i < count; ++i) x[i] = pfc_rng_uniform(rng, low, high);
  return x;
}

static inline void make_outputs(Minibatch* m, PfcRng* rng, int64_t rows) {
  m->width = m->numbers + 1 + PAD;
  m->outputs = floats(rng, rows * m->width, -1.0f, 1.0f);
  m->gradients = floats(rng, rows * m->width, 7.0f, 7.0f);
}

// Columns of the rollout, with old log-probabilities in [low, high].
static inline void make_columns(Minibatch* m, PfcRng* rng, int64_t rows, float low, float high) {
  m->old_logprobs = floats(rng, rows, low, high);
  m->advantages = floats(rng, rows, -2.0f, 3.0f);
  m->returns = floats(rng, rows, -2.0f, 2.0f);
  m->old_values = floats(rng, rows, -1.0f, 1.0f);
  m->ratio = floats(rng, rows, 7.0f, 7.0f);
}

// Alive flags, and the arguments.
static inline void finish_minibatch(Minibatch* m, PfcRng* rng, int64_t rows, int32_t dims) {
  m->alive = malloc((size_t)rows);
  for (int64_t i = 0; i < rows; ++i) m->alive[i] = (uint8_t)pfc_rng_below(rng, 4);  // 0 = dead
  m->args = (PfcPpoLossArgs){.batch = {.rows = rows,
                                       .action_dims = dims,
                                       .action_counts = m->actions ? m->counts : NULL,
                                       .actions = m->actions ? (void*)m->actions : (void*)m->controls,
                                       .old_logprobs = m->old_logprobs,
                                       .advantages = m->advantages,
                                       .returns = m->returns,
                                       .old_values = m->old_values},
                             .settings = {.clip = 0.2f, .value_coef = 0.5f, .entropy_coef = 0.01f},
                             .outputs = {.logits = m->outputs,
                                         .logits_stride = m->width,
                                         .values = m->outputs + m->numbers,
                                         .values_stride = m->width,
                                         .grad_logits = m->gradients,
                                         .grad_logits_stride = m->width,
                                         .grad_values = m->gradients + m->numbers,
                                         .grad_values_stride = m->width,
                                         .ratio = m->ratio}};
}

static inline void free_minibatch(Minibatch* m) {
  free(m->outputs), free(m->gradients), free(m->old_logprobs), free(m->advantages), free(m->returns);
  free(m->old_values), free(m->ratio), free(m->actions), free(m->controls), free(m->mask), free(m->alive), free(m);
}

static inline bool is_alive(const Minibatch* m, int64_t row) {
  return !m->args.batch.alive || m->args.batch.alive[row];
}

// ---- definition of the loss ------------------------------------------------------------------------------

typedef struct RowTerms {
  double policy, value, entropy, log_ratio;
} RowTerms;

// The terms of a row from the log-probability of its actions, the entropy, and the value.
static inline RowTerms terms_of(const Minibatch* m, int64_t row, double logprob, double entropy, double value) {
  const PfcPpoSettings* s = &m->args.settings;
  RowTerms terms = {.entropy = entropy, .log_ratio = logprob - (double)m->old_logprobs[row]};
  double advantage = m->advantages[row];
  if (s->advantage_std > 0.0f) advantage = (advantage - (double)s->advantage_mean) / ((double)s->advantage_std + 1e-8);
  const double ratio = exp(terms.log_ratio), low = 1.0 - (double)s->clip, high = 1.0 + (double)s->clip;
  terms.policy = fmax(-advantage * ratio, -advantage * fmin(fmax(ratio, low), high));
  const double target = m->returns[row];
  terms.value = 0.5 * (value - target) * (value - target);
  if (s->value_clip > 0.0f) {
    const double old = m->old_values[row], limit = (double)s->value_clip;
    const double clipped = old + fmin(fmax(value - old, -limit), limit);
    terms.value = fmax(terms.value, 0.5 * (clipped - target) * (clipped - target));
  }
  return terms;
}

static inline double loss_of(const Minibatch* m, RowTerms terms) {
  const PfcPpoSettings* s = &m->args.settings;
  return terms.policy + (double)s->value_coef * terms.value - (double)s->entropy_coef * terms.entropy;
}

#endif  // PUFFERC_TESTS_LOSS_BATCH_H
