// minibatch.c - see minibatch.h. Each chunk of the network's pass sums the loss of its rows in order. The sums of the
// chunks are added at the end.
#include "training/minibatch.h"

#include "kernels/ppo_terms.h"

typedef struct LearnJob {
  PfcPpoKernel loss;
  char* scratch;  // [workers, loss.scratch_bytes]
  PfcPpoPartial sums[PFC_MLP_MAX_CHUNKS];
} LearnJob;

static void learn_rows(void* context, const PfcMlpBlock* block) {
  LearnJob* job = context;
  PfcPpoPartial sums;
  job->loss.rows(&job->loss, job->scratch + (uint64_t)block->worker * job->loss.scratch_bytes, block->begin, block->end,
                 &sums);
  pfc_ppo_add(&job->sums[block->chunk], &sums);
}

// The last column of the network's outputs is the value, those before it are the logits.
static PfcPpoOutputs learn_columns(const PfcLearn* args, int64_t columns) {
  return (PfcPpoOutputs){.logits = args->outputs,
                         .logits_stride = columns,
                         .values = args->outputs + columns - 1,
                         .values_stride = columns,
                         .grad_logits = args->grad_outputs,
                         .grad_logits_stride = columns,
                         .grad_values = args->grad_outputs + columns - 1,
                         .grad_values_stride = columns};
}

static PfcStatus learn_check(const PfcLearn* args, int32_t columns) {
  const PfcMinibatch* batch = &args->batch;
  if (!args->outputs || !args->grad_outputs)
    return pfc_fail(PFC_INVALID, "outputs, grad_outputs: expected float32 [rows, %d], got NULL", columns);
  int64_t numbers = batch->action_counts ? 0 : 2 * (int64_t)batch->action_dims;
  for (int32_t d = 0; batch->action_counts && d < PFC_MIN(batch->action_dims, PFC_MAX_ACTION_DIMS); ++d)
    numbers += batch->action_counts[d];
  if (numbers + 1 == columns) return PFC_OK;
  return pfc_fail(PFC_INVALID, "mlp: expected %lld outputs for these actions and the value, this network has %d",
                  (long long)(numbers + 1), columns);
}

PfcStatus pfc_learn(PfcMlp* mlp, const PfcLearn* args, PfcWorkers* workers, PfcPpoLossStats* stats) {
  const int32_t columns = pfc_mlp_shape(mlp).outputs;
  PfcStatus status = learn_check(args, columns);
  if (status) return status;
  const PfcPpoLossArgs loss = {args->batch, args->settings, learn_columns(args, columns)};
  LearnJob job = {0};
  status = pfc_ppo_kernel(&loss, &job.loss);
  if (status) return status;
  job.scratch = pfc_alloc(job.loss.scratch_bytes * (uint64_t)pfc_workers_count(workers));
  if (!job.scratch) return pfc_fail(PFC_NO_MEMORY, "there is not enough memory for the loss of these actions");
  for (int32_t i = 0; i < PFC_MLP_MAX_CHUNKS; ++i) job.sums[i].first_bad_row = -1;
  const PfcMlpLoss rows = {.rows = learn_rows, .context = &job};
  status = pfc_mlp_learn(mlp, args->x, args->batch.rows, &rows, args->outputs, args->grad_outputs, args->grad_weights,
                         args->grad_biases, workers);
  pfc_free(job.scratch);
  if (status) return status;
  PfcPpoPartial sum = {.first_bad_row = -1};
  for (int32_t i = 0; i < PFC_MLP_MAX_CHUNKS; ++i) pfc_ppo_add(&sum, &job.sums[i]);
  return pfc_ppo_finish(&job.loss, &sum, stats);
}
