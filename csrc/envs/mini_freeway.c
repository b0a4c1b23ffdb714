// mini_freeway.c - walk a chicken across a road of eight lanes. One agent; MinAtar's Freeway.
//
// Each lane has one car that drives round and round, with a speed and a direction. The chicken moves at most every
// third step. On the other side it gets a point and starts again, and all cars get new speeds and directions; a car
// sets it back. The game never ends by its rules.
//
// obs   uint8[7][10][10]   planes: chicken, car, and the cells behind cars of speeds 1 to 5
// act   int32[1]           0 none  1 left  2 up  3 right  4 down  5 fire; only up and down do something
// rew   +1 for a crossing
//
// score is the return; perf is score / 60, at most 1.
#include "mini.h"

enum { MINI_FREEWAY_LANES = 8, MINI_FREEWAY_X = 4, MINI_FREEWAY_SPEEDS = 5, MINI_FREEWAY_MOVE_TIME = 3 };
#define MINI_FREEWAY_FULL_SCORE 60.0f

#define MINI_FREEWAY_PARAMS(X) MINI_MAX_STEPS(X, 2501) MINI_STICKY(X)
PFC_DEFINE_PARAMS(mini_freeway, MiniFreewayParams, MINI_FREEWAY_PARAMS)

typedef struct MiniFreewayCar {
  int8_t x;
  int8_t timer;      // steps until it moves
  int8_t time;       // steps between two moves less 1: the car's "speed", 1 to 5
  int8_t direction;  // -1 or 1
} MiniFreewayCar;

typedef struct MiniFreeway {
  PfcRng rng;
  MiniFreewayCar cars[MINI_FREEWAY_LANES];  // in rows 1 to 8
  int8_t y;                                 // the chicken
  int8_t move_timer;
  int8_t latest;  // action
} MiniFreeway;

typedef struct MiniFreewayObs {
  uint8_t chicken[MINI_CELLS], car[MINI_CELLS], trail[MINI_FREEWAY_SPEEDS][MINI_CELLS];
} MiniFreewayObs;

static const PfcObsRow mini_freeway_obs[] = {
    MINI_PLANE("chicken", "the chicken"),
    MINI_PLANE("car", "cars"),
    MINI_PLANE("trail1", "cells behind cars that move every 2nd step"),
    MINI_PLANE("trail2", "... every 3rd step"),
    MINI_PLANE("trail3", "... every 4th step"),
    MINI_PLANE("trail4", "... every 5th step"),
    MINI_PLANE("trail5", "... every 6th step"),
};

PFC_FN void mini_freeway_change_cars(MiniFreeway* s) {  // new speeds and directions; places are kept
  for (int32_t i = 0; i < MINI_FREEWAY_LANES; ++i)
    s->cars[i].time = s->cars[i].timer = (int8_t)(1 + pfc_rng_below(&s->rng, MINI_FREEWAY_SPEEDS));
  for (int32_t i = 0; i < MINI_FREEWAY_LANES; ++i) s->cars[i].direction = pfc_rng_float(&s->rng) < 0.5f ? -1 : 1;
}

PFC_FN void mini_freeway_reset(MiniFreeway* s, const MiniFreewayParams* p) {
  (void)p;
  mini_freeway_change_cars(s);
  s->y = MINI_LAST;
  s->move_timer = MINI_FREEWAY_MOVE_TIME;
}

PFC_FN int32_t mini_freeway_wrapped(int32_t x) { return x < 0 ? MINI_LAST : x > MINI_LAST ? 0 : x; }

PFC_FN void mini_freeway_drive(MiniFreeway* s, int32_t lane) {
  MiniFreewayCar* car = &s->cars[lane];
  const int32_t y = lane + 1;
  if (car->x == MINI_FREEWAY_X && y == s->y) s->y = MINI_LAST;
  if (car->timer > 0) {
    car->timer -= 1;
    return;
  }
  car->timer = car->time;
  car->x = (int8_t)mini_freeway_wrapped(car->x + car->direction);
  if (car->x == MINI_FREEWAY_X && y == s->y) s->y = MINI_LAST;
}

PFC_FN void mini_freeway_step(MiniFreeway* s, const MiniFreewayParams* p, PfcIo io) {
  const int32_t action = mini_action(&s->rng, p->sticky, io.actions[0], &s->latest), down = mini_downwards(action);
  if (down != 0 && s->move_timer == 0) {
    s->move_timer = MINI_FREEWAY_MOVE_TIME;
    s->y = (int8_t)pfc_clampi(s->y + down, 0, MINI_LAST);
  }
  if (s->y == 0) {
    io.rewards[0] = 1.0f;
    mini_freeway_change_cars(s);
    s->y = MINI_LAST;
  }
  for (int32_t lane = 0; lane < MINI_FREEWAY_LANES; ++lane) mini_freeway_drive(s, lane);
  if (s->move_timer > 0) s->move_timer -= 1;
}

PFC_FN void mini_freeway_observe(const MiniFreeway* s, const MiniFreewayParams* p, int32_t agent, MiniFreewayObs* obs) {
  (void)p, (void)agent;
  mini_clear(obs, sizeof *obs);
  mini_set(obs->chicken, MINI_FREEWAY_X, s->y);
  for (int32_t lane = 0; lane < MINI_FREEWAY_LANES; ++lane) {
    const MiniFreewayCar car = s->cars[lane];
    mini_set(obs->car, car.x, lane + 1);
    mini_set(obs->trail[car.time - 1], mini_freeway_wrapped(car.x - car.direction), lane + 1);
  }
}

PFC_FN void mini_freeway_metrics(const MiniFreeway* s, const MiniFreewayParams* p, int32_t agent, float* values) {
  (void)s, (void)p, (void)agent;  // the score is the return
  values[1] = pfc_minf(1.0f, values[0] * (1.0f / MINI_FREEWAY_FULL_SCORE));
}

static void mini_freeway_draw_car(MiniFreewayCar car, int32_t y, const PfcDraw* d) {
  static const uint32_t colors[MINI_FREEWAY_SPEEDS] = {PFC_BAD, PFC_RIVAL, 0xd99a4a, PFC_VIOLET, 0x5a6fb8};
  const uint32_t color = colors[car.time - 1];
  const PfcPoint at = mini_centre(car.x, y);
  mini_draw_box(d, mini_freeway_wrapped(car.x - car.direction), y, 37.0f, 24.0f, pfc_tint(color, 55));
  mini_draw_box(d, car.x, y, 37.0f, 24.0f, pfc_rgb(color));
  d->rounded_rect(d->context, at.x + 8.0f * (float)car.direction - 4.0f, at.y - 9.0f, 8.0f, 18.0f, 2.0f,
                  pfc_tint(PFC_BOARD, 150));  // windscreen
}

static void mini_freeway_draw(const MiniFreeway* s, const MiniFreewayParams* p, const PfcDraw* d) {
  uint32_t rows[MINI_SIDE];
  (void)p;
  for (int32_t y = 0; y < MINI_SIDE; ++y) rows[y] = y == 0 ? 0x23402f : y == MINI_LAST ? 0x2a3040 : PFC_TILE;
  mini_draw_start(d, rows);
  for (int32_t lane = 0; lane < MINI_FREEWAY_LANES; ++lane) mini_freeway_draw_car(s->cars[lane], lane + 1, d);
  mini_draw_dot(d, MINI_FREEWAY_X, s->y, 15.0f, pfc_rgb(PFC_AGENT));
  mini_draw_dot(d, MINI_FREEWAY_X, s->y, 6.0f, pfc_rgb(PFC_INK));
  d->end(d->context);
}

static const PfcField mini_freeway_fields[] = {
    PFC_STATE_FIELD(MiniFreeway, rng, PFC_UINT64),
    PFC_STATE_FIELD(MiniFreeway, cars, PFC_INT8),
    PFC_STATE_FIELD(MiniFreeway, y, PFC_INT8),
    PFC_STATE_FIELD(MiniFreeway, move_timer, PFC_INT8),
};

PFC_DEFINE_ENV(mini_freeway, MiniFreeway,
               .title = "MiniFreeway",
               .summary = "cross a road of eight lanes on 10 x 10 cells, as in MinAtar",
               .version = 1,
               .obs_dtype = PFC_UINT8,
               .sizes = {.obs_shape = {2 + MINI_FREEWAY_SPEEDS, MINI_SIDE, MINI_SIDE},
                         .action_counts = {MINI_CHOICES}},
               .obs_rows = mini_freeway_obs,
               .num_obs_rows = sizeof mini_freeway_obs / sizeof mini_freeway_obs[0],
               .metrics = {"score", "perf"},
               .fields = mini_freeway_fields,
               .num_fields = sizeof mini_freeway_fields / sizeof mini_freeway_fields[0],
               .fps = 10,
               .keys = mini_keys,
               .num_keys = MINI_NUM_KEYS)
