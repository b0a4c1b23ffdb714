// test_games.h - test games with features that the built-in games lack. Their specs are passed by pointer.
#ifndef PUFFERC_TESTS_TEST_GAMES_H
#define PUFFERC_TESTS_TEST_GAMES_H

#include <stdatomic.h>

#include "pufferc/pufferc.h"

// Five agents share an episode and fall one by one (alive 0). Two action dimensions with 3 and 2 choices.
enum { SQUAD_AGENTS = 5 };
typedef struct SquadObs {
  int32_t agent, standing, steps, first, second;  // first, second: the row's latest actions; -1 before the first step
} SquadObs;
extern const PfcEnvSpec pfc_env_squad;

// Two controls. The observation holds them as the pool passed them, and their sum so far.
typedef struct DriftObs {
  float first, second, sum;
} DriftObs;
extern const PfcEnvSpec pfc_env_drift;

// Owns a heap block per game, from open to close. At most vault_limit games can be open.
extern const PfcEnvSpec pfc_env_vault;
extern _Atomic int vault_open_now, vault_limit;

// A step waits while gate_shut is 1; gate_waiting counts waiting steps.
typedef struct GateObs {
  int32_t steps;
} GateObs;
extern const PfcEnvSpec pfc_env_gate;
extern _Atomic int gate_shut, gate_waiting;

#endif  // PUFFERC_TESTS_TEST_GAMES_H
