// test_impulse_pool.c - impulse in pools: a new world at every reset, worlds of any slot, threads, limits, truncation,
// and the ladder of bots. PUFFERC_TEST_EPISODES plays more episodes per pair than 200.
#include "harness.h"

static const PfcParamValue crowd[] = {{"drones", 8}, {"learners", 3}, {"cells", 21}, {"lives", 2}};

static PfcPoolDesc crowd_desc(int32_t num_games) {
  const PfcPoolDesc desc = {.env = "impulse", .num_games = num_games, .seed = 1, .params = crowd, .num_params = 4};
  return desc;
}

static uint64_t hash_from_seed(Player* p, uint64_t seed, int32_t steps) {
  const PfcResetDesc reset = {.has_seed = 1, .seed = seed};
  CHECK(pfc_pool_reset(p->pool, &reset) == PFC_OK);
  p->t = 0;
  return play_and_hash(p, steps);
}

// Played by a process that has done nothing else; see main.
static void print_fresh_hash(void) {
  const PfcPoolDesc desc = crowd_desc(2);
  Player p = player_start(&desc);
  printf("%016llx\n", (unsigned long long)hash_from_seed(&p, 11, 300));
  player_close(&p);
}

static uint64_t fresh_hash(const char* program) {
  char command[4096];
  unsigned long long hash = 0;
  snprintf(command, sizeof command, "'%s' fresh", program);
  FILE* child = popen(command, "r");
  CHECK(child && fscanf(child, "%llx", &hash) == 1);
  if (child) CHECK(pclose(child) == 0);
  return hash;
}

// After a hundred episodes a seed gives the same bits as in a fresh process.
static void test_renewed_world(uint64_t expected) {
  const PfcPoolDesc desc = crowd_desc(2);
  Player p = player_start(&desc);
  int32_t episodes = 0;
  while (episodes < 100) {
    player_step(&p);
    for (int32_t row = 0; row < p.b->rows; row += p.b->agents) episodes += row_ended(p.b, row);
  }
  CHECK(hash_from_seed(&p, 11, 300) == expected);
  CHECK(hash_from_seed(&p, 12, 300) != expected);
  player_close(&p);
}

// All slots of Box2D's table give the same result, also slots that other games have used.
static void test_slots(uint64_t expected) {
  PfcPoolDesc desc = crowd_desc(pfc_env_find("impulse")->max_games - 2);
  desc.num_params = 0;
  Player most = player_start(&desc);
  desc = crowd_desc(2);
  Player last = player_start(&desc);
  CHECK(hash_from_seed(&last, 11, 300) == expected);
  player_close(&most);
  Player again = player_start(&desc);
  CHECK(hash_from_seed(&again, 11, 300) == expected);
  player_close(&last);
  player_close(&again);
}

static void test_workers(void) {
  PfcPoolDesc desc = crowd_desc(14);
  static const int32_t threads[] = {1, 2, 7};
  uint64_t hashes[3];
  for (int32_t i = 0; i < 3; ++i) {
    desc.num_threads = threads[i];
    Player p = player_start(&desc);
    hashes[i] = hash_from_seed(&p, 6, 120);
    player_close(&p);
  }
  CHECK(hashes[0] == hashes[1] && hashes[0] == hashes[2]);
}

static void test_world_limit(void) {
  PfcPoolDesc desc = {.env = "lander", .num_games = pfc_env_find("lander")->max_games};
  PfcPool* full = pfc_pool_create(&desc);  // the other game on Box2D takes all worlds
  CHECK(full != NULL);
  desc.env = "impulse";
  desc.num_games = 1;
  check_message(pfc_pool_create(&desc) == NULL, "num_games: impulse could open only 0 games, not 1; ");
  check_message(pfc_pool_create(&desc) == NULL, "PUFFERC_BOX2D_SOURCE");
  pfc_pool_destroy(full);
  PfcPool* pool = pfc_pool_create(&desc);
  CHECK(pool != NULL);
  unsigned char snapshot[1];
  CHECK(pfc_pool_save(pool, snapshot, sizeof snapshot) == PFC_UNSUPPORTED);
  pfc_pool_destroy(pool);
}

static void check_refused(const PfcParamValue* params, int32_t num_params, const char* word) {
  const PfcPoolDesc desc = {.env = "impulse", .num_games = 1, .params = params, .num_params = num_params};
  check_message(pfc_pool_create(&desc) == NULL, word);
}

static void test_parameters(void) {
  const PfcParamValue many[] = {{"learners", 3}}, lonely[] = {{"teams", 1}}, uneven[] = {{"teams", 2}, {"drones", 3}};
  const PfcParamValue even[] = {{"cells", 16}};
  check_refused(many, 1, "learners");
  check_refused(lonely, 1, "teams");
  check_refused(uneven, 2, "teams");
  check_refused(even, 1, "cells");
  const PfcParamValue sides[] = {{"teams", 2}, {"drones", 4}, {"learners", 3}};
  const PfcPoolDesc desc = {.env = "impulse", .num_games = 1, .params = sides, .num_params = 3};
  Player p = player_start(&desc);
  CHECK(p.b->teams && p.b->num_teams == 2 && p.b->teams[0] == 0 && p.b->teams[1] == 1 && p.b->teams[2] == 0);
  player_close(&p);
}

// Two ducks until max_steps: truncated, not terminated.
static void test_truncation(void) {
  const PfcParamValue ducks[] = {{"bot", 0}, {"pilot", 0}, {"sudden_death", 0}, {"max_steps", 40}};
  const PfcPoolDesc desc = {.env = "impulse", .num_games = 2, .params = ducks, .num_params = 4};
  Player p = player_start(&desc);
  for (int32_t t = 1; t <= 40; ++t) {
    player_step(&p);
    CHECK(p.b->truncated[0] == (t == 40) && !p.b->terminated[0]);
  }
  CHECK(p.b->episode_metrics[0] == 0.0f && p.b->episode_lengths[0] == 40);
  player_close(&p);
}

// Two ducks until sudden death leaves 5 x 5 cells: those outside die, at once because their starts are mirror images;
// the others rest until max_steps.
static void test_ducks(void) {
  const PfcParamValue ducks[] = {{"bot", 0}, {"pilot", 0}};
  const PfcPoolDesc desc = {.env = "impulse", .num_games = 20, .seed = 8, .params = ducks, .num_params = 2};
  Player p = player_start(&desc);
  int32_t draws = 0, truncated = 0, first[20] = {0};
  for (int32_t t = 1; t <= 900; ++t) {
    player_step(&p);
    for (int32_t row = 0; row < 20; ++row) {
      if (!row_ended(p.b, row) || first[row]++) continue;
      const float* metrics = p.b->episode_metrics + row * p.b->num_metrics;
      draws += p.b->terminated[row];
      truncated += p.b->truncated[row];
      CHECK(metrics[1] == 0.0f && metrics[9] == (float)p.b->terminated[row]);
      CHECK(p.b->terminated[row] ? t >= 600 && t <= 750 : t == 900);  // rings close at 60, 65, 70 and 75 s
    }
  }
  CHECK(draws + truncated == 20 && draws > 0 && truncated > 0);
  player_close(&p);
}

// ---- bots --------------------------------------------------------------------------------------------------

// Part of `episodes` that the pilot wins; the first of each game, so that short ones do not count more.
static double win_rate(int32_t pilot, int32_t bot, int32_t episodes, double* draws) {
  const PfcParamValue params[] = {{"pilot", pilot}, {"bot", bot}};
  const PfcPoolDesc desc = {.env = "impulse", .num_games = 40, .seed = 3, .params = params, .num_params = 2};
  Player p = player_start(&desc);
  const int32_t each = episodes / 40;
  int32_t played[40] = {0};
  double wins = 0.0, ended = 0.0;
  *draws = 0.0;
  while (ended < 40.0 * each) {
    player_step(&p);
    for (int32_t row = 0; row < 40; ++row) {
      if (!row_ended(p.b, row) || played[row]++ >= each) continue;
      const float* metrics = p.b->episode_metrics + row * p.b->num_metrics;
      ended += 1.0;
      wins += (double)metrics[1];
      *draws += metrics[9] > 0.0f || p.b->truncated[row];
    }
  }
  player_close(&p);
  *draws /= ended;
  return wins / ended;
}

// The goal is met if as many wins are within 2.5 standard errors of it.
static void check_ladder(int32_t pilot, int32_t bot, double goal) {
  const char* wanted = getenv("PUFFERC_TEST_EPISODES");
  const int32_t episodes = wanted ? atoi(wanted) : 200;
  double draws = 0.0;
  const double wins = win_rate(pilot, bot, episodes, &draws);
  printf("level %d against level %d: %.1f %% wins, %.1f %% without a winner\n", pilot, bot, 100.0 * wins,
         100.0 * draws);
  CHECK(wins >= goal - 2.5 * sqrt(goal * (1.0 - goal) / episodes));
}

// Equal bots at mirrored starts: both sides win as often.
static void check_sides(int32_t level) {
  double draws = 0.0;
  const double wins = win_rate(level, level, 400, &draws), share = wins + 0.5 * draws;
  printf("level %d against itself: %.1f %% of the points\n", level, 100.0 * share);
  CHECK(share >= 0.43 && share <= 0.57);
}

int main(int argc, char** argv) {
  if (argc > 1) return print_fresh_hash(), 0;
  const uint64_t expected = fresh_hash(argv[0]);
  test_renewed_world(expected);
  test_slots(expected);
  test_workers();
  test_world_limit();
  test_parameters();
  test_truncation();
  test_ducks();
  check_ladder(3, 2, 0.65);
  check_ladder(2, 1, 0.75);
  check_ladder(1, 0, 0.90);
  check_sides(2);
  return check_report();
}
