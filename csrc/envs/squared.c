// squared.c - walk to a target on the border of a small board. One agent; the tutorial game.
#include "pufferc/env.h"

enum { SQUARED_SIDE = 11, SQUARED_CELLS = SQUARED_SIDE * SQUARED_SIDE };
enum { SQUARED_STAY, SQUARED_DOWN, SQUARED_UP, SQUARED_LEFT, SQUARED_RIGHT };
enum { SQUARED_EMPTY, SQUARED_AGENT, SQUARED_TARGET };

#define SQUARED_PARAMS(X) X(int, max_steps, 33, 0, PFC_MAX_STEPS, "steps until truncation; 0 = never")
PFC_DEFINE_PARAMS(squared, SquaredParams, SQUARED_PARAMS)

typedef struct Squared {
  PfcRng rng;
  int32_t x, y;  // the agent; x right, y down
  int32_t target_x, target_y;
  int32_t reached;  // 1 when the agent is on the target
} Squared;

typedef struct SquaredObs {
  uint8_t cell[SQUARED_CELLS];
} SquaredObs;

static const PfcObsRow squared_obs[] = {
    PFC_OBS("cell", SQUARED_CELLS, 0, 2, "0 empty, 1 agent, 2 target; row by row from the top left"),
};

PFC_FN void squared_reset(Squared* s, const SquaredParams* p) {
  (void)p;
  const int32_t last = SQUARED_SIDE - 1;
  s->x = s->y = SQUARED_SIDE / 2;
  int32_t along = (int32_t)pfc_rng_below(&s->rng, (uint32_t)last);
  switch (pfc_rng_below(&s->rng, 4)) {  // each side includes its first corner only
    case 0: s->target_x = along, s->target_y = 0; break;
    case 1: s->target_x = last, s->target_y = along; break;
    case 2: s->target_x = last - along, s->target_y = last; break;
    default: s->target_x = 0, s->target_y = last - along; break;
  }
}

PFC_FN void squared_step(Squared* s, const SquaredParams* p, PfcIo io) {
  (void)p;
  const int32_t action = io.actions[0];
  s->x += (action == SQUARED_RIGHT) - (action == SQUARED_LEFT);
  s->y += (action == SQUARED_DOWN) - (action == SQUARED_UP);
  if (s->x < 0 || s->x >= SQUARED_SIDE || s->y < 0 || s->y >= SQUARED_SIDE) {
    io.rewards[0] = -1.0f;
    io.terminated[0] = 1;
  } else if (s->x == s->target_x && s->y == s->target_y) {
    s->reached = 1;
    io.rewards[0] = 1.0f;
    io.terminated[0] = 1;
  }
}

PFC_FN void squared_observe(const Squared* s, const SquaredParams* p, int32_t agent, SquaredObs* obs) {
  (void)p, (void)agent;
  memset(obs->cell, SQUARED_EMPTY, sizeof obs->cell);
  obs->cell[s->target_y * SQUARED_SIDE + s->target_x] = SQUARED_TARGET;
  if (s->x >= 0 && s->x < SQUARED_SIDE && s->y >= 0 && s->y < SQUARED_SIDE)
    obs->cell[s->y * SQUARED_SIDE + s->x] = SQUARED_AGENT;
}

PFC_FN void squared_metrics(const Squared* s, const SquaredParams* p, int32_t agent, float* values) {
  (void)p, (void)agent;
  values[0] = values[1] = (float)s->reached;
}

// Border tiles, where the target can be, have another colour. A margin of half a tile shows an agent that has left.
static void squared_draw(const Squared* s, const SquaredParams* p, const PfcDraw* d) {
  const float tile = 32.0f, left = 0.5f * tile, top = 56.0f, side = tile * SQUARED_SIDE;
  const float width = side + tile, target_x = left + tile * ((float)s->target_x + 0.5f);
  const float target_y = top + tile * ((float)s->target_y + 0.5f);
  const float x = left + tile * (float)s->x, y = top + tile * (float)s->y;
  const bool outside = s->x < 0 || s->x >= SQUARED_SIDE || s->y < 0 || s->y >= SQUARED_SIDE;
  pfc_draw_board(d, width, top + side + left);
  for (int32_t i = 0; i < SQUARED_CELLS; ++i) {
    const int32_t column = i % SQUARED_SIDE, row = i / SQUARED_SIDE, last = SQUARED_SIDE - 1;
    const bool rim = column == 0 || row == 0 || column == last || row == last;
    d->rounded_rect(d->context, left + tile * (float)column + 1.5f, top + tile * (float)row + 1.5f, tile - 3.0f,
                    tile - 3.0f, 5.0f, pfc_rgb(rim ? 0x2a3040 : PFC_TILE));
  }
  d->circle(d->context, target_x, target_y, 11.0f, pfc_rgb(s->reached ? PFC_GOOD : PFC_GOAL));
  d->circle(d->context, target_x, target_y, 6.0f, pfc_rgb(PFC_BOARD));
  d->rounded_rect(d->context, x + 4.5f, y + 4.5f, tile - 9.0f, tile - 9.0f, 7.0f,
                  pfc_rgb(outside ? PFC_BAD : PFC_AGENT));
  if (s->reached) d->circle(d->context, target_x, target_y, 5.0f, pfc_rgb(PFC_GOOD));
  pfc_draw_count(d, left, 14.0f, 30.0f, true, d->steps, "steps");
  if (p->max_steps > 0) pfc_draw_count(d, width - left, 22.0f, 20.0f, false, p->max_steps - d->steps, "left");
  d->end(d->context);
}

static const PfcKeyBinding squared_keys[] = {
    PFC_BIND("up w", "up", 0, 2),
    PFC_BIND("down s", "down", 0, 1),
    PFC_BIND("left a", "left", 0, 3),
    PFC_BIND("right d", "right", 0, 4),
};

PFC_DEFINE_ENV(squared, Squared,
               .title = "Squared",
               .summary = "walk to a target on the border of an 11 x 11 board",
               .version = 1,
               .obs_dtype = PFC_UINT8,
               .sizes = {.action_counts = {5}},
               .obs_rows = squared_obs,
               .num_obs_rows = sizeof squared_obs / sizeof squared_obs[0],
               .metrics = {"score", "perf"},
               .fps = 6,
               .keys = squared_keys,
               .num_keys = sizeof squared_keys / sizeof squared_keys[0])
