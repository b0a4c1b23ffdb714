// test_registry.c - the list of games; specs with a single mistake are refused with a reason.
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "pufferc/pufferc.h"

static void test_list(void) {
  CHECK(pfc_env_count() >= 5);
  for (int32_t i = 0; i < pfc_env_count(); ++i) {
    const PfcEnvSpec* spec = pfc_env_at(i);
    if (!CHECK(spec != NULL)) continue;
    if (!CHECK(pfc_env_validate(spec) == PFC_OK)) fprintf(stderr, "  %s\n", pfc_last_error());
    CHECK(pfc_env_find(spec->name) == spec);
    if (i > 0) CHECK(strcmp(pfc_env_at(i - 1)->name, spec->name) < 0);
    CHECK(spec->title[0] >= 'A' && spec->title[0] <= 'Z' && spec->summary[0]);
    for (int32_t k = 0; k < spec->num_params; ++k)
      for (int32_t j = 0; j < k; ++j) CHECK(strcmp(spec->params[j].name, spec->params[k].name) != 0);
    for (int32_t k = 0; k < spec->num_obs_rows; ++k) CHECK(spec->obs_rows[k].name[0] && spec->obs_rows[k].help[0]);
  }
  CHECK(pfc_env_at(-1) == NULL && pfc_env_at(pfc_env_count()) == NULL && pfc_env_at(INT32_MAX) == NULL);
  CHECK(pfc_env_find("no such game") == NULL && pfc_env_find(NULL) == NULL);
  CHECK(pfc_env_validate(NULL) == PFC_INVALID && strstr(pfc_last_error(), "NULL"));
}

// A copy of squared's spec and tables, in which a test can spoil one thing.
typedef struct Spoiled {
  PfcEnvSpec spec;
  PfcParam params[2];
  PfcObsRow rows[2];
  PfcField fields[2];
  PfcKeyBinding keys[2];
} Spoiled;

static void begin(Spoiled* s) {
  const PfcEnvSpec* sound = pfc_env_find("squared");
  memset(s, 0, sizeof *s);
  s->spec = *sound;
  s->params[0] = sound->params[0];
  s->rows[0] = sound->obs_rows[0];
  s->spec.params = s->params;
  s->spec.obs_rows = s->rows;
  s->fields[0] = (PfcField){"place", PFC_INT32, 1, 16};
  s->fields[1] = (PfcField){"age", PFC_FLOAT64, 1, 8};
  s->spec.fields = s->fields;
  s->spec.num_fields = 2;
  s->keys[0] = (PfcKeyBinding)PFC_BIND("left a", "left", 0, 1);
  s->keys[1] = (PfcKeyBinding)PFC_BIND_PUSH("right", "right", 2, 1, -1.0f);
  s->spec.keys = s->keys;
  s->spec.num_keys = 2;
}

// Checks that validation and pool creation refuse the spec with these words.
static void expect_refused(Spoiled* s, const char* words) {
  CHECK(pfc_env_validate(&s->spec) == PFC_INVALID);
  if (!CHECK(strstr(pfc_last_error(), words) != NULL))
    fprintf(stderr, "  expected \"%s\", got \"%s\"\n", words, pfc_last_error());
  const PfcPoolDesc desc = {.spec = &s->spec, .num_games = 2};
  PfcPool* pool = pfc_pool_create(&desc);
  if (!CHECK(pool == NULL)) pfc_pool_destroy(pool);
  begin(s);
}

static void test_head(void) {
  Spoiled s;
  begin(&s);
  CHECK(pfc_env_validate(&s.spec) == PFC_OK);
  s.spec.abi_version += 1;
  expect_refused(&s, "built for ABI 3");
  s.spec.spec_bytes -= 8;
  expect_refused(&s, "bytes");
  static const char* const names[] = {NULL,     "",        "Squared", "two words",
                                      "9lives", "dash-ed", "a_name_that_goes_on_for_too_long"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; ++i) {
    s.spec.name = names[i];
    expect_refused(&s, "name");
  }
  s.spec.title = NULL;
  expect_refused(&s, "title");
  s.spec.title = "";
  expect_refused(&s, "title");
  s.spec.summary = NULL;
  expect_refused(&s, "summary");
  s.spec.version = 0;
  expect_refused(&s, "version");
  s.spec.obs_dtype = PFC_INT64;
  expect_refused(&s, "obs_dtype");
  s.spec.state_bytes = 8;
  expect_refused(&s, "state");
}

static bool open_fails(void* state, const void* params) { return state == params; }

static void test_functions(void) {
  Spoiled s;
  begin(&s);
  s.spec.reset_one = NULL;
  expect_refused(&s, "NULL");
  s.spec.step_range = NULL;
  expect_refused(&s, "NULL");
  s.spec.observe_range = NULL;
  expect_refused(&s, "NULL");
  s.spec.observe_one = NULL;
  expect_refused(&s, "NULL");
  s.spec.metrics_one = NULL;
  expect_refused(&s, "NULL");
  s.spec.draw_one = NULL;
  expect_refused(&s, "NULL");
  s.spec.open = open_fails;
  expect_refused(&s, "open and close");
}

static void script_nothing(const void* state, const void* params, int32_t agent, int32_t level, PfcRng* rng,
                           int32_t* choices, float* controls) {
  (void)state, (void)params, (void)agent, (void)level, (void)rng, (void)choices, (void)controls;
}

static const char* fits(const void* params, const void* data, uint64_t data_bytes) {
  (void)params, (void)data, (void)data_bytes;
  return NULL;
}

static void from_nothing(void* state, const void* params, const void* data, uint64_t data_bytes) {
  (void)state, (void)params, (void)data, (void)data_bytes;
}

static void again(void* state, const void* params, int32_t agent) { (void)state, (void)params, (void)agent; }

static void again_from(void* state, const void* params, int32_t agent, const void* data, uint64_t data_bytes) {
  (void)state, (void)params, (void)agent, (void)data, (void)data_bytes;
}

// Functions that a spec must set together.
static void test_pairs(void) {
  static const char *script = "set both script and num_levels >= 1, or neither",
                    *data = "set both check_data and reset_from, or neither; with respawn, also set respawn_from";
  Spoiled s;
  begin(&s);
  s.spec.script = script_nothing;
  expect_refused(&s, script);
  s.spec.script = script_nothing;
  s.spec.num_levels = -1;
  expect_refused(&s, script);
  s.spec.num_levels = 1;
  expect_refused(&s, script);
  s.spec.check_data = fits;
  expect_refused(&s, data);
  s.spec.reset_from = from_nothing;
  expect_refused(&s, data);
  s.spec.respawn = again;
  s.spec.check_data = fits;
  s.spec.reset_from = from_nothing;
  expect_refused(&s, data);  // respawned rows would not see the data
  s.spec.check_data = fits;
  s.spec.reset_from = from_nothing;
  s.spec.respawn_from = again_from;
  expect_refused(&s, data);
  s.spec.respawn = again;
  s.spec.respawn_from = again_from;
  expect_refused(&s, data);
  s.spec.script = script_nothing;
  s.spec.num_levels = 1;
  s.spec.respawn = again;
  s.spec.check_data = fits;
  s.spec.reset_from = from_nothing;
  s.spec.respawn_from = again_from;
  CHECK(pfc_env_validate(&s.spec) == PFC_OK);
}

static void test_params(void) {
  Spoiled s;
  begin(&s);
  s.params[0].name = "steps";
  expect_refused(&s, "max_steps");
  s.params[0].name = NULL;
  expect_refused(&s, "");
  s.params[0].type = PFC_PARAM_FLOAT;
  expect_refused(&s, "max_steps");
  s.params[0].default_value = -5;
  expect_refused(&s, "default");
  s.params[0].default_value = (double)__builtin_nanf("");
  expect_refused(&s, "default");
  s.params[0].help = NULL;
  expect_refused(&s, "help");
  s.spec.num_params = 0;
  expect_refused(&s, "max_steps");
  s.spec.params = NULL;
  expect_refused(&s, "max_steps");
  s.spec.num_params = 2;
  s.spec.params_bytes = 8;
  s.params[1] = s.params[0];
  s.params[1].name = "Upper";
  expect_refused(&s, "lower-case");
  s.spec.params_bytes = 12;
  expect_refused(&s, "bytes");
  s.spec.num_params = 2;
  s.spec.params_bytes = 8;
  s.params[1] = s.params[0];
  expect_refused(&s, "two parameters are named max_steps");
  s.params[0].max = 1e10;
  expect_refused(&s, "type can hold");
  s.spec.num_params = 2;
  s.spec.params_bytes = 8;
  s.params[1] = (PfcParam){"speed", PFC_PARAM_FLOAT, 1, 0, (double)__builtin_inff(), "a limit that is none"};
  expect_refused(&s, "type can hold");
  s.spec.num_params = 2;
  s.spec.params_bytes = 8;
  s.params[1] = (PfcParam){"kind", (PfcParamType)7, 1, 0, 1, "of no type"};
  expect_refused(&s, "type 7");
}

static void test_tables(void) {
  Spoiled s;
  begin(&s);
  s.spec.num_obs_rows = 0;
  expect_refused(&s, "observation table");
  s.spec.obs_rows = NULL;
  expect_refused(&s, "observation table");
  s.rows[0].name = NULL;
  expect_refused(&s, "row 0");
  s.rows[0].help = NULL;
  expect_refused(&s, "row 0");
  s.rows[0].count = -1;
  expect_refused(&s, "row 0");
  s.rows[0].low = 3;
  expect_refused(&s, "row 0");
  s.rows[0].high = __builtin_nanf("");
  expect_refused(&s, "row 0");
  s.spec.num_obs_rows = 2;
  s.rows[1] = s.rows[0];
  s.rows[0].count = 0;  // a count of 0 is allowed in the last row only
  expect_refused(&s, "row 0");
  s.spec.metrics[0] = NULL;
  expect_refused(&s, "score");
  s.spec.metrics[0] = "points";
  expect_refused(&s, "score");
  s.spec.metrics[1] = "score";
  expect_refused(&s, "two metrics are named score");
}

static void test_metric_names(void) {
  static char names[PFC_MAX_METRICS][8];
  Spoiled s;
  begin(&s);
  for (int32_t i = 1; i < PFC_MAX_METRICS; ++i) {  // the max number, without a terminating NULL
    snprintf(names[i], sizeof names[i], "m%d", i);
    s.spec.metrics[i] = names[i];
  }
  CHECK(pfc_env_validate(&s.spec) == PFC_OK);
  s.spec.metrics[PFC_MAX_METRICS - 1] = "m1";
  expect_refused(&s, "two metrics are named m1");
}

static void test_fields(void) {
  Spoiled s;
  begin(&s);
  s.spec.num_fields = 0;
  expect_refused(&s, "set both fields and num_fields, or neither");
  s.spec.num_fields = -1;
  expect_refused(&s, "set both fields and num_fields, or neither");
  s.spec.fields = NULL;
  expect_refused(&s, "set both fields and num_fields, or neither");
  static const char* const names[] = {NULL, "", "Place", "two words", "9"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; ++i) {
    s.fields[1].name = names[i];
    expect_refused(&s, "state field 1 needs a lower-case name and a dtype");
  }
  s.fields[0].dtype = (PfcDtype)10;
  expect_refused(&s, "state field 0 needs a lower-case name and a dtype");
  s.fields[0].dtype = (PfcDtype)-1;
  expect_refused(&s, "state field 0 needs a lower-case name and a dtype");
  s.fields[1].name = "place";
  expect_refused(&s, "two state fields are named place");
}

static void test_keys(void) {
  static const char *table = "set both keys and num_keys, or neither",
                    *key = "key 1 needs names, a help text, and a choice or a push";
  Spoiled s;
  begin(&s);
  static const float rates[] = {-1.0f, 1000.5f, __builtin_nanf("")};
  for (size_t i = 0; i < sizeof rates / sizeof rates[0]; ++i) {
    s.spec.fps = rates[i];
    expect_refused(&s, "expected 0 (30) to 1000");
  }
  s.spec.num_keys = 0;
  expect_refused(&s, table);
  s.spec.num_keys = -1;
  expect_refused(&s, table);
  s.spec.keys = NULL;
  expect_refused(&s, table);
  s.spec.idle = -3;
  expect_refused(&s, "idle must be a choice, PFC_IDLE_KEEP or PFC_IDLE_ALTERNATE");
  s.keys[1].keys = NULL;
  expect_refused(&s, key);
  s.keys[1].help = NULL;
  expect_refused(&s, key);
  s.keys[1].dim = -1;
  expect_refused(&s, key);
  s.keys[1].dim = PFC_MAX_ACTION_DIMS;
  expect_refused(&s, key);
  s.keys[1].choice = -1;
  expect_refused(&s, key);
  s.keys[1].control = -1;
  expect_refused(&s, key);
  s.keys[1].control = PFC_MAX_ACTION_DIMS;
  expect_refused(&s, key);
  s.keys[1].push = 1.5f;
  expect_refused(&s, key);
  s.keys[1].push = __builtin_nanf("");
  expect_refused(&s, key);
}

int main(void) {
  test_list();
  test_head();
  test_functions();
  test_pairs();
  test_params();
  test_tables();
  test_metric_names();
  test_fields();
  test_keys();
  return check_report();
}
