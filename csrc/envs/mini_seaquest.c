// mini_seaquest.c - shoot fish and enemy submarines, pick up divers, and come up for air. One agent; MinAtar's
// Seaquest.
//
// Row 0 is the surface, rows 1 to 8 hold what crosses the board, and row 9 shows the oxygen and the divers aboard.
// Below the surface the oxygen falls. Coming up costs a diver and fills it; without divers it ends the episode. Six
// divers are worth the rest of the oxygen.
//
// obs   uint8[10][10][10]   planes: front, back, own bullet, trail, enemy bullet, fish, enemy submarine, oxygen, divers
//                           aboard, diver
// act   int32[1]            0 none  1 left  2 up  3 right  4 down  5 fire
// rew   +1 for a fish or a submarine, oxygen x 10 / 200 (rounded down) for six divers; contact ends the episode
//
// score is the return; perf is score / 50, at most 1.
#include "mini.h"

enum { MINI_SEAQUEST_MOST = 64 };  // things of each kind; more are not added
enum { MINI_SEAQUEST_OXYGEN = 200, MINI_SEAQUEST_CREW = 6 };
enum { MINI_SEAQUEST_SPAWN_TIME = 20, MINI_SEAQUEST_DIVER_TIME = 30, MINI_SEAQUEST_COOL_DOWN = 5 };  // steps
enum { MINI_SEAQUEST_MOVE_TIME = 5, MINI_SEAQUEST_MIN_MOVE_TIME = 2, MINI_SEAQUEST_SHOT_TIME = 10 };
#define MINI_SEAQUEST_SUB_CHANCE (1.0f / 3.0f)
#define MINI_SEAQUEST_FULL_SCORE 50.0f

#define MINI_SEAQUEST_PARAMS(X) MINI_MAX_STEPS(X, 10000) MINI_STICKY(X) MINI_RAMPING(X)
PFC_DEFINE_PARAMS(mini_seaquest, MiniSeaquestParams, MINI_SEAQUEST_PARAMS)

typedef struct MiniSeaquestThing {
  int8_t x, y, right;  // right: it goes to the right
  int8_t move_timer;   // steps until it moves; not for bullets
  int8_t shot_timer;   // steps until it shoots; submarines only
} MiniSeaquestThing;

typedef struct MiniSeaquestList {
  MiniSeaquestThing at[MINI_SEAQUEST_MOST];  // the newest last
  int32_t count;  // behind the things: GCC 12 with ThreadSanitizer takes writes to them for writes beyond it
} MiniSeaquestList;

typedef struct MiniSeaquest {
  PfcRng rng;
  int32_t oxygen;
  int32_t crew;  // divers aboard; below 0 after six of them left, as in the reference
  int8_t x, y, right;  // the own submarine; right: it faces the right
  int8_t surfaced;
  int8_t cool_down, spawn_time, spawn_timer, diver_timer, move_time;
  int8_t latest;  // action
  int32_t ramps;
  MiniSeaquestList own, enemy, fish, subs, divers;  // own and enemy: bullets
} MiniSeaquest;

typedef struct MiniSeaquestObs {
  uint8_t front[MINI_CELLS], back[MINI_CELLS], own[MINI_CELLS], trail[MINI_CELLS], enemy[MINI_CELLS], fish[MINI_CELLS],
      sub[MINI_CELLS], oxygen[MINI_CELLS], crew[MINI_CELLS], diver[MINI_CELLS];
} MiniSeaquestObs;

static const PfcObsRow mini_seaquest_obs[] = {
    MINI_PLANE("front", "front of the own submarine"),
    MINI_PLANE("back", "its back"),
    MINI_PLANE("own", "own bullets"),
    MINI_PLANE("trail", "cells behind fish, submarines and divers"),
    MINI_PLANE("enemy", "enemy bullets"),
    MINI_PLANE("fish", "fish"),
    MINI_PLANE("sub", "enemy submarines"),
    MINI_PLANE("oxygen", "the first 10 x oxygen / 200 cells of the bottom row"),
    MINI_PLANE("crew", "divers aboard: cells of the bottom row to the left of the last one"),
    MINI_PLANE("diver", "divers in the water"),
};

// ---- lists ---------------------------------------------------------------------------------------------------------

PFC_FN void mini_seaquest_add(MiniSeaquestList* list, int32_t x, int32_t y, int32_t right, int32_t move_timer) {
  if (list->count == MINI_SEAQUEST_MOST) return;
  MiniSeaquestThing* thing = &list->at[list->count++];
  thing->x = (int8_t)x, thing->y = (int8_t)y, thing->right = (int8_t)right;
  thing->move_timer = (int8_t)move_timer;
  thing->shot_timer = MINI_SEAQUEST_SHOT_TIME;
}

PFC_FN void mini_seaquest_remove(MiniSeaquestList* list, int32_t index) {
  list->count -= 1;
  for (int32_t i = index; i < list->count; ++i) list->at[i] = list->at[i + 1];
}

// Removes the oldest thing in a cell; returns whether there was one.
PFC_FN bool mini_seaquest_remove_at(MiniSeaquestList* list, int32_t x, int32_t y) {
  for (int32_t i = 0; i < list->count; ++i) {
    if (list->at[i].x != x || list->at[i].y != y) continue;
    mini_seaquest_remove(list, i);
    return true;
  }
  return false;
}

PFC_FN bool mini_seaquest_touches(const MiniSeaquest* s, const MiniSeaquestThing* thing) {
  return thing->x == s->x && thing->y == s->y;
}

// Moves a thing by a cell; returns whether it is still on the board.
PFC_FN bool mini_seaquest_advance(MiniSeaquestThing* thing) {
  thing->x = (int8_t)(thing->x + 2 * thing->right - 1);
  return mini_is_inside(thing->x);
}

// ---- a step --------------------------------------------------------------------------------------------------------

PFC_FN void mini_seaquest_reset(MiniSeaquest* s, const MiniSeaquestParams* p) {
  (void)p;
  s->oxygen = MINI_SEAQUEST_OXYGEN;
  s->x = 5;
  s->surfaced = 1;
  s->spawn_time = s->spawn_timer = MINI_SEAQUEST_SPAWN_TIME;
  s->diver_timer = MINI_SEAQUEST_DIVER_TIME;
  s->move_time = MINI_SEAQUEST_MOVE_TIME;
}

PFC_FN bool mini_seaquest_opposes(const MiniSeaquestList* list, int32_t y, int32_t right) {
  for (int32_t i = 0; i < list->count; ++i)
    if (list->at[i].y == y && list->at[i].right != right) return true;
  return false;
}

PFC_FN int32_t mini_seaquest_random_row(MiniSeaquest* s) { return 1 + (int32_t)pfc_rng_below(&s->rng, 8); }

PFC_FN void mini_seaquest_spawn_enemy(MiniSeaquest* s) {
  const int32_t right = pfc_rng_float(&s->rng) < 0.5f, sub = pfc_rng_float(&s->rng) < MINI_SEAQUEST_SUB_CHANCE;
  const int32_t y = mini_seaquest_random_row(s);
  if (mini_seaquest_opposes(&s->subs, y, right) || mini_seaquest_opposes(&s->fish, y, right)) return;
  mini_seaquest_add(sub ? &s->subs : &s->fish, right ? 0 : MINI_LAST, y, right, s->move_time);
}

PFC_FN void mini_seaquest_spawn(MiniSeaquest* s) {
  if (s->spawn_timer == 0) {
    mini_seaquest_spawn_enemy(s);
    s->spawn_timer = s->spawn_time;
  }
  if (s->diver_timer == 0) {
    const int32_t right = pfc_rng_float(&s->rng) < 0.5f, y = mini_seaquest_random_row(s);
    mini_seaquest_add(&s->divers, right ? 0 : MINI_LAST, y, right, MINI_SEAQUEST_MOVE_TIME);
    s->diver_timer = MINI_SEAQUEST_DIVER_TIME;
  }
}

PFC_FN void mini_seaquest_act(MiniSeaquest* s, int32_t action) {
  if (action == MINI_FIRE && s->cool_down == 0) {
    mini_seaquest_add(&s->own, s->x, s->y, s->right, 0);
    s->cool_down = MINI_SEAQUEST_COOL_DOWN;
  }
  if (action == MINI_LEFT) s->right = 0;
  if (action == MINI_RIGHT) s->right = 1;
  s->x = (int8_t)pfc_clampi(s->x + mini_sideways(action), 0, MINI_LAST);
  s->y = (int8_t)pfc_clampi(s->y + mini_downwards(action), 0, MINI_LAST - 1);
}

PFC_FN void mini_seaquest_move_own(MiniSeaquest* s, PfcIo io) {
  for (int32_t i = s->own.count - 1; i >= 0; --i) {
    MiniSeaquestThing* bullet = &s->own.at[i];
    if (mini_seaquest_advance(bullet)) {
      const int32_t x = bullet->x, y = bullet->y;
      if (!mini_seaquest_remove_at(&s->fish, x, y) && !mini_seaquest_remove_at(&s->subs, x, y)) continue;
      io.rewards[0] += 1.0f;
    }
    mini_seaquest_remove(&s->own, i);
  }
}

PFC_FN bool mini_seaquest_takes(const MiniSeaquest* s, const MiniSeaquestThing* diver) {
  return mini_seaquest_touches(s, diver) && s->crew < MINI_SEAQUEST_CREW;
}

PFC_FN void mini_seaquest_move_divers(MiniSeaquest* s) {
  for (int32_t i = s->divers.count - 1; i >= 0; --i) {
    MiniSeaquestThing* diver = &s->divers.at[i];
    bool taken = mini_seaquest_takes(s, diver), gone = false;
    if (!taken && diver->move_timer > 0) {
      diver->move_timer -= 1;
    } else if (!taken) {
      diver->move_timer = MINI_SEAQUEST_MOVE_TIME;
      gone = !mini_seaquest_advance(diver);
      taken = mini_seaquest_takes(s, diver);
    }
    s->crew += taken;
    if (taken || gone) mini_seaquest_remove(&s->divers, i);
  }
}

// Moves a fish or a submarine when its time has come. Returns whether it is still there.
PFC_FN bool mini_seaquest_move_enemy(MiniSeaquest* s, MiniSeaquestThing* thing, PfcIo io) {
  if (mini_seaquest_touches(s, thing)) io.terminated[0] = 1;
  if (thing->move_timer > 0) {
    thing->move_timer -= 1;
    return true;
  }
  thing->move_timer = s->move_time;
  if (!mini_seaquest_advance(thing)) return false;
  if (mini_seaquest_touches(s, thing)) {
    io.terminated[0] = 1;
    return true;
  }
  if (!mini_seaquest_remove_at(&s->own, thing->x, thing->y)) return true;
  io.rewards[0] += 1.0f;
  return false;
}

// A submarine that was destroyed in this step may still shoot.
PFC_FN void mini_seaquest_move_subs(MiniSeaquest* s, PfcIo io) {
  for (int32_t i = s->subs.count - 1; i >= 0; --i) {
    MiniSeaquestThing* sub = &s->subs.at[i];
    const bool stays = mini_seaquest_move_enemy(s, sub, io), shoots = sub->shot_timer == 0;
    if (shoots) mini_seaquest_add(&s->enemy, sub->x, sub->y, sub->right, 0);
    sub->shot_timer = (int8_t)(shoots ? MINI_SEAQUEST_SHOT_TIME : sub->shot_timer - 1);
    if (!stays) mini_seaquest_remove(&s->subs, i);
  }
}

PFC_FN void mini_seaquest_move_enemy_bullets(MiniSeaquest* s, PfcIo io) {
  for (int32_t i = s->enemy.count - 1; i >= 0; --i) {
    MiniSeaquestThing* bullet = &s->enemy.at[i];
    if (mini_seaquest_touches(s, bullet)) io.terminated[0] = 1;
    if (!mini_seaquest_advance(bullet)) mini_seaquest_remove(&s->enemy, i);
    else if (mini_seaquest_touches(s, bullet)) io.terminated[0] = 1;
  }
}

PFC_FN void mini_seaquest_move_fish(MiniSeaquest* s, PfcIo io) {
  for (int32_t i = s->fish.count - 1; i >= 0; --i)
    if (!mini_seaquest_move_enemy(s, &s->fish.at[i], io)) mini_seaquest_remove(&s->fish, i);
}

PFC_FN int32_t mini_seaquest_tenths(const MiniSeaquest* s) {  // of the oxygen, rounded down
  return 10 * pfc_maxi(s->oxygen, 0) / MINI_SEAQUEST_OXYGEN;
}

PFC_FN void mini_seaquest_ramp(MiniSeaquest* s) {
  if (s->spawn_time <= 1 && s->move_time <= MINI_SEAQUEST_MIN_MOVE_TIME) return;
  if (s->move_time > MINI_SEAQUEST_MIN_MOVE_TIME && s->ramps % 2 != 0) s->move_time -= 1;
  if (s->spawn_time > 1) s->spawn_time -= 1;
  s->ramps += 1;
}

PFC_FN void mini_seaquest_surface(MiniSeaquest* s, const MiniSeaquestParams* p, PfcIo io) {
  s->surfaced = 1;
  if (s->crew == MINI_SEAQUEST_CREW) {
    io.rewards[0] += (float)mini_seaquest_tenths(s);
    s->crew = 0;
  }
  s->crew -= 1;
  s->oxygen = MINI_SEAQUEST_OXYGEN;
  if (p->ramping) mini_seaquest_ramp(s);
}

PFC_FN void mini_seaquest_breathe(MiniSeaquest* s, const MiniSeaquestParams* p, PfcIo io) {
  if (s->oxygen <= 0) io.terminated[0] = 1;
  if (s->y > 0) {
    s->oxygen -= 1;
    s->surfaced = 0;
  } else if (!s->surfaced) {
    if (s->crew == 0) io.terminated[0] = 1;
    else mini_seaquest_surface(s, p, io);
  }
}

PFC_FN void mini_seaquest_step(MiniSeaquest* s, const MiniSeaquestParams* p, PfcIo io) {
  const int32_t action = mini_action(&s->rng, p->sticky, io.actions[0], &s->latest);
  mini_seaquest_spawn(s);
  mini_seaquest_act(s, action);
  mini_seaquest_move_own(s, io);
  mini_seaquest_move_divers(s);
  mini_seaquest_move_subs(s, io);
  mini_seaquest_move_enemy_bullets(s, io);
  mini_seaquest_move_fish(s, io);
  s->spawn_timer = (int8_t)(s->spawn_timer - (s->spawn_timer > 0));
  s->diver_timer = (int8_t)(s->diver_timer - (s->diver_timer > 0));
  s->cool_down = (int8_t)(s->cool_down - (s->cool_down > 0));
  mini_seaquest_breathe(s, p, io);
}

// ---- observation, metrics -------------------------------------------------------------------------------------------

PFC_FN int32_t mini_seaquest_behind(int32_t x, int32_t right) { return x + 1 - 2 * right; }

PFC_FN void mini_seaquest_write(const MiniSeaquestList* list, uint8_t* plane, uint8_t* trail) {
  for (int32_t i = 0; i < list->count; ++i) {
    const MiniSeaquestThing thing = list->at[i];
    mini_set(plane, thing.x, thing.y);
    if (trail) mini_set_inside(trail, mini_seaquest_behind(thing.x, thing.right), thing.y);
  }
}

PFC_FN void mini_seaquest_observe(const MiniSeaquest* s, const MiniSeaquestParams* p, int32_t agent,
                                  MiniSeaquestObs* obs) {
  (void)p, (void)agent;
  mini_clear(obs, sizeof *obs);
  mini_set(obs->front, s->x, s->y);
  mini_set_inside(obs->back, mini_seaquest_behind(s->x, s->right), s->y);
  mini_seaquest_write(&s->own, obs->own, NULL);
  mini_seaquest_write(&s->enemy, obs->enemy, NULL);
  mini_seaquest_write(&s->fish, obs->fish, obs->trail);
  mini_seaquest_write(&s->subs, obs->sub, obs->trail);
  mini_seaquest_write(&s->divers, obs->diver, obs->trail);
  for (int32_t x = 0; x < mini_seaquest_tenths(s); ++x) mini_set(obs->oxygen, x, MINI_LAST);
  for (int32_t x = MINI_LAST - s->crew; x < MINI_LAST; ++x) mini_set(obs->crew, x, MINI_LAST);
}

PFC_FN void mini_seaquest_metrics(const MiniSeaquest* s, const MiniSeaquestParams* p, int32_t agent, float* values) {
  (void)s, (void)p, (void)agent;  // the score is the return
  values[1] = pfc_minf(1.0f, values[0] * (1.0f / MINI_SEAQUEST_FULL_SCORE));
}

// ---- picture -------------------------------------------------------------------------------------------------------

static void mini_seaquest_draw_ship(int32_t x, int32_t y, int32_t right, uint32_t color, const PfcDraw* d) {
  mini_draw_box(d, x, y, 34.0f, 22.0f, pfc_rgb(color));
  mini_draw_dot(d, x, y, 6.0f, pfc_rgb(PFC_BOARD));
  mini_draw_box(d, mini_seaquest_behind(x, right), y, 34.0f, 12.0f, pfc_tint(color, 110));
}

static void mini_seaquest_draw_things(const MiniSeaquest* s, const PfcDraw* d) {
  for (int32_t i = 0; i < s->fish.count; ++i) {
    const MiniSeaquestThing fish = s->fish.at[i];
    const int32_t behind = mini_seaquest_behind(fish.x, fish.right);
    mini_draw_box(d, behind, fish.y, 37.0f, 20.0f, pfc_tint(PFC_RIVAL, 45));
    mini_draw_arrow(d, fish.x, fish.y, fish.right, 14.0f, pfc_rgb(PFC_RIVAL));
  }
  for (int32_t i = 0; i < s->subs.count; ++i)
    mini_seaquest_draw_ship(s->subs.at[i].x, s->subs.at[i].y, s->subs.at[i].right, PFC_BAD, d);
  for (int32_t i = 0; i < s->divers.count; ++i) {
    const MiniSeaquestThing diver = s->divers.at[i];
    mini_draw_box(d, mini_seaquest_behind(diver.x, diver.right), diver.y, 37.0f, 14.0f, pfc_tint(PFC_GOOD, 45));
    mini_draw_dot(d, diver.x, diver.y, 11.0f, pfc_rgb(PFC_GOOD));
  }
  for (int32_t i = 0; i < s->own.count; ++i)
    mini_draw_box(d, s->own.at[i].x, s->own.at[i].y, 20.0f, 6.0f, pfc_rgb(PFC_INK));
  for (int32_t i = 0; i < s->enemy.count; ++i)
    mini_draw_box(d, s->enemy.at[i].x, s->enemy.at[i].y, 20.0f, 6.0f, pfc_rgb(PFC_BAD));
}

// The bottom row: oxygen as a bar, divers aboard as dots.
static void mini_seaquest_draw_gauges(const MiniSeaquest* s, const PfcDraw* d) {
  const float width = 400.0f * (float)pfc_maxi(s->oxygen, 0) / (float)MINI_SEAQUEST_OXYGEN;
  const uint32_t color = s->oxygen < MINI_SEAQUEST_OXYGEN / 4 ? PFC_BAD : PFC_AGENT;
  const PfcPoint first = mini_centre(0, MINI_LAST);
  d->rounded_rect(d->context, first.x - 20.0f, first.y + 6.0f, 400.0f, 10.0f, 5.0f, pfc_rgb(PFC_LINE));
  d->rounded_rect(d->context, first.x - 20.0f, first.y + 6.0f, pfc_maxf(width, 10.0f), 10.0f, 5.0f, pfc_rgb(color));
  for (int32_t i = 0; i < MINI_SEAQUEST_CREW; ++i)
    d->circle(d->context, first.x + 368.0f - 22.0f * (float)i, first.y - 6.0f, 7.0f,
              pfc_rgb(i < s->crew ? PFC_GOOD : PFC_LINE));
}

static void mini_seaquest_draw(const MiniSeaquest* s, const MiniSeaquestParams* p, const PfcDraw* d) {
  uint32_t rows[MINI_SIDE];
  (void)p;
  for (int32_t y = 0; y < MINI_SIDE; ++y) rows[y] = y == 0 ? 0x2a3a4a : y == MINI_LAST ? 0x12141c : 0x152536;
  mini_draw_start(d, rows);
  mini_seaquest_draw_things(s, d);
  mini_seaquest_draw_ship(s->x, s->y, s->right, PFC_AGENT, d);
  mini_seaquest_draw_gauges(s, d);
  d->end(d->context);
}

static const PfcField mini_seaquest_fields[] = {
    PFC_STATE_FIELD(MiniSeaquest, rng, PFC_UINT64),
    PFC_STATE_FIELD(MiniSeaquest, oxygen, PFC_INT32),
    PFC_STATE_FIELD(MiniSeaquest, crew, PFC_INT32),
    PFC_STATE_FIELD(MiniSeaquest, x, PFC_INT8),
    PFC_STATE_FIELD(MiniSeaquest, y, PFC_INT8),
    PFC_STATE_FIELD(MiniSeaquest, right, PFC_INT8),
    PFC_STATE_FIELD(MiniSeaquest, surfaced, PFC_INT8),
    PFC_STATE_FIELD(MiniSeaquest, cool_down, PFC_INT8),
    PFC_STATE_FIELD(MiniSeaquest, spawn_time, PFC_INT8),
    PFC_STATE_FIELD(MiniSeaquest, spawn_timer, PFC_INT8),
    PFC_STATE_FIELD(MiniSeaquest, diver_timer, PFC_INT8),
    PFC_STATE_FIELD(MiniSeaquest, move_time, PFC_INT8),
    PFC_STATE_FIELD(MiniSeaquest, ramps, PFC_INT32),
#define MINI_SEAQUEST_LIST(name)                                                             \
  {#name "_count", PFC_INT32, 1, offsetof(MiniSeaquest, name.count)},                        \
  {#name, PFC_INT8, sizeof(MiniSeaquestThing) * MINI_SEAQUEST_MOST, offsetof(MiniSeaquest, name.at)}
    MINI_SEAQUEST_LIST(own),
    MINI_SEAQUEST_LIST(enemy),
    MINI_SEAQUEST_LIST(fish),
    MINI_SEAQUEST_LIST(subs),
    MINI_SEAQUEST_LIST(divers),
};

PFC_DEFINE_ENV(mini_seaquest, MiniSeaquest,
               .title = "MiniSeaquest",
               .summary = "fight, rescue divers and come up for air on 10 x 10 cells, as in MinAtar",
               .version = 1,
               .obs_dtype = PFC_UINT8,
               .sizes = {.obs_shape = {10, MINI_SIDE, MINI_SIDE}, .action_counts = {MINI_CHOICES}},
               .obs_rows = mini_seaquest_obs,
               .num_obs_rows = sizeof mini_seaquest_obs / sizeof mini_seaquest_obs[0],
               .metrics = {"score", "perf"},
               .fields = mini_seaquest_fields,
               .num_fields = sizeof mini_seaquest_fields / sizeof mini_seaquest_fields[0],
               .fps = 10,
               .keys = mini_keys,
               .num_keys = MINI_NUM_KEYS)
