// scan_step.h - the recurrence of a minimal gated recurrent unit (Feng et al. 2024, "Were RNNs All We Needed?"), once
// for the processor and for CUDA.
//
//   z = 1 / (1 + exp(-u))     h_t = (1 - z) h_{t-1} + z c
//
// With g = d loss / d h_t, later steps included:
//
//   d loss / d u = g (c - h_{t-1}) z (1 - z) = g (h_t - h_{t-1}) (1 - z)
//   d loss / d c = g z                          d loss / d h_{t-1} = g (1 - z)
//
// One unit of one row at one step; no memory. Internal: for scan.c and cuda/scan.cu.
#ifndef PUFFERC_SCAN_STEP_H
#define PUFFERC_SCAN_STEP_H

#include "pufferc/fmath.h"

// The parts of a new state: open = z from the candidate, shut = 1 - z from the old one. Both keep their digits where
// they are small. Beyond |u| = 80 they are constant, so that they stay normal numbers. A NaN stays NaN.
typedef struct PfcScanGate {
  float open, shut;
} PfcScanGate;

PFC_FN PfcScanGate pfc_scan_gate(float u) {
  PfcScanGate gate;
  const float e = pfc_expf(pfc_clampf(-u, -80.0f, 80.0f)), open = 1.0f / (1.0f + e);
  gate.open = u == u ? open : u;
  gate.shut = e * gate.open;
  return gate;
}

PFC_FN float pfc_scan_state(float u, float candidate, float previous) {
  const PfcScanGate gate = pfc_scan_gate(u);
  return gate.shut * previous + gate.open * candidate;
}

typedef struct PfcScanGradient {
  float u, candidate, previous;
} PfcScanGradient;

PFC_FN PfcScanGradient pfc_scan_gradient(float u, float state, float previous, float grad_state) {
  const PfcScanGate gate = pfc_scan_gate(u);
  PfcScanGradient grad;
  grad.previous = grad_state * gate.shut;
  grad.u = grad.previous * (state - previous);
  grad.candidate = grad_state * gate.open;
  return grad;
}

#endif  // PUFFERC_SCAN_STEP_H
