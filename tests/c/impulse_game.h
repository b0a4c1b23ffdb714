// impulse_game.h - one game of impulse, driven tick by tick, for tests of the rules. A Game owns its memory and its
// world; game_open creates it, game_close frees it.
#ifndef PUFFERC_TESTS_IMPULSE_GAME_H
#define PUFFERC_TESTS_IMPULSE_GAME_H

#include "../../csrc/envs/impulse.c"

#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "games/params.h"

static const PfcEnvSpec* const spec = &pfc_env_module;

typedef struct Game {
  ImpulseParams p;
  Impulse* s;
  int32_t actions[IMPULSE_DRONES * 5];
  float controls[IMPULSE_DRONES * 7];
  float rewards[IMPULSE_DRONES];
  uint8_t terminated[IMPULSE_DRONES], truncated[IMPULSE_DRONES], alive[IMPULSE_DRONES];
} Game;

static inline ImpulseParams default_params(void) {
  ImpulseParams p;
  CHECK(pfc_fill_params(spec, NULL, 0, &p) == PFC_OK);
  return p;
}

static inline void game_reset(Game* game, uint64_t seed, uint64_t index) {
  pfc_rng_seed(&game->s->rng, seed, index);
  memset(game->alive, 1, sizeof game->alive);
  spec->reset_one(game->s, &game->p);
}

static inline Game game_open(ImpulseParams p, uint64_t seed, uint64_t index) {
  Game game;
  memset(&game, 0, sizeof game);
  game.p = p;
  game.s = calloc(1, sizeof *game.s);
  if (!spec->open(game.s, &game.p)) exit(2);
  game_reset(&game, seed, index);
  return game;
}

static inline void game_close(Game* game) {
  spec->close(game->s);
  free(game->s);
}

static inline void game_step(Game* game) {
  memset(game->rewards, 0, sizeof game->rewards);
  memset(game->terminated, 0, sizeof game->terminated);
  const PfcIo io = {game->actions, game->controls, game->rewards, game->terminated, game->truncated, game->alive};
  impulse_step(game->s, &game->p, io);
}

// An arena without pickups and sudden death; drones at rest, without shields, in their own order along x, far apart.
static inline Game scene_open(int32_t arena, int32_t cells, int32_t drones) {
  ImpulseParams p = default_params();
  p.arena = arena;
  p.cells = cells;
  p.drones = p.learners = drones;
  p.pickups = 0;
  p.sudden_death = 0.0f;
  Game game = game_open(p, 5, 0);
  for (int32_t i = 0; i < drones; ++i) impulse_remove_shield(game.s, i);
  return game;
}

static inline void scene_place(Game* game, int32_t i, float x, float y, float vx, float vy) {
  ImpulseDrone* d = &game->s->drones[i];
  d->at = impulse_vec(x, y);
  b2Body_SetTransform(d->body, d->at, b2Rot_identity);
  impulse_set_velocity(d->body, &d->v, impulse_vec(vx, vy));
  d->aim = impulse_vec(1.0f, 0.0f);
}

static inline void scene_arm(Game* game, int32_t i, int32_t weapon) {
  impulse_take_weapon(&game->s->drones[i], weapon);
  game->s->drones[i].charge = impulse_ticks(impulse_weapons[weapon].charge_s);
}

// Adds a shot in flight without a recoil, as if `owner` had fired it. Returns its slot.
static inline int32_t scene_shot(Game* game, int32_t owner, int32_t weapon, b2Vec2 at, b2Vec2 v) {
  const int32_t i = impulse_free_shot(game->s);
  ImpulseShot* shot = &game->s->shots[i];
  memset(shot, 0, sizeof *shot);
  shot->present = 1, shot->owner = owner, shot->weapon = weapon, shot->number = game->s->fired++;
  shot->at = shot->at_before = at, shot->v = v;
  impulse_add_shot_body(game->s, i);
  return i;
}

static inline void scene_idle(Game* game) { memset(game->s->intents, 0, sizeof game->s->intents); }

static inline bool tick(Game* game) { return impulse_tick(game->s, &game->p); }

static inline bool ticks(Game* game, int32_t count) {
  bool over = false;
  for (int32_t i = 0; i < count && !over; ++i) over = tick(game);
  return over;
}

static inline bool near(float value, float expected, float part) {
  const bool held = fabsf(value - expected) <= part * fabsf(expected);
  const double percent = 100.0 * (double)part;
  if (!held) fprintf(stderr, "  expected %g within %g %%, got %g\n", (double)expected, percent, (double)value);
  return held;
}

static inline int32_t shots_present(const Game* game) {
  int32_t count = 0;
  for (int32_t i = 0; i < IMPULSE_SHOTS; ++i) count += game->s->shots[i].present;
  return count;
}

#endif  // PUFFERC_TESTS_IMPULSE_GAME_H
