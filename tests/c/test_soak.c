// test_soak.c - a million agent steps of every game with random actions; every observation must fit the
// game's table. Mainly for AddressSanitizer and UndefinedBehaviorSanitizer.
//
//   test_soak [agent steps per game]
#include "harness.h"

enum { DEFAULT_AGENT_STEPS = 1000000, MIN_ROWS = 256 };

static int64_t agent_steps = DEFAULT_AGENT_STEPS;

static void soak(const Case* c, int64_t steps_wanted) {
  PfcPoolDesc desc = case_desc(c, 1, 11);
  Player one = player_open(&desc);
  desc.num_games = (MIN_ROWS + one.b->agents - 1) / one.b->agents;
  desc.num_games = case_games(c, desc.num_games);
  player_close(&one);
  Player p = player_start(&desc);
  for (int64_t done = 0; done < steps_wanted; done += p.b->rows) {
    player_step(&p);
    if (!CHECK_GAME(c->label, all_obs_fit(p.b, p.b->observations))) break;
    for (int64_t row = 0; row < p.b->rows; ++row) {
      if (!isfinite(p.b->rewards[row])) CHECK_GAME(c->label, isfinite(p.b->rewards[row]));
      if (row_ended(p.b, row)) CHECK_GAME(c->label, obs_fits_table(p.b, obs_row(p.b->final_observations, p.b, row)));
    }
  }
  player_close(&p);
}

static void soak_case(const Case* c) { soak(c, agent_steps / 4); }

int main(int argc, char** argv) {
  if (argc > 1) agent_steps = atoll(argv[1]);
  for (int32_t i = 0; i < pfc_env_count(); ++i) {
    const Case plain = {pfc_env_at(i)->name, pfc_env_at(i)->name, 0, {{0}}};
    if (game_is_selected(plain.game)) soak(&plain, agent_steps);
  }
  for_each_case(soak_case);
  return check_report();
}
