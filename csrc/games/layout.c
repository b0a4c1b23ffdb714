// layout.c - see layout.h.
#include "games/layout.h"

#include <string.h>

#include "core/base.h"

enum { MAX_AGENTS = 1 << 20, MAX_OBS_VALUES = 1 << 24, MAX_ACTIONS = 1 << 20 };
static const uint64_t MAX_STATE_BYTES = 1ull << 32;

int32_t pfc_dtype_bytes(PfcDtype dtype) { return (int32_t)PFC_DTYPE_BYTES(dtype); }

static PfcStatus check_actions(const PfcEnvSpec* spec, const PfcLayout* layout) {
  int32_t dims = 0;
  while (dims < PFC_MAX_ACTION_DIMS && layout->action_counts[dims] != 0) {
    if (layout->action_counts[dims] < 1 || layout->action_counts[dims] > MAX_ACTIONS)
      return pfc_fail(PFC_INVALID, "%s: action_counts[%d] is %d, expected 1 to %d", spec->name, dims,
                      layout->action_counts[dims], MAX_ACTIONS);
    ++dims;
  }
  int64_t choices = 0;
  for (int32_t d = 0; d < dims; ++d) choices += layout->action_counts[d];
  if (layout->masked && choices > PFC_MAX_CHOICES)
    return pfc_fail(PFC_INVALID, "%s: %lld choices in all dimensions, expected at most %d in a masked game", spec->name,
                    (long long)choices, PFC_MAX_CHOICES);
  if ((dims > 0) == (layout->continuous_dims > 0) || layout->continuous_dims < 0 ||
      layout->continuous_dims > PFC_MAX_ACTION_DIMS)
    return pfc_fail(PFC_INVALID, "%s: give either action_counts or continuous_dims (1 to %d), not both", spec->name,
                    PFC_MAX_ACTION_DIMS);
  return PFC_OK;
}

// Number of values in one observation; -1 when the shape is out of bounds.
static int64_t obs_values(const PfcLayout* layout) {
  int64_t values = 1;
  for (int32_t i = 0; i < PFC_MAX_OBS_DIMS && layout->obs_shape[i] != 0; ++i) {
    if (layout->obs_shape[i] < 0 || (values *= layout->obs_shape[i]) > MAX_OBS_VALUES) return -1;
  }
  return values;
}

static PfcStatus check_obs(const PfcEnvSpec* spec, const PfcLayout* layout) {
  const int64_t values = obs_values(layout);
  if (values < 1) return pfc_fail(PFC_INVALID, "%s: the observation shape is out of bounds", spec->name);
  if (!spec->layout && (uint64_t)values * (uint64_t)pfc_dtype_bytes(spec->obs_dtype) != spec->obs_bytes)
    return pfc_fail(PFC_INVALID, "%s: obs_shape has %lld values, but the observation struct has %u bytes", spec->name,
                    (long long)values, spec->obs_bytes);
  return PFC_OK;
}

// The table for these parameters. A last count of 0, which means all remaining values, stays 0.
static void copy_rows(const PfcEnvSpec* spec, const void* params, PfcObsRow* rows) {
  memcpy(rows, spec->obs_rows, sizeof *rows * (size_t)spec->num_obs_rows);
  if (spec->fill_rows) spec->fill_rows(params, rows);
}

static PfcStatus check_row(const PfcEnvSpec* spec, const PfcObsRow* row) {
  const bool plane = row->plane_height != 0 || row->plane_width != 0;
  if (!(row->low <= row->high))
    return pfc_fail(PFC_INVALID, "%s: row %s of the observation table has the range [%g, %g]", spec->name, row->name,
                    (double)row->low, (double)row->high);
  if (row->each < 0 || (row->each > 0 && row->count % row->each != 0))
    return pfc_fail(PFC_INVALID,
                    "%s: row %s of the observation table has %d values, which is not a multiple of each = %d",
                    spec->name, row->name, row->count, row->each);
  if (row->num_codes < 0 || (row->num_codes > 0 && (row->low < 0.0f || row->high > (float)(row->num_codes - 1))))
    return pfc_fail(PFC_INVALID, "%s: row %s of the observation table has %d codes but the range [%g, %g]", spec->name,
                    row->name, row->num_codes, (double)row->low, (double)row->high);
  if (plane && (row->plane_height < 1 || row->plane_width < 1 ||
                row->count % ((int64_t)row->plane_height * row->plane_width) != 0))
    return pfc_fail(
        PFC_INVALID,
        "%s: row %s of the observation table has %d values, which is not a multiple of its planes of %d x %d",
        spec->name, row->name, row->count, row->plane_height, row->plane_width);
  return PFC_OK;
}

PfcStatus pfc_fill_rows(const PfcEnvSpec* spec, const void* params, const PfcLayout* layout, PfcObsRow* rows) {
  const int64_t values = obs_values(layout);
  PfcObsRow* last = &rows[spec->num_obs_rows - 1];
  int64_t in_table = 0;
  copy_rows(spec, params, rows);
  for (int32_t i = 0; i < spec->num_obs_rows; ++i) in_table += rows[i].count;
  if (last->count == 0 && in_table <= values) {
    last->count = (int32_t)(values - in_table);
    in_table = values;
  }
  if (in_table != values)
    return pfc_fail(PFC_INVALID, "%s: the observation table has %lld values, but the observation has %lld", spec->name,
                    (long long)in_table, (long long)values);
  PfcStatus status = PFC_OK;
  for (int32_t i = 0; !status && i < spec->num_obs_rows; ++i) {
    if (rows[i].count < 0 || (rows[i].count == 0 && &rows[i] != last))
      return pfc_fail(PFC_INVALID, "%s: row %s of the observation table has %d values", spec->name, rows[i].name,
                      rows[i].count);
    status = check_row(spec, &rows[i]);
  }
  return status;
}

PfcStatus pfc_fill_teams(const PfcEnvSpec* spec, const void* params, const PfcLayout* layout, int32_t* teams) {
  for (int32_t agent = 0; layout->teams && agent < layout->agents; ++agent) {
    teams[agent] = spec->team ? spec->team(params, agent) : agent / (layout->agents / layout->teams);
    if (teams[agent] < 0 || teams[agent] >= layout->teams)
      return pfc_fail(PFC_INVALID, "%s: agent %d is in team %d, expected 0 to %d", spec->name, agent, teams[agent],
                      layout->teams - 1);
  }
  return PFC_OK;
}

static PfcStatus check_teams(const PfcEnvSpec* spec, const PfcLayout* layout) {
  if (layout->teams < 0 || layout->teams > layout->agents)
    return pfc_fail(PFC_INVALID, "%s: %d teams, expected 0 to %d, the number of agents", spec->name, layout->teams,
                    layout->agents);
  if (layout->teams > 0 && !spec->team && layout->agents % layout->teams != 0)
    return pfc_fail(PFC_INVALID, "%s: %d agents do not divide into %d equal teams; give a team function", spec->name,
                    layout->agents, layout->teams);
  return PFC_OK;
}

PfcStatus pfc_fill_layout(const PfcEnvSpec* spec, const void* params, PfcLayout* layout) {
  *layout = spec->sizes;
  layout->masked = spec->mask != NULL;
  if (layout->state_bytes == 0) layout->state_bytes = spec->state_bytes;
  if (layout->agents == 0) layout->agents = 1;
  if (layout->obs_shape[0] == 0) layout->obs_shape[0] = (int32_t)spec->obs_bytes / pfc_dtype_bytes(spec->obs_dtype);
  if (spec->layout) spec->layout(params, layout);
  if (layout->agents < 1 || layout->agents > MAX_AGENTS)
    return pfc_fail(PFC_INVALID, "%s: %d agents, expected 1 to %d", spec->name, layout->agents, MAX_AGENTS);
  if (layout->state_bytes < spec->state_bytes || layout->state_bytes > MAX_STATE_BYTES)
    return pfc_fail(PFC_INVALID, "%s: a state of %llu bytes, expected %u to %llu", spec->name,
                    (unsigned long long)layout->state_bytes, spec->state_bytes, (unsigned long long)MAX_STATE_BYTES);
  layout->masked = layout->masked && layout->continuous_dims == 0;
  if (layout->masked && !spec->mask)
    return pfc_fail(PFC_INVALID, "%s: layout sets masked, but the game has no mask function", spec->name);
  PfcStatus status = check_actions(spec, layout);
  if (!status) status = check_obs(spec, layout);
  if (!status) status = check_teams(spec, layout);
  return status;
}

static bool same_row(const PfcObsRow* a, const PfcObsRow* b) {
  return a->count == b->count && a->low == b->low && a->high == b->high && a->each == b->each &&
         a->num_codes == b->num_codes && a->plane_height == b->plane_height && a->plane_width == b->plane_width;
}

static bool same_layout(const PfcLayout* a, const PfcLayout* b) {
  bool same = a->state_bytes == b->state_bytes && a->agents == b->agents && a->continuous_dims == b->continuous_dims &&
              a->teams == b->teams && a->masked == b->masked;
  for (int32_t i = 0; i < PFC_MAX_OBS_DIMS; ++i) same = same && a->obs_shape[i] == b->obs_shape[i];
  for (int32_t i = 0; i < PFC_MAX_ACTION_DIMS; ++i) same = same && a->action_counts[i] == b->action_counts[i];
  return same;
}

PfcStatus pfc_same_tables(const PfcEnvSpec* spec, const void* params, const PfcLayout* layout, const PfcObsRow* rows,
                          const int32_t* teams, bool* same) {
  PfcLayout other;
  PfcStatus status = pfc_fill_layout(spec, params, &other);
  if (status) return status;
  if (!(*same = same_layout(layout, &other))) return PFC_OK;
  PfcObsRow* other_rows = pfc_alloc(sizeof *other_rows * (uint64_t)spec->num_obs_rows);
  int32_t* other_teams = pfc_alloc(sizeof *other_teams * (uint64_t)layout->agents);
  if (!other_rows || !other_teams) status = pfc_fail(PFC_NO_MEMORY, "no memory for the tables of %s", spec->name);
  if (!status) status = pfc_fill_rows(spec, params, layout, other_rows);
  if (!status) status = pfc_fill_teams(spec, params, layout, other_teams);
  for (int32_t i = 0; !status && i < spec->num_obs_rows; ++i) *same = *same && same_row(&rows[i], &other_rows[i]);
  for (int32_t i = 0; !status && layout->teams && i < layout->agents; ++i) *same = *same && teams[i] == other_teams[i];
  pfc_free(other_rows);
  pfc_free(other_teams);
  return status;
}
