// tables.c - checks tables that depend on parameters: observation rows, teams, state fields. Each is checked with the
// parameters of the check and with every parameter at its limits.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/memory.h"
#include "conformance/run.h"
#include "games/params.h"

// The tables of one set of parameters.
typedef struct Tables {
  const PfcEnvSpec* spec;
  const void* params;
  PfcLayout layout;
  char when[64];  // prefix of findings: "" or "with width = 6: "
} Tables;

static void find(const Tables* t, const char* code, const char* subject, const char* words) {
  char seen[320];
  (void)snprintf(seen, sizeof seen, "%s%s", t->when, words);
  pfc_check_find(PFC_ERROR, code, subject, -1, -1, seen);
}

// ---- observation rows --------------------------------------------------------------------------------------

// Calls fill_rows on a copy of the table that ends at inaccessible memory.
static void fill(const Tables* t, PfcArea* area) {
  memcpy(area->data, t->spec->obs_rows, area->bytes);
  pfc_guard_enter("fill_rows", -1, -1);
  t->spec->fill_rows(t->params, (PfcObsRow*)(void*)area->data);
  pfc_guard_leave();
}

// Whether fill_rows gives the same table twice and leaves names and help texts alone.
static bool fill_is_repeatable(const Tables* t) {
  const uint64_t bytes = sizeof(PfcObsRow) * (uint64_t)t->spec->num_obs_rows;
  PfcArea area = {0};
  PfcObsRow* first = malloc(bytes);
  bool same = true;
  if (first && pfc_area_make(&area, "observation table", bytes, _Alignof(PfcObsRow), true)) {
    pfc_memory_watch(&area, 1);
    fill(t, &area);
    memcpy(first, area.data, bytes);
    fill(t, &area);
    same = memcmp(first, area.data, bytes) == 0;
    for (int32_t i = 0; i < t->spec->num_obs_rows; ++i)
      same = same && first[i].name == t->spec->obs_rows[i].name && first[i].help == t->spec->obs_rows[i].help;
    pfc_memory_watch(NULL, 0);
  }
  pfc_area_free(&area);
  free(first);
  return same;
}

static bool check_rows(const Tables* t) {
  PfcObsRow* rows = malloc(sizeof *rows * (size_t)t->spec->num_obs_rows);
  bool sound = rows != NULL;
  if (t->spec->fill_rows && !fill_is_repeatable(t)) {
    sound = false;
    find(t, "observation_table", "",
         "fill_rows gave two different tables in two calls, or changed a name or help text");
  } else if (rows && pfc_fill_rows(t->spec, t->params, &t->layout, rows) != PFC_OK) {
    sound = false;
    find(t, "observation_table", "", pfc_last_error());
  }
  free(rows);
  return sound;
}

// ---- teams and fields --------------------------------------------------------------------------------------

static bool check_teams(const Tables* t) {
  int32_t* teams = malloc(sizeof *teams * (size_t)t->layout.agents);
  pfc_guard_enter("team", -1, -1);
  const bool sound = teams && pfc_fill_teams(t->spec, t->params, &t->layout, teams) == PFC_OK;
  pfc_guard_leave();
  if (teams && !sound) find(t, "team_range", "", pfc_last_error());
  free(teams);
  return sound;
}

static void check_field(const Tables* t, int32_t index) {
  const PfcField* entry = &t->spec->fields[index];
  PfcField field = *entry;
  char words[256];
  if (t->spec->field) {
    pfc_guard_enter("field", -1, -1);
    t->spec->field(t->params, index, &field);
    pfc_guard_leave();
  }
  const uint64_t state = t->layout.state_bytes, each = PFC_DTYPE_BYTES(entry->dtype);
  if (field.name != entry->name || field.dtype != entry->dtype) {
    (void)snprintf(words, sizeof words, "field changed the name or dtype of state field %s", entry->name);
    find(t, "field_range", entry->name, words);
  } else if (field.offset > state || field.count > (state - field.offset) / each) {
    (void)snprintf(words, sizeof words,
                   "state field %s has %llu values of %llu bytes at byte %llu, but the state has %llu bytes",
                   entry->name, (unsigned long long)field.count, (unsigned long long)each,
                   (unsigned long long)field.offset, (unsigned long long)state);
    find(t, "field_range", entry->name, words);
  }
}

// Returns false if no pool can be created with these tables.
static bool check_tables(const Tables* t) {
  bool sound = check_rows(t);
  if (t->layout.teams > 0) sound = check_teams(t) && sound;
  for (int32_t i = 0; i < t->spec->num_fields; ++i) check_field(t, i);
  return sound;
}

// ---- parameters --------------------------------------------------------------------------------------------

// Checks the tables with one parameter at a limit, where the game accepts it.
static bool check_limit(const PfcParam* param, double value, const void* params) {
  const PfcParamValue given = {param->name, value};
  Tables t = {.spec = pfc_check.desc->spec};
  PfcParamText text;
  bool sound = true;
  void* changed = malloc(t.spec->params_bytes);
  if (changed) {
    memcpy(changed, params, t.spec->params_bytes);
    t.params = changed;
    (void)snprintf(t.when, sizeof t.when, "with %s = %s: ", param->name, pfc_param_text(param, value, text));
    if (pfc_set_params(t.spec, &given, 1, changed) == PFC_OK && pfc_fill_layout(t.spec, changed, &t.layout) == PFC_OK)
      sound = check_tables(&t);
  }
  free(changed);
  return sound;
}

PfcStatus pfc_check_tables(bool* sound) {
  const PfcCheckDesc* desc = pfc_check.desc;
  Tables t = {.spec = desc->spec};
  void* params = calloc(1, desc->spec->params_bytes + 8);
  if (!params) return PFC_NO_MEMORY;
  t.params = params;
  pfc_guard_set_step("tables", -1);
  PfcStatus status = pfc_fill_params(t.spec, desc->params, desc->num_params, params);
  if (!status) status = pfc_fill_layout(t.spec, params, &t.layout);
  *sound = !status && check_tables(&t);
  for (int32_t i = 0; *sound && i < t.spec->num_params; ++i) {
    const PfcParam* param = &t.spec->params[i];
    if (check_limit(param, param->min, params)) (void)check_limit(param, param->max, params);
  }
  free(params);
  return status;
}
