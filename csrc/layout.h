// layout.h - parameters and sizes of one pool, computed once from a game's spec.
#ifndef PUFFERC_LAYOUT_H
#define PUFFERC_LAYOUT_H

#include "pufferc/pufferc.h"

// Fills the parameter struct `params` (spec->params_bytes) from defaults and overrides. Unknown names,
// values out of range and values that are not whole where they must be are refused by name.
PfcStatus pfc_fill_params(const PfcEnvSpec* spec, const PfcParamValue* values, int32_t count, void* params);

// Reads value `index` of a filled parameter struct.
double pfc_read_param(const PfcEnvSpec* spec, const void* params, int32_t index);

// Writes a parameter's value as a person would: the shortest text that gives the same value. Returns `text`.
typedef char PfcParamText[32];
const char* pfc_param_text(const PfcParam* param, double value, PfcParamText text);

// Bytes of one observation element.
int32_t pfc_dtype_bytes(PfcDtype dtype);

// Completes the game's sizes for these parameters and checks them.
PfcStatus pfc_fill_layout(const PfcEnvSpec* spec, const void* params, PfcLayout* layout);

#endif  // PUFFERC_LAYOUT_H
