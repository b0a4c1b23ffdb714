// test_autoreset.c - same-step, next-step and disabled autoreset, and resets of some games only.
#include "duel.h"

enum { GAMES = 60, STEPS = 400 };

static bool has_own_episodes(const Case* c) { return case_spec(c)->respawn != NULL; }

static Player start_with(const Case* c, PfcAutoreset autoreset, int32_t threads) {
  PfcPoolDesc desc = case_desc(c, case_games(c, GAMES), 21);
  desc.autoreset = autoreset;
  desc.num_threads = threads;
  return player_start(&desc);
}

// True if the mask selects all rows of a game. Then the whole game is reset, also in games with `respawn`.
static bool masks_whole_game(const PfcBuffers* b, const uint8_t* mask) {
  for (int64_t first = 0; first < b->rows; first += b->agents)
    if (!memchr(mask + first, 0, (size_t)b->agents)) return true;
  return false;
}

// Resetting ended games by hand gives the trajectory of same-step autoreset.
static void test_by_hand(const Case* c) {
  Player same = start_with(c, PFC_AUTORESET_SAME_STEP, 1), manual = start_with(c, PFC_AUTORESET_DISABLED, 2);
  const PfcBuffers *a = same.b, *b = manual.b;
  const size_t rows = (size_t)a->rows;
  uint8_t* mask = malloc(rows);
  const PfcResetDesc reset = {.mask = mask};
  int64_t ended = 0;
  for (int32_t t = 0; t < STEPS; ++t) {
    player_step(&same), player_step(&manual);
    CHECK_GAME(c->label, memcmp(a->rewards, b->rewards, rows * sizeof(float)) == 0);
    CHECK_GAME(c->label, memcmp(a->terminated, b->terminated, rows) == 0);
    CHECK_GAME(c->label, memcmp(a->truncated, b->truncated, rows) == 0);
    for (int64_t row = 0; row < a->rows; ++row) {
      mask[row] = row_ended(a, row);
      ended += mask[row];
      CHECK_GAME(c->label, b->alive[row] == !mask[row] || (a->agents > 1 && !has_own_episodes(c)));
      if (!mask[row]) continue;
      const unsigned char* last = obs_row(a->final_observations, a, row);
      CHECK_GAME(c->label, memcmp(last, obs_row(b->observations, b, row), a->obs_bytes) == 0);
      CHECK_GAME(c->label, memcmp(last, obs_row(b->final_observations, b, row), a->obs_bytes) == 0);
    }
    if (has_own_episodes(c) && masks_whole_game(a, mask)) break;
    CHECK_GAME(c->label, pfc_pool_reset(manual.pool, &reset) == PFC_OK);
    CHECK_GAME(c->label, memcmp(a->observations, b->observations, obs_total_bytes(a)) == 0);
    CHECK_GAME(c->label, memcmp(a->alive, b->alive, rows) == 0);
  }
  CHECK_GAME(c->label, ended > 0);
  free(mask);
  player_close(&same), player_close(&manual);
}

// Next-step autoreset gives the trajectory of a pool in which the rows that ended are reset by hand one step later.
static void test_next_step(const Case* c) {
  Player next = start_with(c, PFC_AUTORESET_NEXT_STEP, 2), manual = start_with(c, PFC_AUTORESET_DISABLED, 1);
  const PfcBuffers *a = next.b, *b = manual.b;
  const size_t rows = (size_t)a->rows;
  uint8_t* mask = malloc(rows);
  const PfcResetDesc reset = {.mask = mask};
  int64_t ended = 0;
  for (int32_t t = 0; t < STEPS; ++t) {
    int32_t waiting = 0;
    for (int64_t row = 0; row < a->rows; ++row) waiting += mask[row] = row_ended(a, row);
    ended += waiting;
    if (has_own_episodes(c) && masks_whole_game(a, mask)) break;
    player_step(&next), player_step(&manual);
    const int32_t now = pfc_pool_ended(manual.pool, -1);
    if (waiting) CHECK_GAME(c->label, pfc_pool_reset(manual.pool, &reset) == PFC_OK);
    CHECK_GAME(c->label, pfc_pool_ended(next.pool, -1) == now);
    CHECK_GAME(c->label, memcmp(a->rewards, b->rewards, rows * sizeof(float)) == 0);
    CHECK_GAME(c->label, memcmp(a->terminated, b->terminated, rows) == 0);
    CHECK_GAME(c->label, memcmp(a->truncated, b->truncated, rows) == 0);
    CHECK_GAME(c->label, memcmp(a->alive, b->alive, rows) == 0);
    CHECK_GAME(c->label, memcmp(a->observations, b->observations, obs_total_bytes(a)) == 0);
    for (int64_t row = 0; row < a->rows; ++row) CHECK_GAME(c->label, !mask[row] || a->rewards[row] == 0.0f);
  }
  CHECK_GAME(c->label, ended > 0);
  free(mask);
  player_close(&next), player_close(&manual);
}

// Actions of rows that wait for a reset are not checked; those of the others are.
static void test_actions_of_waiting_rows(void) {
  const PfcParamValue params[] = {{"max_steps", 3}};
  const char* const games[] = {"squared", "cartpole"};
  const PfcParamValue continuous[] = {{"max_steps", 3}, {"continuous", 1}};
  for (int32_t g = 0; g < 2; ++g) {
    PfcPoolDesc desc = {.env = games[g], .num_games = 2, .autoreset = PFC_AUTORESET_NEXT_STEP,
                        .params = g ? continuous : params, .num_params = g + 1};
    Player p = player_start(&desc);
    const uint8_t mask[2] = {1, 0};
    const PfcResetDesc reset = {.mask = mask};
    player_step(&p);
    CHECK(pfc_pool_reset(p.pool, &reset) == PFC_OK);
    for (int32_t t = 0; t < 2; ++t) player_step(&p);
    CHECK(!row_ended(p.b, 0) && row_ended(p.b, 1));  // row 1 has reached max_steps
    const PfcDtype dtype = g ? PFC_FLOAT32 : PFC_INT64;
    const int64_t good[2] = {0, (int64_t)1 << 40}, bad[2] = {-1, 0};
    const float fine[2] = {0.0f, NAN}, wrong[2] = {NAN, 0.0f};
    check_message(pfc_pool_step(p.pool, g ? (const void*)wrong : bad, dtype, NULL) == PFC_INVALID, "actions: row 0");
    CHECK(pfc_pool_step(p.pool, g ? (const void*)fine : good, dtype, NULL) == PFC_OK);
    CHECK(p.b->truncated[0] && !row_ended(p.b, 1) && p.b->alive[1] && p.b->rewards[1] == 0.0f);
    player_close(&p);
  }
}

// An ended game is frozen until it is reset: flags kept, no reward, not alive, no statistics. In games with `respawn`
// an ended agent still observes the others.
static void test_ended_games_are_frozen(const Case* c) {
  const Case limited = case_with(c, "max_steps", 60);
  Player p = start_with(&limited, PFC_AUTORESET_DISABLED, 2);
  const PfcBuffers* b = p.b;
  const size_t rows = (size_t)b->rows;
  uint8_t *terminated = calloc(rows, 1), *truncated = calloc(rows, 1);
  unsigned char* last = malloc(obs_total_bytes(b));
  int64_t episodes;
  double values[2 + PFC_MAX_METRICS];
  for (int32_t t = 0; t < 100; ++t) {
    player_step(&p);
    int32_t ended = 0;
    for (int64_t row = 0; row < b->rows; ++row) {
      unsigned char* kept = last + (uint64_t)row * b->obs_bytes;
      const unsigned char* now = obs_row(b->observations, b, row);
      if (terminated[row] || truncated[row]) {
        CHECK_GAME(c->label, b->rewards[row] == 0.0f && b->alive[row] == 0);
        CHECK_GAME(c->label, b->terminated[row] == terminated[row] && b->truncated[row] == truncated[row]);
        CHECK_GAME(c->label, has_own_episodes(c) || memcmp(kept, now, b->obs_bytes) == 0);
      } else if (row_ended(b, row)) {
        memcpy(kept, now, b->obs_bytes);
        terminated[row] = b->terminated[row], truncated[row] = b->truncated[row];
        ++ended;
      }
    }
    CHECK_GAME(c->label, pfc_pool_ended(p.pool, -1) == ended);
  }
  for (int64_t row = 0; row < b->rows; ++row) CHECK_GAME(c->label, row_ended(b, row));
  CHECK_GAME(c->label, pfc_pool_pop_metrics(p.pool, &episodes, values) == PFC_OK && episodes == b->rows);
  CHECK_GAME(c->label, pfc_pool_reset(p.pool, NULL) == PFC_OK);
  for (int64_t row = 0; row < b->rows; ++row) CHECK_GAME(c->label, !row_ended(b, row) && b->alive[row] == 1);
  free(terminated), free(truncated), free(last);
  player_close(&p);
}

// A mask resets exactly the selected games, with the given seeds.
static void test_masked_games(const Case* c) {
  Player touched = start_with(c, PFC_AUTORESET_SAME_STEP, 2), other = start_with(c, PFC_AUTORESET_SAME_STEP, 1);
  Player fresh = start_with(c, PFC_AUTORESET_SAME_STEP, 1);
  const PfcBuffers* b = touched.b;
  const int64_t agents = b->agents, half = b->rows / 2;
  const uint64_t half_bytes = (uint64_t)half * b->obs_bytes;
  uint64_t seeds[GAMES];
  for (int32_t g = 0; g < GAMES; ++g) seeds[g] = 1000u + (uint64_t)g;
  uint8_t* mask = calloc((size_t)b->rows, 1);
  memset(mask, 1, (size_t)half);  // the first half of the games
  const PfcResetDesc reset = {.mask = mask, .seeds = seeds}, fresh_reset = {.seeds = seeds};
  for (int32_t t = 0; t < 50; ++t) player_step(&touched), player_step(&other);
  CHECK_GAME(c->label, pfc_pool_reset(touched.pool, &reset) == PFC_OK);
  CHECK_GAME(c->label, pfc_pool_reset(fresh.pool, &fresh_reset) == PFC_OK);
  for (int64_t row = 0; row < b->rows; ++row) {
    const PfcBuffers* model = row < half ? fresh.b : other.b;  // the others keep the results of their latest step
    CHECK_GAME(c->label, b->rewards[row] == model->rewards[row] && b->terminated[row] == model->terminated[row] &&
                             b->truncated[row] == model->truncated[row] && b->alive[row] == model->alive[row]);
  }
  fresh.t = touched.t;
  for (int32_t t = 0; t < STEPS; ++t) {
    CHECK_GAME(c->label, memcmp(b->observations, fresh.b->observations, half_bytes) == 0);
    const unsigned char* second_half = obs_row(b->observations, b, half);
    CHECK_GAME(c->label, memcmp(second_half, obs_row(other.b->observations, b, half), half_bytes) == 0);
    player_step(&touched), player_step(&other), player_step(&fresh);
    for (int64_t row = 0; row < b->rows; ++row) {
      const PfcBuffers* model = row < half ? fresh.b : other.b;
      CHECK_GAME(c->label, b->rewards[row] == model->rewards[row] && b->terminated[row] == model->terminated[row]);
      if (row_ended(b, row)) CHECK_GAME(c->label, b->episode_lengths[row] == model->episode_lengths[row]);
    }
  }
  CHECK_GAME(c->label, half % agents == 0);
  free(mask);
  player_close(&touched), player_close(&other), player_close(&fresh);
}

int main(void) {
  test_actions_of_waiting_rows();
  for_each_case(test_by_hand);
  for_each_case(test_next_step);
  for_each_case(test_ended_games_are_frozen);
  for_each_case(test_masked_games);
  for_each_duel_case(test_by_hand);
  for_each_duel_case(test_next_step);
  for_each_duel_case(test_ended_games_are_frozen);
  for_each_duel_case(test_masked_games);
  return check_report();
}
