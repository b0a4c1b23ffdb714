// test_script.c - built-in players: legal moves; the same moves for any threads, pools and calls; no effect on the
// game.
#include "duel.h"
#include "test_games.h"

enum { GAMES = 40, STEPS = 150 };

static PfcStatus script_all(Player* p, int32_t level, uint64_t seed, uint64_t step, int32_t* actions) {
  const PfcScriptDesc desc = {
      .level = level, .num_rows = p->b->rows, .seed = seed, .step = step, .actions = actions};
  return pfc_pool_script(p->pool, &desc);
}

static int32_t* new_actions(const PfcBuffers* b) {
  return malloc(sizeof(int32_t) * (size_t)(b->rows * b->action_dims));
}

static size_t action_bytes(const PfcBuffers* b) { return sizeof(int32_t) * (size_t)(b->rows * b->action_dims); }

// The pool accepts the script's moves, which in a masked game shows that they are legal. Rows that are out get zeros.
static void test_plays(const Case* c) {
  const PfcPoolDesc desc = case_desc(c, GAMES, 4);
  Player p = player_start(&desc);
  int32_t* actions = p.actions;
  int64_t dead = 0;
  for (int32_t t = 0; t < STEPS; ++t) {
    memset(actions, 0xff, action_bytes(p.b));
    CHECK_GAME(c->label, script_all(&p, t % 2, 1, (uint64_t)t, actions) == PFC_OK);
    for (int64_t row = 0; row < p.b->rows; ++row) {
      dead += !p.b->alive[row];
      CHECK_GAME(c->label, p.b->alive[row] || (actions[2 * row] == 0 && actions[2 * row + 1] == 0));
    }
    if (!CHECK_GAME(c->label, pfc_pool_step(p.pool, actions, PFC_INT32, NULL) == PFC_OK)) break;
  }
  CHECK_GAME(c->label, (dead > 0) == (p.b->agents > 2 && !p.b->spec->respawn));
  player_close(&p);
}

// The same seed, step and level give the same actions; changing any of them changes the actions.
static void test_depends_on(void) {
  const PfcPoolDesc desc = {.spec = &pfc_env_duel, .num_games = GAMES, .seed = 2};
  Player p = player_start(&desc);
  int32_t *first = new_actions(p.b), *other = new_actions(p.b);
  static const struct {
    int32_t level;
    uint64_t seed, step;
  } calls[] = {{0, 5, 9}, {1, 5, 9}, {0, 6, 9}, {0, 5, 10}, {0, 9, 5}, {0, 5ull << 32, 9}, {0, 5, 9ull << 32}};
  CHECK(script_all(&p, 0, 5, 9, first) == PFC_OK);
  for (size_t i = 0; i < sizeof calls / sizeof calls[0]; ++i) {
    CHECK(script_all(&p, calls[i].level, calls[i].seed, calls[i].step, other) == PFC_OK);
    CHECK((memcmp(first, other, action_bytes(p.b)) == 0) == (i == 0));
  }
  player_step(&p);
  CHECK(script_all(&p, 0, 5, 9, other) == PFC_OK &&
        memcmp(first, other, action_bytes(p.b)) != 0);  // the state has changed
  free(first), free(other);
  player_close(&p);
}

// Threads, groups, and rows in another order, repeated, or one at a time.
static void test_divisions_of_rows(void) {
  PfcPoolDesc desc = {.spec = &pfc_env_duel, .num_games = GAMES, .num_groups = 2, .seed = 2};
  Player p = player_start(&desc);
  int32_t *model = new_actions(p.b), *part = malloc(2 * action_bytes(p.b)), *rows = malloc(8 * (size_t)p.b->rows);
  CHECK(script_all(&p, 0, 5, 9, model) == PFC_OK);
  for (int32_t threads = 1; threads <= 7; threads += 3) {
    desc.num_threads = threads;
    Player q = player_start(&desc);
    CHECK(script_all(&q, 0, 5, 9, part) == PFC_OK && memcmp(model, part, action_bytes(p.b)) == 0);
    const int32_t n = 2 * q.b->rows;
    for (int32_t i = 0; i < n; ++i) rows[i] = (i * 37 + 11) % q.b->rows;
    PfcScriptDesc some = {.num_rows = n, .rows = rows, .seed = 5, .step = 9, .actions = part};
    CHECK(pfc_pool_script(q.pool, &some) == PFC_OK);
    for (int32_t i = 0; i < n; ++i) CHECK(memcmp(part + 2 * i, model + 2 * rows[i], 2 * sizeof(int32_t)) == 0);
    some.num_rows = 1;
    for (int32_t i = 0; i < 10; ++i) {
      some.rows = rows + i;
      CHECK(pfc_pool_script(q.pool, &some) == PFC_OK && memcmp(part, model + 2 * rows[i], 2 * sizeof(int32_t)) == 0);
    }
    some.num_rows = 0;
    CHECK(pfc_pool_script(q.pool, &some) == PFC_OK);
    player_close(&q);
  }
  free(model), free(part), free(rows);
  player_close(&p);
}

// Two pools with half of the games each, by game number, play like one pool.
static void test_divisions_of_games(void) {
  static const uint64_t numbers[] = {4, 1, 5};
  const PfcPoolDesc whole_desc = {.spec = &pfc_env_duel, .num_games = 6, .seed = 2};
  PfcPoolDesc part_desc = whole_desc;
  part_desc.num_games = 3;
  part_desc.game_numbers = numbers;
  Player whole = player_start(&whole_desc), part = player_start(&part_desc);
  const size_t game_bytes = 2 * 2 * sizeof(int32_t);
  for (int32_t t = 0; t < STEPS; ++t) {
    CHECK(script_all(&whole, t % 2, 7, (uint64_t)t, whole.actions) == PFC_OK);
    CHECK(script_all(&part, t % 2, 7, (uint64_t)t, part.actions) == PFC_OK);
    for (int32_t g = 0; g < 3; ++g)
      CHECK(memcmp((int32_t*)part.actions + 4 * g, (int32_t*)whole.actions + 4 * numbers[g], game_bytes) == 0);
    CHECK(pfc_pool_step(whole.pool, whole.actions, PFC_INT32, NULL) == PFC_OK);
    CHECK(pfc_pool_step(part.pool, part.actions, PFC_INT32, NULL) == PFC_OK);
  }
  player_close(&whole), player_close(&part);
}

static void test_changes_nothing(const Case* c) {
  const PfcPoolDesc desc = case_desc(c, GAMES, 4);
  Player scripted = player_start(&desc), other = player_start(&desc);
  int32_t* actions = new_actions(scripted.b);
  for (int32_t t = 0; t < STEPS; ++t) {
    const uint64_t before = hash_pool(&scripted);
    CHECK_GAME(c->label, script_all(&scripted, t % 2, 1, (uint64_t)t, actions) == PFC_OK);
    CHECK_GAME(c->label, hash_pool(&scripted) == before);
    player_step(&scripted), player_step(&other);
  }
  CHECK_GAME(c->label, hash_pool(&scripted) == hash_pool(&other));
  free(actions);
  player_close(&scripted), player_close(&other);
}

// The same actions on every machine.
static void test_golden(void) {
  const PfcPoolDesc desc = {.spec = &pfc_env_duel, .num_games = GAMES, .seed = 2};
  Player p = player_start(&desc);
  uint64_t hash = 0;
  for (int32_t t = 0; t < STEPS; ++t) {
    CHECK(script_all(&p, t % 3 != 0, 1, (uint64_t)t, p.actions) == PFC_OK);
    hash = hash_bytes(hash, p.actions, action_bytes(p.b));
    CHECK(pfc_pool_step(p.pool, p.actions, PFC_INT32, NULL) == PFC_OK);
  }
  if (!CHECK(hash == 0xc7720cf71614d73aull)) fprintf(stderr, "  got %016llx\n", (unsigned long long)hash);
  player_close(&p);
}

// ---- controls ------------------------------------------------------------------------------------------------

static void steer(const void* state, const void* params, int32_t agent, int32_t level, PfcRng* rng, int32_t* choices,
                  float* controls) {
  (void)state, (void)params, (void)agent;
  CHECK(choices == NULL);
  controls[0] = pfc_rng_float(rng);
  controls[1] = (float)level;
}

static void test_continuous(void) {
  PfcEnvSpec spec = pfc_env_drift;
  spec.script = steer;
  spec.num_levels = 2;
  const PfcPoolDesc desc = {.spec = &spec, .num_games = GAMES};
  Player p = player_start(&desc);
  CHECK(script_all(&p, 1, 3, 4, p.actions) == PFC_OK);
  const float* controls = p.actions;
  for (int64_t row = 0; row < p.b->rows; ++row)
    CHECK(controls[2 * row] >= 0.0f && controls[2 * row + 1] == 1.0f &&
          (row == 0 || controls[2 * row] != controls[2 * row - 2]));
  CHECK(pfc_pool_step(p.pool, p.actions, PFC_FLOAT32, NULL) == PFC_OK);
  player_close(&p);
}

// ---- refusals ------------------------------------------------------------------------------------------------

static void test_refusals(void) {
  const PfcPoolDesc desc = {.spec = &pfc_env_duel, .num_games = 4, .num_groups = 2},
                    none = {.env = "squared", .num_games = 4};
  Player p = player_open(&desc), without = player_start(&none);
  int32_t rows[] = {0, 8, 1}, *actions = new_actions(p.b);
  memset(actions, 0x55, action_bytes(p.b));
  const PfcScriptDesc good = {.num_rows = 8, .actions = actions};
  PfcScriptDesc bad = good;
  check_message(pfc_pool_script(p.pool, &good) == PFC_STATE, "reset the pool");
  CHECK(pfc_pool_reset(p.pool, NULL) == PFC_OK);
  check_message(pfc_pool_script(NULL, &good) == PFC_INVALID, "pool");
  check_message(pfc_pool_script(p.pool, NULL) == PFC_INVALID, "desc");
  bad.actions = NULL;
  check_message(pfc_pool_script(p.pool, &bad) == PFC_INVALID, "desc: expected a PfcScriptDesc with actions");
  check_message(pfc_pool_script(without.pool, &good) == PFC_UNSUPPORTED, "squared has no built-in player");
  bad = good;
  bad.level = 2;
  check_message(pfc_pool_script(p.pool, &bad) == PFC_INVALID, "level: expected 0 to 1 for duel, got 2");
  bad.level = -1;
  check_message(pfc_pool_script(p.pool, &bad) == PFC_INVALID, "level: expected 0 to 1 for duel, got -1");
  bad = good;
  bad.num_rows = 7;
  check_message(pfc_pool_script(p.pool, &bad) == PFC_INVALID, "num_rows: expected 8 without a list of rows, got 7");
  bad.num_rows = -1;
  check_message(pfc_pool_script(p.pool, &bad) == PFC_INVALID, "num_rows");
  bad.rows = rows;
  check_message(pfc_pool_script(p.pool, &bad) == PFC_INVALID, "num_rows");
  bad.num_rows = 3;
  check_message(pfc_pool_script(p.pool, &bad) == PFC_INVALID, "rows[1]: expected 0 to 7, got 8");
  rows[1] = -1;
  check_message(pfc_pool_script(p.pool, &bad) == PFC_INVALID, "rows[1]: expected 0 to 7, got -1");
  fill_actions(p.b, 1, 0, p.actions);
  CHECK(pfc_pool_send(p.pool, 0, p.actions, PFC_INT32, NULL) == PFC_OK);
  check_message(pfc_pool_script(p.pool, &good) == PFC_STATE, "was sent and not received");
  for (int64_t i = 0; i < 16; ++i) CHECK(actions[i] == 0x55555555);  // no refused call wrote
  free(actions);
  player_close(&p), player_close(&without);
}

int main(void) {
  for_each_duel_case(test_plays);
  for_each_duel_case(test_changes_nothing);
  test_depends_on();
  test_divisions_of_rows();
  test_divisions_of_games();
  test_golden();
  test_continuous();
  test_refusals();
  return check_report();
}
