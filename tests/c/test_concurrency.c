// test_concurrency.c - groups that step at the same time, several pools at once, and several threads in one pool.
// Written for ThreadSanitizer.
#include <pthread.h>
#include <time.h>

#include "harness.h"
#include "test_games.h"

// Many small steps of four groups in a changing order. Groups do not affect each other.
static void test_groups(void) {
  enum { GROUPS = 4, GAMES = 64, STEPS = 3000 };
  PfcPoolDesc desc = {.env = "squared", .num_games = GAMES, .num_threads = 3, .num_groups = GROUPS, .seed = 1};
  Player p = player_start(&desc), model = p;
  desc.num_threads = desc.num_groups = 1;
  model = player_start(&desc);
  const int32_t rows = GAMES / GROUPS;
  int64_t sums[2] = {0};
  for (int32_t t = 0; t < STEPS; ++t) {
    player_step(&model);
    const int32_t* actions = model.actions;
    for (int32_t i = 0; i < GROUPS; ++i) {
      const int32_t g = (i * (1 + 2 * (t % 2)) + t) % GROUPS;
      CHECK(pfc_pool_send(p.pool, g, actions + g * rows, PFC_INT32, NULL) == PFC_OK);
      if (t % 3 == 0) CHECK(pfc_pool_recv(p.pool, g) == PFC_OK);
    }
    for (int32_t g = GROUPS - 1; g >= 0 && t % 3 != 0; --g) CHECK(pfc_pool_recv(p.pool, g) == PFC_OK);
    for (int32_t g = 0; g < GROUPS; ++g)
      CHECK(memcmp(pfc_pool_group_observations(p.pool, g), obs_row(model.b->observations, model.b, g * rows),
                   (size_t)rows * model.b->obs_bytes) == 0);
    sums[0] += pfc_pool_ended(p.pool, -1), sums[1] += pfc_pool_ended(model.pool, -1);
  }
  CHECK(sums[0] == sums[1] && sums[0] > 0);
  player_close(&p), player_close(&model);
}

// Pools in different threads do not affect each other.
static void* play_alone(void* result) {
  const PfcPoolDesc desc = {.env = "breakout", .num_games = 48, .num_threads = 2, .seed = 5};
  PfcPool* pool = pfc_pool_create(&desc);
  const PfcBuffers* b = pfc_pool_buffers(pool);
  int32_t actions[48];
  uint64_t hash = pfc_pool_reset(pool, NULL) == PFC_OK;
  for (int32_t t = 0; t < 500; ++t) {
    fill_actions(b, 3, t, actions);
    hash += pfc_pool_step(pool, actions, PFC_INT32, NULL) == PFC_OK;
    hash = hash_bytes(hash, b->observations, obs_total_bytes(b));
  }
  pfc_pool_destroy(pool);
  *(uint64_t*)result = hash;
  return NULL;
}

static void test_pools_side_by_side(void) {
  enum { THREADS = 4 };
  pthread_t threads[THREADS];
  uint64_t hashes[THREADS] = {0};
  for (int32_t i = 0; i < THREADS; ++i) CHECK(pthread_create(&threads[i], NULL, play_alone, &hashes[i]) == 0);
  for (int32_t i = 0; i < THREADS; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
  for (int32_t i = 0; i < THREADS; ++i) CHECK(hashes[i] == hashes[0] && hashes[i] != 0);
}

static void* step_once(void* pool) {
  int32_t actions[2] = {0};
  return (void*)(intptr_t)pfc_pool_step(pool, actions, PFC_INT32, NULL);
}

// While one thread is inside a step, every call of another thread is refused, and the step completes.
static void test_busy(void) {
  const PfcPoolDesc desc = {.spec = &pfc_env_gate, .num_games = 2};
  Player p = player_start(&desc);
  int32_t actions[2] = {0};
  unsigned char snapshot[1024];
  int64_t episodes;
  double values[2 + PFC_MAX_METRICS];
  pthread_t thread;
  void* status = NULL;
  gate_shut = 1;
  CHECK(pthread_create(&thread, NULL, step_once, p.pool) == 0);
  while (gate_waiting == 0) nanosleep(&(struct timespec){0, 1000000}, NULL);
  CHECK(pfc_pool_step(p.pool, actions, PFC_INT32, NULL) == PFC_BUSY && strstr(pfc_last_error(), "another thread"));
  CHECK(pfc_pool_reset(p.pool, NULL) == PFC_BUSY);
  CHECK(pfc_pool_send(p.pool, 0, actions, PFC_INT32, NULL) == PFC_BUSY);
  CHECK(pfc_pool_recv(p.pool, 0) == PFC_BUSY);
  CHECK(pfc_pool_pop_metrics(p.pool, &episodes, values) == PFC_BUSY);
  CHECK(pfc_pool_save(p.pool, snapshot, pfc_pool_snapshot_bytes(p.pool)) == PFC_BUSY);
  CHECK(pfc_pool_close(p.pool) == PFC_BUSY);
  gate_shut = 0;
  CHECK(pthread_join(thread, &status) == 0 && (intptr_t)status == PFC_OK);
  CHECK(((const GateObs*)p.b->observations)[1].steps == 1);
  CHECK(pfc_pool_step(p.pool, actions, PFC_INT32, NULL) == PFC_OK);
  player_close(&p);
}

typedef struct Crowd {
  PfcPool* pool;
  int64_t steps;  // successful steps
  bool wrong;     // an unexpected status
} Crowd;

static void* crowd_in(void* context) {
  Crowd* crowd = context;
  int32_t actions[64] = {0};
  int64_t episodes;
  double values[2 + PFC_MAX_METRICS];
  for (int32_t i = 0; i < 4000; ++i) {
    const PfcStatus step = pfc_pool_step(crowd->pool, actions, PFC_INT32, NULL);
    const PfcStatus pop = pfc_pool_pop_metrics(crowd->pool, &episodes, values);
    crowd->steps += step == PFC_OK;
    crowd->wrong = crowd->wrong || (step != PFC_OK && step != PFC_BUSY) || (pop != PFC_OK && pop != PFC_BUSY);
  }
  return NULL;
}

// Four threads in one pool at once: each call succeeds completely or is refused completely.
static void test_crowd(void) {
  enum { THREADS = 4 };
  const PfcPoolDesc desc = {.spec = &pfc_env_gate, .num_games = 64, .num_threads = 2};
  Player p = player_start(&desc);
  pthread_t threads[THREADS];
  Crowd crowds[THREADS];
  int64_t steps = 0;
  for (int32_t i = 0; i < THREADS; ++i) {
    crowds[i] = (Crowd){.pool = p.pool};
    CHECK(pthread_create(&threads[i], NULL, crowd_in, &crowds[i]) == 0);
  }
  for (int32_t i = 0; i < THREADS; ++i) {
    CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(!crowds[i].wrong);
    steps += crowds[i].steps;
  }
  CHECK(steps > 0 && ((const GateObs*)p.b->observations)[63].steps == steps);
  player_close(&p);
}

static int64_t cpu_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

// An idle pool uses no CPU time.
static void test_idle(void) {
  const PfcPoolDesc desc = {.env = "squared", .num_games = 1024, .num_threads = 8, .num_groups = 2};
  Player p = player_start(&desc);
  for (int32_t t = 0; t < 100; ++t) player_step(&p);
  nanosleep(&(struct timespec){0, 30000000}, NULL);
  const int64_t before = cpu_ns();
  nanosleep(&(struct timespec){0, 200000000}, NULL);
  CHECK(cpu_ns() - before < 100000000);  // a single spinning thread would take 200 ms
  player_close(&p);
}

int main(void) {
  test_groups();
  test_pools_side_by_side();
  test_busy();
  test_crowd();
  test_idle();
  return check_report();
}
