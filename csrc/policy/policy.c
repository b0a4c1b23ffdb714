// policy.c - loading a policy and using it. See policy.h; the file format is read by policy_file.c, and
// policy_forward.c does the arithmetic of a block of rows.
#include "pufferc/policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base.h"
#include "kernels/gaussian.h"
#include "kernels/sample.h"
#include "policy/policy_forward.h"

// ---- loading -----------------------------------------------------------------------------------------

PfcPolicy* pfc_policy_parse(const void* data, uint64_t bytes, const char* name) {
  if (!name) name = "policy";
  if (!data) {
    pfc_fail(PFC_INVALID, "%s: data: expected the bytes of a policy, got NULL", name);
    return NULL;
  }
  PfcPolicy* policy = pfc_alloc(sizeof *policy);
  if (!policy) {
    pfc_fail(PFC_NO_MEMORY, "%s: no memory for a policy", name);
    return NULL;
  }
  if (pfc_policy_read(policy, data, bytes, name) == PFC_OK) return policy;
  pfc_policy_destroy(policy);
  return NULL;
}

// The file in memory that the caller frees, or NULL with errno set: its head, and if that is one of a policy as many
// bytes as it states and one more, so that neither an endless file nor a false size takes memory.
static unsigned char* read_file(FILE* file, uint64_t* bytes) {
  unsigned char* data = NULL;
  uint64_t size = 0, capacity = 0, wanted = POLICY_HEAD_BYTES;
  while (size < wanted) {
    if (size == capacity) {
      capacity = PFC_MAX(2 * capacity, (uint64_t)1 << 16);
      unsigned char* larger = realloc(data, capacity);
      if (!larger) break;
      data = larger;
    }
    const size_t got = fread(data + size, 1, PFC_MIN(capacity, wanted) - size, file);
    size += got;
    if (got == 0 && ferror(file)) break;
    if (got == 0) wanted = size;
    else if (size == POLICY_HEAD_BYTES) wanted = pfc_policy_stated_bytes(data) + 1;
  }
  *bytes = size;
  if (data && size == wanted) return data;
  free(data);
  return NULL;
}

// The path, or the end of a long one: messages are short, and the reason must fit.
static const char* short_path(const char* path) {
  enum { LONGEST = 250 };
  const size_t length = strlen(path);
  return length <= LONGEST ? path : path + length - LONGEST;
}

PfcPolicy* pfc_policy_load(const char* path) {
  if (!path) {
    pfc_fail(PFC_INVALID, "path: expected the path of a policy, got NULL");
    return NULL;
  }
  FILE* file = fopen(path, "rb");
  uint64_t bytes = 0;
  unsigned char* data = file ? read_file(file, &bytes) : NULL;
  const int error = errno;
  if (file) fclose(file);
  if (!data) {
    pfc_fail(PFC_INVALID, "%s: cannot be read: %s", short_path(path), strerror(error));
    return NULL;
  }
  PfcPolicy* policy = pfc_policy_parse(data, bytes, short_path(path));
  free(data);
  return policy;
}

void pfc_policy_destroy(PfcPolicy* policy) {
  if (!policy) return;
  for (int32_t i = 0; i < policy->num_layers; ++i) {
    pfc_linear_infer_free(&policy->layers[i].linear);
    pfc_conv_free(&policy->layers[i].conv);
    pfc_sets_free(&policy->layers[i].sets);
  }
  pfc_free(policy->code_rows);
  pfc_free(policy);
}

const PfcPolicyInfo* pfc_policy_info(const PfcPolicy* policy) { return policy ? &policy->info : NULL; }

PfcStatus pfc_policy_check(const PfcPolicy* policy, const PfcPool* pool) {
  if (!policy) return pfc_fail(PFC_INVALID, "policy: expected a policy, got NULL");
  if (!pool) return pfc_fail(PFC_INVALID, "pool: expected a pool, got NULL");
  const PfcPolicyInfo* p = &policy->info;
  const PfcBuffers* b = pfc_pool_buffers(pool);
  if (strcmp(p->game, b->spec->name) != 0 || p->game_version != b->spec->version)
    return pfc_fail(PFC_INVALID, "policy: was trained on %s version %d, the pool plays %s version %d", p->game,
                    p->game_version, b->spec->name, b->spec->version);
  bool same_obs = p->obs_dtype == b->spec->obs_dtype && p->obs_dims == b->obs_dims;
  for (int32_t i = 0; same_obs && i < p->obs_dims; ++i) same_obs = p->obs_shape[i] == b->obs_shape[i];
  if (!same_obs)
    return pfc_fail(PFC_INVALID, "policy: was trained on observations of %d values, those of the pool are different; "
                    "create it with the parameters in the policy's info", p->obs_size);
  bool same_actions = b->discrete == p->discrete && p->action_dims == b->action_dims;
  for (int32_t d = 0; same_actions && d < p->action_dims; ++d)
    same_actions = p->action_counts[d] == b->action_counts[d];
  if (!same_actions)
    return pfc_fail(PFC_INVALID, "policy: was trained on other actions than the pool takes; create it with the "
                    "parameters in the policy's info");
  if (p->mask_words != b->mask_words)
    return pfc_fail(PFC_INVALID,
                    "policy: was trained with%s masks, the pool has %s; create it with the parameters in the "
                    "policy's info",
                    p->mask_words ? "" : "out", b->mask_words ? "some" : "none");
  return PFC_OK;
}

// ---- playing ---------------------------------------------------------------------------------------------

// `state` and `out` are the caller's arrays, as yet unchecked.
static PfcStatus check_call(const PfcPolicy* policy, const void* observations, int64_t rows, const float* state,
                            const void* out, const char* out_name) {
  if (!policy) return pfc_fail(PFC_INVALID, "policy: expected a policy, got NULL");
  if (rows < 1) return pfc_fail(PFC_INVALID, "rows: expected at least 1, got %lld", (long long)rows);
  if (!observations) return pfc_fail(PFC_INVALID, "observations: expected [rows, %d], got NULL", policy->info.obs_size);
  if (!state && policy->info.state_size)
    return pfc_fail(PFC_INVALID, "state: this policy has memory; expected float32 [rows, %d], got NULL",
                    policy->info.state_size);
  if (!out) return pfc_fail(PFC_INVALID, "%s: expected an array of %lld rows, got NULL", out_name, (long long)rows);
  return PFC_OK;
}

static PfcStatus check_mask(const PfcPolicy* policy, const uint32_t* mask) {
  const int32_t words = policy->info.mask_words;
  if (words && !mask)
    return pfc_fail(PFC_INVALID, "mask: this policy was trained with masks; expected uint32 [rows, %d], got NULL",
                    words);
  if (!words && mask)
    return pfc_fail(PFC_INVALID, "mask: this policy was trained without masks; expected NULL, got an array");
  return PFC_OK;
}

PfcStatus pfc_policy_restart(const PfcPolicy* policy, int64_t rows, const uint8_t* terminated,
                             const uint8_t* truncated, float* state) {
  if (!policy) return pfc_fail(PFC_INVALID, "policy: expected a policy, got NULL");
  const int64_t size = policy->info.state_size;
  if (size == 0) return PFC_OK;
  if (rows < 1) return pfc_fail(PFC_INVALID, "rows: expected at least 1, got %lld", (long long)rows);
  if (!terminated || !truncated || !state)
    return pfc_fail(PFC_INVALID, "terminated, truncated, state: expected arrays of %lld rows, got NULL",
                    (long long)rows);
  for (int64_t row = 0; row < rows; ++row)
    if (terminated[row] | truncated[row]) memset(state + row * size, 0, sizeof(float) * (size_t)size);
  return PFC_OK;
}

PfcStatus pfc_policy_forward(const PfcPolicy* policy, const void* observations, int64_t rows, float* state,
                             float* outputs) {
  PolicyScratch scratch;
  PfcStatus status = check_call(policy, observations, rows, state, outputs, "outputs");
  if (!status) status = pfc_policy_scratch_open(&scratch, policy, rows);
  if (status) return status;
  const int64_t num_outputs = policy->info.num_outputs;
  for (int64_t first = 0; first < rows; first += POLICY_BLOCK_ROWS) {
    const int32_t count = (int32_t)PFC_MIN(rows - first, (int64_t)POLICY_BLOCK_ROWS);
    int64_t stride;
    const float* block = pfc_policy_forward_block(policy, &scratch, observations, first, count, state, &stride);
    for (int64_t i = 0; i < count; ++i)
      memcpy(outputs + (first + i) * num_outputs, block + i * stride, sizeof(float) * (size_t)num_outputs);
  }
  free(scratch.memory);
  return PFC_OK;
}

// The outputs of a block of rows, its masks, and the number of its first row in the draw.
typedef struct Block {
  const float* outputs;
  const uint32_t* mask;
  int64_t stride, rows;
  uint64_t first_row;
  void* scratch;
} Block;

static PfcStatus draw_choices(const PfcPolicy* policy, const Block* block, const PfcPolicyDraw* draw, int32_t* actions,
                              int64_t* bad) {
  const PfcSampleArgs args = {.rows = block->rows,
                              .dims = policy->info.action_dims,
                              .action_counts = policy->info.action_counts,
                              .logits = block->outputs,
                              .logits_stride = block->stride,
                              .mask = block->mask,
                              .mask_words = policy->info.mask_words,
                              .seed = draw->seed,
                              .step = draw->step,
                              .first_row = block->first_row,
                              .greedy = draw->greedy,
                              .actions = actions,
                              .scratch = block->scratch};
  return pfc_sample(&args, NULL, bad);
}

// The numbers drawn, and then what the game gets of them: within [-1, 1].
static PfcStatus draw_controls(const PfcPolicy* policy, const Block* block, const PfcPolicyDraw* draw, float* controls,
                               int64_t* bad) {
  const PfcGaussianSampleArgs args = {.rows = block->rows, .dims = policy->info.action_dims,
                                      .outputs = block->outputs, .outputs_stride = block->stride, .seed = draw->seed,
                                      .step = draw->step, .first_row = block->first_row, .greedy = draw->greedy,
                                      .actions = controls};
  const PfcStatus status = pfc_gaussian_sample(&args, NULL, bad);
  const int64_t count = status ? 0 : block->rows * policy->info.action_dims;
  const bool squash = policy->head == POLICY_NORMAL_SQUASHED;
  for (int64_t i = 0; i < count; ++i)
    controls[i] = squash ? pfc_tanhf(controls[i]) : pfc_clampf(controls[i], -1.0f, 1.0f);
  return status;
}

PfcStatus pfc_policy_act_masked(const PfcPolicy* policy, const void* observations, const uint32_t* mask, int64_t rows,
                                const PfcPolicyDraw* draw, float* state, void* actions, float* values) {
  static const PfcPolicyDraw greedy = {.greedy = 1};
  PolicyScratch scratch;
  PfcStatus status = check_call(policy, observations, rows, state, actions, "actions");
  if (!status) status = check_mask(policy, mask);
  if (!status) status = pfc_policy_scratch_open(&scratch, policy, rows);
  if (status) return status;
  if (!draw) draw = &greedy;
  const PfcPolicyInfo* info = &policy->info;
  int64_t bad_rows = 0;
  for (int64_t first = 0; first < rows && !status; first += POLICY_BLOCK_ROWS) {
    Block block = {.rows = PFC_MIN(rows - first, (int64_t)POLICY_BLOCK_ROWS),
                   .mask = mask ? mask + first * info->mask_words : NULL,
                   .first_row = draw->first_row + (uint64_t)first,
                   .scratch = scratch.draw};
    block.outputs = pfc_policy_forward_block(policy, &scratch, observations, first, (int32_t)block.rows, state,
                                             &block.stride);
    int64_t bad = 0;
    const int64_t at = first * info->action_dims;
    status = info->discrete ? draw_choices(policy, &block, draw, (int32_t*)actions + at, &bad)
                            : draw_controls(policy, &block, draw, (float*)actions + at, &bad);
    bad_rows += bad;
    if (!values) continue;
    const float* column = block.outputs + info->num_outputs - 1;
    for (int64_t i = 0; i < block.rows; ++i) values[first + i] = column[i * block.stride];
  }
  free(scratch.memory);
  if (status || !bad_rows) return status;
  if (mask)
    return pfc_fail(PFC_INVALID,
                    "observations, mask: %lld rows have outputs that are not finite, or no legal choice in a "
                    "dimension",
                    (long long)bad_rows);
  return pfc_fail(PFC_INVALID, "observations: the outputs of %lld rows are not finite; NaN or infinity among them?",
                  (long long)bad_rows);
}

PfcStatus pfc_policy_act(const PfcPolicy* policy, const void* observations, int64_t rows, const PfcPolicyDraw* draw,
                         float* state, void* actions, float* values) {
  if (policy && policy->info.mask_words)
    return pfc_fail(PFC_INVALID,
                    "policy: was trained with masks; call pfc_policy_act_masked with action_mask of the pool");
  return pfc_policy_act_masked(policy, observations, NULL, rows, draw, state, actions, values);
}
