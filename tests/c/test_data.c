// test_data.c - games that read a file: reset_from and respawn_from with a map of duel; snapshots; invalid maps.
#include "duel.h"

enum { GAMES = 12, HEAD = 7, CELLS = 15, MAP_BYTES = DUEL_MAP_BYTES };

static const PfcParamValue walled[] = {{"walls", 1}, {"lives", 0}, {"max_steps", 20}};

static void make_map(uint8_t* map) { memcpy(map, duel_map, MAP_BYTES); }

static PfcPoolDesc desc_of(const uint8_t* map) {
  return (PfcPoolDesc){.spec = &pfc_env_duel,
                       .num_games = GAMES,
                       .seed = 4,
                       .params = walled,
                       .num_params = 3,
                       .data = map,
                       .data_bytes = MAP_BYTES};
}

static bool is_corner(int32_t cell) { return cell == 0 || cell == 4 || cell == 10 || cell == 14; }

// Walls are value 3 in the observation. They must be exactly where the map has them.
static bool walls_stand(const Player* p) {
  bool correct = true;
  for (int64_t row = 0; row < p->b->rows; ++row) {
    const int8_t* board = (const int8_t*)obs_row(p->b->observations, p->b, row) + 3;
    for (int32_t cell = 0; cell < CELLS; ++cell) correct = correct && (board[cell] == 3) == is_corner(cell);
  }
  return correct;
}

// Every reset reads the map: the first one, autoresets, partial resets. Without data no map is read.
static void test_reset_from(void) {
  uint8_t map[MAP_BYTES], kept[MAP_BYTES];
  make_map(map), make_map(kept);
  PfcPoolDesc desc = desc_of(map);
  Player p = player_start(&desc);
  int32_t ended = 0;
  CHECK(walls_stand(&p));
  for (int32_t t = 0; t < 100; ++t) {
    player_step(&p);
    ended += pfc_pool_ended(p.pool, -1);
    CHECK(walls_stand(&p));
    uint8_t mask[2 * GAMES] = {1, 1};
    if (t % 10 == 0) CHECK(pfc_pool_reset(p.pool, &(PfcResetDesc){.mask = mask}) == PFC_OK && walls_stand(&p));
    if (t % 10 == 0) CHECK(((const int8_t*)p.b->observations)[1] == 6);  // charges of the map
  }
  CHECK(ended > 0 && memcmp(map, kept, MAP_BYTES) == 0);
  player_close(&p);
  desc.data = NULL, desc.data_bytes = 0;
  Player without = player_start(&desc);
  CHECK(!walls_stand(&without) && ((const int8_t*)without.b->observations)[1] == 3);
  player_close(&without);
}

// In games with `respawn` agents come back with respawn_from, which gives half the charges.
static void test_respawn_from(void) {
  const PfcEnvSpec lives = duel_with_lives();
  const PfcParamValue params[] = {{"walls", 1}, {"lives", 1}, {"players", 4}};
  uint8_t map[MAP_BYTES];
  make_map(map);
  PfcPoolDesc desc = desc_of(map);
  desc.spec = &lives;
  desc.params = params;
  Player p = player_start(&desc);
  int32_t respawned = 0;
  for (int32_t t = 0; t < 300; ++t) {
    player_step(&p);
    CHECK(walls_stand(&p));
    for (int64_t row = 0; row < p.b->rows; ++row) {
      if (!row_ended(p.b, row)) continue;
      CHECK(((const int8_t*)obs_row(p.b->observations, p.b, row))[1] == 3);
      ++respawned;
    }
  }
  CHECK(respawned > 0);
  uint8_t mask[4 * GAMES] = {0, 1};  // resets one agent by hand
  CHECK(pfc_pool_reset(p.pool, &(PfcResetDesc){.mask = mask}) == PFC_OK);
  CHECK(((const int8_t*)obs_row(p.b->observations, p.b, 1))[1] == 3);
  CHECK(pfc_pool_reset(p.pool, NULL) == PFC_OK && ((const int8_t*)p.b->observations)[1] == 6);
  player_close(&p);
}

static void test_threads(void) {
  uint8_t map[MAP_BYTES];
  make_map(map);
  PfcPoolDesc desc = desc_of(map);
  desc.num_games = 200;
  uint64_t hashes[3];
  for (int32_t i = 0; i < 3; ++i) {
    desc.num_threads = 1 + 3 * i;
    Player p = player_start(&desc);
    hashes[i] = play_and_hash(&p, 200);
    player_close(&p);
  }
  CHECK(hashes[0] == hashes[1] && hashes[0] == hashes[2]);
}

// ---- invalid data ----------------------------------------------------------------------------------------------

static void expect_refused(const uint8_t* map, uint64_t bytes, const char* words) {
  PfcPoolDesc desc = desc_of(map);
  desc.data_bytes = bytes;
  check_message(pfc_pool_create(&desc) == NULL, words);
  CHECK(pfc_last_status() == PFC_INVALID);
}

static void test_refused(void) {
  uint8_t map[MAP_BYTES];
  make_map(map);
  expect_refused(map, 0, "data: expected a map that begins with DUEL");
  expect_refused(map, MAP_BYTES - 1, "data: expected a map of width x height cells");
  map[HEAD + 3] = 2;
  expect_refused(map, MAP_BYTES, "data: expected cells of 0 and 1");
  memset(map + HEAD, 1, CELLS);
  expect_refused(map, MAP_BYTES, "data: the map needs a free cell for each player");
  expect_refused(NULL, MAP_BYTES, "data: expected 22 bytes, got NULL");
  make_map(map);
  PfcPoolDesc desc = desc_of(map);
  desc.num_params = 0;
  check_message(pfc_pool_create(&desc) == NULL, "data: the map has walls; set the parameter walls");
  desc = (PfcPoolDesc){.env = "squared", .num_games = 1, .data = map, .data_bytes = MAP_BYTES};
  check_message(pfc_pool_create(&desc) == NULL, "data: squared does not read data");
  CHECK(pfc_last_status() == PFC_UNSUPPORTED);
}

static const char* refuse_long(const void* params, const void* data, uint64_t data_bytes) {
  (void)data, (void)data_bytes;
  return *(const int32_t*)params > 30 ? "this map is for 30 steps" : NULL;
}

// A parameter that set_param changes must still fit the map.
static void test_set_param(void) {
  uint8_t map[MAP_BYTES];
  make_map(map);
  PfcEnvSpec spec = pfc_env_duel;
  spec.check_data = refuse_long;
  PfcPoolDesc desc = desc_of(map);
  desc.spec = &spec;
  Player p = player_start(&desc);
  check_message(pfc_pool_set_param(p.pool, "max_steps", 31) == PFC_INVALID, "data: this map is for 30 steps");
  CHECK(pfc_pool_param(p.pool, 0) == 20 && pfc_pool_set_param(p.pool, "max_steps", 30) == PFC_OK);
  player_close(&p);
}

// ---- snapshots ---------------------------------------------------------------------------------------------------

// A snapshot loads into a pool with the same data, at any address, and into no other.
static void test_snapshots(void) {
  uint8_t maps[3][MAP_BYTES];
  for (int32_t i = 0; i < 3; ++i) make_map(maps[i]);
  maps[2][HEAD + 7] = 1;  // one more wall
  const PfcPoolDesc desc = desc_of(maps[0]);
  Player p = player_start(&desc);
  for (int32_t t = 0; t < 50; ++t) player_step(&p);
  unsigned char* snapshot = take_snapshot(p.pool);
  const uint64_t bytes = pfc_pool_snapshot_bytes(p.pool);
  const PfcPoolDesc same_desc = desc_of(maps[1]), other_desc = desc_of(maps[2]);
  PfcPoolDesc none_desc = same_desc;
  none_desc.data = NULL, none_desc.data_bytes = 0;
  Player same = player_open(&same_desc), other = player_open(&other_desc), none = player_start(&none_desc);
  CHECK(pfc_pool_load(same.pool, snapshot, bytes, NULL) == PFC_OK);
  same.t = p.t;
  CHECK(play_and_hash(&p, 100) == play_and_hash(&same, 100));
  check_message(pfc_pool_load(other.pool, snapshot, bytes, NULL) == PFC_INVALID,
                "snapshot: the data of duel is different");
  check_message(pfc_pool_load(none.pool, snapshot, bytes, NULL) == PFC_INVALID,
                "snapshot: the data of duel is different");
  CHECK(pfc_pool_save(none.pool, snapshot, bytes) == PFC_OK);
  check_message(pfc_pool_load(same.pool, snapshot, bytes, NULL) == PFC_INVALID,
                "snapshot: the data of duel is different");
  free(snapshot);
  player_close(&p), player_close(&same), player_close(&other), player_close(&none);
}

int main(void) {
  test_reset_from();
  test_respawn_from();
  test_threads();
  test_refused();
  test_set_param();
  test_snapshots();
  return check_report();
}
