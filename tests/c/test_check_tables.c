// test_check_tables.c - findings of `pufferc check` about tables that depend on parameters, observations that are
// codes, and games that read a file. Crashes happen in child processes.
#include <signal.h>
#include <string.h>

#include "check.h"
#include "duel.h"
#include "flawed.h"
#include "pufferc/env.h"

// ---- observation rows ----------------------------------------------------------------------------------------

// Tables are checked first: with invalid tables no pool can be created.
static bool found_alone(const Found* found, const char* code, const char* subject, const char* words) {
  return found_is(found, code, subject, -1, -1, words) && found->count == 1 && found->status == PFC_OK;
}

static void leave_rows(PfcObsRow* rows) { rows[2].each = 2; }
static void give_too_many(PfcObsRow* rows) { rows[2].count = 3; }
static void break_entities(PfcObsRow* rows) { rows[2].each = 3; }

static void give_another(PfcObsRow* rows) {
  static int32_t times;
  rows[0].high = (float)++times;
}

static void rename_row(PfcObsRow* rows) { rows[1].name = "time"; }

static void write_beyond(PfcObsRow* rows) { ((volatile PfcObsRow*)rows)[3].count = 1; }

static void test_rows(void) {
  PfcTrace trace;
  Found found = flaw_check((Flaw){.fill_rows = leave_rows}, NULL, 0);
  CHECK(found_only(&found, 0));
  found = flaw_check((Flaw){.fill_rows = give_too_many}, NULL, 0);
  CHECK(found_alone(&found, "observation_table", "",
                    "flawed: the observation table has 5 values, but the observation has 4"));
  found = flaw_check((Flaw){.fill_rows = break_entities}, NULL, 0);
  CHECK(found_alone(&found, "observation_table", "",
                    "row pair of the observation table has 2 values, which is not a multiple of each = 3"));
  found = flaw_check((Flaw){.fill_rows = give_another}, NULL, 0);
  CHECK(found_alone(&found, "observation_table", "", "fill_rows gave two different tables in two calls"));
  found = flaw_check((Flaw){.fill_rows = rename_row}, NULL, 0);
  CHECK(found_alone(&found, "observation_table", "", "or changed a name or help text"));
  CHECK(flaw_crash((Flaw){.fill_rows = write_beyond}, &trace) == SIGSEGV && strcmp(trace.function, "fill_rows") == 0);
  CHECK(strstr(trace.fault, "past the end of its observation table"));
}

// Values of a row of codes must be whole and below num_codes.
static bool fractions;

static void call_codes(PfcObsRow* rows) {
  rows[1].num_codes = 2;  // clock, 0 to 15 / 16
}

static void observe_code(const Flawed* s, int32_t agent, FlawedObs* obs) {
  const bool here =
      strcmp(flaw_trace->stage, "memory") == 0 && flaw_trace->step == 1000 && flaw_trace->game == 5 && agent == 1;
  obs->clock = (float)(s->age % 2);
  if (here) obs->clock = fractions ? 0.5f : 2.0f;
}

static void test_codes(void) {
  fractions = true;
  Found found = flaw_check((Flaw){.fill_rows = call_codes, .observe = observe_code}, NULL, 0);
  CHECK(
      found_is(&found, "observation_code", "clock", 5, 1000, "observation clock was 0.5; its table says codes 0 to 1"));
  CHECK(found_only(&found, 1));
  fractions = false;
  found = flaw_check((Flaw){.fill_rows = call_codes, .observe = observe_code}, NULL, 0);
  CHECK(found_is(&found, "observation_code", "clock", 5, 1000, "observation clock was 2; its table says codes 0 to 1"));
  CHECK(found_only(&found, 1));
}

// ---- teams and fields ------------------------------------------------------------------------------------------

static int32_t play_together(int32_t agent) { return 1 - agent; }
static int32_t play_outside(int32_t agent) { return 2 * agent; }
static int32_t play_nowhere(int32_t agent) { return -agent; }

static void test_teams(void) {
  Found found = flaw_check((Flaw){.team = play_together}, NULL, 0);
  CHECK(found_only(&found, 0));
  found = flaw_check((Flaw){.team = play_outside}, NULL, 0);
  CHECK(found_alone(&found, "team_range", "", "agent 1 is in team 2, expected 0 to 1"));
  found = flaw_check((Flaw){.team = play_nowhere}, NULL, 0);
  CHECK(found_alone(&found, "team_range", "", "agent 1 is in team -1, expected 0 to 1"));
}

static void to_the_end(PfcField* field) { field->offset = sizeof(Flawed) - 8, field->count = 2; }
static void beyond_the_end(PfcField* field) { field->offset = sizeof(Flawed) - 4, field->count = 2; }
static void change_dtype(PfcField* field) { field->dtype = PFC_INT8; }

static void test_fields(void) {
  Found found = flaw_check((Flaw){.field = to_the_end}, NULL, 0);
  CHECK(found_only(&found, 0));
  found = flaw_check((Flaw){.field = beyond_the_end}, NULL, 0);
  char words[128];
  (void)snprintf(words, sizeof words,
                 "state field age has 2 values of 4 bytes at byte %zu, but the state has %zu bytes", sizeof(Flawed) - 4,
                 sizeof(Flawed));
  CHECK(found_is(&found, "field_range", "age", -1, -1, words) && found_only(&found, 1));
  found = flaw_check((Flaw){.field = change_dtype}, NULL, 0);
  CHECK(found_is(&found, "field_range", "age", -1, -1, "field changed the name or dtype of state field age"));
}

// ---- parameters --------------------------------------------------------------------------------------------------

static void fill_badly(const void* params, PfcObsRow* rows) {
  pfc_env_duel.fill_rows(params, rows);
  if (rows[2].plane_width == 6) rows[2].plane_width = 4;
}

static int32_t team_badly(const void* params, int32_t agent) {
  (void)params;
  return agent == 5 ? 6 : 0;
}

static void field_badly(const void* params, int32_t index, PfcField* field) {
  pfc_env_duel.field(params, index, field);
  if (field->count == 25) field->count = 200;
}

static void keep_first_error(void* context, const PfcFinding* finding) {
  PfcFinding* first = context;
  if (first->seen[0] == 0 && finding->severity == PFC_ERROR) *first = *finding;
}

static void check_duel(const PfcEnvSpec* spec, const char* code, const char* words) {
  PfcFinding finding = {.code = ""};
  const PfcCheckDesc desc = {.spec = spec, .report = keep_first_error, .context = &finding};
  CHECK(pfc_check_game(&desc) == PFC_OK);
  if (!CHECK(strcmp(finding.code, code) == 0 && strstr(finding.seen, words)))
    fprintf(stderr, "  %s: %s\n", finding.code, finding.seen);
}

// The check also tries parameters at their limits, and finds tables that are invalid there.
static void test_limits(void) {
  PfcEnvSpec spec = pfc_env_duel;
  check_duel(&spec, "", "");
  spec.fill_rows = fill_badly;
  check_duel(&spec, "observation_table",
             "with width = 6: duel: row board of the observation table has 18 values, which is not a multiple");
  spec = pfc_env_duel;
  spec.team = team_badly;
  check_duel(&spec, "team_range", "with players = 6: duel: agent 5 is in team 6, expected 0 to 1");
  spec = pfc_env_duel;
  spec.field = field_badly;
  check_duel(&spec, "field_range", "with height = 5: state field stamps has 200 values of 2 bytes at byte ");
}

// ---- files -------------------------------------------------------------------------------------------------------

static void read_data(Flawed* s, const uint8_t* data) { s->scratch = data[0]; }

static void keep_data(Flawed* s, const uint8_t* data) { s->word = (uint64_t)(uintptr_t)(data + 3); }

static void keep_late(Flawed* s, const uint8_t* data) {
  if (flaw_trace->game == 4 && flaw_trace->step > 500) keep_data(s, data);
}

static void write_data(Flawed* s, const uint8_t* data) {
  (void)s;
  ((volatile uint8_t*)(uintptr_t)data)[5] = 1;
}

static void read_beyond(Flawed* s, const uint8_t* data) { s->scratch = ((const volatile uint8_t*)data)[FLAWED_DATA]; }

static void test_data(void) {
  PfcTrace trace;
  Found found = flaw_check((Flaw){.reset_from = read_data}, NULL, 0);
  CHECK(found_only(&found, 0));
  found = flaw_check((Flaw){.respawn_from = read_data}, NULL, 0);
  CHECK(found_only(&found, 0));
  char words[96];
  (void)snprintf(words, sizeof words, "reset_from stored an address of the data at byte %zu of the state",
                 offsetof(Flawed, word));
  found = flaw_check((Flaw){.reset_from = keep_data}, NULL, 0);
  CHECK(found_is(&found, "data_address", "reset_from", 0, 0, words) && found_only(&found, 1));
  found = flaw_check((Flaw){.respawn_from = keep_late}, NULL, 0);
  const PfcFinding* kept = found_find(&found, "data_address", "respawn_from");
  CHECK(kept && kept->game == 4 && kept->step > 500 &&
        strstr(kept->seen, "respawn_from stored an address of the data"));
  CHECK(found_only(&found, 1));
  CHECK(flaw_crash((Flaw){.reset_from = write_data}, &trace) == SIGSEGV && strcmp(trace.function, "reset_from") == 0);
  CHECK(strstr(trace.fault, " byte 5 of its data, which is read-only"));
  CHECK(flaw_crash((Flaw){.respawn_from = write_data}, &trace) == SIGSEGV &&
        strcmp(trace.function, "respawn_from") == 0);
  CHECK(flaw_crash((Flaw){.reset_from = read_beyond}, &trace) == SIGSEGV);
  CHECK(strstr(trace.fault, " 0 bytes past the end of its data, which has 24 bytes"));
}

static const char* trust(const uint8_t* data, uint64_t bytes) {
  (void)data, (void)bytes;
  return NULL;
}

static const char* look_without_count(const uint8_t* data, uint64_t bytes) {
  return ((const volatile uint8_t*)data)[12] == 0 && bytes == FLAWED_DATA ? NULL : "expected 24 bytes";
}

static void read_last(Flawed* s, const uint8_t* data) { s->scratch = ((const volatile uint8_t*)data)[FLAWED_DATA - 1]; }

// Truncated files: check_data must not read past their end, and must refuse them.
static void test_cut_data(void) {
  PfcTrace trace;
  CHECK(flaw_crash((Flaw){.check_data = look_without_count}, &trace) == SIGSEGV &&
        strcmp(trace.function, "check_data") == 0);
  CHECK(strstr(trace.fault, " 12 bytes past the end of its data, which has 0 bytes"));
  CHECK(flaw_crash((Flaw){.check_data = trust, .reset_from = read_last}, &trace) == SIGSEGV);
  CHECK(strcmp(trace.function, "reset_from") == 0 && strcmp(trace.stage, "data") == 0);
}

static void keep_note(void* context, const PfcFinding* finding) {
  if (strcmp(finding->code, "data_missing") == 0) *(PfcFinding*)context = *finding;
}

static void test_no_data(void) {
  PfcFinding finding = {.code = ""};
  const PfcCheckDesc desc = {.spec = &pfc_env_duel, .report = keep_note, .context = &finding};
  CHECK(pfc_check_game(&desc) == PFC_OK && finding.severity == PFC_NOTE && finding.code[0] != 0);
}

int main(void) {
  test_rows();
  test_codes();
  test_teams();
  test_fields();
  test_limits();
  test_data();
  test_cut_data();
  test_no_data();
  return check_report();
}
