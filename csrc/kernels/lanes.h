// lanes.h - many rows side by side, so that loops over PFC_LANES rows vectorise. Rows do not affect each other.
//
// A PfcLanes holds one number of each row. Internal: for the kernels that draw actions and compute the PPO loss.
#ifndef PUFFERC_LANES_H
#define PUFFERC_LANES_H

#include "pufferc/fmath.h"

enum { PFC_LANES = 32 };  // two 512-bit vectors; fewer would be unrolled by compilers before they vectorise

#define PFC_NAN __builtin_nanf("")

typedef float PfcLanes[PFC_LANES];

// Unlike pfc_clampf this keeps a NaN.
PFC_FN float pfc_clamp_or_nan(float x, float low, float high) {
  const float below = x > high ? high : x;
  return x < low ? low : below;
}

#endif  // PUFFERC_LANES_H
