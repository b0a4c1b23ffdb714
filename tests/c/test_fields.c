// test_fields.c - state fields by name: every dtype, offsets that depend on parameters, effects of writing a field.
#include "duel.h"
#include "pool/pool.h"
#include "test_games.h"

enum { GAMES = 6 };

static PfcField field_of(const Player* p, const char* name, int32_t* index) {
  PfcField field = {0};
  *index = pfc_pool_find_field(p->pool, name);
  CHECK(*index >= 0 && pfc_pool_field(p->pool, *index, &field) == PFC_OK && strcmp(field.name, name) == 0);
  return field;
}

static uint64_t field_bytes(const PfcField* field) { return field->count * PFC_DTYPE_BYTES(field->dtype) * GAMES; }

// A copy of a field of every game; the caller frees it.
static void* get(const Player* p, const char* name) {
  int32_t index;
  const PfcField field = field_of(p, name, &index);
  void* values = malloc(field_bytes(&field));
  CHECK(pfc_pool_get_field(p->pool, index, values, field_bytes(&field)) == PFC_OK);
  return values;
}

static void set(const Player* p, const char* name, const void* values) {
  int32_t index;
  const PfcField field = field_of(p, name, &index);
  CHECK(pfc_pool_set_field(p->pool, index, values, field_bytes(&field), NULL) == PFC_OK);
}

// Each field reads and writes the bytes at its offset in every game's state.
static void test_all_fields(const Case* c) {
  const PfcPoolDesc desc = case_desc(c, GAMES, 4);
  Player p = player_start(&desc);
  uint32_t dtypes = 0;
  for (int32_t t = 0; t < 30; ++t) player_step(&p);
  unsigned char* snapshot = take_snapshot(p.pool);
  for (int32_t i = 0; i < p.b->spec->num_fields; ++i) {
    PfcField field;
    CHECK_GAME(c->label, pfc_pool_field(p.pool, i, &field) == PFC_OK);
    CHECK_GAME(c->label, field.offset + field_bytes(&field) / GAMES <= p.pool->layout.state_bytes);
    const size_t bytes = field_bytes(&field), each = bytes / GAMES;
    unsigned char *values = malloc(bytes), *noise = malloc(bytes);
    dtypes |= 1u << field.dtype;
    CHECK_GAME(c->label, pfc_pool_get_field(p.pool, i, values, bytes) == PFC_OK);
    for (int32_t g = 0; g < GAMES; ++g)
      CHECK_GAME(c->label,
                 memcmp(values + each * (size_t)g, pfc_game_state(&p.pool->games, g) + field.offset, each) == 0);
    for (size_t k = 0; k < bytes; ++k)
      noise[k] = (unsigned char)(values[k] ^ (k % 3));  // small changes keep states valid
    CHECK_GAME(c->label, pfc_pool_set_field(p.pool, i, noise, bytes, NULL) == PFC_OK || bytes == 0);
    CHECK_GAME(c->label, pfc_pool_get_field(p.pool, i, values, bytes) == PFC_OK && memcmp(values, noise, bytes) == 0);
    CHECK_GAME(c->label, pfc_pool_load(p.pool, snapshot, pfc_pool_snapshot_bytes(p.pool), NULL) == PFC_OK);
    free(values), free(noise);
  }
  CHECK_GAME(c->label,
             dtypes == (1u << PFC_FLOAT32 | 1u << PFC_INT32 | 1u << PFC_UINT8 | 1u << PFC_INT8 | 1u << PFC_INT64 |
                        1u << PFC_UINT16 | 1u << PFC_INT16 | 1u << PFC_UINT32 | 1u << PFC_UINT64 | 1u << PFC_FLOAT64));
  free(snapshot);
  player_close(&p);
}

// `field` gives the offsets of arrays after the struct: the board read by name is the board in the observation.
static void test_offsets_depend_on_parameters(void) {
  const PfcParamValue params[] = {{"width", 6}, {"height", 5}};
  for (int32_t num_params = 0; num_params <= 2; ++num_params) {
    const PfcPoolDesc desc = {.spec = &pfc_env_duel, .num_games = GAMES, .params = params, .num_params = num_params};
    Player p = player_start(&desc);
    int32_t index;
    const uint64_t cells = (num_params > 0 ? 6u : 5u) * (num_params > 1 ? 5u : 3u), bytes = p.b->spec->state_bytes;
    const PfcField stamps = field_of(&p, "stamps", &index), board = field_of(&p, "board", &index);
    CHECK(stamps.count == cells && stamps.offset == bytes && stamps.dtype == PFC_UINT16);
    CHECK(board.count == cells && board.offset == bytes + 2 * cells && board.dtype == PFC_UINT8);
    for (int32_t t = 0; t < 20; ++t) player_step(&p);
    uint8_t* values = get(&p, "board");
    for (int32_t g = 0; g < GAMES; ++g) {
      const int8_t* seen = (const int8_t*)obs_row(p.b->observations, p.b, 2 * g) + 3;  // of agent 0
      for (uint64_t k = 0; k < cells; ++k) CHECK(seen[k] == values[(uint64_t)g * cells + k]);  // 1 own, 2 the other's
    }
    free(values);
    player_close(&p);
  }
}

// Writing a field updates observations and masks at once, and keeps the other results of the latest step. The game
// continues from the written state.
static void test_set_observes(void) {
  const PfcPoolDesc desc = {.spec = &pfc_env_duel, .num_games = GAMES, .num_threads = 2, .num_groups = 2, .seed = 1};
  Player p = player_start(&desc);
  do player_step(&p);
  while (pfc_pool_ended(p.pool, -1) == 0);
  const int32_t ended = pfc_pool_ended(p.pool, -1);
  float rewards[2 * GAMES];
  uint8_t terminated[2 * GAMES];
  memcpy(rewards, p.b->rewards, sizeof rewards);
  memcpy(terminated, p.b->terminated, sizeof terminated);
  int32_t* turn = get(&p, "turn");
  for (int32_t g = 0; g < GAMES; ++g) turn[g] = 1 - turn[g];
  const void* before = p.b->observations;
  set(&p, "turn", turn);
  CHECK(p.b->observations != before && pfc_pool_group_observations(p.pool, 0) == p.b->observations);
  for (int32_t row = 0; row < 2 * GAMES; ++row) {
    const int8_t* seen = (const int8_t*)obs_row(p.b->observations, p.b, row);
    const bool moves = turn[row / 2] == row % 2;
    CHECK(seen[0] == moves && choice_is_legal(p.b, row, 0) == !moves && (moves || p.b->forced[row]));
  }
  CHECK(pfc_pool_ended(p.pool, -1) == ended && memcmp(rewards, p.b->rewards, sizeof rewards) == 0);
  CHECK(memcmp(terminated, p.b->terminated, sizeof terminated) == 0);

  uint8_t board[15 * GAMES] = {0}, held[6 * GAMES] = {0};
  int8_t* mine = calloc(obs_total_bytes(p.b), 1);
  for (int32_t g = 0; g < GAMES; ++g) {  // all cells but the last two are player 0's
    memset(board + 15 * g, 1, 13);
    board[15 * g + 13] = 2;
    held[6 * g] = 13, held[6 * g + 1] = 1, turn[g] = 0;
  }
  int32_t index;
  set(&p, "board", board), set(&p, "held", held);
  (void)field_of(&p, "turn", &index);
  CHECK(pfc_pool_set_field(p.pool, index, turn, sizeof(int32_t) * GAMES, mine) == PFC_OK && p.b->observations == mine);
  for (int32_t g = 0; g < GAMES; ++g)
    CHECK(choice_is_legal(p.b, 2 * g, 3 + 14) && !choice_is_legal(p.b, 2 * g, 3 + 12));
  for (int32_t g = 0; g < GAMES; ++g) CHECK(mine[(int64_t)p.b->obs_bytes * 2 * g + 3 + 13] == 2);
  int32_t* actions = p.actions;
  for (int32_t row = 0; row < 2 * GAMES; ++row) {
    actions[2 * row] = row % 2 == 0;  // player 0 claims the last cell, which ends the game
    actions[2 * row + 1] = row % 2 ? 33 : 14;
  }
  CHECK(pfc_pool_step(p.pool, actions, PFC_INT32, NULL) == PFC_OK && pfc_pool_ended(p.pool, -1) == 2 * GAMES);
  for (int32_t g = 0; g < GAMES; ++g) CHECK(p.b->rewards[2 * g] == 0.1f + 1.0f && p.b->rewards[2 * g + 1] == -1.0f);
  free(turn), free(mine);
  player_close(&p);
}

// Writing back a field changes nothing.
static void test_writing_back_changes_nothing(const Case* c) {
  const PfcPoolDesc desc = case_desc(c, GAMES, 4);
  Player touched = player_start(&desc), other = player_start(&desc);
  for (int32_t t = 0; t < 60; ++t) {
    const char* name = touched.b->spec->fields[t % touched.b->spec->num_fields].name;
    void* values = get(&touched, name);
    set(&touched, name, values);
    free(values);
    player_step(&touched), player_step(&other);
    CHECK_GAME(c->label, hash_pool(&touched) == hash_pool(&other));
  }
  player_close(&touched), player_close(&other);
}

// ---- refusals ------------------------------------------------------------------------------------------------

static void test_arguments(void) {
  const PfcPoolDesc desc = {.spec = &pfc_env_duel, .num_games = GAMES, .num_groups = 2},
                    none = {.env = "squared", .num_games = 1};
  Player p = player_open(&desc), without = player_start(&none);
  int32_t turn[GAMES + 1] = {0};
  const uint64_t bytes = sizeof(int32_t) * GAMES;
  PfcField field;
  CHECK(pfc_pool_find_field(p.pool, "turn") == 4);  // also before the first reset
  check_message(pfc_pool_find_field(p.pool, "trun") == -1, "duel has no state field \"trun\"; did you mean \"turn\"?");
  check_message(pfc_pool_find_field(p.pool, "something") == -1, "duel has no state field \"something\"");
  check_message(pfc_pool_find_field(p.pool, NULL) == -1, "name");
  check_message(pfc_pool_find_field(NULL, "turn") == -1, "name");
  check_message(pfc_pool_find_field(without.pool, "turn") == -1, "squared has no state fields");
  CHECK(pfc_last_status() == PFC_UNSUPPORTED);
  check_message(pfc_pool_field(p.pool, 14, &field) == PFC_INVALID, "index: duel has 14 state fields, got 14");
  check_message(pfc_pool_field(p.pool, -1, &field) == PFC_INVALID, "got -1");
  check_message(pfc_pool_field(p.pool, 0, NULL) == PFC_INVALID, "NULL");
  check_message(pfc_pool_field(NULL, 0, &field) == PFC_INVALID, "NULL");
  check_message(pfc_pool_get_field(p.pool, 4, turn, bytes) == PFC_STATE, "reset the pool");
  check_message(pfc_pool_set_field(p.pool, 4, turn, bytes, NULL) == PFC_STATE, "reset the pool");
  CHECK(pfc_pool_reset(p.pool, NULL) == PFC_OK);
  check_message(pfc_pool_get_field(p.pool, 4, turn, bytes + 4) == PFC_INVALID,
                "expected 24 bytes for field turn of 6 games, got 28");
  check_message(pfc_pool_set_field(p.pool, 4, turn, bytes - 4, NULL) == PFC_INVALID, "expected 24 bytes");
  check_message(pfc_pool_get_field(p.pool, 4, NULL, bytes) == PFC_INVALID, "got 0");
  check_message(pfc_pool_set_field(p.pool, 4, NULL, bytes, NULL) == PFC_INVALID, "got 0");
  check_message(pfc_pool_get_field(p.pool, 99, turn, bytes) == PFC_INVALID, "index");
  check_message(pfc_pool_get_field(NULL, 4, turn, bytes) == PFC_INVALID, "pool");
  fill_actions(p.b, 1, 0, p.actions);
  CHECK(pfc_pool_send(p.pool, 0, p.actions, PFC_INT32, NULL) == PFC_OK);
  check_message(pfc_pool_get_field(p.pool, 4, turn, bytes) == PFC_STATE, "was sent and not received");
  check_message(pfc_pool_set_field(p.pool, 4, turn, bytes, NULL) == PFC_STATE, "was sent and not received");
  player_close(&p), player_close(&without);
}

// Games that own something outside their state allow reading fields, but not writing them.
static void test_opened_games(void) {
  static const PfcField fields[] = {{"gold", PFC_UINT64, 1, sizeof(PfcRng)}};
  PfcEnvSpec spec = pfc_env_vault;
  spec.fields = fields;
  spec.num_fields = 1;
  const PfcPoolDesc desc = {.spec = &spec, .num_games = 2};
  Player p = player_start(&desc);
  uint64_t gold[2];
  CHECK(pfc_pool_get_field(p.pool, 0, gold, sizeof gold) == PFC_OK && gold[0] != 0 && gold[1] != gold[0]);
  check_message(pfc_pool_set_field(p.pool, 0, gold, sizeof gold, NULL) == PFC_UNSUPPORTED,
                "the state of vault cannot be set");
  player_close(&p);
}

static PfcField answer;  // result of the function below

static void give_field(const void* params, int32_t index, PfcField* field) {
  (void)params, (void)index;
  *field = answer;
}

// Fields that `field` puts outside the state are refused. It cannot change a field's name or dtype.
static void test_out_of_bounds(void) {
  PfcEnvSpec spec = pfc_env_duel;
  spec.field = give_field;
  const PfcPoolDesc desc = {.spec = &spec, .num_games = GAMES};
  Player p = player_start(&desc);
  const uint64_t state = p.pool->layout.state_bytes;
  const PfcField outside[] = {{"x", PFC_INT8, 1, state - 7},
                              {"x", PFC_INT8, 2, state - 8},
                              {"x", PFC_INT8, UINT64_MAX, 0},
                              {"x", PFC_INT8, 1, UINT64_MAX},
                              {"x", PFC_INT8, UINT64_MAX / 8 + 2, 8}};
  PfcField field;
  unsigned char value[8 * GAMES];
  for (size_t i = 0; i < sizeof outside / sizeof outside[0]; ++i) {
    answer = outside[i];
    check_message(pfc_pool_field(p.pool, 0, &field) == PFC_INVALID,
                  "duel: state field claims extends beyond the state, which has");
    check_message(pfc_pool_get_field(p.pool, 0, value, sizeof value) == PFC_INVALID, "beyond the state");
    check_message(pfc_pool_set_field(p.pool, 0, value, sizeof value, NULL) == PFC_INVALID, "beyond the state");
  }
  answer = (PfcField){"x", PFC_INT8, 1, state - 8};
  CHECK(pfc_pool_field(p.pool, 0, &field) == PFC_OK && field.dtype == PFC_UINT64 && strcmp(field.name, "claims") == 0);
  CHECK(pfc_pool_get_field(p.pool, 0, value, sizeof value) == PFC_OK);
  player_close(&p);
}

int main(void) {
  for_each_duel_case(test_all_fields);
  for_each_duel_case(test_writing_back_changes_nothing);
  test_offsets_depend_on_parameters();
  test_set_observes();
  test_arguments();
  test_opened_games();
  test_out_of_bounds();
  return check_report();
}
