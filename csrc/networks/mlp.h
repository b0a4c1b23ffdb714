// mlp.h - a multi-layer perceptron for training: forward over a batch of rows, and the gradients of its parameters.
//
//   layer l:  y = weight[l] x + bias[l], weight[l] float32 [widths[l + 1], widths[l]]; max(y, 0) but in the last layer
//
// With sets of entities, x is the output of the encoder in sets.h, whose layers come first in all lists of layers.
//
// Products are taken in bfloat16 or float32, whichever the kernels are for, and summed in float32; rounding to bfloat16
// is to nearest even. The last layer's weights have twice the digits of bfloat16: a rounded part and its rounded
// remainder. Inputs are bfloat16 or float32 like the kernels, outputs and gradients float32. NaN passes through.
//
// Rows are cut into at most PFC_MLP_MAX_CHUNKS chunks, in a way that depends on their number alone. Threads take
// chunks; gradients are summed per chunk and the chunks are added in order, so results have the same bits for any
// number of workers.
//
// A network owns packed copies of its weights, the activations that pfc_mlp_backward needs, and scratch memory, all of
// which grow to the largest batch and workers that were used. One call at a time. Internal: for the bindings and tests.
#ifndef PUFFERC_MLP_H
#define PUFFERC_MLP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/workers.h"
#include "networks/sets.h"
#include "pufferc/pufferc.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
  PFC_MLP_MAX_LAYERS = 16,
  PFC_MLP_MAX_WIDTH = PFC_LINEAR_MAX_WIDTH,
  PFC_MLP_MAX_CHUNKS = 16,  // of a batch; each has a copy of the gradients, which are added up at the end
  PFC_MLP_BLOCK_ROWS = 128  // that go through all layers together: their activations fit a core's L2 cache
};

typedef struct PfcMlp PfcMlp;

// widths [layers + 1], from inputs to outputs. sets: NULL = none; with sets, widths[0] must be the encoder's outputs.
// All weights start as zeros. *mlp is NULL unless the result is PFC_OK.
PfcStatus pfc_mlp_create(const PfcMatmulKernels* kernels, const PfcSetsShape* sets, const int32_t* widths,
                         int32_t layers, PfcMlp** mlp);
void pfc_mlp_destroy(PfcMlp* mlp);  // NULL is allowed

// Layers are those of the sets, then the others.
int32_t pfc_mlp_layers(const PfcMlp* mlp);
void pfc_mlp_layer_shape(const PfcMlp* mlp, int32_t layer, int32_t* outputs, int32_t* inputs);

// Copies the parameters of one layer: weight [outputs, inputs], bias [outputs].
void pfc_mlp_set_layer(PfcMlp* mlp, int32_t layer, const float* weight, const float* bias);

// outputs [rows, widths[layers]] of x [rows, inputs], where inputs are widths[0], or those of the sets. `keep` stores
// the activations for pfc_mlp_backward.
PfcStatus pfc_mlp_forward(PfcMlp* mlp, const void* x, int64_t rows, bool keep, float* outputs, PfcWorkers* workers);

// The same in a caller's own threads: outputs [rows, widths[layers]] of at most PFC_MLP_BLOCK_ROWS rows, in the scratch
// memory of `worker`, an index below the number given to pfc_mlp_reserve. Different workers may run at the same time.
// The results have the same bits.
PfcStatus pfc_mlp_reserve(PfcMlp* mlp, int32_t workers);
void pfc_mlp_forward_block(PfcMlp* mlp, int32_t worker, const void* x, int32_t rows, float* outputs);

typedef struct PfcMlpShape {
  int32_t inputs, outputs;
  bool bfloat16;  // of x; else float32
} PfcMlpShape;

PfcMlpShape pfc_mlp_shape(const PfcMlp* mlp);

// From grad_outputs [rows, widths[layers]] to grad_weights[l] and grad_biases[l], shaped as the parameters. x and rows
// are those of the last forward that kept its activations, and no weight has changed since.
PfcStatus pfc_mlp_backward(PfcMlp* mlp, const void* x, int64_t rows, const float* grad_outputs,
                           float* const* grad_weights, float* const* grad_biases, PfcWorkers* workers);

// Rows [begin, end) of a batch, of which `worker` has just written the outputs.
typedef struct PfcMlpBlock {
  int32_t worker, chunk;
  int64_t begin, end;
} PfcMlpBlock;

// A callback that writes the gradients of a block's outputs. Workers call it at the same time for different chunks; the
// blocks of one chunk come in order.
typedef struct PfcMlpLoss {
  void (*rows)(void* context, const PfcMlpBlock* block);
  void* context;
} PfcMlpLoss;

// Both passes in one: each block of rows goes forward, through `loss`, and backward while it is in a core's cache. The
// results have the same bits as those of separate passes. Activations that an earlier forward kept are lost.
PfcStatus pfc_mlp_learn(PfcMlp* mlp, const void* x, int64_t rows, const PfcMlpLoss* loss, float* outputs,
                        const float* grad_outputs, float* const* grad_weights, float* const* grad_biases,
                        PfcWorkers* workers);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_MLP_H
