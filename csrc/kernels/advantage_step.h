// advantage_step.h - the advantage recurrence for one step and for one entry of a batch. Host and device.
//
// Steps are processed in reverse. v' is the value after the step, A' the advantage of the next step:
//
//   v'    = 0 where terminated, else final_value where truncated, else next_value
//   delta = rho (reward + gamma v' - value)
//   A     = delta + gamma lambda c A' (1 - ended),   ended = terminated or truncated
//
// With rho = c = 1 this is generalised advantage estimation (Schulman et al. 2016, "High-Dimensional Continuous
// Control Using Generalized Advantage Estimation", eq. 16); with rho = min(rho_clip, ratio), c = min(c_clip, ratio) it
// corrects for data of an older policy (Espeholt et al. 2018, "IMPALA", eq. 1), with A in the place of v_s - V(x_s).
//
// Terms that a flag excludes are not selected, rather than multiplied by zero, so a NaN in an unused value or in the
// advantage of the next episode cannot leak. A NaN in a used number stays NaN.
#ifndef PUFFERC_ADVANTAGE_STEP_H
#define PUFFERC_ADVANTAGE_STEP_H

#include "kernels/advantage.h"
#include "pufferc/rng.h"  // PFC_FN

// min(limit, ratio) for ratio >= 0; a NaN ratio stays NaN.
PFC_FN float pfc_clipped_ratio(float limit, float ratio) { return limit < ratio ? limit : ratio; }

// The value after the step. final_value is read only where truncated and not terminated.
PFC_FN float pfc_value_after(float next_value, float final_value, int terminated, int truncated) {
  const float after = truncated ? final_value : next_value;
  return terminated ? 0.0f : after;
}

// The advantage of the step. decay = gamma * lambda.
PFC_FN float pfc_advantage_step(float reward, float value, float value_after, float next_advantage, int ended,
                                float gamma, float decay, float rho, float c) {
  const float delta = rho * ((reward + gamma * value_after) - value);
  const float carried = (decay * c) * next_advantage;
  return delta + (ended ? 0.0f : carried);
}

// A[at], at = t * rows + row, from the arrays of a (host or device) batch and A[at + rows]. has_final and has_ratio say
// whether these arrays exist; callers pass constants, so each combination compiles to branch-free code.
PFC_FN float pfc_advantage_entry(const PfcAdvantageArgs* a, int64_t at, float next_advantage, int has_final,
                                 int has_ratio) {
  const int terminated = a->terminated[at] != 0, truncated = a->truncated[at] != 0;
  const float next_value = a->values[at + a->rows];
  const float after =
      pfc_value_after(next_value, has_final ? a->final_values[at] : next_value, terminated, truncated);
  const float rho = has_ratio ? pfc_clipped_ratio(a->rho_clip, a->ratio[at]) : 1.0f;
  const float c = has_ratio ? pfc_clipped_ratio(a->c_clip, a->ratio[at]) : 1.0f;
  return pfc_advantage_step(a->rewards[at], a->values[at], after, next_advantage, terminated | truncated, a->gamma,
                            a->gamma * a->gae_lambda, rho, c);
}

#endif  // PUFFERC_ADVANTAGE_STEP_H
