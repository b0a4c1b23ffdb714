// learn.c - see learn.h. Each chunk of the network's pass adds up its own rows' loss, in order; chunks are added at the
// end.
#include "kernels/learn.h"

#include "kernels/ppo_terms.h"

typedef struct LearnJob {
  const PfcPpoKernel* loss;
  float per_row;
  PfcPpoPartial sums[PFC_MLP_MAX_CHUNKS];
} LearnJob;

static void learn_rows(void* context, int32_t chunk, int64_t begin, int64_t end) {
  LearnJob* job = context;
  PfcPpoPartial block;
  job->loss->rows(job->loss->args, begin, end, job->per_row, &block);
  pfc_ppo_add(&job->sums[chunk], &block);
}

PfcStatus pfc_learn(PfcMlp* mlp, const PfcLearn* minibatch, const PfcPpoKernel* loss, PfcWorkers* workers,
                    PfcPpoLossStats* stats) {
  const int64_t count = pfc_ppo_count(loss->batch);
  LearnJob job = {.loss = loss, .per_row = pfc_ppo_per_row(count)};
  for (int32_t i = 0; i < PFC_MLP_MAX_CHUNKS; ++i) job.sums[i].first_bad_row = -1;
  const PfcMlpLoss rows = {.rows = learn_rows, .context = &job};
  const PfcStatus status =
      pfc_mlp_learn(mlp, minibatch->x, loss->batch->rows, &rows, minibatch->outputs, minibatch->grad_outputs,
                    minibatch->grad_weights, minibatch->grad_biases, workers);
  if (status) return status;
  PfcPpoPartial sum = {.first_bad_row = -1};
  for (int32_t i = 0; i < PFC_MLP_MAX_CHUNKS; ++i) pfc_ppo_add(&sum, &job.sums[i]);
  return pfc_ppo_finish(loss->batch, count, &sum, stats);
}
