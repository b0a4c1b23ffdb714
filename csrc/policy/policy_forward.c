// policy_forward.c - see policy_forward.h. Rows are taken in blocks whose activations stay in the L2 cache.
// Observations are converted to float32 where they are something else, and layers write into two scratch arrays in
// turn. A layer with memory overwrites the product that it computes its result from.
#include "policy/policy_forward.h"

#include <stdlib.h>
#include <string.h>

#include "core/base.h"
#include "kernels/sample.h"
#include "networks/elements.h"
#include "networks/lstm_step.h"
#include "networks/scan_step.h"

static bool needs_inputs(const PfcPolicy* policy) {
  return policy->code_rows || policy->info.obs_dtype != PFC_FLOAT32;
}

// Numbers of `block` rows of a width, rounded up to whole cache lines.
static uint64_t padded_numbers(uint64_t block, int32_t width) {
  const uint64_t line = PFC_ALIGNMENT / sizeof(float);
  return (block * (uint64_t)width + line - 1) / line * line;
}

PfcStatus pfc_policy_scratch_open(PolicyScratch* scratch, const PfcPolicy* policy, int64_t rows) {
  const uint64_t block = (uint64_t)PFC_MIN(rows, (int64_t)POLICY_BLOCK_ROWS);
  const uint64_t layer = padded_numbers(block, policy->widest), joined = padded_numbers(block, policy->joined);
  const uint64_t inputs = needs_inputs(policy) ? padded_numbers(block, policy->inputs) : 0;
  const uint64_t values = policy->code_rows ? padded_numbers(1, policy->info.obs_size) : 0;
  const uint64_t patches = padded_numbers(policy->patches, 1);
  const PfcPolicyInfo* info = &policy->info;
  const uint64_t draw = info->discrete ? pfc_sample_scratch_bytes(info->action_counts, info->action_dims) : 0;
  const uint64_t floats = inputs + values + patches + joined + 2 * layer;
  scratch->memory = aligned_alloc(PFC_ALIGNMENT, (size_t)(draw + policy->set_bytes + floats * sizeof(float)));
  if (!scratch->memory)
    return pfc_fail(PFC_NO_MEMORY, "policy: no memory for a block of %llu rows", (unsigned long long)block);
  scratch->draw = scratch->memory;
  scratch->sets = (char*)scratch->memory + draw;
  scratch->inputs = (float*)(void*)((char*)scratch->sets + policy->set_bytes);
  scratch->values = scratch->inputs + inputs;
  scratch->patches = scratch->values + values;
  scratch->joined = scratch->patches + patches;
  scratch->layers[0] = scratch->joined + joined;
  scratch->layers[1] = scratch->layers[0] + layer;
  return PFC_OK;
}

// ---- what comes in -------------------------------------------------------------------------------------

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

// One row's inputs of the first product from its observed values. Values that are no code of their row have no entry.
static void expand(const PfcPolicy* policy, const float* values, float* to) {
  memset(to, 0, sizeof(float) * (size_t)policy->inputs);
  for (int32_t r = 0; r < policy->num_code_rows; ++r) {
    const PolicyCodeRow* row = &policy->code_rows[r];
    const float max_code = (float)row->max_code;
    for (int32_t i = 0; i < row->count; ++i) {
      float* out = to + row->first + (int64_t)i * row->step;
      const float value = *values++;
      if (row->max_code == 0)
        *out = value;
      else if (value >= 1.0f && value <= max_code && value == (float)(int32_t)value)
        out[(int32_t)value - 1] = 1.0f;
    }
  }
}

// The inputs of the first product for a block of rows.
static const float* load_inputs(const PfcPolicy* policy, const PolicyScratch* scratch, const void* observations,
                                int64_t first, int32_t rows) {
  const int64_t size = policy->info.obs_size;
  const PfcDtype dtype = policy->info.obs_dtype;
  if (!needs_inputs(policy)) return (const float*)observations + first * size;
  if (!policy->code_rows) convert(observations, dtype, first * size, rows * size, scratch->inputs);
  for (int64_t row = 0; policy->code_rows && row < rows; ++row) {
    convert(observations, dtype, (first + row) * size, size, scratch->values);
    expand(policy, scratch->values, scratch->inputs + row * policy->inputs);
  }
  return scratch->inputs;
}

// ---- layers with memory: one row ---------------------------------------------------------------------------

// pre [2 size] holds u, c and then y = x + h in its first half.
PFC_MULTIVERSION static void mingru_row(int32_t size, const float* restrict x, float* restrict pre,
                                        float* restrict h) {
  float *restrict u = pre, *restrict c = pre + size;
  for (int32_t i = 0; i < size; ++i) {
    h[i] = pfc_scan_state(u[i], c[i], h[i]);
    u[i] = x[i] + h[i];
  }
}

// pre [4 size] holds the gates i, f, g, o and then y = h in its first quarter.
PFC_MULTIVERSION static void lstm_row(int32_t size, float* restrict pre, float* restrict h, float* restrict c) {
  float* restrict in = pre;
  const float *restrict forget = pre + size, *restrict g = forget + size, *restrict out = g + size;
  for (int32_t i = 0; i < size; ++i) {
    const PfcLstmGates gates = pfc_lstm_gates(in[i], forget[i], g[i], out[i]);
    c[i] = pfc_lstm_next_cell(gates, c[i]);
    in[i] = h[i] = pfc_lstm_output(gates, c[i]);
  }
}

// ---- a layer over a block of rows ------------------------------------------------------------------------------

// Rows of state `step` apart. x [rows] of `stride`; out [rows, padded].
static void mingru_forward(const PolicyLayer* layer, const float* x, int64_t stride, int32_t rows, float* state,
                           int64_t step, float* out) {
  pfc_linear_infer_forward(&layer->linear, x, stride, rows, out);
  for (int64_t row = 0; row < rows; ++row)
    mingru_row(layer->outputs, x + row * stride, out + row * layer->linear.padded, state + row * step);
}

static void lstm_forward(const PolicyLayer* layer, const float* x, int64_t stride, int32_t rows, float* state,
                         int64_t step, float* joined, float* out) {
  const int64_t inputs = layer->inputs, outputs = layer->outputs, width = inputs + outputs;
  for (int64_t row = 0; row < rows; ++row) {
    memcpy(joined + row * width, x + row * stride, sizeof(float) * (size_t)inputs);
    memcpy(joined + row * width + inputs, state + row * step, sizeof(float) * (size_t)outputs);
  }
  pfc_linear_infer_forward(&layer->linear, joined, width, rows, out);
  for (int64_t row = 0; row < rows; ++row) {
    float* h = state + row * step;
    lstm_row(layer->outputs, out + row * layer->linear.padded, h, h + outputs);
  }
}

// The image at the start of each row; what follows it passes through.
static void conv_forward(const PolicyLayer* layer, const float* x, int64_t stride, int32_t rows, float* scratch,
                         float* out) {
  const int64_t image = pfc_conv_inputs(&layer->conv.shape), made = pfc_conv_outputs(&layer->conv.shape);
  for (int64_t row = 0; row < rows; ++row, x += stride, out += layer->outputs) {
    pfc_conv_forward(&layer->conv, x, scratch, out);
    memcpy(out + made, x + image, sizeof(float) * (size_t)(layer->inputs - image));
  }
}

static void sets_forward(const PolicyLayer* layer, const float* x, int64_t stride, int32_t rows, void* memory,
                         float* out) {
  PfcSetsScratch scratch;
  const PfcSetsRows block = {.x = x, .stride = stride, .rows = rows};
  pfc_sets_scratch_place(&layer->sets, POLICY_BLOCK_ROWS, memory, &scratch);
  pfc_sets_forward(&layer->sets, &scratch, &block, out);
}

// Numbers of a layer's outputs from row to row.
static int64_t layer_stride(const PolicyLayer* layer) {
  switch (layer->kind) {
    case POLICY_CONV: return layer->outputs;
    case POLICY_SETS: return pfc_padded(layer->outputs);
    default: return layer->linear.padded;
  }
}

const float* pfc_policy_forward_block(const PfcPolicy* policy, const PolicyScratch* scratch, const void* observations,
                                      int64_t first, int32_t rows, float* state, int64_t* stride) {
  const int64_t step = policy->info.state_size;
  const float* x = load_inputs(policy, scratch, observations, first, rows);
  *stride = policy->inputs;
  for (int32_t i = 0; i < policy->num_layers; ++i) {
    const PolicyLayer* layer = &policy->layers[i];
    float *out = scratch->layers[i % 2], *own = step ? state + first * step + layer->state_offset : NULL;
    switch (layer->kind) {
      case POLICY_MINGRU: mingru_forward(layer, x, *stride, rows, own, step, out); break;
      case POLICY_CONV: conv_forward(layer, x, *stride, rows, scratch->patches, out); break;
      case POLICY_SETS: sets_forward(layer, x, *stride, rows, scratch->sets, out); break;
      case POLICY_LSTM: lstm_forward(layer, x, *stride, rows, own, step, scratch->joined, out); break;
      default:
        pfc_linear_infer_forward(&layer->linear, x, *stride, rows, out);
    }
    x = out;
    *stride = layer_stride(layer);
  }
  return x;
}
