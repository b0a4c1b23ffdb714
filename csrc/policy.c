// policy.c - loading a policy and using it. See policy.h; the file format is read by policy_file.c.
//
// Rows are taken in blocks small enough for the block's activations to stay in the second-level cache: observations are
// converted to float32 where they are something else, and two scratch arrays take turns from layer to layer.
#include "pufferc/policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"
#include "policy_file.h"
#include "sample.h"

enum { POLICY_BLOCK_ROWS = 96 };  // a multiple of every tile's rows

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
  for (int32_t i = 0; i < policy->num_linear; ++i) pfc_linear_free(&policy->linear[i]);
  pfc_free(policy->normalise);
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
  bool same_actions = b->discrete && p->action_dims == b->action_dims;
  for (int32_t d = 0; same_actions && d < p->action_dims; ++d)
    same_actions = p->action_counts[d] == b->action_counts[d];
  if (!same_actions)
    return pfc_fail(PFC_INVALID, "policy: was trained on other actions than the pool takes; create it with the "
                    "parameters in the policy's info");
  return PFC_OK;
}

// ---- the forward pass ----------------------------------------------------------------------------------

// Scratch memory of one call: `inputs` [block, input_size], two arrays [block, widest] that layers write in turn.
typedef struct Scratch {
  float *inputs, *layers[2];
  void* memory;
} Scratch;

// Numbers that the first layer with weights takes of one row.
static int64_t input_size(const PfcPolicy* policy) {
  return (int64_t)policy->info.obs_size * PFC_MAX(policy->codes, 1);
}

static bool needs_inputs(const PfcPolicy* policy) {
  return policy->normalise || policy->info.obs_dtype != PFC_FLOAT32;
}

static PfcStatus scratch_open(Scratch* scratch, const PfcPolicy* policy, int64_t rows) {
  const uint64_t block = (uint64_t)PFC_MIN(rows, (int64_t)POLICY_BLOCK_ROWS);
  const uint64_t line = PFC_ALIGNMENT / sizeof(float);
  const uint64_t layer = (block * (uint64_t)policy->widest + line - 1) / line * line;
  const uint64_t inputs = needs_inputs(policy) ? (block * (uint64_t)input_size(policy) + line - 1) / line * line : 0;
  scratch->memory = aligned_alloc(PFC_ALIGNMENT, (size_t)((inputs + 2 * layer) * sizeof(float)));
  if (!scratch->memory)
    return pfc_fail(PFC_NO_MEMORY, "policy: no memory for a block of %llu rows", (unsigned long long)block);
  scratch->inputs = scratch->memory;
  scratch->layers[0] = scratch->inputs + inputs;
  scratch->layers[1] = scratch->layers[0] + layer;
  return PFC_OK;
}

static void convert(const void* from, PfcDtype dtype, int64_t first, int64_t count, float* restrict to) {
  switch (dtype) {
    case PFC_INT32:
      for (int64_t i = 0; i < count; ++i) to[i] = (float)((const int32_t*)from)[first + i];
      break;
    case PFC_UINT8:
      for (int64_t i = 0; i < count; ++i) to[i] = (float)((const uint8_t*)from)[first + i];
      break;
    case PFC_INT8:
      for (int64_t i = 0; i < count; ++i) to[i] = (float)((const int8_t*)from)[first + i];
      break;
    default: memcpy(to, (const float*)from + first, sizeof(float) * (size_t)count);
  }
}

// One-hot vectors of `count` bytes from `first` on, `codes` numbers each; 0 and bytes above `codes` have no entry.
static void expand(const void* from, int64_t first, int64_t count, int32_t codes, float* to) {
  const uint8_t* bytes = (const uint8_t*)from + first;
  memset(to, 0, sizeof(float) * (size_t)(count * codes));
  for (int64_t i = 0; i < count; ++i)
    if (bytes[i] >= 1 && bytes[i] <= codes) to[i * codes + bytes[i] - 1] = 1.0f;
}

// NaN passes through, so that a bad observation is noticed.
static void normalise(const PfcPolicy* policy, int32_t rows, float* x) {
  const int32_t size = policy->info.obs_size;
  const float *mean = policy->normalise, *scale = mean + size, limit = policy->limit;
  for (int64_t row = 0; row < rows; ++row)
    for (int32_t i = 0; i < size; ++i) {
      float value = (x[row * size + i] - mean[i]) * scale[i];
      value = value < -limit ? -limit : value;
      x[row * size + i] = value > limit ? limit : value;
    }
}

// Outputs of rows [first, first + rows), rows <= POLICY_BLOCK_ROWS: in the scratch array that is returned, `*stride`
// numbers from row to row.
static const float* forward_block(const PfcPolicy* policy, const Scratch* scratch, const void* observations,
                                  int64_t first, int32_t rows, int64_t* stride) {
  const int64_t size = policy->info.obs_size;
  const float* x;
  *stride = input_size(policy);
  if (policy->codes) {
    expand(observations, first * size, rows * size, policy->codes, scratch->inputs);
    x = scratch->inputs;
  } else if (needs_inputs(policy)) {
    convert(observations, policy->info.obs_dtype, first * size, rows * size, scratch->inputs);
    if (policy->normalise) normalise(policy, rows, scratch->inputs);
    x = scratch->inputs;
  } else {
    x = (const float*)observations + first * size;
  }
  for (int32_t i = 0; i < policy->num_linear; ++i) {
    float* out = scratch->layers[i % 2];
    pfc_linear_forward(&policy->linear[i], x, *stride, rows, out);
    x = out;
    *stride = policy->linear[i].padded;
  }
  return x;
}

static PfcStatus check_call(const PfcPolicy* policy, const void* observations, int64_t rows, const void* out,
                            const char* out_name) {
  if (!policy) return pfc_fail(PFC_INVALID, "policy: expected a policy, got NULL");
  if (rows < 1) return pfc_fail(PFC_INVALID, "rows: expected at least 1, got %lld", (long long)rows);
  if (!observations) return pfc_fail(PFC_INVALID, "observations: expected [rows, %d], got NULL", policy->info.obs_size);
  if (!out) return pfc_fail(PFC_INVALID, "%s: expected an array of %lld rows, got NULL", out_name, (long long)rows);
  return PFC_OK;
}

PfcStatus pfc_policy_forward(const PfcPolicy* policy, const void* observations, int64_t rows, float* outputs) {
  Scratch scratch;
  PfcStatus status = check_call(policy, observations, rows, outputs, "outputs");
  if (!status) status = scratch_open(&scratch, policy, rows);
  if (status) return status;
  const int64_t num_outputs = policy->info.num_outputs;
  for (int64_t first = 0; first < rows; first += POLICY_BLOCK_ROWS) {
    const int32_t count = (int32_t)PFC_MIN(rows - first, (int64_t)POLICY_BLOCK_ROWS);
    int64_t stride;
    const float* block = forward_block(policy, &scratch, observations, first, count, &stride);
    for (int64_t i = 0; i < count; ++i)
      memcpy(outputs + (first + i) * num_outputs, block + i * stride, sizeof(float) * (size_t)num_outputs);
  }
  free(scratch.memory);
  return PFC_OK;
}

PfcStatus pfc_policy_act(const PfcPolicy* policy, const void* observations, int64_t rows, const PfcPolicyDraw* draw,
                         int32_t* actions, float* values) {
  static const PfcPolicyDraw greedy = {.greedy = 1};
  Scratch scratch;
  PfcStatus status = check_call(policy, observations, rows, actions, "actions");
  if (!status) status = scratch_open(&scratch, policy, rows);
  if (status) return status;
  if (!draw) draw = &greedy;
  const PfcPolicyInfo* info = &policy->info;
  int64_t bad_rows = 0;
  for (int64_t first = 0; first < rows && !status; first += POLICY_BLOCK_ROWS) {
    PfcSampleArgs args = {.dims = info->action_dims, .action_counts = info->action_counts, .seed = draw->seed};
    args.rows = PFC_MIN(rows - first, (int64_t)POLICY_BLOCK_ROWS);
    args.logits = forward_block(policy, &scratch, observations, first, (int32_t)args.rows, &args.logits_stride);
    args.step = draw->step, args.first_row = draw->first_row + (uint64_t)first, args.greedy = draw->greedy;
    args.actions = actions + first * info->action_dims;
    int64_t bad = 0;
    status = pfc_sample(&args, NULL, &bad);
    bad_rows += bad;
    if (!values) continue;
    const float* column = args.logits + info->num_outputs - 1;
    for (int64_t i = 0; i < args.rows; ++i) values[first + i] = column[i * args.logits_stride];
  }
  free(scratch.memory);
  if (status || !bad_rows) return status;
  return pfc_fail(PFC_INVALID, "observations: the outputs of %lld rows are not finite; NaN or infinity among them?",
                  (long long)bad_rows);
}
