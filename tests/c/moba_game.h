// moba_game.h - one game of moba, driven as a pool drives it, for tests of the rules. A Game owns its memory; game_open
// creates it, game_close frees it.
#ifndef PUFFERC_TESTS_MOBA_GAME_H
#define PUFFERC_TESTS_MOBA_GAME_H

#include "../../csrc/envs/moba.c"

#include <stdlib.h>

#include "check.h"
#include "games/params.h"

static const PfcEnvSpec* const spec = &pfc_env_module;

typedef struct Game {
  MobaParams p;
  PfcLayout layout;
  int32_t obs_bytes;
  Moba* s;       // [layout.state_bytes]
  MobaGame g;    // of s
  int32_t actions[MOBA_HEROES][3];
  float rewards[MOBA_HEROES];
  uint8_t terminated[MOBA_HEROES], truncated[MOBA_HEROES], alive[MOBA_HEROES];
} Game;

static inline MobaParams default_params(void) {
  MobaParams p;
  CHECK(pfc_fill_params(spec, NULL, 0, &p) == PFC_OK);
  return p;
}

static inline void game_reset(Game* game, uint64_t seed, uint64_t index) {
  memset(game->s, 0, game->layout.state_bytes);
  pfc_rng_seed(&game->s->rng, seed, index);
  spec->reset_one(game->s, &game->p);
}

static inline Game game_open(MobaParams p, uint64_t seed, uint64_t index) {
  Game game;
  memset(&game, 0, sizeof game);
  game.p = p;
  game.layout.action_counts[0] = 9;
  spec->layout(&p, &game.layout);
  game.obs_bytes = game.layout.obs_shape[0];
  game.s = aligned_alloc(64, game.layout.state_bytes);
  memset(game.alive, 1, sizeof game.alive);
  game_reset(&game, seed, index);
  game.g = moba_open(game.s, &game.p);
  game.g.p = NULL;  // `game` moves; see game_view
  return game;
}

static inline void game_close(Game* game) { free(game->s); }

// The argument of the rules' functions.
static inline MobaGame* game_view(Game* game) {
  game->g = moba_open(game->s, &game->p);
  return &game->g;
}

// A copy of the game in its own memory.
static inline Game game_copy(const Game* game) {
  Game copy = *game;
  copy.s = aligned_alloc(64, game->layout.state_bytes);
  memcpy(copy.s, game->s, game->layout.state_bytes);
  return copy;
}

static inline void game_step(Game* game) {
  memset(game->rewards, 0, sizeof game->rewards);
  memset(game->terminated, 0, sizeof game->terminated);
  const PfcIo io = {&game->actions[0][0], NULL, game->rewards, game->terminated, game->truncated, game->alive};
  moba_step(game->s, &game->p, io);
}

static inline void game_choose(Game* game, int32_t hero, int32_t move, int32_t act, int32_t class_) {
  game->actions[hero][0] = move, game->actions[hero][1] = act, game->actions[hero][2] = class_;
}

static inline void game_idle(Game* game) { memset(game->actions, 0, sizeof game->actions); }

// Uniformly random actions of all heroes.
static inline void game_choose_randomly(Game* game, PfcRng* rng) {
  for (int32_t hero = 0; hero < MOBA_HEROES; ++hero)
    game_choose(game, hero, (int32_t)pfc_rng_below(rng, 9), (int32_t)pfc_rng_below(rng, 5),
                (int32_t)pfc_rng_below(rng, 3));
}

// Random actions with direction: a hero mostly keeps its direction for a while, so that heroes meet and fight
// everywhere.
static inline void game_choose_roaming(Game* game, PfcRng* rng) {
  MobaGame* g = game_view(game);
  for (int32_t hero = 0; hero < MOBA_HEROES; ++hero) {
    const MobaPlace eye = moba_eye(game->s, hero);
    const int32_t plan = (int32_t)(pfc_hash64((uint64_t)hero * 1000003u + game->s->tick / 64u) % 6u);
    const int32_t move = plan < 4 ? moba_way(g, moba_hero_team(hero), eye.x, eye.y, plan == 3 ? 1 : plan)
                                  : (int32_t)pfc_rng_below(rng, 9);
    game_choose(game, hero, pfc_rng_below(rng, 8) ? move : (int32_t)pfc_rng_below(rng, 9),
                (int32_t)pfc_rng_below(rng, 5), (int32_t)pfc_rng_below(rng, 3));
  }
}

static inline int32_t game_unit_at(Game* game, int32_t x, int32_t y) {
  MobaGame* g = game_view(game);
  return g->cells[moba_cell(g, x, y)];
}

#endif  // PUFFERC_TESTS_MOBA_GAME_H
