// world_game.h - one world of a game whose agents have their own lives, driven as a pool drives it, for tests of the
// rules. A Game owns its memory; game_open creates it, game_close frees it.
//
// The including header defines the types GameParams, GameState, GameWorld and GameValue (of observations), the number
// NUM_METRICS, and the macro GAME_WORLD(state, params), which gives the rules' view of a state.
#ifndef PUFFERC_TESTS_WORLD_GAME_H
#define PUFFERC_TESTS_WORLD_GAME_H

#include <stdlib.h>

#include "check.h"
#include "games/params.h"

static const PfcEnvSpec* const spec = &pfc_env_module;

typedef struct Game {
  GameParams* p;  // on the heap: `w` may point to it
  PfcLayout layout;
  int32_t rows, values, dims;  // values: of one observation
  GameState* s;
  GameWorld w;
  int32_t* actions;  // [rows, dims]
  float *controls, *rewards;
  uint8_t *terminated, *truncated, *alive;
  GameValue *obs, *final_obs;  // [rows, values]
  float* metrics;              // [rows, NUM_METRICS], of lives that this step ended
  int32_t* steps;              // [rows] of the current lives
} Game;

static inline GameParams game_params(void) {
  GameParams p;
  CHECK(pfc_fill_params(spec, NULL, 0, &p) == PFC_OK);
  return p;
}

static inline PfcIo game_io(Game* g) {
  const PfcIo io = {g->actions, g->controls, g->rewards, g->terminated, g->truncated, g->alive};
  return io;
}

static inline PfcRange game_range(Game* g) {
  const PfcRange range = {(unsigned char*)g->s, g->layout.state_bytes, g->p, 0, 1, g->rows, g->dims,
                          sizeof(GameValue) * (size_t)g->values, game_io(g), (unsigned char*)g->obs};
  return range;
}

static inline void game_observe(Game* g) {
  const PfcRange range = game_range(g);
  spec->observe_range(&range);
}

static inline void game_reset(Game* g, uint64_t seed, uint64_t index) {
  memset(g->s, 0, g->layout.state_bytes);
  memset(g->alive, 1, (size_t)g->rows);
  memset(g->steps, 0, sizeof(int32_t) * (size_t)g->rows);
  pfc_rng_seed(&g->s->rng, seed, index);
  spec->reset_one(g->s, g->p);
  game_observe(g);
}

static inline Game game_open(GameParams p, uint64_t seed) {
  Game g = {.layout = spec->sizes};
  g.p = malloc(sizeof *g.p);
  *g.p = p;
  spec->layout(&p, &g.layout);
  g.rows = g.layout.agents, g.values = g.layout.obs_shape[0], g.dims = g.layout.continuous_dims;
  while (g.dims < PFC_MAX_ACTION_DIMS && g.layout.action_counts[g.dims] > 0) ++g.dims;
  const size_t rows = (size_t)g.rows, values = rows * (size_t)g.values, dims = rows * (size_t)g.dims;
  g.s = aligned_alloc(64, (g.layout.state_bytes + 63) / 64 * 64);
  g.actions = calloc(dims, sizeof(int32_t)), g.controls = calloc(dims, sizeof(float));
  g.rewards = calloc(rows, sizeof(float)), g.steps = calloc(rows, sizeof(int32_t));
  g.terminated = calloc(rows, 1), g.truncated = calloc(rows, 1), g.alive = calloc(rows, 1);
  g.obs = calloc(values, sizeof(GameValue)), g.final_obs = calloc(values, sizeof(GameValue));
  g.metrics = calloc(rows, NUM_METRICS * sizeof(float));
  g.w = GAME_WORLD(g.s, g.p);
  game_reset(&g, seed, 0);
  return g;
}

static inline void game_close(Game* g) {
  free(g->p), free(g->s), free(g->actions), free(g->controls), free(g->rewards), free(g->metrics), free(g->steps);
  free(g->terminated), free(g->truncated), free(g->alive), free(g->obs), free(g->final_obs);
}

// Only the rules: ended lives are not respawned.
static inline void game_step_only(Game* g) {
  memset(g->rewards, 0, (size_t)g->rows * sizeof(float));
  memset(g->terminated, 0, (size_t)g->rows), memset(g->truncated, 0, (size_t)g->rows);
  const PfcRange range = game_range(g);
  spec->step_range(&range);
}

// The pool's part after the rules: time limits, final observations, metrics, respawns, observations.
static inline void game_finish(Game* g) {
  for (int32_t i = 0; i < g->rows; ++i) {
    g->steps[i] += 1;
    if (g->p->max_steps > 0 && g->steps[i] >= g->p->max_steps && !g->terminated[i]) g->truncated[i] = 1;
    if (g->terminated[i]) g->truncated[i] = 0;
    if (!g->terminated[i] && !g->truncated[i]) continue;
    spec->observe_one(g->s, g->p, i, g->final_obs + (size_t)i * (size_t)g->values);
    spec->metrics_one(g->s, g->p, i, g->metrics + NUM_METRICS * i);
  }
  for (int32_t i = 0; i < g->rows; ++i) {
    if (!g->terminated[i] && !g->truncated[i]) continue;
    g->steps[i] = 0;
    spec->respawn(g->s, g->p, i);
  }
  game_observe(g);
}

static inline void game_step(Game* g) {
  game_step_only(g);
  game_finish(g);
}

// Random actions of all agents, uniform in each dimension.
static inline void game_choose_randomly(Game* g, PfcRng* rng) {
  for (int32_t k = 0; k < g->rows * g->dims; ++k)
    g->actions[k] = (int32_t)pfc_rng_below(rng, (uint32_t)spec->sizes.action_counts[k % g->dims]);
}

static inline const GameValue* game_obs(const Game* g, int32_t agent) {
  return g->obs + (size_t)agent * (size_t)g->values;
}

#endif  // PUFFERC_TESTS_WORLD_GAME_H
