// lstm_step.h - the recurrence of a long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of
// Gers et al. 2000).
//
//   c_t = f c_{t-1} + i g     h_t = o tanh(c_t)     with i, f, o = 1 / (1 + exp(-pre-activation)), g = tanh(its own)
//
// With dh = d loss / d h_t, and dc = d loss / d c_t of the next step plus dh o (1 - tanh(c_t)^2):
//
//   d loss / d pre-activation of i = dc g i (1 - i)     of f = dc c_{t-1} f (1 - f)
//                             of g = dc i (1 - g^2)     of o = dh tanh(c_t) o (1 - o)     d loss / d c_{t-1} = dc f
//
// One unit of one row at one step; no memory. NaN passes through. Internal: for lstm.c and policy_forward.c.
#ifndef PUFFERC_LSTM_STEP_H
#define PUFFERC_LSTM_STEP_H

#include "pufferc/fmath.h"

typedef struct PfcLstmGates {
  float in, forget, candidate, out;  // i, f, g, o
} PfcLstmGates;

// Both keep a NaN, which the functions of fmath.h do not. Absolute errors below 3e-7.
PFC_FN float pfc_lstm_sigmoid(float x) {
  const float y = pfc_sigmoidf(x);
  return x == x ? y : x;
}

PFC_FN float pfc_lstm_tanh(float x) { return 2.0f * pfc_lstm_sigmoid(2.0f * x) - 1.0f; }

// From pre-activations.
PFC_FN PfcLstmGates pfc_lstm_gates(float in, float forget, float candidate, float out) {
  PfcLstmGates gates;
  gates.in = pfc_lstm_sigmoid(in);
  gates.forget = pfc_lstm_sigmoid(forget);
  gates.candidate = pfc_lstm_tanh(candidate);
  gates.out = pfc_lstm_sigmoid(out);
  return gates;
}

PFC_FN float pfc_lstm_next_cell(PfcLstmGates gates, float before) {
  return gates.forget * before + gates.in * gates.candidate;
}

PFC_FN float pfc_lstm_output(PfcLstmGates gates, float cell) { return gates.out * pfc_lstm_tanh(cell); }

// Of the pre-activations, and of the cell before.
typedef struct PfcLstmGradient {
  PfcLstmGates gates;
  float before;
} PfcLstmGradient;

PFC_FN PfcLstmGradient pfc_lstm_gradient(PfcLstmGates gates, float cell, float before, float grad_output,
                                         float grad_cell) {
  PfcLstmGradient grad;
  const float squashed = pfc_lstm_tanh(cell), through = grad_output * gates.out;
  grad_cell += through * (1.0f - squashed * squashed);
  grad.gates.in = grad_cell * gates.candidate * gates.in * (1.0f - gates.in);
  grad.gates.forget = grad_cell * before * gates.forget * (1.0f - gates.forget);
  grad.gates.candidate = grad_cell * gates.in * (1.0f - gates.candidate * gates.candidate);
  grad.gates.out = through * squashed * (1.0f - gates.out);
  grad.before = grad_cell * gates.forget;
  return grad;
}

#endif  // PUFFERC_LSTM_STEP_H
