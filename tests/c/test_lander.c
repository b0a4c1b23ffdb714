// test_lander.c - the Lander: rules of landing and crashing, statistics of Gymnasium's LunarLander-v3, resets that
// clear the physics world, and the max number of games in a process.
#include "harness.h"

// ---- a pilot ------------------------------------------------------------------------------------------------

// A proportional-derivative pilot: leans against the drift, and descends more slowly near the pad. seen: one
// observation.
static int32_t pilot(const float* seen) {
  const bool standing = seen[6] > 0.0f || seen[7] > 0.0f;
  const float lean = pfc_clampf(0.5f * seen[0] + seen[2], -0.4f, 0.4f);
  const float turn = standing ? 0.0f : 0.5f * (lean - seen[4]) - seen[5];
  const float rise = standing ? -0.5f * seen[3] : 0.5f * (0.55f * fabsf(seen[0]) - seen[1]) - 0.5f * seen[3];
  if (rise > fabsf(turn) && rise > 0.05f) return 2;
  return turn < -0.05f ? 3 : turn > 0.05f ? 1 : 0;
}

typedef struct Statistics {
  double episodes, returns, lengths, landed;
} Statistics;

typedef int32_t Choice(const float* seen);

static void fly_by(Player* p, Choice* choose) {
  for (int32_t row = 0; row < p->b->rows; ++row)
    ((int32_t*)p->actions)[row] = choose((const float*)p->b->observations + 8 * row);
  CHECK(pfc_pool_step(p->pool, p->actions, PFC_INT32, NULL) == PFC_OK);
}

static void fly(Player* p) { fly_by(p, pilot); }

// Counts the first episodes of every game, so that short ones do not count more often than long ones.
static Statistics fly_episodes(const PfcPoolDesc* desc, int32_t episodes_per_game, Choice* choose) {
  Player p = player_start(desc);
  int32_t* flown = calloc((size_t)p.b->rows, sizeof *flown);
  Statistics sum = {0};
  const double wanted = (double)p.b->rows * episodes_per_game;
  while (sum.episodes < wanted) {
    fly_by(&p, choose);
    for (int32_t row = 0; row < p.b->rows; ++row) {
      if (!row_ended(p.b, row) || flown[row]++ >= episodes_per_game) continue;
      sum.episodes += 1.0;
      sum.returns += (double)p.b->episode_returns[row];
      sum.lengths += p.b->episode_lengths[row];
      sum.landed += (double)p.b->episode_metrics[row * p.b->num_metrics + 1];
    }
  }
  free(flown);
  player_close(&p);
  return sum;
}

// Gymnasium 1.4 with this pilot, 200 episodes: return 245 +- 7, length 249, 93 % landed. The bounds are five standard
// errors of 400 episodes here and leave room for the other Box2D.
static void test_statistics(void) {
  const PfcPoolDesc desc = {.env = "lander", .num_games = 80, .seed = 5};
  const Statistics sum = fly_episodes(&desc, 5, pilot);
  CHECK(sum.returns / sum.episodes > 215.0 && sum.returns / sum.episodes < 275.0);
  CHECK(sum.lengths / sum.episodes > 225.0 && sum.lengths / sum.episodes < 280.0);
  CHECK(sum.landed / sum.episodes > 0.84 && sum.landed / sum.episodes < 0.98);
}

static int32_t coast(const float* seen) { return (void)seen, 0; }
static int32_t turn_left(const float* seen) { return (void)seen, 1; }

// A crash ends the episode. Gymnasium 1.4, 300 episodes each: without engines return -135 +- 3, length 70.3; with the
// left engine always on -586 +- 10, length 67.3. Bounds as above.
static void test_crashes(void) {
  const PfcPoolDesc desc = {.env = "lander", .num_games = 80, .seed = 6};
  const Statistics fall = fly_episodes(&desc, 5, coast), spin = fly_episodes(&desc, 5, turn_left);
  CHECK(fall.returns / fall.episodes > -165.0 && fall.returns / fall.episodes < -110.0);
  CHECK(fall.lengths / fall.episodes > 66.0 && fall.lengths / fall.episodes < 76.0);
  CHECK(spin.returns / spin.episodes > -680.0 && spin.returns / spin.episodes < -510.0);
  CHECK(spin.lengths / spin.episodes > 62.0 && spin.lengths / spin.episodes < 82.0);
  CHECK(fall.landed + spin.landed == 0.0);
}

// ---- rules ----------------------------------------------------------------------------------------------------

// Without engines it falls for about a hundred steps and crashes: reward -100 in the last step, never landed.
static void test_fall(void) {
  const PfcPoolDesc desc = {.env = "lander", .num_games = 16, .seed = 1, .autoreset = PFC_AUTORESET_DISABLED};
  Player p = player_start(&desc);
  memset(p.actions, 0, 16 * sizeof(int32_t));
  bool ended[16] = {false};
  for (int32_t t = 1; t <= 400; ++t) {
    CHECK(pfc_pool_step(p.pool, p.actions, PFC_INT32, NULL) == PFC_OK);
    for (int32_t row = 0; row < 16; ++row) {
      if (ended[row] || !p.b->terminated[row]) continue;
      ended[row] = true;
      CHECK(t > 30 && p.b->rewards[row] == -100.0f);
      CHECK(p.b->episode_metrics[row * p.b->num_metrics + 1] == 0.0f);
    }
  }
  for (int32_t row = 0; row < 16; ++row) CHECK(ended[row]);
  player_close(&p);
}

// Mean over many games of one observed value after `steps` of one action.
static double mean_after(int32_t action, int32_t value, const PfcParamValue* params, int32_t num_params,
                         int32_t steps) {
  const PfcPoolDesc desc = {.env = "lander", .num_games = 64, .seed = 9, .params = params, .num_params = num_params};
  Player p = player_start(&desc);
  double mean = 0.0;
  for (int32_t row = 0; row < 64; ++row) ((int32_t*)p.actions)[row] = action;
  for (int32_t t = 0; t < steps; ++t) CHECK(pfc_pool_step(p.pool, p.actions, PFC_INT32, NULL) == PFC_OK);
  for (int32_t row = 0; row < 64; ++row) mean += (double)((const float*)p.b->observations)[8 * row + value] / 64.0;
  player_close(&p);
  return mean;
}

// In twenty steps of 1/50 s gravity changes the speed by 4 m/s, 0.533 in the observation's unit; half the gravity by
// half of it. Each engine pushes in its own direction.
static void test_forces(void) {
  const PfcParamValue weak = {"gravity", -5.0};
  const double start = mean_after(0, 3, NULL, 0, 0), coast = mean_after(0, 3, NULL, 0, 20);
  CHECK(fabs(start - coast - 0.5333) < 0.005);
  CHECK(fabs(mean_after(0, 3, &weak, 1, 0) - mean_after(0, 3, &weak, 1, 20) - 0.2667) < 0.005);
  CHECK(mean_after(2, 3, NULL, 0, 20) > start);             // the main engine more than carries the weight
  CHECK(mean_after(1, 4, NULL, 0, 20) > 0.02);              // the left engine turns it to the left
  CHECK(mean_after(3, 4, NULL, 0, 20) < -0.02);
}

static void test_wind(void) {
  const PfcParamValue wind[] = {{"enable_wind", 1}, {"wind_power", 20}};
  const PfcPoolDesc calm_desc = {.env = "lander", .num_games = 32, .seed = 3};
  PfcPoolDesc windy_desc = calm_desc;
  windy_desc.params = wind;
  windy_desc.num_params = 2;
  Player calm = player_start(&calm_desc), windy = player_start(&windy_desc);
  double moved = 0.0;
  for (int32_t t = 0; t < 20; ++t) fly(&calm), fly(&windy);
  for (int32_t row = 0; row < 32; ++row) {
    const float* still = (const float*)calm.b->observations + 8 * row;
    const float* blown = (const float*)windy.b->observations + 8 * row;
    moved += fabs((double)still[0] - (double)blown[0]);
  }
  CHECK(moved / 32.0 > 0.005);
  player_close(&calm);
  player_close(&windy);
}

// ---- worlds ---------------------------------------------------------------------------------------------------

// Hash of some steps after a reset with a seed. The pilot lands, so the hash includes contacts and sleeping bodies.
static uint64_t hash_from_seed(Player* p, uint64_t seed, int32_t steps) {
  const PfcResetDesc reset = {.has_seed = 1, .seed = seed};
  CHECK(pfc_pool_reset(p->pool, &reset) == PFC_OK);
  uint64_t hash = 1;
  for (int32_t t = 0; t < steps; ++t) {
    fly(p);
    for (int32_t game = 0; game < p->b->num_games; ++game) hash = hash_game(hash, p->b, p->b->observations, game);
  }
  return hash;
}

// After a reset with a seed, a game that has played for long, in any world, plays like a new one.
static void test_reset_clears_the_world(void) {
  enum { STEPS = 2500 };
  const PfcPoolDesc desc = {.env = "lander", .num_games = 24, .seed = 1};
  Player fresh = player_start(&desc);
  const uint64_t expected = hash_from_seed(&fresh, 11, STEPS);
  Player other = player_start(&desc);  // in other slots of Box2D's table
  player_close(&fresh);
  for (uint64_t seed = 20; seed < 23; ++seed) {
    CHECK(hash_from_seed(&other, seed, 700 + 61 * (int32_t)(seed - 20)) != expected);
    CHECK(hash_from_seed(&other, 11, STEPS) == expected);
  }
  for (int32_t t = 0; t < 300; ++t) player_step(&other);  // crashes of all kinds
  CHECK(hash_from_seed(&other, 11, STEPS) == expected);
  player_close(&other);
}

// All slots of Box2D's table of worlds give the same result, also slots that other games have used.
static void test_slots(void) {
  enum { GAMES = 6, STEPS = 400 };
  PfcPoolDesc desc = {.env = "lander", .num_games = GAMES, .seed = 1};
  Player first = player_start(&desc);
  const uint64_t expected = hash_from_seed(&first, 12, STEPS);
  player_close(&first);
  desc.num_games = pfc_env_find("lander")->max_games - GAMES;
  Player full = player_start(&desc);
  fly(&full);
  desc.num_games = GAMES;
  Player last = player_start(&desc);
  CHECK(hash_from_seed(&last, 12, STEPS) == expected);
  player_close(&full);
  Player again = player_start(&desc);
  CHECK(hash_from_seed(&again, 12, STEPS) == expected);
  CHECK(hash_from_seed(&last, 12, STEPS) == expected);
  player_close(&last);
  player_close(&again);
}

// Several games, whose worlds any thread may step and reset.
static void test_workers(void) {
  PfcPoolDesc desc = {.env = "lander", .num_games = 40, .seed = 2};
  uint64_t hashes[2];
  for (int32_t i = 0; i < 2; ++i) {
    desc.num_threads = i == 0 ? 1 : 4;
    Player p = player_start(&desc);
    hashes[i] = hash_from_seed(&p, 6, 600);
    player_close(&p);
  }
  CHECK(hashes[0] == hashes[1]);
}

static void test_world_limit(void) {
  PfcPoolDesc desc = {.env = "lander", .num_games = pfc_env_find("lander")->max_games};
  PfcPool* full = pfc_pool_create(&desc);
  CHECK(full != NULL);
  desc.num_games = 1;
  CHECK(pfc_pool_create(&desc) == NULL);
  CHECK(strstr(pfc_last_error(), "num_games: lander could open only 0 games, not 1; "));
  CHECK(strstr(pfc_last_error(), "PUFFERC_BOX2D_SOURCE"));
  pfc_pool_destroy(full);
  desc.num_games = pfc_env_find("lander")->max_games + 1;
  CHECK(pfc_pool_create(&desc) == NULL);
  CHECK(strstr(pfc_last_error(), "games of lander, got ") && strstr(pfc_last_error(), "PUFFERC_BOX2D_SOURCE"));
  desc.num_games = 1;
  PfcPool* again = pfc_pool_create(&desc);  // the refused pool has released its worlds
  CHECK(again != NULL);
  unsigned char snapshot[1];
  CHECK(pfc_pool_save(again, snapshot, sizeof snapshot) == PFC_UNSUPPORTED);
  pfc_pool_destroy(again);
}

int main(void) {
  test_statistics();
  test_crashes();
  test_fall();
  test_forces();
  test_wind();
  test_reset_clears_the_world();
  test_slots();
  test_workers();
  test_world_limit();
  return check_report();
}
