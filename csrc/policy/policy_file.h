// policy_file.h - the parts of a policy in memory, and the reader that makes them from a file's bytes.
//
// A PfcPolicy owns everything it points to. It is built by pfc_policy_read, used by policy.c, and never changed after.
#ifndef PUFFERC_POLICY_FILE_H
#define PUFFERC_POLICY_FILE_H

#include "networks/conv.h"
#include "networks/linear_infer.h"
#include "networks/sets.h"
#include "pufferc/policy.h"

enum {
  POLICY_HEAD_BYTES = 32,  // what comes before the checked part
  POLICY_NAME_BYTES = 64,
  POLICY_PARAM_NAME_BYTES = 32
};

// Kinds of layers that are read. 1 was a layer that normalised observations.
typedef enum PolicyKind {
  POLICY_LINEAR = 2,
  POLICY_CODES = 3,
  POLICY_MINGRU = 4,
  POLICY_LSTM = 5,
  POLICY_CONV = 6,
  POLICY_SETS = 7,
  POLICY_CODE_ROWS = 8
} PolicyKind;

typedef enum PolicyHead { POLICY_CATEGORICAL = 0, POLICY_NORMAL_CLAMPED = 1, POLICY_NORMAL_SQUASHED = 2 } PolicyHead;

// `count` neighbouring values of an observation. Value i becomes the inputs from first + i * step on: a one-hot vector
// of max_code entries, or the value itself where max_code is 0.
typedef struct PolicyCodeRow {
  int32_t count, max_code, first, step;
} PolicyCodeRow;

// A layer of any kind that has weights.
typedef struct PolicyLayer {
  PolicyKind kind;
  int32_t inputs, outputs;
  int32_t state_offset;  // of its numbers in a row's state
  PfcLinearInfer linear;  // of [x] or, in an LSTM, of [x, h]
  PfcConv conv;           // in place of `linear`; the inputs after the image pass through
  PfcSets sets;           // in place of `linear`
} PolicyLayer;

enum { POLICY_BLOCK_ROWS = 96 };  // that pass the layers together: a multiple of every tile's rows

struct PfcPolicy {
  PfcPolicyInfo info;
  char game[POLICY_NAME_BYTES];
  char param_names[PFC_POLICY_MAX_PARAMS][POLICY_PARAM_NAME_BYTES];
  PfcParamValue params[PFC_POLICY_MAX_PARAMS];

  PolicyCodeRow* code_rows;  // owned; how observations become the inputs of the first product, or NULL: as they are
  int32_t num_code_rows;
  int32_t inputs;            // of the first product
  PolicyHead head;
  int32_t num_layers;
  PolicyLayer layers[PFC_POLICY_MAX_LAYERS];
  int32_t widest;     // the most numbers that a layer writes per row
  int32_t joined;     // the largest inputs + outputs of an LSTM, 0 without one
  uint64_t patches;   // the largest scratch memory of a convolution in floats, 0 without one
  uint64_t set_bytes;  // the largest scratch memory of sets for a block of rows, 0 without any
};

// Size of the whole file as its first POLICY_HEAD_BYTES state it, in [POLICY_HEAD_BYTES, 2^40]; without the magic
// bytes, POLICY_HEAD_BYTES.
uint64_t pfc_policy_stated_bytes(const unsigned char* head);

// Fills a zeroed policy. PFC_OK, or an error whose message begins with `name`; memory allocated until then stays
// in the policy and is freed with it.
PfcStatus pfc_policy_read(PfcPolicy* policy, const unsigned char* data, uint64_t bytes, const char* name);

#endif  // PUFFERC_POLICY_FILE_H
