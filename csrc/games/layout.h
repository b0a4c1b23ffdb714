// layout.h - the sizes and tables of a game, which may depend on its parameters.
#ifndef PUFFERC_LAYOUT_H
#define PUFFERC_LAYOUT_H

#include <stdbool.h>

#include "pufferc/pufferc.h"

#ifdef __cplusplus
extern "C" {
#endif

// Bytes of one observation element.
int32_t pfc_dtype_bytes(PfcDtype dtype);

// Completes the game's sizes for these parameters and checks them.
PfcStatus pfc_fill_layout(const PfcEnvSpec* spec, const void* params, PfcLayout* layout);

// Fills rows [spec->num_obs_rows] with the observation table for these parameters, computes the count of a last row of
// 0, and checks the table against the layout.
PfcStatus pfc_fill_rows(const PfcEnvSpec* spec, const void* params, const PfcLayout* layout, PfcObsRow* rows);

// Fills teams [layout->agents] with the team of each agent. Writes nothing if layout->teams is 0.
PfcStatus pfc_fill_teams(const PfcEnvSpec* spec, const void* params, const PfcLayout* layout, int32_t* teams);

// Sets *same to whether `params` gives the sizes, observation table and teams of the other arguments. Fails if no pool
// can be created with `params`.
PfcStatus pfc_same_tables(const PfcEnvSpec* spec, const void* params, const PfcLayout* layout, const PfcObsRow* rows,
                          const int32_t* teams, bool* same);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_LAYOUT_H
