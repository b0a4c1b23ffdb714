// test_multi_agent.c - games with several agents: shared episodes with agents that drop out, and agents with
// their own episodes (snake).
#include "harness.h"
#include "test_games.h"

enum { GAMES = 20, STEPS = 2000 };

static Player open_squad(const PfcParamValue* params, int32_t num_params, int32_t threads) {
  const PfcPoolDesc desc = {
      .spec = &pfc_env_squad, .num_games = GAMES, .num_threads = threads, .params = params, .num_params = num_params};
  return player_start(&desc);
}

// Each row gets its own observation and its own actions, in the right dimension.
static void test_rows(void) {
  Player p = open_squad(NULL, 0, 3);
  CHECK(p.b->rows == GAMES * SQUAD_AGENTS && p.b->action_dims == 2);
  CHECK(p.b->action_counts[0] == 3 && p.b->action_counts[1] == 2);
  for (int32_t t = 0; t < STEPS; ++t) {
    player_step(&p);
    const SquadObs* obs = p.b->observations;
    const int32_t* actions = p.actions;
    for (int32_t row = 0; row < p.b->rows; ++row) {
      CHECK(obs[row].agent == row % SQUAD_AGENTS);
      CHECK(obs[row].standing == p.b->alive[row]);
      if (row_ended(p.b, row)) obs = p.b->final_observations;
      CHECK(obs[row].first == actions[2 * row] && obs[row].second == actions[2 * row + 1]);
      obs = p.b->observations;
    }
  }
  player_close(&p);
}

// An episode ends for all rows of a game or for none. Then all rows are alive again, each with its own return.
static void test_shared_ends(void) {
  const PfcParamValue params[] = {{"max_steps", 30}};
  Player p = open_squad(params, 1, 2);
  uint8_t fallen[GAMES * SQUAD_AGENTS] = {0};
  float returns[GAMES * SQUAD_AGENTS] = {0};
  int64_t terminations = 0, truncations = 0;
  for (int32_t t = 0; t < STEPS; ++t) {
    player_step(&p);
    for (int32_t row = 0; row < p.b->rows; ++row) {
      const int32_t first = row / SQUAD_AGENTS * SQUAD_AGENTS;
      CHECK(row_ended(p.b, row) == row_ended(p.b, first));
      CHECK(p.b->rewards[row] == (fallen[row] ? 0.0f : (float)(row % SQUAD_AGENTS + 1)));
      returns[row] += p.b->rewards[row];
      fallen[row] = !p.b->alive[row];
      if (!row_ended(p.b, row)) continue;
      CHECK(p.b->terminated[row] == p.b->terminated[first] && p.b->truncated[row] == p.b->truncated[first]);
      CHECK(p.b->alive[row] == 1);
      CHECK(p.b->episode_returns[row] == returns[row]);
      CHECK(p.b->episode_metrics[2 * row] == returns[row]);  // the score is the return unless the game sets it
      CHECK(p.b->episode_metrics[2 * row + 1] == (float)!((const SquadObs*)p.b->final_observations)[row].standing);
      CHECK(p.b->episode_lengths[row] <= 30 && (p.b->terminated[row] || p.b->episode_lengths[row] == 30));
      returns[row] = 0.0f;
      terminations += p.b->terminated[row], truncations += p.b->truncated[row];
    }
  }
  CHECK(terminations > 0 && truncations > 0);
  player_close(&p);
}

// If a game truncates one row, the episode ends for all rows, each with one flag.
static void test_own_truncation(void) {
  const PfcParamValue params[] = {{"own_limit", 4}, {"max_steps", 0}, {"fall_chance", 0.5}};
  Player p = open_squad(params, 3, 1);
  int64_t truncated_games = 0;
  for (int32_t t = 0; t < STEPS; ++t) {
    player_step(&p);
    for (int32_t first = 0; first < p.b->rows; first += SQUAD_AGENTS) {
      int32_t terminated = 0, truncated = 0;
      for (int32_t row = first; row < first + SQUAD_AGENTS; ++row)
        terminated += p.b->terminated[row], truncated += p.b->truncated[row];
      CHECK(terminated + truncated == 0 || terminated + truncated == SQUAD_AGENTS);
      truncated_games += truncated == SQUAD_AGENTS;
    }
  }
  CHECK(truncated_games > 0);
  player_close(&p);
}

static void test_never_truncates(void) {
  const PfcParamValue params[] = {{"max_steps", 0}, {"fall_chance", 0}};
  Player p = open_squad(params, 2, 1);
  for (int32_t t = 0; t < 3 * STEPS; ++t) player_step(&p);
  CHECK(((const SquadObs*)p.b->observations)[7].steps == 3 * STEPS);
  player_close(&p);
}

// Rows of a shared episode are reset together or not at all.
static void test_shared_masks(void) {
  const PfcParamValue params[] = {{"fall_chance", 0}};
  Player p = open_squad(params, 1, 1);
  uint8_t mask[GAMES * SQUAD_AGENTS] = {0};
  const PfcResetDesc reset = {.mask = mask};
  mask[SQUAD_AGENTS + 2] = 1;
  unsigned char* before = take_snapshot(p.pool);
  CHECK(pfc_pool_reset(p.pool, &reset) == PFC_INVALID);
  CHECK(strstr(pfc_last_error(), "mask") != NULL);
  unsigned char* after = take_snapshot(p.pool);
  CHECK(memcmp(before, after, pfc_pool_snapshot_bytes(p.pool)) == 0);
  free(before), free(after);
  for (int32_t i = 0; i < SQUAD_AGENTS; ++i) mask[SQUAD_AGENTS + i] = (uint8_t)(i + 1);  // any byte but 0 counts
  for (int32_t t = 0; t < 3; ++t) player_step(&p);
  CHECK(pfc_pool_reset(p.pool, &reset) == PFC_OK);
  for (int32_t row = 0; row < p.b->rows; ++row)
    CHECK(((const SquadObs*)p.b->observations)[row].steps == (mask[row] ? 0 : 3));
  player_close(&p);
}

// Agents with their own episodes: a flag ends one row's episode; masks reset single rows.
static void test_single_lives(void) {
  const Case* c = case_labelled("snake, small");
  PfcPoolDesc desc = case_desc(c, 4, 3);
  Player one = player_start(&desc), three = one;
  desc.num_threads = 3;
  three = player_start(&desc);
  CHECK(one.b->spec->respawn != NULL && one.b->agents > 1);
  uint8_t* mask = malloc((size_t)one.b->rows);
  int32_t* lengths = calloc((size_t)one.b->rows, sizeof(int32_t));
  const PfcResetDesc reset = {.mask = mask};
  int64_t alone = 0;
  for (int32_t t = 0; t < STEPS; ++t) {
    player_step(&one), player_step(&three);
    CHECK(memcmp(one.b->observations, three.b->observations, obs_total_bytes(one.b)) == 0);
    for (int32_t row = 0; row < one.b->rows; ++row) {
      lengths[row] += 1;
      alone += row_ended(one.b, row) && !row_ended(one.b, row / one.b->agents * one.b->agents);
      if (!row_ended(one.b, row)) continue;
      CHECK(one.b->episode_lengths[row] == lengths[row]);
      lengths[row] = 0;
    }
    if (t % 50 != 49) continue;
    for (int32_t row = 0; row < one.b->rows; ++row) {
      mask[row] = (uint8_t)(pfc_hash64((uint64_t)(t * one.b->rows + row)) % 3 == 0);
      if (mask[row]) lengths[row] = 0;
    }
    CHECK(pfc_pool_reset(one.pool, &reset) == PFC_OK && pfc_pool_reset(three.pool, &reset) == PFC_OK);
    CHECK(all_obs_fit(one.b, one.b->observations));
    CHECK(memcmp(one.b->observations, three.b->observations, obs_total_bytes(one.b)) == 0);
  }
  CHECK(alone > 0);
  free(mask), free(lengths);
  player_close(&one), player_close(&three);
}

static void respawn_nothing(void* state, const void* params, int32_t agent) { (void)state, (void)params, (void)agent; }

// Without autoreset a waiting agent gets no reward and keeps its flag, whatever the game writes.
static void test_single_waits(void) {
  PfcEnvSpec spec = pfc_env_squad;
  spec.respawn = respawn_nothing;
  const PfcParamValue params[] = {{"max_steps", 5}, {"fall_chance", 0}};
  const PfcPoolDesc desc = {.spec = &spec, .num_games = 1, .params = params, .num_params = 2,
                            .autoreset = PFC_AUTORESET_DISABLED};
  Player p = player_start(&desc);
  const uint8_t mask[SQUAD_AGENTS] = {0, 1};
  const PfcResetDesc reset = {.mask = mask};
  for (int32_t t = 1; t <= 8; ++t) {
    if (t == 4) CHECK(pfc_pool_reset(p.pool, &reset) == PFC_OK);  // agent 1 starts a new episode, which ends in step 8
    player_step(&p);
    for (int32_t i = 0; i < SQUAD_AGENTS; ++i) {
      const int32_t last = i == 1 ? 8 : 5;
      CHECK(p.b->rewards[i] == (t <= last ? (float)(i + 1) : 0.0f));
      CHECK(p.b->truncated[i] == (t >= last) && p.b->terminated[i] == 0 && p.b->alive[i] == (t < last));
    }
    CHECK(pfc_pool_ended(p.pool, -1) == (t == 5 ? SQUAD_AGENTS - 1 : t == 8));
  }
  player_close(&p);
}

int main(void) {
  test_rows();
  test_shared_ends();
  test_own_truncation();
  test_never_truncates();
  test_shared_masks();
  test_single_lives();
  test_single_waits();
  return check_report();
}
