// test_device_pool.c - the pool of csrc/cuda, whose device is this processor, against the pool on the CPU: every game with
// device code gives equal bits in every buffer, in statistics and in snapshots.
#include "cuda/device_pool.h"

#include "duel.h"

enum { GAMES = 36, STEPS = 160 };

// A device pool next to a CPU pool that plays the same actions.
typedef struct Pair {
  Player cpu;
  PfcDevicePool* device;
  const PfcBuffers* b;  // of the device's pool, after a download
} Pair;

static bool has_device_code(const Case* c) {
  for (int32_t i = 0; i < pfc_device_game_count(); ++i)
    if (strcmp(pfc_device_game_name(i), c->game) == 0) return true;
  return false;
}

static Pair pair_open(const PfcPoolDesc* desc) {
  Pair pair = {.cpu = player_open(desc), .device = pfc_device_pool_create(desc)};
  if (!pair.device) {
    fprintf(stderr, "cannot create a device pool: %s\n", pfc_last_error());
    exit(2);
  }
  return pair;
}

static void pair_close(Pair* pair) {
  player_close(&pair->cpu);
  pfc_device_pool_destroy(pair->device);
}

static bool same(const void* a, const void* b, uint64_t bytes) { return bytes == 0 || memcmp(a, b, bytes) == 0; }

// What is defined only in rows that just ended.
static bool same_ends(const PfcBuffers* a, const PfcBuffers* b) {
  const uint64_t metrics = (uint64_t)a->num_metrics * sizeof(float);
  for (int64_t row = 0; row < a->rows; ++row) {
    if (!row_ended(a, row)) continue;
    if (!same(obs_row(a->final_observations, a, row), obs_row(b->final_observations, b, row), a->obs_bytes) ||
        !same(a->episode_returns + row, b->episode_returns + row, sizeof(float)) ||
        !same(a->episode_lengths + row, b->episode_lengths + row, sizeof(int32_t)) ||
        !same(a->episode_metrics + row * a->num_metrics, b->episode_metrics + row * b->num_metrics, metrics))
      return false;
  }
  return true;
}

// Downloads, and compares every buffer that PfcBuffers names.
static bool pair_is_same(Pair* pair, const char* label) {
  const PfcPool* twin = pfc_device_pool_download(pair->device, NULL);
  if (!CHECK_GAME(label, twin != NULL)) return false;
  const PfcBuffers *a = pair->cpu.b, *b = pair->b = pfc_pool_buffers(twin);
  const uint64_t rows = (uint64_t)a->rows, words = rows * (uint64_t)a->mask_words * sizeof(uint32_t);
  return CHECK_GAME(label, same(a->observations, b->observations, obs_total_bytes(a))) &
         CHECK_GAME(label, same(a->rewards, b->rewards, rows * sizeof(float))) &
         CHECK_GAME(label, same(a->terminated, b->terminated, rows)) &
         CHECK_GAME(label, same(a->truncated, b->truncated, rows)) &
         CHECK_GAME(label, same(a->alive, b->alive, rows)) &
         CHECK_GAME(label, same(a->action_mask, b->action_mask, words)) &
         CHECK_GAME(label, same(a->forced, b->forced, words ? rows : 0)) & CHECK_GAME(label, same_ends(a, b));
}

static PfcStatus device_reset(Pair* pair, const PfcResetDesc* desc) {
  return pfc_device_pool_reset(pair->device, desc, NULL);
}

// One step of both pools, whose snapshots must be equal too at the end of a test.
static bool pair_step(Pair* pair, const char* label) {
  player_step(&pair->cpu);
  const PfcDtype dtype = action_dtype(pair->cpu.b);
  return CHECK_GAME(label, pfc_device_pool_step(pair->device, pair->cpu.actions, dtype, NULL, NULL) == PFC_OK) &&
         pair_is_same(pair, label);
}

static void check_snapshots(Pair* pair, const char* label) {
  const uint64_t bytes = pfc_device_pool_snapshot_bytes(pair->device);
  unsigned char *a = take_snapshot(pair->cpu.pool), *b = malloc(bytes);
  CHECK_GAME(label, bytes == pfc_pool_snapshot_bytes(pair->cpu.pool));
  CHECK_GAME(label, pfc_device_pool_save(pair->device, b, bytes, NULL) == PFC_OK && memcmp(a, b, bytes) == 0);
  free(a), free(b);
}

static void check_metrics(Pair* pair, const char* label) {
  int64_t episodes[2] = {0};
  double values[2][2 + PFC_MAX_METRICS] = {{0}};
  CHECK_GAME(label, pfc_pool_pop_metrics(pair->cpu.pool, &episodes[0], values[0]) == PFC_OK);
  CHECK_GAME(label, pfc_device_pool_pop_metrics(pair->device, &episodes[1], values[1], NULL) == PFC_OK);
  CHECK_GAME(label, episodes[0] == episodes[1] && memcmp(values[0], values[1], sizeof values[0]) == 0);
}

// ---- equal trajectories ----------------------------------------------------------------------------------

static Case truncated_case(const Case* c) { return case_with(c, "max_steps", 37); }

static void play_pair(const Case* c, PfcAutoreset autoreset) {
  PfcPoolDesc desc = case_desc(c, case_games(c, GAMES), 31);
  desc.autoreset = autoreset;
  Pair pair = pair_open(&desc);
  CHECK_GAME(c->label, pfc_pool_reset(pair.cpu.pool, NULL) == PFC_OK && device_reset(&pair, NULL) == PFC_OK);
  bool good = pair_is_same(&pair, c->label);
  for (int32_t t = 0; t < STEPS && good; ++t) good = pair_step(&pair, c->label);
  CHECK_GAME(c->label, pfc_device_pool_check(pair.device, NULL) == PFC_OK);
  check_snapshots(&pair, c->label);
  check_metrics(&pair, c->label);
  check_metrics(&pair, c->label);  // popping has cleared the sums
  pair_close(&pair);
}

static void test_trajectories(const Case* c) {
  if (!has_device_code(c)) return;
  const Case truncated = truncated_case(c);
  play_pair(c, PFC_AUTORESET_SAME_STEP);
  for (int32_t autoreset = 0; autoreset < 3; ++autoreset) {
    cuda.reversed = autoreset == 1;  // the order of threads does not matter
    play_pair(&truncated, (PfcAutoreset)autoreset);
  }
  cuda.reversed = false;
}

// ---- resets ----------------------------------------------------------------------------------------------

// The mask of step t: some games, and in games with `respawn` some rows of others.
static void fill_mask(const PfcBuffers* b, int32_t t, uint8_t* mask) {
  for (int64_t row = 0; row < b->rows; ++row) {
    const int64_t game = row / b->agents;
    mask[row] = (uint8_t)((game + t) % 3 == 0 || (b->spec->respawn && (row + t) % 5 == 0));
  }
}

static void test_resets(const Case* c) {
  if (!has_device_code(c)) return;
  PfcPoolDesc desc = case_desc(c, 6, 5);
  uint64_t numbers[6] = {8, 1, 99, 3, 1000, 7}, seeds[6] = {1, 2, 3, 4, 5, 6};
  desc.game_numbers = numbers;
  Pair pair = pair_open(&desc);
  uint8_t* mask = malloc((size_t)pair.cpu.b->rows);
  PfcResetDesc reset = {.has_seed = 1, .seed = 44};
  CHECK_GAME(c->label, pfc_pool_reset(pair.cpu.pool, &reset) == PFC_OK && device_reset(&pair, &reset) == PFC_OK);
  bool good = pair_is_same(&pair, c->label);
  for (int32_t t = 0; t < 24 && good; ++t) {
    good = pair_step(&pair, c->label);
    reset.mask = t % 4 ? mask : NULL;
    reset.has_seed = t % 2;
    reset.seeds = t % 3 ? NULL : seeds;
    fill_mask(pair.cpu.b, t, mask);
    CHECK_GAME(c->label, pfc_pool_reset(pair.cpu.pool, &reset) == PFC_OK && device_reset(&pair, &reset) == PFC_OK);
    good = good && pair_is_same(&pair, c->label);
  }
  free(mask);
  check_snapshots(&pair, c->label);
  pair_close(&pair);
}

// A map replaces the random boards.
static void test_data(void) {
  const PfcParamValue walls = {"walls", 1};
  const PfcPoolDesc desc = {.spec = &pfc_env_duel, .num_games = GAMES, .params = &walls, .num_params = 1,
                            .data = duel_map, .data_bytes = DUEL_MAP_BYTES};
  Pair pair = pair_open(&desc);
  CHECK(pfc_pool_reset(pair.cpu.pool, NULL) == PFC_OK && device_reset(&pair, NULL) == PFC_OK);
  for (int32_t t = 0; t < STEPS && pair_step(&pair, "duel, map"); ++t) {}
  check_snapshots(&pair, "duel, map");
  pair_close(&pair);
}

// ---- snapshots, parameters -------------------------------------------------------------------------------

// A snapshot of either pool continues in the other.
static void test_load(const Case* c) {
  if (!has_device_code(c)) return;
  const PfcPoolDesc desc = case_desc(c, 4, 9);
  Pair pair = pair_open(&desc);
  const uint64_t bytes = pfc_device_pool_snapshot_bytes(pair.device);
  CHECK_GAME(c->label, pfc_pool_reset(pair.cpu.pool, NULL) == PFC_OK);
  for (int32_t t = 0; t < 30; ++t) player_step(&pair.cpu);
  unsigned char* snapshot = take_snapshot(pair.cpu.pool);
  CHECK_GAME(c->label, pfc_device_pool_load(pair.device, snapshot, bytes, NULL) == PFC_OK);
  CHECK_GAME(c->label, pfc_pool_load(pair.cpu.pool, snapshot, bytes, NULL) == PFC_OK);
  bool good = pair_is_same(&pair, c->label);
  for (int32_t t = 0; t < 30 && good; ++t) good = pair_step(&pair, c->label);
  check_snapshots(&pair, c->label);
  free(snapshot);
  pair_close(&pair);
}

// A changed max_steps holds from the next step on, as in a captured graph: the argument of the kernel is the same.
static void test_set_param(void) {
  const Case c = {"breakout", "breakout", 0, {{0}}};
  const PfcPoolDesc desc = case_desc(&c, 8, 9);
  Pair pair = pair_open(&desc);
  CHECK(pfc_pool_reset(pair.cpu.pool, NULL) == PFC_OK && device_reset(&pair, NULL) == PFC_OK);
  for (int32_t t = 0; t < 20; ++t) pair_step(&pair, c.label);
  CHECK(pfc_pool_set_param(pair.cpu.pool, "max_steps", 25) == PFC_OK);
  CHECK(pfc_device_pool_set_param(pair.device, "max_steps", 25, NULL) == PFC_OK);
  int64_t truncated = 0;
  for (int32_t t = 0; t < 20 && pair_step(&pair, c.label); ++t)
    for (int64_t row = 0; row < pair.b->rows; ++row) truncated += pair.b->truncated[row];
  CHECK(truncated > 0);
  check_message(pfc_device_pool_set_param(pair.device, "continuous", 1, NULL) == PFC_INVALID, "continuous");
  pair_close(&pair);
}

// ---- actions that cannot be refused ----------------------------------------------------------------------

static PfcStatus step_and_check(Pair* pair, const void* actions, PfcDtype dtype) {
  CHECK(pfc_device_pool_step(pair->device, actions, dtype, NULL, NULL) == PFC_OK);
  return pfc_device_pool_check(pair->device, NULL);
}

static void test_bad_choices(void) {
  const Case c = {"breakout", "breakout", 0, {{0}}};
  const PfcPoolDesc desc = case_desc(&c, 4, 9);
  Pair pair = pair_open(&desc);
  const int32_t good[4] = {0, 1, 0, 0}, high[4] = {0, 1, 99, -1};
  const int64_t wide[4] = {0, 1, (int64_t)1 << 32, 0};
  CHECK(pfc_pool_reset(pair.cpu.pool, NULL) == PFC_OK && device_reset(&pair, NULL) == PFC_OK);
  check_message(step_and_check(&pair, high, PFC_INT32) == PFC_INVALID, "row 2 had a choice");
  check_message(step_and_check(&pair, wide, PFC_INT64) == PFC_INVALID, "row 2 had a choice");
  CHECK(step_and_check(&pair, good, PFC_INT32) == PFC_OK);  // reported once
  for (int32_t t = 0; t < 3; ++t) CHECK(pfc_pool_step(pair.cpu.pool, good, PFC_INT32, NULL) == PFC_OK);
  pair_is_same(&pair, "replaced choices");  // by choice 0
  pair_close(&pair);
}

// In a masked game an illegal choice becomes the first legal one.
static void test_illegal_choices(void) {
  const Case c = {"connect4", "connect4", 0, {{0}}};
  const PfcPoolDesc desc = case_desc(&c, 2, 9);
  Pair pair = pair_open(&desc);
  CHECK(pfc_pool_reset(pair.cpu.pool, NULL) == PFC_OK && device_reset(&pair, NULL) == PFC_OK);
  const PfcBuffers* b = pair.cpu.b;
  int32_t asked[8] = {0}, taken[8] = {0};
  int64_t bad = 0;
  for (int32_t t = 0; t < STEPS; ++t) {
    for (int64_t row = 0; row < b->rows; ++row) {
      asked[row] = (int32_t)(action_noise(7, row, 0, t) % (uint64_t)b->action_counts[0]);
      taken[row] = choice_is_legal(b, row, asked[row]) ? asked[row] : random_choice(b, row, 0, 0);
      bad += taken[row] != asked[row];
    }
    const bool all_legal = memcmp(asked, taken, sizeof asked) == 0;
    CHECK((step_and_check(&pair, asked, PFC_INT32) == PFC_OK) == all_legal);
    CHECK(pfc_pool_step(pair.cpu.pool, taken, PFC_INT32, NULL) == PFC_OK);
    if (!pair_is_same(&pair, c.label)) break;
  }
  CHECK(bad > 0);
  pair_close(&pair);
}

static void test_bad_controls(void) {
  const Case c = {"pendulum", "cartpole", 1, {{"continuous", 1}}};
  const PfcPoolDesc desc = case_desc(&c, 2, 9);
  Pair pair = pair_open(&desc);
  const float bad[2] = {7.0f, NAN}, used[2] = {1.0f, 0.0f};
  CHECK(pfc_pool_reset(pair.cpu.pool, NULL) == PFC_OK && device_reset(&pair, NULL) == PFC_OK);
  check_message(step_and_check(&pair, bad, PFC_FLOAT32) == PFC_INVALID, "row 1 had a control");
  CHECK(pfc_pool_step(pair.cpu.pool, used, PFC_FLOAT32, NULL) == PFC_OK);
  pair_is_same(&pair, c.label);
  check_message(pfc_device_pool_step(pair.device, bad, PFC_INT32, NULL, NULL) == PFC_INVALID, "expected float32");
  check_message(pfc_device_pool_step(pair.device, NULL, PFC_FLOAT32, NULL, NULL) == PFC_INVALID, "got NULL");
  pair_close(&pair);
}

// ---- use of the runtime ----------------------------------------------------------------------------------

// Steps and resets launch one kernel each. They neither allocate nor wait.
static void test_runtime_use(void) {
  const Case c = {"snake", "snake", 0, {{0}}};
  const PfcPoolDesc desc = case_desc(&c, 2, 1);
  const int live = cuda.live;
  PfcDevicePool* pool = pfc_device_pool_create(&desc);
  const PfcBuffers* b = pfc_device_pool_buffers(pool);
  int32_t* actions = calloc((size_t)b->rows, sizeof *actions);
  unsigned char* observations = malloc(obs_total_bytes(b));
  const HostDevice before = cuda;
  CHECK(pfc_device_pool_reset(pool, NULL, NULL) == PFC_OK);
  for (int32_t t = 0; t < 10; ++t)
    CHECK(pfc_device_pool_step(pool, actions, PFC_INT32, t % 2 ? observations : NULL, NULL) == PFC_OK);
  CHECK(cuda.launches == before.launches + 11);
  CHECK(cuda.allocations == before.allocations && cuda.waits == before.waits);
  const PfcBuffers* twin = pfc_pool_buffers(pfc_device_pool_download(pool, NULL));
  CHECK(memcmp(twin->observations, observations, obs_total_bytes(b)) != 0);  // of the step before
  free(actions), free(observations);
  pfc_device_pool_destroy(pool);
  CHECK(cuda.live == live);
}

static void test_limits(void) {
  PfcPoolDesc desc = {.env = "breakout", .num_games = 1000};
  const int live = cuda.live;
  check_message(!pfc_device_pool_create(NULL), "desc");
  cuda.free_bytes = 1000;
  check_message(!pfc_device_pool_create(&desc) && pfc_last_status() == PFC_NO_MEMORY, "1000 games of breakout need");
  cuda.free_bytes = (size_t)1 << 32, cuda.stack_bytes = 65536;  // for 100 x 2000 threads
  check_message(!pfc_device_pool_create(&desc) && pfc_last_status() == PFC_NO_MEMORY, "13.1 GB of stack");
  cuda.free_bytes = cuda.stack_bytes = 0;
  desc.env = "brekout";
  check_message(!pfc_device_pool_create(&desc), "did you mean");
  desc.env = "breakout", desc.num_games = 0;
  check_message(!pfc_device_pool_create(&desc), "num_games");
  CHECK(cuda.live == live && pfc_device_game_name(-1) == NULL);

  desc.num_games = 3;
  PfcDevicePool* pool = pfc_device_pool_create(&desc);
  const int32_t actions[3] = {0};
  const uint8_t mask[3] = {1, 0, 0};
  const PfcResetDesc some = {.mask = mask};
  check_message(pfc_device_pool_step(pool, actions, PFC_INT32, NULL, NULL) == PFC_STATE, "reset");
  check_message(pfc_device_pool_reset(pool, &some, NULL) == PFC_STATE, "first reset");
  check_message(!pfc_device_pool_download(pool, NULL), "reset");
  pfc_device_pool_destroy(pool);
}

// Games that own something outside their state, and games of modules.
static void test_games_without_device_code(void) {
  PfcEnvSpec spec = *pfc_env_find("breakout");
  PfcPoolDesc desc = {.spec = &spec, .num_games = 2};
  spec.name = "mygame";
  check_message(!pfc_device_pool_create(&desc) && pfc_last_status() == PFC_UNSUPPORTED, "has no device code");
  if (!pfc_env_find("lander")) return;
  desc.spec = NULL, desc.env = "lander";
  check_message(!pfc_device_pool_create(&desc) && pfc_last_status() == PFC_UNSUPPORTED, "owns objects outside");
}

int main(void) {
  for_each_case(test_trajectories);
  for_each_case(test_resets);
  for_each_case(test_load);
  test_data();
  for_each_duel_case(test_trajectories);
  for_each_duel_case(test_resets);
  for_each_duel_case(test_load);
  test_set_param();
  test_bad_choices();
  test_illegal_choices();
  test_bad_controls();
  test_runtime_use();
  test_limits();
  test_games_without_device_code();
  return check_report();
}
