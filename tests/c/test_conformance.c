// test_conformance.c - the contract of every registered game: ranges, flags, episode statistics, metrics,
// time limits. Long random runs; the test computes the statistics itself.
#include "duel.h"

enum { GAMES = 100, STEPS = 700 };   // enough games for several blocks per thread
enum { LIMITED_GAMES = 20 };         // with short time limits, where resets take most of the time

// The test's own statistics of unfinished and finished episodes.
typedef struct Ledger {
  float* returns;     // [rows] of unfinished episodes, summed in order, in float
  int32_t* lengths;   // [rows]
  double sums[2 + PFC_MAX_METRICS];
  int64_t episodes;
} Ledger;

static Ledger ledger_open(const PfcBuffers* b) {
  const size_t rows = (size_t)b->rows;
  return (Ledger){.returns = calloc(rows, sizeof(float)), .lengths = calloc(rows, sizeof(int32_t))};
}

static void ledger_close(Ledger* ledger) {
  free(ledger->returns);
  free(ledger->lengths);
}

static void finish_row(Ledger* ledger, const PfcBuffers* b, int64_t row, const char* label) {
  ledger->returns[row] += b->rewards[row];
  ledger->lengths[row] += 1;
  if (!row_ended(b, row)) return;
  const float* metrics = b->episode_metrics + row * b->num_metrics;
  CHECK_GAME(label, b->episode_returns[row] == ledger->returns[row]);
  CHECK_GAME(label, b->episode_lengths[row] == ledger->lengths[row]);
  CHECK_GAME(label, obs_fits_table(b, obs_row(b->final_observations, b, row)));
  for (int32_t i = 0; i < b->num_metrics; ++i) {
    CHECK_GAME(label, isfinite(metrics[i]));
    if (strcmp(b->spec->metrics[i], "perf") == 0) CHECK_GAME(label, metrics[i] >= 0.0f && metrics[i] <= 1.0f);
    ledger->sums[2 + i] += (double)metrics[i];
  }
  ledger->sums[0] += (double)ledger->returns[row];
  ledger->sums[1] += ledger->lengths[row];
  ledger->episodes += 1;
  ledger->returns[row] = 0.0f;
  ledger->lengths[row] = 0;
}

static void check_row(const PfcBuffers* b, int64_t row, const char* label) {
  CHECK_GAME(label, isfinite(b->rewards[row]));
  CHECK_GAME(label, b->terminated[row] <= 1 && b->truncated[row] <= 1);
  CHECK_GAME(label, !(b->terminated[row] && b->truncated[row]));
  CHECK_GAME(label, b->alive[row] <= 1);
  // An ended row starts a new episode in the same step; with one agent, or with `respawn`, every row is always alive.
  if (row_ended(b, row) || b->agents == 1 || b->spec->respawn) CHECK_GAME(label, b->alive[row] == 1);
}

static bool nearly(double a, double b) { return fabs(a - b) <= 1e-9 * (1.0 + fabs(a) + fabs(b)); }

static void check_pop(Player* p, Ledger* ledger, const char* label) {
  double values[2 + PFC_MAX_METRICS];
  int64_t episodes = -1;
  CHECK_GAME(label, pfc_pool_pop_metrics(p->pool, &episodes, values) == PFC_OK);
  CHECK_GAME(label, episodes == ledger->episodes);
  for (int32_t i = 0; i < 2 + p->b->num_metrics && ledger->episodes > 0; ++i)
    CHECK_GAME(label, nearly(values[i], ledger->sums[i] / (double)ledger->episodes));
  CHECK_GAME(label, pfc_pool_pop_metrics(p->pool, &episodes, values) == PFC_OK);
  CHECK_GAME(label, episodes == 0 && values[0] == 0.0 && values[1] == 0.0);
  memset(ledger->sums, 0, sizeof ledger->sums);
  ledger->episodes = 0;
}

static void test_long_run(const Case* c) {
  PfcPoolDesc desc = case_desc(c, GAMES, 5);
  desc.num_threads = 3;
  Player p = player_start(&desc);
  Ledger ledger = ledger_open(p.b);
  int64_t all_episodes = 0;
  CHECK_GAME(c->label, all_obs_fit(p.b, p.b->observations));
  for (int32_t t = 0; t < STEPS; ++t) {
    player_step(&p);
    int32_t ended = 0;
    if (!CHECK_GAME(c->label, all_obs_fit(p.b, p.b->observations))) break;
    for (int64_t row = 0; row < p.b->rows; ++row) {
      check_row(p.b, row, c->label);
      ended += row_ended(p.b, row);
      finish_row(&ledger, p.b, row, c->label);
    }
    CHECK_GAME(c->label, pfc_pool_ended(p.pool, -1) == ended);
    all_episodes += ended;
    if (t % 300 == 299) check_pop(&p, &ledger, c->label);
  }
  CHECK_GAME(c->label, all_episodes > 0);  // otherwise the run has not tested ends
  ledger_close(&ledger);
  player_close(&p);
}

// The pool truncates at exactly max_steps.
static void test_time_limit(const Case* c) {
  static const int32_t limits[] = {1, 2, 7, 40};
  int64_t truncations = 0;  // over all limits: some games never reach the longest one
  for (size_t k = 0; k < sizeof limits / sizeof limits[0]; ++k) {
    const Case limited = case_with(c, "max_steps", limits[k]);
    const PfcPoolDesc desc = case_desc(&limited, LIMITED_GAMES, 3);
    Player p = player_start(&desc);
    int32_t* lengths = calloc((size_t)p.b->rows, sizeof(int32_t));
    CHECK_GAME(c->label, pfc_pool_param(p.pool, 0) == limits[k]);
    for (int32_t t = 0; t < 200; ++t) {
      player_step(&p);
      for (int64_t row = 0; row < p.b->rows; ++row) {
        lengths[row] += 1;
        CHECK_GAME(c->label, lengths[row] <= limits[k]);
        if (lengths[row] == limits[k]) CHECK_GAME(c->label, row_ended(p.b, row));
        if (!row_ended(p.b, row)) continue;
        CHECK_GAME(c->label, p.b->episode_lengths[row] == lengths[row]);
        truncations += p.b->truncated[row];
        lengths[row] = 0;
      }
    }
    free(lengths);
    player_close(&p);
  }
  CHECK_GAME(c->label, truncations > 0);
}

// Buffers are aligned and described as the header says.
static void test_buffers(const Case* c) {
  const PfcPoolDesc desc = case_desc(c, 3, 1);
  Player p = player_open(&desc);
  const PfcBuffers* b = p.b;
  const void* arrays[] = {b->observations, b->final_observations, b->rewards,         b->terminated,     b->truncated,
                          b->alive,        b->episode_returns,    b->episode_lengths, b->episode_metrics};
  for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; ++i)
    CHECK_GAME(c->label, arrays[i] && (uintptr_t)arrays[i] % 64 == 0);
  CHECK_GAME(c->label, b->num_games == 3 && b->rows == 3 * b->agents && b->num_groups == 1);
  CHECK_GAME(c->label, b->spec == case_spec(c));
  CHECK_GAME(c->label, b->action_dims >= 1 && b->obs_dims >= 1 && b->num_metrics >= 1);
  const uint64_t element = b->spec->obs_dtype == PFC_FLOAT32 || b->spec->obs_dtype == PFC_INT32 ? 4 : 1;
  CHECK_GAME(c->label, (uint64_t)obs_values(b) * element == b->obs_bytes);
  for (int32_t i = 0; i < b->spec->num_params; ++i) {
    double expected = b->spec->params[i].default_value;
    for (int32_t k = 0; k < c->num_params; ++k)
      if (strcmp(c->params[k].name, b->spec->params[i].name) == 0) expected = c->params[k].value;
    CHECK_GAME(c->label, pfc_pool_param(p.pool, i) == expected);
  }
  player_close(&p);
}

int main(void) {
  for_each_case(test_long_run);
  for_each_case(test_time_limit);
  for_each_case(test_buffers);
  for_each_duel_case(test_long_run);
  for_each_duel_case(test_time_limit);
  for_each_duel_case(test_buffers);
  return check_report();
}
