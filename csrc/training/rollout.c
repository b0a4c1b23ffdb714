// rollout.c - see rollout.h. A block's observations, states and outputs stay in a core's cache from step to step.
#include "training/rollout.h"

#include <string.h>
#include <time.h>

#include "core/base.h"
#include "kernels/sample.h"
#include "networks/elements.h"
#include "pool/blocks.h"

// Scratch memory of one worker, for the rows of a block.
typedef struct RolloutScratch {
  void* draw;      // of pfc_sample
  float* outputs;  // [rows, K + 1]
  void* last;      // elements [rows, O]: last observations of episodes that were truncated
  int64_t* cut;    // [rows] the indices of these rows
  double policy_s, env_s, copy_s;
  char* memory;  // owned, holds the arrays
} RolloutScratch;

typedef struct RolloutJob {
  PfcPool* pool;
  const PfcBuffers* buffers;
  PfcMlp* mlp;
  const PfcRollout* rollout;
  PfcMlpShape shape;
  int64_t rows, row_bytes;  // of the pool; of an observation as elements
  int32_t block_games, blocks;
  RolloutScratch* scratch;  // [workers]
  _Alignas(8) int64_t bad_rows;
} RolloutJob;

// The rows of a block.
typedef struct RolloutBlock {
  int32_t begin, end;  // games
  int64_t first;       // row
  int32_t count;       // rows
} RolloutBlock;

static double now_s(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// ---- a step of a block ---------------------------------------------------------------------------------

static char* rollout_observations(const RolloutJob* job, int64_t step, int64_t row) {
  return (char*)job->rollout->observations + (step * job->rows + row) * job->row_bytes;
}

// Computes the network's outputs for the observations before `step`. Copies their last column to the values.
static void rollout_forward(const RolloutJob* job, int32_t worker, const RolloutBlock* block, int64_t step) {
  const float* outputs = job->scratch[worker].outputs;
  float* values = job->rollout->values + step * job->rows + block->first;
  pfc_mlp_forward_block(job->mlp, worker, rollout_observations(job, step, block->first), block->count,
                        job->scratch[worker].outputs);
  for (int32_t i = 0; i < block->count; ++i) values[i] = outputs[(i + 1) * job->shape.outputs - 1];
}

// Draws actions with the current masks. Returns the number of rows without a valid distribution.
static int64_t rollout_act(const RolloutJob* job, const RolloutScratch* scratch, const RolloutBlock* block,
                           int64_t step) {
  const PfcRollout* rollout = job->rollout;
  const PfcBuffers* buffers = job->buffers;
  const int64_t at = step * job->rows + block->first, words = rollout->mask_words;
  uint32_t* mask = rollout->mask ? rollout->mask + at * words : NULL;
  if (mask) memcpy(mask, buffers->action_mask + block->first * words, sizeof *mask * (size_t)(block->count * words));
  int64_t bad_rows = 0;
  const PfcSampleArgs args = {.rows = block->count,
                              .dims = buffers->action_dims,
                              .action_counts = buffers->action_counts,
                              .logits = scratch->outputs,
                              .logits_stride = job->shape.outputs,
                              .mask = mask,
                              .mask_words = rollout->mask_words,
                              .seed = rollout->seed,
                              .step = rollout->first_step + (uint64_t)step,
                              .first_row = rollout->first_row + (uint64_t)block->first,
                              .actions = rollout->actions + at * buffers->action_dims,
                              .logprobs = rollout->logprobs + at,
                              .scratch = scratch->draw};
  return pfc_sample(&args, NULL, &bad_rows) ? 1 : bad_rows;
}

// Steps the games. Observations go to row step + 1, or to the pool's own memory if they must be rounded to bfloat16.
// Returns batch row 0 of the observations.
static const float* rollout_step(const RolloutJob* job, const RolloutBlock* block, int64_t step) {
  const int32_t* actions = job->rollout->actions + (step * job->rows + block->first) * job->buffers->action_dims;
  void* target = job->shape.bfloat16 ? NULL : rollout_observations(job, step + 1, 0);
  return pfc_blocks_step(job->pool, block->begin, block->end, actions, target);
}

// Copies the results of the step.
static void rollout_store(const RolloutJob* job, const RolloutBlock* block, int64_t step, const float* seen) {
  const PfcRollout* rollout = job->rollout;
  const PfcBuffers* buffers = job->buffers;
  const int64_t first = block->first, at = step * job->rows + first, inputs = job->shape.inputs;
  const size_t count = (size_t)block->count;
  if (job->shape.bfloat16)
    pfc_elements_pack(seen + first * inputs, block->count * inputs, rollout_observations(job, step + 1, first));
  memcpy(rollout->rewards + at, buffers->rewards + first, sizeof(float) * count);
  memcpy(rollout->terminated + at, buffers->terminated + first, count);
  memcpy(rollout->truncated + at, buffers->truncated + first, count);
  memcpy(rollout->alive + at + job->rows, buffers->alive + first, count);
}

// Values of the last observations of rows that were truncated.
static void rollout_bootstrap(const RolloutJob* job, int32_t worker, const RolloutBlock* block, int64_t step) {
  const PfcBuffers* buffers = job->buffers;
  RolloutScratch* scratch = &job->scratch[worker];
  const int64_t inputs = job->shape.inputs;
  int32_t cut = 0;
  for (int64_t row = block->first; row < block->first + block->count; ++row) {
    if (!buffers->truncated[row]) continue;
    const float* last = (const float*)buffers->final_observations + row * inputs;
    char* to = (char*)scratch->last + cut * job->row_bytes;
    if (job->shape.bfloat16)
      pfc_elements_pack(last, inputs, to);
    else
      memcpy(to, last, sizeof(float) * (size_t)inputs);
    scratch->cut[cut++] = row;
  }
  if (cut == 0) return;
  pfc_mlp_forward_block(job->mlp, worker, scratch->last, cut, scratch->outputs);
  for (int32_t i = 0; i < cut; ++i)
    job->rollout->final_values[step * job->rows + scratch->cut[i]] = scratch->outputs[(i + 1) * job->shape.outputs - 1];
}

// ---- blocks --------------------------------------------------------------------------------------------

static void rollout_block(RolloutJob* job, int32_t worker, const RolloutBlock* block) {
  RolloutScratch* scratch = &job->scratch[worker];
  double before = now_s();
  for (int64_t step = 0; step < job->rollout->steps; ++step) {
    rollout_forward(job, worker, block, step);
    const int64_t bad = rollout_act(job, scratch, block, step);
    if (bad) {
      __atomic_fetch_add(&job->bad_rows, bad, __ATOMIC_RELAXED);
      return;
    }
    const double acted = now_s();
    const float* seen = rollout_step(job, block, step);
    const double stepped = now_s();
    rollout_store(job, block, step, seen);
    rollout_bootstrap(job, worker, block, step);
    const double stored = now_s();
    scratch->policy_s += acted - before, scratch->env_s += stepped - acted, scratch->copy_s += stored - stepped;
    before = stored;
  }
  rollout_forward(job, worker, block, job->rollout->steps);
  scratch->policy_s += now_s() - before;
}

static void rollout_task(void* context, int32_t worker, int32_t index) {
  RolloutJob* job = context;
  const int32_t begin = index * job->block_games, agents = job->buffers->agents;
  const int32_t end = PFC_MIN(begin + job->block_games, job->buffers->num_games);
  const RolloutBlock block = {begin, end, (int64_t)begin * agents, (end - begin) * agents};
  rollout_block(job, worker, &block);
}

// ---- the call ------------------------------------------------------------------------------------------

static PfcStatus rollout_check(const PfcBuffers* buffers, const PfcMlpShape* shape, const PfcRollout* rollout) {
  int64_t numbers = 1;
  for (int32_t i = 0; i < buffers->obs_dims; ++i) numbers *= buffers->obs_shape[i];
  if (!buffers->discrete || buffers->spec->obs_dtype != PFC_FLOAT32)
    return pfc_fail(PFC_INVALID, "pool: expected discrete actions and float32 observations");
  if (buffers->agents > PFC_MLP_BLOCK_ROWS)
    return pfc_fail(PFC_INVALID, "pool: expected at most %d agents in a game, got %d", PFC_MLP_BLOCK_ROWS,
                    buffers->agents);
  if (shape->inputs != numbers || shape->outputs != buffers->num_choices + 1)
    return pfc_fail(PFC_INVALID, "mlp: expected %lld inputs and %d outputs for this pool, got %d and %d",
                    (long long)numbers, buffers->num_choices + 1, shape->inputs, shape->outputs);
  if (rollout->steps < 1)
    return pfc_fail(PFC_INVALID, "steps: expected at least 1, got %lld", (long long)rollout->steps);
  const int32_t words = rollout->mask ? rollout->mask_words : 0;
  if (words != buffers->mask_words)
    return pfc_fail(PFC_INVALID, "mask: expected %d words in a row for this pool, got %d", buffers->mask_words, words);
  return PFC_OK;
}

static bool rollout_make_scratch(const RolloutJob* job, RolloutScratch* scratch) {
  const PfcBuffers* buffers = job->buffers;
  const uint64_t rows = (uint64_t)job->block_games * (uint64_t)buffers->agents;
  const uint64_t draw = pfc_sample_scratch_bytes(buffers->action_counts, buffers->action_dims);
  const uint64_t cut = sizeof(int64_t) * rows, outputs = sizeof(float) * rows * (uint64_t)job->shape.outputs;
  scratch->memory = pfc_alloc(draw + cut + outputs + rows * (uint64_t)job->row_bytes);
  if (!scratch->memory) return false;
  scratch->draw = scratch->memory;  // first, because it needs alignment
  scratch->cut = (int64_t*)(void*)(scratch->memory + draw);
  scratch->outputs = (float*)(void*)(scratch->memory + draw + cut);
  scratch->last = scratch->memory + draw + cut + outputs;
  return true;
}

// A block has the rows of one pass of the network, or fewer if some threads would get no block.
static void rollout_divide(RolloutJob* job, int32_t threads) {
  const int32_t games = job->buffers->num_games, agents = job->buffers->agents;
  const int32_t share = (games + threads - 1) / threads;
  job->block_games = PFC_MAX(PFC_MIN(PFC_MLP_BLOCK_ROWS / agents, share), 1);
  job->blocks = (games + job->block_games - 1) / job->block_games;
}

static PfcStatus rollout_run(RolloutJob* job, PfcWorkers* workers, PfcRolloutReport* report) {
  const int32_t threads = pfc_workers_count(workers);
  rollout_divide(job, threads);
  RolloutScratch scratch[PFC_MAX_THREADS] = {0};
  job->scratch = scratch;
  bool made = pfc_mlp_reserve(job->mlp, threads) == PFC_OK;
  for (int32_t i = 0; made && i < threads; ++i) made = rollout_make_scratch(job, &scratch[i]);
  if (made) {
    pfc_parallel_for(workers, rollout_task, job, job->blocks);
    pfc_blocks_finish(job->pool, job->shape.bfloat16 ? NULL : rollout_observations(job, job->rollout->steps, 0));
  }
  *report = (PfcRolloutReport){.bad_rows = job->bad_rows};
  for (int32_t i = 0; i < threads; ++i) {
    report->policy_s += scratch[i].policy_s, report->env_s += scratch[i].env_s, report->copy_s += scratch[i].copy_s;
    pfc_free(scratch[i].memory);
  }
  return made ? PFC_OK : pfc_fail(PFC_NO_MEMORY, "there is not enough memory for a rollout of this network");
}

PfcStatus pfc_rollout(PfcPool* pool, PfcMlp* mlp, const PfcRollout* rollout, PfcWorkers* workers,
                      PfcRolloutReport* report) {
  PfcStatus status = pfc_blocks_begin(pool);
  if (status) return status;
  RolloutJob job = {
      .pool = pool, .buffers = pfc_pool_buffers(pool), .mlp = mlp, .rollout = rollout, .shape = pfc_mlp_shape(mlp)};
  job.rows = job.buffers->rows;
  job.row_bytes = (job.shape.bfloat16 ? 2 : 4) * (int64_t)job.shape.inputs;
  status = rollout_check(job.buffers, &job.shape, rollout);
  if (!status) status = rollout_run(&job, workers, report);
  pfc_blocks_end(pool);
  return status;
}
