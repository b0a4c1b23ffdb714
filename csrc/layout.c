// layout.c - parameters and sizes of one pool. See layout.h.
#include "layout.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"

enum { MAX_AGENTS = 1 << 20, MAX_OBS_VALUES = 1 << 24, MAX_ACTIONS = 1 << 20 };
static const uint64_t MAX_STATE_BYTES = 1ull << 32;

static const PfcParam* find_param(const PfcEnvSpec* spec, const char* name) {
  for (int32_t i = 0; i < spec->num_params; ++i)
    if (strcmp(spec->params[i].name, name) == 0) return &spec->params[i];
  return NULL;
}

static PfcStatus fail_unknown(const PfcEnvSpec* spec, const char* name) {
  const char* names[64];
  int32_t count = PFC_MIN(spec->num_params, 64);
  for (int32_t i = 0; i < count; ++i) names[i] = spec->params[i].name;
  const char* near = pfc_nearest(name, names, count);
  return pfc_fail(PFC_INVALID,
                  near ? "%s: no parameter named \"%.64s\"; did you mean \"%s\"?" : "%s: no parameter named \"%.64s\"",
                  spec->name, name, near);
}

static void write_param(const PfcEnvSpec* spec, const PfcParam* param, double value, void* params) {
  unsigned char* field = (unsigned char*)params + 4 * (param - spec->params);
  if (param->type == PFC_PARAM_FLOAT) {
    float narrow = (float)value;
    memcpy(field, &narrow, 4);
  } else {
    int32_t narrow = (int32_t)value;
    memcpy(field, &narrow, 4);
  }
}

const char* pfc_param_text(const PfcParam* param, double value, PfcParamText text) {
  // Fewer digits than these lose nothing: %g leaves out zeros at the end.
  const bool single = param->type == PFC_PARAM_FLOAT;
  for (int digits = single ? FLT_DIG : 10; digits <= DBL_DECIMAL_DIG; ++digits) {
    snprintf(text, sizeof(PfcParamText), "%.*g", digits, value);
    if (single ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value) break;
  }
  return text;
}

static PfcStatus set_param(const PfcEnvSpec* spec, const PfcParamValue* given, void* params) {
  if (!given->name) return pfc_fail(PFC_INVALID, "%s: a parameter's name is NULL", spec->name);
  const PfcParam* param = find_param(spec, given->name);
  if (!param) return fail_unknown(spec, given->name);
  double value = given->value;
  if (param->type == PFC_PARAM_FLOAT) value = (double)(float)value;  // limits are compared as they are stored
  if (param->type != PFC_PARAM_FLOAT && value != floor(value))
    return pfc_fail(PFC_INVALID, "%s: expected a whole number, got %.9g", param->name, value);
  PfcParamText low, high, got;
  if (!(value >= param->min && value <= param->max))
    return pfc_fail(PFC_INVALID, "%s: expected a value in [%s, %s], got %s", param->name,
                    pfc_param_text(param, param->min, low), pfc_param_text(param, param->max, high),
                    pfc_param_text(param, value, got));
  write_param(spec, param, value, params);
  return PFC_OK;
}

PfcStatus pfc_fill_params(const PfcEnvSpec* spec, const PfcParamValue* values, int32_t count, void* params) {
  for (int32_t i = 0; i < spec->num_params; ++i)
    write_param(spec, &spec->params[i], spec->params[i].default_value, params);
  if (count < 0 || (count > 0 && !values))
    return pfc_fail(PFC_INVALID, "num_params: expected as many as there are in params, got %d", count);
  for (int32_t i = 0; i < count; ++i) {
    PfcStatus status = set_param(spec, &values[i], params);
    if (status) return status;
  }
  const char* reason = spec->check ? spec->check(params) : NULL;
  return reason ? pfc_fail(PFC_INVALID, "%s: %s", spec->name, reason) : PFC_OK;
}

double pfc_read_param(const PfcEnvSpec* spec, const void* params, int32_t index) {
  const unsigned char* field = (const unsigned char*)params + 4 * index;
  if (spec->params[index].type == PFC_PARAM_FLOAT) {
    float value;
    memcpy(&value, field, 4);
    return (double)value;
  }
  int32_t value;
  memcpy(&value, field, 4);
  return value;
}

int32_t pfc_dtype_bytes(PfcDtype dtype) {
  switch (dtype) {
    case PFC_FLOAT32:
    case PFC_INT32: return 4;
    case PFC_INT64: return 8;
    default: return 1;
  }
}

static PfcStatus check_actions(const PfcEnvSpec* spec, const PfcLayout* layout) {
  int32_t dims = 0;
  while (dims < PFC_MAX_ACTION_DIMS && layout->action_counts[dims] != 0) {
    if (layout->action_counts[dims] < 1 || layout->action_counts[dims] > MAX_ACTIONS)
      return pfc_fail(PFC_INVALID, "%s: action_counts[%d] is %d, expected 1 to %d", spec->name, dims,
                      layout->action_counts[dims], MAX_ACTIONS);
    ++dims;
  }
  if ((dims > 0) == (layout->continuous_dims > 0) || layout->continuous_dims < 0 || layout->continuous_dims > PFC_MAX_ACTION_DIMS)
    return pfc_fail(PFC_INVALID, "%s: give either action_counts or continuous_dims (1 to %d), not both", spec->name,
                    PFC_MAX_ACTION_DIMS);
  return PFC_OK;
}

// Number of values in one observation; -1 when the shape is out of bounds.
static int64_t obs_values(const PfcLayout* layout) {
  int64_t values = 1;
  for (int32_t i = 0; i < PFC_MAX_OBS_DIMS && layout->obs_shape[i] != 0; ++i) {
    if (layout->obs_shape[i] < 0 || (values *= layout->obs_shape[i]) > MAX_OBS_VALUES) return -1;
  }
  return values;
}

static PfcStatus check_obs(const PfcEnvSpec* spec, const PfcLayout* layout) {
  const int64_t values = obs_values(layout);
  if (values < 1) return pfc_fail(PFC_INVALID, "%s: the observation shape is out of bounds", spec->name);
  if (!spec->layout && (uint64_t)values * (uint64_t)pfc_dtype_bytes(spec->obs_dtype) != spec->obs_bytes)
    return pfc_fail(PFC_INVALID, "%s: obs_shape holds %lld values, the observation struct %u bytes", spec->name,
                    (long long)values, spec->obs_bytes);
  int64_t in_table = 0;
  for (int32_t i = 0; i < spec->num_obs_rows; ++i) in_table += spec->obs_rows[i].count;
  const bool open_ended = spec->obs_rows[spec->num_obs_rows - 1].count == 0;
  if (open_ended ? in_table >= values : in_table != values)
    return pfc_fail(PFC_INVALID, "%s: the observation table has %lld values, the observation %lld", spec->name,
                    (long long)in_table, (long long)values);
  return PFC_OK;
}

PfcStatus pfc_fill_layout(const PfcEnvSpec* spec, const void* params, PfcLayout* layout) {
  *layout = spec->sizes;
  if (layout->state_bytes == 0) layout->state_bytes = spec->state_bytes;
  if (layout->agents == 0) layout->agents = 1;
  if (layout->obs_shape[0] == 0) layout->obs_shape[0] = (int32_t)spec->obs_bytes / pfc_dtype_bytes(spec->obs_dtype);
  if (spec->layout) spec->layout(params, layout);
  if (layout->agents < 1 || layout->agents > MAX_AGENTS)
    return pfc_fail(PFC_INVALID, "%s: %d agents, expected 1 to %d", spec->name, layout->agents, MAX_AGENTS);
  if (layout->state_bytes < spec->state_bytes || layout->state_bytes > MAX_STATE_BYTES)
    return pfc_fail(PFC_INVALID, "%s: a state of %llu bytes, expected %u to %llu", spec->name,
                    (unsigned long long)layout->state_bytes, spec->state_bytes, (unsigned long long)MAX_STATE_BYTES);
  PfcStatus status = check_actions(spec, layout);
  return status ? status : check_obs(spec, layout);
}
