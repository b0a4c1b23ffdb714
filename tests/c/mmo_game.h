// mmo_game.h - one world of mmo, driven as a pool drives it, for tests of the rules. A Game owns its memory; game_open
// creates it, game_close frees it.
#ifndef PUFFERC_TESTS_MMO_GAME_H
#define PUFFERC_TESTS_MMO_GAME_H

#include "../../csrc/envs/mmo.c"

#include <stdlib.h>

#include "games/params.h"

static const PfcEnvSpec* const spec = &pfc_env_module;

enum { NUM_METRICS = 14 };
enum { METRIC_SCORE, METRIC_PERF, METRIC_LIFE, METRIC_COMBAT, METRIC_PROFESSION, METRIC_KILLS, METRIC_GATHERED, METRIC_GEAR,
       METRIC_GOLD, METRIC_SOLD, METRIC_BOUGHT, METRIC_HUNGER, METRIC_SLAIN, METRIC_TIER };

typedef struct Game {
  MmoParams* p;  // on the heap: `w` points to it
  PfcLayout layout;
  int32_t rows;
  size_t obs_bytes;
  Mmo* s;
  MmoWorld w;
  int32_t* actions;  // [rows, MMO_DIMS]
  float *controls, *rewards;
  uint8_t *terminated, *truncated, *alive;
  uint8_t *obs, *final_obs;  // [rows, obs_bytes]
  float* metrics;            // [rows, NUM_METRICS], for the lives that this step ended
  int32_t* steps;            // [rows] of the current lives
} Game;

static inline MmoParams game_params(void) {
  MmoParams p;
  CHECK(pfc_fill_params(spec, NULL, 0, &p) == PFC_OK);
  return p;
}

// The smallest world, with few units.
static inline MmoParams game_small(int32_t players, int32_t creatures) {
  MmoParams p = game_params();
  p.size = 64, p.players = players, p.creatures = creatures;
  return p;
}

static inline PfcRange game_range(Game* g) {
  const PfcIo io = {g->actions, g->controls, g->rewards, g->terminated, g->truncated, g->alive};
  const PfcRange range = {(unsigned char*)g->s, g->layout.state_bytes, g->p, 0, 1, g->rows, MMO_DIMS, g->obs_bytes, io, g->obs};
  return range;
}

static inline Game game_open(MmoParams p, uint64_t seed) {
  Game g = {.rows = p.players};
  g.p = malloc(sizeof *g.p);
  *g.p = p;
  spec->layout(&p, &g.layout);
  const size_t rows = (size_t)g.rows;
  g.obs_bytes = (size_t)g.layout.obs_shape[0];
  g.s = aligned_alloc(64, g.layout.state_bytes);
  memset(g.s, 0, g.layout.state_bytes);
  g.actions = calloc(rows * MMO_DIMS, sizeof(int32_t)), g.controls = calloc(rows * MMO_DIMS, sizeof(float));
  g.rewards = calloc(rows, sizeof(float)), g.steps = calloc(rows, sizeof(int32_t));
  g.terminated = calloc(rows, 1), g.truncated = calloc(rows, 1), g.alive = calloc(rows, 1);
  g.obs = calloc(rows, g.obs_bytes), g.final_obs = calloc(rows, g.obs_bytes);
  g.metrics = calloc(rows, NUM_METRICS * sizeof(float));
  memset(g.alive, 1, rows);
  pfc_rng_seed(&g.s->rng, seed, 0);
  spec->reset_one(g.s, g.p);
  const PfcRange range = game_range(&g);
  spec->observe_range(&range);
  g.w = mmo_world(g.s, g.p, NULL);
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
    if (!g->terminated[i] && !g->truncated[i]) continue;
    spec->observe_one(g->s, g->p, i, g->final_obs + (size_t)i * g->obs_bytes);
    spec->metrics_one(g->s, g->p, i, g->metrics + NUM_METRICS * i);
  }
  for (int32_t i = 0; i < g->rows; ++i) {
    if (!g->terminated[i] && !g->truncated[i]) continue;
    g->steps[i] = 0;
    spec->respawn(g->s, g->p, i);
  }
  const PfcRange range = game_range(g);
  spec->observe_range(&range);
}

static inline void game_step(Game* g) {
  game_step_only(g);
  game_finish(g);
}

static inline void game_choose(Game* g, int32_t agent, int32_t act, int32_t slot, int32_t kind, int32_t price) {
  int32_t* choices = g->actions + agent * MMO_DIMS;
  choices[MMO_ACT] = act, choices[MMO_SLOT] = slot, choices[MMO_KIND] = kind, choices[MMO_PRICE] = price;
}

static inline void game_choose_act(Game* g, int32_t agent, int32_t act) { game_choose(g, agent, act, 0, 0, 0); }

// Random actions of all players, uniform in each dimension.
static inline void game_choose_randomly(Game* g, PfcRng* rng) {
  for (int32_t i = 0; i < g->rows; ++i)
    for (int32_t d = 0; d < MMO_DIMS; ++d)
      g->actions[i * MMO_DIMS + d] = (int32_t)pfc_rng_below(rng, (uint32_t)spec->sizes.action_counts[d]);
}

static inline const uint8_t* game_obs(const Game* g, int32_t agent) { return g->obs + (size_t)agent * g->obs_bytes; }

#endif  // PUFFERC_TESTS_MMO_GAME_H
