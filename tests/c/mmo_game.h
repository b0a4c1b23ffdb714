// mmo_game.h - one world of mmo for tests of the rules; see world_game.h.
#ifndef PUFFERC_TESTS_MMO_GAME_H
#define PUFFERC_TESTS_MMO_GAME_H

#include "../../csrc/envs/mmo.c"

typedef MmoParams GameParams;
typedef Mmo GameState;
typedef MmoWorld GameWorld;
typedef uint8_t GameValue;
#define GAME_WORLD(state, params) mmo_world(state, params, NULL)
enum { NUM_METRICS = 14 };
enum {
  METRIC_SCORE, METRIC_PERF, METRIC_LIFE, METRIC_COMBAT, METRIC_PROFESSION, METRIC_KILLS, METRIC_GATHERED,
  METRIC_GEAR, METRIC_GOLD, METRIC_SOLD, METRIC_BOUGHT, METRIC_HUNGER, METRIC_SLAIN, METRIC_TIER
};

#include "world_game.h"

// The smallest world, with few units.
static inline MmoParams game_small(int32_t players, int32_t creatures) {
  MmoParams p = game_params();
  p.size = 64, p.players = players, p.creatures = creatures;
  return p;
}

static inline void game_choose(Game* g, int32_t agent, int32_t act, int32_t slot, int32_t kind, int32_t price) {
  int32_t* choices = g->actions + agent * MMO_DIMS;
  choices[MMO_ACT] = act, choices[MMO_SLOT] = slot, choices[MMO_KIND] = kind, choices[MMO_PRICE] = price;
}

static inline void game_choose_act(Game* g, int32_t agent, int32_t act) { game_choose(g, agent, act, 0, 0, 0); }

#endif  // PUFFERC_TESTS_MMO_GAME_H
