// scan.c - see scan.h. Plain loops over the units of a row, which compilers vectorise for each instruction set.
#include "networks/scan.h"

#include <stdbool.h>
#include <string.h>

#include "core/base.h"
#include "networks/scan_step.h"
#include "pufferc/env.h"

enum { SCAN_BLOCK_ROWS = 16 };  // of one task, through all steps

PfcStatus pfc_scan_check(const PfcScanArgs* args) {
  const int64_t sizes[] = {args->steps, args->rows, args->units};
  static const char* const names[] = {"steps", "rows", "units"};
  int64_t product = 2 * (int64_t)sizeof(float);
  for (int32_t i = 0; i < 3; ++i)
    if (sizes[i] < 0 || sizes[i] > INT32_MAX || __builtin_mul_overflow(product, PFC_MAX(sizes[i], 1), &product))
      return pfc_fail(PFC_INVALID, "%s: expected 0 to %d, and arrays that fit in memory, got %lld", names[i], INT32_MAX,
                      (long long)sizes[i]);
  return PFC_OK;
}

// ---- one step ------------------------------------------------------------------------------------------

PFC_ALWAYS_INLINE static void scan_row(const float* update, const float* candidate, const float* previous, bool started,
                                       int32_t units, float* states) {
  const float* restrict u = update, * restrict c = candidate, * restrict before = previous;
  float* restrict h = states;
  if (started)
    PFC_INDEPENDENT_LOOP_ for (int32_t i = 0; i < units; ++i) h[i] = pfc_scan_state(u[i], c[i], 0.0f);
  else
    PFC_INDEPENDENT_LOOP_ for (int32_t i = 0; i < units; ++i) h[i] = pfc_scan_state(u[i], c[i], before[i]);
}

PFC_MULTIVERSION static void scan_rows(const PfcScanStep* step) {
  for (int64_t row = 0; row < step->rows; ++row) {
    const int64_t pre = row * step->pre_stride, state = row * step->state_stride;
    scan_row(step->update + pre, step->candidate + pre, step->previous + state, step->starts && step->starts[row],
             step->units, step->states + state);
  }
}

void pfc_scan_step(const PfcScanStep* step) { scan_rows(step); }

// Where `started`, the previous state counts as 0 and gets no gradient.
PFC_ALWAYS_INLINE static void scan_row_backward(const float* update, const float* states, const float* previous,
                                                bool started, int32_t units, const float* grad_states, float* carry,
                                                float* grad_update, float* grad_candidate) {
  const float* restrict u = update, * restrict h = states, * restrict before = previous, * restrict grad = grad_states;
  float* restrict later = carry, * restrict du = grad_update, * restrict dc = grad_candidate;
  if (started)
    PFC_INDEPENDENT_LOOP_ for (int32_t i = 0; i < units; ++i) {
      const PfcScanGradient g = pfc_scan_gradient(u[i], h[i], 0.0f, grad[i] + later[i]);
      du[i] = g.u, dc[i] = g.candidate, later[i] = 0.0f;
    }
  else
    PFC_INDEPENDENT_LOOP_ for (int32_t i = 0; i < units; ++i) {
      const PfcScanGradient g = pfc_scan_gradient(u[i], h[i], before[i], grad[i] + later[i]);
      du[i] = g.u, dc[i] = g.candidate, later[i] = g.previous;
    }
}

PFC_MULTIVERSION static void scan_rows_backward(const PfcScanStep* step, const float* grad_states, float* carry,
                                                float* grad_update, float* grad_candidate) {
  for (int64_t row = 0; row < step->rows; ++row) {
    const int64_t pre = row * step->pre_stride, state = row * step->state_stride;
    scan_row_backward(step->update + pre, step->states + state, step->previous + state,
                      step->starts && step->starts[row], step->units, grad_states + state, carry + state,
                      grad_update + pre, grad_candidate + pre);
  }
}

void pfc_scan_step_backward(const PfcScanStep* step, const float* grad_states, float* carry, float* grad_update,
                            float* grad_candidate) {
  scan_rows_backward(step, grad_states, carry, grad_update, grad_candidate);
}

// ---- all steps -----------------------------------------------------------------------------------------

// Step t of the block's rows.
static PfcScanStep scan_step_of(const PfcScanArgs* args, int64_t t, int32_t block) {
  const int64_t first = (int64_t)block * SCAN_BLOCK_ROWS, at = t * args->rows + first, units = args->units;
  const float* pre = args->pre + at * 2 * units;
  return (PfcScanStep){.rows = (int32_t)PFC_MIN(SCAN_BLOCK_ROWS, args->rows - first),
                       .units = (int32_t)units,
                       .pre_stride = 2 * units,
                       .state_stride = units,
                       .update = pre,
                       .candidate = pre + units,
                       .previous = t ? args->states + (at - args->rows) * units : args->initial + first * units,
                       .starts = args->starts ? args->starts + at : NULL,
                       .states = args->states + at * units};
}

static void scan_block(void* context, int32_t worker, int32_t block) {
  (void)worker;
  const PfcScanArgs* args = context;
  for (int64_t t = 0; t < args->steps; ++t) {
    const PfcScanStep step = scan_step_of(args, t, block);
    scan_rows(&step);
  }
}

static void scan_block_backward(void* context, int32_t worker, int32_t block) {
  (void)worker;
  const PfcScanArgs* args = context;
  PfcScanStep step = scan_step_of(args, 0, block);
  const int64_t units = args->units, first = (int64_t)block * SCAN_BLOCK_ROWS;
  float* carry = args->grad_initial + first * units;
  memset(carry, 0, sizeof(float) * (size_t)(step.rows * units));
  for (int64_t t = args->steps - 1; t >= 0; --t) {
    step = scan_step_of(args, t, block);
    float* grad_pre = args->grad_pre + (t * args->rows + first) * 2 * units;
    scan_rows_backward(&step, args->grad_states + (t * args->rows + first) * units, carry, grad_pre, grad_pre + units);
  }
}

static void scan_run(const PfcScanArgs* args, PfcTask task, PfcWorkers* workers) {
  PfcScanArgs copy = *args;
  pfc_parallel_for(workers, task, &copy, (int32_t)((args->rows + SCAN_BLOCK_ROWS - 1) / SCAN_BLOCK_ROWS));
}

void pfc_scan(const PfcScanArgs* args, PfcWorkers* workers) { scan_run(args, scan_block, workers); }
void pfc_scan_backward(const PfcScanArgs* args, PfcWorkers* workers) { scan_run(args, scan_block_backward, workers); }
