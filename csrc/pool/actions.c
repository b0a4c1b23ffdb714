// actions.c - checks and copies actions, so that the caller cannot change them during a step.
#include "pool/pool.h"

typedef struct ActionCheck {
  int64_t values;  // rows * action_dims
  int32_t dims;
  const int32_t* counts;  // [dims]
} ActionCheck;

// Copies values and returns whether all are choices. The loop has no early exit, so that it vectorises.
PFC_MULTIVERSION static bool copy_int32(const int32_t* from, int32_t* to, int64_t values, int32_t count) {
  int32_t bad = 0;
  for (int64_t i = 0; i < values; ++i) {
    bad |= (uint32_t)from[i] >= (uint32_t)count;
    to[i] = from[i];
  }
  return !bad;
}

PFC_MULTIVERSION static bool copy_int64(const int64_t* from, int32_t* to, int64_t values, int32_t count) {
  int64_t bad = 0;
  for (int64_t i = 0; i < values; ++i) {
    bad |= (uint64_t)from[i] >= (uint64_t)count;
    to[i] = (int32_t)from[i];
  }
  return !bad;
}

PFC_MULTIVERSION static bool copy_controls(const float* from, float* to, int64_t values) {
  uint32_t bad = 0;
  for (int64_t i = 0; i < values; ++i) {
    bad |= !pfc_is_finite(from[i]);
    to[i] = pfc_clampf(from[i], -1.0f, 1.0f);
  }
  return !bad;
}

// For several dimensions, each with its own number of choices.
static bool copy_mixed(const void* actions, PfcDtype dtype, int32_t* to, const ActionCheck* check) {
  bool good = true;
  for (int64_t i = 0; i < check->values; ++i) {
    int64_t value = dtype == PFC_INT64 ? ((const int64_t*)actions)[i] : ((const int32_t*)actions)[i];
    good &= (uint64_t)value < (uint64_t)check->counts[i % check->dims];
    to[i] = (int32_t)value;
  }
  return good;
}

// Finds the bad value. Rows that wait for a reset may have any: they get choice 0, which no game sees.
static PfcStatus find_bad_choice(PfcPool* pool, const void* actions, PfcDtype dtype, int64_t first_row,
                                 const ActionCheck* check) {
  bool found = false;
  for (int64_t i = 0; i < check->values; ++i) {
    int64_t value = dtype == PFC_INT64 ? ((const int64_t*)actions)[i] : ((const int32_t*)actions)[i];
    int32_t count = check->counts[i % check->dims];
    if ((uint64_t)value < (uint64_t)count) continue;
    int64_t row = first_row + i / check->dims;
    if (pool->games.stopped[row]) {
      ((int32_t*)pool->games.actions)[first_row * check->dims + i] = 0;
      found = true;
      continue;
    }
    if (check->dims == 1)
      return pfc_fail(PFC_INVALID, "actions: row %lld is %lld, expected an integer in [0, %d)", (long long)row,
                      (long long)value, count);
    return pfc_fail(PFC_INVALID, "actions: row %lld, dimension %lld is %lld, expected an integer in [0, %d)",
                    (long long)row, (long long)(i % check->dims), (long long)value, count);
  }
  // Else another thread changed the caller's array between the copy and this check.
  return found ? PFC_OK : pfc_fail(PFC_INVALID, "actions: changed while they were read");
}

// The same for controls.
static PfcStatus find_bad_control(PfcPool* pool, const float* actions, int64_t first_row, const ActionCheck* check) {
  bool found = false;
  for (int64_t i = 0; i < check->values; ++i) {
    if (pfc_is_finite(actions[i])) continue;
    int64_t row = first_row + i / check->dims;
    if (!pool->games.stopped[row])
      return pfc_fail(PFC_INVALID, "actions: row %lld, dimension %lld is %f, expected a finite number in [-1, 1]",
                      (long long)row, (long long)(i % check->dims), (double)actions[i]);
    ((float*)pool->games.actions)[first_row * check->dims + i] = 0.0f;
    found = true;
  }
  return found ? PFC_OK : pfc_fail(PFC_INVALID, "actions: changed while they were read");
}

// A choice in rows [first_row, first_row + rows) that the mask forbids.
static PfcStatus check_legal(const PfcPool* pool, int64_t first_row, int64_t rows) {
  const PfcBuffers* b = &pool->buffers;
  const int32_t* actions = (const int32_t*)pool->games.actions;
  for (int64_t row = first_row; row < first_row + rows; ++row) {
    const uint32_t* mask = pool->games.action_mask + row * b->mask_words;
    int32_t first_choice = 0;
    for (int32_t d = 0; d < b->action_dims; ++d) {
      const int32_t choice = actions[row * b->action_dims + d];
      if (!pfc_mask_allows(mask, first_choice + choice))
        return pfc_fail(PFC_INVALID, "actions: row %lld, dimension %d: choice %d is not legal now; see action_mask",
                        (long long)row, d, choice);
      first_choice += b->action_counts[d];
    }
  }
  return PFC_OK;
}

PfcStatus pfc_copy_actions(PfcPool* pool, int64_t first_row, int64_t rows, const void* actions, PfcDtype dtype) {
  const PfcBuffers* b = &pool->buffers;
  const ActionCheck check = {rows * b->action_dims, b->action_dims, b->action_counts};
  const int64_t offset = first_row * b->action_dims;
  if (!actions) return pfc_fail(PFC_INVALID, "actions: expected an array, got NULL");
  if (!b->discrete) {
    if (dtype != PFC_FLOAT32) return pfc_fail(PFC_INVALID, "actions: expected float32 for this continuous game");
    return copy_controls(actions, (float*)pool->games.actions + offset, check.values)
               ? PFC_OK
               : find_bad_control(pool, actions, first_row, &check);
  }
  if (dtype != PFC_INT32 && dtype != PFC_INT64)
    return pfc_fail(PFC_INVALID, "actions: expected int32 or int64 for this discrete game");
  int32_t* to = (int32_t*)pool->games.actions + offset;
  bool good;
  if (check.dims > 1) good = copy_mixed(actions, dtype, to, &check);
  else if (dtype == PFC_INT32) good = copy_int32(actions, to, check.values, check.counts[0]);
  else good = copy_int64(actions, to, check.values, check.counts[0]);
  const PfcStatus status = good ? PFC_OK : find_bad_choice(pool, actions, dtype, first_row, &check);
  if (status) return status;
  return b->mask_words ? check_legal(pool, first_row, rows) : PFC_OK;
}
