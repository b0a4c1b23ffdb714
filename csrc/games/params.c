// params.c - see params.h.
#include "games/params.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base.h"

// Former and current names, for checkpoints, configurations, policy files and C programs from before a rename.
static const char* const RENAMED[][2] = {{"frameskip", "frames_per_step"}};

static const PfcParam* param_named(const PfcEnvSpec* spec, const char* name) {
  for (int32_t i = 0; i < spec->num_params; ++i)
    if (strcmp(spec->params[i].name, name) == 0) return &spec->params[i];
  return NULL;
}

const PfcParam* pfc_find_param(const PfcEnvSpec* spec, const char* name) {
  const PfcParam* param = param_named(spec, name);
  for (size_t i = 0; !param && i < sizeof RENAMED / sizeof RENAMED[0]; ++i)
    if (strcmp(RENAMED[i][0], name) == 0) param = param_named(spec, RENAMED[i][1]);
  return param;
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
  // Starts with a precision that every value survives. %g drops trailing zeros.
  const bool single = param->type == PFC_PARAM_FLOAT;
  for (int digits = single ? FLT_DIG : 10; digits <= DBL_DECIMAL_DIG; ++digits) {
    snprintf(text, sizeof(PfcParamText), "%.*g", digits, value);
    if (single ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value) break;
  }
  return text;
}

static PfcStatus set_param(const PfcEnvSpec* spec, const PfcParamValue* given, void* params) {
  if (!given->name) return pfc_fail(PFC_INVALID, "%s: a parameter's name is NULL", spec->name);
  const PfcParam* param = pfc_find_param(spec, given->name);
  if (!param) return fail_unknown(spec, given->name);
  double value = given->value;
  if (param->type == PFC_PARAM_FLOAT) value = (double)(float)value;  // the stored value is compared with the limits
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

PfcStatus pfc_set_params(const PfcEnvSpec* spec, const PfcParamValue* values, int32_t count, void* params) {
  if (count < 0 || (count > 0 && !values))
    return pfc_fail(PFC_INVALID, "num_params: expected the length of params, got %d", count);
  for (int32_t i = 0; i < count; ++i) {
    PfcStatus status = set_param(spec, &values[i], params);
    if (status) return status;
  }
  const char* reason = spec->check ? spec->check(params) : NULL;
  return reason ? pfc_fail(PFC_INVALID, "%s: %s", spec->name, reason) : PFC_OK;
}

PfcStatus pfc_fill_params(const PfcEnvSpec* spec, const PfcParamValue* values, int32_t count, void* params) {
  for (int32_t i = 0; i < spec->num_params; ++i)
    write_param(spec, &spec->params[i], spec->params[i].default_value, params);
  return pfc_set_params(spec, values, count, params);
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
