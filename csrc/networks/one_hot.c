// one_hot.c - see one_hot.h. Both passes take a block of rows and one cell at a time, so that the few entries of a cell
// and the block's outputs stay in a core's cache while the whole table does not. Forward, threads take blocks of rows;
// backward, groups of cells, so that each sum of a gradient belongs to one thread and needs no copies to be added up.
#include "networks/one_hot.h"

#include <stdatomic.h>
#include <string.h>

#include "core/base.h"
#include "pufferc/env.h"

enum {
  ONE_HOT_BLOCK_ROWS = 64,
  ONE_HOT_CELLS = 16,  // of one backward task
  ONE_HOT_TILE = 64    // columns that are added at once
};

typedef float OneHotLanes __attribute__((vector_size(64), aligned(4), may_alias));

typedef struct OneHotPass {
  PfcOneHot batch;
  const float *table, *bias, *grad_y;
  bool relu;
  float *y, *grad_table, *grad_bias;
  _Atomic int32_t invalid;  // 0 or 1; atomics of one byte need a library on RISC-V
} OneHotPass;

// A row of a block and the code of its cell, which is not 0.
typedef struct OneHotItem {
  uint16_t row, code;
} OneHotItem;

// Finds the rows of a block, from `row` on, in which a cell is not 0, without a branch for each. Returns their number.
PFC_ALWAYS_INLINE static int32_t one_hot_find(const PfcOneHot* b, int64_t row, int32_t rows, int32_t cell,
                                              OneHotItem* found) {
  const uint8_t* codes = b->codes + row * b->cells + cell;
  int32_t count = 0;
  for (int32_t i = 0; i < rows; ++i) {
    const uint8_t code = codes[(int64_t)i * b->cells];
    found[count] = (OneHotItem){(uint16_t)i, code};
    count += code != 0;
  }
  return count;
}

PFC_ALWAYS_INLINE static void one_hot_add(float* restrict to, const float* restrict from, int32_t count) {
  if (count == ONE_HOT_TILE) {
    OneHotLanes* sums = (OneHotLanes*)(void*)to;
    const OneHotLanes* values = (const OneHotLanes*)(const void*)from;
    for (int32_t i = 0; i < ONE_HOT_TILE / 16; ++i) sums[i] += values[i];
  } else {
    for (int32_t i = 0; i < count; ++i) to[i] += from[i];
  }
}

// Columns [column, column + columns) of y for a block of rows.
PFC_MULTIVERSION static void one_hot_forward_tile(OneHotPass* pass, int64_t row, int32_t rows, int32_t column,
                                                  int32_t columns) {
  const PfcOneHot b = pass->batch;
  OneHotItem found[ONE_HOT_BLOCK_ROWS];
  float* y = pass->y + row * b.width + column;
  for (int32_t i = 0; i < rows; ++i) memcpy(y + i * b.width, pass->bias + column, sizeof(float) * (size_t)columns);
  for (int32_t cell = 0; cell < b.cells; ++cell) {
    const int32_t count = one_hot_find(&b, row, rows, cell, found), first = b.offsets[cell] - 1;
    const int32_t max_code = b.offsets[cell + 1] - b.offsets[cell];
    for (int32_t i = 0; i < count; ++i) {
      if (found[i].code <= max_code)
        one_hot_add(y + found[i].row * b.width, pass->table + (int64_t)(first + found[i].code) * b.width + column,
                    columns);
      else
        atomic_store(&pass->invalid, 1);
    }
  }
  if (!pass->relu) return;
  for (int32_t i = 0; i < rows; ++i)
    for (int32_t j = 0; j < columns; ++j) {
      float* value = &y[i * b.width + j];
      *value = *value < 0.0f ? 0.0f : *value;  // NaN stays
    }
}

static void one_hot_forward_block(void* context, int32_t worker, int32_t block) {
  (void)worker;
  OneHotPass* pass = context;
  const PfcOneHot* b = &pass->batch;
  const int64_t row = (int64_t)block * ONE_HOT_BLOCK_ROWS;
  const int32_t rows = (int32_t)PFC_MIN(b->rows - row, (int64_t)ONE_HOT_BLOCK_ROWS);
  for (int32_t column = 0; column < b->width; column += ONE_HOT_TILE)
    one_hot_forward_tile(pass, row, rows, column, PFC_MIN(b->width - column, ONE_HOT_TILE));
}

// The gradients of the entries of cells [begin, end) in columns [column, column + columns).
PFC_MULTIVERSION static void one_hot_backward_tile(OneHotPass* pass, int32_t begin, int32_t end, int32_t column,
                                                   int32_t columns) {
  const PfcOneHot b = pass->batch;
  OneHotItem found[ONE_HOT_BLOCK_ROWS];
  float* table = pass->grad_table + column;
  for (int64_t entry = b.offsets[begin]; entry < b.offsets[end]; ++entry)
    memset(table + entry * b.width, 0, sizeof(float) * (size_t)columns);
  for (int64_t row = 0; row < b.rows; row += ONE_HOT_BLOCK_ROWS) {
    const int32_t rows = (int32_t)PFC_MIN(b.rows - row, (int64_t)ONE_HOT_BLOCK_ROWS);
    const float* grad = pass->grad_y + row * b.width + column;
    for (int32_t cell = begin; cell < end; ++cell) {
      const int32_t count = one_hot_find(&b, row, rows, cell, found), first = b.offsets[cell] - 1;
      const int32_t max_code = b.offsets[cell + 1] - b.offsets[cell];
      for (int32_t i = 0; i < count; ++i) {
        if (found[i].code <= max_code)
          one_hot_add(table + (int64_t)(first + found[i].code) * b.width, grad + found[i].row * b.width, columns);
        else
          atomic_store(&pass->invalid, 1);
      }
    }
  }
}

// The gradients of the biases in columns [column, column + columns).
PFC_MULTIVERSION static void one_hot_backward_bias(OneHotPass* pass, int32_t column, int32_t columns) {
  const PfcOneHot b = pass->batch;
  memset(pass->grad_bias + column, 0, sizeof(float) * (size_t)columns);
  for (int64_t row = 0; row < b.rows; ++row)
    one_hot_add(pass->grad_bias + column, pass->grad_y + row * b.width + column, columns);
}

static int32_t one_hot_tiles(const PfcOneHot* b) { return (b->width + ONE_HOT_TILE - 1) / ONE_HOT_TILE; }

// Groups of cells, and one group more for the biases.
static int32_t one_hot_groups(const PfcOneHot* b) { return (b->cells + ONE_HOT_CELLS - 1) / ONE_HOT_CELLS + 1; }

static void one_hot_backward_task(void* context, int32_t worker, int32_t task) {
  (void)worker;
  OneHotPass* pass = context;
  const PfcOneHot* b = &pass->batch;
  const int32_t tiles = one_hot_tiles(b), begin = task / tiles * ONE_HOT_CELLS, column = task % tiles * ONE_HOT_TILE;
  const int32_t columns = PFC_MIN(b->width - column, ONE_HOT_TILE);
  if (begin < b->cells)
    one_hot_backward_tile(pass, begin, PFC_MIN(begin + ONE_HOT_CELLS, b->cells), column, columns);
  else
    one_hot_backward_bias(pass, column, columns);
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
  OneHotPass pass = {.batch = *batch, .grad_y = grad_y, .grad_table = grad_table, .grad_bias = grad_bias};
  pfc_parallel_for(workers, one_hot_backward_task, &pass, one_hot_groups(batch) * one_hot_tiles(batch));
  return one_hot_status(&pass);
}
