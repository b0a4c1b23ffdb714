// test_layout.c - sizes that depend on parameters: valid and invalid results of a game's layout function,
// states of odd sizes, and the resulting description of the pool.
#include "games/layout.h"
#include "games/params.h"

#include "harness.h"
#include "test_games.h"

static PfcLayout answer;  // result of the layout function below

static void give_answer(const void* params, PfcLayout* layout) {
  (void)params;
  *layout = answer;
}

static const char* give_reason(const void* params) {
  return *(const int32_t*)params == 13 ? "13 brings bad luck" : NULL;
}

// drift with that layout function.
static PfcEnvSpec flexible_drift(void) {
  PfcEnvSpec spec = pfc_env_drift;
  spec.layout = give_answer;
  answer = (PfcLayout){.state_bytes = spec.state_bytes, .agents = 1, .obs_shape = {3}, .continuous_dims = 2};
  return spec;
}

static void expect_refused(const PfcEnvSpec* spec, const char* words) {
  const PfcPoolDesc desc = {.spec = spec, .num_games = 2};
  PfcPool* pool = pfc_pool_create(&desc);
  if (!CHECK(pool == NULL)) pfc_pool_destroy(pool);
  else if (!CHECK(strstr(pfc_last_error(), words) && strstr(pfc_last_error(), "drift")))
    fprintf(stderr, "  expected \"%s\", got \"%s\"\n", words, pfc_last_error());
}

static void test_refused_layouts(void) {
  PfcEnvSpec spec = flexible_drift();
  static const int32_t bad_agents[] = {-1, 0, (1 << 20) + 1, INT32_MAX};
  for (size_t i = 0; i < sizeof bad_agents / sizeof bad_agents[0]; ++i) {
    answer.agents = bad_agents[i];
    expect_refused(&spec, "agents");
  }
  spec = flexible_drift();
  answer.state_bytes = spec.state_bytes - 1;
  expect_refused(&spec, "state");
  answer.state_bytes = 1ull << 40;
  expect_refused(&spec, "state");
  spec = flexible_drift();
  answer.obs_shape[0] = -3;
  expect_refused(&spec, "shape");
  answer.obs_shape[0] = INT32_MAX, answer.obs_shape[1] = INT32_MAX, answer.obs_shape[2] = INT32_MAX;
  expect_refused(&spec, "shape");
  answer.obs_shape[0] = 4097, answer.obs_shape[1] = 4096, answer.obs_shape[2] = 0;  // more than 2^24 values
  expect_refused(&spec, "shape");
  answer = (PfcLayout){.state_bytes = spec.state_bytes, .agents = 1, .obs_shape = {4}, .continuous_dims = 2};
  expect_refused(&spec, "table");  // the observation table has three values
  spec = flexible_drift();
  answer.continuous_dims = 9;
  expect_refused(&spec, "continuous_dims");
  answer.continuous_dims = -1;
  expect_refused(&spec, "continuous_dims");
  answer.continuous_dims = 0;
  expect_refused(&spec, "continuous_dims");  // neither choices nor controls
  answer.continuous_dims = 1, answer.action_counts[0] = 2;
  expect_refused(&spec, "continuous_dims");  // both
  answer.continuous_dims = 0, answer.action_counts[0] = -2;
  expect_refused(&spec, "action_counts");
  answer.action_counts[0] = (1 << 20) + 1;
  expect_refused(&spec, "action_counts");
  spec = pfc_env_drift;
  spec.sizes.obs_shape[0] = 4;
  expect_refused(&spec, "obs_shape has 4 values, but the observation struct has 12 bytes");
}

// A count of 0 in the last entry of a table means all remaining values.
static void test_open_table(void) {
  static const PfcObsRow rows[] = {PFC_OBS("controls", 2, -1, 1, "as given"),
                                   PFC_OBS("sums", 0, -1e9f, 1e9f, "of all so far")};
  PfcEnvSpec spec = flexible_drift();
  spec.obs_rows = rows;
  Player p = player_start(&(PfcPoolDesc){.spec = &spec, .num_games = 2});
  player_close(&p);
  answer.obs_shape[0] = 2;  // no values remain for the last row
  const PfcPoolDesc empty = {.spec = &spec, .num_games = 2};
  Player none_left = player_start(&empty);
  CHECK(none_left.b->obs_rows[1].count == 0 && none_left.b->obs_rows[0].count == 2);
  player_close(&none_left);
  answer.obs_shape[0] = 1;
  expect_refused(&spec, "table");
}

static void test_reason(void) {
  PfcEnvSpec spec = pfc_env_drift;
  spec.check = give_reason;
  const PfcParamValue unlucky = {"max_steps", 13}, lucky = {"max_steps", 14};
  PfcPoolDesc desc = {.spec = &spec, .num_games = 2, .params = &unlucky, .num_params = 1};
  CHECK(pfc_pool_create(&desc) == NULL && strcmp(pfc_last_error(), "drift: 13 brings bad luck") == 0);
  desc.params = &lucky;
  Player p = player_start(&desc);
  player_close(&p);
}

// States larger than the struct by any number of bytes stay aligned and separate; the trajectory is the same.
static void test_odd_states(void) {
  const PfcPoolDesc plain = {.spec = &pfc_env_drift, .num_games = 5, .seed = 3};
  Player model = player_start(&plain);
  const uint64_t expected = play_and_hash(&model, 50);
  player_close(&model);
  for (uint64_t more = 0; more < 140; more += 1 + more / 9) {
    for (int by_function = 0; by_function <= 1; ++by_function) {
      PfcEnvSpec spec = by_function ? flexible_drift() : pfc_env_drift;
      answer.state_bytes = spec.state_bytes + more;
      if (!by_function) spec.sizes.state_bytes = spec.state_bytes + more;
      PfcPoolDesc desc = plain;
      desc.spec = &spec;
      Player p = player_start(&desc);
      CHECK(play_and_hash(&p, 50) == expected);
      player_close(&p);
    }
  }
}

static int32_t resets, bytes_left;

static void look_and_litter(void* state, const void* params) {
  (void)params;
  unsigned char* const bytes = state;
  const uint64_t rng = pfc_env_drift.rng_offset;
  ++resets;
  for (uint64_t i = 0; i < answer.state_bytes; ++i) {
    if (i >= rng && i < rng + sizeof(PfcRng)) continue;
    bytes_left += bytes[i] != 0;
    bytes[i] = 0xff;
  }
}

// reset is called with a state of zeros except for its random stream, also after the end of the struct.
static void test_cleared_states(void) {
  PfcEnvSpec spec = flexible_drift();
  spec.reset_one = look_and_litter;
  answer.state_bytes = spec.state_bytes + 100;
  const PfcPoolDesc desc = {.spec = &spec, .num_games = 3};
  Player p = player_start(&desc);
  CHECK(pfc_pool_reset(p.pool, NULL) == PFC_OK);
  CHECK(resets == 6 && bytes_left == 0);
  player_close(&p);
}

// The layout makes the observation a matrix and the number of agents three.
static void test_shapes(void) {
  PfcEnvSpec spec = flexible_drift();
  answer.obs_shape[0] = 1, answer.obs_shape[1] = 3;
  const PfcPoolDesc desc = {.spec = &spec, .num_games = 4, .num_threads = 2};
  Player p = player_start(&desc);
  CHECK(p.b->obs_dims == 2 && p.b->obs_shape[0] == 1 && p.b->obs_shape[1] == 3 && p.b->obs_bytes == 12);
  CHECK(!p.b->discrete && p.b->action_dims == 2 && p.b->agents == 1 && p.b->rows == 4);
  for (int32_t t = 0; t < 20; ++t) player_step(&p);
  player_close(&p);
}

// ---- the observation table -------------------------------------------------------------------------------------

static PfcObsRow given_rows[2];  // result of the function below

static void give_rows(const void* params, PfcObsRow* rows) {
  (void)params;
  rows[0] = given_rows[0];
  rows[1] = given_rows[1];
}

// Valid and invalid results of fill_rows for an observation of 12 values.
static void test_filled_rows(void) {
  static const struct {
    PfcObsRow rows[2];
    const char* refused;  // NULL: a pool can be made
  } answers[] = {
      {{PFC_OBS("a", 4, 0, 1, ""), PFC_OBS("b", 8, 0, 1, "")}, NULL},
      {{PFC_OBS("a", 4, 0, 1, ""), PFC_OBS("b", 0, 0, 1, "")}, NULL},
      {{PFC_OBS("a", 12, 0, 1, ""), PFC_OBS_SET("b", 0, 5, 0, 1, "")}, NULL},
      {{PFC_OBS_SET("a", 6, 3, 0, 1, ""), PFC_OBS_PLANE("b", 6, 4, 3, 2, "")}, NULL},
      {{PFC_OBS_CODES("a", 4, 2, ""), PFC_OBS_PLANE("b", 0, 0, 2, 2, "")},
       "row b of the observation table has the range [0, -1]"},
      {{PFC_OBS("a", 4, 0, 1, ""), PFC_OBS("b", 7, 0, 1, "")},
       "the observation table has 11 values, but the observation has 12"},
      {{PFC_OBS("a", 13, 0, 1, ""), PFC_OBS("b", 0, 0, 1, "")},
       "the observation table has 13 values, but the observation has 12"},
      {{PFC_OBS("a", 0, 0, 1, ""), PFC_OBS("b", 12, 0, 1, "")}, "row a of the observation table has 0 values"},
      {{PFC_OBS("a", -1, 0, 1, ""), PFC_OBS("b", 13, 0, 1, "")}, "row a of the observation table has -1 values"},
      {{PFC_OBS("a", 13, 0, 1, ""), PFC_OBS("b", -1, 0, 1, "")}, "row b of the observation table has -1 values"},
      {{PFC_OBS("a", 4, 2, 1, ""), PFC_OBS("b", 8, 0, 1, "")}, "row a of the observation table has the range [2, 1]"},
      {{PFC_OBS_SET("a", 4, 3, 0, 1, ""), PFC_OBS("b", 0, 0, 1, "")},
       "row a of the observation table has 4 values, which is not a multiple of each = 3"},
      {{PFC_OBS_SET("a", 4, -2, 0, 1, ""), PFC_OBS("b", 0, 0, 1, "")}, "not a multiple of each = -2"},
      {{PFC_OBS("a", 4, 0, 1, ""), PFC_OBS_SET("b", 0, 3, 0, 1, "")},
       "row b of the observation table has 8 values, which is not a multiple of each = 3"},
      {{{"a", 4, 0, 3, "", 0, 3, 0, 0}, PFC_OBS("b", 0, 0, 1, "")},
       "row a of the observation table has 3 codes but the range [0, 3]"},
      {{{"a", 4, -1, 2, "", 0, 3, 0, 0}, PFC_OBS("b", 0, 0, 1, "")},
       "row a of the observation table has 3 codes but the range [-1, 2]"},
      {{{"a", 4, 0, 2, "", 0, -3, 0, 0}, PFC_OBS("b", 0, 0, 1, "")}, "has -3 codes"},
      {{PFC_OBS_PLANE("a", 8, 3, 2, 3, ""), PFC_OBS("b", 4, 0, 1, "")},
       "row a of the observation table has 8 values, which is not a multiple of its planes of 2 x 3"},
      {{PFC_OBS_PLANE("a", 8, 3, 2, 0, ""), PFC_OBS("b", 4, 0, 1, "")}, "planes of 2 x 0"},
      {{PFC_OBS_PLANE("a", 8, 3, 0, 2, ""), PFC_OBS("b", 4, 0, 1, "")}, "planes of 0 x 2"},
      {{PFC_OBS_PLANE("a", 8, 3, -2, -2, ""), PFC_OBS("b", 4, 0, 1, "")}, "planes of -2 x -2"},
      {{PFC_OBS_PLANE("a", 8, 3, 1 << 20, 1 << 20, ""), PFC_OBS("b", 4, 0, 1, "")}, "planes of 1048576 x 1048576"},
  };
  PfcEnvSpec spec = flexible_drift();
  spec.fill_rows = give_rows;
  answer.obs_shape[0] = 12;
  answer.state_bytes += 64;  // drift's observation is written into the first 3 of them
  for (size_t i = 0; i < sizeof answers / sizeof answers[0]; ++i) {
    memcpy(given_rows, answers[i].rows, sizeof given_rows);
    if (answers[i].refused) {
      expect_refused(&spec, answers[i].refused);
      continue;
    }
    const PfcPoolDesc desc = {.spec = &spec, .num_games = 2};
    PfcPool* pool = pfc_pool_create(&desc);
    if (!CHECK(pool != NULL)) continue;
    const PfcBuffers* b = pfc_pool_buffers(pool);
    CHECK(b->num_obs_rows == 2 && b->obs_rows[0].count + b->obs_rows[1].count == 12);
    CHECK(b->obs_rows[1].each == given_rows[1].each && b->obs_rows[1].plane_width == given_rows[1].plane_width);
    pfc_pool_destroy(pool);
  }
}

// ---- teams -----------------------------------------------------------------------------------------------------

static int32_t given_team;

static int32_t give_team(const void* params, int32_t agent) {
  (void)params;
  return agent == 3 ? given_team : agent % 2;
}

static void test_teams(void) {
  PfcEnvSpec spec = flexible_drift();
  answer.agents = 6;
  const PfcPoolDesc desc = {.spec = &spec, .num_games = 2};
  Player p = player_start(&desc);
  CHECK(p.b->num_teams == 0 && p.b->teams == NULL);
  player_close(&p);
  for (int32_t teams = 1; teams <= 6; ++teams) {
    answer.teams = teams;
    if (6 % teams != 0) {
      expect_refused(&spec, teams == 4 ? "6 agents do not divide into 4 equal teams"
                                       : "6 agents do not divide into 5 equal teams");
      continue;
    }
    Player blocks = player_start(&desc);  // equal blocks of rows, in order
    CHECK(blocks.b->num_teams == teams);
    for (int32_t agent = 0; agent < 6; ++agent) CHECK(blocks.b->teams[agent] == agent / (6 / teams));
    player_close(&blocks);
  }
  answer.teams = 7;
  expect_refused(&spec, "7 teams, expected 0 to 6, the number of agents");
  answer.teams = -1;
  expect_refused(&spec, "-1 teams");
  spec.team = give_team;
  answer.teams = 5;  // not equal, but the function assigns them
  given_team = 4;
  Player own = player_start(&desc);
  for (int32_t agent = 0; agent < 6; ++agent) CHECK(own.b->teams[agent] == (agent == 3 ? 4 : agent % 2));
  player_close(&own);
  given_team = 5;
  expect_refused(&spec, "agent 3 is in team 5, expected 0 to 4");
  given_team = -1;
  expect_refused(&spec, "agent 3 is in team -1, expected 0 to 4");
  answer.teams = 0;  // without teams the function is not called
  Player none = player_start(&desc);
  CHECK(none.b->teams == NULL);
  player_close(&none);
}

// ---- masks -----------------------------------------------------------------------------------------------------

static void mask_all(const void* state, const void* params, int32_t agent, uint8_t* legal) {
  (void)state, (void)params, (void)agent;
  memset(legal, 1, 2);
}

// A game with a mask is not masked if it has controls for these parameters. A game without a mask cannot be masked.
static void test_masked(void) {
  PfcEnvSpec spec = flexible_drift();
  const PfcPoolDesc desc = {.spec = &spec, .num_games = 2};
  answer.masked = 1;
  spec.mask = mask_all;
  Player continuous = player_start(&desc);
  CHECK(continuous.b->mask_words == 0 && continuous.b->num_choices == 0 && continuous.b->action_mask == NULL);
  player_close(&continuous);
  answer.continuous_dims = 0;
  answer.action_counts[0] = 2;
  PfcPool* pool = pfc_pool_create(&desc);
  CHECK(pool && pfc_pool_buffers(pool)->mask_words == 1 && pfc_pool_buffers(pool)->num_choices == 2);
  pfc_pool_destroy(pool);
  answer.masked = 0;
  pool = pfc_pool_create(&desc);
  CHECK(pool && pfc_pool_buffers(pool)->mask_words == 0);
  pfc_pool_destroy(pool);
  spec.mask = NULL;
  answer.masked = 1;
  expect_refused(&spec, "layout sets masked, but the game has no mask function");
}

static void test_fill_params(void) {
  const PfcEnvSpec* spec = pfc_env_find("template");
  const PfcParamValue values[] = {{"ball_speed", 0.25}, {"max_steps", 5}, {"ball_speed", 0.5}};
  uint32_t params[8] = {0};
  CHECK(pfc_fill_params(spec, values, 3, params) == PFC_OK);
  CHECK(pfc_read_param(spec, params, 0) == 5.0 && pfc_read_param(spec, params, 1) == 0.5);  // the last one counts
  CHECK(pfc_fill_params(spec, NULL, 0, params) == PFC_OK);
  CHECK(pfc_read_param(spec, params, 0) == 5000.0 && (float)pfc_read_param(spec, params, 1) == 0.04f);
  CHECK(pfc_dtype_bytes(PFC_FLOAT32) == 4 && pfc_dtype_bytes(PFC_INT32) == 4 && pfc_dtype_bytes(PFC_INT64) == 8);
  CHECK(pfc_dtype_bytes(PFC_UINT8) == 1 && pfc_dtype_bytes(PFC_INT8) == 1);
  CHECK(pfc_dtype_bytes(PFC_UINT16) == 2 && pfc_dtype_bytes(PFC_INT16) == 2 && pfc_dtype_bytes(PFC_UINT32) == 4);
  CHECK(pfc_dtype_bytes(PFC_UINT64) == 8 && pfc_dtype_bytes(PFC_FLOAT64) == 8);
}

int main(void) {
  test_refused_layouts();
  test_open_table();
  test_reason();
  test_odd_states();
  test_cleared_states();
  test_shapes();
  test_filled_rows();
  test_teams();
  test_masked();
  test_fill_params();
  return check_report();
}
