// layout.h - parameters and sizes of one pool, computed once from a game's spec.
#ifndef PUFFERC_LAYOUT_H
#define PUFFERC_LAYOUT_H

#include <stdbool.h>

#include "pufferc/pufferc.h"

// Fills the parameter struct `params` (spec->params_bytes) from defaults and overrides. Unknown names,
// values out of range and values that are not whole where they must be are refused by name.
PfcStatus pfc_fill_params(const PfcEnvSpec* spec, const PfcParamValue* values, int32_t count, void* params);

// Overrides values of a filled parameter struct, with the same checks and then the game's own.
PfcStatus pfc_set_params(const PfcEnvSpec* spec, const PfcParamValue* values, int32_t count, void* params);

// Reads value `index` of a filled parameter struct.
double pfc_read_param(const PfcEnvSpec* spec, const void* params, int32_t index);

// Writes a parameter's value as a person would: the shortest text that gives the same value. Returns `text`.
typedef char PfcParamText[32];
const char* pfc_param_text(const PfcParam* param, double value, PfcParamText text);

// Bytes of one observation element.
int32_t pfc_dtype_bytes(PfcDtype dtype);

// Completes the game's sizes for these parameters and checks them.
PfcStatus pfc_fill_layout(const PfcEnvSpec* spec, const void* params, PfcLayout* layout);

// rows [spec->num_obs_rows] <- the observation table for these parameters, with every count filled in, checked against
// the layout.
PfcStatus pfc_fill_rows(const PfcEnvSpec* spec, const void* params, const PfcLayout* layout, PfcObsRow* rows);

// teams [layout->agents] <- the side of each agent. Nothing where layout->teams is 0.
PfcStatus pfc_fill_teams(const PfcEnvSpec* spec, const void* params, const PfcLayout* layout, int32_t* teams);

// *same <- whether these parameters give the same sizes, observation table and sides as those that gave the arguments.
// Fails where they fit no pool.
PfcStatus pfc_same_tables(const PfcEnvSpec* spec, const void* params, const PfcLayout* layout, const PfcObsRow* rows,
                          const int32_t* teams, bool* same);

#endif  // PUFFERC_LAYOUT_H
