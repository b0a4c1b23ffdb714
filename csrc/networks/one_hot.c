// one_hot.c - see one_hot.h. Forward, threads take blocks of rows; backward, slices of the columns, so that each sum of a
// gradient belongs to one thread and needs no copies to be added up.
#include "networks/one_hot.h"

#include <stdatomic.h>
#include <string.h>

#include "core/base.h"
#include "pufferc/env.h"

enum {
  CODES_BLOCK_ROWS = 64,
  CODES_SLICE = 32,  // columns: of 64 bytes or more, so that no two threads write to one cache line
  CODES_TILE = 64,   // columns whose sums stay in registers
  CODES_BATCH = 256  // cells that are found before they are added up
};

typedef float CodesLanes __attribute__((vector_size(64), aligned(4), may_alias));

typedef struct CodesPass {
  PfcCodes batch;
  const float *table, *bias, *grad_y;
  bool relu;
  float *y, *grad_table, *grad_bias;
  _Atomic int32_t invalid;  // 0 or 1; atomics of one byte need a library on RISC-V
} CodesPass;

// The next cell from `cell` on whose code is not 0, or `cells`. Eight cells at once where they are empty.
PFC_ALWAYS_INLINE static int32_t codes_next(const uint8_t* codes, int32_t cell, int32_t cells) {
  for (; cell + 8 <= cells; cell += 8) {
    uint64_t eight;
    memcpy(&eight, codes + cell, sizeof eight);
    if (eight == 0) continue;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return cell + __builtin_ctzll(eight) / 8;
#else
    break;
#endif
  }
  while (cell < cells && codes[cell] == 0) ++cell;
  return cell;
}

PFC_ALWAYS_INLINE static void codes_add(float* restrict to, const float* restrict from, int32_t count) {
  for (int32_t i = 0; i < count; ++i) to[i] += from[i];
}

// Row of the table for what a cell holds; -1 if the code is too large.
PFC_ALWAYS_INLINE static int64_t codes_entry(const PfcCodes* b, int32_t cell, uint8_t code) {
  return code <= b->choices ? (int64_t)cell * b->choices + code - 1 : -1;
}

// y [CODES_TILE columns] += the entries of the table, in order.
PFC_ALWAYS_INLINE static void codes_add_tile(float* y, const float* table, int64_t width, const int64_t* entries,
                                             int32_t count) {
  CodesLanes* to = (CodesLanes*)(void*)y;
  CodesLanes a = to[0], b = to[1], c = to[2], d = to[3];
  for (int32_t i = 0; i < count; ++i) {
    const CodesLanes* from = (const CodesLanes*)(const void*)(table + entries[i] * width);
    a += from[0], b += from[1], c += from[2], d += from[3];
  }
  to[0] = a, to[1] = b, to[2] = c, to[3] = d;
}

PFC_ALWAYS_INLINE static void codes_add_entries(float* y, const float* table, int32_t width, const int64_t* entries,
                                                int32_t count) {
  int32_t column = 0;
  for (; column + CODES_TILE <= width; column += CODES_TILE)
    codes_add_tile(y + column, table + column, width, entries, count);
  for (int32_t i = 0; column < width && i < count; ++i)
    codes_add(y + column, table + entries[i] * width + column, width - column);
}

PFC_MULTIVERSION static void codes_forward_rows(CodesPass* pass, int64_t begin, int64_t end) {
  const PfcCodes b = pass->batch;
  int64_t entries[CODES_BATCH];
  for (int64_t row = begin; row < end; ++row) {
    const uint8_t* codes = b.codes + row * b.cells;
    float* y = pass->y + row * b.width;
    int32_t count = 0;
    memcpy(y, pass->bias, sizeof(float) * (size_t)b.width);
    for (int32_t cell = codes_next(codes, 0, b.cells); cell < b.cells; cell = codes_next(codes, cell + 1, b.cells)) {
      const int64_t entry = codes_entry(&b, cell, codes[cell]);
      if (entry < 0)
        atomic_store(&pass->invalid, 1);
      else
        entries[count++] = entry;
      if (count < CODES_BATCH) continue;
      codes_add_entries(y, pass->table, b.width, entries, count);
      count = 0;
    }
    codes_add_entries(y, pass->table, b.width, entries, count);
    for (int32_t i = 0; pass->relu && i < b.width; ++i) y[i] = y[i] < 0.0f ? 0.0f : y[i];  // NaN stays
  }
}

PFC_MULTIVERSION static void codes_backward_columns(CodesPass* pass, int32_t begin, int32_t count) {
  const PfcCodes b = pass->batch;
  for (int64_t entry = 0; entry < (int64_t)b.cells * b.choices; ++entry)
    memset(pass->grad_table + entry * b.width + begin, 0, sizeof(float) * (size_t)count);
  memset(pass->grad_bias + begin, 0, sizeof(float) * (size_t)count);
  for (int64_t row = 0; row < b.rows; ++row) {
    const uint8_t* codes = b.codes + row * b.cells;
    const float* grad = pass->grad_y + row * b.width + begin;
    codes_add(pass->grad_bias + begin, grad, count);
    for (int32_t cell = codes_next(codes, 0, b.cells); cell < b.cells; cell = codes_next(codes, cell + 1, b.cells)) {
      const int64_t entry = codes_entry(&b, cell, codes[cell]);
      if (entry < 0)
        atomic_store(&pass->invalid, 1);
      else
        codes_add(pass->grad_table + entry * b.width + begin, grad, count);
    }
  }
}

static void codes_forward_block(void* context, int32_t worker, int32_t block) {
  (void)worker;
  CodesPass* pass = context;
  const int64_t begin = (int64_t)block * CODES_BLOCK_ROWS;
  codes_forward_rows(pass, begin, PFC_MIN(begin + CODES_BLOCK_ROWS, pass->batch.rows));
}

// Slices of one size, as wide as the number of workers allows: each reads all codes.
static int32_t codes_slices(const PfcCodes* b, const PfcWorkers* workers) {
  const int32_t threads = workers ? pfc_workers_count(workers) : 1;
  return PFC_MAX(1, PFC_MIN(threads, b->width / CODES_SLICE));
}

typedef struct CodesBackward {
  CodesPass pass;
  int32_t slices;
} CodesBackward;

static void codes_backward_slice(void* context, int32_t worker, int32_t slice) {
  (void)worker;
  CodesBackward* backward = context;
  const int32_t width = backward->pass.batch.width, slices = backward->slices;
  const int32_t share = (width / slices + 15) / 16 * 16;
  const int32_t begin = PFC_MIN(slice * share, width),
                end = slice + 1 == slices ? width : PFC_MIN(begin + share, width);
  if (end > begin) codes_backward_columns(&backward->pass, begin, end - begin);
}

static PfcStatus codes_status(const CodesPass* pass) {
  if (!atomic_load(&pass->invalid)) return PFC_OK;
  const PfcCodes* b = &pass->batch;
  for (int64_t i = 0; i < b->rows * b->cells; ++i)
    if (b->codes[i] > b->choices)
      return pfc_fail(PFC_INVALID, "codes: expected 0 to %d, got %d in row %lld, cell %d", (int)b->choices,
                      (int)b->codes[i], (long long)(i / b->cells), (int)(i % b->cells));
  return pfc_fail(PFC_INVALID, "codes: expected 0 to %d, they were changed during the call", (int)b->choices);
}

PfcStatus pfc_codes_forward(const PfcCodes* batch, const float* table, const float* bias, bool relu, float* y,
                            PfcWorkers* workers) {
  CodesPass pass = {.batch = *batch, .table = table, .bias = bias, .relu = relu, .y = y};
  const int64_t blocks = (batch->rows + CODES_BLOCK_ROWS - 1) / CODES_BLOCK_ROWS;
  if (blocks > INT32_MAX) return pfc_fail(PFC_INVALID, "codes: too many rows, %lld", (long long)batch->rows);
  pfc_parallel_for(workers, codes_forward_block, &pass, (int32_t)blocks);
  return codes_status(&pass);
}

PfcStatus pfc_codes_backward(const PfcCodes* batch, const float* grad_y, float* grad_table, float* grad_bias,
                             PfcWorkers* workers) {
  CodesBackward backward = {
      .pass = {.batch = *batch, .grad_y = grad_y, .grad_table = grad_table, .grad_bias = grad_bias},
      .slices = codes_slices(batch, workers)};
  pfc_parallel_for(workers, codes_backward_slice, &backward, backward.slices);
  return codes_status(&backward.pass);
}
