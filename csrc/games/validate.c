// validate.c - the checks that a game's spec must pass, built in or loaded.
#include <ctype.h>
#include <float.h>
#include <stdbool.h>
#include <string.h>

#include "core/base.h"
#include "games/params.h"

static bool is_identifier(const char* name) {
  if (!name || !islower((unsigned char)name[0])) return false;
  for (const char* c = name; *c; ++c)
    if (!islower((unsigned char)*c) && !isdigit((unsigned char)*c) && *c != '_') return false;
  return strlen(name) <= 31;
}

// Whether every value in the range can be stored in 4 bytes of the parameter's type.
static bool limits_fit(const PfcParam* p) {
  switch (p->type) {
    case PFC_PARAM_INT: return p->min >= INT32_MIN && p->max <= INT32_MAX;
    case PFC_PARAM_FLOAT: return p->min >= -(double)FLT_MAX && p->max <= (double)FLT_MAX;
    case PFC_PARAM_BOOL: return p->min >= 0.0 && p->max <= 1.0;
  }
  return false;
}

static PfcStatus validate_params(const PfcEnvSpec* spec) {
  if (spec->num_params < 1 || !spec->params || !spec->params[0].name ||
      strcmp(spec->params[0].name, "max_steps") != 0 || spec->params[0].type != PFC_PARAM_INT)
    return pfc_fail(PFC_INVALID, "%s: the first parameter must be the int max_steps", spec->name);
  if (spec->params_bytes != 4u * (uint32_t)spec->num_params)
    return pfc_fail(PFC_INVALID, "%s: params_bytes is %u, expected 4 for each of %d parameters", spec->name,
                    spec->params_bytes, spec->num_params);
  for (int32_t i = 0; i < spec->num_params; ++i) {
    const PfcParam* p = &spec->params[i];
    PfcParamText text[3];
    if (!is_identifier(p->name) || !p->help)
      return pfc_fail(PFC_INVALID, "%s: parameter %d needs a lower-case name and a help text", spec->name, i);
    for (int32_t k = 0; k < i; ++k)
      if (strcmp(spec->params[k].name, p->name) == 0)
        return pfc_fail(PFC_INVALID, "%s: two parameters are named %s", spec->name, p->name);
    if (!limits_fit(p))
      return pfc_fail(PFC_INVALID,
                      "%s: parameter %s is of type %d with the range [%g, %g]; expected int, float or bool, "
                      "and a range that its type can hold",
                      spec->name, p->name, (int)p->type, p->min, p->max);
    if (!(p->min <= p->default_value && p->default_value <= p->max))
      return pfc_fail(PFC_INVALID, "%s: default %s of parameter %s is outside [%s, %s]", spec->name,
                      pfc_param_text(p, p->default_value, text[0]), p->name, pfc_param_text(p, p->min, text[1]),
                      pfc_param_text(p, p->max, text[2]));
  }
  return PFC_OK;
}

static PfcStatus validate_tables(const PfcEnvSpec* spec) {
  if (spec->num_obs_rows < 1 || !spec->obs_rows)
    return pfc_fail(PFC_INVALID, "%s: the observation table is empty", spec->name);
  for (int32_t i = 0; i < spec->num_obs_rows; ++i) {
    const PfcObsRow* row = &spec->obs_rows[i];
    if (!row->name || !row->help || row->count < 0 || !(row->low <= row->high) ||
        (row->count == 0 && i != spec->num_obs_rows - 1))
      return pfc_fail(PFC_INVALID,
                      "%s: row %d of the observation table needs a name, a help text, low <= high and a count",
                      spec->name, i);
  }
  if (!spec->metrics[0] || strcmp(spec->metrics[0], "score") != 0)
    return pfc_fail(PFC_INVALID, "%s: the first metric must be score", spec->name);
  for (int32_t i = 1; i < PFC_MAX_METRICS && spec->metrics[i]; ++i)
    for (int32_t k = 0; k < i; ++k)
      if (strcmp(spec->metrics[k], spec->metrics[i]) == 0)
        return pfc_fail(PFC_INVALID, "%s: two metrics are named %s", spec->name, spec->metrics[i]);
  return PFC_OK;
}

static PfcStatus validate_fields(const PfcEnvSpec* spec) {
  if (spec->num_fields < 0 || (spec->num_fields > 0) != (spec->fields != NULL))
    return pfc_fail(PFC_INVALID, "%s: set both fields and num_fields, or neither", spec->name);
  for (int32_t i = 0; i < spec->num_fields; ++i) {
    const PfcField* field = &spec->fields[i];
    if (!is_identifier(field->name) || field->dtype < PFC_FLOAT32 || field->dtype > PFC_FLOAT64)
      return pfc_fail(PFC_INVALID, "%s: state field %d needs a lower-case name and a dtype", spec->name, i);
    for (int32_t k = 0; k < i; ++k)
      if (strcmp(spec->fields[k].name, field->name) == 0)
        return pfc_fail(PFC_INVALID, "%s: two state fields are named %s", spec->name, field->name);
  }
  return PFC_OK;
}

static PfcStatus validate_keys(const PfcEnvSpec* spec) {
  if (!(spec->fps >= 0.0f && spec->fps <= 1000.0f))
    return pfc_fail(PFC_INVALID, "%s: fps is %g, expected 0 (30) to 1000", spec->name, (double)spec->fps);
  if (spec->num_keys < 0 || (spec->num_keys > 0) != (spec->keys != NULL) || spec->idle < PFC_IDLE_ALTERNATE)
    return pfc_fail(PFC_INVALID, "%s: set both keys and num_keys, or neither; idle must be a choice, PFC_IDLE_KEEP or "
                    "PFC_IDLE_ALTERNATE", spec->name);
  for (int32_t i = 0; i < spec->num_keys; ++i) {
    const PfcKeyBinding* key = &spec->keys[i];
    if (!key->keys || !key->help || key->dim < 0 || key->dim >= PFC_MAX_ACTION_DIMS || key->choice < 0 ||
        key->control < 0 || key->control >= PFC_MAX_ACTION_DIMS || !(key->push >= -1.0f && key->push <= 1.0f))
      return pfc_fail(PFC_INVALID, "%s: key %d needs names, a help text, and a choice or a push in [-1, 1]", spec->name,
                      i);
  }
  return PFC_OK;
}

static PfcStatus validate_functions(const PfcEnvSpec* spec) {
  if (!spec->reset_one || !spec->step_range || !spec->observe_range || !spec->observe_one || !spec->metrics_one ||
      !spec->draw_one)
    return pfc_fail(PFC_INVALID, "%s: a function of the spec is NULL; use PFC_DEFINE_ENV", spec->name);
  if ((spec->open == NULL) != (spec->close == NULL))
    return pfc_fail(PFC_INVALID, "%s: set both open and close, or neither", spec->name);
  if ((spec->script != NULL) != (spec->num_levels > 0))
    return pfc_fail(PFC_INVALID, "%s: set both script and num_levels >= 1, or neither", spec->name);
  if ((spec->check_data == NULL) != (spec->reset_from == NULL) ||
      (spec->respawn_from != NULL) != (spec->reset_from != NULL && spec->respawn != NULL))
    return pfc_fail(PFC_INVALID,
                    "%s: set both check_data and reset_from, or neither; with respawn, also set respawn_from",
                    spec->name);
  if (spec->max_games < 0 || (spec->max_games != 0) != (spec->limit_help != NULL))
    return pfc_fail(PFC_INVALID, "%s: max_games is %d; a limit must be at least 1 and needs limit_help", spec->name,
                    spec->max_games);
  return PFC_OK;
}

PfcStatus pfc_env_validate(const PfcEnvSpec* spec) {
  if (!spec) return pfc_fail(PFC_INVALID, "spec: expected a game's spec, got NULL");
  if (spec->abi_version != PFC_ABI_VERSION)
    return pfc_fail(PFC_INVALID,
                    "spec: the game was built for ABI %u, but this library has ABI %u; build the game again",
                    spec->abi_version, PFC_ABI_VERSION);
  if (spec->spec_bytes != sizeof(PfcEnvSpec))
    return pfc_fail(PFC_INVALID, "spec: expected %zu bytes, got %u; build the game again", sizeof(PfcEnvSpec),
                    spec->spec_bytes);
  if (!is_identifier(spec->name))
    return pfc_fail(PFC_INVALID, "spec: the name must be a lower-case identifier of at most 31 letters");
  if (!spec->title || !spec->title[0] || !spec->summary)
    return pfc_fail(PFC_INVALID, "%s: title and summary must be given", spec->name);
  if (spec->version < 1)
    return pfc_fail(PFC_INVALID, "%s: version is %d, expected at least 1", spec->name, spec->version);
  if (spec->obs_dtype < PFC_FLOAT32 || spec->obs_dtype > PFC_INT8)
    return pfc_fail(PFC_INVALID, "%s: obs_dtype %d is not float32, int32, uint8 or int8", spec->name,
                    (int)spec->obs_dtype);
  if (spec->state_bytes < spec->rng_offset + sizeof(PfcRng))
    return pfc_fail(PFC_INVALID, "%s: the state has %u bytes, too few for its rng", spec->name, spec->state_bytes);
  PfcStatus status = validate_functions(spec);
  if (!status) status = validate_params(spec);
  if (!status) status = validate_tables(spec);
  if (!status) status = validate_fields(spec);
  if (!status) status = validate_keys(spec);
  return status;
}
