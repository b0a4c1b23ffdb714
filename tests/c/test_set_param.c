// test_set_param.c - parameters that change in a running pool: when they take effect, and refused changes.
#include "duel.h"

enum { GAMES = 10 };

static int32_t index_of(const Player* p, const char* name) {
  int32_t i = 0;
  while (strcmp(p->b->spec->params[i].name, name) != 0) ++i;
  return i;
}

static double value_of(const Player* p, const char* name) { return pfc_pool_param(p->pool, index_of(p, name)); }

// A pool whose parameter is set before the first step plays like a pool created with that value.
static void test_same_as_made(void) {
  const PfcParamValue quick = {"ball_speed", 0.25};
  PfcPoolDesc desc = {.env = "template", .num_games = GAMES, .num_threads = 2, .num_groups = 2};
  Player set = player_start(&desc);
  desc.params = &quick;
  desc.num_params = 1;
  Player made = player_start(&desc);
  CHECK(pfc_pool_set_param(set.pool, "ball_speed", 0.25) == PFC_OK && value_of(&set, "ball_speed") == 0.25);
  CHECK(play_and_hash(&set, 200) == play_and_hash(&made, 200));
  CHECK(hash_pool(&set) == hash_pool(&made));  // snapshots contain the current parameter
  player_close(&set), player_close(&made);
}

// A change takes effect with the next step: current observations stay, and a lower max_steps ends longer episodes.
static void test_next_step(void) {
  const PfcPoolDesc desc = {.spec = &pfc_env_duel, .num_games = GAMES, .seed = 1};
  Player p = player_start(&desc), model = player_start(&desc);
  int32_t lengths[2 * GAMES] = {0};
  for (int32_t t = 0; t < 7; ++t) {
    player_step(&p), player_step(&model);
    for (int64_t row = 0; row < p.b->rows; ++row) lengths[row] = row_ended(p.b, row) ? 0 : lengths[row] + 1;
  }
  const void* observations = p.b->observations;
  CHECK(pfc_pool_set_param(p.pool, "decay", 0) == PFC_OK && pfc_pool_set_param(p.pool, "charges", 9) == PFC_OK);
  CHECK(pfc_pool_set_param(p.pool, "max_steps", 5) == PFC_OK && p.b->observations == observations);
  CHECK(memcmp(p.b->observations, model.b->observations, obs_total_bytes(p.b)) == 0);
  CHECK(memcmp(p.b->action_mask, model.b->action_mask, sizeof(uint32_t) * (size_t)(p.b->rows * p.b->mask_words)) == 0);
  CHECK(pfc_pool_ended(p.pool, -1) == pfc_pool_ended(model.pool, -1));
  player_step(&p);
  for (int64_t row = 0; row < p.b->rows; ++row) {
    if (lengths[row] >= 4) CHECK(row_ended(p.b, row) && p.b->episode_lengths[row] == lengths[row] + 1);
    if (row_ended(p.b, row)) CHECK(((const int8_t*)obs_row(p.b->observations, p.b, row))[1] == 9);
  }
  CHECK(pfc_pool_ended(p.pool, -1) > 0);
  CHECK(pfc_pool_set_param(p.pool, "max_steps", 0) == PFC_OK);  // never
  for (int32_t t = 0; t < 300; ++t) {
    player_step(&p);
    for (int64_t row = 0; row < p.b->rows; ++row) CHECK(!p.b->truncated[row]);
  }
  player_close(&p), player_close(&model);
}

// Parameters that the observation, the buffers or the teams depend on cannot change. A refused change has no effect on
// the game.
static void test_fixed(void) {
  static const PfcParamValue fixed[] = {{"width", 6}, {"height", 4}, {"players", 3}, {"sight", 0},
                                        {"walls", 1}, {"sides", 0},  {"masked", 0}};
  const PfcPoolDesc desc = {.spec = &pfc_env_duel, .num_games = GAMES, .seed = 1};
  Player p = player_start(&desc), model = player_start(&desc);
  for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; ++i) {
    const double before = value_of(&p, fixed[i].name);
    char words[64];
    snprintf(words, sizeof words, "%s: cannot change in a running pool", fixed[i].name);
    check_message(pfc_pool_set_param(p.pool, fixed[i].name, fixed[i].value) == PFC_INVALID, words);
    CHECK(value_of(&p, fixed[i].name) == before && pfc_pool_set_param(p.pool, fixed[i].name, before) == PFC_OK);
  }
  CHECK(play_and_hash(&p, 100) == play_and_hash(&model, 100));
  player_close(&p), player_close(&model);
}

// ---- tables that depend on a parameter -----------------------------------------------------------------------

static int32_t max_steps_of(const void* params) { return *(const int32_t*)params; }

static void sight_by_steps(const void* params, PfcObsRow* rows) {
  pfc_env_duel.fill_rows(params, rows);
  if (max_steps_of(params) == 61) rows[3].high = 31;
  if (max_steps_of(params) == 62) rows[3].each = 1;
  if (max_steps_of(params) == 63) rows[2].plane_width = rows[2].plane_height = 0;
  if (max_steps_of(params) == 64) rows[1].num_codes = 4;
  if (max_steps_of(params) == 65) rows[0].count = 3;
  if (max_steps_of(params) == 66) rows[0].count = 3, rows[2].count = 14, rows[2].plane_height = rows[2].plane_width = 1;
}

static int32_t team_by_steps(const void* params, int32_t agent) {
  return max_steps_of(params) == 70 ? 1 - agent : max_steps_of(params) == 71 ? 2 : agent;
}

static void test_tables(void) {
  PfcEnvSpec spec = pfc_env_duel;
  spec.fill_rows = sight_by_steps;
  spec.team = team_by_steps;
  const PfcPoolDesc desc = {.spec = &spec, .num_games = 2};
  Player p = player_start(&desc);
  for (int32_t steps = 61; steps <= 71; ++steps) {
    const bool varies = steps <= 66 || steps >= 70;
    const PfcStatus status = pfc_pool_set_param(p.pool, "max_steps", steps);
    if (!CHECK(status == (varies ? PFC_INVALID : PFC_OK))) fprintf(stderr, "  max_steps %d\n", steps);
    if (!varies) continue;
    if (steps == 65)
      check_message(true, "row rivals of the observation table has 1 values, which is not a multiple of each = 2");
    else if (steps == 71) check_message(true, "agent 0 is in team 2, expected 0 to 1");
    else check_message(true, "max_steps: cannot change in a running pool");
  }
  CHECK(value_of(&p, "max_steps") == 69);
  player_close(&p);
}

// ---- refusals ------------------------------------------------------------------------------------------------

static void test_refused(void) {
  const PfcPoolDesc desc = {.spec = &pfc_env_duel, .num_games = GAMES, .num_groups = 2};
  Player p = player_open(&desc);
  CHECK(pfc_pool_set_param(p.pool, "charges", 2) == PFC_OK);  // before the first reset
  CHECK(pfc_pool_reset(p.pool, NULL) == PFC_OK && ((const int8_t*)p.b->observations)[1] == 2);
  check_message(pfc_pool_set_param(p.pool, "chrges", 2) == PFC_INVALID,
                "duel: no parameter named \"chrges\"; did you mean \"charges\"?");
  check_message(pfc_pool_set_param(p.pool, NULL, 2) == PFC_INVALID, "NULL");
  check_message(pfc_pool_set_param(p.pool, "charges", 10) == PFC_INVALID,
                "charges: expected a value in [0, 9], got 10");
  check_message(pfc_pool_set_param(p.pool, "charges", 2.5) == PFC_INVALID, "charges: expected a whole number");
  check_message(pfc_pool_set_param(p.pool, "decay", (double)NAN) == PFC_INVALID, "decay: expected a value in [0, 1]");
  check_message(pfc_pool_set_param(NULL, "charges", 2) == PFC_INVALID, "pool");
  fill_actions(p.b, 1, 0, p.actions);
  CHECK(pfc_pool_send(p.pool, 1, (int32_t*)p.actions + 2 * GAMES, PFC_INT32, NULL) == PFC_OK);
  check_message(pfc_pool_set_param(p.pool, "charges", 5) == PFC_STATE, "group 1 was sent and not received");
  CHECK(value_of(&p, "charges") == 2 && pfc_pool_recv(p.pool, 1) == PFC_OK);
  CHECK(pfc_pool_set_param(p.pool, "charges", 5) == PFC_OK && value_of(&p, "charges") == 5);
  CHECK(pfc_pool_close(p.pool) == PFC_OK);
  check_message(pfc_pool_set_param(p.pool, "charges", 6) == PFC_CLOSED, "closed");
  player_close(&p);
}

// The game's own check can refuse a value.
static const char* refuse_seven(const void* params) { return max_steps_of(params) == 7 ? "7 steps are too few" : NULL; }

static void test_own_check(void) {
  PfcEnvSpec spec = pfc_env_duel;
  spec.check = refuse_seven;
  const PfcPoolDesc desc = {.spec = &spec, .num_games = 2};
  Player p = player_start(&desc);
  check_message(pfc_pool_set_param(p.pool, "max_steps", 7) == PFC_INVALID, "duel: 7 steps are too few");
  CHECK(value_of(&p, "max_steps") == 60 && pfc_pool_set_param(p.pool, "max_steps", 8) == PFC_OK);
  player_close(&p);
}

// A snapshot loads only into a pool with the same current parameters.
static void test_snapshots(void) {
  const PfcPoolDesc desc = {.spec = &pfc_env_duel, .num_games = GAMES};
  Player p = player_start(&desc);
  unsigned char* snapshot = take_snapshot(p.pool);
  const uint64_t bytes = pfc_pool_snapshot_bytes(p.pool);
  CHECK(pfc_pool_set_param(p.pool, "decay", 0.5) == PFC_OK);
  check_message(pfc_pool_load(p.pool, snapshot, bytes, NULL) == PFC_INVALID, "the parameters of");
  CHECK(pfc_pool_set_param(p.pool, "decay", (double)0.1f) == PFC_OK);
  CHECK(pfc_pool_load(p.pool, snapshot, bytes, NULL) == PFC_OK);
  free(snapshot);
  player_close(&p);
}

int main(void) {
  test_same_as_made();
  test_next_step();
  test_fixed();
  test_tables();
  test_refused();
  test_own_check();
  test_snapshots();
  return check_report();
}
