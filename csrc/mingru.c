// mingru.c - see mingru.h: making a network, what its passes share, and the forward pass.
#include <string.h>

#include "base.h"
#include "elements.h"
#include "mingru_pass.h"
#include "pufferc/env.h"

// ---- making and destroying -----------------------------------------------------------------------------

static bool mingru_make_layer(PfcMinGru* net, int32_t index, int32_t inputs, int32_t outputs) {
  PfcDense* layer = &net->layer[index];
  const bool made = pfc_dense_init(layer, net->kernels, inputs, outputs, index == net->hidden + 2);
  net->gradient_at[index] = net->gradient_size;
  net->gradient_size += layer->gradient_size;
  net->widest = PFC_MAX(net->widest, PFC_MAX(layer->padded_inputs, layer->columns));
  return made;
}

PfcStatus pfc_mingru_create(const PfcMatmulKernels* kernels, const int32_t* widths, int32_t hidden,
                            PfcMinGru** network) {
  *network = NULL;
  if (hidden < 1 || hidden > PFC_MINGRU_MAX_HIDDEN)
    return pfc_fail(PFC_INVALID, "widths: expected 3 to %d of them, got %d", PFC_MINGRU_MAX_HIDDEN + 2, hidden + 2);
  for (int32_t i = 0; i < hidden + 2; ++i)
    if (widths[i] < 1 || widths[i] > PFC_DENSE_MAX_WIDTH)
      return pfc_fail(PFC_INVALID, "widths[%d]: expected 1 to %d, got %d", i, PFC_DENSE_MAX_WIDTH, widths[i]);
  PfcMinGru* made = pfc_alloc(sizeof *made);
  bool complete = made != NULL;
  const int32_t units = widths[hidden];
  if (complete) made->kernels = kernels, made->hidden = hidden, made->units = units, made->padded = pfc_padded(units);
  for (int32_t i = 0; complete && i < hidden; ++i) complete = mingru_make_layer(made, i, widths[i], widths[i + 1]);
  for (int32_t i = 0; complete && i < 2; ++i) complete = mingru_make_layer(made, hidden + i, units, units);
  if (!complete || !mingru_make_layer(made, hidden + 2, units, widths[hidden + 1])) {
    pfc_mingru_destroy(made);
    return pfc_fail(PFC_NO_MEMORY, "there is not enough memory for the network");
  }
  *network = made;
  return PFC_OK;
}

void pfc_mingru_destroy(PfcMinGru* net) {
  if (!net) return;
  for (int32_t i = 0; i < net->hidden + 3; ++i) pfc_dense_free(&net->layer[i]);
  for (int32_t i = 0; i < net->hidden; ++i) pfc_free(net->activations[i]);
  for (int32_t i = 0; i < net->lanes; ++i) pfc_free(net->scratch[i].memory);
  pfc_free(net->updates);
  pfc_free(net->states);
  pfc_free(net->gradients);
  pfc_free(net);
}

static bool mingru_make_scratch(const PfcMinGru* net, MinGruScratch* scratch) {
  const uint64_t bytes = 4 * (uint64_t)MINGRU_BLOCK_ROWS * (uint64_t)net->widest;
  void** const matrices[] = {&scratch->inputs, &scratch->a, &scratch->b};
  float** const floats[] = {&scratch->sums,   &scratch->update, &scratch->candidate,
                            &scratch->states, &scratch->carry,  &scratch->initial};
  char* memory = scratch->memory = pfc_alloc(11 * bytes);
  if (!memory) return false;
  for (int32_t i = 0; i < 3; ++i, memory += bytes) *matrices[i] = memory;
  for (int32_t i = 0; i < 6; ++i, memory += bytes) *floats[i] = (float*)(void*)memory;
  scratch->pairs = (uint32_t*)(void*)memory;
  return true;
}

// What is kept of `rows` steps times rows.
static bool mingru_make_kept(PfcMinGru* net, int64_t rows) {
  bool made = true;
  net->capacity = net->kept_steps = net->kept_rows = 0;
  for (int32_t i = 0; made && i < net->hidden; ++i) {
    const uint64_t row_bytes = pfc_dense_row_bytes(net->kernels, net->layer[i].padded_outputs);
    pfc_free(net->activations[i]);
    net->activations[i] = pfc_alloc(row_bytes * (uint64_t)rows);
    made = net->activations[i] != NULL;
  }
  pfc_free(net->updates);
  pfc_free(net->states);
  net->updates = net->states = NULL;
  if (made) net->updates = pfc_alloc(4 * (uint64_t)net->padded * (uint64_t)rows);
  if (made) net->states = pfc_alloc(4 * (uint64_t)net->padded * (uint64_t)rows);
  if (net->updates && net->states) net->capacity = rows;
  return net->capacity == rows;
}

// Memory for a pass of `lanes` threads that keeps `kept_rows` steps times rows.
static PfcStatus mingru_grow(PfcMinGru* net, int32_t lanes, int64_t kept_rows) {
  bool made = true;
  for (; made && net->lanes < lanes; net->lanes += made) made = mingru_make_scratch(net, &net->scratch[net->lanes]);
  if (made && kept_rows > net->capacity) made = mingru_make_kept(net, kept_rows);
  return made ? PFC_OK : pfc_fail(PFC_NO_MEMORY, "there is not enough memory for a batch of this network");
}

void pfc_mingru_set_layer(PfcMinGru* net, int32_t layer, const float* weight, const float* bias) {
  const int64_t units = net->units;
  if (layer == net->hidden) {
    pfc_dense_set(&net->layer[layer], weight, bias);
    pfc_dense_set(&net->layer[layer + 1], weight + units * units, bias + units);
  } else {
    pfc_dense_set(&net->layer[layer + (layer > net->hidden)], weight, bias);
  }
}

// ---- passes --------------------------------------------------------------------------------------------

static void mingru_chunk(const MinGruPass* pass, MinGruScratch* scratch, int32_t chunk) {
  const int64_t begin = chunk * pass->chunk_rows, end = PFC_MIN(begin + pass->chunk_rows, pass->batch->rows);
  float* gradients = NULL;
  if (pass->grad_outputs) {
    gradients = pass->net->gradients + chunk * pass->net->gradient_size;
    memset(gradients, 0, sizeof(float) * (size_t)pass->net->gradient_size);
  }
  for (int64_t first = begin; first < end; first += MINGRU_BLOCK_ROWS)
    pass->strip(pass, scratch, first, (int32_t)PFC_MIN(end - first, (int64_t)MINGRU_BLOCK_ROWS), gradients);
}

static void mingru_lane(void* context, int32_t lane) {
  MinGruPass* pass = context;
  int32_t chunk;
  while ((chunk = atomic_fetch_add(&pass->next, 1)) < pass->chunks)
    mingru_chunk(pass, &pass->net->scratch[lane], chunk);
}

PfcStatus pfc_mingru_run(MinGruPass* pass, PfcTeam* team) {
  const int64_t rows = pass->batch->rows, share = (rows + MINGRU_MAX_CHUNKS - 1) / MINGRU_MAX_CHUNKS;
  pass->chunk_rows = PFC_MAX(share, (int64_t)MINGRU_MIN_CHUNK_ROWS);
  pass->chunks = (int32_t)((rows + pass->chunk_rows - 1) / pass->chunk_rows);
  const int32_t lanes = PFC_MIN(team ? pfc_team_threads(team) : 1, pass->chunks);
  const PfcStatus status = mingru_grow(pass->net, lanes, pass->keep ? pass->batch->steps * rows : 0);
  if (status) return status;
  pfc_team_run(team, mingru_lane, pass, lanes);
  return PFC_OK;
}

MinGruBlock pfc_mingru_block(const MinGruPass* pass, int64_t first, int32_t count, int64_t step) {
  const int64_t steps = MINGRU_BLOCK_ROWS / count, left = pass->batch->steps - step;
  return (MinGruBlock){.first = first,
                       .step = step,
                       .count = count,
                       .steps = (int32_t)PFC_MIN(steps, left),
                       .kept = first * pass->batch->steps + step * count};
}

void* pfc_mingru_kept(const PfcMinGru* net, int32_t layer, int64_t row) {
  return (char*)net->activations[layer] +
         pfc_dense_row_bytes(net->kernels, net->layer[layer].padded_outputs) * (uint64_t)row;
}

void pfc_mingru_load_inputs(const MinGruPass* pass, const MinGruBlock* block, void* to) {
  const PfcMinGru* net = pass->net;
  const PfcMinGruBatch* batch = pass->batch;
  const PfcDense* layer = &net->layer[0];
  const uint64_t bytes = pfc_dense_row_bytes(net->kernels, 1);
  for (int32_t t = 0; t < block->steps; ++t) {
    const int64_t at = (block->step + t) * batch->x_step + block->first * layer->inputs;
    pfc_elements_pad(
        (const char*)batch->x + bytes * (uint64_t)at, block->count, layer->inputs, net->kernels->bfloat16,
        (char*)to + pfc_dense_row_bytes(net->kernels, layer->padded_inputs) * (uint64_t)(t * block->count));
  }
}

void pfc_mingru_load_states(const PfcMinGru* net, const float* from, int64_t first, int32_t count, float* to) {
  pfc_elements_round(from + first * net->units, net->units, count, net->units, false, false, to);
}

PfcScanStep pfc_mingru_scan_step(const MinGruPass* pass, const MinGruBlock* block, int32_t t, const float* update,
                                 const float* candidate, float* states, const float* before) {
  const int64_t padded = pass->net->padded, at = (int64_t)t * block->count * padded;
  const uint8_t* starts = pass->batch->starts;
  if (starts) starts += (block->step + t) * pass->batch->rows + block->first;
  return (PfcScanStep){.rows = block->count,
                       .units = (int32_t)padded,
                       .pre_stride = padded,
                       .state_stride = padded,
                       .update = update + at,
                       .candidate = candidate + at,
                       .starts = starts,
                       .states = states + at,
                       .previous = t ? states + at - block->count * padded : before};
}

// ---- forward -------------------------------------------------------------------------------------------

// The last hidden layer of a block, wherever it lies.
static const void* mingru_encode(const MinGruPass* pass, MinGruScratch* scratch, const MinGruBlock* block) {
  const PfcMinGru* net = pass->net;
  void *x = scratch->inputs, *spare = scratch->a;
  pfc_mingru_load_inputs(pass, block, x);
  for (int32_t i = 0; i < net->hidden; ++i) {
    const PfcDense* layer = &net->layer[i];
    const int32_t rows = block->steps * block->count;
    void* y = pass->keep ? pfc_mingru_kept(net, i, block->kept) : spare;
    pfc_dense_forward(layer, x, rows, scratch->sums);
    pfc_elements_round(scratch->sums, layer->columns, rows, layer->outputs, true, net->kernels->bfloat16, y);
    spare = x == spare ? scratch->inputs : x;
    x = y;
  }
  return x;
}

static void mingru_write_outputs(const MinGruPass* pass, const MinGruScratch* scratch, const MinGruBlock* block) {
  const PfcDense* layer = &pass->net->layer[pass->net->hidden + 2];
  for (int32_t t = 0; t < block->steps; ++t) {
    const int64_t at = (block->step + t) * pass->batch->rows + block->first;
    pfc_dense_outputs(layer, scratch->sums + (int64_t)t * block->count * layer->columns, block->count,
                      pass->outputs + at * layer->outputs);
  }
}

// scratch->carry: the states before the block, and then after it.
static void mingru_forward_block(const MinGruPass* pass, MinGruScratch* scratch, const MinGruBlock* block) {
  const PfcMinGru* net = pass->net;
  const int32_t rows = block->steps * block->count;
  float* update = pass->keep ? net->updates + block->kept * net->padded : scratch->update;
  float* states = pass->keep ? net->states + block->kept * net->padded : scratch->states;
  const void* x = mingru_encode(pass, scratch, block);
  pfc_dense_forward(&net->layer[net->hidden], x, rows, update);
  pfc_dense_forward(&net->layer[net->hidden + 1], x, rows, scratch->candidate);
  for (int32_t t = 0; t < block->steps; ++t) {
    const PfcScanStep step = pfc_mingru_scan_step(pass, block, t, update, scratch->candidate, states, scratch->carry);
    pfc_scan_step(&step);
  }
  const int64_t strip = (int64_t)block->count * net->padded;
  memcpy(scratch->carry, states + (block->steps - 1) * strip, sizeof(float) * (size_t)strip);
  pfc_elements_add(x, states, rows, net->padded, net->kernels->bfloat16, scratch->b);
  pfc_dense_forward(&net->layer[net->hidden + 2], scratch->b, rows, scratch->sums);
  mingru_write_outputs(pass, scratch, block);
}

static void mingru_forward_strip(const MinGruPass* pass, MinGruScratch* scratch, int64_t first, int32_t count,
                                 float* gradients) {
  (void)gradients;
  const PfcMinGru* net = pass->net;
  pfc_mingru_load_states(net, pass->batch->state, first, count, scratch->carry);
  for (int64_t step = 0; step < pass->batch->steps; step += MINGRU_BLOCK_ROWS / count) {
    const MinGruBlock block = pfc_mingru_block(pass, first, count, step);
    mingru_forward_block(pass, scratch, &block);
  }
  for (int64_t row = 0; row < count; ++row)
    memcpy(pass->next_state + (first + row) * net->units, scratch->carry + row * net->padded,
           sizeof(float) * (size_t)net->units);
}

PfcStatus pfc_mingru_forward(PfcMinGru* net, const PfcMinGruBatch* batch, bool keep, float* outputs, float* next_state,
                             PfcTeam* team) {
  if (keep) net->kept_steps = net->kept_rows = 0;
  if (batch->rows == 0) return PFC_OK;
  MinGruPass pass = {.net = net,
                     .batch = batch,
                     .keep = keep,
                     .outputs = outputs,
                     .next_state = next_state,
                     .strip = mingru_forward_strip};
  const PfcStatus status = pfc_mingru_run(&pass, team);
  if (!status && keep) net->kept_steps = batch->steps, net->kept_rows = batch->rows;
  return status;
}
