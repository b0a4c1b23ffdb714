// test_errors.c - invalid arguments of the C API: refused before memory is allocated, with a message that says what was
// expected and what came.
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "harness.h"
#include "test_games.h"

static long peak_memory_kb(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

// Creation fails before it allocates, and its message contains all the words.
static void expect_no_pool(PfcPoolDesc desc, const char* words, const char* more_words) {
  const long before = peak_memory_kb();
  PfcPool* pool = pfc_pool_create(&desc);
  if (!CHECK(pool == NULL)) pfc_pool_destroy(pool);
  CHECK(peak_memory_kb() - before < 65536);
  if (!CHECK(strstr(pfc_last_error(), words) && strstr(pfc_last_error(), more_words)))
    fprintf(stderr, "  expected \"%s\" and \"%s\", got \"%s\"\n", words, more_words, pfc_last_error());
}

static void test_names(void) {
  expect_no_pool((PfcPoolDesc){.num_games = 1}, "env", "NULL");
  expect_no_pool((PfcPoolDesc){.env = "", .num_games = 1}, "env", "no game named");
  expect_no_pool((PfcPoolDesc){.env = "breakot", .num_games = 1}, "\"breakot\"", "did you mean \"breakout\"");
  expect_no_pool((PfcPoolDesc){.env = "Snake", .num_games = 1}, "\"Snake\"", "did you mean \"snake\"");
  char longest[2000];
  memset(longest, 'q', sizeof longest - 1);
  longest[sizeof longest - 1] = 0;
  expect_no_pool((PfcPoolDesc){.env = longest, .num_games = 1}, "no game named", "qqqq");
  CHECK(!strstr(pfc_last_error(), "did you mean"));
  CHECK(pfc_pool_create(NULL) == NULL && strstr(pfc_last_error(), "desc"));
}

static void test_sizes(void) {
  static const int32_t wrong[] = {0, -1, INT32_MIN, INT32_MAX, (1 << 28) + 1};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; ++i) {
    char words[64];
    snprintf(words, sizeof words, "got %d", wrong[i]);
    expect_no_pool((PfcPoolDesc){.env = "squared", .num_games = wrong[i]}, "num_games: expected 1 to", words);
  }
  for (int32_t i = 0; i < pfc_env_count(); ++i) {
    PfcPoolDesc desc = {.env = pfc_env_at(i)->name, .num_games = 1 << 28};
    expect_no_pool(desc, "num_games", "");
  }
  expect_no_pool((PfcPoolDesc){.env = "squared", .num_games = 600, .num_groups = 300}, "num_groups: expected 1 to 256",
                 "300");
  for (int32_t i = 0; i < pfc_env_count(); ++i) {
    PfcPool* one = pfc_pool_create(&(PfcPoolDesc){.env = pfc_env_at(i)->name, .num_games = 1});
    const int32_t agents = pfc_pool_buffers(one)->agents;
    pfc_pool_destroy(one);
    const PfcPoolDesc beyond = {.env = pfc_env_at(i)->name, .num_games = PFC_MAX_ROWS / agents + 1};
    expect_no_pool(beyond, "num_games: expected 1 to", "got");
  }
  // About twice this machine's memory: addressable, but too large.
  const uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
  const uint64_t games = 2 * memory / 600;
  if (games < 1u << 28) {
    const int32_t num_games = (int32_t)games;
    expect_no_pool((PfcPoolDesc){.env = "squared", .num_games = num_games}, "num_games", "GB, but this machine has");
    expect_no_pool((PfcPoolDesc){.env = "breakout", .num_games = num_games}, "num_games", "GB, but this machine has");
  }
  const PfcParamValue board[] = {{"width", 4096}, {"height", 4096}};
  const PfcPoolDesc boards = {.env = "snake", .num_games = 1 << 20, .params = board, .num_params = 2};
  expect_no_pool(boards, "num_games", "GB");
}

static void test_counts(void) {
  const PfcPoolDesc good = {.env = "squared", .num_games = 6};
  PfcPoolDesc desc = good;
  desc.num_threads = -1;
  expect_no_pool(desc, "num_threads", "got -1");
  desc.num_threads = 257;
  expect_no_pool(desc, "num_threads: expected 1 to 256", "got 257");
  desc = good;
  desc.num_groups = 4;
  expect_no_pool(desc, "num_groups", "num_games 6");
  desc.num_groups = -2;
  expect_no_pool(desc, "num_groups", "-2");
  desc.num_groups = 12;
  expect_no_pool(desc, "num_groups", "12");
  desc = good;
  desc.autoreset = (PfcAutoreset)3;
  expect_no_pool(desc, "autoreset", "got 3");
  desc = good;
  desc.num_params = 3;
  expect_no_pool(desc, "num_params", "got 3");
  desc.num_params = -1;
  expect_no_pool(desc, "num_params", "got -1");
}

// Every function with a NULL pool or NULL outputs.
static void test_null(void) {
  int64_t episodes;
  double values[2 + PFC_MAX_METRICS];
  int32_t actions[1] = {0};
  CHECK(pfc_pool_reset(NULL, NULL) == PFC_INVALID && strstr(pfc_last_error(), "pool"));
  CHECK(pfc_pool_step(NULL, actions, PFC_INT32, NULL) == PFC_INVALID);
  CHECK(pfc_pool_send(NULL, 0, actions, PFC_INT32, NULL) == PFC_INVALID);
  CHECK(pfc_pool_recv(NULL, 0) == PFC_INVALID);
  CHECK(pfc_pool_pop_metrics(NULL, &episodes, values) == PFC_INVALID);
  CHECK(pfc_pool_save(NULL, actions, 4) == PFC_INVALID);
  CHECK(pfc_pool_load(NULL, actions, 4, NULL) == PFC_INVALID);
  CHECK(pfc_pool_close(NULL) == PFC_INVALID);
  CHECK(pfc_pool_buffers(NULL) == NULL);
  CHECK(pfc_pool_group_observations(NULL, 0) == NULL);
  CHECK(pfc_pool_ended(NULL, -1) == 0);
  CHECK(pfc_pool_snapshot_bytes(NULL) == 0);
  (void)pfc_pool_param(NULL, 0);
  pfc_pool_destroy(NULL);
  const PfcPoolDesc desc = {.env = "squared", .num_games = 1};
  Player p = player_start(&desc);
  char words[32];
  snprintf(words, sizeof words, "no parameter %d", p.b->spec->num_params);
  CHECK(pfc_pool_param(p.pool, p.b->spec->num_params) == 0.0 && strstr(pfc_last_error(), words));
  CHECK(pfc_pool_pop_metrics(p.pool, NULL, values) == PFC_INVALID);
  CHECK(pfc_pool_pop_metrics(p.pool, &episodes, NULL) == PFC_INVALID);
  CHECK(pfc_pool_step(p.pool, NULL, PFC_INT32, NULL) == PFC_INVALID);
  (void)pfc_pool_param(p.pool, -1);
  (void)pfc_pool_param(p.pool, 1000000);
  player_close(&p);
}

// Calls in the wrong order.
static void test_order(void) {
  const PfcPoolDesc desc = {.env = "squared", .num_games = 4, .num_groups = 2};
  Player p = player_open(&desc);
  int32_t actions[4] = {0};
  uint8_t mask[4] = {1, 0, 0, 1};
  int64_t episodes;
  double values[2 + PFC_MAX_METRICS];
  const PfcResetDesc masked = {.mask = mask};
  CHECK(pfc_pool_step(p.pool, actions, PFC_INT32, NULL) == PFC_STATE && strstr(pfc_last_error(), "reset"));
  CHECK(pfc_pool_send(p.pool, 0, actions, PFC_INT32, NULL) == PFC_STATE);
  CHECK(pfc_pool_group_observations(p.pool, 1) == NULL);
  CHECK(pfc_pool_recv(p.pool, 0) == PFC_STATE);
  CHECK(pfc_pool_reset(p.pool, &masked) == PFC_STATE && strstr(pfc_last_error(), "mask"));
  CHECK(pfc_pool_reset(p.pool, NULL) == PFC_OK);
  CHECK(pfc_pool_send(p.pool, 2, actions, PFC_INT32, NULL) == PFC_INVALID && strstr(pfc_last_error(), "0 to 1, got 2"));
  CHECK(pfc_pool_send(p.pool, -1, actions, PFC_INT32, NULL) == PFC_INVALID);
  CHECK(pfc_pool_recv(p.pool, 7) == PFC_INVALID && pfc_pool_group_observations(p.pool, 7) == NULL);
  CHECK(pfc_pool_send(p.pool, 1, actions, PFC_INT32, NULL) == PFC_OK);
  CHECK(pfc_pool_send(p.pool, 1, actions, PFC_INT32, NULL) == PFC_STATE && strstr(pfc_last_error(), "group 1"));
  CHECK(pfc_pool_step(p.pool, actions, PFC_INT32, NULL) == PFC_STATE);
  CHECK(pfc_pool_reset(p.pool, NULL) == PFC_STATE);
  CHECK(pfc_pool_pop_metrics(p.pool, &episodes, values) == PFC_STATE);
  CHECK(pfc_pool_recv(p.pool, 0) == PFC_STATE && strstr(pfc_last_error(), "group 0"));
  CHECK(pfc_pool_recv(p.pool, 1) == PFC_OK);
  CHECK(pfc_pool_step(p.pool, actions, PFC_INT32, NULL) == PFC_OK);
  player_close(&p);
}

// The status of the latest failure is kept with its message, also for functions that return a pointer or a number. A
// successful call changes neither.
static void* fail_elsewhere(void* unused) {
  (void)unused;
  const bool clean = pfc_last_status() == PFC_OK && pfc_last_error()[0] == '\0';
  (void)pfc_pool_step(NULL, NULL, PFC_INT32, NULL);
  return clean && pfc_last_status() == PFC_INVALID ? NULL : (void*)&check_failures_;
}

static void test_last_status(void) {
  pthread_t thread;
  void* failed = NULL;
  CHECK(pfc_env_find("nothing of the kind") == NULL && pfc_last_status() == PFC_INVALID);
  CHECK(pfc_pool_create(&(PfcPoolDesc){.env = "breakout", .num_games = 1 << 28}) == NULL &&
        pfc_last_status() == PFC_NO_MEMORY);
  CHECK(pthread_create(&thread, NULL, fail_elsewhere, NULL) == 0 && pthread_join(thread, &failed) == 0);
  CHECK(failed == NULL && pfc_last_status() == PFC_NO_MEMORY);  // each thread has its own status
  vault_limit = vault_open_now + 1;
  CHECK(pfc_pool_create(&(PfcPoolDesc){.spec = &pfc_env_vault, .num_games = 2}) == NULL &&
        pfc_last_status() == PFC_NO_MEMORY);
  vault_limit = 1000000;
  const PfcPoolDesc desc = {.env = "squared", .num_games = 4};
  Player p = player_open(&desc);
  CHECK(pfc_pool_step(p.pool, p.actions, PFC_INT32, NULL) == PFC_STATE && pfc_last_status() == PFC_STATE);
  CHECK(pfc_pool_reset(p.pool, NULL) == PFC_OK && pfc_last_status() == PFC_STATE && strstr(pfc_last_error(), "reset"));
  CHECK(pfc_pool_param(p.pool, -1) == 0.0 && pfc_last_status() == PFC_INVALID);
  CHECK(pfc_pool_group_observations(p.pool, 3) == NULL && pfc_last_status() == PFC_INVALID);
  CHECK(pfc_pool_close(p.pool) == PFC_OK && pfc_pool_reset(p.pool, NULL) == PFC_CLOSED &&
        pfc_last_status() == PFC_CLOSED);
  player_close(&p);
}

int main(void) {
  test_last_status();  // first: no call has failed yet

  test_names();
  test_sizes();
  test_counts();
  test_null();
  test_order();
  return check_report();
}
