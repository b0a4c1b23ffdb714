// snake_game.h - one game of snake, driven as a pool drives it, for tests of the rules. A Game owns its memory;
// game_open creates it, game_close frees it.
#ifndef PUFFERC_TESTS_SNAKE_GAME_H
#define PUFFERC_TESTS_SNAKE_GAME_H

#include "../../csrc/envs/snake.c"

#include <stdlib.h>

enum { UP = SNAKE_UP, DOWN = SNAKE_DOWN, LEFT = SNAKE_LEFT, RIGHT = SNAKE_RIGHT };
static const PfcEnvSpec* const spec = &pfc_env_module;

typedef struct Game {
  SnakeParams p;
  PfcLayout layout;
  int32_t rows, sight;
  Snake* state;
  int32_t* actions;
  float* controls;  // not read by the rules, but they compute addresses in it
  float* rewards;
  uint8_t *terminated, *truncated, *alive;
  int8_t *obs, *final_obs;  // [rows, sight, sight]
  float* metrics;           // [rows, 2], for the lives that this step ended
} Game;

static inline PfcRange game_range(Game* g) {
  const PfcIo io = {g->actions, g->controls, g->rewards, g->terminated, g->truncated, g->alive};
  const uint64_t obs_bytes = (uint64_t)(g->sight * g->sight);
  const PfcRange range = {(unsigned char*)g->state, g->layout.state_bytes, &g->p, 0, 1, g->rows, 1, obs_bytes, io,
                          (unsigned char*)g->obs};
  return range;
}

static inline Game game_open(SnakeParams p, uint64_t seed) {
  Game g = {.p = p, .rows = p.snakes, .sight = 2 * p.vision + 1};
  spec->layout(&p, &g.layout);
  const size_t rows = (size_t)g.rows, obs_bytes = rows * (size_t)(g.sight * g.sight);
  g.state = calloc(1, g.layout.state_bytes);
  g.actions = calloc(rows, sizeof(int32_t));
  g.rewards = calloc(rows, sizeof(float)), g.controls = calloc(rows, sizeof(float));
  g.terminated = calloc(rows, 1), g.truncated = calloc(rows, 1), g.alive = calloc(rows, 1);
  g.obs = calloc(1, obs_bytes), g.final_obs = calloc(1, obs_bytes);
  g.metrics = calloc(rows, 2 * sizeof(float));
  memset(g.alive, 1, rows);
  pfc_rng_seed(&g.state->rng, seed, 0);
  spec->reset_one(g.state, &g.p);
  const PfcRange range = game_range(&g);
  spec->observe_range(&range);
  return g;
}

static inline void game_close(Game* g) {
  free(g->state), free(g->actions), free(g->controls), free(g->rewards), free(g->metrics);
  free(g->terminated), free(g->truncated), free(g->alive), free(g->obs), free(g->final_obs);
}

static inline void game_step_only(Game* g) {
  memset(g->rewards, 0, (size_t)g->rows * sizeof(float));
  memset(g->terminated, 0, (size_t)g->rows), memset(g->truncated, 0, (size_t)g->rows);
  const PfcRange range = game_range(g);
  spec->step_range(&range);
}

static inline void game_finish(Game* g) {
  const PfcRange range = game_range(g);
  for (int32_t i = 0; i < g->rows; ++i) {
    if (g->p.max_steps > 0 && !g->terminated[i] && snake_body(g->state, i)->life >= g->p.max_steps) g->truncated[i] = 1;
    if (!g->terminated[i] && !g->truncated[i]) continue;
    spec->observe_one(g->state, &g->p, i, g->final_obs + i * g->sight * g->sight);
    spec->metrics_one(g->state, &g->p, i, g->metrics + 2 * i);
  }
  for (int32_t i = 0; i < g->rows; ++i)
    if (g->terminated[i] || g->truncated[i]) spec->respawn(g->state, &g->p, i);
  spec->observe_range(&range);
}

#endif  // PUFFERC_TESTS_SNAKE_GAME_H
