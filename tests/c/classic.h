// classic.h - for the tests of games with one agent: the slices of one step.
#ifndef PUFFERC_TESTS_CLASSIC_H
#define PUFFERC_TESTS_CLASSIC_H

#include "pufferc/env.h"

typedef struct Outcome {
  float reward;
  uint8_t terminated;
} Outcome;

// A step's slices, whose results go to `out`. `choice` and `control` are borrowed.
static inline PfcIo one_agent(const int32_t* choice, const float* control, Outcome* out) {
  static uint8_t truncated, alive = 1;
  out->reward = 0.0f, out->terminated = 0;
  const PfcIo io = {.actions = choice,
                    .controls = control,
                    .rewards = &out->reward,
                    .terminated = &out->terminated,
                    .truncated = &truncated,
                    .alive = &alive};
  return io;
}

#endif  // PUFFERC_TESTS_CLASSIC_H
