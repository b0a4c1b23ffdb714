// test_seeds.c - a trajectory depends only on game, parameters and seeds.
#include "duel.h"

enum { GAMES = 6, MANY_GAMES = 150, STEPS = 300 };

static uint64_t hash_of(const Case* c, uint64_t seed, int32_t threads) {
  PfcPoolDesc desc = case_desc(c, case_games(c, MANY_GAMES), seed);
  desc.num_threads = threads;
  Player p = player_start(&desc);
  const uint64_t hash = play_and_hash(&p, STEPS / 3);
  player_close(&p);
  return hash;
}

// The rules of these games draw nothing, so that a trajectory depends on the actions alone.
static bool has_chance(const Case* c) {
  static const char* const without[] = {"connect4", "go", "kitchen"};
  for (size_t i = 0; i < sizeof without / sizeof without[0]; ++i)
    if (strcmp(c->game, without[i]) == 0) return false;
  return true;
}

static void test_same_and_different(const Case* c) {
  const uint64_t first = hash_of(c, 1, 1);
  CHECK_GAME(c->label, first == hash_of(c, 1, 1));
  CHECK_GAME(c->label, first == hash_of(c, 1, 4));
  CHECK_GAME(c->label, (first != hash_of(c, 2, 1)) == has_chance(c));
  CHECK_GAME(c->label, (first != hash_of(c, 1ull << 63, 1)) == has_chance(c));
}

static uint64_t reset_and_play(Player* p, const PfcResetDesc* reset) {
  p->t = 0;
  CHECK_GAME(p->b->spec->name, pfc_pool_reset(p->pool, reset) == PFC_OK);
  uint64_t hash = hash_bytes(0, p->b->observations, obs_total_bytes(p->b));
  return hash ^ play_and_hash(p, STEPS);
}

// reset(seed) repeats a run in a used pool: nothing of earlier episodes remains. reset() continues the streams.
static void test_reset_clears(const Case* c) {
  const PfcPoolDesc desc = case_desc(c, GAMES, 9);
  const PfcResetDesc nine = {.has_seed = 1, .seed = 9}, ten = {.has_seed = 1, .seed = 10};
  Player p = player_open(&desc);
  const uint64_t first = reset_and_play(&p, NULL);  // the seed of PfcPoolDesc
  CHECK_GAME(c->label, reset_and_play(&p, &nine) == first);
  CHECK_GAME(c->label, (reset_and_play(&p, &ten) != first) == has_chance(c));
  CHECK_GAME(c->label, reset_and_play(&p, &nine) == first);
  const uint64_t continued = reset_and_play(&p, NULL);
  CHECK_GAME(c->label, (continued != first) == has_chance(c));
  CHECK_GAME(c->label, reset_and_play(&p, &nine) == first);
  CHECK_GAME(c->label, reset_and_play(&p, NULL) == continued);
  CHECK_GAME(c->label, pfc_pool_reset(p.pool, NULL) == PFC_OK);
  for (int64_t row = 0; row < p.b->rows; ++row) CHECK_GAME(c->label, p.b->alive[row] == 1);
  player_close(&p);
}

// A reset clears flags and rewards; statistics start from there.
static void test_reset_state(const Case* c) {
  const PfcPoolDesc desc = case_desc(c, GAMES, 9);
  Player p = player_start(&desc);
  for (int32_t t = 0; t < 37; ++t) player_step(&p);
  CHECK_GAME(c->label, pfc_pool_reset(p.pool, NULL) == PFC_OK);
  CHECK_GAME(c->label, pfc_pool_ended(p.pool, -1) == 0);
  for (int64_t row = 0; row < p.b->rows; ++row)
    CHECK_GAME(c->label, p.b->rewards[row] == 0.0f && !row_ended(p.b, row) && p.b->alive[row] == 1);
  for (int32_t t = 1; t <= 200; ++t) {
    player_step(&p);
    for (int64_t row = 0; row < p.b->rows; ++row)
      if (row_ended(p.b, row)) CHECK_GAME(c->label, p.b->episode_lengths[row] <= t);
  }
  player_close(&p);
}

// Game i of a list of seeds is game 0 of a pool with that seed.
static void test_seed_list(const Case* c) {
  static const uint64_t seeds[GAMES] = {3, 0, 3, 1ull << 40, UINT64_MAX, 7};
  const PfcPoolDesc desc = case_desc(c, GAMES, 1), single_desc = case_desc(c, 1, 1);
  const PfcResetDesc list = {.seeds = seeds};
  Player p = player_open(&desc);
  CHECK_GAME(c->label, pfc_pool_reset(p.pool, &list) == PFC_OK);
  Player singles[GAMES];
  const uint64_t game_bytes = p.b->obs_bytes * (uint64_t)p.b->agents;
  for (int32_t g = 0; g < GAMES; ++g) {
    const PfcResetDesc one = {.has_seed = 1, .seed = seeds[g]};
    singles[g] = player_open(&single_desc);
    CHECK_GAME(c->label, pfc_pool_reset(singles[g].pool, &one) == PFC_OK);
  }
  for (int32_t t = 0; t < STEPS; ++t) {
    player_step(&p);
    for (int32_t g = 0; g < GAMES; ++g) {
      const int64_t first = (int64_t)g * p.b->agents;
      const unsigned char* actions = (unsigned char*)p.actions + first * p.b->action_dims * 4;
      CHECK_GAME(c->label, pfc_pool_step(singles[g].pool, actions, action_dtype(p.b), NULL) == PFC_OK);
      const PfcBuffers* s = singles[g].b;
      CHECK_GAME(c->label, memcmp(obs_row(p.b->observations, p.b, first), s->observations, game_bytes) == 0);
      CHECK_GAME(c->label, memcmp(p.b->rewards + first, s->rewards, sizeof(float) * (size_t)s->rows) == 0);
      CHECK_GAME(c->label, memcmp(p.b->terminated + first, s->terminated, (size_t)s->rows) == 0);
    }
  }
  for (int32_t g = 0; g < GAMES; ++g) player_close(&singles[g]);
  player_close(&p);
}

// A pool with some game numbers of a larger pool plays like these games in the larger pool, from the pool's seed and
// after a reset with a seed.
static void test_game_numbers(const Case* c) {
  static const uint64_t numbers[GAMES / 2] = {4, 1, 5};
  const PfcPoolDesc whole_desc = case_desc(c, GAMES, 3);
  PfcPoolDesc part_desc = case_desc(c, GAMES / 2, 3);
  part_desc.game_numbers = numbers;
  Player whole = player_open(&whole_desc), part = player_open(&part_desc);
  const int64_t agents = whole.b->agents, action_bytes = whole.b->action_dims * 4 * agents;
  for (uint64_t seed = 0; seed < 2; ++seed) {
    const PfcResetDesc reset = {.has_seed = 1, .seed = seed};
    CHECK_GAME(c->label, pfc_pool_reset(whole.pool, seed ? &reset : NULL) == PFC_OK);
    CHECK_GAME(c->label, pfc_pool_reset(part.pool, seed ? &reset : NULL) == PFC_OK);
    uint64_t hashes[2][GAMES / 2] = {{0}};
    for (int32_t t = 0; t < STEPS; ++t) {
      player_step(&whole);
      for (int32_t g = 0; g < GAMES / 2; ++g)
        memcpy((unsigned char*)part.actions + g * action_bytes,
               (unsigned char*)whole.actions + (int64_t)numbers[g] * action_bytes, (size_t)action_bytes);
      CHECK_GAME(c->label, pfc_pool_step(part.pool, part.actions, action_dtype(part.b), NULL) == PFC_OK);
      for (int32_t g = 0; g < GAMES / 2; ++g) {
        hashes[0][g] = hash_game(hashes[0][g], whole.b, whole.b->observations, (int32_t)numbers[g]);
        hashes[1][g] = hash_game(hashes[1][g], part.b, part.b->observations, g);
      }
    }
    for (int32_t g = 0; g < GAMES / 2; ++g) CHECK_GAME(c->label, hashes[0][g] == hashes[1][g]);
  }
  player_close(&part);
  player_close(&whole);
}

// Games of one pool differ from each other.
static void test_games_differ(const Case* c) {
  const PfcPoolDesc desc = case_desc(c, 32, 4);
  Player p = player_start(&desc);
  uint64_t hashes[32] = {0};
  for (int32_t t = 0; t < STEPS; ++t) {
    player_step(&p);
    for (int32_t g = 0; g < 32; ++g) hashes[g] = hash_game(hashes[g], p.b, p.b->observations, g);
  }
  for (int32_t g = 1; g < 32; ++g) CHECK_GAME(c->label, hashes[g] != hashes[g - 1]);
  player_close(&p);
}

int main(void) {
  for_each_case(test_same_and_different);
  for_each_case(test_reset_clears);
  for_each_case(test_reset_state);
  for_each_case(test_seed_list);
  for_each_case(test_game_numbers);
  for_each_case(test_games_differ);
  for_each_duel_case(test_same_and_different);
  for_each_duel_case(test_reset_clears);
  for_each_duel_case(test_reset_state);
  for_each_duel_case(test_seed_list);
  for_each_duel_case(test_game_numbers);
  for_each_duel_case(test_games_differ);
  return check_report();
}
