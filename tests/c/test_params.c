// test_params.c - parameters of every game: each at its limits, random sets, and invalid values. A set of
// values either gives a pool whose observations stay within their table, or is refused with a message that
// names the game or the parameter.
#include "duel.h"
#include "games/layout.h"
#include "games/params.h"

enum { RANDOM_SETS = 80, STEPS = 20 };
static const uint64_t MAX_BYTES = 8u << 20;  // larger pools are slow under sanitizers and test nothing more

static int32_t pools_made, pools_refused;

// Approximate memory of a pool of one game; 0 if the parameters are refused.
static uint64_t estimate_bytes(const PfcEnvSpec* spec, const PfcParamValue* values, int32_t count) {
  uint32_t params[64] = {0};
  PfcLayout layout;
  if (pfc_fill_params(spec, values, count, params) || pfc_fill_layout(spec, params, &layout)) return 0;
  uint64_t obs_bytes = (uint64_t)pfc_dtype_bytes(spec->obs_dtype);
  for (int32_t i = 0; i < PFC_MAX_OBS_DIMS && layout.obs_shape[i]; ++i) obs_bytes *= (uint64_t)layout.obs_shape[i];
  return layout.state_bytes + 3 * obs_bytes * (uint64_t)layout.agents;
}

static void print_values(const PfcEnvSpec* spec, const PfcParamValue* values, int32_t count) {
  if (check_failures_ > CHECK_MAX_PRINTED) return;
  fprintf(stderr, "  %s:", spec->name);
  for (int32_t i = 0; i < count; ++i) fprintf(stderr, " %s=%.9g", values[i].name, values[i].value);
  fprintf(stderr, "\n");
}

static bool play(const PfcEnvSpec* spec, const PfcPoolDesc* desc) {
  Player p = player_start(desc);
  bool good = all_obs_fit(p.b, p.b->observations);
  for (int32_t t = 0; t < STEPS && good; ++t) {
    player_step(&p);
    good = all_obs_fit(p.b, p.b->observations);
    for (int64_t row = 0; row < p.b->rows && good; ++row) {
      good = isfinite(p.b->rewards[row]) && p.b->terminated[row] + p.b->truncated[row] <= 1;
      if (row_ended(p.b, row)) good = good && obs_fits_table(p.b, obs_row(p.b->final_observations, p.b, row));
    }
  }
  player_close(&p);
  return CHECK_GAME(spec->name, good);
}

static void try_values(const PfcEnvSpec* spec, const PfcParamValue* values, int32_t count, uint64_t seed) {
  const PfcPoolDesc desc = {.spec = spec, .num_games = 1, .seed = seed, .params = values, .num_params = count};
  const uint64_t bytes = estimate_bytes(spec, values, count);
  if (bytes > MAX_BYTES) return;
  if (bytes == 0) {
    pools_refused += 1;
    CHECK_GAME(spec->name, pfc_pool_create(&desc) == NULL);
    if (!CHECK_GAME(spec->name, strstr(pfc_last_error(), spec->name) != NULL)) print_values(spec, values, count);
    return;
  }
  pools_made += 1;
  if (!play(spec, &desc)) print_values(spec, values, count);
}

static double whole(const PfcParam* p, double value) { return p->type == PFC_PARAM_FLOAT ? value : floor(value); }

// Often a limit, often a small value, sometimes any value.
static double random_value(const PfcParam* p, PfcRng* rng) {
  const double share = (double)pfc_rng_float(rng);
  switch (pfc_rng_below(rng, 5)) {
    case 0: return p->min;
    case 1: return pfc_rng_below(rng, 4) ? p->default_value : p->max;
    case 2: return whole(p, p->min + (p->max - p->min) * share);
    default: return whole(p, p->min + (p->max - p->min) * pow(share, 8));
  }
}

static void test_limits(const PfcEnvSpec* spec) {
  for (int32_t i = 0; i < spec->num_params; ++i) {
    const PfcParam* p = &spec->params[i];
    const PfcParamValue lowest = {p->name, p->min}, highest = {p->name, p->max}, usual = {p->name, p->default_value};
    try_values(spec, &lowest, 1, 1);
    try_values(spec, &highest, 1, 2);
    try_values(spec, &usual, 1, 3);
  }
}

static void test_random_sets(const PfcEnvSpec* spec) {
  PfcRng rng;
  pfc_rng_seed(&rng, 6, 0);
  for (int32_t k = 0; k < RANDOM_SETS; ++k) {
    PfcParamValue values[64];
    for (int32_t i = 0; i < spec->num_params; ++i) {
      values[i].name = spec->params[i].name;
      values[i].value = random_value(&spec->params[i], &rng);
    }
    try_values(spec, values, spec->num_params, (uint64_t)k);
  }
}

static void expect_refused(const PfcEnvSpec* spec, const char* name, double value, const char* words) {
  const PfcParamValue given = {name, value};
  const PfcPoolDesc desc = {.spec = spec, .num_games = 1, .params = &given, .num_params = 1};
  PfcPool* pool = pfc_pool_create(&desc);
  if (!CHECK_GAME(spec->name, pool == NULL)) {
    print_values(spec, &given, 1);
    pfc_pool_destroy(pool);
  } else if (!CHECK_GAME(spec->name, strstr(pfc_last_error(), words) != NULL)) {
    fprintf(stderr, "  got: %s\n", pfc_last_error());
  }
}

static void test_refused(const PfcEnvSpec* spec) {
  for (int32_t i = 0; i < spec->num_params; ++i) {
    const PfcParam* p = &spec->params[i];
    const double step = p->type == PFC_PARAM_FLOAT ? fabs(p->max) * 0.01 + 0.01 : 1.0;
    expect_refused(spec, p->name, p->min - step, p->name);
    expect_refused(spec, p->name, p->max + step, p->name);
    expect_refused(spec, p->name, (double)INFINITY, p->name);
    expect_refused(spec, p->name, (double)-INFINITY, p->name);
    expect_refused(spec, p->name, (double)NAN, p->name);
    expect_refused(spec, p->name, 1e300, p->name);
    if (p->type != PFC_PARAM_FLOAT) expect_refused(spec, p->name, p->min + 0.5, "whole number");
  }
  expect_refused(spec, "max_step", 5, "did you mean \"max_steps\"");
  expect_refused(spec, "", 5, "no parameter named");
  expect_refused(spec, NULL, 5, "NULL");
}

// True if the game's own check refused the last set of values.
static bool refused_by_check(const PfcEnvSpec* spec) {
  const size_t length = strlen(spec->name);
  return strncmp(pfc_last_error(), spec->name, length) == 0 && pfc_last_error()[length] == ':';
}

// The limits of a float parameter, as printed in decimal by its help, are accepted. With the defaults of the other
// parameters the game's own check may still refuse them.
static void test_decimal_limits(const PfcEnvSpec* spec) {
  for (int32_t i = 0; i < spec->num_params; ++i) {
    const PfcParam* p = &spec->params[i];
    if (p->type != PFC_PARAM_FLOAT) continue;
    for (int high = 0; high <= 1; ++high) {
      char decimal[64];
      snprintf(decimal, sizeof decimal, "%.7g", high ? p->max : p->min);
      const PfcParamValue given = {p->name, strtod(decimal, NULL)};
      uint32_t params[64];
      const PfcStatus status = pfc_fill_params(spec, &given, 1, params);
      const bool within = status == PFC_OK || (spec->check && refused_by_check(spec));
      if (!CHECK_GAME(spec->name, within)) fprintf(stderr, "  got: %s\n", pfc_last_error());
    }
  }
}

static void test_game(const PfcEnvSpec* spec) {
  test_limits(spec);
  test_random_sets(spec);
  test_refused(spec);
  test_decimal_limits(spec);
}

// C programs and policy files may use the name that a parameter had before.
static void test_former_names(void) {
  const PfcParamValue old = {"frameskip", 2}, new = {"frames_per_step", 2};
  const PfcParam* param = pfc_find_param(pfc_env_find("pong"), old.name);
  CHECK(param && strcmp(param->name, new.name) == 0);
  CHECK(pfc_find_param(pfc_env_find("cartpole"), old.name) == NULL);
  PfcPoolDesc desc = {.env = "pong", .num_games = 1, .params = &old, .num_params = 1};
  Player a = player_start(&desc);
  desc.params = &new;
  Player b = player_start(&desc);
  CHECK(hash_pool(&a) == hash_pool(&b));
  player_close(&a), player_close(&b);
}

int main(void) {
  test_former_names();
  for (int32_t i = 0; i < pfc_env_count(); ++i) test_game(pfc_env_at(i));
  test_game(&pfc_env_duel);
  CHECK(pools_made > 100);
  printf("%d pools played, %d sets of values refused\n", pools_made, pools_refused);
  return check_report();
}
