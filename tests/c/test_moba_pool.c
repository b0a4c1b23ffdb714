// test_moba_pool.c - moba in a pool: time limit and win, masks and forced rows, the scripted opponent, the autopilot,
// and long games at the limits of the parameters.
#include "harness.h"

enum { HEROES = 10, TEAM = 5, DIMS = 3 };

static PfcPoolDesc pool_desc(const PfcParamValue* params, int32_t num_params, int32_t games) {
  const PfcPoolDesc desc = {.env = "moba", .num_games = games, .seed = 21, .params = params, .num_params = num_params};
  return desc;
}

static const void* field_of(const Player* p, const char* name, void* values, uint64_t bytes) {
  CHECK(pfc_pool_get_field(p->pool, pfc_pool_find_field(p->pool, name), values, bytes) == PFC_OK);
  return values;
}

static void play_script(Player* p, int32_t level, int64_t step) {
  const PfcScriptDesc desc = {
      .level = level, .num_rows = p->b->rows, .seed = 3, .step = (uint64_t)step, .actions = p->actions};
  CHECK(pfc_pool_script(p->pool, &desc) == PFC_OK);
}

static bool step(Player* p) { return CHECK(pfc_pool_step(p->pool, p->actions, PFC_INT32, NULL) == PFC_OK); }

// ---- ends ----------------------------------------------------------------------------------------------------

static void test_time_limit(void) {
  const PfcParamValue params[] = {{"max_steps", 50}};
  const PfcPoolDesc desc = pool_desc(params, 1, 2);
  Player p = player_start(&desc);
  double values[2 + 15];
  int64_t episodes = 0;
  for (int32_t t = 1; t <= 50; ++t) {
    player_step(&p);
    for (int32_t row = 0; row < p.b->rows; ++row) CHECK(p.b->truncated[row] == (t == 50) && !p.b->terminated[row]);
  }
  CHECK(pfc_pool_pop_metrics(p.pool, &episodes, values) == PFC_OK);
  CHECK(episodes == 2 * HEROES && values[1] == 50.0 && values[2] == 0.5 && values[3] == 0.5 && values[4] == 0.0);
  player_close(&p);
}

// Without a time limit a game of captains ends when an ancient falls: for all rows, as won and lost.
static void test_win(void) {
  const PfcParamValue params[] = {{"max_steps", 0}, {"autopilot", 3}};
  const PfcPoolDesc desc = pool_desc(params, 2, 1);
  Player p = player_start(&desc);
  double values[2 + 15];
  int64_t episodes = 0;
  int32_t ticks = 0;
  memset(p.actions, 0, sizeof(int32_t) * HEROES * DIMS);
  for (; ticks < 10000 && !row_ended(p.b, 0); ++ticks) (void)step(&p);
  const bool won = p.b->rewards[0] > 0.0f;
  for (int32_t row = 0; row < HEROES; ++row) {
    CHECK(p.b->terminated[row] && !p.b->truncated[row]);
    CHECK(p.b->rewards[row] > 4.0f || p.b->rewards[row] < -4.0f);
    CHECK((p.b->rewards[row] > 0.0f) == ((row < TEAM) == won));
  }
  CHECK(pfc_pool_pop_metrics(p.pool, &episodes, values) == PFC_OK);
  CHECK(episodes == HEROES && values[1] == (double)ticks && values[2] == 0.5 && values[4] == 0.5);
  player_close(&p);
}

// ---- masks ---------------------------------------------------------------------------------------------------

// The pool accepts every choice of every script, and a row is forced exactly while its hero cannot act.
static void test_forced_rows(int32_t opponent) {
  const PfcParamValue params[] = {{"masked", 1}, {"opponent", opponent}};
  const PfcPoolDesc desc = pool_desc(params, 2, 1);
  Player p = player_start(&desc);
  int32_t forced = 0;
  for (int32_t t = 0; t < 1200; ++t) {
    uint8_t x[160];
    (void)field_of(&p, "x", x, sizeof x);
    for (int32_t row = 0; row < p.b->rows; ++row) {
      const unsigned char* obs = obs_row(p.b->observations, p.b, row);
      const bool able = x[row] != 192 && obs[10] == 0 && obs[14] == 0;  // on the map, not stunned, not taunted
      CHECK(p.b->forced[row] == !able && p.b->alive[row]);
      forced += p.b->forced[row];
    }
    play_script(&p, 1 + t / 100 % 3, t);
    for (int32_t row = 0; row < p.b->rows; ++row)
      for (int32_t d = 0; d < DIMS && p.b->forced[row]; ++d) CHECK(((int32_t*)p.actions)[DIMS * row + d] == 0);
    if (!step(&p)) break;
  }
  CHECK(forced > 10);
  player_close(&p);
}

static void test_an_illegal_choice_is_refused(void) {
  const PfcParamValue params[] = {{"masked", 1}};
  const PfcPoolDesc desc = pool_desc(params, 1, 1);
  Player p = player_start(&desc);
  uint32_t tick = 9;
  memset(p.actions, 0, sizeof(int32_t) * HEROES * DIMS);
  ((int32_t*)p.actions)[DIMS * 4 + 1] = 1;  // the archer attacks at the fountain
  CHECK(pfc_pool_step(p.pool, p.actions, PFC_INT32, NULL) == PFC_INVALID);
  CHECK(strstr(pfc_last_error(), "row 4, dimension 1: choice 1 is not legal now") != NULL);
  (void)field_of(&p, "tick", &tick, sizeof tick);
  CHECK(tick == 0);
  ((int32_t*)p.actions)[DIMS * 4 + 1] = 4;  // focus needs no target
  CHECK(step(&p));
  player_close(&p);

  const PfcPoolDesc unmasked = pool_desc(NULL, 0, 1);
  Player q = player_start(&unmasked);
  CHECK(q.b->action_mask == NULL && q.b->forced == NULL);
  memset(q.actions, 0, sizeof(int32_t) * HEROES * DIMS);
  ((int32_t*)q.actions)[DIMS * 4 + 1] = 1;
  CHECK(step(&q));
  player_close(&q);
}

// ---- scripts -------------------------------------------------------------------------------------------------

// Observations and rewards of team 0's rows are equal in both pools.
static bool team_agrees(const Player* p, const Player* q) {
  bool equal = memcmp(p->b->observations, q->b->observations, TEAM * p->b->obs_bytes) == 0;
  for (int32_t row = 0; row < TEAM; ++row) equal &= p->b->rewards[row] == q->b->rewards[row];
  return equal;
}

// `opponent` plays as the script of that level does in the rows of team 1.
static void test_the_opponent_is_the_script(int32_t level) {
  const PfcParamValue params[] = {{"opponent", level}};
  const PfcPoolDesc five = pool_desc(params, 1, 1), ten = pool_desc(NULL, 0, 1);
  Player p = player_start(&five), q = player_start(&ten);
  CHECK(p.b->rows == TEAM && q.b->rows == HEROES);
  for (int32_t t = 0; t < 1000; ++t) {
    play_script(&q, level, t);
    fill_actions(p.b, 5, t, p.actions);
    if (t % 2) play_script(&p, 3, t);
    memcpy(q.actions, p.actions, sizeof(int32_t) * TEAM * DIMS);
    if (!step(&p) || !step(&q) || !CHECK(team_agrees(&p, &q))) break;
  }
  player_close(&p), player_close(&q);
}

// `autopilot` plays as the script of that level in all rows, whatever the actions are.
static void test_the_autopilot_is_the_script(int32_t level) {
  const PfcParamValue params[] = {{"autopilot", level}};
  const PfcPoolDesc automatic = pool_desc(params, 1, 1), manual = pool_desc(NULL, 0, 1);
  Player p = player_start(&automatic), q = player_start(&manual);
  for (int32_t t = 0; t < 1000; ++t) {
    play_script(&q, level, t);
    player_step(&p);
    if (!step(&q) || !CHECK(memcmp(p.b->observations, q.b->observations, obs_total_bytes(p.b)) == 0)) break;
  }
  player_close(&p), player_close(&q);
}

// ---- parameters ------------------------------------------------------------------------------------------------

static void play_long(const PfcParamValue* params, int32_t num_params, int32_t ticks) {
  const PfcPoolDesc desc = pool_desc(params, num_params, 1);
  Player p = player_start(&desc);
  for (int32_t t = 0; t < ticks; ++t) {
    player_step(&p);
    bool good = all_obs_fit(p.b, p.b->observations);
    for (int32_t row = 0; row < p.b->rows; ++row) good &= isfinite(p.b->rewards[row]) != 0;
    if (!CHECK(good)) break;
  }
  player_close(&p);
}

static void test_limits_of_parameters(void) {
  const PfcParamValue crowded[] = {{"autopilot", 3}, {"wave_ticks", 20}, {"max_steps", 0}};
  const PfcParamValue large[] = {{"size", 128}, {"vision", 7}, {"autopilot", 2}, {"masked", 1}, {"zero_sum", 1},
                                 {"team_spirit", 1}};
  const PfcParamValue odd[] = {{"size", 101}, {"vision", 7}, {"opponent", 3}, {"autopilot", 1}, {"random_jungle", 0}};
  const PfcParamValue rich[] = {{"opponent", 1},     {"masked", 1},       {"reward_xp", 10}, {"reward_gold", -10},
                                {"reward_kill", 10}, {"reward_death", 10}};
  const PfcParamValue quiet[] = {{"wave_ticks", 10000}, {"max_steps", 1}};
  play_long(crowded, 3, 2500);
  play_long(large, 6, 800);
  play_long(odd, 5, 800);
  play_long(rich, 6, 800);
  play_long(quiet, 2, 20);
}

int main(void) {
  test_time_limit();
  test_win();
  for (int32_t opponent = 0; opponent <= 3; ++opponent) test_forced_rows(opponent);
  test_an_illegal_choice_is_refused();
  for (int32_t level = 1; level <= 3; ++level)
    test_the_opponent_is_the_script(level), test_the_autopilot_is_the_script(level);
  test_limits_of_parameters();
  return check_report();
}
