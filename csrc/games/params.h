// params.h - converts names and numbers to the parameter struct of a game.
#ifndef PUFFERC_PARAMS_H
#define PUFFERC_PARAMS_H

#include "pufferc/pufferc.h"

#ifdef __cplusplus
extern "C" {
#endif

// The parameter of a game with this name, or with the former name `name`; NULL if there is none.
const PfcParam* pfc_find_param(const PfcEnvSpec* spec, const char* name);

// Fills the parameter struct `params` (spec->params_bytes) from defaults and overrides. Unknown names, values out of
// range, and fractions for integers are errors that name the parameter.
PfcStatus pfc_fill_params(const PfcEnvSpec* spec, const PfcParamValue* values, int32_t count, void* params);

// Overrides values of a filled parameter struct, with the same checks, and then calls the game's check function.
PfcStatus pfc_set_params(const PfcEnvSpec* spec, const PfcParamValue* values, int32_t count, void* params);

// Reads value `index` of a filled parameter struct.
double pfc_read_param(const PfcEnvSpec* spec, const void* params, int32_t index);

// Writes the shortest text that reads back as the same value. Returns `text`.
typedef char PfcParamText[32];
const char* pfc_param_text(const PfcParam* param, double value, PfcParamText text);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_PARAMS_H
