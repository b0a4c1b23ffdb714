// sets.c - see sets.h. Present entities of many rows pass the layers together, in matrix products of about two hundred
// rows. Backwards, the first layer of the winners is computed again. A feature's gradient reaches one entity, so it
// takes a few vector operations for each feature and row, not a matrix product.
//
// This file is compiled with -ffp-contract=fast, like the matrix products.
#include "networks/sets.h"

#include <math.h>
#include <string.h>

#include "core/base.h"
#include "networks/elements.h"
#include "pufferc/env.h"

enum {
  SETS_STRIP = 192,  // entities: a multiple of every tile's rows; their activations fit the L2 cache
  SETS_WIDTH = 32    // the default of policy.set_size: loops of this length are unrolled
};

// ---- shape and memory ----------------------------------------------------------------------------------

int32_t pfc_sets_invalid(const PfcSetsShape* shape) {
  int64_t end = 0;
  for (int32_t i = 0; i < shape->num_sets; ++i) {
    const PfcSet* set = &shape->sets[i];
    if (set->first < end || set->each < 1 || set->each > PFC_LINEAR_MAX_WIDTH || set->count < 1 ||
        set->count % set->each != 0 || set->width < 1 || set->width > PFC_LINEAR_MAX_WIDTH)
      return i;
    end = (int64_t)set->first + set->count;
    if (end > shape->inputs) return i;
  }
  return -1;
}

int64_t pfc_sets_outputs(const PfcSetsShape* shape) {
  int64_t outputs = shape->inputs;
  for (int32_t i = 0; i < shape->num_sets; ++i) outputs += shape->sets[i].width - (int64_t)shape->sets[i].count;
  return outputs;
}

PfcStatus pfc_sets_check(const PfcSetsShape* shape, int32_t width) {
  const int32_t invalid = pfc_sets_invalid(shape);
  if (invalid >= 0) {
    const PfcSet* set = &shape->sets[invalid];
    return pfc_fail(PFC_INVALID,
                    "sets[%d]: expected entities of 1 to %d values, sets in order within the %d values of a row, and 1 "
                    "to %d features; got values from %d, %d of them, %d in an entity, %d features",
                    invalid, PFC_LINEAR_MAX_WIDTH, shape->inputs, PFC_LINEAR_MAX_WIDTH, set->first, set->count,
                    set->each, set->width);
  }
  if (pfc_sets_outputs(shape) == width) return PFC_OK;
  return pfc_fail(PFC_INVALID, "widths[0]: expected the %lld outputs of the sets, got %d",
                  (long long)pfc_sets_outputs(shape), width);
}

static bool sets_make_net(PfcSets* sets, const PfcSet* set, PfcSetNet* net) {
  const int64_t width = set->width;
  net->set = *set;
  net->first_feature = sets->features;
  net->gradient_at = sets->gradient_size;
  sets->features += set->width;
  sets->plain -= set->count;
  sets->strip = PFC_MAX(sets->strip, set->width);  // a row has at most as many winners
  sets->gradient_size += width * (set->each + 1 + width + 1);
  const PfcLinearInferKernels* kernels = pfc_linear_infer_kernels(0);
  bool made = pfc_linear_infer_init(&net->layers[0], kernels, set->each, set->width, NULL, NULL, true);
  made = pfc_linear_infer_init(&net->layers[1], kernels, set->width, set->width, NULL, NULL, false) && made;
  net->weight = pfc_alloc(sizeof(float) * (uint64_t)(width * width));
  return made && net->weight;
}

bool pfc_sets_init(PfcSets* sets, bool bfloat16, const PfcSetsShape* shape) {
  PFC_ASSERT(pfc_sets_invalid(shape) < 0 && pfc_sets_outputs(shape) <= PFC_LINEAR_MAX_WIDTH);
  *sets = (PfcSets){.bfloat16 = bfloat16, .inputs = shape->inputs, .plain = shape->inputs, .strip = SETS_STRIP};
  sets->nets = pfc_alloc(sizeof *sets->nets * (uint64_t)shape->num_sets);
  if (!sets->nets) return false;
  sets->num_sets = shape->num_sets;
  bool made = true;
  for (int32_t i = 0; made && i < sets->num_sets; ++i) made = sets_make_net(sets, &shape->sets[i], &sets->nets[i]);
  sets->outputs = sets->plain + sets->features;
  return made;
}

void pfc_sets_free(PfcSets* sets) {
  for (int32_t i = 0; i < sets->num_sets; ++i) {
    pfc_linear_infer_free(&sets->nets[i].layers[0]);
    pfc_linear_infer_free(&sets->nets[i].layers[1]);
    pfc_free(sets->nets[i].weight);
  }
  pfc_free(sets->nets);
}

void pfc_sets_layer_shape(const PfcSets* sets, int32_t layer, int32_t* outputs, int32_t* inputs) {
  const PfcLinearInfer* found = &sets->nets[layer / 2].layers[layer % 2];
  *outputs = found->outputs, *inputs = found->inputs;
}

void pfc_sets_set_layer(PfcSets* sets, int32_t layer, const float* weight, const float* bias) {
  PfcSetNet* net = &sets->nets[layer / 2];
  const uint64_t width = (uint64_t)net->set.width;
  pfc_linear_infer_set(&net->layers[layer % 2], weight, bias);
  if (layer % 2) memcpy(net->weight, weight, sizeof(float) * width * width);
}

// The arrays of the scratch memory.
enum {
  SETS_ENTITIES, SETS_VALUES, SETS_A, SETS_B, SETS_OWNERS, SETS_BEST, SETS_WINNERS, SETS_SLOTS, SETS_ENTITY_SLOTS,
  SETS_ARRAYS
};

// Whole cache lines of each array.
static void sets_sizes(const PfcSets* sets, int32_t rows, uint64_t* bytes) {
  int32_t each = 0, width = 0, entities = 0;
  for (int32_t i = 0; i < sets->num_sets; ++i) {
    const PfcSet* set = &sets->nets[i].set;
    each = PFC_MAX(each, set->each), width = PFC_MAX(width, sets->nets[i].layers[0].padded);
    entities = PFC_MAX(entities, set->count / set->each);
  }
  const uint64_t strip = (uint64_t)sets->strip, all = (uint64_t)rows, number = sizeof(float);
  bytes[SETS_ENTITIES] = (strip + PFC_LINEAR_INFER_ROWS) * sizeof(float*);
  bytes[SETS_VALUES] = sets->bfloat16 ? number * strip * (uint64_t)each : 0;
  bytes[SETS_A] = bytes[SETS_B] = number * strip * (uint64_t)width;
  bytes[SETS_OWNERS] = 2 * number * strip;
  bytes[SETS_BEST] = bytes[SETS_WINNERS] = number * all * (uint64_t)sets->features;
  bytes[SETS_SLOTS] = number * all * (uint64_t)width;
  bytes[SETS_ENTITY_SLOTS] = number * (uint64_t)entities;
  for (int32_t i = 0; i < SETS_ARRAYS; ++i)
    bytes[i] = (bytes[i] + PFC_ALIGNMENT - 1) / PFC_ALIGNMENT * PFC_ALIGNMENT;
}

uint64_t pfc_sets_scratch_bytes(const PfcSets* sets, int32_t rows) {
  uint64_t bytes[SETS_ARRAYS], sum = 0;
  sets_sizes(sets, rows, bytes);
  for (int32_t i = 0; i < SETS_ARRAYS; ++i) sum += bytes[i];
  return sum;
}

void pfc_sets_scratch_place(const PfcSets* sets, int32_t rows, void* memory, PfcSetsScratch* scratch) {
  uint64_t bytes[SETS_ARRAYS];
  void* arrays[SETS_ARRAYS];
  sets_sizes(sets, rows, bytes);
  for (int32_t i = 0; i < SETS_ARRAYS; ++i) arrays[i] = memory, memory = (char*)memory + bytes[i];
  *scratch = (PfcSetsScratch){.entities = arrays[SETS_ENTITIES],
                              .values = arrays[SETS_VALUES],
                              .a = arrays[SETS_A],
                              .b = arrays[SETS_B],
                              .owners = arrays[SETS_OWNERS],
                              .best = arrays[SETS_BEST],
                              .winners = arrays[SETS_WINNERS],
                              .slots = arrays[SETS_SLOTS],
                              .entity_slots = arrays[SETS_ENTITY_SLOTS]};
}

// ---- entities --------------------------------------------------------------------------------------------

static int64_t sets_element_bytes(const PfcSets* sets) { return sets->bfloat16 ? 2 : 4; }

static const char* sets_entity(const PfcSets* sets, const PfcSetsRows* rows, const PfcSet* set, int64_t row,
                               int32_t entity) {
  const int64_t at = row * rows->stride + set->first + (int64_t)entity * set->each;
  return (const char*)rows->x + sets_element_bytes(sets) * at;
}

static bool sets_present(const char* entity, bool bfloat16) {
  uint16_t half;
  float whole;
  memcpy(&half, entity, sizeof half);
  if (bfloat16) return (half & 0x7fff) != 0;
  memcpy(&whole, entity, sizeof whole);
  return whole != 0.0f;
}

// Takes an entity to place `slot` of the strip.
static void sets_take(const PfcSets* sets, const PfcSetsScratch* scratch, const PfcSet* set, const char* entity,
                      int32_t slot) {
  float* values = scratch->values + (int64_t)slot * set->each;
  const uint16_t* halves = (const uint16_t*)(const void*)entity;
  for (int32_t k = 0; sets->bfloat16 && k < set->each; ++k) values[k] = pfc_bits_float((uint32_t)halves[k] << 16);
  scratch->entities[slot] = sets->bfloat16 ? values : (const float*)(const void*)entity;
}

// to [count, padded width] <- max(0, A x + a) of the strip.
static void sets_first_layer(const PfcSetsScratch* scratch, const PfcSetNet* net, int32_t count, float* to) {
  for (int32_t i = 0; i < PFC_LINEAR_INFER_ROWS; ++i) scratch->entities[count + i] = scratch->entities[0];
  pfc_linear_infer_rows(&net->layers[0], scratch->entities, count, to);
}

// ---- forward ---------------------------------------------------------------------------------------------

// Takes the maximum of each feature over `count` entities, whose numbers are in scratch->a. A NaN stays. Compilers
// vectorise these loops better than vector types, whose comparisons GCC lowers to scalars where they are too wide.
PFC_ALWAYS_INLINE static void sets_pool_width(const PfcSetsScratch* scratch, const PfcSetNet* net, int32_t count,
                                              int64_t features, int32_t width) {
  const int64_t stride = net->layers[1].padded;
  for (int32_t i = 0; i < count; ++i) {
    const int64_t at = scratch->owners[2 * i] * features + net->first_feature;
    const int32_t entity = scratch->owners[2 * i + 1];
    const float* restrict y = scratch->a + i * stride;
    float* restrict best = scratch->best + at;
    int32_t* restrict winner = scratch->winners + at;
    for (int32_t j = 0; j < width; ++j) {
      const bool wins = (y[j] > best[j]) | (y[j] != y[j]);
      best[j] = wins ? y[j] : best[j];
      winner[j] = wins ? entity : winner[j];
    }
  }
}

PFC_MULTIVERSION static void sets_pool(const PfcSetsScratch* scratch, const PfcSetNet* net, int32_t count,
                                       int64_t features) {
  if (net->set.width == SETS_WIDTH)
    sets_pool_width(scratch, net, count, features, SETS_WIDTH);
  else
    sets_pool_width(scratch, net, count, features, net->set.width);
}

static void sets_forward_strip(const PfcSets* sets, const PfcSetsScratch* scratch, const PfcSetNet* net,
                               int32_t count) {
  sets_first_layer(scratch, net, count, scratch->b);
  pfc_linear_infer_forward(&net->layers[1], scratch->b, net->layers[0].padded, count, scratch->a);
  sets_pool(scratch, net, count, sets->features);
}

static void sets_forward_set(const PfcSets* sets, const PfcSetsScratch* scratch, const PfcSetNet* net,
                             const PfcSetsRows* rows) {
  const int32_t entities = net->set.count / net->set.each;
  int32_t count = 0;
  for (int32_t row = 0; row < rows->rows; ++row)
    for (int32_t i = 0; i < entities; ++i) {
      const char* entity = sets_entity(sets, rows, &net->set, row, i);
      if (!sets_present(entity, sets->bfloat16)) continue;
      sets_take(sets, scratch, &net->set, entity, count);
      scratch->owners[2 * count] = rows->first + row, scratch->owners[2 * count + 1] = i;
      if (++count < sets->strip) continue;
      sets_forward_strip(sets, scratch, net, count);
      count = 0;
    }
  if (count) sets_forward_strip(sets, scratch, net, count);
}

PFC_MULTIVERSION static void sets_start(float* restrict best, int64_t count) {
  for (int64_t i = 0; i < count; ++i) best[i] = -INFINITY;
}

PFC_MULTIVERSION static void sets_relu(float* restrict best, int64_t count) {
  for (int64_t i = 0; i < count; ++i) best[i] = best[i] < 0.0f ? 0.0f : best[i];  // NaN stays
}

// One row's outputs: plain values, features, padding.
static void sets_write_row(const PfcSets* sets, const char* x, const float* best, char* to) {
  const int64_t size = sets_element_bytes(sets);
  char* const end = to + size * pfc_padded(sets->outputs);
  int32_t from = 0;
  for (int32_t i = 0; i <= sets->num_sets; ++i) {
    const PfcSet* set = i < sets->num_sets ? &sets->nets[i].set : NULL;
    const int32_t plain = (set ? set->first : sets->inputs) - from;
    memcpy(to, x + size * from, (size_t)(size * plain));
    to += size * plain;
    if (set) from = set->first + set->count;
  }
  if (sets->bfloat16)
    pfc_elements_pack(best, sets->features, to);
  else
    memcpy(to, best, (size_t)(size * sets->features));
  to += size * sets->features;
  memset(to, 0, (size_t)(end - to));
}

void pfc_sets_forward(const PfcSets* sets, const PfcSetsScratch* scratch, const PfcSetsRows* rows, void* outputs) {
  float* best = scratch->best + (int64_t)rows->first * sets->features;
  const int64_t count = (int64_t)rows->rows * sets->features;
  sets_start(best, count);
  for (int32_t i = 0; i < sets->num_sets; ++i) sets_forward_set(sets, scratch, &sets->nets[i], rows);
  sets_relu(best, count);
  pfc_sets_write(sets, scratch, rows, outputs);
}

void pfc_sets_write(const PfcSets* sets, const PfcSetsScratch* scratch, const PfcSetsRows* rows, void* outputs) {
  const int64_t size = sets_element_bytes(sets);
  const float* best = scratch->best + (int64_t)rows->first * sets->features;
  for (int64_t row = 0; row < rows->rows; ++row)
    sets_write_row(sets, (const char*)rows->x + size * row * rows->stride, best + row * sets->features,
                   (char*)outputs + size * row * pfc_padded(sets->outputs));
}

// ---- backward --------------------------------------------------------------------------------------------

typedef struct SetsBackward {
  const PfcSets* sets;
  const PfcSetsScratch* scratch;
  const PfcSetNet* net;
  const PfcSetsRows* rows;
  const float* grad;  // of the set's features; rows are grad_stride apart
  int64_t grad_stride;
  float *grad_a_weight, *grad_a_bias, *grad_b_weight, *grad_b_bias;
} SetsBackward;

PFC_ALWAYS_INLINE static void sets_add(float* restrict to, const float* restrict from, float scale, int32_t count) {
  for (int32_t i = 0; i < count; ++i) to[i] += scale * from[i];
}

// Passes the gradients of the features of rows [begin, end) to B and b, and adds up those of the winners' first layer
// in scratch->b. Its outputs are in scratch->a.
PFC_ALWAYS_INLINE static void sets_backward_features(const SetsBackward* pass, int32_t begin, int32_t end,
                                                     int32_t width) {
  const PfcSetsScratch* scratch = pass->scratch;
  const int64_t stride = pass->net->layers[0].padded;
  for (int64_t row = begin; row < end; ++row) {
    const float* grad = pass->grad + row * pass->grad_stride;
    const int32_t* slots = scratch->slots + row * width;
    for (int64_t j = 0; j < width; ++j) {
      if (slots[j] < 0) continue;
      pass->grad_b_bias[j] += grad[j];
      sets_add(pass->grad_b_weight + j * width, scratch->a + slots[j] * stride, grad[j], width);
      sets_add(scratch->b + slots[j] * stride, pass->net->weight + j * width, grad[j], width);
    }
  }
}

// Passes the gradients in scratch->b of `count` entities through max(., 0) to A and a.
PFC_ALWAYS_INLINE static void sets_backward_entities(const SetsBackward* pass, int32_t count, int32_t width) {
  const PfcSetsScratch* scratch = pass->scratch;
  const int32_t each = pass->net->set.each;
  const int64_t stride = pass->net->layers[0].padded;
  for (int64_t i = 0; i < count; ++i) {
    const float* restrict y = scratch->a + i * stride;
    float *restrict grad = scratch->b + i * stride, *restrict bias = pass->grad_a_bias;
    for (int32_t j = 0; j < width; ++j) {
      grad[j] = y[j] <= 0.0f ? 0.0f : grad[j];
      bias[j] += grad[j];
    }
    for (int64_t k = 0; k < each; ++k)
      sets_add(pass->grad_a_weight + k * width, grad, scratch->entities[i][k], width);
  }
}

PFC_MULTIVERSION static void sets_backward_layers(const SetsBackward* pass, int32_t begin, int32_t end, int32_t count) {
  const int32_t width = pass->net->set.width;
  if (width == SETS_WIDTH) {
    sets_backward_features(pass, begin, end, SETS_WIDTH);
    sets_backward_entities(pass, count, SETS_WIDTH);
  } else {
    sets_backward_features(pass, begin, end, width);
    sets_backward_entities(pass, count, width);
  }
}

static void sets_backward_strip(const SetsBackward* pass, int32_t begin, int32_t end, int32_t count) {
  const PfcSetsScratch* scratch = pass->scratch;
  const int64_t numbers = (int64_t)count * pass->net->layers[0].padded;
  sets_first_layer(scratch, pass->net, count, scratch->a);
  memset(scratch->b, 0, sizeof(float) * (size_t)numbers);
  sets_backward_layers(pass, begin, end, count);
}

// Takes the winners of a row to the strip, which has `count` entities, and fills the row's slots: -1 for a feature
// without a gradient. Returns the new count.
static int32_t sets_take_winners(const SetsBackward* pass, int32_t row, int32_t count) {
  const PfcSetsScratch* scratch = pass->scratch;
  const PfcSetNet* net = pass->net;
  const int64_t at = (int64_t)(pass->rows->first + row) * pass->sets->features + net->first_feature;
  const float *best = scratch->best + at, *grad = pass->grad + row * pass->grad_stride;
  const int32_t* winners = scratch->winners + at;
  int32_t *slots = scratch->slots + (int64_t)row * net->set.width, first = count;
  for (int32_t j = 0; j < net->set.width; ++j) {
    slots[j] = -1;
    if (best[j] <= 0.0f || grad[j] == 0.0f) continue;
    int32_t* slot = &scratch->entity_slots[winners[j]];
    if (*slot < first) {  // it is not of this row
      *slot = count++;
      sets_take(pass->sets, scratch, &net->set, sets_entity(pass->sets, pass->rows, &net->set, row, winners[j]), *slot);
    }
    slots[j] = *slot;
  }
  return count;
}

static void sets_backward_set(const SetsBackward* pass) {
  const PfcSet* set = &pass->net->set;
  const size_t entity_slots = sizeof(int32_t) * (size_t)(set->count / set->each);
  for (int32_t row = 0; row < pass->rows->rows;) {
    const int32_t begin = row;
    int32_t count = 0;
    memset(pass->scratch->entity_slots, -1, entity_slots);
    for (; row < pass->rows->rows && count + set->width <= pass->sets->strip; ++row)
      count = sets_take_winners(pass, row, count);
    if (count) sets_backward_strip(pass, begin, row, count);
  }
}

void pfc_sets_backward(const PfcSets* sets, const PfcSetsScratch* scratch, const PfcSetsRows* rows, const float* grad,
                       float* gradient) {
  for (int32_t i = 0; i < sets->num_sets; ++i) {
    const PfcSetNet* net = &sets->nets[i];
    const int64_t width = net->set.width;
    SetsBackward pass = {.sets = sets, .scratch = scratch, .net = net, .rows = rows};
    pass.grad = grad + sets->plain + net->first_feature, pass.grad_stride = pfc_padded(sets->outputs);
    pass.grad_a_weight = gradient + net->gradient_at;
    pass.grad_a_bias = pass.grad_a_weight + net->set.each * width;
    pass.grad_b_weight = pass.grad_a_bias + width;
    pass.grad_b_bias = pass.grad_b_weight + width * width;
    sets_backward_set(&pass);
  }
}

// to [size] <- the sum of `count` vectors that are `stride` floats apart and whose numbers are `step` floats apart.
static void sets_sum(const float* from, int64_t stride, int32_t count, int64_t step, int64_t size, float* to) {
  for (int64_t k = 0; k < size; ++k) {
    to[k] = from[k * step];
    for (int64_t i = 1; i < count; ++i) to[k] += from[i * stride + k * step];
  }
}

void pfc_sets_sum_gradients(const PfcSets* sets, int32_t layer, const float* gradients, int64_t stride, int32_t count,
                            float* grad_weight, float* grad_bias) {
  const PfcSetNet* net = &sets->nets[layer / 2];
  const int64_t width = net->set.width, each = net->set.each;
  const float* from = gradients + net->gradient_at;
  if (layer % 2 == 0) {
    for (int64_t j = 0; j < width; ++j) sets_sum(from + j, stride, count, width, each, grad_weight + j * each);
    sets_sum(from + each * width, stride, count, 1, width, grad_bias);
    return;
  }
  from += (each + 1) * width;
  sets_sum(from, stride, count, 1, width * width, grad_weight);
  sets_sum(from + width * width, stride, count, 1, width, grad_bias);
}
