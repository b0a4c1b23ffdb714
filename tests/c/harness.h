// harness.h - shared by the pool's tests: cases of every game, a pool with its actions and step count, checks of
// observation tables, and hashes of pools. Actions, values and hashes of trajectories come from
// csrc/conformance.
//
// Header-only, because check.h has one counter per program. A Player owns its pool and its action array; player_close
// frees both.
#ifndef PUFFERC_TESTS_HARNESS_H
#define PUFFERC_TESTS_HARNESS_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "conformance/trajectory.h"
#include "pufferc/pufferc.h"

// CHECK that also prints the name of the game.
#define CHECK_GAME(name, condition) name_game_(CHECK(condition), name)

static inline bool name_game_(bool held, const char* game) {
  if (!held && check_failures_ <= CHECK_MAX_PRINTED) fprintf(stderr, "  in: %s\n", game);
  return held;
}

// ---- cases: a game with parameters -----------------------------------------------------------------------

enum { CASE_MAX_PARAMS = 8 };

typedef struct Case {
  const char* label;  // printed when a check fails
  const char* game;
  int32_t num_params;
  PfcParamValue params[CASE_MAX_PARAMS];
} Case;

// Games that are not listed here are tested with their defaults. The default boards of Snake and Mmo are large, and a
// match of Pong is long, so their cases are smaller; test_soak and the golden hashes use the defaults.
static const Case special_cases[] = {
    {"breakout", "breakout", 0, {{0}}},
    {"breakout, continuous", "breakout", 1, {{"continuous", 1}}},
    {"breakout, one ball, one frame per step", "breakout", 2, {{"balls", 1}, {"frames_per_step", 1}}},
    {"cartpole", "cartpole", 0, {{0}}},
    {"cartpole, continuous", "cartpole", 1, {{"continuous", 1}}},
    {"chess, short", "chess", 1, {{"max_steps", 90}}},
    {"doorkey, small, short", "doorkey", 2, {{"size", 6}, {"max_steps", 80}}},
    {"doorkey, memory, short", "doorkey", 4, {{"task", 2}, {"size", 7}, {"random_length", 1}, {"max_steps", 60}}},
    {"drive, short lives and towns", "drive", 2, {{"max_steps", 60}, {"world_steps", 90}}},
    {"drive, continuous", "drive", 6,
     {{"max_steps", 40}, {"continuous", 1}, {"view", 1}, {"goal_mode", 1}, {"agents", 5}, {"town_x", 1}}},
    {"drone", "drone", 0, {{0}}},
    {"drone, five", "drone", 3, {{"drones", 5}, {"max_steps", 60}, {"spread", 0.25}}},
    {"g2048", "g2048", 0, {{0}}},
    {"g2048, to 32 by points", "g2048", 2, {{"max_tile", 32}, {"reward_kind", 0}}},
    {"go, 5 x 5", "go", 1, {{"size", 5}}},
    {"go, 6 x 6, repetition draws", "go", 3, {{"size", 6}, {"superko", 0}, {"komi", 3.5}}},
    {"kitchen, short", "kitchen", 1, {{"max_steps", 90}}},
    {"kitchen, wide, short", "kitchen", 3, {{"layout", 1}, {"auto_cook", 1}, {"max_steps", 70}}},
    {"maze", "maze", 0, {{0}}},
    {"maze, small view, any level", "maze", 5,
     {{"side", 9}, {"view", 5}, {"first_level", 70}, {"levels", 0}, {"max_steps", 90}}},
    {"mini_freeway, short", "mini_freeway", 1, {{"max_steps", 300}}},
    {"mountain_car", "mountain_car", 0, {{0}}},
    {"mountain_car, continuous", "mountain_car", 2, {{"max_steps", 150}, {"continuous", 1}}},
    {"pendulum", "pendulum", 0, {{0}}},
    {"pendulum, choices", "pendulum", 1, {{"continuous", 0}}},
    {"mmo, small", "mmo", 3, {{"size", 64}, {"players", 16}, {"creatures", 48}}},
    {"pong, three points", "pong", 1, {{"points", 3}}},
    {"pong, three points, continuous", "pong", 2, {{"points", 3}, {"continuous", 1}}},
    {"pong, one point, every frame", "pong", 2, {{"points", 1}, {"frames_per_step", 1}}},
    {"pong, two agents", "pong", 2, {{"points", 2}, {"players", 2}}},
    {"pong, two agents, continuous", "pong", 3, {{"points", 2}, {"players", 2}, {"continuous", 1}}},
    {"snake, small", "snake", 4, {{"width", 24}, {"height", 18}, {"snakes", 8}, {"food", 60}}},
    {"snake, small, shuffled", "snake", 6,
     {{"width", 17}, {"height", 31}, {"snakes", 5}, {"food", 90}, {"vision", 2}, {"shuffle", 1}}},
    {"moba, short", "moba", 1, {{"max_steps", 200}}},
    {"moba, masked, against a script", "moba", 3, {{"max_steps", 150}, {"masked", 1}, {"opponent", 2}}},
    {"boids, small", "boids", 3, {{"boids", 12}, {"max_steps", 230}, {"predators", 1}}},
    {"boids, choices in a box", "boids", 4, {{"boids", 9}, {"max_steps", 60}, {"walls", 1}, {"continuous", 0}}},
    {"poker, Kuhn's", "poker", 0, {{0}}},
    {"poker, Leduc", "poker", 1, {{"variant", 1}}},
    {"recall, repeat", "recall", 0, {{0}}},
    {"recall, backwards", "recall", 1, {{"task", 1}}},
    {"recall, pairs of ranks, two decks", "recall", 3, {{"task", 2}, {"ranks", 1}, {"decks", 2}}},
    {"rware, short", "rware", 1, {{"max_steps", 150}}},
    {"rware, crowded, shared reward", "rware", 4,
     {{"agents", 9}, {"requests", 4}, {"reward_kind", 1}, {"max_steps", 150}}},
    {"tetris", "tetris", 0, {{0}}},
    {"tetris, masked, shaped, short", "tetris", 3, {{"masked", 1}, {"shaping", 1}, {"max_steps", 120}}},
    {"tmaze", "tmaze", 0, {{0}}},
    {"tmaze, dark", "tmaze", 3, {{"length", 5}, {"min_length", 5}, {"distractors", 0}}},
};
enum { NUM_SPECIAL_CASES = sizeof special_cases / sizeof special_cases[0] };

// The case with this label. A label that does not exist aborts the test.
static inline const Case* case_labelled(const char* label) {
  for (int32_t k = 0; k < NUM_SPECIAL_CASES; ++k)
    if (strcmp(special_cases[k].label, label) == 0) return &special_cases[k];
  fprintf(stderr, "no case has the label %s\n", label);
  abort();
}

// Whether tests of every game include this one: the environment variable PUFFERC_TEST_GAME selects one game. Under
// ThreadSanitizer Moba's resets take minutes, and a game's own code runs on one thread, so Moba is left out there.
static inline bool game_is_selected(const char* name) {
  const char* only = getenv("PUFFERC_TEST_GAME");
#ifdef __SANITIZE_THREAD__
  if (!only && strcmp(name, "moba") == 0) return false;
#endif
  return !only || strcmp(only, name) == 0;
}

// Calls test for every case of every registered game.
static inline void for_each_case(void (*test)(const Case*)) {
  for (int32_t i = 0; i < pfc_env_count(); ++i) {
    const char* name = pfc_env_at(i)->name;
    if (!game_is_selected(name)) continue;
    bool special = false;
    for (int32_t k = 0; k < NUM_SPECIAL_CASES; ++k) {
      if (strcmp(special_cases[k].game, name) != 0) continue;
      special = true;
      test(&special_cases[k]);
    }
    const Case plain = {name, name, 0, {{0}}};
    if (!special) test(&plain);
  }
}

// A copy of the case with this parameter added or replaced.
static inline Case case_with(const Case* c, const char* name, double value) {
  Case changed = *c;
  for (int32_t i = 0; i < changed.num_params; ++i) {
    if (strcmp(changed.params[i].name, name) != 0) continue;
    changed.params[i].value = value;
    return changed;
  }
  changed.params[changed.num_params].name = name;
  changed.params[changed.num_params++].value = value;
  return changed;
}

// Additional games that a test program links; NULL ends the list. See duel.h.
static const PfcEnvSpec* linked_specs[4];

static inline const PfcEnvSpec* case_spec(const Case* c) {
  for (int32_t i = 0; linked_specs[i]; ++i)
    if (strcmp(linked_specs[i]->name, c->game) == 0) return linked_specs[i];
  return pfc_env_find(c->game);
}

// `wanted` games, or fewer in a game with max_games, so that three such pools fit.
static inline int32_t case_games(const Case* c, int32_t wanted) {
  const int32_t limit = case_spec(c)->max_games;
  return limit && wanted > limit / 3 ? limit / 3 / 2 * 2 : wanted;
}

static inline PfcPoolDesc case_desc(const Case* c, int32_t num_games, uint64_t seed) {
  const PfcPoolDesc desc = {.spec = case_spec(c),
                            .num_games = num_games,
                            .seed = seed,
                            .params = c->params,
                            .num_params = c->num_params};
  return desc;
}

// ---- a pool and its player ------------------------------------------------------------------------------

typedef struct Player {
  PfcPool* pool;
  const PfcBuffers* b;
  void* actions;  // [rows, action_dims] of the latest step
  uint64_t seed;  // of the actions
  int64_t t;      // steps so far
} Player;

// Exits if the pool cannot be created: no later check would mean anything.
static inline Player player_open(const PfcPoolDesc* desc) {
  Player p = {.pool = pfc_pool_create(desc), .seed = TRAJECTORY_ACTION_SEED};
  if (!p.pool) {
    fprintf(stderr, "cannot create a pool of %s: %s\n", desc->env ? desc->env : desc->spec->name, pfc_last_error());
    exit(2);
  }
  p.b = pfc_pool_buffers(p.pool);
  p.actions = malloc((size_t)p.b->rows * (size_t)p.b->action_dims * 4);
  return p;
}

// Creates a pool and resets it.
static inline Player player_start(const PfcPoolDesc* desc) {
  Player p = player_open(desc);
  CHECK_GAME(p.b->spec->name, pfc_pool_reset(p.pool, NULL) == PFC_OK);
  return p;
}

static inline void player_close(Player* p) {
  pfc_pool_destroy(p->pool);
  free(p->actions);
  p->pool = NULL;
}

// observations: NULL, or an array to write them into.
static inline void player_step_into(Player* p, void* observations) {
  fill_actions(p->b, p->seed, p->t++, p->actions);
  CHECK_GAME(p->b->spec->name, pfc_pool_step(p->pool, p->actions, action_dtype(p->b), observations) == PFC_OK);
}

static inline void player_step(Player* p) { player_step_into(p, NULL); }

// A copy of the pool's snapshot; the caller frees it.
static inline unsigned char* take_snapshot(PfcPool* pool) {
  const uint64_t bytes = pfc_pool_snapshot_bytes(pool);
  unsigned char* snapshot = malloc(bytes);
  CHECK(pfc_pool_save(pool, snapshot, bytes) == PFC_OK);
  return snapshot;
}

// ---- observation tables -----------------------------------------------------------------------------------

// True if one row's values are finite and within the pool's observation table. Prints the first that is not.
static inline bool obs_fits_table(const PfcBuffers* b, const unsigned char* obs) {
  const PfcEnvSpec* spec = b->spec;
  int64_t i = 0;
  for (int32_t r = 0; r < b->num_obs_rows; ++r) {
    const PfcObsRow* row = &b->obs_rows[r];
    for (const int64_t end = i + row->count; i < end; ++i) {
      const double value = obs_value(spec->obs_dtype, obs, i);
      const bool whole = row->num_codes == 0 || value == floor(value);
      if (whole && value >= (double)row->low && value <= (double)row->high && value - value == 0.0) continue;
      if (check_failures_ <= CHECK_MAX_PRINTED)
        fprintf(stderr, "  %s: observation %s, value %lld is %g, outside [%g, %g]\n", spec->name, row->name,
                (long long)i, value, (double)row->low, (double)row->high);
      return false;
    }
  }
  return i == obs_values(b);
}

static inline bool all_obs_fit(const PfcBuffers* b, const void* observations) {
  for (int64_t row = 0; row < b->rows; ++row)
    if (!obs_fits_table(b, obs_row(observations, b, row))) return false;
  return true;
}

// ---- hashes -------------------------------------------------------------------------------------------------

// Hash of the whole pool: its snapshot, or observations and rewards where a game owns something outside its state and
// cannot be saved.
static inline uint64_t hash_pool(const Player* p) {
  const PfcBuffers* b = p->b;
  if (b->spec->open)
    return hash_bytes(hash_bytes(1, b->observations, obs_total_bytes(b)), b->rewards,
                      sizeof(float) * (uint64_t)b->rows);
  unsigned char* snapshot = take_snapshot(p->pool);
  const uint64_t hash = hash_bytes(1, snapshot, pfc_pool_snapshot_bytes(p->pool));
  free(snapshot);
  return hash;
}

// Steps a player and returns the hash of everything that the steps returned.
static inline uint64_t play_and_hash(Player* p, int32_t steps) {
  uint64_t hash = 1;
  for (int32_t t = 0; t < steps; ++t) {
    player_step(p);
    for (int32_t game = 0; game < p->b->num_games; ++game) hash = hash_game(hash, p->b, p->b->observations, game);
  }
  return hash;
}

// Checks that a call failed and that its message contains `word`.
static inline void check_message(bool failed, const char* word) {
  if (CHECK(failed && strstr(pfc_last_error(), word))) return;
  fprintf(stderr, "  expected a message with \"%s\", got \"%s\"\n", word, pfc_last_error());
}

#endif  // PUFFERC_TESTS_HARNESS_H
