// test_metrics.c - the max number of metrics: each in its place, per episode and as a mean.
#include "duel.h"

enum { GAMES = 24, STEPS = 300 };

// Metric 2 + i of duel is 1 if the agent owns cell i at the end, as in the final observation.
static void check_episode(const PfcBuffers* b, int64_t row, int32_t cells) {
  const int8_t* board = (const int8_t*)obs_row(b->final_observations, b, row) + 3;
  const float* metrics = b->episode_metrics + row * b->num_metrics;
  int32_t held = 0;
  for (int32_t i = 0; i < 30; ++i) {
    const bool own = i < cells && board[i] == 1;
    CHECK(metrics[2 + i] == (float)own);  // metrics that the game does not write are 0
    held += own;
  }
  CHECK(metrics[0] == b->episode_returns[row] && fabsf(metrics[1] - (float)held / (float)cells) < 1e-6f);
}

static void test_metrics(int32_t width, int32_t height) {
  const PfcParamValue params[] = {{"width", width}, {"height", height}, {"decay", 0.3}, {"players", 3}};
  const PfcPoolDesc desc = {
      .spec = &pfc_env_duel, .num_games = GAMES, .num_threads = 2, .params = params, .num_params = 4};
  Player p = player_start(&desc);
  double sums[34] = {0}, values[34];
  int64_t episodes = 0, popped = 0;
  CHECK(p.b->num_metrics == PFC_MAX_METRICS && p.b->num_metrics == 32);
  for (int32_t t = 0; t < STEPS; ++t) {
    player_step(&p);
    for (int64_t row = 0; row < p.b->rows; ++row) {
      if (!row_ended(p.b, row)) continue;
      check_episode(p.b, row, width * height);
      sums[0] += (double)p.b->episode_returns[row];
      sums[1] += p.b->episode_lengths[row];
      for (int32_t i = 0; i < 32; ++i) sums[2 + i] += (double)p.b->episode_metrics[row * 32 + i];
      ++episodes;
    }
  }
  CHECK(pfc_pool_pop_metrics(p.pool, &popped, values) == PFC_OK && popped == episodes && episodes > GAMES);
  for (int32_t i = 0; i < 34; ++i) CHECK(fabs(values[i] - sums[i] / (double)episodes) < 1e-9);
  player_close(&p);
}

int main(void) {
  test_metrics(6, 5);
  test_metrics(4, 2);
  return check_report();
}
