// one_hot.c - see one_hot.h. Forward, threads take blocks of rows; backward, slices of the columns, so that each sum of a
// gradient belongs to one thread and needs no copies to be added up.
#include "networks/one_hot.h"

#include <stdatomic.h>
#include <string.h>

#include "core/base.h"
#include "pufferc/env.h"

enum {
  ONE_HOT_BLOCK_ROWS = 64,
  ONE_HOT_SLICE = 32,  // columns: of 64 bytes or more, so that no two threads write to one cache line
  ONE_HOT_TILE = 64,   // columns whose sums stay in registers
  ONE_HOT_BATCH = 256  // cells that are found before they are added up
};

typedef float OneHotLanes __attribute__((vector_size(64), aligned(4), may_alias));

typedef struct OneHotPass {
  PfcOneHot batch;
  const float *table, *bias, *grad_y;
  bool relu;
  float *y, *grad_table, *grad_bias;
  _Atomic int32_t invalid;  // 0 or 1; atomics of one byte need a library on RISC-V
} OneHotPass;

// The next cell from `cell` on whose code is not 0, or `cells`. Eight cells at once where they are empty.
PFC_ALWAYS_INLINE static int32_t one_hot_next(const uint8_t* codes, int32_t cell, int32_t cells) {
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

PFC_ALWAYS_INLINE static void one_hot_add(float* restrict to, const float* restrict from, int32_t count) {
  for (int32_t i = 0; i < count; ++i) to[i] += from[i];
}

// Row of the table for the code of a cell, which is not 0; -1 if the code is too large.
PFC_ALWAYS_INLINE static int64_t one_hot_entry(const PfcOneHot* b, int32_t cell, uint8_t code) {
  const int32_t entry = b->offsets[cell] + code - 1;
  return entry < b->offsets[cell + 1] ? entry : -1;
}

// y [ONE_HOT_TILE columns] += the entries of the table, in order.
PFC_ALWAYS_INLINE static void one_hot_add_tile(float* y, const float* table, int64_t width, const int64_t* entries,
                                               int32_t count) {
  OneHotLanes* to = (OneHotLanes*)(void*)y;
  OneHotLanes a = to[0], b = to[1], c = to[2], d = to[3];
  for (int32_t i = 0; i < count; ++i) {
    const OneHotLanes* from = (const OneHotLanes*)(const void*)(table + entries[i] * width);
    a += from[0], b += from[1], c += from[2], d += from[3];
  }
  to[0] = a, to[1] = b, to[2] = c, to[3] = d;
}

PFC_ALWAYS_INLINE static void one_hot_add_entries(float* y, const float* table, int32_t width, const int64_t* entries,
                                                  int32_t count) {
  int32_t column = 0;
  for (; column + ONE_HOT_TILE <= width; column += ONE_HOT_TILE)
    one_hot_add_tile(y + column, table + column, width, entries, count);
  for (int32_t i = 0; column < width && i < count; ++i)
    one_hot_add(y + column, table + entries[i] * width + column, width - column);
}

PFC_MULTIVERSION static void one_hot_forward_rows(OneHotPass* pass, int64_t begin, int64_t end) {
  const PfcOneHot b = pass->batch;
  int64_t entries[ONE_HOT_BATCH];
  for (int64_t row = begin; row < end; ++row) {
    const uint8_t* codes = b.codes + row * b.cells;
    float* y = pass->y + row * b.width;
    int32_t count = 0;
    memcpy(y, pass->bias, sizeof(float) * (size_t)b.width);
    for (int32_t cell = one_hot_next(codes, 0, b.cells); cell < b.cells;
         cell = one_hot_next(codes, cell + 1, b.cells)) {
      const int64_t entry = one_hot_entry(&b, cell, codes[cell]);
      if (entry < 0)
        atomic_store(&pass->invalid, 1);
      else
        entries[count++] = entry;
      if (count < ONE_HOT_BATCH) continue;
      one_hot_add_entries(y, pass->table, b.width, entries, count);
      count = 0;
    }
    one_hot_add_entries(y, pass->table, b.width, entries, count);
    for (int32_t i = 0; pass->relu && i < b.width; ++i) y[i] = y[i] < 0.0f ? 0.0f : y[i];  // NaN stays
  }
}

PFC_MULTIVERSION static void one_hot_backward_columns(OneHotPass* pass, int32_t begin, int32_t count) {
  const PfcOneHot b = pass->batch;
  for (int64_t entry = 0; entry < b.offsets[b.cells]; ++entry)
    memset(pass->grad_table + entry * b.width + begin, 0, sizeof(float) * (size_t)count);
  memset(pass->grad_bias + begin, 0, sizeof(float) * (size_t)count);
  for (int64_t row = 0; row < b.rows; ++row) {
    const uint8_t* codes = b.codes + row * b.cells;
    const float* grad = pass->grad_y + row * b.width + begin;
    one_hot_add(pass->grad_bias + begin, grad, count);
    for (int32_t cell = one_hot_next(codes, 0, b.cells); cell < b.cells;
         cell = one_hot_next(codes, cell + 1, b.cells)) {
      const int64_t entry = one_hot_entry(&b, cell, codes[cell]);
      if (entry < 0)
        atomic_store(&pass->invalid, 1);
      else
        one_hot_add(pass->grad_table + entry * b.width + begin, grad, count);
    }
  }
}

static void one_hot_forward_block(void* context, int32_t worker, int32_t block) {
  (void)worker;
  OneHotPass* pass = context;
  const int64_t begin = (int64_t)block * ONE_HOT_BLOCK_ROWS;
  one_hot_forward_rows(pass, begin, PFC_MIN(begin + ONE_HOT_BLOCK_ROWS, pass->batch.rows));
}

// Slices of one size, as wide as the number of workers allows: each reads all codes.
static int32_t one_hot_slices(const PfcOneHot* b, const PfcWorkers* workers) {
  const int32_t threads = workers ? pfc_workers_count(workers) : 1;
  return PFC_MAX(1, PFC_MIN(threads, b->width / ONE_HOT_SLICE));
}

typedef struct OneHotBackward {
  OneHotPass pass;
  int32_t slices;
} OneHotBackward;

static void one_hot_backward_slice(void* context, int32_t worker, int32_t slice) {
  (void)worker;
  OneHotBackward* backward = context;
  const int32_t width = backward->pass.batch.width, slices = backward->slices;
  const int32_t share = (width / slices + 15) / 16 * 16;
  const int32_t begin = PFC_MIN(slice * share, width),
                end = slice + 1 == slices ? width : PFC_MIN(begin + share, width);
  if (end > begin) one_hot_backward_columns(&backward->pass, begin, end - begin);
}

static PfcStatus one_hot_status(const OneHotPass* pass) {
  if (!atomic_load(&pass->invalid)) return PFC_OK;
  const PfcOneHot* b = &pass->batch;
  for (int64_t i = 0; i < b->rows * b->cells; ++i) {
    const int32_t cell = (int32_t)(i % b->cells), max_code = b->offsets[cell + 1] - b->offsets[cell];
    if (b->codes[i] > max_code)
      return pfc_fail(PFC_INVALID, "codes: expected 0 to %d, got %d in row %lld, cell %d", max_code, (int)b->codes[i],
                      (long long)(i / b->cells), cell);
  }
  return pfc_fail(PFC_INVALID, "codes: they were changed during the call");
}

PfcStatus pfc_one_hot_forward(const PfcOneHot* batch, const float* table, const float* bias, bool relu, float* y,
                              PfcWorkers* workers) {
  OneHotPass pass = {.batch = *batch, .table = table, .bias = bias, .relu = relu, .y = y};
  const int64_t blocks = (batch->rows + ONE_HOT_BLOCK_ROWS - 1) / ONE_HOT_BLOCK_ROWS;
  if (blocks > INT32_MAX) return pfc_fail(PFC_INVALID, "codes: too many rows, %lld", (long long)batch->rows);
  pfc_parallel_for(workers, one_hot_forward_block, &pass, (int32_t)blocks);
  return one_hot_status(&pass);
}

PfcStatus pfc_one_hot_backward(const PfcOneHot* batch, const float* grad_y, float* grad_table, float* grad_bias,
                               PfcWorkers* workers) {
  OneHotBackward backward = {
      .pass = {.batch = *batch, .grad_y = grad_y, .grad_table = grad_table, .grad_bias = grad_bias},
      .slices = one_hot_slices(batch, workers)};
  pfc_parallel_for(workers, one_hot_backward_slice, &backward, backward.slices);
  return one_hot_status(&backward.pass);
}
