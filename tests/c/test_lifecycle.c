// test_lifecycle.c - creation and destruction of pools: thousands of them without a leak, closed pools, games
// with open and close, and forked children.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "test_games.h"

// gcc defines a macro for the active sanitizer, clang has a feature test.
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
enum { UNDER_TSAN = 1, UNDER_ASAN = 0, POOLS = 1000 };
#elif defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
enum { UNDER_TSAN = 0, UNDER_ASAN = 1, POOLS = 10000 };
#else
enum { UNDER_TSAN = 0, UNDER_ASAN = 0, POOLS = 10000 };
#endif

// Resident bytes of this process; -1 where unknown.
static long resident_bytes(void) {
  long pages = -1, resident = -1;
  FILE* file = fopen("/proc/self/statm", "r");
  if (!file) return -1;
  if (fscanf(file, "%ld %ld", &pages, &resident) != 2) resident = -1;
  fclose(file);
  return resident < 0 ? -1 : resident * sysconf(_SC_PAGESIZE);
}

// Threads of this process; -1 where unknown.
static int thread_count(void) {
  char line[256];
  int threads = -1;
  FILE* file = fopen("/proc/self/status", "r");
  if (!file) return -1;
  while (fgets(line, sizeof line, file))
    if (sscanf(line, "Threads: %d", &threads) == 1) break;
  fclose(file);
  return threads;
}

static void make_and_end(int32_t i) {
  PfcPoolDesc desc = {.env = pfc_env_at(i % pfc_env_count())->name, .num_games = 4, .num_threads = 1 + i % 3};
  const Case* small_snake = case_labelled("snake, small");
  if (strcmp(desc.env, "snake") == 0) desc.params = small_snake->params, desc.num_params = small_snake->num_params;
  Player p = player_start(&desc);
  player_step(&p);
  if (i % 5 == 0) {
    fill_actions(p.b, p.seed, p.t++, p.actions);
    CHECK(pfc_pool_send(p.pool, 0, p.actions, action_dtype(p.b), NULL) == PFC_OK);  // no recv follows
  }
  if (i % 7 == 0) CHECK(pfc_pool_close(p.pool) == PFC_OK);
  player_close(&p);
}

static void test_many_pools(void) {
  for (int32_t i = 0; i < POOLS / 10; ++i) make_and_end(i);  // fills the caches of the allocator and the threads
  const long before = resident_bytes();
  const int threads = thread_count();
  for (int32_t i = 0; i < POOLS; ++i) make_and_end(i);
  CHECK(thread_count() <= threads);
  // Sanitizers delay freeing of memory; with them AddressSanitizer's leak check is used instead.
  if (before < 0 || UNDER_ASAN || UNDER_TSAN) return;
  const long grown = resident_bytes() - before;
  if (!CHECK(grown < 2000000)) fprintf(stderr, "  %d pools grew the process by %ld bytes\n", POOLS, grown);
}

static void test_closed(void) {
  const PfcPoolDesc desc = {.env = "squared", .num_games = 8, .num_threads = 2, .num_groups = 2};
  Player p = player_start(&desc);
  for (int32_t t = 0; t < 10; ++t) player_step(&p);
  const uint64_t bytes = pfc_pool_snapshot_bytes(p.pool);
  unsigned char* snapshot = take_snapshot(p.pool);
  const uint64_t hash = hash_bytes(0, p.b->observations, obs_total_bytes(p.b));
  int64_t episodes;
  double values[2 + PFC_MAX_METRICS];
  CHECK(pfc_pool_close(p.pool) == PFC_OK);
  CHECK(pfc_pool_close(p.pool) == PFC_OK);
  CHECK(pfc_pool_step(p.pool, p.actions, PFC_INT32, NULL) == PFC_CLOSED && strstr(pfc_last_error(), "closed"));
  CHECK(pfc_pool_reset(p.pool, NULL) == PFC_CLOSED);
  CHECK(pfc_pool_send(p.pool, 0, p.actions, PFC_INT32, NULL) == PFC_CLOSED);
  CHECK(pfc_pool_recv(p.pool, 0) == PFC_CLOSED);
  CHECK(pfc_pool_pop_metrics(p.pool, &episodes, values) == PFC_CLOSED);
  CHECK(pfc_pool_save(p.pool, snapshot, bytes) == PFC_CLOSED);
  CHECK(pfc_pool_load(p.pool, snapshot, bytes, NULL) == PFC_CLOSED);
  CHECK(hash_bytes(0, p.b->observations, obs_total_bytes(p.b)) == hash);  // the buffers stay readable
  free(snapshot);
  player_close(&p);
}

// Each game with open and close is opened once, closed once, and not cleared in between.
static void test_open_close(void) {
  const PfcPoolDesc desc = {.spec = &pfc_env_vault, .num_games = 9, .num_threads = 2};
  Player p = player_start(&desc);
  CHECK(vault_open_now == 9);
  for (int32_t t = 0; t < 12; ++t) player_step(&p);  // max_steps is 5: two resets on the way
  for (int32_t row = 0; row < 9; ++row) CHECK(((const int32_t*)p.b->observations)[row] == 12);
  CHECK(pfc_pool_close(p.pool) == PFC_OK && vault_open_now == 0);
  player_close(&p);
  CHECK(vault_open_now == 0);
  vault_limit = 4;  // opening the fifth fails, and the four open ones are closed
  CHECK(pfc_pool_create(&desc) == NULL);
  CHECK(strstr(pfc_last_error(), "vault could open only 4 games, not 9") != NULL);
  CHECK(vault_open_now == 0);
  vault_limit = 1000000;
}

enum { CHILD_GOOD = 0, CHILD_LIMIT_S = 60 };

static bool child_is_refused(Player* p) {
  int64_t episodes;
  double values[2 + PFC_MAX_METRICS];
  return pfc_pool_step(p->pool, p->actions, PFC_INT32, NULL) == PFC_FORKED && strstr(pfc_last_error(), "fork") &&
         pfc_pool_reset(p->pool, NULL) == PFC_FORKED && pfc_pool_recv(p->pool, 0) == PFC_FORKED &&
         pfc_pool_pop_metrics(p->pool, &episodes, values) == PFC_FORKED && pfc_pool_close(p->pool) == PFC_FORKED;
}

// A child can create a new pool, as the message of PFC_FORKED advises.
static bool child_can_play(void) {
  const PfcPoolDesc desc = {.env = "squared", .num_games = 64, .num_threads = 3};
  Player p = player_start(&desc);
  for (int32_t t = 0; t < 20; ++t) player_step(&p);
  player_close(&p);
  return check_failures_ == 0;
}

// In the child every call is refused and destroy does not hang. The parent's pool still works.
static void test_fork(int32_t threads, bool while_sent) {
  const PfcPoolDesc desc = {.env = "squared", .num_games = 512, .num_threads = threads, .num_groups = 2};
  Player p = player_start(&desc);
  for (int32_t t = 0; t < 3; ++t) player_step(&p);
  if (while_sent) CHECK(pfc_pool_send(p.pool, 0, p.actions, PFC_INT32, NULL) == PFC_OK);
  fflush(NULL);
  const pid_t child = fork();
  if (!CHECK(child >= 0)) return;
  if (child == 0) {
    alarm(CHILD_LIMIT_S);
    bool good = child_is_refused(&p);
    player_close(&p);
    if (!UNDER_TSAN) good = good && child_can_play();  // it cannot follow threads made after a fork
    _exit(good ? CHILD_GOOD : 1);
  }
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child);
  if (!CHECK(WIFEXITED(status) && WEXITSTATUS(status) == CHILD_GOOD))
    fprintf(stderr, "  %d threads, %s: status %d\n", threads, while_sent ? "sent" : "idle", status);
  if (while_sent) CHECK(pfc_pool_recv(p.pool, 0) == PFC_OK);
  for (int32_t t = 0; t < 3; ++t) player_step(&p);
  player_close(&p);
}

int main(void) {
  test_many_pools();
  test_closed();
  test_open_close();
  for (int32_t threads = 1; threads <= 4; ++threads) {
    test_fork(threads, false);
    test_fork(threads, true);
  }
  return check_report();
}
