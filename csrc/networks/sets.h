// sets.h - an encoder of sets of entities, for training and inference: all entities of a set pass the same two layers,
// and each feature of a set is the maximum over its entities.
//
// A row is `inputs` values. A set is count / each entities of `each` values, side by side from value `first` on. An
// entity whose first value is 0 is absent. The layers of a set are weight A [width, each] and bias a, and weight
// B [width, width] and bias b:
//
//   features = max(0, the maximum over present entities x of B max(0, A x + a) + b);  zeros if none is present
//
// The outputs of a row are its plain values, which belong to no set, and then the features of the sets in order.
//
// Rows are elements as in elements.h, bfloat16 or float32, without padding; outputs are padded. The layers multiply and
// sum in float32 in both cases. A gradient passes through the entity that has the maximum, the first of equal ones, so
// the backward pass costs a fraction of the forward pass. NaN passes through.
//
// A PfcSets owns its weights; only pfc_sets_set_layer changes them. Any number of threads may use it at the same time,
// each with its own scratch memory. Internal: for networks/, policy/ and their tests.
#ifndef PUFFERC_SETS_H
#define PUFFERC_SETS_H

#include <stdbool.h>
#include <stdint.h>

#include "networks/linear_infer.h"
#include "networks/linear_train.h"
#include "pufferc/pufferc.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct PfcSet {
  int32_t first, count, each, width;
} PfcSet;

typedef struct PfcSetsShape {
  int32_t inputs, num_sets;
  const PfcSet* sets;  // in the order of their values
} PfcSetsShape;

// Number of the first set that overlaps another one or the end of a row, has no whole number of entities, or a width or
// entities outside 1 to PFC_LINEAR_MAX_WIDTH values; -1 = none.
int32_t pfc_sets_invalid(const PfcSetsShape* shape);
// Plain values and features of a row.
int64_t pfc_sets_outputs(const PfcSetsShape* shape);
// PFC_OK, or PFC_INVALID if a set is invalid or a network of that many inputs does not fit the outputs.
PfcStatus pfc_sets_check(const PfcSetsShape* shape, int32_t width);

typedef struct PfcSetNet {
  PfcSet set;
  int32_t first_feature;     // of this set among all features
  int64_t gradient_at;       // in the gradients: A transposed [each, width], a, B [width, width], b
  PfcLinearInfer layers[2];  // A and a, with max(., 0); B and b
  float* weight;             // B
} PfcSetNet;

typedef struct PfcSets {
  bool bfloat16;
  int32_t inputs, outputs, plain, features;
  int32_t num_sets, strip;  // strip: entities that pass the layers together
  int64_t gradient_size;    // floats
  PfcSetNet* nets;
} PfcSets;

// The shape is valid and has at most PFC_LINEAR_MAX_WIDTH outputs. All weights start as zeros. False if there is no
// memory; the sets must be freed then too.
bool pfc_sets_init(PfcSets* sets, bool bfloat16, const PfcSetsShape* shape);
void pfc_sets_free(PfcSets* sets);

// Layers are numbered set by set: 2 i is A and a of set i, 2 i + 1 is B and b.
void pfc_sets_layer_shape(const PfcSets* sets, int32_t layer, int32_t* outputs, int32_t* inputs);
// Copies weight [outputs, inputs] and bias [outputs].
void pfc_sets_set_layer(PfcSets* sets, int32_t layer, const float* weight, const float* bias);

// Scratch memory of one thread for blocks of up to `rows` rows.
typedef struct PfcSetsScratch {
  const float** entities;  // [strip and more]: the entities that pass the layers together
  float* values;          // [strip, each]: their values, where x is bfloat16
  float *a, *b;           // [strip, padded width]
  int32_t* owners;        // [strip, 2]: row and number of an entity
  float* best;            // [rows, features]: the features. It and winners may point to memory that outlives the pass
  int32_t* winners;       // [rows, features]: the entity that has the maximum
  int32_t* slots;         // [rows, width]: where in the strip it is
  int32_t* entity_slots;  // [count / each]: where in the strip an entity of the current row is
} PfcSetsScratch;

uint64_t pfc_sets_scratch_bytes(const PfcSets* sets, int32_t rows);
// memory: pfc_sets_scratch_bytes of them, PFC_ALIGNMENT-aligned.
void pfc_sets_scratch_place(const PfcSets* sets, int32_t rows, void* memory, PfcSetsScratch* scratch);

// Rows of a block: they are number `first` and following in the scratch memory.
typedef struct PfcSetsRows {
  const void* x;   // elements
  int64_t stride;  // of them from row to row
  int32_t first, rows;
} PfcSetsRows;

// outputs: elements [rows, padded outputs].
void pfc_sets_forward(const PfcSets* sets, const PfcSetsScratch* scratch, const PfcSetsRows* rows, void* outputs);
// The same outputs again, given the features in scratch->best.
void pfc_sets_write(const PfcSets* sets, const PfcSetsScratch* scratch, const PfcSetsRows* rows, void* outputs);
// gradient += the gradient of all parameters, from grad [rows, padded outputs] of the outputs. scratch->best and
// scratch->winners are those of the forward pass.
void pfc_sets_backward(const PfcSets* sets, const PfcSetsScratch* scratch, const PfcSetsRows* rows, const float* grad,
                       float* gradient);
// grad_weight [outputs, inputs] and grad_bias [outputs] of a layer <- the sum, in order, of `count` gradients that lie
// `stride` floats apart.
void pfc_sets_sum_gradients(const PfcSets* sets, int32_t layer, const float* gradients, int64_t stride, int32_t count,
                            float* grad_weight, float* grad_bias);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_SETS_H
