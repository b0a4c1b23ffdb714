// mini_asterix.c - collect gold and avoid enemies that cross the board. One agent; MinAtar's Asterix.
//
// Each of the rows 1 to 8 holds at most one thing, which crosses the board from one side to the other. Spawns and moves
// have timers that get shorter (ramping).
//
// obs   uint8[4][10][10]   planes: player, enemy, trail (the cell behind a thing), gold
// act   int32[1]           0 none  1 left  2 up  3 right  4 down  5 fire (does nothing here)
// rew   +1 for gold; an enemy ends the episode
//
// score is the return; perf is score / 50, at most 1.
#include "mini.h"

enum { MINI_ASTERIX_ROWS = 8, MINI_ASTERIX_TOP = 1, MINI_ASTERIX_BOTTOM = 8 };
enum { MINI_ASTERIX_SPAWN_TIME = 10, MINI_ASTERIX_MOVE_TIME = 5, MINI_ASTERIX_RAMP_TIME = 100 };  // steps
#define MINI_ASTERIX_GOLD_CHANCE (1.0f / 3.0f)
#define MINI_ASTERIX_FULL_SCORE 50.0f

#define MINI_ASTERIX_PARAMS(X) MINI_MAX_STEPS(X, 10000) MINI_STICKY(X) MINI_RAMPING(X)
PFC_DEFINE_PARAMS(mini_asterix, MiniAsterixParams, MINI_ASTERIX_PARAMS)

typedef struct MiniAsterixThing {
  int8_t present, x, right, gold;  // right: moves to the right
} MiniAsterixThing;

typedef struct MiniAsterix {
  PfcRng rng;
  MiniAsterixThing things[MINI_ASTERIX_ROWS];  // of rows 1 to 8
  int8_t x, y;                                 // the player
  int8_t latest;                               // action
  int8_t spawn_time, spawn_timer, move_time, move_timer, ramp_timer;
  int32_t ramps;
} MiniAsterix;

typedef struct MiniAsterixObs {
  uint8_t player[MINI_CELLS], enemy[MINI_CELLS], trail[MINI_CELLS], gold[MINI_CELLS];
} MiniAsterixObs;

static const PfcObsRow mini_asterix_obs[] = {
    MINI_PLANE("player", "the player"),
    MINI_PLANE("enemy", "enemies"),
    MINI_PLANE("trail", "cells behind enemies and gold"),
    MINI_PLANE("gold", "gold"),
};

PFC_FN void mini_asterix_reset(MiniAsterix* s, const MiniAsterixParams* p) {
  (void)p;
  s->x = s->y = 5;
  s->spawn_time = s->spawn_timer = MINI_ASTERIX_SPAWN_TIME;
  s->move_time = s->move_timer = MINI_ASTERIX_MOVE_TIME;
  s->ramp_timer = MINI_ASTERIX_RAMP_TIME;
}

PFC_FN void mini_asterix_spawn(MiniAsterix* s) {
  const int32_t right = pfc_rng_float(&s->rng) < 0.5f, gold = pfc_rng_float(&s->rng) < MINI_ASTERIX_GOLD_CHANCE;
  int32_t empty[MINI_ASTERIX_ROWS], count = 0;
  for (int32_t i = 0; i < MINI_ASTERIX_ROWS; ++i)
    if (!s->things[i].present) empty[count++] = i;
  if (count == 0) return;
  MiniAsterixThing* thing = &s->things[empty[pfc_rng_below(&s->rng, (uint32_t)count)]];
  thing->present = 1;
  thing->x = right ? 0 : MINI_LAST;
  thing->right = (int8_t)right;
  thing->gold = (int8_t)gold;
}

// The player takes gold in its cell, or meets an enemy.
PFC_FN void mini_asterix_meet(MiniAsterix* s, PfcIo io) {
  MiniAsterixThing* thing = &s->things[s->y - MINI_ASTERIX_TOP];
  if (!thing->present || thing->x != s->x) return;
  if (thing->gold) {
    thing->present = 0;
    io.rewards[0] += 1.0f;
  } else {
    io.terminated[0] = 1;
  }
}

PFC_FN void mini_asterix_move_things(MiniAsterix* s) {
  for (int32_t i = 0; i < MINI_ASTERIX_ROWS; ++i) {
    MiniAsterixThing* thing = &s->things[i];
    thing->x = (int8_t)(thing->x + 2 * thing->right - 1);
    thing->present = (int8_t)(thing->present && mini_is_inside(thing->x));
  }
}

PFC_FN void mini_asterix_ramp(MiniAsterix* s) {
  if (s->spawn_time <= 1 && s->move_time <= 1) return;
  if (s->ramp_timer >= 0) {
    s->ramp_timer -= 1;
    return;
  }
  if (s->move_time > 1 && s->ramps % 2 != 0) s->move_time -= 1;
  if (s->spawn_time > 1) s->spawn_time -= 1;
  s->ramps += 1;
  s->ramp_timer = MINI_ASTERIX_RAMP_TIME;
}

PFC_FN void mini_asterix_step(MiniAsterix* s, const MiniAsterixParams* p, PfcIo io) {
  const int32_t action = mini_action(&s->rng, p->sticky, io.actions[0], &s->latest);
  if (s->spawn_timer == 0) {
    mini_asterix_spawn(s);
    s->spawn_timer = s->spawn_time;
  }
  s->x = (int8_t)pfc_clampi(s->x + mini_sideways(action), 0, MINI_LAST);
  s->y = (int8_t)pfc_clampi(s->y + mini_downwards(action), MINI_ASTERIX_TOP, MINI_ASTERIX_BOTTOM);
  mini_asterix_meet(s, io);
  if (s->move_timer == 0) {
    s->move_timer = s->move_time;
    mini_asterix_move_things(s);
    mini_asterix_meet(s, io);
  }
  s->spawn_timer -= 1;
  s->move_timer -= 1;
  if (p->ramping) mini_asterix_ramp(s);
}

PFC_FN void mini_asterix_observe(const MiniAsterix* s, const MiniAsterixParams* p, int32_t agent, MiniAsterixObs* obs) {
  (void)p, (void)agent;
  mini_clear(obs, sizeof *obs);
  mini_set(obs->player, s->x, s->y);
  for (int32_t i = 0; i < MINI_ASTERIX_ROWS; ++i) {
    const MiniAsterixThing thing = s->things[i];
    if (!thing.present) continue;
    mini_set(thing.gold ? obs->gold : obs->enemy, thing.x, MINI_ASTERIX_TOP + i);
    mini_set_inside(obs->trail, thing.x + 1 - 2 * thing.right, MINI_ASTERIX_TOP + i);
  }
}

PFC_FN void mini_asterix_metrics(const MiniAsterix* s, const MiniAsterixParams* p, int32_t agent, float* values) {
  (void)s, (void)p, (void)agent;  // the score is the return
  values[1] = pfc_minf(1.0f, values[0] * (1.0f / MINI_ASTERIX_FULL_SCORE));
}

static void mini_asterix_draw(const MiniAsterix* s, const MiniAsterixParams* p, const PfcDraw* d) {
  (void)p;
  uint32_t rows[MINI_SIDE];
  for (int32_t y = 0; y < MINI_SIDE; ++y) rows[y] = y == 0 || y == MINI_LAST ? 0x161922 : PFC_TILE;
  mini_draw_start(d, rows);
  for (int32_t i = 0; i < MINI_ASTERIX_ROWS; ++i) {
    const MiniAsterixThing thing = s->things[i];
    const int32_t y = MINI_ASTERIX_TOP + i, color = thing.gold ? PFC_GOAL : PFC_BAD;
    if (!thing.present) continue;
    mini_draw_box(d, thing.x + 1 - 2 * thing.right, y, 37.0f, 37.0f, pfc_tint((uint32_t)color, 60));
    if (thing.gold) {
      mini_draw_dot(d, thing.x, y, 15.0f, pfc_rgb(PFC_GOAL));
      mini_draw_dot(d, thing.x, y, 9.0f, pfc_tint(PFC_BOARD, 70));
    } else {
      mini_draw_box(d, thing.x, y, 33.0f, 33.0f, pfc_rgb(PFC_BAD));
      mini_draw_arrow(d, thing.x, y, thing.right, 8.0f, pfc_rgb(PFC_BOARD));
    }
  }
  mini_draw_box(d, s->x, s->y, 33.0f, 33.0f, pfc_rgb(PFC_AGENT));
  mini_draw_dot(d, s->x, s->y, 6.0f, pfc_rgb(PFC_BOARD));
  d->end(d->context);
}

static const PfcField mini_asterix_fields[] = {
    PFC_STATE_FIELD(MiniAsterix, rng, PFC_UINT64),        PFC_STATE_FIELD(MiniAsterix, things, PFC_INT8),
    PFC_STATE_FIELD(MiniAsterix, x, PFC_INT8),            PFC_STATE_FIELD(MiniAsterix, y, PFC_INT8),
    PFC_STATE_FIELD(MiniAsterix, spawn_time, PFC_INT8),   PFC_STATE_FIELD(MiniAsterix, spawn_timer, PFC_INT8),
    PFC_STATE_FIELD(MiniAsterix, move_time, PFC_INT8),    PFC_STATE_FIELD(MiniAsterix, move_timer, PFC_INT8),
    PFC_STATE_FIELD(MiniAsterix, ramp_timer, PFC_INT8),   PFC_STATE_FIELD(MiniAsterix, ramps, PFC_INT32),
};

PFC_DEFINE_ENV(mini_asterix, MiniAsterix,
               .title = "MiniAsterix",
               .summary = "collect gold among enemies that cross the board, as in MinAtar",
               .version = 1,
               .obs_dtype = PFC_UINT8,
               .sizes = {.obs_shape = {4, MINI_SIDE, MINI_SIDE}, .action_counts = {MINI_CHOICES}},
               .obs_rows = mini_asterix_obs,
               .num_obs_rows = sizeof mini_asterix_obs / sizeof mini_asterix_obs[0],
               .metrics = {"score", "perf"},
               .fields = mini_asterix_fields,
               .num_fields = sizeof mini_asterix_fields / sizeof mini_asterix_fields[0],
               .fps = 10,
               .keys = mini_keys,
               .num_keys = MINI_NUM_KEYS)
