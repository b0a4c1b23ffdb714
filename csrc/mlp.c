// mlp.c - see mlp.h. Chunks go through all layers in blocks of rows that fit a core's cache.
//
// The passes differ from textbook ones in nothing but where numbers lie: elements.h has rows and their pairs, matmul.h
// the products. A layer's weights are packed twice, since forward sums over inputs and backward over outputs.
#include "mlp.h"

#include <stdatomic.h>
#include <string.h>

#include "base.h"
#include "elements.h"
#include "pufferc/env.h"

enum {
  MLP_MAX_CHUNKS = 16,    // each has a copy of the gradients, which are added up at the end
  MLP_MIN_CHUNK_ROWS = 64,  // a few times what handing a chunk over costs
  MLP_BLOCK_ROWS = 128      // activations of a block and the weights stay in a core's second cache
};

typedef struct MlpLayer {
  int32_t inputs, outputs, padded_inputs, padded_outputs;
  int32_t columns;     // of forward: padded_outputs, or more with the remainders
  bool remainders;     // columns [outputs, 2 outputs) have what rounding took from the weights of the first ones
  uint32_t* forward;   // atoms [input steps, columns]
  uint32_t* backward;  // atoms [output steps, padded_inputs]
  float* bias;         // [columns]
  int64_t weight_gradient, bias_gradient;  // where in a chunk's gradients: [outputs, padded_inputs], [padded_outputs]
} MlpLayer;

// What one thread works in. Matrices of MLP_BLOCK_ROWS rows of the widest layer.
typedef struct MlpScratch {
  void *inputs, *outputs;              // elements
  void *input_pairs, *output_pairs;    // atoms
  float* sums;
  char* memory;                        // owned, holds all of them
} MlpScratch;

struct PfcMlp {
  const PfcMatmulKernels* kernels;
  int32_t layers, widest;  // widest: the largest padded width
  int64_t gradient_size;   // floats of one chunk's gradients
  int64_t kept_rows;       // of the activations; 0 = none
  int64_t capacity;        // rows that the activations have memory for
  int32_t lanes;           // that have scratch memory
  float* gradients;        // [MLP_MAX_CHUNKS, gradient_size]
  void* activations[PFC_MLP_MAX_LAYERS];  // elements [capacity, padded_outputs] of each hidden layer
  MlpScratch scratch[PFC_MAX_THREADS];
  MlpLayer layer[PFC_MLP_MAX_LAYERS];
};

// One pass over a batch. Lanes of the team take chunks until none is left.
typedef struct MlpPass {
  PfcMlp* mlp;
  const char* x;
  int64_t rows, chunk_rows;
  int32_t chunks;
  bool keep;
  float* outputs;
  const float* grad_outputs;
  void (*chunk)(struct MlpPass* pass, MlpScratch* scratch, int32_t chunk);
  atomic_int next;
} MlpPass;

static uint64_t mlp_element_bytes(const PfcMlp* mlp) { return mlp->kernels->bfloat16 ? 2 : 4; }

// Atoms along `count` elements.
static int32_t mlp_steps(const PfcMlp* mlp, int32_t count) { return mlp->kernels->bfloat16 ? (count + 1) / 2 : count; }

// ---- making and destroying -----------------------------------------------------------------------------

static bool mlp_make_layer(PfcMlp* mlp, int32_t index, int32_t inputs, int32_t outputs) {
  MlpLayer* layer = &mlp->layer[index];
  layer->inputs = inputs, layer->outputs = outputs;
  layer->padded_inputs = pfc_padded(inputs), layer->padded_outputs = pfc_padded(outputs);
  layer->remainders = mlp->kernels->bfloat16 && index + 1 == mlp->layers;
  layer->columns = pfc_padded(layer->remainders ? 2 * outputs : outputs);
  layer->weight_gradient = mlp->gradient_size;
  layer->bias_gradient = layer->weight_gradient + (int64_t)outputs * layer->padded_inputs;
  mlp->gradient_size = layer->bias_gradient + layer->padded_outputs;
  mlp->widest = PFC_MAX(mlp->widest, PFC_MAX(layer->padded_inputs, layer->columns));
  layer->forward = pfc_alloc(4 * (uint64_t)mlp_steps(mlp, layer->padded_inputs) * (uint64_t)layer->columns);
  layer->backward = pfc_alloc(4 * (uint64_t)mlp_steps(mlp, layer->padded_outputs) * (uint64_t)layer->padded_inputs);
  layer->bias = pfc_alloc(4 * (uint64_t)layer->columns);
  return layer->forward && layer->backward && layer->bias;
}

PfcStatus pfc_mlp_create(const PfcMatmulKernels* kernels, const int32_t* widths, int32_t layers, PfcMlp** mlp) {
  *mlp = NULL;
  if (layers < 1 || layers > PFC_MLP_MAX_LAYERS)
    return pfc_fail(PFC_INVALID, "widths: expected 2 to %d of them, got %d", PFC_MLP_MAX_LAYERS + 1, layers + 1);
  for (int32_t i = 0; i <= layers; ++i)
    if (widths[i] < 1 || widths[i] > PFC_MLP_MAX_WIDTH)
      return pfc_fail(PFC_INVALID, "widths[%d]: expected 1 to %d, got %d", i, PFC_MLP_MAX_WIDTH, widths[i]);
  PfcMlp* made = pfc_alloc(sizeof *made);
  bool complete = made != NULL;
  if (complete) made->kernels = kernels, made->layers = layers;
  for (int32_t i = 0; complete && i < layers; ++i) complete = mlp_make_layer(made, i, widths[i], widths[i + 1]);
  if (!complete) {
    pfc_mlp_destroy(made);
    return pfc_fail(PFC_NO_MEMORY, "there is not enough memory for the network");
  }
  *mlp = made;
  return PFC_OK;
}

void pfc_mlp_destroy(PfcMlp* mlp) {
  if (!mlp) return;
  for (int32_t i = 0; i < mlp->layers; ++i) {
    pfc_free(mlp->layer[i].forward);
    pfc_free(mlp->layer[i].backward);
    pfc_free(mlp->layer[i].bias);
    pfc_free(mlp->activations[i]);
  }
  for (int32_t i = 0; i < mlp->lanes; ++i) pfc_free(mlp->scratch[i].memory);
  pfc_free(mlp->gradients);
  pfc_free(mlp);
}

static bool mlp_make_scratch(const PfcMlp* mlp, MlpScratch* scratch) {
  const uint64_t bytes = 4 * (uint64_t)MLP_BLOCK_ROWS * (uint64_t)mlp->widest;
  char* memory = scratch->memory = pfc_alloc(5 * bytes);
  if (!memory) return false;
  scratch->inputs = memory;
  scratch->outputs = memory + bytes;
  scratch->input_pairs = memory + 2 * bytes;
  scratch->output_pairs = memory + 3 * bytes;
  scratch->sums = (float*)(void*)(memory + 4 * bytes);
  return true;
}

// Memory for a pass of `lanes` threads that keeps the activations of `kept_rows` rows.
static PfcStatus mlp_grow(PfcMlp* mlp, int32_t lanes, int64_t kept_rows) {
  bool made = true;
  for (; made && mlp->lanes < lanes; mlp->lanes += made) made = mlp_make_scratch(mlp, &mlp->scratch[mlp->lanes]);
  if (made && kept_rows > mlp->capacity) {
    mlp->capacity = mlp->kept_rows = 0;
    for (int32_t i = 0; made && i + 1 < mlp->layers; ++i) {
      const uint64_t row_bytes = mlp_element_bytes(mlp) * (uint64_t)mlp->layer[i].padded_outputs;
      pfc_free(mlp->activations[i]);
      mlp->activations[i] = pfc_alloc(row_bytes * (uint64_t)kept_rows);
      made = mlp->activations[i] != NULL;
    }
    if (made) mlp->capacity = kept_rows;
  }
  return made ? PFC_OK : pfc_fail(PFC_NO_MEMORY, "there is not enough memory for a batch of this network");
}

void pfc_mlp_set_layer(PfcMlp* mlp, int32_t index, const float* weight, const float* bias) {
  MlpLayer* layer = &mlp->layer[index];
  const bool bfloat16 = mlp->kernels->bfloat16;
  const int32_t steps = mlp_steps(mlp, layer->padded_inputs), at_once = bfloat16 ? 2 : 1;
  uint32_t rows[PFC_MLP_MAX_WIDTH];
  memcpy(layer->bias, bias, 4 * (size_t)layer->outputs);
  for (int32_t j = 0; j < layer->outputs; j += at_once) {
    const int32_t count = PFC_MIN(at_once, layer->outputs - j);
    pfc_elements_round(weight + (int64_t)j * layer->inputs, layer->inputs, count, layer->inputs, false, bfloat16, rows);
    for (int32_t r = 0; r < count; ++r)
      for (int64_t k = 0; k < steps; ++k) layer->forward[k * layer->columns + j + r] = rows[r * steps + k];
    uint32_t* back = layer->backward + (int64_t)(j / at_once) * layer->padded_inputs;
    if (bfloat16)
      pfc_elements_pair(rows, count, layer->padded_inputs, back);
    else
      memcpy(back, rows, 4 * (size_t)layer->padded_inputs);
  }
  for (int32_t j = 0; layer->remainders && j < layer->outputs; ++j) {
    pfc_elements_remainder(weight + (int64_t)j * layer->inputs, layer->inputs, rows);
    for (int64_t k = 0; k < steps; ++k) layer->forward[k * layer->columns + layer->outputs + j] = rows[k];
  }
}

// ---- passes --------------------------------------------------------------------------------------------

static void mlp_lane(void* context, int32_t lane) {
  MlpPass* pass = context;
  int32_t chunk;
  while ((chunk = atomic_fetch_add(&pass->next, 1)) < pass->chunks)
    pass->chunk(pass, &pass->mlp->scratch[lane], chunk);
}

static PfcStatus mlp_run(MlpPass* pass, PfcTeam* team) {
  PfcMlp* mlp = pass->mlp;
  const int64_t share = (pass->rows + MLP_MAX_CHUNKS - 1) / MLP_MAX_CHUNKS;
  pass->chunk_rows = PFC_MAX(share + share % 2, (int64_t)MLP_MIN_CHUNK_ROWS);
  pass->chunks = (int32_t)((pass->rows + pass->chunk_rows - 1) / pass->chunk_rows);
  const int32_t lanes = PFC_MIN(team ? pfc_team_threads(team) : 1, pass->chunks);
  const PfcStatus status = mlp_grow(mlp, lanes, pass->keep ? pass->rows : 0);
  if (status) return status;
  pfc_team_run(team, mlp_lane, pass, lanes);
  return PFC_OK;
}

// Row `row` of a kept activation.
static void* mlp_kept(const PfcMlp* mlp, int32_t layer, int64_t row) {
  const uint64_t row_bytes = mlp_element_bytes(mlp) * (uint64_t)mlp->layer[layer].padded_outputs;
  return (char*)mlp->activations[layer] + row_bytes * (uint64_t)row;
}

static void mlp_load_inputs(const MlpPass* pass, int64_t row, int32_t count, void* to) {
  const PfcMlp* mlp = pass->mlp;
  const int32_t width = mlp->layer[0].inputs;
  const char* x = pass->x + mlp_element_bytes(mlp) * (uint64_t)width * (uint64_t)row;
  pfc_elements_pad(x, count, width, mlp->kernels->bfloat16, to);
}

static void mlp_forward_block(const MlpPass* pass, MlpScratch* scratch, int64_t row, int32_t count) {
  const PfcMlp* mlp = pass->mlp;
  void *x = scratch->inputs, *spare = scratch->outputs;
  mlp_load_inputs(pass, row, count, x);
  for (int32_t i = 0; i < mlp->layers; ++i) {
    const MlpLayer* layer = &mlp->layer[i];
    pfc_matmul(mlp->kernels, &(PfcMatmul){.a = x, .a_row = mlp_steps(mlp, layer->padded_inputs), .a_step = 1,
                                          .b = layer->forward, .b_step = layer->columns,
                                          .c = scratch->sums, .c_row = layer->columns, .start = layer->bias,
                                          .rows = count, .columns = layer->columns,
                                          .steps = mlp_steps(mlp, layer->inputs)});
    if (i + 1 == mlp->layers) break;
    void* y = pass->keep ? mlp_kept(mlp, i, row) : spare;
    pfc_elements_round(scratch->sums, layer->columns, count, layer->outputs, true, mlp->kernels->bfloat16, y);
    spare = x == spare ? scratch->inputs : x;
    x = y;
  }
  const MlpLayer* last = &mlp->layer[mlp->layers - 1];
  float* outputs = pass->outputs + row * last->outputs;
  for (int32_t r = 0; r < count; ++r, outputs += last->outputs) {
    const float *sums = scratch->sums + (int64_t)r * last->columns, *remainders = sums + last->outputs;
    for (int32_t k = 0; k < last->outputs; ++k) outputs[k] = last->remainders ? sums[k] + remainders[k] : sums[k];
  }
}

static void mlp_forward_chunk(MlpPass* pass, MlpScratch* scratch, int32_t chunk) {
  const int64_t begin = chunk * pass->chunk_rows, end = PFC_MIN(begin + pass->chunk_rows, pass->rows);
  for (int64_t row = begin; row < end; row += MLP_BLOCK_ROWS)
    mlp_forward_block(pass, scratch, row, (int32_t)PFC_MIN(end - row, (int64_t)MLP_BLOCK_ROWS));
}

PfcStatus pfc_mlp_forward(PfcMlp* mlp, const void* x, int64_t rows, bool keep, float* outputs, PfcTeam* team) {
  if (keep) mlp->kept_rows = 0;
  if (rows == 0) return PFC_OK;
  MlpPass pass = {.mlp = mlp, .x = x, .rows = rows, .keep = keep, .outputs = outputs, .chunk = mlp_forward_chunk};
  const PfcStatus status = mlp_run(&pass, team);
  if (!status && keep) mlp->kept_rows = rows;
  return status;
}

// ---- backward ------------------------------------------------------------------------------------------

// gradient [outputs, padded_inputs] += the sum over rows of output gradient times input, both elements.
static void mlp_weight_gradient(const PfcMlp* mlp, const MlpLayer* layer, MlpScratch* scratch, const void* inputs,
                                const void* outputs, int32_t count, float* gradient) {
  if (mlp->kernels->bfloat16) {
    pfc_elements_pair(inputs, count, layer->padded_inputs, scratch->input_pairs);
    pfc_elements_pair(outputs, count, layer->padded_outputs, scratch->output_pairs);
    inputs = scratch->input_pairs, outputs = scratch->output_pairs;
  }
  pfc_matmul(mlp->kernels, &(PfcMatmul){.a = outputs, .a_row = 1, .a_step = layer->padded_outputs,
                                        .b = inputs, .b_step = layer->padded_inputs,
                                        .c = gradient, .c_row = layer->padded_inputs,
                                        .start = gradient, .start_row = layer->padded_inputs,
                                        .rows = layer->outputs, .columns = layer->padded_inputs,
                                        .steps = mlp_steps(mlp, count)});
}

// The gradient of the layer below's outputs: sums <- outputs times weight.
static void mlp_input_gradient(const PfcMlp* mlp, const MlpLayer* layer, const void* outputs, int32_t count,
                               float* sums) {
  pfc_matmul(mlp->kernels, &(PfcMatmul){.a = outputs, .a_row = mlp_steps(mlp, layer->padded_outputs), .a_step = 1,
                                        .b = layer->backward, .b_step = layer->padded_inputs,
                                        .c = sums, .c_row = layer->padded_inputs,
                                        .rows = count, .columns = layer->padded_inputs,
                                        .steps = mlp_steps(mlp, layer->outputs)});
}

static void mlp_backward_block(const MlpPass* pass, MlpScratch* scratch, int64_t row, int32_t count, float* gradients) {
  const PfcMlp* mlp = pass->mlp;
  const bool bfloat16 = mlp->kernels->bfloat16;
  const MlpLayer* layer = &mlp->layer[mlp->layers - 1];
  const float* grad = pass->grad_outputs + row * layer->outputs;
  pfc_elements_round(grad, layer->outputs, count, layer->outputs, false, bfloat16, scratch->outputs);
  for (int32_t r = 0; r < count; ++r)
    for (int32_t k = 0; k < layer->outputs; ++k)
      gradients[layer->bias_gradient + k] += grad[(int64_t)r * layer->outputs + k];
  for (int32_t i = mlp->layers - 1; i > 0; --i, --layer) {
    const void* inputs = mlp_kept(mlp, i - 1, row);
    mlp_weight_gradient(mlp, layer, scratch, inputs, scratch->outputs, count, gradients + layer->weight_gradient);
    mlp_input_gradient(mlp, layer, scratch->outputs, count, scratch->sums);
    pfc_elements_mask(scratch->sums, inputs, count, layer->padded_inputs, bfloat16,
                      gradients + layer[-1].bias_gradient, scratch->outputs);
  }
  mlp_load_inputs(pass, row, count, scratch->inputs);
  mlp_weight_gradient(mlp, layer, scratch, scratch->inputs, scratch->outputs, count,
                      gradients + layer->weight_gradient);
}

static void mlp_backward_chunk(MlpPass* pass, MlpScratch* scratch, int32_t chunk) {
  const int64_t begin = chunk * pass->chunk_rows, end = PFC_MIN(begin + pass->chunk_rows, pass->rows);
  float* gradients = pass->mlp->gradients + chunk * pass->mlp->gradient_size;
  memset(gradients, 0, sizeof(float) * (size_t)pass->mlp->gradient_size);
  for (int64_t row = begin; row < end; row += MLP_BLOCK_ROWS)
    mlp_backward_block(pass, scratch, row, (int32_t)PFC_MIN(end - row, (int64_t)MLP_BLOCK_ROWS), gradients);
}

// to <- the sum over chunks, in order, of the `count` gradients that lie at `at`.
PFC_MULTIVERSION static void mlp_add_chunks(const MlpPass* pass, int64_t at, int32_t count, float* restrict to) {
  const float* restrict from = pass->mlp->gradients + at;
  memcpy(to, from, sizeof(float) * (size_t)count);
  for (int32_t chunk = 1; chunk < pass->chunks; ++chunk) {
    from += pass->mlp->gradient_size;
    for (int32_t i = 0; i < count; ++i) to[i] += from[i];
  }
}

PfcStatus pfc_mlp_backward(PfcMlp* mlp, const void* x, int64_t rows, const float* grad_outputs,
                           float* const* grad_weights, float* const* grad_biases, PfcTeam* team) {
  if (rows < 1 || rows != mlp->kept_rows)
    return pfc_fail(PFC_INVALID, "rows: expected the %lld of the forward pass that kept its activations, got %lld",
                    (long long)mlp->kept_rows, (long long)rows);
  if (!mlp->gradients) mlp->gradients = pfc_alloc(sizeof(float) * MLP_MAX_CHUNKS * (uint64_t)mlp->gradient_size);
  if (!mlp->gradients) return pfc_fail(PFC_NO_MEMORY, "there is not enough memory for the gradients of this network");
  MlpPass pass = {.mlp = mlp, .x = x, .rows = rows, .grad_outputs = grad_outputs, .chunk = mlp_backward_chunk};
  const PfcStatus status = mlp_run(&pass, team);
  if (status) return status;
  for (int32_t i = 0; i < mlp->layers; ++i) {
    const MlpLayer* layer = &mlp->layer[i];
    mlp_add_chunks(&pass, layer->bias_gradient, layer->outputs, grad_biases[i]);
    for (int64_t j = 0; j < layer->outputs; ++j)
      mlp_add_chunks(&pass, layer->weight_gradient + j * layer->padded_inputs, layer->inputs,
                     grad_weights[i] + j * layer->inputs);
  }
  return PFC_OK;
}
