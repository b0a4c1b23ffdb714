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

// rows [spec->num_obs_rows] <- the observation table for these parameters, with every count filled in, checked against
// the layout.
PfcStatus pfc_fill_rows(const PfcEnvSpec* spec, const void* params, const PfcLayout* layout, PfcObsRow* rows);

// teams [layout->agents] <- the side of each agent. Writes nothing where layout->teams is 0.
PfcStatus pfc_fill_teams(const PfcEnvSpec* spec, const void* params, const PfcLayout* layout, int32_t* teams);

// *same <- whether `params` gives the sizes, observation table and sides in the other arguments. Fails where no pool
// can be made with `params`.
PfcStatus pfc_same_tables(const PfcEnvSpec* spec, const void* params, const PfcLayout* layout, const PfcObsRow* rows,
                          const int32_t* teams, bool* same);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_LAYOUT_H
