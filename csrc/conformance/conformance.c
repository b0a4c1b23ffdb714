// conformance.c - runs the checks of conformance.h in order. Each creates its pools, plays, compares and destroys them.
// Pools have several games, to find memory that games must not share.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conformance/agents.h"
#include "conformance/image.h"
#include "conformance/memory.h"
#include "conformance/run.h"
#include "conformance/stats.h"
#include "draw/draw_record.h"

enum { LONG_STEPS = 20000, LEVEL_STEPS = 300, DRAW_EVERY = 7, ADDRESSES_EVERY = 50, SPEED_ROWS = 4096 };
static const double SPEED_SECONDS = 0.25;

static struct {
  PfcStats stats;
  bool watching;  // whether stats are open
  PfcImage image;
} check;

// ---- stages ------------------------------------------------------------------------------------------------

static void watch(const PfcPlayer* p, int64_t step) {
  pfc_agents_watch(p->pool, step);
  if (step == 0 && !check.watching) check.watching = pfc_stats_open(&check.stats, p->pool, pfc_check_report);
  if (!check.watching || (step == 0 && !pfc_stats_begin(&check.stats, p->pool))) return;
  pfc_stats_watch(&check.stats, p->pool, step);
}

static void draw(PfcPlayer* p, int32_t game, int64_t step) {
  DrawRecord record = draw_record_new();
  const PfcDraw recorder = draw_recorder(&record);
  pfc_guard_attach(p->pool);
  (void)pfc_pool_draw(p->pool, game, &recorder);
  if (record.begins != 1 || record.ends != 1 || !record.in_order)
    pfc_check_find(PFC_ERROR, "draw_order", "", game, step,
                   "draw did not call begin exactly once at its start and end exactly once at its end");
  else if (!record.finite)
    pfc_check_find(PFC_ERROR, "draw_not_finite", "", game, step,
                   "draw gave a shape a position or size that is not finite, or a negative size");
  else if (record.shapes == 0)
    pfc_check_find(PFC_WARNING, "draw_nothing", "", game, step, "draw drew no shapes");
}

// Whether a word of the states is a pointer: in each game NULL or an address in use, and an address in two games at
// least, so that numbers that look like one by chance are not reported.
static bool is_pointer(const PfcPlayer* p, uint64_t at) {
  int32_t addresses = 0;
  uint64_t data_bytes;
  const uint64_t data = (uint64_t)(uintptr_t)pfc_guard_data(&data_bytes);
  for (int32_t game = 0; game < p->b->num_games; ++game) {
    uint64_t word;
    memcpy(&word, pfc_game_state(&p->pool->games, game) + at, 8);
    if (word == 0) continue;
    if (data && word >= data && word <= data + data_bytes) return false;  // the guard reports it
    if (!pfc_guard_owns(word) && !pfc_image_holds(&check.image, word) && !pfc_memory_in_use(word)) return false;
    ++addresses;
  }
  return addresses >= PFC_MIN(2, p->b->num_games);
}

// Reports a pointer in the states, which no snapshot can restore.
static void find_addresses(const PfcPlayer* p, int64_t step) {
  const uint64_t rng = pfc_check.desc->spec->rng_offset;
  for (uint64_t at = 0; at + 8 <= p->pool->layout.state_bytes; at += 8) {
    if ((at + 8 > rng && at < rng + sizeof(PfcRng)) || !is_pointer(p, at)) continue;
    char seen[128];
    (void)snprintf(seen, sizeof seen, "the state holds an address at byte %llu", (unsigned long long)at);
    pfc_check_find(PFC_ERROR, "state_address", "", -1, step, seen);
    return;
  }
}

// The built-in player plays all rows. Its levels take turns. This reaches states that random play does not.
static void check_levels(void) {
  if (!pfc_check.spec->script) return;
  const PfcPoolDesc desc = pfc_check_pool(pfc_check_games(PFC_CHECK_GAMES, 1), 101);
  PfcPlayer p = pfc_player_open(&desc);
  if (!p.pool) return;
  const int32_t steps = pfc_player_steps(&p, p.b->num_games, LEVEL_STEPS);
  pfc_player_reset(&p, "script", NULL);
  watch(&p, 0);
  for (int32_t t = 1; t <= steps; ++t) {
    pfc_player_script(&p, "script", t, p.actions);
    pfc_player_act(&p, "script", t);
    watch(&p, t);
  }
  pfc_player_close(&p);
}

// Makes pools with truncated data. check_data must refuse the data, or the game must run with it.
static void check_truncated_data(void) {
  const uint64_t bytes = pfc_check.desc->data_bytes;
  const uint64_t lengths[] = {0, 1, bytes / 2, bytes - 1};
  for (size_t i = 0; bytes > 0 && i < sizeof lengths / sizeof lengths[0]; ++i) {
    if (!pfc_guard_truncate_data(lengths[i])) return;
    const PfcPoolDesc desc = pfc_check_pool(1, 3);
    pfc_guard_set_step("data", 0);
    PfcPlayer p = pfc_player_open(&desc);
    if (!p.pool) continue;
    pfc_player_reset(&p, "data", NULL);
    for (int32_t t = 1; t <= 10; ++t) pfc_player_step(&p, "data", t);
    pfc_player_close(&p);
  }
}

// Plays with every buffer next to forbidden memory and checks observations, rewards, ends, metrics and pictures.
static PfcStatus check_memory(PfcGuardMode mode) {
  pfc_check.spec = pfc_guard_open(pfc_check.desc, mode);
  if (!pfc_check.spec) return PFC_NO_MEMORY;
  pfc_guard_report_to(pfc_check_report);
  if (pfc_check.desc->data) check_truncated_data();
  if (!pfc_guard_truncate_data(pfc_check.desc->data_bytes)) return PFC_NO_MEMORY;
  const PfcPoolDesc desc = pfc_check_pool(pfc_check_games(PFC_CHECK_GAMES, 1), 11);
  PfcPlayer p = pfc_player_open(&desc);
  if (!p.pool) return PFC_INVALID;
  const int32_t steps = pfc_player_steps(&p, p.b->num_games, PFC_CHECK_MAX_STEPS);
  pfc_player_reset(&p, "memory", NULL);
  watch(&p, 0);
  for (int32_t t = 1; t <= steps; ++t) {
    pfc_player_step(&p, "memory", t);
    watch(&p, t);
    if (t % DRAW_EVERY == 0) draw(&p, t / DRAW_EVERY % p.b->num_games, t);
    if (t % ADDRESSES_EVERY == 1 && !pfc_check.desc->spec->open) find_addresses(&p, t);
  }
  pfc_player_close(&p);
  check_levels();
  return PFC_OK;
}

// ---- long runs ---------------------------------------------------------------------------------------------

// Plays until enough episodes and rewards have been seen, to catch rare events.
static void check_long(void) {
  const PfcPoolDesc desc = pfc_check_pool(pfc_check_games(PFC_CHECK_GAMES, 1), 81);
  PfcPlayer p = pfc_player_open(&desc);
  if (!p.pool) return;
  const int32_t limit = (int32_t)pfc_pool_param(p.pool, 0);
  const int32_t wanted = limit > 0 && limit < LONG_STEPS - 1 ? PFC_MAX(limit + 1, PFC_CHECK_MAX_STEPS) : LONG_STEPS;
  const int32_t steps = pfc_player_steps(&p, p.b->num_games, wanted);
  pfc_player_reset(&p, "episodes", NULL);
  watch(&p, 0);
  for (int32_t t = 1; t <= steps; ++t) {
    pfc_player_step(&p, "episodes", t);
    watch(&p, t);
    if (t >= PFC_CHECK_MAX_STEPS && check.stats.episodes > 100 && check.stats.nonzero_rewards > 0) break;
  }
  pfc_player_close(&p);
}

static double now_s(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void measure_speed(void) {
  pfc_check.spec = pfc_check.desc->spec;
  PfcPoolDesc desc = pfc_check_pool(1, 91);
  PfcPlayer p = pfc_player_open(&desc);
  if (!p.pool) return;
  desc.num_games = pfc_check_games(PFC_MAX(SPEED_ROWS / p.b->agents, 1), 1);
  pfc_player_close(&p);
  p = pfc_player_open(&desc);
  if (!p.pool) return;
  pfc_player_reset(&p, "speed", NULL);
  for (int32_t t = 1; t <= 8; ++t) pfc_player_step(&p, "speed", t);
  int64_t steps = 0;
  double seconds = 0.0;
  while (seconds < SPEED_SECONDS) {
    if (p.b->mask_words) fill_actions(p.b, 77, steps, p.actions);  // an earlier choice may be illegal now
    const double began = now_s();
    pfc_player_act(&p, "speed", ++steps);
    seconds += now_s() - began;
  }
  char seen[128];
  (void)snprintf(seen, sizeof seen, "%.3g million agent steps per second on one thread, %d rows",
                 (double)steps * p.b->rows / seconds / 1e6, p.b->rows);
  pfc_check_find(PFC_NOTE, "speed", "", -1, -1, seen);
  pfc_player_close(&p);
}

// ---- all checks --------------------------------------------------------------------------------------------

static void check_variables(const char* stage) {
  uint64_t address;
  if (!pfc_image_changed(&check.image, &address)) return;
  PfcFinding finding = {
      .severity = PFC_ERROR, .code = "global_variable", .subject = "", .game = -1, .agent = -1, .step = -1};
  finding.address = address;
  (void)snprintf(finding.seen, sizeof finding.seen, "a global or static variable changed while the game ran (%s)",
                 stage);
  pfc_check_report(&finding);
}

static void check_traced(void) {
  pfc_check_repeat();
  check_variables("repeat");
  pfc_check_position();
  pfc_check_snapshot();
  pfc_check_script();
  pfc_check_seeds();
  pfc_check_actions();
  pfc_check_agents();
  check_long();
  check_variables("episodes");
}

PfcStatus pfc_check_game(const PfcCheckDesc* desc) {
  if (!desc || !desc->spec || !desc->report)
    return pfc_fail(PFC_INVALID, "desc: expected a game and a report, got NULL");
  memset(&check, 0, sizeof check);
  pfc_check_begin(desc);
  pfc_guard_begin(desc);
  pfc_agents_begin();
  if (desc->trace && desc->catch_signals) pfc_memory_catch_signals(desc->trace);
  if (desc->is_module) pfc_image_open(&check.image, desc->spec);
  if (desc->spec->reset_from && !desc->data)
    pfc_check_find(PFC_NOTE, "data_missing", "", -1, -1, "the game can read a data file, but the check got none");
  bool sound = false;
  PfcStatus status = pfc_check_tables(&sound);
  if (sound) status = check_memory(PFC_GUARD_END);
  if (sound && !status) {
    check_variables("memory");
    (void)check_memory(PFC_GUARD_BEGIN);
    pfc_check.spec = pfc_guard_open(desc, PFC_GUARD_NONE);
    pfc_guard_report_to(pfc_check_report);
    if (pfc_check.spec) check_traced();
    pfc_check_threads();
    if (check.watching) pfc_stats_conclude(&check.stats);
    pfc_agents_conclude();
    measure_speed();
  }
  pfc_guard_close();
  pfc_image_close(&check.image);
  pfc_stats_close(&check.stats);
  if (desc->trace) desc->trace->done = 1;
  return status;
}
