// mlp.c - see mlp.h. Chunks go through all layers in blocks of rows that fit a core's cache.
#include "networks/mlp.h"

#include <string.h>

#include "core/base.h"
#include "networks/elements.h"
#include "networks/linear_train.h"
#include "pufferc/env.h"

enum { MLP_MIN_CHUNK_ROWS = 64 };  // work for several times the cost of scheduling a chunk

// Scratch memory of one worker: matrices of PFC_MLP_BLOCK_ROWS rows of the widest layer.
typedef struct MlpScratch {
  void *inputs, *outputs;  // elements
  uint32_t* pairs;         // atoms of two matrices
  float* sums;
  int64_t first_kept;  // first row of the kept activations that belong to this worker in pfc_mlp_learn
  PfcSetsScratch sets;
  char* memory;  // owned, holds all of them
} MlpScratch;

struct PfcMlp {
  const PfcMatmulKernels* kernels;
  PfcSets sets;                             // without any, if observations are the inputs of the first layer
  int32_t inputs;                           // values of an observation
  int32_t layers, widest;                   // widest: the largest padded width
  int64_t gradient_size;                    // floats of one chunk's gradients
  int64_t kept_rows;                        // rows of the activations that backward may use; 0 = none
  int64_t capacity;                         // rows that the activations have memory for
  int32_t workers;                          // that have scratch memory
  float* gradients;                         // [PFC_MLP_MAX_CHUNKS, gradient_size]
  void* activations[PFC_MLP_MAX_LAYERS];    // elements [capacity, padded_outputs] of each hidden layer
  int64_t gradient_at[PFC_MLP_MAX_LAYERS];  // where in a chunk's gradients; those of the sets come last
  MlpScratch scratch[PFC_MAX_THREADS];
  PfcLinearTrain layer[PFC_MLP_MAX_LAYERS];
};

// One pass over a batch; a chunk is one block of work.
typedef struct MlpPass {
  PfcMlp* mlp;
  const char* x;
  int64_t rows, chunk_rows;
  int32_t chunks;
  bool keep;
  const PfcMlpLoss* loss;  // of pfc_mlp_learn, else NULL
  float* outputs;
  const float* grad_outputs;
  void (*chunk)(struct MlpPass* pass, MlpScratch* scratch, int32_t chunk);
} MlpPass;

// ---- making and destroying -----------------------------------------------------------------------------

static bool mlp_make_layer(PfcMlp* mlp, int32_t index, int32_t inputs, int32_t outputs) {
  PfcLinearTrain* layer = &mlp->layer[index];
  const bool made = pfc_linear_train_init(layer, mlp->kernels, inputs, outputs, index + 1 == mlp->layers);
  mlp->gradient_at[index] = mlp->gradient_size;
  mlp->gradient_size += layer->gradient_size;
  mlp->widest = PFC_MAX(mlp->widest, PFC_MAX(layer->padded_inputs, layer->columns));
  return made;
}

PfcStatus pfc_mlp_create(const PfcMatmulKernels* kernels, const PfcSetsShape* sets, const int32_t* widths,
                         int32_t layers, PfcMlp** mlp) {
  *mlp = NULL;
  if (layers < 1 || layers > PFC_MLP_MAX_LAYERS)
    return pfc_fail(PFC_INVALID, "widths: expected 2 to %d of them, got %d", PFC_MLP_MAX_LAYERS + 1, layers + 1);
  for (int32_t i = 0; i <= layers; ++i)
    if (widths[i] < 1 || widths[i] > PFC_MLP_MAX_WIDTH)
      return pfc_fail(PFC_INVALID, "widths[%d]: expected 1 to %d, got %d", i, PFC_MLP_MAX_WIDTH, widths[i]);
  const PfcStatus status = sets ? pfc_sets_check(sets, widths[0]) : PFC_OK;
  if (status) return status;
  PfcMlp* made = pfc_alloc(sizeof *made);
  bool complete = made != NULL;
  if (complete) made->kernels = kernels, made->layers = layers, made->inputs = sets ? sets->inputs : widths[0];
  if (complete && sets) complete = pfc_sets_init(&made->sets, kernels->bfloat16, sets);
  for (int32_t i = 0; complete && i < layers; ++i) complete = mlp_make_layer(made, i, widths[i], widths[i + 1]);
  if (complete) made->gradient_size += made->sets.gradient_size;
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
    pfc_linear_train_free(&mlp->layer[i]);
    pfc_free(mlp->activations[i]);
  }
  for (int32_t i = 0; i < mlp->workers; ++i) pfc_free(mlp->scratch[i].memory);
  pfc_sets_free(&mlp->sets);
  pfc_free(mlp->gradients);
  pfc_free(mlp);
}

static bool mlp_make_scratch(const PfcMlp* mlp, MlpScratch* scratch) {
  const uint64_t bytes = 4 * (uint64_t)PFC_MLP_BLOCK_ROWS * (uint64_t)mlp->widest;
  char* memory = scratch->memory = pfc_alloc(5 * bytes + pfc_sets_scratch_bytes(&mlp->sets, PFC_MLP_BLOCK_ROWS));
  if (!memory) return false;
  scratch->inputs = memory;
  scratch->outputs = memory + bytes;
  scratch->pairs = (uint32_t*)(void*)(memory + 2 * bytes);
  scratch->sums = (float*)(void*)(memory + 4 * bytes);
  pfc_sets_scratch_place(&mlp->sets, PFC_MLP_BLOCK_ROWS, memory + 5 * bytes, &scratch->sets);
  scratch->first_kept = (scratch - mlp->scratch) * PFC_MLP_BLOCK_ROWS;
  return true;
}

// Memory for a pass by `workers` threads that keeps the activations of `kept_rows` rows.
static PfcStatus mlp_grow(PfcMlp* mlp, int32_t workers, int64_t kept_rows) {
  bool made = true;
  for (; made && mlp->workers < workers; mlp->workers += made)
    made = mlp_make_scratch(mlp, &mlp->scratch[mlp->workers]);
  if (made && kept_rows > mlp->capacity) {
    mlp->capacity = mlp->kept_rows = 0;
    for (int32_t i = 0; made && i + 1 < mlp->layers; ++i) {
      const uint64_t row_bytes = pfc_linear_train_row_bytes(mlp->kernels, mlp->layer[i].padded_outputs);
      pfc_free(mlp->activations[i]);
      mlp->activations[i] = pfc_alloc(row_bytes * (uint64_t)kept_rows);
      made = mlp->activations[i] != NULL;
    }
    if (made) mlp->capacity = kept_rows;
  }
  return made ? PFC_OK : pfc_fail(PFC_NO_MEMORY, "there is not enough memory for a batch of this network");
}

// Layers of the sets, which come first.
static int32_t mlp_set_layers(const PfcMlp* mlp) { return 2 * mlp->sets.num_sets; }

int32_t pfc_mlp_layers(const PfcMlp* mlp) { return mlp_set_layers(mlp) + mlp->layers; }

void pfc_mlp_layer_shape(const PfcMlp* mlp, int32_t index, int32_t* outputs, int32_t* inputs) {
  const int32_t first = mlp_set_layers(mlp);
  if (index < first)
    pfc_sets_layer_shape(&mlp->sets, index, outputs, inputs);
  else
    *outputs = mlp->layer[index - first].outputs, *inputs = mlp->layer[index - first].inputs;
}

void pfc_mlp_set_layer(PfcMlp* mlp, int32_t index, const float* weight, const float* bias) {
  const int32_t first = mlp_set_layers(mlp);
  if (index < first)
    pfc_sets_set_layer(&mlp->sets, index, weight, bias);
  else
    pfc_linear_train_set(&mlp->layer[index - first], weight, bias);
}

// ---- passes --------------------------------------------------------------------------------------------

static void mlp_task(void* context, int32_t worker, int32_t chunk) {
  MlpPass* pass = context;
  pass->chunk(pass, &pass->mlp->scratch[worker], chunk);
}

static PfcStatus mlp_run(MlpPass* pass, PfcWorkers* workers) {
  PfcMlp* mlp = pass->mlp;
  const int64_t share = (pass->rows + PFC_MLP_MAX_CHUNKS - 1) / PFC_MLP_MAX_CHUNKS;
  pass->chunk_rows = PFC_MAX(share + share % 2, (int64_t)MLP_MIN_CHUNK_ROWS);
  pass->chunks = (int32_t)((pass->rows + pass->chunk_rows - 1) / pass->chunk_rows);
  const int32_t count = pfc_workers_count(workers);
  const int64_t kept_rows = pass->loss ? (int64_t)count * PFC_MLP_BLOCK_ROWS : pass->keep ? pass->rows : 0;
  const PfcStatus status = mlp_grow(mlp, count, kept_rows);
  if (status) return status;
  pfc_parallel_for(workers, mlp_task, pass, pass->chunks);
  return PFC_OK;
}

// Row `row` of a kept activation.
static void* mlp_kept(const PfcMlp* mlp, int32_t layer, int64_t row) {
  return (char*)mlp->activations[layer] +
         pfc_linear_train_row_bytes(mlp->kernels, mlp->layer[layer].padded_outputs) * (uint64_t)row;
}

static PfcSetsRows mlp_rows(const MlpPass* pass, int64_t row, int32_t count) {
  const PfcMlp* mlp = pass->mlp;
  return (PfcSetsRows){.x = pass->x + pfc_linear_train_row_bytes(mlp->kernels, mlp->inputs) * (uint64_t)row,
                       .stride = mlp->inputs,
                       .rows = count};
}

// The inputs of a block: the caller's; or in scratch->inputs a padded copy or what the sets make of them, which is
// written if `load` is set.
static PfcLinearTrainRows mlp_inputs(const MlpPass* pass, MlpScratch* scratch, int64_t row, int32_t count, bool load) {
  const PfcMlp* mlp = pass->mlp;
  const PfcLinearTrain* layer = &mlp->layer[0];
  const PfcSetsRows rows = mlp_rows(pass, row, count);
  const void* x = rows.x;
  if (mlp->sets.num_sets) {
    if (load) pfc_sets_forward(&mlp->sets, &scratch->sets, &rows, scratch->inputs);
    return pfc_linear_train_padded(layer, scratch->inputs);
  }
  if (pfc_linear_train_takes_plain(layer)) return (PfcLinearTrainRows){x, layer->inputs};
  if (load) pfc_elements_pad(x, count, layer->inputs, mlp->kernels->bfloat16, scratch->inputs);
  return pfc_linear_train_padded(layer, scratch->inputs);
}

static void mlp_forward_block(const MlpPass* pass, MlpScratch* scratch, int64_t row, int32_t count) {
  const PfcMlp* mlp = pass->mlp;
  PfcLinearTrainRows x = mlp_inputs(pass, scratch, row, count, true);
  void *spare = scratch->outputs, *other = scratch->inputs;
  for (int32_t i = 0; i < mlp->layers; ++i) {
    const PfcLinearTrain* layer = &mlp->layer[i];
    pfc_linear_train_forward(layer, x, count, false, scratch->sums);
    if (i + 1 == mlp->layers) break;
    void* y = pass->keep ? mlp_kept(mlp, i, pass->loss ? scratch->first_kept : row) : spare;
    pfc_elements_round(scratch->sums, layer->columns, count, layer->outputs, true, mlp->kernels->bfloat16, y);
    if (y == spare) spare = other, other = y;
    x = pfc_linear_train_padded(layer + 1, y);
  }
  const PfcLinearTrain* last = &mlp->layer[mlp->layers - 1];
  pfc_linear_train_outputs(last, scratch->sums, count, pass->outputs + row * last->outputs);
}

static void mlp_forward_chunk(MlpPass* pass, MlpScratch* scratch, int32_t chunk) {
  const int64_t begin = chunk * pass->chunk_rows, end = PFC_MIN(begin + pass->chunk_rows, pass->rows);
  for (int64_t row = begin; row < end; row += PFC_MLP_BLOCK_ROWS)
    mlp_forward_block(pass, scratch, row, (int32_t)PFC_MIN(end - row, (int64_t)PFC_MLP_BLOCK_ROWS));
}

PfcStatus pfc_mlp_forward(PfcMlp* mlp, const void* x, int64_t rows, bool keep, float* outputs, PfcWorkers* workers) {
  if (keep) mlp->kept_rows = 0;
  if (rows == 0) return PFC_OK;
  MlpPass pass = {.mlp = mlp, .x = x, .rows = rows, .keep = keep, .outputs = outputs, .chunk = mlp_forward_chunk};
  const PfcStatus status = mlp_run(&pass, workers);
  if (!status && keep) mlp->kept_rows = rows;
  return status;
}

PfcStatus pfc_mlp_reserve(PfcMlp* mlp, int32_t workers) { return mlp_grow(mlp, workers, 0); }

void pfc_mlp_forward_block(PfcMlp* mlp, int32_t worker, const void* x, int32_t rows, float* outputs) {
  PFC_ASSERT(worker < mlp->workers && rows <= PFC_MLP_BLOCK_ROWS);
  const MlpPass pass = {.mlp = mlp, .x = x, .rows = rows, .outputs = outputs};
  mlp_forward_block(&pass, &mlp->scratch[worker], 0, rows);
}

PfcMlpShape pfc_mlp_shape(const PfcMlp* mlp) {
  return (PfcMlpShape){mlp->inputs, mlp->layer[mlp->layers - 1].outputs, mlp->kernels->bfloat16};
}

// ---- backward ------------------------------------------------------------------------------------------

static int64_t mlp_sets_gradient_at(const PfcMlp* mlp) { return mlp->gradient_size - mlp->sets.gradient_size; }

static void mlp_backward_block(const MlpPass* pass, MlpScratch* scratch, int64_t row, int32_t count, float* gradients) {
  const PfcMlp* mlp = pass->mlp;
  const bool bfloat16 = mlp->kernels->bfloat16;
  const int32_t last = mlp->layers - 1, outputs = mlp->layer[last].outputs;
  const float* grad = pass->grad_outputs + row * outputs;
  pfc_elements_round(grad, outputs, count, outputs, false, bfloat16, scratch->outputs);
  pfc_elements_add_rows(grad, outputs, count, outputs,
                        pfc_linear_train_bias(&mlp->layer[last], gradients + mlp->gradient_at[last]));
  for (int32_t i = last; i > 0; --i) {
    const PfcLinearTrain* layer = &mlp->layer[i];
    const void* inputs = mlp_kept(mlp, i - 1, pass->loss ? scratch->first_kept : row);
    pfc_linear_train_weight_gradient(layer, pfc_linear_train_padded(layer, inputs), scratch->outputs, count,
                                     scratch->pairs, gradients + mlp->gradient_at[i]);
    pfc_linear_train_input_gradient(layer, scratch->outputs, count, 0, false, scratch->sums);
    pfc_elements_mask(scratch->sums, inputs, count, layer->padded_inputs, bfloat16,
                      pfc_linear_train_bias(layer - 1, gradients + mlp->gradient_at[i - 1]), scratch->outputs);
  }
  const PfcLinearTrainRows x =
      mlp_inputs(pass, scratch, row, count, !pass->loss);  // pfc_mlp_learn has loaded them already
  pfc_linear_train_weight_gradient(&mlp->layer[0], x, scratch->outputs, count, scratch->pairs, gradients);
  if (!mlp->sets.num_sets) return;
  const PfcSetsRows rows = mlp_rows(pass, row, count);
  pfc_linear_train_input_gradient(&mlp->layer[0], scratch->outputs, count, mlp->sets.plain, false, scratch->sums);
  pfc_sets_backward(&mlp->sets, &scratch->sets, &rows, scratch->sums, gradients + mlp_sets_gradient_at(mlp));
}

static void mlp_backward_chunk(MlpPass* pass, MlpScratch* scratch, int32_t chunk) {
  const int64_t begin = chunk * pass->chunk_rows, end = PFC_MIN(begin + pass->chunk_rows, pass->rows);
  float* gradients = pass->mlp->gradients + chunk * pass->mlp->gradient_size;
  memset(gradients, 0, sizeof(float) * (size_t)pass->mlp->gradient_size);
  for (int64_t row = begin; row < end; row += PFC_MLP_BLOCK_ROWS) {
    const int32_t count = (int32_t)PFC_MIN(end - row, (int64_t)PFC_MLP_BLOCK_ROWS);
    if (pass->loss) {
      mlp_forward_block(pass, scratch, row, count);
      const PfcMlpBlock block = {(int32_t)(scratch - pass->mlp->scratch), chunk, row, row + count};
      pass->loss->rows(pass->loss->context, &block);
    }
    mlp_backward_block(pass, scratch, row, count, gradients);
  }
}

// Runs a pass with gradients and adds up the gradients of its chunks.
static PfcStatus mlp_run_backward(MlpPass* pass, float* const* grad_weights, float* const* grad_biases,
                                  PfcWorkers* workers) {
  PfcMlp* mlp = pass->mlp;
  if (!mlp->gradients) mlp->gradients = pfc_alloc(sizeof(float) * PFC_MLP_MAX_CHUNKS * (uint64_t)mlp->gradient_size);
  if (!mlp->gradients) return pfc_fail(PFC_NO_MEMORY, "there is not enough memory for the gradients of this network");
  const PfcStatus status = mlp_run(pass, workers);
  if (status) return status;
  const int32_t first = mlp_set_layers(mlp);
  for (int32_t i = 0; i < first; ++i)
    pfc_sets_sum_gradients(&mlp->sets, i, mlp->gradients + mlp_sets_gradient_at(mlp), mlp->gradient_size, pass->chunks,
                           grad_weights[i], grad_biases[i]);
  for (int32_t i = 0; i < mlp->layers; ++i)
    pfc_linear_train_sum_gradients(&mlp->layer[i], mlp->gradients + mlp->gradient_at[i], mlp->gradient_size,
                                   pass->chunks, grad_weights[first + i], grad_biases[first + i]);
  return PFC_OK;
}

PfcStatus pfc_mlp_backward(PfcMlp* mlp, const void* x, int64_t rows, const float* grad_outputs,
                           float* const* grad_weights, float* const* grad_biases, PfcWorkers* workers) {
  if (rows < 1 || rows != mlp->kept_rows)
    return pfc_fail(PFC_INVALID, "rows: expected the %lld of the forward pass that kept its activations, got %lld",
                    (long long)mlp->kept_rows, (long long)rows);
  MlpPass pass = {.mlp = mlp, .x = x, .rows = rows, .grad_outputs = grad_outputs, .chunk = mlp_backward_chunk};
  return mlp_run_backward(&pass, grad_weights, grad_biases, workers);
}

PfcStatus pfc_mlp_learn(PfcMlp* mlp, const void* x, int64_t rows, const PfcMlpLoss* loss, float* outputs,
                        const float* grad_outputs, float* const* grad_weights, float* const* grad_biases,
                        PfcWorkers* workers) {
  if (rows < 1) return pfc_fail(PFC_INVALID, "rows: expected at least 1, got %lld", (long long)rows);
  mlp->kept_rows = 0;
  MlpPass pass = {.mlp = mlp,
                  .x = x,
                  .rows = rows,
                  .keep = true,
                  .loss = loss,
                  .outputs = outputs,
                  .grad_outputs = grad_outputs,
                  .chunk = mlp_backward_chunk};
  return mlp_run_backward(&pass, grad_weights, grad_biases, workers);
}
