// sample.c - see sample.h. PFC_LANES rows at a time, one head after the other; loops run over lanes.
#include "kernels/sample.h"

#include "core/base.h"
#include "kernels/categorical.h"
#include "kernels/uniform.h"

enum { SAMPLE_BLOCK_ROWS = 512 };  // of one task: about 3 us, several times the cost of scheduling it

// ---- the uniform numbers ---------------------------------------------------------------------------

PfcStatus pfc_sample_uniforms(uint64_t seed, uint64_t step, uint64_t first_row, int64_t rows, int32_t dims,
                              float* uniforms) {
  if (rows < 1) return pfc_fail(PFC_INVALID, "rows: expected at least 1, got %lld", (long long)rows);
  if (dims < 1 || dims > PFC_MAX_ACTION_DIMS)
    return pfc_fail(PFC_INVALID, "dims: expected 1 to %d, got %d", PFC_MAX_ACTION_DIMS, dims);
  if (!uniforms) return pfc_fail(PFC_INVALID, "uniforms: expected float32 [rows, dims], got NULL");
  const uint64_t key = pfc_draw_key(seed, step);
  for (int64_t row = 0; row < rows; ++row)
    for (int32_t d = 0; d < dims; ++d)
      uniforms[row * dims + d] = pfc_uniform(key, first_row + (uint64_t)row, (uint64_t)d);
  return PFC_OK;
}

// ---- the draw --------------------------------------------------------------------------------------

// The number of k in [0, count - 2] with u * total >= weight_0 + ... + weight_k.
PFC_ALWAYS_INLINE static void sample_inversion(const PfcHead* head, uint64_t key, uint64_t row, uint64_t dim,
                                               int32_t* restrict action) {
  PfcLanes threshold, sum;
  for (int32_t i = 0; i < PFC_LANES; ++i) {
    threshold[i] = pfc_uniform(key, row + (uint64_t)i, dim) * head->total[i];
    sum[i] = 0.0f;
    action[i] = 0;
  }
  for (int32_t k = 0; k + 1 < head->count; ++k)
    for (int32_t i = 0; i < PFC_LANES; ++i) {
      sum[i] += head->weight[k][i];
      action[i] += threshold[i] >= sum[i];
    }
}

// The largest shifted logit is 0. The number of choices before it is the first of equals.
PFC_ALWAYS_INLINE static void sample_greedy(const PfcHead* head, int32_t* restrict action) {
  int32_t met[PFC_LANES];
  for (int32_t i = 0; i < PFC_LANES; ++i) met[i] = action[i] = 0;
  for (int32_t k = 0; k + 1 < head->count; ++k)
    for (int32_t i = 0; i < PFC_LANES; ++i) {
      met[i] |= head->shifted[k][i] == 0.0f;
      action[i] += !met[i];
    }
}

// The first legal choice of a head whose choices start at `first` of the row; 0 if there is none.
static int32_t first_legal(const uint32_t* mask, int32_t first, int32_t count) {
  int32_t choice = 0;
  while (choice < count && !pfc_is_legal(mask, first + choice)) ++choice;
  return choice < count ? choice : 0;
}

// The actions of a row without a valid distribution.
static void sample_fallback(const PfcSampleArgs* args, int64_t row) {
  int32_t first = 0;
  for (int32_t d = 0; d < args->dims; ++d) {
    const uint32_t* mask = args->mask ? args->mask + row * args->mask_words : NULL;
    args->actions[row * args->dims + d] = mask ? first_legal(mask, first, args->action_counts[d]) : 0;
    first += args->action_counts[d];
  }
}

// Draws for rows [row, row + count), count <= PFC_LANES. Returns the number of bad rows.
PFC_ALWAYS_INLINE static int32_t sample_lanes(const PfcSampleArgs* args, uint64_t key, int64_t row, int32_t count,
                                              const PfcChoices* choices, bool masked) {
  PfcLanes logprob = {0}, entropy = {0};
  int32_t action[PFC_LANES], bad[PFC_LANES] = {0}, first = 0;
  const float* logits = args->logits + row * args->logits_stride;
  const PfcMask mask = {masked ? args->mask + row * args->mask_words : NULL, args->mask_words};
  for (int32_t d = 0; d < args->dims; ++d) {
    PfcHead head;
    pfc_head_load(&head, choices, 0, args->action_counts[d], logits + first, args->logits_stride, count);
    if (masked) pfc_head_mask(&head, &mask, first, count);
    pfc_head_softmax(&head, masked);
    if (args->greedy) sample_greedy(&head, action);
    else sample_inversion(&head, key, args->first_row + (uint64_t)row, (uint64_t)d, action);
    pfc_head_add_logprob(&head, action, logprob);
    for (int32_t i = 0; i < PFC_LANES; ++i) bad[i] |= head.bad[i], entropy[i] += head.entropy[i];
    for (int32_t i = 0; i < count; ++i) args->actions[(row + i) * args->dims + d] = action[i];
    first += args->action_counts[d];
  }
  if (args->logprobs) memcpy(args->logprobs + row, logprob, sizeof(float) * (size_t)count);
  if (args->entropy) memcpy(args->entropy + row, entropy, sizeof(float) * (size_t)count);
  int32_t bad_rows = 0;
  for (int32_t i = 0; i < count; ++i) {
    bad_rows += bad[i];
    if (bad[i]) sample_fallback(args, row + i);
  }
  return bad_rows;
}

PFC_ALWAYS_INLINE static int64_t sample_range(const PfcSampleArgs* args, const PfcChoices* choices, int64_t begin,
                                              int64_t end, bool masked) {
  const uint64_t key = pfc_draw_key(args->seed, args->step);
  int64_t bad_rows = 0;
  for (int64_t row = begin; row < end; row += PFC_LANES)
    bad_rows += sample_lanes(args, key, row, (int32_t)PFC_MIN(end - row, (int64_t)PFC_LANES), choices, masked);
  return bad_rows;
}

PFC_MULTIVERSION static int64_t sample_rows(const PfcSampleArgs* args, const PfcChoices* choices, int64_t begin,
                                            int64_t end) {
  return args->mask ? sample_range(args, choices, begin, end, true) : sample_range(args, choices, begin, end, false);
}

// ---- the call --------------------------------------------------------------------------------------

typedef struct SampleJob {
  PfcSampleArgs args;
  int32_t max_choices;    // of the largest head; all heads use the same scratch memory
  uint64_t worker_bytes;  // of scratch
  _Alignas(8) int64_t bad;  // added to by every task; 32-bit processors would align it by 4
} SampleJob;

static void sample_task(void* context, int32_t worker, int32_t block) {
  SampleJob* job = context;
  const PfcChoices choices =
      pfc_choices_at((char*)job->args.scratch + (uint64_t)worker * job->worker_bytes, job->max_choices);
  const int64_t begin = (int64_t)block * SAMPLE_BLOCK_ROWS;
  const int64_t bad = sample_rows(&job->args, &choices, begin, PFC_MIN(begin + SAMPLE_BLOCK_ROWS, job->args.rows));
  if (bad) __atomic_fetch_add(&job->bad, bad, __ATOMIC_RELAXED);
}

static PfcStatus sample_check(const PfcSampleArgs* args) {
  int32_t choices = 0;
  const PfcStatus status = pfc_check_heads(args->action_counts, args->dims, &choices);
  if (status) return status;
  if (args->rows < 1 || args->rows > (int64_t)INT32_MAX * SAMPLE_BLOCK_ROWS)
    return pfc_fail(PFC_INVALID, "rows: expected 1 to 2^40 - 512, got %lld", (long long)args->rows);
  if (!args->logits) return pfc_fail(PFC_INVALID, "logits: expected float32 [rows, %d], got NULL", choices);
  if (!args->actions) return pfc_fail(PFC_INVALID, "actions: expected int32 [rows, %d], got NULL", args->dims);
  if (args->logits_stride < choices)
    return pfc_fail(PFC_INVALID, "logits_stride: expected at least %d logits from row to row, got %lld", choices,
                    (long long)args->logits_stride);
  return pfc_check_mask(args->mask, args->mask_words, choices);
}

static int32_t largest_head(const int32_t* action_counts, int32_t dims) {
  int32_t max_choices = 0;
  for (int32_t d = 0; d < dims; ++d) max_choices = PFC_MAX(max_choices, action_counts[d]);
  return max_choices;
}

uint64_t pfc_sample_scratch_bytes(const int32_t* action_counts, int32_t dims) {
  return pfc_choices_bytes(largest_head(action_counts, dims));
}

PfcStatus pfc_sample(const PfcSampleArgs* args, PfcWorkers* workers, int64_t* bad_rows) {
  const PfcStatus status = sample_check(args);
  if (status) return status;
  SampleJob job = {.args = *args, .max_choices = largest_head(args->action_counts, args->dims)};
  job.worker_bytes = pfc_choices_bytes(job.max_choices);
  void* own = args->scratch ? NULL : pfc_alloc(job.worker_bytes * (uint64_t)pfc_workers_count(workers));
  if (!args->scratch) job.args.scratch = own;
  if (!job.args.scratch)
    return pfc_fail(PFC_NO_MEMORY, "there is not enough memory to draw from %d choices", job.max_choices);
  pfc_parallel_for(workers, sample_task, &job, (int32_t)((args->rows + SAMPLE_BLOCK_ROWS - 1) / SAMPLE_BLOCK_ROWS));
  pfc_free(own);
  if (bad_rows) *bad_rows = job.bad;
  return PFC_OK;
}
