// fields.c - tests read and write members of a game's state by name.
#include <string.h>

#include "pool/pool.h"

int32_t pfc_pool_find_field(const PfcPool* pool, const char* name) {
  const char* names[64];
  if (!pool || !name) {
    (void)pfc_fail(PFC_INVALID, "name: expected the name of a state field, got NULL");
    return -1;
  }
  const PfcEnvSpec* spec = pool->spec;
  for (int32_t i = 0; i < spec->num_fields; ++i)
    if (strcmp(spec->fields[i].name, name) == 0) return i;
  const int32_t count = PFC_MIN(spec->num_fields, 64);
  for (int32_t i = 0; i < count; ++i) names[i] = spec->fields[i].name;
  const char* near = pfc_nearest(name, names, count);
  if (spec->num_fields == 0) (void)pfc_fail(PFC_UNSUPPORTED, "%s has no state fields", spec->name);
  else if (near)
    (void)pfc_fail(PFC_INVALID, "name: %s has no state field \"%.64s\"; did you mean \"%s\"?", spec->name, name, near);
  else (void)pfc_fail(PFC_INVALID, "name: %s has no state field \"%.64s\"", spec->name, name);
  return -1;
}

PfcStatus pfc_pool_field(const PfcPool* pool, int32_t index, PfcField* field) {
  if (!pool || !field) return pfc_fail(PFC_INVALID, "pool, field: expected pointers, got NULL");
  const PfcEnvSpec* spec = pool->spec;
  if (index < 0 || index >= spec->num_fields)
    return pfc_fail(PFC_INVALID, "index: %s has %d state fields, got %d", spec->name, spec->num_fields, index);
  *field = spec->fields[index];
  if (spec->field) spec->field(pool->games.params, index, field);
  field->name = spec->fields[index].name;
  field->dtype = spec->fields[index].dtype;
  const uint64_t state = pool->layout.state_bytes, each = PFC_DTYPE_BYTES(field->dtype);
  if (field->offset > state || field->count > (state - field->offset) / each)
    return pfc_fail(PFC_INVALID, "%s: state field %s extends beyond the state, which has %llu bytes", spec->name,
                    field->name, (unsigned long long)state);
  return PFC_OK;
}

// Checks a call that copies a field of every game.
static PfcStatus check_copy(PfcPool* pool, int32_t index, const void* values, uint64_t bytes, PfcField* field) {
  PfcStatus status = pfc_pool_expect_idle(pool);
  if (!status) status = pfc_pool_field(pool, index, field);
  if (status) return status;
  const uint64_t expected = field->count * PFC_DTYPE_BYTES(field->dtype) * (uint64_t)pool->buffers.num_games;
  if (!values || bytes != expected)
    return pfc_fail(PFC_INVALID, "values: expected %llu bytes for field %s of %d games, got %llu",
                    (unsigned long long)expected, field->name, pool->buffers.num_games,
                    (unsigned long long)(values ? bytes : 0));
  return pool->was_reset ? PFC_OK : pfc_fail(PFC_STATE, "reset the pool before reading or writing its state");
}

PfcStatus pfc_pool_get_field(PfcPool* pool, int32_t index, void* values, uint64_t bytes) {
  PfcField field;
  PfcStatus status = pfc_pool_enter(pool);
  if (status) return status;
  status = check_copy(pool, index, values, bytes, &field);
  const size_t size = status ? 0 : (size_t)(field.count * PFC_DTYPE_BYTES(field.dtype));
  for (int32_t game = 0; !status && game < pool->buffers.num_games; ++game)
    memcpy((unsigned char*)values + size * (size_t)game, pfc_game_state(&pool->games, game) + field.offset, size);
  pfc_pool_leave(pool);
  return status;
}

PfcStatus pfc_pool_set_field(PfcPool* pool, int32_t index, const void* values, uint64_t bytes, void* observations) {
  PfcField field;
  PfcStatus status = pfc_pool_enter(pool);
  if (status) return status;
  if (pool->spec->open)
    status = pfc_fail(PFC_UNSUPPORTED, "the state of %s cannot be set, because the game owns objects outside of it",
                      pool->spec->name);
  if (!status) status = check_copy(pool, index, values, bytes, &field);
  if (!status) {
    const size_t size = (size_t)(field.count * PFC_DTYPE_BYTES(field.dtype));
    for (int32_t game = 0; game < pool->buffers.num_games; ++game)
      memcpy(pfc_game_state(&pool->games, game) + field.offset, (const unsigned char*)values + size * (size_t)game,
             size);
    pfc_pool_run(pool, PFC_JOB_OBSERVE, observations);
  }
  pfc_pool_leave(pool);
  return status;
}
