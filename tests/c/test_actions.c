// test_actions.c - actions are checked before any game moves, copied, narrowed and clamped.
#include "harness.h"
#include "test_games.h"

enum { GAMES = 40, ROWS = 40 };

// Checks that the step is refused with these words and that no game has moved.
static void expect_refused(Player* p, const void* actions, PfcDtype dtype, const char* words) {
  const uint64_t before = hash_pool(p);
  const void* observations = p->b->observations;
  CHECK(pfc_pool_step(p->pool, actions, dtype, NULL) == PFC_INVALID);
  if (!CHECK(strstr(pfc_last_error(), words) != NULL)) fprintf(stderr, "  got: %s\n", pfc_last_error());
  CHECK(hash_pool(p) == before);
  CHECK(p->b->observations == observations);
}

// The number of games with about ROWS rows, at least one.
static PfcPoolDesc rows_desc(const Case* c) {
  PfcPoolDesc desc = case_desc(c, 1, 1);
  Player one = player_open(&desc);
  desc.num_games = ROWS > one.b->agents ? ROWS / one.b->agents : 1;
  player_close(&one);
  return desc;
}

// An invalid choice is found in every row and dimension, also in the remainder of vector loops.
static void test_every_row(const Case* c) {
  const PfcPoolDesc desc = rows_desc(c);
  Player p = player_start(&desc);
  const int64_t values = p.b->rows * p.b->action_dims;
  int64_t* wide = calloc((size_t)values, sizeof *wide);
  char place[64], words[128];
  memset(p.actions, 0, (size_t)values * 4);
  for (int64_t i = 0; i < values; ++i) {
    const long long row = i / p.b->action_dims, dim = i % p.b->action_dims;
    if (p.b->action_dims == 1) snprintf(place, sizeof place, "row %lld", row);
    else snprintf(place, sizeof place, "row %lld, dimension %lld", row, dim);
    if (p.b->discrete) {
      const int32_t count = p.b->action_counts[dim];
      snprintf(words, sizeof words, "%s is %d, expected an integer in [0, %d)", place, count, count);
      ((int32_t*)p.actions)[i] = count;
      expect_refused(&p, p.actions, PFC_INT32, words);
      wide[i] = (1ll << 32) + 1;  // narrowing first would make it a legal 1
      snprintf(words, sizeof words, "%s is 4294967297", place);
      expect_refused(&p, wide, PFC_INT64, words);
      wide[i] = 0;
    } else {
      snprintf(words, sizeof words, "row %lld,", row);
      ((float*)p.actions)[i] = i % 2 ? NAN : -INFINITY;
      expect_refused(&p, p.actions, PFC_FLOAT32, words);
    }
    memset((unsigned char*)p.actions + 4 * i, 0, 4);
  }
  player_step(&p);
  free(wide);
  player_close(&p);
}

static void test_values(void) {
  const PfcPoolDesc desc = {.env = "squared", .num_games = GAMES};
  Player p = player_start(&desc);
  int32_t actions[GAMES] = {0};
  const int32_t wrong[] = {-1, 5, INT32_MAX, INT32_MIN};
  const int64_t wrong_wide[] = {-1, 5, INT64_MAX, INT64_MIN, 1ll << 32};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; ++i) {
    char words[64];
    actions[17] = wrong[i];
    snprintf(words, sizeof words, "actions: row 17 is %d,", wrong[i]);
    expect_refused(&p, actions, PFC_INT32, words);
  }
  int64_t wide[GAMES] = {0};
  for (size_t i = 0; i < sizeof wrong_wide / sizeof wrong_wide[0]; ++i) {
    wide[39] = wrong_wide[i];
    expect_refused(&p, wide, PFC_INT64, "actions: row 39 is");
  }
  actions[17] = 0;
  expect_refused(&p, NULL, PFC_INT32, "actions: expected an array, got NULL");
  expect_refused(&p, actions, PFC_FLOAT32, "int32 or int64");
  expect_refused(&p, actions, PFC_UINT8, "int32 or int64");
  expect_refused(&p, actions, (PfcDtype)99, "int32 or int64");
  player_close(&p);
}

static void test_dimensions(void) {
  const PfcPoolDesc desc = {.spec = &pfc_env_squad, .num_games = 2, .num_groups = 2};
  Player p = player_start(&desc);
  int32_t actions[2 * 2 * SQUAD_AGENTS] = {0};
  int64_t wide[2 * 2 * SQUAD_AGENTS] = {0};
  actions[2 * 7 + 1] = 2;  // legal in the first dimension only
  expect_refused(&p, actions, PFC_INT32, "actions: row 7, dimension 1 is 2, expected an integer in [0, 2)");
  wide[2 * 9] = 3;
  expect_refused(&p, wide, PFC_INT64, "actions: row 9, dimension 0 is 3, expected an integer in [0, 3)");
  // Messages about a group count rows of the pool.
  actions[2 * 7 + 1] = 0;
  CHECK(pfc_pool_send(p.pool, 1, actions, PFC_INT32, NULL) == PFC_OK);
  CHECK(pfc_pool_recv(p.pool, 1) == PFC_OK);
  actions[1] = -3;
  CHECK(pfc_pool_send(p.pool, 1, actions, PFC_INT32, NULL) == PFC_INVALID);
  CHECK(strstr(pfc_last_error(), "row 5, dimension 1 is -3") != NULL);
  CHECK(pfc_pool_recv(p.pool, 1) == PFC_STATE);  // a failed send does not count
  player_close(&p);
}

// int64 actions mean the same as int32 ones.
static void test_wide_actions(const Case* c) {
  const PfcPoolDesc desc = case_desc(c, GAMES, 1);
  Player narrow = player_start(&desc), wide = player_start(&desc);
  const int64_t values = wide.b->rows * wide.b->action_dims;
  int64_t* actions = calloc((size_t)values, sizeof *actions);
  for (int32_t t = 0; t < 100 && wide.b->discrete; ++t) {
    player_step(&narrow);
    for (int64_t i = 0; i < values; ++i) actions[i] = ((int32_t*)narrow.actions)[i];
    CHECK_GAME(c->label, pfc_pool_step(wide.pool, actions, PFC_INT64, NULL) == PFC_OK);
    CHECK_GAME(c->label, memcmp(narrow.b->observations, wide.b->observations, obs_total_bytes(wide.b)) == 0);
  }
  free(actions);
  player_close(&narrow), player_close(&wide);
}

static void test_controls(void) {
  const PfcPoolDesc desc = {.spec = &pfc_env_drift, .num_games = GAMES};
  Player p = player_start(&desc);
  float controls[2 * GAMES];
  for (int32_t i = 0; i < 2 * GAMES; ++i) controls[i] = (float)(i - GAMES) * 0.125f;
  controls[3] = 3e38f, controls[4] = -3e38f, controls[5] = -0.0f, controls[6] = 1e-40f;
  CHECK(pfc_pool_step(p.pool, controls, PFC_FLOAT32, NULL) == PFC_OK);
  const DriftObs* obs = p.b->observations;
  for (int32_t row = 0; row < GAMES; ++row) {
    CHECK(obs[row].first == fminf(fmaxf(controls[2 * row], -1.0f), 1.0f));
    CHECK(obs[row].second == fminf(fmaxf(controls[2 * row + 1], -1.0f), 1.0f));
  }
  const float wrong[] = {NAN, -NAN, INFINITY, -INFINITY};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; ++i) {
    controls[2 * 21 + 1] = wrong[i];
    expect_refused(&p, controls, PFC_FLOAT32, "actions: row 21, dimension 1 is");
  }
  expect_refused(&p, controls, PFC_INT32, "float32");
  player_close(&p);
}

// send copies actions to the rows of its group, so the caller may change its array afterwards.
static void test_copied(void) {
  const PfcPoolDesc desc = {.spec = &pfc_env_drift, .num_games = 4, .num_threads = 1, .num_groups = 2};
  Player p = player_start(&desc);
  float controls[4] = {0.25f, 0.5f, -0.25f, -0.5f};
  CHECK(pfc_pool_send(p.pool, 1, controls, PFC_FLOAT32, NULL) == PFC_OK);
  for (int32_t i = 0; i < 4; ++i) controls[i] = i == 3 ? NAN : 0.125f;
  CHECK(pfc_pool_send(p.pool, 0, controls, PFC_FLOAT32, NULL) == PFC_INVALID);
  CHECK(strstr(pfc_last_error(), "row 1, dimension 1 is nan") != NULL);
  CHECK(pfc_pool_recv(p.pool, 1) == PFC_OK);
  CHECK(pfc_pool_send(p.pool, 1, controls, PFC_FLOAT32, NULL) == PFC_INVALID);
  CHECK(strstr(pfc_last_error(), "row 3, dimension 1 is nan") != NULL);
  const DriftObs* obs = pfc_pool_group_observations(p.pool, 1);
  CHECK(obs[0].first == 0.25f && obs[0].second == 0.5f && obs[1].first == -0.25f && obs[1].second == -0.5f);
  player_close(&p);
}

int main(void) {
  for_each_case(test_every_row);
  test_values();
  test_dimensions();
  for_each_case(test_wide_actions);
  test_controls();
  test_copied();
  return check_report();
}
