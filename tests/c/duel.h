// duel.h - the test game duel.c, which uses every optional part of the contract, as built into tests; and its cases for
// the tests of registered games.
#ifndef PUFFERC_TESTS_DUEL_H
#define PUFFERC_TESTS_DUEL_H

#include "harness.h"

extern const PfcEnvSpec pfc_env_duel;

// The same game with its own episode for each player; for pools with the parameter lives = 1.
PfcEnvSpec duel_with_lives(void);

// A map of 5 x 3 cells with walls in the corners, and 6 charges; for pools with the parameter walls = 1.
enum { DUEL_MAP_BYTES = 7 + 15 };
static const uint8_t duel_map[DUEL_MAP_BYTES] = {'D', 'U', 'E', 'L', 5, 3, 6, 1, 0, 0, 0,
                                                 1,   0,   0,   0,   0, 0, 1, 0, 0, 0, 1};

// Default boards are 5 x 3. The last case has dead rows, a mask that ends within a word, and no sight.
static const Case duel_cases[] = {
    {"duel", "duel", 0, {{0}}},
    {"duel, six players", "duel", 4, {{"players", 6}, {"width", 6}, {"height", 5}, {"walls", 1}}},
    {"duel, unmasked", "duel", 2, {{"masked", 0}, {"sides", 0}}},
    {"duel, lives", "duel_lives", 4, {{"lives", 1}, {"players", 5}, {"height", 5}, {"charges", 9}}},
    {"duel, three players", "duel", 5, {{"players", 3}, {"sight", 0}, {"charges", 9}, {"decay", 0.5}, {"width", 3}}},
};
enum { NUM_DUEL_CASES = sizeof duel_cases / sizeof duel_cases[0] };

static inline void for_each_duel_case(void (*test)(const Case*)) {
  static PfcEnvSpec lives;
  lives = duel_with_lives();
  linked_specs[0] = &pfc_env_duel;
  linked_specs[1] = &lives;
  for (int32_t i = 0; i < NUM_DUEL_CASES; ++i) test(&duel_cases[i]);
}

#endif  // PUFFERC_TESTS_DUEL_H
