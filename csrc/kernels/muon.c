// muon.c - see muon.h. An iteration has three products. Each is divided into blocks of rows, which workers take.
#include "kernels/muon.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "core/base.h"
#include "networks/elements.h"
#include "pufferc/env.h"

// An iteration multiplies a singular value s by a + b s^2 + c s^4. The coefficients are those of Jordan's Muon, chosen
// for fast growth near zero; singular values end between about 0.7 and 1.2.
#define MUON_A 3.4445f
#define MUON_B (-4.7750f)
#define MUON_C 2.0315f

enum {
  MUON_BLOCK_ROWS = 12,  // a multiple of the tile heights of all kernels, even because rows are paired, and small to
                         // balance the threads
  MUON_LANES = 8
};

// A float matrix with padded rows, and its copies as the two operands of a product. In float32 all three are the same.
typedef struct MuonMatrix {
  float* values;
  void* rows;   // elements
  void* pairs;  // atoms
} MuonMatrix;

struct PfcMuon {
  const PfcMatmulKernels* kernels;
  char* memory;    // owned; holds all matrices
  uint64_t bytes;  // of the memory
};

// One iteration over x [rows, columns], rows >= columns. gram and factor are [columns, columns].
typedef struct MuonPass {
  const PfcMatmulKernels* kernels;
  int32_t rows, columns, padded;
  MuonMatrix x, next, gram, factor;
} MuonPass;

PfcStatus pfc_muon_create(const PfcMatmulKernels* kernels, PfcMuon** muon) {
  *muon = pfc_alloc(sizeof **muon);
  if (!*muon) return pfc_fail(PFC_NO_MEMORY, "there is not enough memory for an optimizer");
  (*muon)->kernels = kernels;
  return PFC_OK;
}

void pfc_muon_destroy(PfcMuon* muon) {
  if (!muon) return;
  pfc_free(muon->memory);
  pfc_free(muon);
}

// ---- memory --------------------------------------------------------------------------------------------

// Takes the next matrix from a block of memory. If memory is NULL, only counts its bytes.
static MuonMatrix muon_take(const PfcMatmulKernels* kernels, int64_t rows, int32_t padded, char* memory,
                            uint64_t* used) {
  const uint64_t floats = 4 * (uint64_t)rows * (uint64_t)padded,
                 pairs = 2 * (uint64_t)(rows + rows % 2) * (uint64_t)padded;
  char* at = memory ? memory + *used : NULL;
  *used += floats;
  MuonMatrix matrix = {.values = (float*)(void*)at, .rows = at, .pairs = at};
  if (!kernels->bfloat16) return matrix;
  matrix.rows = at ? at + floats : NULL;
  matrix.pairs = at ? at + floats + floats / 2 : NULL;
  *used += floats / 2 + pairs;
  return matrix;
}

// Places the matrices of a pass in `memory`, unless it is NULL. Returns the bytes that they need.
static uint64_t muon_lay_out(MuonPass* pass, char* memory) {
  uint64_t used = 0;
  pass->x = muon_take(pass->kernels, pass->rows, pass->padded, memory, &used);
  pass->next = muon_take(pass->kernels, pass->rows, pass->padded, memory, &used);
  pass->gram = muon_take(pass->kernels, pass->columns, pass->padded, memory, &used);
  pass->factor = muon_take(pass->kernels, pass->columns, pass->padded, memory, &used);
  return used;
}

static PfcStatus muon_prepare(PfcMuon* muon, const PfcMuonStep* step, MuonPass* pass) {
  const int64_t larger = PFC_MAX(step->rows, step->columns), smaller = PFC_MIN(step->rows, step->columns);
  if (smaller < 1 || smaller > PFC_MUON_MAX_SIDE || larger > INT32_MAX)
    return pfc_fail(PFC_INVALID, "matrix: expected 1 to %d rows or columns, got shape (%lld, %lld)", PFC_MUON_MAX_SIDE,
                    (long long)step->rows, (long long)step->columns);
  *pass = (MuonPass){.kernels = muon->kernels,
                     .rows = (int32_t)larger,
                     .columns = (int32_t)smaller,
                     .padded = pfc_padded((int32_t)smaller)};
  const uint64_t bytes = muon_lay_out(pass, NULL);
  if (bytes > muon->bytes) {
    char* memory = pfc_alloc(bytes);
    if (!memory) return pfc_fail(PFC_NO_MEMORY, "there is not enough memory to orthogonalise a matrix of this size");
    pfc_free(muon->memory);
    muon->memory = memory, muon->bytes = bytes;
  }
  muon_lay_out(pass, muon->memory);
  return PFC_OK;
}

// ---- products ------------------------------------------------------------------------------------------

static int32_t muon_steps(const MuonPass* pass, int32_t count) {
  return pass->kernels->bfloat16 ? (count + 1) / 2 : count;
}

// Makes the operands of rows [first, first + count) from their values.
static void muon_pack(const MuonPass* pass, const MuonMatrix* matrix, int32_t first, int32_t count) {
  if (!pass->kernels->bfloat16) return;
  const int64_t at = (int64_t)first * pass->padded;
  uint16_t* rows = (uint16_t*)matrix->rows + at;
  pfc_elements_round(matrix->values + at, pass->padded, count, pass->columns, false, true, rows);
  pfc_elements_pair(rows, pass->padded, count, pass->padded, (uint32_t*)matrix->pairs + at / 2);
}

static int32_t muon_count(int32_t rows, int32_t first) { return PFC_MIN(MUON_BLOCK_ROWS, rows - first); }

// Multiplies a block of rows of `left` by `right`, into `to`.
static void muon_multiply(const MuonPass* pass, const MuonMatrix* left, const MuonMatrix* right, const MuonMatrix* to,
                          int32_t first, int32_t count) {
  const int64_t row_atoms = muon_steps(pass, pass->padded);
  pfc_matmul(pass->kernels, &(PfcMatmul){.a = (const uint32_t*)left->rows + first * row_atoms,
                                         .a_row = row_atoms,
                                         .a_step = 1,
                                         .b = right->pairs,
                                         .b_step = pass->padded,
                                         .c = to->values + (int64_t)first * pass->padded,
                                         .c_row = pass->padded,
                                         .rows = count,
                                         .columns = pass->padded,
                                         .steps = muon_steps(pass, pass->columns)});
}

// gram <- x' x
static void muon_gram_block(void* context, int32_t worker, int32_t block) {
  (void)worker;
  const MuonPass* pass = context;
  const int32_t first = block * MUON_BLOCK_ROWS, count = muon_count(pass->columns, first);
  pfc_matmul(pass->kernels, &(PfcMatmul){.a = (const uint32_t*)pass->x.pairs + first,
                                         .a_row = 1,
                                         .a_step = pass->padded,
                                         .b = pass->x.pairs,
                                         .b_step = pass->padded,
                                         .c = pass->gram.values + (int64_t)first * pass->padded,
                                         .c_row = pass->padded,
                                         .rows = count,
                                         .columns = pass->padded,
                                         .steps = muon_steps(pass, pass->rows)});
  muon_pack(pass, &pass->gram, first, count);
}

// factor <- a + b gram + c gram gram
static void muon_factor_block(void* context, int32_t worker, int32_t block) {
  (void)worker;
  const MuonPass* pass = context;
  const int32_t first = block * MUON_BLOCK_ROWS, count = muon_count(pass->columns, first);
  const int64_t at = (int64_t)first * pass->padded, size = (int64_t)count * pass->padded;
  muon_multiply(pass, &pass->gram, &pass->gram, &pass->factor, first, count);
  const float* restrict gram = pass->gram.values + at;
  float* restrict factor = pass->factor.values + at;
  for (int64_t i = 0; i < size; ++i) factor[i] = MUON_C * factor[i] + MUON_B * gram[i];
  for (int64_t i = 0; i < count; ++i) factor[i * pass->padded + first + i] += MUON_A;
  muon_pack(pass, &pass->factor, first, count);
}

// next <- x factor
static void muon_apply_block(void* context, int32_t worker, int32_t block) {
  (void)worker;
  const MuonPass* pass = context;
  const int32_t first = block * MUON_BLOCK_ROWS, count = muon_count(pass->rows, first);
  muon_multiply(pass, &pass->x, &pass->factor, &pass->next, first, count);
  muon_pack(pass, &pass->next, first, count);
}

static int32_t muon_blocks(int32_t rows) { return (rows + MUON_BLOCK_ROWS - 1) / MUON_BLOCK_ROWS; }

static void muon_iterate(MuonPass* pass, PfcWorkers* workers) {
  pfc_parallel_for(workers, muon_gram_block, pass, muon_blocks(pass->columns));
  pfc_parallel_for(workers, muon_factor_block, pass, muon_blocks(pass->columns));
  pfc_parallel_for(workers, muon_apply_block, pass, muon_blocks(pass->rows));
  const MuonMatrix x = pass->x;
  pass->x = pass->next, pass->next = x;
}

// ---- a step --------------------------------------------------------------------------------------------

PFC_ALWAYS_INLINE static float muon_update(float grad, float* average, float momentum) {
  *average = momentum * *average + grad;
  return grad + momentum * *average;
}

// Writes the updates of `count` numbers to update[i * stride] and updates their averages.
PFC_MULTIVERSION static void muon_average(const float* restrict grad, float* restrict average, float momentum,
                                          int64_t count, float* restrict update, int64_t stride) {
  if (stride == 1)
    for (int64_t i = 0; i < count; ++i) update[i] = muon_update(grad[i], &average[i], momentum);
  else
    for (int64_t i = 0; i < count; ++i) update[i * stride] = muon_update(grad[i], &average[i], momentum);
}

PFC_MULTIVERSION static double muon_norm(const float* x, int64_t count) {  // count is a multiple of MUON_LANES
  double lanes[MUON_LANES] = {0}, total = 0;
  for (int64_t i = 0; i < count; i += MUON_LANES)
    for (int32_t k = 0; k < MUON_LANES; ++k) lanes[k] += (double)x[i + k] * (double)x[i + k];
  for (int32_t k = 0; k < MUON_LANES; ++k) total += lanes[k];
  return sqrt(total);
}

PFC_MULTIVERSION static void muon_scale(float* x, int64_t count, float factor) {
  for (int64_t i = 0; i < count; ++i) x[i] *= factor;
}

// Loads the update of a matrix into x, scaled to norm 1. Wide matrices are transposed.
static void muon_load(const MuonPass* pass, const PfcMuonStep* step) {
  const bool wide = step->columns > step->rows;
  const int64_t size = (int64_t)pass->rows * pass->padded;
  float* x = pass->x.values;
  memset(x, 0, 4 * (size_t)size);
  for (int64_t row = 0; row < step->rows; ++row)
    muon_average(step->grad + row * step->columns, step->average + row * step->columns, step->momentum, step->columns,
                 wide ? x + row : x + row * pass->padded, wide ? pass->padded : 1);
  muon_scale(x, size, (float)(1.0 / (muon_norm(x, size) + 1e-12)));
  for (int32_t first = 0; first < pass->rows; first += MUON_BLOCK_ROWS)
    muon_pack(pass, &pass->x, first, muon_count(pass->rows, first));
}

// parameter <- keep parameter - rate update, for `count` numbers.
PFC_MULTIVERSION static void muon_move(float* restrict parameter, const float* restrict update, int64_t stride,
                                       int64_t count, float keep, float rate) {
  if (stride == 1)
    for (int64_t i = 0; i < count; ++i) parameter[i] = keep * parameter[i] - rate * update[i];
  else
    for (int64_t i = 0; i < count; ++i) parameter[i] = keep * parameter[i] - rate * update[i * stride];
}

static void muon_store(const MuonPass* pass, const PfcMuonStep* step) {
  const bool wide = step->columns > step->rows;
  const float* x = pass->x.values;
  const float keep = 1.0f - step->learning_rate * step->weight_decay;
  const float rate = step->learning_rate * (float)sqrt(fmax(1.0, (double)step->rows / (double)step->columns));
  for (int64_t row = 0; row < step->rows; ++row)
    muon_move(step->parameter + row * step->columns, wide ? x + row : x + row * pass->padded, wide ? pass->padded : 1,
              step->columns, keep, rate);
}

static void muon_step_vector(const PfcMuonStep* step) {
  for (int64_t i = 0; i < step->rows; ++i)
    step->parameter[i] -= step->learning_rate * muon_update(step->grad[i], &step->average[i], step->momentum);
}

PfcStatus pfc_muon_step(PfcMuon* muon, const PfcMuonStep* step, PfcWorkers* workers) {
  if (step->columns == 0) {
    muon_step_vector(step);
    return PFC_OK;
  }
  MuonPass pass;
  const PfcStatus status = muon_prepare(muon, step, &pass);
  if (status) return status;
  muon_load(&pass, step);
  for (int32_t i = 0; i < step->iterations; ++i) muon_iterate(&pass, workers);
  muon_store(&pass, step);
  return PFC_OK;
}
