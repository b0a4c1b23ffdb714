// policy_forward.h - the forward pass of a policy over a block of rows, for policy.c.
#ifndef PUFFERC_POLICY_FORWARD_H
#define PUFFERC_POLICY_FORWARD_H

#include "policy/policy_file.h"

// Scratch memory of one call, the caller's from pfc_policy_scratch_open to free(memory).
typedef struct PolicyScratch {
  void* draw;        // of pfc_sample
  float* inputs;     // [block, numbers that the first product takes], where they are not the observations
  float* layers[2];  // [block, widest], written in turn
  float* values;     // [obs_size] of one row, where they become one-hot vectors
  float* patches;    // of pfc_conv_forward
  void* sets;        // of pfc_sets_forward
  float* joined;     // [block, inputs + outputs] of an LSTM
  void* memory;
} PolicyScratch;

PfcStatus pfc_policy_scratch_open(PolicyScratch* scratch, const PfcPolicy* policy, int64_t rows);

// Outputs of rows [first, first + rows), rows <= POLICY_BLOCK_ROWS: in a scratch array, which is returned, `*stride`
// numbers from row to row. state [all rows, state_size] is replaced in these rows.
const float* pfc_policy_forward_block(const PfcPolicy* policy, const PolicyScratch* scratch, const void* observations,
                                      int64_t first, int32_t rows, float* state, int64_t* stride);

#endif  // PUFFERC_POLICY_FORWARD_H
