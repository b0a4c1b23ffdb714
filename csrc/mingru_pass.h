// mingru_pass.h - what the passes of a recurrent network share: its parts, and blocks of steps of some rows.
//
// A thread takes a strip of rows through all steps, in blocks of steps, so that a matrix product always has about a
// hundred rows and what a block makes is used while a core's cache still has it. A strip's activations lie together,
// [T, strip rows] in the order of steps, so a block is one matrix. Internal: for mingru.c and mingru_backward.c.
#ifndef PUFFERC_MINGRU_PASS_H
#define PUFFERC_MINGRU_PASS_H

#include <stdatomic.h>

#include "mingru.h"
#include "scan.h"

enum {
  MINGRU_MAX_CHUNKS = 16,  // each has a copy of the gradients, which are added up at the end
  MINGRU_MIN_CHUNK_ROWS = 16,
  MINGRU_BLOCK_ROWS = 128,  // rows of a product: steps times rows of a strip
  MINGRU_MAX_LAYERS = PFC_MINGRU_MAX_HIDDEN + 3
};

// What one thread works in: matrices of MINGRU_BLOCK_ROWS rows of the widest layer.
typedef struct MinGruScratch {
  void *inputs, *a, *b;  // elements
  uint32_t* pairs;       // atoms of two matrices
  float *sums, *update, *candidate, *states;
  float *carry, *initial;  // [strip rows, padded H]
  char* memory;            // owned, holds all of them
} MinGruScratch;

struct PfcMinGru {
  const PfcMatmulKernels* kernels;
  int32_t hidden;                            // hidden layers; then the layers of u, of c, and of the outputs
  int32_t units, padded;                     // H
  int32_t widest;                            // the largest padded width
  int64_t gradient_size;                     // floats of one chunk's gradients
  int64_t kept_steps, kept_rows;             // 0 = nothing is kept
  int64_t capacity;                          // steps times rows that there is memory for
  int32_t lanes;                             // that have scratch memory
  float* gradients;                          // [MINGRU_MAX_CHUNKS, gradient_size]
  void* activations[PFC_MINGRU_MAX_HIDDEN];  // elements [capacity, padded_outputs] of each hidden layer
  float *updates, *states;                   // u and h, [capacity, padded H]
  int64_t gradient_at[MINGRU_MAX_LAYERS];    // where in a chunk's gradients
  MinGruScratch scratch[PFC_MAX_THREADS];
  PfcDense layer[MINGRU_MAX_LAYERS];
};

// One pass over a batch. Lanes of the team take chunks until none is left.
typedef struct MinGruPass {
  PfcMinGru* net;
  const PfcMinGruBatch* batch;
  int64_t chunk_rows;
  int32_t chunks;
  bool keep;
  float *outputs, *next_state;
  const float* grad_outputs;
  void (*strip)(const struct MinGruPass* pass, MinGruScratch* scratch, int64_t first, int32_t count, float* gradients);
  atomic_int next;
} MinGruPass;

// Some steps of a strip.
typedef struct MinGruBlock {
  int64_t first, step;   // of its rows and steps
  int32_t count, steps;  // of them
  int64_t kept;          // its first row among what is kept
} MinGruBlock;

// Takes pass->strip through all strips of the batch, on a team's threads. Gradients of a chunk begin as zeros.
PfcStatus pfc_mingru_run(MinGruPass* pass, PfcTeam* team);
// The block of a strip that begins at `step`. Blocks of a strip begin at multiples of the same number.
MinGruBlock pfc_mingru_block(const MinGruPass* pass, int64_t first, int32_t count, int64_t step);
// Row `row` of a kept activation.
void* pfc_mingru_kept(const PfcMinGru* net, int32_t layer, int64_t row);
// to <- the inputs of a block, as elements.
void pfc_mingru_load_inputs(const MinGruPass* pass, const MinGruBlock* block, void* to);
// to [count, padded H] <- the states of a strip's rows.
void pfc_mingru_load_states(const PfcMinGru* net, const float* from, int64_t first, int32_t count, float* to);
// Step t of a block with the gates and states that lie there; `before` are the states before the block.
PfcScanStep pfc_mingru_scan_step(const MinGruPass* pass, const MinGruBlock* block, int32_t t, const float* update,
                                 const float* candidate, float* states, const float* before);

#endif  // PUFFERC_MINGRU_PASS_H
