// recurrent_pass.h - what the passes of a recurrent network share: its parts, its units, and blocks of steps of rows.
//
// A worker takes a strip of rows through all steps, in blocks of steps. A matrix product that does not depend on the
// step before then has about a hundred rows, and the results of a block are used while they are in a core's cache. A
// strip's activations lie together, [T, strip rows] in the order of steps, so a block is one matrix. Internal: for
// recurrent.c and the units in mingru.c and lstm.c.
#ifndef PUFFERC_RECURRENT_PASS_H
#define PUFFERC_RECURRENT_PASS_H

#include "networks/recurrent.h"

enum {
  RECURRENT_MAX_CHUNKS = 16,  // each has a copy of the gradients, which are added up at the end
  RECURRENT_MIN_CHUNK_ROWS = 16,
  RECURRENT_BLOCK_ROWS = 128,  // rows of a product: steps times rows of a strip
  RECURRENT_MAX_LAYERS = PFC_RECURRENT_MAX_HIDDEN + 3
};

typedef struct RecurrentPass RecurrentPass;
typedef struct RecurrentScratch RecurrentScratch;
typedef struct RecurrentBlock RecurrentBlock;

// A kind of units. For one block: x and seen, the input of the output layer, are elements; gates [rows, gate_stride]
// and states [rows, padded H] are floats.
typedef struct RecurrentCell {
  int32_t gates;   // numbers per unit that the gate layers compute
  int32_t layers;  // gate layers: 1 of x, or 2 of x and of the previous h, which lies in scratch->before
  int32_t states;  // arrays of a state
  bool residual;   // whether x is added to the input of the output layer

  // states and seen <- those of the block. gates hold the products with x, and then what backward needs.
  // scratch->carry: in, the state before the block; out, the state after it.
  void (*forward)(const RecurrentPass* pass, RecurrentScratch* scratch, const RecurrentBlock* block, const void* x,
                  float* gates, float* states, void* seen);
  // From the gradient of `seen` in scratch->sums: scratch->a <- the gradient of the gates as elements, bias += its
  // rows. scratch->carry: the gradient of the state, in after the block, out before it.
  void (*backward)(const RecurrentPass* pass, RecurrentScratch* scratch, const RecurrentBlock* block, float* bias);
} RecurrentCell;

extern const RecurrentCell pfc_recurrent_mingru, pfc_recurrent_lstm;

// Scratch memory of one worker: matrices of RECURRENT_BLOCK_ROWS rows.
struct RecurrentScratch {
  void *inputs, *a, *b;                      // elements of the widest layer
  void* before;                              // elements of H: the previous h of each step
  uint32_t* pairs;                           // atoms of two matrices
  float* sums;                               // of the widest layer
  float *gates, *states;                     // shaped like the kept ones; backwards the gradient of one step's gates
  float* carry[PFC_RECURRENT_MAX_STATES];    // [strip rows, padded H]
  float* initial[PFC_RECURRENT_MAX_STATES];  // [strip rows, padded H]
  PfcSetsScratch sets;
  char* memory;                              // owned, holds all of them
};

struct PfcRecurrent {
  const PfcMatmulKernels* kernels;
  const RecurrentCell* cell;
  PfcSets sets;                                     // without any, if observations are the inputs of the first layer
  int32_t inputs;                                   // values of an observation
  int32_t hidden;                                   // hidden layers; then those of the gates, and of the outputs
  int32_t units, padded;                            // H
  int32_t gate_stride;                              // padded numbers of all gates of a row
  int32_t widest;                                   // the largest padded width
  int64_t gradient_size;                            // floats of one chunk's gradients
  int64_t kept_steps, kept_rows;                    // 0 = nothing is kept
  int64_t capacity;                                 // steps times rows that there is memory for
  int32_t workers;                                  // that have scratch memory
  float* gradients;                                 // [RECURRENT_MAX_CHUNKS, gradient_size]
  void* activations[PFC_RECURRENT_MAX_HIDDEN + 1];  // elements [capacity, padded] of hidden layers, then of `seen`
  float *gates, *states;                            // [capacity, gate_stride], [capacity, padded H]
  float* set_features;                              // [capacity, features], see PfcSetsScratch
  int32_t* set_winners;
  int64_t gradient_at[RECURRENT_MAX_LAYERS];        // where in a chunk's gradients; those of the sets come last
  RecurrentScratch scratch[PFC_MAX_THREADS];
  PfcLinearTrain layer[RECURRENT_MAX_LAYERS];
};

// One pass over a batch; a chunk is one block of work.
struct RecurrentPass {
  PfcRecurrent* net;
  const PfcRecurrentBatch* batch;
  int64_t chunk_rows;
  int32_t chunks;
  bool keep;
  float *outputs, *const *next_state;
  const float* grad_outputs;
  float* grad_x;
  void (*strip)(const RecurrentPass* pass, RecurrentScratch* scratch, int64_t first, int32_t count, float* gradients);
};

// Some steps of a strip.
struct RecurrentBlock {
  int64_t first, step;   // of its rows and steps
  int32_t count, steps;  // of them
  int64_t kept;          // its first row among what is kept
};

// The gate layer of x. The one of the previous h follows where there is one.
static inline const PfcLinearTrain* pfc_recurrent_gate_layer(const PfcRecurrent* net) {
  return &net->layer[net->hidden];
}

// Number of the layer of the outputs, the last.
static inline int32_t pfc_recurrent_output_index(const PfcRecurrent* net) { return net->hidden + net->cell->layers; }

// Calls pass->strip for all strips of the batch, on the workers. Gradients of a chunk start as zeros.
PfcStatus pfc_recurrent_run(RecurrentPass* pass, PfcWorkers* workers);
// The block of a strip that starts at `step`. Blocks of a strip start at multiples of the same number.
RecurrentBlock pfc_recurrent_block(const RecurrentPass* pass, int64_t first, int32_t count, int64_t step);
// Row `row` of a kept activation: of hidden layer `layer`, or of `seen` where `layer` is the number of hidden layers.
void* pfc_recurrent_kept(const PfcRecurrent* net, int32_t layer, int64_t row);
// The input of layer `layer` (hidden or gates) in a block: kept activations, or x, which is loaded to scratch.
const void* pfc_recurrent_layer_input(const RecurrentPass* pass, RecurrentScratch* scratch, const RecurrentBlock* block,
                                      int32_t layer);
// to[i] [count, padded H] <- state i of a strip's rows, from arrays [M, H].
void pfc_recurrent_load_states(const PfcRecurrent* net, const float* const* from, int64_t first, int32_t count,
                               float* const* to);
// Flags of the rows of step t of a block whose episodes start there; NULL = none.
const uint8_t* pfc_recurrent_starts(const RecurrentPass* pass, const RecurrentBlock* block, int32_t t);
// Moves the gradient of step t's gates from scratch->gates to scratch->a, rounded, and adds its rows to `bias`.
void pfc_recurrent_take_gate_gradient(const RecurrentPass* pass, RecurrentScratch* scratch, const RecurrentBlock* block,
                                      int32_t t, float* bias);

#endif  // PUFFERC_RECURRENT_PASS_H
